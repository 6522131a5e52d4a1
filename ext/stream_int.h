/*
** stream_int.h - what the files of the capability `stream` share: stream.c (its
** verbs), vtab/stream.c (snapshots, deltas, activity), vtab/stream_changes.c
** and vtab/stream_read.c.
*/
#ifndef STREAM_INT_H
#define STREAM_INT_H

#include "delta_int.h"

enum { STREAM_PAGE_MAX = 10000 }; /* rows of one call */

/* A comparison of a column with a value of the filter. */
typedef struct StreamFilter {
  struct {
    char *zColumn;         /* as the schema spells it, owned */
    sqlite3_value *pValue; /* owned */
  } a[16];
  int n;
  int eKind; /* 0 base, 1 delta, 2 all */
} StreamFilter;

/* ext/stream.c */
void stream_check_name(StewardCall *c, const char *zTable);

/* vtab/stream_read.c */
int stream_given(sqlite3_value *v);
void stream_filter_free(StreamFilter *p);
void stream_filter_read(StewardCall *c, const DeltaForm *f, const char *zJson,
                        StreamFilter *p);
const char *stream_arg_object(StewardCall *c, sqlite3_value *v,
                              const char *zName);
void stream_check_scope(StewardCall *c, const DeltaForm *f,
                        sqlite3_value *pScope);
sqlite3_value *stream_arg_scope(StewardCall *c, const DeltaForm *f,
                                sqlite3_value *v);
i64 stream_arg_rows(StewardCall *c, sqlite3_value *v);
void stream_row_json(StewardCall *c, const DeltaForm *f, sqlite3_stmt *pRow,
                     int iFrom, StewardBuffer *pOut);

/* vtab/stream_changes.c */
void stream_changes_rows(StewardCall *c, StewardRows *r, int nArg,
                         sqlite3_value **apArg);

#endif
