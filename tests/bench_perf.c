/*
** bench_perf.c - what capture costs: the same statement on two connections of
** one process, A with capture and B without, in alternating blocks.
**
**     bench_perf steward.so [quick] [--case TEXT] [--json FILE]
**     bench_perf steward.so count MODE CASE N
**
** The second form runs a case (0, 1, ..) N times under one mode (`none`: the
** library is loaded and capture was never on; `count`: sample with N = 2500, as
** chosen for statements of 1 us; `nop`: SQLite calls a hook that does nothing
** at each beginning, the least that sampling can cost), to be counted:
**
**     for m in none nop count full; do for n in 20000 220000; do
**       valgrind --tool=callgrind --callgrind-out-file=/dev/null \
**         bench_perf steward.so count $m 0 $n 2>&1 | grep Collected; done; done
**
** The difference of two N is free of what setting up costs.
*/
#include "bench.h"

typedef struct Case {
  const char *zName;
  const char *zSql;
  int bTransaction;
  int nOp;
  const char *zFile; /* instead of memory */
} Case;

static const char zSetup[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT, y INTEGER);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <"
    " 1000) INSERT INTO t SELECT i, 'x' || i, i % 100 FROM n;"
    "CREATE TABLE w(id INTEGER PRIMARY KEY, x TEXT, y INTEGER);";

static const Case aCase[] = {
    {"point SELECT", "SELECT x, y FROM t WHERE id = 500", 0, 2000, NULL},
    {"insert in a transaction", "INSERT INTO w(x, y) VALUES ('x', 1)", 1, 2000,
     NULL},
    {"SELECT of 10 us", "SELECT sum(y) FROM t WHERE id BETWEEN 1 AND 120", 0,
     500, NULL},
    {"scan of 1,000 rows", "SELECT id, x FROM t", 0, 20, NULL},
    {"point SELECT of a file in WAL mode", "SELECT x, y FROM t WHERE id = 500",
     0, 1000, "bench_perf.db"},
};

/* Thirty days of 200 metrics a minute: days and hours as perf_rollup() sums
** them up, and the last day as it was recorded. */
static const char zHistory[] =
    "SELECT migrate_up('maintenance'); SELECT steward_clock(1700006400000);"
    "DROP TRIGGER steward_performance_metrics_retention;"
    "WITH RECURSIVE m(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM m WHERE i <"
    " 199), t(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM t WHERE k < 1439)"
    " INSERT INTO steward_performance_metrics(db_path, metric_name,"
    " metric_value, unit, recorded_ts) SELECT 'x', 'metric_' || i, (k * 7919 +"
    " i) % 97, 'ms', datetime(1700006400 - 86400 + k * 60, 'unixepoch')"
    " FROM t, m;"
    "WITH RECURSIVE m(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM m WHERE i <"
    " 199), t(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM t WHERE k < 720)"
    " INSERT INTO steward_performance_rollups SELECT 3600, (1700006400 / 3600 -"
    " k) * 3600, 'metric_' || i, 'ms', 60, 2900, 0, 96, 48, 92, 95 FROM t, m;"
    "INSERT INTO steward_performance_rollups SELECT 86400, bucket_at / 86400 *"
    " 86400, metric_name, unit, sum(value_count), sum(value_sum), 0, 96, 48, "
    "92,"
    " 95 FROM steward_performance_rollups WHERE resolution = 3600 AND bucket_at"
    " < 1700006400 / 86400 * 86400 GROUP BY 2, 3;";

static int nothing(unsigned eEvent, void *pArg, void *pStmt, void *pX) {
  return 0;
}

static sqlite3 *open_memory(const Case *k, const char *zMode) {
  sqlite3 *db = NULL;
  char *zSql = sqlite3_mprintf("SELECT perf_trace(%Q)", zMode);
  if (sqlite3_open(k->zFile ? k->zFile : ":memory:", &db)) die(db, "open");
  load(db, zLibrary);
  if (k->zFile)
    exec(db, "PRAGMA journal_mode=WAL; DROP TABLE IF EXISTS t;"
             "DROP TABLE IF EXISTS w");
  exec(db, zSetup);
  /* valgrind's clock is no measure of what N should be */
  if (strcmp(zMode, "count") == 0) {
    exec(db, "SELECT perf_trace('sample', '{\"every\":2500}')");
  } else if (strcmp(zMode, "nop") == 0) {
    sqlite3_trace_v2(db, SQLITE_TRACE_STMT, nothing, NULL);
  } else if (strcmp(zMode, "none")) {
    exec(db, zSql);
  }
  sqlite3_free(zSql);
  return db;
}

