/*
** change.c - the tables of the change index.
*/
#include <limits.h>

#include "steward_int.h"

static void check_text(StewardCall *c, sqlite3_value *v, const char *zName) {
  if (v && sqlite3_value_type(v) != SQLITE_NULL) {
    steward_arg_text(c, v, zName, INT_MAX);
  }
}

static void check_number(StewardCall *c, sqlite3_value *v, const char *zName) {
  if (v && sqlite3_value_type(v) != SQLITE_NULL) {
    steward_arg_int(c, v, zName, 0, INT64_MAX);
  }
}

/* change_range(seq_no INTEGER, hash TEXT, actor TEXT, actor_seq INTEGER,
**   deps_json TEXT, bytes, committed_at TEXT, HIDDEN doc TEXT,
**   HIDDEN branch TEXT, HIDDEN after INTEGER, HIDDEN upto INTEGER)       table
** The changes of a branch in their order, from behind number `after` (default
** 0) up to number `upto` (default: the last).  Rows are read as you take them,
** so LIMIT is cheap.  What a forked branch has inherited is in the range of the
** branch it came from: see forked_from and forked_seq_no in change_status.
** Set: changes
** Errors: "INVALID_ARGUMENT: change_range: after must be an integer, got 'x'";
**   NOT_INSTALLED.
** Source: seed 000, am_change_index.
** Example: SELECT change_append('doc1', 'main', 'ada', 1, 'a1', '[]', x'00');
**   -- 1
**   SELECT change_append('doc1', 'main', 'ada', 2, 'a2', '["a1"]', x'01'); -- 2
**   SELECT seq_no, hash, actor, actor_seq, deps_json, hex(bytes), committed_at
**     FROM change_range('doc1', 'main', 1);
**   -- 2|a2|ada|2|["a1"]|01|2023-11-14T22:13:20.000Z
*/
static void check_range(StewardCall *c, sqlite3_value **apArg) {
  check_text(c, apArg[0], "doc");
  check_text(c, apArg[1], "branch");
  check_number(c, apArg[2], "after");
  check_number(c, apArg[3], "upto");
}

/* change_status(doc TEXT, branch TEXT, branch_id TEXT, seq_no INTEGER,
**   heads_json TEXT, committed_at TEXT, forked_from TEXT,
**   forked_seq_no INTEGER, created_at TEXT, closed INTEGER, closed_at TEXT,
**   merged_into TEXT)                                                    table
** One row per branch: the number, time and heads of its last change; the branch
** it was forked from, and the last change of that which it inherited; whether
** and when it was closed, and into which branch it was merged.
** Set: changes
** Errors: NOT_INSTALLED.
** Source: seed 000, branches and am_heads.
** Example: SELECT change_append('doc1', 'main', 'ada', 1, 'a1', '[]', x'00');
**   -- 1
**   SELECT change_branch('doc1', 'draft', 'main'); -- doc1/draft
**   SELECT doc, branch, seq_no, heads_json, forked_from, forked_seq_no, closed
**     FROM change_status WHERE branch = 'draft';
**   -- doc1|draft|0|["a1"]|main|1|0
*/
static const StewardTable aTable[] = {
    {.zName = "change_range",
     .zColumns = "seq_no INTEGER, hash TEXT, actor TEXT, actor_seq INTEGER,"
                 " deps_json TEXT, bytes, committed_at TEXT, doc HIDDEN BLOB,"
                 " branch HIDDEN BLOB, after HIDDEN BLOB, upto HIDDEN BLOB",
     .nArg = 4,
     .nRequired = 2,
     .xCheck = check_range,
     .eSql = SQL_change_range,
     .zSet = "changes"},
    {.zName = "change_status",
     .zColumns = "doc TEXT, branch TEXT, branch_id TEXT, seq_no INTEGER,"
                 " heads_json TEXT, committed_at TEXT, forked_from TEXT,"
                 " forked_seq_no INTEGER, created_at TEXT, closed INTEGER,"
                 " closed_at TEXT, merged_into TEXT",
     .eSql = SQL_change_status,
     .zSet = "changes"},
};

int change_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
