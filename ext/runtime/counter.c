/*
** counter.c - numbers: the engine's own, read live, and durable counters that
** move in the caller's transaction.
**
** The list below is what perf_counters shows and perf_capture stores.  All
** are read from the connection; nothing is counted twice.
*/
#include <string.h>
#include <sys/stat.h>

#include "steward_int.h"

enum { FROM_DB, FROM_DB_HIGH, FROM_PROCESS, FROM_PRAGMA, FROM_CALL };

typedef struct CounterSource {
  const char *zName;
  int eFrom;
  int iOp;                /* SQLITE_DBSTATUS_*, SQLITE_STATUS_* */
  enum StewardSqlId eSql; /* FROM_PRAGMA */
  const char *zUnit;
  const char *zMeaning;
} CounterSource;

static const CounterSource aSource[] = {
    {"cache_hit_total", FROM_DB, SQLITE_DBSTATUS_CACHE_HIT, 0, "pages",
     "pages found in the page cache"},
    {"cache_miss_total", FROM_DB, SQLITE_DBSTATUS_CACHE_MISS, 0, "pages",
     "pages read from the file"},
    {"cache_write_total", FROM_DB, SQLITE_DBSTATUS_CACHE_WRITE, 0, "pages",
     "pages written to the file or the WAL"},
    {"cache_spill_total", FROM_DB, SQLITE_DBSTATUS_CACHE_SPILL, 0, "pages",
     "dirty pages written in mid transaction for want of cache"},
    {"cache_used_bytes", FROM_DB, SQLITE_DBSTATUS_CACHE_USED, 0, "bytes",
     "memory of the page caches"},
    {"cache_used_shared_bytes", FROM_DB, SQLITE_DBSTATUS_CACHE_USED_SHARED, 0,
     "bytes", "the same, a shared cache divided among its connections"},
    {"schema_used_bytes", FROM_DB, SQLITE_DBSTATUS_SCHEMA_USED, 0, "bytes",
     "memory of the parsed schemas"},
    {"stmt_used_bytes", FROM_DB, SQLITE_DBSTATUS_STMT_USED, 0, "bytes",
     "memory of prepared statements"},
    {"lookaside_used", FROM_DB, SQLITE_DBSTATUS_LOOKASIDE_USED, 0, "slots",
     "lookaside slots in use"},
    {"lookaside_used_max", FROM_DB_HIGH, SQLITE_DBSTATUS_LOOKASIDE_USED, 0,
     "slots", "most lookaside slots ever in use"},
    {"lookaside_hit_total", FROM_DB_HIGH, SQLITE_DBSTATUS_LOOKASIDE_HIT, 0,
     "allocations", "allocations served by lookaside"},
    {"lookaside_miss_size_total", FROM_DB_HIGH,
     SQLITE_DBSTATUS_LOOKASIDE_MISS_SIZE, 0, "allocations",
     "allocations too large for lookaside"},
    {"lookaside_miss_full_total", FROM_DB_HIGH,
     SQLITE_DBSTATUS_LOOKASIDE_MISS_FULL, 0, "allocations",
     "allocations that found lookaside full"},
    {"deferred_fks", FROM_DB, SQLITE_DBSTATUS_DEFERRED_FKS, 0, "boolean",
     "1 while a deferred foreign key is broken"},
    {"process_memory_bytes", FROM_PROCESS, SQLITE_STATUS_MEMORY_USED, 0,
     "bytes", "memory that SQLite holds in this process"},
    {"process_allocations", FROM_PROCESS, SQLITE_STATUS_MALLOC_COUNT, 0,
     "allocations", "allocations outstanding in this process"},
    {"process_pagecache_overflow_bytes", FROM_PROCESS,
     SQLITE_STATUS_PAGECACHE_OVERFLOW, 0, "bytes",
     "page cache memory taken from the heap"},
    {"page_count", FROM_PRAGMA, 0, SQL_counter_page_count, "pages",
     "pages of main"},
    {"freelist_count", FROM_PRAGMA, 0, SQL_counter_freelist_count, "pages",
     "pages of main that hold nothing"},
    {"page_size_bytes", FROM_PRAGMA, 0, SQL_counter_page_size, "bytes",
     "size of a page"},
    {"wal_bytes", FROM_CALL, 0, 0, "bytes",
     "size of the WAL file; unknown where there is none"},
    {"wal_frames", FROM_CALL, 0, 0, "frames",
     "pages that the WAL file has room for: the most that a checkpoint copies"},
    {"wal_pending_frames", FROM_CALL, 0, 0, "frames",
     "pages in the WAL that no checkpoint has copied yet: how far it lags"},
    {"busy_timeout_ms", FROM_PRAGMA, 0, SQL_counter_busy_timeout, "ms",
     "how long this connection waits for a lock"},
    {"cache_hit_ratio", FROM_CALL, 0, 0, "ratio",
     "hits among all page reads of this connection; unknown before the first"},
    {"changes_total", FROM_CALL, 0, 0, "rows",
     "rows that this connection inserted, updated or deleted"},
};

/* Counters of pages are 31 bits wide in SQLite and begin again at 0: what was
** added since they were read last goes on from there.  One that fell from below
** the middle was reset by the host. */
static i64 widen(Steward *p, int i, int iNow) {
  int iLast = p->aWide[i].iLast;
  if (iNow >= iLast) {
    p->aWide[i].iTotal += iNow - iLast;
  } else if (iLast > 0x3fffffff) {
    p->aWide[i].iTotal += (i64)iNow + 0x80000000LL - iLast;
  } else {
    p->aWide[i].iTotal += iNow;
  }
  p->aWide[i].iLast = iNow;
  return p->aWide[i].iTotal;
}

