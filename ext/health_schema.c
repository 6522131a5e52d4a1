/*
** health_schema.c - what the schema alone does not tell: columns whose values
** are numbers written as text, and indexes that no statement uses.
**
** Both look at a bounded number of things for a bounded time: 40 rows of each
** of 100 tables, 200 captured statements.  What they cannot know they leave
** out: to drop an index that is used costs more than to keep one that is not.
*/
#include <string.h>
#include <time.h>

#include "health_int.h"
#include "perf_int.h"

/* What it may work, and, where it waits for the disk, how long it may last. */
enum { LOOK_US = 15000, WAIT_US = 30000, STATEMENTS = 200 };

/* The time that this thread has worked: a busy machine looks at as many things.
*/
static i64 worked_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (i64)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void list_open(sqlite3_str *pOut) {
  sqlite3_str_appendchar(pOut, 1, '[');
}

static void list_add(sqlite3_str *pOut, const char *zA, const char *zB) {
  sqlite3_str_appendall(pOut, sqlite3_str_length(pOut) > 1 ? ",[" : "[");
  steward_json_string(pOut, zA, (int)strlen(zA));
  sqlite3_str_appendchar(pOut, 1, ',');
  steward_json_string(pOut, zB, (int)strlen(zB));
}

/* When a value is an integer written as text, and nothing else: no sign or zero
** too many, no blank, none that would be rounded.  The doctor's SQL changes the
** rows for which this is true, so it finds none when it has run.  Caller
** frees. */
static char *number_condition(StewardCall *c, const char *zColumn) {
  return steward_mprintf(
      c,
      "typeof(\"%w\") = 'text' AND length(\"%w\") < 19 AND"
      " CAST(CAST(\"%w\" AS INTEGER) AS TEXT) = \"%w\" COLLATE BINARY",
      zColumn, zColumn, zColumn, zColumn);
}

/* Are all values such, of the first rows (ten of them or more) and of the last?
** zRowid orders them, if it is there. */
static int is_text_number(StewardCall *c, const char *zTable,
                          const char *zColumn, const char *zIs,
                          const char *zRowid) {
  char *zLast = zRowid ? steward_mprintf(c, " ORDER BY %s DESC", zRowid) : NULL;
  int b = (int)steward_exec_int(
      c, 0,
      "SELECT (SELECT count(v) >= 10 AND sum(b) = count(v) FROM"
      "  (SELECT \"%w\" AS v, %s AS b FROM main.\"%w\" LIMIT 20))"
      " AND (SELECT coalesce(sum(b) = count(v), 1) FROM"
      "  (SELECT \"%w\" AS v, %s AS b FROM main.\"%w\"%s LIMIT 20))",
      zColumn, zIs, zTable, zColumn, zIs, zTable, zLast ? zLast : "");
  sqlite3_free(zLast);
  return b;
}

/* What steps have made, as JSON; NULL: nothing.  Caller frees. */
static char *made_names(StewardCall *c) {
  return steward_installed(c, "core") ? steward_text(c, SQL_health_made, "")
                                      : NULL;
}

/* The archives of expiry, as JSON; NULL: none.  ttl_attach() makes them, and a
** row may come to one twice.  Caller frees. */
char *health_archives(StewardCall *c) {
  return steward_installed(c, "core") ? steward_text(c, SQL_health_archives, "")
                                      : steward_mprintf(c, "[]");
}

