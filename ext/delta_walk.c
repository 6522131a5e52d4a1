/*
** delta_walk.c - what a row reads as under its overlays.
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
** Policy fold goes the other way, from a base down to all of its descendants,
** and keeps of each column the overlay that is last by (time, id).
*/
#include <string.h>

#include "delta_int.h"

/* How many deltas a chain may have. */
i64 delta_max_depth(StewardCall *c) {
  static const char zMaxDepth[] = "delta_max_depth";
  return steward_setting_kept(c, zMaxDepth);
}

/*************************************************************************
** Values
*/

/* By its flag a row is a base or a delta; any other flag ('true') is broken. */
RowKind delta_row_kind(sqlite3_value *pFlag) {
  int eType = sqlite3_value_type(pFlag);
  double r;
  if (eType == SQLITE_NULL) return ROW_BASE;
  if (eType != SQLITE_INTEGER && eType != SQLITE_FLOAT) return ROW_BROKEN;
  r = sqlite3_value_double(pFlag);
  return r == 0.0 ? ROW_BASE : r == 1.0 ? ROW_DELTA : ROW_BROKEN;
}

/* Are two values the same, in type and content? */
int delta_same(sqlite3_value *a, sqlite3_value *b) {
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

/* The place of a type in SQLite's order: NULL, numbers, text, BLOB. */
static int type_rank(sqlite3_value *v) {
  switch (sqlite3_value_type(v)) {
  case SQLITE_NULL: return 0;
  case SQLITE_TEXT: return 2;
  case SQLITE_BLOB: return 3;
  default: return 1;
  }
}

/* Compare as ORDER BY does, under BINARY. */
int delta_compare(sqlite3_value *a, sqlite3_value *b) {
  int iRank = type_rank(a), nA, nB, i;
  if (iRank != type_rank(b)) return iRank < type_rank(b) ? -1 : 1;
  if (iRank == 0) return 0;
  if (iRank == 1) {
    double rA = sqlite3_value_double(a), rB = sqlite3_value_double(b);
    if (sqlite3_value_type(a) == SQLITE_INTEGER &&
        sqlite3_value_type(b) == SQLITE_INTEGER) {
      i64 iA = sqlite3_value_int64(a), iB = sqlite3_value_int64(b);
      return iA < iB ? -1 : iA > iB;
    }
    return rA < rB ? -1 : rA > rB;
  }
  nA = sqlite3_value_bytes(a);
  nB = sqlite3_value_bytes(b);
  i = nA && nB ? memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b),
                        (size_t)(nA < nB ? nA : nB))
               : 0;
  return i ? i : nA - nB;
}

const char *const delta_policies[] = {"chain", "fold", "single", NULL};

/* A word of azWord; NULL means iDefault. */
int delta_arg_word(StewardCall *c, sqlite3_value *v, const char *zName,
                   const char *const *azWord, int iDefault) {
  const char *z;
  int i;
  if (v == NULL || sqlite3_value_type(v) == SQLITE_NULL) return iDefault;
  z = steward_arg_text(c, v, zName, 1000);
  for (i = 0; z && azWord[i]; i++) {
    if (strcmp(azWord[i], z) == 0) return i;
  }
  if (z) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "%s must be one of %s|%s|%s, got '%s'", zName, azWord[0],
                 azWord[1], azWord[2], z);
  }
  return iDefault;
}

/*************************************************************************
** The cut
*/

/* Read a cut as JSON: a time, or [time, id], the last row of that time that is
** still before it.  Both are the caller's. */
void delta_read_cut(StewardCall *c, const char *zJson,
                    sqlite3_value **ppTime /* OUT */,
                    sqlite3_value **ppId /* OUT */) {
  StewardJson t;
  int i, iNode = 1;
  if (zJson[0] != '[') {
    *ppTime = steward_json_scalar(c, zJson);
    return;
  }
  if (!steward_json_parse(c, &t, zJson, (int)strlen(zJson), 1) ||
      t.aNode[0].nChild != 2) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "as_of must be a time, or [time, id], got %.60s", zJson);
  }
  for (i = 0; i < 2 && c->rc == SQLITE_OK; i++) {
    const StewardJsonNode *pNode = &t.aNode[iNode];
    char *z = steward_mprintf(c, "%.*s", pNode->nText, t.zText + pNode->iText);
    if (z) *(i ? ppId : ppTime) = steward_json_scalar(c, z);
    sqlite3_free(z);
    iNode = pNode->iEnd;
  }
  steward_json_free(&t);
}

