/*
** ledger.c - the tables of approvals, events and metrics.
*/
#include "steward_int.h"

/* approval_list(id TEXT, state TEXT, payload TEXT, created_at INTEGER,
**   expires_at INTEGER, decided_by TEXT, decided_at INTEGER,
**   started_at INTEGER, finished_at INTEGER, result)     table
** Every approval: pending, approved, rejected, executing, executed, failed or
** expired.
** Set: ledger
** Source: seed 003, assistly_approvals.
** Example: SELECT approval_request('a1', '{}'); -- 1
**   SELECT id, state, decided_by FROM approval_list; -- a1|pending|
*/

/* event_list(id INTEGER, type TEXT, payload TEXT, created_at INTEGER)     table
** Every event; a type within a range of times is found by an index.
** Set: ledger
** Source: seed 003, assistly_events.
** Example: SELECT event_append('login', '{"user":"u1"}'); -- 1
**   SELECT id, payload FROM event_list WHERE type = 'login'
**      AND created_at >= 1700000000000; -- 1|{"user":"u1"}
*/

/* metric_list(name TEXT, calls INTEGER, total, highest, average REAL,
**   updated_at INTEGER)     table
** Every metric: how often it was added to, the sum, the largest addend.
** Set: ledger
** Source: seed 003, assistly_metrics.
** Example: SELECT metric_add('latencyMs', 2); -- 2
**   SELECT metric_add('latencyMs', 4); -- 6
**   SELECT name, calls, total, highest, average FROM metric_list;
**   -- latencyMs|2|6|4|3.0
*/
static const StewardTable aTable[] = {
    {.zName = "approval_list",
     .zColumns = "id TEXT, state TEXT, payload TEXT, created_at INTEGER,"
                 " expires_at INTEGER, decided_by TEXT, decided_at INTEGER,"
                 " started_at INTEGER, finished_at INTEGER, result",
     .eSql = SQL_approval_list,
     .zSet = "ledger"},
    {.zName = "event_list",
     .zColumns = "id INTEGER, type TEXT, payload TEXT, created_at INTEGER",
     .eSql = SQL_event_list,
     .zSet = "ledger"},
    {.zName = "metric_list",
     .zColumns = "name TEXT, calls INTEGER, total, highest, average REAL,"
                 " updated_at INTEGER",
     .eSql = SQL_metric_list,
     .zSet = "ledger"},
};

int ledger_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
