/*
** job.c - jobs: what is to be done, once, by whom it may concern.
**
** A job is a row of assistly_queue_jobs, so it commits with the caller's own
** rows. Its life:
**
**     job_enqueue -> scheduled | ready | blocked
**     job_claim   -> leased, for a while, under a number that fences off
**                    everyone who held it before
**     job_complete -> done            job_fail -> scheduled again, or dead
**     the lease runs out -> scheduled again, or dead
**
** What cannot run now (its time has not come, its group or its concurrency
** limit is busy) stands in other partial indexes than the one that a claim
** reads, so a claim costs the same at any backlog. The column `phase` says
** where; triggers keep it when plain SQL changes status, and wake what was
** blocked (sql/migrations/jobs/002_leases.up.sql).
**
**     SELECT job_enqueue('mail', 'hello');
**     SELECT job_claim('mail', 'worker-1');
**     SELECT id, payload, receipt FROM job_claimed('c1:1');
**     SELECT job_complete('1-1');
**
** job_claim.c has claims and waiting, job_finish.c what a worker reports,
** job_admin.c what an operator does, vtab/job.c the tables.
*/
#include <string.h>

#include "job_int.h"

const StewardOption job_options[JOB_SCHEDULE_END] = {
    {"run_at", STEWARD_OPT_INT, offsetof(JobNew, iRunAt), 0, JOB_TIME_MAX, NULL,
     "not before this time, Unix ms"},
    {"delay", STEWARD_OPT_DURATION, offsetof(JobNew, iDelay), 0,
     JOB_DURATION_MAX, NULL, "not before so long from now"},
    {"expires_at", STEWARD_OPT_INT, offsetof(JobNew, iExpiresAt), 0,
     JOB_TIME_MAX, NULL, "not after this time, Unix ms: then it is dead"},
    {"priority", STEWARD_OPT_INT, offsetof(JobNew, iPriority), -1000000,
     1000000, NULL, "higher ones run first; 0"},
    {"max_attempts", STEWARD_OPT_INT, offsetof(JobNew, nMaxAttempts), 1, 1000,
     NULL, "attempts in all, before the job is dead; 3"},
    {"backoff", STEWARD_OPT_WORD, offsetof(JobNew, eBackoff), 0, 0,
     "fixed|exponential",
     "how the time before another attempt grows; exponential doubles it, less "
     "up to a quarter that depends on job and attempt alone"},
    {"backoff_delay", STEWARD_OPT_DURATION, offsetof(JobNew, iBackoff), 0,
     JOB_DURATION_MAX, NULL,
     "the time before the second attempt; 5 minutes, exponential 10 s"},
    {"backoff_cap", STEWARD_OPT_DURATION, offsetof(JobNew, iBackoffCap), 0,
     JOB_DURATION_MAX, NULL, "what it grows to at most; 1 day"},
    {"unique", STEWARD_OPT_TEXT, offsetof(JobNew, zUnique), 0, 0, NULL,
     "a key that only one job of the queue has at a time"},
    {"unique_scope", STEWARD_OPT_TEXT, offsetof(JobNew, zScope), 0, 0, NULL,
     "how long it has the key: queued (until it is claimed), until_done, or a "
     "duration like '1h' from its enqueueing"},
    {"on_conflict", STEWARD_OPT_WORD, offsetof(JobNew, eConflict), 0, 0,
     "return|error|replace",
     "when another job has the key: its id, an error, or the waiting job gets "
     "this payload, time, group and limit"},
    {"group", STEWARD_OPT_TEXT, offsetof(JobNew, zGroup), 0, 0, NULL,
     "jobs of a group run one after the other, in the order of their ids"},
    {"concurrency_key", STEWARD_OPT_TEXT, offsetof(JobNew, zKey), 0, 0, NULL,
     "jobs with this key ..."},
    {"concurrency_limit", STEWARD_OPT_INT, offsetof(JobNew, nLimit), 1, 100000,
     NULL, "... run so many at a time; 1"},
    {"min_gap", STEWARD_OPT_DURATION, offsetof(JobNew, iMinGap), 0,
     JOB_DURATION_MAX, NULL,
     "refuse the job when another one of the queue is to run within this time "
     "before or after it"},
    {"headers", STEWARD_OPT_JSON, offsetof(JobNew, zHeaders), 0, 0, NULL,
     "JSON that travels beside the payload"},
    {"zone", STEWARD_OPT_TEXT, offsetof(JobSchedule, zZone), 0, 0, NULL,
     "the time zone in which a cron expression is meant, like Europe/Berlin; "
     "UTC"},
    {"catch_up", STEWARD_OPT_WORD, offsetof(JobSchedule, eCatchUp), 0, 0,
     "one|skip|all",
     "what becomes of times at which nobody asked: one, the latest of them; "
     "skip, the latest unless it is more than grace ago; all; one"},
    {"catch_up_max", STEWARD_OPT_INT, offsetof(JobSchedule, nCatchUp), 1, 1000,
     NULL, "of all, the latest so many; 100"},
    {"grace", STEWARD_OPT_DURATION, offsetof(JobSchedule, iGrace), 0,
     JOB_DURATION_MAX, NULL, "how late skip still runs; 1 minute"},
    {"overlap", STEWARD_OPT_WORD, offsetof(JobSchedule, eOverlap), 0, 0,
     "allow|skip|replace",
     "while the job before is not finished: another one all the same, none, "
     "or another one in its place, which is cancelled; allow"},
    {"max_runs", STEWARD_OPT_INT, offsetof(JobSchedule, nMaxRuns), 1,
     1000000000, NULL, "jobs to enqueue in all"},
    {"paused", STEWARD_OPT_BOOL, offsetof(JobSchedule, bPaused), 0, 1, NULL,
     "do not begin before job_schedule_resume"},
    {"ttl", STEWARD_OPT_DURATION, offsetof(JobSchedule, iTtl), 1,
     JOB_DURATION_MAX, NULL,
     "a job that has not run so long after its time is dead"},
};

