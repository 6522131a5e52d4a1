/*
** store.c - the tables of the store.
*/
#include <string.h>

#include "../ext/store_int.h"

static int is_null(sqlite3_value *v) {
  return v == NULL || sqlite3_value_type(v) == SQLITE_NULL;
}

/* store_records(tenant TEXT, install TEXT, namespace TEXT, key TEXT,
**   value TEXT, revision INTEGER, metadata TEXT, expires_at INTEGER,
**   created_at INTEGER, updated_at INTEGER)     table
** Every record that has not expired; tenant and install are '' in the store of
** a single application.  Inserting (namespace, key, value [, tenant, install,
** metadata, expires_at]) puts, with all the checks of store_put, as many
** records as a statement yields; the table is insert-only.
** Set: storage
** Errors: those of store_put; "UNSUPPORTED: store_records: the table is
**   insert-only".
** Example: INSERT INTO store_records(namespace, key, value)
**     SELECT 'numbers', value, value * value FROM json_each('[1,2,3]');
**   SELECT key, value, revision FROM store_records WHERE namespace = 'numbers'
**     AND key = '3'; -- 3|9|1
*/
static i64 records_insert(StewardCall *c, int argc, sqlite3_value **argv) {
  enum {
    TENANT,
    INSTALL,
    NAMESPACE,
    KEY,
    VALUE,
    REVISION,
    METADATA,
    EXPIRES,
    CREATED,
    UPDATED
  };
  StoreKey k = {"", "", NULL, NULL};
  StorePut put = STORE_PUT_DEFAULTS;
  StewardJson value = {0};
  i64 iRevision = 0;
  if (!is_null(argv[REVISION]) || !is_null(argv[CREATED]) ||
      !is_null(argv[UPDATED])) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "revision, created_at and updated_at are not given: insert "
                 "namespace, key, value, and tenant, install, metadata, "
                 "expires_at");
  }
  if (is_null(argv[TENANT]) != is_null(argv[INSTALL])) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "tenant and install are given both, or neither");
  } else if (!is_null(argv[TENANT])) {
    store_name(c, argv[TENANT], "tenant", &k.zTenant);
    store_name(c, argv[INSTALL], "install", &k.zInstall);
  }
  store_name(c, argv[NAMESPACE], "namespace", &k.zNamespace);
  store_name(c, argv[KEY], "key", &k.zKey);
  store_value(c, argv[VALUE], &value);
  if (!is_null(argv[EXPIRES])) {
    put.iExpires =
        steward_arg_int(c, argv[EXPIRES], "expires_at", 1, INT64_MAX);
  }
  if (!is_null(argv[METADATA]) && c->rc == SQLITE_OK) {
    const char *z = (const char *)sqlite3_value_text(argv[METADATA]);
    put.zMetadata = z ? steward_mprintf(c, "%s", z) : NULL;
    if (z == NULL) steward_fail_nomem(c);
  }
  if (c->rc == SQLITE_OK) iRevision = store_put_record(c, &k, &put, &value);
  steward_json_free(&value);
  sqlite3_free(put.zMetadata);
  return iRevision;
}

/*************************************************************************
** store_list
*/

/* The first text that is greater than all that begin with zPrefix: its last
** character that has a successor gets it.  NULL when there is none; caller
** frees. */
static char *behind_prefix(StewardCall *c, const char *zPrefix) {
  char *z = steward_mprintf(c, "%s", zPrefix);
  int n = z ? (int)strlen(z) : 0;
  while (n > 0) {
    int nChar = 1;
    unsigned char *a;
    while (nChar < n && (z[n - nChar] & 0xc0) == 0x80) nChar++;
    a = (unsigned char *)z + n - nChar;
    if (nChar == 1 && a[0] < 0x7f) {
      a[0]++;
      z[n] = 0;
      return z;
    }
    /* the last byte of a longer character counts from 0x80 to 0xbf */
    if (nChar > 1 && a[nChar - 1] < 0xbf) {
      a[nChar - 1]++;
      z[n] = 0;
      return z;
    }
    n -= nChar;
  }
  sqlite3_free(z);
  return NULL;
}

/* Texts of a UTF-16 database are compared by other bytes. */
static int is_utf8(StewardCall *c) {
  char *z = steward_text(c, SQL_store_encoding, "");
  int b = z && strcmp(z, "UTF-8") == 0;
  sqlite3_free(z);
  return b;
}

/* A text argument; NULL and not given are "". */
static const char *optional_text(StewardCall *c, sqlite3_value *v,
                                 const char *zName) {
  const char *z = "";
  if (!is_null(v) && sqlite3_value_bytes(v) > 0) store_name(c, v, zName, &z);
  return z;
}

/* Ask the next write for a sweep, now and then. */
static void count_list(StewardCall *c) {
  i64 nEvery = steward_setting_int(c, "store_sweep_lists");
  if (nEvery > 0 && ++c->p->nStoreList >= nEvery) {
    c->p->nStoreList = 0;
    c->p->bStoreSweep = 1;
  }
}

