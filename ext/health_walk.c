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

/* Columns of a table in one expression, which may be 1000 deep. */
enum { TOUCHED = 500 };

typedef struct Walk {
  int bWithoutRowid;
  int nKey, nColumn;
  int nTouch;  /* columns of the result that read those of the table */
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
    if (w->nColumn % TOUCHED == 0) w->nTouch++;
    add_text(c, &w->zTouch,
             w->nColumn == 0             ? "(t.\"%w\" > x'')"
             : w->nColumn % TOUCHED == 0 ? ", (t.\"%w\" > x'')"
                                         : " + (t.\"%w\" > x'')",
             zName, NULL);
    w->nColumn++;
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

/* What makes an entry of the index that of the row: into pSame; terms that are
** expressions are computed from the row in pValues. */
static void index_terms(StewardCall *c, HealthPass *h, const char *zIndex,
                        const char *zSql, sqlite3_str *pSame,
                        sqlite3_str *pValues) {
  sqlite3_stmt *pRow =
      steward_prepare(&h->in,
                      "SELECT name, coll, cid, seqno FROM"
                      " pragma_index_xinfo(%Q, 'main') WHERE key AND cid <> -1",
                      zIndex);
  while (steward_next(&h->in, pRow)) {
    const char *zColl = steward_column(c, pRow, 1);
    int iTerm = sqlite3_column_int(pRow, 3);
    char *zTerm;
    if (sqlite3_column_int(pRow, 2) >= 0) {
      const char *zName = steward_column(c, pRow, 0);
      sqlite3_str_appendf(pSame, " AND x.\"%w\" COLLATE \"%w\" IS t.\"%w\"",
                          zName, zColl, zName);
      continue;
    }
    zTerm = health_index_text(c, zSql, iTerm);
    sqlite3_str_appendf(pValues, "%s%s AS \"steward %d\"",
                        sqlite3_str_length(pValues) ? ", " : "",
                        zTerm ? zTerm : "?", iTerm);
    sqlite3_str_appendf(pSame, " AND %s COLLATE \"%w\" IS v.\"steward %d\"",
                        zTerm ? zTerm : "?", zColl, iTerm);
    sqlite3_free(zTerm);
  }
  sqlite3_finalize(pRow);
}

/* Can it be asked?  The texts of an index may say what only a CREATE INDEX
** can. */
static int flag_prepares(StewardCall *c, HealthPass *h, const char *zTable,
                         const char *zFlag) {
  sqlite3_stmt *pStmt = steward_prepare(
      &h->in, "SELECT 1%s FROM main.\"%w\" AS t NOT INDEXED", zFlag, zTable);
  int bOk = pStmt != NULL;
  sqlite3_finalize(pStmt);
  if (health_cannot_read(h)) health_forget_error(h);
  return bOk;
}

/* Has the index an entry for the row?  (A partial one: where it is to.) */
static void index_flag(StewardCall *c, HealthPass *h, const char *zTable,
                       const char *zIndex, const char *zSql, Walk *w) {
  char *zWhere = zSql ? health_index_text(c, zSql, -1) : NULL;
  sqlite3_str *pSame = sqlite3_str_new(h->in.db);
  sqlite3_str *pValues = sqlite3_str_new(h->in.db);
  char *zSame, *zValues, *zFlag;
  index_terms(c, h, zIndex, zSql ? zSql : "", pSame, pValues);
  zSame = steward_str_finish(c, pSame);
  zValues = sqlite3_str_finish(pValues);
  zFlag = steward_mprintf(
      c,
      ", %s%s EXISTS (SELECT 1 FROM %s%s%s main.\"%w\" AS x INDEXED BY "
      "\"%w\" WHERE %s%s%s%s)",
      zWhere ? zWhere : "", zWhere ? " IS NOT TRUE OR" : "",
      zValues ? "(SELECT " : "", zValues ? zValues : "",
      zValues ? ") AS v CROSS JOIN" : "", zTable, zIndex,
      w->zSame ? w->zSame : "1", zWhere ? " AND " : "", zWhere ? zWhere : "",
      zSame ? zSame : "");
  if (zFlag && flag_prepares(c, h, zTable, zFlag) &&
      add_flag(c, w, "indexes", zIndex)) {
    sqlite3_str_appendall(w->pFlags, zFlag);
  } else if (zFlag && h->in.rc == SQLITE_OK) {
    health_found(c, h, "skipped indexes", NULL, "index %s cannot be looked up",
                 zIndex);
  }
  sqlite3_free(zWhere);
  sqlite3_free(zSame);
  sqlite3_free(zValues);
  sqlite3_free(zFlag);
}

static void walk_indexes(StewardCall *c, HealthPass *h, const char *zTable,
                         Walk *w) {
  sqlite3_stmt *pRow = steward_prepare(
      &h->in,
      "SELECT l.name, m.sql FROM pragma_index_list(%Q, 'main') AS l"
      " LEFT JOIN main.sqlite_schema AS m ON m.type = 'index'"
      "  AND m.name = l.name"
      " WHERE NOT (l.origin = 'pk' AND %d)",
      zTable, w->bWithoutRowid);
  while (steward_next(&h->in, pRow)) {
    index_flag(c, h, zTable, steward_column(c, pRow, 0),
               (const char *)sqlite3_column_text(pRow, 1), w);
  }
  sqlite3_finalize(pRow);
}

/* A foreign key: the question whether a row keeps it. */
typedef struct Reference {
  char *zParent;
  int bTable;  /* there is such a table, or view */
  int bKnown;  /* a table, and it has the columns */
  char *zNull; /* t."a" IS NULL OR .. */
  char *zSame; /* p."x" = +t."a" AND .. */
} Reference;

/* Is the row that is referred to found by a key, and not by reading them all?
 */
static int found_by_key(StewardCall *c, HealthPass *h, const char *zTable,
                        const char *zFlag) {
  sqlite3_stmt *pPlan = steward_prepare(
      &h->in, "EXPLAIN QUERY PLAN SELECT 1%s FROM main.\"%w\" AS t NOT INDEXED",
      zFlag, zTable);
  int bKey = 0;
  while (steward_next(&h->in, pPlan)) {
    const char *z = (const char *)sqlite3_column_text(pPlan, 3);
    bKey |= z && strncmp(z, "SEARCH p ", 9) == 0 && !strstr(z, " AUTOMATIC ");
  }
  sqlite3_finalize(pPlan);
  if (health_cannot_read(h)) health_forget_error(h);
  return bKey;
}

/* As an expression, or NULL when it cannot be asked; caller frees.  A row that
** refers to a table that is not there keeps nothing.  The plus takes a column's
** affinity, so that its value is compared by the affinity and the collation of
** the column that it refers to, as foreign keys are. */
static char *reference_text(StewardCall *c, HealthPass *h, const char *zTable,
                            const Reference *f) {
  char *zFlag;
  if (!f->bTable) return steward_mprintf(c, ", (%s)", f->zNull);
  if (!f->bKnown) return NULL;
  zFlag = steward_mprintf(
      c, ", (%s) OR EXISTS (SELECT 1 FROM main.\"%w\" AS p WHERE %s)", f->zNull,
      f->zParent, f->zSame);
  if (zFlag && found_by_key(c, h, zTable, zFlag)) return zFlag;
  sqlite3_free(zFlag);
  return NULL;
}

static void reference_flag(StewardCall *c, HealthPass *h, const char *zTable,
                           Walk *w, Reference *f) {
  if (c->rc == SQLITE_OK && f->zParent) {
    char *zFlag = reference_text(c, h, zTable, f);
    if (zFlag && add_flag(c, w, "foreign_keys", f->zParent)) {
      sqlite3_str_appendall(w->pFlags, zFlag);
    } else if (h->in.rc == SQLITE_OK) {
      health_found(c, h, "skipped foreign_keys", NULL,
                   "a foreign key of %s to %s cannot be looked up", zTable,
                   f->zParent);
    }
    sqlite3_free(zFlag);
  }
  sqlite3_free(f->zParent);
  sqlite3_free(f->zNull);
  sqlite3_free(f->zSame);
  memset(f, 0, sizeof(*f));
}

/* One pair of columns more. */
static void reference_add(StewardCall *c, Reference *f, const char *zFrom,
                          const char *zTo) {
  add_text(c, &f->zNull, f->zNull ? " OR t.\"%w\" IS NULL" : "t.\"%w\" IS NULL",
           zFrom, NULL);
  if (zTo) {
    add_text(c, &f->zSame,
             f->zSame ? " AND p.\"%w\" = +t.\"%w\"" : "p.\"%w\" = +t.\"%w\"",
             zTo, zFrom);
  }
  f->bKnown &= zTo != NULL;
}

/* Are the rows there that the row refers to?  A foreign key is the rows of one
** id, each a pair of columns. */
static void walk_foreign_keys(StewardCall *c, HealthPass *h, const char *zTable,
                              Walk *w) {
  Reference f;
  sqlite3_stmt *pRow = steward_prepare(
      &h->in,
      "SELECT f.seq, f.\"table\", f.\"from\", coalesce(f.\"to\", p.name),"
      " (SELECT m.type = 'table' FROM main.sqlite_schema AS m WHERE m.type IN"
      "   ('table', 'view') AND m.name = f.\"table\" COLLATE NOCASE)"
      " FROM pragma_foreign_key_list(%Q, 'main') AS f"
      " LEFT JOIN pragma_table_info(f.\"table\", 'main') AS p"
      "   ON p.pk = f.seq + 1 AND f.\"to\" IS NULL"
      " ORDER BY f.id, f.seq",
      zTable);
  memset(&f, 0, sizeof(f));
  while (steward_next(&h->in, pRow) && c->rc == SQLITE_OK) {
    if (sqlite3_column_int(pRow, 0) == 0) {
      reference_flag(c, h, zTable, w, &f);
      f.zParent = steward_mprintf(c, "%s", steward_column(c, pRow, 1));
      f.bTable = sqlite3_column_type(pRow, 4) != SQLITE_NULL;
      f.bKnown = sqlite3_column_int(pRow, 4);
    }
    reference_add(c, &f, steward_column(c, pRow, 2),
                  (const char *)sqlite3_column_text(pRow, 3));
  }
  sqlite3_finalize(pRow);
  reference_flag(c, h, zTable, w, &f);
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

/* What one row lacks. */
static void row_flags(StewardCall *c, HealthPass *h, const Walk *w,
                      const char *zTable, sqlite3_stmt *pStmt) {
  int i;
  for (i = 0; i < w->nFlag; i++) {
    char *zKey, *zMend;
    if (sqlite3_column_int(pStmt, w->nKey + w->nTouch + i)) continue;
    zKey = steward_literals(c, pStmt, 0, w->nKey);
    if (w->aFlag[i].zCheck[0] == 'i') {
      zMend = steward_mprintf(c, "REINDEX \"main\".\"%w\"", w->aFlag[i].zName);
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
      char *zKey = steward_literals(c, pStmt, 0, w.nKey);
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

/* Does SQLite count all rows by this index?  It does that fastest, and by the
** one that it likes best, whatever INDEXED BY says. */
static int counts_by(HealthPass *h, const char *zTable, const char *zIndex) {
  sqlite3_stmt *pPlan = steward_prepare(
      &h->in,
      "EXPLAIN QUERY PLAN SELECT count(*) FROM main.\"%w\" INDEXED BY \"%w\"",
      zTable, zIndex);
  size_t nIndex = strlen(zIndex), nPlan = 0;
  int bBy = 0;
  if (steward_next(&h->in, pPlan)) {
    const char *z = (const char *)sqlite3_column_text(pPlan, 3);
    nPlan = z ? strlen(z) : 0;
    bBy = nPlan > nIndex && z[nPlan - nIndex - 1] == ' ' &&
          strcmp(z + nPlan - nIndex, zIndex) == 0;
  }
  sqlite3_finalize(pPlan);
  return bBy;
}

/* Has the index as many entries as there are rows for it?  zWhere: that of a
** partial one.  Both are counted in one transaction. */
static void count_index(StewardCall *c, HealthPass *h, const char *zTable,
                        const char *zIndex, const char *zWhere) {
  i64 nEntry, nRow;
  const char *zEntries = zWhere                         ? zWhere
                         : counts_by(h, zTable, zIndex) ? NULL
                                                        : "1";
  steward_exec(&h->in, "BEGIN");
  nEntry = steward_exec_int(
      &h->in, 0, "SELECT count(*) FROM main.\"%w\" INDEXED BY \"%w\"%s%s",
      zTable, zIndex, zEntries ? " WHERE " : "", zEntries ? zEntries : "");
  nRow = steward_exec_int(
      &h->in, 0, "SELECT count(*) FROM main.\"%w\" NOT INDEXED%s%s", zTable,
      zWhere ? " WHERE " : "", zWhere ? zWhere : "");
  if (h->in.rc == SQLITE_OK && nEntry != nRow) {
    char *zMend = steward_mprintf(c, "REINDEX \"main\".\"%w\"", zIndex);
    health_found(c, h, "indexes", zMend,
                 "wrong # of entries in index %s: %lld for %lld rows", zIndex,
                 nEntry, nRow);
    sqlite3_free(zMend);
  }
}

/* The next index behind zLast is counted: 1 when there was time, 0 when there
** was none, and -1 when there is no next.  *pzLast becomes its name. */
static int count_next(StewardCall *c, HealthPass *h, const char *zTable,
                      char **pzLast) {
  char *zName = NULL, *zSql = NULL, *zWhere = NULL;
  int bEnded;
  sqlite3_stmt *pIndex = steward_prepare(
      &h->in,
      "SELECT l.name, iif(l.partial, m.sql, NULL)"
      " FROM pragma_index_list(%Q, 'main') AS l"
      " LEFT JOIN main.sqlite_schema AS m ON m.type = 'index'"
      "  AND m.name = l.name"
      " WHERE l.name > %Q AND NOT (l.origin = 'pk' AND (SELECT wr FROM"
      " pragma_table_list(%Q) WHERE schema = 'main')) ORDER BY l.name LIMIT 1",
      zTable, *pzLast, zTable);
  if (steward_next(&h->in, pIndex)) {
    const char *z = (const char *)sqlite3_column_text(pIndex, 1);
    zName = steward_mprintf(c, "%s", steward_column(c, pIndex, 0));
    zSql = z ? steward_mprintf(c, "%s", z) : NULL;
  }
  sqlite3_finalize(pIndex);
  if (zSql) zWhere = health_index_text(c, zSql, -1);
  if (zName && (zSql == NULL || zWhere)) {
    count_index(c, h, zTable, zName, zWhere);
  }
  bEnded = health_ended(c, h, zTable);
  steward_exec(&h->in,
               sqlite3_get_autocommit(h->in.db) ? "SELECT 1" : "ROLLBACK");
  health_ended(c, h, zTable);
  if (bEnded && zName == NULL) return -1;
  sqlite3_free(zSql);
  sqlite3_free(zWhere);
  if (zName) {
    sqlite3_free(*pzLast);
    *pzLast = zName;
  }
  return bEnded;
}

/* The indexes of a table.  The key is how often a slice was too short for the
** next one, and the one before it.  What no slice had time for twenty times
** over is left out, and said. */
int health_counts(StewardCall *c, HealthPass *h, const char *zTable) {
  const char *zKey = h->s.zKey ? h->s.zKey : "0 ";
  const char *zBlank = strchr(zKey, ' '); /* none: somebody else's key */
  int nTried = atoi(zKey), eNext = 1;
  char *zLast = steward_mprintf(c, "%s", zBlank ? zBlank + 1 : ""), *zAt;
  while (c->rc == SQLITE_OK && eNext == 1) {
    char *zBefore = steward_mprintf(c, "%s", zLast);
    eNext = count_next(c, h, zTable, &zLast);
    if (eNext == 0 && nTried >= 20) {
      health_found(c, h, "skipped indexes", NULL,
                   "index %s takes longer to count than a slice has", zLast);
      nTried = -1;
    }
    zAt = steward_mprintf(c, "%d %s", eNext == 0 ? nTried + 1 : 0,
                          eNext == 0 && nTried >= 0 ? zBefore : zLast);
    if (zAt) steward_slice_at(c, &h->s, PASS_COUNTS, zTable, zAt);
    nTried = 0;
    sqlite3_free(zAt);
    sqlite3_free(zBefore);
    if (eNext == 1 && steward_monotonic_us() >= h->iDeadline) eNext = 0;
  }
  sqlite3_free(zLast);
  return eNext < 0;
}
