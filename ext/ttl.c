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

#include "ttl_int.h"

enum { UNIT_S, UNIT_MS, UNIT_ISO };
static const char *const azUnit[] = {"s", "ms", "iso"};

enum { ACTION_DELETE, ACTION_ARCHIVE, ACTION_PUBLISH };
static const char *const azAction[] = {"delete", "archive", "publish"};

typedef struct AttachOptions {
  i64 eUnit;    /* -1: find out */
  i64 bOnWrite; /* -1: where that is possible */
  i64 nBatch;
  i64 iMaxAge;  /* ms; -1: none */
  i64 nMaxRows; /* -1: any number */
  char *zWhere; /* owned, as zTarget */
  i64 eAction;
  char *zTarget; /* the table or topic */
  i64 nAlert;
} AttachOptions;

/* With max_rows alone the column is no time of expiry. */
static int by_time(const AttachOptions *o) {
  return o->iMaxAge >= 0 || o->nMaxRows < 0;
}

static const StewardOption aAttachOption[] = {
    {"unit", STEWARD_OPT_WORD, offsetof(AttachOptions, eUnit), 0, 0, "s|ms|iso",
     "what the column holds: Unix seconds, Unix ms, or UTC text"},
    {"on_write", STEWARD_OPT_BOOL, offsetof(AttachOptions, bOnWrite), 0, 1,
     NULL, "each insert removes up to two expired rows"},
    {"batch", STEWARD_OPT_INT, offsetof(AttachOptions, nBatch), 1, 100000, NULL,
     "rows that ttl_sweep removes at a time"},
    {"max_age", STEWARD_OPT_DURATION, offsetof(AttachOptions, iMaxAge), 0,
     3153600000000LL, NULL,
     "rows expire so long after the time in the column; 0: at that time"},
    {"max_rows", STEWARD_OPT_INT, offsetof(AttachOptions, nMaxRows), 1,
     1000000000000LL, NULL,
     "ttl_sweep keeps the newest so many; alone: whatever their age"},
    {"where", STEWARD_OPT_TEXT, offsetof(AttachOptions, zWhere), 0, 0, NULL,
     "SQL that a row must satisfy to be removed, over its own columns"},
    {"action", STEWARD_OPT_WORD, offsetof(AttachOptions, eAction), 0, 0,
     "delete|archive|publish", "what ttl_sweep does with a row that goes"},
    {"target", STEWARD_OPT_TEXT, offsetof(AttachOptions, zTarget), 0, 0, NULL,
     "the table of archive, the topic of publish"},
    {"alert_rows", STEWARD_OPT_INT, offsetof(AttachOptions, nAlert), 0,
     1000000000, NULL, "rows due from which ttl_status raises its alert"},
};

/* A policy: what the caller asked for, and what was found. */
typedef struct Policy {
  StewardTableInfo info;
  const char *zColumn; /* as the schema spells it */
  int eUnit;
  char *zTime;                     /* SQL of a row's time, see ttl_time_sql() */
  char *zAnd;                      /* " AND (<option where>)", or "" */
  char *zIndex, *zView, *zTrigger; /* names of what is made */
} Policy;

