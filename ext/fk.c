/*
** fk.c - deleting a row with everything that hangs on it.
**
**     SELECT delta_cascade_delete('http', :id, :workspace);
**     -- {"http":3,"http_header":5}
**
** What goes is found first, over the real foreign keys of the whole schema (and
** the parent column of a table that delta_define declared): each row once, so
** circles end.  Then it is deleted from the end, children before parents, row
** by row: so no cascade of SQLite's is deeper than one, and foreign keys may be
** off as well as on.
*/
#include <string.h>

#include "delta_int.h"

enum { ACTION_CASCADE, ACTION_NULL, ACTION_REFUSE, ACTION_IGNORE };

/* A foreign key that refers to a table. */
typedef struct Edge {
  int iChild; /* the table that has it */
  int eAction;
  char *zJoin;   /* `c."x" = p."y" AND ...`, owned */
  char *zNull;   /* `"x" = NULL, ...`, owned */
  char *zColumn; /* its first column, owned */
  sqlite3_stmt *pFind;
  int bEmpty; /* the table has no rows: known with pFind */
} Edge;

typedef struct Table {
  char *zName; /* owned */
  char *zId;   /* what identifies a row, owned */
  int bLooked; /* its edges are known */
  int nEdge;
  Edge *aEdge;
  sqlite3_stmt *pDelete;
  i64 nGone;
} Table;

/* A row that goes. */
typedef struct Doomed {
  int iTable;
  sqlite3_value *pId; /* owned */
} Doomed;

typedef struct Cascade {
  const DeltaForm *f; /* of the first table */
  Table *aTable;
  int nTable;
  Doomed *aRow;
  int nRow, nAlloc;
  int *aSlot; /* hash of the rows: index + 1 */
  int nSlot;
} Cascade;

static void cascade_free(Cascade *k) {
  int i, j;
  for (i = 0; i < k->nTable; i++) {
    Table *t = &k->aTable[i];
    for (j = 0; j < t->nEdge; j++) {
      sqlite3_finalize(t->aEdge[j].pFind);
      sqlite3_free(t->aEdge[j].zJoin);
      sqlite3_free(t->aEdge[j].zNull);
      sqlite3_free(t->aEdge[j].zColumn);
    }
    sqlite3_finalize(t->pDelete);
    sqlite3_free(t->aEdge);
    sqlite3_free(t->zName);
    sqlite3_free(t->zId);
  }
  for (i = 0; i < k->nRow; i++) sqlite3_value_free(k->aRow[i].pId);
  sqlite3_free(k->aTable);
  sqlite3_free(k->aRow);
  sqlite3_free(k->aSlot);
}

/*************************************************************************
** Tables and foreign keys
*/

/* Room for one more of n elements; 0 when the call has failed. */
static int grow(StewardCall *c, void *ppArray, int n, size_t nSize) {
  void **pp = ppArray;
  void *pNew;
  if (c->rc) return 0;
  pNew = sqlite3_realloc64(*pp, nSize * (size_t)(n + 1));
  if (pNew == NULL) {
    steward_fail_nomem(c);
    return 0;
  }
  *pp = pNew;
  memset((char *)pNew + nSize * (size_t)n, 0, nSize);
  return 1;
}

/* The number of a table of this name. */
static int find_table(StewardCall *c, Cascade *k, const char *zName) {
  StewardTableInfo info;
  int i;
  for (i = 0; i < k->nTable; i++) {
    if (sqlite3_stricmp(k->aTable[i].zName, zName) == 0) return i;
  }
  if (!grow(c, &k->aTable, k->nTable, sizeof(Table))) return -1;
  i = k->nTable++;
  steward_table_info(c, zName, &info);
  k->aTable[i].zName = steward_mprintf(c, "%s", info.zName);
  k->aTable[i].zId = steward_key_list(c, &info, "");
  if (c->rc == SQLITE_OK && strchr(k->aTable[i].zId, ',')) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "table '%s' is WITHOUT ROWID and has a key of several "
                 "columns: delete its rows first",
                 info.zName);
  }
  steward_table_info_free(&info);
  return i;
}

static int action_of(const char *zAction) {
  if (strcmp(zAction, "CASCADE") == 0) return ACTION_CASCADE;
  if (strcmp(zAction, "SET NULL") == 0) return ACTION_NULL;
  return strcmp(zAction, "SET DEFAULT") == 0 ? ACTION_IGNORE : ACTION_REFUSE;
}

