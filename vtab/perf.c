/*
** perf.c - the tables of measurements: statements that were captured, their
** plans, and the live counters.
*/
#include <math.h>
#include <string.h>

#include "../ext/perf_int.h"

static void statement_row(StewardCall *c, StewardRows *r, const PerfStats *s) {
  double rMean = s->rNs / s->rCalls;
  double rVariance = s->rNs2 / s->rCalls - rMean * rMean;
  sqlite3_str *pJson = sqlite3_str_new(c->db);
  char *zHistogram;
  perf_stats_histogram(pJson, s);
  zHistogram = steward_str_finish(c, pJson);
  steward_row(c, r,
              "lttldddddddd"
              "lllllllllllldt",
              (i64)s->id, s->zText, s->zPath, (i64)s->rCalls, s->rNs / 1e6,
              (double)s->nMin / 1e6, (double)s->nMax / 1e6, rMean / 1e6,
              rVariance > 0 ? sqrt(rVariance) / 1e6 : 0.0,
              perf_stats_percentile(s, 0.50) / 1e6,
              perf_stats_percentile(s, 0.95) / 1e6,
              perf_stats_percentile(s, 0.99) / 1e6, (i64)s->rRows,
              (i64)s->aStatus[PERF_FULLSCAN], (i64)s->aStatus[PERF_SORT],
              (i64)s->aStatus[PERF_AUTOINDEX], (i64)s->aStatus[PERF_VM_STEP],
              (i64)s->aStatus[PERF_REPREPARE], s->nMemory, (i64)s->rErrors,
              (i64)s->rBusy, s->iFirst, s->iLast, s->nSample,
              s->rCalls / (double)s->nSample, zHistogram);
  sqlite3_free(zHistogram);
}

/* perf_statements(queryid INTEGER, query TEXT, db_path TEXT, calls INTEGER,
**   total_exec_time REAL, min_exec_time REAL, max_exec_time REAL,
**   mean_exec_time REAL, stddev_exec_time REAL, p50_ms REAL, p95_ms REAL,
**   p99_ms REAL, rows INTEGER, fullscan_steps INTEGER, sorts INTEGER,
**   autoindexes INTEGER, vm_steps INTEGER, reprepares INTEGER,
**   memory_bytes INTEGER, errors INTEGER, busy INTEGER, first_seen_at INTEGER,
**   last_seen_at INTEGER, samples INTEGER, sample_weight REAL, histogram TEXT)
**                                                                     table
** What perf_trace has captured in this process, a row per statement and file,
** the one that took most time first.  Names of pg_stat_statements mean the same
** here: times in ms.  Percentiles come from the histogram ([[ms, calls], ...])
** and are within 6 %.  samples were measured; each stands for sample_weight
** calls, and what is counted (calls, rows, steps) is off by about
** 1/sqrt(samples) where that is above 1.  errors are a lower bound: one is seen
** when the connection runs its next statement without preparing it first.  The
** rows of a SELECT are counted in its first 32 runs on a connection and in
** every 32nd from there on.
** Source: pg_stat_statements; seed 001, query execution time tracking.
** Example: SELECT perf_trace('full'); -- 1
**   CREATE TABLE t(x);
**   INSERT INTO t VALUES (1), (2), (3);
**   SELECT perf_trace('off'); -- 1
**   SELECT calls, rows, query FROM perf_statements WHERE query LIKE 'INSERT%';
**   -- 1|3|INSERT INTO t VALUES (?)
**   SELECT perf_reset() > 0; -- 1
*/
static void statement_rows(StewardCall *c, StewardRows *r, int nArg,
                           sqlite3_value **apArg) {
  PerfStats *aStats;
  int i, nStats;
  perf_store_copy(c, &aStats, &nStats);
  for (i = 0; i < nStats; i++) statement_row(c, r, &aStats[i]);
  perf_store_copy_free(aStats, nStats);
}

/* perf_slow(at INTEGER, duration_ms REAL, queryid INTEGER, db_path TEXT,
**   sql TEXT)     table
** The last 128 statements that perf_trace('slow') found to be slow, the newest
** first: the normal form, or with {"bound_sql":true} the text with its values,
** cut at 2,000 bytes.
** Source: slow query logs.
** Example: SELECT perf_trace('slow', '{"threshold":0,"bound_sql":true}'); -- 1
**   SELECT 40 + 2; -- 42
**   SELECT perf_trace('off'); -- 1
**   SELECT sql FROM perf_slow WHERE sql LIKE '%42%' OR sql LIKE '%40%';
**   -- SELECT 40 + 2;
**   SELECT perf_reset() > 0; -- 1
*/
static void slow_rows(StewardCall *c, StewardRows *r, int nArg,
                      sqlite3_value **apArg) {
  PerfSlow *aSlow;
  int i, n = perf_store_slow_copy(c, &aSlow);
  for (i = 0; i < n; i++) {
    steward_row(c, r, "ldltt", aSlow[i].iAt, aSlow[i].rMs, (i64)aSlow[i].id,
                aSlow[i].zPath, aSlow[i].zSql);
  }
  sqlite3_free(aSlow);
}

