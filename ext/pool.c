/*
** pool.c - connections that are kept open, for the whole process.
**
** A pool belongs to a file, known by its real path and its VFS.  It has slots
** (at most max of them); a slot is a connection, or the right to open one.  Who
** finds no slot waits in line and is given the next one that comes back, so
** that nobody overtakes.  A connection is looked at before it is given out: its
** file must be the one at its path, it must not be too old, and when it has not
** read for a while it must be able to.  What comes back is rolled back, and is
** closed when it is not as it was opened.
**
** Nothing here has a thread: what has been idle for too long is closed when
** somebody uses the pool, when the last connection of the host with the library
** goes, and at exit.  At most IDLE_MOST connections of all pools together stay
** idle; those that are idle longest go first.
**
** fork(): idle connections are closed before it, and those in use belong to the
** parent; the child forgets them without closing (SQLite in the child believes
** that it holds their locks), and opens such a file no more, because SQLite
** would take what is left of the parent's for its own.
**
** All memory but the connections' own is malloc's: it is the process's.  The
** mutex is never held while SQLite is called, but for fork().
*/
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pool_int.h"

#define IDLE_MOST 512   /* idle connections of all pools */
#define POOLS_MOST 4096 /* pools whose figures are kept */
#define CHAINS 1024
#define CONFIG_US 100000 /* between looks at the file's own configuration */
#define TRIM_US 1000000  /* between looks at what has been idle */
#define STOP_US 100000   /* between questions whether to go on waiting */
#define WAITS 128        /* classes of waiting times */

const PoolConfig pool_default = {.nMin = 2,
                                 .nMax = 8,
                                 .nIdle = 1000,
                                 .iTimeout = 30000,
                                 .iIdleTimeout = 300000,
                                 .iBusy = 5000,
                                 .iProbe = 100};

typedef struct Waiter {
  struct Waiter *pNext;
  pthread_cond_t cond;
  PoolConn *pConn; /* what it is given; NULL: it may open one */
  int bServed;
} Waiter;

struct Pool {
  Pool *pNext; /* in its chain */
  PoolConfig config;
  int bGiven;      /* configured by the process, not by the file itself */
  int bLost;       /* in use by the parent of this process when it forked */
  i64 iConfig;     /* us; when the file's own configuration was read */
  PoolConn *pIdle; /* the last used first */
  Waiter *pFirst, **ppLast;   /* in line */
  int nOpen, nIdle, nWaiting; /* slots, idle connections, waiters */
  int nClosing;               /* connections that are about to be closed */
  int nPeak;                  /* most in use at a time */
  i64 nAcquired, nOpened, nClosed, nTimeout, nBroken;
  i64 iWaitMax;
  unsigned aWait[WAITS];
  char *zVfs; /* of the same allocation */
  char zPath[];
};

static struct {
  pthread_mutex_t mutex;
  Pool *aPool[CHAINS];         /* by path */
  PoolConn *aUsed[CHAINS];     /* by handle */
  PoolConn *pNewest, *pOldest; /* idle ones of all pools */
  int nPool, nIdle;
  i64 iTrim;
} g = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static int in_use(const Pool *pPool) {
  return pPool->nOpen - pPool->nIdle;
}

/*************************************************************************
** Times that callers waited: four classes to a doubling
*/
static int wait_class(i64 iUs) {
  int nBit = 0;
  if (iUs < 4) return iUs < 0 ? 0 : (int)iUs;
  while (iUs >> (nBit + 1)) nBit++;
  nBit = nBit * 4 - 4 + (int)((iUs >> (nBit - 2)) & 3);
  return nBit < WAITS ? nBit : WAITS - 1;
}

/* The longest wait of a class. */
static i64 wait_of(int iClass) {
  if (iClass < 4) return iClass;
  return ((5 + (i64)(iClass & 3)) << (iClass / 4 - 1)) - 1;
}

