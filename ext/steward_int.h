/*
** steward_int.h - what the parts of Steward share.
**
** One section for each file of ext/runtime/, in the order in which they build
** on one another; the capabilities' register functions stand at the end.
**
** Two pieces of the runtime are SQL: a cursor is a row of steward_cursors,
** moved by the statements of sql/delivery.sql; the reaper is the triggers that
** ext/ttl.c puts on a table, and those of the tables that Steward fills.
*/
#ifndef STEWARD_INT_H
#define STEWARD_INT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "sqlite3ext.h"
#ifndef STEWARD_ENTRY
SQLITE_EXTENSION_INIT3
#endif

#include "steward.h"
#include "steward_sql.h" /* generated: enum StewardSqlId */

#define ArraySize(a) ((int)(sizeof(a) / sizeof((a)[0])))

typedef sqlite3_int64 i64;
typedef struct Steward Steward;
typedef struct StewardCall StewardCall;
typedef struct StewardForm StewardForm;
typedef struct StewardRows StewardRows;
typedef struct StewardTable StewardTable;

/*************************************************************************
** Generated from sql/ and from the docstrings
*/
typedef struct StewardSql {
  const char *zName;   /* "log_append" */
  const char *zSet;    /* set whose tables it needs, or "none" */
  int bHot;            /* its plan is pinned by tests */
  const char *zSource; /* "sql/log.sql:3" */
  const char *zSql;
} StewardSql;
extern const StewardSql steward_sql[];

typedef struct StewardStep {
  const char *zSet;
  int iVersion;
  const char *zName;
  const char *zId;
  const char *zDescription;
  const char *zAuthor;
  const char *zCreated;
  const char *zLibrary; /* lowest library version that may write the set */
  const char *zUp;
  const char *zDown;
  const char *zSource;
} StewardStep;
extern const StewardStep steward_steps[];
extern const int steward_step_count;

typedef struct StewardHelp {
  const char *zName;
  const char *zKind; /* function | table */
  const char *zRisk; /* innocuous | plain | directonly, "" for a table */
  const char *zSignature;
  const char *zSummary;
  const char *zErrors;
  const char *zSource;
  const char *zExample;
  const char *zSet;
  const char *zWhere;
} StewardHelp;
extern const StewardHelp steward_help_rows[];
extern const int steward_help_count;

/*************************************************************************
** Interface to code in error.c: the registry of codes, and failing
*/
typedef enum StewardCode {
  STEWARD_INVALID_ARGUMENT,
  STEWARD_NOT_FOUND,
  STEWARD_NOT_INSTALLED,
  STEWARD_CONFLICT,
  STEWARD_REVISION_MISMATCH,
  STEWARD_STALE_BASE_HEADS,
  STEWARD_MISSING_DEPENDENCY,
  STEWARD_NON_MONOTONIC_SEQ,
  STEWARD_BRANCH_CLOSED,
  STEWARD_SCHEDULE_CONFLICT,
  STEWARD_DUPLICATE,
  STEWARD_LEASE_LOST,
  STEWARD_QUOTA_EXCEEDED,
  STEWARD_LIMIT_EXCEEDED,
  STEWARD_VALIDATION_FAILED,
  STEWARD_QUEUE_FULL,
  STEWARD_EXPIRED,
  STEWARD_TIMESTAMP_OUT_OF_WINDOW,
  STEWARD_BUSY,
  STEWARD_UNSUPPORTED,
  STEWARD_READ_ONLY,
  STEWARD_SHADOWED,
  STEWARD_CODE_COUNT
} StewardCode;

typedef struct StewardErrorInfo {
  const char *zCode;
  int rc; /* the SQLite result code that travels with it */
  const char *zMeaning;
} StewardErrorInfo;

const StewardErrorInfo *steward_error_info(int eCode);

