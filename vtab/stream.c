/*
** stream.c - the tables of streams: pages of a snapshot, changes behind a
** position, deltas, activity, metrics.
**
** A reader takes a snapshot page by page, notes the position that every row of
** it shows, and goes on with stream_changes behind that position.  The position
** is taken before the first page is read, and the cursor carries it through the
** others: so whatever changes while the pages are read comes again as a change,
** and nothing is missed.
**
** Pages follow the index on (scope, flag, time) where there is one (for http
** http_workspace_streaming_idx), newest first, and rows of the same time by
** their rowid; a cursor holds the schema's version, as VACUUM may give rows
** other rowids and raises it: then the rows of that time come again.  Without
** that index pages follow the key.
*/
#include <limits.h>
#include <string.h>

#include "stream_int.h"

/*************************************************************************
** stream_snapshot
*/

/* Where a page begins; with bIndex a place in the index, else a key. */
typedef struct Place {
  i64 iPosition;        /* of the log, before the first page; -1: none */
  i64 iSchema;          /* the schema's version */
  int iFlag;            /* bases or deltas */
  sqlite3_value *pLast; /* time, or key; owned; NULL: at the beginning */
  i64 iRowid;
} Place;

typedef struct Page {
  DeltaForm *f;
  StreamFilter filter;
  sqlite3_value *pScope; /* owned */
  sqlite3_value *pSince; /* borrowed */
  int bIndex;
  i64 nMax, nRow;
  i64 iPosition, iSchema;
} Page;

/* Columns of a page's statement; the row's own follow. */
enum { PAGE_KEY, PAGE_PARENT, PAGE_FLAG, PAGE_TIME, PAGE_ROWID, PAGE_ROW };

/* SELECT .. WHERE, with the scope, the kind, the filter and since. */
static sqlite3_str *page_head(StewardCall *c, const Page *p) {
  const DeltaNames *n = &p->f->names;
  sqlite3_str *s = sqlite3_str_new(c->db);
  int i;
  sqlite3_str_appendf(s, "SELECT \"%w\", ", n->zKey);
  if (n->zParent) {
    sqlite3_str_appendf(s, "\"%w\" IS NOT NULL, ", n->zParent);
  } else {
    sqlite3_str_appendall(s, "0, ");
  }
  sqlite3_str_appendf(s, "%s, ", p->f->zFlagSql);
  if (n->zTime) {
    sqlite3_str_appendf(s, "\"%w\", ", n->zTime);
  } else {
    sqlite3_str_appendall(s, "NULL, ");
  }
  sqlite3_str_appendf(s, "%s, %s FROM main.\"%w\" WHERE 1",
                      p->f->zRowid ? p->f->zRowid : "0", p->f->zColumns,
                      p->f->base.zTable);
  if (p->pScope) {
    sqlite3_str_appendf(s, " AND %s\"%w\" = ?1", p->bIndex ? "" : "+",
                        n->zScope);
    if (p->f->zScopeType &&
        strchr(p->f->zScopeType, '*')) { /* one stream for each value */
      sqlite3_str_appendf(s,
                          " AND \"%w\" = ?1 COLLATE BINARY AND"
                          " typeof(\"%w\") = typeof(?1)",
                          n->zScope, n->zScope);
    }
  }
  if (!p->bIndex && p->filter.eKind < 2) {
    sqlite3_str_appendf(s, " AND coalesce(%s, 0) = %d", p->f->zFlagSql,
                        p->filter.eKind);
  }
  for (i = 0; i < p->filter.n; i++) {
    sqlite3_str_appendf(s, " AND \"%w\" IS ?%d", p->filter.a[i].zColumn,
                        10 + i);
  }
  if (p->pSince) sqlite3_str_appendf(s, " AND \"%w\" >= ?6", n->zTime);
  return s;
}

