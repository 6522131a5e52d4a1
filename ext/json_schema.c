/*
** json_schema.c - does a JSON value fit a JSON Schema?
**
** The keywords, with their meaning in JSON Schema 2020-12 (and in draft 7 where
** that is the same): type, enum, const, required, properties,
** additionalProperties, items (one schema, or draft 7's list of them),
** minimum, maximum, exclusiveMinimum, exclusiveMaximum, minLength, maxLength,
** minItems, maxItems, uniqueItems, minProperties, maxProperties, pattern,
** anyOf, oneOf, allOf, not, $ref within the schema; true and false; $defs,
** definitions.  $schema, $id at the top, $comment, title, description, default,
** examples, deprecated, readOnly and writeOnly say nothing.  Any other keyword
** is refused when the schema is put, not passed over: a rule that nobody checks
** is worse than none.  So is what drafts disagree on: $ref beside other rules.
**
** Numbers are compared by all their digits.  A pattern is a Perl-compatible
** regular expression (PCRE2), looked for anywhere in the text; one that takes
** too many steps fails the validation.
*/
#include <string.h>

#include "json_schema.h"

enum { DEPTH_MAX = 500, STEPS_MAX = 1000000, UNIQUE_MAX = 4096 };

/*************************************************************************
** Keywords
*/
typedef enum Keyword {
  KW_TYPE,
  KW_ENUM,
  KW_CONST,
  KW_REQUIRED,
  KW_PROPERTIES,
  KW_ADDITIONAL,
  KW_ITEMS,
  KW_MINIMUM,
  KW_MAXIMUM,
  KW_ABOVE,
  KW_BELOW,
  KW_MIN_LENGTH,
  KW_MAX_LENGTH,
  KW_MIN_ITEMS,
  KW_MAX_ITEMS,
  KW_UNIQUE,
  KW_MIN_PROPERTIES,
  KW_MAX_PROPERTIES,
  KW_PATTERN,
  KW_ANY_OF,
  KW_ONE_OF,
  KW_ALL_OF,
  KW_NOT,
  KW_REF,
  KW_RULES, /* how many say something */
  KW_DEFS = KW_RULES,
  KW_DEFINITIONS,
  KW_NOTHING, /* from here on */
} Keyword;

static const char *const azKeyword[] = {"type",
                                        "enum",
                                        "const",
                                        "required",
                                        "properties",
                                        "additionalProperties",
                                        "items",
                                        "minimum",
                                        "maximum",
                                        "exclusiveMinimum",
                                        "exclusiveMaximum",
                                        "minLength",
                                        "maxLength",
                                        "minItems",
                                        "maxItems",
                                        "uniqueItems",
                                        "minProperties",
                                        "maxProperties",
                                        "pattern",
                                        "anyOf",
                                        "oneOf",
                                        "allOf",
                                        "not",
                                        "$ref",
                                        "$defs",
                                        "definitions",
                                        "$schema",
                                        "$id",
                                        "$comment",
                                        "title",
                                        "description",
                                        "default",
                                        "examples",
                                        "deprecated",
                                        "readOnly",
                                        "writeOnly"};

static const char *const azType[] = {"null",   "boolean", "number", "integer",
                                     "string", "array",   "object"};

static int find_keyword(const StewardJson *s, int iName) {
  int i;
  for (i = 0; i < ArraySize(azKeyword); i++) {
    if (steward_json_is(s, iName, azKeyword[i])) return i;
  }
  return -1;
}

static int find_type(const StewardJson *s, int iNode) {
  int i;
  if (s->aNode[iNode].eType != STEWARD_JSON_STRING) return -1;
  for (i = 0; i < ArraySize(azType); i++) {
    if (steward_json_is(s, iNode, azType[i])) return i;
  }
  return -1;
}

/*************************************************************************
** Is it a schema?
*/
typedef struct Checker {
  StewardCall *c;
  const StewardJson *s;
  int nDepth;
  unsigned char *aSchema; /* by node: it stands where a schema does */
  int bRefs;              /* the second time: $ref must mean such a one */
} Checker;

static void check_schema(Checker *k, int iNode);

