/*
** pool_sql.c - queries on other files, through the pool.
**
**     SELECT pool_query('tenants/7.db', 'SELECT id, total FROM orders');
**     SELECT pool_exec('tenants/7.db', 'DELETE FROM carts WHERE age > 30');
**     SELECT pool_query_all('["tenants/7.db","tenants/8.db"]',
**                           'SELECT count(*) AS n FROM orders');
**
** The calling connection waits while the other one works.  Where both are of
** the same file and the first holds locks that the second needs, waiting would
** never end: that is refused at once.
*/
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "pool_int.h"

/* What a verb has found out about a path. */
typedef struct Target {
  const char *zGiven;
  char *zReal; /* owned */
  PoolConfig config;
  int eConfig; /* see pool_config_read() */
} Target;

static int same_file(const char *zA, const char *zB) {
  struct stat a, b;
  return stat(zA, &a) == 0 && stat(zB, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

/* Does this connection hold a lock on a schema's file for which another one
** that reads (bWrites: writes) would wait? */
static int holds_lock(StewardCall *c, const char *zSchema, int bWrites) {
  enum { PENDING = 3 };
  int eTxn, eLock = 0, bWal;
  char *zMode;
  sqlite3_file_control(c->db, zSchema, SQLITE_FCNTL_LOCKSTATE, &eLock);
  if (eLock >= PENDING) return 1;
  eTxn = sqlite3_txn_state(c->db, zSchema);
  if (!bWrites || eTxn != SQLITE_TXN_READ) return bWrites && eTxn;
  zMode = steward_exec_text(c, "PRAGMA \"%w\".journal_mode", zSchema);
  bWal = zMode && strcmp(zMode, "wal") == 0;
  sqlite3_free(zMode);
  return !bWal;
}

/* The other connection must not wait for what this one holds on its file. */
static void check_locks(StewardCall *c, const char *zReal, int bWrites) {
  const char *zSchema;
  int i;
  for (i = 0; c->rc == SQLITE_OK && (zSchema = sqlite3_db_name(c->db, i));
       i++) {
    const char *zFile = sqlite3_db_filename(c->db, zSchema);
    if (zFile == NULL || zFile[0] == 0) continue;
    if (holds_lock(c, zSchema, bWrites) && c->rc == SQLITE_OK &&
        same_file(zFile, zReal)) {
      steward_fail(c, STEWARD_UNSUPPORTED,
                   "this connection holds a lock on '%s' itself, which the "
                   "other one would wait for: end the transaction first, or "
                   "%s here",
                   zReal, bWrites ? "write" : "read");
    }
  }
}

/* The pool is for connections of the host. */
static void check_host(StewardCall *c) {
  if (c->rc == SQLITE_OK && c->p->bPooled) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "a connection of the pool cannot use the pool: call it on a "
                 "connection of your own");
  } else if (steward_on_dqlite(c->p)) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "on dqlite there is no second connection: ask the other file "
                 "by its own connection");
  }
}

/* The file that a path means, and how its pool is configured. */
static void find_target(StewardCall *c, const char *zPath,
                        Target *pTarget /* OUT */) {
  memset(pTarget, 0, sizeof(*pTarget));
  pTarget->zGiven = zPath;
  pTarget->config = pool_default;
  pTarget->zReal = steward_path_allowed(c, zPath, 1);
  if (pTarget->zReal) {
    check_locks(c, pTarget->zReal, 0);
    pTarget->eConfig =
        pool_config_read(c, pTarget->zReal, zPath, &pTarget->config);
  }
}

/* The VFS of the caller's file: two of them on one file would not see each
** other's locks.  NULL: the default one, also for a caller in memory (memdb is
** the VFS of sqlite3_deserialize()). */
static const char *vfs_of(StewardCall *c) {
  const char *zFile = sqlite3_db_filename(c->db, "main");
  sqlite3_vfs *pVfs = NULL;
  if (zFile && zFile[0]) {
    sqlite3_file_control(c->db, "main", SQLITE_FCNTL_VFS_POINTER, &pVfs);
  }
  return pVfs && strcmp(pVfs->zName, "memdb") ? pVfs->zName : NULL;
}

static PoolConn *acquire(StewardCall *c, const Target *pTarget,
                         const char *zVfs, int bFill, int (*xStop)(void *),
                         void *pStop) {
  PoolWant want = {.zPath = pTarget->zReal,
                   .zVfs = zVfs,
                   .iTimeout = -1,
                   .pConfig = pTarget->eConfig ? &pTarget->config : NULL,
                   .bDefault = pTarget->eConfig == 1,
                   .xStop = xStop,
                   .pStop = pStop,
                   .bFill = bFill};
  return pool_acquire(c, &want);
}

static const char *arg_sql(StewardCall *c, sqlite3_value *v) {
  return steward_arg_text(c, v, "sql", 1000000);
}

