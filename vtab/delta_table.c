/*
** delta_table.c - tables of rows as they read under their overlays.
**
**     SELECT id, source, row FROM delta_rows('http') WHERE scope = 'w';
**
**     CREATE VIRTUAL TABLE temp.http_resolved USING delta(http);
**     SELECT name, url FROM http_resolved WHERE workspace_id = 'w';
**     SELECT name, url FROM http_resolved WHERE source = :delta_id;
**
** Both walk over the table once, in the order of an index, and resolve each row
** on the way; nothing is kept but the row at hand.  Rows that are inserted
** while they are read are not seen: the highest rowid is taken first (in a
** WITHOUT ROWID table the rows are sorted first), so that
** INSERT INTO http SELECT .. FROM delta_rows('http') ends.
**
** The plan goes from xBestIndex to xFilter as text, a letter a value:
**   t table, a as_of, p policy, k kind, s source =, i id =, w scope =,
**   u parent =, > g < l  time > >= < <=
*/
#include <string.h>

#include "delta_int.h"

typedef struct DeltaTab {
  sqlite3_vtab base; /* must be first */
  Steward *p;
  char *zTable;   /* the table of overlays; NULL: delta_rows, an argument */
  char *zColumns; /* its columns when the table was declared */
  int nColumn;    /* visible columns before the special ones */
  /* columns by their part, or -1 */
  int iId, iScope, iParent, iTime, iTableName;
  int iFirst; /* of the special columns, SPECIAL_.. behind it */
} DeltaTab;

/* The special columns of a typed table, in this order. */
enum {
  SPECIAL_AS_OF,
  SPECIAL_POLICY,
  SPECIAL_SOURCE,
  SPECIAL_EXACT,
  SPECIAL_KIND,
  SPECIALS
};
static const char *const azSpecial[] = {"as_of", "policy", "source", "exact",
                                        "kind"};

/* The columns of delta_rows. */
enum {
  ROWS_ID,
  ROWS_SOURCE,
  ROWS_SCOPE,
  ROWS_PARENT,
  ROWS_TIME,
  ROWS_ROW,
  ROWS_EXACT,
  ROWS_TABLE,
  ROWS_AS_OF,
  ROWS_POLICY,
  ROWS_KIND
};

typedef struct DeltaCursor {
  sqlite3_vtab_cursor base; /* must be first */
  DeltaForm *f;
  DeltaView view;
  sqlite3_value *pAsOf;         /* as it was given; owned */
  sqlite3_value *pCut, *pCutId; /* what it says; owned */
  sqlite3_value *pTable;
  sqlite3_stmt *pScan; /* the rows to resolve */
  sqlite3_stmt *pBase; /* of the row at hand */
  i64 iRow;
  int bEof;
} DeltaCursor;

static const char zRowsColumns[] =
    "CREATE TABLE x(id, source, scope, parent, time, row TEXT, exact INTEGER,"
    " table_name HIDDEN BLOB, as_of HIDDEN BLOB, policy HIDDEN BLOB,"
    " kind HIDDEN BLOB)";

/*************************************************************************
** Connecting
*/
static int deltaDisconnect(sqlite3_vtab *pBase) {
  DeltaTab *pTab = (DeltaTab *)pBase;
  sqlite3_free(pTab->zTable);
  sqlite3_free(pTab->zColumns);
  sqlite3_free(pTab);
  return SQLITE_OK;
}