static void bind_page(StewardCall *c, const Page *p, const Place *pPlace,
                      sqlite3_stmt *pStmt) {
  int i;
  if (pStmt == NULL || c->rc) return;
  /* what the text lacks cannot be bound, and need not */
  if (p->pScope) steward_bind_value(c, pStmt, 1, p->pScope);
  sqlite3_bind_int(pStmt, 2, pPlace->iFlag);
  if (pPlace->pLast) steward_bind_value(c, pStmt, 3, pPlace->pLast);
  sqlite3_bind_int64(pStmt, 4, pPlace->iRowid);
  sqlite3_bind_int64(pStmt, 5, p->nMax - p->nRow + 1);
  if (p->pSince) steward_bind_value(c, pStmt, 6, p->pSince);
  for (i = 0; i < p->filter.n; i++) {
    steward_bind_value(c, pStmt, 10 + i, p->filter.a[i].pValue);
  }
}

/* The cursor behind the row. */
static void cursor_json(StewardCall *c, const Page *p, sqlite3_stmt *pRow,
                        int iFlag, StewardBuffer *pOut) {
  char z[80];
  sqlite3_snprintf(sizeof(z), z, "[%lld,%lld,%d,", p->iPosition, p->iSchema,
                   p->bIndex ? iFlag : -1);
  steward_buffer_add(c, pOut, z, strlen(z));
  steward_buffer_json(
      c, pOut, sqlite3_column_value(pRow, p->bIndex ? PAGE_TIME : PAGE_KEY));
  sqlite3_snprintf(sizeof(z), z, ",%lld]",
                   p->bIndex ? sqlite3_column_int64(pRow, PAGE_ROWID) : 0);
  steward_buffer_add(c, pOut, z, strlen(z));
}

/* Add the rows of a statement; 1 when there are more than fit. */
static int add_page(StewardCall *c, StewardRows *r, Page *p, sqlite3_stmt *pRow,
                    int iFlag) {
  size_t nRow = 0;
  int bMore = 0;
  while (!bMore && steward_next(c, pRow)) {
    StewardBuffer row = {0}, cursor = {0};
    if (p->nRow == p->nMax) {
      bMore = 1;
      break;
    }
    steward_buffer_reserve(c, &row, nRow + 32);
    stream_row_json(c, p->f, pRow, PAGE_ROW, &row);
    nRow = row.n;
    cursor_json(c, p, pRow, iFlag, &cursor);
    steward_row(c, r, p->iPosition < 0 ? "vbiivbni" : "vbiivbli",
                sqlite3_column_value(pRow, PAGE_KEY), &row,
                sqlite3_column_int(pRow, PAGE_FLAG) == 1,
                sqlite3_column_int(pRow, PAGE_PARENT),
                sqlite3_column_value(pRow, PAGE_TIME), &cursor, p->iPosition,
                0);
    steward_buffer_free(&row);
    steward_buffer_free(&cursor);
    p->nRow++;
  }
  if (pRow) {
    sqlite3_reset(pRow);
    sqlite3_clear_bindings(pRow);
  }
  return bMore;
}

/* Read by the index: the rest of the rows of the place's time, then older. */
static int page_by_index(StewardCall *c, StewardRows *r, Page *p,
                         Place *pPlace) {
  const DeltaNames *n = &p->f->names;
  int bMore = 0, iFlag, iLast = p->filter.eKind == 0 ? 0 : 1;
  int iFirst = p->filter.eKind == 1 ? 1 : 0, eTail;
  if (pPlace->pLast) iFirst = pPlace->iFlag;
  for (iFlag = iFirst; iFlag <= iLast && !bMore; iFlag++) {
    int bFrom = pPlace->pLast && iFlag == pPlace->iFlag;
    for (eTail = bFrom ? 0 : 1; eTail < 2 && !bMore; eTail++) {
      Place at = *pPlace;
      sqlite3_str *s = page_head(c, p);
      sqlite3_stmt *pStmt;
      at.iFlag = iFlag;
      sqlite3_str_appendf(s, " AND %s = ?2", p->f->zFlagSql);
      if (eTail == 0) {
        sqlite3_str_appendf(s, " AND \"%w\" = ?3 AND %s > ?4 ORDER BY %s",
                            n->zTime, p->f->zRowid, p->f->zRowid);
      } else {
        if (bFrom) sqlite3_str_appendf(s, " AND \"%w\" < ?3", n->zTime);
        sqlite3_str_appendf(s, " ORDER BY \"%w\" DESC, %s", n->zTime,
                            p->f->zRowid);
      }
      sqlite3_str_appendall(s, " LIMIT ?5");
      pStmt = delta_kept(c, p->f, steward_str_finish(c, s));
      bind_page(c, p, &at, pStmt);
      bMore = add_page(c, r, p, pStmt, iFlag);
    }
  }
  return bMore;
}