static i64 wait_percentile(const Pool *pPool, int nPercent) {
  i64 n = 0, nWanted = (pPool->nAcquired * nPercent + 99) / 100;
  int i;
  for (i = 0; i < WAITS - 1; i++) {
    n += pPool->aWait[i];
    if (n >= nWanted) break;
  }
  return wait_of(i) < pPool->iWaitMax ? wait_of(i) : pPool->iWaitMax;
}

/*************************************************************************
** Lists, under the mutex
*/
static PoolConn **used_chain(const sqlite3 *db) {
  return &g.aUsed[((size_t)db >> 4) * 2654435761u / 16 % CHAINS];
}

static PoolConn *used_take(sqlite3 *db) {
  PoolConn **pp = used_chain(db), *pConn;
  while (*pp && (*pp)->db != db) pp = &(*pp)->pNext;
  pConn = *pp;
  if (pConn) *pp = pConn->pNext;
  return pConn;
}

static void idle_put(PoolConn *pConn, i64 iNow) {
  Pool *pPool = pConn->pPool;
  pConn->iIdle = iNow;
  pConn->pNext = pPool->pIdle;
  pPool->pIdle = pConn;
  pPool->nIdle++;
  pConn->pNewer = NULL;
  pConn->pOlder = g.pNewest;
  if (g.pNewest) g.pNewest->pNewer = pConn;
  g.pNewest = pConn;
  if (g.pOldest == NULL) g.pOldest = pConn;
  g.nIdle++;
}

static void idle_take(PoolConn *pConn) {
  Pool *pPool = pConn->pPool;
  PoolConn **pp = &pPool->pIdle;
  while (*pp != pConn) pp = &(*pp)->pNext;
  *pp = pConn->pNext;
  pPool->nIdle--;
  if (pConn->pNewer) pConn->pNewer->pOlder = pConn->pOlder;
  if (pConn->pOlder) pConn->pOlder->pNewer = pConn->pNewer;
  if (g.pNewest == pConn) g.pNewest = pConn->pOlder;
  if (g.pOldest == pConn) g.pOldest = pConn->pNewer;
  g.nIdle--;
}

/* Give what there is to those in line, the first one first. */
static void serve(Pool *pPool) {
  Waiter *w;
  while ((w = pPool->pFirst) != NULL && in_use(pPool) < pPool->config.nMax) {
    if (pPool->pIdle) {
      w->pConn = pPool->pIdle;
      idle_take(w->pConn);
    } else {
      pPool->nOpen++;
    }
    pPool->pFirst = w->pNext;
    if (pPool->pFirst == NULL) pPool->ppLast = &pPool->pFirst;
    w->bServed = 1;
    pthread_cond_signal(&w->cond);
  }
}

/* A slot is not in use any more: its connection rests, or it ends. */
static void pass_on(Pool *pPool, PoolConn *pConn, i64 iNow) {
  if (pConn) {
    idle_put(pConn, iNow);
  } else {
    pPool->nOpen--;
  }
  serve(pPool);
}

static void set_config(Pool *pPool, const PoolConfig *pConfig) {
  pPool->config = *pConfig;
  serve(pPool);
}

/*************************************************************************
** The process: fork, the end
*/

/* Take idle connections out, all or those that were idle for too long, into a
** list for close_list().  Under the mutex. */
static PoolConn *take_idle(int bAll, i64 iNow) {
  PoolConn *pList = NULL, *pConn, *pNext;
  for (pConn = g.pOldest; pConn; pConn = pNext) {
    Pool *pPool = pConn->pPool;
    const PoolConfig *f = &pPool->config;
    i64 nIdle = iNow - pConn->iIdle, nAge = iNow - pConn->iOpened;
    pNext = pConn->pNewer;
    if (bAll || g.nIdle > IDLE_MOST || pPool->nOpen > f->nMax ||
        (f->iMaxAge && nAge > f->iMaxAge * 1000) ||
        (f->iIdleTimeout && nIdle > f->iIdleTimeout * 1000 &&
         pPool->nOpen > f->nMin)) {
      idle_take(pConn);
      pPool->nOpen--;
      pPool->nClosing++;
      pPool->nClosed++;
      pConn->pNext = pList;
      pList = pConn;
    }
  }
  return pList;
}