/* The declaration of a typed table, and where its columns are. */
static char *typed_columns(StewardCall *c, DeltaTab *pTab, DeltaForm *f) {
  sqlite3_str *p = sqlite3_str_new(c->db);
  int i, k;
  sqlite3_str_appendall(p, "CREATE TABLE x(");
  pTab->nColumn = pTab->iFirst = f->nColumn;
  for (i = 0; i < f->nColumn; i++) {
    const char *zName = f->aColumn[i].zName;
    sqlite3_str_appendf(p, "\"%w\" %s, ", zName, f->aColumn[i].zType);
    if (!sqlite3_stricmp(zName, f->names.zKey)) pTab->iId = i;
    if (f->names.zScope && !sqlite3_stricmp(zName, f->names.zScope)) {
      pTab->iScope = i;
    }
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

static void declare(StewardCall *c, const char *zSql) {
  int rc;
  if (c->rc || zSql == NULL) return;
  rc = sqlite3_declare_vtab(c->db, zSql);
  if (rc) steward_fail_db(c, rc);
}

/* A typed table must be in schema temp: a module's name in the file would be in
** the way of clients without the library. */
static void connect_typed(StewardCall *c, DeltaTab *pTab, int bCreate, int argc,
                          const char *const *argv) {
  DeltaForm *f = NULL;
  char *zSql = NULL;
  if (argc != 4) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "it takes the name of one table, got %d arguments: CREATE "
                 "VIRTUAL TABLE temp.http_resolved USING delta(http)",
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
  if (f) {
    zSql = typed_columns(c, pTab, f);
    pTab->zColumns = steward_mprintf(c, "%s", f->zColumns);
    declare(c, zSql);
    sqlite3_free(zSql);
    delta_form_close(c, f);
  } else if (!bCreate && c->rc == SQLITE_OK) {
    declare(c, "CREATE TABLE x(gone HIDDEN)"); /* so that it can be dropped */
  }
}

static int connect(sqlite3 *db, void *pAux, int bCreate, int argc,
                   const char *const *argv, sqlite3_vtab **ppVtab,
                   char **pzErr) {
  DeltaTab *pTab = sqlite3_malloc64(sizeof(*pTab));
  StewardCall c;
  int rc;
  if (pTab == NULL) return SQLITE_NOMEM;
  memset(pTab, 0, sizeof(*pTab));
  pTab->p = pAux;
  pTab->iId = pTab->iScope = pTab->iParent = pTab->iTime = -1;
  pTab->iTableName = -1;
  steward_open_table(&c, pAux, argv[0], NULL, STEWARD_READ);
  if (strcmp(argv[0], "delta_rows") == 0) {
    pTab->iId = ROWS_ID;
    pTab->iScope = ROWS_SCOPE;
    pTab->iParent = ROWS_PARENT;
    pTab->iTime = ROWS_TIME;
    pTab->iTableName = ROWS_TABLE;
    declare(&c, zRowsColumns);
  } else {
    connect_typed(&c, pTab, bCreate, argc, argv);
  }
  rc = steward_close_table(&c, &pTab->base);
  if (rc) {
    *pzErr = pTab->base.zErrMsg;
    deltaDisconnect(&pTab->base);
    return rc;
  }
  *ppVtab = &pTab->base;
  return SQLITE_OK;
}

static int deltaCreate(sqlite3 *db, void *pAux, int argc,
                       const char *const *argv, sqlite3_vtab **ppVtab,
                       char **pzErr) {
  return connect(db, pAux, 1, argc, argv, ppVtab, pzErr);
}

static int deltaConnect(sqlite3 *db, void *pAux, int argc,
                        const char *const *argv, sqlite3_vtab **ppVtab,
                        char **pzErr) {
  return connect(db, pAux, 0, argc, argv, ppVtab, pzErr);
}

/*************************************************************************
** Planning
*/

/* The letter for a comparison with this column, or 0. */
static char letter(const DeltaTab *pTab, int iCol, int op) {
  int bEq = op == SQLITE_INDEX_CONSTRAINT_EQ;
  int bRows = pTab->zTable == NULL;
  int iSpecial = iCol - pTab->iFirst;
  if (iCol < 0) return 0;
  if (bRows && bEq) {
    static const char zLetters[] = "isw";
    if (iCol <= ROWS_SCOPE) return zLetters[iCol];
    if (iCol == ROWS_PARENT) return 'u';
    if (iCol == ROWS_KIND) return 'k';
    if (iCol == ROWS_TABLE) return 't';
    if (iCol == ROWS_AS_OF) return 'a';
    if (iCol == ROWS_POLICY) return 'p';
  } else if (bRows && iCol == ROWS_TIME) {
    if (op == SQLITE_INDEX_CONSTRAINT_GT) return '>';
    if (op == SQLITE_INDEX_CONSTRAINT_GE) return 'g';
    if (op == SQLITE_INDEX_CONSTRAINT_LT) return '<';
    if (op == SQLITE_INDEX_CONSTRAINT_LE) return 'l';
  } else if (!bRows && bEq) {
    if (iCol == pTab->iId) return 'i';
    if (iCol == pTab->iScope) return 'w';
    if (iSpecial == SPECIAL_AS_OF) return 'a';
    if (iSpecial == SPECIAL_POLICY) return 'p';
    if (iSpecial == SPECIAL_SOURCE) return 's';
    if (iSpecial == SPECIAL_KIND) return 'k';
  }
  return 0;
}

/* Arguments must be known before the rows are. */
static int is_argument(char ch) {
  return ch && strchr("tapk", ch) != NULL;
}

static int deltaBestIndex(sqlite3_vtab *pBase, sqlite3_index_info *pInfo) {
  DeltaTab *pTab = (DeltaTab *)pBase;
  sqlite3_str *pPlan = sqlite3_str_new(pTab->p->db);
  int i, nArg = 0, rc;
  double rCost = 1000000.0;
  for (i = 0; i < pInfo->nConstraint; i++) {
    char ch =
        letter(pTab, pInfo->aConstraint[i].iColumn, pInfo->aConstraint[i].op);
    if (ch == 0) continue;
    if (!pInfo->aConstraint[i].usable) {
      if (!is_argument(ch)) continue;
      sqlite3_free(sqlite3_str_finish(pPlan));
      return SQLITE_CONSTRAINT;
    }
    if (!is_argument(ch) &&
        sqlite3_stricmp(sqlite3_vtab_collation(pInfo, i), "BINARY")) {
      continue;
    }
    pInfo->aConstraintUsage[i].argvIndex = ++nArg;
    pInfo->aConstraintUsage[i].omit = (unsigned char)is_argument(ch);
    sqlite3_str_appendchar(pPlan, 1, ch);
    if (ch == 's' || ch == 'i') rCost = 10.0;
    if (strchr("wu<>gl", ch)) rCost /= 20.0;
  }
  pInfo->estimatedCost = rCost;
  pInfo->estimatedRows = (i64)rCost + 1;
  rc = sqlite3_str_errcode(pPlan);
  pInfo->idxStr = sqlite3_str_finish(pPlan);
  pInfo->needToFreeIdxStr = 1;
  return rc;
}

/*************************************************************************
** Scanning
*/
static int deltaOpen(sqlite3_vtab *pBase, sqlite3_vtab_cursor **ppCursor) {
  DeltaCursor *pCur = sqlite3_malloc64(sizeof(*pCur));
  if (pCur == NULL) return SQLITE_NOMEM;
  memset(pCur, 0, sizeof(*pCur));
  *ppCursor = &pCur->base;
  return SQLITE_OK;
}

static void cursor_reset(DeltaCursor *pCur) {
  StewardCall c = {.p = ((DeltaTab *)pCur->base.pVtab)->p};
  c.db = c.p->db;
  sqlite3_finalize(pCur->pScan);
  pCur->pScan = NULL;
  pCur->pBase = NULL;
  delta_form_close(&c, pCur->f);
  pCur->f = NULL;
  sqlite3_value_free(pCur->pAsOf);
  sqlite3_value_free(pCur->pCut);
  sqlite3_value_free(pCur->pCutId);
  sqlite3_value_free(pCur->pTable);
  pCur->pCut = pCur->pCutId = NULL;
  pCur->pAsOf = pCur->pTable = NULL;
  memset(&pCur->view, 0, sizeof(pCur->view));
  pCur->iRow = 0;
  pCur->bEof = 1;
}

static int deltaClose(sqlite3_vtab_cursor *pBase) {
  cursor_reset((DeltaCursor *)pBase);
  sqlite3_free(pBase);
  return SQLITE_OK;
}

enum { KIND_BASE, KIND_DELTA, KIND_ALL, KIND_EITHER };
static const char *const azKind[] = {"base", "delta", "all", NULL};

/* The value that the plan has for a letter, or NULL. */
static sqlite3_value *plan_value(const char *zPlan, sqlite3_value **argv,
                                 char ch) {
  const char *zAt = strchr(zPlan, ch);
  return zAt ? argv[zAt - zPlan] : NULL;
}

/* Open the form; the columns must be those that were declared. */
static void open_form(StewardCall *c, DeltaCursor *pCur, const char *zPlan,
                      sqlite3_value **argv) {
  DeltaTab *pTab = (DeltaTab *)pCur->base.pVtab;
  sqlite3_value *pTable = plan_value(zPlan, argv, 't');
  const char *zTable = pTab->zTable;
  if (zTable == NULL && pTable == NULL) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "argument table_name is missing: SELECT * FROM "
                 "delta_rows('http')");
  } else if (zTable == NULL) {
    zTable = steward_arg_text(c, pTable, "table", 1000);
    pCur->pTable = sqlite3_value_dup(pTable);
  }
  if (zTable && c->rc == SQLITE_OK) pCur->f = delta_form_open(c, zTable);
  if (c->rc == SQLITE_OK && pTab->zTable &&
      (pTab->zColumns == NULL || strcmp(pTab->zColumns, pCur->f->zColumns))) {
    steward_fail(c, STEWARD_CONFLICT,
                 "the columns of table '%s' have changed since the virtual "
                 "table over it was made: DROP it and CREATE it again",
                 zTable);
  }
}

