/*
** job_claim.c - leasing jobs, and waiting until there are some.
**
** A claim first enqueues the jobs of schedules that are due, and does what has
** come due in its queues: expired jobs are dead, leases that have run out are
** given back. Then it takes the first, by rank
** (priority, time, id), of the jobs that may run (phase 0) and of those whose
** time has come (phase 1). Each of these is bounded, so that a claim costs the
** same at any backlog; what is left over is done by the claims that follow.
**
** Jobs whose time has come are few as a rule, and found by their time; when
** they are more than the claim wants, it goes through them by rank, past the
** priorities at which there are only jobs of the future.
*/
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "job_int.h"

enum { BATCH = 64, ROUNDS = 16, DUE = 7, LEVELS = 1000, SCHEDULES = 16 };

/* The queues of a call. */
typedef struct Queues {
  const char *zOne; /* one queue, or NULL ... */
  char *zList;      /* ... and then a JSON array, owned ... */
  int bAll;         /* ... of all of them */
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
    q->bAll = 1;
  } else if (z[0] != '[') {
    q->zOne = job_arg_queue(c, v);
  } else if (!steward_int(c, SQL_job_is_array, 0, "t", z)) {
    steward_fail_argument(c, v, "queue", "a name, '*' or an array of names");
  } else {
    check_list(c, z);
    q->zList = steward_text(c, SQL_job_distinct, "t", z);
  }
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

/* Do what has come due in a queue; how many jobs. *pbMore: there may be more.
*/
static int refresh(StewardCall *c, const char *zQueue, i64 iNow,
                   int *pbMore /* OUT */) {
  int nExpired = each_due(c, SQL_job_expired, SQL_job_expire, zQueue, iNow);
  int nLapsed = each_due(c, SQL_job_lapsed, SQL_job_lapse, zQueue, iNow);
  if (nExpired == BATCH || nLapsed == BATCH) *pbMore = 1;
  return nExpired + nLapsed;
}

/* The same for queues that nobody claims from: for at most nMax of them; how
** many jobs.  Begins to write when there are some. */
i64 job_settle(StewardCall *c, i64 nMax) {
  i64 iNow = steward_now(c->p), n = 0;
  char *zAll = steward_text(c, SQL_job_queues, "");
  char *zList = steward_text(c, SQL_job_unsettled, "tll", zAll, iNow, nMax);
  sqlite3_stmt *s;
  int bMore;
  if (zList && strcmp(zList, "[]")) {
    if (c->eMode == STEWARD_READ) steward_begin(c);
    s = steward_query(c, SQL_job_names, "t", zList);
    while (steward_next(c, s)) {
      n += refresh(c, steward_column(c, s, 1), iNow, &bMore);
    }
    steward_give(c, SQL_job_names, s);
  }
  sqlite3_free(zAll);
  sqlite3_free(zList);
  return n;
}

/* A job that may run now, or, with a limit, that is to be looked at first. */
typedef struct Ready {
  i64 iId, iPriority, iAt, nLimit;
  int bWhole; /* priority and time are integers, which plain SQL may change */
  int iQueue; /* of those that the claim looks at, from 1; 0: in phase 1, or not
                 whole, so that it is taken by itself */
} Ready;

typedef struct Claim {
  const char *zWorker;
  i64 iNow;
  i64 nMaxRows; /* options */
  i64 iLease;
  Ready *aReady; /* of every queue the first nMaxRows; owned */
  int nReady, nAlloc;
  int iQueue;           /* the one that it looks at, from 1 */
  int bMore;            /* something was left for another round */
  i64 iNumber;          /* of the lease, 0: nothing is leased yet */
  i64 nTaken;           /* jobs leased ... */
  sqlite3_str *pHandle; /* ... and their handle */
} Claim;

static const StewardOption aClaimOption[] = {
    {"max_rows", STEWARD_OPT_INT, offsetof(Claim, nMaxRows), 1, 1000, NULL,
     "jobs to lease at most; 1"},
    {"lease", STEWARD_OPT_DURATION, offsetof(Claim, iLease), 1,
     JOB_DURATION_MAX, NULL,
     "how long they are the worker's, before others may have them; 30 s"},
};

/* The limit in the last column, which plain SQL may have set to anything; 0:
** the job need not be looked at. */
static i64 limit_of(sqlite3_stmt *s) {
  i64 n = sqlite3_column_int64(s, 4);
  if (sqlite3_column_type(s, 4) == SQLITE_NULL) return 0;
  return n < 1 ? 1 : n;
}

