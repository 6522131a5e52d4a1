/*
** ttl_sweep.c - removing what is due: bounded, batch by batch, oldest first.
**
** A batch is what the policy does with rows (moving or publishing them) and one
** DELETE of the same rows; both find them by the policy's index.  One that
** fails over a row is done again row by row (ttl_step.c).  A sweep of all
** tables does each in a savepoint of its own, so that one that cannot be swept
** keeps none of the others.
**
** A call is one transaction, and holds the write lock for no longer than its
** budget: batches begin small and grow to what the time that is left allows, as
** measured, and time is left for the commit, whose cost a row is known from the
** calls before.
*/
#include <string.h>

#include "ttl_int.h"

typedef struct SweepOptions {
  i64 nMaxRows;
  i64 iBudget;
} SweepOptions;

static const StewardOption aSweepOption[] = {
    {"max_rows", STEWARD_OPT_INT, offsetof(SweepOptions, nMaxRows), 1,
     1000000000, NULL, "most rows to remove in one call"},
    {"budget", STEWARD_OPT_DURATION, offsetof(SweepOptions, iBudget), 1,
     3600000, NULL, "how long one call may take before it stops"},
};

/* How rows of a policy are removed.  Rows that are only deleted go by a range
** of times, which costs a quarter less than by a list of keys: up to the time
** of the first row that stays.  Where all of a batch have the same time, that
** is none, and it goes by the list. */
typedef struct Batch {
  sqlite3_stmt *pFirst;  /* moves or publishes them, or NULL */
  sqlite3_stmt *pDelete; /* ?1: now, ?2: how many */
  sqlite3_stmt *pEdge;   /* the time behind ?2 rows that are due, or NULL */
  sqlite3_stmt *pRange;  /* deletes rows before the time ?1 */
  TtlStep *pStep;        /* rows that cannot be removed */
  int bStuck;            /* a batch has failed over one */
} Batch;

static void pace_begin(StewardCall *c, Pace *p, i64 iBudgetMs) {
  p->iStartUs = steward_monotonic_us();
  p->iBudgetUs = iBudgetMs * 1000;
  p->nRow = 0;
  p->rCommit = c->p->rSweepCommit;
  p->bStep = 0;
  p->zStuck = NULL;
}

/* Microseconds that are left; a tenth is kept for what nobody foresees. */
double ttl_pace_left(const Pace *p) {
  return (double)p->iBudgetUs * 0.9 -
         (double)(steward_monotonic_us() - p->iStartUs) -
         (double)p->nRow * p->rCommit;
}

/* Learn what a commit costs.  Some run a checkpoint, too, which blocks nobody:
** these count little. */
static void pace_learn(Steward *p, const Pace *pPace, i64 iCommitUs) {
  double r;
  if (pPace->nRow < 8) return; /* tells nothing */
  r = (double)iCommitUs / (double)pPace->nRow;
  if (p->rSweepCommit <= 0 || r < p->rSweepCommit) {
    p->rSweepCommit = r;
  } else {
    p->rSweepCommit *= r > p->rSweepCommit * 1.1 ? 1.1 : 1;
  }
}

/* The call failed over what the table is or does: say whose, and what can be
** done. */
static void fail_in_table(StewardCall *c, const char *zTable) {
  int eKind = c->rc & 0xff;
  if ((eKind != SQLITE_ERROR && eKind != SQLITE_CONSTRAINT) || !c->zErr) return;
  c->zErr = sqlite3_mprintf(
      "%z: mend table '%s' and attach it anew, or SELECT ttl_detach(%Q)",
      c->zErr, zTable, zTable);
  if (c->zErr == NULL) c->rc = SQLITE_NOMEM;
}

