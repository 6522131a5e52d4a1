/*
** delta_children.c - the children of a row (the headers of a request) as they
** read through its chain.
**
** The base's children come first.  Then, delta by delta down the chain, or with
** policy fold all deltas below the base in the order of (time, id): a child
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

/* The key of a child or an override, and the child that it is or changes. */
typedef struct DeltaAlias {
  i64 iHash;
  sqlite3_value *pKey; /* owned */
  DeltaChild *pChild;
} DeltaAlias;

/* Columns behind ROW_VALUE: nColumn plain ones, then nColumn overlays, then
** the parent as its own row spells it, where that may differ. */
static sqlite3_stmt *prepare_list(StewardCall *c, DeltaChildren *k,
                                  const DeltaView *v, const DeltaForm *pOwner) {
  DeltaForm *f = k->f;
  sqlite3_str *pSql = sqlite3_str_new(c->db);
  char *zFrom = delta_source_sql(c, f, v->bHistory);
  char *zCollate = delta_collate(c, pOwner, f->base.zTable, f->names.zOwner);
  int i;
  sqlite3_str_appendf(pSql, "SELECT %s", f->zPlainList);
  for (i = 0; i < f->nColumn; i++) {
    if (f->aColumn[i].zOverlay) {
      sqlite3_str_appendf(pSql, ", \"%w\"", f->aColumn[i].zOverlay);
    } else {
      sqlite3_str_appendall(pSql, ", NULL");
    }
  }
  if (f->zCollate && f->zCollate[0]) {
    sqlite3_str_appendf(pSql,
                        ", coalesce((SELECT p.\"%w\" FROM main.\"%w\" AS p"
                        " WHERE p.\"%w\" = steward_c.\"%w\"),"
                        " steward_c.\"%w\")",
                        f->names.zKey, f->base.zTable, f->names.zKey,
                        f->names.zParent, f->names.zParent);
  }
  sqlite3_str_appendf(pSql,
                      " FROM %s AS steward_c WHERE \"%w\" = ?1%s ORDER BY ",
                      zFrom, f->names.zOwner, zCollate);
  if (f->names.zOrder) sqlite3_str_appendf(pSql, "\"%w\", ", f->names.zOrder);
  sqlite3_str_appendf(pSql, "\"%w\"", f->names.zKey);
  sqlite3_free(zFrom);
  sqlite3_free(zCollate);
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
  sqlite3_free(k->aSlot);
  k->apChild = NULL;
  k->aAlias = NULL;
  k->aSlot = NULL;
  k->n = k->nAlloc = k->nAlias = k->nAliasAlloc = k->nSlot = 0;
}

/*************************************************************************
** Merging
*/
static sqlite3_value *copy(StewardCall *c, sqlite3_stmt *pRow, int iCol) {
  sqlite3_value *v = sqlite3_value_dup(sqlite3_column_value(pRow, iCol));
  if (v == NULL) steward_fail_nomem(c);
  return v;
}

/* The slot of a key: where it is, or where it would be. */
static int find_slot(const DeltaChildren *k, i64 iHash, sqlite3_value *pKey) {
  int i = (int)((unsigned)iHash & (unsigned)(k->nSlot - 1));
  for (; k->aSlot[i]; i = (i + 1) & (k->nSlot - 1)) {
    const DeltaAlias *a = &k->aAlias[k->aSlot[i] - 1];
    if (a->iHash == iHash && delta_same(a->pKey, pKey)) break;
  }
  return i;
}

/* The child with this key, or the one that the override with it was found to
** change. */
static DeltaChild *find_child(const DeltaChildren *k, sqlite3_value *pKey) {
  int i = k->nSlot ? find_slot(k, steward_value_hash(pKey, 0), pKey) : 0;
  return k->nSlot && k->aSlot[i] ? k->aAlias[k->aSlot[i] - 1].pChild : NULL;
}

static void rehash(StewardCall *c, DeltaChildren *k) {
  int i;
  if (!steward_grow_slots(c, &k->aSlot, &k->nSlot, 32)) return;
  for (i = 0; i < k->nAlias; i++) {
    k->aSlot[find_slot(k, k->aAlias[i].iHash, k->aAlias[i].pKey)] = i + 1;
  }
}

/* Note that the row's key stands for the child. */
static void add_alias(StewardCall *c, DeltaChildren *k, sqlite3_stmt *pRow,
                      DeltaChild *pChild) {
  sqlite3_value *pKey = copy(c, pRow, ROW_KEY);
  DeltaAlias *a;
  if (c->rc == SQLITE_OK && k->nAlias * 2 >= k->nSlot) rehash(c, k);
  if (!steward_grow(c, &k->aAlias, k->nAlias, &k->nAliasAlloc, sizeof(*a))) {
    sqlite3_value_free(pKey);
    return;
  }
  a = &k->aAlias[k->nAlias];
  a->pKey = pKey;
  a->iHash = steward_value_hash(pKey, 0);
  a->pChild = pChild;
  k->aSlot[find_slot(k, a->iHash, pKey)] = ++k->nAlias;
}

