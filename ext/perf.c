/*
** perf.c - recording measurements in the database.
**
**     SELECT perf_record('checkout_ms', 12.5, '{"unit":"ms"}');
**     SELECT perf_capture();      -- counters and statements, as one batch
**
** Both write steward_performance_metrics, which is the seed's
** sqlite_performance_metrics.  The live counters are the table perf_counters,
** vtab/perf.c.
*/
#include <stdlib.h>
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
  double rValue;
  i64 iId = 0;
  steward_open(&c, ctx, "perf_record", "maintenance", STEWARD_WRITE_ONE);
  zName = steward_arg_text(&c, argv[0], "name", 200);
  rValue = steward_arg_real(&c, argv[1], "value");
  if (argc > 2) {
    steward_options(&c, argv[2], aRecordOption, ArraySize(aRecordOption),
                    &options);
  }
  if (steward_run(&c, SQL_perf_record, "ttdttt", steward_db_file(c.p), zName,
                  rValue, options.zUnit ? options.zUnit : "count",
                  steward_stamp(c.p), options.zContext) == SQLITE_OK) {
    iId = sqlite3_last_insert_rowid(c.db);
  }
  steward_options_free(aRecordOption, ArraySize(aRecordOption), &options);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iId);
}

enum { STORE_COUNTERS = 7 };

/* Of the pool that this connection's file has in this process. */
static int pool_counter(StewardCall *c, StewardCounter *pOut) {
  static const StewardCounter counter = {
      "pool_utilisation_ratio", 0, 0, "ratio",
      "share of the connections of this file's pool that is in use"};
  sqlite3_stmt *pRow =
      steward_query(c, SQL_perf_pool_utilisation, "t", steward_db_file(c->p));
  *pOut = counter;
  if (steward_next(c, pRow)) {
    pOut->bKnown = 1;
    pOut->rValue = sqlite3_column_double(pRow, 0);
  }
  steward_give(c, SQL_perf_pool_utilisation, pRow);
  return c->rc == SQLITE_OK;
}

