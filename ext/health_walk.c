/*
** health_walk.c - reading a table in windows.
**
** One statement reads the rows behind a key, in the order of the key, every
** column of them, and asks of each row whether every index has it and whether
** the rows that it refers to are there:
**
**     SELECT t.rowid, (t."a" > x'') + .., EXISTS (SELECT 1 FROM t AS x
**            INDEXED BY i WHERE x."a" IS t."a" AND x.rowid = t.rowid), ..
**       FROM t NOT INDEXED WHERE t.rowid > 4711 ORDER BY t.rowid
**
** It is stepped until the time is over; the key of the last row is where the
** next slice begins.  That every row is in the index, and that the index has as
** many entries as the table rows (health_counts), makes them the same.  Indexes
** on expressions and partial ones are left to health_full().
*/
#include <stdlib.h>
#include <string.h>

#include "health_int.h"

#define FLAGS 60

typedef struct Walk {
  int bWithoutRowid;
  int nKey, nColumn;
  char *zKey;  /* t."a", t."b" */
  char *zSame; /* x."a" = t."a" AND .. */
  char *zTouch;
  sqlite3_str *pFlags;
  int nFlag;
  struct {
    const char *zCheck;
    char *zName; /* of the index, or of the table referred to; owned */
  } aFlag[FLAGS];
} Walk;

static void walk_free(Walk *w) {
  int i;
  for (i = 0; i < w->nFlag; i++) sqlite3_free(w->aFlag[i].zName);
  sqlite3_free(w->zKey);
  sqlite3_free(w->zSame);
  sqlite3_free(w->zTouch);
  sqlite3_free(sqlite3_str_finish(w->pFlags));
}

/* Append to a text that is owned. */
static void add_text(StewardCall *c, char **pz, const char *zFmt,
                     const char *zA, const char *zB) {
  char *zOld = *pz, *zMore = sqlite3_mprintf(zFmt, zA, zB);
  if (zMore == NULL) steward_fail_nomem(c);
  *pz = steward_mprintf(c, "%s%s", zOld ? zOld : "", zMore ? zMore : "");
  sqlite3_free(zMore);
  sqlite3_free(zOld);
}

/* A name of the rowid that no column has; NULL when there is none. */
static const char *rowid_name(HealthPass *h, const char *zTable) {
  static const char *const azName[] = {"rowid", "_rowid_", "oid"};
  int i;
  for (i = 0; i < 3; i++) {
    if (steward_exec_int(&h->in, 0,
                         "SELECT count(*) FROM pragma_table_xinfo(%Q, 'main')"
                         " WHERE name = %Q COLLATE NOCASE",
                         zTable, azName[i]) == 0) {
      return azName[i];
    }
  }
  return NULL;
}

/* What identifies a row, and what reads all of it. */
static void walk_columns(StewardCall *c, HealthPass *h, const char *zTable,
                         Walk *w) {
  sqlite3_stmt *pRow;
  const char *zRowid = NULL;
  w->bWithoutRowid = (int)steward_exec_int(
      &h->in, 0, "SELECT wr FROM pragma_table_list(%Q) WHERE schema = 'main'",
      zTable);
  if (!w->bWithoutRowid) {
    zRowid = rowid_name(h, zTable);
    w->nKey = zRowid != NULL;
    if (zRowid) {
      add_text(c, &w->zKey, "t.%s", zRowid, NULL);
      add_text(c, &w->zSame, "x.%s = t.%s", zRowid, zRowid);
    }
  }
  pRow = steward_prepare(&h->in,
                         "SELECT name, pk FROM pragma_table_xinfo(%Q, 'main')"
                         " WHERE hidden <> 2 ORDER BY pk = 0, pk, cid",
                         zTable);
  while (steward_next(&h->in, pRow)) {
    const char *zName = steward_column(c, pRow, 0);
    if (w->bWithoutRowid && sqlite3_column_int(pRow, 1) > 0) {
      add_text(c, &w->zKey, w->nKey ? ", t.\"%w\"" : "t.\"%w\"", zName, NULL);
      add_text(c, &w->zSame,
               w->nKey ? " AND x.\"%w\" IS t.\"%w\"" : "x.\"%w\" IS t.\"%w\"",
               zName, zName);
      w->nKey++;
    }
    add_text(c, &w->zTouch,
             w->nColumn++ ? " + (t.\"%w\" > x'')" : "(t.\"%w\" > x'')", zName,
             NULL);
  }
  sqlite3_finalize(pRow);
}

