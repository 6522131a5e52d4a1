/*
** delta_children.c - the children of a row (the headers of a request) as they
** read through its chain.
**
** The base's children come first.  Then, delta by delta down the chain: a child
** whose parent column names a child that is there, or an override of one,
** changes it, field by field; several for one child apply in (order, id).  One
** without a parent is added, behind the base's.  An override whose parent is
** not among the children is left out.  Nothing is taken away: what is disabled
** stays, with enabled = 0.
**
** The order is the list prev/next where any is set, else the order column, as
** the overrides have changed it; ties by id.  A broken list is repaired: from
** each beginning along `next`, then what is left, by order and id; the children
** at fault say so.
*/
#include <stdlib.h>
#include <string.h>

#include "delta_int.h"

/* The key of an override, and the child that it changes. */
typedef struct DeltaAlias {
  i64 iHash;
  sqlite3_value *pKey; /* owned */
  DeltaChild *pChild;
} DeltaAlias;

/* Columns behind ROW_VALUE: nColumn plain ones, then nColumn overlays. */
static sqlite3_stmt *prepare_list(StewardCall *c, DeltaChildren *k,
                                  const DeltaView *v) {
  DeltaForm *f = k->f;
  sqlite3_str *pSql = sqlite3_str_new(c->db);
  char *zFrom = delta_source_sql(c, f, v->bHistory);
  int i;
  sqlite3_str_appendf(pSql, "SELECT %s", f->zPlainList);
  for (i = 0; i < f->nColumn; i++) {
    if (f->aColumn[i].zOverlay) {
      sqlite3_str_appendf(pSql, ", \"%w\"", f->aColumn[i].zOverlay);
    } else {
      sqlite3_str_appendall(pSql, ", NULL");
    }
  }
  sqlite3_str_appendf(pSql, " FROM %s WHERE \"%w\" = ?1 ORDER BY ", zFrom,
                      f->names.zOwner);
  if (f->names.zOrder) sqlite3_str_appendf(pSql, "\"%w\", ", f->names.zOrder);
  sqlite3_str_appendf(pSql, "\"%w\"", f->names.zKey);
  sqlite3_free(zFrom);
  return steward_prepare_text(c, steward_str_finish(c, pSql));
}

static void child_free(const DeltaForm *f, DeltaChild *p) {
  int i;
  if (p == NULL) return;
  for (i = 0; p->apValue && i < f->nColumn; i++) {
    sqlite3_value_free(p->apValue[i]);
  }
  sqlite3_free(p->apValue);
  sqlite3_value_free(p->pSource);
  sqlite3_free(p);
}

void delta_children_free(DeltaChildren *k) {
  int i;
  for (i = 0; i < k->n; i++) child_free(k->f, k->apChild[i]);
  for (i = 0; i < k->nAlias; i++) sqlite3_value_free(k->aAlias[i].pKey);
  sqlite3_free(k->apChild);
  sqlite3_free(k->aAlias);
  k->apChild = NULL;
  k->aAlias = NULL;
  k->n = k->nAlias = 0;
}

/*************************************************************************
** Merging
*/
static sqlite3_value *copy(StewardCall *c, sqlite3_stmt *pRow, int iCol) {
  sqlite3_value *v = sqlite3_value_dup(sqlite3_column_value(pRow, iCol));
  if (v == NULL) steward_fail_nomem(c);
  return v;
}

/* A child of the base, or an addition. */
static void add_child(StewardCall *c, DeltaChildren *k, sqlite3_stmt *pRow,
                      int iLevel) {
  size_t nByte = sizeof(sqlite3_value *) * (size_t)k->f->nColumn;
  DeltaChild **apNew =
      sqlite3_realloc64(k->apChild, sizeof(k->apChild[0]) * (size_t)(k->n + 1));
  DeltaChild *p = sqlite3_malloc64(sizeof(*p));
  int i;
  if (apNew) k->apChild = apNew;
  if (apNew == NULL || p == NULL) {
    sqlite3_free(p);
    steward_fail_nomem(c);
    return;
  }
  memset(p, 0, sizeof(*p));
  k->apChild[k->n++] = p;
  p->iLevel = iLevel;
  p->iHash = steward_value_hash(sqlite3_column_value(pRow, ROW_KEY), 0);
  p->pSource = copy(c, pRow, ROW_KEY);
  p->apValue = sqlite3_malloc64(nByte);
  if (p->apValue == NULL) {
    steward_fail_nomem(c);
    return;
  }
  memset(p->apValue, 0, nByte);
  for (i = 0; i < k->f->nColumn && c->rc == SQLITE_OK; i++) {
    p->apValue[i] = copy(c, pRow, ROW_VALUE + i);
  }
}

