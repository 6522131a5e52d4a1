/*
** vacuum_int.h - what the files of vacuum share: runs and their log
** (vacuum.c), the policy (vacuum_auto.c), who is at it (vacuum_progress.c).
*/
#ifndef VACUUM_INT_H
#define VACUUM_INT_H

#include "steward_int.h"

typedef struct VacuumRun {
  i64 iId; /* in the log; 0: it is not there */
  const char *zType, *zCommand;
  i64 iAt; /* when it began, Unix ms */
  i64 nPage;
  i64 iStart; /* us */
} VacuumRun;

void vacuum_run_begin(StewardCall *c, VacuumRun *pRun, const char *zType,
                      const char *zCommand);
i64 vacuum_run_end(StewardCall *c, const VacuumRun *pRun);
i64 vacuum_free_pages(StewardCall *c, i64 nWanted, i64 iDeadline /* us */);
i64 vacuum_beside(StewardCall *c, const char *zPragma, const char *zType,
                  const char *zCommand, i64 iDeadline /* us; 0: none */);

/* What there is to gain for a schema, and what it costs: vacuum_auto.c. */
typedef struct VacuumPlan {
  i64 nPage, nFree, nSize, eAuto;
  i64 nUnused;       /* bytes in pages, as counted last; -1: not counted */
  i64 nLoose;        /* of these in b-trees of 64 pages and more */
  i64 iMeasured;     /* when, Unix ms; 0: never */
  double rGaps;      /* share of leaves that lie behind a gap */
  const char *zVerb; /* "nothing", "incremental" or "full" */
  i64 nGain;         /* bytes */
  i64 iTime;         /* ms, about */
  i64 nDisk;         /* bytes needed meanwhile */
} VacuumPlan;
void vacuum_plan(StewardCall *c, const char *zSchema, VacuumPlan *p /* OUT */);

/* vacuum_progress.c: one that runs, on the stack of whoever runs it. */
typedef struct VacuumWatch VacuumWatch;
struct VacuumWatch {
  VacuumWatch *pNext;
  StewardCall *pCall;
  sqlite3 *pPrivate;
  char *zPath; /* owned */
  const char *zCommand;
  i64 iStarted;
  i64 nDone, nTotal; /* pages read, of those that there are */
  i64 iDeadline;     /* us; 0: none */
  int bCancel;
};
void vacuum_progress_begin(StewardCall *c, VacuumWatch *w, sqlite3 *pPrivate,
                           const char *zCommand, i64 iDeadline);
void vacuum_progress_end(VacuumWatch *w);

#endif
