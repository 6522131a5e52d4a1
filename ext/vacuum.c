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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vacuum_int.h"

/*************************************************************************
** The log of runs
*/

/* Its row, if there is a log. */
static void run_log(StewardCall *c, VacuumRun *pRun) {
  char *zPath = steward_db_path(c->p);
  if (zPath == NULL) steward_fail_nomem(c);
  if (c->rc == SQLITE_OK && steward_installed(c, "maintenance")) {
    steward_run(c, SQL_vacuum_orphans, "tl", zPath, pRun->iAt);
    pRun->iId = steward_int(c, SQL_vacuum_begin, 0, "ttl", zPath, pRun->zType,
                            pRun->iAt);
    if (c->rc == SQLITE_OK) {
      steward_run(c, SQL_vacuum_commands_forget, "");
      steward_run(c, SQL_vacuum_command, "lt", pRun->iId, pRun->zCommand);
    }
  }
  sqlite3_free(zPath);
}

static void run_fill(StewardCall *c, VacuumRun *pRun, const char *zType,
                     const char *zCommand) {
  memset(pRun, 0, sizeof(*pRun));
  pRun->zType = zType;
  pRun->zCommand = zCommand;
  pRun->iStart = steward_monotonic_us();
  pRun->iAt = steward_now(c->p);
  pRun->nPage = steward_pragma(c, "main", "page_count");
}

void vacuum_run_begin(StewardCall *c, VacuumRun *pRun, const char *zType,
                      const char *zCommand) {
  run_fill(c, pRun, zType, zCommand);
  run_log(c, pRun);
}

/* Write down how the run ended, whether the call failed or not. */
static void log_end(StewardCall *c, StewardCall *pLog, const VacuumRun *pRun,
                    i64 nFreed) {
  i64 nSize;
  if (pRun->iId == 0) return;
  nSize = steward_pragma(pLog, "main", "page_size");
  steward_run(pLog, SQL_vacuum_end, "llllttl", pRun->iId, nFreed,
              nFreed * nSize, (steward_monotonic_us() - pRun->iStart) / 1000,
              c->rc ? "failed" : "completed",
              c->rc ? (c->zErr ? c->zErr : "out of memory") : NULL,
              steward_now(c->p));
}

/* Pages that the file is shorter by. */
i64 vacuum_run_end(StewardCall *c, const VacuumRun *pRun) {
  StewardCall log = {.p = c->p, .db = c->db, .zFunc = c->zFunc};
  i64 nPage = steward_pragma(&log, "main", "page_count");
  i64 nFreed = pRun->nPage > nPage ? pRun->nPage - nPage : 0;
  log_end(c, &log, pRun, nFreed);
  steward_adopt(c, &log);
  return nFreed;
}

/* A run that only reads goes on beside a writer, in whose way its row would
** wait: then the row is written at the end, or not at all. */
static void read_run_begin(StewardCall *c, VacuumRun *pRun, const char *zType,
                           const char *zCommand) {
  StewardCall log = {.p = c->p, .db = c->db, .zFunc = c->zFunc};
  run_fill(c, pRun, zType, zCommand);
  if (c->rc) return;
  run_log(&log, pRun);
  steward_forgive_busy(&log);
  steward_adopt(c, &log);
}

