/*
** ttl.c - the table of expiry policies.
*/
#include "steward_int.h"

/* Rows due are counted up to here. */
#define PENDING_CAP 1000

/* ttl_status(table_name TEXT, column_name TEXT, unit TEXT, on_write INTEGER,
**   batch INTEGER, pending INTEGER, capped INTEGER, oldest,
**   deletes_total INTEGER, sweep_at INTEGER, sweep_ms INTEGER)     table
** One row per attached table: rows due (pending, counted up to 1000; capped = 1
** when there may be more), the oldest time that is due as the column writes it,
** rows removed by ttl_sweep() so far, when it last ran (Unix ms) and how long
** it took.  pending is NULL when the table is gone.
** Set: core
** Source: seed 002, ttl_expired_rows_pending and ttl_cleanup_deletes_total.
** Example: CREATE TABLE s(id, at INTEGER);
**   INSERT INTO s VALUES (1, 1000), (2, NULL), (3, 9999999999);
**   SELECT ttl_attach('s', 'at', '{"unit":"s"}'); -- 1
**   SELECT pending, capped, oldest FROM ttl_status; -- 1|0|1000
*/
static void policy_row(StewardCall *c, StewardRows *r, sqlite3_stmt *pPolicy) {
  const unsigned char *zTable = sqlite3_column_text(pPolicy, 0);
  const unsigned char *zColumn = sqlite3_column_text(pPolicy, 1);
  const unsigned char *zUnit = sqlite3_column_text(pPolicy, 2);
  i64 bOnWrite = sqlite3_column_int64(pPolicy, 3);
  i64 nBatch = sqlite3_column_int64(pPolicy, 4);
  i64 nDeleted = sqlite3_column_int64(pPolicy, 5);
  sqlite3_value *pSweepAt = sqlite3_column_value(pPolicy, 6);
  sqlite3_value *pSweepMs = sqlite3_column_value(pPolicy, 7);
  StewardCall look = *c;
  sqlite3_stmt *pDue = steward_prepare(
      &look,
      "SELECT count(*), min(at) FROM (SELECT \"%w\" AS at FROM main.\"%w\""
      " WHERE \"%w\" <= ?1 ORDER BY 1 LIMIT %d)",
      zColumn, zTable, zColumn, PENDING_CAP + 1);
  i64 nDue = 0;
  if (pDue) {
    sqlite3_bind_value(pDue, 1, sqlite3_column_value(pPolicy, 8));
    if (steward_next(&look, pDue)) nDue = sqlite3_column_int64(pDue, 0);
  }
  if (look.rc && (look.rc & 0xff) != SQLITE_ERROR) {
    c->rc = look.rc;
    c->zErr = look.zErr;
  } else if (look.rc) { /* the table or column is gone */
    sqlite3_free(look.zErr);
    steward_row(c, r, "tttllnnnlvv", zTable, zColumn, zUnit, bOnWrite, nBatch,
                nDeleted, pSweepAt, pSweepMs);
  } else {
    steward_row(c, r, "tttlllivlvv", zTable, zColumn, zUnit, bOnWrite, nBatch,
                nDue > PENDING_CAP ? (i64)PENDING_CAP : nDue,
                nDue > PENDING_CAP, sqlite3_column_value(pDue, 1), nDeleted,
                pSweepAt, pSweepMs);
  }
  sqlite3_finalize(pDue);
}

static void status_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  sqlite3_stmt *pPolicy =
      steward_query(c, SQL_ttl_policies, "l", steward_now(c->p));
  while (steward_next(c, pPolicy)) policy_row(c, r, pPolicy);
  steward_give(c, SQL_ttl_policies, pPolicy);
}

static const StewardTable aTable[] = {
    {.zName = "ttl_status",
     .zColumns = "table_name TEXT, column_name TEXT, unit TEXT,"
                 " on_write INTEGER, batch INTEGER, pending INTEGER,"
                 " capped INTEGER, oldest, deletes_total INTEGER,"
                 " sweep_at INTEGER, sweep_ms INTEGER",
     .xRows = status_rows,
     .zSet = "core"},
};

int ttl_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
