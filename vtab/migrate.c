/*
** migrate.c - the tables of migrations: where every step stands, and whether
** the tables of each set keep their contract.
*/
#include <string.h>

#include "../ext/migrate_int.h"

/* One row of migrate_status. */
static void status_row(StewardCall *c, StewardRows *r, const MigrateStep *s,
                       int bCore) {
  sqlite3_stmt *pRow = NULL;
  if (bCore) {
    pRow =
        steward_query(c, SQL_migrate_applied_step, "ti", s->zSet, s->iVersion);
  }
  if (bCore && steward_next(c, pRow)) {
    const char *zWas = steward_column(c, pRow, 1);
    steward_row(c, r, "titttttltit", s->zSet, s->iVersion, s->zName,
                s->zDescription, s->zAuthor, s->zCreated, "applied",
                sqlite3_column_int64(pRow, 0), zWas,
                zWas == NULL || strcmp(zWas, s->zChecksum) != 0,
                sqlite3_column_text(pRow, 2));
  } else {
    steward_row(c, r, "titttttntnn", s->zSet, s->iVersion, s->zName,
                s->zDescription, s->zAuthor, s->zCreated, "pending",
                s->zChecksum);
  }
  steward_give(c, SQL_migrate_applied_step, pRow);
}

/* Applied steps that nothing here defines: a newer library's, or texts that
** are gone. */
static void unknown_rows(StewardCall *c, StewardRows *r) {
  sqlite3_stmt *pRow = steward_query(c, SQL_migrate_applied, "");
  while (steward_next(c, pRow)) {
    const char *zSet = steward_column(c, pRow, 0);
    MigrateSet set;
    StewardCall look = *c;
    migrate_load_set(&look, zSet, &set);
    if (look.rc == SQLITE_OK || look.rc == SQLITE_ERROR) {
      sqlite3_free(look.zErr); /* NOT_FOUND: then no step is known */
      if (sqlite3_column_int(pRow, 1) > set.nStep) {
        steward_row(c, r, "titttttltnt", zSet, sqlite3_column_int(pRow, 1),
                    sqlite3_column_text(pRow, 2), sqlite3_column_text(pRow, 3),
                    sqlite3_column_text(pRow, 4), sqlite3_column_text(pRow, 5),
                    "unknown", sqlite3_column_int64(pRow, 6),
                    sqlite3_column_text(pRow, 7), sqlite3_column_text(pRow, 8));
      }
    } else {
      c->rc = look.rc;
      c->zErr = look.zErr;
    }
    migrate_free_set(&set);
  }
  steward_give(c, SQL_migrate_applied, pRow);
}

static void set_rows(StewardCall *c, StewardRows *r, const char *zSet,
                     int bCore) {
  MigrateSet set;
  int i;
  migrate_load_set(c, zSet, &set);
  for (i = 0; i < set.nStep && c->rc == SQLITE_OK; i++) {
    status_row(c, r, &set.aStep[i], bCore);
  }
  migrate_free_set(&set);
}

/* migrate_status(set_name TEXT, version INTEGER, name TEXT, description TEXT,
**   author TEXT, created TEXT, state TEXT, applied_at INTEGER, checksum TEXT,
**   drift INTEGER, notes TEXT)     table
** Every step of every set: state is applied, pending, or unknown (applied, but
** this library has no text of it); applied_at in Unix ms; drift = 1 when the
** text changed after it was applied; notes lists, as JSON, what the step found
** and left as it was.
** Source: seed 001 (Migration ID, Version, Description, Author, Created).
** Example: SELECT state, drift FROM migrate_status
**   WHERE set_name='core' AND version=1; -- applied|0
*/
static void status_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  int bCore = steward_installed(c, "core");
  char *zUser = NULL;
  sqlite3_stmt *pName;
  int i;
  for (i = 0; c->rc == SQLITE_OK && migrate_builtin_set(i); i++) {
    set_rows(c, r, migrate_builtin_set(i), bCore);
  }
  if (!bCore) return;
  zUser = steward_text(c, SQL_migrate_user_set_names, "");
  pName = steward_query(c, SQL_migrate_each, "t", zUser);
  while (steward_next(c, pName)) {
    set_rows(c, r, steward_column(c, pName, 0), 1);
  }
  steward_give(c, SQL_migrate_each, pName);
  sqlite3_free(zUser);
  unknown_rows(c, r);
}

