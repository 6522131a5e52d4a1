/*
** pool.h - what pool.c and pool_fork.c share: a directory with files, and the
** pool's calls with their results checked.
*/
#ifndef POOL_H
#define POOL_H

#include <time.h>
#include <unistd.h>

#include "ctest.h"

#include "../ext/steward.h"

#define TEN_ROWS                                                               \
  "CREATE TABLE t(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION"                  \
  " ALL SELECT i + 1 FROM n WHERE i < 10) INSERT INTO t SELECT i FROM n"

static const steward_api *api;
static char zDir[100], zFile[200], zOther[200];

static inline sqlite3 *acquire(int iTimeout) {
  sqlite3 *db = NULL;
  int rc = api->pool_acquire(zFile, iTimeout, &db);
  check(rc == SQLITE_OK && db, "acquire: %d %s", rc, api->error());
  return db;
}

static inline void release(sqlite3 *db) {
  int rc = api->pool_release(db);
  check(rc == SQLITE_OK, "release: %d %s", rc, api->error());
}

/* The error of an acquire that must fail. */
static inline void refused(const char *zPath, int iTimeout, int rcWant,
                           const char *zWant) {
  sqlite3 *db = (sqlite3 *)zPath;
  int rc = api->pool_acquire(zPath, iTimeout, &db);
  check(rc == rcWant && db == NULL && strstr(api->error(), zWant),
        "acquire %s: %d %s, expected %d %s", zPath ? zPath : "NULL", rc,
        api->error(), rcWant, zWant);
  if (db) api->pool_release(db);
}

static inline void configure(sqlite3 *db, const char *zNumbers) {
  char *z = sqlite3_mprintf("SELECT pool_configure(%Q, %s)", zFile, zNumbers);
  expect(db, z, "1");
  sqlite3_free(z);
}

/* A column of pool_status for zFile. */
static inline int status(sqlite3 *db, const char *zColumn) {
  char *z = sqlite3_mprintf("SELECT %s FROM pool_status WHERE path = %Q",
                            zColumn, zFile);
  char *zValue = value(db, z);
  int i = zValue ? atoi(zValue) : -1;
  free(zValue);
  sqlite3_free(z);
  return i;
}

static inline void remove_file(const char *z) {
  static const char *const azSuffix[] = {"", "-wal", "-shm", "-journal"};
  char zPath[300];
  int i;
  for (i = 0; i < 4; i++) {
    snprintf(zPath, sizeof(zPath), "%s%s", z, azSuffix[i]);
    unlink(zPath);
  }
}

static inline void make_file(const char *z, const char *zSql) {
  sqlite3 *db = NULL;
  remove_file(z);
  sqlite3_open(z, &db);
  free(value(db, "PRAGMA journal_mode = WAL"));
  free(value(db, zSql));
  sqlite3_close(db);
}

/* Spin until the monotonic clock has moved by that much. */
static inline void spin(long nUs) {
  struct timespec t;
  long long iEnd = 0, iNow;
  do {
    clock_gettime(CLOCK_MONOTONIC, &t);
    iNow = (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
    if (iEnd == 0) iEnd = iNow + nUs;
  } while (iNow < iEnd);
}

static inline void remove_dir(void) {
  char zCommand[200];
  snprintf(zCommand, sizeof(zCommand), "rm -r '%s'", zDir);
  check(system(zCommand) == 0, "%s", zCommand);
}

/* A directory, a file with ten rows, and a connection that hands the interface
** over; NULL when that is impossible. */
static inline sqlite3 *begin_pool(void) {
  sqlite3 *db;
  snprintf(zDir, sizeof(zDir), "/tmp/steward-pool-XXXXXX");
  if (mkdtemp(zDir) == NULL) return NULL;
  snprintf(zFile, sizeof(zFile), "%s/a.db", zDir);
  snprintf(zOther, sizeof(zOther), "%s/b.db", zDir);
  make_file(zFile, TEN_ROWS);
  db = open_loaded(zFile);
  api = steward_api_get(db);
  return check(api && api->version == 1, "the interface") ? db : NULL;
}

#endif
