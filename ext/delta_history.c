/*
** delta_history.c - keeping what rows were, so that a cut in time shows them as
** they were.
**
**     SELECT delta_history('http', 'on');
**     SELECT delta_resolve('http', :id, '{"as_of":1700000000}') ->> 'exact';
**
** Triggers in plain SQL (capture.c) write into the table
** steward_history_<table> one row for each change: its time, what happened, and
** the columns as they were before; of an insertion only the key.  A row that
** does not change costs nothing.  What a row was at a time is the first of its
** images after that time, else what it is now.  The same triggers take out, at
** every 64th change, what is older than setting delta_history_age or beyond
** delta_history_rows, and move on from_at in steward_delta_histories: before
** that time nothing is exact.
**
** steward_delta_histories is written by this file and these triggers only.
*/
#include <string.h>

#include "delta_int.h"

/* The SQL of the present time in ms: the clock pinned in the database, else the
** real one. */
#define NOW                                                                    \
  "coalesce((SELECT value FROM steward_config WHERE name = 'clock'),"          \
  " CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))"

/* The table's columns, or only its key and NULLs, behind zRow.  Caller frees.
** */
static char *image_sql(StewardCall *c, const StewardCapture *k,
                       const char *zRow, int bOnlyKey) {
  const StewardTableInfo *pInfo = k->pArg;
  sqlite3_str *p = sqlite3_str_new(c->db);
  int i;
  for (i = 0; i < pInfo->nCol; i++) {
    const char *zName = pInfo->aCol[i].zName;
    if (bOnlyKey && sqlite3_stricmp(zName, k->zKey)) {
      sqlite3_str_appendall(p, ", NULL");
    } else {
      sqlite3_str_appendf(p, ", %s\"%w\"", zRow, zName);
    }
  }
  return steward_str_finish(c, p);
}

/* The statement that notes a change: see StewardCapture. */
static char *note_sql(StewardCall *c, const StewardCapture *k, const char *zOp,
                      const char *zRow, const char *zFrom) {
  char *zImage = image_sql(c, k, zRow, strcmp(zOp, "insert") == 0), *z = NULL;
  if (zImage) {
    z = steward_mprintf(c,
                        "INSERT INTO \"steward_history_%w\"(steward_at,"
                        " steward_op, %s) SELECT " NOW ", '%s'%s%s",
                        k->zTable, k->zColumns, zOp, zImage, zFrom);
  }
  sqlite3_free(zImage);
  return z;
}

/* `OLD."a" IS NOT NEW."a" OR ..`: did anything change?  Caller frees. */
static char *changed_sql(StewardCall *c, const StewardTableInfo *pInfo) {
  sqlite3_str *p = sqlite3_str_new(c->db);
  int i;
  for (i = 0; i < pInfo->nCol; i++) {
    sqlite3_str_appendf(p, "%sOLD.\"%w\" IS NOT NEW.\"%w\" COLLATE BINARY",
                        i ? " OR " : "(", pInfo->aCol[i].zName,
                        pInfo->aCol[i].zName);
  }
  sqlite3_str_appendchar(p, 1, ')');
  return steward_str_finish(c, p);
}

/* The table of old rows: its columns have no constraint, but keep the types. */
static void make_table(StewardCall *c, const DeltaForm *f) {
  const char *zTable = f->base.zTable;
  steward_exec(c,
               "CREATE TABLE main.\"steward_history_%w\"(steward_seq INTEGER"
               " PRIMARY KEY, steward_at INTEGER NOT NULL, steward_op TEXT NOT"
               " NULL, %s)",
               zTable, f->zColumns);
  steward_exec(c,
               "CREATE INDEX main.\"steward_history_%w_key\" ON"
               " \"steward_history_%w\"(\"%w\", steward_at)",
               zTable, zTable, f->names.zKey);
  steward_exec(c,
               "CREATE INDEX main.\"steward_history_%w_at\" ON"
               " \"steward_history_%w\"(steward_at)",
               zTable, zTable);
}

/* Retention, amortized: at every 64th change up to 128 of the oldest. */
static void make_retention(StewardCall *c, const DeltaForm *f) {
  const char *z = f->base.zTable;
  steward_exec(
      c,
      "CREATE TRIGGER main.\"steward_history_%w_keep\" AFTER INSERT ON"
      " \"steward_history_%w\" WHEN NEW.steward_seq %% 64 = 0 BEGIN"
      " UPDATE steward_delta_histories SET from_at = max(from_at, coalesce("
      "(SELECT max(o.steward_at) FROM (SELECT steward_at, steward_seq FROM"
      " \"steward_history_%w\" ORDER BY steward_seq LIMIT 128) AS o WHERE"
      " o.steward_at < " NOW " - coalesce((SELECT value FROM steward_config"
      " WHERE name = 'delta_history_age'), 2592000000) OR o.steward_seq <="
      " NEW.steward_seq - coalesce((SELECT value FROM steward_config WHERE name"
      " = 'delta_history_rows'), 1000000)), from_at)) WHERE table_name = %Q;"
      " DELETE FROM \"steward_history_%w\" WHERE steward_seq IN (SELECT"
      " steward_seq FROM (SELECT steward_at, steward_seq FROM"
      " \"steward_history_%w\" ORDER BY steward_seq LIMIT 128) AS o WHERE"
      " o.steward_at < " NOW " - coalesce((SELECT value FROM steward_config"
      " WHERE name = 'delta_history_age'), 2592000000) OR o.steward_seq <="
      " NEW.steward_seq - coalesce((SELECT value FROM steward_config WHERE name"
      " = 'delta_history_rows'), 1000000)); END",
      z, z, z, z, z, z);
}

