/*
** health_freelist.c - is the list of free pages whole?
**
** SQLite has no statement that reads it alone, so its pages are read as they
** lie in the file, through the VFS, under a read transaction.  In WAL mode the
** file is as the transaction sees it only when everything has been copied from
** the WAL, which is tried first; where that cannot be, the question waits.
*/
#include <string.h>

#include "health_int.h"

typedef struct Freelist {
  sqlite3_file *pFile;
  unsigned char *aPage;
  unsigned char *aSeen; /* a bit for each page */
  unsigned nSize, nPage;
  unsigned nListed, nTotal;
} Freelist;

static unsigned four(const unsigned char *a) {
  return ((unsigned)a[0] << 24) | ((unsigned)a[1] << 16) |
         ((unsigned)a[2] << 8) | a[3];
}

/* A page that is on the list: out of range or listed before? */
static int page_bad(StewardCall *c, HealthPass *h, Freelist *f, unsigned iPage,
                    const char *zKind) {
  if (iPage < 2 || iPage > f->nPage) {
    health_found(c, h, "integrity", "SELECT vacuum_full()",
                 "freelist: %s %u is not a page of the file", zKind, iPage);
    return 1;
  }
  if (f->aSeen[iPage / 8] & (1u << (iPage % 8))) {
    health_found(c, h, "integrity", "SELECT vacuum_full()",
                 "freelist: page %u is listed twice", iPage);
    return 1;
  }
  f->aSeen[iPage / 8] |= (unsigned char)(1u << (iPage % 8));
  f->nListed++;
  return 0;
}

/* Walk from trunk to trunk. */
static void walk_list(StewardCall *c, HealthPass *h, Freelist *f,
                      unsigned iTrunk) {
  while (iTrunk && c->rc == SQLITE_OK) {
    unsigned i, nLeaf;
    if (page_bad(c, h, f, iTrunk, "trunk page")) return;
    if (f->pFile->pMethods->xRead(f->pFile, f->aPage, (int)f->nSize,
                                  (i64)(iTrunk - 1) * f->nSize)) {
      health_found(c, h, "integrity", "SELECT vacuum_full()",
                   "freelist: trunk page %u cannot be read", iTrunk);
      return;
    }
    nLeaf = four(f->aPage + 4);
    if (nLeaf > f->nSize / 4 - 2) {
      health_found(c, h, "integrity", "SELECT vacuum_full()",
                   "freelist: trunk page %u says %u leaves", iTrunk, nLeaf);
      return;
    }
    for (i = 0; i < nLeaf; i++) {
      if (page_bad(c, h, f, four(f->aPage + 8 + 4 * i), "leaf page")) return;
    }
    iTrunk = four(f->aPage);
  }
  if (f->nListed != f->nTotal) {
    health_found(c, h, "integrity", "SELECT vacuum_full()",
                 "freelist: %u pages are listed, and the header says %u",
                 f->nListed, f->nTotal);
  }
}

static void read_list(StewardCall *c, HealthPass *h) {
  unsigned char aHead[100];
  Freelist f;
  memset(&f, 0, sizeof(f));
  f.nSize = (unsigned)steward_exec_int(&h->in, 0, "PRAGMA main.page_size");
  f.nPage = (unsigned)steward_exec_int(&h->in, 0, "PRAGMA main.page_count");
  sqlite3_file_control(h->in.db, "main", SQLITE_FCNTL_FILE_POINTER, &f.pFile);
  if (h->in.rc || f.pFile == NULL || f.pFile->pMethods == NULL ||
      f.pFile->pMethods->xRead(f.pFile, aHead, 100, 0)) {
    return;
  }
  f.nTotal = four(aHead + 36);
  f.aPage = sqlite3_malloc64(f.nSize);
  f.aSeen = sqlite3_malloc64(f.nPage / 8 + 1);
  if (f.aPage == NULL || f.aSeen == NULL) {
    steward_fail_nomem(c);
  } else {
    memset(f.aSeen, 0, f.nPage / 8 + 1);
    walk_list(c, h, &f, four(aHead + 32));
  }
  sqlite3_free(f.aPage);
  sqlite3_free(f.aSeen);
}

/* 1 when it was read, 0 when it cannot be now. */
int health_freelist(StewardCall *c, HealthPass *h) {
  int nFrame = -1, nDone = -1, rc = SQLITE_OK;
  i64 iBefore, iAfter;
  if (h->pPrivate == NULL) return 1;
  iBefore = steward_exec_int(&h->in, 0, "PRAGMA main.data_version");
  if (steward_wal_bytes(c->db, "main") > 0) {
    if (sqlite3_txn_state(c->db, "main") != SQLITE_TXN_NONE) return 0;
    rc = sqlite3_wal_checkpoint_v2(c->db, "main", SQLITE_CHECKPOINT_PASSIVE,
                                   &nFrame, &nDone);
  }
  steward_exec(&h->in, "BEGIN");
  iAfter = steward_exec_int(&h->in, 0, "PRAGMA main.schema_version") * 0 +
           steward_exec_int(&h->in, 0, "PRAGMA main.data_version");
  if (rc == SQLITE_OK && nFrame == nDone && iBefore == iAfter) {
    read_list(c, h);
  } else {
    h->bTime = 1;
  }
  steward_exec(&h->in, "COMMIT");
  return health_ended(c, h, "freelist") && iBefore == iAfter &&
         rc == SQLITE_OK && nFrame == nDone;
}
