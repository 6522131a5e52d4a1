/*
** bench_keeper.c - what tune_apply('wal') does beside SQLite's defaults, and
** what a writer notices of the keeper.
**
**     bench_keeper steward.so [quick] [--case TEXT] [--json FILE]
**                  [--mb N] [--seconds N] [--writers N]
**
** Each case `tune` is a pair of files with the same rows: A is in WAL mode and
** read by a connection with the profile, B is as SQLite makes it.  `keeper`
** runs writers on a file of N MB for N seconds without and with a keeper that
** has free pages to give back and rows to expire all the time.
*/
#include <pthread.h>

#include "bench.h"

static char zOther[100]; /* the file of side B */
static int nMb = 64, nSecond = 5, nWriter = 1;

static sqlite3 *open_bare(const char *z) {
  sqlite3 *db = NULL;
  if (sqlite3_open(z, &db)) die(db, z);
  load(db, zLibrary);
  sqlite3_busy_timeout(db, 10000);
  return db;
}

static void discard(const char *z) {
  static const char *const azSuffix[] = {"", "-wal", "-shm", "-journal"};
  char zName[120];
  int i;
  for (i = 0; i < 4; i++) {
    snprintf(zName, sizeof(zName), "%s%s", z, azSuffix[i]);
    unlink(zName);
  }
}

static sqlite3_int64 number(sqlite3 *db, const char *zSql) {
  sqlite3_stmt *p = prepare(db, zSql);
  sqlite3_int64 n;
  if (sqlite3_step(p) != SQLITE_ROW) die(db, zSql);
  n = sqlite3_column_int64(p, 0);
  sqlite3_finalize(p);
  return n;
}

/*************************************************************************
** The profile
*/
#define ROWS                                                                   \
  "CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, x BLOB);"                 \
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "  \
  "100000) INSERT INTO t SELECT i, i * 7919 % 100003, randomblob(400) FROM n;" \
  "CREATE INDEX t_k ON t(k);"                                                  \
  "CREATE TABLE w(id INTEGER PRIMARY KEY, x);"

typedef struct Case {
  const char *zName;
  const char *zSql;
  int nOp;
} Case;

static const Case aCase[] = {
    {"tune: a row by a random key",
     "SELECT x FROM t WHERE k = abs(random()) % 100003", 500},
    {"tune: 100 rows from a random place",
     "SELECT sum(length(x)) FROM (SELECT x FROM t WHERE id >= abs(random()) % "
     "99900 LIMIT 100)",
     50},
    {"tune: a scan of 40 MB", "SELECT count(*) FROM t WHERE x IS NULL", 1},
    {"tune: a sort of 100,000 rows",
     "SELECT sum(k) FROM (SELECT k, x FROM t ORDER BY x LIMIT 90000, 10000)",
     1},
    {"tune: an insert, autocommit", "INSERT INTO w(x) VALUES (zeroblob(150))",
     20},
};

/* Two files with the same rows: *pA with the profile. */
static void open_pair(sqlite3 **pA, sqlite3 **pB) {
  remove_files();
  discard(zOther);
  *pA = open_bare(zFile);
  *pB = open_bare(zOther);
  exec(*pA, "BEGIN;" ROWS "COMMIT; SELECT tune_apply('wal')");
  exec(*pB, "BEGIN;" ROWS "COMMIT");
}

static void run_pairs(void) {
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  sqlite3 *dbA, *dbB;
  int i, k;
  open_pair(&dbA, &dbB);
  for (k = 0; k < (int)(sizeof(aCase) / sizeof(aCase[0])); k++) {
    sqlite3_stmt *pA = prepare(dbA, aCase[k].zSql);
    sqlite3_stmt *pB = prepare(dbB, aCase[k].zSql);
    for (i = -2; i < nSample; i++) {
      double a = block(dbA, pA, aCase[k].nOp);
      double b = block(dbB, pB, aCase[k].nOp);
      if (i < 0) continue;
      aA[i] = a;
      aB[i] = b;
    }
    report(aCase[k].zName, aA, aB, nSample);
    sqlite3_finalize(pA);
    sqlite3_finalize(pB);
  }
  sqlite3_close(dbA);
  sqlite3_close(dbB);
  free(aA);
  free(aB);
}

/*************************************************************************
** Connections at the same time
*/
typedef struct Client {
  pthread_t thread;
  const char *zPath;
  int bTune;
  int bWrite;
  double rEnd;
  long nDone;
} Client;

