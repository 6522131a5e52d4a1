/*
** ttl_step.c - rows that are due and cannot be removed.
**
** A foreign key or a trigger may object to the deletion of a row, a constraint
** of the archive to its copy.  A sweep whose batch fails over that goes on row
** by row, by time and key, each in a savepoint: those that fail stay, and are
** written down by one place, before which whatever should go has been tried
** (steward_policy_options.tried).  The next sweep begins behind it.  With time
** left it tries some of those before it again, others at each call (retried),
** so that a row that can go at last does go, and none of them keeps those
** behind it.
*/
#include <math.h>
#include <string.h>

#include "ttl_int.h"

/* Rows tried again in vain, in one call. */
#define AGAIN 64

/* What a walk runs.  apNext take turns: each is bound from the row of the
** other. */
typedef struct Walk {
  sqlite3_stmt *apNext[2]; /* time and key */
  sqlite3_stmt *pFirst;    /* moves or publishes the row of this key, or NULL */
  sqlite3_stmt *pDelete;
  int nKey;
} Walk;

static void walk_free(Walk *w) {
  sqlite3_finalize(w->apNext[0]);
  sqlite3_finalize(w->apNext[1]);
  sqlite3_finalize(w->pFirst);
  sqlite3_finalize(w->pDelete);
}

static char *copy_column(StewardCall *c, sqlite3_stmt *pStmt, int i) {
  if (sqlite3_column_type(pStmt, i) == SQLITE_NULL) return NULL;
  return steward_mprintf(c, "%s", steward_column(c, pStmt, i));
}

void ttl_step_begin(StewardCall *c, TtlStep *p, const StewardTableInfo *pInfo,
                    sqlite3_stmt *pPolicy, int bStep) {
  memset(p, 0, sizeof(*p));
  p->pInfo = pInfo;
  p->pPolicy = pPolicy;
  if (c->rc || !bStep) return;
  p->zTried = copy_column(c, pPolicy, POLICY_TRIED);
  p->zRetried = copy_column(c, pPolicy, POLICY_RETRIED);
}

static int key_count(const StewardTableInfo *p) {
  int i, n = 0;
  if (!p->bWithoutRowid) return 1;
  for (i = 0; i < p->nCol; i++) n += p->aCol[i].iPk > 0;
  return n;
}

/* The time of the policy's rows, in SQL; caller frees. */
static char *time_sql(StewardCall *c, const TtlStep *p) {
  return ttl_time_sql(c, steward_column(c, p->pPolicy, POLICY_COLUMN),
                      steward_column(c, p->pPolicy, POLICY_UNIT));
}

/* Their time and key; caller frees. */
static char *place_list(StewardCall *c, const TtlStep *p) {
  char *zKey = steward_key_list(c, p->pInfo, "");
  char *zTime = time_sql(c, p);
  char *z = c->rc ? NULL : steward_mprintf(c, "%s, %s", zTime, zKey);
  sqlite3_free(zKey);
  sqlite3_free(zTime);
  return z;
}

/* The length of the time that a place begins with. */
static int time_length(const char *zPlace) {
  int i, bText = 0;
  for (i = 0; zPlace[i] && (bText || zPlace[i] != ','); i++) {
    if (zPlace[i] == '\'') bText = !bText;
  }
  return i;
}

/* " AND <the row has a later time than zTried>", or ""; caller frees. */
char *ttl_step_after(StewardCall *c, const TtlStep *p) {
  char *zTime, *z;
  if (p->zTried == NULL) return steward_mprintf(c, "");
  zTime = time_sql(c, p);
  z = zTime ? steward_mprintf(c, " AND %s > %.*s", zTime,
                              time_length(p->zTried), p->zTried)
            : NULL;
  sqlite3_free(zTime);
  return z;
}

static void list_keys(sqlite3_str *pSql, const char *zOrder, int iFrom, int n) {
  int i;
  for (i = iFrom; i < n; i++) {
    sqlite3_str_appendf(pSql, "%sa%d%s", i > iFrom ? ", " : "", i, zOrder);
  }
}

