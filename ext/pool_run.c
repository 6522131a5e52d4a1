/*
** pool_run.c - one statement or script on a connection of the pool: what it
** may do, its parameters, and its rows as JSON.
**
** What it may do is decided while it is prepared, by an authorizer, and by what
** SQLite says of the prepared statement.  Reading ones also run under
** query_only, for what functions do inside of them; of the library's own, those
** that take SQL, paths or settings are left out there.
*/
#include <stdlib.h>
#include <string.h>

#include "pool_int.h"

/* What an authorizer knows. */
typedef struct Guard {
  PoolConn *pConn;
  int bWrites;
  int bPreparing; /* the caller's own text, not what functions run inside */
  int bPragma;    /* it is a pragma that may be read */
  int bNever;     /* pool_exec() does not take what was denied either */
  char zWhat[80]; /* what was denied */
} Guard;

static int in_list(const char *z, const char *const *az, int n) {
  int i;
  for (i = 0; i < n; i++) {
    if (sqlite3_stricmp(z, az[i]) == 0) return 1;
  }
  return 0;
}

/* Pragmas that only tell something, whatever their argument, or without one. */
static int pragma_reads(const char *zName, const char *zValue) {
  static const char *const azAny[] = {
      "table_info",      "table_xinfo", "table_list",       "index_info",
      "index_list",      "index_xinfo", "foreign_key_list", "foreign_key_check",
      "integrity_check", "quick_check", "database_list",    "collation_list",
      "function_list",   "module_list", "pragma_list",      "compile_options"};
  static const char *const azBare[] = {
      "application_id", "auto_vacuum",    "cache_size",     "data_version",
      "encoding",       "freelist_count", "journal_mode",   "page_count",
      "page_size",      "schema_version", "synchronous",    "user_version",
      "busy_timeout",   "foreign_keys",   "max_page_count", "mmap_size"};
  return in_list(zName, azAny, ArraySize(azAny)) ||
         (zValue == NULL && in_list(zName, azBare, ArraySize(azBare)));
}

/* Is it one of ours that takes SQL, paths or settings, or maintains? */
static int is_direct(Steward *p, const char *zName) {
  const StewardFunc *f;
  int i;
  for (i = 0; (f = steward_function_at(p, i)) != NULL; i++) {
    if (f->eRisk == STEWARD_DIRECTONLY &&
        sqlite3_stricmp(f->zName, zName) == 0) {
      return 1;
    }
  }
  return 0;
}

static int deny(Guard *pGuard, const char *zKind, const char *zName) {
  sqlite3_snprintf((int)sizeof(pGuard->zWhat), pGuard->zWhat, "%s%s%s", zKind,
                   zName ? " " : "", zName ? zName : "");
  return SQLITE_DENY;
}

/* Functions that open files of their own choice. */
static int opens_files(const char *zName) {
  static const char *const azName[] = {"vacuum_into", "load_extension"};
  return in_list(zName, azName, ArraySize(azName));
}

/* What nothing in a pool may do. */
static int never(Guard *g, const char *zKind, const char *zName) {
  g->bNever = 1;
  return deny(g, zKind, zName);
}

static int may_read(Guard *g, int eAction, const char *zA, const char *zB) {
  switch (eAction) {
  case SQLITE_FUNCTION:
    if (zB && (opens_files(zB) || sqlite3_strnicmp(zB, "pool_", 5) == 0)) {
      return never(g, "the function", zB);
    }
    return zB && is_direct(g->pConn->p, zB) ? deny(g, "the function", zB)
                                            : SQLITE_OK;
  case SQLITE_PRAGMA:
    if (zA == NULL || !pragma_reads(zA, zB)) return deny(g, "the pragma", zA);
    g->bPragma = 1;
    return SQLITE_OK;
  case SQLITE_ATTACH:
  case SQLITE_DETACH: return never(g, "ATTACH and DETACH", NULL);
  case SQLITE_TRANSACTION:
  case SQLITE_SAVEPOINT: return never(g, "a transaction of its own", NULL);
  default: return SQLITE_OK; /* modules "create" their tables; see below */
  }
}

