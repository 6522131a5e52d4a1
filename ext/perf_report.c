/*
** perf_report.c - the state of the database as one page, for a person.
**
**     SELECT writefile('report.html', steward_report());
**
** The page needs no network and no script: HTML, a style sheet that follows the
** reader's dark or light setting and prints, SVG for the pictures, all made by
** perf_page.c.  Its sections are tables of the statements perf_report_* of
** sql/perf.sql, statements that were captured, and trends.  What needs
** attention comes first: rows of the statements perf_attention*.
*/
#include <string.h>

#include "perf_int.h"

typedef struct ReportOptions {
  char *zTitle;
  i64 nStatements;
} ReportOptions;

static void put_open(sqlite3_str *p, const char *zId, const char *zTitle) {
  sqlite3_str_appendf(p, "<section id=%s><h2>%s</h2>", zId, zTitle);
}

/* A section that is the table of a statement, if its set is there. */
static void put_section(StewardCall *c, sqlite3_str *p, const char *zId,
                        const char *zTitle, const char *zNone,
                        enum StewardSqlId id) {
  const char *zSet = steward_sql[id].zSet;
  if (c->rc || (strcmp(zSet, "none") && !steward_set_ready(c, zSet))) return;
  put_open(p, zId, zTitle);
  if (perf_page_table(c, p, id) == 0) {
    sqlite3_str_appendf(p, "<p class=none>%s</p>", zNone);
  }
  sqlite3_str_appendall(p, "</section>");
}

/*************************************************************************
** What needs attention
*/
/* Rows of a statement as items: the critical ones into apOut[0], the others
** into apOut[1]; anCount counts them. */
static void put_items(StewardCall *c, sqlite3_str **apOut, int *anCount,
                      enum StewardSqlId id) {
  const char *zSet = steward_sql[id].zSet;
  sqlite3_stmt *pRow;
  if (c->rc || (strcmp(zSet, "none") && !steward_set_ready(c, zSet))) return;
  pRow = perf_take_now(c, id);
  while (steward_next(c, pRow)) {
    int bBad = sqlite3_column_int(pRow, 0) > 1;
    const char *zWay = (const char *)sqlite3_column_text(pRow, 3);
    sqlite3_str *p = apOut[bBad ? 0 : 1];
    anCount[bBad ? 0 : 1]++;
    sqlite3_str_appendf(p,
                        "<li><div><span class=\"chip %s\">%s</span></div>"
                        "<div><b>",
                        bBad ? "bad" : "warn", bBad ? "critical" : "warning");
    perf_page_text(p, (const char *)sqlite3_column_text(pRow, 1));
    sqlite3_str_appendall(p, "</b><p>");
    perf_page_text(p, (const char *)sqlite3_column_text(pRow, 2));
    sqlite3_str_appendall(p, "</p>");
    if (zWay && zWay[0]) {
      sqlite3_str_appendall(p, "<p class=way>Way out: <code>");
      perf_page_text(p, zWay);
      sqlite3_str_appendall(p, "</code></p>");
    }
    sqlite3_str_appendall(p, "</div></li>");
  }
  steward_give(c, id, pRow);
}

static void put_attention(StewardCall *c, sqlite3_str *p) {
  static const enum StewardSqlId aId[] = {
      SQL_perf_attention,           SQL_perf_attention_core,
      SQL_perf_attention_delivery,  SQL_perf_attention_jobs,
      SQL_perf_attention_streaming, SQL_perf_attention_maintenance};
  sqlite3_str *apOut[2];
  int anCount[2] = {0, 0};
  int i;
  apOut[0] = sqlite3_str_new(c->db);
  apOut[1] = sqlite3_str_new(c->db);
  for (i = 0; i < ArraySize(aId); i++) put_items(c, apOut, anCount, aId[i]);
  put_open(p, "attention", "Needs attention");
  if (anCount[0] + anCount[1] == 0) {
    sqlite3_str_appendall(p, "<p class=ok>Nothing does.</p>");
  } else {
    sqlite3_str_appendf(p, "<p class=hint>%d critical, %d to look at</p><ul>",
                        anCount[0], anCount[1]);
  }
  for (i = 0; i < 2; i++) {
    char *z = steward_str_finish(c, apOut[i]);
    if (z) sqlite3_str_appendall(p, z);
    sqlite3_free(z);
  }
  if (anCount[0] + anCount[1]) sqlite3_str_appendall(p, "</ul>");
  sqlite3_str_appendall(p, "</section>");
}

