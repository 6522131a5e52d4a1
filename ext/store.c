/*
** store.c - a key-value store inside the database: records of JSON by
** namespace and key, with revisions, times to live and quotas, for one
** application or for many installs of many tenants.
**
**     SELECT store_put('settings', 'theme', '"dark"');              -- 1
**     SELECT store_get('settings', 'theme');                        -- "dark"
**     SELECT store_put('acme', 'crm', 'leads', 'k', '{"n":1}',
**                      '{"ttl_seconds":3600,"if_absent":true}');
**
** Every verb takes tenant and install in front, or neither: then both are ''.
** A record is a row of ext_storage_records; what an install holds is kept in
** ext_storage_usage and steward_store_namespaces by the triggers of the set
** storage, for plain SQL, too.  A revision never comes again for a key: a new
** record begins above the highest one that the install has removed.
**
** A put reads what it must know (store_look, and store_room where more is to be
** kept), decides, and writes with one statement: so it is atomic everywhere,
** also in triggers.  The commonest one, another value under a key that is
** there, is that statement alone (store_quick).  Reads never return an expired
** record and never write.  Expired ones are removed before every 16th put of a
** connection, 32 at a time, and by ttl_sweep().
*/
#include <string.h>

#include "store_int.h"

/* Bytes of {}: no metadata. */
#define NO_META 2

/* The columns of store_look. */
enum {
  LOOK_ROWID,
  LOOK_REVISION,
  LOOK_SIZE,
  LOOK_META_SIZE,
  LOOK_EXPIRES,
  LOOK_LIMITS,
  LOOK_OWN_LIMITS,
  LOOK_SCHEMA
};

/* The columns of store_room. */
enum { ROOM_KEYS, ROOM_BYTES, ROOM_NAMESPACES, ROOM_LAST_REVISION };

/* What was found before a write. */
typedef struct Look {
  i64 iRowid;
  i64 iRevision;
  i64 nSize;
  i64 nMetaSize;
  i64 iExpires; /* 0: never */
  int bThere;   /* a record, expired or not */
  int bLive;    /* not expired */
  int bSchema;  /* the namespace has an active schema */
  i64 aLimit[STORE_LIMIT_COUNT];
  i64 iNow;
  /* of store_room, only where they are asked for */
  i64 nKeys;               /* of the namespace, stored */
  i64 nBytes, nNamespaces; /* of the install, stored */
  i64 iLastRevision;
} Look;

/* Characters of a UTF-8 text. */
static i64 characters(const char *z) {
  i64 n = 0;
  for (; *z; z++) n += (*z & 0xc0) != 0x80;
  return n;
}

/*************************************************************************
** Looking
*/

static void look_row(StewardCall *c, sqlite3_stmt *pRow, Look *p) {
  const char *zLimits = store_text(c, pRow, LOOK_LIMITS);
  p->iRowid = sqlite3_column_int64(pRow, LOOK_ROWID);
  p->iRevision = sqlite3_column_int64(pRow, LOOK_REVISION);
  p->nSize = sqlite3_column_int64(pRow, LOOK_SIZE);
  p->nMetaSize = sqlite3_column_int64(pRow, LOOK_META_SIZE);
  p->iExpires = sqlite3_column_int64(pRow, LOOK_EXPIRES);
  p->bSchema = sqlite3_column_int(pRow, LOOK_SCHEMA);
  p->bThere = sqlite3_column_type(pRow, LOOK_REVISION) != SQLITE_NULL;
  p->bLive =
      p->bThere && (sqlite3_column_type(pRow, LOOK_EXPIRES) == SQLITE_NULL ||
                    p->iExpires > p->iNow);
  store_limits(c, zLimits, store_text(c, pRow, LOOK_OWN_LIMITS), p->aLimit);
}

/* What is there, and the rules of names. */
static void look(StewardCall *c, const StoreKey *k, Look *p /* OUT */) {
  sqlite3_stmt *pRow;
  memset(p, 0, sizeof(*p));
  p->iNow = steward_now(c->p);
  pRow = steward_query(c, SQL_store_look, "tttt", k->zTenant, k->zInstall,
                       k->zNamespace, k->zKey);
  if (steward_next(c, pRow)) {
    look_row(c, pRow, p);
  } else if (c->rc == SQLITE_OK) {
    store_fail_rules(c);
  }
  steward_give(c, SQL_store_look, pRow);
}

