/*
** perf_report.c - the state of the database as one page, for a person.
**
**     SELECT writefile('report.html', steward_report());
**
** The page needs no network and no script: HTML, a style sheet that follows the
** reader's dark or light setting and prints, SVG for the pictures.  Most of its
** sections are tables of a named statement whose column names are the headings
** (sql/perf.sql, perf_report_*).  What needs attention comes first.
*/
#include <string.h>

#include "perf_int.h"

static const char zStyle[] =
    ":root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#16202c;"
    "--dim:#566273;--line:#dfe4ea;--accent:#1c5fbf;--good:#17663a;"
    "--warn:#8a5300;--bad:#b3261e}"
    "@media(prefers-color-scheme:dark){:root{--bg:#10151c;--card:#19212b;"
    "--ink:#e6ebf1;--dim:#a3afbd;--line:#2c3744;--accent:#7db3ff;"
    "--good:#6fd397;--warn:#f0b45c;--bad:#ff8a80}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);"
    "color:var(--ink);font:15px/1.5 system-ui,sans-serif}"
    "main{max-width:1180px;margin:0 auto;padding:24px 16px 48px}"
    "h1{font-size:26px;margin:0}h2{font-size:17px;margin:0 0 10px}"
    ".sub{color:var(--dim);margin:2px 0 20px;overflow-wrap:anywhere}"
    "section{background:var(--card);border:1px solid var(--line);"
    "border-radius:10px;padding:16px 18px;margin:0 0 16px}"
    ".tiles{display:grid;gap:12px;margin:0 0 16px;"
    "grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}"
    ".tile{background:var(--card);border:1px solid var(--line);"
    "border-radius:10px;padding:12px 14px}"
    ".tile b{display:block;font-size:22px;font-variant-numeric:tabular-nums}"
    ".tile span,.none{color:var(--dim);font-size:13px}.none{margin:0}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;"
    "font-size:14px}th{color:var(--dim);font-weight:600;font-size:12px;"
    "text-align:left;white-space:nowrap}th,td{padding:6px 14px 6px 0;"
    "border-bottom:1px solid var(--line);vertical-align:top}"
    "tr:last-child td{border-bottom:0}"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".n+td:not(.n),.n+th:not(.n){padding-left:14px}"
    "code{font:12.5px/1.45 ui-monospace,monospace;overflow-wrap:anywhere}"
    "td.q{min-width:260px;max-width:560px}"
    ".bar{height:4px;border-radius:2px;background:var(--accent);margin-top:5px}"
    "ul{list-style:none;margin:0;padding:0}"
    "li{border-left:4px solid var(--warn);padding:2px 0 2px 12px;"
    "margin:0 0 12px;overflow-wrap:anywhere}li.bad{border-color:var(--bad)}"
    "li b{color:var(--warn)}li.bad b{color:var(--bad)}"
    "li span{color:var(--dim);display:block}"
    ".ok{color:var(--good);font-weight:600;margin:0}"
    ".trends{display:grid;gap:14px 24px;"
    "grid-template-columns:repeat(auto-fill,minmax(210px,1fr))}"
    ".trends div{min-width:0;overflow-wrap:anywhere;font-size:13px}"
    ".trends b{font-variant-numeric:tabular-nums}"
    "svg{display:block;fill:var(--accent);stroke:none}"
    "svg.line{fill:none;stroke:var(--accent);width:100%;height:40px}"
    "@media print{body{background:#fff}section,.tile{break-inside:avoid;"
    "border-color:#999}main{padding:0}.scroll{overflow:visible}}";

/* Text for HTML; what is no UTF-8 loses what is not ASCII. */
static void put_text(sqlite3_str *p, const char *z) {
  int bUtf8;
  if (z == NULL) return;
  bUtf8 = steward_utf8_ok((const unsigned char *)z, (int)strlen(z));
  for (; *z; z++) {
    switch (*z) {
    case '&': sqlite3_str_appendall(p, "&amp;"); break;
    case '<': sqlite3_str_appendall(p, "&lt;"); break;
    case '>': sqlite3_str_appendall(p, "&gt;"); break;
    case '"': sqlite3_str_appendall(p, "&quot;"); break;
    default:
      if ((!bUtf8 && (unsigned char)*z >= 0x80) ||
          ((unsigned char)*z < 0x20 && *z != '\n' && *z != '\t')) {
        sqlite3_str_appendchar(p, 1, '?');
      } else {
        sqlite3_str_appendchar(p, 1, *z);
      }
    }
  }
}

