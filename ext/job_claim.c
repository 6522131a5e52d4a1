/*
** job_claim.c - leasing jobs, and waiting until there are some.
**
** A claim first does what has come due in its queues: expired jobs are dead,
** leases that have run out are given back, jobs whose time has come are looked
** at. Each of these is bounded, so that a claim costs the same at any backlog;
** what is left over is done by the claims that follow.
*/
#include <stdlib.h>
#include <string.h>

#include "job_int.h"

enum { BATCH = 64, ROUNDS = 16 };

/* The queues of a call. */
typedef struct Queues {
  const char *zOne; /* one queue, or NULL ... */
  char *zList;      /* ... and then a JSON array, owned */
} Queues;

/* Refuse what is in an array and is no name. */
static void check_list(StewardCall *c, const char *zList) {
  sqlite3_stmt *s = steward_query(c, SQL_job_names, "t", zList);
  int n = 0;
  while (steward_next(c, s)) {
    const char *z = (const char *)sqlite3_column_text(s, 1);
    if (strcmp(steward_column(c, s, 0), "text") || z == NULL || z[0] == 0 ||
        z[0] == '[' || strchr(z, '*') || strlen(z) > JOB_NAME_MAX) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "queue must be an array of names, and element %d is none",
                   n);
    }
    n++;
  }
  steward_give(c, SQL_job_names, s);
  if (c->rc == SQLITE_OK && n == 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "queue must be an array of names, got an empty one");
  }
}

/* A queue, '*' for all, or a JSON array of queues. */
static void arg_queues(StewardCall *c, sqlite3_value *v, Queues *q) {
  const char *z = steward_arg_text(c, v, "queue", 100000);
  memset(q, 0, sizeof(*q));
  if (z == NULL) return;
  if (strcmp(z, "*") == 0) {
    q->zList = steward_text(c, SQL_job_queues, "");
  } else if (z[0] != '[') {
    q->zOne = job_arg_queue(c, v);
  } else if (!steward_int(c, SQL_job_is_array, 0, "t", z)) {
    steward_fail_argument(c, v, "queue", "a name, '*' or an array of names");
  } else {
    q->zList = steward_mprintf(c, "%s", z);
    check_list(c, q->zList);
  }
}

/* Look at the jobs whose time has come. */
static void promote(StewardCall *c, const char *zQueue, i64 iNow, i64 nMax) {
  struct {
    i64 iId, nLimit;
  } *aDue = sqlite3_malloc64(sizeof(*aDue) * (sqlite3_uint64)nMax);
  sqlite3_stmt *s;
  i64 i, n = 0;
  if (aDue == NULL) {
    steward_fail_nomem(c);
    return;
  }
  s = steward_query(c, SQL_job_due, "tll", zQueue, iNow, nMax);
  while (steward_next(c, s)) {
    aDue[n].iId = sqlite3_column_int64(s, 0);
    aDue[n++].nLimit = sqlite3_column_int64(s, 1);
  }
  steward_give(c, SQL_job_due, s);
  for (i = 0; i < n && c->rc == SQLITE_OK; i++) {
    steward_run(c, SQL_job_promote, "ll", aDue[i].iId, aDue[i].nLimit);
  }
  sqlite3_free(aDue);
}

/* Run eDo on up to BATCH jobs that eFind finds; how many. */
static int each_due(StewardCall *c, enum StewardSqlId eFind,
                    enum StewardSqlId eDo, const char *zQueue, i64 iNow) {
  i64 aId[BATCH];
  int i, n = 0;
  sqlite3_stmt *s = steward_query(c, eFind, "tli", zQueue, iNow, BATCH);
  while (steward_next(c, s)) aId[n++] = sqlite3_column_int64(s, 0);
  steward_give(c, eFind, s);
  for (i = 0; i < n && c->rc == SQLITE_OK; i++) {
    steward_run(c, eDo, "ll", aId[i], iNow);
  }
  return n;
}

/* Do what has come due in a queue; 1 when there may be more of it. */
static int refresh(StewardCall *c, const char *zQueue, i64 iNow, i64 nRow) {
  int nExpired = each_due(c, SQL_job_expired, SQL_job_expire, zQueue, iNow);
  int nLapsed = each_due(c, SQL_job_lapsed, SQL_job_lapse, zQueue, iNow);
  if (c->rc == SQLITE_OK) promote(c, zQueue, iNow, 2 * nRow + 14);
  return nExpired == BATCH || nLapsed == BATCH;
}