static void bad_keyword(Checker *k, int iValue, int eKeyword,
                        const char *zWanted) {
  const StewardJsonNode *p = &k->s->aNode[iValue];
  steward_fail(k->c, STEWARD_VALIDATION_FAILED,
               "keyword %s must be %s, got %.*s", azKeyword[eKeyword], zWanted,
               p->nText > 60 ? 60 : p->nText, k->s->zText + p->iText);
}

/* Every child of an array, or member of an object, is a schema. */
static void check_schemas(Checker *k, int iList) {
  const StewardJsonNode *a = k->s->aNode;
  int bObject = a[iList].eType == STEWARD_JSON_OBJECT, i;
  for (i = iList + 1 + bObject; i < a[iList].iEnd && k->c->rc == SQLITE_OK;
       i = a[i].iEnd + bObject) {
    check_schema(k, i);
  }
}

static void check_strings(Checker *k, int iValue, int eKeyword) {
  const StewardJsonNode *a = k->s->aNode;
  int i, bOk = a[iValue].eType == STEWARD_JSON_ARRAY;
  for (i = iValue + 1; bOk && i < a[iValue].iEnd; i = a[i].iEnd) {
    bOk = a[i].eType == STEWARD_JSON_STRING;
  }
  if (!bOk) bad_keyword(k, iValue, eKeyword, "an array of names");
}

static void check_type(Checker *k, int iValue) {
  const StewardJsonNode *a = k->s->aNode;
  int i, bOk = find_type(k->s, iValue) >= 0;
  if (a[iValue].eType == STEWARD_JSON_ARRAY) {
    bOk = a[iValue].nChild > 0;
    for (i = iValue + 1; bOk && i < a[iValue].iEnd; i = a[i].iEnd) {
      bOk = find_type(k->s, i) >= 0;
    }
  }
  if (!bOk) {
    bad_keyword(k, iValue, KW_TYPE,
                "one or several of null, boolean, number, integer, string, "
                "array, object");
  }
}

static void check_pattern(Checker *k, int iValue) {
  char *z, *zWhy = NULL;
  int n;
  void *pCode;
  if (k->s->aNode[iValue].eType != STEWARD_JSON_STRING) {
    bad_keyword(k, iValue, KW_PATTERN, "a regular expression");
    return;
  }
  z = steward_json_text(k->c, k->s, iValue, &n);
  pCode = z ? json_pattern_compile(k->c, z, n, &zWhy) : NULL;
  if (zWhy) {
    steward_fail(k->c, STEWARD_VALIDATION_FAILED,
                 "pattern '%.60s' is no regular expression: %s", z, zWhy);
  }
  json_pattern_free(pCode);
  sqlite3_free(zWhy);
  sqlite3_free(z);
}

static void check_count(Checker *k, int iValue, int eKeyword) {
  JsonDecimal x;
  if (json_whole(k->s, iValue)) {
    json_decimal(k->s, iValue, &x);
    if (!x.bNegative) return;
  }
  bad_keyword(k, iValue, eKeyword, "a whole number that is not negative");
}

static void check_ref(Checker *k, int iSchema, int iValue) {
  const StewardJsonNode *a = k->s->aNode;
  int i;
  int iTarget = a[iValue].eType == STEWARD_JSON_STRING
                    ? json_resolve(k->c, k->s, iValue)
                    : -1;
  if (iTarget < 0 || (k->bRefs && !k->aSchema[iTarget])) {
    bad_keyword(k, iValue, KW_REF,
                "the place of a schema in this one, like \"#/$defs/name\"");
  }
  for (i = iSchema + 1; i < a[iSchema].iEnd; i = a[i + 1].iEnd) {
    int eKeyword = find_keyword(k->s, i);
    if (eKeyword >= 0 && eKeyword < KW_RULES && eKeyword != KW_REF) {
      steward_fail(k->c, STEWARD_VALIDATION_FAILED,
                   "keyword %s beside $ref means nothing in draft 7 and "
                   "something in later ones: write "
                   "{\"allOf\":[{\"$ref\":...}, ...]}",
                   azKeyword[eKeyword]);
    }
  }
}

