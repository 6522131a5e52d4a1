/*
** iofault.c - every write, sync, truncate and delete of a scenario fails once:
** what comes back is an I/O error, the file holds the state before or after
** a whole statement, and the scenario can go on from there.
**
**     iofault steward.so [full]
**
** A VFS over the default one counts the calls that change files and fails the
** n-th, for n = 1, 2, ... until the scenario runs through.  Without `full` at
** most POINTS values of n are tried, spread over its length.  Three modes: the
** call fails alone with an I/O error, the disk is full from there on, or every
** call fails from there on, as when a disk is pulled out.
*/
#include <unistd.h>

#include "ctest.h"

#define POINTS 12
#define STATES 32

/*************************************************************************
** The VFS
*/
enum Mode { ONE_ERROR, DISK_FULL, DISK_GONE, MODES };
static const char *const azMode[] = {"one error", "disk full", "disk gone"};

static sqlite3_vfs *pReal;
static sqlite3_vfs shim;
static long iCountdown; /* calls until the failure; 0: never */
static enum Mode eMode;
static long nCall;
static int bHit;

typedef struct ShimFile {
  sqlite3_file base;
  sqlite3_file *pFile;
} ShimFile;

#define FILE_OF(p) (((ShimFile *)(p))->pFile)
#define METHODS(p) (FILE_OF(p)->pMethods)

static int fails(int iError) {
  nCall++;
  if (iCountdown == 0) return SQLITE_OK;
  if (iCountdown > 1) {
    iCountdown--;
    return SQLITE_OK;
  }
  bHit = 1;
  if (eMode == ONE_ERROR) iCountdown = 0;
  if (eMode != DISK_FULL) return iError;
  /* a full disk takes no more bytes; all else works */
  return iError == SQLITE_IOERR_WRITE ? SQLITE_FULL : SQLITE_OK;
}

static int shim_close(sqlite3_file *p) {
  int rc = METHODS(p) ? METHODS(p)->xClose(FILE_OF(p)) : SQLITE_OK;
  sqlite3_free(FILE_OF(p));
  return rc;
}

static int shim_read(sqlite3_file *p, void *pTo, int n, sqlite3_int64 iAt) {
  return METHODS(p)->xRead(FILE_OF(p), pTo, n, iAt);
}

static int shim_write(sqlite3_file *p, const void *pFrom, int n,
                      sqlite3_int64 iAt) {
  int rc = fails(SQLITE_IOERR_WRITE);
  return rc ? rc : METHODS(p)->xWrite(FILE_OF(p), pFrom, n, iAt);
}

static int shim_truncate(sqlite3_file *p, sqlite3_int64 n) {
  int rc = fails(SQLITE_IOERR_TRUNCATE);
  return rc ? rc : METHODS(p)->xTruncate(FILE_OF(p), n);
}

/* Nothing is lost here but by our own hand, so nothing is really synced. */
static int shim_sync(sqlite3_file *p, int flags) {
  return fails(SQLITE_IOERR_FSYNC);
}

static int shim_file_size(sqlite3_file *p, sqlite3_int64 *pn) {
  return METHODS(p)->xFileSize(FILE_OF(p), pn);
}

static int shim_lock(sqlite3_file *p, int eLock) {
  return METHODS(p)->xLock(FILE_OF(p), eLock);
}

static int shim_unlock(sqlite3_file *p, int eLock) {
  return METHODS(p)->xUnlock(FILE_OF(p), eLock);
}

static int shim_check_lock(sqlite3_file *p, int *pb) {
  return METHODS(p)->xCheckReservedLock(FILE_OF(p), pb);
}

static int shim_control(sqlite3_file *p, int iOp, void *pArg) {
  return METHODS(p)->xFileControl(FILE_OF(p), iOp, pArg);
}

static int shim_sector_size(sqlite3_file *p) {
  return METHODS(p)->xSectorSize(FILE_OF(p));
}

static int shim_device(sqlite3_file *p) {
  return METHODS(p)->xDeviceCharacteristics(FILE_OF(p));
}

static int shim_shm_map(sqlite3_file *p, int iPage, int n, int bExtend,
                        void volatile **pp) {
  return METHODS(p)->xShmMap(FILE_OF(p), iPage, n, bExtend, pp);
}

