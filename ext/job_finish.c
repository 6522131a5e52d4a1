/*
** job_finish.c - what a worker reports about the jobs that it holds.
**
** A receipt, `<job>-<number>`, names a job and the number of the lease, which
** no other claim ever has. Every statement asks for both, so a worker that lost
** its job - the lease ran out and was taken back, the job was cancelled - gets
** LEASE_LOST and changes nothing. One that is late, but whose job nobody has
** taken back, may still report.
*/
#include <string.h>

#include "job_int.h"

/* What to do with each receipt of a call. */
typedef struct Report Report;
struct Report {
  void (*xReport)(StewardCall *, Report *, i64 iJob, i64 iNumber);
  /* several of one claim, in place of a call for each; may be NULL */
  void (*xReportAll)(StewardCall *, Report *, const JobIds *, i64 iNumber);
  i64 iNow;
  sqlite3_value *pResult; /* of job_complete, or NULL */
  const char *zError;     /* of job_fail ... */
  i64 iRetryIn;           /* ... its options */
  i64 bPermanent;
  const char *zState; /* ... and what became of the job */
  i64 iLease;         /* of job_extend */
};

enum { RETAINED_DEAD = 2 };

/* The states of which too old and too many jobs are removed. */
static const struct {
  const char *zStatus, *zKeep, *zMax;
} aRetained[] = {
    {"posted", "job_done_keep", "job_done_max_rows"},
    {"cancelled", "job_done_keep", "job_done_max_rows"},
    {"dead_letter", "job_dead_keep", "job_dead_max_rows"},
};

/* The time until which the jobs of a state are too old. */
static i64 by_age(StewardCall *c, int iState) {
  return steward_now(c->p) - steward_setting_int(c, aRetained[iState].zKeep);
}

/* The same, or too many. */
static i64 old_until(StewardCall *c, int iState) {
  i64 iUntil = by_age(c, iState);
  i64 iKept =
      steward_int(c, SQL_job_kept, iUntil, "tl", aRetained[iState].zStatus,
                  steward_setting_int(c, aRetained[iState].zMax));
  return iKept > iUntil ? iKept : iUntil;
}

/* Remove some of them; how many. */
static int remove_old(StewardCall *c, int iState) {
  i64 aId[128];
  int i, n = 0, nDone = 0;
  sqlite3_stmt *s = steward_query(
      c, SQL_job_old, "tl", aRetained[iState].zStatus, c->p->aJobOld[iState]);
  while (steward_next(c, s)) aId[n++] = sqlite3_column_int64(s, 0);
  steward_give(c, SQL_job_old, s);
  for (i = 0; i < n && c->rc == SQLITE_OK; i++) {
    steward_run(c, SQL_job_remove, "l", aId[i]);
    nDone += c->rc == SQLITE_OK && sqlite3_changes(c->db); /* one may stay */
  }
  return nDone;
}

/* Retention: up to 128 jobs of each state that have ended long ago; how many.
** Dead ones are counted. */
static i64 remove_some(StewardCall *c, int bLook) {
  i64 nDone = 0;
  int i;
  for (i = 0; i < ArraySize(aRetained) && c->rc == SQLITE_OK; i++) {
    int n;
    if (bLook) c->p->aJobOld[i] = old_until(c, i);
    if (c->p->aJobOld[i] < by_age(c, i)) c->p->aJobOld[i] = by_age(c, i);
    n = remove_old(c, i);
    if (i == RETAINED_DEAD && n) {
      steward_count(c, "jobs_dead_removed_total", n);
    }
    nDone += n;
  }
  return nDone;
}

i64 job_upkeep(StewardCall *c) {
  return remove_some(c, 1) + lock_upkeep(c);
}

/* The same before the first job that a connection finishes, and for every 64 of
** them after it, so up to twice as many; what is too many is counted for every
** 1024. */
void job_prune_sometimes(StewardCall *c, i64 nDone) {
  enum { EVERY = 64, COUNT = 1024 };
  i64 iBegin = c->p->nJobDone, iEnd = iBegin + nDone;
  i64 i = (iBegin + EVERY - 1) / EVERY;
  c->p->nJobDone = iEnd;
  for (; i * EVERY < iEnd && c->rc == SQLITE_OK; i++) {
    if (remove_some(c, i % (COUNT / EVERY) == 0) == 0) break;
  }
}

