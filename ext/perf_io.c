/*
** perf_io.c - what a connection reads and writes, call by call.
**
**     SELECT perf_io(1);
**     SELECT name, value FROM perf_counters WHERE name LIKE 'io_%';
**     SELECT perf_io(0);
**
** SQLite calls the file system through a table of functions that each open file
** points to.  perf_io(1) puts a table of its own there, for the file of `main`
** and for its WAL, that counts and calls the one that was there; perf_io(0)
** puts that one back, and so does the file itself when it is closed.  A VFS of
** our own would count only what is opened later, and every other connection of
** the process with it.
**
** What is not counted: a rollback journal, which is opened for one transaction,
** temporary files, and what is read through PRAGMA mmap_size.  A WAL that is
** opened after the call is noticed when perf_counters is read.
**
** The counts belong to the connection and to each file that counts, whichever
** goes last; SQLite uses a file in one thread at a time.
*/
#include <string.h>

#include "perf_int.h"

enum { IO_READS, IO_READ_BYTES, IO_WRITES, IO_WRITE_BYTES, IO_SYNCS, IO_BUSY };

struct PerfIo {
  int nRef;
  i64 a[IO_BUSY + 1];
};

/* The table that a file points to. */
typedef struct IoMethods {
  sqlite3_io_methods base; /* must be first */
  const sqlite3_io_methods *pReal;
  PerfIo *pIo;
} IoMethods;

static IoMethods *methods_of(sqlite3_file *f) {
  return (IoMethods *)(uintptr_t)f->pMethods;
}

static void io_unref(PerfIo *p) {
  if (p && --p->nRef == 0) sqlite3_free(p);
}

/* The file is as it was. */
static void io_restore(sqlite3_file *f) {
  IoMethods *m = methods_of(f);
  f->pMethods = m->pReal;
  io_unref(m->pIo);
  sqlite3_free(m);
}

static int io_close(sqlite3_file *f) {
  io_restore(f);
  return f->pMethods->xClose(f);
}

static int io_read(sqlite3_file *f, void *p, int n, sqlite3_int64 iOffset) {
  IoMethods *m = methods_of(f);
  m->pIo->a[IO_READS]++;
  m->pIo->a[IO_READ_BYTES] += n;
  return m->pReal->xRead(f, p, n, iOffset);
}

static int io_write(sqlite3_file *f, const void *p, int n,
                    sqlite3_int64 iOffset) {
  IoMethods *m = methods_of(f);
  m->pIo->a[IO_WRITES]++;
  m->pIo->a[IO_WRITE_BYTES] += n;
  return m->pReal->xWrite(f, p, n, iOffset);
}

static int io_sync(sqlite3_file *f, int flags) {
  IoMethods *m = methods_of(f);
  m->pIo->a[IO_SYNCS]++;
  return m->pReal->xSync(f, flags);
}

/* Each attempt that another connection's lock refused: SQLite makes one each
** time that the busy handler lets it wait. */
static int io_lock(sqlite3_file *f, int eLock) {
  IoMethods *m = methods_of(f);
  int rc = m->pReal->xLock(f, eLock);
  if (rc == SQLITE_BUSY) m->pIo->a[IO_BUSY]++;
  return rc;
}

/* Slot 0 of the WAL's index is the write lock; others are tried in turn. */
static int io_shm_lock(sqlite3_file *f, int iSlot, int n, int flags) {
  IoMethods *m = methods_of(f);
  int rc = m->pReal->xShmLock(f, iSlot, n, flags);
  if (rc == SQLITE_BUSY && iSlot == 0) m->pIo->a[IO_BUSY]++;
  return rc;
}

/* Make a file count, unless it does already, or is not open. */
static void io_count(StewardCall *c, PerfIo *pIo, sqlite3_file *f) {
  IoMethods *m;
  if (c->rc || f == NULL || f->pMethods == NULL ||
      f->pMethods->xClose == io_close) {
    return;
  }
  m = sqlite3_malloc64(sizeof(*m));
  if (m == NULL) {
    steward_fail_nomem(c);
    return;
  }
  m->base = *f->pMethods;
  m->pReal = f->pMethods;
  m->pIo = pIo;
  pIo->nRef++;
  m->base.xClose = io_close;
  m->base.xRead = io_read;
  m->base.xWrite = io_write;
  m->base.xSync = io_sync;
  m->base.xLock = io_lock;
  if (m->base.iVersion >= 2 && m->base.xShmLock) m->base.xShmLock = io_shm_lock;
  f->pMethods = &m->base;
}

