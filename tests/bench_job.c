/*
** bench_job.c - jobs beside the SQL by which others do them, and Redis lists.
**
**     bench_job steward.so [quick] [--case TEXT] [--json FILE]
**
** Cases: `enqueue`, `claim` (of 1, 32 and 128, with completing them), `redis`,
** `workers` (1, 4 and 16 processes); and only when they are asked for, `big`:
** claims beside 1,000,000 jobs, which takes minutes and 2 GB.
**
** The other sides are statements of our own after the published designs:
** `honker` keeps all in one table and looks for exhausted jobs before each
** claim, `goqite` hides a message for a while, `solid_queue` has a table for
** each state. `bare` is the least that does it: an insert, an update of the
** first row of an index, an update. Times are of one job.
*/
#include "bench.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "bench_redis.h"

enum { BATCH = 128 };

typedef struct Side Side;
struct Side {
  const char *zName;
  const char *zTables;
  const char *azSql[8]; /* [0] enqueues; see xRun of each for the others */
  void (*xRun)(Side *, int n); /* claim n jobs and complete them */
  const char *zRefill;         /* so that ?1 jobs are ready */
  sqlite3 *db;
  sqlite3_stmt *apStmt[8];
  sqlite3_int64 aId[BATCH];
  char azKey[BATCH][40]; /* receipts, or ids that are texts */
  int nJob;              /* claimed */
};

static void side_open(Side *p, sqlite3 *db) {
  int i;
  p->db = db;
  exec(db, p->zTables);
  for (i = 0; i < 8; i++) {
    p->apStmt[i] = p->azSql[i] ? prepare(db, p->azSql[i]) : NULL;
  }
}

static void side_close(Side *p) {
  int i;
  for (i = 0; i < 8; i++) sqlite3_finalize(p->apStmt[i]);
}

/* Run a statement to its end; its rows are ids, of either kind. */
static void run(Side *p, int iStmt) {
  sqlite3_stmt *s = p->apStmt[iStmt];
  int rc;
  p->nJob = 0;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    if (p->nJob >= BATCH) die(p->db, "too many jobs");
    p->aId[p->nJob] = sqlite3_column_int64(s, 0);
    snprintf(p->azKey[p->nJob++], 40, "%s",
             (const char *)sqlite3_column_text(s, 0));
    sqlite3_column_text(s, 1); /* the payload */
  }
  if (rc != SQLITE_DONE) die(p->db, sqlite3_sql(s));
  sqlite3_reset(s);
}

/* The same for one that has no rows, and leaves the ids. */
static void run_only(Side *p, int iStmt) {
  sqlite3_stmt *s = p->apStmt[iStmt];
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
  }
  if (rc != SQLITE_DONE) die(p->db, sqlite3_sql(s));
  sqlite3_reset(s);
}

static void need(Side *p, int n) {
  if (p->nJob != n) die(p->db, "a claim found fewer jobs than there are");
}

/*************************************************************************
** The sides
*/
enum { ENQUEUE, CLAIM, CLAIMED, COMPLETE, BEGIN, COMMIT, MORE };

static void steward_run_jobs(Side *p, int n) {
  char zHandle[2048], zReceipts[6000];
  const char *zJob;
  int i, nText = 0;
  sqlite3_bind_int(p->apStmt[CLAIM], 1, n);
  if (sqlite3_step(p->apStmt[CLAIM]) != SQLITE_ROW) die(p->db, "job_claim");
  zJob = (const char *)sqlite3_column_text(p->apStmt[CLAIM], 0);
  snprintf(zHandle, sizeof(zHandle), "%s", zJob ? zJob : "");
  run_only(p, CLAIM);
  sqlite3_bind_text(p->apStmt[CLAIMED], 1, zHandle, -1, SQLITE_STATIC);
  run(p, CLAIMED);
  need(p, n);
  for (i = 0; i < n && n > 1; i++) {
    nText += snprintf(zReceipts + nText, sizeof(zReceipts) - (size_t)nText,
                      "%s\"%s\"", i ? "," : "[", p->azKey[i]);
  }
  strcpy(zReceipts + nText, "]");
  sqlite3_bind_text(p->apStmt[COMPLETE], 1, n > 1 ? zReceipts : p->azKey[0], -1,
                    SQLITE_STATIC);
  run_only(p, COMPLETE);
}

