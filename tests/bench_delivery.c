/*
** bench_delivery.c - the delivery queue beside what else does its work: the
** SQL of the system that it replaces, and a Redis stream.
**
**     bench_delivery steward.so [quick] [--case TEXT] [--json FILE]
**
** `--case huge` compares a log of 10 million messages in 1,000 topics with one
** of 200,000, and nothing else: building it takes a minute and 1 GB.
**
** The original writes a row per subscriber and message: it counts what is not
** acknowledged, deletes beyond 1000, takes max + 1 and inserts; a reader marks
** each row by itself.  Redis runs as a child, appendonly, on a Unix socket, one
** client, with a consumer group; where there is no redis-server, those cases
** say so.
*/
#include "bench.h"
#include "bench_redis.h"

static const char zPayload[] = P50 P50 P50;

/*************************************************************************
** The original
*/

static const char zOriginalTables[] =
    "CREATE TABLE o_subscription(id INTEGER PRIMARY KEY);"
    "CREATE TABLE o_delivery(subscription_id INTEGER, delivery_no INTEGER,"
    " payload TEXT, acked INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (subscription_id, delivery_no));"
    "CREATE INDEX o_acked ON o_delivery(subscription_id, acked);"
    "CREATE INDEX o_seq ON o_delivery(subscription_id, delivery_no);";

typedef struct Original {
  sqlite3 *db;
  sqlite3_stmt *pBegin, *pCommit, *pEach, *pCount, *pDrop, *pMax, *pInsert;
} Original;

static void original_open(Original *o, sqlite3 *db) {
  o->db = db;
  o->pBegin = prepare(db, "BEGIN IMMEDIATE");
  o->pCommit = prepare(db, "COMMIT");
  o->pEach = prepare(db, "SELECT id FROM o_subscription");
  o->pCount = prepare(db, "SELECT COUNT(1) FROM o_delivery WHERE"
                          " subscription_id = ? AND acked = 0");
  o->pDrop = prepare(db, "DELETE FROM o_delivery WHERE subscription_id = ?1 AND"
                         " delivery_no IN (SELECT delivery_no FROM o_delivery"
                         " WHERE subscription_id = ?1 AND acked = 0 ORDER BY"
                         " delivery_no LIMIT ?2)");
  o->pMax = prepare(db, "SELECT COALESCE(MAX(delivery_no), 0) + 1 FROM"
                        " o_delivery WHERE subscription_id = ?");
  o->pInsert = prepare(db, "INSERT OR IGNORE INTO o_delivery(subscription_id,"
                           " delivery_no, payload, acked) VALUES (?, ?, ?, 0)");
}

static void original_close(Original *o) {
  sqlite3_stmt *a[] = {o->pBegin, o->pCommit, o->pEach,  o->pCount,
                       o->pDrop,  o->pMax,    o->pInsert};
  int i;
  for (i = 0; i < 7; i++) sqlite3_finalize(a[i]);
}

static sqlite3_int64 ask(sqlite3_stmt *pStmt, sqlite3_int64 iId) {
  sqlite3_int64 i;
  sqlite3_bind_int64(pStmt, 1, iId);
  sqlite3_step(pStmt);
  i = sqlite3_column_int64(pStmt, 0);
  sqlite3_reset(pStmt);
  return i;
}

static void original_enqueue(Original *o, sqlite3_int64 iId) {
  sqlite3_int64 nUnacked = ask(o->pCount, iId);
  if (nUnacked >= 1000) {
    sqlite3_bind_int64(o->pDrop, 1, iId);
    sqlite3_bind_int64(o->pDrop, 2, nUnacked - 1000 + 1);
    block(o->db, o->pDrop, 1);
  }
  sqlite3_bind_int64(o->pInsert, 1, iId);
  sqlite3_bind_int64(o->pInsert, 2, ask(o->pMax, iId));
  sqlite3_bind_text(o->pInsert, 3, zPayload, -1, SQLITE_STATIC);
  block(o->db, o->pInsert, 1);
}

/* One message to every subscriber; microseconds. */
static double original_publish(Original *o) {
  double t = now_us();
  block(o->db, o->pBegin, 1);
  while (sqlite3_step(o->pEach) == SQLITE_ROW) {
    original_enqueue(o, sqlite3_column_int64(o->pEach, 0));
  }
  sqlite3_reset(o->pEach);
  block(o->db, o->pCommit, 1);
  return now_us() - t;
}

