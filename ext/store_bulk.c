/*
** store_bulk.c - many records in one call, all or none.
**
**     SELECT store_bulk_put('settings',
**       '[{"key":"theme","value":"dark"},{"key":"size","value":12}]');
**
** The failing item is named.  Without that, and without limits on a call, any
** number of records go in by INSERT INTO store_records ... SELECT.
*/
#include <string.h>

#include "store_int.h"

enum {
  ITEM_KEY,
  ITEM_VALUE,
  ITEM_METADATA,
  ITEM_TTL,
  ITEM_TTL_SECONDS,
  ITEM_IF_REVISION,
  ITEM_IF_ABSENT,
  ITEM_SCHEMA_VERSION,
  ITEM_COUNT
};

static const char *const azMember[ITEM_COUNT] = {
    "key",         "value",       "metadata",  "ttl",
    "ttl_seconds", "if_revision", "if_absent", "schema_version"};

/* One item: the nodes of its members, 0 for those not there. */
typedef struct Item {
  int aNode[ITEM_COUNT];
  char *zKey; /* owned */
} Item;

/* Say in front of the failure which item it was. */
static void name_item(StewardCall *c, int iItem, const char *zKey) {
  const char *zText = c->zErr ? strstr(c->zErr, c->zFunc) : NULL;
  char *zNew;
  int nHead;
  if (zText == NULL || c->rc == SQLITE_NOMEM) return;
  nHead = (int)(zText - c->zErr) + (int)strlen(c->zFunc) + 2;
  if (nHead > (int)strlen(c->zErr)) return;
  zNew = zKey ? sqlite3_mprintf("%.*sitem %d (key '%s'): %s", nHead, c->zErr,
                                iItem, zKey, c->zErr + nHead)
              : sqlite3_mprintf("%.*sitem %d: %s", nHead, c->zErr, iItem,
                                c->zErr + nHead);
  sqlite3_free(c->zErr);
  c->zErr = zNew;
  if (zNew == NULL) c->rc = SQLITE_NOMEM;
}

static void fail_member(StewardCall *c, const StewardJson *t, int iNode,
                        int eMember, const char *zWanted) {
  const StewardJsonNode *p = &t->aNode[iNode];
  steward_fail(c, STEWARD_VALIDATION_FAILED, "%s must be %s, got %.*s",
               azMember[eMember], zWanted, p->nText > 60 ? 60 : p->nText,
               t->zText + p->iText);
}

static void take_member(StewardCall *c, const StewardJson *t, int iName,
                        Item *pItem) {
  int i;
  for (i = 0; i < ITEM_COUNT && !steward_json_is(t, iName, azMember[i]); i++) {
  }
  if (i < ITEM_COUNT && pItem->aNode[i] == 0) {
    pItem->aNode[i] = iName + 1;
  } else {
    int n;
    char *zName = steward_json_text(c, t, iName, &n);
    if (i < ITEM_COUNT) {
      steward_fail(c, STEWARD_VALIDATION_FAILED, "%s is given twice", zName);
    } else {
      const char *zNear =
          zName ? steward_nearest(zName, azMember, ITEM_COUNT) : NULL;
      steward_fail(c, STEWARD_VALIDATION_FAILED,
                   "unknown member '%s': did you mean '%s'?", zName,
                   zNear ? zNear : "value");
    }
    sqlite3_free(zName);
  }
}

/* The members of one item. */
static void read_item(StewardCall *c, const StewardJson *t, int iNode,
                      Item *pItem) {
  const StewardJsonNode *p = &t->aNode[iNode];
  int i, n;
  if (p->eType != STEWARD_JSON_OBJECT) {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "an item is an object with key and value, got %.*s",
                 p->nText > 60 ? 60 : p->nText, t->zText + p->iText);
    return;
  }
  for (i = iNode + 1; i < p->iEnd && c->rc == SQLITE_OK;
       i = t->aNode[i + 1].iEnd) {
    take_member(c, t, i, pItem);
  }
  if (c->rc) return;
  if (pItem->aNode[ITEM_KEY] == 0 || pItem->aNode[ITEM_VALUE] == 0) {
    steward_fail(c, STEWARD_VALIDATION_FAILED, "%s is missing",
                 pItem->aNode[ITEM_KEY] ? "value" : "key");
  } else if (t->aNode[pItem->aNode[ITEM_KEY]].eType != STEWARD_JSON_STRING) {
    fail_member(c, t, pItem->aNode[ITEM_KEY], ITEM_KEY, "text");
  } else {
    pItem->zKey = steward_json_text(c, t, pItem->aNode[ITEM_KEY], &n);
    if (pItem->zKey && ((int)strlen(pItem->zKey) != n || n == 0)) {
      steward_fail(c, STEWARD_VALIDATION_FAILED,
                   "key must be a text that is not empty and has no NUL "
                   "characters");
    }
  }
}

