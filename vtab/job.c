/*
** job.c - the tables of jobs.
*/
#include <limits.h>
#include <string.h>

#include "../ext/job_int.h"

/* A claim handle is `c<number>:<id>,<id>...`. */
static void check_handle(StewardCall *c, sqlite3_value **apArg) {
  const char *z;
  i64 i;
  int bOk;
  if (sqlite3_value_type(apArg[0]) == SQLITE_NULL) return;
  z = steward_arg_text(c, apArg[0], "handle", 1000000);
  if (z == NULL) return;
  bOk = *z++ == 'c' && job_read_integer(&z, &i) && i > 0 && *z == ':';
  while (bOk && *z) {
    z++;
    bOk = job_read_integer(&z, &i) && (*z == ',' || *z == 0);
  }
  if (!bOk) {
    steward_fail_argument(c, apArg[0], "handle", "one that job_claim returned");
  }
}

/* The columns of job_queue. */
enum {
  Q_ID,
  Q_QUEUE,
  Q_PAYLOAD,
  Q_STATE,
  Q_PRIORITY,
  Q_RUN_AT,
  Q_ATTEMPT,
  Q_MAX_ATTEMPTS,
  Q_KEY,
  Q_GROUP,
  Q_CONCURRENCY_KEY,
  Q_CONCURRENCY_LIMIT,
  Q_HEADERS,
  Q_EXPIRES_AT,
  Q_WORKER,
  Q_COLUMNS = 20
};

static int given(sqlite3_value *v) {
  return sqlite3_value_type(v) != SQLITE_NULL;
}

/* A copy of a name, for the caller to free. */
static char *name_of(StewardCall *c, sqlite3_value *v, const char *zName) {
  const char *z = given(v) ? steward_arg_text(c, v, zName, JOB_NAME_MAX) : NULL;
  return z ? steward_mprintf(c, "%s", z) : NULL;
}

static void take_texts(StewardCall *c, sqlite3_value **argv, JobNew *pNew) {
  pNew->zUnique = name_of(c, argv[Q_KEY], "key");
  pNew->zGroup = name_of(c, argv[Q_GROUP], "group_key");
  pNew->zKey = name_of(c, argv[Q_CONCURRENCY_KEY], "concurrency_key");
  if (given(argv[Q_HEADERS])) {
    const char *z = steward_arg_text(c, argv[Q_HEADERS], "headers", INT_MAX);
    if (z && !steward_int(c, SQL_is_json, 0, "t", z)) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "headers must be JSON, got '%s'", z);
    }
    if (z) pNew->zHeaders = steward_mprintf(c, "%s", z);
  }
}

/* job_queue(id INTEGER, queue TEXT, payload, state TEXT, priority INTEGER,
**   run_at INTEGER, attempt INTEGER, max_attempts INTEGER, key TEXT,
**   group_key TEXT, concurrency_key TEXT, concurrency_limit INTEGER,
**   headers TEXT, expires_at INTEGER, worker TEXT, lease_until INTEGER,
**   error TEXT, result, created_at INTEGER, updated_at INTEGER)
**                                                                     table
** Every job.  state: ready, scheduled (its time has not come), leased, blocked
** (by its group or its concurrency limit), done, dead or cancelled; attempt:
** the one under way, or how many there have been.  Inserting enqueues: queue
** and payload, and if wanted priority, run_at, max_attempts, key (unique while
** the job waits; an insert with a key that is taken does nothing), group_key,
** concurrency_key, concurrency_limit, headers, expires_at.  The table is
** insert-only.
** Set: jobs
** Errors: "INVALID_ARGUMENT: job_queue: id, state, attempt, worker,
**   lease_until, error, result, created_at and updated_at are not given: insert
**   queue, payload, priority, run_at, max_attempts, key, group_key,
**   concurrency_key, concurrency_limit, headers and expires_at";
**   "UNSUPPORTED: job_queue: the table is insert-only"; NOT_INSTALLED.
** Source: seed 003, assistly_queue_jobs.
** Example: INSERT INTO job_queue(queue, payload, priority)
**     VALUES ('mail', 'a', 0), ('mail', 'b', 9);
**   SELECT id, state, payload FROM job_queue WHERE queue = 'mail'
**    ORDER BY priority DESC; -- 2|ready|b
*/
static i64 queue_insert(StewardCall *c, int argc, sqlite3_value **argv) {
  JobNew job;
  i64 iId = 0;
  int i;
  if (c->rc) return 0;
  for (i = 0; i < Q_COLUMNS; i++) {
    if (!given(argv[i])) continue;
    if (i == Q_ID || i == Q_STATE || i == Q_ATTEMPT || i >= Q_WORKER) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "id, state, attempt, worker, lease_until, error, result, "
                   "created_at and updated_at are not given: insert queue, "
                   "payload, priority, run_at, max_attempts, key, group_key, "
                   "concurrency_key, concurrency_limit, headers and "
                   "expires_at");
    }
  }
  job_new_init(c, &job);
  job.zQueue = job_arg_queue(c, argv[Q_QUEUE]);
  job.pPayload = argv[Q_PAYLOAD];
  steward_arg_payload(c, argv[Q_PAYLOAD], "payload");
