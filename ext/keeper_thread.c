/*
** keeper_thread.c - the keeper: a thread that calls steward_tick().
**
**     SELECT keeper_start('10s');
**     SELECT running, holder, last_tick_at FROM keeper_status;
**     SELECT keeper_stop();
**
** The thread belongs to the connection that started it, and ends with it; it
** works on a connection of its own.  Any number of connections may start one:
** the row of steward_keeper is a lease that one thread of all processes holds,
** and the others look at it once in an interval, so that they go on when its
** holder was killed.
**
** What the thread shares with the connection is a Keeper.  `mutex` guards its
** first fields; `inside` is held while the thread uses SQLite, so that fork()
** finds none of SQLite's mutexes locked by a thread that the child has not.
** In a child a Keeper is forgotten, its connection not closed: that would drop
** the locks of the parent.
*/
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keeper_int.h"

typedef struct Keeper Keeper;
struct Keeper {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  int bStop, bEnded; /* asked of the thread, and done */
  i64 iInterval;     /* ms */

  pthread_mutex_t inside;
  sqlite3 *db; /* its own connection, of the thread while that runs */
  Steward *p;  /* of that */
  i64 iToken;  /* of the lease; 0: another one has it */

  Keeper *pNext; /* under g.mutex */
  int bGone;     /* there is no thread: ended at exit, or this is a child */
  int bLeft;     /* at exit it did not end in time, and is left as it is */
  pthread_t thread;
  char zName[100];
};

static struct {
  pthread_mutex_t mutex;
  Keeper *pFirst; /* all that run in this process */
} g = {PTHREAD_MUTEX_INITIALIZER, NULL};

/*************************************************************************
** The thread
*/

static i64 lease_until(const Keeper *k, i64 iInterval) {
  return steward_now(k->p) + 3 * iInterval + 10000;
}

/* Run a statement of the lease in a transaction of its own. */
static i64 lease_call(Keeper *k, enum StewardSqlId id, i64 iInterval,
                      const char *zError) {
  StewardCall c;
  sqlite3_vtab holder = {0};
  i64 iNow = steward_now(k->p), iResult = 0;
  steward_open_table(&c, k->p, "keeper_start", "core", STEWARD_WRITE);
  if (id == SQL_keeper_take) {
    iResult = steward_int(&c, id, 0, "tlll", k->zName, iNow,
                          lease_until(k, iInterval), iInterval);
  } else if (id == SQL_keeper_renew) {
    steward_run(&c, id, "llll", k->iToken, iNow, lease_until(k, iInterval),
                iInterval);
    iResult = c.rc == SQLITE_OK && sqlite3_changes(k->db) > 0;
  } else if (id == SQL_keeper_failed) {
    steward_run(&c, id, "lt", k->iToken, zError);
  } else {
    steward_run(&c, id, "ll", k->iToken, iNow);
  }
  /* what cannot be written now is tried again in an interval; the lease tells
  ** how it stands */
  if (steward_close_table(&c, &holder)) iResult = -1;
  sqlite3_free(holder.zErrMsg);
  return iResult;
}

/* Hold the lease; 0: somebody else does, or it cannot be told. */
static int hold_lease(Keeper *k, i64 iInterval) {
  i64 iResult;
  if (k->iToken) {
    iResult = lease_call(k, SQL_keeper_renew, iInterval, NULL);
    if (iResult > 0) return 1;
    if (iResult < 0) return 0;
    k->iToken = 0; /* it ran out, and another one took it */
  }
  iResult = lease_call(k, SQL_keeper_take, iInterval, NULL);
  if (iResult <= 0) return 0;
  k->iToken = iResult;
  return lease_call(k, SQL_keeper_renew, iInterval, NULL) > 0;
}

/* One tick, in a bounded time; 1 when there is more to do. */
static int tick(Keeper *k, i64 iInterval) {
  sqlite3_stmt *s = NULL;
  int bMore = 0, rc;
  if (!hold_lease(k, iInterval)) return 0;
  rc = sqlite3_prepare_v2(k->db, "SELECT steward_tick(100)", -1, &s, NULL);
  if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    const char *z = (const char *)sqlite3_column_text(s, 0);
    bMore = z && (strstr(z, "\"more\":1") || strstr(z, "\"budget\""));
    rc = SQLITE_OK;
  }
  if (rc && (rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_INTERRUPT) {
    char *zError = sqlite3_mprintf("%s", sqlite3_errmsg(k->db));
    lease_call(k, SQL_keeper_failed, iInterval, zError);
    sqlite3_free(zError);
  }
  sqlite3_finalize(s);
  return bMore;
}