void job_new_init(StewardCall *c, JobNew *pNew) {
  memset(pNew, 0, sizeof(*pNew));
  pNew->iNow = steward_now(c->p);
  pNew->iRunAt = pNew->iDelay = pNew->iBackoff = pNew->nLimit = -1;
  pNew->iMinGap = pNew->iExpiresAt = -1;
  pNew->eConflict = -1;
  pNew->iBackoffCap = 86400000;
  pNew->nMaxAttempts = 3;
}

/* The name of one queue. */
const char *job_arg_queue(StewardCall *c, sqlite3_value *v) {
  const char *z = steward_arg_text(c, v, "queue", JOB_NAME_MAX);
  if (z && (strchr(z, '*') || z[0] == '[')) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "queue must be the name of one queue, without * and not "
                 "beginning with [, got '%s'",
                 z);
  }
  return z;
}

/* Does a job whose expires_at is a column of this row expire by then?  A text,
** which plain SQL may have put there, is above every number. */
int job_expires_by(sqlite3_stmt *s, int iColumn, i64 iAt) {
  int eType = sqlite3_column_type(s, iColumn);
  return (eType == SQLITE_INTEGER || eType == SQLITE_FLOAT) &&
         sqlite3_column_double(s, iColumn) <= (double)iAt;
}

/* Triggers wake what is blocked. */
static void check_triggers(StewardCall *c) {
  int bOn = 1;
  sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &bOn);
  if (!bOn) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "triggers are turned off on this connection, and they keep "
                 "the states of jobs: turn SQLITE_DBCONFIG_ENABLE_TRIGGER on");
  }
}

/* A text among the options is a name: not empty, not too long. */
static void check_name(StewardCall *c, const char *zOption, const char *z) {
  if (z && (z[0] == 0 || strlen(z) > JOB_NAME_MAX)) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "option %s must be a text of 1 to %d bytes, got %d", zOption,
                 JOB_NAME_MAX, (int)strlen(z));
  }
}

