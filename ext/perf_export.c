/*
** perf_export.c - everything that is counted, for the tools that collect it.
**
**     SELECT perf_export('openmetrics');
**     SELECT name, type, unit, help FROM perf_metrics;
**
** A family is a name with a type, a unit and a text; its series carry labels.
** The counters of perf_counters are families, renamed by the conventions of
** OpenMetrics (`steward_`, base units, the unit last); the others stand in
** aFamily, and the statements of sql/perf.sql named perf_series_* read them,
** each of a set that may be there.  A statement of SQL is a label by its
** queryid only.
*/
#include <math.h>
#include <string.h>

#include "perf_int.h"

static const PerfFamily aFamily[] = {
    {"database_bytes", 0, "bytes", "size of a database, WAL not included"},
    {"database_reclaimable_bytes", 0, "bytes",
     "what a vacuum would give back to the file system"},
    {"log_messages", 1, "", "messages ever published"},
    {"log_retained_messages", 0, "",
     "positions from the oldest message to the "
     "newest"},
    {"durable_events", 1, "", "what steward_counters counts, by its name"},
    {"migration_steps", 0, "", "version of a set that is installed"},
    {"expiry_errors", 1, "", "sweeps of a table that failed"},
    {"expiry_alert", 0, "", "1 while more rows wait than alert_rows says"},
    {"expiry_last_sweep_seconds", 0, "seconds", "what the last sweep took"},
    {"change_branches", 0, "", "branches of all documents"},
    {"performance_baselines", 0, "", "metrics that have a baseline"},
    {"performance_regressions", 0, "",
     "metrics that are worse than their baseline in the last hour"},
    {"pool_connections", 0, "", "connections of a pool that are open"},
    {"pool_in_use_connections", 0, "", "connections that somebody has"},
    {"pool_waiting_callers", 0, "", "callers that wait for a connection"},
    {"pool_utilisation_ratio", 0, "ratio",
     "share of the most connections of a pool that is in use"},
    {"pool_acquired", 1, "", "connections that were handed out"},
    {"pool_opened", 1, "", "connections that were opened"},
    {"pool_broken", 1, "", "connections that were replaced"},
    {"pool_timeouts", 1, "", "callers that waited in vain"},
    {"pool_wait_p95_seconds", 0, "seconds",
     "time within which 95 % of the callers had a connection"},
    {"keeper_runs", 1, "", "runs of a duty of the keeper"},
    {"keeper_errors", 1, "", "runs of a duty that failed"},
    {"keeper_last_run_seconds", 0, "seconds", "what its last run took"},
    {"jobs_lag_seconds", 0, "seconds",
     "how late the job is that has been due longest"},
    {"job_queues_paused", 0, "", "queues that are paused"},
    {"locks_held", 0, "", "named locks that are held"},
    {"row_locks_held", 0, "", "rows that are locked by lock_rows"},
    {"ledger_approvals", 0, "", "approvals in a state"},
    {"ledger_rows", 0, "", "rows of a table of the ledger"},
    {"storage_installs", 0, "", "installs that the store has"},
    {"streaming_tables", 0, "", "tables whose changes are streamed"},
    {"expiry_deleted_rows", 1, "", "rows that expired and were deleted"},
    {"expiry_pending_rows", 0, "", "rows that expired and are still there"},
    {"ttl_cleanup_deletes", 1, "",
     "rows that expired and were deleted, by a hash of their table"},
    {"ttl_expired_rows_pending", 0, "",
     "rows that expired and are still there, by a hash of their table, or of "
     "tenant and install of the store"},
    {"delivery_pending_messages", 0, "", "messages a consumer has not had"},
    {"delivery_lost_messages", 0, "",
     "messages that were dropped before a consumer had them"},
    {"delivery_lag_seconds", 0, "seconds",
     "age of the oldest message that a consumer has not had"},
    {"health_status", 0, "",
     "last result of a check: 0 healthy, 1 warning, 2 critical"},
    {"vacuum_logged_runs", 0, "", "runs of vacuum in the log"},
    {"vacuum_freed_bytes", 0, "bytes", "what the runs in the log gave back"},
    {"pool_connections_limit", 0, "", "most connections of the pool"},
    {"jobs", 0, "", "jobs in a state, of the newest 100,000"},
    {"storage_used_bytes", 0, "bytes", "payload that is stored, all tenants"},
    {"storage_keys", 0, "", "keys that are stored, all tenants"},
    {"streaming_recent_operations", 0, "",
     "streaming operations of the last hour"},
    {"streaming_recent_rows", 0, "", "rows streamed in the last hour"},
    {"streaming_recent_errors", 0, "",
     "streaming operations of the last hour that failed"},
    {"streaming_recent_duration_seconds", 0, "seconds",
     "time that the streaming operations of the last hour took"},
    {"statement_calls", 1, "", "runs of a captured statement"},
    {"statement_time_seconds", 1, "seconds", "time that it took"},
    {"statement_rows", 1, "", "rows that it returned or changed"},
    {"statement_fullscan_steps", 1, "", "steps of full scans that it made"},
    {"statement_busy", 1, "", "runs that were refused a lock"},
    {"statement_errors", 1, "", "runs that were seen to fail"},
    {"statement_samples", 1, "", "runs that were measured"},
    {"statement_p95_seconds", 0, "seconds",
     "time that 95 % of its runs stayed within"},
};

