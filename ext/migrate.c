/*
** migrate.c - the sets of tables: up, down, verify, and an application's own.
**
** A set is a row of numbered steps.  The sets of the library are embedded from
** sql/migrations/<set>/NNN_name.{up,down}.sql; an application adds its own
** with migrate_define().  Every set pulls in `core`, which holds the
** bookkeeping.  One call is one transaction (or a savepoint of the caller's):
** kill it, and the old or the new state is there.
**
**     SELECT migrate_up('delivery');
**     SELECT * FROM migrate_status WHERE state = 'pending';
**     SELECT migrate_down('delivery', 0);
**
** migrate_step.c takes one step up, migrate_down.c back, and migrate_schema.c
** knows what it should make.
*/
#include <string.h>

#include "migrate_int.h"
#include "tune_int.h"

/*************************************************************************
** Sets and their steps
*/

/* The i-th set of the library, in the order of installation; NULL beyond. */
const char *migrate_builtin_set(int i) {
  int k;
  for (k = 0; k < steward_step_count; k++) {
    if (steward_steps[k].iVersion == 1 && i-- == 0) {
      return steward_steps[k].zSet;
    }
  }
  return NULL;
}

int migrate_is_builtin(const char *zSet) {
  const char *z;
  int i;
  for (i = 0; (z = migrate_builtin_set(i)) != NULL; i++) {
    if (strcmp(z, zSet) == 0) return 1;
  }
  return 0;
}

void migrate_free_set(MigrateSet *pSet) {
  int i;
  for (i = 0; i < pSet->nText; i++) sqlite3_free(pSet->azText[i]);
  sqlite3_free(pSet->azText);
  sqlite3_free(pSet->aStep);
  sqlite3_free(pSet->zSet);
  memset(pSet, 0, sizeof(*pSet));
}

/* Room for one more step, zeroed; NULL when out of memory. */
static MigrateStep *add_step(StewardCall *c, MigrateSet *pSet) {
  MigrateStep *aNew = sqlite3_realloc64(
      pSet->aStep, sizeof(MigrateStep) * (size_t)(pSet->nStep + 1));
  if (aNew == NULL) {
    steward_fail_nomem(c);
    return NULL;
  }
  pSet->aStep = aNew;
  memset(&aNew[pSet->nStep], 0, sizeof(MigrateStep));
  return &aNew[pSet->nStep++];
}

static void load_builtin(StewardCall *c, MigrateSet *pSet) {
  int i;
  for (i = 0; i < steward_step_count && c->rc == SQLITE_OK; i++) {
    const StewardStep *s = &steward_steps[i];
    MigrateStep *pStep;
    if (strcmp(s->zSet, pSet->zSet)) continue;
    pStep = add_step(c, pSet);
    if (pStep == NULL) return;
    pStep->zSet = s->zSet;
    pStep->iVersion = s->iVersion;
    pStep->zName = s->zName;
    pStep->zDescription = s->zDescription;
    pStep->zAuthor = s->zAuthor;
    pStep->zCreated = s->zCreated;
    pStep->zLibrary = s->zLibrary;
    pStep->zUp = s->zUp;
    pStep->zDown = s->zDown;
    migrate_checksum(pStep);
  }
}

/* A copy of a column's text that lives as long as the set. */
static const char *own_text(StewardCall *c, MigrateSet *pSet,
                            sqlite3_stmt *pRow, int iCol) {
  char **azNew = sqlite3_realloc64(pSet->azText,
                                   sizeof(char *) * (size_t)(pSet->nText + 1));
  char *z;
  if (azNew == NULL) {
    steward_fail_nomem(c);
    return "";
  }
  pSet->azText = azNew;
  z = steward_mprintf(c, "%s", sqlite3_column_text(pRow, iCol));
  if (z == NULL) return "";
  pSet->azText[pSet->nText++] = z;
  return z;
}