/* Keywords that hold schemas. */
static void check_holder(Checker *k, int eKeyword, int iValue) {
  const StewardJsonNode *p = &k->s->aNode[iValue];
  int bArray = p->eType == STEWARD_JSON_ARRAY;
  switch (eKeyword) {
  case KW_PROPERTIES:
  case KW_DEFS:
  case KW_DEFINITIONS:
    if (p->eType == STEWARD_JSON_OBJECT) {
      check_schemas(k, iValue);
    } else {
      bad_keyword(k, iValue, eKeyword, "an object of schemas");
    }
    break;
  case KW_ITEMS:
    if (bArray) {
      check_schemas(k, iValue);
    } else {
      check_schema(k, iValue);
    }
    break;
  case KW_ADDITIONAL:
  case KW_NOT: check_schema(k, iValue); break;
  default:
    if (bArray && p->nChild > 0) {
      check_schemas(k, iValue);
    } else {
      bad_keyword(k, iValue, eKeyword, "an array of schemas");
    }
  }
}

static void check_keyword(Checker *k, int iSchema, int eKeyword, int iValue) {
  int eType = k->s->aNode[iValue].eType;
  switch (eKeyword) {
  case KW_TYPE: check_type(k, iValue); break;
  case KW_ENUM:
    if (eType != STEWARD_JSON_ARRAY) {
      bad_keyword(k, iValue, eKeyword, "an array");
    }
    break;
  case KW_REQUIRED: check_strings(k, iValue, eKeyword); break;
  case KW_PROPERTIES:
  case KW_DEFS:
  case KW_DEFINITIONS:
  case KW_ITEMS:
  case KW_ADDITIONAL:
  case KW_NOT:
  case KW_ANY_OF:
  case KW_ONE_OF:
  case KW_ALL_OF: check_holder(k, eKeyword, iValue); break;
  case KW_MINIMUM:
  case KW_MAXIMUM:
  case KW_ABOVE:
  case KW_BELOW:
    if (eType != STEWARD_JSON_NUMBER) {
      bad_keyword(k, iValue, eKeyword, "a number");
    }
    break;
  case KW_UNIQUE:
    if (eType != STEWARD_JSON_TRUE && eType != STEWARD_JSON_FALSE) {
      bad_keyword(k, iValue, eKeyword, "true or false");
    }
    break;
  case KW_PATTERN: check_pattern(k, iValue); break;
  case KW_REF: check_ref(k, iSchema, iValue); break;
  case KW_CONST: break;
  default:
    if (eKeyword < KW_NOTHING) check_count(k, iValue, eKeyword);
  }
}

static void fail_keyword(Checker *k, int iName) {
  const StewardJsonNode *p = &k->s->aNode[iName];
  int n;
  char *z = steward_json_text(k->c, k->s, iName, &n);
  const char *zNear = z ? steward_nearest(z, azKeyword, KW_NOTHING) : NULL;
  if (zNear) {
    steward_fail(k->c, STEWARD_VALIDATION_FAILED,
                 "keyword %.*s is unknown here, and a rule that is not checked "
                 "would be worse than none: did you mean '%s'?",
                 p->nText > 60 ? 60 : p->nText, k->s->zText + p->iText, zNear);
  } else {
    steward_fail(k->c, STEWARD_VALIDATION_FAILED,
                 "keyword %.*s is unknown here, and a rule that is not checked "
                 "would be worse than none: leave it out",
                 p->nText > 60 ? 60 : p->nText, k->s->zText + p->iText);
  }
  sqlite3_free(z);
}

static void check_schema(Checker *k, int iNode) {
  const StewardJsonNode *a = k->s->aNode;
  int i;
  if (k->c->rc) return;
  k->aSchema[iNode] = 1;
  if (a[iNode].eType == STEWARD_JSON_TRUE ||
      a[iNode].eType == STEWARD_JSON_FALSE) {
    return;
  }
  if (a[iNode].eType != STEWARD_JSON_OBJECT) {
    steward_fail(k->c, STEWARD_VALIDATION_FAILED,
                 "a schema is an object, true or false, got %.*s",
                 a[iNode].nText > 60 ? 60 : a[iNode].nText,
                 k->s->zText + a[iNode].iText);
  } else if (++k->nDepth > DEPTH_MAX) {
    steward_fail(k->c, STEWARD_VALIDATION_FAILED,
                 "the schema is nested too deeply: %d levels are the most",
                 DEPTH_MAX);
  }
  for (i = iNode + 1; i < a[iNode].iEnd && k->c->rc == SQLITE_OK;
       i = a[i + 1].iEnd) {
    int eKeyword = find_keyword(k->s, i);
    if (eKeyword < 0 || (iNode && steward_json_is(k->s, i, "$id"))) {
      fail_keyword(k, i);
    } else {
      check_keyword(k, iNode, eKeyword, i + 1);
    }
  }
  k->nDepth--;
}

