/*
** wait.c - blocking until something is there that another connection commits.
**
** The kernel tells of writes to the file and its WAL, and of files that come
** and go in their directory (inotify).  It tells too early: the frames are
** written before the commit is synced and visible.  So an event only opens a
** window in which data_version is looked at, in steps that double from 20 us to
** 4 ms; when that is over, and where no events arrive (network file systems),
** it is looked at 10 times a second, as is sqlite3_interrupt().
**
** There is one inotify instance per process, from the first wait on: closing it
** takes the kernel more than 10 ms.  It has no thread: of all that wait, one
** reads the events and wakes the others; when it leaves, another one reads.
*/
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "steward_int.h"

#define STEP_MIN 20      /* us; the first look after an event */
#define STEP_MAX 4000    /* us; between looks in the window ... */
#define WINDOW 200000    /* us; ... that lasts so long after an event */
#define STEP_AFTER 20000 /* us; between looks after it, ... */
#define AFTER 2000000    /* us; ... for so long: a slow disk's sync */
#define STEP_IDLE 100000 /* us; between looks for ever */

#define KEPT 64 /* files whose watches stay though nobody waits */

enum { WATCH_DIRECTORY, WATCH_FILE, WATCH_WAL, WATCHES };

/* A file that somebody waits for or has waited for, once per process; so its
** memory is none of a connection. */
typedef struct WatchFile {
  struct WatchFile *pNext;
  int aWd[WATCHES]; /* -1: none */
  int nRef;         /* calls that wait */
  unsigned iEvent;  /* goes up with every event */
  size_t nDir;      /* of zPath, with the slash */
  size_t nPath;
  char zPath[];
} WatchFile;

static struct {
  pthread_mutex_t mutex;
  pthread_cond_t cond; /* something has changed below */
  int fd;              /* of inotify, -1: none */
  int bReader;         /* somebody reads events */
  pid_t pid;           /* a child of fork() begins anew */
  int nFile;
  WatchFile *pFile;
} g = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, -1, 0, 0, 0, NULL};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A thread that is not in the child must not hold the mutex there. */
static void fork_prepare(void) {
  pthread_mutex_lock(&g.mutex);
}

static void fork_done(void) {
  pthread_mutex_unlock(&g.mutex);
}

static void once_only(void) {
  static StewardFork guard = {STEWARD_FORK_LOCKS, fork_prepare, fork_done,
                              fork_done, NULL};
  steward_at_fork(&guard);
}

/*************************************************************************
** Watches, all under g.mutex
*/

static void begin_process(void) {
  pthread_condattr_t attr;
  if (g.pid == getpid()) return;
  /* the parent's descriptor is not ours to read; its list is lost to us */
  if (g.fd >= 0) close(g.fd);
  g.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  g.bReader = 0;
  g.pFile = NULL;
  g.nFile = 0;
  g.pid = getpid();
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&g.cond, &attr);
  pthread_condattr_destroy(&attr);
}

/* Have the watches that are missing; the kernel may refuse, or a file may not
** be there yet. */
static void watch(WatchFile *pFile) {
  char *z = malloc(pFile->nPath + 5);
  int i;
  for (i = 0; z && g.fd >= 0 && i < WATCHES; i++) {
    if (pFile->aWd[i] >= 0) continue;
    memcpy(z, pFile->zPath, pFile->nPath);
    z[i == WATCH_DIRECTORY ? pFile->nDir : pFile->nPath] = 0;
    if (i == WATCH_WAL) memcpy(z + pFile->nPath, "-wal", 5);
    pFile->aWd[i] = inotify_add_watch(
        g.fd, z,
        i == WATCH_DIRECTORY ? IN_CREATE | IN_DELETE | IN_MOVED_TO : IN_MODIFY);
  }
  free(z);
}

static int wd_used(int wd) {
  const WatchFile *p;
  int i;
  for (p = g.pFile; p; p = p->pNext) {
    for (i = 0; i < WATCHES; i++) {
      if (p->aWd[i] == wd) return 1;
    }
  }
  return 0;
}

/* Forget the files that nobody waits for. */
static void forget_idle(void) {
  WatchFile **pp = &g.pFile;
  while (*pp) {
    WatchFile *pFile = *pp;
    int i;
    if (pFile->nRef) {
      pp = &pFile->pNext;
      continue;
    }
    *pp = pFile->pNext;
    for (i = 0; i < WATCHES; i++) {
      int wd = pFile->aWd[i];
      if (wd >= 0 && !wd_used(wd)) inotify_rm_watch(g.fd, wd);
    }
    free(pFile);
    g.nFile--;
  }
}