typedef struct Series {
  PerfFamily family;   /* its name is zName of the series: names differ */
  char zName[64];      /* without prefix and _total */
  char *azLabel[2][2]; /* names and values; owned */
  double rValue;
  int iFamily; /* families are numbered in the order in which they came */
} Series;

typedef struct SeriesList {
  int n, nAlloc, nFamily;
  Series *a;
} SeriesList;

enum { OPENMETRICS, PROMETHEUS, INFLUX, JSON };

static const PerfFamily *find_family(const char *zName) {
  int i;
  for (i = 0; i < ArraySize(aFamily); i++) {
    if (strcmp(aFamily[i].zName, zName) == 0) return &aFamily[i];
  }
  return NULL;
}

/* A counter's family: its name by the conventions, and what its value has to
** be multiplied with. */
static double counter_family(const StewardCounter *pCounter, char *zName,
                             PerfFamily *pOut) {
  static const char *const azRename[][2] = {
      {"page_count", "database_pages"},
      {"freelist_count", "database_free_pages"},
      {"captured_time_ms_total", "captured_time_seconds_total"},
      {"pool_utilisation_ratio", "own_pool_utilisation_ratio"},
      {"busy_timeout_ms", "busy_timeout_seconds"}};
  const char *z = pCounter->zName;
  size_t n;
  int i;
  for (i = 0; i < ArraySize(azRename); i++) {
    if (strcmp(z, azRename[i][0]) == 0) z = azRename[i][1];
  }
  sqlite3_snprintf(64, zName, "%s", z);
  n = strlen(zName);
  pOut->bCounter = n > 6 && strcmp(zName + n - 6, "_total") == 0;
  if (pOut->bCounter) zName[n - 6] = 0;
  pOut->zName = zName;
  pOut->zHelp = pCounter->zMeaning;
  pOut->zUnit = "";
  if (strcmp(pCounter->zUnit, "bytes") == 0) pOut->zUnit = "bytes";
  if (strcmp(pCounter->zUnit, "ratio") == 0) pOut->zUnit = "ratio";
  if (strcmp(pCounter->zUnit, "ms") != 0) return 1.0;
  pOut->zUnit = "seconds";
  return 0.001;
}

/* The i-th family of all; 0 beyond the last.  zName: 64 bytes. */
int perf_family_at(StewardCall *c, int i, char *zName, PerfFamily *pOut) {
  StewardCounter counter;
  if (i < ArraySize(aFamily)) {
    *pOut = aFamily[i];
    return 1;
  }
  if (!perf_counter_at(c, i - ArraySize(aFamily), &counter)) return 0;
  counter_family(&counter, zName, pOut);
  return 1;
}

/* The number of the family of the series that was added last; those of one
** family mostly come within a hundred of each other, statements in turns. */
static int family_number(SeriesList *p, const char *zName) {
  int i;
  for (i = p->n - 2; i >= 0 && i >= p->n - 200; i--) {
    if (strcmp(p->a[i].zName, zName) == 0) return p->a[i].iFamily;
  }
  for (i = 0; i < p->n - 1; i++) {
    if (strcmp(p->a[i].zName, zName) == 0) return p->a[i].iFamily;
  }
  return p->nFamily++;
}

