/*
** bench.c - what the library's statements cost beside bare SQL.
**
**     bench steward.so [quick] [--case TEXT] [--json FILE]
**
** A case has two sides, A (the library) and B (what it is compared with), both
** prepared in one process and run alternately in small blocks.  The ratio of
** two neighbouring blocks is one sample; printed are its median and the 10th
** and 90th percentile, with the median time of one operation of each side.
** Absolute times depend on the machine, ratios much less.
*/
#include "bench.h"

#include <sys/mman.h>
#include <sys/wait.h>

static char zTrivial[400];

/* The usual case: two statements on one connection. */
typedef struct Case {
  const char *zName;
  const char *zSetup;
  const char *zA;
  const char *zB;
  int bTransaction; /* one transaction around each block */
  int nOp;
} Case;

static void run_case(const Case *k) {
  sqlite3 *db = open_fresh(k->zSetup);
  sqlite3_stmt *pA = prepare(db, k->zA), *pB = prepare(db, k->zB);
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  int i;
  for (i = -3; i < nSample; i++) {
    double a, b;
    if (k->bTransaction) exec(db, "BEGIN IMMEDIATE");
    a = block(db, pA, k->nOp);
    b = block(db, pB, k->nOp);
    if (k->bTransaction) exec(db, "COMMIT");
    if (i < 0) continue; /* warm up */
    aA[i] = a;
    aB[i] = b;
  }
  report(k->zName, aA, aB, nSample);
  sqlite3_finalize(pA);
  sqlite3_finalize(pB);
  free(aA);
  free(aB);
  sqlite3_close(db);
}

#define APPEND_CALL                                                            \
  "change_append('d', 'main', hex(randomblob(8)), 1, hex(randomblob(16)),"     \
  " change_heads('d', 'main'), zeroblob(150))"
#define APPEND "SELECT " APPEND_CALL

/* A chain of deltas under base 1, beside 5,000 other bases. */
#define CHAIN(n)                                                               \
  "INSERT INTO workspaces(id, name) VALUES (x'00', 'w');"                      \
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "    \
  "<= 5000) INSERT INTO http(id, workspace_id, name, url, method) SELECT "     \
  "10000 + i, x'00', 'n', 'u', 'GET' FROM n;"                                  \
  "INSERT INTO http(id, workspace_id, name, url, method) VALUES (1, x'00', "   \
  "'n', 'u', 'GET');"                                                          \
  "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i "    \
  "<= " n ") INSERT INTO http(id, workspace_id, name, url, method, is_delta,"  \
  " parent_http_id, delta_name) SELECT i, x'00', 'n', 'u', 'GET', 1, i - 1,"   \
  " 'd' || i FROM n;"
#define CTE                                                                    \
  "WITH RECURSIVE delta_chain AS (SELECT h.id, h.name, h.url, h.method, "      \
  "h.description, h.updated_at, 0 as level FROM http h WHERE h.id = 1 AND "    \
  "h.is_delta = FALSE UNION ALL SELECT d.id, COALESCE(d.delta_name, "          \
  "dc.name), COALESCE(d.delta_url, dc.url), COALESCE(d.delta_method, "         \
  "dc.method), COALESCE(d.delta_description, dc.description), "                \
  "d.updated_at, dc.level + 1 FROM http d INNER JOIN delta_chain dc ON "       \
  "d.parent_http_id = dc.id WHERE d.is_delta = TRUE AND d.parent_http_id = "   \
  "dc.id AND d.updated_at <= 9999999999) SELECT id, name, url, method, "       \
  "description, updated_at FROM delta_chain ORDER BY level DESC LIMIT 1"
#define SESSIONS                                                               \
  "CREATE TABLE a(id INTEGER PRIMARY KEY, u, at INTEGER);"                     \
  "CREATE TABLE b(id INTEGER PRIMARY KEY, u, at INTEGER);"                     \
  "CREATE INDEX b_at ON b(at) WHERE at IS NOT NULL;"                           \
  "SELECT ttl_attach('a', 'at', '{\"unit\":\"s\"}');"

