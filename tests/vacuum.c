/*
** vacuum.c - vacuum, health and the doctor where a test in SQL cannot go: a
** vacuum that runs is watched and cancelled, the disk is full at each write,
** and the file is on a VFS of another kind, dqlite's among them.
**
**     vacuum steward.so
**
** The VFS keeps each byte of its files inverted, so that nobody reads or writes
** them but through it, and, if asked to, under names that are no paths.
*/
#include <dlfcn.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctest.h"

/*************************************************************************
** The VFS
*/
#define HIDDEN "/veil/" /* the names that it gives, if so asked */

static sqlite3_vfs *pReal, veil;
static char zDir[100];
static int bHidden;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static _Thread_local int bGated; /* this thread stops at the gate */
static long nWrite, nGate;       /* writes of such; those that may be done */
static long iFull;               /* the disk is full from this one on; 0: not */

typedef struct VeilFile {
  sqlite3_file base;
  sqlite3_file *pFile;
  const char *zName; /* from sqlite3_create_filename(), or NULL */
  int bCopy;         /* of a vacuum: a temporary file, or an unfinished copy */
} VeilFile;

#define FILE_OF(p) (((VeilFile *)(p))->pFile)
#define METHODS(p) (FILE_OF(p)->pMethods)

/* Wait until the write may be done; its result.  The gate is for copies, the
** disk is full for all. */
static int write_gate(int bCopy) {
  int rc = SQLITE_OK;
  pthread_mutex_lock(&mutex);
  if (bGated && (bCopy || iFull)) {
    nWrite++;
    pthread_cond_broadcast(&moved);
    while (nGate >= 0 && nWrite > nGate) pthread_cond_wait(&moved, &mutex);
    if (iFull && nWrite >= iFull) rc = SQLITE_FULL;
  }
  pthread_mutex_unlock(&mutex);
  return rc;
}

/* Let n writes pass (-1: all). */
static void open_gate(long n) {
  pthread_mutex_lock(&mutex);
  nGate = n;
  pthread_cond_broadcast(&moved);
  pthread_mutex_unlock(&mutex);
}

/* Until somebody stands at the gate. */
static void await_gate(void) {
  pthread_mutex_lock(&mutex);
  while (nWrite <= nGate) pthread_cond_wait(&moved, &mutex);
  pthread_mutex_unlock(&mutex);
}

static int veil_close(sqlite3_file *p) {
  int rc = METHODS(p) ? METHODS(p)->xClose(FILE_OF(p)) : SQLITE_OK;
  if (((VeilFile *)p)->zName) sqlite3_free_filename(((VeilFile *)p)->zName);
  sqlite3_free(FILE_OF(p));
  return rc;
}

static void invert(unsigned char *a, sqlite3_int64 n) {
  while (n-- > 0) a[n] = (unsigned char)~a[n];
}

static int veil_read(sqlite3_file *p, void *a, int n, sqlite3_int64 i) {
  sqlite3_int64 nSize = 0;
  int rc = METHODS(p)->xRead(FILE_OF(p), a, n, i);
  if (rc == SQLITE_OK) invert(a, n);
  if (rc == SQLITE_IOERR_SHORT_READ) {
    METHODS(p)->xFileSize(FILE_OF(p), &nSize);
    if (nSize > i) invert(a, nSize - i);
  }
  return rc;
}

static int veil_write(sqlite3_file *p, const void *a, int n, sqlite3_int64 i) {
  unsigned char *aOwn;
  int rc = write_gate(((VeilFile *)p)->bCopy);
  if (rc) return rc;
  aOwn = sqlite3_malloc(n);
  if (aOwn == NULL) return SQLITE_IOERR_NOMEM;
  memcpy(aOwn, a, (size_t)n);
  invert(aOwn, n);
  rc = METHODS(p)->xWrite(FILE_OF(p), aOwn, n, i);
  sqlite3_free(aOwn);
  return rc;
}

