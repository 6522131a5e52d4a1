/*
** pool.c - the connection pool as C programs use it: the life of a connection,
** limits and the order of those who wait, files that go, connections that
** break, threads, and the end.
**
**     pool steward.so
*/
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "pool.h"

/*************************************************************************
** One connection after the other
*/
static int nWalHook;

static int wal_hook(void *p, sqlite3 *db, const char *zSchema, int nPage) {
  nWalHook++;
  return SQLITE_OK;
}

static void lives(sqlite3 *db) {
  sqlite3 *a, *b, *other = NULL;
  sqlite3_stmt *pStmt = NULL;
  configure(db, "1, 2, '1s'");
  a = acquire(0);
  check(sqlite3_txn_state(a, NULL) == SQLITE_TXN_NONE, "no transaction");
  expect(a, "SELECT steward_version()", STEWARD_VERSION);
  expect(a, "PRAGMA synchronous", "1");
  expect(a, "PRAGMA journal_mode", "wal");
  expect(a, "PRAGMA query_only", "0");
  b = acquire(0);
  check(a != b, "two callers, two connections");
  check(status(db, "in_use") == 2 && status(db, "idle") == 0, "in use");
  refused(zFile, 0, SQLITE_BUSY,
          "BUSY: steward_pool_acquire: all 2 connections");
  refused(zFile, 30, SQLITE_BUSY, "were in use for ");
  check(atoi(strstr(api->error(), "use for ") + 8) >= 30, "too early: %s",
        api->error());
  check(status(db, "timeouts_total") == 2, "time-outs are counted");
  release(b);
  check(api->pool_release(b) == SQLITE_MISUSE, "a double release is refused");
  check(strstr(api->error(), "no connection that was acquired") != NULL,
        "and says why: %s", api->error());
  check(api->pool_release(db) == SQLITE_MISUSE, "nor is it the host's own");
  check(api->pool_release(NULL) == SQLITE_MISUSE, "nor NULL");
  expect(b, "SELECT 1", "interrupted");
  check(acquire(0) == b, "the last one that came back goes out first");
  expect(b, "SELECT 1", "1");

  /* what is unfinished is ended */
  expect(b, "BEGIN; INSERT INTO t VALUES (99); SELECT max(x) FROM t", "99");
  sqlite3_prepare_v2(b, "SELECT x FROM t", -1, &pStmt, NULL);
  sqlite3_step(pStmt);
  release(b);
  expect(db, "SELECT count(*) FROM t WHERE x = 99", "0");
  check(!sqlite3_stmt_busy(pStmt), "the statement was reset");
  sqlite3_finalize(pStmt);
  check(acquire(0) == b, "it is given out again");

  /* also one that reads nothing, which has no transaction */
  sqlite3_prepare_v2(b, "SELECT value FROM json_each('[1,2]')", -1, &pStmt,
                     NULL);
  check(sqlite3_step(pStmt) == SQLITE_ROW, "a row");
  sqlite3_wal_hook(b, wal_hook, NULL);
  release(b);
  check(!sqlite3_stmt_busy(pStmt), "the statement was reset");
  sqlite3_finalize(pStmt);
  check(acquire(0) == b, "it is given out again");
  expect(b, "INSERT INTO t VALUES (100); DELETE FROM t WHERE x = 100", NULL);
  check(nWalHook == 0, "a hook of the one before was called");
  expect(b, "PRAGMA wal_autocheckpoint", "1000");

  /* what is not as it was is closed */
  expect(b, "SELECT steward_clock(7)", "1");
  release(b);
  check(acquire(0) == b, "a pinned clock is no reason to close it");
  expect(b, "SELECT steward_now() > 1000000", "1");
  expect(b, "ATTACH ':memory:' AS more", NULL);
  release(b);
  check(status(db, "open") == 1, "with an attached database it is closed");
  release(a);
  a = acquire(0);
  expect(a, "SELECT migrate_up('core') > 0; SELECT keeper_start('1h')", "1");
  release(a);
  check(status(db, "open") == 0, "and with a keeper");
  check(status(db, "in_use") == 0, "nothing is in use");

  refused(NULL, 0, SQLITE_ERROR, "path must be text");
  refused("", 0, SQLITE_ERROR, "path must be that of a file");
  refused(":memory:", 0, SQLITE_ERROR, "path must be that of a file");
  refused("/nowhere/x.db", 0, SQLITE_ERROR, "NOT_FOUND");
  refused("/", 0, SQLITE_ERROR, "NOT_FOUND");
  refused("/etc/passwd", 0, SQLITE_NOTADB, "file is not a database");
  check(api->pool_acquire(zFile, 0, &other) == SQLITE_OK &&
            strcmp(api->error(), "") == 0,
        "no error is left");
  release(other);
}

