/*
** tune.c - the pragmas as they are, and as they should be.
*/
#include <string.h>

#include "../ext/tune_int.h"

static void one_row(StewardCall *c, StewardRows *r, const char *zName,
                    const char *zWanted, const char *zWhy, const char *zScope,
                    const char *zSql) {
  char *zIs = tune_current(c, zName);
  int bSame = zIs && sqlite3_stricmp(zIs, zWanted) == 0;
  const char *zObstacle = bSame ? NULL : tune_obstacle(c, zName, zWanted);
  steward_row(c, r, "tttttitt", zName, zIs, zWanted, zWhy, zScope,
              !bSame && zObstacle == NULL, zObstacle, bSame ? NULL : zSql);
  sqlite3_free(zIs);
}

/* tune_status(setting TEXT, current_value TEXT, recommended TEXT, why TEXT,
**   scope TEXT, applicable INTEGER, obstacle TEXT, sql TEXT)     table
** Pragmas that matter for speed, each as it is on this connection and as
** profile `wal` of tune_apply has it; why; whether the `database` keeps it or
** every `connection` has its own; applicable: it differs and can be changed
** now, by sql; obstacle: why it cannot.
** Source: seed 001, UP.
** Example: PRAGMA cache_size = -2000;
**   SELECT current_value, recommended, scope, applicable FROM tune_status
**   WHERE setting='cache_size'; -- -2000|-64000|connection|1
*/
static void status_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  const char *zFile = sqlite3_db_filename(c->db, "main");
  int i;
  for (i = 0; i < tune_setting_count && c->rc == SQLITE_OK; i++) {
    const TuneSetting *t = &tune_settings[i];
    one_row(c, r, t->zName, t->azWanted[TUNE_WAL], t->zWhy, t->zScope,
            "SELECT tune_apply('wal')");
  }
  one_row(c, r, "busy_timeout", "5000",
          "a write waits for another connection's instead of failing",
          "connection", "PRAGMA busy_timeout = 5000");
  if (zFile && zFile[0]) {
    one_row(c, r, "auto_vacuum", "incremental",
            "free pages can be given back in short steps; the change takes a "
            "VACUUM",
            "database", "SELECT vacuum_convert('incremental')");
  }
}

static const StewardTable aTable[] = {
    {.zName = "tune_status",
     .zColumns = "setting TEXT, current_value TEXT, recommended TEXT,"
                 " why TEXT, scope TEXT, applicable INTEGER, obstacle TEXT,"
                 " sql TEXT",
     .xRows = status_rows},
};

int tune_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
