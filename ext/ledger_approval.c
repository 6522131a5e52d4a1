/*
** ledger_approval.c - what somebody must allow before it is done.
**
**     pending -> approved -> executing -> executed | failed
**     pending -> rejected | expired
**
** Every step asks for the state before it, so nothing is decided or done twice.
** Retention never removes a pending one: it expires first, for all to see, and
** goes with the next sweep (trigger steward_approvals_swept).
*/
#include <string.h>

#include "ledger_int.h"

typedef struct RequestOptions {
  i64 iTtl;
} RequestOptions;

static const StewardOption aRequestOption[] = {
    {"ttl", STEWARD_OPT_DURATION, offsetof(RequestOptions, iTtl), 1,
     3153600000000LL, NULL,
     "how long it may be decided; setting RETENTION_APPROVALS_DAYS"},
};

/* approval_request(id TEXT, payload TEXT [, options JSON])
**   -> INTEGER, always 1                                                plain
** Ask for an approval of what the payload, JSON, describes.  It expires when
** nobody decides within ttl (setting RETENTION_APPROVALS_DAYS, 30).
** Set: ledger
** Errors: "DUPLICATE: approval_request: there is an approval 'a1' already,
**   which is pending: choose another id"; "INVALID_ARGUMENT: approval_request:
**   payload must be JSON, got 'x'"; NOT_INSTALLED; BUSY.
** Source: seed 003, assistly_approvals.
** Example: SELECT approval_request('a1', '{"command":"delete"}'); -- 1
**   SELECT id, state FROM approval_list; -- a1|pending
*/
static void approval_request(sqlite3_context *ctx, int argc,
                             sqlite3_value **argv) {
  StewardCall c;
  RequestOptions o = {0};
  const char *zId, *zPayload;
  i64 iNow;
  steward_open(&c, ctx, "approval_request", "ledger", STEWARD_WRITE_ONE);
  zId = steward_arg_text(&c, argv[0], "id", LEDGER_KEY_MAX);
  zPayload = ledger_arg_json(&c, argv[1], "payload");
  if (argc > 2) {
    steward_options(&c, argv[2], aRequestOption, ArraySize(aRequestOption), &o);
  }
  iNow = steward_now(c.p);
  ttl_sweep_own(&c, "assistly_approvals");
  if (o.iTtl == 0) o.iTtl = ledger_days(&c, "RETENTION_APPROVALS_DAYS");
  steward_run(&c, SQL_approval_new, "tltl", zId, iNow, zPayload, iNow + o.iTtl);
  if (c.rc == SQLITE_OK && sqlite3_changes(c.db) == 0) {
    char *zState = steward_text(&c, SQL_approval_row, "t", zId);
    steward_fail(&c, STEWARD_DUPLICATE,
                 "there is an approval '%s' already, which is %s: choose "
                 "another id",
                 zId, zState);
    sqlite3_free(zState);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* Nothing changed: say in which state it is, and which it had to be in. */
static void check_changed(StewardCall *c, const char *zId, const char *zWanted,
                          i64 iNow) {
  sqlite3_stmt *s;
  if (c->rc || sqlite3_changes(c->db)) return;
  s = steward_query(c, SQL_approval_row, "t", zId);
  if (!steward_next(c, s)) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "no approval '%s': SELECT id FROM approval_list lists them",
                 zId);
  } else if (strcmp(steward_column(c, s, 0), "pending") == 0 &&
             strcmp(zWanted, "pending") == 0) {
    steward_fail(c, STEWARD_EXPIRED,
                 "approval '%s' expired %lld ms ago: request it again", zId,
                 iNow - sqlite3_column_int64(s, 2));
  } else {
    const char *zBy = (const char *)sqlite3_column_text(s, 1);
    steward_fail(c, STEWARD_CONFLICT, "approval '%s' is %s%s%s: it must be %s",
                 zId, steward_column(c, s, 0), zBy ? ", decided by " : "",
                 zBy ? zBy : "", zWanted);
  }
  steward_give(c, SQL_approval_row, s);
}

