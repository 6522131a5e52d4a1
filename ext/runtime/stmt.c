/*
** stmt.c - the statement cache and the table that owns it.
**
** A statement that an SQL function keeps makes sqlite3_close() fail: virtual
** tables are disconnected before the check for unfinalized statements,
** function destructors run after it.  So the cache belongs to an eponymous
** table, steward_statements, whose xDisconnect finalizes it.  The table is
** connected before the first statement is cached; when that is impossible (an
** application owns a table of its name) nothing is cached.
**
** A cached statement that is running already (a trigger calls the function
** again, several topics are merged) is not shared: the next caller gets another
** one, which is kept as a spare when it comes back.  One that still runs when
** the owner goes (a cursor of the host reads from it) is left to who took it.
**
** Only the code in this file writes aStmt, aSpare, aRuns and pOwner.
*/
#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "steward_int.h"

/*************************************************************************
** The owner table
*/
typedef struct OwnerTable {
  sqlite3_vtab base; /* must be first */
  Steward *p;
} OwnerTable;

typedef struct OwnerCursor {
  sqlite3_vtab_cursor base; /* must be first */
  int i;                    /* index in steward_sql */
} OwnerCursor;

/* steward_statements(name TEXT, set_name TEXT, hot INTEGER, source TEXT,
**   state TEXT, runs INTEGER, sql TEXT)     table
** Every statement that the library runs: hot = 1 when a test pins its plan,
** state `cached` when this connection holds it prepared (else `idle`), runs
** how often this connection has used it.
** Example: SELECT hot, source GLOB 'sql/log.sql:*' FROM steward_statements
**   WHERE name='log_append'; -- 1|1
*/
static int ownerConnect(sqlite3 *db, void *pAux, int argc,
                        const char *const *argv, sqlite3_vtab **ppVtab,
                        char **pzErr) {
  OwnerTable *pNew;
  int rc = sqlite3_declare_vtab(
      db, "CREATE TABLE x(name TEXT, set_name TEXT, hot INTEGER,"
          " source TEXT, state TEXT, runs INTEGER, sql TEXT)");
  if (rc) return rc;
  sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
  pNew = sqlite3_malloc64(sizeof(*pNew));
  if (pNew == NULL) return SQLITE_NOMEM;
  memset(pNew, 0, sizeof(*pNew));
  pNew->p = pAux;
  pNew->p->pOwner = pNew;
  *ppVtab = &pNew->base;
  return SQLITE_OK;
}

/* After a close that failed, a statement of the host may keep an old instance
** alive beside a new one: only the current one owns the cache. */
static int ownerDisconnect(sqlite3_vtab *pVtab) {
  OwnerTable *pTab = (OwnerTable *)pVtab;
  Steward *p = pTab->p;
  int i;
  if (p->pOwner == pTab) {
    for (i = 0; i < SQL_COUNT; i++) {
      if (!sqlite3_stmt_busy(p->aStmt[i])) sqlite3_finalize(p->aStmt[i]);
      p->aStmt[i] = NULL;
    }
    for (i = 0; i < ArraySize(p->aSpare); i++) {
      sqlite3_finalize(p->aSpare[i].pStmt);
      p->aSpare[i].pStmt = NULL;
    }
    steward_forms_free(p);
    p->pOwner = NULL;
  }
  sqlite3_free(pTab);
  return SQLITE_OK;
}

static int ownerBestIndex(sqlite3_vtab *pVtab, sqlite3_index_info *pInfo) {
  pInfo->estimatedCost = SQL_COUNT;
  pInfo->estimatedRows = SQL_COUNT;
  return SQLITE_OK;
}

static int ownerOpen(sqlite3_vtab *pVtab, sqlite3_vtab_cursor **ppCursor) {
  OwnerCursor *pCur = sqlite3_malloc64(sizeof(*pCur));
  if (pCur == NULL) return SQLITE_NOMEM;
  memset(pCur, 0, sizeof(*pCur));
  *ppCursor = &pCur->base;
  return SQLITE_OK;
}

static int ownerClose(sqlite3_vtab_cursor *pCursor) {
  sqlite3_free(pCursor);
  return SQLITE_OK;
}

static int ownerFilter(sqlite3_vtab_cursor *pCursor, int idxNum,
                       const char *idxStr, int argc, sqlite3_value **argv) {
  ((OwnerCursor *)pCursor)->i = 0;
  return SQLITE_OK;
}

static int ownerNext(sqlite3_vtab_cursor *pCursor) {
  ((OwnerCursor *)pCursor)->i++;
  return SQLITE_OK;
}