static Side steward = {
    "steward",
    "",
    {"SELECT job_enqueue('q', " PAYLOAD ")",
     "SELECT job_claim('q', 'w', '{\"max_rows\":' || ?1 || '}')",
     "SELECT receipt, payload FROM job_claimed(?1)", "SELECT job_complete(?1)",
     NULL, NULL, NULL, NULL},
    steward_run_jobs,
    "INSERT INTO job_queue(queue, payload) SELECT 'q', " PAYLOAD
    " FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT i FROM n LIMIT max(0, ?1 - (SELECT count(*) FROM"
    " assistly_queue_jobs WHERE phase = 0)))",
    NULL,
    {0},
    {0},
    {{0}},
    0};

/* CLAIM: exhausted ones first; MORE: the claim itself. */
static void honker_run_jobs(Side *p, int n) {
  int i;
  run_only(p, BEGIN);
  run_only(p, CLAIM);
  sqlite3_bind_int(p->apStmt[MORE], 1, n);
  run(p, MORE);
  run_only(p, COMMIT);
  need(p, n);
  if (n > 1) run_only(p, BEGIN);
  for (i = 0; i < n; i++) {
    sqlite3_bind_int64(p->apStmt[COMPLETE], 1, p->aId[i]);
    run_only(p, COMPLETE);
  }
  if (n > 1) run_only(p, COMMIT);
}

#define LIVE                                                                   \
  "((state = 'pending' AND run_at <= unixepoch()) OR (state = 'processing' "   \
  "AND claim_expires_at < unixepoch()))"

static Side honker = {
    "honker's statements",
    "CREATE TABLE h_live(id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT"
    " NULL, payload TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending',"
    " priority INTEGER NOT NULL DEFAULT 0, run_at INTEGER NOT NULL DEFAULT"
    " (unixepoch()), worker_id TEXT, claim_expires_at INTEGER, attempts INTEGER"
    " NOT NULL DEFAULT 0, max_attempts INTEGER NOT NULL DEFAULT 3, created_at"
    " INTEGER NOT NULL DEFAULT (unixepoch()), expires_at INTEGER);"
    "CREATE INDEX h_claim ON h_live(queue, priority DESC, run_at, id)"
    " WHERE state IN ('pending', 'processing');"
    "CREATE INDEX h_pending ON h_live(queue, run_at) WHERE state = 'pending';"
    "CREATE INDEX h_processing ON h_live(queue, claim_expires_at)"
    " WHERE state = 'processing';",
    {"INSERT INTO h_live(queue, payload) VALUES ('q', " PAYLOAD ")",
     "DELETE FROM h_live WHERE queue = 'q' AND attempts >= max_attempts"
     " AND " LIVE " RETURNING id",
     NULL,
     "DELETE FROM h_live WHERE id = ?1 AND worker_id = 'w'"
     " AND claim_expires_at >= unixepoch()",
     "BEGIN IMMEDIATE", "COMMIT",
     "UPDATE h_live SET state = 'processing', worker_id = 'w',"
     " claim_expires_at = unixepoch() + 300, attempts = attempts + 1"
     " WHERE id IN (SELECT id FROM h_live WHERE queue = 'q' AND state IN"
     " ('pending', 'processing') AND " LIVE
     " ORDER BY priority DESC, run_at, id LIMIT ?1) RETURNING id, payload",
     NULL},
    honker_run_jobs,
    "INSERT INTO h_live(queue, payload) SELECT 'q', " PAYLOAD
    " FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT i FROM n LIMIT max(0, ?1 - (SELECT count(*) FROM h_live)))",
    NULL,
    {0},
    {0},
    {{0}},
    0};