static WatchFile *watch_new(const char *zPath) {
  const char *zSlash = strrchr(zPath, '/');
  size_t nPath = strlen(zPath);
  WatchFile *pFile = malloc(sizeof(*pFile) + nPath + 1);
  int i;
  if (pFile == NULL) return NULL;
  memset(pFile, 0, sizeof(*pFile));
  for (i = 0; i < WATCHES; i++) pFile->aWd[i] = -1;
  memcpy(pFile->zPath, zPath, nPath + 1);
  pFile->nPath = nPath;
  pFile->nDir = zSlash ? (size_t)(zSlash - zPath) + 1 : 0;
  pFile->pNext = g.pFile;
  g.pFile = pFile;
  g.nFile++;
  return pFile;
}

static void skip_events(void);

/* Begin to wait for a file; NULL when out of memory. */
static WatchFile *watch_open(const char *zPath) {
  WatchFile *pFile;
  pthread_once(&once, once_only);
  pthread_mutex_lock(&g.mutex);
  begin_process();
  for (pFile = g.pFile; pFile; pFile = pFile->pNext) {
    if (strcmp(pFile->zPath, zPath) == 0) break;
  }
  if (pFile == NULL) {
    if (g.nFile >= KEPT) forget_idle();
    pFile = watch_new(zPath);
  }
  if (pFile) {
    pFile->nRef++;
    watch(pFile);
    skip_events();
  }
  pthread_mutex_unlock(&g.mutex);
  return pFile;
}

static void watch_close(WatchFile *pFile) {
  pthread_mutex_lock(&g.mutex);
  pFile->nRef--;
  pthread_mutex_unlock(&g.mutex);
}

/*************************************************************************
** Events
*/

/* Is it about the file, its WAL or its journal?  Watches that have ended, and
** files that are new, are noticed here. */
static int concerns(WatchFile *pFile, const struct inotify_event *pEvent) {
  const char *zName = pFile->zPath + pFile->nDir, *zRest;
  size_t nName = pFile->nPath - pFile->nDir;
  int i, bOurs = 0;
  if (pEvent->mask & IN_Q_OVERFLOW) return 1;
  for (i = WATCH_FILE; i < WATCHES; i++) {
    if (pFile->aWd[i] != pEvent->wd) continue;
    bOurs = 1;
    if (pEvent->mask & IN_IGNORED) pFile->aWd[i] = -1;
  }
  if (pEvent->wd != pFile->aWd[WATCH_DIRECTORY]) return bOurs;
  if (pEvent->len == 0 || strncmp(pEvent->name, zName, nName)) return bOurs;
  zRest = pEvent->name + nName;
  if (zRest[0] && strcmp(zRest, "-wal") && strcmp(zRest, "-journal")) return 0;
  watch(pFile);
  return 1;
}

static void dispatch(const char *aBuf, ssize_t n) {
  ssize_t i = 0;
  while (i < n) {
    const struct inotify_event *pEvent = (const void *)(aBuf + i);
    WatchFile *pFile;
    for (pFile = g.pFile; pFile; pFile = pFile->pNext) {
      if (concerns(pFile, pEvent)) pFile->iEvent++;
    }
    i += (ssize_t)sizeof(*pEvent) + pEvent->len;
  }
}

typedef union EventBuffer {
  struct inotify_event event; /* for its alignment */
  char a[4096];
} EventBuffer;

/* What happened while nobody waited is of no interest. */
static void skip_events(void) {
  EventBuffer buf;
  ssize_t n;
  while (g.fd >= 0 && !g.bReader &&
         (n = read(g.fd, buf.a, sizeof(buf.a))) > 0) {
    dispatch(buf.a, n);
  }
}

/* Read events for nUs at most; the mutex is free meanwhile. */
static void read_events(i64 nUs) {
  EventBuffer buf;
  struct timespec t = {(time_t)(nUs / 1000000), (long)(nUs % 1000000) * 1000};
  struct pollfd p = {g.fd, POLLIN, 0};
  ssize_t n = 0;
  g.bReader = 1;
  pthread_mutex_unlock(&g.mutex);
  if (ppoll(&p, 1, &t, NULL) > 0) n = read(p.fd, buf.a, sizeof(buf.a));
  pthread_mutex_lock(&g.mutex);
  g.bReader = 0;
  dispatch(buf.a, n);
  pthread_cond_broadcast(&g.cond);
}