/* Time and key of the rows of the policy that satisfy zGoes (which may name
** them a0, a1, ..), by these from the iFrom-th on, each zOrder.  Caller frees.
*/
static char *rows_sql(StewardCall *c, const TtlStep *p, const char *zGoes,
                      int iFrom, const char *zOrder) {
  const char *zWhere =
      (const char *)sqlite3_column_text(p->pPolicy, POLICY_WHERE);
  char *zPlace = place_list(c, p);
  sqlite3_str *pSql = sqlite3_str_new(c->db);
  int n = key_count(p->pInfo) + 1;
  if (c->rc == SQLITE_OK) {
    sqlite3_str_appendall(pSql, "WITH r(");
    list_keys(pSql, "", 0, n);
    sqlite3_str_appendf(
        pSql, ") AS (SELECT %s FROM main.\"%w\" WHERE \"%w\" IS NOT NULL",
        zPlace, p->pInfo->zName, steward_column(c, p->pPolicy, POLICY_COLUMN));
    if (zWhere) sqlite3_str_appendf(pSql, " AND (%s\n)", zWhere);
    sqlite3_str_appendall(pSql, ") SELECT ");
    list_keys(pSql, "", 0, n);
    sqlite3_str_appendf(pSql, " FROM r WHERE %s ORDER BY ", zGoes);
    list_keys(pSql, zOrder, iFrom, n);
  }
  sqlite3_free(zPlace);
  return steward_str_finish(c, pSql);
}

/* The condition that a row of rows_sql() is not behind a place; caller frees.
** The bound of the time alone is what the index serves. */
static char *up_to_sql(StewardCall *c, const TtlStep *p, const char *zPlace) {
  sqlite3_str *pSql = sqlite3_str_new(c->db);
  sqlite3_str_appendf(pSql, "(a0 <= %.*s AND (", time_length(zPlace), zPlace);
  list_keys(pSql, "", 0, key_count(p->pInfo) + 1);
  sqlite3_str_appendf(pSql, ") <= (%s))", zPlace);
  return steward_str_finish(c, pSql);
}

/* The condition that a row is beyond max_rows: not behind the newest of those.
** Caller frees. */
static char *excess_sql(StewardCall *c, const TtlStep *p) {
  i64 nKeep = sqlite3_column_int64(p->pPolicy, POLICY_MAX_ROWS);
  int bIso = !strcmp(steward_column(c, p->pPolicy, POLICY_UNIT), "iso");
  char *zRows = NULL;
  char *zLast = NULL, *z = NULL;
  sqlite3_stmt *pLast = NULL;
  if (nKeep >= 0) { /* what is no time is none of them */
    zRows = rows_sql(c, p, bIso ? "a0 > 0" : "a0 < ''", 0, " DESC");
  }
  if (zRows) {
    pLast = steward_prepare(c, "%s LIMIT 1 OFFSET %lld", zRows, nKeep);
    if (steward_next(c, pLast)) {
      zLast = steward_literals(c, pLast, 0, key_count(p->pInfo) + 1);
    }
    sqlite3_finalize(pLast);
  }
  if (c->rc == SQLITE_OK) {
    z = zLast ? up_to_sql(c, p, zLast) : steward_mprintf(c, "0");
  }
  sqlite3_free(zRows);
  sqlite3_free(zLast);
  return z;
}

/* The condition that a row is due. */
static const char *due_sql(const TtlStep *p) {
  return sqlite3_column_int(p->pPolicy, POLICY_BY_TIME) ? "a0 <= ?1" : "0";
}

