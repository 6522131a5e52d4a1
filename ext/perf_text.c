/*
** perf_text.c - what statements have in common: their text without literals.
**
**     SELECT perf_normalize('select * from T where id in (1, 2, 3) -- x');
**     -- SELECT * FROM T WHERE id IN (...)
**
** The rules, which decide about ids that people store and so never change:
**
**   - comments, white space and a closing semicolon are gone; one blank stands
**     between two words, none inside of parentheses and before a comma;
**   - numbers (with their sign), strings, BLOBs and bind parameters are `?`,
**     and so is NULL where a list has it;
**   - `IN (1, 2, 3)` is `IN (...)`, whatever its length; rows of VALUES that
**     read the same after all this are one row;
**   - keywords are upper case; identifiers stay as they are written.
**
** A text that is no SQL has a normal form as well: every byte is taken for
** something.  The fingerprint is XXH64 of the normal form.
*/
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "perf_int.h"

/* SQLite's keywords of 3.40, sorted: not those of the SQLite that runs, as a
** fingerprint must not change with it. */
static const char *const azKeyword[] = {
    "ABORT",
    "ACTION",
    "ADD",
    "AFTER",
    "ALL",
    "ALTER",
    "ALWAYS",
    "ANALYZE",
    "AND",
    "AS",
    "ASC",
    "ATTACH",
    "AUTOINCREMENT",
    "BEFORE",
    "BEGIN",
    "BETWEEN",
    "BY",
    "CASCADE",
    "CASE",
    "CAST",
    "CHECK",
    "COLLATE",
    "COLUMN",
    "COMMIT",
    "CONFLICT",
    "CONSTRAINT",
    "CREATE",
    "CROSS",
    "CURRENT",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "DATABASE",
    "DEFAULT",
    "DEFERRABLE",
    "DEFERRED",
    "DELETE",
    "DESC",
    "DETACH",
    "DISTINCT",
    "DO",
    "DROP",
    "EACH",
    "ELSE",
    "END",
    "ESCAPE",
    "EXCEPT",
    "EXCLUDE",
    "EXCLUSIVE",
    "EXISTS",
    "EXPLAIN",
    "FAIL",
    "FILTER",
    "FIRST",
    "FOLLOWING",
    "FOR",
    "FOREIGN",
    "FROM",
    "FULL",
    "GENERATED",
    "GLOB",
    "GROUP",
    "GROUPS",
    "HAVING",
    "IF",
    "IGNORE",
    "IMMEDIATE",
    "IN",
    "INDEX",
    "INDEXED",
    "INITIALLY",
    "INNER",
    "INSERT",
    "INSTEAD",
    "INTERSECT",
    "INTO",
    "IS",
    "ISNULL",
    "JOIN",
    "KEY",
    "LAST",
    "LEFT",
    "LIKE",
    "LIMIT",
    "MATCH",
    "MATERIALIZED",
    "NATURAL",
    "NO",
    "NOT",
    "NOTHING",
    "NOTNULL",
    "NULL",
    "NULLS",
    "OF",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OTHERS",
    "OUTER",
    "OVER",
    "PARTITION",
    "PLAN",
    "PRAGMA",
    "PRECEDING",
    "PRIMARY",
    "QUERY",
    "RAISE",
    "RANGE",
    "RECURSIVE",
    "REFERENCES",
    "REGEXP",
    "REINDEX",
    "RELEASE",
    "RENAME",
    "REPLACE",
    "RESTRICT",
    "RETURNING",
    "RIGHT",
    "ROLLBACK",
    "ROW",
    "ROWS",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "TABLE",
    "TEMP",
    "TEMPORARY",
    "THEN",
    "TIES",
    "TO",
    "TRANSACTION",
    "TRIGGER",
    "UNBOUNDED",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USING",
    "VACUUM",
    "VALUES",
    "VIEW",
    "VIRTUAL",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "WITHOUT",
};

enum { T_END, T_LITERAL, T_NUMBER, T_KEYWORD, T_ID, T_OPERATOR };

typedef struct Token {
  int eType;
  const unsigned char *z;
  i64 n;
  const char *zKeyword; /* in upper case, of T_KEYWORD */
} Token;

/* An open parenthesis, or the whole text. */
typedef struct Frame {
  i64 iStart;  /* of the parenthesis in the output */
  int bIn;     /* it follows IN */
  int bRow;    /* it is a row of VALUES */
  int bValues; /* rows of VALUES come at this level ... */
  i64 iRow;    /* ... and the one before began here, or -1 */
  i64 nRow;    /* its length */
} Frame;

enum { DEPTH = 100 }; /* lists in deeper ones are not collapsed */