/* One at a time: it knows no other. */
static void goqite_run_jobs(Side *p, int n) {
  int i;
  for (i = 0; i < n; i++) {
    run(p, CLAIM);
    need(p, 1);
    sqlite3_bind_text(p->apStmt[COMPLETE], 1, p->azKey[0], -1, SQLITE_STATIC);
    run_only(p, COMPLETE);
  }
}

static Side goqite = {
    "goqite's statements",
    "CREATE TABLE g_message(id TEXT PRIMARY KEY DEFAULT ('m_' ||"
    " lower(hex(randomblob(16)))), created TEXT NOT NULL DEFAULT"
    " (strftime('%Y-%m-%dT%H:%M:%fZ')), updated TEXT NOT NULL DEFAULT"
    " (strftime('%Y-%m-%dT%H:%M:%fZ')), queue TEXT NOT NULL, body BLOB NOT"
    " NULL, timeout TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),"
    " received INTEGER NOT NULL DEFAULT 0, priority INTEGER NOT NULL DEFAULT 0)"
    ";CREATE INDEX g_order ON g_message(queue, priority DESC, created);"
    "CREATE TRIGGER g_updated AFTER UPDATE ON g_message BEGIN UPDATE g_message"
    " SET updated = strftime('%Y-%m-%dT%H:%M:%fZ') WHERE id = OLD.id; END;",
    {"INSERT INTO g_message(queue, body) VALUES ('q', " PAYLOAD ") RETURNING"
     " id",
     "UPDATE g_message SET timeout = strftime('%Y-%m-%dT%H:%M:%fZ', 'now',"
     " '+30 seconds'), received = received + 1 WHERE id = (SELECT id FROM"
     " g_message WHERE queue = 'q' AND strftime('%Y-%m-%dT%H:%M:%fZ') >="
     " timeout AND received < 3 ORDER BY priority DESC, created LIMIT 1)"
     " RETURNING id, body",
     NULL, "DELETE FROM g_message WHERE queue = 'q' AND id = ?1", NULL, NULL,
     NULL, NULL},
    goqite_run_jobs,
    "INSERT INTO g_message(queue, body) SELECT 'q', " PAYLOAD
    " FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT i FROM n LIMIT max(0, ?1 - (SELECT count(*) FROM g_message)))",
    NULL,
    {0},
    {0},
    {{0}},
    0};

/* CLAIM: find; CLAIMED and MORE: from one table to another, each by its id. */
static void solid_run_jobs(Side *p, int n) {
  int i;
  run_only(p, BEGIN);
  sqlite3_bind_int(p->apStmt[CLAIM], 1, n);
  run(p, CLAIM);
  need(p, n);
  for (i = 0; i < n; i++) {
    sqlite3_bind_int64(p->apStmt[CLAIMED], 1, p->aId[i]);
    run_only(p, CLAIMED);
    sqlite3_bind_int64(p->apStmt[MORE], 1, p->aId[i]);
    run_only(p, MORE);
  }
  run_only(p, COMMIT);
  for (i = 0; i < n; i++) {
    run_only(p, BEGIN);
    sqlite3_bind_int64(p->apStmt[COMPLETE], 1, p->aId[i]);
    run_only(p, COMPLETE);
    sqlite3_bind_int64(p->apStmt[MORE + 1], 1, p->aId[i]);
    run_only(p, MORE + 1);
    run_only(p, COMMIT);
  }
}