/* Publishing in autocommit, with the same subscribers and history on both
** sides. */
static void run_publish(const char *zName, int nSubscriber, int nOld, int nOp) {
  char *zSetup = sqlite3_mprintf(
      "%s WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
      " i < %d) INSERT INTO o_subscription SELECT i FROM n;"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
      " i < %d) SELECT sum(delivery_subscribe('w' || i, 't')) FROM n;"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
      " i < %d) INSERT INTO o_delivery SELECT s.id, n.i, '%s', n.i <= %d - 1000"
      " FROM o_subscription AS s, n WHERE %d;"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
      " i < %d) INSERT INTO steward_log(topic, payload) SELECT 't', '%s' FROM n"
      " WHERE %d",
      zOriginalTables, nSubscriber, nSubscriber, nOld, zPayload, nOld, nOld > 0,
      nOld, zPayload, nOld > 0);
  sqlite3 *db = open_fresh(zSetup);
  sqlite3_stmt *pA = prepare(db, PUBLISH);
  Original o;
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  int i, k;
  original_open(&o, db);
  for (i = -1; i < nSample; i++) {
    double a = block(db, pA, nOp), b = 0;
    for (k = 0; k < nOp; k++) b += original_publish(&o);
    if (i < 0) continue;
    aA[i] = a;
    aB[i] = b / nOp;
  }
  report(zName, aA, aB, nSample);
  original_close(&o);
  sqlite3_finalize(pA);
  sqlite3_free(zSetup);
  free(aA);
  free(aB);
  sqlite3_close(db);
}

/*************************************************************************
** Redis
*/

static double redis_publish(Redis *r, int nOp) {
  char z[300];
  int n = snprintf(z, sizeof(z),
                   "*5\r\n$4\r\nXADD\r\n$1\r\nt\r\n$1\r\n*\r\n$1\r\np\r\n"
                   "$%d\r\n%s\r\n",
                   (int)strlen(zPayload), zPayload);
  double t = now_us();
  while (nOp-- > 0) {
    redis_send(r, z, (size_t)n);
    redis_reply(r, NULL, NULL);
  }
  return now_us() - t;
}

/* The ids of a batch, as the words of an XACK. */
typedef struct Ids {
  char z[8192];
  int n, nId;
} Ids;

static void add_id(void *pArg, const char *zId) {
  Ids *p = pArg;
  p->n += snprintf(p->z + p->n, sizeof(p->z) - (size_t)p->n, "$%d\r\n%s\r\n",
                   (int)strlen(zId), zId);
  p->nId++;
}

static double redis_consume(Redis *r, int nOp) {
  double t = now_us();
  while (nOp-- > 0) {
    static char z[9000];
    Ids ids = {.n = 0};
    int n = snprintf(z, sizeof(z),
                     "XREADGROUP GROUP g w COUNT 100 STREAMS t >\r\n");
    redis_send(r, z, (size_t)n);
    redis_reply(r, add_id, &ids);
    redis_need(ids.nId == 100, "fewer than 100 messages");
    n = snprintf(z, sizeof(z), "*%d\r\n$4\r\nXACK\r\n$1\r\nt\r\n$1\r\ng\r\n%s",
                 3 + ids.nId, ids.z);
    redis_send(r, z, (size_t)n);
    redis_reply(r, NULL, NULL);
  }
  return now_us() - t;
}

static double steward_consume(sqlite3 *db, sqlite3_stmt *pNext,
                              sqlite3_stmt *pAck, int nOp) {
  double t = now_us();
  while (nOp-- > 0) {
    sqlite3_int64 iLast = 0;
    while (sqlite3_step(pNext) == SQLITE_ROW) {
      iLast = sqlite3_column_int64(pNext, 0);
      sqlite3_column_text(pNext, 1);
    }
    sqlite3_reset(pNext);
    sqlite3_bind_int64(pAck, 1, iLast);
    block(db, pAck, 1);
  }
  return now_us() - t;
}

