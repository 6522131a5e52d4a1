/*
** close.c - sqlite3_close() is SQLITE_OK whatever was used before, nothing is
** lost, and no file descriptor stays open.
**
**     close steward.so
*/
#include <dirent.h>
#include <unistd.h>

#include "ctest.h"

static int open_descriptors(void) {
  DIR *p = opendir("/proc/self/fd");
  int n = 0;
  if (p == NULL) return 0;
  while (readdir(p)) n++;
  closedir(p);
  return n;
}

static void check_close(sqlite3 *db, const char *zWhat) {
  int rc = sqlite3_close(db);
  check(rc == SQLITE_OK, "%s: sqlite3_close gave %d", zWhat, rc);
}

/* After the example of every function and table. */
static void close_after_examples(void) {
  sqlite3 *list = open_loaded(":memory:");
  sqlite3_stmt *pStmt = NULL;
  sqlite3_prepare_v2(list, EXAMPLES_SQL, -1, &pStmt, NULL);
  while (sqlite3_step(pStmt) == SQLITE_ROW) {
    sqlite3 *db = open_loaded(":memory:");
    const char *zSql = (const char *)sqlite3_column_text(pStmt, 1);
    int rc;
    char *zErr = NULL;
    free(value(db, EXAMPLE_SETUP));
    free(run(db, zSql, &rc, &zErr));
    check(rc == SQLITE_OK, "%s: %s", sqlite3_column_text(pStmt, 0), zErr);
    free(zErr);
    check_close(db, (const char *)sqlite3_column_text(pStmt, 0));
  }
  sqlite3_finalize(pStmt);
  sqlite3_close(list);
}

/* What happens to a connection between two uses of the cache. */
static const char *const azBetween[] = {
    "VACUUM",
    "ATTACH ':memory:' AS other; CREATE TABLE other.t(x); DETACH other",
    "CREATE TABLE t(x); DROP TABLE t",
    "PRAGMA journal_mode=WAL; PRAGMA journal_mode=DELETE",
    "BEGIN; CREATE TABLE t(x); ROLLBACK",
    "SELECT count(*) FROM steward_statements",
    "CREATE TEMP TABLE steward_config(x); DROP TABLE temp.steward_config",
    "SELECT migrate_down('delivery', 0); SELECT migrate_up('delivery')",
    "ANALYZE; PRAGMA optimize",
};

static const char zUse[] =
    "SELECT delivery_publish('t', 1); SELECT steward_setting('log_max_rows');"
    "SELECT delivery_subscribe('w', 't', '{\"start\":\"earliest\"}');"
    "SELECT delivery_publish('t', 2), delivery_publish('t', 3);"
    "SELECT count(*) FROM"
    " delivery_next('w'); SELECT count(*) FROM migrate_status";

static void close_after_changes(const char *zFile) {
  int i;
  for (i = 0; i < (int)(sizeof(azBetween) / sizeof(azBetween[0])); i++) {
    sqlite3 *db;
    unlink(zFile);
    db = open_loaded(zFile);
    expect(db, "SELECT migrate_up('all') > 0", "1");
    expect_like(db, zUse, "");
    expect_like(db, "SELECT 1", "1");
    free(value(db, azBetween[i]));
    expect_like(db, zUse, "");
    check_close(db, azBetween[i]);
  }
}

/* A close that fails because the host holds a statement; then again. */
static void close_twice(const char *zSql) {
  sqlite3 *db = open_loaded(":memory:");
  sqlite3_stmt *pStmt = NULL;
  free(value(db, EXAMPLE_SETUP));
  free(value(db, zUse));
  sqlite3_prepare_v2(db, zSql, -1, &pStmt, NULL);
  sqlite3_step(pStmt);
  check(sqlite3_close(db) == SQLITE_BUSY, "%s: the first close", zSql);
  expect_like(db, zUse, "");
  check(sqlite3_step(pStmt) == SQLITE_ROW, "%s: goes on", zSql);
  check(sqlite3_close(db) == SQLITE_BUSY, "%s: the second close", zSql);
  sqlite3_finalize(pStmt);
  expect_like(db, zUse, "");
  check_close(db, zSql);
}

static void close_in_transaction(void) {
  sqlite3 *db = open_loaded(":memory:");
  free(value(db, EXAMPLE_SETUP));
  free(value(db, "BEGIN"));
  free(value(db, zUse));
  check_close(db, "inside a transaction");
}

/* sqlite3_close_v2 keeps the connection until the statement ends. */
static void close_zombie(const char *zSql) {
  sqlite3 *db = open_loaded(":memory:");
  sqlite3_stmt *pStmt = NULL;
  free(value(db, EXAMPLE_SETUP));
  free(value(db, zUse));
  sqlite3_prepare_v2(db, zSql, -1, &pStmt, NULL);
  sqlite3_step(pStmt);
  check(sqlite3_close_v2(db) == SQLITE_OK, "close_v2");
  check(sqlite3_step(pStmt) == SQLITE_ROW, "a zombie's statement goes on");
  sqlite3_finalize(pStmt);
}

static void load_twice(void) {
  sqlite3 *db = open_loaded(":memory:");
  char *zErr = NULL, *zSql;
  check(load(db, &zErr) == SQLITE_OK, "second load: %s", zErr ? zErr : "");
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, (int *)0);
  sqlite3_enable_load_extension(db, 1);
  zSql = sqlite3_mprintf("SELECT load_extension(%Q, 'sqlite3_steward_init')",
                         zLibrary);
  expect(db, zSql, NULL);
  sqlite3_free(zSql);
  expect(db, "SELECT steward_version()", "0.1.0");
  check_close(db, "loaded three times");
}

int main(int argc, char **argv) {
  char zFile[] = "/tmp/steward-close-XXXXXX";
  int nDescriptor, i, fd;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  fd = mkstemp(zFile);
  if (fd >= 0) close(fd);
  nDescriptor = open_descriptors();
  close_after_examples();
  close_after_changes(zFile);
  close_twice("SELECT * FROM steward_help");
  close_twice("SELECT * FROM steward_statements");
  close_twice("SELECT * FROM steward_log");
  close_twice("SELECT * FROM delivery_next('w')");
  close_twice("SELECT a.payload FROM delivery_next('w') AS a,"
              " delivery_next('w') AS b");
  close_twice("SELECT * FROM delivery_queue");
  close_in_transaction();
  close_zombie("SELECT * FROM steward_help");
  close_zombie("SELECT * FROM delivery_next('w')");
  load_twice();
  for (i = 0; i < 50; i++) {
    sqlite3 *db = open_loaded(":memory:");
    expect(db, "SELECT migrate_up('core') > 0", "1");
    check_close(db, "one of many");
  }
  unlink(zFile);
  check(open_descriptors() == nDescriptor, "%d descriptors, then %d",
        nDescriptor, open_descriptors());
  check(sqlite3_memory_used() == 0, "%lld bytes lost", sqlite3_memory_used());
  return finish();
}
