/*
** perf_trace.c - capture: what the connection's statements cost.
**
**     SELECT perf_trace('sample');
**     SELECT calls, mean_exec_time, query FROM perf_statements LIMIT 10;
**     SELECT perf_trace('off');
**
** SQLite calls one function per connection when a statement begins, gives a row
** and ends.  Asking for the ends alone costs 3 to 8 % of a statement of one
** microsecond, so `sample` asks for the beginnings only and counts them down in
** on_event(), four instructions; the rest of this file runs once in N.
**
** Which statement is measured: the one after a beginning that the count ends
** at, as the end of a statement is only reported when that was asked for before
** it began.  The count is drawn anew from 1..2N-1 each time.  Beginnings of
** nested statements (triggers, what functions run: SQLite reports them under a
** text that is not the statement's own) count down too, but one that the count
** ends at measures nothing: so each statement of the host is drawn with
** probability 1/N, whatever triggers the others fire, and stands for N.
**
** Nested statements themselves are never counted: their time is that of the
** statement of the host that ran them.  A statement's counters are read as
** differences, never reset: they are the host's.
**
** The slot is the host's as well.  When it takes the slot back nothing is
** called any more; perf_trace() notices by running a statement that would be
** reported, and leaves the slot alone from then on.
*/
#include <pthread.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <x86intrin.h>
#define HAVE_TSC 1
#endif

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "perf_int.h"

enum { MODE_OFF, MODE_SAMPLE, MODE_FULL, MODE_SLOW, MODE_LOST };
static const char zModes[] = "off|sample|full|slow";
static const char *const azMode[] = {"off", "sample", "full", "slow", "lost"};

enum {
  RUNS = 128,         /* statements that are looked after at a time ... */
  WAYS = 4,           /* ... in sets of so many places, by their address */
  EVERY_STATUS = 32,  /* full: counters are read at the first 32 ends of a
                         statement, at every 32nd ... */
  LONG_NS = 20000,    /* ... and at that of a run of 20 us */
  GIVE_UP = 64,       /* events after which a measured cursor is let go */
  WARM_UP = 16,       /* statements that are all measured at first */
  WEIGHT_MAX = 4096,  /* largest N */
  SAMPLE_COST = 2500, /* ns that measuring one statement costs */
  SHARE = 1000,       /* it may be one of so many parts of the time */
  ALL_EVENTS = SQLITE_TRACE_STMT | SQLITE_TRACE_PROFILE | SQLITE_TRACE_ROW
};

/* A statement that was seen, in the set of places that its address gives. */
typedef struct Run {
  sqlite3_stmt *pStmt;
  u64 hash;     /* of its text: addresses are used again */
  u64 id;       /* fingerprint */
  PerfEntry *e; /* NULL: not looked up */
  u64 iStart;   /* ticks */
  i64 nRow, nChange;
  double rRows; /* full: how many runs its rows stand for */
  double rWeight;
  i64 aLast[PERF_STATUS_COUNT];
  int nSeen; /* ends so far */
  int nRun;  /* what SQLite counts at the next beginning */
  int bRunning, bWrites;
} Run;

typedef struct Capture {
  int nQuiet; /* first: beginnings to let pass in on_event() */
  int eMode;
  Steward *p;
  char *zPath;    /* owned */
  u64 idPath;     /* its hash */
  int nEvery;     /* N, 0: adaptive */
  i64 iThreshold; /* ns */
  int bBound;
  /* sample */
  int bQuiet, bArmed, bMeasure, nPending, nLeft, nAge, nWarm;
  double rWeight, rMean;
  u64 iRandom;
  /* time */
  u64 iBase;       /* ticks at ... */
  i64 iBaseMs;     /* ... this time, read once a second */
  u64 iTickEnd;    /* until this tick ... */
  i64 iTickMs;     /* ... it is this time */
  unsigned nEvent; /* slow events: with nQuiet, the proof of life */
  struct {         /* the statement that ended last */
    PerfEntry *e;
    u64 key;
    double rWeight;
  } last;
  Run *pRows;       /* full: the last one whose rows are counted, or NULL */
  Run *pEnded;      /* it ended, and nothing has begun since ... */
  PerfSample ended; /* ... as this, if it was counted */
  int bCounted;
  PerfText text;
  Run aRun[RUNS];
} Capture;

