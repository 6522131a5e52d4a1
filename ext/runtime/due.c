/*
** due.c - work in a budget, with its time stored: whoever finds a piece of
** work due claims it, and only one of all connections does.
**
** When a piece of work is due is a row of steward_duties, moved on before the
** work is done: a process that dies over it leaves the next one to the next
** time.  What the work has to know about where it stopped is its own.
*/
#include "steward_int.h"

void steward_budget_begin(StewardBudget *pBudget, i64 nBudget) {
  pBudget->iEnd = steward_monotonic_us() + nBudget * 1000;
}

/* Milliseconds that are left, nMost at most; 0: none. */
i64 steward_budget_left(const StewardBudget *pBudget, i64 nMost) {
  i64 nLeft = (pBudget->iEnd - steward_monotonic_us() + 999) / 1000;
  if (nLeft <= 0) return 0;
  return nLeft < nMost ? nLeft : nMost;
}

/* How long it has been due (ms): 0 from the moment on, an interval where it
** has never been done, -1: it is not due. */
i64 steward_due(StewardCall *c, const char *zWork, i64 iInterval) {
  i64 iNow = steward_now(c->p);
  i64 iDue = steward_int(c, SQL_duty_due, -1, "t", zWork);
  if (iDue < 0 || iDue > iNow + iInterval) return iInterval;
  return iDue <= iNow ? iNow - iDue : -1;
}

/* 1: it is the caller's, and due again after the interval; 0: another one was
** faster. */
int steward_due_claim(StewardCall *c, const char *zWork, i64 iInterval) {
  steward_run(c, SQL_duty_claim, "tll", zWork, steward_now(c->p), iInterval);
  return c->rc == SQLITE_OK && sqlite3_changes(c->db) > 0;
}

/* A keeper's thread that has kept writers from the file for nUs leaves it to
** them five times as long, so that one who sleeps and tries again finds it
** free.  Others go on. */
void steward_yield(StewardCall *c, i64 nUs) {
  enum { TIMES = 5, MOST_MS = 50 };
  i64 nMs = (nUs * TIMES + 999) / 1000, iStart;
  if (c->p->zKeeper == NULL || c->rc) return;
  iStart = steward_monotonic_us();
  sqlite3_sleep((int)(nMs < MOST_MS ? nMs : MOST_MS));
  c->p->nYield += steward_monotonic_us() - iStart;
}