/* The columns of a row that can be written, as a list; caller frees. */
static char *column_list(StewardCall *c, const StewardTableInfo *p) {
  sqlite3_str *pList = sqlite3_str_new(c->db);
  int i, n = 0;
  for (i = 0; i < p->nCol; i++) {
    if (p->aCol[i].bHidden) continue;
    sqlite3_str_appendf(pList, "%s\"%w\"", n++ ? ", " : "", p->aCol[i].zName);
  }
  return steward_str_finish(c, pList);
}

/* A row as JSON, in SQL; caller frees. */
static char *row_json(StewardCall *c, const StewardTableInfo *p) {
  sqlite3_str *pList = sqlite3_str_new(c->db);
  int i;
  sqlite3_str_appendall(pList, "json_object(");
  for (i = 0; i < p->nCol; i++) {
    const char *z = p->aCol[i].zName;
    sqlite3_str_appendf(pList,
                        "%s%Q, CASE WHEN typeof(\"%w\") = 'blob' THEN"
                        " json_object('$blob', lower(hex(\"%w\")))"
                        " WHEN \"%w\" = 9e999 THEN json('9e999')"
                        " WHEN \"%w\" = -9e999 THEN json('-9e999') ELSE \"%w\""
                        " END",
                        i ? ", " : "", z, z, z, z, z, z);
  }
  sqlite3_str_appendall(pList, ")");
  return steward_str_finish(c, pList);
}

/* What happens to rows before they are deleted; NULL for nothing. */
sqlite3_stmt *ttl_prepare_first(StewardCall *c, const StewardTableInfo *p,
                                sqlite3_stmt *pPolicy, const char *zWhich) {
  const char *zAction = steward_column(c, pPolicy, POLICY_ACTION);
  const char *zTarget =
      (const char *)sqlite3_column_text(pPolicy, POLICY_TARGET);
  char *zList;
  sqlite3_stmt *pStmt = NULL;
  if (c->rc || strcmp(zAction, "delete") == 0) return NULL;
  if (strcmp(zAction, "archive") == 0) {
    zList = column_list(c, p);
    if (zList) {
      pStmt = steward_prepare(c,
                              "INSERT INTO main.\"%w\"(%s) SELECT %s FROM"
                              " main.\"%w\" WHERE %s",
                              zTarget, zList, zList, p->zName, zWhich);
    }
  } else {
    zList = row_json(c, p);
    if (zList) {
      pStmt = steward_prepare(c,
                              "INSERT INTO main.steward_log(topic, payload)"
                              " SELECT %Q, %s FROM main.\"%w\" WHERE %s",
                              zTarget, zList, p->zName, zWhich);
    }
  }
  sqlite3_free(zList);
  return pStmt;
}

/* The statements that delete by time. */
static void prepare_range(StewardCall *c, const StewardTableInfo *p,
                          const char *zColumn, const char *zTime,
                          const char *zAnd, Batch *pBatch) {
  pBatch->pEdge = steward_prepare(
      c,
      "SELECT %s FROM main.\"%w\" WHERE \"%w\" IS NOT NULL AND %s <= ?1%s"
      " ORDER BY %s LIMIT 1 OFFSET ?2",
      zTime, p->zName, zColumn, zTime, zAnd, zTime);
  pBatch->pRange = steward_prepare(
      c, "DELETE FROM main.\"%w\" WHERE \"%w\" IS NOT NULL AND %s < ?1%s",
      p->zName, zColumn, zTime, zAnd);
}

/* " AND <what the policy says of rows beyond their time, and that none of them
** has been tried>"; caller frees. */
static char *and_sql(StewardCall *c, sqlite3_stmt *pPolicy,
                     const TtlStep *pStep) {
  const char *zWhere = (const char *)sqlite3_column_text(pPolicy, POLICY_WHERE);
  char *zAfter = ttl_step_after(c, pStep);
  if (zAfter == NULL || zWhere == NULL) return zAfter;
  return steward_mprintf(c, " AND (%s\n)%z", zWhere, zAfter);
}