static int may_write(Guard *g, int eAction, const char *zA, const char *zB) {
  switch (eAction) {
  case SQLITE_ATTACH:
    /* VACUUM attaches '', VACUUM INTO its target; a name that is made by an
    ** expression is not told */
    return g->bPreparing || zA == NULL || zA[0]
               ? deny(g, "ATTACH and VACUUM INTO", NULL)
               : SQLITE_OK;
  case SQLITE_TRANSACTION:
  case SQLITE_SAVEPOINT: /* functions make their own inside */
    return g->bPreparing ? deny(g, "a transaction of its own", NULL)
                         : SQLITE_OK;
  case SQLITE_FUNCTION:
    if (zB && opens_files(zB)) return deny(g, "the function", zB);
    if (zB && is_direct(g->pConn->p, zB)) g->pConn->bAltered = 1;
    return SQLITE_OK;
  case SQLITE_PRAGMA:
    if (g->bPreparing && zB) g->pConn->bAltered = 1;
    return SQLITE_OK;
  case SQLITE_CREATE_TEMP_INDEX:
  case SQLITE_CREATE_TEMP_TABLE:
  case SQLITE_CREATE_TEMP_TRIGGER:
  case SQLITE_CREATE_TEMP_VIEW:
    if (g->bPreparing) g->pConn->bAltered = 1;
    return SQLITE_OK;
  default: return SQLITE_OK;
  }
}

static int authorize(void *pGuard, int eAction, const char *zA, const char *zB,
                     const char *zSchema, const char *zTrigger) {
  Guard *g = pGuard;
  return g->bWrites ? may_write(g, eAction, zA, zB)
                    : may_read(g, eAction, zA, zB);
}

/* What the authorizer said, instead of "not authorized". */
static void explain_denied(StewardCall *w, const Guard *pGuard) {
  if (w->rc == SQLITE_OK || pGuard->zWhat[0] == 0) return;
  sqlite3_free(w->zErr);
  w->zErr = NULL;
  w->rc = SQLITE_OK;
  if (pGuard->bWrites || pGuard->bNever) {
    steward_fail(w, STEWARD_UNSUPPORTED,
                 "%s cannot be part of what runs in a pool: leave it out",
                 pGuard->zWhat);
  } else {
    steward_fail(w, STEWARD_READ_ONLY,
                 "it only reads, which leaves out %s: use pool_exec(), or "
                 "allow it by pool_configure(.., '{\"writes\":true}')",
                 pGuard->zWhat);
  }
}

/* The call that runs on a connection of the pool, in the name of zFunc. */
static StewardCall call_on(PoolConn *pConn, const char *zFunc) {
  StewardCall w = {.p = pConn->p, .db = pConn->db, .zFunc = zFunc};
  return w;
}

/* Switch query_only, which ends every prepared statement, only where it is
** not as wanted. */
void pool_set_read_only(StewardCall *w, PoolConn *pConn, int bReadOnly) {
  if (pConn->bReadOnly == bReadOnly) return;
  steward_exec(w, "PRAGMA query_only = %d", bReadOnly);
  if (w->rc) pConn->bAltered = 1;
  pConn->bReadOnly = bReadOnly;
}

static void guard_begin(StewardCall *w, Guard *pGuard, PoolConn *pConn,
                        const PoolRun *pRun) {
  memset(pGuard, 0, sizeof(*pGuard));
  pGuard->pConn = pConn;
  pGuard->bWrites = pRun->bWrites;
  pool_set_read_only(w, pConn, !pRun->bWrites);
  sqlite3_set_authorizer(pConn->db, authorize, pGuard);
  if (pRun->xStop) {
    sqlite3_progress_handler(pConn->db, 10000, pRun->xStop, pRun->pStop);
  }
}

static void guard_end(StewardCall *w, Guard *pGuard) {
  sqlite3_set_authorizer(w->db, NULL, NULL);
  sqlite3_progress_handler(w->db, 0, NULL, NULL);
  explain_denied(w, pGuard);
}

/* Beyond white space, comments and semicolons. */
static const char *skip_blank(const char *z) {
  for (;;) {
    while (z[0] && strchr(" \t\r\n\f;", z[0])) z++;
    if (z[0] == '-' && z[1] == '-') {
      while (z[0] && z[0] != '\n') z++;
    } else if (z[0] == '/' && z[1] == '*') {
      const char *zEnd = strstr(z + 2, "*/");
      z = zEnd ? zEnd + 2 : z + strlen(z);
    } else {
      return z;
    }
  }
}

