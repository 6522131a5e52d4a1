/*
** perf_text.c - statements of any bytes: their normal form, their fingerprint,
** and capture while they run.
**
**     perf_text steward.so [seconds]      SEED=n repeats a run
**
** What must hold for every text: the normal form is there, ends at a NUL, does
** not depend on blanks and comments in front, has the fingerprint that
** perf_statements has for it, and costs no memory; no text breaks the capture.
*/
#include <time.h>

#include "ctest.h"
#include "random.h"

/* Pieces that a tokenizer may trip over. */
static const char *const azPiece[] = {
    "SELECT",
    "select",
    " ",
    "\n",
    "\t",
    "(",
    ")",
    "((",
    "))",
    ",",
    ";",
    "'",
    "''",
    "'x'",
    "\"",
    "\"y\"",
    "`",
    "[",
    "]",
    "[z]",
    "--",
    "-- c\n",
    "/*",
    "*/",
    "/*/",
    "/**/",
    "x'00'",
    "x'",
    "0x",
    "0xF",
    "1",
    "1e",
    "1e-",
    "1e-3",
    ".5",
    ".",
    "..",
    "1.2.3",
    "-1",
    "+",
    "?",
    "?1",
    ":a",
    "@b",
    "$c",
    "$d::e(f)",
    "$(",
    ":",
    "IN",
    "in (1,",
    "IN (",
    "VALUES",
    "values (1),(2)",
    "NULL",
    "null,",
    "->",
    "->>",
    "||",
    "<=",
    "<>",
    "!=",
    "=",
    "*",
    "FROM t",
    "t.key",
    "END",
    "CASE",
    "\xff",
    "\xc3\xa9",
    "\xe6\x97",
    "\v",
    "\f",
    "\r",
    "_",
    "INSERT INTO t VALUES (1, 'a')",
    "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END",
    "a_1",
    "DELETE FROM t",
    "EXPLAIN",
    "PRAGMA page_size",
    "CURRENT_TIME"};

enum { TEXT_MAX = 2000 };

/* A text of pieces and of bytes. */
static int any_text(char *z) {
  int n = 0, k = (int)next(30);
  while (k-- > 0) {
    if (next(6) == 0) {
      z[n++] = (char)(1 + next(255));
    } else {
      const char *zPiece = azPiece[next(sizeof(azPiece) / sizeof(azPiece[0]))];
      int nPiece = (int)strlen(zPiece);
      memcpy(z + n, zPiece, (size_t)nPiece);
      n += nPiece;
    }
  }
  z[n] = 0;
  return n;
}

/* A statement with one text, to its only value, copied; NULL for NULL. */
static char *ask(sqlite3_stmt *pStmt, const char *z, int n, int *pn) {
  char *zOut = NULL;
  sqlite3_bind_text(pStmt, 1, z, n, SQLITE_STATIC);
  if (sqlite3_step(pStmt) == SQLITE_ROW && sqlite3_column_text(pStmt, 0)) {
    *pn = sqlite3_column_bytes(pStmt, 0);
    zOut = malloc((size_t)*pn + 1);
    memcpy(zOut, sqlite3_column_text(pStmt, 0), (size_t)*pn + 1);
  }
  sqlite3_reset(pStmt);
  sqlite3_clear_bindings(pStmt);
  return zOut;
}

static int equal(const char *zA, int nA, const char *zB, int nB) {
  return zA && zB && nA == nB && memcmp(zA, zB, (size_t)nA) == 0;
}

/* What holds of a text's normal form; 0 when it does not. */
static int forms(sqlite3_stmt *pNormal, const char *z, int n) {
  static const char *const azFront[] = {" ",      "\n\t",  "/* c */",
                                        "-- c\n", "/**/ ", "/*/ */"};
  char zLong[TEXT_MAX + 40];
  int nA = 0, nB = 0, nC = 0, bOk;
  char *zA = ask(pNormal, z, n, &nA), *zB, *zC;
  const char *zFront = azFront[next(6)];
  int nFront = (int)strlen(zFront);
  memcpy(zLong, zFront, (size_t)nFront);
  memcpy(zLong + nFront, z, (size_t)n);
  zB = ask(pNormal, zLong, nFront + n, &nB);
  memcpy(zLong, z, (size_t)n);
  memcpy(zLong + n, "\0' x", 4);
  zC = ask(pNormal, zLong, n + 4, &nC);
  /* each byte gives at most itself and a blank; a list may grow to (...) */
  bOk = zA && nA <= 6 * n + 5 && memchr(zA, 0, (size_t)nA) == NULL &&
        equal(zA, nA, zB, nB) && equal(zA, nA, zC, nC);
  free(zA);
  free(zB);
  free(zC);
  return bOk;
}

static int stop_soon(void *p) {
  return ++*(int *)p > 50;
}

/* It runs, where SQLite takes it, while it is captured. */
static void runs(sqlite3 *db, const char *z) {
  int nStep = 0, nStmt = 0;
  const char *zTail = z;
  sqlite3_progress_handler(db, 100, stop_soon, &nStep);
  while (zTail && *zTail && nStmt++ < 5) {
    sqlite3_stmt *pStmt = NULL;
    const char *zWas = zTail;
    if (sqlite3_prepare_v2(db, zTail, -1, &pStmt, &zTail)) break;
    while (sqlite3_step(pStmt) == SQLITE_ROW && nStep < 50) nStep++;
    sqlite3_finalize(pStmt);
    if (zTail == zWas) break;
  }
  sqlite3_progress_handler(db, 0, NULL, NULL);
  if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", 0, 0, 0);
}

static void one_life(int nText) {
  static const char *const azMode[] = {"full", "sample", "slow"};
  sqlite3 *db = open_loaded(":memory:");
  sqlite3_stmt *pNormal = NULL;
  char z[TEXT_MAX];
  char *zMode = sqlite3_mprintf(
      "CREATE TABLE t(key); SELECT perf_trace('%s', '{\"max_statements\":50,"
      "\"threshold\":0,\"bound_sql\":true}')",
      azMode[next(3)]);
  free(value(db, zMode));
  sqlite3_free(zMode);
  sqlite3_prepare_v2(db, "SELECT perf_normalize(?1)", -1, &pNormal, NULL);
  while (nText-- > 0) {
    int n = any_text(z);
    if (!forms(pNormal, z, n)) check(0, "normal form of <%s>", z);
    runs(db, z);
  }
  sqlite3_finalize(pNormal);
  expect(db,
         "SELECT count(*) FROM perf_statements WHERE length(query) < 4096"
         " AND queryid <> perf_fingerprint(query)",
         "0");
  expect(db, "SELECT json_valid(perf_snapshot())", "1");
  free(value(db, "SELECT perf_reset()"));
  check(sqlite3_close(db) == SQLITE_OK, "close");
  check(sqlite3_memory_used() == 0, "%lld bytes lost", sqlite3_memory_used());
}

int main(int argc, char **argv) {
  time_t tEnd = time(NULL) + (argc > 2 ? atoi(argv[2]) : 1);
  const char *zSeed = getenv("SEED");
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  iState = zSeed ? strtoull(zSeed, NULL, 10) : (unsigned long long)time(NULL);
  printf("seed %llu\n", iState);
  do {
    one_life(1000);
  } while (time(NULL) < tEnd && nFailed == 0);
  return finish();
}
