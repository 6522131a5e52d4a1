/*
** pool.c - the pools of this process, as a table.
*/
#include "pool_int.h"

/* pool_status(path TEXT, min_connections INTEGER, max_connections INTEGER,
**   open INTEGER, idle INTEGER, in_use INTEGER, in_use_peak INTEGER,
**   waiting INTEGER, utilisation REAL, acquired_total INTEGER,
**   opened_total INTEGER, closed_total INTEGER, broken_total INTEGER,
**   timeouts_total INTEGER, wait_p50_ms REAL, wait_p95_ms REAL,
**   wait_max_ms REAL)     table
** One row for each pool of this process, its file by the real path: its
** connections, callers that wait, what share of max_connections is in use, and
** how long callers have waited for a connection (percentiles within 20 %).
** broken_total counts those that were replaced because they could not read, or
** their file had been deleted or replaced.
** Source: seed 001, connection pool utilization.
** Example: SELECT count(*) FROM pool_status WHERE path = '/none'; -- 0
*/
static void status_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  PoolState s;
  int i;
  for (i = 0; pool_state(c, i, &s); i++) {
    steward_row(c, r, "tlliiiiidlllllddd", s.zPath, s.config.nMin,
                s.config.nMax, s.nOpen, s.nIdle, s.nInUse, s.nPeak, s.nWaiting,
                (double)s.nInUse / (double)s.config.nMax, s.nAcquired,
                s.nOpened, s.nClosed, s.nBroken, s.nTimeout,
                (double)s.iWait50 / 1000.0, (double)s.iWait95 / 1000.0,
                (double)s.iWaitMax / 1000.0);
    sqlite3_free(s.zPath);
  }
}

static const StewardTable aTable[] = {
    {.zName = "pool_status",
     .zColumns = "path TEXT, min_connections INTEGER, max_connections INTEGER,"
                 " open INTEGER, idle INTEGER, in_use INTEGER,"
                 " in_use_peak INTEGER, waiting INTEGER, utilisation REAL,"
                 " acquired_total INTEGER, opened_total INTEGER,"
                 " closed_total INTEGER, broken_total INTEGER,"
                 " timeouts_total INTEGER, wait_p50_ms REAL, wait_p95_ms REAL,"
                 " wait_max_ms REAL",
     .xRows = status_rows},
};

int pool_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
