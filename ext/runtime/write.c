/*
** write.c - one call of a verb: where it may write, and that it is atomic.
**
** What a call finds and what it does:
**
**   autocommit, nothing open     STEWARD_WRITE: BEGIN IMMEDIATE .. COMMIT of
**                                its own, so that the busy timeout works;
**                                STEWARD_CHECK_ONE: the same;
**                                STEWARD_WRITE_ONE: the statement alone
**   the caller's transaction     STEWARD_WRITE: a savepoint; if nothing was
**                                read or written yet, the write lock is taken
**                                first, while waiting is still possible
**   a writing statement (also    STEWARD_WRITE_ONE: the statement alone, which
**   a trigger)                   SQLite undoes alone; STEWARD_WRITE: refused,
**                                because SQLite allows no savepoint there and
**                                may keep the first half of several writes
**                                (a single-row INSERT .. VALUES(f()) does)
**
** STEWARD_CHECK_ONE reads, decides and writes one statement: it is atomic
** inside any transaction, and in autocommit needs one, so that what it read
** still holds.
**
** A full disk, lost memory or an I/O error may have ended the caller's
** transaction: every error path looks at sqlite3_get_autocommit() first.
** This file is the only author of BUSY texts.
*/
#include <stdlib.h>
#include <string.h>

#include "steward_int.h"

enum { SCOPE_NONE, SCOPE_TRANSACTION, SCOPE_SAVEPOINT };

/* Compare "1.10.2" with "1.9": <0, 0, >0. */
int steward_compare_versions(const char *zA, const char *zB) {
  while (*zA || *zB) {
    char *zEndA, *zEndB;
    long a = strtol(zA, &zEndA, 10), b = strtol(zB, &zEndB, 10);
    if (a != b) return a < b ? -1 : 1;
    if (zEndA == zA && zEndB == zB) return strcmp(zA, zB);
    zA = *zEndA == '.' ? zEndA + 1 : zEndA;
    zB = *zEndB == '.' ? zEndB + 1 : zEndB;
  }
  return 0;
}

/* True when the set is in this database; an error is recorded in c. */
int steward_installed(StewardCall *c, const char *zSet) {
  if (steward_int(c, SQL_set_bookkeeping, 0, "") == 0) return 0;
  return (int)steward_int(c, SQL_set_installed, 0, "t", zSet);
}

static void fail_not_installed(StewardCall *c) {
  steward_fail(c, STEWARD_NOT_INSTALLED,
               "set '%s' is not installed: SELECT migrate_up('%s')", c->zSet,
               c->zSet);
}

/* How many steps the library has for a set. */
static int newest_version(const char *zSet) {
  int i, n = 0;
  for (i = 0; i < steward_step_count; i++) {
    if (strcmp(steward_steps[i].zSet, zSet) == 0) n++;
  }
  return n;
}

/* Is a set there, with all the steps that this library has?  One that an older
** library installed lacks tables that statements of this one read. */
int steward_set_ready(StewardCall *c, const char *zSet) {
  if (!steward_installed(c, zSet)) return 0;
  return steward_int(c, SQL_migrate_version, 0, "t", zSet) >=
         newest_version(zSet);
}

/* A statement found no table or index (zKind) of that name: is the set missing,
** was the object dropped behind the library's back, or has an older library
** migrated the set?  Asked by a call of its own, `probe`. */
static void explain_name(StewardCall *c, StewardCall *probe, const char *zKind,
                         const char *zName) {
  int bInstalled = steward_installed(probe, c->zSet);
  char *zMaker = NULL;
  i64 iVersion = 0;
  if (bInstalled) {
    zMaker = steward_text(probe, SQL_migrate_maker, "t", zName);
    iVersion = steward_int(probe, SQL_migrate_version, 0, "t", c->zSet);
  }
  if (probe->rc) {
    /* the engine's own text will do */
  } else if (!bInstalled) {
    fail_not_installed(c);
  } else if (zMaker) {
    steward_fail(c, STEWARD_NOT_INSTALLED,
                 "%s %s of set '%s' has been dropped: SELECT migrate_up('%s') "
                 "makes it again%s",
                 zKind, zName, zMaker, zMaker,
                 zKind[0] == 't' ? ", empty" : "");
  } else if (iVersion < newest_version(c->zSet)) {
    steward_fail(c, STEWARD_NOT_INSTALLED,
                 "set '%s' is at version %lld of %d (no such %s: %s): SELECT "
                 "migrate_up('%s')",
                 c->zSet, iVersion, newest_version(c->zSet), zKind, zName,
                 c->zSet);
  }
  sqlite3_free(zMaker);
}