/* bFork: under the mutex, and with no more work than must be. */
static void close_list(PoolConn *pList, int bFork) {
  while (pList) {
    PoolConn *pNext = pList->pNext;
    Pool *pPool = pList->pPool;
    if (bFork) {
      sqlite3_db_config(pList->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                        (int *)0);
    }
    pool_conn_close(pList);
    if (!bFork) pthread_mutex_lock(&g.mutex);
    pPool->nClosing--;
    if (!bFork) pthread_mutex_unlock(&g.mutex);
    pList = pNext;
  }
}

/* Nobody has the library any more. */
static void close_idle(void) {
  PoolConn *pList;
  pthread_mutex_lock(&g.mutex);
  pList = take_idle(1, 0);
  pthread_mutex_unlock(&g.mutex);
  close_list(pList, 0);
}

static void fork_prepare(void) {
  pthread_mutex_lock(&g.mutex);
  close_list(take_idle(1, 0), 1);
}

static void fork_parent(void) {
  pthread_mutex_unlock(&g.mutex);
}

/* The threads that waited or used something are not here. */
static void fork_child(void) {
  Pool *pPool;
  int i;
  memset(g.aUsed, 0, sizeof(g.aUsed));
  for (i = 0; i < CHAINS; i++) {
    for (pPool = g.aPool[i]; pPool; pPool = pPool->pNext) {
      pPool->bLost |= in_use(pPool) > 0 || pPool->nClosing > 0;
      pPool->nOpen = pPool->nWaiting = pPool->nClosing = 0;
      pPool->pFirst = NULL;
      pPool->ppLast = &pPool->pFirst;
    }
  }
  pthread_mutex_unlock(&g.mutex);
}

/* At exit, when other threads may still run: what is in use stays open. */
__attribute__((destructor)) static void at_exit(void) {
  int i;
  for (i = 0; i < 100 && pthread_mutex_trylock(&g.mutex); i++) {
    struct timespec t = {0, 1000000};
    nanosleep(&t, NULL);
  }
  if (i < 100) {
    PoolConn *pList = take_idle(1, 0);
    pthread_mutex_unlock(&g.mutex);
    close_list(pList, 0);
  }
}

static void once_only(void) {
  static StewardFork guard = {STEWARD_FORK_POOL, fork_prepare, fork_parent,
                              fork_child, NULL};
  steward_at_fork(&guard);
  steward_when_idle(close_idle);
}

/*************************************************************************
** Pools, under the mutex
*/
static unsigned hash_path(const char *z) {
  unsigned h = 2166136261u;
  while (*z) h = (h ^ (unsigned char)*z++) * 16777619u;
  return h % CHAINS;
}

static Pool *pool_find(const char *zPath, const char *zVfs) {
  Pool *pPool = g.aPool[hash_path(zPath)];
  while (pPool && (strcmp(pPool->zPath, zPath) || strcmp(pPool->zVfs, zVfs))) {
    pPool = pPool->pNext;
  }
  return pPool;
}

/* Forget a pool that has nothing open (who waits for it waits for somebody who
** has); any will do. */
static void forget_one(void) {
  int i;
  for (i = 0; i < CHAINS; i++) {
    Pool **pp = &g.aPool[i];
    while (*pp &&
           ((*pp)->nOpen || (*pp)->nClosing || (*pp)->bGiven || (*pp)->bLost)) {
      pp = &(*pp)->pNext;
    }
    if (*pp) {
      Pool *pPool = *pp;
      *pp = pPool->pNext;
      free(pPool);
      g.nPool--;
      return;
    }
  }
}

static Pool *pool_make(const char *zPath, const char *zVfs) {
  size_t nPath = strlen(zPath), nVfs = strlen(zVfs);
  Pool *pPool;
  Pool **pp = &g.aPool[hash_path(zPath)];
  if (g.nPool >= POOLS_MOST) forget_one();
  if (g.nPool >= POOLS_MOST) return NULL;
  pPool = calloc(1, sizeof(*pPool) + nPath + nVfs + 2);
  if (pPool == NULL) return NULL;
  memcpy(pPool->zPath, zPath, nPath + 1);
  pPool->zVfs = pPool->zPath + nPath + 1;
  memcpy(pPool->zVfs, zVfs, nVfs + 1);
  pPool->config = pool_default;
  pPool->ppLast = &pPool->pFirst;
  pPool->pNext = *pp;
  *pp = pPool;
  g.nPool++;
  return pPool;
}

