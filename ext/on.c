/*
** on.c - the one switch: steward_on, steward_off, steward_uninstall.
*/
#include <string.h>

#include "keeper_int.h"
#include "migrate_int.h"
#include "tune_int.h"

typedef struct OnOptions {
  char *zSets;
  i64 bKeeper;
} OnOptions;

static const StewardOption aOnOption[] = {
    {"sets", STEWARD_OPT_JSON, offsetof(OnOptions, zSets), 0, 0, NULL,
     "the sets to install: an array of names, or \"all\""},
    {"keeper", STEWARD_OPT_BOOL, offsetof(OnOptions, bKeeper), 0, 1, NULL,
     "false: start no keeper"},
};

/* Install the sets named in a JSON text; how many steps. */
static int install_sets(StewardCall *c, const char *zSets) {
  sqlite3_stmt *pName;
  int i, nDone = migrate_set_up(c, "core", -1);
  if (strcmp(zSets, "\"all\"") == 0) {
    for (i = 1; c->rc == SQLITE_OK && migrate_builtin_set(i); i++) {
      nDone += migrate_set_up(c, migrate_builtin_set(i), -1);
    }
    return nDone;
  }
  if (c->rc == SQLITE_OK && zSets[0] != '[') {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "option sets must be an array of names or \"all\", got %s",
                 zSets);
  }
  pName = steward_query(c, SQL_migrate_each, "t", zSets);
  while (steward_next(c, pName)) {
    if (sqlite3_column_type(pName, 0) != SQLITE_TEXT) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "option sets must hold names, got %s", zSets);
      break;
    }
    nDone += migrate_set_up(c, steward_column(c, pName, 0), -1);
  }
  steward_give(c, SQL_migrate_each, pName);
  return nDone;
}

/* Say why a part was left to the caller. */
static void cannot(StewardCall *c, sqlite3_str *pList, const char *zPart,
                   const char *zWhy) {
  if (c->rc) return;
  sqlite3_str_appendf(pList, "%s{\"part\":\"%s\",\"why\":",
                      sqlite3_str_length(pList) ? "," : "", zPart);
  steward_json_string(pList, zWhy, (int)strlen(zWhy));
  sqlite3_str_appendall(pList, "}");
}

/* Start the keeper where it can work, and where nothing of the host fails over
** it; 1: it runs. */
static int start_keeper(StewardCall *c, sqlite3_str *pList) {
  StewardCall own = {.p = c->p, .db = c->db, .zFunc = c->zFunc};
  if (c->rc) return 0;
  if (steward_exec_int(c, 0, "PRAGMA busy_timeout") == 0) {
    cannot(c, pList, "keeper",
           "this connection has no busy timeout, so its writes would fail "
           "beside it: PRAGMA busy_timeout = 5000, then SELECT keeper_start()");
    return 0;
  }
  steward_alone(&own);
  keeper_begin(&own, KEEPER_INTERVAL);
  if (own.rc == SQLITE_NOMEM) steward_fail_nomem(c);
  if (own.rc && own.zErr) cannot(c, pList, "keeper", own.zErr);
  sqlite3_free(own.zErr);
  return own.rc == SQLITE_OK;
}

/* After the sets are there: the pragmas, the keeper, and what was done.  Caller
** frees. */
static char *turn_on(StewardCall *c, const OnOptions *pOptions, int nDone,
                     int bTune) {
  sqlite3_str *pList = sqlite3_str_new(c->db);
  char *zRefused = NULL, *zCannot, *zResult = NULL;
  int bKeeper = 0;
  if (bTune) sqlite3_free(tune_patiently(c, TUNE_WAL, &zRefused));
  if (zRefused && zRefused[0]) {
    sqlite3_str_appendf(pList,
                        "{\"part\":\"tuning\",\"why\":\"SQLite refused: "
                        "SELECT tune_apply('wal')\",\"refused\":[%s]}",
                        zRefused);
  }
  cannot(c, pList, "capture",
         "it takes the connection's one trace hook, which may be yours: SELECT "
         "perf_trace('sample')");
  if (pOptions->bKeeper) bKeeper = start_keeper(c, pList);
  zCannot = steward_str_finish(c, pList);
  if (c->rc == SQLITE_OK) {
    zResult = steward_text(c, SQL_on_result, "iti", nDone, zCannot, bKeeper);
  }
  sqlite3_free(zCannot);
  sqlite3_free(zRefused);
  return zResult;
}

/* steward_on([options JSON]) -> JSON, what was done and what was not
**                                                               directonly
** Do what a new user wants: install the sets named in option `sets` (default
** maintenance and delivery; "all" for every one), set the pragmas of
** tune_apply('wal') when maintenance is new, and start the keeper where there
** is a file, no transaction and a busy timeout (option `keeper`: false for
** none). Members of the result: steps (done now), sets (installed, with
** versions), keeper (0 or 1: it runs), cannot (what was left to you, why, and
** how to do it).  Doing it again changes nothing.
** Errors: NOT_FOUND for an unknown set; those of migrate_up().
** Source: seed 001, "Immediate" use of the enhanced utilities.
** Example: SELECT json_extract(steward_on(), '$.steps'); -- 0
*/
static void steward_on(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  OnOptions options = {.bKeeper = 1};
  int nDone = 0, bTune = 0;
  char *zResult;
  if (sqlite3_get_autocommit(sqlite3_context_db_handle(ctx))) {
    steward_open(&c, ctx, "steward_on", NULL, STEWARD_READ);
    migrate_begin(&c);
  } else {
    steward_open(&c, ctx, "steward_on", NULL, STEWARD_WRITE);
  }
  if (argc > 0) {
    steward_options(&c, argv[0], aOnOption, ArraySize(aOnOption), &options);
  }
  if (c.rc == SQLITE_OK) {
    bTune = migrate_version(&c, "maintenance") == 0;
    nDone = install_sets(&c, options.zSets ? options.zSets
                                           : "[\"maintenance\",\"delivery\"]");
    bTune = bTune && migrate_version(&c, "maintenance") > 0;
  }
  if (steward_close(&c) == SQLITE_OK) {
    steward_open(&c, ctx, "steward_on", NULL, STEWARD_READ);
    zResult = turn_on(&c, &options, nDone, bTune);
    steward_close_json(&c, zResult);
  }
  steward_options_free(aOnOption, ArraySize(aOnOption), &options);
}