/* An integer member, as the option of store_put. */
static void item_int(StewardCall *c, const StewardJson *t, const Item *pItem,
                     int eMember, i64 *piOut) {
  int iNode = pItem->aNode[eMember];
  if (c->rc || iNode == 0) return;
  if (!steward_json_int(t, iNode, piOut) || *piOut < 0) {
    fail_member(c, t, iNode, eMember, "an integer that is not negative");
  }
}

static void item_ttl(StewardCall *c, const StewardJson *t, const Item *pItem,
                     i64 *piOut) {
  int iNode = pItem->aNode[ITEM_TTL], n;
  char *z;
  if (c->rc || iNode == 0) return;
  if (t->aNode[iNode].eType != STEWARD_JSON_STRING) {
    item_int(c, t, pItem, ITEM_TTL, piOut);
    return;
  }
  z = steward_json_text(c, t, iNode, &n);
  if (z && (steward_duration(z, n, piOut) || *piOut < 0)) {
    fail_member(c, t, iNode, ITEM_TTL, "milliseconds or a duration like '15m'");
  }
  sqlite3_free(z);
}

/* Put one item; the bytes of value and metadata. */
static void put_item(StewardCall *c, StoreKey *k, const StewardJson *t,
                     const Item *pItem) {
  StorePut put = STORE_PUT_DEFAULTS;
  StewardJson value = {0};
  const StewardJsonNode *pNode = &t->aNode[pItem->aNode[ITEM_VALUE]];
  int iMeta = pItem->aNode[ITEM_METADATA];
  int iAbsent = pItem->aNode[ITEM_IF_ABSENT];
  if (c->rc) return;
  item_int(c, t, pItem, ITEM_TTL_SECONDS, &put.iTtlSeconds);
  item_ttl(c, t, pItem, &put.iTtl);
  item_int(c, t, pItem, ITEM_IF_REVISION, &put.iIfRevision);
  item_int(c, t, pItem, ITEM_SCHEMA_VERSION, &put.iSchemaVersion);
  if (iAbsent) {
    put.bIfAbsent = t->aNode[iAbsent].eType == STEWARD_JSON_TRUE;
    if (!put.bIfAbsent && t->aNode[iAbsent].eType != STEWARD_JSON_FALSE) {
      fail_member(c, t, iAbsent, ITEM_IF_ABSENT, "true or false");
    }
  }
  if (iMeta && c->rc == SQLITE_OK) {
    put.zMetadata = steward_mprintf(c, "%.*s", t->aNode[iMeta].nText,
                                    t->zText + t->aNode[iMeta].iText);
  }
  if (c->rc == SQLITE_OK) {
    steward_json_parse(c, &value, t->zText + pNode->iText, pNode->nText, 0);
  }
  k->zKey = pItem->zKey;
  if (c->rc == SQLITE_OK) store_put_record(c, k, &put, &value);
  steward_json_free(&value);
  sqlite3_free(put.zMetadata);
}

/* The limits of one call. */
static void check_bulk(StewardCall *c, const i64 *aLimit, i64 nItem) {
  if (c->rc) return;
  if (nItem == 0) {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "there are no items: give an array of {\"key\":..., "
                 "\"value\":...}");
  } else if (nItem > aLimit[STORE_MAX_BULK_ITEMS]) {
    steward_fail(c, STEWARD_LIMIT_EXCEEDED,
                 "%lld items are more than store_max_bulk_items, %lld: put "
                 "them in several calls, or by INSERT INTO store_records",
                 nItem, aLimit[STORE_MAX_BULK_ITEMS]);
  }
}

/* The bytes of all values and metadata together. */
static void check_payload(StewardCall *c, const i64 *aLimit,
                          const StewardJson *t, const Item *aItem, int nItem) {
  i64 nBytes = 0;
  int i;
  for (i = 0; i < nItem && c->rc == SQLITE_OK; i++) {
    int iMeta = aItem[i].aNode[ITEM_METADATA];
    nBytes += t->aNode[aItem[i].aNode[ITEM_VALUE]].nText;
    nBytes += iMeta ? t->aNode[iMeta].nText : 2;
  }
  if (c->rc == SQLITE_OK && nBytes > aLimit[STORE_MAX_BULK_BYTES]) {
    steward_fail(c, STEWARD_LIMIT_EXCEEDED,
                 "the items have %lld bytes, store_max_bulk_bytes is %lld: put "
                 "them in several calls",
                 nBytes, aLimit[STORE_MAX_BULK_BYTES]);
  }
}