static int page_by_key(StewardCall *c, StewardRows *r, Page *p, Place *pPlace) {
  sqlite3_str *s = page_head(c, p);
  sqlite3_stmt *pStmt;
  if (pPlace->pLast) {
    sqlite3_str_appendf(s, " AND \"%w\" > ?3", p->f->names.zKey);
  }
  sqlite3_str_appendf(s, " ORDER BY \"%w\" LIMIT ?5", p->f->names.zKey);
  pStmt = delta_kept(c, p->f, steward_str_finish(c, s));
  bind_page(c, p, pPlace, pStmt);
  return add_page(c, r, p, pStmt, 0);
}

/* Read the cursor that an earlier page gave. */
static void read_place(StewardCall *c, const Page *p, sqlite3_value *v,
                       Place *pPlace) {
  sqlite3_stmt *pRow;
  int i = 0, bOk = 0;
  memset(pPlace, 0, sizeof(*pPlace));
  if (c->rc || !stream_given(v)) return;
  pRow = steward_query(c, SQL_stream_cursor, "v", v);
  while (steward_next(c, pRow)) {
    i64 iValue = sqlite3_column_int64(pRow, 0);
    if (i == 0) pPlace->iPosition = iValue;
    if (i == 1) pPlace->iSchema = iValue;
    if (i == 2) pPlace->iFlag = (int)iValue;
    if (i == 3) {
      pPlace->pLast = steward_json_scalar(c, steward_column(c, pRow, 1));
    }
    if (i == 4) pPlace->iRowid = iValue;
    i++;
  }
  steward_give(c, SQL_stream_cursor, pRow);
  bOk = i == 5 && pPlace->pLast;
  if (c->rc == SQLITE_OK && (!bOk || (pPlace->iFlag >= 0) != p->bIndex)) {
    char *zGot = steward_quote_value(c, v);
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "after must be the cursor of a row of an earlier page, got "
                 "%s: take it, or start again with NULL",
                 zGot);
    sqlite3_free(zGot);
  }
}

/* Fill the page; apArg as declared. */
static void read_page(StewardCall *c, StewardRows *r, Page *p,
                      sqlite3_value **apArg) {
  Place place;
  int bMore, i;
  stream_check_scope(c, p->f, apArg[1]);
  p->pScope = stream_arg_scope(c, p->f, apArg[1]);
  p->nMax = stream_arg_rows(c, apArg[3]);
  if (stream_given(apArg[4])) p->pSince = apArg[4];
  if (p->pSince && p->f->names.zTime == NULL) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' has no column with the time of a change, which "
                 "since needs",
                 p->f->base.zTable);
  }
  stream_filter_read(c, p->f, stream_arg_object(c, apArg[5], "filter"),
                     &p->filter);
  p->bIndex = p->f->bStreamIndex;
  p->iPosition =
      p->f->iStreamFrom < 0 ? -1 : steward_int(c, SQL_log_last, 0, "");
  p->iSchema = p->f->iSchema;
  read_place(c, p, apArg[2], &place);
  if (place.pLast) {
    p->iPosition = place.iPosition;
    if (p->bIndex && place.iSchema != p->iSchema) place.iRowid = LLONG_MIN;
  }
  bMore = c->rc       ? 0
          : p->bIndex ? page_by_index(c, r, p, &place)
                      : page_by_key(c, r, p, &place);
  for (i = 0; bMore && i < steward_row_count(r); i++) {
    steward_row_set(r, i, 7, 1);
  }
  sqlite3_value_free(place.pLast);
}

