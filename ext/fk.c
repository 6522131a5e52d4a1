/*
** fk.c - deleting a row with everything that hangs on it.
**
**     SELECT delta_cascade_delete('http', :id, :workspace);
**     -- {"http":3,"http_header":5}
**
** What goes is found first, and put in an order, by fk_tree.c.  Then references
** by rows that stay are settled as their ON DELETE says, and what goes is
** deleted row by row, those that refer to others first: so no cascade of
** SQLite's is deeper than one, no RESTRICT is in the way, and foreign keys may
** be off as well as on.  Rows that refer to one another in a circle can only go
** with foreign keys deferred; SQLite then cascades along the circle itself.
** Many rows go with foreign keys off, unless triggers could make references.
*/
#include <ctype.h>
#include <string.h>

#include "fk_int.h"

enum { FK_MANY = 64 };

/*************************************************************************
** Deleting
*/

/* Fail, naming a row; zWhat goes on from "row r of table 't'". */
static void fail_row(StewardCall *c, const FkTree *k, int iRow,
                     const char *zWhat) {
  char *zRow = fk_show(c, k, iRow);
  steward_fail(c, STEWARD_CONFLICT, "row %s of table '%s' %s", zRow,
               k->aTable[k->aRow[iRow].iTable].zName, zWhat);
  sqlite3_free(zRow);
}

/* The same of a row that refers by the edge to one that goes. */
static void fail_reference(StewardCall *c, const FkTree *k, int iRow,
                           const FkEdge *e, const char *zWhat) {
  char *z = steward_mprintf(c, "refers to a row that would go, by '%s', %s",
                            e->zColumn, zWhat);
  if (z) fail_row(c, k, iRow, z);
  sqlite3_free(z);
}

/* A statement on a row of a table: zFmt has %w for its name and %s for the
** condition. */
static sqlite3_stmt *on_row(StewardCall *c, const FkTable *t, const char *zVerb,
                            const char *zSet) {
  char *zWhere = fk_keys(c, t, 'p', 1);
  sqlite3_stmt *pStmt =
      c->rc ? NULL
            : steward_prepare(c, "%s main.\"%w\" AS p%s WHERE %s", zVerb,
                              t->zName, zSet, zWhere);
  sqlite3_free(zWhere);
  return pStmt;
}

/* Run it for a row: was that row changed, as far as it is still there? */
static int run_on_row(StewardCall *c, const FkTree *k, sqlite3_stmt *pStmt,
                      int iRow) {
  const FkTable *t = &k->aTable[k->aRow[iRow].iTable];
  sqlite3_stmt *pRow;
  int bThere;
  if (c->rc || pStmt == NULL) return 0;
  fk_bind(c, k, pStmt, iRow);
  steward_next(c, pStmt);
  sqlite3_reset(pStmt);
  if (c->rc || sqlite3_changes(c->db)) return 1;
  pRow = on_row(c, t, "SELECT 1 FROM", "");
  fk_bind(c, k, pRow, iRow);
  bThere = steward_next(c, pRow);
  sqlite3_finalize(pRow);
  return !bThere;
}

/* Is what the edge's columns have as their defaults a row that stays, or no
** reference? */
static int default_good(StewardCall *c, FkTree *k, FkEdge *e, int iTable) {
  const FkTable *t = &k->aTable[iTable];
  char *zKeys;
  sqlite3_stmt *pRow = NULL;
  if (e->eDefault != DEFAULT_UNKNOWN) return e->eDefault == DEFAULT_GOOD;
  zKeys = fk_keys(c, t, 'p', 0);
  if (c->rc == SQLITE_OK) {
    pRow = steward_prepare(c,
                           "SELECT %s, %s FROM (SELECT 1) LEFT JOIN"
                           " main.\"%w\" AS p ON %s",
                           e->zNone, zKeys, t->zName, e->zHeld);
  }
  e->eDefault = DEFAULT_BAD;
  if (steward_next(c, pRow)) {
    if (sqlite3_column_int(pRow, 0)) {
      e->eDefault = DEFAULT_GOOD;
    } else if (sqlite3_column_type(pRow, 1) != SQLITE_NULL) {
      int iRow = fk_meet(c, k, iTable, pRow, 1);
      if (iRow >= 0 && !k->aRow[iRow].bGoes) e->eDefault = DEFAULT_GOOD;
    }
  }
  sqlite3_finalize(pRow);
  sqlite3_free(zKeys);
  return e->eDefault == DEFAULT_GOOD;
}

