/*
** introspect.c - facts about the application's tables.
**
** Verbs that take a table's name look it up here, in schema main, before they
** write SQL that contains it; names are always quoted with %w or %Q.
*/
#include <string.h>

#include "steward_int.h"

void steward_table_info_free(StewardTableInfo *pInfo) {
  int i;
  for (i = 0; i < pInfo->nCol; i++) {
    sqlite3_free(pInfo->aCol[i].zName);
    sqlite3_free(pInfo->aCol[i].zType);
  }
  sqlite3_free(pInfo->aCol);
  sqlite3_free(pInfo->zName);
  memset(pInfo, 0, sizeof(*pInfo));
}

/* Collect column 0 of a query as texts; caller frees each and the array. */
static int collect_names(StewardCall *c, enum StewardSqlId id,
                         char ***pazName) {
  sqlite3_stmt *pStmt = steward_query(c, id, "");
  char **az = NULL;
  int n = 0;
  while (steward_next(c, pStmt)) {
    char **azNew = sqlite3_realloc64(az, sizeof(char *) * (size_t)(n + 1));
    if (azNew == NULL) {
      steward_fail_nomem(c);
      break;
    }
    az = azNew;
    az[n] = steward_mprintf(c, "%s", sqlite3_column_text(pStmt, 0));
    if (az[n]) n++;
  }
  steward_give(c, id, pStmt);
  *pazName = az;
  return n;
}

static void fail_no_table(StewardCall *c, const char *zTable) {
  char **azName = NULL;
  int i, n = collect_names(c, SQL_introspect_tables, &azName);
  const char *zNear = steward_nearest(zTable, (const char *const *)azName, n);
  if (zNear) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "no table '%s' in main: did you mean '%s'?", zTable, zNear);
  } else {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "no table '%s' in main: name an ordinary table", zTable);
  }
  for (i = 0; i < n; i++) sqlite3_free(azName[i]);
  sqlite3_free(azName);
}

static void add_column(StewardCall *c, StewardTableInfo *pInfo,
                       sqlite3_stmt *pStmt) {
  StewardColumn *aNew = sqlite3_realloc64(
      pInfo->aCol, sizeof(StewardColumn) * (size_t)(pInfo->nCol + 1));
  StewardColumn *pCol;
  if (aNew == NULL) {
    steward_fail_nomem(c);
    return;
  }
  pInfo->aCol = aNew;
  pCol = &aNew[pInfo->nCol++];
  memset(pCol, 0, sizeof(*pCol));
  pCol->zName = steward_mprintf(c, "%s", sqlite3_column_text(pStmt, 0));
  pCol->zType = steward_mprintf(c, "%s", sqlite3_column_text(pStmt, 1));
  pCol->bNotNull = sqlite3_column_int(pStmt, 2);
  pCol->iPk = sqlite3_column_int(pStmt, 3);
  pCol->bHidden = sqlite3_column_int(pStmt, 4);
}

/* Columns and kind of an ordinary table of main; NOT_FOUND names the nearest.
** Free the result also after a failure. */
void steward_table_info(StewardCall *c, const char *zTable,
                        StewardTableInfo *pInfo /* OUT */) {
  sqlite3_stmt *pStmt;
  memset(pInfo, 0, sizeof(*pInfo));
  if (zTable == NULL) steward_fail_nomem(c); /* a column without memory */
  pStmt = steward_query(c, SQL_introspect_table, "t", zTable);
  if (steward_next(c, pStmt)) {
    pInfo->zName = steward_mprintf(c, "%s", sqlite3_column_text(pStmt, 0));
    pInfo->bWithoutRowid = sqlite3_column_int(pStmt, 1);
  }
  steward_give(c, SQL_introspect_table, pStmt);
  if (c->rc == SQLITE_OK && pInfo->zName == NULL) {
    fail_no_table(c, zTable);
    return;
  }
  pStmt = steward_query(c, SQL_introspect_columns, "t", zTable);
  while (steward_next(c, pStmt)) add_column(c, pInfo, pStmt);
  steward_give(c, SQL_introspect_columns, pStmt);
}

/* Index of a column by name, ignoring case as SQLite does; -1 when none. */
int steward_column_index(const StewardTableInfo *pInfo, const char *zColumn) {
  int i;
  for (i = 0; i < pInfo->nCol; i++) {
    if (sqlite3_stricmp(pInfo->aCol[i].zName, zColumn) == 0) return i;
  }
  return -1;
}

/* The same, but a missing column is an error that names what exists. */
int steward_require_column(StewardCall *c, const StewardTableInfo *pInfo,
                           const char *zColumn) {
  sqlite3_str *pList;
  char *zList;
  int i = c->rc ? -1 : steward_column_index(pInfo, zColumn);
  if (i >= 0 || c->rc) return i;
  pList = sqlite3_str_new(c->db);
  for (i = 0; i < pInfo->nCol; i++) {
    sqlite3_str_appendf(pList, "%s%s", i ? ", " : "", pInfo->aCol[i].zName);
  }
  zList = sqlite3_str_finish(pList);
  if (zList == NULL) steward_fail_nomem(c);
  steward_fail(c, STEWARD_NOT_FOUND, "no column '%s' in table '%s': it has %s",
               zColumn, pInfo->zName, zList);
  sqlite3_free(zList);
  return -1;
}