/* Fail with what the engine says; what a verb of ours refused inside of the
** statement begins with its code, and is passed on as it is. */
static void fail_statement(StewardCall *w, int rc) {
  const char *zMsg = sqlite3_errmsg(w->db);
  const StewardErrorInfo *pInfo;
  int i;
  for (i = 0; (pInfo = steward_error_info(i)) != NULL; i++) {
    size_t n = strlen(pInfo->zCode);
    if (strncmp(zMsg, pInfo->zCode, n) || strncmp(zMsg + n, ": ", 2)) continue;
    w->zErr = steward_mprintf(w, "%s", zMsg);
    if (w->zErr) w->rc = rc;
    return;
  }
  steward_fail_db(w, rc);
}

/* 1 when there is a row of the caller's statement. */
static int next_row(StewardCall *w, sqlite3_stmt *pStmt) {
  int rc;
  if (w->rc || pStmt == NULL) return 0;
  rc = sqlite3_step(pStmt);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) fail_statement(w, rc);
  return rc == SQLITE_ROW;
}

/* Prepare the caller's text up to *pzTail. */
static sqlite3_stmt *prepare(StewardCall *w, Guard *pGuard, const char *zSql,
                             const char **pzTail /* OUT */) {
  sqlite3_stmt *pStmt = NULL;
  int rc;
  *pzTail = "";
  if (w->rc) return NULL;
  pGuard->bPreparing = 1;
  rc = sqlite3_prepare_v2(w->db, zSql, -1, &pStmt, pzTail);
  pGuard->bPreparing = 0;
  if (rc) fail_statement(w, rc);
  if (rc == SQLITE_OK && !pGuard->bWrites && !pGuard->bPragma &&
      !sqlite3_stmt_readonly(pStmt) && !sqlite3_stmt_isexplain(pStmt)) {
    deny(pGuard, "writing", NULL);
    steward_fail_rc(w, SQLITE_AUTH, "writing"); /* explain_denied() does */
  }
  return pStmt;
}

/*************************************************************************
** Parameters
*/

/* Which parameter an entry is for: a place from 0, or a name without its first
** letter.  0: none. */
static int parameter_index(sqlite3_stmt *pStmt, sqlite3_value *pKey) {
  const char *zKey = (const char *)sqlite3_value_text(pKey);
  int i, n = sqlite3_bind_parameter_count(pStmt);
  if (sqlite3_value_type(pKey) == SQLITE_INTEGER) {
    i64 iKey = sqlite3_value_int64(pKey);
    return iKey < n ? (int)iKey + 1 : 0;
  }
  for (i = 1; i <= n && zKey; i++) {
    const char *zName = sqlite3_bind_parameter_name(pStmt, i);
    if (zName && strcmp(zName + 1, zKey) == 0) return i;
  }
  return 0;
}

/* Bind one entry of the JSON. */
static void bind_one(StewardCall *w, sqlite3_stmt *pStmt, int i,
                     sqlite3_stmt *pRow) {
  int bJson = sqlite3_column_type(pRow, 3) != SQLITE_NULL;
  const char *zJson = bJson ? steward_column(w, pRow, 3) : NULL;
  unsigned char *aBlob = NULL;
  int nBlob = 0, rc;
  if (w->rc) return;
  if (zJson &&
      steward_json_blob(w, zJson, (int)strlen(zJson), &aBlob, &nBlob)) {
    rc = sqlite3_bind_blob(pStmt, i, aBlob, nBlob, SQLITE_TRANSIENT);
  } else {
    rc =
        sqlite3_bind_value(pStmt, i, sqlite3_column_value(pRow, zJson ? 3 : 2));
  }
  sqlite3_free(aBlob);
  if (w->rc == SQLITE_OK && rc) steward_fail_db(w, rc);
}

