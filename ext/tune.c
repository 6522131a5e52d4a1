/*
** tune.c - pragmas, by profiles.
**
**     SELECT * FROM tune_status;       -- what is, what would be better, why
**     SELECT tune_apply('wal');        -- the maintenance seed's UP
**     SELECT tune_apply('rollback');   -- its DOWN
**
** Only the journal mode (and the pool's row of `streaming`) is kept in the
** file; everything else is this connection's, and each new one begins with
** SQLite's defaults.  What was asked for is read back: SQLite refuses some of
** it without a word.
*/
#include <string.h>

#include "tune_int.h"

const TuneSetting tune_settings[] = {
    {"journal_mode",
     "database",
     {"wal", "wal", "wal", "delete"},
     "readers and one writer work side by side, and a commit syncs one file"},
    {"synchronous",
     "connection",
     {"normal", "normal", "full", "full"},
     "with a WAL, commits wait for no disk and the file stays whole; a power "
     "cut can take the last of them back"},
    {"cache_size",
     "connection",
     {"-64000", "10000", NULL, "2000"},
     "up to 64 MB of pages are read from the file once"},
    {"temp_store",
     "connection",
     {"memory", "memory", NULL, "default"},
     "sorting and temporary tables touch no disk"},
    {"mmap_size",
     "connection",
     {"268435456", "268435456", NULL, "0"},
     "pages are read from memory that the kernel shares, without a copy"},
};
const int tune_setting_count = ArraySize(tune_settings);

static const char *const azProfile[] = {"wal", "streaming", "durable",
                                        "rollback"};

static const char *word(const char *const *azWord, int n, i64 i) {
  return i >= 0 && i < n ? azWord[i] : "?";
}

/* What a setting is; caller frees. */
char *tune_current(StewardCall *c, const char *zSetting) {
  static const char *const azSync[] = {"off", "normal", "full", "extra"};
  static const char *const azTemp[] = {"default", "file", "memory"};
  static const char *const azVacuum[] = {"none", "full", "incremental"};
  char *z;
  if (strcmp(zSetting, "synchronous") == 0) {
    return steward_mprintf(
        c, "%s",
        word(azSync, 4, steward_exec_int(c, 0, "PRAGMA main.synchronous")));
  }
  if (strcmp(zSetting, "temp_store") == 0) {
    return steward_mprintf(
        c, "%s", word(azTemp, 3, steward_exec_int(c, 0, "PRAGMA temp_store")));
  }
  if (strcmp(zSetting, "auto_vacuum") == 0) {
    return steward_mprintf(
        c, "%s",
        word(azVacuum, 3, steward_exec_int(c, 0, "PRAGMA main.auto_vacuum")));
  }
  if (strcmp(zSetting, "busy_timeout") == 0) {
    return steward_exec_text(c, "PRAGMA busy_timeout");
  }
  z = steward_exec_text(c, "PRAGMA main.%s", zSetting);
  /* mmap_size gives no row where there is no file */
  return z || c->rc ? z : steward_mprintf(c, "0");
}

/* Why it cannot be changed now, or NULL. */
const char *tune_obstacle(StewardCall *c, const char *zSetting,
                          const char *zWanted) {
  const char *zFile = sqlite3_db_filename(c->db, "main");
  int bFile = zFile && zFile[0];
  /* the table's own reading is none of the transactions that matter */
  int bOpen = !sqlite3_get_autocommit(c->db) ||
              (c->ctx && sqlite3_txn_state(c->db, "main") != SQLITE_TXN_NONE);
  int bJournal = strcmp(zSetting, "journal_mode") == 0;
  if (c->rc) return NULL;
  if (bJournal && !bFile) return "a database in memory has no journal file";
  if (bJournal && sqlite3_db_readonly(c->db, "main") == 1) {
    return "the database is open read-only";
  }
  if (bJournal && steward_on_dqlite(c->p)) return "dqlite has its own WAL";
  if (bOpen && (bJournal || strcmp(zSetting, "synchronous") == 0 ||
                strcmp(zSetting, "temp_store") == 0)) {
    return "SQLite does not change it inside a transaction: call it on its "
           "own, outside of BEGIN";
  }
  if (strcmp(zSetting, "mmap_size") == 0 && !bFile) {
    return "a database in memory is not mapped";
  }
  if (strcmp(zSetting, "temp_store") == 0 &&
      steward_int(c, SQL_tune_temp_objects, 0, "") > 0) {
    return "it would drop this connection's temporary tables";
  }
  if (strcmp(zSetting, "synchronous") == 0 && strcmp(zWanted, "normal") == 0) {
    char *zMode = tune_current(c, "journal_mode");
    int bWal = zMode && strcmp(zMode, "wal") == 0;
    sqlite3_free(zMode);
    if (!bWal) return "without a WAL a power cut could damage the file";
  }
  return NULL;
}

