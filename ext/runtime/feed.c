/*
** feed.c - keys handed to a statement that runs.
**
** To go from a row to the row that it names, and so on, by a statement of its
** own for each row costs the start and the end of a statement each time, more
** than finding the row.  With the table steward_feed it is one statement, whose
** ?1 is bound by steward_feed_bind():
**
**     SELECT .. FROM steward_feed(?1) AS f
**      CROSS JOIN t ON t."key" = +f.steward_key
**
** Its reader puts keys into the StewardFeed, also between two steps, and each
** brings its rows, in the order in which the keys came.  When there is none
** left the statement ends; reset it, and it goes on with the next key.
*/
#include <string.h>

#include "steward_int.h"

static const char zPointer[] = "steward_feed";

static void key_free(StewardFeedKey *pKey) {
  sqlite3_value_free(pKey->pValue);
  sqlite3_free(pKey->aLong);
  memset(pKey, 0, sizeof(*pKey));
}

/* Room for another key; NULL when the call has failed. */
static StewardFeedKey *feed_room(StewardCall *c, StewardFeed *pFeed) {
  StewardFeedKey *pKey;
  if (c->rc) return NULL;
  if (pFeed->iNext == pFeed->nNext) pFeed->iNext = pFeed->nNext = 0;
  if (pFeed->nNext == pFeed->nAlloc) {
    int nAlloc = pFeed->nAlloc ? pFeed->nAlloc * 2 : 4;
    void *pNew = sqlite3_realloc64(pFeed->aNext,
                                   sizeof(StewardFeedKey) * (size_t)nAlloc);
    if (pNew == NULL) {
      steward_fail_nomem(c);
      return NULL;
    }
    pFeed->aNext = pNew;
    pFeed->nAlloc = nAlloc;
  }
  pKey = &pFeed->aNext[pFeed->nNext++];
  pKey->eType = FEED_VALUE;
  pKey->aLong = NULL;
  pKey->pValue = NULL;
  return pKey;
}

/* Add a key that is this BLOB; aBlob is freed. */
void steward_feed_blob(StewardCall *c, StewardFeed *pFeed, unsigned char *aBlob,
                       int nBlob) {
  StewardFeedKey *pKey = feed_room(c, pFeed);
  if (pKey == NULL) {
    sqlite3_free(aBlob);
    return;
  }
  pKey->eType = FEED_LONG;
  pKey->aLong = aBlob;
  pKey->nBlob = nBlob;
  pKey->iTag = 0;
}

/* Add a key.  While its rows come, pFeed->now.iTag is iTag. */
void steward_feed_put(StewardCall *c, StewardFeed *pFeed, sqlite3_value *v,
                      int iTag) {
  int eType = sqlite3_value_type(v);
  int n = eType == SQLITE_BLOB ? sqlite3_value_bytes(v) : 0;
  StewardFeedKey *pKey = feed_room(c, pFeed);
  if (pKey == NULL) return;
  pKey->iTag = iTag;
  if (eType == SQLITE_INTEGER) {
    pKey->eType = FEED_INTEGER;
    pKey->iValue = sqlite3_value_int64(v);
  } else if (eType == SQLITE_BLOB && n <= (int)sizeof(pKey->aBlob)) {
    if (n) memcpy(pKey->aBlob, sqlite3_value_blob(v), (size_t)n);
    pKey->eType = FEED_BLOB;
    pKey->nBlob = n;
  } else {
    pKey->pValue = sqlite3_value_dup(v);
    if (pKey->pValue == NULL) {
      pFeed->nNext--;
      steward_fail_nomem(c);
    }
  }
}

int steward_feed_bind(sqlite3_stmt *pStmt, int i, StewardFeed *pFeed) {
  return sqlite3_bind_pointer(pStmt, i, pFeed, zPointer, NULL);
}

/* Forget the keys that were not read; a statement that reads them must have
** been reset. */
void steward_feed_clear(StewardFeed *pFeed) {
  while (pFeed->iNext < pFeed->nNext) key_free(&pFeed->aNext[pFeed->iNext++]);
  if (pFeed->now.eType == FEED_VALUE || pFeed->now.eType == FEED_LONG) {
    key_free(&pFeed->now);
  }
}

void steward_feed_free(StewardFeed *pFeed) {
  steward_feed_clear(pFeed);
  sqlite3_free(pFeed->aNext);
  memset(pFeed, 0, sizeof(*pFeed));
}

/*************************************************************************
** The table
*/
typedef struct FeedCursor {
  sqlite3_vtab_cursor base; /* must be first */
  StewardFeed *pFeed;       /* borrowed */
  int bEof;
} FeedCursor;