/* Say why the receipt is worth nothing any more. */
static void fail_lost(StewardCall *c, i64 iJob, i64 iNumber, i64 iNow) {
  sqlite3_stmt *s = steward_query(c, SQL_job_row, "l", iJob);
  char *zWhy = NULL;
  if (!steward_next(c, s)) {
    zWhy = steward_mprintf(c, "there is no job %lld any more", iJob);
  } else {
    const char *zStatus = steward_column(c, s, 0);
    const char *zWorker = (const char *)sqlite3_column_text(s, 2);
    i64 iAgo = iNow - sqlite3_column_int64(s, 5);
    if (strcmp(zStatus, "processing") == 0) {
      zWhy = steward_mprintf(
          c, "job %lld was claimed again by '%s' %lld ms ago", iJob,
          zWorker ? zWorker : "plain SQL", iNow - sqlite3_column_int64(s, 3));
    } else if (strcmp(zStatus, "posted") == 0) {
      zWhy = steward_mprintf(c, "job %lld is done, since %lld ms", iJob, iAgo);
    } else if (strcmp(zStatus, "cancelled") == 0) {
      zWhy =
          steward_mprintf(c, "job %lld was cancelled %lld ms ago", iJob, iAgo);
    } else if (strcmp(zStatus, "dead_letter") == 0) {
      zWhy = steward_mprintf(c, "job %lld is dead, since %lld ms: %s", iJob,
                             iAgo, (const char *)sqlite3_column_text(s, 6));
    } else {
      zWhy = steward_mprintf(
          c, "job %lld was given back %lld ms ago, and waits", iJob, iAgo);
    }
  }
  steward_fail(c, STEWARD_LEASE_LOST,
               "%s: receipt %lld-%lld is worth nothing any more, claim again",
               zWhy, iJob, iNumber);
  sqlite3_free(zWhy);
  steward_give(c, SQL_job_row, s);
}

static void check_held(StewardCall *c, i64 iJob, i64 iNumber, i64 iNow) {
  if (c->rc == SQLITE_OK && sqlite3_changes(c->db) == 0) {
    fail_lost(c, iJob, iNumber, iNow);
  }
}

/* The job and the number of the lease in a receipt. */
static void read_receipt(StewardCall *c, const char *zReceipt,
                         i64 *piJob /* OUT */, i64 *piNumber /* OUT */) {
  const char *z = zReceipt;
  if (!job_read_integer(&z, piJob) || *z++ != '-' ||
      !job_read_integer(&z, piNumber) || *piNumber < 1 || *z) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "receipt must be one that job_claimed showed, like '42-7', "
                 "got '%.40s'",
                 zReceipt);
  }
}

/* Several receipts of one claim, and no more of them afterwards. */
static void report_claim(StewardCall *c, Report *p, JobIds *pJobs,
                         i64 iNumber) {
  i64 i;
  if (p->xReportAll && pJobs->n > 1) {
    if (c->rc == SQLITE_OK) p->xReportAll(c, p, pJobs, iNumber);
  } else {
    for (i = 0; i < pJobs->n && c->rc == SQLITE_OK; i++) {
      p->xReport(c, p, pJobs->a[i], iNumber);
    }
  }
  pJobs->n = 0;
}

/* The receipts of an array, claim by claim. */
static int report_list(StewardCall *c, Report *p, const char *zList) {
  sqlite3_stmt *s = steward_query(c, SQL_job_names, "t", zList);
  JobIds jobs = {0};
  i64 iClaim = -1;
  int n = 0;
  for (; steward_next(c, s); n++) {
    i64 iJob, iNumber;
    if (strcmp(steward_column(c, s, 0), "text")) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "receipt must be a text or an array of texts, and element "
                   "%d is none",
                   n);
      break;
    }
    read_receipt(c, steward_column(c, s, 1), &iJob, &iNumber);
    if (c->rc) break;
    if (iNumber != iClaim) report_claim(c, p, &jobs, iClaim);
    iClaim = iNumber;
    job_ids_add(c, &jobs, iJob);
  }
  steward_give(c, SQL_job_names, s);
  report_claim(c, p, &jobs, iClaim);
  job_ids_clear(&jobs);
  return n;
}

