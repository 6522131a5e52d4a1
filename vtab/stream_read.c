/*
** stream_read.c - what the tables of streams have in common: their arguments,
** filters, and stored rows as JSON.
*/
#include <string.h>

#include "stream_int.h"

int stream_given(sqlite3_value *v) {
  return v && sqlite3_value_type(v) != SQLITE_NULL;
}

void stream_filter_free(StreamFilter *p) {
  int i;
  for (i = 0; i < p->n; i++) {
    sqlite3_free(p->a[i].zColumn);
    sqlite3_value_free(p->a[i].pValue);
  }
}

static int kind_of(StewardCall *c, const char *z) {
  static const char *const azKind[] = {"base", "delta", "all"};
  int i;
  for (i = 0; i < 3; i++) {
    if (strcmp(z, azKind[i]) == 0) return i;
  }
  steward_fail(c, STEWARD_INVALID_ARGUMENT,
               "kind must be one of base|delta|all, got '%s'", z);
  return 0;
}

/* A filter is an object: columns and the values they have, and kind. */
void stream_filter_read(StewardCall *c, const DeltaForm *f, const char *zJson,
                        StreamFilter *p) {
  StewardTableInfo info;
  sqlite3_stmt *pRow;
  if (c->rc || zJson == NULL) return;
  steward_table_info(c, f->base.zTable, &info);
  pRow = steward_query(c, SQL_options_each, "t", zJson);
  while (steward_next(c, pRow)) {
    const char *zName = steward_column(c, pRow, 0);
    int i;
    if (strcmp(zName, "kind") == 0) {
      p->eKind = kind_of(c, steward_column(c, pRow, 1));
      continue;
    }
    i = steward_require_column(c, &info, zName);
    if (i >= 0 && p->n == ArraySize(p->a)) {
      steward_fail(c, STEWARD_LIMIT_EXCEEDED,
                   "a filter has at most %d columns: leave some out",
                   ArraySize(p->a));
    }
    if (c->rc) break;
    p->a[p->n].zColumn = steward_mprintf(c, "%s", info.aCol[i].zName);
    p->a[p->n].pValue = steward_json_scalar(c, steward_column(c, pRow, 3));
    p->n++;
  }
  steward_give(c, SQL_options_each, pRow);
  steward_table_info_free(&info);
}

/* The argument is a JSON object or NULL. */
const char *stream_arg_object(StewardCall *c, sqlite3_value *v,
                              const char *zName) {
  char *zGot;
  if (c->rc || !stream_given(v)) return NULL;
  if (sqlite3_value_type(v) == SQLITE_TEXT &&
      steward_int(c, SQL_options_is_object, 0, "v", v)) {
    return (const char *)sqlite3_value_text(v);
  }
  zGot = steward_quote_value(c, v);
  steward_fail(c, STEWARD_INVALID_ARGUMENT,
               "%s must be a JSON object like {\"method\":\"GET\"}, got %s",
               zName, zGot);
  sqlite3_free(zGot);
  return NULL;
}

/* A stream is read scope by scope; without a scope column there is but one. */
void stream_check_scope(StewardCall *c, const DeltaForm *f,
                        sqlite3_value *pScope) {
  if (c->rc) return;
  if (f->names.zScope && !stream_given(pScope)) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "the rows of table '%s' are streamed by %s: give one",
                 f->base.zTable, f->names.zScope);
  } else if (f->names.zScope == NULL && stream_given(pScope)) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' has no scope column: the scope must be NULL",
                 f->base.zTable);
  }
}

/* The scope, which may be {"$blob":"hex"}, as its column keeps it: topics go by
** values as they are stored.  Caller frees. */
sqlite3_value *stream_arg_scope(StewardCall *c, const DeltaForm *f,
                                sqlite3_value *v) {
  sqlite3_value *pScope = NULL;
  sqlite3_stmt *pRow;
  if (c->rc || !stream_given(v)) return NULL;
  if (sqlite3_value_type(v) == SQLITE_TEXT) {
    const char *z = (const char *)sqlite3_value_text(v);
    if (z && z[0] == '{') return steward_json_scalar(c, z);
  }
  pRow = steward_query(c, SQL_stream_scope, "vt", v, f->zScopeType);
  if (steward_next(c, pRow)) {
    pScope = sqlite3_value_dup(sqlite3_column_value(pRow, 0));
    if (pScope == NULL) steward_fail_nomem(c);
  }
  steward_give(c, SQL_stream_scope, pRow);
  return pScope;
}

i64 stream_arg_rows(StewardCall *c, sqlite3_value *v) {
  return stream_given(v) ? steward_arg_int(c, v, "max_rows", 1, STREAM_PAGE_MAX)
                         : 100;
}

/* Add the row that pRow stands on as JSON; its columns begin at iFrom. */
void stream_row_json(StewardCall *c, const DeltaForm *f, sqlite3_stmt *pRow,
                     int iFrom, StewardBuffer *pOut) {
  int i;
  for (i = 0; i < f->nAll; i++) {
    steward_buffer_add(c, pOut, i ? "," : "{", 1);
    steward_buffer_add(c, pOut, f->azMember[i], strlen(f->azMember[i]));
    steward_buffer_json(c, pOut, sqlite3_column_value(pRow, iFrom + i));
  }
  steward_buffer_add(c, pOut, "}", 1);
}