/* How much room there is, for a record that is new or becomes larger. */
static void look_room(StewardCall *c, const StoreKey *k, Look *p) {
  sqlite3_stmt *pRow = steward_query(c, SQL_store_room, "ttt", k->zTenant,
                                     k->zInstall, k->zNamespace);
  if (steward_next(c, pRow)) {
    p->nKeys = sqlite3_column_int64(pRow, ROOM_KEYS);
    p->nBytes = sqlite3_column_int64(pRow, ROOM_BYTES);
    p->nNamespaces = sqlite3_column_int64(pRow, ROOM_NAMESPACES);
    p->iLastRevision = sqlite3_column_int64(pRow, ROOM_LAST_REVISION);
  }
  steward_give(c, SQL_store_room, pRow);
}

/* "N characters", for names that are too long. */
static void check_names(StewardCall *c, const StoreKey *k, const i64 *aLimit) {
  i64 nNamespace, nKey;
  if (c->rc) return;
  nNamespace = characters(k->zNamespace);
  nKey = characters(k->zKey);
  if (nNamespace > aLimit[STORE_MAX_NAMESPACE_LENGTH]) {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "namespace has %lld characters, store_max_namespace_length is "
                 "%lld: shorten it",
                 nNamespace, aLimit[STORE_MAX_NAMESPACE_LENGTH]);
  } else if (nKey > aLimit[STORE_MAX_KEY_LENGTH]) {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "key has %lld characters, store_max_key_length is %lld: "
                 "shorten it",
                 nKey, aLimit[STORE_MAX_KEY_LENGTH]);
  } else if (strchr(k->zKey, '/')) {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "key '%s' contains a '/': use another separator", k->zKey);
  }
}

/* "the store", or whose install; caller frees. */
static char *whose(StewardCall *c, const StoreKey *k) {
  if (k->zTenant[0] == 0) return steward_mprintf(c, "the store");
  return steward_mprintf(c, "install '%s' of tenant '%s'", k->zInstall,
                         k->zTenant);
}

/*************************************************************************
** Limits
*/

static void check_size(StewardCall *c, const StoreKey *k, const char *zWhat,
                       i64 nBytes, StoreLimit eLimit, const Look *p) {
  if (c->rc || nBytes <= p->aLimit[eLimit]) return;
  steward_fail(c, STEWARD_LIMIT_EXCEEDED,
               "%s of key '%s' has %lld bytes, %s is %lld: shorten it", zWhat,
               k->zKey, nBytes, store_limit_name(eLimit), p->aLimit[eLimit]);
}

/* When the record is to expire: Unix ms, 0 for never. */
static i64 expires_at(StewardCall *c, const StorePut *o, const Look *p) {
  i64 iTtl = o->iTtl;
  if (c->rc) return 0;
  if (o->iTtlSeconds >= 0 && o->iTtl >= 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "options ttl and ttl_seconds say the same: give one");
  }
  if (o->iTtlSeconds >= 0) {
    iTtl =
        o->iTtlSeconds > INT64_MAX / 1000 ? INT64_MAX : o->iTtlSeconds * 1000;
  }
  if (o->iExpires) iTtl = o->iExpires - p->iNow;
  if (iTtl < 0 && o->iExpires == 0) return 0;
  if (iTtl < p->aLimit[STORE_MIN_TTL] || iTtl > p->aLimit[STORE_MAX_TTL]) {
    steward_fail(c, STEWARD_LIMIT_EXCEEDED,
                 "a time to live must be within %lld..%lld ms (store_min_ttl, "
                 "store_max_ttl), got %lld",
                 p->aLimit[STORE_MIN_TTL], p->aLimit[STORE_MAX_TTL], iTtl);
    return 0;
  }
  return p->iNow + iTtl;
}