/* A receipt, or a JSON array of them, all or none; how many. */
static int report(StewardCall *c, Report *p, sqlite3_value *v) {
  const char *z = steward_arg_text(c, v, "receipt", 1000000);
  int bList = z && z[0] == '[';
  i64 iJob, iNumber;
  int n;
  if (z == NULL) return 0;
  if (bList && !steward_int(c, SQL_job_is_array, 0, "t", z)) {
    steward_fail_argument(c, v, "receipt", "a receipt or an array of receipts");
    return 0;
  }
  c->eMode = bList ? STEWARD_WRITE : STEWARD_WRITE_ONE;
  steward_begin(c);
  p->iNow = steward_now(c->p);
  if (bList) {
    n = report_list(c, p, z);
    job_prune_sometimes(c, n);
    return n;
  }
  job_prune_sometimes(c, 1);
  read_receipt(c, z, &iJob, &iNumber);
  if (c->rc == SQLITE_OK) p->xReport(c, p, iJob, iNumber);
  return 1;
}

/* The result of the verbs: 1, or how many of an array. */
static void report_all(sqlite3_context *ctx, const char *zFunc, Report *p,
                       sqlite3_value *pReceipt) {
  StewardCall c;
  int n;
  steward_open(&c, ctx, zFunc, "jobs", STEWARD_READ);
  n = report(&c, p, pReceipt);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, n);
}

static void report_done(StewardCall *c, Report *p, i64 iJob, i64 iNumber) {
  steward_run(c, SQL_job_done, p->pResult ? "lllv" : "llln", iJob, iNumber,
              p->iNow, p->pResult);
  check_held(c, iJob, iNumber, p->iNow);
}

/* Several of one claim: by one statement, as far as they still have the lease
** that the claim gave them; the others one by one. */
static void report_all_done(StewardCall *c, Report *p, const JobIds *pJobs,
                            i64 iNumber) {
  JobIds done = {0};
  i64 i;
  sqlite3_stmt *s = steward_query(c, SQL_job_lease, "ll", pJobs->a[0], iNumber);
  if (steward_next(c, s)) {
    char *zIds = job_ids_json(c, pJobs);
    job_ids_run(c, SQL_job_done_all,
                steward_query(c, SQL_job_done_all,
                              p->pResult ? "tlltlv" : "tlltln", zIds, iNumber,
                              p->iNow, steward_column(c, s, 0),
                              sqlite3_column_int64(s, 1), p->pResult),
                &done);
    steward_run(c, SQL_job_counted, "tlll", steward_column(c, s, 0), (i64)0,
                (i64)done.n, (i64)done.n);
    sqlite3_free(zIds);
  }
  steward_give(c, SQL_job_lease, s);
  for (i = 0; i < pJobs->n && c->rc == SQLITE_OK; i++) {
    if (!job_ids_take(&done, pJobs->a[i])) {
      report_done(c, p, pJobs->a[i], iNumber);
    }
  }
  job_ids_clear(&done);
}

/* job_complete(receipt TEXT [, result]) -> INTEGER, 1 or how many   plain
** The job is done, and job_result gives what it left.  A JSON array of receipts
** completes all of them, or none when one is lost.
** Set: jobs
** Errors: "LEASE_LOST: job_complete: job 1 is done, since 0 ms: receipt 1-1 is
**   worth nothing any more, claim again"; "LEASE_LOST: job_complete: job 1 was
**   claimed again by 'w2' 5 ms ago: receipt 1-1 is worth nothing any more,
**   claim again"; "INVALID_ARGUMENT: job_complete: receipt must be one that
**   job_claimed showed, like '42-7', got 'x'"; NOT_INSTALLED; BUSY.
** Source: seed 003, posted.
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_claim('mail', 'w1'); -- c1:1
**   SELECT job_complete('1-1', 'sent'); -- 1
**   SELECT job_result(1); -- sent
*/
static void job_complete(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Report r = {.xReport = report_done, .xReportAll = report_all_done};
  if (argc > 1) r.pResult = argv[1];
  report_all(ctx, "job_complete", &r, argv[0]);
}

