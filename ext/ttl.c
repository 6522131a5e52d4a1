/*
** ttl.c - rows that expire: attach a policy to a table, sweep what is due.
**
** ttl_attach puts plain SQL on the table, so that it goes on expiring in
** clients without the library: a partial index on the column, the view
** <table>_live of the rows that have not expired, and (on_write) a trigger by
** which each insert removes up to two expired rows.  The trigger costs one seek
** when nothing is due.  ttl_detach removes exactly that.
**
**     SELECT ttl_attach('sessions', 'expires_at', '{"unit":"s"}');
**     SELECT * FROM sessions_live;
**     SELECT ttl_sweep('sessions');
**
** A row is expired at the instant itself: expires_at <= now.  Text is compared
** as the time it says, not as text: an index on an expression, so that forms
** may be mixed, and what is no time never expires.
*/
#include <string.h>

#include "steward_int.h"

enum { UNIT_S, UNIT_MS, UNIT_ISO };
static const char *const azUnit[] = {"s", "ms", "iso"};

typedef struct AttachOptions {
  i64 eUnit; /* -1: find out */
  i64 bOnWrite;
  i64 nBatch;
} AttachOptions;

static const StewardOption aAttachOption[] = {
    {"unit", STEWARD_OPT_WORD, offsetof(AttachOptions, eUnit), 0, 0, "s|ms|iso",
     "what the column holds: Unix seconds, Unix ms, or UTC text"},
    {"on_write", STEWARD_OPT_BOOL, offsetof(AttachOptions, bOnWrite), 0, 1,
     NULL, "each insert removes up to two expired rows"},
    {"batch", STEWARD_OPT_INT, offsetof(AttachOptions, nBatch), 1, 100000, NULL,
     "rows that ttl_sweep removes at a time"},
};

/* A policy: what the caller asked for, and what was found. */
typedef struct Policy {
  StewardTableInfo info;
  const char *zColumn; /* as the schema spells it */
  int eUnit;
  char *zTime;                     /* SQL of a row's time, see ttl_time_sql() */
  char *zIndex, *zView, *zTrigger; /* names of what is made */
} Policy;

static void policy_free(Policy *p) {
  steward_table_info_free(&p->info);
  sqlite3_free(p->zTime);
  sqlite3_free(p->zIndex);
  sqlite3_free(p->zView);
  sqlite3_free(p->zTrigger);
}

/* The SQL of the time that a row expires, to be compared with the present one:
** the column itself, or the Julian day that its text means.  GLOB keeps out
** 'now', which an index must not contain.  NULL for what is no time.  Caller
** frees. */
char *ttl_time_sql(StewardCall *c, const char *zColumn, const char *zUnit) {
  if (strcmp(zUnit, "iso")) return steward_mprintf(c, "\"%w\"", zColumn);
  return steward_mprintf(
      c,
      "CASE WHEN \"%w\" GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"
      " THEN julianday(\"%w\") END",
      zColumn, zColumn);
}

/* The condition that a row is due at the time zNow, in a form that the partial
** index serves.  Caller frees. */
char *ttl_due_sql(StewardCall *c, const char *zColumn, const char *zUnit,
                  const char *zNow) {
  char *zTime = ttl_time_sql(c, zColumn, zUnit);
  char *z = zTime ? steward_mprintf(c, "\"%w\" IS NOT NULL AND %s <= %s",
                                    zColumn, zTime, zNow)
                  : NULL;
  sqlite3_free(zTime);
  return z;
}

/* The condition that a row holds something that is no time, and so never
** expires; a seek in the partial index.  Caller frees. */
char *ttl_unreadable_sql(StewardCall *c, const char *zColumn,
                         const char *zUnit) {
  char *zTime, *z;
  if (strcmp(zUnit, "iso")) {
    return steward_mprintf(c, "\"%w\" >= ''", zColumn); /* text or BLOB */
  }
  zTime = ttl_time_sql(c, zColumn, zUnit);
  z = zTime ? steward_mprintf(c, "\"%w\" IS NOT NULL AND %s IS NULL", zColumn,
                              zTime)
            : NULL;
  sqlite3_free(zTime);
  return z;
}