/* Take up the jobs of a statement that are due and have not expired, at most
** nMax; how many rows were read.  *piFuture: the priority of one that is not
** due, where reading ended. */
static i64 add_ready(StewardCall *c, Claim *p, sqlite3_stmt *s, i64 nMax,
                     i64 *piFuture /* OUT */) {
  i64 nRead = 0, n = 0;
  for (; n < nMax && steward_next(c, s); nRead++) {
    Ready *pReady;
    if (piFuture && sqlite3_column_int64(s, 2) > p->iNow) {
      *piFuture = sqlite3_column_int64(s, 1);
      break;
    }
    if (job_expires_by(s, 3, p->iNow)) continue;
    if (!steward_grow(c, &p->aReady, p->nReady, &p->nAlloc, sizeof(Ready))) {
      break;
    }
    pReady = &p->aReady[p->nReady++];
    pReady->iId = sqlite3_column_int64(s, 0);
    pReady->iPriority = sqlite3_column_int64(s, 1);
    pReady->iAt = sqlite3_column_int64(s, 2);
    pReady->nLimit = limit_of(s);
    pReady->bWhole = sqlite3_column_type(s, 1) == SQLITE_INTEGER &&
                     sqlite3_column_type(s, 2) == SQLITE_INTEGER;
    n++;
  }
  return nRead;
}

/* The first jobs of a queue that may run.  refresh() has left none that has
** expired, unless there are very many: those are passed over. */
static void find_ready(StewardCall *c, Claim *p, const char *zQueue) {
  sqlite3_stmt *s =
      steward_query(c, SQL_job_ready, "tl", zQueue, p->nMaxRows + BATCH);
  i64 i = p->nReady;
  add_ready(c, p, s, p->nMaxRows, NULL);
  steward_give(c, SQL_job_ready, s);
  for (; i < p->nReady; i++) {
    if (p->aReady[i].bWhole) p->aReady[i].iQueue = p->iQueue;
  }
}

/* The first by rank of those whose time has come; 0: there are more priorities
** with jobs of the future alone than it goes through. */
static int find_ranked(StewardCall *c, Claim *p, const char *zQueue) {
  i64 iBelow = INT64_MAX, nBefore = p->nReady, nMax = p->nMaxRows + DUE;
  int i;
  for (i = 0; i < LEVELS && c->rc == SQLITE_OK; i++) {
    i64 iFuture = INT64_MAX;
    sqlite3_stmt *s = steward_query(c, SQL_job_ranked, "tll", zQueue, iBelow,
                                    p->nMaxRows + BATCH);
    add_ready(c, p, s, nMax - (p->nReady - nBefore), &iFuture);
    steward_give(c, SQL_job_ranked, s);
    if (iFuture == INT64_MAX) return 1;
    iBelow = iFuture - 1;
  }
  return 0;
}

/* The first of those whose time has come: all of them, or by rank. */
static void find_due(StewardCall *c, Claim *p, const char *zQueue) {
  i64 nMax = p->nMaxRows + DUE, nRead;
  int nBefore = p->nReady;
  sqlite3_stmt *s = steward_query(c, SQL_job_due, "tll", zQueue, p->iNow, nMax);
  nRead = add_ready(c, p, s, nMax, NULL);
  steward_give(c, SQL_job_due, s);
  if (nRead == nMax) {
    int nByTime = p->nReady - nBefore, nRanked;
    int bAll = find_ranked(c, p, zQueue);
    nRanked = p->nReady - nBefore - nByTime;
    if (bAll || nRanked) {
      memmove(p->aReady + nBefore, p->aReady + nBefore + nByTime,
              sizeof(Ready) * (size_t)nRanked);
      p->nReady = nBefore + nRanked;
    }
  }
}

/* Do what is due in a queue, also in a paused one, and find what may run. */
static void look_at(StewardCall *c, Claim *p, const char *zQueue) {
  p->iQueue++;
  refresh(c, zQueue, p->iNow, &p->bMore);
  if (steward_int(c, SQL_job_paused, 0, "t", zQueue)) return;
  if (c->rc == SQLITE_OK) find_due(c, p, zQueue);
  if (c->rc == SQLITE_OK) find_ready(c, p, zQueue);
}

static void look_at_all(StewardCall *c, Claim *p, const Queues *q) {
  sqlite3_stmt *s;
  p->nReady = 0;
  p->iQueue = 0;
  p->bMore = 0;
  if (q->zOne) {
    look_at(c, p, q->zOne);
  } else {
    s = steward_query(c, SQL_job_names, "t", q->zList);
    while (steward_next(c, s)) look_at(c, p, steward_column(c, s, 1));
    steward_give(c, SQL_job_names, s);
  }
}

