/*
** json_compare.c - what validating a JSON value rests on: numbers by all their
** digits, equality, regular expressions, places in a document.
*/
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "json_schema.h"

enum { STEPS_MAX = 100000 };

/*************************************************************************
** Numbers, by their digits
*/
static i64 read_exponent(const char *z, const char *zEnd) {
  int bNegative = z < zEnd && *z == '-';
  i64 i = 0;
  if (z < zEnd && (*z == '-' || *z == '+')) z++;
  for (; z < zEnd; z++) {
    if (i < 1000000000000LL) i = i * 10 + (*z - '0');
  }
  return bNegative ? -i : i;
}

/* Read a JSON number; 0 has z == zEnd. */
void json_decimal_read(const char *z, int n, JsonDecimal *p) {
  const char *zEnd = z + n, *zExp = z, *zPoint = NULL;
  i64 iPlace;
  memset(p, 0, sizeof(*p));
  p->bNegative = *z == '-';
  if (*z == '-') z++;
  while (zExp < zEnd && *zExp != 'e' && *zExp != 'E') {
    if (*zExp == '.') zPoint = zExp;
    zExp++;
  }
  iPlace = (zPoint ? zPoint : zExp) - z - 1;
  if (zExp < zEnd) iPlace += read_exponent(zExp + 1, zEnd);
  p->zEnd = zExp;
  for (; z < zExp && (*z == '0' || *z == '.'); z++) iPlace -= *z == '0';
  p->z = z;
  p->iHigh = p->iLow = iPlace;
  for (; z < zExp; z++) {
    if (*z == '.') continue;
    if (*z != '0') p->iLow = iPlace;
    iPlace--;
  }
  if (p->z == p->zEnd) p->bNegative = 0;
}

static int next_digit(const char **pz, const char *zEnd) {
  if (*pz < zEnd && **pz == '.') (*pz)++;
  return *pz < zEnd ? *(*pz)++ - '0' : 0;
}

/* <0, 0, >0 */
int json_decimal_compare(const JsonDecimal *a, const JsonDecimal *b) {
  int bA = a->z < a->zEnd, bB = b->z < b->zEnd; /* not 0 */
  int iSign = a->bNegative ? -1 : 1;
  const char *zA = a->z, *zB = b->z;
  if (!bA || !bB || a->bNegative != b->bNegative) {
    int iA = bA ? iSign : 0, iB = bB ? (b->bNegative ? -1 : 1) : 0;
    return iA - iB;
  }
  if (a->iHigh != b->iHigh) return a->iHigh > b->iHigh ? iSign : -iSign;
  while (zA < a->zEnd || zB < b->zEnd) {
    int iA = next_digit(&zA, a->zEnd), iB = next_digit(&zB, b->zEnd);
    if (iA != iB) return iA > iB ? iSign : -iSign;
  }
  return 0;
}

void json_decimal(const StewardJson *t, int i, JsonDecimal *p) {
  json_decimal_read(t->zText + t->aNode[i].iText, t->aNode[i].nText, p);
}

int json_number_compare(const StewardJson *a, int i, const StewardJson *b,
                        int k) {
  JsonDecimal x, y;
  json_decimal(a, i, &x);
  json_decimal(b, k, &y);
  return json_decimal_compare(&x, &y);
}

/* 1.0 is whole, too. */
int json_whole(const StewardJson *t, int i) {
  JsonDecimal x;
  if (t->aNode[i].eType != STEWARD_JSON_NUMBER) return 0;
  json_decimal(t, i, &x);
  return x.z == x.zEnd || x.iLow >= 0;
}

/*************************************************************************
** Equality
*/

static int strings_equal(StewardCall *c, const StewardJson *a, int i,
                         const StewardJson *b, int k) {
  int nA, nB, bEqual;
  char *zA = steward_json_text(c, a, i, &nA);
  char *zB = steward_json_text(c, b, k, &nB);
  bEqual = zA && zB && nA == nB && memcmp(zA, zB, (size_t)nA) == 0;
  sqlite3_free(zA);
  sqlite3_free(zB);
  return bEqual;
}

/* The value of the member of object iObject with the name of node iName; 0
** when there is none. */
int json_same_member(StewardCall *c, const StewardJson *t, int iObject,
                     const StewardJson *n, int iName) {
  int nText, iFound = 0;
  char *z = steward_json_text(c, n, iName, &nText);
  if (z) iFound = steward_json_member(t, iObject, z);
  sqlite3_free(z);
  return iFound;
}

int json_equal(StewardCall *c, const StewardJson *a, int i,
               const StewardJson *b, int k) {
  const StewardJsonNode *x = &a->aNode[i], *y = &b->aNode[k];
  int m, w;
  if (x->eType != y->eType || x->nChild != y->nChild) return 0;
  switch (x->eType) {
  case STEWARD_JSON_NUMBER: return json_number_compare(a, i, b, k) == 0;
  case STEWARD_JSON_STRING: return strings_equal(c, a, i, b, k);
  case STEWARD_JSON_ARRAY:
    for (m = i + 1, w = k + 1; m < x->iEnd; m = a->aNode[m].iEnd) {
      if (!json_equal(c, a, m, b, w)) return 0;
      w = b->aNode[w].iEnd;
    }
    return 1;
  case STEWARD_JSON_OBJECT:
    for (m = i + 1; m < x->iEnd; m = a->aNode[m + 1].iEnd) {
      w = json_same_member(c, b, k, a, m);
      if (w == 0 || !json_equal(c, a, m + 1, b, w)) return 0;
    }
    return 1;
  default: return 1;
  }
}

