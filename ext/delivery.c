/*
** delivery.c - the verbs of the delivery queue.
**
** A message is stored once, in the log; a subscription is a cursor.  So
** publishing costs the same whatever the number of subscribers, the oldest
** drop of a bounded queue costs nothing (it is computed when reading), and a
** consumer that lost messages is told how many.
**
**     SELECT delivery_subscribe('mailer', 'mail');
**     SELECT delivery_publish('mail', 'hello');
**     SELECT position, payload, dropped FROM delivery_next('mailer');
**     SELECT delivery_ack('mailer', 1);
**
** The tables delivery_next, delivery_queue and delivery_status are in
** vtab/delivery.c.
*/
#include "steward_int.h"

#define NAME_MAX_BYTES 200

typedef struct PublishOptions {
  char *zKey;
  char *zHeaders;
} PublishOptions;

static const StewardOption aPublishOption[] = {
    {"key", STEWARD_OPT_TEXT, offsetof(PublishOptions, zKey), 0, 0, NULL,
     "what the message is about, for the consumer to tell messages apart"},
    {"headers", STEWARD_OPT_JSON, offsetof(PublishOptions, zHeaders), 0, 0,
     NULL, "JSON that travels beside the payload"},
};

/* delivery_publish(topic TEXT, payload [, options JSON]) -> INTEGER, position
**                                                                    plain
** Append a message to the log in the caller's transaction, and return its
** position: gap-free and in commit order over the whole database.  The payload
** keeps its type.  Usable in triggers (outbox); many at once:
** INSERT INTO delivery_queue(topic, payload) SELECT ...; from a client without
** the library: INSERT INTO steward_log(topic, payload) VALUES(...).
** Set: delivery
** Errors: "INVALID_ARGUMENT: delivery_publish: topic must be text, got NULL";
**   "INVALID_ARGUMENT: delivery_publish: payload must be a value, got NULL";
**   UNSUPPORTED where the host has turned triggers off; NOT_INSTALLED; BUSY.
** Source: seed 000, delivery queue.
** Example: SELECT delivery_publish('mail', 'hello'); -- 1
**   SELECT delivery_publish('mail', x'00ff', '{"key":"user:7"}'); -- 2
*/
static void delivery_publish(sqlite3_context *ctx, int argc,
                             sqlite3_value **argv) {
  StewardCall c;
  PublishOptions options = {0};
  const char *zTopic;
  i64 iPosition = 0;
  steward_open(&c, ctx, "delivery_publish", "delivery", STEWARD_WRITE_ONE);
  zTopic = steward_arg_topic(&c, argv[0]);
  steward_arg_payload(&c, argv[1], "payload");
  if (argc > 2) {
    steward_options(&c, argv[2], aPublishOption, ArraySize(aPublishOption),
                    &options);
  }
  iPosition =
      steward_log_append(&c, zTopic, argv[1], options.zKey, options.zHeaders);
  steward_options_free(aPublishOption, ArraySize(aPublishOption), &options);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iPosition);
}

typedef struct SubscribeOptions {
  i64 iMaxPending;
  i64 eStart;
  i64 iAfter;
} SubscribeOptions;

static const StewardOption aSubscribeOption[] = {
    {"max_pending", STEWARD_OPT_INT, offsetof(SubscribeOptions, iMaxPending), 0,
     1000000000, NULL,
     "pending messages kept before the oldest are dropped; 0: no bound but "
     "the log's retention"},
    {"start", STEWARD_OPT_WORD, offsetof(SubscribeOptions, eStart), 0, 0,
     "latest|earliest", "where a new subscription begins"},
    {"after", STEWARD_OPT_INT, offsetof(SubscribeOptions, iAfter), 0, INT64_MAX,
     NULL, "begin behind this position"},
};

/* delivery_subscribe(consumer TEXT, topic TEXT [, options JSON])
**   -> INTEGER, subscription id    plain
** Subscribe a consumer to a topic, from now on (default), from the earliest
** message retained, or behind a position.  Again: changes max_pending and keeps
** the place.  A subscription keeps max_pending messages (setting
** MAX_DELIVERY_QUEUE, 1000); beyond that the oldest are dropped, and
** delivery_next says how many.
** Set: delivery
** Errors: "INVALID_ARGUMENT: delivery_subscribe: topic must be an exact name
**   without *, got 'a*'"; NOT_INSTALLED; BUSY.
** Source: seed 000, "Bounded per-subscription unacked rows".
** Example: SELECT delivery_subscribe('mailer', 'mail'); -- 1
**   SELECT delivery_subscribe('mailer', 'mail', '{"max_pending":10}'); -- 1
*/
static void delivery_subscribe(sqlite3_context *ctx, int argc,
                               sqlite3_value **argv) {
  StewardCall c;
  SubscribeOptions options = {-1, 0, -1};
  const char *zConsumer, *zTopic;
  i64 iId = 0, iDefault = 0;
  steward_open(&c, ctx, "delivery_subscribe", "delivery", STEWARD_WRITE_ONE);
  zConsumer = steward_arg_text(&c, argv[0], "consumer", NAME_MAX_BYTES);
  zTopic = steward_arg_topic(&c, argv[1]);
  if (argc > 2) {
    steward_options(&c, argv[2], aSubscribeOption, ArraySize(aSubscribeOption),
                    &options);
  }
  iDefault = steward_setting_int(&c, "MAX_DELIVERY_QUEUE");
  iId = steward_int(&c, SQL_delivery_subscribe, 0, "ttllill", zConsumer, zTopic,
                    options.iMaxPending, iDefault,
                    options.iAfter >= 0 ? 2 : (int)options.eStart,
                    options.iAfter, steward_now(c.p));
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iId);
}

