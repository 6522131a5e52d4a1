/*
** keeper.c - everything that is to be done now and then, by one call.
**
**     SELECT steward_tick();          -- from a timer of your own
**     SELECT keeper_start();          -- or by a thread, keeper_thread.c
**     SELECT * FROM keeper_duties;    -- what there is, and when it is due
**     SELECT * FROM keeper_log;       -- what was done
**
** A duty is a row of keeper_duties below: a statement or function, the set that
** it needs, a setting that says how often.  When it is due is stored per
** database (runtime/due.c), so that of several processes one does it.  Each
** commits on its own; one that fails keeps none of the others.
*/
#include <string.h>

#include "keeper_int.h"

/* Is any table's expiry looked after? */
static int expiry_wanted(StewardCall *c) {
  return (int)steward_int(c, SQL_duty_expiry_wanted, 0, "");
}

/* Can free pages be given back, and are they more than a tenth of the file? */
static int vacuum_wanted(StewardCall *c) {
  i64 nFree = steward_exec_int(c, 0, "PRAGMA main.freelist_count");
  return nFree > 64 &&
         nFree * 10 > steward_exec_int(c, 0, "PRAGMA main.page_count") &&
         steward_exec_int(c, 0, "PRAGMA main.auto_vacuum") != 0;
}

/* Has the WAL grown beyond what SQLite checkpoints by itself? */
static int checkpoint_wanted(StewardCall *c) {
  enum { BYTES = 4194304 };
  return steward_wal_bytes(c->db, "main") >= BYTES;
}

static i64 delivery_run(StewardCall *c) {
  i64 nDone = steward_log_upkeep(c);
  return nDone + delivery_upkeep(c);
}

/* What a call may take: a chunk, chunks with what is left to writers between
** them, a sweep with its commit, reading. */
enum { SLICE_MS = 2, SLICES_MS = 50, SWEEP_MS = 5, READ_MS = 20 };

/* In the order in which they come when all are equally late. */
const KeeperDuty keeper_duties[] = {
    {.zName = "schedules",
     .zSet = "jobs",
     .zInterval = "keeper_schedules",
     .zFunction = "job_run_due",
     .zSql = "SELECT job_run_due()",
     .bAgain = 1,
     .zMeaning = "enqueues the jobs of schedules whose time has come, and "
                 "settles leases that have run out and jobs that have expired"},
    {.zName = "expiry",
     .zSet = "core",
     .zInterval = "keeper_expiry",
     .zFunction = "ttl_sweep",
     .zSql = "SELECT ttl_sweep(NULL, json_object('budget', ?1))",
     .nBudget = SWEEP_MS,
     .xWanted = expiry_wanted,
     .bAgain = 1,
     .zMeaning = "removes expired rows of attached tables"},
    {.zName = "delivery",
     .zSet = "core",
     .zInterval = "keeper_delivery",
     .xRun = delivery_run,
     .bAgain = 1,
     .zMeaning = "removes messages that are too old, too many, or passed by "
                 "every subscription, and subscriptions that nobody uses"},
    {.zName = "jobs",
     .zSet = "jobs",
     .zInterval = "keeper_jobs",
     .xRun = job_upkeep,
     .bAgain = 1,
     .zMeaning = "removes jobs that have ended long ago, and expired locks"},
    {.zName = "checkpoint",
     .zInterval = "keeper_checkpoint",
     .zFunction = "vacuum_checkpoint",
     .zSql = "SELECT vacuum_checkpoint('passive')",
     .xWanted = checkpoint_wanted,
     .zMeaning = "copies the WAL into the file"},
    {.zName = "vacuum",
     .zInterval = "keeper_vacuum",
     .zFunction = "vacuum_incremental",
     .zSql = "SELECT vacuum_incremental(NULL, ?1)",
     .nBudget = SLICE_MS,
     .nKeeper = SLICES_MS,
     .xWanted = vacuum_wanted,
     .bAgain = 1,
     .zMeaning = "gives free pages back while they are more than a tenth"},
    {.zName = "health",
     .zSet = "maintenance",
     .zInterval = "keeper_health",
     .zFunction = "health_run",
     .zSql = "SELECT health_run(?1)",
     .nBudget = READ_MS,
     .zMeaning = "runs the checks and logs them, the long ones in slices"},
    {.zName = "capture",
     .zSet = "maintenance",
     .zInterval = "keeper_capture",
     .zFunction = "perf_capture",
     .zSql = "SELECT perf_capture()",
     .zMeaning = "stores the engine's counters"},
    {.zName = "rollup",
     .zSet = "maintenance",
     .zInterval = "keeper_rollup",
     .zFunction = "perf_rollup",
     .zSql = "SELECT perf_rollup('{\"max_hours\":24}')",
     .zMeaning = "sums them up by the hour and the day"},
    {.zName = "vacuum_auto",
     .zInterval = "keeper_vacuum_auto",
     .zFunction = "vacuum_auto",
     .zSql = "SELECT vacuum_auto()",
     .zMeaning = "does what the settings vacuum_auto_* ask for: a VACUUM only "
                 "in quiet hours"},
    {.zName = "optimize",
     .zInterval = "keeper_optimize",
     .zFunction = "vacuum_optimize",
     .zSql = "SELECT vacuum_optimize()",
     .zMeaning = "renews the planner's statistics"},
};
const int keeper_duty_count = ArraySize(keeper_duties);