static int veil_truncate(sqlite3_file *p, sqlite3_int64 n) {
  return METHODS(p)->xTruncate(FILE_OF(p), n);
}
static int veil_sync(sqlite3_file *p, int flags) {
  return SQLITE_OK; /* no power is cut here */
}
static int veil_size(sqlite3_file *p, sqlite3_int64 *pn) {
  return METHODS(p)->xFileSize(FILE_OF(p), pn);
}
static int veil_lock(sqlite3_file *p, int e) {
  return METHODS(p)->xLock(FILE_OF(p), e);
}
static int veil_unlock(sqlite3_file *p, int e) {
  return METHODS(p)->xUnlock(FILE_OF(p), e);
}
static int veil_reserved(sqlite3_file *p, int *pb) {
  return METHODS(p)->xCheckReservedLock(FILE_OF(p), pb);
}
static int veil_control(sqlite3_file *p, int op, void *pArg) {
  if (op == SQLITE_FCNTL_VFS_POINTER) return SQLITE_NOTFOUND;
  return METHODS(p)->xFileControl(FILE_OF(p), op, pArg);
}
static int veil_sector(sqlite3_file *p) {
  return METHODS(p)->xSectorSize(FILE_OF(p));
}
static int veil_device(sqlite3_file *p) {
  return METHODS(p)->xDeviceCharacteristics(FILE_OF(p));
}
static int veil_map(sqlite3_file *p, int i, int n, int b, void volatile **pp) {
  return METHODS(p)->xShmMap(FILE_OF(p), i, n, b, pp);
}
static int veil_shmlock(sqlite3_file *p, int i, int n, int flags) {
  return METHODS(p)->xShmLock(FILE_OF(p), i, n, flags);
}
static void veil_barrier(sqlite3_file *p) {
  METHODS(p)->xShmBarrier(FILE_OF(p));
}
static int veil_unmap(sqlite3_file *p, int b) {
  return METHODS(p)->xShmUnmap(FILE_OF(p), b);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = veil_close,
    .xRead = veil_read,
    .xWrite = veil_write,
    .xTruncate = veil_truncate,
    .xSync = veil_sync,
    .xFileSize = veil_size,
    .xLock = veil_lock,
    .xUnlock = veil_unlock,
    .xCheckReservedLock = veil_reserved,
    .xFileControl = veil_control,
    .xSectorSize = veil_sector,
    .xDeviceCharacteristics = veil_device,
    .xShmMap = veil_map,
    .xShmLock = veil_shmlock,
    .xShmBarrier = veil_barrier,
    .xShmUnmap = veil_unmap,
};

/* Where a file lies whose name hides it. */
static const char *path_of(const char *zName, char *zPath, int nPath) {
  if (strncmp(zName, HIDDEN, strlen(HIDDEN))) return zName;
  sqlite3_snprintf(nPath, zPath, "%s/%s", zDir, zName + strlen(HIDDEN));
  return zPath;
}

static int veil_open(sqlite3_vfs *v, const char *zName, sqlite3_file *p,
                     int flags, int *pOut) {
  VeilFile *pNew = (VeilFile *)p;
  char zPath[300];
  int rc;
  memset(pNew, 0, sizeof(*pNew));
  pNew->bCopy = zName == NULL || strstr(zName, ".part-") != NULL;
  pNew->pFile = sqlite3_malloc(pReal->szOsFile);
  memset(pNew->pFile, 0, (size_t)pReal->szOsFile);
  if (zName && path_of(zName, zPath, sizeof(zPath)) != zName) {
    pNew->zName = sqlite3_create_filename(zPath, "", "", 0, NULL);
    zName = pNew->zName;
  }
  rc = pReal->xOpen(pReal, zName, pNew->pFile, flags, pOut);
  if (rc) {
    veil_close(p);
  } else {
    p->pMethods = &methods;
  }
  return rc;
}

static int veil_delete(sqlite3_vfs *v, const char *zName, int bSync) {
  char zPath[300];
  return pReal->xDelete(pReal, path_of(zName, zPath, sizeof(zPath)), bSync);
}
static int veil_access(sqlite3_vfs *v, const char *zName, int e, int *pb) {
  char zPath[300];
  return pReal->xAccess(pReal, path_of(zName, zPath, sizeof(zPath)), e, pb);
}
static int veil_full(sqlite3_vfs *v, const char *zName, int n, char *zOut) {
  if (!bHidden) return pReal->xFullPathname(pReal, zName, n, zOut);
  sqlite3_snprintf(n, zOut, "%s%s",
                   strncmp(zName, HIDDEN, strlen(HIDDEN)) ? HIDDEN : "", zName);
  return SQLITE_OK;
}

