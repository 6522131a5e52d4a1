/*
** fk_tree.c - which rows go with a row, and in which order they can.
**
** The edges between tables are the real foreign keys of the whole schema, and
** what delta_define declared: the parent column of a table of overlays, and the
** owner column of a table of children.  From the first row on, every reference
** to a row that goes is looked up, whatever its ON DELETE says: rows that
** CASCADE go, too; the others count for the order, or are for fk.c to settle.
** Each row is met once, so circles end.
**
** A row can go when none refers to it any more that goes.  Rows on a circle
** never can, and then whichever was found last goes first.
*/
#include <string.h>

#include "fk_int.h"

static void forget_key(const FkTree *k, FkRow *r) {
  int i;
  for (i = 0; r->apKey && i < k->aTable[r->iTable].nKey; i++) {
    sqlite3_value_free(r->apKey[i]);
  }
  sqlite3_free(r->apKey);
  r->apKey = NULL;
}

void fk_free(FkTree *k) {
  int i, j;
  for (i = 0; i < k->nRow; i++) forget_key(k, &k->aRow[i]);
  for (i = 0; i < k->nTable; i++) {
    FkTable *t = &k->aTable[i];
    for (j = 0; j < t->nEdge; j++) {
      sqlite3_finalize(t->aEdge[j].pFind);
      sqlite3_finalize(t->aEdge[j].pUnlink);
      sqlite3_free(t->aEdge[j].zJoin);
      sqlite3_free(t->aEdge[j].zUnlink);
      sqlite3_free(t->aEdge[j].zColumn);
      sqlite3_free(t->aEdge[j].zNone);
      sqlite3_free(t->aEdge[j].zHeld);
    }
    for (j = 0; j < t->nKey; j++) sqlite3_free(t->azKey[j]);
    sqlite3_finalize(t->pDelete);
    sqlite3_free(t->aEdge);
    sqlite3_free(t->azKey);
    sqlite3_free(t->zName);
  }
  sqlite3_free(k->aTable);
  sqlite3_free(k->aRow);
  sqlite3_free(k->aRef);
  sqlite3_free(k->aOrder);
  sqlite3_free(k->aSlot);
}

/*************************************************************************
** Tables and foreign keys
*/

/* *pz, zGlue and the new text, which is freed, in place of *pz. */
static void extend(StewardCall *c, char **pz, const char *zGlue, char *zNew) {
  char *zOld = *pz;
  *pz = steward_mprintf(c, "%s%s%s", zOld ? zOld : "", zOld ? zGlue : "",
                        zNew ? zNew : "");
  sqlite3_free(zOld);
  sqlite3_free(zNew);
}

static void add_key(StewardCall *c, FkTable *t, char *zKey) {
  if (zKey && steward_grow(c, &t->azKey, t->nKey, NULL, sizeof(char *))) {
    t->azKey[t->nKey++] = zKey;
  } else {
    sqlite3_free(zKey);
  }
}

/* What a row of the table is known by. */
static void set_key(StewardCall *c, FkTable *t, const StewardTableInfo *pInfo) {
  int i, iPk;
  t->bRowid = !pInfo->bWithoutRowid;
  if (t->bRowid) add_key(c, t, steward_key_list(c, pInfo, ""));
  for (iPk = 1; !t->bRowid && iPk <= pInfo->nCol; iPk++) {
    for (i = 0; i < pInfo->nCol; i++) {
      if (pInfo->aCol[i].iPk == iPk) {
        add_key(c, t, steward_mprintf(c, "\"%w\"", pInfo->aCol[i].zName));
      }
    }
  }
}

/* `c."k", c."l"`, or, bound, `c."k" = ?1 AND c."l" = ?2`.  Caller frees. */
char *fk_keys(StewardCall *c, const FkTable *t, char cAlias, int bBound) {
  char *z = NULL;
  int i;
  for (i = 0; i < t->nKey && c->rc == SQLITE_OK; i++) {
    extend(c, &z, bBound ? " AND " : ", ",
           bBound
               ? steward_mprintf(c, "%c.%s = ?%d", cAlias, t->azKey[i], i + 1)
               : steward_mprintf(c, "%c.%s", cAlias, t->azKey[i]));
  }
  return z;
}

