/*
** json.c - SQL values as JSON, the same everywhere.
**
** A text becomes a string, an integer keeps its digits, a real gets as few
** digits as read back to the same number, and always a point or an exponent.
** What JSON cannot hold becomes an object: a BLOB is {"$blob":"<lower-case
** hex>"}, and so is a text that is not well-formed UTF-8, so that no byte is
** lost.  An infinite real is 9e999, which reads back as one.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steward_int.h"

/* Append z[0..n), well-formed UTF-8, as a JSON string. */
void steward_json_string(sqlite3_str *pOut, const char *z, int n) {
  static const char zPlain[] = "\"\\\b\f\n\r\t", zShort[] = "\"\\bfnrt";
  int i, iDone = 0;
  sqlite3_str_appendchar(pOut, 1, '"');
  for (i = 0; i < n; i++) {
    unsigned char ch = (unsigned char)z[i];
    const char *zFound;
    if (ch >= 0x20 && ch != '"' && ch != '\\') continue;
    sqlite3_str_append(pOut, z + iDone, i - iDone);
    iDone = i + 1;
    zFound = ch ? strchr(zPlain, ch) : NULL;
    if (zFound) {
      sqlite3_str_appendf(pOut, "\\%c", zShort[zFound - zPlain]);
    } else {
      sqlite3_str_appendf(pOut, "\\u%04x", ch);
    }
  }
  sqlite3_str_append(pOut, z + iDone, n - iDone);
  sqlite3_str_appendchar(pOut, 1, '"');
}

static void append_blob(sqlite3_str *pOut, const unsigned char *a, int n) {
  static const char zHex[] = "0123456789abcdef";
  int i;
  sqlite3_str_appendall(pOut, "{\"$blob\":\"");
  for (i = 0; i < n;) {
    char aPart[256];
    int nPart = 0;
    for (; i < n && nPart < (int)sizeof(aPart); i++) {
      aPart[nPart++] = zHex[a[i] >> 4];
      aPart[nPart++] = zHex[a[i] & 15];
    }
    sqlite3_str_append(pOut, aPart, nPart);
  }
  sqlite3_str_append(pOut, "\"}", 2);
}

/* C's own conversions round correctly, but write the locale's decimal point:
** whatever is no digit, sign or exponent becomes a point. */
static void append_real(sqlite3_str *pOut, double r) {
  char zNumber[48];
  int i, nDigits, bPlain = 1, bInPoint = 0;
  if (isinf(r)) {
    sqlite3_str_appendall(pOut, r < 0 ? "-9e999" : "9e999");
    return;
  }
  if (r > -1e15 && r < 1e15 && (double)(i64)r == r && !(r == 0 && signbit(r))) {
    sqlite3_str_appendf(pOut, "%lld.0", (i64)r);
    return;
  }
  for (nDigits = 15; nDigits <= 17; nDigits++) {
    snprintf(zNumber, sizeof(zNumber), "%.*g", nDigits, r);
    if (strtod(zNumber, NULL) == r) break;
  }
  for (i = 0; zNumber[i]; i++) {
    char ch = zNumber[i];
    if ((ch >= '0' && ch <= '9') || ch == '-' || ch == '+' || ch == 'e') {
      sqlite3_str_appendchar(pOut, 1, ch);
      if (ch == 'e') bPlain = 0;
      bInPoint = 0;
    } else {
      if (!bInPoint) sqlite3_str_appendchar(pOut, 1, '.');
      bInPoint = 1;
      bPlain = 0;
    }
  }
  if (bPlain) sqlite3_str_append(pOut, ".0", 2);
}

/* Append any value. */
void steward_json_value(StewardCall *c, sqlite3_str *pOut, sqlite3_value *v) {
  const unsigned char *z;
  int n;
  if (c->rc) return;
  switch (sqlite3_value_type(v)) {
  case SQLITE_NULL: sqlite3_str_append(pOut, "null", 4); break;
  case SQLITE_INTEGER:
    sqlite3_str_appendf(pOut, "%lld", sqlite3_value_int64(v));
    break;
  case SQLITE_FLOAT: append_real(pOut, sqlite3_value_double(v)); break;
  case SQLITE_BLOB:
    z = sqlite3_value_blob(v);
    n = sqlite3_value_bytes(v);
    if (z == NULL && n > 0) steward_fail_nomem(c);
    if (c->rc == SQLITE_OK) append_blob(pOut, z, n);
    break;
  default:
    z = sqlite3_value_text(v);
    n = sqlite3_value_bytes(v);
    if (z == NULL) {
      steward_fail_nomem(c);
    } else if (steward_utf8_ok(z, n)) {
      steward_json_string(pOut, (const char *)z, n);
    } else {
      append_blob(pOut, z, n);
    }
  }
}

