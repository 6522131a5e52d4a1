/*
** wal.c - WAL mode under load: a writer, readers and all upkeep beside one
** another, in processes of their own, and every row verified.
**
**     wal steward.so [seconds [seed]]
**
** The writer (this process) keeps a model of what it has committed.  A row of
** `item` follows from its id and version, so that a reader can tell each one by
** itself; money moves between accounts and their sum never changes; one row
** counts the rest.  Readers check all of that in every snapshot, some hold one
** for half a second and read it twice.  Beside them work a keeper that expires
** rows, and a process that vacuums, checkpoints and checks health.
*/
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctest.h"
#include "random.h"

enum { ACCOUNTS = 100, MONEY = 1000, ITEMS = 400, SIZE_MOST = 6000 };
enum { READERS = 4, PAUSE_US = 300 };

/* What the processes tell the first one. */
typedef struct Shared {
  _Atomic int nSnapshot, nLong, nUpkeep, bStop;
} Shared;

static Shared *shared;
static char zFile[200], zWal[220];
static double rSeconds = 3;

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void nap_ms(int nMs) {
  struct timespec t = {nMs / 1000, nMs % 1000 * 1000000L};
  nanosleep(&t, NULL);
}

static sqlite3 *open_file(void) {
  sqlite3 *db = open_loaded(zFile);
  sqlite3_busy_timeout(db, 20000);
  free(value(db, "PRAGMA synchronous = NORMAL"));
  return db;
}

static void must(sqlite3 *db, const char *zSql) {
  char *zErr = NULL;
  int rc;
  free(run(db, zSql, &rc, &zErr));
  check(rc == SQLITE_OK, "%s: %s", zSql, zErr ? zErr : "");
  free(zErr);
}

/* What the payload of an item is: its bytes follow from id and version. */
static int payload(int iId, int iVersion, unsigned char *a) {
  uint64_t h = (uint64_t)iId * 2654435761u + (uint64_t)iVersion * 40503u + 1;
  int i, n = (int)(h * 11400714819323198485ULL >> 40) % SIZE_MOST;
  for (i = 0; i < n; i++) {
    h = h * 6364136223846793005ULL + 1442695040888963407ULL;
    a[i] = (unsigned char)(h >> 56);
  }
  return n;
}

/*************************************************************************
** Readers
*/
typedef struct Sums {
  sqlite3_int64 nTxn, nItem, nVersion, nMoney;
} Sums;

static sqlite3_int64 number(sqlite3 *db, const char *zSql) {
  sqlite3_stmt *s = NULL;
  sqlite3_int64 n = -1;
  int rc = sqlite3_prepare_v2(db, zSql, -1, &s, NULL);
  if (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
    n = sqlite3_column_int64(s, 0);
  }
  rc = sqlite3_finalize(s);
  check(rc == SQLITE_OK, "%s: %s", zSql, sqlite3_errmsg(db));
  return n;
}

/* Every item is what its id and version say; how many, and their versions. */
static void verify_items(sqlite3 *db, Sums *p) {
  static unsigned char aWant[SIZE_MOST];
  sqlite3_stmt *s = NULL;
  int rc, nBad = 0;
  sqlite3_prepare_v2(db, "SELECT id, version, payload FROM item", -1, &s, NULL);
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    int iVersion = sqlite3_column_int(s, 1);
    int n = payload(sqlite3_column_int(s, 0), iVersion, aWant);
    nBad += n != sqlite3_column_bytes(s, 2) ||
            (n && memcmp(aWant, sqlite3_column_blob(s, 2), (size_t)n));
    p->nItem++;
    p->nVersion += iVersion;
  }
  sqlite3_finalize(s);
  check(rc == SQLITE_DONE, "reading items: %s", sqlite3_errmsg(db));
  check(nBad == 0, "%d items are not as they were written", nBad);
}

static Sums verify(sqlite3 *db) {
  Sums s = {0};
  verify_items(db, &s);
  s.nMoney = number(db, "SELECT sum(balance) FROM account");
  s.nTxn = number(db, "SELECT txn FROM state");
  check(s.nMoney == ACCOUNTS * MONEY, "%lld of money", s.nMoney);
  check(s.nItem == number(db, "SELECT items FROM state"), "%lld items",
        s.nItem);
  check(s.nVersion == number(db, "SELECT versions FROM state"),
        "%lld as the sum of versions", s.nVersion);
  /* by the index, which is another tree than the table */
  check(s.nVersion ==
            number(db, "SELECT sum(version) FROM item INDEXED BY item_v"),
        "the index does not agree");
  return s;
}