/* The first failure of a call stays; later ones are ignored, and every helper
** that takes a StewardCall does nothing once it has failed. */
void steward_fail(StewardCall *c, StewardCode eCode, const char *zFmt, ...);
void steward_fail_rc(StewardCall *c, int rc, const char *zFmt, ...);
void steward_fail_db(StewardCall *c, int rc);
void steward_fail_nomem(StewardCall *c);
char *steward_mprintf(StewardCall *c, const char *zFmt, ...);
int steward_grow(StewardCall *c, void *ppArray, int n, int *pnAlloc,
                 size_t nSize);
int steward_grow_slots(StewardCall *c, int **paSlot, int *pnSlot, int nFirst);
const char *steward_nearest(const char *zWord, const char *const *azKnown,
                            int nKnown);

/*************************************************************************
** Interface to code in clock.c
*/
typedef struct StewardClock {
  int bPinned;
  i64 iPinned;     /* Unix ms that the connection's clock shows while pinned */
  i64 iReal;       /* last real reading ... */
  i64 iMono;       /* ... and the monotonic clock at that moment */
  i64 iStamp;      /* Unix s that ... */
  char zStamp[40]; /* ... this text says; see steward_stamp() */
} StewardClock;

i64 steward_now(Steward *p);
i64 steward_monotonic_us(void);
const char *steward_stamp(Steward *p); /* as datetime('now') has it */
int steward_duration(const char *z, int n, i64 *piMs /* OUT */);

/*************************************************************************
** Interface to code in context.c: one Steward per connection
*/
struct Steward {
  sqlite3 *db;
  int bPooled;        /* the pool opened this connection, see ext/pool.c */
  void *pOwner;       /* the owner table's instance while it is connected */
  StewardForm *pForm; /* kept forms, the last used first, see form.c */
  sqlite3_stmt *aStmt[SQL_COUNT]; /* cached statements, see stmt.c */
  unsigned aRuns[SQL_COUNT];      /* how often each was taken */
  struct {                        /* others of statements that run already */
    enum StewardSqlId id;
    sqlite3_stmt *pStmt;
  } aSpare[8];
  unsigned nSpare;
  StewardClock clock;
  unsigned nAppend;    /* messages published on this connection, see log.c */
  unsigned nPublish;   /* the same by delivery.c */
  unsigned nStorePut;  /* records put, see store.c */
  unsigned nStoreList; /* pages listed since a sweep was asked for */
  int bStoreSweep;     /* the next write is to remove expired records */
  struct StoreMemo *pStore; /* one block: what store_limit.c remembers */
  double rSweepCommit;      /* us a row that commits of ttl_sweep() cost */
  i64 nJobDone;             /* jobs finished on it, see job_finish.c ... */
  i64 aJobOld[3];           /* ... and by state, when too old ones changed */
  i64 iHolder;          /* of idempotency keys: its number, 0 not drawn yet */
  int nSystable;        /* writes through systables that are under way */
  const char *zChecked; /* the set that may be written, see write.c ... */
  unsigned iChecked;    /* ... in this version of the file */
  struct {              /* a setting, as long as the database is as it was */
    const char *zName;
    unsigned iVersion;
    int nChange;
    i64 iValue;
  } setting;
  struct StreamLog *pStreamLog; /* measurements that wait, see stream.c */
  void *pCapture;               /* of ext/perf_trace.c, freed by xCaptureFree */
  void (*xCaptureFree)(void *);
  struct PerfIo *pIo; /* of ext/perf_io.c, NULL: it does not count */
  void (*xIoFree)(void *);
  struct { /* 31 bit counters of SQLite made wide, counter.c */
    i64 iTotal;
    int iLast;
  } aWide[4];
  int nTick;              /* a duty of the keeper runs, which notes it */
  const char *zKeeper;    /* on a keeper's own connection: its name, keeper.c */
  i64 nYield;             /* us that it has slept for writers, see due.c */
  i64 nVacuum;            /* pages that it frees at a time, see vacuum.c */
  struct Keeper *pKeeper; /* the keeper that this connection has started */
  int eVfs;               /* 0 not looked at yet, 1 ordinary, 2 dqlite */
  struct { /* the tables of functions, in the order of registration */
    const struct StewardFunc *aFunc;
    int n;
  } aList[64];
  int nList;
};

