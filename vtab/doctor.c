/*
** doctor.c - steward_doctor: what is wrong with this database, why it matters,
** and the SQL that mends it.
**
** Each kind of finding is a row of aKind and a statement of sql/doctor.sql.
** All of them together read the schema and small tables only, so that they take
** milliseconds whatever the size of the file.
*/
#include <string.h>

#include "../ext/health_int.h"

typedef struct Kind {
  const char *zSeverity; /* critical: data is at risk; warning; advice */
  const char *zName;
  enum StewardSqlId eSql;
  const char *zSet; /* asked where this is there whole, or NULL */
  const char *zWhy;
  const char *zEffect; /* of the SQL, with its cost */
  enum {
    ARG_NONE,
    ARG_NAME,    /* ?1 is the kind's name */
    ARG_NOW,     /* ?1 is the clock, ms */
    ARG_SETTING, /* ?1 is the kind's name, ?2 wal_autocheckpoint */
    ARG_CHECK,   /* asked where the check of that name is not healthy */
    ARG_NUMBERS, /* ?1 is a list that C makes */
    ARG_INDEXES,
    ARG_ARCHIVES
  } eArg;
} Kind;

static const Kind aKind[] = {
    {"critical", "file", SQL_doctor_check, NULL,
     "what is written here goes with this connection, and nobody else sees it",
     "looks again: copy what you need to the file that is there now, then "
     "close "
     "the connection and open it anew",
     ARG_CHECK},
    {"critical", "synchronous", SQL_doctor_settings, NULL,
     "after a power cut the last transactions, or the whole file, can be lost",
     "commits reach the disk; each waits for it", ARG_SETTING},
    {"critical", "journal_mode", SQL_doctor_settings, NULL,
     "a crash in the middle of a write leaves a damaged file, or half of a "
     "transaction",
     "what was not committed is undone, whatever happens; kept in the file",
     ARG_SETTING},
    {"critical", "migrations", SQL_doctor_migrations, "core",
     "functions that need what is missing fail",
     "what is missing is made; milliseconds", ARG_NONE},
    {"critical", "migrations", SQL_doctor_pending, "core",
     "functions that need what is missing fail",
     "what is missing is made; milliseconds", ARG_NONE},
    {"critical", "integrity", SQL_doctor_pass, "maintenance",
     "rows can be lost or wrong wherever the damaged pages are read",
     "looks again; where rows are damaged, restore the last backup first "
     "(vacuum_into() makes them), or save what can be read with .recover",
     ARG_NAME},
    {"critical", "indexes", SQL_doctor_pass, "maintenance",
     "queries that use the index miss rows, or find rows that are gone",
     "the index is made anew from its table, which nobody can write meanwhile; "
     "then the file is read again",
     ARG_NAME},
    {"warning", "foreign_keys", SQL_doctor_pass, "maintenance",
     "rows refer to rows that are not there, or (a mismatch) nothing can be "
     "written, as what they refer to has no unique index",
     "these rows are deleted: look at them first with PRAGMA "
     "foreign_key_check; a unique index that lacks is made; "
     "where the table they refer to is gone, only looks again",
     ARG_NAME},
    {"warning", "storage_space", SQL_doctor_check, NULL,
     "a full disk fails every write, and a vacuum needs room for a copy",
     "space of the file is given back, where there is any; else it looks "
     "again: "
     "make room on the disk, or move the bound, health_storage_space_warning",
     ARG_CHECK},
    {"warning", "clock_back", SQL_doctor_clock_back, "core",
     "what was written by the later clock expires late, and looks new for long",
     "the times are taken back to now; set the clock first", ARG_NOW},
    {"warning", "jobs", SQL_doctor_jobs, "jobs",
     "work that was promised is not done",
     "it is done again by the next worker", ARG_NOW},
    {"warning", "pool", SQL_doctor_pool, NULL,
     "callers wait for a connection, and can time out",
     "the pool of this process may have twice as many", ARG_NONE},
    {"warning", "transactions", SQL_doctor_check, NULL,
     "what it began to read, or has locked, stays: the WAL grows, writers wait",
     "looks again: end the transaction there first", ARG_CHECK},
    {"warning", "checkpoint", SQL_doctor_check, NULL,
     "the WAL grows and reads get slower as long as a reader stays on an old "
     "snapshot",
     "tries again: end the long reads first", ARG_CHECK},
    {"warning", "wal_autocheckpoint", SQL_doctor_settings, NULL,
     "the WAL grows until somebody copies it",
     "a commit that brings it to 1000 pages copies it", ARG_SETTING},
    {"warning", "performance", SQL_doctor_check, "maintenance",
     "something takes longer than it did: perf_regressions lists what",
     "what is now counts as normal: look for the reason first", ARG_CHECK},
    {"warning", "metrics", SQL_doctor_metrics, "maintenance",
     "perf_rollup() and perf_summary leave them out, and retention takes those "
     "whose time cannot be read before the others",
     "what is no time or no number goes, other times get the form that "
     "datetime() gives; every metric is read once",
     ARG_NONE},
    {"warning", "vacuum_failed", SQL_doctor_vacuum_failed, "maintenance",
     "free space stays in the file, or there is no copy of it",
     "it is tried again, a copy under a name beside the file; a full one locks "
     "the file meanwhile",
     ARG_NONE},
    {"warning", "clock", SQL_doctor_clock, "core",
     "nothing expires and no retention works while the clock stands",
     "the clock runs again", ARG_NONE},
    {"warning", "expiry", SQL_doctor_expiry, "core",
     "rows that should have gone stay, or an application's INSERT can fail",
     "the policy works again; a sweep writes for as long as rows are due",
     ARG_NONE},
    {"warning", "deliveries", SQL_doctor_deliveries, "delivery",
     "the consumer does not get what it subscribed to: it is too slow, or its "
     "bound is too low (max_pending), or it is not running",
     "the loss is accepted, and the consumer goes on from here", ARG_NONE},
    {"warning", "busy_timeout", SQL_doctor_settings, NULL,
     "while another connection writes, every write here fails at once with "
     "'database is locked'",
     "writes wait for up to 5 s", ARG_SETTING},
    {"warning", "foreign_keys_off", SQL_doctor_settings, NULL,
     "rows can refer to rows that are not there",
     "later writes are checked; PRAGMA foreign_key_check lists what is wrong "
     "already",
     ARG_SETTING},
    {"warning", "wal", SQL_doctor_wal, NULL,
     "reads get slower with its length, and the disk fills",
     "it is copied into the file and cut; writers wait meanwhile", ARG_NONE},
    {"warning", "vacuum_orphans", SQL_doctor_vacuum_orphans, "maintenance",
     "the log says that it still runs", "the entry is closed", ARG_NONE},
    {"advice", "journal_mode", SQL_doctor_journal_mode, NULL,
     "readers and writers keep each other waiting, and a commit takes two "
     "syncs",
     "readers and one writer work side by side; kept in the file", ARG_NONE},
    {"advice", "free_space", SQL_doctor_free_space, NULL,
     "the file is larger, and backups take longer, than need be",
     "the space goes back to the file system; a full vacuum locks the file",
     ARG_NONE},
    {"advice", "fragmentation", SQL_doctor_check, "maintenance",
     "the file is larger, and scans read more pages, than need be",
     "the file is written anew, and locked meanwhile", ARG_CHECK},
    {"advice", "keyless", SQL_doctor_keyless, NULL,
     "nothing says which row is meant: a VACUUM may number them anew, and "
     "streams and merges need a key",
     "the table gets a key column; every row is written once, which runs its "
     "UPDATE triggers; an INSERT gives the key from then on, and names its "
     "columns or has one value more",
     ARG_ARCHIVES},
    {"advice", "text_numbers", SQL_doctor_text_numbers, NULL,
     "'10' comes before '9' and is not equal to 10",
     "text that reads the same as an integer becomes that integer, in these "
     "rows only: all other text stays as it is; from then on 10 finds them, "
     "and "
     "'10' does not; the table is read once, and its UPDATE triggers run",
     ARG_NUMBERS},
    {"advice", "unused_index", SQL_doctor_unused_index, NULL,
     "every write keeps it up to date for nothing, if what was captured is all "
     "there is",
     "writes get cheaper and the file smaller", ARG_INDEXES},
    {"advice", "statistics_old", SQL_doctor_check, NULL,
     "the planner decides by what the tables were",
     "it knows what they are; reads about 400 rows of each index", ARG_CHECK},
    {"advice", "foreign_key_index", SQL_doctor_foreign_key_index, NULL,
     "each DELETE or key change in the table referred to scans this one",
     "it becomes a look-up; building it reads the table once", ARG_NONE},
    {"advice", "duplicate_index", SQL_doctor_duplicate_index, NULL,
     "every write keeps it up to date, and no query needs it",
     "writes get cheaper and the file smaller", ARG_NONE},
    {"advice", "statistics", SQL_doctor_statistics, NULL,
     "the planner guesses which index is best",
     "it knows; reads about 400 rows of each index", ARG_NONE},
};