/* stream_snapshot(id, row TEXT, delta_flag INTEGER, has_parent_flag INTEGER,
**   updated_at, cursor TEXT, position INTEGER, more INTEGER,
**   HIDDEN table_name, HIDDEN scope, HIDDEN after, HIDDEN max_rows,
**   HIDDEN since, HIDDEN filter)    table
** The rows of a scope, newest first, max_rows (100) at a time: row is the
** stored row as JSON; for the next page give the last row's cursor as `after`,
** until more is 0.  since: only rows whose time is that or later.  filter: an
** object of columns and their values, and kind: base (default), delta or all.
** position: go on behind it with stream_changes and nothing is missed, even if
** rows change while the pages are read; such a row may come again.  It is NULL
** when the table is not attached.  Of a scope without rows, stream_status tells
** it.  A scope is one value, whatever the collation of its column.
** Set: none
** Errors: INVALID_ARGUMENT for a scope that is missing, a cursor of another
**   table; NOT_FOUND for a filter's column.
** Source: seed 004, GetHTTPWorkspaceSnapshotStreaming.
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   SELECT stream_attach('http'); -- 1
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   SELECT id, row ->> 'url', delta_flag, position, more
**     FROM stream_snapshot('http', 'w'); -- list|/items|0|1|0
*/
static void snapshot_rows(StewardCall *c, StewardRows *r, int nArg,
                          sqlite3_value **apArg) {
  i64 iBegin = steward_monotonic_us();
  const char *zTable = steward_arg_text(c, apArg[0], "table", 1000);
  Page page;
  memset(&page, 0, sizeof(page));
  if (zTable) page.f = delta_form_loose(c, zTable);
  if (page.f) read_page(c, r, &page, apArg);
  stream_note(c, "snapshot", zTable, page.pScope, page.nRow, iBegin);
  stream_filter_free(&page.filter);
  sqlite3_value_free(page.pScope);
  delta_form_close(c, page.f);
}

/*************************************************************************
** stream_deltas, stream_activity
*/

/* The overlays of a delta that are not NULL, as JSON. */
static char *overlays_json(StewardCall *c, const DeltaForm *f,
                           sqlite3_stmt *pRow) {
  sqlite3_str *p = sqlite3_str_new(c->db);
  int i, n = 0;
  sqlite3_str_appendchar(p, 1, '{');
  for (i = 0; i < f->nColumn; i++) {
    sqlite3_value *v = sqlite3_column_value(pRow, ROW_VALUE + i);
    if (f->aColumn[i].zOverlay == NULL ||
        sqlite3_value_type(v) == SQLITE_NULL) {
      continue;
    }
    if (n++) sqlite3_str_appendchar(p, 1, ',');
    sqlite3_str_appendall(p, f->aColumn[i].zMember);
    steward_json_value(c, p, v);
  }
  sqlite3_str_appendchar(p, 1, '}');
  return steward_str_finish(c, p);
}

/* The deltas of one parent. */
static void deltas_of(StewardCall *c, StewardRows *r, DeltaForm *f,
                      sqlite3_stmt *pStmt, const char *zParent) {
  sqlite3_value *pParent = steward_json_scalar(c, zParent);
  if (pParent) {
    sqlite3_reset(pStmt);
    steward_bind_value(c, pStmt, 1, pParent);
  }
  while (steward_next(c, pStmt)) {
    char *z = overlays_json(c, f, pStmt);
    steward_row(c, r, "vvtv", sqlite3_column_value(pStmt, ROW_KEY),
                sqlite3_column_value(pStmt, ROW_PARENT), z,
                sqlite3_column_value(pStmt, ROW_TIME));
    sqlite3_free(z);
  }
  sqlite3_value_free(pParent);
}