static void fail_quota(StewardCall *c, const StoreKey *k, const char *zWhat,
                       StoreLimit eLimit, i64 iLimit, i64 iAttempted) {
  char *zWho = whose(c, k);
  steward_fail(c, STEWARD_QUOTA_EXCEEDED,
               "%s would hold %lld %s (limit %lld, attempted %lld): delete "
               "some, or raise %s",
               zWho, iAttempted, zWhat, iLimit, iAttempted,
               store_limit_name(eLimit));
  sqlite3_free(zWho);
}

/* The quotas.  What is stored is looked at first; only when that is too much,
** what of it has expired is counted and taken off. */
static void check_quota(StewardCall *c, const StoreKey *k, Look *p, i64 nNew) {
  i64 nBytes, nKeys, nNamespaces;
  const i64 *aLimit = p->aLimit;
  sqlite3_stmt *pRow;
  if (c->rc || (p->bLive && nNew <= p->nSize)) return;
  look_room(c, k, p);
  nBytes = p->nBytes - p->nSize + nNew;
  nKeys = p->nKeys + !p->bLive;
  nNamespaces = p->nNamespaces + (p->nKeys == 0);
  if (p->bThere && !p->bLive) nKeys--; /* it is among them */
  if (nBytes <= aLimit[STORE_MAX_BYTES] &&
      (p->bLive || (nKeys <= aLimit[STORE_MAX_KEYS] &&
                    nNamespaces <= aLimit[STORE_MAX_NAMESPACES]))) {
    return;
  }
  pRow = steward_query(c, SQL_store_expired, "tttl", k->zTenant, k->zInstall,
                       k->zNamespace, p->iNow);
  if (steward_next(c, pRow)) {
    int bDead = sqlite3_column_int(pRow, 3);
    nBytes -=
        sqlite3_column_int64(pRow, 0) - (p->bThere && !p->bLive ? p->nSize : 0);
    nKeys = p->nKeys + !p->bLive - sqlite3_column_int64(pRow, 1);
    nNamespaces -= sqlite3_column_int64(pRow, 2) - bDead;
  }
  steward_give(c, SQL_store_expired, pRow);
  if (c->rc) return;
  if (!p->bLive && nNamespaces > aLimit[STORE_MAX_NAMESPACES] && nKeys == 1) {
    fail_quota(c, k, "namespaces", STORE_MAX_NAMESPACES,
               aLimit[STORE_MAX_NAMESPACES], nNamespaces);
  } else if (!p->bLive && nKeys > aLimit[STORE_MAX_KEYS]) {
    char *zWhat = steward_mprintf(c, "keys in namespace '%s'", k->zNamespace);
    fail_quota(c, k, zWhat, STORE_MAX_KEYS, aLimit[STORE_MAX_KEYS], nKeys);
    sqlite3_free(zWhat);
  } else if (nBytes > aLimit[STORE_MAX_BYTES]) {
    fail_quota(c, k, "bytes", STORE_MAX_BYTES, aLimit[STORE_MAX_BYTES], nBytes);
  }
}

/*************************************************************************
** Writing
*/

/* Remove expired records now and then, before a write. */
void store_sweep_sometimes(StewardCall *c) {
  enum { EVERY = 16, ROWS = 32 };
  i64 iNow;
  int nRemoved = 0;
  if (c->rc) return;
  if (c->p->nStorePut++ % EVERY && !c->p->bStoreSweep) return;
  c->p->bStoreSweep = 0;
  iNow = steward_now(c->p);
  while (nRemoved < ROWS) {
    steward_run(c, SQL_store_sweep, "l", iNow);
    if (c->rc || sqlite3_changes(c->db) == 0) break;
    nRemoved++;
  }
  if (nRemoved == 0) return;
  steward_run(c, SQL_store_swept, "il", nRemoved, iNow);
  steward_count(c, "ttl_cleanup_deletes_total", nRemoved);
}

static void check_revision(StewardCall *c, const StoreKey *k, const Look *p,
                           i64 iIfRevision) {
  if (c->rc || iIfRevision < 0) return;
  if (!p->bLive) {
    steward_fail(c, STEWARD_REVISION_MISMATCH,
                 "there is no key '%s' in namespace '%s', and revision %lld "
                 "was expected: read it again",
                 k->zKey, k->zNamespace, iIfRevision);
  } else if (p->iRevision != iIfRevision) {
    steward_fail(c, STEWARD_REVISION_MISMATCH,
                 "key '%s' in namespace '%s' has revision %lld, and %lld was "
                 "expected: read it again",
                 k->zKey, k->zNamespace, p->iRevision, iIfRevision);
  }
}