/* The child with this key, or the one that the override with it changes. */
static DeltaChild *find_child(const DeltaChildren *k, sqlite3_value *pKey) {
  i64 iHash = steward_value_hash(pKey, 0);
  int i;
  for (i = 0; i < k->n; i++) {
    DeltaChild *p = k->apChild[i];
    if (p->iHash == iHash && delta_same(p->apValue[k->iKey], pKey)) return p;
  }
  for (i = 0; i < k->nAlias; i++) {
    const DeltaAlias *a = &k->aAlias[i];
    if (a->iHash == iHash && delta_same(a->pKey, pKey)) return a->pChild;
  }
  return NULL;
}

static void add_alias(StewardCall *c, DeltaChildren *k, sqlite3_stmt *pRow,
                      DeltaChild *pChild) {
  DeltaAlias *aNew = sqlite3_realloc64(k->aAlias, sizeof(k->aAlias[0]) *
                                                      (size_t)(k->nAlias + 1));
  if (aNew == NULL) {
    steward_fail_nomem(c);
    return;
  }
  k->aAlias = aNew;
  aNew[k->nAlias].pKey = copy(c, pRow, ROW_KEY);
  aNew[k->nAlias].iHash =
      steward_value_hash(sqlite3_column_value(pRow, ROW_KEY), 0);
  aNew[k->nAlias++].pChild = pChild;
}

/* Lay an override over its child. */
static void apply(StewardCall *c, DeltaChildren *k, const DeltaView *v,
                  sqlite3_stmt *pRow, DeltaChild *pChild) {
  int i, n = k->f->nColumn;
  add_alias(c, k, pRow, pChild);
  if (delta_after_cut(v, sqlite3_column_value(pRow, ROW_TIME))) return;
  for (i = 0; i < n && c->rc == SQLITE_OK; i++) {
    if (k->f->aColumn[i].zOverlay == NULL ||
        sqlite3_column_type(pRow, ROW_VALUE + n + i) == SQLITE_NULL) {
      continue;
    }
    sqlite3_value_free(pChild->apValue[i]);
    pChild->apValue[i] = copy(c, pRow, ROW_VALUE + n + i);
  }
  sqlite3_value_free(pChild->pSource);
  pChild->pSource = copy(c, pRow, ROW_KEY);
}

/* Has the override been applied, in an earlier pass? */
static int is_applied(const DeltaChildren *k, int iFrom, sqlite3_value *pKey) {
  int i;
  for (i = iFrom; i < k->nAlias; i++) {
    if (delta_same(k->aAlias[i].pKey, pKey)) return 1;
  }
  return 0;
}