#define INTEGER(field, column, name, min, max)                                 \
  if (given(argv[column])) {                                                   \
    job.field = steward_arg_int(c, argv[column], name, min, max);              \
  }
  INTEGER(iPriority, Q_PRIORITY, "priority", -1000000, 1000000)
  INTEGER(iRunAt, Q_RUN_AT, "run_at", 0, JOB_TIME_MAX)
  INTEGER(nMaxAttempts, Q_MAX_ATTEMPTS, "max_attempts", 1, 1000)
  INTEGER(nLimit, Q_CONCURRENCY_LIMIT, "concurrency_limit", 1, 100000)
  INTEGER(iExpiresAt, Q_EXPIRES_AT, "expires_at", 0, JOB_TIME_MAX)
#undef INTEGER
  take_texts(c, argv, &job);
  if (c->rc == SQLITE_OK) iId = job_insert(c, &job);
  sqlite3_free(job.zUnique);
  sqlite3_free(job.zGroup);
  sqlite3_free(job.zKey);
  sqlite3_free(job.zHeaders);
  return iId;
}

/* job_claimed(id INTEGER, queue TEXT, payload, attempt INTEGER, receipt TEXT,
**   lease_until INTEGER, headers TEXT, group_key TEXT, scheduled_at INTEGER,
**   HIDDEN handle TEXT)                                               table
** The jobs of a claim, in the order in which they are to be run; those only
** that it still holds.  scheduled_at: the time that the job was meant for, the
** same at each attempt.  receipt is for job_complete, job_fail, job_extend and
** job_release.
** Set: jobs
** Errors: "INVALID_ARGUMENT: job_claimed: handle must be one that job_claim
**   returned, got 'x'"; NOT_INSTALLED.
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_claim('mail', 'w1'); -- c1:1
**   SELECT id, payload, attempt, receipt FROM job_claimed('c1:1');
**   -- 1|hello|1|1-1
*/

/* job_history(job_id INTEGER, queue TEXT, attempt INTEGER, worker TEXT,
**   started_at INTEGER, ended_at INTEGER, outcome TEXT, error TEXT)     table
** Every attempt at a job that is still there: who made it, when, and how it
** ended: done, failed, dead, cancelled, or running.  A release is no attempt.
** Set: jobs
** Example: SELECT job_enqueue('mail', 'hello'); -- 1
**   SELECT job_claim('mail', 'w1'); -- c1:1
**   SELECT job_fail('1-1', 'timeout'); -- scheduled
**   SELECT attempt, worker, outcome, error FROM job_history;
**   -- 1|w1|failed|timeout
*/
static const StewardTable aTable[] = {
    {.zName = "job_queue",
     .zColumns = "id INTEGER, queue TEXT, payload, state TEXT,"
                 " priority INTEGER, run_at INTEGER, attempt INTEGER,"
                 " max_attempts INTEGER, key TEXT, group_key TEXT,"
                 " concurrency_key TEXT, concurrency_limit INTEGER,"
                 " headers TEXT, expires_at INTEGER, worker TEXT,"
                 " lease_until INTEGER, error TEXT, result,"
                 " created_at INTEGER, updated_at INTEGER",
     .eSql = SQL_job_queue,
     .zSet = "jobs",
     .xInsert = queue_insert},
    {.zName = "job_claimed",
     .zColumns = "id INTEGER, queue TEXT, payload, attempt INTEGER,"
                 " receipt TEXT, lease_until INTEGER, headers TEXT,"
                 " group_key TEXT, scheduled_at INTEGER, handle HIDDEN BLOB",
     .nArg = 1,
     .nRequired = 1,
     .xCheck = check_handle,
     .eSql = SQL_job_claimed,
     .zSet = "jobs"},
    {.zName = "job_history",
     .zColumns = "job_id INTEGER, queue TEXT, attempt INTEGER, worker TEXT,"
                 " started_at INTEGER, ended_at INTEGER, outcome TEXT,"
                 " error TEXT",
     .eSql = SQL_job_history,
     .zSet = "jobs"},
};

int job_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
