/*
** json_schema.h - does a JSON value fit a JSON Schema?
*/
#ifndef JSON_SCHEMA_H
#define JSON_SCHEMA_H

#include "steward_int.h"

/* A number by its digits; 0 has none. */
typedef struct JsonDecimal {
  const char *z, *zEnd; /* from the first digit that is not 0; borrowed */
  int bNegative;
  i64 iHigh; /* power of ten of that digit */
  i64 iLow;  /* of the last digit that is not 0 */
} JsonDecimal;

/* json_compare.c */
void json_decimal_read(const char *z, int n, JsonDecimal *p /* OUT */);
int json_decimal_compare(const JsonDecimal *a, const JsonDecimal *b);
void json_decimal(const StewardJson *t, int i, JsonDecimal *p /* OUT */);
int json_number_compare(const StewardJson *a, int i, const StewardJson *b,
                        int k);
int json_whole(const StewardJson *t, int i);
int json_same_member(StewardCall *c, const StewardJson *t, int iObject,
                     const StewardJson *n, int iName);
int json_equal(StewardCall *c, const StewardJson *a, int i,
               const StewardJson *b, int k);
void *json_pattern_compile(StewardCall *c, const char *z, int n,
                           char **pzWhy /* OUT */);
int json_pattern_match(StewardCall *c, const void *pCode, const char *z, int n);
void json_pattern_free(void *pCode);
int json_resolve(StewardCall *c, const StewardJson *s, int iRef);

/* json_schema.c */
void json_schema_check(StewardCall *c, const StewardJson *pSchema);
int json_schema_fits(StewardCall *c, const StewardJson *pSchema,
                     const StewardJson *pValue, char **pzWhy /* OUT */);

#endif
