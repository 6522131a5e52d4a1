/*
** delta_write.c - making a delta, and changing a row that nobody else has
** changed.
**
**     SELECT delta_create('http', :base, :id, '{"url":"/items?page=2"}');
**     SELECT stream_version('http', :id);                  -- 5f1c...
**     SELECT delta_update('http', :id, '{"method":"PUT"}', '5f1c...');
**
** A version is a number of the content of the whole row, so it needs nothing
** that writers must keep up, and a clock that ticks once a second does no harm.
*/
#include <string.h>

#include "delta_int.h"

/* What the JSON argument sets: columns and values. */
typedef struct Change {
  struct {
    const DeltaColumn *pColumn; /* NULL: the owner */
    sqlite3_value *pValue;      /* owned */
  } * a;
  int n;
} Change;

static void change_free(Change *p) {
  int i;
  for (i = 0; i < p->n; i++) sqlite3_value_free(p->a[i].pValue);
  sqlite3_free(p->a);
}

static void fail_member(StewardCall *c, const DeltaForm *f, const char *zName) {
  const char *azKnown[64], *zNear;
  int i, n = 0;
  for (i = 0; i < f->nColumn && n < ArraySize(azKnown); i++) {
    if (f->aColumn[i].zOverlay) azKnown[n++] = f->aColumn[i].zName;
  }
  zNear = steward_nearest(zName, azKnown, n);
  if (zNear) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' has no column '%s' that can be set: did you mean "
                 "'%s'?",
                 f->base.zTable, zName, zNear);
  } else {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' has no column '%s' that can be set: SELECT "
                 "column_name FROM delta_blame(%Q, id) lists its columns",
                 f->base.zTable, zName, f->base.zTable);
  }
}

/* The column of this name, if it may be set: in a delta one with an overlay or
** the owner, in a base any but the key. */
static const DeltaColumn *settable(const DeltaForm *f, const char *zName,
                                   int bDelta) {
  int i;
  for (i = 0; i < f->nColumn; i++) {
    const DeltaColumn *p = &f->aColumn[i];
    if (sqlite3_stricmp(p->zName, zName)) continue;
    if (p->zOverlay) return p;
    if (f->names.zOwner && !sqlite3_stricmp(zName, f->names.zOwner)) return p;
    if (bDelta || !sqlite3_stricmp(zName, f->names.zKey)) return NULL;
    if (f->names.zScope && !sqlite3_stricmp(zName, f->names.zScope)) {
      return NULL;
    }
    return p;
  }
  return NULL;
}

/* Read the JSON object. */
static void read_change(StewardCall *c, const DeltaForm *f, sqlite3_value *v,
                        int bDelta, Change *pChange) {
  sqlite3_stmt *pRow;
  if (c->rc) return;
  if (sqlite3_value_type(v) != SQLITE_TEXT ||
      steward_int(c, SQL_options_is_object, 0, "v", v) == 0) {
    char *zGot = steward_quote_value(c, v);
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "values must be a JSON object like {\"name\":\"x\"}, got %s",
                 zGot);
    sqlite3_free(zGot);
    return;
  }
  pRow = steward_query(c, SQL_options_each, "v", v);
  while (steward_next(c, pRow)) {
    const char *zName = steward_column(c, pRow, 0);
    const DeltaColumn *pColumn = settable(f, zName, bDelta);
    void *aNew;
    if (pColumn == NULL) fail_member(c, f, zName);
    if (c->rc) break;
    aNew = sqlite3_realloc64(pChange->a,
                             sizeof(pChange->a[0]) * (size_t)(pChange->n + 1));
    if (aNew == NULL) {
      steward_fail_nomem(c);
      break;
    }
    pChange->a = aNew;
    pChange->a[pChange->n].pColumn = pColumn;
    pChange->a[pChange->n].pValue =
        steward_json_scalar(c, steward_column(c, pRow, 3));
    pChange->n++;
  }
  steward_give(c, SQL_options_each, pRow);
}

/* The value that the change has for a column, or NULL. */
static sqlite3_value *changed(const Change *p, const char *zColumn) {
  int i;
  for (i = 0; i < p->n; i++) {
    const DeltaColumn *k = p->a[i].pColumn;
    if (!sqlite3_stricmp(k->zOverlay ? k->zOverlay : k->zName, zColumn)) {
      return p->a[i].pValue;
    }
  }
  return NULL;
}

static int is_name(const char *zName, const char *zColumn) {
  return zName && sqlite3_stricmp(zName, zColumn) == 0;
}

/* The present time in the table's unit. */
static i64 table_now(StewardCall *c, const DeltaForm *f) {
  i64 iNow = steward_now(c->p);
  return f->names.eUnit == DELTA_UNIT_S ? iNow / 1000 : iNow;
}

