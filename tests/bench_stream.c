/*
** bench_stream.c - a whole workspace read under its overlays, the memory that
** takes, what measuring costs, and for how long writers are kept waiting.
**
**     bench_stream steward.so [quick] [--case TEXT]
**
** 10,000 bases with 3 deltas and 5 headers each, as in bench.c.
*/
#include "bench.h"

#include <sys/mman.h>
#include <sys/wait.h>

#define FOLD                                                                   \
  "SELECT sum(length(row)) FROM delta_rows('http', NULL, 'fold')"              \
  " WHERE scope = x'00'"

/* The base's columns as JSON, five of them given. */
#define ROW_JSON(name, url, method, kind, description)                         \
  "json_object('id', b.id, 'workspace_id', hex(b.workspace_id), 'folder_id',"  \
  " hex(b.folder_id), 'name', " name ", 'url', " url ", 'method', " method     \
  ", 'body_kind', " kind ", 'description', " description                       \
  ", 'content_hash', b.content_hash, 'is_snapshot', b.is_snapshot,"            \
  " 'last_run_at', b.last_run_at, 'created_at', b.created_at, 'updated_at',"   \
  " b.updated_at)"
#define BASES " FROM http AS b WHERE b.workspace_id = x'00' AND b.is_delta = 0"

/* Of each column the newest overlay: by a subquery each ... */
#define NEWEST(x)                                                              \
  "coalesce((SELECT d.delta_" x " FROM http AS d WHERE d.parent_http_id ="     \
  " b.id AND d.is_delta = 1 AND d.delta_" x " IS NOT NULL ORDER BY"            \
  " d.updated_at DESC, d.id DESC LIMIT 1), b." x ")"
static const char zSubqueries[] = "SELECT sum(length(" ROW_JSON(
    NEWEST("name"), NEWEST("url"), NEWEST("method"), NEWEST("body_kind"),
    NEWEST("description")) "))" BASES;

/* ... or by grouping the deltas once, for one level and texts only. */
#define LAST(x)                                                                \
  "max(CASE WHEN delta_" x " IS NOT NULL THEN printf('%020d', updated_at) ||"  \
  " id || char(0) || delta_" x " END) AS " x
#define PICK(x)                                                                \
  "coalesce(substr(f." x ", instr(f." x ", char(0)) + 1), b." x ")"
static const char zGrouped[] =
    "WITH f AS (SELECT parent_http_id AS p, " LAST("name") ", " LAST(
        "url") ", " LAST("method") " FROM http WHERE workspace_id = x'00' AND"
                                   " is_delta = 1 GROUP BY 1) SELECT "
                                   "sum(length(" ROW_JSON(
                                       PICK("name"), PICK("url"),
                                       PICK("method"), "b.body_kind",
                                       "b.description") ")) FROM http AS b LEFT"
                                                        " JOIN f ON f.p = b.id"
                                                        " WHERE b.workspace_id"
                                                        " = x'00' AND"
                                                        " b.is_delta = 0";
static const char zBare[] = "SELECT sum(length(" ROW_JSON(
    "b.name", "b.url", "b.method", "b.body_kind", "b.description") "))" BASES;

/* The seed's query for one base, which an application runs for each. */
static const char zCte[] =
    "WITH RECURSIVE delta_chain AS (SELECT h.id, h.name, h.url, h.method, "
    "h.description, h.updated_at, 0 as level FROM http h WHERE h.id = ?1 AND "
    "h.is_delta = FALSE UNION ALL SELECT d.id, COALESCE(d.delta_name, "
    "dc.name), COALESCE(d.delta_url, dc.url), COALESCE(d.delta_method, "
    "dc.method), COALESCE(d.delta_description, dc.description), "
    "d.updated_at, dc.level + 1 FROM http d INNER JOIN delta_chain dc ON "
    "d.parent_http_id = dc.id WHERE d.is_delta = TRUE AND d.parent_http_id = "
    "dc.id AND d.updated_at <= 9999999999) SELECT id, name, url, method, "
    "description, updated_at FROM delta_chain ORDER BY level DESC LIMIT 1";

static void pair(sqlite3 *db, const char *zName, const char *zA,
                 const char *zB) {
  sqlite3_stmt *pA, *pB;
  double aA[101], aB[101];
  int i, n = nSample > 15 ? 15 : nSample;
  if (strstr(zName, zOnly) == NULL) return;
  pA = prepare(db, zA);
  pB = prepare(db, zB);
  for (i = -1; i < n; i++) {
    double a = block(db, pA, 1), b = block(db, pB, 1);
    if (i < 0) continue;
    aA[i] = a;
    aB[i] = b;
  }
  report(zName, aA, aB, n);
  sqlite3_finalize(pA);
  sqlite3_finalize(pB);
}

