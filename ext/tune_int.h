/*
** tune_int.h - what tune.c shares with its table, and with migrations.
*/
#ifndef TUNE_INT_H
#define TUNE_INT_H

#include "steward_int.h"

enum { TUNE_WAL, TUNE_STREAMING, TUNE_DURABLE, TUNE_ROLLBACK, TUNE_PROFILES };

typedef struct TuneSetting {
  const char *zName;
  const char *zScope;                  /* database | connection */
  const char *azWanted[TUNE_PROFILES]; /* NULL: as it is */
  const char *zWhy;                    /* of profile wal */
} TuneSetting;

extern const TuneSetting tune_settings[];
extern const int tune_setting_count;

char *tune_current(StewardCall *c, const char *zSetting);
const char *tune_obstacle(StewardCall *c, const char *zSetting,
                          const char *zWanted);
char *tune_patiently(StewardCall *c, int eProfile, char **pzRefused);
int tune_after(sqlite3_context *ctx, const char *zFunc, int eProfile);
char *tune_profile(StewardCall *c, int eProfile, char **pzRefused);

#endif