static void *run_client(void *pArg) {
  Client *p = pArg;
  sqlite3 *db = open_bare(p->zPath);
  sqlite3_stmt *s;
  if (p->bTune) exec(db, "SELECT tune_apply('wal')");
  s = prepare(db, p->bWrite ? aCase[4].zSql : aCase[0].zSql);
  while (now_us() < p->rEnd) {
    while (sqlite3_step(s) == SQLITE_ROW) {
    }
    if (sqlite3_reset(s) == SQLITE_OK) p->nDone++;
  }
  sqlite3_finalize(s);
  sqlite3_close(db);
  return NULL;
}

/* Operations a second of four readers and a writer: microseconds for one. */
static double concurrent(const char *zPath, int bTune, long *pnWrite) {
  Client a[5] = {{0}};
  double rStart = now_us();
  long nDone = 0;
  int i;
  for (i = 0; i < 5; i++) {
    a[i].zPath = zPath;
    a[i].bTune = bTune;
    a[i].bWrite = i == 4;
    a[i].rEnd = rStart + 500000;
    pthread_create(&a[i].thread, NULL, run_client, &a[i]);
  }
  for (i = 0; i < 5; i++) {
    pthread_join(a[i].thread, NULL);
    nDone += a[i].nDone;
  }
  *pnWrite = a[4].nDone;
  return (now_us() - rStart) / (double)(nDone ? nDone : 1);
}

static void run_concurrent(void) {
  enum { PAIRS = 7 };
  double aA[PAIRS], aB[PAIRS];
  double wA[PAIRS], wB[PAIRS];
  sqlite3 *dbA, *dbB;
  int i;
  open_pair(&dbA, &dbB);
  for (i = 0; i < PAIRS; i++) {
    long nA, nB;
    aA[i] = concurrent(zFile, 1, &nA);
    aB[i] = concurrent(zOther, 0, &nB);
    wA[i] = 500000.0 / (double)(nA ? nA : 1);
    wB[i] = 500000.0 / (double)(nB ? nB : 1);
  }
  report("tune: 4 readers, 1 writer: any operation", aA, aB, PAIRS);
  report("tune: 4 readers, 1 writer: a write", wA, wB, PAIRS);
  sqlite3_close(dbA);
  sqlite3_close(dbB);
}

/* A file of which a fifth was deleted here and there, and rows updated. */
static void run_storage(void) {
  sqlite3 *db;
  sqlite3_int64 nBefore, nAfter;
  remove_files();
  db = open_bare(zFile);
  exec(db, "BEGIN;" ROWS "DELETE FROM t WHERE id % 5 = 0;"
           "UPDATE t SET x = randomblob(200) WHERE id % 7 = 0; COMMIT");
  nBefore = number(db, "PRAGMA page_count");
  exec(db, "SELECT vacuum_full()");
  nAfter = number(db, "PRAGMA page_count");
  printf("%-46s %7.2f  %lld pages, then %lld\n", "vacuum_full of an aged file",
         (double)nAfter / (double)nBefore, nBefore, nAfter);
  if (pJson) {
    fprintf(pJson, "%s{\"case\":\"aged file\",\"ratio\":%.4f}",
            nPrinted++ ? ",\n" : "", (double)nAfter / (double)nBefore);
  }
  sqlite3_close(db);
}

/*************************************************************************
** A writer beside the keeper
*/
typedef struct Writer {
  pthread_t thread;
  double rEnd;
  double *aMs;
  int nDone;
  int nFailed;
} Writer;

enum { MOST = 400000, PAUSE_US = 500 };

static void *run_writer(void *pArg) {
  Writer *w = pArg;
  sqlite3 *db = open_bare(zFile);
  sqlite3_stmt *s;
  exec(db, "PRAGMA synchronous = NORMAL");
  s = prepare(db, "INSERT INTO s(at, x) VALUES (1, zeroblob(150))");
  while (now_us() < w->rEnd && w->nDone < MOST) {
    double t = now_us();
    sqlite3_step(s);
    if (sqlite3_reset(s)) w->nFailed++;
    w->aMs[w->nDone++] = (now_us() - t) / 1000.0;
    usleep(PAUSE_US);
  }
  sqlite3_finalize(s);
  sqlite3_close(db);
  return NULL;
}

