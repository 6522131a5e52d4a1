/*
** json.c - SQL values as JSON, the same everywhere.
**
** A text becomes a string, an integer keeps its digits, a real gets as few
** digits as read back to the same number, and always a point or an exponent.
** What JSON cannot hold becomes an object: a BLOB is {"$blob":"<lower-case
** hex>"}, and so is a text that is not well-formed UTF-8, so that no byte is
** lost.  An infinite real is 9e999, which reads back as one.
*/
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steward_int.h"

static const char zTooBig[] = "the result is larger than a value may be";

/*************************************************************************
** Buffers: what sqlite3_str does, for many small pieces
*/

/* Room for n more bytes; 0 when the call has failed. */
static int room(StewardCall *c, StewardBuffer *p, size_t n) {
  size_t nAlloc = p->nAlloc ? p->nAlloc : 256;
  char *zNew;
  if (c->rc) return 0;
  if (p->n + n <= p->nAlloc) return 1;
  while (nAlloc < p->n + n) nAlloc *= 2;
  zNew = sqlite3_realloc64(p->z, nAlloc);
  if (zNew == NULL) {
    steward_fail_nomem(c);
    return 0;
  }
  p->z = zNew;
  p->nAlloc = nAlloc;
  return 1;
}

void steward_buffer_reserve(StewardCall *c, StewardBuffer *p, size_t n) {
  room(c, p, n);
}

void steward_buffer_add(StewardCall *c, StewardBuffer *p, const char *z,
                        size_t n) {
  if (!room(c, p, n)) return;
  memcpy(p->z + p->n, z, n);
  p->n += n;
}

void steward_buffer_free(StewardBuffer *p) {
  sqlite3_free(p->z);
  memset(p, 0, sizeof(*p));
}

/* Make it the function's result, as JSON, and empty the buffer. */
void steward_buffer_result(sqlite3_context *ctx, StewardBuffer *p) {
  sqlite3_result_text64(ctx, p->z, p->n, sqlite3_free, SQLITE_UTF8);
  sqlite3_result_subtype(ctx, 'J');
  memset(p, 0, sizeof(*p));
}

/*************************************************************************
** Values
*/

/* What stands for a byte within a JSON string; its length. */
static size_t escape(unsigned char ch, char *zOut /* OUT, 6 bytes */) {
  static const char zPlain[] = "\"\\\b\f\n\r\t", zShort[] = "\"\\bfnrt";
  static const char zHex[] = "0123456789abcdef";
  const char *zFound = ch ? strchr(zPlain, ch) : NULL;
  zOut[0] = '\\';
  if (zFound) {
    zOut[1] = zShort[zFound - zPlain];
    return 2;
  }
  memcpy(zOut + 1, "u00", 3);
  zOut[4] = zHex[ch >> 4];
  zOut[5] = zHex[ch & 15];
  return 6;
}

/* Append a text as a JSON string, or null when it is no UTF-8. */
void steward_json_string_or_null(sqlite3_str *pOut, const char *z) {
  int n = (int)strlen(z);
  if (steward_utf8_ok((const unsigned char *)z, n)) {
    steward_json_string(pOut, z, n);
  } else {
    sqlite3_str_appendall(pOut, "null");
  }
}

/* Append z[0..n), well-formed UTF-8, as a JSON string. */
static void add_string(StewardCall *c, StewardBuffer *p, const char *z,
                       size_t n) {
  size_t i, iDone = 0;
  if (!room(c, p, n + 2)) return;
  p->z[p->n++] = '"';
  for (i = 0; i < n; i++) {
    unsigned char ch = (unsigned char)z[i];
    char zEscape[6];
    if (ch >= 0x20 && ch != '"' && ch != '\\') continue;
    steward_buffer_add(c, p, z + iDone, i - iDone);
    steward_buffer_add(c, p, zEscape, escape(ch, zEscape));
    iDone = i + 1;
  }
  steward_buffer_add(c, p, z + iDone, n - iDone);
  steward_buffer_add(c, p, "\"", 1);
}

static void add_blob(StewardCall *c, StewardBuffer *p, const unsigned char *a,
                     int n) {
  static const char zHex[] = "0123456789abcdef";
  int i;
  steward_buffer_add(c, p, "{\"$blob\":\"", 10);
  if (!room(c, p, 2 * (size_t)n + 2)) return;
  for (i = 0; i < n; i++) {
    p->z[p->n++] = zHex[a[i] >> 4];
    p->z[p->n++] = zHex[a[i] & 15];
  }
  steward_buffer_add(c, p, "\"}", 2);
}