static void check_absent(StewardCall *c, const StoreKey *k, const Look *p,
                         const StorePut *o) {
  if (c->rc || !o->bIfAbsent) return;
  if (o->iIfRevision >= 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "options if_absent and if_revision exclude each other: give "
                 "one");
  } else if (p->bLive) {
    steward_fail(c, STEWARD_CONFLICT,
                 "key '%s' exists in namespace '%s' with revision %lld: leave "
                 "if_absent out to replace it",
                 k->zKey, k->zNamespace, p->iRevision);
  }
}

/* Metadata as minified JSON; an object. */
static void read_metadata(StewardCall *c, const StorePut *o,
                          StewardJson *p /* OUT */) {
  const char *z = o->zMetadata ? o->zMetadata : "{}";
  memset(p, 0, sizeof(*p));
  if (c->rc) return;
  if ((!steward_json_parse(c, p, z, (int)strlen(z), 0) || p->zText[0] != '{') &&
      c->rc == SQLITE_OK) {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "metadata must be a JSON object, got %.60s", z);
  }
}

/* Write what was checked; the new revision. */
static i64 write_record(StewardCall *c, const StoreKey *k, const Look *p,
                        const StewardJson *pValue, const StewardJson *pMeta,
                        i64 iExpires) {
  i64 iRevision = p->bThere ? p->iRevision + 1 : p->iLastRevision + 1;
  if (c->rc) return 0;
  if (!p->bThere) {
    steward_run(c, SQL_store_insert, iExpires ? "ttttlttiill" : "ttttlttiinl",
                k->zTenant, k->zInstall, k->zNamespace, k->zKey, iRevision,
                pValue->zText, pMeta->zText, pValue->nText, pMeta->nText,
                iExpires ? iExpires : p->iNow, p->iNow);
  } else if (iExpires || p->iExpires || p->nMetaSize != NO_META ||
             pMeta->nText != NO_META) {
    steward_run(c, SQL_store_replace,
                iExpires ? (p->bLive ? "llttiilln" : "llttiilll")
                         : (p->bLive ? "llttiilnn" : "llttiilnl"),
                p->iRowid, iRevision, pValue->zText, pMeta->zText,
                pValue->nText, pMeta->nText, p->iNow,
                iExpires ? iExpires : p->iNow, p->iNow);
  } else {
    steward_run(c, SQL_store_update, "lltil", p->iRowid, iRevision,
                pValue->zText, pValue->nText, p->iNow);
    if (c->p->pStore) c->p->pStore->bQuick = 1;
  }
  return iRevision;
}

/* The commonest put, by one statement, where the last one was of this kind; its
** revision.  0: it is another one, or is refused, and nothing was done. */
static i64 put_quick(StewardCall *c, const StoreKey *k, const StorePut *o,
                     const StewardJson *pValue) {
  static const StorePut plain = STORE_PUT_DEFAULTS;
  StoreMemo *m = c->p->pStore;
  i64 iRevision = 0;
  if (c->rc || m == NULL || !m->bQuick || memcmp(o, &plain, sizeof(plain)) ||
      pValue->nText > m->aLimit[STORE_MAX_VALUE_BYTES] ||
      characters(k->zNamespace) > m->aLimit[STORE_MAX_NAMESPACE_LENGTH] ||
      characters(k->zKey) > m->aLimit[STORE_MAX_KEY_LENGTH]) {
    return 0;
  }
  steward_run(c, SQL_store_quick, "tttttiltlp", k->zTenant, k->zInstall,
              k->zNamespace, k->zKey, pValue->zText, pValue->nText,
              steward_now(c->p), m->bNone ? NULL : m->zLimits,
              m->aLimit[STORE_MAX_BYTES], &iRevision);
  if (c->rc == SQLITE_OK && sqlite3_changes(c->db) == 1) return iRevision;
  m->bQuick = 0;
  return 0;
}