/* Rows that come while these are read are not among them. */
static void bound_rows(StewardCall *c, DeltaCursor *pCur, sqlite3_str *pSql,
                       i64 *piMax /* OUT */) {
  DeltaForm *f = pCur->f;
  *piMax = INT64_MAX;
  if (pCur->view.bHistory) return;
  if (f->zRowid) {
    *piMax = steward_exec_int(c, 0, "SELECT max(%s) FROM main.\"%w\"",
                              f->zRowid, f->base.zTable);
    sqlite3_str_appendf(pSql, " AND +steward_t.%s <= ?3", f->zRowid);
  } else {
    sqlite3_str_appendf(pSql, " ORDER BY +\"%w\"", f->names.zKey);
  }
}

/* The condition of one letter of the plan. */
static void add_condition(const DeltaForm *f, sqlite3_str *pSql, char ch,
                          int i) {
  const DeltaNames *n = &f->names;
  const char *zColumn = n->zTime, *zOp = "=";
  if (ch == 's' || ch == 'i') zColumn = n->zKey;
  if (ch == 'w') zColumn = n->zScope;
  if (ch == 'u') zColumn = n->zParent;
  if (ch == '>' || ch == 'g') zOp = ch == 'g' ? ">=" : ">";
  if (ch == '<' || ch == 'l') zOp = ch == 'l' ? "<=" : "<";
  if (zColumn == NULL) {
    sqlite3_str_appendf(pSql, " AND NULL %s ?%d", zOp, i);
  } else {
    sqlite3_str_appendf(pSql, " AND \"%w\" %s ?%d", zColumn, zOp, i);
  }
}