/* A duration as plain SQL may have written it. */
static i64 within_reason(i64 iMs) {
  return iMs < 0 ? 0 : iMs > JOB_DURATION_MAX ? JOB_DURATION_MAX : iMs;
}

/* The time before another attempt, after nFailed of them: no two jobs that
** failed together come back together, and the same job always does alike. */
static i64 backoff(int bExponential, i64 iDelay, i64 iCap, i64 nFailed,
                   i64 iJob) {
  sqlite3_uint64 h = (sqlite3_uint64)iJob * 1000003u + (sqlite3_uint64)nFailed;
  i64 i;
  iDelay = within_reason(iDelay);
  iCap = within_reason(iCap);
  if (!bExponential) return iDelay;
  for (i = 1; i < nFailed && iDelay < iCap; i++) iDelay *= 2;
  if (iDelay > iCap) iDelay = iCap;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9ULL;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebULL;
  return iDelay - (i64)((h >> 33) % (sqlite3_uint64)(iDelay / 4 + 1));
}

static void report_failed(StewardCall *c, Report *p, i64 iJob, i64 iNumber) {
  sqlite3_stmt *s = steward_query(c, SQL_job_leased, "ll", iJob, iNumber);
  i64 nFailed, nMax, iDelay, iAt = 0;
  int bExpired;
  if (!steward_next(c, s)) {
    steward_give(c, SQL_job_leased, s);
    if (c->rc == SQLITE_OK) fail_lost(c, iJob, iNumber, p->iNow);
    return;
  }
  nFailed = sqlite3_column_int64(s, 0) + 1;
  nMax = sqlite3_column_int64(s, 1);
  iDelay = p->iRetryIn >= 0
               ? p->iRetryIn
               : backoff(sqlite3_column_int(s, 2), sqlite3_column_int64(s, 3),
                         sqlite3_column_int64(s, 4), nFailed, iJob);
  iAt = p->iNow + iDelay;
  bExpired = job_expires_by(s, 5, iAt);
  steward_give(c, SQL_job_leased, s);
  if (p->bPermanent || nFailed >= nMax || bExpired) {
    char *zReason =
        steward_mprintf(c, "%s: %s",
                        p->bPermanent     ? "permanent"
                        : nFailed >= nMax ? "no attempts left"
                                          : "it expires before another attempt",
                        p->zError);
    steward_run(c, SQL_job_dead, "llltt", iJob, iNumber, p->iNow, p->zError,
                zReason);
    sqlite3_free(zReason);
    p->zState = "dead";
  } else {
    steward_run(c, SQL_job_again, "llltl", iJob, iNumber, p->iNow, p->zError,
                iAt);
    p->zState = "scheduled";
  }
  check_held(c, iJob, iNumber, p->iNow);
}

static const StewardOption aFailOption[] = {
    {"retry_in", STEWARD_OPT_DURATION, offsetof(Report, iRetryIn), 0,
     JOB_DURATION_MAX, NULL, "time before another attempt, not the backoff"},
    {"permanent", STEWARD_OPT_BOOL, offsetof(Report, bPermanent), 0, 1, NULL,
     "no other attempt would do better: the job is dead"},
};

/* job_fail(receipt TEXT, error TEXT [, options JSON])
**   -> TEXT, 'scheduled' or 'dead'; of an array INTEGER, how many       plain
** The attempt has failed.  There is another one after the job's backoff, or
** after retry_in; when that was the last of max_attempts, when it is permanent,
** or when the job would expire before that, the job is dead, with the reason.
** Set: jobs
** Errors: "LEASE_LOST: job_fail: job 1 is dead, since 0 ms: permanent: no such
**   user: receipt 1-1 is worth nothing any more, claim again";
**   "INVALID_ARGUMENT: job_fail: error must be text, got NULL"; NOT_INSTALLED;
**   BUSY.
** Source: seed 003, retrying and dead_letter.
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_claim('mail', 'w1'); -- c1:1
**   SELECT job_fail('1-1', 'timeout'); -- scheduled
**   SELECT state, attempt, run_at - steward_now(), error FROM job_queue;
**   -- scheduled|1|300000|timeout
*/
static void job_fail(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  Report r = {.xReport = report_failed, .iRetryIn = -1};
  int n;
  steward_open(&c, ctx, "job_fail", "jobs", STEWARD_READ);
  r.zError = steward_arg_text(&c, argv[1], "error", 1000000);
  if (argc > 2) {
    steward_options(&c, argv[2], aFailOption, ArraySize(aFailOption), &r);
  }
  n = report(&c, &r, argv[0]);
  if (steward_close(&c)) return;
  if (n == 1 && ((const char *)sqlite3_value_text(argv[0]))[0] != '[') {
    sqlite3_result_text(ctx, r.zState, -1, SQLITE_STATIC);
  } else {
    sqlite3_result_int(ctx, n);
  }
}