/*************************************************************************
** Numbers at a glance
*/
static void put_tile(sqlite3_str *p, const StewardCounter *k, double rScale,
                     const char *zText) {
  sqlite3_str_appendall(p, "<div class=tile><b>");
  if (!k->bKnown) {
    sqlite3_str_appendall(p, "none");
  } else if (strcmp(k->zUnit, "ratio") == 0) {
    sqlite3_str_appendf(p, "%.1f\302\240%%", k->rValue * 100);
  } else {
    perf_page_number(p, k->rValue * rScale,
                     rScale > 1 || strcmp(k->zUnit, "bytes") == 0);
  }
  sqlite3_str_appendf(p, "</b><span>%s</span></div>", zText);
}

static void put_tiles(StewardCall *c, sqlite3_str *p) {
  static const char *const aTile[][2] = {
      {"page_count", "size of the database"},
      {"wal_bytes", "WAL"},
      {"wal_pending_frames", "pages to checkpoint"},
      {"cache_hit_ratio", "cache hits of this connection"},
      {"process_memory_bytes", "memory of SQLite"},
      {"captured_calls_total", "runs captured"}};
  StewardCounter counter;
  double rPage;
  int i, k;
  if (c->rc) return;
  rPage = (double)steward_int(c, SQL_counter_page_size, 4096, "");
  sqlite3_str_appendall(p, "<div class=tiles>");
  for (i = 0; i < ArraySize(aTile); i++) {
    for (k = 0; perf_counter_at(c, k, &counter); k++) {
      if (strcmp(counter.zName, aTile[i][0])) continue;
      put_tile(p, &counter, i == 0 ? rPage : 1, aTile[i][1]);
      break;
    }
  }
  sqlite3_str_appendall(p, "</div>");
}

/*************************************************************************
** Statements
*/
enum { POINTS = 72 };

/* Mean times of a statement as perf_capture() stored them. */
static void put_spark(StewardCall *c, sqlite3_str *p, const PerfStats *s) {
  double a[POINTS], r;
  char zName[40];
  sqlite3_stmt *pRow;
  int i, n = 0;
  sqlite3_snprintf(sizeof(zName), zName, "statement_ms:%016llx", s->id);
  pRow = steward_query(c, SQL_perf_report_spark, "ti", zName, POINTS);
  while (n < POINTS && steward_next(c, pRow)) {
    a[n++] = sqlite3_column_double(pRow, 0);
  }
  steward_give(c, SQL_perf_report_spark, pRow);
  for (i = 0; i < n / 2; i++) {
    r = a[i];
    a[i] = a[n - 1 - i];
    a[n - 1 - i] = r;
  }
  perf_page_line(p, a, n, 90, "mean times as they were captured");
}

static void put_statement(StewardCall *c, sqlite3_str *p, const PerfStats *s,
                          double rAll, int bHistory) {
  sqlite3_str_appendall(p, "<tr><td class=q><code>");
  perf_page_text(p, s->zText);
  sqlite3_str_appendall(p, "</code>");
  perf_page_bar(p, s->rNs / rAll);
  sqlite3_str_appendf(p, "<td class=n>%.1f\302\240%%<td class=n>",
                      100 * s->rNs / rAll);
  perf_page_number(p, s->rCalls, 0);
  sqlite3_str_appendall(p, "<td class=n>");
  perf_page_duration(p, s->rNs / s->rCalls / 1e6);
  sqlite3_str_appendall(p, "<td class=n>");
  perf_page_duration(p, perf_stats_percentile(s, 0.95) / 1e6);
  sqlite3_str_appendall(p, "<td class=n>");
  perf_page_number(p, s->rRows, 0);
  sqlite3_str_appendall(p, "<td class=n>");
  perf_page_number(p, s->aStatus[PERF_FULLSCAN], 0);
  sqlite3_str_appendall(p, "<td>");
  perf_page_histogram(p, s);
  if (bHistory) {
    sqlite3_str_appendall(p, "<td>");
    put_spark(c, p, s);
  }
}

