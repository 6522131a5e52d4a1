/*
** delta_int.h - what the files of the capability `delta` share:
** delta_form.c (what a table of overlays looks like), delta_walk.c (a row under
** its overlays), delta_explain.c (why a row has no reading), delta.c (the verb
** delta_resolve and the functions on one row), delta_define.c,
** delta_history.c, delta_write.c, delta_children.c, and their tables in
** vtab/delta.c and vtab/delta_table.c.
*/
#ifndef DELTA_INT_H
#define DELTA_INT_H

#include "steward_int.h"

/*************************************************************************
** Interface to code in delta_form.c: what is made of a table's schema, kept
** from call to call
*/

/* A column of the result: every column but the overlays, flag and parent. */
typedef struct DeltaColumn {
  char *zName;   /* all owned */
  char *zType;   /* as declared */
  char *zMember; /* `"name":` */
  size_t nMember;
  char *zOverlay; /* its overlay column, or NULL */
  /* while a row is resolved: the overlay that counts, NULL when the base's
  ** value does, and the row it stands in */
  sqlite3_value *pValue;
  int bOwned;             /* pValue is a copy */
  sqlite3_value *pSource; /* copies, for blame and for policy fold */
  sqlite3_value *pTime;
  size_t iText, nText; /* by delta_quick.c: the overlay as JSON in text */
} DeltaColumn;

/* What the select list of every statement of a form begins with. */
enum {
  ROW_KEY,
  ROW_PARENT,
  ROW_FLAG,
  ROW_SCOPE,
  ROW_TIME,
  ROW_CREATED,
  ROW_VALUE /* the first DeltaColumn */
};

/* Statements of a form. ?1 is a key, ?2 the cut in ms where history is read. */
enum {
  DELTA_LEAF, /* the row asked for; open until the end */
  DELTA_UP,   /* rows above it, one after the other */
  DELTA_KIDS, /* the rows that have ?1 as parent */
  DELTA_RAW,  /* a row with its own plain columns, for policy single */
  DELTA_ALL,  /* every column of a row, without what the list begins with */
  DELTA_STATEMENTS
};

enum { DELTA_UNIT_S, DELTA_UNIT_MS };

/* The columns by their part; NULL where the table has none. */
typedef struct DeltaNames {
  char *zKey;
  char *zParent;
  char *zFlag; /* NULL: a row with a parent is a delta */
  char *zScope;
  char *zTime;
  char *zCreated;
  char *zOwner; /* a child's: the row of another table that it belongs to */
  char *zOwnerTable; /* that table, where no foreign key says so */
  char *zOrder;      /* a child's place, ... */
  char *zPrev;       /* ... or the list of children */
  char *zNext;
  char *zOverlay; /* JSON, column: overlay column; NULL: by delta_x */
  i64 eUnit;      /* of zTime and zCreated */
} DeltaNames;

typedef struct DeltaForm {
  StewardForm base; /* must be first */
  sqlite3_stmt
      *aStmt[2][DELTA_STATEMENTS]; /* as it is now, as history has it */
  int abFed[DELTA_STATEMENTS];     /* of those as it is now: fed by ... */
  StewardFeed aFeed[DELTA_STATEMENTS];
  struct {
    char *zSql; /* owned */
    sqlite3_stmt *pStmt;
  } aKept[4];          /* others, by their text; the first is the oldest */
  int bUpRow;          /* DELTA_UP is fed, and stands on a row */
  unsigned mUsed;      /* those of this call, a bit each */
  sqlite3_stmt *pWalk; /* of delta_quick.c, and its keys */
  StewardFeed feed;
  StewardBuffer text; /* of the row that is resolved */
  size_t nResult;     /* how long the last result was */
  DeltaNames names;
  char *zOwnerTable; /* what zOwner refers to, if that is there */
  char *zFlagSql;    /* the flag as an expression */
  char *zList;       /* the select list */
  char *zPlainList;  /* the same, of a row's own plain columns */
  char *zDeltaList;  /* the same, of a delta's overlays */
  char *zSource;     /* `"source":` */
  char *zColumns;    /* every column, quoted, with commas */
  int nAll;          /* every column ... */
  char **azMember;   /* ... as `"name":` */
  /* what these depend on changes the schema, too */
  int bHistoryKnown, bHistory; /* has it been asked whether history is whole? */
  /* loose forms only */
  int bNoKey;       /* rows have no key of one column */
  int bStreamIndex; /* rows come by (scope, flag, time) */
  char *zScopeType; /* the scope's affinity and collation: see stream.sql */
  i64 iStreamFrom;  /* where the table's stream begins, -1: not attached ... */
  int bStreamGone;  /* ... any more: what stream_attach() made is gone */
  i64 iSchema;      /* the schema's version */
  char *zKids;      /* INDEXED BY for DELTA_KIDS, or "" */
  char *zCollate;   /* COLLATE of the key, where the parent's is another */
  int bDefined;     /* by delta_define */
  int bFlagNotNull; /* the flag is never NULL */
  int bTimeNotNull;
  char *zRowid; /* a name of the rowid; NULL: WITHOUT ROWID */
  int nColumn;
  DeltaColumn *aColumn;
} DeltaForm;

