/*
** delivery.c - the tables of the delivery queue.
*/
#include <limits.h>
#include <string.h>

#include "steward_int.h"

/*************************************************************************
** delivery_next: several topics, merged in the order of positions
*/

/* The columns of delivery_rows and its kin. */
enum {
  ROW_POSITION,
  ROW_NUMBER,
  ROW_TOPIC,
  ROW_KEY,
  ROW_PAYLOAD,
  ROW_HEADERS,
  ROW_PUBLISHED_AT,
  ROW_PLACE /* its number in the channel */
};

/* The columns of delivery_next behind the first seven, which are the same. */
enum {
  COLUMN_DROPPED = ROW_PUBLISHED_AT + 1,
  COLUMN_DROPPED_FROM,
  COLUMN_MORE
};

/* How many messages the policy coalesce looks at in one call. */
enum { COALESCED = 1000 };

/* One subscription of the consumer. */
typedef struct Source {
  enum StewardSqlId eSql; /* how it reads its channel */
  sqlite3_stmt *pRow;     /* its messages in order; NULL when at the end */
  int bCoalesce;
  i64 iPosition; /* of the row that pRow stands on */
  i64 iPlace;    /* the last one read, in the channel's numbers */
  i64 iLast;     /* the channel's end */
  i64 nDropped;  /* lost before that row, not yet told */
  i64 iDroppedFrom;
} Source;

/* The subscriptions, merged in the order of positions. */
typedef struct Merge {
  Source *a;
  int n;
  Source *pHere; /* streaming: whose message is the current row ... */
  i64 nDropped;  /* ... what was lost before it ... */
  i64 iDroppedFrom;
  i64 nLeft; /* ... and how many may still come */
  int bMore; /* others are waiting behind those */
} Merge;

static void source_next(StewardCall *c, Source *pSource) {
  if (steward_next(c, pSource->pRow)) {
    pSource->iPosition = sqlite3_column_int64(pSource->pRow, ROW_POSITION);
    pSource->iPlace = sqlite3_column_int64(pSource->pRow, ROW_PLACE);
  } else {
    steward_give(c, pSource->eSql, pSource->pRow);
    pSource->pRow = NULL;
  }
}

/* Stand on the first message of the channel of a row of delivery_cursors. */
static void source_open(StewardCall *c, Source *pSource,
                        sqlite3_stmt *pCursor) {
  static const enum StewardSqlId aSql[2][3] = {
      {SQL_delivery_rows, SQL_delivery_rows_pattern, SQL_delivery_rows_all},
      {SQL_delivery_keys, SQL_delivery_keys_pattern, SQL_delivery_keys_all}};
  int eKind = sqlite3_column_int(pCursor, 1);
  i64 iFirst = sqlite3_column_int64(pCursor, 4);
  memset(pSource, 0, sizeof(*pSource));
  pSource->bCoalesce = strcmp(steward_column(c, pCursor, 3), "coalesce") == 0;
  pSource->nDropped = sqlite3_column_int64(pCursor, 5);
  pSource->iDroppedFrom = sqlite3_column_int64(pCursor, 6);
  pSource->iLast = sqlite3_column_int64(pCursor, 7);
  pSource->iPlace = iFirst - 1;
  pSource->eSql = aSql[pSource->bCoalesce][eKind];
  /* the channel: a topic, the id of a pattern, or NULL for everything */
  pSource->pRow =
      steward_query(c, pSource->eSql, "vll",
                    sqlite3_column_value(pCursor, eKind == 0 ? 0 : 2), iFirst,
                    pSource->bCoalesce ? (i64)COALESCED : pSource->iLast);
  source_next(c, pSource);
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
    source_open(c, &aNew[pMerge->n++], pCursor);
  }
  steward_give(c, SQL_delivery_cursors, pCursor);
  if (c->rc == SQLITE_OK && pMerge->n == 0) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "no consumer '%s': SELECT delivery_subscribe(%Q, topic)",
                 zConsumer, zConsumer);
  }
}