/* n siblings under base 1; leaf 2. */
#define SIBLINGS(n)                                                            \
  CHAIN("1")                                                                   \
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "    \
  "< " n ") INSERT INTO http(id, workspace_id, name, url, method, is_delta,"   \
  " parent_http_id, delta_name) SELECT 100000 + i, x'00', 'n', 'u', 'GET', 1," \
  " 1, 'd' || i FROM n;"

/* n changes of 10,000 rows in the log, then 100 new ones. */
#define CHANGED(n)                                                             \
  "INSERT INTO workspaces(id, name) VALUES (x'00', 'w');"                      \
  "SELECT steward_setting('log_max_rows', 100000000);"                         \
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "  \
  "10000) INSERT INTO http(id, workspace_id, name, url, method, created_at,"   \
  " updated_at) SELECT i, x'00', 'n', 'u', 'GET', 1, 1 FROM n;"                \
  "SELECT stream_attach('http');"                                              \
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "    \
  "< " n                                                                       \
  ") INSERT INTO steward_messages(topic, number, key, payload, headers,"       \
  " published_at) SELECT 'stream:http:X''00''', i, i % 1000 + 1, i % 1000 + "  \
  "1, '{\"op\":\"update\",\"is_delta\":0}', 1700000000000 + i FROM n;"         \
  "UPDATE http SET updated_at = 2 WHERE id <= 100;"
#define CHANGES_OF(n)                                                          \
  "SELECT id, change_type, row FROM stream_changes('http', x'00', " n ", 100)"
#define UPDATES                                                                \
  "SELECT h.id, h.workspace_id, h.folder_id, h.name, h.url, h.method, "        \
  "h.description, h.updated_at, h.created_at, h.is_delta, h.parent_http_id, "  \
  "CASE WHEN h.updated_at > 1 THEN 'updated' WHEN h.created_at > 1 THEN "      \
  "'created' ELSE 'unchanged' END FROM http h WHERE h.workspace_id = x'00' "   \
  "AND (h.updated_at > 1 OR h.created_at > 1) AND h.is_delta = FALSE ORDER "   \
  "BY h.updated_at ASC LIMIT 100"

/* 100,000 records in the store, and in a table with the same key that checks
** nothing. */
#define KEYS(n, ns)                                                            \
  "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i "    \
  "< " n " - 1) INSERT INTO ext_storage_records(tenant, extension_install_id," \
  " namespace, key, value, value_size_bytes, metadata_size_bytes)"             \
  " SELECT 't', 'i', '" ns "', printf('k%06d', i), '\"" P50 P50 P50            \
  "\"', 152, 2 FROM n;"
#define STORE                                                                  \
  "SELECT steward_setting('store_max_keys', 1000000);" KEYS(                   \
      "100000", "n") "CREATE TABLE kv(tenant TEXT, install TEXT, namespace "   \
                     "TEXT, key TEXT,"                                         \
                     " value TEXT, revision INTEGER, at INTEGER,"              \
                     " PRIMARY KEY (tenant, install, namespace, key));"        \
                     "INSERT INTO kv SELECT tenant, extension_install_id, "    \
                     "namespace, key, value,"                                  \
                     " 1, 1 FROM ext_storage_records;"
#define ANY_KEY "printf('k%06d', abs(random() % 100000))"
#define GET "SELECT store_get('t', 'i', 'n', " ANY_KEY ")"
#define BARE_GET                                                               \
  "SELECT value FROM kv WHERE tenant = 't' AND install = 'i'"                  \
  " AND namespace = 'n' AND key = " ANY_KEY
#define PUT(ns, key)                                                           \
  "SELECT store_put('t', 'i', '" ns "', " key ", '\"" P50 P50 P50 "\"')"
#define UPSERT(key)                                                            \
  "INSERT INTO kv VALUES ('t', 'i', 'n', " key ", '\"" P50 P50 P50             \
  "\"', 1, 1) ON CONFLICT DO UPDATE SET value = excluded.value,"               \
  " revision = revision + 1, at = excluded.at"

