/*
** health_check.c - the checks.
**
** Each gives a value; two settings say from where on it is a warning and from
** where on critical, and some states decide by themselves.  All of them only
** read.  What takes long (the pass over the file, the counts of pages) stands
** in slices that health_run() moves; here only a file that is small is read at
** once.
*/
#include <string.h>

#include "health_int.h"

typedef struct Kind {
  const char *zType;
  void (*xCheck)(StewardCall *, HealthLook *, HealthCheck *);
  enum StewardSqlId eSql; /* or a statement, for ... */
  const char *zArg;       /* ... "", "l": ms of the clock */
  const char *zSet;       /* what must be installed, or NULL */
  const char *zWarning;   /* settings; NULL: 1 and never */
  const char *zCritical;
} Kind;

/* Its status by its value; what was decided stays. */
static void decide(StewardCall *c, const Kind *pKind, HealthCheck *k) {
  double rCritical = -1;
  k->rThreshold = 1;
  if (pKind->zWarning) {
    k->rThreshold = (double)steward_setting_int(c, pKind->zWarning);
  }
  if (pKind->zCritical) {
    rCritical = (double)steward_setting_int(c, pKind->zCritical);
  }
  if (k->zStatus == NULL || strcmp(k->zStatus, "warning") == 0) {
    if (pKind->zCritical && k->rValue >= rCritical) {
      k->zStatus = "critical";
    } else if (k->zStatus == NULL) {
      k->zStatus = k->rValue >= k->rThreshold ? "warning" : "healthy";
    }
  }
}

/* The word that stays when the statement is given back. */
static const char *status_word(const char *z) {
  static const char *const azWord[] = {"healthy", "warning", "critical",
                                       "unknown"};
  int i;
  for (i = 0; z && i < 4; i++) {
    if (strcmp(z, azWord[i]) == 0) return azWord[i];
  }
  return NULL;
}

/* A check that is a statement: value, details, status. */
static void check_statement(StewardCall *c, const Kind *pKind, HealthCheck *k) {
  sqlite3_stmt *pRow = steward_query(c, pKind->eSql, pKind->zArg[0] ? "l" : "",
                                     steward_now(c->p));
  if (steward_next(c, pRow)) {
    k->rValue = sqlite3_column_double(pRow, 0);
    k->zDetails = steward_mprintf(c, "%s", steward_column(c, pRow, 1));
    k->zStatus = status_word((const char *)sqlite3_column_text(pRow, 2));
  }
  steward_give(c, pKind->eSql, pRow);
}

/*************************************************************************
** The pass over the file
*/

/* What a pass has left out of what a check is about. */
typedef struct Left {
  i64 nSkipped; /* by the slices: PRAGMA integrity_check can read it */
  i64 nUnread;  /* by that, too, in the last pass or since */
} Left;

static void left_out(StewardCall *c, const StewardSlice *s, const char *zType,
                     Left *pLeft) {
  i64 nSince =
      steward_int(c, SQL_health_skipped, 0, "ttt", s->zFound, zType, "unread");
  pLeft->nSkipped = steward_int(c, SQL_health_skipped, 0, "ttt", s->zResult,
                                zType, "skipped");
  pLeft->nUnread =
      steward_int(c, SQL_health_skipped, 0, "ttt", s->zResult, zType, "unread");
  if (pLeft->nUnread < nSince) pLeft->nUnread = nSince;
}

/* Why a pass says nothing about now; NULL: it does. */
static const char *pass_stale(StewardCall *c, const StewardSlice *s) {
  enum { AHEAD = 60000 };
  i64 iSince = steward_now(c->p) - steward_setting_int(c, "health_pass_age");
  if (s->iPassed > steward_now(c->p) + AHEAD) {
    return "the clock was set back since the file was read to its end";
  }
  if (s->iPassed == 0) return "the file has not been read to its end yet";
  if (s->iPassed < iSince) return "the file was read to its end too long ago";
  return NULL;
}