static void put_open(sqlite3_str *p, const char *zTitle) {
  sqlite3_str_appendf(p, "<section><h2>%s</h2>", zTitle);
}

/* The rows of a statement as a table; its column names are the headings. */
static void put_table(StewardCall *c, sqlite3_str *p, const char *zTitle,
                      const char *zNone, const char *zSet,
                      enum StewardSqlId id) {
  sqlite3_stmt *pRow;
  int i, nRow = 0;
  if (c->rc || (zSet && !steward_installed(c, zSet))) return;
  pRow = steward_take(c, id);
  if (pRow && sqlite3_bind_parameter_count(pRow)) {
    sqlite3_bind_int64(pRow, 1, steward_now(c->p));
  }
  put_open(p, zTitle);
  while (steward_next(c, pRow)) {
    if (nRow++ == 0) {
      sqlite3_str_appendall(p, "<div class=scroll><table><thead><tr>");
      for (i = 0; i < sqlite3_column_count(pRow); i++) {
        int bNumber = sqlite3_column_type(pRow, i) <= SQLITE_FLOAT;
        sqlite3_str_appendf(p, "<th%s>", bNumber ? " class=n" : "");
        put_text(p, sqlite3_column_name(pRow, i));
      }
      sqlite3_str_appendall(p, "</tr></thead><tbody>");
    }
    sqlite3_str_appendall(p, "<tr>");
    for (i = 0; i < sqlite3_column_count(pRow); i++) {
      int bNumber = sqlite3_column_type(pRow, i) <= SQLITE_FLOAT;
      sqlite3_str_appendf(p, "<td%s>", bNumber ? " class=n" : "");
      put_text(p, (const char *)sqlite3_column_text(pRow, i));
    }
  }
  steward_give(c, id, pRow);
  if (nRow) {
    sqlite3_str_appendall(p, "</tbody></table></div></section>");
  } else {
    sqlite3_str_appendf(p, "<p class=none>%s</p></section>", zNone);
  }
}

/* Rows of a statement as items: the critical ones into apOut[0], the others
** into apOut[1]. */
static void put_items(StewardCall *c, sqlite3_str **apOut, const char *zSet,
                      enum StewardSqlId id) {
  sqlite3_stmt *pRow;
  if (c->rc || (zSet && !steward_installed(c, zSet))) return;
  pRow = steward_take(c, id);
  while (steward_next(c, pRow)) {
    int bBad = sqlite3_column_int(pRow, 0) > 1;
    const char *zWay = (const char *)sqlite3_column_text(pRow, 3);
    sqlite3_str *p = apOut[bBad ? 0 : 1];
    sqlite3_str_appendf(p, "<li%s><b>", bBad ? " class=bad" : "");
    put_text(p, (const char *)sqlite3_column_text(pRow, 1));
    sqlite3_str_appendall(p, "</b> ");
    put_text(p, (const char *)sqlite3_column_text(pRow, 2));
    if (zWay && zWay[0]) {
      sqlite3_str_appendall(p, "<span>Way out: <code>");
      put_text(p, zWay);
      sqlite3_str_appendall(p, "</code></span>");
    }
    sqlite3_str_appendall(p, "</li>");
  }
  steward_give(c, id, pRow);
}

