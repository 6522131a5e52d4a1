/*
** bench_perf.c - what capture costs: the same statement on two connections of
** one process, A with capture and B without, in alternating blocks.
**
**     bench_perf steward.so [quick] [--case TEXT] [--json FILE]
**     bench_perf steward.so count MODE CASE N
**
** The second form runs a case (0, 1, ..) N times under one mode (`none`: the
** library is loaded and capture was never on; `count`: sample with N = 2500, as
** chosen for statements of 1 us), to be counted:
**
**     for m in none count full; do for n in 20000 220000; do
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
} Case;

static const char zSetup[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT, y INTEGER);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <"
    " 1000) INSERT INTO t SELECT i, 'x' || i, i % 100 FROM n;"
    "CREATE TABLE w(id INTEGER PRIMARY KEY, x TEXT, y INTEGER);";

static const Case aCase[] = {
    {"point SELECT", "SELECT x, y FROM t WHERE id = 500", 0, 2000},
    {"insert in a transaction", "INSERT INTO w(x, y) VALUES ('x', 1)", 1, 2000},
    {"SELECT of 10 us", "SELECT sum(y) FROM t WHERE id BETWEEN 1 AND 120", 0,
     500},
    {"scan of 1,000 rows", "SELECT id, x FROM t", 0, 20},
};

static sqlite3 *open_memory(const char *zMode) {
  sqlite3 *db = NULL;
  char *zSql = sqlite3_mprintf("SELECT perf_trace(%Q)", zMode);
  if (sqlite3_open(":memory:", &db)) die(db, "open");
  load(db, zLibrary);
  exec(db, zSetup);
  /* valgrind's clock is no measure of what N should be */
  if (strcmp(zMode, "count") == 0) {
    exec(db, "SELECT perf_trace('sample', '{\"every\":2500}')");
  } else if (strcmp(zMode, "none")) {
    exec(db, zSql);
  }
  sqlite3_free(zSql);
  return db;
}

static void run_pair(const Case *k, const char *zMode) {
  sqlite3 *dbA = open_memory(zMode), *dbB = open_memory("none");
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
  sqlite3 *db = open_memory(zMode);
  sqlite3_stmt *pStmt = prepare(db, k->zSql);
  if (k->bTransaction) exec(db, "BEGIN");
  block(db, pStmt, n);
  sqlite3_finalize(pStmt);
  sqlite3_close(db);
  return 0;
}

int main(int argc, char **argv) {
  static const char *const azMode[] = {"none", "sample", "full", "slow"};
  int i, k;
  if (argc == 6 && strcmp(argv[2], "count") == 0) {
    zLibrary = argv[1];
    return count(argv[3], &aCase[atoi(argv[4]) % 4], atoi(argv[5]));
  }
  bench_begin(argc, argv);
  for (i = 0; i < (int)(sizeof(aCase) / sizeof(aCase[0])); i++) {
    if (strstr(aCase[i].zName, zOnly) == NULL) continue;
    for (k = 0; k < 4; k++) run_pair(&aCase[i], azMode[k]);
  }
  bench_end();
  return 0;
}