static Side solid = {
    "solid_queue's statements",
    "CREATE TABLE s_jobs(id INTEGER PRIMARY KEY AUTOINCREMENT, queue_name"
    " TEXT NOT NULL, class_name TEXT NOT NULL, arguments TEXT, priority INTEGER"
    " NOT NULL DEFAULT 0, active_job_id TEXT, scheduled_at TEXT, finished_at"
    " TEXT, concurrency_key TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT"
    " NULL);"
    "CREATE INDEX s_active ON s_jobs(active_job_id);"
    "CREATE INDEX s_class ON s_jobs(class_name);"
    "CREATE INDEX s_finished ON s_jobs(finished_at);"
    "CREATE INDEX s_queue ON s_jobs(queue_name, finished_at);"
    "CREATE INDEX s_alert ON s_jobs(scheduled_at, finished_at);"
    "CREATE TABLE s_ready(id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL"
    " UNIQUE, queue_name TEXT NOT NULL, priority INTEGER NOT NULL DEFAULT 0,"
    " created_at TEXT NOT NULL);"
    "CREATE INDEX s_poll_all ON s_ready(priority, job_id);"
    "CREATE INDEX s_poll_queue ON s_ready(queue_name, priority, job_id);"
    "CREATE TABLE s_claimed(id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL"
    " UNIQUE, process_id INTEGER, created_at TEXT NOT NULL);"
    "CREATE INDEX s_process ON s_claimed(process_id, job_id);"
    "CREATE TRIGGER s_enqueue AFTER INSERT ON s_jobs BEGIN INSERT INTO"
    " s_ready(job_id, queue_name, priority, created_at) VALUES (NEW.id,"
    " NEW.queue_name, NEW.priority, NEW.created_at); END;",
    {"INSERT INTO s_jobs(queue_name, class_name, arguments, active_job_id,"
     " scheduled_at, created_at, updated_at) VALUES ('q', 'Job', " PAYLOAD
     ", hex(randomblob(16)), datetime(), datetime(), datetime())",
     "SELECT r.job_id, j.arguments FROM s_ready AS r JOIN s_jobs AS j ON j.id ="
     " r.job_id WHERE r.queue_name = 'q' ORDER BY r.priority, r.job_id LIMIT"
     " ?1",
     "INSERT INTO s_claimed(job_id, process_id, created_at) VALUES (?1, 1,"
     " datetime())",
     "UPDATE s_jobs SET finished_at = datetime(), updated_at = datetime() WHERE"
     " id = ?1",
     "BEGIN IMMEDIATE", "COMMIT", "DELETE FROM s_ready WHERE job_id = ?1",
     "DELETE FROM s_claimed WHERE job_id = ?1"},
    solid_run_jobs,
    "INSERT INTO s_jobs(queue_name, class_name, arguments, active_job_id,"
    " scheduled_at, created_at, updated_at) SELECT 'q', 'Job', " PAYLOAD
    ", hex(randomblob(16)), datetime(), datetime(), datetime()"
    " FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT i FROM n LIMIT max(0, ?1 - (SELECT count(*) FROM s_ready)))",
    NULL,
    {0},
    {0},
    {{0}},
    0};

static void bare_run_jobs(Side *p, int n) {
  int i;
  sqlite3_bind_int(p->apStmt[CLAIM], 1, n);
  run(p, CLAIM);
  need(p, n);
  if (n > 1) run_only(p, BEGIN);
  for (i = 0; i < n; i++) {
    sqlite3_bind_int64(p->apStmt[COMPLETE], 1, p->aId[i]);
    run_only(p, COMPLETE);
  }
  if (n > 1) run_only(p, COMMIT);
}