/* Add a column of a foreign key to the edge. */
static void add_column(StewardCall *c, Edge *e, const char *zFrom,
                       const char *zTo) {
  char *zJoin = e->zJoin, *zNull = e->zNull;
  if (e->zColumn == NULL) e->zColumn = steward_mprintf(c, "%s", zFrom);
  e->zJoin = steward_mprintf(c, "%s%sp.\"%w\" = c.\"%w\"", zJoin ? zJoin : "",
                             zJoin ? " AND " : "", zTo, zFrom);
  e->zNull = steward_mprintf(c, "%s%s\"%w\" = NULL", zNull ? zNull : "",
                             zNull ? ", " : "", zFrom);
  sqlite3_free(zJoin);
  sqlite3_free(zNull);
}

/* Does the table have this parent column as a foreign key already? */
static void declared_edge(StewardCall *c, Cascade *k, int iTable) {
  const DeltaNames *n = &k->f->names;
  Table *t = &k->aTable[iTable];
  int i;
  if (c->rc || n->zParent == NULL || iTable != 0) return;
  for (i = 0; i < t->nEdge; i++) {
    if (t->aEdge[i].iChild == 0 &&
        sqlite3_stricmp(t->aEdge[i].zColumn, n->zParent) == 0) {
      return;
    }
  }
  if (!grow(c, &t->aEdge, t->nEdge, sizeof(Edge))) return;
  t->aEdge[t->nEdge].eAction = ACTION_CASCADE;
  add_column(c, &t->aEdge[t->nEdge++], n->zParent, n->zKey);
}

/* Find the foreign keys that refer to a table. */
static void look(StewardCall *c, Cascade *k, int iTable) {
  sqlite3_stmt *pRow;
  int iLastId = -1, iLastChild = -1;
  if (c->rc || k->aTable[iTable].bLooked) return;
  k->aTable[iTable].bLooked = 1;
  pRow = steward_query(c, SQL_fk_to_table, "t", k->aTable[iTable].zName);
  while (steward_next(c, pRow)) {
    int iChild = find_table(c, k, steward_column(c, pRow, 0));
    int iId = sqlite3_column_int(pRow, 1);
    Table *t = &k->aTable[iTable];
    if (iChild != iLastChild || iId != iLastId) {
      if (!grow(c, &t->aEdge, t->nEdge, sizeof(Edge))) break;
      t->aEdge[t->nEdge].iChild = iChild;
      t->aEdge[t->nEdge++].eAction = action_of(steward_column(c, pRow, 4));
      iLastChild = iChild;
      iLastId = iId;
    }
    add_column(c, &t->aEdge[t->nEdge - 1], steward_column(c, pRow, 2),
               steward_column(c, pRow, 3));
  }
  steward_give(c, SQL_fk_to_table, pRow);
  declared_edge(c, k, iTable);
}

/*************************************************************************
** Rows
*/

/* The slot of a row: where it is, or where it would be. */
static int find_slot(const Cascade *k, int iTable, sqlite3_value *pId) {
  unsigned h = (unsigned)steward_value_hash(pId, iTable + 1);
  int i = (int)(h & (unsigned)(k->nSlot - 1));
  while (k->aSlot[i]) {
    const Doomed *d = &k->aRow[k->aSlot[i] - 1];
    if (d->iTable == iTable && delta_same(d->pId, pId)) break;
    i = (i + 1) & (k->nSlot - 1);
  }
  return i;
}

static int is_doomed(const Cascade *k, int iTable, sqlite3_value *pId) {
  return k->aSlot[find_slot(k, iTable, pId)] != 0;
}

static void rehash(StewardCall *c, Cascade *k) {
  int i, nSlot = k->nSlot ? k->nSlot * 2 : 64;
  int *aSlot = sqlite3_malloc64(sizeof(int) * (size_t)nSlot);
  if (aSlot == NULL) {
    steward_fail_nomem(c);
    return;
  }
  memset(aSlot, 0, sizeof(int) * (size_t)nSlot);
  sqlite3_free(k->aSlot);
  k->aSlot = aSlot;
  k->nSlot = nSlot;
  for (i = 0; i < k->nRow; i++) {
    k->aSlot[find_slot(k, k->aRow[i].iTable, k->aRow[i].pId)] = i + 1;
  }
}