static void veil_register(const char *zName) {
  pReal = sqlite3_vfs_find(NULL);
  veil = *pReal;
  veil.zName = zName;
  veil.pNext = NULL;
  veil.szOsFile = (int)sizeof(VeilFile);
  veil.mxPathname = 200;
  veil.xOpen = veil_open;
  veil.xDelete = veil_delete;
  veil.xAccess = veil_access;
  veil.xFullPathname = veil_full;
  sqlite3_vfs_register(&veil, 0);
}

/*************************************************************************
** A file on it
*/
static sqlite3 *open_veiled(const char *zName) {
  sqlite3 *db = NULL;
  char zPath[300], *zErr = NULL;
  sqlite3_snprintf(sizeof(zPath), zPath, "%s%s%s", bHidden ? "" : zDir,
                   bHidden ? "" : "/", zName);
  sqlite3_open_v2(zPath, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                  veil.zName);
  check(load(db, &zErr) == SQLITE_OK, "load: %s", zErr ? zErr : "");
  sqlite3_busy_timeout(db, 10000);
  return db;
}

static void remove_files(void) {
  char z[200];
  sqlite3_snprintf(sizeof(z), z, "rm -rf '%s'/*", zDir);
  if (system(z)) check(0, "%s", z);
}

/* 1,500 rows of a page each, of which 500 are deleted again. */
static sqlite3 *fresh(const char *zMode) {
  sqlite3 *db;
  char z[600];
  remove_files();
  db = open_veiled("x.db");
  sqlite3_snprintf(
      sizeof(z), z,
      "PRAGMA auto_vacuum = 2; SELECT migrate_up('maintenance');"
      "PRAGMA foreign_keys = ON; PRAGMA journal_mode = %s;"
      "CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
      " i < 1500) INSERT INTO t SELECT i, zeroblob(3500) FROM n;"
      "DELETE FROM t WHERE id %% 3 = 0; SELECT count(*) FROM t",
      zMode);
  expect(db, z, "1000");
  return db;
}

static void whole(sqlite3 *db, const char *zWhen) {
  char *z = value(db, "SELECT count(*) || ' ' || sum(id) || ' ' || "
                      "sum(length(x)) FROM t");
  check(same(z, "1000 750000 3500000"), "%s: %s", zWhen, z ? z : "NULL");
  free(z);
  z = value(db, "PRAGMA integrity_check");
  check(same(z, "ok"), "%s: %s", zWhen, z ? z : "NULL");
  free(z);
}

static void close_ok(sqlite3 *db) {
  int rc = sqlite3_close(db);
  check(rc == SQLITE_OK, "close: %d", rc);
}

/*************************************************************************
** Seen and cancelled by another connection
*/
typedef struct Run {
  pthread_t thread;
  sqlite3 *db;
  const char *zSql;
  char *zResult;
} Run;

static void *run_gated(void *pArg) {
  Run *r = pArg;
  bGated = 1;
  r->zResult = value(r->db, r->zSql);
  return NULL;
}