static int ownerEof(sqlite3_vtab_cursor *pCursor) {
  return ((OwnerCursor *)pCursor)->i >= SQL_COUNT;
}

static int ownerColumn(sqlite3_vtab_cursor *pCursor, sqlite3_context *ctx,
                       int iCol) {
  int i = ((OwnerCursor *)pCursor)->i;
  const StewardSql *pSql = &steward_sql[i];
  Steward *p = ((OwnerTable *)pCursor->pVtab)->p;
  const char *azText[] = {pSql->zName,
                          pSql->zSet,
                          NULL,
                          pSql->zSource,
                          p->aStmt[i] ? "cached" : "idle",
                          NULL,
                          pSql->zSql};
  if (iCol == 2) {
    sqlite3_result_int(ctx, pSql->bHot);
  } else if (iCol == 5) {
    sqlite3_result_int64(ctx, p->aRuns[i]);
  } else {
    sqlite3_result_text(ctx, azText[iCol], -1, SQLITE_STATIC);
  }
  return SQLITE_OK;
}

static int ownerRowid(sqlite3_vtab_cursor *pCursor, sqlite3_int64 *piRowid) {
  *piRowid = ((OwnerCursor *)pCursor)->i + 1;
  return SQLITE_OK;
}

static const sqlite3_module ownerModule = {
    .iVersion = 0,
    .xConnect = ownerConnect,
    .xBestIndex = ownerBestIndex,
    .xDisconnect = ownerDisconnect,
    .xOpen = ownerOpen,
    .xClose = ownerClose,
    .xFilter = ownerFilter,
    .xNext = ownerNext,
    .xEof = ownerEof,
    .xColumn = ownerColumn,
    .xRowid = ownerRowid,
};

/* The module owns the context from here on, also when registering fails. */
int steward_statements_register(Steward *p) {
  return sqlite3_create_module_v2(p->db, "steward_statements", &ownerModule, p,
                                  steward_free);
}

/* Make sure that the owner is connected; 0 when it cannot be. */
int steward_owner_ready(Steward *p) {
  sqlite3_stmt *pStmt = NULL;
  if (p->pOwner) return 1;
  sqlite3_prepare_v2(p->db, "SELECT 1 FROM main.steward_statements", -1, &pStmt,
                     NULL);
  sqlite3_finalize(pStmt);
  return p->pOwner != NULL;
}

/*************************************************************************
** Named statements
*/

static sqlite3_stmt *take_spare(Steward *p, enum StewardSqlId id) {
  int i;
  for (i = 0; i < ArraySize(p->aSpare); i++) {
    sqlite3_stmt *pStmt = p->aSpare[i].pStmt;
    if (pStmt && p->aSpare[i].id == id) {
      p->aSpare[i].pStmt = NULL;
      return pStmt;
    }
  }
  return NULL;
}

/* Keep it in place of the spare that was kept longest ago. */
static void give_spare(Steward *p, enum StewardSqlId id, sqlite3_stmt *pStmt) {
  int i = (int)(p->nSpare % ArraySize(p->aSpare));
  if (p->pOwner == NULL) {
    sqlite3_finalize(pStmt);
    return;
  }
  p->nSpare++;
  sqlite3_reset(pStmt);
  sqlite3_clear_bindings(pStmt);
  sqlite3_finalize(p->aSpare[i].pStmt);
  p->aSpare[i].pStmt = pStmt;
  p->aSpare[i].id = id;
}

/* A prepared statement for id, cached when possible; NULL when the call has
** failed.  Give it back with steward_give(). */
sqlite3_stmt *steward_take(StewardCall *c, enum StewardSqlId id) {
  Steward *p = c->p;
  sqlite3_stmt *pStmt = p->aStmt[id];
  int bCache, rc;
  if (c->rc) return NULL;
  p->aRuns[id]++;
  if (pStmt && !sqlite3_stmt_busy(pStmt)) return pStmt;
  if (pStmt && (pStmt = take_spare(p, id)) != NULL) return pStmt;
  bCache = pStmt == NULL && steward_owner_ready(p);
  rc = sqlite3_prepare_v3(p->db, steward_sql[id].zSql, -1,
                          bCache ? SQLITE_PREPARE_PERSISTENT : 0, &pStmt, NULL);
  if (rc) {
    steward_fail_db(c, rc);
    return NULL;
  }
  if (bCache) p->aStmt[id] = pStmt;
  return pStmt;
}

/* Reset and unbind, or finalize a private one.  NULL is allowed. */
void steward_give(StewardCall *c, enum StewardSqlId id, sqlite3_stmt *pStmt) {
  if (pStmt == NULL) return;
  if (pStmt == c->p->aStmt[id]) {
    sqlite3_reset(pStmt);
    sqlite3_clear_bindings(pStmt);
  } else {
    give_spare(c->p, id, pStmt);
  }
}

