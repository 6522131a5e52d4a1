/*
** fk.c - are the references of a table's rows good?
**
**     SELECT * FROM fk_validate('http') WHERE status <> 'valid';
**
** One pass over the table, whatever the number of its foreign keys, and it
** writes nothing: unlike checking row by row it does not hold up writers.
*/
#include <string.h>

#include "delta_int.h"

/* The checks of a table: each is an SQL condition on `t` that a bad row meets.
** */
typedef struct Checks {
  sqlite3_str *pMask;   /* (check 1) | (check 2) << 1 ... */
  sqlite3_str *pColumn; /* WHEN n THEN 'column' ... */
  sqlite3_str *pParent;
  sqlite3_str *pStatus;
  int n;
} Checks;

static void add_check(Checks *k, const char *zColumn, const char *zParent,
                      const char *zStatus, const char *zBad) {
  sqlite3_str_appendf(k->pMask, "%s((%s) << %d)", k->n ? " | " : "", zBad,
                      k->n);
  k->n++;
  sqlite3_str_appendf(k->pColumn, " WHEN %d THEN %Q", k->n, zColumn);
  sqlite3_str_appendf(k->pParent, " WHEN %d THEN %Q", k->n, zParent);
  sqlite3_str_appendf(k->pStatus, " WHEN %d THEN %Q", k->n, zStatus);
}

/* 'invalid_parent' for the parent column, else the column without _id. */
static char *status_of(StewardCall *c, const DeltaForm *f,
                       const char *zColumn) {
  int n = (int)strlen(zColumn);
  if (f->names.zParent && sqlite3_stricmp(zColumn, f->names.zParent) == 0) {
    return steward_mprintf(c, "invalid_parent");
  }
  if (n > 3 && sqlite3_stricmp(zColumn + n - 3, "_id") == 0) n -= 3;
  return steward_mprintf(c, "invalid_%.*s", n, zColumn);
}

/* One foreign key, which ends here: its columns, and the join of them. */
static void end_key(StewardCall *c, Checks *k, const DeltaForm *f,
                    char **pzColumns, char **pzParent, char **pzNotNull,
                    char **pzJoin) {
  if (*pzColumns && c->rc == SQLITE_OK) {
    char *zStatus = status_of(c, f, *pzColumns);
    char *zBad =
        delta_is_table(c, *pzParent)
            ? steward_mprintf(c,
                              "%s AND NOT EXISTS (SELECT 1 FROM main.\"%w\" AS"
                              " p WHERE %s)",
                              *pzNotNull, *pzParent, *pzJoin)
            : steward_mprintf(c, "%s", *pzNotNull);
    if (c->rc == SQLITE_OK) {
      add_check(k, *pzColumns, *pzParent, zStatus, zBad);
    }
    sqlite3_free(zStatus);
    sqlite3_free(zBad);
  }
  sqlite3_free(*pzColumns);
  sqlite3_free(*pzParent);
  sqlite3_free(*pzNotNull);
  sqlite3_free(*pzJoin);
  *pzColumns = *pzParent = *pzNotNull = *pzJoin = NULL;
}

/* *pz, zGlue and the new text, in place of *pz. */
static void extend(StewardCall *c, char **pz, const char *zGlue, char *zNew) {
  char *zOld = *pz;
  *pz = steward_mprintf(c, "%s%s%s", zOld ? zOld : "", zOld ? zGlue : "",
                        zNew ? zNew : "");
  sqlite3_free(zOld);
  sqlite3_free(zNew);
}

