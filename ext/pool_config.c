/*
** pool_config.c - how many connections a pool has, and for how long: rows of
** sqlite_pool_config, and pool_configure().
**
** The rows of main configure what is used through SQL, at each use.  What is
** acquired through C follows pool_configure(), else the rows in the file that
** is acquired, which are read every 100 ms at most.
*/
#include <string.h>

#include "pool_int.h"

/* Column i where it is set and within its bounds: hands may write rows, too. */
static void take_column(sqlite3_stmt *pStmt, int i, i64 iMost,
                        i64 *piValue /* OUT */) {
  i64 iValue = sqlite3_column_int64(pStmt, i);
  if (sqlite3_column_type(pStmt, i) == SQLITE_INTEGER && iValue >= 0) {
    *piValue = iValue < iMost ? iValue : iMost;
  }
}

/* Read the configuration of a file from the rows of main: 2 when it has a row,
** 1 when the row `default` counts, 0 when there are none. */
int pool_config_read(StewardCall *c, const char *zPath, const char *zGiven,
                     PoolConfig *pOut) {
  enum { MANY = 1000000 };
  const i64 iLong = 3153600000000LL;
  sqlite3_stmt *pStmt;
  const char *zSet = c->zSet;
  int eFound = 0;
  if (c->rc || !steward_installed(c, "maintenance")) return 0;
  c->zSet = "maintenance";
  pStmt = steward_query(c, SQL_pool_config, "tt", zPath, zGiven);
  if (steward_next(c, pStmt)) {
    eFound = sqlite3_column_int(pStmt, 0) ? 2 : 1;
    take_column(pStmt, 1, MANY, &pOut->nMin);
    take_column(pStmt, 2, MANY, &pOut->nMax);
    take_column(pStmt, 3, iLong, &pOut->iTimeout);
    take_column(pStmt, 4, MANY, &pOut->nIdle);
    take_column(pStmt, 5, iLong, &pOut->iMaxAge);
    take_column(pStmt, 6, iLong, &pOut->iIdleTimeout);
    take_column(pStmt, 7, iLong, &pOut->iBusy);
    take_column(pStmt, 8, iLong, &pOut->iProbe);
    take_column(pStmt, 9, 1, &pOut->bWrites);
    take_column(pStmt, 10, 1, &pOut->bDurable);
    if (pOut->nMax < 1) pOut->nMax = 1;
  }
  steward_give(c, SQL_pool_config, pStmt);
  c->zSet = zSet;
  return eFound;
}

static const StewardOption aOption[] = {
    {"max_idle", STEWARD_OPT_INT, offsetof(PoolConfig, nIdle), 0, 1000, NULL,
     "connections that stay open though nobody uses them (all)"},
    {"max_age", STEWARD_OPT_DURATION, offsetof(PoolConfig, iMaxAge), 0,
     31536000000, NULL, "age at which a connection is replaced; 0: never"},
    {"idle_timeout", STEWARD_OPT_DURATION, offsetof(PoolConfig, iIdleTimeout),
     0, 31536000000, NULL,
     "time after which an idle connection beyond min is closed (5m); 0: never"},
    {"busy_timeout", STEWARD_OPT_DURATION, offsetof(PoolConfig, iBusy), 0,
     3600000, NULL, "how long a connection waits for a lock (5s)"},
    {"probe", STEWARD_OPT_DURATION, offsetof(PoolConfig, iProbe), 0, 3600000,
     NULL,
     "time after which a connection is tried before it is given out "
     "again (100 ms)"},
    {"writes", STEWARD_OPT_BOOL, offsetof(PoolConfig, bWrites), 0, 1, NULL,
     "pool_query may write, too (false)"},
    {"durable", STEWARD_OPT_BOOL, offsetof(PoolConfig, bDurable), 0, 1, NULL,
     "a commit reaches the disk at once in WAL mode, too (false)"},
};

static void check_numbers(StewardCall *c, const PoolConfig *f) {
  if (c->rc == SQLITE_OK && f->nMax < f->nMin) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "max must be min, %lld, or more, got %lld", f->nMin, f->nMax);
  }
  if (c->rc == SQLITE_OK && (f->iTimeout < 1 || f->iTimeout > 3600000)) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "timeout must be within 1..3600000 ms, got %lld", f->iTimeout);
  }
}

