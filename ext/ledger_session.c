/*
** ledger_session.c - sessions of users, and snapshots by kind.
**
** A session that nobody has written or touched for RETENTION_SESSIONS_DAYS is
** over: reading does not find it, and later writes remove it. Reading writes
** nothing.
*/
#include "ledger_int.h"

static i64 session_limit(StewardCall *c) {
  return steward_now(c->p) - ledger_days(c, "RETENTION_SESSIONS_DAYS");
}

static void fail_no_session(StewardCall *c, const char *zUser) {
  if (c->rc == SQLITE_OK && sqlite3_changes(c->db) == 0) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "user '%s' has no session: SELECT session_put(user_id, "
                 "session)",
                 zUser);
  }
}

/* session_put(user_id TEXT, session TEXT) -> INTEGER, always 1    plain
** Store a user's session, JSON, in place of the one before.
** Set: ledger
** Errors: "INVALID_ARGUMENT: session_put: session must be JSON, got 'x'";
**   NOT_INSTALLED; BUSY.
** Source: seed 003, assistly_sessions.
** Example: SELECT session_put('u1', '{"mode":"a"}'); -- 1
*/
static void session_put(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zUser, *zSession;
  steward_open(&c, ctx, "session_put", "ledger", STEWARD_WRITE_ONE);
  zUser = steward_arg_text(&c, argv[0], "user_id", LEDGER_KEY_MAX);
  zSession = ledger_arg_json(&c, argv[1], "session");
  ttl_sweep_own(&c, "assistly_sessions");
  steward_run(&c, SQL_session_put, "ttl", zUser, zSession, steward_now(c.p));
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* session_get(user_id TEXT) -> TEXT, JSON    plain
** A user's session; NULL when there is none.
** Set: ledger
** Errors: "INVALID_ARGUMENT: session_get: user_id must be text, got 7".
** Example: SELECT session_put('u1', '{"mode":"a"}'); -- 1
**   SELECT session_get('u1'); -- {"mode":"a"}
**   SELECT session_get('u2') IS NULL; -- 1
*/
static void session_get(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zUser;
  char *z;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  steward_open(&c, ctx, "session_get", "ledger", STEWARD_READ);
  zUser = steward_arg_text(&c, argv[0], "user_id", LEDGER_KEY_MAX);
  z = steward_text(&c, SQL_session_get, "tl", zUser, session_limit(&c));
  if (steward_close(&c) == SQLITE_OK && z) {
    sqlite3_result_text(ctx, z, -1, SQLITE_TRANSIENT);
  }
  sqlite3_free(z);
}

/* session_touch(user_id TEXT) -> INTEGER, always 1    plain
** The session goes on: its time begins anew.
** Set: ledger
** Errors: "NOT_FOUND: session_touch: user 'u2' has no session: SELECT
**   session_put(user_id, session)"; NOT_INSTALLED; BUSY.
** Example: SELECT session_put('u1', '{}'); -- 1
**   SELECT session_touch('u1'); -- 1
*/
static void session_touch(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  const char *zUser;
  steward_open(&c, ctx, "session_touch", "ledger", STEWARD_WRITE_ONE);
  zUser = steward_arg_text(&c, argv[0], "user_id", LEDGER_KEY_MAX);
  steward_run(&c, SQL_session_touch, "tll", zUser, steward_now(c.p),
              session_limit(&c));
  fail_no_session(&c, zUser);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* session_end(user_id TEXT) -> INTEGER, always 1    plain
** The session is over.
** Set: ledger
** Errors: "NOT_FOUND: session_end: user 'u2' has no session: SELECT
**   session_put(user_id, session)"; NOT_INSTALLED; BUSY.
** Example: SELECT session_put('u1', '{}'); -- 1
**   SELECT session_end('u1'); -- 1
*/
static void session_end(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zUser;
  steward_open(&c, ctx, "session_end", "ledger", STEWARD_WRITE_ONE);
  zUser = steward_arg_text(&c, argv[0], "user_id", LEDGER_KEY_MAX);
  steward_run(&c, SQL_session_end, "t", zUser);
  fail_no_session(&c, zUser);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* snapshot_put(kind TEXT, payload TEXT) -> INTEGER, always 1    plain
** Store the snapshot of a kind, JSON, in place of the one before.
** Set: ledger
** Errors: "INVALID_ARGUMENT: snapshot_put: payload must be JSON, got 'x'";
**   NOT_INSTALLED; BUSY.
** Source: seed 003, assistly_store.
** Example: SELECT snapshot_put('queue', '[1,2]'); -- 1
*/
static void snapshot_put(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zKind, *zPayload;
  steward_open(&c, ctx, "snapshot_put", "ledger", STEWARD_WRITE_ONE);
  zKind = steward_arg_text(&c, argv[0], "kind", LEDGER_KEY_MAX);
  zPayload = ledger_arg_json(&c, argv[1], "payload");
  steward_run(&c, SQL_snapshot_put, "ttl", zKind, zPayload, steward_now(c.p));
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* snapshot_get(kind TEXT) -> TEXT, JSON    plain
** The snapshot of a kind; NULL when there is none.
** Set: ledger
** Errors: "INVALID_ARGUMENT: snapshot_get: kind must be text, got 7".
** Example: SELECT snapshot_put('queue', '[1,2]'); -- 1
**   SELECT snapshot_get('queue'); -- [1,2]
*/
static void snapshot_get(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zKind;
  char *z;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  steward_open(&c, ctx, "snapshot_get", "ledger", STEWARD_READ);
  zKind = steward_arg_text(&c, argv[0], "kind", LEDGER_KEY_MAX);
  z = steward_text(&c, SQL_snapshot_get, "t", zKind);
  if (steward_close(&c) == SQLITE_OK && z) {
    sqlite3_result_text(ctx, z, -1, SQLITE_TRANSIENT);
  }
  sqlite3_free(z);
}

static const StewardFunc aFunc[] = {
    {"session_put", 2, 2, STEWARD_PLAIN, session_put, NULL, 0},
    {"session_get", 1, 1, STEWARD_PLAIN, session_get, NULL, 0},
    {"session_touch", 1, 1, STEWARD_PLAIN, session_touch, NULL, 0},
    {"session_end", 1, 1, STEWARD_PLAIN, session_end, NULL, 0},
    {"snapshot_put", 2, 2, STEWARD_PLAIN, snapshot_put, NULL, 0},
    {"snapshot_get", 1, 1, STEWARD_PLAIN, snapshot_get, NULL, 0},
};

int ledger_session_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
