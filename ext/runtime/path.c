/*
** path.c - paths that come from SQL: which file is meant, and may it be?
**
** A path is resolved first, with its symlinks and "..", and then compared with
** the directories of the setting `directories`, which are resolved, too.
*/
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "steward_int.h"

/* Fail where a path is that of a file that SQLite keeps beside a database.  To
** open it and close it again would drop the locks that the process has there;
** what is written under such a name, SQLite takes for its own. */
void steward_path_plain(StewardCall *c, const char *zPath) {
  static const char *const azSuffix[] = {"-shm", "-wal", "-journal"};
  size_t n = zPath ? strlen(zPath) : 0;
  struct stat st;
  int i;
  for (i = 0; i < ArraySize(azSuffix) && c->rc == SQLITE_OK; i++) {
    size_t nSuffix = strlen(azSuffix[i]);
    char *zDatabase;
    if (n <= nSuffix || strcmp(zPath + n - nSuffix, azSuffix[i])) continue;
    zDatabase = steward_mprintf(c, "%.*s", (int)(n - nSuffix), zPath);
    if (zDatabase && stat(zDatabase, &st) == 0) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "'%s' is the name of a file that SQLite keeps for '%s': "
                   "give the path of a database",
                   zPath, zDatabase);
    }
    sqlite3_free(zDatabase);
  }
}

static char *resolve(StewardCall *c, const char *zPath, int bExists) {
  char zReal[PATH_MAX];
  struct stat st;
  const char *zSlash;
  char *zDirectory;
  if (c->rc) return NULL;
  if (zPath[0] == 0 || strcmp(zPath, ":memory:") == 0 ||
      strncmp(zPath, "file:", 5) == 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "path must be that of a file, got '%s'", zPath);
    return NULL;
  }
  if (realpath(zPath, zReal)) return steward_mprintf(c, "%s", zReal);
  if (errno == ENOENT && !bExists && lstat(zPath, &st) == 0) {
    /* SQLite would follow it, wherever it leads */
    steward_fail(c, STEWARD_NOT_FOUND,
                 "'%s' is a symbolic link to a file that is not there: give "
                 "the path of that file",
                 zPath);
    return NULL;
  }
  if (errno == ENOENT && !bExists) {
    zSlash = strrchr(zPath, '/');
    zDirectory = zSlash
                     ? steward_mprintf(c, "%.*s/", (int)(zSlash - zPath), zPath)
                     : steward_mprintf(c, ".");
    if (zDirectory && realpath(zDirectory, zReal)) {
      sqlite3_free(zDirectory);
      return steward_mprintf(c, "%s/%s", zReal[1] ? zReal : "",
                             zSlash ? zSlash + 1 : zPath);
    }
    sqlite3_free(zDirectory);
  }
  steward_fail(c, STEWARD_NOT_FOUND, "there is no file '%s': %s", zPath,
               strerror(errno));
  return NULL;
}

/* The resolved path of a file, of a file to be made where bExists is 0.  Caller
** frees; NULL when the call has failed. */
char *steward_path_real(StewardCall *c, const char *zPath, int bExists) {
  char *zReal = resolve(c, zPath, bExists);
  steward_path_plain(c, zReal);
  if (c->rc) {
    sqlite3_free(zReal);
    zReal = NULL;
  }
  return zReal;
}

/* Is a resolved path below a directory? */
static int is_below(const char *zReal, const char *zDirectory) {
  char zTop[PATH_MAX];
  size_t n;
  if (realpath(zDirectory, zTop) == NULL) return 0;
  n = strlen(zTop);
  if (n == 1) return 1; /* the root */
  return strncmp(zReal, zTop, n) == 0 && zReal[n] == '/';
}

/* Is it in a directory of the setting, a JSON array? */
static int in_setting(StewardCall *c, const char *zReal,
                      const char *zDirectories) {
  sqlite3_stmt *pStmt = steward_query(c, SQL_path_each, "t", zDirectories);
  int bFound = 0;
  while (!bFound && steward_next(c, pStmt)) {
    const char *z = steward_column(c, pStmt, 0);
    bFound = z && is_below(zReal, z);
  }
  steward_give(c, SQL_path_each, pStmt);
  return bFound;
}

/* Is it beside the database, or below? */
static int beside_main(StewardCall *c, const char *zReal) {
  const char *zMain = sqlite3_db_filename(c->db, "main");
  const char *zSlash = zMain ? strrchr(zMain, '/') : NULL;
  char *zDirectory;
  int bBelow;
  if (zSlash == NULL) return 0;
  zDirectory = steward_mprintf(c, "%.*s/", (int)(zSlash - zMain), zMain);
  bBelow = zDirectory && is_below(zReal, zDirectory);
  sqlite3_free(zDirectory);
  return bBelow;
}

/* The resolved path of a file that SQL may use: below a directory of the
** setting; where that is not set, beside the database or below.  Caller frees;
** NULL when the call has failed. */
char *steward_path_allowed(StewardCall *c, const char *zPath, int bExists) {
  char *zDirectories = steward_setting_text(c, "directories");
  char *zReal = steward_path_real(c, zPath, bExists);
  int bAllowed;
  if (zReal == NULL) {
    sqlite3_free(zDirectories);
    return NULL;
  }
  bAllowed =
      zDirectories ? in_setting(c, zReal, zDirectories) : beside_main(c, zReal);
  if (c->rc == SQLITE_OK && !bAllowed) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "'%s' is in none of the directories that SQL may use%s: "
                 "SELECT steward_setting('directories', '[\"/a\",\"/b\"]') "
                 "names others",
                 zReal, zDirectories ? "" : ", which is that of this database");
  }
  sqlite3_free(zDirectories);
  if (c->rc) {
    sqlite3_free(zReal);
    zReal = NULL;
  }
  return zReal;
}

/* The same for a file that SQL makes, which may be anywhere until the setting
** says where. */
void steward_path_check(StewardCall *c, const char *zPath) {
  char *zDirectories = steward_setting_text(c, "directories");
  if (zDirectories) sqlite3_free(steward_path_allowed(c, zPath, 0));
  sqlite3_free(zDirectories);
}

/* Free bytes of the filesystem of a path, and how many percent of it are in
** use; 0 when that is not known. */
int steward_disk(const char *zPath, i64 *pnFree, double *prUsed) {
  struct statvfs fs;
  if (zPath == NULL || statvfs(zPath, &fs) || fs.f_blocks == 0) return 0;
  *pnFree = (i64)fs.f_bavail * (i64)fs.f_frsize;
  if (prUsed) {
    *prUsed = 100.0 - 100.0 * (double)fs.f_bavail / (double)fs.f_blocks;
  }
  return 1;
}
