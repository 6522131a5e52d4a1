/*
** json_parse.c - JSON text, minified, and as a tree where one is asked for.
**
** Strict (RFC 8259): no comment, no trailing comma, no NaN, no control
** character in a string, UTF-8 throughout.  Minifying takes white space out and
** changes nothing else, so a number keeps every digit that it came with.
**
** The tree is an array of nodes in the order of the text; a node's children
** follow it, up to iEnd.  A member of an object is two nodes, its name and its
** value.  Texts of nodes are pieces of the minified text.
*/
#include <stdlib.h>
#include <string.h>

#include "steward_int.h"

enum { DEPTH_MAX = 1000 };

typedef struct Parser {
  StewardCall *c;
  StewardJson *pOut;
  const char *z;
  int n;
  int i;     /* next byte of z to read */
  int nDone; /* bytes of z that are in the minified text, or skipped */
  int bTree;
  int nDepth;
} Parser;

/* A new node that begins at the present end of the minified text; its index. */
static int add_node(Parser *p, int eType) {
  StewardJson *t = p->pOut;
  StewardJsonNode *pNode;
  if (!p->bTree || p->c->rc) return 0;
  if (t->nNode == t->nAlloc) {
    int nAlloc = t->nAlloc ? t->nAlloc * 2 : 32;
    StewardJsonNode *aNew =
        sqlite3_realloc64(t->aNode, sizeof(*aNew) * (size_t)nAlloc);
    if (aNew == NULL) {
      steward_fail_nomem(p->c);
      return 0;
    }
    t->aNode = aNew;
    t->nAlloc = nAlloc;
  }
  pNode = &t->aNode[t->nNode];
  memset(pNode, 0, sizeof(*pNode));
  pNode->eType = eType;
  pNode->iText = t->nText;
  return t->nNode++;
}

static void end_node(Parser *p, int iNode) {
  StewardJson *t = p->pOut;
  if (!p->bTree || p->c->rc) return;
  t->aNode[iNode].nText = t->nText - t->aNode[iNode].iText;
  t->aNode[iNode].iEnd = t->nNode;
}

static void skip_space(Parser *p) {
  while (p->i < p->n && (p->z[p->i] == ' ' || p->z[p->i] == '\t' ||
                         p->z[p->i] == '\n' || p->z[p->i] == '\r')) {
    p->i++;
  }
}

/* Copy z[i..iEnd) to the minified text. */
static void copy_to(Parser *p, int iEnd) {
  memcpy(p->pOut->zText + p->pOut->nText, p->z + p->i, (size_t)(iEnd - p->i));
  p->pOut->nText += iEnd - p->i;
  p->i = iEnd;
}

static int is_hex(char ch) {
  return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f') ||
         (ch >= 'A' && ch <= 'F');
}

/* A string at z[i]; 0 when it is none. */
static int parse_string(Parser *p) {
  int i = p->i + 1, k, iNode = add_node(p, STEWARD_JSON_STRING);
  for (;; i++) {
    unsigned char ch;
    if (i >= p->n) return 0;
    ch = (unsigned char)p->z[i];
    if (ch == '"') break;
    if (ch < 0x20) return 0;
    if (ch != '\\') continue;
    if (++i >= p->n) return 0;
    if (p->z[i] == 'u') {
      for (k = 1; k <= 4; k++) {
        if (i + k >= p->n || !is_hex(p->z[i + k])) return 0;
      }
      i += 4;
    } else if (p->z[i] == 0 || strchr("\"\\/bfnrt", p->z[i]) == NULL) {
      return 0;
    }
  }
  copy_to(p, i + 1);
  end_node(p, iNode);
  return 1;
}

static int digits(const Parser *p, int i) {
  int iStart = i;
  while (i < p->n && p->z[i] >= '0' && p->z[i] <= '9') i++;
  return i - iStart;
}

static int parse_number(Parser *p) {
  int i = p->i, nHere, iNode = add_node(p, STEWARD_JSON_NUMBER);
  if (i < p->n && p->z[i] == '-') i++;
  nHere = digits(p, i);
  if (nHere == 0 || (nHere > 1 && p->z[i] == '0')) return 0;
  i += nHere;
  if (i < p->n && p->z[i] == '.') {
    nHere = digits(p, i + 1);
    if (nHere == 0) return 0;
    i += 1 + nHere;
  }
  if (i < p->n && (p->z[i] == 'e' || p->z[i] == 'E')) {
    i++;
    if (i < p->n && (p->z[i] == '+' || p->z[i] == '-')) i++;
    nHere = digits(p, i);
    if (nHere == 0) return 0;
    i += nHere;
  }
  copy_to(p, i);
  end_node(p, iNode);
  return 1;
}