static void reader(int iReader) {
  sqlite3 *db = NULL;
  sqlite3_int64 nLast = 0;
  int bLong = iReader % 2;
  if (iReader < 2) {
    db = open_file();
  } else { /* one that knows nothing of the library */
    sqlite3_open(zFile, &db);
    sqlite3_busy_timeout(db, 20000);
  }
  while (!shared->bStop) {
    Sums a, b;
    must(db, "BEGIN");
    a = verify(db);
    check(a.nTxn >= nLast, "back from %lld to %lld", nLast, a.nTxn);
    nLast = a.nTxn;
    if (bLong) {
      nap_ms(200 + (int)next(400));
      b = verify(db);
      check(memcmp(&a, &b, sizeof(a)) == 0, "a snapshot has moved");
      shared->nLong++;
    }
    must(db, "COMMIT");
    shared->nSnapshot++;
    if (!bLong) nap_ms((int)next(20));
  }
  check(sqlite3_close(db) == SQLITE_OK, "close");
}

/* Vacuum, checkpoints and health, one after the other. */
static void upkeep(int iUnused) {
  static const char *const azSql[] = {
      "SELECT vacuum_incremental(200)",
      "SELECT vacuum_checkpoint('passive')",
      "SELECT vacuum_incremental(NULL, 5)",
      "SELECT health_run(20)",
      "SELECT vacuum_checkpoint('truncate')",
      "SELECT steward_tick(20)",
      "SELECT vacuum_checkpoint('restart')",
      "SELECT count(*) FROM health_checks WHERE status = 'unknown'"};
  sqlite3 *db = open_file();
  int i;
  (void)iUnused;
  for (i = 0; !shared->bStop; i++) {
    const char *zSql = azSql[i % 8];
    char *zErr = NULL, *z;
    int rc;
    z = run(db, zSql, &rc, &zErr);
    check(rc == SQLITE_OK, "%s: %s", zSql, zErr ? zErr : "");
    if (strstr(zSql, "health_run")) {
      check(z && !strstr(z, "critical"), "health: %s", z ? z : "NULL");
    }
    free(z);
    free(zErr);
    shared->nUpkeep++;
    nap_ms((int)next(60));
  }
  expect(db, "SELECT count(*) FROM keeper_log WHERE error NOT LIKE 'BUSY%'",
         "0");
  check(sqlite3_close(db) == SQLITE_OK, "close");
}

static void keeper(int iUnused) {
  sqlite3 *db = open_file();
  (void)iUnused;
  expect(db, "SELECT keeper_start(20)", "1");
  while (!shared->bStop) nap_ms(20);
  expect(db, "SELECT keeper_stop()", "1");
  check(sqlite3_close(db) == SQLITE_OK, "close");
}

/*************************************************************************
** The writer and its model
*/
typedef struct Model {
  int aVersion[ITEMS]; /* 0: there is none */
  sqlite3_int64 aMoney[ACCOUNTS];
  sqlite3_int64 nTxn, nItem, nVersion, nKept;
} Model;

static void step(sqlite3 *db, sqlite3_stmt *s) {
  check(sqlite3_step(s) == SQLITE_DONE, "%s: %s", sqlite3_sql(s),
        sqlite3_errmsg(db));
  sqlite3_reset(s);
}

typedef struct Writer {
  sqlite3 *db;
  sqlite3_stmt *pPut, *pDelete, *pMove, *pState, *pExpire;
  Model is;
} Writer;

static sqlite3_stmt *prepare(sqlite3 *db, const char *zSql) {
  sqlite3_stmt *s = NULL;
  check(sqlite3_prepare_v2(db, zSql, -1, &s, NULL) == SQLITE_OK, "%s: %s", zSql,
        sqlite3_errmsg(db));
  return s;
}

static void put_item(Writer *w, int iId) {
  static unsigned char a[SIZE_MOST];
  int iVersion = w->is.aVersion[iId] + 1 + (int)next(5);
  w->is.nItem += w->is.aVersion[iId] == 0;
  w->is.nVersion += iVersion - w->is.aVersion[iId];
  w->is.aVersion[iId] = iVersion;
  sqlite3_bind_int(w->pPut, 1, iId);
  sqlite3_bind_int(w->pPut, 2, iVersion);
  sqlite3_bind_blob(w->pPut, 3, a, payload(iId, iVersion, a), SQLITE_STATIC);
  step(w->db, w->pPut);
}

static void delete_item(Writer *w, int iId) {
  w->is.nItem -= w->is.aVersion[iId] != 0;
  w->is.nVersion -= w->is.aVersion[iId];
  w->is.aVersion[iId] = 0;
  sqlite3_bind_int(w->pDelete, 1, iId);
  step(w->db, w->pDelete);
}