/* The base with the key ?i and the deltas below it, found by the index of the
** parents; by policy single a row is the base of its own deltas only. */
static void add_tree(StewardCall *c, DeltaCursor *pCur, sqlite3_str *pSql,
                     const char *zFrom, int i) {
  DeltaForm *f = pCur->f;
  const DeltaNames *n = &f->names;
  int bSingle = pCur->view.ePolicy == POLICY_SINGLE;
  int bHistory = pCur->view.bHistory;
  const char *zRows = bHistory ? "steward_from" : zFrom;
  delta_statement(c, f, bHistory, DELTA_KIDS); /* does the index serve? */
  sqlite3_str_appendall(pSql, "WITH RECURSIVE ");
  if (bHistory) {
    sqlite3_str_appendf(
        pSql, "steward_from AS MATERIALIZED (SELECT * FROM %s), ", zFrom);
  }
  sqlite3_str_appendf(pSql,
                      "steward_tree(steward_key, steward_depth) AS (SELECT"
                      " \"%w\", 0 FROM %s WHERE \"%w\" = ?%d",
                      n->zKey, zRows, n->zKey, i);
  if (!bSingle) {
    sqlite3_str_appendf(pSql, " AND coalesce(%s, 0) = 0", f->zFlagSql);
  }
  sqlite3_str_appendf(
      pSql,
      " UNION ALL SELECT \"%w\", steward_depth + 1 FROM steward_tree CROSS"
      " JOIN %s AS steward_t%s WHERE %s = 1 AND \"%w\" = +steward_key%s%s",
      n->zKey, zRows, bHistory ? "" : f->zKids, f->zFlagSql, n->zParent,
      f->zCollate, bSingle ? " AND steward_depth = 0" : "");
  if (!bHistory && f->zRowid) {
    sqlite3_str_appendf(pSql, " AND +steward_t.%s <= ?3", f->zRowid);
  }
  sqlite3_str_appendf(
      pSql,
      ") SELECT %s FROM steward_tree CROSS JOIN %s AS steward_t WHERE \"%w\" ="
      " +steward_key",
      f->zList, zRows, n->zKey);
  if (bSingle) {
    sqlite3_str_appendf(pSql, " AND (steward_depth OR coalesce(%s, 0) = 0)",
                        f->zFlagSql);
  }
}