static int shim_shm_lock(sqlite3_file *p, int iAt, int n, int flags) {
  return METHODS(p)->xShmLock(FILE_OF(p), iAt, n, flags);
}

static void shim_shm_barrier(sqlite3_file *p) {
  METHODS(p)->xShmBarrier(FILE_OF(p));
}

static int shim_shm_unmap(sqlite3_file *p, int bDelete) {
  return METHODS(p)->xShmUnmap(FILE_OF(p), bDelete);
}

static const sqlite3_io_methods shim_methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_file_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_lock,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector_size,
    .xDeviceCharacteristics = shim_device,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap};

static int shim_open(sqlite3_vfs *pVfs, const char *zName, sqlite3_file *p,
                     int flags, int *pFlags) {
  sqlite3_file *pFile = sqlite3_malloc(pReal->szOsFile);
  int rc = pFile ? SQLITE_OK : SQLITE_NOMEM;
  if (rc == SQLITE_OK) {
    memset(pFile, 0, (size_t)pReal->szOsFile);
    rc = pReal->xOpen(pReal, zName, pFile, flags, pFlags);
  }
  p->pMethods = NULL;
  if (rc) {
    sqlite3_free(pFile);
    return rc;
  }
  FILE_OF(p) = pFile;
  p->pMethods = &shim_methods;
  return SQLITE_OK;
}

static int shim_delete(sqlite3_vfs *pVfs, const char *zName, int bSync) {
  int rc = fails(SQLITE_IOERR_DELETE);
  return rc ? rc : pReal->xDelete(pReal, zName, bSync);
}

static void install_vfs(void) {
  pReal = sqlite3_vfs_find(0);
  shim = *pReal;
  shim.zName = "iofault";
  shim.szOsFile = (int)sizeof(ShimFile);
  shim.pNext = NULL;
  shim.xOpen = shim_open;
  shim.xDelete = shim_delete;
  sqlite3_vfs_register(&shim, 1);
}

static void faults_on(enum Mode e, long n) {
  eMode = e;
  iCountdown = n;
  bHit = 0;
  nCall = 0;
}

static void faults_off(void) {
  iCountdown = 0;
}

/*************************************************************************
** One scenario
*/
typedef struct Scenario {
  const char *zName;
  const char *zSetup;
  const char *zSql;
  unsigned long long aState[STATES]; /* digests where nothing is open, and */
  const char *azRest[STATES];        /* what is still to do there */
  int nState;
} Scenario;

static const char *const azScenario[][3] = {
    {"migrate_up", "SELECT 1", "SELECT migrate_up('all')"},
    {"migrate_up, tables there",
     "CREATE TABLE assistly_nonces(nonce TEXT PRIMARY KEY, timestamp_ms"
     " INTEGER); INSERT INTO assistly_nonces VALUES ('a', 1)",
     "SELECT migrate_up('ledger'); SELECT migrate_up('delivery')"},
    {"migrate_down", "SELECT migrate_up('all')",
     "SELECT migrate_down('http', 1); SELECT migrate_down('http', 0, 'force');"
     "SELECT migrate_down('maintenance', 0)"},
    {"publish and acknowledge",
     "SELECT migrate_up('delivery'); SELECT delivery_subscribe('w', 't');"
     "SELECT steward_setting('delivery_keep', '30d')",
     "SELECT delivery_publish('t', 'a'); SELECT delivery_subscribe('v', 't');"
     "BEGIN; SELECT delivery_publish('t', zeroblob(20000));"
     "SELECT delivery_ack('w', 1); SELECT delivery_publish('u', 1); COMMIT;"
     "INSERT INTO delivery_queue(topic, payload) VALUES ('t', 1), ('t', 2);"
     "SELECT delivery_unsubscribe('v', 't')"},
    {"append changes",
     "SELECT migrate_up('changes'); SELECT change_append('d', 'main', 'a', 1,"
     " 'h1', '[]', zeroblob(5000))",
     "SELECT change_append('d', 'main', 'a', 2, 'h2', '[\"h1\"]',"
     " zeroblob(9000)); BEGIN; SELECT change_branch('d', 'f', 'main');"
     "SELECT change_append('d', 'f', 'a', 3, 'h3', '[\"h2\"]', 'x'); COMMIT;"
     "SELECT change_close('d', 'f', 'main')"},
    {"expire",
     "SELECT migrate_up('core'); CREATE TABLE s(id INTEGER PRIMARY KEY, at"
     " INTEGER, pad); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
     " FROM n WHERE i < 200) INSERT INTO s SELECT i, i, zeroblob(100) FROM n",
     "SELECT ttl_attach('s', 'at', '{\"unit\":\"s\"}');"
     "SELECT ttl_sweep('s', '{\"budget\":\"1m\"}'); INSERT INTO s VALUES (900, "
     "9, NULL);"
     "SELECT ttl_detach('s')"},
    {"measure", "SELECT migrate_up('maintenance')",
     "SELECT perf_record('m', 1); INSERT INTO sqlite_pool_config(db_path)"
     " VALUES ('x'); UPDATE sqlite_pool_config SET max_connections = 7;"
     "SELECT steward_setting('log_max_rows', 5)"},
    {"on and uninstall", "SELECT 1",
     "SELECT steward_on('{\"sets\":[\"jobs\"]}');"
     "SELECT steward_uninstall('force')"},
};

