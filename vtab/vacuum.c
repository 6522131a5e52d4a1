/*
** vacuum.c - how much of each database file is free, and what to do about it.
*/
#include <string.h>

#include "../ext/vacuum_int.h"

/* The SQL that gives the space back, or "nothing"; the verbs are for the file
** of main.  Caller frees. */
static char *recommended(StewardCall *c, const char *zSchema,
                         const VacuumPlan *p) {
  const char *zFile = sqlite3_db_filename(c->db, zSchema);
  int bVerb = strcmp(zSchema, "main") == 0 && zFile && zFile[0];
  if (p->zVerb[0] == 'n') return steward_mprintf(c, "nothing");
  if (p->zVerb[0] == 'i') {
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
**   recommended TEXT, gain_bytes INTEGER, time_ms INTEGER,
**   disk_bytes INTEGER, growth_bytes_per_day INTEGER, unused_bytes INTEGER,
**   fragmentation REAL, measured_at INTEGER, last_status TEXT)
**                                                                     table
** One row per attached database: its pages, those that hold nothing, and the
** statement that gives them back when they are more than a tenth (and 64
** pages), or when what is in use is nearly half empty, else `nothing`; with
** about what it gains, how long it takes and what disk it needs meanwhile.  For
** main: unused_bytes within pages in use and fragmentation (the share of leaves
** that lie behind a gap), as health_run() counted them at measured_at (Unix
** ms), see vacuum_tables; growth by the health log of the last days;
** last_run_at, last_type and last_status from the vacuum log.
** Source: seed 001, vacuum management.
** Example: SELECT schema_name, page_size, auto_vacuum, recommended
**   FROM vacuum_status; -- main|4096|none|nothing
*/
static void status_row(StewardCall *c, StewardRows *r, const char *zSchema,
                       int bLog) {
  static const char *const azMode[] = {"none", "full", "incremental"};
  VacuumPlan p;
  sqlite3_stmt *pLast = NULL;
  const char *zAt = NULL, *zType = NULL, *zStatus = NULL, *zMode;
  char *zDo;
  i64 nGrowth = 0, nWal = steward_wal_bytes(c->db, zSchema);
  double rFree;
  vacuum_plan(c, zSchema, &p);
  if (c->rc || (strcmp(zSchema, "temp") == 0 && p.nPage == 0)) return;
  if (bLog && strcmp(zSchema, "main") == 0) {
    pLast = steward_query(c, SQL_vacuum_last, "");
    if (steward_next(c, pLast)) {
      zAt = (const char *)sqlite3_column_text(pLast, 0);
      zType = (const char *)sqlite3_column_text(pLast, 1);
      zStatus = (const char *)sqlite3_column_text(pLast, 2);
    }
    nGrowth = steward_int(c, SQL_health_growth, 0, "ll", p.nPage * p.nSize,
                          steward_now(c->p));
  }
  zDo = recommended(c, zSchema, &p);
  zMode = azMode[p.eAuto >= 0 && p.eAuto < 3 ? p.eAuto : 0];
  rFree = p.nPage > 0 ? (double)p.nFree / (double)p.nPage : 0.0;
  if (p.iMeasured) {
    steward_row(c, r, "tllltldltttllllldlt", zSchema, p.nSize, p.nPage, p.nFree,
                zMode, p.nFree * p.nSize, rFree, nWal, zAt, zType, zDo, p.nGain,
                p.iTime, p.nDisk, nGrowth, p.nUnused, p.rGaps, p.iMeasured,
                zStatus);
  } else {
    steward_row(c, r, "tllltldltttllllnnnt", zSchema, p.nSize, p.nPage, p.nFree,
                zMode, p.nFree * p.nSize, rFree, nWal, zAt, zType, zDo, p.nGain,
                p.iTime, p.nDisk, nGrowth, zStatus);
  }
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

/* vacuum_tables(name TEXT, table_name TEXT, pages INTEGER, bytes INTEGER,
**   unused_bytes INTEGER, unused_ratio REAL, fragmentation REAL,
**   sampled INTEGER, measured_at INTEGER)     table
** What the pages of each table and index held when health_run() counted them
** last: bytes that hold nothing, and the share of leaves that lie behind a gap.
** sampled = 1 where the time was only enough for some of the pages, of which
** this is then true.
** Set: maintenance
** Source: seed 001, space reclamation tracking.
** Example: CREATE TABLE t(x);
**   SELECT health_full() <> 'critical'; -- 1
**   SELECT name, pages, unused_ratio > 0.99 FROM vacuum_tables
**    WHERE table_name='t'; -- t|1|1
*/
static const StewardTable aTable[] = {
    {.zName = "vacuum_status",
     .zColumns = "schema_name TEXT, page_size INTEGER, pages INTEGER,"
                 " free_pages INTEGER, auto_vacuum TEXT,"
                 " reclaimable_bytes INTEGER, free_ratio REAL,"
                 " wal_bytes INTEGER, last_run_at TEXT, last_type TEXT,"
                 " recommended TEXT, gain_bytes INTEGER, time_ms INTEGER,"
                 " disk_bytes INTEGER, growth_bytes_per_day INTEGER,"
                 " unused_bytes INTEGER, fragmentation REAL,"
                 " measured_at INTEGER, last_status TEXT",
     .xRows = status_rows},
    {.zName = "vacuum_tables",
     .zColumns = "name TEXT, table_name TEXT, pages INTEGER, bytes INTEGER,"
                 " unused_bytes INTEGER, unused_ratio REAL,"
                 " fragmentation REAL, sampled INTEGER, measured_at INTEGER",
     .eSql = SQL_vacuum_tables,
     .zSet = "maintenance",
     .bEmpty = 1},
};

int vacuum_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