static void put_statements(StewardCall *c, sqlite3_str *p, i64 nMax) {
  PerfStats *aStats;
  double rAll = 1;
  int i, n, bHistory;
  bHistory = c->rc == SQLITE_OK && steward_set_ready(c, "maintenance");
  perf_store_copy(c, &aStats, &n);
  put_open(p, "statements", "Statements by total time");
  for (i = 0; i < n; i++) rAll += aStats[i].rNs;
  if (n == 0) {
    sqlite3_str_appendall(p, "<p class=none>None captured in this process: "
                             "<code>SELECT perf_trace('sample')</code> begins."
                             "</p>");
  } else {
    sqlite3_str_appendf(
        p,
        "<p class=hint>%lld of %d that this process captured</p><div "
        "class=scroll><table><thead><tr><th>Statement<th class=n>Time<th "
        "class=n>Runs<th class=n>Mean<th class=n>p95<th class=n>Rows<th "
        "class=n>Scan steps<th>Run times%s</tr></thead><tbody>",
        nMax < n ? nMax : (i64)n, n, bHistory ? "<th>Mean, over time" : "");
    for (i = 0; i < n && i < nMax; i++) {
      put_statement(c, p, &aStats[i], rAll, bHistory);
    }
    sqlite3_str_appendall(p, "</tbody></table></div>");
  }
  sqlite3_str_appendall(p, "</section>");
  perf_store_copy_free(aStats, n);
}

/*************************************************************************
** Trends
*/
typedef struct Trend {
  char *zName, *zUnit; /* owned */
  int n;               /* hours */
  double a[POINTS];
  double rAvg, rMin, rMax, rTrend; /* thirty days */
  int bFar, bTrend;
} Trend;

static void put_value(sqlite3_str *p, double r, const char *zUnit) {
  int bMs = strcmp(zUnit, "ms") == 0;
  if (bMs) {
    perf_page_duration(p, r);
  } else if (strcmp(zUnit, "ratio") == 0) {
    sqlite3_str_appendf(p, "%.1f\302\240%%", 100 * r);
  } else {
    perf_page_number(p, r, strcmp(zUnit, "bytes") == 0);
  }
}

static void put_trend(sqlite3_str *p, const Trend *t) {
  sqlite3_str_appendall(p, "<div>");
  perf_page_text(p, t->zName);
  sqlite3_str_appendall(p, "<br><b>");
  put_value(p, t->a[t->n - 1], t->zUnit);
  sqlite3_str_appendall(p, "</b> ");
  if (strcmp(t->zUnit, "bytes") && strcmp(t->zUnit, "ms") &&
      strcmp(t->zUnit, "ratio")) {
    perf_page_text(p, t->zUnit);
  }
  perf_page_line(p, t->a, t->n, 0, "means by the hour");
  if (t->bFar) {
    sqlite3_str_appendall(p, "<p>30 days: ");
    put_value(p, t->rAvg, t->zUnit);
    sqlite3_str_appendall(p, ", from ");
    put_value(p, t->rMin, t->zUnit);
    sqlite3_str_appendall(p, " to ");
    put_value(p, t->rMax, t->zUnit);
    if (t->bTrend) sqlite3_str_appendf(p, ", %+.0f\302\240%%", 100 * t->rTrend);
    sqlite3_str_appendall(p, "</p>");
  }
  sqlite3_str_appendall(p, "</div>");
}