static void progress_and_cancel(const char *zMode, const char *zCall,
                                const char *zCommand) {
  sqlite3 *db = fresh(zMode), *other = open_veiled("x.db");
  sqlite3 *looker = other;
  char *zName = sqlite3_mprintf("%.*s", (int)strcspn(zCall, "("), zCall);
  char *zWant, *zFirst, *z;
  char *zSql = sqlite3_mprintf("SELECT %s", zCall);
  Run r = {.db = db, .zSql = zSql};
  expect(db, "UPDATE t SET x = zeroblob(3500)", NULL);
  nWrite = 0;
  open_gate(20);
  pthread_create(&r.thread, NULL, run_gated, &r);
  await_gate();
  /* in rollback mode nobody can read from the file now */
  if (strcmp(zMode, "wal")) looker = open_loaded(":memory:");
  expect(looker, "SELECT command FROM vacuum_progress", zCommand);
  z = sqlite3_mprintf("SELECT db_path = %Q AND pages_total > 1000 AND"
                      " pages_done < pages_total AND abs(steward_now() -"
                      " started_at) < 60000 FROM vacuum_progress",
                      sqlite3_db_filename(db, "main"));
  expect(looker, z, "1");
  sqlite3_free(z);
  zFirst = value(looker, "SELECT pages_done FROM vacuum_progress");
  open_gate(200);
  await_gate();
  zWant = value(looker, "SELECT pages_done FROM vacuum_progress");
  check(zFirst && zWant && atoi(zWant) > atoi(zFirst), "%s: %s pages, then %s",
        zCall, zFirst ? zFirst : "NULL", zWant ? zWant : "NULL");
  free(zFirst);
  free(zWant);
  if (looker != other) sqlite3_close(looker);
  expect(other, "SELECT vacuum_cancel()", "1");
  open_gate(-1);
  pthread_join(r.thread, NULL);
  zWant = sqlite3_mprintf(
      "%s: vacuum_cancel() ended it, and nothing was changed: call it again",
      zName);
  check(same(r.zResult, zWant), "%s: %s", zCall, r.zResult ? r.zResult : "");
  expect(other,
         "SELECT error_message FROM sqlite_vacuum_log WHERE status = 'failed'"
         " AND completed_ts IS NOT NULL AND pages_freed = 0",
         zWant);
  expect(other, "SELECT count(*) FROM vacuum_progress", "0");
  expect(other, "SELECT vacuum_cancel()", "0");
  whole(other, zCall);
  expect(other, "SELECT count(*) FROM t WHERE length(x) <> 3500", "0");
  /* and is not in the way of the next */
  expect(db, "SELECT vacuum_full() > 0", "1");
  whole(db, "after the next one");
  sqlite3_free(zWant);
  free(r.zResult);
  sqlite3_free(zSql);
  sqlite3_free(zName);
  close_ok(other);
  close_ok(db);
}

static int entries(const char *zPattern) {
  char z[200];
  int rc;
  sqlite3_snprintf(sizeof(z), z, "ls '%s' | grep -q -- '%s'", zDir, zPattern);
  rc = system(z);
  return rc == 0;
}

/* In a child of the process nothing runs, and nothing is locked: 1. */
static int child_is_idle(void) {
  int iStatus = -1;
  pid_t pid = fork();
  if (pid == 0) {
    sqlite3 *mem;
    char *z;
    alarm(60);
    mem = open_loaded(":memory:");
    z = value(mem, "SELECT count(*) + vacuum_cancel() FROM vacuum_progress");
    _exit(same(z, "0") ? 0 : 1);
  }
  waitpid(pid, &iStatus, 0);
  return iStatus == 0;
}

static sqlite3 *open_filled(int i) {
  char zName[20];
  sqlite3 *db;
  sqlite3_snprintf(sizeof(zName), zName, "many%d.db", i);
  db = open_veiled(zName);
  expect(db,
         "CREATE TABLE t(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
         " SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT"
         " zeroblob(3500) FROM n",
         NULL);
  return db;
}

/* Many at a time: each is seen, and one more keeps its timeout. */
static void many_at_once(void) {
  enum { MANY = 12 };
  Run a[MANY];
  sqlite3 *looker = open_loaded(":memory:"), *more;
  int i;
  remove_files();
  nWrite = 0;
  open_gate(0);
  for (i = 0; i < MANY; i++) {
    memset(&a[i], 0, sizeof(a[i]));
    a[i].db = open_filled(i);
    a[i].zSql = "SELECT vacuum_full()";
    pthread_create(&a[i].thread, NULL, run_gated, &a[i]);
  }
  pthread_mutex_lock(&mutex);
  while (nWrite < MANY) pthread_cond_wait(&moved, &mutex);
  pthread_mutex_unlock(&mutex);
  expect(looker, "SELECT count(*) FROM vacuum_progress", "12");
  check(child_is_idle(), "a child has runs of its parent");
  more = open_filled(MANY);
  expect(more, "SELECT vacuum_full('{\"timeout\":1}')",
         "vacuum_full: its timeout is over, and nothing was changed: call it "
         "again");
  close_ok(more);
  open_gate(-1);
  for (i = 0; i < MANY; i++) {
    pthread_join(a[i].thread, NULL);
    check(same(a[i].zResult, "0"), "run %d: %s", i,
          a[i].zResult ? a[i].zResult : "NULL");
    free(a[i].zResult);
    close_ok(a[i].db);
  }
  expect(looker, "SELECT count(*) FROM vacuum_progress", "0");
  close_ok(looker);
}

