/*
** store_limit.c - the limits of the store: settings of the database, which an
** install may have otherwise.
**
**     SELECT steward_setting('store_max_keys', 100);
**     SELECT store_limit('acme', 'crm', 'store_max_keys', 20000);
*/
#include <stdlib.h>
#include <string.h>

#include "store_int.h"

static const StewardSetting *limit_setting(StoreLimit eLimit) {
  return steward_setting_at(steward_setting_index("store_max_bulk_bytes") +
                            (int)eLimit);
}

const char *store_limit_name(StoreLimit eLimit) {
  return limit_setting(eLimit)->zName;
}

/* The limit of a name; -1 and a failure when there is none. */
static int find_limit(StewardCall *c, const char *zName) {
  const char *azKnown[STORE_LIMIT_COUNT], *zNear;
  int i;
  if (c->rc) return -1;
  for (i = 0; i < STORE_LIMIT_COUNT; i++) {
    azKnown[i] = store_limit_name((StoreLimit)i);
    if (strcmp(azKnown[i], zName) == 0) return i;
  }
  zNear = steward_nearest(zName, azKnown, STORE_LIMIT_COUNT);
  steward_fail(c, STEWARD_INVALID_ARGUMENT,
               "unknown limit '%s': did you mean '%s'?", zName,
               zNear ? zNear : azKnown[STORE_MAX_KEYS]);
  return -1;
}

/* Take the install's own limits, a JSON object. */
static void own_limits(StewardCall *c, const char *zLimits, i64 *aLimit) {
  StewardJson json;
  int i;
  if (!steward_json_parse(c, &json, zLimits, (int)strlen(zLimits), 1)) {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "steward_store_installs.limits is not JSON: mend it");
  }
  for (i = 0; c->rc == SQLITE_OK && i < STORE_LIMIT_COUNT; i++) {
    int iValue = steward_json_member(&json, 0, store_limit_name((StoreLimit)i));
    if (iValue && !steward_json_int(&json, iValue, &aLimit[i])) {
      steward_fail(c, STEWARD_VALIDATION_FAILED,
                   "%s in steward_store_installs.limits is no integer: mend it",
                   store_limit_name((StoreLimit)i));
    }
  }
  steward_json_free(&json);
}

/* Take those that the database has otherwise than by default: words
** "name=value".  Settings of the store that are no limits are passed over. */
static void database_limits(StewardCall *c, const char *z,
                            const StewardSetting *pFirst, i64 *aLimit) {
  while (*z && c->rc == SQLITE_OK) {
    const char *zEnd = strchr(z, '=');
    size_t n = zEnd ? (size_t)(zEnd - z) : strlen(z);
    int i;
    for (i = 0; i < STORE_LIMIT_COUNT; i++) {
      const StewardSetting *s = &pFirst[i];
      if (zEnd == NULL || strncmp(s->zName, z, n) || s->zName[n]) continue;
      aLimit[i] = strtoll(zEnd + 1, NULL, 10);
      steward_setting_check(c, s, aLimit[i]);
    }
    z += n;
    while (*z && *z++ != ' ') {
    }
  }
}

/* Are these the limits that were read last? */
static int remembered(const StoreMemo *m, const char *zDatabase) {
  if (m == NULL || m->bNone != (zDatabase == NULL)) return 0;
  return m->bNone || strcmp(m->zLimits, zDatabase) == 0;
}

/* Remember what zDatabase says, if that is possible. */
static void remember(StewardCall *c, const char *zDatabase, const i64 *aLimit) {
  StoreMemo *m = c->p->pStore;
  size_t n = zDatabase ? strlen(zDatabase) : 0;
  if (c->rc || n >= sizeof(m->zLimits)) return;
  if (m == NULL) {
    m = c->p->pStore = sqlite3_malloc64(sizeof(*m));
    if (m == NULL) {
      steward_fail_nomem(c);
      return;
    }
    memset(m, 0, sizeof(*m));
  }
  m->bNone = zDatabase == NULL;
  memcpy(m->zLimits, zDatabase ? zDatabase : "", n + 1);
  memcpy(m->aLimit, aLimit, sizeof(m->aLimit));
}