/* The same of an argument v, which is kept in *ppKept; NULL: no cut.  All are
** the caller's. */
void delta_arg_cut(StewardCall *c, sqlite3_value *v,
                   sqlite3_value **ppKept /* OUT */,
                   sqlite3_value **ppTime /* OUT */,
                   sqlite3_value **ppId /* OUT */) {
  const char *z;
  if (c->rc || v == NULL || sqlite3_value_type(v) == SQLITE_NULL) return;
  *ppKept = sqlite3_value_dup(v);
  if (*ppKept == NULL) steward_fail_nomem(c);
  z = sqlite3_value_type(v) == SQLITE_TEXT ? (const char *)sqlite3_value_text(v)
                                           : NULL;
  if (z && z[0] == '[') {
    delta_read_cut(c, z, ppTime, ppId);
  } else {
    *ppTime = sqlite3_value_dup(v);
    if (*ppTime == NULL) {
      steward_fail_nomem(c);
    } else {
      sqlite3_value_numeric_type(*ppTime); /* '100' is a number */
    }
  }
}

/* When the view has a cut: must it be the time column's alone, or does history
** know the rows as they were then? */
void delta_view_open(StewardCall *c, DeltaForm *f, DeltaView *v) {
  i64 iFrom;
  v->bHistory = 0;
  if (c->rc || v->pAsOf == NULL) return;
  if (sqlite3_value_type(v->pAsOf) == SQLITE_NULL) {
    v->pAsOf = NULL;
    return;
  }
  if (f->names.zTime == NULL) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' has no column with the time of a change, which "
                 "as_of needs: add updated_at, or name it by delta_define",
                 f->base.zTable);
    return;
  }
  if (type_rank(v->pAsOf) != 1 || v->pAsOfId ||
      !steward_int(c, SQL_delta_table_exists, 0, "t",
                   "steward_delta_histories")) {
    return;
  }
  v->iCut = sqlite3_value_int64(v->pAsOf);
  if (f->names.eUnit == DELTA_UNIT_S) {
    if (v->iCut > INT64_MAX / 1000 - 1) v->iCut = INT64_MAX / 1000 - 1;
    if (v->iCut < 0) v->iCut = 0;
    v->iCut = v->iCut * 1000 + 999;
  }
  iFrom = steward_int(c, SQL_delta_history_from, INT64_MAX, "tt",
                      f->base.zTable, f->zColumns);
  if (c->rc || v->iCut < iFrom) return;
  if (!f->bHistoryKnown) {
    f->bHistory = delta_history_intact(c, f);
    f->bHistoryKnown = c->rc == SQLITE_OK;
  }
  v->bHistory = c->rc == SQLITE_OK && f->bHistory;
}

/* Did this happen to the row pKey after the cut?  What history has, did not. */
int delta_after_cut(const DeltaView *v, sqlite3_value *pTime,
                    sqlite3_value *pKey) {
  int i;
  if (v->pAsOf == NULL || v->bHistory) return 0;
  i = delta_compare(pTime, v->pAsOf);
  if (i == 0 && v->pAsOfId) i = delta_compare(pKey, v->pAsOfId);
  return i > 0;
}

/*************************************************************************
** Rows by their keys
*/

/* Bind an id, which may be given as {"$blob":"hex"}; 0 when that failed. */
int delta_bind_id(StewardCall *c, sqlite3_stmt *pStmt, int i,
                  sqlite3_value *pId) {
  unsigned char *aBlob = NULL;
  int nBlob = 0, rc;
  if (c->rc || pStmt == NULL) return 0;
  if (sqlite3_value_type(pId) == SQLITE_TEXT) {
    const char *z = (const char *)sqlite3_value_text(pId);
    if (z == NULL) {
      steward_fail_nomem(c);
      return 0;
    }
    if (z[0] == '{' || z[0] <= ' ') {
      steward_json_blob(c, z, sqlite3_value_bytes(pId), &aBlob, &nBlob);
      if (c->rc) return 0;
    }
  }
  if (aBlob) {
    rc = sqlite3_bind_blob(pStmt, i, aBlob, nBlob, sqlite3_free);
  } else {
    rc = sqlite3_bind_value(pStmt, i, pId);
  }
  if (rc) steward_fail_db(c, rc);
  return c->rc == SQLITE_OK;
}