static void fail_parameter(StewardCall *w, sqlite3_value *pKey) {
  int bPlace = sqlite3_value_type(pKey) == SQLITE_INTEGER;
  const char *zKey = (const char *)sqlite3_value_text(pKey);
  if (zKey == NULL) {
    steward_fail_nomem(w);
  } else {
    steward_fail(w, STEWARD_INVALID_ARGUMENT,
                 "params have an entry %s, and the statement no parameter for "
                 "it: name it there%s",
                 zKey, bPlace ? " (the first is 0)" : "");
  }
}

/* Bind all, each once. */
static void bind_params(StewardCall *w, sqlite3_stmt *pStmt,
                        const char *zParams) {
  int nBound = 0, nWanted = pStmt ? sqlite3_bind_parameter_count(pStmt) : 0;
  unsigned char *aBound;
  sqlite3_stmt *pRow;
  if (w->rc || (zParams == NULL && nWanted == 0)) return;
  aBound = sqlite3_malloc64((sqlite3_uint64)nWanted + 1);
  if (aBound == NULL) {
    steward_fail_nomem(w);
    return;
  }
  memset(aBound, 0, (size_t)nWanted + 1);
  pRow = steward_query(w, SQL_pool_params, "t", zParams ? zParams : "[]");
  while (steward_next(w, pRow)) {
    sqlite3_value *pKey = sqlite3_column_value(pRow, 0);
    int i = parameter_index(pStmt, pKey);
    if (i == 0) {
      fail_parameter(w, pKey);
    } else {
      bind_one(w, pStmt, i, pRow);
      nBound += !aBound[i];
      aBound[i] = 1;
    }
  }
  steward_give(w, SQL_pool_params, pRow);
  sqlite3_free(aBound);
  if (w->rc == SQLITE_OK && nBound < nWanted) {
    steward_fail(w, STEWARD_INVALID_ARGUMENT,
                 "the statement has %d parameters, and params %d entries for "
                 "them: give one for each, null among them",
                 nWanted, nBound);
  }
}

/*************************************************************************
** Rows
*/

/* Names of columns are keys of an object: each may be there once. */
static void check_columns(StewardCall *w, sqlite3_stmt *pStmt) {
  int i, k, n = pStmt ? sqlite3_column_count(pStmt) : 0;
  if (w->rc) return;
  if (n == 0) {
    steward_fail(w, STEWARD_INVALID_ARGUMENT,
                 "the statement has no rows to give: use pool_exec()");
  }
  for (i = 0; i < n && w->rc == SQLITE_OK; i++) {
    const char *z = sqlite3_column_name(pStmt, i);
    if (z == NULL) steward_fail_nomem(w);
    for (k = 0; k < i && w->rc == SQLITE_OK; k++) {
      if (strcmp(z, sqlite3_column_name(pStmt, k))) continue;
      steward_fail(w, STEWARD_INVALID_ARGUMENT,
                   "two columns are called '%s': give one another name by AS",
                   z);
    }
  }
}

/* Has the result, with nMore bytes to come, become too large? */
static int too_large(StewardCall *w, sqlite3_str *pOut, i64 nMore, i64 nMost) {
  if (w->rc == SQLITE_OK && sqlite3_str_length(pOut) + nMore >= nMost) {
    steward_fail(w, STEWARD_LIMIT_EXCEEDED,
                 "the result is larger than %lld bytes, setting "
                 "pool_max_bytes: ask for less, by LIMIT or fewer columns",
                 nMost);
  }
  return w->rc != SQLITE_OK;
}

/* A value is looked at before it is written: its JSON is no shorter. */
static void append_row(StewardCall *w, sqlite3_str *pOut, sqlite3_stmt *pStmt,
                       i64 nMost) {
  int i, n = sqlite3_column_count(pStmt);
  for (i = 0; i < n; i++) {
    const char *z = sqlite3_column_name(pStmt, i);
    int eType = sqlite3_column_type(pStmt, i);
    if ((eType == SQLITE_TEXT || eType == SQLITE_BLOB) &&
        too_large(w, pOut, sqlite3_column_bytes(pStmt, i), nMost)) {
      return;
    }
    sqlite3_str_appendchar(pOut, 1, i ? ',' : '{');
    steward_json_string(pOut, z, (int)strlen(z));
    sqlite3_str_appendchar(pOut, 1, ':');
    steward_json_value(w, pOut, sqlite3_column_value(pStmt, i));
  }
  sqlite3_str_appendchar(pOut, 1, '}');
}

