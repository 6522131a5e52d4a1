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
#include <string.h>

#include "steward_int.h"

#define NAME_MAX_BYTES 200

/* Kinds of channels, as in steward_cursors.kind. */
enum { KIND_TOPIC, KIND_PATTERN, KIND_ALL };

typedef struct PublishOptions {
  char *zKey;
  char *zHeaders;
} PublishOptions;

static const StewardOption aPublishOption[] = {
    {"key", STEWARD_OPT_TEXT, offsetof(PublishOptions, zKey), 0, 0, NULL,
     "what the message is about, for the policy coalesce and for consumers"},
    {"headers", STEWARD_OPT_JSON, offsetof(PublishOptions, zHeaders), 0, 0,
     NULL, "JSON that travels beside the payload"},
};

/* End subscriptions that nobody uses, nMost of them; how many. */
static int end_idle(StewardCall *c, int nMost) {
  i64 iIdle = steward_setting_int(c, "delivery_idle"), iCursor;
  int nDone;
  for (nDone = 0; nDone < nMost && iIdle > 0; nDone++) {
    iCursor =
        steward_int(c, SQL_delivery_idle, 0, "l", steward_now(c->p) - iIdle);
    if (iCursor == 0) break;
    steward_run(c, SQL_delivery_expire, "l", iCursor);
  }
  return nDone;
}

/* Retention by subscriptions: those that nobody uses end, and messages that all
** have passed leave, some at a time; how many. */
i64 delivery_upkeep(StewardCall *c) {
  enum { SUBSCRIPTIONS = 8 };
  i64 iNow = steward_now(c->p), nDone;
  if (!steward_installed(c, "delivery")) return 0;
  nDone = end_idle(c, SUBSCRIPTIONS);
  steward_run(c, SQL_delivery_prune, "l",
              iNow - steward_setting_int(c, "delivery_keep"));
  return c->rc ? 0 : nDone + sqlite3_changes(c->db);
}

/* The same, amortized as the retention of the log is: before the first message
** of a connection and every 64th after it.  Other capabilities publish where
** there may be no subscriptions at all. */
static void prune_sometimes(StewardCall *c) {
  enum { EVERY = 64 };
  if (c->rc || c->p->nPublish++ % EVERY) return;
  delivery_upkeep(c);
}

/* A trigger has refused the message: say for whom. */
static void explain_full(StewardCall *c, const char *zTopic) {
  StewardCall look = *c;
  sqlite3_stmt *pRow;
  if (c->zErr == NULL || strstr(c->zErr, "QUEUE_FULL: steward_log") == NULL) {
    return;
  }
  look.rc = SQLITE_OK;
  look.zErr = NULL;
  pRow = steward_query(&look, SQL_delivery_full, "t", zTopic);
  if (steward_next(&look, pRow)) {
    sqlite3_free(c->zErr);
    c->zErr = NULL;
    c->rc = SQLITE_OK;
    steward_fail(c, STEWARD_QUEUE_FULL,
                 "topic '%s' is full: %lld messages wait for consumer '%s', "
                 "which takes no more: wait until it has acknowledged",
                 zTopic, sqlite3_column_int64(pRow, 1),
                 steward_column(&look, pRow, 0));
  }
  steward_give(&look, SQL_delivery_full, pRow);
  sqlite3_free(look.zErr);
}

/* Publish; the position.  For the table delivery_queue and other capabilities,
** too; it needs the set core only. */
i64 delivery_append(StewardCall *c, const char *zTopic, sqlite3_value *pPayload,
                    const char *zKey, const char *zHeaders) {
  i64 iPosition;
  prune_sometimes(c);
  iPosition = steward_log_append(c, zTopic, pPayload, zKey, zHeaders);
  explain_full(c, zTopic);
  return iPosition;
}