/* Put a record; its revision. */
i64 store_put_record(StewardCall *c, const StoreKey *k, const StorePut *o,
                     const StewardJson *pValue) {
  Look found;
  StewardJson meta;
  i64 iExpires, iRevision;
  store_sweep_sometimes(c);
  iRevision = put_quick(c, k, o, pValue);
  if (iRevision) return iRevision;
  look(c, k, &found);
  check_names(c, k, found.aLimit);
  read_metadata(c, o, &meta);
  iExpires = expires_at(c, o, &found);
  check_size(c, k, "the value", pValue->nText, STORE_MAX_VALUE_BYTES, &found);
  check_size(c, k, "the metadata", meta.nText, STORE_MAX_METADATA_BYTES,
             &found);
  check_absent(c, k, &found, o);
  check_revision(c, k, &found, o->iIfRevision);
  if (found.bSchema || o->iSchemaVersion >= 0) {
    store_schema_check(c, k, o->iSchemaVersion, pValue);
  }
  check_quota(c, k, &found, (i64)pValue->nText + meta.nText);
  iRevision = write_record(c, k, &found, pValue, &meta, iExpires);
  steward_json_free(&meta);
  return iRevision;
}

/* Options, none of which may be null: a client that lost the revision it read
** must not overwrite because of that. */
static void store_options(StewardCall *c, sqlite3_value *v,
                          const StewardOption *aOption, int nOption,
                          void *pOut) {
  StewardJson t = {0};
  int i;
  const char *z;
  steward_options(c, v, aOption, nOption, pOut);
  if (c->rc || sqlite3_value_type(v) == SQLITE_NULL) return;
  z = (const char *)sqlite3_value_text(v);
  if (z) steward_json_parse(c, &t, z, sqlite3_value_bytes(v), 1);
  for (i = 1; c->rc == SQLITE_OK && i < t.nNode; i = t.aNode[i + 1].iEnd) {
    if (t.aNode[i + 1].eType == STEWARD_JSON_NULL) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "option %.*s is null: leave it out, or give a value",
                   t.aNode[i].nText, t.zText + t.aNode[i].iText);
    }
  }
  steward_json_free(&t);
}

static const StewardOption aPutOption[] = {
    {"ttl_seconds", STEWARD_OPT_INT, offsetof(StorePut, iTtlSeconds), 0,
     INT64_MAX, NULL, "seconds until the record expires"},
    {"ttl", STEWARD_OPT_DURATION, offsetof(StorePut, iTtl), 0, INT64_MAX, NULL,
     "the same as a duration like '15m', or milliseconds"},
    {"if_revision", STEWARD_OPT_INT, offsetof(StorePut, iIfRevision), 0,
     INT64_MAX, NULL, "only when the record has this revision"},
    {"if_absent", STEWARD_OPT_BOOL, offsetof(StorePut, bIfAbsent), 0, 1, NULL,
     "only when there is no record of this key"},
    {"metadata", STEWARD_OPT_JSON, offsetof(StorePut, zMetadata), 0, 0, NULL,
     "a JSON object beside the value; {} when left out"},
    {"schema_version", STEWARD_OPT_INT, offsetof(StorePut, iSchemaVersion), 0,
     INT64_MAX, NULL, "validate by this version, not by the active one"},
};