/* Hand over an id, which may be given as {"$blob":"hex"}. */
void delta_feed_id(StewardCall *c, StewardFeed *pFeed, sqlite3_value *pId) {
  unsigned char *aBlob = NULL;
  int nBlob = 0;
  if (sqlite3_value_type(pId) == SQLITE_TEXT) {
    const char *z = (const char *)sqlite3_value_text(pId);
    if (z == NULL) {
      steward_fail_nomem(c);
    } else if (z[0] == '{' || z[0] <= ' ') {
      steward_json_blob(c, z, sqlite3_value_bytes(pId), &aBlob, &nBlob);
    }
  }
  if (aBlob) {
    steward_feed_blob(c, pFeed, aBlob, nBlob);
  } else {
    steward_feed_put(c, pFeed, pId, 0);
  }
}

/* The statement eStmt on the row with this key; NULL when there is none or the
** call has failed. */
sqlite3_stmt *delta_seek(StewardCall *c, DeltaForm *f, const DeltaView *v,
                         int eStmt, sqlite3_value *pId) {
  sqlite3_stmt *pStmt = delta_statement(c, f, v->bHistory, eStmt);
  if (pStmt == NULL) return NULL;
  if (!v->bHistory && f->abFed[eStmt]) {
    delta_feed_id(c, &f->aFeed[eStmt], pId);
    return steward_next(c, pStmt) ? pStmt : NULL;
  }
  sqlite3_reset(pStmt);
  if (!delta_bind_id(c, pStmt, 1, pId)) return NULL;
  if (v->bHistory) sqlite3_bind_int64(pStmt, 2, v->iCut);
  return steward_next(c, pStmt) ? pStmt : NULL;
}

/* The row with this key by DELTA_UP, which is fed: the one where it stands, or
** the next. */
static sqlite3_stmt *feed_parent(StewardCall *c, DeltaForm *f,
                                 sqlite3_value *pParent) {
  sqlite3_stmt *pUp = f->aStmt[0][DELTA_UP];
  if (f->bUpRow && delta_same(sqlite3_column_value(pUp, ROW_KEY), pParent)) {
    return pUp;
  }
  steward_feed_put(c, &f->aFeed[DELTA_UP], pParent, 0);
  f->bUpRow = steward_next(c, pUp);
  return f->bUpRow ? pUp : NULL;
}

/* The row that pRow has as its parent, which DELTA_UP, possibly pRow itself,
** then stands on; NULL as above. */
sqlite3_stmt *delta_seek_parent(StewardCall *c, DeltaForm *f,
                                const DeltaView *v, sqlite3_stmt *pRow) {
  sqlite3_value *pParent = sqlite3_column_value(pRow, ROW_PARENT);
  sqlite3_stmt *pUp = delta_statement(c, f, v->bHistory, DELTA_UP);
  int rc;
  if (pUp == NULL || sqlite3_value_type(pParent) == SQLITE_NULL) return NULL;
  if (!v->bHistory && f->abFed[DELTA_UP]) return feed_parent(c, f, pParent);
  pParent = sqlite3_value_dup(pParent);
  sqlite3_reset(pUp);
  rc = pParent ? sqlite3_bind_value(pUp, 1, pParent) : SQLITE_NOMEM;
  sqlite3_value_free(pParent);
  if (v->bHistory && rc == SQLITE_OK) rc = sqlite3_bind_int64(pUp, 2, v->iCut);
  if (rc) steward_fail_db(c, rc);
  return steward_next(c, pUp) ? pUp : NULL;
}

/*************************************************************************
** Overlays
*/

static void drop_value(DeltaColumn *pColumn) {
  if (pColumn->bOwned) sqlite3_value_free(pColumn->pValue);
  sqlite3_value_free(pColumn->pSource);
  sqlite3_value_free(pColumn->pTime);
  pColumn->pValue = NULL;
  pColumn->pSource = NULL;
  pColumn->pTime = NULL;
  pColumn->bOwned = 0;
}