typedef enum StewardRisk {
  STEWARD_INNOCUOUS, /* depends on its arguments alone */
  STEWARD_PLAIN,     /* usable in triggers and views */
  STEWARD_DIRECTONLY /* takes SQL, paths, settings, or maintains */
} StewardRisk;

typedef struct StewardOption StewardOption;

typedef struct StewardFunc {
  const char *zName;
  int nMin, nMax; /* argument counts; each is registered by itself */
  StewardRisk eRisk;
  void (*xFunc)(sqlite3_context *, int, sqlite3_value **);
  const StewardOption *aOption; /* of its last argument, or NULL */
  int nOption;
} StewardFunc;

Steward *steward_new(sqlite3 *db);
Steward *steward_pooling(int bOn);
void steward_when_idle(void (*x)(void));
int steward_setup(sqlite3 *db, char **pzErrMsg); /* steward.c: register all */
void steward_free(void *pSteward);
int steward_register_functions(Steward *p, const StewardFunc *aFunc, int n);
int steward_register_aggregate(Steward *p, const char *zName, int nArg,
                               void (*xStep)(sqlite3_context *, int,
                                             sqlite3_value **),
                               void (*xFinal)(sqlite3_context *));
const StewardFunc *steward_function_at(Steward *p, int i);
int steward_on_dqlite(Steward *p);
int steward_dqlite_version(void);
const char *steward_db_file(Steward *p);
char *steward_db_path(Steward *p); /* caller frees with sqlite3_free */

/*************************************************************************
** Interface to code in write.c: one call of a verb, atomic by itself
*/
typedef enum StewardMode {
  STEWARD_READ,      /* writes nothing */
  STEWARD_WRITE_ONE, /* its write is one statement: allowed everywhere */
  STEWARD_CHECK_ONE, /* the same, after reads that must still hold then */
  STEWARD_WRITE      /* several statements: refused in a writing statement */
} StewardMode;

struct StewardCall {
  Steward *p;
  sqlite3 *db;
  sqlite3_context *ctx; /* NULL when a table made the call */
  const char *zFunc;    /* whom errors name */
  const char *zSet;     /* the set that must be installed, or NULL */
  StewardMode eMode;
  int rc;         /* SQLITE_OK, or the first failure */
  char *zErr;     /* its text; owned */
  int eScope;     /* what write_open() opened: see write.c */
  int eTxn;       /* sqlite3_txn_state() of main at the start */
  i64 iLastRowid; /* the caller's, restored at the end */
  i64 iPatience;  /* ms that BEGIN and COMMIT are tried again when busy */
};

void steward_open(StewardCall *c, sqlite3_context *ctx, const char *zFunc,
                  const char *zSet, StewardMode eMode);
int steward_close(StewardCall *c);
int steward_close_json(StewardCall *c, char *zJson /* freed */);
void steward_open_table(StewardCall *c, Steward *p, const char *zFunc,
                        const char *zSet, StewardMode eMode);
int steward_close_table(StewardCall *c, sqlite3_vtab *pVtab);
void steward_begin(StewardCall *c);
void steward_end(StewardCall *c);
void steward_alone(StewardCall *c);
void steward_writable(StewardCall *c);
void steward_adopt(StewardCall *c, StewardCall *pOwn);
int steward_forgive_busy(StewardCall *c);
int steward_busy_again(StewardCall *c, i64 iDeadline /* us, monotonic */);
int steward_installed(StewardCall *c, const char *zSet);
int steward_set_ready(StewardCall *c, const char *zSet);
int steward_compare_versions(const char *zA, const char *zB);

