/*
** delta_quick.c - delta_resolve in the usual case, by one statement.
**
** A row as it is now, by policy chain: one statement brings the row and then,
** fed by runtime/feed.c with parents, one row after the other up to the base.
** Overlays become JSON as they come; of the base the columns are read, of a
** delta they are not: they belong to a second table in the statement, joined to
** bases only.
**
** Whatever is not usual (a parent that is not there, another scope, a circle)
** is left to delta_walk.c, which knows what to say.
*/
#include <string.h>

#include "delta_int.h"

/* The columns of the statement; overlays and the base's columns follow. */
enum { WALK_KEY, WALK_PARENT, WALK_FLAG, WALK_SCOPE, WALK_VALUE };

/* Of a row larger than this nothing is kept for the next one. */
enum { TEXT_KEPT = 65536 };

/* The scope of the row asked for, in f->text. */
typedef struct Scope {
  int eType;
  size_t iText, nText;
} Scope;

static void add(sqlite3_str *p, const char *zAlias, const char *zName) {
  if (zName) {
    sqlite3_str_appendf(p, ", %s.\"%w\"", zAlias, zName);
  } else {
    sqlite3_str_appendall(p, ", NULL");
  }
}

/* The flag of the row d; caller frees. */
static char *flag_sql(StewardCall *c, const DeltaForm *f) {
  const DeltaNames *n = &f->names;
  if (n->zFlag) return steward_mprintf(c, "d.\"%w\"", n->zFlag);
  if (f->bDefined)
    return steward_mprintf(c, "(d.\"%w\" IS NOT NULL)", n->zParent);
  return steward_mprintf(c, "0");
}

static char *walk_sql(StewardCall *c, const DeltaForm *f) {
  const char *zTable = f->base.zTable, *zKey = f->names.zKey;
  sqlite3_str *p = sqlite3_str_new(c->db);
  char *zFlag = flag_sql(c, f);
  int i;
  sqlite3_str_appendf(p, "SELECT d.\"%w\"", zKey);
  add(p, "d", f->names.zParent);
  sqlite3_str_appendf(p, ", %s", zFlag ? zFlag : "");
  add(p, "d", f->names.zScope);
  for (i = 0; i < f->nColumn; i++) {
    if (f->aColumn[i].zOverlay) add(p, "d", f->aColumn[i].zOverlay);
  }
  for (i = 0; i < f->nColumn; i++) add(p, "b", f->aColumn[i].zName);
  sqlite3_str_appendf(
      p,
      " FROM main.steward_feed(?1) AS w CROSS JOIN main.\"%w\""
      " AS d ON d.\"%w\" = +w.steward_key LEFT JOIN main.\"%w\" AS b ON",
      zTable, zKey, zTable);
  if (f->zRowid) {
    sqlite3_str_appendf(p, " b.%s = iif(%s = 1, NULL, d.%s)", f->zRowid,
                        zFlag ? zFlag : "", f->zRowid);
  } else {
    sqlite3_str_appendf(p, " b.\"%w\" = iif(%s = 1, NULL, d.\"%w\")", zKey,
                        zFlag ? zFlag : "", zKey);
  }
  sqlite3_free(zFlag);
  return steward_str_finish(c, p);
}

/* Prepare the walk when the form is made, so that SQLite tells of whatever
** changes later.  Where something of the application's is called steward_feed,
** there is none. */
void delta_quick_prepare(StewardCall *c, DeltaForm *f) {
  char *zSql = c->rc ? NULL : walk_sql(c, f);
  int rc;
  if (zSql == NULL) return;
  rc = sqlite3_prepare_v3(c->db, zSql, -1, SQLITE_PREPARE_PERSISTENT, &f->pWalk,
                          NULL);
  if (rc == SQLITE_OK) rc = steward_feed_bind(f->pWalk, 1, &f->feed);
  if ((rc & 0xff) == SQLITE_NOMEM) steward_fail_nomem(c);
  sqlite3_free(zSql);
}

/* Is this the scope of the first row, whose JSON stands in f->text? */
static int same_scope(StewardCall *c, DeltaForm *f, const Scope *p) {
  sqlite3_value *v = sqlite3_column_value(f->pWalk, WALK_SCOPE);
  size_t n = f->text.n;
  int bSame;
  if (sqlite3_value_type(v) != p->eType) return 0;
  if (p->eType == SQLITE_NULL) return 1;
  steward_buffer_json(c, &f->text, v);
  bSame = c->rc == SQLITE_OK && f->text.n - n == p->nText &&
          memcmp(f->text.z + n, f->text.z + p->iText, p->nText) == 0;
  f->text.n = n;
  return bSame;
}

/* Note the overlays that no row below has set. */
static void note_overlays(StewardCall *c, DeltaForm *f) {
  int i, iCol = WALK_VALUE;
  for (i = 0; i < f->nColumn; i++) {
    DeltaColumn *pColumn = &f->aColumn[i];
    sqlite3_value *v;
    if (pColumn->zOverlay == NULL) continue;
    if (pColumn->nText == 0) {
      v = sqlite3_column_value(f->pWalk, iCol);
      if (sqlite3_value_type(v) != SQLITE_NULL) {
        pColumn->iText = f->text.n;
        steward_buffer_json(c, &f->text, v);
        pColumn->nText = f->text.n - pColumn->iText;
      }
    }
    iCol++;
  }
}