/* A: the table in one pass.  B: the seed's query for each base by itself. */
static void row_by_row(sqlite3 *db) {
  static const char zName[] = "snapshot, fold : the seed's query by row";
  sqlite3_stmt *pA, *pB;
  double aA[101], aB[101];
  int i, k, n = nSample > 15 ? 15 : nSample;
  if (strstr(zName, zOnly) == NULL) return;
  pA = prepare(db, FOLD);
  pB = prepare(db, zCte);
  for (i = -1; i < n; i++) {
    double t, a = block(db, pA, 1);
    t = now_us();
    for (k = 1; k <= 10000; k++) {
      sqlite3_bind_int(pB, 1, k * 10);
      block(db, pB, 1);
    }
    if (i < 0) continue;
    aA[i] = a;
    aB[i] = now_us() - t;
  }
  report(zName, aA, aB, n);
  sqlite3_finalize(pA);
  sqlite3_finalize(pB);
}

/* The most memory that a statement takes beyond what was in use, the pages of
** the file being in the cache. */
static void memory(sqlite3 *db, const char *zName, const char *zSql) {
  sqlite3_stmt *pStmt;
  sqlite3_int64 nBefore;
  if (strstr(zName, zOnly) == NULL) return;
  pStmt = prepare(db, zSql);
  block(db, pStmt, 1);
  nBefore = sqlite3_memory_used();
  sqlite3_memory_highwater(1);
  block(db, pStmt, 1);
  printf("%-46s %7.1f KB\n", zName,
         (double)(sqlite3_memory_highwater(0) - nBefore) / 1024);
  sqlite3_finalize(pStmt);
}

/*************************************************************************
** Waiting writers
*/
typedef struct Waits {
  volatile int bStop, bRunning;
  volatile int nWrite;
  volatile double rWaited; /* us that somebody else had the lock */
} Waits;

/* Write now and then, and count how long the lock is another's. */
static void writer(Waits *p) {
  sqlite3 *db = NULL;
  if (sqlite3_open(zFile, &db)) die(db, zFile);
  exec(db, "PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=0");
  while (!p->bStop) {
    double t = now_us();
    int rc, bWaited = 0;
    while ((rc = sqlite3_exec(db, "UPDATE workspaces SET updated = updated + 1",
                              NULL, NULL, NULL)) == SQLITE_BUSY &&
           !p->bStop) {
      bWaited = 1;
      usleep(50);
    }
    if (bWaited) p->rWaited += now_us() - t;
    if (rc == SQLITE_OK) p->nWrite++;
    p->bRunning = 1;
    usleep(200);
  }
  sqlite3_close(db);
}