static char zFile[200];
static char zImage[220];

static void copy_file(const char *zFrom, const char *zTo) {
  static char aBuf[65536];
  FILE *pFrom = fopen(zFrom, "rb"), *pTo = fopen(zTo, "wb");
  size_t n;
  while (pFrom && pTo && (n = fread(aBuf, 1, sizeof(aBuf), pFrom)) > 0) {
    fwrite(aBuf, 1, n, pTo);
  }
  if (pFrom) fclose(pFrom);
  if (pTo) fclose(pTo);
}

static void remove_file(void) {
  static const char *const azSuffix[] = {"", "-journal", "-wal", "-shm"};
  char zName[240];
  int i;
  for (i = 0; i < 4; i++) {
    sqlite3_snprintf(sizeof(zName), zName, "%s%s", zFile, azSuffix[i]);
    unlink(zName);
  }
}

static sqlite3 *open_pinned(void) {
  sqlite3 *db = open_loaded(zFile);
  free(value(db, "SELECT steward_clock(1700000000000)"));
  return db;
}

static void take_image(const Scenario *s, const char *zJournal) {
  char *zPragma = sqlite3_mprintf("PRAGMA journal_mode = %s", zJournal);
  sqlite3 *db;
  char *z;
  remove_file();
  db = open_pinned();
  z = value(db, s->zSetup);
  free(value(db, zPragma));
  check(z == NULL || strlen(z) < 20, "%s: setup: %s", s->zName, z);
  free(z);
  sqlite3_free(zPragma);
  sqlite3_close(db);
  copy_file(zFile, zImage);
}

/* Run one statement; the rest of the text, its code in *pRc. */
static const char *step(sqlite3 *db, const char *zSql, int *pRc) {
  sqlite3_stmt *pStmt = NULL;
  int rc = sqlite3_prepare_v2(db, zSql, -1, &pStmt, &zSql);
  if (rc == SQLITE_OK && pStmt) {
    while ((rc = sqlite3_step(pStmt)) == SQLITE_ROW) {
    }
    if (rc == SQLITE_DONE) rc = SQLITE_OK;
  }
  if (pStmt && rc == SQLITE_OK) {
    sqlite3_finalize(pStmt);
  } else {
    rc = sqlite3_extended_errcode(db);
    sqlite3_finalize(pStmt);
  }
  *pRc = rc;
  return zSql;
}

/* Run it once without a fault and note the states that a fault may leave. */
static void scenario_learn(Scenario *s, const char *zJournal) {
  const char *zSql = s->zSql;
  sqlite3 *db;
  int rc = SQLITE_OK;
  take_image(s, zJournal);
  db = open_pinned();
  s->nState = 0;
  while (rc == SQLITE_OK && s->nState < STATES) {
    if (sqlite3_get_autocommit(db)) {
      s->aState[s->nState] = digest(db);
      s->azRest[s->nState++] = zSql;
    }
    if (zSql[0] == 0) break;
    zSql = step(db, zSql, &rc);
  }
  check(rc == SQLITE_OK, "%s: %s", s->zName, sqlite3_errmsg(db));
  sqlite3_close(db);
}

