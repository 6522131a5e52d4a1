/*
** health_pages.c - what the pages of each b-tree hold, from dbstat.
**
** A slice goes from b-tree to b-tree by name and counts pages, bytes that hold
** nothing, and gaps (a leaf that does not lie behind the one before it).  One
** that takes longer than a slice is counted as far as the time goes: shares are
** true enough from some thousand pages.
*/
#include <string.h>

#include "health_int.h"

void health_pages_load(StewardCall *c, HealthPages *g) {
  memset(g, 0, sizeof(*g));
  steward_slice_load(c, &g->s, "pages");
  g->bKnown = (int)steward_int(c, SQL_health_module, 0, "t", "dbstat");
}

void health_pages_free(HealthPages *g) {
  steward_slice_free(&g->s);
  sqlite3_free(g->zStats);
  g->zStats = NULL;
}

/* Count the pages of one b-tree: 1 when the connection could be read. */
static int count_pages(StewardCall *c, HealthPages *g, HealthPass *h,
                       const char *zName, const char *zTable) {
  sqlite3_stmt *pRow = steward_prepare(
      &h->in, "SELECT pageno, unused, pagetype FROM dbstat WHERE name = %Q",
      zName);
  i64 nPage = 0, nUnused = 0, nGap = 0, iLast = 0;
  int bSampled = 0;
  char *zNew;
  while (!bSampled && steward_next(&h->in, pRow)) {
    const char *zType = (const char *)sqlite3_column_text(pRow, 2);
    i64 iPage = sqlite3_column_int64(pRow, 0);
    nPage++;
    nUnused += sqlite3_column_int64(pRow, 1);
    if (zType && zType[0] == 'l') {
      if (iLast && iPage != iLast + 1) nGap++;
      iLast = iPage;
    }
    bSampled = steward_monotonic_us() >= h->iDeadline;
  }
  sqlite3_finalize(pRow);
  if (!health_ended(c, h, zName) && nPage < 1000) return 0;
  zNew = steward_text(c, SQL_health_pages_add, "tttlllil",
                      g->zStats ? g->zStats : "[]", zName, zTable, nPage,
                      nUnused, nGap, bSampled, steward_now(c->p));
  if (zNew) {
    sqlite3_free(g->zStats);
    g->zStats = zNew;
  }
  return 1;
}

static int read_pages(StewardCall *c, HealthPages *g, HealthPass *h) {
  sqlite3_stmt *pRow = steward_prepare(
      &h->in,
      "SELECT name, tbl_name FROM main.sqlite_schema WHERE rootpage > 0"
      " AND name > %Q ORDER BY name",
      g->s.zItem ? g->s.zItem : "");
  int bOk = 1, bTime = 0;
  while (bOk && !bTime && steward_next(&h->in, pRow) && c->rc == SQLITE_OK) {
    const char *zName = steward_column(c, pRow, 0);
    bOk = count_pages(c, g, h, zName, steward_column(c, pRow, 1));
    if (bOk) {
      steward_slice_at(c, &g->s, 0, zName, NULL);
      if (g->s.nDone < g->s.nTotal) g->s.nDone++;
    }
    bTime = steward_monotonic_us() >= h->iDeadline;
  }
  sqlite3_finalize(pRow);
  return health_ended(c, h, "sqlite_schema") && bOk && !bTime;
}

/* Count on from the stored place. */
void health_pages_move(StewardCall *c, HealthPages *g, i64 iBudget) {
  HealthPass h;
  StewardWatchdog dog;
  memset(&h, 0, sizeof(h));
  memset(&dog, 0, sizeof(dog));
  if (c->rc || !g->bKnown || !health_can_read_beside(c)) return;
  h.in.p = c->p;
  h.in.zFunc = c->zFunc;
  h.in.db = c->db;
  h.pPrivate = steward_private_open(&h.in, STEWARD_PRIVATE_LOOK);
  h.in.db = h.pPrivate;
  h.iDeadline = steward_monotonic_us() + iBudget * 1000;
  if (h.pPrivate) {
    steward_watchdog_start(c, &dog, h.pPrivate, h.iDeadline + 5000);
    if (g->s.iStarted == 0) {
      steward_slice_begin(
          c, &g->s,
          steward_exec_int(&h.in, 0,
                           "SELECT count(*) FROM main.sqlite_schema WHERE "
                           "rootpage > 0"));
    }
    if (read_pages(c, g, &h)) steward_slice_pass(c, &g->s);
    steward_watchdog_stop(&dog);
    sqlite3_close(h.pPrivate);
    g->s.iMoved = steward_now(c->p);
    g->bMoved = 1;
  }
  health_ended(c, &h, "open"); /* what is skipped now is counted next time */
  sqlite3_free(h.in.zErr);
  sqlite3_free(h.s.zFound);
}

/* Keep what was counted, and forget b-trees that are gone. */
void health_pages_store(StewardCall *c, HealthPages *g) {
  if (!g->bMoved) return;
  steward_slice_store(c, &g->s);
  if (g->zStats) steward_run(c, SQL_health_pages_store, "t", g->zStats);
  steward_run(c, SQL_health_pages_forget, "");
}