/* steward_doctor(severity TEXT, finding TEXT, what TEXT, why TEXT,
**   evidence TEXT, sql TEXT, effect TEXT)                            table
** What is wrong with this database and this connection, the worst first; empty
** when all is well.  severity is critical (data is at risk), warning or advice;
** finding is the kind.  evidence is JSON; sql, run on this connection, makes
** the row go away, or, where only you can mend it (file, integrity,
** transactions, checkpoint, storage_space of a disk that others fill,
** foreign_keys to a table that is gone), looks again; effect says what it does
** and costs, and what to do first.
** Of your data it knows what health_run() has read; itself it reads the schema,
** small tables, and 40 rows of each of 100 tables, so that it takes
** milliseconds at any size.
** Source: seed 001, health monitoring.
** Example: CREATE TABLE t(a INTEGER PRIMARY KEY, b, c);
**   CREATE INDEX t_b ON t(b);
**   CREATE INDEX t_bc ON t(b, c);
**   SELECT severity, sql FROM steward_doctor WHERE finding='duplicate_index';
**   -- advice|DROP INDEX "main"."t_b"
*/
static void take_rows(StewardCall *c, StewardRows *r, const Kind *k,
                      sqlite3_stmt *pRow) {
  while (steward_next(c, pRow)) {
    steward_row(c, r, "ttvtvvt", k->zSeverity, k->zName,
                sqlite3_column_value(pRow, 0), k->zWhy,
                sqlite3_column_value(pRow, 1), sqlite3_column_value(pRow, 2),
                k->zEffect);
  }
  steward_give(c, k->eSql, pRow);
}