/* Is what it calls in this library, and its set in this database? */
int keeper_available(StewardCall *c, const KeeperDuty *d) {
  const StewardFunc *f = NULL;
  int i = 0;
  while (d->zFunction && (f = steward_function_at(c->p, i++)) != NULL) {
    if (strcmp(f->zName, d->zFunction) == 0) break;
  }
  if (d->zFunction && f == NULL) return 0;
  return d->zSet == NULL || steward_installed(c, d->zSet);
}

/*************************************************************************
** One tick
*/
/* A duty that is due, and what came of it. */
typedef struct Task {
  const KeeperDuty *pDuty;
  i64 iInterval;
  double rLate; /* in intervals */
  int bDone;
  int bMore;   /* it had something to do, and may have more */
  int bTaken;  /* by another process */
  i64 nDone;   /* sum of its results ... */
  char *zDone; /* ... or the last, where that is a text; owned */
  double rMs;
  int rc;
  char *zErr; /* owned */
} Task;

typedef struct Tick {
  StewardBudget budget;
  i64 nBudget;
  Task aTask[32];
  int nTask;
} Tick;

/* One of the duties that is due, or not: iInterval is 0 then. */
static Task look_at(StewardCall *c, const KeeperDuty *d) {
  Task task = {.pDuty = d};
  i64 iInterval = steward_setting_int(c, d->zInterval), nLate;
  if (iInterval == 0 || !keeper_available(c, d)) return task;
  nLate = steward_due(c, d->zName, iInterval);
  if (nLate < 0 || (d->xWanted && !d->xWanted(c))) return task;
  task.iInterval = iInterval;
  task.rLate = (double)nLate / (double)iInterval;
  return task;
}

/* The duties that are due, the latest first. */
static void find_due(StewardCall *c, Tick *t) {
  int i, k;
  for (i = 0; i < keeper_duty_count && c->rc == SQLITE_OK; i++) {
    Task task = look_at(c, &keeper_duties[i]);
    if (c->rc || task.iInterval == 0) continue;
    for (k = t->nTask++; k > 0 && t->aTask[k - 1].rLate < task.rLate; k--) {
      t->aTask[k] = t->aTask[k - 1];
    }
    t->aTask[k] = task;
  }
}

/* Call its function; the number that it returns.  A text is kept as JSON. */
static i64 call_function(StewardCall *c, Task *k) {
  const KeeperDuty *d = k->pDuty;
  i64 nDone = 0, nBudget = d->nBudget;
  sqlite3_stmt *s = steward_prepare(c, "%s", d->zSql);
  if (c->p->zKeeper && d->nKeeper) nBudget = d->nKeeper;
  if (s && nBudget) sqlite3_bind_int64(s, 1, nBudget);
  if (steward_next(c, s)) {
    nDone = sqlite3_column_int64(s, 0);
    if (sqlite3_column_type(s, 0) == SQLITE_TEXT) {
      const char *z = steward_column(c, s, 0);
      sqlite3_str *pText = sqlite3_str_new(c->db);
      if (z && z[0] != '{') {
        steward_json_string(pText, z, (int)strlen(z));
      } else if (z) {
        sqlite3_str_appendall(pText, z);
      }
      sqlite3_free(k->zDone);
      k->zDone = steward_str_finish(c, pText);
    }
  }
  sqlite3_finalize(s);
  return nDone;
}

