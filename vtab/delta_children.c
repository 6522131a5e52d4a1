/*
** delta_children.c - the children of a row as a table.
**
**     CREATE VIRTUAL TABLE temp.headers USING delta_children(http_header);
**     SELECT header_key, header_value FROM headers WHERE http_id = :request
**      AND enabled;
**
** The plan goes from xBestIndex to xFilter as text, a letter a value: o owner,
** a as_of, p policy.
*/
#include <string.h>

#include "delta_int.h"

typedef struct ChildTab {
  sqlite3_vtab base; /* must be first */
  Steward *p;
  char *zTable;
  char *zColumns; /* when the table was declared */
  int nColumn;
  int iOwner; /* the column, or -1 when the table is gone */
} ChildTab;

enum {
  SPECIAL_AS_OF,
  SPECIAL_POLICY,
  SPECIAL_SOURCE,
  SPECIAL_EXACT,
  SPECIAL_KIND,
  SPECIAL_VIOLATION,
  SPECIALS
};
static const char *const azSpecial[] = {"as_of", "policy", "source",
                                        "exact", "kind",   "violation"};

typedef struct ChildCursor {
  sqlite3_vtab_cursor base; /* must be first */
  DeltaForm *f;
  DeltaChildren kids;
  sqlite3_value *pOwner, *pAsOf; /* as they were given; owned */
  sqlite3_value *pCut, *pCutId;  /* what as_of says; owned */
  int ePolicy;
  int i;
} ChildCursor;

static int childDisconnect(sqlite3_vtab *pBase) {
  ChildTab *pTab = (ChildTab *)pBase;
  sqlite3_free(pTab->zTable);
  sqlite3_free(pTab->zColumns);
  sqlite3_free(pTab);
  return SQLITE_OK;
}

static char *child_columns(StewardCall *c, ChildTab *pTab, DeltaForm *f) {
  sqlite3_str *p = sqlite3_str_new(c->db);
  int i, k;
  sqlite3_str_appendall(p, "CREATE TABLE x(");
  pTab->nColumn = f->nColumn;
  for (i = 0; i < f->nColumn; i++) {
    const char *zName = f->aColumn[i].zName;
    sqlite3_str_appendf(p, "\"%w\" %s, ", zName, f->aColumn[i].zType);
    if (!sqlite3_stricmp(zName, f->names.zOwner)) pTab->iOwner = i;
  }
  for (k = 0; k < SPECIALS; k++) {
    for (i = 0; i < f->nColumn; i++) {
      if (!sqlite3_stricmp(f->aColumn[i].zName, azSpecial[k])) break;
    }
    sqlite3_str_appendf(p, "%s%s%s HIDDEN BLOB", k ? ", " : "",
                        i < f->nColumn ? "delta_" : "", azSpecial[k]);
  }
  sqlite3_str_appendchar(p, 1, ')');
  return steward_str_finish(c, p);
}

static void fail_no_owner(StewardCall *c, const DeltaForm *f) {
  steward_fail(c, STEWARD_INVALID_ARGUMENT,
               "table '%s' holds no children: it has no foreign key to a table "
               "of overlays; name one like http_header",
               f->base.zTable);
}

