/*
** fuzz.c - random values into every function and table of steward_help, in
** random contexts.
**
**     fuzz steward.so [seconds]      SEED=n repeats a run
**
** Nothing may crash, break the file, touch the application's rows, or keep the
** connection from closing.  Then the same for scripts that run through the
** pool, which may touch no other file.
*/
#include <dirent.h>
#include <time.h>
#include <unistd.h>

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

/*************************************************************************
** Scripts through the pool
*/
static const char *const azScript[] = {
    "SELECT 1 AS a",
    "SELECT * FROM t",
    "SELECT ?1 AS a, :b AS b, ?7 AS c",
    "INSERT INTO t VALUES (1, ?1)",
    "INSERT INTO t(x) VALUES (randomblob(5000)) RETURNING id",
    "DELETE FROM t WHERE id > 3",
    "UPDATE t SET x = x || 'x'",
    "CREATE TABLE u(x)",
    "DROP TABLE u",
    "CREATE TEMP TABLE t(x)",
    "CREATE VIRTUAL TABLE f USING fts5(x)",
    "BEGIN",
    "BEGIN EXCLUSIVE",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "RELEASE s",
    "VACUUM",
    "VACUUM INTO '../into.db'",
    "VACUUM INTO '../in' || 'to.db'",
    "ATTACH '../outside.db' AS o",
    "ATTACH '../out' || 'side.db' AS o",
    "ATTACH 'file:../outside.db?mode=rw' AS o",
    "ATTACH '' AS o",
    "ATTACH ':memory:' AS o",
    "DETACH main",
    "DELETE FROM o.canary",
    "PRAGMA query_only = 0",
    "PRAGMA query_only(1)",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA writable_schema = 1",
    "PRAGMA user_version = 7",
    "PRAGMA table_info(t)",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "EXPLAIN DELETE FROM t",
    "SELECT vacuum_into('../into.db')",
    "SELECT vacuum_full()",
    "SELECT keeper_start(10)",
    "SELECT steward_clock(1)",
    "SELECT pool_query('p.db', 'SELECT 1')",
    "SELECT load_extension('x')",
    "SELECT steward_setting('directories', '[\"/\"]')",
    "SELECT migrate_up('all')",
    "SELECT delivery_publish('t', 1)",
    "SELECT a.name FROM pragma_function_list AS a, pragma_module_list",
    "SELECT zeroblob(99999999) AS z",
    "-- x\n",
    "/* ",
    "SELECT '"};

static const char *const azPath[] = {
    "p.db",          "./p.db",       "q.db",     "sub/../p.db", "link.db",
    "../outside.db", "outlink.db",   "",         "p.db-wal",    ":memory:",
    "none.db",       "file:p.db",    "host.db",  "/etc/passwd", "dangling.db",
    "p.db/",         "dirlink/x.db", "../o.db#", "%2e%2e/x.db", "."};

static const char *const azParams[] = {
    "[]",
    "[1]",
    "[1,2,3,4,5,6,7]",
    "{}",
    "{\"b\":null}",
    "{\"b\":1,\"b\":2}",
    "[[[]]",
    "7",
    "[{\"$blob\":\"00ff\"},{\"$blob\":\"0\"}]"};

#define ANY(a) ((a)[next(sizeof(a) / sizeof((a)[0]))])

/* One to three statements, some of them damaged; caller frees. */
static char *any_script(void) {
  sqlite3_str *p = sqlite3_str_new(NULL);
  unsigned i, n = 1 + next(3);
  char *z;
  for (i = 0; i < n; i++) {
    sqlite3_str_appendf(p, "%s%s", i ? ";" : "", ANY(azScript));
  }
  z = sqlite3_str_finish(p);
  if (next(8) == 0) z[next((unsigned)strlen(z))] = (char)(1 + next(255));
  if (next(16) == 0) z[next((unsigned)strlen(z))] = 0;
  return z;
}

static char *any_pool_call(void) {
  char *zScript = any_script(), *zSql = NULL;
  const char *zPath = ANY(azPath), *zParams = ANY(azParams);
  switch (next(5)) {
  case 0:
    zSql = sqlite3_mprintf("SELECT pool_query(%Q, %Q, %Q)", zPath, zScript,
                           zParams);
    break;
  case 1:
    zSql = sqlite3_mprintf("SELECT pool_query_all(json_array(%Q, %Q, %Q), %Q)",
                           zPath, ANY(azPath), ANY(azPath), zScript);
    break;
  case 2:
    zSql = sqlite3_mprintf(
        "SELECT pool_configure(%Q, %u, %u, %u, json_object('writes', %u,"
        " 'max_age', %u, 'max_idle', %u, 'probe', %u))",
        zPath, next(3), next(4), next(100), next(3), next(9), next(3), next(9));
    break;
  default: zSql = sqlite3_mprintf("SELECT pool_exec(%Q, %Q)", zPath, zScript);
  }
  sqlite3_free(zScript);
  return zSql;
}