/* The same file by other names is the same pool. */
static void names(sqlite3 *db) {
  char zPath[300];
  sqlite3 *a, *b = NULL;
  configure(db, "1, 1, 50");
  a = acquire(0);
  snprintf(zPath, sizeof(zPath), "%s/link.db", zDir);
  unlink(zPath);
  if (symlink(zFile, zPath)) check(0, "symlink");
  refused(zPath, 0, SQLITE_BUSY, "all 1 connections");
  snprintf(zPath, sizeof(zPath), "%s/../%s/./a.db", zDir,
           strrchr(zDir, '/') + 1);
  refused(zPath, -1, SQLITE_BUSY, "all 1 connections");
  release(a);
  check(api->pool_acquire(zPath, 0, &b) == SQLITE_OK && a == b, "one pool");
  release(b);
  snprintf(zPath, sizeof(zPath), "%s/link.db", zDir);
  unlink(zPath);
}

static void limits(sqlite3 *db) {
  sqlite3 *a, *b, *c;
  int nOpened;
  configure(db, "1, 3, 50, '{\"max_idle\":1}'");
  a = acquire(0);
  b = acquire(0);
  c = acquire(0);
  release(a);
  release(b);
  check(status(db, "open") == 2 && status(db, "idle") == 1, "max_idle");
  configure(db, "1, 1, 50");
  release(c);
  check(status(db, "open") == 1, "a lower maximum counts at once");

  configure(db, "1, 1, 50, '{\"max_age\":2}'");
  nOpened = status(db, "opened_total");
  spin(3000);
  release(acquire(0));
  check(status(db, "opened_total") == nOpened + 1, "max_age");

  configure(db, "1, 4, 50, '{\"idle_timeout\":2}'");
  a = acquire(0);
  b = acquire(0);
  c = acquire(0);
  release(a);
  release(b);
  release(c);
  check(status(db, "idle") == 3, "three are idle");
  spin(1100000); /* the pool looks once a second */
  release(acquire(0));
  check(status(db, "idle") == 1, "idle_timeout leaves min, not %d",
        status(db, "idle"));
}

/*************************************************************************
** Those who wait
*/
typedef struct Caller {
  pthread_t thread;
  int i;
} Caller;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int aOrder[20], nOrder;

static void *wait_in_line(void *pArg) {
  Caller *p = pArg;
  sqlite3 *db = NULL;
  int rc = api->pool_acquire(zFile, 20000, &db);
  pthread_mutex_lock(&mutex);
  check(rc == SQLITE_OK, "waiter %d: %s", p->i, api->error());
  aOrder[nOrder++] = p->i;
  pthread_mutex_unlock(&mutex);
  if (db) api->pool_release(db);
  return NULL;
}