/* The number of a table of this name; -1 when the call has failed. */
int fk_table(StewardCall *c, FkTree *k, const char *zName) {
  StewardTableInfo info;
  int i;
  for (i = 0; zName && i < k->nTable; i++) {
    if (sqlite3_stricmp(k->aTable[i].zName, zName) == 0) return i;
  }
  if (!steward_grow(c, &k->aTable, k->nTable, NULL, sizeof(FkTable))) return -1;
  steward_table_info(c, zName, &info);
  if (c->rc == SQLITE_OK) {
    i = k->nTable++;
    k->aTable[i].zName = steward_mprintf(c, "%s", info.zName);
    set_key(c, &k->aTable[i], &info);
  }
  steward_table_info_free(&info);
  return c->rc ? -1 : i;
}

static int action_of(const char *zAction) {
  if (strcmp(zAction, "CASCADE") == 0) return ACTION_CASCADE;
  if (strcmp(zAction, "SET NULL") == 0) return ACTION_NULL;
  return strcmp(zAction, "SET DEFAULT") == 0 ? ACTION_DEFAULT : ACTION_REFUSE;
}

/* A new edge to a table; NULL when the call has failed. */
static FkEdge *add_edge(StewardCall *c, FkTree *k, int iTable, int iChild,
                        int eAction) {
  FkTable *t = &k->aTable[iTable];
  if (c->rc || !steward_grow(c, &t->aEdge, t->nEdge, NULL, sizeof(FkEdge)))
    return NULL;
  t->aEdge[t->nEdge].iChild = iChild;
  t->aEdge[t->nEdge].eAction = eAction;
  return &t->aEdge[t->nEdge++];
}

/* Add a column to it. */
static void add_column(StewardCall *c, FkTree *k, FkEdge *e, const char *zFrom,
                       const char *zTo) {
  char *zDefault = NULL;
  if (c->rc || e == NULL) return;
  if (e->eAction == ACTION_DEFAULT) {
    zDefault = steward_text(c, SQL_fk_default, "tt", k->aTable[e->iChild].zName,
                            zFrom);
    extend(c, &e->zNone, " OR ",
           steward_mprintf(c, "(%s) IS NULL", zDefault ? zDefault : "NULL"));
    extend(c, &e->zHeld, " AND ",
           steward_mprintf(c, "p.\"%w\" = (%s)", zTo,
                           zDefault ? zDefault : "NULL"));
  }
  if (e->nColumn++ == 0) e->zColumn = steward_mprintf(c, "%s", zFrom);
  /* an index needs the first; by the second only the parent's affinity counts,
  ** as it does for SQLite */
  extend(c, &e->zJoin, " AND ",
         steward_mprintf(c, "p.\"%w\" = c.\"%w\" AND p.\"%w\" = +c.\"%w\"", zTo,
                         zFrom, zTo, zFrom));
  extend(
      c, &e->zUnlink, ", ",
      steward_mprintf(c, "\"%w\" = (%s)", zFrom, zDefault ? zDefault : "NULL"));
  sqlite3_free(zDefault);
}

/* The foreign keys that refer to a table.  One that names no column of it, as
** it has no primary key, refers to nothing. */
static void real_edges(StewardCall *c, FkTree *k, int iTable) {
  sqlite3_stmt *pRow =
      steward_query(c, SQL_fk_to_table, "t", k->aTable[iTable].zName);
  int iLastId = -1, iLastChild = -1;
  FkEdge *e = NULL;
  while (steward_next(c, pRow)) {
    int iChild, iId = sqlite3_column_int(pRow, 1);
    if (sqlite3_column_type(pRow, 3) == SQLITE_NULL) continue;
    iChild = fk_table(c, k, steward_column(c, pRow, 0));
    if (iChild != iLastChild || iId != iLastId) {
      const char *zAction = steward_column(c, pRow, 4);
      if (c->rc) break;
      e = add_edge(c, k, iTable, iChild, action_of(zAction));
      iLastChild = iChild;
      iLastId = iId;
    }
    add_column(c, k, e, steward_column(c, pRow, 2), steward_column(c, pRow, 3));
  }
  steward_give(c, SQL_fk_to_table, pRow);
}

/* What delta_define said of a column, unless that is a foreign key already. */
static void declared_edge(StewardCall *c, FkTree *k, int iTable, int iChild,
                          const char *zFrom, const char *zTo) {
  const FkTable *t = &k->aTable[iTable];
  int i;
  if (c->rc || zFrom == NULL || zTo == NULL) return;
  for (i = 0; i < t->nEdge; i++) {
    const FkEdge *e = &t->aEdge[i];
    if (e->iChild == iChild && e->nColumn == 1 &&
        sqlite3_stricmp(e->zColumn, zFrom) == 0) {
      return;
    }
  }
  add_column(c, k, add_edge(c, k, iTable, iChild, ACTION_CASCADE), zFrom, zTo);
}