static void connect_table(StewardCall *c, ChildTab *pTab, int bCreate, int argc,
                          const char *const *argv) {
  DeltaForm *f = NULL;
  char *zSql = NULL;
  int rc;
  if (argc != 4) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "it takes the name of one table, got %d arguments: CREATE "
                 "VIRTUAL TABLE temp.headers USING delta_children(http_header)",
                 argc - 3);
    return;
  }
  if (bCreate && sqlite3_stricmp(argv[1], "temp")) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "a table in the file itself would need the library in every "
                 "client: CREATE VIRTUAL TABLE temp.%s",
                 argv[2]);
    return;
  }
  pTab->zTable = steward_unquote(c, argv[3]);
  if (bCreate || delta_is_table(c, pTab->zTable)) {
    f = delta_form_open(c, pTab->zTable);
  }
  if (f && f->zOwnerTable == NULL) {
    fail_no_owner(c, f);
  } else if (f) {
    zSql = child_columns(c, pTab, f);
    pTab->zColumns = steward_mprintf(c, "%s", f->zColumns);
  } else if (!bCreate && c->rc == SQLITE_OK) {
    zSql = steward_mprintf(c, "CREATE TABLE x(gone HIDDEN)");
  }
  delta_form_close(c, f);
  if (zSql && c->rc == SQLITE_OK) {
    rc = sqlite3_declare_vtab(c->db, zSql);
    if (rc) steward_fail_db(c, rc);
  }
  sqlite3_free(zSql);
}

static int connect(void *pAux, int bCreate, int argc, const char *const *argv,
                   sqlite3_vtab **ppVtab, char **pzErr) {
  ChildTab *pTab = sqlite3_malloc64(sizeof(*pTab));
  StewardCall c;
  int rc;
  if (pTab == NULL) return SQLITE_NOMEM;
  memset(pTab, 0, sizeof(*pTab));
  pTab->p = pAux;
  pTab->iOwner = -1;
  steward_open_table(&c, pAux, argv[0], NULL, STEWARD_READ);
  connect_table(&c, pTab, bCreate, argc, argv);
  rc = steward_close_table(&c, &pTab->base);
  if (rc) {
    *pzErr = pTab->base.zErrMsg;
    childDisconnect(&pTab->base);
    return rc;
  }
  *ppVtab = &pTab->base;
  return SQLITE_OK;
}

static int childCreate(sqlite3 *db, void *pAux, int argc,
                       const char *const *argv, sqlite3_vtab **ppVtab,
                       char **pzErr) {
  return connect(pAux, 1, argc, argv, ppVtab, pzErr);
}

static int childConnect(sqlite3 *db, void *pAux, int argc,
                        const char *const *argv, sqlite3_vtab **ppVtab,
                        char **pzErr) {
  return connect(pAux, 0, argc, argv, ppVtab, pzErr);
}