/* Whoever came first is served first, by the one connection there is. */
static void order(sqlite3 *db) {
  Caller a[20];
  sqlite3 *held;
  int i, bInOrder = 1;
  configure(db, "1, 1, '20s'");
  held = acquire(0);
  for (i = 0; i < 20; i++) {
    a[i].i = i;
    pthread_create(&a[i].thread, NULL, wait_in_line, &a[i]);
    while (status(db, "waiting") != i + 1) sqlite3_sleep(1);
  }
  refused(zFile, 5, SQLITE_BUSY, "and 20 more callers wait");
  release(held);
  for (i = 0; i < 20; i++) pthread_join(a[i].thread, NULL);
  for (i = 0; i < 20; i++) bInOrder &= aOrder[i] == i;
  check(bInOrder && nOrder == 20, "served in the order in which they came");
  check(status(db, "waiting") == 0 && status(db, "in_use") == 0, "all done");
  check(status(db, "open") == 1, "by one connection");
  check(status(db, "wait_max_ms > 0 AND wait_p95_ms <= wait_max_ms AND"
                   " wait_p50_ms <= wait_p95_ms"),
        "the waits are told");

  /* a higher maximum lets them in at once */
  nOrder = 0;
  held = acquire(0);
  pthread_create(&a[0].thread, NULL, wait_in_line, &a[0]);
  while (status(db, "waiting") != 1) sqlite3_sleep(1);
  configure(db, "1, 2, '20s'");
  pthread_join(a[0].thread, NULL);
  check(nOrder == 1, "served");
  release(held);
}

/* health_checks and steward_doctor tell of a pool that is too small for those
** who use it, and the doctor's SQL makes room. */
static void told(sqlite3 *db) {
  static const char zStatus[] =
      "SELECT status || ' ' || value || coalesce(' ' || (details ->> '$.sql'),"
      " '') FROM health_checks WHERE check_type = 'pool'";
  static const char zFinding[] =
      "SELECT severity || ': ' || what || ' ' || (evidence ->> '$.waiting') ||"
      " iif(why <> '' AND effect <> '', '', ' ?') FROM steward_doctor"
      " WHERE finding = 'pool'";
  Caller a;
  char *zSql, *z;
  sqlite3 *held, *more;
  configure(db, "1, 2, '7s', '{\"max_age\":\"1h\"}'");
  expect(db, zStatus, "healthy 0.0");
  held = acquire(0);
  expect(db, zStatus, "healthy 50.0");
  expect(db, zFinding, NULL);
  more = acquire(0);
  expect(db, zStatus, "warning 100.0 SELECT * FROM pool_status");
  z = sqlite3_mprintf("warning: 0 callers wait for a connection to %s, and 2 "
                      "of 2 are in use 0",
                      zFile);
  expect(db, zFinding, z);
  sqlite3_free(z);
  nOrder = 0;
  pthread_create(&a.thread, NULL, wait_in_line, &a);
  while (status(db, "waiting") != 1) sqlite3_sleep(1);
  expect(db, zStatus, "critical 100.0 SELECT * FROM pool_status");
  z = sqlite3_mprintf("warning: 1 callers wait for a connection to %s, and 2 "
                      "of 2 are in use 1",
                      zFile);
  expect(db, zFinding, z);
  sqlite3_free(z);
  zSql = value(db, "SELECT sql FROM steward_doctor WHERE finding = 'pool'");
  expect(db, zSql, "1");
  free(zSql);
  pthread_join(a.thread, NULL);
  check(nOrder == 1, "the one who waited was served");
  expect(db, zFinding, NULL);
  expect(db, zStatus, "healthy 50.0");
  check(status(db, "max_connections") == 4, "as many again");
  release(more);
  release(held);
}

/* sqlite3_interrupt() reaches who waits for a connection, which is no time-out
** of the pool's. */
static void *query_in_vain(void *pDb) {
  char *zSql = sqlite3_mprintf("SELECT pool_query(%Q, 'SELECT 1 AS a')", zFile);
  expect(pDb, zSql, "pool_query: interrupted");
  sqlite3_free(zSql);
  return NULL;
}

static void interrupted(sqlite3 *db) {
  sqlite3 *host, *held;
  pthread_t thread;
  int nTimeout;
  configure(db, "1, 1, '20s'");
  held = acquire(0);
  nTimeout = status(db, "timeouts_total");
  host = open_loaded(zFile);
  pthread_create(&thread, NULL, query_in_vain, host);
  while (status(db, "waiting") != 1) sqlite3_sleep(1);
  sqlite3_interrupt(host);
  pthread_join(thread, NULL);
  check(status(db, "timeouts_total") == nTimeout, "no time-out");
  check(status(db, "waiting") == 0, "it has left the line");
  release(held);
  sqlite3_close(host);
}