static void put_attention(StewardCall *c, sqlite3_str *p) {
  sqlite3_str *apOut[2];
  int i, n = 0;
  apOut[0] = sqlite3_str_new(c->db);
  apOut[1] = sqlite3_str_new(c->db);
  put_items(c, apOut, NULL, SQL_perf_attention);
  put_items(c, apOut, "core", SQL_perf_attention_core);
  put_items(c, apOut, "delivery", SQL_perf_attention_delivery);
  put_open(p, "Needs attention");
  sqlite3_str_appendall(p, "<ul>");
  for (i = 0; i < 2; i++) {
    char *z;
    n += sqlite3_str_length(apOut[i]);
    z = steward_str_finish(c, apOut[i]);
    if (z) sqlite3_str_appendall(p, z);
    sqlite3_free(z);
  }
  sqlite3_str_appendall(p, "</ul>");
  if (n == 0) sqlite3_str_appendall(p, "<p class=ok>Nothing does.</p>");
  sqlite3_str_appendall(p, "</section>");
}

/* 1234567 as 1.23 M; the unit of bytes is 1024. */
static void put_number(sqlite3_str *p, double r, const char *zUnit) {
  static const char zStep[] = " kMGT";
  double rStep = strcmp(zUnit, "bytes") == 0 ? 1024 : 1000;
  int i = 0;
  while (i < 4 && (r >= rStep || r <= -rStep)) {
    r /= rStep;
    i++;
  }
  sqlite3_str_appendf(p, i || r != (double)(i64)r ? "%.3g" : "%.0f", r);
  if (i) sqlite3_str_appendf(p, " %c%s", zStep[i], rStep == 1024 ? "iB" : "");
  if (!i && rStep == 1024) sqlite3_str_appendall(p, " B");
}

static void put_tiles(StewardCall *c, sqlite3_str *p) {
  static const char *const aTile[][2] = {
      {"page_count", "pages"},
      {"wal_bytes", "WAL"},
      {"cache_hit_ratio", "cache hits of this connection"},
      {"process_memory_bytes", "memory of SQLite"},
      {"captured_statements", "statements captured"},
      {"captured_calls_total", "runs captured"}};
  StewardCounter counter;
  int i, k;
  sqlite3_str_appendall(p, "<div class=tiles>");
  for (i = 0; i < ArraySize(aTile); i++) {
    for (k = 0; perf_counter_at(c, k, &counter); k++) {
      if (strcmp(counter.zName, aTile[i][0])) continue;
      sqlite3_str_appendall(p, "<div class=tile><b>");
      if (!counter.bKnown) {
        sqlite3_str_appendall(p, "none");
      } else if (strcmp(counter.zUnit, "ratio") == 0) {
        sqlite3_str_appendf(p, "%.1f %%", counter.rValue * 100);
      } else {
        put_number(p, counter.rValue, counter.zUnit);
      }
      sqlite3_str_appendf(p, "</b><span>%s</span></div>", aTile[i][1]);
      break;
    }
  }
  sqlite3_str_appendall(p, "</div>");
}

/* How its runs spread over time, by powers of two. */
static void put_histogram(sqlite3_str *p, const PerfStats *s) {
  double aBin[PERF_BUCKETS / 8 + 1] = {0}, rMost = 0;
  int i, iFirst = -1, iLast = 0;
  for (i = 0; i < PERF_BUCKETS; i++) aBin[i / 8] += s->aBucket[i];
  for (i = 0; i <= PERF_BUCKETS / 8; i++) {
    if (aBin[i] <= 0) continue;
    if (iFirst < 0) iFirst = i;
    iLast = i;
    if (aBin[i] > rMost) rMost = aBin[i];
  }
  if (iFirst < 0) return;
  if (iLast < iFirst + 9) iLast = iFirst + 9;
  sqlite3_str_appendf(p,
                      "<svg width=%d height=26 role=img "
                      "aria-label=\"histogram of run times\">",
                      (iLast - iFirst + 1) * 7);
  for (i = iFirst; i <= iLast && i <= PERF_BUCKETS / 8; i++) {
    double h = aBin[i] > 0 ? 2 + 24 * aBin[i] / rMost : 1;
    sqlite3_str_appendf(p, "<rect x=%d y=%.1f width=6 height=%.1f />",
                        (i - iFirst) * 7, 26 - h, h);
  }
  sqlite3_str_appendall(p, "</svg>");
}

