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
    change_register,
    change_tables_register, /* change index */
    job_register,
    job_claim_register,
    job_finish_register,
    job_admin_register,
    job_schedule_register,
    job_tables_register,
    job_schedule_tables_register,
    job_stats_tables_register, /* jobs */
    lock_register,
    lock_tables_register, /* named locks, row locks */
    ledger_idempotency_register,
    ledger_approval_register,
    ledger_session_register,
    ledger_event_register,
    ledger_tables_register, /* idempotency, approvals, sessions ... */
    ttl_register,
    ttl_tables_register, /* rows that expire */
    keeper_register,
    keeper_thread_register,
    keeper_tables_register, /* everything due, by a call or a thread */
    store_register,
    store_tables_register, /* a key-value store */
    steward_feed_register,
    steward_keep_register,
    delta_register, /* overlays */
    delta_define_register,
    delta_history_register,
    delta_write_register,
    delta_last_register,
    delta_tables_register,
    delta_table_register,
    delta_children_register,
    fk_register,
    fk_tables_register, /* foreign keys */
    stream_register,
    stream_tables_register, /* changes as a stream */
    perf_text_register,
    perf_trace_register, /* what statements cost */
    perf_io_register,
    perf_stat_register,
    perf_history_register,
    perf_export_register,
    perf_report_register, /* steward_report */
    perf_register,
    perf_tables_register, /* measurements */
    health_register,
    health_tables_register, /* checks */
    doctor_tables_register, /* findings, and what mends them */
    vacuum_register,
    vacuum_auto_register,
    vacuum_progress_register,
    vacuum_tables_register, /* free space */
    tune_register,
    tune_tables_register,        /* pragmas */
    maintenance_tables_register, /* the sqlite_* tables */
    pool_config_register,
    pool_register,
    pool_tables_register, /* connections, and queries on other files */
    api_register,         /* the same for C */
    help_register,
    help_tables_register, /* help, errors: last */
};

enum { LOADED_NOT, LOADED_PARTLY, LOADED_FULLY };

/* Is the library on this connection already?  steward_statements is registered
** first and steward_options last: between them a load ran out of memory.  (The
** library stays mapped for what that load left, by -z nodelete: SQLite closes a
** library whose entry point fails.)  PRAGMA module_list reads no file. */
static int already_loaded(sqlite3 *db, int *peLoaded /* OUT */) {
  sqlite3_stmt *pStmt = NULL;
  int rc = sqlite3_prepare_v2(db, "PRAGMA module_list", -1, &pStmt, NULL);
  *peLoaded = LOADED_NOT;
  if (rc) return rc;
  while ((rc = sqlite3_step(pStmt)) == SQLITE_ROW) {
    const char *zName = (const char *)sqlite3_column_text(pStmt, 0);
    if (zName == NULL) continue;
    if (strcmp(zName, "steward_options") == 0) *peLoaded = LOADED_FULLY;
    if (strcmp(zName, "steward_statements") == 0 && *peLoaded == LOADED_NOT) {
      *peLoaded = LOADED_PARTLY;
    }
  }
  return sqlite3_finalize(pStmt);
}

/* Give a connection everything, unless it has it. */
int steward_setup(sqlite3 *db, char **pzErrMsg) {
  Steward *p;
  int i, rc, eLoaded;
  rc = already_loaded(db, &eLoaded);
  if (rc || eLoaded == LOADED_FULLY) return rc;
  if (eLoaded == LOADED_PARTLY) {
    *pzErrMsg = sqlite3_mprintf(
        "steward: an earlier load ran out of memory half-way: open another "
        "connection");
    return SQLITE_ERROR;
  }
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

#ifdef _WIN32
__declspec(dllexport)
#else
__attribute__((visibility("default")))
#endif
    int sqlite3_steward_init(sqlite3 *db, char **pzErrMsg,
                             const sqlite3_api_routines *pApi);

int sqlite3_steward_init(sqlite3 *db, char **pzErrMsg,
                         const sqlite3_api_routines *pApi) {
  /* SQLITE_EXTENSION_INIT2, which writes though connections of other threads
  ** are reading it */
  if (sqlite3_api != pApi) sqlite3_api = pApi;
  if (sqlite3_libversion_number() < STEWARD_SQLITE_MINIMUM_NUMBER) {
    *pzErrMsg = sqlite3_mprintf(
        "steward %s needs SQLite %s or later, this is %s: load it into a newer "
        "SQLite",
        STEWARD_VERSION, STEWARD_SQLITE_MINIMUM, sqlite3_libversion());
    return SQLITE_ERROR;
  }
  return steward_setup(db, pzErrMsg);
}