/* Do it once, as a call of its own. */
static void run_once(StewardCall *c, Task *k) {
  const KeeperDuty *d = k->pDuty;
  i64 nDone = 0;
  sqlite3_vtab holder = {0};
  StewardCall own;
  steward_open_table(&own, c->p, c->zFunc, d->zSet,
                     d->xRun ? STEWARD_WRITE : STEWARD_READ);
  c->p->nTick++;
  if (own.rc == SQLITE_OK) {
    nDone = d->xRun ? d->xRun(&own) : call_function(&own, k);
  }
  c->p->nTick--;
  k->rc = steward_close_table(&own, &holder);
  k->zErr = holder.zErrMsg;
  if (k->rc == SQLITE_OK) k->nDone += nDone;
  k->bMore = k->rc == SQLITE_OK && d->bAgain && nDone > 0;
}

/* The same, timed without what it has left to writers. */
static void run_task(StewardCall *c, Task *k) {
  i64 iStart = steward_monotonic_us(), nYield = c->p->nYield, nUs;
  run_once(c, k);
  nUs = steward_monotonic_us() - iStart - (c->p->nYield - nYield);
  k->bDone = 1;
  k->rMs += (double)nUs / 1000.0;
  if ((k->rc & 0xff) == SQLITE_NOMEM) {
    steward_fail_nomem(c);
  } else if ((k->rc & 0xff) == SQLITE_INTERRUPT) {
    steward_fail_rc(c, k->rc, "interrupted");
  }
  steward_yield(c, nUs);
}

/* Do what is due, and then again what has more to do, while the budget
** lasts; the first of all in any case. */
static void run_tasks(StewardCall *c, Tick *t) {
  int i, bMore = 1, bFirst = 1;
  for (i = 0; i < t->nTask && c->rc == SQLITE_OK; i++) {
    Task *k = &t->aTask[i];
    if (!bFirst && steward_budget_left(&t->budget, 1) == 0) return;
    k->bTaken = !steward_due_claim(c, k->pDuty->zName, k->iInterval);
    if (!bFirst && steward_forgive_busy(c)) {
      /* a writer is there: what is done is written down, the rest comes soon */
      k->bTaken = 0;
      return;
    }
    if (k->bTaken || c->rc) continue;
    run_task(c, k);
    bFirst = 0;
  }
  while (bMore) {
    bMore = 0;
    for (i = 0; i < t->nTask && c->rc == SQLITE_OK; i++) {
      Task *k = &t->aTask[i];
      if (!k->bMore) continue;
      if (steward_budget_left(&t->budget, 1) == 0) return;
      if (k->pDuty->xWanted && !k->pDuty->xWanted(c)) {
        k->bMore = 0;
        continue;
      }
      run_task(c, k);
      bMore = 1;
    }
  }
}

/* Write down what came of it: in steward_duties, and in the log if it did
** something or could not. */
static void note_task(StewardCall *c, const Task *k) {
  i64 iNow = steward_now(c->p);
  char zNumber[24];
  const char *zResult = k->zDone;
  int bBusy = (k->rc & 0xff) == SQLITE_BUSY;
  if (!k->bDone || c->rc) return;
  if (zResult == NULL) {
    sqlite3_snprintf(sizeof(zNumber), zNumber, "%lld", k->nDone);
    zResult = zNumber;
  }
  steward_run(c, SQL_duty_done, "tldtti", k->pDuty->zName, iNow, k->rMs,
              zResult, k->zErr, k->bMore || bBusy);
  if (k->zErr || k->zDone || k->nDone) {
    steward_run(c, SQL_keeper_log_add, "lttdtt", iNow, k->pDuty->zName,
                c->p->zKeeper, k->rMs, zResult, k->zErr);
  }
}

static void note_tasks(StewardCall *c, const Tick *t) {
  StewardCall own;
  sqlite3_vtab holder = {0};
  int i, rc, nDone = 0;
  for (i = 0; i < t->nTask; i++) nDone += t->aTask[i].bDone;
  if (c->rc || nDone == 0) return;
  steward_open_table(&own, c->p, c->zFunc, "core", STEWARD_WRITE);
  for (i = 0; i < t->nTask; i++) note_task(&own, &t->aTask[i]);
  rc = steward_close_table(&own, &holder);
  if (rc) {
    c->rc = rc;
    c->zErr = holder.zErrMsg;
  }
}