/* Set it; why that failed, or NULL.  Caller frees. */
static char *set_pragma(StewardCall *c, const char *zSetting,
                        const char *zWanted) {
  StewardCall own = {.p = c->p, .db = c->db, .zFunc = c->zFunc};
  i64 iDeadline = steward_monotonic_us() + c->iPatience * 1000;
  if (c->rc) return NULL;
  do {
    steward_exec(&own, "PRAGMA %s%s = %s",
                 strcmp(zSetting, "temp_store") ? "main." : "", zSetting,
                 zWanted);
  } while (steward_busy_again(&own, iDeadline));
  if (own.rc == SQLITE_NOMEM) steward_fail_nomem(c);
  if ((own.rc & 0xff) == SQLITE_BUSY && strcmp(zWanted, "delete") == 0) {
    /* to wait for a lock is of no use */
    sqlite3_free(own.zErr);
    own.zErr = steward_mprintf(
        c,
        "BUSY: %s: other connections have the file open, and a WAL ends "
        "with the last of them: close them (SELECT keeper_stop() ends this "
        "one's keeper), then call it again",
        c->zFunc);
  }
  return own.zErr;
}

/* Why SQLite left it as it was, without saying so. */
static const char *silent_reason(const char *zSetting) {
  if (strcmp(zSetting, "mmap_size") == 0) {
    return "this SQLite was built with a smaller limit";
  }
  if (strcmp(zSetting, "journal_mode") == 0) {
    return "another connection uses the file, or its file system has no shared "
           "memory: try again when it is quiet";
  }
  return "SQLite left it as it was";
}

typedef struct Result {
  sqlite3_str *pChanged;
  sqlite3_str *pUnchanged;
  sqlite3_str *pRefused;
} Result;

static void comma(sqlite3_str *s) {
  if (sqlite3_str_length(s) > 0) sqlite3_str_appendall(s, ",");
}

static void apply_setting(StewardCall *c, const TuneSetting *t,
                          const char *zWanted, Result *r) {
  char *zWas = tune_current(c, t->zName), *zIs = NULL, *zErr = NULL;
  const char *zWhy = NULL;
  if (c->rc == SQLITE_OK && zWas && sqlite3_stricmp(zWas, zWanted) == 0) {
    comma(r->pUnchanged);
    sqlite3_str_appendf(r->pUnchanged, "\"%s\"", t->zName);
    sqlite3_free(zWas);
    return;
  }
  zWhy = tune_obstacle(c, t->zName, zWanted);
  if (zWhy == NULL) zErr = set_pragma(c, t->zName, zWanted);
  zIs = tune_current(c, t->zName);
  if (c->rc == SQLITE_OK && zIs && sqlite3_stricmp(zIs, zWanted) == 0) {
    comma(r->pChanged);
    sqlite3_str_appendf(r->pChanged,
                        "{\"setting\":\"%s\",\"was\":\"%s\",\"is\":\"%s\"}",
                        t->zName, zWas, zIs);
  } else if (c->rc == SQLITE_OK && zIs) {
    if (zWhy == NULL) zWhy = zErr ? zErr : silent_reason(t->zName);
    comma(r->pRefused);
    sqlite3_str_appendf(
        r->pRefused,
        "{\"setting\":\"%s\",\"is\":\"%s\",\"wanted\":\"%s\",\"why\":",
        t->zName, zIs, zWanted);
    steward_json_string(r->pRefused, zWhy, (int)strlen(zWhy));
    sqlite3_str_appendall(r->pRefused, "}");
  }
  sqlite3_free(zWas);
  sqlite3_free(zIs);
  sqlite3_free(zErr);
}

