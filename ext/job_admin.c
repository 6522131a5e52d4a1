/*
** job_admin.c - what an operator does with jobs: cancel, replay, purge, pause.
*/
#include <string.h>

#include "job_int.h"

static void fail_no_job(StewardCall *c, i64 iId) {
  steward_fail(c, STEWARD_NOT_FOUND,
               "no job %lld: SELECT id FROM job_queue lists them", iId);
}

/* The job is in a state in which this cannot be done to it. */
static void fail_state(StewardCall *c, i64 iId, const char *zWay) {
  sqlite3_stmt *s = steward_query(c, SQL_job_row, "l", iId);
  if (!steward_next(c, s)) {
    fail_no_job(c, iId);
  } else {
    const char *z = steward_column(c, s, 0);
    steward_fail(c, STEWARD_CONFLICT, "job %lld is %s: %s", iId,
                 strcmp(z, "posted") == 0        ? "done"
                 : strcmp(z, "dead_letter") == 0 ? "dead"
                                                 : z,
                 zWay);
  }
  steward_give(c, SQL_job_row, s);
}

/* job_cancel(id INTEGER) -> INTEGER, always 1    plain
** The job must not run any more.  A worker that has it gets LEASE_LOST.
** Set: jobs
** Errors: "NOT_FOUND: job_cancel: no job 7: SELECT id FROM job_queue lists
**   them"; "CONFLICT: job_cancel: job 1 is cancelled: only a job that is not
**   finished can be cancelled"; NOT_INSTALLED; BUSY.
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_cancel(1); -- 1
**   SELECT job_claim('mail', 'w1') IS NULL; -- 1
*/
static void job_cancel(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  i64 iId;
  steward_open(&c, ctx, "job_cancel", "jobs", STEWARD_WRITE_ONE);
  iId = steward_arg_int(&c, argv[0], "id", INT64_MIN, INT64_MAX);
  job_prune_sometimes(&c, 1);
  steward_run(&c, SQL_job_cancel, "ll", iId, steward_now(c.p));
  if (c.rc == SQLITE_OK && sqlite3_changes(c.db) == 0) {
    fail_state(&c, iId, "only a job that is not finished can be cancelled");
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* Fail when another job has taken the place or the unique key of this one. */
static void check_replay(StewardCall *c, i64 iId, i64 iNow) {
  sqlite3_stmt *s = steward_query(c, SQL_job_replay_rules, "l", iId);
  if (steward_next(c, s)) {
    const char *zQueue = steward_column(c, s, 0);
    const char *zKey = (const char *)sqlite3_column_text(s, 2);
    if (sqlite3_column_type(s, 1) != SQLITE_NULL) {
      job_check_gap(c, zQueue, iNow, sqlite3_column_int64(s, 1), iId);
    }
    if (zKey) {
      job_check_unique(c, zQueue, zKey,
                       sqlite3_column_type(s, 3) == SQLITE_NULL
                           ? JOB_WHILE_IT_WAITS
                           : sqlite3_column_int64(s, 3),
                       iId);
    }
  }
  steward_give(c, SQL_job_replay_rules, s);
}

/* One job from the beginning. */
static int replay(StewardCall *c, i64 iId) {
  i64 iNow = steward_now(c->p);
  check_replay(c, iId, iNow);
  steward_run(c, SQL_job_replay, "ll", iId, iNow);
  return c->rc == SQLITE_OK && sqlite3_changes(c->db) > 0;
}

/* job_replay(id INTEGER | queue TEXT) -> INTEGER, how many jobs    plain
** Run a dead or cancelled job once more from the beginning, with all its
** attempts and from now on; or every dead job of a queue, all or none.
** Refused inside a writing statement.
** Set: jobs
** Errors: "CONFLICT: job_replay: job 1 is scheduled: only a job that is dead or
**   cancelled can be replayed"; "DUPLICATE: job_replay: job 2 has the key 'k'
**   of job 1 in queue 'mail' by now: wait until it gives it up, or leave job 1
**   as it is"; SCHEDULE_CONFLICT as for job_enqueue; NOT_FOUND; NOT_INSTALLED;
**   UNSUPPORTED; BUSY.
** Source: seed 003, replayDeadLetter.
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_claim('mail', 'w1'); -- c1:1
**   SELECT job_fail('1-1', 'no such user', '{"permanent":true}'); -- dead
**   SELECT job_replay('mail'); -- 1
*/
static void job_replay(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  i64 iId = 0, n = 0;
  steward_open(&c, ctx, "job_replay", "jobs", STEWARD_WRITE);
  if (sqlite3_value_type(argv[0]) == SQLITE_TEXT) {
    const char *zQueue = job_arg_queue(&c, argv[0]);
    while ((iId = steward_int(&c, SQL_job_dead_of, 0, "tl", zQueue, iId)) !=
           0) {
      n += replay(&c, iId);
    }
  } else {
    if (!steward_is_integer(argv[0], &iId)) {
      steward_fail_argument(&c, argv[0], "id", "an integer or a queue's name");
    }
    n = replay(&c, iId);
    if (c.rc == SQLITE_OK && n == 0) {
      fail_state(&c, iId,
                 "only a job that is dead or cancelled can be "
                 "replayed");
    }
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, n);
}

typedef struct PurgeOptions {
  i64 eState;
  i64 iOlder;
  i64 nMaxRows;
} PurgeOptions;

static const StewardOption aPurgeOption[] = {
    {"state", STEWARD_OPT_WORD, offsetof(PurgeOptions, eState), 0, 0,
     "done|cancelled|dead|pending",
     "which jobs; done.  pending: those that wait, not the leased ones"},
    {"older_than", STEWARD_OPT_DURATION, offsetof(PurgeOptions, iOlder), 0,
     JOB_DURATION_MAX, NULL, "only those not changed for so long; 0"},
    {"max_rows", STEWARD_OPT_INT, offsetof(PurgeOptions, nMaxRows), 1,
     1000000000, NULL, "jobs to remove at most; 100000"},
};

/* job_purge(queue TEXT [, options JSON]) -> INTEGER, how many jobs    plain
** Remove jobs of a queue with their history: those that are done, or of another
** state.  The newest job of all queues stays, so that no id comes again.
** Set: jobs
** Errors: "INVALID_ARGUMENT: job_purge: option state must be one of
**   done|cancelled|dead|pending, got 'leased'"; NOT_INSTALLED; BUSY.
** Example: SELECT job_enqueue('mail', 1); -- 1
**   SELECT job_enqueue('mail', 2); -- 2
**   SELECT job_purge('mail', '{"state":"pending"}'); -- 1
**   SELECT id FROM job_queue; -- 2
*/
static void job_purge(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  static const char *const azStatus[] = {"posted", "cancelled", "dead_letter"};
  StewardCall c;
  PurgeOptions o = {0, 0, 100000};
  const char *zQueue;
  i64 n = 0, iUntil;
  steward_open(&c, ctx, "job_purge", "jobs", STEWARD_WRITE_ONE);
  zQueue = job_arg_queue(&c, argv[0]);
  if (argc > 1) {
    steward_options(&c, argv[1], aPurgeOption, ArraySize(aPurgeOption), &o);
  }
  iUntil = steward_now(c.p) - o.iOlder;
  if (o.eState < ArraySize(azStatus)) {
    steward_run(&c, SQL_job_purge, "ttll", zQueue, azStatus[o.eState], iUntil,
                o.nMaxRows);
  } else {
    steward_run(&c, SQL_job_purge_pending, "tll", zQueue, iUntil, o.nMaxRows);
  }
  if (c.rc == SQLITE_OK) n = sqlite3_changes(c.db);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, n);
}

/* job_pause(queue TEXT) -> INTEGER, always 1    plain
** No claim takes from the queue, until job_resume.  Jobs that are leased go on;
** enqueueing does, too, and leases run out and jobs expire as ever.
** Set: jobs
** Errors: "INVALID_ARGUMENT: job_pause: queue must be text, got NULL".
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_pause('mail'); -- 1
**   SELECT job_claim('mail', 'w1') IS NULL; -- 1
*/
static void job_pause(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zQueue;
  steward_open(&c, ctx, "job_pause", "jobs", STEWARD_WRITE_ONE);
  zQueue = job_arg_queue(&c, argv[0]);
  steward_run(&c, SQL_job_pause, "tl", zQueue, steward_now(c.p));
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* job_resume(queue TEXT) -> INTEGER, always 1    plain
** Claims take from the queue again.  Nothing happens when it is not paused.
** Set: jobs
** Errors: "INVALID_ARGUMENT: job_resume: queue must be text, got NULL".
** Example: SELECT job_pause('mail'); -- 1
**   SELECT job_resume('mail'); -- 1
*/
static void job_resume(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zQueue;
  steward_open(&c, ctx, "job_resume", "jobs", STEWARD_WRITE_ONE);
  zQueue = job_arg_queue(&c, argv[0]);
  steward_run(&c, SQL_job_resume, "t", zQueue);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

static const StewardFunc aFunc[] = {
    {"job_cancel", 1, 1, STEWARD_PLAIN, job_cancel, NULL, 0},
    {"job_replay", 1, 1, STEWARD_PLAIN, job_replay, NULL, 0},
    {"job_purge", 1, 2, STEWARD_PLAIN, job_purge, aPurgeOption,
     ArraySize(aPurgeOption)},
    {"job_pause", 1, 1, STEWARD_PLAIN, job_pause, NULL, 0},
    {"job_resume", 1, 1, STEWARD_PLAIN, job_resume, NULL, 0},
};

int job_admin_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