static void check_scope(StewardCall *c, JobNew *pNew) {
  i64 iMs = 0;
  if (c->rc) return;
  if (pNew->zUnique == NULL) {
    if (pNew->zScope || pNew->eConflict >= 0) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "option %s says what happens with a key: give option unique",
                   pNew->zScope ? "unique_scope" : "on_conflict");
    }
  } else if (pNew->zScope == NULL || strcmp(pNew->zScope, "queued") == 0) {
    pNew->eScope = JOB_SCOPE_QUEUED;
  } else if (strcmp(pNew->zScope, "until_done") == 0) {
    pNew->eScope = JOB_SCOPE_DONE;
  } else if (steward_duration(pNew->zScope, (int)strlen(pNew->zScope), &iMs) ||
             iMs <= 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "option unique_scope must be queued, until_done or a duration "
                 "like '1h', got '%.40s'",
                 pNew->zScope);
  } else {
    pNew->eScope = JOB_SCOPE_RECENT;
    pNew->iSince = pNew->iNow - iMs;
  }
}

/* What belongs together, and what follows from it. */
void job_new_check(StewardCall *c, JobNew *pNew) {
  if (pNew->iRunAt >= 0 && pNew->iDelay >= 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "options run_at and delay both say when: give one");
  }
  if (pNew->nLimit >= 0 && pNew->zKey == NULL) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "option concurrency_limit is a limit on a key: give option "
                 "concurrency_key");
  }
  check_name(c, "unique", pNew->zUnique);
  check_name(c, "group", pNew->zGroup);
  check_name(c, "concurrency_key", pNew->zKey);
  check_scope(c, pNew);
  if (pNew->iDelay >= 0) pNew->iRunAt = pNew->iNow + pNew->iDelay;
  if (pNew->iRunAt < 0) pNew->iRunAt = pNew->iNow;
  if (pNew->nLimit < 0) pNew->nLimit = 1;
  if (pNew->iBackoff < 0) {
    pNew->iBackoff = pNew->eBackoff == JOB_EXPONENTIAL ? 10000 : 300000;
  }
}

/* How long the job has its key. */
static void bind_scope(sqlite3_stmt *s, int i, const JobNew *p) {
  if (p->eScope == JOB_SCOPE_DONE) {
    sqlite3_bind_int64(s, i, JOB_UNTIL_DONE);
  } else if (p->eScope == JOB_SCOPE_RECENT) {
    sqlite3_bind_int64(s, i, p->iNow - p->iSince);
  }
}

static void bind_text(StewardCall *c, sqlite3_stmt *s, int i, const char *z) {
  int rc = z ? sqlite3_bind_text(s, i, z, -1, SQLITE_STATIC) : SQLITE_OK;
  if (rc) steward_fail_db(c, rc);
}

/* The first 18 parameters of job_new, job_new_unless and job_replace. */
static void bind_new(StewardCall *c, sqlite3_stmt *s, const JobNew *p) {
  int eType = sqlite3_value_type(p->pPayload);
  bind_text(c, s, 1, p->zQueue);
  steward_bind_value(c, s, 2, p->pPayload);
  if (eType == SQLITE_INTEGER || eType == SQLITE_FLOAT) {
    steward_bind_value(c, s, 3, p->pPayload);
  }
  sqlite3_bind_int64(s, 4, p->iRunAt);
  sqlite3_bind_int64(s, 5, p->iNow);
  sqlite3_bind_int64(s, 6, p->iPriority);
  sqlite3_bind_int64(s, 7, p->nMaxAttempts);
  sqlite3_bind_int64(s, 8, p->eBackoff);
  sqlite3_bind_int64(s, 9, p->iBackoff);
  sqlite3_bind_int64(s, 10, p->iBackoffCap);
  bind_text(c, s, 11, p->zUnique);
  bind_text(c, s, 12, p->zGroup);
  bind_text(c, s, 13, p->zKey);
  if (p->zKey) sqlite3_bind_int64(s, 14, p->nLimit);
  if (p->iMinGap >= 0) sqlite3_bind_int64(s, 15, p->iMinGap);
  if (p->iExpiresAt >= 0) sqlite3_bind_int64(s, 16, p->iExpiresAt);
  bind_text(c, s, 17, p->zHeaders);
  bind_scope(s, 18, p);
}

