/*
** perf.c - the tables of measurements: statements that were captured, their
** plans, and the live counters.
*/
#include <math.h>
#include <string.h>

#include "../ext/perf_int.h"

/* [[ms, calls], ...]; caller frees. */
static char *histogram_json(StewardCall *c, const PerfStats *s) {
  sqlite3_str *pJson = sqlite3_str_new(c->db);
  int i, n = 0;
  for (i = 0; i < PERF_BUCKETS; i++) {
    if (s->aBucket[i] == 0) continue;
    sqlite3_str_appendf(pJson, "%s[%.4g,%u]", n++ ? "," : "[",
                        perf_bucket_ns(i) / 1e6, s->aBucket[i]);
  }
  sqlite3_str_appendall(pJson, n ? "]" : "[]");
  return steward_str_finish(c, pJson);
}

static void statement_row(StewardCall *c, StewardRows *r, const PerfStats *s) {
  double rMean = s->rNs / s->rCalls;
  double rVariance = s->rNs2 / s->rCalls - rMean * rMean;
  char *zHistogram = histogram_json(c, s);
  steward_row(c, r,
              "lttldddddddd"
              "lllllllllllidt",
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
              s->rCalls / s->nSample, zHistogram);
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
** rows of a SELECT are counted in its first 32 runs on a connection and in every
** 32nd from there on.
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
  char *zExplain =
      zSql ? steward_mprintf(c, "EXPLAIN QUERY PLAN %s", zSql) : NULL;
  int rc;
  if (c->rc == SQLITE_OK) {
    rc = sqlite3_prepare_v2(c->db, zExplain, -1, &pStmt, &zTail);
    if (rc == SQLITE_NOMEM) steward_fail_nomem(c);
    if (rc) steward_fail_rc(c, rc, "%.200s", sqlite3_errmsg(c->db));
  }
  while (zTail && strchr(" \t\r\n;", *zTail) && *zTail) zTail++;
  if (c->rc == SQLITE_OK &&
      (pStmt == NULL || *zTail || sqlite3_stmt_isexplain(pStmt) != 2)) {
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
  sqlite3_free(zExplain);
}

/* perf_counters(name TEXT, value REAL, unit TEXT, meaning TEXT)     table
** The engine's counters of this connection and process as they are now; value
** is NULL where there is nothing to tell yet.
** Source: seed 001, cache hit ratio and I/O metrics.
** Example: SELECT value, unit FROM perf_counters WHERE name='page_size_bytes';
**   -- 4096.0|bytes
*/
static void counter_rows(StewardCall *c, StewardRows *r, int nArg,
                         sqlite3_value **apArg) {
  StewardCounter counter;
  int i;
  for (i = 0; steward_counter_at(c, i, &counter); i++) {
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
     .zColumns = "id INTEGER, parent INTEGER, detail TEXT, full_scan INTEGER,"
                 " temp_btree INTEGER, automatic_index INTEGER, sql HIDDEN",
     .nArg = 1,
     .nRequired = 1,
     .xRows = plan_rows},
};

int perf_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