static const Case aCase[] = {
    {"store_get : bare SELECT, autocommit", STORE, GET, BARE_GET, 0, 50},
    {"store_get : bare SELECT, one transaction", STORE, GET, BARE_GET, 1, 100},
    {"store_put : bare UPSERT, autocommit", STORE, PUT("n", ANY_KEY),
     UPSERT(ANY_KEY), 0, 20},
    {"store_put : bare UPSERT, one transaction", STORE, PUT("n", ANY_KEY),
     UPSERT(ANY_KEY), 1, 100},
    {"store_put of new keys : bare UPSERT, autocommit", STORE,
     PUT("new", "hex(randomblob(8))"), UPSERT("hex(randomblob(8))"), 0, 20},
    {"store_put of new keys : bare UPSERT, one trans.", STORE,
     PUT("new", "hex(randomblob(8))"), UPSERT("hex(randomblob(8))"), 1, 100},
    {"store_put, namespace of 5,000 keys : of 5",
     KEYS("5000", "big") KEYS("5", "small"), PUT("big", "'k000001'"),
     PUT("small", "'k000001'"), 1, 100},
    {"store_list of 25, page 1,000 : page 1", STORE,
     "SELECT key, value FROM store_list('t','i','n', NULL, 'k024974', 25)",
     "SELECT key, value FROM store_list('t','i','n', NULL, NULL, 25)", 0, 50},
    {"store_list of 25 : bare SELECT of 25", STORE,
     "SELECT key, value FROM store_list('t','i','n', NULL, 'k024974', 25)",
     "SELECT key, value FROM kv WHERE tenant = 't' AND install = 'i' AND"
     " namespace = 'n' AND key > 'k024974' ORDER BY key LIMIT 25",
     0, 50},
    {"delta leaf under 1,000 siblings : the CTE", SIBLINGS("1000"),
     "SELECT delta_resolve('http', 2)", CTE, 0, 10},
    {"delta leaf under 10,000 siblings : the CTE", SIBLINGS("10000"),
     "SELECT delta_resolve('http', 2)", CTE, 0, 3},
    {"delta_rows, fold, 10,000 bases : resolve by row", WORKSPACE,
     "SELECT sum(length(row)) FROM delta_rows('http', NULL, 'fold')",
     "SELECT sum(length(delta_resolve('http', id, '{\"policy\":\"fold\"}')))"
     " FROM http WHERE is_delta = 0",
     0, 1},
    {"delta_rows, every delta : the best single query", WORKSPACE,
     "SELECT sum(length(row)) FROM delta_rows('http') WHERE kind = 'delta'",
     "SELECT sum(length(json_object('id', hex(b.id), 'workspace_id',"
     " hex(b.workspace_id), 'name', coalesce(d.delta_name, b.name), 'url', "
     "coalesce(d.delta_url,"
     " b.url), 'method', coalesce(d.delta_method, b.method), 'description',"
     " coalesce(d.delta_description, b.description), 'created_at',"
     " b.created_at, 'updated_at', b.updated_at, 'source', hex(d.id)))) FROM "
     "http"
     " AS d JOIN http AS b ON b.id = d.parent_http_id WHERE d.is_delta = 1",
     0, 1},
    {"stream_snapshot of 100 : the seed's query", WORKSPACE,
     "SELECT id, row FROM stream_snapshot('http', x'00')",
     "SELECT h.id, h.workspace_id, h.folder_id, h.name, h.url, h.method,"
     " h.description, h.created_at, h.updated_at, h.is_delta, CASE WHEN"
     " h.is_delta = TRUE THEN 1 ELSE 0 END, CASE WHEN h.parent_http_id IS NOT"
     " NULL THEN 1 ELSE 0 END FROM http h WHERE h.workspace_id = x'00' AND"
     " h.is_delta = FALSE AND h.updated_at >= 0 ORDER BY h.updated_at DESC"
     " LIMIT 100 OFFSET 0",
     0, 5},
    {"stream_snapshot, page 50 : the seed's OFFSET", WORKSPACE,
     "SELECT id, row FROM stream_snapshot('http', x'00',"
     " '[0,0,0,1700005000,99999999]')",
     "SELECT h.id, h.workspace_id, h.folder_id, h.name, h.url, h.method,"
     " h.description, h.created_at, h.updated_at, h.is_delta FROM http h WHERE"
     " h.workspace_id = x'00' AND h.is_delta = FALSE AND h.updated_at >= 0"
     " ORDER BY h.updated_at DESC LIMIT 100 OFFSET 5000",
     0, 5},
    {"stream_changes, 100 after 1,000 : StreamHTTPUpdates", CHANGED("1000"),
     CHANGES_OF("1000"), UPDATES, 0, 5},
    {"stream_changes, 100 after 1,000,000 : the same", CHANGED("1000000"),
     CHANGES_OF("1000000"), UPDATES, 0, 5},
    {"stream: update, attached : not attached",
     "CREATE TABLE bare(id INTEGER PRIMARY KEY, x); INSERT INTO bare VALUES"
     " (1, 0); CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES"
     " (1, 0); SELECT stream_attach('t')",
     "UPDATE t SET x = x + 1 WHERE id = 1",
     "UPDATE bare SET x = x + 1 WHERE id = 1", 1, 100},
    {"fk_validate, 40,000 rows : the seed's query", WORKSPACE,
     "SELECT count(*) FROM fk_validate('http') WHERE status <> 'valid'",
     "SELECT count(*) FROM (SELECT CASE WHEN w.id IS NULL THEN"
     " 'invalid_workspace' WHEN h.folder_id IS NOT NULL AND f.id IS NULL THEN"
     " 'invalid_folder' WHEN h.parent_http_id IS NOT NULL AND p.id IS NULL THEN"
     " 'invalid_parent' ELSE 'valid' END AS s FROM http h LEFT JOIN workspaces"
     " w ON h.workspace_id = w.id LEFT JOIN files f ON h.folder_id = f.id LEFT"
     " JOIN http p ON h.parent_http_id = p.id WHERE h.workspace_id = x'00' AND"
     " h.updated_at > 0) WHERE s <> 'valid'",
     0, 1},
    {"publish : bare insert, autocommit", BARE, PUBLISH, INSERT_BARE, 0, 20},
    {"the same, synchronous=FULL", BARE "PRAGMA synchronous=FULL;", PUBLISH,
     INSERT_BARE, 0, 20},
    {"publish : bare insert, one transaction", BARE, PUBLISH, INSERT_BARE, 1,
     100},
    {"the same with 100 subscribers", BARE SUBSCRIBERS("100"), PUBLISH,
     INSERT_BARE, 1, 100},
    {"the same with 10,000 subscribers", BARE SUBSCRIBERS("10000"), PUBLISH,
     INSERT_BARE, 1, 100},
    {"the same with 200,000 old messages", BARE MESSAGES("200000"), PUBLISH,
     INSERT_BARE, 1, 100},
    {"the same with a pattern that matches",
     BARE "SELECT delivery_subscribe('p', 'doc:*');",
     "SELECT delivery_publish('doc:1', " PAYLOAD ")", INSERT_BARE, 1, 100},
    {"the same with a subscription that rejects",
     BARE "SELECT delivery_subscribe('r', 't',"
          " '{\"policy\":\"reject\",\"max_pending\":0}');",
     PUBLISH, INSERT_BARE, 1, 100},
    {"plain INSERT INTO steward_log : bare insert", BARE,
     "INSERT INTO steward_log(topic, payload) VALUES ('t', " PAYLOAD ")",
     INSERT_BARE, 1, 100},
    {"100 by INSERT INTO delivery_queue : bare inserts", BARE,
     "INSERT INTO delivery_queue(topic, payload) SELECT 't', " PAYLOAD
     " FROM json_each('[" TEN "," TEN "," TEN "," TEN "," TEN "," TEN "," TEN
     "," TEN "," TEN "," TEN "]')",
     "INSERT INTO bare(topic, payload, at) SELECT 't', " PAYLOAD
     ", 1 FROM json_each('[" TEN "," TEN "," TEN "," TEN "," TEN "," TEN "," TEN
     "," TEN "," TEN "," TEN "]')",
     1, 3},
    {"next of 100 : bare keyed read of 100",
     BARE
     "SELECT delivery_subscribe('w', 't', '{\"max_pending\":0}');" MESSAGES(
         "20000") "INSERT INTO bare(topic, payload, at) SELECT topic, payload,"
                  " published_at FROM steward_log",
     "SELECT position, payload FROM delivery_next('w', 100)",
     "SELECT id, payload FROM bare WHERE id > 0 ORDER BY id LIMIT 100", 0, 20},
    {"change_append on one head : bare insert", BARE, APPEND, INSERT_BARE, 1,
     100},
    {"the same on a branch of 20,000 changes",
     BARE "BEGIN IMMEDIATE; WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM"
          " n WHERE i < 20000) SELECT count(" APPEND_CALL ") FROM n; COMMIT;",
     APPEND, INSERT_BARE, 1, 100},
    {"the same on a branch forked 10 times",
     BARE APPEND
     "; WITH n(i) AS (SELECT 1"
     " UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT"
     " change_branch('d', 'b' || i, iif(i = 1, 'main', 'b' || (i - 1)))"
     " FROM n; UPDATE am_branches SET name = 'first' WHERE name = 'main';"
     " UPDATE am_branches SET name = 'main' WHERE name = 'b10';",
     APPEND, INSERT_BARE, 1, 100},
    {"delta_resolve, chain of 3 : the seed's CTE", CHAIN("3"),
     "SELECT delta_resolve('http', 4)", CTE, 0, 50},
    {"delta_resolve, chain of 10 : the seed's CTE", CHAIN("10"),
     "SELECT delta_resolve('http', 11)", CTE, 0, 50},
    {"chain of 3 after ANALYZE : the seed's CTE", CHAIN("3") "ANALYZE",
     "SELECT delta_resolve('http', 4)", CTE, 0, 20},
    {"perf_record : bare insert, one transaction",
     "CREATE TABLE bare(id INTEGER PRIMARY KEY, p TEXT, n TEXT, v REAL, u TEXT,"
     " t TEXT, c TEXT); CREATE INDEX bare_p ON bare(p); CREATE INDEX bare_n ON"
     " bare(n, t)",
     "SELECT perf_record('m', 1.5)",
     "INSERT INTO bare(p, n, v, u, t) VALUES ('/tmp/x', 'm', 1.5, 'count',"
     " datetime('now'))",
     1, 100},
    {"insert, attached, nothing due : same index", SESSIONS,
     "INSERT INTO a(u, at) VALUES ('x', 9999999999)",
     "INSERT INTO b(u, at) VALUES ('x', 9999999999)", 1, 100},
    {"insert, attached, one due each : same index",
     SESSIONS "SELECT ttl_attach('a', 'at', '{\"unit\":\"s\"}')",
     "INSERT INTO a(u, at) VALUES ('x', 1)",
     "INSERT INTO b(u, at) VALUES ('x', 1)", 1, 100},
    {"insert, attached, nothing due, autocommit", SESSIONS,
     "INSERT INTO a(u, at) VALUES ('x', 9999999999)",
     "INSERT INTO b(u, at) VALUES ('x', 9999999999)", 0, 20},
    {"insert, attached, one due each, autocommit", SESSIONS,
     "INSERT INTO a(u, at) VALUES ('x', 1)",
     "INSERT INTO b(u, at) VALUES ('x', 1)", 0, 20},
    {"steward_setting : bare keyed read", "",
     "SELECT steward_setting('log_max_rows')",
     "SELECT value FROM steward_config WHERE name = 'log_max_rows'", 1, 100},
};

