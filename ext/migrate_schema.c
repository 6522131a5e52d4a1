/*
** migrate_schema.c - what a step's objects should look like, and how the
** database differs.
**
** The expectation is made, not written down: the steps are run in an empty
** in-memory database of their own, and what each adds there is compared with
** what stands in main.  A table fits when it has every column with the same
** affinity and the same primary key; an index, when it is on the same columns
** of the same table; a view or trigger, when its text is the same.
*/
#include <string.h>

#include "migrate_int.h"

/* An empty database in which the steps show what they make.  The caller
** closes it. */
sqlite3 *migrate_expected_open(StewardCall *c) {
  sqlite3 *pExpected = NULL;
  int rc;
  if (c->rc) return NULL;
  rc = sqlite3_open_v2(
      ":memory:", &pExpected,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY, NULL);
  if (rc == SQLITE_OK) {
    rc = sqlite3_exec(pExpected, "CREATE TEMP TABLE seen(type TEXT, name TEXT)",
                      NULL, NULL, NULL);
  }
  if (rc) {
    steward_fail_rc(c, rc, "cannot make the expected schema: %s",
                    sqlite3_errmsg(pExpected));
    sqlite3_close(pExpected);
    return NULL;
  }
  return pExpected;
}

/* A StewardCall on the other database, for the helpers that take one. */
static StewardCall call_on(const StewardCall *c, sqlite3 *db) {
  StewardCall other = *c;
  other.db = db;
  other.zSet = NULL;
  other.ctx = NULL;
  other.zErr = NULL;
  return other;
}

/* Run the step there; table `seen` keeps what was there before it. */
void migrate_expected_step(StewardCall *c, sqlite3 *pExpected,
                           const MigrateStep *pStep) {
  StewardCall other;
  if (c->rc) return;
  other = call_on(c, pExpected);
  steward_exec(&other, "DELETE FROM temp.seen");
  steward_exec(&other,
               "INSERT INTO temp.seen SELECT type, name FROM sqlite_schema");
  steward_script(&other, pStep->zUp);
  c->rc = other.rc;
  c->zErr = other.zErr;
}

/* SQLite's affinity of a declared type, as one letter. */
static char type_affinity(const char *zType) {
  char zUpper[64];
  int i;
  for (i = 0; i < 63 && zType[i]; i++) {
    zUpper[i] =
        zType[i] >= 'a' && zType[i] <= 'z' ? (char)(zType[i] - 32) : zType[i];
  }
  zUpper[i] = 0;
  if (strstr(zUpper, "INT")) return 'I';
  if (strstr(zUpper, "CHAR") || strstr(zUpper, "CLOB") ||
      strstr(zUpper, "TEXT")) {
    return 'T';
  }
  if (strstr(zUpper, "BLOB") || zUpper[0] == 0) return 'B';
  if (strstr(zUpper, "REAL") || strstr(zUpper, "FLOA") ||
      strstr(zUpper, "DOUB")) {
    return 'R';
  }
  return 'N';
}

/* Append one difference to the list. */
static void differ(sqlite3_str *pList, const char *zFmt, ...) {
  va_list ap;
  if (sqlite3_str_length(pList) > 0) sqlite3_str_appendall(pList, "; ");
  va_start(ap, zFmt);
  sqlite3_str_vappendf(pList, zFmt, ap);
  va_end(ap);
}

static const char zColumnsSql[] =
    "SELECT e.name, e.type, e.pk FROM pragma_table_xinfo(%Q, 'main') AS e";

/* Compare one expected column with the table in main. */
static void compare_column(StewardCall *c, const char *zTable,
                           sqlite3_stmt *pWant, sqlite3_str *pList) {
  const char *zColumn = steward_column(c, pWant, 0);
  const char *zType = steward_column(c, pWant, 1);
  sqlite3_stmt *pHave;
  char *zSql = sqlite3_mprintf(zColumnsSql, zTable);
  if (zSql)
    zSql =
        sqlite3_mprintf("%z WHERE e.name = %Q COLLATE NOCASE", zSql, zColumn);
  pHave = steward_prepare_text(c, zSql);
  if (!steward_next(c, pHave)) {
    if (c->rc == SQLITE_OK) {
      differ(pList, "table %s has no column %s", zTable, zColumn);
    }
  } else {
    const char *zHave = steward_column(c, pHave, 1);
    if (type_affinity(zHave) != type_affinity(zType)) {
      differ(pList, "column %s.%s is %s, needs %s", zTable, zColumn,
             zHave[0] ? zHave : "untyped", zType[0] ? zType : "no type");
    }
    if (sqlite3_column_int(pHave, 2) != sqlite3_column_int(pWant, 2)) {
      differ(pList, "column %s.%s has place %d in the primary key, needs %d",
             zTable, zColumn, sqlite3_column_int(pHave, 2),
             sqlite3_column_int(pWant, 2));
    }
  }
  sqlite3_finalize(pHave);
}

/* Columns that the table has beyond the expected ones must not make our
** INSERTs fail. */
static void compare_extra(StewardCall *c, StewardCall *pOther,
                          const char *zTable, sqlite3_str *pList) {
  sqlite3_stmt *pHave = steward_prepare(
      c,
      "SELECT name FROM pragma_table_xinfo(%Q, 'main')"
      " WHERE \"notnull\" AND dflt_value IS NULL AND pk = 0 AND hidden = 0",
      zTable);
  while (steward_next(c, pHave)) {
    const char *zColumn = steward_column(c, pHave, 0);
    i64 bKnown = steward_exec_int(
        pOther, 0,
        "SELECT 1 FROM pragma_table_xinfo(%Q) WHERE name = %Q COLLATE NOCASE",
        zTable, zColumn);
    if (!bKnown) {
      differ(pList, "column %s.%s is NOT NULL without a default", zTable,
             zColumn);
    }
  }
  sqlite3_finalize(pHave);
}