/* Fail unless every keyword of the schema is known and makes sense. */
void json_schema_check(StewardCall *c, const StewardJson *pSchema) {
  Checker checker = {.c = c, .s = pSchema};
  if (c->rc) return;
  checker.aSchema = sqlite3_malloc64((sqlite3_uint64)pSchema->nNode);
  if (checker.aSchema == NULL) {
    steward_fail_nomem(c);
    return;
  }
  memset(checker.aSchema, 0, (size_t)pSchema->nNode);
  check_schema(&checker, 0);
  checker.bRefs = 1;
  check_schema(&checker, 0);
  sqlite3_free(checker.aSchema);
}

/*************************************************************************
** Does a value fit?
*/

/* Where in the value we are, upwards. */
typedef struct Place {
  const struct Place *pUp;
  int iName;  /* node of the member's name, or -1 */
  int iIndex; /* in an array */
} Place;

typedef struct Validator {
  StewardCall *c;
  const StewardJson *s, *v;
  char *zWhy; /* the first failure; owned */
  int nQuiet; /* inside anyOf and its like, where failing is no failure */
  int nDepth;
  int nStep; /* schemas asked: anyOf in anyOf multiplies them */
} Validator;

static int fits(Validator *k, int iSchema, int iValue, const Place *pPlace);

static void append_place(const Validator *k, sqlite3_str *pOut,
                         const Place *pPlace) {
  if (pPlace == NULL) return;
  append_place(k, pOut, pPlace->pUp);
  if (pPlace->iName < 0) {
    sqlite3_str_appendf(pOut, "/%d", pPlace->iIndex);
  } else {
    const StewardJsonNode *p = &k->v->aNode[pPlace->iName];
    sqlite3_str_appendf(pOut, "/%.*s", p->nText - 2,
                        k->v->zText + p->iText + 1);
  }
}

/* Note the first failure; always 0. */
static int misfit(Validator *k, const Place *pPlace, const char *zFmt, ...) {
  va_list ap;
  sqlite3_str *pOut;
  if (k->nQuiet || k->zWhy || k->c->rc) return 0;
  pOut = sqlite3_str_new(k->c->db);
  if (pPlace) {
    append_place(k, pOut, pPlace);
    sqlite3_str_append(pOut, " ", 1);
  }
  va_start(ap, zFmt);
  sqlite3_str_vappendf(pOut, zFmt, ap);
  va_end(ap);
  k->zWhy = steward_str_finish(k->c, pOut);
  return 0;
}

static int is_type(const StewardJson *v, int iValue, int eType) {
  switch (v->aNode[iValue].eType) {
  case STEWARD_JSON_NULL: return eType == 0;
  case STEWARD_JSON_TRUE:
  case STEWARD_JSON_FALSE: return eType == 1;
  case STEWARD_JSON_NUMBER:
    return eType == 2 || (eType == 3 && json_whole(v, iValue));
  case STEWARD_JSON_STRING: return eType == 4;
  case STEWARD_JSON_ARRAY: return eType == 5;
  default: return eType == 6;
  }
}

static int fits_type(Validator *k, int iRule, int iValue, const Place *pPlace) {
  const StewardJsonNode *p = &k->s->aNode[iRule];
  int i, bOk = 0;
  if (p->eType == STEWARD_JSON_STRING) {
    bOk = is_type(k->v, iValue, find_type(k->s, iRule));
  }
  for (i = iRule + 1; !bOk && i < p->iEnd; i = k->s->aNode[i].iEnd) {
    bOk = is_type(k->v, iValue, find_type(k->s, i));
  }
  return bOk || misfit(k, pPlace, "must be of type %.*s", p->nText,
                       k->s->zText + p->iText);
}