/* Wait for an event other than *piEvent, nUs at most; 1 when there is one. */
static int wait_event(WatchFile *pFile, i64 nUs, unsigned *piEvent) {
  i64 iEnd = steward_monotonic_us() + nUs;
  int bNew;
  pthread_mutex_lock(&g.mutex);
  while (pFile->iEvent == *piEvent) {
    i64 nLeft = iEnd - steward_monotonic_us();
    struct timespec at = {(time_t)(iEnd / 1000000),
                          (long)(iEnd % 1000000) * 1000};
    if (nLeft <= 0) break;
    if (!g.bReader && g.fd >= 0) {
      read_events(nLeft);
    } else {
      pthread_cond_timedwait(&g.cond, &g.mutex, &at);
    }
  }
  bNew = pFile->iEvent != *piEvent;
  *piEvent = pFile->iEvent;
  pthread_mutex_unlock(&g.mutex);
  return bNew;
}

/*************************************************************************
** Waiting
*/

/* The value of a statement or function that may meet a lock: then iDefault,
** and nothing has failed. */
static i64 look(StewardCall *c, i64 iDefault,
                i64 (*xLook)(StewardCall *, void *), void *pArg) {
  StewardCall probe = *c;
  i64 iValue;
  if (c->rc) return iDefault;
  iValue = xLook(&probe, pArg);
  if (probe.rc == SQLITE_OK) return iValue;
  if ((probe.rc & 0xff) == SQLITE_BUSY) {
    sqlite3_free(probe.zErr);
    return iDefault;
  }
  c->rc = probe.rc;
  c->zErr = probe.zErr;
  return iDefault;
}

static i64 data_version(StewardCall *c, void *pArg) {
  return steward_int(c, SQL_wait_version, 0, "");
}

/* How long until the next look, after one nStep long, given when the last event
** was; 0: now. */
i64 steward_wait_step(i64 nStep, i64 nSinceEvent) {
  if (nSinceEvent <= 0) return STEP_MIN;
  if (nSinceEvent > AFTER) return STEP_IDLE;
  if (nSinceEvent > WINDOW) return STEP_AFTER;
  return nStep < STEP_MAX / 2 ? nStep * 2 : STEP_MAX;
}

static i64 wait_loop(StewardCall *c, WatchFile *pFile, i64 iEnd,
                     i64 (*xReady)(StewardCall *, void *), void *pArg) {
  unsigned iEvent = 0;
  i64 nStep = STEP_IDLE, iLast = 0, iNow, iVersion, iReady;
  /* in this order: what comes after the look is an event */
  wait_event(pFile, 0, &iEvent);
  iVersion = look(c, -1, data_version, NULL);
  iReady = look(c, 0, xReady, pArg);
  while (c->rc == SQLITE_OK && iReady == 0 &&
         (iNow = steward_monotonic_us()) < iEnd) {
    i64 iNew;
    if (wait_event(pFile, nStep < iEnd - iNow ? nStep : iEnd - iNow, &iEvent)) {
      iLast = steward_monotonic_us();
      nStep = steward_wait_step(0, 0);
    } else {
      nStep = steward_wait_step(nStep, steward_monotonic_us() - iLast);
    }
    iNew = look(c, iVersion, data_version, NULL);
    if (iNew == iVersion) continue;
    iVersion = iNew;
    iReady = look(c, 0, xReady, pArg);
  }
  return iReady;
}

/* Refuse where waiting is impossible or would never end. */
static void wait_allowed(StewardCall *c) {
  if (c->eTxn != SQLITE_TXN_NONE || !sqlite3_get_autocommit(c->db)) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "inside a transaction nothing that others commit is seen: "
                 "call it by SELECT %s(...) on its own, outside of BEGIN",
                 c->zFunc);
  } else if (steward_on_dqlite(c->p)) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "on dqlite a connection must not block: ask again instead");
  }
}

/* Without a file nobody else can write: what is there, is there. */
static i64 wait_alone(StewardCall *c, i64 iTimeout,
                      i64 (*xReady)(StewardCall *, void *), void *pArg) {
  i64 iReady = xReady(c, pArg);
  if (iReady == 0 && iTimeout > 0) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "nobody else writes to a database without a file: there is "
                 "nothing to wait for");
  }
  return iReady;
}

/* Call xReady until it gives something, whenever another connection has
** committed, for iTimeout ms at most; its last value. */
i64 steward_wait(StewardCall *c, i64 iTimeout,
                 i64 (*xReady)(StewardCall *, void *), void *pArg) {
  const char *zPath = sqlite3_db_filename(c->db, "main");
  i64 iEnd = steward_monotonic_us() + iTimeout * 1000, iReady = 0;
  WatchFile *pFile;
  wait_allowed(c);
  if (c->rc) return 0;
  if (zPath == NULL || zPath[0] == 0) {
    return wait_alone(c, iTimeout, xReady, pArg);
  }
  pFile = watch_open(zPath);
  if (pFile == NULL) {
    steward_fail_nomem(c);
    return 0;
  }
  iReady = wait_loop(c, pFile, iEnd, xReady, pArg);
  watch_close(pFile);
  return iReady;
}
