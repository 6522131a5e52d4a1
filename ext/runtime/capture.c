/*
** capture.c - plain-SQL triggers that tell of every change of a table's rows.
**
** A capability that follows the rows of a table of the application (a stream, a
** history) says what shall happen at each change, as SQL; this file makes the
** triggers that do it, in plain SQL, so that clients without the library are
** followed, too, and removes exactly them.
**
** Three things are easily missed.  Rows that a foreign key deletes come by
** themselves: SQLite fires DELETE triggers for them.  Rows that OR REPLACE
** deletes do not (while recursive_triggers is off): a BEFORE trigger notes the
** rows that conflict with the new one on any unique key, and the AFTER trigger
** tells of those that are gone.  And an update that changes what a row is known
** by is told as a deletion and an insertion.
**
** The notes are a table of their own, <prefix>_note, which the next BEFORE
** trigger empties: no AFTER trigger does, as two of them ask whether there are
** any, in whatever order.  A trigger of the application that inserts into the
** same table while it is inserted into can empty it too early; then a replaced
** row is not told.
*/
#include <string.h>

#include "steward_int.h"

/* An object of ours must not replace one that is there. */
static void check_free(StewardCall *c, const char *zName) {
  if (c->rc) return;
  if (steward_int(c, SQL_capture_taken, 0, "t", zName)) {
    steward_fail(c, STEWARD_CONFLICT,
                 "'%s' exists already, and that name is needed: rename it",
                 zName);
  }
}

/* `"a" = NEW."a" COLLATE BINARY AND ..` for each unique key, with OR between
** them.  Caller frees. */
static char *conflict_sql(StewardCall *c, const StewardCapture *k) {
  sqlite3_stmt *pRow = steward_query(c, SQL_capture_unique, "t", k->zTable);
  sqlite3_str *p = sqlite3_str_new(c->db);
  int iLast = -1;
  sqlite3_str_appendf(p, "(\"%w\" = NEW.\"%w\"", k->zKey, k->zKey);
  while (steward_next(c, pRow)) {
    const char *zName = (const char *)sqlite3_column_text(pRow, 1);
    if (zName == NULL) {
      steward_fail(c, STEWARD_UNSUPPORTED,
                   "unique index '%s' of table '%s' is on an expression, so "
                   "rows that OR REPLACE deletes could not be told: make it an "
                   "index on columns",
                   steward_column(c, pRow, 3), k->zTable);
      break;
    }
    sqlite3_str_appendf(p, "%s\"%w\" = NEW.\"%w\" COLLATE \"%w\"",
                        sqlite3_column_int(pRow, 0) != iLast ? " OR " : " AND ",
                        zName, zName, sqlite3_column_text(pRow, 2));
    iLast = sqlite3_column_int(pRow, 0);
  }
  steward_give(c, SQL_capture_unique, pRow);
  sqlite3_str_appendchar(p, 1, ')');
  return steward_str_finish(c, p);
}

/* The columns of which an update may displace rows or make a row another one,
** as a quoted list.  Caller frees. */
static char *column_list(StewardCall *c, const StewardCapture *k) {
  sqlite3_stmt *pRow = steward_query(c, SQL_capture_unique, "t", k->zTable);
  sqlite3_str *p = sqlite3_str_new(c->db);
  int i;
  sqlite3_str_appendf(p, "\"%w\"", k->zKey);
  for (i = 0; i < ArraySize(k->azKnownBy); i++) {
    if (k->azKnownBy[i]) sqlite3_str_appendf(p, ", \"%w\"", k->azKnownBy[i]);
  }
  while (steward_next(c, pRow)) {
    sqlite3_str_appendf(p, ", \"%w\"", sqlite3_column_text(pRow, 1));
  }
  steward_give(c, SQL_capture_unique, pRow);
  return steward_str_finish(c, p);
}

