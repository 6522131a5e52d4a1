/*
** perf.c - capture from C: threads that share the table, a forked child, hosts
** that reset counters or hold cursors, and what sampling does to statements.
**
**     perf steward.so
*/
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctest.h"

enum { THREADS = 4, LOOPS = 5000 };

/* A statement that runs all the time keeps its place, and so its counts, while
** others come and stay: three between two turns of 50. */
static void keeps_its_place(sqlite3 *db) {
  enum { TURNS = 400, OTHERS = 3 };
  static sqlite3_stmt *apOther[TURNS * OTHERS];
  sqlite3_stmt *pHot = NULL;
  int i, k;
  free(value(db, "SELECT perf_reset()"));
  free(value(db, "SELECT perf_trace('full')"));
  sqlite3_prepare_v2(db, "SELECT 1 AS hot", -1, &pHot, NULL);
  for (i = 0; i < TURNS; i++) {
    for (k = 0; k < 50; k++) {
      while (sqlite3_step(pHot) == SQLITE_ROW) {
      }
      sqlite3_reset(pHot);
    }
    for (k = 0; k < OTHERS; k++) {
      sqlite3_stmt **pp = &apOther[i * OTHERS + k];
      sqlite3_prepare_v2(db, "SELECT 2 AS other", -1, pp, NULL);
      sqlite3_step(*pp);
      sqlite3_reset(*pp);
    }
  }
  expect(db,
         "SELECT calls || '|' || (rows BETWEEN 19968 AND 20000) FROM"
         " perf_statements WHERE query = 'SELECT ? AS hot'",
         "20000|1");
  for (i = 0; i < TURNS * OTHERS; i++) sqlite3_finalize(apOther[i]);
  sqlite3_finalize(pHot);
  free(value(db, "SELECT perf_trace('off')"));
}

/* Each thread has a connection of its own and one statement of its own; all
** run one that is the same.  One resets, captures anew, closes. */
static void *work(void *pArg) {
  int iThread = (int)(intptr_t)pArg, i, rc;
  sqlite3 *db = open_loaded(":memory:");
  sqlite3_stmt *pStmt = NULL;
  char zOwn[60];
  free(value(db, "SELECT perf_trace('full')"));
  sqlite3_prepare_v2(db, "SELECT ?1 + 1 AS every_thread", -1, &pStmt, NULL);
  sqlite3_snprintf(sizeof(zOwn), zOwn, "SELECT 1 AS thread%d", iThread);
  for (i = 0; i < LOOPS; i++) {
    sqlite3_bind_int(pStmt, 1, i);
    while (sqlite3_step(pStmt) == SQLITE_ROW) {
    }
    sqlite3_reset(pStmt);
    if (i % 10 == 0) free(run(db, zOwn, &rc, NULL));
    if (i % 500 == 0) free(value(db, "SELECT count(*) FROM perf_statements"));
  }
  sqlite3_finalize(pStmt);
  sqlite3_close(db);
  return NULL;
}

static void threads(sqlite3 *db) {
  pthread_t aThread[THREADS];
  int i;
  free(value(db, "SELECT perf_reset()"));
  for (i = 0; i < THREADS; i++) {
    pthread_create(&aThread[i], NULL, work, (void *)(intptr_t)i);
  }
  for (i = 0; i < THREADS; i++) pthread_join(aThread[i], NULL);
  expect(db,
         "SELECT calls || '|' || (rows BETWEEN 19800 AND 20000) FROM"
         " perf_statements WHERE query = 'SELECT ? + ? AS every_thread'",
         "20000|1");
  expect(db,
         "SELECT group_concat(calls, ' ') FROM perf_statements WHERE query"
         " LIKE 'SELECT ? AS thread%'",
         "500 500 500 500");
}

/* Eviction and resets while others count. */
static void *disturb(void *pArg) {
  sqlite3 *db = open_loaded(":memory:");
  int i;
  free(value(db, "SELECT perf_trace('full', '{\"max_statements\":20}')"));
  for (i = 0; i < 400; i++) {
    char zSql[60];
    sqlite3_snprintf(sizeof(zSql), zSql, "SELECT 1 AS c%d_%d", i,
                     (int)(intptr_t)pArg);
    free(value(db, zSql));
    if (i % 50 == 0) free(value(db, "SELECT perf_reset()"));
  }
  sqlite3_close(db);
  return NULL;
}

