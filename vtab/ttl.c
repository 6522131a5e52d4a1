/*
** ttl.c - the table of expiry policies.
*/
#include "steward_int.h"

/* Rows due are counted up to here, or to the policy's alert_rows. */
#define PENDING_CAP 1000

/* The columns of ttl_policies. */
enum {
  P_TABLE,
  P_COLUMN,
  P_UNIT,
  P_ON_WRITE,
  P_BATCH,
  P_DELETES,
  P_SWEEP_AT,
  P_SWEEP_MS,
  P_NOW,
  P_BY_TIME,
  P_MAX_AGE,
  P_MAX_ROWS,
  P_WHERE,
  P_ACTION,
  P_TARGET,
  P_ALERT,
  P_ERRORS,
  P_ERROR,
  P_ERROR_AT,
  P_COUNT
};

/* Rows due, the oldest time that is due, rows that hold no time, and rows that
** could go.  The statement belongs to `look`, whose failure means that the
** table or column is gone. */
static sqlite3_stmt *prepare_due(StewardCall *look, sqlite3_stmt *pPolicy,
                                 i64 nCap) {
  const char *zTable = steward_column(look, pPolicy, P_TABLE);
  const char *zColumn = steward_column(look, pPolicy, P_COLUMN);
  const char *zUnit = steward_column(look, pPolicy, P_UNIT);
  const char *zWhere = (const char *)sqlite3_column_text(pPolicy, P_WHERE);
  i64 nKeep = sqlite3_column_int64(pPolicy, P_MAX_ROWS);
  char *zTime = ttl_time_sql(look, zColumn, zUnit);
  char *zDue = ttl_due_sql(look, zColumn, zUnit, "?1");
  char *zBad = ttl_unreadable_sql(look, zColumn, zUnit);
  char *zReadable = ttl_readable_sql(look, zColumn, zUnit);
  char *zAnd = zWhere ? steward_mprintf(look, " AND (%s\n)", zWhere)
                      : steward_mprintf(look, "");
  sqlite3_stmt *pDue = NULL;
  if (look->rc == SQLITE_OK) {
    pDue = steward_prepare(
        look,
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM main.\"%w\" WHERE %s%s"
        " LIMIT %lld)), (SELECT t.\"%w\" FROM main.\"%w\" AS t WHERE %s%s"
        " ORDER BY %s LIMIT 1), (SELECT count(*) FROM (SELECT 1 FROM"
        " main.\"%w\" WHERE %s%s LIMIT %d)), (SELECT count(*) FROM (SELECT 1"
        " FROM main.\"%w\" WHERE %s%s LIMIT %lld))",
        zTable, zDue, zAnd, nCap + 1, zColumn, zTable, zDue, zAnd, zTime,
        zTable, zBad, zAnd, PENDING_CAP, zTable, zReadable, zAnd,
        sqlite3_column_type(pPolicy, P_MAX_ROWS) == SQLITE_NULL
            ? (i64)0
            : nKeep + 2 * nCap + 2);
  }
  if (pDue && sqlite3_column_int(pPolicy, P_BY_TIME)) {
    sqlite3_bind_value(pDue, 1, sqlite3_column_value(pPolicy, P_NOW));
  }
  sqlite3_free(zTime);
  sqlite3_free(zDue);
  sqlite3_free(zBad);
  sqlite3_free(zReadable);
  sqlite3_free(zAnd);
  return pDue;
}

/* Rows to be removed: those due, and of the others those beyond max_rows. */
static i64 pending_rows(sqlite3_stmt *pPolicy, sqlite3_stmt *pDue) {
  i64 nDue = sqlite3_column_int64(pDue, 0), nOver;
  if (sqlite3_column_type(pPolicy, P_MAX_ROWS) == SQLITE_NULL) return nDue;
  nOver = sqlite3_column_int64(pDue, 3) - nDue -
          sqlite3_column_int64(pPolicy, P_MAX_ROWS);
  return nOver > 0 ? nDue + nOver : nDue;
}

