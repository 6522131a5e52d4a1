/*
** ctest.h - the few lines that close.c and capi.c share: counting, a connection
** with the library, running SQL, and a digest of everything in a database.
*/
#ifndef CTEST_H
#define CTEST_H

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic int nPassed, nFailed;
static const char *zLibrary;

/* Count one check; say what failed. */
static inline int check(int bOk, const char *zFmt, ...) {
  va_list ap;
  if (bOk) {
    nPassed++;
    return 1;
  }
  nFailed++;
  va_start(ap, zFmt);
  printf("! ");
  vprintf(zFmt, ap);
  printf("\n");
  va_end(ap);
  return 0;
}

static inline int finish(void) {
  printf("%d passed, %d failed\n", nPassed, nFailed);
  return nFailed != 0;
}

/* Load the library; the result code, its text in *pzErr (freed by caller). */
static inline int load(sqlite3 *db, char **pzErr) {
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, (int *)0);
  return sqlite3_load_extension(db, zLibrary, "sqlite3_steward_init", pzErr);
}

/* A connection with the library; exits when that is impossible. */
static inline sqlite3 *open_loaded(const char *zFile) {
  sqlite3 *db = NULL;
  char *zErr = NULL;
  if (sqlite3_open(zFile, &db) || load(db, &zErr)) {
    printf("cannot open %s with %s: %s\n", zFile, zLibrary,
           zErr ? zErr : sqlite3_errmsg(db));
    exit(2);
  }
  return db;
}

/* The first column of the last row of a script as text, NULL when there is
** none; *pRc and *pzErr tell about failure.  The caller frees both. */
static inline char *run(sqlite3 *db, const char *zSql, int *pRc, char **pzErr) {
  char *zLast = NULL;
  int rc = SQLITE_OK;
  while (rc == SQLITE_OK && zSql && zSql[0]) {
    sqlite3_stmt *pStmt = NULL;
    rc = sqlite3_prepare_v2(db, zSql, -1, &pStmt, &zSql);
    if (rc == SQLITE_OK && pStmt) {
      while ((rc = sqlite3_step(pStmt)) == SQLITE_ROW) {
        const char *z = (const char *)sqlite3_column_text(pStmt, 0);
        free(zLast);
        zLast = z ? strdup(z) : NULL;
      }
      if (rc == SQLITE_DONE) rc = SQLITE_OK;
    }
    if (rc && pzErr) *pzErr = strdup(sqlite3_errmsg(db));
    sqlite3_finalize(pStmt);
  }
  *pRc = rc;
  return zLast;
}

/* Run a script; the text of its error, or its last value.  Caller frees. */
static inline char *value(sqlite3 *db, const char *zSql) {
  char *zErr = NULL;
  int rc;
  char *z = run(db, zSql, &rc, &zErr);
  if (rc == SQLITE_OK) return z;
  free(z);
  return zErr;
}

static inline int same(const char *zA, const char *zB) {
  return zA && zB ? strcmp(zA, zB) == 0 : zA == zB;
}

/* A check that a script gives a value or error text. */
static inline void expect(sqlite3 *db, const char *zSql, const char *zWant) {
  char *zGot = value(db, zSql);
  check(same(zGot, zWant), "%s\n    expected: %s\n    got:      %s", zSql,
        zWant ? zWant : "NULL", zGot ? zGot : "NULL");
  free(zGot);
}

/* The same, but only the beginning is compared. */
static inline void expect_like(sqlite3 *db, const char *zSql,
                               const char *zWant) {
  char *zGot = value(db, zSql);
  check(zGot && strncmp(zGot, zWant, strlen(zWant)) == 0,
        "%s\n    expected: %s...\n    got:      %s", zSql, zWant,
        zGot ? zGot : "NULL");
  free(zGot);
}

static inline void hash_bytes(unsigned long long *p, const void *pData, int n) {
  const unsigned char *a = pData;
  int i;
  for (i = 0; i < n; i++) *p = (*p ^ a[i]) * 1099511628211ULL;
}

/* Columns that tell the time of day, or what was measured (counters of the
** engine, how long a check took), differ between two runs. */
static inline int is_measured(const char *zColumn) {
  size_t n = strlen(zColumn);
  return (n > 3 && (strcmp(zColumn + n - 3, "_ts") == 0 ||
                    strcmp(zColumn + n - 3, "_at") == 0 ||
                    strcmp(zColumn + n - 3, "_ms") == 0)) ||
         strcmp(zColumn, "seeded") == 0 || strcmp(zColumn, "updated") == 0 ||
         strcmp(zColumn, "metric_value") == 0 ||
         strcmp(zColumn, "details") == 0;
}

static inline void hash_query(sqlite3 *db, unsigned long long *p,
                              const char *zSql) {
  sqlite3_stmt *pStmt = NULL;
  int i;
  sqlite3_prepare_v2(db, zSql, -1, &pStmt, NULL);
  while (pStmt && sqlite3_step(pStmt) == SQLITE_ROW) {
    for (i = 0; i < sqlite3_column_count(pStmt); i++) {
      int eType = sqlite3_column_type(pStmt, i);
      if (is_measured(sqlite3_column_name(pStmt, i))) continue;
      hash_bytes(p, &eType, (int)sizeof(eType));
      if (eType == SQLITE_NULL) continue;
      hash_bytes(p, sqlite3_column_blob(pStmt, i),
                 sqlite3_column_bytes(pStmt, i));
    }
  }
  sqlite3_finalize(pStmt);
}

/* A digest of the schema and of every row of every ordinary table, but for what
** the keeper writes down about itself, in transactions of their own. */
static inline unsigned long long digest(sqlite3 *db) {
  unsigned long long h = 14695981039346656037ULL;
  sqlite3_stmt *pStmt = NULL;
  hash_query(db, &h, "SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2");
  sqlite3_prepare_v2(db,
                     "SELECT printf('SELECT * FROM \"%w\" ORDER BY 1', name)"
                     " FROM pragma_table_list WHERE schema = 'main'"
                     " AND type = 'table' AND name NOT IN ('sqlite_schema',"
                     " 'steward_keeper_log', 'steward_duties')"
                     " ORDER BY name",
                     -1, &pStmt, NULL);
  while (pStmt && sqlite3_step(pStmt) == SQLITE_ROW) {
    hash_query(db, &h, (const char *)sqlite3_column_text(pStmt, 0));
  }
  sqlite3_finalize(pStmt);
  return h;
}

/* The examples of steward_help, and how every example begins.  Here they run in
** memory; those that need a file are left to tests/help.test. */
#define EXAMPLES_SQL                                                           \
  "SELECT name, example FROM steward_help WHERE example <> ''"                 \
  " AND (kind = 'table' OR name NOT GLOB 'vacuum_*' AND name NOT GLOB"         \
  " 'pool_[eq]*') AND name <> 'keeper_start' ORDER BY name"
#define EXAMPLE_SETUP                                                          \
  "SELECT migrate_up('all'); SELECT steward_clock(1700000000000);"

#endif
