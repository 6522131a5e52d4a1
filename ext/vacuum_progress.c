/*
** vacuum_progress.c - who is vacuuming in this process, and how far.
**
** The connection that called is busy until the end, so what it does is written
** where every connection of the process sees it: a list behind a mutex.  The
** progress handler of the private connection writes there and asks whether
** somebody has cancelled.  A child of the process begins with an empty list.
*/
#include <pthread.h>
#include <string.h>

#include "vacuum_int.h"

static VacuumWatch *pFirst;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Steps of the machine between two looks: some hundred rows. */
enum { STEPS = 500 };

static void fork_prepare(void) {
  pthread_mutex_lock(&mutex);
}

static void fork_parent(void) {
  pthread_mutex_unlock(&mutex);
}

/* They run in the parent; the one whose thread forked, if it was one, ends. */
static void fork_child(void) {
  VacuumWatch *w;
  for (w = pFirst; w; w = w->pNext) w->bCancel = 1;
  pFirst = NULL;
  pthread_mutex_unlock(&mutex);
}

static void once_only(void) {
  static StewardFork guard = {STEWARD_FORK_LOCKS, fork_prepare, fork_parent,
                              fork_child, NULL};
  steward_at_fork(&guard);
}

static void lock_list(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, once_only);
  pthread_mutex_lock(&mutex);
}

/* Called then: 1 to stop. */
static int progress(void *pWatch) {
  VacuumWatch *w = pWatch;
  int nMiss = 0, nHigh = 0, bStop;
  sqlite3_db_status(w->pPrivate, SQLITE_DBSTATUS_CACHE_MISS, &nMiss, &nHigh, 0);
  lock_list();
  w->nDone = nMiss < w->nTotal ? nMiss : w->nTotal;
  bStop = w->bCancel;
  pthread_mutex_unlock(&mutex);
  if (w->iDeadline && steward_monotonic_us() > w->iDeadline) bStop = 1;
  return bStop || steward_pass_interrupt(w->pCall);
}

/* Watch the private connection from now on. */
void vacuum_progress_begin(StewardCall *c, VacuumWatch *w, sqlite3 *pPrivate,
                           const char *zCommand, i64 iDeadline) {
  memset(w, 0, sizeof(*w));
  w->pCall = c;
  w->pPrivate = pPrivate;
  w->zPath = steward_db_path(c->p);
  if (w->zPath == NULL) steward_fail_nomem(c);
  w->zCommand = zCommand;
  w->iStarted = steward_now(c->p);
  w->nTotal = steward_pragma(c, "main", "page_count");
  w->iDeadline = iDeadline;
  if (c->rc) return;
  lock_list();
  w->pNext = pFirst;
  pFirst = w;
  pthread_mutex_unlock(&mutex);
  sqlite3_progress_handler(pPrivate, STEPS, progress, w);
}

/* It has ended; what it was told stays to be read. */
void vacuum_progress_end(VacuumWatch *w) {
  VacuumWatch **pp;
  lock_list();
  for (pp = &pFirst; *pp; pp = &(*pp)->pNext) {
    if (*pp == w) {
      *pp = w->pNext;
      break;
    }
  }
  pthread_mutex_unlock(&mutex);
  sqlite3_progress_handler(w->pPrivate, 0, NULL, NULL);
  sqlite3_free(w->zPath);
  w->zPath = NULL;
}

/* vacuum_cancel() -> INTEGER, runs told to end    directonly
** End every vacuum_full, vacuum_convert and vacuum_into that runs in this
** process on the same file, called by another connection: it is undone, and its
** caller gets an error.  One that has read everything goes on to its end.
** Source: seed 001, full vacuum on demand.
** Example: SELECT vacuum_cancel(); -- 0
*/
static void vacuum_cancel(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  char *zPath;
  VacuumWatch *w;
  int n = 0;
  steward_open(&c, ctx, "vacuum_cancel", NULL, STEWARD_READ);
  zPath = steward_db_path(c.p);
  if (zPath == NULL) steward_fail_nomem(&c);
  lock_list();
  for (w = zPath ? pFirst : NULL; w; w = w->pNext) {
    if (strcmp(w->zPath, zPath) == 0) {
      w->bCancel = 1;
      n++;
    }
  }
  pthread_mutex_unlock(&mutex);
  sqlite3_free(zPath);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, n);
}

/* vacuum_progress(db_path TEXT, command TEXT, started_at INTEGER,
**   pages_done INTEGER, pages_total INTEGER)     table
** The vacuums that run in this process now: pages read so far, of those that
** the file has.  When all are read, the copy is written back, which is the
** shorter part.  In rollback mode the file is locked meanwhile: look from a
** connection to another one, :memory: will do; vacuum_cancel() works.
** Source: seed 001, full vacuum on demand.
** Example: SELECT count(*) FROM vacuum_progress; -- 0
*/
static void progress_rows(StewardCall *c, StewardRows *r, int nArg,
                          sqlite3_value **apArg) {
  const VacuumWatch *w;
  lock_list();
  for (w = pFirst; w; w = w->pNext) {
    steward_row(c, r, "ttlll", w->zPath, w->zCommand, w->iStarted, w->nDone,
                w->nTotal);
  }
  pthread_mutex_unlock(&mutex);
}

static const StewardTable aTable[] = {
    {.zName = "vacuum_progress",
     .zColumns = "db_path TEXT, command TEXT, started_at INTEGER,"
                 " pages_done INTEGER, pages_total INTEGER",
     .xRows = progress_rows},
};

static const StewardFunc aFunc[] = {
    {"vacuum_cancel", 0, 0, STEWARD_DIRECTONLY, vacuum_cancel, NULL, 0},
};

int vacuum_progress_register(Steward *p) {
  int rc = steward_register_functions(p, aFunc, ArraySize(aFunc));
  return rc ? rc : steward_register_tables(p, aTable, ArraySize(aTable));
}
