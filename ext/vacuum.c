/*
** vacuum.c - giving space back, and keeping the file in order.
**
** vacuum_incremental() works in chunks, each a transaction of its own that is
** made as large as holds the write lock for a few milliseconds.  VACUUM and
** VACUUM INTO cannot run inside a function, so vacuum_full(), vacuum_convert()
** and vacuum_into() use a second connection (runtime/private.c).  Runs that
** change the file are logged in sqlite_vacuum_log when the set maintenance is
** installed; a run that was killed stays there as `running` until the next one
** marks it.
*/
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "vacuum_int.h"

static i64 pragma_int(StewardCall *c, const char *zPragma) {
  return steward_exec_int(c, 0, "PRAGMA main.%s", zPragma);
}

/*************************************************************************
** The log of runs
*/
void vacuum_run_begin(StewardCall *c, VacuumRun *pRun, const char *zType,
                      const char *zCommand) {
  char *zPath = steward_db_path(c->p);
  memset(pRun, 0, sizeof(*pRun));
  pRun->iStart = steward_monotonic_us();
  pRun->nPage = pragma_int(c, "page_count");
  pRun->nFree = pragma_int(c, "freelist_count");
  if (zPath == NULL) steward_fail_nomem(c);
  if (c->rc == SQLITE_OK && steward_installed(c, "maintenance")) {
    steward_run(c, SQL_vacuum_orphans, "tl", zPath, steward_now(c->p));
    pRun->iId = steward_int(c, SQL_vacuum_begin, 0, "ttl", zPath, zType,
                            steward_now(c->p));
    if (c->rc == SQLITE_OK && zCommand) {
      steward_run(c, SQL_vacuum_commands_forget, "");
      steward_run(c, SQL_vacuum_command, "lt", pRun->iId, zCommand);
    }
  }
  sqlite3_free(zPath);
}

/* Write down how the run ended, whether the call failed or not; pages that the
** file is shorter by. */
i64 vacuum_run_end(StewardCall *c, const VacuumRun *pRun) {
  StewardCall log = {.p = c->p, .db = c->db, .zFunc = c->zFunc};
  i64 nPage = pragma_int(&log, "page_count");
  i64 nSize = pragma_int(&log, "page_size");
  i64 nFreed = pRun->nPage > nPage ? pRun->nPage - nPage : 0;
  if (pRun->iId) {
    steward_run(&log, SQL_vacuum_end, "llllttl", pRun->iId, nFreed,
                nFreed * nSize, (steward_monotonic_us() - pRun->iStart) / 1000,
                c->rc ? "failed" : "completed",
                c->rc ? (c->zErr ? c->zErr : "out of memory") : NULL,
                steward_now(c->p));
  }
  if (c->rc == SQLITE_OK && log.rc) {
    c->rc = log.rc;
    c->zErr = log.zErr;
    log.zErr = NULL;
  }
  sqlite3_free(log.zErr);
  return nFreed;
}

/*************************************************************************
** In chunks
*/

/* The pragma gives a row for each page that it frees. */
static void free_chunk(StewardCall *c, i64 nPage) {
  sqlite3_stmt *pStmt =
      steward_prepare(c, "PRAGMA main.incremental_vacuum(%lld)", nPage);
  while (steward_next(c, pStmt)) {
  }
  sqlite3_finalize(pStmt);
}