/*************************************************************************
** Finding the unit
*/

/* What up to 100 values of the column look like: 's', 'm'(s), 'i'(so), 'j' for
** Julian days, '-' when there are none, '?' when they differ. */
static char sample_kind(StewardCall *c, const Policy *p) {
  char *zIso = ttl_time_sql(c, p->zColumn, "iso");
  sqlite3_stmt *pRow;
  char cKind = '-';
  if (zIso == NULL) return cKind;
  pRow = steward_prepare(
      c,
      "SELECT CASE WHEN typeof(\"%w\") IN ('integer', 'real') THEN"
      " CASE WHEN \"%w\" BETWEEN 100000000 AND 99999999999 THEN 's'"
      " WHEN \"%w\" BETWEEN 100000000000 AND 99999999999999 THEN 'm'"
      " WHEN \"%w\" BETWEEN 2400000 AND 2500000 THEN 'j' ELSE '?' END"
      " WHEN typeof(\"%w\") = 'text' AND %s IS NOT NULL THEN 'i' ELSE '?' END"
      " FROM main.\"%w\" WHERE \"%w\" IS NOT NULL LIMIT 100",
      p->zColumn, p->zColumn, p->zColumn, p->zColumn, p->zColumn, zIso,
      p->info.zName, p->zColumn);
  while (steward_next(c, pRow)) {
    char cHere = (steward_column(c, pRow, 0))[0];
    if (cKind == '-') cKind = cHere;
    if (cKind != cHere) cKind = '?';
  }
  sqlite3_finalize(pRow);
  sqlite3_free(zIso);
  return cKind;
}

static int declared_text(const Policy *p) {
  int i = steward_column_index(&p->info, p->zColumn);
  const char *zType = p->info.aCol[i].zType;
  static const char *const azText[] = {"%TEXT%", "%CHAR%", "%CLOB%", "%DATE%",
                                       "%TIME%"};
  for (i = 0; i < ArraySize(azText); i++) {
    if (sqlite3_strlike(azText[i], zType, 0) == 0) return 1;
  }
  return 0;
}

/* A unit that the values speak against would remove every row, or none. */
static void check_unit(StewardCall *c, const Policy *p, char cKind) {
  static const struct {
    char cKind;
    int eUnit; /* which it fits; -1: none */
    const char *zLooks;
  } aKind[] = {{'s', UNIT_S, "Unix seconds"},
               {'m', UNIT_MS, "Unix milliseconds"},
               {'j', -1, "Julian days"}};
  int i;
  for (i = 0; c->rc == SQLITE_OK && i < ArraySize(aKind); i++) {
    if (aKind[i].cKind != cKind || aKind[i].eUnit == p->eUnit) continue;
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "column '%s' of '%s' holds what looks like %s, not unit '%s': "
                 "%s",
                 p->zColumn, p->info.zName, aKind[i].zLooks, azUnit[p->eUnit],
                 aKind[i].eUnit < 0 ? "store Unix seconds, milliseconds or UTC "
                                      "text"
                                    : "name the unit that it has");
  }
}

/* What is no time never expires: refuse a column that holds such. */
static void check_values(StewardCall *c, const Policy *p) {
  char *zWhere = ttl_unreadable_sql(c, p->zColumn, azUnit[p->eUnit]);
  char *zBad = NULL;
  if (zWhere) {
    zBad = steward_exec_text(
        c, "SELECT quote(\"%w\") FROM main.\"%w\" WHERE %s LIMIT 1", p->zColumn,
        p->info.zName, zWhere);
  }
  if (zBad) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "column '%s' of '%s' holds %.40s, which is no time of unit "
                 "'%s' and would never expire: change it, or set it to NULL",
                 p->zColumn, p->info.zName, zBad, azUnit[p->eUnit]);
  }
  sqlite3_free(zBad);
  sqlite3_free(zWhere);
}