/*************************************************************************
** Ticks: the processor's own clock where it runs evenly, else CLOCK_MONOTONIC
*/
static double rTickNs = 1.0;
static int bTsc; /* written once, like rTickNs, before the first capture */

static u64 monotonic_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static inline u64 ticks(void) {
#ifdef HAVE_TSC
  if (bTsc) return __rdtsc();
#endif
  return monotonic_ns();
}

/* Measure it against the system's clock for two milliseconds. */
static void ticks_measure(void) {
#ifdef HAVE_TSC
  unsigned a = 0, b = 0, c = 0, d = 0;
  u64 iNs, iTsc, nNs;
  if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & (1u << 8))) return;
  iNs = monotonic_ns();
  iTsc = __rdtsc();
  do {
    nNs = monotonic_ns() - iNs;
  } while (nNs < 2000000);
  rTickNs = (double)nNs / (double)(__rdtsc() - iTsc);
  bTsc = 1;
#endif
}

static void ticks_begin(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, ticks_measure);
}

static i64 ticks_ns(u64 n) {
  return (i64)((double)(i64)n * rTickNs);
}

/* Unix ms of a tick. */
static i64 tick_ms_anew(Capture *p, u64 iTick) {
  i64 nNs = ticks_ns(iTick - p->iBase);
  p->iTickEnd = 0;
  if (p->p->clock.bPinned) return p->p->clock.iPinned;
  if (p->iBaseMs == 0 || nNs > 1000000000) {
    p->iBase = iTick;
    p->iBaseMs = steward_now(p->p);
    nNs = 0;
  }
  p->iTickEnd = iTick + (u64)(1000000.0 / rTickNs);
  p->iTickMs = p->iBaseMs + nNs / 1000000;
  return p->iTickMs;
}

static inline i64 tick_ms(Capture *p, u64 iTick) {
  return iTick < p->iTickEnd ? p->iTickMs : tick_ms_anew(p, iTick);
}

static int on_event(unsigned eEvent, void *pArg, void *pStmt, void *pX);

static void listen(Capture *p, unsigned mEvent) {
  sqlite3_trace_v2(p->p->db, mEvent, on_event, p);
}

/*************************************************************************
** One statement
*/
/* The place of a statement.  When it has none: that of its set whose statement
** has not run for longest, of one that does not run if there is any. */
static Run *run_of(Capture *p, sqlite3_stmt *pStmt) {
  u64 h = ((u64)(uintptr_t)pStmt >> 4) * 0x9e3779b97f4a7c15ULL;
  Run *aSet = &p->aRun[(h >> 32) % (RUNS / WAYS) * WAYS], *pOld = aSet;
  int i;
  for (i = 0; i < WAYS; i++) {
    Run *r = &aSet[i];
    if (r->pStmt == pStmt) return r;
    if (r->bRunning == pOld->bRunning ? r->iStart < pOld->iStart
                                      : pOld->bRunning) {
      pOld = r;
    }
  }
  return pOld;
}

static void read_status(sqlite3_stmt *pStmt, i64 *aStatus) {
  static const int aOp[PERF_STATUS_COUNT] = {
      SQLITE_STMTSTATUS_FULLSCAN_STEP, SQLITE_STMTSTATUS_SORT,
      SQLITE_STMTSTATUS_AUTOINDEX, SQLITE_STMTSTATUS_VM_STEP,
      SQLITE_STMTSTATUS_REPREPARE};
  int i;
  for (i = 0; i < PERF_STATUS_COUNT; i++) {
    aStatus[i] = (unsigned)sqlite3_stmt_status(pStmt, aOp[i], 0);
  }
}

static u64 key_of(const Capture *p, const Run *r) {
  return perf_store_key(r->id, p->idPath);
}

/* Look the statement up in the process's table. */
static void identify(Capture *p, Run *r, const char *zSql) {
  perf_text_normalize(&p->text, zSql, (i64)strlen(zSql));
  r->e = NULL;
  if (p->text.bNomem) {
    perf_store_lost();
  } else {
    r->id = perf_text_hash(p->text.z, p->text.n);
    r->e = perf_store_find(r->id, key_of(p, r), p->zPath, p->text.z, p->text.n);
  }
  if (p->text.nAlloc > 65536 || p->text.bNomem) {
    sqlite3_free(p->text.z);
    memset(&p->text, 0, sizeof(p->text));
  }
}

