/*
** keeper.c - the keeper, its duties, and what it did.
*/
#include "../ext/keeper_int.h"

/* keeper_status(running INTEGER, active INTEGER, holder TEXT,
**   lease_until INTEGER, interval_ms INTEGER, started_at INTEGER,
**   last_tick_at INTEGER, next_tick_at INTEGER, ticks_total INTEGER,
**   errors_total INTEGER, error TEXT)     table
** One row: running, whether this connection has started a keeper; active,
** whether that is the one that works; holder, who is (host, process, a number),
** or was last, and until when it has to be heard of; ticks_total, errors_total
** and the last error are of all keepers of this database.
** Set: core
** Source: seed 001, operational observability.
** Example: SELECT running, holder FROM keeper_status; -- 0|
*/
static void status_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  sqlite3_stmt *s = steward_query(c, SQL_keeper_status, "tl", keeper_name(c->p),
                                  steward_now(c->p));
  if (s) steward_rows_from(c, r, SQL_keeper_status, s);
}

/* keeper_duties(duty TEXT, interval_ms INTEGER, available INTEGER,
**   due_at INTEGER, last_run_at INTEGER, last_ms REAL, result TEXT, error TEXT,
**   runs_total INTEGER, errors_total INTEGER, meaning TEXT)     table
** What steward_tick does, in the order in which it does it when all are equally
** late: how often (setting keeper_<duty>; 0: never), whether the set that it
** needs is installed and the function that it calls is in the library, when it
** is due (NULL: at the next tick), and what came of it the last time.
** Set: core
** Example: SELECT duty, interval_ms, due_at FROM keeper_duties
**   WHERE duty = 'expiry'; -- expiry|10000|
*/
static void duty_rows(StewardCall *c, StewardRows *r, int nArg,
                      sqlite3_value **apArg) {
  int i, k;
  for (i = 0; i < keeper_duty_count && c->rc == SQLITE_OK; i++) {
    const KeeperDuty *d = &keeper_duties[i];
    sqlite3_value *aValue[7] = {0};
    sqlite3_stmt *s = steward_query(c, SQL_duty_row, "t", d->zName);
    int bRow = steward_next(c, s);
    for (k = 0; bRow && k < ArraySize(aValue); k++) {
      aValue[k] = sqlite3_column_value(s, k);
    }
    int bThere = keeper_available(c, d);
    i64 iInterval = steward_setting_int(c, d->zInterval);
    if (bRow) {
      steward_row(c, r, "tlivvvvvvvt", d->zName, iInterval, bThere, aValue[0],
                  aValue[1], aValue[2], aValue[3], aValue[4], aValue[5],
                  aValue[6], d->zMeaning);
    } else {
      steward_row(c, r, "tlinnnnniit", d->zName, iInterval, bThere, 0, 0,
                  d->zMeaning);
    }
    steward_give(c, SQL_duty_row, s);
  }
}

/* keeper_log(id INTEGER, at INTEGER, duty TEXT, holder TEXT, ms REAL,
**   result TEXT, error TEXT)     table
** What steward_tick and the keeper did or could not do, what tune_apply
** changed, and what vacuum_checkpoint and vacuum_optimize did, the last first;
** holder is the keeper's name, NULL for a call of the application's.  The
** newest keeper_log_rows (10,000) stay.
** Set: core
** Example: SELECT tune_apply('rollback') ->> '$.profile'; -- rollback
**   SELECT duty, holder FROM keeper_log; -- tune|
*/
static const StewardTable aTable[] = {
    {.zName = "keeper_status",
     .zColumns = "running INTEGER, active INTEGER, holder TEXT,"
                 " lease_until INTEGER, interval_ms INTEGER,"
                 " started_at INTEGER, last_tick_at INTEGER,"
                 " next_tick_at INTEGER, ticks_total INTEGER,"
                 " errors_total INTEGER, error TEXT",
     .xRows = status_rows,
     .zSet = "core",
     .bEmpty = 1},
    {.zName = "keeper_duties",
     .zColumns = "duty TEXT, interval_ms INTEGER, available INTEGER,"
                 " due_at INTEGER, last_run_at INTEGER, last_ms REAL,"
                 " result TEXT, error TEXT, runs_total INTEGER,"
                 " errors_total INTEGER, meaning TEXT",
     .xRows = duty_rows,
     .zSet = "core",
     .bEmpty = 1},
    {.zName = "keeper_log",
     .zColumns = "id INTEGER, at INTEGER, duty TEXT, holder TEXT, ms REAL,"
                 " result TEXT, error TEXT",
     .eSql = SQL_keeper_log,
     .zSet = "core",
     .bEmpty = 1},
};

int keeper_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
