/*
** store_int.h - what the files of the store share.
*/
#ifndef STORE_INT_H
#define STORE_INT_H

#include "steward_int.h"

/* Limits, in the order of their settings in ext/config.c. */
typedef enum StoreLimit {
  STORE_MAX_BULK_BYTES,
  STORE_MAX_BULK_ITEMS,
  STORE_MAX_BYTES,
  STORE_MAX_KEY_LENGTH,
  STORE_MAX_KEYS,
  STORE_MAX_METADATA_BYTES,
  STORE_MAX_NAMESPACE_LENGTH,
  STORE_MAX_NAMESPACES,
  STORE_MAX_TTL,
  STORE_MAX_VALUE_BYTES,
  STORE_MIN_TTL,
  STORE_SWEEP_LISTS,
  STORE_LIMIT_COUNT
} StoreLimit;

/* Whose record; the single-tenant store has the tenant '' and install ''. */
typedef struct StoreKey {
  const char *zTenant, *zInstall, *zNamespace, *zKey; /* borrowed */
} StoreKey;

/* What a connection remembers: the limits that the database has set, as
** steward_store_rules has them, what they come to, and whether the last put
** could have been a quick one. */
typedef struct StoreMemo {
  int bNone; /* it has set none */
  int bQuick;
  char zLimits[512];
  i64 aLimit[STORE_LIMIT_COUNT];
} StoreMemo;

/* What store_put and an item of store_bulk_put may say. */
typedef struct StorePut {
  i64 iTtlSeconds; /* -1: not given */
  i64 iTtl;        /* ms; -1: not given */
  i64 iExpires;    /* Unix ms, instead of these; 0: not given */
  i64 iIfRevision; /* -1: not given */
  i64 bIfAbsent;
  i64 iSchemaVersion; /* -1: the active one */
  char *zMetadata;    /* owned; NULL: {} */
} StorePut;

#define STORE_PUT_DEFAULTS                                                     \
  { -1, -1, 0, -1, 0, -1, NULL }

/* store_args.c */
int store_scope(StewardCall *c, int argc, sqlite3_value **argv, int nLeast,
                int nMost, StoreKey *k /* OUT */);
void store_name(StewardCall *c, sqlite3_value *v, const char *zWhat,
                const char **pz /* OUT */);
void store_value(StewardCall *c, sqlite3_value *v,
                 StewardJson *pValue /* OUT */);

/* store.c */
i64 store_put_record(StewardCall *c, const StoreKey *k, const StorePut *o,
                     const StewardJson *pValue);
void store_sweep_sometimes(StewardCall *c);

/* store_bulk.c, store_verify.c */
int store_bulk_register(Steward *p);
int store_verify_register(Steward *p);

/* store_schema.c */
void store_schema_check(StewardCall *c, const StoreKey *k, i64 iVersion,
                        const StewardJson *pValue);
int store_schema_register(Steward *p);

/* store_limit.c */
void store_limits(StewardCall *c, const char *zDatabase, const char *zOwn,
                  i64 *aLimit /* OUT */);
void store_limits_of(StewardCall *c, const StoreKey *k, i64 *aLimit /* OUT */);
const char *store_text(StewardCall *c, sqlite3_stmt *pRow, int iCol);
void store_fail_rules(StewardCall *c);
const char *store_limit_name(StoreLimit eLimit);
int store_limits_register(Steward *p);

#endif