/* Wait under k->mutex for nMs, or until somebody has something to say. */
static void pause_ms(Keeper *k, i64 nMs) {
  i64 iEnd = steward_monotonic_us() + nMs * 1000;
  struct timespec at = {(time_t)(iEnd / 1000000),
                        (long)(iEnd % 1000000) * 1000};
  pthread_cond_timedwait(&k->cond, &k->mutex, &at);
}

static void *keeper_main(void *pArg) {
  enum { SOON_MS = 20 };
  Keeper *k = pArg;
  pthread_mutex_lock(&k->mutex);
  while (!k->bStop) {
    i64 iInterval = k->iInterval;
    int bMore;
    pthread_mutex_unlock(&k->mutex);
    pthread_mutex_lock(&k->inside);
    bMore = tick(k, iInterval);
    pthread_mutex_unlock(&k->inside);
    pthread_mutex_lock(&k->mutex);
    if (!k->bStop && k->iInterval == iInterval) {
      pause_ms(k, bMore && iInterval > SOON_MS ? SOON_MS : iInterval);
    }
  }
  k->bEnded = 1;
  pthread_cond_broadcast(&k->cond);
  pthread_mutex_unlock(&k->mutex);
  return NULL;
}

/*************************************************************************
** Its end
*/

/* Wait until the thread has ended, nMs at most (0: for ever).  1: it has.  A
** tick has the time to end and to write down what it did; what takes longer is
** interrupted. */
static int stop_thread(Keeper *k, i64 nMs) {
  enum { GRACE_MS = 300, LOOK_MS = 10 };
  i64 iBegan = steward_monotonic_us();
  int bEnded;
  pthread_mutex_lock(&k->mutex);
  k->bStop = 1;
  pthread_cond_broadcast(&k->cond);
  while (!k->bEnded) {
    i64 iPast = (steward_monotonic_us() - iBegan) / 1000;
    if (nMs && iPast > nMs) break;
    /* one that comes between two statements is lost, so again and again */
    if (iPast > GRACE_MS) sqlite3_interrupt(k->db);
    pause_ms(k, LOOK_MS);
  }
  bEnded = k->bEnded;
  pthread_mutex_unlock(&k->mutex);
  if (bEnded) pthread_join(k->thread, NULL);
  return bEnded;
}

static void forget(Keeper *k) {
  Keeper **pp;
  pthread_mutex_lock(&g.mutex);
  for (pp = &g.pFirst; *pp; pp = &(*pp)->pNext) {
    if (*pp != k) continue;
    *pp = k->pNext;
    break;
  }
  pthread_mutex_unlock(&g.mutex);
}

/* The thread has ended: hand the lease back and close its connection.  The
** first statement takes note of the interrupt, which would keep the close from
** checkpointing. */
static void end_connection(Keeper *k) {
  sqlite3_exec(k->db, "SELECT 1", NULL, NULL, NULL);
  if (k->iToken) lease_call(k, SQL_keeper_give, 0, NULL);
  sqlite3_close(k->db);
}

static void free_keeper(Keeper *k) {
  pthread_mutex_destroy(&k->mutex);
  pthread_mutex_destroy(&k->inside);
  pthread_cond_destroy(&k->cond);
  sqlite3_free(k);
}

/* End the keeper of a connection, if it has one; it is closing, or asked. */
void keeper_free(Steward *p) {
  Keeper *k = p->pKeeper;
  p->pKeeper = NULL;
  if (k == NULL || k->bLeft) return;
  if (k->bGone) {
    sqlite3_free(k); /* in a child even the mutexes are not ours */
    return;
  }
  stop_thread(k, 0);
  forget(k);
  end_connection(k);
  free_keeper(k);
}

/* The process ends, and nobody has closed the connections: leave the file as
** if they had been. */
static void at_exit(void) {
  enum { PATIENCE_MS = 2000 };
  Keeper *k;
  pthread_mutex_lock(&g.mutex);
  for (k = g.pFirst; k; k = k->pNext) {
    k->bLeft = !stop_thread(k, PATIENCE_MS);
    if (!k->bLeft) end_connection(k);
    k->bGone = 1;
  }
  g.pFirst = NULL;
  pthread_mutex_unlock(&g.mutex);
}

static void before_fork(void) {
  Keeper *k;
  pthread_mutex_lock(&g.mutex);
  for (k = g.pFirst; k; k = k->pNext) pthread_mutex_lock(&k->inside);
}

static void after_fork(void) {
  Keeper *k;
  for (k = g.pFirst; k; k = k->pNext) pthread_mutex_unlock(&k->inside);
  pthread_mutex_unlock(&g.mutex);
}

static void after_fork_in_child(void) {
  Keeper *k;
  for (k = g.pFirst; k; k = k->pNext) k->bGone = 1;
  g.pFirst = NULL;
  pthread_mutex_unlock(&g.mutex);
}