static void history_off(StewardCall *c, const char *zTable) {
  char *zPrefix = steward_mprintf(c, "steward_history_%s", zTable);
  if (zPrefix) {
    steward_capture_end(c, zPrefix);
    steward_exec(c, "DROP TABLE IF EXISTS main.\"%w\"", zPrefix);
  }
  steward_run(c, SQL_delta_history_forget, "t", zTable);
  sqlite3_free(zPrefix);
}

/* Are the triggers there, as they would be made now?  Else nobody knows what
** the rows were. */
int delta_history_intact(StewardCall *c, const DeltaForm *f) {
  StewardTableInfo info;
  char *zPrefix = steward_mprintf(c, "steward_history_%s", f->base.zTable);
  StewardCapture k = {.zTable = f->base.zTable,
                      .zPrefix = zPrefix,
                      .zKey = f->names.zKey,
                      .zColumns = f->zColumns,
                      .xEvent = note_sql,
                      .pArg = &info};
  int bIntact;
  steward_table_info(c, f->base.zTable, &info);
  bIntact = steward_capture_intact(c, &k);
  steward_table_info_free(&info);
  sqlite3_free(zPrefix);
  return bIntact;
}

static void history_on(StewardCall *c, DeltaForm *f) {
  StewardTableInfo info;
  StewardCapture k = {.zTable = f->base.zTable,
                      .zKey = f->names.zKey,
                      .zColumns = f->zColumns,
                      .bOldImage = 1,
                      .xEvent = note_sql,
                      .pArg = &info};
  char *zPrefix = steward_mprintf(c, "steward_history_%s", f->base.zTable);
  char *zChanged = NULL;
  steward_table_info(c, f->base.zTable, &info);
  if (c->rc == SQLITE_OK) zChanged = changed_sql(c, &info);
  k.zPrefix = zPrefix;
  k.zChanged = zChanged;
  if (c->rc == SQLITE_OK) {
    make_table(c, f);
    steward_capture(c, &k);
    make_retention(c, f);
    steward_run(c, SQL_delta_history_store, "ttl", f->base.zTable, f->zColumns,
                steward_now(c->p));
  }
  sqlite3_free(zPrefix);
  sqlite3_free(zChanged);
  steward_table_info_free(&info);
}

/* delta_history(table TEXT, state TEXT) -> INTEGER, always 1    directonly
** 'on': from now on keep what the rows of a table of overlays were, so that
** as_of shows them exactly; by triggers in plain SQL, one row for each change,
** with retention (settings delta_history_age, delta_history_rows).  On again
** after the table's columns have changed, a unique index has come, or it was
** made anew (which drops triggers): the history begins anew.  'off'
** removes the triggers and what was kept.
** Set: streaming
** Errors: "INVALID_ARGUMENT: delta_history: state must be 'on' or 'off', got
**   'x'"; those of delta_resolve for the table; "NOT_FOUND: delta_history:
**   table 't' has no history: ...".
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   SELECT delta_history('http', 'on'); -- 1
**   SELECT delta_resolve('http', 'list', '{"as_of":9999999999}') ->> 'exact';
**   -- 1
**   SELECT delta_history('http', 'off'); -- 1
*/
static void delta_history(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  DeltaForm *f = NULL;
  const char *zTable, *zState;
  int bKnown, bOn;
  steward_open(&c, ctx, "delta_history", "streaming", STEWARD_WRITE);
  zTable = steward_arg_text(&c, argv[0], "table", 1000);
  zState = steward_arg_text(&c, argv[1], "state", 1000);
  bOn = zState && strcmp(zState, "on") == 0;
  if (c.rc == SQLITE_OK && !bOn && strcmp(zState, "off")) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "state must be 'on' or 'off', got '%s'", zState);
  }
  if (c.rc == SQLITE_OK && bOn) f = delta_form_open(&c, zTable);
  bKnown = (int)steward_int(&c, SQL_delta_history_same, 0, "tt", zTable,
                            f ? f->zColumns : NULL);
  if (c.rc == SQLITE_OK && !bOn && !bKnown) {
    steward_fail(&c, STEWARD_NOT_FOUND,
                 "table '%s' has no history: SELECT delta_history(%Q, 'on')",
                 zTable, zTable);
  }
  if (f && bKnown) bKnown = delta_history_intact(&c, f);
  if (c.rc == SQLITE_OK && !(bOn && bKnown)) history_off(&c, zTable);
  if (f && !bKnown) history_on(&c, f);
  delta_form_close(&c, f);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

static const StewardFunc aFunc[] = {
    {"delta_history", 2, 2, STEWARD_DIRECTONLY, delta_history, NULL, 0},
};

int delta_history_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
