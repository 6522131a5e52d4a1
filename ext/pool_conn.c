/*
** pool_conn.c - one connection of the pool: opened with the library and with
** settings for several connections to a file, looked at before it is given out,
** and cleaned when it comes back.  None of it needs the pool's mutex.
*/
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pool_int.h"

/* Somebody uses a handle that is given back. */
static int refuse(void *pConn) {
  return 1;
}

/* Wait for a lock in steps of random length, so that those who wait do not
** come again all at once. */
static int wait_for_lock(void *pArg, int nTry) {
  PoolConn *pConn = pArg;
  i64 iNow = steward_monotonic_us(), nLeft;
  int nMost = 100 << (nTry < 9 ? nTry : 9); /* us: to 50 ms */
  struct timespec t = {0, 0};
  if (nTry == 0) pConn->iBusySince = iNow;
  nLeft = pConn->iBusySince + pConn->iBusy - iNow;
  if (nLeft <= 0) return 0;
  pConn->iSeed = pConn->iSeed * 1103515245u + 12345u;
  t.tv_nsec = (nMost / 2 + (long)(pConn->iSeed >> 8) % nMost) * 1000L;
  if (t.tv_nsec > nLeft * 1000) t.tv_nsec = (long)nLeft * 1000;
  nanosleep(&t, NULL);
  return 1;
}

/* What a caller may have set and the next one must not find. */
void pool_conn_callbacks(PoolConn *pConn, int bUsed) {
  sqlite3 *db = pConn->db;
  sqlite3_progress_handler(db, bUsed ? 0 : 1, bUsed ? NULL : refuse, NULL);
  if (bUsed) return;
  sqlite3_busy_handler(db, wait_for_lock, pConn);
  sqlite3_set_authorizer(db, NULL, NULL);
  sqlite3_commit_hook(db, NULL, NULL);
  sqlite3_rollback_hook(db, NULL, NULL);
  sqlite3_update_hook(db, NULL, NULL);
  sqlite3_wal_autocheckpoint(db, pConn->nCheckpoint); /* a WAL hook */
  sqlite3_trace_v2(db, 0, NULL, NULL);
}

void pool_conn_close(PoolConn *pConn) {
  if (pConn == NULL) return;
  /* a caller's unfinished statements keep it until they are finalized */
  sqlite3_progress_handler(pConn->db, 0, NULL, NULL);
  sqlite3_close_v2(pConn->db);
  free(pConn);
}

/* Settings of the connection, none of the file.  A commit in WAL mode need not
** reach the disk at once unless it is to: it can be lost to a power cut, but
** never damages the file. */
static int tune(sqlite3 *db, const PoolConfig *pConfig) {
  sqlite3_stmt *pStmt = NULL;
  const char *zMode = NULL;
  int bWal, rc;
  rc = sqlite3_prepare_v2(db, "PRAGMA main.journal_mode", -1, &pStmt, NULL);
  if (rc == SQLITE_OK && sqlite3_step(pStmt) == SQLITE_ROW) {
    zMode = (const char *)sqlite3_column_text(pStmt, 0);
  }
  bWal = zMode && strcmp(zMode, "wal") == 0;
  if (rc == SQLITE_OK) {
    rc = sqlite3_finalize(pStmt);
  }
  if (rc == SQLITE_OK) {
    rc = sqlite3_exec(db, "PRAGMA cache_size = -16000", NULL, NULL, NULL);
  }
  if (rc == SQLITE_OK) {
    rc = sqlite3_exec(db,
                      bWal && !pConfig->bDurable ? "PRAGMA synchronous = NORMAL"
                                                 : "PRAGMA synchronous = FULL",
                      NULL, NULL, NULL);
  }
  return rc;
}

/* After how many pages SQLite checkpoints by itself. */
static int auto_checkpoint(sqlite3 *db) {
  sqlite3_stmt *pStmt = NULL;
  int nPage = 1000;
  sqlite3_prepare_v2(db, "PRAGMA wal_autocheckpoint", -1, &pStmt, NULL);
  if (pStmt && sqlite3_step(pStmt) == SQLITE_ROW) {
    nPage = sqlite3_column_int(pStmt, 0);
  }
  sqlite3_finalize(pStmt);
  return nPage;
}