static int fits_enum(Validator *k, int iRule, int iValue, const Place *pPlace) {
  const StewardJsonNode *p = &k->s->aNode[iRule];
  int i;
  for (i = iRule + 1; i < p->iEnd; i = k->s->aNode[i].iEnd) {
    if (json_equal(k->c, k->s, i, k->v, iValue)) return 1;
  }
  return misfit(k, pPlace, "must be one of %.*s", p->nText > 60 ? 60 : p->nText,
                k->s->zText + p->iText);
}

static int fits_required(Validator *k, int iRule, int iValue,
                         const Place *pPlace) {
  const StewardJsonNode *a = k->s->aNode;
  int i;
  for (i = iRule + 1; i < a[iRule].iEnd; i = a[i].iEnd) {
    if (json_same_member(k->c, k->v, iValue, k->s, i)) continue;
    return misfit(k, pPlace, "has no member %.*s, which is required",
                  a[i].nText, k->s->zText + a[i].iText);
  }
  return 1;
}

static int fits_properties(Validator *k, int iRule, int iValue,
                           const Place *pPlace) {
  const StewardJsonNode *a = k->s->aNode;
  int i;
  for (i = iRule + 1; i < a[iRule].iEnd; i = a[i + 1].iEnd) {
    int iMember = json_same_member(k->c, k->v, iValue, k->s, i);
    Place place = {pPlace, iMember - 1, 0};
    if (iMember && !fits(k, i + 1, iMember, &place)) return 0;
  }
  return 1;
}

static int fits_additional(Validator *k, int iSchema, int iRule, int iValue,
                           const Place *pPlace) {
  const StewardJsonNode *a = k->v->aNode;
  int iProperties = steward_json_member(k->s, iSchema, "properties");
  int i;
  for (i = iValue + 1; i < a[iValue].iEnd; i = a[i + 1].iEnd) {
    Place place = {pPlace, i, 0};
    if (iProperties && json_same_member(k->c, k->s, iProperties, k->v, i))
      continue;
    if (k->s->aNode[iRule].eType == STEWARD_JSON_FALSE) {
      return misfit(k, &place, "is not among the properties");
    }
    if (!fits(k, iRule, i + 1, &place)) return 0;
  }
  return 1;
}

static int fits_items(Validator *k, int iRule, int iValue,
                      const Place *pPlace) {
  const StewardJsonNode *a = k->v->aNode, *s = k->s->aNode;
  int bList = s[iRule].eType == STEWARD_JSON_ARRAY, i, iItem = iRule + bList;
  Place place = {pPlace, -1, 0};
  for (i = iValue + 1; i < a[iValue].iEnd; i = a[i].iEnd) {
    if (bList && iItem >= s[iRule].iEnd) break;
    if (!fits(k, iItem, i, &place)) return 0;
    if (bList) iItem = s[iItem].iEnd;
    place.iIndex++;
  }
  return 1;
}

static int fits_bound(Validator *k, int eKeyword, int iRule, int iValue,
                      const Place *pPlace) {
  int iOrder = json_number_compare(k->v, iValue, k->s, iRule);
  const StewardJsonNode *p = &k->s->aNode[iRule];
  static const char *const azBound[] = {"at least", "at most", "more than",
                                        "less than"};
  int bOk = eKeyword == KW_MINIMUM   ? iOrder >= 0
            : eKeyword == KW_MAXIMUM ? iOrder <= 0
            : eKeyword == KW_ABOVE   ? iOrder > 0
                                     : iOrder < 0;
  return bOk ||
         misfit(k, pPlace, "must be %s %.*s", azBound[eKeyword - KW_MINIMUM],
                p->nText, k->s->zText + p->iText);
}