static int childBestIndex(sqlite3_vtab *pBase, sqlite3_index_info *pInfo) {
  ChildTab *pTab = (ChildTab *)pBase;
  char zPlan[4] = "";
  int i, n = 0;
  for (i = 0; i < pInfo->nConstraint; i++) {
    int iCol = pInfo->aConstraint[i].iColumn;
    char ch = iCol == pTab->iOwner && iCol >= 0        ? 'o'
              : iCol == pTab->nColumn + SPECIAL_AS_OF  ? 'a'
              : iCol == pTab->nColumn + SPECIAL_POLICY ? 'p'
                                                       : 0;
    if (ch == 0 || pInfo->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ ||
        strchr(zPlan, ch)) {
      continue;
    }
    if (!pInfo->aConstraint[i].usable) return SQLITE_CONSTRAINT;
    zPlan[n++] = ch;
    zPlan[n] = '\0';
    pInfo->aConstraintUsage[i].argvIndex = n;
    pInfo->aConstraintUsage[i].omit = 1;
  }
  pInfo->estimatedCost = strchr(zPlan, 'o') ? 100.0 : 1e100;
  pInfo->estimatedRows = 10;
  pInfo->idxStr = sqlite3_mprintf("%s", zPlan);
  pInfo->needToFreeIdxStr = 1;
  return pInfo->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

static int childOpen(sqlite3_vtab *pBase, sqlite3_vtab_cursor **ppCursor) {
  ChildCursor *pCur = sqlite3_malloc64(sizeof(*pCur));
  if (pCur == NULL) return SQLITE_NOMEM;
  memset(pCur, 0, sizeof(*pCur));
  *ppCursor = &pCur->base;
  return SQLITE_OK;
}

static void cursor_reset(ChildCursor *pCur) {
  StewardCall c = {.p = ((ChildTab *)pCur->base.pVtab)->p};
  c.db = c.p->db;
  if (pCur->f) delta_children_free(&pCur->kids);
  delta_form_close(&c, pCur->f);
  pCur->f = NULL;
  sqlite3_value_free(pCur->pOwner);
  sqlite3_value_free(pCur->pAsOf);
  sqlite3_value_free(pCur->pCut);
  sqlite3_value_free(pCur->pCutId);
  pCur->pOwner = pCur->pAsOf = pCur->pCut = pCur->pCutId = NULL;
  memset(&pCur->kids, 0, sizeof(pCur->kids));
  pCur->i = 0;
}

static int childClose(sqlite3_vtab_cursor *pBase) {
  cursor_reset((ChildCursor *)pBase);
  sqlite3_free(pBase);
  return SQLITE_OK;
}

/* Take the arguments of the plan. */
static void take_plan(StewardCall *c, ChildCursor *pCur, const char *zPlan,
                      sqlite3_value **argv) {
  int i;
  for (i = 0; zPlan[i] && c->rc == SQLITE_OK; i++) {
    sqlite3_value *v = argv[i];
    if (zPlan[i] == 'o') {
      pCur->pOwner = sqlite3_value_dup(v);
      if (pCur->pOwner == NULL) steward_fail_nomem(c);
    } else if (zPlan[i] == 'a') {
      delta_arg_cut(c, v, &pCur->pAsOf, &pCur->pCut, &pCur->pCutId);
    } else {
      pCur->ePolicy =
          delta_arg_word(c, v, "policy", delta_policies, POLICY_CHAIN);
    }
  }
  if (strchr(zPlan, 'o') == NULL) {
    ChildTab *pTab = (ChildTab *)pCur->base.pVtab;
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "whose children?  Say WHERE %s = id, of a base or a delta",
                 pCur->f && pTab->iOwner >= 0 ? pCur->f->names.zOwner
                                              : "owner");
  }
}

static int childFilter(sqlite3_vtab_cursor *pBase, int idxNum,
                       const char *zPlan, int argc, sqlite3_value **argv) {
  ChildCursor *pCur = (ChildCursor *)pBase;
  ChildTab *pTab = (ChildTab *)pBase->pVtab;
  DeltaForm *pOwner = NULL;
  DeltaView view = {0};
  StewardCall c;
  cursor_reset(pCur);
  pCur->ePolicy = POLICY_CHAIN;
  steward_open_table(&c, pTab->p, "delta_children", NULL, STEWARD_READ);
  pCur->f = delta_form_open(&c, pTab->zTable);
  if (c.rc == SQLITE_OK &&
      (pTab->zColumns == NULL || strcmp(pTab->zColumns, pCur->f->zColumns))) {
    steward_fail(&c, STEWARD_CONFLICT,
                 "the columns of table '%s' have changed since the virtual "
                 "table over it was made: DROP it and CREATE it again",
                 pTab->zTable);
  }
  take_plan(&c, pCur, zPlan ? zPlan : "", argv);
  pCur->kids.f = pCur->f;
  view.ePolicy = pCur->ePolicy;
  view.pAsOf = pCur->pCut;
  view.pAsOfId = pCur->pCutId;
  if (c.rc == SQLITE_OK && sqlite3_value_type(pCur->pOwner) != SQLITE_NULL) {
    pOwner = delta_form_open(&c, pCur->f->zOwnerTable);
    if (pOwner) {
      delta_children_read(&c, &pCur->kids, pOwner, &view, pCur->pOwner);
    }
    delta_form_close(&c, pOwner);
  }
  return steward_close_table(&c, pBase->pVtab);
}

static int childNext(sqlite3_vtab_cursor *pBase) {
  ((ChildCursor *)pBase)->i++;
  return SQLITE_OK;
}