/* steward_feed(steward_key, HIDDEN steward_keys)    table
** For the library's own statements, to which it hands keys while they run.
** Empty in any other.
** Set: none
** Example: SELECT count(*) FROM steward_feed; -- 0
*/
static int feedConnect(sqlite3 *db, void *pAux, int argc,
                       const char *const *argv, sqlite3_vtab **ppVtab,
                       char **pzErr) {
  int rc = sqlite3_declare_vtab(
      db, "CREATE TABLE x(steward_key, steward_keys HIDDEN BLOB)");
  if (rc == SQLITE_OK) rc = sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
  if (rc) return rc;
  *ppVtab = sqlite3_malloc64(sizeof(sqlite3_vtab));
  if (*ppVtab == NULL) return SQLITE_NOMEM;
  memset(*ppVtab, 0, sizeof(sqlite3_vtab));
  return SQLITE_OK;
}

static int feedDisconnect(sqlite3_vtab *pVtab) {
  sqlite3_free(pVtab);
  return SQLITE_OK;
}

static int feedBestIndex(sqlite3_vtab *pVtab, sqlite3_index_info *pInfo) {
  int i;
  for (i = 0; i < pInfo->nConstraint; i++) {
    if (pInfo->aConstraint[i].iColumn != 1 ||
        pInfo->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) {
      continue;
    }
    if (!pInfo->aConstraint[i].usable) return SQLITE_CONSTRAINT;
    pInfo->aConstraintUsage[i].argvIndex = 1;
    pInfo->aConstraintUsage[i].omit = 1;
    break;
  }
  pInfo->estimatedCost = 1.0;
  pInfo->estimatedRows = 1;
  return SQLITE_OK;
}

static int feedOpen(sqlite3_vtab *pVtab, sqlite3_vtab_cursor **ppCursor) {
  FeedCursor *pCur = sqlite3_malloc64(sizeof(*pCur));
  if (pCur == NULL) return SQLITE_NOMEM;
  memset(pCur, 0, sizeof(*pCur));
  *ppCursor = &pCur->base;
  return SQLITE_OK;
}

static int feedClose(sqlite3_vtab_cursor *pBase) {
  sqlite3_free(pBase);
  return SQLITE_OK;
}

static int feedNext(sqlite3_vtab_cursor *pBase) {
  FeedCursor *pCur = (FeedCursor *)pBase;
  StewardFeed *p = pCur->pFeed;
  pCur->bEof = p == NULL || p->iNext == p->nNext;
  if (!pCur->bEof) {
    key_free(&p->now);
    p->now = p->aNext[p->iNext++];
  }
  return SQLITE_OK;
}

static int feedFilter(sqlite3_vtab_cursor *pBase, int idxNum, const char *zPlan,
                      int argc, sqlite3_value **argv) {
  FeedCursor *pCur = (FeedCursor *)pBase;
  pCur->pFeed = argc ? sqlite3_value_pointer(argv[0], zPointer) : NULL;
  return feedNext(pBase);
}

static int feedEof(sqlite3_vtab_cursor *pBase) {
  return ((FeedCursor *)pBase)->bEof;
}

/* The key stays where it is until the next one comes. */
static int feedColumn(sqlite3_vtab_cursor *pBase, sqlite3_context *ctx,
                      int iCol) {
  const StewardFeedKey *p = &((FeedCursor *)pBase)->pFeed->now;
  if (iCol) return SQLITE_OK;
  switch (p->eType) {
  case FEED_INTEGER: sqlite3_result_int64(ctx, p->iValue); break;
  case FEED_BLOB:
    sqlite3_result_blob(ctx, p->aBlob, p->nBlob, SQLITE_STATIC);
    break;
  case FEED_LONG:
    sqlite3_result_blob(ctx, p->aLong, p->nBlob, SQLITE_STATIC);
    break;
  default: sqlite3_result_value(ctx, p->pValue);
  }
  return SQLITE_OK;
}

static int feedRowid(sqlite3_vtab_cursor *pBase, sqlite3_int64 *piRowid) {
  *piRowid = 1;
  return SQLITE_OK;
}

static const sqlite3_module feedModule = {
    .iVersion = 0,
    .xConnect = feedConnect,
    .xBestIndex = feedBestIndex,
    .xDisconnect = feedDisconnect,
    .xOpen = feedOpen,
    .xClose = feedClose,
    .xFilter = feedFilter,
    .xNext = feedNext,
    .xEof = feedEof,
    .xColumn = feedColumn,
    .xRowid = feedRowid,
};

int steward_feed_register(Steward *p) {
  return sqlite3_create_module_v2(p->db, "steward_feed", &feedModule, p, NULL);
}