/* A row that stays refers to one that goes: unlink it, or refuse. */
static void settle_row(StewardCall *c, FkTree *k, int iRow, FkEdge *e,
                       int iTable) {
  if (e->eAction == ACTION_REFUSE) {
    fail_reference(c, k, iRow, e,
                   "which has no ON DELETE CASCADE: delete or change it first");
  } else if (e->eAction == ACTION_DEFAULT && !default_good(c, k, e, iTable)) {
    fail_reference(c, k, iRow, e,
                   "and the default of that column is no row that stays: "
                   "change it first");
  }
  if (c->rc == SQLITE_OK && e->pUnlink == NULL) {
    char *zSet = steward_mprintf(c, " SET %s", e->zUnlink);
    if (zSet) e->pUnlink = on_row(c, &k->aTable[e->iChild], "UPDATE", zSet);
    sqlite3_free(zSet);
  }
  if (!run_on_row(c, k, e->pUnlink, iRow)) {
    fail_reference(c, k, iRow, e,
                   "also after that was changed: a trigger with RAISE(IGNORE) "
                   "keeps it");
  }
}

static void settle(StewardCall *c, FkTree *k) {
  int i;
  for (i = 0; i < k->nRef && c->rc == SQLITE_OK; i++) {
    int iTable = k->aRow[k->aRef[i].iParent].iTable;
    if (k->aRow[k->aRef[i].iChild].bGoes) continue;
    settle_row(c, k, k->aRef[i].iChild,
               &k->aTable[iTable].aEdge[k->aRef[i].iEdge], iTable);
  }
}

/* Those that refer first. */
static void delete_rows(StewardCall *c, FkTree *k) {
  int i;
  for (i = 0; i < k->nGo && c->rc == SQLITE_OK; i++) {
    FkTable *t = &k->aTable[k->aRow[k->aOrder[i]].iTable];
    if (t->pDelete == NULL) t->pDelete = on_row(c, t, "DELETE FROM", "");
    if (!run_on_row(c, k, t->pDelete, k->aOrder[i])) {
      fail_row(c, k, k->aOrder[i],
               "is still there after it was deleted: a trigger with "
               "RAISE(IGNORE) keeps it");
    }
    t->nGone++;
  }
}

/* Say by PRAGMA whether foreign keys are checked at COMMIT; also after a
** failure, and then ROLLBACK TO takes back what was noted for it. */
static void defer(StewardCall *c, int bOn) {
  StewardCall pragma = *c;
  pragma.rc = SQLITE_OK;
  pragma.zErr = NULL;
  steward_exec(&pragma, "PRAGMA defer_foreign_keys = %d", bOn);
  if (pragma.rc && c->rc == SQLITE_OK) {
    c->rc = pragma.rc;
    c->zErr = pragma.zErr;
  } else {
    sqlite3_free(pragma.zErr);
  }
}

/* Is no reference open that is to be checked at COMMIT? */
static int all_settled(StewardCall *c) {
  int iNow = 0, iMost = 0;
  sqlite3_db_status(c->db, SQLITE_DBSTATUS_DEFERRED_FKS, &iNow, &iMost, 0);
  return iNow == 0;
}

/* The same for rows on circles, whose references are good again when the last
** of them is gone. */
static void delete_deferred(StewardCall *c, FkTree *k) {
  int bBefore = all_settled(c);
  defer(c, 1);
  delete_rows(c, k);
  if (c->rc == SQLITE_OK && bBefore && !all_settled(c)) {
    steward_fail(c, STEWARD_CONFLICT,
                 "a trigger made a reference to a row that is gone: foreign "
                 "keys would not hold");
  }
  defer(c, 0);
}