static void load_user(StewardCall *c, MigrateSet *pSet) {
  sqlite3_stmt *pRow;
  if (!steward_installed(c, "core")) return;
  pRow = steward_query(c, SQL_migrate_user_steps, "t", pSet->zSet);
  while (steward_next(c, pRow)) {
    MigrateStep *pStep = add_step(c, pSet);
    if (pStep == NULL) break;
    pStep->zSet = pSet->zSet;
    pStep->zName = own_text(c, pSet, pRow, 0);
    pStep->zUp = own_text(c, pSet, pRow, 1);
    pStep->zDown = own_text(c, pSet, pRow, 2);
    pStep->iVersion = sqlite3_column_int(pRow, 3);
    pStep->zDescription = "";
    pStep->zAuthor = "application";
    pStep->zCreated = "";
    pStep->zLibrary = STEWARD_VERSION;
    pStep->bUser = 1;
    migrate_checksum(pStep);
  }
  steward_give(c, SQL_migrate_user_steps, pRow);
}

static void fail_no_set(StewardCall *c, const char *zSet) {
  const char *azKnown[32];
  const char *zNear;
  int n = 0;
  while (n < ArraySize(azKnown) && migrate_builtin_set(n)) {
    azKnown[n] = migrate_builtin_set(n);
    n++;
  }
  zNear = steward_nearest(zSet, azKnown, n);
  if (zNear) {
    steward_fail(c, STEWARD_NOT_FOUND, "no set '%s': did you mean '%s'?", zSet,
                 zNear);
  } else {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "no set '%s': SELECT DISTINCT set_name FROM migrate_status "
                 "lists them",
                 zSet);
  }
}

/* All steps of a set; an unknown one is NOT_FOUND.  Free it always. */
void migrate_load_set(StewardCall *c, const char *zSet, MigrateSet *pSet) {
  memset(pSet, 0, sizeof(*pSet));
  if (zSet == NULL) steward_fail_nomem(c); /* a column that found no memory */
  pSet->zSet = steward_mprintf(c, "%s", zSet);
  if (c->rc) return;
  if (migrate_is_builtin(zSet)) {
    load_builtin(c, pSet);
  } else {
    load_user(c, pSet);
  }
  if (c->rc == SQLITE_OK && pSet->nStep == 0) fail_no_set(c, zSet);
}

/* The version that is installed, 0 when none is. */
int migrate_version(StewardCall *c, const char *zSet) {
  if (steward_int(c, SQL_set_bookkeeping, 0, "") == 0) return 0;
  return (int)steward_int(c, SQL_migrate_version, 0, "t", zSet);
}

/*************************************************************************
** Up
*/

/* A newer library may have taken the set where this one must not write. */
static void check_library(StewardCall *c, const char *zSet) {
  char *zLibrary;
  if (migrate_version(c, zSet) == 0) return;
  zLibrary = steward_text(c, SQL_set_library, "t", zSet);
  if (zLibrary && steward_compare_versions(zLibrary, STEWARD_VERSION) > 0) {
    steward_fail(c, STEWARD_NOT_INSTALLED,
                 "set '%s' was migrated by a newer library, and only %s or "
                 "later may write it, this is %s: load the newer library",
                 zSet, zLibrary, STEWARD_VERSION);
  }
  sqlite3_free(zLibrary);
}

/* Run the steps of core, and those of the set below its next one, where the
** expectation is made. */
static sqlite3 *expect_below(StewardCall *c, const MigrateSet *pSet,
                             int iVersion) {
  sqlite3 *pExpected;
  MigrateSet core;
  int i;
  if (c->rc || pSet->aStep[0].bUser) return NULL;
  pExpected = migrate_expected_open(c);
  if (pExpected == NULL) return NULL;
  if (strcmp(pSet->zSet, "core")) {
    migrate_load_set(c, "core", &core);
    for (i = 0; i < core.nStep; i++) {
      migrate_expected_step(c, pExpected, &core.aStep[i]);
    }
    migrate_free_set(&core);
  }
  for (i = 0; i < iVersion; i++) {
    migrate_expected_step(c, pExpected, &pSet->aStep[i]);
  }
  return pExpected;
}

