/*
** stream.c - the changes of a table as a stream on the library's log.
**
**     SELECT stream_attach('http');
**     SELECT id, row, position FROM stream_snapshot('http', :workspace);
**     SELECT position, id, change_type, row
**       FROM stream_changes('http', :workspace, :position);
**
** An attached table has plain-SQL triggers that publish a message for each
** change of a row, whoever makes it: topic stream:<table>:<scope as SQL
** literal>, payload the row's key, headers {"op":..,"is_delta":..}.  So a
** change has the log's position, gap-free in commit order, is kept as long as
** the log's retention says, and a consumer of the delivery queue can subscribe
** to it.  A scope that a topic cannot hold (long, or with a *) shares the topic
** stream:<table>:? and stands in the key.
**
** steward_streams is written by this file only.
*/
#include <string.h>

#include "stream_int.h"

/*************************************************************************
** Attaching
*/

/* The scope of a row as it stands in the topic.  Caller frees. */
static char *scope_sql(StewardCall *c, const StewardCapture *k,
                       const char *zRow) {
  const DeltaForm *f = k->pArg;
  const char *zScope = f->names.zScope;
  if (zScope == NULL) return steward_mprintf(c, "''");
  return steward_mprintf(
      c,
      "':' || iif(length(CAST(quote(%s\"%w\") AS BLOB)) > 100 OR"
      " instr(quote(%s\"%w\"), '*'), '?', quote(%s\"%w\"))",
      zRow, zScope, zRow, zScope, zRow, zScope);
}

/* The key of the message: the row's, behind a scope that is not in the topic.
** Caller frees. */
static char *key_sql(StewardCall *c, const StewardCapture *k,
                     const char *zRow) {
  const DeltaForm *f = k->pArg;
  const char *zScope = f->names.zScope;
  if (zScope == NULL) {
    return steward_mprintf(c, "quote(%s\"%w\")", zRow, k->zKey);
  }
  return steward_mprintf(
      c,
      "iif(length(CAST(quote(%s\"%w\") AS BLOB)) > 100 OR"
      " instr(quote(%s\"%w\"), '*'), quote(%s\"%w\") || ':', '')"
      " || quote(%s\"%w\")",
      zRow, zScope, zRow, zScope, zRow, zScope, zRow, k->zKey);
}

/* The present time of a trigger, in ms: see 001_core.up.sql. */
#define NOW                                                                    \
  "coalesce((SELECT value FROM steward_config WHERE name = 'clock'),"          \
  " CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))"

/* Publish one row: what an INSERT into steward_log does, without asking whether
** the message is good, at half the cost. */
static char *one_message(StewardCall *c, const StewardCapture *k,
                         const char *zTopic, const char *zKey,
                         const char *zHeaders, const char *zRow) {
  return steward_mprintf(
      c,
      "INSERT INTO steward_messages(topic, number, payload, key, headers,"
      " published_at) VALUES (%s, 1 + coalesce((SELECT number FROM"
      " steward_messages INDEXED BY steward_messages_number WHERE topic = %s"
      " AND number > 0 ORDER BY number DESC LIMIT 1), (SELECT floor_number FROM"
      " steward_topics WHERE topic = %s), 0), coalesce(%s\"%w\", ''), %s, %s,"
      " " NOW "); INSERT INTO steward_log_sweep(position, due) VALUES"
      " (last_insert_rowid(), last_insert_rowid() %% 64 = 0)",
      zTopic, zTopic, zTopic, zRow, k->zKey, zKey, zHeaders);
}

/* Publish several rows, of which each must see the number before it. */
static char *some_messages(StewardCall *c, const StewardCapture *k,
                           const char *zTopic, const char *zKey,
                           const char *zHeaders, const char *zRow,
                           const char *zFrom) {
  return steward_mprintf(c,
                         "INSERT INTO steward_log(topic, payload, key, headers)"
                         " SELECT %s, coalesce(%s\"%w\", ''), %s, %s%s",
                         zTopic, zRow, k->zKey, zKey, zHeaders, zFrom);
}

