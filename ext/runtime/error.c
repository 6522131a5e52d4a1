/*
** error.c - the registry of error codes, and how a call fails.
**
** A refusal reads `CODE: function: what is wrong, with the value: the way
** out`.  The codes below are the whole list; programs may compare the text up
** to the first colon.  Errors of the engine itself (disk full, I/O, corrupt)
** carry no code: they read `function: text` with SQLite's own result code.
**
** A StewardCall keeps its first failure.  Everything that takes a StewardCall
** does nothing once it has failed, so verbs need no ladder of ifs.
*/
#include <stdarg.h>
#include <string.h>

#include "steward_int.h"

static const StewardErrorInfo aError[STEWARD_CODE_COUNT] = {
    [STEWARD_INVALID_ARGUMENT] =
        {"INVALID_ARGUMENT", SQLITE_ERROR,
         "an argument or option is missing, of the wrong type, out of range "
         "or unknown"},
    [STEWARD_NOT_FOUND] = {"NOT_FOUND", SQLITE_ERROR,
                           "the thing named does not exist"},
    [STEWARD_NOT_INSTALLED] =
        {"NOT_INSTALLED", SQLITE_ERROR,
         "the set of tables that the call needs is not in this database, or "
         "a newer library owns it"},
    [STEWARD_CONFLICT] = {"CONFLICT", SQLITE_ERROR,
                          "the state is not the one the caller assumed"},
    [STEWARD_REVISION_MISMATCH] = {"REVISION_MISMATCH", SQLITE_ERROR,
                                   "the record has another revision"},
    [STEWARD_STALE_BASE_HEADS] = {"STALE_BASE_HEADS", SQLITE_ERROR,
                                  "the branch has moved on"},
    [STEWARD_MISSING_DEPENDENCY] = {"MISSING_DEPENDENCY", SQLITE_ERROR,
                                    "a change needs one that is not there"},
    [STEWARD_NON_MONOTONIC_SEQ] = {"NON_MONOTONIC_SEQ", SQLITE_ERROR,
                                   "an actor's sequence did not increase"},
    [STEWARD_BRANCH_CLOSED] = {"BRANCH_CLOSED", SQLITE_ERROR,
                               "the branch takes no more changes"},
    [STEWARD_SCHEDULE_CONFLICT] = {"SCHEDULE_CONFLICT", SQLITE_ERROR,
                                   "another job stands too close in time"},
    [STEWARD_DUPLICATE] = {"DUPLICATE", SQLITE_ERROR,
                           "one with this key exists already"},
    [STEWARD_LEASE_LOST] = {"LEASE_LOST", SQLITE_ERROR,
                            "the lease ran out or another owner has it"},
    [STEWARD_QUOTA_EXCEEDED] = {"QUOTA_EXCEEDED", SQLITE_ERROR,
                                "the owner's quota would be exceeded"},
    [STEWARD_LIMIT_EXCEEDED] = {"LIMIT_EXCEEDED", SQLITE_ERROR,
                                "one value is larger than its limit"},
    [STEWARD_VALIDATION_FAILED] = {"VALIDATION_FAILED", SQLITE_ERROR,
                                   "the content breaks a declared rule"},
    [STEWARD_QUEUE_FULL] = {"QUEUE_FULL", SQLITE_ERROR,
                            "a bounded queue takes no more"},
    [STEWARD_EXPIRED] = {"EXPIRED", SQLITE_ERROR, "its time has passed"},
    [STEWARD_TIMESTAMP_OUT_OF_WINDOW] =
        {"TIMESTAMP_OUT_OF_WINDOW", SQLITE_ERROR,
         "a timestamp is too far from the clock"},
    [STEWARD_BUSY] = {"BUSY", SQLITE_BUSY,
                      "another connection holds the lock that the call needs"},
    [STEWARD_UNSUPPORTED] = {"UNSUPPORTED", SQLITE_ERROR,
                             "this cannot work here; the text says where"},
    [STEWARD_READ_ONLY] = {"READ_ONLY", SQLITE_READONLY,
                           "the database cannot be written"},
    [STEWARD_SHADOWED] = {"SHADOWED", SQLITE_ERROR,
                          "a table of the application hides one of ours"},
};

const StewardErrorInfo *steward_error_info(int eCode) {
  if (eCode < 0 || eCode >= STEWARD_CODE_COUNT) return NULL;
  return &aError[eCode];
}

/* The call is out of memory; no text is made. */
void steward_fail_nomem(StewardCall *c) {
  if (c->rc == SQLITE_OK) c->rc = SQLITE_NOMEM;
}

/* Format into memory that the caller frees; NULL when the call has failed or
** fails for want of memory. */
char *steward_mprintf(StewardCall *c, const char *zFmt, ...) {
  va_list ap;
  char *z;
  if (c->rc) return NULL;
  va_start(ap, zFmt);
  z = sqlite3_vmprintf(zFmt, ap);
  va_end(ap);
  if (z == NULL) steward_fail_nomem(c);
  return z;
}