/*************************************************************************
** Patterns
*/

void json_pattern_free(void *pCode) {
  pcre2_code_free(pCode);
}

static void *pattern_malloc(size_t n, void *pUnused) {
  return sqlite3_malloc64(n);
}

static void pattern_free(void *p, void *pUnused) {
  sqlite3_free(p);
}

/* Compile a pattern; NULL with a text in *pzWhy, or without memory. */
void *json_pattern_compile(StewardCall *c, const char *z, int n,
                           char **pzWhy /* OUT */) {
  pcre2_general_context *pMemory =
      pcre2_general_context_create(pattern_malloc, pattern_free, NULL);
  pcre2_compile_context *pContext = pcre2_compile_context_create(pMemory);
  pcre2_code *pCode = NULL;
  int iError = 0;
  PCRE2_SIZE iOffset = 0;
  *pzWhy = NULL;
  if (pContext) {
    pCode = pcre2_compile((PCRE2_SPTR)z, (size_t)n,
                          PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX |
                              PCRE2_NEVER_BACKSLASH_C,
                          &iError, &iOffset, pContext);
  }
  if (pContext == NULL ||
      (pCode == NULL && iError == PCRE2_ERROR_HEAP_FAILED)) {
    steward_fail_nomem(c);
  } else if (pCode == NULL) {
    PCRE2_UCHAR zMessage[120];
    pcre2_get_error_message(iError, zMessage, sizeof(zMessage));
    *pzWhy = steward_mprintf(c, "%s at character %d", (char *)zMessage,
                             (int)iOffset);
  }
  pcre2_compile_context_free(pContext);
  pcre2_general_context_free(pMemory);
  return pCode;
}

/* Does the text match?  A text that takes too long does not. */
int json_pattern_match(StewardCall *c, const void *pCode, const char *z,
                       int n) {
  pcre2_general_context *pMemory =
      pcre2_general_context_create(pattern_malloc, pattern_free, NULL);
  pcre2_match_context *pContext = pcre2_match_context_create(pMemory);
  pcre2_match_data *pData = pcre2_match_data_create(1, pMemory);
  int rc = PCRE2_ERROR_NOMEMORY;
  if (pContext && pData) {
    pcre2_set_match_limit(pContext, STEPS_MAX);
    pcre2_set_depth_limit(pContext, STEPS_MAX);
    rc = pcre2_match(pCode, (PCRE2_SPTR)z, (size_t)n, 0, 0, pData, pContext);
  }
  if (rc == PCRE2_ERROR_NOMEMORY) steward_fail_nomem(c);
  pcre2_match_data_free(pData);
  pcre2_match_context_free(pContext);
  pcre2_general_context_free(pMemory);
  return rc >= 0;
}

/*************************************************************************
** References
*/

/* One step of a pointer, unescaped in place: %25 and ~1; the next one. */
static char *pointer_step(char *z) {
  char *zOut = z;
  for (; *z && *z != '/'; z++) {
    if (z[0] == '~' && (z[1] == '0' || z[1] == '1')) {
      *zOut++ = z[1] == '0' ? '~' : '/';
      z++;
    } else {
      *zOut++ = *z;
    }
  }
  if (*z)
    z++;
  else
    z = NULL;
  *zOut = 0;
  return z;
}

/* %25 means a percent sign; in place. */
static void decode_percent(char *z) {
  static const char zHex[] = "0123456789abcdef0123456789ABCDEF";
  char *zOut = z;
  for (; *z; z++) {
    const char *zHigh = z[0] == '%' && z[1] ? strchr(zHex, z[1]) : NULL;
    const char *zLow = zHigh && z[2] ? strchr(zHex, z[2]) : NULL;
    if (zLow) {
      *zOut++ = (char)((zHigh - zHex) % 16 * 16 + (zLow - zHex) % 16);
      z += 2;
    } else {
      *zOut++ = *z;
    }
  }
  *zOut = 0;
}

/* The child of node iNode that a step names; -1 when there is none. */
static int child(const StewardJson *s, int iNode, const char *zStep) {
  const StewardJsonNode *p = &s->aNode[iNode];
  int i, iIndex = 0, iFound;
  if (p->eType == STEWARD_JSON_OBJECT) {
    iFound = steward_json_member(s, iNode, zStep);
    return iFound ? iFound : -1;
  }
  if (p->eType != STEWARD_JSON_ARRAY || zStep[0] == 0) return -1;
  for (i = 0; zStep[i]; i++) {
    if (zStep[i] < '0' || zStep[i] > '9' || iIndex > 1000000) return -1;
    iIndex = iIndex * 10 + (zStep[i] - '0');
  }
  for (i = iNode + 1; i < p->iEnd && iIndex > 0; i = s->aNode[i].iEnd) {
    iIndex--;
  }
  return i < p->iEnd ? i : -1;
}

/* The node that a $ref like #/$defs/a~1b means; -1 when there is none. */
int json_resolve(StewardCall *c, const StewardJson *s, int iRef) {
  int n, iNode = 0;
  char *zRef = steward_json_text(c, s, iRef, &n), *z = zRef;
  if (z == NULL || z[0] != '#' || (z[1] && z[1] != '/')) iNode = -1;
  if (z) decode_percent(z);
  z = iNode == 0 && z[1] ? z + 2 : NULL;
  while (z && iNode >= 0) {
    char *zStep = z;
    z = pointer_step(z);
    iNode = child(s, iNode, zStep);
  }
  sqlite3_free(zRef);
  return iNode;
}