/* The statement that publishes a change: see StewardCapture. */
static char *publish_sql(StewardCall *c, const StewardCapture *k,
                         const char *zOp, const char *zRow, const char *zFrom) {
  const DeltaForm *f = k->pArg;
  char *zScope = scope_sql(c, k, zRow), *zKey = key_sql(c, k, zRow);
  char *zFlag =
      f->names.zFlag ? steward_mprintf(c, "coalesce(%s\"%w\" = 1, 0)", zRow,
                                       f->names.zFlag)
      : f->bDefined && f->names.zParent
          ? steward_mprintf(c, "(%s\"%w\" IS NOT NULL)", zRow, f->names.zParent)
          : steward_mprintf(c, "0");
  char *zTopic =
      steward_mprintf(c, "'stream:%q' || %s", k->zTable, zScope ? zScope : "");
  char *zHeaders =
      steward_mprintf(c, "'{\"op\":\"%s\",\"is_delta\":' || %s || '}'", zOp,
                      zFlag ? zFlag : "");
  char *z = NULL;
  if (c->rc == SQLITE_OK) {
    z = zFrom[0] ? some_messages(c, k, zTopic, zKey, zHeaders, zRow, zFrom)
                 : one_message(c, k, zTopic, zKey, zHeaders, zRow);
  }
  sqlite3_free(zScope);
  sqlite3_free(zKey);
  sqlite3_free(zFlag);
  sqlite3_free(zTopic);
  sqlite3_free(zHeaders);
  return z;
}

/* Is what attach() made there, as it would be made now? */
static int stream_intact(StewardCall *c, DeltaForm *f) {
  char *zPrefix = steward_mprintf(c, "steward_stream_%s", f->base.zTable);
  StewardCapture capture = {.zTable = f->base.zTable,
                            .zPrefix = zPrefix,
                            .zKey = f->names.zKey,
                            .xEvent = publish_sql,
                            .pArg = f};
  int bIntact = steward_capture_intact(c, &capture);
  sqlite3_free(zPrefix);
  return bIntact;
}

/* Can the rows be read in the order of (scope, flag, time)? */
static void find_stream_index(StewardCall *c, DeltaForm *f) {
  const DeltaNames *n = &f->names;
  char *zIndex;
  if (c->rc || !n->zScope || !n->zFlag || !n->zTime || !f->zRowid ||
      !f->bFlagNotNull || !f->bTimeNotNull) {
    return;
  }
  zIndex = steward_text(c, SQL_stream_index, "tttt", f->base.zTable, n->zScope,
                        n->zFlag, n->zTime);
  f->bStreamIndex = zIndex != NULL;
  sqlite3_free(zIndex);
}

/* What the tables of streams need; asked for once, as it costs more than a
** page.
*/
void stream_find(StewardCall *c, DeltaForm *f) {
  f->iStreamFrom = -1;
  find_stream_index(c, f);
  if (f->names.zScope) {
    f->zScopeType = steward_text(
        c, SQL_stream_scope_type, "ttt", f->base.zTable, f->names.zScope,
        delta_collation(c, f->base.zTable, f->names.zScope));
  }
  f->iSchema = steward_int(c, SQL_stream_schema, 0, "");
  if (c->rc == SQLITE_OK && delta_is_table(c, "steward_streams")) {
    f->iStreamFrom = steward_int(c, SQL_stream_from, -1, "t", f->base.zTable);
    f->bStreamGone = f->iStreamFrom >= 0 && !stream_intact(c, f);
    if (f->bStreamGone) f->iStreamFrom = -1;
  }
}

