/*
** steward.c - the entry point: Steward's table of contents.
**
** Loading registers functions and tables and does nothing else: no table is
** created, no transaction opened, no hook installed, nothing read from the
** file.  A second load on the same connection changes nothing.
**
**     .load build/steward
**     SELECT steward_on();
**     SELECT * FROM steward_help;
*/
#define STEWARD_ENTRY 1
#include <string.h>

#include "sqlite3ext.h"
SQLITE_EXTENSION_INIT1
#include "steward_int.h"

/* A part of the library: its verbs are in ext/<name>.c, its tables in
** vtab/<name>.c, its statements in sql/<name>.sql. */
static int (*const aRegister[])(Steward *) = {
    on_register, /* on, off, uninstall */
    config_register,
    config_tables_register, /* settings, the clock */
    migrate_register,
    migrate_tables_register, /* sets of tables */
    delivery_register,
    delivery_tables_register, /* delivery queues */
    ttl_register,
    ttl_tables_register, /* rows that expire */
    delta_register,      /* overlays */
    perf_register,
    perf_tables_register,        /* measurements */
    health_tables_register,      /* checks */
    vacuum_tables_register,      /* free space */
    maintenance_tables_register, /* the sqlite_* tables */
    help_register,
    help_tables_register, /* help, errors: last */
};

/* Is the library on this connection already, all of it?  steward_options is
** registered last: after a load that failed half-way (no memory) it is not
** there, and another try registers everything again.  The library stays mapped
** for that (-z nodelete), since SQLite closes it after a failure.  PRAGMA
** module_list does not read the file. */
static int already_loaded(sqlite3 *db) {
  sqlite3_stmt *pStmt = NULL;
  int bFound = 0;
  if (sqlite3_prepare_v2(db, "PRAGMA module_list", -1, &pStmt, NULL)) return 0;
  while (!bFound && sqlite3_step(pStmt) == SQLITE_ROW) {
    const char *zName = (const char *)sqlite3_column_text(pStmt, 0);
    bFound = zName && strcmp(zName, "steward_options") == 0;
  }
  sqlite3_finalize(pStmt);
  return bFound;
}

#ifdef _WIN32
__declspec(dllexport)
#else
__attribute__((visibility("default")))
#endif
    int sqlite3_steward_init(sqlite3 *db, char **pzErrMsg,
                             const sqlite3_api_routines *pApi);

int sqlite3_steward_init(sqlite3 *db, char **pzErrMsg,
                         const sqlite3_api_routines *pApi) {
  Steward *p;
  int i, rc;
  SQLITE_EXTENSION_INIT2(pApi);
  if (sqlite3_libversion_number() < STEWARD_SQLITE_MINIMUM_NUMBER) {
    *pzErrMsg = sqlite3_mprintf(
        "steward %s needs SQLite %s or later, this is %s: load it into a newer "
        "SQLite",
        STEWARD_VERSION, STEWARD_SQLITE_MINIMUM, sqlite3_libversion());
    return SQLITE_ERROR;
  }
  if (already_loaded(db)) return SQLITE_OK;
  p = steward_new(db);
  if (p == NULL) return SQLITE_NOMEM;
  rc = steward_statements_register(p); /* owns p from here on */
  for (i = 0; i < ArraySize(aRegister) && rc == SQLITE_OK; i++) {
    rc = aRegister[i](p);
  }
  if (rc && rc != SQLITE_NOMEM) {
    *pzErrMsg =
        sqlite3_mprintf("steward: registering failed: %s", sqlite3_errmsg(db));
  }
  return rc;
}