/* Is there a statement in it, or what is to be one?  Blanks, comments and
** semicolons are none. */
static int has_statement(StewardCall *c, const char *zSql) {
  sqlite3_stmt *pStmt = NULL;
  int rc = sqlite3_prepare_v2(c->db, zSql, -1, &pStmt, NULL);
  int bThere = rc != SQLITE_OK || pStmt != NULL;
  if (rc == SQLITE_NOMEM) steward_fail_nomem(c);
  sqlite3_finalize(pStmt);
  return bThere;
}

/* perf_plan(id INTEGER, parent INTEGER, detail TEXT, full_scan INTEGER,
**   temp_btree INTEGER, automatic_index INTEGER, HIDDEN sql TEXT)     table
** The plan of one statement, which is not run: EXPLAIN QUERY PLAN with flags
** for what usually is the reason when it is slow.
** Errors: "INVALID_ARGUMENT: perf_plan: sql must be one statement, got ...";
**   what SQLite says of a statement that it cannot prepare.
** Source: seed 001, query performance.
** Example: CREATE TABLE t(x, y);
**   SELECT detail, full_scan, temp_btree
**     FROM perf_plan('SELECT * FROM t ORDER BY y'); -- SCAN t|1|0
*/
static void plan_rows(StewardCall *c, StewardRows *r, int nArg,
                      sqlite3_value **apArg) {
  const char *zSql = steward_arg_text(c, apArg[0], "sql", 1000000000);
  const char *zTail = NULL;
  sqlite3_stmt *pStmt = NULL;
  int rc = steward_explain(c, zSql, &pStmt, &zTail);
  if (rc) steward_fail_rc(c, rc, "%.200s", sqlite3_errmsg(c->db));
  if (c->rc == SQLITE_OK &&
      (sqlite3_stmt_isexplain(pStmt) != 2 || has_statement(c, zTail))) {
    steward_fail_argument(c, apArg[0], "sql", "one statement");
  }
  while (steward_next(c, pStmt)) {
    const char *z = steward_column(c, pStmt, 3);
    steward_row(
        c, r,
        "llti"
        "ii",
        sqlite3_column_int64(pStmt, 0), sqlite3_column_int64(pStmt, 1), z,
        strncmp(z, "SCAN ", 5) == 0 && strcmp(z, "SCAN CONSTANT ROW") != 0,
        strstr(z, "TEMP B-TREE") != NULL, strstr(z, "AUTOMATIC") != NULL);
  }
  sqlite3_finalize(pStmt);
}

/* The end of the last closed bucket, at most iTo; iFrom when there is none. */
static i64 rolled_to(StewardCall *c, int nSeconds, i64 iFrom, i64 iTo) {
  i64 i = steward_int(c, SQL_perf_rolled, iFrom, "i", nSeconds);
  return i < iFrom ? iFrom : i > iTo ? iTo : i;
}

/* The argument window, in ms. */
static i64 window_of(StewardCall *c, sqlite3_value *v) {
  i64 iWindow = 3600000;
  if (v && sqlite3_value_type(v) != SQLITE_NULL) {
    iWindow = steward_arg_time(c, v, "window");
  }
  if (c->rc == SQLITE_OK && (iWindow < 1 || iWindow > 315360000000LL)) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "window must be within 1..315360000000 ms, got %lld", iWindow);
  }
  return iWindow;
}

/* A row of SQL_perf_summary, with its trend. */
static void summary_row(StewardCall *c, StewardRows *r, sqlite3_stmt *pRow,
                        i64 iWindow) {
  int bTrend = sqlite3_column_type(pRow, 9) != SQLITE_NULL &&
               sqlite3_column_type(pRow, 10) != SQLITE_NULL;
  double rEarly = sqlite3_column_double(pRow, 9);
  double rLate = sqlite3_column_double(pRow, 10);
  if (rEarly == 0) bTrend = 0;
  steward_row(c, r, bTrend ? "ttllddddddd" : "ttlldddddd",
              steward_column(c, pRow, 0), steward_column(c, pRow, 1), iWindow,
              sqlite3_column_int64(pRow, 2), sqlite3_column_double(pRow, 3),
              sqlite3_column_double(pRow, 4), sqlite3_column_double(pRow, 5),
              sqlite3_column_double(pRow, 6), sqlite3_column_double(pRow, 7),
              sqlite3_column_double(pRow, 8),
              bTrend ? (rLate - rEarly) / (rEarly < 0 ? -rEarly : rEarly) : 0);
}

