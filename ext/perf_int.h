/*
** perf_int.h - what the files of the capability perf share.
**
**   perf_text.c     statements without their literals, and their fingerprints
**   perf_store.c    the process's table of statements
**   perf_trace.c    capture: SQLite's trace hook
**   perf_io.c       reads, writes and syncs of a connection
**   perf_stat.c     percentiles and histograms of columns
**   perf_history.c  metrics by the hour and by the day, baselines
**   perf_export.c   everything that is counted, for other tools
**   perf_page.c     pieces of a page: words, numbers, pictures, tables
**   perf_report.c   the state of the database as a page
**   perf.c          values that the caller records, batches of counters
*/
#ifndef PERF_INT_H
#define PERF_INT_H

#include "steward_int.h"

typedef uint64_t u64;

/*************************************************************************
** Interface to code in perf_text.c
*/
typedef struct PerfText {
  char *z;       /* owned; sqlite3_free() */
  i64 n, nAlloc; /* bytes used, bytes there */
  int bNomem;
} PerfText;

void perf_text_normalize(PerfText *pOut, const char *zSql, i64 nSql);
u64 perf_text_hash(const char *z, i64 n);

/*************************************************************************
** Interface to code in perf_store.c
*/
enum {
  PERF_FULLSCAN,
  PERF_SORT,
  PERF_AUTOINDEX,
  PERF_VM_STEP,
  PERF_REPREPARE,
  PERF_STATUS_COUNT
};

enum { PERF_BUCKETS = 280, PERF_SLOW_MAX = 128, PERF_SLOW_TEXT = 2000 };

/* Counters of a statement, for so many runs as each stands for. */
typedef struct PerfStatus {
  i64 a[PERF_STATUS_COUNT];
  double rWeight;
  i64 nMemory; /* bytes */
} PerfStatus;

/* One execution, or several of which this one was drawn. */
typedef struct PerfSample {
  double rWeight; /* how many it stands for */
  i64 nNs;
  i64 nRow;
  i64 iAt;     /* Unix ms */
  i64 nMinWas; /* the least before it: set by perf_store_add() */
  int bBusy;
  const PerfStatus *pStatus; /* NULL: not asked */
} PerfSample;

/* What is known about a statement. */
typedef struct PerfStats {
  u64 id;              /* fingerprint */
  u64 key;             /* of the statement on its file: perf_store_key() */
  char *zText, *zPath; /* owned */
  i64 nSample;
  double rCalls, rNs, rNs2, rRows, rErrors, rBusy;
  i64 nMin, nMax;
  double aStatus[PERF_STATUS_COUNT];
  i64 nMemory;
  double rCallsKept, rNsKept; /* when perf_capture() stored it last */
  i64 iFirst, iLast;
  u64 aBucket[PERF_BUCKETS];
} PerfStats;

typedef struct PerfEntry PerfEntry;

typedef struct PerfSlow {
  i64 iAt;
  double rMs;
  u64 id;
  char zPath[200];
  char zSql[PERF_SLOW_TEXT];
} PerfSlow;

typedef struct PerfInfo {
  i64 nStatements, nMax, nEvicted, nLost, iReset;
} PerfInfo;

typedef struct PerfTotals {
  PerfInfo info;
  double rCalls, rNs, rBusy, rErrors;
} PerfTotals;

/* Which statement on which file: fingerprint, and hash of the file's name. */
static inline u64 perf_store_key(u64 id, u64 idPath) {
  return id ^ idPath;
}

PerfEntry *perf_store_find(u64 id, u64 key, const char *zPath,
                           const char *zText, i64 nText);
int perf_store_add(PerfEntry *e, u64 key, PerfSample *pSample);
void perf_store_amend(PerfEntry *e, u64 key, PerfSample *pOld,
                      const PerfSample *pNew);
void perf_store_error(PerfEntry *e, u64 key, double rWeight);
void perf_store_lost(void);
void perf_store_slow(u64 id, const char *zPath, double rMs, i64 iAt,
                     const char *zSql);
void perf_store_limit(int nMax);
i64 perf_store_reset(i64 iAt);
void perf_store_info(PerfInfo *pInfo /* OUT */);
void perf_store_totals(PerfTotals *pTotals /* OUT */);
int perf_store_copy(StewardCall *c, PerfStats **paStats /* OUT */,
                    int *pnStats /* OUT */);
void perf_store_copy_free(PerfStats *aStats, int nStats);
void perf_store_kept(const PerfStats *aStats, int nStats);
int perf_store_slow_copy(StewardCall *c, PerfSlow **paSlow /* OUT */);
double perf_bucket_ns(int iBucket);
double perf_stats_percentile(const PerfStats *s, double p);
void perf_stats_histogram(sqlite3_str *pJson, const PerfStats *s);

/*************************************************************************
** Interface to code in perf_trace.c
*/
const char *perf_trace_mode(Steward *p);

/*************************************************************************
** Interface to code in perf_io.c
*/
typedef struct PerfIo PerfIo;
int perf_io_counter_at(StewardCall *c, int i, StewardCounter *pOut /* OUT */);

/*************************************************************************
** Interface to code in perf_history.c
*/
int perf_history_roll(StewardCall *c, i64 nMax);

/*************************************************************************
** Interface to code in perf.c
*/
int perf_counter_at(StewardCall *c, int i, StewardCounter *pOut /* OUT */);
sqlite3_stmt *perf_take_now(StewardCall *c, enum StewardSqlId id);

/*************************************************************************
** Interface to code in perf_page.c
*/
void perf_page_style(sqlite3_str *p);
void perf_page_text(sqlite3_str *p, const char *z);
void perf_page_number(sqlite3_str *p, double r, int bBytes);
void perf_page_duration(sqlite3_str *p, double rMs);
void perf_page_bar(sqlite3_str *p, double rShare);
void perf_page_line(sqlite3_str *p, const double *a, int n, int nWidth,
                    const char *zLabel);
void perf_page_histogram(sqlite3_str *p, const PerfStats *s);
int perf_page_table(StewardCall *c, sqlite3_str *p, enum StewardSqlId id);

/*************************************************************************
** Interface to code in perf_export.c
*/
typedef struct PerfFamily {
  const char *zName; /* without `steward_` and `_total` */
  int bCounter;      /* else it is a gauge */
  const char *zUnit; /* the end of its name, or "" */
  const char *zHelp;
} PerfFamily;

int perf_family_at(StewardCall *c, int i, char *zName, PerfFamily *pOut);

#endif