/* The name of the VFS that pWant means. */
static const char *vfs_name(const char *zVfs) {
  sqlite3_vfs *pVfs = zVfs ? NULL : sqlite3_vfs_find(NULL);
  return zVfs ? zVfs : pVfs ? pVfs->zName : "";
}

/* There is none, and none could be made. */
static void fail_no_pool(StewardCall *c) {
  if (g.nPool < POOLS_MOST) {
    steward_fail_nomem(c);
  } else {
    steward_fail(c, STEWARD_LIMIT_EXCEEDED,
                 "%d files have pools that are in use or configured: use fewer "
                 "at a time",
                 g.nPool);
  }
}

/* Configure a file's pool for the process, before it is used or while it is;
** bGiven: whatever the file itself says. */
void pool_configured(StewardCall *c, const char *zPath,
                     const PoolConfig *pConfig, int bGiven) {
  const char *zVfs = vfs_name(NULL);
  Pool *pPool, *pAny = NULL;
  if (c->rc) return;
  pthread_mutex_lock(&g.mutex);
  pPool = g.aPool[hash_path(zPath)];
  for (; pPool; pPool = pPool->pNext) {
    if (strcmp(pPool->zPath, zPath)) continue;
    set_config(pPool, pConfig);
    pPool->bGiven = bGiven;
    pAny = pPool;
  }
  if (pAny == NULL && (pAny = pool_make(zPath, zVfs)) != NULL) {
    set_config(pAny, pConfig);
    pAny->bGiven = bGiven;
  }
  if (pAny == NULL) fail_no_pool(c);
  pthread_mutex_unlock(&g.mutex);
}

/*************************************************************************
** Acquiring
*/

/* Sleep until w is served, nUs at most. */
static void wait_a_while(Waiter *w, i64 iUntil) {
  struct timespec at = {(time_t)(iUntil / 1000000),
                        (long)(iUntil % 1000000) * 1000};
  while (!w->bServed && pthread_cond_timedwait(&w->cond, &g.mutex, &at) == 0) {
  }
}

/* Stand at the end of the line. */
static void stand_in(Pool *pPool, Waiter *w) {
  *pPool->ppLast = w;
  pPool->ppLast = &w->pNext;
  pPool->nWaiting++;
}

/* Leave the line. */
static void leave(Pool *pPool, Waiter *w) {
  Waiter **pp = &pPool->pFirst;
  while (*pp && *pp != w) pp = &(*pp)->pNext;
  if (*pp == NULL) return;
  *pp = w->pNext;
  if (*pp == NULL) pPool->ppLast = pp;
}

/* Stand in line; 1 when a slot was given, 0 after the time, -1 when the caller
** is to stop. */
static int wait_in_line(Pool *pPool, const PoolWant *pWant, i64 iEnd,
                        PoolConn **ppConn /* OUT */) {
  Waiter w = {.pNext = NULL};
  pthread_condattr_t attr;
  int bStop = 0;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&w.cond, &attr);
  pthread_condattr_destroy(&attr);
  stand_in(pPool, &w);
  while (!w.bServed && !bStop) {
    i64 iNow = steward_monotonic_us(), iUntil = iEnd;
    if (iNow >= iEnd) break;
    if (pWant->xStop && iUntil > iNow + STOP_US) iUntil = iNow + STOP_US;
    wait_a_while(&w, iUntil);
    if (w.bServed || pWant->xStop == NULL) continue;
    pthread_mutex_unlock(&g.mutex);
    bStop = pWant->xStop(pWant->pStop);
    pthread_mutex_lock(&g.mutex);
  }
  if (!w.bServed) leave(pPool, &w);
  pPool->nWaiting--;
  pthread_cond_destroy(&w.cond);
  *ppConn = w.pConn;
  return w.bServed ? 1 : bStop ? -1 : 0;
}

