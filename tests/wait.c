/*
** wait.c - delivery_wait from threads and after fork: one watcher per process,
** everybody wakes, an interrupt ends it, a child has its own.
**
**     wait steward.so
*/
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctest.h"

#include "../ext/steward.h"

#define THREADS 8

#define FILES 3 /* the last one is opened after fork only */

static char azFile[FILES][200];

static sqlite3 *open_file(int i) {
  sqlite3 *db = open_loaded(azFile[i]);
  sqlite3_busy_timeout(db, 10000);
  return db;
}

/* How many inotify instances this process has. */
static int count_inotify(void) {
  DIR *pDir = opendir("/proc/self/fd");
  struct dirent *p;
  int n = 0;
  while (pDir && (p = readdir(pDir)) != NULL) {
    char zPath[300], zTarget[100];
    ssize_t nTarget;
    sqlite3_snprintf(sizeof(zPath), zPath, "/proc/self/fd/%s", p->d_name);
    nTarget = readlink(zPath, zTarget, sizeof(zTarget) - 1);
    if (nTarget <= 0) continue;
    zTarget[nTarget] = 0;
    if (strstr(zTarget, "inotify")) n++;
  }
  if (pDir) closedir(pDir);
  return n;
}

typedef struct Waiter {
  pthread_t thread;
  sqlite3 *db;
  char zSql[100];
  char *zResult;
} Waiter;

static void *wait_in_thread(void *pArg) {
  Waiter *w = pArg;
  w->zResult = value(w->db, w->zSql);
  return NULL;
}

static void start(Waiter *w, int iFile, int iConsumer) {
  w->db = open_file(iFile);
  sqlite3_snprintf(sizeof(w->zSql), w->zSql,
                   "SELECT delivery_wait('c%d', '20s')", iConsumer);
  pthread_create(&w->thread, NULL, wait_in_thread, w);
}

static void stop(Waiter *w, const char *zWant) {
  pthread_join(w->thread, NULL);
  check(same(w->zResult, zWant), "%s: expected %s, got %s", w->zSql, zWant,
        w->zResult ? w->zResult : "NULL");
  free(w->zResult);
  check(sqlite3_close(w->db) == SQLITE_OK, "%s: close", w->zSql);
}

/* Threads wait for two files; each is woken by what is for it. */
static void test_threads(void) {
  Waiter a[THREADS];
  sqlite3 *aDb[2] = {open_file(0), open_file(1)};
  int i;
  for (i = 0; i < THREADS; i++) {
    char *z = sqlite3_mprintf("SELECT delivery_subscribe('c%d', 't%d')", i, i);
    free(value(aDb[i % 2], z));
    sqlite3_free(z);
    start(&a[i], i % 2, i);
  }
  sqlite3_sleep(100);
  check(count_inotify() == 1, "%d instances of inotify", count_inotify());
  for (i = THREADS - 1; i >= 0; i--) {
    char *z = sqlite3_mprintf("SELECT delivery_publish('t%d', 1) > 0", i);
    expect(aDb[i % 2], z, "1");
    sqlite3_free(z);
    sqlite3_sleep(i % 3);
  }
  for (i = 0; i < THREADS; i++) stop(&a[i], "1");
  check(count_inotify() == 1, "%d instances of inotify", count_inotify());
  sqlite3_close(aDb[0]);
  sqlite3_close(aDb[1]);
}

static void test_interrupt(void) {
  Waiter w;
  sqlite3_int64 iBegan, iEnded;
  sqlite3_vfs *pVfs = sqlite3_vfs_find(0);
  sqlite3 *db = open_file(0);
  free(value(db, "SELECT delivery_subscribe('c99', 'quiet')"));
  start(&w, 0, 99);
  sqlite3_sleep(200);
  pVfs->xCurrentTimeInt64(pVfs, &iBegan);
  sqlite3_interrupt(w.db);
  stop(&w, "delivery_wait: interrupted");
  pVfs->xCurrentTimeInt64(pVfs, &iEnded);
  check(iEnded - iBegan < 2000, "interrupted after %lld ms", iEnded - iBegan);
  expect(db, "SELECT delivery_wait('c99', 10)", "0");
  sqlite3_close(db);
}