/* The statements of a batch; bDue: of rows that are due, else of the oldest. */
static void prepare_batch(StewardCall *c, const StewardTableInfo *p,
                          sqlite3_stmt *pPolicy, int bDue, TtlStep *pStep,
                          Batch *pBatch /* OUT */) {
  const char *zColumn = steward_column(c, pPolicy, POLICY_COLUMN);
  const char *zUnit = steward_column(c, pPolicy, POLICY_UNIT);
  char *zKey, *zTime, *zAnd, *zWhen, *zWhich = NULL;
  memset(pBatch, 0, sizeof(*pBatch));
  pBatch->pStep = pStep;
  steward_require_column(c, p, zColumn); /* it may have been renamed */
  if (!steward_int(c, SQL_ttl_intact, 0, "t", p->zName)) {
    steward_fail(c, STEWARD_CONFLICT,
                 "what ttl_attach() made on table '%s' is gone, or on another "
                 "column",
                 p->zName);
  }
  zKey = steward_key_list(c, p, "");
  zTime = ttl_time_sql(c, zColumn, zUnit);
  zAnd = and_sql(c, pPolicy, pStep);
  zWhen = bDue ? steward_mprintf(c, "\"%w\" IS NOT NULL", zColumn)
               : ttl_readable_sql(c, zColumn, zUnit);
  if (c->rc == SQLITE_OK) {
    zWhich = steward_mprintf(
        c,
        "(%s) IN (SELECT %s FROM main.\"%w\" WHERE %s AND (%s%s?1)%s ORDER BY"
        " %s LIMIT ?2)",
        zKey, zKey, p->zName, zWhen, bDue ? zTime : "1 OR ", bDue ? " <= " : "",
        zAnd, zTime);
  }
  if (c->rc == SQLITE_OK) {
    pBatch->pFirst = ttl_prepare_first(c, p, pPolicy, zWhich);
    pBatch->pDelete = steward_prepare(c, "DELETE FROM main.\"%w\" WHERE %s",
                                      p->zName, zWhich);
  }
  if (bDue && c->rc == SQLITE_OK && pBatch->pFirst == NULL) {
    prepare_range(c, p, zColumn, zTime, zAnd, pBatch);
    if (pBatch->pEdge)
      sqlite3_bind_value(pBatch->pEdge, 1,
                         sqlite3_column_value(pPolicy, POLICY_NOW));
  }
  if (pBatch->pFirst) {
    sqlite3_bind_value(pBatch->pFirst, 1,
                       sqlite3_column_value(pPolicy, POLICY_NOW));
  }
  if (pBatch->pDelete) {
    sqlite3_bind_value(pBatch->pDelete, 1,
                       sqlite3_column_value(pPolicy, POLICY_NOW));
  }
  sqlite3_free(zKey);
  sqlite3_free(zTime);
  sqlite3_free(zAnd);
  sqlite3_free(zWhen);
  sqlite3_free(zWhich);
}

static void run_limited(StewardCall *c, sqlite3_stmt *pStmt, i64 nRows) {
  if (pStmt == NULL) return;
  sqlite3_bind_int64(pStmt, 2, nRows);
  while (steward_next(c, pStmt)) {
  }
  sqlite3_reset(pStmt);
}

/* Delete rows before the time behind nRows that are due; 0 when there are not
** so many, or they all have that time. */
static i64 run_range(StewardCall *c, Batch *pBatch, i64 nRows) {
  int bEdge, rc = SQLITE_OK;
  if (c->rc || pBatch->pEdge == NULL) return 0;
  sqlite3_bind_int64(pBatch->pEdge, 2, nRows);
  bEdge = steward_next(c, pBatch->pEdge);
  if (bEdge) {
    rc = sqlite3_bind_value(pBatch->pRange, 1,
                            sqlite3_column_value(pBatch->pEdge, 0));
  }
  sqlite3_reset(pBatch->pEdge);
  if (rc) steward_fail_db(c, rc);
  if (!bEdge || c->rc) return 0;
  while (steward_next(c, pBatch->pRange)) {
  }
  sqlite3_reset(pBatch->pRange);
  return c->rc ? 0 : sqlite3_changes(c->db);
}