/* Run one contract statement; a check that cannot run is not kept. */
static void contract_row(StewardCall *c, StewardRows *r,
                         const StewardSql *pSql) {
  StewardCall look = *c;
  const char *zCheck = pSql->zName + strlen("contract_");
  i64 nViolation;
  size_t nSet = strlen(pSql->zSet);
  if (strncmp(zCheck, pSql->zSet, nSet) == 0 && zCheck[nSet] == '_') {
    zCheck += nSet + 1;
  }
  nViolation = steward_exec_int(&look, 0, "%s", pSql->zSql);
  if (look.rc == SQLITE_OK) {
    steward_row(c, r, "ttlitn", pSql->zSet, zCheck, nViolation, nViolation == 0,
                pSql->zSql);
  } else if ((look.rc & 0xff) == SQLITE_ERROR) {
    steward_row(c, r, "ttnitt", pSql->zSet, zCheck, 0, pSql->zSql, look.zErr);
    sqlite3_free(look.zErr);
  } else {
    c->rc = look.rc;
    c->zErr = look.zErr;
  }
}

/* contract_checks(set_name TEXT, check_name TEXT, violations INTEGER,
**   ok INTEGER, sql TEXT, error TEXT)     table
** What must hold between the tables of each installed set, checked as you
** select: the number of rows that break it, ok = 1 when none does, and the
** statement that counts them.  A check that cannot run (a table is gone) has
** violations NULL, ok = 0 and the error.
** Source: seed 001, "Contract Validation".
** Example: SELECT count(*) > 0, sum(violations) FROM contract_checks; -- 1|0
*/
static void contract_rows(StewardCall *c, StewardRows *r, int nArg,
                          sqlite3_value **apArg) {
  int i;
  for (i = 0; i < SQL_COUNT && c->rc == SQLITE_OK; i++) {
    const StewardSql *pSql = &steward_sql[i];
    if (strncmp(pSql->zName, "contract_", 9)) continue;
    if (steward_installed(c, pSql->zSet)) contract_row(c, r, pSql);
  }
}

/* migrate_missing(set_name TEXT, version INTEGER, type TEXT, name TEXT,
**   needed INTEGER)     table
** What the steps of installed sets made and somebody has dropped since.  needed
** = 0 for an index or trigger that the library works without; migrate_up()
** makes the others again.
** Set: core
** Source: seed 001, "Migration Safety".
** Example: SELECT count(*) FROM migrate_missing; -- 0
**   DROP TABLE steward_performance_rollups;
**   SELECT set_name, type, name, needed FROM migrate_missing;
**   -- maintenance|table|steward_performance_rollups|1
*/
static const StewardTable aTable[] = {
    {.zName = "migrate_missing",
     .zColumns = "set_name TEXT, version INTEGER, type TEXT, name TEXT,"
                 " needed INTEGER",
     .eSql = SQL_migrate_missing,
     .zSet = "core",
     .bEmpty = 1},
    {.zName = "migrate_status",
     .zColumns = "set_name TEXT, version INTEGER, name TEXT, description TEXT,"
                 " author TEXT, created TEXT, state TEXT, applied_at INTEGER,"
                 " checksum TEXT, drift INTEGER, notes TEXT",
     .xRows = status_rows},
    {.zName = "contract_checks",
     .zColumns = "set_name TEXT, check_name TEXT, violations INTEGER,"
                 " ok INTEGER, sql TEXT, error TEXT",
     .xRows = contract_rows},
};

int migrate_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