/* What was done, as JSON; caller frees. */
static char *tick_json(StewardCall *c, const Tick *t, int bEnabled) {
  sqlite3_str *s = sqlite3_str_new(c->db);
  int i;
  sqlite3_str_appendf(s, "{\"enabled\":%d,\"budget_ms\":%lld,\"duties\":[",
                      bEnabled, t->nBudget);
  for (i = 0; i < t->nTask; i++) {
    const Task *k = &t->aTask[i];
    sqlite3_str_appendf(s, "%s{\"duty\":\"%s\"", i ? "," : "", k->pDuty->zName);
    if (!k->bDone) {
      sqlite3_str_appendf(s, ",\"skipped\":\"%s\"}",
                          k->bTaken ? "taken" : "budget");
      continue;
    }
    if (k->zErr) {
      sqlite3_str_appendall(s, ",\"error\":");
      steward_json_string(s, k->zErr, (int)strlen(k->zErr));
    } else if (k->zDone) {
      sqlite3_str_appendf(s, ",\"result\":%s", k->zDone);
    } else {
      sqlite3_str_appendf(s, ",\"result\":%lld", k->nDone);
    }
    sqlite3_str_appendf(s, ",\"more\":%d,\"ms\":%.3f}", k->bMore, k->rMs);
  }
  sqlite3_str_appendall(s, "]}");
  return steward_str_finish(c, s);
}

static void tick_free(Tick *t) {
  int i;
  for (i = 0; i < t->nTask; i++) {
    sqlite3_free(t->aTask[i].zDone);
    sqlite3_free(t->aTask[i].zErr);
  }
}

/* Where it can work at all. */
static void check_tick(StewardCall *c) {
  if (steward_on_dqlite(c->p)) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "it commits on its own, which dqlite does not replicate: call "
                 "ttl_sweep() and the like between BEGIN IMMEDIATE and COMMIT");
  }
  steward_alone(c);
  if (c->rc == SQLITE_OK && !steward_installed(c, "core")) {
    steward_fail(c, STEWARD_NOT_INSTALLED,
                 "set 'core' is not installed: SELECT migrate_up('core')");
  }
}

/* steward_tick([budget]) -> JSON, what was done     directonly
** Do everything that is due, the latest first (in its own intervals), for about
** `budget` (ms or text, 100 ms; 0: one duty), each in short transactions of its
** own: expired rows, old messages, subscriptions and jobs, free pages, the WAL,
** statistics, counters.  keeper_duties tells what there is and when it is due;
** of several processes that call this one does each.  Members: enabled (setting
** maintenance_enabled), budget_ms, duties: an array with duty and result (a
** count, or what the function returned), more (there is, and it goes on at the
** next call) and ms, or error, or skipped (`budget`; `taken` by another
** process).  A duty that fails is logged in keeper_log and keeps none of the
** others.
** Set: core
** Errors: "UNSUPPORTED: steward_tick: it commits on its own, which cannot be
**   inside a transaction: call it by SELECT steward_tick(...) on its own,
**   outside of BEGIN"; UNSUPPORTED on dqlite; NOT_INSTALLED; READ_ONLY; BUSY.
** Source: seed 001, automatic scheduling.
** Example: SELECT steward_tick(0) ->> '$.enabled'; -- 1
*/
static void steward_tick(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  Tick t = {.nBudget = 100};
  char *zResult = NULL;
  int bEnabled = 0;
  Steward **pp =
      argc > 0 ? sqlite3_value_pointer(argv[0], KEEPER_CONTEXT) : NULL;
  if (pp) {
    *pp = sqlite3_user_data(ctx);
    return;
  }
  steward_open(&c, ctx, "steward_tick", NULL, STEWARD_READ);
  if (argc > 0 && sqlite3_value_type(argv[0]) != SQLITE_NULL) {
    t.nBudget = steward_arg_time(&c, argv[0], "budget");
  }
  if (c.rc == SQLITE_OK && (t.nBudget < 0 || t.nBudget > 3600000)) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "budget must be within 0..3600000 ms, got %lld", t.nBudget);
  }
  check_tick(&c);
  bEnabled = (int)steward_setting_int(&c, "maintenance_enabled");
  if (c.rc == SQLITE_OK) {
    steward_budget_begin(&t.budget, t.nBudget);
    if (bEnabled) find_due(&c, &t);
    run_tasks(&c, &t);
    note_tasks(&c, &t);
    zResult = tick_json(&c, &t, bEnabled);
  }
  tick_free(&t);
  steward_close_json(&c, zResult);
}

static const StewardFunc aFunc[] = {
    {"steward_tick", 0, 1, STEWARD_DIRECTONLY, steward_tick, NULL, 0},
};

int keeper_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