static void put_statement(sqlite3_str *p, const PerfStats *s, double rAll) {
  sqlite3_str_appendall(p, "<tr><td class=q><code>");
  put_text(p, s->zText);
  sqlite3_str_appendf(p,
                      "</code><div class=bar style=\"width:%.1f%%\"></div>"
                      "<td class=n>%.1f %%<td class=n>",
                      100 * s->rNs / rAll, 100 * s->rNs / rAll);
  put_number(p, s->rCalls, "");
  sqlite3_str_appendf(p, "<td class=n>%.4g<td class=n>%.4g<td class=n>%.4g",
                      s->rNs / s->rCalls / 1e6,
                      perf_stats_percentile(s, 0.95) / 1e6,
                      (double)s->nMax / 1e6);
  sqlite3_str_appendall(p, "<td class=n>");
  put_number(p, s->rRows, "");
  sqlite3_str_appendall(p, "<td class=n>");
  put_number(p, s->aStatus[PERF_FULLSCAN], "");
  sqlite3_str_appendall(p, "<td>");
  put_histogram(p, s);
}

static void put_statements(StewardCall *c, sqlite3_str *p, i64 nMax) {
  PerfStats *aStats;
  double rAll = 1;
  int i, n;
  perf_store_copy(c, &aStats, &n);
  put_open(p, "Statements by total time");
  for (i = 0; i < n; i++) rAll += aStats[i].rNs;
  if (n == 0) {
    sqlite3_str_appendall(p, "<p class=none>None captured in this process: "
                             "<code>SELECT perf_trace('sample')</code> begins."
                             "</p></section>");
  } else {
    sqlite3_str_appendall(
        p, "<div class=scroll><table><thead><tr><th>Statement<th class=n>Time"
           "<th class=n>Runs<th class=n>Mean ms<th class=n>p95 ms<th class=n>"
           "Most ms<th class=n>Rows<th class=n>Scan steps<th>Run times</tr>"
           "</thead><tbody>");
    for (i = 0; i < n && i < nMax; i++) put_statement(p, &aStats[i], rAll);
    sqlite3_str_appendall(p, "</tbody></table></div></section>");
  }
  perf_store_copy_free(aStats, n);
}

enum { POINTS = 72 };

static void put_trend(sqlite3_str *p, const char *zName, const char *zUnit,
                      const double *a, int n) {
  double rLow = a[0], rHigh = a[0];
  int i;
  for (i = 1; i < n; i++) {
    if (a[i] < rLow) rLow = a[i];
    if (a[i] > rHigh) rHigh = a[i];
  }
  sqlite3_str_appendall(p, "<div>");
  put_text(p, zName);
  sqlite3_str_appendall(p, "<br><b>");
  put_number(p, a[n - 1], zUnit);
  sqlite3_str_appendall(p, "</b> ");
  if (strcmp(zUnit, "bytes")) put_text(p, zUnit);
  sqlite3_str_appendall(p, "<svg class=line viewBox=\"0 0 200 40\" "
                           "preserveAspectRatio=none role=img "
                           "aria-label=\"means by the hour\">"
                           "<polyline stroke-width=1.5 "
                           "vector-effect=non-scaling-stroke points=\"");
  for (i = 0; i < n; i++) {
    double y = rHigh > rLow ? 38 - 36 * (a[i] - rLow) / (rHigh - rLow) : 20;
    sqlite3_str_appendf(p, "%s%.1f,%.1f", i ? " " : "",
                        200.0 * i / (n > 1 ? n - 1 : 1), y);
  }
  sqlite3_str_appendall(p, "\"/></svg></div>");
}