static void check_keys(StewardCall *c, Checks *k, const DeltaForm *f) {
  sqlite3_stmt *pRow = steward_query(c, SQL_fk_of_table, "t", f->base.zTable);
  char *zColumns = NULL, *zParent = NULL, *zNotNull = NULL, *zJoin = NULL;
  int iLast = -1;
  while (steward_next(c, pRow)) {
    const char *zFrom = steward_column(c, pRow, 1);
    if (sqlite3_column_int(pRow, 0) != iLast) {
      end_key(c, k, f, &zColumns, &zParent, &zNotNull, &zJoin);
      iLast = sqlite3_column_int(pRow, 0);
      zParent = steward_mprintf(c, "%s", steward_column(c, pRow, 2));
    }
    extend(c, &zColumns, ", ", steward_mprintf(c, "%s", zFrom));
    extend(c, &zNotNull, " AND ",
           steward_mprintf(c, "t.\"%w\" IS NOT NULL", zFrom));
    extend(c, &zJoin, " AND ",
           steward_mprintf(c, "p.\"%w\" = +t.\"%w\"", /* by p's affinity */
                           sqlite3_column_text(pRow, 3), zFrom));
  }
  end_key(c, k, f, &zColumns, &zParent, &zNotNull, &zJoin);
  steward_give(c, SQL_fk_of_table, pRow);
}

/* A check made by sqlite3_mprintf, which is freed. */
static void add_made(StewardCall *c, Checks *k, const char *zColumn,
                     const char *zParent, const char *zStatus, char *zBad) {
  if (zBad && c->rc == SQLITE_OK) {
    add_check(k, zColumn, zParent, zStatus, zBad);
  }
  sqlite3_free(zBad);
}

/* What no foreign key says of deltas: scopes and circles. */
static void check_deltas(StewardCall *c, Checks *k, const DeltaForm *f) {
  const DeltaNames *n = &f->names;
  const char *zTable = f->base.zTable;
  if (c->rc || n->zParent == NULL) return;
  if (n->zScope) {
    add_made(c, k, n->zParent, zTable, "other_scope",
             steward_mprintf(
                 c,
                 "EXISTS (SELECT 1 FROM main.\"%w\" AS p WHERE p.\"%w\" ="
                 " t.\"%w\" AND p.\"%w\" IS NOT t.\"%w\")",
                 zTable, n->zKey, n->zParent, n->zScope, n->zScope));
  }
  add_made(c, k, n->zParent, zTable, "circular_parent",
           steward_mprintf(
               c,
               "EXISTS (SELECT 1 FROM main.\"%w\" AS p WHERE p.\"%w\" ="
               " t.\"%w\" AND p.\"%w\" IS NOT NULL) AND EXISTS (WITH RECURSIVE"
               " up(k, n) AS"
               " (SELECT t.\"%w\", 0 UNION ALL SELECT p.\"%w\", n + 1 FROM up"
               " CROSS JOIN main.\"%w\" AS p ON p.\"%w\" = up.k WHERE n < 1000"
               " AND t.\"%w\" <> up.k) SELECT 1 FROM up WHERE t.\"%w\" = up.k)",
               zTable, n->zKey, n->zParent, n->zParent, n->zParent, n->zParent,
               zTable, n->zKey, n->zKey, n->zKey));
}