/* stream_deltas(id, parent_id, overlays TEXT, updated_at, HIDDEN table_name,
**   HIDDEN parent_ids, HIDDEN since)    table
** The deltas of some rows, changed after `since` (default: all): parent_ids is
** a JSON array, BLOBs as {"$blob":"hex"}; overlays is what each changes, in the
** order of the array, then of (time, id).
** Set: none
** Errors: INVALID_ARGUMENT when parent_ids is no array.
** Source: seed 004, StreamHTTPDeltas.
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   SELECT delta_create('http', 'list', 'page2', '{"url":"/items?page=2"}');
**   -- page2
**   SELECT id, parent_id, overlays FROM stream_deltas('http', '["list"]');
**   -- page2|list|{"url":"/items?page=2"}
*/
static void deltas_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  i64 iBegin = steward_monotonic_us();
  const char *zTable = steward_arg_text(c, apArg[0], "table", 1000);
  sqlite3_stmt *pEach, *pStmt = NULL;
  DeltaForm *f = NULL;
  if (zTable) f = delta_form_open(c, zTable);
  if (f && stream_given(apArg[2]) && f->names.zTime == NULL) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' has no column with the time of a change, which "
                 "since needs",
                 zTable);
  }
  if (f && (sqlite3_value_type(apArg[1]) != SQLITE_TEXT ||
            !steward_int(c, SQL_stream_is_array, 0, "v", apArg[1]))) {
    char *zGot = steward_quote_value(c, apArg[1]);
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "parent_ids must be a JSON array like [\"id\"], got %s", zGot);
    sqlite3_free(zGot);
  }
  if (f && c->rc == SQLITE_OK) {
    const char *zTime = f->names.zTime ? f->names.zTime : f->names.zKey;
    pStmt = steward_prepare(
        c,
        "SELECT %s FROM main.\"%w\"%s WHERE \"%w\" = ?1%s AND %s = 1 AND (?2 IS"
        " NULL OR \"%w\" > ?2) ORDER BY \"%w\", \"%w\"",
        f->zList, f->base.zTable, f->zKids, f->names.zParent, f->zCollate,
        f->zFlagSql, zTime, zTime, f->names.zKey);
    if (pStmt && stream_given(apArg[2]))
      steward_bind_value(c, pStmt, 2, apArg[2]);
    pEach = steward_query(c, SQL_options_each, "v", apArg[1]);
    while (steward_next(c, pEach)) {
      deltas_of(c, r, f, pStmt, steward_column(c, pEach, 3));
    }
    steward_give(c, SQL_options_each, pEach);
    sqlite3_finalize(pStmt);
  }
  stream_note(c, "delta", zTable, NULL, steward_row_count(r), iBegin);
  delta_form_close(c, f);
}

/* stream_activity(id, scope, delta_flag INTEGER, change_type TEXT, updated_at,
**   HIDDEN table_name, HIDDEN scope_of, HIDDEN window)    table
** The rows of a table that were changed within the window ('24h'), newest
** first: created when they were made in it, else updated.  By the times in the
** rows, so it needs no stream, and tells nothing of rows that are gone.  A
** scope of NULL means all.
** Set: none
** Errors: INVALID_ARGUMENT for a table without a time column.
** Source: seed 004, section 2.3, recent activity.
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   SELECT id, scope, change_type FROM stream_activity('http');
**   -- list|w|created
*/
static void activity_rows(StewardCall *c, StewardRows *r, int nArg,
                          sqlite3_value **apArg) {
  const char *zTable = steward_arg_text(c, apArg[0], "table", 1000);
  i64 iWindow = stream_given(apArg[2]) ? steward_arg_time(c, apArg[2], "window")
                                       : 86400000;
  sqlite3_stmt *pStmt = NULL;
  sqlite3_value *pScope = NULL;
  const DeltaNames *n;
  DeltaForm *f = NULL;
  i64 iFrom;
  if (zTable && c->rc == SQLITE_OK) f = delta_form_loose(c, zTable);
  if (f && f->names.zTime == NULL) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' has no column with the time of a change: add "
                 "updated_at, or name it by delta_define",
                 zTable);
  }
  if (f && stream_given(apArg[1])) {
    stream_check_scope(c, f, apArg[1]);
    pScope = stream_arg_scope(c, f, apArg[1]);
  }
  if (f && c->rc == SQLITE_OK) {
    n = &f->names;
    iFrom = steward_now(c->p) - iWindow;
    if (n->eUnit == DELTA_UNIT_S) iFrom /= 1000;
    pStmt = steward_prepare(
        c,
        "SELECT \"%w\", %s%w%s, coalesce(%s, 0) = 1, iif(\"%w\" > ?1,"
        " 'created', 'updated'), \"%w\" FROM main.\"%w\" WHERE \"%w\" > ?1"
        "%s%w%s ORDER BY \"%w\" DESC",
        n->zKey, n->zScope ? "\"" : "", n->zScope ? n->zScope : "NULL",
        n->zScope ? "\"" : "", f->zFlagSql,
        n->zCreated ? n->zCreated : n->zTime, n->zTime, f->base.zTable,
        n->zTime, pScope ? " AND +\"" : "", pScope ? n->zScope : "",
        pScope ? "\" = ?2" : "", n->zTime);
    if (pStmt) sqlite3_bind_int64(pStmt, 1, iFrom);
    if (pStmt && pScope) steward_bind_value(c, pStmt, 2, pScope);
    steward_rows_own(r, pStmt);
  }
  sqlite3_value_free(pScope);
  delta_form_close(c, f);
}