static Series *add_series(StewardCall *c, SeriesList *p, const PerfFamily *f,
                          double rValue) {
  Series *s;
  if (c->rc || f == NULL || isnan(rValue) || isinf(rValue)) return NULL;
  if (!steward_grow(c, &p->a, p->n, &p->nAlloc, sizeof(Series))) return NULL;
  s = &p->a[p->n++];
  s->family = *f;
  s->rValue = rValue;
  sqlite3_snprintf(sizeof(s->zName), s->zName, "%s", f->zName);
  s->iFamily = family_number(p, s->zName);
  return s;
}

static void set_label(StewardCall *c, Series *s, int i, const char *zName,
                      const char *zValue) {
  if (s == NULL || zName == NULL || zValue == NULL) return;
  s->azLabel[i][0] = steward_mprintf(c, "%s", zName);
  s->azLabel[i][1] = steward_mprintf(c, "%s", zValue);
}

static void free_series(SeriesList *p) {
  int i, k;
  for (i = 0; i < p->n; i++) {
    for (k = 0; k < 4; k++) sqlite3_free(p->a[i].azLabel[k / 2][k % 2]);
  }
  sqlite3_free(p->a);
}

static void collect_statement(StewardCall *c, SeriesList *p,
                              const PerfStats *s) {
  static const char *const azName[] = {
      "statement_calls",  "statement_time_seconds",
      "statement_rows",   "statement_fullscan_steps",
      "statement_busy",   "statement_p95_seconds",
      "statement_errors", "statement_samples"};
  const double aValue[] = {s->rCalls,  s->rNs / 1e9,
                           s->rRows,   s->aStatus[PERF_FULLSCAN],
                           s->rBusy,   perf_stats_percentile(s, 0.95) / 1e9,
                           s->rErrors, (double)s->nSample};
  char zId[24];
  int i;
  sqlite3_snprintf(sizeof(zId), zId, "%016llx", s->id);
  for (i = 0; i < ArraySize(azName); i++) {
    Series *pNew = add_series(c, p, find_family(azName[i]), aValue[i]);
    set_label(c, pNew, 0, "db", s->zPath);
    set_label(c, pNew, 1, "queryid", zId);
  }
}

static void collect(StewardCall *c, SeriesList *p, i64 nStatements) {
  static const struct {
    const char *zSet;
    enum StewardSqlId id;
  } aSource[] = {{NULL, SQL_perf_series},
                 {NULL, SQL_perf_series_pool},
                 {"core", SQL_perf_series_core},
                 {"delivery", SQL_perf_series_delivery},
                 {"changes", SQL_perf_series_changes},
                 {"maintenance", SQL_perf_series_maintenance},
                 {"ledger", SQL_perf_series_ledger},
                 {"jobs", SQL_perf_series_jobs},
                 {"storage", SQL_perf_series_storage},
                 {"streaming", SQL_perf_series_streaming}};
  StewardCounter counter;
  PerfFamily family;
  PerfStats *aStats;
  char zName[64];
  int i, nStats;
  for (i = 0; perf_counter_at(c, i, &counter); i++) {
    double rScale = counter_family(&counter, zName, &family);
    if (counter.bKnown) add_series(c, p, &family, counter.rValue * rScale);
  }
  for (i = 0; i < ArraySize(aSource) && c->rc == SQLITE_OK; i++) {
    sqlite3_stmt *pRow;
    if (aSource[i].zSet && !steward_set_ready(c, aSource[i].zSet)) continue;
    pRow = perf_take_now(c, aSource[i].id);
    while (steward_next(c, pRow)) {
      Series *s;
      if (sqlite3_column_type(pRow, 3) == SQLITE_NULL) continue;
      s = add_series(c, p, find_family(steward_column(c, pRow, 0)),
                     sqlite3_column_double(pRow, 3));
      set_label(c, s, 0, (const char *)sqlite3_column_text(pRow, 1),
                (const char *)sqlite3_column_text(pRow, 2));
    }
    steward_give(c, aSource[i].id, pRow);
  }
  perf_store_copy(c, &aStats, &nStats);
  for (i = 0; i < nStats && i < nStatements; i++) {
    collect_statement(c, p, &aStats[i]);
  }
  perf_store_copy_free(aStats, nStats);
}