static void *run_plain(void *pArg) {
  Run *r = pArg;
  r->zResult = value(r->db, r->zSql);
  return NULL;
}

/* Two copies to the same path: one is made, and the other says why not. */
static void copies_to_one_path(void) {
  int i, iRound, nMade;
  for (iRound = 0; iRound < 5; iRound++) {
    Run a[4];
    sqlite3 *db = fresh("wal");
    char *zSql = sqlite3_mprintf("SELECT vacuum_into('%s/copy.db') > 0", zDir);
    close_ok(db);
    for (i = 0; i < 4; i++) {
      memset(&a[i], 0, sizeof(a[i]));
      a[i].db = open_veiled("x.db");
      a[i].zSql = zSql;
      pthread_create(&a[i].thread, NULL, run_plain, &a[i]);
    }
    for (nMade = i = 0; i < 4; i++) {
      pthread_join(a[i].thread, NULL);
      nMade += same(a[i].zResult, "1");
      check(same(a[i].zResult, "1") ||
                strncmp(a[i].zResult, "CONFLICT", 8) == 0,
            "%s", a[i].zResult ? a[i].zResult : "NULL");
      free(a[i].zResult);
      close_ok(a[i].db);
    }
    check(nMade == 1, "%d copies were made", nMade);
    check(!entries("part-"), "an unfinished copy is left");
    db = open_veiled("copy.db");
    whole(db, "the copy");
    close_ok(db);
    sqlite3_free(zSql);
  }
}

/*************************************************************************
** A full disk, from each write on
*/
static void full_disk(const char *zMode, const char *zCall) {
  int bOk = 0, nError = 0;
  long i;
  for (i = 1; !bOk && i < 100000; i = i < 8 ? i + 1 : i * 2) {
    sqlite3 *db = fresh(zMode), *other;
    char *z, *zSql = sqlite3_mprintf("SELECT typeof(%s)", zCall);
    char *zErr = NULL;
    int rc;
    nWrite = 0;
    iFull = i;
    bGated = 1;
    z = run(db, zSql, &rc, &zErr);
    bGated = 0;
    iFull = 0;
    bOk = nWrite < i;
    check(rc == SQLITE_OK || (zErr && strstr(zErr, "full")),
          "%s, %s, write %ld: %d %s", zMode, zCall, i, rc, zErr ? zErr : "");
    nError += rc != SQLITE_OK;
    check(!bOk || rc == SQLITE_OK, "%s, %s: %s", zMode, zCall,
          zErr ? zErr : "");
    check(sqlite3_get_autocommit(db), "%s: a transaction is left", zCall);
    other = open_veiled("x.db");
    whole(other, zCall);
    close_ok(other);
    check(!entries("part-"), "%s, write %ld: a part is left", zCall, i);
    whole(db, zCall);
    expect(db, "SELECT vacuum_full() >= 0", "1");
    /* what could not be written down as failed is told of later */
    expect(db,
           "SELECT count(*) FROM sqlite_vacuum_log WHERE status NOT IN"
           " ('completed', 'failed', 'running')",
           "0");
    close_ok(db);
    free(z);
    free(zErr);
    sqlite3_free(zSql);
  }
  check(bOk && nError > 0, "%s, %s: %d errors", zMode, zCall, nError);
}