static void move_money(Writer *w) {
  int k, iFrom = (int)next(ACCOUNTS), iTo = (int)next(ACCOUNTS);
  int n = (int)next(50);
  for (k = 0; k < 2; k++) {
    int i = k ? iTo : iFrom, nBy = k ? n : -n;
    w->is.aMoney[i] += nBy;
    sqlite3_bind_int(w->pMove, 1, i);
    sqlite3_bind_int(w->pMove, 2, nBy);
    step(w->db, w->pMove);
  }
}

/* Rows that are due at once, and a few that never are. */
static void add_expiring(Writer *w) {
  int bKept = next(10) == 0;
  w->is.nKept += bKept;
  sqlite3_bind_int64(w->pExpire, 1, bKept ? 99999999999LL : 1);
  step(w->db, w->pExpire);
}

static void transaction(Writer *w) {
  Model was = w->is;
  int i, n = next(40) == 0 ? 200 : 1 + (int)next(6);
  int bDelete = next(20) == 0;
  must(w->db, "BEGIN IMMEDIATE");
  for (i = 0; i < n; i++) {
    int iId = (int)next(ITEMS);
    if (bDelete || next(4) == 0) {
      delete_item(w, iId);
    } else {
      put_item(w, iId);
    }
    if (next(2)) move_money(w);
  }
  for (i = 0; i < 3; i++) add_expiring(w);
  w->is.nTxn++;
  sqlite3_bind_int64(w->pState, 1, w->is.nTxn);
  sqlite3_bind_int64(w->pState, 2, w->is.nItem);
  sqlite3_bind_int64(w->pState, 3, w->is.nVersion);
  step(w->db, w->pState);
  if (next(8)) {
    must(w->db, "COMMIT");
  } else {
    must(w->db, "ROLLBACK");
    w->is = was;
  }
}

static void writer_begin(Writer *w) {
  int i;
  w->db = open_file();
  w->pPut = prepare(w->db, "INSERT INTO item VALUES (?1, ?2, ?3) ON CONFLICT"
                           " (id) DO UPDATE SET version = ?2, payload = ?3");
  w->pDelete = prepare(w->db, "DELETE FROM item WHERE id = ?1");
  w->pMove = prepare(w->db, "UPDATE account SET balance = balance + ?2"
                            " WHERE id = ?1");
  w->pState =
      prepare(w->db, "UPDATE state SET txn = ?1, items = ?2, versions = ?3");
  w->pExpire = prepare(w->db, "INSERT INTO due(at) VALUES (?1)");
  for (i = 0; i < ACCOUNTS; i++) w->is.aMoney[i] = MONEY;
}

static void writer_end(Writer *w) {
  sqlite3_finalize(w->pPut);
  sqlite3_finalize(w->pDelete);
  sqlite3_finalize(w->pMove);
  sqlite3_finalize(w->pState);
  sqlite3_finalize(w->pExpire);
}

/* Each row against the model. */
static void compare(Writer *w) {
  sqlite3_stmt *s = prepare(w->db, "SELECT version FROM item WHERE id = ?1");
  int i, nBad = 0;
  Sums sums = verify(w->db);
  for (i = 0; i < ITEMS; i++) {
    int iVersion;
    sqlite3_bind_int(s, 1, i);
    iVersion = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
    nBad += iVersion != w->is.aVersion[i];
    sqlite3_reset(s);
  }
  sqlite3_finalize(s);
  check(nBad == 0, "%d items are not as in the model", nBad);
  s = prepare(w->db, "SELECT balance FROM account WHERE id = ?1");
  for (i = nBad = 0; i < ACCOUNTS; i++) {
    sqlite3_bind_int(s, 1, i);
    nBad += sqlite3_step(s) != SQLITE_ROW ||
            sqlite3_column_int64(s, 0) != w->is.aMoney[i];
    sqlite3_reset(s);
  }
  sqlite3_finalize(s);
  check(nBad == 0, "%d accounts are not as in the model", nBad);
  check(sums.nTxn == w->is.nTxn, "%lld transactions of %lld", sums.nTxn,
        w->is.nTxn);
  check(number(w->db, "SELECT count(*) FROM due WHERE at > 1") == w->is.nKept,
        "rows that are not due have gone");
}

/*************************************************************************
** All of them
*/
static pid_t start(void (*x)(int), int i) {
  pid_t pid;
  fflush(stdout);
  pid = fork();
  if (pid) return pid;
  iState += (unsigned long long)i * 7919u + 13;
  nPassed = nFailed = 0;
  x(i);
  fflush(stdout);
  _exit(nFailed != 0);
}

