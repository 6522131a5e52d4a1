/*
** bench_load.c - many processes on one stream.
**
**     bench_load steward.so [SECONDS [CLIENTS ...]]
**
** Each client is a process with a connection of its own and prepared
** statements: 10 % writes (an update of a row, told to the stream, autocommit),
** 30 % pages of 20 rows of a snapshot, 30 % changes behind a position, 30 %
** resolved deltas; over ten workspaces of 200 requests with a delta each, WAL,
** synchronous=NORMAL, busy timeout 10 s.
**
** Printed for each number of clients: operations a second, in all and per
** workspace, errors (SQLITE_BUSY is one), and the 50th, 95th and 99th
** percentile of one operation in microseconds, with the processor time of one:
** what is left of it when others use the machine, too.
*/
#include "bench.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { WORKSPACES = 10, REQUESTS = 200, TIMES_MAX = 400000 };

typedef struct Client {
  volatile int bReady;
  int nTime, nError;
  unsigned aTime[TIMES_MAX]; /* microseconds */
} Client;

typedef struct Shared {
  volatile int bGo;
  Client a[];
} Shared;

enum { OP_UPDATE, OP_SNAPSHOT, OP_CHANGES, OP_RESOLVE, OP_COUNT };

static const char *const azOp[OP_COUNT] = {
    "UPDATE http SET name = ?2, updated_at = updated_at + 1 WHERE id = ?2",
    "SELECT id, row FROM stream_snapshot('http', ?1, NULL, 20)",
    "SELECT position, id, row FROM stream_changes('http', ?1, ?3, 20)",
    "SELECT delta_resolve('http', ?2 || '-d')",
};

static void setup(void) {
  sqlite3 *db = open_fresh(
      "BEGIN;"
      "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i <"
      " 9) INSERT INTO workspaces(id, name) SELECT 'w' || i, 'w' FROM n;"
      "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i <"
      " 199) INSERT INTO http(id, workspace_id, name, url, method, updated_at)"
      " SELECT w.id || '-' || i, w.id, 'n' || i, 'u', 'GET', i FROM"
      " workspaces AS w, n;"
      "INSERT INTO http(id, workspace_id, name, url, method, is_delta,"
      " parent_http_id, delta_url) SELECT id || '-d', workspace_id, '', '', '',"
      " 1, id, 'd' FROM http;"
      "SELECT stream_attach('http'); COMMIT");
  sqlite3_close(db);
}

/* One operation; 1 when it failed. */
static int run(sqlite3_stmt *pStmt, const char *zWorkspace, const char *zId,
               sqlite3_int64 *piPosition) {
  int rc, bChanges = sqlite3_bind_parameter_index(pStmt, "?3") > 0;
  sqlite3_bind_text(pStmt, 1, zWorkspace, -1, SQLITE_STATIC);
  sqlite3_bind_text(pStmt, 2, zId, -1, SQLITE_STATIC);
  if (bChanges) sqlite3_bind_int64(pStmt, 3, *piPosition);
  while ((rc = sqlite3_step(pStmt)) == SQLITE_ROW) {
    int i, n = sqlite3_column_count(pStmt);
    for (i = 0; i < n; i++) sqlite3_column_text(pStmt, i);
    if (bChanges) *piPosition = sqlite3_column_int64(pStmt, 0);
  }
  sqlite3_reset(pStmt);
  return rc != SQLITE_DONE;
}

