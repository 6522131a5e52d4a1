/*
** stream_changes.c - what happened to the rows of a scope behind a position.
**
** Messages are found by the index on (topic, number): the number at the
** position by halving, whatever the size of the log.  What has left the log is
** told, never passed over.  Each message brings the row as it is now, so
** applying a change twice, or one that a later one overtakes, does no harm.
*/
#include <limits.h>
#include <string.h>

#include "stream_int.h"

typedef struct ChangeOptions {
  char *zFilter;
  i64 bCoalesce;
  i64 eKind;
} ChangeOptions;

static const StewardOption aChangeOption[] = {
    {"coalesce", STEWARD_OPT_BOOL, offsetof(ChangeOptions, bCoalesce), 0, 1,
     NULL, "of each row only its last change within the page"},
    {"filter", STEWARD_OPT_JSON, offsetof(ChangeOptions, zFilter), 0, 0, NULL,
     "columns and the values they have"},
    {"kind", STEWARD_OPT_WORD, offsetof(ChangeOptions, eKind), 0, 0,
     "base|delta|all", "changes of which rows"},
};

typedef struct Changes {
  DeltaForm *f;
  StreamFilter filter;
  ChangeOptions options;
  sqlite3_stmt *pPass;   /* see prepare_filter(); NULL: there is no filter */
  sqlite3_value *pScope; /* owned */
  int iScope;            /* the scope's column in a row */
  char *zTopic, *zBegin; /* owned */
  i64 nMax;
  size_t nRow; /* how long the last row was */
} Changes;

/* Open the messages behind the position; NULL when some are gone. */
static sqlite3_stmt *open_changes(StewardCall *c, const Changes *k,
                                  i64 iAfter) {
  const char *zTable = k->f->base.zTable;
  i64 iFrom = k->f->iStreamFrom, iNumber = 0;
  sqlite3_stmt *pRow;
  if (c->rc == SQLITE_OK && iFrom < 0) {
    stream_check_name(c, zTable);
    if (k->f->bStreamGone) {
      steward_fail(c, STEWARD_CONFLICT,
                   "triggers of stream_attach() on table '%s' are gone, or a "
                   "unique index, scope or flag has come since, so changes may "
                   "be missing: SELECT stream_attach(%Q), then take a new "
                   "stream_snapshot",
                   zTable, zTable);
    }
    steward_fail(c, STEWARD_NOT_FOUND,
                 "table '%s' has no stream: SELECT stream_attach(%Q)", zTable,
                 zTable);
  } else if (c->rc == SQLITE_OK && iAfter < iFrom) {
    steward_fail(c, STEWARD_EXPIRED,
                 "the stream of table '%s' begins behind position %lld, and "
                 "%lld is before it: take a new stream_snapshot, or where that "
                 "is empty begin behind the position in stream_status",
                 zTable, iFrom, iAfter);
  }
  pRow = steward_query(c, SQL_stream_place, "tl", k->zTopic, iAfter);
  if (steward_next(c, pRow)) {
    iNumber = sqlite3_column_int64(pRow, 0);
    if (sqlite3_column_int(pRow, 1)) {
      steward_fail(c, STEWARD_EXPIRED,
                   "changes behind position %lld have left the log, the oldest "
                   "there is %lld: take a new stream_snapshot, and read more "
                   "often or raise settings log_max_age and log_max_rows",
                   iAfter, sqlite3_column_int64(pRow, 2));
    }
  }
  steward_give(c, SQL_stream_place, pRow);
  return steward_query(c, SQL_stream_messages, "tl", k->zTopic, iNumber);
}

/* The row of a key, if it passes the filter: compared as stream_snapshot does.
*/
static void prepare_filter(StewardCall *c, Changes *k) {
  sqlite3_str *p;
  int i;
  if (c->rc || k->filter.n == 0) return;
  p = sqlite3_str_new(c->db);
  sqlite3_str_appendf(p, "SELECT 1 FROM main.\"%w\" WHERE \"%w\" = ?1",
                      k->f->base.zTable, k->f->names.zKey);
  for (i = 0; i < k->filter.n; i++) {
    sqlite3_str_appendf(p, " AND \"%w\" IS ?%d", k->filter.a[i].zColumn, 2 + i);
  }
  k->pPass = delta_kept(c, k->f, steward_str_finish(c, p));
  for (i = 0; k->pPass && i < k->filter.n; i++) {
    steward_bind_value(c, k->pPass, 2 + i, k->filter.a[i].pValue);
  }
}

static void end_filter(Changes *k) {
  if (k->pPass == NULL) return;
  sqlite3_reset(k->pPass);
  sqlite3_clear_bindings(k->pPass);
}