static void make_file(void) {
  static const char *const azSuffix[] = {"", "-wal", "-shm"};
  char z[260];
  sqlite3 *db;
  int i;
  for (i = 0; i < 3; i++) {
    snprintf(z, sizeof(z), "%s%s", zFile, azSuffix[i]);
    unlink(z);
  }
  db = open_file();
  must(db, "PRAGMA auto_vacuum = incremental; SELECT migrate_up('maintenance')"
           ";CREATE TABLE item(id INTEGER PRIMARY KEY, version, payload);"
           "CREATE INDEX item_v ON item(version);"
           "CREATE TABLE account(id INTEGER PRIMARY KEY, balance);"
           "CREATE TABLE state(txn, items, versions);"
           "INSERT INTO state VALUES (0, 0, 0);"
           "CREATE TABLE due(id INTEGER PRIMARY KEY, at INTEGER);"
           "SELECT ttl_attach('due', 'at', '{\"unit\":\"s\",\"on_write\":"
           "false}');"
           "SELECT steward_setting('keeper_expiry', 20),"
           " steward_setting('keeper_vacuum', 50),"
           " steward_setting('keeper_checkpoint', 100),"
           " steward_setting('keeper_health', 500)");
  snprintf(z, sizeof(z),
           "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n"
           " WHERE i < %d) INSERT INTO account SELECT i, %d FROM n",
           ACCOUNTS - 1, MONEY);
  must(db, z);
  expect(db, "PRAGMA journal_mode", "wal");
  check(sqlite3_close(db) == SQLITE_OK, "close");
}

static long long wal_bytes(void) {
  struct stat st;
  return stat(zWal, &st) ? 0 : (long long)st.st_size;
}

/* What is left when all have ended. */
static void after(Writer *w, long long nWalMost) {
  char *z;
  expect(w->db, "PRAGMA integrity_check", "ok");
  compare(w);
  /* what was due is gone, but for the last of it */
  free(value(w->db, "SELECT ttl_sweep('due', '{\"budget\":60000}')"));
  check(number(w->db, "SELECT count(*) FROM due") == w->is.nKept, "due rows");
  z = value(w->db, "SELECT vacuum_checkpoint('truncate')");
  check(z && strstr(z, "\"busy\":0") && wal_bytes() == 0,
        "the WAL is not empty: %s", z ? z : "NULL");
  free(z);
  check(nWalMost < (64 << 20), "the WAL had %lld bytes", nWalMost);
  printf("%lld transactions, %d snapshots, %d of them long, %d calls of "
         "upkeep, %lld pages given back, %lld rows expired, WAL %lld KB at "
         "most\n",
         w->is.nTxn, shared->nSnapshot, shared->nLong, shared->nUpkeep,
         number(w->db, "SELECT coalesce(sum(pages_freed), 0) FROM"
                       " sqlite_vacuum_log"),
         number(w->db, "SELECT coalesce(sum(result), 0) FROM keeper_log WHERE"
                       " duty = 'expiry'"),
         nWalMost / 1024);
}

int main(int argc, char **argv) {
  pid_t aPid[READERS + 2];
  Writer w = {0};
  long long nWalMost = 0;
  double rEnd;
  int i, iStatus;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  if (argc > 2) rSeconds = atof(argv[2]);
  iState = argc > 3 ? strtoull(argv[3], NULL, 10) : (unsigned)time(NULL);
  printf("seed %llu\n", iState);
  snprintf(zFile, sizeof(zFile), "/tmp/steward-wal-%d.db", (int)getpid());
  snprintf(zWal, sizeof(zWal), "%s-wal", zFile);
  shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 2;
  make_file();
  for (i = 0; i < READERS; i++) aPid[i] = start(reader, i);
  aPid[READERS] = start(upkeep, READERS);
  aPid[READERS + 1] = start(keeper, READERS + 1);
  writer_begin(&w);
  rEnd = now_s() + rSeconds;
  while (now_s() < rEnd) {
    transaction(&w);
    if (wal_bytes() > nWalMost) nWalMost = wal_bytes();
    usleep(PAUSE_US);
  }
  shared->bStop = 1;
  for (i = 0; i < READERS + 2; i++) {
    waitpid(aPid[i], &iStatus, 0);
    check(iStatus == 0, "process %d: status %d", i, iStatus);
  }
  check(shared->nSnapshot > 10 && shared->nLong > 1 && shared->nUpkeep > 3,
        "the others stood still");
  after(&w, nWalMost);
  writer_end(&w);
  check(sqlite3_close(w.db) == SQLITE_OK, "close");
  unlink(zFile);
  return finish();
}
