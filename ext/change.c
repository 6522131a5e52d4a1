/*
** change.c - the change index: who changed a document, in which order.
**
** A document has branches; a branch is a gap-free sequence of changes and the
** set of its heads, the changes that no later one depends on.  A change names
** those that it depends on by their hashes; it is taken when they are all in
** the branch's history, its actor's sequence number goes up, and nobody was
** faster (base heads).  Its bytes are stored once per hash, whatever the number
** of branches.
**
**     SELECT change_append('doc1', 'main', 'ada', 1, 'a1', '[]', x'00');
**     SELECT change_append('doc1', 'main', 'ada', 2, 'a2', '["a1"]', x'01',
**                          '["a1"]');
**     SELECT change_heads('doc1', 'main');
**     SELECT change_branch('doc1', 'draft', 'main');
**
** Every change taken is told to the topic doc:<doc>/<branch> in the transaction
** that takes it.  Only the verbs of this file write the tables of the set
** changes; the tables change_range and change_status are in vtab/change.c.
**
** A hash is an opaque text, compared byte by byte; a BLOB stands for its
** lower-case hex.  The history of a branch is its own changes and, when it was
** forked, the parent's history up to then.  Numbers are the branch's own: a
** forked branch begins at 1 again, and what it inherited has number 0 there.
*/
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "change_int.h"

/* A topic has at most 200 bytes: "doc:", the document, "/", the branch. */
#define NAMES_MAX_BYTES 195
#define ACTOR_MAX_BYTES 200
#define HASH_MAX_BYTES 200 /* of the text */

/*************************************************************************
** Arguments
*/

static int hash_ok(const char *z, int n) {
  return z && n > 0 && n <= HASH_MAX_BYTES && (int)strlen(z) == n &&
         steward_utf8_ok((const unsigned char *)z, n);
}

/* Does JSON text have the escape of NUL?  SQLite would end the string there. */
static int has_nul(const char *z) {
  for (; *z; z++) {
    if (*z != '\\') continue;
    if (strncmp(z, "\\u0000", 6) == 0) return 1;
    if (z[1]) z++;
  }
  return 0;
}

static void fail_hashes(StewardCall *c, sqlite3_value *v, const char *zName) {
  steward_fail_argument(c, v, zName,
                        "a JSON array of hashes (texts of 1 to 200 bytes) like "
                        "'[\"a1b2\"]'");
}

/* Read a JSON array of hashes.  Asked of json_each() with a call of its own:
** json_valid() would say 0 when it has no memory. */
static void arg_hashes(StewardCall *c, sqlite3_value *v, const char *zName,
                       Hashes *pOut /* OUT */) {
  const char *zJson = steward_arg_text(c, v, zName, INT_MAX);
  StewardCall look = *c;
  sqlite3_stmt *pRow;
  if (zJson == NULL || strcmp(zJson, "[]") == 0) return;
  pRow = steward_query(&look, SQL_change_hashes, "t", zJson);
  while (steward_next(&look, pRow)) {
    int bText = strcmp(steward_column(&look, pRow, 0), "text") == 0;
    const char *z = bText ? steward_column(&look, pRow, 1) : NULL;
    if (look.rc) break;
    if (!hash_ok(z, sqlite3_column_bytes(pRow, 1))) fail_hashes(c, v, zName);
    hashes_push(c, pOut, z);
  }
  steward_give(&look, SQL_change_hashes, pRow);
  if (look.rc == SQLITE_ERROR || has_nul(zJson)) {
    fail_hashes(c, v, zName);
  } else if (look.rc && c->rc == SQLITE_OK) {
    c->rc = look.rc;
    c->zErr = look.zErr;
    look.zErr = NULL;
  }
  sqlite3_free(look.zErr);
  hashes_sort(pOut);
}