/*************************************************************************
** Its beginning
*/

/* Where there can be none. */
static void check_start(StewardCall *c) {
  const char *zFile = sqlite3_db_filename(c->db, "main");
  char *zMode;
  if (c->rc) return;
  if (!steward_installed(c, "core") && c->rc == SQLITE_OK) {
    steward_fail(c, STEWARD_NOT_INSTALLED,
                 "set 'core' is not installed: SELECT migrate_up('core')");
  } else if (zFile == NULL || zFile[0] == 0) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "it works on a connection of its own, which a database in "
                 "memory does not have: SELECT steward_tick() now and then");
  } else if (steward_on_dqlite(c->p)) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "it writes on a connection of its own, which dqlite does not "
                 "replicate: call ttl_sweep() and the like between BEGIN "
                 "IMMEDIATE and COMMIT");
  }
  if (c->rc || sqlite3_uri_boolean(zFile, "immutable", 0)) return;
  zMode = steward_exec_text(c, "PRAGMA main.locking_mode");
  if (zMode && strcmp(zMode, "exclusive") == 0) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "this connection has the file for itself (locking_mode): "
                 "SELECT steward_tick() now and then");
  }
  sqlite3_free(zMode);
}

/* What the host's connection does with rows, the keeper's does, too. */
static void copy_settings(StewardCall *c, sqlite3 *db) {
  static const char *const azPragma[] = {"main.synchronous",
                                         "main.secure_delete", "foreign_keys",
                                         "recursive_triggers"};
  int i;
  for (i = 0; i < ArraySize(azPragma); i++) {
    i64 iValue = steward_exec_int(c, 0, "PRAGMA %s", azPragma[i]);
    steward_private_exec(
        c, db, sqlite3_mprintf("PRAGMA %s = %lld", azPragma[i], iValue));
  }
}

static Keeper *new_keeper(StewardCall *c, i64 iInterval) {
  pthread_condattr_t attr;
  Keeper *k = sqlite3_malloc64(sizeof(*k));
  char zHost[60] = "";
  unsigned iRandom;
  if (k == NULL) {
    steward_fail_nomem(c);
    return NULL;
  }
  memset(k, 0, sizeof(*k));
  k->iInterval = iInterval;
  pthread_mutex_init(&k->mutex, NULL);
  pthread_mutex_init(&k->inside, NULL);
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&k->cond, &attr);
  pthread_condattr_destroy(&attr);
  gethostname(zHost, sizeof(zHost) - 1);
  sqlite3_randomness(sizeof(iRandom), &iRandom);
  sqlite3_snprintf(sizeof(k->zName), k->zName, "%s/%d/%08x", zHost,
                   (int)getpid(), iRandom);
  return k;
}

/* The context of its connection, by a pointer that SQL cannot make. */
static int find_context(Keeper *k) {
  sqlite3_stmt *s = NULL;
  int rc = sqlite3_prepare_v2(k->db, "SELECT steward_tick(?1)", -1, &s, NULL);
  if (rc == SQLITE_OK) {
    rc = sqlite3_bind_pointer(s, 1, &k->p, KEEPER_CONTEXT, NULL);
  }
  if (rc == SQLITE_OK) sqlite3_step(s);
  if (rc == SQLITE_OK) rc = sqlite3_reset(s);
  sqlite3_finalize(s);
  return rc;
}

/* Its connection, with the library, and with this one's clock. */
static void open_connection(StewardCall *c, Keeper *k) {
  enum { BUSY_MS = 100 };
  char *zErr = NULL;
  int rc;
  k->db = steward_private_open(c, STEWARD_PRIVATE_WRITE);
  if (k->db == NULL) return;
  sqlite3_progress_handler(k->db, 0, NULL, NULL);
  sqlite3_busy_timeout(k->db, BUSY_MS);
  rc = steward_setup(k->db, &zErr);
  if (rc == SQLITE_OK) rc = find_context(k);
  if (rc == SQLITE_NOMEM) {
    steward_fail_nomem(c);
  } else if (rc) {
    steward_fail_rc(c, rc, "%s", zErr ? zErr : sqlite3_errmsg(k->db));
  }
  sqlite3_free(zErr);
  copy_settings(c, k->db);
  if (c->rc) return;
  k->p->clock = c->p->clock;
  k->p->zKeeper = k->zName;
}

static int rcReady; /* an error number; 0: at fork and exit we are asked */

static void once_only(void) {
  static StewardFork guard = {STEWARD_FORK_THREADS, before_fork, after_fork,
                              after_fork_in_child, NULL};
  rcReady = steward_at_fork(&guard);
  if (rcReady == 0 && atexit(at_exit)) rcReady = ENOMEM;
}