/* Percentiles of all writers together. */
static void run_writers(const char *zName, int nS) {
  Writer *a = calloc((size_t)nWriter, sizeof(*a));
  double *aAll = malloc(sizeof(double) * (size_t)MOST * (size_t)nWriter);
  int i, n = 0, nFailed = 0;
  double r50, r99, r999, rMax;
  for (i = 0; i < nWriter; i++) {
    a[i].aMs = malloc(sizeof(double) * MOST);
    a[i].rEnd = now_us() + nS * 1e6;
    pthread_create(&a[i].thread, NULL, run_writer, &a[i]);
  }
  for (i = 0; i < nWriter; i++) {
    pthread_join(a[i].thread, NULL);
    memcpy(aAll + n, a[i].aMs, sizeof(double) * (size_t)a[i].nDone);
    n += a[i].nDone;
    nFailed += a[i].nFailed;
    free(a[i].aMs);
  }
  r50 = percentile(aAll, n, 50);
  r99 = percentile(aAll, n, 99);
  r999 = aAll[(int)((double)(n - 1) * 0.999)];
  rMax = aAll[n - 1];
  printf("%-30s %8d writes  p50 %.3f  p99 %.3f  p99.9 %.3f  max %.1f ms  "
         "%d failed\n",
         zName, n, r50, r99, r999, rMax, nFailed);
  fflush(stdout);
  if (pJson) {
    fprintf(pJson,
            "%s{\"case\":\"%s\",\"writes\":%d,\"p50_ms\":%.4f,\"p99_ms\":%.4f,"
            "\"p999_ms\":%.4f,\"max_ms\":%.3f}",
            nPrinted++ ? ",\n" : "", zName, n, r50, r99, r999, rMax);
  }
  free(aAll);
  free(a);
}

static void run_keeper(void) {
  sqlite3 *db;
  char zSql[900];
  remove_files();
  db = open_bare(zFile);
  exec(db, "PRAGMA auto_vacuum = incremental; SELECT migrate_up('maintenance');"
           "PRAGMA synchronous = NORMAL");
  snprintf(zSql, sizeof(zSql),
           "CREATE TABLE big(id INTEGER PRIMARY KEY, x);"
           "CREATE TABLE s(id INTEGER PRIMARY KEY, at INTEGER, x);"
           "SELECT ttl_attach('s', 'at', '{\"unit\":\"s\",\"on_write\":false}')"
           ";BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
           "FROM n WHERE i < %d) INSERT INTO big SELECT i, zeroblob(4000) FROM "
           "n; COMMIT; BEGIN; DELETE FROM big WHERE id %% 2; COMMIT;"
           "PRAGMA wal_checkpoint(TRUNCATE);"
           "SELECT steward_setting('keeper_expiry', 1),"
           " steward_setting('keeper_vacuum', 1),"
           " steward_setting('keeper_capture', 1000)",
           nMb * 250);
  exec(db, zSql);
  run_writers("keeper: without", nSecond);
  exec(db, "SELECT ttl_sweep('s', '{\"budget\":60000,\"max_rows\":10000000}')");
  exec(db, "SELECT keeper_start(20)");
  run_writers("keeper: with", nSecond);
  exec(db, "SELECT keeper_stop()");
  printf("  meanwhile: %lld of %lld pages given back, %lld rows expired, %lld "
         "errors, %lld of %d MB left\n",
         number(db, "SELECT coalesce(sum(pages_freed), 0) FROM "
                    "sqlite_vacuum_log"),
         (sqlite3_int64)nMb * 125,
         number(db, "SELECT coalesce(sum(result), 0) FROM keeper_log WHERE duty"
                    " = 'expiry'"),
         number(db, "SELECT count(*) FROM keeper_log WHERE error IS NOT NULL"),
         number(db, "PRAGMA page_count") * 4 / 1024, nMb);
  sqlite3_close(db);
}

static int wanted(const char *zName) {
  return strstr(zName, zOnly) != NULL;
}

int main(int argc, char **argv) {
  int i;
  bench_begin(argc, argv);
  for (i = 2; i + 1 < argc; i++) {
    if (strcmp(argv[i], "--mb") == 0) nMb = atoi(argv[i + 1]);
    if (strcmp(argv[i], "--seconds") == 0) nSecond = atoi(argv[i + 1]);
    if (strcmp(argv[i], "--writers") == 0) nWriter = atoi(argv[i + 1]);
  }
  if (nSample > 31) nSample = 31;
  snprintf(zOther, sizeof(zOther), "%s-b", zFile);
  if (wanted("tune")) run_pairs();
  if (wanted("tune")) run_concurrent();
  if (wanted("tune")) run_storage();
  if (wanted("keeper")) run_keeper();
  discard(zOther);
  bench_end();
  return 0;
}
