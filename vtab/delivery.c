/*
** delivery.c - the tables of the delivery queue.
*/
#include <limits.h>
#include <string.h>

#include "steward_int.h"

/*************************************************************************
** delivery_next: several topics, merged in the order of positions
*/

/* One subscription of the consumer. */
typedef struct Source {
  sqlite3_stmt *pRow; /* its messages in order; NULL when at the end */
  i64 iPosition;      /* of the row that pRow stands on */
  i64 nDropped;       /* lost before that row, not yet told */
  i64 iDroppedFrom;
} Source;

typedef struct Merge {
  Source *a;
  int n;
} Merge;

static void source_next(StewardCall *c, Source *pSource) {
  if (steward_next(c, pSource->pRow)) {
    pSource->iPosition = sqlite3_column_int64(pSource->pRow, 0);
  } else {
    steward_give(c, SQL_delivery_rows, pSource->pRow);
    pSource->pRow = NULL;
  }
}

static void merge_open(StewardCall *c, Merge *pMerge, const char *zConsumer,
                       i64 iAfter) {
  sqlite3_stmt *pCursor =
      steward_query(c, SQL_delivery_cursors, "tl", zConsumer, iAfter);
  while (steward_next(c, pCursor)) {
    Source *aNew =
        sqlite3_realloc64(pMerge->a, sizeof(Source) * (size_t)(pMerge->n + 1));
    if (aNew == NULL) {
      steward_fail_nomem(c);
      break;
    }
    pMerge->a = aNew;
    memset(&aNew[pMerge->n], 0, sizeof(Source));
    aNew[pMerge->n].nDropped = sqlite3_column_int64(pCursor, 2);
    aNew[pMerge->n].iDroppedFrom = sqlite3_column_int64(pCursor, 3);
    aNew[pMerge->n].pRow = steward_query(c, SQL_delivery_rows, "vl",
                                         sqlite3_column_value(pCursor, 0),
                                         sqlite3_column_int64(pCursor, 1));
    source_next(c, &aNew[pMerge->n++]);
  }
  steward_give(c, SQL_delivery_cursors, pCursor);
}

static void merge_close(StewardCall *c, Merge *pMerge) {
  int i;
  for (i = 0; i < pMerge->n; i++) {
    steward_give(c, SQL_delivery_rows, pMerge->a[i].pRow);
  }
  sqlite3_free(pMerge->a);
}

/* The source whose message comes next; NULL at the end. */
static Source *merge_first(Merge *pMerge) {
  Source *pFirst = NULL;
  int i;
  for (i = 0; i < pMerge->n; i++) {
    Source *pSource = &pMerge->a[i];
    if (pSource->pRow == NULL) continue;
    if (pFirst == NULL || pSource->iPosition < pFirst->iPosition) {
      pFirst = pSource;
    }
  }
  return pFirst;
}

static void add_delivery(StewardCall *c, StewardRows *r, Source *pSource) {
  sqlite3_stmt *s = pSource->pRow;
  steward_row(c, r, pSource->nDropped ? "llvvvvvlli" : "llvvvvvlni",
              sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
              sqlite3_column_value(s, 2), sqlite3_column_value(s, 3),
              sqlite3_column_value(s, 4), sqlite3_column_value(s, 5),
              sqlite3_column_value(s, 6), pSource->nDropped,
              pSource->iDroppedFrom, 0);
  pSource->nDropped = 0;
}

/* Take messages until a limit is reached; then say on every row whether more
** are waiting.  A message larger than the whole credit comes alone. */
static void merge_take(StewardCall *c, StewardRows *r, Merge *pMerge,
                       i64 nMaxRows, i64 nMaxBytes) {
  enum { COLUMN_MORE = 9 };
  i64 nBytes = 0;
  Source *pSource;
  int i, bMore;
  while ((pSource = merge_first(pMerge)) != NULL && c->rc == SQLITE_OK &&
         steward_row_count(r) < nMaxRows) {
    nBytes += sqlite3_column_bytes(pSource->pRow, 4);
    if (nBytes > nMaxBytes && steward_row_count(r) > 0) break;
    add_delivery(c, r, pSource);
    source_next(c, pSource);
  }
  bMore = merge_first(pMerge) != NULL;
  for (i = 0; i < steward_row_count(r) && c->rc == SQLITE_OK; i++) {
    steward_row_set(r, i, COLUMN_MORE, bMore);
  }
}

/* An optional integer argument. */
static i64 optional(StewardCall *c, sqlite3_value *v, const char *zName,
                    i64 iMin, i64 iDefault) {
  if (v == NULL || sqlite3_value_type(v) == SQLITE_NULL) return iDefault;
  return steward_arg_int(c, v, zName, iMin, INT64_MAX);
}

