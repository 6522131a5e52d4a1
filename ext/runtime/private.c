/*
** private.c - a second connection to the same file, by SQLite alone.
**
** What SQLite refuses while a statement runs (VACUUM does, and every function
** is part of one) goes through a connection of our own.  It cannot wait for
** ourselves: it is opened only while this connection has no transaction, so
** nothing that it waits for is held by the thread that waits.
**
** steward_connect() opens those of the pool, too (ext/pool.c).
**
** The file is never opened by anything but SQLite: closing another descriptor
** of it would drop the locks of the whole process.
*/
#include <string.h>

#include "steward_int.h"

/* Was the file deleted, or another one put in its place, while this connection
** has it open?  Then another connection would open something else. */
int steward_file_moved(sqlite3 *db) {
  int bMoved = 0;
  int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &bMoved);
  return rc == SQLITE_OK && bMoved;
}

/* Why there can be none here. */
static void check_private(StewardCall *c, StewardPrivate eFor) {
  const char *zFile = sqlite3_db_filename(c->db, "main");
  if (c->rc) return;
  if (zFile == NULL || zFile[0] == 0) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "it needs a database file, and this one is in memory");
  } else if (steward_on_dqlite(c->p)) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "it changes the file behind dqlite's back: run it on a copy");
  } else if (eFor != STEWARD_PRIVATE_LOOK &&
             (!sqlite3_get_autocommit(c->db) ||
              sqlite3_txn_state(c->db, "main") != SQLITE_TXN_NONE)) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "it works beside this connection, which must not hold a "
                 "transaction: call it by SELECT %s(...) on its own, outside "
                 "of BEGIN",
                 c->zFunc);
  } else if (eFor == STEWARD_PRIVATE_WRITE &&
             (sqlite3_db_readonly(c->db, "main") == 1 ||
              sqlite3_uri_boolean(zFile, "immutable", 0))) {
    steward_fail(c, STEWARD_READ_ONLY,
                 "the database is open read-only: open it for writing");
  } else if (steward_file_moved(c->db)) {
    steward_fail(c, STEWARD_CONFLICT,
                 "the file '%s' was deleted or replaced while this connection "
                 "has it open: close the connection, and open it again",
                 zFile);
  }
}

/* Open a file by its path, whatever characters are in it, by a VFS (NULL: the
** default one), never with a shared cache.  *ppDb may be set after a failure,
** too, for its error text: it is the caller's to close in any case. */
int steward_connect(const char *zFile, int eFlags, const char *zVfs,
                    sqlite3 **ppDb /* OUT */) {
  sqlite3_str *pUri = sqlite3_str_new(NULL);
  char *zUri;
  int rc;
  *ppDb = NULL;
  sqlite3_str_appendall(pUri, "file:");
  for (; zFile[0]; zFile++) {
    if (strchr("?#%", zFile[0])) {
      sqlite3_str_appendf(pUri, "%%%02x", (unsigned char)zFile[0]);
    } else {
      sqlite3_str_appendchar(pUri, 1, zFile[0]);
    }
  }
  zUri = sqlite3_str_finish(pUri);
  if (zUri == NULL) return SQLITE_NOMEM;
  rc = sqlite3_open_v2(
      zUri, ppDb, eFlags | SQLITE_OPEN_URI | SQLITE_OPEN_PRIVATECACHE, zVfs);
  sqlite3_free(zUri);
  return rc;
}

/* sqlite3_interrupt() of the host reaches its own connection only: pass it on
** where we work or wait for it, as a progress handler or by asking.  A nested
** statement notices. */
int steward_pass_interrupt(void *pCall) {
  StewardCall *c = pCall;
  StewardCall look = {.p = c->p, .db = c->db, .zFunc = c->zFunc};
  int bStop;
  steward_int(&look, SQL_private_alive, 0, "");
  bStop = (look.rc & 0xff) == SQLITE_INTERRUPT;
  sqlite3_free(look.zErr);
  return bStop;
}

/* Open it; NULL when the call has failed.  The caller closes it.  One that only
** looks, and waits for nothing, may be opened in any transaction. */
sqlite3 *steward_private_open(StewardCall *c, StewardPrivate eFor) {
  sqlite3 *pPrivate = NULL;
  sqlite3_vfs *pVfs = NULL;
  int rc;
  check_private(c, eFor);
  if (c->rc) return NULL;
  sqlite3_file_control(c->db, "main", SQLITE_FCNTL_VFS_POINTER, &pVfs);
  rc = steward_connect(sqlite3_db_filename(c->db, "main"),
                       (eFor == STEWARD_PRIVATE_WRITE ? SQLITE_OPEN_READWRITE
                                                      : SQLITE_OPEN_READONLY) |
                           SQLITE_OPEN_NOMUTEX,
                       pVfs ? pVfs->zName : NULL, &pPrivate);
  if (rc) {
    steward_fail_rc(c, rc, "cannot open the file a second time: %s",
                    sqlite3_errmsg(pPrivate));
    sqlite3_close(pPrivate);
    return NULL;
  }
  sqlite3_progress_handler(pPrivate, 10000, steward_pass_interrupt, c);
  return pPrivate;
}

/* Run SQL there; a failure is the call's.  zSql is freed. */
void steward_private_exec(StewardCall *c, sqlite3 *pPrivate, char *zSql) {
  int rc;
  if (zSql == NULL) steward_fail_nomem(c);
  if (c->rc == SQLITE_OK) {
    rc = sqlite3_exec(pPrivate, zSql, NULL, NULL, NULL);
    if ((rc & 0xff) == SQLITE_BUSY) {
      steward_fail(c, STEWARD_BUSY,
                   "another connection uses the file, and %s needs it alone: "
                   "try again when it is quiet",
                   c->zFunc);
    } else if ((rc & 0xff) == SQLITE_NOMEM) {
      steward_fail_nomem(c);
    } else if (rc) {
      steward_fail_rc(c, rc, "%s", sqlite3_errmsg(pPrivate));
    }
  }
  sqlite3_free(zSql);
}