/* The rows as a JSON array, of a bounded size. */
static char *rows_json(StewardCall *w, sqlite3_stmt *pStmt, i64 nMost) {
  sqlite3_str *pOut = sqlite3_str_new(w->db);
  int n = 0;
  sqlite3_str_appendchar(pOut, 1, '[');
  while (next_row(w, pStmt)) {
    if (n++) sqlite3_str_appendchar(pOut, 1, ',');
    append_row(w, pOut, pStmt, nMost);
    too_large(w, pOut, 0, nMost);
  }
  sqlite3_str_appendchar(pOut, 1, ']');
  return steward_str_finish(w, pOut);
}

/*************************************************************************
** Running
*/

/* Hand what happened on the connection over to the caller's call. */
static void hand_over(StewardCall *c, StewardCall *w) {
  if (c->rc == SQLITE_OK) {
    c->rc = w->rc;
    c->zErr = w->zErr;
  } else {
    sqlite3_free(w->zErr);
  }
}

/* Run one statement; its rows as JSON, which the caller frees. */
char *pool_run_query(StewardCall *c, PoolConn *pConn, const PoolRun *pRun) {
  StewardCall w = call_on(pConn, c->zFunc);
  Guard guard;
  const char *zTail;
  char *zRows = NULL;
  sqlite3_stmt *pStmt;
  int bOwn = 0;
  guard_begin(&w, &guard, pConn, pRun);
  pStmt = prepare(&w, &guard, pRun->zSql, &zTail);
  if (w.rc == SQLITE_OK && skip_blank(zTail)[0]) {
    steward_fail(&w, STEWARD_INVALID_ARGUMENT,
                 "it takes one statement, and behind it comes '%.20s': use "
                 "pool_exec() for several",
                 skip_blank(zTail));
  }
  check_columns(&w, pStmt);
  bind_params(&w, pStmt, pRun->zParams);
  if (w.rc == SQLITE_OK && pRun->bWrites && !sqlite3_stmt_readonly(pStmt)) {
    bOwn = steward_run(&w, SQL_begin, "") == SQLITE_OK;
  }
  if (w.rc == SQLITE_OK) zRows = rows_json(&w, pStmt, pRun->nMost);
  sqlite3_finalize(pStmt);
  if (bOwn)
    steward_run(&w, SQL_commit, ""); /* a failure is rolled back when
                                             ** the connection goes back */
  guard_end(&w, &guard);
  hand_over(c, &w);
  if (c->rc) {
    sqlite3_free(zRows);
    zRows = NULL;
  }
  return zRows;
}

static void step_all(StewardCall *w, sqlite3_stmt *pStmt) {
  while (next_row(w, pStmt)) {
  }
}

/* Run a script, all or nothing; rows that it changed.  A statement that is
** alone runs by itself: some refuse a transaction. */
i64 pool_run_script(StewardCall *c, PoolConn *pConn, const PoolRun *pRun) {
  StewardCall w = call_on(pConn, c->zFunc);
  Guard guard;
  const char *zTail, *zSql = skip_blank(pRun->zSql);
  i64 nBefore = sqlite3_total_changes64(pConn->db);
  sqlite3_stmt *pStmt;
  int bOwn = 0;
  guard_begin(&w, &guard, pConn, pRun);
  pStmt = prepare(&w, &guard, zSql, &zTail);
  zTail = skip_blank(zTail);
  if (w.rc == SQLITE_OK && zTail[0]) {
    bOwn = steward_run(&w, SQL_begin, "") == SQLITE_OK;
  }
  step_all(&w, pStmt);
  sqlite3_finalize(pStmt);
  while (w.rc == SQLITE_OK && zTail[0]) {
    pStmt = prepare(&w, &guard, zTail, &zTail);
    step_all(&w, pStmt);
    sqlite3_finalize(pStmt);
    zTail = skip_blank(zTail);
  }
  if (bOwn) steward_run(&w, SQL_commit, "");
  guard_end(&w, &guard);
  hand_over(c, &w);
  return sqlite3_total_changes64(pConn->db) - nBefore;
}