/* What is lacking to a verdict about the whole file; NULL: nothing.  What the
** slices leave out counts as read when PRAGMA integrity_check has read it. */
static const char *pass_lacks(StewardCall *c, const HealthPass *h,
                              const Left *pLeft) {
  const char *zStale = pass_stale(c, &h->s);
  if (zStale) return zStale;
  if (pLeft->nUnread) {
    return "some of the file cannot be read by another connection than the "
           "application's";
  }
  if (pLeft->nSkipped && pass_stale(c, &h->whole)) {
    return "some of the file can be read by health_full() only";
  }
  return NULL;
}

/* The share of the file that was read. */
static double pass_coverage(const StewardSlice *s, int bStale, i64 nLeft) {
  if (!bStale) return 1.0 - (double)nLeft / (double)(s->nTotal + nLeft);
  if (s->iStarted == 0 || s->nTotal <= 0) return 0.0;
  return (double)s->nDone / (double)s->nTotal;
}

/* A warning is a pass that ended too long ago, unknown one that has not ended,
** or has left something out. */
static void check_pass(StewardCall *c, HealthLook *l, HealthCheck *k) {
  const StewardSlice *s = &l->pass.s;
  Left left;
  const char *zLacks, *zHelps = "SELECT health_full()";
  int bStale = pass_stale(c, s) != NULL;
  sqlite3_stmt *pRow;
  left_out(c, s, k->zType, &left);
  zLacks = pass_lacks(c, &l->pass, &left);
  if (!bStale && left.nUnread) {
    zHelps = k->zType[0] == 'f' ? "PRAGMA foreign_key_check"
                                : "PRAGMA integrity_check";
  }
  k->iPassed = s->iPassed;
  if (zLacks) {
    k->rCoverage = pass_coverage(s, bStale, left.nSkipped + left.nUnread);
  }
  pRow = steward_query(c, SQL_health_pass, "tttlltt", s->zResult, s->zFound,
                       k->zType, s->nDone, s->nTotal, zLacks, zHelps);
  if (steward_next(c, pRow)) {
    k->rValue = sqlite3_column_double(pRow, 0);
    k->zDetails = steward_mprintf(c, "%s", steward_column(c, pRow, 1));
  }
  steward_give(c, SQL_health_pass, pRow);
  if (k->rValue > 0) {
    k->zStatus = k->zType[0] == 'f' ? "warning" : "critical";
  } else if (zLacks) {
    k->zStatus = bStale && s->iPassed ? "warning" : "unknown";
  }
}

/*************************************************************************
** The file and its disk
*/

/* How much of the file holds nothing?  64 pages are nothing to speak of. */
static void check_freelist(StewardCall *c, HealthLook *l, HealthCheck *k) {
  i64 nPage = steward_pragma(c, "main", "page_count");
  i64 nFree = steward_pragma(c, "main", "freelist_count");
  k->rValue = nPage > 0 ? 100.0 * (double)nFree / (double)nPage : 0.0;
  if (nFree < 64) k->zStatus = "healthy";
  k->zDetails = steward_mprintf(
      c, "{\"pages\":%lld,\"free_pages\":%lld%s}", nPage, nFree,
      nFree < 64 || nFree * 10 < nPage
          ? ""
          : ",\"sql\":\"SELECT recommended FROM vacuum_status\"");
}

static void check_wal(StewardCall *c, HealthLook *l, HealthCheck *k) {
  i64 nBytes = steward_wal_bytes(c->db, "main");
  k->rValue = (double)nBytes;
  k->zDetails = steward_mprintf(
      c, "{\"wal_bytes\":%lld,\"pinned_by\":%s%s}", nBytes, l->zHolders,
      nBytes < 4194304 ? ""
                       : ",\"sql\":\"SELECT vacuum_checkpoint('truncate')\"");
}

