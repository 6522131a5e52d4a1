/*
** health_pass.c - reading all of the file, at once or in slices.
**
** What is not larger than setting health_integrity_bytes is read by PRAGMA
** integrity_check and foreign_key_check, as far as the time goes.  Anything
** else is read table by table (health_walk.c), each from where the last slice
** ended, and then the freelist.  It is read on a private connection, whose
** statements a watchdog can end: an interrupt on the caller's own would end the
** caller's statement.  A database in memory is read on its own connection, and
** only while it is small.
**
** What was found is a list of {"check","what","sql"}; check is integrity,
** indexes, foreign_keys, or, for what could not be read, skipped (of all
** three), skipped indexes, skipped foreign_keys: that by the slices, while
** health_full() can, and unread (with the same words behind it) by SQLite: our
** connection has none of the host's functions and collations.
*/
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "health_int.h"

void health_pass_load(StewardCall *c, HealthPass *h) {
  memset(h, 0, sizeof(*h));
  steward_slice_load(c, &h->s, "integrity");
  steward_slice_load(c, &h->whole, "whole");
}

void health_pass_free(HealthPass *h) {
  steward_slice_free(&h->s);
  steward_slice_free(&h->whole);
}

static i64 count_unread(StewardCall *c, const char *zFound) {
  return steward_int(c, SQL_health_unread, 0, "t", zFound);
}

/* The whole file was read, by PRAGMA integrity_check, but for what it could not
** read. */
static void read_all(StewardCall *c, HealthPass *h) {
  i64 nUnread = count_unread(c, h->s.zFound);
  steward_slice_pass(c, &h->s);
  if (nUnread == 0) h->whole.iPassed = h->whole.iMoved = steward_now(c->p);
}

/* Note a finding, up to 20 of a check. */
void health_found(StewardCall *c, HealthPass *h, const char *zCheck,
                  const char *zMend, const char *zFmt, ...) {
  va_list ap;
  char *zWhat, *zNew;
  if (c->rc) return;
  va_start(ap, zFmt);
  zWhat = sqlite3_vmprintf(zFmt, ap);
  va_end(ap);
  if (zWhat == NULL) steward_fail_nomem(c);
  zNew = steward_text(c, SQL_health_found_add, "tttt", h->s.zFound, zCheck,
                      zWhat, zMend);
  sqlite3_free(zWhat);
  if (zNew) {
    sqlite3_free(h->s.zFound);
    h->s.zFound = zNew;
  }
}

/* What failed on the connection that is read is dealt with. */
void health_forget_error(HealthPass *h) {
  sqlite3_free(h->in.zErr);
  h->in.zErr = NULL;
  h->in.rc = SQLITE_OK;
  h->eRead = READ_ALL;
}

/* Was it the time, or the host?  The table of a pragma that is interrupted ends
** with SQLITE_ERROR. */
static int was_interrupted(const HealthPass *h) {
  int rc = h->in.rc & 0xff;
  return rc == SQLITE_INTERRUPT || (rc == SQLITE_ERROR && h->in.zErr &&
                                    strstr(h->in.zErr, "interrupted"));
}

/* Do they need what our connection has not? */
int health_cannot_read(const HealthPass *h) {
  return (h->in.rc & 0xff) == SQLITE_ERROR && !was_interrupted(h);
}

/* What the statements of a check could not read. */
static void note_unread(StewardCall *c, HealthPass *h, const char *zWhat) {
  size_t nFunc = strlen(h->in.zFunc);
  const char *zError = h->in.zErr ? h->in.zErr : "?";
  if (strncmp(zError, h->in.zFunc, nFunc) == 0 && zError[nFunc] == ':') {
    zError += nFunc + 2; /* whoever reads it, it is the same */
  }
  if (h->eRead != READ_KEYS) {
    health_found(c, h, "unread integrity", NULL, "%s: %s", zWhat, zError);
    health_found(c, h, "unread indexes", NULL, "%s: %s", zWhat, zError);
  }
  if (h->eRead != READ_PAGES) {
    health_found(c, h, "unread foreign_keys", NULL, "%s: %s", zWhat, zError);
  }
}

