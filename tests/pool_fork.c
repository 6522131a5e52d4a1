/*
** pool_fork.c - the connection pool in a process that forks, or ends with
** connections in use.
**
**     pool_fork steward.so
*/
#include <pthread.h>
#include <sys/wait.h>

#include "pool.h"

/* Can another process write?  0, or SQLITE_BUSY. */
static int other_process_writes(void) {
  char zCommand[400];
  int rc;
  snprintf(zCommand, sizeof(zCommand),
           "sqlite3 -batch '%s' 'BEGIN IMMEDIATE; ROLLBACK' 2>/dev/null",
           zFile);
  rc = system(zCommand);
  return WIFEXITED(rc) && WEXITSTATUS(rc) == 0;
}

static int child_of_idle(void) {
  sqlite3 *a = acquire(100);
  if (a == NULL) return 1;
  expect(a, "INSERT INTO t VALUES (1000); SELECT count(*) FROM t", "11");
  release(a);
  return nFailed != 0;
}

static int child_of_used(sqlite3 *held) {
  sqlite3 *a = NULL;
  refused(zFile, 100, SQLITE_ERROR, "this process was forked while");
  check(api->pool_release(held) == SQLITE_MISUSE, "not the child's to release");
  /* other files are not concerned */
  make_file(zOther, "CREATE TABLE t(x)");
  check(api->pool_acquire(zOther, 100, &a) == SQLITE_OK, "%s", api->error());
  if (a) release(a);
  return nFailed != 0;
}

/* It ends with a connection in use, in a transaction. */
static int child_that_leaves(void) {
  sqlite3 *a = acquire(100), *b = acquire(100);
  if (a == NULL || b == NULL) return 1;
  expect(a, "BEGIN IMMEDIATE; INSERT INTO t SELECT x FROM t; SELECT 1", "1");
  release(b);
  return nFailed != 0;
}

/* More files than there are pools for. */
static int child_of_many(void) {
  sqlite3 *db = open_loaded(zOther);
  char *z = sqlite3_mprintf(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i"
      " < 5000) SELECT pool_configure('%q/n' || i || '.db', 1, 1, 50) FROM n",
      zDir);
  expect_like(db, z, "LIMIT_EXCEEDED: pool_configure: 4096 files have pools");
  expect(db, "SELECT count(*) FROM pool_status", "4096");
  sqlite3_free(z);
  sqlite3_close(db);
  return nFailed != 0;
}

/* A VFS in which a close takes its time. */
static sqlite3_vfs slow;
static int (*xDeleteReal)(sqlite3_vfs *, const char *, int);
static _Atomic int bInClose, bGoOn;

static int slow_delete(sqlite3_vfs *p, const char *z, int bSync) {
  if (strstr(z, "/closing.db")) {
    bInClose = 1;
    while (!bGoOn) sqlite3_sleep(1);
  }
  return xDeleteReal(p, z, bSync);
}

static void *close_slowly(void *pUnused) {
  release(acquire(0)); /* which looks after the idle ones of all pools */
  return NULL;
}

static int child_of_closing(void) {
  char z[300];
  snprintf(z, sizeof(z), "%s/closing.db", zDir);
  refused(z, 100, SQLITE_ERROR, "this process was forked while");
  return nFailed != 0;
}

/* What a child process says; it ends by exit(), with all that is done then. */
static void in_child(int (*x)(void), int (*y)(sqlite3 *), sqlite3 *held) {
  int iStatus = 0;
  pid_t pid;
  fflush(stdout);
  pid = fork();
  if (pid == 0) {
    nFailed = 0;
    exit(x ? x() : y(held));
  }
  waitpid(pid, &iStatus, 0);
  check(WIFEXITED(iStatus) && WEXITSTATUS(iStatus) == 0, "the child: %d",
        iStatus);
}

