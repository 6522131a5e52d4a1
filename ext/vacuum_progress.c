/*
** vacuum_progress.c - who is vacuuming in this process, and how far.
**
** The connection that called is busy until the end, so what it does is written
** where every connection of the process sees it: a few slots behind a mutex.
** The progress handler of the private connection fills its slot and asks
** whether somebody has cancelled.
*/
#include <pthread.h>
#include <string.h>

#include "vacuum_int.h"

enum { SLOTS = 8 };

typedef struct Slot {
  StewardCall *pCall; /* NULL: free */
  sqlite3 *pPrivate;
  char zPath[512];
  char zCommand[32];
  i64 iStarted;
  i64 nDone, nTotal; /* pages read, of those that there are */
  i64 iDeadline;
  int bCancel;
} Slot;

static Slot aSlot[SLOTS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Steps of the machine between two looks: some hundred rows. */
enum { STEPS = 500 };

/* Called then: 1 to stop. */
static int progress(void *pSlot) {
  Slot *s = pSlot;
  int nMiss = 0, nHigh = 0, bStop;
  sqlite3_db_status(s->pPrivate, SQLITE_DBSTATUS_CACHE_MISS, &nMiss, &nHigh, 0);
  pthread_mutex_lock(&mutex);
  s->nDone = nMiss < s->nTotal ? nMiss : s->nTotal;
  bStop = s->bCancel;
  pthread_mutex_unlock(&mutex);
  if (s->iDeadline && steward_monotonic_us() > s->iDeadline) bStop = 1;
  return bStop || steward_pass_interrupt(s->pCall);
}

/* Take a slot and watch the private connection; -1 when all are taken. */
int vacuum_progress_begin(StewardCall *c, sqlite3 *pPrivate,
                          const char *zCommand, i64 nPage, i64 iDeadline) {
  char *zPath = steward_db_path(c->p);
  int i;
  pthread_mutex_lock(&mutex);
  for (i = 0; i < SLOTS && aSlot[i].pCall; i++) {
  }
  if (i < SLOTS) {
    Slot *s = &aSlot[i];
    memset(s, 0, sizeof(*s));
    s->pCall = c;
    s->pPrivate = pPrivate;
    sqlite3_snprintf(sizeof(s->zPath), s->zPath, "%s", zPath ? zPath : "");
    sqlite3_snprintf(sizeof(s->zCommand), s->zCommand, "%s", zCommand);
    s->iStarted = steward_now(c->p);
    s->nTotal = nPage;
    s->iDeadline = iDeadline;
  }
  pthread_mutex_unlock(&mutex);
  sqlite3_free(zPath);
  if (i == SLOTS) return -1;
  sqlite3_progress_handler(pPrivate, STEPS, progress, &aSlot[i]);
  return i;
}

int vacuum_cancelled(int iSlot) {
  int bCancel;
  if (iSlot < 0) return 0;
  pthread_mutex_lock(&mutex);
  bCancel = aSlot[iSlot].bCancel;
  pthread_mutex_unlock(&mutex);
  return bCancel;
}

void vacuum_progress_end(int iSlot) {
  if (iSlot < 0) return;
  pthread_mutex_lock(&mutex);
  memset(&aSlot[iSlot], 0, sizeof(Slot));
  pthread_mutex_unlock(&mutex);
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
  int i, n = 0;
  steward_open(&c, ctx, "vacuum_cancel", NULL, STEWARD_READ);
  zPath = steward_db_path(c.p);
  if (zPath == NULL) steward_fail_nomem(&c);
  pthread_mutex_lock(&mutex);
  for (i = 0; zPath && i < SLOTS; i++) {
    if (aSlot[i].pCall && strcmp(aSlot[i].zPath, zPath) == 0) {
      aSlot[i].bCancel = 1;
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
  Slot aCopy[SLOTS];
  int i;
  pthread_mutex_lock(&mutex);
  memcpy(aCopy, aSlot, sizeof(aCopy));
  pthread_mutex_unlock(&mutex);
  for (i = 0; i < SLOTS; i++) {
    const Slot *s = &aCopy[i];
    if (s->pCall == NULL) continue;
    steward_row(c, r, "ttlll", s->zPath, s->zCommand, s->iStarted, s->nDone,
                s->nTotal);
  }
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