/* Bind a row's place to pAfter (or NULL), and its key to what removes it. */
static void bind_row(StewardCall *c, Walk *w, sqlite3_stmt *pRow,
                     sqlite3_stmt *pAfter) {
  int i;
  for (i = 0; i <= w->nKey; i++) {
    sqlite3_value *v = sqlite3_column_value(pRow, i);
    steward_bind_value(c, pAfter, i + 2, v);
    if (i) steward_bind_value(c, w->pDelete, i, v);
    if (i) steward_bind_value(c, w->pFirst, i, v);
  }
}

/* "(?<iFrom>, ..)" for a key; caller frees. */
static char *slots(StewardCall *c, int iFrom, int nKey) {
  sqlite3_str *p = sqlite3_str_new(c->db);
  int i;
  for (i = 0; i < nKey; i++) {
    sqlite3_str_appendf(p, "%s?%d", i ? ", " : "(", iFrom + i);
  }
  sqlite3_str_appendall(p, ")");
  return steward_str_finish(c, p);
}

/* The first row that satisfies zGoes behind the time ?2 and the key ?3, ..: of
** the same time, else of a later one (as one condition, the index would serve
** its time only).  Caller frees. */
static char *next_sql(StewardCall *c, const TtlStep *p, const char *zGoes,
                      int nKey) {
  sqlite3_str *pTie = sqlite3_str_new(c->db);
  char *zSlots = slots(c, 3, nKey), *zTie, *zLater, *zSame = NULL,
       *zNext = NULL;
  char *z = NULL;
  sqlite3_str_appendf(pTie, "%s AND a0 = ?2 AND (", zGoes);
  list_keys(pTie, "", 1, nKey + 1);
  sqlite3_str_appendf(pTie, ") > %s", zSlots);
  zTie = steward_str_finish(c, pTie);
  zLater = steward_mprintf(c, "%s AND a0 > ?2", zGoes);
  if (zTie) zSame = rows_sql(c, p, zTie, 1, "");
  if (zLater) zNext = rows_sql(c, p, zLater, 0, "");
  if (c->rc == SQLITE_OK) {
    z = steward_mprintf(c,
                        "SELECT * FROM (%s LIMIT 1) UNION ALL"
                        " SELECT * FROM (%s LIMIT 1) LIMIT 1",
                        zSame, zNext);
  }
  sqlite3_free(zSlots);
  sqlite3_free(zTie);
  sqlite3_free(zLater);
  sqlite3_free(zSame);
  sqlite3_free(zNext);
  return z;
}

/* Bind the place where a walk begins. */
static void bind_start(StewardCall *c, Walk *w, const char *zFrom) {
  sqlite3_stmt *pFrom = zFrom ? steward_prepare(c, "SELECT %s", zFrom) : NULL;
  int i;
  if (steward_next(c, pFrom)) bind_row(c, w, pFrom, w->apNext[0]);
  sqlite3_finalize(pFrom);
  if (c->rc || zFrom) return;
  for (i = 0; i <= w->nKey; i++) {
    sqlite3_bind_double(w->apNext[0], i + 2, -INFINITY);
  }
}

/* Begin a walk over the rows behind zFrom that satisfy zGoes. */
static void walk_begin(StewardCall *c, Walk *w, const TtlStep *p,
                       const char *zFrom, const char *zGoes) {
  char *zKey = steward_key_list(c, p->pInfo, ""), *zSlots, *zNext;
  char *zWhich = NULL;
  int i;
  memset(w, 0, sizeof(*w));
  w->nKey = key_count(p->pInfo);
  zSlots = slots(c, 1, w->nKey);
  zNext = next_sql(c, p, zGoes, w->nKey);
  if (c->rc == SQLITE_OK) {
    zWhich = steward_mprintf(c, "(%s) = %s", zKey, zSlots);
  }
  for (i = 0; i < 2 && zNext; i++) {
    w->apNext[i] = steward_prepare(c, "%s", zNext);
    steward_bind_value(c, w->apNext[i], 1,
                       sqlite3_column_value(p->pPolicy, POLICY_NOW));
  }
  if (zWhich) {
    w->pFirst = ttl_prepare_first(c, p->pInfo, p->pPolicy, zWhich);
    w->pDelete = steward_prepare(c, "DELETE FROM main.\"%w\" WHERE %s",
                                 p->pInfo->zName, zWhich);
  }
  bind_start(c, w, zFrom);
  sqlite3_free(zKey);
  sqlite3_free(zSlots);
  sqlite3_free(zNext);
  sqlite3_free(zWhich);
}

