/*
** migrate_step.c - the scripts of steps, and one step up with its bookkeeping.
**
** Up runs the step's script, whose statements all say IF NOT EXISTS, and
** writes down which objects it made (those that were there already are
** adopted, not made) and which rows it put in.
*/
#include <ctype.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "migrate_int.h"

/* The checksum of a step's two texts. */
void migrate_checksum(MigrateStep *pStep) {
  XXH64_state_t state;
  XXH64_reset(&state, 0);
  XXH64_update(&state, pStep->zUp, strlen(pStep->zUp) + 1);
  XXH64_update(&state, pStep->zDown, strlen(pStep->zDown));
  sqlite3_snprintf(sizeof(pStep->zChecksum), pStep->zChecksum, "%016llx",
                   (unsigned long long)XXH64_digest(&state));
}

/*************************************************************************
** Scripts
*/

/* The next word of an SQL text: skips white space and comments; quoted names
** come without their quotes.  Returns its length, 0 at the end or at
** punctuation. */
int migrate_token(const char **pz, char *zWord, int nWord) {
  const char *z = *pz;
  int n = 0;
  for (;;) {
    while (isspace((unsigned char)*z)) z++;
    if (z[0] == '-' && z[1] == '-') {
      while (*z && *z != '\n') z++;
    } else if (z[0] == '/' && z[1] == '*') {
      const char *zEnd = strstr(z + 2, "*/");
      z = zEnd ? zEnd + 2 : z + strlen(z);
    } else {
      break;
    }
  }
  if (*z == '"' || *z == '`') {
    char cQuote = *z++;
    while (*z && *z != cQuote && n < nWord - 1) zWord[n++] = *z++;
    if (*z == cQuote) z++;
  } else {
    while ((isalnum((unsigned char)*z) || *z == '_') && n < nWord - 1) {
      zWord[n++] = *z++;
    }
  }
  zWord[n] = 0;
  *pz = z;
  return n;
}

/* Statements that would break out of the step's transaction. */
static int ends_transaction(const char *zStatement) {
  static const char *const azForbidden[] = {"BEGIN",    "COMMIT",    "END",
                                            "ROLLBACK", "SAVEPOINT", "RELEASE",
                                            "VACUUM",   "ATTACH",    "DETACH"};
  char zWord[32];
  int i;
  migrate_token(&zStatement, zWord, sizeof(zWord));
  for (i = 0; i < ArraySize(azForbidden); i++) {
    if (sqlite3_stricmp(zWord, azForbidden[i]) == 0) return 1;
  }
  return 0;
}

/* `DROP <kind> IF EXISTS <name>`: the name, else "".  Also "" for triggers and
** views called steward_*: they hold no rows, and verbs make some of them when
** they are needed, so they go whoever made them. */
static void dropped_name(const char *zStatement, char *zName, int nName) {
  char zWord[32];
  int bRows;
  zName[0] = 0;
  migrate_token(&zStatement, zWord, sizeof(zWord));
  if (sqlite3_stricmp(zWord, "DROP")) return;
  migrate_token(&zStatement, zWord, sizeof(zWord)); /* the kind */
  bRows = sqlite3_stricmp(zWord, "TRIGGER") && sqlite3_stricmp(zWord, "VIEW");
  migrate_token(&zStatement, zName, nName);
  if (sqlite3_stricmp(zName, "IF") == 0) {
    migrate_token(&zStatement, zWord, sizeof(zWord)); /* EXISTS */
    migrate_token(&zStatement, zName, nName);
  }
  if (!bRows && sqlite3_strnicmp(zName, "steward_", 8) == 0) zName[0] = 0;
}

static int json_has_name(StewardCall *c, const char *zMade, const char *zName) {
  return (int)steward_int(c, SQL_migrate_made_has, 0, "tt", zMade, zName);
}

/* Fail with the engine's text, naming the step. */
void migrate_fail_step(StewardCall *c, const MigrateStep *pStep, int rc) {
  char *zMsg;
  if ((rc & 0xff) != SQLITE_ERROR && (rc & 0xff) != SQLITE_CONSTRAINT) {
    steward_fail_db(c, rc);
    return;
  }
  zMsg = sqlite3_mprintf("%s", sqlite3_errmsg(c->db));
  if (zMsg == NULL) {
    steward_fail_nomem(c);
  } else if (strncmp(zMsg, "unsafe use of json", 18) == 0) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "step %d (%s) of set '%s' needs JSON functions in the schema, "
                 "which SQLite before 3.41 refuses while PRAGMA trusted_schema "
                 "is OFF: turn it ON, in every client of the file",
                 pStep->iVersion, pStep->zName, pStep->zSet);
  }
  steward_fail_rc(c, rc, "step %d (%s) of set '%s': %s", pStep->iVersion,
                  pStep->zName, pStep->zSet, zMsg);
  sqlite3_free(zMsg);
}

