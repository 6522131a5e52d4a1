/*
** delta.c - overlays: base rows, sparse delta rows over them, and what a row
** reads as.
**
** A table of overlays has
**
**     a key              one column, unique, which the parent column refers to
**     a parent column    a foreign key to the table itself; of several the one
**                        whose name begins with `parent` (prev and next, the
**                        list of a request's headers, are such keys too)
**     a flag             is_delta: 1 in a delta row; 0 or NULL in a base row,
**                        whatever its parent column says
**     overlay columns    delta_x for a column x
**     a scope            workspace_id, if there is one: a chain stays in it
**
** `http` and its child tables follow it; so does any table of this shape.
**
** Resolving goes from the row asked for up to its base.  Of each overlay column
** the value nearest to the row asked for counts; NULL inherits, and so '' and 0
** are values.  Everything else is the base's: a delta row's own plain columns
** are stale copies and never read, and a base row's own delta_x mean nothing.
**
** The walk costs what the chain is long: a row by its key at a time, never the
** descendants of the base, and the plan has nothing that statistics change
** (the recursive query of the streaming seed begins to scan the table after
** ANALYZE).  The statement of the first row stays open during the walk, so
** that all of it reads one state of the database, also in autocommit.
**
**     SELECT migrate_up('http');
**     SELECT delta_resolve('http', id) FROM http WHERE is_delta;
**     SELECT delta_resolve('http_header', '{"$blob":"018f..."}') ->> 'enabled';
**
** This file only reads.
*/
#include <string.h>

#include "steward_int.h"

/* What is made of a table's schema, kept from call to call. */
typedef struct DeltaColumn {
  char *zMember;         /* `"name":`, owned */
  int bOverlay;          /* there is a delta_<name> */
  sqlite3_value *pValue; /* while a chain is walked: the overlay's value */
  int bOwned;            /* pValue is a copy */
} DeltaColumn;

typedef struct DeltaForm {
  StewardForm base;    /* must be first */
  sqlite3_stmt *pLeaf; /* the row asked for; open until the end of the walk */
  sqlite3_stmt *pUp;   /* the rows above it, one after the other */
  char *zKey;          /* names of columns, owned */
  char *zParent;
  char *zFlag;
  char *zScope;  /* or NULL */
  char *zSource; /* `"source":` */
  int nColumn;
  DeltaColumn *aColumn;
} DeltaForm;

/* Columns of pLeaf and pUp; the result's columns begin at ROW_VALUE. */
enum { ROW_KEY, ROW_PARENT, ROW_FLAG, ROW_SCOPE, ROW_VALUE };

enum { RESOLVE_DEPTH_LIMIT = 1000 }; /* above any delta_max_depth */

static const char *const azHttpTable[] = {
    "http",           "http_search_param",    "http_header",
    "http_body_form", "http_body_urlencoded", "http_body_raw",
    "http_assert"};

/*************************************************************************
** The form of a table
*/
static void delta_form_free(StewardForm *pForm) {
  DeltaForm *f = (DeltaForm *)pForm;
  int i;
  if (f == NULL) return;
  sqlite3_finalize(f->pLeaf);
  sqlite3_finalize(f->pUp);
  for (i = 0; i < f->nColumn; i++) sqlite3_free(f->aColumn[i].zMember);
  sqlite3_free(f->aColumn);
  sqlite3_free(f->zKey);
  sqlite3_free(f->zParent);
  sqlite3_free(f->zFlag);
  sqlite3_free(f->zScope);
  sqlite3_free(f->zSource);
  sqlite3_free(f->base.zTable);
  sqlite3_free(f);
}

/* The overlay column of aCol[i]; -1 when it has none. */
static int overlay_of(const StewardTableInfo *pInfo, int i) {
  int k;
  for (k = 0; k < pInfo->nCol; k++) {
    const char *z = pInfo->aCol[k].zName;
    if (sqlite3_strnicmp(z, "delta_", 6) == 0 &&
        sqlite3_stricmp(z + 6, pInfo->aCol[i].zName) == 0) {
      return k;
    }
  }
  return -1;
}

