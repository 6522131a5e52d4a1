/*
** lock.c - named locks, and locks on rows.
**
** A lock belongs to an owner until its time is over, and each acquisition has a
** token, larger than all before it, by which a late owner can be fenced off.
** lock_rows takes rows of a table that nobody else has, and passes over the
** others: what FOR UPDATE SKIP LOCKED does elsewhere.
**
**     SELECT lock_acquire('report', 'me');
**     SELECT lock_renew('report', 1, '30s');
**     SELECT lock_release('report', 1);
**
** The lock `worker` is the row of assistly_worker_lock.
*/
#include <string.h>

#include "steward_int.h"

#define NAME_MAX_BYTES 200
#define TTL_MAX 3153600000000LL
#define DAY 86400000

typedef struct LockOptions {
  i64 iTtl;
  i64 nSlot;
  i64 iTimeout; /* of lock_wait */
} LockOptions;

static const StewardOption aLockOption[] = {
    {"ttl", STEWARD_OPT_DURATION, offsetof(LockOptions, iTtl), 1, TTL_MAX, NULL,
     "how long it is the owner's, unless renewed; 30 s"},
    {"slots", STEWARD_OPT_INT, offsetof(LockOptions, nSlot), 1, 1000, NULL,
     "how many owners may have it at a time; 1"},
    {"timeout", STEWARD_OPT_DURATION, offsetof(LockOptions, iTimeout), 0, DAY,
     NULL, "how long to wait for it; 30 s"},
};

/* The arguments name, owner and options. */
static void lock_arguments(StewardCall *c, int argc, sqlite3_value **argv,
                           int nOption, const char **pzName,
                           const char **pzOwner, LockOptions *pOptions) {
  *pzName = steward_arg_text(c, argv[0], "name", NAME_MAX_BYTES);
  *pzOwner = steward_arg_text(c, argv[1], "owner", NAME_MAX_BYTES);
  pOptions->iTtl = pOptions->iTimeout = 30000;
  pOptions->nSlot = 1;
  if (argc > 2) steward_options(c, argv[2], aLockOption, nOption, pOptions);
}

/* lock_acquire(name TEXT, owner TEXT [, options JSON])
**   -> INTEGER, a token                                                 plain
** Have the lock for a while (ttl, 30 s): its token, larger at every acquisition
** of any lock, or NULL when others have it.  An owner that has it already gets
** a new token, and the time begins anew.  Refused inside a writing statement.
** Set: jobs
** Errors: "INVALID_ARGUMENT: lock_acquire: option slots must be an integer
**   within 1..1000, got 0"; NOT_INSTALLED; UNSUPPORTED; BUSY.
** Source: seed 003, assistly_worker_lock; fencing as in Chubby and ZooKeeper.
** Example: SELECT lock_acquire('report', 'me', '{"ttl":"1m"}'); -- 1
**   SELECT lock_acquire('report', 'you') IS NULL; -- 1
**   SELECT lock_acquire('report', 'me'); -- 2
*/
static void lock_acquire(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zName, *zOwner;
  LockOptions o;
  i64 iToken = 0;
  steward_open(&c, ctx, "lock_acquire", "jobs", STEWARD_WRITE);
  lock_arguments(&c, argc, argv, 2, &zName, &zOwner, &o);
  if (c.rc == SQLITE_OK) {
    iToken = steward_lease_take(&c, zName, zOwner, o.iTtl, o.nSlot);
  }
  if (steward_close(&c) == SQLITE_OK && iToken) {
    sqlite3_result_int64(ctx, iToken);
  }
}

/* lock_renew(name TEXT, token INTEGER, ttl) -> INTEGER, always 1    plain
** Keep the lock for so long from now on.  One that has expired is lost, also
** when nobody has taken it yet.
** Set: jobs
** Errors: "LEASE_LOST: lock_renew: token 1 of lock 'report' expired 5 ms ago:
**   acquire it again"; "LEASE_LOST: lock_renew: token 1 does not hold lock
**   'report', which 'you' has under token 2: acquire it again";
**   INVALID_ARGUMENT; NOT_INSTALLED; BUSY.
** Example: SELECT lock_acquire('report', 'me'); -- 1
**   SELECT lock_renew('report', 1, '30s'); -- 1
*/
static void lock_renew(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zName;
  i64 iToken, iTtl;
  steward_open(&c, ctx, "lock_renew", "jobs", STEWARD_WRITE_ONE);
  zName = steward_arg_text(&c, argv[0], "name", NAME_MAX_BYTES);
  iToken = steward_arg_int(&c, argv[1], "token", INT64_MIN, INT64_MAX);
  iTtl = steward_arg_time(&c, argv[2], "ttl");
  if (c.rc == SQLITE_OK && (iTtl < 1 || iTtl > TTL_MAX)) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "ttl must be within 1..%lld ms, got %lld", TTL_MAX, iTtl);
  }
  if (c.rc == SQLITE_OK) steward_lease_renew(&c, zName, iToken, iTtl);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* lock_release(name TEXT, token INTEGER) -> INTEGER, always 1    plain