/* Is a table or view gone that the steps of a set of the library made? */
static int is_damaged(StewardCall *c, const char *zSet) {
  if (c->rc || !migrate_is_builtin(zSet)) return 0;
  if (migrate_version(c, zSet) == 0) return 0;
  return (int)steward_int(c, SQL_migrate_damaged, 0, "tn", zSet);
}

/* Without its messages the log begins again at 1; so must those who read it,
** and what subscriptions had put on it was dropped with it. */
static void begin_log_again(StewardCall *c) {
  steward_run(c, SQL_log_cursors_anew, "");
  steward_run(c, SQL_log_topics_anew, "");
  steward_run(c, SQL_log_marks_anew, "");
  if (steward_int(c, SQL_introspect_object, 0, "t", "steward_patterns")) {
    steward_run(c, SQL_log_patterns_anew, "");
    steward_run(c, SQL_log_pattern_numbers_anew, "");
    delivery_feed_again(c);
  }
}

/* Triggers hold no rows, and are made again: while one of them, or what it
** speaks of, is missing, they would keep statements of a step from running. */
static void drop_triggers(StewardCall *c, const char *zSet) {
  char *zName;
  while (c->rc == SQLITE_OK &&
         (zName = steward_text(c, SQL_migrate_made_trigger, "t", zSet))) {
    steward_exec(c, "DROP TRIGGER main.\"%w\"", zName);
    sqlite3_free(zName);
  }
}

/* Make again what was dropped behind its back; how many steps had to. */
static int repair_steps(StewardCall *c, const MigrateSet *pSet, int iVersion) {
  int i, nDone = 0, bLog;
  if (c->rc || !is_damaged(c, pSet->zSet)) return 0;
  bLog = (int)steward_int(c, SQL_introspect_object, 0, "t", "steward_messages");
  for (i = 0; i < iVersion && i < pSet->nStep && c->rc == SQLITE_OK; i++) {
    nDone +=
        (int)steward_int(c, SQL_migrate_damaged, 0, "ti", pSet->zSet, i + 1);
  }
  drop_triggers(c, pSet->zSet);
  for (i = 0; i < iVersion && i < pSet->nStep && c->rc == SQLITE_OK; i++) {
    migrate_step_repair(c, &pSet->aStep[i]);
  }
  if (!bLog && strcmp(pSet->zSet, "core") == 0) begin_log_again(c);
  return nDone;
}

/* Bring one set up to iTarget (-1: all steps); how many steps were done. */
int migrate_set_up(StewardCall *c, const char *zSet, int iTarget) {
  MigrateSet set;
  int iVersion = 0, nDone = 0;
  migrate_load_set(c, zSet, &set);
  if (c->rc == SQLITE_OK && iTarget < 0) iTarget = set.nStep;
  if (c->rc == SQLITE_OK && iTarget > set.nStep) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "set '%s' has versions 1..%d, got %d", zSet, set.nStep,
                 iTarget);
  }
  check_library(c, zSet);
  iVersion = migrate_version(c, zSet);
  nDone = repair_steps(c, &set, iVersion);
  if (c->rc == SQLITE_OK && iVersion < iTarget) {
    sqlite3 *pExpected = expect_below(c, &set, iVersion);
    while (iVersion < iTarget && c->rc == SQLITE_OK) {
      migrate_step_up(c, &set.aStep[iVersion++], pExpected);
      nDone++;
    }
    sqlite3_close(pExpected);
  }
  migrate_free_set(&set);
  return nDone;
}

/* Names of the application's sets, as a JSON array; caller frees. */
static char *user_sets(StewardCall *c) {
  if (!steward_installed(c, "core")) return NULL;
  return steward_text(c, SQL_migrate_user_set_names, "");
}