/*************************************************************************
** Formats
*/
/* Text with what zEscape lists behind a backslash.  bLine: a line end is \n;
** else, in Influx, where neither that nor a backslash can be, an escaped blank
** and a slash.  Text that is no UTF-8 loses what is not ASCII.  What has become
** another text has a hash of what it was behind it, so no two become one. */
static void put_escaped(sqlite3_str *p, const char *z, const char *zEscape,
                        int bLine) {
  const char *zAll = z;
  int n = (int)strlen(z), bUtf8 = steward_utf8_ok((const unsigned char *)z, n);
  int bOther = !bUtf8;
  for (; *z; z++) {
    if (!bUtf8 && (unsigned char)*z >= 0x80) {
      sqlite3_str_appendchar(p, 1, '?');
    } else if (!bLine && strchr("\n\r\\", *z)) {
      sqlite3_str_appendall(p, *z == '\\' ? "/" : "\\ ");
      bOther = 1;
    } else if (*z == '\n') {
      sqlite3_str_appendall(p, "\\n");
    } else {
      if (strchr(zEscape, *z)) sqlite3_str_appendchar(p, 1, '\\');
      sqlite3_str_appendchar(p, 1, *z);
    }
  }
  if (bOther) {
    sqlite3_str_appendf(p, "#%08x", (unsigned)perf_text_hash(zAll, n));
  }
}

static void put_prometheus(sqlite3_str *p, const Series *s, const char *zPrefix,
                           int bFirst, int bOpen) {
  const PerfFamily *f = &s->family;
  const char *zTotal = f->bCounter ? "_total" : "";
  int i, n = 0;
  if (bFirst) {
    const char *zHead = bOpen ? "" : zTotal;
    sqlite3_str_appendf(p, "# HELP %s%s%s ", zPrefix, s->zName, zHead);
    put_escaped(p, f->zHelp, "\\", 1);
    sqlite3_str_appendf(p, "\n# TYPE %s%s%s %s\n", zPrefix, s->zName, zHead,
                        f->bCounter ? "counter" : "gauge");
    if (bOpen && f->zUnit[0]) {
      sqlite3_str_appendf(p, "# UNIT %s%s %s\n", zPrefix, s->zName, f->zUnit);
    }
  }
  sqlite3_str_appendf(p, "%s%s%s", zPrefix, s->zName, zTotal);
  for (i = 0; i < 2; i++) {
    if (s->azLabel[i][1] == NULL) continue;
    sqlite3_str_appendf(p, "%s%s=\"", n++ ? "," : "{", s->azLabel[i][0]);
    put_escaped(p, s->azLabel[i][1], "\\\"", 1);
    sqlite3_str_appendall(p, "\"");
  }
  sqlite3_str_appendf(p, "%s %!.15g\n", n ? "}" : "", s->rValue);
}

static void put_influx(sqlite3_str *p, const Series *s, const char *zPrefix,
                       i64 iNow) {
  int i;
  sqlite3_str_appendf(p, "%s%s", zPrefix, s->zName);
  for (i = 0; i < 2; i++) {
    if (s->azLabel[i][1] == NULL || s->azLabel[i][1][0] == 0) continue;
    sqlite3_str_appendf(p, ",%s=", s->azLabel[i][0]);
    put_escaped(p, s->azLabel[i][1], ",= ", 0);
  }
  sqlite3_str_appendf(p, " value=%!.15g %lld000000\n", s->rValue, iNow);
}

static void put_json(sqlite3_str *p, const Series *s, const char *zPrefix,
                     int bFirst) {
  int i, n = 0;
  sqlite3_str_appendf(p,
                      "%s{\"name\":\"%s%s\",\"type\":\"%s\",\"unit\":\"%s\","
                      "\"labels\":{",
                      bFirst ? "[" : ",", zPrefix, s->zName,
                      s->family.bCounter ? "counter" : "gauge",
                      s->family.zUnit);
  for (i = 0; i < 2; i++) {
    if (s->azLabel[i][1] == NULL) continue;
    sqlite3_str_appendf(p, "%s\"%s\":", n++ ? "," : "", s->azLabel[i][0]);
    steward_json_string_or_null(p, s->azLabel[i][1]);
  }
  sqlite3_str_appendf(p, "},\"value\":%!.15g}", s->rValue);
}

