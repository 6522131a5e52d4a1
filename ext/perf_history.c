/*
** perf_history.c - metrics over time: hours, days, and what is normal.
**
**     SELECT perf_rollup();         -- perf_capture() does it, a step at a time
**     SELECT * FROM perf_summary('30d');
**     SELECT perf_baseline();       -- as it was last week is as it should be
**     SELECT * FROM perf_regressions;
**
** A row of steward_performance_rollups is what the metrics of one closed hour
** or day came to, written once: hours from the metrics themselves, days from
** their hours.  perf_summary reads days, then hours, then metrics, so that
** thirty days cost as much as thirty rows per metric and a few.  A metric that
** is recorded into an hour that is closed already does not count there; an hour
** is closed a minute late, so that those who share the file have committed.
**
** A row of steward_performance_baselines is what one metric came to when
** perf_baseline() was called; perf_regressions compares the last hour with it.
*/
#include "perf_int.h"

enum { HOUR = 3600, DAY = 86400, GRACE = 60 };

/* Sum up at most nMax buckets that began at iFrom or later and ended by iTo,
** beginning with the first that has anything in it: eNext says what is there.
** How many rows that made. */
static int roll_up(StewardCall *c, int nSeconds, i64 iFrom, i64 iTo, i64 nMax,
                   enum StewardSqlId eNext, enum StewardSqlId eRollup) {
  i64 iRolled = steward_int(c, SQL_perf_rolled, 0, "i", nSeconds);
  if (iFrom < iRolled) iFrom = iRolled;
  if (c->rc || iFrom + nSeconds > iTo) return 0;
  iFrom = steward_int(c, eNext, iTo, "ll", iFrom, iTo) / nSeconds * nSeconds;
  if (nMax > 0 && iTo > iFrom + nMax * nSeconds) iTo = iFrom + nMax * nSeconds;
  if (c->rc || iFrom >= iTo) return 0;
  if (steward_run(c, eRollup, "ill", nSeconds, iFrom, iTo)) return 0;
  return sqlite3_changes(c->db);
}

/* Close hours and days, at most nMax hours (0: all), and let go of what is too
** old; how many rows were written. */
int perf_history_roll(StewardCall *c, i64 nMax) {
  i64 iNow = steward_now(c->p) / 1000;
  i64 iDays = iNow - DAY * steward_setting_int(c, "performance_rollup_days");
  i64 iHours = iNow - 60 * DAY, iRolled;
  int n;
  n = roll_up(c, HOUR, (iHours + HOUR - 1) / HOUR * HOUR,
              (iNow - GRACE) / HOUR * HOUR, nMax, SQL_perf_next_metric,
              SQL_perf_rollup_hours);
  iRolled = steward_int(c, SQL_perf_rolled, 0, "i", HOUR);
  n += roll_up(c, DAY, (iDays + DAY - 1) / DAY * DAY, iRolled / DAY * DAY, nMax,
               SQL_perf_next_hour, SQL_perf_rollup_days);
  steward_run(c, SQL_perf_rollup_expire, "il", HOUR, iHours);
  steward_run(c, SQL_perf_rollup_expire, "il", DAY, iDays);
  return n;
}

typedef struct RollupOptions {
  i64 nMax;
} RollupOptions;

static const StewardOption aRollupOption[] = {
    {"max_hours", STEWARD_OPT_INT, offsetof(RollupOptions, nMax), 0, 1000000,
     NULL, "how many hours to sum up in this call; 0: all that have closed"},
};

/* perf_rollup([options JSON]) -> INTEGER, rows written     plain
** Sum up the metrics of every hour and every day that has closed since the last
** call, for perf_summary; remove hours after 60 days and days after the setting
** performance_rollup_days (5 years).  perf_capture() does two hours of it in
** each call, so that nobody needs to call this.  A metric whose value is no
** finite number (or beyond 1e290), or whose recorded_ts is not what datetime()
** gives, is left out here, in perf_summary and in what reads that:
** steward_doctor has the finding `metrics` while there are any.
** Set: maintenance
** Errors: NOT_INSTALLED; BUSY; READ_ONLY.
** Source: seed 001, performance trends.
** Example: INSERT INTO sqlite_performance_metrics(db_path, metric_name,
**     metric_value, unit, recorded_ts)
**     VALUES ('x', 'm', 4, 'ms', '2023-11-14 20:00:00');
**   SELECT perf_rollup(); -- 1
**   SELECT perf_rollup('{"max_hours":3}'); -- 0
*/
static void perf_rollup(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  RollupOptions options = {0};
  int n;
  steward_open(&c, ctx, "perf_rollup", "maintenance", STEWARD_WRITE);
  if (argc > 0) {
    steward_options(&c, argv[0], aRollupOption, ArraySize(aRollupOption),
                    &options);
  }
  n = perf_history_roll(&c, options.nMax);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, n);
}