/* What happens for the rows that were noted and are gone, or meet zOr.  Only
** the columns of the table and of NEW have its collations, so they stand first.
** Caller frees. */
static char *noted_sql(StewardCall *c, const StewardCapture *k,
                       const char *zOr) {
  char *zWhere = steward_mprintf(
      c,
      " FROM \"%w_note\" AS n WHERE (NOT EXISTS (SELECT 1 FROM \"%w\" AS t"
      " WHERE t.\"%w\" = n.\"%w\")%s)",
      k->zPrefix, k->zTable, k->zKey, k->zKey, zOr);
  char *zEvent = zWhere ? k->xEvent(c, k, "delete", "n.", zWhere) : NULL;
  sqlite3_free(zWhere);
  return zEvent;
}

/* Are OLD (or a note) and NEW known by the same, byte by byte, whatever the
** columns' collations?  Caller frees. */
static char *same_sql(StewardCall *c, const StewardCapture *k,
                      const char *zOld) {
  sqlite3_str *p = sqlite3_str_new(c->db);
  int i;
  sqlite3_str_appendf(p, "%s\"%w\" IS NEW.\"%w\" COLLATE BINARY", zOld, k->zKey,
                      k->zKey);
  for (i = 0; i < ArraySize(k->azKnownBy); i++) {
    if (k->azKnownBy[i]) {
      sqlite3_str_appendf(p, " AND %s\"%w\" IS NEW.\"%w\" COLLATE BINARY", zOld,
                          k->azKnownBy[i], k->azKnownBy[i]);
    }
  }
  return steward_str_finish(c, p);
}

static void make_notes(StewardCall *c, const StewardCapture *k) {
  char *zConflict = conflict_sql(c, k);
  char *zOf = column_list(c, k);
  if (zConflict && zOf) {
    steward_exec(c,
                 "CREATE TABLE main.\"%w_note\" AS SELECT %s FROM \"%w\""
                 " WHERE 0",
                 k->zPrefix, k->zColumns, k->zTable);
    steward_exec(c,
                 "CREATE TRIGGER main.\"%w_note_insert\" BEFORE INSERT ON"
                 " \"%w\" WHEN EXISTS (SELECT 1 FROM \"%w\" WHERE %s) OR"
                 " EXISTS (SELECT 1 FROM \"%w_note\") BEGIN DELETE FROM"
                 " \"%w_note\"; INSERT INTO \"%w_note\" SELECT %s FROM \"%w\""
                 " WHERE %s; END",
                 k->zPrefix, k->zTable, k->zTable, zConflict, k->zPrefix,
                 k->zPrefix, k->zPrefix, k->zColumns, k->zTable, zConflict);
    steward_exec(c,
                 "CREATE TRIGGER main.\"%w_note_update\" BEFORE UPDATE OF"
                 " %s ON \"%w\" WHEN EXISTS (SELECT 1 FROM \"%w\" WHERE %s AND"
                 " \"%w\" IS NOT OLD.\"%w\") OR EXISTS (SELECT 1 FROM"
                 " \"%w_note\") BEGIN DELETE FROM \"%w_note\";"
                 " INSERT INTO \"%w_note\" SELECT %s FROM \"%w\" WHERE %s AND"
                 " \"%w\" IS NOT OLD.\"%w\"; END",
                 k->zPrefix, zOf, k->zTable, k->zTable, zConflict, k->zKey,
                 k->zKey, k->zPrefix, k->zPrefix, k->zPrefix, k->zColumns,
                 k->zTable, zConflict, k->zKey, k->zKey);
  }
  sqlite3_free(zConflict);
  sqlite3_free(zOf);
}