static void store_row(StewardCall *c, const char *zPath, const PoolConfig *f) {
  steward_run(c, SQL_pool_config_put, "tllll", zPath, f->nMin, f->nMax,
              (f->iTimeout + 999) / 1000, steward_now(c->p));
  steward_run(c, SQL_pool_options_put, "tllllllll", zPath, f->iTimeout,
              f->nIdle, f->iMaxAge, f->iIdleTimeout, f->iBusy, f->iProbe,
              f->bWrites, f->bDurable);
}

/* What counts for a file now, as for who uses it through SQL: its row; its
** pool, where the process has configured that; the row for all; its pool. */
static void take_present(StewardCall *c, const char *zReal, const char *zGiven,
                         PoolConfig *pOut) {
  PoolState s;
  int i, bSame = 0;
  int eRow = pool_config_read(c, zReal ? zReal : zGiven, zGiven, pOut);
  for (i = 0; zReal && eRow < 2 && !bSame && pool_state(c, i, &s); i++) {
    bSame = strcmp(s.zPath, zReal) == 0;
    if (bSame && (s.bGiven || eRow == 0)) *pOut = s.config;
    sqlite3_free(s.zPath);
  }
}

/* pool_configure(path TEXT, min INTEGER, max INTEGER, timeout
**   [, options JSON]) -> INTEGER, always 1    directonly
** The connections of a file's pool: min are opened when it is first used and
** stay, max is the most, timeout (ms or text) how long a caller waits for one;
** with NULL it and the options stay as they are.  Counts for the process from
** now on, and where the set maintenance is installed it is stored in
** sqlite_pool_config, for the path `default` too: the row for files without one
** (2, 8, 30 s until you change it).
** Set: maintenance
** Errors: "INVALID_ARGUMENT: pool_configure: max must be min, 4, or more, got
**   2"; NOT_FOUND; NOT_INSTALLED for the path `default`.
** Source: seed 001, sqlite_pool_config; seed 004, connection pool.
** Example: SELECT pool_configure('default', 1, 4, '2s', '{"max_age":"5m"}');
**   -- 1
**   SELECT min_connections, max_connections, connection_timeout
**     FROM sqlite_pool_config; -- 1|4|2
*/
static void pool_configure(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  StewardCall c;
  PoolConfig config = pool_default;
  const char *zPath, *zMain;
  char *zReal = NULL;
  int bAll, bGiven = 1, bKeep = sqlite3_value_type(argv[3]) == SQLITE_NULL;
  steward_open(&c, ctx, "pool_configure", NULL, STEWARD_READ);
  zPath = steward_arg_text(&c, argv[0], "path", 4000);
  bAll = c.rc == SQLITE_OK && strcmp(zPath, "default") == 0;
  if (!bAll && c.rc == SQLITE_OK) {
    zReal = steward_path_allowed(&c, zPath, 0);
  }
  if (bKeep) take_present(&c, zReal, zPath, &config);
  config.nMin = steward_arg_int(&c, argv[1], "min", 1, 1000);
  config.nMax = steward_arg_int(&c, argv[2], "max", 1, 1000);
  if (!bKeep) config.iTimeout = steward_arg_time(&c, argv[3], "timeout");
  check_numbers(&c, &config);
  if (argc > 4) {
    steward_options(&c, argv[4], aOption, ArraySize(aOption), &config);
  }
  if (c.rc == SQLITE_OK && (bAll || steward_installed(&c, "maintenance"))) {
    c.zSet = "maintenance";
    steward_begin(&c);
    store_row(&c, bAll ? zPath : zReal, &config);
    /* a file's own row is read again by those who use it */
    zMain = sqlite3_db_filename(c.db, "main");
    bGiven = zReal && (zMain == NULL || strcmp(zMain, zReal));
  }
  if (steward_close(&c) == SQLITE_OK) {
    /* what could not be stored must not count, so this comes after it */
    steward_open(&c, ctx, "pool_configure", NULL, STEWARD_READ);
    if (zReal) pool_configured(&c, zReal, &config, bGiven);
    if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
  }
  sqlite3_free(zReal);
}

static const StewardFunc aFunc[] = {
    {"pool_configure", 4, 5, STEWARD_DIRECTONLY, pool_configure, aOption,
     ArraySize(aOption)},
};

int pool_config_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