/* Which rows of the table are to be resolved. */
static char *scan_sql(StewardCall *c, DeltaCursor *pCur, const char *zPlan,
                      int eKind, i64 *piMax /* OUT */) {
  DeltaForm *f = pCur->f;
  sqlite3_str *pSql = sqlite3_str_new(c->db);
  char *zFrom = delta_source_sql(c, f, pCur->view.bHistory);
  const char *zId = strchr(zPlan, 'i');
  int i;
  if (zId && (eKind == KIND_DELTA || eKind == KIND_ALL)) {
    add_tree(c, pCur, pSql, zFrom, (int)(zId - zPlan) + 4);
  } else {
    sqlite3_str_appendf(pSql, "SELECT %s FROM %s AS steward_t WHERE 1",
                        eKind == KIND_BASE ? f->zPlainList : f->zList, zFrom);
  }
  sqlite3_free(zFrom);
  if (eKind == KIND_BASE && f->bFlagNotNull) {
    sqlite3_str_appendf(pSql, " AND %s = 0", f->zFlagSql);
  } else if (eKind == KIND_BASE) {
    sqlite3_str_appendf(pSql, " AND coalesce(%s, 0) = 0", f->zFlagSql);
  } else if (eKind == KIND_DELTA) {
    sqlite3_str_appendf(pSql, " AND %s = 1", f->zFlagSql);
  }
  for (i = 0; zPlan[i]; i++) {
    /* the id of a result is its base's; only of a base is it the row's own */
    if (is_argument(zPlan[i]) || (zPlan[i] == 'i' && eKind != KIND_BASE)) {
      continue;
    }
    add_condition(f, pSql, zPlan[i], i + 4);
  }
  if (eKind != KIND_EITHER) bound_rows(c, pCur, pSql, piMax);
  return steward_str_finish(c, pSql);
}

/* The statement that finds the rows to resolve. */
static void prepare_scan(StewardCall *c, DeltaCursor *pCur, const char *zPlan,
                         int eKind, sqlite3_value **argv) {
  i64 iMax = 0;
  int i;
  if (c->rc) return;
  pCur->pScan = steward_prepare_text(c, scan_sql(c, pCur, zPlan, eKind, &iMax));
  if (pCur->pScan == NULL) return;
  sqlite3_bind_int64(pCur->pScan, 2, pCur->view.iCut);
  sqlite3_bind_int64(pCur->pScan, 3, iMax);
  for (i = 0; zPlan[i] && c->rc == SQLITE_OK; i++) {
    if (i + 4 > sqlite3_bind_parameter_count(pCur->pScan)) break;
    if (strchr("siwu", zPlan[i])) {
      delta_bind_id(c, pCur->pScan, i + 4, argv[i]);
    } else {
      steward_bind_value(c, pCur->pScan, i + 4, argv[i]);
    }
  }
}

/* Go to the next row that was there at the cut. */
static void cursor_step(StewardCall *c, DeltaCursor *pCur) {
  pCur->pBase = NULL;
  while (steward_next(c, pCur->pScan)) {
    pCur->pBase = delta_resolve_row(c, pCur->f, &pCur->view, pCur->pScan);
    if (pCur->pBase || c->rc) break;
  }
  pCur->iRow++;
  pCur->bEof = pCur->pBase == NULL;
}