/* delivery_next(position INTEGER, number INTEGER, topic TEXT, key TEXT,
**   payload, headers TEXT, published_at INTEGER, dropped INTEGER,
**   dropped_from INTEGER, more INTEGER, HIDDEN consumer TEXT,
**   HIDDEN max_rows INTEGER, HIDDEN max_bytes INTEGER, HIDDEN after INTEGER)
**                                                                     table
** The consumer's next messages, in order of position over all its topics: at
** most max_rows (100), ending before their payloads exceed max_bytes, behind
** position `after` (default: what was acknowledged).  Reading changes nothing:
** without an ack the same rows come again.  dropped: how many messages this
** consumer lost just before this row, between position dropped_from and it;
** more = 1 when others are waiting.
** Set: delivery
** Errors: "NOT_FOUND: delivery_next: no consumer 'w': SELECT
**   delivery_subscribe('w', topic)"; NOT_INSTALLED.
** Source: seed 000, sender loop of 100.
** Example: SELECT delivery_subscribe('mailer', 'mail'); -- 1
**   SELECT delivery_publish('mail', 'hello'); -- 1
**   SELECT position, number, topic, payload, dropped, more
**     FROM delivery_next('mailer'); -- 1|1|mail|hello|0|0
*/
static void next_rows(StewardCall *c, StewardRows *r, int nArg,
                      sqlite3_value **apArg) {
  Merge merge = {0};
  const char *zConsumer = steward_arg_text(c, apArg[0], "consumer", 200);
  i64 nMaxRows = optional(c, apArg[1], "max_rows", 1, 100);
  i64 nMaxBytes = optional(c, apArg[2], "max_bytes", 0, INT64_MAX);
  i64 iAfter = optional(c, apArg[3], "after", 0, 0);
  if (c->rc == SQLITE_OK &&
      !steward_int(c, SQL_delivery_subscribed, 0, "t", zConsumer)) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "no consumer '%s': SELECT delivery_subscribe('%s', topic)",
                 zConsumer, zConsumer);
  }
  if (c->rc == SQLITE_OK) merge_open(c, &merge, zConsumer, iAfter);
  merge_take(c, r, &merge, nMaxRows, nMaxBytes);
  merge_close(c, &merge);
}

/*************************************************************************
** delivery_queue
*/

/* delivery_queue(consumer TEXT, topic TEXT, position INTEGER, number INTEGER,
**   key TEXT, payload, headers TEXT, published_at INTEGER)     table
** Every pending delivery: one row per subscription and message.  Inserting
** (topic, payload [, key, headers]) publishes; the table is insert-only.
** Set: delivery
** Errors: "UNSUPPORTED: delivery_queue: the table is insert-only";
**   "INVALID_ARGUMENT: delivery_queue: consumer, position, number and
**   published_at are not given: insert topic, payload, key and headers".
** Source: seed 000, subscription_deliveries.
** Example: SELECT delivery_subscribe('mailer', 'mail'); -- 1
**   INSERT INTO delivery_queue(topic, payload) VALUES ('mail', 'hello');
**   SELECT consumer, position, payload FROM delivery_queue; -- mailer|1|hello
*/
static i64 queue_insert(StewardCall *c, int argc, sqlite3_value **argv) {
  const char *zTopic, *zKey = NULL, *zHeaders = NULL;
  if (c->rc) return 0;
  if (sqlite3_value_type(argv[0]) != SQLITE_NULL ||
      sqlite3_value_type(argv[2]) != SQLITE_NULL ||
      sqlite3_value_type(argv[3]) != SQLITE_NULL ||
      sqlite3_value_type(argv[7]) != SQLITE_NULL) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "consumer, position, number and published_at are not given: "
                 "insert topic, payload, key and headers");
    return 0;
  }
  zTopic = steward_arg_topic(c, argv[1]);
  steward_arg_payload(c, argv[5], "payload");
  if (sqlite3_value_type(argv[4]) != SQLITE_NULL) {
    zKey = steward_arg_text(c, argv[4], "key", INT_MAX);
  }
  if (sqlite3_value_type(argv[6]) != SQLITE_NULL) {
    zHeaders = steward_arg_text(c, argv[6], "headers", INT_MAX);
  }
  return steward_log_append(c, zTopic, argv[5], zKey, zHeaders);
}

/* delivery_status(subscription_id INTEGER, consumer TEXT, topic TEXT,
**   acked_position INTEGER, last_position INTEGER, pending INTEGER,
**   dropped_pending INTEGER, dropped_total INTEGER, max_pending INTEGER,
**   oldest_at INTEGER, seen_at INTEGER, created_at INTEGER)     table
** One row per subscription: what waits (pending), what the bound has dropped
** since the last ack (dropped_pending) and before (dropped_total), and when the
** oldest waiting message was published (Unix ms).
** Set: delivery
** Example: SELECT delivery_subscribe('mailer', 'mail', '{"max_pending":1}');
**   INSERT INTO delivery_queue(topic, payload) VALUES ('mail', 1), ('mail', 2);
**   SELECT pending, dropped_pending, oldest_at FROM delivery_status;
**   -- 1|1|1700000000000
*/
static const StewardTable aTable[] = {
    {.zName = "delivery_next",
     .zColumns = "position INTEGER, number INTEGER, topic TEXT, key TEXT,"
                 " payload, headers TEXT, published_at INTEGER,"
                 " dropped INTEGER, dropped_from INTEGER, more INTEGER,"
                 " consumer HIDDEN, max_rows HIDDEN, max_bytes HIDDEN,"
                 " after HIDDEN",
     .nArg = 4,
     .nRequired = 1,
     .xRows = next_rows,
     .zSet = "delivery"},
    {.zName = "delivery_queue",
     .zColumns = "consumer TEXT, topic TEXT, position INTEGER,"
                 " number INTEGER, key TEXT, payload, headers TEXT,"
                 " published_at INTEGER",
     .eSql = SQL_delivery_queue,
     .zSet = "delivery",
     .xInsert = queue_insert},
    {.zName = "delivery_status",
     .zColumns = "subscription_id INTEGER, consumer TEXT, topic TEXT,"
                 " acked_position INTEGER, last_position INTEGER,"
                 " pending INTEGER, dropped_pending INTEGER,"
                 " dropped_total INTEGER, max_pending INTEGER,"
                 " oldest_at INTEGER, seen_at INTEGER, created_at INTEGER",
     .eSql = SQL_delivery_status,
     .zSet = "delivery"},
};

int delivery_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
