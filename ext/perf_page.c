/*
** perf_page.c - pieces of the page that steward_report() makes.
**
** A table on the page is a statement: its column names are the headings, and
** what stands behind a | in a name says how the column is shown:
**
**     n      a count                    bytes  a size
**     ms     a duration in ms           ago    the same, since then
**     share  0 to 1, with a bar         bad    a count, marked above 0
**     state  a word with a colour       (none) as it is
*/
#include <string.h>

#include "perf_int.h"

static const char zStyle[] =
    ":root{color-scheme:light dark;--bg:#f4f6f8;--card:#fff;--ink:#15202b;"
    "--dim:#52606d;--line:#e1e6ec;--soft:#eef2f6;--accent:#1d5fbf;"
    "--fill:#c9dcf7;--good:#14603a;--goodbg:#e3f4ea;--warn:#7c4a00;"
    "--warnbg:#fdf1dc;--bad:#a3201a;--badbg:#fde8e6}"
    "@media(prefers-color-scheme:dark){:root{--bg:#0e141b;--card:#171f29;"
    "--ink:#e7ecf2;--dim:#a4b0bd;--line:#2a3541;--soft:#202a36;"
    "--accent:#84b8ff;--fill:#2b4870;--good:#7fdba4;--goodbg:#14301f;"
    "--warn:#f3be6c;--warnbg:#33260d;--bad:#ff9d94;--badbg:#3a1917}}"
    "*{box-sizing:border-box}html{scroll-padding-top:12px}"
    "body{margin:0;background:var(--bg);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",sans-serif}"
    "main{max-width:1180px;margin:0 auto;padding:28px 16px 56px}"
    "h1{font-size:28px;line-height:1.2;margin:0;letter-spacing:-.01em;"
    "overflow-wrap:anywhere}"
    "h2{font-size:17px;margin:0 0 12px}h3{font-size:13px;margin:18px 0 8px;"
    "color:var(--dim)}"
    ".sub{color:var(--dim);margin:6px 0 14px;overflow-wrap:anywhere;"
    "font-size:14px}"
    "nav{display:flex;flex-wrap:wrap;gap:6px;margin:0 0 20px}"
    "nav a{color:var(--ink);text-decoration:none;font-size:13px;"
    "padding:4px 11px;border:1px solid var(--line);border-radius:99px;"
    "background:var(--card)}nav a:hover,nav a:focus{border-color:var(--accent)}"
    "section{background:var(--card);border:1px solid var(--line);"
    "border-radius:12px;padding:18px 20px;margin:0 0 16px;min-width:0}"
    ".pair{display:grid;gap:0 16px;align-items:start;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,470px),1fr))}"
    ".tiles{display:grid;gap:12px;margin:0 0 16px;"
    "grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}"
    ".tile{background:var(--card);border:1px solid var(--line);"
    "border-radius:12px;padding:14px 16px}"
    ".tile b{display:block;font-size:24px;line-height:1.25;"
    "font-variant-numeric:tabular-nums;letter-spacing:-.01em}"
    ".tile span,.none,.hint{color:var(--dim);font-size:13px}.none{margin:0}"
    ".hint{margin:-8px 0 12px}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;"
    "font-size:14px}th{color:var(--dim);font-weight:600;font-size:12px;"
    "text-align:left;white-space:nowrap}th,td{padding:7px 16px 7px 0;"
    "border-bottom:1px solid var(--line);vertical-align:top}"
    "th:last-child,td:last-child{padding-right:0}"
    "tr:last-child td{border-bottom:0}"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "td:not(.n):not(.q){overflow-wrap:anywhere;min-width:92px}"
    ".n+td:not(.n),.n+th:not(.n){padding-left:14px}"
    "td.t{white-space:nowrap}"
    "code{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,monospace;"
    "overflow-wrap:anywhere}"
    "td.q{min-width:250px;max-width:520px}"
    ".bar{display:block;height:5px;border-radius:3px;background:var(--soft);"
    "margin-top:6px;overflow:hidden}.bar i{display:block;height:100%;"
    "border-radius:3px;background:var(--accent)}"
    "td .bar{min-width:56px}"
    ".chip{display:inline-block;font-size:12px;font-weight:600;"
    "line-height:1.5;border-radius:99px;padding:1px 9px;white-space:nowrap;"
    "background:var(--soft);color:var(--ink)}"
    ".chip.good{background:var(--goodbg);color:var(--good)}"
    ".chip.warn{background:var(--warnbg);color:var(--warn)}"
    ".chip.bad{background:var(--badbg);color:var(--bad)}b.bad{color:var(--bad)"
    "}";

