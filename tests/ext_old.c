/*
** ext_old.c - an extension that pretends to be an older SQLite: it loads the
** library named by $STEWARD_SO with a table of functions whose version says
** 3.39.4, and passes on what the library answers.  For capi.c.
*/
#include <dlfcn.h>
#include <stdlib.h>

#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

static int old_number(void) {
  return 3039004;
}

static const char *old_version(void) {
  return "3.39.4";
}

__attribute__((visibility("default"))) int sqlite3_extension_init(
    sqlite3 *db, char **pzErr, const sqlite3_api_routines *pApi);

int sqlite3_extension_init(sqlite3 *db, char **pzErr,
                           const sqlite3_api_routines *pApi) {
  typedef int (*Init)(sqlite3 *, char **, const sqlite3_api_routines *);
  static sqlite3_api_routines old;
  void *pLibrary = dlopen(getenv("STEWARD_SO"), RTLD_NOW);
  Init xInit;
  SQLITE_EXTENSION_INIT2(pApi);
  old = *pApi;
  old.libversion_number = old_number;
  old.libversion = old_version;
  if (pLibrary == NULL) return SQLITE_CANTOPEN;
  *(void **)&xInit = dlsym(pLibrary, "sqlite3_steward_init");
  return xInit(db, pzErr, &old);
}