static void policy_free(Policy *p) {
  steward_table_info_free(&p->info);
  sqlite3_free(p->zTime);
  sqlite3_free(p->zAnd);
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

/* The condition that a row holds a time, so that max_rows counts it; a range of
** the partial index.  Caller frees. */
char *ttl_readable_sql(StewardCall *c, const char *zColumn, const char *zUnit) {
  char *zTime = ttl_time_sql(c, zColumn, zUnit), *z;
  z = zTime ? steward_mprintf(c, "\"%w\" IS NOT NULL AND %s %s", zColumn, zTime,
                              strcmp(zUnit, "iso") ? "< ''" : "> 0")
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

/* The SQL of the present time, less max_age, as the column writes it: the clock
** pinned in the database, else the real one.  Caller frees. */
static char *now_sql(StewardCall *c, const Policy *p, i64 iAge) {
  static const char zClock[] =
      "(SELECT value FROM steward_config WHERE name = 'clock')";
  if (p->eUnit == UNIT_S) {
    return steward_mprintf(c, "(coalesce(%s / 1000, unixepoch()) - %lld)",
                           zClock, iAge / 1000);
  }
  if (p->eUnit == UNIT_MS) {
    return steward_mprintf(
        c,
        "(coalesce(%s, CAST(round((julianday('now') - 2440587.5) * 86400000)"
        " AS INTEGER)) - %lld)",
        zClock, iAge);
  }
  return steward_mprintf(
      c,
      "(coalesce(julianday(%s / 1000.0, 'unixepoch'), julianday('now'))"
      " - %lld / 86400000.0)",
      zClock, iAge);
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
                              " \"%w\" WHERE %s%s AND %s ORDER BY %s LIMIT 1);",
                              zTable, zKey, zKey, zTable, zDue, p->zAnd, zNot,
                              p->zTime);
    steward_exec(c,
                 "CREATE TRIGGER main.\"%w\" AFTER INSERT ON \"%w\""
                 " WHEN EXISTS (SELECT 1 FROM \"%w\" WHERE %s%s)"
                 " BEGIN %s %s END",
                 p->zTrigger, zTable, zTable, zDue, p->zAnd, zDelete, zDelete);
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
                 "fail: attach with {\"on_write\":0} and call ttl_sweep(%Q)",
                 zWhy, p->info.zName, p->info.zName);
  }
  sqlite3_free(zWhy);
}

/* The view of the rows that stay: those with a later time, those among the
** newest, those that are not meant. */
static void make_view(StewardCall *c, const Policy *p, const AttachOptions *o,
                      const char *zNow) {
  sqlite3_str *pSql = sqlite3_str_new(c->db);
  const char *zTime = p->zTime;
  char *zReadable = ttl_readable_sql(c, p->zColumn, azUnit[p->eUnit]);
  sqlite3_str_appendf(pSql,
                      "CREATE VIEW main.\"%w\" AS SELECT * FROM \"%w\" WHERE "
                      "/* steward_ttl */ %s IS NULL",
                      p->zView, p->info.zName, zTime);
  if (o->zWhere)
    sqlite3_str_appendf(pSql, " OR NOT coalesce((%s\n), 0)", o->zWhere);
  sqlite3_str_appendall(pSql, " OR (1");
  if (by_time(o)) sqlite3_str_appendf(pSql, " AND %s > %s", zTime, zNow);
  if (o->nMaxRows >= 0) {
    sqlite3_str_appendf(pSql,
                        " AND %s >= coalesce((SELECT %s FROM \"%w\" WHERE"
                        " %s%s ORDER BY %s DESC LIMIT 1 OFFSET %lld), %s)",
                        zTime, zTime, p->info.zName, zReadable ? zReadable : "",
                        p->zAnd, zTime, o->nMaxRows - 1, zTime);
  }
  sqlite3_str_appendall(pSql, ")");
  sqlite3_free(zReadable);
  steward_exec(c, "%z", steward_str_finish(c, pSql));
}

static void make_objects(StewardCall *c, Policy *p, const AttachOptions *o) {
  char *zNow = now_sql(c, p, o->iMaxAge > 0 ? o->iMaxAge : 0);
  check_free(c, p->zIndex);
  check_free(c, p->zView);
  check_free(c, p->zTrigger);
  if (c->rc == SQLITE_OK) {
    steward_exec(c,
                 "CREATE INDEX main.\"%w\" ON \"%w\"(%s)"
                 " WHERE \"%w\" IS NOT NULL%s",
                 p->zIndex, p->info.zName, p->zTime, p->zColumn, p->zAnd);
  }
  if (c->rc == SQLITE_OK) make_view(c, p, o, zNow);
  if (o->bOnWrite) make_trigger(c, p, zNow);
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
  char zAge[24] = "", zRows[24] = "";
  if (o->iMaxAge >= 0) {
    sqlite3_snprintf(sizeof(zAge), zAge, "%lld", o->iMaxAge);
  }
  if (o->nMaxRows >= 0) {
    sqlite3_snprintf(sizeof(zRows), zRows, "%lld", o->nMaxRows);
  }
  steward_run(c, SQL_ttl_store, "ttttlttll", p->info.zName, p->zColumn,
              azUnit[p->eUnit], p->zIndex, o->bOnWrite, p->zView,
              o->bOnWrite ? p->zTrigger : NULL, o->nBatch, steward_now(c->p));
  steward_run(c, SQL_ttl_store_options, "ttttttl", p->info.zName, zAge, zRows,
              o->zWhere, azAction[o->eAction], o->zTarget, o->nAlert);
}