/*************************************************************************
** Files and connections that go
*/
static void files(sqlite3 *db) {
  sqlite3 *a;
  char zMoved[300];
  configure(db, "1, 2, '1s'");
  snprintf(zMoved, sizeof(zMoved), "%s/moved.db", zDir);

  /* replaced while idle, by another file with another table; what is in a WAL
  ** that stays behind would be read as the new file's */
  a = acquire(0);
  expect(a, "PRAGMA wal_checkpoint(TRUNCATE)", "0");
  release(a);
  make_file(zOther, "CREATE TABLE new(x); INSERT INTO new VALUES (5)");
  rename(zFile, zMoved);
  rename(zOther, zFile);
  a = acquire(0);
  expect(a, "SELECT x FROM new", "5");
  release(a);

  /* deleted while in use: it still works, and is not given out again */
  a = acquire(0);
  unlink(zFile);
  expect(a, "SELECT x FROM new", "5");
  release(a);
  refused(zFile, 0, SQLITE_ERROR, "NOT_FOUND");
  check(status(db, "in_use") == 0, "a slot is not lost");
  rename(zMoved, zFile);
  a = acquire(0);
  expect(a, "SELECT count(*) FROM t", "10");
  release(a);
}

/* A connection whose descriptor is gone, behind SQLite's back. */
static void broken(sqlite3 *db) {
  int aFd[1000], n = 0, i, fd, nBroken;
  char zPath[300], zTarget[300];
  sqlite3 *a;
  make_file(zOther, "PRAGMA journal_mode = DELETE; CREATE TABLE t(x)");
  for (i = 3; i < 1000; i++) aFd[i] = fcntl(i, F_GETFD) >= 0;
  strcpy(zPath, zFile);
  strcpy(zFile, zOther);
  configure(db, "1, 2, '1s', '{\"probe\":0}'");
  a = acquire(0);
  release(a);
  nBroken = status(db, "broken_total");
  fd = open("/dev/null", O_WRONLY);
  for (i = 3; i < 1000; i++) {
    char zLink[100];
    ssize_t nLink;
    snprintf(zLink, sizeof(zLink), "/proc/self/fd/%d", i);
    nLink = readlink(zLink, zTarget, sizeof(zTarget) - 1);
    if (nLink <= 0 || aFd[i]) continue;
    zTarget[nLink] = 0;
    if (strcmp(zTarget, zOther) == 0 && dup2(fd, i) == i) n++;
  }
  close(fd);
  check(n == 1, "%d descriptors were taken away", n);
  a = acquire(0);
  expect(a, "SELECT count(*) FROM t", "0");
  check(status(db, "broken_total") == nBroken + 1, "it was replaced");
  release(a);
  strcpy(zFile, zPath);
}

/* The rows of the file itself count for C callers. */
static void own_config(sqlite3 *db) {
  sqlite3 *own, *a;
  char zPath[300];
  strcpy(zPath, zFile);
  snprintf(zFile, sizeof(zFile), "%s/own.db", zDir);
  remove_file(zFile);
  own = open_loaded(zFile);
  free(value(own, "PRAGMA journal_mode = WAL; SELECT migrate_up('maintenance');"
                  "UPDATE sqlite_pool_config SET max_connections = 2"));
  a = acquire(0);
  check(status(db, "open") == 2 && status(db, "max_connections") == 2,
        "min and max by the row `default`");
  spin(150000); /* they are read 10 times a second */
  free(value(own, "UPDATE sqlite_pool_config SET max_connections = 3,"
                  " connection_timeout = 1"));
  release(acquire(0));
  check(status(db, "max_connections") == 3, "an update counts");
  free(value(own, "SELECT pool_configure('own.db', 1, 1, 7)"));
  check(status(db, "max_connections") == 3, "not by another directory's name");
  configure(own, "1, 1, 7");
  refused(zFile, -1, SQLITE_BUSY, "all 1 connections");
  expect(own, "SELECT connection_timeout FROM sqlite_pool_config WHERE id > 1",
         "1");
  release(a);
  sqlite3_close(own);
  strcpy(zFile, zPath);
}