static Side bare = {
    "bare statements",
    "CREATE TABLE b_jobs(id INTEGER PRIMARY KEY, queue TEXT NOT NULL, payload,"
    " state INTEGER NOT NULL DEFAULT 0, priority INTEGER NOT NULL DEFAULT 0,"
    " run_at INTEGER NOT NULL, worker TEXT, lease_until INTEGER, attempts"
    " INTEGER NOT NULL DEFAULT 0, done_at INTEGER);"
    "CREATE INDEX b_ready ON b_jobs(queue, priority DESC, run_at, id)"
    " WHERE state = 0;"
    "CREATE INDEX b_leased ON b_jobs(queue, lease_until) WHERE state = 1;"
    "CREATE INDEX b_done ON b_jobs(done_at) WHERE state = 2;",
    {"INSERT INTO b_jobs(queue, payload, run_at) VALUES ('q', " PAYLOAD
     ", unixepoch())",
     "UPDATE b_jobs SET state = 1, worker = 'w', lease_until = unixepoch() +"
     " 30, attempts = attempts + 1 WHERE id IN (SELECT id FROM b_jobs WHERE"
     " queue = 'q' AND state = 0 ORDER BY priority DESC, run_at, id LIMIT ?1)"
     " RETURNING id, payload",
     NULL,
     "UPDATE b_jobs SET state = 2, done_at = unixepoch() WHERE id = ?1 AND"
     " state = 1 AND worker = 'w'",
     "BEGIN IMMEDIATE", "COMMIT", NULL, NULL},
    bare_run_jobs,
    "INSERT INTO b_jobs(queue, payload, run_at) SELECT 'q', " PAYLOAD
    ", unixepoch()"
    " FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT i FROM n LIMIT max(0, ?1 - (SELECT count(*) FROM b_jobs WHERE"
    " state = 0)))",
    NULL,
    {0},
    {0},
    {{0}},
    0};

static Side *const apOther[] = {&honker, &goqite, &solid, &bare};

/*************************************************************************
** Side by side, one connection
*/

/* As many jobs as a block takes, and no more: what is finished goes, so that
** each block finds the same. */
static void refill(Side *p, int nReady) {
  sqlite3_stmt *s = prepare(p->db, p->zRefill);
  sqlite3_bind_int(s, 1, nReady);
  if (sqlite3_step(s) != SQLITE_DONE) die(p->db, p->zRefill);
  sqlite3_finalize(s);
}

static double time_enqueue(Side *p, int nOp) {
  return block(p->db, p->apStmt[ENQUEUE], nOp);
}

static double time_claim(Side *p, int nOp, int nBatch) {
  double t;
  int i;
  refill(p, nOp * nBatch + 1000);
  t = now_us();
  for (i = 0; i < nOp; i++) p->xRun(p, nBatch);
  return (now_us() - t) / nOp / nBatch;
}

static void run_pair(Side *p, const char *zSync, int nBatch, int nOp) {
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  sqlite3 *db = open_fresh(zSync);
  char zName[80];
  int i;
  side_open(&steward, db);
  side_open(p, db);
  for (i = 0; i < nSample; i++) {
    if (nBatch) {
      aA[i] = time_claim(&steward, nOp, nBatch);
      aB[i] = time_claim(p, nOp, nBatch);
    } else {
      aA[i] = time_enqueue(&steward, nOp);
      aB[i] = time_enqueue(p, nOp);
    }
  }
  if (nBatch) {
    snprintf(zName, sizeof(zName), "claim %d, complete : %s", nBatch, p->zName);
  } else {
    snprintf(zName, sizeof(zName), "job_enqueue : %s", p->zName);
  }
  report(zName, aA, aB, nSample);
  side_close(&steward);
  side_close(p);
  sqlite3_close(db);
  free(aA);
  free(aB);
}

static void run_pairs(const char *zWhich, int nBatch, int nOp) {
  static const char *const azSync[] = {"NORMAL", "FULL"};
  char z[60];
  int i, j;
  if (!strstr(zWhich, zOnly)) return;
  for (i = 0; i < 2; i++) {
    printf("synchronous=%s\n", azSync[i]);
    snprintf(z, sizeof(z), "PRAGMA synchronous=%s", azSync[i]);
    for (j = 0; j < 4; j++) run_pair(apOther[j], z, nBatch, nOp);
  }
}

/*************************************************************************
** Redis lists: LPUSH; LMOVE to a list of one's own, LREM from there
*/
static double redis_enqueue(Redis *r, int nOp) {
  double t = now_us();
  int i;
  for (i = 0; i < nOp; i++) redis_do(r, "LPUSH q " P50 P50 P50);
  return (now_us() - t) / nOp;
}