/* 1 when c has failed with the reason of the engine's text zMsg. */
static int explain_missing(StewardCall *c, const char *zMsg) {
  StewardCall probe;
  int bTable = strncmp(zMsg, "no such table: ", 15) == 0;
  if (!bTable && strncmp(zMsg, "no such index: ", 15)) return 0;
  zMsg += 15;
  if (strncmp(zMsg, "main.", 5) == 0) zMsg += 5;
  memset(&probe, 0, sizeof(probe));
  probe.p = c->p;
  probe.db = c->db;
  probe.zFunc = c->zFunc;
  explain_name(c, &probe, bTable ? "table" : "index", zMsg);
  sqlite3_free(probe.zErr);
  return c->rc != SQLITE_OK;
}

static void fail_busy(StewardCall *c) {
  if (sqlite3_extended_errcode(c->db) == SQLITE_BUSY_SNAPSHOT) {
    steward_fail(c, STEWARD_BUSY,
                 "another connection has committed since this read transaction "
                 "began: end it (COMMIT or ROLLBACK), then call again");
  } else if (c->eTxn == SQLITE_TXN_READ) {
    steward_fail(c, STEWARD_BUSY,
                 "another connection is writing, and inside a read "
                 "transaction this one cannot wait for it: call %s without "
                 "FROM, or start with BEGIN IMMEDIATE",
                 c->zFunc);
  } else {
    steward_fail(c, STEWARD_BUSY,
                 c->p && c->p->bPooled
                     ? "another connection held the lock for the whole busy "
                       "timeout of this pool: try again, or raise "
                       "busy_timeout by pool_configure()"
                     : "another connection held the lock for the whole busy "
                       "timeout: try again, or raise PRAGMA busy_timeout");
  }
}

/* From SQLite 3.41 on a statement that runs keeps the file's encoding from
** being noticed: the schema of a UTF-16 file cannot be read inside a function
** that is the first thing on its connection. */
static void fail_locked(StewardCall *c, const char *zMsg) {
  steward_fail(c, STEWARD_BUSY,
               "%s: a statement of this connection (or of its shared cache) is "
               "still reading: finish it first%s",
               zMsg,
               sqlite3_libversion_number() < 3041000
                   ? ""
                   : "; on a UTF-16 database, SELECT from a table first");
}

/* Fail with what the engine said last on this connection. */
void steward_fail_db(StewardCall *c, int rc) {
  char *zMsg;
  if (c->rc) return;
  if ((rc & 0xff) == SQLITE_NOMEM) {
    steward_fail_nomem(c);
    return;
  }
  zMsg = sqlite3_mprintf("%s", sqlite3_errmsg(c->db));
  if (zMsg == NULL) {
    steward_fail_nomem(c);
  } else if ((rc & 0xff) == SQLITE_BUSY) {
    fail_busy(c);
  } else if ((rc & 0xff) == SQLITE_LOCKED) {
    fail_locked(c, zMsg);
  } else if ((rc & 0xff) == SQLITE_READONLY) {
    steward_fail(c, STEWARD_READ_ONLY,
                 "%s: open the database for writing, or leave query_only off",
                 zMsg);
  } else if (rc != SQLITE_ERROR || c->zSet == NULL ||
             !explain_missing(c, zMsg)) {
    steward_fail_rc(c, rc, "%s", zMsg);
  }
  sqlite3_free(zMsg);
}