/*************************************************************************
** Everything on a VFS of another kind
*/
static const char zEach[] =
    "SELECT group_concat(check_type || ' ' || status) FROM health_checks"
    " WHERE status <> 'healthy' AND check_type NOT IN ('storage_space',"
    " 'freelist')";

static void everything(const char *zMode) {
  sqlite3 *db = fresh(zMode), *plain = NULL;
  char *z, zPath[300];
  int bWal = strcmp(zMode, "wal") == 0;
  /* on a busy machine, too */
  expect(db, "SELECT steward_setting('health_live_ms', 400)", "1");
  expect(db, "ANALYZE; SELECT count(*) FROM health_checks", "20");
  expect(db, zEach, NULL);
  if (bHidden) {
    expect(db,
           "SELECT status || coverage FROM health_checks WHERE check_type ="
           " 'storage_space'",
           "unknown0.0");
  }
  free(value(db, "SELECT steward_setting('health_storage_space_warning', 100);"
                 "SELECT steward_setting('health_storage_space_critical', "
                 "100)"));
  expect(db, "SELECT health_full() IN ('warning', 'healthy')", "1");
  expect(db, "SELECT steward_setting('health_integrity_bytes', 4096)", "1");
  expect(db, "SELECT health_run('1s') IN ('warning', 'healthy')", "1");
  expect(db,
         "SELECT status || coverage FROM health_checks WHERE check_type = "
         "'integrity'",
         "healthy1.0");
  expect(db, "SELECT count(*) FROM vacuum_tables WHERE name = 't'", "1");
  expect(db, "SELECT group_concat(finding) FROM steward_doctor",
         bWal ? "free_space" : "journal_mode,free_space");
  expect(db, "SELECT (wal_bytes > 0) || recommended FROM vacuum_status",
         bWal ? "1SELECT vacuum_incremental()"
              : "0SELECT vacuum_incremental()");
  expect(db, "SELECT vacuum_incremental(10)", "10");
  expect(db, "SELECT vacuum_auto() ->> '$.action'", "incremental");
  expect(db, "SELECT vacuum_full() > 0", "1");
  expect(db, "SELECT vacuum_convert('none')", "1");
  expect(db, "SELECT auto_vacuum FROM vacuum_status", "none");
  expect(db, "SELECT vacuum_optimize()", "1");
  expect_like(db, "SELECT vacuum_checkpoint('truncate')",
              bWal ? "{\"busy\":0" : "UNSUPPORTED: vacuum_checkpoint");
  whole(db, "everything");
  sqlite3_snprintf(sizeof(zPath), zPath, "SELECT vacuum_into('%s/copy.db') > 0",
                   zDir);
  if (bHidden) {
    expect(db, zPath,
           "UNSUPPORTED: vacuum_into: the VFS 'veil' keeps '/veil/x.db' under "
           "no path of that name, nor would it the copy: run VACUUM INTO on "
           "that VFS");
  } else {
    expect(db, zPath, "1");
  }
  check(entries("copy") == !bHidden && !entries("part-"), "copies");
  close_ok(db);
  if (!bHidden) {
    db = open_veiled("copy.db");
    whole(db, "the copy");
    close_ok(db);
    sqlite3_snprintf(sizeof(zPath), zPath, "%s/copy.db", zDir);
    sqlite3_open(zPath, &plain);
    z = value(plain, "SELECT count(*) FROM t");
    check(same(z, "file is not a database"), "by another VFS: %s",
          z ? z : "NULL");
    free(z);
    sqlite3_close(plain);
  }
}