static void merge_close(StewardCall *c, Merge *pMerge) {
  int i;
  for (i = 0; i < pMerge->n; i++) {
    steward_give(c, pMerge->a[i].eSql, pMerge->a[i].pRow);
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

/* Go past the message of pFirst, in every subscription that has it, too; what
** they lost before it is told with it. */
static void merge_pass(StewardCall *c, Merge *pMerge, Source *pFirst) {
  i64 iPosition = pFirst->iPosition;
  int i;
  for (i = 0; i < pMerge->n && c->rc == SQLITE_OK; i++) {
    Source *pSource = &pMerge->a[i];
    if (pSource->pRow && pSource->iPosition == iPosition) {
      source_next(c, pSource);
    }
  }
}

/* What the subscriptions that stand on this position lost before it. */
static i64 merge_dropped(Merge *pMerge, i64 iPosition, i64 *piFrom /* OUT */) {
  i64 nDropped = 0;
  int i;
  for (i = 0; i < pMerge->n; i++) {
    Source *pSource = &pMerge->a[i];
    if (pSource->pRow == NULL || pSource->iPosition != iPosition) continue;
    if (pSource->nDropped == 0) continue;
    if (nDropped == 0 || pSource->iDroppedFrom < *piFrom) {
      *piFrom = pSource->iDroppedFrom;
    }
    nDropped += pSource->nDropped;
    pSource->nDropped = 0;
  }
  return nDropped;
}

static void add_delivery(StewardCall *c, StewardRows *r, Merge *pMerge,
                         Source *pSource) {
  sqlite3_stmt *s = pSource->pRow;
  i64 iFrom = 0;
  i64 nDropped = merge_dropped(pMerge, pSource->iPosition, &iFrom);
  steward_row(
      c, r, nDropped ? "llvvvvvlli" : "llvvvvvlni",
      sqlite3_column_int64(s, ROW_POSITION),
      sqlite3_column_int64(s, ROW_NUMBER), sqlite3_column_value(s, ROW_TOPIC),
      sqlite3_column_value(s, ROW_KEY), sqlite3_column_value(s, ROW_PAYLOAD),
      sqlite3_column_value(s, ROW_HEADERS),
      sqlite3_column_value(s, ROW_PUBLISHED_AT), nDropped, iFrom, 0);
}

/* Is anything left, here or beyond what coalescing looked at? */
static int merge_more(const Merge *pMerge) {
  int i;
  for (i = 0; i < pMerge->n; i++) {
    const Source *pSource = &pMerge->a[i];
    if (pSource->pRow || pSource->iPlace < pSource->iLast) return 1;
  }
  return 0;
}

/* Take messages until a limit is reached; then say on every row whether more
** are waiting.  A message larger than the whole credit comes alone. */
static void merge_take(StewardCall *c, StewardRows *r, Merge *pMerge,
                       i64 nMaxRows, i64 nMaxBytes) {
  i64 nBytes = 0;
  Source *pSource;
  int i, bMore;
  while ((pSource = merge_first(pMerge)) != NULL && c->rc == SQLITE_OK &&
         steward_row_count(r) < nMaxRows) {
    nBytes += sqlite3_column_bytes(pSource->pRow, ROW_PAYLOAD);
    if (nBytes > nMaxBytes && steward_row_count(r) > 0) break;
    add_delivery(c, r, pMerge, pSource);
    merge_pass(c, pMerge, pSource);
  }
  bMore = merge_more(pMerge);
  for (i = 0; i < steward_row_count(r) && c->rc == SQLITE_OK; i++) {
    steward_row_set(r, i, COLUMN_MORE, bMore);
  }
}

/*************************************************************************
** The same as a stream, where nothing has to be known at the end
*/

static int stream_next(StewardCall *c, void *pState) {
  Merge *pMerge = pState;
  if (pMerge->pHere) merge_pass(c, pMerge, pMerge->pHere);
  pMerge->pHere = pMerge->nLeft-- > 0 ? merge_first(pMerge) : NULL;
  if (pMerge->pHere == NULL || c->rc) return 0;
  pMerge->nDropped =
      merge_dropped(pMerge, pMerge->pHere->iPosition, &pMerge->iDroppedFrom);
  return 1;
}

static void stream_column(sqlite3_context *ctx, void *pState, int iCol) {
  const Merge *pMerge = pState;
  switch (iCol) {
  case COLUMN_DROPPED: sqlite3_result_int64(ctx, pMerge->nDropped); break;
  case COLUMN_DROPPED_FROM:
    if (pMerge->nDropped) sqlite3_result_int64(ctx, pMerge->iDroppedFrom);
    break;
  case COLUMN_MORE: sqlite3_result_int(ctx, pMerge->bMore); break;
  default:
    sqlite3_result_value(ctx, sqlite3_column_value(pMerge->pHere->pRow, iCol));
  }
}

static void stream_free(StewardCall *c, void *pState) {
  merge_close(c, pState);
  sqlite3_free(pState);
}

static const StewardStream mergeStream = {stream_next, stream_column,
                                          stream_free};

/* Can it be told now whether more than nMaxRows messages wait?  A message that
** several subscriptions want counts in each of them. */
static int more_is_known(Merge *pMerge, i64 nMaxRows) {
  i64 nSum = 0, nMost = 0;
  int i;
  for (i = 0; i < pMerge->n; i++) {
    const Source *pSource = &pMerge->a[i];
    i64 nHere = pSource->pRow ? pSource->iLast - pSource->iPlace + 1 : 0;
    if (pSource->bCoalesce) return 0;
    nSum += nHere;
    if (nHere > nMost) nMost = nHere;
  }
  pMerge->bMore = nMost > nMaxRows;
  return nMost > nMaxRows || nSum <= nMaxRows;
}

/* Stream the merge; 0 when that cannot be, and it is still the caller's.  What
** is published while the caller reads is not for this call. */
static int stream(StewardCall *c, StewardRows *r, const Merge *pOpen,
                  i64 nMaxRows) {
  Merge *pMerge;
  if (c->rc || !more_is_known((Merge *)pOpen, nMaxRows)) return 0;
  pMerge = sqlite3_malloc64(sizeof(*pMerge));
  if (pMerge == NULL) {
    steward_fail_nomem(c);
    return 0;
  }
  *pMerge = *pOpen;
  pMerge->nLeft = nMaxRows;
  steward_rows_stream(r, &mergeStream, pMerge);
  return 1;
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
** most max_rows (100), ending before their payloads exceed max_bytes (the first
** comes in any case), behind position `after` (default: what was
** acknowledged).  Reading changes nothing:
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
  if (c->rc == SQLITE_OK) merge_open(c, &merge, zConsumer, iAfter);
  if (nMaxBytes == INT64_MAX && stream(c, r, &merge, nMaxRows)) return;
  merge_take(c, r, &merge, nMaxRows, nMaxBytes);
  merge_close(c, &merge);
}

/*************************************************************************
** delivery_queue
*/

/* delivery_queue(consumer TEXT, subscription TEXT, topic TEXT,
**   position INTEGER, number INTEGER, key TEXT, payload, headers TEXT,
**   published_at INTEGER)
**                                                                     table
** Every pending delivery: one row per subscription (its topic or pattern) and
** message.  Inserting (topic, payload [, key, headers]) publishes; the table is
** insert-only.
** Set: delivery
** Errors: "UNSUPPORTED: delivery_queue: the table is insert-only";
**   "INVALID_ARGUMENT: delivery_queue: consumer, subscription, position, number
**   and published_at are not given: insert topic, payload, key and headers".
** Source: seed 000, subscription_deliveries.
** Example: SELECT delivery_subscribe('mailer', 'mail'); -- 1
**   INSERT INTO delivery_queue(topic, payload) VALUES ('mail', 'hello');
**   SELECT consumer, position, payload FROM delivery_queue; -- mailer|1|hello
*/
static i64 queue_insert(StewardCall *c, int argc, sqlite3_value **argv) {
  const char *zTopic, *zKey = NULL, *zHeaders = NULL;
  if (c->rc) return 0;
  if (sqlite3_value_type(argv[0]) != SQLITE_NULL ||
      sqlite3_value_type(argv[1]) != SQLITE_NULL ||
      sqlite3_value_type(argv[3]) != SQLITE_NULL ||
      sqlite3_value_type(argv[4]) != SQLITE_NULL ||
      sqlite3_value_type(argv[8]) != SQLITE_NULL) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "consumer, subscription, position, number and published_at "
                 "are not given: insert topic, payload, key and headers");
    return 0;
  }
  zTopic = steward_arg_topic(c, argv[2]);
  steward_arg_payload(c, argv[6], "payload");
  if (sqlite3_value_type(argv[5]) != SQLITE_NULL) {
    zKey = steward_arg_text(c, argv[5], "key", INT_MAX);
  }
  if (sqlite3_value_type(argv[7]) != SQLITE_NULL) {
    zHeaders = steward_arg_text(c, argv[7], "headers", INT_MAX);
    if (c->rc == SQLITE_OK && !steward_int(c, SQL_is_json, 0, "t", zHeaders)) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "headers must be JSON, got '%s'", zHeaders);
    }
  }
  return delivery_append(c, zTopic, argv[6], zKey, zHeaders);
}