/*************************************************************************
** Interface to code in stmt.c: the statement cache and its owner table
**
** zFmt of the binding helpers: i int, l i64, d double, t text (NULL allowed,
** must live until the statement is given back), b BLOB (two arguments: const
** void*, living as long, and int; negative: it is text), p i64*, the place of
** steward_keep(), v sqlite3_value*, n NULL.
*/
sqlite3_stmt *steward_take(StewardCall *c, enum StewardSqlId id);
void steward_give(StewardCall *c, enum StewardSqlId id, sqlite3_stmt *pStmt);
sqlite3_stmt *steward_query(StewardCall *c, enum StewardSqlId id,
                            const char *zFmt, ...);
void steward_bind_value(StewardCall *c, sqlite3_stmt *pStmt, int i,
                        sqlite3_value *v);
int steward_next(StewardCall *c, sqlite3_stmt *pStmt);
const char *steward_column(StewardCall *c, sqlite3_stmt *pStmt, int iCol);
int steward_run(StewardCall *c, enum StewardSqlId id, const char *zFmt, ...);
i64 steward_int(StewardCall *c, enum StewardSqlId id, i64 iDefault,
                const char *zFmt, ...);
char *steward_text(StewardCall *c, enum StewardSqlId id, const char *zFmt, ...);

/* Statements with identifiers in them: text made by sqlite3_mprintf. */
sqlite3_stmt *steward_prepare(StewardCall *c, const char *zFmt, ...);
sqlite3_stmt *steward_prepare_text(StewardCall *c, char *zSql /* freed */);
int steward_exec(StewardCall *c, const char *zFmt, ...);
i64 steward_pragma(StewardCall *c, const char *zSchema, const char *zPragma);
i64 steward_exec_int(StewardCall *c, i64 iDefault, const char *zFmt, ...);
char *steward_exec_text(StewardCall *c, const char *zFmt, ...);
int steward_script(StewardCall *c, const char *zScript);

int steward_statements_register(Steward *p);
int steward_owner_ready(Steward *p); /* 0: nothing can be kept */

#include "steward_process.h"

/*************************************************************************
** Interface to code in form.c: what was made out of the schema of a table
*/
struct StewardForm {
  StewardForm *pNext;
  void (*xFree)(StewardForm *); /* tells whose form it is, too */
  char *zTable;                 /* owned, freed by xFree */
};

StewardForm *steward_form_take(StewardCall *c, void (*xFree)(StewardForm *),
                               const char *zTable);
void steward_form_give(StewardCall *c, StewardForm *f, int bKeep);
int steward_form_stale(sqlite3_stmt *pStmt);
void steward_forms_free(Steward *p);

/*************************************************************************
** Interface to code in feed.c: keys handed to a statement that runs
*/
typedef struct StewardFeedKey {
  enum { FEED_VALUE, FEED_INTEGER, FEED_BLOB, FEED_LONG } eType;
  int iTag;
  i64 iValue;
  int nBlob;
  unsigned char aBlob[32];
  unsigned char *aLong;  /* owned */
  sqlite3_value *pValue; /* owned */
} StewardFeedKey;

typedef struct StewardFeed {
  StewardFeedKey now;    /* the one whose rows come */
  StewardFeedKey *aNext; /* [iNext..nNext) are still to be read */
  int iNext, nNext, nAlloc;
} StewardFeed;

void steward_feed_put(StewardCall *c, StewardFeed *pFeed, sqlite3_value *v,
                      int iTag);
void steward_feed_blob(StewardCall *c, StewardFeed *pFeed, unsigned char *aBlob,
                       int nBlob);
int steward_feed_bind(sqlite3_stmt *pStmt, int i, StewardFeed *pFeed);
void steward_feed_clear(StewardFeed *pFeed);
void steward_feed_free(StewardFeed *pFeed);
int steward_feed_register(Steward *p);