/* store_put(tenant TEXT, install TEXT, namespace TEXT, key TEXT, value JSON
**   [, options JSON]) -> INTEGER, revision    plain
** Store a JSON value under a key, or replace it whole: value, metadata and time
** to live.  Without tenant and install it is the store of the database's one
** application: store_put('settings', 'theme', '"dark"').  The value is kept
** minified, every digit of its numbers as it came; the result is the record's
** revision, which never comes again for the key, not after it was deleted or
** has expired either.  Works in triggers; many records at once: INSERT INTO
** store_records ... SELECT.
** Set: storage
** Errors: "VALIDATION_FAILED: store_put: value must be JSON, got 'dark', which
**   is none from byte 0 on: a text is written '"dark"'"; LIMIT_EXCEEDED for a
**   value, metadata or time to live beyond its limit; "QUOTA_EXCEEDED:
**   store_put: install 'crm' of tenant 'acme' would hold 33 namespaces (limit
**   32, attempted 33): delete some, or raise store_max_namespaces";
**   "REVISION_MISMATCH: store_put: key 'k' in namespace 'n' has revision 3, and
**   2 was expected: read it again"; "CONFLICT: store_put: key 'k' exists in
**   namespace 'n' with revision 3: leave if_absent out to replace it"; BUSY.
** Source: seed 002, storage API; its limits and codes.
** Example: SELECT store_put('settings', 'theme', '"dark"'); -- 1
**   SELECT store_put('acme', 'crm', 'leads', 'k1', '{"n": 1}',
**     '{"ttl_seconds":3600,"if_absent":true}'); -- 1
**   SELECT store_put('settings', 'theme', '"light"', '{"if_revision":1}'); -- 2
**   SELECT store_put('settings', 'theme', '"blue"'); -- 3
*/
static void store_put(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  StoreKey k;
  StorePut put = STORE_PUT_DEFAULTS;
  StewardJson value = {0};
  i64 iRevision = 0;
  int i;
  steward_open(&c, ctx, "store_put", "storage", STEWARD_CHECK_ONE);
  i = store_scope(&c, argc, argv, 3, 4, &k);
  store_name(&c, argv[i], "key", &k.zKey);
  if (c.rc == SQLITE_OK && argc > i + 2) {
    store_options(&c, argv[i + 2], aPutOption, ArraySize(aPutOption), &put);
  }
  if (c.rc == SQLITE_OK) store_value(&c, argv[i + 1], &value);
  if (c.rc == SQLITE_OK) iRevision = store_put_record(&c, &k, &put, &value);
  steward_options_free(aPutOption, ArraySize(aPutOption), &put);
  steward_json_free(&value);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iRevision);
}

/*************************************************************************
** Reading
*/

/* store_get(tenant TEXT, install TEXT, namespace TEXT, key TEXT)
**   -> JSON, the value    plain
** The value of a record; NULL when there is none, or it has expired.  Never
** writes, so it works on a read-only file and inside a read transaction.
** Revision, metadata and times are in store_list and store_records.  Without
** tenant and install: store_get('settings', 'theme').  NULL gives NULL.
** Set: storage
** Errors: NOT_INSTALLED.
** Source: seed 002; the original removed expired records before each read.
** Example: SELECT store_put('settings', 'theme', '"dark"'); -- 1
**   SELECT store_get('settings', 'theme'); -- "dark"
**   SELECT store_get('acme', 'crm', 'leads', 'k1') IS NULL; -- 1
*/
static void store_get(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  sqlite3_stmt *pRow = NULL;
  int i;
  for (i = 0; i < argc; i++) {
    if (sqlite3_value_type(argv[i]) == SQLITE_NULL) return;
  }
  steward_open(&c, ctx, "store_get", "storage", STEWARD_READ);
  if (argc == 3) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "got 3 arguments: tenant and install are given both, or "
                 "neither");
  } else if (argc == 4) {
    pRow = steward_query(&c, SQL_store_get, "vvvvl", argv[0], argv[1], argv[2],
                         argv[3], steward_now(c.p));
  } else {
    pRow = steward_query(&c, SQL_store_get, "ttvvl", "", "", argv[0], argv[1],
                         steward_now(c.p));
  }
  if (steward_next(&c, pRow)) {
    sqlite3_result_value(ctx, sqlite3_column_value(pRow, 0));
    sqlite3_result_subtype(ctx, 'J');
  }
  steward_give(&c, SQL_store_get, pRow);
  steward_close(&c);
}

/*************************************************************************
** Deleting, touching, counting
*/

typedef struct DeleteOptions {
  i64 iIfRevision;
} DeleteOptions;

static const StewardOption aDeleteOption[] = {
    {"if_revision", STEWARD_OPT_INT, offsetof(DeleteOptions, iIfRevision), 0,
     INT64_MAX, NULL, "only when the record has this revision"},
};

