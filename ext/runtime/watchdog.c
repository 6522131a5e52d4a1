/*
** watchdog.c - a deadline for statements of a private connection.
**
** A progress handler does not bound PRAGMA integrity_check in SQLite 3.40: the
** walk over the pages is one step of the machine.  sqlite3_interrupt() from
** another thread does.  The thread lives from start to stop, which joins it, so
** it never outlives the connection, nor the call.
*/
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "steward_int.h"

static void *watch(void *pArg) {
  enum { AGAIN_NS = 10000000 };
  StewardWatchdog *w = pArg;
  int rc = 0;
  pthread_mutex_lock(&w->mutex);
  while (!w->bStop) {
    rc = pthread_cond_timedwait(&w->wake, &w->mutex, &w->until);
    if (w->bStop || rc != ETIMEDOUT) continue;
    /* one that comes between two statements is lost, so again and again */
    w->bFired = 1;
    sqlite3_interrupt(w->db);
    w->until.tv_nsec += AGAIN_NS;
    w->until.tv_sec += w->until.tv_nsec / 1000000000;
    w->until.tv_nsec %= 1000000000;
  }
  pthread_mutex_unlock(&w->mutex);
  return NULL;
}

/* Interrupt db at a time of steward_monotonic_us().  The thread takes no
** signal of the host. */
void steward_watchdog_start(StewardCall *c, StewardWatchdog *w, sqlite3 *db,
                            i64 iDeadline) {
  pthread_condattr_t attr;
  sigset_t all, old;
  memset(w, 0, sizeof(*w));
  if (c->rc) return;
  w->db = db;
  w->until.tv_sec = (time_t)(iDeadline / 1000000);
  w->until.tv_nsec = (long)(iDeadline % 1000000) * 1000;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_mutex_init(&w->mutex, NULL);
  pthread_cond_init(&w->wake, &attr);
  pthread_condattr_destroy(&attr);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  w->bRuns = pthread_create(&w->thread, NULL, watch, w) == 0;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (!w->bRuns) {
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    steward_fail(c, STEWARD_LIMIT_EXCEEDED,
                 "no thread can be made to watch the time: raise the limit of "
                 "threads");
  }
}

/* End it; 1 when the deadline came. */
int steward_watchdog_stop(StewardWatchdog *w) {
  if (!w->bRuns) return 0;
  pthread_mutex_lock(&w->mutex);
  w->bStop = 1;
  pthread_cond_signal(&w->wake);
  pthread_mutex_unlock(&w->mutex);
  pthread_join(w->thread, NULL);
  pthread_cond_destroy(&w->wake);
  pthread_mutex_destroy(&w->mutex);
  w->bRuns = 0;
  return w->bFired;
}