/* Does one key column go down?  Then comparing keys does not follow its
** order. */
static int key_descends(HealthPass *h, const char *zTable) {
  return steward_exec_int(
             &h->in, 0,
             "SELECT count(*) FROM pragma_index_list(%Q, 'main') AS l,"
             " pragma_index_xinfo(l.name, 'main') AS x"
             " WHERE l.origin = 'pk' AND x.key AND x.\"desc\"",
             zTable) > 0;
}

static int add_flag(StewardCall *c, Walk *w, const char *zCheck,
                    const char *zName) {
  if (w->nFlag == FLAGS) return 0;
  w->aFlag[w->nFlag].zCheck = zCheck;
  w->aFlag[w->nFlag++].zName = steward_mprintf(c, "%s", zName);
  return 1;
}

/* Has the index an entry for the row? */
static void index_flag(StewardCall *c, HealthPass *h, const char *zTable,
                       const char *zIndex, Walk *w) {
  sqlite3_stmt *pRow;
  if (!add_flag(c, w, "indexes", zIndex)) return;
  sqlite3_str_appendf(w->pFlags,
                      ", EXISTS (SELECT 1 FROM main.\"%w\" AS x INDEXED BY "
                      "\"%w\" WHERE %s",
                      zTable, zIndex, w->zSame ? w->zSame : "1");
  pRow = steward_prepare(&h->in,
                         "SELECT name, coll FROM pragma_index_xinfo(%Q, "
                         "'main') WHERE key AND cid >= 0",
                         zIndex);
  while (steward_next(&h->in, pRow)) {
    const char *zName = steward_column(c, pRow, 0);
    sqlite3_str_appendf(w->pFlags, " AND x.\"%w\" COLLATE \"%w\" IS t.\"%w\"",
                        zName, steward_column(c, pRow, 1), zName);
  }
  sqlite3_finalize(pRow);
  sqlite3_str_appendall(w->pFlags, ")");
}

static void walk_indexes(StewardCall *c, HealthPass *h, const char *zTable,
                         Walk *w) {
  sqlite3_stmt *pRow = steward_prepare(
      &h->in,
      "SELECT l.name, l.partial OR EXISTS (SELECT 1 FROM"
      " pragma_index_xinfo(l.name, 'main') AS x WHERE x.key AND x.cid < 0)"
      " FROM pragma_index_list(%Q, 'main') AS l"
      " WHERE NOT (l.origin = 'pk' AND %d)",
      zTable, w->bWithoutRowid);
  while (steward_next(&h->in, pRow)) {
    const char *zIndex = steward_column(c, pRow, 0);
    if (sqlite3_column_int(pRow, 1)) {
      health_found(c, h, "skipped", NULL,
                   "index %s is partial or on an expression", zIndex);
    } else {
      index_flag(c, h, zTable, zIndex, w);
    }
  }
  sqlite3_finalize(pRow);
}

/* Close the question about one foreign key. */
static void foreign_key_flag(StewardCall *c, Walk *w, const char *zParent,
                             char **pzNull, char **pzSame) {
  if (c->rc == SQLITE_OK && *pzSame &&
      add_flag(c, w, "foreign_keys", zParent)) {
    sqlite3_str_appendf(
        w->pFlags, ", %s OR EXISTS (SELECT 1 FROM main.\"%w\" AS p WHERE %s)",
        *pzNull, zParent, *pzSame);
  }
  sqlite3_free(*pzNull);
  sqlite3_free(*pzSame);
  *pzNull = *pzSame = NULL;
}