/* How did the statements on the connection that is read end?  1: to the end, or
** not possible, which was noted; 0: a lock or the time was in the way. */
int health_ended(StewardCall *c, HealthPass *h, const char *zWhat) {
  int rc = was_interrupted(h) ? SQLITE_INTERRUPT : h->in.rc & 0xff;
  int bEnded = 1;
  if (rc == SQLITE_NOMEM) {
    steward_fail_nomem(c);
  } else if (rc == SQLITE_INTERRUPT && !h->bTime &&
             (h->iDeadline == 0 || steward_monotonic_us() < h->iDeadline)) {
    steward_fail_rc(c, SQLITE_INTERRUPT, "interrupted");
  } else if (rc == SQLITE_INTERRUPT || rc == SQLITE_BUSY ||
             rc == SQLITE_LOCKED) {
    h->bTime = 1;
    bEnded = 0;
  } else if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ||
             rc == SQLITE_IOERR) {
    health_found(c, h, "integrity", "PRAGMA integrity_check", "%s: %s", zWhat,
                 h->in.zErr);
  } else if (rc) {
    note_unread(c, h, zWhat);
  }
  health_forget_error(h);
  return bEnded;
}

/*************************************************************************
** The connection that is read
*/

/* Is there a file that a connection of our own can read?  One that was deleted
** or replaced is read by the connection that has it open. */
int health_can_read_beside(StewardCall *c) {
  const char *zFile = sqlite3_db_filename(c->db, "main");
  return zFile && zFile[0] && !steward_on_dqlite(c->p) &&
         sqlite3_threadsafe() && !steward_file_moved(c->db);
}

static void close_beside(HealthPass *h) {
  sqlite3_close(h->pPrivate);
  h->pPrivate = NULL;
}

/* Open it; 0 when that cannot be now, which is no failure of the call. */
static int open_beside(StewardCall *c, HealthPass *h) {
  memset(&h->in, 0, sizeof(h->in));
  h->in.p = c->p;
  h->in.zFunc = c->zFunc;
  h->in.db = c->db;
  if (c->rc) return 0;
  if (health_can_read_beside(c)) {
    h->pPrivate = steward_private_open(&h->in, STEWARD_PRIVATE_LOOK);
    if (h->pPrivate == NULL) {
      health_ended(c, h, "open");
      return 0;
    }
    h->in.db = h->pPrivate;
  }
  return 1;
}

static i64 main_bytes(StewardCall *c) {
  return steward_exec_int(c, 0, "PRAGMA main.page_count") *
         steward_exec_int(c, 0, "PRAGMA main.page_size");
}

/*************************************************************************
** All at once
*/

/* A line of PRAGMA integrity_check: about an index, or about the file? */
static void note_line(StewardCall *c, HealthPass *h, const char *zLine) {
  const char *zIndex = strstr(zLine, "index ");
  if (zIndex &&
      (strncmp(zLine, "row ", 4) == 0 || strncmp(zLine, "wrong # ", 8) == 0 ||
       strncmp(zLine, "non-unique ", 11) == 0 ||
       strncmp(zLine, "rowid not ", 10) == 0)) {
    char *zMend = steward_mprintf(c, "REINDEX \"main\".\"%w\"", zIndex + 6);
    health_found(c, h, "indexes", zMend, "%s", zLine);
    sqlite3_free(zMend);
  } else if (strstr(zLine, "never used") || strstr(zLine, "reelist")) {
    health_found(c, h, "integrity", "SELECT vacuum_full()", "%s", zLine);
  } else {
    health_found(c, h, "integrity", "PRAGMA integrity_check", "%s", zLine);
  }
}

/* The rows of an integrity_check, one line each. */
static void run_check(StewardCall *c, HealthPass *h, sqlite3_stmt *pStmt) {
  h->eRead = READ_PAGES;
  while (steward_next(&h->in, pStmt) && c->rc == SQLITE_OK) {
    const char *z = (const char *)sqlite3_column_text(pStmt, 0);
    while (z && z[0] && strcmp(z, "ok")) {
      int n = (int)strcspn(z, "\n");
      char *zLine = steward_mprintf(c, "%.*s", n, z);
      if (zLine && strncmp(zLine, "***", 3)) note_line(c, h, zLine);
      sqlite3_free(zLine);
      z += n + (z[n] == '\n');
    }
  }
  sqlite3_finalize(pStmt);
}