/* Bind one argument per letter of zFmt; see steward_int.h. */
static int bind_list(sqlite3_stmt *pStmt, const char *zFmt, va_list ap) {
  int i, rc = SQLITE_OK;
  for (i = 1; zFmt[i - 1] && rc == SQLITE_OK; i++) {
    switch (zFmt[i - 1]) {
    case 'i': rc = sqlite3_bind_int(pStmt, i, va_arg(ap, int)); break;
    case 'l': rc = sqlite3_bind_int64(pStmt, i, va_arg(ap, i64)); break;
    case 'd': rc = sqlite3_bind_double(pStmt, i, va_arg(ap, double)); break;
    case 't':
      rc = sqlite3_bind_text(pStmt, i, va_arg(ap, const char *), -1,
                             SQLITE_STATIC);
      break;
    case 'b': {
      const void *a = va_arg(ap, const void *);
      int n = va_arg(ap, int);
      rc = n < 0 ? sqlite3_bind_text(pStmt, i, a, n, SQLITE_STATIC)
                 : sqlite3_bind_blob(pStmt, i, a, n, SQLITE_STATIC);
      break;
    }
    case 'p': rc = steward_keep_bind(pStmt, i, va_arg(ap, i64 *)); break;
    case 'v':
      rc = sqlite3_bind_value(pStmt, i, va_arg(ap, sqlite3_value *));
      break;
    default: assert(zFmt[i - 1] == 'n'); rc = sqlite3_bind_null(pStmt, i);
    }
  }
  return rc;
}

static sqlite3_stmt *take_bound(StewardCall *c, enum StewardSqlId id,
                                const char *zFmt, va_list ap) {
  sqlite3_stmt *pStmt = steward_take(c, id);
  if (pStmt) {
    int rc = bind_list(pStmt, zFmt, ap);
    if (rc) {
      steward_fail_db(c, rc);
      steward_give(c, id, pStmt);
      pStmt = NULL;
    }
  }
  return pStmt;
}

/* Bind a value, which needs memory for a text or a BLOB. */
void steward_bind_value(StewardCall *c, sqlite3_stmt *pStmt, int i,
                        sqlite3_value *v) {
  int rc;
  if (c->rc || pStmt == NULL) return;
  rc = sqlite3_bind_value(pStmt, i, v);
  if (rc) steward_fail_db(c, rc);
}

/* Take and bind, for a loop over steward_next(). */
sqlite3_stmt *steward_query(StewardCall *c, enum StewardSqlId id,
                            const char *zFmt, ...) {
  va_list ap;
  sqlite3_stmt *pStmt;
  va_start(ap, zFmt);
  pStmt = take_bound(c, id, zFmt, ap);
  va_end(ap);
  return pStmt;
}

/* 1 when there is a row; 0 at the end and after a failure. */
int steward_next(StewardCall *c, sqlite3_stmt *pStmt) {
  int rc;
  if (c->rc || pStmt == NULL) return 0;
  rc = sqlite3_step(pStmt);
  if (rc == SQLITE_ROW) return 1;
  if (rc != SQLITE_DONE) steward_fail_db(c, rc);
  return 0;
}

/* Run to the end; the result code. */
int steward_run(StewardCall *c, enum StewardSqlId id, const char *zFmt, ...) {
  va_list ap;
  sqlite3_stmt *pStmt;
  va_start(ap, zFmt);
  pStmt = take_bound(c, id, zFmt, ap);
  va_end(ap);
  while (steward_next(c, pStmt)) {
  }
  steward_give(c, id, pStmt);
  return c->rc;
}

/* The first column of the first row as an integer; iDefault when there is no
** row or it is NULL. */
i64 steward_int(StewardCall *c, enum StewardSqlId id, i64 iDefault,
                const char *zFmt, ...) {
  va_list ap;
  sqlite3_stmt *pStmt;
  i64 iResult = iDefault;
  va_start(ap, zFmt);
  pStmt = take_bound(c, id, zFmt, ap);
  va_end(ap);
  if (steward_next(c, pStmt) && sqlite3_column_type(pStmt, 0) != SQLITE_NULL) {
    iResult = sqlite3_column_int64(pStmt, 0);
  }
  while (steward_next(c, pStmt)) {
  }
  steward_give(c, id, pStmt);
  return iResult;
}

/* The text of a column that is never NULL.  When there was no memory for it
** (JSON functions then give NULL) the call fails, and the text is "". */
const char *steward_column(StewardCall *c, sqlite3_stmt *pStmt, int iCol) {
  const char *z = (const char *)sqlite3_column_text(pStmt, iCol);
  if (z == NULL) steward_fail_nomem(c);
  return z ? z : "";
}