/* The JSON of the parameters, or NULL where there are none. */
static const char *arg_params(StewardCall *c, sqlite3_value *v) {
  const char *z;
  if (c->rc || sqlite3_value_type(v) == SQLITE_NULL) return NULL;
  z = steward_arg_text(c, v, "params", 100000000);
  if (steward_int(c, SQL_pool_is_array, 0, "ti", z, 1) == 0) {
    steward_fail_argument(c, v, "params", "a JSON array or object");
  }
  return z;
}

/* pool_query(path TEXT, sql TEXT [, params JSON]) -> JSON    directonly
** Run one statement on another file, through its pool; the rows as a JSON array
** of objects, BLOBs as {"$blob":"hex"}.  params is an array for ?1, ?2 ... or
** an object for :name, @name and $name.  It only reads, unless pool_configure()
** allows more.
** The file must be below the directory of this database, or of setting
** `directories`; the result at most setting `pool_max_bytes`.
** Errors: "READ_ONLY: pool_query: it only reads, which leaves out writing: use
**   pool_exec(), or allow it by pool_configure(.., '{"writes":true}')"; "BUSY:
**   pool_query: all 8 connections to '/a.db' were in use for 30000 ms, and 2
**   more callers wait: give connections back sooner, or raise the maximum by
**   pool_configure()"; NOT_FOUND; LIMIT_EXCEEDED; INVALID_ARGUMENT.
** Source: seed 001, connection pooling.
** Example: SELECT vacuum_into('copy.db') > 0; -- 1
**   SELECT pool_query('copy.db', 'SELECT ?1 AS a, ?2 AS b', '[7,"x"]');
**   -- [{"a":7,"b":"x"}]
*/
static void pool_query(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  Target target = {0};
  PoolRun run = {0};
  PoolConn *pConn;
  char *zRows = NULL;
  const char *zPath;
  steward_open(&c, ctx, "pool_query", NULL, STEWARD_READ);
  check_host(&c);
  zPath = steward_arg_text(&c, argv[0], "path", 4000);
  run.zSql = arg_sql(&c, argv[1]);
  if (argc > 2) run.zParams = arg_params(&c, argv[2]);
  run.nMost = steward_setting_int(&c, "pool_max_bytes");
  run.xStop = steward_pass_interrupt;
  run.pStop = &c;
  if (c.rc == SQLITE_OK) find_target(&c, zPath, &target);
  pConn = acquire(&c, &target, vfs_of(&c), 1, run.xStop, run.pStop);
  if (pConn) {
    run.bWrites = (int)pool_config_of(pConn).bWrites;
    if (run.bWrites) check_locks(&c, target.zReal, 1);
    if (c.rc == SQLITE_OK) zRows = pool_run_query(&c, pConn, &run);
    pool_release(pConn->db);
  }
  sqlite3_free(target.zReal);
  steward_close_json(&c, zRows);
}

/* pool_exec(path TEXT, sql TEXT) -> INTEGER, rows changed    directonly
** Run a script on another file, through its pool: all of it or, when a
** statement fails, nothing.  It is one transaction of its own, whatever becomes
** of the caller's; a statement that is alone runs by itself (VACUUM).  Rows
** that triggers change count, too.
** Errors: "UNSUPPORTED: pool_exec: a transaction of its own cannot be part of
**   what runs in a pool: leave it out"; "UNSUPPORTED: pool_exec: this
**   connection holds a lock on '/a.db' itself, which the other one would wait
**   for: end the transaction first, or write here"; those of pool_query().
** Source: seed 001, connection pooling.
** Example: SELECT vacuum_into('copy.db') > 0; -- 1
**   SELECT pool_exec('copy.db', 'CREATE TABLE t(x); INSERT INTO t VALUES (1)');
**   -- 1
*/
static void pool_exec(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  Target target = {0};
  PoolRun run = {0};
  PoolConn *pConn;
  const char *zPath;
  i64 nChange = 0;
  steward_open(&c, ctx, "pool_exec", NULL, STEWARD_READ);
  check_host(&c);
  zPath = steward_arg_text(&c, argv[0], "path", 4000);
  run.zSql = arg_sql(&c, argv[1]);
  run.bWrites = 1;
  run.xStop = steward_pass_interrupt;
  run.pStop = &c;
  if (c.rc == SQLITE_OK) find_target(&c, zPath, &target);
  if (c.rc == SQLITE_OK) check_locks(&c, target.zReal, 1);
  pConn = acquire(&c, &target, vfs_of(&c), 1, run.xStop, run.pStop);
  if (pConn) {
    nChange = pool_run_script(&c, pConn, &run);
    pool_release(pConn->db);
  }
  sqlite3_free(target.zReal);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, nChange);
}