/*************************************************************************
** delta_create
*/

/* INSERT .. SELECT from the parent: ?1 the parent, ?2 the id, ?3 the time, from
** ?4 on the columns in the table's order. */
static sqlite3_stmt *insert_sql(StewardCall *c, const DeltaForm *f,
                                const StewardTableInfo *pInfo,
                                const Change *pChange) {
  const DeltaNames *n = &f->names;
  sqlite3_str *pList = sqlite3_str_new(c->db);
  sqlite3_str *pFrom = sqlite3_str_new(c->db);
  char *zList, *zFrom;
  sqlite3_stmt *pStmt = NULL;
  int i, nDone = 0;
  for (i = 0; i < pInfo->nCol; i++) {
    const char *zName = pInfo->aCol[i].zName;
    int bOverlay = 0, k;
    if (pInfo->aCol[i].bHidden) continue;
    for (k = 0; k < f->nColumn; k++) {
      bOverlay |= is_name(f->aColumn[k].zOverlay, zName);
    }
    sqlite3_str_appendf(pList, "%s\"%w\"", nDone ? ", " : "", zName);
    if (nDone++) sqlite3_str_appendall(pFrom, ", ");
    if (is_name(n->zKey, zName)) {
      sqlite3_str_appendall(pFrom, "?2");
    } else if (is_name(n->zParent, zName)) {
      sqlite3_str_appendf(pFrom, "p.\"%w\"", n->zKey);
    } else if (is_name(n->zFlag, zName)) {
      sqlite3_str_appendall(pFrom, "1");
    } else if (is_name(n->zTime, zName) || is_name(n->zCreated, zName)) {
      sqlite3_str_appendall(pFrom, "?3");
    } else if (bOverlay || changed(pChange, zName)) {
      sqlite3_str_appendf(pFrom, "?%d", i + 4);
    } else if (is_name(n->zPrev, zName) || is_name(n->zNext, zName)) {
      sqlite3_str_appendall(pFrom, "NULL");
    } else {
      sqlite3_str_appendf(pFrom, "p.\"%w\"", zName);
    }
  }
  zList = steward_str_finish(c, pList);
  zFrom = steward_str_finish(c, pFrom);
  if (c->rc == SQLITE_OK) {
    pStmt = steward_prepare(
        c,
        "INSERT INTO main.\"%w\"(%s) SELECT %s FROM main.\"%w\" AS p"
        " WHERE p.\"%w\" = ?1",
        f->base.zTable, zList, zFrom, f->base.zTable, n->zKey);
  }
  sqlite3_free(zList);
  sqlite3_free(zFrom);
  return pStmt;
}

static void insert_delta(StewardCall *c, DeltaForm *f, sqlite3_value **argv,
                         const Change *pChange) {
  StewardTableInfo info;
  sqlite3_stmt *pStmt;
  int i;
  steward_table_info(c, f->base.zTable, &info);
  pStmt = c->rc ? NULL : insert_sql(c, f, &info, pChange);
  delta_bind_id(c, pStmt, 1, argv[1]);
  delta_bind_id(c, pStmt, 2, argv[2]);
  if (pStmt) sqlite3_bind_int64(pStmt, 3, table_now(c, f));
  for (i = 0; i < info.nCol && c->rc == SQLITE_OK; i++) {
    sqlite3_value *v = changed(pChange, info.aCol[i].zName);
    if (v) steward_bind_value(c, pStmt, i + 4, v);
  }
  steward_next(c, pStmt);
  if (c->rc == SQLITE_OK && sqlite3_changes(c->db) == 0) {
    char *zParent = delta_show(c, argv[1]);
    steward_fail(c, STEWARD_NOT_FOUND,
                 "table '%s' has no row %s to be the parent: give the id of a "
                 "row that is there",
                 f->base.zTable, zParent);
    sqlite3_free(zParent);
  }
  sqlite3_finalize(pStmt);
  steward_table_info_free(&info);
}

/* The new row must resolve: its chain is whole and not too long. */
static void check_new(StewardCall *c, DeltaForm *f, sqlite3_value *pId) {
  DeltaView view = {0};
  sqlite3_stmt *pRow = delta_seek(c, f, &view, DELTA_LEAF, pId);
  if (pRow) delta_resolve_row(c, f, &view, pRow);
}