/* A hash as text; a BLOB becomes hex.  Caller frees. */
static char *arg_hash(StewardCall *c, sqlite3_value *v) {
  int i, n = sqlite3_value_bytes(v);
  const unsigned char *a;
  sqlite3_str *pOut;
  if (c->rc) return NULL;
  if (sqlite3_value_type(v) == SQLITE_TEXT) {
    const char *z = steward_arg_text(c, v, "hash", HASH_MAX_BYTES);
    return z ? steward_mprintf(c, "%s", z) : NULL;
  }
  if (sqlite3_value_type(v) != SQLITE_BLOB || n == 0 ||
      n > HASH_MAX_BYTES / 2) {
    steward_fail_argument(c, v, "hash", "text or a BLOB of 1 to 100 bytes");
    return NULL;
  }
  a = sqlite3_value_blob(v);
  if (a == NULL) {
    steward_fail_nomem(c);
    return NULL;
  }
  pOut = sqlite3_str_new(c->db);
  for (i = 0; i < n; i++) sqlite3_str_appendf(pOut, "%02x", a[i]);
  return steward_str_finish(c, pOut);
}

/* The names of a document and a branch, which together are a topic.  No `/` in
** a branch, so that no two of them have the same topic. */
static void arg_names(StewardCall *c, sqlite3_value **argv,
                      const char **pzDoc /* OUT */,
                      const char **pzBranch /* OUT */) {
  const char *zDoc = steward_arg_text(c, argv[0], "doc", NAMES_MAX_BYTES);
  const char *zBranch = steward_arg_text(c, argv[1], "branch", NAMES_MAX_BYTES);
  *pzDoc = zDoc;
  *pzBranch = zBranch;
  if (c->rc) return;
  if (strchr(zDoc, '*')) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "doc must be a name without *, got '%s'", zDoc);
  } else if (strpbrk(zBranch, "*/")) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "branch must be a name without * and /, got '%s'", zBranch);
  } else if (strlen(zDoc) + strlen(zBranch) > NAMES_MAX_BYTES) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "doc and branch must be at most %d bytes together, got %d: "
                 "shorten them",
                 NAMES_MAX_BYTES, (int)(strlen(zDoc) + strlen(zBranch)));
  }
}

/*************************************************************************
** Branches
*/
typedef struct Branch {
  const char *zDoc;  /* borrowed from the arguments */
  const char *zName; /* likewise */
  char *zId;         /* NULL: there is no such branch */
  char *zHeads;      /* JSON */
  char *zNow;        /* the time of the next change */
  Hashes heads;      /* by load_heads() */
  i64 iSeq;          /* number of its last change */
  int bClosed;
  int bForked;
} Branch;

static void branch_free(Branch *b) {
  sqlite3_free(b->zId);
  sqlite3_free(b->zHeads);
  sqlite3_free(b->zNow);
  hashes_free(&b->heads);
}

/* Look a branch up; whether or not there is one, b holds what is known. */
static void find_branch(StewardCall *c, Branch *b, const char *zDoc,
                        const char *zName) {
  sqlite3_stmt *pRow =
      steward_query(c, SQL_change_find, "ttl", zDoc, zName, steward_now(c->p));
  b->zDoc = zDoc;
  b->zName = zName;
  if (steward_next(c, pRow)) {
    if (sqlite3_column_type(pRow, 0) != SQLITE_NULL) {
      b->zId = steward_mprintf(c, "%s", steward_column(c, pRow, 0));
    }
    b->zHeads = steward_mprintf(c, "%s", steward_column(c, pRow, 1));
    b->iSeq = sqlite3_column_int64(pRow, 2);
    b->bClosed = sqlite3_column_int(pRow, 3);
    b->bForked = sqlite3_column_int(pRow, 4);
    b->zNow = steward_mprintf(c, "%s", steward_column(c, pRow, 5));
  }
  steward_give(c, SQL_change_find, pRow);
}

static void fail_no_branch(StewardCall *c, const Branch *b) {
  steward_fail(c, STEWARD_NOT_FOUND,
               "no branch '%s' of document '%s': SELECT branch FROM "
               "change_status WHERE doc='%s' lists them",
               b->zName, b->zDoc, b->zDoc);
}

static void load_heads(StewardCall *c, Branch *b) {
  sqlite3_stmt *pRow;
  if (c->rc || strcmp(b->zHeads, "[]") == 0) return;
  pRow = steward_query(c, SQL_change_hashes, "t", b->zHeads);
  while (steward_next(c, pRow)) {
    hashes_push(c, &b->heads, steward_column(c, pRow, 1));
  }
  steward_give(c, SQL_change_hashes, pRow);
  hashes_sort(&b->heads);
}

