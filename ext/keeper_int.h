/*
** keeper_int.h - what the files of the keeper share: keeper.c (the duties, and
** steward_tick) and keeper_thread.c (who calls it).
*/
#ifndef KEEPER_INT_H
#define KEEPER_INT_H

#include "steward_int.h"

/* Something that steward_tick does when it is due. */
typedef struct KeeperDuty {
  const char *zName;
  const char *zSet;      /* where it is installed, or NULL: everywhere */
  const char *zInterval; /* setting: how often; 0: never */
  const char *zFunction; /* what zSql calls: without it there is no duty */
  const char *zSql;
  int nBudget;                    /* ?1 of zSql: at most so many ms */
  int nKeeper;                    /* the same in a keeper's thread, if not 0 */
  i64 (*xRun)(StewardCall *c);    /* instead of zSql; writes */
  int (*xWanted)(StewardCall *c); /* is there anything to do?  or NULL */
  int bAgain;                     /* not 0: there may be more at once */
  const char *zMeaning;
} KeeperDuty;

extern const KeeperDuty keeper_duties[];
extern const int keeper_duty_count;
int keeper_available(StewardCall *c, const KeeperDuty *d);

/* The type of pointer by which steward_tick tells the context it works on. */
#define KEEPER_CONTEXT "steward-context"

/* keeper_thread.c */
#define KEEPER_INTERVAL 10000 /* ms */
void keeper_begin(StewardCall *c, i64 iInterval);
const char *keeper_name(Steward *p);

#endif
