/*
** fuzz.c - random values into every function and table of steward_help, in
** random contexts.
**
**     fuzz steward.so [seconds]      SEED=n repeats a run
**
** Nothing may crash, break the file, touch the application's rows, or keep the
** connection from closing.
*/
#include <time.h>

#include "ctest.h"
#include "random.h"

static const char *const azValue[] = {
    "NULL",
    "0",
    "-1",
    "1",
    "2",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "9e999",
    "''",
    "'a'",
    "'core'",
    "'all'",
    "'http'",
    "'delivery'",
    "'canary'",
    "'x'",
    "'mail'",
    "'''; DROP TABLE canary; --'",
    "'\"; DROP TABLE canary; --'",
    "x''",
    "x'00ff'",
    "zeroblob(5000)",
    "char(0)",
    "'a' || char(0) || 'b'",
    "CAST(x'ff' AS TEXT)",
    "'{}'",
    "'[]'",
    "'{'",
    "'{\"sets\":[\"jobs\"]}'",
    "'{\"unit\":\"s\"}'",
    "'{\"max_rows\":1,\"max_pending\":2}'",
    "'force'",
    "'1d'",
    "'PT5M'",
    "printf('%.*c', 100000, 'x')",
    "1700000000000",
    "'log_max_rows'",
    "'*/7 3-5 L * mon,5#2'",
    "'@every 3s'",
    "'0 0 30 2 *'",
    "'{\"zone\":\"Europe/Berlin\",\"catch_up\":\"all\"}'",
    "'{\"overlap\":\"replace\",\"max_runs\":2,\"ttl\":\"1s\"}'",
    "'{\"zone\":\"../x\"}'",
    "'1'",
};

static const char *any_value(void) {
  return azValue[next(sizeof(azValue) / sizeof(azValue[0]))];
}

/* Names with a number: functions with an arity, tables with their columns. */
typedef struct Target {
  char *zName;
  int nArg;      /* -1: a table */
  char *zColumn; /* of a table: one of its columns */
} Target;

static Target aTarget[600];
static int nTarget;

static void read_targets(sqlite3 *db) {
  static const char zSql[] =
      "SELECT DISTINCT h.name, f.narg, NULL FROM steward_help AS h"
      " JOIN pragma_function_list AS f ON f.name = h.name"
      " WHERE h.kind = 'function' UNION ALL"
      " SELECT h.name, -1, x.name FROM steward_help AS h,"
      " pragma_table_xinfo(h.name) AS x WHERE h.kind = 'table'";
  sqlite3_stmt *pStmt = NULL;
  sqlite3_prepare_v2(db, zSql, -1, &pStmt, NULL);
  while (sqlite3_step(pStmt) == SQLITE_ROW && nTarget < 600) {
    const char *z = (const char *)sqlite3_column_text(pStmt, 2);
    aTarget[nTarget].zName =
        strdup((const char *)sqlite3_column_text(pStmt, 0));
    aTarget[nTarget].nArg = sqlite3_column_int(pStmt, 1);
    aTarget[nTarget++].zColumn = z ? strdup(z) : NULL;
  }
  sqlite3_finalize(pStmt);
}

/* A call of a function, or a statement on a table; caller frees. */
static char *any_statement(void) {
  static const char *const azContext[] = {
      "SELECT %s",
      "INSERT INTO scratch VALUES (%s)",
      "INSERT INTO scratch SELECT %s",
      "BEGIN; SELECT %s; ROLLBACK",
      "BEGIN; SELECT %s; SELECT count(*) FROM scratch; COMMIT",
      "SAVEPOINT s; SELECT %s; ROLLBACK TO s; RELEASE s",
      "SELECT %s FROM canary",
      "UPDATE scratch SET x = %s"};
  static const char *const azTable[] = {
      "SELECT * FROM %s WHERE \"%w\" = %s LIMIT 3",
      "SELECT count(*) FROM %s WHERE \"%w\" >= %s",
      "SELECT * FROM %s ORDER BY \"%w\" DESC, %s LIMIT 3",
      "INSERT INTO %s(\"%w\") VALUES (%s)",
      "INSERT OR REPLACE INTO %s(\"%w\") VALUES (%s)",
      "UPDATE %s SET \"%w\" = %s",
      "DELETE FROM %s WHERE \"%w\" IS %s"};
  const Target *t = &aTarget[next((unsigned)nTarget)];
  sqlite3_str *pCall;
  char *zCall, *zSql;
  int i;
  if (t->nArg < 0) {
    return sqlite3_mprintf(azTable[next(7)], t->zName, t->zColumn, any_value());
  }
  pCall = sqlite3_str_new(NULL);
  sqlite3_str_appendf(pCall, "%s(", t->zName);
  for (i = 0; i < t->nArg; i++) {
    sqlite3_str_appendf(pCall, "%s%s", i ? ", " : "", any_value());
  }
  sqlite3_str_appendall(pCall, ")");
  zCall = sqlite3_str_finish(pCall);
  zSql = sqlite3_mprintf(azContext[next(8)], zCall);
  sqlite3_free(zCall);
  return zSql;
}

static sqlite3 *fresh(void) {
  sqlite3 *db = open_loaded(":memory:");
  free(value(db, EXAMPLE_SETUP "CREATE TABLE scratch(x); INSERT INTO scratch"
                               " VALUES (1); CREATE TABLE canary(id INTEGER"
                               " PRIMARY KEY, x TEXT); INSERT INTO canary"
                               " VALUES (1, 'a'), (2, 'b')"));
  return db;
}

/* One connection's life: some hundred statements, then the invariants. */
static void one_life(void) {
  sqlite3 *db = fresh();
  char *zLast = NULL;
  int i, rc;
  if (nTarget == 0) read_targets(db);
  for (i = 0; i < 300; i++) {
    char *zErr = NULL;
    sqlite3_free(zLast);
    zLast = any_statement();
    /* which deletes what it is told to */
    if (strstr(zLast, "delta_cascade_delete('canary'")) continue;
    free(run(db, zLast, &rc, &zErr));
    check((rc & 0xff) != SQLITE_CORRUPT && (rc & 0xff) != SQLITE_MISUSE &&
              (rc & 0xff) != SQLITE_INTERNAL && (rc & 0xff) != SQLITE_NOMEM,
          "%.200s: result code %d, %s", zLast, rc, zErr ? zErr : "");
    free(zErr);
    if (!sqlite3_get_autocommit(db)) free(value(db, "ROLLBACK"));
  }
  expect(db, "PRAGMA integrity_check", "ok");
  expect(db, "SELECT group_concat(id || x) FROM canary", "1a,2b");
  rc = sqlite3_close(db);
  check(rc == SQLITE_OK, "close gave %d after %.200s", rc, zLast);
  sqlite3_free(zLast);
}

int main(int argc, char **argv) {
  time_t tEnd = time(NULL) + (argc > 2 ? atoi(argv[2]) : 5);
  const char *zSeed = getenv("SEED");
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  iState = zSeed && zSeed[0] ? strtoull(zSeed, NULL, 10)
                             : (unsigned long long)time(NULL);
  printf("SEED=%llu\n", iState);
  do {
    one_life();
  } while (time(NULL) < tEnd && nFailed < 20);
  while (nTarget > 0) {
    free(aTarget[--nTarget].zName);
    free(aTarget[nTarget].zColumn);
  }
  check(sqlite3_memory_used() == 0, "%lld bytes lost", sqlite3_memory_used());
  return finish();
}