static int compare_ready(const void *pA, const void *pB) {
  const Ready *a = pA, *b = pB;
  if (a->iPriority != b->iPriority) return a->iPriority < b->iPriority ? 1 : -1;
  if (a->iAt != b->iAt) return a->iAt < b->iAt ? -1 : 1;
  return a->iId < b->iId ? -1 : a->iId > b->iId;
}

/* The number of the claim's leases. */
static i64 lease_number(StewardCall *c, Claim *p) {
  if (p->iNumber == 0) {
    p->iNumber = steward_fence(c);
    sqlite3_str_appendf(p->pHandle, "c%lld", p->iNumber);
  }
  return p->iNumber;
}

static void add_taken(Claim *p, i64 iId) {
  sqlite3_str_appendf(p->pHandle, "%c%lld", p->nTaken ? ',' : ':', iId);
  p->nTaken++;
}

/* Let a job whose time has come stand where it may run; 0: its group or its
** limit does not let it. */
static int may_run(StewardCall *c, const Ready *pReady) {
  steward_run(c, SQL_job_promote, "ll", pReady->iId, pReady->nLimit);
  return steward_int(c, SQL_job_phase, -1, "l", pReady->iId) == 0;
}

/* Lease a job; 0: it was not to be had. */
static int take_one(StewardCall *c, Claim *p, const Ready *pReady) {
  i64 iNumber = lease_number(c, p);
  steward_run(c, SQL_job_take, "lltll", pReady->iId, p->iNow, p->zWorker,
              p->iLease, iNumber);
  if (c->rc || sqlite3_changes(c->db) == 0) return 0;
  add_taken(p, pReady->iId);
  return 1;
}

/* Lease n jobs that may run, which stand one behind the other in their queue;
** 0: not all of them were to be had. */
static int take_run(StewardCall *c, Claim *p, const Ready *aReady, i64 n) {
  const Ready *pFirst = aReady, *pLast = aReady + n - 1;
  JobIds taken = {0};
  i64 i, nBefore = p->nTaken, iNumber = lease_number(c, p);
  char *zQueue = steward_text(c, SQL_job_platform, "l", pFirst->iId);
  job_ids_run(c, SQL_job_take_at,
              steward_query(c, SQL_job_take_at, "tltlllll", zQueue, p->iNow,
                            p->zWorker, p->iLease, iNumber, pLast->iPriority,
                            pLast->iAt, pLast->iId),
              &taken);
  if (pFirst->iAt < pLast->iAt) {
    job_ids_run(c, SQL_job_take_until,
                steward_query(c, SQL_job_take_until, "tltlllll", zQueue,
                              p->iNow, p->zWorker, p->iLease, iNumber,
                              pFirst->iPriority, pFirst->iAt, pLast->iAt),
                &taken);
  }
  steward_run(c, SQL_job_counted, "tlll", zQueue, (i64)taken.n, (i64)-taken.n,
              (i64)0);
  assert(taken.n <= n); /* there are no others between the first and the last */
  for (i = 0; i < n && c->rc == SQLITE_OK; i++) {
    if (job_ids_take(&taken, aReady[i].iId)) add_taken(p, aReady[i].iId);
  }
  sqlite3_free(zQueue);
  job_ids_clear(&taken);
  return c->rc == SQLITE_OK && p->nTaken - nBefore == n;
}

/* How many of the ready jobs from iFrom on are such a run, as far as they are
** wanted. */
static i64 run_length(const Claim *p, i64 iFrom) {
  const Ready *pFirst = &p->aReady[iFrom], *pNext = pFirst + 1;
  i64 n = 1, nWanted = p->nMaxRows - p->nTaken;
  if (pFirst->iQueue == 0) return 1;
  for (; n < nWanted && iFrom + n < p->nReady; n++, pNext++) {
    if (pNext->iQueue != pFirst->iQueue ||
        pNext->iPriority != pFirst->iPriority) {
      break;
    }
  }
  return n;
}

/* Lease what a round has found, as far as it is wanted; 0: there may be others
** that come before what is left of it.  One that is blocked can give its place
** to any other: then nothing is leased before all have been looked at again;
** DUE others may turn out to be blocked, too. */
static int take_found(StewardCall *c, Claim *p) {
  i64 i, n;
  int nBlocked = 0, bTaken = 1;
  for (i = 0; i < p->nReady && p->nTaken < p->nMaxRows && !c->rc; i += n) {
    const Ready *pReady = &p->aReady[i];
    n = 1;
    if (pReady->nLimit && !may_run(c, pReady)) {
      if (++nBlocked > DUE) break;
    } else if (nBlocked == 0) {
      n = run_length(p, i);
      bTaken = n > 1 ? take_run(c, p, pReady, n) : take_one(c, p, pReady);
      if (!bTaken) break;
    }
  }
  return bTaken && nBlocked == 0;
}