static void report_extended(StewardCall *c, Report *p, i64 iJob, i64 iNumber) {
  steward_run(c, SQL_job_extend, "llll", iJob, iNumber, p->iNow + p->iLease,
              p->iNow);
  check_held(c, iJob, iNumber, p->iNow);
}

/* job_extend(receipt TEXT, lease) -> INTEGER, 1 or how many    plain
** Keep the job for so long from now on (ms, or text like '30s').
** Set: jobs
** Errors: "INVALID_ARGUMENT: job_extend: lease must be within 1..3153600000000
**   ms, got 0"; LEASE_LOST as for job_complete; NOT_INSTALLED; BUSY.
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_claim('mail', 'w1'); -- c1:1
**   SELECT job_extend('1-1', '5m'); -- 1
*/
static void job_extend(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  Report r = {.xReport = report_extended};
  int n;
  steward_open(&c, ctx, "job_extend", "jobs", STEWARD_READ);
  r.iLease = steward_arg_time(&c, argv[1], "lease");
  if (c.rc == SQLITE_OK && (r.iLease < 1 || r.iLease > JOB_DURATION_MAX)) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "lease must be within 1..%lld ms, got %lld", JOB_DURATION_MAX,
                 r.iLease);
  }
  n = report(&c, &r, argv[0]);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, n);
}

static void report_released(StewardCall *c, Report *p, i64 iJob, i64 iNumber) {
  steward_run(c, SQL_job_release, "lll", iJob, iNumber, p->iNow);
  check_held(c, iJob, iNumber, p->iNow);
}

/* job_release(receipt TEXT) -> INTEGER, 1 or how many    plain
** Give the job back as it was, without an attempt: others may have it now.
** Set: jobs
** Errors: LEASE_LOST as for job_complete; NOT_INSTALLED; BUSY.
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_claim('mail', 'w1'); -- c1:1
**   SELECT job_release('1-1'); -- 1
**   SELECT job_claim('mail', 'w2'); -- c2:1
*/
static void job_release(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Report r = {.xReport = report_released};
  report_all(ctx, "job_release", &r, argv[0]);
}

/* job_result(id INTEGER) -> the result that job_complete was given    plain
** NULL when the job is not done, left nothing, or has been removed.
** Set: jobs
** Errors: "INVALID_ARGUMENT: job_result: id must be an integer, got 'x'".
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_result(1) IS NULL; -- 1
*/
static void job_result(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  sqlite3_stmt *s;
  i64 iId;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  steward_open(&c, ctx, "job_result", "jobs", STEWARD_READ);
  iId = steward_arg_int(&c, argv[0], "id", INT64_MIN, INT64_MAX);
  s = steward_query(&c, SQL_job_result, "l", iId);
  if (steward_next(&c, s)) {
    sqlite3_result_value(ctx, sqlite3_column_value(s, 0));
  }
  steward_give(&c, SQL_job_result, s);
  steward_close(&c);
}

static const StewardFunc aFunc[] = {
    {"job_complete", 1, 2, STEWARD_PLAIN, job_complete, NULL, 0},
    {"job_fail", 2, 3, STEWARD_PLAIN, job_fail, aFailOption,
     ArraySize(aFailOption)},
    {"job_extend", 2, 2, STEWARD_PLAIN, job_extend, NULL, 0},
    {"job_release", 1, 1, STEWARD_PLAIN, job_release, NULL, 0},
    {"job_result", 1, 1, STEWARD_PLAIN, job_result, NULL, 0},
};

int job_finish_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