/* Give up to nWanted pages back, until the deadline; how many.  A keeper's
** chunks are shorter than the first sleep of SQLite's busy handler, 1 ms, and
** it sleeps between them; how many pages that is depends on how many are free,
** so it is remembered. */
i64 vacuum_free_pages(StewardCall *c, i64 nWanted, i64 iDeadline) {
  enum { LEAST = 2, MOST = 4096, SHORT_US = 3000, KEEPER_US = 400 };
  i64 nShort = c->p->zKeeper ? KEEPER_US : SHORT_US;
  i64 nFreed = 0, nChunk = c->p->zKeeper ? 8 : 64;
  i64 nBefore = pragma_int(c, "freelist_count");
  if (c->p->zKeeper && c->p->nVacuum > 0) nChunk = c->p->nVacuum;
  while (c->rc == SQLITE_OK && nFreed < nWanted && nBefore > 0) {
    i64 nHere = nWanted - nFreed < nChunk ? nWanted - nFreed : nChunk;
    i64 iStart = steward_monotonic_us(), iTook, nAfter;
    free_chunk(c, nHere);
    if ((c->rc & 0xff) == SQLITE_BUSY && nFreed > 0) {
      sqlite3_free(c->zErr); /* a writer came: what is freed is freed */
      c->zErr = NULL;
      c->rc = SQLITE_OK;
      break;
    }
    iTook = steward_monotonic_us() - iStart;
    nAfter = pragma_int(c, "freelist_count");
    if (nAfter >= nBefore) break;
    nFreed += nBefore - nAfter;
    nBefore = nAfter;
    if (iTook < nShort && nChunk < MOST) nChunk *= 2;
    if (iTook > nShort * 8 / 3 && nChunk > LEAST) nChunk /= 2;
    c->p->nVacuum = nChunk;
    steward_yield(c, iTook);
    if (steward_monotonic_us() >= iDeadline) break;
  }
  return nFreed;
}

/* Where it may run.  A node of dqlite before 1.18.2 whose database has become
** shorter can make no snapshot, and does not start again. */
static void check_incremental(StewardCall *c) {
  int iVersion = steward_on_dqlite(c->p) ? steward_dqlite_version() : -1;
  if (c->rc) return;
  if (iVersion == -1) {
    steward_alone(c);
  } else if (iVersion < 11802) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "this dqlite (%d, 0: not known) may not start again when its "
                 "database gets shorter: it takes 1.18.2 (11802)",
                 iVersion);
  } else if (c->eTxn != SQLITE_TXN_WRITE) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "dqlite replicates a write only from a write transaction: "
                 "call it between BEGIN IMMEDIATE and COMMIT");
  }
}

/* vacuum_incremental([pages INTEGER [, budget]]) -> INTEGER, pages freed
**                                                               directonly
** Give free pages at the end of the file back to the file system: up to `pages`
** (all when NULL or left out), for about `budget` (ms or text, 50 ms), in
** transactions that are made as large as hold the write lock for under 10 ms.
** Ends early when a writer is in the way.  The file must have been made for it
** (auto_vacuum).  On dqlite 1.18.2 or later it is part of your transaction.
** Errors: "UNSUPPORTED: vacuum_incremental: auto_vacuum is none, so free pages
**   stay in the file: SELECT vacuum_convert('incremental')"; UNSUPPORTED inside
**   a transaction, and on a dqlite that is older or does not say its version;
**   BUSY; READ_ONLY.
** Source: seed 001, incremental vacuum.
** Example: SELECT vacuum_convert('incremental'); -- 1
**   SELECT vacuum_incremental(); -- 0
*/
static void vacuum_incremental(sqlite3_context *ctx, int argc,
                               sqlite3_value **argv) {
  StewardCall c;
  VacuumRun run;
  i64 nWanted = INT64_MAX, iBudget = 50, nFreed = 0;
  steward_open(&c, ctx, "vacuum_incremental", NULL, STEWARD_READ);
  if (argc > 0 && sqlite3_value_type(argv[0]) != SQLITE_NULL) {
    nWanted = steward_arg_int(&c, argv[0], "pages", 1, INT64_MAX);
  }
  if (argc > 1) iBudget = steward_arg_time(&c, argv[1], "budget");
  if (c.rc == SQLITE_OK && (iBudget < 1 || iBudget > 3600000)) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "budget must be within 1..3600000 ms, got %lld", iBudget);
  }
  check_incremental(&c);
  if (c.rc == SQLITE_OK && pragma_int(&c, "auto_vacuum") == 0) {
    steward_fail(&c, STEWARD_UNSUPPORTED,
                 "auto_vacuum is none, so free pages stay in the file: SELECT "
                 "vacuum_convert('incremental')");
  }
  if (c.rc == SQLITE_OK && pragma_int(&c, "freelist_count") > 0) {
    vacuum_run_begin(&c, &run, "incremental", "incremental");
    nFreed =
        vacuum_free_pages(&c, nWanted, steward_monotonic_us() + iBudget * 1000);
    vacuum_run_end(&c, &run);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, nFreed);
}

/*************************************************************************
** All at once
*/