extern const StewardOption delta_name_options[];
extern const int delta_name_option_count;

void delta_form_free(StewardForm *pForm);
DeltaForm *delta_form_new(StewardCall *c, const char *zTable,
                          const DeltaNames *pNames);
DeltaForm *delta_form_open(StewardCall *c, const char *zTable);
DeltaForm *delta_form_loose(StewardCall *c, const char *zTable);
DeltaForm *delta_form_any(StewardCall *c, const char *zTable);
void delta_form_close(StewardCall *c, DeltaForm *f);
sqlite3_stmt *delta_statement(StewardCall *c, DeltaForm *f, int bHistory,
                              int eStmt);
sqlite3_stmt *delta_kept(StewardCall *c, DeltaForm *f, char *zSql /* freed */);
const char *delta_collation(StewardCall *c, const char *zTable,
                            const char *zColumn);
char *delta_collate(StewardCall *c, const DeltaForm *f, const char *zTable,
                    const char *zColumn);
char *delta_source_sql(StewardCall *c, DeltaForm *f, int bHistory);
void delta_check_installed(StewardCall *c, const char *zTable);
void stream_find(StewardCall *c, DeltaForm *f);
int delta_history_intact(StewardCall *c, const DeltaForm *f);
int delta_is_table(StewardCall *c, const char *zTable);

/*************************************************************************
** Interface to code in delta_walk.c: a row under its overlays
*/
enum { POLICY_CHAIN, POLICY_FOLD, POLICY_SINGLE };
#define DELTA_POLICIES "chain|fold|single"
extern const char *const delta_policies[];

/* Rows: from one up to its base, that first; or a base and all below it, each
** behind its parent.  Free with delta_path_free(). */
typedef struct DeltaPlace {
  sqlite3_value *pKey, *pTime; /* owned */
} DeltaPlace;

typedef struct DeltaPath {
  DeltaPlace *a;
  int n;
} DeltaPath;

/* How rows are read. */
typedef struct DeltaView {
  i64 ePolicy;
  sqlite3_value *pAsOf;   /* the cut, or NULL; borrowed */
  sqlite3_value *pAsOfId; /* the last row of that time, or NULL; borrowed */
  sqlite3_value *pBase;   /* of policy single, or NULL; borrowed */
  int bHistory;           /* the rows are those of history at iCut */
  i64 iCut;               /* Unix ms */
  int bBlame;             /* note where overlays came from */
  DeltaPath *pBelow;      /* policy fold: note which rows there are, or NULL */
} DeltaView;

typedef enum RowKind { ROW_BASE, ROW_DELTA, ROW_BROKEN } RowKind;

i64 delta_max_depth(StewardCall *c);
int delta_arg_word(StewardCall *c, sqlite3_value *v, const char *zName,
                   const char *const *azWord, int iDefault);
RowKind delta_row_kind(sqlite3_value *pFlag);
int delta_same(sqlite3_value *a, sqlite3_value *b);
int delta_compare(sqlite3_value *a, sqlite3_value *b);
void delta_read_cut(StewardCall *c, const char *zJson,
                    sqlite3_value **ppTime /* OUT */,
                    sqlite3_value **ppId /* OUT */);