/* After an INSERT: the rows it replaced, and the new one, which is an update
** when it replaced a row that was known by the same. */
static void make_insert(StewardCall *c, const StewardCapture *k) {
  char *zSame = same_sql(c, k, "n.");
  char *zReplaced =
      steward_mprintf(c, "EXISTS (SELECT 1 FROM \"%w_note\" AS n WHERE %s)",
                      k->zPrefix, zSame ? zSame : "");
  char *zGone = noted_sql(c, k, "");
  char *zMoved = NULL, *zWhere = NULL, *zInsert = NULL, *zUpdate = NULL;
  if (c->rc == SQLITE_OK) {
    zWhere = steward_mprintf(
        c, " FROM \"%w_note\" AS n WHERE NEW.\"%w\" = n.\"%w\" AND NOT (%s)",
        k->zPrefix, k->zKey, k->zKey, zSame);
    if (zWhere) zMoved = k->xEvent(c, k, "delete", "n.", zWhere);
    sqlite3_free(zWhere);
    zWhere = steward_mprintf(c, " FROM \"%w_note\" AS n WHERE %s", k->zPrefix,
                             zSame);
    if (zWhere) {
      zUpdate = k->xEvent(c, k, "update", k->bOldImage ? "n." : "NEW.", zWhere);
    }
    zInsert = k->xEvent(c, k, "insert", "NEW.", "");
  }
  if (c->rc == SQLITE_OK) {
    steward_exec(c,
                 "CREATE TRIGGER main.\"%w_insert\" AFTER INSERT ON \"%w\""
                 " WHEN NOT EXISTS (SELECT 1 FROM \"%w_note\") BEGIN %s; END",
                 k->zPrefix, k->zTable, k->zPrefix, zInsert);
  }
  sqlite3_free(zInsert);
  zInsert = NULL;
  sqlite3_free(zWhere);
  zWhere = steward_mprintf(c, " WHERE NOT %s", zReplaced ? zReplaced : "");
  if (zWhere) zInsert = k->xEvent(c, k, "insert", "NEW.", zWhere);
  if (c->rc == SQLITE_OK) {
    steward_exec(c,
                 "CREATE TRIGGER main.\"%w_replace\" AFTER INSERT ON \"%w\""
                 " WHEN EXISTS (SELECT 1 FROM \"%w_note\") BEGIN %s; %s; %s;"
                 " %s; END",
                 k->zPrefix, k->zTable, k->zPrefix, zGone, zMoved, zUpdate,
                 zInsert);
  }
  sqlite3_free(zSame);
  sqlite3_free(zReplaced);
  sqlite3_free(zGone);
  sqlite3_free(zMoved);
  sqlite3_free(zWhere);
  sqlite3_free(zInsert);
  sqlite3_free(zUpdate);
}

/* After an UPDATE.  One trigger for each case, so that what it tells is in
** order: a row whose key another row takes over goes before that one comes. */
static void make_update(StewardCall *c, const StewardCapture *k) {
  char *zSame = same_sql(c, k, "OLD.");
  char *zOf = column_list(c, k);
  char *zGone = noted_sql(c, k, "");
  char *zTaken =
      steward_mprintf(c, " OR NEW.\"%w\" = n.\"%w\"", k->zKey, k->zKey);
  char *zDisplaced = zTaken ? noted_sql(c, k, zTaken) : NULL;
  char *zUpdate = k->xEvent(c, k, "update", k->bOldImage ? "OLD." : "NEW.", "");
  char *zDelete = k->xEvent(c, k, "delete", "OLD.", "");
  char *zInsert = k->xEvent(c, k, "insert", "NEW.", "");
  if (c->rc == SQLITE_OK) {
    steward_exec(c,
                 "CREATE TRIGGER main.\"%w_update\" AFTER UPDATE ON \"%w\""
                 " WHEN %s%s%s BEGIN %s; END",
                 k->zPrefix, k->zTable, zSame, k->zChanged ? " AND " : "",
                 k->zChanged ? k->zChanged : "", zUpdate);
    steward_exec(c,
                 "CREATE TRIGGER main.\"%w_rename\" AFTER UPDATE OF %s ON"
                 " \"%w\" WHEN NOT (%s) BEGIN %s; %s; %s; END",
                 k->zPrefix, zOf, k->zTable, zSame, zDisplaced, zDelete,
                 zInsert);
    steward_exec(
        c,
        "CREATE TRIGGER main.\"%w_displace\" AFTER UPDATE OF %s ON"
        " \"%w\" WHEN %s AND EXISTS (SELECT 1 FROM \"%w_note\") BEGIN %s;"
        " END",
        k->zPrefix, zOf, k->zTable, zSame, k->zPrefix, zGone);
  }
  sqlite3_free(zOf);
  sqlite3_free(zSame);
  sqlite3_free(zGone);
  sqlite3_free(zTaken);
  sqlite3_free(zDisplaced);
  sqlite3_free(zUpdate);
  sqlite3_free(zDelete);
  sqlite3_free(zInsert);
}

