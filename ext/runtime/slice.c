/*
** slice.c - work that is done a little at a time, and where it stands.
**
** A slice is a row of steward_slices (set maintenance).  Its owner loads it,
** works until the deadline from (stage, item, key) on, and stores where it got
** to; nothing is locked in between, so two processes that move the same slice
** at once do some of the work twice and lose none.  When the last unit is done,
** steward_slice_pass() turns what was found into the result.
*/
#include <string.h>

#include "steward_int.h"

static char *copy_text(StewardCall *c, const char *z) {
  return z ? steward_mprintf(c, "%s", z) : NULL;
}

/* What is stored under a name; the beginning when there is nothing. */
void steward_slice_load(StewardCall *c, StewardSlice *s, const char *zName) {
  sqlite3_stmt *pRow = NULL;
  memset(s, 0, sizeof(*s));
  s->zName = zName;
  if (steward_int(c, SQL_introspect_object, 0, "t", "steward_slices")) {
    pRow = steward_query(c, SQL_slice_load, "t", zName);
  }
  if (steward_next(c, pRow)) {
    s->eStage = sqlite3_column_int(pRow, 0);
    s->zItem = copy_text(c, (const char *)sqlite3_column_text(pRow, 1));
    s->zKey = copy_text(c, (const char *)sqlite3_column_text(pRow, 2));
    s->nDone = sqlite3_column_int64(pRow, 3);
    s->nTotal = sqlite3_column_int64(pRow, 4);
    s->iStarted = sqlite3_column_int64(pRow, 5);
    s->iMoved = sqlite3_column_int64(pRow, 6);
    s->iPassed = sqlite3_column_int64(pRow, 7);
    s->zFound = copy_text(c, steward_column(c, pRow, 8));
    s->zResult = copy_text(c, steward_column(c, pRow, 9));
  } else {
    s->zFound = copy_text(c, "[]");
    s->zResult = copy_text(c, "[]");
  }
  steward_give(c, SQL_slice_load, pRow);
}

void steward_slice_store(StewardCall *c, const StewardSlice *s) {
  steward_run(c, SQL_slice_store, "tittllllltt", s->zName, s->eStage, s->zItem,
              s->zKey, s->nDone, s->nTotal, s->iStarted, s->iMoved, s->iPassed,
              s->zFound, s->zResult);
}

/* The next slice begins here; either text is copied, NULL allowed. */
void steward_slice_at(StewardCall *c, StewardSlice *s, int eStage,
                      const char *zItem, const char *zKey) {
  char *zNewItem = copy_text(c, zItem), *zNewKey = copy_text(c, zKey);
  sqlite3_free(s->zItem);
  sqlite3_free(s->zKey);
  s->eStage = eStage;
  s->zItem = zNewItem;
  s->zKey = zNewKey;
}

/* A pass begins, of so many units. */
void steward_slice_begin(StewardCall *c, StewardSlice *s, i64 nTotal) {
  steward_slice_at(c, s, 0, NULL, NULL);
  sqlite3_free(s->zFound);
  s->zFound = copy_text(c, "[]");
  s->iStarted = steward_now(c->p);
  s->nDone = 0;
  s->nTotal = nTotal;
}

/* Every unit is done: what was found is the result. */
void steward_slice_pass(StewardCall *c, StewardSlice *s) {
  sqlite3_free(s->zResult);
  s->zResult = s->zFound;
  s->zFound = copy_text(c, "[]");
  s->iPassed = steward_now(c->p);
  s->iStarted = 0;
  s->nDone = s->nTotal;
  steward_slice_at(c, s, 0, NULL, NULL);
}

void steward_slice_free(StewardSlice *s) {
  sqlite3_free(s->zItem);
  sqlite3_free(s->zKey);
  sqlite3_free(s->zFound);
  sqlite3_free(s->zResult);
  memset(s, 0, sizeof(*s));
}
