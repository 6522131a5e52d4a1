/*
** ttl_int.h - what the files of expiry share.
*/
#ifndef TTL_INT_H
#define TTL_INT_H

#include "steward_int.h"

/*************************************************************************
** Interface to code in ttl.c
*/
void ttl_fail_not_attached(StewardCall *c, const char *zTable);

/*************************************************************************
** Interface to code in ttl_sweep.c
*/

/* The columns of ttl_policy. */
enum {
  POLICY_COLUMN,
  POLICY_BATCH,
  POLICY_NOW,
  POLICY_UNIT,
  POLICY_BY_TIME,
  POLICY_MAX_ROWS,
  POLICY_WHERE,
  POLICY_ACTION,
  POLICY_TARGET,
  POLICY_TRIED,
  POLICY_RETRIED
};

/* How much time a call has, and has used. */
typedef struct Pace {
  i64 iStartUs;
  i64 iBudgetUs;
  i64 nRow;       /* removed by the call so far ... */
  double rCommit; /* ... each of which costs so many us at the commit */
  int bStep;      /* step over rows that cannot be removed */
  char *zStuck;   /* the first such row, as an error; owned by the caller */
} Pace;

double ttl_pace_left(const Pace *p);
sqlite3_stmt *ttl_prepare_first(StewardCall *c, const StewardTableInfo *p,
                                sqlite3_stmt *pPolicy, const char *zWhich);
int ttl_sweep_register(Steward *p);

/*************************************************************************
** Interface to code in ttl_step.c: rows that cannot be removed.  Places are a
** row's time and key as a list in SQL; NULL is before the first row.
*/
typedef struct TtlStep {
  const StewardTableInfo *pInfo;
  sqlite3_stmt *pPolicy;
  i64 nFailed;    /* rows tried in vain */
  char *zErr;     /* over what the first of them, or NULL */
  char *zTried;   /* rows up to here that should go have been tried in vain */
  char *zRetried; /* and again up to here */
} TtlStep;

void ttl_step_begin(StewardCall *c, TtlStep *p, const StewardTableInfo *pInfo,
                    sqlite3_stmt *pPolicy, int bStep);
char *ttl_step_after(StewardCall *c, const TtlStep *p);
int ttl_step_guard(StewardCall *c, int bFirst);
int ttl_step_fails(StewardCall *c, StewardCall *inner, int bGuard);
i64 ttl_step_on(StewardCall *c, TtlStep *p, int bDue, i64 nMaxRows,
                Pace *pPace);
i64 ttl_step_again(StewardCall *c, TtlStep *p, i64 nMaxRows, Pace *pPace);
void ttl_step_end(StewardCall *c, TtlStep *p, Pace *pPace);

#endif