/* Bring up what the caller named; 'all' is every set of the library and of
** the application. */
static int up_named(StewardCall *c, const char *zSet, int iTarget) {
  int nDone, i;
  char *zUser;
  sqlite3_stmt *pName;
  if (strcmp(zSet, "core") == 0) return migrate_set_up(c, "core", iTarget);
  nDone = migrate_set_up(c, "core", -1);
  if (strcmp(zSet, "all")) return nDone + migrate_set_up(c, zSet, iTarget);
  for (i = 1; c->rc == SQLITE_OK && migrate_builtin_set(i); i++) {
    nDone += migrate_set_up(c, migrate_builtin_set(i), -1);
  }
  zUser = user_sets(c);
  pName = steward_query(c, SQL_migrate_each, "t", zUser);
  while (steward_next(c, pName)) {
    nDone += migrate_set_up(c, steward_column(c, pName, 0), -1);
  }
  steward_give(c, SQL_migrate_each, pName);
  sqlite3_free(zUser);
  return nDone;
}

/* Is there anything to do?  A read: nothing pending takes no lock, so that
** migrate_up() at every start of a program costs nothing. */
static int set_pending(StewardCall *c, const char *zSet, int iTarget) {
  MigrateSet set;
  int bPending;
  migrate_load_set(c, zSet, &set);
  if (iTarget < 0) iTarget = set.nStep;
  bPending = migrate_version(c, zSet) != iTarget || iTarget > set.nStep ||
             is_damaged(c, zSet);
  migrate_free_set(&set);
  return bPending;
}

static int any_pending(StewardCall *c, const char *zSet, int iTarget) {
  if (strcmp(zSet, "all") == 0) return 1;
  if (strcmp(zSet, "core") == 0) return set_pending(c, zSet, iTarget);
  return set_pending(c, "core", -1) || set_pending(c, zSet, iTarget);
}

/* While another connection commits, or recovers the WAL, even reading can be
** refused: how long the first reads are tried.  (The default of the setting,
** which cannot be read either.) */
static i64 first_deadline(void) {
  return steward_monotonic_us() + 2000 * 1000;
}

/* Take the write lock, waiting for other migrating processes. */
void migrate_begin(StewardCall *c) {
  i64 iDeadline = first_deadline();
  do {
    c->iPatience = steward_setting_int(c, "migrate_lock_ms");
  } while (steward_busy_again(c, iDeadline));
  steward_begin(c);
}

/* Open a call for migrations: inside the caller's transaction the write lock
** comes before the first read. */
static void open_migration(StewardCall *c, sqlite3_context *ctx,
                           const char *zFunc, const char *zSet, int iTarget,
                           int bUp) {
  i64 iDeadline = first_deadline();
  if (!sqlite3_get_autocommit(sqlite3_context_db_handle(ctx))) {
    steward_open(c, ctx, zFunc, NULL, STEWARD_WRITE);
    return;
  }
  steward_open(c, ctx, zFunc, NULL, STEWARD_READ);
  while (bUp) {
    int bPending = any_pending(c, zSet, iTarget);
    if (steward_busy_again(c, iDeadline)) continue;
    if (!bPending) return;
    break;
  }
  if (c->rc == SQLITE_OK) migrate_begin(c);
}

/* The set's name and the version of argv; checked before anything is opened.
** 0 when the call has failed and was closed. */
static int set_arguments(sqlite3_context *ctx, const char *zFunc, int argc,
                         sqlite3_value **argv, const char **pzSet,
                         int *piTarget) {
  StewardCall c;
  steward_open(&c, ctx, zFunc, NULL, STEWARD_READ);
  *pzSet = steward_arg_text(&c, argv[0], "set", 64);
  *piTarget = -1;
  if (argc > 1) {
    *piTarget = (int)steward_arg_int(&c, argv[1], "version", 0, 1000000);
  }
  if (argc > 2) {
    const char *zForce = steward_arg_text(&c, argv[2], "force", 64);
    if (zForce && strcmp(zForce, "force")) {
      steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                   "the third argument must be 'force', got '%s'", zForce);
    }
  }
  return steward_close(&c) == SQLITE_OK;
}

