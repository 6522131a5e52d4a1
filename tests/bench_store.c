/*
** bench_store.c - the store beside Redis, and what a sweep of expired rows
** does to those who write beside it.
**
**     bench_store steward.so [quick] [--case TEXT] [--json FILE]
**
** Redis runs as a child, appendonly, on 127.0.0.1; one client, one command at a
** time.  Both sides hold 100,000 keys of 150 bytes under the same names.
**
** A sweep is called again and again until nothing is due, as the keeper does
** it.  How long a call holds the write lock is measured from outside: the
** sweeper's checkpoints are its own, between the calls, and a second process
** writes a row at a time beside it, with 2 ms between the calls, and prints how
** long that took.  `--case
** 10,000,000` does it with a million rows of ten.
*/
#include "bench.h"
#include "bench_redis.h"

#include <sys/mman.h>

/*************************************************************************
** Redis
*/
enum { KEYS = 100000 };

static double redis_each(Redis *r, const char *zCommand, int nOp) {
  char z[400];
  double t = now_us();
  while (nOp-- > 0) {
    char zKey[16];
    int n;
    snprintf(zKey, sizeof(zKey), "k%06d", (int)(random() % KEYS));
    if (zCommand[0] == 'G') {
      n = snprintf(z, sizeof(z), "*2\r\n$3\r\nGET\r\n$7\r\n%s\r\n", zKey);
    } else {
      n = snprintf(z, sizeof(z),
                   "*3\r\n$3\r\nSET\r\n$7\r\n%s\r\n$152\r\n\"%s\"\r\n", zKey,
                   P50 P50 P50);
    }
    redis_send(r, z, (size_t)n);
    redis_reply(r, NULL, NULL);
  }
  return now_us() - t;
}

static void redis_fill(Redis *r) {
  char z[400];
  int i;
  for (i = 0; i < KEYS; i++) {
    int n = snprintf(z, sizeof(z),
                     "*3\r\n$3\r\nSET\r\n$7\r\nk%06d\r\n$152\r\n\"%s\"\r\n", i,
                     P50 P50 P50);
    redis_send(r, z, (size_t)n);
    if (i % 100 == 99) { /* a hundred at a time */
      int k;
      for (k = 0; k < 100; k++) redis_reply(r, NULL, NULL);
    }
  }
}

static void run_redis(const char *zSync, const char *zFsync) {
  enum { OPS = 200 };
  static const char zFill[] =
      "SELECT steward_setting('store_max_keys', 1000000);"
      "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i"
      " < 99999) INSERT INTO store_records(namespace, key, value) SELECT 'n',"
      " printf('k%06d', i), '\"" P50 P50 P50 "\"' FROM n;";
  char zName[80];
  double *aTime[4];
  sqlite3_stmt *pGet, *pPut;
  sqlite3 *db;
  Redis redis;
  int i;
  if (!redis_open(&redis, zFsync, 1)) {
    printf("%-46s no redis-server: skipped\n", "Redis GET and SET");
    return;
  }
  for (i = 0; i < 4; i++) aTime[i] = malloc(sizeof(double) * (size_t)nSample);
  redis_fill(&redis);
  db = open_fresh(zFill);
  exec(db, zSync);
  pGet = prepare(db, "SELECT store_get('n', printf('k%06d', abs(random() %"
                     " 100000)))");
  pPut = prepare(db, "SELECT store_put('n', printf('k%06d', abs(random() %"
                     " 100000)), '\"" P50 P50 P50 "\"')");
  for (i = 0; i < nSample; i++) {
    aTime[0][i] = block(db, pGet, OPS);
    aTime[1][i] = redis_each(&redis, "GET", OPS) / OPS;
    aTime[2][i] = block(db, pPut, OPS);
    aTime[3][i] = redis_each(&redis, "SET", OPS) / OPS;
  }
  snprintf(zName, 80, "store_get : Redis GET, %s", zFsync);
  report(zName, aTime[0], aTime[1], nSample);
  snprintf(zName, 80, "store_put, %s : Redis SET, %s", zSync + 19, zFsync);
  report(zName, aTime[2], aTime[3], nSample);
  sqlite3_finalize(pGet);
  sqlite3_finalize(pPut);
  for (i = 0; i < 4; i++) free(aTime[i]);
  sqlite3_close(db);
  redis_close(&redis);
}