static int hex_digit(char ch) {
  if (ch >= '0' && ch <= '9') return ch - '0';
  if (ch >= 'a' && ch <= 'f') return ch - 'a' + 10;
  if (ch >= 'A' && ch <= 'F') return ch - 'A' + 10;
  return -1;
}

/* Skip white space and then zWord; NULL when something else is there. */
static const char *skip_word(const char *z, const char *zEnd,
                             const char *zWord) {
  size_t n = strlen(zWord);
  while (z && z < zEnd && strchr(" \t\r\n", *z) && *z) z++;
  if (z == NULL || (size_t)(zEnd - z) < n || memcmp(z, zWord, n)) return NULL;
  return z + n;
}

/* Is z[0..n) the form {"$blob":"hex"}?  If so *ppBlob gets the bytes (caller
** frees) and the result is 1; 0 when it is another text.  One that begins like
** it and goes on wrongly is refused. */
int steward_json_blob(StewardCall *c, const char *z, int n,
                      unsigned char **ppBlob /* OUT */, int *pnBlob /* OUT */) {
  const char *zEnd = z + n, *zHex, *zRest;
  unsigned char *aBlob;
  int nHex = 0, i;
  *ppBlob = NULL;
  *pnBlob = 0;
  zRest = skip_word(skip_word(z, zEnd, "{"), zEnd, "\"$blob\"");
  if (c->rc || zRest == NULL) return 0;
  zHex = skip_word(skip_word(zRest, zEnd, ":"), zEnd, "\"");
  while (zHex && zHex + nHex < zEnd && hex_digit(zHex[nHex]) >= 0) nHex++;
  zRest = zHex && nHex % 2 == 0 ? skip_word(zHex + nHex, zEnd, "\"") : NULL;
  zRest = skip_word(skip_word(zRest, zEnd, "}"), zEnd, "");
  if (zRest != zEnd) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "a BLOB as JSON must read {\"$blob\":\"<hex digits, two a "
                 "byte>\"}, got %.*s",
                 n > 60 ? 60 : n, z);
    return 0;
  }
  aBlob = sqlite3_malloc64((sqlite3_uint64)nHex / 2 + 1);
  if (aBlob == NULL) {
    steward_fail_nomem(c);
    return 0;
  }
  for (i = 0; i < nHex; i += 2) {
    aBlob[i / 2] =
        (unsigned char)(hex_digit(zHex[i]) << 4 | hex_digit(zHex[i + 1]));
  }
  *ppBlob = aBlob;
  *pnBlob = nHex / 2;
  return 1;
}

/* End pOut; the text, which the caller frees, or NULL when the call failed. */
char *steward_str_finish(StewardCall *c, sqlite3_str *pOut) {
  int rc = sqlite3_str_errcode(pOut);
  char *z = sqlite3_str_finish(pOut);
  if (z == NULL && rc == SQLITE_OK) z = sqlite3_mprintf("%s", ""); /* empty */
  if (c->rc == SQLITE_OK && rc == SQLITE_TOOBIG) {
    steward_fail_rc(c, rc, "the result is larger than a value may be");
  } else if (c->rc == SQLITE_OK && (rc || z == NULL)) {
    steward_fail_nomem(c);
  }
  if (c->rc) {
    sqlite3_free(z);
    z = NULL;
  }
  return z;
}

/* A JSON text that is no array as an SQL value: {"$blob":"hex"} is a BLOB, true
** is 1.  Caller frees; NULL when the call has failed. */
sqlite3_value *steward_json_scalar(StewardCall *c, const char *zJson) {
  unsigned char *aBlob = NULL;
  sqlite3_value *pValue = NULL;
  sqlite3_stmt *pStmt;
  int nBlob = 0, rc = SQLITE_OK;
  steward_json_blob(c, zJson, (int)strlen(zJson), &aBlob, &nBlob);
  pStmt = steward_take(c, SQL_json_scalar);
  if (pStmt && aBlob) {
    rc = sqlite3_bind_blob(pStmt, 2, aBlob, nBlob, SQLITE_STATIC);
  } else if (pStmt) {
    rc = sqlite3_bind_text(pStmt, 1, zJson, -1, SQLITE_STATIC);
  }
  if (rc) steward_fail_db(c, rc);
  if (steward_next(c, pStmt)) {
    if (sqlite3_column_int(pStmt, 1)) {
      steward_fail(
          c, STEWARD_INVALID_ARGUMENT,
          "expected a number, a text or {\"$blob\":\"hex\"}, got %.60s", zJson);
    } else {
      pValue = sqlite3_value_dup(sqlite3_column_value(pStmt, 0));
      if (pValue == NULL) steward_fail_nomem(c);
    }
  }
  steward_give(c, SQL_json_scalar, pStmt);
  sqlite3_free(aBlob);
  return pValue;
}
