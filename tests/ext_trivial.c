/*
** ext_trivial.c - the smallest extension: one function.  bench.c compares the
** cost of loading the library with it.
*/
#include <stddef.h>

#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

static void trivial(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  sqlite3_result_int(ctx, 1);
}

__attribute__((visibility("default"))) int sqlite3_extension_init(
    sqlite3 *db, char **pzErr, const sqlite3_api_routines *pApi);

int sqlite3_extension_init(sqlite3 *db, char **pzErr,
                           const sqlite3_api_routines *pApi) {
  (void)pzErr;
  SQLITE_EXTENSION_INIT2(pApi);
  return sqlite3_create_function(db, "trivial", 0, SQLITE_UTF8, NULL, trivial,
                                 NULL, NULL);
}