static int parse_word(Parser *p, const char *zWord, int eType) {
  int n = (int)strlen(zWord), iNode;
  if (p->n - p->i < n || memcmp(p->z + p->i, zWord, (size_t)n)) return 0;
  iNode = add_node(p, eType);
  copy_to(p, p->i + n);
  end_node(p, iNode);
  return 1;
}

static int parse_value(Parser *p);

/* `"name":` of a member. */
static int parse_name(Parser *p) {
  if (p->i >= p->n || p->z[p->i] != '"' || !parse_string(p)) return 0;
  skip_space(p);
  if (p->i >= p->n || p->z[p->i] != ':') return 0;
  copy_to(p, p->i + 1);
  skip_space(p);
  return 1;
}

/* An array, or an object, from its opening bracket on. */
static int parse_list(Parser *p, char cClose) {
  int bObject = cClose == '}', nChild = 0;
  int iNode = add_node(p, bObject ? STEWARD_JSON_OBJECT : STEWARD_JSON_ARRAY);
  if (++p->nDepth > DEPTH_MAX) return 0;
  copy_to(p, p->i + 1);
  skip_space(p);
  while (p->i < p->n && (p->z[p->i] != cClose || nChild)) {
    if (bObject && !parse_name(p)) return 0;
    if (!parse_value(p)) return 0;
    nChild++;
    skip_space(p);
    if (p->i >= p->n || p->z[p->i] != ',') break;
    copy_to(p, p->i + 1);
    skip_space(p);
  }
  if (p->i >= p->n || p->z[p->i] != cClose) return 0;
  copy_to(p, p->i + 1);
  end_node(p, iNode);
  if (p->bTree && p->c->rc == SQLITE_OK) p->pOut->aNode[iNode].nChild = nChild;
  p->nDepth--;
  return 1;
}

static int parse_value(Parser *p) {
  if (p->i >= p->n || p->c->rc) return 0;
  switch (p->z[p->i]) {
  case '{': return parse_list(p, '}');
  case '[': return parse_list(p, ']');
  case '"': return parse_string(p);
  case 'n': return parse_word(p, "null", STEWARD_JSON_NULL);
  case 't': return parse_word(p, "true", STEWARD_JSON_TRUE);
  case 'f': return parse_word(p, "false", STEWARD_JSON_FALSE);
  default: return parse_number(p);
  }
}

/* Read z[0..n); 1 when it is JSON, 0 when not or when there is no memory.
** pOut->iError is the place of the first byte that does not fit.  Free pOut in
** any case. */
int steward_json_parse(StewardCall *c, StewardJson *pOut /* OUT */,
                       const char *z, int n, int bTree) {
  Parser parser = {.c = c, .pOut = pOut, .z = z, .n = n, .bTree = bTree};
  int bOk;
  memset(pOut, 0, sizeof(*pOut));
  if (c->rc) return 0;
  pOut->zText = sqlite3_malloc64((sqlite3_uint64)n + 1);
  if (pOut->zText == NULL) {
    steward_fail_nomem(c);
    return 0;
  }
  skip_space(&parser);
  bOk = parse_value(&parser);
  skip_space(&parser);
  pOut->zText[pOut->nText] = 0;
  pOut->iError = parser.i;
  pOut->bDeep = parser.nDepth > DEPTH_MAX;
  return bOk && parser.i == n && c->rc == SQLITE_OK &&
         steward_utf8_ok((const unsigned char *)z, n);
}

void steward_json_free(StewardJson *p) {
  sqlite3_free(p->zText);
  sqlite3_free(p->aNode);
  memset(p, 0, sizeof(*p));
}

/* The value of the member zName of object iNode, its last if it has several; 0
** when there is none. */
int steward_json_member(const StewardJson *t, int iNode, const char *zName) {
  int i, iFound = 0;
  for (i = iNode + 1; i < t->aNode[iNode].iEnd; i = t->aNode[i + 1].iEnd) {
    if (steward_json_is(t, i, zName)) iFound = i + 1;
  }
  return iFound;
}

static int hex4(const char *z) {
  int i, iValue = 0;
  for (i = 0; i < 4; i++) {
    int ch = z[i];
    iValue = iValue * 16 + (ch <= '9' ? ch - '0' : (ch | 0x20) - 'a' + 10);
  }
  return iValue;
}