** Others may have the lock.
** Set: jobs
** Errors: "LEASE_LOST: lock_release: nobody holds lock 'report' any more, token
**   1 neither: acquire it again"; NOT_INSTALLED; BUSY.
** Example: SELECT lock_acquire('report', 'me'); -- 1
**   SELECT lock_release('report', 1); -- 1
*/
static void lock_release(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zName;
  i64 iToken;
  steward_open(&c, ctx, "lock_release", "jobs", STEWARD_WRITE_ONE);
  zName = steward_arg_text(&c, argv[0], "name", NAME_MAX_BYTES);
  iToken = steward_arg_int(&c, argv[1], "token", INT64_MIN, INT64_MAX);
  if (c.rc == SQLITE_OK) steward_lease_give(&c, zName, iToken);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/*************************************************************************
** Waiting
*/
typedef struct LockWait {
  const char *zName, *zOwner;
  LockOptions o;
  i64 iSoonest; /* when the next slot expires, or -1 */
} LockWait;

static i64 slot_free(StewardCall *c, void *pArg) {
  const LockWait *w = pArg;
  return steward_int(c, SQL_lock_slot, 0, "ttll", w->zName, w->zOwner,
                     steward_now(c->p), w->o.nSlot);
}

/* One attempt, a call of its own: 1 when it is over, with the token. */
static int wait_take(sqlite3_context *ctx, LockWait *w, int argc,
                     sqlite3_value **argv, i64 *piToken /* OUT */) {
  StewardCall c;
  steward_open(&c, ctx, "lock_wait", "jobs", STEWARD_WRITE);
  lock_arguments(&c, argc, argv, 3, &w->zName, &w->zOwner, &w->o);
  if (c.rc == SQLITE_OK) {
    *piToken =
        steward_lease_take(&c, w->zName, w->zOwner, w->o.iTtl, w->o.nSlot);
    w->iSoonest = steward_int(&c, SQL_lock_soonest, -1, "t", w->zName);
  }
  return steward_close(&c) != SQLITE_OK || *piToken;
}

/* Wait for another connection or the end of a lease; 1 when that failed. */
static int wait_for(sqlite3_context *ctx, LockWait *w, i64 iLeft) {
  StewardCall c;
  steward_open(&c, ctx, "lock_wait", "jobs", STEWARD_READ);
  if (w->iSoonest >= 0 && !c.p->clock.bPinned) {
    i64 iUntil = w->iSoonest - steward_now(c.p);
    if (iUntil < 1) iUntil = 1;
    if (iUntil < iLeft) iLeft = iUntil;
  }
  steward_wait(&c, iLeft, slot_free, w);
  return steward_close(&c) != SQLITE_OK;
}

/* lock_wait(name TEXT, owner TEXT [, options JSON])
**   -> INTEGER, a token                                            directonly
** As lock_acquire, but while others have the lock wait for it, for `timeout`
** (30 s) at most: then NULL.  sqlite3_interrupt() ends it within 100 ms.
** Set: jobs
** Errors: "UNSUPPORTED: lock_wait: inside a transaction nothing that others
**   commit is seen: call it by SELECT lock_wait(...) on its own, outside of
**   BEGIN"; UNSUPPORTED without a file and on dqlite; NOT_INSTALLED; BUSY.
** Example: SELECT lock_wait('report', 'me', '{"timeout":"1s"}'); -- 1
*/
static void lock_wait(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  LockWait w = {.iSoonest = -1};
  i64 iToken = 0, iBegin = steward_monotonic_us(), iLeft;
  do {
    if (wait_take(ctx, &w, argc, argv, &iToken)) break;
    iLeft = w.o.iTimeout - (steward_monotonic_us() - iBegin) / 1000;
    if (iLeft > 0 && wait_for(ctx, &w, iLeft)) return;
  } while (iLeft > 0);
  if (iToken) sqlite3_result_int64(ctx, iToken);
}

/*************************************************************************
** Rows
*/
typedef struct RowsOptions {
  char *zIds;
  char *zWhere;
  i64 nMaxRows;
  i64 iTtl;
} RowsOptions;

static const StewardOption aRowsOption[] = {
    {"ids", STEWARD_OPT_JSON, offsetof(RowsOptions, zIds), 0, 0, NULL,
     "an array of keys: only these rows"},
    {"where", STEWARD_OPT_TEXT, offsetof(RowsOptions, zWhere), 0, 0, NULL,
     "an SQL condition: only rows for which it is true"},
    {"max_rows", STEWARD_OPT_INT, offsetof(RowsOptions, nMaxRows), 1, 100000,
     NULL, "rows to lock at most; 100"},
    {"ttl", STEWARD_OPT_DURATION, offsetof(RowsOptions, iTtl), 1, TTL_MAX, NULL,
     "how long they are the owner's; 30 s"},
};

/* What the lock of a row is under: the primary key if it is one column, else
** what a rowid is called.  *pbInteger: it has integers.  Caller frees. */
static char *lock_key(StewardCall *c, const StewardTableInfo *pInfo,
                      int *pbInteger /* OUT */) {
  const StewardColumn *pKey = NULL;
  int i, n = 0;
  for (i = 0; i < pInfo->nCol; i++) {
    if (pInfo->aCol[i].iPk == 0) continue;
    pKey = &pInfo->aCol[i];
    n++;
  }
  *pbInteger = n != 1 || sqlite3_stricmp(pKey->zType, "INTEGER") == 0;
  if (n == 1) return steward_mprintf(c, "t.\"%w\"", pKey->zName);
  if (!pInfo->bWithoutRowid) return steward_key_list(c, pInfo, "t.");
  steward_fail(c, STEWARD_UNSUPPORTED,
               "table '%s' has no rowids, and its key has several columns: "
               "lock_acquire by a name of its key",
               pInfo->zName);
  return NULL;
}

/* An id as a literal of SQL; 0: it cannot be one. */
static int add_id(StewardCall *c, sqlite3_str *pList, sqlite3_stmt *s,
                  int bInteger) {
  const char *zType = steward_column(c, s, 0), *z = steward_column(c, s, 1);
  unsigned char *aBlob = NULL;
  int nBlob, i, bScalar;
  bScalar =
      !bInteger && (strcmp(zType, "text") == 0 || strcmp(zType, "real") == 0);
  if (strcmp(zType, "integer") == 0 || bScalar) {
    sqlite3_str_appendall(pList, z);
    return 1;
  }
  if (bInteger || strcmp(zType, "object") ||
      !steward_json_blob(c, z, (int)strlen(z), &aBlob, &nBlob)) {
    return 0;
  }
  sqlite3_str_appendall(pList, "x'");
  for (i = 0; i < nBlob; i++) sqlite3_str_appendf(pList, "%02x", aBlob[i]);
  sqlite3_str_appendall(pList, "'");
  sqlite3_free(aBlob);
  return 1;
}

/* The ids as a list of literals; caller frees. */
static char *id_list(StewardCall *c, const char *zIds, int bInteger) {
  const char *zWhat =
      bInteger ? "rowids" : "keys, numbers, texts or {\"$blob\":\"hex\"}";
  sqlite3_str *pList;
  sqlite3_stmt *s;
  int n = 0;
  if (c->rc) return NULL;
  if (zIds[0] != '[') {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "option ids must be an array of %s, got %.40s", zWhat, zIds);
    return NULL;
  }
  pList = sqlite3_str_new(c->db);
  s = steward_query(c, SQL_lock_rows_ids, "t", zIds);
  for (; steward_next(c, s); n++) {
    if (n) sqlite3_str_appendchar(pList, 1, ',');
    if (!add_id(c, pList, s, bInteger)) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "option ids must be an array of %s, and element %d is none",
                   zWhat, n);
    }
  }
  steward_give(c, SQL_lock_rows_ids, s);
  return steward_str_finish(c, pList);
}

