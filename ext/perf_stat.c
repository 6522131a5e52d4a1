/*
** perf_stat.c - percentiles and histograms of any column.
**
**     SELECT perf_percentile(ms, 0.99), perf_histogram(ms) FROM requests;
**
** The first EXACT values are kept and the answer is exact.  Beyond, values are
** counted by sign, exponent and the first five bits behind it (half a megabyte,
** whatever comes), and an answer is within 1.6 % of the value that it stands
** for.
*/
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "perf_int.h"

enum { EXACT = 10000, CELL_BITS = 17, CELLS = 1 << CELL_BITS };

typedef struct Values {
  i64 n;
  int nAlloc;
  double *a;       /* the values, until there are too many; owned */
  uint32_t *aCell; /* then how many fell into each cell; owned */
  double rShare;   /* the percentile asked for */
  double rMin, rMax;
  int bFailed;
} Values;

/* Cells are in the order of the values that they stand for. */
static int cell_of(double r) {
  u64 bits;
  int i;
  memcpy(&bits, &r, sizeof(bits));
  i = (int)(bits >> (64 - CELL_BITS)); /* sign, 11 bits, 5 bits */
  return i & (CELLS / 2) ? CELLS - 1 - i : CELLS / 2 + i;
}

/* The middle of a cell. */
static double cell_value(int i) {
  u64 bits;
  double r;
  if (i == CELLS / 2 || i == CELLS / 2 - 1) return 0; /* zero, or next to it */
  bits = (u64)(i >= CELLS / 2 ? i - CELLS / 2 : CELLS - 1 - i);
  bits = bits << (64 - CELL_BITS) | (u64)1 << (63 - CELL_BITS);
  memcpy(&r, &bits, sizeof(r));
  return r;
}

static int to_cells(Values *p) {
  i64 i;
  p->aCell = sqlite3_malloc64(sizeof(*p->aCell) * CELLS);
  if (p->aCell == NULL) return SQLITE_NOMEM;
  memset(p->aCell, 0, sizeof(*p->aCell) * CELLS);
  for (i = 0; i < p->n; i++) p->aCell[cell_of(p->a[i])]++;
  sqlite3_free(p->a);
  p->a = NULL;
  return SQLITE_OK;
}