/* Fail when another job of the queue than iSelf stands within iGap of the time
** iAt. */
void job_check_gap(StewardCall *c, const char *zQueue, i64 iAt, i64 iGap,
                   i64 iSelf) {
  sqlite3_stmt *s =
      steward_query(c, SQL_job_near, "tlll", zQueue, iAt, iGap, iSelf);
  if (steward_next(c, s)) {
    i64 iOther = sqlite3_column_int64(s, 0);
    i64 iOtherAt = sqlite3_column_int64(s, 1);
    steward_fail(c, STEWARD_SCHEDULE_CONFLICT,
                 "job %lld of queue '%s' is to run at %lld, %lld ms from %lld, "
                 "and min_gap is %lld ms: choose another time",
                 iOther, zQueue, iOtherAt,
                 iOtherAt > iAt ? iOtherAt - iAt : iAt - iOtherAt, iAt, iGap);
  }
  steward_give(c, SQL_job_near, s);
}

/* The job other than iJob that has a unique key, or 0; *pbHeld: it can not be
** replaced. */
static i64 find_key(StewardCall *c, const char *zQueue, const char *zKey,
                    int eScope, i64 iSince, i64 iJob, int *pbHeld /* OUT */) {
  enum StewardSqlId id =
      eScope == JOB_SCOPE_RECENT ? SQL_job_same_recent : SQL_job_same_waiting;
  sqlite3_stmt *s =
      steward_query(c, id, "ttll", zQueue, zKey,
                    eScope == JOB_SCOPE_RECENT ? iSince : (i64)eScope, iJob);
  i64 iId = 0;
  if (steward_next(c, s)) {
    iId = sqlite3_column_int64(s, 0);
    *pbHeld = sqlite3_column_int(s, 1);
  }
  steward_give(c, id, s);
  return iId;
}

static i64 find_same(StewardCall *c, const JobNew *p, int *pbHeld /* OUT */) {
  if (p->eScope == JOB_SCOPE_NONE) return 0;
  return find_key(c, p->zQueue, p->zUnique, p->eScope, p->iSince, 0, pbHeld);
}

/* Fail when another job has the key that iJob had for iFor (JOB_UNTIL_DONE ..):
** it is to be run once more. */
void job_check_unique(StewardCall *c, const char *zQueue, const char *zKey,
                      i64 iFor, i64 iJob) {
  int bHeld, eScope = iFor == JOB_WHILE_IT_WAITS ? JOB_SCOPE_QUEUED
                      : iFor == JOB_UNTIL_DONE   ? JOB_SCOPE_DONE
                                                 : JOB_SCOPE_RECENT;
  i64 iOther =
      find_key(c, zQueue, zKey, eScope, steward_now(c->p) - iFor, iJob, &bHeld);
  if (iOther) {
    steward_fail(c, STEWARD_DUPLICATE,
                 "job %lld has the key '%s' of job %lld in queue '%s' by now: "
                 "wait until it gives it up, or leave job %lld as it is",
                 iOther, zKey, iJob, zQueue, iJob);
  }
}

/* Nothing was inserted: because of which job? */
static i64 explain_new(StewardCall *c, const JobNew *p) {
  int bHeld = 0;
  i64 iId = find_same(c, p, &bHeld);
  if (iId && p->eConflict == JOB_ERROR) {
    steward_fail(c, STEWARD_DUPLICATE,
                 "job %lld of queue '%s' has the key '%s': wait until it gives "
                 "it up, or use on_conflict return",
                 iId, p->zQueue, p->zUnique);
  }
  if (iId) return iId;
  if (p->iMinGap >= 0) job_check_gap(c, p->zQueue, p->iRunAt, p->iMinGap, 0);
  steward_fail(c, STEWARD_CONFLICT,
               "a trigger on assistly_queue_jobs ignored the job for queue "
               "'%s': nothing was enqueued",
               p->zQueue);
  return 0;
}

/* Make the job that has the key this one; 0: there is none. */
static i64 replace(StewardCall *c, const JobNew *p) {
  int bHeld = 0;
  i64 iId = find_same(c, p, &bHeld);
  sqlite3_stmt *s;
  if (iId == 0) return 0;
  if (bHeld) {
    steward_fail(c, STEWARD_DUPLICATE,
                 "job %lld of queue '%s' has the key '%s' and does not wait "
                 "any more: it cannot be replaced",
                 iId, p->zQueue, p->zUnique);
  }
  if (p->iMinGap >= 0) {
    job_check_gap(c, p->zQueue, p->iRunAt, p->iMinGap, iId);
  }
  s = steward_query(c, SQL_job_replace, "");
  if (s == NULL) return 0;
  bind_new(c, s, p);
  sqlite3_bind_int64(s, 19, iId);
  while (steward_next(c, s)) {
  }
  steward_give(c, SQL_job_replace, s);
  return iId;
}