/* Forget the overlays of the row that was resolved last. */
void delta_forget(DeltaForm *f) {
  int i;
  for (i = 0; i < f->nColumn; i++) {
    if (f->aColumn[i].zOverlay) drop_value(&f->aColumn[i]);
  }
}

static sqlite3_value *copy_of(StewardCall *c, sqlite3_stmt *pRow, int iCol) {
  sqlite3_value *v = sqlite3_value_dup(sqlite3_column_value(pRow, iCol));
  if (v == NULL) steward_fail_nomem(c);
  return v;
}

/* Let pRow's overlay of column i count.  bStays: pRow is not stepped before
** the result is written, so nothing needs to be copied. */
static void take_overlay(StewardCall *c, DeltaForm *f, int i,
                         sqlite3_stmt *pRow, int bStays, int bWhence) {
  DeltaColumn *pColumn = &f->aColumn[i];
  drop_value(pColumn);
  if (bStays) {
    pColumn->pValue = sqlite3_column_value(pRow, ROW_VALUE + i);
  } else {
    pColumn->pValue = copy_of(c, pRow, ROW_VALUE + i);
    pColumn->bOwned = 1;
  }
  if (bWhence) {
    pColumn->pSource = copy_of(c, pRow, ROW_KEY);
    pColumn->pTime = copy_of(c, pRow, ROW_TIME);
  }
}

/* Note the overlays of a delta row that no row below it has set. */
static void keep_overlays(StewardCall *c, DeltaForm *f, const DeltaView *v,
                          sqlite3_stmt *pRow, int bLeaf) {
  int i;
  if (v->pAsOf && delta_after_cut(v, sqlite3_column_value(pRow, ROW_TIME),
                                  sqlite3_column_value(pRow, ROW_KEY))) {
    return;
  }
  for (i = 0; i < f->nColumn; i++) {
    if (f->aColumn[i].zOverlay && f->aColumn[i].pValue == NULL &&
        sqlite3_column_type(pRow, ROW_VALUE + i) != SQLITE_NULL) {
      take_overlay(c, f, i, pRow, bLeaf, v->bBlame);
    }
  }
}

/*************************************************************************
** The path
*/
void delta_path_free(DeltaPath *pPath) {
  int i;
  for (i = 0; i < pPath->n; i++) {
    sqlite3_value_free(pPath->a[i].pKey);
    sqlite3_value_free(pPath->a[i].pTime);
  }
  sqlite3_free(pPath->a);
  memset(pPath, 0, sizeof(*pPath));
}

/* Add the row. */
static void path_add(StewardCall *c, DeltaPath *pPath, sqlite3_stmt *pRow) {
  size_t nByte = sizeof(pPath->a[0]) * (size_t)(pPath->n + 1);
  DeltaPlace *aNew = c->rc ? NULL : sqlite3_realloc64(pPath->a, nByte);
  if (aNew == NULL) {
    steward_fail_nomem(c);
    return;
  }
  pPath->a = aNew;
  aNew[pPath->n].pKey = copy_of(c, pRow, ROW_KEY);
  aNew[pPath->n].pTime = copy_of(c, pRow, ROW_TIME);
  pPath->n++;
}

/*************************************************************************
** Policy chain: up
*/

/* From pRow to the statement that stands on its base; NULL when the way is
** broken or too long, or the call has failed. */
static sqlite3_stmt *walk_to_base(StewardCall *c, DeltaForm *f,
                                  const DeltaView *v, sqlite3_stmt *pLeaf) {
  sqlite3_stmt *pRow = pLeaf;
  sqlite3_value *pScope = sqlite3_column_value(pLeaf, ROW_SCOPE);
  i64 nDelta = 0, nMax = 1; /* the setting is at least 1 */
  for (;;) {
    RowKind eKind = delta_row_kind(sqlite3_column_value(pRow, ROW_FLAG));
    if (eKind == ROW_BASE) return pRow;
    if (eKind == ROW_BROKEN) return NULL;
    if (++nDelta == 2) nMax = delta_max_depth(c);
    if (nDelta > nMax) return NULL;
    keep_overlays(c, f, v, pRow, pRow == pLeaf);
    pRow = delta_seek_parent(c, f, v, pRow);
    if (pRow == NULL) return NULL;
    if (!delta_same(pScope, sqlite3_column_value(pRow, ROW_SCOPE))) {
      return NULL;
    }
  }
}

