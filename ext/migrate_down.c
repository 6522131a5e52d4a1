/*
** migrate_down.c - one step down, and what would be lost by it.
**
** A step of the library drops only what it made.  Tables whose rows would go
** are listed before anything is done; rows that the step itself put in and
** nobody changed are no loss.  The script of an application's step is watched
** statement by statement: DROP TABLE, DROP COLUMN and DELETE that would lose
** rows are refused, and at its end no table may have fewer rows.  'force' lets
** all of that through, and passes over what is gone already.
*/
#include <string.h>

#include "migrate_int.h"

/* Would dropping zTable lose rows that its step did not put in? */
static int table_would_lose(StewardCall *c, const char *zTable,
                            const char *zSeeded) {
  static const char *const azOwn[] = {"steward_sets", "steward_migrations",
                                      "steward_duties", "steward_keeper",
                                      "steward_keeper_log"};
  char *zWas, *zIs;
  int i, bLose;
  for (i = 0; i < ArraySize(azOwn); i++) {
    if (strcmp(azOwn[i], zTable) == 0) return 0;
  }
  if (!steward_exec_int(c, 0,
                        "SELECT 1 FROM main.sqlite_schema"
                        " WHERE type = 'table' AND name = %Q",
                        zTable)) {
    return 0; /* dropped by hand */
  }
  if ((strcmp(zTable, "steward_policies") == 0 ||
       strcmp(zTable, "steward_policy_options") == 0) &&
      !steward_int(c, SQL_migrate_policies, 0, "")) {
    return 0; /* those that steps put in leave with them */
  }
  zWas = steward_text(c, SQL_migrate_json_get, "tt", zSeeded, zTable);
  zIs = migrate_table_digest(c, zTable, 1000);
  bLose = zIs && strncmp(zIs, "0:", 2) && (zWas == NULL || strcmp(zWas, zIs));
  sqlite3_free(zWas);
  sqlite3_free(zIs);
  return bLose;
}

/* Append the tables, with their counts, whose rows the step down would lose. */
void migrate_step_loss(StewardCall *c, const MigrateStep *pStep,
                       sqlite3_str *pList) {
  char *zMade, *zSeeded;
  sqlite3_stmt *pTable;
  if (c->rc) return;
  zMade = steward_text(c, SQL_migrate_made, "ti", pStep->zSet, pStep->iVersion);
  zSeeded =
      steward_text(c, SQL_migrate_seeded, "ti", pStep->zSet, pStep->iVersion);
  pTable = steward_query(c, SQL_migrate_made_tables, "t", zMade);
  while (steward_next(c, pTable)) {
    const char *zTable = steward_column(c, pTable, 0);
    if (!table_would_lose(c, zTable, zSeeded)) continue;
    sqlite3_str_appendf(
        pList, "%s%s (%lld rows)", sqlite3_str_length(pList) ? ", " : "",
        zTable,
        steward_exec_int(c, 0, "SELECT count(*) FROM main.\"%w\"", zTable));
  }
  steward_give(c, SQL_migrate_made_tables, pTable);
  sqlite3_free(zMade);
  sqlite3_free(zSeeded);
}

static void forget_step(StewardCall *c, const MigrateStep *pStep) {
  int iBelow = pStep->iVersion - 1;
  if (strcmp(pStep->zSet, "core") == 0 && iBelow == 0) return;
  steward_run(c, SQL_migrate_forget, "ti", pStep->zSet, pStep->iVersion);
  steward_run(c, iBelow ? SQL_migrate_set_back : SQL_migrate_set_remove, "ti",
              pStep->zSet, iBelow);
}

/*************************************************************************
** The application's own scripts, statement by statement
*/

/* The words of the statement's beginning, and a word looked for in the rest. */
typedef struct Words {
  char aWord[8][200];
} Words;

static void read_words(const char *zStatement, Words *pWords) {
  int i;
  memset(pWords, 0, sizeof(*pWords));
  for (i = 0; i < ArraySize(pWords->aWord); i++) {
    migrate_token(&zStatement, pWords->aWord[i], sizeof(pWords->aWord[i]));
    while (zStatement[0] == '.') { /* main.t: the name counts */
      zStatement++;
      migrate_token(&zStatement, pWords->aWord[i], sizeof(pWords->aWord[i]));
    }
  }
}

static int is_word(const char *zWord, const char *zWanted) {
  return sqlite3_stricmp(zWord, zWanted) == 0;
}