static int deltaFilter(sqlite3_vtab_cursor *pBase, int idxNum,
                       const char *zPlan, int argc, sqlite3_value **argv) {
  DeltaCursor *pCur = (DeltaCursor *)pBase;
  DeltaTab *pTab = (DeltaTab *)pBase->pVtab;
  StewardCall c;
  int eKind;
  if (zPlan == NULL) zPlan = "";
  cursor_reset(pCur);
  steward_open_table(&c, pTab->p, pTab->zTable ? "delta" : "delta_rows", NULL,
                     STEWARD_READ);
  open_form(&c, pCur, zPlan, argv);
  pCur->view.ePolicy = delta_arg_word(&c, plan_value(zPlan, argv, 'p'),
                                      "policy", delta_policies, POLICY_CHAIN);
  eKind = delta_arg_word(&c, plan_value(zPlan, argv, 'k'), "kind", azKind,
                         strchr(zPlan, 's') ? KIND_EITHER : KIND_BASE);
  delta_arg_cut(&c, plan_value(zPlan, argv, 'a'), &pCur->pAsOf, &pCur->pCut,
                &pCur->pCutId);
  pCur->view.pAsOf = pCur->pCut;
  pCur->view.pAsOfId = pCur->pCutId;
  if (pCur->f) delta_view_open(&c, pCur->f, &pCur->view);
  prepare_scan(&c, pCur, zPlan, eKind, argv);
  cursor_step(&c, pCur);
  return steward_close_table(&c, pBase->pVtab);
}

static int deltaNext(sqlite3_vtab_cursor *pBase) {
  DeltaCursor *pCur = (DeltaCursor *)pBase;
  DeltaTab *pTab = (DeltaTab *)pBase->pVtab;
  StewardCall c = {.p = pTab->p, .db = pTab->p->db};
  c.zFunc = pTab->zTable ? "delta" : "delta_rows";
  cursor_step(&c, pCur);
  return c.rc ? steward_close_table(&c, pBase->pVtab) : SQLITE_OK;
}

static int deltaEof(sqlite3_vtab_cursor *pBase) {
  return ((DeltaCursor *)pBase)->bEof;
}

/* The special columns. */
static void special_column(sqlite3_context *ctx, DeltaCursor *pCur, int i) {
  static const char *const azKindOf[] = {"base", "delta", "broken"};
  RowKind eKind;
  switch (i) {
  case SPECIAL_AS_OF:
    if (pCur->pAsOf) sqlite3_result_value(ctx, pCur->pAsOf);
    break;
  case SPECIAL_POLICY:
    sqlite3_result_text(ctx, delta_policies[pCur->view.ePolicy], -1,
                        SQLITE_STATIC);
    break;
  case SPECIAL_SOURCE:
    sqlite3_result_value(ctx, sqlite3_column_value(pCur->pScan, ROW_KEY));
    break;
  case SPECIAL_EXACT:
    sqlite3_result_int(ctx, pCur->pAsOf == NULL || pCur->view.bHistory);
    break;
  default:
    eKind = delta_row_kind(sqlite3_column_value(pCur->pScan, ROW_FLAG));
    sqlite3_result_text(ctx, azKindOf[eKind], -1, SQLITE_STATIC);
  }
}

static void row_column(StewardCall *c, sqlite3_context *ctx,
                       DeltaCursor *pCur) {
  StewardBuffer row = {0};
  delta_row_json(c, pCur->f, pCur->pBase,
                 sqlite3_column_value(pCur->pScan, ROW_KEY), -1, &row);
  if (c->rc == SQLITE_OK) steward_buffer_result(ctx, &row);
  steward_buffer_free(&row);
}

static int deltaColumn(sqlite3_vtab_cursor *pBase, sqlite3_context *ctx,
                       int iCol) {
  static const int aSpecial[] = {
      [ROWS_SOURCE] = SPECIAL_SOURCE, [ROWS_EXACT] = SPECIAL_EXACT,
      [ROWS_KIND] = SPECIAL_KIND,     [ROWS_AS_OF] = SPECIAL_AS_OF,
      [ROWS_POLICY] = SPECIAL_POLICY,
  };
  DeltaCursor *pCur = (DeltaCursor *)pBase;
  DeltaTab *pTab = (DeltaTab *)pBase->pVtab;
  StewardCall c = {.p = pTab->p, .db = pTab->p->db, .zFunc = "delta_rows"};
  if (pTab->zTable) {
    if (iCol < pTab->nColumn) {
      sqlite3_result_value(ctx, delta_result(pCur->f, pCur->pBase, iCol));
    } else {
      special_column(ctx, pCur, iCol - pTab->iFirst);
    }
    return SQLITE_OK;
  }
  switch (iCol) {
  case ROWS_ID:
    sqlite3_result_value(ctx, sqlite3_column_value(pCur->pBase, ROW_KEY));
    break;
  case ROWS_SCOPE:
  case ROWS_PARENT:
  case ROWS_TIME: {
    static const int aCol[] = {[ROWS_SCOPE] = ROW_SCOPE,
                               [ROWS_PARENT] = ROW_PARENT,
                               [ROWS_TIME] = ROW_TIME};
    sqlite3_result_value(ctx, sqlite3_column_value(pCur->pScan, aCol[iCol]));
    break;
  }
  case ROWS_ROW: row_column(&c, ctx, pCur); break;
  case ROWS_TABLE:
    if (pCur->pTable) sqlite3_result_value(ctx, pCur->pTable);
    break;
  default: special_column(ctx, pCur, aSpecial[iCol]);
  }
  return c.rc ? steward_close_table(&c, pBase->pVtab) : SQLITE_OK;
}