/* delivery_publish(topic TEXT, payload [, options JSON]) -> INTEGER, position
**                                                                    plain
** Append a message to the log in the caller's transaction, and return its
** position: gap-free and in commit order over the whole database.  The payload
** keeps its type.  Usable in triggers (outbox); many at once:
** INSERT INTO delivery_queue(topic, payload) SELECT ...; from a client without
** the library: INSERT INTO steward_log(topic, payload) VALUES(...).
** A message leaves when every subscription that wants it has passed it (setting
** delivery_keep: so long after it was published), or by age and count
** (log_max_age, log_max_rows).
** Set: delivery
** Errors: "INVALID_ARGUMENT: delivery_publish: topic must be text, got NULL";
**   "INVALID_ARGUMENT: delivery_publish: payload must be a value, got NULL";
**   "QUEUE_FULL: delivery_publish: topic 'mail' is full: 10 messages wait for
**   consumer 'w', which takes no more: wait until it has acknowledged";
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
      delivery_append(&c, zTopic, argv[1], options.zKey, options.zHeaders);
  steward_options_free(aPublishOption, ArraySize(aPublishOption), &options);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iPosition);
}

typedef struct SubscribeOptions {
  i64 iMaxPending;
  i64 eStart;
  i64 iAfter;
  i64 ePolicy;
} SubscribeOptions;

static const StewardOption aSubscribeOption[] = {
    {"max_pending", STEWARD_OPT_INT, offsetof(SubscribeOptions, iMaxPending), 0,
     1000000000, NULL,
     "pending messages kept before the policy takes effect; 0: no bound but "
     "the log's retention"},
    {"policy", STEWARD_OPT_WORD, offsetof(SubscribeOptions, ePolicy), 0, 0,
     "drop_oldest|reject|coalesce",
     "beyond max_pending: lose the oldest, or refuse to publish (exact topics "
     "only); coalesce reads only the newest message per key"},
    {"start", STEWARD_OPT_WORD, offsetof(SubscribeOptions, eStart), 0, 0,
     "latest|earliest", "where a new subscription begins"},
    {"after", STEWARD_OPT_INT, offsetof(SubscribeOptions, iAfter), 0, INT64_MAX,
     NULL, "begin behind this position"},
};

/* How many parts a pattern has at most: `a:b:c:d:*`. */
#define PATTERN_PARTS 4

/* An exact topic, a prefix of whole parts (`doc:*`), or everything (`*`); its
** kind. */
static int arg_channel(StewardCall *c, sqlite3_value *v,
                       const char **pzTopic /* OUT */) {
  const char *zTopic = steward_arg_text(c, v, "topic", NAME_MAX_BYTES);
  const char *zStar = zTopic ? strchr(zTopic, '*') : NULL;
  int nPart = 0, i;
  *pzTopic = zTopic;
  if (zStar == NULL) return KIND_TOPIC;
  if (strcmp(zTopic, "*") == 0) return KIND_ALL;
  for (i = 0; zTopic[i]; i++) nPart += zTopic[i] == ':';
  if (nPart > PATTERN_PARTS) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "a pattern has at most %d parts before the *, got '%s'",
                 PATTERN_PARTS, zTopic);
  } else if (zStar[1] || zStar < zTopic + 2 || zStar[-1] != ':') {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "topic must be an exact name, a prefix like 'doc:*' or '*', "
                 "got '%s'",
                 zTopic);
  }
  return KIND_PATTERN;
}

/* The statement that hands a message from one part to the next. */
static const char *feed_next(int iPart) {
#define NEXT(n)                                                                \
  "  INSERT INTO steward_pattern_" n "(topic, cut, position, gone) VALUES"     \
  "  (NEW.topic, iif(instr(substr(NEW.topic, NEW.cut + 1), ':'), NEW.cut +"    \
  "   instr(substr(NEW.topic, NEW.cut + 1), ':'), 0), NEW.position, "          \
  "NEW.gone);"
  static const char *const azNext[PATTERN_PARTS] = {NEXT("2"), NEXT("3"),
                                                    NEXT("4"), ""};
#undef NEXT
  return azNext[iPart - 1];
}

