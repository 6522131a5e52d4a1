/*
** job_int.h - what the files of the capability `job` share: job.c (enqueue),
** job_claim.c (claims and waiting), job_finish.c (receipts) and job_admin.c,
** and vtab/job.c.
*/
#ifndef JOB_INT_H
#define JOB_INT_H

#include "steward_int.h"

#define JOB_NAME_MAX 200                 /* bytes of a queue or key */
#define JOB_TIME_MAX 253402300799999LL   /* the end of the year 9999 */
#define JOB_DURATION_MAX 3153600000000LL /* a century */

enum { JOB_SCOPE_NONE, JOB_SCOPE_QUEUED, JOB_SCOPE_DONE, JOB_SCOPE_RECENT };
enum { JOB_RETURN, JOB_ERROR, JOB_REPLACE };
enum { JOB_FIXED, JOB_EXPONENTIAL };

/* How long a job has its key, as the column unique_ms says it. */
enum { JOB_WHILE_IT_WAITS = -1, JOB_UNTIL_DONE = 0 /* else ms */ };

/* A job to be enqueued; -1 in an i64 is `not given`. */
typedef struct JobNew {
  const char *zQueue;
  sqlite3_value *pPayload;
  i64 iNow;
  i64 iRunAt, iDelay;
  i64 iPriority;
  i64 nMaxAttempts;
  i64 eBackoff, iBackoff, iBackoffCap;
  char *zUnique, *zScope; /* the texts are owned by steward_options() */
  i64 eConflict;
  int eScope;
  i64 iSince; /* of JOB_SCOPE_RECENT */
  char *zGroup;
  char *zKey; /* concurrency_key */
  i64 nLimit;
  i64 iMinGap;
  i64 iExpiresAt;
  char *zHeaders;
} JobNew;

/* A recurring job: what each of its jobs is like, and when there is one. */
typedef struct JobSchedule {
  JobNew job; /* must be first: job_options[] has fields of both */
  char *zZone;
  i64 eCatchUp, nCatchUp, iGrace;
  i64 eOverlap;
  i64 nMaxRuns; /* 0: no end */
  i64 bPaused;
  i64 iTtl; /* -1: its jobs do not expire */
} JobSchedule;

enum { JOB_CATCH_UP_ONE, JOB_CATCH_UP_SKIP, JOB_CATCH_UP_ALL };
enum { JOB_OVERLAP_ALLOW, JOB_OVERLAP_SKIP, JOB_OVERLAP_REPLACE };

/* The options of job_enqueue, from 0 to JOB_ENQUEUE_END, and of job_schedule,
** from JOB_SCHEDULE_BEGIN to JOB_SCHEDULE_END. */
enum { JOB_SCHEDULE_BEGIN = 3, JOB_ENQUEUE_END = 16, JOB_SCHEDULE_END = 24 };
extern const StewardOption job_options[JOB_SCHEDULE_END];

/* job.c */
void job_new_init(StewardCall *c, JobNew *pNew);
void job_new_check(StewardCall *c, JobNew *pNew);
i64 job_insert(StewardCall *c, JobNew *pNew);
int job_expires_by(sqlite3_stmt *s, int iColumn, i64 iAt);
const char *job_arg_queue(StewardCall *c, sqlite3_value *v);
void job_check_gap(StewardCall *c, const char *zQueue, i64 iAt, i64 iGap,
                   i64 iSelf);
void job_check_unique(StewardCall *c, const char *zQueue, const char *zKey,
                      i64 iFor, i64 iJob);

/* job_claim.c */
i64 job_settle(StewardCall *c, i64 nMax);

/* job_schedule.c */
int job_schedule_due(StewardCall *c, i64 nMax);

/* job_cron.c: when */
enum { JOB_MISSED_MAX = 1000 }; /* times that are counted at most */

typedef struct JobCron {
  i64 iEvery;                /* ms, or 0: by the fields */
  uint64_t mSecond, mMinute; /* bits */
  unsigned mHour, mDay, mMonth, mWeekday;
  unsigned mLast;   /* bit n: the n-th day before the last */
  unsigned aNth[7]; /* of each weekday, bit n: the n-th, bit 6: the last */
  int bDayStar, bWeekdayStar;
} JobCron;

void job_cron_read(StewardCall *c, JobCron *p, const char *zSpec);
i64 job_cron_next(const JobCron *p, const StewardZone *pZone, i64 iAnchor,
                  i64 iAfter);
int job_cron_passed(const JobCron *p, const StewardZone *pZone, i64 iAnchor,
                    i64 iFirst, i64 iUntil, i64 *aOut, int nMax,
                    i64 *pnAll /* OUT */);

/* job_ids.c: zero-initialized */
typedef struct JobIds {
  i64 *a;
  int n, nAlloc;
  char *aTaken; /* after job_ids_run(), with a sorted */
} JobIds;

int job_read_integer(const char **pz, i64 *pi /* OUT */);
void job_ids_add(StewardCall *c, JobIds *p, i64 iId);
char *job_ids_json(StewardCall *c, const JobIds *p);
void job_ids_run(StewardCall *c, enum StewardSqlId id, sqlite3_stmt *s,
                 JobIds *p);
int job_ids_take(JobIds *p, i64 iId);
void job_ids_clear(JobIds *p);

/* job_finish.c */
void job_prune_sometimes(StewardCall *c, i64 nDone);

#endif
