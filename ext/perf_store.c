/*
** perf_store.c - the statements of this process: one table, shared by all
** connections that capture.
**
** Who may do what:
**
**   - `lock` guards the list of entries, their chains, the slow ones and the
**     limit.  It is held to find or make an entry, to evict, to read: never
**     while a statement is counted.
**   - each entry has a lock of its own, a flag that is spun on for the few
**     nanoseconds of an addition.
**   - entries are never freed, so a connection may keep a pointer; one that was
**     evicted has another key, which perf_store_add() notices.
**
** The table lives as long as the process, in memory of the C library: it
** belongs to no connection.  It is bounded: 5,000 statements, each with its
** text of at most TEXT_MAX bytes, the name of its file and 2.5 KB of counters.
**
** A child of fork() begins with an empty one.  Until it has emptied it, in
** store_lock(), it takes no lock of an entry: a thread of the parent may hold
** it that is not there.
*/
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "perf_int.h"

enum { CHAINS = 4096, TEXT_MAX = 4096, LIMIT_DEFAULT = 5000 };

struct PerfEntry {
  atomic_flag lock;
  PerfEntry *pNext; /* in its chain, or of the free ones */
  PerfStats s;
};

static struct {
  pthread_mutex_t lock;
  PerfEntry *aChain[CHAINS];
  PerfEntry *pFree;
  int nEntry, nMax;
  i64 nEvicted, iReset;
  PerfTotals gone; /* of statements that were evicted */
  atomic_llong nLost;
  PerfSlow *aSlow;
  i64 nSlow;
  atomic_int bForked;
} store = {.lock = PTHREAD_MUTEX_INITIALIZER, .nMax = LIMIT_DEFAULT};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/*************************************************************************
** Locks
*/
static void entry_lock(PerfEntry *e) {
  while (atomic_flag_test_and_set_explicit(&e->lock, memory_order_acquire)) {
  }
}

static void entry_unlock(PerfEntry *e) {
  atomic_flag_clear_explicit(&e->lock, memory_order_release);
}

static void fork_prepare(void) {
  pthread_mutex_lock(&store.lock);
}

static void fork_parent(void) {
  pthread_mutex_unlock(&store.lock);
}

/* What was counted belongs to the parent; an entry's lock may be held by a
** thread that is not here. */
static void fork_child(void) {
  atomic_store(&store.bForked, 1);
  pthread_mutex_unlock(&store.lock);
}

/* Is what is here the parent's? */
static int is_inherited(void) {
  return atomic_load_explicit(&store.bForked, memory_order_acquire);
}

static void once_only(void) {
  static StewardFork guard = {STEWARD_FORK_LOCKS, fork_prepare, fork_parent,
                              fork_child, NULL};
  steward_at_fork(&guard);
}

/* Empty an entry and put it among the free ones. */
static void release_entry(PerfEntry *e) {
  entry_lock(e);
  free(e->s.zText);
  free(e->s.zPath);
  memset(&e->s, 0, sizeof(e->s));
  entry_unlock(e);
  e->pNext = store.pFree;
  store.pFree = e;
  store.nEntry--;
}

static void release_all(int bUnlock) {
  PerfEntry *pFree;
  int i;
  for (pFree = store.pFree; pFree && bUnlock; pFree = pFree->pNext) {
    entry_unlock(pFree);
  }
  for (i = 0; i < CHAINS; i++) {
    while (store.aChain[i]) {
      PerfEntry *e = store.aChain[i];
      store.aChain[i] = e->pNext;
      if (bUnlock) entry_unlock(e);
      release_entry(e);
    }
  }
  store.nEvicted = 0;
  memset(&store.gone, 0, sizeof(store.gone));
  store.nSlow = 0;
  atomic_store(&store.nLost, 0);
}

static void store_lock(void) {
  pthread_once(&once, once_only);
  pthread_mutex_lock(&store.lock);
  if (is_inherited()) {
    release_all(1);
    atomic_store(&store.bForked, 0);
  }
}

static void store_unlock(void) {
  pthread_mutex_unlock(&store.lock);
}

/*************************************************************************
** Entries
*/
typedef struct Candidate {
  PerfEntry *e;
  double rCalls; /* as they were when the list was made: counting goes on */
} Candidate;

static int by_calls(const void *a, const void *b) {
  double x = ((const Candidate *)a)->rCalls;
  double y = ((const Candidate *)b)->rCalls;
  return (x > y) - (x < y);
}

static void unchain(PerfEntry *e) {
  PerfEntry **pp = &store.aChain[e->s.key % CHAINS];
  while (*pp && *pp != e) pp = &(*pp)->pNext;
  if (*pp) *pp = e->pNext;
}