/*************************************************************************
** Policy single: a base and one delta, as the seed's application has it
*/
static sqlite3_stmt *one_over_base(StewardCall *c, DeltaForm *f,
                                   const DeltaView *v, sqlite3_stmt *pRow) {
  RowKind eKind = delta_row_kind(sqlite3_column_value(pRow, ROW_FLAG));
  sqlite3_value *pId =
      v->pBase ? v->pBase : sqlite3_column_value(pRow, ROW_PARENT);
  sqlite3_stmt *pBase;
  if (eKind == ROW_BROKEN) return NULL;
  if (eKind == ROW_BASE) {
    if (v->pBase == NULL ||
        delta_same(v->pBase, sqlite3_column_value(pRow, ROW_KEY))) {
      return pRow;
    }
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "policy single lays one delta over option base, and the row "
                 "of table '%s' is a base itself: give the id of a delta",
                 f->base.zTable);
    return NULL;
  }
  pBase = delta_seek(c, f, v, DELTA_RAW, pId);
  if (pBase == NULL) {
    if (c->rc == SQLITE_OK && v->pBase) {
      char *zBase = delta_show(c, v->pBase);
      steward_fail(c, STEWARD_NOT_FOUND,
                   "option base names row %s of table '%s', which is not "
                   "there: name a row that is",
                   zBase, f->base.zTable);
      sqlite3_free(zBase);
    }
    return NULL;
  }
  if (!delta_same(sqlite3_column_value(pRow, ROW_SCOPE),
                  sqlite3_column_value(pBase, ROW_SCOPE))) {
    delta_fail_scope(c, f, sqlite3_column_value(pRow, ROW_KEY),
                     sqlite3_column_value(pRow, ROW_SCOPE),
                     sqlite3_column_value(pBase, ROW_KEY),
                     sqlite3_column_value(pBase, ROW_SCOPE));
    return NULL;
  }
  keep_overlays(c, f, v, pRow, 1);
  return pBase;
}

/*************************************************************************
** Policy fold: down, all of them
*/

/* The keys whose deltas are still to be read. */
typedef struct Stack {
  struct {
    sqlite3_value *pKey; /* owned */
    int nDepth;
  } * a;
  int n, nAlloc;
} Stack;

static void stack_push(StewardCall *c, Stack *s, sqlite3_value *pKey,
                       int nDepth) {
  if (!steward_grow(c, &s->a, s->n, &s->nAlloc, sizeof(s->a[0]))) return;
  s->a[s->n].pKey = sqlite3_value_dup(pKey);
  s->a[s->n].nDepth = nDepth;
  if (s->a[s->n].pKey == NULL) {
    steward_fail_nomem(c);
  } else {
    s->n++;
  }
}

/* Of each column the overlay that is last by (time, id) counts. */
static void fold_overlays(StewardCall *c, DeltaForm *f, sqlite3_stmt *pRow) {
  sqlite3_value *pTime = sqlite3_column_value(pRow, ROW_TIME);
  sqlite3_value *pKey = sqlite3_column_value(pRow, ROW_KEY);
  int i;
  for (i = 0; i < f->nColumn; i++) {
    DeltaColumn *pColumn = &f->aColumn[i];
    int iOrder = -1;
    if (pColumn->zOverlay == NULL ||
        sqlite3_column_type(pRow, ROW_VALUE + i) == SQLITE_NULL) {
      continue;
    }
    if (pColumn->pValue && pColumn->pTime && pColumn->pSource) {
      iOrder = delta_compare(pColumn->pTime, pTime);
      if (iOrder == 0) iOrder = delta_compare(pColumn->pSource, pKey);
    }
    if (iOrder < 0) take_overlay(c, f, i, pRow, 0, 1);
  }
}