/* Rows of the next batch: nDone have taken so long since iStartUs.  0 when
** there is no time for more. */
static i64 next_batch(const Pace *p, i64 nDone, i64 nLast, i64 iStartUs) {
  enum { FIRST = 8, GROWTH = 4 };
  double rLeft = ttl_pace_left(p), rRow;
  i64 nFit;
  if (nDone == 0) return rLeft > 0 || p->nRow == 0 ? FIRST : 0;
  rRow = (double)(steward_monotonic_us() - iStartUs) / (double)nDone;
  if (p->rCommit <= 0) rLeft -= rRow * (double)p->nRow; /* not known yet */
  rRow += p->rCommit > 0 ? p->rCommit : rRow;
  nFit = rLeft > 0 ? (i64)(rLeft / rRow) : 0;
  return nFit < nLast * GROWTH ? nFit : nLast * GROWTH;
}

/* One batch of at most nWant rows; how many.  *pbMore: there may be others. */
static i64 run_batch(StewardCall *c, Batch *pBatch, i64 nWant,
                     int *pbMore /* OUT */) {
  i64 nHere = run_range(c, pBatch, nWant);
  *pbMore = nHere > 0;
  if (nHere == 0) {
    i64 nFirst;
    run_limited(c, pBatch->pFirst, nWant);
    nFirst = pBatch->pFirst && c->rc == SQLITE_OK ? sqlite3_changes(c->db) : 0;
    run_limited(c, pBatch->pDelete, nWant);
    nHere = c->rc ? 0 : sqlite3_changes(c->db);
    *pbMore = nHere == nWant;
    if (nHere < nFirst) { /* moved, and there still */
      steward_fail_rc(c, SQLITE_CONSTRAINT, "a trigger ignores a deletion");
    }
  }
  return nHere;
}

/* The same where rows that cannot be removed are stepped over: a batch that
** fails over one removes nothing (or, when a trigger has it so, the rows before
** that one), and is the last. */
static i64 try_batch(StewardCall *c, Batch *pBatch, i64 nWant,
                     int *pbMore /* OUT */) {
  int bGuard = ttl_step_guard(c, pBatch->pFirst != NULL);
  StewardCall inner = *c;
  i64 nHere = run_batch(&inner, pBatch, nWant, pbMore);
  if (ttl_step_fails(c, &inner, bGuard)) {
    nHere = bGuard ? 0 : sqlite3_changes(c->db);
    pBatch->bStuck = 1;
    *pbMore = 0;
  }
  sqlite3_free(inner.zErr);
  return nHere;
}

/* Run it until nothing more is found or a limit is reached; rows removed. */
static i64 run_batches(StewardCall *c, Batch *pBatch, i64 nBatch, i64 nMaxRows,
                       Pace *p, int *pbAll /* OUT */) {
  i64 nRemoved = 0, nWant = 0, iStartUs = steward_monotonic_us();
  int bMore = pBatch->pDelete != NULL;
  *pbAll = 0;
  while (bMore && c->rc == SQLITE_OK) {
    i64 nHere;
    nWant = next_batch(p, nRemoved, nWant, iStartUs);
    if (nWant > nBatch) nWant = nBatch;
    if (nWant > nMaxRows - nRemoved) nWant = nMaxRows - nRemoved;
    if (nWant <= 0) break;
    nHere = p->bStep ? try_batch(c, pBatch, nWant, &bMore)
                     : run_batch(c, pBatch, nWant, &bMore);
    *pbAll = !bMore;
    nRemoved += nHere;
    p->nRow += nHere;
  }
  sqlite3_finalize(pBatch->pFirst);
  sqlite3_finalize(pBatch->pDelete);
  sqlite3_finalize(pBatch->pEdge);
  sqlite3_finalize(pBatch->pRange);
  return nRemoved;
}

