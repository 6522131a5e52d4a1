/*
** delta_explain.c - saying what is wrong with a chain: once more up, slowly,
** noting the path, and an error that names the rows.
*/
#include <string.h>

#include "delta_int.h"

typedef struct PathRow {
  sqlite3_value *pKey, *pParent, *pScope; /* owned */
} PathRow;

typedef struct Path {
  DeltaForm *f;
  int nRow;
  PathRow aRow[DELTA_DEPTH_LIMIT + 1];
} Path;

/* A value as it would be written in SQL, cut when long; caller frees. */
char *delta_show(StewardCall *c, sqlite3_value *v) {
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
  return delta_show(c, p->aRow[i].pKey);
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
                 zRow, p->f->base.zTable, p->f->names.zParent);
    sqlite3_free(zRow);
  } else {
    steward_fail(c, STEWARD_CONFLICT,
                 "the parents of table '%s' form a circle, %s: set the %s of "
                 "one of these rows to a base",
                 p->f->base.zTable, zList, p->f->names.zParent);
  }
  sqlite3_free(zList);
}

/* The parent of the path's last row was not found. */
static void fail_parent(StewardCall *c, const Path *p) {
  const DeltaNames *n = &p->f->names;
  sqlite3_value *pParent = p->aRow[p->nRow - 1].pParent;
  char *zRow = show_row(c, p, p->nRow - 1);
  char *zParent = delta_show(c, pParent);
  if (sqlite3_value_type(pParent) == SQLITE_NULL) {
    steward_fail(c, STEWARD_CONFLICT,
                 "row %s of table '%s' is a delta without a parent: set %s, or "
                 "%s to 0",
                 zRow, p->f->base.zTable, n->zParent, n->zFlag);
  } else {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "row %s of table '%s' has the parent %s, which is not there: "
                 "set its %s to a row that is",
                 zRow, p->f->base.zTable, zParent, n->zParent);
  }
  sqlite3_free(zRow);
  sqlite3_free(zParent);
}

/* The flag of pRow is neither 0 nor 1. */
void delta_fail_flag(StewardCall *c, const DeltaForm *f, sqlite3_stmt *pRow) {
  char *zRow = delta_show(c, sqlite3_column_value(pRow, ROW_KEY));
  char *zFlag = delta_show(c, sqlite3_column_value(pRow, ROW_FLAG));
  steward_fail(c, STEWARD_CONFLICT,
               "%s of row %s of table '%s' is %s: set it to 1 for a delta, 0 "
               "for a base",
               f->names.zFlag, zRow, f->base.zTable, zFlag);
  sqlite3_free(zRow);
  sqlite3_free(zFlag);
}

/* The row above has another scope than the one below it. */
void delta_fail_scope(StewardCall *c, const DeltaForm *f, sqlite3_value *pKey,
                      sqlite3_value *pScope, sqlite3_value *pUpperKey,
                      sqlite3_value *pUpperScope) {
  char *zRow = delta_show(c, pKey), *zUpper = delta_show(c, pUpperKey);
  char *zScope = delta_show(c, pScope);
  char *zUpperScope = delta_show(c, pUpperScope);
  steward_fail(c, STEWARD_CONFLICT,
               "row %s of table '%s' has %s %s, but its parent %s has %s: "
               "deltas stay in the scope of their base",
               zRow, f->base.zTable, f->names.zScope, zScope, zUpper,
               zUpperScope);
  sqlite3_free(zRow);
  sqlite3_free(zUpper);
  sqlite3_free(zScope);
  sqlite3_free(zUpperScope);
}

static void fail_depth(StewardCall *c, const Path *p) {
  i64 nMax = steward_setting_int(c, "delta_max_depth");
  char *zRow = show_row(c, p, 0);
  char *zUpper = show_row(c, p, nMax < p->nRow ? (int)nMax : p->nRow - 1);
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
    if (delta_same(p->aRow[i].pKey, p->aRow[p->nRow - 1].pKey)) return i;
  }
  return -1;
}

/* Is anything wrong with the path up to pRow, its last row? */
static void judge(StewardCall *c, const Path *p, sqlite3_stmt *pRow) {
  RowKind eKind = delta_row_kind(sqlite3_column_value(pRow, ROW_FLAG));
  const PathRow *pLast = &p->aRow[p->nRow - 1];
  if (earlier(p) >= 0) {
    fail_cycle(c, p, earlier(p));
  } else if (eKind == ROW_BROKEN) {
    delta_fail_flag(c, p->f, pRow);
  } else if (p->nRow > 1 && !delta_same(pLast[-1].pScope, pLast->pScope)) {
    delta_fail_scope(c, p->f, pLast[-1].pKey, pLast[-1].pScope, pLast->pKey,
                     pLast->pScope);
  } else if (eKind == ROW_BASE || p->nRow > DELTA_DEPTH_LIMIT) {
    fail_depth(c, p);
  }
}

/* Record why the way from pRow, which another statement than DELTA_UP stands
** on, to its base is none. */
void delta_explain(StewardCall *c, DeltaForm *f, const DeltaView *v,
                   sqlite3_stmt *pRow) {
  Path *p;
  if (c->rc) return;
  p = sqlite3_malloc64(sizeof(*p));
  if (p == NULL) {
    steward_fail_nomem(c);
    return;
  }
  p->f = f;
  p->nRow = 0;
  while (c->rc == SQLITE_OK) {
    sqlite3_stmt *pUpper;
    add_to_path(c, p, pRow);
    if (c->rc == SQLITE_OK) judge(c, p, pRow);
    if (c->rc) break;
    pUpper = delta_seek_parent(c, f, v, pRow);
    if (pUpper == NULL) fail_parent(c, p);
    pRow = pUpper;
  }
  path_free(p);
}
