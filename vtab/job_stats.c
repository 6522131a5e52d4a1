/*
** job_stats.c - numbers about queues, at the same cost at any backlog.
*/
#include <stdlib.h>
#include <string.h>

#include "../ext/job_int.h"

enum { SAMPLE = 1000, DUE_MAX = 10000, WINDOW = 300000 /* ms */ };

/* Durations, to find percentiles of. */
typedef struct Durations {
  i64 a[SAMPLE];
  int n;
} Durations;

typedef struct Sample {
  int nAttempt, nFailed;
  int nRecent; /* done within the window ... */
  i64 iWindow; /* ... of so many ms */
  Durations wait, run;
} Sample;

static int compare(const void *pA, const void *pB) {
  i64 a = *(const i64 *)pA, b = *(const i64 *)pB;
  return a < b ? -1 : a > b;
}

/* Ready for percentile(). */
static void sort(Durations *p) {
  if (p->n) qsort(p->a, (size_t)p->n, sizeof(i64), compare);
}

/* The value that a share of all stay within, by nearest rank; -1: there are
** none. */
static i64 percentile(const Durations *p, int iPercent) {
  return p->n ? p->a[(p->n * iPercent + 99) / 100 - 1] : -1;
}

static void add(Durations *p, sqlite3_stmt *s, int iCol) {
  i64 i = sqlite3_column_int64(s, iCol);
  if (sqlite3_column_type(s, iCol) != SQLITE_NULL && i >= 0) p->a[p->n++] = i;
}

static void read_sample(StewardCall *c, const char *zQueue, i64 iNow,
                        Sample *p /* OUT */) {
  sqlite3_stmt *s = steward_query(c, SQL_job_sample, "ti", zQueue, SAMPLE);
  i64 iOldest = iNow;
  memset(p, 0, sizeof(*p));
  while (p->nAttempt < SAMPLE && steward_next(c, s)) {
    const char *zOutcome = steward_column(c, s, 1);
    int bDone = strcmp(zOutcome, "done") == 0;
    iOldest = sqlite3_column_int64(s, 0);
    p->nAttempt++;
    p->nFailed +=
        strcmp(zOutcome, "failed") == 0 || strcmp(zOutcome, "dead") == 0;
    p->nRecent += bDone && iOldest > iNow - WINDOW;
    add(&p->run, s, 2);
    add(&p->wait, s, 3);
  }
  steward_give(c, SQL_job_sample, s);
  p->iWindow = WINDOW;
  if (p->nAttempt == SAMPLE && iOldest > iNow - WINDOW) {
    p->iWindow = iNow > iOldest + 1000 ? iNow - iOldest : 1000;
  }
  sort(&p->run);
  sort(&p->wait);
}

enum { S_OLDEST = 13, S_WAIT, S_RUN = S_WAIT + 3 };

/* One queue, on the row of which s stands. */
static void stats_row(StewardCall *c, StewardRows *r, sqlite3_stmt *s,
                      Sample *p) {
  static const int aPercent[] = {50, 95, 99};
  const char *zQueue = steward_column(c, s, 0);
  i64 iNow = steward_now(c->p), nDue = 0, iOldest;
  int bExact = 1, i;
  if (sqlite3_column_int64(s, 3)) {
    nDue = steward_int(c, SQL_job_due_count, 0, "tll", zQueue, iNow,
                       (i64)DUE_MAX + 1);
    bExact = nDue <= DUE_MAX;
    if (!bExact) nDue = DUE_MAX;
  }
  iOldest = steward_int(c, SQL_job_oldest, INT64_MAX, "tl", zQueue, iNow);
  read_sample(c, zQueue, iNow, p);
  steward_row(c, r, "tilllllllliid", zQueue, sqlite3_column_int(s, 1),
              sqlite3_column_int64(s, 2) + nDue,
              sqlite3_column_int64(s, 3) - nDue, sqlite3_column_int64(s, 5),
              sqlite3_column_int64(s, 4), sqlite3_column_int64(s, 6),
              sqlite3_column_int64(s, 7), sqlite3_column_int64(s, 8),
              (i64)bExact, p->nAttempt, p->nFailed,
              p->nRecent * 60000.0 / (double)p->iWindow);
  if (c->rc) return;
  if (iOldest <= iNow) {
    steward_row_set(r, steward_row_count(r) - 1, S_OLDEST, iNow - iOldest);
  }
  for (i = 0; i < ArraySize(aPercent); i++) {
    i64 iWait = percentile(&p->wait, aPercent[i]);
    i64 iRun = percentile(&p->run, aPercent[i]);
    int iRow = steward_row_count(r) - 1;
    if (iWait >= 0) steward_row_set(r, iRow, S_WAIT + i, iWait);
    if (iRun >= 0) steward_row_set(r, iRow, S_RUN + i, iRun);
  }
}