/* Let a row go, unless it does already. */
static void doom(StewardCall *c, Cascade *k, int iTable, sqlite3_value *pId) {
  Doomed *aNew;
  if (c->rc == SQLITE_OK && k->nRow * 2 >= k->nSlot) rehash(c, k);
  if (c->rc || is_doomed(k, iTable, pId)) return;
  if (k->nRow == k->nAlloc) {
    k->nAlloc = k->nAlloc ? k->nAlloc * 2 : 64;
    aNew = sqlite3_realloc64(k->aRow, sizeof(Doomed) * (size_t)k->nAlloc);
    if (aNew == NULL) {
      steward_fail_nomem(c);
      return;
    }
    k->aRow = aNew;
  }
  k->aRow[k->nRow].iTable = iTable;
  k->aRow[k->nRow].pId = sqlite3_value_dup(pId);
  if (k->aRow[k->nRow].pId == NULL) {
    steward_fail_nomem(c);
    return;
  }
  k->nRow++;
  k->aSlot[find_slot(k, iTable, pId)] = k->nRow;
}

/* The rows of the edge's table that refer to a row, as a statement on it. */
static sqlite3_stmt *referring(StewardCall *c, Cascade *k, int iTable, Edge *e,
                               sqlite3_value *pId) {
  const Table *t = &k->aTable[iTable], *pChild = &k->aTable[e->iChild];
  if (e->pFind == NULL) {
    e->pFind = steward_prepare(
        c,
        "SELECT c.%s FROM main.\"%w\" AS p CROSS JOIN main.\"%w\" AS c"
        " WHERE p.%s = ?1 AND %s",
        pChild->zId, t->zName, pChild->zName, t->zId, e->zJoin);
    e->bEmpty = !steward_exec_int(
        c, 0, "SELECT EXISTS (SELECT 1 FROM main.\"%w\")", pChild->zName);
  }
  if (e->pFind == NULL || e->bEmpty) return NULL;
  sqlite3_reset(e->pFind);
  steward_bind_value(c, e->pFind, 1, pId);
  return e->pFind;
}

/* From the first row on, what refers to a row that goes, goes. */
static void spread(StewardCall *c, Cascade *k) {
  int i, j;
  for (i = 0; i < k->nRow && c->rc == SQLITE_OK; i++) {
    int iTable = k->aRow[i].iTable;
    look(c, k, iTable);
    for (j = 0; c->rc == SQLITE_OK && j < k->aTable[iTable].nEdge; j++) {
      Edge *e = &k->aTable[iTable].aEdge[j];
      sqlite3_stmt *pRow;
      if (e->eAction != ACTION_CASCADE) continue;
      pRow = referring(c, k, iTable, e, k->aRow[i].pId);
      while (steward_next(c, pRow)) {
        doom(c, k, e->iChild, sqlite3_column_value(pRow, 0));
      }
    }
  }
}

/*************************************************************************
** Deleting
*/

/* A row that stays refers to one that goes: unlink it, or refuse. */
static void settle_row(StewardCall *c, Cascade *k, const Edge *e,
                       sqlite3_value *pId) {
  const Table *pChild = &k->aTable[e->iChild];
  sqlite3_stmt *pStmt;
  if (is_doomed(k, e->iChild, pId)) return;
  if (e->eAction == ACTION_REFUSE) {
    char *zRow = delta_show(c, pId);
    steward_fail(c, STEWARD_CONFLICT,
                 "row %s of table '%s' refers to a row that would go, by '%s', "
                 "which has no ON DELETE CASCADE: delete or change it first",
                 zRow, pChild->zName, e->zColumn);
    sqlite3_free(zRow);
    return;
  }
  pStmt = steward_prepare(c, "UPDATE main.\"%w\" SET %s WHERE %s = ?1",
                          pChild->zName, e->zNull, pChild->zId);
  if (pStmt) steward_bind_value(c, pStmt, 1, pId);
  steward_next(c, pStmt);
  sqlite3_finalize(pStmt);
}

static void settle(StewardCall *c, Cascade *k) {
  int i, j;
  for (i = 0; i < k->nRow && c->rc == SQLITE_OK; i++) {
    Table *t = &k->aTable[k->aRow[i].iTable];
    for (j = 0; j < t->nEdge && c->rc == SQLITE_OK; j++) {
      Edge *e = &t->aEdge[j];
      sqlite3_stmt *pRow;
      if (e->eAction != ACTION_NULL && e->eAction != ACTION_REFUSE) continue;
      pRow = referring(c, k, k->aRow[i].iTable, e, k->aRow[i].pId);
      while (steward_next(c, pRow)) {
        settle_row(c, k, e, sqlite3_column_value(pRow, 0));
      }
    }
  }
}