/*************************************************************************
** Interface to code in keep.c: values handed out of a statement that writes
*/
int steward_keep_bind(sqlite3_stmt *pStmt, int i, i64 *pPlace);
int steward_keep_register(Steward *p);

/*************************************************************************
** Interface to code in args.c: arguments of verbs
*/
int steward_is_integer(sqlite3_value *v, i64 *piValue /* OUT */);
const char *steward_arg_text(StewardCall *c, sqlite3_value *v,
                             const char *zName, int nMax);
i64 steward_arg_int(StewardCall *c, sqlite3_value *v, const char *zName,
                    i64 iMin, i64 iMax);
i64 steward_arg_time(StewardCall *c, sqlite3_value *v, const char *zName);
double steward_arg_real(StewardCall *c, sqlite3_value *v, const char *zName);
void steward_fail_argument(StewardCall *c, sqlite3_value *v, const char *zName,
                           const char *zWanted);
void steward_arg_payload(StewardCall *c, sqlite3_value *v, const char *zName);
int steward_utf8_ok(const unsigned char *z, int n);
char *steward_quote_value(StewardCall *c, sqlite3_value *v);

/*************************************************************************
** Interface to code in json.c: SQL values as JSON, and BLOBs back
*/
typedef struct StewardBuffer {
  char *z; /* owned, without a NUL at the end */
  size_t n, nAlloc;
} StewardBuffer;

void steward_buffer_reserve(StewardCall *c, StewardBuffer *p, size_t n);
void steward_buffer_add(StewardCall *c, StewardBuffer *p, const char *z,
                        size_t n);
void steward_buffer_json(StewardCall *c, StewardBuffer *p, sqlite3_value *v);
void steward_buffer_result(sqlite3_context *ctx, StewardBuffer *p);
void steward_buffer_free(StewardBuffer *p);
void steward_json_string(sqlite3_str *pOut, const char *z, int n);
void steward_json_string_or_null(sqlite3_str *pOut, const char *z);
void steward_json_value(StewardCall *c, sqlite3_str *pOut, sqlite3_value *v);
int steward_json_blob(StewardCall *c, const char *z, int n,
                      unsigned char **ppBlob /* OUT */, int *pnBlob /* OUT */);
char *steward_str_finish(StewardCall *c, sqlite3_str *pOut);
char *steward_str_complaints(StewardCall *c, sqlite3_str *pOut);
sqlite3_value *steward_json_scalar(StewardCall *c, const char *zJson);

/*************************************************************************
** Interface to code in json_parse.c: JSON text, minified, or as a tree
*/
typedef enum StewardJsonType {
  STEWARD_JSON_NULL,
  STEWARD_JSON_FALSE,
  STEWARD_JSON_TRUE,
  STEWARD_JSON_NUMBER,
  STEWARD_JSON_STRING,
  STEWARD_JSON_ARRAY,
  STEWARD_JSON_OBJECT
} StewardJsonType;

typedef struct StewardJsonNode {
  int eType;
  int iText, nText; /* its piece of the minified text */
  int iEnd;         /* index of the node behind it and its children */
  int nChild;       /* elements or members */
} StewardJsonNode;

typedef struct StewardJson {
  char *zText; /* minified, owned */
  int nText;
  StewardJsonNode *aNode; /* owned; [0] is the root */
  int nNode, nAlloc;
  int iError; /* place of the first byte that is no JSON */
  int bDeep;  /* it was too deeply nested */
} StewardJson;

int steward_json_parse(StewardCall *c, StewardJson *pOut /* OUT */,
                       const char *z, int n, int bTree);
void steward_json_free(StewardJson *p);
int steward_json_member(const StewardJson *t, int iNode, const char *zName);
char *steward_json_text(StewardCall *c, const StewardJson *t, int iNode,
                        int *pn /* OUT */);
int steward_json_is(const StewardJson *t, int iNode, const char *zWord);
int steward_json_int(const StewardJson *t, int iNode, i64 *piOut /* OUT */);

