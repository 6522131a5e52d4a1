/*
** health_index.c - the texts of which an index is made: what stands in its
** CREATE INDEX between the parentheses, and behind WHERE.  No pragma gives
** them.
*/
#include <ctype.h>
#include <string.h>

#include "health_int.h"

enum { SPACE, WORD, OTHER };

/* Length of what is in quotes, up to zEnd[0]; doubled, it goes on. */
static int quoted(const char *z, char cEnd) {
  int n = 1;
  while (z[n] && (z[n] != cEnd || (cEnd != ']' && z[n + 1] == cEnd))) {
    n += z[n] == cEnd ? 2 : 1;
  }
  return n + (z[n] != 0);
}

static int is_word(char ch) {
  return isalnum((unsigned char)ch) || ch == '_' || ch == '$' || ch & 0x80;
}

/* Length of the token at z, and its kind; a comment is space. */
static int token(const char *z, int *peKind /* OUT */) {
  int n = 1;
  *peKind = SPACE;
  if (isspace((unsigned char)z[0])) return 1;
  if (z[0] == '-' && z[1] == '-') return (int)strcspn(z, "\n");
  if (z[0] == '/' && z[1] == '*') {
    const char *zEnd = strstr(z + 2, "*/");
    return zEnd ? (int)(zEnd - z) + 2 : (int)strlen(z);
  }
  *peKind = OTHER;
  if (strchr("'\"`", z[0])) return quoted(z, z[0]);
  if (z[0] == '[') return quoted(z, ']');
  if (!is_word(z[0])) return 1;
  *peKind = WORD;
  while (is_word(z[n])) n++;
  return n;
}

static int is_keyword(const char *z, int n, const char *zKeyword) {
  return n == (int)strlen(zKeyword) && sqlite3_strnicmp(z, zKeyword, n) == 0;
}

/* The list of an index: from behind its parenthesis; NULL when there is none.
 */
static const char *list_of(const char *z) {
  int n, eKind, bOn = 0;
  for (; z[0]; z += n) {
    n = token(z, &eKind);
    if (bOn && z[0] == '(') return z + 1;
    if (eKind == WORD && is_keyword(z, n, "ON")) bOn = 1;
  }
  return NULL;
}

/* The i-th term of a CREATE INDEX, without ASC or DESC, or for -1 what its
** WHERE says, in parentheses; NULL when there is no such.  Caller frees. */
char *health_index_text(StewardCall *c, const char *zSql, int i) {
  const char *z = list_of(zSql), *zBegin = NULL, *zEnd = z;
  int n, eKind, iTerm = 0, nDepth = 1;
  for (; z && z[0]; z += n) {
    n = token(z, &eKind);
    if (eKind == SPACE) continue;
    nDepth += (z[0] == '(') - (z[0] == ')');
    if (nDepth == 0 && eKind == WORD && is_keyword(z, n, "WHERE")) {
      return i < 0 ? steward_mprintf(c, "(%s\n)", z + n) : NULL;
    }
    if (nDepth == 0 ? z[0] == ')' : nDepth == 1 && z[0] == ',') {
      if (iTerm++ == i) break;
      zBegin = NULL;
      continue;
    }
    if (zBegin == NULL) zBegin = z;
    if (!(eKind == WORD && nDepth == 1 &&
          (is_keyword(z, n, "ASC") || is_keyword(z, n, "DESC")))) {
      zEnd = z + n;
    }
  }
  if (zBegin == NULL || i < 0 || iTerm != i + 1) return NULL;
  return steward_mprintf(c, "(%.*s\n)", (int)(zEnd - zBegin), zBegin);
}