/* A job that may run now. */
typedef struct Ready {
  i64 iId, iPriority, iAt;
} Ready;

typedef struct Claim {
  const char *zWorker;
  i64 iNow;
  i64 nMaxRows; /* options */
  i64 iLease;
  Ready *aReady; /* of every queue the first nMaxRows; owned */
  i64 nReady;
  i64 nAlloc;
} Claim;

static const StewardOption aClaimOption[] = {
    {"max_rows", STEWARD_OPT_INT, offsetof(Claim, nMaxRows), 1, 1000, NULL,
     "jobs to lease at most; 1"},
    {"lease", STEWARD_OPT_DURATION, offsetof(Claim, iLease), 1,
     JOB_DURATION_MAX, NULL,
     "how long they are the worker's, before others may have them; 30 s"},
};

static Ready *next_ready(StewardCall *c, Claim *p) {
  if (p->nReady == p->nAlloc) {
    i64 nAlloc = p->nAlloc ? p->nAlloc * 2 : 16;
    Ready *aNew = sqlite3_realloc64(p->aReady, sizeof(Ready) * (size_t)nAlloc);
    if (aNew == NULL) {
      steward_fail_nomem(c);
      return NULL;
    }
    p->aReady = aNew;
    p->nAlloc = nAlloc;
  }
  return &p->aReady[p->nReady++];
}

/* Find the first ready jobs of a queue.  refresh() has left none that has
** expired, unless there are very many: those are passed over. */
static void find_ready(StewardCall *c, Claim *p, const char *zQueue) {
  sqlite3_stmt *s =
      steward_query(c, SQL_job_ready, "tl", zQueue, p->nMaxRows + BATCH);
  i64 n = 0;
  while (n < p->nMaxRows && steward_next(c, s)) {
    Ready *pReady;
    if (sqlite3_column_type(s, 3) != SQLITE_NULL &&
        sqlite3_column_int64(s, 3) <= p->iNow) {
      continue;
    }
    pReady = next_ready(c, p);
    if (pReady == NULL) break;
    pReady->iId = sqlite3_column_int64(s, 0);
    pReady->iPriority = sqlite3_column_int64(s, 1);
    pReady->iAt = sqlite3_column_int64(s, 2);
    n++;
  }
  steward_give(c, SQL_job_ready, s);
}

/* Do what is due in a queue and find what is ready; a queue whose first jobs
** have all expired is gone through in steps, not for ever. */
static void look_at(StewardCall *c, Claim *p, const char *zQueue) {
  i64 nBefore = p->nReady;
  int i, bMore = 1;
  if (steward_int(c, SQL_job_paused, 0, "t", zQueue)) return;
  for (i = 0; i < ROUNDS && bMore && p->nReady == nBefore && c->rc == SQLITE_OK;
       i++) {
    bMore = refresh(c, zQueue, p->iNow, p->nMaxRows);
    find_ready(c, p, zQueue);
  }
}

static int compare_ready(const void *pA, const void *pB) {
  const Ready *a = pA, *b = pB;
  if (a->iPriority != b->iPriority) return a->iPriority < b->iPriority ? 1 : -1;
  if (a->iAt != b->iAt) return a->iAt < b->iAt ? -1 : 1;
  return a->iId < b->iId ? -1 : a->iId > b->iId;
}

/* Lease the first of what was found; the handle, NULL when it is nothing. */
static char *take(StewardCall *c, Claim *p) {
  i64 i, iNumber, n = p->nReady < p->nMaxRows ? p->nReady : p->nMaxRows;
  sqlite3_str *pHandle;
  if (n == 0 || c->rc) return NULL;
  qsort(p->aReady, (size_t)p->nReady, sizeof(Ready), compare_ready);
  iNumber = steward_fence(c);
  pHandle = sqlite3_str_new(c->db);
  sqlite3_str_appendf(pHandle, "c%lld", iNumber);
  for (i = 0; i < n && c->rc == SQLITE_OK; i++) {
    steward_run(c, SQL_job_take, "lltll", p->aReady[i].iId, p->iNow, p->zWorker,
                p->iLease, iNumber);
    sqlite3_str_appendf(pHandle, "%c%lld", i ? ',' : ':', p->aReady[i].iId);
  }
  return steward_str_finish(c, pHandle);
}

