/*
** job_schedule.c - the tables of recurring jobs.
*/
#include "../ext/job_int.h"

/* job_schedules(name TEXT, spec TEXT, zone TEXT, queue TEXT, payload,
**   options TEXT, state TEXT, next_at INTEGER, last_at INTEGER,
**   ran_at INTEGER, job_id INTEGER, runs INTEGER, passed_over INTEGER,
**   paused INTEGER, error TEXT, created_at INTEGER, updated_at INTEGER)  table
** Every schedule.  state: active, paused, or ended when it has had max_runs.
** next_at: the time of the next run; last_at: that of the last one, which was
** enqueued at ran_at as the job job_id; runs: jobs enqueued; passed_over: times
** for which there was none; error: what the last time was refused, or why the
** next one cannot be found out here (it is tried again every minute).
** Set: jobs
** Example: SELECT job_schedule('night', '0 3 * * *', 'mail', 'x') > 0; -- 1
**   SELECT name, spec, zone, state, next_at FROM job_schedules;
**   -- night|0 3 * * *|UTC|active|1700017200000
*/

/* job_schedule_history(name TEXT, number INTEGER, run_at INTEGER,
**   decided_at INTEGER, outcome TEXT, times INTEGER, job_id INTEGER,
**   error TEXT)                                                       table
** What became of the times of each schedule, the newest lines (setting
** job_history_max_rows).  outcome: enqueued (as job_id), missed (`times` of
** them from run_at on, which catch_up passed over; 999 and more are not counted
** exactly), overlap (job_id was not finished), duplicate (job_id had the unique
** key), refused (error says why).
** Set: jobs
** Example: SELECT job_schedule('beat', '@every 5s', 'mail', 'hello') > 0; -- 1
**   SELECT steward_clock(steward_now() + 15000) > 0; -- 1
**   SELECT job_run_due(); -- 1
**   SELECT run_at - steward_now(), outcome, times, job_id
**     FROM job_schedule_history WHERE number = 1; -- -10000|missed|2|
**   SELECT run_at - steward_now(), outcome, times, job_id
**     FROM job_schedule_history WHERE number = 2; -- 0|enqueued|1|1
*/
static const StewardTable aTable[] = {
    {.zName = "job_schedules",
     .zColumns = "name TEXT, spec TEXT, zone TEXT, queue TEXT, payload,"
                 " options TEXT, state TEXT, next_at INTEGER,"
                 " last_at INTEGER, ran_at INTEGER, job_id INTEGER,"
                 " runs INTEGER, passed_over INTEGER, paused INTEGER,"
                 " error TEXT, created_at INTEGER, updated_at INTEGER",
     .eSql = SQL_job_schedules,
     .zSet = "jobs"},
    {.zName = "job_schedule_history",
     .zColumns = "name TEXT, number INTEGER, run_at INTEGER,"
                 " decided_at INTEGER, outcome TEXT, times INTEGER,"
                 " job_id INTEGER, error TEXT",
     .eSql = SQL_job_schedule_history,
     .zSet = "jobs"},
};

int job_schedule_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