/* The seed's pool: 25 connections, 5 of them idle, each for 300 s. */
enum { IDLE = 5, MOST = 25, TIMEOUT_S = 30, AGE_MS = 300000 };

/* 1: the rows were not like that. */
static int store_pool(StewardCall *c) {
  char *zPath = steward_db_path(c->p);
  int nBefore = sqlite3_total_changes(c->db);
  if (zPath == NULL) steward_fail_nomem(c);
  steward_run(c, SQL_tune_pool, "tlll", zPath, (i64)IDLE, (i64)MOST,
              (i64)TIMEOUT_S);
  steward_run(c, SQL_tune_pool_options, "tll", zPath, (i64)IDLE, (i64)AGE_MS);
  sqlite3_free(zPath);
  return sqlite3_total_changes(c->db) != nBefore;
}

/* What `streaming` has stored goes again; other rows stay. */
static int drop_pool(StewardCall *c) {
  char *zPath = steward_db_path(c->p);
  int nBefore = sqlite3_total_changes(c->db);
  if (zPath == NULL) steward_fail_nomem(c);
  steward_run(c, SQL_tune_pool_drop, "tllll", zPath, (i64)IDLE, (i64)MOST,
              (i64)TIMEOUT_S, (i64)AGE_MS);
  sqlite3_free(zPath);
  return sqlite3_total_changes(c->db) != nBefore;
}

static void apply_pool(StewardCall *c, int bStreaming, Result *r) {
  StewardCall own;
  sqlite3_vtab holder = {0};
  int bChanged = 0, rc;
  steward_open_table(&own, c->p, c->zFunc, "maintenance", STEWARD_WRITE);
  if (own.rc == SQLITE_OK) {
    bChanged = bStreaming ? store_pool(&own) : drop_pool(&own);
  }
  rc = steward_close_table(&own, &holder);
  if (rc == SQLITE_NOMEM) {
    steward_fail_nomem(c);
  } else if (rc) {
    comma(r->pRefused);
    sqlite3_str_appendall(r->pRefused, "{\"setting\":\"pool\",\"is\":\"\","
                                       "\"wanted\":\"5..25 for 5m\",\"why\":");
    steward_json_string(r->pRefused, holder.zErrMsg,
                        (int)strlen(holder.zErrMsg));
    sqlite3_str_appendall(r->pRefused, "}");
  } else if (bChanged) {
    comma(r->pChanged);
    sqlite3_str_appendall(
        r->pChanged,
        bStreaming
            ? "{\"setting\":\"pool\",\"was\":\"\",\"is\":\"5..25 for 5m\"}"
            : "{\"setting\":\"pool\",\"was\":\"5..25 for 5m\",\"is\":\"\"}");
  } else if (bStreaming) {
    comma(r->pUnchanged);
    sqlite3_str_appendall(r->pUnchanged, "\"pool\"");
  }
  sqlite3_free(holder.zErrMsg);
}

/* Is there anything about the pool to be done? */
static int pool_wanted(StewardCall *c, int eProfile) {
  if (eProfile == TUNE_STREAMING) return 1;
  return eProfile == TUNE_ROLLBACK && steward_installed(c, "maintenance") &&
         sqlite3_db_readonly(c->db, "main") != 1;
}

/* What a list came to, owned. */
static char *list_of(StewardCall *c, sqlite3_str *s) {
  char *z = sqlite3_str_finish(s);
  return z ? z : steward_mprintf(c, "%s", "");
}