/* Count a run: its text is zSql, in case that its entry is another's now. */
static void count(Capture *p, Run *r, PerfSample *pSample, const char *zSql) {
  if (r->e && perf_store_add(r->e, key_of(p, r), pSample)) return;
  if (zSql == NULL) {
    perf_store_lost();
    return;
  }
  identify(p, r, zSql);
  if (r->e) perf_store_add(r->e, key_of(p, r), pSample);
}

/* It is not looked after any longer, and still runs: so far it took this. */
static void give_up(Capture *p, Run *r) {
  u64 iNow = ticks();
  PerfSample sample = {.rWeight = r->rWeight, .nRow = r->nRow};
  sample.nNs = ticks_ns(iNow - r->iStart);
  sample.iAt = tick_ms(p, iNow);
  r->bRunning = 0;
  if (p->eMode != MODE_SLOW) count(p, r, &sample, NULL);
  r->pStmt = NULL;
}

/* Every row of a result costs 5 ns to be told of: full asks for those of the
** runs whose counters it reads. */
static void want_rows(Capture *p, Run *r) {
  int bWant = r->nSeen < EVERY_STATUS || (r->nSeen + 1) % EVERY_STATUS == 0;
  r->rRows = r->nSeen < EVERY_STATUS ? 1.0 : bWant ? EVERY_STATUS : 0.0;
  if (bWant) {
    if (!p->pRows) listen(p, ALL_EVENTS);
    p->pRows = r;
  } else if (p->pRows && !p->pRows->bRunning) {
    listen(p, SQLITE_TRACE_STMT | SQLITE_TRACE_PROFILE);
    p->pRows = NULL;
  }
}

static void begin(Capture *p, sqlite3_stmt *pStmt, const char *zSql,
                  double rWeight) {
  Run *r = run_of(p, pStmt);
  int nRun = sqlite3_stmt_status(pStmt, SQLITE_STMTSTATUS_RUN, 0);
  u64 hash;
  if (r->bRunning && r->pStmt != pStmt) {
    give_up(p, r);
    if (p->eMode == MODE_SAMPLE) p->nPending--;
  }
  if (p->eMode == MODE_SLOW) {
    r->pStmt = pStmt;
    r->e = NULL;
  } else if (r->pStmt != pStmt || nRun == 0 || nRun != r->nRun) {
    hash = XXH3_64bits(zSql, strlen(zSql));
    if (r->pStmt != pStmt || r->hash != hash) {
      identify(p, r, zSql);
      r->pStmt = pStmt;
      r->hash = hash;
      r->bWrites = !sqlite3_stmt_readonly(pStmt);
      r->nSeen = 0;
      read_status(pStmt, r->aLast);
    }
  }
  if (p->eMode == MODE_SAMPLE) read_status(pStmt, r->aLast);
  if (p->eMode == MODE_FULL) want_rows(p, r);
  r->nRun = nRun + 1;
  if (p->eMode == MODE_SLOW) r->bWrites = !sqlite3_stmt_readonly(pStmt);
  if (r->bWrites) r->nChange = sqlite3_total_changes64(p->p->db);
  r->nRow = 0;
  r->rWeight = rWeight;
  r->bRunning = 1;
  r->iStart = ticks();
}

/* The statement's own counters since they were read last. */
static void status_of(Capture *p, Run *r, PerfStatus *pOut) {
  i64 aNow[PERF_STATUS_COUNT];
  int i;
  read_status(r->pStmt, aNow);
  for (i = 0; i < PERF_STATUS_COUNT; i++) {
    /* less: the host has reset it, or another statement of the same text is
    ** at the same address */
    pOut->a[i] = aNow[i] < r->aLast[i] ? aNow[i] : aNow[i] - r->aLast[i];
    r->aLast[i] = aNow[i];
  }
  pOut->rWeight = p->eMode == MODE_SAMPLE ? r->rWeight : 1.0;
  pOut->nMemory = sqlite3_stmt_status(r->pStmt, SQLITE_STMTSTATUS_MEMUSED, 0);
}

static void note_slow(Capture *p, Run *r, const PerfSample *pSample) {
  char *zBound = p->bBound ? sqlite3_expanded_sql(r->pStmt) : NULL;
  const char *zText = p->bBound ? sqlite3_sql(r->pStmt) : NULL;
  if (zText == NULL) zText = p->text.z; /* normal form: identify() was called */
  perf_store_slow(r->id, p->zPath, (double)pSample->nNs / 1e6, pSample->iAt,
                  zBound ? zBound : zText);
  sqlite3_free(zBound);
}