/* Two scans of one statement (a = 1 OR b = 2) must agree on a row's rowid. */
static int deltaRowid(sqlite3_vtab_cursor *pBase, sqlite3_int64 *piRowid) {
  DeltaCursor *pCur = (DeltaCursor *)pBase;
  *piRowid = steward_value_hash(sqlite3_column_value(pCur->pScan, ROW_KEY), 0);
  return SQLITE_OK;
}

static const sqlite3_module rowsModule = {
    .iVersion = 0,
    .xConnect = deltaConnect,
    .xBestIndex = deltaBestIndex,
    .xDisconnect = deltaDisconnect,
    .xOpen = deltaOpen,
    .xClose = deltaClose,
    .xFilter = deltaFilter,
    .xNext = deltaNext,
    .xEof = deltaEof,
    .xColumn = deltaColumn,
    .xRowid = deltaRowid,
};

static const sqlite3_module typedModule = {
    .iVersion = 0,
    .xCreate = deltaCreate,
    .xConnect = deltaConnect,
    .xBestIndex = deltaBestIndex,
    .xDisconnect = deltaDisconnect,
    .xDestroy = deltaDisconnect,
    .xOpen = deltaOpen,
    .xClose = deltaClose,
    .xFilter = deltaFilter,
    .xNext = deltaNext,
    .xEof = deltaEof,
    .xColumn = deltaColumn,
    .xRowid = deltaRowid,
};

/* delta_rows(id, source, scope, parent, time, row TEXT, exact INTEGER,
**   HIDDEN table_name, HIDDEN as_of, HIDDEN policy, HIDDEN kind)    table
** Every row of a table of overlays as delta_resolve reads it, in one pass: row
** is that JSON, id the base's id, source the row resolved; scope, parent and
** time are those of the row resolved.  Bases only, unless kind is 'delta' or
** 'all', or a source is asked for.  Constraints on source, id, scope, parent
** and time are looked up in the table's indexes.  as_of, a time or
** '[time, id]', and exact: see delta_resolve.
** Set: none
** Errors: those of delta_resolve: one broken row ends the SELECT.
** Source: seed 004, section 1.1.
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   SELECT delta_create('http', 'list', 'page2', '{"url":"/items?page=2"}');
**   -- page2
**   SELECT source, row ->> 'url' FROM delta_rows('http')
**    WHERE scope = 'w' AND kind = 'delta'; -- page2|/items?page=2
*/
/* delta(...)    table
** CREATE VIRTUAL TABLE temp.x USING delta(http): the rows of a table of
** overlays as they read, with the table's own columns and types (without the
** overlays, flag and parent), and hidden as_of, policy, source, exact, kind as
** in delta_rows.  WHERE source = <id> is the row that a delta reads as.  When
** the table's columns have changed it says so; drop it and create it again.
** Set: none
** Errors: "CONFLICT: delta: the columns of table 'http' have changed since the
**   virtual table over it was made: DROP it and CREATE it again"; UNSUPPORTED
**   outside of schema temp; those of delta_resolve.
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   SELECT delta_create('http', 'list', 'page2', '{"url":"/items?page=2"}');
**   -- page2
**   CREATE VIRTUAL TABLE temp.http_resolved USING delta(http);
**   SELECT id, url, method FROM http_resolved WHERE source = 'page2';
**   -- list|/items?page=2|GET
*/
int delta_table_register(Steward *p) {
  int rc = sqlite3_create_module_v2(p->db, "delta_rows", &rowsModule, p, NULL);
  if (rc == SQLITE_OK) {
    rc = sqlite3_create_module_v2(p->db, "delta", &typedModule, p, NULL);
  }
  return rc;
}