/* The profile `streaming`: 25, 5 of them idle, each for a while. */
static void streaming(sqlite3 *db) {
  sqlite3 *own, *aDb[7];
  char zPath[300];
  int i, nOpened;
  strcpy(zPath, zFile);
  snprintf(zFile, sizeof(zFile), "%s/streaming.db", zDir);
  remove_file(zFile);
  own = open_loaded(zFile);
  free(value(own, "PRAGMA journal_mode = WAL; SELECT migrate_up('maintenance');"
                  "SELECT tune_apply('streaming')"));
  for (i = 0; i < 7; i++) aDb[i] = acquire(0);
  check(status(db, "max_connections") == 25, "25 at most");
  for (i = 0; i < 7; i++) release(aDb[i]);
  check(status(db, "idle") == 5, "5 stay idle, not %d", status(db, "idle"));
  expect(own,
         "UPDATE steward_pool_options SET max_age_ms = max_age_ms / 100000"
         " WHERE max_age_ms = 300000; SELECT changes()",
         "1");
  spin(150000); /* the rows are read 10 times a second */
  release(acquire(0));
  nOpened = status(db, "opened_total");
  spin(4000);
  release(acquire(0));
  check(status(db, "opened_total") == nOpened + 1, "too old to be handed out");
  check(status(db, "broken_total") == 0, "which is no fault of it");
  sqlite3_close(own);
  strcpy(zFile, zPath);
}

/*************************************************************************
** Threads
*/
#define THREADS 16
#define ROUNDS 400

static int nShared; /* connections in use at a time, under the mutex */
static int nMost;

static void *hammer(void *pArg) {
  unsigned iSeed = (unsigned)(size_t)pArg * 7919u;
  int i;
  for (i = 0; i < ROUNDS; i++) {
    sqlite3 *db = NULL;
    char zSql[80];
    int rc = api->pool_acquire(zFile, 20000, &db);
    iSeed = iSeed * 1103515245u + 12345u;
    pthread_mutex_lock(&mutex);
    check(rc == SQLITE_OK, "hammer: %s", api->error());
    if (++nShared > nMost) nMost = nShared;
    pthread_mutex_unlock(&mutex);
    if (rc) break;
    if (iSeed >> 16 & 1) {
      snprintf(zSql, sizeof(zSql), "UPDATE n SET x = x + 1");
      rc = sqlite3_exec(db, zSql, NULL, NULL, NULL);
      pthread_mutex_lock(&mutex);
      check(rc == SQLITE_OK, "hammer: %s", sqlite3_errmsg(db));
      nOrder++;
      pthread_mutex_unlock(&mutex);
    } else if (iSeed >> 17 & 1) {
      sqlite3_exec(db, "BEGIN; SELECT x FROM n", NULL, NULL, NULL);
    }
    if ((iSeed >> 18 & 63) == 0) {
      sqlite3_exec(db, "ATTACH ':memory:' AS more", NULL, NULL, NULL);
    }
    pthread_mutex_lock(&mutex);
    nShared--;
    pthread_mutex_unlock(&mutex);
    api->pool_release(db);
  }
  return NULL;
}

static void threads(sqlite3 *db) {
  pthread_t a[THREADS];
  char zWant[20];
  size_t i;
  free(value(db, "CREATE TABLE IF NOT EXISTS n(x); DELETE FROM n;"
                 "INSERT INTO n VALUES (0)"));
  configure(db, "1, 4, '20s', '{\"busy_timeout\":\"20s\"}'");
  nOrder = nMost = 0;
  for (i = 0; i < THREADS; i++) {
    pthread_create(&a[i], NULL, hammer, (void *)(i + 1));
  }
  for (i = 0; i < THREADS; i++) pthread_join(a[i], NULL);
  snprintf(zWant, sizeof(zWant), "%d", nOrder);
  expect(db, "SELECT x FROM n", zWant);
  check(nMost <= 4, "at most 4 at a time, not %d", nMost);
  check(status(db, "in_use") == 0 && status(db, "open") <= 4, "all are back");
  check(status(db, "in_use_peak") == 4, "peak");
}