/* How many files there are, but for those that belong to one. */
static int count_files(const char *zDirectory) {
  DIR *p = opendir(zDirectory);
  struct dirent *pEntry;
  int n = 0;
  while (p && (pEntry = readdir(p)) != NULL) n += !strchr(pEntry->d_name, '-');
  if (p) closedir(p);
  return n;
}

static void make_files(void) {
  static const char zMake[] =
      "mkdir in in/sub; ln -s p.db in/link.db; ln -s ../outside.db"
      " in/outlink.db; ln -s ../new.db in/dangling.db; ln -s .. in/dirlink";
  static const char *const azFile[] = {"outside.db", "x.db", "in/p.db",
                                       "in/q.db", "in/host.db"};
  int i;
  check(system(zMake) == 0, "%s", zMake);
  for (i = 0; i < 5; i++) {
    sqlite3 *db = NULL;
    sqlite3_open(azFile[i], &db);
    free(value(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
                   "INSERT INTO t VALUES (1, 'a'), (2, 'b'); CREATE TABLE"
                   " canary(x); INSERT INTO canary VALUES ('here')"));
    sqlite3_close(db);
  }
}

/* In a directory of its own. */
static void pool_life(void) {
  char zTop[] = "/tmp/steward-fuzz-XXXXXX", zCommand[100], *zLast = NULL;
  sqlite3 *db;
  int i, rc, nTop, nIn;
  if (mkdtemp(zTop) == NULL || chdir(zTop)) return;
  make_files();
  nTop = count_files(".");
  nIn = count_files("in");
  check(chdir("in") == 0, "chdir");
  db = open_loaded("host.db");
  for (i = 0; i < 150; i++) {
    char *zErr = NULL;
    sqlite3_free(zLast);
    zLast = any_pool_call();
    free(run(db, zLast, &rc, &zErr));
    check((rc & 0xff) != SQLITE_CORRUPT && (rc & 0xff) != SQLITE_MISUSE &&
              (rc & 0xff) != SQLITE_INTERNAL && (rc & 0xff) != SQLITE_NOMEM,
          "%.200s: result code %d, %s", zLast, rc, zErr ? zErr : "");
    free(zErr);
  }
  expect(db, "SELECT count(*) FROM pool_status WHERE in_use OR waiting", "0");
  check(count_files(".") == nIn && count_files("..") == nTop,
        "there are other files than before");
  check(sqlite3_close(db) == SQLITE_OK, "close after %.200s", zLast);
  sqlite3_free(zLast);
  check(sqlite3_open("../outside.db", &db) == SQLITE_OK, "outside");
  expect(db,
         "SELECT group_concat(x) || (SELECT count(*) FROM sqlite_schema)"
         " FROM canary",
         "here2");
  sqlite3_close(db);
  sqlite3_open("p.db", &db);
  expect(db, "PRAGMA integrity_check", "ok");
  sqlite3_close(db);
  snprintf(zCommand, sizeof(zCommand), "rm -r '%s'", zTop);
  check(chdir("/") == 0 && system(zCommand) == 0, "%s", zCommand);
}

int main(int argc, char **argv) {
  char *zHere = getcwd(NULL, 0);
  time_t tEnd = time(NULL) + (argc > 2 ? atoi(argv[2]) : 5);
  const char *zSeed = getenv("SEED");
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  iState = zSeed && zSeed[0] ? strtoull(zSeed, NULL, 10)
                             : (unsigned long long)time(NULL);
  printf("SEED=%llu\n", iState);
  zLibrary = realpath(zLibrary, NULL);
  do {
    one_life();
    pool_life();
    check(zHere && chdir(zHere) == 0, "chdir");
  } while (time(NULL) < tEnd && nFailed < 20);
  free(zHere);
  free((char *)zLibrary);
  while (nTarget > 0) {
    free(aTarget[--nTarget].zName);
    free(aTarget[nTarget].zColumn);
  }
  check(sqlite3_memory_used() == 0, "%lld bytes lost", sqlite3_memory_used());
  return finish();
}