static void sum_up(PerfTotals *pTotals, PerfEntry *e) {
  entry_lock(e);
  pTotals->rCalls += e->s.rCalls;
  pTotals->rNs += e->s.rNs;
  pTotals->rBusy += e->s.rBusy;
  pTotals->rErrors += e->s.rErrors;
  entry_unlock(e);
}

/* Make room: the twentieth part that was called least goes. */
static void evict(void) {
  int nGo = store.nEntry - store.nMax + store.nMax / 20 + 1;
  Candidate *a = malloc(sizeof(*a) * (size_t)(store.nEntry + 1));
  int i, n = 0;
  if (a == NULL) return;
  for (i = 0; i < CHAINS; i++) {
    PerfEntry *e;
    for (e = store.aChain[i]; e; e = e->pNext) {
      entry_lock(e);
      a[n].e = e;
      a[n++].rCalls = e->s.rCalls;
      entry_unlock(e);
    }
  }
  qsort(a, (size_t)n, sizeof(*a), by_calls);
  for (i = 0; i < nGo && i < n; i++) {
    sum_up(&store.gone, a[i].e);
    unchain(a[i].e);
    release_entry(a[i].e);
    store.nEvicted++;
  }
  free(a);
}

/* Cut at TEXT_MAX, between characters. */
static char *text_copy(const char *z, i64 n) {
  char *zCopy;
  if (n > TEXT_MAX) {
    n = TEXT_MAX;
    while (n > 0 && ((unsigned char)z[n] & 0xc0) == 0x80) n--;
  }
  zCopy = malloc((size_t)n + 1);
  if (zCopy == NULL) return NULL;
  memcpy(zCopy, z, (size_t)n);
  zCopy[n] = 0;
  return zCopy;
}

static PerfEntry *make_entry(u64 id, u64 key, const char *zPath,
                             const char *zText, i64 nText) {
  PerfEntry *e;
  char *zCopy, *zPathCopy;
  if (store.nEntry >= store.nMax) evict();
  zCopy = text_copy(zText, nText);
  zPathCopy = strdup(zPath);
  e = store.pFree;
  if (e) {
    store.pFree = e->pNext;
  } else {
    e = calloc(1, sizeof(*e));
  }
  if (e == NULL || zCopy == NULL || zPathCopy == NULL) {
    free(zCopy);
    free(zPathCopy);
    if (e) {
      e->pNext = store.pFree;
      store.pFree = e;
    }
    return NULL;
  }
  entry_lock(e);
  e->s.id = id;
  e->s.key = key;
  e->s.zText = zCopy;
  e->s.zPath = zPathCopy;
  entry_unlock(e);
  e->pNext = store.aChain[key % CHAINS];
  store.aChain[key % CHAINS] = e;
  store.nEntry++;
  return e;
}

static PerfEntry *chained(u64 key) {
  PerfEntry *e = store.aChain[key % CHAINS];
  while (e && e->s.key != key) e = e->pNext;
  return e;
}

/* The entry of a statement on a file, made if need be; NULL without memory. */
PerfEntry *perf_store_find(u64 id, u64 key, const char *zPath,
                           const char *zText, i64 nText) {
  PerfEntry *e;
  store_lock();
  e = chained(key);
  if (e == NULL) e = make_entry(id, key, zPath, zText, nText);
  if (e == NULL) atomic_fetch_add(&store.nLost, 1);
  store_unlock();
  return e;
}

/*************************************************************************
** Histograms: eight buckets to a power of two, so a value is within 6 % of its
** bucket's middle.  Bucket 0 holds what is below 8 ns.
*/
static int bucket_of(i64 nNs) {
  int iTop, i;
  if (nNs < 8) return 0;
  iTop = 63 - __builtin_clzll((u64)nNs);
  i = (iTop - 3) * 8 + (int)((nNs >> (iTop - 3)) & 7) + 1;
  return i < PERF_BUCKETS ? i : PERF_BUCKETS - 1;
}

/* The middle of a bucket. */
double perf_bucket_ns(int iBucket) {
  int iTop = (iBucket - 1) / 8;
  if (iBucket <= 0) return 4;
  return (8.5 + (iBucket - 1) % 8) * (double)(1ULL << iTop);
}

/* The time that the share p (0 to 1) of the calls stayed within, in ns. */
double perf_stats_percentile(const PerfStats *s, double p) {
  double rAll = 0, rSeen = 0;
  double r;
  int i;
  for (i = 0; i < PERF_BUCKETS; i++) rAll += (double)s->aBucket[i];
  for (i = 0; i < PERF_BUCKETS; i++) {
    rSeen += (double)s->aBucket[i];
    if (rSeen > 0 && rSeen >= p * rAll) break;
  }
  r = perf_bucket_ns(i);
  if (r < (double)s->nMin) r = (double)s->nMin;
  if (r > (double)s->nMax) r = (double)s->nMax;
  return r;
}