/* Are the rows there that the row refers to?  Only where the other table finds
** them by a key. */
static void walk_foreign_keys(StewardCall *c, HealthPass *h, const char *zTable,
                              Walk *w) {
  char *zParent = NULL, *zNull = NULL, *zSame = NULL;
  sqlite3_stmt *pRow = steward_prepare(
      &h->in,
      "SELECT f.seq, f.\"table\", f.\"from\", coalesce(f.\"to\", p.name)"
      " FROM pragma_foreign_key_list(%Q, 'main') AS f"
      " LEFT JOIN pragma_table_info(f.\"table\", 'main') AS p"
      "   ON p.pk = f.seq + 1 AND f.\"to\" IS NULL"
      " WHERE EXISTS (SELECT 1 FROM pragma_table_info(f.\"table\", 'main') AS k"
      "   WHERE k.pk = 1 AND (f.\"to\" IS NULL OR f.\"to\" = k.name COLLATE "
      "NOCASE))"
      " OR EXISTS (SELECT 1 FROM pragma_index_list(f.\"table\", 'main') AS l,"
      "   pragma_index_info(l.name, 'main') AS i WHERE l.\"unique\""
      "   AND i.seqno = 0 AND i.name = f.\"to\" COLLATE NOCASE)"
      " ORDER BY f.id, f.seq",
      zTable);
  while (steward_next(&h->in, pRow) && c->rc == SQLITE_OK) {
    const char *zFrom = steward_column(c, pRow, 2);
    const char *zTo = (const char *)sqlite3_column_text(pRow, 3);
    if (sqlite3_column_int(pRow, 0) == 0) {
      foreign_key_flag(c, w, zParent, &zNull, &zSame);
      sqlite3_free(zParent);
      zParent = steward_mprintf(c, "%s", steward_column(c, pRow, 1));
    }
    if (zTo == NULL) continue;
    add_text(c, &zNull, zNull ? " OR t.\"%w\" IS NULL" : "t.\"%w\" IS NULL",
             zFrom, NULL);
    add_text(c, &zSame,
             zSame ? " AND p.\"%w\" = t.\"%w\"" : "p.\"%w\" = t.\"%w\"", zTo,
             zFrom);
  }
  sqlite3_finalize(pRow);
  foreign_key_flag(c, w, zParent, &zNull, &zSame);
  sqlite3_free(zParent);
}

/* The statement that reads from the stored key on; NULL when the table cannot
** be read so. */
static sqlite3_stmt *walk_prepare(StewardCall *c, HealthPass *h,
                                  const char *zTable, Walk *w) {
  sqlite3_stmt *pStmt = NULL;
  char *zFlags, *zFrom = NULL;
  w->pFlags = sqlite3_str_new(h->in.db);
  walk_columns(c, h, zTable, w);
  if (c->rc || h->in.rc) return NULL;
  if (w->nKey == 0 || w->nColumn == 0 ||
      (w->bWithoutRowid && key_descends(h, zTable))) {
    health_found(c, h, "skipped", NULL, "table %s has no key that goes up",
                 zTable);
    return NULL;
  }
  walk_indexes(c, h, zTable, w);
  walk_foreign_keys(c, h, zTable, w);
  zFlags = steward_str_finish(c, w->pFlags);
  w->pFlags = NULL;
  if (h->s.zKey && strcmp(h->s.zKey, HEALTH_WALK)) {
    zFrom = steward_mprintf(c, "WHERE (%s) > (%s)", w->zKey, h->s.zKey);
  }
  if (c->rc == SQLITE_OK) {
    pStmt = steward_prepare(
        &h->in,
        "SELECT %s, %s%s FROM main.\"%w\" AS t NOT INDEXED %s ORDER BY "
        "%s",
        w->zKey, w->zTouch, zFlags, zTable, zFrom ? zFrom : "", w->zKey);
  }
  sqlite3_free(zFlags);
  sqlite3_free(zFrom);
  return pStmt;
}

/* The key of the row as a list of literals; caller frees. */
static char *row_key(StewardCall *c, const Walk *w, sqlite3_stmt *pStmt) {
  char *zKey = NULL;
  int i;
  for (i = 0; i < w->nKey && c->rc == SQLITE_OK; i++) {
    char *z = steward_text(c, SQL_health_literal, "v",
                           sqlite3_column_value(pStmt, i));
    add_text(c, &zKey, i ? ",%s" : "%s", z ? z : "NULL", NULL);
    sqlite3_free(z);
  }
  return zKey;
}

/* What one row lacks. */
static void row_flags(StewardCall *c, HealthPass *h, const Walk *w,
                      const char *zTable, sqlite3_stmt *pStmt) {
  int i;
  for (i = 0; i < w->nFlag; i++) {
    char *zKey, *zMend;
    if (sqlite3_column_int(pStmt, w->nKey + 1 + i)) continue;
    zKey = row_key(c, w, pStmt);
    if (w->aFlag[i].zCheck[0] == 'i') {
      zMend = steward_mprintf(c, "REINDEX \"%w\"", w->aFlag[i].zName);
      health_found(c, h, "indexes", zMend, "row %s of %s missing from index %s",
                   zKey, zTable, w->aFlag[i].zName);
    } else {
      zMend = steward_mprintf(c, "PRAGMA foreign_key_check(\"%w\")", zTable);
      health_found(c, h, "foreign_keys", zMend,
                   "row %s of %s refers to a row of %s that is not there", zKey,
                   zTable, w->aFlag[i].zName);
    }
    sqlite3_free(zMend);
    sqlite3_free(zKey);
  }
}