/* Where SQLite puts its temporary files: the first of these directories that
** can be written.  Caller frees. */
char *steward_temp_directory(StewardCall *c) {
  char *zSet = steward_exec_text(c, "PRAGMA temp_store_directory");
  const char *azDir[] = {
      zSet,  getenv("SQLITE_TMPDIR"), getenv("TMPDIR"), "/var/tmp", "/usr/tmp",
      "/tmp"};
  char *zFound = NULL;
  int i;
  for (i = 0; zFound == NULL && i < ArraySize(azDir); i++) {
    struct stat st;
    if (azDir[i] && stat(azDir[i], &st) == 0 && S_ISDIR(st.st_mode) &&
        access(azDir[i], W_OK | X_OK) == 0) {
      zFound = steward_mprintf(c, "%s", azDir[i]);
    }
  }
  if (zFound == NULL) zFound = steward_mprintf(c, ".");
  sqlite3_free(zSet);
  return zFound;
}

/* Free bytes where zPath lies; -1 when that is not known. */
static i64 free_bytes(const char *zPath) {
  struct statvfs fs;
  if (statvfs(zPath, &fs)) return -1;
  return (i64)fs.f_bavail * (i64)fs.f_frsize;
}

/* A VACUUM writes the file twice: a copy among the temporary files, and the
** journal or WAL beside it. */
static void check_space(StewardCall *c) {
  i64 nNeed = (pragma_int(c, "page_count") - pragma_int(c, "freelist_count")) *
              pragma_int(c, "page_size");
  const char *zFile = sqlite3_db_filename(c->db, "main");
  char *zTemp = steward_temp_directory(c);
  i64 nFile = zFile && zFile[0] ? free_bytes(zFile) : -1;
  i64 nTemp = zTemp ? free_bytes(zTemp) : -1;
  if (nFile >= 0 && nFile < nNeed) {
    steward_fail(c, STEWARD_LIMIT_EXCEEDED,
                 "%lld bytes are needed beside the file, and %lld are free: "
                 "make room, or use vacuum_incremental()",
                 nNeed, nFile);
  } else if (nTemp >= 0 && nTemp < nNeed) {
    steward_fail(
        c, STEWARD_LIMIT_EXCEEDED,
        "%lld bytes are needed in %s, and %lld are free: make room, or "
        "set SQLITE_TMPDIR",
        nNeed, zTemp, nTemp);
  }
  sqlite3_free(zTemp);
}

/* Run it on the private connection, where others see it and can cancel. */
static void private_run(StewardCall *c, sqlite3 *pPrivate, const char *zCommand,
                        i64 iDeadline, char *zSql /* freed */) {
  int iSlot = vacuum_progress_begin(c, pPrivate, zCommand,
                                    pragma_int(c, "page_count"), iDeadline);
  steward_private_exec(c, pPrivate, zSql);
  if ((c->rc & 0xff) == SQLITE_INTERRUPT) {
    const char *zWhy = vacuum_cancelled(iSlot) ? "vacuum_cancel() ended it"
                       : iDeadline && steward_monotonic_us() > iDeadline
                           ? "its timeout is over"
                           : NULL;
    if (zWhy) {
      sqlite3_free(c->zErr);
      c->zErr = sqlite3_mprintf(
          "%s: %s, and nothing was changed: call it again", c->zFunc, zWhy);
    }
  }
  vacuum_progress_end(iSlot);
}

/* Run VACUUM beside this connection, after zPragma; pages that the file is
** shorter by. */
i64 vacuum_beside(StewardCall *c, const char *zPragma, const char *zType,
                  const char *zCommand, i64 iDeadline) {
  sqlite3 *pPrivate;
  VacuumRun run;
  i64 nFreed = 0;
  check_space(c);
  pPrivate = steward_private_open(c, STEWARD_PRIVATE_WRITE);
  if (pPrivate) {
    vacuum_run_begin(c, &run, zType, zCommand);
    private_run(
        c, pPrivate, zCommand, iDeadline,
        sqlite3_mprintf("PRAGMA temp_store = FILE; %s VACUUM", zPragma));
    sqlite3_close(pPrivate);
    nFreed = vacuum_run_end(c, &run);
  }
  return nFreed;
}

typedef struct FullOptions {
  i64 iTimeout;
} FullOptions;