static void fail_open(StewardCall *c, const char *zPath, int rc, sqlite3 *db,
                      const char *zErr) {
  if ((rc & 0xff) == SQLITE_NOMEM) {
    steward_fail_nomem(c);
  } else if ((rc & 0xff) == SQLITE_CANTOPEN) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "cannot open '%s': it must be a database file that this "
                 "process may read and write",
                 zPath);
  } else {
    steward_fail_rc(c, rc, "cannot open '%s': %s", zPath,
                    zErr ? zErr : sqlite3_errmsg(db));
  }
}

/* A new connection; NULL when the call has failed. */
PoolConn *pool_conn_open(StewardCall *c, const char *zPath, const char *zVfs,
                         const PoolConfig *pConfig) {
  enum { NOFOLLOW = 0x01000000 }; /* SQLITE_OPEN_NOFOLLOW */
  PoolConn *pConn = calloc(1, sizeof(*pConn));
  char *zErr = NULL;
  int rc;
  if (pConn == NULL) {
    steward_fail_nomem(c);
    return NULL;
  }
  pConn->iSeed = (unsigned)(size_t)pConn ^ (unsigned)steward_monotonic_us();
  pConn->iBusy = pConfig->iBusy * 1000;
  steward_pooling(1);
  rc = steward_connect(zPath,
                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | NOFOLLOW,
                       zVfs[0] ? zVfs : NULL, &pConn->db);
  if (rc == SQLITE_OK) {
    sqlite3_busy_handler(pConn->db, wait_for_lock, pConn);
    rc = steward_setup(pConn->db, &zErr);
  }
  pConn->p = steward_pooling(0);
  if (rc == SQLITE_OK) rc = tune(pConn->db, pConfig);
  if (rc || pConn->p == NULL) {
    fail_open(c, zPath, rc ? rc : SQLITE_ERROR, pConn->db, zErr);
    sqlite3_free(zErr);
    sqlite3_close(pConn->db);
    free(pConn);
    return NULL;
  }
  pConn->nCheckpoint = auto_checkpoint(pConn->db);
  pConn->iOpened = pConn->iProbed = steward_monotonic_us();
  return pConn;
}

/* Can it read?  A lock of somebody else's is no reason to give it up. */
static int can_read(PoolConn *pConn) {
  StewardCall look = {.p = pConn->p, .db = pConn->db, .zFunc = "pool"};
  steward_int(&look, SQL_pool_probe, 0, "");
  sqlite3_free(look.zErr);
  return look.rc == SQLITE_OK || (look.rc & 0xff) == SQLITE_BUSY;
}

/* May it be given out?  The file at its path may have been deleted or replaced,
** or the disk below it may be gone. */
int pool_conn_is_good(PoolConn *pConn, const PoolConfig *pConfig, i64 iNow) {
  if (steward_file_moved(pConn->db)) return 0;
  pool_conn_callbacks(pConn, 1);
  pConn->iBusy = pConfig->iBusy * 1000;
  if (iNow - pConn->iProbed < pConfig->iProbe * 1000) return 1;
  pConn->iProbed = iNow;
  return can_read(pConn);
}

/* End the statements and the transaction that a caller left; 0: it cannot. */
static int end_work(sqlite3 *db) {
  sqlite3_stmt *pStmt = NULL;
  while ((pStmt = sqlite3_next_stmt(db, pStmt)) != NULL) {
    if (sqlite3_stmt_busy(pStmt)) sqlite3_reset(pStmt);
  }
  if (!sqlite3_get_autocommit(db)) {
    sqlite3_progress_handler(db, 0, NULL, NULL);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  }
  return sqlite3_get_autocommit(db);
}

/* End what the caller left unfinished; 0: it is not fit for others. */
int pool_conn_clean(PoolConn *pConn) {
  sqlite3 *db = pConn->db;
  int rc = sqlite3_errcode(db) & 0xff;
  if (!end_work(db)) return 0;
  pool_conn_callbacks(pConn, 0);
  pConn->p->clock.bPinned = 0;
  return !pConn->bAltered && pConn->p->pCapture == NULL &&
         pConn->p->pKeeper == NULL &&
         sqlite3_db_name(db, 2) == NULL && /* nothing attached */
         rc != SQLITE_IOERR && rc != SQLITE_CORRUPT && rc != SQLITE_NOTADB &&
         rc != SQLITE_NOMEM && rc != SQLITE_CANTOPEN;
}
