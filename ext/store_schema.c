/*
** store_schema.c - what the values of a namespace must look like.
**
**     SELECT store_schema_put('acme', 'crm', 'leads', 1,
**       '{"type":"object","required":["name"]}', 'active');
**
** A namespace has any number of versions, at most one of them active: the one
** that a put is validated by unless it names another.  A version that is not
** there validates nothing, so naming it is refused.
*/
#include <string.h>

#include "json_schema.h"
#include "store_int.h"

/* Does the value fit the namespace's schema: version iVersion, or the active
** one for -1? */
void store_schema_check(StewardCall *c, const StoreKey *k, i64 iVersion,
                        const StewardJson *pValue) {
  StewardJson schema = {0}, value = {0};
  sqlite3_stmt *pRow;
  enum StewardSqlId eSql =
      iVersion < 0 ? SQL_store_schema_active : SQL_store_schema_version;
  char *zWhy = NULL;
  if (c->rc) return;
  pRow = iVersion < 0 ? steward_query(c, eSql, "ttt", k->zTenant, k->zInstall,
                                      k->zNamespace)
                      : steward_query(c, eSql, "tttl", k->zTenant, k->zInstall,
                                      k->zNamespace, iVersion);
  if (steward_next(c, pRow)) {
    const char *z = steward_column(c, pRow, 1);
    i64 iFound = sqlite3_column_int64(pRow, 0);
    int bSchema = steward_json_parse(c, &schema, z, (int)strlen(z), 1);
    steward_json_parse(c, &value, pValue->zText, pValue->nText, 1);
    if (bSchema) json_schema_check(c, &schema); /* it may be a plain client's */
    if (bSchema && !json_schema_fits(c, &schema, &value, &zWhy)) {
      steward_fail(c, STEWARD_VALIDATION_FAILED,
                   "the value of key '%s' does not fit schema version %lld of "
                   "namespace '%s': %s",
                   k->zKey, iFound, k->zNamespace, zWhy);
    }
  } else if (iVersion >= 0) {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "namespace '%s' has no schema version %lld: store_schema_put "
                 "it, or name one that is there",
                 k->zNamespace, iVersion);
  }
  steward_give(c, eSql, pRow);
  steward_json_free(&schema);
  steward_json_free(&value);
  sqlite3_free(zWhy);
}

/* Which of the three words: 'active' when not given. */
static const char *arg_status(StewardCall *c, sqlite3_value *v) {
  static const char *const azStatus[] = {"active", "deprecated", "draft"};
  const char *z = steward_arg_text(c, v, "status", 20);
  int i;
  for (i = 0; z && i < ArraySize(azStatus); i++) {
    if (strcmp(z, azStatus[i]) == 0) return azStatus[i];
  }
  steward_fail(c, STEWARD_INVALID_ARGUMENT,
               "status must be active, deprecated or draft, got '%s'", z);
  return NULL;
}

/* The document, minified and checked. */
static void read_schema(StewardCall *c, sqlite3_value *v,
                        StewardJson *p /* OUT */) {
  const char *z = NULL;
  int bOk = 0;
  if (c->rc) return;
  if (sqlite3_value_type(v) == SQLITE_TEXT) {
    z = (const char *)sqlite3_value_text(v);
    if (z == NULL) steward_fail_nomem(c);
  }
  if (z) bOk = steward_json_parse(c, p, z, sqlite3_value_bytes(v), 1);
  if (c->rc == SQLITE_OK && !bOk) {
    char *zGot = steward_quote_value(c, v);
    steward_fail(c, STEWARD_VALIDATION_FAILED, "schema must be JSON, got %s",
                 zGot);
    sqlite3_free(zGot);
  }
  if (bOk) json_schema_check(c, p);
}

static void put_schema(StewardCall *c, const StoreKey *k, i64 iVersion,
                       const StewardJson *pSchema, const char *zStatus) {
  if (c->rc) return;
  if (steward_int(c, SQL_store_schema_other, 0, "tttlt", k->zTenant,
                  k->zInstall, k->zNamespace, iVersion, pSchema->zText)) {
    steward_fail(c, STEWARD_CONFLICT,
                 "schema version %lld of namespace '%s' is another document "
                 "already: give this one another version",
                 iVersion, k->zNamespace);
  }
  if (c->rc == SQLITE_OK && strcmp(zStatus, "active") == 0) {
    steward_run(c, SQL_store_schema_retire, "tttll", k->zTenant, k->zInstall,
                k->zNamespace, iVersion, steward_now(c->p));
  }
  steward_run(c, SQL_store_schema_put, "tttlttl", k->zTenant, k->zInstall,
              k->zNamespace, iVersion, pSchema->zText, zStatus,
              steward_now(c->p));
}

/* store_schema_put(tenant TEXT, install TEXT, namespace TEXT, version INTEGER,
**   schema JSON [, status TEXT]) -> INTEGER, the version    plain
** Give a namespace a version of its JSON Schema: active (the default; the one
** that was becomes deprecated), deprecated or draft.  From then on every put is
** validated by the active version, or by the one that it names.  What is there
** already is not looked at.  A version keeps its document unless that was a
** draft; its status may change.  Without tenant and install:
** store_schema_put('settings', 1, '{...}').  Keywords: type, enum, const,
** required, properties, additionalProperties, items, minimum, maximum,
** exclusiveMinimum, exclusiveMaximum, minLength, maxLength, minItems, maxItems,
** uniqueItems, minProperties, maxProperties, pattern (Perl-compatible), anyOf,
** oneOf, allOf, not, $ref within the schema, $defs, definitions, and those that
** only describe.  Any other is refused.
** Set: storage
** Errors: "VALIDATION_FAILED: store_schema_put: keyword "format" is unknown
**   here, and a rule that is not checked would be worse than none: leave it
**   out"; "CONFLICT: store_schema_put: schema version 1 of namespace 'n' is
**   another document already: give this one another version"; a put that does
**   not fit: VALIDATION_FAILED, with the place and the rule; UNSUPPORTED; BUSY.
** Source: seed 002; the original validated against nothing when a version was
**   named that was not active.
** Example: SELECT store_schema_put('people', 1, '{"type":"object",
**     "properties":{"age":{"type":"integer","minimum":0}}}'); -- 1
**   SELECT store_put('people', 'ada', '{"age":36}'); -- 1
*/
static void store_schema_put(sqlite3_context *ctx, int argc,
                             sqlite3_value **argv) {
  StewardCall c;
  StoreKey k;
  StewardJson schema = {0};
  const char *zStatus = "active";
  i64 iVersion;
  int bScope = argc > 4, i;
  steward_open(&c, ctx, "store_schema_put", "storage", STEWARD_WRITE);
  i = store_scope(&c, argc, argv, bScope ? argc - 2 : argc, argc, &k);
  if (bScope) k.zKey = "";
  iVersion = steward_arg_int(&c, argv[i], "version", 0, INT64_MAX);
  if (argc > i + 2) zStatus = arg_status(&c, argv[i + 2]);
  read_schema(&c, argv[i + 1], &schema);
  put_schema(&c, &k, iVersion, &schema, zStatus);
  steward_json_free(&schema);
  if (steward_close(&c) == SQLITE_OK) sqlite3_result_int64(ctx, iVersion);
}

static const StewardFunc aFunc[] = {
    {"store_schema_put", 3, 6, STEWARD_PLAIN, store_schema_put, NULL, 0},
};

int store_schema_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