/* Read on: 1 at the end of the table, 0 when the time is over. */
int health_walk(StewardCall *c, HealthPass *h, const char *zTable) {
  Walk w;
  sqlite3_stmt *pStmt;
  i64 iLast = 0, nRow = 0;
  int bEnded, bOver = 0;
  memset(&w, 0, sizeof(w));
  pStmt = walk_prepare(c, h, zTable, &w);
  while (steward_next(&h->in, pStmt) && c->rc == SQLITE_OK) {
    i64 iKey = sqlite3_column_int64(pStmt, 0);
    if (!w.bWithoutRowid && nRow > 0 && iKey <= iLast) {
      health_found(c, h, "integrity", "PRAGMA integrity_check",
                   "table %s: row %lld behind row %lld", zTable, iKey, iLast);
      bOver = 1;
      break;
    }
    iLast = iKey;
    nRow++;
    row_flags(c, h, &w, zTable, pStmt);
    if (nRow % 512 == 0 || steward_monotonic_us() >= h->iDeadline) {
      char *zKey = row_key(c, &w, pStmt);
      steward_slice_at(c, &h->s, PASS_TABLES, zTable, zKey);
      sqlite3_free(zKey);
      if (steward_monotonic_us() >= h->iDeadline) break;
    }
  }
  bEnded = pStmt == NULL || bOver || sqlite3_stmt_busy(pStmt) == 0;
  sqlite3_finalize(pStmt);
  walk_free(&w);
  if (c->rc || !bEnded) {
    h->bTime = 1;
    return 0;
  }
  return health_ended(c, h, zTable);
}

/* Has each index as many entries as the table has rows?  What no slice had time
** for twenty times over is left out, and said. */
int health_counts(StewardCall *c, HealthPass *h, const char *zTable) {
  int nTried = h->s.zKey ? atoi(h->s.zKey) : 0, bEnded;
  i64 nRow = -1;
  char zTried[20];
  sqlite3_stmt *pIndex;
  steward_exec(&h->in, "BEGIN");
  pIndex = steward_prepare(
      &h->in,
      "SELECT l.name FROM pragma_index_list(%Q, 'main') AS l"
      " WHERE l.partial = 0 AND NOT (l.origin = 'pk' AND (SELECT wr FROM"
      " pragma_table_list(%Q) WHERE schema = 'main'))",
      zTable, zTable);
  while (steward_next(&h->in, pIndex) && c->rc == SQLITE_OK) {
    const char *zIndex = steward_column(c, pIndex, 0);
    i64 nEntry = steward_exec_int(
        &h->in, 0, "SELECT count(*) FROM main.\"%w\" INDEXED BY \"%w\"", zTable,
        zIndex);
    if (nRow < 0) {
      nRow = steward_exec_int(
          &h->in, 0, "SELECT count(*) FROM main.\"%w\" NOT INDEXED", zTable);
    }
    if (h->in.rc == SQLITE_OK && nEntry != nRow) {
      char *zMend = steward_mprintf(c, "REINDEX \"%w\"", zIndex);
      health_found(c, h, "indexes", zMend,
                   "wrong # of entries in index %s: %lld for %lld rows", zIndex,
                   nEntry, nRow);
      sqlite3_free(zMend);
    }
  }
  sqlite3_finalize(pIndex);
  bEnded = health_ended(c, h, zTable);
  steward_exec(&h->in,
               sqlite3_get_autocommit(h->in.db) ? "SELECT 1" : "ROLLBACK");
  health_ended(c, h, zTable);
  if (!bEnded && nTried >= 20) {
    health_found(c, h, "skipped", NULL,
                 "the indexes of %s take longer to count than a slice has",
                 zTable);
    return 1;
  }
  sqlite3_snprintf(sizeof(zTried), zTried, "%d", nTried + 1);
  if (!bEnded) steward_slice_at(c, &h->s, PASS_COUNTS, zTable, zTried);
  return bEnded;
}
