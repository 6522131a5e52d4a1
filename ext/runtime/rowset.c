/*
** rowset.c - the scaffold of table-valued functions and listing tables.
**
** A StewardTable declares the columns and where the rows come from: a named
** statement whose ?1..?n are the hidden arguments, or a function in C.  The
** scaffold makes the module.  Over a statement it pushes comparisons (= > >=
** < <=) on the columns, and ORDER BY, into it:
**
**     SELECT * FROM (<statement>) WHERE "col" >= ?3 ... ORDER BY "col"
**
** so that a limit on a long list reads only what it returns.  SQLite checks
** every row again; values are compared under the declared type, as for a
** table.  A table-valued function never writes (API.md 1).
**
** The plan goes from xBestIndex to xFilter as text, one token a constraint:
** `A<i>` argument i, `M<i>` argument i is missing, `=<i>` `><i>` `g<i>` (>=)
** `<<i>` `l<i>` (<=) column i,
** then `o<i>` `O<i>` order by column i ascending, descending.
*/
#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "steward_int.h"

/*************************************************************************
** Rows made in C
*/
typedef struct Cell {
  int eType; /* SQLITE_INTEGER ... */
  i64 i;     /* of a text its length */
  double r;
  char *z;          /* owned */
  sqlite3_value *v; /* owned; a value of any type */
} Cell;

struct StewardRows {
  int nColumn;
  int nRow;
  int nAlloc;
  Cell *aCell;
  const StewardStream *pStream; /* instead of cells: rows as they come ... */
  void *pState;                 /* ... from this, see steward_rows_stream() */
  sqlite3_stmt *pStmt;          /* or those of a statement, owned */
};

static void rows_free(StewardRows *r) {
  int i;
  for (i = 0; i < r->nRow * r->nColumn; i++) {
    sqlite3_free(r->aCell[i].z);
    sqlite3_value_free(r->aCell[i].v);
  }
  sqlite3_free(r->aCell);
  memset(r, 0, sizeof(*r));
}

static int rows_grow(StewardCall *c, StewardRows *r) {
  Cell *aNew;
  int nAlloc = r->nAlloc ? r->nAlloc * 2 : 16;
  if (r->nRow < r->nAlloc) return SQLITE_OK;
  aNew = sqlite3_realloc64(r->aCell,
                           sizeof(Cell) * (size_t)nAlloc * (size_t)r->nColumn);
  if (aNew == NULL) {
    steward_fail_nomem(c);
    return SQLITE_NOMEM;
  }
  r->aCell = aNew;
  r->nAlloc = nAlloc;
  return SQLITE_OK;
}

/* Keep a value; only text and BLOBs need memory of their own. */
static void cell_keep(StewardCall *c, Cell *pCell, sqlite3_value *v) {
  pCell->eType = sqlite3_value_type(v);
  if (pCell->eType == SQLITE_INTEGER) {
    pCell->i = sqlite3_value_int64(v);
  } else if (pCell->eType == SQLITE_FLOAT) {
    pCell->r = sqlite3_value_double(v);
  } else if (pCell->eType != SQLITE_NULL) {
    pCell->v = sqlite3_value_dup(v);
    if (pCell->v == NULL) steward_fail_nomem(c);
  }
}

/* Keep a copy of a text. */
static void cell_text(StewardCall *c, Cell *pCell, const char *z) {
  size_t n = strlen(z);
  pCell->z = sqlite3_malloc64(n + 1);
  if (pCell->z == NULL) {
    steward_fail_nomem(c);
    return;
  }
  memcpy(pCell->z, z, n);
  pCell->i = (i64)n;
  pCell->eType = SQLITE_TEXT;
}

/* Take over what a buffer holds; an empty one is NULL. */
static void cell_buffer(Cell *pCell, StewardBuffer *p) {
  if (p->n == 0) return;
  pCell->z = p->z;
  pCell->i = (i64)p->n;
  pCell->eType = SQLITE_TEXT;
  memset(p, 0, sizeof(*p));
}