/* Is the table attached in this way already? */
static int is_same(StewardCall *c, const Policy *p, const AttachOptions *o) {
  return c->rc == SQLITE_OK &&
         steward_int(c, SQL_ttl_same, 0, "tttlllttt", p->info.zName, p->zColumn,
                     azUnit[p->eUnit], o->bOnWrite, o->iMaxAge, o->nMaxRows,
                     o->zWhere, azAction[o->eAction], o->zTarget);
}

/*************************************************************************
** Options
*/

/* Is zWhere one expression?  "1) OR (1" is none, though it makes one between
** brackets. */
static int one_expression(StewardCall *c, const Policy *p, const char *zWhere) {
  sqlite3_stmt *pStmt = NULL;
  char *zSql = steward_mprintf(c, "SELECT iif(%s\n, 1, 0) FROM main.\"%w\"",
                               zWhere, p->info.zName);
  int rc =
      zSql ? sqlite3_prepare_v2(c->db, zSql, -1, &pStmt, NULL) : SQLITE_NOMEM;
  if ((rc & 0xff) == SQLITE_NOMEM) steward_fail_nomem(c);
  sqlite3_finalize(pStmt);
  sqlite3_free(zSql);
  return rc == SQLITE_OK;
}

/* The predicate must be one expression over the table. */
static void check_where(StewardCall *c, const Policy *p, const char *zWhere) {
  char *zSql;
  const char *zTail = NULL;
  sqlite3_stmt *pStmt = NULL;
  int rc;
  if (c->rc || zWhere == NULL) return;
  zSql = steward_mprintf(c, "SELECT 1 FROM main.\"%w\" WHERE (%s\n)",
                         p->info.zName, zWhere);
  if (zSql == NULL) return;
  rc = sqlite3_prepare_v2(c->db, zSql, -1, &pStmt, &zTail);
  if ((rc & 0xff) == SQLITE_NOMEM) {
    steward_fail_nomem(c);
  } else if (rc) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "option where is no condition over table '%s': %s",
                 p->info.zName, sqlite3_errmsg(c->db));
  } else if (zTail[0] || sqlite3_bind_parameter_count(pStmt) > 0 ||
             !one_expression(c, p, zWhere)) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "option where must be one condition without parameters, got "
                 "%.100s",
                 zWhere);
  }
  sqlite3_finalize(pStmt);
  sqlite3_free(zSql);
}

/* The table that rows are moved to: one like this is made when there is
** none. */
static void check_archive(StewardCall *c, const Policy *p,
                          const char *zTarget) {
  StewardTableInfo info;
  int i;
  if (sqlite3_stricmp(zTarget, p->info.zName) == 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "table '%s' cannot be its own archive: name another", zTarget);
  }
  if (c->rc) return;
  if (!steward_int(c, SQL_introspect_object, 0, "t", zTarget)) {
    steward_exec(c,
                 "CREATE TABLE main.\"%w\" AS SELECT * FROM main.\"%w\""
                 " WHERE 0",
                 zTarget, p->info.zName);
  }
  steward_table_info(c, zTarget, &info);
  for (i = 0; c->rc == SQLITE_OK && i < p->info.nCol; i++) {
    if (!p->info.aCol[i].bHidden) {
      steward_require_column(c, &info, p->info.aCol[i].zName);
    }
  }
  steward_table_info_free(&info);
}