/* Frames that the last checkpoint of health_run() had to leave. */
static void check_checkpoint(StewardCall *c, HealthLook *l, HealthCheck *k) {
  k->rValue = (double)l->wal.nTotal - (double)l->wal.nDone;
  if (steward_wal_bytes(c->db, "main") == 0) k->rValue = 0;
  k->zDetails = steward_mprintf(
      c, "{\"wal_frames\":%lld,\"checkpointed\":%lld,\"pinned_by\":%s%s}",
      l->wal.nTotal, l->wal.nDone, l->zHolders,
      k->rValue > 0 ? ",\"sql\":\"SELECT health_run()\"" : "");
}

/* What is written to a file that has no name any more is lost. */
static void note_moved(StewardCall *c, HealthCheck *k) {
  k->zStatus = "critical";
  sqlite3_free(k->zDetails);
  k->zDetails = steward_mprintf(
      c, "{\"replaced\":true,\"reason\":\"the file was deleted or replaced "
         "while this connection has it open: what is written here is lost\","
         "\"sql\":\"PRAGMA database_list\"}");
}

/* Room for the file to grow, and for temporary files. */
static void check_storage(StewardCall *c, HealthLook *l, HealthCheck *k) {
  const char *zFile = sqlite3_db_filename(c->db, "main");
  i64 nBytes = steward_pragma(c, "main", "page_count") *
               steward_pragma(c, "main", "page_size");
  i64 nFree = 0, nTemp = 0, nGrowth = 0;
  double rUsed = 0.0, rTemp = 0.0;
  char *zDirectory = steward_temp_directory(c);
  int bTemp = steward_disk(zDirectory, &nTemp, &rTemp);
  int bFile = zFile && zFile[0] && steward_disk(zFile, &nFree, &rUsed);
  sqlite3_free(zDirectory);
  if (!bFile) {
    int bMemory = zFile == NULL || zFile[0] == 0;
    k->zStatus = bMemory ? "healthy" : "unknown";
    k->rCoverage = bMemory ? 1.0 : 0.0;
    k->zDetails = steward_mprintf(c, "{\"bytes\":%lld}", nBytes);
    if (steward_file_moved(c->db)) note_moved(c, k);
    return;
  }
  if (steward_installed(c, "maintenance")) {
    nGrowth =
        steward_int(c, SQL_health_growth, 0, "ll", nBytes, steward_now(c->p));
  }
  k->rValue = bTemp && rTemp > rUsed ? rTemp : rUsed;
  k->zDetails = steward_text(c, SQL_health_storage, "lllldd", nBytes, nFree,
                             bTemp ? nTemp : -1, nGrowth, rUsed, rTemp);
  if (nGrowth > 0 && nFree / nGrowth < 7) k->zStatus = "warning";
  if (steward_file_moved(c->db)) note_moved(c, k);
}

/*************************************************************************
** Who uses it, and how
*/

/* How long other processes have held their locks, as far as health_run() has
** seen. */
static void check_transactions(StewardCall *c, HealthLook *l, HealthCheck *k) {
  sqlite3_stmt *pRow = steward_query(c, SQL_health_holders, "ttl", l->zHolders,
                                     l->holders.zResult, steward_now(c->p));
  if (steward_next(c, pRow)) {
    k->rValue = sqlite3_column_double(pRow, 1);
    k->zDetails = steward_mprintf(
        c, "{\"holders\":%s%s%s}", steward_column(c, pRow, 0),
        sqlite3_get_autocommit(c->db)
            ? ""
            : ",\"this_connection\":\"in a transaction\"",
        k->rValue > 0 ? ",\"sql\":\"SELECT health_run()\"" : "");
  }
  steward_give(c, SQL_health_holders, pRow);
}