/* What no foreign key says of children: an override changes a child of a row
** above its own, and the list goes both ways. */
static void check_children(StewardCall *c, Checks *k, const DeltaForm *f,
                           const DeltaForm *pOwner) {
  const DeltaNames *n = &f->names, *o = &pOwner->names;
  const char *zTable = f->base.zTable;
  if (c->rc) return;
  if (n->zParent && o->zParent) {
    add_made(
        c, k, n->zParent, zTable, "unrelated_parent",
        steward_mprintf(
            c,
            "EXISTS (SELECT 1 FROM main.\"%w\" AS p WHERE p.\"%w\" = t.\"%w\""
            " AND NOT EXISTS (WITH RECURSIVE up(k, n) AS (SELECT t.\"%w\", 0"
            " UNION ALL SELECT h.\"%w\", n + 1 FROM up CROSS JOIN main.\"%w\""
            " AS h ON h.\"%w\" = up.k WHERE n < 1000) SELECT 1 FROM up WHERE"
            " up.k = p.\"%w\"))",
            zTable, n->zKey, n->zParent, n->zOwner, o->zParent,
            pOwner->base.zTable, o->zKey, n->zOwner));
  }
  if (n->zPrev && n->zNext) {
    add_made(c, k, n->zNext, zTable, "broken_list",
             steward_mprintf(
                 c,
                 "EXISTS (SELECT 1 FROM main.\"%w\" AS p WHERE p.\"%w\" ="
                 " t.\"%w\" AND (p.\"%w\" IS NOT t.\"%w\" OR p.\"%w\" IS NOT"
                 " t.\"%w\"))",
                 zTable, n->zKey, n->zNext, n->zPrev, n->zKey, n->zOwner,
                 n->zOwner));
    add_made(c, k, n->zPrev, zTable, "broken_list",
             steward_mprintf(
                 c,
                 "EXISTS (SELECT 1 FROM main.\"%w\" AS p WHERE p.\"%w\" ="
                 " t.\"%w\" AND (p.\"%w\" IS NOT t.\"%w\" OR p.\"%w\" IS NOT"
                 " t.\"%w\"))",
                 zTable, n->zKey, n->zPrev, n->zNext, n->zKey, n->zOwner,
                 n->zOwner));
  }
}

/* A column that an argument needs. */
static void need(StewardCall *c, const DeltaForm *f, const char *zColumn,
                 const char *zArgument) {
  if (c->rc || zColumn) return;
  steward_fail(c, STEWARD_INVALID_ARGUMENT,
               "table '%s' has no column for argument %s: leave it out, or "
               "name the column by delta_define",
               f->base.zTable, zArgument);
}

/* What a row of `t` is called: its key, or of several columns all of them, as
** SQL writes them.  Caller frees. */
static char *id_sql(StewardCall *c, const DeltaForm *f) {
  StewardTableInfo info;
  sqlite3_str *p;
  int iPk, i;
  if (!f->bNoKey) return steward_mprintf(c, "t.\"%w\"", f->names.zKey);
  p = sqlite3_str_new(c->db);
  steward_table_info(c, f->base.zTable, &info);
  for (iPk = 1; iPk <= info.nCol; iPk++) {
    for (i = 0; i < info.nCol; i++) {
      if (info.aCol[i].iPk != iPk) continue;
      sqlite3_str_appendf(p, "%squote(t.\"%w\")",
                          iPk > 1 ? "||', '||" : "'('||", info.aCol[i].zName);
    }
  }
  sqlite3_str_appendall(p, "||')'");
  steward_table_info_free(&info);
  return steward_str_finish(c, p);
}

static sqlite3_stmt *validate_sql(StewardCall *c, const DeltaForm *f, Checks *k,
                                  int bSince, int bScope) {
  sqlite3_str *p = sqlite3_str_new(c->db);
  char *zId = id_sql(c, f);
  int i;
  sqlite3_str_appendf(
      p,
      "SELECT r.id, CASE k.n%s END, CASE k.n%s END, CASE k.n WHEN 0 THEN"
      " 'valid'%s END FROM (SELECT %s AS id, %s AS bad FROM main.\"%w\""
      " AS t WHERE 1",
      k->n ? sqlite3_str_value(k->pColumn) : " WHEN 0 THEN NULL",
      k->n ? sqlite3_str_value(k->pParent) : " WHEN 0 THEN NULL",
      k->n ? sqlite3_str_value(k->pStatus) : "", zId ? zId : "",
      k->n ? sqlite3_str_value(k->pMask) : "0", f->base.zTable);
  sqlite3_free(zId);
  if (bSince) sqlite3_str_appendf(p, " AND t.\"%w\" > ?2", f->names.zTime);
  if (bScope) sqlite3_str_appendf(p, " AND t.\"%w\" = ?3", f->names.zScope);
  /* the LIMIT keeps SQLite from writing the checks out once more for each use
  ** of `bad` */
  sqlite3_str_appendall(p, " LIMIT -1) AS r CROSS JOIN (SELECT 0 AS n");
  for (i = 1; i <= k->n; i++) {
    sqlite3_str_appendf(p, " UNION ALL SELECT %d", i);
  }
  sqlite3_str_appendall(p, ") AS k WHERE iif(k.n, (r.bad >> (k.n - 1)) & 1,"
                           " r.bad = 0)");
  return steward_prepare_text(c, steward_str_finish(c, p));
}

