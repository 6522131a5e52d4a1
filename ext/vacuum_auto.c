/*
** vacuum_auto.c - what a vacuum would gain, and doing it when it is worth it.
**
** The policy: free pages go back in chunks (auto_vacuum incremental) as soon as
** they are vacuum_auto_percent of the file, down to one percent.  A VACUUM,
** which locks the file, is done only in the quiet hours that somebody has set,
** when it gains vacuum_auto_full_percent, takes no longer than
** vacuum_auto_full_ms by what the last ones took, and a day after the last.
*/
#include <string.h>

#include "vacuum_int.h"

/* What was counted in the pages of main. */
static void plan_pages(StewardCall *c, VacuumPlan *p) {
  sqlite3_stmt *pRow = NULL;
  p->nUnused = -1;
  if (steward_int(c, SQL_introspect_object, 0, "t", "steward_page_stats")) {
    pRow = steward_query(c, SQL_vacuum_pages, "");
  }
  if (steward_next(c, pRow) && sqlite3_column_type(pRow, 0) != SQLITE_NULL) {
    p->nUnused = sqlite3_column_int64(pRow, 0);
    p->rGaps = sqlite3_column_double(pRow, 1);
    p->iMeasured = sqlite3_column_int64(pRow, 2);
    p->nLoose = sqlite3_column_int64(pRow, 3);
  }
  steward_give(c, SQL_vacuum_pages, pRow);
}

/* Microseconds that a VACUUM takes for a KiB: as the last one took, or what was
** measured (6 s for a GiB). */
static i64 plan_time(StewardCall *c, i64 nBytes) {
  i64 nPace = 6;
  if (steward_installed(c, "maintenance")) {
    nPace = steward_int(c, SQL_vacuum_pace, nPace, "l", nBytes);
  }
  return nBytes / 1024 * nPace / 1000;
}

/* The gain of each way, and the way that is worth it. */
void vacuum_plan(StewardCall *c, const char *zSchema, VacuumPlan *p) {
  i64 nUsed;
  memset(p, 0, sizeof(*p));
  p->zVerb = "nothing";
  p->nPage = steward_pragma(c, zSchema, "page_count");
  p->nFree = steward_pragma(c, zSchema, "freelist_count");
  p->nSize = steward_pragma(c, zSchema, "page_size");
  p->eAuto = steward_pragma(c, zSchema, "auto_vacuum");
  p->nUnused = -1;
  if (strcmp(zSchema, "main") == 0) plan_pages(c, p);
  nUsed = (p->nPage - p->nFree) * p->nSize;
  if (p->nFree >= 64 && p->nFree * 10 >= p->nPage) {
    p->zVerb = p->eAuto == 2 ? "incremental" : "full";
    p->nGain = p->nFree * p->nSize;
  } else if (p->nLoose > 0 && p->nLoose * 100 >= nUsed * 45) {
    p->zVerb = "full";
    p->nGain = p->nFree * p->nSize;
  }
  if (p->zVerb[0] == 'f') {
    /* pages are left a tenth empty, too, by a VACUUM */
    if (p->nLoose > nUsed / 10) p->nGain += p->nLoose - nUsed / 10;
    p->iTime = plan_time(c, nUsed) + 1;
    p->nDisk = 2 * nUsed;
  } else if (p->zVerb[0] == 'i') {
    p->iTime = p->nFree / 50 + 1;
  }
}

/* Is it the hour, UTC, for what locks the file? */
static int is_quiet(StewardCall *c) {
  i64 iFrom = steward_setting_int(c, "vacuum_quiet_from");
  i64 iTo = steward_setting_int(c, "vacuum_quiet_to");
  i64 iHour = steward_now(c->p) / 3600000 % 24;
  if (iFrom <= iTo) return iHour >= iFrom && iHour < iTo;
  return iHour >= iFrom || iHour < iTo;
}

/* Why a VACUUM is not done now; NULL: it is. */
static const char *full_objection(StewardCall *c, const VacuumPlan *p) {
  i64 nBytes = p->nPage * p->nSize;
  i64 nPercent = steward_setting_int(c, "vacuum_auto_full_percent");
  if (p->nGain * 100 < nBytes * nPercent) return "it would gain too little";
  if (!is_quiet(c)) return "it waits for the quiet hours";
  if (p->iTime > steward_setting_int(c, "vacuum_auto_full_ms")) {
    return "it would take too long";
  }
  if (steward_installed(c, "maintenance") &&
      steward_int(c, SQL_vacuum_recent, 0, "l", steward_now(c->p))) {
    return "the last one was within a day";
  }
  return NULL;
}

/* Free pages in chunks; 0 and the call as before when a writer is there. */
static i64 auto_incremental(StewardCall *c, const VacuumPlan *p) {
  VacuumRun run;
  i64 nKeep = p->nPage / 100 > 64 ? p->nPage / 100 : 64, nFreed = 0;
  i64 iBudget = steward_setting_int(c, "vacuum_auto_ms");
  if (c->rc || p->nFree <= nKeep) return 0;
  vacuum_run_begin(c, &run, "auto", "incremental");
  nFreed = vacuum_free_pages(c, p->nFree - nKeep,
                             steward_monotonic_us() + iBudget * 1000);
  vacuum_run_end(c, &run);
  return nFreed;
}

/* vacuum_auto() -> JSON, what was done    directonly
** Do what is worth doing now, by the settings vacuum_auto_* and vacuum_quiet_*:
** {"action":"nothing"|"incremental"|"full","pages":n,"reason":...}.  Free pages
** go back in chunks for about vacuum_auto_ms when they are vacuum_auto_percent
** of the file; a VACUUM is done only in quiet hours, and there are none until
** somebody sets them.  Where another connection is in the way nothing is done.
** Logged with type auto.
** Errors: UNSUPPORTED inside a transaction, and on dqlite; READ_ONLY.
** Source: seed 001, "Automatic incremental vacuum scheduling".
** Example: SELECT vacuum_auto();
**   -- {"action":"nothing","pages":0,"reason":"there is too little to gain"}
*/
static void vacuum_auto(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  VacuumPlan plan;
  const char *zAction = "nothing", *zReason = "there is too little to gain";
  i64 nPages = 0;
  char *zResult;
  steward_open(&c, ctx, "vacuum_auto", NULL, STEWARD_READ);
  steward_alone(&c);
  vacuum_plan(&c, "main", &plan);
  if (c.rc == SQLITE_OK && plan.eAuto == 2 &&
      plan.nFree * 100 >=
          plan.nPage * steward_setting_int(&c, "vacuum_auto_percent") &&
      plan.nFree > 64) {
    nPages = auto_incremental(&c, &plan);
    if (nPages > 0) zAction = "incremental";
  } else if (c.rc == SQLITE_OK && plan.zVerb[0] == 'f') {
    zReason = full_objection(&c, &plan);
    if (zReason == NULL && c.rc == SQLITE_OK) {
      zAction = "full";
      nPages = vacuum_beside(&c, "", "auto", "full", 0);
    }
  }
  if (steward_forgive_busy(&c)) { /* it is done the next time */
    zAction = "nothing";
    zReason = "another connection is in the way";
  }
  zResult = steward_text(&c, SQL_vacuum_auto_result, "tlt", zAction, nPages,
                         zAction[0] == 'n' ? zReason : NULL);
  steward_close_json(&c, zResult);
}

static const StewardFunc aFunc[] = {
    {"vacuum_auto", 0, 0, STEWARD_DIRECTONLY, vacuum_auto, NULL, 0},
};

int vacuum_auto_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
