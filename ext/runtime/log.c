/*
** log.c - appending to the log, the one commit-ordered sequence of messages.
**
** The tables and the triggers that number messages are in
** sql/migrations/core/001_core.up.sql; a plain INSERT keeps every rule, so
** this file only adds what a caller with the library gets: a payload of any
** type, the connection's clock, the position as the result.
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

/* The numbers come from triggers: a host that turned them off would write
** messages that nobody can read. */
static void check_triggers(StewardCall *c) {
  int bOn = 1;
  sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &bOn);
  if (!bOn) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "triggers are turned off on this connection, and the log is "
                 "numbered by triggers: turn SQLITE_DBCONFIG_ENABLE_TRIGGER "
                 "on");
  }
}

/* Append a message; its position. */
i64 steward_log_append(StewardCall *c, const char *zTopic,
                       sqlite3_value *pPayload, const char *zKey,
                       const char *zHeaders) {
  check_triggers(c);
  steward_run(c, SQL_log_append, "ttvtl", zTopic, zKey, pPayload, zHeaders,
              steward_now(c->p));
  return sqlite3_last_insert_rowid(c->db);
}