/* Does the statement delete rows of a table that the step did not make?  Looked
** for where the verb stands, and behind a WITH clause anywhere outside of
** strings. */
static int deletes_rows(StewardCall *c, const char *zStatement,
                        const char *zMade) {
  Words w;
  char zWord[200];
  int bWith = 0, n = 0;
  read_words(zStatement, &w);
  if (is_word(w.aWord[0], "DELETE")) {
    return !steward_int(c, SQL_migrate_made_has, 0, "tt", zMade, w.aWord[2]);
  }
  while (zStatement[0]) {
    if (migrate_token(&zStatement, zWord, sizeof(zWord))) {
      if (is_word(zWord, "DELETE")) return 1;
      if (n++ == 0) bWith = is_word(zWord, "WITH");
      if (!bWith) return 0;
    } else if (zStatement[0] == '\'') {
      zStatement = strchr(zStatement + 1, '\'');
      if (zStatement == NULL) return 0;
      zStatement++;
    } else if (zStatement[0]) {
      zStatement++;
    }
  }
  return 0;
}

/* Rows that `DROP TABLE t` would lose, when the step did not make t. */
static i64 drop_table_loss(StewardCall *c, const char *zTable,
                           const char *zMade) {
  i64 bThere;
  if (steward_int(c, SQL_migrate_made_has, 0, "tt", zMade, zTable)) return 0;
  bThere = steward_exec_int(c, 0,
                            "SELECT 1 FROM main.sqlite_schema WHERE type ="
                            " 'table' AND name = %Q COLLATE NOCASE",
                            zTable);
  if (!bThere) return 0;
  return steward_exec_int(c, 0, "SELECT count(*) FROM main.\"%w\"", zTable);
}

/* Rows whose value `ALTER TABLE t DROP COLUMN x` would lose: other than the
** column's default. */
static i64 drop_column_loss(StewardCall *c, const char *zTable,
                            const char *zColumn) {
  i64 nRow = 0;
  char *zDefault = steward_exec_text(
      c,
      "SELECT coalesce(dflt_value, 'NULL') FROM pragma_table_xinfo(%Q, 'main')"
      " WHERE name = %Q COLLATE NOCASE AND hidden = 0",
      zTable, zColumn);
  if (zDefault) {
    nRow = steward_exec_int(
        c, 0, "SELECT count(*) FROM main.\"%w\" WHERE \"%w\" IS NOT (%s)",
        zTable, zColumn, zDefault);
  }
  sqlite3_free(zDefault);
  return nRow;
}

/* How many rows the statement would take with it, as far as that can be told
** before it runs. */
static i64 loss_before(StewardCall *c, const char *zStatement,
                       const char *zMade) {
  Words w;
  int iName;
  read_words(zStatement, &w);
  if (is_word(w.aWord[0], "DROP") && is_word(w.aWord[1], "TABLE")) {
    return drop_table_loss(c, w.aWord[is_word(w.aWord[2], "IF") ? 4 : 2],
                           zMade);
  }
  if (is_word(w.aWord[0], "ALTER") && is_word(w.aWord[3], "DROP")) {
    iName = is_word(w.aWord[4], "COLUMN") && w.aWord[5][0] ? 5 : 4;
    return drop_column_loss(c, w.aWord[2], w.aWord[iName]);
  }
  return 0;
}

static void fail_loss(StewardCall *c, const MigrateStep *pStep, int iTarget,
                      const char *zStatement, i64 nRow) {
  const char *zStart = zStatement;
  char zWord[8];
  migrate_token(&zStatement, zWord, sizeof(zWord)); /* past comments */
  zStatement -= strlen(zWord);
  if (zStatement < zStart) zStatement = zStart;
  steward_fail(c, STEWARD_CONFLICT,
               "step %d (%s) of set '%s' would lose %lld rows by its statement "
               "%.60s: save them, or SELECT migrate_down('%s', %d, 'force')",
               pStep->iVersion, pStep->zName, pStep->zSet, nRow, zStatement,
               pStep->zSet, iTarget);
}

/* When zScript begins with a DROP of what is gone already, pass over it. */
static int skip_gone(StewardCall *c, const char **pzScript) {
  Words w;
  const char *zName, *zEnd = strchr(*pzScript, ';');
  read_words(*pzScript, &w);
  if (!is_word(w.aWord[0], "DROP") || zEnd == NULL) {
    if (!is_word(w.aWord[0], "DROP")) return 0;
    zEnd = *pzScript + strlen(*pzScript) - 1;
  }
  zName = w.aWord[is_word(w.aWord[2], "IF") ? 4 : 2];
  if (steward_int(c, SQL_introspect_object, 0, "t", zName)) return 0;
  *pzScript = zEnd + 1;
  return c->rc == SQLITE_OK;
}