/* By how many percent has the file grown since statistics were made? */
static void check_statistics(StewardCall *c, HealthLook *l, HealthCheck *k) {
  i64 nPage = steward_pragma(c, "main", "page_count");
  i64 nIndex = steward_int(c, SQL_health_indexes, 0, "");
  int bAny = (int)steward_int(c, SQL_health_statistics_now, 0, "");
  i64 nThen = l->stats.nTotal;
  int bMissing = !bAny && nIndex > 0 && nPage > 1000;
  if (bMissing) k->zStatus = "warning";
  if (bMissing && nPage > 100000) k->zStatus = "critical";
  if (bAny && nThen > 0) {
    k->rValue = 100.0 * (double)(nPage - nThen) / (double)nThen;
  }
  if (k->rValue < 0 || nPage <= 1000) k->rValue = 0;
  k->zDetails = steward_mprintf(
      c, "{\"statistics\":%s,\"pages\":%lld,\"pages_then\":%lld%s}",
      bAny ? "true" : "false", nPage, nThen,
      bMissing || k->rValue >= 50 ? ",\"sql\":\"PRAGMA analysis_limit = 400;"
                                    " ANALYZE main\""
                                  : "");
}

/* Settings of this connection and file that lose data or speed, as the doctor
** finds them. */
static void check_settings(StewardCall *c, HealthLook *l, HealthCheck *k) {
  i64 nFrames = steward_exec_int(c, 0, "PRAGMA wal_autocheckpoint");
  sqlite3_stmt *pRow =
      steward_query(c, SQL_doctor_settings, "tl", (char *)NULL, nFrames);
  sqlite3_str *pFound = sqlite3_str_new(c->db);
  char *zFound, *zMend = NULL;
  while (steward_next(c, pRow)) {
    const char *zWhat = steward_column(c, pRow, 0);
    sqlite3_str_appendall(pFound, k->rValue > 0 ? "," : "");
    steward_json_string(pFound, zWhat, (int)strlen(zWhat));
    if (sqlite3_column_int(pRow, 3)) k->zStatus = "critical";
    if (zMend == NULL) {
      zMend = steward_mprintf(c, "%s", steward_column(c, pRow, 2));
    }
    k->rValue += 1;
  }
  steward_give(c, SQL_doctor_settings, pRow);
  zFound = steward_str_finish(c, pFound);
  if (zMend) {
    k->zDetails =
        steward_mprintf(c, "{\"found\":[%s],\"sql\":\"%s\"}", zFound, zMend);
  }
  sqlite3_free(zFound);
  sqlite3_free(zMend);
}

/* How many rows a question of the doctor gives; zList is its ?1, or NULL. */
static i64 count_rows(StewardCall *c, enum StewardSqlId id, const char *zList) {
  sqlite3_stmt *pRow = steward_query(c, id, zList ? "t" : "", zList);
  i64 n = 0;
  while (steward_next(c, pRow)) n++;
  steward_give(c, id, pRow);
  return n;
}

/* Findings in the schema. */
static void check_schema(StewardCall *c, HealthLook *l, HealthCheck *k) {
  char *zText = health_text_numbers(c), *zUnused = health_unused_indexes(c);
  i64 nDuplicate = count_rows(c, SQL_doctor_duplicate_index, NULL);
  char *zArchives = health_archives(c);
  i64 nKeyless = count_rows(c, SQL_doctor_keyless, zArchives);
  i64 nText = count_rows(c, SQL_doctor_text_numbers, zText);
  i64 nUnused = count_rows(c, SQL_doctor_unused_index, zUnused);
  sqlite3_free(zText);
  sqlite3_free(zUnused);
  sqlite3_free(zArchives);
  k->rValue = (double)(nDuplicate + nKeyless + nText + nUnused);
  k->zDetails = steward_mprintf(
      c,
      "{\"duplicate_indexes\":%lld,\"keyless_tables\":%lld,"
      "\"text_numbers\":%lld,\"unused_indexes\":%lld%s}",
      nDuplicate, nKeyless, nText, nUnused,
      k->rValue > 0 ? ",\"sql\":\"SELECT * FROM main.steward_doctor\"" : "");
}