/* One delta below the base. */
static void fold_row(StewardCall *c, DeltaForm *f, const DeltaView *v,
                     sqlite3_stmt *pBase, sqlite3_stmt *pRow) {
  if (!delta_same(sqlite3_column_value(pBase, ROW_SCOPE),
                  sqlite3_column_value(pRow, ROW_SCOPE))) {
    delta_fail_scope(c, f, sqlite3_column_value(pRow, ROW_KEY),
                     sqlite3_column_value(pRow, ROW_SCOPE),
                     sqlite3_column_value(pRow, ROW_PARENT),
                     sqlite3_column_value(pBase, ROW_SCOPE));
    return;
  }
  if (v->pBelow) path_add(c, v->pBelow, pRow);
  if (!delta_after_cut(v, sqlite3_column_value(pRow, ROW_TIME),
                       sqlite3_column_value(pRow, ROW_KEY))) {
    fold_overlays(c, f, pRow);
  }
}

static void fail_fold_depth(StewardCall *c, DeltaForm *f, sqlite3_stmt *pRow,
                            i64 nMax) {
  char *zRow = delta_show(c, sqlite3_column_value(pRow, ROW_KEY));
  steward_fail(c, STEWARD_LIMIT_EXCEEDED,
               "row %s of table '%s' is more than %lld deltas below its base: "
               "shorten the chain, or raise setting delta_max_depth",
               zRow, f->base.zTable, nMax);
  sqlite3_free(zRow);
}

/* A row below the base, at this depth; 1 when it is a delta, whose own are to
** be read, too. */
static int fold_kid(StewardCall *c, DeltaForm *f, const DeltaView *v,
                    sqlite3_stmt *pBase, sqlite3_stmt *pRow, int nDepth) {
  RowKind eKind = delta_row_kind(sqlite3_column_value(pRow, ROW_FLAG));
  if (eKind == ROW_BASE) return 0;
  if (eKind == ROW_BROKEN) {
    delta_fail_flag(c, f, pRow);
  } else if (nDepth > 1 && nDepth > delta_max_depth(c)) {
    fail_fold_depth(c, f, pRow, delta_max_depth(c));
  } else {
    fold_row(c, f, v, pBase, pRow);
  }
  return c->rc == SQLITE_OK;
}

/* All rows below the base by one statement, which is fed with its deltas as
** they come. */
static void fold_fed(StewardCall *c, DeltaForm *f, const DeltaView *v,
                     sqlite3_stmt *pBase) {
  sqlite3_stmt *pRow = f->aStmt[0][DELTA_KIDS];
  StewardFeed *pFeed = &f->aFeed[DELTA_KIDS];
  steward_feed_put(c, pFeed, sqlite3_column_value(pBase, ROW_KEY), 0);
  while (steward_next(c, pRow)) {
    int nDepth = pFeed->now.iTag + 1;
    if (fold_kid(c, f, v, pBase, pRow, nDepth)) {
      steward_feed_put(c, pFeed, sqlite3_column_value(pRow, ROW_KEY), nDepth);
    }
  }
}

/* The same by a query for each row: of what history knows. */
static void fold_kids(StewardCall *c, DeltaForm *f, const DeltaView *v,
                      sqlite3_stmt *pBase, Stack *s) {
  sqlite3_value *pKey = s->a[--s->n].pKey;
  int nDepth = s->a[s->n].nDepth + 1;
  sqlite3_stmt *pRow = delta_seek(c, f, v, DELTA_KIDS, pKey);
  while (pRow && c->rc == SQLITE_OK) {
    if (fold_kid(c, f, v, pBase, pRow, nDepth)) {
      stack_push(c, s, sqlite3_column_value(pRow, ROW_KEY), nDepth);
    }
    if (!steward_next(c, pRow)) break;
  }
  sqlite3_value_free(pKey);
}

static void fold_by_row(StewardCall *c, DeltaForm *f, const DeltaView *v,
                        sqlite3_stmt *pBase) {
  Stack stack = {0};
  stack_push(c, &stack, sqlite3_column_value(pBase, ROW_KEY), 0);
  while (stack.n > 0 && c->rc == SQLITE_OK) {
    fold_kids(c, f, v, pBase, &stack);
  }
  while (stack.n > 0) sqlite3_value_free(stack.a[--stack.n].pKey);
  sqlite3_free(stack.a);
}