/* All series of a family together, in the order in which families came. */
static char *format(StewardCall *c, SeriesList *p, int eFormat,
                    const char *zPrefix) {
  sqlite3_str *pOut = sqlite3_str_new(c->db);
  i64 iNow = steward_now(c->p);
  int i, k, nPut = 0;
  for (i = 0; i < p->nFamily; i++) {
    int bFirst = 1;
    for (k = 0; k < p->n; k++) {
      const Series *s = &p->a[k];
      if (s->iFamily != i) continue;
      if (eFormat == INFLUX) {
        put_influx(pOut, s, zPrefix, iNow);
      } else if (eFormat == JSON) {
        put_json(pOut, s, zPrefix, nPut++ == 0);
      } else {
        put_prometheus(pOut, s, zPrefix, bFirst, eFormat == OPENMETRICS);
      }
      bFirst = 0;
    }
  }
  if (eFormat == OPENMETRICS) sqlite3_str_appendall(pOut, "# EOF\n");
  if (eFormat == JSON) sqlite3_str_appendall(pOut, nPut ? "]" : "[]");
  return steward_str_finish(c, pOut);
}

typedef struct ExportOptions {
  i64 nStatements;
} ExportOptions;

static const StewardOption aExportOption[] = {
    {"max_statements", STEWARD_OPT_INT, offsetof(ExportOptions, nStatements), 0,
     5000, NULL, "of how many captured statements, those that took most time"},
};

/* perf_export(format TEXT [, options JSON]) -> TEXT     directonly
** Everything that is counted, to be collected: `openmetrics`, `prometheus` (its
** text format 0.0.4), `influx` (line protocol, nanoseconds) or `json`.  The
** table perf_metrics lists the names.  At most 100 statements and 100 consumers
** are in it; a statement is told by its queryid in hexadecimal digits.
** Errors: "INVALID_ARGUMENT: perf_export: format must be
**   openmetrics|prometheus|influx|json, got 'xml'".
** Source: seed 001, performance metrics; OpenMetrics 1.0.
** Example: SELECT perf_export('openmetrics') LIKE '%# EOF%'; -- 1
**   SELECT value ->> '$.unit' FROM json_each(perf_export('json'))
**     WHERE value ->> '$.name' = 'steward_page_size_bytes'; -- bytes
*/
static void perf_export(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  static const char *const azFormat[] = {"openmetrics", "prometheus", "influx",
                                         "json"};
  ExportOptions options = {.nStatements = 100};
  SeriesList list = {0};
  StewardCall c;
  const char *zFormat;
  char *zOut = NULL;
  int i = 0;
  steward_open(&c, ctx, "perf_export", NULL, STEWARD_READ);
  zFormat = steward_arg_text(&c, argv[0], "format", 20);
  while (zFormat && i < 4 && strcmp(zFormat, azFormat[i])) i++;
  if (zFormat && i == 4) {
    steward_fail_argument(&c, argv[0], "format",
                          "openmetrics|prometheus|influx|json");
  }
  if (argc > 1) {
    steward_options(&c, argv[1], aExportOption, ArraySize(aExportOption),
                    &options);
  }
  if (c.rc == SQLITE_OK) collect(&c, &list, options.nStatements);
  if (c.rc == SQLITE_OK) zOut = format(&c, &list, i, "steward_");
  free_series(&list);
  if (i == JSON) {
    steward_close_json(&c, zOut);
  } else if (steward_close(&c) == SQLITE_OK) {
    sqlite3_result_text(ctx, zOut, -1, sqlite3_free);
  } else {
    sqlite3_free(zOut);
  }
}

