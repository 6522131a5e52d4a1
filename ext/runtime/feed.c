/*
** feed.c - keys handed to a statement that runs.
**
** To go from a row to the row that it names, and so on, by a statement of its
** own for each row costs the start and the end of a statement each time, more
** than finding the row.  With the table steward_feed it is one statement:
**
**     SELECT .. FROM steward_feed(?1) AS f
**      CROSS JOIN t ON t."key" = +f.id
**
** Bind ?1 by steward_feed_bind().  Each time before it is stepped, its reader
** puts the next key into the
** StewardFeed, and the step brings that row.  A step without a new key, or with
** one that no row has, ends it.
*/
#include <string.h>

#include "steward_int.h"

static const char zPointer[] = "steward_feed";

/* Let this BLOB be the next key; aBlob is freed. */
void steward_feed_blob(StewardCall *c, StewardFeed *pFeed, unsigned char *aBlob,
                       int nBlob) {
  sqlite3_free(pFeed->aLong);
  pFeed->aLong = aBlob;
  pFeed->nBlob = nBlob;
  pFeed->eType = FEED_LONG;
  pFeed->bFull = 1;
}

/* Let this be the next key. */
void steward_feed_put(StewardCall *c, StewardFeed *pFeed, sqlite3_value *pKey) {
  int eType = sqlite3_value_type(pKey);
  int n = eType == SQLITE_BLOB ? sqlite3_value_bytes(pKey) : 0;
  pFeed->bFull = 1;
  if (eType == SQLITE_INTEGER) {
    pFeed->eType = FEED_INTEGER;
    pFeed->iValue = sqlite3_value_int64(pKey);
  } else if (eType == SQLITE_BLOB && n <= (int)sizeof(pFeed->aBlob)) {
    if (n) memcpy(pFeed->aBlob, sqlite3_value_blob(pKey), (size_t)n);
    pFeed->eType = FEED_BLOB;
    pFeed->nBlob = n;
  } else {
    sqlite3_value_free(pFeed->pValue);
    pFeed->eType = FEED_VALUE;
    pFeed->pValue = sqlite3_value_dup(pKey);
    if (pFeed->pValue == NULL) {
      pFeed->bFull = 0;
      steward_fail_nomem(c);
    }
  }
}

int steward_feed_bind(sqlite3_stmt *pStmt, int i, StewardFeed *pFeed) {
  return sqlite3_bind_pointer(pStmt, i, pFeed, zPointer, NULL);
}

void steward_feed_clear(StewardFeed *pFeed) {
  sqlite3_value_free(pFeed->pValue);
  sqlite3_free(pFeed->aLong);
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

/* steward_feed(id, HIDDEN feed)    table
** For the library's own statements, to which it hands keys while they run.
** Empty in any other.
** Set: none
** Example: SELECT count(*) FROM steward_feed; -- 0
*/
static int feedConnect(sqlite3 *db, void *pAux, int argc,
                       const char *const *argv, sqlite3_vtab **ppVtab,
                       char **pzErr) {
  int rc = sqlite3_declare_vtab(db, "CREATE TABLE x(id, feed HIDDEN)");
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
  pCur->bEof = pCur->pFeed == NULL || !pCur->pFeed->bFull;
  if (pCur->pFeed) pCur->pFeed->bFull = 0;
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
  const StewardFeed *pFeed = ((FeedCursor *)pBase)->pFeed;
  if (iCol) return SQLITE_OK;
  switch (pFeed->eType) {
  case FEED_INTEGER: sqlite3_result_int64(ctx, pFeed->iValue); break;
  case FEED_BLOB:
    sqlite3_result_blob(ctx, pFeed->aBlob, pFeed->nBlob, SQLITE_STATIC);
    break;
  case FEED_LONG:
    sqlite3_result_blob(ctx, pFeed->aLong, pFeed->nBlob, SQLITE_STATIC);
    break;
  default: sqlite3_result_value(ctx, pFeed->pValue);
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
