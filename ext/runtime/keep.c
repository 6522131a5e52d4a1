/*
** keep.c - a value handed out of a statement that writes.
**
** RETURNING does that, too, for three times the cost of a lookup by key: SQLite
** makes a trigger and a table of it.  Where a hot statement writes one row, its
** expression hands the value over on its way into the row, to the place that
** letter p of steward_run() binds:
**
**     UPDATE t SET revision = steward_keep(?1, revision + 1) WHERE id = ?2
**
** Whether the row was written is for the caller to see, by sqlite3_changes().
*/
#include "steward_int.h"

static const char zPointer[] = "steward_keep";

int steward_keep_bind(sqlite3_stmt *pStmt, int i, i64 *pPlace) {
  return sqlite3_bind_pointer(pStmt, i, pPlace, zPointer, NULL);
}

/* steward_keep(place, value) -> the value    directonly
** Hand the value that a row gets to the library, whose own statements bind the
** place.  With anything else as the place it does nothing but give the value.
** Source: SQLite's pointer passing; RETURNING costs more.
** Example: SELECT steward_keep(NULL, 5); -- 5
*/
static void steward_keep(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  i64 *pPlace = sqlite3_value_pointer(argv[0], zPointer);
  if (pPlace) *pPlace = sqlite3_value_int64(argv[1]);
  sqlite3_result_value(ctx, argv[1]);
}

static const StewardFunc aFunc[] = {
    {"steward_keep", 2, 2, STEWARD_DIRECTONLY, steward_keep, NULL, 0},
};

int steward_keep_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