/* Is aCol[i] the overlay column of another one? */
static int is_overlay(const StewardTableInfo *pInfo, int i) {
  const char *z = pInfo->aCol[i].zName;
  return sqlite3_strnicmp(z, "delta_", 6) == 0 &&
         steward_column_index(pInfo, z + 6) >= 0;
}

/* The column that a foreign key refers to when it names none. */
static const char *primary_key(const StewardTableInfo *pInfo) {
  int i;
  for (i = 0; i < pInfo->nCol; i++) {
    if (pInfo->aCol[i].iPk == 1) return pInfo->aCol[i].zName;
  }
  return "rowid";
}

/* Find the parent column and the key; zParent stays NULL when there is none.
** Several that could be it are refused. */
static void find_parent(StewardCall *c, DeltaForm *f,
                        const StewardTableInfo *pInfo) {
  sqlite3_stmt *pStmt =
      steward_query(c, SQL_delta_self_references, "t", f->base.zTable);
  sqlite3_str *pNames = sqlite3_str_new(c->db);
  int nKey = 0, nParent = 0;
  char *zNames;
  while (steward_next(c, pStmt)) {
    const char *zFrom = (const char *)sqlite3_column_text(pStmt, 0);
    const char *zTo = (const char *)sqlite3_column_text(pStmt, 1);
    if (zTo == NULL) zTo = primary_key(pInfo);
    if (nKey++ == 0) {
      f->zParent = steward_mprintf(c, "%s", zFrom);
      f->zKey = steward_mprintf(c, "%s", zTo);
    }
    nParent += sqlite3_column_int(pStmt, 2);
    sqlite3_str_appendf(pNames, "%s%s", nKey > 1 ? ", " : "", zFrom);
  }
  steward_give(c, SQL_delta_self_references, pStmt);
  zNames = steward_str_finish(c, pNames);
  if (nKey > 1 && nParent != 1) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' refers to itself by %s: give the name of the one "
                 "that leads to the parent row, and of no other, the beginning "
                 "'parent'",
                 f->base.zTable, zNames);
  }
  sqlite3_free(zNames);
}

/* Refuse a table that does not follow the convention, saying what it lacks. */
static void check_shape(StewardCall *c, DeltaForm *f,
                        const StewardTableInfo *pInfo) {
  int i, nOverlay = 0;
  char *zLacks;
  sqlite3_str *pLacks;
  if (c->rc) return;
  for (i = 0; i < pInfo->nCol; i++) nOverlay += is_overlay(pInfo, i);
  if (f->zParent && f->zFlag && nOverlay) return;
  pLacks = sqlite3_str_new(c->db);
  if (f->zParent == NULL) {
    sqlite3_str_appendall(pLacks, ", a foreign key of one column to itself");
  }
  if (f->zFlag == NULL) sqlite3_str_appendall(pLacks, ", a column is_delta");
  if (nOverlay == 0) {
    sqlite3_str_appendall(pLacks, ", a column delta_x for any column x");
  }
  zLacks = steward_str_finish(c, pLacks);
  steward_fail(c, STEWARD_INVALID_ARGUMENT,
               "table '%s' holds no deltas, it lacks %s: name a table like "
               "http",
               f->base.zTable, zLacks ? zLacks + 2 : "");
  sqlite3_free(zLacks);
}

/* The walk seeks rows by the key: it must be unique by itself. */
static void check_key(StewardCall *c, const DeltaForm *f,
                      const StewardTableInfo *pInfo) {
  const char *zCollation = NULL;
  int i = steward_require_column(c, pInfo, f->zKey);
  int k, nPk = 0;
  if (c->rc) return;
  for (k = 0; k < pInfo->nCol; k++) nPk += pInfo->aCol[k].iPk > 0;
  if (nPk == 1 && pInfo->aCol[i].iPk) return;
  sqlite3_table_column_metadata(c->db, "main", f->base.zTable, f->zKey, NULL,
                                &zCollation, NULL, NULL, NULL);
  if (steward_int(c, SQL_delta_unique_index, 0, "ttt", f->base.zTable, f->zKey,
                  zCollation) == 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "the key '%s' of table '%s' is not unique: create a unique "
                 "index on it",
                 f->zKey, f->base.zTable);
  }
}

