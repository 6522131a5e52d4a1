/*
** log.c - appending to the log, the one commit-ordered sequence of messages.
**
** The table, and the view steward_log that a client without the library
** inserts into, are in sql/migrations/core/001_core.up.sql.  This file is the
** short way for a caller with the library: one INSERT that numbers the message,
** with the connection's clock, and its position as the result.
*/
#include <string.h>

#include "steward_int.h"

/* A topic is an exact name of at most 200 bytes; `*` is kept for patterns. */
const char *steward_arg_topic(StewardCall *c, sqlite3_value *v) {
  const char *zTopic = steward_arg_text(c, v, "topic", 200);
  if (zTopic && strchr(zTopic, '*')) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "topic must be an exact name without *, got '%s'", zTopic);
  }
  return zTopic;
}

/* Triggers keep the numbers when messages leave: a host that turned them off
** would see numbers come again. */
static void check_triggers(StewardCall *c) {
  int bOn = 1;
  sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &bOn);
  if (!bOn) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "triggers are turned off on this connection, and the log's "
                 "numbers are kept by triggers: turn "
                 "SQLITE_DBCONFIG_ENABLE_TRIGGER on");
  }
}

/* Retention: some of the messages that are too old or too many leave. */
i64 steward_log_upkeep(StewardCall *c) {
  i64 nDone;
  steward_run(c, SQL_log_mark, "");
  steward_run(c, SQL_log_sweep, "l", steward_now(c->p));
  nDone = c->rc ? 0 : sqlite3_changes(c->db);
  steward_run(c, SQL_log_unmark, "");
  return nDone;
}

/* The same, amortized: before the first message of a connection, and before
** every 64th after it.  Before, so that a failure leaves nothing published. */
static void sweep_sometimes(StewardCall *c) {
  enum { EVERY = 64 };
  if (c->rc == SQLITE_OK && c->p->nAppend++ % EVERY == 0) {
    steward_log_upkeep(c);
  }
}

/* Append a message; its position. */
i64 steward_log_append(StewardCall *c, const char *zTopic,
                       sqlite3_value *pPayload, const char *zKey,
                       const char *zHeaders) {
  check_triggers(c);
  sweep_sometimes(c);
  steward_run(c, SQL_log_append, "ttvtl", zTopic, zKey, pPayload, zHeaders,
              steward_now(c->p));
  if (c->rc == SQLITE_OK && sqlite3_changes(c->db) == 0) {
    steward_fail(c, STEWARD_CONFLICT,
                 "a trigger on steward_messages ignored the message on topic "
                 "'%s': nothing was published",
                 zTopic);
  }
  return sqlite3_last_insert_rowid(c->db);
}