/* migrate_up(set TEXT [, version INTEGER]) -> INTEGER, steps done  directonly
** Bring a set of tables up to its newest (or the given) version, together
** with `core`; 'all' means every set.  One transaction; inside the caller's it
** takes part in that.  Nothing pending: 0, without a lock.  Tables that exist
** already are adopted when they fit: what is missing is added, and a later
** migrate_down() removes only what was added.  A table or view that an earlier
** call made and somebody dropped since is made again, empty (and where that was
** the log, its cursors begin again).  While another
** process migrates, this one waits for setting migrate_lock_ms on top of its
** busy timeout.  The set maintenance also sets the pragmas of
** tune_apply('wal'), once; what SQLite refused of it is in keeper_log.
** Errors: "NOT_FOUND: migrate_up: no set 'X': did you mean 'Y'?";
**   "CONFLICT: migrate_up: what this database already has does not fit step N
**   (name) of set 'X': ...: alter or rename it first"; NOT_INSTALLED when a
**   newer library owns the set; BUSY; READ_ONLY.
** Source: the migration runners of seeds 000 to 003.
** Example: SELECT migrate_up('delivery'); -- 0
**   SELECT version FROM steward_sets WHERE set_name='delivery'; -- 2
*/
static void migrate_up(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zSet;
  int iTarget, nDone = 0, bTune = 0;
  if (!set_arguments(ctx, "migrate_up", argc, argv, &zSet, &iTarget)) return;
  open_migration(&c, ctx, "migrate_up", zSet, iTarget, 1);
  if (c.eMode == STEWARD_WRITE && c.rc == SQLITE_OK) {
    bTune = migrate_version(&c, "maintenance") == 0;
    nDone = up_named(&c, zSet, iTarget);
    bTune = bTune && migrate_version(&c, "maintenance") > 0;
  }
  if (steward_close(&c)) return;
  if (bTune && tune_after(ctx, "migrate_up", TUNE_WAL)) return;
  sqlite3_result_int(ctx, nDone);
}

/*************************************************************************
** Down
*/

/* Append what taking the set down to iTarget would lose. */
void migrate_set_loss(StewardCall *c, const char *zSet, int iTarget,
                      sqlite3_str *pList) {
  MigrateSet set;
  int iVersion = migrate_version(c, zSet);
  migrate_load_set(c, zSet, &set);
  for (; iVersion > iTarget && iVersion <= set.nStep; iVersion--) {
    migrate_step_loss(c, &set.aStep[iVersion - 1], pList);
  }
  migrate_free_set(&set);
}

/* Take the set down to iTarget; how many steps were done. */
int migrate_set_down(StewardCall *c, const char *zSet, int iTarget,
                     int bForce) {
  MigrateSet set;
  int iVersion, nDone = 0;
  migrate_load_set(c, zSet, &set);
  check_library(c, zSet);
  iVersion = migrate_version(c, zSet);
  if (c->rc == SQLITE_OK && iVersion > set.nStep) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "set '%s' is at version %d, of which no step down is known: "
                 "define it, or load the library that has it",
                 zSet, iVersion);
  }
  if (c->rc == SQLITE_OK && iTarget > set.nStep) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "set '%s' has versions 0..%d, got %d", zSet, set.nStep,
                 iTarget);
  }
  for (; iVersion > iTarget && c->rc == SQLITE_OK; iVersion--) {
    migrate_step_down(c, &set.aStep[iVersion - 1], iTarget, bForce);
    nDone++;
  }
  migrate_free_set(&set);
  return nDone;
}

/* core goes last. */
static void check_dependants(StewardCall *c, const char *zSet) {
  char *zOthers;
  if (c->rc || strcmp(zSet, "core") || migrate_version(c, "core") == 0) return;
  zOthers = steward_text(c, SQL_migrate_dependants, "");
  if (zOthers) {
    steward_fail(c, STEWARD_CONFLICT,
                 "the sets %s stand on core: take them down first", zOthers);
  }
  sqlite3_free(zOthers);
}