static void io_stop(StewardCall *c, int eFile) {
  sqlite3_file *f = NULL;
  sqlite3_file_control(c->db, "main", eFile, &f);
  if (f && f->pMethods && f->pMethods->xClose == io_close) io_restore(f);
}

/* Where there is a WAL it is what SQLite calls the journal; a journal that is
** kept in memory has functions of its own, and must keep them. */
static void io_files(StewardCall *c) {
  sqlite3_file *f = NULL, *pWal = NULL;
  sqlite3_file_control(c->db, "main", SQLITE_FCNTL_FILE_POINTER, &f);
  sqlite3_file_control(c->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &pWal);
  io_count(c, c->p->pIo, f);
  if (c->rc || f == NULL || f->pMethods == NULL || pWal == NULL ||
      pWal->pMethods == NULL || steward_wal_bytes(c->db, "main") == 0) {
    return;
  }
  if (pWal->pMethods->xRead == methods_of(f)->pReal->xRead) {
    io_count(c, c->p->pIo, pWal);
  }
}

static void io_free(void *p) {
  io_unref(p);
}

static void io_begin(StewardCall *c) {
  PerfIo *pIo;
  if (steward_on_dqlite(c->p) || steward_db_file(c->p)[0] == ':') {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "there is no file of this connection's own to count: "
                 "perf_counters has what SQLite counts itself");
    return;
  }
  steward_int(c, SQL_counter_page_count, 0, ""); /* opens the file */
  pIo = c->rc ? NULL : sqlite3_malloc64(sizeof(PerfIo));
  if (pIo == NULL) {
    if (c->rc == SQLITE_OK) steward_fail_nomem(c);
    return;
  }
  memset(pIo, 0, sizeof(*pIo));
  pIo->nRef = 1;
  c->p->pIo = pIo;
  c->p->xIoFree = io_free;
  io_files(c);
}

static void io_end(StewardCall *c) {
  if (c->p->pIo == NULL) return;
  io_stop(c, SQLITE_FCNTL_JOURNAL_POINTER);
  io_stop(c, SQLITE_FCNTL_FILE_POINTER);
  io_unref(c->p->pIo);
  c->p->pIo = NULL;
}

/* perf_io([on INTEGER]) -> INTEGER, 1 while it counts     directonly
** Count what this connection reads from and writes to the file of `main` and
** its WAL: 1 begins, 0 ends and puts everything back as it was; without an
** argument, whether it counts.  perf_counters then has io_reads_total,
** io_read_bytes_total, io_writes_total, io_write_bytes_total, io_syncs_total
** and io_busy_total, locks that were refused.  Rollback journals and temporary
** files are not counted, nor is what is read through PRAGMA mmap_size.
** Errors: "INVALID_ARGUMENT: perf_io: on must be within 0..1, got 2";
**   UNSUPPORTED on dqlite and where `main` has no file.
** Source: seed 001, I/O operation metrics.
** Example: SELECT perf_io(); -- 0
*/
static void perf_io(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  i64 bOn = -1;
  steward_open(&c, ctx, "perf_io", NULL, STEWARD_READ);
  if (argc > 0) bOn = steward_arg_int(&c, argv[0], "on", 0, 1);
  if (c.rc == SQLITE_OK && bOn == 1 && c.p->pIo == NULL) {
    io_begin(&c);
    if (c.rc) io_end(&c);
  }
  if (c.rc == SQLITE_OK && bOn == 0) io_end(&c);
  bOn = c.p->pIo != NULL;
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, bOn);
}

/* The i-th counter; 0 beyond the last. */
int perf_io_counter_at(StewardCall *c, int i, StewardCounter *pOut /* OUT */) {
  static const StewardCounter aCounter[] = {
      {"io_reads_total", 0, 0, "calls", "reads of the file and the WAL"},
      {"io_read_bytes_total", 0, 0, "bytes", "what they asked for"},
      {"io_writes_total", 0, 0, "calls", "writes to the file and the WAL"},
      {"io_write_bytes_total", 0, 0, "bytes", "what they wrote"},
      {"io_syncs_total", 0, 0, "calls", "syncs of the file and the WAL"},
      {"io_busy_total", 0, 0, "locks",
       "locks that another connection's lock refused, each wait's attempts"},
  };
  if (i >= ArraySize(aCounter)) return 0;
  *pOut = aCounter[i];
  if (c->p->pIo) {
    if (i == 0) io_files(c);
    pOut->bKnown = 1;
    pOut->rValue = (double)c->p->pIo->a[i];
  }
  return c->rc == SQLITE_OK;
}

static const StewardFunc aFunc[] = {
    {"perf_io", 0, 1, STEWARD_DIRECTONLY, perf_io, NULL, 0},
};

int perf_io_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