/* Column iCol as it stands in a result, and what a row tells of it: a base its
** value, a delta its overlay.  A delta's own copy is not even read. */
static void add_column(StewardCall *c, DeltaForm *f, sqlite3_str *pSql,
                       const StewardTableInfo *pInfo, int iCol) {
  const char *zName = pInfo->aCol[iCol].zName;
  int iOverlay = overlay_of(pInfo, iCol);
  DeltaColumn *pColumn = &f->aColumn[f->nColumn++];
  sqlite3_str *pMember = sqlite3_str_new(c->db);
  steward_json_string(pMember, zName, (int)strlen(zName));
  sqlite3_str_appendchar(pMember, 1, ':');
  pColumn->zMember = steward_str_finish(c, pMember);
  pColumn->bOverlay = iOverlay >= 0;
  sqlite3_str_appendf(pSql, ", CASE \"%w\" WHEN 1 THEN ", f->zFlag);
  if (iOverlay >= 0) {
    sqlite3_str_appendf(pSql, "\"%w\"", pInfo->aCol[iOverlay].zName);
  } else {
    sqlite3_str_appendall(pSql, "NULL");
  }
  sqlite3_str_appendf(pSql, " ELSE \"%w\" END", zName);
}

/* Prepare the statement that reads a row by its key, twice. */
static void prepare_rows(StewardCall *c, DeltaForm *f,
                         const StewardTableInfo *pInfo) {
  sqlite3_str *pSql;
  char *zSql;
  int i, rc = SQLITE_OK;
  if (c->rc) return;
  f->aColumn = sqlite3_malloc64(sizeof(DeltaColumn) * (size_t)pInfo->nCol);
  if (f->aColumn == NULL) {
    steward_fail_nomem(c);
    return;
  }
  memset(f->aColumn, 0, sizeof(DeltaColumn) * (size_t)pInfo->nCol);
  pSql = sqlite3_str_new(c->db);
  sqlite3_str_appendf(pSql, "SELECT \"%w\", \"%w\", \"%w\", ", f->zKey,
                      f->zParent, f->zFlag);
  if (f->zScope) {
    sqlite3_str_appendf(pSql, "\"%w\"", f->zScope);
  } else {
    sqlite3_str_appendall(pSql, "NULL");
  }
  for (i = 0; i < pInfo->nCol; i++) {
    const char *zName = pInfo->aCol[i].zName;
    if (is_overlay(pInfo, i) || sqlite3_stricmp(zName, f->zFlag) == 0 ||
        sqlite3_stricmp(zName, f->zParent) == 0) {
      continue;
    }
    add_column(c, f, pSql, pInfo, i);
  }
  sqlite3_str_appendf(pSql, " FROM main.\"%w\" WHERE \"%w\" = ?1",
                      f->base.zTable, f->zKey);
  zSql = steward_str_finish(c, pSql);
  for (i = 0; i < 2 && c->rc == SQLITE_OK; i++) {
    rc = sqlite3_prepare_v3(c->db, zSql, -1, SQLITE_PREPARE_PERSISTENT,
                            i ? &f->pUp : &f->pLeaf, NULL);
    if (rc) steward_fail_db(c, rc);
  }
  sqlite3_free(zSql);
}

/* `http` before migrate_up('http') is better told so than NOT_FOUND. */
static void check_http(StewardCall *c, const char *zTable) {
  int i;
  for (i = 0; i < ArraySize(azHttpTable); i++) {
    if (sqlite3_stricmp(zTable, azHttpTable[i]) == 0 &&
        steward_int(c, SQL_delta_table_exists, 0, "t", zTable) == 0) {
      steward_fail(c, STEWARD_NOT_INSTALLED,
                   "set 'http' is not installed: SELECT migrate_up('http')");
    }
  }
}

