/*
** ledger_event.c - what has happened, and how often.
**
** An event is a row of assistly_events and, by a trigger, a message on the
** topic event:<type> of the log: whoever subscribes to `event:*` is told, also
** of events that a client without the library inserts. A metric is a row of
** steward_metrics; assistly_metrics shows all of them as the one JSON row that
** the seed's system rewrote at each request.
**
**     SELECT event_append('login', '{"user":"u1"}');
**     SELECT metric_add('requestCount', 1);
*/
#include <math.h>
#include <string.h>

#include "ledger_int.h"

/* What may follow `event:` in the name of a topic. */
enum { TYPE_MAX = 194 };

/* event_append(type TEXT, payload TEXT) -> INTEGER, its id    plain
** Note that something has happened; payload: JSON.  delivery_subscribe(c,
** 'event:login') delivers the events of a type, 'event:*' all of them.
** Set: ledger
** Errors: "INVALID_ARGUMENT: event_append: type must be an exact name without
**   *, got 'a*'"; "INVALID_ARGUMENT: event_append: payload must be JSON, got
**   'x'"; NOT_INSTALLED; BUSY.
** Source: seed 003, assistly_events.
** Example: SELECT event_append('login', '{"user":"u1"}'); -- 1
**   SELECT type, payload, created_at FROM event_list;
**   -- login|{"user":"u1"}|1700000000000
**   SELECT topic FROM steward_log; -- event:login
*/
static void event_append(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zType, *zPayload;
  i64 iId;
  steward_open(&c, ctx, "event_append", "ledger", STEWARD_WRITE_ONE);
  zType = steward_arg_text(&c, argv[0], "type", TYPE_MAX);
  if (zType && strchr(zType, '*')) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "type must be an exact name without *, got '%s'", zType);
  }
  zPayload = ledger_arg_json(&c, argv[1], "payload");
  ttl_sweep_own(&c, "assistly_events");
  steward_run(&c, SQL_event_append, "ttl", zType, zPayload, steward_now(c.p));
  iId = sqlite3_last_insert_rowid(c.db);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iId);
}

/* metric_add(name TEXT, n) -> the total now    plain
** Add to a metric, which begins at 0: 1 for something that happened, or the
** time that it took.  assistly_metrics shows the total, and of a name that ends
** in Ms {"count":,"total":,"max":}.
** Set: ledger
** Errors: "INVALID_ARGUMENT: metric_add: n must be a number, got 'x'";
**   "INVALID_ARGUMENT: metric_add: name must be text, got NULL";
**   "VALIDATION_FAILED: metric_add: metric 'n' holds 9223372036854775807, and
**   adding 1 leaves the range of 64 bits"; NOT_INSTALLED; BUSY.
** Source: seed 003, assistly_metrics.
** Example: SELECT metric_add('requestCount', 1); -- 1
**   SELECT metric_add('requestCount', 2); -- 3
**   SELECT metric_add('latencyMs', 2.5); -- 2.5
**   SELECT payload FROM assistly_metrics;
**   -- {"latencyMs":{"count":1,"total":2.5,"max":2.5},"requestCount":3}
*/
static void metric_add(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zName;
  sqlite3_stmt *s;
  int eType = sqlite3_value_type(argv[1]);
  steward_open(&c, ctx, "metric_add", "ledger", STEWARD_WRITE_ONE);
  zName = steward_arg_text(&c, argv[0], "name", LEDGER_KEY_MAX);
  if ((eType != SQLITE_INTEGER && eType != SQLITE_FLOAT) ||
      !isfinite(sqlite3_value_double(argv[1]))) {
    steward_fail_argument(&c, argv[1], "n", "a number");
  }
  s = steward_query(&c, SQL_metric_add, "tvl", zName, argv[1],
                    steward_now(c.p));
  if (steward_next(&c, s)) {
    sqlite3_result_value(ctx, sqlite3_column_value(s, 0));
  } else if (c.rc == SQLITE_OK) {
    char *zTotal = steward_text(&c, SQL_metric_total, "t", zName);
    steward_fail(&c, STEWARD_VALIDATION_FAILED,
                 "metric '%s' holds %s, and adding %s leaves the range of "
                 "64 bits",
                 zName, zTotal, (const char *)sqlite3_value_text(argv[1]));
    sqlite3_free(zTotal);
  }
  while (steward_next(&c, s)) {
  }
  steward_give(&c, SQL_metric_add, s);
  steward_close(&c);
}

static const StewardFunc aFunc[] = {
    {"event_append", 2, 2, STEWARD_PLAIN, event_append, NULL, 0},
    {"metric_add", 2, 2, STEWARD_PLAIN, metric_add, NULL, 0},
};

int ledger_event_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
