/*
** lock.c - the tables of locks.
*/
#include "steward_int.h"

static void check_handle(StewardCall *c, sqlite3_value **apArg) {
  if (sqlite3_value_type(apArg[0]) != SQLITE_NULL) lock_arg_handle(c, apArg[0]);
}

/* lock_status(name TEXT, slot INTEGER, owner TEXT, token INTEGER,
**   acquired_at INTEGER, expires_at INTEGER, remaining_ms INTEGER)     table
** Every lock that is held now.
** Set: jobs
** Source: seed 003, assistly_worker_lock.
** Example: SELECT lock_acquire('worker', 'me'); -- 1
**   SELECT name, owner, token, remaining_ms FROM lock_status;
**   -- worker|me|1|30000
**   SELECT owner_id FROM assistly_worker_lock; -- me
*/

/* lock_rows_held(table_name TEXT, row_id, owner TEXT,
**   lease_until INTEGER, HIDDEN handle TEXT)     table
** The rows of a handle of lock_rows that it still holds.  row_id: the primary
** key if that is one column, else the rowid.
** Set: jobs
** Errors: "INVALID_ARGUMENT: lock_rows_held: handle must be one that lock_rows
**   returned, got 'x'"; NOT_INSTALLED.
** Example: CREATE TABLE tasks(id INTEGER PRIMARY KEY, x);
**   INSERT INTO tasks VALUES (1, 'a'), (2, 'b');
**   SELECT lock_rows('tasks', 'me', '{"max_rows":1}'); -- r1
**   SELECT x FROM lock_rows_held('r1') JOIN tasks ON id = row_id; -- a
*/
static const StewardTable aTable[] = {
    {.zName = "lock_status",
     .zColumns = "name TEXT, slot INTEGER, owner TEXT, token INTEGER,"
                 " acquired_at INTEGER, expires_at INTEGER,"
                 " remaining_ms INTEGER",
     .eSql = SQL_lock_status,
     .zSet = "jobs"},
    {.zName = "lock_rows_held",
     .zColumns = "table_name TEXT, row_id, owner TEXT,"
                 " lease_until INTEGER, handle HIDDEN BLOB",
     .nArg = 1,
     .nRequired = 1,
     .xCheck = check_handle,
     .eSql = SQL_lock_rows_held,
     .zSet = "jobs"},
};

int lock_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