/* Read the schema of zTable; NULL when the call has failed. */
static DeltaForm *delta_form_new(StewardCall *c, const char *zTable) {
  StewardTableInfo info;
  DeltaForm *f;
  int i;
  if (c->rc) return NULL;
  f = sqlite3_malloc64(sizeof(*f));
  if (f == NULL) {
    steward_fail_nomem(c);
    return NULL;
  }
  memset(f, 0, sizeof(*f));
  f->base.xFree = delta_form_free;
  check_http(c, zTable);
  steward_table_info(c, zTable, &info);
  f->base.zTable = steward_mprintf(c, "%s", info.zName);
  find_parent(c, f, &info);
  i = steward_column_index(&info, "is_delta");
  if (i >= 0) f->zFlag = steward_mprintf(c, "%s", info.aCol[i].zName);
  i = steward_column_index(&info, "workspace_id");
  if (i >= 0) f->zScope = steward_mprintf(c, "%s", info.aCol[i].zName);
  f->zSource = steward_mprintf(c, steward_column_index(&info, "source") < 0
                                      ? "\"source\":"
                                      : "\"delta_source\":");
  check_shape(c, f, &info);
  check_key(c, f, &info);
  prepare_rows(c, f, &info);
  steward_table_info_free(&info);
  if (c->rc) {
    delta_form_free(&f->base);
    f = NULL;
  }
  return f;
}

/*************************************************************************
** Walking up a chain
*/
typedef enum RowKind { ROW_BASE, ROW_DELTA, ROW_BROKEN } RowKind;

/* By its flag a row is a base or a delta; any other flag ('true') is broken. */
static RowKind row_kind(sqlite3_value *pFlag) {
  int eType = sqlite3_value_type(pFlag);
  double r;
  if (eType == SQLITE_NULL) return ROW_BASE;
  if (eType != SQLITE_INTEGER && eType != SQLITE_FLOAT) return ROW_BROKEN;
  r = sqlite3_value_double(pFlag);
  return r == 0.0 ? ROW_BASE : r == 1.0 ? ROW_DELTA : ROW_BROKEN;
}

/* Are two values the same, in type and content? */
static int same_value(sqlite3_value *a, sqlite3_value *b) {
  int eType = sqlite3_value_type(a), n;
  if (eType != sqlite3_value_type(b)) return 0;
  switch (eType) {
  case SQLITE_NULL: return 1;
  case SQLITE_INTEGER: return sqlite3_value_int64(a) == sqlite3_value_int64(b);
  case SQLITE_FLOAT: return sqlite3_value_double(a) == sqlite3_value_double(b);
  default:
    n = sqlite3_value_bytes(a);
    return n == sqlite3_value_bytes(b) &&
           (n == 0 || memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b),
                             (size_t)n) == 0);
  }
}

/* Read the row with this key by pStmt, one of the form's; 0 when there is none
** or the call has failed. */
static int seek_row(StewardCall *c, sqlite3_stmt *pStmt, sqlite3_value *pKey) {
  int rc;
  if (c->rc) return 0;
  sqlite3_reset(pStmt);
  rc = sqlite3_bind_value(pStmt, 1, pKey);
  if (rc) steward_fail_db(c, rc);
  return steward_next(c, pStmt);
}

/* The same for the parent of pRow, with pUp, which may be pRow itself. */
static int seek_parent(StewardCall *c, DeltaForm *f, sqlite3_stmt *pRow) {
  sqlite3_value *pParent =
      sqlite3_value_dup(sqlite3_column_value(pRow, ROW_PARENT));
  int bFound = 0;
  if (pParent == NULL) {
    steward_fail_nomem(c);
  } else if (sqlite3_value_type(pParent) != SQLITE_NULL) {
    bFound = seek_row(c, f->pUp, pParent);
  }
  sqlite3_value_free(pParent);
  return bFound;
}

/* Note the overlays of a delta row that no row below it has set. Those of the
** leaf stay where they are: its statement is not stepped again. */
static void keep_overlays(StewardCall *c, DeltaForm *f, sqlite3_stmt *pRow) {
  int i;
  for (i = 0; i < f->nColumn; i++) {
    DeltaColumn *pColumn = &f->aColumn[i];
    if (!pColumn->bOverlay || pColumn->pValue ||
        sqlite3_column_type(pRow, ROW_VALUE + i) == SQLITE_NULL) {
      continue;
    }
    pColumn->pValue = sqlite3_column_value(pRow, ROW_VALUE + i);
    if (pRow == f->pLeaf) continue;
    pColumn->pValue = sqlite3_value_dup(pColumn->pValue);
    pColumn->bOwned = 1;
    if (pColumn->pValue == NULL) steward_fail_nomem(c);
  }
}