/* Decide the unit from the option, the data and the declared type. */
static void find_unit(StewardCall *c, Policy *p, i64 eWanted) {
  char cKind;
  if (c->rc) return;
  cKind = sample_kind(c, p);
  if (eWanted >= 0) {
    p->eUnit = (int)eWanted;
  } else if (cKind == 's' || cKind == 'm') {
    p->eUnit = cKind == 's' ? UNIT_S : UNIT_MS;
  } else if (cKind == 'i' || (cKind == '-' && declared_text(p))) {
    p->eUnit = UNIT_ISO;
  } else {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "cannot tell from column '%s' of '%s' whether it holds Unix "
                 "seconds, milliseconds or UTC text: say {\"unit\":\"s\"}, "
                 "{\"unit\":\"ms\"} or {\"unit\":\"iso\"}",
                 p->zColumn, p->info.zName);
  }
  check_unit(c, p, cKind);
  p->zTime = ttl_time_sql(c, p->zColumn, azUnit[p->eUnit]);
}

/*************************************************************************
** What is put on the table
*/

/* The SQL of the present time as the column writes it: the clock pinned in the
** database, else the real one.  Caller frees. */
static char *now_sql(StewardCall *c, const Policy *p) {
  static const char zClock[] =
      "(SELECT value FROM steward_config WHERE name = 'clock')";
  if (p->eUnit == UNIT_S) {
    return steward_mprintf(c, "coalesce(%s / 1000, unixepoch())", zClock);
  }
  if (p->eUnit == UNIT_MS) {
    return steward_mprintf(
        c,
        "coalesce(%s, CAST(round((julianday('now') - 2440587.5) * 86400000)"
        " AS INTEGER))",
        zClock);
  }
  return steward_mprintf(
      c, "coalesce(julianday(%s / 1000.0, 'unixepoch'), julianday('now'))",
      zClock);
}

/* `("a", "b") IS NOT (NEW."a", NEW."b")`-like: not the row being inserted. */
static char *not_new_row(StewardCall *c, const Policy *p) {
  char *zKey = steward_key_list(c, &p->info, "");
  char *zNew = steward_key_list(c, &p->info, "NEW.");
  char *z = NULL;
  if (c->rc == SQLITE_OK) {
    z = steward_mprintf(c, "(%s) IS NOT (%s)", zKey, zNew);
  }
  sqlite3_free(zKey);
  sqlite3_free(zNew);
  return z;
}

/* An object of ours must not replace one that is there. */
static void check_free(StewardCall *c, const char *zName) {
  if (c->rc) return;
  if (steward_int(c, SQL_introspect_object, 0, "t", zName)) {
    steward_fail(c, STEWARD_CONFLICT,
                 "'%s' exists already, and the policy needs that name: rename "
                 "it",
                 zName);
  }
}

/* Two deletions of one row each: `IN (SELECT .. LIMIT 2)` would go through a
** temporary table, at several times the cost. */
static void make_trigger(StewardCall *c, const Policy *p, const char *zNow) {
  const char *zTable = p->info.zName;
  char *zKey = steward_key_list(c, &p->info, "");
  char *zNot = not_new_row(c, p);
  char *zDue = ttl_due_sql(c, p->zColumn, azUnit[p->eUnit], zNow);
  char *zDelete = NULL;
  if (c->rc == SQLITE_OK) {
    zDelete = steward_mprintf(c,
                              "DELETE FROM \"%w\" WHERE (%s) = (SELECT %s FROM"
                              " \"%w\" WHERE %s AND %s ORDER BY %s LIMIT 1);",
                              zTable, zKey, zKey, zTable, zDue, zNot, p->zTime);
    steward_exec(c,
                 "CREATE TRIGGER main.\"%w\" AFTER INSERT ON \"%w\""
                 " WHEN EXISTS (SELECT 1 FROM \"%w\" WHERE %s)"
                 " BEGIN %s %s END",
                 p->zTrigger, zTable, zTable, zDue, zDelete, zDelete);
  }
  sqlite3_free(zKey);
  sqlite3_free(zNot);
  sqlite3_free(zDue);
  sqlite3_free(zDelete);
}

