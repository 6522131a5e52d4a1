/*
** ledger_idempotency.c - requests that are answered once, nonces, rate limits.
**
** idempotency_begin says what to do with a request: `new` - do it, then
** idempotency_finish; `in_progress` - somebody else does; `replay` - give the
** answer again; `mismatch` - another request had this key.
**
** Retention, here and in the other files of the ledger: each table has a policy
** of ttl_attach (sql/migrations/ledger/003_retention.up.sql), and the first
** write after a minute sweeps it, whichever process it comes from.
*/
#include <limits.h>
#include <string.h>

#include "ledger_int.h"

/* A JSON text. */
const char *ledger_arg_json(StewardCall *c, sqlite3_value *v,
                            const char *zName) {
  const char *z = steward_arg_text(c, v, zName, INT_MAX);
  if (z && !steward_int(c, SQL_is_json, 0, "t", z)) {
    steward_fail_argument(c, v, zName, "JSON");
    return NULL;
  }
  return z;
}

/* A setting in days, as ms. */
i64 ledger_days(StewardCall *c, const char *zSetting) {
  return steward_setting_int(c, zSetting) * LEDGER_DAY;
}

/*************************************************************************
** Idempotency
*/
typedef struct BeginOptions {
  i64 iTtl;
  i64 iLease;
  char *zOwner;
} BeginOptions;

static const StewardOption aBeginOption[] = {
    {"ttl", STEWARD_OPT_DURATION, offsetof(BeginOptions, iTtl), 1,
     3153600000000LL, NULL,
     "how long the key is remembered, at most and by default setting "
     "RETENTION_IDEMPOTENCY_DAYS"},
    {"lease", STEWARD_OPT_DURATION, offsetof(BeginOptions, iLease), 1,
     3153600000000LL, NULL,
     "how long the caller may take before another one may begin; 30 s"},
    {"owner", STEWARD_OPT_TEXT, offsetof(BeginOptions, zOwner), 0, 0, NULL,
     "who begins, for finishing it on another connection, or for telling "
     "callers of one connection apart; this connection"},
};

/* The number by which a connection is known as holder of its keys. */
static i64 connection_holder(Steward *p) {
  while (p->iHolder <= 0) sqlite3_randomness(sizeof(i64), &p->iHolder);
  return p->iHolder;
}

/* The optional last argument: who began. */
static const char *arg_owner(StewardCall *c, int argc, sqlite3_value **argv,
                             int i) {
  if (argc <= i) return NULL;
  return steward_arg_text(c, argv[i], "owner", LEDGER_KEY_MAX);
}

/* What a key means for this request; `new` is written down. */
static const char *begin_key(StewardCall *c, const char *zKey,
                             const char *zFingerprint, const BeginOptions *o) {
  i64 iNow = steward_now(c->p);
  i64 iKeep = ledger_days(c, "RETENTION_IDEMPOTENCY_DAYS");
  const char *zState = "new";
  sqlite3_stmt *s;
  if (o->iTtl > iKeep) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "option ttl must be within 1..%lld ms (setting "
                 "RETENTION_IDEMPOTENCY_DAYS), got %lld",
                 iKeep, o->iTtl);
  }
  ttl_sweep_own(c, "assistly_idempotency");
  s = steward_query(c, SQL_idempotency_row, "tl", zKey, iKeep);
  if (steward_next(c, s) && sqlite3_column_int64(s, 3) > iNow) {
    const char *zHad = (const char *)sqlite3_column_text(s, 0);
    if (zHad && strcmp(zHad, zFingerprint)) {
      zState = "mismatch";
    } else if (sqlite3_column_int(s, 1)) {
      zState = "replay";
    } else if (sqlite3_column_int64(s, 2) > iNow) {
      zState = "in_progress";
    }
  }
  steward_give(c, SQL_idempotency_row, s);
  if (strcmp(zState, "new") == 0) {
    steward_run(c, SQL_idempotency_new, "tltlltl", zKey, iNow, zFingerprint,
                iNow + o->iLease, iNow + (o->iTtl ? o->iTtl : iKeep), o->zOwner,
                connection_holder(c->p));
  }
  return zState;
}

