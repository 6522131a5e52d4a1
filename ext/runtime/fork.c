/*
** fork.c - what has to be in order when the process forks.
**
** A child has the thread that forked, and no other: a mutex that another one
** held is locked there for ever.  So whoever has a mutex for the process takes
** it before the fork and gives it back after.  The order matters, and that in
** which they were registered is nobody's choice: first those that wait for a
** thread of ours to pause, which may need the mutexes of the others for that;
** then the pool, whose connections may need the rest while they are closed.
*/
#include <pthread.h>
#include <stddef.h>

#include "steward_int.h"

static struct {
  pthread_mutex_t mutex; /* held while the process forks */
  StewardFork *apFirst[STEWARD_FORK_ORDERS];
  int bReady;
} g = {PTHREAD_MUTEX_INITIALIZER, {NULL}, 0};

/* A thread that is waited for may be the first to use something, which is
** registered then: so the mutex is free until all threads pause. */
static void prepare(void) {
  StewardFork *pDone = NULL, *pFirst, *p;
  int i;
  pthread_mutex_lock(&g.mutex);
  while ((pFirst = g.apFirst[STEWARD_FORK_THREADS]) != pDone) {
    pthread_mutex_unlock(&g.mutex);
    for (p = pFirst; p != pDone; p = p->pNext) p->xPrepare();
    pDone = pFirst;
    pthread_mutex_lock(&g.mutex);
  }
  for (i = STEWARD_FORK_THREADS + 1; i < STEWARD_FORK_ORDERS; i++) {
    for (p = g.apFirst[i]; p; p = p->pNext) p->xPrepare();
  }
}

static void done(int bChild) {
  int i;
  StewardFork *p;
  for (i = STEWARD_FORK_ORDERS - 1; i >= 0; i--) {
    for (p = g.apFirst[i]; p; p = p->pNext) {
      if (bChild) {
        p->xChild();
      } else {
        p->xParent();
      }
    }
  }
  pthread_mutex_unlock(&g.mutex);
}

static void parent(void) {
  done(0);
}

static void child(void) {
  done(1);
}

/* Be asked at every fork from now on, once for each p, which lasts for ever.
** An error number, or 0. */
int steward_at_fork(StewardFork *p) {
  int rc = 0;
  pthread_mutex_lock(&g.mutex);
  if (!g.bReady) {
    rc = pthread_atfork(prepare, parent, child);
    g.bReady = rc == 0;
  }
  if (rc == 0) {
    p->pNext = g.apFirst[p->eOrder];
    g.apFirst[p->eOrder] = p;
  }
  pthread_mutex_unlock(&g.mutex);
  return rc;
}