static const char zStyleMore[] =
    "ul{list-style:none;margin:0;padding:0}"
    "li{display:grid;grid-template-columns:76px 1fr;gap:2px 12px;"
    "padding:12px 0;border-top:1px solid var(--line);overflow-wrap:anywhere}"
    "li:first-child{border-top:0;padding-top:0}li:last-child{padding-bottom:0}"
    "li div{min-width:0}li p{margin:2px 0 0}li p.way{color:var(--dim);"
    "font-size:13px}li p.way code{color:var(--ink);background:var(--soft);"
    "border-radius:5px;padding:1px 6px;-webkit-box-decoration-break:clone;"
    "box-decoration-break:clone}"
    "@media(max-width:520px){li{grid-template-columns:1fr}"
    "section{padding:16px 14px}h1{font-size:24px}}"
    ".ok{color:var(--good);font-weight:600;margin:0}"
    ".trends{display:grid;gap:20px 28px;"
    "grid-template-columns:repeat(auto-fill,minmax(220px,1fr))}"
    ".trends div{min-width:0;overflow-wrap:anywhere;font-size:13px}"
    ".trends b{font-size:19px;font-variant-numeric:tabular-nums}"
    ".trends p{margin:0;color:var(--dim);font-size:12px}"
    "svg{display:block;overflow:visible}.bars rect{fill:var(--accent)}"
    ".bars .low{fill:var(--line)}"
    ".line polyline{fill:none;stroke:var(--accent);stroke-width:1.6;"
    "stroke-linejoin:round;vector-effect:non-scaling-stroke}"
    ".line polygon{fill:var(--fill);opacity:.55}"
    ".wide{width:100%;height:46px;margin:4px 0}"
    ".axis{color:var(--dim);font-size:11px;white-space:nowrap}"
    "footer{color:var(--dim);font-size:13px;text-align:center}"
    "@page{margin:14mm}@media print{:root{--bg:#fff;--card:#fff;--ink:#000;"
    "--dim:#444;--line:#bbb;--soft:#eee}body{font-size:12px}nav{display:none}"
    "section,.tile{border-color:#bbb}li,tr,.tile,.trends div{break-inside:"
    "avoid}h2{break-after:avoid}main{padding:0;max-width:none}"
    ".scroll{overflow:visible}td.q{max-width:none}.bar,.bars rect,.chip{"
    "-webkit-print-color-adjust:exact;print-color-adjust:exact}}";

void perf_page_style(sqlite3_str *p) {
  sqlite3_str_appendf(p, "<style>%s%s</style>", zStyle, zStyleMore);
}