/* Apply a profile; what came of it, as JSON.  Caller frees.  *pzRefused, if
** asked for: the refusals alone, without brackets. */
char *tune_profile(StewardCall *c, int eProfile, char **pzRefused) {
  Result r = {sqlite3_str_new(c->db), sqlite3_str_new(c->db),
              sqlite3_str_new(c->db)};
  char *zChanged, *zUnchanged, *zRefused, *zResult = NULL;
  int i;
  for (i = 0; i < tune_setting_count && c->rc == SQLITE_OK; i++) {
    const char *zWanted = tune_settings[i].azWanted[eProfile];
    if (zWanted) apply_setting(c, &tune_settings[i], zWanted, &r);
  }
  if (c->rc == SQLITE_OK && pool_wanted(c, eProfile)) {
    apply_pool(c, eProfile == TUNE_STREAMING, &r);
  }
  zChanged = list_of(c, r.pChanged);
  zUnchanged = list_of(c, r.pUnchanged);
  zRefused = list_of(c, r.pRefused);
  if (c->rc == SQLITE_OK) {
    zResult =
        steward_mprintf(c,
                        "{\"profile\":\"%s\",\"changed\":[%s],"
                        "\"unchanged\":[%s],\"refused\":[%s]}",
                        azProfile[eProfile], zChanged, zUnchanged, zRefused);
    if (zChanged[0] || zRefused[0]) {
      steward_note(c, "tune", -1, zResult, NULL);
    }
    if (c->rc) {
      sqlite3_free(zResult);
      zResult = NULL;
    }
  }
  sqlite3_free(zChanged);
  sqlite3_free(zUnchanged);
  if (pzRefused) {
    *pzRefused = zRefused;
  } else {
    sqlite3_free(zRefused);
  }
  return zResult;
}

/* The same while others migrate; caller frees both. */
char *tune_patiently(StewardCall *c, int eProfile, char **pzRefused) {
  enum { PATIENCE_MS = 2000 };
  i64 iDeadline = steward_monotonic_us() + PATIENCE_MS * 1000;
  char *zResult = NULL;
  c->iPatience = PATIENCE_MS;
  do {
    if (pzRefused) sqlite3_free(*pzRefused);
    if (pzRefused) *pzRefused = NULL;
    zResult = tune_profile(c, eProfile, pzRefused);
  } while (zResult == NULL && steward_busy_again(c, iDeadline));
  return zResult;
}

/* The pragmas of a migration that has just been committed: as a call of their
** own, for SQLite changes some only there.  What is refused is in keeper_log.
** Others may be migrating, too: it waits for them as the migration did. */
int tune_after(sqlite3_context *ctx, const char *zFunc, int eProfile) {
  StewardCall c;
  steward_open(&c, ctx, zFunc, NULL, STEWARD_READ);
  sqlite3_free(tune_patiently(&c, eProfile, NULL));
  return steward_close(&c);
}

/* tune_apply(profile TEXT) -> JSON, what was changed and what not   directonly
** Set pragmas: `wal` (journal_mode wal, synchronous normal, 64 MB of cache,
** temp_store memory, 256 MB mapped), `streaming` (the same with 10000 pages of
** cache, and for the pool 5 to 25 connections that live 5 minutes, 5 of them
** idle), `durable` (WAL and synchronous full: a commit that returned survives a
** power cut), `rollback` (journal_mode delete and the values that the
** maintenance seed calls the defaults; the pool of `streaming` goes).  Only the
** journal mode and the pool last beyond this connection.
** Members: profile, changed (setting, was, is), unchanged, refused (setting,
** is, wanted, why): SQLite changes journal_mode, synchronous and temp_store
** outside of a transaction only, temp_store would drop temporary tables, and
** synchronous normal is not set where there is no WAL.  Logged in keeper_log
** as `tune`.
** Errors: "INVALID_ARGUMENT: tune_apply: profile must be wal, streaming,
**   durable or rollback, got 'x'".
** Source: seed 001, UP and DOWN; seed 004, 3.2 and 5.1.
** Example: SELECT tune_apply('rollback') ->> '$.profile'; -- rollback
*/
static void tune_apply(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zProfile;
  char *zResult = NULL;
  int eProfile = 0;
  steward_open(&c, ctx, "tune_apply", NULL, STEWARD_READ);
  zProfile = steward_arg_text(&c, argv[0], "profile", 64);
  while (zProfile && eProfile < ArraySize(azProfile) &&
         sqlite3_stricmp(zProfile, azProfile[eProfile])) {
    eProfile++;
  }
  if (c.rc == SQLITE_OK && eProfile == ArraySize(azProfile)) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "profile must be wal, streaming, durable or rollback, got "
                 "'%s'",
                 zProfile);
  }
  if (c.rc == SQLITE_OK) zResult = tune_profile(&c, eProfile, NULL);
  steward_close_json(&c, zResult);
}

static const StewardFunc aFunc[] = {
    {"tune_apply", 1, 1, STEWARD_DIRECTONLY, tune_apply, NULL, 0},
};

int tune_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