/* The walk stands on the base: write the result. */
static void write_result(StewardCall *c, DeltaForm *f, size_t nSource,
                         StewardBuffer *pOut) {
  int i, iCol = WALK_VALUE;
  for (i = 0; i < f->nColumn; i++) iCol += f->aColumn[i].zOverlay != NULL;
  steward_buffer_reserve(c, pOut, f->nResult + 64);
  steward_buffer_add(c, pOut, "{", 1);
  for (i = 0; i < f->nColumn; i++, iCol++) {
    const DeltaColumn *pColumn = &f->aColumn[i];
    steward_buffer_add(c, pOut, pColumn->zMember, pColumn->nMember);
    if (pColumn->nText) {
      steward_buffer_add(c, pOut, f->text.z + pColumn->iText, pColumn->nText);
    } else {
      steward_buffer_json(c, pOut, sqlite3_column_value(f->pWalk, iCol));
    }
    steward_buffer_add(c, pOut, ",", 1);
  }
  steward_buffer_add(c, pOut, f->zSource, strlen(f->zSource));
  steward_buffer_add(c, pOut, f->text.z, nSource);
  steward_buffer_add(c, pOut, "}", 1);
  f->nResult = pOut->n;
}

/* Go from the row on which the walk stands to its base; 0 when something is
** unusual, or the call has failed. */
static int to_base(StewardCall *c, DeltaForm *f, const Scope *pScope) {
  i64 nDelta = 0, nMax = 1;
  while (c->rc == SQLITE_OK) {
    RowKind eKind = delta_row_kind(sqlite3_column_value(f->pWalk, WALK_FLAG));
    sqlite3_value *pParent;
    if (nDelta && !same_scope(c, f, pScope)) return 0;
    if (eKind == ROW_BASE) return c->rc == SQLITE_OK;
    pParent = sqlite3_column_value(f->pWalk, WALK_PARENT);
    if (++nDelta == 2) nMax = delta_max_depth(c);
    if (eKind == ROW_BROKEN || nDelta > nMax ||
        sqlite3_value_type(pParent) == SQLITE_NULL) {
      return 0;
    }
    note_overlays(c, f);
    steward_feed_put(c, &f->feed, pParent, 0);
    if (!steward_next(c, f->pWalk)) return 0;
  }
  return 0;
}

/* The walk stands on the row asked for. */
static DeltaQuick walk(StewardCall *c, DeltaForm *f, StewardBuffer *pOut) {
  Scope scope = {.eType = SQLITE_NULL};
  size_t nSource;
  steward_buffer_json(c, &f->text, sqlite3_column_value(f->pWalk, WALK_KEY));
  scope.iText = nSource = f->text.n;
  if (f->names.zScope) {
    sqlite3_value *v = sqlite3_column_value(f->pWalk, WALK_SCOPE);
    scope.eType = sqlite3_value_type(v);
    steward_buffer_json(c, &f->text, v);
    scope.nText = f->text.n - nSource;
  }
  if (!to_base(c, f, &scope)) return QUICK_NOT;
  write_result(c, f, nSource, pOut);
  return QUICK_DONE;
}

/* What a large row leaves behind is given back. */
static void tidy(DeltaForm *f) {
  if (f->text.nAlloc > TEXT_KEPT) steward_buffer_free(&f->text);
  steward_feed_clear(&f->feed);
  if (f->nResult > TEXT_KEPT) f->nResult = 0;
}

/* Write the row as it reads: QUICK_DONE, with nothing written when there is no
** such row.  QUICK_STALE: the schema has changed, throw the form away.
** QUICK_NOT: ask delta_walk.c, or the call has failed. */
DeltaQuick delta_quick(StewardCall *c, DeltaForm *f, sqlite3_value *pId,
                       StewardBuffer *pOut) {
  DeltaQuick eResult = QUICK_DONE;
  int i, rc;
  if (f->pWalk == NULL) return QUICK_NOT;
  delta_feed_id(c, &f->feed, pId);
  if (c->rc) return QUICK_NOT;
  f->text.n = 0;
  for (i = 0; i < f->nColumn; i++) f->aColumn[i].nText = 0;
  rc = sqlite3_step(f->pWalk);
  if ((rc & 0xff) == SQLITE_ERROR || steward_form_stale(f->pWalk)) {
    eResult = QUICK_STALE;
  } else if (rc == SQLITE_ROW) {
    eResult = walk(c, f, pOut);
  } else if (rc != SQLITE_DONE) {
    steward_fail_db(c, rc);
    eResult = QUICK_NOT;
  }
  sqlite3_reset(f->pWalk);
  tidy(f);
  if (eResult != QUICK_DONE || c->rc) pOut->n = 0;
  return c->rc ? QUICK_NOT : eResult;
}