/* Would a COMMIT fail over a foreign key? */
static int deferred(StewardCall *c) {
  int n = 0, nHigh;
  sqlite3_db_status(c->db, SQLITE_DBSTATUS_DEFERRED_FKS, &n, &nHigh, 0);
  return n;
}

/* Before rows are removed: may that leave something behind unless a savepoint
** takes it back?  2: not what a deferred foreign key says, as somebody else has
** broken one in this transaction. */
int ttl_step_guard(StewardCall *c, int bFirst) {
  int bKeys = 0;
  sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &bKeys);
  if (!bKeys && !bFirst) return 0;
  steward_run(c, SQL_ttl_row_savepoint, "");
  return 1 + deferred(c);
}

/* `inner` has removed rows in a savepoint: release it, without them when that
** failed over what the table is or does.  1 then, and inner keeps the reason;
** any other failure becomes c's. */
int ttl_step_fails(StewardCall *c, StewardCall *inner, int bGuard) {
  if (inner->rc == SQLITE_OK && bGuard == 1 && deferred(c)) {
    steward_fail_rc(inner, SQLITE_CONSTRAINT, "FOREIGN KEY constraint failed");
  }
  if (inner->rc && ((inner->rc & 0xff) != SQLITE_CONSTRAINT ||
                    sqlite3_get_autocommit(c->db))) {
    c->rc = inner->rc;
    c->zErr = inner->zErr;
    inner->zErr = NULL;
    return 0;
  }
  if (bGuard && inner->rc) steward_run(c, SQL_ttl_row_undo, "");
  if (bGuard) steward_run(c, SQL_ttl_row_release, "");
  return inner->rc != SQLITE_OK;
}

static i64 run_one(StewardCall *c, sqlite3_stmt *pStmt) {
  if (pStmt == NULL) return 1;
  while (steward_next(c, pStmt)) {
  }
  sqlite3_reset(pStmt);
  return c->rc ? 0 : sqlite3_changes(c->db);
}

/* Remove the row that is bound; 1 when it has gone. */
static int remove_row(StewardCall *c, TtlStep *p, Walk *w, const char *zKey) {
  int bGuard = 1 + deferred(c), bFails;
  StewardCall inner;
  steward_run(c, SQL_ttl_row_savepoint, "");
  if (c->rc) return 0;
  inner = *c;
  run_one(&inner, w->pFirst);
  if (run_one(&inner, w->pDelete) == 0) {
    steward_fail_rc(&inner, SQLITE_CONSTRAINT,
                    "a trigger ignores its deletion");
  }
  bFails = ttl_step_fails(c, &inner, bGuard);
  if (bFails && p->nFailed++ == 0) {
    const char *zTable = p->pInfo->zName;
    p->zErr = steward_mprintf(
        c,
        "%s: row (%s) of table '%s' stays: mend what objects to its deletion, "
        "or SELECT ttl_detach(%Q)",
        inner.zErr, zKey, zTable, zTable);
  }
  sqlite3_free(inner.zErr);
  return c->rc == SQLITE_OK && !bFails;
}