/* Is it one condition?  Here, where no parenthesis is open, it cannot close one
** that is not its own; nor can it be several statements, or leave a quote or a
** comment open, as it is not the end. */
static void check_where(StewardCall *c, const char *zTable,
                        const char *zWhere) {
  sqlite3_stmt *s = NULL;
  char *zSql = steward_mprintf(
      c, "SELECT CASE WHEN\n%s\nTHEN 1 END FROM main.\"%w\" AS t", zWhere,
      zTable);
  int rc = zSql ? sqlite3_prepare_v2(c->db, zSql, -1, &s, NULL) : SQLITE_OK;
  if (rc == SQLITE_ERROR) {
    const char *zWhy = sqlite3_errmsg(c->db); /* behind it comes our text */
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "option where must be one condition, whose parentheses, "
                 "quotes and comments are closed, got '%.60s': %.*s",
                 zWhere, (int)strcspn(zWhy, "\n"), zWhy);
  } else if (rc) {
    steward_fail_db(c, rc);
  } else if (s && sqlite3_bind_parameter_count(s)) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "option where must be one condition without parameters, got "
                 "'%.60s'",
                 zWhere);
  }
  sqlite3_finalize(s);
  sqlite3_free(zSql);
}

/* The keys of the rows wanted that nobody has.  The condition stands on lines
** of its own, so that a comment in it ends there. */
static sqlite3_stmt *free_rows(StewardCall *c, const StewardTableInfo *pInfo,
                               const RowsOptions *o) {
  sqlite3_stmt *s;
  int bInteger;
  char *zKey = lock_key(c, pInfo, &bInteger);
  char *zIds = o->zIds ? id_list(c, o->zIds, bInteger) : NULL;
  if (c->rc == SQLITE_OK && o->zWhere) check_where(c, pInfo->zName, o->zWhere);
  s = steward_prepare(
      c,
      "SELECT %s FROM main.\"%w\" AS t WHERE (\n%s\n) AND %s IS NOT NULL"
      "%s%s%s%s%s AND NOT EXISTS (SELECT 1 FROM main.steward_row_locks AS l"
      " WHERE l.table_name = %Q AND l.row_id = +%s"
      " AND l.expires_at > ?1) LIMIT ?2",
      zKey, pInfo->zName, o->zWhere ? o->zWhere : "1", zKey,
      zIds ? " AND " : "", zIds ? zKey : "", zIds ? " IN (" : "",
      zIds ? zIds : "", zIds ? ")" : "", pInfo->zName, zKey);
  if (s) {
    sqlite3_bind_int64(s, 1, steward_now(c->p));
    sqlite3_bind_int64(s, 2, o->nMaxRows);
  }
  sqlite3_free(zKey);
  sqlite3_free(zIds);
  return s;
}