static void forget_overlays(DeltaForm *f) {
  int i;
  for (i = 0; i < f->nColumn; i++) {
    DeltaColumn *pColumn = &f->aColumn[i];
    if (pColumn->bOwned) sqlite3_value_free(pColumn->pValue);
    pColumn->pValue = NULL;
    pColumn->bOwned = 0;
  }
}

/* From the leaf, on which pLeaf stands, to the statement that stands on its
** base; NULL when the way is broken or too long, or the call has failed. */
static sqlite3_stmt *walk_to_base(StewardCall *c, DeltaForm *f) {
  sqlite3_stmt *pRow = f->pLeaf;
  sqlite3_value *pScope = sqlite3_column_value(f->pLeaf, ROW_SCOPE);
  i64 nDelta = 0, nMax = 1; /* the setting is at least 1 */
  for (;;) {
    RowKind eKind = row_kind(sqlite3_column_value(pRow, ROW_FLAG));
    if (eKind == ROW_BASE) return pRow;
    if (eKind == ROW_BROKEN) return NULL;
    if (++nDelta == 2) nMax = steward_setting_int(c, "delta_max_depth");
    if (nDelta > nMax) return NULL;
    keep_overlays(c, f, pRow);
    if (!seek_parent(c, f, pRow)) return NULL;
    pRow = f->pUp;
    if (!same_value(pScope, sqlite3_column_value(pRow, ROW_SCOPE))) {
      return NULL;
    }
  }
}

/*************************************************************************
** Saying what is wrong with a chain: once more up, slowly, noting the path
*/
typedef struct PathRow {
  sqlite3_value *pKey, *pParent, *pScope; /* owned */
} PathRow;

typedef struct Path {
  DeltaForm *f;
  int nRow;
  PathRow aRow[RESOLVE_DEPTH_LIMIT + 1];
} Path;

/* A value as it would be written in SQL, cut when long; caller frees. */
static char *show_value(StewardCall *c, sqlite3_value *v) {
  if (sqlite3_value_type(v) == SQLITE_BLOB) {
    const unsigned char *a = sqlite3_value_blob(v);
    int i, n = sqlite3_value_bytes(v);
    sqlite3_str *pOut = sqlite3_str_new(c->db);
    sqlite3_str_appendall(pOut, "x'");
    for (i = 0; i < n && i < 32; i++) sqlite3_str_appendf(pOut, "%02x", a[i]);
    sqlite3_str_appendall(pOut, n > 32 ? "...'" : "'");
    return steward_str_finish(c, pOut);
  }
  return steward_quote_value(c, v);
}

/* The i-th row's key; caller frees. */
static char *show_row(StewardCall *c, const Path *p, int i) {
  return show_value(c, p->aRow[i].pKey);
}

static void add_to_path(StewardCall *c, Path *p, sqlite3_stmt *pRow) {
  PathRow *pNew = &p->aRow[p->nRow++];
  pNew->pKey = sqlite3_value_dup(sqlite3_column_value(pRow, ROW_KEY));
  pNew->pScope = sqlite3_value_dup(sqlite3_column_value(pRow, ROW_SCOPE));
  pNew->pParent = sqlite3_value_dup(sqlite3_column_value(pRow, ROW_PARENT));
  if (pNew->pKey == NULL || pNew->pScope == NULL || pNew->pParent == NULL) {
    steward_fail_nomem(c);
  }
}

static void path_free(Path *p) {
  int i;
  if (p == NULL) return;
  for (i = 0; i < p->nRow; i++) {
    sqlite3_value_free(p->aRow[i].pKey);
    sqlite3_value_free(p->aRow[i].pScope);
    sqlite3_value_free(p->aRow[i].pParent);
  }
  sqlite3_free(p);
}