static const StewardOption aFullOption[] = {
    {"timeout", STEWARD_OPT_DURATION, offsetof(FullOptions, iTimeout), 1,
     86400000, NULL, "how long it may take before it is undone; for ever"},
};

/* vacuum_full([options JSON]) -> INTEGER, pages freed    directonly
** VACUUM: write the file anew, without free pages and in order.  Looks first
** whether there is room for the copy, keeps temporary data out of memory, and
** ends, with nothing changed, when the host calls sqlite3_interrupt(), another
** connection vacuum_cancel(), or the option `timeout` is over.  The table
** vacuum_progress shows it to the other connections of the process.  Nobody
** else can write while it runs.
** Errors: "LIMIT_EXCEEDED: vacuum_full: 900 bytes are needed beside the file,
**   and 500 are free: make room, or use vacuum_incremental()"; "BUSY:
**   vacuum_full: another connection uses the file, and vacuum_full needs it
**   alone: try again when it is quiet"; UNSUPPORTED inside a transaction, in
**   memory and on dqlite; READ_ONLY.
** Source: seed 001, full vacuum.
** Example: SELECT vacuum_full() >= 0; -- 1
*/
static void vacuum_full(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  FullOptions options = {0};
  i64 nFreed;
  steward_open(&c, ctx, "vacuum_full", NULL, STEWARD_READ);
  if (argc > 0) {
    steward_options(&c, argv[0], aFullOption, ArraySize(aFullOption), &options);
  }
  nFreed = vacuum_beside(
      &c, "", "full", "full",
      options.iTimeout ? steward_monotonic_us() + options.iTimeout * 1000 : 0);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, nFreed);
}