/* Add a row: zFmt has a letter per column: i int, l i64, d double, t text
** (copied; NULL allowed), b buffer (emptied), v value (copied), n NULL.
** Missing columns: NULL. */
void steward_row(StewardCall *c, StewardRows *r, const char *zFmt, ...) {
  va_list ap;
  Cell *aCell;
  int i;
  if (c->rc || rows_grow(c, r)) return;
  aCell = &r->aCell[r->nRow * r->nColumn];
  memset(aCell, 0, sizeof(Cell) * (size_t)r->nColumn);
  for (i = 0; i < r->nColumn; i++) aCell[i].eType = SQLITE_NULL;
  r->nRow++;
  va_start(ap, zFmt);
  for (i = 0; i < r->nColumn && zFmt[i]; i++) {
    Cell *pCell = &aCell[i];
    if (zFmt[i] == 'i') {
      pCell->eType = SQLITE_INTEGER;
      pCell->i = va_arg(ap, int);
    } else if (zFmt[i] == 'l') {
      pCell->eType = SQLITE_INTEGER;
      pCell->i = va_arg(ap, i64);
    } else if (zFmt[i] == 'd') {
      pCell->eType = SQLITE_FLOAT;
      pCell->r = va_arg(ap, double);
    } else if (zFmt[i] == 't') {
      const char *z = va_arg(ap, const char *);
      if (z) cell_text(c, pCell, z);
    } else if (zFmt[i] == 'b') {
      cell_buffer(pCell, va_arg(ap, StewardBuffer *));
    } else if (zFmt[i] == 'v') {
      cell_keep(c, pCell, va_arg(ap, sqlite3_value *));
    }
  }
  va_end(ap);
}

/* The rows come one by one, and none is copied: pState, freed by the stream. */
void steward_rows_stream(StewardRows *r, const StewardStream *pStream,
                         void *pState) {
  r->pStream = pStream;
  r->pState = pState;
}

/* A statement that was taken, as a stream. */
typedef struct Taken {
  enum StewardSqlId id;
  sqlite3_stmt *pStmt;
} Taken;

static int taken_next(StewardCall *c, void *pState) {
  return steward_next(c, ((Taken *)pState)->pStmt);
}

static void taken_column(sqlite3_context *ctx, void *pState, int iCol) {
  sqlite3_result_value(ctx,
                       sqlite3_column_value(((Taken *)pState)->pStmt, iCol));
}

static void taken_free(StewardCall *c, void *pState) {
  Taken *pTaken = pState;
  steward_give(c, pTaken->id, pTaken->pStmt);
  sqlite3_free(pTaken);
}

/* The rows are those of a statement, taken and bound but not stepped yet, with
** the columns of the table in their order; it is given back at the last. */
void steward_rows_from(StewardCall *c, StewardRows *r, enum StewardSqlId id,
                       sqlite3_stmt *pStmt) {
  static const StewardStream takenStream = {taken_next, taken_column,
                                            taken_free};
  Taken *pTaken = pStmt ? sqlite3_malloc64(sizeof(*pTaken)) : NULL;
  if (pTaken == NULL) {
    if (pStmt) steward_fail_nomem(c);
    steward_give(c, id, pStmt);
    return;
  }
  pTaken->id = id;
  pTaken->pStmt = pStmt;
  steward_rows_stream(r, &takenStream, pTaken);
}

/* The rows are those of a statement that was prepared for this, with the
** columns of the table in their order; it is finalized. */
void steward_rows_own(StewardRows *r, sqlite3_stmt *pStmt) {
  r->pStmt = pStmt;
}

int steward_row_count(const StewardRows *r) {
  return r->nRow;
}

/* Give a cell of an earlier row an integer. */
void steward_row_set(StewardRows *r, int iRow, int iCol, i64 iValue) {
  Cell *pCell = &r->aCell[iRow * r->nColumn + iCol];
  pCell->eType = SQLITE_INTEGER;
  pCell->i = iValue;
}

static void cell_result(sqlite3_context *ctx, const Cell *pCell) {
  if (pCell->v) {
    sqlite3_result_value(ctx, pCell->v);
  } else if (pCell->eType == SQLITE_INTEGER) {
    sqlite3_result_int64(ctx, pCell->i);
  } else if (pCell->eType == SQLITE_FLOAT) {
    sqlite3_result_double(ctx, pCell->r);
  } else if (pCell->eType == SQLITE_TEXT) {
    sqlite3_result_text64(ctx, pCell->z, (sqlite3_uint64)pCell->i,
                          SQLITE_TRANSIENT, SQLITE_UTF8);
  }
}

