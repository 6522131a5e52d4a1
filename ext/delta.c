/*
** delta.c - overlays: base rows, sparse delta rows over them, and what a row
** reads as.
**
** What a table of overlays looks like is said in delta_form.c, how a row is
** read in delta_walk.c.
**
**     SELECT migrate_up('http');
**     SELECT delta_resolve('http', id) FROM http WHERE is_delta;
**     SELECT delta_resolve('http_header', '{"$blob":"018f..."}') ->> 'enabled';
**
** This file only reads.
*/
#include <string.h>

#include "delta_int.h"

typedef struct ResolveOptions {
  i64 ePolicy;
  char *zAsOf; /* JSON */
  char *zBase; /* JSON */
} ResolveOptions;

static const StewardOption aResolveOption[] = {
    {"policy", STEWARD_OPT_WORD, offsetof(ResolveOptions, ePolicy), 0, 0,
     DELTA_POLICIES,
     "chain: the row through its parents up to its base; fold: a base with all "
     "its deltas in the order of (time, id); single: the row over one base"},
    {"as_of", STEWARD_OPT_JSON, offsetof(ResolveOptions, zAsOf), 0, 0, NULL,
     "leave out what changed after this time, in the unit of the table; or "
     "[time, id]: after this row of that time"},
    {"base", STEWARD_OPT_JSON, offsetof(ResolveOptions, zBase), 0, 0, NULL,
     "policy single: the id of the base; default: the parent"},
};

/* The row asked for, by DELTA_LEAF, and its form, *ppForm; NULL when there is
** none or the call has failed. */
static sqlite3_stmt *open_row(StewardCall *c, const char *zTable,
                              sqlite3_value *pId, DeltaView *v,
                              DeltaForm **ppForm /* OUT */) {
  DeltaForm *f = delta_form_open(c, zTable);
  *ppForm = f;
  if (f == NULL) return NULL;
  delta_view_open(c, f, v);
  return delta_seek(c, f, v, DELTA_LEAF, pId);
}

/* Resolve it into *pOut, which stays empty when there is no such row. */
static void resolve(StewardCall *c, const char *zTable, sqlite3_value *pId,
                    DeltaView *v, StewardBuffer *pOut) {
  DeltaForm *f = NULL;
  sqlite3_stmt *pRow, *pBase;
  DeltaQuick eQuick = QUICK_NOT;
  if (v->ePolicy == POLICY_CHAIN && v->pAsOf == NULL) {
    f = (DeltaForm *)steward_form_take(c, delta_form_free, zTable);
    if (f) eQuick = delta_quick(c, f, pId, pOut);
    if (eQuick == QUICK_STALE) {
      delta_form_free(&f->base);
    } else if (f) {
      delta_form_close(c, f);
    }
  }
  if (eQuick == QUICK_DONE || c->rc) return;
  pRow = open_row(c, zTable, pId, v, &f);
  if (pRow) {
    pBase = delta_resolve_row(c, f, v, pRow);
    delta_row_json(c, f, pBase, sqlite3_column_value(pRow, ROW_KEY),
                   v->pAsOf ? v->bHistory : -1, pOut);
  }
  delta_form_close(c, f);
}

/* Option base belongs to policy single. */
static void check_base(StewardCall *c, DeltaView *v) {
  if (v->pBase && sqlite3_value_type(v->pBase) == SQLITE_NULL) {
    sqlite3_value_free(v->pBase);
    v->pBase = NULL;
  }
  if (v->pBase && v->ePolicy != POLICY_SINGLE) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "option base is for policy single: leave it out, or say "
                 "{\"policy\":\"single\"}");
  }
}

/* delta_resolve(table TEXT, id [, options JSON]) -> TEXT, a JSON object
**                                                                      plain
** What a row of a table of overlays reads as: the base at the top of its chain
** of parents, under every overlay on the way down.  NULL inherits; '' and 0
** are values.  A base resolves to itself; NULL when there is no such row.
** Policy fold reads a base under all deltas below it, the last by (time, id)
** counting for each column; single reads one delta over one base, with the
** base's own columns, whatever that is a delta of.
**
** as_of leaves out what changed after that time, in the unit of the table
** (http: Unix seconds).  Rows are edited in place, so that is a cut and no
** history; a member exact, 1 or 0, then says whether delta_history makes it the
** row as it was.  NULL for a row that was made later.  [time, id] cuts within
** one time: of the rows changed then, those with a higher id are left out; that
** is never exact.
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
** of that kind; others are declared by delta_define.  Parents are compared by
** the key's collation, as a foreign key is: policy fold, delta_rows with an id
** and stream_deltas then need an index on the parent by that collation, or they
** read the whole table.
**
** Options: policy ('chain', 'fold', 'single'), as_of, base.
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
  DeltaView view = {0};
  StewardBuffer result = {0};
  steward_open(&c, ctx, "delta_resolve", NULL, STEWARD_READ);
  if (argc > 2) {
    steward_options(&c, argv[2], aResolveOption, ArraySize(aResolveOption),
                    &options);
    view.ePolicy = options.ePolicy;
    if (options.zAsOf) {
      delta_read_cut(&c, options.zAsOf, &view.pAsOf, &view.pAsOfId);
    }
    if (options.zBase) view.pBase = steward_json_scalar(&c, options.zBase);
    check_base(&c, &view);
  }
  if (sqlite3_value_type(argv[0]) != SQLITE_NULL &&
      sqlite3_value_type(argv[1]) != SQLITE_NULL) {
    const char *zTable = steward_arg_text(&c, argv[0], "table", 1000);
    DeltaView at = view;
    if (zTable) resolve(&c, zTable, argv[1], &at, &result);
  }
  if (argc > 2) {
    sqlite3_value_free(view.pAsOf);
    sqlite3_value_free(view.pAsOfId);
    sqlite3_value_free(view.pBase);
    steward_options_free(aResolveOption, ArraySize(aResolveOption), &options);
  }
  if (steward_close(&c) == SQLITE_OK && result.n) {
    steward_buffer_result(ctx, &result);
  }
  steward_buffer_free(&result);
}

static const StewardFunc aFunc[] = {
    {"delta_resolve", 2, 3, STEWARD_PLAIN, delta_resolve, aResolveOption,
     ArraySize(aResolveOption)},
};

int delta_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