static double redis_claim(Redis *r, int nOp) {
  double t = now_us();
  int i;
  for (i = 0; i < nOp; i++) {
    redis_do(r, "LMOVE q w RIGHT LEFT");
    redis_do(r, "LREM w 1 " P50 P50 P50);
  }
  return (now_us() - t) / nOp;
}

static void run_redis(const char *zSync, const char *zFsync) {
  enum { OPS = 20 };
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  double *aC = malloc(sizeof(double) * (size_t)nSample);
  double *aD = malloc(sizeof(double) * (size_t)nSample);
  char zName[80];
  Redis redis;
  sqlite3 *db;
  int i;
  if (!redis_open(&redis, zFsync, 0)) {
    printf("Redis lists: no redis-server here\n");
    goto done;
  }
  db = open_fresh(zSync);
  side_open(&steward, db);
  for (i = 0; i < nSample; i++) {
    aA[i] = time_enqueue(&steward, OPS);
    aB[i] = redis_enqueue(&redis, OPS);
    aC[i] = time_claim(&steward, OPS, 1);
    aD[i] = redis_claim(&redis, OPS);
  }
  snprintf(zName, sizeof(zName), "job_enqueue : Redis LPUSH, fsync %s", zFsync);
  report(zName, aA, aB, nSample);
  snprintf(zName, sizeof(zName), "claim, complete : LMOVE, LREM, %s", zFsync);
  report(zName, aC, aD, nSample);
  side_close(&steward);
  sqlite3_close(db);
  redis_close(&redis);
done:
  free(aA);
  free(aB);
  free(aC);
  free(aD);
}

/*************************************************************************
** Many worker processes
*/
enum { LATENCIES = 200000 };

typedef struct Shared {
  volatile int bGo, bStop;
  volatile int nReady;
  int nError[16], nJob[16];
  double aLatency[16][LATENCIES / 16];
} Shared;

static void work(Shared *pShared, int iWorker) {
  sqlite3 *db = NULL;
  int n = 0;
  while (!pShared->bGo) usleep(1000);
  if (sqlite3_open(zFile, &db)) die(db, zFile);
  load(db, zLibrary);
  sqlite3_busy_timeout(db, 10000);
  exec(db, "PRAGMA synchronous=NORMAL");
  side_open(&steward, db);
  __sync_fetch_and_add(&pShared->nReady, 1);
  while (pShared->bGo < 2) usleep(1000);
  while (!pShared->bStop && n < LATENCIES / 16) {
    double t = now_us();
    sqlite3_stmt *pClaim = steward.apStmt[CLAIM];
    char zHandle[100];
    int rc;
    sqlite3_bind_int(pClaim, 1, 1);
    rc = sqlite3_step(pClaim);
    snprintf(zHandle, sizeof(zHandle), "%s",
             rc == SQLITE_ROW && sqlite3_column_text(pClaim, 0)
                 ? (const char *)sqlite3_column_text(pClaim, 0)
                 : "");
    sqlite3_reset(pClaim);
    if (zHandle[0] == 0) {
      pShared->nError[iWorker]++;
      continue;
    }
    sqlite3_bind_text(steward.apStmt[CLAIMED], 1, zHandle, -1, SQLITE_STATIC);
    run(&steward, CLAIMED);
    sqlite3_bind_text(steward.apStmt[COMPLETE], 1, steward.azKey[0], -1,
                      SQLITE_STATIC);
    rc = sqlite3_step(steward.apStmt[COMPLETE]);
    if (rc != SQLITE_ROW) pShared->nError[iWorker]++;
    sqlite3_reset(steward.apStmt[COMPLETE]);
    pShared->aLatency[iWorker][n++] = now_us() - t;
  }
  pShared->nJob[iWorker] = n;
  side_close(&steward);
  sqlite3_close(db);
}