/* Several callers read many files at a time, through the same pools. */
#define FILES 12

static void *read_many(void *pPaths) {
  sqlite3 *db = NULL;
  char *zSql, *zGot;
  int i;
  pthread_mutex_lock(&mutex);
  db = open_loaded(zFile);
  pthread_mutex_unlock(&mutex);
  zSql = sqlite3_mprintf(
      "SELECT sum(value ->> '$.rows[0].x') || ' of ' || count(*) FROM"
      " json_each(pool_query_all(%Q, 'SELECT x FROM t WHERE x > ?1', '[0]'))",
      pPaths);
  for (i = 0; i < 20; i++) {
    zGot = value(db, zSql);
    pthread_mutex_lock(&mutex);
    check(same(zGot, "78 of 12"), "read_many: %s", zGot ? zGot : "NULL");
    pthread_mutex_unlock(&mutex);
    free(zGot);
  }
  sqlite3_free(zSql);
  sqlite3_close(db);
  return NULL;
}

static void many(void) {
  pthread_t a[4];
  sqlite3_str *pPaths = sqlite3_str_new(NULL);
  char zPath[300], zSql[100], *zPaths;
  int i;
  for (i = 1; i <= FILES; i++) {
    snprintf(zPath, sizeof(zPath), "%s/many%d.db", zDir, i);
    snprintf(zSql, sizeof(zSql), "CREATE TABLE t(x); INSERT INTO t VALUES (%d)",
             i);
    make_file(zPath, zSql);
    sqlite3_str_appendf(pPaths, "%s\"%s\"", i > 1 ? "," : "[", zPath);
  }
  sqlite3_str_appendall(pPaths, "]");
  zPaths = sqlite3_str_finish(pPaths);
  for (i = 0; i < 4; i++) pthread_create(&a[i], NULL, read_many, zPaths);
  for (i = 0; i < 4; i++) pthread_join(a[i], NULL);
  sqlite3_free(zPaths);
}

/*************************************************************************
** The end
*/
static void last_user(void) {
  sqlite3 *first = open_loaded(":memory:"), *second = open_loaded(":memory:");
  sqlite3 *a, *b;
  char zWal[300];
  struct stat st;
  snprintf(zWal, sizeof(zWal), "%s-wal", zFile);
  a = acquire(0);
  b = acquire(0);
  expect(a, "INSERT INTO t VALUES (2000)", NULL);
  release(a);
  sqlite3_close(first);
  check(status(second, "idle") >= 1, "one more connection has the library");
  sqlite3_close(second);
  first = open_loaded(":memory:");
  check(status(first, "idle") == 0 && status(first, "in_use") == 1,
        "with the last one the idle ones go");
  expect(b, "SELECT count(*) FROM t WHERE x = 2000", "1");
  release(b);
  sqlite3_close(first);
  check(stat(zWal, &st) != 0, "closed cleanly: no WAL is left");
  check(sqlite3_memory_used() == 0, "%lld bytes lost", sqlite3_memory_used());

  /* without a connection of the host it still works, until the end */
  release(acquire(0));
  remove_dir();
}

int main(int argc, char **argv) {
  sqlite3 *db;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  db = begin_pool();
  if (db == NULL) return finish();
  lives(db);
  names(db);
  limits(db);
  order(db);
  interrupted(db);
  told(db);
  threads(db);
  many();
  files(db);
  broken(db);
  own_config(db);
  streaming(db);
  check(sqlite3_close(db) == SQLITE_OK, "close");
  check(sqlite3_memory_used() == 0, "%lld bytes lost", sqlite3_memory_used());
  last_user();
  return finish();
}
