/*
** delta.c - where the values of a row come from: its chain, and who set what.
**
**     SELECT level, id, kind FROM delta_chain('http', :delta);
**     SELECT column_name, value, source FROM delta_blame('http', :delta);
*/
#include <string.h>

#include "delta_int.h"

/* The form of the table, and its row as DELTA_LEAF; NULL when there is none. */
static sqlite3_stmt *open_row(StewardCall *c, sqlite3_value **apArg,
                              const DeltaView *v, DeltaForm **ppForm) {
  const char *zTable;
  *ppForm = NULL;
  if (sqlite3_value_type(apArg[0]) == SQLITE_NULL ||
      sqlite3_value_type(apArg[1]) == SQLITE_NULL) {
    return NULL;
  }
  zTable = steward_arg_text(c, apArg[0], "table", 1000);
  if (zTable) *ppForm = delta_form_open(c, zTable);
  return *ppForm ? delta_seek(c, *ppForm, v, DELTA_LEAF, apArg[1]) : NULL;
}

/* One row of the path. */
typedef struct Step {
  sqlite3_value *pKey, *pParent, *pScope, *pTime; /* owned */
} Step;

static sqlite3_value *keep(StewardCall *c, sqlite3_stmt *pRow, int iCol) {
  sqlite3_value *v = sqlite3_value_dup(sqlite3_column_value(pRow, iCol));
  if (v == NULL) steward_fail_nomem(c);
  return v;
}

/* Collect the steps from pRow up to its base; how many. */
static int climb(StewardCall *c, DeltaForm *f, const DeltaView *v,
                 sqlite3_stmt *pRow, Step **paStep /* OUT */) {
  Step *a = NULL;
  int n = 0;
  while (pRow && c->rc == SQLITE_OK) {
    Step *aNew = sqlite3_realloc64(a, sizeof(Step) * (size_t)(n + 1));
    if (aNew == NULL) {
      steward_fail_nomem(c);
      break;
    }
    a = aNew;
    a[n].pKey = keep(c, pRow, ROW_KEY);
    a[n].pParent = keep(c, pRow, ROW_PARENT);
    a[n].pScope = keep(c, pRow, ROW_SCOPE);
    a[n].pTime = keep(c, pRow, ROW_TIME);
    n++;
    if (delta_row_kind(sqlite3_column_value(pRow, ROW_FLAG)) == ROW_BASE) break;
    pRow = delta_seek_parent(c, f, v, pRow);
  }
  *paStep = a;
  return n;
}

/* delta_chain(level INTEGER, id, parent, kind TEXT, scope, time,
**   HIDDEN table_name, HIDDEN id_of)    table
** The rows that a row is read from, in the order in which they apply: level 0
** is the base, then every delta down to the row asked for.  No row when there
** is no such id.
** Set: none
** Errors: those of delta_resolve.
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   SELECT delta_create('http', 'list', 'page2', '{"url":"/items?page=2"}');
**   -- page2
**   SELECT level, id, kind FROM delta_chain('http', 'page2'); -- 0|list|base
*/
static void chain_rows(StewardCall *c, StewardRows *r, int nArg,
                       sqlite3_value **apArg) {
  DeltaView view = {0};
  DeltaForm *f;
  sqlite3_stmt *pRow = open_row(c, apArg, &view, &f);
  Step *a = NULL;
  int i, n = 0;
  if (pRow && delta_resolve_row(c, f, &view, pRow)) {
    n = climb(c, f, &view, pRow, &a);
  }
  for (i = n - 1; i >= 0; i--) {
    steward_row(c, r, "ivvtvv", n - 1 - i, a[i].pKey, a[i].pParent,
                i == n - 1 ? "base" : "delta", a[i].pScope, a[i].pTime);
  }
  for (i = 0; i < n; i++) {
    sqlite3_value_free(a[i].pKey);
    sqlite3_value_free(a[i].pParent);
    sqlite3_value_free(a[i].pScope);
    sqlite3_value_free(a[i].pTime);
  }
  sqlite3_free(a);
  delta_form_close(c, f);
}

/* delta_blame(column_name TEXT, value, source, time,
**   HIDDEN table_name, HIDDEN id)    table
** Each column of a row as delta_resolve reads it: its value, the id of the row
** that it stands in, and the time of that row's last change.
** Set: none
** Errors: those of delta_resolve.
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   SELECT delta_create('http', 'list', 'page2', '{"url":"/items?page=2"}');
**   -- page2
**   SELECT column_name, value, source FROM delta_blame('http', 'page2')
**    WHERE column_name = 'url'; -- url|/items?page=2|page2
*/
static void blame_rows(StewardCall *c, StewardRows *r, int nArg,
                       sqlite3_value **apArg) {
  DeltaView view = {.bBlame = 1};
  DeltaForm *f;
  sqlite3_stmt *pRow = open_row(c, apArg, &view, &f), *pBase = NULL;
  int i;
  if (pRow) pBase = delta_resolve_row(c, f, &view, pRow);
  for (i = 0; pBase && i < f->nColumn; i++) {
    const DeltaColumn *pColumn = &f->aColumn[i];
    steward_row(c, r, "tvvv", pColumn->zName, delta_result(f, pBase, i),
                pColumn->pSource ? pColumn->pSource
                                 : sqlite3_column_value(pBase, ROW_KEY),
                pColumn->pTime ? pColumn->pTime
                               : sqlite3_column_value(pBase, ROW_TIME));
  }
  delta_form_close(c, f);
}

static const StewardTable aTable[] = {
    {.zName = "delta_chain",
     .zColumns = "level INTEGER, id, parent, kind TEXT, scope, time,"
                 " table_name HIDDEN BLOB, id_of HIDDEN BLOB",
     .nArg = 2,
     .nRequired = 2,
     .xRows = chain_rows},
    {.zName = "delta_blame",
     .zColumns =
         "column_name TEXT, value, source, time, table_name HIDDEN BLOB,"
         " id HIDDEN BLOB",
     .nArg = 2,
     .nRequired = 2,
     .xRows = blame_rows},
};

int delta_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