/* Workers beside each other, for nMs; the parent touches the file before and
** after them only. */
static void run_workers(int nWorker, int nMs) {
  Shared *p = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  double *aAll = malloc(sizeof(double) * LATENCIES), t;
  int i, n = 0, nError = 0;
  sqlite3 *db;
  fflush(NULL);
  for (i = 0; i < nWorker; i++) {
    if (fork() == 0) {
      work(p, i);
      _exit(0);
    }
  }
  db = open_fresh("");
  side_open(&steward, db);
  refill(&steward, nMs * 40);
  side_close(&steward);
  sqlite3_close(db);
  p->bGo = 1;
  while (p->nReady < nWorker) usleep(1000);
  t = now_us();
  p->bGo = 2;
  usleep((useconds_t)nMs * 1000);
  p->bStop = 1;
  t = (now_us() - t) / 1e6;
  while (wait(NULL) > 0) {
  }
  for (i = 0; i < nWorker; i++) {
    memcpy(aAll + n, p->aLatency[i], sizeof(double) * (size_t)p->nJob[i]);
    n += p->nJob[i];
    nError += p->nError[i];
  }
  printf("%2d worker processes: %6.0f jobs/s, p50 %.0f us, p99 %.0f us, %d"
         " errors\n",
         nWorker, n / t, percentile(aAll, n, 50), percentile(aAll, n, 99),
         nError);
  fflush(stdout);
  munmap(p, sizeof(Shared));
  free(aAll);
}

/*************************************************************************
** Backlogs: the same work beside very many other jobs, in a file of its own
*/
#define N(n)                                                                   \
  " FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"      \
  " WHERE i < " n ") SELECT i FROM n)"
#define MANY "1000000"

static const struct {
  const char *zName, *zSetup, *zQueue;
} aBacklog[] = {
    {"1,000,000 ready",
     "INSERT INTO job_queue(queue, payload) SELECT 'q', " PAYLOAD N(MANY), "q"},
    {"100,000 future, 100,000 leased, higher priority",
     "INSERT INTO job_queue(queue, payload, priority) SELECT 'q', " PAYLOAD
     ", 5" N("100000") ";"
                       "SELECT job_claim('q', 'x', "
                       "'{\"max_rows\":1000,\"lease\":\"1d\"}')"
                       " IS NULL" N(
                           "100") ";"
                                  "INSERT INTO job_queue(queue, payload, "
                                  "priority, run_at) SELECT 'q', " PAYLOAD
                                  ", i % 1000, steward_now() + 86400000" N(
                                      "100000"),
     "q"},
    {"1,000,000 behind a busy group",
     "INSERT INTO job_queue(queue, payload, priority, group_key) SELECT "
     "'q', " PAYLOAD ", 5, 'g'" N(
         MANY) ";"
               "SELECT job_claim('q', 'x', '{\"lease\":\"1d\"}') IS NULL",
     "q"},
    {"1,000,000 behind a reached limit",
     "INSERT INTO job_queue(queue, payload, priority, concurrency_key) SELECT"
     " 'q', " PAYLOAD ", 5, 'k'" N(
         MANY) ";"
               "SELECT job_claim('q', 'x', '{\"lease\":\"1d\"}') IS NULL",
     "q"},
    {"1,000,000 in a paused queue, claimed with it",
     "INSERT INTO job_queue(queue, payload) SELECT 'p', " PAYLOAD N(
         MANY) ";"
               "SELECT job_pause('p')",
     "[\"p\",\"q\"]"},
    {"one of 1,000 queues of 1,000",
     "INSERT INTO job_queue(queue, payload) SELECT 'z' || (i % 1000), " PAYLOAD
         N(MANY),
     "q"},
    {"1,000,000 that came due in a pause",
     "INSERT INTO job_queue(queue, payload, priority, run_at) SELECT "
     "'q', " PAYLOAD ", i % 10, steward_now() + 1" N(MANY) ";",
     "q"},
};

