/*
** bench_pool.c - the connection pool beside a connection per request.
**
**     bench_pool steward.so [quick] [--case TEXT] [--json FILE]
**
** B opens what A has in the pool: the file with the same settings, and where it
** says so with the library.  The seed expects a pool to be made in 100 ms, a
** connection to be had in 50 ms, and 50-80 % better connections when many ask.
*/
#include "bench.h"

#include <pthread.h>

#include "../ext/steward.h"

static const steward_api *api;
static sqlite3 *host;
static char zDir[100];

static const char *file_name(int i) {
  static char z[150];
  snprintf(z, sizeof(z), "%s/%d.db", zDir, i);
  return z;
}

static void make_file(const char *z) {
  sqlite3 *db = NULL;
  if (sqlite3_open(z, &db)) die(db, z);
  exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
           "CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
           " WHERE i < 1000) INSERT INTO t SELECT i, 'row ' || i FROM n");
  sqlite3_close(db);
}

static sqlite3 *open_one(const char *z, int bLibrary) {
  sqlite3 *db = NULL;
  if (sqlite3_open_v2(z, &db, SQLITE_OPEN_READWRITE, NULL)) die(db, z);
  sqlite3_busy_timeout(db, 5000);
  if (bLibrary) load(db, zLibrary);
  exec(db, "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16000");
  return db;
}

static sqlite3 *acquire(const char *z) {
  sqlite3 *db;
  if (api->pool_acquire(z, 60000, &db)) {
    printf("bench: %s\n", api->error());
    exit(1);
  }
  return db;
}

static void select_one(sqlite3 *db, int i) {
  sqlite3_stmt *pStmt = NULL;
  sqlite3_prepare_v2(db, "SELECT x FROM t WHERE id = ?1", -1, &pStmt, NULL);
  sqlite3_bind_int(pStmt, 1, i);
  if (sqlite3_step(pStmt) != SQLITE_ROW) die(db, "select");
  sqlite3_finalize(pStmt);
}

static int wanted(const char *zName) {
  return strstr(zName, zOnly) != NULL;
}

/*************************************************************************
** One caller
*/
static void run_creation(void) {
  static const char zName[] = "pool: creation, 2 connections : open 2";
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  int i;
  for (i = 0; i < nSample && wanted(zName); i++) {
    sqlite3 *a, *b;
    double t;
    make_file(file_name(i));
    t = now_us();
    api->pool_release(acquire(file_name(i)));
    aA[i] = now_us() - t;
    t = now_us();
    a = open_one(file_name(i), 1);
    b = open_one(file_name(i), 1);
    aB[i] = now_us() - t;
    sqlite3_close(a);
    sqlite3_close(b);
  }
  if (wanted(zName)) report(zName, aA, aB, nSample);
  free(aA);
  free(aB);
}

/* nOp times: acquire, a statement or none, release; against the same with a
** connection of its own. */
static void run_acquire(const char *zName, int bSelect, int bLibrary, int nOp) {
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  int i, k;
  for (i = -1; i < nSample && wanted(zName); i++) {
    double t = now_us(), a;
    for (k = 0; k < nOp; k++) {
      sqlite3 *db = acquire(zFile);
      if (bSelect) select_one(db, k % 1000 + 1);
      api->pool_release(db);
    }
    a = (now_us() - t) / nOp;
    t = now_us();
    for (k = 0; k < nOp / 20 + 1; k++) {
      sqlite3 *db = open_one(zFile, bLibrary);
      if (bSelect) select_one(db, k % 1000 + 1);
      sqlite3_close(db);
    }
    if (i < 0) continue;
    aA[i] = a;
    aB[i] = (now_us() - t) / (nOp / 20 + 1);
  }
  if (wanted(zName)) report(zName, aA, aB, nSample);
  free(aA);
  free(aB);
}

/*************************************************************************
** Many callers: 50 threads, each request reads a row by its key, and one in
** twenty changes one.
*/
#define THREADS 50
#define REQUESTS 100

typedef struct Load {
  int bPool, bLibrary;
  double aUs[THREADS * REQUESTS];
  pthread_mutex_t mutex;
  int nDone, nError;
} Load;

static void request(sqlite3 *db, Load *p, int i) {
  select_one(db, i % 1000 + 1);
  if (i % 20 == 0 && sqlite3_exec(db, "UPDATE t SET x = x || '' WHERE id = 7",
                                  NULL, NULL, NULL)) {
    pthread_mutex_lock(&p->mutex);
    p->nError++;
    pthread_mutex_unlock(&p->mutex);
  }
}

static void *requests(void *pArg) {
  Load *p = pArg;
  int i;
  for (i = 0; i < REQUESTS; i++) {
    double t = now_us();
    sqlite3 *db = p->bPool ? acquire(zFile) : open_one(zFile, p->bLibrary);
    request(db, p, i);
    if (p->bPool) {
      api->pool_release(db);
    } else {
      sqlite3_close(db);
    }
    pthread_mutex_lock(&p->mutex);
    p->aUs[p->nDone++] = now_us() - t;
    pthread_mutex_unlock(&p->mutex);
  }
  return NULL;
}