/* How long a writer waits, in us, while xWork is done; *prTook: how long that
** took. */
static double waited(void (*xWork)(sqlite3 *), const char *zSetup,
                     double *prTook) {
  Waits *p = mmap(NULL, sizeof(Waits), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  sqlite3 *db = open_fresh(zSetup);
  double t, r;
  sqlite3_close(db);
  if (fork() == 0) {
    writer(p);
    _exit(0);
  }
  while (!p->bRunning) usleep(100);
  sqlite3_open(zFile, &db);
  load(db, zLibrary);
  sqlite3_busy_timeout(db, 10000);
  exec(db, "PRAGMA foreign_keys=1; PRAGMA synchronous=OFF;"
           "SELECT count(*) FROM http");
  p->rWaited = 0;
  t = now_us();
  xWork(db);
  *prTook = now_us() - t;
  usleep(2000);
  r = p->rWaited;
  p->bStop = 1;
  wait(NULL);
  sqlite3_close(db);
  munmap(p, sizeof(Waits));
  return r;
}

static void validate_ours(sqlite3 *db) {
  exec(db, "SELECT count(*) FROM fk_validate('http')");
}

/* The seed's query for each row, in a transaction that nothing may change. */
static void validate_by_row(sqlite3 *db) {
  sqlite3_stmt *pRow, *pCheck;
  exec(db, "BEGIN IMMEDIATE");
  pRow = prepare(db, "SELECT id FROM http WHERE workspace_id = x'00'");
  pCheck = prepare(
      db, "SELECT CASE WHEN w.id IS NULL THEN 'invalid_workspace' WHEN"
          " h.folder_id IS NOT NULL AND f.id IS NULL THEN 'invalid_folder' WHEN"
          " h.parent_http_id IS NOT NULL AND p.id IS NULL THEN"
          " 'invalid_parent' ELSE 'valid' END FROM http h LEFT JOIN workspaces"
          " w ON h.workspace_id = w.id LEFT JOIN files f ON h.folder_id = f.id"
          " LEFT JOIN http p ON h.parent_http_id = p.id WHERE h.id = ?1");
  while (sqlite3_step(pRow) == SQLITE_ROW) {
    sqlite3_bind_value(pCheck, 1, sqlite3_column_value(pRow, 0));
    block(db, pCheck, 1);
  }
  sqlite3_finalize(pRow);
  sqlite3_finalize(pCheck);
  exec(db, "COMMIT");
}

static void cascade_ours(sqlite3 *db) {
  exec(db, "SELECT delta_cascade_delete('http', 10, x'00')");
}

/* Level by level from the leaves, each row checked before it goes. */
static void cascade_by_row(sqlite3 *db) {
  sqlite3_stmt *pLeaf, *pHeader, *pCheck, *pDelete;
  exec(db, "BEGIN IMMEDIATE");
  pLeaf = prepare(
      db, "WITH RECURSIVE t(id, l) AS (SELECT 10, 0 UNION ALL SELECT h.id,"
          " l + 1 FROM t JOIN http AS h ON h.parent_http_id = t.id) SELECT id"
          " FROM t ORDER BY l DESC");
  pHeader = prepare(db, "DELETE FROM http_header WHERE http_id = ?1");
  pCheck = prepare(db, "SELECT count(*) FROM http WHERE parent_http_id = ?1");
  pDelete = prepare(db, "DELETE FROM http WHERE id = ?1 AND workspace_id ="
                        " x'00'");
  while (sqlite3_step(pLeaf) == SQLITE_ROW) {
    sqlite3_stmt *apStep[] = {pCheck, pHeader, pDelete};
    int i;
    for (i = 0; i < 3; i++) {
      sqlite3_bind_value(apStep[i], 1, sqlite3_column_value(pLeaf, 0));
      block(db, apStep[i], 1);
    }
  }
  sqlite3_finalize(pLeaf);
  sqlite3_finalize(pHeader);
  sqlite3_finalize(pCheck);
  sqlite3_finalize(pDelete);
  exec(db, "COMMIT");
}

static void compare_waits(const char *zName, const char *zSetup,
                          void (*xA)(sqlite3 *), void (*xB)(sqlite3 *)) {
  double aA[5], aB[5], tA, tB;
  int i;
  if (strstr(zName, zOnly) == NULL) return;
  for (i = 0; i < 5; i++) {
    aA[i] = waited(xA, zSetup, &tA);
    aB[i] = waited(xB, zSetup, &tB);
  }
  printf("%-46s waits %.1f ms in %.0f ms : %.1f ms in %.0f ms\n", zName,
         percentile(aA, 5, 50) / 1e3, tA / 1e3, percentile(aB, 5, 50) / 1e3,
         tB / 1e3);
  fflush(stdout);
}

/* What stream_log costs: the same page with it and without. */
static void run_log(sqlite3 *db) {
  static const char zName[] = "stream_snapshot of 20, measured : not";
  sqlite3_stmt *pStmt, *pOn, *pOff;
  double *aA = malloc(sizeof(double) * (size_t)nSample);
  double *aB = malloc(sizeof(double) * (size_t)nSample);
  int i;
  if (strstr(zName, zOnly)) {
    pStmt = prepare(
        db, "SELECT id, row FROM stream_snapshot('http', x'00', NULL, 20)");
    pOn = prepare(db, "SELECT stream_log(1)");
    pOff = prepare(db, "SELECT stream_log(0)");
    for (i = 0; i < nSample; i++) {
      block(db, pOn, 1);
      aA[i] = block(db, pStmt, 50);
      block(db, pOff, 1);
      aB[i] = block(db, pStmt, 50);
    }
    report(zName, aA, aB, nSample);
    sqlite3_finalize(pStmt);
    sqlite3_finalize(pOn);
    sqlite3_finalize(pOff);
  }
  free(aA);
  free(aB);
}

int main(int argc, char **argv) {
  sqlite3 *db;
  bench_begin(argc, argv);
  db = open_fresh(WORKSPACE "PRAGMA cache_size=-100000;");
  pair(db, "snapshot, fold : a subquery for each column", FOLD, zSubqueries);
  pair(db, "snapshot, fold : the deltas grouped once", FOLD, zGrouped);
  pair(db, "snapshot, fold : the bare bases as JSON", FOLD, zBare);
  row_by_row(db);
  run_log(db);
  memory(db, "snapshot, memory: delta_rows, fold", FOLD);
  memory(db, "snapshot, memory: a subquery for each column", zSubqueries);
  memory(db, "snapshot, memory: the deltas grouped once", zGrouped);
  memory(db, "snapshot, memory: stream_snapshot of 100",
         "SELECT id, row FROM stream_snapshot('http', x'00')");
  sqlite3_close(db);
  compare_waits("writer beside fk_validate : row by row", WORKSPACE,
                validate_ours, validate_by_row);
  compare_waits("writer beside delta_cascade_delete : row by row",
                WORKSPACE "UPDATE http SET parent_http_id = 10 WHERE is_delta"
                          " AND parent_http_id < 20000;",
                cascade_ours, cascade_by_row);
  bench_end();
  remove_files();
  return 0;
}
