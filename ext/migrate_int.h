/*
** migrate_int.h - what the files of the capability `migrate` share:
** migrate.c (the verbs), migrate_step.c (one step up or down) and
** migrate_schema.c (what a schema should look like, and how it differs).
*/
#ifndef MIGRATE_INT_H
#define MIGRATE_INT_H

#include "steward_int.h"

/* One step of a set: built in, or defined by the application. */
typedef struct MigrateStep {
  const char *zSet;
  int iVersion;
  const char *zName;
  const char *zDescription;
  const char *zAuthor;
  const char *zCreated;
  const char *zLibrary;
  const char *zUp;
  const char *zDown;
  int bUser;
  char zChecksum[17]; /* XXH64 of both texts, in hex */
} MigrateStep;

/* All steps of a set, versions 1..nStep.  aText owns a user's texts. */
typedef struct MigrateSet {
  char *zSet;
  MigrateStep *aStep;
  int nStep;
  char **azText;
  int nText;
} MigrateSet;

/* migrate.c */
const char *migrate_builtin_set(int i);
int migrate_is_builtin(const char *zSet);
void migrate_load_set(StewardCall *c, const char *zSet, MigrateSet *pSet);
void migrate_free_set(MigrateSet *pSet);
int migrate_version(StewardCall *c, const char *zSet);
void migrate_begin(StewardCall *c);
int migrate_set_up(StewardCall *c, const char *zSet, int iTarget);
void migrate_set_loss(StewardCall *c, const char *zSet, int iTarget,
                      sqlite3_str *pList);
int migrate_set_down(StewardCall *c, const char *zSet, int iTarget, int bForce);

/* migrate_step.c */
void migrate_checksum(MigrateStep *pStep);
int migrate_token(const char **pz, char *zWord, int nWord);
void migrate_fail_step(StewardCall *c, const MigrateStep *pStep, int rc);
void migrate_run_statement(StewardCall *c, const MigrateStep *pStep,
                           sqlite3_stmt *pStmt);
void migrate_run_script(StewardCall *c, const MigrateStep *pStep,
                        const char *zScript, const char *zMade);
char *migrate_table_digest(StewardCall *c, const char *zTable, int nMax);
void migrate_step_up(StewardCall *c, const MigrateStep *pStep,
                     sqlite3 *pExpected);
void migrate_step_repair(StewardCall *c, const MigrateStep *pStep);

/* migrate_down.c */
void migrate_step_loss(StewardCall *c, const MigrateStep *pStep,
                       sqlite3_str *pList);
void migrate_step_down(StewardCall *c, const MigrateStep *pStep, int iTarget,
                       int bForce);

/* migrate_schema.c */
sqlite3 *migrate_expected_open(StewardCall *c);
void migrate_expected_step(StewardCall *c, sqlite3 *pExpected,
                           const MigrateStep *pStep);
char *migrate_differences(StewardCall *c, sqlite3 *pExpected,
                          const MigrateStep *pStep, int bAdopt,
                          char **pzNotes /* OUT */);

#endif