/* job_stats(queue TEXT, paused INTEGER, ready INTEGER, scheduled INTEGER,
**   leased INTEGER, blocked INTEGER, done INTEGER, dead INTEGER,
**   cancelled INTEGER, exact INTEGER, attempts INTEGER, failed INTEGER,
**   done_per_minute REAL, oldest_ready_ms INTEGER, wait_p50_ms INTEGER,
**   wait_p95_ms INTEGER, wait_p99_ms INTEGER, run_p50_ms INTEGER,
**   run_p95_ms INTEGER, run_p99_ms INTEGER)                           table
** Numbers about each queue that has jobs or is paused. The numbers of jobs by
** state are counters, so they cost the same at any backlog; exact is 0 when
** more than 10000 jobs have come due that no claim has looked at yet: those
** beyond count as scheduled. oldest_ready_ms: for how long the oldest of the
** jobs that may run has been due (of the first 1000 priorities). The rest is
** taken from the latest 1000 attempts that are kept (job_history): attempts is
** how many there were, failed how many of them failed, wait how long a job was
** due before its first attempt, run how long an attempt took;
** done_per_minute: over the last five minutes, or as far as 1000 attempts go
** back.
** Set: jobs
** Example: INSERT INTO job_queue(queue, payload)
**     VALUES ('mail', 1), ('mail', 2);
**   SELECT steward_clock(steward_now() + 250) > 0; -- 1
**   SELECT job_claim('mail', 'w1'); -- c1:1
**   SELECT steward_clock(steward_now() + 40) > 0; -- 1
**   SELECT job_complete('1-1'); -- 1
**   SELECT ready, leased, done, oldest_ready_ms, wait_p50_ms, run_p50_ms
**     FROM job_stats WHERE queue = 'mail'; -- 1|0|1|290|250|40
*/
static void stats_rows(StewardCall *c, StewardRows *r, int nArg,
                       sqlite3_value **apArg) {
  Sample *p = sqlite3_malloc64(sizeof(*p));
  sqlite3_stmt *s;
  if (p == NULL) {
    steward_fail_nomem(c);
    return;
  }
  s = steward_query(c, SQL_job_counts, "");
  while (steward_next(c, s)) stats_row(c, r, s, p);
  steward_give(c, SQL_job_counts, s);
  sqlite3_free(p);
}

static const StewardTable aTable[] = {
    {.zName = "job_stats",
     .zColumns = "queue TEXT, paused INTEGER, ready INTEGER,"
                 " scheduled INTEGER, leased INTEGER, blocked INTEGER,"
                 " done INTEGER, dead INTEGER, cancelled INTEGER,"
                 " exact INTEGER, attempts INTEGER, failed INTEGER,"
                 " done_per_minute REAL, oldest_ready_ms INTEGER,"
                 " wait_p50_ms INTEGER, wait_p95_ms INTEGER,"
                 " wait_p99_ms INTEGER, run_p50_ms INTEGER,"
                 " run_p95_ms INTEGER, run_p99_ms INTEGER",
     .xRows = stats_rows,
     .zSet = "jobs"},
};

int job_stats_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
