/*
** steward_process.h - the part of steward_int.h, which includes it, that is
** about what goes on beside a call: forks and threads, waiting, second
** connections, deadlines, and work that is done in pieces.
*/
#ifndef STEWARD_PROCESS_H
#define STEWARD_PROCESS_H

/*************************************************************************
** Interface to code in fork.c: mutexes of the process, and fork()
*/
enum {
  STEWARD_FORK_THREADS, /* a thread of ours is to pause */
  STEWARD_FORK_POOL,    /* connections are closed, which takes those below */
  STEWARD_FORK_LOCKS,
  STEWARD_FORK_ORDERS
};

typedef struct StewardFork StewardFork;
struct StewardFork {
  int eOrder;
  void (*xPrepare)(void);
  void (*xParent)(void);
  void (*xChild)(void);
  StewardFork *pNext; /* of fork.c */
};
int steward_at_fork(StewardFork *p);

/*************************************************************************
** Interface to code in wait.c: until another connection has committed
*/
i64 steward_wait(StewardCall *c, i64 iTimeout /* ms */,
                 i64 (*xReady)(StewardCall *, void *), void *pArg);
i64 steward_wait_step(i64 nStep, i64 nSinceEvent);

/*************************************************************************
** Interface to code in wait_fd.c: the same for a C program's event loop
*/
int steward_wait_open(StewardCall *c, sqlite3 *db,
                      struct steward_waiter **pp /* OUT */);
int steward_wait_fd(struct steward_waiter *w);
int steward_wait_ready(StewardCall *c, struct steward_waiter *w);
void steward_wait_close(struct steward_waiter *w);

/*************************************************************************
** Interface to code in private.c: a second connection to the same file
*/
int steward_connect(const char *zFile, int eFlags, const char *zVfs,
                    sqlite3 **ppDb /* OUT */);
typedef enum StewardPrivate {
  STEWARD_PRIVATE_READ,
  STEWARD_PRIVATE_WRITE,
  STEWARD_PRIVATE_LOOK /* in any transaction; waits for nothing */
} StewardPrivate;

int steward_file_moved(sqlite3 *db);
sqlite3 *steward_private_open(StewardCall *c, StewardPrivate eFor);
int steward_pass_interrupt(void *pCall);
void steward_private_exec(StewardCall *c, sqlite3 *pPrivate,
                          char *zSql /* freed */);

/*************************************************************************
** Interface to code in path.c: files that SQL names
*/
char *steward_path_real(StewardCall *c, const char *zPath, int bExists);
void steward_path_plain(StewardCall *c, const char *zPath);
char *steward_path_allowed(StewardCall *c, const char *zPath, int bExists);
void steward_path_check(StewardCall *c, const char *zPath);
int steward_disk(const char *zPath, i64 *pnFree /* OUT */,
                 double *prUsed /* OUT or NULL */);

/*************************************************************************
** Interface to code in zone.c: time zones and dates; NULL is UTC
*/
typedef struct StewardZone StewardZone;

/* A time in which a zone's clocks are so far from UTC; all in seconds. */
typedef struct StewardSpan {
  int iOffset;
  i64 iBegin, iEnd;
} StewardSpan;

StewardZone *steward_zone_open(StewardCall *c, const char *zName);
void steward_zone_free(StewardZone *p);
void steward_zone_at(const StewardZone *p, i64 t, StewardSpan *pSpan);
i64 steward_date_days(i64 iYear, int iMonth, int iDay);
void steward_days_date(i64 iDays, i64 *piYear, int *piMonth, int *piDay);
int steward_month_days(i64 iYear, int iMonth);
int steward_weekday(i64 iDays);
i64 steward_floor_div(i64 a, i64 b);

/*************************************************************************
** Interface to code in watchdog.c: a deadline for a private connection
*/
typedef struct StewardWatchdog {
  sqlite3 *db;
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  struct timespec until;
  int bRuns, bStop, bFired;
} StewardWatchdog;

void steward_watchdog_start(StewardCall *c, StewardWatchdog *w, sqlite3 *db,
                            i64 iDeadline /* us, monotonic */);
int steward_watchdog_stop(StewardWatchdog *w);

/*************************************************************************
** Interface to code in slice.c: work in a budget, with its position stored
*/
typedef struct StewardSlice {
  const char *zName;
  int eStage;        /* where the next slice begins: the owner's words */
  char *zItem;       /* owned, as all texts here */
  char *zKey;        /* behind this one */
  i64 nDone, nTotal; /* units of this pass */
  i64 iStarted;      /* when this pass began, Unix ms; 0: none has */
  i64 iMoved;        /* when a slice was done last */
  i64 iPassed;       /* when the last whole pass ended; 0: never */
  char *zFound;      /* of this pass, JSON */
  char *zResult;     /* of the last whole pass */
} StewardSlice;

void steward_slice_load(StewardCall *c, StewardSlice *s, const char *zName);
void steward_slice_store(StewardCall *c, const StewardSlice *s);
void steward_slice_at(StewardCall *c, StewardSlice *s, int eStage,
                      const char *zItem, const char *zKey);
void steward_slice_begin(StewardCall *c, StewardSlice *s, i64 nTotal);
void steward_slice_pass(StewardCall *c, StewardSlice *s);
void steward_slice_free(StewardSlice *s);

/*************************************************************************
** Interface to code in lease.c: what one owner has at a time, for a while
*/
i64 steward_fence(StewardCall *c);
i64 steward_lease_forget(StewardCall *c, enum StewardSqlId eFind,
                         enum StewardSqlId eForget, i64 nMax);
i64 steward_lease_take(StewardCall *c, const char *zName, const char *zOwner,
                       i64 iTtl, i64 nSlot);
void steward_lease_renew(StewardCall *c, const char *zName, i64 iToken,
                         i64 iTtl);
void steward_lease_give(StewardCall *c, const char *zName, i64 iToken);

/*************************************************************************
** Interface to code in due.c: work in a budget, done when it is due by one of
** all who find it due
*/
typedef struct StewardBudget {
  i64 iEnd; /* us, monotonic */
} StewardBudget;

void steward_budget_begin(StewardBudget *pBudget, i64 nBudget /* ms */);
i64 steward_budget_left(const StewardBudget *pBudget, i64 nMost);
i64 steward_due(StewardCall *c, const char *zWork, i64 iInterval);
void steward_yield(StewardCall *c, i64 nUs);
int steward_due_claim(StewardCall *c, const char *zWork, i64 iInterval);

/*************************************************************************
** Interface to code in note.c: the keeper's log
*/
void steward_note(StewardCall *c, const char *zWork, double rMs,
                  const char *zResult, const char *zError);

#endif