/* A count against a minimum or maximum. */
static int fits_count(Validator *k, int bMost, i64 n, int iRule,
                      const char *zWhat, const Place *pPlace) {
  const StewardJsonNode *p = &k->s->aNode[iRule];
  char zCount[24];
  JsonDecimal x, y;
  int iOrder;
  sqlite3_snprintf(sizeof(zCount), zCount, "%lld", n);
  json_decimal_read(zCount, (int)strlen(zCount), &x);
  json_decimal(k->s, iRule, &y);
  iOrder = json_decimal_compare(&x, &y);
  if (bMost ? iOrder <= 0 : iOrder >= 0) return 1;
  return misfit(k, pPlace, "has %lld %s, %s are %.*s", n, zWhat,
                bMost ? "the most" : "the least", p->nText,
                k->s->zText + p->iText);
}

static int fits_length(Validator *k, int bMost, int iRule, int iValue,
                       const Place *pPlace) {
  int i, n;
  i64 nChar = 0;
  char *z = steward_json_text(k->c, k->v, iValue, &n);
  for (i = 0; z && i < n; i++) nChar += (z[i] & 0xc0) != 0x80;
  sqlite3_free(z);
  return fits_count(k, bMost, nChar, iRule, "characters", pPlace);
}

static int fits_pattern(Validator *k, int iRule, int iValue,
                        const Place *pPlace) {
  int nPattern, n, bOk = 0;
  char *zPattern = steward_json_text(k->c, k->s, iRule, &nPattern);
  char *z = steward_json_text(k->c, k->v, iValue, &n), *zWhy = NULL;
  void *pCode = z && zPattern
                    ? json_pattern_compile(k->c, zPattern, nPattern, &zWhy)
                    : NULL;
  if (pCode) bOk = json_pattern_match(k->c, pCode, z, n);
  if (!bOk) misfit(k, pPlace, "does not match '%.60s'", zPattern);
  json_pattern_free(pCode);
  sqlite3_free(zWhy);
  sqlite3_free(zPattern);
  sqlite3_free(z);
  return bOk;
}

static int fits_unique(Validator *k, int iValue, const Place *pPlace) {
  const StewardJsonNode *a = k->v->aNode;
  int i, m;
  if (a[iValue].nChild > UNIQUE_MAX) {
    return misfit(k, pPlace,
                  "has %d items, and uniqueItems compares %d at most",
                  a[iValue].nChild, UNIQUE_MAX);
  }
  for (i = iValue + 1; i < a[iValue].iEnd; i = a[i].iEnd) {
    for (m = iValue + 1; m < i; m = a[m].iEnd) {
      if (json_equal(k->c, k->v, i, k->v, m)) {
        return misfit(k, pPlace, "has the same item twice");
      }
    }
  }
  return 1;
}

/* anyOf, oneOf, allOf. */
static int fits_several(Validator *k, int eKeyword, int iRule, int iValue,
                        const Place *pPlace) {
  const StewardJsonNode *a = k->s->aNode;
  int i, nFit = 0;
  for (i = iRule + 1; i < a[iRule].iEnd; i = a[i].iEnd) {
    if (eKeyword == KW_ALL_OF) {
      if (!fits(k, i, iValue, pPlace)) return 0;
      continue;
    }
    k->nQuiet++;
    nFit += fits(k, i, iValue, pPlace);
    k->nQuiet--;
    if (nFit > 0 && eKeyword == KW_ANY_OF) return 1;
  }
  if (eKeyword == KW_ALL_OF || (eKeyword == KW_ONE_OF && nFit == 1)) return 1;
  return misfit(k, pPlace, "fits %d of the schemas in %s", nFit,
                azKeyword[eKeyword]);
}

static int fits_not(Validator *k, int iRule, int iValue, const Place *pPlace) {
  int bFit;
  k->nQuiet++;
  bFit = fits(k, iRule, iValue, pPlace);
  k->nQuiet--;
  return !bFit || misfit(k, pPlace, "fits the schema in not");
}

