/*
** job_schedule.c - recurring jobs.
**
** A schedule is a row of steward_job_schedules with the time of its next run.
** Whoever claims a job, or calls job_run_due(), first enqueues what is due: the
** row moves to its next time in the same transaction, on the condition that it
** stood where it was read, so every time of a schedule is run by one process
** and once. Nothing of it depends on the clock going one way: a time that has
** been decided about does not come again when the clock jumps back, and when it
** jumps ahead catch_up says what becomes of those that were passed.
**
**     SELECT job_schedule('report', '0 6 * * mon-fri', 'mail', 'weekday',
**                         '{"zone":"Europe/Berlin"}');
**     SELECT name, next_at FROM job_schedules;
**     SELECT job_unschedule('report');
**
** job_cron.c knows the times, ext/runtime/zone.c the zones.
*/
#include <string.h>

#include "job_int.h"

enum { PARK = 60000 /* ms */ };

static void schedule_init(StewardCall *c, JobSchedule *p) {
  memset(p, 0, sizeof(*p));
  job_new_init(c, &p->job);
  p->nCatchUp = 100;
  p->iGrace = 60000;
  p->bPaused = -1;
  p->iTtl = -1;
}

static void schedule_options(StewardCall *c, JobSchedule *p, sqlite3_value *v) {
  steward_options(c, v, job_options + JOB_SCHEDULE_BEGIN,
                  JOB_SCHEDULE_END - JOB_SCHEDULE_BEGIN, p);
}

static void schedule_free(JobSchedule *p) {
  steward_options_free(job_options + JOB_SCHEDULE_BEGIN,
                       JOB_SCHEDULE_END - JOB_SCHEDULE_BEGIN, p);
}

/* The job of the time iAt. */
static JobNew job_at(const JobSchedule *p, i64 iAt) {
  JobNew job = p->job;
  job.iRunAt = iAt;
  if (p->iTtl >= 0) job.iExpiresAt = iAt + p->iTtl;
  return job;
}

/* The next run of a spec after a time; -1: none. */
static i64 next_run(StewardCall *c, const char *zSpec, const char *zZone,
                    i64 iAnchor, i64 iAfter) {
  JobCron cron;
  StewardZone *pZone;
  i64 iNext = -1;
  job_cron_read(c, &cron, zSpec);
  pZone = steward_zone_open(c, zZone);
  if (c->rc == SQLITE_OK) iNext = job_cron_next(&cron, pZone, iAnchor, iAfter);
  steward_zone_free(pZone);
  return iNext;
}

/* A row of steward_job_schedules as it was before; texts are owned. */
typedef struct Before {
  int bThere;
  char *zSpec, *zZone;
  i64 iAnchor, iNext, nRun;
  int bPaused;
  sqlite3_value *pOptions;
} Before;

static void read_before(StewardCall *c, const char *zName, Before *b) {
  sqlite3_stmt *s = steward_query(c, SQL_schedule_old, "t", zName);
  memset(b, 0, sizeof(*b));
  b->iNext = -1;
  if (steward_next(c, s)) {
    b->bThere = 1;
    b->zSpec = steward_mprintf(c, "%s", steward_column(c, s, 0));
    b->zZone = steward_mprintf(c, "%s", steward_column(c, s, 1));
    b->iAnchor = sqlite3_column_int64(s, 2);
    if (sqlite3_column_type(s, 3) != SQLITE_NULL) {
      b->iNext = sqlite3_column_int64(s, 3);
    }
    b->nRun = sqlite3_column_int64(s, 4);
    b->bPaused = sqlite3_column_type(s, 5) != SQLITE_NULL;
    b->pOptions = sqlite3_value_dup(sqlite3_column_value(s, 7));
    if (b->pOptions == NULL) steward_fail_nomem(c);
  }
  steward_give(c, SQL_schedule_old, s);
}

static void free_before(Before *b) {
  sqlite3_free(b->zSpec);
  sqlite3_free(b->zZone);
  sqlite3_value_free(b->pOptions);
}

