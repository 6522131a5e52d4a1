/*
** options.c - the last, JSON, argument of verbs: one table per verb.
**
** A verb fills its struct with the defaults and hands over the table; the
** struct comes back with what the caller said, or the call has failed with a
** text that names the option, the value and what would be right.  The same
** tables feed the table steward_options.
*/
#include <assert.h>
#include <string.h>

#include "steward_int.h"

/* How a value should have looked; caller frees. */
static char *option_wanted(StewardCall *c, const StewardOption *o) {
  switch (o->eType) {
  case STEWARD_OPT_INT:
    return steward_mprintf(c, "an integer within %lld..%lld", o->iMin, o->iMax);
  case STEWARD_OPT_BOOL: return steward_mprintf(c, "true or false");
  case STEWARD_OPT_DURATION:
    return steward_mprintf(
        c, "milliseconds or a duration like '15m', within %lld..%lld ms",
        o->iMin, o->iMax);
  case STEWARD_OPT_TEXT: return steward_mprintf(c, "text");
  case STEWARD_OPT_WORD: return steward_mprintf(c, "one of %s", o->zWords);
  default: return steward_mprintf(c, "JSON");
  }
}

static void fail_option(StewardCall *c, const StewardOption *o,
                        sqlite3_value *pGot) {
  char *zWanted = option_wanted(c, o);
  char *zGot = steward_quote_value(c, pGot);
  steward_fail(c, STEWARD_INVALID_ARGUMENT, "option %s must be %s, got %s",
               o->zName, zWanted, zGot);
  sqlite3_free(zWanted);
  sqlite3_free(zGot);
}

/* Place of zWord in "a|b|c", or -1. */
static int word_index(const char *zWords, const char *zWord) {
  int i = 0;
  size_t n = strlen(zWord);
  while (zWords) {
    const char *zEnd = strchr(zWords, '|');
    size_t nHere = zEnd ? (size_t)(zEnd - zWords) : strlen(zWords);
    if (nHere == n && memcmp(zWords, zWord, n) == 0) return i;
    zWords = zEnd ? zEnd + 1 : NULL;
    i++;
  }
  return -1;
}

/* Read an integer-valued option; 0 when the value does not fit. */
static int option_integer(const StewardOption *o, const char *zJsonType,
                          sqlite3_value *v, i64 *piOut) {
  int bInt = strcmp(zJsonType, "integer") == 0;
  int bText = strcmp(zJsonType, "text") == 0;
  const char *z = (const char *)sqlite3_value_text(v);
  int n = sqlite3_value_bytes(v);
  *piOut = sqlite3_value_int64(v);
  switch (o->eType) {
  case STEWARD_OPT_BOOL: /* json_each gives true and false as 1 and 0 */
    return (bInt || strcmp(zJsonType, "true") == 0 ||
            strcmp(zJsonType, "false") == 0) &&
           (*piOut == 0 || *piOut == 1);
  case STEWARD_OPT_WORD:
    *piOut = bText && z ? word_index(o->zWords, z) : -1;
    return *piOut >= 0;
  case STEWARD_OPT_DURATION:
    if (bText && (z == NULL || steward_duration(z, n, piOut))) return 0;
    return (bInt || bText) && *piOut >= o->iMin && *piOut <= o->iMax;
  default: return bInt && *piOut >= o->iMin && *piOut <= o->iMax;
  }
}

/* Store one option; the row is key, value, type as json_each gives them. */
static void set_option(StewardCall *c, const StewardOption *o,
                       sqlite3_stmt *pRow, void *pOut) {
  void *pField = (char *)pOut + o->iOffset;
  sqlite3_value *v = sqlite3_column_value(pRow, 1);
  const char *zJsonType = (const char *)sqlite3_column_text(pRow, 2);
  if (zJsonType == NULL) {
    steward_fail_nomem(c);
  } else if (strcmp(zJsonType, "null") == 0) {
    return; /* as if absent */
  } else if (o->eType == STEWARD_OPT_TEXT || o->eType == STEWARD_OPT_JSON) {
    int bText = strcmp(zJsonType, "text") == 0;
    const char *z = (const char *)sqlite3_column_text(pRow, 3);
    if (o->eType == STEWARD_OPT_TEXT) {
      z = (const char *)sqlite3_value_text(v);
      if (!bText) fail_option(c, o, v);
    }
    if (z == NULL) steward_fail_nomem(c);
    sqlite3_free(*(char **)pField);
    *(char **)pField = steward_mprintf(c, "%s", z);
  } else {
    i64 iValue;
    if (!option_integer(o, zJsonType, v, &iValue)) {
      fail_option(c, o, v);
    } else {
      *(i64 *)pField = iValue;
    }
  }
}