/* May SQLite leave the foreign keys alone?  All references to rows that go were
** found; but a trigger of the application's may make new ones, and references
** that are open already must be counted down. */
static int is_complete(StewardCall *c, const FkTree *k) {
  int i, bTrigger = 0;
  for (i = 0; i < k->nTable && !bTrigger && c->rc == SQLITE_OK; i++) {
    bTrigger =
        (int)steward_int(c, SQL_fk_foreign_trigger, 0, "t", k->aTable[i].zName);
  }
  return c->rc == SQLITE_OK && !bTrigger && all_settled(c);
}

/* Is the word in a statement's text? */
static int has_word(const char *z, const char *zWord) {
  int n = (int)strlen(zWord);
  const char *zAt = z;
  for (; *zAt; zAt++) {
    if (sqlite3_strnicmp(zAt, zWord, n) == 0 &&
        (zAt == z || !isalnum((unsigned char)zAt[-1])) &&
        !isalnum((unsigned char)zAt[n])) {
      return 1;
    }
  }
  return 0;
}

/* May statements expire?  One that runs ends with "abort due to ROLLBACK" where
** it opens another table then, which FROM or IN says. */
static int may_expire(StewardCall *c) {
  sqlite3_stmt *s = NULL;
  while ((s = sqlite3_next_stmt(c->db, s)) != NULL) {
    const char *z = sqlite3_stmt_busy(s) ? sqlite3_sql(s) : NULL;
    if (z && (has_word(z, "from") || has_word(z, "in"))) return 0;
  }
  return 1;
}

/* Let all of them go.  SQLite would look into every table for references to
** every row, which takes most of the time, and writers wait: from so many rows
** on it is worth that statements have to be prepared again. */
static void let_go(StewardCall *c, FkTree *k) {
  int bEnforced = 0;
  sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &bEnforced);
  if (bEnforced && k->nGo >= FK_MANY && may_expire(c) && is_complete(c, k)) {
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
    delete_rows(c, k);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
  } else if (c->rc == SQLITE_OK && k->bCircle && bEnforced &&
             !steward_exec_int(c, 0, "PRAGMA defer_foreign_keys")) {
    delete_deferred(c, k);
  } else {
    delete_rows(c, k);
  }
}

/*************************************************************************
** The verb
*/

/* The rows of the first table in another scope than the first row's, as a JSON
** array; NULL when there is none.  Caller frees. */
static char *other_scopes(StewardCall *c, FkTree *k, int *pn /* OUT */) {
  const DeltaNames *n = &k->f->names;
  sqlite3_value *pScope = NULL;
  sqlite3_stmt *pRow;
  sqlite3_str *pList;
  char *zSelect, *z;
  int i;
  *pn = 0;
  if (c->rc || n->zScope == NULL) return NULL;
  zSelect =
      steward_mprintf(c, "SELECT p.\"%w\", p.\"%w\" FROM", n->zKey, n->zScope);
  pRow = zSelect ? on_row(c, &k->aTable[0], zSelect, "") : NULL;
  sqlite3_free(zSelect);
  pList = sqlite3_str_new(c->db);
  for (i = 0; i < k->nGo && c->rc == SQLITE_OK; i++) {
    if (k->aRow[k->aOrder[i]].iTable != 0) continue;
    sqlite3_reset(pRow);
    fk_bind(c, k, pRow, k->aOrder[i]);
    if (!steward_next(c, pRow)) continue;
    if (pScope == NULL) {
      pScope = sqlite3_value_dup(sqlite3_column_value(pRow, 1));
      if (pScope == NULL) steward_fail_nomem(c);
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
static void doom_first(StewardCall *c, FkTree *k, sqlite3_value *pId,
                       sqlite3_value *pScope) {
  const DeltaForm *f = k->f;
  char *zId = delta_show(c, pId), *zKeys;
  sqlite3_stmt *pRow = NULL;
  if (c->rc == SQLITE_OK && pScope && f->names.zScope == NULL) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' has no scope column: leave the scope out",
                 f->base.zTable);
  }
  zKeys = c->rc ? NULL : fk_keys(c, &k->aTable[0], 'c', 0);
  if (c->rc == SQLITE_OK) {
    pRow = steward_prepare(
        c, "SELECT c.\"%w\", %s FROM main.\"%w\" AS c WHERE c.\"%w\" = ?1",
        f->names.zScope ? f->names.zScope : f->names.zKey, zKeys,
        f->base.zTable, f->names.zKey);
  }
  delta_bind_id(c, pRow, 1, pId);
  if (steward_next(c, pRow)) {
    sqlite3_value *pHas = sqlite3_column_value(pRow, 0);
    if (pScope && !delta_same(pScope, pHas)) {
      char *zHas = delta_show(c, pHas), *zWant = delta_show(c, pScope);
      steward_fail(c, STEWARD_CONFLICT,
                   "row %s of table '%s' has %s %s, not %s: nothing was "
                   "deleted",
                   zId, f->base.zTable, f->names.zScope, zHas, zWant);
      sqlite3_free(zHas);
      sqlite3_free(zWant);
    } else {
      fk_doom(c, k, 0, pRow, 1);
    }
  } else if (c->rc == SQLITE_OK) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "table '%s' has no row %s: give an id "
                 "that is there",
                 f->base.zTable, zId);
  }
  sqlite3_finalize(pRow);
  sqlite3_free(zKeys);
  sqlite3_free(zId);
}