/* Row iFrom of the path comes again as its last row. */
static void fail_cycle(StewardCall *c, const Path *p, int iFrom) {
  sqlite3_str *pList = sqlite3_str_new(c->db);
  char *zList;
  int i, iLast = p->nRow - 1;
  for (i = iFrom; i <= iLast && c->rc == SQLITE_OK; i++) {
    char *zRow = NULL;
    if (i - iFrom < 8 || i == iLast) {
      zRow = show_row(c, p, i);
    } else if (i - iFrom > 8) {
      continue;
    }
    sqlite3_str_appendf(pList, "%s%s", i > iFrom ? " -> " : "",
                        zRow ? zRow : "...");
    sqlite3_free(zRow);
  }
  zList = steward_str_finish(c, pList);
  if (iFrom == iLast - 1) {
    char *zRow = show_row(c, p, iFrom);
    steward_fail(c, STEWARD_CONFLICT,
                 "row %s of table '%s' is its own parent: set its %s to the "
                 "row that it changes",
                 zRow, p->f->base.zTable, p->f->zParent);
    sqlite3_free(zRow);
  } else {
    steward_fail(c, STEWARD_CONFLICT,
                 "the parents of table '%s' form a circle, %s: set the %s of "
                 "one of these rows to a base",
                 p->f->base.zTable, zList, p->f->zParent);
  }
  sqlite3_free(zList);
}

/* The parent of the path's last row was not found. */
static void fail_parent(StewardCall *c, const Path *p) {
  sqlite3_value *pParent = p->aRow[p->nRow - 1].pParent;
  char *zRow = show_row(c, p, p->nRow - 1);
  char *zParent = show_value(c, pParent);
  if (sqlite3_value_type(pParent) == SQLITE_NULL) {
    steward_fail(c, STEWARD_CONFLICT,
                 "row %s of table '%s' is a delta without a parent: set %s, or "
                 "%s to 0",
                 zRow, p->f->base.zTable, p->f->zParent, p->f->zFlag);
  } else {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "row %s of table '%s' has the parent %s, which is not there: "
                 "set its %s to a row that is",
                 zRow, p->f->base.zTable, zParent, p->f->zParent);
  }
  sqlite3_free(zRow);
  sqlite3_free(zParent);
}

static void fail_flag(StewardCall *c, const Path *p, sqlite3_value *pFlag) {
  char *zRow = show_row(c, p, p->nRow - 1);
  char *zFlag = show_value(c, pFlag);
  steward_fail(c, STEWARD_CONFLICT,
               "%s of row %s of table '%s' is %s: set it to 1 for a delta, 0 "
               "for a base",
               p->f->zFlag, zRow, p->f->base.zTable, zFlag);
  sqlite3_free(zRow);
  sqlite3_free(zFlag);
}

/* The last row of the path has another scope than the one below it. */
static void fail_scope(StewardCall *c, const Path *p) {
  const PathRow *pUpper = &p->aRow[p->nRow - 1];
  char *zRow = show_row(c, p, p->nRow - 2),
       *zUpper = show_row(c, p, p->nRow - 1);
  char *zScope = show_value(c, pUpper[-1].pScope);
  char *zUpperScope = show_value(c, pUpper->pScope);
  steward_fail(c, STEWARD_CONFLICT,
               "row %s of table '%s' has %s %s, but its parent %s has %s: "
               "deltas stay in the scope of their base",
               zRow, p->f->base.zTable, p->f->zScope, zScope, zUpper,
               zUpperScope);
  sqlite3_free(zRow);
  sqlite3_free(zUpper);
  sqlite3_free(zScope);
  sqlite3_free(zUpperScope);
}

static void fail_depth(StewardCall *c, const Path *p) {
  i64 nMax = steward_setting_int(c, "delta_max_depth");
  char *zRow = show_row(c, p, 0);
  char *zUpper = nMax < p->nRow ? show_row(c, p, (int)nMax) : NULL;
  steward_fail(c, STEWARD_LIMIT_EXCEEDED,
               "the chain from row %s of table '%s' up is longer than %lld "
               "deltas, row %s is the next: shorten it, or raise setting "
               "delta_max_depth",
               zRow, p->f->base.zTable, nMax, zUpper);
  sqlite3_free(zRow);
  sqlite3_free(zUpper);
}

/* Where the last row of the path stood before; -1 when nowhere. */
static int earlier(const Path *p) {
  int i;
  for (i = 0; i < p->nRow - 1; i++) {
    if (same_value(p->aRow[i].pKey, p->aRow[p->nRow - 1].pKey)) return i;
  }
  return -1;
}