/* The tables that were declared to hold children of this one's rows. */
static void declared_children(StewardCall *c, FkTree *k, int iTable,
                              const DeltaForm *f) {
  sqlite3_stmt *pRow =
      steward_query(c, SQL_delta_children_of, "t", f->base.zTable);
  while (steward_next(c, pRow)) {
    DeltaForm *pChild = delta_form_loose(c, steward_column(c, pRow, 0));
    if (pChild) {
      declared_edge(c, k, iTable, fk_table(c, k, pChild->base.zTable),
                    pChild->names.zOwner, f->names.zKey);
    }
    delta_form_close(c, pChild);
  }
  steward_give(c, SQL_delta_children_of, pRow);
}

/* What delta_define says of the table, if anything. */
static void declared_edges(StewardCall *c, FkTree *k, int iTable) {
  const char *zName = k->aTable[iTable].zName;
  DeltaForm *f;
  if (c->rc || !delta_is_table(c, "steward_delta_tables") ||
      !steward_int(c, SQL_delta_named, 0, "t", zName)) {
    return;
  }
  f = delta_form_loose(c, zName);
  if (f && f->bDefined) {
    declared_edge(c, k, iTable, iTable, f->names.zParent, f->names.zKey);
  }
  if (f) declared_children(c, k, iTable, f);
  delta_form_close(c, f);
}

/* Find what refers to a table. */
static void look(StewardCall *c, FkTree *k, int iTable) {
  if (c->rc || k->aTable[iTable].bLooked) return;
  k->aTable[iTable].bLooked = 1;
  real_edges(c, k, iTable);
  declared_edges(c, k, iTable);
}

/*************************************************************************
** Rows
*/

static unsigned hash_row(const FkTree *k, const FkRow *r) {
  i64 h = r->iTable + 1;
  int i;
  if (r->apKey == NULL) {
    return (unsigned)((unsigned long long)(r->iRowid * 31 + h) *
                          0x9e3779b97f4a7c15u >>
                      32);
  }
  for (i = 0; i < k->aTable[r->iTable].nKey; i++) {
    h = steward_value_hash(r->apKey[i], h);
  }
  return (unsigned)h;
}

static int same_row(const FkTree *k, const FkRow *a, const FkRow *b) {
  int i;
  if (a->iTable != b->iTable) return 0;
  if (a->apKey == NULL) return a->iRowid == b->iRowid;
  for (i = 0; i < k->aTable[a->iTable].nKey; i++) {
    if (!delta_same(a->apKey[i], b->apKey[i])) return 0;
  }
  return 1;
}

/* The slot of a row: where it is, or where it would be. */
static int find_slot(const FkTree *k, const FkRow *r) {
  int i = (int)(hash_row(k, r) & (unsigned)(k->nSlot - 1));
  while (k->aSlot[i] && !same_row(k, &k->aRow[k->aSlot[i] - 1], r)) {
    i = (i + 1) & (k->nSlot - 1);
  }
  return i;
}

static void rehash(StewardCall *c, FkTree *k) {
  int i;
  if (!steward_grow_slots(c, &k->aSlot, &k->nSlot, 128)) return;
  for (i = 0; i < k->nRow; i++) k->aSlot[find_slot(k, &k->aRow[i])] = i + 1;
}

/* Copy the key on which a statement stands, in its columns from iCol on. */
static void read_key(StewardCall *c, const FkTree *k, FkRow *r,
                     sqlite3_stmt *pRow, int iCol) {
  int i, n = k->aTable[r->iTable].nKey;
  if (k->aTable[r->iTable].bRowid) {
    r->iRowid = sqlite3_column_int64(pRow, iCol);
    return;
  }
  r->apKey = sqlite3_malloc64(sizeof(r->apKey[0]) * (size_t)n);
  if (r->apKey == NULL) {
    steward_fail_nomem(c);
    return;
  }
  for (i = 0; i < n; i++) {
    r->apKey[i] = sqlite3_value_dup(sqlite3_column_value(pRow, iCol + i));
    if (r->apKey[i] == NULL) steward_fail_nomem(c);
  }
}