/* Is something due still, when all that was due should have gone?  Where it is
** not to be stepped over, that is an error. */
static int due_still(StewardCall *c, const StewardTableInfo *p,
                     sqlite3_stmt *pPolicy, const TtlStep *pStep, int bStep) {
  sqlite3_stmt *pDue = NULL;
  char *zAnd = and_sql(c, pPolicy, pStep);
  char *zDue = ttl_due_sql(c, steward_column(c, pPolicy, POLICY_COLUMN),
                           steward_column(c, pPolicy, POLICY_UNIT), "?1");
  int bDue;
  if (zDue) {
    pDue = steward_prepare(c, "SELECT 1 FROM main.\"%w\" WHERE %s%s LIMIT 1",
                           p->zName, zDue, zAnd);
  }
  if (pDue) {
    sqlite3_bind_value(pDue, 1, sqlite3_column_value(pPolicy, POLICY_NOW));
  }
  bDue = steward_next(c, pDue);
  if (bDue && !bStep) {
    steward_fail(c, STEWARD_CONFLICT,
                 "rows of table '%s' are due and stay, because a trigger "
                 "ignores their deletion",
                 p->zName);
  }
  sqlite3_finalize(pDue);
  sqlite3_free(zDue);
  sqlite3_free(zAnd);
  return bDue;
}

/* How many rows that have not been tried are beyond max_rows, up to nMost. */
static i64 count_excess(StewardCall *c, const StewardTableInfo *p,
                        sqlite3_stmt *pPolicy, const TtlStep *pStep,
                        i64 nMost) {
  i64 nKeep = sqlite3_column_int64(pPolicy, POLICY_MAX_ROWS), n = 0;
  char *zAnd = and_sql(c, pPolicy, pStep);
  char *zReadable =
      ttl_readable_sql(c, steward_column(c, pPolicy, POLICY_COLUMN),
                       steward_column(c, pPolicy, POLICY_UNIT));
  if (c->rc == SQLITE_OK) {
    n = steward_exec_int(c, 0,
                         "SELECT count(*) FROM (SELECT 1 FROM main.\"%w\""
                         " WHERE %s%s LIMIT %lld)",
                         p->zName, zReadable, zAnd, nKeep + nMost);
  }
  sqlite3_free(zAnd);
  sqlite3_free(zReadable);
  return n - nKeep;
}

/* What is due, or (bDue = 0) what is too many. */
static i64 sweep_part(StewardCall *c, TtlStep *pStep, int bDue, i64 nMaxRows,
                      Pace *pPace) {
  const StewardTableInfo *p = pStep->pInfo;
  i64 nBatch = sqlite3_column_int64(pStep->pPolicy, POLICY_BATCH);
  i64 nRemoved, nMost = nMaxRows;
  Batch batch;
  int bAll, bStuck;
  prepare_batch(c, p, pStep->pPolicy, bDue, pStep, &batch);
  if (!bDue) nMost = count_excess(c, p, pStep->pPolicy, pStep, nMaxRows);
  nRemoved = run_batches(c, &batch, nBatch, nMost, pPace, &bAll);
  bStuck = batch.bStuck || pStep->zTried; /* rows of that very time */
  if (c->rc == SQLITE_OK && bAll && !bStuck) {
    bStuck = bDue ? due_still(c, p, pStep->pPolicy, pStep, pPace->bStep)
                  : pPace->bStep && nRemoved < nMost;
  }
  if (c->rc || !bStuck || nRemoved >= nMaxRows) return nRemoved;
  return nRemoved + ttl_step_on(c, pStep, bDue, nMaxRows - nRemoved, pPace);
}