/* Record why the way from pLeaf's row to its base is none. */
static void explain(StewardCall *c, DeltaForm *f) {
  sqlite3_stmt *pRow = f->pLeaf;
  Path *p;
  if (c->rc) return;
  p = sqlite3_malloc64(sizeof(*p));
  if (p == NULL) {
    steward_fail_nomem(c);
    return;
  }
  p->f = f;
  p->nRow = 0;
  for (;;) {
    sqlite3_value *pFlag = sqlite3_column_value(pRow, ROW_FLAG);
    RowKind eKind = row_kind(pFlag);
    add_to_path(c, p, pRow);
    if (c->rc) break;
    if (earlier(p) >= 0) {
      fail_cycle(c, p, earlier(p));
    } else if (eKind == ROW_BROKEN) {
      fail_flag(c, p, pFlag);
    } else if (p->nRow > 1 && !same_value(p->aRow[p->nRow - 2].pScope,
                                          p->aRow[p->nRow - 1].pScope)) {
      fail_scope(c, p);
    } else if (eKind == ROW_BASE || p->nRow > RESOLVE_DEPTH_LIMIT) {
      fail_depth(c, p);
    } else if (seek_parent(c, f, pRow)) {
      pRow = f->pUp;
    } else {
      fail_parent(c, p);
    }
    if (c->rc) break;
  }
  path_free(p);
}

/*************************************************************************
** The verb
*/

/* Write the result: the base's row under the overlays that were kept. */
static char *row_json(StewardCall *c, DeltaForm *f, sqlite3_stmt *pBase) {
  sqlite3_str *pOut;
  int i;
  if (c->rc || pBase == NULL) return NULL;
  pOut = sqlite3_str_new(c->db);
  sqlite3_str_appendchar(pOut, 1, '{');
  for (i = 0; i < f->nColumn; i++) {
    const DeltaColumn *pColumn = &f->aColumn[i];
    sqlite3_str_appendall(pOut, pColumn->zMember);
    steward_json_value(c, pOut,
                       pColumn->pValue
                           ? pColumn->pValue
                           : sqlite3_column_value(pBase, ROW_VALUE + i));
    sqlite3_str_appendchar(pOut, 1, ',');
  }
  sqlite3_str_appendall(pOut, f->zSource);
  steward_json_value(c, pOut, sqlite3_column_value(f->pLeaf, ROW_KEY));
  sqlite3_str_appendchar(pOut, 1, '}');
  return steward_str_finish(c, pOut);
}

/* Read the row asked for: bind its id to pLeaf and step, SQLite's result. An id
** may be given as {"$blob":"hex"}. */
static int step_leaf(StewardCall *c, DeltaForm *f, sqlite3_value *pId) {
  unsigned char *aBlob = NULL;
  int nBlob = 0, rc;
  if (sqlite3_value_type(pId) == SQLITE_TEXT) {
    const char *z = (const char *)sqlite3_value_text(pId);
    if (z == NULL) return SQLITE_NOMEM;
    steward_json_blob(c, z, sqlite3_value_bytes(pId), &aBlob, &nBlob);
    if (c->rc) return SQLITE_DONE;
  }
  if (aBlob) {
    rc = sqlite3_bind_blob(f->pLeaf, 1, aBlob, nBlob, sqlite3_free);
  } else {
    rc = sqlite3_bind_value(f->pLeaf, 1, pId);
  }
  return rc ? rc : sqlite3_step(f->pLeaf);
}

/* The form of zTable with pLeaf on the row pId, *pbFound 0 when there is none;
** NULL when the call has failed.  A kept form may be of an older schema: then
** SQLite prepares its statement again, or cannot, and a new one is made. */
static DeltaForm *open_form(StewardCall *c, const char *zTable,
                            sqlite3_value *pId, int *pbFound /* OUT */) {
  DeltaForm *f = (DeltaForm *)steward_form_take(c, delta_form_free, zTable);
  int bKept = f != NULL, rc = SQLITE_DONE;
  if (bKept) {
    rc = step_leaf(c, f, pId);
    if ((rc & 0xff) == SQLITE_ERROR || steward_form_stale(f->pLeaf)) {
      delta_form_free(&f->base);
      bKept = 0;
    }
  }
  if (!bKept) {
    f = delta_form_new(c, zTable);
    rc = f ? step_leaf(c, f, pId) : SQLITE_DONE;
  }
  if (f && rc != SQLITE_ROW && rc != SQLITE_DONE) steward_fail_db(c, rc);
  *pbFound = rc == SQLITE_ROW;
  return f;
}