/* A child of the base, or an addition. */
static void add_child(StewardCall *c, DeltaChildren *k, sqlite3_stmt *pRow,
                      int iLevel) {
  size_t nByte = sizeof(sqlite3_value *) * (size_t)k->f->nColumn;
  DeltaChild *p;
  int i;
  if (!steward_grow(c, &k->apChild, k->n, &k->nAlloc, sizeof(p))) return;
  p = sqlite3_malloc64(sizeof(*p));
  if (p == NULL) {
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
  if (c->rc == SQLITE_OK) add_alias(c, k, pRow, p);
}

/* Lay an override over its child. */
static void apply(StewardCall *c, DeltaChildren *k, const DeltaView *v,
                  sqlite3_stmt *pRow, DeltaChild *pChild) {
  int i, n = k->f->nColumn;
  if (delta_after_cut(v, sqlite3_column_value(pRow, ROW_TIME),
                      sqlite3_column_value(pRow, ROW_KEY))) {
    return;
  }
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

enum { PASS_ADD, PASS_FIND, PASS_APPLY };

/* One row of a pass; 1 when an override found the child that it changes. */
static int pass_row(StewardCall *c, DeltaChildren *k, const DeltaView *v,
                    sqlite3_stmt *pRow, int iLevel, int ePass, int *pnLeft) {
  int iParent = k->f->zCollate[0] ? ROW_VALUE + 2 * k->f->nColumn : ROW_PARENT;
  sqlite3_value *pParent = sqlite3_column_value(pRow, iParent);
  sqlite3_value *pKey = sqlite3_column_value(pRow, ROW_KEY);
  int bNew = iLevel == 0 || sqlite3_value_type(pParent) == SQLITE_NULL;
  DeltaChild *pChild;
  if (delta_after_cut(v, sqlite3_column_value(pRow, ROW_CREATED), pKey)) {
    return 0;
  }
  if (bNew) {
    if (ePass == PASS_ADD) add_child(c, k, pRow, iLevel);
    return 0;
  }
  if (ePass == PASS_ADD) return 0;
  pChild = find_child(k, pKey);
  if (ePass == PASS_APPLY) {
    if (pChild) apply(c, k, v, pRow, pChild);
    return 0;
  }
  if (pChild) return 0;
  pChild = find_child(k, pParent);
  if (pChild == NULL) {
    (*pnLeft)++;
    return 0;
  }
  add_alias(c, k, pRow, pChild);
  return 1;
}

/* One pass over the rows of an owner; how many overrides found their child. */
static int read_pass(StewardCall *c, DeltaChildren *k, const DeltaView *v,
                     sqlite3_stmt *pList, sqlite3_value *pOwner, int iLevel,
                     int ePass, int *pnLeft) {
  int nFound = 0;
  *pnLeft = 0;
  sqlite3_reset(pList);
  steward_bind_value(c, pList, 1, pOwner);
  if (v->bHistory) sqlite3_bind_int64(pList, 2, v->iCut);
  while (steward_next(c, pList)) {
    nFound += pass_row(c, k, v, pList, iLevel, ePass, pnLeft);
  }
  sqlite3_reset(pList);
  return nFound;
}

/* One level: what is added, and which child each override changes; again as
** long as one finds it. */
static void read_level(StewardCall *c, DeltaChildren *k, const DeltaView *v,
                       sqlite3_stmt *pList, sqlite3_value *pOwner, int iLevel) {
  int nFound = iLevel, nLeft;
  read_pass(c, k, v, pList, pOwner, iLevel, PASS_ADD, &nLeft);
  while (nFound && c->rc == SQLITE_OK) {
    nFound = read_pass(c, k, v, pList, pOwner, iLevel, PASS_FIND, &nLeft);
    if (nLeft == 0) break;
  }
}

/* Lay the overrides of one level over their children, in (order, id). */
static void apply_level(StewardCall *c, DeltaChildren *k, const DeltaView *v,
                        sqlite3_stmt *pList, sqlite3_value *pOwner) {
  int nLeft;
  read_pass(c, k, v, pList, pOwner, 1, PASS_APPLY, &nLeft);
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

/* The child of this level with this key. */
static DeltaChild *on_level(const DeltaChildren *k, int iLevel,
                            sqlite3_value *pKey) {
  DeltaChild *p = pKey ? find_child(k, pKey) : NULL;
  return p && p->iLevel == iLevel && delta_same(p->apValue[k->iKey], pKey)
             ? p
             : NULL;
}

/* What is wrong with the links of p, if anything. */
static const char *judge(const DeltaChildren *k, const DeltaChild *p) {
  sqlite3_value *pNext = link_of(p, k->iNext), *pPrev = link_of(p, k->iPrev);
  DeltaChild *pTo = on_level(k, p->iLevel, pNext);
  DeltaChild *pFrom = on_level(k, p->iLevel, pPrev);
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
static int follow(const DeltaChildren *k, DeltaChild *p, DeltaChild **apOut,
                  int nOut) {
  while (p && !p->bPlaced) {
    p->bPlaced = 1;
    apOut[nOut++] = p;
    p = on_level(k, p->iLevel, link_of(p, k->iNext));
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
    DeltaChild *pTo = on_level(k, a[i]->iLevel, link_of(a[i], k->iNext));
    if (pTo) pTo->bTarget = 1;
  }
  for (i = 0; i < n; i++) {
    a[i]->zViolation = judge(k, a[i]);
    if (a[i]->bTarget || on_level(k, a[i]->iLevel, link_of(a[i], k->iPrev)))
      continue;
    if (nBegin++ && a[i]->zViolation == NULL) {
      a[i]->zViolation = "the list begins a second time";
    }
    nOut = follow(k, a[i], apOut, nOut);
  }
  for (i = 0; i < n; i++) {
    if (!a[i]->bPlaced && a[i]->zViolation == NULL) {
      a[i]->zViolation = "the list is a circle";
    }
  }
  for (i = 0; i < n; i++) {
    if (!a[i]->bPlaced) nOut = follow(k, a[i], apOut, nOut);
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

static int compare_places(const void *a, const void *b) {
  const DeltaPlace *pA = a, *pB = b;
  int i = delta_compare(pA->pTime, pB->pTime);
  return i ? i : delta_compare(pA->pKey, pB->pKey);
}

/* Every row below the base: first what all of them add and which child each
** override changes, wherever below the base it is, then what it changes, in the
** order of the rows' (time, id). */
static void read_fold(StewardCall *c, DeltaChildren *k, const DeltaView *v,
                      sqlite3_stmt *pList, const DeltaPath *pPath) {
  DeltaPlace *a = pPath->a;
  int i, nFound, nLeft, nMiss;
  if (pPath->n > 2) {
    qsort(a + 1, (size_t)(pPath->n - 1), sizeof(*a), compare_places);
  }
  for (i = 0; i < pPath->n && c->rc == SQLITE_OK; i++) {
    read_pass(c, k, v, pList, a[i].pKey, i, PASS_ADD, &nLeft);
  }
  do {
    nFound = nMiss = 0;
    for (i = 1; i < pPath->n && c->rc == SQLITE_OK; i++) {
      nFound += read_pass(c, k, v, pList, a[i].pKey, i, PASS_FIND, &nLeft);
      nMiss += nLeft;
    }
  } while (nFound && nMiss && c->rc == SQLITE_OK);
  for (i = 1; i < pPath->n && c->rc == SQLITE_OK; i++) {
    apply_level(c, k, v, pList, a[i].pKey);
  }
}

/* From the base, the last of the path, down. */
static void read_chain(StewardCall *c, DeltaChildren *k, const DeltaView *v,
                       sqlite3_stmt *pList, const DeltaPath *pPath) {
  int i;
  for (i = pPath->n - 1; i >= 0 && c->rc == SQLITE_OK; i--) {
    int iLevel = pPath->n - 1 - i;
    read_level(c, k, v, pList, pPath->a[i].pKey, iLevel);
    if (iLevel) apply_level(c, k, v, pList, pPath->a[i].pKey);
  }
}

/* The children, in table k->f, of row pId of pOwner; none when there is no such
** row. */
void delta_children_read(StewardCall *c, DeltaChildren *k, DeltaForm *pOwner,
                         const DeltaView *v, sqlite3_value *pId) {
  DeltaPath path = {0};
  DeltaView owner = *v, child = *v;
  sqlite3_stmt *pRow, *pList = NULL;
  k->iKey = column_at(k->f, k->f->names.zKey);
  k->iOrder = column_at(k->f, k->f->names.zOrder);
  k->iPrev = column_at(k->f, k->f->names.zPrev);
  k->iNext = column_at(k->f, k->f->names.zNext);
  delta_view_open(c, pOwner, &owner);
  delta_view_open(c, k->f, &child);
  k->bExact = v->pAsOf == NULL || (owner.bHistory && child.bHistory);
  if (v->ePolicy == POLICY_FOLD) owner.pBelow = &path;
  pRow = c->rc ? NULL : delta_seek(c, pOwner, &owner, DELTA_LEAF, pId);
  if (pRow && delta_resolve_row(c, pOwner, &owner, pRow)) {
    if (v->ePolicy != POLICY_FOLD) delta_path(c, pOwner, &owner, pRow, &path);
    pList = prepare_list(c, k, &child, pOwner);
  }
  if (pList && v->ePolicy == POLICY_FOLD) {
    read_fold(c, k, &child, pList, &path);
  } else if (pList) {
    read_chain(c, k, &child, pList, &path);
  }
  sqlite3_finalize(pList);
  delta_path_free(&path);
  if (c->rc == SQLITE_OK) order(c, k);
}