/* steward_off() -> INTEGER, always 1    directonly
** Undo what steward_on() and steward_clock() changed on this connection: the
** keeper ends, the clock runs again.  Tables, settings, pragmas and a clock
** pinned in the database stay; see steward_uninstall() and
** tune_apply('rollback').
** Example: SELECT steward_off(); -- 1
**   SELECT steward_now() > 1700000000000; -- 1
*/
static void steward_off(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Steward *p = sqlite3_user_data(ctx);
  keeper_free(p);
  p->clock.bPinned = 0;
  sqlite3_result_int(ctx, 1);
}

/* Detach every table from its expiry policy. */
static void detach_policies(StewardCall *c) {
  char *zTable;
  while ((zTable = steward_text(c, SQL_on_policy, "")) != NULL) {
    steward_exec(c, "SELECT ttl_detach(%Q)", zTable);
    sqlite3_free(zTable);
  }
}

/* End every stream and history. */
static void detach_streams(StewardCall *c) {
  char *zOff;
  if (!steward_int(c, SQL_delta_table_exists, 0, "t", "steward_streams")) {
    return;
  }
  while ((zOff = steward_text(c, SQL_stream_off, "")) != NULL) {
    steward_exec(c, "SELECT %s", zOff);
    sqlite3_free(zOff);
  }
}

/* Refuse while anything would be lost, and say what. */
static void check_uninstall(StewardCall *c) {
  sqlite3_str *pList = sqlite3_str_new(c->db);
  sqlite3_stmt *pName = steward_query(c, SQL_migrate_installed, "");
  char *zList;
  while (steward_next(c, pName)) {
    const char *zSet = steward_column(c, pName, 0);
    if (migrate_is_builtin(zSet)) migrate_set_loss(c, zSet, 0, pList);
  }
  steward_give(c, SQL_migrate_installed, pName);
  zList = steward_str_complaints(c, pList);
  if (zList) {
    steward_fail(c, STEWARD_CONFLICT,
                 "it would lose the rows of %s: save them, or SELECT "
                 "steward_uninstall('force')",
                 zList);
  }
  sqlite3_free(zList);
}

/* Take the library's sets down, core last.  An application's own sets keep
** their tables and lose only their bookkeeping. */
static int remove_sets(StewardCall *c) {
  int i, n = 0, nDone = 0;
  while (migrate_builtin_set(n)) n++;
  steward_run(c, SQL_on_forget_user_sets, "");
  for (i = n - 1; i >= 0 && c->rc == SQLITE_OK; i--) {
    nDone += migrate_set_down(c, migrate_builtin_set(i), 0, 1);
  }
  return nDone;
}

/* steward_uninstall(['force']) -> INTEGER, steps taken back    directonly
** Remove everything that Steward made in this database: expiry policies,
** streams and histories with their triggers, then every set.  Refused, with the
** list of what would be lost, while its tables hold rows; 'force' removes them
** all the same.  The tables of an application's own migrate_define() steps
** stay, and so do the planner's statistics, sqlite_stat1, which are SQLite's.
** Errors: "CONFLICT: steward_uninstall: it would lose the rows of t (3 rows):
**   save them, or SELECT steward_uninstall('force')".
** Source: seed 001, "Full Rollback".
** Example: SELECT steward_uninstall() > 0; -- 1
**   SELECT count(*) FROM sqlite_schema; -- 0
*/
static void steward_uninstall(sqlite3_context *ctx, int argc,
                              sqlite3_value **argv) {
  StewardCall c;
  int nDone = 0;
  steward_open(&c, ctx, "steward_uninstall", NULL, STEWARD_WRITE);
  if (argc > 0) {
    const char *z = steward_arg_text(&c, argv[0], "force", 64);
    if (z && strcmp(z, "force")) {
      steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                   "the argument must be 'force', got '%s'", z);
    }
  }
  if (c.rc == SQLITE_OK && steward_installed(&c, "core")) {
    if (argc == 0) check_uninstall(&c);
    detach_policies(&c);
    detach_streams(&c);
    nDone = remove_sets(&c);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, nDone);
}

static const StewardFunc aFunc[] = {
    {"steward_on", 0, 1, STEWARD_DIRECTONLY, steward_on, aOnOption,
     ArraySize(aOnOption)},
    {"steward_off", 0, 0, STEWARD_DIRECTONLY, steward_off, NULL, 0},
    {"steward_uninstall", 0, 1, STEWARD_DIRECTONLY, steward_uninstall, NULL, 0},
};

int on_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
