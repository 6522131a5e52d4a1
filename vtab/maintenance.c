/*
** maintenance.c - the four tables of the maintenance set under the names that
** SQLite reserves: writable eponymous tables over steward_* tables.  CHECKs,
** defaults, UNIQUE, indexes and the trigger are those of the tables behind.
*/
#include "steward_int.h"

/* sqlite_pool_config(id INTEGER, db_path TEXT, min_connections INTEGER,
**   max_connections INTEGER, connection_timeout INTEGER, created_ts TEXT,
**   updated_ts TEXT)     table
** Connections that a pool keeps for a file and how long a caller waits for one
** (seconds); the row `default` counts for files without a row.
** Set: maintenance
** Errors: those of the constraints of steward_pool_config; NOT_INSTALLED when
**   written before migrate_up('maintenance').
** Source: seed 001.
** Example: SELECT min_connections, max_connections, connection_timeout
**   FROM sqlite_pool_config WHERE db_path='default'; -- 2|8|30
*/

/* sqlite_vacuum_log(id INTEGER, db_path TEXT, vacuum_type TEXT,
**   started_ts TEXT, completed_ts TEXT, pages_freed INTEGER,
**   bytes_freed INTEGER, duration_ms INTEGER, status TEXT,
**   error_message TEXT)     table
** One row for each run of a vacuum: vacuum_type auto, incremental or full,
** status running, completed or failed.
** Set: maintenance
** Source: seed 001.
** Example: INSERT INTO sqlite_vacuum_log(db_path, vacuum_type, status)
**     VALUES ('app.db', 'full', 'running');
**   SELECT pages_freed, status FROM sqlite_vacuum_log; -- 0|running
*/

/* sqlite_performance_metrics(id INTEGER, db_path TEXT, metric_name TEXT,
**   metric_value REAL, unit TEXT, recorded_ts TEXT, context TEXT)     table
** One row for each value measured; see perf_record() and perf_capture().
** Set: maintenance
** Source: seed 001.
** Example: SELECT perf_record('queries', 12); -- 1
**   SELECT metric_name, metric_value FROM sqlite_performance_metrics;
**   -- queries|12.0
*/

/* sqlite_health_checks(id INTEGER, db_path TEXT, check_type TEXT, status TEXT,
**   details TEXT, checked_ts TEXT)     table
** Logged results of checks: status healthy, warning or critical.  The table
** health_checks runs them live.
** Set: maintenance
** Source: seed 001.
** Example: INSERT INTO sqlite_health_checks(db_path, check_type, status)
**     VALUES ('app.db', 'integrity', 'healthy');
**   SELECT check_type, status FROM sqlite_health_checks; -- integrity|healthy
*/
static const StewardTable aTable[] = {
    {.zName = "sqlite_pool_config",
     .zColumns = "id INTEGER, db_path TEXT, min_connections INTEGER,"
                 " max_connections INTEGER, connection_timeout INTEGER,"
                 " created_ts TEXT, updated_ts TEXT",
     .zBacking = "steward_pool_config",
     .zSet = "maintenance",
     .bEmpty = 1},
    {.zName = "sqlite_vacuum_log",
     .zColumns = "id INTEGER, db_path TEXT, vacuum_type TEXT,"
                 " started_ts TEXT, completed_ts TEXT, pages_freed INTEGER,"
                 " bytes_freed INTEGER, duration_ms INTEGER, status TEXT,"
                 " error_message TEXT",
     .zBacking = "steward_vacuum_log",
     .zSet = "maintenance",
     .bEmpty = 1},
    {.zName = "sqlite_performance_metrics",
     .zColumns = "id INTEGER, db_path TEXT, metric_name TEXT,"
                 " metric_value REAL, unit TEXT, recorded_ts TEXT,"
                 " context TEXT",
     .zBacking = "steward_performance_metrics",
     .zSet = "maintenance",
     .bEmpty = 1},
    {.zName = "sqlite_health_checks",
     .zColumns = "id INTEGER, db_path TEXT, check_type TEXT, status TEXT,"
                 " details TEXT, checked_ts TEXT",
     .zBacking = "steward_health_checks",
     .zSet = "maintenance",
     .bEmpty = 1},
};

int maintenance_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