/* Where deleting a row can fail, an application's INSERT must not do it. */
static void check_on_write(StewardCall *c, const Policy *p) {
  char *zWhy;
  if (c->rc) return;
  zWhy = steward_text(c, SQL_ttl_delete_hazard, "t", p->info.zName);
  if (zWhy) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "%s, so deleting expired rows could make an INSERT into '%s' "
                 "fail: attach with {\"on_write\":0} and call ttl_sweep('%s')",
                 zWhy, p->info.zName, p->info.zName);
  }
  sqlite3_free(zWhy);
}

static void make_objects(StewardCall *c, Policy *p, int bOnWrite) {
  char *zNow = now_sql(c, p);
  check_free(c, p->zIndex);
  check_free(c, p->zView);
  check_free(c, p->zTrigger);
  if (c->rc == SQLITE_OK) {
    steward_exec(c,
                 "CREATE INDEX main.\"%w\" ON \"%w\"(%s)"
                 " WHERE \"%w\" IS NOT NULL",
                 p->zIndex, p->info.zName, p->zTime, p->zColumn);
    steward_exec(c,
                 "CREATE VIEW main.\"%w\" AS SELECT * FROM \"%w\""
                 " WHERE %s IS NULL OR %s > %s",
                 p->zView, p->info.zName, p->zTime, p->zTime, zNow);
  }
  if (bOnWrite) make_trigger(c, p, zNow);
  sqlite3_free(zNow);
}

/* Drop what the policy of the table made. */
static void drop_objects(StewardCall *c, const char *zTable) {
  char *zScript = steward_text(c, SQL_ttl_drops, "t", zTable);
  steward_script(c, zScript);
  sqlite3_free(zScript);
}

static void store_policy(StewardCall *c, const Policy *p,
                         const AttachOptions *o) {
  steward_run(c, SQL_ttl_store, "ttttlttll", p->info.zName, p->zColumn,
              azUnit[p->eUnit], p->zIndex, o->bOnWrite, p->zView,
              o->bOnWrite ? p->zTrigger : NULL, o->nBatch, steward_now(c->p));
}

/*************************************************************************
** The verbs
*/

static void attach_policy(StewardCall *c, Policy *p, const AttachOptions *o) {
  i64 eUnit = steward_int(c, SQL_ttl_unit, -1, "tt", p->info.zName, p->zColumn);
  find_unit(c, p, o->eUnit >= 0 ? o->eUnit : eUnit);
  if (o->bOnWrite) check_on_write(c, p);
  if (c->rc == SQLITE_OK &&
      steward_int(c, SQL_ttl_same, 0, "tttl", p->info.zName, p->zColumn,
                  azUnit[p->eUnit], o->bOnWrite) &&
      steward_int(c, SQL_ttl_intact, 0, "t", p->info.zName)) {
    steward_run(c, SQL_ttl_set_batch, "tl", p->info.zName, o->nBatch);
    return;
  }
  check_values(c, p);
  p->zIndex = steward_mprintf(c, "steward_ttl_%s", p->info.zName);
  p->zView = steward_mprintf(c, "%s_live", p->info.zName);
  p->zTrigger = steward_mprintf(c, "steward_ttl_%s_sweep", p->info.zName);
  if (c->rc) return;
  drop_objects(c, p->info.zName);
  make_objects(c, p, (int)o->bOnWrite);
  store_policy(c, p, o);
}