static void fail_unknown(StewardCall *c, const char *zKey,
                         const StewardOption *aOption, int nOption) {
  const char *azKnown[40];
  const char *zNear;
  int i;
  for (i = 0; i < nOption && i < ArraySize(azKnown); i++) {
    azKnown[i] = aOption[i].zName;
  }
  zNear = steward_nearest(zKey, azKnown, i);
  if (zNear) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "unknown option '%s': did you mean '%s'?", zKey, zNear);
  } else {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "unknown option '%s': SELECT * FROM steward_options WHERE "
                 "function='%s' lists them",
                 zKey, c->zFunc);
  }
}

/* One row of json_each: find the option and store it. */
static void take_option(StewardCall *c, sqlite3_stmt *pRow,
                        const StewardOption *aOption, int nOption,
                        unsigned *pmSeen, void *pOut) {
  const char *zKey = (const char *)sqlite3_column_text(pRow, 0);
  int i;
  if (zKey == NULL) {
    steward_fail_nomem(c);
    return;
  }
  for (i = 0; i < nOption && strcmp(zKey, aOption[i].zName); i++) {
  }
  if (i == nOption) {
    fail_unknown(c, zKey, aOption, nOption);
  } else if (*pmSeen & (1u << i)) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT, "option %s is given twice", zKey);
  } else {
    *pmSeen |= 1u << i;
    set_option(c, &aOption[i], pRow, pOut);
  }
}

/* JSON functions stop at a NUL and pass malformed UTF-8 on: not here. */
static int well_formed(sqlite3_value *v) {
  const unsigned char *z;
  size_t n;
  if (sqlite3_value_type(v) != SQLITE_TEXT) return 0;
  z = sqlite3_value_text(v);
  n = (size_t)sqlite3_value_bytes(v);
  return z && strlen((const char *)z) == n && steward_utf8_ok(z, (int)n);
}

/* Read v, a JSON object or NULL, into the struct pOut. */
void steward_options(StewardCall *c, sqlite3_value *v,
                     const StewardOption *aOption, int nOption, void *pOut) {
  sqlite3_stmt *pRow;
  unsigned mSeen = 0; /* a bit for each option */
  assert(nOption <= 32);
  if (c->rc || v == NULL || sqlite3_value_type(v) == SQLITE_NULL) return;
  if (!well_formed(v) ||
      steward_int(c, SQL_options_is_object, 0, "v", v) == 0) {
    char *zGot = steward_quote_value(c, v);
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "options must be a JSON object like '{\"%s\":...}', got %s",
                 nOption ? aOption[0].zName : "name", zGot);
    sqlite3_free(zGot);
    return;
  }
  pRow = steward_query(c, SQL_options_each, "v", v);
  while (steward_next(c, pRow)) {
    take_option(c, pRow, aOption, nOption, &mSeen, pOut);
  }
  steward_give(c, SQL_options_each, pRow);
}

/* Free the texts of a struct that steward_options() filled. */
void steward_options_free(const StewardOption *aOption, int nOption,
                          void *pOut) {
  int i;
  for (i = 0; i < nOption; i++) {
    if (aOption[i].eType == STEWARD_OPT_TEXT ||
        aOption[i].eType == STEWARD_OPT_JSON) {
      char **pz = (char **)((char *)pOut + aOption[i].iOffset);
      sqlite3_free(*pz);
      *pz = NULL;
    }
  }
}
