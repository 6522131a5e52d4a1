/*
** ledger.c - the table of approvals.
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
static const StewardTable aTable[] = {
    {.zName = "approval_list",
     .zColumns = "id TEXT, state TEXT, payload TEXT, created_at INTEGER,"
                 " expires_at INTEGER, decided_by TEXT, decided_at INTEGER,"
                 " started_at INTEGER, finished_at INTEGER, result",
     .eSql = SQL_approval_list,
     .zSet = "ledger"},
};

int ledger_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
