/*
** keeper.c - the keeper's thread: its beginning and its end, in one process,
** in several, in a child, beside writers.
**
**     keeper steward.so [rounds]
*/
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctest.h"

static char zFile[200];

static void nap(int nMs) {
  struct timespec t = {0, nMs * 1000000L};
  nanosleep(&t, NULL);
}

static sqlite3 *open_file(void) {
  sqlite3 *db = open_loaded(zFile);
  sqlite3_busy_timeout(db, 10000);
  return db;
}

static void remove_files(void) {
  static const char *const azSuffix[] = {"", "-wal", "-shm", "-journal"};
  int i;
  for (i = 0; i < 4; i++) {
    char z[220];
    sqlite3_snprintf(sizeof(z), z, "%s%s", zFile, azSuffix[i]);
    unlink(z);
  }
}

/* A new file with rows that expire. */
static sqlite3 *fresh(void) {
  sqlite3 *db;
  remove_files();
  db = open_file();
  free(value(db, "SELECT migrate_up('maintenance');"
                 "CREATE TABLE s(id INTEGER PRIMARY KEY, at INTEGER);"
                 "SELECT ttl_attach('s', 'at', '{\"unit\":\"s\",\"on_write\":"
                 "false}');"
                 "INSERT INTO s(at) VALUES (1), (2), (9999999999);"
                 "SELECT steward_setting('keeper_expiry', 1);"
                 "SELECT steward_setting('keeper_optimize', 0)"));
  return db;
}

/* Ask until the answer is zWant, for 20 s at most. */
static int await_value(sqlite3 *db, const char *zSql, const char *zWant) {
  int i;
  for (i = 0; i < 2000; i++) {
    char *z = value(db, zSql);
    int bSame = same(z, zWant);
    free(z);
    if (bSame) return 1;
    nap(10);
  }
  expect(db, zSql, zWant);
  return 0;
}

static int count_entries(const char *zDirectory) {
  DIR *p = opendir(zDirectory);
  int n = 0;
  while (p && readdir(p)) n++;
  if (p) closedir(p);
  return n;
}

/* ThreadSanitizer has threads of its own, and knows none begun in a child. */
#ifdef __SANITIZE_THREAD__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static int threads(void) {
  return SANITIZED ? 0 : count_entries("/proc/self/task");
}

static void close_ok(sqlite3 *db, const char *zWhen) {
  int rc = sqlite3_close(db);
  check(rc == SQLITE_OK, "%s: sqlite3_close gave %d", zWhen, rc);
}

/* It works, and at the close of its connection it is gone, its place given
** back, the WAL copied. */
static void start_and_close(void) {
  sqlite3 *db = fresh();
  int nThread = threads(), nFd = count_entries("/proc/self/fd");
  char z[220];
  expect(db, "SELECT keeper_start('20ms')", "1");
  check(SANITIZED || threads() == nThread + 1, "%d threads, not one more",
        threads());
  await_value(db, "SELECT group_concat(at) FROM s", "9999999999");
  await_value(db, "SELECT ticks_total > 3 FROM keeper_status", "1");
  expect(db,
         "SELECT running || active || errors_total || (holder LIKE '%/' || "
         "'%') FROM keeper_status",
         "1101");
  expect(db,
         "SELECT holder = (SELECT holder FROM keeper_status) FROM keeper_log "
         "WHERE duty = 'expiry'",
         "1");
  expect(db, "SELECT keeper_start('1h')", "1");
  await_value(db, "SELECT interval_ms FROM keeper_status", "3600000");
  expect(db, "SELECT keeper_start('20ms')", "1");
  check(SANITIZED || threads() == nThread + 1,
        "%d threads after starting again", threads());
  expect(db, "SELECT keeper_stop()", "1");
  expect(db, "SELECT keeper_stop()", "0");
  expect(db, "SELECT running || active FROM keeper_status", "00");
  check(threads() == nThread, "%d threads after the stop", threads());
  expect(db, "SELECT keeper_start('20ms')", "1");
  close_ok(db, "with a keeper");
  check(threads() == nThread, "%d threads after the close", threads());
  check(count_entries("/proc/self/fd") < nFd, "descriptors are left");
  sqlite3_snprintf(sizeof(z), z, "%s-wal", zFile);
  check(access(z, F_OK) != 0, "the WAL is left");
  db = open_file();
  expect(db, "SELECT lease_until <= steward_now() FROM keeper_status", "1");
  close_ok(db, "the last");
}