static void run_user_statement(StewardCall *c, const MigrateStep *pStep,
                               const char *zMade, int iTarget, int bForce,
                               sqlite3_stmt *pStmt) {
  const char *zSql = sqlite3_sql(pStmt);
  i64 nRow = bForce ? 0 : loss_before(c, zSql, zMade);
  if (nRow == 0) {
    migrate_run_statement(c, pStep, pStmt);
    if (!bForce && deletes_rows(c, zSql, zMade)) {
      nRow = sqlite3_changes(c->db);
    }
  }
  if (nRow) fail_loss(c, pStep, iTarget, zSql, nRow);
}

static void run_user_script(StewardCall *c, const MigrateStep *pStep,
                            const char *zMade, int iTarget, int bForce) {
  const char *zScript = pStep->zDown;
  while (c->rc == SQLITE_OK && zScript[0]) {
    sqlite3_stmt *pStmt = NULL;
    const char *zNext = NULL;
    int rc = sqlite3_prepare_v2(c->db, zScript, -1, &pStmt, &zNext);
    if (rc == SQLITE_ERROR && bForce && skip_gone(c, &zScript)) continue;
    if (rc) {
      migrate_fail_step(c, pStep, rc);
    } else if (pStmt) {
      run_user_statement(c, pStep, zMade, iTarget, bForce, pStmt);
    }
    sqlite3_finalize(pStmt);
    zScript = zNext;
  }
}

/* {"table": rows} of the tables that the step did not make; caller frees. */
static char *count_rows(StewardCall *c, const char *zMade) {
  sqlite3_str *pJson = sqlite3_str_new(c->db);
  sqlite3_stmt *pName =
      steward_query(c, SQL_migrate_tables_of_others, "t", zMade);
  int n = 0;
  while (steward_next(c, pName)) {
    const char *zName = steward_column(c, pName, 0);
    sqlite3_str_appendchar(pJson, 1, n++ ? ',' : '{');
    steward_json_string(pJson, zName, (int)strlen(zName));
    sqlite3_str_appendf(
        pJson, ":%lld",
        steward_exec_int(c, 0, "SELECT count(*) FROM main.\"%w\"", zName));
  }
  steward_give(c, SQL_migrate_tables_of_others, pName);
  sqlite3_str_appendall(pJson, n ? "}" : "{}");
  return steward_str_finish(c, pJson);
}

/* Have tables fewer rows now than they had?  REPLACE, triggers and cascades do
** not show in a statement. */
static void check_rows_kept(StewardCall *c, const MigrateStep *pStep,
                            int iTarget, const char *zBefore) {
  sqlite3_stmt *pTable = steward_query(c, SQL_migrate_json_each, "t", zBefore);
  while (steward_next(c, pTable)) {
    const char *zName = steward_column(c, pTable, 0);
    i64 nLost = sqlite3_column_int64(pTable, 1);
    if (!steward_int(c, SQL_introspect_object, 0, "t", zName)) continue;
    nLost -= steward_exec_int(c, 0, "SELECT count(*) FROM main.\"%w\"", zName);
    if (nLost > 0) {
      steward_fail(c, STEWARD_CONFLICT,
                   "step %d (%s) of set '%s' would lose %lld rows of table "
                   "'%s': save them, or SELECT migrate_down('%s', %d, 'force')",
                   pStep->iVersion, pStep->zName, pStep->zSet, nLost, zName,
                   pStep->zSet, iTarget);
    }
  }
  steward_give(c, SQL_migrate_json_each, pTable);
}

/* Take one applied step back, on the way down to iTarget. */
void migrate_step_down(StewardCall *c, const MigrateStep *pStep, int iTarget,
                       int bForce) {
  char *zMade;
  if (c->rc) return;
  c->p->zChecked = NULL;
  zMade = steward_text(c, SQL_migrate_made, "ti", pStep->zSet, pStep->iVersion);
  if (c->rc == SQLITE_OK && pStep->bUser) {
    char *zBefore = bForce ? NULL : count_rows(c, zMade);
    run_user_script(c, pStep, zMade, iTarget, bForce);
    if (!bForce) check_rows_kept(c, pStep, iTarget, zBefore);
    sqlite3_free(zBefore);
  } else if (c->rc == SQLITE_OK) {
    migrate_run_script(c, pStep, pStep->zDown, zMade);
  }
  forget_step(c, pStep);
  sqlite3_free(zMade);
}