/* The limits that hold for an install: zDatabase, those of the database, and
** zOwn, its own, as steward_store_rules and steward_store_installs have them;
** either may be NULL. */
void store_limits(StewardCall *c, const char *zDatabase, const char *zOwn,
                  i64 *aLimit /* OUT */) {
  if (remembered(c->p->pStore, zDatabase)) {
    memcpy(aLimit, c->p->pStore->aLimit, sizeof(c->p->pStore->aLimit));
  } else {
    const StewardSetting *pFirst = limit_setting((StoreLimit)0);
    int i;
    for (i = 0; i < STORE_LIMIT_COUNT; i++) aLimit[i] = pFirst[i].iDefault;
    if (zDatabase) database_limits(c, zDatabase, pFirst, aLimit);
    remember(c, zDatabase, aLimit);
  }
  if (zOwn) own_limits(c, zOwn, aLimit);
}

/* Column iCol of a row, which may be NULL. */
const char *store_text(StewardCall *c, sqlite3_stmt *pRow, int iCol) {
  if (sqlite3_column_type(pRow, iCol) == SQLITE_NULL) return NULL;
  return steward_column(c, pRow, iCol);
}

/* The row of rules has gone. */
void store_fail_rules(StewardCall *c) {
  steward_fail(c, STEWARD_NOT_INSTALLED,
               "the row of table steward_store_rules is missing: SELECT "
               "store_verify('repair')");
}

/* The same, read for an install. */
void store_limits_of(StewardCall *c, const StoreKey *k, i64 *aLimit /* OUT */) {
  sqlite3_stmt *pRow =
      steward_query(c, SQL_store_limit_get, "tt", k->zTenant, k->zInstall);
  memset(aLimit, 0, sizeof(i64) * STORE_LIMIT_COUNT);
  if (steward_next(c, pRow)) {
    const char *zDatabase = store_text(c, pRow, 0);
    store_limits(c, zDatabase, store_text(c, pRow, 1), aLimit);
  } else if (c->rc == SQLITE_OK) {
    store_fail_rules(c);
  }
  steward_give(c, SQL_store_limit_get, pRow);
}

/* store_limit(tenant TEXT, install TEXT, name TEXT [, value])
**   -> INTEGER, the limit, or 1 when setting    directonly
** Read the limit that holds for an install, or give the install one of its own;
** NULL: again that of the database, which is the setting of the same name.
** Limits in ms take durations such as '15m' too.
** Set: storage
** Errors: "INVALID_ARGUMENT: store_limit: unknown limit 'store_max_key': did
**   you mean 'store_max_keys'?"; a value out of the setting's range.
** Source: seed 002, quotas per install.
** Example: SELECT store_limit('acme', 'crm', 'store_max_keys'); -- 5120
**   SELECT store_limit('acme', 'crm', 'store_max_keys', 20000); -- 1
**   SELECT store_limit('acme', 'crm', 'store_max_keys'); -- 20000
*/
static void store_limit(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  StewardCall c;
  StoreKey k = {0};
  const char *zName;
  i64 aLimit[STORE_LIMIT_COUNT], iValue = 1;
  int i, bSet = argc > 3;
  steward_open(&c, ctx, "store_limit", "storage",
               bSet ? STEWARD_WRITE_ONE : STEWARD_READ);
  store_name(&c, argv[0], "tenant", &k.zTenant);
  store_name(&c, argv[1], "install", &k.zInstall);
  zName = steward_arg_text(&c, argv[2], "name", 100);
  i = c.rc ? -1 : find_limit(&c, zName);
  if (i >= 0 && !bSet) {
    store_limits_of(&c, &k, aLimit);
    iValue = aLimit[i];
  } else if (i >= 0 && sqlite3_value_type(argv[3]) == SQLITE_NULL) {
    steward_run(&c, SQL_store_limit_set, "tttn", k.zTenant, k.zInstall, zName);
  } else if (i >= 0) {
    const StewardSetting *s = limit_setting((StoreLimit)i);
    i64 iNew = strcmp(s->zUnit, "ms")
                   ? steward_arg_int(&c, argv[3], zName, s->iMin, s->iMax)
                   : steward_arg_time(&c, argv[3], zName);
    if (c.rc == SQLITE_OK && (iNew < s->iMin || iNew > s->iMax)) {
      steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                   "%s must be within %lld..%lld %s, got %lld", zName, s->iMin,
                   s->iMax, s->zUnit, iNew);
    }
    steward_run(&c, SQL_store_limit_set, "tttl", k.zTenant, k.zInstall, zName,
                iNew);
  }
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iValue);
}

static const StewardFunc aFunc[] = {
    {"store_limit", 3, 4, STEWARD_DIRECTONLY, store_limit, NULL, 0},
};

int store_limits_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