static void run_foreign_keys(StewardCall *c, HealthPass *h,
                             sqlite3_stmt *pStmt) {
  int n = 0;
  h->eRead = READ_KEYS;
  while (steward_next(&h->in, pStmt) && n++ < 20) {
    const char *zTable = (const char *)sqlite3_column_text(pStmt, 0);
    const char *zRow = (const char *)sqlite3_column_text(pStmt, 1);
    char *zMend =
        steward_mprintf(c, "PRAGMA foreign_key_check(\"%w\")", zTable);
    health_found(c, h, "foreign_keys", zMend,
                 "row %s of %s refers to a row of %s that is not there",
                 zRow ? zRow : "?", zTable, sqlite3_column_text(pStmt, 2));
    sqlite3_free(zMend);
  }
  sqlite3_finalize(pStmt);
}

/* A foreign key that nothing can keep, as its parent has no such key, is a
** finding: SQLite refuses writes to either table. */
static void note_mismatch(StewardCall *c, HealthPass *h, const char *zTable) {
  const char *z =
      h->in.zErr ? strstr(h->in.zErr, "foreign key mismatch") : NULL;
  char *zMend;
  if (z == NULL || !health_cannot_read(h)) return;
  zMend = steward_text(c, SQL_health_parent_index, "t", zTable);
  health_found(c, h, "foreign_keys",
               zMend ? zMend : "PRAGMA main.foreign_key_check", "%s", z);
  sqlite3_free(zMend);
  health_forget_error(h);
}

/* The table behind the one where the pass stands; caller frees. */
static char *next_table(HealthPass *h) {
  return steward_exec_text(&h->in,
                           "SELECT name FROM main.sqlite_schema WHERE type = "
                           "'table' AND rootpage > 0 AND name > %Q ORDER BY "
                           "name LIMIT 1",
                           h->s.zItem ? h->s.zItem : "");
}

static i64 count_units(HealthPass *h) {
  return 1 + steward_exec_int(&h->in, 0,
                              "SELECT count(*) FROM main.sqlite_schema WHERE "
                              "type = 'table' AND rootpage > 0");
}

/* A table all at once: 1 when there was time. */
static int read_exactly(StewardCall *c, HealthPass *h) {
  const char *z = h->s.zItem;
  run_check(c, h,
            steward_prepare(&h->in, "PRAGMA main.integrity_check(%Q)", z));
  if (!health_ended(c, h, z)) return 0;
  run_foreign_keys(
      c, h, steward_prepare(&h->in, "PRAGMA main.foreign_key_check(%Q)", z));
  note_mismatch(c, h, z);
  return health_ended(c, h, z);
}

/* Table by table, then what belongs to none: 1 when it came to its end. */
static int read_tables(StewardCall *c, HealthPass *h,
                       void (*xProgress)(StewardCall *, HealthPass *)) {
  char *zNext = NULL;
  steward_slice_at(c, &h->s, PASS_TABLES, NULL, NULL);
  while (c->rc == SQLITE_OK && !h->bTime && (zNext = next_table(h)) != NULL) {
    steward_slice_at(c, &h->s, PASS_TABLES, zNext, NULL);
    sqlite3_free(zNext);
    if (!read_exactly(c, h)) break;
    if (h->s.nDone < h->s.nTotal - 1) h->s.nDone++;
    if (xProgress) xProgress(c, h);
  }
  if (c->rc == SQLITE_OK && !h->bTime) health_ended(c, h, "sqlite_schema");
  if (c->rc == SQLITE_OK && !h->bTime) {
    run_check(c, h, steward_prepare(&h->in, "PRAGMA main.quick_check(20)"));
    health_ended(c, h, "quick_check");
  }
  return c->rc == SQLITE_OK && !h->bTime;
}