/* delivery_status(subscription_id INTEGER, consumer TEXT, topic TEXT,
**   policy TEXT, acked_position INTEGER, last_position INTEGER,
**   pending INTEGER, pending_bytes INTEGER, bytes_capped INTEGER,
**   oldest_at INTEGER, dropped_pending INTEGER, dropped_total INTEGER,
**   dropped_from INTEGER, dropped_to INTEGER, max_pending INTEGER,
**   seen_at INTEGER, expires_at INTEGER, created_at INTEGER)     table
** One row per subscription: what waits (pending, exact; pending_bytes counts at
** most 1000 messages and says so in bytes_capped) and since when (oldest_at,
** Unix ms); what was lost since the last ack (dropped_pending) and before
** (dropped_total, the last time between positions dropped_from and dropped_to);
** when the consumer was last seen (subscribe or ack), and when the subscription
** ends if that does not happen again (setting delivery_idle).
** Set: delivery
** Example: SELECT delivery_subscribe('mailer', 'mail', '{"max_pending":1}');
**   INSERT INTO delivery_queue(topic, payload) VALUES ('mail', 1), ('mail', 2);
**   SELECT pending, dropped_pending, oldest_at FROM delivery_status;
**   -- 1|1|1700000000000
*/
static const StewardTable aTable[] = {
    {.zName = "delivery_next",
     .zColumns =
         "position INTEGER, number INTEGER, topic TEXT, key TEXT,"
         " payload, headers TEXT, published_at INTEGER,"
         " dropped INTEGER, dropped_from INTEGER, more INTEGER,"
         " consumer HIDDEN BLOB, max_rows HIDDEN BLOB, max_bytes HIDDEN BLOB,"
         " after HIDDEN BLOB",
     .nArg = 4,
     .nRequired = 1,
     .xRows = next_rows,
     .zSet = "delivery"},
    {.zName = "delivery_queue",
     .zColumns = "consumer TEXT, subscription TEXT, topic TEXT,"
                 " position INTEGER, number INTEGER, key TEXT, payload,"
                 " headers TEXT, published_at INTEGER",
     .eSql = SQL_delivery_queue,
     .zSet = "delivery",
     .xInsert = queue_insert},
    {.zName = "delivery_status",
     .zColumns = "subscription_id INTEGER, consumer TEXT, topic TEXT,"
                 " policy TEXT, acked_position INTEGER, last_position INTEGER,"
                 " pending INTEGER, pending_bytes INTEGER,"
                 " bytes_capped INTEGER, oldest_at INTEGER,"
                 " dropped_pending INTEGER, dropped_total INTEGER,"
                 " dropped_from INTEGER, dropped_to INTEGER,"
                 " max_pending INTEGER, seen_at INTEGER, expires_at INTEGER,"
                 " created_at INTEGER",
     .eSql = SQL_delivery_status,
     .zSet = "delivery"},
};

int delivery_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
