/*
** health_schema.c - what the schema alone does not tell: columns whose values
** are numbers written as text, and indexes that no statement uses.
**
** Both look at a bounded number of things for a bounded time: 20 rows of each
** of 100 tables, 200 captured statements.
*/
#include <string.h>

#include "health_int.h"

enum { LOOK_US = 15000 };

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

/* Did a step make the table?  What it holds, and what queries need of it, the
** library knows. */
static int is_ours(StewardCall *c, const char *zTable) {
  char *zSet;
  if (!steward_installed(c, "core")) return 0;
  zSet = steward_text(c, SQL_migrate_maker, "t", zTable);
  sqlite3_free(zSet);
  return zSet != NULL;
}

/* Columns without an affinity that hold such, as [[table, column, type,
** condition]]; caller frees. */
char *health_text_numbers(StewardCall *c) {
  i64 iUntil = steward_monotonic_us() + LOOK_US;
  sqlite3_str *pOut = sqlite3_str_new(c->db);
  sqlite3_stmt *pRow = steward_query(c, SQL_health_columns, "");
  list_open(pOut);
  while (steward_next(c, pRow) && steward_monotonic_us() < iUntil) {
    const char *zTable = steward_column(c, pRow, 0);
    const char *zColumn = steward_column(c, pRow, 1);
    const char *zType = steward_column(c, pRow, 2);
    const char *zRowid = (const char *)sqlite3_column_text(pRow, 3);
    char *zIs = number_condition(c, zColumn);
    if (is_text_number(c, zTable, zColumn, zIs, zRowid) &&
        !is_ours(c, zTable)) {
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
  sqlite3_str_appendchar(pOut, 1, ']');
  return steward_str_finish(c, pOut);
}

/* Note the indexes that a statement would use: the word behind INDEX. */
static void note_plan(StewardCall *c, const char *zSql, sqlite3_str *pUsed) {
  sqlite3_stmt *pPlan = NULL;
  /* one that cannot be prepared any more uses nothing */
  if (steward_explain(c, zSql, &pPlan, NULL) == SQLITE_OK) {
    while (pPlan && sqlite3_step(pPlan) == SQLITE_ROW) {
      const char *z = (const char *)sqlite3_column_text(pPlan, 3);
      const char *zIndex = z ? strstr(z, " INDEX ") : NULL;
      if (zIndex) {
        sqlite3_str_appendf(pUsed, "\n%.*s\n", (int)strcspn(zIndex + 7, " "),
                            zIndex + 7);
      }
    }
  }
  sqlite3_finalize(pPlan);
}

/* The indexes that none of the captured statements of this file uses, as
** [[table, index, statements]], when 20 or more were captured; caller frees. */
char *health_unused_indexes(StewardCall *c) {
  i64 iUntil = steward_monotonic_us() + LOOK_US;
  sqlite3_str *pUsed = sqlite3_str_new(c->db), *pOut = sqlite3_str_new(c->db);
  sqlite3_stmt *pRow;
  char *zUsed;
  int n = 0, bAll = 1;
  pRow = steward_query(c, SQL_health_captured, "");
  while (steward_next(c, pRow) && bAll) {
    note_plan(c, steward_column(c, pRow, 0), pUsed);
    n++;
    bAll = steward_monotonic_us() < iUntil;
  }
  steward_give(c, SQL_health_captured, pRow);
  zUsed = steward_str_finish(c, pUsed);
  list_open(pOut);
  if (bAll && n >= 20) {
    pRow = steward_query(c, SQL_health_own_indexes, "");
    while (steward_next(c, pRow) && zUsed) {
      const char *zTable = steward_column(c, pRow, 0);
      const char *zIndex = steward_column(c, pRow, 1);
      char *zLine = steward_mprintf(c, "\n%s\n", zIndex);
      if (zLine && strstr(zUsed, zLine) == NULL && !is_ours(c, zTable)) {
        list_add(pOut, zTable, zIndex);
        sqlite3_str_appendf(pOut, ",%d]", n);
      }
      sqlite3_free(zLine);
    }
    steward_give(c, SQL_health_own_indexes, pRow);
  }
  sqlite3_free(zUsed);
  sqlite3_str_appendchar(pOut, 1, ']');
  return steward_str_finish(c, pOut);
}