/* A statement that is not finished keeps the connection, and the keeper, too;
** a connection that is closed by _v2 ends both with its last statement. */
static void close_too_early(void) {
  sqlite3 *db = fresh();
  sqlite3_stmt *s = NULL;
  int nThread = threads();
  expect(db, "SELECT keeper_start('20ms')", "1");
  sqlite3_prepare_v2(db, "SELECT 1", -1, &s, NULL);
  check(sqlite3_close(db) == SQLITE_BUSY, "closed under a statement");
  await_value(db, "SELECT ticks_total > 1 AND running FROM keeper_status", "1");
  check(sqlite3_close_v2(db) == SQLITE_OK, "close_v2");
  check(SANITIZED || threads() == nThread + 1, "ended before its connection");
  sqlite3_finalize(s);
  check(threads() == nThread, "%d threads after the last statement", threads());
}

/* Where the library is on every connection that is opened. */
static void with_auto_extension(void) {
  void *pLibrary = dlopen(zLibrary, RTLD_NOW);
  void (*xInit)(void) = NULL;
  sqlite3 *db;
  if (!check(pLibrary != NULL, "dlopen: %s", dlerror())) return;
  *(void **)&xInit = dlsym(pLibrary, "sqlite3_steward_init");
  sqlite3_auto_extension(xInit);
  db = fresh();
  expect(db, "SELECT keeper_start(20)", "1");
  await_value(db, "SELECT ticks_total > 1 AND active FROM keeper_status", "1");
  expect(db, "SELECT holder IS NOT NULL FROM keeper_log WHERE duty = 'expiry'",
         "1");
  close_ok(db, "with an automatic extension");
  sqlite3_cancel_auto_extension(xInit);
  dlclose(pLibrary);
}

/* Many beginnings and ends, some at once. */
static void start_and_stop(int nRound) {
  sqlite3 *db = fresh();
  int i, nThread = threads();
  for (i = 0; i < nRound; i++) {
    free(value(db, "SELECT keeper_start(10)"));
    if (i % 3 == 0) nap(i % 7);
    if (i % 4) {
      free(value(db, "SELECT keeper_stop()"));
    } else {
      close_ok(db, "in a round");
      db = open_file();
    }
  }
  check(threads() == nThread, "%d threads after all rounds", threads());
  expect(db, "SELECT errors_total FROM keeper_status", "0");
  expect(db, "PRAGMA integrity_check", "ok");
  close_ok(db, "after all rounds");
}

/* One of several works; when it ends, another one does. */
static void one_of_three(void) {
  sqlite3 *aDb[3];
  int i, k, nTry;
  aDb[0] = fresh();
  for (i = 1; i < 3; i++) aDb[i] = open_file();
  for (i = 0; i < 3; i++) expect(aDb[i], "SELECT keeper_start(20)", "1");
  await_value(aDb[0], "SELECT ticks_total > 2 FROM keeper_status", "1");
  for (k = 3; k > 0; k--) {
    int iActive = -1;
    for (nTry = 0; nTry < 1000 && iActive < 0; nTry++) {
      for (i = 0; i < 3; i++) {
        char *z = value(aDb[i], "SELECT active FROM keeper_status");
        if (same(z, "1") && iActive < 0) iActive = i;
        free(z);
      }
      if (iActive < 0) nap(10);
    }
    if (!check(iActive >= 0, "nobody of %d works", k)) break;
    for (i = 0; i < 3; i++) {
      if (i != iActive) expect(aDb[i], "SELECT active FROM keeper_status", "0");
    }
    expect(aDb[iActive], "SELECT keeper_stop()", "1");
  }
  for (i = 0; i < 3; i++) expect(aDb[i], "SELECT keeper_stop()", "0");
  expect(aDb[0], "SELECT token >= 3 AND errors_total = 0 FROM steward_keeper",
         "1");
  for (i = 0; i < 3; i++) close_ok(aDb[i], "one of three");
}