/* What was captured in this process, as counters. */
static int store_counter(int i, StewardCounter *pOut) {
  static const StewardCounter aCounter[STORE_COUNTERS] = {
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
  if (i < n) return steward_counter_at(c, i, pOut);
  if (i < n + STORE_COUNTERS) return store_counter(i - n, pOut);
  if (i == n + STORE_COUNTERS) return pool_counter(c, pOut);
  return perf_io_counter_at(c, i - n - STORE_COUNTERS - 1, pOut);
}

/* Take a statement whose ?1, if it has one, is the time. */
sqlite3_stmt *perf_take_now(StewardCall *c, enum StewardSqlId id) {
  sqlite3_stmt *pRow = steward_take(c, id);
  if (pRow && sqlite3_bind_parameter_count(pRow)) {
    sqlite3_bind_int64(pRow, 1, steward_now(c->p));
  }
  return pRow;
}

/* What perf_capture() stores: a JSON array of [name, value, unit, context]. */
typedef struct Batch {
  sqlite3_str *pJson;
  int n;
} Batch;

static void add_counters(StewardCall *c, Batch *b) {
  StewardCounter counter;
  int i;
  for (i = 0; perf_counter_at(c, i, &counter); i++) {
    if (!counter.bKnown) continue;
    sqlite3_str_appendf(b->pJson, "%s[\"%s\",%!.17g,\"%s\",null]",
                        b->n++ ? "," : "[", counter.zName, counter.rValue,
                        counter.zUnit);
  }
}

/* Mean time since the last capture, and the totals as the context. */
static void add_statement(Batch *b, const PerfStats *s) {
  double rCalls = s->rCalls - s->rCallsKept, rNs = s->rNs - s->rNsKept;
  sqlite3_str_appendf(
      b->pJson,
      "%s[\"statement_ms:%016llx\",%!.15g,\"ms\",{"
      "\"queryid\":\"%lld\",\"calls\":%lld,\"total_ms\":%!.15g,\"rows\":%lld,"
      "\"fullscan_steps\":%lld,\"busy\":%lld,\"errors\":%lld,\"query\":",
      b->n++ ? "," : "[", s->id, rNs / rCalls / 1e6, (i64)s->id, (i64)s->rCalls,
      s->rNs / 1e6, (i64)s->rRows, (i64)s->aStatus[PERF_FULLSCAN],
      (i64)s->rBusy, (i64)s->rErrors);
  steward_json_string_or_null(b->pJson, s->zText);
  sqlite3_str_appendall(b->pJson, "}]");
}

static int by_new_time(const void *a, const void *b) {
  const PerfStats *x = a, *y = b;
  double rX = x->rNs - x->rNsKept, rY = y->rNs - y->rNsKept;
  return (rX < rY) - (rX > rY);
}

/* Those of this file that ran since the last capture come first, the one that
** took most time before the others; how many. */
static int new_first(PerfStats *a, int n, const char *zPath) {
  int i, nNew = 0;
  for (i = 0; i < n; i++) {
    PerfStats s = a[i];
    if (strcmp(s.zPath, zPath) || s.rCalls - s.rCallsKept < 0.5) continue;
    a[i] = a[nNew];
    a[nNew++] = s;
  }
  if (nNew > 1) qsort(a, (size_t)nNew, sizeof(*a), by_new_time);
  return nNew;
}

typedef struct CaptureOptions {
  i64 nStatements;
} CaptureOptions;

static const StewardOption aCaptureOption[] = {
    {"max_statements", STEWARD_OPT_INT, offsetof(CaptureOptions, nStatements),
     0, 5000, NULL,
     "of how many statements, those that took most time since the last one"},
};

/* perf_capture([options JSON]) -> INTEGER, metrics stored    plain
** Store every counter of perf_counters and the statements of this file that ran
** since the last capture as one batch, with one time; then, when called outside
** of a transaction, sum up two of the hours that have closed, see perf_rollup.
** Call it once a minute or so.  A statement's metric is `statement_ms:` and its
** queryid in hexadecimal digits, its value the mean time since the last
** capture, its context (JSON) the statement and its totals.  A transaction of
** yours that is rolled back takes the batch with it, and the next one begins
** where that ended: totals tell what was in between.
** Set: maintenance
** Errors: NOT_INSTALLED; BUSY; READ_ONLY.
** Source: seed 001, cache hit ratio and I/O metrics.
** Example: SELECT perf_capture() > 20; -- 1
**   SELECT count(*) > 20, count(DISTINCT recorded_ts)
**     FROM sqlite_performance_metrics; -- 1|1
*/
static void perf_capture(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  CaptureOptions options = {.nStatements = 50};
  Batch batch = {0};
  PerfStats *aStats = NULL;
  const char *zPath = steward_db_file(sqlite3_user_data(ctx));
  char *zJson;
  int i, nStats = 0, nNew = 0, nStored = 0;
  int bAlone = sqlite3_get_autocommit(sqlite3_context_db_handle(ctx)) &&
               sqlite3_txn_state(sqlite3_context_db_handle(ctx), "main") !=
                   SQLITE_TXN_WRITE;
  steward_open(&c, ctx, "perf_capture", "maintenance",
               bAlone ? STEWARD_WRITE : STEWARD_WRITE_ONE);
  if (argc > 0) {
    steward_options(&c, argv[0], aCaptureOption, ArraySize(aCaptureOption),
                    &options);
  }
  perf_store_copy(&c, &aStats, &nStats);
  nNew = new_first(aStats, nStats, zPath);
  if (nNew > options.nStatements) nNew = (int)options.nStatements;
  batch.pJson = sqlite3_str_new(c.db);
  add_counters(&c, &batch);
  for (i = 0; i < nNew; i++) add_statement(&batch, &aStats[i]);
  sqlite3_str_appendall(batch.pJson, batch.n ? "]" : "[]");
  zJson = steward_str_finish(&c, batch.pJson);
  if (steward_run(&c, SQL_perf_capture, "ttl", zPath, zJson,
                  steward_now(c.p)) == SQLITE_OK) {
    nStored = batch.n;
  }
  if (bAlone) perf_history_roll(&c, 2);
  sqlite3_free(zJson);
  if (steward_close(&c) == SQLITE_OK) {
    perf_store_kept(aStats, nNew);
    sqlite3_result_int(ctx, nStored);
  }
  perf_store_copy_free(aStats, nStats);
}

static const StewardFunc aFunc[] = {
    {"perf_record", 2, 3, STEWARD_PLAIN, perf_record, aRecordOption,
     ArraySize(aRecordOption)},
    {"perf_capture", 0, 1, STEWARD_PLAIN, perf_capture, aCaptureOption,
     ArraySize(aCaptureOption)},
};

int perf_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