static i64 db_status(Steward *p, int iOp, int bHigh) {
  int iCurrent = 0, iHigh = 0;
  sqlite3_db_status(p->db, iOp, &iCurrent, &iHigh, 0);
  if (bHigh) return iHigh;
  switch (iOp) {
  case SQLITE_DBSTATUS_CACHE_HIT: return widen(p, 0, iCurrent);
  case SQLITE_DBSTATUS_CACHE_MISS: return widen(p, 1, iCurrent);
  case SQLITE_DBSTATUS_CACHE_WRITE: return widen(p, 2, iCurrent);
  case SQLITE_DBSTATUS_CACHE_SPILL: return widen(p, 3, iCurrent);
  default: return iCurrent;
  }
}

/* Frames that no checkpoint has copied, from the WAL's index, which is in
** shared memory that this connection has mapped already: word 4 of its header
** is the last frame, word 24 how many were copied (SQLite's walformat.html).
** -1 where there is no such memory, as with PRAGMA locking_mode=EXCLUSIVE. */
static i64 wal_pending(StewardCall *c) {
  sqlite3_file *f = NULL;
  void volatile *pMap = NULL;
  const uint32_t volatile *a;
  char *zMode = steward_text(c, SQL_counter_wal_shared, "");
  int bShared = zMode && strcmp(zMode, "wal normal") == 0;
  sqlite3_free(zMode);
  if (c->rc || !bShared || steward_on_dqlite(c->p)) return -1;
  steward_int(c, SQL_counter_schema_rows, 0, ""); /* a read maps it */
  sqlite3_file_control(c->db, "main", SQLITE_FCNTL_FILE_POINTER, &f);
  if (c->rc || f == NULL || f->pMethods == NULL || f->pMethods->iVersion < 2 ||
      f->pMethods->xShmMap(f, 0, 32768, 0, &pMap) || pMap == NULL) {
    return -1;
  }
  a = pMap;
  return a[4] > a[24] ? (i64)a[4] - a[24] : 0;
}

/* The counters that are computed. */
static void read_call(StewardCall *c, const CounterSource *pSource,
                      StewardCounter *pOut) {
  if (strcmp(pSource->zName, "changes_total") == 0) {
    pOut->rValue = (double)sqlite3_total_changes64(c->db);
  } else if (strcmp(pSource->zName, "wal_pending_frames") == 0) {
    i64 nPending = wal_pending(c);
    pOut->bKnown = nPending >= 0;
    pOut->rValue = (double)nPending;
  } else if (strncmp(pSource->zName, "wal_", 4) == 0) {
    i64 nBytes = steward_wal_bytes(c->db, "main");
    i64 nFrame = 24 + steward_int(c, SQL_counter_page_size, 4096, "");
    pOut->bKnown = nBytes > 0;
    pOut->rValue = (double)(pSource->zName[4] == 'b' ? nBytes
                            : nBytes > 32            ? (nBytes - 32) / nFrame
                                                     : 0);
  } else {
    double rHit = (double)db_status(c->p, SQLITE_DBSTATUS_CACHE_HIT, 0);
    double rMiss = (double)db_status(c->p, SQLITE_DBSTATUS_CACHE_MISS, 0);
    pOut->bKnown = rHit + rMiss > 0;
    pOut->rValue = pOut->bKnown ? rHit / (rHit + rMiss) : 0.0;
  }
}

/* The i-th live counter; 0 beyond the last. */
int steward_counter_at(StewardCall *c, int i, StewardCounter *pOut) {
  const CounterSource *pSource = &aSource[i];
  sqlite3_int64 iCurrent = 0, iHigh = 0;
  if (i >= ArraySize(aSource) || c->rc) return 0;
  pOut->zName = pSource->zName;
  pOut->zUnit = pSource->zUnit;
  pOut->zMeaning = pSource->zMeaning;
  pOut->bKnown = 1;
  switch (pSource->eFrom) {
  case FROM_DB:
  case FROM_DB_HIGH:
    pOut->rValue =
        (double)db_status(c->p, pSource->iOp, pSource->eFrom == FROM_DB_HIGH);
    break;
  case FROM_PROCESS:
    sqlite3_status64(pSource->iOp, &iCurrent, &iHigh, 0);
    pOut->rValue = (double)iCurrent;
    break;
  case FROM_PRAGMA:
    pOut->rValue = (double)steward_int(c, pSource->eSql, 0, "");
    break;
  default: read_call(c, pSource, pOut);
  }
  return c->rc == SQLITE_OK;
}

int steward_counter_count(void) {
  return ArraySize(aSource);
}

/* Bytes of the WAL beside a file, by path; 0 when there is none. */
i64 steward_wal_bytes(sqlite3 *db, const char *zSchema) {
  const char *zFile = sqlite3_db_filename(db, zSchema);
  const char *zWal = zFile && zFile[0] ? sqlite3_filename_wal(zFile) : NULL;
  sqlite3_file *pFile = NULL;
  sqlite3_int64 nBytes = 0;
  struct stat st;
  if (zWal == NULL) return 0;
  if (stat(zWal, &st) == 0) return (i64)st.st_size;
  if (stat(zFile, &st) == 0) return 0;
  /* names of this VFS are no paths: by the file that SQLite has open */
  sqlite3_file_control(db, zSchema, SQLITE_FCNTL_JOURNAL_POINTER, &pFile);
  if (pFile == NULL || pFile->pMethods == NULL ||
      pFile->pMethods->xFileSize(pFile, &nBytes)) {
    return 0;
  }
  return nBytes;
}

/* Add to a durable counter. */
void steward_count(StewardCall *c, const char *zCounter, i64 nAdd) {
  if (nAdd) steward_run(c, SQL_counter_add, "tl", zCounter, nAdd);
}