/*************************************************************************
** The table
*/
typedef struct RowsetCursor {
  sqlite3_vtab_cursor base; /* must be first */
  sqlite3_stmt *pStmt;      /* rows by statement */
  StewardRows rows;         /* or made in C */
  sqlite3_value **apArg;    /* copies of the hidden arguments */
  i64 iRow;                 /* 1-based number of the current row */
  int bEof;
} RowsetCursor;

static int rowsetDisconnect(sqlite3_vtab *pBase) {
  StewardVtab *pTab = (StewardVtab *)pBase;
  int i;
  for (i = 0; i < pTab->nColumn; i++) {
    sqlite3_free(pTab->azColumn[i]);
    sqlite3_free(pTab->azType[i]);
  }
  sqlite3_free(pTab->azColumn);
  sqlite3_free(pTab->azType);
  sqlite3_free(pTab);
  return SQLITE_OK;
}

/* The next word of *pz, as a copy; "" when there is none before a comma. */
static char *next_word(const char **pz) {
  const char *z = *pz, *zStart;
  while (isspace((unsigned char)*z)) z++;
  zStart = z;
  while (isalnum((unsigned char)*z) || *z == '_') z++;
  *pz = z;
  return sqlite3_mprintf("%.*s", (int)(z - zStart), zStart);
}

/* Split the declaration into names and types. */
static int parse_columns(StewardVtab *pTab, const char *z) {
  while (*z) {
    int nDepth = 0, n = pTab->nColumn;
    size_t nByte = sizeof(char *) * (size_t)(n + 1);
    char **azColumn = sqlite3_realloc64(pTab->azColumn, nByte);
    char **azType;
    if (azColumn == NULL) return SQLITE_NOMEM;
    pTab->azColumn = azColumn;
    azType = sqlite3_realloc64(pTab->azType, nByte);
    if (azType == NULL) return SQLITE_NOMEM;
    pTab->azType = azType;
    azColumn[n] = next_word(&z);
    azType[n] = next_word(&z);
    pTab->nColumn++;
    if (azColumn[n] == NULL || azType[n] == NULL) return SQLITE_NOMEM;
    while (*z && (nDepth > 0 || *z != ',')) {
      if (*z == '(') nDepth++;
      if (*z == ')') nDepth--;
      z++;
    }
    if (*z == ',') z++;
  }
  return SQLITE_OK;
}

typedef struct TableAux {
  Steward *p;
  const StewardTable *pTable;
} TableAux;