/*************************************************************************
** Words and numbers
*/
/* Text for HTML; what is no UTF-8 loses what is not ASCII. */
void perf_page_text(sqlite3_str *p, const char *z) {
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

/* 1234567 as 1.23 M, 2048 bytes as 2 KiB. */
void perf_page_number(sqlite3_str *p, double r, int bBytes) {
  static const char zStep[] = " kMGT";
  double rStep = bBytes ? 1024 : 1000;
  int i = 0;
  while (i < 4 && (r >= rStep || r <= -rStep)) {
    r /= rStep;
    i++;
  }
  sqlite3_str_appendf(p, i || r != (double)(i64)r ? "%.3g" : "%.0f", r);
  if (i) {
    sqlite3_str_appendf(p, "\302\240%c%s",
                        zStep[i] == 'k' && bBytes ? 'K' : zStep[i],
                        bBytes ? "iB" : "");
  }
  if (!i && bBytes) sqlite3_str_appendall(p, "\302\240B");
}

/* 0.0042 ms as 4.2 us, 90000 ms as 1.5 min. */
void perf_page_duration(sqlite3_str *p, double rMs) {
  static const struct {
    double rFrom;
    const char *zUnit;
  } aUnit[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"},
               {1000, "s"},     {1, "ms"},      {0.001, "\302\265s"}};
  int i = 0;
  if (rMs <= 0) {
    sqlite3_str_appendall(p, "0 ms");
    return;
  }
  while (i < ArraySize(aUnit) - 1 && rMs < aUnit[i].rFrom) i++;
  sqlite3_str_appendf(p, "%.3g\302\240%s", rMs / aUnit[i].rFrom,
                      aUnit[i].zUnit);
}

/* A bar that is filled by a share. */
void perf_page_bar(sqlite3_str *p, double rShare) {
  if (rShare > 1) rShare = 1;
  sqlite3_str_appendf(p,
                      "<span class=bar><i style=\"width:%.1f%%\"></i></span>",
                      rShare > 0 ? 100 * rShare : 0.0);
}

static void put_state(sqlite3_str *p, const char *z) {
  static const char *const azGood[] = {"completed", "posted", "healthy"};
  static const char *const azBad[] = {"failed", "dead_letter", "critical"};
  static const char *const azWarn[] = {"retrying", "warning", "running"};
  const char *zClass = "";
  int i;
  for (i = 0; i < 3 && z; i++) {
    if (strcmp(z, azGood[i]) == 0) zClass = " good";
    if (strcmp(z, azWarn[i]) == 0) zClass = " warn";
    if (strcmp(z, azBad[i]) == 0) zClass = " bad";
  }
  sqlite3_str_appendf(p, "<span class=\"chip%s\">", zClass);
  perf_page_text(p, z);
  sqlite3_str_appendall(p, "</span>");
}

/*************************************************************************
** Pictures
*/
/* Values as a line over its area, the first on the left. */
void perf_page_line(sqlite3_str *p, const double *a, int n, int nWidth,
                    const char *zLabel) {
  double rLow = n > 0 ? a[0] : 0, rHigh = rLow;
  int i;
  for (i = 1; i < n; i++) {
    if (a[i] < rLow) rLow = a[i];
    if (a[i] > rHigh) rHigh = a[i];
  }
  if (n < 2) return;
  sqlite3_str_appendf(p,
                      "<svg class=\"line%s\" width=%d height=30 viewBox=\"0 0 "
                      "200 40\" preserveAspectRatio=none role=img "
                      "aria-label=\"%s\"><polygon points=\"0,40",
                      nWidth ? "" : " wide", nWidth ? nWidth : 200, zLabel);
  for (i = 0; i < n; i++) {
    double y = rHigh > rLow ? 37 - 34 * (a[i] - rLow) / (rHigh - rLow) : 20;
    sqlite3_str_appendf(p, " %.1f,%.1f", 200.0 * i / (n - 1), y);
  }
  sqlite3_str_appendall(p, " 200,40\"/><polyline points=\"");
  for (i = 0; i < n; i++) {
    double y = rHigh > rLow ? 37 - 34 * (a[i] - rLow) / (rHigh - rLow) : 20;
    sqlite3_str_appendf(p, " %.1f,%.1f", 200.0 * i / (n - 1), y);
  }
  sqlite3_str_appendall(p, "\"/></svg>");
}

/* How a statement's runs spread over time, by powers of two. */
void perf_page_histogram(sqlite3_str *p, const PerfStats *s) {
  double aBin[PERF_BUCKETS / 8 + 1] = {0}, rMost = 0;
  int i, iFirst = -1, iLast = 0;
  for (i = 0; i < PERF_BUCKETS; i++) {
    aBin[(i + 7) / 8] += (double)s->aBucket[i];
  }
  for (i = 0; i <= PERF_BUCKETS / 8; i++) {
    if (aBin[i] <= 0) continue;
    if (iFirst < 0) iFirst = i;
    iLast = i;
    if (aBin[i] > rMost) rMost = aBin[i];
  }
  if (iFirst < 0) return;
  while (iLast < iFirst + 7) {
    if (iFirst > 0) iFirst--;
    if (iLast < iFirst + 7) iLast++;
  }
  sqlite3_str_appendf(p,
                      "<svg class=bars width=%d height=26 role=img "
                      "aria-label=\"histogram of run times\">",
                      (iLast - iFirst + 1) * 8);
  for (i = iFirst; i <= iLast && i <= PERF_BUCKETS / 8; i++) {
    double h = aBin[i] > 0 ? 3 + 23 * aBin[i] / rMost : 1.5;
    sqlite3_str_appendf(p, "<rect x=%d y=%.1f width=7 height=%.1f rx=1%s />",
                        (i - iFirst) * 8, 26 - h, h,
                        aBin[i] > 0 ? "" : " class=low");
  }
  sqlite3_str_appendall(p, "</svg><span class=axis>");
  perf_page_duration(p, (double)s->nMin / 1e6);
  if (s->nSample > 1) {
    sqlite3_str_appendall(p, " \342\200\223 ");
    perf_page_duration(p, (double)s->nMax / 1e6);
  }
  sqlite3_str_appendall(p, "</span>");
}

/*************************************************************************
** Tables
*/
enum { AS_TEXT, AS_N, AS_BYTES, AS_MS, AS_AGO, AS_SHARE, AS_BAD, AS_STATE };

/* How a column is shown, by its name. */
static int column_kind(sqlite3_stmt *pRow, int iCol) {
  static const char *const azKind[] = {"",    "n",     "bytes", "ms",
                                       "ago", "share", "bad",   "state"};
  const char *z = sqlite3_column_name(pRow, iCol);
  const char *zKind = z ? strchr(z, '|') : NULL;
  int i;
  for (i = 1; zKind && i < ArraySize(azKind); i++) {
    if (strcmp(zKind + 1, azKind[i]) == 0) return i;
  }
  return AS_TEXT;
}

/* Numbers stand on the right. */
static int is_number(int eKind) {
  return eKind != AS_TEXT && eKind != AS_STATE && eKind != AS_AGO;
}

static void put_cell(sqlite3_str *p, sqlite3_stmt *pRow, int i) {
  int eKind = column_kind(pRow, i);
  double r = sqlite3_column_double(pRow, i);
  sqlite3_str_appendall(p, is_number(eKind)  ? "<td class=n>"
                           : eKind == AS_AGO ? "<td class=t>"
                                             : "<td>");
  if (sqlite3_column_type(pRow, i) == SQLITE_NULL) return;
  switch (eKind) {
  case AS_N: perf_page_number(p, r, 0); break;
  case AS_BYTES: perf_page_number(p, r, 1); break;
  case AS_MS: perf_page_duration(p, r); break;
  case AS_AGO:
    perf_page_duration(p, r < 1000 ? 1000 : r);
    sqlite3_str_appendall(p, " ago");
    break;
  case AS_SHARE:
    sqlite3_str_appendf(p, "%.0f\302\240%%", 100 * r);
    perf_page_bar(p, r);
    break;
  case AS_BAD:
    sqlite3_str_appendall(p, r > 0 ? "<b class=bad>" : "");
    perf_page_number(p, r, 0);
    sqlite3_str_appendall(p, r > 0 ? "</b>" : "");
    break;
  case AS_STATE:
    put_state(p, (const char *)sqlite3_column_text(pRow, i));
    break;
  default: perf_page_text(p, (const char *)sqlite3_column_text(pRow, i));
  }
}

static void put_headings(sqlite3_str *p, sqlite3_stmt *pRow) {
  int i;
  sqlite3_str_appendall(p, "<div class=scroll><table><thead><tr>");
  for (i = 0; i < sqlite3_column_count(pRow); i++) {
    const char *z = sqlite3_column_name(pRow, i);
    int eKind = column_kind(pRow, i);
    int n = z ? (int)strcspn(z, "|") : 0;
    sqlite3_str_appendf(p, "<th%s>%.*s", is_number(eKind) ? " class=n" : "", n,
                        z ? z : "");
  }
  sqlite3_str_appendall(p, "</tr></thead><tbody>");
}

/* The rows of a statement, whose ?1 is the time, as a table; how many. */
int perf_page_table(StewardCall *c, sqlite3_str *p, enum StewardSqlId id) {
  sqlite3_stmt *pRow = perf_take_now(c, id);
  int i, nRow = 0;
  while (steward_next(c, pRow)) {
    if (nRow++ == 0) put_headings(p, pRow);
    sqlite3_str_appendall(p, "<tr>");
    for (i = 0; i < sqlite3_column_count(pRow); i++) put_cell(p, pRow, i);
  }
  steward_give(c, id, pRow);
  if (nRow) sqlite3_str_appendall(p, "</tbody></table></div>");
  return nRow;
}