/*************************************************************************
** dqlite, as far as a VFS of its name goes
*/
static void on_dqlite(const char *zSelf) {
  static const char *const azRefused[] = {
      "SELECT vacuum_full()",        "SELECT vacuum_convert('none')",
      "SELECT vacuum_into('/x.db')", "SELECT vacuum_auto()",
      "SELECT vacuum_optimize()",    "SELECT vacuum_checkpoint()",
      "SELECT vacuum_incremental()"};
  static const char zOld[] =
      "UNSUPPORTED: vacuum_incremental: this dqlite (%d, 0: not known) may not "
      "start again when its database gets shorter: it takes 1.18.2 (11802)";
  char z[300];
  void *pLibrary;
  void (*xSet)(int) = NULL;
  sqlite3 *db = fresh("wal");
  unsigned i;
  int iVersion;
  close_ok(db);
  sqlite3_vfs_unregister(&veil);
  veil_register("dqlite-1");
  db = open_veiled("x.db");
  for (i = 0; i < sizeof(azRefused) / sizeof(azRefused[0]); i++) {
    expect_like(db, azRefused[i], "UNSUPPORTED: vacuum_");
  }
  expect(db, "SELECT count(*) FROM health_checks", "20");
  expect(db, "SELECT typeof(health_status())", "text");
  expect_like(db, "SELECT health_run()", "UNSUPPORTED: health_run");
  expect(db, "SELECT count(*) > 0 FROM steward_doctor", "1");
  expect(db, "SELECT count(*) FROM vacuum_status", "1");
  /* the node's library tells its version, where it is one */
  sqlite3_snprintf(sizeof(z), z, "%.*s/ext_dqlite.so",
                   (int)(strrchr(zSelf, '/') - zSelf), zSelf);
  pLibrary = dlopen(z, RTLD_NOW | RTLD_GLOBAL);
  if (!check(pLibrary != NULL, "dlopen: %s", dlerror())) return;
  *(void **)&xSet = dlsym(pLibrary, "dqlite_version_set");
  for (iVersion = 11000; iVersion <= 11801; iVersion += 801) {
    xSet(iVersion);
    sqlite3_snprintf(sizeof(z), z, zOld, iVersion);
    expect(db, "SELECT vacuum_incremental()", z);
    expect(db, "BEGIN IMMEDIATE; SELECT vacuum_incremental()", z);
    expect(db, "ROLLBACK", NULL);
  }
  xSet(11802);
  expect_like(db, "SELECT vacuum_incremental()",
              "UNSUPPORTED: vacuum_incremental: dqlite replicates");
  expect(db, "BEGIN IMMEDIATE; SELECT vacuum_incremental(7)", "7");
  expect(db,
         "ROLLBACK; BEGIN IMMEDIATE; SELECT vacuum_incremental(NULL, '1h') >"
         " 300; COMMIT; PRAGMA freelist_count",
         "0");
  whole(db, "on dqlite");
  close_ok(db);
  sqlite3_vfs_unregister(&veil);
  dlclose(pLibrary);
}

/* In the rest there is one thread: ThreadSanitizer has nothing to find. */
#ifdef __SANITIZE_THREAD__
#define THREADS_ONLY 1
#else
#define THREADS_ONLY 0
#endif

int main(int argc, char **argv) {
  static const char *const azMode[] = {"wal", "delete"};
  char zInto[200];
  int i;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  sqlite3_snprintf(sizeof(zDir), zDir, "/tmp/steward-vacuum-XXXXXX");
  if (mkdtemp(zDir) == NULL) return 2;
  sqlite3_snprintf(sizeof(zInto), zInto, "vacuum_into('%s/copy.db')", zDir);
  veil_register("veil");
  open_gate(-1);
  many_at_once();
  copies_to_one_path();
  for (i = 0; i < 2; i++) {
    progress_and_cancel(azMode[i], "vacuum_full()", "full");
    progress_and_cancel(azMode[i], "vacuum_convert('none')", "convert");
    progress_and_cancel(azMode[i], zInto, "into");
    check(!entries("copy"), "no copy is left");
    if (THREADS_ONLY) continue;
    full_disk(azMode[i], "vacuum_full()");
    full_disk(azMode[i], "vacuum_convert('none')");
    full_disk(azMode[i], zInto);
    full_disk(azMode[i], "vacuum_incremental(NULL, '1h')");
    full_disk(azMode[i], "vacuum_optimize()");
    if (i == 0) full_disk(azMode[i], "vacuum_checkpoint('truncate')");
    for (bHidden = 0; bHidden < 2; bHidden++) everything(azMode[i]);
    bHidden = 0;
  }
  if (!THREADS_ONLY) on_dqlite(argv[0]);
  remove_files();
  rmdir(zDir);
  return finish();
}