/* By one pragma for the pages and one for the keys: 1 when it came to its end.
** One table that cannot be read is the end of either, so then each is read by
** itself. */
static int read_whole(StewardCall *c, HealthPass *h) {
  /* want of memory is reported as damage, too: damage stays */
  char *zWas = steward_mprintf(c, "%s", h->s.zFound);
  char *zFirst = NULL;
  int i, bEnded = 1;
  for (i = 0; i < 2 && c->rc == SQLITE_OK; i++) {
    run_check(c, h, steward_prepare(&h->in, "PRAGMA main.integrity_check(20)"));
    if (health_cannot_read(h)) break;
    bEnded = health_ended(c, h, "integrity_check");
    if (!bEnded || zWas == NULL || strcmp(h->s.zFound, zWas) == 0) break;
    if (i == 0) {
      zFirst = h->s.zFound;
      h->s.zFound = steward_mprintf(c, "%s", zWas);
    }
  }
  sqlite3_free(zWas);
  sqlite3_free(zFirst);
  if (!bEnded || c->rc) return 0;
  if (!health_cannot_read(h)) {
    run_foreign_keys(c, h,
                     steward_prepare(&h->in, "PRAGMA main.foreign_key_check"));
  }
  if (!health_cannot_read(h)) return health_ended(c, h, "foreign_key_check");
  health_forget_error(h);
  return read_tables(c, h, NULL);
}

/*************************************************************************
** In slices
*/

/* Read a table from where the pass stands: 1 when it is done.  What does not
** fit into a slice that it has for itself is read in windows. */
static int read_table(StewardCall *c, HealthPass *h) {
  i64 iLeft = h->iDeadline - steward_monotonic_us();
  char *zTable = steward_mprintf(c, "%s", h->s.zItem);
  int bDone = 0;
  if (zTable == NULL) {
    /* no memory */
  } else if (h->s.zKey[0] == 0) {
    bDone = read_exactly(c, h);
    if (!bDone && iLeft * 4 > h->iBudget * 3) {
      steward_slice_at(c, &h->s, PASS_TABLES, zTable, HEALTH_WALK);
    }
  } else {
    bDone = h->s.eStage == PASS_COUNTS;
    if (!bDone && health_walk(c, h, zTable)) {
      steward_slice_at(c, &h->s, PASS_COUNTS, zTable, "0 ");
      bDone = 1;
    }
    bDone = bDone && health_counts(c, h, zTable);
  }
  if (bDone) {
    steward_slice_at(c, &h->s, PASS_TABLES, zTable, NULL);
    if (h->s.nDone < h->s.nTotal - 1) h->s.nDone++;
  }
  sqlite3_free(zTable);
  return bDone && c->rc == SQLITE_OK;
}

/* Go on until nothing is left (1) or something is in the way (0).  The key is
** NULL when a table is done, and '' when it has been begun. */
static int read_slices(StewardCall *c, HealthPass *h) {
  while (c->rc == SQLITE_OK && h->s.eStage != PASS_FREELIST) {
    if (h->s.eStage == PASS_TABLES && h->s.zKey == NULL) {
      char *zNext = next_table(h);
      if (!health_ended(c, h, "sqlite_schema")) return 0;
      steward_slice_at(c, &h->s, zNext ? PASS_TABLES : PASS_FREELIST, zNext,
                       zNext ? "" : NULL);
      sqlite3_free(zNext);
    } else {
      if (!read_table(c, h)) return 0;
    }
    if (steward_monotonic_us() >= h->iDeadline) return 0;
  }
  return c->rc == SQLITE_OK && health_freelist(c, h);
}

/* Work under the watchdog; 1 when the pass has ended. */
static int watched(StewardCall *c, HealthPass *h,
                   int (*xWork)(StewardCall *, HealthPass *)) {
  StewardWatchdog dog;
  int bEnded;
  memset(&dog, 0, sizeof(dog));
  /* work that looks at the time itself ends before it is interrupted */
  if (h->pPrivate && h->iDeadline) {
    steward_watchdog_start(c, &dog, h->pPrivate, h->iDeadline + 5000);
  }
  bEnded = c->rc == SQLITE_OK && xWork(c, h);
  if (dog.bRuns) {
    h->bTime |= steward_watchdog_stop(&dog);
    health_ended(c, h, "end");
  }
  return bEnded;
}