/* The heads for an error text; caller frees. */
static char *show_heads(StewardCall *c, const Branch *b) {
  enum { SHOWN = 600 };
  return hashes_json(c, &b->heads, SHOWN);
}

/* No row has been written: a trigger of the application said IGNORE. */
static void check_written(StewardCall *c, const char *zTable) {
  if (c->rc == SQLITE_OK && sqlite3_changes(c->db) == 0) {
    steward_fail(c, STEWARD_CONFLICT,
                 "a trigger on %s ignored the row: nothing was written",
                 zTable);
  }
}

static void make_branch(StewardCall *c, Branch *b, const char *zParent,
                        const char *zNow) {
  sqlite3_free(b->zId);
  b->zId = steward_text(c, SQL_change_branch_new, "tttt", b->zDoc, b->zName,
                        zParent, zNow);
  if (c->rc == SQLITE_OK && b->zId == NULL) {
    steward_fail(c, STEWARD_CONFLICT,
                 "a trigger on am_branches ignored the row: nothing was "
                 "written");
  }
}

static void set_heads(StewardCall *c, const Branch *b, const char *zHeads,
                      i64 iSeq, const char *zNow) {
  steward_run(c, SQL_change_heads_set, "ttlt", b->zId, zHeads, iSeq, zNow);
  check_written(c, "am_heads");
}

/*************************************************************************
** change_append
*/
typedef struct Change {
  const char *zActor; /* borrowed */
  i64 iActorSeq;
  char *zHash;
  Hashes deps;
  Hashes base;
  int bBase; /* base heads were given */
  sqlite3_value *pBytes;
} Change;

static void change_free(Change *p) {
  sqlite3_free(p->zHash);
  hashes_free(&p->deps);
  hashes_free(&p->base);
}

/* The arguments behind doc and branch. */
static void read_change(StewardCall *c, int argc, sqlite3_value **argv,
                        Change *p) {
  int eType = sqlite3_value_type(argv[6]);
  p->zActor = steward_arg_text(c, argv[2], "actor", ACTOR_MAX_BYTES);
  p->iActorSeq = steward_arg_int(c, argv[3], "actor_seq", 0, INT64_MAX);
  p->zHash = arg_hash(c, argv[4]);
  arg_hashes(c, argv[5], "deps_json", &p->deps);
  p->pBytes = argv[6];
  if (eType != SQLITE_BLOB && eType != SQLITE_TEXT) {
    steward_fail_argument(c, argv[6], "bytes", "a BLOB or text");
  }
  p->bBase = argc > 7 && sqlite3_value_type(argv[7]) != SQLITE_NULL;
  if (p->bBase) arg_hashes(c, argv[7], "base_heads_json", &p->base);
}

/* The number of a change that the branch has already; -1 when it has not. */
static i64 known_seq(StewardCall *c, const Branch *b, const char *zHash) {
  i64 iSeq = -1;
  if (b->zId == NULL) return -1;
  iSeq = steward_int(c, SQL_change_known, -1, "tt", b->zId, zHash);
  if (iSeq < 0 && b->bForked &&
      steward_int(c, SQL_change_inherited, 0, "tt", b->zId, zHash)) {
    iSeq = 0;
  }
  return iSeq;
}

static void check_open(StewardCall *c, const Branch *b) {
  char *zHeads, *zMerged;
  if (c->rc || !b->bClosed) return;
  zMerged = steward_text(c, SQL_change_merged, "t", b->zId);
  zHeads = show_heads(c, b);
  steward_fail(c, STEWARD_BRANCH_CLOSED,
               "branch '%s' of document '%s' is closed, its heads are %s: "
               "append to %s%s%s",
               b->zName, b->zDoc, zHeads,
               zMerged ? "the one it was merged into, '" : "another branch",
               zMerged ? zMerged : "", zMerged ? "'" : "");
  sqlite3_free(zMerged);
  sqlite3_free(zHeads);
}