static void fail_timeout(StewardCall *c, const Pool *pPool, i64 iTimeout) {
  steward_fail(c, STEWARD_BUSY,
               "all %d connections to '%s' were in use for %lld ms, and %d "
               "more callers wait: give connections back sooner, or raise the "
               "maximum by pool_configure()",
               in_use(pPool), pPool->zPath, iTimeout, pPool->nWaiting);
}

/* A slot, with a connection or without; 0 when the call has failed.  Under the
** mutex. */
static int take_slot(StewardCall *c, Pool *pPool, const PoolWant *pWant,
                     i64 iStart, PoolConn **ppConn /* OUT */) {
  i64 iTimeout = pWant->iTimeout < 0 ? pPool->config.iTimeout : pWant->iTimeout;
  int bServed;
  *ppConn = NULL;
  if (pPool->bLost) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "this process was forked while a connection to '%s' was in "
                 "use, and cannot use the file beside what it inherited: fork "
                 "first, or run another program",
                 pPool->zPath);
    return 0;
  }
  if (pPool->pFirst == NULL && in_use(pPool) < pPool->config.nMax) {
    if (pPool->pIdle) {
      *ppConn = pPool->pIdle;
      idle_take(*ppConn);
    } else {
      pPool->nOpen++;
    }
    return 1;
  }
  bServed = wait_in_line(pPool, pWant, iStart + iTimeout * 1000, ppConn);
  if (bServed == 0) {
    pPool->nTimeout++;
    fail_timeout(c, pPool, (steward_monotonic_us() - iStart) / 1000);
  } else if (bServed < 0) {
    steward_fail_rc(c, SQLITE_INTERRUPT, "interrupted");
  }
  return bServed > 0;
}

/* Open what a new pool shall have at least.  When that fails the caller has a
** connection all the same, and the next one who needs it hears why. */
static void fill(Pool *pPool) {
  StewardCall c = {.zFunc = "pool"};
  while (c.rc == SQLITE_OK) {
    PoolConfig config;
    PoolConn *pConn;
    int bWanted;
    pthread_mutex_lock(&g.mutex);
    config = pPool->config;
    bWanted = pPool->nOpen < config.nMin && pPool->nOpen < config.nMax &&
              pPool->nIdle < config.nIdle;
    if (bWanted) pPool->nOpen++;
    pthread_mutex_unlock(&g.mutex);
    if (!bWanted) break;
    pConn = pool_conn_open(&c, pPool->zPath, pPool->zVfs, &config);
    if (pConn) {
      pConn->pPool = pPool;
      pool_conn_callbacks(pConn, 0);
    }
    pthread_mutex_lock(&g.mutex);
    pPool->nOpened += pConn != NULL;
    pass_on(pPool, pConn, steward_monotonic_us());
    pthread_mutex_unlock(&g.mutex);
  }
  sqlite3_free(c.zErr);
}

/* The file's own configuration counts where the process gave none. */
static void read_own_config(Pool *pPool, PoolConn *pConn) {
  StewardCall c = {.p = pConn->p, .db = pConn->db, .zFunc = "pool"};
  PoolConfig config = pool_default;
  int bFound = pool_config_read(&c, pPool->zPath, pPool->zPath, &config);
  sqlite3_free(c.zErr); /* a lock, or a row that cannot be: as before */
  pthread_mutex_lock(&g.mutex);
  if (!pPool->bGiven && c.rc == SQLITE_OK && bFound) {
    set_config(pPool, &config);
  }
  pthread_mutex_unlock(&g.mutex);
}

/* Note that a connection is given out, or that it was not after all. */
static void note_acquired(Pool *pPool, PoolConn *pConn, i64 nWait) {
  PoolConn **pp = used_chain(pConn->db);
  pConn->pNext = *pp;
  *pp = pConn;
  pPool->nAcquired++;
  pPool->aWait[wait_class(nWait)]++;
  if (nWait > pPool->iWaitMax) pPool->iWaitMax = nWait;
  if (in_use(pPool) > pPool->nPeak) pPool->nPeak = in_use(pPool);
}