/* store_list(key TEXT, value TEXT, revision INTEGER, metadata TEXT,
**   expires_at INTEGER, created_at INTEGER, updated_at INTEGER,
**   HIDDEN tenant TEXT, HIDDEN install TEXT, HIDDEN namespace TEXT,
**   HIDDEN prefix TEXT, HIDDEN after TEXT, HIDDEN max_rows INTEGER)     table
** The records of a namespace in the binary order of their keys: those that
** begin with the prefix (every character stands for itself), behind key
** `after`, at most max_rows (100).  The last key of a page is `after` for the
** next, which costs the same.  store_list('settings') and
** store_list('settings', 'ui.') list the store of a single application; with
** `after` they are store_list(NULL, NULL, 'settings', 'ui.', 'ui.theme').
** Set: storage
** Errors: "INVALID_ARGUMENT: store_list: max_rows must be within
**   1..9223372036854775807, got 0"; VALIDATION_FAILED; NOT_INSTALLED.
** Source: seed 002, list; its paging lost a record at every page.
** Example: SELECT store_bulk_put('settings', '[{"key":"ui.theme","value":1},
**     {"key":"ui.size","value":2},{"key":"x","value":3}]'); -- 3
**   SELECT group_concat(key) FROM store_list('settings', 'ui.');
**   -- ui.size,ui.theme
**   SELECT key FROM store_list(NULL, NULL, 'settings', NULL, 'ui.size', 1);
**   -- ui.theme
*/
static void list_rows(StewardCall *c, StewardRows *r, int nArg,
                      sqlite3_value **apArg) {
  enum { TENANT, INSTALL, NAMESPACE, PREFIX, AFTER, MAX_ROWS };
  int bShort = is_null(apArg[NAMESPACE]);
  const char *zTenant, *zInstall, *zNamespace = NULL, *zPrefix, *zAfter;
  char *zBehind = NULL;
  i64 nMaxRows = 100;
  sqlite3_stmt *pRow;
  zTenant = bShort ? "" : optional_text(c, apArg[TENANT], "tenant");
  zInstall = bShort ? "" : optional_text(c, apArg[INSTALL], "install");
  if (bShort && is_null(apArg[TENANT])) return;
  store_name(c, apArg[bShort ? TENANT : NAMESPACE], "namespace", &zNamespace);
  zPrefix = optional_text(c, apArg[bShort ? INSTALL : PREFIX], "prefix");
  zAfter = optional_text(c, apArg[AFTER], "after");
  if (!is_null(apArg[MAX_ROWS])) {
    nMaxRows = steward_arg_int(c, apArg[MAX_ROWS], "max_rows", 1, INT64_MAX);
  }
  count_list(c);
  if (c->rc == SQLITE_OK && zPrefix[0] && is_utf8(c)) {
    zBehind = behind_prefix(c, zPrefix);
  }
  pRow =
      steward_query(c, SQL_store_list, "tttttnll", zTenant, zInstall,
                    zNamespace, zAfter, zPrefix, steward_now(c->p), nMaxRows);
  if (pRow) {
    int rc = zBehind ? sqlite3_bind_text(pRow, 6, zBehind, -1, sqlite3_free)
                     : sqlite3_bind_blob(pRow, 6, "", 0, SQLITE_STATIC);
    if (rc) steward_fail_db(c, rc);
    steward_rows_from(c, r, SQL_store_list, pRow);
  } else {
    sqlite3_free(zBehind);
  }
}

/*************************************************************************
** store_usage
*/

/* store_usage(tenant TEXT, install TEXT, namespaces INTEGER, keys INTEGER,
**   bytes INTEGER, expired_keys INTEGER, updated_at INTEGER)     table
** What each install holds: namespaces, keys, bytes of values and metadata, kept
** exactly by triggers and read without counting.  expired_keys of them have
** expired and count against no quota.
** Set: storage
** Source: seed 002, ext_storage_usage.
** Example: SELECT store_put('acme', 'crm', 'leads', 'k1', '{"n":1}'); -- 1
**   SELECT tenant, install, namespaces, keys, bytes, expired_keys
**     FROM store_usage; -- acme|crm|1|1|9|0
*/
static const StewardTable aTable[] = {
    {.zName = "store_records",
     .zColumns = "tenant TEXT, install TEXT, namespace TEXT, key TEXT,"
                 " value TEXT, revision INTEGER, metadata TEXT,"
                 " expires_at INTEGER, created_at INTEGER,"
                 " updated_at INTEGER",
     .eSql = SQL_store_records,
     .zSet = "storage",
     .xInsert = records_insert},
    {.zName = "store_list",
     .zColumns =
         "key TEXT, value TEXT, revision INTEGER, metadata TEXT,"
         " expires_at INTEGER, created_at INTEGER, updated_at INTEGER,"
         " tenant HIDDEN BLOB, install HIDDEN BLOB, namespace HIDDEN BLOB,"
         " prefix HIDDEN BLOB, after HIDDEN BLOB, max_rows HIDDEN BLOB",
     .nArg = 6,
     .xRows = list_rows,
     .zSet = "storage"},
    {.zName = "store_usage",
     .zColumns = "tenant TEXT, install TEXT, namespaces INTEGER, keys INTEGER,"
                 " bytes INTEGER, expired_keys INTEGER, updated_at INTEGER",
     .eSql = SQL_store_usage,
     .zSet = "storage"},
};

int store_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