static void check_action(StewardCall *c, const Policy *p,
                         const AttachOptions *o) {
  enum { PUBLISH_COLUMNS = 60 }; /* json_object() takes 127 arguments */
  if (c->rc) return;
  if ((o->eAction != ACTION_DELETE) != (o->zTarget && o->zTarget[0])) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 o->eAction == ACTION_DELETE
                     ? "option target is for the actions archive and publish: "
                       "say which"
                     : "action %s needs option target: %s",
                 azAction[o->eAction],
                 o->eAction == ACTION_ARCHIVE ? "the table to move rows to"
                                              : "the topic to publish rows to");
  } else if (o->eAction != ACTION_DELETE && o->bOnWrite) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "action %s could make an INSERT into '%s' fail: attach with "
                 "{\"on_write\":0} and call ttl_sweep(%Q)",
                 azAction[o->eAction], p->info.zName, p->info.zName);
  } else if (o->eAction == ACTION_ARCHIVE) {
    check_archive(c, p, o->zTarget);
  } else if (o->eAction == ACTION_PUBLISH && p->info.nCol > PUBLISH_COLUMNS) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "action publish takes tables of at most %d columns, '%s' has "
                 "%d: use archive",
                 PUBLISH_COLUMNS, p->info.zName, p->info.nCol);
  }
}

/*************************************************************************
** The verbs
*/

/* What was not said. */
static void settle_options(AttachOptions *o) {
  if (o->nAlert < 0) o->nAlert = 1000;
  if (o->bOnWrite < 0) o->bOnWrite = o->eAction == ACTION_DELETE && by_time(o);
}

static void attach_policy(StewardCall *c, Policy *p, AttachOptions *o) {
  i64 eUnit = steward_int(c, SQL_ttl_unit, -1, "tt", p->info.zName, p->zColumn);
  settle_options(o);
  find_unit(c, p, o->eUnit >= 0 ? o->eUnit : eUnit);
  p->zAnd = o->zWhere ? steward_mprintf(c, " AND (%s\n)", o->zWhere)
                      : steward_mprintf(c, "");
  check_where(c, p, o->zWhere);
  check_action(c, p, o);
  if (o->bOnWrite && !by_time(o)) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "counting rows at every INSERT into '%s' would cost too much: "
                 "attach with {\"on_write\":0} and call ttl_sweep(%Q)",
                 p->info.zName, p->info.zName);
  }
  if (o->bOnWrite) check_on_write(c, p);
  if (is_same(c, p, o) &&
      steward_int(c, SQL_ttl_intact, 0, "t", p->info.zName)) {
    steward_run(c, SQL_ttl_set_batch, "tl", p->info.zName, o->nBatch);
    steward_run(c, SQL_ttl_set_alert, "tl", p->info.zName, o->nAlert);
    return;
  }
  check_values(c, p);
  p->zIndex = steward_mprintf(c, "steward_ttl_%s", p->info.zName);
  p->zView = steward_mprintf(c, "%s_live", p->info.zName);
  p->zTrigger = steward_mprintf(c, "steward_ttl_%s_sweep", p->info.zName);
  if (c->rc) return;
  drop_objects(c, p->info.zName);
  make_objects(c, p, o);
  store_policy(c, p, o);
}

/* Fail when the table had another name when it was attached. */
static void check_name(StewardCall *c, const char *zTable) {
  char *zWas = steward_text(c, SQL_ttl_was_called, "t", zTable);
  if (zWas) {
    steward_fail(c, STEWARD_NOT_FOUND,
                 "table '%s' was called '%s' when ttl_attach() was: SELECT "
                 "ttl_detach(%Q), then attach it by its new name",
                 zTable, zWas, zWas);
  }
  sqlite3_free(zWas);
}

