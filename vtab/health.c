/*
** health.c - the tables of health: the checks, run by selecting them, and how
** far the work in slices is.
*/
#include "../ext/health_int.h"

/* health_checks(check_type TEXT, status TEXT, value REAL, threshold REAL,
**   details TEXT, duration_ms REAL, coverage REAL, last_full_pass INTEGER)
**                                                                     table
** Selecting runs the checks, and only reads.  status is healthy, warning,
** critical, or unknown where a check is not finished: integrity, indexes and
** foreign_keys read the whole file, which a SELECT does up to
** health_integrity_bytes and for health_live_ms; above that they say what
** health_run() has come to: coverage is the share that was read (0 to 1),
** last_full_pass when all of it was, in Unix ms.  They are unknown, too, where
** a table needs a collation or a function of the application, which no other
** connection has: details tells under `skipped`.  value is compared with
** threshold (settings health_<check_type>_warning and _critical); details
** (JSON) holds the evidence and, under `sql`, what mends it.
** Source: seed 001, health checks.
** Example: SELECT check_type, status, coverage FROM health_checks
**   WHERE check_type='integrity'; -- integrity|healthy|1.0
*/
static void check_rows(StewardCall *c, StewardRows *r, int nArg,
                       sqlite3_value **apArg) {
  HealthLook l;
  i64 iStart = steward_monotonic_us();
  double rPass;
  int i;
  health_look_open(c, &l);
  health_pass_look(c, &l.pass, steward_setting_int(c, "health_live_ms"));
  rPass = (double)(steward_monotonic_us() - iStart) / 1000.0;
  health_look_checks(c, &l);
  if (l.nCheck > 0) l.aCheck[0].rMs += rPass;
  for (i = 0; i < l.nCheck && c->rc == SQLITE_OK; i++) {
    const HealthCheck *k = &l.aCheck[i];
    steward_row(c, r, k->iPassed ? "ttddtddl" : "ttddtddn", k->zType,
                k->zStatus, k->rValue, k->rThreshold, k->zDetails, k->rMs,
                k->rCoverage, k->iPassed);
  }
  health_look_free(&l);
}

/* health_slices(name TEXT, item TEXT, units_done INTEGER, units_total INTEGER,
**   coverage REAL, started_at INTEGER, moved_at INTEGER,
**   last_full_pass INTEGER)     table
** How far the work is that is done a slice at a time: `integrity` reads the
** file (a unit is a table), `pages` counts what its pages hold (a unit is a
** table or an index), `checkpoint` tells what the last one did (in frames).
** item is the last one looked at; times in Unix ms.
** Set: maintenance
** Source: seed 001, health checks.
** Example: PRAGMA foreign_keys = ON;
**   SELECT health_full(); -- healthy
**   SELECT coverage, last_full_pass FROM health_slices WHERE name='integrity';
**   -- 1.0|1700000000000
*/
static const StewardTable aTable[] = {
    {.zName = "health_checks",
     .zColumns = "check_type TEXT, status TEXT, value REAL, threshold REAL,"
                 " details TEXT, duration_ms REAL, coverage REAL,"
                 " last_full_pass INTEGER",
     .xRows = check_rows},
    {.zName = "health_slices",
     .zColumns = "name TEXT, item TEXT, units_done INTEGER,"
                 " units_total INTEGER, coverage REAL, started_at INTEGER,"
                 " moved_at INTEGER, last_full_pass INTEGER",
     .eSql = SQL_health_slices,
     .zSet = "maintenance",
     .bEmpty = 1},
};

int health_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
