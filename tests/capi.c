/*
** capi.c - the library as a host program meets it: loading under every
** restriction, an SQLite that is too old, a dqlite VFS, the locks of other
** connections, and what a failing write leaves.
**
**     capi steward.so
*/
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctest.h"

static char zFile[64];

static void remove_file(void) {
  char z[80];
  unlink(zFile);
  snprintf(z, sizeof(z), "%s-wal", zFile);
  unlink(z);
  snprintf(z, sizeof(z), "%s-shm", zFile);
  unlink(z);
}

/* A fresh file with all sets. */
static sqlite3 *open_fresh(void) {
  sqlite3 *db;
  remove_file();
  db = open_loaded(zFile);
  expect(db, "SELECT migrate_up('all') > 0", "1");
  return db;
}

/*************************************************************************
** Loading
*/

/* Loading touches nothing and takes no hook. */
static int nHook;

static int count_commit(void *p) {
  nHook++;
  return 0;
}

static int count_trace(unsigned m, void *p, void *a, void *b) {
  nHook++;
  return 0;
}

static void load_touches_nothing(void) {
  struct stat before, after;
  sqlite3 *db = NULL;
  char *zErr = NULL;
  remove_file();
  sqlite3_open(zFile, &db);
  free(value(db, "CREATE TABLE t(x); INSERT INTO t VALUES (1)"));
  sqlite3_close(db);
  stat(zFile, &before);
  sqlite3_open(zFile, &db);
  sqlite3_commit_hook(db, count_commit, NULL);
  sqlite3_trace_v2(db, SQLITE_TRACE_STMT, count_trace, NULL);
  check(load(db, &zErr) == SQLITE_OK, "load: %s", zErr ? zErr : "");
  check(sqlite3_txn_state(db, "main") == SQLITE_TXN_NONE, "no transaction");
  check(sqlite3_get_autocommit(db), "autocommit");
  nHook = 0;
  free(value(db, "INSERT INTO t VALUES (2)"));
  check(nHook == 2, "the host's hooks fired %d times, not 2", nHook);
  free(value(db, "DELETE FROM t WHERE x = 2"));
  sqlite3_close(db);
  stat(zFile, &after);
  check(before.st_size == after.st_size, "the file has its size");
}

/* It loads and reads where nothing can be written. */
static void load_restricted(void) {
  static const char *const azMode[] = {"mode=ro", "immutable=1"};
  char zUri[100];
  int i;
  sqlite3_close(open_fresh());
  for (i = 0; i < 2; i++) {
    sqlite3 *db = NULL;
    char *zErr = NULL;
    snprintf(zUri, sizeof(zUri), "file:%s?%s", zFile, azMode[i]);
    sqlite3_open_v2(zUri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    check(load(db, &zErr) == SQLITE_OK, "%s: %s", azMode[i], zErr ? zErr : "");
    expect(db, "SELECT count(*) > 0 FROM migrate_status", "1");
    expect(db, "SELECT count(*) FROM delivery_queue", "0");
    expect(db, "SELECT migrate_up('core')", "0");
    expect(db, "SELECT delivery_publish('t', 1)",
           "READ_ONLY: delivery_publish: the database is open read-only: open "
           "it for writing");
    check(sqlite3_close(db) == SQLITE_OK, "%s: close", azMode[i]);
  }
}

static void load_settings(void) {
  static const int aOff[] = {SQLITE_DBCONFIG_TRUSTED_SCHEMA,
                             SQLITE_DBCONFIG_ENABLE_VIEW};
  sqlite3 *db;
  int i;
  for (i = 0; i < 2; i++) {
    db = open_fresh();
    sqlite3_db_config(db, aOff[i], 0, (int *)0);
    expect(db, "SELECT delivery_publish('t', 1)", "1");
    sqlite3_close(db);
  }
  db = open_fresh();
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
  expect(db, "SELECT delivery_publish('t', 1)", "1");
  expect(db, "SELECT migrate_down('http', 0)", "2");
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)0);
  expect_like(db, "SELECT delivery_publish('t', 1)",
              "UNSUPPORTED: delivery_publish: triggers are turned off");
  sqlite3_close(db);
}

