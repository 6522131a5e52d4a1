/*
** perf_history.c - metrics over time: hours and days.
**
**     SELECT perf_rollup();                     -- now and then; once an hour
**     SELECT * FROM perf_summary('30d');
**
** A row of steward_performance_rollups is what the metrics of one closed hour
** or day came to, written once from the metrics themselves; perf_summary reads
** days, then hours, then metrics, so that thirty days cost as much as thirty
** rows per metric.  A metric recorded later into an hour that is closed already
** does not count there.
*/
#include "perf_int.h"

enum { HOUR = 3600, DAY = 86400 };

/* Close the buckets of a resolution up to now; how many rows that made. */
static int roll_up(StewardCall *c, int nSeconds, i64 iNow) {
  i64 iFrom = steward_int(c, SQL_perf_rolled, -1, "i", nSeconds);
  i64 iTo = iNow / nSeconds * nSeconds;
  int n = 0;
  if (c->rc || iFrom < 0 || iFrom >= iTo) return 0;
  if (steward_run(c, SQL_perf_rollup, "ill", nSeconds, iFrom, iTo) ==
      SQLITE_OK) {
    n = sqlite3_changes(c->db);
  }
  return n;
}

/* perf_rollup() -> INTEGER, rows written     plain
** Sum the metrics of every hour and every day that has closed since the last
** call up, for perf_summary; remove hours after 60 days and days after the
** setting performance_rollup_days (5 years).
** Set: maintenance
** Errors: NOT_INSTALLED; BUSY; READ_ONLY.
** Source: seed 001, performance trends.
** Example: INSERT INTO sqlite_performance_metrics(db_path, metric_name,
**     metric_value, unit, recorded_ts)
**     VALUES ('x', 'm', 4, 'ms', '2023-11-14 20:00:00');
**   SELECT perf_rollup(); -- 1
**   SELECT perf_rollup(); -- 0
*/
static void perf_rollup(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  i64 iNow, nDays;
  int n;
  steward_open(&c, ctx, "perf_rollup", "maintenance", STEWARD_WRITE);
  iNow = steward_now(c.p) / 1000;
  nDays = steward_setting_int(&c, "performance_rollup_days");
  n = roll_up(&c, HOUR, iNow) + roll_up(&c, DAY, iNow);
  steward_run(&c, SQL_perf_rollup_expire, "il", HOUR, iNow - 60 * DAY);
  steward_run(&c, SQL_perf_rollup_expire, "il", DAY, iNow - nDays * DAY);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, n);
}

static const StewardFunc aFunc[] = {
    {"perf_rollup", 0, 0, STEWARD_PLAIN, perf_rollup, NULL, 0},
};

int perf_history_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
