/*
** health.c - running the checks: a slice of the long ones, everything logged.
**
** The work is done before anything is written: slices hold no lock of this
** connection, and what they found, where they got to and the log are one
** transaction at the end.
*/
#include <string.h>

#include "health_int.h"

/* What the WAL would not let go: a checkpoint that waits for nobody. */
static void try_checkpoint(StewardCall *c, HealthLook *l) {
  int nFrame = 0, nDone = 0;
  if (c->rc || steward_wal_bytes(c->db, "main") == 0 ||
      sqlite3_txn_state(c->db, "main") != SQLITE_TXN_NONE ||
      sqlite3_db_readonly(c->db, "main") == 1 || steward_on_dqlite(c->p)) {
    return;
  }
  if (sqlite3_wal_checkpoint_v2(c->db, "main", SQLITE_CHECKPOINT_PASSIVE,
                                &nFrame, &nDone) == SQLITE_OK &&
      nFrame >= 0) {
    l->wal.nTotal = nFrame;
    l->wal.nDone = nDone;
    l->wal.iMoved = steward_now(c->p);
  }
}

/* When statistics were seen first, and how large the file was: they are told
** apart by what they say. */
static void note_statistics(StewardCall *c, HealthLook *l) {
  char *zNow = NULL;
  if (steward_int(c, SQL_health_statistics_now, 0, "")) {
    zNow = steward_exec_text(
        c, "SELECT count(*) || ' ' || coalesce(sum(length(stat) + "
           "CAST(stat AS INTEGER)), 0) FROM main.sqlite_stat1");
  }
  if (c->rc == SQLITE_OK &&
      sqlite3_stricmp(zNow ? zNow : "", l->stats.zItem ? l->stats.zItem : "")) {
    steward_slice_at(c, &l->stats, 0, zNow, NULL);
    l->stats.nTotal =
        zNow ? steward_exec_int(c, 0, "PRAGMA main.page_count") : 0;
    l->stats.nDone = l->stats.nTotal;
    l->stats.iMoved = steward_now(c->p);
  }
  sqlite3_free(zNow);
}

/* Since when who has held locks. */
static void note_holders(StewardCall *c, HealthLook *l) {
  char *zNow = steward_text(c, SQL_health_holders, "ttl", l->zHolders,
                            l->holders.zResult, steward_now(c->p));
  if (zNow) {
    sqlite3_free(l->holders.zResult);
    l->holders.zResult = zNow;
    l->holders.iMoved = steward_now(c->p);
  }
}

/* Everything that was learnt, in the call's transaction. */
static void store_look(StewardCall *c, HealthLook *l) {
  if (l->pass.bMoved) steward_slice_store(c, &l->pass.s);
  if (l->pass.whole.iMoved) steward_slice_store(c, &l->pass.whole);
  health_pages_store(c, &l->pages);
  steward_slice_store(c, &l->holders);
  if (l->wal.iMoved) steward_slice_store(c, &l->wal);
  if (l->stats.iMoved) steward_slice_store(c, &l->stats);
}

static void log_look(StewardCall *c, const HealthLook *l) {
  char *zPath = steward_db_path(c->p);
  i64 iNow = steward_now(c->p);
  sqlite3_str *pAll = sqlite3_str_new(c->db);
  char *zAll;
  int i;
  if (zPath == NULL) steward_fail_nomem(c);
  sqlite3_str_appendchar(pAll, 1, '{');
  for (i = 0; i < l->nCheck; i++) {
    const HealthCheck *k = &l->aCheck[i];
    steward_run(c, SQL_health_log, "ttttl", zPath, k->zType, k->zStatus,
                k->zDetails, iNow);
    if (strcmp(k->zStatus, "healthy")) {
      sqlite3_str_appendf(pAll, "%s\"%s\":\"%s\"",
                          sqlite3_str_length(pAll) > 1 ? "," : "", k->zType,
                          k->zStatus);
    }
  }
  sqlite3_str_appendchar(pAll, 1, '}');
  zAll = steward_str_finish(c, pAll);
  steward_run(c, SQL_health_log_overall, "tttl", zPath, health_worst(l), zAll,
              iNow);
  sqlite3_free(zAll);
  sqlite3_free(zPath);
}

/* Checks, log, slices; the worst word. */
static const char *finish(StewardCall *c, HealthLook *l) {
  note_statistics(c, l);
  health_look_checks(c, l);
  note_holders(c, l);
  steward_begin(c);
  store_look(c, l);
  log_look(c, l);
  return health_worst(l);
}