/* ttl_attach(table TEXT, column TEXT [, options JSON]) -> INTEGER, always 1
**                                                               directonly
** Let the rows of a table expire at the time in a column: Unix seconds,
** milliseconds or UTC text that begins with a date ('2026-01-31 12:00:00',
** '2026-01-31T12:00:00.000Z', mixed as you like), told by the data or option
** unit.  NULL never expires, nor does what is no time: a column that holds such
** is refused, later ones are counted by ttl_status.  Makes a partial index, the
** view <table>_live, and unless on_write is 0 a trigger by which each insert
** removes up to two expired rows; all plain SQL.  Again: changes options.
** Set: core
** Errors: "INVALID_ARGUMENT: ttl_attach: cannot tell from column 'x' of 't'
**   whether it holds Unix seconds, ..."; "INVALID_ARGUMENT: ttl_attach: column
**   'x' of 't' holds 'soon', which is no time of unit 'iso' and would never
**   expire: change it, or set it to NULL"; INVALID_ARGUMENT, too, when the
**   values look like another unit; NOT_FOUND for a table or column;
**   UNSUPPORTED where a foreign key or DELETE trigger makes on_write unsafe;
**   CONFLICT when a name that it needs is taken.
** Source: seed 002, TTL cleanup.
** Example: CREATE TABLE sessions(id INTEGER PRIMARY KEY, expires_at INTEGER);
**   SELECT ttl_attach('sessions', 'expires_at', '{"unit":"ms"}'); -- 1
**   INSERT INTO sessions VALUES (1, ttl_at('-1s')), (2, ttl_at('1h'));
*/
static void ttl_attach(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  Policy policy;
  AttachOptions options = {-1, 1, 500};
  const char *zTable, *zColumn;
  int iCol;
  memset(&policy, 0, sizeof(policy));
  steward_open(&c, ctx, "ttl_attach", "core", STEWARD_WRITE);
  zTable = steward_arg_text(&c, argv[0], "table", 1000);
  zColumn = steward_arg_text(&c, argv[1], "column", 1000);
  if (argc > 2) {
    steward_options(&c, argv[2], aAttachOption, ArraySize(aAttachOption),
                    &options);
  }
  if (c.rc == SQLITE_OK) steward_table_info(&c, zTable, &policy.info);
  if (c.rc == SQLITE_OK &&
      sqlite3_strnicmp(policy.info.zName, "steward_", 8) == 0) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' belongs to the library: it has retention of its "
                 "own",
                 policy.info.zName);
  }
  iCol = steward_require_column(&c, &policy.info, zColumn);
  if (c.rc == SQLITE_OK) {
    policy.zColumn = policy.info.aCol[iCol].zName;
    attach_policy(&c, &policy, &options);
  }
  policy_free(&policy);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

static void fail_not_attached(StewardCall *c, const char *zTable) {
  steward_fail(c, STEWARD_NOT_FOUND,
               "table '%s' has no expiry policy: SELECT table_name FROM "
               "ttl_status lists those that have",
               zTable);
}