/* One level: first what is added, then the overrides, again as long as one
** finds the override that it changes.  How many found nothing. */
static int read_level(StewardCall *c, DeltaChildren *k, const DeltaView *v,
                      sqlite3_stmt *pList, sqlite3_value *pOwner, int iLevel) {
  int iFirst = k->nAlias, nDone, nLeft, bAdd = 1;
  do {
    nDone = nLeft = 0;
    sqlite3_reset(pList);
    steward_bind_value(c, pList, 1, pOwner);
    if (v->bHistory) sqlite3_bind_int64(pList, 2, v->iCut);
    while (steward_next(c, pList)) {
      sqlite3_value *pParent = sqlite3_column_value(pList, ROW_PARENT);
      int bNew = iLevel == 0 || sqlite3_value_type(pParent) == SQLITE_NULL;
      DeltaChild *pChild;
      if (bNew != bAdd) continue;
      if (delta_after_cut(v, sqlite3_column_value(pList, ROW_CREATED))) {
        continue;
      }
      if (bNew) {
        add_child(c, k, pList, iLevel);
        continue;
      }
      if (is_applied(k, iFirst, sqlite3_column_value(pList, ROW_KEY))) continue;
      pChild = find_child(k, pParent);
      if (pChild) {
        apply(c, k, v, pList, pChild);
        nDone++;
      } else {
        nLeft++;
      }
    }
    sqlite3_reset(pList);
    if (bAdd) nDone = 1;
    bAdd = 0;
  } while (nDone && c->rc == SQLITE_OK && iLevel > 0);
  return nLeft;
}

/*************************************************************************
** Order
*/

/* qsort has no argument: the columns travel with the rows. */
typedef struct SortRow {
  DeltaChild *p;
  int iOrder, iKey;
} SortRow;

static int compare_rows(const void *a, const void *b) {
  const SortRow *pA = a, *pB = b;
  int i = pA->p->iLevel - pB->p->iLevel;
  if (i == 0 && pA->iOrder >= 0) {
    i = delta_compare(pA->p->apValue[pA->iOrder], pB->p->apValue[pB->iOrder]);
  }
  return i ? i
           : delta_compare(pA->p->apValue[pA->iKey], pB->p->apValue[pB->iKey]);
}

/* By level, order, id. */
static void sort(StewardCall *c, DeltaChildren *k) {
  SortRow *a = sqlite3_malloc64(sizeof(*a) * (size_t)(k->n + 1));
  int i;
  if (a == NULL) {
    steward_fail_nomem(c);
    return;
  }
  for (i = 0; i < k->n; i++) {
    a[i].p = k->apChild[i];
    a[i].iOrder = k->iOrder;
    a[i].iKey = k->iKey;
  }
  qsort(a, (size_t)k->n, sizeof(*a), compare_rows);
  for (i = 0; i < k->n; i++) k->apChild[i] = a[i].p;
  sqlite3_free(a);
}

static sqlite3_value *link_of(const DeltaChild *p, int iCol) {
  return sqlite3_value_type(p->apValue[iCol]) == SQLITE_NULL ? NULL
                                                             : p->apValue[iCol];
}

/* The child of a[0..n) with this key. */
static DeltaChild *in_group(const DeltaChildren *k, DeltaChild **a, int n,
                            sqlite3_value *pKey) {
  i64 iHash = pKey ? steward_value_hash(pKey, 0) : 0;
  int i;
  for (i = 0; pKey && i < n; i++) {
    if (a[i]->iHash == iHash && delta_same(a[i]->apValue[k->iKey], pKey)) {
      return a[i];
    }
  }
  return NULL;
}

/* What is wrong with the links of p, if anything. */
static const char *judge(const DeltaChildren *k, DeltaChild **a, int n,
                         const DeltaChild *p) {
  sqlite3_value *pNext = link_of(p, k->iNext), *pPrev = link_of(p, k->iPrev);
  DeltaChild *pTo = in_group(k, a, n, pNext);
  DeltaChild *pFrom = in_group(k, a, n, pPrev);
  if (pNext && pTo == NULL) return "next is not in the list";
  if (pPrev && pFrom == NULL) return "prev is not in the list";
  if (pTo == p || pFrom == p) return "it follows itself";
  if (pTo && !delta_same(pTo->apValue[k->iPrev], p->apValue[k->iKey])) {
    return "prev of its next is another row";
  }
  if (pFrom && !delta_same(pFrom->apValue[k->iNext], p->apValue[k->iKey])) {
    return "next of its prev is another row";
  }
  return NULL;
}

/* Place p and what follows it. */
static int follow(const DeltaChildren *k, DeltaChild **a, int n, DeltaChild *p,
                  DeltaChild **apOut, int nOut) {
  while (p && !p->bPlaced) {
    p->bPlaced = 1;
    apOut[nOut++] = p;
    p = in_group(k, a, n, link_of(p, k->iNext));
  }
  return nOut;
}