/*************************************************************************
** Interface to code in options.c: the last, JSON, argument of verbs
*/
typedef enum StewardOptionType {
  STEWARD_OPT_INT,      /* i64 */
  STEWARD_OPT_BOOL,     /* i64, 0 or 1 */
  STEWARD_OPT_DURATION, /* i64 ms; '15m' or milliseconds */
  STEWARD_OPT_TEXT,     /* char*, owned by the struct */
  STEWARD_OPT_WORD,     /* i64: index in zWords, "a|b|c" */
  STEWARD_OPT_JSON      /* char*, JSON text, owned */
} StewardOptionType;

struct StewardOption {
  const char *zName;
  StewardOptionType eType;
  size_t iOffset; /* of the field in the verb's struct */
  i64 iMin, iMax; /* of INT and DURATION */
  const char *zWords;
  const char *zMeaning;
};

void steward_options(StewardCall *c, sqlite3_value *v,
                     const StewardOption *aOption, int nOption, void *pOut);
void steward_options_free(const StewardOption *aOption, int nOption,
                          void *pOut);

/*************************************************************************
** Interface to code in rowset.c: tables that are read from a statement or
** made in C, and systable.c: writable ones over a table of ours
*/
struct StewardTable {
  const char *zName;
  const char *zColumns; /* inside CREATE TABLE x(...); arguments HIDDEN, last */
  int nArg;             /* how many hidden arguments */
  int nRequired;        /* how many of them must be given */
  enum StewardSqlId eSql; /* rows by statement; its ?1..?n are the arguments */
  void (*xCheck)(StewardCall *, sqlite3_value **); /* its arguments first */
  void (*xRows)(StewardCall *, StewardRows *, int, sqlite3_value **);
  const char *zSet;     /* set it reads, or NULL; absent: see bEmpty */
  int bEmpty;           /* 1: empty instead of NOT_INSTALLED */
  const char *zBacking; /* systable: the table behind it; column 0 is rowid */
  i64 (*xInsert)(StewardCall *, int, sqlite3_value **); /* insert-only */
};

int steward_register_table(Steward *p, const StewardTable *pTable);
int steward_register_tables(Steward *p, const StewardTable *aTable, int n);
void steward_row(StewardCall *c, StewardRows *r, const char *zFmt, ...);
typedef struct StewardStream {
  int (*xNext)(StewardCall *c, void *pState); /* 1: stands on a row */
  void (*xColumn)(sqlite3_context *ctx, void *pState, int iCol);
  void (*xFree)(StewardCall *c, void *pState);
} StewardStream;
void steward_rows_stream(StewardRows *r, const StewardStream *pStream,
                         void *pState);
void steward_rows_own(StewardRows *r, sqlite3_stmt *pStmt);
void steward_rows_from(StewardCall *c, StewardRows *r, enum StewardSqlId id,
                       sqlite3_stmt *pStmt);
int steward_row_count(const StewardRows *r);
void steward_row_set(StewardRows *r, int iRow, int iCol, i64 iValue);
i64 steward_value_hash(sqlite3_value *v, i64 iSeed);

/* rowset.c for systable.c */
typedef struct StewardVtab StewardVtab;
struct StewardVtab {
  sqlite3_vtab base; /* must be first */
  Steward *p;
  const StewardTable *pTable;
  int nColumn;     /* hidden arguments included */
  char **azColumn; /* names, then declared types, owned */
  char **azType;
};
int steward_systable_update(sqlite3_vtab *pVtab, int argc, sqlite3_value **argv,
                            sqlite3_int64 *piRowid);

/*************************************************************************
** Interface to code in introspect.c: facts about tables, triggers of ours
*/
typedef struct StewardColumn {
  char *zName;
  char *zType;
  int bNotNull;
  int iPk;     /* 1.. = place in the primary key */
  int bHidden; /* generated or hidden */
} StewardColumn;