static int rowsetConnect(sqlite3 *db, void *pAux, int argc,
                         const char *const *argv, sqlite3_vtab **ppVtab,
                         char **pzErr) {
  const TableAux *pTableAux = pAux;
  const StewardTable *pTable = pTableAux->pTable;
  StewardVtab *pNew = NULL;
  int rc;
  char *zDecl = sqlite3_mprintf("CREATE TABLE x(%s)", pTable->zColumns);
  rc = zDecl ? sqlite3_declare_vtab(db, zDecl) : SQLITE_NOMEM;
  sqlite3_free(zDecl);
  if (rc == SQLITE_OK) {
    pNew = sqlite3_malloc64(sizeof(*pNew));
    if (pNew == NULL) return SQLITE_NOMEM;
    memset(pNew, 0, sizeof(*pNew));
    pNew->p = pTableAux->p;
    pNew->pTable = pTable;
    rc = parse_columns(pNew, pTable->zColumns);
    if (pTable->zBacking || pTable->xInsert) {
      sqlite3_vtab_config(db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
    }
    if (rc) {
      rowsetDisconnect(&pNew->base);
      return rc;
    }
    *ppVtab = &pNew->base;
  }
  return rc;
}

/* The token of a comparison that may be pushed down, or 0. */
static char operator_token(int op) {
  switch (op) {
  case SQLITE_INDEX_CONSTRAINT_EQ: return '=';
  case SQLITE_INDEX_CONSTRAINT_GT: return '>';
  case SQLITE_INDEX_CONSTRAINT_GE: return 'g';
  case SQLITE_INDEX_CONSTRAINT_LT: return '<';
  case SQLITE_INDEX_CONSTRAINT_LE: return 'l';
  default: return 0;
  }
}

/* Hand the hidden arguments over; SQLITE_CONSTRAINT when one that the caller
** gave cannot be used in this plan.  A required one that nobody gave is a plan,
** too, "M<argument>", whose execution says so. */
static int plan_arguments(const StewardVtab *pTab, sqlite3_index_info *pInfo,
                          sqlite3_str *pPlan, int *pnArgv) {
  int iFirst = pTab->nColumn - pTab->pTable->nArg;
  int iArg, i;
  for (iArg = 0; iArg < pTab->pTable->nArg; iArg++) {
    int iFound = -1;
    for (i = 0; i < pInfo->nConstraint; i++) {
      if (pInfo->aConstraint[i].iColumn != iFirst + iArg ||
          pInfo->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) {
        continue;
      }
      if (!pInfo->aConstraint[i].usable) return SQLITE_CONSTRAINT;
      iFound = i;
    }
    if (iFound >= 0) {
      pInfo->aConstraintUsage[iFound].argvIndex = ++(*pnArgv);
      pInfo->aConstraintUsage[iFound].omit = 1;
      sqlite3_str_appendf(pPlan, "A%d ", iArg);
    } else if (iArg < pTab->pTable->nRequired) {
      sqlite3_str_appendf(pPlan, "M%d ", iArg);
    }
  }
  return SQLITE_OK;
}

static void fail_missing_argument(StewardCall *c, const StewardVtab *pTab,
                                  int iArg) {
  int i, iFirst = pTab->nColumn - pTab->pTable->nArg;
  sqlite3_str *pList = sqlite3_str_new(c->db);
  char *zList;
  for (i = 0; i < pTab->pTable->nArg; i++) {
    sqlite3_str_appendf(pList, "%s%s",
                        i == pTab->pTable->nRequired ? " [, "
                        : i                          ? ", "
                                                     : "",
                        pTab->azColumn[iFirst + i]);
  }
  if (i > pTab->pTable->nRequired) sqlite3_str_appendall(pList, "]");
  zList = sqlite3_str_finish(pList);
  if (zList == NULL) steward_fail_nomem(c);
  steward_fail(c, STEWARD_INVALID_ARGUMENT,
               "argument %s is missing: SELECT * FROM %s(%s)",
               pTab->azColumn[iFirst + iArg], pTab->pTable->zName, zList);
  sqlite3_free(zList);
}

/* Push comparisons on declared columns; how many. */
static int plan_constraints(const StewardVtab *pTab, sqlite3_index_info *pInfo,
                            sqlite3_str *pPlan, int *pnArgv) {
  int iFirst = pTab->nColumn - pTab->pTable->nArg;
  int i, nPushed = 0;
  for (i = 0; i < pInfo->nConstraint; i++) {
    int iCol = pInfo->aConstraint[i].iColumn;
    char cToken = operator_token(pInfo->aConstraint[i].op);
    if (!pInfo->aConstraint[i].usable || cToken == 0) continue;
    if (iCol < 0 && pTab->pTable->zBacking) iCol = 0;
    if (iCol < 0 || iCol >= iFirst) continue;
    if (sqlite3_stricmp(sqlite3_vtab_collation(pInfo, i), "BINARY")) continue;
    pInfo->aConstraintUsage[i].argvIndex = ++(*pnArgv);
    sqlite3_str_appendf(pPlan, "%c%d ", cToken, iCol);
    nPushed++;
  }
  return nPushed;
}

static void plan_order(const StewardVtab *pTab, sqlite3_index_info *pInfo,
                       sqlite3_str *pPlan) {
  int iFirst = pTab->nColumn - pTab->pTable->nArg;
  int i;
  for (i = 0; i < pInfo->nOrderBy; i++) {
    int iCol = pInfo->aOrderBy[i].iColumn;
    if (iCol < 0 || iCol >= iFirst) return;
  }
  for (i = 0; i < pInfo->nOrderBy; i++) {
    sqlite3_str_appendf(pPlan, "%c%d ", pInfo->aOrderBy[i].desc ? 'O' : 'o',
                        pInfo->aOrderBy[i].iColumn);
  }
  if (pInfo->nOrderBy > 0) pInfo->orderByConsumed = 1;
}

static int rowsetBestIndex(sqlite3_vtab *pBase, sqlite3_index_info *pInfo) {
  StewardVtab *pTab = (StewardVtab *)pBase;
  sqlite3_str *pPlan = sqlite3_str_new(pTab->p->db);
  int nArgv = 0, nPushed = 0, i;
  int rc = plan_arguments(pTab, pInfo, pPlan, &nArgv);
  int bMissing =
      sqlite3_str_length(pPlan) && strchr(sqlite3_str_value(pPlan), 'M');
  if (rc == SQLITE_OK && pTab->pTable->xRows == NULL) {
    nPushed = plan_constraints(pTab, pInfo, pPlan, &nArgv);
    plan_order(pTab, pInfo, pPlan);
  }
  pInfo->estimatedCost = bMissing ? 1e100 : 1000000.0;
  for (i = 0; i < nPushed && i < 3; i++) pInfo->estimatedCost /= 50.0;
  pInfo->estimatedRows = (i64)pInfo->estimatedCost;
  /* an empty plan is NULL as well, so want of memory is asked for */
  if (rc == SQLITE_OK) rc = sqlite3_str_errcode(pPlan);
  if (rc) {
    sqlite3_free(sqlite3_str_finish(pPlan));
    return rc;
  }
  pInfo->idxStr = sqlite3_str_finish(pPlan);
  pInfo->needToFreeIdxStr = 1;
  return SQLITE_OK;
}

static int rowsetOpen(sqlite3_vtab *pBase, sqlite3_vtab_cursor **ppCursor) {
  RowsetCursor *pCur = sqlite3_malloc64(sizeof(*pCur));
  if (pCur == NULL) return SQLITE_NOMEM;
  memset(pCur, 0, sizeof(*pCur));
  pCur->rows.nColumn = ((StewardVtab *)pBase)->nColumn;
  *ppCursor = &pCur->base;
  return SQLITE_OK;
}

/* The end of the rows.  At once, not only when the cursor closes: statements
** that were taken may be handed to others by the cache as soon as they are
** through. */
static void cursor_release(RowsetCursor *pCur) {
  StewardVtab *pTab = (StewardVtab *)pCur->base.pVtab;
  StewardCall c = {.p = pTab->p, .db = pTab->p->db};
  sqlite3_finalize(pCur->pStmt);
  pCur->pStmt = NULL;
  if (pCur->rows.pState) pCur->rows.pStream->xFree(&c, pCur->rows.pState);
  pCur->rows.pState = NULL;
}

static void cursor_reset(RowsetCursor *pCur) {
  const StewardVtab *pTab = (StewardVtab *)pCur->base.pVtab;
  int i, nColumn = pCur->rows.nColumn;
  cursor_release(pCur);
  rows_free(&pCur->rows);
  pCur->rows.nColumn = nColumn;
  for (i = 0; pCur->apArg && i < pTab->pTable->nArg; i++) {
    sqlite3_value_free(pCur->apArg[i]);
  }
  sqlite3_free(pCur->apArg);
  pCur->apArg = NULL;
  pCur->iRow = 0;
  pCur->bEof = 0;
}

static int rowsetClose(sqlite3_vtab_cursor *pBase) {
  cursor_reset((RowsetCursor *)pBase);
  sqlite3_free(pBase);
  return SQLITE_OK;
}

/* Copies of the hidden arguments, NULL for those not given. */
static void take_arguments(StewardCall *c, RowsetCursor *pCur,
                           const char *zPlan, sqlite3_value **argv) {
  const StewardVtab *pTab = (StewardVtab *)pCur->base.pVtab;
  int nArg = pTab->pTable->nArg;
  int i = 0;
  if (nArg == 0) return;
  pCur->apArg = sqlite3_malloc64(sizeof(sqlite3_value *) * (size_t)nArg);
  if (pCur->apArg == NULL) {
    steward_fail_nomem(c);
    return;
  }
  memset(pCur->apArg, 0, sizeof(sqlite3_value *) * (size_t)nArg);
  while (zPlan && *zPlan == 'A') {
    int iArg = atoi(zPlan + 1);
    pCur->apArg[iArg] = sqlite3_value_dup(argv[i++]);
    if (pCur->apArg[iArg] == NULL) steward_fail_nomem(c);
    zPlan = strchr(zPlan, ' ') + 1;
  }
}

/* The statement behind the table with what is pushed down; caller frees. */
static char *rowset_sql(const StewardVtab *pTab, const char *zPlan) {
  const StewardTable *pTable = pTab->pTable;
  sqlite3_str *pSql = sqlite3_str_new(pTab->p->db);
  int iParam = pTable->nArg, nWhere = 0, nOrder = 0;
  if (pTable->zBacking) {
    sqlite3_str_appendf(pSql, "SELECT * FROM main.\"%w\" AS t",
                        pTable->zBacking);
  } else {
    sqlite3_str_appendf(pSql, "SELECT * FROM (%s) AS t",
                        steward_sql[pTable->eSql].zSql);
  }
  for (; zPlan && *zPlan; zPlan = strchr(zPlan, ' ') + 1) {
    const char *zColumn = pTab->azColumn[atoi(zPlan + 1)];
    const char *zOp = *zPlan == '=' ? "=" : *zPlan == '>' ? ">" : "<";
    if (*zPlan == 'A') continue;
    if (*zPlan == 'g') zOp = ">=";
    if (*zPlan == 'l') zOp = "<=";
    if (*zPlan == 'o' || *zPlan == 'O') {
      sqlite3_str_appendf(pSql, "%s t.\"%w\"%s", nOrder++ ? "," : " ORDER BY",
                          zColumn, *zPlan == 'O' ? " DESC" : "");
    } else {
      sqlite3_str_appendf(pSql, " %s t.\"%w\" %s ?%d",
                          nWhere++ ? "AND" : "WHERE", zColumn, zOp, ++iParam);
    }
  }
  return sqlite3_str_finish(pSql);
}

/* Bind v as a comparison with a column of the declared type would see it. */
static int bind_as(sqlite3_stmt *pStmt, int i, sqlite3_value *v,
                   const char *zType) {
  int eType = sqlite3_value_type(v);
  if (sqlite3_stricmp(zType, "TEXT") == 0 &&
      (eType == SQLITE_INTEGER || eType == SQLITE_FLOAT)) {
    return sqlite3_bind_text(pStmt, i, (const char *)sqlite3_value_text(v), -1,
                             SQLITE_TRANSIENT);
  }
  if (eType == SQLITE_TEXT && (sqlite3_stricmp(zType, "INTEGER") == 0 ||
                               sqlite3_stricmp(zType, "REAL") == 0)) {
    sqlite3_value_numeric_type(v);
  }
  return sqlite3_bind_value(pStmt, i, v);
}

static void bind_statement(StewardCall *c, RowsetCursor *pCur,
                           const char *zPlan, sqlite3_value **argv) {
  const StewardVtab *pTab = (StewardVtab *)pCur->base.pVtab;
  int i, rc = SQLITE_OK, iParam = pTab->pTable->nArg;
  for (i = 0; i < pTab->pTable->nArg && rc == SQLITE_OK; i++) {
    if (pCur->apArg[i]) {
      rc = sqlite3_bind_value(pCur->pStmt, i + 1, pCur->apArg[i]);
    }
  }
  for (; zPlan && *zPlan && rc == SQLITE_OK; zPlan = strchr(zPlan, ' ') + 1) {
    if (*zPlan == 'o' || *zPlan == 'O') break;
    if (*zPlan != 'A') {
      const char *zType = pTab->azType[atoi(zPlan + 1)];
      rc = bind_as(pCur->pStmt, ++iParam, *argv, zType);
    }
    argv++;
  }
  if (rc) steward_fail_db(c, rc);
}

static void cursor_step(StewardCall *c, RowsetCursor *pCur) {
  pCur->iRow++;
  if (pCur->pStmt) {
    pCur->bEof = !steward_next(c, pCur->pStmt);
  } else if (pCur->rows.pStream) {
    pCur->bEof = c->rc || !pCur->rows.pStream->xNext(c, pCur->rows.pState);
    if (pCur->bEof) cursor_release(pCur);
  } else {
    pCur->bEof = pCur->iRow > pCur->rows.nRow;
  }
}

static int rowsetFilter(sqlite3_vtab_cursor *pBase, int idxNum,
                        const char *zPlan, int argc, sqlite3_value **argv) {
  RowsetCursor *pCur = (RowsetCursor *)pBase;
  StewardVtab *pTab = (StewardVtab *)pBase->pVtab;
  const StewardTable *pTable = pTab->pTable;
  const char *zMissing;
  StewardCall c;
  cursor_reset(pCur);
  steward_open_table(&c, pTab->p, pTable->zName, pTable->zSet, STEWARD_READ);
  if (pTable->bEmpty && !steward_installed(&c, pTable->zSet)) {
    pCur->bEof = 1;
    return steward_close_table(&c, pBase->pVtab);
  }
  zMissing = zPlan ? strchr(zPlan, 'M') : NULL;
  if (zMissing) fail_missing_argument(&c, pTab, atoi(zMissing + 1));
  if (c.rc == SQLITE_OK) take_arguments(&c, pCur, zPlan, argv);
  if (c.rc == SQLITE_OK && pTable->xRows) {
    pTable->xRows(&c, &pCur->rows, pTable->nArg, pCur->apArg);
    pCur->pStmt = pCur->rows.pStmt;
    pCur->rows.pStmt = NULL;
  } else if (c.rc == SQLITE_OK) {
    if (pTable->xCheck) pTable->xCheck(&c, pCur->apArg);
    if (c.rc == SQLITE_OK) {
      pCur->pStmt = steward_prepare_text(&c, rowset_sql(pTab, zPlan));
    }
    if (pCur->pStmt) bind_statement(&c, pCur, zPlan, argv);
  }
  cursor_step(&c, pCur);
  return steward_close_table(&c, pBase->pVtab);
}

static int rowsetNext(sqlite3_vtab_cursor *pBase) {
  StewardVtab *pTab = (StewardVtab *)pBase->pVtab;
  RowsetCursor *pCur = (RowsetCursor *)pBase;
  StewardCall c = {.p = pTab->p, .db = pTab->p->db};
  c.zFunc = pTab->pTable->zName; /* cheaper than steward_open_table() */
  c.zSet = pTab->pTable->zSet;
  cursor_step(&c, pCur);
  return c.rc == SQLITE_OK ? SQLITE_OK : steward_close_table(&c, pBase->pVtab);
}

static int rowsetEof(sqlite3_vtab_cursor *pBase) {
  return ((RowsetCursor *)pBase)->bEof;
}

static int rowsetColumn(sqlite3_vtab_cursor *pBase, sqlite3_context *ctx,
                        int iCol) {
  RowsetCursor *pCur = (RowsetCursor *)pBase;
  const StewardVtab *pTab = (StewardVtab *)pBase->pVtab;
  int iFirst = pTab->nColumn - pTab->pTable->nArg;
  if (iCol >= iFirst) {
    sqlite3_value *v = pCur->apArg ? pCur->apArg[iCol - iFirst] : NULL;
    if (v) sqlite3_result_value(ctx, v);
  } else if (pCur->pStmt) {
    sqlite3_result_value(ctx, sqlite3_column_value(pCur->pStmt, iCol));
  } else if (pCur->rows.pStream) {
    pCur->rows.pStream->xColumn(ctx, pCur->rows.pState, iCol);
  } else {
    i64 iCell = (pCur->iRow - 1) * pCur->rows.nColumn + iCol;
    cell_result(ctx, &pCur->rows.aCell[iCell]);
  }
  return SQLITE_OK;
}

/* FNV-1a, carried on over the type and the bytes of v. */
static sqlite3_uint64 hash_value(sqlite3_uint64 h, sqlite3_value *v) {
  int i, n, eType = sqlite3_value_type(v);
  i64 iValue = eType == SQLITE_INTEGER ? sqlite3_value_int64(v) : 0;
  double rValue = eType == SQLITE_FLOAT ? sqlite3_value_double(v) : 0.0;
  const unsigned char *a = NULL;
  h = (h ^ (unsigned)eType) * 0x100000001b3ULL;
  if (eType == SQLITE_INTEGER) {
    a = (const unsigned char *)&iValue;
  } else if (eType == SQLITE_FLOAT) {
    a = (const unsigned char *)&rValue;
  } else if (eType != SQLITE_NULL) {
    a = sqlite3_value_blob(v);
  }
  n = eType <= SQLITE_FLOAT ? 8 : sqlite3_value_bytes(v);
  for (i = 0; a && i < n; i++) h = (h ^ a[i]) * 0x100000001b3ULL;
  return h;
}

/* SQLite runs `a = 1 OR b = 2` as two scans and drops the rowids that it has
** seen, so a rowid must be the row's own in every scan of a statement: a hash
** of what the row says, as no two rows of a table say the same.  Rows made in C
** keep their number under the same arguments. */
static int rowsetRowid(sqlite3_vtab_cursor *pBase, sqlite3_int64 *piRowid) {
  RowsetCursor *pCur = (RowsetCursor *)pBase;
  const StewardVtab *pTab = (StewardVtab *)pBase->pVtab;
  sqlite3_uint64 h = 0xcbf29ce484222325ULL;
  int i, nArg = pTab->pTable->nArg;
  if (pTab->pTable->zBacking) {
    *piRowid = sqlite3_column_int64(pCur->pStmt, 0);
    return SQLITE_OK;
  }
  for (i = 0; pCur->apArg && i < nArg; i++) {
    if (pCur->apArg[i]) h = hash_value(h + (unsigned)i, pCur->apArg[i]);
  }
  for (i = 0; pCur->pStmt && i < pTab->nColumn - nArg; i++) {
    h = hash_value(h, sqlite3_column_value(pCur->pStmt, i));
  }
  if (pCur->pStmt == NULL) {
    h = nArg ? (h + (sqlite3_uint64)pCur->iRow) : (sqlite3_uint64)pCur->iRow;
  }
  *piRowid = (i64)h;
  return SQLITE_OK;
}

/* A number for the content of a value, carried on from iSeed. */
i64 steward_value_hash(sqlite3_value *v, i64 iSeed) {
  return (i64)hash_value((sqlite3_uint64)iSeed ^ 0xcbf29ce484222325ULL, v);
}

/* Writes: by systable.c, or the insert-only form of a verb. */
static int rowsetUpdate(sqlite3_vtab *pBase, int argc, sqlite3_value **argv,
                        sqlite3_int64 *piRowid) {
  StewardVtab *pTab = (StewardVtab *)pBase;
  const StewardTable *pTable = pTab->pTable;
  StewardCall c;
  if (pTable->zBacking) {
    return steward_systable_update(pBase, argc, argv, piRowid);
  }
  if (argc == 1 || sqlite3_value_type(argv[0]) != SQLITE_NULL) {
    steward_open_table(&c, pTab->p, pTable->zName, NULL, STEWARD_READ);
    steward_fail(&c, STEWARD_UNSUPPORTED, "the table is insert-only");
  } else {
    steward_open_table(&c, pTab->p, pTable->zName, pTable->zSet,
                       STEWARD_WRITE_ONE);
    *piRowid = pTable->xInsert(&c, argc - 2, argv + 2);
  }
  return steward_close_table(&c, pBase);
}

static const sqlite3_module rowsetModule = {
    .iVersion = 0,
    .xConnect = rowsetConnect,
    .xBestIndex = rowsetBestIndex,
    .xDisconnect = rowsetDisconnect,
    .xOpen = rowsetOpen,
    .xClose = rowsetClose,
    .xFilter = rowsetFilter,
    .xNext = rowsetNext,
    .xEof = rowsetEof,
    .xColumn = rowsetColumn,
    .xRowid = rowsetRowid,
};

static const sqlite3_module writableModule = {
    .iVersion = 0,
    .xConnect = rowsetConnect,
    .xBestIndex = rowsetBestIndex,
    .xDisconnect = rowsetDisconnect,
    .xOpen = rowsetOpen,
    .xClose = rowsetClose,
    .xFilter = rowsetFilter,
    .xNext = rowsetNext,
    .xEof = rowsetEof,
    .xColumn = rowsetColumn,
    .xRowid = rowsetRowid,
    .xUpdate = rowsetUpdate,
};

int steward_register_table(Steward *p, const StewardTable *pTable) {
  int bWritable = pTable->zBacking || pTable->xInsert;
  TableAux *pAux = sqlite3_malloc64(sizeof(*pAux));
  if (pAux == NULL) return SQLITE_NOMEM;
  pAux->p = p;
  pAux->pTable = pTable;
  return sqlite3_create_module_v2(p->db, pTable->zName,
                                  bWritable ? &writableModule : &rowsetModule,
                                  pAux, sqlite3_free);
}

int steward_register_tables(Steward *p, const StewardTable *aTable, int n) {
  int i, rc = SQLITE_OK;
  for (i = 0; i < n && rc == SQLITE_OK; i++) {
    rc = steward_register_table(p, &aTable[i]);
  }
  return rc;
}
