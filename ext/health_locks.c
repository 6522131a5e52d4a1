/*
** health_locks.c - which other processes hold locks on the file.
**
** A transaction keeps a POSIX lock on some bytes of the file or, in WAL mode,
** of its -shm; /proc/locks lists them, so nothing of the database is opened.
** The locks of this process are left out: they are ours, too.  Where there is
** no /proc/locks nobody is seen.
*/
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "health_int.h"

/* The bytes that SQLite locks: unixShmLock() and os.h. */
enum {
  SHM_WRITE = 120,
  SHM_READ_FIRST = 123,
  SHM_READ_LAST = 127,
  FILE_RESERVED = 0x40000001,
  FILE_SHARED = 0x40000002
};

/* What a lock on these bytes is for; NULL: nothing that lasts. */
static const char *held(int bWal, long long iFirst) {
  if (bWal) {
    if (iFirst == SHM_WRITE) return "write";
    return iFirst >= SHM_READ_FIRST && iFirst <= SHM_READ_LAST ? "read" : NULL;
  }
  if (iFirst == FILE_RESERVED) return "write";
  return iFirst == FILE_SHARED ? "read" : NULL;
}

/* The name of a process, "" when it is not known. */
static void process_name(int iPid, char *zName, int nName) {
  char zPath[40];
  FILE *f;
  sqlite3_snprintf(sizeof(zPath), zPath, "/proc/%d/comm", iPid);
  zName[0] = 0;
  f = fopen(zPath, "re");
  if (f == NULL) return;
  if (fgets(zName, nName, f)) zName[strcspn(zName, "\n")] = 0;
  fclose(f);
}

static void add_holder(StewardCall *c, sqlite3_str *pOut, int iPid,
                       const char *zHolds) {
  char zName[64];
  process_name(iPid, zName, sizeof(zName));
  if (sqlite3_str_length(pOut) > 1) sqlite3_str_appendchar(pOut, 1, ',');
  sqlite3_str_appendf(pOut, "{\"pid\":%d,\"process\":", iPid);
  steward_json_string(pOut, zName, (int)strlen(zName));
  sqlite3_str_appendf(pOut, ",\"holds\":\"%s\"}", zHolds);
}

/* The list as JSON; caller frees. */
char *health_holders(StewardCall *c) {
  const char *zFile = sqlite3_db_filename(c->db, "main");
  char *zShm = zFile && zFile[0] ? steward_mprintf(c, "%s-shm", zFile) : NULL;
  sqlite3_str *pOut = sqlite3_str_new(c->db);
  struct stat st;
  int bWal = zShm && stat(zShm, &st) == 0;
  char zLine[200];
  FILE *f = NULL;
  sqlite3_str_appendchar(pOut, 1, '[');
  if (zShm && (bWal || stat(zFile, &st) == 0)) f = fopen("/proc/locks", "re");
  while (f && fgets(zLine, sizeof(zLine), f)) {
    int iPid;
    unsigned iMajor, iMinor;
    unsigned long long iNode;
    long long iFirst;
    const char *zHolds;
    if (sscanf(zLine, "%*d: %*s %*s %*s %d %x:%x:%llu %lld", &iPid, &iMajor,
               &iMinor, &iNode, &iFirst) != 5) {
      continue;
    }
    zHolds = held(bWal, iFirst);
    if (zHolds && iNode == st.st_ino && iMajor == major(st.st_dev) &&
        iMinor == minor(st.st_dev) && iPid != (int)getpid()) {
      add_holder(c, pOut, iPid, zHolds);
    }
  }
  if (f) fclose(f);
  sqlite3_free(zShm);
  sqlite3_str_appendchar(pOut, 1, ']');
  return steward_str_finish(c, pOut);
}