/* A copy of column 0 of pStmt's row, NULL for NULL; caller frees. */
static char *column_copy(StewardCall *c, sqlite3_stmt *pStmt) {
  const char *z;
  if (sqlite3_column_type(pStmt, 0) == SQLITE_NULL) return NULL;
  z = (const char *)sqlite3_column_text(pStmt, 0);
  if (z == NULL) {
    steward_fail_nomem(c);
    return NULL;
  }
  return steward_mprintf(c, "%s", z);
}

/* The first column of the first row as text; NULL when there is no row or it
** is NULL.  Caller frees with sqlite3_free. */
char *steward_text(StewardCall *c, enum StewardSqlId id, const char *zFmt,
                   ...) {
  va_list ap;
  sqlite3_stmt *pStmt;
  char *zResult = NULL;
  va_start(ap, zFmt);
  pStmt = take_bound(c, id, zFmt, ap);
  va_end(ap);
  if (steward_next(c, pStmt)) zResult = column_copy(c, pStmt);
  while (steward_next(c, pStmt)) {
  }
  steward_give(c, id, pStmt);
  return zResult;
}

/*************************************************************************
** Statements with identifiers in them
*/

/* Prepare zSql, which is freed; finalize the result yourself. */
sqlite3_stmt *steward_prepare_text(StewardCall *c, char *zSql) {
  sqlite3_stmt *pStmt = NULL;
  if (c->rc == SQLITE_OK && zSql == NULL) steward_fail_nomem(c);
  if (c->rc == SQLITE_OK) {
    int rc = sqlite3_prepare_v2(c->db, zSql, -1, &pStmt, NULL);
    if (rc) steward_fail_db(c, rc);
  }
  sqlite3_free(zSql);
  return pStmt;
}

sqlite3_stmt *steward_prepare(StewardCall *c, const char *zFmt, ...) {
  va_list ap;
  char *zSql;
  if (c->rc) return NULL;
  va_start(ap, zFmt);
  zSql = sqlite3_vmprintf(zFmt, ap);
  va_end(ap);
  return steward_prepare_text(c, zSql);
}

/* Prepare, run to the end, finalize; returns the result code. */
int steward_exec(StewardCall *c, const char *zFmt, ...) {
  va_list ap;
  sqlite3_stmt *pStmt;
  if (c->rc) return c->rc;
  va_start(ap, zFmt);
  pStmt = steward_prepare_text(c, sqlite3_vmprintf(zFmt, ap));
  va_end(ap);
  while (steward_next(c, pStmt)) {
  }
  sqlite3_finalize(pStmt);
  return c->rc;
}

/* What a pragma of a database says, an integer. */
i64 steward_pragma(StewardCall *c, const char *zSchema, const char *zPragma) {
  return steward_exec_int(c, 0, "PRAGMA \"%w\".%s", zSchema, zPragma);
}

i64 steward_exec_int(StewardCall *c, i64 iDefault, const char *zFmt, ...) {
  va_list ap;
  sqlite3_stmt *pStmt;
  i64 iResult = iDefault;
  if (c->rc) return iDefault;
  va_start(ap, zFmt);
  pStmt = steward_prepare_text(c, sqlite3_vmprintf(zFmt, ap));
  va_end(ap);
  if (steward_next(c, pStmt) && sqlite3_column_type(pStmt, 0) != SQLITE_NULL) {
    iResult = sqlite3_column_int64(pStmt, 0);
  }
  sqlite3_finalize(pStmt);
  return iResult;
}

char *steward_exec_text(StewardCall *c, const char *zFmt, ...) {
  va_list ap;
  sqlite3_stmt *pStmt;
  char *zResult = NULL;
  if (c->rc) return NULL;
  va_start(ap, zFmt);
  pStmt = steward_prepare_text(c, sqlite3_vmprintf(zFmt, ap));
  va_end(ap);
  if (steward_next(c, pStmt)) zResult = column_copy(c, pStmt);
  sqlite3_finalize(pStmt);
  return zResult;
}

/* Run every statement of a script. */
int steward_script(StewardCall *c, const char *zScript) {
  while (c->rc == SQLITE_OK && zScript && zScript[0]) {
    sqlite3_stmt *pStmt = NULL;
    int rc = sqlite3_prepare_v2(c->db, zScript, -1, &pStmt, &zScript);
    if (rc) steward_fail_db(c, rc);
    while (steward_next(c, pStmt)) {
    }
    sqlite3_finalize(pStmt);
  }
  return c->rc;
}