/* The children of one level, sorted by order and id: by the list, if any. */
static void order_group(StewardCall *c, const DeltaChildren *k, DeltaChild **a,
                        int n) {
  DeltaChild **apOut;
  int i, nOut = 0, nBegin = 0, bList = 0;
  for (i = 0; i < n; i++) {
    bList |= link_of(a[i], k->iPrev) || link_of(a[i], k->iNext);
  }
  if (!bList) return;
  apOut = sqlite3_malloc64(sizeof(DeltaChild *) * (size_t)n);
  if (apOut == NULL) {
    steward_fail_nomem(c);
    return;
  }
  for (i = 0; i < n; i++) {
    DeltaChild *pTo = in_group(k, a, n, link_of(a[i], k->iNext));
    if (pTo) pTo->bTarget = 1;
  }
  for (i = 0; i < n; i++) {
    a[i]->zViolation = judge(k, a, n, a[i]);
    if (a[i]->bTarget || in_group(k, a, n, link_of(a[i], k->iPrev))) continue;
    if (nBegin++ && a[i]->zViolation == NULL) {
      a[i]->zViolation = "the list begins a second time";
    }
    nOut = follow(k, a, n, a[i], apOut, nOut);
  }
  for (i = 0; i < n; i++) {
    if (!a[i]->bPlaced && a[i]->zViolation == NULL) {
      a[i]->zViolation = "the list is a circle";
    }
  }
  for (i = 0; i < n; i++) {
    if (!a[i]->bPlaced) nOut = follow(k, a, n, a[i], apOut, nOut);
  }
  memcpy(a, apOut, sizeof(DeltaChild *) * (size_t)n);
  sqlite3_free(apOut);
}

static void order(StewardCall *c, DeltaChildren *k) {
  int i, iFrom = 0;
  sort(c, k);
  if (c->rc || k->iPrev < 0 || k->iNext < 0) return;
  for (i = 1; i <= k->n; i++) {
    if (i < k->n && k->apChild[i]->iLevel == k->apChild[iFrom]->iLevel) {
      continue;
    }
    order_group(c, k, k->apChild + iFrom, i - iFrom);
    iFrom = i;
  }
}

/*************************************************************************
** Reading
*/
static int column_at(const DeltaForm *f, const char *zName) {
  int i;
  for (i = 0; zName && i < f->nColumn; i++) {
    if (!sqlite3_stricmp(f->aColumn[i].zName, zName)) return i;
  }
  return -1;
}

/* The children, in table k->f, of row pId of pOwner; none when there is no such
** row. */
void delta_children_read(StewardCall *c, DeltaChildren *k, DeltaForm *pOwner,
                         DeltaView *v, sqlite3_value *pId) {
  DeltaPath path = {0};
  DeltaView child = *v;
  sqlite3_stmt *pRow, *pList = NULL;
  int i;
  k->iKey = column_at(k->f, k->f->names.zKey);
  k->iOrder = column_at(k->f, k->f->names.zOrder);
  k->iPrev = column_at(k->f, k->f->names.zPrev);
  k->iNext = column_at(k->f, k->f->names.zNext);
  delta_view_open(c, pOwner, v);
  delta_view_open(c, k->f, &child);
  k->bExact = v->pAsOf == NULL || (v->bHistory && child.bHistory);
  pRow = c->rc ? NULL : delta_seek(c, pOwner, v, DELTA_LEAF, pId);
  if (pRow && delta_resolve_row(c, pOwner, v, pRow)) {
    delta_path(c, pOwner, v, pRow, &path);
    pList = prepare_list(c, k, &child);
  }
  for (i = path.n - 1; i >= 0 && c->rc == SQLITE_OK; i--) {
    k->nOrphan +=
        read_level(c, k, &child, pList, path.apKey[i], path.n - 1 - i);
  }
  sqlite3_finalize(pList);
  delta_path_free(&path);
  if (c->rc == SQLITE_OK) order(c, k);
}