/* Run one prepared statement of a script. */
void migrate_run_statement(StewardCall *c, const MigrateStep *pStep,
                           sqlite3_stmt *pStmt) {
  int rc;
  if (ends_transaction(sqlite3_sql(pStmt))) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "step %d (%s) of set '%s' has a statement of its own "
                 "transaction: a step runs inside one, leave BEGIN, COMMIT, "
                 "VACUUM and ATTACH out",
                 pStep->iVersion, pStep->zName, pStep->zSet);
    return;
  }
  if (sqlite3_bind_parameter_count(pStmt) > 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "step %d (%s) of set '%s' has a parameter, to which nothing "
                 "is bound: write the value",
                 pStep->iVersion, pStep->zName, pStep->zSet);
    return;
  }
  do {
    rc = sqlite3_step(pStmt);
  } while (rc == SQLITE_ROW);
  if (rc != SQLITE_DONE) migrate_fail_step(c, pStep, rc);
}

static int has_column(StewardCall *c, const char *zTable, const char *zColumn) {
  return (int)steward_exec_int(c, 0,
                               "SELECT 1 FROM pragma_table_xinfo(%Q, 'main')"
                               " WHERE name = %Q COLLATE NOCASE",
                               zTable, zColumn);
}

/* SQLite knows no ADD COLUMN IF NOT EXISTS: when a script of the library goes
** on with an ALTER TABLE whose column is there already, or gone already, pass
** over it. */
static int skip_column(StewardCall *c, const char **pzScript) {
  char aWord[6][100];
  const char *z = *pzScript;
  int i, bDrop;
  for (i = 0; i < ArraySize(aWord); i++) {
    migrate_token(&z, aWord[i], sizeof(aWord[i]));
    if (i == 0 && sqlite3_stricmp(aWord[0], "ALTER")) return 0;
  }
  bDrop = sqlite3_stricmp(aWord[3], "DROP") == 0;
  if (sqlite3_stricmp(aWord[4], "COLUMN") ||
      has_column(c, aWord[2], aWord[5]) == bDrop) {
    return 0;
  }
  z = strchr(z, ';');
  if (z == NULL || c->rc) return 0;
  *pzScript = z + 1;
  return 1;
}

/* Run a script; of its DROPs only those of names in zMade, unless NULL. */
void migrate_run_script(StewardCall *c, const MigrateStep *pStep,
                        const char *zScript, const char *zMade) {
  while (c->rc == SQLITE_OK && zScript[0]) {
    sqlite3_stmt *pStmt = NULL;
    char zName[200];
    int rc;
    if (!pStep->bUser && skip_column(c, &zScript)) continue;
    if (c->rc) break;
    rc = sqlite3_prepare_v2(c->db, zScript, -1, &pStmt, &zScript);
    if (rc) {
      migrate_fail_step(c, pStep, rc);
    } else if (pStmt) {
      dropped_name(sqlite3_sql(pStmt), zName, sizeof(zName));
      if (zMade == NULL || zName[0] == 0 || json_has_name(c, zMade, zName)) {
        migrate_run_statement(c, pStep, pStmt);
      }
    }
    sqlite3_finalize(pStmt);
  }
}

/*************************************************************************
** Rows that a step put in
*/

/* Hash every value of a row into *pState. */
static void hash_row(XXH64_state_t *pState, sqlite3_stmt *pRow) {
  int i, n = sqlite3_column_count(pRow);
  for (i = 0; i < n; i++) {
    int eType = sqlite3_column_type(pRow, i);
    XXH64_update(pState, &eType, sizeof(eType));
    if (eType != SQLITE_NULL) {
      const void *p = sqlite3_column_blob(pRow, i);
      int nByte = sqlite3_column_bytes(pRow, i);
      XXH64_update(pState, &nByte, sizeof(nByte));
      if (p) XXH64_update(pState, p, (size_t)nByte);
    }
  }
}