static void begin_trend(StewardCall *c, Trend *t, sqlite3_stmt *pRow) {
  sqlite3_free(t->zName);
  sqlite3_free(t->zUnit);
  memset(t, 0, sizeof(*t));
  t->zName = steward_mprintf(c, "%s", steward_column(c, pRow, 0));
  t->zUnit = steward_mprintf(c, "%s", steward_column(c, pRow, 1));
  t->bFar = sqlite3_column_type(pRow, 3) != SQLITE_NULL;
  t->rAvg = sqlite3_column_double(pRow, 3);
  t->rMin = sqlite3_column_double(pRow, 4);
  t->rMax = sqlite3_column_double(pRow, 5);
  t->bTrend = sqlite3_column_type(pRow, 6) != SQLITE_NULL;
  t->rTrend = sqlite3_column_double(pRow, 6);
}

static void put_trends(StewardCall *c, sqlite3_str *p) {
  Trend t = {0};
  int nMetric = 0;
  sqlite3_stmt *pRow;
  if (c->rc || !steward_set_ready(c, "maintenance")) return;
  put_open(p, "trends", "Trends");
  sqlite3_str_appendall(p, "<p class=hint>Three days by the hour, and what "
                           "thirty days came to</p><div class=trends>");
  pRow = steward_query(c, SQL_perf_report_trends, "l",
                       steward_now(c->p) / 1000 - POINTS * 3600);
  while (steward_next(c, pRow)) {
    if (t.zName == NULL || strcmp(t.zName, steward_column(c, pRow, 0))) {
      if (t.n > 0) put_trend(p, &t);
      begin_trend(c, &t, pRow);
      if (c->rc) break;
      nMetric++;
    }
    if (t.n < POINTS) t.a[t.n++] = sqlite3_column_double(pRow, 2);
  }
  if (t.n > 0 && c->rc == SQLITE_OK) put_trend(p, &t);
  steward_give(c, SQL_perf_report_trends, pRow);
  sqlite3_free(t.zName);
  sqlite3_free(t.zUnit);
  sqlite3_str_appendall(p, "</div>");
  if (nMetric == 0) {
    sqlite3_str_appendall(p, "<p class=none>No closed hours yet: <code>SELECT "
                             "perf_capture()</code> every minute.</p>");
  }
  sqlite3_str_appendall(p, "</section>");
}

/*************************************************************************
** The page
*/
static void put_head(StewardCall *c, sqlite3_str *p, const char *zTitle) {
  static const char *const aNav[][3] = {{"attention", "Attention", NULL},
                                        {"storage", "Storage", NULL},
                                        {"statements", "Statements", NULL},
                                        {"queues", "Queues", "delivery"},
                                        {"jobs", "Jobs", "jobs"},
                                        {"expiry", "Expiry", "core"},
                                        {"vacuum", "Vacuum", "maintenance"},
                                        {"streaming", "Streaming", "streaming"},
                                        {"trends", "Trends", "maintenance"}};
  int i;
  sqlite3_str_appendall(
      p, "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
         "<meta name=viewport content=\"width=device-width,initial-scale=1\">"
         "<link rel=icon href=\"data:,\"><title>");
  perf_page_text(p, zTitle);
  sqlite3_str_appendall(p, "</title>");
  perf_page_style(p);
  sqlite3_str_appendall(p, "</head><body><main><h1>");
  perf_page_text(p, zTitle);
  sqlite3_str_appendall(p, "</h1><p class=sub>");
  perf_page_text(p, steward_db_file(c->p));
  sqlite3_str_appendf(p, "<br>%s UTC, Steward %s, SQLite %s</p><nav>",
                      steward_stamp(c->p), STEWARD_VERSION,
                      sqlite3_libversion());
  for (i = 0; i < ArraySize(aNav); i++) {
    if (aNav[i][2] && (c->rc || !steward_set_ready(c, aNav[i][2]))) continue;
    sqlite3_str_appendf(p, "<a href=\"#%s\">%s</a>", aNav[i][0], aNav[i][1]);
  }
  sqlite3_str_appendall(p, "</nav>");
}