/*
** Feeding the channels of patterns.  A message passes through a view for each
** part of its topic: steward_pattern_1 counts it for `a:*` and hands it to
** steward_pattern_2 for `a:b:*` ...  Views and triggers rather than a recursive
** query and IN, because each of their temporary tables costs more than all the
** rest.  gone: the message is leaving.
*/
static void make_feed(StewardCall *c, int iPart) {
  steward_exec(c,
               "CREATE VIEW IF NOT EXISTS main.steward_pattern_%d(topic, cut,"
               " position, gone) AS SELECT NULL, NULL, NULL, NULL",
               iPart);
  steward_exec(
      c,
      "CREATE TRIGGER IF NOT EXISTS main.steward_pattern_%d_in INSTEAD OF"
      " INSERT ON steward_pattern_%d WHEN NEW.cut AND NOT NEW.gone BEGIN"
      "  UPDATE steward_patterns SET last_number = last_number + 1"
      "   WHERE pattern = substr(NEW.topic, 1, NEW.cut) || '*';"
      "  INSERT INTO steward_pattern_numbers(pattern_id, number, position)"
      "  SELECT pattern_id, last_number, NEW.position FROM steward_patterns"
      "   WHERE pattern = substr(NEW.topic, 1, NEW.cut) || '*';%s END",
      iPart, iPart, feed_next(iPart));
  steward_exec(
      c,
      "CREATE TRIGGER IF NOT EXISTS main.steward_pattern_%d_out INSTEAD OF"
      " INSERT ON steward_pattern_%d WHEN NEW.cut AND NEW.gone BEGIN"
      "  UPDATE steward_patterns SET floor_number = floor_number + 1"
      "   WHERE pattern = substr(NEW.topic, 1, NEW.cut) || '*'"
      "     AND NEW.position = (SELECT n.position"
      "           FROM steward_pattern_numbers AS n"
      "          WHERE n.pattern_id = steward_patterns.pattern_id"
      "            AND n.number = steward_patterns.floor_number + 1);"
      "  DELETE FROM steward_pattern_numbers WHERE (pattern_id, number) ="
      "    (SELECT pattern_id, floor_number FROM steward_patterns"
      "      WHERE pattern = substr(NEW.topic, 1, NEW.cut) || '*');%s END",
      iPart, iPart, feed_next(iPart));
}

/* What every message pays for from the first pattern on. */
static void make_feeds(StewardCall *c) {
  int i;
  for (i = PATTERN_PARTS; i > 0; i--) make_feed(c, i);
  steward_exec(c, "CREATE TRIGGER IF NOT EXISTS main.steward_messages_pattern"
                  " AFTER INSERT ON steward_messages WHEN instr(NEW.topic, ':')"
                  " BEGIN INSERT INTO steward_pattern_1(topic, cut, position,"
                  " gone) VALUES (NEW.topic, instr(NEW.topic, ':'),"
                  " NEW.position, 0); END");
  steward_exec(c, "CREATE TRIGGER IF NOT EXISTS main.steward_messages_unpattern"
                  " AFTER DELETE ON steward_messages WHEN instr(OLD.topic, ':')"
                  " BEGIN INSERT INTO steward_pattern_1(topic, cut, position,"
                  " gone) VALUES (OLD.topic, instr(OLD.topic, ':'),"
                  " OLD.position, 1); END");
}

static void drop_feeds(StewardCall *c) {
  int i;
  steward_exec(c, "DROP TRIGGER IF EXISTS main.steward_messages_pattern");
  steward_exec(c, "DROP TRIGGER IF EXISTS main.steward_messages_unpattern");
  for (i = 1; i <= PATTERN_PARTS; i++) {
    steward_exec(c, "DROP VIEW IF EXISTS main.steward_pattern_%d", i);
  }
}

