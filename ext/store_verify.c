/*
** store_verify.c - is what the store says of itself true?
**
** Usage is kept by triggers, exactly, so this is for a database that had the
** tables before, and for one whose triggers somebody took away.
*/
#include <string.h>

#include "store_int.h"

/* store_bytes(value JSON) -> INTEGER, bytes    innocuous
** How many bytes a value counts as: those of its minified JSON in UTF-8.  NULL
** for NULL, and for what is no JSON.
** Source: seed 002, value_size_bytes.
** Example: SELECT store_bytes('{"a": [1, 2]}'); -- 11
*/
static void store_bytes(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  StewardJson json = {0};
  const char *z = NULL;
  int bOk = 0;
  steward_open(&c, ctx, "store_bytes", NULL, STEWARD_READ);
  if (sqlite3_value_type(argv[0]) != SQLITE_NULL) {
    z = (const char *)sqlite3_value_text(argv[0]);
    if (z == NULL) steward_fail_nomem(&c);
  }
  if (z) {
    bOk = steward_json_parse(&c, &json, z, sqlite3_value_bytes(argv[0]), 0);
  }
  if (steward_close(&c) == SQLITE_OK && bOk) {
    sqlite3_result_int(ctx, json.nText);
  }
  steward_json_free(&json);
}

/* store_verify(['repair']) -> INTEGER, what is wrong    directonly
** How many records have sizes that are not those of their minified JSON, and
** how many installs and namespaces have numbers that are not those of their
** records, and 1 more when steward_store_rules is not what settings, limits and
** schemas say; 0 when all is well.  With 'repair' they are set right, and the
** result is how many were wrong.  Reads every record.
** Set: storage
** Errors: "INVALID_ARGUMENT: store_verify: the argument must be 'repair', got
**   'x'"; BUSY.
** Source: seed 002, the cross-check of row counts after a restore.
** Example: SELECT store_put('settings', 'theme', '"dark"'); -- 1
**   SELECT store_verify(); -- 0
**   UPDATE ext_storage_usage SET bytes_used = 0;
**   SELECT store_verify('repair'), store_verify(); -- 1|0
*/
static void store_verify(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  i64 nWrong;
  int bRepair = argc > 0;
  steward_open(&c, ctx, "store_verify", "storage",
               bRepair ? STEWARD_WRITE : STEWARD_READ);
  if (bRepair) {
    const char *z = steward_arg_text(&c, argv[0], "the argument", 100);
    if (z && strcmp(z, "repair")) {
      steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                   "the argument must be 'repair', got '%s'", z);
    }
  }
  nWrong = steward_int(&c, SQL_store_wrong_sizes, 0, "") +
           steward_int(&c, SQL_store_wrong_usage, 0, "");
  if (bRepair && nWrong && c.rc == SQLITE_OK) {
    steward_script(&c, steward_sql[SQL_store_repair].zSql);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, nWrong);
}

static const StewardFunc aFunc[] = {
    {"store_bytes", 1, 1, STEWARD_INNOCUOUS, store_bytes, NULL, 0},
    {"store_verify", 0, 1, STEWARD_DIRECTONLY, store_verify, NULL, 0},
};

int store_verify_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