/* What stands on core apart from the policies of attached tables. */
static void check_policies(StewardCall *c, const char *zSet) {
  if (c->rc || strcmp(zSet, "core") || migrate_version(c, "core") == 0) return;
  if (steward_int(c, SQL_migrate_policies, 0, "")) {
    steward_fail(c, STEWARD_CONFLICT,
                 "tables have expiry policies: SELECT "
                 "ttl_detach(table_name) FROM ttl_status");
  }
}

/* Triggers that streaming put on tables of the application. */
static void check_streams(StewardCall *c, const char *zSet, int iTarget) {
  char *zOff;
  if (c->rc || strcmp(zSet, "streaming") || iTarget > 1 ||
      migrate_version(c, "streaming") < 2) {
    return;
  }
  zOff = steward_text(c, SQL_stream_off, "");
  if (zOff) {
    steward_fail(c, STEWARD_CONFLICT,
                 "tables have streams or histories, whose triggers need the "
                 "set: SELECT %s",
                 zOff);
  }
  sqlite3_free(zOff);
}

static void check_loss(StewardCall *c, const char *zSet, int iTarget) {
  sqlite3_str *pList = sqlite3_str_new(c->db);
  char *zList;
  migrate_set_loss(c, zSet, iTarget, pList);
  zList = steward_str_complaints(c, pList);
  if (zList) {
    steward_fail(c, STEWARD_CONFLICT,
                 "set '%s' down to version %d would lose the rows of %s: "
                 "save them, or SELECT migrate_down('%s', %d, 'force')",
                 zSet, iTarget, zList, zSet, iTarget);
  }
  sqlite3_free(zList);
}

/* migrate_down(set TEXT [, version INTEGER [, 'force']])
**   -> INTEGER, steps done    directonly
** Take the last step of a set back, or all steps above `version`.  Only what
** migrate_up() made is dropped.  Refused while rows would be lost, unless the
** third argument is 'force'; rows that a step itself put into its own tables,
** unchanged, do not count.  The script of an application's step runs as it is,
** but not where that loses rows (by DELETE, DROP TABLE, DROP COLUMN, or in the
** end a table has fewer); 'force' also passes over a DROP of what is gone.
** `core` goes only after every other set.  When the set maintenance has gone,
** the pragmas of tune_apply('rollback') are set.
** Errors: "CONFLICT: migrate_down: set 'X' down to version N would lose the
**   rows of t (3 rows): save them, or SELECT migrate_down('X', N, 'force')";
**   "CONFLICT: migrate_down: step 2 (fill) of set 'X' would lose 3 rows by its
**   statement DELETE FROM t: save them, or SELECT migrate_down('X', 1,
**   'force')";
**   "CONFLICT: migrate_down: the sets X, Y stand on core: take them down
**   first"; NOT_FOUND for an unknown set.
** Source: the rollbacks of seeds 000, 001 and 002.
** Example: SELECT migrate_down('delivery'); -- 1
**   SELECT migrate_down('delivery', 0); -- 1
*/
static void migrate_down(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zSet;
  int iTarget, nDone = 0, bTune;
  if (!set_arguments(ctx, "migrate_down", argc, argv, &zSet, &iTarget)) return;
  open_migration(&c, ctx, "migrate_down", zSet, iTarget, 0);
  if (iTarget < 0) {
    iTarget = migrate_version(&c, zSet) - 1;
    if (iTarget < 0) iTarget = 0;
  }
  check_dependants(&c, zSet);
  check_policies(&c, zSet);
  check_streams(&c, zSet, iTarget);
  if (argc < 3) check_loss(&c, zSet, iTarget);
  nDone = migrate_set_down(&c, zSet, iTarget, argc > 2);
  bTune = nDone > 0 && iTarget == 0 && strcmp(zSet, "maintenance") == 0;
  if (steward_close(&c)) return;
  if (bTune && tune_after(ctx, "migrate_down", TUNE_ROLLBACK)) return;
  sqlite3_result_int(ctx, nDone);
}

/*************************************************************************
** Verify
*/

