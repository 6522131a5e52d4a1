/*
** doctor.c - steward_doctor: what is wrong with this database, why it matters,
** and the SQL that mends it.
**
** Each kind of finding is a row of aKind and a statement of sql/doctor.sql.
** All of them together read the schema and small tables only, so that they take
** milliseconds whatever the size of the file.
*/
#include "steward_int.h"

typedef struct Kind {
  const char *zSeverity; /* critical: data is at risk; warning; advice */
  const char *zName;
  enum StewardSqlId eSql;
  const char *zSet; /* asked only where this is installed, or NULL */
  const char *zWhy;
  const char *zEffect; /* of the SQL, with its cost */
} Kind;

static const Kind aKind[] = {
    {"critical", "synchronous", SQL_doctor_synchronous, NULL,
     "after a power cut the last transactions, or the whole file, can be lost",
     "commits reach the disk; each waits for it"},
    {"critical", "migrations", SQL_doctor_migrations, "core",
     "functions that need what is missing fail",
     "what is missing is made; milliseconds"},
    {"warning", "clock", SQL_doctor_clock, "core",
     "nothing expires and no retention works while the clock stands",
     "the clock runs again"},
    {"warning", "expiry", SQL_doctor_expiry, "core",
     "rows that should have gone stay, or an application's INSERT can fail",
     "the policy works again; a sweep writes for as long as rows are due"},
    {"warning", "deliveries", SQL_doctor_deliveries, "delivery",
     "the consumer does not get what it subscribed to: it is too slow, or its "
     "bound is too low (max_pending), or it is not running",
     "the loss is accepted, and the consumer goes on from here"},
    {"warning", "busy_timeout", SQL_doctor_busy_timeout, NULL,
     "while another connection writes, every write here fails at once with "
     "'database is locked'",
     "writes wait for up to 5 s"},
    {"warning", "foreign_keys_off", SQL_doctor_foreign_keys_off, NULL,
     "rows can refer to rows that are not there",
     "later writes are checked; PRAGMA foreign_key_check lists what is wrong "
     "already"},
    {"warning", "wal", SQL_doctor_wal, NULL,
     "reads get slower with its length, and the disk fills",
     "it is copied into the file and cut; writers wait meanwhile"},
    {"warning", "vacuum_orphans", SQL_doctor_vacuum_orphans, "maintenance",
     "the log says that it still runs", "the entry is closed"},
    {"advice", "journal_mode", SQL_doctor_journal_mode, NULL,
     "readers and writers keep each other waiting, and a commit takes two "
     "syncs",
     "readers and one writer work side by side; kept in the file"},
    {"advice", "free_space", SQL_doctor_free_space, NULL,
     "the file is larger, and backups take longer, than need be",
     "the space goes back to the file system; a full vacuum locks the file"},
    {"advice", "foreign_key_index", SQL_doctor_foreign_key_index, NULL,
     "each DELETE or key change in the table referred to scans this one",
     "it becomes a look-up; building it reads the table once"},
    {"advice", "duplicate_index", SQL_doctor_duplicate_index, NULL,
     "every write keeps it up to date, and no query needs it",
     "writes get cheaper and the file smaller"},
    {"advice", "statistics", SQL_doctor_statistics, NULL,
     "the planner guesses which index is best",
     "it knows; reads about 400 rows of each index"},
};

/* steward_doctor(severity TEXT, finding TEXT, what TEXT, why TEXT,
**   evidence TEXT, sql TEXT, effect TEXT)                            table
** What is wrong with this database and this connection, the worst first; empty
** when all is well.  severity is critical (data is at risk), warning or advice;
** finding is the kind: synchronous, migrations, clock, expiry, deliveries,
** busy_timeout, foreign_keys_off, wal, vacuum_orphans, journal_mode,
** free_space,
** foreign_key_index, duplicate_index, statistics.  evidence is JSON; sql, run
** on
** this connection, makes the row go away; effect says what it does and costs.
** Reads the schema and small tables only.
** Source: seed 001, health monitoring.
** Example: CREATE TABLE t(a, b);
**   CREATE INDEX t_a ON t(a);
**   CREATE INDEX t_ab ON t(a, b);
**   SELECT severity, sql FROM steward_doctor WHERE finding='duplicate_index';
**   -- advice|DROP INDEX "t_a"
*/
static void kind_rows(StewardCall *c, StewardRows *r, const Kind *k) {
  sqlite3_stmt *pRow;
  if (k->zSet && !steward_installed(c, k->zSet)) return;
  pRow = steward_query(c, k->eSql, "");
  while (steward_next(c, pRow)) {
    steward_row(c, r, "ttvtvvt", k->zSeverity, k->zName,
                sqlite3_column_value(pRow, 0), k->zWhy,
                sqlite3_column_value(pRow, 1), sqlite3_column_value(pRow, 2),
                k->zEffect);
  }
  steward_give(c, k->eSql, pRow);
}

/* Where something of ours is missing, which is a finding itself, some questions
** cannot be asked: they wait until it is mended. */
static void doctor_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  int i, bMissing = 0;
  for (i = 0; i < ArraySize(aKind) && c->rc == SQLITE_OK; i++) {
    int nBefore = steward_row_count(r);
    kind_rows(c, r, &aKind[i]);
    if (aKind[i].eSql == SQL_doctor_migrations) {
      bMissing = steward_row_count(r) > nBefore;
    } else if (bMissing && c->rc == SQLITE_ERROR) {
      sqlite3_free(c->zErr);
      c->zErr = NULL;
      c->rc = SQLITE_OK;
    }
  }
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