static int childEof(sqlite3_vtab_cursor *pBase) {
  ChildCursor *pCur = (ChildCursor *)pBase;
  return pCur->i >= pCur->kids.n;
}

static int childColumn(sqlite3_vtab_cursor *pBase, sqlite3_context *ctx,
                       int iCol) {
  ChildCursor *pCur = (ChildCursor *)pBase;
  ChildTab *pTab = (ChildTab *)pBase->pVtab;
  const DeltaChild *p = pCur->kids.apChild[pCur->i];
  if (iCol == pTab->iOwner) {
    sqlite3_result_value(ctx, pCur->pOwner);
  } else if (iCol < pTab->nColumn) {
    sqlite3_result_value(ctx, p->apValue[iCol]);
  } else {
    switch (iCol - pTab->nColumn) {
    case SPECIAL_AS_OF:
      if (pCur->pAsOf) sqlite3_result_value(ctx, pCur->pAsOf);
      break;
    case SPECIAL_POLICY:
      sqlite3_result_text(ctx, delta_policies[pCur->ePolicy], -1,
                          SQLITE_STATIC);
      break;
    case SPECIAL_SOURCE: sqlite3_result_value(ctx, p->pSource); break;
    case SPECIAL_EXACT: sqlite3_result_int(ctx, pCur->kids.bExact); break;
    case SPECIAL_KIND:
      sqlite3_result_text(ctx, p->iLevel ? "addition" : "base", -1,
                          SQLITE_STATIC);
      break;
    default:
      if (p->zViolation) {
        sqlite3_result_text(ctx, p->zViolation, -1, SQLITE_STATIC);
      }
    }
  }
  return SQLITE_OK;
}

static int childRowid(sqlite3_vtab_cursor *pBase, sqlite3_int64 *piRowid) {
  ChildCursor *pCur = (ChildCursor *)pBase;
  *piRowid =
      steward_value_hash(pCur->pOwner, pCur->kids.apChild[pCur->i]->iHash);
  return SQLITE_OK;
}

static const sqlite3_module childModule = {
    .iVersion = 0,
    .xCreate = childCreate,
    .xConnect = childConnect,
    .xBestIndex = childBestIndex,
    .xDisconnect = childDisconnect,
    .xDestroy = childDisconnect,
    .xOpen = childOpen,
    .xClose = childClose,
    .xFilter = childFilter,
    .xNext = childNext,
    .xEof = childEof,
    .xColumn = childColumn,
    .xRowid = childRowid,
};

/* delta_children(...)    table
** CREATE VIRTUAL TABLE temp.x USING delta_children(http_header): the children
** of a row, a base or a delta, WHERE http_id = its id, as they read through its
** chain: overrides merged field by field, additions behind the base's, what is
** disabled with enabled = 0; in the order of the list prev/next, else of
** display_order with the deltas' own, ties by id.  Hidden columns: as_of (a
** time or '[time, id]'), policy (chain; single; fold: of a base, under all its
** deltas in the order of their (time, id)), source (the last override), exact,
** kind (base, addition), violation (what is wrong with its place in the list).
** Set: none
** Errors: "INVALID_ARGUMENT: delta_children: whose children?  Say WHERE http_id
**   = id, of a base or a delta"; those of delta and delta_resolve.
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   INSERT INTO http_header(id, http_id, header_key, header_value)
**     VALUES (1, 'list', 'Accept', 'text/html');
**   SELECT delta_create('http', 'list', 'json', '{}'); -- json
**   SELECT delta_create('http_header', 1, 2,
**     '{"http_id":"json","header_value":"application/json"}'); -- 2
**   CREATE VIRTUAL TABLE temp.headers USING delta_children(http_header);
**   SELECT header_key, header_value FROM headers WHERE http_id = 'json';
**   -- Accept|application/json
*/
int delta_children_register(Steward *p) {
  return sqlite3_create_module_v2(p->db, "delta_children", &childModule, p,
                                  NULL);
}