/* The column of the scope in a row (DELTA_ALL). */
static void find_scope(StewardCall *c, Changes *k) {
  sqlite3_stmt *pRow = delta_statement(c, k->f, 0, DELTA_ALL);
  int i, n = pRow && k->pScope ? sqlite3_column_count(pRow) : 0;
  for (i = 0; i < n && c->rc == SQLITE_OK; i++) {
    const char *zName = sqlite3_column_name(pRow, i);
    if (zName == NULL) {
      steward_fail_nomem(c);
    } else if (sqlite3_stricmp(zName, k->f->names.zScope) == 0) {
      k->iScope = i;
    }
  }
}

/* Is the row that pRow (DELTA_ALL) stands on in the scope (one that has left it
** is none of the reader's business), and does it pass the filter? */
static int passes(StewardCall *c, const Changes *k, sqlite3_stmt *pRow,
                  sqlite3_value *pKey) {
  int bPasses = 1;
  if (k->pScope &&
      !delta_same(sqlite3_column_value(pRow, k->iScope), k->pScope)) {
    return 0;
  }
  if (k->pPass) {
    steward_bind_value(c, k->pPass, 1, pKey);
    bPasses = steward_next(c, k->pPass);
    sqlite3_reset(k->pPass);
  }
  return bPasses;
}

/* Add one message as a change: what the row is now, if it is there.  bLast: it
** fills the page, and the reader must get on, whatever the filter says. */
static void add_change(StewardCall *c, StewardRows *r, Changes *k,
                       sqlite3_stmt *pMessage, int bLast) {
  DeltaView view = {0};
  const char *zOp = steward_column(c, pMessage, 3);
  sqlite3_stmt *pRow = NULL;
  StewardBuffer row = {0};
  const char *zType = "deleted";
  if (strcmp(zOp, "delete")) {
    pRow = delta_seek(c, k->f, &view, DELTA_ALL,
                      sqlite3_column_value(pMessage, 1));
  }
  if (pRow && passes(c, k, pRow, sqlite3_column_value(pMessage, 1))) {
    steward_buffer_reserve(c, &row, k->nRow + 32);
    stream_row_json(c, k->f, pRow, 0, &row);
    k->nRow = row.n;
    zType = strcmp(zOp, "insert") ? "updated" : "created";
  } else if (pRow && !bLast && strcmp(zOp, "insert") == 0) {
    return; /* never was in the filter */
  }
  steward_row(c, r, "lvtbii", sqlite3_column_int64(pMessage, 0),
              sqlite3_column_value(pMessage, 1), zType, &row,
              sqlite3_column_int(pMessage, 4), 0);
  steward_buffer_free(&row);
}

/* Does the message belong to the scope and the kinds that are asked for? */
static int wanted(const Changes *k, sqlite3_stmt *pMessage) {
  const char *zKey = (const char *)sqlite3_column_text(pMessage, 2);
  int bDelta = sqlite3_column_int(pMessage, 4);
  if (k->options.eKind < 2 && bDelta != k->options.eKind) return 0;
  return k->zBegin[0] == '\0' ||
         (zKey && strncmp(zKey, k->zBegin, strlen(k->zBegin)) == 0);
}

/* The messages of a page: which row, where. */
typedef struct Seen {
  struct {
    sqlite3_value *pKey; /* owned */
    i64 iHash, iPosition;
  } * a;
  int n, nAlloc;
} Seen;

static void seen_add(StewardCall *c, Seen *p, sqlite3_stmt *pMessage) {
  if (!steward_grow(c, &p->a, p->n, &p->nAlloc, sizeof(p->a[0]))) return;
  p->a[p->n].pKey = sqlite3_value_dup(sqlite3_column_value(pMessage, 1));
  p->a[p->n].iHash = steward_value_hash(sqlite3_column_value(pMessage, 1), 0);
  p->a[p->n].iPosition = sqlite3_column_int64(pMessage, 0);
  if (p->a[p->n++].pKey == NULL) steward_fail_nomem(c);
}

static void seen_free(Seen *p) {
  int i;
  for (i = 0; i < p->n; i++) sqlite3_value_free(p->a[i].pKey);
  sqlite3_free(p->a);
}

/* Is a later message about the same row among those that come? */
static int superseded(const Seen *pSeen, sqlite3_value *pKey, i64 iPosition) {
  i64 iHash = pSeen->n ? steward_value_hash(pKey, 0) : 0;
  int i;
  for (i = pSeen->n - 1; i >= 0; i--) {
    if (pSeen->a[i].iPosition <= iPosition) return 0;
    if (pSeen->a[i].iHash == iHash && delta_same(pSeen->a[i].pKey, pKey))
      return 1;
  }
  return 0;
}