/* Refuse where a write can never work. */
void steward_writable(StewardCall *c) {
  if (c->rc) return;
  if (sqlite3_db_readonly(c->db, "main") == 1) {
    steward_fail(c, STEWARD_READ_ONLY,
                 "the database is open read-only: open it for writing");
  } else if (steward_on_dqlite(c->p) && c->eTxn != SQLITE_TXN_WRITE) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "dqlite replicates a write only from a write transaction: "
                 "call it between BEGIN IMMEDIATE and COMMIT, or use the "
                 "INSERT form");
  }
}

static void fail_inside_statement(StewardCall *c) {
  steward_fail(c, STEWARD_UNSUPPORTED,
               "it makes several writes, which cannot be atomic inside a "
               "writing statement or trigger: call it by SELECT %s(...) on "
               "its own",
               c->zFunc);
}

/* In a transaction that has neither read nor written, take the write lock now:
** after the first read the busy handler is not asked any more. */
static void take_write_lock(StewardCall *c) {
  if (c->zSet) {
    steward_run(c, SQL_write_lock, "");
  } else if (c->eScope == SCOPE_SAVEPOINT) {
    steward_exec(c, "CREATE TABLE main.steward_write_lock(x)");
    steward_run(c, SQL_savepoint_rollback, "");
  }
}

/* Have what roll_back() may need. */
static void prepare_begin(StewardCall *c) {
  if (c->p->aStmt[SQL_begin]) return;
  steward_give(c, SQL_begin, steward_take(c, SQL_begin));
}

static void open_savepoint(StewardCall *c) {
  sqlite3_stmt *pStmt;
  prepare_begin(c);
  pStmt = steward_take(c, SQL_savepoint);
  int rc = pStmt ? sqlite3_step(pStmt) : c->rc;
  if (rc == SQLITE_DONE) {
    c->eScope = SCOPE_SAVEPOINT;
  } else if (rc == SQLITE_BUSY) {
    fail_inside_statement(c);
  } else if (pStmt) {
    steward_fail_db(c, rc);
  }
  steward_give(c, SQL_savepoint, pStmt);
}

/* The pager's count of the versions of the file that it has seen, its own
** commits included. */
static unsigned data_version(StewardCall *c) {
  unsigned iVersion = 0;
  sqlite3_file_control(c->db, "main", SQLITE_FCNTL_DATA_VERSION, &iVersion);
  return iVersion;
}

/* The set must be there, and must not belong to a newer library.  Inside of a
** transaction, the call's own included, that holds for the version of the file
** for which it was found; migrations forget it. */
static void check_set(StewardCall *c) {
  Steward *p = c->p;
  char *zLibrary;
  if (p->zChecked && sqlite3_txn_state(c->db, "main") != SQLITE_TXN_NONE &&
      p->iChecked == data_version(c) && strcmp(p->zChecked, c->zSet) == 0) {
    return;
  }
  zLibrary = steward_text(c, SQL_set_library, "t", c->zSet);
  if (c->rc == SQLITE_OK && zLibrary == NULL) {
    fail_not_installed(c);
  } else if (zLibrary &&
             steward_compare_versions(zLibrary, STEWARD_VERSION) > 0) {
    steward_fail(c, STEWARD_NOT_INSTALLED,
                 "set '%s' was migrated by a newer library, and only %s or "
                 "later may write it, this is %s: load the newer library",
                 c->zSet, zLibrary, STEWARD_VERSION);
  }
  p->zChecked = c->rc == SQLITE_OK ? c->zSet : NULL;
  p->iChecked = data_version(c);
  sqlite3_free(zLibrary);
}

/* 1 when the call has failed because of a lock: what was not done for that can
** be done without, or another time. */
int steward_forgive_busy(StewardCall *c) {
  if ((c->rc & 0xff) != SQLITE_BUSY) return 0;
  sqlite3_free(c->zErr);
  c->zErr = NULL;
  c->rc = SQLITE_OK;
  return 1;
}

