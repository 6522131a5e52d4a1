/*
** help.c - what this library is and what it found here.
*/
#include <string.h>

#include "steward_int.h"

/* steward_version() -> TEXT    innocuous
** The library's version.
** Example: SELECT steward_version(); -- 0.1.0
*/
static void steward_version(sqlite3_context *ctx, int argc,
                            sqlite3_value **argv) {
  sqlite3_result_text(ctx, STEWARD_VERSION, -1, SQLITE_STATIC);
}

static void info_compile_options(sqlite3_str *pJson) {
  static const char *const azOption[] = {"ENABLE_DBSTAT_VTAB",
                                         "ENABLE_STMTVTAB",
                                         "ENABLE_STMT_SCANSTATUS",
                                         "ENABLE_NORMALIZE",
                                         "ENABLE_DBPAGE_VTAB",
                                         "OMIT_LOOKASIDE",
                                         "SECURE_DELETE",
                                         "DQS=0",
                                         "THREADSAFE=0"};
  int i;
  sqlite3_str_appendall(pJson, "\"compile_options\":{");
  for (i = 0; i < ArraySize(azOption); i++) {
    sqlite3_str_appendf(pJson, "%s\"%s\":%s", i ? "," : "", azOption[i],
                        sqlite3_compileoption_used(azOption[i]) ? "true"
                                                                : "false");
  }
  sqlite3_str_appendall(pJson, "}");
}

static void info_sets(StewardCall *c, sqlite3_str *pJson) {
  sqlite3_stmt *pRow = NULL;
  i64 iClock = -1;
  int n = 0;
  sqlite3_str_appendall(pJson, "\"sets\":{");
  if (steward_installed(c, "core")) {
    pRow = steward_query(c, SQL_info_sets, "");
    while (steward_next(c, pRow)) {
      sqlite3_str_appendf(pJson, "%s\"%s\":%d", n++ ? "," : "",
                          sqlite3_column_text(pRow, 0),
                          sqlite3_column_int(pRow, 1));
    }
    steward_give(c, SQL_info_sets, pRow);
    iClock = steward_int(c, SQL_config_get, -1, "t", "clock");
  }
  sqlite3_str_appendall(pJson, "},\"database_clock\":");
  if (iClock < 0) {
    sqlite3_str_appendall(pJson, "null");
  } else {
    sqlite3_str_appendf(pJson, "%lld", iClock);
  }
}

/* steward_info() -> JSON    directonly
** Versions of the library and of SQLite, the compile options that matter, the
** sets installed in main, whether the connection's clock is pinned, and at what
** time (Unix ms) that of the database, and whether main can be written.
** Example: SELECT json_extract(steward_info(), '$.steward'); -- 0.1.0
**   SELECT json_extract(steward_info(), '$.clock_pinned'); -- 1
*/
static void steward_info(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  sqlite3_str *pJson;
  char *zJson;
  steward_open(&c, ctx, "steward_info", NULL, STEWARD_READ);
  pJson = sqlite3_str_new(c.db);
  sqlite3_str_appendf(pJson, "{\"steward\":\"%s\",\"sqlite\":\"%s\",",
                      STEWARD_VERSION, sqlite3_libversion());
  sqlite3_str_appendf(pJson, "\"sqlite_minimum\":\"%s\",",
                      STEWARD_SQLITE_MINIMUM);
  info_compile_options(pJson);
  sqlite3_str_appendall(pJson, ",");
  info_sets(&c, pJson);
  sqlite3_str_appendf(pJson,
                      ",\"clock_pinned\":%s,\"read_only\":%s,\"dqlite\":%s}",
                      c.p->clock.bPinned ? "true" : "false",
                      sqlite3_db_readonly(c.db, "main") == 1 ? "true" : "false",
                      steward_on_dqlite(c.p) ? "true" : "false");
  zJson = sqlite3_str_finish(pJson);
  if (zJson == NULL) steward_fail_nomem(&c);
  steward_close_json(&c, zJson);
}

static const StewardFunc aFunc[] = {
    {"steward_version", 0, 0, STEWARD_INNOCUOUS, steward_version, NULL, 0},
    {"steward_info", 0, 0, STEWARD_DIRECTONLY, steward_info, NULL, 0},
};

int help_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
