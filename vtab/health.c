/*
** health.c - health_checks: selecting from it runs the checks.
**
** Every check only reads and is cheap at any size; the one that is not,
** integrity, reads files up to setting health_integrity_bytes and says
** `unknown` above: unfinished is never healthy.
*/
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "steward_int.h"

/* A check fills this; texts in zDetails are JSON and owned. */
typedef struct Check {
  const char *zStatus;
  double rValue;
  double rThreshold;
  char *zDetails;
  double rCoverage; /* 0..1 of what the check is about */
} Check;

static i64 main_bytes(StewardCall *c) {
  return steward_exec_int(c, 0, "PRAGMA main.page_count") *
         steward_exec_int(c, 0, "PRAGMA main.page_size");
}

/* Does the file hang together? */
static void check_integrity(StewardCall *c, Check *k) {
  i64 nBytes = main_bytes(c);
  i64 nMax = steward_setting_int(c, "health_integrity_bytes");
  char *zResult;
  k->rThreshold = 0;
  if (nBytes > nMax) {
    k->zStatus = "unknown";
    k->rCoverage = 0.0;
    k->zDetails =
        steward_mprintf(c,
                        "{\"unfinished\":true,\"bytes\":%lld,\"limit\":%lld,"
                        "\"sql\":\"PRAGMA integrity_check\"}",
                        nBytes, nMax);
    return;
  }
  zResult = steward_exec_text(c, "PRAGMA main.quick_check(1)");
  if (zResult && strcmp(zResult, "ok")) {
    /* want of memory is reported as damage, too: damage stays */
    sqlite3_free(zResult);
    zResult = steward_exec_text(c, "PRAGMA main.quick_check(1)");
  }
  k->rValue = zResult && strcmp(zResult, "ok") ? 1 : 0;
  k->zStatus = k->rValue > 0 ? "critical" : "healthy";
  k->zDetails = steward_text(c, SQL_health_integrity, "tl", zResult, nBytes);
  sqlite3_free(zResult);
}

/* How much of the file holds nothing? */
static void check_freelist(StewardCall *c, Check *k) {
  i64 nPage = steward_exec_int(c, 0, "PRAGMA main.page_count");
  i64 nFree = steward_exec_int(c, 0, "PRAGMA main.freelist_count");
  k->rThreshold = 0.25;
  k->rValue = nPage > 0 ? (double)nFree / (double)nPage : 0.0;
  k->zStatus = k->rValue > k->rThreshold && nFree >= 64 ? "warning" : "healthy";
  k->zDetails =
      steward_mprintf(c, "{\"pages\":%lld,\"free_pages\":%lld%s}", nPage, nFree,
                      k->zStatus[0] == 'w'
                          ? ",\"sql\":\"SELECT recommended FROM vacuum_status\""
                          : "");
}

/* Is the WAL checkpointed? */
static void check_wal(StewardCall *c, Check *k) {
  i64 nBytes = steward_wal_bytes(c->db, "main");
  k->rValue = (double)nBytes;
  k->rThreshold = 67108864;
  k->zStatus = k->rValue > k->rThreshold * 8 ? "critical"
               : k->rValue > k->rThreshold   ? "warning"
                                             : "healthy";
  k->zDetails = steward_mprintf(
      c, "{\"wal_bytes\":%lld%s}", nBytes,
      k->zStatus[0] == 'h' ? ""
                           : ",\"sql\":\"PRAGMA wal_checkpoint(TRUNCATE)\"");
}

/* Free bytes and share of the filesystem of a path; 0 when unknown. */
static int filesystem_free(const char *zPath, i64 *pnFree, double *prShare) {
  struct statvfs fs;
  if (statvfs(zPath, &fs) || fs.f_blocks == 0) return 0;
  *pnFree = (i64)fs.f_bavail * (i64)fs.f_frsize;
  *prShare = (double)fs.f_bavail / (double)fs.f_blocks;
  return 1;
}