static void fail_no_schedule(StewardCall *c, const char *zName) {
  steward_fail(c, STEWARD_NOT_FOUND,
               "no schedule '%s': SELECT name FROM job_schedules lists them",
               zName);
}

/* Store a schedule; its next time, -1: none.  What is the same as before goes
** on, so that a program may say at each start what it wants. */
static i64 put_schedule(StewardCall *c, const char *zName, const char *zSpec,
                        const JobSchedule *p, sqlite3_value *pOptions) {
  const char *zZone = p->zZone ? p->zZone : "UTC";
  i64 iNow = p->job.iNow, iAnchor = iNow, iNext;
  sqlite3_stmt *s;
  Before b;
  int bPaused;
  read_before(c, zName, &b);
  iNext = next_run(c, zSpec, zZone, iNow, iNow); /* also checks it */
  bPaused = p->bPaused < 0 ? b.bPaused : (int)p->bPaused;
  if (c->rc == SQLITE_OK && b.bThere && strcmp(b.zSpec, zSpec) == 0 &&
      strcmp(b.zZone, zZone) == 0) {
    iAnchor = b.iAnchor;
    iNext = b.bPaused || b.iNext < 0 ? next_run(c, zSpec, zZone, iAnchor, iNow)
                                     : b.iNext;
  }
  if (bPaused || (p->nMaxRuns > 0 && b.nRun >= p->nMaxRuns)) iNext = -1;
  s = steward_query(c, SQL_schedule_put, pOptions ? "ttttvv" : "ttttvn", zName,
                    zSpec, zZone, p->job.zQueue, p->job.pPayload, pOptions);
  if (s) {
    sqlite3_bind_int64(s, 7, iAnchor);
    if (iNext >= 0) sqlite3_bind_int64(s, 8, iNext);
    if (bPaused) sqlite3_bind_int64(s, 9, iNow);
    sqlite3_bind_int64(s, 10, iNow);
    while (steward_next(c, s)) {
    }
  }
  steward_give(c, SQL_schedule_put, s);
  free_before(&b);
  return iNext;
}

/* job_schedule(name TEXT, spec TEXT, queue TEXT, payload [, options JSON])
**   -> INTEGER, Unix ms of the first run                                plain
** Enqueue a job again and again.  spec: five fields (minute hour day month
** weekday) or six (second first), '@every 90s', @hourly, @daily, @weekly,
** @monthly or @yearly; a field is a list of numbers, names, ranges and steps,
** day may be L or L-3, weekday 5L (the last Friday) or 5#2.  When neither day
** nor weekday begins with *, one of them is enough.  The times are those of
** option zone.  Where its clocks jump ahead, what they jump over runs once at
** the moment after; what they show twice runs the first time; a spec of every
** hour just goes on.  A job's run_at is the time that it is meant for.
** Due jobs are enqueued by any job_claim and by job_run_due().  The options are
** those of job_enqueue but for the time, and zone, catch_up, overlap, max_runs,
** ttl, paused.  A name that is there gets the new content and keeps its place
** in time, its count and its pause unless spec or zone are others.  NULL when
** it is paused or has had max_runs.
** Set: jobs
** Errors: "INVALID_ARGUMENT: job_schedule: spec '0 0 30 2 *' means days that no
**   month has: it would never run"; "INVALID_ARGUMENT: job_schedule: there is
**   no zone 'Mars' in /usr/share/zoneinfo: give a name like Europe/Berlin";
**   "UNSUPPORTED: job_schedule: this machine has no zone data (no directory
**   /usr/share/zoneinfo), which zone 'Asia/Tokyo' needs: install tzdata, or
**   leave it at UTC"; NOT_INSTALLED; BUSY.
** Source: cron; zones as in Vixie's cron; catch_up and overlap as in Temporal.
** Example: SELECT job_schedule('beat', '@every 5s', 'mail', 'hello')
**     - steward_now(); -- 5000
**   SELECT job_schedule('night', '0 3 * * *', 'mail', 'n'); -- 1700017200000
**   SELECT name, queue, runs FROM job_schedules WHERE name='night';
**   -- night|mail|0
*/
static void job_schedule(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  JobSchedule schedule;
  JobNew check;
  const char *zName, *zSpec;
  i64 iNext = -1;
  steward_open(&c, ctx, "job_schedule", "jobs", STEWARD_CHECK_ONE);
  schedule_init(&c, &schedule);
  zName = steward_arg_text(&c, argv[0], "name", JOB_NAME_MAX);
  zSpec = steward_arg_text(&c, argv[1], "spec", 500);
  schedule.job.zQueue = job_arg_queue(&c, argv[2]);
  schedule.job.pPayload = argv[3];
  steward_arg_payload(&c, argv[3], "payload");
  if (argc > 4) schedule_options(&c, &schedule, argv[4]);
  check = job_at(&schedule, schedule.job.iNow);
  job_new_check(&c, &check);
  if (c.rc == SQLITE_OK) {
    iNext =
        put_schedule(&c, zName, zSpec, &schedule, argc > 4 ? argv[4] : NULL);
  }
  schedule_free(&schedule);
  if (steward_close(&c) == SQLITE_OK && iNext >= 0) {
    sqlite3_result_int64(ctx, iNext);
  }
}