/* Start the thread, which takes no signals of the host. */
static void start_thread(StewardCall *c, Keeper *k) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  sigset_t all, before;
  int rc;
  pthread_once(&once, once_only);
  pthread_mutex_lock(&g.mutex);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  rc = rcReady ? rcReady : pthread_create(&k->thread, NULL, keeper_main, k);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (rc) {
    steward_fail_rc(c, SQLITE_ERROR, "no thread can be started: %s",
                    strerror(rc));
  } else {
    k->pNext = g.pFirst;
    g.pFirst = k;
  }
  pthread_mutex_unlock(&g.mutex);
}

static void start(StewardCall *c, i64 iInterval) {
  Keeper *k = new_keeper(c, iInterval);
  if (k == NULL) return;
  open_connection(c, k);
  if (c->rc == SQLITE_OK) {
    i64 iToken = lease_call(k, SQL_keeper_take, iInterval, NULL);
    k->iToken = iToken > 0 ? iToken : 0;
    start_thread(c, k);
  }
  if (c->rc == SQLITE_OK) {
    c->p->pKeeper = k;
    return;
  }
  if (k->db) end_connection(k);
  free_keeper(k);
}

/* Have a keeper, or another interval. */
void keeper_begin(StewardCall *c, i64 iInterval) {
  Keeper *k;
  check_start(c);
  if (c->p->pKeeper && c->p->pKeeper->bGone) keeper_free(c->p);
  k = c->p->pKeeper;
  if (c->rc == SQLITE_OK && k) {
    pthread_mutex_lock(&k->mutex);
    k->iInterval = iInterval;
    pthread_cond_broadcast(&k->cond);
    pthread_mutex_unlock(&k->mutex);
  } else if (c->rc == SQLITE_OK) {
    start(c, iInterval);
  }
}

/* keeper_start([interval]) -> INTEGER, always 1    directonly
** Have a thread call steward_tick() every `interval` (ms or text, 10 s; it goes
** on sooner while there is more to do), on a connection of its own, until
** keeper_stop(), until this connection is closed, or the process ends.  Of all
** that are started on a database, in whatever process, one works; another takes
** over when that one ends or has not been heard of for three intervals and 10
** seconds.  It leaves the file to writers five times as long as it holds the
** write lock, about a millisecond at a time; a writer needs a busy timeout, as
** beside any other.  Called again, it changes the interval.
** Set: core
** Errors: "UNSUPPORTED: keeper_start: it works on a connection of its own,
**   which a database in memory does not have: SELECT steward_tick() now and
**   then"; the same with locking_mode=EXCLUSIVE, inside a transaction and on
**   dqlite; "INVALID_ARGUMENT: keeper_start: interval must be within
**   10..86400000 ms, got 1"; NOT_INSTALLED; READ_ONLY.
** Source: seed 001, automatic scheduling.
** Example: SELECT keeper_start('10s'); -- 1
**   SELECT running, interval_ms FROM keeper_status; -- 1|10000
**   SELECT keeper_stop(); -- 1
*/
static void keeper_start(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  i64 iInterval = KEEPER_INTERVAL;
  steward_open(&c, ctx, "keeper_start", NULL, STEWARD_READ);
  if (argc > 0 && sqlite3_value_type(argv[0]) != SQLITE_NULL) {
    iInterval = steward_arg_time(&c, argv[0], "interval");
  }
  if (c.rc == SQLITE_OK && (iInterval < 10 || iInterval > 86400000)) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "interval must be within 10..86400000 ms, got %lld",
                 iInterval);
  }
  keeper_begin(&c, iInterval);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

/* keeper_stop() -> INTEGER, keepers stopped     directonly
** End the keeper that this connection has started, and hand its place over:
** 1, or 0 where there was none.  Those of other connections go on; the setting
** maintenance_enabled = 0 has all of them do nothing.
** Source: seed 001, "Immediate" rollback.
** Example: SELECT keeper_stop(); -- 0
*/
static void keeper_stop(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Steward *p = sqlite3_user_data(ctx);
  int bHad = p->pKeeper && !p->pKeeper->bGone;
  keeper_free(p);
  sqlite3_result_int(ctx, bHad);
}

/* The name of this connection's keeper, or NULL. */
const char *keeper_name(Steward *p) {
  return p->pKeeper && !p->pKeeper->bGone ? p->pKeeper->zName : NULL;
}

static const StewardFunc aFunc[] = {
    {"keeper_start", 0, 1, STEWARD_DIRECTONLY, keeper_start, NULL, 0},
    {"keeper_stop", 0, 0, STEWARD_DIRECTONLY, keeper_stop, NULL, 0},
};

int keeper_thread_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