/* store_delete(tenant TEXT, install TEXT, namespace TEXT, key TEXT
**   [, options JSON]) -> INTEGER, records deleted    plain
** Remove a record: 1, or 0 when there was none.  Without tenant and install:
** store_delete('settings', 'theme').
** Set: storage
** Errors: "REVISION_MISMATCH: store_delete: key 'k' in namespace 'n' has
**   revision 3, and 2 was expected: read it again", also when there is none;
**   VALIDATION_FAILED; BUSY.
** Source: seed 002.
** Example: SELECT store_put('settings', 'theme', '"dark"'); -- 1
**   SELECT store_delete('settings', 'theme', '{"if_revision":1}'); -- 1
**   SELECT store_delete('settings', 'theme'); -- 0
*/
static void store_delete(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  StoreKey k;
  DeleteOptions options = {-1};
  Look found = {0};
  int i;
  steward_open(&c, ctx, "store_delete", "storage", STEWARD_CHECK_ONE);
  i = store_scope(&c, argc, argv, 2, 3, &k);
  store_name(&c, argv[i], "key", &k.zKey);
  if (c.rc == SQLITE_OK && argc > i + 1) {
    store_options(&c, argv[i + 1], aDeleteOption, ArraySize(aDeleteOption),
                  &options);
  }
  if (c.rc == SQLITE_OK) look(&c, &k, &found);
  check_revision(&c, &k, &found, options.iIfRevision);
  if (found.bThere) steward_run(&c, SQL_store_delete, "l", found.iRowid);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, found.bLive);
}

/* store_touch(tenant TEXT, install TEXT, namespace TEXT, key TEXT, ttl)
**   -> INTEGER, records touched    plain
** Give a record another time to live, from now on: a duration like '15m', or
** milliseconds; 0: it does not expire any more.  1, or 0 when there is no such
** record.  Value and revision stay.
** Set: storage
** Errors: "LIMIT_EXCEEDED: store_touch: a time to live must be within
**   60000..2592000000 ms (store_min_ttl, store_max_ttl), got 5";
**   INVALID_ARGUMENT; BUSY.
** Source: Redis' EXPIRE and PERSIST.
** Example: SELECT store_put('sessions', 's1', '{}', '{"ttl":"1m"}'); -- 1
**   SELECT store_touch('sessions', 's1', '30m'); -- 1
*/
static void store_touch(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  StoreKey k;
  StorePut put = STORE_PUT_DEFAULTS;
  Look found = {0};
  i64 iExpires;
  int i;
  steward_open(&c, ctx, "store_touch", "storage", STEWARD_CHECK_ONE);
  i = store_scope(&c, argc, argv, 3, 3, &k);
  store_name(&c, argv[i], "key", &k.zKey);
  if (c.rc == SQLITE_OK) put.iTtl = steward_arg_time(&c, argv[i + 1], "ttl");
  if (put.iTtl < 0) {
    steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                 "ttl must not be negative, got %lld", put.iTtl);
  }
  if (put.iTtl == 0) put.iTtl = -1;
  if (c.rc == SQLITE_OK) look(&c, &k, &found);
  iExpires = expires_at(&c, &put, &found);
  if (found.bLive) {
    steward_run(&c, SQL_store_touch, iExpires ? "lll" : "lnl", found.iRowid,
                iExpires ? iExpires : found.iNow, found.iNow);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, found.bLive);
}

typedef struct IncrOptions {
  i64 iBy;
} IncrOptions;

static const StewardOption aIncrOption[] = {
    {"by", STEWARD_OPT_INT, offsetof(IncrOptions, iBy), INT64_MIN, INT64_MAX,
     NULL, "what is added; 1 when left out"},
};

/* The record's number, 0 when there is none. */
static i64 read_number(StewardCall *c, const StoreKey *k, const Look *p,
                       StewardJson *pMeta /* OUT */) {
  sqlite3_stmt *pRow;
  StewardJson value = {0};
  i64 iValue = 0;
  const char *zMeta = "{}";
  memset(pMeta, 0, sizeof(*pMeta));
  pRow = p->bLive ? steward_query(c, SQL_store_value, "l", p->iRowid) : NULL;
  if (steward_next(c, pRow)) {
    const char *z = steward_column(c, pRow, 0);
    zMeta = steward_column(c, pRow, 1);
    if ((!steward_json_parse(c, &value, z, (int)strlen(z), 1) ||
         !steward_json_int(&value, 0, &iValue)) &&
        c->rc == SQLITE_OK) {
      steward_fail(c, STEWARD_VALIDATION_FAILED,
                   "key '%s' holds %.40s, which is no whole number of 64 bits: "
                   "store_put one first",
                   k->zKey, z);
    }
  }
  steward_json_parse(c, pMeta, zMeta, (int)strlen(zMeta), 0);
  steward_give(c, SQL_store_value, pRow);
  steward_json_free(&value);
  return iValue;
}