/* Compare every applied step with what it should have made. */
static void verify_objects(StewardCall *c, const MigrateSet *pSet, int iVersion,
                           sqlite3_str *pList) {
  sqlite3 *pExpected = expect_below(c, pSet, 0);
  int i;
  for (i = 0; i < iVersion && i < pSet->nStep && c->rc == SQLITE_OK; i++) {
    char *zNotes = NULL, *zKnown, *z;
    migrate_expected_step(c, pExpected, &pSet->aStep[i]);
    z = migrate_differences(c, pExpected, &pSet->aStep[i], 0, &zNotes);
    zKnown = steward_text(c, SQL_migrate_notes, "ti", pSet->zSet, i + 1);
    if (z) sqlite3_str_appendf(pList, "%s; ", z);
    if (zNotes && (zKnown == NULL || strcmp(zKnown, zNotes))) {
      sqlite3_str_appendf(pList, "%s; ", zNotes);
    }
    sqlite3_free(z);
    sqlite3_free(zNotes);
    sqlite3_free(zKnown);
  }
  sqlite3_close(pExpected);
}

/* Run a round trip of INSERT, SELECT, UPDATE, DELETE over the set's tables;
** every statement that returns columns must return a row. */
static void verify_round_trip(StewardCall *c, const char *zScript,
                              sqlite3_str *pList) {
  while (c->rc == SQLITE_OK && zScript[0]) {
    sqlite3_stmt *pStmt = NULL;
    int nRow = 0;
    int rc = sqlite3_prepare_v2(c->db, zScript, -1, &pStmt, &zScript);
    if (rc) steward_fail_db(c, rc);
    while (steward_next(c, pStmt)) nRow++;
    if (c->rc == SQLITE_OK && pStmt && nRow == 0 &&
        sqlite3_column_count(pStmt) > 0) {
      sqlite3_str_appendf(pList, "no row came back from %s; ",
                          sqlite3_sql(pStmt));
    }
    sqlite3_finalize(pStmt);
  }
}

/* The round trip of a set, undone whatever happens. */
static void verify_rows(StewardCall *c, const char *zSet, sqlite3_str *pList) {
  char *zName = steward_mprintf(c, "verify_%s", zSet);
  int i;
  for (i = 0; c->rc == SQLITE_OK && i < SQL_COUNT; i++) {
    if (strcmp(steward_sql[i].zName, zName) == 0) {
      steward_run(c, SQL_savepoint, "");
      verify_round_trip(c, steward_sql[i].zSql, pList);
      steward_run(c, SQL_savepoint_rollback, "");
      steward_run(c, SQL_savepoint_release, "");
      break;
    }
  }
  sqlite3_free(zName);
}

/* migrate_verify(set TEXT) -> INTEGER, steps verified    directonly
** Compare what the set's applied steps should have made with what is there,
** and write, read, change and delete a row in each table, undone at the end.
** Errors: "VALIDATION_FAILED: migrate_verify: set 'X' differs from its steps:
**   index y is missing; ...: mend it, or take the set down and up again";
**   NOT_INSTALLED; NOT_FOUND for an unknown set.
** Source: seed 002, "Smoke-test CRUD using migration verification script".
** Example: SELECT migrate_verify('storage'); -- 2
*/
static void migrate_verify(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  StewardCall c;
  MigrateSet set;
  sqlite3_str *pList;
  const char *zSet;
  char *zList;
  int iTarget, iVersion = 0;
  if (!set_arguments(ctx, "migrate_verify", argc, argv, &zSet, &iTarget)) {
    return;
  }
  open_migration(&c, ctx, "migrate_verify", zSet, -1, 0);
  pList = sqlite3_str_new(c.db);
  migrate_load_set(&c, zSet, &set);
  iVersion = migrate_version(&c, zSet);
  if (c.rc == SQLITE_OK && iVersion == 0) {
    steward_fail(&c, STEWARD_NOT_INSTALLED,
                 "set '%s' is not installed: SELECT migrate_up('%s')", zSet,
                 zSet);
  } else if (c.rc) {
    /* reported below */
  } else if (set.aStep[0].bUser) {
    zList = steward_text(&c, SQL_migrate_made_missing, "t", zSet);
    if (zList) sqlite3_str_appendf(pList, "%s; ", zList);
    sqlite3_free(zList);
  } else {
    verify_objects(&c, &set, iVersion, pList);
    if (sqlite3_str_length(pList) == 0) verify_rows(&c, zSet, pList);
  }
  zList = steward_str_complaints(&c, pList);
  if (zList) {
    steward_fail(&c, STEWARD_VALIDATION_FAILED,
                 "set '%s' differs from its steps: %.*s: mend it, or take the "
                 "set down and up again",
                 zSet, (int)strlen(zList) - 2, zList);
  }
  sqlite3_free(zList);
  migrate_free_set(&set);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, iVersion);
}