/*************************************************************************
** Many files at a time
*/
typedef struct Item {
  Target target;
  char *zRows, *zErr; /* one of them, owned; both NULL: out of memory */
} Item;

typedef struct Many {
  Item *aItem;
  int nItem, nAlloc;
  const char *zSql, *zParams, *zVfs;
  i64 nMost;
  atomic_llong nBytes; /* of results so far */
  atomic_int iNext;    /* the item that nobody has begun yet */
  atomic_int bStop;
  pthread_mutex_t mutex;
  pthread_cond_t done;
  int nRunning; /* threads, under the mutex */
} Many;

static int many_stopped(void *pMany) {
  return atomic_load(&((Many *)pMany)->bStop);
}

static void run_item(Many *pMany, Item *pItem) {
  StewardCall c = {.zFunc = "pool_query_all", .rc = SQLITE_OK};
  i64 nLeft = pMany->nMost - atomic_load(&pMany->nBytes);
  PoolRun run = {.zSql = pMany->zSql,
                 .zParams = pMany->zParams,
                 .nMost = nLeft > 0 ? nLeft : 0,
                 .xStop = many_stopped,
                 .pStop = pMany};
  PoolConn *pConn =
      acquire(&c, &pItem->target, pMany->zVfs, 0, run.xStop, run.pStop);
  if (pConn) {
    pItem->zRows = pool_run_query(&c, pConn, &run);
    pool_release(pConn->db);
  }
  if (pItem->zRows) {
    atomic_fetch_add(&pMany->nBytes, (long long)strlen(pItem->zRows));
  }
  pItem->zErr = c.zErr;
}

static void run_items(Many *pMany) {
  while (!many_stopped(pMany)) {
    int i = atomic_fetch_add(&pMany->iNext, 1);
    if (i >= pMany->nItem) break;
    if (pMany->aItem[i].zErr == NULL) run_item(pMany, &pMany->aItem[i]);
  }
}

static void *run_thread(void *pArg) {
  Many *pMany = pArg;
  run_items(pMany);
  pthread_mutex_lock(&pMany->mutex);
  pMany->nRunning--;
  pthread_cond_signal(&pMany->done);
  pthread_mutex_unlock(&pMany->mutex);
  return NULL;
}

/* Start up to n threads, which take no signals of the host's. */
static int start_threads(Many *pMany, pthread_t *aThread, int n) {
  sigset_t all, before;
  int i = 0;
  if (sqlite3_threadsafe() == 0) return 0;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (i < n && pthread_create(&aThread[i], NULL, run_thread, pMany) == 0) {
    i++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return i;
}

/* Wait for the threads, and pass sqlite3_interrupt() on to them. */
static void wait_for_threads(StewardCall *c, Many *pMany) {
  pthread_mutex_lock(&pMany->mutex);
  while (pMany->nRunning > 0) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += 100000000;
    if (at.tv_nsec >= 1000000000) {
      at.tv_sec++;
      at.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&pMany->done, &pMany->mutex, &at);
    if (many_stopped(pMany)) continue;
    pthread_mutex_unlock(&pMany->mutex);
    if (steward_pass_interrupt(c)) atomic_store(&pMany->bStop, 1);
    pthread_mutex_lock(&pMany->mutex);
  }
  pthread_mutex_unlock(&pMany->mutex);
}

static void run_many(StewardCall *c, Many *pMany, int nThread) {
  enum { MOST = 64 };
  pthread_t aThread[MOST];
  pthread_condattr_t attr;
  int i, nStarted;
  if (nThread > pMany->nItem) nThread = pMany->nItem;
  pthread_mutex_init(&pMany->mutex, NULL);
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&pMany->done, &attr);
  pthread_condattr_destroy(&attr);
  pMany->nRunning = nThread;
  nStarted = start_threads(pMany, aThread, nThread);
  pthread_mutex_lock(&pMany->mutex);
  pMany->nRunning -= nThread - nStarted;
  pthread_mutex_unlock(&pMany->mutex);
  if (nStarted == 0) run_items(pMany);
  wait_for_threads(c, pMany);
  for (i = 0; i < nStarted; i++) pthread_join(aThread[i], NULL);
  pthread_cond_destroy(&pMany->done);
  pthread_mutex_destroy(&pMany->mutex);
  if (many_stopped(pMany)) {
    steward_fail_rc(c, SQLITE_INTERRUPT, "interrupted");
  }
}

/* Note a path; what is wrong with it is its own result, not the others'. */
static void add_item(StewardCall *c, Many *pMany, const char *zPath) {
  StewardCall look = *c;
  Item *pItem;
  if (!steward_grow(c, &pMany->aItem, pMany->nItem, &pMany->nAlloc,
                    sizeof(Item))) {
    return;
  }
  pItem = &pMany->aItem[pMany->nItem++];
  find_target(&look, zPath, &pItem->target);
  pItem->target.zGiven = steward_mprintf(c, "%s", zPath);
  pItem->zErr = look.zErr;
  if (look.rc && look.zErr == NULL) steward_fail_nomem(c);
}