static void make_delete(StewardCall *c, const StewardCapture *k) {
  char *zDelete = k->xEvent(c, k, "delete", "OLD.", "");
  if (zDelete) {
    steward_exec(c,
                 "CREATE TRIGGER main.\"%w_delete\" AFTER DELETE ON \"%w\""
                 " BEGIN %s; DELETE FROM \"%w_note\" WHERE \"%w\" ="
                 " OLD.\"%w\"; END",
                 k->zPrefix, k->zTable, zDelete, k->zPrefix, k->zKey, k->zKey);
  }
  sqlite3_free(zDelete);
}

static const char *const azTrigger[] = {"note_insert", "note_update", "insert",
                                        "replace",     "update",      "rename",
                                        "displace",    "delete"};

/* Make the triggers; their names begin with k->zPrefix. */
void steward_capture(StewardCall *c, const StewardCapture *k) {
  int i;
  for (i = 0; i < ArraySize(azTrigger) && c->rc == SQLITE_OK; i++) {
    char *zName = steward_mprintf(c, "%s_%s", k->zPrefix, azTrigger[i]);
    if (zName) check_free(c, zName);
    sqlite3_free(zName);
  }
  if (c->rc == SQLITE_OK) {
    char *zName = steward_mprintf(c, "%s_note", k->zPrefix);
    if (zName) check_free(c, zName);
    sqlite3_free(zName);
  }
  make_notes(c, k);
  if (c->rc == SQLITE_OK) make_insert(c, k);
  if (c->rc == SQLITE_OK) make_update(c, k);
  if (c->rc == SQLITE_OK) make_delete(c, k);
}

/* Are they there, on this table, as they would be made now?  Rebuilding a table
** drops its triggers; a unique index or a column may have come since. */
int steward_capture_intact(StewardCall *c, const StewardCapture *k) {
  StewardCall inner = *c;
  char *zConflict = c->rc ? NULL : conflict_sql(&inner, k);
  char *zEvent = inner.rc ? NULL : k->xEvent(&inner, k, "delete", "OLD.", "");
  int bIntact = 0;
  if (inner.rc == SQLITE_OK) {
    bIntact = (int)steward_int(&inner, SQL_capture_intact, 0, "tttt", k->zTable,
                               k->zPrefix, zConflict, zEvent);
  }
  sqlite3_free(zConflict);
  sqlite3_free(zEvent);
  if (c->rc) return 0;
  if (inner.rc == SQLITE_ERROR) { /* they could not be made */
    sqlite3_free(inner.zErr);
  } else {
    c->rc = inner.rc;
    c->zErr = inner.zErr;
  }
  return bIntact;
}

/* Remove them, whatever of them is there. */
void steward_capture_end(StewardCall *c, const char *zPrefix) {
  int i;
  for (i = 0; i < ArraySize(azTrigger); i++) {
    steward_exec(c, "DROP TRIGGER IF EXISTS main.\"%w_%w\"", zPrefix,
                 azTrigger[i]);
  }
  steward_exec(c, "DROP TABLE IF EXISTS main.\"%w_note\"", zPrefix);
}