static int add_value(Values *p, double r) {
  if (p->aCell == NULL && p->n == EXACT && to_cells(p)) return SQLITE_NOMEM;
  if (p->aCell == NULL && p->n == p->nAlloc) {
    int nAlloc = p->nAlloc ? p->nAlloc * 4 : 64;
    double *a = sqlite3_realloc64(p->a, sizeof(*a) * (size_t)nAlloc);
    if (a == NULL) return SQLITE_NOMEM;
    p->a = a;
    p->nAlloc = nAlloc;
  }
  if (p->n == 0 || r < p->rMin) p->rMin = r;
  if (p->n == 0 || r > p->rMax) p->rMax = r;
  if (p->aCell) {
    p->aCell[cell_of(r)]++;
  } else {
    p->a[p->n] = r;
  }
  p->n++;
  return SQLITE_OK;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* A step's value; NULL when it is none or the aggregate has failed. */
static Values *values_step(sqlite3_context *ctx, const char *zFunc,
                           sqlite3_value *v) {
  Values *p = sqlite3_aggregate_context(ctx, sizeof(Values));
  StewardCall c = {.p = sqlite3_user_data(ctx), .ctx = ctx, .zFunc = zFunc};
  double r;
  if (p == NULL) {
    sqlite3_result_error_nomem(ctx);
    return NULL;
  }
  if (p->bFailed || sqlite3_value_type(v) == SQLITE_NULL) return p;
  c.db = c.p->db;
  r = steward_arg_real(&c, v, "value");
  if (c.rc == SQLITE_OK && add_value(p, r)) steward_fail_nomem(&c);
  p->bFailed = c.rc != SQLITE_OK;
  return steward_close(&c) ? NULL : p;
}

static void values_free(Values *p) {
  if (p == NULL) return;
  sqlite3_free(p->a);
  sqlite3_free(p->aCell);
}

/* perf_percentile(value REAL, share REAL) -> REAL     innocuous
** Aggregate: the value that the share (0 to 1) of all values does not exceed,
** interpolated between two.  Exact up to 10,000 values, beyond within 1.6 %.
** NULLs do not count; NULL when there is no value.
** Errors: "INVALID_ARGUMENT: perf_percentile: value must be a finite number,
**   got 'x'"; "... share must be within 0..1, got 95.0".
** Source: percentile_cont of SQL.
** Example: SELECT perf_percentile(4, 0.5); -- 4.0
**   SELECT perf_percentile(value, 0.5) FROM json_each('[1,2,3,10]'); -- 2.5
*/
static void percentile_step(sqlite3_context *ctx, int argc,
                            sqlite3_value **argv) {
  Values *p = values_step(ctx, "perf_percentile", argv[0]);
  double r;
  int eType;
  if (p == NULL || p->bFailed) return;
  r = sqlite3_value_double(argv[1]);
  eType = sqlite3_value_numeric_type(argv[1]);
  if (!(r >= 0 && r <= 1) ||
      (eType != SQLITE_INTEGER && eType != SQLITE_FLOAT)) {
    StewardCall c = {.p = sqlite3_user_data(ctx), .ctx = ctx};
    c.zFunc = "perf_percentile";
    c.db = c.p->db;
    steward_fail_argument(&c, argv[1], "share", "within 0..1");
    p->bFailed = 1;
    steward_close(&c);
    return;
  }
  p->rShare = r;
}

/* r without what rounding has added to it. */
static double within(double rMin, double rMax, double r) {
  return r < rMin ? rMin : r > rMax ? rMax : r;
}

static double cell_percentile(const Values *p, double rRank) {
  double rSeen = 0;
  int i;
  for (i = 0; i < CELLS - 1; i++) {
    rSeen += p->aCell[i];
    if (rSeen > rRank) break;
  }
  return within(p->rMin, p->rMax, cell_value(i));
}

static void percentile_final(sqlite3_context *ctx) {
  Values *p = sqlite3_aggregate_context(ctx, 0);
  if (p && p->n > 0 && !p->bFailed) {
    double rRank = p->rShare * (double)(p->n - 1);
    i64 i = (i64)rRank;
    if (p->aCell) {
      sqlite3_result_double(ctx, cell_percentile(p, rRank));
    } else {
      double rPart = rRank - (double)i, rLow, rHigh;
      qsort(p->a, (size_t)p->n, sizeof(double), by_value);
      rLow = p->a[i];
      rHigh = p->a[i + 1 < p->n ? i + 1 : i];
      sqlite3_result_double(
          ctx, within(rLow, rHigh, rLow * (1 - rPart) + rHigh * rPart));
    }
  }
  values_free(p);
}

/* perf_histogram(value REAL) -> TEXT, JSON     innocuous
** Aggregate: [[bound, count], ...], how many values are above the bound before
** and at most this one; bounds are 1, 2 and 5 times the powers of ten and the
** largest number, and what is empty is left out.  Exact up to 10,000 values;
** beyond, values within 1.6 % of a bound may count on its other side.  NULLs do
** not count; NULL when there is no value.
** Errors: "INVALID_ARGUMENT: perf_histogram: value must be a finite number, got
**   'x'".
** Source: histograms of pg_stat_monitor.
** Example: SELECT perf_histogram(4); -- [[5,1]]
**   SELECT perf_histogram(value) FROM json_each('[1,2,3,10]');
**   -- [[1,1],[2,1],[5,1],[10,1]]
*/
static void histogram_step(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  values_step(ctx, "perf_histogram", argv[0]);
}

/* The bound of r: -20 for -25, 0 for 0, 5 for 3.  Read as a decimal number: a
** product may be the one next to it, with r on its wrong side. */
static double bound_of(double r) {
  static const int aStep[] = {1, 2, 5};
  double rAbs = fabs(r), rBelow = 0, rBound = 0;
  char zBound[32];
  int i, iPower;
  if (r == 0) return 0;
  iPower = (int)floor(log10(rAbs)) - 1;
  for (i = 0; rBound < rAbs; i++) {
    rBelow = rBound;
    sqlite3_snprintf(sizeof(zBound), zBound, "%de%d", aStep[i % 3],
                     iPower + i / 3);
    rBound = strtod(zBound, NULL);
  }
  if (rBound == rAbs) return r;
  if (r > 0) return rBound;
  return rBelow > 0 ? -rBelow : 0;
}

/* A bound and how many values it has; there is one above all numbers. */
static void put_bound(sqlite3_str *p, double rBound, i64 n, int bFirst) {
  sqlite3_str_appendall(p, bFirst ? "[" : ",");
  if (isinf(rBound)) {
    sqlite3_str_appendf(p, "[1.7976931348623157e+308,%lld]", n);
  } else {
    sqlite3_str_appendf(p, "[%g,%lld]", rBound, n);
  }
}

static void histogram_final(sqlite3_context *ctx) {
  Values *p = sqlite3_aggregate_context(ctx, 0);
  sqlite3_str *pJson;
  double rBound = 0;
  i64 i, n, nHere = 0;
  int nPrinted = 0;
  StewardCall c = {.p = sqlite3_user_data(ctx), .ctx = ctx};
  char *zJson;
  if (p == NULL || p->bFailed || p->n == 0) {
    values_free(p);
    return;
  }
  pJson = sqlite3_str_new(c.p->db);
  if (p->a) qsort(p->a, (size_t)p->n, sizeof(double), by_value);
  n = p->aCell ? CELLS : p->n;
  for (i = 0; i < n; i++) {
    i64 nValue = p->aCell ? p->aCell[i] : 1;
    double r;
    if (nValue == 0) continue;
    r = p->aCell ? cell_value((int)i) : p->a[i];
    if (nHere > 0 && r > rBound) {
      put_bound(pJson, rBound, nHere, nPrinted++ == 0);
      nHere = 0;
    }
    if (nHere == 0) rBound = bound_of(r);
    nHere += nValue;
  }
  if (nHere > 0) put_bound(pJson, rBound, nHere, nPrinted == 0);
  sqlite3_str_appendall(pJson, "]");
  values_free(p);
  zJson = steward_str_finish(&c, pJson);
  steward_close_json(&c, zJson);
}

int perf_stat_register(Steward *p) {
  int rc = steward_register_aggregate(p, "perf_percentile", 2, percentile_step,
                                      percentile_final);
  if (rc == SQLITE_OK) {
    rc = steward_register_aggregate(p, "perf_histogram", 1, histogram_step,
                                    histogram_final);
  }
  return rc;
}