/* A consumer's round: take 100 messages, read what they say, acknowledge them.
** Both sides look the place up by name, read a keyed range, and move it. */
static double consume(sqlite3 *db, sqlite3_stmt *pNext, sqlite3_stmt *pAck,
                      int nOp) {
  double t = now_us();
  while (nOp-- > 0) {
    sqlite3_int64 iLast = 0;
    int nRow = 0;
    while (sqlite3_step(pNext) == SQLITE_ROW) {
      iLast = sqlite3_column_int64(pNext, 0);
      if (sqlite3_column_text(pNext, 1)) nRow++;
    }
    sqlite3_reset(pNext);
    if (nRow != 100) die(db, "fewer than 100 messages");
    sqlite3_bind_int64(pAck, 1, iLast);
    block(db, pAck, 1);
  }
  return (now_us() - t);
}

static void run_consume(const char *zName, const char *zSubscribe) {
  enum { ROUNDS = 10 };
  char *zSetup = sqlite3_mprintf(
      BARE "CREATE UNIQUE INDEX bare_topic ON bare(topic, id);"
           "CREATE TABLE place(consumer TEXT, topic TEXT, acked INTEGER,"
           " PRIMARY KEY (consumer, topic)) WITHOUT ROWID;"
           "INSERT INTO place VALUES ('w', 't', 0); %s" MESSAGES(
               "120000") "INSERT INTO bare(topic, payload, at) SELECT topic, "
                         "payload,"
                         " published_at FROM steward_log;",
      zSubscribe);
  sqlite3 *db = open_fresh(zSetup);
  sqlite3_stmt *pNextA =
      prepare(db, "SELECT position, payload FROM delivery_next('w', 100)");
  sqlite3_stmt *pAckA = prepare(db, "SELECT delivery_ack('w', ?)");
  sqlite3_stmt *pNextB =
      prepare(db, "SELECT id, payload FROM bare WHERE topic = 't' AND id >"
                  " (SELECT acked FROM place WHERE consumer = 'w' AND topic ="
                  " 't') ORDER BY id LIMIT 100");
  sqlite3_stmt *pAckB = prepare(db, "UPDATE place SET acked = ? WHERE consumer"
                                    " = 'w' AND topic = 't'");
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  int i;
  for (i = 0; i < nSample; i++) {
    aA[i] = consume(db, pNextA, pAckA, ROUNDS) / ROUNDS;
    aB[i] = consume(db, pNextB, pAckB, ROUNDS) / ROUNDS;
  }
  report(zName, aA, aB, nSample);
  sqlite3_finalize(pNextA);
  sqlite3_finalize(pAckA);
  sqlite3_finalize(pNextB);
  sqlite3_finalize(pAckB);
  sqlite3_free(zSetup);
  free(aA);
  free(aB);
  sqlite3_close(db);
}