static void add_items(StewardCall *c, Many *pMany, sqlite3_value *v) {
  const char *zPaths = steward_arg_text(c, v, "paths", 100000000);
  sqlite3_stmt *pRow;
  if (c->rc == SQLITE_OK &&
      steward_int(c, SQL_pool_is_array, 0, "ti", zPaths, 0) == 0) {
    steward_fail_argument(c, v, "paths", "a JSON array of paths");
  }
  pRow = steward_query(c, SQL_pool_paths, "t", zPaths);
  while (steward_next(c, pRow)) {
    const char *zType = (const char *)sqlite3_column_text(pRow, 1);
    const char *zPath = (const char *)sqlite3_column_text(pRow, 0);
    if (zType == NULL) {
      steward_fail_nomem(c);
    } else if (zPath == NULL || strcmp(zType, "text")) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "paths must be an array of texts, got one with %s: give "
                   "paths of files",
                   zType);
    } else {
      add_item(c, pMany, zPath);
    }
  }
  steward_give(c, SQL_pool_paths, pRow);
}

static char *items_json(StewardCall *c, const Many *pMany) {
  sqlite3_str *pOut = sqlite3_str_new(c->db);
  int i;
  for (i = 0; i < pMany->nItem && c->rc == SQLITE_OK; i++) {
    const Item *p = &pMany->aItem[i];
    const char *zPath = p->target.zGiven;
    sqlite3_str_appendall(pOut, i ? ",{\"path\":" : "[{\"path\":");
    steward_json_string(pOut, zPath, (int)strlen(zPath));
    if (p->zRows) {
      sqlite3_str_appendf(pOut, ",\"rows\":%s}", p->zRows);
    } else if (p->zErr) {
      sqlite3_str_appendall(pOut, ",\"error\":");
      steward_json_string(pOut, p->zErr, (int)strlen(p->zErr));
      sqlite3_str_appendchar(pOut, 1, '}');
    } else {
      steward_fail_nomem(c);
    }
  }
  sqlite3_str_appendall(pOut, pMany->nItem ? "]" : "[]");
  return steward_str_finish(c, pOut);
}

static void many_free(Many *pMany) {
  int i;
  for (i = 0; i < pMany->nItem; i++) {
    sqlite3_free((char *)pMany->aItem[i].target.zGiven);
    sqlite3_free(pMany->aItem[i].target.zReal);
    sqlite3_free(pMany->aItem[i].zRows);
    sqlite3_free(pMany->aItem[i].zErr);
  }
  sqlite3_free(pMany->aItem);
}

/* pool_query_all(paths JSON, sql TEXT [, params JSON]) -> JSON    directonly
** Run a reading statement on many files, setting `pool_threads` of them at a
** time, each on its own connection: no limit of ten attached databases.  A JSON
** array in the order of paths: {"path":p,"rows":[..]}, or {"path":p,"error":t}
** where that file could not be read.
** Errors: "INVALID_ARGUMENT: pool_query_all: paths must be a JSON array of
**   paths, got 'x'"; what pool_query() refuses is the error of that path.
** Source: seed 001, connection pooling; one file per tenant.
** Example: SELECT vacuum_into('copy.db') > 0; -- 1
**   SELECT pool_query_all('["copy.db"]', 'SELECT 1 AS x');
**   -- [{"path":"copy.db","rows":[{"x":1}]}]
*/
static void pool_query_all(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  StewardCall c;
  Many many;
  char *zResult = NULL;
  i64 nThread;
  memset(&many, 0, sizeof(many));
  steward_open(&c, ctx, "pool_query_all", NULL, STEWARD_READ);
  check_host(&c);
  add_items(&c, &many, argv[0]);
  many.zSql = arg_sql(&c, argv[1]);
  if (argc > 2) many.zParams = arg_params(&c, argv[2]);
  many.zVfs = vfs_of(&c);
  many.nMost = steward_setting_int(&c, "pool_max_bytes");
  nThread = steward_setting_int(&c, "pool_threads");
  if (c.rc == SQLITE_OK) run_many(&c, &many, (int)nThread);
  if (c.rc == SQLITE_OK) zResult = items_json(&c, &many);
  many_free(&many);
  steward_close_json(&c, zResult);
}

static const StewardFunc aFunc[] = {
    {"pool_query", 2, 3, STEWARD_DIRECTONLY, pool_query, NULL, 0},
    {"pool_exec", 2, 2, STEWARD_DIRECTONLY, pool_exec, NULL, 0},
    {"pool_query_all", 2, 3, STEWARD_DIRECTONLY, pool_query_all, NULL, 0},
};

int pool_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