static void decide(sqlite3_context *ctx, const char *zFunc, const char *zStatus,
                   sqlite3_value **argv) {
  StewardCall c;
  const char *zId, *zBy;
  i64 iNow;
  steward_open(&c, ctx, zFunc, "ledger", STEWARD_WRITE_ONE);
  zId = steward_arg_text(&c, argv[0], "id", LEDGER_KEY_MAX);
  zBy = steward_arg_text(&c, argv[1], "by", LEDGER_KEY_MAX);
  iNow = steward_now(c.p);
  steward_run(&c, SQL_approval_decide, "tttl", zId, zStatus, zBy, iNow);
  check_changed(&c, zId, "pending", iNow);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* approval_approve(id TEXT, by TEXT) -> INTEGER, always 1    plain
** Somebody allows it, once.
** Set: ledger
** Errors: "CONFLICT: approval_approve: approval 'a1' is approved, decided by
**   ada: it must be pending"; "EXPIRED: approval_approve: approval 'a1' expired
**   5 ms ago: request it again"; "NOT_FOUND: approval_approve: no approval 'x':
**   SELECT id FROM approval_list lists them"; NOT_INSTALLED; BUSY.
** Example: SELECT approval_request('a1', '{}'); -- 1
**   SELECT approval_approve('a1', 'ada'); -- 1
*/
static void approval_approve(sqlite3_context *ctx, int argc,
                             sqlite3_value **argv) {
  decide(ctx, "approval_approve", "approved", argv);
}

/* approval_reject(id TEXT, by TEXT) -> INTEGER, always 1    plain
** Somebody does not allow it.
** Set: ledger
** Errors: as for approval_approve.
** Example: SELECT approval_request('a1', '{}'); -- 1
**   SELECT approval_reject('a1', 'ada'); -- 1
*/
static void approval_reject(sqlite3_context *ctx, int argc,
                            sqlite3_value **argv) {
  decide(ctx, "approval_reject", "rejected", argv);
}

/* approval_start(id TEXT) -> INTEGER, always 1    plain
** Begin to do what was approved: once, whoever else tries.
** Set: ledger
** Errors: "CONFLICT: approval_start: approval 'a1' is executing, decided by
**   ada: it must be approved"; NOT_FOUND; NOT_INSTALLED; BUSY.
** Example: SELECT approval_request('a1', '{}'); -- 1
**   SELECT approval_approve('a1', 'ada'); -- 1
**   SELECT approval_start('a1'); -- 1
*/
static void approval_start(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  StewardCall c;
  const char *zId;
  i64 iNow;
  steward_open(&c, ctx, "approval_start", "ledger", STEWARD_WRITE_ONE);
  zId = steward_arg_text(&c, argv[0], "id", LEDGER_KEY_MAX);
  iNow = steward_now(c.p);
  steward_run(&c, SQL_approval_start, "tl", zId, iNow);
  check_changed(&c, zId, "approved", iNow);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* approval_finish(id TEXT, ok INTEGER, result) -> INTEGER, always 1    plain
** What was approved has been done (ok = 1), or it has failed (ok = 0).
** Set: ledger
** Errors: "CONFLICT: approval_finish: approval 'a1' is approved, decided by
**   ada: it must be executing"; INVALID_ARGUMENT; NOT_FOUND; NOT_INSTALLED;
**   BUSY.
** Example: SELECT approval_request('a1', '{}'); -- 1
**   SELECT approval_approve('a1', 'ada'); -- 1
**   SELECT approval_start('a1'); -- 1
**   SELECT approval_finish('a1', 1, 'deleted'); -- 1
**   SELECT state, result FROM approval_list; -- executed|deleted
*/
static void approval_finish(sqlite3_context *ctx, int argc,
                            sqlite3_value **argv) {
  StewardCall c;
  const char *zId;
  i64 iNow, bOk;
  steward_open(&c, ctx, "approval_finish", "ledger", STEWARD_WRITE_ONE);
  zId = steward_arg_text(&c, argv[0], "id", LEDGER_KEY_MAX);
  bOk = steward_arg_int(&c, argv[1], "ok", 0, 1);
  iNow = steward_now(c.p);
  steward_run(&c, SQL_approval_finish, "ttvl", zId, bOk ? "executed" : "failed",
              argv[2], iNow);
  check_changed(&c, zId, "executing", iNow);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

static const StewardFunc aFunc[] = {
    {"approval_request", 2, 3, STEWARD_PLAIN, approval_request, aRequestOption,
     ArraySize(aRequestOption)},
    {"approval_approve", 2, 2, STEWARD_PLAIN, approval_approve, NULL, 0},
    {"approval_reject", 2, 2, STEWARD_PLAIN, approval_reject, NULL, 0},
    {"approval_start", 1, 1, STEWARD_PLAIN, approval_start, NULL, 0},
    {"approval_finish", 3, 3, STEWARD_PLAIN, approval_finish, NULL, 0},
};

int ledger_approval_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