/* stream_status(table_name TEXT, key_column TEXT, scope_column TEXT,
**   from_position INTEGER, attached_at INTEGER, position INTEGER)    table
** The tables that stream_attach follows, the position behind which their
** streams begin, and the last one of the log.  Where a snapshot is empty, go on
** with stream_changes behind the position that was here before it.
** Set: streaming
** Example: CREATE TABLE t(id INTEGER PRIMARY KEY, x);
**   SELECT stream_attach('t'); -- 1
**   SELECT table_name, key_column, from_position FROM stream_status; -- t|id|0
*/
/* stream_metrics(operation_type TEXT, operations INTEGER, records INTEGER,
**   duration_ms INTEGER, errors INTEGER)    table
** What streaming_performance_log holds, by kind of operation.  What stream_log
** has not written yet is not in it.
** Set: streaming
** Source: seed 004, section 6.2.
** Example: SELECT stream_log(1); -- 0
**   SELECT count(*) FROM stream_snapshot('http', 'w'); -- 0
**   SELECT stream_log(0); -- 1
**   SELECT operation_type, operations, records, errors FROM stream_metrics;
**   -- snapshot|1|0|0
*/
static const StewardTable aTable[] = {
    {.zName = "stream_snapshot",
     .zColumns =
         "id, row TEXT, delta_flag INTEGER, has_parent_flag INTEGER,"
         " updated_at, cursor TEXT, position INTEGER, more INTEGER,"
         " table_name HIDDEN BLOB, scope HIDDEN BLOB, after HIDDEN BLOB,"
         " max_rows HIDDEN BLOB, since HIDDEN BLOB, filter HIDDEN BLOB",
     .nArg = 6,
     .nRequired = 1,
     .xRows = snapshot_rows},
    {.zName = "stream_changes",
     .zColumns = "position INTEGER, id, change_type TEXT, row TEXT,"
                 " is_delta INTEGER, more INTEGER, table_name HIDDEN BLOB,"
                 " scope HIDDEN BLOB, after HIDDEN BLOB, max_rows HIDDEN BLOB,"
                 " options HIDDEN BLOB",
     .nArg = 5,
     .nRequired = 1,
     .xRows = stream_changes_rows,
     .zSet = "streaming"},
    {.zName = "stream_deltas",
     .zColumns =
         "id, parent_id, overlays TEXT, updated_at, table_name HIDDEN BLOB,"
         " parent_ids HIDDEN BLOB, since HIDDEN BLOB",
     .nArg = 3,
     .nRequired = 2,
     .xRows = deltas_rows},
    {.zName = "stream_activity",
     .zColumns =
         "id, scope, delta_flag INTEGER, change_type TEXT, updated_at,"
         " table_name HIDDEN BLOB, scope_of HIDDEN BLOB, window HIDDEN BLOB",
     .nArg = 3,
     .nRequired = 1,
     .xRows = activity_rows},
    {.zName = "stream_status",
     .zColumns = "table_name TEXT, key_column TEXT, scope_column TEXT,"
                 " from_position INTEGER, attached_at INTEGER,"
                 " position INTEGER",
     .eSql = SQL_stream_status,
     .zSet = "streaming"},
    {.zName = "stream_metrics",
     .zColumns = "operation_type TEXT, operations INTEGER, records INTEGER,"
                 " duration_ms INTEGER, errors INTEGER",
     .eSql = SQL_stream_metrics,
     .zSet = "streaming"},
};

int stream_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