/* idempotency_begin(key TEXT, fingerprint TEXT [, options JSON])
**   -> TEXT, 'new', 'in_progress', 'replay' or 'mismatch'               plain
** What to do with the request of this key: `new` - do it, and call
** idempotency_finish or idempotency_abandon; `in_progress` - another caller
** does it, for its lease (30 s) at most; `replay` - idempotency_response has
** the answer; `mismatch` - the key belongs to a request with another
** fingerprint (a hash of what was asked for, say).  It is this connection's, or
** that of option owner: one whose lease ran out, so that another began, can
** neither finish nor abandon it any more.  Refused inside a writing statement.
** Set: ledger
** Errors: "INVALID_ARGUMENT: idempotency_begin: key must be text, got NULL";
**   "INVALID_ARGUMENT: idempotency_begin: option ttl must be within
**   1..1209600000 ms (setting RETENTION_IDEMPOTENCY_DAYS), got 1209600001";
**   NOT_INSTALLED; UNSUPPORTED; BUSY.
** Source: seed 003, assistly_idempotency; Stripe's idempotent requests.
** Example: SELECT idempotency_begin('order-7', 'hash'); -- new
**   SELECT idempotency_begin('order-7', 'hash'); -- in_progress
**   SELECT idempotency_finish('order-7', '{"ok":true}'); -- 1
**   SELECT idempotency_begin('order-7', 'hash'); -- replay
**   SELECT idempotency_begin('order-7', 'other'); -- mismatch
*/
static void idempotency_begin(sqlite3_context *ctx, int argc,
                              sqlite3_value **argv) {
  StewardCall c;
  BeginOptions o = {0, 30000, NULL};
  const char *zKey, *zFingerprint, *zState = NULL;
  steward_open(&c, ctx, "idempotency_begin", "ledger", STEWARD_WRITE);
  zKey = steward_arg_text(&c, argv[0], "key", LEDGER_KEY_MAX);
  zFingerprint = steward_arg_text(&c, argv[1], "fingerprint", LEDGER_KEY_MAX);
  if (argc > 2) {
    steward_options(&c, argv[2], aBeginOption, ArraySize(aBeginOption), &o);
  }
  if (o.zOwner && (!o.zOwner[0] || strlen(o.zOwner) > LEDGER_KEY_MAX)) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "option owner must be a text of 1 to %d bytes, got %d",
                 LEDGER_KEY_MAX, (int)strlen(o.zOwner));
  }
  if (c.rc == SQLITE_OK) zState = begin_key(&c, zKey, zFingerprint, &o);
  steward_options_free(aBeginOption, ArraySize(aBeginOption), &o);
  if (steward_close(&c) == SQLITE_OK) {
    sqlite3_result_text(ctx, zState, -1, SQLITE_STATIC);
  }
}

/* Nothing is in progress under the key for this caller: why? */
static void fail_key(StewardCall *c, const char *zKey) {
  sqlite3_stmt *s = steward_query(c, SQL_idempotency_row, "tl", zKey, (i64)0);
  int bRow = steward_next(c, s);
  if (bRow && sqlite3_column_int(s, 1)) {
    steward_fail(c, STEWARD_CONFLICT,
                 "key '%s' has its answer already: SELECT "
                 "idempotency_response(key)",
                 zKey);
  } else if (bRow && sqlite3_column_int64(s, 3) > steward_now(c->p)) {
    int bOwner = sqlite3_column_type(s, 4) == SQLITE_TEXT;
    steward_fail(c, STEWARD_LEASE_LOST,
                 "key '%s' is in progress for %s%s: give the owner that began "
                 "it as last argument, or begin it again",
                 zKey, bOwner ? "owner " : "another connection",
                 bOwner ? steward_column(c, s, 4) : "");
  } else {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "nothing is in progress under key '%s': SELECT "
                 "idempotency_begin(key, fingerprint)",
                 zKey);
  }
  steward_give(c, SQL_idempotency_row, s);
}