void delta_arg_cut(StewardCall *c, sqlite3_value *v,
                   sqlite3_value **ppKept /* OUT */,
                   sqlite3_value **ppTime /* OUT */,
                   sqlite3_value **ppId /* OUT */);
void delta_view_open(StewardCall *c, DeltaForm *f, DeltaView *v);
void delta_feed_id(StewardCall *c, StewardFeed *pFeed, sqlite3_value *pId);
int delta_bind_id(StewardCall *c, sqlite3_stmt *pStmt, int i,
                  sqlite3_value *pId);
sqlite3_stmt *delta_seek(StewardCall *c, DeltaForm *f, const DeltaView *v,
                         int eStmt, sqlite3_value *pId);
sqlite3_stmt *delta_seek_parent(StewardCall *c, DeltaForm *f,
                                const DeltaView *v, sqlite3_stmt *pRow);
int delta_after_cut(const DeltaView *v, sqlite3_value *pTime,
                    sqlite3_value *pKey);
sqlite3_stmt *delta_resolve_row(StewardCall *c, DeltaForm *f,
                                const DeltaView *v, sqlite3_stmt *pRow);
void delta_forget(DeltaForm *f);

/*************************************************************************
** Interface to code in delta_quick.c: the same at once, in the usual case
*/
typedef enum DeltaQuick { QUICK_NOT, QUICK_STALE, QUICK_DONE } DeltaQuick;

void delta_quick_prepare(StewardCall *c, DeltaForm *f);
DeltaQuick delta_quick(StewardCall *c, DeltaForm *f, sqlite3_value *pId,
                       StewardBuffer *pOut);
sqlite3_value *delta_result(DeltaForm *f, sqlite3_stmt *pBase, int i);
void delta_row_json(StewardCall *c, DeltaForm *f, sqlite3_stmt *pBase,
                    sqlite3_value *pSource, int iExact, StewardBuffer *pOut);

void delta_path(StewardCall *c, DeltaForm *f, const DeltaView *v,
                sqlite3_stmt *pRow, DeltaPath *pPath /* OUT */);
void delta_path_free(DeltaPath *pPath);

/*************************************************************************
** Interface to code in delta_children.c: the children of a row, merged
*/
typedef struct DeltaChild {
  sqlite3_value **apValue; /* one for each column of the form; owned */
  i64 iHash;               /* of its key */
  int iLevel;              /* 0: of the base; else of which delta */
  sqlite3_value *pSource;  /* the last override, or itself; owned */
  const char *zViolation;  /* what is wrong with its place, or NULL */
  int bPlaced;             /* while they are ordered */
  int bTarget;             /* the next of another one */
} DeltaChild;

typedef struct DeltaChildren {
  DeltaForm *f;         /* of the children; not owned */
  DeltaChild **apChild; /* in their order */
  int n, nAlloc;
  int iKey, iOrder, iPrev, iNext; /* columns of the form, or -1 */
  struct DeltaAlias *aAlias;      /* which child a key stands for, ... */
  int nAlias, nAliasAlloc;
  int *aSlot; /* ... by the key's hash: index + 1 */
  int nSlot;
  int bExact;
} DeltaChildren;

void delta_children_read(StewardCall *c, DeltaChildren *k, DeltaForm *pOwner,
                         const DeltaView *v, sqlite3_value *pId);
void delta_children_free(DeltaChildren *k);

/*************************************************************************
** Interface to code in delta_explain.c: why a row has no reading
*/
enum { DELTA_DEPTH_LIMIT = 1000 }; /* above any delta_max_depth */

char *delta_show(StewardCall *c, sqlite3_value *v);
void delta_fail_flag(StewardCall *c, const DeltaForm *f, sqlite3_stmt *pRow);
void delta_fail_scope(StewardCall *c, const DeltaForm *f, sqlite3_value *pKey,
                      sqlite3_value *pScope, sqlite3_value *pUpperKey,
                      sqlite3_value *pUpperScope);
void delta_explain(StewardCall *c, DeltaForm *f, const DeltaView *v,
                   sqlite3_stmt *pRow);

#endif