/* The end of a call of one's own beside c: its failure is that of c, unless
** that has one. */
void steward_adopt(StewardCall *c, StewardCall *pOwn) {
  if (c->rc == SQLITE_OK && pOwn->rc) {
    c->rc = pOwn->rc;
    c->zErr = pOwn->zErr;
    pOwn->zErr = NULL;
  }
  sqlite3_free(pOwn->zErr);
  pOwn->zErr = NULL;
}

/* 1 when the call has failed because of a lock and may try again, 10 ms later,
** on top of the host's own busy handler. */
int steward_busy_again(StewardCall *c, i64 iDeadline /* us, monotonic */) {
  if (steward_monotonic_us() >= iDeadline || !steward_forgive_busy(c)) {
    return 0;
  }
  sqlite3_sleep(10);
  return 1;
}

/* Run BEGIN IMMEDIATE or COMMIT, for c->iPatience ms while it is busy. */
static void run_patiently(StewardCall *c, enum StewardSqlId id) {
  i64 iDeadline = steward_monotonic_us() + c->iPatience * 1000;
  do {
    steward_run(c, id, "");
  } while (steward_busy_again(c, iDeadline));
}

/* Make a call that only read so far a writing one. */
void steward_begin(StewardCall *c) {
  int bAuto = sqlite3_get_autocommit(c->db);
  if (c->rc) return;
  if (c->eMode == STEWARD_READ) c->eMode = STEWARD_WRITE;
  c->eTxn = sqlite3_txn_state(c->db, "main");
  steward_writable(c);
  if (c->rc) return;
  if (c->eMode == STEWARD_WRITE || c->eMode == STEWARD_CHECK_ONE) {
    int bSeveral = c->eMode == STEWARD_WRITE;
    if (!bAuto) {
      if (bSeveral) open_savepoint(c);
    } else if (sqlite3_txn_state(c->db, NULL) == SQLITE_TXN_WRITE) {
      /* a statement writes, be it into TEMP: COMMIT would be refused */
      if (bSeveral) fail_inside_statement(c);
    } else {
      run_patiently(c, SQL_begin);
      /* a progress handler may stop a BEGIN that has begun already */
      if (!sqlite3_get_autocommit(c->db)) c->eScope = SCOPE_TRANSACTION;
    }
  }
  if (!bAuto && c->eTxn == SQLITE_TXN_NONE) take_write_lock(c);
  if (c->zSet) check_set(c);
}

/* Commits of its own need a connection without a transaction. */
void steward_alone(StewardCall *c) {
  if (c->rc) return;
  if (!sqlite3_get_autocommit(c->db) ||
      sqlite3_txn_state(c->db, "main") != SQLITE_TXN_NONE) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "it commits on its own, which cannot be inside a transaction: "
                 "call it by SELECT %s(...) on its own, outside of BEGIN",
                 c->zFunc);
  } else if (steward_on_dqlite(c->p)) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "it commits on its own, which dqlite does not replicate: "
                 "leave it to dqlite");
  } else if (sqlite3_db_readonly(c->db, "main") == 1) {
    steward_fail(c, STEWARD_READ_ONLY,
                 "the database is open read-only: open it for writing");
  }
}

static void open_call(StewardCall *c, Steward *p, const char *zFunc,
                      const char *zSet, StewardMode eMode) {
  memset(c, 0, sizeof(*c));
  c->p = p;
  c->db = p->db;
  c->zFunc = zFunc;
  c->zSet = zSet;
  c->eMode = eMode;
  c->eTxn = sqlite3_txn_state(c->db, "main");
  c->iLastRowid = sqlite3_last_insert_rowid(c->db);
  if (eMode != STEWARD_READ) steward_begin(c);
}

/* Run a statement that undoes.  A progress handler of the host may stop it,
** too, but not twice in a row: it is asked every so many steps. */
static void run_surely(StewardCall *undo, enum StewardSqlId id) {
  int i;
  for (i = 0; i < 3; i++) {
    sqlite3_free(undo->zErr);
    undo->zErr = NULL;
    undo->rc = SQLITE_OK;
    steward_run(undo, id, "");
    if ((undo->rc & 0xff) != SQLITE_INTERRUPT) break;
  }
}

