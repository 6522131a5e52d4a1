/*
** args.c - the arguments of verbs: types, ranges, and texts that say which.
**
** A writing verb refuses NULL; a number may come as text ('42'), as bindings
** of untyped languages do; text must be UTF-8 without NUL.
*/
#include <string.h>

#include "steward_int.h"

/* Is z[0..n) well-formed UTF-8?  Overlong forms and surrogates are not. */
int steward_utf8_ok(const unsigned char *z, int n) {
  int i = 0;
  while (i < n) {
    unsigned int ch = z[i++];
    unsigned int nMore, iMin;
    if (ch < 0x80) continue;
    if (ch >= 0xc2 && ch <= 0xdf) {
      nMore = 1, ch &= 0x1f, iMin = 0x80;
    } else if (ch >= 0xe0 && ch <= 0xef) {
      nMore = 2, ch &= 0x0f, iMin = 0x800;
    } else if (ch >= 0xf0 && ch <= 0xf4) {
      nMore = 3, ch &= 0x07, iMin = 0x10000;
    } else {
      return 0;
    }
    while (nMore-- > 0) {
      if (i >= n || (z[i] & 0xc0) != 0x80) return 0;
      ch = (ch << 6) | (z[i++] & 0x3f);
    }
    if (ch < iMin || ch > 0x10ffff || (ch >= 0xd800 && ch <= 0xdfff)) {
      return 0;
    }
  }
  return 1;
}

/* A short form of v for an error text; caller frees. */
char *steward_quote_value(StewardCall *c, sqlite3_value *v) {
  switch (sqlite3_value_type(v)) {
  case SQLITE_NULL: return steward_mprintf(c, "NULL");
  case SQLITE_BLOB:
    return steward_mprintf(c, "a BLOB of %d bytes", sqlite3_value_bytes(v));
  case SQLITE_TEXT: {
    const unsigned char *z = sqlite3_value_text(v);
    int n = sqlite3_value_bytes(v);
    if (z == NULL) {
      steward_fail_nomem(c);
      return NULL;
    }
    if (!steward_utf8_ok(z, n)) return steward_mprintf(c, "malformed text");
    if (n > 40) return steward_mprintf(c, "a text of %d bytes", n);
    return steward_mprintf(c, "'%s'", z);
  }
  default: {
    const unsigned char *z = sqlite3_value_text(v);
    if (z == NULL) steward_fail_nomem(c);
    return steward_mprintf(c, "%s", z);
  }
  }
}

/* "zName must be zWanted, got <value>". */
void steward_fail_argument(StewardCall *c, sqlite3_value *v, const char *zName,
                           const char *zWanted) {
  char *zGot = steward_quote_value(c, v);
  steward_fail(c, STEWARD_INVALID_ARGUMENT, "%s must be %s, got %s", zName,
               zWanted, zGot);
  sqlite3_free(zGot);
}

/* A non-empty text of at most nMax bytes.  The pointer lives as long as the
** value; NULL when the call has failed. */
const char *steward_arg_text(StewardCall *c, sqlite3_value *v,
                             const char *zName, int nMax) {
  const char *z;
  int n;
  if (c->rc) return NULL;
  if (sqlite3_value_type(v) != SQLITE_TEXT) {
    steward_fail_argument(c, v, zName, "text");
    return NULL;
  }
  z = (const char *)sqlite3_value_text(v);
  n = sqlite3_value_bytes(v);
  if (z == NULL) {
    steward_fail_nomem(c);
  } else if (n == 0) {
    steward_fail_argument(c, v, zName, "a text that is not empty");
  } else if (n > nMax) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "%s must be at most %d bytes, got %d: shorten it", zName, nMax,
                 n);
  } else if ((int)strlen(z) != n) {
    steward_fail_argument(c, v, zName, "a text without NUL characters");
  } else if (!steward_utf8_ok((const unsigned char *)z, n)) {
    steward_fail_argument(c, v, zName, "well-formed UTF-8");
  }
  return c->rc ? NULL : z;
}

/* Is it a whole number?  Languages that know only doubles (JavaScript) bind 7
** as 7.0: that counts up to 2^53, where doubles are exact. */
int steward_is_integer(sqlite3_value *v, i64 *piValue /* OUT */) {
  int bReal = sqlite3_value_type(v) == SQLITE_FLOAT;
  double r;
  if (sqlite3_value_numeric_type(v) == SQLITE_INTEGER) {
    *piValue = sqlite3_value_int64(v);
    return 1;
  }
  if (!bReal) return 0; /* text like '1e3' is no whole number */
  r = sqlite3_value_double(v);
  if (r < -9007199254740992.0 || r > 9007199254740992.0) return 0;
  *piValue = (i64)r;
  return (double)*piValue == r;
}

/* An integer within iMin..iMax. */
i64 steward_arg_int(StewardCall *c, sqlite3_value *v, const char *zName,
                    i64 iMin, i64 iMax) {
  i64 iValue;
  if (c->rc) return 0;
  if (!steward_is_integer(v, &iValue)) {
    steward_fail_argument(c, v, zName, "an integer");
    return 0;
  }
  if (iValue < iMin || iValue > iMax) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "%s must be within %lld..%lld, got %lld", zName, iMin, iMax,
                 iValue);
    return 0; /* nobody is to calculate with it */
  }
  return iValue;
}

/* Milliseconds: an integer, or a duration such as '15m'. */
i64 steward_arg_time(StewardCall *c, sqlite3_value *v, const char *zName) {
  i64 iMs = 0;
  if (c->rc) return 0;
  if (steward_is_integer(v, &iMs)) return iMs;
  if (sqlite3_value_type(v) != SQLITE_TEXT ||
      steward_duration((const char *)sqlite3_value_text(v),
                       sqlite3_value_bytes(v), &iMs)) {
    steward_fail_argument(c, v, zName, "milliseconds or a duration like '15m'");
  }
  return iMs;
}

/* A number; infinities are refused (NaN is NULL in SQLite). */
double steward_arg_real(StewardCall *c, sqlite3_value *v, const char *zName) {
  double r;
  int eType;
  if (c->rc) return 0.0;
  eType = sqlite3_value_numeric_type(v);
  r = sqlite3_value_double(v);
  if ((eType != SQLITE_INTEGER && eType != SQLITE_FLOAT) || r - r != 0.0) {
    steward_fail_argument(c, v, zName, "a finite number");
  }
  return r;
}

/* A payload keeps its type; only NULL is refused. */
void steward_arg_payload(StewardCall *c, sqlite3_value *v, const char *zName) {
  if (c->rc == SQLITE_OK && sqlite3_value_type(v) == SQLITE_NULL) {
    steward_fail_argument(c, v, zName, "a value");
  }
}