/* An SQLite that is too old: ext_old.so, beside this program, pretends to be
** one.  In a child, because the library keeps the doctored table. */
static void refuse_old_sqlite(const char *zProgram) {
  char zOld[400];
  const char *zSlash = strrchr(zProgram, '/');
  int iStatus = 0;
  snprintf(zOld, sizeof(zOld), "%.*sext_old.so",
           zSlash ? (int)(zSlash - zProgram) + 1 : 0, zProgram);
  fflush(stdout);
  if (fork() == 0) {
    sqlite3 *db = NULL;
    char *zErr = NULL;
    setenv("STEWARD_SO", zLibrary, 1);
    sqlite3_open(":memory:", &db);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, (int *)0);
    sqlite3_load_extension(db, zOld, NULL, &zErr);
    if (zErr && strstr(zErr, "steward 0.1.0 needs SQLite 3.40.0 or later, "
                             "this is 3.39.4: load it into a newer SQLite")) {
      _exit(42);
    }
    printf("an old SQLite got: %s\n", zErr ? zErr : "no error");
    fflush(stdout);
    _exit(1);
  }
  wait(&iStatus);
  check(WIFEXITED(iStatus) && WEXITSTATUS(iStatus) == 42,
        "an old SQLite is refused");
}

/*************************************************************************
** dqlite
*/
static void on_dqlite(void) {
  sqlite3_vfs *pReal = sqlite3_vfs_find(NULL);
  sqlite3_vfs shim = *pReal;
  sqlite3 *db = NULL;
  char *zErr = NULL;
  static const char zRefused[] =
      "UNSUPPORTED: delivery_publish: dqlite replicates a write only from a "
      "write transaction: call it between BEGIN IMMEDIATE and COMMIT, or use "
      "the INSERT form";
  shim.zName = "dqlite-1";
  shim.pNext = NULL;
  sqlite3_vfs_register(&shim, 0);
  sqlite3_close(open_fresh());
  sqlite3_open_v2(zFile, &db, SQLITE_OPEN_READWRITE, "dqlite-1");
  check(load(db, &zErr) == SQLITE_OK, "dqlite: %s", zErr ? zErr : "");
  expect(db, "SELECT delivery_publish('t', 1)", zRefused);
  expect(db, "BEGIN; SELECT delivery_publish('t', 1)", zRefused);
  expect_like(db, "ROLLBACK; SELECT migrate_down('http', 0)", "UNSUPPORTED");
  expect(db, "BEGIN IMMEDIATE; SELECT delivery_publish('t', 1)", "1");
  expect(db, "SELECT migrate_down('http', 0)", "2");
  expect(db, "COMMIT; SELECT count(*) FROM steward_log", "1");
  expect(db,
         "INSERT INTO delivery_queue(topic, payload) VALUES ('t', 2);"
         "SELECT count(*) FROM steward_log",
         "2");
  check(sqlite3_close(db) == SQLITE_OK, "dqlite: close");
  sqlite3_vfs_unregister(&shim);
}

/*************************************************************************
** Locks of other connections
*/
static void *release_later(void *pDb) {
  sqlite3_sleep(200);
  sqlite3_exec(pDb, "COMMIT", NULL, NULL, NULL);
  return NULL;
}

/* A verb that reads and writes waits for a busy writer as long as the busy
** timeout says; where it cannot wait it says why. */
static void wait_for_writer(const char *zSql, const char *zWant) {
  sqlite3 *db = open_fresh(), *other = NULL;
  pthread_t thread;
  sqlite3_busy_timeout(db, 5000);
  sqlite3_open(zFile, &other);
  expect(other, "BEGIN IMMEDIATE", NULL);
  pthread_create(&thread, NULL, release_later, other);
  expect(db, zSql, zWant);
  pthread_join(thread, NULL);
  sqlite3_close(other);
  sqlite3_close(db);
}

static void busy_texts(void) {
  sqlite3 *db = open_fresh(), *other = NULL;
  sqlite3_open(zFile, &other);
  expect(other, "BEGIN IMMEDIATE", NULL);
  expect(db, "SELECT perf_record('m', 1)",
         "BUSY: perf_record: another connection held the lock for the whole "
         "busy timeout: try again, or raise PRAGMA busy_timeout");
  expect(db, "SELECT perf_record(db_path, 1) FROM steward_pool_config",
         "BUSY: perf_record: another connection is writing, and inside a read "
         "transaction this one cannot wait for it: call perf_record without "
         "FROM, or start with BEGIN IMMEDIATE");
  expect(db, "SELECT 1", "1");
  sqlite3_close(other);
  sqlite3_close(db);
}

