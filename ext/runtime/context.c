/*
** context.c - the one Steward of a connection, and registration.
**
** The context is made by the entry point and freed by the destructor of the
** owner table's module, the last thing of ours that a closing connection
** destroys (function destructors run before it); functions borrow it.
**
** The contexts of connections that the host opened are counted: when the last
** one goes, what the library keeps for the process goes, too.
*/
#include <assert.h>
#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>

#include "steward_int.h"

static atomic_int nUser;              /* contexts that are not the pool's */
static _Atomic(void (*)(void)) xIdle; /* called when they are none */
static _Thread_local int bPooling;    /* this thread opens one of the pool's */
static _Thread_local Steward *pMade;  /* the last one that it made */

Steward *steward_new(sqlite3 *db) {
  Steward *p = sqlite3_malloc64(sizeof(*p));
  if (p == NULL) return NULL;
  memset(p, 0, sizeof(*p));
  p->db = db;
  p->bPooled = bPooling;
  pMade = p;
  if (!p->bPooled) atomic_fetch_add(&nUser, 1);
  return p;
}

/* Contexts that this thread makes from now on are the pool's, or are not; the
** one made last since then. */
Steward *steward_pooling(int bOn) {
  Steward *p = bOn ? NULL : pMade;
  bPooling = bOn;
  pMade = NULL;
  return p;
}

/* Have x called when no connection of the host has the library any more. */
void steward_when_idle(void (*x)(void)) {
  atomic_store(&xIdle, x);
}

/* Destructor.  The owner table has finalized the statements already. */
void steward_free(void *pSteward) {
  Steward *p = pSteward;
  void (*x)(void) = NULL;
  if (p == NULL) return;
  keeper_free(p);
  stream_log_free(p);
  if (p->xCaptureFree) p->xCaptureFree(p->pCapture);
  if (p->xIoFree) p->xIoFree(p->pIo);
  sqlite3_free(p->pStore);
  if (!p->bPooled && atomic_fetch_sub(&nUser, 1) == 1) x = atomic_load(&xIdle);
  sqlite3_free(p);
  if (x) x();
}

/* SQLite 3.45 and later want to know which functions give their result a
** subtype (ours: JSON); older ones ignore the flag. */
#ifndef SQLITE_RESULT_SUBTYPE
#define SQLITE_RESULT_SUBTYPE 0x001000000
#endif

/* Register every arity of every function; stop at the first error. */
int steward_register_functions(Steward *p, const StewardFunc *aFunc, int n) {
  static const int aFlags[] = {
      [STEWARD_INNOCUOUS] = SQLITE_INNOCUOUS | SQLITE_DETERMINISTIC,
      [STEWARD_PLAIN] = 0,
      [STEWARD_DIRECTONLY] = SQLITE_DIRECTONLY,
  };
  int rc = SQLITE_OK;
  int i, nArg;
  assert(p->nList < ArraySize(p->aList));
  p->aList[p->nList].aFunc = aFunc;
  p->aList[p->nList++].n = n;
  for (i = 0; i < n && rc == SQLITE_OK; i++) {
    const StewardFunc *f = &aFunc[i];
    for (nArg = f->nMin; nArg <= f->nMax && rc == SQLITE_OK; nArg++) {
      rc = sqlite3_create_function_v2(p->db, f->zName, nArg,
                                      SQLITE_UTF8 | SQLITE_RESULT_SUBTYPE |
                                          aFlags[f->eRisk],
                                      p, f->xFunc, NULL, NULL, NULL);
    }
  }
  return rc;
}

/* An aggregate of its arguments alone. */
int steward_register_aggregate(Steward *p, const char *zName, int nArg,
                               void (*xStep)(sqlite3_context *, int,
                                             sqlite3_value **),
                               void (*xFinal)(sqlite3_context *)) {
  return sqlite3_create_function_v2(p->db, zName, nArg,
                                    SQLITE_UTF8 | SQLITE_RESULT_SUBTYPE |
                                        SQLITE_INNOCUOUS | SQLITE_DETERMINISTIC,
                                    p, NULL, xStep, xFinal, NULL);
}

/* The i-th registered function, NULL beyond the last. */
const StewardFunc *steward_function_at(Steward *p, int i) {
  int k;
  for (k = 0; k < p->nList; k++) {
    if (i < p->aList[k].n) return &p->aList[k].aFunc[i];
    i -= p->aList[k].n;
  }
  return NULL;
}

/* True when main lives on a dqlite VFS, where writes have rules of their own
** (see write_allowed() in write.c). */
int steward_on_dqlite(Steward *p) {
  if (p->eVfs == 0) {
    sqlite3_vfs *pVfs = NULL;
    sqlite3_file_control(p->db, "main", SQLITE_FCNTL_VFS_POINTER, &pVfs);
    p->eVfs = 1;
    if (pVfs && pVfs->zName && strncmp(pVfs->zName, "dqlite-", 7) == 0) {
      p->eVfs = 2;
    }
  }
  return p->eVfs == 2;
}

/* The version of the dqlite that the process runs on, 11802 for 1.18.2; 0: not
** known.  No SQL tells it.  Where libdqlite is a shared library of the process,
** as it is for every node that Debian's or Canonical's packages run, its own
** function does; a node that has it linked in statically without its symbols
** says nothing, and counts as old. */
int steward_dqlite_version(void) {
  int (*xVersion)(void) = NULL;
  *(void **)&xVersion = dlsym(RTLD_DEFAULT, "dqlite_version_number");
  return xVersion ? xVersion() : 0;
}

/* The absolute path of main, or ":memory:" when it has no file; it is the
** connection's. */
const char *steward_db_file(Steward *p) {
  const char *zFile = sqlite3_db_filename(p->db, "main");
  return zFile && zFile[0] ? zFile : ":memory:";
}

/* A copy of it; caller frees. */
char *steward_db_path(Steward *p) {
  return sqlite3_mprintf("%s", steward_db_file(p));
}