/*************************************************************************
** Sweeping
*/

/* What the writer beside the sweep shares with it. */
typedef struct Writer {
  volatile int bGo, bStop;
  volatile int n;
  double aTime[200000]; /* microseconds of each write */
} Writer;

/* Write a row at a time, every 2 ms, until told to stop. */
static void write_beside(Writer *w) {
  sqlite3 *db = NULL;
  sqlite3_stmt *pInsert;
  while (!w->bGo && !w->bStop) usleep(1000);
  if (w->bStop) return;
  if (sqlite3_open(zFile, &db)) die(db, zFile);
  sqlite3_busy_timeout(db, 10000);
  exec(db, "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0");
  pInsert = prepare(db, "INSERT INTO c(x) VALUES (1)");
  while (!w->bStop && w->n < (int)(sizeof(w->aTime) / sizeof(double))) {
    double t = now_us();
    block(db, pInsert, 1);
    w->aTime[w->n] = now_us() - t;
    w->n++;
    usleep(2000);
  }
  sqlite3_finalize(pInsert);
  sqlite3_close(db);
}

typedef struct Sweep {
  double rTotal; /* us of all calls, checkpoints left out */
  double *aCall; /* us of each */
  double rCpu;   /* us of CPU that the one that took most did */
  int nCall, nAlloc, nRow;
} Sweep;