/* Go on row by row from *pzAt, which becomes the place of the last that failed
** (or, with bAll, of the last), until nMaxRows have gone, nMost have failed,
** or the time is up; rows removed.  *pbEnd: there are no more. */
static i64 walk_rows(StewardCall *c, TtlStep *p, const char *zGoes, int bAll,
                     i64 nMaxRows, i64 nMost, Pace *pPace, char **pzAt,
                     int *pbEnd /* OUT */) {
  Walk w;
  i64 nRemoved = 0, nFailed = p->nFailed;
  int i = 0;
  *pbEnd = 0;
  walk_begin(c, &w, p, *pzAt, zGoes);
  while (c->rc == SQLITE_OK && nRemoved < nMaxRows &&
         p->nFailed - nFailed < nMost && (i == 0 || ttl_pace_left(pPace) > 0)) {
    sqlite3_stmt *pRow = w.apNext[i++ & 1];
    char *zPlace, *zKey;
    int bGone;
    if (!steward_next(c, pRow)) {
      *pbEnd = 1;
      break;
    }
    bind_row(c, &w, pRow, w.apNext[i & 1]);
    zPlace = steward_literals(c, pRow, 0, w.nKey + 1);
    zKey = steward_literals(c, pRow, 1, w.nKey);
    sqlite3_reset(pRow);
    bGone = c->rc == SQLITE_OK && remove_row(c, p, &w, zKey);
    nRemoved += bGone;
    pPace->nRow += bGone;
    sqlite3_free(zKey);
    if (bAll || !bGone) {
      sqlite3_free(*pzAt);
      *pzAt = zPlace;
    } else {
      sqlite3_free(zPlace);
    }
  }
  walk_free(&w);
  return nRemoved;
}

/* A batch has failed: go on row by row behind what has been tried.  bDue: what
** is due, else what is too many.  Rows removed. */
i64 ttl_step_on(StewardCall *c, TtlStep *p, int bDue, i64 nMaxRows,
                Pace *pPace) {
  char *zGoes = bDue ? steward_mprintf(c, "%s", due_sql(p)) : excess_sql(c, p);
  int bEnd;
  i64 n = 0;
  if (zGoes) {
    n = walk_rows(c, p, zGoes, 0, nMaxRows, INT64_MAX, pPace, &p->zTried,
                  &bEnd);
  }
  sqlite3_free(zGoes);
  return n;
}

/* Try some of those again that could not be removed, others at each call; when
** none is left, nothing has been tried.  Rows removed. */
i64 ttl_step_again(StewardCall *c, TtlStep *p, i64 nMaxRows, Pace *pPace) {
  int bFromStart = p->zRetried == NULL, bEnd = 0;
  i64 n = 0, nFailed = p->nFailed;
  char *zTried = up_to_sql(c, p, p->zTried), *zExcess = excess_sql(c, p);
  char *zGoes = NULL;
  if (c->rc == SQLITE_OK) {
    zGoes =
        steward_mprintf(c, "%s AND (%s OR %s)", zTried, due_sql(p), zExcess);
  }
  if (zGoes) {
    n = walk_rows(c, p, zGoes, 1, nMaxRows, AGAIN, pPace, &p->zRetried, &bEnd);
  }
  if (bEnd) {
    sqlite3_free(p->zRetried);
    p->zRetried = NULL;
    if (bFromStart && p->nFailed == nFailed) {
      sqlite3_free(p->zTried);
      p->zTried = NULL;
    }
  }
  sqlite3_free(zTried);
  sqlite3_free(zExcess);
  sqlite3_free(zGoes);
  return n;
}

/* Write down where it stands. */
void ttl_step_end(StewardCall *c, TtlStep *p, Pace *pPace) {
  const char *zTable = p->pInfo->zName;
  if (p->zTried) {
    steward_run(c, SQL_ttl_stuck, "ttlltt", zTable, p->zErr, steward_now(c->p),
                p->nFailed, p->zTried, p->zRetried);
  } else {
    steward_run(c, SQL_ttl_succeeded, "t", zTable);
  }
  sqlite3_free(p->zTried);
  sqlite3_free(p->zRetried);
  if (pPace->zStuck == NULL) {
    pPace->zStuck = p->zErr;
  } else {
    sqlite3_free(p->zErr);
  }
  p->zErr = p->zTried = p->zRetried = NULL;
}