/* A statement has ended; 1 when it was one that is looked after.  One whose
** schema has changed ends, is prepared anew and ends again, without a second
** beginning: the end that was counted is amended. */
static int end(Capture *p, sqlite3_stmt *pStmt) {
  u64 iNow = ticks();
  Run *r = run_of(p, pStmt);
  PerfSample sample;
  PerfStatus status;
  int bAgain = !r->bRunning && p->pEnded == r;
  if (r->pStmt != pStmt || !(r->bRunning || bAgain)) return 0;
  r->bRunning = 0;
  if (!bAgain) p->bCounted = 0;
  p->pEnded = r;
  sample.nNs = ticks_ns(iNow - r->iStart);
  if (p->eMode == MODE_SLOW && sample.nNs < p->iThreshold) return !bAgain;
  sample.rWeight = r->rWeight;
  sample.pStatus = NULL;
  sample.iAt = tick_ms(p, iNow);
  sample.nRow = r->nRow;
  if (p->eMode == MODE_FULL) sample.nRow = (i64)((double)r->nRow * r->rRows);
  if (r->bWrites && r->nRow == 0 &&
      sqlite3_total_changes64(p->p->db) != r->nChange) {
    sample.nRow = sqlite3_changes64(p->p->db);
  }
  /* one that was refused a lock has not been halted, nor has one that the host
  ** resets while it stands on a row */
  sample.bBusy = sqlite3_stmt_busy(pStmt) && sqlite3_data_count(pStmt) == 0;
  if (p->eMode == MODE_SLOW) {
    const char *zSql = sqlite3_sql(pStmt);
    if (zSql) identify(p, r, zSql);
  } else {
    r->nSeen++;
    if (p->eMode == MODE_SAMPLE || r->nSeen <= EVERY_STATUS ||
        r->nSeen % EVERY_STATUS == 0 || sample.nNs > LONG_NS) {
      status_of(p, r, &status);
      sample.pStatus = &status;
    }
    p->rMean += ((double)sample.nNs - p->rMean) / 8;
  }
  if (p->bCounted && r->e) {
    perf_store_amend(r->e, key_of(p, r), &p->ended, &sample);
  } else {
    count(p, r, &sample, sqlite3_sql(pStmt));
    if (p->eMode == MODE_SLOW && r->e && p->text.z) note_slow(p, r, &sample);
  }
  p->ended = sample;
  p->ended.pStatus = NULL;
  p->bCounted = 1;
  p->last.e = r->e;
  p->last.key = key_of(p, r);
  p->last.rWeight = r->rWeight;
  return !bAgain;
}

/* Did the statement that ended last fail?  SQLite tells it after the end was
** reported; it can be seen when the next statement begins, unless a statement
** was prepared in between.  Codes that preparing gives as well are nobody's. */
static void look_back(Capture *p) {
  p->pEnded = NULL;
  if (p->last.e == NULL) return;
  switch (sqlite3_errcode(p->p->db)) {
  case SQLITE_CONSTRAINT:
  case SQLITE_ABORT:
  case SQLITE_INTERRUPT:
  case SQLITE_FULL:
  case SQLITE_IOERR:
  case SQLITE_READONLY:
  case SQLITE_TOOBIG:
  case SQLITE_MISMATCH:
    perf_store_error(p->last.e, p->last.key, p->last.rWeight);
    break;
  default: break;
  }
  p->last.e = NULL;
}

/*************************************************************************
** Events
*/
/* Uniform in 1..2N-1. */
static int draw(Capture *p) {
  double r = (double)p->nEvery;
  if (p->nEvery == 0) {
    r = (double)SAMPLE_COST * SHARE / (p->rMean > 1 ? p->rMean : 1);
    if (p->nWarm > 0) r = 1;
    if (r > WEIGHT_MAX) r = WEIGHT_MAX;
    if (r < 1) r = 1;
  }
  p->rWeight = (double)(i64)r;
  p->iRandom ^= p->iRandom << 13;
  p->iRandom ^= p->iRandom >> 7;
  p->iRandom ^= p->iRandom << 17;
  return 1 + (int)(p->iRandom % (u64)(2 * (i64)r - 1));
}