static void check_base(StewardCall *c, const Branch *b, const Change *p) {
  char *zHeads, *zBase;
  if (c->rc || !p->bBase || hashes_equal(&p->base, &b->heads)) return;
  zHeads = show_heads(c, b);
  zBase = hashes_json(c, &p->base, 300);
  steward_fail(c, STEWARD_STALE_BASE_HEADS,
               "the heads of branch '%s' of document '%s' are %s, not %s: "
               "read what was appended and try again on top of it",
               b->zName, b->zDoc, zHeads, zBase);
  sqlite3_free(zHeads);
  sqlite3_free(zBase);
}

/* Mostly the dependencies are the heads, and no row is looked up. */
static void check_deps(StewardCall *c, const Branch *b, const Change *p) {
  char *zHeads;
  int i;
  for (i = 0; i < p->deps.n && c->rc == SQLITE_OK; i++) {
    const char *zDep = p->deps.az[i];
    if (hashes_have(&b->heads, zDep) || known_seq(c, b, zDep) >= 0) continue;
    zHeads = show_heads(c, b);
    steward_fail(c, STEWARD_MISSING_DEPENDENCY,
                 "change '%s' depends on '%s', which is not in the history of "
                 "branch '%s' of document '%s', whose heads are %s: append "
                 "that first",
                 p->zHash, zDep, b->zName, b->zDoc, zHeads);
    sqlite3_free(zHeads);
  }
}

/* What the branch inherited counts when the actor has no change of its own
** there; else that is higher anyway. */
static void check_actor(StewardCall *c, const Branch *b, const Change *p) {
  char *zHeads;
  i64 iLast;
  if (c->rc || b->zId == NULL) return;
  iLast = steward_int(c, SQL_change_actor, -1, "tt", b->zId, p->zActor);
  if (iLast < 0 && b->bForked) {
    iLast =
        steward_int(c, SQL_change_actor_inherited, -1, "tt", b->zId, p->zActor);
  }
  if (c->rc || iLast < p->iActorSeq) return;
  zHeads = show_heads(c, b);
  steward_fail(c, STEWARD_NON_MONOTONIC_SEQ,
               "actor '%s' is at %lld on branch '%s' of document '%s', whose "
               "heads are %s, and %lld does not go up: give a higher actor_seq",
               p->zActor, iLast, b->zName, b->zDoc, zHeads, p->iActorSeq);
  sqlite3_free(zHeads);
}

/* The bytes of lower-case hex, in place; -1 when z is something else. */
static int decode_hex(char *z) {
  static const char zDigits[] = "0123456789abcdef";
  int i, n = (int)strlen(z);
  if (n % 2 || (int)strspn(z, zDigits) != n) return -1;
  for (i = 0; i < n; i += 2) {
    int iHigh = (int)(strchr(zDigits, z[i]) - zDigits);
    int iLow = (int)(strchr(zDigits, z[i + 1]) - zDigits);
    z[i / 2] = (char)(iHigh << 4 | iLow);
  }
  return n / 2;
}

/* Store the bytes under the hash.  Their key is what the hash says in hex, or
** else its text, told by nKey = -1. */
static void store_bytes(StewardCall *c, const Change *p, const char *zKey,
                        int nKey) {
  steward_run(c, SQL_change_blob_new, "bv", zKey, nKey, p->pBytes);
  if (c->rc || sqlite3_changes(c->db)) return;
  if (!steward_int(c, SQL_change_blob_same, 0, "bv", zKey, nKey, p->pBytes)) {
    steward_fail(c, STEWARD_CONFLICT,
                 "hash '%s' is stored with other bytes than these %d: a hash "
                 "names one change, give another",
                 p->zHash, sqlite3_value_bytes(p->pBytes));
  }
}

/* Index the change as the branch's next. */
static void store_change(StewardCall *c, const Branch *b, const Change *p) {
  char *zDeps = hashes_json(c, &p->deps, INT_MAX);
  char *zKey = steward_mprintf(c, "%s", p->zHash);
  int nKey = zKey ? decode_hex(zKey) : -1;
  store_bytes(c, p, zKey, nKey);
  steward_run(c, SQL_change_new, "bttlttltt", zKey, nKey, b->zDoc, b->zId,
              b->iSeq + 1, p->zHash, zDeps, p->iActorSeq, p->zActor, b->zNow);
  check_written(c, "am_change_index");
  sqlite3_free(zDeps);
  sqlite3_free(zKey);
}