static void eviction(sqlite3 *db) {
  pthread_t aThread[THREADS];
  int i;
  for (i = 0; i < THREADS; i++) {
    pthread_create(&aThread[i], NULL, i % 2 ? work : disturb,
                   (void *)(intptr_t)i);
  }
  for (i = 0; i < THREADS; i++) pthread_join(aThread[i], NULL);
  expect(db, "SELECT count(*) <= 20 FROM perf_statements", "1");
  expect(db, "SELECT perf_trace('off', '{\"max_statements\":5000}')", "1");
}

/* A child begins with nothing; the parent keeps what it has. */
static void forked(sqlite3 *db) {
  int status = 1;
  pid_t pid;
  free(value(db, "SELECT perf_reset(); SELECT perf_trace('full'); SELECT 1;"
                 "SELECT perf_trace('off')"));
  fflush(NULL);
  pid = fork();
  if (pid == 0) {
    sqlite3 *own = open_loaded(":memory:");
    char *z = value(own, "SELECT perf_trace('full'); SELECT 2; SELECT"
                         " perf_trace('off'); SELECT sum(calls) FROM"
                         " perf_statements");
    _exit(same(z, "2") ? 0 : 3);
  }
  waitpid(pid, &status, 0);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "forked child: %d",
        status);
  expect(db, "SELECT sum(calls) FROM perf_statements", "2");
}

/* The host's own counters and results stay what they are. */
static void undisturbed(sqlite3 *db) {
  sqlite3_stmt *pStmt = NULL;
  int i, nRun;
  free(value(db, "SELECT perf_reset(); CREATE TABLE h(x); INSERT INTO h VALUES"
                 " (1),(2),(3); SELECT perf_trace('full')"));
  sqlite3_prepare_v2(db, "SELECT * FROM h", -1, &pStmt, NULL);
  for (i = 0; i < 100; i++) {
    while (sqlite3_step(pStmt) == SQLITE_ROW) {
    }
    sqlite3_reset(pStmt);
    if (i == 50) sqlite3_stmt_status(pStmt, SQLITE_STMTSTATUS_VM_STEP, 1);
  }
  nRun = sqlite3_stmt_status(pStmt, SQLITE_STMTSTATUS_RUN, 0);
  check(nRun == 100, "the host's counter says %d runs", nRun);
  nRun = sqlite3_stmt_status(pStmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0);
  check(nRun == 200, "the host's counter says %d steps", nRun);
  sqlite3_finalize(pStmt);
  free(value(db, "SELECT perf_trace('off')"));
  expect(db,
         "SELECT calls || '|' || (rows BETWEEN 270 AND 300) || '|' ||"
         " (fullscan_steps BETWEEN 180 AND 200) FROM perf_statements WHERE "
         "query = 'SELECT * FROM h'",
         "100|1|1");
}

/* A cursor that is finalized after the capture has ended or begun again. */
static void open_cursors(sqlite3 *db) {
  static const char *const azMode[] = {"sample", "full", "slow", "off"};
  sqlite3_stmt *pStmt = NULL;
  int i, k;
  for (i = 0; i < 4; i++) {
    for (k = 0; k < 4; k++) {
      char *zSql = sqlite3_mprintf("SELECT perf_trace('%s')", azMode[i]);
      free(value(db, zSql));
      sqlite3_free(zSql);
      sqlite3_prepare_v2(db, "SELECT * FROM h", -1, &pStmt, NULL);
      sqlite3_step(pStmt);
      zSql = sqlite3_mprintf("SELECT perf_trace('%s')", azMode[k]);
      free(value(db, zSql));
      sqlite3_free(zSql);
      check(sqlite3_step(pStmt) == SQLITE_ROW, "%s, then %s", azMode[i],
            azMode[k]);
      sqlite3_finalize(pStmt);
    }
  }
  free(value(db, "SELECT perf_trace('full')"));
}

int main(int argc, char **argv) {
  sqlite3 *db;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  db = open_loaded(":memory:");
  forked(db);
  threads(db);
  keeps_its_place(db);
  eviction(db);
  undisturbed(db);
  open_cursors(db);
  check(sqlite3_close(db) == SQLITE_OK, "close while capturing");
  check(sqlite3_memory_used() == 0, "%lld bytes lost", sqlite3_memory_used());
  return finish();
}