static void attach(StewardCall *c, DeltaForm *f) {
  char *zPrefix = steward_mprintf(c, "steward_stream_%s", f->base.zTable);
  int bIntact = stream_intact(c, f);
  StewardCapture capture = {.zTable = f->base.zTable,
                            .zPrefix = zPrefix,
                            .zKey = f->names.zKey,
                            .azKnownBy = {f->names.zScope, f->names.zFlag},
                            .xEvent = publish_sql,
                            .pArg = f};
  char *zColumns;
  sqlite3_str *p = sqlite3_str_new(c->db);
  sqlite3_str_appendf(p, "\"%w\"", f->names.zKey);
  if (f->names.zScope) sqlite3_str_appendf(p, ", \"%w\"", f->names.zScope);
  if (f->names.zFlag) sqlite3_str_appendf(p, ", \"%w\"", f->names.zFlag);
  if (f->bDefined && f->names.zFlag == NULL) {
    sqlite3_str_appendf(p, ", \"%w\"", f->names.zParent);
    capture.azKnownBy[1] = f->names.zParent;
  }
  zColumns = steward_str_finish(c, p);
  capture.zColumns = zColumns;
  if (strlen(f->base.zTable) > 80 || strchr(f->base.zTable, '*')) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "the name of table '%.100s' does not fit into a topic: at "
                 "most 80 bytes, without *",
                 f->base.zTable);
  }
  if (c->rc == SQLITE_OK && strcmp(f->names.zKey, "rowid") == 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' has no key of one column, and rowids change: add "
                 "one that is UNIQUE and NOT NULL",
                 f->base.zTable);
  }
  if (c->rc == SQLITE_OK) {
    steward_capture_end(c, zPrefix);
    steward_capture(c, &capture);
    if (!bIntact) steward_run(c, SQL_stream_gap, "t", f->base.zTable);
    steward_run(c, SQL_stream_store, "tttll", f->base.zTable, f->names.zKey,
                f->names.zScope, steward_now(c->p), (i64)bIntact);
  }
  sqlite3_free(zColumns);
  sqlite3_free(zPrefix);
}

/* Fail when the table had another name when it was attached: its changes are
** published under that one. */
void stream_check_name(StewardCall *c, const char *zTable) {
  char *zWas = steward_text(c, SQL_stream_was_called, "t", zTable);
  if (zWas) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "table '%s' was called '%s' when stream_attach() was, and "
                 "publishes as that: SELECT stream_detach(%Q), then attach it "
                 "by its new name",
                 zTable, zWas, zWas);
  }
  sqlite3_free(zWas);
}

/* stream_attach(table TEXT) -> INTEGER, always 1    directonly
** Publish every change of a table's rows into the log, by triggers in plain
** SQL: inserts, updates and deletes, also those of foreign keys and of OR
** REPLACE, by any client; a change of the key, the scope or the flag is a
** deletion and an insertion.  Any table with a key of one column; scope and
** flag are those of delta_resolve.  Again: makes the triggers anew, and the
** stream goes on; where they were gone (a table that is made anew loses them),
** or a unique index, a scope or a flag has come since, it begins anew, and a
** message with the header {"op":"gap"} says so.
** Set: streaming
** Errors: "INVALID_ARGUMENT: stream_attach: table 't' has no key of one column,
**   ..."; NOT_FOUND, too, for a table that was attached by another name: "...:
**   table 'u' was called 't' when stream_attach() was, and publishes as that:
**   SELECT stream_detach('t'), then attach it by its new name"; CONFLICT when a
**   name that it needs is taken; UNSUPPORTED when a unique index is on an
**   expression.
** Source: seed 004, section 1.2.
** Example: CREATE TABLE t(id INTEGER PRIMARY KEY, x);
**   SELECT stream_attach('t'); -- 1
**   INSERT INTO t VALUES (1, 'a'), (2, 'b');
**   DELETE FROM t WHERE id = 1;
**   SELECT position, id, change_type, row FROM stream_changes('t', NULL, 1);
**   -- 2|2|created|{"id":2,"x":"b"}
**   SELECT position, id, change_type FROM stream_changes('t', NULL, 2);
**   -- 3|1|deleted
*/
static void stream_attach(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  DeltaForm *f = NULL;
  const char *zTable;
  steward_open(&c, ctx, "stream_attach", "streaming", STEWARD_WRITE);
  zTable = steward_arg_text(&c, argv[0], "table", 1000);
  if (c.rc == SQLITE_OK) f = delta_form_loose(&c, zTable);
  if (f && sqlite3_strnicmp(f->base.zTable, "steward_", 8) == 0) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' belongs to the library: attach one of your own",
                 f->base.zTable);
  }
  if (f) stream_check_name(&c, f->base.zTable);
  if (f && c.rc == SQLITE_OK) attach(&c, f);
  delta_form_close(&c, f);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* stream_detach(table TEXT) -> INTEGER, always 1    directonly