/* vacuum_convert(mode TEXT) -> INTEGER, always 1    directonly
** Change auto_vacuum of the file to `incremental`, `full` or `none`, which
** takes a VACUUM; nothing is done when it is that already.
** Errors: "INVALID_ARGUMENT: vacuum_convert: mode must be incremental, full or
**   none, got 'x'"; those of vacuum_full().
** Source: seed 001, PRAGMA auto_vacuum.
** Example: SELECT vacuum_convert('incremental'); -- 1
**   SELECT auto_vacuum FROM vacuum_status; -- incremental
*/
static void vacuum_convert(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  static const char *const azMode[] = {"none", "full", "incremental"};
  StewardCall c;
  const char *zMode;
  int eMode = 0;
  steward_open(&c, ctx, "vacuum_convert", NULL, STEWARD_READ);
  zMode = steward_arg_text(&c, argv[0], "mode", 64);
  while (zMode && eMode < 3 && sqlite3_stricmp(zMode, azMode[eMode])) eMode++;
  if (c.rc == SQLITE_OK && eMode == 3) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "mode must be incremental, full or none, got '%s'", zMode);
  }
  if (c.rc == SQLITE_OK && pragma_int(&c, "auto_vacuum") != eMode) {
    char *zPragma =
        steward_mprintf(&c, "PRAGMA auto_vacuum = %s;", azMode[eMode]);
    if (zPragma) vacuum_beside(&c, zPragma, "full", "convert", 0);
    sqlite3_free(zPragma);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/*************************************************************************
** A copy
*/

/* Make what was written to a path last. */
static void sync_path(StewardCall *c, const char *zPath) {
  int fd = c->rc ? -1 : open(zPath, O_RDONLY | O_CLOEXEC);
  if (c->rc) return;
  if (fd < 0 || fsync(fd)) {
    steward_fail_rc(c, SQLITE_IOERR_FSYNC, "cannot sync '%s'", zPath);
  }
  if (fd >= 0) close(fd);
}

/* Does the copy hang together?  It is read as it was written. */
static void verify_copy(StewardCall *c, sqlite3 *pPrivate, const char *zPath) {
  sqlite3 *pCopy = NULL;
  sqlite3_stmt *pStmt = NULL;
  sqlite3_vfs *pVfs = NULL;
  const char *zFound = NULL;
  int rc;
  if (c->rc) return;
  sqlite3_file_control(pPrivate, "main", SQLITE_FCNTL_VFS_POINTER, &pVfs);
  rc = sqlite3_open_v2(zPath, &pCopy, SQLITE_OPEN_READONLY,
                       pVfs ? pVfs->zName : NULL);
  if (rc == SQLITE_OK) {
    rc = sqlite3_prepare_v2(pCopy, "PRAGMA quick_check(1)", -1, &pStmt, NULL);
  }
  if (rc == SQLITE_OK && sqlite3_step(pStmt) == SQLITE_ROW) {
    zFound = (const char *)sqlite3_column_text(pStmt, 0);
  }
  if (zFound == NULL || strcmp(zFound, "ok")) {
    steward_fail_rc(c, SQLITE_CORRUPT, "the copy '%s' is damaged: %s", zPath,
                    zFound ? zFound : sqlite3_errmsg(pCopy));
  }
  sqlite3_finalize(pStmt);
  sqlite3_close(pCopy);
}

/* The directory of a path; caller frees. */
static char *directory_of(StewardCall *c, const char *zPath) {
  const char *zSlash = strrchr(zPath, '/');
  if (zSlash == NULL) return steward_mprintf(c, ".");
  if (zSlash == zPath) return steward_mprintf(c, "/");
  return steward_mprintf(c, "%.*s", (int)(zSlash - zPath), zPath);
}

#define PART ".part-"

/* Remove unfinished copies of zPath whose process is gone: <name>.part-<pid>.
 */
static void remove_parts(StewardCall *c, const char *zPath,
                         const char *zDirectory) {
  const char *zSlash = strrchr(zPath, '/');
  const char *zName = zSlash ? zSlash + 1 : zPath;
  size_t nName = strlen(zName), nPart = strlen(PART);
  DIR *pDir = c->rc ? NULL : opendir(zDirectory);
  struct dirent *pEntry;
  while (pDir && (pEntry = readdir(pDir)) != NULL) {
    const char *z = pEntry->d_name;
    int iPid;
    if (strncmp(z, zName, nName) || strncmp(z + nName, PART, nPart)) continue;
    iPid = atoi(z + nName + nPart);
    if (iPid > 0 && kill(iPid, 0) && errno == ESRCH) {
      unlinkat(dirfd(pDir), z, 0);
    }
  }
  if (pDir) closedir(pDir);
}

/* Remove a copy's first name, and the journal that a VACUUM INTO leaves which
** fails. */
static void remove_part(StewardCall *c, const char *zPart) {
  char *zJournal = sqlite3_mprintf("%s-journal", zPart);
  if (zJournal == NULL) steward_fail_nomem(c);
  if (zJournal) unlink(zJournal);
  sqlite3_free(zJournal);
  unlink(zPart);
}

/* Write the copy under another name first, so that what stands under its name
** is always whole. */
static void copy_into(StewardCall *c, sqlite3 *pPrivate, const char *zPath) {
  char *zPart = steward_mprintf(c, "%s" PART "%d-%lld", zPath, (int)getpid(),
                                steward_monotonic_us());
  char *zDirectory = directory_of(c, zPath);
  remove_parts(c, zPath, zDirectory);
  if (c->rc == SQLITE_OK) {
    private_run(c, pPrivate, "into", 0,
                sqlite3_mprintf("VACUUM INTO %Q", zPart));
    verify_copy(c, pPrivate, zPart);
    sync_path(c, zPart);
    if (c->rc == SQLITE_OK && link(zPart, zPath)) {
      steward_fail(c, STEWARD_CONFLICT,
                   "cannot make '%s': it exists already, or its file system "
                   "has no links",
                   zPath);
    }
    remove_part(c, zPart);
    sync_path(c, zDirectory);
  }
  sqlite3_free(zPart);
  sqlite3_free(zDirectory);
}

/* A VFS may name its files as it likes; then what it writes cannot be made
** whole under a path. */
static void check_named(StewardCall *c) {
  const char *zFile = sqlite3_db_filename(c->db, "main");
  sqlite3_vfs *pVfs = NULL;
  struct stat st;
  if (c->rc || zFile == NULL || zFile[0] == 0 || stat(zFile, &st) == 0) return;
  sqlite3_file_control(c->db, "main", SQLITE_FCNTL_VFS_POINTER, &pVfs);
  steward_fail(c, STEWARD_UNSUPPORTED,
               "the VFS '%s' keeps '%s' under no path of that name, nor would "
               "it the copy: run VACUUM INTO on that VFS",
               pVfs ? pVfs->zName : "", zFile);
}

/* vacuum_into(path TEXT) -> INTEGER, bytes    directonly
** A backup: a compact copy of the database as it was committed last, written
** under another name (path.part-<process>-<number>), verified, synced, and only
** then called `path`.  Nothing is ever overwritten, and writers go on
** meanwhile.  What a killed process has left unfinished is removed by the next
** copy to the same path.  Setting `directories`, once it is set, says where.
** Logged as `full`, with the command in steward_vacuum_commands.
** Errors: "CONFLICT: vacuum_into: '/b/app.db' exists already: choose another
**   name"; UNSUPPORTED inside a transaction, in memory and on dqlite; the
**   engine's own text when the disk is full.
** Source: seed 001, VACUUM INTO.
** Example: SELECT vacuum_into('backup.db') > 0; -- 1
*/
static void vacuum_into(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  sqlite3 *pPrivate;
  const char *zPath;
  struct stat st;
  VacuumRun run;
  int bLog;
  i64 nBytes = 0;
  steward_open(&c, ctx, "vacuum_into", NULL, STEWARD_READ);
  zPath = steward_arg_text(&c, argv[0], "path", 4000);
  steward_path_check(&c, zPath);
  if (zPath && lstat(zPath, &st) == 0) {
    steward_fail(&c, STEWARD_CONFLICT,
                 "'%s' exists already: choose another name", zPath);
  }
  if (!steward_on_dqlite(c.p)) check_named(&c);
  pPrivate = steward_private_open(&c, STEWARD_PRIVATE_READ);
  if (pPrivate) {
    bLog = sqlite3_db_readonly(c.db, "main") != 1;
    if (bLog) vacuum_run_begin(&c, &run, "full", "into");
    copy_into(&c, pPrivate, zPath);
    sqlite3_close(pPrivate);
    if (bLog) vacuum_run_end(&c, &run);
  }
  if (c.rc == SQLITE_OK && stat(zPath, &st) == 0) nBytes = (i64)st.st_size;
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, nBytes);
}