typedef struct StewardTableInfo {
  char *zName; /* as the schema spells it */
  StewardColumn *aCol;
  int nCol;
  int bWithoutRowid;
} StewardTableInfo;

void steward_table_info(StewardCall *c, const char *zTable,
                        StewardTableInfo *pInfo /* OUT */);
void steward_table_info_free(StewardTableInfo *pInfo);
int steward_column_index(const StewardTableInfo *pInfo, const char *zColumn);
int steward_require_column(StewardCall *c, const StewardTableInfo *pInfo,
                           const char *zColumn);
char *steward_key_list(StewardCall *c, const StewardTableInfo *pInfo,
                       const char *zPrefix);
char *steward_literals(StewardCall *c, sqlite3_stmt *pRow, int iFrom, int n);
char *steward_unquote(StewardCall *c, const char *z);
int steward_explain(StewardCall *c, const char *zSql,
                    sqlite3_stmt **ppPlan /* OUT */,
                    const char **pzTail /* OUT */);

/*************************************************************************
** Interface to code in capture.c: triggers that tell of changes of rows
*/
typedef struct StewardCapture StewardCapture;
struct StewardCapture {
  const char *zTable;
  const char *zPrefix;      /* of the names of the triggers */
  const char *zKey;         /* the column that identifies a row */
  const char *azKnownBy[2]; /* columns whose change makes it another row */
  const char *zColumns; /* those that a note of a replaced row needs, quoted */
  const char *zChanged; /* condition for telling of an update, or NULL */
  int bOldImage;        /* an update is told by what the row was */
  /* Statements, without the last semicolon, that tell of "insert", "update" or
  ** "delete" of the row whose columns stand behind zRow ("OLD.", "NEW.", "n.");
  ** zFrom: what follows its values, " FROM .. WHERE ..".  Caller frees. */
  char *(*xEvent)(StewardCall *c, const StewardCapture *k, const char *zOp,
                  const char *zRow, const char *zFrom);
  void *pArg;
};
void steward_capture(StewardCall *c, const StewardCapture *k);
int steward_capture_intact(StewardCall *c, const StewardCapture *k);
void steward_capture_end(StewardCall *c, const char *zPrefix);

/*************************************************************************
** Interface to code in log.c
*/
const char *steward_arg_topic(StewardCall *c, sqlite3_value *v);
i64 steward_log_append(StewardCall *c, const char *zTopic,
                       sqlite3_value *pPayload, const char *zKey,
                       const char *zHeaders);
i64 steward_log_upkeep(StewardCall *c);

/*************************************************************************
** Interface to code in counter.c
*/
typedef struct StewardCounter {
  const char *zName;
  double rValue;
  int bKnown; /* 0: there is nothing to tell yet */
  const char *zUnit;
  const char *zMeaning;
} StewardCounter;

int steward_counter_at(StewardCall *c, int i, StewardCounter *pOut /* OUT */);
int steward_counter_count(void);
void steward_count(StewardCall *c, const char *zCounter, i64 nAdd);
i64 steward_wal_bytes(sqlite3 *db, const char *zSchema);

/*************************************************************************
** Interface to code in ext/config.c: settings
*/
typedef struct StewardSetting {
  const char *zName;
  i64 iDefault, iMin, iMax;
  const char *zUnit;
  const char *zMeaning;
} StewardSetting;

int steward_setting_count(void);
const StewardSetting *steward_setting_at(int i);
int steward_setting_index(const char *zName);
i64 steward_setting_stored(StewardCall *c, const StewardSetting *pSetting);
i64 steward_setting_value(StewardCall *c, const StewardSetting *pSetting);
void steward_setting_check(StewardCall *c, const StewardSetting *pSetting,
                           i64 iValue);
i64 steward_setting_int(StewardCall *c, const char *zName);
int steward_setting_is_text(const StewardSetting *pSetting);
char *steward_setting_text(StewardCall *c, const char *zName);
i64 steward_setting_kept(StewardCall *c, const char *zName);