/* The channel of a pattern; the first one makes the triggers that feed it. */
static void make_pattern(StewardCall *c, const char *zPattern, int bOlder) {
  char *zPrefix, *zEnd;
  make_feeds(c);
  steward_run(c, SQL_delivery_pattern_new, "t", zPattern);
  if (!bOlder) return;
  zPrefix = steward_mprintf(c, "%.*s", (int)strlen(zPattern) - 1, zPattern);
  zEnd = steward_mprintf(c, "%.*s;", (int)strlen(zPattern) - 2, zPattern);
  steward_run(c, SQL_delivery_pattern_fill, "ttt", zPattern, zPrefix, zEnd);
  steward_run(c, SQL_delivery_pattern_filled, "t", zPattern);
  sqlite3_free(zPrefix);
  sqlite3_free(zEnd);
}

/* Put on the log again what the subscriptions need. */
void delivery_feed_again(StewardCall *c) {
  if (steward_int(c, SQL_delivery_pattern_any, 0, "")) make_feeds(c);
  if (steward_int(c, SQL_delivery_reject_any, 0, "")) {
    steward_script(c, steward_sql[SQL_delivery_reject_on].zSql);
  }
}

/* Take away what only patterns and rejecting subscriptions need, when there
** are none. */
static void clean_up(StewardCall *c) {
  i64 iPattern;
  while ((iPattern = steward_int(c, SQL_delivery_pattern_drop, 0, "")) != 0) {
    steward_run(c, SQL_delivery_pattern_forget, "l", iPattern);
  }
  if (!steward_int(c, SQL_delivery_pattern_any, 0, "")) {
    drop_feeds(c);
  }
  if (!steward_int(c, SQL_delivery_reject_any, 0, "")) {
    steward_script(c, steward_sql[SQL_delivery_reject_off].zSql);
  }
}

/* Does the subscription reject now? */
static int rejects(StewardCall *c, const char *zConsumer, const char *zTopic) {
  char *z = steward_text(c, SQL_delivery_policy, "tt", zConsumer, zTopic);
  int b = z && strcmp(z, "reject") == 0;
  sqlite3_free(z);
  return b;
}

enum { POLICY_NONE = -1, POLICY_DROP_OLDEST, POLICY_REJECT, POLICY_COALESCE };

/* Nobody has read a message that is not there yet. */
static void check_published(StewardCall *c, i64 iPosition) {
  i64 iLast = steward_int(c, SQL_log_last, 0, "");
  if (iPosition > iLast) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "position %lld is beyond the last message, %lld: give a "
                 "position that delivery_next returned",
                 iPosition, iLast);
  }
}

static i64 subscribe(StewardCall *c, const char *zConsumer, const char *zTopic,
                     int eKind, const SubscribeOptions *o) {
  static const char *const azPolicy[] = {"drop_oldest", "reject", "coalesce"};
  int eStart = o->iAfter >= 0 ? 2 : o->eStart > 0 ? 1 : 0;
  i64 iDefault = steward_setting_int(c, "MAX_DELIVERY_QUEUE"), iId;
  int bRejected = 0;
  if (o->eStart >= 0 && o->iAfter >= 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "options start and after both say where to begin: give one");
  }
  if (o->ePolicy == POLICY_REJECT && eKind != KIND_TOPIC) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "policy reject needs an exact topic, got '%s'", zTopic);
  }
  /* one statement where that is enough, so that it works everywhere */
  c->eMode = eKind == KIND_PATTERN || o->ePolicy >= 0 ? STEWARD_WRITE
                                                      : STEWARD_WRITE_ONE;
  steward_begin(c);
  if (o->iAfter > 0) check_published(c, o->iAfter);
  if (eKind == KIND_PATTERN) make_pattern(c, zTopic, eStart != 0);
  if (c->eMode == STEWARD_WRITE) bRejected = rejects(c, zConsumer, zTopic);
  if (o->ePolicy == POLICY_REJECT) {
    steward_script(c, steward_sql[SQL_delivery_reject_on].zSql);
  }
  iId = steward_int(
      c, SQL_delivery_subscribe, 0, o->ePolicy < 0 ? "ttllillin" : "ttllillit",
      zConsumer, zTopic, o->iMaxPending, iDefault, eStart, o->iAfter,
      steward_now(c->p), eKind, o->ePolicy < 0 ? NULL : azPolicy[o->ePolicy]);
  if (bRejected && o->ePolicy != POLICY_REJECT) clean_up(c);
  end_idle(c, 2); /* so that as many go as come */
  return iId;
}