static void client(Shared *pShared, Client *p, int iClient, int nSecond) {
  sqlite3 *db = NULL;
  sqlite3_stmt *apOp[OP_COUNT];
  sqlite3_int64 aPosition[WORKSPACES] = {0};
  unsigned iRandom = (unsigned)iClient * 7919 + 1;
  double rEnd;
  int i;
  if (sqlite3_open(zFile, &db)) die(db, zFile);
  load(db, zLibrary);
  sqlite3_busy_timeout(db, 10000);
  exec(db, "PRAGMA synchronous=NORMAL");
  for (i = 0; i < OP_COUNT; i++) apOp[i] = prepare(db, azOp[i]);
  p->bReady = 1;
  while (!pShared->bGo) usleep(1000);
  rEnd = now_us() + nSecond * 1e6;
  while (p->nTime < TIMES_MAX && now_us() < rEnd) {
    char zWorkspace[8], zId[24];
    int iWorkspace, iKind, iRow;
    double t;
    iRandom = iRandom * 1103515245 + 12345;
    iWorkspace = (int)(iRandom >> 16) % WORKSPACES;
    iRandom = iRandom * 1103515245 + 12345;
    iRow = (int)(iRandom >> 16) % REQUESTS;
    iRandom = iRandom * 1103515245 + 12345;
    iKind = (int)(iRandom >> 16) % 10;
    snprintf(zWorkspace, sizeof(zWorkspace), "w%d", iWorkspace);
    snprintf(zId, sizeof(zId), "w%d-%d", iWorkspace, iRow);
    iKind = iKind == 0 ? OP_UPDATE : 1 + (iKind - 1) / 3;
    t = now_us();
    if (run(apOp[iKind], zWorkspace, zId, &aPosition[iWorkspace])) {
      p->nError++;
      fprintf(stderr, "%s\n", sqlite3_errmsg(db));
    }
    p->aTime[p->nTime++] = (unsigned)(now_us() - t);
  }
  for (i = 0; i < OP_COUNT; i++) sqlite3_finalize(apOp[i]);
  sqlite3_close(db);
}

static int compare_times(const void *a, const void *b) {
  unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
  return x < y ? -1 : x > y;
}

/* Processor time of the children that have ended, in microseconds. */
static double cpu_us(void) {
  struct rusage r;
  getrusage(RUSAGE_CHILDREN, &r);
  return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
         (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static int report_clients(const Shared *pShared, int nClient, int nSecond,
                          double rCpu) {
  unsigned *aAll = NULL;
  size_t nAll = 0, n = 0;
  int i, nError = 0;
  for (i = 0; i < nClient; i++) {
    nAll += (size_t)pShared->a[i].nTime;
    nError += pShared->a[i].nError;
  }
  aAll = malloc(sizeof(unsigned) * (nAll + 1));
  for (i = 0; i < nClient; i++) {
    const Client *p = &pShared->a[i];
    memcpy(aAll + n, p->aTime, sizeof(unsigned) * (size_t)p->nTime);
    n += (size_t)p->nTime;
  }
  qsort(aAll, nAll, sizeof(unsigned), compare_times);
  if (nAll > 0) {
    printf("%7d %6.0f %14.0f %7d %7u %7u %7u %7.0f\n", nClient,
           (double)nAll / nSecond, (double)nAll / nSecond / WORKSPACES, nError,
           aAll[nAll / 2], aAll[nAll * 95 / 100], aAll[nAll * 99 / 100],
           rCpu / (double)nAll);
  }
  fflush(stdout);
  free(aAll);
  return nError;
}

static int run_clients(int nClient, int nSecond) {
  size_t nByte = sizeof(Shared) + sizeof(Client) * (size_t)nClient;
  Shared *pShared = mmap(NULL, nByte, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  double rCpu = cpu_us();
  int i, nError;
  if (pShared == MAP_FAILED) return 1;
  setup();
  for (i = 0; i < nClient; i++) {
    if (fork() == 0) {
      client(pShared, &pShared->a[i], i, nSecond);
      _exit(0);
    }
  }
  for (i = 0; i < nClient; i++) {
    while (!pShared->a[i].bReady) usleep(1000);
  }
  pShared->bGo = 1;
  while (wait(NULL) > 0) {
  }
  nError = report_clients(pShared, nClient, nSecond, cpu_us() - rCpu);
  munmap(pShared, nByte);
  return nError;
}

int main(int argc, char **argv) {
  static const int aClient[] = {1, 5, 10, 25, 50, 100};
  int nSecond = argc > 2 ? atoi(argv[2]) : 10;
  int i, nError = 0;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  snprintf(zFile, sizeof(zFile), "/tmp/steward-load-%d", (int)getpid());
  printf("clients  ops/s  per workspace  errors  p50 us  p95 us  p99 us  cpu "
         "us\n");
  for (i = 3; i < argc; i++) nError += run_clients(atoi(argv[i]), nSecond);
  for (i = 0; argc < 4 && i < 6; i++) {
    nError += run_clients(aClient[i], nSecond);
  }
  remove_files();
  return nError > 0;
}