/* (heads - deps) + the change, as JSON; caller frees. */
static char *next_heads(StewardCall *c, const Branch *b, const Change *p) {
  Hashes next = {0};
  char *zNext;
  int i;
  for (i = 0; i < b->heads.n; i++) {
    if (!hashes_have(&p->deps, b->heads.az[i])) {
      hashes_push(c, &next, b->heads.az[i]);
    }
  }
  hashes_push(c, &next, p->zHash);
  hashes_sort(&next);
  zNext = hashes_json(c, &next, INT_MAX);
  hashes_free(&next);
  return zNext;
}

/* Tell the branch's topic. */
static void publish(StewardCall *c, const Branch *b, const Change *p,
                    const char *zHeads) {
  char *zTopic = steward_mprintf(c, "doc:%s/%s", b->zDoc, b->zName);
  sqlite3_stmt *pRow = steward_query(c, SQL_change_message, "ttlttltt", b->zDoc,
                                     b->zName, b->iSeq + 1, p->zHash, p->zActor,
                                     p->iActorSeq, zHeads, b->zNow);
  if (steward_next(c, pRow)) {
    steward_column(c, pRow, 0);
    delivery_append(c, zTopic, sqlite3_column_value(pRow, 0),
                    zTopic + strlen("doc:"), NULL);
  }
  steward_give(c, SQL_change_message, pRow);
  sqlite3_free(zTopic);
}

/* Take the change; its number. */
static i64 append(StewardCall *c, Branch *b, const Change *p) {
  char *zHeads;
  load_heads(c, b);
  check_open(c, b);
  check_base(c, b, p);
  check_deps(c, b, p);
  check_actor(c, b, p);
  if (c->rc) return 0;
  if (b->zId == NULL) make_branch(c, b, NULL, b->zNow);
  store_change(c, b, p);
  zHeads = next_heads(c, b, p);
  set_heads(c, b, zHeads, b->iSeq + 1, b->zNow);
  publish(c, b, p, zHeads);
  sqlite3_free(zHeads);
  return b->iSeq + 1;
}

/* change_append(doc TEXT, branch TEXT, actor TEXT, actor_seq INTEGER, hash,
**   deps_json TEXT, bytes [, base_heads_json TEXT]) -> INTEGER, seq_no    plain
** Append a change to a branch and return its number there: 1, 2, 3 ... without
** a gap.  Its dependencies stop being heads and it becomes one.  A change that
** the branch has already changes nothing, and its number comes back (0 when the
** branch inherited it).  All dependencies must be in the branch's history, the
** actor's sequence number must go up on the branch (gaps are allowed), and the
** base heads, if given, must be the current heads as a set: of many writers on
** top of the same heads one wins.  The first change makes the branch.
** hash: text of at most 200 bytes, compared as it is, or a BLOB, which stands
** for its lower-case hex.  bytes: a BLOB or text, stored once per hash.
** In the same transaction the topic doc:<doc>/<branch> gets the message
** {"doc","branch","seq_no","hash","actor","actor_seq","heads","committed_at"};
** several appends between BEGIN and ROLLBACK leave neither changes nor
** messages.
** Set: changes
** Errors: "STALE_BASE_HEADS: change_append: the heads of branch 'main' of
**   document 'd' are ["a2"], not ["a1"]: read what was appended and try again
**   on top of it"; "MISSING_DEPENDENCY: change_append: change 'a4' depends on
**   'a3', which is not in the history of branch 'main' of document 'd', whose
**   heads are ["a2"]: append that first"; "NON_MONOTONIC_SEQ: change_append:
**   actor 'ada' is at 2 on branch 'main' of document 'd', whose heads are
**   ["a2"], and 2 does not go up: give a higher actor_seq"; "BRANCH_CLOSED:
**   change_append: branch 'main' of document 'd' is closed, its heads are
**   ["a2"]: append to another branch"; "CONFLICT: change_append: hash 'a2' is
**   stored with other bytes than these 3: a hash names one change, give
**   another"; "INVALID_ARGUMENT: change_append: doc and branch must be at most
**   195 bytes together, got 200: shorten them"; UNSUPPORTED inside a writing
**   statement; QUEUE_FULL; NOT_INSTALLED; BUSY.
** Source: seed 000, am_change_index.
** Example: SELECT change_append('doc1', 'main', 'ada', 1, 'a1', '[]', x'00');
**   -- 1
**   SELECT change_append('doc1', 'main', 'ada', 2, 'a2', '["a1"]', x'01',
**                        '["a1"]'); -- 2
**   SELECT change_append('doc1', 'main', 'ada', 1, 'a1', '[]', x'00'); -- 1
*/
static void change_append(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  Change change = {0};
  Branch branch = {0};
  const char *zDoc, *zBranch;
  i64 iSeq = -1;
  steward_open(&c, ctx, "change_append", "changes", STEWARD_WRITE);
  arg_names(&c, argv, &zDoc, &zBranch);
  read_change(&c, argc, argv, &change);
  find_branch(&c, &branch, zDoc, zBranch);
  if (c.rc == SQLITE_OK) iSeq = known_seq(&c, &branch, change.zHash);
  if (c.rc == SQLITE_OK && iSeq < 0) iSeq = append(&c, &branch, &change);
  change_free(&change);
  branch_free(&branch);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iSeq);
}