/* ttl_attach(table TEXT, column TEXT [, options JSON]) -> INTEGER, always 1
**                                                               directonly
** Let the rows of a table expire at the time in a column, or max_age after it;
** with max_rows, keep the newest so many (alone: whatever their age).  With
** `where`, only rows that satisfy it go; ttl_sweep() deletes them, or moves
** them to the table `target` (action archive; made when it is not there, and
** kept by ttl_detach), or publishes each as JSON to the topic `target` (action
** publish).  The column holds Unix seconds, milliseconds or UTC text that
** begins with a date ('2026-01-31 12:00:00', '2026-01-31T12:00:00.000Z', mixed
** as you like), told by the data or option unit.  NULL never expires, nor does
** what is no time, and neither counts for max_rows: a column that holds such is
** refused, later ones are counted by ttl_status.  Makes a partial index, the
** view <table>_live, and unless on_write is 0 (or must be) a trigger by which
** each insert removes up to two expired rows; all plain SQL.  Again: changes
** options.
** Set: core
** Errors: "INVALID_ARGUMENT: ttl_attach: cannot tell from column 'x' of 't'
**   whether it holds Unix seconds, ..."; "INVALID_ARGUMENT: ttl_attach: column
**   'x' of 't' holds 'soon', which is no time of unit 'iso' and would never
**   expire: change it, or set it to NULL"; INVALID_ARGUMENT, too, when the
**   values look like another unit; NOT_FOUND for a table or column;
**   UNSUPPORTED where a foreign key, a DELETE trigger or the action makes
**   on_write unsafe, and for max_rows, which ttl_sweep alone keeps;
**   CONFLICT when a name that it needs is taken.
** Source: seed 002, TTL cleanup.
** Example: CREATE TABLE sessions(id INTEGER PRIMARY KEY, expires_at INTEGER);
**   SELECT ttl_attach('sessions', 'expires_at', '{"unit":"ms"}'); -- 1
**   INSERT INTO sessions VALUES (1, ttl_at('-1s')), (2, ttl_at('1h'));
*/
static void ttl_attach(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  Policy policy;
  AttachOptions options = {-1, -1, 500, -1, -1, NULL, ACTION_DELETE, NULL, -1};
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
  if (c.rc == SQLITE_OK) check_name(&c, policy.info.zName);
  iCol = steward_require_column(&c, &policy.info, zColumn);
  if (c.rc == SQLITE_OK) {
    policy.zColumn = policy.info.aCol[iCol].zName;
    attach_policy(&c, &policy, &options);
  }
  policy_free(&policy);
  steward_options_free(aAttachOption, ArraySize(aAttachOption), &options);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

void ttl_fail_not_attached(StewardCall *c, const char *zTable) {
  check_name(c, zTable);
  steward_fail(c, STEWARD_NOT_FOUND,
               "table '%s' has no expiry policy: SELECT table_name FROM "
               "ttl_status lists those that have",
               zTable);
}

/* ttl_detach(table TEXT) -> INTEGER, always 1    directonly
** End the expiry of a table: remove the index, view and trigger that
** ttl_attach() made, and nothing else.  No row is removed.
** Set: core
** Errors: "NOT_FOUND: ttl_detach: table 't' has no expiry policy: ..."; and for
**   one that was attached by another name "...: table 'u' was called 't' when
**   ttl_attach() was: SELECT ttl_detach('t'), then attach it by its new name".
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
    ttl_fail_not_attached(&c, zTable);
  }
  if (c.rc == SQLITE_OK) drop_objects(&c, zTable);
  steward_run(&c, SQL_ttl_forget, "t", zTable);
  steward_run(&c, SQL_ttl_forget_options, "t", zTable);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
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
    {"ttl_at", 1, 1, STEWARD_PLAIN, ttl_at, NULL, 0},
    {"ttl_expired", 1, 1, STEWARD_PLAIN, ttl_expired, NULL, 0},
    {"ttl_remaining", 1, 1, STEWARD_PLAIN, ttl_remaining, NULL, 0},
};

int ttl_register(Steward *p) {
  int rc = steward_register_functions(p, aFunc, ArraySize(aFunc));
  if (rc == SQLITE_OK) rc = ttl_sweep_register(p);
  return rc;
}
