/*
** steward.h - what a C program may know about Steward.
**
** Steward is a SQLite extension: load it with sqlite3_load_extension() or
** `.load steward` and use it through SQL.  Nothing needs to be linked: what
** there is for C is handed over by a connection that has the library.
**
**     const steward_api *api = steward_api_get(db);
**     sqlite3 *conn;
**     if (api->pool_acquire("app.db", 1000, &conn) == SQLITE_OK) {
**       ... use conn, on this thread ...
**       api->pool_release(conn);
**     } else {
**       fprintf(stderr, "%s\n", api->error());
**     }
**
** The functions may be called by every thread, and stay valid until the process
** ends, also after db is closed.
*/
#ifndef STEWARD_H
#define STEWARD_H

#define STEWARD_VERSION "0.1.0"
#define STEWARD_VERSION_NUMBER 1000 /* major*1000000 + minor*1000 + patch */

/* The oldest SQLite that loads the library; older ones refuse it. */
#define STEWARD_SQLITE_MINIMUM "3.40.0"
#define STEWARD_SQLITE_MINIMUM_NUMBER 3040000

#ifdef SQLITE_VERSION /* sqlite3.h or sqlite3ext.h came first */

typedef struct steward_api steward_api;
typedef struct steward_waiter steward_waiter;

struct steward_api {
  int version; /* 1; later ones have more members at the end */

  /* A connection to a database file out of the pool of the process, with
  ** Steward loaded; waits timeout_ms for one (negative: as configured for the
  ** file, see pool_configure()).  It is yours alone until you release it, on
  ** one thread at a time.  SQLITE_OK, or an error code, and *ppDb is NULL. */
  int (*pool_acquire)(const char *zPath, int timeout_ms, sqlite3 **ppDb);

  /* Give it back.  Finalize your statements first; a transaction that is open
  ** is rolled back.  Using it afterwards gives SQLITE_INTERRUPT as long as
  ** nobody else has it.  SQLITE_MISUSE when it is not yours to release. */
  int (*pool_release)(sqlite3 *db);

  /* For an event loop: a descriptor that becomes readable when another
  ** connection may have committed to the main database of db.  When it is,
  ** call wait_ready() on the thread of db and outside of a transaction: 1 when
  ** there is something new, as delivery_wait() would say, 0 when not yet (the
  ** descriptor becomes readable again), -1 after an error.  Close the handle
  ** before db. */
  int (*wait_open)(sqlite3 *db, steward_waiter **ppWait);
  int (*wait_fd)(steward_waiter *pWait);
  int (*wait_ready)(steward_waiter *pWait);
  void (*wait_close)(steward_waiter *pWait);

  /* What went wrong in the last call on this thread; "" when nothing did. */
  const char *(*error)(void);
};

/* The interface, by a connection that has Steward loaded; NULL: it has not. */
static inline const steward_api *steward_api_get(sqlite3 *db) {
  const steward_api *api = 0;
  sqlite3_stmt *stmt = 0;
  if (sqlite3_prepare_v2(db, "SELECT steward_api(?1)", -1, &stmt, 0) ==
      SQLITE_OK) {
    sqlite3_bind_pointer(stmt, 1, (void *)&api, "steward_api", 0);
    sqlite3_step(stmt);
  }
  sqlite3_finalize(stmt);
  return api;
}

#endif
#endif