/* Enqueue; the id of the job, or of the one that has its key. */
i64 job_insert(StewardCall *c, JobNew *pNew) {
  int bIf;
  enum StewardSqlId id;
  sqlite3_stmt *s;
  i64 iId;
  job_new_check(c, pNew);
  if (c->rc) return 0;
  if (c->eMode == STEWARD_READ) {
    c->eMode =
        pNew->eConflict == JOB_REPLACE ? STEWARD_WRITE : STEWARD_WRITE_ONE;
    steward_begin(c);
  }
  check_triggers(c);
  if (pNew->eConflict == JOB_REPLACE && (iId = replace(c, pNew)) != 0) {
    return iId;
  }
  bIf = pNew->eScope != JOB_SCOPE_NONE || pNew->iMinGap >= 0;
  id = bIf ? SQL_job_new_unless : SQL_job_new;
  s = steward_query(c, id, "");
  if (s == NULL) return 0;
  bind_new(c, s, pNew);
  if (bIf) {
    sqlite3_bind_int(s, 19, pNew->eScope);
    sqlite3_bind_int64(s, 20, pNew->iSince);
  }
  while (steward_next(c, s)) {
  }
  steward_give(c, id, s);
  if (c->rc == SQLITE_OK && sqlite3_changes(c->db) == 0) {
    return explain_new(c, pNew);
  }
  return sqlite3_last_insert_rowid(c->db);
}

/* job_enqueue(queue TEXT, payload [, options JSON]) -> INTEGER, job id   plain
** Put a job into a queue, in the caller's transaction.  The payload keeps its
** type.  Usable in triggers; many at once: INSERT INTO job_queue(queue,
** payload) SELECT ...  A job runs when its time has come and nothing blocks it:
** jobs of a group run one after the other, in the order of their ids, and jobs
** with a concurrency_key so many at a time.  With `unique` the id of the job
** that has the key comes back, unless on_conflict says otherwise; replace is
** refused inside a writing statement.  min_gap refuses a time too near to that
** of another job.
** Set: jobs
** Errors: "INVALID_ARGUMENT: job_enqueue: payload must be a value, got NULL";
**   "INVALID_ARGUMENT: job_enqueue: options run_at and delay both say when:
**   give one"; "SCHEDULE_CONFLICT: job_enqueue: job 1 of queue 'post' is to run
**   at 1700000000000, 0 ms from 1700000000000, and min_gap is 3600000 ms:
**   choose another time"; "DUPLICATE: job_enqueue: job 1 of queue 'mail' has
**   the key 'welcome-7': wait until it gives it up, or use on_conflict return";
**   UNSUPPORTED; NOT_INSTALLED; BUSY.
** Source: seed 003; the options of River, Oban and BullMQ.
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_enqueue('mail', x'00ff', '{"delay":"10m","priority":5}'); -- 2
**   SELECT job_enqueue('mail', 7, '{"unique":"welcome-7"}'); -- 3
**   SELECT job_enqueue('mail', 7, '{"unique":"welcome-7"}'); -- 3
*/
static void job_enqueue(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  JobNew job;
  i64 iId = 0;
  steward_open(&c, ctx, "job_enqueue", "jobs", STEWARD_READ);
  job_new_init(&c, &job);
  job.zQueue = job_arg_queue(&c, argv[0]);
  job.pPayload = argv[1];
  steward_arg_payload(&c, argv[1], "payload");
  if (argc > 2) {
    steward_options(&c, argv[2], job_options, JOB_ENQUEUE_END, &job);
  }
  iId = job_insert(&c, &job);
  steward_options_free(job_options, JOB_ENQUEUE_END, &job);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iId);
}

static const StewardFunc aFunc[] = {
    {"job_enqueue", 2, 3, STEWARD_PLAIN, job_enqueue, job_options,
     JOB_ENQUEUE_END},
};

int job_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