static int wait_child(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

/* A process with a keeper that ends as it is told. */
static pid_t child_with_keeper(int bKill) {
  int aPipe[2];
  pid_t pid;
  char z;
  if (pipe(aPipe)) exit(2);
  fflush(stdout);
  pid = fork();
  if (pid == 0) {
    sqlite3 *db = open_file();
    alarm(60);
    free(value(db, "SELECT keeper_start(20)"));
    await_value(db, "SELECT active AND ticks_total > 1 FROM keeper_status",
                "1");
    if (write(aPipe[1], "x", 1) != 1) _exit(3);
    while (bKill) pause();
    exit(0); /* without closing */
  }
  close(aPipe[1]);
  check(read(aPipe[0], &z, 1) == 1, "the child did not begin");
  close(aPipe[0]);
  return pid;
}

/* exit() without closing gives the place back; kill -9 cannot, and the lease
** has to run out. */
static void exit_and_kill(void) {
  sqlite3 *db = fresh();
  pid_t pid;
  char z[220];
  close_ok(db, "before the child");
  check(wait_child(child_with_keeper(0)) == 0, "exit");
  sqlite3_snprintf(sizeof(z), z, "%s-wal", zFile);
  db = open_file();
  expect(db, "SELECT lease_until <= steward_now() FROM keeper_status", "1");
  close_ok(db, "after exit");

  pid = child_with_keeper(1);
  kill(pid, SIGKILL);
  check(wait_child(pid) == 100 + SIGKILL, "kill");
  db = open_file();
  expect(db, "SELECT lease_until > steward_now() FROM keeper_status", "1");
  expect(db, "SELECT keeper_start(20)", "1");
  nap(100);
  expect(db, "SELECT running || active FROM keeper_status", "10");
  /* a minute later */
  free(
      value(db, "UPDATE steward_keeper SET lease_until = lease_until - 60000"));
  await_value(db, "SELECT active FROM keeper_status", "1");
  expect(db, "PRAGMA integrity_check", "ok");
  close_ok(db, "after kill");
}

/* In a child there is none, SQLite works there, and the parent's goes on. */
static void fork_beside(int nRound) {
  sqlite3 *db = fresh();
  int i;
  expect(db, "SELECT keeper_start(10)", "1");
  for (i = 0; i < nRound; i++) {
    pid_t pid;
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
      sqlite3 *mem = NULL, *own;
      char *z;
      int bOk;
      alarm(30); /* a lock that nobody holds any more is waited for for ever */
      sqlite3_open(":memory:", &mem);
      z = value(mem, "SELECT length(hex(randomblob(100000)))");
      bOk = same(z, "200000");
      sqlite3_close(mem);
      own = open_file();
      if (i % 2 && !SANITIZED) free(value(own, "SELECT keeper_start(10)"));
      sqlite3_close(own);
      /* the inherited connection is not to be used; its keeper is no more */
      _exit(bOk ? 0 : 1);
    }
    check(wait_child(pid) == 0, "child %d", i);
  }
  await_value(db, "SELECT running FROM keeper_status", "1");
  expect(db, "SELECT errors_total FROM keeper_status", "0");
  expect(db, "PRAGMA integrity_check", "ok");
  close_ok(db, "after the children");
}