/* Are the installed sets at their newest step, with unchanged texts, and all
** there? */
static void check_migrations(StewardCall *c, HealthLook *l, HealthCheck *k) {
  i64 nPending = 0, nDrift = 0, nGone = 0;
  char *zMend = NULL;
  if (steward_installed(c, "core")) {
    sqlite3_stmt *pRow = steward_query(c, SQL_health_migrations, "");
    if (steward_next(c, pRow)) {
      nPending = sqlite3_column_int64(pRow, 0);
      nDrift = sqlite3_column_int64(pRow, 1);
      nGone = sqlite3_column_int64(pRow, 2);
      zMend =
          nGone ? steward_mprintf(c, ",\"sql\":\"SELECT migrate_up('%s')\"",
                                  steward_column(c, pRow, 3))
          : nPending + nDrift
              ? steward_mprintf(c, ",\"sql\":\"SELECT * FROM migrate_status\"")
              : NULL;
    }
    steward_give(c, SQL_health_migrations, pRow);
  }
  k->rValue = (double)(nPending + nDrift + nGone);
  if (nGone) k->zStatus = "critical";
  k->zDetails = steward_mprintf(
      c, "{\"pending\":%lld,\"drifted\":%lld,\"missing\":%lld%s}", nPending,
      nDrift, nGone, zMend ? zMend : "");
  sqlite3_free(zMend);
}

/* Is the clock right?  One that a test has pinned on this connection says
** nothing. */
static void check_clock(StewardCall *c, HealthLook *l, HealthCheck *k) {
  static const Kind kind = {"clock", NULL, SQL_health_clock, "l", NULL,
                            NULL,    NULL};
  if (c->p->clock.bPinned) {
    k->zStatus = "healthy";
    k->zDetails =
        steward_mprintf(c, "{\"reason\":\"pinned on this connection\"}");
  } else {
    check_statement(c, &kind, k);
  }
}

/*************************************************************************
** All of them
*/

#define BOUNDS(x) "health_" x "_warning", "health_" x "_critical"

static const Kind aKind[] = {
    {"integrity", check_pass, 0, "", NULL, NULL, NULL},
    {"indexes", check_pass, 0, "", NULL, NULL, NULL},
    {"foreign_keys", check_pass, 0, "", NULL, NULL,
     "health_foreign_keys_critical"},
    {"performance", NULL, SQL_health_performance, "", "maintenance",
     BOUNDS("performance")},
    {"storage_space", check_storage, 0, "", NULL, BOUNDS("storage_space")},
    {"freelist", check_freelist, 0, "", NULL, BOUNDS("freelist")},
    {"fragmentation", NULL, SQL_health_fragmentation, "", "maintenance",
     BOUNDS("fragmentation")},
    {"wal_size", check_wal, 0, "", NULL, BOUNDS("wal_size")},
    {"checkpoint", check_checkpoint, 0, "", NULL, BOUNDS("checkpoint")},
    {"statistics", check_statistics, 0, "", NULL, BOUNDS("statistics")},
    {"settings", check_settings, 0, "", NULL, NULL, NULL},
    {"transactions", check_transactions, 0, "", NULL, BOUNDS("transactions")},
    {"expiry", NULL, SQL_health_expiry, "", "core", BOUNDS("expiry")},
    {"deliveries", NULL, SQL_health_deliveries, "", "delivery",
     BOUNDS("deliveries")},
    {"jobs", NULL, SQL_health_jobs, "l", "jobs", BOUNDS("jobs")},
    {"vacuum_runs", NULL, SQL_health_vacuum_runs, "l", "maintenance",
     BOUNDS("vacuum_runs")},
    {"pool", NULL, SQL_health_pool, "", NULL, BOUNDS("pool")},
    {"migrations", check_migrations, 0, "", NULL, NULL, NULL},
    {"schema", check_schema, 0, "", NULL, BOUNDS("schema")},
    {"clock", check_clock, 0, "", "core", BOUNDS("clock")},
};

