/*
** store_args.c - what the verbs of the store are given: whose record, its names
** and its value.
*/
#include <string.h>

#include "store_int.h"

/* 256 characters, which is what a key may have, of 4 bytes. */
#define NAME_MAX_BYTES 1024

/* A tenant, install, namespace or key: text, or an integer as its digits. */
void store_name(StewardCall *c, sqlite3_value *v, const char *zWhat,
                const char **pz /* OUT */) {
  int eType = sqlite3_value_type(v);
  const char *z;
  *pz = NULL;
  if (c->rc) return;
  if (eType != SQLITE_TEXT && eType != SQLITE_INTEGER) {
    char *zGot = steward_quote_value(c, v);
    steward_fail(c, STEWARD_VALIDATION_FAILED, "%s must be text, got %s", zWhat,
                 zGot);
    sqlite3_free(zGot);
    return;
  }
  z = (const char *)sqlite3_value_text(v);
  if (z == NULL) {
    steward_fail_nomem(c);
  } else if ((int)strlen(z) != sqlite3_value_bytes(v) ||
             !steward_utf8_ok((const unsigned char *)z, (int)strlen(z))) {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "%s must be well-formed UTF-8 without NUL characters", zWhat);
  } else if (z[0] == 0) {
    steward_fail(c, STEWARD_VALIDATION_FAILED, "%s must not be empty", zWhat);
  } else if (strlen(z) > NAME_MAX_BYTES) {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "%s must be at most %d bytes, got %d: shorten it", zWhat,
                 NAME_MAX_BYTES, (int)strlen(z));
  } else {
    *pz = z;
  }
}

/* Read namespace and key, behind tenant and install when these are given: with
** at least nLeast arguments without them.  The place of the argument behind the
** namespace. */
int store_scope(StewardCall *c, int argc, sqlite3_value **argv, int nLeast,
                int nMost, StoreKey *k /* OUT */) {
  int i = 0;
  memset(k, 0, sizeof(*k));
  k->zTenant = k->zInstall = "";
  if (argc > nMost && argc < nLeast + 2) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "got %d arguments: tenant and install are given both, or "
                 "neither",
                 argc);
  } else if (argc >= nLeast + 2) {
    store_name(c, argv[0], "tenant", &k->zTenant);
    store_name(c, argv[1], "install", &k->zInstall);
    i = 2;
  }
  store_name(c, argv[i], "namespace", &k->zNamespace);
  return i + 1;
}

static void fail_json(StewardCall *c, const char *zWhat, sqlite3_value *v,
                      const StewardJson *p) {
  char *zGot = steward_quote_value(c, v);
  if (p->bDeep) {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "%s is nested too deeply at byte %d: 1000 levels are the most",
                 zWhat, p->iError);
  } else {
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "%s must be JSON, got %s, which is none from byte %d on: a "
                 "text is written '\"dark\"'",
                 zWhat, zGot, p->iError);
  }
  sqlite3_free(zGot);
}

/* A value as minified JSON; a number may come as such. */
void store_value(StewardCall *c, sqlite3_value *v,
                 StewardJson *pValue /* OUT */) {
  int eType = sqlite3_value_type(v);
  memset(pValue, 0, sizeof(*pValue));
  if (c->rc) return;
  if (eType == SQLITE_NULL || eType == SQLITE_BLOB) {
    char *zGot = steward_quote_value(c, v);
    steward_fail(c, STEWARD_VALIDATION_FAILED,
                 "value must be JSON, got %s: JSON's null is the text 'null'",
                 zGot);
    sqlite3_free(zGot);
  } else if (eType == SQLITE_FLOAT) {
    sqlite3_str *pOut = sqlite3_str_new(c->db);
    char *z;
    steward_json_value(c, pOut, v);
    z = steward_str_finish(c, pOut);
    if (z) steward_json_parse(c, pValue, z, (int)strlen(z), 0);
    sqlite3_free(z);
  } else {
    const char *z = (const char *)sqlite3_value_text(v);
    if (z == NULL) {
      steward_fail_nomem(c);
    } else if (!steward_json_parse(c, pValue, z, sqlite3_value_bytes(v), 0)) {
      fail_json(c, "value", v, pValue);
    }
  }
}
