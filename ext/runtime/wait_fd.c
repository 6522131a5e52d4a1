/*
** wait_fd.c - waiting for commits of others inside a program's event loop.
**
** The descriptor is an epoll of two: inotify on the file, its WAL and their
** directory, and a timer.  An event comes before the commit is visible, so it
** starts the timer, which has the program look again, in the steps of wait.c,
** until the commit is there or the window has passed.  Where no events arrive
** the timer alone works, 10 times a second.
**
** A handle has descriptors of its own, because the program's loop reads them;
** none of them is of the database.
*/
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "steward_int.h"

struct steward_waiter {
  sqlite3 *db;
  int fd, fdNotify, fdTimer; /* -1: none */
  pid_t pid;
  sqlite3_int64 iVersion; /* data_version when last told */
  i64 iLast;              /* us; the last event */
  i64 nStep;              /* us; until the timer runs out */
  const char *zName;      /* of the file, in zPath */
  char zPath[];
};

static void arm(struct steward_waiter *w, i64 nUs) {
  struct itimerspec t;
  memset(&t, 0, sizeof(t));
  t.it_value.tv_sec = (time_t)(nUs / 1000000);
  t.it_value.tv_nsec = (long)(nUs % 1000000) * 1000;
  w->nStep = nUs;
  timerfd_settime(w->fdTimer, 0, &t, NULL);
}

/* The directory tells of files that come and go, the files of writes.  What is
** watched already stays so. */
static void watch(struct steward_waiter *w) {
  size_t n = strlen(w->zPath);
  char *z = malloc(n + 5);
  if (z == NULL) return; /* the timer will do */
  memcpy(z, w->zPath, n + 1);
  inotify_add_watch(w->fdNotify, z, IN_MODIFY);
  memcpy(z + n, "-wal", 5);
  inotify_add_watch(w->fdNotify, z, IN_MODIFY);
  z[w->zName - w->zPath] = 0;
  inotify_add_watch(w->fdNotify, z, IN_CREATE | IN_DELETE | IN_MOVED_TO);
  free(z);
}

static int watch_for(int fd, int fdEvents) {
  struct epoll_event event;
  memset(&event, 0, sizeof(event));
  event.events = EPOLLIN;
  event.data.fd = fdEvents;
  return epoll_ctl(fd, EPOLL_CTL_ADD, fdEvents, &event);
}

static i64 data_version(StewardCall *c, sqlite3 *db) {
  sqlite3_stmt *pStmt = NULL;
  i64 iVersion = 0;
  int rc = sqlite3_prepare_v2(db, "PRAGMA main.data_version", -1, &pStmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(pStmt);
  if (rc == SQLITE_ROW) {
    iVersion = sqlite3_column_int64(pStmt, 0);
  } else if ((rc & 0xff) == SQLITE_NOMEM) {
    steward_fail_nomem(c);
  } else {
    steward_fail_rc(c, rc, "%s", sqlite3_errmsg(db));
  }
  sqlite3_finalize(pStmt);
  return iVersion;
}

/* Begin to wait for commits to main of db; the result code.  The handle uses
** db, and is to be closed before it. */
int steward_wait_open(StewardCall *c, sqlite3 *db,
                      struct steward_waiter **pp /* OUT */) {
  const char *zPath = db ? sqlite3_db_filename(db, "main") : NULL;
  const char *zSlash = zPath ? strrchr(zPath, '/') : NULL;
  struct steward_waiter *w;
  *pp = NULL;
  if (zSlash == NULL) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "nobody else writes to a database without a file: there is "
                 "nothing to wait for");
    return c->rc;
  }
  w = calloc(1, sizeof(*w) + strlen(zPath) + 1);
  if (w == NULL) {
    steward_fail_nomem(c);
    return c->rc;
  }
  memcpy(w->zPath, zPath, strlen(zPath) + 1);
  w->zName = w->zPath + (zSlash - zPath) + 1;
  w->db = db;
  w->pid = getpid();
  w->fd = epoll_create1(EPOLL_CLOEXEC);
  w->fdTimer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  w->fdNotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (w->fd < 0 || w->fdTimer < 0 || watch_for(w->fd, w->fdTimer)) {
    steward_fail(c, STEWARD_LIMIT_EXCEEDED,
                 "the process has no descriptor left: close some");
  }
  if (w->fdNotify >= 0 && w->fd >= 0) {
    watch_for(w->fd, w->fdNotify);
    watch(w);
  }
  w->iVersion = data_version(c, db);
  if (c->rc) {
    steward_wait_close(w);
    return c->rc;
  }
  arm(w, steward_wait_step(0, INT64_MAX));
  *pp = w;
  return SQLITE_OK;
}

int steward_wait_fd(struct steward_waiter *w) {
  return w ? w->fd : -1;
}

/* Is the event about the file, its WAL or its journal? */
static int concerns(const struct steward_waiter *w,
                    const struct inotify_event *p) {
  size_t n = strlen(w->zName);
  return p->len == 0 || strncmp(p->name, w->zName, n) == 0;
}

/* Take what the descriptors have; 1 when the file was written to. */
static int drain(struct steward_waiter *w) {
  union {
    struct inotify_event event; /* for its alignment */
    char a[4096];
  } buf;
  unsigned long long nTimes;
  int bWritten = 0, bAnew = 0;
  ssize_t n, i;
  while (w->fdNotify >= 0 &&
         (n = read(w->fdNotify, buf.a, sizeof(buf.a))) > 0) {
    for (i = 0; i < n;) {
      const struct inotify_event *p = (const void *)(buf.a + i);
      if (concerns(w, p)) bWritten = 1;
      if (p->len || (p->mask & IN_IGNORED)) bAnew = 1;
      i += (ssize_t)sizeof(*p) + p->len;
    }
  }
  if (bAnew && bWritten) watch(w);
  while (read(w->fdTimer, &nTimes, sizeof(nTimes)) > 0) {
  }
  return bWritten;
}

/* Has another connection committed since this said so last?  Called when the
** descriptor is readable, on the thread that uses the connection. */
int steward_wait_ready(StewardCall *c, struct steward_waiter *w) {
  i64 iNow = steward_monotonic_us(), iVersion;
  int bNew;
  if (w == NULL || w->pid != getpid()) {
    steward_fail_rc(c, SQLITE_MISUSE,
                    "this is no handle of this process: open one");
    return 0;
  }
  if (drain(w)) {
    w->iLast = iNow;
    w->nStep = 0;
  }
  iVersion = data_version(c, w->db);
  if (steward_forgive_busy(c)) iVersion = w->iVersion; /* not yet */
  bNew = c->rc == SQLITE_OK && iVersion != w->iVersion;
  if (c->rc == SQLITE_OK) w->iVersion = iVersion;
  arm(w, steward_wait_step(w->nStep, iNow - w->iLast));
  return bNew;
}

void steward_wait_close(struct steward_waiter *w) {
  if (w == NULL) return;
  if (w->fd >= 0) close(w->fd);
  if (w->fdTimer >= 0) close(w->fdTimer);
  if (w->fdNotify >= 0) close(w->fdNotify);
  free(w);
}