/* delivery_subscribe(consumer TEXT, topic TEXT [, options JSON])
**   -> INTEGER, subscription id    plain
** Subscribe a consumer to a topic, to the topics with a prefix (`doc:*`) or to
** everything (`*`): from now on (default), from the earliest message retained,
** or behind a position.  Again: changes max_pending and policy and keeps the
** place.  A subscription keeps max_pending messages (setting
** MAX_DELIVERY_QUEUE, 1000); beyond that its policy decides: drop_oldest (and
** delivery_next says how many), or reject, which makes publishing to the topic
** fail.  coalesce reads only the newest message per key.  A subscription that
** nobody acknowledges for setting delivery_idle (30 days) ends.
** The first pattern and the first policy reject put triggers on
** steward_messages, which cost every message something.  A call with a pattern
** or a policy is refused inside a writing statement.
** Set: delivery
** Errors: "INVALID_ARGUMENT: delivery_subscribe: topic must be an exact name, a
**   prefix like 'doc:*' or '*', got 'a*'"; "INVALID_ARGUMENT:
**   delivery_subscribe: a pattern has at most 4 parts before the *, got
**   'a:b:c:d:e:*'"; "INVALID_ARGUMENT: delivery_subscribe: policy reject needs
**   an exact topic, got '*'"; "INVALID_ARGUMENT: delivery_subscribe: position
**   99 is beyond the last message, 1: give a position that delivery_next
**   returned"; NOT_INSTALLED; UNSUPPORTED; BUSY.
** Source: seed 000, "Bounded per-subscription unacked rows".
** Example: SELECT delivery_subscribe('mailer', 'mail'); -- 1
**   SELECT delivery_subscribe('mailer', 'mail', '{"max_pending":10}'); -- 1
**   SELECT delivery_subscribe('log', 'doc:*', '{"policy":"coalesce"}'); -- 2
*/
static void delivery_subscribe(sqlite3_context *ctx, int argc,
                               sqlite3_value **argv) {
  StewardCall c;
  SubscribeOptions options = {-1, -1, -1, POLICY_NONE};
  const char *zConsumer, *zTopic;
  int eKind;
  i64 iId = 0;
  steward_open(&c, ctx, "delivery_subscribe", "delivery", STEWARD_READ);
  zConsumer = steward_arg_text(&c, argv[0], "consumer", NAME_MAX_BYTES);
  eKind = arg_channel(&c, argv[1], &zTopic);
  if (argc > 2) {
    steward_options(&c, argv[2], aSubscribeOption, ArraySize(aSubscribeOption),
                    &options);
  }
  if (c.rc == SQLITE_OK)
    iId = subscribe(&c, zConsumer, zTopic, eKind, &options);
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
  steward_open(&c, ctx, "delivery_unsubscribe", "delivery", STEWARD_WRITE);
  zConsumer = steward_arg_text(&c, argv[0], "consumer", NAME_MAX_BYTES);
  arg_channel(&c, argv[1], &zTopic);
  steward_run(&c, SQL_delivery_unsubscribe, "tt", zConsumer, zTopic);
  if (c.rc == SQLITE_OK && sqlite3_changes(c.db) == 0) {
    steward_fail(&c, STEWARD_NOT_FOUND,
                 "consumer '%s' is not subscribed to '%s': SELECT consumer, "
                 "topic FROM delivery_status lists subscriptions",
                 zConsumer, zTopic);
  }
  clean_up(&c);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

static void fail_no_consumer(StewardCall *c, const char *zConsumer) {
  steward_fail(c, STEWARD_NOT_FOUND,
               "no consumer '%s': SELECT delivery_subscribe(%Q, topic)",
               zConsumer, zConsumer);
}

/* Nothing changed: because of what? */
static void explain_ack(StewardCall *c, const char *zConsumer, i64 iPosition) {
  if (!steward_int(c, SQL_delivery_subscribed, 0, "t", zConsumer)) {
    fail_no_consumer(c, zConsumer);
  } else {
    check_published(c, iPosition);
  }
}

/* delivery_ack(consumer TEXT, position INTEGER) -> INTEGER, always 1    plain
** The consumer has dealt with everything up to this position.  Cumulative and
** monotone: a lower position changes nothing, and no other consumer is touched.
** Set: delivery
** Errors: "NOT_FOUND: delivery_ack: no consumer 'w': SELECT
**   delivery_subscribe('w', topic)"; "INVALID_ARGUMENT: delivery_ack: position
**   9 is beyond the last message, 3: give a position that delivery_next
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

/* How many messages wait for the consumer, over all its subscriptions. */
static i64 pending(StewardCall *c, void *pConsumer) {
  sqlite3_stmt *pRow = steward_query(c, SQL_delivery_cursors, "tl",
                                     (const char *)pConsumer, (i64)0);
  i64 n = 0;
  int nSubscription = 0;
  while (steward_next(c, pRow)) {
    i64 nHere =
        sqlite3_column_int64(pRow, 7) - sqlite3_column_int64(pRow, 4) + 1;
    if (nHere > 0) n += nHere;
    nSubscription++;
  }
  steward_give(c, SQL_delivery_cursors, pRow);
  if (nSubscription == 0) fail_no_consumer(c, pConsumer);
  return n;
}

/* delivery_wait(consumer TEXT, timeout) -> INTEGER, messages pending
**                                                               directonly
** Block until a message waits for the consumer, committed by any connection or
** process, or the timeout (ms, or text like '30s'; at most a day) has passed.
** How many wait over all its subscriptions; 0 after a timeout.  Returns at once
** when something waits already, and fails when its last subscription ends.
** sqlite3_interrupt() ends it within 100 ms.
** Set: delivery
** Errors: "UNSUPPORTED: delivery_wait: inside a transaction nothing that others
**   commit is seen: call it by SELECT delivery_wait(...) on its own, outside of
**   BEGIN"; UNSUPPORTED without a file and on dqlite; NOT_FOUND.
** Source: the original's sockets asked every 50 ms; Redis' BLOCK.
** Example: SELECT delivery_subscribe('mailer', 'mail'); -- 1
**   SELECT delivery_publish('mail', 'hello'); -- 1
**   SELECT delivery_wait('mailer', 100); -- 1
*/
static void delivery_wait(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  const char *zConsumer;
  i64 iTimeout, nPending = 0;
  steward_open(&c, ctx, "delivery_wait", "delivery", STEWARD_READ);
  zConsumer = steward_arg_text(&c, argv[0], "consumer", NAME_MAX_BYTES);
  iTimeout = steward_arg_time(&c, argv[1], "timeout");
  if (c.rc == SQLITE_OK && (iTimeout < 0 || iTimeout > 86400000)) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "timeout must be within 0..86400000 ms, got %lld", iTimeout);
  }
  if (c.rc == SQLITE_OK) {
    nPending = steward_wait(&c, iTimeout, pending, (void *)zConsumer);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, nPending);
}

static const StewardFunc aFunc[] = {
    {"delivery_publish", 2, 3, STEWARD_PLAIN, delivery_publish, aPublishOption,
     ArraySize(aPublishOption)},
    {"delivery_subscribe", 2, 3, STEWARD_PLAIN, delivery_subscribe,
     aSubscribeOption, ArraySize(aSubscribeOption)},
    {"delivery_unsubscribe", 2, 2, STEWARD_PLAIN, delivery_unsubscribe, NULL,
     0},
    {"delivery_ack", 2, 2, STEWARD_PLAIN, delivery_ack, NULL, 0},
    {"delivery_wait", 2, 2, STEWARD_DIRECTONLY, delivery_wait, NULL, 0},
};

int delivery_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