/* Loading: a fresh connection each time. */
static double load_once(const char *zExtension) {
  sqlite3 *db = NULL;
  double t;
  sqlite3_open(":memory:", &db);
  t = now_us();
  load(db, zExtension);
  t = now_us() - t;
  sqlite3_close(db);
  return t;
}

static void run_load(void) {
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  sqlite3 *keep = NULL;
  int i;
  sqlite3_open(":memory:", &keep); /* keeps both mapped */
  load(keep, zTrivial);
  for (i = 0; i < nSample; i++) {
    aA[i] = load_once(zLibrary);
    aB[i] = load_once(zTrivial);
  }
  report("load : load of a trivial extension", aA, aB, nSample);
  sqlite3_close(keep);
  free(aA);
  free(aB);
}

/* Waking: a child process publishes now and then, and notes when its commit
** was through; the parent waits.  A: from there until delivery_wait returns,
** which may be before the publisher knows; B: the commit itself. */
typedef struct Wake {
  volatile double began, committed;
  volatile int bWaiting; /* the parent is about to wait for it */
} Wake;

static void publish_now_and_then(Wake *pWake, int n, const char *zSync) {
  sqlite3 *db = NULL;
  sqlite3_stmt *pPublish;
  int i;
  while (!pWake[0].bWaiting) usleep(100); /* until the file is there */
  if (sqlite3_open(zFile, &db)) die(db, zFile);
  load(db, zLibrary);
  exec(db, zSync);
  sqlite3_busy_timeout(db, 5000);
  pPublish = prepare(db, "SELECT delivery_publish('t', 'x')");
  for (i = 0; i < n; i++) {
    while (!pWake[i].bWaiting) usleep(100);
    usleep(3000 + (unsigned)(i * 7919 % 5000));
    pWake[i].began = now_us();
    block(db, pPublish, 1);
    pWake[i].committed = now_us();
  }
  sqlite3_finalize(pPublish);
  sqlite3_close(db);
}