/* Children first. */
static void delete_rows(StewardCall *c, Cascade *k) {
  int i;
  for (i = k->nRow - 1; i >= 0 && c->rc == SQLITE_OK; i--) {
    Table *t = &k->aTable[k->aRow[i].iTable];
    if (t->pDelete == NULL) {
      t->pDelete = steward_prepare(c, "DELETE FROM main.\"%w\" WHERE %s = ?1",
                                   t->zName, t->zId);
      if (c->rc) return;
    }
    steward_bind_value(c, t->pDelete, 1, k->aRow[i].pId);
    steward_next(c, t->pDelete);
    sqlite3_reset(t->pDelete);
    t->nGone++;
  }
}

/*************************************************************************
** The verb
*/

/* Column zColumn of the row that identifies itself by its number. */
static sqlite3_stmt *read_row(StewardCall *c, Cascade *k,
                              const char *zColumns) {
  return steward_prepare(c, "SELECT %s FROM main.\"%w\" WHERE %s = ?1",
                         zColumns, k->aTable[0].zName, k->aTable[0].zId);
}

/* The rows of the first table in another scope than the first row's, as a JSON
** array; NULL when there is none.  Caller frees. */
static char *other_scopes(StewardCall *c, Cascade *k, int *pn /* OUT */) {
  const DeltaNames *n = &k->f->names;
  sqlite3_value *pScope = NULL;
  sqlite3_stmt *pRow;
  sqlite3_str *pList;
  char *zColumns, *z;
  int i;
  *pn = 0;
  if (c->rc || n->zScope == NULL) return NULL;
  zColumns = steward_mprintf(c, "\"%w\", \"%w\"", n->zKey, n->zScope);
  pRow = zColumns ? read_row(c, k, zColumns) : NULL;
  sqlite3_free(zColumns);
  pList = sqlite3_str_new(c->db);
  for (i = 0; i < k->nRow && c->rc == SQLITE_OK; i++) {
    if (k->aRow[i].iTable != 0) continue;
    sqlite3_reset(pRow);
    steward_bind_value(c, pRow, 1, k->aRow[i].pId);
    if (!steward_next(c, pRow)) continue;
    if (pScope == NULL) {
      pScope = sqlite3_value_dup(sqlite3_column_value(pRow, 1));
    } else if (!delta_same(pScope, sqlite3_column_value(pRow, 1))) {
      sqlite3_str_appendall(pList, (*pn)++ ? "," : "[");
      steward_json_value(c, pList, sqlite3_column_value(pRow, 0));
    }
  }
  sqlite3_finalize(pRow);
  sqlite3_value_free(pScope);
  if (*pn) sqlite3_str_appendchar(pList, 1, ']');
  z = steward_str_finish(c, pList);
  if (*pn == 0) {
    sqlite3_free(z);
    z = NULL;
  }
  return z;
}

/* The first row; it must be there, and of the scope if one is given. */
static void doom_first(StewardCall *c, Cascade *k, sqlite3_value *pId,
                       sqlite3_value *pScope) {
  const DeltaForm *f = k->f;
  char *zId = delta_show(c, pId);
  sqlite3_stmt *pRow = NULL;
  if (c->rc == SQLITE_OK && pScope && f->names.zScope == NULL) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' has no scope column: leave the scope out",
                 f->base.zTable);
  }
  if (c->rc == SQLITE_OK) {
    pRow = steward_prepare(
        c, "SELECT %s, \"%w\" FROM main.\"%w\" WHERE \"%w\" = ?1",
        k->aTable[0].zId, f->names.zScope ? f->names.zScope : f->names.zKey,
        f->base.zTable, f->names.zKey);
  }
  delta_bind_id(c, pRow, 1, pId);
  if (steward_next(c, pRow)) {
    sqlite3_value *pHas = sqlite3_column_value(pRow, 1);
    if (pScope && !delta_same(pScope, pHas)) {
      char *zHas = delta_show(c, pHas), *zWant = delta_show(c, pScope);
      steward_fail(c, STEWARD_CONFLICT,
                   "row %s of table '%s' has %s %s, not %s: nothing was "
                   "deleted",
                   zId, f->base.zTable, f->names.zScope, zHas, zWant);
      sqlite3_free(zHas);
      sqlite3_free(zWant);
    } else {
      doom(c, k, 0, sqlite3_column_value(pRow, 0));
    }
  } else if (c->rc == SQLITE_OK) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "table '%s' has no row %s: give an id "
                 "that is there",
                 f->base.zTable, zId);
  }
  sqlite3_finalize(pRow);
  sqlite3_free(zId);
}

typedef struct CascadeOptions {
  i64 bOtherScopes;
} CascadeOptions;

static const StewardOption aOption[] = {
    {"other_scopes", STEWARD_OPT_BOOL, offsetof(CascadeOptions, bOtherScopes),
     0, 1, NULL, "let deltas go that are in another scope than the row"},
};