/* job_claim(queue TEXT, worker TEXT [, options JSON])
**   -> TEXT, a claim handle                                             plain
** Lease up to max_rows jobs that may run now (1), for `lease` (30 s): the
** highest priority first, then the earliest time, then the lowest id.  The
** handle is for SELECT * FROM job_claimed(handle); NULL when there is none.
** queue: a name, '*' for all, or a JSON array of names; several cost a few
** steps each.  Before that, jobs of these queues whose lease has run out are
** given back, which counts as an attempt, and those that are exhausted or have
** expired are dead.  After a pause of all workers, jobs that came due meanwhile
** are let in by and by, and keep their order in time rather than in priority.
** Refused inside a writing statement.
** Set: jobs
** Errors: "INVALID_ARGUMENT: job_claim: queue must be text, got NULL";
**   "INVALID_ARGUMENT: job_claim: option max_rows must be an integer within
**   1..1000, got 0"; NOT_INSTALLED; UNSUPPORTED; BUSY.
** Source: visibility timeouts as in SQS; the original's due().
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_claim('mail', 'w1', '{"max_rows":10}'); -- c1:1
**   SELECT payload, receipt FROM job_claimed('c1:1'); -- hello|1-1
**   SELECT job_claim('mail', 'w2') IS NULL; -- 1
*/
static void job_claim(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  Claim claim = {.nMaxRows = 1, .iLease = 30000};
  Queues q = {NULL, NULL};
  char *zHandle;
  steward_open(&c, ctx, "job_claim", "jobs", STEWARD_READ);
  if (sqlite3_value_type(argv[0]) != SQLITE_TEXT) job_arg_queue(&c, argv[0]);
  claim.zWorker = steward_arg_text(&c, argv[1], "worker", JOB_NAME_MAX);
  if (argc > 2) {
    steward_options(&c, argv[2], aClaimOption, ArraySize(aClaimOption), &claim);
  }
  steward_begin(&c);
  arg_queues(&c, argv[0], &q);
  claim.iNow = steward_now(c.p);
  if (c.rc == SQLITE_OK && q.zOne) look_at(&c, &claim, q.zOne);
  if (c.rc == SQLITE_OK && q.zList) {
    sqlite3_stmt *s = steward_query(&c, SQL_job_names, "t", q.zList);
    while (steward_next(&c, s)) {
      look_at(&c, &claim, steward_column(&c, s, 1));
    }
    steward_give(&c, SQL_job_names, s);
  }
  zHandle = take(&c, &claim);
  sqlite3_free(claim.aReady);
  sqlite3_free(q.zList);
  if (steward_close(&c) == SQLITE_OK && zHandle) {
    sqlite3_result_text(ctx, zHandle, -1, SQLITE_TRANSIENT);
  }
  sqlite3_free(zHandle);
}

/*************************************************************************
** When
*/

/* When the next job of a queue may be claimed; -1: there is none. */
static i64 next_of(StewardCall *c, const char *zQueue) {
  if (steward_int(c, SQL_job_paused, 0, "t", zQueue)) return -1;
  return steward_int(c, SQL_job_next_at, -1, "t", zQueue);
}

static i64 next_at(StewardCall *c, const Queues *q) {
  sqlite3_stmt *s;
  i64 iBest = -1;
  if (q->zOne) return next_of(c, q->zOne);
  s = steward_query(c, SQL_job_names, "t", q->zList);
  while (steward_next(c, s)) {
    i64 i = next_of(c, steward_column(c, s, 1));
    if (i >= 0 && (iBest < 0 || i < iBest)) iBest = i;
  }
  steward_give(c, SQL_job_names, s);
  return iBest;
}