static int given(sqlite3_value *v) {
  return v && sqlite3_value_type(v) != SQLITE_NULL;
}

/* fk_validate(id, column_name TEXT, parent_table TEXT, status TEXT,
**   HIDDEN table_name, HIDDEN since, HIDDEN scope)    table
** Every row of a table, changed after `since` and in the scope if these are
** given: status valid, or a row for each thing that is wrong with it: a foreign
** key whose parent is not there (invalid_workspace, invalid_folder,
** invalid_parent: the column without _id), and of overlays other_scope,
** circular_parent, unrelated_parent (an override of a child that its request
** does not have; delta_children leaves it out) and broken_list.  One pass, from
** the table's real foreign keys, whether they are enforced or not.  Rows are
** called by the primary key, where that has several columns by another that is
** unique and not NULL or the rowid, or else by all of them: (1, 'a').
** Set: none
** Errors: NOT_FOUND; INVALID_ARGUMENT for since or scope without such a column.
** Source: seed 004, ValidateHTTPForeignKeysBatch.
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('a', 'w', 'A', '/a', 'GET'), ('b', 'gone', 'B', '/b', 'GET');
**   SELECT * FROM fk_validate('http') WHERE status <> 'valid';
**   -- b|workspace_id|workspaces|invalid_workspace
*/
static void validate_rows(StewardCall *c, StewardRows *r, int nArg,
                          sqlite3_value **apArg) {
  const char *zTable = steward_arg_text(c, apArg[0], "table", 1000);
  DeltaForm *f = NULL, *pOwner = NULL;
  sqlite3_stmt *pStmt = NULL;
  Checks k;
  memset(&k, 0, sizeof(k));
  if (zTable) f = delta_form_any(c, zTable);
  if (f == NULL) return;
  k.pMask = sqlite3_str_new(c->db);
  k.pColumn = sqlite3_str_new(c->db);
  k.pParent = sqlite3_str_new(c->db);
  k.pStatus = sqlite3_str_new(c->db);
  if (given(apArg[1])) need(c, f, f->names.zTime, "since");
  if (given(apArg[2])) need(c, f, f->names.zScope, "scope");
  check_keys(c, &k, f);
  check_deltas(c, &k, f);
  if (f->zOwnerTable && c->rc == SQLITE_OK) {
    pOwner = delta_form_loose(c, f->zOwnerTable);
    if (pOwner) check_children(c, &k, f, pOwner);
    delta_form_close(c, pOwner);
  }
  if (c->rc == SQLITE_OK) {
    pStmt = validate_sql(c, f, &k, given(apArg[1]), given(apArg[2]));
  }
  if (pStmt && given(apArg[1])) steward_bind_value(c, pStmt, 2, apArg[1]);
  if (pStmt && given(apArg[2])) delta_bind_id(c, pStmt, 3, apArg[2]);
  steward_rows_own(r, pStmt);
  sqlite3_free(sqlite3_str_finish(k.pMask));
  sqlite3_free(sqlite3_str_finish(k.pColumn));
  sqlite3_free(sqlite3_str_finish(k.pParent));
  sqlite3_free(sqlite3_str_finish(k.pStatus));
  delta_form_close(c, f);
}

static const StewardTable aTable[] = {
    {.zName = "fk_validate",
     .zColumns =
         "id, column_name TEXT, parent_table TEXT, status TEXT,"
         " table_name HIDDEN BLOB, since HIDDEN BLOB, scope HIDDEN BLOB",
     .nArg = 3,
     .nRequired = 1,
     .xRows = validate_rows},
};

int fk_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