static void compare_table(StewardCall *c, StewardCall *pOther,
                          const char *zTable, sqlite3_str *pList) {
  sqlite3_stmt *pWant = steward_prepare(
      pOther, "SELECT name, type, pk FROM pragma_table_xinfo(%Q)", zTable);
  while (steward_next(pOther, pWant)) compare_column(c, zTable, pWant, pList);
  sqlite3_finalize(pWant);
  compare_extra(c, pOther, zTable, pList);
}

/* An index in words: table, columns in order, unique, partial. */
static char *index_shape(StewardCall *c, const char *zIndex) {
  return steward_exec_text(
      c,
      "SELECT s.tbl_name || '(' || group_concat(coalesce(x.name, 'expression')"
      " || iif(x.desc, ' DESC', ''), ', ') || ')'"
      " || iif(l.\"unique\", ' UNIQUE', '')"
      " || iif(l.partial, ' partial', '')"
      " FROM main.sqlite_schema AS s, pragma_index_list(s.tbl_name, 'main')"
      " AS l, pragma_index_xinfo(s.name, 'main') AS x"
      " WHERE s.type = 'index' AND s.name = %Q AND l.name = s.name AND x.key",
      zIndex);
}

/* Names that begin like ours are ours: what they belong to must be as we make
** it. */
static int is_ours(const char *zName) {
  return sqlite3_strnicmp(zName, "steward_", 8) == 0;
}

/* An index of the name but of another shape is left, and noted. */
static void compare_index(StewardCall *c, StewardCall *pOther,
                          const char *zIndex, sqlite3_str *pNotes) {
  char *zHave = index_shape(c, zIndex);
  char *zWant = index_shape(pOther, zIndex);
  if (zHave && zWant && sqlite3_stricmp(zHave, zWant)) {
    differ(pNotes, "index %s is on %s, the step's is on %s", zIndex, zHave,
           zWant);
  }
  sqlite3_free(zHave);
  sqlite3_free(zWant);
}

/* Compare one expected object; bAdopt: it may be missing, because the step is
** about to make it. */
static void compare_object(StewardCall *c, StewardCall *pOther,
                           sqlite3_stmt *pWant, int bAdopt, sqlite3_str *pList,
                           sqlite3_str *pNotes) {
  const char *zType = steward_column(c, pWant, 0);
  const char *zName = steward_column(c, pWant, 1);
  char *zHave = steward_exec_text(
      c, "SELECT type FROM main.sqlite_schema WHERE name = %Q COLLATE NOCASE",
      zName);
  if (c->rc) {
    /* reported by the caller */
  } else if (zHave == NULL) {
    if (!bAdopt) differ(pList, "%s %s is missing", zType, zName);
  } else if (strcmp(zHave, zType)) {
    differ(pList, "%s is a %s, needs a %s", zName, zHave, zType);
  } else if (strcmp(zType, "table") == 0) {
    compare_table(c, pOther, zName, pList);
  } else if (strcmp(zType, "index") == 0) {
    compare_index(c, pOther, zName, is_ours(zName) ? pList : pNotes);
  } else {
    char *zSql = steward_exec_text(
        c, "SELECT sql FROM main.sqlite_schema WHERE name = %Q", zName);
    const char *zWant = steward_column(c, pWant, 2);
    if (zSql && strcmp(zSql, zWant)) {
      differ(bAdopt && !is_ours(zName) ? pNotes : pList,
             "%s %s has another text than the step's", zType, zName);
    }
    sqlite3_free(zSql);
  }
  sqlite3_free(zHave);
}

/* How main differs from what the last expected step made: a text, empty when
** it does not; *pzNotes: what is different but may stay.  The caller frees
** both. */
char *migrate_differences(StewardCall *c, sqlite3 *pExpected,
                          const MigrateStep *pStep, int bAdopt,
                          char **pzNotes /* OUT */) {
  StewardCall other;
  sqlite3_stmt *pWant;
  sqlite3_str *pList = sqlite3_str_new(c->db);
  sqlite3_str *pNotes = sqlite3_str_new(c->db);
  char *zList;
  *pzNotes = NULL;
  other = call_on(c, pExpected);
  pWant = steward_prepare(
      &other,
      "SELECT type, name, sql FROM sqlite_schema AS s WHERE sql IS NOT NULL"
      " AND NOT EXISTS (SELECT 1 FROM temp.seen AS t"
      " WHERE t.type = s.type AND t.name = s.name)"
      " ORDER BY type = 'table' DESC, name");
  while (steward_next(&other, pWant)) {
    compare_object(c, &other, pWant, bAdopt, pList, pNotes);
    if (c->rc) break;
  }
  sqlite3_finalize(pWant);
  if (c->rc == SQLITE_OK && other.rc) {
    c->rc = other.rc;
    c->zErr = other.zErr;
  } else {
    sqlite3_free(other.zErr);
  }
  zList = steward_str_complaints(c, pList);
  *pzNotes = steward_str_complaints(c, pNotes);
  return zList;
}
