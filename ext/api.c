/*
** api.c - the interface for C programs, see steward.h.
**
** SQLite hands it over: the program binds the address of a pointer as a value
** of type "steward_api", which SQL cannot forge, and the function fills it in.
** The functions live as long as the process: the library stays mapped.
*/
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pool_int.h"

static _Thread_local char zLastError[500];

/* End a call from C: its result code; the text stays for this thread. */
static int api_close(StewardCall *c) {
  sqlite3_snprintf((int)sizeof(zLastError), zLastError, "%s",
                   c->rc == SQLITE_OK ? ""
                   : c->zErr          ? c->zErr
                                      : "out of memory");
  sqlite3_free(c->zErr);
  return c->rc;
}

/* By a path that may be another name of the file. */
static PoolConn *acquire_real(StewardCall *c, const char *zPath, int iTimeout) {
  PoolWant want = {.iTimeout = iTimeout, .bFill = 1};
  char *zReal = steward_path_real(c, zPath, 1);
  PoolConn *pConn;
  want.zPath = zReal;
  pConn = pool_acquire(c, &want);
  sqlite3_free(zReal);
  return pConn;
}

/* By a path that is most often the real one, of a pool that there is.  A
** directory on the way to it may have become a symlink since. */
static PoolConn *acquire_known(StewardCall *c, const char *zPath,
                               int iTimeout) {
  PoolWant want = {
      .zPath = zPath, .iTimeout = iTimeout, .bFill = 1, .bKnown = 1};
  PoolConn *pConn = pool_acquire(c, &want);
  StewardCall again = {.zFunc = c->zFunc};
  char *zReal;
  if (c->rc == SQLITE_OK) {
    return pConn ? pConn : acquire_real(c, zPath, iTimeout);
  }
  zReal = steward_path_real(&again, zPath, 1);
  if (zReal && strcmp(zReal, zPath)) {
    pConn = acquire_real(&again, zReal, iTimeout);
    sqlite3_free(c->zErr);
    *c = again;
  } else {
    sqlite3_free(again.zErr);
  }
  sqlite3_free(zReal);
  return pConn;
}

static int pool_acquire_c(const char *zPath, int iTimeout,
                          sqlite3 **ppDb /* OUT */) {
  StewardCall c = {.zFunc = "steward_pool_acquire"};
  PoolConn *pConn = NULL;
  *ppDb = NULL;
  if (zPath == NULL) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT, "path must be text, got NULL");
  } else if (zPath[0] == '/') {
    pConn = acquire_known(&c, zPath, iTimeout);
  } else {
    pConn = acquire_real(&c, zPath, iTimeout);
  }
  if (pConn) {
    pool_set_read_only(&c, pConn, 0);
    *ppDb = pConn->db;
  }
  return api_close(&c);
}

static int pool_release_c(sqlite3 *db) {
  StewardCall c = {.zFunc = "steward_pool_release"};
  if (!pool_release(db)) {
    steward_fail_rc(&c, SQLITE_MISUSE,
                    "this is no connection that was acquired and not given "
                    "back: release each once, by the process that acquired it");
  }
  return api_close(&c);
}

static int wait_open_c(sqlite3 *db, steward_waiter **pp /* OUT */) {
  StewardCall c = {.zFunc = "steward_wait_open"};
  steward_wait_open(&c, db, pp);
  return api_close(&c);
}

static int wait_ready_c(steward_waiter *w) {
  StewardCall c = {.zFunc = "steward_wait_ready"};
  int bReady = steward_wait_ready(&c, w);
  return api_close(&c) ? -1 : bReady;
}

static const char *error_c(void) {
  return zLastError;
}

static const steward_api api = {
    .version = 1,
    .pool_acquire = pool_acquire_c,
    .pool_release = pool_release_c,
    .wait_open = wait_open_c,
    .wait_fd = steward_wait_fd,
    .wait_ready = wait_ready_c,
    .wait_close = steward_wait_close,
    .error = error_c,
};

/* steward_api(pointer) -> INTEGER, version of the interface    directonly
** Hand the C interface to a program, which binds a pointer of type
** "steward_api": steward_api_get() of steward.h does it.  NULL for NULL, as SQL
** sees a pointer of another type.
** Errors: "INVALID_ARGUMENT: steward_api: it takes a pointer that a C program
**   binds, see steward_api_get() in steward.h".
** Source: fts5's C interface.
** Example: SELECT steward_api(NULL) IS NULL; -- 1
*/
static void steward_api_function(sqlite3_context *ctx, int argc,
                                 sqlite3_value **argv) {
  const steward_api **pp = sqlite3_value_pointer(argv[0], "steward_api");
  StewardCall c;
  steward_open(&c, ctx, "steward_api", NULL, STEWARD_READ);
  if (pp) {
    *pp = &api;
  } else if (sqlite3_value_type(argv[0]) != SQLITE_NULL) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "it takes a pointer that a C program binds, see "
                 "steward_api_get() in steward.h");
  }
  if (steward_close(&c) == SQLITE_OK && pp) {
    sqlite3_result_int(ctx, api.version);
  }
}

static const StewardFunc aFunc[] = {
    {"steward_api", 1, 1, STEWARD_DIRECTONLY, steward_api_function, NULL, 0},
};

int api_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