/* Room in an array, *ppArray, for one more than the n elements of nSize bytes
** that it has, all 0; 0 when the call has failed or fails for want of memory.
** pnAlloc: for how many it has room; NULL when there are few of them. */
int steward_grow(StewardCall *c, void *ppArray, int n, int *pnAlloc,
                 size_t nSize) {
  int nAlloc = pnAlloc == NULL ? n + 1 : *pnAlloc ? *pnAlloc * 2 : 16;
  void *p;
  if (c->rc) return 0;
  memcpy(&p, ppArray, sizeof(p));
  if (pnAlloc == NULL || n == *pnAlloc) {
    p = sqlite3_realloc64(p, nSize * (size_t)nAlloc);
    if (p == NULL) {
      steward_fail_nomem(c);
      return 0;
    }
    memcpy(ppArray, &p, sizeof(p));
    if (pnAlloc) *pnAlloc = nAlloc;
  }
  memset((char *)p + nSize * (size_t)n, 0, nSize);
  return 1;
}

/* Twice as many slots of a hash table, nFirst at first, and all of them empty:
** the caller puts its elements in again.  0 when the call has failed. */
int steward_grow_slots(StewardCall *c, int **paSlot, int *pnSlot, int nFirst) {
  int n = *pnSlot ? *pnSlot * 2 : nFirst;
  int *a = c->rc ? NULL : sqlite3_malloc64(sizeof(int) * (size_t)n);
  if (a == NULL) {
    if (c->rc == SQLITE_OK) steward_fail_nomem(c);
    return 0;
  }
  memset(a, 0, sizeof(int) * (size_t)n);
  sqlite3_free(*paSlot);
  *paSlot = a;
  *pnSlot = n;
  return 1;
}

/* Record the text zMsg (freed here) and the result code rc. */
static void fail_text(StewardCall *c, int rc, const char *zCode, char *zMsg) {
  if (zMsg == NULL) {
    steward_fail_nomem(c);
    return;
  }
  c->zErr = zCode ? sqlite3_mprintf("%s: %s: %z", zCode, c->zFunc, zMsg)
                  : sqlite3_mprintf("%s: %z", c->zFunc, zMsg);
  c->rc = c->zErr ? rc : SQLITE_NOMEM;
}

/* Refuse with a code of the registry. */
void steward_fail(StewardCall *c, StewardCode eCode, const char *zFmt, ...) {
  va_list ap;
  if (c->rc) return;
  va_start(ap, zFmt);
  fail_text(c, aError[eCode].rc, aError[eCode].zCode,
            sqlite3_vmprintf(zFmt, ap));
  va_end(ap);
}

/* Fail with a result code of the engine. */
void steward_fail_rc(StewardCall *c, int rc, const char *zFmt, ...) {
  va_list ap;
  if (c->rc) return;
  va_start(ap, zFmt);
  fail_text(c, rc, NULL, sqlite3_vmprintf(zFmt, ap));
  va_end(ap);
}

static int same_letter(char a, char b) {
  return sqlite3_strnicmp(&a, &b, 1) == 0;
}

static int smaller(int a, int b) {
  return a < b ? a : b;
}

/* Edits between two short words, ignoring case: letters put in, left out,
** changed, or exchanged with their neighbour; large when either is longer than
** the table. */
static int word_distance(const char *zA, const char *zB) {
  int aRow[3][48]; /* of the last three letters of zA */
  int nA = (int)strlen(zA), nB = (int)strlen(zB);
  int i, j;
  if (nA >= 48 || nB >= 48) return 1000;
  for (j = 0; j <= nB; j++) aRow[0][j] = j;
  for (i = 1; i <= nA; i++) {
    int *aHere = aRow[i % 3], *aAbove = aRow[(i + 2) % 3];
    aHere[0] = i;
    for (j = 1; j <= nB; j++) {
      int bSame = same_letter(zA[i - 1], zB[j - 1]);
      aHere[j] =
          smaller(aAbove[j - 1] + !bSame, 1 + smaller(aAbove[j], aHere[j - 1]));
      if (i > 1 && j > 1 && same_letter(zA[i - 1], zB[j - 2]) &&
          same_letter(zA[i - 2], zB[j - 1])) {
        aHere[j] = smaller(aHere[j], 1 + aRow[(i + 1) % 3][j - 2]);
      }
    }
  }
  return aRow[nA % 3][nB];
}

/* The known word nearest to zWord, or NULL when none is near: a guess at every
** word would be worse than none. */
const char *steward_nearest(const char *zWord, const char *const *azKnown,
                            int nKnown) {
  const char *zBest = NULL;
  int iBest = 2 + ((int)strlen(zWord) - 2) / 4;
  int i;
  for (i = 0; i < nKnown; i++) {
    int iDistance = word_distance(zWord, azKnown[i]);
    if (iDistance < iBest) {
      iBest = iDistance;
      zBest = azKnown[i];
    }
  }
  return zBest;
}