static void read_changes(StewardCall *c, StewardRows *r, Changes *k,
                         i64 iAfter) {
  Seen seen = {0};
  sqlite3_stmt *pMessage = open_changes(c, k, iAfter);
  int nTake = 0, bMore = 0, i, iPass;
  /* with coalesce the page is looked over first, to know what comes later */
  for (iPass = k->options.bCoalesce ? 0 : 1; iPass < 2; iPass++) {
    nTake = 0;
    while (steward_next(c, pMessage)) {
      if (!wanted(k, pMessage)) continue;
      if (nTake++ == k->nMax) {
        bMore = 1;
        break;
      }
      if (iPass == 0) {
        seen_add(c, &seen, pMessage);
      } else if (!superseded(&seen, sqlite3_column_value(pMessage, 1),
                             sqlite3_column_int64(pMessage, 0))) {
        add_change(c, r, k, pMessage, nTake == k->nMax);
      }
    }
    if (iPass == 0) sqlite3_reset(pMessage);
  }
  steward_give(c, SQL_stream_messages, pMessage);
  seen_free(&seen);
  for (i = 0; bMore && i < steward_row_count(r); i++) {
    steward_row_set(r, i, 5, 1);
  }
}

/* stream_changes(position INTEGER, id, change_type TEXT, row TEXT,
**   is_delta INTEGER, more INTEGER, HIDDEN table_name, HIDDEN scope,
**   HIDDEN after, HIDDEN max_rows, HIDDEN options)    table
** What happened to the rows of a scope behind a position, in commit order,
** max_rows (100) at a time: change_type created, updated or deleted, and the
** row as it is now (NULL when it is gone, which is told as deleted).  Options:
** kind ('base', 'delta', 'all'), coalesce (of each row only the last change of
** the page), filter (columns and values; a row that no longer has them is told
** as deleted; one that never had is left out, unless it is the last of a page).
** Applying a change twice does no harm, nor a deletion of what you do not have;
** give the last position as the next `after`.
** Set: streaming
** Errors: "NOT_FOUND: stream_changes: table 'http' has no stream: SELECT
**   stream_attach('http')"; "EXPIRED: stream_changes: changes behind position 1
**   have left the log, ...: take a new stream_snapshot, ...".
** Source: seed 004, StreamHTTPUpdates.
** Example: INSERT INTO workspaces(id, name) VALUES ('w', 'Shop');
**   SELECT stream_attach('http'); -- 1
**   INSERT INTO http(id, workspace_id, name, url, method)
**     VALUES ('list', 'w', 'List', '/items', 'GET');
**   UPDATE http SET url = '/all';
**   SELECT position, id, change_type, row ->> 'url'
**     FROM stream_changes('http', 'w', 0); -- 1|list|created|/all
*/
void stream_changes_rows(StewardCall *c, StewardRows *r, int nArg,
                         sqlite3_value **apArg) {
  i64 iBegin = steward_monotonic_us(), iAfter = 0;
  const char *zTable = steward_arg_text(c, apArg[0], "table", 1000);
  sqlite3_stmt *pRow;
  Changes k;
  memset(&k, 0, sizeof(k));
  k.nMax = stream_arg_rows(c, apArg[3]);
  if (stream_given(apArg[2])) {
    iAfter = steward_arg_int(c, apArg[2], "after", 0, LLONG_MAX);
  }
  steward_options(c, apArg[4], aChangeOption, ArraySize(aChangeOption),
                  &k.options);
  if (zTable && c->rc == SQLITE_OK) k.f = delta_form_loose(c, zTable);
  if (k.f) {
    stream_check_scope(c, k.f, apArg[1]);
    k.pScope = stream_arg_scope(c, k.f, apArg[1]);
    stream_filter_read(c, k.f, k.options.zFilter, &k.filter);
    prepare_filter(c, &k);
    pRow = steward_query(c, SQL_stream_topic, k.pScope ? "tv" : "tn",
                         k.f->base.zTable, k.pScope);
    if (steward_next(c, pRow)) {
      k.zTopic = steward_mprintf(c, "%s", steward_column(c, pRow, 0));
      k.zBegin = steward_mprintf(c, "%s", steward_column(c, pRow, 1));
    }
    steward_give(c, SQL_stream_topic, pRow);
    find_scope(c, &k);
    if (c->rc == SQLITE_OK) read_changes(c, r, &k, iAfter);
    end_filter(&k);
  }
  stream_note(c, "query", zTable, k.pScope, steward_row_count(r), iBegin);
  steward_options_free(aChangeOption, ArraySize(aChangeOption), &k.options);
  stream_filter_free(&k.filter);
  sqlite3_value_free(k.pScope);
  sqlite3_free(k.zTopic);
  sqlite3_free(k.zBegin);
  delta_form_close(c, k.f);
}