/* On a busy machine the time of a call is its waiting for a core, too. */
static double cpu_us(void) {
  struct timespec ts;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* iPause: us between the calls. */
static void sweep_until_done(sqlite3 *db, int iPause, Sweep *s /* OUT */) {
  sqlite3_stmt *pSweep = prepare(db, "SELECT ttl_sweep('a')");
  int nRemoved;
  memset(s, 0, sizeof(*s));
  do {
    double t = now_us(), rCpu = cpu_us();
    sqlite3_step(pSweep);
    nRemoved = sqlite3_column_int(pSweep, 0);
    if (sqlite3_reset(pSweep)) die(db, "ttl_sweep");
    t = now_us() - t;
    rCpu = cpu_us() - rCpu;
    if (rCpu > s->rCpu) s->rCpu = rCpu;
    if (s->nCall == s->nAlloc) {
      s->nAlloc = s->nAlloc ? s->nAlloc * 2 : 1024;
      s->aCall = realloc(s->aCall, sizeof(double) * (size_t)s->nAlloc);
    }
    s->aCall[s->nCall++] = t;
    s->rTotal += t;
    s->nRow += nRemoved;
    if (s->nCall % 20 == 0) exec(db, "PRAGMA wal_checkpoint(PASSIVE)");
    if (iPause) usleep((unsigned)iPause);
  } while (nRemoved > 0);
  sqlite3_finalize(pSweep);
}

/* A tenth of nRow rows has expired: A, the sweep; B, one bare DELETE of the
** same rows of the same table; then both again with a writer beside. */
static void open_sweep(int nRow, sqlite3 **pdb, sqlite3_stmt **ppBare) {
  char *zSetup = sqlite3_mprintf(
      "CREATE TABLE a(id INTEGER PRIMARY KEY, u TEXT, at INTEGER);"
      "CREATE TABLE b(id INTEGER PRIMARY KEY, u TEXT, at INTEGER);"
      "CREATE TABLE c(id INTEGER PRIMARY KEY, x);"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i"
      " < %d) INSERT INTO a SELECT i, 'user ' || i, iif(i %% 10 = 0, i,"
      " 9999999999) FROM n; INSERT INTO b SELECT * FROM a;"
      "CREATE INDEX b_at ON b(at) WHERE at IS NOT NULL;"
      "SELECT ttl_attach('a', 'at', '{\"unit\":\"s\",\"on_write\":0}');"
      "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint=0;",
      nRow);
  *pdb = open_fresh(zSetup);
  sqlite3_busy_timeout(*pdb, 10000);
  *ppBare =
      prepare(*pdb, "DELETE FROM b WHERE at IS NOT NULL AND at <= 99999999");
  sqlite3_free(zSetup);
}

static void report_sweep(const char *zName, Sweep *s, double rBare) {
  double rMax, r99;
  rMax = percentile(s->aCall, s->nCall, 100);
  r99 = percentile(s->aCall, s->nCall, 99);
  printf("%-46s %7.2f  %d calls, p99 %.1f ms, longest %.1f ms (%.1f ms of"
         " CPU); %.0f ms : %.0f ms\n",
         zName, s->rTotal / rBare, s->nCall, r99 / 1e3, rMax / 1e3,
         s->rCpu / 1e3, s->rTotal / 1e3, rBare / 1e3);
  if (pJson) {
    fprintf(pJson,
            "%s{\"case\":\"%s\",\"ratio\":%.4f,\"call_p99_ms\":%.2f,"
            "\"longest_ms\":%.2f,\"longest_cpu_ms\":%.2f}",
            nPrinted++ ? ",\n" : "", zName, s->rTotal / rBare, r99 / 1e3,
            rMax / 1e3, s->rCpu / 1e3);
  }
}

static void run_sweep(const char *zName, int nRow) {
  sqlite3 *db;
  sqlite3_stmt *pBare;
  Sweep sweep;
  double t;
  open_sweep(nRow, &db, &pBare);
  sweep_until_done(db, 0, &sweep);
  exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
  t = now_us();
  block(db, pBare, 1);
  report_sweep(zName, &sweep, now_us() - t);
  if (sweep.nRow != nRow / 10) die(db, "rows are left");
  free(sweep.aCall);
  sqlite3_finalize(pBare);
  sqlite3_close(db);
}

static void report_writer(const char *zName, Writer *w) {
  if (w->n == 0) return;
  printf("%-46s p50 %.2f ms, p99 %.1f ms, longest %.1f ms of %d writes\n",
         zName, percentile(w->aTime, w->n, 50) / 1e3,
         percentile(w->aTime, w->n, 99) / 1e3,
         percentile(w->aTime, w->n, 100) / 1e3, w->n);
  if (pJson) {
    fprintf(pJson, "%s{\"case\":\"%s\",\"p50_ms\":%.3f,\"p99_ms\":%.3f}",
            nPrinted++ ? ",\n" : "", zName,
            percentile(w->aTime, w->n, 50) / 1e3,
            percentile(w->aTime, w->n, 99) / 1e3);
  }
}

/* bSweep: beside the sweep, else beside the bare DELETE. */
static void run_writer(const char *zName, int nRow, int bSweep) {
  Writer *w = mmap(NULL, sizeof(Writer), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  sqlite3 *db;
  sqlite3_stmt *pBare;
  Sweep sweep = {0};
  pid_t pid;
  fflush(NULL);
  pid = fork(); /* before any connection to the file: SQLite's rule */
  if (pid == 0) {
    write_beside(w);
    _exit(0);
  }
  open_sweep(nRow, &db, &pBare);
  w->bGo = 1;
  while (w->n < 10) usleep(1000);
  w->n = 0;
  if (bSweep) {
    sweep_until_done(db, 2000, &sweep);
  } else {
    block(db, pBare, 1);
    while (w->n == 0) usleep(1000); /* the write that waited for it */
  }
  w->bStop = 1;
  waitpid(pid, NULL, 0);
  report_writer(zName, w);
  free(sweep.aCall);
  sqlite3_finalize(pBare);
  sqlite3_close(db);
  munmap(w, sizeof(Writer));
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  if (strstr("store redis", zOnly)) {
    run_redis("PRAGMA synchronous=NORMAL", "everysec");
    run_redis("PRAGMA synchronous=FULL", "always");
  }
  if (strstr("sweep", zOnly)) {
    run_sweep("sweep of 100,000 of 1,000,000 : bare DELETE", 1000000);
    run_writer("writes beside that sweep", 1000000, 1);
    run_writer("writes beside that bare DELETE", 1000000, 0);
  }
  if (zOnly[0] && strstr("10,000,000", zOnly)) { /* takes minutes */
    run_sweep("sweep of 1,000,000 of 10,000,000 : bare DELETE", 10000000);
    run_writer("writes beside that sweep, 10,000,000", 10000000, 1);
  }
  bench_end();
  return 0;
}