/*************************************************************************
** A dashboard
*/
static const struct {
  const char *zTitle;
  const char *zExpr;
  const char *zUnit;
  const char *zLegend;
} aPanel[] = {
    {"Statements by time",
     "topk(10, rate(steward_statement_time_seconds_total"
     "[5m]))",
     "percentunit", "{{queryid}}"},
    {"Calls a second", "topk(10, rate(steward_statement_calls_total[5m]))",
     "ops", "{{queryid}}"},
    {"p95 of statements", "topk(10, steward_statement_p95_seconds)", "s",
     "{{queryid}}"},
    {"Cache hit ratio", "steward_cache_hit_ratio", "percentunit", ""},
    {"Messages waiting", "steward_delivery_pending_messages", "short",
     "{{consumer}}"},
    {"Lag of consumers", "steward_delivery_lag_seconds", "s", "{{consumer}}"},
    {"Rows waiting to expire", "steward_expiry_pending_rows", "short",
     "{{table}}"},
    {"Jobs", "steward_jobs", "short", "{{state}}"},
    {"Jobs are late by", "steward_jobs_lag_seconds", "s", "the oldest"},
    {"Streamed rows, last hour", "steward_streaming_recent_rows", "short",
     "{{operation}}"},
    {"Store", "steward_storage_used_bytes", "bytes", "payload"},
    {"Database size", "steward_database_bytes", "bytes", "{{schema}}"},
    {"Reclaimable", "steward_database_reclaimable_bytes", "bytes",
     "{{schema}}"},
    {"WAL", "steward_wal_bytes", "bytes", ""},
    {"Frames to checkpoint", "steward_wal_pending_frames", "short", ""},
    {"Pools", "steward_pool_in_use_connections", "short", "{{db}}"},
    {"Waiting for a connection, p95", "steward_pool_wait_p95_seconds", "s",
     "{{db}}"},
    {"Duties that fail", "rate(steward_keeper_errors_total[5m])", "ops",
     "{{duty}}"},
    {"Health", "steward_health_status", "short", "{{check}}"},
    {"Metrics worse than their baseline", "steward_performance_regressions",
     "short", ""},
    {"Refused a lock", "rate(steward_captured_busy_total[5m])", "ops", ""},
    {"Ledger", "steward_ledger_rows", "short", "{{kind}}"},
    {"Memory of SQLite", "steward_process_memory_bytes", "bytes", ""},
};

/* perf_dashboard(kind TEXT) -> TEXT, JSON     directonly
** A dashboard over the names of perf_export, to be imported: kind `grafana`,
** with a Prometheus data source.
** Errors: "INVALID_ARGUMENT: perf_dashboard: kind must be grafana, got 'x'".
** Source: seed 001, operational observability.
** Example: SELECT perf_dashboard('grafana') ->> '$.title'; -- Steward
*/
static void perf_dashboard(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  StewardCall c;
  sqlite3_str *p;
  const char *zKind;
  char *zOut;
  int i;
  steward_open(&c, ctx, "perf_dashboard", NULL, STEWARD_READ);
  zKind = steward_arg_text(&c, argv[0], "kind", 20);
  if (zKind && strcmp(zKind, "grafana")) {
    steward_fail_argument(&c, argv[0], "kind", "grafana");
  }
  p = sqlite3_str_new(c.db);
  sqlite3_str_appendall(
      p, "{\"title\":\"Steward\",\"uid\":\"steward\",\"schemaVersion\":39,"
         "\"editable\":true,\"time\":{\"from\":\"now-6h\",\"to\":\"now\"},"
         "\"templating\":{\"list\":[{\"name\":\"source\",\"type\":"
         "\"datasource\",\"query\":\"prometheus\"}]},\"panels\":[");
  for (i = 0; i < ArraySize(aPanel); i++) {
    sqlite3_str_appendf(
        p,
        "%s{\"id\":%d,\"type\":\"timeseries\",\"title\":\"%s\",\"datasource\":"
        "{\"type\":\"prometheus\",\"uid\":\"${source}\"},\"gridPos\":{\"h\":8,"
        "\"w\":12,\"x\":%d,\"y\":%d},\"fieldConfig\":{\"defaults\":{\"unit\":"
        "\"%s\",\"min\":0},\"overrides\":[]},\"targets\":[{\"refId\":\"A\","
        "\"expr\":\"%s\",\"legendFormat\":\"%s\"}]}",
        i ? "," : "", i + 1, aPanel[i].zTitle, i % 2 * 12, i / 2 * 8,
        aPanel[i].zUnit, aPanel[i].zExpr, aPanel[i].zLegend);
  }
  sqlite3_str_appendall(p, "]}");
  zOut = steward_str_finish(&c, p);
  steward_close_json(&c, zOut);
}

static const StewardFunc aFunc[] = {
    {"perf_export", 1, 2, STEWARD_DIRECTONLY, perf_export, aExportOption,
     ArraySize(aExportOption)},
    {"perf_dashboard", 1, 1, STEWARD_DIRECTONLY, perf_dashboard, NULL, 0},
};

int perf_export_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