/*************************************************************************
** Reading
*/

/* The arguments doc and branch of a reading call; 0 when one is NULL. */
static int read_names(StewardCall *c, sqlite3_value **argv,
                      const char **pzDoc /* OUT */,
                      const char **pzBranch /* OUT */) {
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL ||
      sqlite3_value_type(argv[1]) == SQLITE_NULL) {
    return 0;
  }
  *pzDoc = steward_arg_text(c, argv[0], "doc", INT_MAX);
  *pzBranch = steward_arg_text(c, argv[1], "branch", INT_MAX);
  return c->rc == SQLITE_OK;
}

/* change_heads(doc TEXT, branch TEXT) -> TEXT, JSON array               plain
** The hashes of the changes on which no other one of the branch depends,
** sorted: what the next change names as its dependencies.  A branch that is not
** there has the heads [], on which its first change is based.
** Set: changes
** Errors: "INVALID_ARGUMENT: change_heads: branch must be text, got 5";
**   NOT_INSTALLED.
** Source: seed 000, am_heads.
** Example: SELECT change_append('doc1', 'main', 'ada', 1, 'a1', '[]', x'00');
**   -- 1
**   SELECT change_append('doc1', 'main', 'bob', 1, 'b1', '[]', x'00'); -- 2
**   SELECT change_heads('doc1', 'main'); -- ["a1","b1"]
**   SELECT change_heads('doc1', 'unknown'); -- []
*/
static void change_heads(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zDoc, *zBranch;
  char *zHeads = NULL;
  steward_open(&c, ctx, "change_heads", "changes", STEWARD_READ);
  if (read_names(&c, argv, &zDoc, &zBranch)) {
    zHeads = steward_text(&c, SQL_change_heads, "tt", zDoc, zBranch);
    if (zHeads == NULL) zHeads = steward_mprintf(&c, "[]");
  }
  steward_close_json(&c, zHeads);
}

/* A point in time as the tables write it; caller frees. */
static char *arg_at(StewardCall *c, sqlite3_value *v) {
  char *zAt = NULL;
  if (sqlite3_value_numeric_type(v) == SQLITE_INTEGER ||
      sqlite3_value_type(v) == SQLITE_TEXT) {
    zAt = steward_text(c, SQL_change_iso, "v", v);
  }
  if (c->rc == SQLITE_OK && zAt == NULL) {
    steward_fail_argument(c, v, "at",
                          "Unix milliseconds or text like "
                          "'2026-01-31T12:00:00.000Z'");
  }
  return zAt;
}