typedef struct CascadeOptions {
  i64 bOtherScopes;
} CascadeOptions;

static const StewardOption aOption[] = {
    {"other_scopes", STEWARD_OPT_BOOL, offsetof(CascadeOptions, bOtherScopes),
     0, 1, NULL, "let deltas go that are in another scope than the row"},
};

static char *cascade_report(StewardCall *c, const FkTree *k,
                            const char *zOthers) {
  sqlite3_str *p = sqlite3_str_new(c->db);
  int i, n = 0;
  sqlite3_str_appendchar(p, 1, '{');
  for (i = 0; i < k->nTable; i++) {
    const FkTable *t = &k->aTable[i];
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
  FkTree k = {.f = f};
  char *zOthers, *zReport = NULL;
  int nOther;
  if (f == NULL) return NULL;
  fk_table(c, &k, f->base.zTable);
  if (c->rc == SQLITE_OK) doom_first(c, &k, pId, pScope);
  fk_spread(c, &k);
  zOthers = other_scopes(c, &k, &nOther);
  if (zOthers && !bOtherScopes) {
    steward_fail(c, STEWARD_CONFLICT,
                 "%d rows of table '%s' in another %s would go, too: %.200s; "
                 "say {\"other_scopes\":true} to let them",
                 nOther, f->base.zTable, f->names.zScope, zOthers);
  }
  fk_order(c, &k);
  settle(c, &k);
  let_go(c, &k);
  if (c->rc == SQLITE_OK) zReport = cascade_report(c, &k, zOthers);
  if (c->rc == SQLITE_OK) *pnGone = k.nGo;
  sqlite3_free(zOthers);
  fk_free(&k);
  return zReport;
}

/* delta_cascade_delete(table TEXT, id [, scope [, options JSON]])
**   -> TEXT, a JSON object    directonly
** Delete a row with everything that refers to it by a foreign key ON DELETE
** CASCADE, in any table and to any depth, children first, whether foreign keys
** are on or off; keys ON DELETE SET NULL or SET DEFAULT are set to that, and
** others refuse.  Parents and owners that delta_define declared count as keys
** with ON DELETE CASCADE.  Returns how many rows went, by table.  With a scope
** the row must be in it.
** Deltas in other scopes are named by an error, and go with
** {"other_scopes":true}; the result then names them.  One transaction.
** Set: none
** Errors: "CONFLICT: delta_cascade_delete: row 'x' of table 'http' has
**   workspace_id 'v', not 'w': nothing was deleted", or names a row that cannot
**   go, as another refers to it or a trigger keeps it; NOT_FOUND.  A circle of
**   more than 1,000 rows by CASCADE, with foreign keys on and triggers on its
**   tables, meets SQLite's own limit.
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
