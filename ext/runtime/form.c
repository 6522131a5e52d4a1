/*
** form.c - what was made out of the schema of a table, kept for the next call.
**
** A verb that takes the name of a table of the application reads the schema
** and compiles statements, which costs far more than running them.  The result
** is a form: a struct of the verb's own that begins with a StewardForm.
**
**     f = steward_form_take(c, delta_form_free, zTable);   NULL: make one
**     ... use it ...
**     steward_form_give(c, f, bKeep);                      0: free it
**
** Forms belong to the owner table of stmt.c, as cached statements do, and are
** freed with them.  A form that is taken is off the list, so a call inside the
** call makes one of its own.  The list is bounded; the form that was not used
** for the longest time goes first.
**
** Of a change of the schema SQLite itself tells: it prepares a statement again
** and counts that.  So whoever takes a form steps a statement of it, asks
** steward_form_stale(), and makes a new form when it says so.
**
** Only the code in this file writes pForm.
*/
#include "steward_int.h"

enum { FORMS_MAX = 16 };

/* The kept form of zTable that xFree frees, or NULL. */
StewardForm *steward_form_take(StewardCall *c, void (*xFree)(StewardForm *),
                               const char *zTable) {
  StewardForm **pp = &c->p->pForm;
  if (c->rc) return NULL;
  for (; *pp; pp = &(*pp)->pNext) {
    StewardForm *f = *pp;
    if (f->xFree == xFree && sqlite3_stricmp(f->zTable, zTable) == 0) {
      *pp = f->pNext;
      f->pNext = NULL;
      return f;
    }
  }
  return NULL;
}

/* Keep a form, or free it.  NULL is allowed.  Its statements must have been
** reset. */
void steward_form_give(StewardCall *c, StewardForm *f, int bKeep) {
  StewardForm **pp = &c->p->pForm;
  int n = 1;
  if (f == NULL) return;
  if (!bKeep || !steward_owner_ready(c->p)) {
    f->xFree(f);
    return;
  }
  while (*pp) {
    StewardForm *pOld = *pp;
    int bSame = pOld->xFree == f->xFree &&
                sqlite3_stricmp(pOld->zTable, f->zTable) == 0;
    if (bSame || ++n > FORMS_MAX) {
      *pp = pOld->pNext;
      pOld->xFree(pOld);
    } else {
      pp = &pOld->pNext;
    }
  }
  f->pNext = c->p->pForm;
  c->p->pForm = f;
}

/* Was pStmt prepared again since the form was made? */
int steward_form_stale(sqlite3_stmt *pStmt) {
  return sqlite3_stmt_status(pStmt, SQLITE_STMTSTATUS_REPREPARE, 0) > 0;
}

/* The owner table goes. */
void steward_forms_free(Steward *p) {
  while (p->pForm) {
    StewardForm *f = p->pForm;
    p->pForm = f->pNext;
    f->xFree(f);
  }
}
