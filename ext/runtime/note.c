/*
** note.c - what a call for the whole database did, in the keeper's log, which
** keeps the newest keeper_log_rows of everything.
**
** What steward_tick calls is noted by it (ext/keeper.c), with how it ended.
*/
#include "steward_int.h"

/* Can this connection write there?  Inside a read transaction it could not
** wait. */
static int log_open(StewardCall *c) {
  int eTxn = sqlite3_txn_state(c->db, "main");
  int bAlone = sqlite3_get_autocommit(c->db) && eTxn == SQLITE_TXN_NONE;
  return c->p->nTick == 0 && sqlite3_db_readonly(c->db, "main") != 1 &&
         (bAlone || eTxn == SQLITE_TXN_WRITE) && !steward_on_dqlite(c->p) &&
         steward_int(c, SQL_introspect_object, 0, "t", "steward_keeper_log");
}

/* Note that zWork was done, in rMs (negative: not told), with a result, or that
** it failed.  What was done stays done where the log is locked for as long as
** the busy timeout says: then there is no note of it. */
void steward_note(StewardCall *c, const char *zWork, double rMs,
                  const char *zResult, const char *zError) {
  StewardCall own = {.p = c->p, .db = c->db, .zFunc = c->zFunc};
  int bOpen = log_open(&own);
  if (bOpen && rMs < 0) {
    steward_run(&own, SQL_keeper_log_add, "lttntt", steward_now(c->p), zWork,
                c->p->zKeeper, zResult, zError);
  } else if (bOpen) {
    steward_run(&own, SQL_keeper_log_add, "lttdtt", steward_now(c->p), zWork,
                c->p->zKeeper, rMs, zResult, zError);
  }
  steward_forgive_busy(&own);
  steward_adopt(c, &own);
}