/*************************************************************************
** Baselines
*/
typedef struct BaselineOptions {
  char *zMetric;
  i64 iWindow;
  i64 eWorse;
} BaselineOptions;

static const StewardOption aBaselineOption[] = {
    {"metric", STEWARD_OPT_TEXT, offsetof(BaselineOptions, zMetric), 0, 0, NULL,
     "a name, or a GLOB pattern of names; without it, metrics of time and "
     "shares (ms, s, us, ns, seconds, ratio)"},
    {"window", STEWARD_OPT_DURATION, offsetof(BaselineOptions, iWindow), 60000,
     315360000000LL, NULL, "what is normal: so long, until now (7 days)"},
    {"worse", STEWARD_OPT_WORD, offsetof(BaselineOptions, eWorse), 0, 0,
     "auto|higher|lower",
     "which way is worse; auto: lower for a ratio, higher for all others"},
};

/* perf_baseline([options JSON]) -> INTEGER, metrics taken     plain
** Keep what metrics came to in a window that ends now (the last 7 days) as what
** is normal for them, in place of what was kept: perf_regressions compares with
** it, and so does the health check.  Statements that perf_capture stored are
** among them, one metric each.
** Set: maintenance
** Errors: "NOT_FOUND: perf_baseline: no metric that matches 'x' was recorded in
**   the window: SELECT metric_name FROM perf_summary('7d')"; NOT_INSTALLED;
**   BUSY; READ_ONLY.
** Source: seed 001, performance degradation detection.
** Example: SELECT perf_record('checkout_ms', 20, '{"unit":"ms"}'); -- 1
**   SELECT perf_record('visitors', 9); -- 2
**   SELECT perf_baseline(); -- 1
**   SELECT perf_baseline('{"metric":"vis*","window":"1h","worse":"lower"}');
**   -- 1
*/
static void perf_baseline(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  static const char *const azWorse[] = {NULL, "higher", "lower"};
  StewardCall c;
  BaselineOptions o = {.iWindow = 7 * DAY * 1000LL};
  const char *zMetric;
  int n = 0;
  steward_open(&c, ctx, "perf_baseline", "maintenance", STEWARD_WRITE);
  if (argc > 0) {
    steward_options(&c, argv[0], aBaselineOption, ArraySize(aBaselineOption),
                    &o);
  }
  zMetric = o.zMetric ? o.zMetric : "*";
  steward_run(&c, SQL_perf_baseline_clear, "t", zMetric);
  if (steward_run(&c, SQL_perf_baseline, "ltlit", o.iWindow, zMetric,
                  steward_now(c.p), o.zMetric != NULL,
                  c.rc ? NULL : azWorse[o.eWorse]) == SQLITE_OK) {
    n = sqlite3_changes(c.db);
  }
  if (n == 0 && o.zMetric) {
    steward_fail(&c, STEWARD_NOT_FOUND,
                 "no metric that matches '%s' was recorded in the window: "
                 "SELECT metric_name FROM perf_summary('7d')",
                 zMetric);
  }
  steward_options_free(aBaselineOption, ArraySize(aBaselineOption), &o);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, n);
}

/* perf_baseline_drop([metric TEXT]) -> INTEGER, baselines forgotten     plain
** Forget the baselines of the metrics that match a GLOB pattern, or all.
** Set: maintenance
** Errors: NOT_INSTALLED; BUSY; READ_ONLY.
** Source: seed 001, performance degradation detection.
** Example: SELECT perf_record('checkout_ms', 20, '{"unit":"ms"}'); -- 1
**   SELECT perf_baseline(); -- 1
**   SELECT perf_baseline_drop('check*'); -- 1
**   SELECT perf_baseline_drop(); -- 0
*/
static void perf_baseline_drop(sqlite3_context *ctx, int argc,
                               sqlite3_value **argv) {
  StewardCall c;
  const char *zMetric = "*";
  int n = 0;
  steward_open(&c, ctx, "perf_baseline_drop", "maintenance", STEWARD_WRITE_ONE);
  if (argc > 0) zMetric = steward_arg_text(&c, argv[0], "metric", 200);
  if (steward_run(&c, SQL_perf_baseline_clear, "t", zMetric) == SQLITE_OK) {
    n = sqlite3_changes(c.db);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, n);
}

static const StewardFunc aFunc[] = {
    {"perf_rollup", 0, 1, STEWARD_PLAIN, perf_rollup, aRollupOption,
     ArraySize(aRollupOption)},
    {"perf_baseline", 0, 1, STEWARD_PLAIN, perf_baseline, aBaselineOption,
     ArraySize(aBaselineOption)},
    {"perf_baseline_drop", 0, 1, STEWARD_PLAIN, perf_baseline_drop, NULL, 0},
};

int perf_history_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