/*************************************************************************
** An application's own steps
*/

static void check_set_name(StewardCall *c, const char *zSet) {
  int i;
  if (c->rc) return;
  for (i = 0; zSet[i]; i++) {
    char ch = zSet[i];
    int bOk = (ch >= 'a' && ch <= 'z') || ch == '_' ||
              (i > 0 && ch >= '0' && ch <= '9');
    if (!bOk) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "set must be lower-case letters, digits and _, got '%s'",
                   zSet);
      return;
    }
  }
  if (migrate_is_builtin(zSet) || strcmp(zSet, "all") == 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "set '%s' belongs to the library: choose another name", zSet);
  }
}

/* migrate_define(set TEXT, version INTEGER, name TEXT, up_sql TEXT,
**   down_sql TEXT) -> INTEGER, always 1    directonly
** Define a step of the application's own set, to be applied by migrate_up(set)
** with the same guarantees as the library's.  Versions count from 1 without
** holes.  Defining a step again replaces its texts; when it is applied already,
** migrate_status shows drift = 1.
** Set: core
** Errors: "INVALID_ARGUMENT: migrate_define: set 'X' has versions 1..2, so the
**   next is 3, got 5"; a name of the library's sets; NOT_INSTALLED.
** Source: seed 003, "Adding New Migrations".
** Example: SELECT migrate_define('shop', 1, 'orders',
**     'CREATE TABLE orders(id INTEGER PRIMARY KEY, total REAL)',
**     'DROP TABLE orders'); -- 1
**   SELECT migrate_up('shop'); -- 1
*/
static void migrate_define(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  StewardCall c;
  MigrateSet set;
  const char *zSet, *zName, *zUp, *zDown;
  int iVersion;
  steward_open(&c, ctx, "migrate_define", "core", STEWARD_WRITE);
  zSet = steward_arg_text(&c, argv[0], "set", 64);
  check_set_name(&c, zSet);
  iVersion = (int)steward_arg_int(&c, argv[1], "version", 1, 1000000);
  zName = steward_arg_text(&c, argv[2], "name", 100);
  zUp = steward_arg_text(&c, argv[3], "up_sql", 10000000);
  zDown = steward_arg_text(&c, argv[4], "down_sql", 10000000);
  memset(&set, 0, sizeof(set));
  if (c.rc == SQLITE_OK) {
    set.zSet = steward_mprintf(&c, "%s", zSet);
    load_user(&c, &set);
    if (c.rc == SQLITE_OK && iVersion > set.nStep + 1) {
      steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                   "set '%s' has %d versions, so the next is %d, got %d", zSet,
                   set.nStep, set.nStep + 1, iVersion);
    }
  }
  steward_run(&c, SQL_migrate_define, "titttl", zSet, iVersion, zName, zUp,
              zDown, steward_now(c.p));
  migrate_free_set(&set);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

static const StewardFunc aFunc[] = {
    {"migrate_up", 1, 2, STEWARD_DIRECTONLY, migrate_up, NULL, 0},
    {"migrate_down", 1, 3, STEWARD_DIRECTONLY, migrate_down, NULL, 0},
    {"migrate_verify", 1, 1, STEWARD_DIRECTONLY, migrate_verify, NULL, 0},
    {"migrate_define", 5, 5, STEWARD_DIRECTONLY, migrate_define, NULL, 0},
};

int migrate_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