/* A check of health that is not healthy. */
static void check_rows(StewardCall *c, StewardRows *r, const Kind *k,
                       HealthLook *l) {
  HealthCheck check;
  const char *zType = k->zName;
  if (strcmp(zType, "statistics_old") == 0) zType = "statistics";
  if (strcmp(zType, "file") == 0) zType = "storage_space";
  health_look_check(c, l, zType, &check);
  if (c->rc == SQLITE_OK && (strcmp(check.zStatus, "warning") == 0 ||
                             strcmp(check.zStatus, "critical") == 0)) {
    take_rows(c, r, k,
              steward_query(c, k->eSql, "tdt", k->zName, check.rValue,
                            check.zDetails));
  }
  sqlite3_free(check.zDetails);
}

static void kind_rows(StewardCall *c, StewardRows *r, const Kind *k,
                      HealthLook *l) {
  char *zList = NULL;
  if (k->zSet && !steward_set_ready(c, k->zSet)) return;
  switch (k->eArg) {
  case ARG_NONE: take_rows(c, r, k, steward_query(c, k->eSql, "")); break;
  case ARG_NAME:
    take_rows(c, r, k, steward_query(c, k->eSql, "t", k->zName));
    break;
  case ARG_NOW:
    if (c->p->clock.bPinned && strcmp(k->zName, "clock_back") == 0) break;
    take_rows(c, r, k, steward_query(c, k->eSql, "l", steward_now(c->p)));
    break;
  case ARG_SETTING:
    take_rows(
        c, r, k,
        steward_query(c, k->eSql, "tl", k->zName,
                      steward_exec_int(c, 0, "PRAGMA wal_autocheckpoint")));
    break;
  case ARG_CHECK: check_rows(c, r, k, l); break;
  case ARG_NUMBERS: zList = health_text_numbers(c); break;
  case ARG_INDEXES: zList = health_unused_indexes(c); break;
  case ARG_ARCHIVES: zList = health_archives(c); break;
  }
  if (zList) take_rows(c, r, k, steward_query(c, k->eSql, "t", zList));
  sqlite3_free(zList);
}

/* Where something of ours is missing, or a set has steps to come, which is a
** finding itself, some questions cannot be asked: they wait until it is
** mended. */
static void doctor_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  int i, bMissing = 0;
  HealthLook l;
  health_look_open(c, &l);
  for (i = 0; i < ArraySize(aKind) && c->rc == SQLITE_OK; i++) {
    int nBefore = steward_row_count(r);
    kind_rows(c, r, &aKind[i], &l);
    if (aKind[i].eSql == SQL_doctor_migrations) {
      bMissing = steward_row_count(r) > nBefore;
    } else if (bMissing && c->rc == SQLITE_ERROR) {
      sqlite3_free(c->zErr);
      c->zErr = NULL;
      c->rc = SQLITE_OK;
    }
  }
  health_look_free(&l);
}

static const StewardTable aTable[] = {
    {.zName = "steward_doctor",
     .zColumns = "severity TEXT, finding TEXT, what TEXT, why TEXT,"
                 " evidence TEXT, sql TEXT, effect TEXT",
     .xRows = doctor_rows},
};

int doctor_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