/* Lock them; the token, or 0 when there was none.  More that have expired are
** forgotten than can be locked, so they do not pile up. */
static i64 take_rows(StewardCall *c, const StewardTableInfo *pInfo,
                     const char *zOwner, const RowsOptions *o) {
  i64 iNow = steward_now(c->p), iToken = 0, nTaken = 0;
  sqlite3_stmt *s = free_rows(c, pInfo, o);
  for (; steward_next(c, s); nTaken++) {
    if (iToken == 0) iToken = steward_fence(c);
    steward_run(c, SQL_lock_row_take, "tvtlll", pInfo->zName,
                sqlite3_column_value(s, 0), zOwner, iToken, iNow,
                iNow + o->iTtl);
  }
  sqlite3_finalize(s);
  steward_lease_forget(c, SQL_lock_rows_expired, SQL_lock_row_forget,
                       nTaken > 32 ? 2 * nTaken : 64);
  return iToken;
}

/* lock_rows(table TEXT, owner TEXT [, options JSON]) -> TEXT, a handle
**                                                               directonly
** Lock rows of a table that nobody has locked, and pass over the others: those
** of `ids`, those for which `where` (about the table as t) is true, or any; at
** most max_rows (100), for a while (ttl, 30 s).  The handle is for
** lock_rows_held and lock_rows_release; NULL when there is no such row.  The
** locks bind only those who ask for them: rows are not protected from plain
** SQL.  A row is known by its primary key if that is one column (a BLOB among
** the ids is {"$blob":"hex"}; rows where it is NULL are passed over), else by
** its rowid: then give it an INTEGER PRIMARY KEY, as VACUUM may number rows
** anew.
** Set: jobs
** Errors: "UNSUPPORTED: lock_rows: table 'w' has no rowids, and its key has
**   several columns: lock_acquire by a name of its key"; "NOT_FOUND: lock_rows:
**   no table 'x' in main: did you mean 't'?"; "INVALID_ARGUMENT: lock_rows:
**   option where must be one condition, whose parentheses, quotes and comments
**   are closed, got '1) OR (1': near ")": syntax error"; NOT_INSTALLED; BUSY.
** Source: seed 004, FOR UPDATE SKIP LOCKED.
** Example: CREATE TABLE tasks(id INTEGER PRIMARY KEY, x);
**   INSERT INTO tasks VALUES (1, 'a'), (2, 'b'), (3, 'c');
**   SELECT lock_rows('tasks', 'me', '{"where":"x < ''c''"}'); -- r1
**   SELECT row_id FROM lock_rows_held('r1') LIMIT 1; -- 1
**   SELECT lock_rows('tasks', 'you', '{"ids":[1,2,3]}'); -- r2
*/
static void lock_rows(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  RowsOptions o = {NULL, NULL, 100, 30000};
  StewardTableInfo info;
  const char *zTable, *zOwner;
  char *zHandle = NULL;
  i64 iToken;
  steward_open(&c, ctx, "lock_rows", "jobs", STEWARD_WRITE);
  memset(&info, 0, sizeof(info));
  zTable = steward_arg_text(&c, argv[0], "table", NAME_MAX_BYTES);
  zOwner = steward_arg_text(&c, argv[1], "owner", NAME_MAX_BYTES);
  if (argc > 2) {
    steward_options(&c, argv[2], aRowsOption, ArraySize(aRowsOption), &o);
  }
  if (c.rc == SQLITE_OK) steward_table_info(&c, zTable, &info);
  iToken = c.rc ? 0 : take_rows(&c, &info, zOwner, &o);
  if (iToken) zHandle = steward_mprintf(&c, "r%lld", iToken);
  steward_table_info_free(&info);
  steward_options_free(aRowsOption, ArraySize(aRowsOption), &o);
  if (steward_close(&c) == SQLITE_OK && zHandle) {
    sqlite3_result_text(ctx, zHandle, -1, SQLITE_TRANSIENT);
  }
  sqlite3_free(zHandle);
}