/* A connection that another thread is about to close is in the child, too. */
static void fork_beside_close(void) {
  sqlite3_vfs *pReal = sqlite3_vfs_find(NULL);
  pthread_t thread;
  sqlite3 *a = NULL, *db;
  char z[300], *zSql;
  snprintf(z, sizeof(z), "%s/closing.db", zDir);
  make_file(z, "CREATE TABLE t(x)");
  slow = *pReal;
  slow.zName = "slow";
  xDeleteReal = slow.xDelete;
  slow.xDelete = slow_delete;
  sqlite3_vfs_register(&slow, 1);
  db = open_loaded(zFile);
  zSql = sqlite3_mprintf("SELECT pool_configure(%Q, 1, 1, 50,"
                         " '{\"max_age\":1}')",
                         z);
  expect(db, zSql, "1");
  check(api->pool_acquire(z, 0, &a) == SQLITE_OK, "%s", api->error());
  expect(a, "INSERT INTO t VALUES (1)", NULL);
  release(a);
  spin(1100000); /* the pool looks once a second */
  pthread_create(&thread, NULL, close_slowly, NULL);
  while (!bInClose) sqlite3_sleep(1);
  in_child(child_of_closing, NULL, NULL);
  bGoOn = 1;
  pthread_join(thread, NULL);
  check(api->pool_acquire(z, 0, &a) == SQLITE_OK, "%s", api->error());
  expect(a, "SELECT count(*) FROM t", "1");
  release(a);
  sqlite3_free(zSql);
  sqlite3_close(db);
  sqlite3_vfs_register(pReal, 1);
  sqlite3_vfs_unregister(&slow);
}

static void forks(void) {
  sqlite3 *db, *a, *main_db;
  char zPath[300];
  /* the host's own connection is to another file, as it must be */
  snprintf(zPath, sizeof(zPath), "%s/main.db", zDir);
  main_db = open_loaded(zPath);
  configure(main_db, "2, 4, '1s'");
  release(acquire(0));
  check(status(main_db, "idle") == 2, "two are idle");
  in_child(child_of_idle, NULL, NULL);
  check(status(main_db, "open") == 0, "they were closed before the fork");
  in_child(child_that_leaves, NULL, NULL);
  in_child(child_of_many, NULL, NULL);
  a = acquire(0);
  expect(a, "SELECT count(*) FROM t", "11");

  expect(a, "BEGIN IMMEDIATE; INSERT INTO t VALUES (7)", NULL);
  check(!other_process_writes(), "the parent has the lock");
  in_child(NULL, child_of_used, a);
  check(!other_process_writes(), "and has it after the child has ended");
  expect(a, "COMMIT; SELECT count(*) FROM t", "12");
  release(a);
  check(other_process_writes(), "until it gives it back");
  expect(a = acquire(0), "PRAGMA integrity_check", "ok");
  release(a);
  db = main_db;
  check(sqlite3_close(db) == SQLITE_OK, "close");
}

/* A keeper looks at the pool in its ticks, and a fork waits for both. */
static void fork_beside_keeper(void) {
  sqlite3 *db;
  int i, iStatus;
  make_file(zFile, TEN_ROWS);
  db = open_loaded(zFile);
  sqlite3_busy_timeout(db, 10000);
  free(value(db, "SELECT migrate_up('maintenance'),"
                 " steward_setting('keeper_health', 1)"));
  expect(db, "SELECT keeper_start(10)", "1");
  alarm(120); /* each waiting for the other would never end */
  for (i = 0; i < 40; i++) {
    pid_t pid;
    release(acquire(1000));
    spin(3000);
    fflush(stdout);
    pid = fork();
    if (pid == 0) _exit(0);
    waitpid(pid, &iStatus, 0);
    check(iStatus == 0, "child %d: %d", i, iStatus);
  }
  alarm(0);
  expect(db, "SELECT errors_total FROM keeper_status", "0");
  expect(db, "SELECT runs_total > 3 FROM keeper_duties WHERE duty = 'health'",
         "1");
  expect(db, "SELECT keeper_stop()", "1");
  check(sqlite3_close(db) == SQLITE_OK, "close");
}

int main(int argc, char **argv) {
  sqlite3 *db;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  db = begin_pool();
  if (db == NULL) return finish();
  check(sqlite3_close(db) == SQLITE_OK, "close");
  fork_beside_keeper(); /* which is there before the pool is used */
  forks();
  fork_beside_close();
  remove_dir();
  return finish();
}
