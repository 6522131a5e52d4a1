/*
** delta_define.c - declaring a table of overlays that does not follow the
** convention of http.
**
**     SELECT delta_define('page', '{"parent":"origin","time":"edited",
**       "overlays":{"title":"own_title"}}');
**     SELECT delta_resolve('page', 7);
**
** The names are checked against the schema and stored in steward_delta_tables,
** which only this file writes.
*/
#include <string.h>

#include "delta_int.h"

/* Forms that connections keep are made again when the schema changes: so let it
** change. */
static void touch_schema(StewardCall *c) {
  steward_exec(c, "CREATE VIEW main.steward_delta_touch AS SELECT 1");
  steward_exec(c, "DROP VIEW main.steward_delta_touch");
}

/* There must be a table of this name. */
static void check_owner(StewardCall *c, const char *zOwnerTable) {
  StewardTableInfo info;
  if (c->rc) return;
  steward_table_info(c, zOwnerTable, &info);
  steward_table_info_free(&info);
}

/* delta_define(table TEXT, options JSON) -> INTEGER, always 1    directonly
** Say which columns of a table are what, where they are not named as those of
** http: key, parent, flag (without one a row with a parent is a delta), scope,
** time and created (unit 's' or 'ms'), overlays (an object: column and overlay
** column); and of a table of children owner, order, prev, next, and owner_table
** where owner is no foreign key: with owner and owner_table alone any table can
** be declared, so that delta_cascade_delete takes its rows along.  What is left
** out is found by the convention.  Again: changes it.
** Set: streaming
** Errors: "NOT_FOUND: delta_define: no column 'x' in table 't': it has ...";
**   INVALID_ARGUMENT when the table then lacks something.
** Example: CREATE TABLE page(id INTEGER PRIMARY KEY, origin INT, title, own);
**   SELECT delta_define('page', '{"parent":"origin",
**     "overlays":{"title":"own"}}'); -- 1
**   INSERT INTO page VALUES (1, NULL, 'Home', NULL), (2, 1, '', 'Start');
**   SELECT delta_resolve('page', 2); -- {"id":1,"title":"Start","source":2}
*/
static void delta_define(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  DeltaNames names = {0};
  DeltaForm *f = NULL;
  const char *zTable;
  steward_open(&c, ctx, "delta_define", "streaming", STEWARD_WRITE);
  zTable = steward_arg_text(&c, argv[0], "table", 1000);
  steward_arg_payload(&c, argv[1], "options");
  steward_options(&c, argv[1], delta_name_options, delta_name_option_count,
                  &names);
  if (c.rc == SQLITE_OK) f = delta_form_new(&c, zTable, &names);
  if (names.zOwnerTable) check_owner(&c, names.zOwnerTable);
  if (f && c.rc == SQLITE_OK) {
    steward_run(&c, SQL_delta_define, "tvl", f->base.zTable, argv[1],
                steward_now(c.p));
    touch_schema(&c);
  }
  if (f) delta_form_free(&f->base);
  steward_options_free(delta_name_options, delta_name_option_count, &names);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* delta_undefine(table TEXT) -> INTEGER, always 1    directonly
** Forget what delta_define said of a table; no row is touched.
** Set: streaming
** Errors: "NOT_FOUND: delta_undefine: table 't' was not defined: SELECT
**   delta_define('t', options)".
** Example: CREATE TABLE page(id INTEGER PRIMARY KEY, origin INT, title, own);
**   SELECT delta_define('page', '{"parent":"origin",
**     "overlays":{"title":"own"}}'); -- 1
**   SELECT delta_undefine('page'); -- 1
*/
static void delta_undefine(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  StewardCall c;
  const char *zTable;
  steward_open(&c, ctx, "delta_undefine", "streaming", STEWARD_WRITE);
  zTable = steward_arg_text(&c, argv[0], "table", 1000);
  if (steward_run(&c, SQL_delta_undefine, "t", zTable) == SQLITE_OK &&
      sqlite3_changes(c.db) == 0) {
    steward_fail(&c, STEWARD_NOT_FOUND,
                 "table '%s' was not defined: SELECT delta_define(%Q, "
                 "options)",
                 zTable, zTable);
  }
  touch_schema(&c);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

static const StewardFunc aFunc[] = {
    {"delta_define", 2, 2, STEWARD_DIRECTONLY, delta_define, delta_name_options,
     13},
    {"delta_undefine", 1, 1, STEWARD_DIRECTONLY, delta_undefine, NULL, 0},
};

int delta_define_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