/* The number of the row; -1 when the call has failed. */
int fk_meet(StewardCall *c, FkTree *k, int iTable, sqlite3_stmt *pRow,
            int iCol) {
  FkRow row = {.iTable = iTable};
  int iSlot;
  if (c->rc == SQLITE_OK && k->nRow * 2 >= k->nSlot) rehash(c, k);
  if (c->rc) return -1;
  read_key(c, k, &row, pRow, iCol);
  iSlot = c->rc ? 0 : find_slot(k, &row);
  if (c->rc || k->aSlot[iSlot] ||
      !steward_grow(c, &k->aRow, k->nRow, &k->nRowAlloc, sizeof(FkRow))) {
    forget_key(k, &row);
    return c->rc ? -1 : k->aSlot[iSlot] - 1;
  }
  k->aRow[k->nRow++] = row;
  k->aSlot[iSlot] = k->nRow;
  return k->nRow - 1;
}

static void let_go(StewardCall *c, FkTree *k, int iRow) {
  if (c->rc || iRow < 0 || k->aRow[iRow].bGoes ||
      !steward_grow(c, &k->aOrder, k->nGo, &k->nGoAlloc, sizeof(int))) {
    return;
  }
  k->aRow[iRow].bGoes = 1;
  k->aOrder[k->nGo++] = iRow;
}

/* Let the row go whose key pRow has from column iCol on. */
void fk_doom(StewardCall *c, FkTree *k, int iTable, sqlite3_stmt *pRow,
             int iCol) {
  let_go(c, k, fk_meet(c, k, iTable, pRow, iCol));
}

/* Bind the key of a row to ?1.. */
void fk_bind(StewardCall *c, const FkTree *k, sqlite3_stmt *pStmt, int iRow) {
  const FkRow *r = &k->aRow[iRow];
  int i, rc = SQLITE_OK;
  if (c->rc || pStmt == NULL) return;
  if (r->apKey == NULL) rc = sqlite3_bind_int64(pStmt, 1, r->iRowid);
  for (i = 0; r->apKey && i < k->aTable[r->iTable].nKey; i++) {
    if (rc == SQLITE_OK) rc = sqlite3_bind_value(pStmt, i + 1, r->apKey[i]);
  }
  if (rc) steward_fail_db(c, rc);
}

/* The columns of a table's primary key; what its rows are known by when it has
** none.  Caller frees. */
static char *primary_key(StewardCall *c, const FkTable *t) {
  StewardTableInfo info;
  char *zList = NULL;
  int i, iPk;
  steward_table_info(c, t->zName, &info);
  for (iPk = 1; iPk <= info.nCol; iPk++) {
    for (i = 0; i < info.nCol; i++) {
      if (info.aCol[i].iPk != iPk) continue;
      extend(c, &zList, ", ",
             steward_mprintf(c, "p.\"%w\"", info.aCol[i].zName));
    }
  }
  steward_table_info_free(&info);
  return zList ? zList : fk_keys(c, t, 'p', 0);
}

/* The columns of the row on which pRow stands, (a, b) if there are several.
** Caller frees. */
static char *show_columns(StewardCall *c, sqlite3_stmt *pRow) {
  char *z = NULL, *zAll;
  int i, n = sqlite3_column_count(pRow);
  for (i = 0; i < n; i++) {
    extend(c, &z, ", ", delta_show(c, sqlite3_column_value(pRow, i)));
  }
  zAll = n > 1 ? steward_mprintf(c, "(%s)", z ? z : "") : NULL;
  if (n > 1) sqlite3_free(z);
  return n > 1 ? zAll : z;
}

/* A row as errors name it: by its primary key.  Caller frees. */
char *fk_show(StewardCall *c, const FkTree *k, int iRow) {
  const FkTable *t = &k->aTable[k->aRow[iRow].iTable];
  char *zColumns = primary_key(c, t), *zWhere = fk_keys(c, t, 'p', 1);
  char *zShow = NULL;
  sqlite3_stmt *pRow = NULL;
  if (c->rc == SQLITE_OK) {
    pRow = steward_prepare(c, "SELECT %s FROM main.\"%w\" AS p WHERE %s",
                           zColumns, t->zName, zWhere);
  }
  fk_bind(c, k, pRow, iRow);
  if (steward_next(c, pRow)) zShow = show_columns(c, pRow);
  sqlite3_finalize(pRow);
  sqlite3_free(zColumns);
  sqlite3_free(zWhere);
  return zShow;
}

/*************************************************************************
** References
*/