static void give_up_all(Capture *p) {
  int i;
  for (i = 0; i < RUNS; i++) {
    if (p->aRun[i].bRunning) give_up(p, &p->aRun[i]);
  }
  p->nPending = 0;
}

static void sample_beginning(Capture *p, sqlite3_stmt *pStmt,
                             const char *zSql) {
  int bTop = zSql == sqlite3_sql(pStmt);
  int bHit = p->bQuiet || --p->nLeft <= 0;
  p->bQuiet = 0;
  if (bTop) look_back(p);
  if (p->bMeasure && bTop) {
    p->bMeasure = 0;
    p->nPending++;
    p->nAge = 0;
    begin(p, pStmt, zSql, p->rWeight);
    if (p->nWarm > 0) p->nWarm--;
  } else if (p->nPending && ++p->nAge > GIVE_UP) {
    give_up_all(p);
  }
  if (bHit) {
    p->nLeft = draw(p);
    if (bTop) p->bMeasure = 1;
  }
  if (p->bMeasure && !p->bArmed) {
    listen(p, ALL_EVENTS);
    p->bArmed = 1;
  } else if (!p->bMeasure && p->nPending == 0 && p->nLeft > 1) {
    if (p->bArmed) listen(p, SQLITE_TRACE_STMT);
    p->bArmed = 0;
    p->bQuiet = 1;
    p->nQuiet = p->nLeft;
  }
}

static __attribute__((noinline)) int slow_event(unsigned eEvent, Capture *p,
                                                sqlite3_stmt *pStmt, void *pX) {
  p->nQuiet = 0;
  p->nEvent++;
  if (eEvent == SQLITE_TRACE_ROW) {
    Run *r = run_of(p, pStmt);
    if (r->pStmt == pStmt && r->bRunning) r->nRow++;
  } else if (eEvent == SQLITE_TRACE_PROFILE) {
    if (end(p, pStmt) && p->eMode == MODE_SAMPLE) p->nPending--;
  } else if (p->eMode == MODE_SAMPLE) {
    sample_beginning(p, pStmt, pX);
  } else if (pX == (const void *)sqlite3_sql(pStmt)) {
    look_back(p);
    begin(p, pStmt, pX, 1.0);
  }
  return 0;
}

/* nQuiet is above 0 only while nothing but beginnings are asked for. */
static int on_event(unsigned eEvent, void *pArg, void *pStmt, void *pX) {
  Capture *p = pArg;
  if (--p->nQuiet > 0) return 0;
  return slow_event(eEvent, p, pStmt, pX);
}

/*************************************************************************
** Taking the slot, and giving it back
*/
static void capture_free(void *pCapture) {
  Capture *p = pCapture;
  if (p == NULL) return;
  sqlite3_free(p->zPath);
  sqlite3_free(p->text.z);
  sqlite3_free(p);
}

static Capture *capture_of(StewardCall *c) {
  Capture *p = c->p->pCapture;
  if (p || c->rc) return p;
  p = sqlite3_malloc64(sizeof(*p));
  if (p) {
    memset(p, 0, sizeof(*p));
    p->p = c->p;
    p->zPath = steward_db_path(c->p);
  }
  if (p == NULL || p->zPath == NULL) {
    capture_free(p);
    steward_fail_nomem(c);
    return NULL;
  }
  p->idPath = perf_text_hash(p->zPath, (i64)strlen(p->zPath));
  c->p->pCapture = p;
  c->p->xCaptureFree = capture_free;
  return p;
}

/* Is the slot still ours?  A statement run now would be reported. */
static int slot_is_ours(StewardCall *c, Capture *p) {
  int nQuiet = p->nQuiet;
  unsigned nEvent = p->nEvent;
  if (p->eMode == MODE_OFF || p->eMode == MODE_LOST) return 0;
  steward_int(c, SQL_perf_probe, 0, "");
  if (c->rc || p->nQuiet != nQuiet || p->nEvent != nEvent) return 1;
  p->eMode = MODE_LOST;
  return 0;
}

static void stop(StewardCall *c, Capture *p) {
  if (p == NULL || c->rc) return;
  if (slot_is_ours(c, p)) {
    if (p->eMode != MODE_SLOW) give_up_all(p);
    sqlite3_trace_v2(c->db, 0, NULL, NULL);
  }
  p->eMode = MODE_OFF;
}