/* What one policy removes: first what is due, then what is too many; last what
** could not be removed before. */
static i64 sweep_policy(StewardCall *c, TtlStep *pStep, i64 nMaxRows,
                        Pace *pPace) {
  int bTried = pStep->zTried != NULL;
  i64 nRemoved = 0;
  if (c->rc == SQLITE_OK &&
      sqlite3_column_int(pStep->pPolicy, POLICY_BY_TIME)) {
    nRemoved = sweep_part(c, pStep, 1, nMaxRows, pPace);
  }
  if (c->rc == SQLITE_OK && nRemoved < nMaxRows &&
      sqlite3_column_int64(pStep->pPolicy, POLICY_MAX_ROWS) >= 0) {
    nRemoved += sweep_part(c, pStep, 0, nMaxRows - nRemoved, pPace);
  }
  if (c->rc == SQLITE_OK && nRemoved < nMaxRows && bTried &&
      ttl_pace_left(pPace) > 0) {
    nRemoved += ttl_step_again(c, pStep, nMaxRows - nRemoved, pPace);
  }
  return nRemoved;
}

/* The table of a policy, which must be called as it was. */
static void find_table(StewardCall *c, const char *zTable,
                       StewardTableInfo *pInfo /* OUT */) {
  char *zNow = steward_text(c, SQL_ttl_called, "t", zTable);
  if (zNow) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "table '%s' is called '%s' now: SELECT ttl_detach(%Q), then "
                 "attach it by its new name",
                 zTable, zNow, zTable);
  }
  sqlite3_free(zNow);
  if (c->rc) return;
  steward_table_info(c, zTable, pInfo);
  fail_in_table(c, zTable);
}

/* Remove expired rows of one table, batch by batch; how many. */
static i64 sweep_table(StewardCall *c, const char *zTable, i64 nMaxRows,
                       Pace *pPace) {
  StewardTableInfo info;
  TtlStep step;
  i64 nRemoved = 0, iStart = steward_monotonic_us();
  sqlite3_stmt *pPolicy =
      steward_query(c, SQL_ttl_policy, "tl", zTable, steward_now(c->p));
  memset(&info, 0, sizeof(info));
  if (steward_next(c, pPolicy)) {
    find_table(c, zTable, &info);
    if (c->rc == SQLITE_OK) {
      ttl_step_begin(c, &step, &info, pPolicy, pPace->bStep);
      nRemoved = sweep_policy(c, &step, nMaxRows, pPace);
      fail_in_table(c, zTable);
      ttl_step_end(c, &step, pPace);
    }
  } else if (c->rc == SQLITE_OK) {
    ttl_fail_not_attached(c, zTable);
  }
  steward_give(c, SQL_ttl_policy, pPolicy);
  steward_run(c, SQL_ttl_swept, "tlll", zTable, nRemoved, steward_now(c->p),
              (steward_monotonic_us() - iStart) / 1000);
  steward_count(c, "ttl_cleanup_deletes_total", nRemoved);
  steward_table_info_free(&info);
  return nRemoved;
}

/* The same in a savepoint: a failure over what the table is or does is noted,
** its rows stay, and the call goes on; any other fails it. */
static i64 sweep_apart(StewardCall *c, const char *zTable, i64 nMaxRows,
                       Pace *pPace) {
  StewardCall inner = *c;
  i64 nRemoved;
  int eKind, bEnded;
  if (c->rc) return 0;
  steward_run(c, SQL_savepoint, "");
  nRemoved = sweep_table(&inner, zTable, nMaxRows, pPace);
  eKind = inner.rc & 0xff;
  bEnded = inner.rc && sqlite3_get_autocommit(c->db);
  if (inner.rc && !bEnded) steward_run(c, SQL_savepoint_rollback, "");
  if (!bEnded) steward_run(c, SQL_savepoint_release, "");
  if (inner.rc && (bEnded || c->rc ||
                   (eKind != SQLITE_ERROR && eKind != SQLITE_CONSTRAINT))) {
    sqlite3_free(c->zErr);
    c->rc = inner.rc;
    c->zErr = inner.zErr;
    return 0;
  }
  if (inner.rc) {
    steward_run(c, SQL_ttl_failed, "ttl", zTable, inner.zErr,
                steward_now(c->p));
    sqlite3_free(inner.zErr);
    return 0;
  }
  return nRemoved;
}