static int put_utf8(char *z, unsigned int ch) {
  if (ch < 0x80) {
    z[0] = (char)ch;
    return 1;
  }
  if (ch < 0x800) {
    z[0] = (char)(0xc0 | ch >> 6);
    z[1] = (char)(0x80 | (ch & 0x3f));
    return 2;
  }
  if (ch < 0x10000) {
    z[0] = (char)(0xe0 | ch >> 12);
    z[1] = (char)(0x80 | (ch >> 6 & 0x3f));
    z[2] = (char)(0x80 | (ch & 0x3f));
    return 3;
  }
  z[0] = (char)(0xf0 | ch >> 18);
  z[1] = (char)(0x80 | (ch >> 12 & 0x3f));
  z[2] = (char)(0x80 | (ch >> 6 & 0x3f));
  z[3] = (char)(0x80 | (ch & 0x3f));
  return 4;
}

/* One character of a string's text at z, which is decoded to zOut; the bytes
** read.  Half of a surrogate pair becomes U+FFFD. */
static int decode_char(const char *z, char *zOut, int *pnOut) {
  static const char zEscape[] = "\"\\/bfnrt", zMeans[] = "\"\\/\b\f\n\r\t";
  unsigned int ch;
  *pnOut = 1;
  if (z[0] != '\\') {
    zOut[0] = z[0];
    return 1;
  }
  if (z[1] != 'u') {
    zOut[0] = zMeans[strchr(zEscape, z[1]) - zEscape];
    return 2;
  }
  ch = (unsigned int)hex4(z + 2);
  if (ch >= 0xd800 && ch < 0xdc00 && z[6] == '\\' && z[7] == 'u') {
    unsigned int low = (unsigned int)hex4(z + 8);
    if (low >= 0xdc00 && low < 0xe000) {
      ch = 0x10000 + ((ch & 0x3ff) << 10) + (low & 0x3ff);
      *pnOut = put_utf8(zOut, ch);
      return 12;
    }
  }
  if (ch >= 0xd800 && ch < 0xe000) ch = 0xfffd;
  *pnOut = put_utf8(zOut, ch);
  return 6;
}

/* What string iNode says, NUL-terminated; its bytes in *pn.  Caller frees. */
char *steward_json_text(StewardCall *c, const StewardJson *t, int iNode,
                        int *pn /* OUT */) {
  const char *z = t->zText + t->aNode[iNode].iText + 1;
  int n = t->aNode[iNode].nText - 2, i = 0, nOut = 0, nHere;
  char *zOut = c->rc ? NULL : sqlite3_malloc64((sqlite3_uint64)n + 5);
  *pn = 0;
  if (zOut == NULL) {
    if (c->rc == SQLITE_OK) steward_fail_nomem(c);
    return NULL;
  }
  while (i < n) {
    i += decode_char(z + i, zOut + nOut, &nHere);
    nOut += nHere;
  }
  zOut[nOut] = 0;
  *pn = nOut;
  return zOut;
}

/* Does string iNode say zWord?  Without memory, for names. */
int steward_json_is(const StewardJson *t, int iNode, const char *zWord) {
  const char *z = t->zText + t->aNode[iNode].iText + 1;
  int n = t->aNode[iNode].nText - 2, i = 0, nHere;
  size_t nWord = strlen(zWord), nDone = 0;
  char aChar[8];
  while (i < n) {
    i += decode_char(z + i, aChar, &nHere);
    if (nWord - nDone < (size_t)nHere ||
        memcmp(zWord + nDone, aChar, (size_t)nHere)) {
      return 0;
    }
    nDone += (size_t)nHere;
  }
  return nDone == nWord;
}

/* Number iNode as an i64; 0 when it is no whole number of that range. */
int steward_json_int(const StewardJson *t, int iNode, i64 *piOut /* OUT */) {
  const char *z = t->zText + t->aNode[iNode].iText;
  int n = t->aNode[iNode].nText, i = z[0] == '-';
  sqlite3_uint64 u = 0, uMax = 0x7fffffffffffffffULL + (unsigned)i;
  if (t->aNode[iNode].eType != STEWARD_JSON_NUMBER) return 0;
  for (; i < n; i++) {
    unsigned int d = (unsigned int)(z[i] - '0');
    if (d > 9 || u > (uMax - d) / 10) return 0;
    u = u * 10 + d;
  }
  *piOut = z[0] == '-' ? (i64)(0 - u) : (i64)u;
  return 1;
}