static void prepare_find(StewardCall *c, FkTree *k, FkEdge *e,
                         const FkTable *t) {
  const FkTable *pChild = &k->aTable[e->iChild];
  char *zKeys = fk_keys(c, pChild, 'c', 0), *zWhere = fk_keys(c, t, 'p', 1);
  if (c->rc == SQLITE_OK) {
    e->pFind = steward_prepare(
        c,
        "SELECT %s FROM main.\"%w\" AS p CROSS JOIN main.\"%w\" AS c"
        " WHERE %s AND %s",
        zKeys, t->zName, pChild->zName, zWhere, e->zJoin);
    e->bEmpty = !steward_exec_int(
        c, 0, "SELECT EXISTS (SELECT 1 FROM main.\"%w\")", pChild->zName);
  }
  sqlite3_free(zKeys);
  sqlite3_free(zWhere);
}

/* The rows of the edge's table that refer to a row, as a statement on it. */
static sqlite3_stmt *referring(StewardCall *c, FkTree *k, FkEdge *e, int iRow) {
  if (e->pFind == NULL) {
    prepare_find(c, k, e, &k->aTable[k->aRow[iRow].iTable]);
  }
  if (e->pFind == NULL || e->bEmpty) return NULL;
  sqlite3_reset(e->pFind);
  fk_bind(c, k, e->pFind, iRow);
  return e->pFind;
}

/* Note that iChild refers to iParent by the edge, which may make it go. */
static void add_ref(StewardCall *c, FkTree *k, int iChild, int iParent,
                    int iEdge, int bCascade) {
  FkRef *r;
  if (iChild < 0 || iChild == iParent) return;
  if (bCascade) let_go(c, k, iChild);
  if (!steward_grow(c, &k->aRef, k->nRef, &k->nRefAlloc, sizeof(FkRef))) return;
  r = &k->aRef[k->nRef++];
  r->iChild = iChild;
  r->iParent = iParent;
  r->iEdge = iEdge;
  r->iNext = k->aRow[iChild].iUp;
  k->aRow[iChild].iUp = k->nRef;
}

/* From the first row on, what refers to a row that goes. */
void fk_spread(StewardCall *c, FkTree *k) {
  int i, j;
  for (i = 0; i < k->nGo && c->rc == SQLITE_OK; i++) {
    int iRow = k->aOrder[i], iTable = k->aRow[iRow].iTable;
    look(c, k, iTable);
    for (j = 0; c->rc == SQLITE_OK && j < k->aTable[iTable].nEdge; j++) {
      FkEdge *e = &k->aTable[iTable].aEdge[j];
      sqlite3_stmt *pRow = referring(c, k, e, iRow);
      while (steward_next(c, pRow)) {
        add_ref(c, k, fk_meet(c, k, e->iChild, pRow, 0), iRow, j,
                e->eAction == ACTION_CASCADE);
      }
    }
  }
}

/* Let the rows that iRow refers to know that it is before them; those that then
** can go are appended to aOut. */
static int release(FkTree *k, int iRow, int *aOut, int nOut) {
  int i;
  for (i = k->aRow[iRow].iUp; i; i = k->aRef[i - 1].iNext) {
    int iParent = k->aRef[i - 1].iParent;
    if (--k->aRow[iParent].nDown == 0) aOut[nOut++] = iParent;
  }
  return nOut;
}

/* Put the rows that go in an order in which they can: those that refer first,
** as far as there are no circles. */
void fk_order(StewardCall *c, FkTree *k) {
  int *aOut, i, iOut = 0, nOut = 0, iLast = k->nGo;
  if (c->rc) return;
  aOut = sqlite3_malloc64(sizeof(int) * (size_t)(k->nGo + 1));
  if (aOut == NULL) {
    steward_fail_nomem(c);
    return;
  }
  for (i = 0; i < k->nRef; i++) {
    if (k->aRow[k->aRef[i].iChild].bGoes) k->aRow[k->aRef[i].iParent].nDown++;
  }
  for (i = k->nGo - 1; i >= 0; i--) {
    if (k->aRow[k->aOrder[i]].nDown == 0) aOut[nOut++] = k->aOrder[i];
  }
  while (iOut < k->nGo) {
    while (iOut < nOut) {
      nOut = release(k, aOut[iOut], aOut, nOut);
      iOut++;
    }
    if (iOut == k->nGo) break;
    k->bCircle = 1;
    while (k->aRow[k->aOrder[--iLast]].nDown <= 0) continue;
    k->aRow[k->aOrder[iLast]].nDown = -k->nRef - 1; /* never 0 any more */
    aOut[nOut++] = k->aOrder[iLast];
  }
  sqlite3_free(k->aOrder);
  k->aOrder = aOut;
}