/* ttl_detach(table TEXT) -> INTEGER, always 1    directonly
** End the expiry of a table: remove the index, view and trigger that
** ttl_attach() made, and nothing else.  No row is removed.
** Set: core
** Errors: "NOT_FOUND: ttl_detach: table 't' has no expiry policy: ...".
** Example: CREATE TABLE s(id, at INTEGER);
**   SELECT ttl_attach('s', 'at', '{"unit":"s"}'); -- 1
**   SELECT ttl_detach('s'); -- 1
**   SELECT count(*) FROM sqlite_schema WHERE tbl_name IN ('s', 's_live'); -- 1
*/
static void ttl_detach(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zTable;
  steward_open(&c, ctx, "ttl_detach", "core", STEWARD_WRITE);
  zTable = steward_arg_text(&c, argv[0], "table", 1000);
  if (c.rc == SQLITE_OK && !steward_int(&c, SQL_ttl_attached, 0, "t", zTable)) {
    fail_not_attached(&c, zTable);
  }
  if (c.rc == SQLITE_OK) drop_objects(&c, zTable);
  steward_run(&c, SQL_ttl_forget, "t", zTable);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

typedef struct SweepOptions {
  i64 nMaxRows;
  i64 iBudget;
} SweepOptions;

static const StewardOption aSweepOption[] = {
    {"max_rows", STEWARD_OPT_INT, offsetof(SweepOptions, nMaxRows), 1,
     1000000000, NULL, "most rows to remove in one call"},
    {"budget", STEWARD_OPT_DURATION, offsetof(SweepOptions, iBudget), 1,
     3600000, NULL, "how long one call may take before it stops"},
};

/* The call failed over what the table is or does: say whose, and that the other
** tables are swept once this one is out of the way. */
static void fail_in_table(StewardCall *c, const char *zTable) {
  int eKind = c->rc & 0xff;
  if ((eKind != SQLITE_ERROR && eKind != SQLITE_CONSTRAINT) || !c->zErr) return;
  c->zErr = sqlite3_mprintf(
      "%z: mend table '%s' and attach it anew, or SELECT ttl_detach(%Q)",
      c->zErr, zTable, zTable);
  if (c->zErr == NULL) c->rc = SQLITE_NOMEM;
}

/* The DELETE of one batch of what is due, its limit still to be bound. */
static sqlite3_stmt *prepare_sweep(StewardCall *c, const StewardTableInfo *p,
                                   sqlite3_stmt *pPolicy) {
  const char *zColumn = steward_column(c, pPolicy, 0);
  const char *zUnit = steward_column(c, pPolicy, 3);
  sqlite3_stmt *pDelete = NULL;
  char *zKey, *zTime, *zDue;
  steward_require_column(c, p, zColumn); /* it may have been renamed */
  if (!steward_int(c, SQL_ttl_intact, 0, "t", p->zName)) {
    steward_fail(c, STEWARD_CONFLICT,
                 "what ttl_attach() made on table '%s' is gone, or on another "
                 "column",
                 p->zName);
  }
  zKey = steward_key_list(c, p, "");
  zTime = ttl_time_sql(c, zColumn, zUnit);
  zDue = ttl_due_sql(c, zColumn, zUnit, "?1");
  if (c->rc == SQLITE_OK) {
    pDelete = steward_prepare(c,
                              "DELETE FROM main.\"%w\" WHERE (%s) IN"
                              " (SELECT %s FROM main.\"%w\" WHERE %s"
                              " ORDER BY %s LIMIT ?2)",
                              p->zName, zKey, zKey, p->zName, zDue, zTime);
  }
  if (pDelete) {
    sqlite3_bind_value(pDelete, 1, sqlite3_column_value(pPolicy, 2));
  }
  sqlite3_free(zKey);
  sqlite3_free(zTime);
  sqlite3_free(zDue);
  return pDelete;
}

/* Run it until nothing more is due or a limit is reached; rows removed. */
static i64 run_sweep(StewardCall *c, sqlite3_stmt *pDelete, i64 nBatch,
                     i64 nMaxRows, i64 iDeadlineUs, int *pbAll /* OUT */) {
  i64 nRemoved = 0, nHere;
  do {
    i64 nLeft = nMaxRows - nRemoved;
    if (pDelete == NULL || c->rc) break;
    sqlite3_bind_int64(pDelete, 2, nLeft < nBatch ? nLeft : nBatch);
    while (steward_next(c, pDelete)) {
    }
    sqlite3_reset(pDelete);
    nHere = sqlite3_changes(c->db);
    nRemoved += nHere;
    *pbAll = nHere < (nLeft < nBatch ? nLeft : nBatch);
  } while (!*pbAll && nRemoved < nMaxRows &&
           steward_monotonic_us() < iDeadlineUs);
  return nRemoved;
}

/* When all that was due has gone, nothing may be due any more. */
static void check_gone(StewardCall *c, const StewardTableInfo *p,
                       sqlite3_stmt *pPolicy) {
  sqlite3_stmt *pDue = NULL;
  char *zDue = ttl_due_sql(c, steward_column(c, pPolicy, 0),
                           steward_column(c, pPolicy, 3), "?1");
  if (zDue) {
    pDue = steward_prepare(c, "SELECT 1 FROM main.\"%w\" WHERE %s LIMIT 1",
                           p->zName, zDue);
  }
  if (pDue) sqlite3_bind_value(pDue, 1, sqlite3_column_value(pPolicy, 2));
  if (steward_next(c, pDue)) {
    steward_fail(c, STEWARD_CONFLICT,
                 "rows of table '%s' are due and stay, because a trigger "
                 "ignores their deletion",
                 p->zName);
  }
  sqlite3_finalize(pDue);
  sqlite3_free(zDue);
}

/* Remove expired rows of one table, batch by batch; how many. */
static i64 sweep_table(StewardCall *c, const char *zTable, i64 nMaxRows,
                       i64 iDeadlineUs) {
  StewardTableInfo info;
  i64 nRemoved = 0, iStart = steward_monotonic_us();
  int bAll = 0;
  sqlite3_stmt *pPolicy =
      steward_query(c, SQL_ttl_policy, "tl", zTable, steward_now(c->p));
  memset(&info, 0, sizeof(info));
  if (steward_next(c, pPolicy)) {
    sqlite3_stmt *pDelete = NULL;
    steward_table_info(c, zTable, &info);
    if (c->rc == SQLITE_OK) pDelete = prepare_sweep(c, &info, pPolicy);
    nRemoved = run_sweep(c, pDelete, sqlite3_column_int64(pPolicy, 1), nMaxRows,
                         iDeadlineUs, &bAll);
    sqlite3_finalize(pDelete);
    if (bAll) check_gone(c, &info, pPolicy);
    fail_in_table(c, zTable);
  } else if (c->rc == SQLITE_OK) {
    fail_not_attached(c, zTable);
  }
  steward_give(c, SQL_ttl_policy, pPolicy);
  steward_run(c, SQL_ttl_swept, "tlll", zTable, nRemoved, steward_now(c->p),
              (steward_monotonic_us() - iStart) / 1000);
  steward_count(c, "ttl_cleanup_deletes_total", nRemoved);
  steward_table_info_free(&info);
  return nRemoved;
}

/* Sweep every attached table while the limits last. */
static i64 sweep_all(StewardCall *c, i64 nMaxRows, i64 iDeadlineUs) {
  char *zTables = steward_text(c, SQL_ttl_tables, "");
  sqlite3_stmt *pName = steward_query(c, SQL_migrate_each, "t", zTables);
  i64 nRemoved = 0;
  while (nRemoved < nMaxRows && steward_monotonic_us() < iDeadlineUs &&
         steward_next(c, pName)) {
    nRemoved += sweep_table(c, steward_column(c, pName, 0), nMaxRows - nRemoved,
                            iDeadlineUs);
  }
  steward_give(c, SQL_migrate_each, pName);
  sqlite3_free(zTables);
  return nRemoved;
}

/* ttl_sweep([table TEXT [, options JSON]]) -> INTEGER, rows removed  directonly
** Remove expired rows, of one table or (NULL or nothing given) of all attached
** ones, oldest first, in one transaction of at most max_rows (10000) rows and
** about `budget` (50 ms).  When it returns max_rows or ran out of budget, more
** may be due: call it again.  The application's own triggers and cascades run.
** A table that is gone, or whose triggers or foreign keys object, fails the
** call by its name, and nothing is removed anywhere.
** Set: core
** Errors: "NOT_FOUND: ttl_sweep: table 't' has no expiry policy: ..."; "...:
**   mend table 't' and attach it anew, or SELECT ttl_detach('t')"; BUSY.
** Source: seed 002, opportunistic TTL cleanup.
** Example: CREATE TABLE s(id, at INTEGER);
**   INSERT INTO s VALUES (1, 1000), (2, NULL), (3, 9999999999);
**   SELECT ttl_attach('s', 'at', '{"unit":"s"}'); -- 1
**   SELECT ttl_sweep('s'); -- 1
**   SELECT group_concat(id) FROM s; -- 2,3
*/
static void ttl_sweep(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  SweepOptions options = {10000, 50};
  int bAll = argc == 0 || sqlite3_value_type(argv[0]) == SQLITE_NULL;
  const char *zTable = NULL;
  i64 nRemoved = 0, iDeadlineUs;
  steward_open(&c, ctx, "ttl_sweep", "core", STEWARD_WRITE);
  if (!bAll) zTable = steward_arg_text(&c, argv[0], "table", 1000);
  if (argc > 1) {
    steward_options(&c, argv[1], aSweepOption, ArraySize(aSweepOption),
                    &options);
  }
  iDeadlineUs = steward_monotonic_us() + options.iBudget * 1000;
  if (c.rc == SQLITE_OK) {
    nRemoved = bAll ? sweep_all(&c, options.nMaxRows, iDeadlineUs)
                    : sweep_table(&c, zTable, options.nMaxRows, iDeadlineUs);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, nRemoved);
}

/* ttl_at(duration) -> INTEGER, Unix ms    plain
** The connection's clock plus a duration: milliseconds, or text like '15m',
** '30d', '-1s', 'PT15M'.  NULL gives NULL.
** Errors: "INVALID_ARGUMENT: ttl_at: duration must be milliseconds or a
**   duration like '15m', got 'x'".
** Example: SELECT ttl_at('15m') - steward_now(); -- 900000
*/
static void ttl_at(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  i64 iMs;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  steward_open(&c, ctx, "ttl_at", NULL, STEWARD_READ);
  iMs = steward_arg_time(&c, argv[0], "duration");
  if (c.rc == SQLITE_OK &&
      (iMs > 1000000000000000LL || iMs < -1000000000000000LL)) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "duration must be within +-1000000000000000 ms, got %lld",
                 iMs);
  }
  if (steward_close(&c) == SQLITE_OK) {
    sqlite3_result_int64(ctx, steward_now(c.p) + iMs);
  }
}