/* [[ms, calls], ...], ms the middle of a bucket. */
void perf_stats_histogram(sqlite3_str *pJson, const PerfStats *s) {
  int i, n = 0;
  sqlite3_str_appendchar(pJson, 1, '[');
  for (i = 0; i < PERF_BUCKETS; i++) {
    if (s->aBucket[i] == 0) continue;
    sqlite3_str_appendf(pJson, "%s[%.4g,%llu]", n++ ? "," : "",
                        perf_bucket_ns(i) / 1e6, s->aBucket[i]);
  }
  sqlite3_str_appendchar(pJson, 1, ']');
}

/*************************************************************************
** Counting
*/
static void add_status(PerfStats *s, const PerfStatus *pStatus) {
  int i;
  if (pStatus == NULL) return;
  for (i = 0; i < PERF_STATUS_COUNT; i++) {
    s->aStatus[i] += pStatus->rWeight * (double)pStatus->a[i];
  }
  if (pStatus->nMemory > s->nMemory) s->nMemory = pStatus->nMemory;
}

/* 0 when the entry is another statement's by now. */
int perf_store_add(PerfEntry *e, u64 key, PerfSample *pSample) {
  PerfStats *s = &e->s;
  double rNs = (double)pSample->nNs, w = pSample->rWeight;
  int iBucket = bucket_of(pSample->nNs);
  if (is_inherited()) return 0;
  entry_lock(e);
  if (s->key != key || s->zText == NULL) {
    entry_unlock(e);
    return 0;
  }
  if (s->nSample++ == 0) {
    s->nMin = INT64_MAX;
    s->iFirst = pSample->iAt;
  }
  s->rCalls += w;
  s->rNs += w * rNs;
  s->rNs2 += w * rNs * rNs;
  s->rRows += w * (double)pSample->nRow;
  if (pSample->bBusy) s->rBusy += w;
  pSample->nMinWas = s->nMin;
  if (pSample->nNs < s->nMin) s->nMin = pSample->nNs;
  if (pSample->nNs > s->nMax) s->nMax = pSample->nNs;
  if (pSample->iAt > s->iLast) s->iLast = pSample->iAt;
  s->aBucket[iBucket] += (u64)w;
  add_status(s, pSample->pStatus);
  entry_unlock(e);
  return 1;
}

/* The run that was added as *pOld went on: it is the one run *pNew. */
void perf_store_amend(PerfEntry *e, u64 key, PerfSample *pOld,
                      const PerfSample *pNew) {
  PerfStats *s = &e->s;
  double rOld = (double)pOld->nNs, rNew = (double)pNew->nNs;
  double w = pOld->rWeight;
  if (is_inherited()) return;
  entry_lock(e);
  if (s->key == key && s->zText) {
    s->rNs += w * (rNew - rOld);
    s->rNs2 += w * (rNew * rNew - rOld * rOld);
    s->rRows += w * (double)(pNew->nRow - pOld->nRow);
    if (pNew->bBusy) s->rBusy += w;
    if (s->nMin == pOld->nNs) s->nMin = pOld->nMinWas;
    if (pNew->nNs < s->nMin) s->nMin = pNew->nNs;
    if (pNew->nNs > s->nMax) s->nMax = pNew->nNs;
    s->aBucket[bucket_of(pOld->nNs)] -= (u64)w;
    s->aBucket[bucket_of(pNew->nNs)] += (u64)w;
    add_status(s, pNew->pStatus);
  }
  entry_unlock(e);
}

void perf_store_error(PerfEntry *e, u64 key, double rWeight) {
  if (is_inherited()) return;
  entry_lock(e);
  if (e->s.key == key && e->s.zText) e->s.rErrors += rWeight;
  entry_unlock(e);
}

/* A statement ran and could not be counted. */
void perf_store_lost(void) {
  atomic_fetch_add(&store.nLost, 1);
}

void perf_store_slow(u64 id, const char *zPath, double rMs, i64 iAt,
                     const char *zSql) {
  store_lock();
  if (store.aSlow == NULL) {
    store.aSlow = calloc(PERF_SLOW_MAX, sizeof(*store.aSlow));
  }
  if (store.aSlow) {
    PerfSlow *pSlow = &store.aSlow[store.nSlow++ % PERF_SLOW_MAX];
    pSlow->id = id;
    pSlow->rMs = rMs;
    pSlow->iAt = iAt;
    sqlite3_snprintf(sizeof(pSlow->zPath), pSlow->zPath, "%s", zPath);
    sqlite3_snprintf(sizeof(pSlow->zSql), pSlow->zSql, "%s", zSql);
  }
  store_unlock();
}

/*************************************************************************
** Reading
*/
void perf_store_limit(int nMax) {
  store_lock();
  store.nMax = nMax;
  if (store.nEntry > nMax) evict();
  store_unlock();
}