/* job_unschedule(name TEXT) -> INTEGER, always 1    plain
** No more runs; the schedule leaves with its history. Jobs that are enqueued
** stay.
** Set: jobs
** Errors: "NOT_FOUND: job_unschedule: no schedule 'x': SELECT name FROM
**   job_schedules lists them"; NOT_INSTALLED; BUSY.
** Example: SELECT job_schedule('beat', '@daily', 'mail', 'x') IS NULL; -- 0
**   SELECT job_unschedule('beat'); -- 1
*/
static void job_unschedule(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  StewardCall c;
  const char *zName;
  steward_open(&c, ctx, "job_unschedule", "jobs", STEWARD_WRITE_ONE);
  zName = steward_arg_text(&c, argv[0], "name", JOB_NAME_MAX);
  steward_run(&c, SQL_schedule_delete, "t", zName);
  if (c.rc == SQLITE_OK && sqlite3_changes(c.db) == 0) {
    fail_no_schedule(&c, zName);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* job_schedule_pause(name TEXT) -> INTEGER, always 1    plain
** No runs until job_schedule_resume; those that would have been meanwhile are
** not caught up.
** Set: jobs
** Errors: "NOT_FOUND: job_schedule_pause: no schedule 'x': SELECT name FROM
**   job_schedules lists them"; NOT_INSTALLED; BUSY.
** Example: SELECT job_schedule('beat', '@daily', 'mail', 'x') IS NULL; -- 0
**   SELECT job_schedule_pause('beat'); -- 1
**   SELECT state, next_at IS NULL FROM job_schedules; -- paused|1
*/
static void job_schedule_pause(sqlite3_context *ctx, int argc,
                               sqlite3_value **argv) {
  StewardCall c;
  const char *zName;
  steward_open(&c, ctx, "job_schedule_pause", "jobs", STEWARD_WRITE_ONE);
  zName = steward_arg_text(&c, argv[0], "name", JOB_NAME_MAX);
  steward_run(&c, SQL_schedule_pause, "tl", zName, steward_now(c.p));
  if (c.rc == SQLITE_OK && sqlite3_changes(c.db) == 0) {
    fail_no_schedule(&c, zName);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* The next time of a schedule from now on; -1: none. */
static i64 next_from_now(StewardCall *c, const char *zName) {
  i64 iNext = -1;
  Before b;
  JobSchedule schedule;
  read_before(c, zName, &b);
  if (c->rc == SQLITE_OK && !b.bThere) fail_no_schedule(c, zName);
  schedule_init(c, &schedule);
  if (b.pOptions) schedule_options(c, &schedule, b.pOptions);
  if (c->rc == SQLITE_OK &&
      (schedule.nMaxRuns == 0 || b.nRun < schedule.nMaxRuns)) {
    iNext = next_run(c, b.zSpec, b.zZone, b.iAnchor, steward_now(c->p));
  }
  schedule_free(&schedule);
  free_before(&b);
  return iNext;
}

/* job_schedule_resume(name TEXT) -> INTEGER, Unix ms of the next run    plain
** Runs again, from the next time after now; also one that is not paused, which
** is the way out when a clock was far ahead. NULL when it has had max_runs.
** Set: jobs
** Errors: "NOT_FOUND: job_schedule_resume: no schedule 'x': SELECT name FROM
**   job_schedules lists them"; NOT_INSTALLED; UNSUPPORTED; BUSY.
** Example: SELECT job_schedule('night', '0 3 * * *', 'mail', 'x',
**     '{"paused":true}') IS NULL; -- 1
**   SELECT job_schedule_resume('night'); -- 1700017200000
*/
static void job_schedule_resume(sqlite3_context *ctx, int argc,
                                sqlite3_value **argv) {
  StewardCall c;
  const char *zName;
  i64 iNext;
  steward_open(&c, ctx, "job_schedule_resume", "jobs", STEWARD_CHECK_ONE);
  zName = steward_arg_text(&c, argv[0], "name", JOB_NAME_MAX);
  iNext = next_from_now(&c, zName);
  steward_run(&c, SQL_schedule_resume, "tll", zName, iNext, steward_now(c.p));
  if (steward_close(&c) == SQLITE_OK && iNext >= 0) {
    sqlite3_result_int64(ctx, iNext);
  }
}

/*************************************************************************
** Running what is due
*/

/* A schedule whose time has come; texts and values are owned. */
typedef struct Due {
  char *zName, *zSpec, *zZone, *zQueue;
  sqlite3_value *pPayload, *pOptions;
  i64 iAnchor, iNext;
  i64 iJob;    /* the last one, 0: none */
  i64 iNumber; /* of the last line of the history */
  i64 nRun;
  i64 nPassed;  /* times that were passed over now */
  i64 iLast;    /* time of the last run that was enqueued now, or -1 */
  char *zError; /* why the last one was refused */
  JobCron cron;
  i64 nEnqueued;
  i64 iNow;
} Due;

static void free_due(Due *d) {
  sqlite3_free(d->zName);
  sqlite3_free(d->zSpec);
  sqlite3_free(d->zZone);
  sqlite3_free(d->zQueue);
  sqlite3_free(d->zError);
  sqlite3_value_free(d->pPayload);
  sqlite3_value_free(d->pOptions);
}

/* The first schedule that is due; 0: none is. */
static int read_due(StewardCall *c, Due *d) {
  sqlite3_stmt *s = steward_query(c, SQL_schedule_due, "l", d->iNow);
  int bDue = steward_next(c, s);
  if (bDue) {
    d->zName = steward_mprintf(c, "%s", steward_column(c, s, 0));
    d->zSpec = steward_mprintf(c, "%s", steward_column(c, s, 1));
    d->zZone = steward_mprintf(c, "%s", steward_column(c, s, 2));
    d->zQueue = steward_mprintf(c, "%s", steward_column(c, s, 3));
    d->pPayload = sqlite3_value_dup(sqlite3_column_value(s, 4));
    d->pOptions = sqlite3_value_dup(sqlite3_column_value(s, 5));
    d->iAnchor = sqlite3_column_int64(s, 6);
    d->iNext = sqlite3_column_int64(s, 7);
    d->iJob = sqlite3_column_int64(s, 8);
    d->iNumber = sqlite3_column_int64(s, 9);
    d->nRun = sqlite3_column_int64(s, 10);
    if (d->pPayload == NULL || d->pOptions == NULL) steward_fail_nomem(c);
  }
  steward_give(c, SQL_schedule_due, s);
  return bDue;
}

/* When the call was refused something, and nothing worse, go on: the text, for
** the caller to free.  NULL: it has not failed, or has for good. */
static char *forgive(StewardCall *c) {
  char *z = c->zErr;
  int rc = c->rc & 0xff;
  if ((rc != SQLITE_ERROR && rc != SQLITE_CONSTRAINT) || z == NULL ||
      sqlite3_get_autocommit(c->db)) {
    return NULL;
  }
  c->zErr = NULL;
  c->rc = SQLITE_OK;
  return z;
}

/* A line of the history. */
static void note(StewardCall *c, Due *d, i64 iAt, const char *zOutcome,
                 i64 nTimes, i64 iJob, const char *zError) {
  steward_run(c, SQL_schedule_note, "tllltllt", d->zName, ++d->iNumber, iAt,
              d->iNow, zOutcome, nTimes, iJob, zError);
}

/* Enqueue the job of one time; what came of it. */
static void run_one(StewardCall *c, Due *d, const JobSchedule *p, i64 iAt) {
  JobNew job = job_at(p, iAt);
  const char *zOutcome = "enqueued";
  i64 iJob = 0, nChange;
  if (p->eOverlap != JOB_OVERLAP_ALLOW && d->iJob &&
      steward_int(c, SQL_schedule_unfinished, 0, "l", d->iJob)) {
    if (p->eOverlap == JOB_OVERLAP_SKIP) {
      d->nPassed++;
      note(c, d, iAt, "overlap", 1, d->iJob, NULL);
      return;
    }
    steward_run(c, SQL_job_cancel, "ll", d->iJob, d->iNow);
  }
  nChange = sqlite3_total_changes(c->db);
  iJob = job_insert(c, &job);
  sqlite3_free(d->zError);
  d->zError = forgive(c);
  if (d->zError) {
    zOutcome = "refused";
    iJob = 0;
  } else if (sqlite3_total_changes(c->db) == nChange) {
    zOutcome = "duplicate";
  } else {
    d->nEnqueued++;
    d->nRun++;
    d->iLast = iAt;
    d->iJob = iJob;
  }
  if (d->iLast != iAt) d->nPassed++;
  note(c, d, iAt, zOutcome, 1, iJob, d->zError);
}

/* Which of the times that have passed are run, and what becomes of the rest. */
static void run_times(StewardCall *c, Due *d, const JobSchedule *p,
                      const i64 *aAt, int n, i64 nAll) {
  int i = 0;
  if (p->eCatchUp == JOB_CATCH_UP_SKIP && d->iNow - aAt[n - 1] > p->iGrace) {
    i = n;
  }
  if (nAll > n - i) {
    d->nPassed += nAll - (n - i);
    note(c, d, d->iNext, "missed", nAll - (n - i), 0, NULL);
  }
  for (; i < n && c->rc == SQLITE_OK; i++) {
    if (p->nMaxRuns && d->nRun >= p->nMaxRuns) break;
    run_one(c, d, p, aAt[i]);
  }
}

/* Move the schedule behind now; 0: somebody else has. */
static int move_on(StewardCall *c, const Due *d, i64 iAfter) {
  steward_run(c, SQL_schedule_move, "tll", d->zName, d->iNext, iAfter);
  return c->rc == SQLITE_OK && sqlite3_changes(c->db) > 0;
}

/* Run a schedule that is due; aAt: room for JOB_MISSED_MAX times. */
static void run_schedule(StewardCall *c, Due *d, i64 *aAt) {
  JobSchedule schedule;
  StewardZone *pZone;
  i64 nAll = 0, iAfter = -1, nKeep;
  int n = 0, bEnd = 0;
  char *zError;
  schedule_init(c, &schedule);
  schedule_options(c, &schedule, d->pOptions);
  schedule.job.zQueue = d->zQueue;
  schedule.job.pPayload = d->pPayload;
  job_cron_read(c, &d->cron, d->zSpec);
  pZone = steward_zone_open(c, d->zZone);
  if (c->rc == SQLITE_OK) {
    n = job_cron_passed(
        &d->cron, pZone, d->iAnchor, d->iNext, d->iNow, aAt,
        schedule.eCatchUp == JOB_CATCH_UP_ALL ? (int)schedule.nCatchUp : 1,
        &nAll);
    iAfter = job_cron_next(&d->cron, pZone, d->iAnchor, d->iNow);
  }
  steward_zone_free(pZone);
  zError = forgive(c);
  if (zError) { /* this machine cannot say; another one may */
    steward_run(c, SQL_schedule_park, "tlt", d->zName, d->iNow + PARK, zError);
    sqlite3_free(zError);
  } else if (n > 0 && move_on(c, d, iAfter)) {
    run_times(c, d, &schedule, aAt, n, nAll);
    bEnd = schedule.nMaxRuns && d->nRun >= schedule.nMaxRuns;
    nKeep = steward_setting_int(c, "job_history_max_rows");
    steward_run(c, SQL_schedule_ran, "tlllllltl", d->zName, d->iLast, d->iNow,
                d->iJob, d->iNumber, d->nRun, d->nPassed, d->zError, (i64)bEnd);
    steward_run(c, SQL_schedule_forget, "tl", d->zName, d->iNumber - nKeep);
  }
  schedule_free(&schedule);
}

/* Enqueue the jobs of schedules that are due, of at most nMax of them; how many
** jobs.  The call has begun to write. */
int job_schedule_due(StewardCall *c, i64 nMax) {
  i64 iNow = steward_now(c->p), *aAt = NULL;
  int nEnqueued = 0, bDue = 1;
  for (; bDue && nMax > 0 && c->rc == SQLITE_OK; nMax--) {
    Due due;
    memset(&due, 0, sizeof(due));
    due.iNow = iNow;
    due.iLast = -1;
    bDue = read_due(c, &due);
    if (bDue && aAt == NULL) {
      aAt = sqlite3_malloc64(sizeof(i64) * JOB_MISSED_MAX);
      if (aAt == NULL) steward_fail_nomem(c);
    }
    if (bDue && c->rc == SQLITE_OK) run_schedule(c, &due, aAt);
    nEnqueued += (int)due.nEnqueued;
    free_due(&due);
  }
  sqlite3_free(aAt);
  return nEnqueued;
}

/* job_run_due() -> INTEGER, how many jobs    plain
** Do what every job_claim does first, but for all queues, also paused ones and
** those that nobody claims from: enqueue the jobs of schedules whose time has
** come, give back jobs whose lease has run out, and those that are exhausted or
** have expired are dead.  For a program that has no worker waiting, or a
** keeper.  What it was refused is in job_schedules.error.  At most 1000
** schedules and 1000 queues at a time, of each of these 128 jobs.
** Set: jobs
** Errors: NOT_INSTALLED; UNSUPPORTED inside a writing statement; BUSY.
** Example: SELECT job_schedule('beat', '@every 5s', 'mail', 'hello') > 0; -- 1
**   SELECT job_run_due(); -- 0
**   SELECT steward_clock(steward_now() + 5000) > 0; -- 1
**   SELECT job_run_due(); -- 1
**   SELECT queue, payload, state FROM job_queue; -- mail|hello|ready
*/
static void job_run_due(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  i64 n = 0;
  steward_open(&c, ctx, "job_run_due", "jobs", STEWARD_READ);
  if (steward_int(&c, SQL_schedule_soonest, INT64_MAX, "") <=
      steward_now(c.p)) {
    steward_begin(&c);
    n = job_schedule_due(&c, 1000);
  }
  if (c.rc == SQLITE_OK) n += job_settle(&c, 1000);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, n);
}

static const StewardFunc aFunc[] = {
    {"job_schedule", 4, 5, STEWARD_PLAIN, job_schedule,
     job_options + JOB_SCHEDULE_BEGIN, JOB_SCHEDULE_END - JOB_SCHEDULE_BEGIN},
    {"job_unschedule", 1, 1, STEWARD_PLAIN, job_unschedule, NULL, 0},
    {"job_schedule_pause", 1, 1, STEWARD_PLAIN, job_schedule_pause, NULL, 0},
    {"job_schedule_resume", 1, 1, STEWARD_PLAIN, job_schedule_resume, NULL, 0},
    {"job_run_due", 0, 0, STEWARD_PLAIN, job_run_due, NULL, 0},
};

int job_schedule_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