static void put_jobs(StewardCall *c, sqlite3_str *p) {
  if (c->rc || !steward_set_ready(c, "jobs")) return;
  put_open(p, "jobs", "Jobs");
  if (perf_page_table(c, p, SQL_perf_report_jobs) == 0) {
    sqlite3_str_appendall(p, "<p class=none>There is none.</p>");
  } else {
    sqlite3_str *pErrors = sqlite3_str_new(c->db);
    int n = perf_page_table(c, pErrors, SQL_perf_report_job_errors);
    char *z = steward_str_finish(c, pErrors);
    if (n && z) sqlite3_str_appendf(p, "<h3>What they failed of</h3>%s", z);
    sqlite3_free(z);
  }
  sqlite3_str_appendall(p, "</section>");
}

static void put_page(StewardCall *c, sqlite3_str *p, const ReportOptions *o) {
  put_head(c, p, o->zTitle ? o->zTitle : "Database report");
  put_attention(c, p);
  put_tiles(c, p);
  put_section(c, p, "storage", "Storage", "", SQL_perf_report_storage);
  put_statements(c, p, o->nStatements);
  put_section(c, p, "queues", "Queues", "Nobody has subscribed.",
              SQL_perf_report_delivery);
  sqlite3_str_appendall(p, "<div class=pair>");
  put_jobs(c, p);
  put_section(c, p, "expiry", "Expiry", "No table is attached.",
              SQL_perf_report_expiry);
  sqlite3_str_appendall(p, "</div>");
  put_section(c, p, "vacuum", "Vacuum", "No run in the log.",
              SQL_perf_report_vacuum);
  put_section(c, p, "streaming", "Streaming, last day", "No operation.",
              SQL_perf_report_streaming);
  put_trends(c, p);
  sqlite3_str_appendall(p, "</main></body></html>\n");
}

static const StewardOption aReportOption[] = {
    {"title", STEWARD_OPT_TEXT, offsetof(ReportOptions, zTitle), 0, 0, NULL,
     "the heading of the page"},
    {"max_statements", STEWARD_OPT_INT, offsetof(ReportOptions, nStatements), 0,
     5000, NULL, "how many statements, those that took most time"},
};

/* steward_report([options JSON]) -> TEXT, HTML     directonly
** The state of the database as one page that needs nothing else: what needs
** attention, then storage, statements by total time, queues, jobs, expiry,
** streaming, vacuum and trends; light and dark, on a phone and on paper.
** Errors: "INVALID_ARGUMENT: steward_report: unknown option 'titel': did you
**   mean 'title'?".
** Source: seed 001, operational observability.
** Example: SELECT steward_report() LIKE '<!DOCTYPE html>%</html>%'; -- 1
*/
static void steward_report(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  StewardCall c;
  ReportOptions options = {.nStatements = 20};
  sqlite3_str *p;
  char *zOut;
  steward_open(&c, ctx, "steward_report", NULL, STEWARD_READ);
  if (argc > 0) {
    steward_options(&c, argv[0], aReportOption, ArraySize(aReportOption),
                    &options);
  }
  p = sqlite3_str_new(c.db);
  if (c.rc == SQLITE_OK) put_page(&c, p, &options);
  zOut = steward_str_finish(&c, p);
  steward_options_free(aReportOption, ArraySize(aReportOption), &options);
  if (steward_close(&c)) {
    sqlite3_free(zOut);
    return;
  }
  sqlite3_result_text(ctx, zOut, -1, sqlite3_free);
}

static const StewardFunc aFunc[] = {
    {"steward_report", 0, 1, STEWARD_DIRECTONLY, steward_report, aReportOption,
     ArraySize(aReportOption)},
};

int perf_report_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