/* A statement of one's own connection cannot be ended by the time: what it may
** read is bounded by the size alone. */
static int small_enough(StewardCall *c) {
  return main_bytes(c) <= steward_setting_int(c, "health_integrity_bytes");
}

static void begin_pass(StewardCall *c, HealthPass *h) {
  steward_slice_begin(c, &h->s, count_units(h));
  health_ended(c, h, "sqlite_schema");
}

/* What was read at once is the result, 1.  When less could be read than by the
** last pass, that stays, and what was found is added to what has been found
** since. */
static int take_look(StewardCall *c, HealthPass *h, StewardSlice *s) {
  char *zBoth;
  if (h->s.iPassed == 0 ||
      count_unread(c, s->zFound) <= count_unread(c, h->s.zResult)) {
    steward_slice_free(&h->s);
    h->s = *s;
    h->s.zName = "integrity";
    read_all(c, h);
    return 1;
  }
  zBoth = steward_text(c, SQL_health_found_both, "tt", h->s.zFound, s->zFound);
  if (zBoth) {
    sqlite3_free(h->s.zFound);
    h->s.zFound = zBoth;
  }
  steward_slice_free(s);
  return 0;
}

/* Read the whole file now, if it is small: 1 when the time was enough.  The
** stored place stays where it is. */
int health_pass_look(StewardCall *c, HealthPass *h, i64 iBudget) {
  HealthPass now;
  int bEnded = 0;
  if (!small_enough(c) || !open_beside(c, h)) return 0;
  now = *h;
  now.s.zItem = now.s.zKey = now.s.zResult = NULL;
  now.s.zFound = steward_mprintf(c, "[]");
  now.iDeadline = steward_monotonic_us() + iBudget * 1000;
  now.bTime = 0;
  begin_pass(c, &now);
  bEnded = watched(c, &now, read_whole);
  close_beside(&now);
  h->pPrivate = NULL;
  if (bEnded && c->rc == SQLITE_OK) {
    bEnded = take_look(c, h, &now.s);
  } else {
    steward_slice_free(&now.s);
  }
  return bEnded;
}

/* Go on from the stored place. */
void health_pass_move(StewardCall *c, HealthPass *h, i64 iBudget) {
  i64 iStart = steward_monotonic_us();
  int bEnded = health_pass_look(c, h, iBudget);
  if (!bEnded && c->rc == SQLITE_OK && health_can_read_beside(c) &&
      open_beside(c, h)) {
    h->iDeadline = iStart + iBudget * 1000;
    if (steward_monotonic_us() >= h->iDeadline) {
      h->iDeadline = steward_monotonic_us() + iBudget * 250;
    }
    h->iBudget = h->iDeadline - steward_monotonic_us();
    h->bTime = 0;
    if (h->s.iStarted == 0) {
      begin_pass(c, h);
      steward_slice_at(c, &h->s, PASS_TABLES, NULL, NULL);
    }
    if (watched(c, h, read_slices)) steward_slice_pass(c, &h->s);
    close_beside(h);
  }
  h->s.iMoved = steward_now(c->p);
  h->bMoved = 1;
}

/*************************************************************************
** To the end
*/

/* Each table is a unit, and xProgress is told of it. */
void health_pass_full(StewardCall *c, HealthPass *h,
                      void (*xProgress)(StewardCall *, HealthPass *)) {
  if (!open_beside(c, h)) return;
  h->iDeadline = 0;
  h->bTime = 0;
  begin_pass(c, h);
  read_tables(c, h, xProgress);
  close_beside(h);
  if (h->bTime) {
    steward_fail(c, STEWARD_BUSY,
                 "another connection holds the file locked: try again");
  } else if (c->rc == SQLITE_OK) {
    read_all(c, h);
  }
  h->s.iMoved = steward_now(c->p);
  h->bMoved = 1;
}