/* change_upto(doc TEXT, branch TEXT, at) -> INTEGER, seq_no              plain
** The number of the branch's last change at a time (Unix ms, or ISO text), for
** change_range(doc, branch, 0, number): 0 when there was none yet.  Times never
** go back within a branch: a change is committed at the clock's time, or at
** that of the change before it when the clock is behind that.
** Set: changes
** Errors: "INVALID_ARGUMENT: change_upto: at must be Unix milliseconds or text
**   like '2026-01-31T12:00:00.000Z', got 'noon'"; NOT_INSTALLED.
** Source: seed 000, am_change_index.
** Example: SELECT change_append('doc1', 'main', 'ada', 1, 'a1', '[]', x'00');
**   -- 1
**   SELECT change_upto('doc1', 'main', 1700000000000),
**     change_upto('doc1', 'main', '2023-11-14T22:13:19.999Z'); -- 1|0
*/
static void change_upto(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  const char *zDoc, *zBranch;
  char *zAt;
  i64 iSeq = 0;
  int bAsked;
  steward_open(&c, ctx, "change_upto", "changes", STEWARD_READ);
  bAsked = sqlite3_value_type(argv[2]) != SQLITE_NULL &&
           read_names(&c, argv, &zDoc, &zBranch);
  if (bAsked) {
    zAt = arg_at(&c, argv[2]);
    iSeq = steward_int(&c, SQL_change_upto, 0, "ttt", zDoc, zBranch, zAt);
    sqlite3_free(zAt);
  }
  if (steward_close(&c) == SQLITE_OK && bAsked) sqlite3_result_int64(ctx, iSeq);
}

/*************************************************************************
** Branches, made and closed
*/

/* A branch that must be there. */
static void need_branch(StewardCall *c, Branch *b, const char *zDoc,
                        const char *zName) {
  find_branch(c, b, zDoc, zName);
  if (c->rc == SQLITE_OK && b->zId == NULL) fail_no_branch(c, b);
}

/* Make the branch b where its parent stands; NULL: at the beginning. */
static void fork_branch(StewardCall *c, Branch *b, const Branch *pParent) {
  if (c->rc) return;
  if (pParent == NULL) {
    make_branch(c, b, NULL, b->zNow);
    set_heads(c, b, "[]", 0, b->zNow);
    return;
  }
  make_branch(c, b, pParent->zId, pParent->zNow);
  set_heads(c, b, pParent->zHeads, 0, pParent->zNow);
  steward_run(c, SQL_change_fork_new, "tl", b->zId, pParent->iSeq);
  check_written(c, "am_forks");
}

/* change_branch(doc TEXT, branch TEXT [, from TEXT]) -> TEXT, branch id   plain
** Make a branch of a document: empty, or forked from another of its branches.
** A forked branch begins with the heads of the other, and the history of that
** up to now, with what it inherited itself, is the history of the new one: for
** dependencies, changes known already and the actors' sequence numbers.  What
** is appended to the other later is not.  Its own changes are numbered from 1.
** A branch may also be forked from one that is closed.  Without this verb the
** first change makes a branch, an empty one.
** Set: changes
** Errors: "DUPLICATE: change_branch: document 'd' has a branch 'main' already:
**   append to it, or give another name"; "NOT_FOUND: change_branch: no branch
**   'x' of document 'd': SELECT branch FROM change_status WHERE doc='d' lists
**   them"; INVALID_ARGUMENT; NOT_INSTALLED; BUSY.
** Source: seed 000, branches.
** Example: SELECT change_append('doc1', 'main', 'ada', 1, 'a1', '[]', x'00');
**   -- 1
**   SELECT change_branch('doc1', 'draft', 'main'); -- doc1/draft
**   SELECT change_append('doc1', 'draft', 'ada', 2, 'a2', '["a1"]', x'01');
**   -- 1
*/
static void change_branch(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  Branch branch = {0}, parent = {0};
  const char *zDoc, *zBranch, *zFrom = NULL;
  steward_open(&c, ctx, "change_branch", "changes", STEWARD_WRITE);
  arg_names(&c, argv, &zDoc, &zBranch);
  if (argc > 2 && sqlite3_value_type(argv[2]) != SQLITE_NULL) {
    zFrom = steward_arg_text(&c, argv[2], "from", NAMES_MAX_BYTES);
  }
  find_branch(&c, &branch, zDoc, zBranch);
  if (c.rc == SQLITE_OK && branch.zId) {
    steward_fail(&c, STEWARD_DUPLICATE,
                 "document '%s' has a branch '%s' already: append to it, or "
                 "give another name",
                 zDoc, zBranch);
  }
  if (zFrom) need_branch(&c, &parent, zDoc, zFrom);
  fork_branch(&c, &branch, zFrom ? &parent : NULL);
  if (c.rc == SQLITE_OK) {
    sqlite3_result_text(ctx, branch.zId, -1, SQLITE_TRANSIENT);
  }
  branch_free(&branch);
  branch_free(&parent);
  steward_close(&c);
}