static void run_redis(const char *zSync, const char *zFsync) {
  enum { PUBLISHED = 200, ROUNDS = 2 };
  char zName[2][80];
  double *aTime[4];
  sqlite3_stmt *pPublish, *pNext, *pAck;
  sqlite3 *db;
  Redis redis;
  int i;
  if (!redis_open(&redis, zFsync, 0)) {
    printf("%-46s no redis-server: skipped\n", "Redis stream");
    return;
  }
  redis_do(&redis, "XGROUP CREATE t g 0 MKSTREAM");
  for (i = 0; i < 4; i++) aTime[i] = malloc(sizeof(double) * (size_t)nSample);
  db = open_fresh("SELECT delivery_subscribe('w', 't', '{\"max_pending\":0}')");
  exec(db, zSync);
  pPublish = prepare(db, PUBLISH);
  pNext = prepare(db, "SELECT position, payload FROM delivery_next('w', 100)");
  pAck = prepare(db, "SELECT delivery_ack('w', ?)");
  for (i = 0; i < nSample; i++) {
    aTime[0][i] = block(db, pPublish, PUBLISHED);
    aTime[1][i] = redis_publish(&redis, PUBLISHED) / PUBLISHED;
    aTime[2][i] = steward_consume(db, pNext, pAck, ROUNDS) / ROUNDS;
    aTime[3][i] = redis_consume(&redis, ROUNDS) / ROUNDS;
  }
  snprintf(zName[0], 80, "publish, %s : XADD, %s", zSync + 19, zFsync);
  snprintf(zName[1], 80, "next of 100 + ack, %s : XREADGROUP + XACK",
           zSync + 19);
  report(zName[0], aTime[0], aTime[1], nSample);
  report(zName[1], aTime[2], aTime[3], nSample);
  sqlite3_finalize(pPublish);
  sqlite3_finalize(pNext);
  sqlite3_finalize(pAck);
  for (i = 0; i < 4; i++) free(aTime[i]);
  sqlite3_close(db);
  redis_close(&redis);
}

/*************************************************************************
** Ten million messages
*/

/* A log with nMessage messages in 1,000 topics, and two subscribers. */
static sqlite3 *open_log(const char *zPath, int nMessage) {
  char *zFill = sqlite3_mprintf(
      "SELECT steward_setting('log_max_rows', 100000000);"
      "SELECT delivery_subscribe('all', 'doc:*', '{\"max_pending\":0}'),"
      " delivery_subscribe('one', 'doc:7', '{\"max_pending\":0}');"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <"
      " %d) INSERT INTO steward_log(topic, payload) SELECT 'doc:' || (i %% "
      "1000)"
      ", 'twenty bytes of text' FROM n;"
      "PRAGMA wal_checkpoint(TRUNCATE)",
      nMessage);
  sqlite3 *db;
  strcpy(zFile, zPath);
  db = open_fresh(zFill);
  sqlite3_free(zFill);
  return db;
}

static void run_huge(void) {
  static const char *const azSql[][2] = {
      {"publish", "SELECT delivery_publish('doc:8', 'twenty bytes of text')"},
      {"next of 100, a topic", "SELECT * FROM delivery_next('one', 100)"},
      {"next of 100, a pattern", "SELECT * FROM delivery_next('all', 100)"},
      {"ack", "SELECT delivery_ack('all', 500)"},
      {"status", "SELECT * FROM delivery_status"},
  };
  char zBig[80], zSmall[80];
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  sqlite3 *big, *small;
  int i, k;
  remove_files();
  snprintf(zBig, sizeof(zBig), "%.70s-big", zFile);
  snprintf(zSmall, sizeof(zSmall), "%.70s-small", zFile);
  big = open_log(zBig, 10000000);
  small = open_log(zSmall, 200000);
  for (k = 0; k < 5; k++) {
    sqlite3_stmt *pA = prepare(big, azSql[k][1]);
    sqlite3_stmt *pB = prepare(small, azSql[k][1]);
    char zName[80];
    for (i = -3; i < nSample; i++) {
      double a = block(big, pA, 10), b = block(small, pB, 10);
      if (i < 0) continue;
      aA[i] = a;
      aB[i] = b;
    }
    snprintf(zName, sizeof(zName), "%s, 10 M messages : 200,000", azSql[k][0]);
    report(zName, aA, aB, nSample);
    sqlite3_finalize(pA);
    sqlite3_finalize(pB);
  }
  free(aA);
  free(aB);
  sqlite3_close(big);
  sqlite3_close(small);
  remove_files();
  strcpy(zFile, zBig);
}

int main(int argc, char **argv) {
  bench_begin(argc, argv);
  if (strcmp(zOnly, "huge") == 0) run_huge();
  if (strstr("original", zOnly)) {
    run_publish("publish, 1 subscriber : the original", 1, 0, 20);
    run_publish("publish, 100 subscribers : the original", 100, 0, 5);
    run_publish("the same, full queues of 1000", 100, 1000, 3);
    nSample = nSample > 15 ? 15 : nSample; /* 28 ms each */
    run_publish("publish, 200,000 old : the original", 1, 200000, 3);
  }
  if (strstr("redis", zOnly)) {
    run_redis("PRAGMA synchronous=NORMAL", "everysec");
    run_redis("PRAGMA synchronous=FULL", "always");
  }
  bench_end();
  return 0;
}