/* idempotency_finish(key TEXT, response TEXT [, owner TEXT])
**   -> INTEGER, always 1                                                plain
** The request has been done; its answer, JSON, is given to whoever asks again.
** owner: that of idempotency_begin, if it was given; else it must have been
** this connection that began.
** Set: ledger
** Errors: "LEASE_LOST: idempotency_finish: key 'k' is in progress for another
**   connection: give the owner that began it as last argument, or begin it
**   again"; "CONFLICT: idempotency_finish: key 'k' has its answer already:
**   SELECT idempotency_response(key)"; "NOT_FOUND: idempotency_finish: nothing
**   is in progress under key 'k': SELECT idempotency_begin(key, fingerprint)";
**   "INVALID_ARGUMENT: idempotency_finish: response must be JSON, got 'x'".
** Example: SELECT idempotency_begin('k', 'f'); -- new
**   SELECT idempotency_finish('k', '[1]'); -- 1
*/
static void idempotency_finish(sqlite3_context *ctx, int argc,
                               sqlite3_value **argv) {
  StewardCall c;
  const char *zKey, *zResponse, *zOwner;
  steward_open(&c, ctx, "idempotency_finish", "ledger", STEWARD_WRITE_ONE);
  zKey = steward_arg_text(&c, argv[0], "key", LEDGER_KEY_MAX);
  zResponse = ledger_arg_json(&c, argv[1], "response");
  zOwner = arg_owner(&c, argc, argv, 2);
  steward_run(&c, SQL_idempotency_finish, "ttltl", zKey, zResponse,
              steward_now(c.p), zOwner, connection_holder(c.p));
  if (c.rc == SQLITE_OK && sqlite3_changes(c.db) == 0) {
    fail_key(&c, zKey);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* idempotency_response(key TEXT) -> TEXT, JSON    plain
** The answer of a key; NULL when there is none (yet), or when it has expired.
** Set: ledger
** Errors: "INVALID_ARGUMENT: idempotency_response: key must be text, got 7".
** Example: SELECT idempotency_begin('k', 'f'); -- new
**   SELECT idempotency_finish('k', '[1]'); -- 1
**   SELECT idempotency_response('k'); -- [1]
*/
static void idempotency_response(sqlite3_context *ctx, int argc,
                                 sqlite3_value **argv) {
  StewardCall c;
  const char *zKey;
  char *z;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  steward_open(&c, ctx, "idempotency_response", "ledger", STEWARD_READ);
  zKey = steward_arg_text(&c, argv[0], "key", LEDGER_KEY_MAX);
  z = steward_text(&c, SQL_idempotency_response, "tll", zKey, steward_now(c.p),
                   ledger_days(&c, "RETENTION_IDEMPOTENCY_DAYS"));
  if (steward_close(&c) == SQLITE_OK && z) {
    sqlite3_result_text(ctx, z, -1, SQLITE_TRANSIENT);
  }
  sqlite3_free(z);
}

/* idempotency_abandon(key TEXT [, owner TEXT]) -> INTEGER, always 1    plain
** The request was not done: the next one with this key is new.  owner as for
** idempotency_finish.
** Set: ledger
** Errors: LEASE_LOST, CONFLICT and NOT_FOUND as for idempotency_finish.
** Example: SELECT idempotency_begin('k', 'f'); -- new
**   SELECT idempotency_abandon('k'); -- 1
**   SELECT idempotency_begin('k', 'f'); -- new
*/
static void idempotency_abandon(sqlite3_context *ctx, int argc,
                                sqlite3_value **argv) {
  StewardCall c;
  const char *zKey, *zOwner;
  steward_open(&c, ctx, "idempotency_abandon", "ledger", STEWARD_WRITE_ONE);
  zKey = steward_arg_text(&c, argv[0], "key", LEDGER_KEY_MAX);
  zOwner = arg_owner(&c, argc, argv, 1);
  steward_run(&c, SQL_idempotency_abandon, "ttl", zKey, zOwner,
              connection_holder(c.p));
  if (c.rc == SQLITE_OK && sqlite3_changes(c.db) == 0) {
    fail_key(&c, zKey);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/*************************************************************************
** Nonces
*/

/* nonce_use(nonce TEXT, timestamp_ms INTEGER [, skew]) -> INTEGER, 1 or 0
**                                                                     plain
** 1 for a nonce that was not used before, 0 for a replay.  The message's time
** must be within skew (ms, or text like '5m', which is the default) of the
** clock; the nonce is kept while it could pass again.  Check the signature
** first: this writes.
** Set: ledger
** Errors: "TIMESTAMP_OUT_OF_WINDOW: nonce_use: the message is of 1699999699999,
**   300001 ms from the clock, and at most 300000 are allowed: send it again";
**   "INVALID_ARGUMENT: nonce_use: skew must be within 0..86400000 ms (setting
**   RETENTION_NONCES_DAYS), got -1"; NOT_INSTALLED; BUSY.
** Source: seed 003, assistly_nonces.
** Example: SELECT nonce_use('n1', 1700000000000); -- 1
**   SELECT nonce_use('n1', 1700000000000); -- 0
*/
static void nonce_use(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zNonce;
  i64 iTime, iSkew = 300000, iNow, iKeep, iOff;
  int bNew = 0;
  steward_open(&c, ctx, "nonce_use", "ledger", STEWARD_WRITE_ONE);
  zNonce = steward_arg_text(&c, argv[0], "nonce", LEDGER_KEY_MAX);
  iTime = steward_arg_int(&c, argv[1], "timestamp_ms", 0, 253402300799999LL);
  if (argc > 2) iSkew = steward_arg_time(&c, argv[2], "skew");
  iNow = steward_now(c.p);
  iKeep = ledger_days(&c, "RETENTION_NONCES_DAYS");
  iOff = iNow > iTime ? iNow - iTime : iTime - iNow;
  if (iSkew < 0 || iSkew > iKeep) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "skew must be within 0..%lld ms (setting "
                 "RETENTION_NONCES_DAYS), got %lld",
                 iKeep, iSkew);
  } else if (iOff > iSkew) {
    steward_fail(&c, STEWARD_TIMESTAMP_OUT_OF_WINDOW,
                 "the message is of %lld, %lld ms from the clock, and at most "
                 "%lld are allowed: send it again",
                 iTime, iOff, iSkew);
  }
  ttl_sweep_own(&c, "assistly_nonces");
  steward_run(&c, SQL_nonce_use, "tl", zNonce, iTime);
  if (c.rc == SQLITE_OK) bNew = sqlite3_changes(c.db) > 0;
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, bNew);
}

/*************************************************************************
** Rate limits
*/
typedef struct Rate {
  const char *zName, *zKey;
  i64 nLimit, iPer;
  i64 iWidth; /* of a bucket: a 64th of the period */
  i64 iNow;
} Rate;

/* The hits that count.  Those of a time to come were counted before the clock
** jumped back: they count no more, nor when that time comes. */
static i64 rate_hits(StewardCall *c, const Rate *r, i64 iFirst) {
  i64 iLast = r->iNow / r->iWidth, nHit = 0, iNewest = 0;
  sqlite3_stmt *s = steward_query(c, SQL_rate_sum, "ttlll", r->zName, r->zKey,
                                  r->iWidth, iFirst, iLast);
  if (steward_next(c, s)) {
    nHit = sqlite3_column_int64(s, 0);
    iNewest = sqlite3_column_int64(s, 1);
  }
  steward_give(c, SQL_rate_sum, s);
  if (iNewest > iLast) {
    steward_run(c, SQL_rate_forget, "ttll", r->zName, r->zKey, r->iWidth,
                iLast);
  }
  return nHit;
}

/* How long until enough of the hits count no more. */
static i64 rate_wait(StewardCall *c, const Rate *r, i64 iFirst, i64 nHit) {
  sqlite3_stmt *s = steward_query(c, SQL_rate_buckets, "ttll", r->zName,
                                  r->zKey, r->iWidth, iFirst);
  i64 iWait = r->iPer;
  while (nHit >= r->nLimit && steward_next(c, s)) {
    nHit -= sqlite3_column_int64(s, 1);
    iWait = (sqlite3_column_int64(s, 0) + 1) * r->iWidth + r->iPer - r->iNow;
  }
  steward_give(c, SQL_rate_buckets, s);
  return iWait > 0 ? iWait : 1;
}

/* rate_limit(name TEXT, key TEXT, max INTEGER, per) -> INTEGER, ms to wait
**                                                                     plain
** 0: allowed, and counted; else how long to wait before asking again.  No more
** than `max` are allowed in any period `per` (ms, or text like '1m'), wherever
** it begins; a hit counts up to a 64th of the period longer.  Refused inside a
** writing statement.
** Set: ledger
** Errors: "INVALID_ARGUMENT: rate_limit: per must be within 1..31536000000 ms,
**   got 0"; NOT_INSTALLED; UNSUPPORTED; BUSY.
** Source: the original's fixed window let twice the limit through at its edge.
** Example: SELECT rate_limit('login', 'u7', 1, '1m'); -- 0
**   SELECT rate_limit('login', 'u7', 1, '1m') > 59000; -- 1
*/
static void rate_limit(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  Rate r;
  i64 iFirst, nHit, iWait = 0;
  steward_open(&c, ctx, "rate_limit", "ledger", STEWARD_WRITE);
  r.zName = steward_arg_text(&c, argv[0], "name", LEDGER_KEY_MAX);
  r.zKey = steward_arg_text(&c, argv[1], "key", LEDGER_KEY_MAX);
  r.nLimit = steward_arg_int(&c, argv[2], "max", 1, 1000000000);
  r.iPer = steward_arg_time(&c, argv[3], "per");
  if (c.rc == SQLITE_OK && (r.iPer < 1 || r.iPer > 31536000000LL)) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "per must be within 1..31536000000 ms, got %lld", r.iPer);
  }
  if (c.rc == SQLITE_OK) {
    r.iNow = steward_now(c.p);
    r.iWidth = (r.iPer + 63) / 64;
    iFirst = (r.iNow - r.iPer) / r.iWidth;
    ttl_sweep_own(&c, "steward_rate_limits");
    nHit = rate_hits(&c, &r, iFirst);
    if (nHit >= r.nLimit) {
      iWait = rate_wait(&c, &r, iFirst, nHit);
    } else {
      i64 iBucket = r.iNow / r.iWidth;
      steward_run(&c, SQL_rate_hit, "ttlll", r.zName, r.zKey, r.iWidth, iBucket,
                  (iBucket + 1) * r.iWidth + r.iPer);
    }
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iWait);
}

static const StewardFunc aFunc[] = {
    {"idempotency_begin", 2, 3, STEWARD_PLAIN, idempotency_begin, aBeginOption,
     ArraySize(aBeginOption)},
    {"idempotency_finish", 2, 3, STEWARD_PLAIN, idempotency_finish, NULL, 0},
    {"idempotency_response", 1, 1, STEWARD_PLAIN, idempotency_response, NULL,
     0},
    {"idempotency_abandon", 1, 2, STEWARD_PLAIN, idempotency_abandon, NULL, 0},
    {"nonce_use", 2, 3, STEWARD_PLAIN, nonce_use, NULL, 0},
    {"rate_limit", 4, 4, STEWARD_PLAIN, rate_limit, NULL, 0},
};

int ledger_idempotency_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