/* ttl_status(table_name TEXT, column_name TEXT, unit TEXT, on_write INTEGER,
**   batch INTEGER, pending INTEGER, capped INTEGER, oldest,
**   deletes_total INTEGER, sweep_at INTEGER, sweep_ms INTEGER,
**   unreadable INTEGER, max_age INTEGER, max_rows INTEGER, where_sql TEXT,
**   action TEXT, target TEXT, alert_rows INTEGER, alert INTEGER,
**   errors_total INTEGER, error TEXT, error_at INTEGER, hazard TEXT)     table
** One row per attached table: rows due (pending, counted up to 1000 or
** alert_rows; capped = 1 when there may be more), the oldest time that is due
** as the column writes it, rows removed by ttl_sweep() so far, when it last ran
** (Unix ms) and how long it took, and how many rows hold what is no time, which
** never expire (counted up to 1000).  alert = 1 when more than alert_rows are
** due, the last sweep failed, or rows could not be removed; error says over
** what, until all that is due can go, errors_total counts sweeps that failed
** and tries of such rows.  pending is NULL when the table or column is gone or
** renamed, or what ttl_attach() made on it.  hazard says why an INSERT can fail
** over the deletion of a row: a foreign key or trigger that came after
** ttl_attach(); drop it, or attach again with on_write 0.
** Set: core
** Source: seed 002, ttl_expired_rows_pending and ttl_cleanup_deletes_total.
** Example: CREATE TABLE s(id, at INTEGER);
**   INSERT INTO s VALUES (1, 1000), (2, NULL), (3, 9999999999);
**   SELECT ttl_attach('s', 'at', '{"unit":"s"}'); -- 1
**   SELECT pending, capped, oldest, alert FROM ttl_status
**    WHERE table_name = 's'; -- 1|0|1000|0
*/
static void policy_row(StewardCall *c, StewardRows *r, sqlite3_stmt *pPolicy) {
  StewardCall look = *c;
  i64 nAlert = sqlite3_column_int64(pPolicy, P_ALERT), nPending = 0;
  i64 nCap = nAlert > PENDING_CAP ? nAlert : PENDING_CAP;
  sqlite3_stmt *pDue = prepare_due(&look, pPolicy, nCap);
  int bThere = steward_int(&look, SQL_ttl_intact, 0, "v",
                           sqlite3_column_value(pPolicy, P_TABLE)) &&
               steward_next(&look, pDue);
  char *zHazard = sqlite3_column_int(pPolicy, P_ON_WRITE)
                      ? steward_text(c, SQL_ttl_delete_hazard, "v",
                                     sqlite3_column_value(pPolicy, P_TABLE))
                      : NULL;
  int i;
  int bError = sqlite3_column_type(pPolicy, P_ERROR) != SQLITE_NULL;
  sqlite3_value *ap[P_COUNT];
  for (i = 0; i < P_COUNT; i++) ap[i] = sqlite3_column_value(pPolicy, i);
  if (bThere) nPending = pending_rows(pPolicy, pDue);
  if (bThere) {
    steward_row(c, r, "vvvvvlivvvvvvvvvvvivvvt", ap[P_TABLE], ap[P_COLUMN],
                ap[P_UNIT], ap[P_ON_WRITE], ap[P_BATCH],
                nPending > nCap ? nCap : nPending, nPending > nCap,
                sqlite3_column_value(pDue, 1), ap[P_DELETES], ap[P_SWEEP_AT],
                ap[P_SWEEP_MS], sqlite3_column_value(pDue, 2), ap[P_MAX_AGE],
                ap[P_MAX_ROWS], ap[P_WHERE], ap[P_ACTION], ap[P_TARGET],
                ap[P_ALERT], nPending > nAlert || bError, ap[P_ERRORS],
                ap[P_ERROR], ap[P_ERROR_AT], zHazard);
  } else if (look.rc == SQLITE_OK || (look.rc & 0xff) == SQLITE_ERROR) {
    /* gone */
    sqlite3_free(look.zErr);
    steward_row(c, r, "vvvvvnnnvvvnvvvvvvivvvn", ap[P_TABLE], ap[P_COLUMN],
                ap[P_UNIT], ap[P_ON_WRITE], ap[P_BATCH], ap[P_DELETES],
                ap[P_SWEEP_AT], ap[P_SWEEP_MS], ap[P_MAX_AGE], ap[P_MAX_ROWS],
                ap[P_WHERE], ap[P_ACTION], ap[P_TARGET], ap[P_ALERT], 1,
                ap[P_ERRORS], ap[P_ERROR], ap[P_ERROR_AT]);
  } else {
    c->rc = look.rc;
    c->zErr = look.zErr;
  }
  sqlite3_free(zHazard);
  sqlite3_finalize(pDue);
}

static void status_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  sqlite3_stmt *pPolicy =
      steward_query(c, SQL_ttl_policies, "l", steward_now(c->p));
  while (steward_next(c, pPolicy)) policy_row(c, r, pPolicy);
  steward_give(c, SQL_ttl_policies, pPolicy);
}