/*************************************************************************
** Atomicity: a trigger of the test makes a later write of ours fail.  Where
** the call is one statement the trigger must ABORT: FAIL asks SQLite to keep
** what the statement has done so far.
*/
static const struct {
  const char *zCall; /* several writes, the last of which fails */
  const char *zBreak;
} aBroken[] = {
    {"migrate_down('delivery', 0)",
     "CREATE TRIGGER broken BEFORE DELETE ON steward_sets BEGIN SELECT"
     " RAISE(FAIL, 'broken'); END"},
    {"ttl_attach('due', 'at', '{\"unit\":\"s\"}')",
     "CREATE TRIGGER broken BEFORE INSERT ON steward_policies BEGIN SELECT"
     " RAISE(FAIL, 'broken'); END"},
    {"ttl_sweep('swept')",
     "CREATE TRIGGER broken BEFORE UPDATE ON steward_policies BEGIN SELECT"
     " RAISE(FAIL, 'broken'); END"},
    {"delivery_publish('t', 1)",
     "CREATE TRIGGER broken BEFORE INSERT ON steward_messages BEGIN SELECT"
     " RAISE(ABORT, 'broken'); END"},
    {"delivery_ack('w', 1)",
     "CREATE TRIGGER broken AFTER UPDATE ON steward_cursors BEGIN SELECT"
     " RAISE(ABORT, 'broken'); END"},
};

static const char *const azContext[] = {
    "SELECT %s",
    "BEGIN; SELECT %s",
    "BEGIN; SAVEPOINT s; SELECT %s",
    "INSERT INTO host VALUES (%s)",
    "BEGIN; INSERT INTO host VALUES (%s)",
    "BEGIN; INSERT INTO host SELECT %s",
    "BEGIN; UPDATE host SET x = (SELECT %s)",
};

static void break_one(const char *zCall, const char *zBreak,
                      const char *zContext) {
  sqlite3 *db = open_fresh();
  char zSql[400];
  char *zGot;
  unsigned long long before;
  free(value(db, "CREATE TABLE host(x); CREATE TABLE due(at INTEGER);"
                 "CREATE TABLE swept(at INTEGER); INSERT INTO swept VALUES"
                 " (1), (2); INSERT INTO host VALUES (0);"
                 "SELECT ttl_attach('swept', 'at', '{\"unit\":\"s\"}');"
                 "SELECT delivery_subscribe('w', 't');"
                 "SELECT delivery_publish('t', 0)"));
  free(value(db, zBreak));
  before = digest(db);
  snprintf(zSql, sizeof(zSql), zContext, zCall);
  zGot = value(db, zSql);
  check(zGot && (strstr(zGot, "broken") || strstr(zGot, "UNSUPPORTED: ")),
        "%s: %s", zSql, zGot ? zGot : "NULL");
  free(zGot);
  check(digest(db) == before, "%s left something half done", zSql);
  if (!sqlite3_get_autocommit(db)) free(value(db, "COMMIT"));
  check(digest(db) == before, "%s committed something half done", zSql);
  expect(db, "PRAGMA integrity_check", "ok");
  sqlite3_close(db);
}

static void atomic_everywhere(void) {
  size_t i, j;
  for (i = 0; i < sizeof(aBroken) / sizeof(aBroken[0]); i++) {
    for (j = 0; j < sizeof(azContext) / sizeof(azContext[0]); j++) {
      break_one(aBroken[i].zCall, aBroken[i].zBreak, azContext[j]);
    }
  }
}

/* The caller's rowid is the caller's again. */
static void keep_rowid(void) {
  sqlite3 *db = open_fresh();
  expect(db,
         "CREATE TABLE host(id INTEGER PRIMARY KEY, x);"
         "INSERT INTO host VALUES (77, 0); SELECT delivery_publish('t', 1);"
         "SELECT perf_record('m', 1); SELECT migrate_down('http', 0);"
         "SELECT last_insert_rowid()",
         "77");
  expect(db,
         "INSERT INTO host VALUES (78, delivery_publish('t', 1));"
         "SELECT last_insert_rowid()",
         "78");
  sqlite3_close(db);
}

int main(int argc, char **argv) {
  int fd;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  snprintf(zFile, sizeof(zFile), "/tmp/steward-capi-XXXXXX");
  fd = mkstemp(zFile);
  if (fd >= 0) close(fd);
  refuse_old_sqlite(argv[0]);
  load_touches_nothing();
  load_restricted();
  load_settings();
  on_dqlite();
  wait_for_writer("SELECT migrate_down('http', 0)", "2");
  wait_for_writer("SELECT delivery_publish('t', 1)", "1");
  wait_for_writer("BEGIN; SELECT delivery_publish('t', 1)", "1");
  wait_for_writer("BEGIN; SELECT migrate_down('http', 0)", "2");
  busy_texts();
  atomic_everywhere();
  keep_rowid();
  remove_file();
  check(sqlite3_memory_used() == 0, "%lld bytes lost", sqlite3_memory_used());
  return finish();
}