/* health_run([budget]) -> TEXT, healthy, warning or critical    directonly
** Run every check and log the results in sqlite_health_checks: a row for each,
** and `overall` with the worst, which is returned.  For about `budget` (ms or
** text, 100 ms) it goes on with what takes long: reading the file (`integrity`,
** `indexes`, `foreign_keys`) and counting what its pages hold
** (`fragmentation`).  What is not finished is logged as a warning, with
** "unfinished":true in its details.
** Set: maintenance
** Errors: "INVALID_ARGUMENT: health_run: budget must be within 1..60000 ms, got
**   0"; NOT_INSTALLED; BUSY; READ_ONLY.
** Source: seed 001, health checks.
** Example: PRAGMA foreign_keys = ON;
**   SELECT health_run(); -- healthy
**   SELECT check_type, status FROM sqlite_health_checks
**    ORDER BY checked_ts DESC LIMIT 1; -- overall|healthy
*/
static void health_run(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  HealthLook l;
  const char *zWorst = NULL;
  i64 iBudget = 100;
  steward_open(&c, ctx, "health_run", "maintenance", STEWARD_READ);
  if (argc > 0) iBudget = steward_arg_time(&c, argv[0], "budget");
  if (c.rc == SQLITE_OK && (iBudget < 1 || iBudget > 60000)) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "budget must be within 1..60000 ms, got %lld", iBudget);
  }
  health_look_open(&c, &l);
  if (c.rc == SQLITE_OK) {
    try_checkpoint(&c, &l);
    health_pass_move(&c, &l.pass, iBudget * 3 / 4 + 1);
    health_pages_move(&c, &l.pages, iBudget / 4 + 1);
    zWorst = finish(&c, &l);
  }
  health_look_free(&l);
  if (steward_close(&c) == SQLITE_OK) {
    sqlite3_result_text(ctx, zWorst, -1, SQLITE_STATIC);
  }
}

/* What others see of it: committed at once, where that is possible; a lock of
** somebody else is no reason to stop reading. */
static void tell_progress(StewardCall *c, HealthPass *h) {
  StewardCall own = {.p = c->p, .db = c->db, .zFunc = c->zFunc};
  if (h->bQuiet || !sqlite3_get_autocommit(c->db) ||
      sqlite3_txn_state(c->db, "main") != SQLITE_TXN_NONE) {
    return;
  }
  h->s.iMoved = steward_now(c->p);
  steward_slice_store(&own, &h->s);
  /* once it waited in vain, it does not wait at every table */
  h->bQuiet = steward_forgive_busy(&own);
  steward_adopt(c, &own);
}

/* health_full() -> TEXT, healthy, warning or critical    directonly
** Read the whole file to its end, whatever its size, then do what health_run()
** does.  Each table is a unit; the table health_slices shows to every
** connection how far it is.  It reads beside this connection: in WAL mode
** nobody waits for it.
** Set: maintenance
** Errors: those of health_run(); BUSY when another connection locks the file
**   meanwhile, or still writes when the result is to be stored.
** Source: seed 001, "Database integrity verification".
** Example: PRAGMA foreign_keys = ON;
**   SELECT health_full(); -- healthy
**   SELECT status, coverage FROM health_checks WHERE check_type='integrity';
**   -- healthy|1.0
*/
static void health_full(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  HealthLook l;
  const char *zWorst = NULL;
  steward_open(&c, ctx, "health_full", "maintenance", STEWARD_READ);
  if (c.rc == SQLITE_OK && !steward_installed(&c, "maintenance")) {
    steward_fail(&c, STEWARD_NOT_INSTALLED,
                 "set 'maintenance' is not installed: SELECT "
                 "migrate_up('maintenance')");
  }
  steward_writable(&c); /* before it reads for an hour */
  health_look_open(&c, &l);
  if (c.rc == SQLITE_OK) {
    try_checkpoint(&c, &l);
    health_pass_full(&c, &l.pass, tell_progress);
    health_pages_move(&c, &l.pages, 60000);
    zWorst = finish(&c, &l);
  }
  health_look_free(&l);
  if (steward_close(&c) == SQLITE_OK) {
    sqlite3_result_text(ctx, zWorst, -1, SQLITE_STATIC);
  }
}

/* health_status() -> TEXT, healthy, warning or critical    directonly
** The worst status of health_checks, in one word; `unknown` counts as warning.
** Reads only.
** Source: seed 001, health checks.
** Example: PRAGMA foreign_keys = ON;
**   SELECT health_status(); -- healthy
*/
static void health_status(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  HealthLook l;
  const char *zWorst = "";
  steward_open(&c, ctx, "health_status", NULL, STEWARD_READ);
  health_look_open(&c, &l);
  health_pass_look(&c, &l.pass, steward_setting_int(&c, "health_live_ms"));
  health_look_checks(&c, &l);
  zWorst = health_worst(&l);
  health_look_free(&l);
  if (steward_close(&c) == SQLITE_OK) {
    sqlite3_result_text(ctx, zWorst, -1, SQLITE_STATIC);
  }
}

static const StewardFunc aFunc[] = {
    {"health_run", 0, 1, STEWARD_DIRECTONLY, health_run, NULL, 0},
    {"health_full", 0, 0, STEWARD_DIRECTONLY, health_full, NULL, 0},
    {"health_status", 0, 0, STEWARD_DIRECTONLY, health_status, NULL, 0},
};

int health_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