/*************************************************************************
** The capabilities, in the order of the table of contents in steward.c
*/
int config_register(Steward *p);
int config_tables_register(Steward *p);
int on_register(Steward *p);
int help_register(Steward *p);
int help_tables_register(Steward *p);
int migrate_register(Steward *p);
int migrate_tables_register(Steward *p);
i64 delivery_append(StewardCall *c, const char *zTopic, sqlite3_value *pPayload,
                    const char *zKey, const char *zHeaders);
void delivery_feed_again(StewardCall *c);
i64 delivery_upkeep(StewardCall *c);
int delivery_register(Steward *p);
int delivery_tables_register(Steward *p);
int change_register(Steward *p);
int change_tables_register(Steward *p);
int store_register(Steward *p);
int store_tables_register(Steward *p);
i64 job_upkeep(StewardCall *c);
int job_register(Steward *p);
int job_claim_register(Steward *p);
int job_finish_register(Steward *p);
int job_admin_register(Steward *p);
int job_schedule_register(Steward *p);
int job_tables_register(Steward *p);
int job_schedule_tables_register(Steward *p);
int job_stats_tables_register(Steward *p);
i64 lock_upkeep(StewardCall *c);
i64 lock_arg_handle(StewardCall *c, sqlite3_value *v);
int lock_register(Steward *p);
int lock_tables_register(Steward *p);
int ledger_idempotency_register(Steward *p);
int ledger_approval_register(Steward *p);
int ledger_session_register(Steward *p);
int ledger_event_register(Steward *p);
int ledger_tables_register(Steward *p);
int delta_register(Steward *p);
int delta_tables_register(Steward *p);
int delta_table_register(Steward *p);
int delta_children_register(Steward *p);
int delta_define_register(Steward *p);
int delta_history_register(Steward *p);
int delta_write_register(Steward *p);
int delta_last_register(Steward *p);
int fk_register(Steward *p);
int fk_tables_register(Steward *p);
void stream_note(StewardCall *c, const char *zOperation, const char *zTable,
                 sqlite3_value *pScope, i64 nRecord, i64 iBegin);
void stream_log_free(Steward *p);
int stream_register(Steward *p);
int stream_tables_register(Steward *p);
char *ttl_time_sql(StewardCall *c, const char *zColumn, const char *zUnit);
char *ttl_due_sql(StewardCall *c, const char *zColumn, const char *zUnit,
                  const char *zNow);
char *ttl_unreadable_sql(StewardCall *c, const char *zColumn,
                         const char *zUnit);
char *ttl_readable_sql(StewardCall *c, const char *zColumn, const char *zUnit);
void ttl_sweep_own(StewardCall *c, const char *zTable);
int ttl_register(Steward *p);
int ttl_tables_register(Steward *p);
int perf_register(Steward *p);
int perf_text_register(Steward *p);
int perf_trace_register(Steward *p);
int perf_io_register(Steward *p);
int perf_stat_register(Steward *p);
int perf_history_register(Steward *p);
int perf_export_register(Steward *p);
int perf_report_register(Steward *p);
int perf_tables_register(Steward *p);
int keeper_register(Steward *p);
int keeper_tables_register(Steward *p);
int keeper_thread_register(Steward *p);
void keeper_free(Steward *p);
int tune_register(Steward *p);
int tune_tables_register(Steward *p);
int health_register(Steward *p);
int health_tables_register(Steward *p);
int doctor_tables_register(Steward *p);
char *steward_temp_directory(StewardCall *c); /* caller frees */
int vacuum_register(Steward *p);
int vacuum_auto_register(Steward *p);
int vacuum_progress_register(Steward *p);
int vacuum_tables_register(Steward *p);
int maintenance_tables_register(Steward *p);
int pool_config_register(Steward *p);
int pool_register(Steward *p);
int pool_tables_register(Steward *p);
int api_register(Steward *p);

#endif