static int expected_code(int rc) {
  rc &= 0xff;
  return rc == SQLITE_OK || rc == SQLITE_IOERR || rc == SQLITE_FULL;
}

/* The file on a healthy disk again: sound, in a known state, and good to go on
** from there. */
static void check_aftermath(const Scenario *s, const char *zWhere) {
  sqlite3 *db = open_pinned();
  unsigned long long h = digest(db);
  const char *zRest = NULL;
  char *zCheck = value(db, "PRAGMA integrity_check");
  int i, rc = SQLITE_OK;
  check(same(zCheck, "ok"), "%s: integrity: %s", zWhere,
        zCheck ? zCheck : "NULL");
  free(zCheck);
  for (i = 0; i < s->nState && zRest == NULL; i++) {
    if (s->aState[i] == h) zRest = s->azRest[i];
  }
  if (check(zRest != NULL, "%s: left something half done", zWhere)) {
    while (zRest[0] && rc == SQLITE_OK) zRest = step(db, zRest, &rc);
    check(rc == SQLITE_OK && digest(db) == s->aState[s->nState - 1],
          "%s: cannot go on: %s", zWhere, sqlite3_errmsg(db));
  }
  sqlite3_close(db);
}

/* One run with the n-th call failing; 0 when it ran through. */
static int scenario_fault(const Scenario *s, const char *zJournal, enum Mode e,
                          long n) {
  const char *zSql = s->zSql;
  char zWhere[200];
  sqlite3 *db;
  int rc = SQLITE_OK, bWasHit;
  sqlite3_snprintf(sizeof(zWhere), zWhere, "%s, %s, %s at call %ld", s->zName,
                   zJournal, azMode[e], n);
  remove_file();
  copy_file(zImage, zFile);
  db = open_pinned();
  faults_on(e, n);
  while (zSql[0] && rc == SQLITE_OK) zSql = step(db, zSql, &rc);
  check(expected_code(rc), "%s: result code %d: %s", zWhere, rc,
        sqlite3_errmsg(db));
  if (!sqlite3_get_autocommit(db)) free(value(db, "ROLLBACK"));
  if (e == ONE_ERROR) faults_off();
  rc = sqlite3_close(db);
  bWasHit = bHit;
  faults_off();
  check(rc == SQLITE_OK, "%s: close gave %d", zWhere, rc);
  check_aftermath(s, zWhere);
  return bWasHit;
}

static void scenario_sweep(Scenario *s, const char *zJournal, int bFull) {
  long n, nLength, nStride;
  int e;
  scenario_learn(s, zJournal);
  scenario_fault(s, zJournal, ONE_ERROR, 0);
  nLength = nCall; /* closing included */
  nStride = bFull || nLength <= POINTS ? 1 : nLength / POINTS + 1;
  for (e = 0; e < MODES; e++) {
    for (n = 1; n <= nLength; n += nStride) {
      if (!scenario_fault(s, zJournal, (enum Mode)e, n)) break;
    }
  }
}

int main(int argc, char **argv) {
  static const char *const azJournal[] = {"delete", "truncate", "wal"};
  int bFull = argc > 2 && strcmp(argv[2], "full") == 0;
  const char *zDir = getenv("TMPDIR");
  int i, j;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  sqlite3_snprintf(sizeof(zFile), zFile, "%s/steward-iofault-%d.db",
                   zDir ? zDir : "/tmp", (int)getpid());
  sqlite3_snprintf(sizeof(zImage), zImage, "%s.image", zFile);
  install_vfs();
  for (i = 0; i < (int)(sizeof(azScenario) / sizeof(azScenario[0])); i++) {
    for (j = 0; j < 3; j++) {
      Scenario s;
      memset(&s, 0, sizeof(s));
      s.zName = azScenario[i][0];
      s.zSetup = azScenario[i][1];
      s.zSql = azScenario[i][2];
      scenario_sweep(&s, azJournal[j], bFull);
    }
  }
  remove_file();
  unlink(zImage);
  check(sqlite3_memory_used() == 0, "%lld bytes lost", sqlite3_memory_used());
  return finish();
}