/*************************************************************************
** ttl_metrics
*/
enum { POLICY_LABELS = 256, INSTALL_LABELS = 16 };

/* FNV-1a: the same on every machine, and nothing of the name. */
static unsigned blur(const char *z) {
  unsigned h = 0x811c9dc5u;
  for (; *z; z++) h = (h ^ (unsigned char)*z) * 0x01000193u;
  return h ^ (h >> 16);
}

/* Expired records of the store, by blurred install. */
static void store_metrics(StewardCall *c, StewardRows *r) {
  i64 aPending[INSTALL_LABELS] = {0};
  sqlite3_stmt *pRow;
  int i;
  if (!steward_installed(c, "storage")) return;
  pRow = steward_query(c, SQL_ttl_store_pending, "");
  while (steward_next(c, pRow)) {
    unsigned h = blur(steward_column(c, pRow, 0)) % INSTALL_LABELS;
    aPending[h] += sqlite3_column_int64(pRow, 1);
  }
  steward_give(c, SQL_ttl_store_pending, pRow);
  for (i = 0; i < INSTALL_LABELS && c->rc == SQLITE_OK; i++) {
    char zLabel[8];
    sqlite3_snprintf(sizeof(zLabel), zLabel, "i%x", i);
    steward_row(c, r, "ttl", "ttl_expired_rows_pending", zLabel, aPending[i]);
  }
}

/* ttl_metrics(metric TEXT, label TEXT, value INTEGER)     table
** What a collector of metrics takes: ttl_expired_rows_pending and
** ttl_cleanup_deletes_total of each policy, whose label is p and two hex digits
** of a hash of the table's name; and pending records of the store (set storage)
** by installs, in 16 groups i0 to if by a hash of tenant and install.  So there
** are few labels however many tables and tenants, and they tell no name.
** Set: core
** Source: seed 002, labels blurred to avoid high cardinality.
** Example: CREATE TABLE s(id, at INTEGER);
**   INSERT INTO s VALUES (1, 1000), (2, NULL), (3, 9999999999);
**   SELECT ttl_attach('s', 'at', '{"unit":"s","on_write":0}'); -- 1
**   SELECT metric, sum(value) FROM ttl_metrics WHERE label LIKE 'p%'
**    GROUP BY 1 ORDER BY 1 DESC; -- ttl_expired_rows_pending|1
*/
static void metric_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  i64 aPending[POLICY_LABELS] = {0}, aDeletes[POLICY_LABELS] = {0};
  char aUsed[POLICY_LABELS] = {0};
  sqlite3_stmt *pRow;
  int i;
  steward_int(c, SQL_ttl_attached, 0, "t", ""); /* is the set there? */
  pRow = steward_query(c, SQL_ttl_status_numbers, "");
  while (steward_next(c, pRow)) {
    unsigned h = blur(steward_column(c, pRow, 0)) % POLICY_LABELS;
    aUsed[h] = 1;
    aPending[h] += sqlite3_column_int64(pRow, 1);
    aDeletes[h] += sqlite3_column_int64(pRow, 2);
  }
  steward_give(c, SQL_ttl_status_numbers, pRow);
  for (i = 0; i < POLICY_LABELS && c->rc == SQLITE_OK; i++) {
    char zLabel[8];
    if (!aUsed[i]) continue;
    sqlite3_snprintf(sizeof(zLabel), zLabel, "p%02x", i);
    steward_row(c, r, "ttl", "ttl_expired_rows_pending", zLabel, aPending[i]);
    steward_row(c, r, "ttl", "ttl_cleanup_deletes_total", zLabel, aDeletes[i]);
  }
  store_metrics(c, r);
}

static const StewardTable aTable[] = {
    {.zName = "ttl_metrics",
     .zColumns = "metric TEXT, label TEXT, value INTEGER",
     .xRows = metric_rows,
     .zSet = "core"},
    {.zName = "ttl_status",
     .zColumns = "table_name TEXT, column_name TEXT, unit TEXT,"
                 " on_write INTEGER, batch INTEGER, pending INTEGER,"
                 " capped INTEGER, oldest, deletes_total INTEGER,"
                 " sweep_at INTEGER, sweep_ms INTEGER, unreadable INTEGER,"
                 " max_age INTEGER, max_rows INTEGER, where_sql TEXT,"
                 " action TEXT, target TEXT, alert_rows INTEGER,"
                 " alert INTEGER, errors_total INTEGER, error TEXT,"
                 " error_at INTEGER, hazard TEXT",
     .xRows = status_rows,
     .zSet = "core"},
};

int ttl_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