/* A key that two items have. */
static void check_twice(StewardCall *c, const Item *aItem, int iItem) {
  int i;
  for (i = 0; i < iItem && c->rc == SQLITE_OK; i++) {
    if (strcmp(aItem[i].zKey, aItem[iItem].zKey) == 0) {
      steward_fail(c, STEWARD_VALIDATION_FAILED,
                   "item %d has the same key: put it once", i + 1);
    }
  }
}

/* Read all items, then put them. */
static void put_items(StewardCall *c, StoreKey *k, const i64 *aLimit,
                      const StewardJson *t) {
  int nItem = t->aNode[0].nChild, i, iNode = 1;
  Item *aItem = sqlite3_malloc64(sizeof(Item) * (size_t)(nItem + 1));
  if (aItem == NULL) {
    steward_fail_nomem(c);
    return;
  }
  memset(aItem, 0, sizeof(Item) * (size_t)(nItem + 1));
  for (i = 0; i < nItem && c->rc == SQLITE_OK; i++) {
    read_item(c, t, iNode, &aItem[i]);
    if (c->rc == SQLITE_OK) check_twice(c, aItem, i);
    if (c->rc) name_item(c, i + 1, aItem[i].zKey);
    iNode = t->aNode[iNode].iEnd;
  }
  if (c->rc == SQLITE_OK) check_payload(c, aLimit, t, aItem, nItem);
  for (i = 0; i < nItem && c->rc == SQLITE_OK; i++) {
    put_item(c, k, t, &aItem[i]);
    if (c->rc) name_item(c, i + 1, aItem[i].zKey);
  }
  for (i = 0; i < nItem; i++) sqlite3_free(aItem[i].zKey);
  sqlite3_free(aItem);
}

static void read_items(StewardCall *c, sqlite3_value *v,
                       StewardJson *t /* OUT */) {
  const char *z = NULL;
  int bOk = 0;
  if (c->rc) return;
  if (sqlite3_value_type(v) == SQLITE_TEXT) {
    z = (const char *)sqlite3_value_text(v);
    if (z == NULL) steward_fail_nomem(c);
  }
  if (z) bOk = steward_json_parse(c, t, z, sqlite3_value_bytes(v), 1);
  if (c->rc == SQLITE_OK && (!bOk || t->aNode[0].eType != STEWARD_JSON_ARRAY)) {
    char *zGot = steward_quote_value(c, v);
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "items must be a JSON array, got %s%s", zGot,
                 z && !bOk ? ", which is no JSON" : "");
    sqlite3_free(zGot);
  }
}

/* store_bulk_put(tenant TEXT, install TEXT, namespace TEXT, items JSON)
**   -> INTEGER, records put    plain
** Put several records of a namespace, all or none.  An item is {"key":"k",
** "value":...} and may have the options of store_put: metadata, ttl_seconds,
** ttl, if_revision, if_absent, schema_version.  Without tenant and install:
** store_bulk_put('settings', '[...]').  Refused inside a writing statement.
** Set: storage
** Errors: "LIMIT_EXCEEDED: store_bulk_put: 21 items are more than
**   store_max_bulk_items, 20: put them in several calls, or by INSERT INTO
**   store_records"; "REVISION_MISMATCH: store_bulk_put: item 2 (key 'k'): key
**   'k' in namespace 'n' has revision 3, and 2 was expected: read it again";
**   VALIDATION_FAILED; QUOTA_EXCEEDED; CONFLICT; UNSUPPORTED; BUSY.
** Source: seed 002, bulkPut.
** Example: SELECT store_bulk_put('settings',
**     '[{"key":"theme","value":"dark"},{"key":"size","value":12}]'); -- 2
**   SELECT store_get('settings', 'size'); -- 12
*/
static void store_bulk_put(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  StewardCall c;
  StoreKey k;
  StewardJson items = {0};
  int i, nItem = 0;
  steward_open(&c, ctx, "store_bulk_put", "storage", STEWARD_WRITE);
  i = store_scope(&c, argc, argv, 2, 2, &k);
  read_items(&c, argv[i], &items);
  if (c.rc == SQLITE_OK) {
    i64 aLimit[STORE_LIMIT_COUNT];
    nItem = items.aNode[0].nChild;
    store_limits_of(&c, &k, aLimit);
    check_bulk(&c, aLimit, nItem);
    if (c.rc == SQLITE_OK) put_items(&c, &k, aLimit, &items);
  }
  steward_json_free(&items);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int(ctx, nItem);
}

static const StewardFunc aFunc[] = {
    {"store_bulk_put", 2, 4, STEWARD_PLAIN, store_bulk_put, NULL, 0},
};

int store_bulk_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