/* ttl_expired(at INTEGER) -> INTEGER, 0 or 1    plain
** Has this time, in Unix ms, come?  At the instant itself it has.  NULL gives
** NULL.
** Errors: "INVALID_ARGUMENT: ttl_expired: at must be an integer, got 'x'".
** Example: SELECT ttl_expired(steward_now()), ttl_expired(ttl_at(1)); -- 1|0
*/
static void ttl_expired(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  i64 iAt;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  steward_open(&c, ctx, "ttl_expired", NULL, STEWARD_READ);
  iAt = steward_arg_int(&c, argv[0], "at", INT64_MIN, INT64_MAX);
  if (steward_close(&c) == SQLITE_OK) {
    sqlite3_result_int(ctx, iAt <= steward_now(c.p));
  }
}

/* ttl_remaining(at INTEGER) -> INTEGER, ms    plain
** Milliseconds until this time, in Unix ms; 0 once it has come.  NULL gives
** NULL.
** Errors: "INVALID_ARGUMENT: ttl_remaining: at must be an integer, got 'x'".
** Example: SELECT ttl_remaining(ttl_at('1s')), ttl_remaining(0); -- 1000|0
*/
static void ttl_remaining(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  i64 iAt, iNow;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  steward_open(&c, ctx, "ttl_remaining", NULL, STEWARD_READ);
  iAt = steward_arg_int(&c, argv[0], "at", INT64_MIN, INT64_MAX);
  iNow = steward_now(c.p);
  if (steward_close(&c) == SQLITE_OK) {
    sqlite3_result_int64(ctx, iAt > iNow ? iAt - iNow : 0);
  }
}

static const StewardFunc aFunc[] = {
    {"ttl_attach", 2, 3, STEWARD_DIRECTONLY, ttl_attach, aAttachOption,
     ArraySize(aAttachOption)},
    {"ttl_detach", 1, 1, STEWARD_DIRECTONLY, ttl_detach, NULL, 0},
    {"ttl_sweep", 0, 2, STEWARD_DIRECTONLY, ttl_sweep, aSweepOption,
     ArraySize(aSweepOption)},
    {"ttl_at", 1, 1, STEWARD_PLAIN, ttl_at, NULL, 0},
    {"ttl_expired", 1, 1, STEWARD_PLAIN, ttl_expired, NULL, 0},
    {"ttl_remaining", 1, 1, STEWARD_PLAIN, ttl_remaining, NULL, 0},
};

int ttl_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