static char *cascade_report(StewardCall *c, const Cascade *k,
                            const char *zOthers) {
  sqlite3_str *p = sqlite3_str_new(c->db);
  int i, n = 0;
  sqlite3_str_appendchar(p, 1, '{');
  for (i = 0; i < k->nTable; i++) {
    const Table *t = &k->aTable[i];
    if (t->nGone == 0) continue;
    if (n++) sqlite3_str_appendchar(p, 1, ',');
    steward_json_string(p, t->zName, (int)strlen(t->zName));
    sqlite3_str_appendf(p, ":%lld", t->nGone);
  }
  if (zOthers) sqlite3_str_appendf(p, ",\"other_scopes\":%s", zOthers);
  sqlite3_str_appendchar(p, 1, '}');
  return steward_str_finish(c, p);
}

static char *cascade(StewardCall *c, const DeltaForm *f, sqlite3_value *pId,
                     sqlite3_value *pScope, int bOtherScopes,
                     i64 *pnGone /* OUT */) {
  Cascade k = {.f = f};
  char *zOthers, *zReport = NULL;
  int nOther;
  if (f == NULL) return NULL;
  find_table(c, &k, f->base.zTable);
  if (c->rc == SQLITE_OK) doom_first(c, &k, pId, pScope);
  spread(c, &k);
  zOthers = other_scopes(c, &k, &nOther);
  if (zOthers && !bOtherScopes) {
    steward_fail(c, STEWARD_CONFLICT,
                 "%d rows of table '%s' in another %s would go, too: %.200s; "
                 "say {\"other_scopes\":true} to let them",
                 nOther, f->base.zTable, f->names.zScope, zOthers);
  }
  settle(c, &k);
  delete_rows(c, &k);
  if (c->rc == SQLITE_OK) zReport = cascade_report(c, &k, zOthers);
  if (c->rc == SQLITE_OK) *pnGone = k.nRow;
  sqlite3_free(zOthers);
  cascade_free(&k);
  return zReport;
}

/* delta_cascade_delete(table TEXT, id [, scope [, options JSON]])
**   -> TEXT, a JSON object    directonly
** Delete a row with everything that refers to it by a foreign key ON DELETE
** CASCADE, in any table and to any depth, children first, whether foreign keys
** are on or off; keys ON DELETE SET NULL are set to NULL, and others refuse.
** Returns how many rows went, by table.  With a scope the row must be in it.
** Deltas in other scopes are named by an error, and go with
** {"other_scopes":true}; the result then names them.  One transaction.
** Set: none
** Errors: "CONFLICT: delta_cascade_delete: row 'x' of table 'http' has
**   workspace_id 'v', not 'w': nothing was deleted"; NOT_FOUND; UNSUPPORTED for
**   WITHOUT ROWID tables with a key of several columns.
** Source: seed 004, CascadeHTTPDeleteStreaming.
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   SELECT delta_create('http', 'list', 'page2', '{"url":"/items?page=2"}');
**   -- page2
**   SELECT delta_cascade_delete('http', 'list', 'w'); -- {"http":2}
*/
static void delta_cascade_delete(sqlite3_context *ctx, int argc,
                                 sqlite3_value **argv) {
  StewardCall c;
  CascadeOptions options = {0};
  sqlite3_value *pScope = NULL;
  DeltaForm *f = NULL;
  const char *zTable;
  char *zReport = NULL;
  i64 iBegin = steward_monotonic_us(), nGone = 0;
  steward_open(&c, ctx, "delta_cascade_delete", NULL, STEWARD_WRITE);
  zTable = steward_arg_text(&c, argv[0], "table", 1000);
  steward_arg_payload(&c, argv[1], "id");
  if (argc > 2 && sqlite3_value_type(argv[2]) != SQLITE_NULL) {
    pScope = argv[2];
  }
  if (argc > 3) {
    steward_options(&c, argv[3], aOption, ArraySize(aOption), &options);
  }
  if (c.rc == SQLITE_OK) f = delta_form_loose(&c, zTable);
  zReport = cascade(&c, f, argv[1], pScope, (int)options.bOtherScopes, &nGone);
  stream_note(&c, "update", f ? f->base.zTable : zTable, pScope, nGone, iBegin);
  delta_form_close(&c, f);
  steward_close_json(&c, zReport);
}

static const StewardFunc aFunc[] = {
    {"delta_cascade_delete", 2, 4, STEWARD_DIRECTONLY, delta_cascade_delete,
     aOption, ArraySize(aOption)},
};

int fk_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