static void run_pair(const Case *k, const char *zMode) {
  sqlite3 *dbA = open_memory(k, zMode), *dbB = open_memory(k, "none");
  sqlite3_stmt *pA = prepare(dbA, k->zSql), *pB = prepare(dbB, k->zSql);
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  char zName[100];
  int i;
  for (i = -5; i < nSample; i++) {
    double a, b;
    if (k->bTransaction) exec(dbA, "BEGIN");
    if (k->bTransaction) exec(dbB, "BEGIN");
    a = block(dbA, pA, k->nOp);
    b = block(dbB, pB, k->nOp);
    if (k->bTransaction) exec(dbA, "ROLLBACK");
    if (k->bTransaction) exec(dbB, "ROLLBACK");
    if (i < 0) continue;
    aA[i] = a;
    aB[i] = b;
  }
  snprintf(zName, sizeof(zName), "%s, %s : not captured", k->zName, zMode);
  report(zName, aA, aB, nSample);
  sqlite3_finalize(pA);
  sqlite3_finalize(pB);
  sqlite3_close(dbA);
  sqlite3_close(dbB);
  free(aA);
  free(aB);
}

static int count(const char *zMode, const Case *k, int n) {
  sqlite3 *db = open_memory(k, zMode);
  sqlite3_stmt *pStmt = prepare(db, k->zSql);
  if (k->bTransaction) exec(db, "BEGIN");
  block(db, pStmt, n);
  sqlite3_finalize(pStmt);
  sqlite3_close(db);
  return 0;
}

/* perf_summary over thirty days, and the seed's query over one. */
static void history(void) {
  static const char zName[] = "perf_summary of 30 days, 200 metrics a minute : "
                              "the seed's query over 1 day";
  sqlite3 *db = NULL;
  sqlite3_stmt *pA, *pB;
  double *aA, *aB;
  int i;
  if (strstr(zName, zOnly) == NULL) return;
  aA = malloc(sizeof(double) * (size_t)nSample);
  aB = malloc(sizeof(double) * (size_t)nSample);
  if (sqlite3_open(":memory:", &db)) die(db, "open");
  load(db, zLibrary);
  exec(db, zHistory);
  pA = prepare(db, "SELECT count(*), sum(count) FROM perf_summary('30d')");
  pB = prepare(db, "SELECT count(*) FROM (SELECT metric_name,"
                   " AVG(metric_value), MIN(metric_value), MAX(metric_value)"
                   " FROM sqlite_performance_metrics WHERE recorded_ts >"
                   " datetime(1700006400, 'unixepoch', '-24 hours')"
                   " GROUP BY metric_name)");
  for (i = 0; i < nSample; i++) {
    aA[i] = block(db, pA, 1);
    aB[i] = block(db, pB, 1);
  }
  report(zName, aA, aB, nSample);
  sqlite3_finalize(pA);
  sqlite3_finalize(pB);
  sqlite3_close(db);
  free(aA);
  free(aB);
}

int main(int argc, char **argv) {
  static const char *const azMode[] = {"none", "sample", "full", "slow"};
  int i, k;
  if (argc == 6 && strcmp(argv[2], "count") == 0) {
    zLibrary = argv[1];
    return count(argv[3], &aCase[atoi(argv[4]) % 5], atoi(argv[5]));
  }
  bench_begin(argc, argv);
  for (i = 0; i < (int)(sizeof(aCase) / sizeof(aCase[0])); i++) {
    if (strstr(aCase[i].zName, zOnly) == NULL) continue;
    for (k = 0; k < 4; k++) run_pair(&aCase[i], azMode[k]);
  }
  history();
  remove("bench_perf.db");
  remove("bench_perf.db-wal");
  remove("bench_perf.db-shm");
  bench_end();
  return 0;
}