/* delivery_unsubscribe(consumer TEXT, topic TEXT) -> INTEGER, always 1  plain
** End a subscription and forget its place.
** Set: delivery
** Errors: "NOT_FOUND: delivery_unsubscribe: consumer 'w' is not subscribed to
**   'mail': SELECT consumer, topic FROM delivery_status lists subscriptions".
** Example: SELECT delivery_subscribe('mailer', 'mail'); -- 1
**   SELECT delivery_unsubscribe('mailer', 'mail'); -- 1
*/
static void delivery_unsubscribe(sqlite3_context *ctx, int argc,
                                 sqlite3_value **argv) {
  StewardCall c;
  const char *zConsumer, *zTopic;
  steward_open(&c, ctx, "delivery_unsubscribe", "delivery", STEWARD_WRITE_ONE);
  zConsumer = steward_arg_text(&c, argv[0], "consumer", NAME_MAX_BYTES);
  zTopic = steward_arg_topic(&c, argv[1]);
  steward_run(&c, SQL_delivery_unsubscribe, "tt", zConsumer, zTopic);
  if (c.rc == SQLITE_OK && sqlite3_changes(c.db) == 0) {
    steward_fail(&c, STEWARD_NOT_FOUND,
                 "consumer '%s' is not subscribed to '%s': SELECT consumer, "
                 "topic FROM delivery_status lists subscriptions",
                 zConsumer, zTopic);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* Nothing changed: because of what? */
static void explain_ack(StewardCall *c, const char *zConsumer, i64 iPosition) {
  i64 iLast = steward_int(c, SQL_log_last, 0, "");
  if (!steward_int(c, SQL_delivery_subscribed, 0, "t", zConsumer)) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "no consumer '%s': SELECT delivery_subscribe('%s', topic)",
                 zConsumer, zConsumer);
  } else if (iPosition > iLast) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "position %lld is beyond the last message, %lld: acknowledge "
                 "a position that delivery_next returned",
                 iPosition, iLast);
  }
}

/* delivery_ack(consumer TEXT, position INTEGER) -> INTEGER, always 1    plain
** The consumer has dealt with everything up to this position.  Cumulative and
** monotone: a lower position changes nothing, and no other consumer is touched.
** Set: delivery
** Errors: "NOT_FOUND: delivery_ack: no consumer 'w': SELECT
**   delivery_subscribe('w', topic)"; "INVALID_ARGUMENT: delivery_ack: position
**   9 is beyond the last message, 3: acknowledge a position that delivery_next
**   returned".
** Source: seed 000.
** Example: SELECT delivery_subscribe('mailer', 'mail'); -- 1
**   SELECT delivery_publish('mail', 'hello'); -- 1
**   SELECT delivery_ack('mailer', 1); -- 1
**   SELECT pending FROM delivery_status; -- 0
*/
static void delivery_ack(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zConsumer;
  i64 iPosition;
  steward_open(&c, ctx, "delivery_ack", "delivery", STEWARD_WRITE_ONE);
  zConsumer = steward_arg_text(&c, argv[0], "consumer", NAME_MAX_BYTES);
  iPosition = steward_arg_int(&c, argv[1], "position", 0, INT64_MAX);
  steward_run(&c, SQL_delivery_ack, "tll", zConsumer, iPosition,
              steward_now(c.p));
  if (c.rc == SQLITE_OK && sqlite3_changes(c.db) == 0) {
    explain_ack(&c, zConsumer, iPosition);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

static const StewardFunc aFunc[] = {
    {"delivery_publish", 2, 3, STEWARD_PLAIN, delivery_publish, aPublishOption,
     ArraySize(aPublishOption)},
    {"delivery_subscribe", 2, 3, STEWARD_PLAIN, delivery_subscribe,
     aSubscribeOption, ArraySize(aSubscribeOption)},
    {"delivery_unsubscribe", 2, 2, STEWARD_PLAIN, delivery_unsubscribe, NULL,
     0},
    {"delivery_ack", 2, 2, STEWARD_PLAIN, delivery_ack, NULL, 0},
};

int delivery_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