static void start(Capture *p, int eMode) {
  memset(p->aRun, 0, sizeof(p->aRun));
  memset(&p->last, 0, sizeof(p->last));
  p->pEnded = NULL;
  p->pRows = p->aRun;
  ticks_begin();
  p->iBaseMs = 0;
  p->iTickEnd = 0;
  p->iRandom = (monotonic_ns() ^ (u64)(uintptr_t)p) | 1;
  p->eMode = eMode;
  p->nQuiet = 0;
  p->nPending = 0;
  p->bQuiet = 0;
  p->bArmed = 1;
  p->bMeasure = 1;
  p->nWarm = p->nEvery ? 0 : WARM_UP;
  p->nLeft = draw(p);
  if (p->nEvery) p->bMeasure = p->nEvery == 1;
  listen(p, ALL_EVENTS);
}

typedef struct TraceOptions {
  i64 nEvery;
  i64 iThreshold;
  i64 bBound;
  i64 nMax;
} TraceOptions;

static const StewardOption aTraceOption[] = {
    {"every", STEWARD_OPT_INT, offsetof(TraceOptions, nEvery), 0, 1000000, NULL,
     "sample: one statement in so many; 0: as many as cost less than 0.5 %"},
    {"threshold", STEWARD_OPT_DURATION, offsetof(TraceOptions, iThreshold), 0,
     86400000, NULL, "slow: how long a slow statement runs at least"},
    {"bound_sql", STEWARD_OPT_BOOL, offsetof(TraceOptions, bBound), 0, 1, NULL,
     "slow: keep the text with its literals and bound values, too"},
    {"max_statements", STEWARD_OPT_INT, offsetof(TraceOptions, nMax), 10,
     100000, NULL, "how many statements the process keeps"},
};

static int mode_index(StewardCall *c, sqlite3_value *v) {
  const char *z = steward_arg_text(c, v, "mode", 20);
  int i;
  for (i = 0; z && i <= MODE_SLOW; i++) {
    if (strcmp(z, azMode[i]) == 0) return i;
  }
  if (z) steward_fail_argument(c, v, "mode", zModes);
  return MODE_OFF;
}