static i64 increment(StewardCall *c, const StoreKey *k, i64 iBy) {
  Look found;
  StewardJson meta, value = {0};
  i64 iValue;
  char zNumber[24];
  store_sweep_sometimes(c);
  look(c, k, &found);
  check_names(c, k, found.aLimit);
  iValue = read_number(c, k, &found, &meta);
  if (c->rc == SQLITE_OK &&
      (iBy > 0 ? iValue > INT64_MAX - iBy : iValue < INT64_MIN - iBy)) {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "key '%s' holds %lld, and adding %lld leaves the range of 64 "
                 "bits",
                 k->zKey, iValue, iBy);
  }
  if (c->rc == SQLITE_OK) {
    iValue += iBy;
    sqlite3_snprintf(sizeof(zNumber), zNumber, "%lld", iValue);
    value.zText = zNumber;
    value.nText = (int)strlen(zNumber);
    if (found.bSchema) store_schema_check(c, k, -1, &value);
    check_quota(c, k, &found, (i64)value.nText + meta.nText);
    write_record(c, k, &found, &value, &meta, found.bLive ? found.iExpires : 0);
  }
  steward_json_free(&meta);
  return iValue;
}

/* store_incr(tenant TEXT, install TEXT, namespace TEXT, key TEXT
**   [, options JSON]) -> INTEGER, the new value    plain
** Add 1, or option `by` (the options may also be just that number), to a record
** that holds a whole number; one that is not there begins at 0.  Metadata and
** time of expiry stay.
** Set: storage
** Errors: "VALIDATION_FAILED: store_incr: key 'k' holds "x", which is no whole
**   number of 64 bits: store_put one first"; VALIDATION_FAILED, too, when the
**   sum would leave that range; QUOTA_EXCEEDED; BUSY.
** Source: Redis' INCRBY.
** Example: SELECT store_incr('hits', 'home'); -- 1
**   SELECT store_incr('hits', 'home', 10); -- 11
*/
static void store_incr(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  StoreKey k;
  IncrOptions options = {1};
  i64 iValue = 0;
  int i;
  steward_open(&c, ctx, "store_incr", "storage", STEWARD_CHECK_ONE);
  i = store_scope(&c, argc, argv, 2, 3, &k);
  store_name(&c, argv[i], "key", &k.zKey);
  if (c.rc == SQLITE_OK && argc > i + 1) {
    if (sqlite3_value_numeric_type(argv[i + 1]) == SQLITE_INTEGER) {
      options.iBy = sqlite3_value_int64(argv[i + 1]);
    } else {
      steward_options(&c, argv[i + 1], aIncrOption, ArraySize(aIncrOption),
                      &options);
    }
  }
  if (c.rc == SQLITE_OK) iValue = increment(&c, &k, options.iBy);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iValue);
}

static const StewardFunc aFunc[] = {
    {"store_put", 3, 6, STEWARD_PLAIN, store_put, aPutOption,
     ArraySize(aPutOption)},
    {"store_get", 2, 4, STEWARD_PLAIN, store_get, NULL, 0},
    {"store_delete", 2, 5, STEWARD_PLAIN, store_delete, aDeleteOption,
     ArraySize(aDeleteOption)},
    {"store_touch", 3, 5, STEWARD_PLAIN, store_touch, NULL, 0},
    {"store_incr", 2, 5, STEWARD_PLAIN, store_incr, aIncrOption,
     ArraySize(aIncrOption)},
};

int store_register(Steward *p) {
  int rc = steward_register_functions(p, aFunc, ArraySize(aFunc));
  if (rc == SQLITE_OK) rc = store_bulk_register(p);
  if (rc == SQLITE_OK) rc = store_limits_register(p);
  if (rc == SQLITE_OK) rc = store_verify_register(p);
  if (rc == SQLITE_OK) rc = store_schema_register(p);
  return rc;
}