/* perf_summary(metric_name TEXT, unit TEXT, window_ms INTEGER, count INTEGER,
**   avg REAL, min REAL, max REAL, p50 REAL, p95 REAL, p99 REAL, trend REAL,
**   HIDDEN window)     table
** Every metric of sqlite_performance_metrics over a window that ends now: '1h'
** by default, to '3650d'.  trend: by what share the average of its later half
** is above that of its earlier half.  Windows of six hours and more begin at a
** full hour, those of seven days and more at a full day (UTC), as they are read
** from what perf_rollup() summed up; their percentiles are the means of those
** of the hours and days, weighted by their counts.
** Set: maintenance
** Errors: "INVALID_ARGUMENT: perf_summary: window must be milliseconds or a
**   duration like '15m', got 'x'"; "... window must be within 1..315360000000
**   ms, got N"; NOT_INSTALLED.
** Source: seed 001, performance trends.
** Example: SELECT perf_record('q', 1); -- 1
**   SELECT perf_record('q', 3); -- 2
**   SELECT metric_name, count, avg, p50, max FROM perf_summary('1h');
**   -- q|2|2.0|2.0|3.0
*/
static void summary_rows(StewardCall *c, StewardRows *r, int nArg,
                         sqlite3_value **apArg) {
  i64 iWindow = window_of(c, apArg[0]), iNow = steward_now(c->p) / 1000;
  i64 iFrom, iDay, iHour;
  sqlite3_stmt *pRow;
  if (c->rc) return;
  iFrom = iNow - iWindow / 1000;
  iDay = iHour = iFrom;
  if (iWindow >= 7 * 86400000LL) {
    iFrom = iFrom / 86400 * 86400;
    iDay = rolled_to(c, 86400, iFrom, iNow);
  }
  if (iWindow >= 6 * 3600000LL) {
    iFrom = iFrom / 3600 * 3600;
    if (iDay < iFrom || iWindow < 7 * 86400000LL) iDay = iFrom;
    iHour = rolled_to(c, 3600, iDay, iNow);
  }
  pRow = steward_query(c, SQL_perf_summary, "lllll", iFrom, iNow, iDay, iHour,
                       iFrom + (iNow - iFrom) / 2);
  while (steward_next(c, pRow)) summary_row(c, r, pRow, iWindow);
  steward_give(c, SQL_perf_summary, pRow);
}

/* perf_regressions(metric_name TEXT, unit TEXT, baseline_avg REAL,
**   current_avg REAL, ratio REAL, times_worse REAL, baseline_p50 REAL,
**   current_p50 REAL, baseline_p95 REAL, current_p95 REAL,
**   baseline_count INTEGER, current_count INTEGER, taken_at INTEGER,
**   query TEXT, HIDDEN window)
**                                                                     table
** Metrics that are worse than what perf_baseline() kept, the worst first: mean
** and median of the window, '1h' by default, both by more than the setting
** performance_regression_percent (50).  ratio: the mean to that of the baseline
** (of one below 0: 1 + their difference as a share of it), within -1000..1000,
** and at one of these where the baseline is 0; times_worse: ratio, or its
** inverse where lower is worse, at most 1000.  Metrics with fewer than five
** values do not count; query is the text of a statement.  Empty when all is
** well, and before the set is installed.
** Set: maintenance
** Errors: those of perf_summary.
** Source: seed 001, performance degradation detection.
** Example: WITH n(v) AS (VALUES (9), (10), (10), (10), (11))
**     INSERT INTO sqlite_performance_metrics(db_path, metric_name,
**       metric_value, unit, recorded_ts)
**     SELECT 'x', 'load_ms', v, 'ms', '2023-11-13 12:00:00' FROM n;
**   SELECT perf_baseline(); -- 1
**   WITH n(v) AS (VALUES (19), (20), (20), (20), (21))
**     INSERT INTO sqlite_performance_metrics(db_path, metric_name,
**       metric_value, unit, recorded_ts)
**     SELECT 'x', 'load_ms', v, 'ms', '2023-11-14 22:12:00' FROM n;
**   SELECT metric_name, baseline_p50, current_p50, times_worse
**     FROM perf_regressions; -- load_ms|10.0|20.0|2.0
*/
static void regression_rows(StewardCall *c, StewardRows *r, int nArg,
                            sqlite3_value **apArg) {
  i64 iWindow = window_of(c, apArg[0]);
  i64 nPercent = steward_setting_int(c, "performance_regression_percent");
  sqlite3_stmt *pRow;
  if (c->rc) return;
  pRow = steward_query(c, SQL_perf_regressions, "ll", iWindow, nPercent);
  steward_rows_from(c, r, SQL_perf_regressions, pRow);
}