/* A step of a table of the library's own; where rows or triggers object, that
** is for ttl_status. */
static void sweep_step(StewardCall *c, const char *zTable, i64 iNow) {
  enum { OWN = 1024, HOUR = 3600000 };
  StewardCall inner = *c;
  Pace pace;
  i64 nRemoved;
  if (c->rc) return;
  pace_begin(&inner, &pace, HOUR); /* the rows are few enough */
  nRemoved = sweep_table(&inner, zTable, OWN, &pace);
  if (inner.rc && (inner.rc & 0xff) != SQLITE_ERROR &&
      (inner.rc & 0xff) != SQLITE_CONSTRAINT) {
    c->rc = inner.rc;
    c->zErr = inner.zErr;
    return;
  }
  if (inner.rc) {
    steward_run(c, SQL_ttl_failed, "ttl", zTable, inner.zErr, iNow);
    steward_run(c, SQL_ttl_swept, "tlll", zTable, (i64)0, iNow, (i64)0);
    sqlite3_free(inner.zErr);
  } else if (nRemoved == OWN) {
    steward_run(c, SQL_ttl_unfinished, "t", zTable);
  }
}

/* A table of the library's own, swept by its verbs: at most once a minute, by
** whatever connection comes first, and in steps where there is more to do.  A
** verb of a single statement in autocommit has no transaction, and a sweep that
** reads before it writes could not wait for other writers: it has one of its
** own then, and when they do not let it, another call sweeps.  Inside a writing
** statement no savepoint can be had: what a sweep removes is to go, whatever
** becomes of the call. */
void ttl_sweep_own(StewardCall *c, const char *zTable) {
  enum { REST = 60000 };
  StewardCall own;
  i64 iNow = steward_now(c->p);
  int bApart = c->eMode == STEWARD_WRITE_ONE && c->eTxn == SQLITE_TXN_NONE &&
               sqlite3_get_autocommit(c->db);
  if (c->rc || !steward_int(c, SQL_ttl_rested, 0, "tll", zTable, iNow, REST)) {
    return;
  }
  own = *c;
  if (bApart) {
    own.eMode = STEWARD_WRITE;
    steward_begin(&own);
  }
  sweep_step(&own, zTable, iNow);
  if (bApart) steward_end(&own);
  if (bApart && (own.rc & 0xff) == SQLITE_BUSY) {
    sqlite3_free(own.zErr);
    return;
  }
  c->rc = own.rc;
  c->zErr = own.zErr;
}

/* Sweep every attached table while the limits last.  Also without time left,
** one that has something to remove, if it is among the first: else a call with
** a small budget could end before it did anything, each time. */
static i64 sweep_all(StewardCall *c, i64 nMaxRows, Pace *pPace) {
  enum { ANYWAY = 8 };
  char *zTables = steward_text(c, SQL_ttl_tables, "");
  sqlite3_stmt *pName = steward_query(c, SQL_migrate_each, "t", zTables);
  i64 nRemoved = 0;
  int n = 0;
  while (nRemoved < nMaxRows &&
         ((n++ < ANYWAY && nRemoved == 0) || ttl_pace_left(pPace) > 0) &&
         steward_next(c, pName)) {
    nRemoved +=
        sweep_apart(c, steward_column(c, pName, 0), nMaxRows - nRemoved, pPace);
  }
  steward_give(c, SQL_migrate_each, pName);
  sqlite3_free(zTables);
  return nRemoved;
}