static sqlite3 *open_backlog(Side *p, const char *zPath, const char *zSetup,
                             const char *zQueue) {
  char zKeep[sizeof(zFile)];
  sqlite3 *db;
  strcpy(zKeep, zFile);
  strcpy(zFile, zPath);
  db = open_fresh("BEGIN");
  exec(db, zSetup);
  exec(db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  strcpy(zFile, zKeep);
  *p = steward;
  side_open(p, db);
  sqlite3_finalize(p->apStmt[CLAIM]);
  p->apStmt[CLAIM] =
      prepare(db, "SELECT job_claim(?2, 'w', '{\"max_rows\":' || ?1 || '}')");
  sqlite3_bind_text(p->apStmt[CLAIM], 2, zQueue, -1, SQLITE_STATIC);
  return db;
}

/* As many are enqueued, before the clock runs, as are claimed. */
static double time_backlog(Side *p, int nOp) {
  double t;
  int i;
  exec(p->db, "BEGIN");
  for (i = 0; i < nOp; i++) run_only(p, ENQUEUE);
  exec(p->db, "COMMIT");
  t = now_us();
  for (i = 0; i < nOp; i++) p->xRun(p, 1);
  return (now_us() - t) / nOp;
}

static void run_backlog(const char *zName, const char *zSetup,
                        const char *zQueue) {
  enum { OPS = 50 };
  static const char *const azSuffix[] = {"", "-wal", "-shm"};
  static Side a, b;
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  char zBig[100], z[120];
  sqlite3 *dbA, *dbB;
  int i;
  snprintf(zBig, sizeof(zBig), "%s-b", zFile);
  dbA = open_backlog(&a, zBig, zSetup, zQueue);
  dbB = open_backlog(&b, zFile,
                     "INSERT INTO job_queue(queue, payload)"
                     " SELECT 'q', " PAYLOAD N("1000"),
                     zQueue);
  for (i = 0; i < nSample; i++) {
    aA[i] = time_backlog(&a, OPS);
    aB[i] = time_backlog(&b, OPS);
  }
  snprintf(z, sizeof(z), "%s : 1,000 ready", zName);
  report(z, aA, aB, nSample);
  side_close(&a);
  side_close(&b);
  sqlite3_close(dbA);
  sqlite3_close(dbB);
  for (i = 0; i < 3; i++) {
    snprintf(z, sizeof(z), "%s%s", zBig, azSuffix[i]);
    unlink(z);
  }
  free(aA);
  free(aB);
}

/* Through a limit: every job completed lets the next one in. */
#define THROUGH(column, key)                                                   \
  "INSERT INTO job_queue(queue, payload, " column ") SELECT 'q', " PAYLOAD     \
  ", " key N("100000")

int main(int argc, char **argv) {
  int i;
  bench_begin(argc, argv);
  run_pairs("enqueue", 0, 50);
  run_pairs("claim 1", 1, 50);
  run_pairs("claim 32", 32, 4);
  run_pairs("claim 128", 128, 1);
  if (strstr("redis", zOnly)) {
    run_redis("PRAGMA synchronous=NORMAL", "everysec");
    run_redis("PRAGMA synchronous=FULL", "always");
  }
  if (strstr("workers", zOnly)) {
    run_workers(1, 1500);
    run_workers(4, 1500);
    run_workers(16, 1500);
  }
  if (zOnly[0] && strstr("big", zOnly)) {
    for (i = 0; i < (int)(sizeof(aBacklog) / sizeof(aBacklog[0])); i++) {
      run_backlog(aBacklog[i].zName, aBacklog[i].zSetup, aBacklog[i].zQueue);
    }
    run_backlog("through a limit of 4, 100,000 waiting",
                THROUGH("concurrency_key, concurrency_limit", "'k', 4"), "q");
    run_backlog("one group, 100,000 waiting", THROUGH("group_key", "'g'"), "q");
  }
  bench_end();
  return 0;
}