static void run_wake(const char *zName, const char *zSync) {
  int n = nSample * 5, i;
  Wake *pWake = mmap(NULL, sizeof(Wake) * (size_t)n, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  double *aLate = malloc(sizeof(double) * (size_t)n);
  double *aCommit = malloc(sizeof(double) * (size_t)n);
  sqlite3_stmt *pWait, *pAck;
  sqlite3 *db;
  pid_t pid;
  fflush(NULL);
  pid = fork(); /* before any connection to the file: SQLite's rule */
  if (pid == 0) {
    publish_now_and_then(pWake, n, zSync);
    _exit(0);
  }
  db = open_fresh("SELECT delivery_subscribe('w', 't')");
  pWait = prepare(db, "SELECT delivery_wait('w', 5000)");
  pAck =
      prepare(db, "SELECT delivery_ack('w', max(position)) FROM steward_log");
  sqlite3_busy_timeout(db, 5000);
  for (i = 0; i < n; i++) {
    double woken;
    pWake[i].bWaiting = 1;
    block(db, pWait, 1);
    woken = now_us();
    sqlite3_bind_int(pAck, 1, i + 1);
    block(db, pAck, 1);
    while (pWake[i].committed == 0) usleep(20);
    aCommit[i] = pWake[i].committed - pWake[i].began;
    aLate[i] = woken > pWake[i].committed ? woken - pWake[i].committed : 0;
  }
  waitpid(pid, NULL, 0);
  printf("%-46s p50 %.0f us, p90 %.0f us, p99 %.0f us after the commit (%.0f"
         " us)\n",
         zName, percentile(aLate, n, 50), percentile(aLate, n, 90),
         percentile(aLate, n, 99), percentile(aCommit, n, 50));
  if (pJson) {
    fprintf(pJson, "%s{\"case\":\"%s\",\"p50_us\":%.1f,\"p99_us\":%.1f}",
            nPrinted++ ? ",\n" : "", zName, percentile(aLate, n, 50),
            percentile(aLate, n, 99));
  }
  munmap(pWake, sizeof(Wake) * (size_t)n);
  free(aLate);
  free(aCommit);
  sqlite3_finalize(pWait);
  sqlite3_finalize(pAck);
  sqlite3_close(db);
}

int main(int argc, char **argv) {
  const char *zSlash = strrchr(argv[0], '/');
  int i;
  bench_begin(argc, argv);
  snprintf(zTrivial, sizeof(zTrivial), "%.*sext_trivial.so",
           zSlash ? (int)(zSlash - argv[0]) + 1 : 0, argv[0]);
  if (strstr("load", zOnly)) run_load();
  for (i = 0; i < (int)(sizeof(aCase) / sizeof(aCase[0])); i++) {
    if (strstr(aCase[i].zName, zOnly)) run_case(&aCase[i]);
  }
  if (strstr("next of 100 + ack", zOnly)) {
    run_consume("next of 100 + ack : keyed read + update",
                "SELECT delivery_subscribe('w', 't', '{\"max_pending\":0}');");
    run_consume("the same, one of two subscriptions",
                "SELECT delivery_subscribe('w', 't', '{\"max_pending\":0}'),"
                " delivery_subscribe('w', 'u');");
  }
  if (strstr("wake", zOnly)) {
    run_wake("wake across processes, NORMAL", "PRAGMA synchronous=NORMAL");
    run_wake("wake across processes, FULL", "PRAGMA synchronous=FULL");
  }
  bench_end();
  return 0;
}