/* No row can come twice: each has one parent, and the base is no delta. */
static sqlite3_stmt *fold(StewardCall *c, DeltaForm *f, const DeltaView *v,
                          sqlite3_stmt *pRow) {
  RowKind eKind = delta_row_kind(sqlite3_column_value(pRow, ROW_FLAG));
  if (eKind == ROW_BROKEN) return NULL;
  if (eKind == ROW_DELTA) {
    char *zRow = delta_show(c, sqlite3_column_value(pRow, ROW_KEY));
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "policy fold lays every delta over a base, and row %s of "
                 "table '%s' is a delta: give the id of its base, or use "
                 "policy chain",
                 zRow, f->base.zTable);
    sqlite3_free(zRow);
    return NULL;
  }
  if (f->names.zTime == NULL) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' has no column with the time of a change, which "
                 "policy fold orders by: add updated_at, or name it by "
                 "delta_define",
                 f->base.zTable);
    return NULL;
  }
  if (v->pBelow) path_add(c, v->pBelow, pRow);
  delta_statement(c, f, v->bHistory, DELTA_KIDS);
  if (!v->bHistory && f->abFed[DELTA_KIDS]) {
    fold_fed(c, f, v, pRow);
  } else {
    fold_by_row(c, f, v, pRow);
  }
  return c->rc ? NULL : pRow;
}

/*************************************************************************
** The result
*/

/* Resolve the row on which pRow, any statement with the form's select list,
** stands: the statement that stands on its base, with the overlays noted in the
** form.  NULL: the call has failed, or the row was not there at the cut. */
sqlite3_stmt *delta_resolve_row(StewardCall *c, DeltaForm *f,
                                const DeltaView *v, sqlite3_stmt *pRow) {
  sqlite3_stmt *pBase;
  if (c->rc) return NULL;
  delta_forget(f);
  if (v->pAsOf && f->names.zCreated &&
      delta_after_cut(v, sqlite3_column_value(pRow, ROW_CREATED),
                      sqlite3_column_value(pRow, ROW_KEY))) {
    return NULL;
  }
  pBase = v->ePolicy == POLICY_CHAIN  ? walk_to_base(c, f, v, pRow)
          : v->ePolicy == POLICY_FOLD ? fold(c, f, v, pRow)
                                      : one_over_base(c, f, v, pRow);
  if (pBase == NULL) delta_explain(c, f, v, pRow);
  return c->rc ? NULL : pBase;
}

/* The value of column i of the row that was resolved. */
sqlite3_value *delta_result(DeltaForm *f, sqlite3_stmt *pBase, int i) {
  sqlite3_value *v = f->aColumn[i].pValue;
  return v ? v : sqlite3_column_value(pBase, ROW_VALUE + i);
}

/* Write the result: the base's row under the overlays that were kept.  iExact
** -1: there was no cut. */
void delta_row_json(StewardCall *c, DeltaForm *f, sqlite3_stmt *pBase,
                    sqlite3_value *pSource, int iExact, StewardBuffer *pOut) {
  int i;
  if (c->rc || pBase == NULL) return;
  steward_buffer_add(c, pOut, "{", 1);
  for (i = 0; i < f->nColumn; i++) {
    const DeltaColumn *pColumn = &f->aColumn[i];
    steward_buffer_add(c, pOut, pColumn->zMember, pColumn->nMember);
    steward_buffer_json(c, pOut, delta_result(f, pBase, i));
    steward_buffer_add(c, pOut, ",", 1);
  }
  steward_buffer_add(c, pOut, f->zSource, strlen(f->zSource));
  steward_buffer_json(c, pOut, pSource);
  if (iExact >= 0) {
    steward_buffer_add(c, pOut, iExact ? ",\"exact\":1" : ",\"exact\":0", 10);
  }
  steward_buffer_add(c, pOut, "}", 1);
}

/* From a row that was resolved up to its base; one step with policy single. */
void delta_path(StewardCall *c, DeltaForm *f, const DeltaView *v,
                sqlite3_stmt *pRow, DeltaPath *pPath) {
  memset(pPath, 0, sizeof(*pPath));
  while (pRow && c->rc == SQLITE_OK) {
    path_add(c, pPath, pRow);
    if (delta_row_kind(sqlite3_column_value(pRow, ROW_FLAG)) == ROW_BASE ||
        (v->ePolicy == POLICY_SINGLE && pPath->n == 2)) {
      break;
    }
    pRow = delta_seek_parent(c, f, v, pRow);
  }
}