/* A check that fails is no failure of all: where something of ours was dropped
** it is unknown, and `migrations` says what is missing; a page that cannot be
** read is a finding. */
static void forgive(StewardCall *c, HealthCheck *k) {
  int rc = c->rc & 0xff;
  sqlite3_str *pOut;
  char *zErr = c->zErr;
  int bDamage =
      rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB || rc == SQLITE_IOERR;
  if (!bDamage && c->rc != SQLITE_ERROR) return;
  sqlite3_free(k->zDetails);
  k->zDetails = NULL;
  c->rc = SQLITE_OK;
  c->zErr = NULL;
  pOut = sqlite3_str_new(c->db);
  sqlite3_str_appendall(pOut, "{\"reason\":");
  steward_json_string(pOut, zErr ? zErr : "", zErr ? (int)strlen(zErr) : 0);
  sqlite3_str_appendall(pOut,
                        bDamage ? ",\"sql\":\"PRAGMA integrity_check\"}" : "}");
  k->zDetails = steward_str_finish(c, pOut);
  sqlite3_free(zErr);
  k->zStatus = bDamage ? "critical" : "unknown";
  k->rCoverage = 0.0;
}

static void run_check(StewardCall *c, HealthLook *l, const Kind *pKind,
                      HealthCheck *k) {
  i64 iStart = steward_monotonic_us();
  memset(k, 0, sizeof(*k));
  k->zType = pKind->zType;
  k->rCoverage = 1.0;
  k->iPassed = steward_now(c->p);
  if (pKind->zSet && !steward_installed(c, pKind->zSet)) {
    k->zStatus = "healthy";
    k->zDetails = steward_mprintf(c, "{\"reason\":\"set %s is not installed\"}",
                                  pKind->zSet);
  } else if (pKind->xCheck) {
    pKind->xCheck(c, l, k);
  } else {
    check_statement(c, pKind, k);
  }
  forgive(c, k);
  decide(c, pKind, k);
  if (k->zDetails == NULL) k->zDetails = steward_mprintf(c, "{}");
  k->rMs = (double)(steward_monotonic_us() - iStart) / 1000.0;
}

/*************************************************************************
** A look at everything
*/

void health_look_open(StewardCall *c, HealthLook *l) {
  memset(l, 0, sizeof(*l));
  health_pass_load(c, &l->pass);
  health_pages_load(c, &l->pages);
  steward_slice_load(c, &l->holders, "transactions");
  steward_slice_load(c, &l->wal, "checkpoint");
  steward_slice_load(c, &l->stats, "statistics");
  l->zHolders = health_holders(c);
}

/* Run them, in order. */
void health_look_checks(StewardCall *c, HealthLook *l) {
  int i;
  l->aCheck = sqlite3_malloc64(sizeof(HealthCheck) * ArraySize(aKind));
  if (l->aCheck == NULL) {
    steward_fail_nomem(c);
    return;
  }
  for (i = 0; i < ArraySize(aKind) && c->rc == SQLITE_OK; i++) {
    run_check(c, l, &aKind[i], &l->aCheck[i]);
    l->nCheck++;
  }
}

/* One of them; the caller frees its details. */
void health_look_check(StewardCall *c, HealthLook *l, const char *zType,
                       HealthCheck *k) {
  int i;
  memset(k, 0, sizeof(*k));
  for (i = 0; i < ArraySize(aKind); i++) {
    if (strcmp(aKind[i].zType, zType) == 0) run_check(c, l, &aKind[i], k);
  }
}

void health_look_free(HealthLook *l) {
  int i;
  for (i = 0; i < l->nCheck; i++) sqlite3_free(l->aCheck[i].zDetails);
  sqlite3_free(l->aCheck);
  sqlite3_free(l->zHolders);
  health_pass_free(&l->pass);
  health_pages_free(&l->pages);
  steward_slice_free(&l->holders);
  steward_slice_free(&l->wal);
  steward_slice_free(&l->stats);
}

/* The worst word; what is not known is a warning. */
const char *health_worst(const HealthLook *l) {
  const char *zWorst = "healthy";
  int i;
  for (i = 0; i < l->nCheck; i++) {
    const char *z = l->aCheck[i].zStatus;
    if (strcmp(z, "critical") == 0) return "critical";
    if (strcmp(z, "healthy")) zWorst = "warning";
  }
  return zWorst;
}