static volatile sig_atomic_t bElsewhere;
static pthread_t mainThread;

static void on_signal(int i) {
  (void)i;
  if (!pthread_equal(pthread_self(), mainThread)) bElsewhere = 1;
}

/* Signals are the host's. */
static void no_signals(void) {
  sqlite3 *db = fresh();
  int i;
  mainThread = pthread_self();
  signal(SIGUSR1, on_signal);
  expect(db, "SELECT keeper_start(10)", "1");
  for (i = 0; i < 200; i++) kill(getpid(), SIGUSR1);
  check(!bElsewhere, "the keeper took a signal");
  close_ok(db, "after signals");
  signal(SIGUSR1, SIG_DFL);
}

typedef struct Writer {
  pthread_t thread;
  int iFirst;
  int nBusy;
} Writer;

#define WRITES 300

static void *write_rows(void *pArg) {
  Writer *w = pArg;
  sqlite3 *db = open_file();
  int i;
  for (i = 0; i < WRITES; i++) {
    char z[120];
    sqlite3_snprintf(sizeof(z), z,
                     "INSERT INTO t VALUES (%d, zeroblob(2000)); INSERT INTO "
                     "s(at) VALUES (5)",
                     w->iFirst + i);
    w->nBusy += sqlite3_exec(db, z, NULL, NULL, NULL) != SQLITE_OK;
  }
  sqlite3_close(db);
  return NULL;
}

/* Writers beside it lose nothing, and neither does it stand still. */
static void beside_writers(void) {
  sqlite3 *db = fresh();
  Writer aWriter[3];
  int i, nBusy = 0;
  free(value(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
                 "SELECT steward_setting('keeper_capture', 1);"
                 "SELECT steward_setting('keeper_delivery', 1)"));
  expect(db, "SELECT keeper_start(10)", "1");
  for (i = 0; i < 3; i++) {
    aWriter[i] = (Writer){.iFirst = i * WRITES};
    pthread_create(&aWriter[i].thread, NULL, write_rows, &aWriter[i]);
  }
  for (i = 0; i < 3; i++) {
    pthread_join(aWriter[i].thread, NULL);
    nBusy += aWriter[i].nBusy;
  }
  check(nBusy == 0, "%d writes failed", nBusy);
  expect(db, "SELECT count(*) FROM t", "900");
  await_value(db, "SELECT count(*) FROM s WHERE at = 5", "0");
  expect(db,
         "SELECT errors_total FROM keeper_status UNION ALL SELECT error FROM "
         "keeper_log WHERE error NOT LIKE 'BUSY%'",
         "0");
  expect(db, "PRAGMA integrity_check", "ok");
  close_ok(db, "beside writers");
}

/* What the host's connection does with rows, the keeper's does, too. */
static void same_pragmas(void) {
  sqlite3 *db = fresh();
  free(value(db, "PRAGMA foreign_keys = 1;"
                 "CREATE TABLE p(id INTEGER PRIMARY KEY, at INTEGER);"
                 "CREATE TABLE c(p REFERENCES p ON DELETE CASCADE);"
                 "INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1);"
                 "SELECT ttl_attach('p', 'at', '{\"unit\":\"s\"}');"
                 "SELECT keeper_start(20)"));
  await_value(db, "SELECT count(*) FROM p", "0");
  expect(db, "SELECT count(*) FROM c", "0");
  close_ok(db, "with foreign keys");
}

int main(int argc, char **argv) {
  int nRound = argc > 2 ? atoi(argv[2]) : 60;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  sqlite3_snprintf(sizeof(zFile), zFile, "/tmp/steward-keeper-%d.db",
                   (int)getpid());
  start_and_close();
  close_too_early();
  with_auto_extension();
  one_of_three();
  exit_and_kill();
  no_signals();
  same_pragmas();
  beside_writers();
  fork_beside(nRound);
  start_and_stop(nRound);
  remove_files();
  return finish();
}