/* A branch stays merged into the one that was named first. */
static void check_merged(StewardCall *c, const Branch *b,
                         const Branch *pTarget) {
  char *zMerged = steward_text(c, SQL_change_merged, "t", b->zId);
  if (c->rc == SQLITE_OK && zMerged && strcmp(zMerged, pTarget->zName)) {
    steward_fail(c, STEWARD_BRANCH_CLOSED,
                 "branch '%s' of document '%s' is merged into '%s' already, "
                 "not into '%s': leave it so",
                 b->zName, b->zDoc, zMerged, pTarget->zName);
  }
  sqlite3_free(zMerged);
}

/* change_close(doc TEXT, branch TEXT [, merged_into TEXT]) -> 1           plain
** Close a branch: it takes no more changes, and stays for reading and forking.
** merged_into names the branch of the same document that has taken it up; that
** is a note, nothing is merged.  Again: changes nothing, but a target that was
** not given may be given later.
** Set: changes
** Errors: "NOT_FOUND: change_close: no branch 'x' of document 'd': SELECT
**   branch FROM change_status WHERE doc='d' lists them"; "BRANCH_CLOSED:
**   change_close: branch 'draft' of document 'd' is merged into 'main' already,
**   not into 'other': leave it so"; "INVALID_ARGUMENT: change_close: branch
**   'main' cannot be merged into itself: name another"; NOT_INSTALLED; BUSY.
** Source: seed 000, branches.
** Example: SELECT change_append('doc1', 'main', 'ada', 1, 'a1', '[]', x'00');
**   -- 1
**   SELECT change_branch('doc1', 'draft', 'main'); -- doc1/draft
**   SELECT change_close('doc1', 'draft', 'main'); -- 1
**   SELECT closed, merged_into FROM change_status WHERE branch = 'draft';
**   -- 1|main
*/
static void change_close(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  Branch branch = {0}, target = {0};
  const char *zDoc, *zBranch, *zInto = NULL;
  steward_open(&c, ctx, "change_close", "changes", STEWARD_WRITE);
  zDoc = steward_arg_text(&c, argv[0], "doc", NAMES_MAX_BYTES);
  zBranch = steward_arg_text(&c, argv[1], "branch", NAMES_MAX_BYTES);
  if (argc > 2 && sqlite3_value_type(argv[2]) != SQLITE_NULL) {
    zInto = steward_arg_text(&c, argv[2], "merged_into", NAMES_MAX_BYTES);
  }
  need_branch(&c, &branch, zDoc, zBranch);
  if (zInto && c.rc == SQLITE_OK && strcmp(zInto, zBranch) == 0) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "branch '%s' cannot be merged into itself: name another",
                 zBranch);
  }
  if (zInto) need_branch(&c, &target, zDoc, zInto);
  if (zInto) check_merged(&c, &branch, &target);
  steward_run(&c, SQL_change_close, "ttt", branch.zId, branch.zNow, target.zId);
  check_written(&c, "am_branches");
  branch_free(&branch);
  branch_free(&target);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, 1);
}

static const StewardFunc aFunc[] = {
    {"change_append", 7, 8, STEWARD_PLAIN, change_append, NULL, 0},
    {"change_heads", 2, 2, STEWARD_PLAIN, change_heads, NULL, 0},
    {"change_upto", 3, 3, STEWARD_PLAIN, change_upto, NULL, 0},
    {"change_branch", 2, 3, STEWARD_PLAIN, change_branch, NULL, 0},
    {"change_close", 2, 3, STEWARD_PLAIN, change_close, NULL, 0},
};

int change_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