/* Undo what the call wrote, if SQLite has not done so already.  After
** sqlite3_interrupt() nothing runs until the host's statement ends, not even
** ROLLBACK, and nothing can be prepared; but a statement that would write, and
** is interrupted, makes SQLite roll back the transaction by itself.  BEGIN
** IMMEDIATE is one, and prepare_begin() has it at hand. */
static void roll_back(StewardCall *c) {
  StewardCall undo = *c;
  undo.rc = SQLITE_OK;
  undo.zErr = NULL;
  if (!sqlite3_get_autocommit(c->db)) {
    if (c->eScope == SCOPE_TRANSACTION) {
      run_surely(&undo, SQL_rollback);
    } else {
      run_surely(&undo, SQL_savepoint_rollback);
      if (undo.rc == SQLITE_OK) run_surely(&undo, SQL_savepoint_release);
    }
  }
  if ((undo.rc & 0xff) == SQLITE_INTERRUPT) run_surely(&undo, SQL_begin);
  sqlite3_free(undo.zErr); /* the first failure is the one to report */
}

/* End the scope: keep the work, or undo it when anything failed. */
static void close_call(StewardCall *c) {
  if (c->rc == SQLITE_OK && c->eScope == SCOPE_TRANSACTION) {
    run_patiently(c, SQL_commit);
  } else if (c->rc == SQLITE_OK && c->eScope == SCOPE_SAVEPOINT) {
    steward_run(c, SQL_savepoint_release, "");
  }
  if (c->rc && c->eScope != SCOPE_NONE) roll_back(c);
  c->eScope = SCOPE_NONE;
  if (c->eMode != STEWARD_READ) {
    sqlite3_set_last_insert_rowid(c->db, c->iLastRowid);
  }
}

/* End what steward_begin() began apart from the call: keep it, or undo it when
** anything failed.  The failure stays in c. */
void steward_end(StewardCall *c) {
  close_call(c);
}

/* Begin a call from an SQL function. */
void steward_open(StewardCall *c, sqlite3_context *ctx, const char *zFunc,
                  const char *zSet, StewardMode eMode) {
  open_call(c, sqlite3_user_data(ctx), zFunc, zSet, eMode);
  c->ctx = ctx;
}

/* End it; a failure becomes the function's result. */
int steward_close(StewardCall *c) {
  close_call(c);
  if (c->rc == SQLITE_NOMEM) {
    sqlite3_result_error_nomem(c->ctx);
  } else if (c->rc) {
    sqlite3_result_error(c->ctx, c->zErr, -1);
    /* SQLITE_ERROR is there already; setting it again would hide that there
    ** was no memory for the text */
    if (c->rc != SQLITE_ERROR) sqlite3_result_error_code(c->ctx, c->rc);
  }
  sqlite3_free(c->zErr);
  c->zErr = NULL;
  return c->rc;
}

/* The same where JSON is the result, which is freed; NULL: it is NULL. */
int steward_close_json(StewardCall *c, char *zJson) {
  sqlite3_context *ctx = c->ctx;
  if (steward_close(c) || zJson == NULL) {
    sqlite3_free(zJson);
    return c->rc;
  }
  sqlite3_result_text64(ctx, zJson, strlen(zJson), sqlite3_free, SQLITE_UTF8);
  sqlite3_result_subtype(ctx, 'J');
  return SQLITE_OK;
}

/* The same for a virtual table; errors name the table. */
void steward_open_table(StewardCall *c, Steward *p, const char *zFunc,
                        const char *zSet, StewardMode eMode) {
  open_call(c, p, zFunc, zSet, eMode);
}

int steward_close_table(StewardCall *c, sqlite3_vtab *pVtab) {
  close_call(c);
  if (c->zErr) {
    sqlite3_free(pVtab->zErrMsg);
    pVtab->zErrMsg = c->zErr;
    c->zErr = NULL;
  }
  return c->rc;
}