static void put_trends(StewardCall *c, sqlite3_str *p) {
  double a[POINTS];
  char *zName = NULL, *zUnit = NULL;
  int n = 0, nMetric = 0;
  sqlite3_stmt *pRow;
  if (c->rc || !steward_installed(c, "maintenance")) return;
  put_open(p, "Trends: three days by the hour");
  sqlite3_str_appendall(p, "<div class=trends>");
  pRow = steward_query(c, SQL_perf_report_trends, "l",
                       steward_now(c->p) / 1000 - POINTS * 3600);
  while (steward_next(c, pRow)) {
    const char *z = steward_column(c, pRow, 0);
    if (zName && strcmp(zName, z)) {
      put_trend(p, zName, zUnit, a, n);
      nMetric++;
      n = 0;
    }
    if (n == 0) {
      sqlite3_free(zName);
      sqlite3_free(zUnit);
      zName = steward_mprintf(c, "%s", z);
      zUnit = steward_mprintf(c, "%s", steward_column(c, pRow, 1));
    }
    if (n < POINTS) a[n++] = sqlite3_column_double(pRow, 2);
  }
  if (n > 0 && c->rc == SQLITE_OK) {
    put_trend(p, zName, zUnit, a, n);
    nMetric++;
  }
  steward_give(c, SQL_perf_report_trends, pRow);
  sqlite3_free(zName);
  sqlite3_free(zUnit);
  sqlite3_str_appendall(p, "</div>");
  if (nMetric == 0) {
    sqlite3_str_appendall(
        p, "<p class=none>No closed hours yet: <code>SELECT perf_capture(),"
           " perf_rollup()</code> now and then.</p>");
  }
  sqlite3_str_appendall(p, "</section>");
}

static void put_head(StewardCall *c, sqlite3_str *p, const char *zTitle) {
  char *zPath = steward_db_path(c->p);
  char *zAt = steward_exec_text(c, "SELECT datetime(%lld, 'unixepoch')",
                                steward_now(c->p) / 1000);
  if (zPath == NULL) steward_fail_nomem(c);
  sqlite3_str_appendall(
      p, "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
         "<meta name=viewport content=\"width=device-width,initial-scale=1\">"
         "<link rel=icon href=\"data:,\"><title>");
  put_text(p, zTitle);
  sqlite3_str_appendf(p, "</title><style>%s</style></head><body><main><h1>",
                      zStyle);
  put_text(p, zTitle);
  sqlite3_str_appendall(p, "</h1><p class=sub>");
  put_text(p, zPath);
  sqlite3_str_appendf(p, "<br>%s UTC, Steward %s, SQLite %s</p>",
                      zAt ? zAt : "", STEWARD_VERSION, sqlite3_libversion());
  sqlite3_free(zPath);
  sqlite3_free(zAt);
}

typedef struct ReportOptions {
  char *zTitle;
  i64 nStatements;
} ReportOptions;

static const StewardOption aReportOption[] = {
    {"title", STEWARD_OPT_TEXT, offsetof(ReportOptions, zTitle), 0, 0, NULL,
     "the heading of the page"},
    {"max_statements", STEWARD_OPT_INT, offsetof(ReportOptions, nStatements), 0,
     5000, NULL, "how many statements, those that took most time"},
};

/* steward_report([options JSON]) -> TEXT, HTML     directonly
** The state of the database as one page that needs nothing else: what needs
** attention, then storage, statements by total time, consumers, jobs, expiry,
** vacuum, streaming and trends; light and dark, on a phone and on paper.
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
  if (c.rc == SQLITE_OK) {
    put_head(&c, p, options.zTitle ? options.zTitle : "Database report");
    put_attention(&c, p);
    put_tiles(&c, p);
    put_table(&c, p, "Storage", "", NULL, SQL_perf_report_storage);
    put_statements(&c, p, options.nStatements);
    put_table(&c, p, "Consumers", "Nobody has subscribed.", "delivery",
              SQL_perf_report_delivery);
    put_table(&c, p, "Jobs", "None.", "jobs", SQL_perf_report_jobs);
    put_table(&c, p, "Expiry", "No table is attached.", "core",
              SQL_perf_report_expiry);
    put_table(&c, p, "Vacuum", "No run in the log.", "maintenance",
              SQL_perf_report_vacuum);
    put_table(&c, p, "Streaming, last day", "No operation.", "streaming",
              SQL_perf_report_streaming);
    put_trends(&c, p);
    sqlite3_str_appendall(p, "</main></body></html>\n");
  }
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