/* job_next_at(queue TEXT) -> INTEGER, Unix ms    plain
** When the next job of the queue may be claimed: a time that has passed when
** one is ready now, else that of the next one that waits for its time, or the
** end of a lease.  NULL when there is none, or when the queue is paused.
** queue as for job_claim.
** Set: jobs
** Errors: "INVALID_ARGUMENT: job_next_at: queue must be text, got NULL".
** Example: SELECT job_enqueue('mail', 'hello', '{"delay":"1m"}'); -- 1
**   SELECT job_next_at('mail') - steward_now(); -- 60000
*/
static void job_next_at(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  Queues q = {NULL, NULL};
  i64 iAt = -1;
  steward_open(&c, ctx, "job_next_at", "jobs", STEWARD_READ);
  arg_queues(&c, argv[0], &q);
  if (c.rc == SQLITE_OK) iAt = next_at(&c, &q);
  sqlite3_free(q.zList);
  if (steward_close(&c) == SQLITE_OK && iAt >= 0) {
    sqlite3_result_int64(ctx, iAt);
  }
}

/* May one be claimed now?  pArg: the value of the queue, as `*` finds others
** each time. */
static i64 claimable(StewardCall *c, void *pArg) {
  Queues q = {NULL, NULL};
  i64 iAt = -1;
  arg_queues(c, pArg, &q);
  if (c->rc == SQLITE_OK) iAt = next_at(c, &q);
  sqlite3_free(q.zList);
  return iAt >= 0 && iAt <= steward_now(c->p);
}

/* Wait in pieces: until the next commit of others, or the next job's time. */
static i64 wait_for_job(StewardCall *c, i64 iTimeout, sqlite3_value *pQueue) {
  i64 iEnd = steward_monotonic_us() + iTimeout * 1000;
  while (c->rc == SQLITE_OK) {
    i64 iLeft = (iEnd - steward_monotonic_us() + 999) / 1000, iAt = -1;
    Queues q = {NULL, NULL};
    arg_queues(c, pQueue, &q);
    if (c->rc == SQLITE_OK) iAt = next_at(c, &q);
    sqlite3_free(q.zList);
    if (iLeft < 0) iLeft = 0;
    if (iAt >= 0 && !c->p->clock.bPinned) {
      i64 iUntil = iAt - steward_now(c->p);
      if (iUntil > 0 && iUntil < iLeft) {
        if (steward_wait(c, iUntil, claimable, pQueue)) return 1;
        continue;
      }
    }
    return steward_wait(c, iLeft, claimable, pQueue);
  }
  return 0;
}

/* job_wait(queue TEXT, timeout) -> INTEGER, 1 or 0    directonly
** Block until a job of the queue may be claimed: enqueued or given back by any
** connection or process, its time has come, or its lease has run out; or until
** the timeout (ms, or text like '30s'; at most a day) has passed: that gives 0.
** Several may wait for one job: claim it to have it.  queue as for job_claim.
** sqlite3_interrupt() ends it within 100 ms.
** Set: jobs
** Errors: "UNSUPPORTED: job_wait: inside a transaction nothing that others
**   commit is seen: call it by SELECT job_wait(...) on its own, outside of
**   BEGIN"; UNSUPPORTED without a file and on dqlite; INVALID_ARGUMENT.
** Source: the original asked every 30 s; Redis' BLPOP.
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_wait('mail', 100); -- 1
*/
static void job_wait(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  i64 iTimeout, bReady = 0;
  steward_open(&c, ctx, "job_wait", "jobs", STEWARD_READ);
  if (sqlite3_value_type(argv[0]) != SQLITE_TEXT) job_arg_queue(&c, argv[0]);
  iTimeout = steward_arg_time(&c, argv[1], "timeout");
  if (c.rc == SQLITE_OK && (iTimeout < 0 || iTimeout > 86400000)) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "timeout must be within 0..86400000 ms, got %lld", iTimeout);
  }
  if (c.rc == SQLITE_OK) bReady = wait_for_job(&c, iTimeout, argv[0]);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, bReady);
}

static const StewardFunc aFunc[] = {
    {"job_claim", 2, 3, STEWARD_PLAIN, job_claim, aClaimOption,
     ArraySize(aClaimOption)},
    {"job_next_at", 1, 1, STEWARD_PLAIN, job_next_at, NULL, 0},
    {"job_wait", 2, 2, STEWARD_DIRECTONLY, job_wait, NULL, 0},
};

int job_claim_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