/* The token in a handle `r<token>`. */
i64 lock_arg_handle(StewardCall *c, sqlite3_value *v) {
  const char *z = steward_arg_text(c, v, "handle", 100);
  i64 iToken = 0;
  int i;
  if (z == NULL) return 0;
  for (i = 1; z[0] == 'r' && z[i] >= '0' && z[i] <= '9' && i < 19; i++) {
    iToken = iToken * 10 + (z[i] - '0');
  }
  if (iToken == 0 || z[i]) {
    steward_fail_argument(c, v, "handle", "one that lock_rows returned");
  }
  return iToken;
}

/* lock_rows_release(handle TEXT) -> INTEGER, how many rows    plain
** Others may lock the rows; 0 when all had expired and were taken by others.
** Set: jobs
** Errors: "INVALID_ARGUMENT: lock_rows_release: handle must be one that
**   lock_rows returned, got 'x'"; NOT_INSTALLED; BUSY.
** Example: CREATE TABLE tasks(id INTEGER PRIMARY KEY, x);
**   INSERT INTO tasks VALUES (1, 'a'), (2, 'b');
**   SELECT lock_rows('tasks', 'me'); -- r1
**   SELECT lock_rows_release('r1'); -- 2
*/
static void lock_rows_release(sqlite3_context *ctx, int argc,
                              sqlite3_value **argv) {
  StewardCall c;
  i64 iToken, n = 0;
  steward_open(&c, ctx, "lock_rows_release", "jobs", STEWARD_WRITE);
  iToken = lock_arg_handle(&c, argv[0]);
  while (c.rc == SQLITE_OK) {
    sqlite3_stmt *s = steward_query(&c, SQL_lock_rows_of, "l", iToken);
    char *zTable = NULL;
    sqlite3_value *pKey = NULL;
    if (steward_next(&c, s)) {
      zTable = steward_mprintf(&c, "%s", steward_column(&c, s, 0));
      pKey = sqlite3_value_dup(sqlite3_column_value(s, 1));
      if (pKey == NULL) steward_fail_nomem(&c);
    }
    steward_give(&c, SQL_lock_rows_of, s);
    if (pKey) steward_run(&c, SQL_lock_row_give, "tv", zTable, pKey);
    sqlite3_free(zTable);
    sqlite3_value_free(pKey);
    if (pKey == NULL) break;
    n++;
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, n);
}

static const StewardFunc aFunc[] = {
    {"lock_acquire", 2, 3, STEWARD_PLAIN, lock_acquire, aLockOption, 2},
    {"lock_renew", 3, 3, STEWARD_PLAIN, lock_renew, NULL, 0},
    {"lock_release", 2, 2, STEWARD_PLAIN, lock_release, NULL, 0},
    {"lock_wait", 2, 3, STEWARD_DIRECTONLY, lock_wait, aLockOption, 3},
    {"lock_rows", 2, 3, STEWARD_DIRECTONLY, lock_rows, aRowsOption,
     ArraySize(aRowsOption)},
    {"lock_rows_release", 1, 1, STEWARD_PLAIN, lock_rows_release, NULL, 0},
};

int lock_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