static void note_refused(Pool *pPool, PoolConn *pConn, i64 nWait) {
  used_take(pConn->db);
  pPool->nAcquired--;
  pPool->aWait[wait_class(nWait)]--;
}

/* What a call of pool_acquire() has found. */
typedef struct Slot {
  Pool *pPool;
  PoolConn *pConn; /* noted as given out; NULL: the right to open one */
  PoolConfig config;
  i64 iStart, nWait; /* us */
  int bConfig;       /* the file's own configuration is to be read */
} Slot;

/* A new connection for the slot, instead of one that is too old (bOld), broken,
** or was never there. */
static void renew(StewardCall *c, Slot *s, int bOld) {
  Pool *pPool = s->pPool;
  PoolConn *pGone = s->pConn;
  if (pGone) {
    pthread_mutex_lock(&g.mutex);
    note_refused(pPool, pGone, s->nWait);
    pPool->nClosed++;
    pPool->nBroken += !bOld;
    pthread_mutex_unlock(&g.mutex);
    pool_conn_close(pGone);
  }
  s->pConn = pool_conn_open(c, pPool->zPath, pPool->zVfs, &s->config);
  if (s->pConn) s->pConn->pPool = pPool;
  pthread_mutex_lock(&g.mutex);
  if (s->pConn) {
    pPool->nOpened++;
    note_acquired(pPool, s->pConn, s->nWait);
  } else {
    pass_on(pPool, NULL, steward_monotonic_us());
  }
  pthread_mutex_unlock(&g.mutex);
}

/* The slot's connection, if it is as it should be. */
static void make_good(StewardCall *c, Slot *s) {
  PoolConn *pConn = s->pConn;
  i64 iNow = s->iStart + s->nWait, iMaxAge = s->config.iMaxAge * 1000;
  int bOld = pConn && iMaxAge && iNow - pConn->iOpened > iMaxAge;
  if (pConn == NULL || bOld || !pool_conn_is_good(pConn, &s->config, iNow)) {
    renew(c, s, bOld);
  }
}

/* The pool that is wanted; NULL when the call has failed, or a known one is
** wanted and is not.  Under the mutex. */
static Pool *find_pool(StewardCall *c, const PoolWant *pWant,
                       const char *zVfs) {
  Pool *pPool = pool_find(pWant->zPath, zVfs);
  if (pPool == NULL && pWant->bKnown) return NULL;
  if (pPool == NULL) pPool = pool_make(pWant->zPath, zVfs);
  if (pPool == NULL) fail_no_pool(c);
  if (pPool && pWant->pConfig && !(pWant->bDefault && pPool->bGiven)) {
    set_config(pPool, pWant->pConfig);
  }
  return pPool;
}

/* A slot of the pool of a file. */
static int find_slot(StewardCall *c, const PoolWant *pWant, Slot *s) {
  const char *zVfs = vfs_name(pWant->zVfs);
  Pool *pPool;
  int bSlot = 0, bWaits;
  pthread_mutex_lock(&g.mutex);
  pPool = find_pool(c, pWant, zVfs);
  if (pPool) {
    bWaits = pPool->pFirst || in_use(pPool) >= pPool->config.nMax;
    bSlot = take_slot(c, pPool, pWant, s->iStart, &s->pConn);
    if (bSlot && bWaits) s->nWait = steward_monotonic_us() - s->iStart;
  }
  if (bSlot) {
    i64 iNow = s->iStart + s->nWait;
    s->pPool = pPool;
    s->config = pPool->config;
    s->bConfig = pWant->pConfig == NULL && !pPool->bGiven &&
                 iNow - pPool->iConfig > CONFIG_US;
    if (s->bConfig) pPool->iConfig = iNow;
    if (s->pConn) note_acquired(pPool, s->pConn, s->nWait);
  }
  pthread_mutex_unlock(&g.mutex);
  return bSlot;
}