/* Lease the first jobs of the queues.  A round looks at DUE more than it wants
** of those whose time has come, so that so many may turn out to be blocked. */
static void take(StewardCall *c, Claim *p, const Queues *q) {
  int iRound, bAll = 0;
  for (iRound = 0; iRound < ROUNDS && !bAll && c->rc == SQLITE_OK; iRound++) {
    look_at_all(c, p, q);
    if (p->nReady) {
      qsort(p->aReady, (size_t)p->nReady, sizeof(Ready), compare_ready);
    }
    bAll = (take_found(c, p) && !p->bMore) || p->nTaken == p->nMaxRows;
  }
}

/* job_claim(queue TEXT, worker TEXT [, options JSON])
**   -> TEXT, a claim handle                                             plain
** Lease up to max_rows jobs that may run now (1), for `lease` (30 s): the
** highest priority first, then the earliest time, then the lowest id.  The
** handle is for SELECT * FROM job_claimed(handle); NULL when there is none.
** queue: a name, '*' for all, or a JSON array of names; several cost a few
** steps each.  Before that, schedules that are due enqueue their jobs (of
** whatever queue), and jobs of these queues whose lease has run out are given
** back, which counts as an attempt, and those that are exhausted or have
** expired are dead.  Refused inside a writing statement.
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
  Queues q = {NULL, NULL, 0};
  char *zHandle;
  steward_open(&c, ctx, "job_claim", "jobs", STEWARD_READ);
  if (sqlite3_value_type(argv[0]) != SQLITE_TEXT) job_arg_queue(&c, argv[0]);
  claim.zWorker = steward_arg_text(&c, argv[1], "worker", JOB_NAME_MAX);
  if (argc > 2) {
    steward_options(&c, argv[2], aClaimOption, ArraySize(aClaimOption), &claim);
  }
  steward_begin(&c);
  job_schedule_due(&c, SCHEDULES);
  arg_queues(&c, argv[0], &q);
  claim.iNow = steward_now(c.p);
  claim.pHandle = sqlite3_str_new(c.db);
  take(&c, &claim, &q);
  zHandle = steward_str_finish(&c, claim.pHandle);
  sqlite3_free(claim.aReady);
  sqlite3_free(q.zList);
  if (steward_close(&c) == SQLITE_OK && claim.nTaken) {
    sqlite3_result_text(ctx, zHandle, -1, SQLITE_TRANSIENT);
  }
  sqlite3_free(zHandle);
}

/*************************************************************************
** When
*/

/* The earlier of two times; -1: never. */
static i64 earlier(i64 a, i64 b) {
  return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* When the next job of a queue may be claimed; -1: there is none. */
static i64 next_of(StewardCall *c, const char *zQueue) {
  if (steward_int(c, SQL_job_paused, 0, "t", zQueue)) return -1;
  return earlier(steward_int(c, SQL_job_next_at, -1, "t", zQueue),
                 steward_int(c, SQL_schedule_soonest_of, -1, "t", zQueue));
}

static i64 next_at(StewardCall *c, const Queues *q) {
  sqlite3_stmt *s;
  i64 iBest = -1;
  if (q->zOne) return next_of(c, q->zOne);
  if (q->bAll) iBest = steward_int(c, SQL_schedule_soonest, -1, "");
  s = steward_query(c, SQL_job_names, "t", q->zList);
  while (steward_next(c, s)) {
    iBest = earlier(iBest, next_of(c, steward_column(c, s, 1)));
  }
  steward_give(c, SQL_job_names, s);
  return iBest;
}

/* job_next_at(queue TEXT) -> INTEGER, Unix ms    plain
** When the next job of the queue may be claimed: a time that has passed when
** one is ready now, else that of the next one that waits for its time or that a
** schedule brings, or the end of a lease.  NULL when there is none, or when the
** queue is paused.
** queue as for job_claim.
** Set: jobs
** Errors: "INVALID_ARGUMENT: job_next_at: queue must be text, got NULL".
** Example: SELECT job_enqueue('mail', 'hello', '{"delay":"1m"}'); -- 1
**   SELECT job_next_at('mail') - steward_now(); -- 60000
*/
static void job_next_at(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  Queues q = {NULL, NULL, 0};
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
  Queues q = {NULL, NULL, 0};
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
    Queues q = {NULL, NULL, 0};
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