/* Rules for values of one type say nothing of others. */
static int fits_rule(Validator *k, int iSchema, int eKeyword, int iRule,
                     int iValue, const Place *pPlace) {
  const StewardJsonNode *p = &k->v->aNode[iValue];
  int bObject = p->eType == STEWARD_JSON_OBJECT;
  int bArray = p->eType == STEWARD_JSON_ARRAY;
  int bString = p->eType == STEWARD_JSON_STRING;
  switch (eKeyword) {
  case KW_TYPE: return fits_type(k, iRule, iValue, pPlace);
  case KW_ENUM: return fits_enum(k, iRule, iValue, pPlace);
  case KW_CONST:
    return json_equal(k->c, k->s, iRule, k->v, iValue) ||
           misfit(k, pPlace, "must be %.*s", k->s->aNode[iRule].nText,
                  k->s->zText + k->s->aNode[iRule].iText);
  case KW_REQUIRED: return !bObject || fits_required(k, iRule, iValue, pPlace);
  case KW_PROPERTIES:
    return !bObject || fits_properties(k, iRule, iValue, pPlace);
  case KW_ADDITIONAL:
    return !bObject || fits_additional(k, iSchema, iRule, iValue, pPlace);
  case KW_ITEMS: return !bArray || fits_items(k, iRule, iValue, pPlace);
  case KW_MINIMUM:
  case KW_MAXIMUM:
  case KW_ABOVE:
  case KW_BELOW:
    return p->eType != STEWARD_JSON_NUMBER ||
           fits_bound(k, eKeyword, iRule, iValue, pPlace);
  case KW_MIN_LENGTH:
  case KW_MAX_LENGTH:
    return !bString ||
           fits_length(k, eKeyword == KW_MAX_LENGTH, iRule, iValue, pPlace);
  case KW_MIN_ITEMS:
  case KW_MAX_ITEMS:
    return !bArray || fits_count(k, eKeyword == KW_MAX_ITEMS, p->nChild, iRule,
                                 "items", pPlace);
  case KW_MIN_PROPERTIES:
  case KW_MAX_PROPERTIES:
    return !bObject || fits_count(k, eKeyword == KW_MAX_PROPERTIES, p->nChild,
                                  iRule, "members", pPlace);
  case KW_UNIQUE:
    return !bArray || k->s->aNode[iRule].eType == STEWARD_JSON_FALSE ||
           fits_unique(k, iValue, pPlace);
  case KW_PATTERN: return !bString || fits_pattern(k, iRule, iValue, pPlace);
  case KW_ANY_OF:
  case KW_ONE_OF:
  case KW_ALL_OF: return fits_several(k, eKeyword, iRule, iValue, pPlace);
  case KW_NOT: return fits_not(k, iRule, iValue, pPlace);
  case KW_REF: return fits(k, json_resolve(k->c, k->s, iRule), iValue, pPlace);
  default: return 1;
  }
}

static int fits(Validator *k, int iSchema, int iValue, const Place *pPlace) {
  const StewardJsonNode *a = k->s->aNode;
  int i, bOk = 1;
  if (k->c->rc || iSchema < 0) return 0;
  if (a[iSchema].eType == STEWARD_JSON_FALSE) {
    return misfit(k, pPlace, "is allowed by no schema");
  }
  if (++k->nStep > STEPS_MAX) {
    steward_fail(k->c, STEWARD_VALIDATION_FAILED,
                 "the schema asks more than %d questions of this value: make "
                 "it simpler",
                 STEPS_MAX);
  } else if (++k->nDepth > DEPTH_MAX) {
    steward_fail(k->c, STEWARD_VALIDATION_FAILED,
                 "the value and its schema are nested too deeply, or $ref goes "
                 "in a circle");
  }
  if (a[iSchema].eType == STEWARD_JSON_OBJECT) {
    for (i = iSchema + 1; bOk && i < a[iSchema].iEnd; i = a[i + 1].iEnd) {
      int eKeyword = find_keyword(k->s, i);
      bOk = fits_rule(k, iSchema, eKeyword, i + 1, iValue, pPlace);
    }
  }
  k->nDepth--;
  return bOk && k->c->rc == SQLITE_OK;
}

/* Does the value fit?  If not, *pzWhy says where and why; the caller frees
** it. */
int json_schema_fits(StewardCall *c, const StewardJson *pSchema,
                     const StewardJson *pValue, char **pzWhy /* OUT */) {
  Validator validator = {.c = c, .s = pSchema, .v = pValue};
  int bOk = c->rc == SQLITE_OK && fits(&validator, 0, 0, NULL);
  *pzWhy = validator.zWhy;
  return bOk;
}