/* delta_create(table TEXT, parent, id, values JSON) -> the id    directonly
** Make a delta of the row `parent`, a base or a delta: values is an object of
** the columns that it changes, {} for none; null inherits.  The other columns
** are copies of the parent's, as NOT NULL wants some; nobody reads them.  In a
** table of children the owner (http_id) is among the values: the row that the
** override belongs to.
** Set: none
** Errors: "NOT_FOUND: delta_create: table 'http' has no row 'x' to be the
**   parent: give the id of a row that is there"; INVALID_ARGUMENT for a column
**   that has no overlay; CONFLICT, LIMIT_EXCEEDED as delta_resolve; SQLite's
**   own for constraints of the table.
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   SELECT delta_create('http', 'list', 'page2', '{"url":"/items?page=2"}');
**   -- page2
**   SELECT delta_resolve('http', 'page2') ->> 'url'; -- /items?page=2
*/
static void delta_create(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  DeltaForm *f = NULL;
  Change change = {0};
  i64 iBegin = steward_monotonic_us();
  const char *zTable;
  steward_open(&c, ctx, "delta_create", NULL, STEWARD_WRITE);
  zTable = steward_arg_text(&c, argv[0], "table", 1000);
  steward_arg_payload(&c, argv[1], "parent");
  steward_arg_payload(&c, argv[2], "id");
  if (c.rc == SQLITE_OK) f = delta_form_open(&c, zTable);
  if (f) {
    read_change(&c, f, argv[3], 1, &change);
    if (c.rc == SQLITE_OK && f->names.zOwner &&
        changed(&change, f->names.zOwner) == NULL) {
      steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                   "table '%s' holds children: say in the values by '%s' to "
                   "which row this one belongs",
                   f->base.zTable, f->names.zOwner);
    }
    insert_delta(&c, f, argv, &change);
    check_new(&c, f, argv[2]);
  }
  change_free(&change);
  stream_note(&c, "update", f ? f->base.zTable : zTable, NULL,
              c.rc == SQLITE_OK, iBegin);
  delta_form_close(&c, f);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_value(ctx, argv[2]);
}

/*************************************************************************
** Versions
*/

/* The version of the row; "" when there is none. */
static void row_version(StewardCall *c, DeltaForm *f, sqlite3_value *pId,
                        char zVersion[17] /* OUT */) {
  DeltaView view = {0};
  sqlite3_stmt *pRow = delta_seek(c, f, &view, DELTA_ALL, pId);
  i64 iHash = 0;
  int i;
  zVersion[0] = '\0';
  if (pRow == NULL) return;
  for (i = 0; i < sqlite3_column_count(pRow); i++) {
    iHash = steward_value_hash(sqlite3_column_value(pRow, i), iHash);
  }
  sqlite3_snprintf(17, zVersion, "%016llx", iHash);
  sqlite3_reset(pRow);
}

/* stream_version(table TEXT, id) -> TEXT    plain
** The version of a row: the same as long as its content is, whoever writes it.
** NULL when there is no such row.  For any table with a key of one column.
** Set: none
** Errors: "NOT_FOUND: stream_version: no table 'x' in main: ...".
** Source: seed 004, TestConcurrentHTTPUpdate.
** Example: CREATE TABLE t(id INTEGER PRIMARY KEY, x);
**   INSERT INTO t VALUES (1, 'a'), (2, 'a');
**   SELECT stream_version('t', 1) = stream_version('t', 1),
**     stream_version('t', 1) = stream_version('t', 2); -- 1|0
*/
static void stream_version(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  StewardCall c;
  DeltaForm *f = NULL;
  char zVersion[17] = "";
  steward_open(&c, ctx, "stream_version", NULL, STEWARD_READ);
  if (sqlite3_value_type(argv[0]) != SQLITE_NULL &&
      sqlite3_value_type(argv[1]) != SQLITE_NULL) {
    const char *zTable = steward_arg_text(&c, argv[0], "table", 1000);
    if (zTable) f = delta_form_loose(&c, zTable);
    if (f) row_version(&c, f, argv[1], zVersion);
  }
  delta_form_close(&c, f);
  if (steward_close(&c) == SQLITE_OK && zVersion[0]) {
    sqlite3_result_text(ctx, zVersion, -1, SQLITE_TRANSIENT);
  }
}

/*************************************************************************
** delta_update
*/

/* Refuse when the row is not at this version. */
static void check_version(StewardCall *c, DeltaForm *f, sqlite3_value *pId,
                          const char *zExpected) {
  char zVersion[17];
  char *zRow;
  if (c->rc) return;
  row_version(c, f, pId, zVersion);
  if (strcmp(zVersion, zExpected) == 0) return;
  zRow = delta_show(c, pId);
  if (zVersion[0] == '\0') {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "table '%s' has no row %s: somebody may have deleted it",
                 f->base.zTable, zRow);
  } else {
    steward_fail(c, STEWARD_CONFLICT,
                 "row %s of table '%s' is at version %s, not '%s': read it "
                 "again and repeat the change",
                 zRow, f->base.zTable, zVersion, zExpected);
  }
  sqlite3_free(zRow);
}