** Remove the triggers that stream_attach made.  What they published stays in
** the log; a stream that is attached again begins anew, behind a message with
** the header {"op":"gap"}.
** Set: streaming
** Errors: "NOT_FOUND: stream_detach: table 't' has no stream: SELECT table_name
**   FROM stream_status lists those that have".
** Example: CREATE TABLE t(id INTEGER PRIMARY KEY, x);
**   SELECT stream_attach('t'); -- 1
**   SELECT stream_detach('t'); -- 1
**   SELECT count(*) FROM sqlite_schema WHERE tbl_name = 't'; -- 1
*/
static void stream_detach(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  const char *zTable;
  char *zPrefix;
  steward_open(&c, ctx, "stream_detach", "streaming", STEWARD_WRITE);
  zTable = steward_arg_text(&c, argv[0], "table", 1000);
  steward_run(&c, SQL_stream_gap, "t", zTable);
  if (steward_run(&c, SQL_stream_forget, "t", zTable) == SQLITE_OK &&
      sqlite3_changes(c.db) == 0) {
    stream_check_name(&c, zTable);
    steward_fail(&c, STEWARD_NOT_FOUND,
                 "table '%s' has no stream: SELECT table_name FROM "
                 "stream_status lists those that have",
                 zTable);
  }
  zPrefix = steward_mprintf(&c, "steward_stream_%s", zTable);
  if (zPrefix) steward_capture_end(&c, zPrefix);
  sqlite3_free(zPrefix);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/*************************************************************************
** streaming_performance_log
*/

/* Entries wait here until a verb may write: the tables never do. */
enum { STREAM_LOG_MAX = 256 };

typedef struct Entry {
  sqlite3_value *pScope; /* owned; NULL: none */
  const char *zOperation;
  char *zTable; /* owned */
  char *zError; /* owned, or NULL */
  i64 nRecord, iDuration, iAt;
} Entry;

struct StreamLog {
  int n;
  Entry a[STREAM_LOG_MAX];
};

static void entry_free(Entry *e) {
  sqlite3_value_free(e->pScope);
  sqlite3_free(e->zTable);
  sqlite3_free(e->zError);
  memset(e, 0, sizeof(*e));
}

void stream_log_free(Steward *p) {
  int i;
  if (p->pStreamLog == NULL) return;
  for (i = 0; i < p->pStreamLog->n; i++) entry_free(&p->pStreamLog->a[i]);
  sqlite3_free(p->pStreamLog);
  p->pStreamLog = NULL;
}

/* Note an operation that began at iBegin (steward_monotonic_us). */
void stream_note(StewardCall *c, const char *zOperation, const char *zTable,
                 sqlite3_value *pScope, i64 nRecord, i64 iBegin) {
  struct StreamLog *pLog = c->p->pStreamLog;
  Entry *e;
  if (pLog == NULL) return;
  if (pLog->n == STREAM_LOG_MAX) {
    entry_free(&pLog->a[0]);
    memmove(&pLog->a[0], &pLog->a[1], sizeof(Entry) * (STREAM_LOG_MAX - 1));
    pLog->n--;
  }
  e = &pLog->a[pLog->n++];
  memset(e, 0, sizeof(*e));
  e->zOperation = zOperation;
  e->zTable = sqlite3_mprintf("%s", zTable ? zTable : "");
  if (c->rc) {
    e->zError = sqlite3_mprintf("%s", c->zErr ? c->zErr : "out of memory");
  }
  e->pScope = pScope ? sqlite3_value_dup(pScope) : NULL;
  e->nRecord = nRecord;
  e->iDuration = (steward_monotonic_us() - iBegin + 500) / 1000;
  e->iAt = steward_now(c->p) / 1000;
  if (e->zTable == NULL || (c->rc && e->zError == NULL) ||
      (pScope && e->pScope == NULL)) {
    entry_free(e);
    pLog->n--;
    steward_fail_nomem(c);
  }
}

/* 16 bytes that sort by time and are used once: ms, then a number. */
static void make_id(unsigned char aId[16] /* OUT */, i64 iTime, i64 iNumber) {
  int i;
  for (i = 5; i >= 0; i--, iTime >>= 8) aId[i] = (unsigned char)iTime;
  for (i = 15; i >= 6; i--, iNumber >>= 8) aId[i] = (unsigned char)iNumber;
}

/* Write what was noted; how many entries. */
static i64 stream_log_write(StewardCall *c) {
  struct StreamLog *pLog = c->p->pStreamLog;
  i64 iNumber = steward_int(c, SQL_stream_log_number, 0, "");
  unsigned char aId[16];
  int i, n = 0;
  if (c->rc || pLog == NULL || pLog->n == 0) return 0;
  for (i = 0; i < pLog->n && c->rc == SQLITE_OK; i++) {
    Entry *e = &pLog->a[i];
    sqlite3_stmt *pStmt = steward_take(c, SQL_stream_log_add);
    if (pStmt == NULL) break;
    if (e->pScope) steward_bind_value(c, pStmt, 1, e->pScope);
    sqlite3_bind_text(pStmt, 2, e->zOperation, -1, SQLITE_STATIC);
    sqlite3_bind_text(pStmt, 3, e->zTable, -1, SQLITE_STATIC);
    sqlite3_bind_int64(pStmt, 4, e->nRecord);
    sqlite3_bind_int64(pStmt, 5, e->iDuration);
    sqlite3_bind_int64(pStmt, 6, e->iAt);
    sqlite3_bind_text(pStmt, 7, e->zError, -1, SQLITE_STATIC);
    make_id(aId, steward_now(c->p), ++iNumber);
    sqlite3_bind_blob(pStmt, 8, aId, 16, SQLITE_STATIC);
    steward_next(c, pStmt);
    steward_give(c, SQL_stream_log_add, pStmt);
    n++;
  }
  steward_run(c, SQL_stream_log_prune, "l",
              steward_now(c->p) / 1000 -
                  steward_setting_int(c, "stream_log_age") / 1000);
  for (i = 0; c->rc == SQLITE_OK && i < n; i++) entry_free(&pLog->a[i]);
  if (c->rc == SQLITE_OK) pLog->n = 0;
  return n;
}

/* stream_log(on INTEGER) -> INTEGER, how many entries were written  directonly
** Measure the streaming operations of this connection from now on (1), or no
** more (0): stream_snapshot, stream_changes (query), stream_deltas (delta), and
** delta_create, delta_update, delta_cascade_delete (update).  As reading never
** writes, the entries wait in memory, the last 256, and the next call of
** stream_log writes them into streaming_performance_log, where they stay for
** setting stream_log_age.
** Set: streaming
** Errors: "INVALID_ARGUMENT: stream_log: on must be within 0..1, got 2".
** Source: seed 004, section 6.
** Example: SELECT stream_log(1); -- 0
**   SELECT count(*) FROM stream_snapshot('http', 'w'); -- 0
**   SELECT stream_log(1); -- 1
**   SELECT operation_type, table_name, record_count
**     FROM streaming_performance_log; -- snapshot|http|0
*/
static void stream_log(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  i64 bOn, n;
  steward_open(&c, ctx, "stream_log", "streaming", STEWARD_WRITE);
  bOn = steward_arg_int(&c, argv[0], "on", 0, 1);
  n = stream_log_write(&c);
  if (c.rc == SQLITE_OK && bOn && c.p->pStreamLog == NULL) {
    c.p->pStreamLog = sqlite3_malloc64(sizeof(*c.p->pStreamLog));
    if (c.p->pStreamLog) {
      c.p->pStreamLog->n = 0;
    } else {
      steward_fail_nomem(&c);
    }
  }
  if (c.rc == SQLITE_OK && !bOn) stream_log_free(c.p);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, n);
}

static const StewardFunc aFunc[] = {
    {"stream_attach", 1, 1, STEWARD_DIRECTONLY, stream_attach, NULL, 0},
    {"stream_detach", 1, 1, STEWARD_DIRECTONLY, stream_detach, NULL, 0},
    {"stream_log", 1, 1, STEWARD_DIRECTONLY, stream_log, NULL, 0},
};

int stream_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