static void add_integer(StewardCall *c, StewardBuffer *p, i64 i) {
  char z[24];
  size_t k = sizeof(z);
  uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
  do {
    z[--k] = (char)('0' + u % 10);
    u /= 10;
  } while (u);
  if (i < 0) z[--k] = '-';
  steward_buffer_add(c, p, z + k, sizeof(z) - k);
}

/* C's own conversions round correctly, but write the locale's decimal point:
** whatever is no digit, sign or exponent becomes a point. */
static void add_real(StewardCall *c, StewardBuffer *p, double r) {
  char zNumber[48];
  int i, nDigits, bPlain = 1, bInPoint = 0;
  if (isinf(r)) {
    steward_buffer_add(c, p, r < 0 ? "-9e999" : "9e999", r < 0 ? 6 : 5);
    return;
  }
  if (r > -1e15 && r < 1e15 && (double)(i64)r == r && !(r == 0 && signbit(r))) {
    add_integer(c, p, (i64)r);
    steward_buffer_add(c, p, ".0", 2);
    return;
  }
  for (nDigits = 15; nDigits <= 17; nDigits++) {
    snprintf(zNumber, sizeof(zNumber), "%.*g", nDigits, r);
    if (strtod(zNumber, NULL) == r) break;
  }
  for (i = 0; zNumber[i]; i++) {
    char ch = zNumber[i];
    if ((ch >= '0' && ch <= '9') || ch == '-' || ch == '+' || ch == 'e') {
      steward_buffer_add(c, p, &ch, 1);
      if (ch == 'e') bPlain = 0;
      bInPoint = 0;
    } else {
      if (!bInPoint) steward_buffer_add(c, p, ".", 1);
      bInPoint = 1;
      bPlain = 0;
    }
  }
  if (bPlain) steward_buffer_add(c, p, ".0", 2);
}

/* Append any value. */
void steward_buffer_json(StewardCall *c, StewardBuffer *p, sqlite3_value *v) {
  const unsigned char *z;
  int n;
  if (c->rc) return;
  switch (sqlite3_value_type(v)) {
  case SQLITE_NULL: steward_buffer_add(c, p, "null", 4); break;
  case SQLITE_INTEGER: add_integer(c, p, sqlite3_value_int64(v)); break;
  case SQLITE_FLOAT: add_real(c, p, sqlite3_value_double(v)); break;
  case SQLITE_BLOB:
    z = sqlite3_value_blob(v);
    n = sqlite3_value_bytes(v);
    if (z == NULL && n > 0) steward_fail_nomem(c);
    if (c->rc == SQLITE_OK) add_blob(c, p, z, n);
    break;
  default:
    z = sqlite3_value_text(v);
    n = sqlite3_value_bytes(v);
    if (z == NULL) {
      steward_fail_nomem(c);
    } else if (steward_utf8_ok(z, n)) {
      add_string(c, p, (const char *)z, (size_t)n);
    } else {
      add_blob(c, p, z, n);
    }
  }
}

/* The same to the end of a sqlite3_str. */
void steward_json_value(StewardCall *c, sqlite3_str *pOut, sqlite3_value *v) {
  StewardBuffer buffer = {0};
  steward_buffer_json(c, &buffer, v);
  if (buffer.n > INT_MAX) {
    steward_fail_rc(c, SQLITE_TOOBIG, "%s", zTooBig);
  } else if (c->rc == SQLITE_OK) {
    sqlite3_str_append(pOut, buffer.z, (int)buffer.n);
  }
  steward_buffer_free(&buffer);
}

/* Append z[0..n), well-formed UTF-8, as a JSON string. */
void steward_json_string(sqlite3_str *pOut, const char *z, int n) {
  int i, iDone = 0;
  sqlite3_str_appendchar(pOut, 1, '"');
  for (i = 0; i < n; i++) {
    unsigned char ch = (unsigned char)z[i];
    char zEscape[6];
    if (ch >= 0x20 && ch != '"' && ch != '\\') continue;
    sqlite3_str_append(pOut, z + iDone, i - iDone);
    sqlite3_str_append(pOut, zEscape, (int)escape(ch, zEscape));
    iDone = i + 1;
  }
  sqlite3_str_append(pOut, z + iDone, n - iDone);
  sqlite3_str_appendchar(pOut, 1, '"');
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
    steward_fail_rc(c, rc, "%s", zTooBig);
  } else if (c->rc == SQLITE_OK && (rc || z == NULL)) {
    steward_fail_nomem(c);
  }
  if (c->rc) {
    sqlite3_free(z);
    z = NULL;
  }
  return z;
}

/* The same for a list of complaints: NULL when there are none, or when the call
** has failed, which a caller that goes on must not take for none. */
char *steward_str_complaints(StewardCall *c, sqlite3_str *pOut) {
  char *z = steward_str_finish(c, pOut);
  if (z && z[0] == 0) {
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