typedef struct Normal {
  PerfText *pOut;
  Token prev;
  Frame aFrame[DEPTH];
  int nDepth; /* of parentheses; aFrame[0] is the text itself */
} Normal;

/*************************************************************************
** Tokens
*/
/* Of these bytes alone, whatever the host's locale. */
static int is_digit(unsigned char ch) {
  return ch >= '0' && ch <= '9';
}

static int is_blank(unsigned char ch) {
  return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

static int is_id(unsigned char ch) {
  return is_digit(ch) || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
         ch == '_' || ch == '$' || ch >= 0x80;
}

/* Behind the quote that closes z[0]; the end when none does. */
static i64 quoted(const unsigned char *z, i64 n, unsigned char cEnd) {
  i64 i = 1;
  while (i < n) {
    if (z[i] != cEnd) {
      i++;
    } else if (cEnd != ']' && i + 1 < n && z[i + 1] == cEnd) {
      i += 2;
    } else {
      return i + 1;
    }
  }
  return n;
}

/* Bytes of white space and comments. */
static i64 blank(const unsigned char *z, i64 n) {
  i64 i = 0;
  for (;;) {
    while (i < n && (is_blank(z[i]) || z[i] == 0)) i++;
    if (i + 1 < n && z[i] == '-' && z[i + 1] == '-') {
      while (i < n && z[i] != '\n') i++;
    } else if (i + 1 < n && z[i] == '/' && z[i + 1] == '*') {
      i += 3; /* the star of what opens it closes nothing */
      while (i < n && !(z[i] == '/' && z[i - 1] == '*')) i++;
      i = i < n ? i + 1 : n;
    } else {
      return i;
    }
  }
}

/* 12, .5, 1e-3, 0xff, 1_000: what begins like a number. */
static i64 number(const unsigned char *z, i64 n) {
  i64 i = 1;
  while (i < n) {
    int bExponent = (z[i] == '+' || z[i] == '-') &&
                    (z[i - 1] == 'e' || z[i - 1] == 'E') && z[1] != 'x';
    if (!is_id(z[i]) && z[i] != '.' && !bExponent) break;
    i++;
  }
  return i;
}

/* ?, ?12, :name, @name, $name, $name::space(suffix) */
static i64 parameter(const unsigned char *z, i64 n) {
  i64 i = 1;
  while (i < n && (is_id(z[i]) || (z[0] == '$' && z[i] == ':'))) i++;
  if (z[0] == '$' && i < n && z[i] == '(') {
    while (i < n && z[i] != ')' && !is_blank(z[i])) i++;
    if (i < n && z[i] == ')') i++;
  }
  return i;
}

static const char *keyword(const unsigned char *z, i64 n) {
  int iLow = 0, iHigh = ArraySize(azKeyword) - 1;
  if (n < 2 || n > 17) return NULL;
  while (iLow <= iHigh) {
    int i = (iLow + iHigh) / 2;
    int iOrder = sqlite3_strnicmp((const char *)z, azKeyword[i], (int)n);
    if (iOrder == 0 && azKeyword[i][n]) iOrder = -1;
    if (iOrder == 0) return azKeyword[i];
    if (iOrder < 0) {
      iHigh = i - 1;
    } else {
      iLow = i + 1;
    }
  }
  return NULL;
}

static i64 operator_length(const unsigned char *z, i64 n) {
  static const char *const azLong[] = {"->>", "->", "<=", ">=", "<>",
                                       "!=",  "==", "||", "<<", ">>"};
  int i;
  for (i = 0; i < ArraySize(azLong); i++) {
    i64 k = (i64)strlen(azLong[i]);
    if (n >= k && memcmp(z, azLong[i], (size_t)k) == 0) return k;
  }
  return 1;
}

/* The token at z, whose blanks are skipped; t->n is 0 at the end. */
static void next_token(const unsigned char *z, i64 n, Token *t) {
  unsigned char ch = n > 0 ? z[0] : 0;
  t->z = z;
  t->n = 0;
  t->zKeyword = NULL;
  t->eType = T_END;
  if (n <= 0) return;
  if (ch == '\'' || ((ch == 'x' || ch == 'X') && n > 1 && z[1] == '\'')) {
    t->eType = T_LITERAL;
    t->n = ch == '\'' ? quoted(z, n, '\'') : 1 + quoted(z + 1, n - 1, '\'');
  } else if (is_digit(ch) || (ch == '.' && n > 1 && is_digit(z[1]))) {
    t->eType = T_NUMBER;
    t->n = number(z, n);
  } else if (ch == '?' ||
             ((ch == ':' || ch == '@' || ch == '$') && n > 1 && is_id(z[1]))) {
    t->eType = T_LITERAL;
    t->n = parameter(z, n);
  } else if (ch == '"' || ch == '`' || ch == '[') {
    t->eType = T_ID;
    t->n = quoted(z, n, ch == '[' ? ']' : ch);
  } else if (is_id(ch)) {
    while (t->n < n && is_id(z[t->n])) t->n++;
    t->zKeyword = keyword(z, t->n);
    t->eType = t->zKeyword ? T_KEYWORD : T_ID;
  } else {
    t->eType = T_OPERATOR;
    t->n = operator_length(z, n);
  }
}

static int is_operator(const Token *t, char ch) {
  return t->eType == T_OPERATOR && t->n == 1 && t->z[0] == ch;
}

static int is_keyword(const Token *t, const char *zKeyword) {
  return t->eType == T_KEYWORD && strcmp(t->zKeyword, zKeyword) == 0;
}

/*************************************************************************
** The output
*/
static void append(PerfText *pOut, const void *z, i64 n) {
  if (pOut->bNomem) return;
  if (pOut->n + n >= pOut->nAlloc) {
    i64 nAlloc = (pOut->n + n) * 2 + 200;
    char *zNew = sqlite3_realloc64(pOut->z, (sqlite3_uint64)nAlloc);
    if (zNew == NULL) {
      pOut->bNomem = 1;
      return;
    }
    pOut->z = zNew;
    pOut->nAlloc = nAlloc;
  }
  memcpy(pOut->z + pOut->n, z, (size_t)n);
  pOut->n += n;
  pOut->z[pOut->n] = 0;
}

static int blank_between(const Token *pPrev, const Token *t) {
  if (pPrev->eType == T_END) return 0;
  if (is_operator(t, ',') || is_operator(t, ')') || is_operator(t, '.') ||
      is_operator(t, ';')) {
    return 0;
  }
  if (is_operator(pPrev, '(') || is_operator(pPrev, '.')) return 0;
  return !(is_operator(t, '(') && pPrev->eType == T_ID);
}

/* What a literal may stand behind, if it has a sign or is NULL. */
static int begins_value(const Token *pPrev) {
  if (pPrev->eType == T_OPERATOR) return !is_operator(pPrev, ')');
  return pPrev->eType == T_END ||
         (pPrev->eType == T_KEYWORD && !is_keyword(pPrev, "NULL") &&
          !is_keyword(pPrev, "END") &&
          strncmp(pPrev->zKeyword, "CURRENT_", 8) != 0);
}

/* A list of nothing but literals. */
static int only_literals(const char *z, i64 n) {
  i64 i;
  for (i = 0; i < n; i++) {
    if (strchr("?,() ", z[i]) == NULL) return 0;
  }
  return 1;
}

static void open_list(Normal *p, i64 iStart) {
  Frame *pOuter = p->nDepth < DEPTH ? &p->aFrame[p->nDepth] : NULL;
  Frame *f;
  if (++p->nDepth >= DEPTH) return;
  f = &p->aFrame[p->nDepth];
  memset(f, 0, sizeof(*f));
  f->iStart = iStart;
  f->iRow = -1;
  f->bIn = is_keyword(&p->prev, "IN");
  f->bRow = pOuter && pOuter->bValues;
}

static void close_list(Normal *p) {
  PerfText *pOut = p->pOut;
  Frame *f, *pOuter;
  i64 n;
  if (p->nDepth == 0 || p->nDepth-- >= DEPTH || pOut->bNomem) return;
  f = &p->aFrame[p->nDepth + 1];
  pOuter = &p->aFrame[p->nDepth];
  n = pOut->n - f->iStart;
  if (f->bIn && only_literals(pOut->z + f->iStart, n)) {
    pOut->n = f->iStart;
    append(pOut, "(...)", 5);
  } else if (f->bRow && pOuter->iRow >= 0 && pOuter->nRow == n &&
             memcmp(pOut->z + pOuter->iRow, pOut->z + f->iStart, (size_t)n) ==
                 0) {
    pOut->n = pOuter->iRow + n;
    pOut->z[pOut->n] = 0;
  } else if (f->bRow) {
    pOuter->iRow = f->iStart;
    pOuter->nRow = n;
  }
}

static void put_token(Normal *p, const Token *t) {
  PerfText *pOut = p->pOut;
  int bNull = is_keyword(t, "NULL") &&
              (is_operator(&p->prev, '(') || is_operator(&p->prev, ','));
  if (blank_between(&p->prev, t)) append(pOut, " ", 1);
  if (is_operator(t, '(')) open_list(p, pOut->n);
  if (t->eType == T_LITERAL || t->eType == T_NUMBER || bNull) {
    append(pOut, "?", 1);
  } else if (t->eType == T_KEYWORD && !is_operator(&p->prev, '.')) {
    append(pOut, t->zKeyword, t->n);
  } else {
    append(pOut, t->z, t->n);
  }
  if (is_operator(t, ')')) close_list(p);
  if (is_keyword(t, "VALUES") && p->nDepth < DEPTH) {
    p->aFrame[p->nDepth].bValues = 1;
    p->aFrame[p->nDepth].iRow = -1;
  } else if (p->nDepth < DEPTH && !is_operator(t, ',') &&
             !is_operator(t, ')')) {
    p->aFrame[p->nDepth].bValues = 0;
  }
  p->prev = *t;
  if (bNull) p->prev.eType = T_LITERAL;
}

/* The normal form of zSql[0..nSql), or as far as there was memory for it; what
** stands behind a NUL is not part of a statement. */
void perf_text_normalize(PerfText *pOut, const char *zSql, i64 nSql) {
  const unsigned char *z = (const unsigned char *)zSql;
  const void *pNul = nSql > 0 ? memchr(zSql, 0, (size_t)nSql) : NULL;
  Normal normal;
  i64 i;
  if (pNul) nSql = (const char *)pNul - zSql;
  normal.pOut = pOut;
  normal.nDepth = 0;
  memset(&normal.prev, 0, sizeof(normal.prev));
  memset(normal.aFrame, 0, sizeof(normal.aFrame[0]));
  normal.aFrame[0].iRow = -1;
  pOut->n = 0;
  append(pOut, "", 0);
  i = blank(z, nSql);
  while (i < nSql && !pOut->bNomem) {
    Token t, follow;
    next_token(z + i, nSql - i, &t);
    i += t.n;
    i += blank(z + i, nSql - i);
    if (is_operator(&t, ';') && i >= nSql) break;
    if ((is_operator(&t, '-') || is_operator(&t, '+')) &&
        begins_value(&normal.prev)) {
      next_token(z + i, nSql - i, &follow);
      if (follow.eType == T_NUMBER) continue;
    }
    put_token(&normal, &t);
  }
}

/* XXH64: the same in every process, on every machine, in every release. */
u64 perf_text_hash(const char *z, i64 n) {
  return XXH64(z, (size_t)n, 0);
}

/*************************************************************************
** The functions
*/

/* The argument's normal form; 0 when the result is NULL or an error already. */
static int normal_of(sqlite3_context *ctx, sqlite3_value *v, PerfText *pOut) {
  const char *z;
  if (sqlite3_value_type(v) == SQLITE_NULL) return 0;
  z = (const char *)sqlite3_value_text(v);
  if (z) perf_text_normalize(pOut, z, sqlite3_value_bytes(v));
  if (z && !pOut->bNomem) return 1;
  sqlite3_result_error_nomem(ctx);
  sqlite3_free(pOut->z);
  return 0;
}

/* perf_normalize(sql TEXT) -> TEXT     innocuous
** The statement with `?` for its literals and bind parameters, comments and
** white space gone, keywords in upper case, lists of IN and rows of VALUES
** collapsed: what perf_statements counts it under.  Any bytes are taken.
** NULL gives NULL.
** Source: pg_stat_statements.
** Example: SELECT perf_normalize('select * from T where a in (1,-2.5) -- x');
**   -- SELECT * FROM T WHERE a IN (...)
**   SELECT perf_normalize('insert into t values (1, ''x''), (2, ''y'');');
**   -- INSERT INTO t VALUES (?, ?)
*/
static void perf_normalize(sqlite3_context *ctx, int argc,
                           sqlite3_value **argv) {
  PerfText text = {0};
  if (!normal_of(ctx, argv[0], &text)) return;
  sqlite3_result_text64(ctx, text.z, (sqlite3_uint64)text.n, sqlite3_free,
                        SQLITE_UTF8);
}

/* perf_fingerprint(sql TEXT) -> INTEGER, 64 bits     innocuous
** A hash of perf_normalize(sql): column queryid of perf_statements, the same in
** every process and release.  NULL gives NULL.
** Source: queryid of pg_stat_statements.
** Example: SELECT perf_fingerprint('SELECT 1') = perf_fingerprint('select 2');
**   -- 1
**   SELECT perf_fingerprint('SELECT 1'); -- 1557794515124640257
*/
static void perf_fingerprint(sqlite3_context *ctx, int argc,
                             sqlite3_value **argv) {
  PerfText text = {0};
  if (!normal_of(ctx, argv[0], &text)) return;
  sqlite3_result_int64(ctx, (i64)perf_text_hash(text.z, text.n));
  sqlite3_free(text.z);
}

static const StewardFunc aFunc[] = {
    {"perf_normalize", 1, 1, STEWARD_INNOCUOUS, perf_normalize, NULL, 0},
    {"perf_fingerprint", 1, 1, STEWARD_INNOCUOUS, perf_fingerprint, NULL, 0},
};

int perf_text_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