/* Microseconds of a request, all threads together; its p99 in *pr99. */
static double run_load(Load *p, double *pr99) {
  pthread_t a[THREADS];
  double t = now_us();
  int i;
  p->nDone = 0;
  for (i = 0; i < THREADS; i++) pthread_create(&a[i], NULL, requests, p);
  for (i = 0; i < THREADS; i++) pthread_join(a[i], NULL);
  t = (now_us() - t) / (THREADS * REQUESTS);
  *pr99 = percentile(p->aUs, p->nDone, 99);
  return t;
}

static void run_threads(const char *zName, int bLibrary) {
  int i, n = nSample > 31 ? 31 : nSample;
  double *aA = malloc(sizeof(double) * (size_t)n);
  double *aB = malloc(sizeof(double) * (size_t)n);
  double *aA99 = malloc(sizeof(double) * (size_t)n);
  double *aB99 = malloc(sizeof(double) * (size_t)n);
  Load *pA = calloc(1, sizeof(Load)), *pB = calloc(1, sizeof(Load));
  char zTail[100];
  pA->bPool = 1;
  pB->bLibrary = bLibrary;
  pthread_mutex_init(&pA->mutex, NULL);
  pthread_mutex_init(&pB->mutex, NULL);
  for (i = 0; i < n && wanted(zName); i++) {
    aA[i] = run_load(pA, &aA99[i]);
    aB[i] = run_load(pB, &aB99[i]);
  }
  if (wanted(zName)) {
    report(zName, aA, aB, n);
    snprintf(zTail, sizeof(zTail), "%s, p99", zName);
    report(zTail, aA99, aB99, n);
    if (pA->nError + pB->nError) {
      printf("  errors: %d with the pool, %d without\n", pA->nError,
             pB->nError);
    }
  }
  free(aA);
  free(aB);
  free(aA99);
  free(aB99);
  free(pA);
  free(pB);
}

/*************************************************************************
** SQL
*/
static void run_sql(void) {
  static const char zName[] = "pool_query : the SELECT, a connection each";
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  char *zSql = sqlite3_mprintf(
      "SELECT pool_query(%Q, 'SELECT x FROM t WHERE id = ?1', '[7]')", zFile);
  sqlite3_stmt *pStmt = prepare(host, zSql);
  int i, k;
  for (i = -1; i < nSample && wanted(zName); i++) {
    double a = block(host, pStmt, 200), t = now_us();
    for (k = 0; k < 20; k++) {
      sqlite3 *db = open_one(zFile, 0);
      select_one(db, 7);
      sqlite3_close(db);
    }
    if (i < 0) continue;
    aA[i] = a;
    aB[i] = (now_us() - t) / 20;
  }
  if (wanted(zName)) report(zName, aA, aB, nSample);
  sqlite3_finalize(pStmt);
  sqlite3_free(zSql);
  free(aA);
  free(aB);
}

static void run_many(void) {
  static const char zName[] = "pool_query_all, 200 files : open each";
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  sqlite3_stmt *pStmt;
  char *zSql;
  int i, k, n = nSample > 15 ? 15 : nSample;
  for (k = 0; k < 200 && wanted(zName); k++) make_file(file_name(1000 + k));
  zSql = sqlite3_mprintf(
      "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE"
      " i < 1199) SELECT pool_query_all((SELECT json_group_array(%Q || '/' || i"
      " || '.db') FROM n), 'SELECT sum(id) AS s FROM t')",
      zDir);
  pStmt = prepare(host, zSql);
  for (i = -1; i < n && wanted(zName); i++) {
    double a = block(host, pStmt, 1), t = now_us();
    for (k = 0; k < 200; k++) {
      sqlite3 *db = open_one(file_name(1000 + k), 0);
      exec(db, "SELECT sum(id) AS s FROM t");
      sqlite3_close(db);
    }
    if (i < 0) continue;
    aA[i] = a;
    aB[i] = now_us() - t;
  }
  if (wanted(zName)) report(zName, aA, aB, n);
  sqlite3_finalize(pStmt);
  sqlite3_free(zSql);
  free(aA);
  free(aB);
}

int main(int argc, char **argv) {
  char zCommand[200], *zSql;
  bench_begin(argc, argv);
  snprintf(zDir, sizeof(zDir), "/tmp/steward-bench-pool-XXXXXX");
  if (mkdtemp(zDir) == NULL) return 1;
  remove_files();
  make_file(zFile);
  host = open_one(":memory:", 1);
  api = steward_api_get(host);
  zSql = sqlite3_mprintf("SELECT migrate_up('core'),"
                         " steward_setting('directories', '[\"/tmp\"]'),"
                         " pool_configure(%Q, 2, 8, '60s')",
                         zFile);
  exec(host, zSql);
  sqlite3_free(zSql);
  run_creation();
  run_acquire("pool: acquire and release : open and close", 0, 0, 2000);
  run_acquire("the same, opened with the library", 0, 1, 2000);
  run_acquire("the same with a SELECT by key", 1, 0, 1000);
  run_threads("50 threads, pool of 8 : open each", 0);
  run_threads("the same, opened with the library", 1);
  run_sql();
  run_many();
  sqlite3_close(host);
  snprintf(zCommand, sizeof(zCommand), "rm -r '%s'", zDir);
  if (system(zCommand)) printf("%s failed\n", zCommand);
  bench_end();
  return 0;
}