/*************************************************************************
** The WAL and the statistics
*/

static double ms_since(i64 iStart) {
  return (double)(steward_monotonic_us() - iStart) / 1000.0;
}

/* How a call ended, in the keeper's log. */
static void note_end(StewardCall *c, const char *zWork, i64 iStart,
                     const char *zResult) {
  if ((c->rc & 0xff) == SQLITE_NOMEM || (c->rc & 0xff) == SQLITE_BUSY) return;
  steward_note(c, zWork, ms_since(iStart), c->rc ? NULL : zResult,
               c->rc ? c->zErr : NULL);
}

static int checkpoint_mode(StewardCall *c, const char *zMode) {
  static const char *const azMode[] = {"passive", "full", "restart",
                                       "truncate"};
  int eMode = 0;
  while (zMode && eMode < 4 && sqlite3_stricmp(zMode, azMode[eMode])) eMode++;
  if (c->rc == SQLITE_OK && eMode == 4) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "mode must be passive, full, restart or truncate, got '%s'",
                 zMode);
  }
  return eMode;
}

/* Do it; *pbBusy: somebody kept it from finishing.  Caller frees. */
static char *checkpoint(StewardCall *c, int eMode, int *pbBusy /* OUT */) {
  int nFrame = -1, nDone = -1, rc;
  /* SQLITE_CHECKPOINT_PASSIVE .. _TRUNCATE are 0 .. 3 */
  rc = sqlite3_wal_checkpoint_v2(c->db, "main", eMode, &nFrame, &nDone);
  *pbBusy = rc != SQLITE_OK;
  if (rc && (rc & 0xff) != SQLITE_BUSY) steward_fail_db(c, rc);
  return steward_mprintf(c,
                         "{\"busy\":%d,\"wal_frames\":%d,\"checkpointed\":%d}",
                         rc != 0, nFrame, nDone);
}

