/*
** vacuum.c - how much of each database file is free, and what to do about it.
*/
#include <string.h>

#include "steward_int.h"

static i64 pragma_int(StewardCall *c, const char *zSchema,
                      const char *zPragma) {
  return steward_exec_int(c, 0, "PRAGMA \"%w\".%s", zSchema, zPragma);
}

/* The SQL that gives the space back, or "nothing"; the verbs are for the file
** of main.  Caller frees. */
static char *recommended(StewardCall *c, const char *zSchema, i64 nPage,
                         i64 nFree, i64 eAuto) {
  const char *zFile = sqlite3_db_filename(c->db, zSchema);
  int bVerb = strcmp(zSchema, "main") == 0 && zFile && zFile[0];
  if (nFree < 64 || nFree * 10 < nPage) return steward_mprintf(c, "nothing");
  if (eAuto == 2) {
    return bVerb ? steward_mprintf(c, "SELECT vacuum_incremental()")
                 : steward_mprintf(c, "PRAGMA \"%w\".incremental_vacuum",
                                   zSchema);
  }
  return bVerb ? steward_mprintf(c, "SELECT vacuum_full()")
               : steward_mprintf(c, "VACUUM \"%w\"", zSchema);
}

/* vacuum_status(schema_name TEXT, page_size INTEGER, pages INTEGER,
**   free_pages INTEGER, auto_vacuum TEXT, reclaimable_bytes INTEGER,
**   free_ratio REAL, wal_bytes INTEGER, last_run_at TEXT, last_type TEXT,
**   recommended TEXT)     table
** One row per attached database: its pages, those that hold nothing, and the
** statement that gives them back when they are more than a tenth (and 64
** pages), else `nothing`.  last_run_at and last_type come from the vacuum log
** of main, for main.
** Source: seed 001, vacuum management.
** Example: SELECT schema_name, page_size, auto_vacuum, recommended
**   FROM vacuum_status; -- main|4096|none|nothing
*/
static void status_row(StewardCall *c, StewardRows *r, const char *zSchema,
                       int bLog) {
  static const char *const azMode[] = {"none", "full", "incremental"};
  i64 nPage = pragma_int(c, zSchema, "page_count");
  i64 nFree = pragma_int(c, zSchema, "freelist_count");
  i64 nSize = pragma_int(c, zSchema, "page_size");
  i64 eAuto = pragma_int(c, zSchema, "auto_vacuum");
  sqlite3_stmt *pLast = NULL;
  const char *zAt = NULL, *zType = NULL;
  char *zDo;
  if (c->rc || (strcmp(zSchema, "temp") == 0 && nPage == 0)) return;
  if (bLog && strcmp(zSchema, "main") == 0) {
    pLast = steward_query(c, SQL_vacuum_last, "");
    if (steward_next(c, pLast)) {
      zAt = (const char *)sqlite3_column_text(pLast, 0);
      zType = (const char *)sqlite3_column_text(pLast, 1);
    }
  }
  zDo = recommended(c, zSchema, nPage, nFree, eAuto);
  steward_row(c, r, "tllltldlttt", zSchema, nSize, nPage, nFree,
              azMode[eAuto >= 0 && eAuto < 3 ? eAuto : 0], nFree * nSize,
              nPage > 0 ? (double)nFree / (double)nPage : 0.0,
              steward_wal_bytes(c->db, zSchema), zAt, zType, zDo);
  sqlite3_free(zDo);
  steward_give(c, SQL_vacuum_last, pLast);
}

static void status_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  int bLog = steward_installed(c, "maintenance");
  sqlite3_stmt *pSchema = steward_query(c, SQL_vacuum_schemas, "");
  while (steward_next(c, pSchema)) {
    status_row(c, r, (const char *)sqlite3_column_text(pSchema, 0), bLog);
  }
  steward_give(c, SQL_vacuum_schemas, pSchema);
}

static const StewardTable aTable[] = {
    {.zName = "vacuum_status",
     .zColumns = "schema_name TEXT, page_size INTEGER, pages INTEGER,"
                 " free_pages INTEGER, auto_vacuum TEXT,"
                 " reclaimable_bytes INTEGER, free_ratio REAL,"
                 " wal_bytes INTEGER, last_run_at TEXT, last_type TEXT,"
                 " recommended TEXT",
     .xRows = status_rows},
};

int vacuum_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