/* Columns without an affinity that hold such, as [[table, column, type,
** condition]]; caller frees. */
char *health_text_numbers(StewardCall *c) {
  i64 iWorked = 0, iUntil = 0; /* not before there is a column to look at */
  sqlite3_str *pOut = sqlite3_str_new(c->db);
  char *zMade = made_names(c);
  sqlite3_stmt *pRow = steward_query(c, SQL_health_columns, "t", zMade);
  list_open(pOut);
  while ((iUntil == 0 ||
          (worked_us() < iWorked && steward_monotonic_us() < iUntil)) &&
         steward_next(c, pRow)) {
    const char *zTable = steward_column(c, pRow, 0);
    const char *zColumn = steward_column(c, pRow, 1);
    const char *zType = steward_column(c, pRow, 2);
    const char *zRowid = (const char *)sqlite3_column_text(pRow, 3);
    char *zIs = number_condition(c, zColumn);
    if (iUntil == 0) {
      iUntil = steward_monotonic_us() + WAIT_US;
      iWorked = worked_us() + LOOK_US;
    }
    if (is_text_number(c, zTable, zColumn, zIs, zRowid)) {
      list_add(pOut, zTable, zColumn);
      sqlite3_str_appendchar(pOut, 1, ',');
      steward_json_string(pOut, zType, (int)strlen(zType));
      sqlite3_str_appendchar(pOut, 1, ',');
      steward_json_string(pOut, zIs, (int)strlen(zIs));
      sqlite3_str_appendchar(pOut, 1, ']');
    }
    sqlite3_free(zIs);
  }
  steward_give(c, SQL_health_columns, pRow);
  sqlite3_free(zMade);
  sqlite3_str_appendchar(pOut, 1, ']');
  return steward_str_finish(c, pOut);
}

/* Note what the plan of a statement says, a line for each step.  0: it cannot
** be prepared, so nobody knows what it uses. */
static int note_plan(StewardCall *c, const char *zSql, sqlite3_str *pUsed) {
  sqlite3_stmt *pPlan = NULL;
  int rc = steward_explain(c, zSql, &pPlan, NULL);
  if (pPlan) rc = sqlite3_step(pPlan);
  while (pPlan && rc == SQLITE_ROW) {
    const char *z = (const char *)sqlite3_column_text(pPlan, 3);
    sqlite3_str_appendf(pUsed, "%s\n", z ? z : "");
    rc = sqlite3_step(pPlan);
  }
  sqlite3_finalize(pPlan);
  if (rc == SQLITE_NOMEM) steward_fail_nomem(c);
  if (rc == SQLITE_INTERRUPT) steward_fail_rc(c, rc, "interrupted");
  return rc == SQLITE_DONE;
}

/* What the plans of the captured statements of this file say; NULL when they do
** not tell everything: fewer than 20 were captured, more than STATEMENTS, some
** were lost, one says too little.  Caller frees. */
static char *captured_plans(StewardCall *c, i64 *pn /* OUT */,
                            int *pbPattern /* OUT */) {
  i64 iUntil = worked_us() + LOOK_US;
  sqlite3_str *pUsed = sqlite3_str_new(c->db);
  sqlite3_stmt *pRow;
  PerfInfo info;
  char *zUsed;
  int bAll;
  perf_store_info(&info);
  bAll = info.nEvicted == 0 && info.nLost == 0;
  *pn = 0;
  *pbPattern = 0;
  pRow = bAll ? steward_query(c, SQL_health_captured, "") : NULL;
  while (bAll && steward_next(c, pRow)) {
    *pn = sqlite3_column_int64(pRow, 0);
    *pbPattern |= sqlite3_column_int(pRow, 2);
    bAll = *pn <= STATEMENTS && !sqlite3_column_int(pRow, 3) &&
           note_plan(c, steward_column(c, pRow, 1), pUsed) &&
           worked_us() < iUntil;
  }
  steward_give(c, SQL_health_captured, pRow);
  zUsed = steward_str_finish(c, pUsed);
  if (bAll && *pn >= 20) return zUsed;
  sqlite3_free(zUsed);
  return NULL;
}

/* The indexes that none of the captured statements of this file uses, as
** [[table, index, statements]], as far as they tell; caller frees. */
char *health_unused_indexes(StewardCall *c) {
  i64 n;
  sqlite3_str *pOut = sqlite3_str_new(c->db);
  int bPattern;
  char *zUsed = captured_plans(c, &n, &bPattern);
  list_open(pOut);
  if (zUsed) {
    char *zMade = made_names(c);
    sqlite3_stmt *pRow =
        steward_query(c, SQL_health_unused, "ttl", zMade, zUsed, (i64)bPattern);
    while (steward_next(c, pRow)) {
      list_add(pOut, steward_column(c, pRow, 0), steward_column(c, pRow, 1));
      sqlite3_str_appendf(pOut, ",%lld]", n);
    }
    steward_give(c, SQL_health_unused, pRow);
    sqlite3_free(zMade);
  }
  sqlite3_free(zUsed);
  sqlite3_str_appendchar(pOut, 1, ']');
  return steward_str_finish(c, pOut);
}