/* vacuum_checkpoint([mode TEXT]) -> JSON    directonly
** Copy the WAL into the database file: mode `passive` (default), `full`,
** `restart` or `truncate`.  {"busy":0|1,"wal_frames":n,"checkpointed":n}: busy
** when readers or a writer kept it from finishing.
** Noted in keeper_log with this result, where the set core is installed and
** nobody else writes for the whole busy timeout.  A truncate is noted before it
** begins, because an entry behind it would be in the WAL again, and a second
** time when it did not finish.
** Errors: "INVALID_ARGUMENT: vacuum_checkpoint: mode must be passive, full,
**   restart or truncate, got 'x'"; "UNSUPPORTED: vacuum_checkpoint: the
**   database has no WAL: PRAGMA journal_mode=WAL"; UNSUPPORTED inside a
**   transaction and on dqlite.
** Source: seed 001, WAL checkpoint.
** Example: PRAGMA journal_mode=WAL; -- wal
**   SELECT vacuum_checkpoint('truncate');
**   -- {"busy":0,"wal_frames":0,"checkpointed":0}
*/
static void vacuum_checkpoint(sqlite3_context *ctx, int argc,
                              sqlite3_value **argv) {
  StewardCall c;
  const char *zMode = "passive";
  char *zResult = NULL, *zJournal;
  int eMode, bBusy = 0;
  i64 iStart = steward_monotonic_us();
  steward_open(&c, ctx, "vacuum_checkpoint", NULL, STEWARD_READ);
  if (argc > 0) zMode = steward_arg_text(&c, argv[0], "mode", 64);
  eMode = checkpoint_mode(&c, zMode);
  steward_alone(&c);
  zJournal = steward_exec_text(&c, "PRAGMA main.journal_mode");
  if (c.rc == SQLITE_OK && (zJournal == NULL || strcmp(zJournal, "wal"))) {
    steward_fail(&c, STEWARD_UNSUPPORTED,
                 "the database has no WAL: PRAGMA journal_mode=WAL");
  } else if (c.rc == SQLITE_OK) {
    int bBefore = eMode == SQLITE_CHECKPOINT_TRUNCATE;
    if (bBefore) {
      steward_note(&c, "checkpoint", -1, "{\"mode\":\"truncate\"}", NULL);
    }
    if (c.rc == SQLITE_OK) zResult = checkpoint(&c, eMode, &bBusy);
    if (!bBefore || bBusy || c.rc) note_end(&c, "checkpoint", iStart, zResult);
  }
  sqlite3_free(zJournal);
  steward_close_json(&c, zResult);
}

/* vacuum_optimize() -> INTEGER, always 1    directonly
** PRAGMA optimize: statistics for the planner where they are missing or old, by
** reading at most some 400 rows of each index, so it takes milliseconds at any
** size.  Noted in keeper_log, where the set core is installed.
** Errors: BUSY; READ_ONLY; UNSUPPORTED inside a transaction and on dqlite.
** Source: seed 001, PRAGMA optimize.
** Example: SELECT vacuum_optimize(); -- 1
*/
static void vacuum_optimize(sqlite3_context *ctx, int argc,
                            sqlite3_value **argv) {
  StewardCall c;
  i64 nLimit, iStart = steward_monotonic_us();
  int bAlone;
  steward_open(&c, ctx, "vacuum_optimize", NULL, STEWARD_READ);
  steward_alone(&c);
  bAlone = c.rc == SQLITE_OK;
  nLimit = steward_exec_int(&c, 0, "PRAGMA analysis_limit");
  steward_exec(&c, "PRAGMA analysis_limit = 400");
  steward_exec(&c, "PRAGMA main.optimize");
  if (c.rc == SQLITE_OK) {
    steward_exec(&c, "PRAGMA analysis_limit = %lld", nLimit);
  }
  if (bAlone) note_end(&c, "optimize", iStart, "1");
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

static const StewardFunc aFunc[] = {
    {"vacuum_incremental", 0, 2, STEWARD_DIRECTONLY, vacuum_incremental, NULL,
     0},
    {"vacuum_full", 0, 1, STEWARD_DIRECTONLY, vacuum_full, aFullOption,
     ArraySize(aFullOption)},
    {"vacuum_convert", 1, 1, STEWARD_DIRECTONLY, vacuum_convert, NULL, 0},
    {"vacuum_into", 1, 1, STEWARD_DIRECTONLY, vacuum_into, NULL, 0},
    {"vacuum_checkpoint", 0, 1, STEWARD_DIRECTONLY, vacuum_checkpoint, NULL, 0},
    {"vacuum_optimize", 0, 0, STEWARD_DIRECTONLY, vacuum_optimize, NULL, 0},
};

int vacuum_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