/* How many were forgotten. */
i64 perf_store_reset(i64 iAt) {
  i64 n;
  store_lock();
  n = store.nEntry;
  release_all(0);
  store.iReset = iAt;
  store_unlock();
  return n;
}

void perf_store_info(PerfInfo *pInfo /* OUT */) {
  store_lock();
  pInfo->nStatements = store.nEntry;
  pInfo->nMax = store.nMax;
  pInfo->nEvicted = store.nEvicted;
  pInfo->nLost = (i64)atomic_load(&store.nLost);
  pInfo->iReset = store.iReset;
  store_unlock();
}

/* Sums since the last reset, evicted statements included. */
void perf_store_totals(PerfTotals *pTotals /* OUT */) {
  int i;
  perf_store_info(&pTotals->info);
  store_lock();
  pTotals->rCalls = store.gone.rCalls;
  pTotals->rNs = store.gone.rNs;
  pTotals->rBusy = store.gone.rBusy;
  pTotals->rErrors = store.gone.rErrors;
  for (i = 0; i < CHAINS; i++) {
    PerfEntry *e;
    for (e = store.aChain[i]; e; e = e->pNext) sum_up(pTotals, e);
  }
  store_unlock();
}

/* Its texts are the entry's as long as the table is locked. */
static int copy_entry(StewardCall *c, PerfEntry *e, PerfStats *pOut) {
  entry_lock(e);
  *pOut = e->s;
  entry_unlock(e);
  if (pOut->nSample == 0) return 0;
  pOut->zText = sqlite3_mprintf("%s", pOut->zText);
  pOut->zPath = sqlite3_mprintf("%s", pOut->zPath);
  if (pOut->zText && pOut->zPath) return 1;
  sqlite3_free(pOut->zText);
  sqlite3_free(pOut->zPath);
  steward_fail_nomem(c);
  return 0;
}

static int by_time(const void *a, const void *b) {
  double x = ((const PerfStats *)a)->rNs, y = ((const PerfStats *)b)->rNs;
  return (x < y) - (x > y);
}

/* All that ran at least once, the one that took most time first; free with
** perf_store_copy_free(). */
int perf_store_copy(StewardCall *c, PerfStats **paStats /* OUT */,
                    int *pnStats /* OUT */) {
  PerfStats *a;
  int i, n = 0;
  *paStats = NULL;
  *pnStats = 0;
  if (c->rc) return c->rc;
  store_lock();
  a = sqlite3_malloc64(sizeof(*a) * (size_t)(store.nEntry + 1));
  if (a == NULL) steward_fail_nomem(c);
  for (i = 0; i < CHAINS && c->rc == SQLITE_OK; i++) {
    PerfEntry *e;
    for (e = store.aChain[i]; e && c->rc == SQLITE_OK; e = e->pNext) {
      if (copy_entry(c, e, &a[n])) n++;
    }
  }
  store_unlock();
  if (c->rc) {
    perf_store_copy_free(a, n);
    return c->rc;
  }
  qsort(a, (size_t)n, sizeof(*a), by_time);
  *paStats = a;
  *pnStats = n;
  return SQLITE_OK;
}

void perf_store_copy_free(PerfStats *aStats, int nStats) {
  while (aStats && nStats > 0) {
    sqlite3_free(aStats[--nStats].zText);
    sqlite3_free(aStats[nStats].zPath);
  }
  sqlite3_free(aStats);
}

/* These were stored as they are here: what comes later is new. */
void perf_store_kept(const PerfStats *aStats, int nStats) {
  int i;
  store_lock();
  for (i = 0; i < nStats; i++) {
    PerfEntry *e = chained(aStats[i].key);
    if (e == NULL) continue;
    entry_lock(e);
    e->s.rCallsKept = aStats[i].rCalls;
    e->s.rNsKept = aStats[i].rNs;
    entry_unlock(e);
  }
  store_unlock();
}

/* The slow ones, the last first; how many.  Free with sqlite3_free(). */
int perf_store_slow_copy(StewardCall *c, PerfSlow **paSlow /* OUT */) {
  PerfSlow *a;
  int i, n;
  *paSlow = NULL;
  if (c->rc) return 0;
  store_lock();
  n = store.nSlow > PERF_SLOW_MAX ? PERF_SLOW_MAX : (int)store.nSlow;
  a = sqlite3_malloc64(sizeof(*a) * (size_t)(n + 1));
  for (i = 0; a && i < n; i++) {
    a[i] = store.aSlow[(store.nSlow - 1 - i) % PERF_SLOW_MAX];
  }
  store_unlock();
  if (a == NULL) steward_fail_nomem(c);
  *paSlow = a;
  return a ? n : 0;
}