/* Somebody waits when the process forks; the child waits for a file that only
** it and, later, the parent open (SQLite's rule for fork). */
static void test_fork(void) {
  Waiter w;
  sqlite3 *db = open_file(1);
  pid_t pid;
  int iStatus = 0;
  free(value(db, "SELECT delivery_subscribe('c50', 'fork')"));
  start(&w, 1, 50);
  sqlite3_sleep(50);
  pid = fork();
  if (pid == 0) {
    sqlite3 *child = open_file(2);
    char *z = value(child, "SELECT delivery_subscribe('c51', 'fork');"
                           "SELECT delivery_wait('c51', '20s')");
    int bWoken = same(z, "1");
    free(z);
    sqlite3_close(child);
    _exit(bWoken ? 0 : 1);
  }
  sqlite3_sleep(200);
  expect(db, "SELECT delivery_publish('fork', 1) > 0", "1");
  stop(&w, "1");
  sqlite3_close(db);
  db = open_file(2);
  expect(db, "SELECT delivery_publish('fork', 1) > 0", "1");
  waitpid(pid, &iStatus, 0);
  check(WIFEXITED(iStatus) && WEXITSTATUS(iStatus) == 0,
        "the child was not woken: status %d", iStatus);
  sqlite3_close(db);
}

/*************************************************************************
** An event loop
*/
#define COMMITS 200

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int nSeen;

/* Commit, and go on when it was seen. */
static void *commit_each(void *pDb) {
  int i;
  for (i = 1; i <= COMMITS; i++) {
    char zSql[60];
    sqlite3_snprintf(sizeof(zSql), zSql, "UPDATE loop SET n = %d", i);
    sqlite3_exec(pDb, zSql, NULL, NULL, NULL);
    pthread_mutex_lock(&mutex);
    while (nSeen < i) pthread_cond_wait(&cond, &mutex);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

/* Every commit makes the descriptor readable until it is seen. */
static void test_loop(const char *zMode) {
  sqlite3 *db = open_file(0), *other = open_file(0);
  const steward_api *api = steward_api_get(db);
  steward_waiter *w = NULL;
  pthread_t thread;
  int nLoop = 0, i = 0;
  char *z = sqlite3_mprintf("PRAGMA journal_mode = %s; CREATE TABLE IF NOT"
                            " EXISTS loop(n); DELETE FROM loop;"
                            "INSERT INTO loop VALUES (0)",
                            zMode);
  free(value(db, z));
  sqlite3_free(z);
  check(api->wait_open(db, &w) == SQLITE_OK, "wait_open: %s", api->error());
  check(api->wait_ready(w) == 0, "nothing yet");
  nSeen = 0;
  pthread_create(&thread, NULL, commit_each, other);
  while (i < COMMITS && nLoop++ < 100000) {
    struct pollfd p = {api->wait_fd(w), POLLIN, 0};
    if (!check(poll(&p, 1, 10000) == 1, "the descriptor slept")) break;
    if (api->wait_ready(w) == 0) continue;
    z = value(db, "SELECT n FROM loop");
    check(z && atoi(z) >= i, "%s after %d", z ? z : "NULL", i);
    i = z ? atoi(z) : i;
    free(z);
    pthread_mutex_lock(&mutex);
    nSeen = i;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
  }
  check(i == COMMITS, "%s: %d commits seen in %d turns", zMode, i, nLoop);
  pthread_mutex_lock(&mutex);
  nSeen = COMMITS;
  pthread_cond_signal(&cond);
  pthread_mutex_unlock(&mutex);
  pthread_join(thread, NULL);
  check(api->wait_ready(NULL) == -1, "no handle");
  check(strstr(api->error(), "no handle of this process") != NULL, "%s",
        api->error());
  api->wait_close(w);
  api->wait_close(NULL);
  check(sqlite3_close(db) == SQLITE_OK, "close");
  db = open_loaded(":memory:");
  check(api->wait_open(db, &w) != SQLITE_OK && w == NULL, "in memory");
  sqlite3_close(db);
  sqlite3_close(other);
}

int main(int argc, char **argv) {
  const char *zDir = getenv("TMPDIR");
  int i;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  for (i = 0; i < FILES; i++) {
    sqlite3 *db;
    sqlite3_snprintf(sizeof(azFile[i]), azFile[i], "%s/steward-wait-%d-%d.db",
                     zDir ? zDir : "/tmp", (int)getpid(), i);
    unlink(azFile[i]);
    db = open_file(i);
    free(value(db, "PRAGMA journal_mode = WAL"));
    expect(db, "SELECT migrate_up('delivery') > 0", "1");
    sqlite3_close(db);
  }
  test_threads();
  test_interrupt();
  test_fork();
  test_loop("delete");
  test_loop("wal");
  for (i = 0; i < FILES; i++) unlink(azFile[i]);
  return finish();
}
