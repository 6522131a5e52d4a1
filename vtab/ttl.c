/*
** ttl.c - the table of expiry policies.
*/
#include "steward_int.h"

/* Rows due are counted up to here. */
#define PENDING_CAP 1000

/* Rows due, the oldest time that is due, and rows that hold no time.  The
** statement belongs to `look`, whose failure means that the table or column is
** gone. */
static sqlite3_stmt *prepare_due(StewardCall *look, sqlite3_stmt *pPolicy) {
  const char *zTable = steward_column(look, pPolicy, 0);
  const char *zColumn = steward_column(look, pPolicy, 1);
  const char *zUnit = steward_column(look, pPolicy, 2);
  char *zTime = ttl_time_sql(look, zColumn, zUnit);
  char *zDue = ttl_due_sql(look, zColumn, zUnit, "?1");
  char *zBad = ttl_unreadable_sql(look, zColumn, zUnit);
  sqlite3_stmt *pDue = NULL;
  if (look->rc == SQLITE_OK) {
    pDue = steward_prepare(
        look,
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM main.\"%w\" WHERE %s"
        " LIMIT %d)), (SELECT t.\"%w\" FROM main.\"%w\" AS t WHERE %s"
        " ORDER BY %s LIMIT 1), (SELECT count(*) FROM (SELECT 1 FROM"
        " main.\"%w\" WHERE %s LIMIT %d))",
        zTable, zDue, PENDING_CAP + 1, zColumn, zTable, zDue, zTime, zTable,
        zBad, PENDING_CAP);
  }
  if (pDue) sqlite3_bind_value(pDue, 1, sqlite3_column_value(pPolicy, 8));
  sqlite3_free(zTime);
  sqlite3_free(zDue);
  sqlite3_free(zBad);
  return pDue;
}

/* ttl_status(table_name TEXT, column_name TEXT, unit TEXT, on_write INTEGER,
**   batch INTEGER, pending INTEGER, capped INTEGER, oldest,
**   deletes_total INTEGER, sweep_at INTEGER, sweep_ms INTEGER,
**   unreadable INTEGER)     table
** One row per attached table: rows due (pending, counted up to 1000; capped = 1
** when there may be more), the oldest time that is due as the column writes it,
** rows removed by ttl_sweep() so far, when it last ran (Unix ms) and how long
** it took, and how many rows hold what is no time, which never expire (counted
** up to 1000).  pending is NULL when the table or column is gone or renamed.
** Set: core
** Source: seed 002, ttl_expired_rows_pending and ttl_cleanup_deletes_total.
** Example: CREATE TABLE s(id, at INTEGER);
**   INSERT INTO s VALUES (1, 1000), (2, NULL), (3, 9999999999);
**   SELECT ttl_attach('s', 'at', '{"unit":"s"}'); -- 1
**   SELECT pending, capped, oldest FROM ttl_status
**    WHERE table_name = 's'; -- 1|0|1000
*/
static void policy_row(StewardCall *c, StewardRows *r, sqlite3_stmt *pPolicy) {
  StewardCall look = *c;
  sqlite3_stmt *pDue = prepare_due(&look, pPolicy);
  int bThere = steward_next(&look, pDue);
  sqlite3_value *apValue[8];
  int i;
  for (i = 0; i < 8; i++) apValue[i] = sqlite3_column_value(pPolicy, i);
  if (bThere) {
    i64 nDue = sqlite3_column_int64(pDue, 0);
    steward_row(c, r, "vvvvvlivvvvv", apValue[0], apValue[1], apValue[2],
                apValue[3], apValue[4],
                nDue > PENDING_CAP ? (i64)PENDING_CAP : nDue,
                nDue > PENDING_CAP, sqlite3_column_value(pDue, 1), apValue[5],
                apValue[6], apValue[7], sqlite3_column_value(pDue, 2));
  } else if ((look.rc & 0xff) == SQLITE_ERROR) { /* gone */
    sqlite3_free(look.zErr);
    steward_row(c, r, "vvvvvnnnvvvn", apValue[0], apValue[1], apValue[2],
                apValue[3], apValue[4], apValue[5], apValue[6], apValue[7]);
  } else {
    c->rc = look.rc;
    c->zErr = look.zErr;
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
                 " sweep_at INTEGER, sweep_ms INTEGER, unreadable INTEGER",
     .xRows = status_rows,
     .zSet = "core"},
};

int ttl_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