/* perf_metrics(name TEXT, type TEXT, unit TEXT, help TEXT)     table
** Every name that perf_export gives, with its type (counter or gauge) and unit;
** samples of counters have `_total` behind it in OpenMetrics and Prometheus.
** Source: OpenMetrics 1.0.
** Example: SELECT type, unit FROM perf_metrics
**   WHERE name = 'steward_wal_bytes'; -- gauge|bytes
*/
static void metric_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  PerfFamily family;
  char zName[64], *zFull;
  int i;
  for (i = 0; perf_family_at(c, i, zName, &family); i++) {
    zFull = steward_mprintf(c, "steward_%s", family.zName);
    steward_row(c, r, "tttt", zFull, family.bCounter ? "counter" : "gauge",
                family.zUnit, family.zHelp);
    sqlite3_free(zFull);
  }
}

/* perf_counters(name TEXT, value REAL, unit TEXT, meaning TEXT)     table
** The engine's counters of this connection and process as they are now, and the
** totals of what was captured; value is NULL where there is nothing to tell.
** Source: seed 001, cache hit ratio and I/O metrics.
** Example: SELECT value, unit FROM perf_counters WHERE name='page_size_bytes';
**   -- 4096.0|bytes
*/
static void counter_rows(StewardCall *c, StewardRows *r, int nArg,
                         sqlite3_value **apArg) {
  StewardCounter counter;
  int i;
  for (i = 0; perf_counter_at(c, i, &counter); i++) {
    if (counter.bKnown) {
      steward_row(c, r, "tdtt", counter.zName, counter.rValue, counter.zUnit,
                  counter.zMeaning);
    } else {
      steward_row(c, r, "tntt", counter.zName, counter.zUnit, counter.zMeaning);
    }
  }
}

static const StewardTable aTable[] = {
    {.zName = "perf_counters",
     .zColumns = "name TEXT, value REAL, unit TEXT, meaning TEXT",
     .xRows = counter_rows},
    {.zName = "perf_metrics",
     .zColumns = "name TEXT, type TEXT, unit TEXT, help TEXT",
     .xRows = metric_rows},
    {.zName = "perf_summary",
     .zColumns = "metric_name TEXT, unit TEXT, window_ms INTEGER,"
                 " count INTEGER, avg REAL, min REAL, max REAL, p50 REAL,"
                 " p95 REAL, p99 REAL, trend REAL, window HIDDEN BLOB",
     .nArg = 1,
     .xRows = summary_rows,
     .zSet = "maintenance"},
    {.zName = "perf_regressions",
     .zColumns = "metric_name TEXT, unit TEXT, baseline_avg REAL,"
                 " current_avg REAL, ratio REAL, times_worse REAL,"
                 " baseline_p50 REAL, current_p50 REAL, baseline_p95 REAL,"
                 " current_p95 REAL,"
                 " baseline_count INTEGER, current_count INTEGER,"
                 " taken_at INTEGER, query TEXT, window HIDDEN BLOB",
     .nArg = 1,
     .xRows = regression_rows,
     .zSet = "maintenance",
     .bEmpty = 1},
    {.zName = "perf_statements",
     .zColumns = "queryid INTEGER, query TEXT, db_path TEXT, calls INTEGER,"
                 " total_exec_time REAL, min_exec_time REAL,"
                 " max_exec_time REAL, mean_exec_time REAL,"
                 " stddev_exec_time REAL, p50_ms REAL, p95_ms REAL,"
                 " p99_ms REAL, rows INTEGER, fullscan_steps INTEGER,"
                 " sorts INTEGER, autoindexes INTEGER, vm_steps INTEGER,"
                 " reprepares INTEGER, memory_bytes INTEGER, errors INTEGER,"
                 " busy INTEGER, first_seen_at INTEGER, last_seen_at INTEGER,"
                 " samples INTEGER, sample_weight REAL, histogram TEXT",
     .xRows = statement_rows},
    {.zName = "perf_slow",
     .zColumns = "at INTEGER, duration_ms REAL, queryid INTEGER, db_path TEXT,"
                 " sql TEXT",
     .xRows = slow_rows},
    {.zName = "perf_plan",
     .zColumns =
         "id INTEGER, parent INTEGER, detail TEXT, full_scan INTEGER,"
         " temp_btree INTEGER, automatic_index INTEGER, sql HIDDEN BLOB",
     .nArg = 1,
     .nRequired = 1,
     .xRows = plan_rows},
};

int perf_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