/* ttl_sweep([table TEXT [, options JSON]]) -> INTEGER, rows removed  directonly
** Remove expired rows, of one table or (NULL or nothing given) of all attached
** ones, oldest first, in one transaction of at most max_rows (10000) rows that
** holds the write lock for no longer than `budget` (10 ms), its commit
** included.  When rows were removed, more may be due: call it again, and leave
** others time to write between the calls.  The application's own triggers and
** cascades run.  A row to which a trigger, a foreign key or a constraint of the
** archive objects stays, the others go; ttl_status says so (errors_total counts
** each attempt; error, error_at), and later calls try it again, 64 such rows at
** a time, after the others.  A call for one table that could remove none for
** that reason fails; what it wrote down stays, unless you roll it back.  A
** table that is gone fails a call for it; a sweep of all goes on with the
** others, and says so in ttl_status.
** Set: core
** Errors: "NOT_FOUND: ttl_sweep: table 't' has no expiry policy: ..."; "...:
**   mend table 't' and attach it anew, or SELECT ttl_detach('t')"; "ttl_sweep:
**   FOREIGN KEY constraint failed: row (3) of table 't' stays: mend what
**   objects to its deletion, or SELECT ttl_detach('t')"; BUSY.
** Source: seed 002, opportunistic TTL cleanup.
** Example: CREATE TABLE s(id, at INTEGER);
**   INSERT INTO s VALUES (1, 1000), (2, NULL), (3, 9999999999);
**   SELECT ttl_attach('s', 'at', '{"unit":"s"}'); -- 1
**   SELECT ttl_sweep('s'); -- 1
**   SELECT group_concat(id) FROM s; -- 2,3
**   CREATE TABLE c(id, at INTEGER);
**   CREATE TABLE old(id UNIQUE, at);
**   INSERT INTO old VALUES (1, 0);
**   INSERT INTO c VALUES (1, 1000), (2, 1000), (3, 1000);
**   SELECT ttl_attach('c', 'at',
**     '{"unit":"s","action":"archive","target":"old"}'); -- 1
**   SELECT ttl_sweep('c', '{"budget":"1s"}'); -- 2
**   SELECT ttl_sweep(NULL, '{"budget":"1s"}'); -- 0
**   SELECT errors_total FROM ttl_status WHERE table_name = 'c'; -- 2
*/
static void ttl_sweep(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  SweepOptions options = {10000, 10};
  int bAll = argc == 0 || sqlite3_value_type(argv[0]) == SQLITE_NULL;
  const char *zTable = NULL;
  i64 nRemoved = 0, iCommitUs;
  Pace pace;
  steward_open(&c, ctx, "ttl_sweep", "core", STEWARD_WRITE);
  if (!bAll) zTable = steward_arg_text(&c, argv[0], "table", 1000);
  if (argc > 1) {
    steward_options(&c, argv[1], aSweepOption, ArraySize(aSweepOption),
                    &options);
  }
  pace_begin(&c, &pace, options.iBudget);
  pace.bStep = 1;
  if (c.rc == SQLITE_OK) {
    nRemoved = bAll ? sweep_all(&c, options.nMaxRows, &pace)
                    : sweep_table(&c, zTable, options.nMaxRows, &pace);
  }
  iCommitUs = steward_monotonic_us();
  if (steward_close(&c) == SQLITE_OK) {
    if (sqlite3_get_autocommit(c.db)) {
      pace_learn(c.p, &pace, steward_monotonic_us() - iCommitUs);
    }
    sqlite3_result_int64(ctx, nRemoved);
    if (!bAll && nRemoved == 0 && pace.zStuck) {
      sqlite3_result_error(ctx, pace.zStuck, -1);
      sqlite3_result_error_code(ctx, SQLITE_CONSTRAINT);
    }
  }
  sqlite3_free(pace.zStuck);
}

static const StewardFunc aFunc[] = {
    {"ttl_sweep", 0, 2, STEWARD_DIRECTONLY, ttl_sweep, aSweepOption,
     ArraySize(aSweepOption)},
};

int ttl_sweep_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