/* A connection to a file; NULL when the call has failed.  Give it back with
** pool_release(). */
PoolConn *pool_acquire(StewardCall *c, const PoolWant *pWant) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  Slot s;
  int bFill;
  if (c->rc) return NULL;
  pthread_once(&once, once_only);
  s.iStart = steward_monotonic_us();
  s.nWait = 0;
  if (!find_slot(c, pWant, &s)) return NULL;
  bFill = pWant->bFill && s.pConn == NULL;
  make_good(c, &s);
  if (s.pConn == NULL) return NULL;
  if (s.bConfig) read_own_config(s.pPool, s.pConn);
  if (bFill) fill(s.pPool);
  return s.pConn;
}

/*************************************************************************
** Releasing
*/

/* End the use of a connection. */
static void give_back(PoolConn *pConn) {
  Pool *pPool = pConn->pPool;
  PoolConn *pOld = NULL;
  i64 iNow;
  int bKeep = pool_conn_clean(pConn);
  iNow = steward_monotonic_us();
  pthread_mutex_lock(&g.mutex);
  if (g.nIdle > IDLE_MOST || pPool->nOpen > pPool->config.nMax ||
      iNow - g.iTrim > TRIM_US) {
    g.iTrim = iNow;
    pOld = take_idle(0, iNow);
  }
  bKeep = bKeep && pPool->nOpen <= pPool->config.nMax &&
          (pPool->pFirst || pPool->nIdle < pPool->config.nIdle);
  if (bKeep) pass_on(pPool, pConn, iNow);
  pthread_mutex_unlock(&g.mutex);
  close_list(pOld, 0);
  if (bKeep) return;
  pool_conn_close(pConn);
  pthread_mutex_lock(&g.mutex);
  pPool->nClosed++;
  pass_on(pPool, NULL, iNow);
  pthread_mutex_unlock(&g.mutex);
}

/* Give back a connection by its handle; 0 when it is not out. */
int pool_release(sqlite3 *db) {
  PoolConn *pConn;
  pthread_mutex_lock(&g.mutex);
  pConn = used_take(db);
  pthread_mutex_unlock(&g.mutex);
  if (pConn) give_back(pConn);
  return pConn != NULL;
}

/*************************************************************************
** Figures
*/

PoolConfig pool_config_of(const PoolConn *pConn) {
  PoolConfig config;
  pthread_mutex_lock(&g.mutex);
  config = pConn->pPool->config;
  pthread_mutex_unlock(&g.mutex);
  return config;
}

/* The state of the i-th pool; 0 beyond the last. */
int pool_state(StewardCall *c, int i, PoolState *pOut) {
  Pool *pPool = NULL;
  int k;
  memset(pOut, 0, sizeof(*pOut));
  if (c->rc) return 0;
  pthread_mutex_lock(&g.mutex);
  for (k = 0; k < CHAINS && pPool == NULL; k++) {
    for (pPool = g.aPool[k]; pPool && i > 0; pPool = pPool->pNext) i--;
  }
  if (pPool) {
    pOut->zPath = sqlite3_mprintf("%s", pPool->zPath);
    pOut->config = pPool->config;
    pOut->bGiven = pPool->bGiven;
    pOut->nOpen = pPool->nOpen;
    pOut->nIdle = pPool->nIdle;
    pOut->nInUse = in_use(pPool);
    pOut->nPeak = pPool->nPeak;
    pOut->nWaiting = pPool->nWaiting;
    pOut->nAcquired = pPool->nAcquired;
    pOut->nOpened = pPool->nOpened;
    pOut->nClosed = pPool->nClosed;
    pOut->nTimeout = pPool->nTimeout;
    pOut->nBroken = pPool->nBroken;
    pOut->iWait50 = wait_percentile(pPool, 50);
    pOut->iWait95 = wait_percentile(pPool, 95);
    pOut->iWaitMax = pPool->iWaitMax;
  }
  pthread_mutex_unlock(&g.mutex);
  if (pPool && pOut->zPath == NULL) steward_fail_nomem(c);
  return pPool && c->rc == SQLITE_OK;
}