/* Is there room for the file to grow, and for a vacuum's copy? */
static void check_storage(StewardCall *c, Check *k) {
  const char *zFile = sqlite3_db_filename(c->db, "main");
  i64 nFree = 0, nTemp = 0, nBytes = main_bytes(c);
  double rShare = 0.0, rTemp = 0.0;
  char zTemp[32] = "null";
  char *zDirectory = steward_temp_directory(c);
  if (zDirectory && filesystem_free(zDirectory, &nTemp, &rTemp)) {
    sqlite3_snprintf(sizeof(zTemp), zTemp, "%lld", nTemp);
  }
  sqlite3_free(zDirectory);
  k->rThreshold = 0.1;
  if (zFile == NULL || zFile[0] == 0 ||
      !filesystem_free(zFile, &nFree, &rShare)) {
    k->zStatus = zFile && zFile[0] ? "unknown" : "healthy";
    k->rCoverage = zFile && zFile[0] ? 0.0 : 1.0;
    k->zDetails = steward_mprintf(c, "{\"file\":null,\"bytes\":%lld}", nBytes);
    return;
  }
  k->rValue = rShare;
  k->zStatus = rShare < 0.02  ? "critical"
               : rShare < 0.1 ? "warning"
                              : "healthy";
  k->zDetails = steward_mprintf(
      c, "{\"bytes\":%lld,\"free_bytes\":%lld,\"temp_free_bytes\":%s}", nBytes,
      nFree, zTemp);
}

/* Are the installed sets at their newest step, with unchanged texts, and all
** there? */
static void check_migrations(StewardCall *c, Check *k) {
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
  k->zStatus = nGone ? "critical" : nPending + nDrift ? "warning" : "healthy";
  k->zDetails = steward_mprintf(
      c, "{\"pending\":%lld,\"drifted\":%lld,\"missing\":%lld%s}", nPending,
      nDrift, nGone, zMend ? zMend : "");
  sqlite3_free(zMend);
}

static const struct {
  const char *zType;
  void (*xCheck)(StewardCall *, Check *);
} aCheck[] = {
    {"integrity", check_integrity},   {"freelist", check_freelist},
    {"wal_size", check_wal},          {"storage_space", check_storage},
    {"migrations", check_migrations},
};

/* health_checks(check_type TEXT, status TEXT, value REAL, threshold REAL,
**   details TEXT, duration_ms REAL, coverage REAL, last_full_pass INTEGER)
**                                                                     table
** Selecting runs the checks: integrity, freelist, wal_size, storage_space,
** migrations.  status is healthy, warning, critical, or unknown where a check
** could not finish; details (JSON) holds the evidence and, under `sql`, what
** mends it; coverage says how much was looked at (0 to 1), last_full_pass when
** everything was, in Unix ms.
** Source: seed 001, health checks.
** Example: SELECT check_type, status, coverage FROM health_checks
**   WHERE check_type='integrity'; -- integrity|healthy|1.0
*/
static void check_rows(StewardCall *c, StewardRows *r, int nArg,
                       sqlite3_value **apArg) {
  int i;
  for (i = 0; i < ArraySize(aCheck) && c->rc == SQLITE_OK; i++) {
    i64 iStart = steward_monotonic_us();
    Check k = {.zStatus = "unknown", .rCoverage = 1.0};
    double rMs;
    aCheck[i].xCheck(c, &k);
    rMs = (double)(steward_monotonic_us() - iStart) / 1000.0;
    steward_row(c, r, k.rCoverage < 1.0 ? "ttddtddn" : "ttddtddl",
                aCheck[i].zType, k.zStatus, k.rValue, k.rThreshold, k.zDetails,
                rMs, k.rCoverage, steward_now(c->p));
    sqlite3_free(k.zDetails);
  }
}

static const StewardTable aTable[] = {
    {.zName = "health_checks",
     .zColumns = "check_type TEXT, status TEXT, value REAL, threshold REAL,"
                 " details TEXT, duration_ms REAL, coverage REAL,"
                 " last_full_pass INTEGER",
     .xRows = check_rows},
};

int health_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