/* Keep the form for the next call, with nothing of this one. */
static void close_form(StewardCall *c, DeltaForm *f) {
  if (f == NULL) return;
  sqlite3_reset(f->pUp);
  sqlite3_reset(f->pLeaf);
  sqlite3_clear_bindings(f->pUp);
  sqlite3_clear_bindings(f->pLeaf);
  forget_overlays(f);
  steward_form_give(c, &f->base, 1);
}

typedef struct ResolveOptions {
  i64 ePolicy;
} ResolveOptions;

static const StewardOption aResolveOption[] = {
    {"policy", STEWARD_OPT_WORD, offsetof(ResolveOptions, ePolicy), 0, 0,
     "chain", "chain: the row through its parents up to its base"},
};

/* delta_resolve(table TEXT, id [, options JSON]) -> TEXT, a JSON object
**                                                                      plain
** What a row of a table of overlays reads as: the base at the top of its chain
** of parents, under every overlay on the way down.  NULL inherits; '' and 0
** are values.  A base resolves to itself; NULL when there is no such row.
**
** The members are the base's columns in the order of the table, its key among
** them, each with the value of the nearest delta_<column> that is not NULL;
** then `source`, the id of the row asked for (`delta_source` when the table has
** a column source).  The flag is_delta, the parent column and delta_<column>
** are left out; prev and next are columns like others.  A BLOB, and a text that
** is not UTF-8, is {"$blob":"<hex>"}; an id may be given in that form too.
**
** The table needs a foreign key to itself (of several, the one whose column
** begins with `parent`), a column is_delta and delta_x for some column x; where
** it has workspace_id, a chain stays within one.  http and its child tables are
** of that kind.
**
** Options: policy ('chain', the default).
** Set: none
** Errors: "NOT_FOUND: delta_resolve: no table 'x' in main: ...", a parent that
**   is not there; "INVALID_ARGUMENT: ..." when the table is of another kind;
**   "CONFLICT: ..." for circles, for parents in another workspace, for a delta
**   without a parent; "LIMIT_EXCEEDED: ..." beyond setting delta_max_depth.
** Source: seed 004, ResolveHTTPWithDeltasOptimized.   Test: delta-*
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   INSERT INTO http(id, workspace_id, name, url, method,
**                    is_delta, parent_http_id, delta_url)
**     VALUES ('page2', 'w', '', '', '', 1, 'list', '/items?page=2');
**   SELECT r ->> 'id', r ->> 'method', r ->> 'url', r ->> 'source'
**     FROM (SELECT delta_resolve('http', 'page2') AS r);
**     -- list|GET|/items?page=2|page2
*/
static void delta_resolve(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  ResolveOptions options = {0};
  DeltaForm *f = NULL;
  char *zResult = NULL;
  int bFound = 0;
  steward_open(&c, ctx, "delta_resolve", NULL, STEWARD_READ);
  if (argc > 2) {
    steward_options(&c, argv[2], aResolveOption, ArraySize(aResolveOption),
                    &options);
  }
  if (sqlite3_value_type(argv[0]) != SQLITE_NULL &&
      sqlite3_value_type(argv[1]) != SQLITE_NULL) {
    const char *zTable = steward_arg_text(&c, argv[0], "table", 1000);
    f = open_form(&c, zTable, argv[1], &bFound);
  }
  if (bFound) {
    sqlite3_stmt *pBase = walk_to_base(&c, f);
    if (pBase == NULL) explain(&c, f);
    zResult = row_json(&c, f, pBase);
  }
  close_form(&c, f);
  if (steward_close(&c) == SQLITE_OK && zResult) {
    sqlite3_result_text64(ctx, zResult, strlen(zResult), sqlite3_free,
                          SQLITE_UTF8);
    sqlite3_result_subtype(ctx, 'J');
  } else {
    sqlite3_free(zResult);
  }
}

static const StewardFunc aFunc[] = {
    {"delta_resolve", 2, 3, STEWARD_PLAIN, delta_resolve, aResolveOption,
     ArraySize(aResolveOption)},
};

int delta_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