/* The column that is the rowid: the only one of the key, declared INTEGER. */
static const char *rowid_column(const StewardTableInfo *pInfo) {
  const char *zName = NULL;
  int i, nKey = 0;
  for (i = 0; i < pInfo->nCol; i++) {
    if (pInfo->aCol[i].iPk == 0) continue;
    nKey++;
    if (sqlite3_stricmp(pInfo->aCol[i].zType, "INTEGER") == 0) {
      zName = pInfo->aCol[i].zName;
    }
  }
  return nKey == 1 ? zName : NULL;
}

/* A name of the rowid that no other column of the table has taken. */
static const char *rowid_name(StewardCall *c, const StewardTableInfo *pInfo) {
  static const char *const azName[] = {"rowid", "_rowid_", "oid"};
  const char *zColumn = rowid_column(pInfo);
  int i;
  if (zColumn) return zColumn;
  for (i = 0; i < ArraySize(azName); i++) {
    if (steward_column_index(pInfo, azName[i]) < 0) return azName[i];
  }
  steward_fail(c, STEWARD_UNSUPPORTED,
               "table '%s' has columns called rowid, _rowid_ and oid, which "
               "hide what tells its rows apart: rename one",
               pInfo->zName);
  return "";
}

/* The values of n columns of a row, from the iFrom-th on, as a list in SQL.
** Caller frees. */
char *steward_literals(StewardCall *c, sqlite3_stmt *pRow, int iFrom, int n) {
  sqlite3_str *pList = sqlite3_str_new(c->db);
  int i;
  for (i = 0; i < n && c->rc == SQLITE_OK; i++) {
    char *z = steward_text(c, SQL_introspect_literal, "v",
                           sqlite3_column_value(pRow, iFrom + i));
    sqlite3_str_appendf(pList, "%s%s", i ? ", " : "", z ? z : "");
    sqlite3_free(z);
  }
  return steward_str_finish(c, pList);
}

/* What identifies a row: `rowid`, or the quoted primary key columns of a
** WITHOUT ROWID table, each behind zPrefix.  Caller frees. */
char *steward_key_list(StewardCall *c, const StewardTableInfo *pInfo,
                       const char *zPrefix) {
  sqlite3_str *pList;
  char *zList;
  int i, iPk, n = 0;
  if (c->rc) return NULL;
  if (!pInfo->bWithoutRowid) {
    const char *zRowid = rowid_name(c, pInfo);
    return steward_mprintf(c, "%s\"%w\"", zPrefix, zRowid);
  }
  pList = sqlite3_str_new(c->db);
  for (iPk = 1; iPk <= pInfo->nCol; iPk++) {
    for (i = 0; i < pInfo->nCol; i++) {
      if (pInfo->aCol[i].iPk != iPk) continue;
      sqlite3_str_appendf(pList, "%s%s\"%w\"", n++ ? ", " : "", zPrefix,
                          pInfo->aCol[i].zName);
    }
  }
  zList = sqlite3_str_finish(pList);
  if (zList == NULL) steward_fail_nomem(c);
  return zList;
}

/* A name as it may be written in SQL, without its quotes; caller frees. */
char *steward_unquote(StewardCall *c, const char *z) {
  static const char zOpen[] = "\"'`[", zClose[] = "\"'`]";
  const char *zAt = z[0] ? strchr(zOpen, z[0]) : NULL;
  size_t i, n = strlen(z);
  char cEnd;
  sqlite3_str *p;
  if (zAt == NULL || n < 2 || z[n - 1] != zClose[zAt - zOpen]) {
    return steward_mprintf(c, "%s", z);
  }
  cEnd = z[n - 1];
  p = sqlite3_str_new(c->db);
  for (i = 1; i < n - 1; i++) {
    if (z[i] == cEnd && cEnd != ']') i++;
    sqlite3_str_appendchar(p, 1, z[i]);
  }
  return steward_str_finish(c, p);
}

/* Prepare EXPLAIN QUERY PLAN of the first statement of a text; the caller
** finalizes it.  pzTail, if it is not NULL: what of the text is behind that
** statement.  Returns SQLite's code, of which only want of memory fails the
** call. */
int steward_explain(StewardCall *c, const char *zSql,
                    sqlite3_stmt **ppPlan /* OUT */,
                    const char **pzTail /* OUT */) {
  static const char zExplain[] = "EXPLAIN QUERY PLAN ";
  const char *zTail = NULL;
  char *z;
  int rc = c->rc;
  *ppPlan = NULL;
  if (pzTail) *pzTail = "";
  if (rc) return rc;
  z = steward_mprintf(c, "%s%s", zExplain, zSql);
  if (z == NULL) return SQLITE_NOMEM;
  rc = sqlite3_prepare_v2(c->db, z, -1, ppPlan, &zTail);
  if (rc == SQLITE_NOMEM) steward_fail_nomem(c);
  if (rc == SQLITE_OK && pzTail) {
    *pzTail = zSql + (zTail - z) - (sizeof(zExplain) - 1);
  }
  sqlite3_free(z);
  return rc;
}
