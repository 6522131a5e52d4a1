/*
** systable.c - writing through an eponymous table to the table behind it.
**
** SQLite reserves names that begin with sqlite_, so the tables of the
** maintenance set are eponymous ones over steward_* tables.  Reading is
** rowset.c; here are INSERT, UPDATE and DELETE, each one nested statement:
**
**   - INSERT leaves NULLs out, so that defaults apply: an omitted column and
**     an explicit NULL cannot be told apart.
**   - A constraint that fails is reported as SQLITE_CONSTRAINT, and SQLite
**     itself does OR IGNORE, OR FAIL, OR ROLLBACK; only OR REPLACE is passed
**     on (ENGINE_FACTS 8).
*/
#include <string.h>

#include "steward_int.h"

/* Run pStmt after binding the given values; finalizes it. */
static void run_bound(StewardCall *c, sqlite3_stmt *pStmt,
                      sqlite3_value **apValue, int nValue) {
  int i, rc = SQLITE_OK;
  if (pStmt == NULL) return;
  for (i = 0; i < nValue && rc == SQLITE_OK; i++) {
    rc = sqlite3_bind_value(pStmt, i + 1, apValue[i]);
  }
  if (rc) steward_fail_db(c, rc);
  while (steward_next(c, pStmt)) {
  }
  sqlite3_finalize(pStmt);
}

static void systable_delete(StewardCall *c, const StewardVtab *pTab,
                            sqlite3_value *pRowid) {
  run_bound(c,
            steward_prepare(c, "DELETE FROM main.\"%w\" WHERE rowid = ?1",
                            pTab->pTable->zBacking),
            &pRowid, 1);
}

/* aCol: the new values.  Columns that are NULL are left to their defaults. */
static void systable_insert(StewardCall *c, const StewardVtab *pTab,
                            sqlite3_value **aCol, sqlite3_value **apBind) {
  sqlite3_str *pSql = sqlite3_str_new(c->db);
  int bReplace = sqlite3_vtab_on_conflict(c->db) == SQLITE_REPLACE;
  int i, n = 0;
  sqlite3_str_appendf(pSql, "INSERT %sINTO main.\"%w\"",
                      bReplace ? "OR REPLACE " : "", pTab->pTable->zBacking);
  for (i = 0; i < pTab->nColumn; i++) {
    if (sqlite3_value_type(aCol[i]) == SQLITE_NULL) continue;
    sqlite3_str_appendf(pSql, "%c\"%w\"", n ? ',' : '(', pTab->azColumn[i]);
    apBind[n++] = aCol[i];
  }
  sqlite3_str_appendall(pSql, n ? ") VALUES(" : " DEFAULT VALUES");
  for (i = 0; i < n; i++) {
    sqlite3_str_appendf(pSql, "%s?%d", i ? "," : "", i + 1);
  }
  if (n) sqlite3_str_appendall(pSql, ")");
  run_bound(c, steward_prepare_text(c, sqlite3_str_finish(pSql)), apBind, n);
}

static void systable_set(StewardCall *c, const StewardVtab *pTab,
                         sqlite3_value *pOldRowid, sqlite3_value **aCol,
                         sqlite3_value **apBind) {
  sqlite3_str *pSql = sqlite3_str_new(c->db);
  int bReplace = sqlite3_vtab_on_conflict(c->db) == SQLITE_REPLACE;
  int i, n = 0;
  sqlite3_str_appendf(pSql, "UPDATE %smain.\"%w\" SET ",
                      bReplace ? "OR REPLACE " : "", pTab->pTable->zBacking);
  apBind[n++] = pOldRowid;
  for (i = 0; i < pTab->nColumn; i++) {
    sqlite3_str_appendf(pSql, "%s\"%w\" = ?%d", i ? ", " : "",
                        pTab->azColumn[i], n + 1);
    apBind[n++] = aCol[i];
  }
  sqlite3_str_appendall(pSql, " WHERE rowid = ?1");
  run_bound(c, steward_prepare_text(c, sqlite3_str_finish(pSql)), apBind, n);
}

/* xUpdate of a systable.  SQLite's own guard against triggers that fire
** themselves does not reach through a virtual table. */
int steward_systable_update(sqlite3_vtab *pVtab, int argc, sqlite3_value **argv,
                            sqlite3_int64 *piRowid) {
  StewardVtab *pTab = (StewardVtab *)pVtab;
  enum { DEPTH = 10 };
  StewardCall c;
  sqlite3_value **apBind;
  steward_open_table(&c, pTab->p, pTab->pTable->zName, pTab->pTable->zSet,
                     STEWARD_WRITE_ONE);
  if (++c.p->nSystable > DEPTH) {
    steward_fail(&c, STEWARD_UNSUPPORTED,
                 "a trigger on %s writes %s, which fires it again: let it "
                 "write %s",
                 pTab->pTable->zBacking, pTab->pTable->zName,
                 pTab->pTable->zBacking);
  }
  apBind = sqlite3_malloc64(sizeof(*apBind) * (size_t)(pTab->nColumn + 1));
  if (apBind == NULL) {
    steward_fail_nomem(&c);
  } else if (argc == 1) {
    systable_delete(&c, pTab, argv[0]);
  } else if (sqlite3_value_type(argv[0]) == SQLITE_NULL) {
    systable_insert(&c, pTab, argv + 2, apBind);
    *piRowid = sqlite3_last_insert_rowid(c.db);
  } else {
    systable_set(&c, pTab, argv[0], argv + 2, apBind);
  }
  sqlite3_free(apBind);
  c.p->nSystable--;
  steward_close_table(&c, pVtab);
  return (c.rc & 0xff) == SQLITE_CONSTRAINT ? SQLITE_CONSTRAINT : c.rc;
}