/* perf_trace([mode TEXT [, options JSON]]) -> 1, or the mode in effect
**                                                               directonly
** Capture what this connection's statements cost into perf_statements: `off`;
** `sample`, a statement in N, with N such that it costs less than 0.5 %;
** `full`, every statement; `slow`, those above a threshold (100 ms), into
** perf_slow, too.  It takes the connection's one trace slot (.trace of the
** shell, set_trace_callback of Python) and that of sqlite3_profile(): a hook of
** yours is replaced, and the other way round.  Without a mode: the mode in
** effect, `lost` after you took the slot.
** Errors: "INVALID_ARGUMENT: perf_trace: mode must be off|sample|full|slow, got
**   'on'".
** Source: seed 001, query execution time tracking.
** Example: SELECT perf_trace('full'); -- 1
**   SELECT perf_trace(); -- full
**   SELECT calls, query FROM perf_statements
**     WHERE query = 'SELECT perf_trace()'; -- 1|SELECT perf_trace()
**   SELECT perf_trace('off'); -- 1
**   SELECT perf_reset() > 0; -- 1
*/
static void perf_trace(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  TraceOptions options = {.iThreshold = 100};
  PerfInfo info;
  Capture *p;
  int eMode;
  perf_store_info(&info);
  options.nMax = info.nMax;
  steward_open(&c, ctx, "perf_trace", NULL, STEWARD_READ);
  if (argc == 0) {
    const char *zMode = perf_trace_mode(c.p);
    if (steward_close(&c)) return;
    sqlite3_result_text(ctx, zMode, -1, SQLITE_STATIC);
    return;
  }
  eMode = mode_index(&c, argv[0]);
  if (argc > 1) {
    steward_options(&c, argv[1], aTraceOption, ArraySize(aTraceOption),
                    &options);
  }
  stop(&c, c.p->pCapture);
  if (eMode != MODE_OFF && (p = capture_of(&c)) != NULL && c.rc == SQLITE_OK) {
    p->nEvery = (int)options.nEvery;
    p->iThreshold = options.iThreshold * 1000000;
    p->bBound = (int)options.bBound;
    start(p, eMode);
  }
  if (c.rc == SQLITE_OK && options.nMax != info.nMax) {
    perf_store_limit((int)options.nMax);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* The mode in effect. */
const char *perf_trace_mode(Steward *p) {
  Capture *pCapture = p->pCapture;
  StewardCall c = {.p = p, .db = p->db, .zFunc = "perf_trace"};
  if (pCapture == NULL) return azMode[MODE_OFF];
  slot_is_ours(&c, pCapture);
  sqlite3_free(c.zErr);
  return azMode[pCapture->eMode];
}

/* perf_reset() -> INTEGER, statements forgotten     directonly
** Empty perf_statements and perf_slow, of all connections of this process.
** Source: pg_stat_statements_reset().
** Example: SELECT perf_reset() >= 0; -- 1
**   SELECT count(*) FROM perf_statements; -- 0
*/
static void perf_reset(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Steward *p = sqlite3_user_data(ctx);
  sqlite3_result_int64(ctx, perf_store_reset(steward_now(p)));
}

/* One statement of a snapshot. */
static void snapshot_one(sqlite3_str *pJson, const PerfStats *s) {
  sqlite3_str_appendf(
      pJson,
      "{\"queryid\":\"%lld\",\"calls\":%lld,\"total_exec_time\":%!.15g,"
      "\"rows\":%lld,\"errors\":%lld,\"busy\":%lld,\"vm_steps\":%lld,"
      "\"first_seen_at\":%lld,\"last_seen_at\":%lld,\"samples\":%lld,",
      (i64)s->id, (i64)s->rCalls, s->rNs / 1e6, (i64)s->rRows, (i64)s->rErrors,
      (i64)s->rBusy, (i64)s->aStatus[PERF_VM_STEP], s->iFirst, s->iLast,
      s->nSample);
  sqlite3_str_appendall(pJson, "\"db_path\":");
  steward_json_string_or_null(pJson, s->zPath);
  sqlite3_str_appendall(pJson, ",\"query\":");
  steward_json_string_or_null(pJson, s->zText);
  sqlite3_str_appendall(pJson, ",\"histogram_ms\":");
  perf_stats_histogram(pJson, s);
  sqlite3_str_appendall(pJson, "}");
}

/* perf_snapshot() -> TEXT, JSON     directonly
** What perf_statements knows, as one JSON value to be kept and compared later:
** {"at", "max", "evicted", "lost", "statements":[...]}, the time that a
** statement took as a histogram of [ms, calls].  Nothing is reset.
** Source: snapshots of pg_stat_statements.
** Example: SELECT perf_trace('full'); -- 1
**   SELECT 1; -- 1
**   SELECT json_array_length(perf_snapshot() ->> '$.statements') > 0; -- 1
**   SELECT perf_trace('off'), perf_reset() > 0; -- 1|1
*/
static void perf_snapshot(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  PerfStats *aStats = NULL;
  PerfInfo info;
  sqlite3_str *pJson;
  char *zJson;
  int i, nStats = 0;
  steward_open(&c, ctx, "perf_snapshot", NULL, STEWARD_READ);
  perf_store_info(&info);
  perf_store_copy(&c, &aStats, &nStats);
  pJson = sqlite3_str_new(c.db);
  sqlite3_str_appendf(pJson,
                      "{\"at\":%lld,\"max\":%lld,\"evicted\":%lld,"
                      "\"lost\":%lld,\"reset_at\":%lld,\"statements\":[",
                      steward_now(c.p), info.nMax, info.nEvicted, info.nLost,
                      info.iReset);
  for (i = 0; i < nStats; i++) {
    if (i > 0) sqlite3_str_appendall(pJson, ",");
    snapshot_one(pJson, &aStats[i]);
  }
  sqlite3_str_appendall(pJson, "]}");
  zJson = steward_str_finish(&c, pJson);
  perf_store_copy_free(aStats, nStats);
  steward_close_json(&c, zJson);
}

static const StewardFunc aFunc[] = {
    {"perf_trace", 0, 2, STEWARD_DIRECTONLY, perf_trace, aTraceOption,
     ArraySize(aTraceOption)},
    {"perf_reset", 0, 0, STEWARD_DIRECTONLY, perf_reset, NULL, 0},
    {"perf_snapshot", 0, 0, STEWARD_DIRECTONLY, perf_snapshot, NULL, 0},
};

int perf_trace_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