/* "<rows>:<hash>" of the first nMax + 1 rows of a table; caller frees. */
char *migrate_table_digest(StewardCall *c, const char *zTable, int nMax) {
  XXH64_state_t state;
  sqlite3_stmt *pRow = steward_prepare(c, "SELECT * FROM main.\"%w\" LIMIT %d",
                                       zTable, nMax + 1);
  int nRow = 0;
  XXH64_reset(&state, 0);
  while (steward_next(c, pRow)) {
    hash_row(&state, pRow);
    nRow++;
  }
  sqlite3_finalize(pRow);
  return steward_mprintf(c, "%d:%016llx", nRow,
                         (unsigned long long)XXH64_digest(&state));
}

/* JSON object: the digest of each table made that is not empty. */
static char *seeded_rows(StewardCall *c, const char *zMade) {
  sqlite3_stmt *pTable = steward_query(c, SQL_migrate_made_tables, "t", zMade);
  char *zSeeded = steward_mprintf(c, "{}");
  while (steward_next(c, pTable)) {
    const char *zTable = steward_column(c, pTable, 0);
    char *zDigest = migrate_table_digest(c, zTable, 1000);
    if (zDigest && strncmp(zDigest, "0:", 2)) {
      char *zNew = steward_text(c, SQL_migrate_json_set, "ttt", zSeeded, zTable,
                                zDigest);
      sqlite3_free(zSeeded);
      zSeeded = zNew;
    }
    sqlite3_free(zDigest);
  }
  steward_give(c, SQL_migrate_made_tables, pTable);
  return zSeeded;
}

/*************************************************************************
** Up
*/

static void write_bookkeeping(StewardCall *c, const MigrateStep *pStep,
                              const char *zMade, const char *zNotes) {
  char *zSeeded = seeded_rows(c, zMade);
  char *zNotesJson = steward_text(c, SQL_migrate_json_list, "t",
                                  zNotes && zNotes[0] ? zNotes : NULL);
  steward_run(c, SQL_migrate_record, "tittttttlttt", pStep->zSet,
              pStep->iVersion, pStep->zName, pStep->zDescription,
              pStep->zAuthor, pStep->zCreated, pStep->zChecksum,
              pStep->zLibrary, steward_now(c->p), zMade, zSeeded, zNotesJson);
  steward_run(c, SQL_migrate_record_set, "tit", pStep->zSet, pStep->iVersion,
              pStep->zLibrary);
  sqlite3_free(zSeeded);
  sqlite3_free(zNotesJson);
}

/* Refuse to adopt what does not fit; *pzNotes as for migrate_differences. */
static void check_fit(StewardCall *c, const MigrateStep *pStep,
                      sqlite3 *pExpected, char **pzNotes) {
  char *zList;
  migrate_expected_step(c, pExpected, pStep);
  if (c->rc) return;
  zList = migrate_differences(c, pExpected, pStep, 1, pzNotes);
  if (zList) {
    steward_fail(c, STEWARD_CONFLICT,
                 "what this database already has does not fit step %d (%s) "
                 "of set '%s': %s: alter or rename it first",
                 pStep->iVersion, pStep->zName, pStep->zSet, zList);
  }
  sqlite3_free(zList);
}

/* Make again what a step of the library made and somebody dropped: its script
** adds only what is missing. */
void migrate_step_repair(StewardCall *c, const MigrateStep *pStep) {
  if (c->rc) return;
  migrate_run_script(c, pStep, pStep->zUp, NULL);
}

/* Apply one step.  pExpected has seen the steps before it; NULL for a user's
** step. */
void migrate_step_up(StewardCall *c, const MigrateStep *pStep,
                     sqlite3 *pExpected) {
  char *zBefore, *zMade, *zNotes = NULL;
  if (c->rc) return;
  c->p->zChecked = NULL;
  if (pExpected) check_fit(c, pStep, pExpected, &zNotes);
  zBefore = steward_text(c, SQL_migrate_objects, "");
  migrate_run_script(c, pStep, pStep->zUp, NULL);
  zMade = steward_text(c, SQL_migrate_objects_since, "t", zBefore);
  write_bookkeeping(c, pStep, zMade, zNotes);
  sqlite3_free(zBefore);
  sqlite3_free(zMade);
  sqlite3_free(zNotes);
}
