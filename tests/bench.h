/*
** bench.h - what the benchmarks share: pairs of blocks, ratios, percentiles.
*/
#ifndef STEWARD_BENCH_H
#define STEWARD_BENCH_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *zLibrary;
static char zFile[80];
static int nSample = 101;
static const char *zOnly = ""; /* run the cases whose names contain this */
static FILE *pJson;
static int nPrinted;

static inline double now_us(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static inline void die(sqlite3 *db, const char *zWhat) {
  printf("bench: %s: %s\n", zWhat, sqlite3_errmsg(db));
  exit(1);
}

static inline void exec(sqlite3 *db, const char *zSql) {
  if (sqlite3_exec(db, zSql, NULL, NULL, NULL)) die(db, zSql);
}

static inline void load(sqlite3 *db, const char *zExtension) {
  char *zErr = NULL;
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, (int *)0);
  if (sqlite3_load_extension(db, zExtension, NULL, &zErr)) die(db, zErr);
}

static inline void remove_files(void) {
  static const char *const azSuffix[] = {"", "-wal", "-shm", "-journal"};
  char z[100];
  int i;
  for (i = 0; i < 4; i++) {
    snprintf(z, sizeof(z), "%s%s", zFile, azSuffix[i]);
    unlink(z);
  }
}

/* A fresh file with the library and all sets, in WAL mode. */
static inline sqlite3 *open_fresh(const char *zSetup) {
  sqlite3 *db = NULL;
  remove_files();
  if (sqlite3_open(zFile, &db)) die(db, zFile);
  load(db, zLibrary);
  exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
           "SELECT migrate_up('all')");
  exec(db, zSetup);
  return db;
}

static inline sqlite3_stmt *prepare(sqlite3 *db, const char *zSql) {
  sqlite3_stmt *pStmt = NULL;
  if (sqlite3_prepare_v3(db, zSql, -1, SQLITE_PREPARE_PERSISTENT, &pStmt,
                         NULL)) {
    die(db, zSql);
  }
  return pStmt;
}

static inline int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static inline double percentile(double *a, int n, int iPercent) {
  qsort(a, (size_t)n, sizeof(double), compare);
  return a[(n - 1) * iPercent / 100];
}

/* Print a case; aA and aB are times of one operation, in microseconds. */
static inline void report(const char *zName, double *aA, double *aB, int n) {
  double *aRatio = malloc(sizeof(double) * (size_t)n);
  double r10, r50, r90;
  int i;
  for (i = 0; i < n; i++) aRatio[i] = aA[i] / aB[i];
  r10 = percentile(aRatio, n, 10);
  r50 = percentile(aRatio, n, 50);
  r90 = percentile(aRatio, n, 90);
  printf("%-46s %7.2f  %6.2f..%-6.2f %9.2f %9.2f\n", zName, r50, r10, r90,
         percentile(aA, n, 50), percentile(aB, n, 50));
  fflush(stdout);
  if (pJson) {
    fprintf(pJson,
            "%s{\"case\":\"%s\",\"ratio\":%.4f,\"p10\":%.4f,\"p90\":%.4f,"
            "\"a_us\":%.3f,\"b_us\":%.3f}",
            nPrinted++ ? ",\n" : "", zName, r50, r10, r90,
            percentile(aA, n, 50), percentile(aB, n, 50));
  }
  free(aRatio);
}

/* Run a statement nOp times; microseconds for one. */
static inline double block(sqlite3 *db, sqlite3_stmt *pStmt, int nOp) {
  double t = now_us();
  int i, rc;
  for (i = 0; i < nOp; i++) {
    while ((rc = sqlite3_step(pStmt)) == SQLITE_ROW) {
    }
    if (rc != SQLITE_DONE) die(db, sqlite3_sql(pStmt));
    sqlite3_reset(pStmt);
  }
  return (now_us() - t) / nOp;
}

#define PAYLOAD "'" P50 P50 P50 "'"
#define P50 "0123456789012345678901234567890123456789012345678."
#define BARE                                                                   \
  "CREATE TABLE bare(id INTEGER PRIMARY KEY, topic TEXT, payload, at);"
#define PUBLISH "SELECT delivery_publish('t', " PAYLOAD ")"
#define TEN "0,1,2,3,4,5,6,7,8,9"
#define INSERT_BARE                                                            \
  "INSERT INTO bare(topic, payload, at) VALUES ('t', " PAYLOAD ", 1)"
#define SUBSCRIBERS(n)                                                         \
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "    \
  "< " n ") SELECT sum(delivery_subscribe('w' || i, 't')) FROM n;"
#define MESSAGES(n)                                                            \
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "    \
  "< " n ") INSERT INTO steward_log(topic, payload) SELECT 't', " PAYLOAD      \
  " FROM n;"

/* bench steward.so [quick] [--case TEXT] [--json FILE] */
static inline void bench_begin(int argc, char **argv) {
  int i, fd;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  for (i = 2; i < argc; i++) {
    if (strcmp(argv[i], "quick") == 0) nSample = 15;
    if (strcmp(argv[i], "--case") == 0 && i + 1 < argc) zOnly = argv[++i];
    if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
      pJson = fopen(argv[++i], "w");
    }
  }
  snprintf(zFile, sizeof(zFile), "/tmp/steward-bench-XXXXXX");
  fd = mkstemp(zFile);
  if (fd >= 0) close(fd);
  printf("SQLite %s, WAL, synchronous=NORMAL, payload 150 bytes, %d pairs of"
         " blocks\n",
         sqlite3_libversion(), nSample);
  printf("%-46s %7s  %-14s %9s %9s\n", "case (A : B)", "A/B", "p10..p90",
         "A us", "B us");
  if (pJson) fprintf(pJson, "[");
}

static inline void bench_end(void) {
  if (pJson) {
    fprintf(pJson, "]\n");
    fclose(pJson);
  }
  remove_files();
}

/* A base with 3 deltas and 5 headers, 10,000 times: time in steps of a
** second, as a program writes them. */
#define WORKSPACE                                                              \
  "INSERT INTO workspaces(id, name) VALUES (x'00', 'w');"                      \
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "  \
  "10000) INSERT INTO http(id, workspace_id, name, url, method, updated_at) "  \
  "SELECT i * 10, x'00', 'name ' || i, 'http://example.org/' || i, 'GET', "    \
  "1700000000 + i FROM n;"                                                     \
  "INSERT INTO http(id, workspace_id, name, url, method, is_delta, "           \
  "parent_http_id, delta_name, delta_url, updated_at) SELECT h.id + k.value, " \
  "x'00', h.name, h.url, 'GET', 1, h.id, iif(k.value = 1, 'd', NULL), "        \
  "iif(k.value = 2, 'e', NULL), h.updated_at + k.value FROM http AS h, "       \
  "json_each('[1,2,3]') AS k;"                                                 \
  "INSERT INTO http_header(id, http_id, header_key, header_value) SELECT "     \
  "h.id + k.value, h.id, 'K' || k.value, 'v' FROM http AS h, "                 \
  "json_each('[1,2,3,4,5]') AS k WHERE NOT h.is_delta;"

#endif