/* Is the row a delta? */
static int is_delta(StewardCall *c, DeltaForm *f, sqlite3_value *pId) {
  DeltaView view = {0};
  sqlite3_stmt *pRow = delta_seek(c, f, &view, DELTA_LEAF, pId);
  int b =
      pRow && delta_row_kind(sqlite3_column_value(pRow, ROW_FLAG)) == ROW_DELTA;
  sqlite3_reset(pRow);
  return b;
}

static void update_row(StewardCall *c, DeltaForm *f, sqlite3_value *pId,
                       int bDelta, const Change *pChange) {
  sqlite3_str *pSql = sqlite3_str_new(c->db);
  sqlite3_stmt *pStmt;
  int i;
  sqlite3_str_appendf(pSql, "UPDATE main.\"%w\" SET ", f->base.zTable);
  for (i = 0; i < pChange->n; i++) {
    const DeltaColumn *p = pChange->a[i].pColumn;
    sqlite3_str_appendf(pSql, "\"%w\" = ?%d, ",
                        bDelta && p->zOverlay ? p->zOverlay : p->zName, i + 3);
  }
  if (f->names.zTime) {
    sqlite3_str_appendf(pSql, "\"%w\" = ?2, ", f->names.zTime);
  }
  sqlite3_str_appendf(pSql, "\"%w\" = \"%w\" WHERE \"%w\" = ?1", f->names.zKey,
                      f->names.zKey, f->names.zKey);
  pStmt = steward_prepare_text(c, steward_str_finish(c, pSql));
  delta_bind_id(c, pStmt, 1, pId);
  if (pStmt && f->names.zTime) {
    sqlite3_bind_int64(pStmt, 2, table_now(c, f));
  }
  for (i = 0; i < pChange->n && c->rc == SQLITE_OK; i++) {
    steward_bind_value(c, pStmt, i + 3, pChange->a[i].pValue);
  }
  steward_next(c, pStmt);
  sqlite3_finalize(pStmt);
}

/* delta_update(table TEXT, id, values JSON, expected_version TEXT)
**   -> INTEGER, always 1    directonly
** Change a row that is still at the version that stream_version gave.  In a
** delta the values go to the overlays (null inherits again), in a base to its
** own columns; the time column gets the present time.  Of two writers that read
** the same version one is refused, also within one second.
** Set: none
** Errors: "CONFLICT: delta_update: row 'list' of table 'http' is at version
**   ..., not 'x': read it again and repeat the change"; NOT_FOUND;
**   INVALID_ARGUMENT for a column that cannot be set; BUSY.
** Source: seed 004, TestConcurrentHTTPUpdate.
** Example: INSERT INTO http(id, workspace_id, name, url, method, created_at,
**     updated_at) VALUES ('list', 'w', 'List', '/items', 'GET', 100, 100);
**   SELECT stream_version('http', 'list'); -- ae2f3f28b03f278a
**   SELECT delta_update('http', 'list', '{"name":"All"}',
**     'ae2f3f28b03f278a'); -- 1
**   SELECT name FROM http; -- All
*/
static void delta_update(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  DeltaForm *f = NULL;
  Change change = {0};
  i64 iBegin = steward_monotonic_us();
  const char *zTable, *zVersion;
  int bDelta;
  steward_open(&c, ctx, "delta_update", NULL, STEWARD_WRITE);
  zTable = steward_arg_text(&c, argv[0], "table", 1000);
  steward_arg_payload(&c, argv[1], "id");
  zVersion = steward_arg_text(&c, argv[3], "expected_version", 1000);
  if (c.rc == SQLITE_OK) f = delta_form_open(&c, zTable);
  if (f) {
    check_version(&c, f, argv[1], zVersion);
    bDelta = is_delta(&c, f, argv[1]);
    read_change(&c, f, argv[2], bDelta, &change);
    if (c.rc == SQLITE_OK) update_row(&c, f, argv[1], bDelta, &change);
  }
  change_free(&change);
  stream_note(&c, "update", f ? f->base.zTable : zTable, NULL,
              c.rc == SQLITE_OK, iBegin);
  delta_form_close(&c, f);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

static const StewardFunc aFunc[] = {
    {"delta_create", 4, 4, STEWARD_DIRECTONLY, delta_create, NULL, 0},
    {"stream_version", 2, 2, STEWARD_PLAIN, stream_version, NULL, 0},
    {"delta_update", 4, 4, STEWARD_DIRECTONLY, delta_update, NULL, 0},
};

int delta_write_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
