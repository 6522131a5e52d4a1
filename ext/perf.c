/*
** perf.c - recording measurements in the database.
**
**     SELECT perf_record('checkout_ms', 12.5, '{"unit":"ms"}');
**     SELECT perf_capture();      -- the engine's counters, as one batch
**
** Both write steward_performance_metrics, which is the seed's
** sqlite_performance_metrics.  The live counters are the table perf_counters,
** vtab/perf.c.
*/
#include <string.h>

#include "perf_int.h"

typedef struct RecordOptions {
  char *zUnit;
  char *zContext;
} RecordOptions;

static const StewardOption aRecordOption[] = {
    {"unit", STEWARD_OPT_TEXT, offsetof(RecordOptions, zUnit), 0, 0, NULL,
     "what the value counts or measures"},
    {"context", STEWARD_OPT_JSON, offsetof(RecordOptions, zContext), 0, 0, NULL,
     "JSON that says where the value comes from"},
};

/* perf_record(name TEXT, value REAL [, options JSON]) -> INTEGER, row id  plain
** Store one measurement with the connection's clock; unit defaults to `count`.
** Set: maintenance
** Errors: "INVALID_ARGUMENT: perf_record: value must be a finite number, got
**   'x'"; NOT_INSTALLED; BUSY; READ_ONLY.
** Source: seed 001, performance metrics.
** Example: SELECT perf_record('checkout_ms', 12.5, '{"unit":"ms"}'); -- 1
**   SELECT metric_value, unit, recorded_ts FROM sqlite_performance_metrics;
**   -- 12.5|ms|2023-11-14 22:13:20
*/
static void perf_record(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  RecordOptions options = {0};
  const char *zName;
  char *zPath = NULL;
  double rValue;
  i64 iId = 0;
  steward_open(&c, ctx, "perf_record", "maintenance", STEWARD_WRITE_ONE);
  zName = steward_arg_text(&c, argv[0], "name", 200);
  rValue = steward_arg_real(&c, argv[1], "value");
  if (argc > 2) {
    steward_options(&c, argv[2], aRecordOption, ArraySize(aRecordOption),
                    &options);
  }
  if (c.rc == SQLITE_OK) {
    zPath = steward_db_path(c.p);
    if (zPath == NULL) steward_fail_nomem(&c);
    steward_run(&c, SQL_perf_record, "ttdtlt", zPath, zName, rValue,
                options.zUnit ? options.zUnit : "count", steward_now(c.p),
                options.zContext);
    iId = sqlite3_last_insert_rowid(c.db);
  }
  sqlite3_free(zPath);
  steward_options_free(aRecordOption, ArraySize(aRecordOption), &options);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iId);
}

/* What was captured in this process, as counters; 0 beyond the last. */
static int store_counter(int i, StewardCounter *pOut) {
  static const StewardCounter aCounter[] = {
      {"captured_statements", 0, 1, "statements",
       "different statements that perf_statements holds"},
      {"captured_calls_total", 0, 1, "calls",
       "runs of statements that were captured, also those they stand for"},
      {"captured_time_ms_total", 0, 1, "ms", "time that these took"},
      {"captured_busy_total", 0, 1, "calls",
       "captured runs that were refused a lock"},
      {"captured_errors_total", 0, 1, "calls",
       "captured runs that were seen to fail"},
      {"captured_evicted_total", 0, 1, "statements",
       "statements that were forgotten for want of room"},
      {"captured_lost_total", 0, 1, "calls",
       "runs that could not be counted for want of memory"},
  };
  PerfTotals totals;
  if (i >= ArraySize(aCounter)) return 0;
  *pOut = aCounter[i];
  perf_store_totals(&totals);
  pOut->rValue = i == 0   ? (double)totals.info.nStatements
                 : i == 1 ? totals.rCalls
                 : i == 2 ? totals.rNs / 1e6
                 : i == 3 ? totals.rBusy
                 : i == 4 ? totals.rErrors
                 : i == 5 ? (double)totals.info.nEvicted
                          : (double)totals.info.nLost;
  return 1;
}

/* The i-th counter of perf_counters; 0 beyond the last. */
int perf_counter_at(StewardCall *c, int i, StewardCounter *pOut /* OUT */) {
  int n = steward_counter_count();
  if (c->rc) return 0;
  return i < n ? steward_counter_at(c, i, pOut) : store_counter(i - n, pOut);
}

/* The counters as a JSON array of [name, value, unit]; caller frees. */
static char *counters_json(StewardCall *c) {
  sqlite3_str *pJson = sqlite3_str_new(c->db);
  StewardCounter counter;
  char *zJson;
  int i, n = 0;
  for (i = 0; perf_counter_at(c, i, &counter); i++) {
    if (!counter.bKnown) continue;
    sqlite3_str_appendf(pJson, "%s[\"%s\",%!.17g,\"%s\"]", n++ ? "," : "[",
                        counter.zName, counter.rValue, counter.zUnit);
  }
  sqlite3_str_appendall(pJson, n ? "]" : "[]");
  zJson = sqlite3_str_finish(pJson);
  if (zJson == NULL) steward_fail_nomem(c);
  return zJson;
}

/* perf_capture() -> INTEGER, metrics stored    plain
** Store every counter of perf_counters as one batch, with one time.
** Set: maintenance
** Errors: NOT_INSTALLED; BUSY; READ_ONLY.
** Source: seed 001, cache hit ratio and I/O metrics.
** Example: SELECT perf_capture() > 20; -- 1
**   SELECT count(*) > 20, count(DISTINCT recorded_ts)
**     FROM sqlite_performance_metrics; -- 1|1
*/
static void perf_capture(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  char *zPath, *zJson;
  int nStored = 0;
  steward_open(&c, ctx, "perf_capture", "maintenance", STEWARD_WRITE_ONE);
  zJson = counters_json(&c);
  zPath = steward_db_path(c.p);
  if (zPath == NULL) steward_fail_nomem(&c);
  if (steward_run(&c, SQL_perf_capture, "ttl", zPath, zJson,
                  steward_now(c.p)) == SQLITE_OK) {
    nStored = sqlite3_changes(c.db);
  }
  sqlite3_free(zPath);
  sqlite3_free(zJson);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, nStored);
}

static const StewardFunc aFunc[] = {
    {"perf_record", 2, 3, STEWARD_PLAIN, perf_record, aRecordOption,
     ArraySize(aRecordOption)},
    {"perf_capture", 0, 0, STEWARD_PLAIN, perf_capture, NULL, 0},
};

int perf_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