static void read_run_end(StewardCall *c, VacuumRun *pRun) {
  StewardCall log = {.p = c->p, .db = c->db, .zFunc = c->zFunc};
  if (pRun->iId == 0) run_log(&log, pRun);
  log_end(c, &log, pRun, 0);
  steward_forgive_busy(&log);
  steward_adopt(c, &log);
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
  i64 nBefore = steward_pragma(c, "main", "freelist_count");
  if (c->p->zKeeper && c->p->nVacuum > 0) nChunk = c->p->nVacuum;
  while (c->rc == SQLITE_OK && nFreed < nWanted && nBefore > 0) {
    i64 nHere = nWanted - nFreed < nChunk ? nWanted - nFreed : nChunk;
    i64 iStart = steward_monotonic_us(), iTook, nAfter;
    free_chunk(c, nHere);
    /* a writer came: what is freed is freed */
    if (nFreed > 0 && steward_forgive_busy(c)) break;
    iTook = steward_monotonic_us() - iStart;
    nAfter = steward_pragma(c, "main", "freelist_count");
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
  if (c.rc == SQLITE_OK && steward_pragma(&c, "main", "auto_vacuum") == 0) {
    steward_fail(&c, STEWARD_UNSUPPORTED,
                 "auto_vacuum is none, so free pages stay in the file: SELECT "
                 "vacuum_convert('incremental')");
  }
  if (c.rc == SQLITE_OK && steward_pragma(&c, "main", "freelist_count") > 0) {
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

static int same_disk(const char *zA, const char *zB) {
  struct stat a, b;
  return stat(zA, &a) == 0 && stat(zB, &b) == 0 && a.st_dev == b.st_dev;
}

/* A VACUUM writes the file twice: a copy among the temporary files, of which
** the cache keeps some, and the journal or WAL beside it. */
static void check_space(StewardCall *c) {
  enum { CACHE = 2000 * 1024 };
  i64 nNeed = (steward_pragma(c, "main", "page_count") -
               steward_pragma(c, "main", "freelist_count")) *
              steward_pragma(c, "main", "page_size");
  i64 nCopy = nNeed > CACHE ? nNeed - CACHE : 0;
  int bPieces = steward_pragma(c, "main", "auto_vacuum") != 0;
  const char *zFile = sqlite3_db_filename(c->db, "main");
  char *zTemp = steward_temp_directory(c);
  i64 nFile = 0, nTemp = 0;
  int bFile = zFile && zFile[0] && steward_disk(zFile, &nFile, NULL);
  int bTemp = zTemp && steward_disk(zTemp, &nTemp, NULL);
  int bBoth = bFile && bTemp && same_disk(zFile, zTemp);
  i64 nBeside = nNeed + (bBoth ? nCopy : 0);
  if (bFile && nFile < nBeside) {
    steward_fail(c, STEWARD_LIMIT_EXCEEDED,
                 "%lld bytes are needed beside the file%s, and %lld are free: "
                 "make room%s%s",
                 nBeside, bBoth ? ", temporary files included" : "", nFile,
                 bBoth ? ", set SQLITE_TMPDIR to another disk" : "",
                 bPieces ? ", or use vacuum_incremental()" : "");
  } else if (bTemp && nTemp < nCopy) {
    steward_fail(
        c, STEWARD_LIMIT_EXCEEDED,
        "%lld bytes are needed in %s, and %lld are free: make room, or "
        "set SQLITE_TMPDIR",
        nCopy, zTemp, nTemp);
  }
  sqlite3_free(zTemp);
}

/* A schema may need what our connection has not: the way out then. */
static void explain_private(StewardCall *c, const char *zPragma,
                            const char *zInstead) {
  static const char *const azText[] = {"no such function", "unknown function",
                                       "no such collation sequence",
                                       "no such module"};
  char *zErr = c->zErr;
  const char *zWhy = NULL;
  int i;
  for (i = 0; c->rc == SQLITE_ERROR && zErr && i < ArraySize(azText); i++) {
    if (zWhy == NULL) zWhy = strstr(zErr, azText[i]);
  }
  if (zWhy == NULL) return;
  c->rc = SQLITE_OK;
  c->zErr = NULL;
  steward_fail(c, STEWARD_UNSUPPORTED,
               "it works on a connection of its own, which has none of your "
               "functions and collations (%s): run %s%s%s on yours",
               zWhy, zPragma, zPragma[0] ? " " : "", zInstead);
  sqlite3_free(zErr);
}

/* Run it on the private connection, where others see it and can cancel. */
static void private_run(StewardCall *c, sqlite3 *pPrivate, const char *zCommand,
                        i64 iDeadline, char *zSql /* freed */) {
  VacuumWatch watch;
  vacuum_progress_begin(c, &watch, pPrivate, zCommand, iDeadline);
  steward_private_exec(c, pPrivate, zSql);
  vacuum_progress_end(&watch);
  if ((c->rc & 0xff) == SQLITE_INTERRUPT) {
    const char *zWhy = watch.bCancel ? "vacuum_cancel() ended it"
                       : iDeadline && steward_monotonic_us() > iDeadline
                           ? "its timeout is over"
                           : NULL;
    if (zWhy) {
      sqlite3_free(c->zErr);
      c->zErr = sqlite3_mprintf(
          "%s: %s, and nothing was changed: call it again", c->zFunc, zWhy);
    }
  }
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
    explain_private(c, zPragma, "VACUUM");
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
**   and 500 are free: make room"; "BUSY:
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
  if (c.rc == SQLITE_OK && steward_pragma(&c, "main", "auto_vacuum") != eMode) {
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
  if (rc == SQLITE_ERROR) {
    steward_fail_rc(c, rc, "%s", sqlite3_errmsg(pCopy));
  } else if (zFound == NULL || strcmp(zFound, "ok")) {
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

/* Remove a copy's first name, and the journal that a VACUUM INTO leaves which
** fails. */
static void remove_part(StewardCall *c, const char *zPart) {
  char *zJournal = sqlite3_mprintf("%s-journal", zPart);
  if (zJournal == NULL) steward_fail_nomem(c);
  if (zJournal) unlink(zJournal);
  sqlite3_free(zJournal);
  unlink(zPart);
}

/* Where process numbers mean what they mean here: this boot of the machine and
** this container, "-1b4e28ba.4026531836-"; "" when that is not known.  Copies
** of others, on a disk that is shared, are theirs. */
static void part_place(char *zPlace, size_t n) {
  char zBoot[9] = "";
  struct stat st;
  FILE *pFile = fopen("/proc/sys/kernel/random/boot_id", "re");
  zPlace[0] = 0;
  if (pFile == NULL) return;
  if (fgets(zBoot, sizeof(zBoot), pFile) &&
      stat("/proc/self/ns/pid", &st) == 0) {
    sqlite3_snprintf((int)n, zPlace, "-%s.%lld-", zBoot, (i64)st.st_ino);
  }
  fclose(pFile);
}

/* Is z an unfinished copy, <pid><place><number>, of a process that is gone?
** One of another place (the machine has started anew since, or it is another
** one, with the same disk) is when nobody has written to it for two days. */
static int is_orphan(const char *z, const char *zPlace, i64 iWritten) {
  enum { LONG_AGO = 2 * 86400 };
  char *zEnd;
  long iPid = strtol(z, &zEnd, 10);
  size_t n = strlen(zPlace), nAny = strspn(zEnd, "-.0123456789abcdef");
  if (iPid <= 0 || n == 0 || zEnd[0] != '-') return 0;
  if (strncmp(zEnd, zPlace, n)) {
    return zEnd[nAny] == 0 && strchr(zEnd, '.') != NULL &&
           (i64)time(NULL) - iWritten > LONG_AGO;
  }
  if (zEnd[n] == 0 || zEnd[n + strspn(zEnd + n, "0123456789")]) return 0;
  return kill((pid_t)iPid, 0) && errno == ESRCH;
}

/* Remove unfinished copies of zPath that nobody works at any more. */
static void remove_parts(StewardCall *c, const char *zPath,
                         const char *zDirectory, const char *zPlace) {
  const char *zSlash = strrchr(zPath, '/');
  const char *zName = zSlash ? zSlash + 1 : zPath;
  size_t nName = strlen(zName), nPart = strlen(PART);
  DIR *pDir = c->rc ? NULL : opendir(zDirectory);
  struct dirent *pEntry;
  while (pDir && (pEntry = readdir(pDir)) != NULL) {
    const char *z = pEntry->d_name;
    char *zPart;
    struct stat st;
    if (strncmp(z, zName, nName) || strncmp(z + nName, PART, nPart)) continue;
    zPart = steward_mprintf(c, "%s/%s", zDirectory, z);
    if (zPart && stat(zPart, &st) == 0 &&
        is_orphan(z + nName + nPart, zPlace, (i64)st.st_mtime)) {
      remove_part(c, zPart);
    }
    sqlite3_free(zPart);
  }
  if (pDir) closedir(pDir);
}

/* Who may read the database may read the copy, and nobody else.  Where a file
** system has no permissions there is nothing to keep. */
static void keep_permissions(StewardCall *c, const char *zPart) {
  const char *zFile = sqlite3_db_filename(c->db, "main");
  struct stat st;
  if (c->rc == SQLITE_OK && zFile && stat(zFile, &st) == 0) {
    (void)chmod(zPart, (st.st_mode & 0777) | 0600);
  }
}

/* Make an empty file that is this call's alone; *pbMade: 0 when there can be
** none, as the engine will say.  Caller frees the name. */
static char *make_part(StewardCall *c, const char *zPath, const char *zPlace,
                       int *pbMade /* OUT */) {
  i64 i, iNumber = steward_monotonic_us();
  char *zPart = NULL;
  int fd = -1;
  for (i = 0; i < 100 && fd < 0 && c->rc == SQLITE_OK; i++) {
    sqlite3_free(zPart);
    zPart = steward_mprintf(c, "%s" PART "%d%s%lld", zPath, (int)getpid(),
                            zPlace[0] ? zPlace : "-", iNumber + i);
    if (zPart == NULL) break;
    fd = open(zPart, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) break;
  }
  *pbMade = fd >= 0;
  if (fd >= 0) close(fd);
  return zPart;
}

/* Write the copy under another name first, so that what stands under its name
** is always whole. */
static void copy_into(StewardCall *c, sqlite3 *pPrivate, const char *zPath) {
  int bMade = 0;
  char zPlace[64], *zPart, *zDirectory = directory_of(c, zPath);
  part_place(zPlace, sizeof(zPlace));
  if (zDirectory) remove_parts(c, zPath, zDirectory, zPlace);
  zPart = make_part(c, zPath, zPlace, &bMade);
  if (zPart) {
    private_run(c, pPrivate, "into", 0,
                sqlite3_mprintf("VACUUM INTO %Q", zPart));
    verify_copy(c, pPrivate, zPart);
    explain_private(c, "", "VACUUM INTO");
    keep_permissions(c, zPart);
    sync_path(c, zPart);
    if (c->rc == SQLITE_OK && link(zPart, zPath)) {
      steward_fail(c, STEWARD_CONFLICT,
                   "cannot make '%s': it exists already, or its file system "
                   "has no links",
                   zPath);
    }
  }
  if (bMade) remove_part(c, zPart);
  if (bMade && zDirectory) sync_path(c, zDirectory);
  sqlite3_free(zPart);
  sqlite3_free(zDirectory);
}

/* A VFS may name its files as it likes; then what it writes cannot be made
** whole under a path. */
static void check_named(StewardCall *c) {
  const char *zFile = sqlite3_db_filename(c->db, "main");
  sqlite3_vfs *pVfs = NULL;
  struct stat st;
  if (c->rc || zFile == NULL || zFile[0] == 0 || stat(zFile, &st) == 0 ||
      steward_file_moved(c->db)) {
    return;
  }
  sqlite3_file_control(c->db, "main", SQLITE_FCNTL_VFS_POINTER, &pVfs);
  steward_fail(c, STEWARD_UNSUPPORTED,
               "the VFS '%s' keeps '%s' under no path of that name, nor would "
               "it the copy: run VACUUM INTO on that VFS",
               pVfs ? pVfs->zName : "", zFile);
}

/* vacuum_into(path TEXT) -> INTEGER, bytes    directonly
** A backup: a compact copy of the database as it was committed last, written
** under another name (path.part-<process>-..), verified, synced, and only then
** called `path`, with the permissions of the database.  Nothing is ever
** overwritten, and in WAL mode writers go on meanwhile.  What a killed process
** has left unfinished is removed by the next copy to the same path; after two
** days, if the machine has started anew since.  Setting `directories`, once it
** is set, says where.
** Logged as `full`, with the command in steward_vacuum_commands; at its end
** when somebody is writing at its beginning, and not at all when still at the
** end.
** Errors: "CONFLICT: vacuum_into: '/b/app.db' exists already: choose another
**   name"; INVALID_ARGUMENT for a name that SQLite gives to files of its own
**   (app.db-journal, where app.db is); UNSUPPORTED inside a transaction, in
**   memory and on dqlite; the engine's own text when the disk is full.
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
  if (zPath && (strncmp(zPath, "file:", 5) == 0 || zPath[0] == ':')) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "path must be that of a file, and no URI or name of SQLite's, "
                 "got '%s': write ./%s if it is called so",
                 zPath, zPath);
  }
  if (c.rc == SQLITE_OK) steward_path_plain(&c, zPath);
  steward_path_check(&c, zPath);
  if (zPath && c.rc == SQLITE_OK && lstat(zPath, &st) == 0) {
    steward_fail(&c, STEWARD_CONFLICT,
                 "'%s' exists already: choose another name", zPath);
  }
  if (!steward_on_dqlite(c.p)) check_named(&c);
  pPrivate = steward_private_open(&c, STEWARD_PRIVATE_READ);
  if (pPrivate) {
    bLog = sqlite3_db_readonly(c.db, "main") != 1;
    if (bLog) read_run_begin(&c, &run, "full", "into");
    copy_into(&c, pPrivate, zPath);
    sqlite3_close(pPrivate);
    if (bLog) read_run_end(&c, &run);
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
**   database has no WAL: PRAGMA main.journal_mode = WAL"; UNSUPPORTED inside a
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
    steward_fail(&c, STEWARD_UNSUPPORTED, "the database has no WAL%s",
                 zJournal && strcmp(zJournal, "memory") == 0 &&
                         sqlite3_db_filename(c.db, "main")[0] == 0
                     ? ", as it is in memory"
                     : ": PRAGMA main.journal_mode = WAL");
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

/* Give the host its own limit back, whatever happened.  SQLite sets it while it
** reads the statement, and looks for interrupts at spaces and at the end. */
static void restore_limit(StewardCall *c, i64 nLimit) {
  StewardCall own = {.p = c->p, .db = c->db, .zFunc = c->zFunc};
  steward_exec(&own, "PRAGMA\"analysis_limit\"=%lld;", nLimit);
  if ((own.rc & 0xff) == SQLITE_INTERRUPT) own.rc = SQLITE_OK;
  steward_adopt(c, &own);
}

/* What reads and then writes is told BUSY at once when a writer is there: go on
** trying for as long as the host would wait. */
static void optimize(StewardCall *c) {
  i64 iDeadline = steward_monotonic_us() +
                  1000 * steward_exec_int(c, 0, "PRAGMA busy_timeout");
  do {
    steward_exec(c, "PRAGMA main.optimize");
  } while (steward_busy_again(c, iDeadline));
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
  int bAlone, bRead;
  steward_open(&c, ctx, "vacuum_optimize", NULL, STEWARD_READ);
  steward_alone(&c);
  bAlone = c.rc == SQLITE_OK;
  nLimit = steward_exec_int(&c, 0, "PRAGMA analysis_limit");
  bRead = bAlone && c.rc == SQLITE_OK;
  steward_exec(&c, "PRAGMA analysis_limit = 400");
  optimize(&c);
  if (bRead) restore_limit(&c, nLimit);
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
