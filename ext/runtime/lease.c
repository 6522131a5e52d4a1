/*
** lease.c - what one owner has at a time, for a while: (name, owner, token,
** until).
**
** The token is a number that no other lease of the database ever had, and
** larger than all before it (steward_fences). Whoever does something under a
** lease passes the token on, and what it writes to refuses a smaller one than
** it has seen: a late owner is fenced off. Jobs take their numbers here, too.
**
** The tables are those of the set jobs; the statements are in sql/lock.sql.
*/
#include "steward_int.h"

/* A number that no lease has had. */
i64 steward_fence(StewardCall *c) {
  return steward_int(c, SQL_fence_next, 0, "");
}

/* Remove what expired until now, of owners that are gone for good: at most
** nMax rows that eFind finds, each by its first two columns.  How many. */
i64 steward_lease_forget(StewardCall *c, enum StewardSqlId eFind,
                         enum StewardSqlId eForget, i64 nMax) {
  i64 iNow = steward_now(c->p), n = 0;
  for (; n < nMax && c->rc == SQLITE_OK; n++) {
    sqlite3_stmt *s = steward_query(c, eFind, "l", iNow);
    char *zName = NULL;
    sqlite3_value *pKey = NULL;
    if (steward_next(c, s)) {
      zName = steward_mprintf(c, "%s", steward_column(c, s, 0));
      pKey = sqlite3_value_dup(sqlite3_column_value(s, 1));
      if (pKey == NULL) steward_fail_nomem(c);
    }
    steward_give(c, eFind, s);
    if (pKey) steward_run(c, eForget, "tvl", zName, pKey, iNow);
    sqlite3_free(zName);
    sqlite3_value_free(pKey);
    if (pKey == NULL) break;
  }
  return n;
}

/* The keeper's part of it, as every acquisition does some. */
i64 lock_upkeep(StewardCall *c) {
  enum { FORGET = 128 };
  return steward_lease_forget(c, SQL_lock_expired, SQL_lock_forget, FORGET) +
         steward_lease_forget(c, SQL_lock_rows_expired, SQL_lock_row_forget,
                              FORGET);
}

/* Take one of nSlot slots; the token, or 0 when all are held by others.  An
** owner that has a slot gets that one again, with a new token. */
i64 steward_lease_take(StewardCall *c, const char *zName, const char *zOwner,
                       i64 iTtl, i64 nSlot) {
  i64 iNow = steward_now(c->p), iToken;
  i64 iSlot =
      steward_int(c, SQL_lock_slot, 0, "ttll", zName, zOwner, iNow, nSlot);
  if (iSlot == 0) return 0;
  steward_lease_forget(c, SQL_lock_expired, SQL_lock_forget, 4);
  iToken = steward_fence(c);
  steward_run(c, SQL_lock_take, "tltlll", zName, iSlot, zOwner, iToken, iNow,
              iNow + iTtl);
  return iToken;
}

/* Say who has the lock now. */
static void fail_lost(StewardCall *c, const char *zName, i64 iToken) {
  i64 iNow = steward_now(c->p);
  sqlite3_stmt *s = steward_query(c, SQL_lock_row, "tl", zName, iToken);
  if (!steward_next(c, s)) {
    steward_fail(c, STEWARD_LEASE_LOST,
                 "nobody holds lock '%s' any more, token %lld neither: acquire "
                 "it again",
                 zName, iToken);
  } else if (sqlite3_column_int64(s, 1) == iToken) {
    steward_fail(
        c, STEWARD_LEASE_LOST,
        "token %lld of lock '%s' expired %lld ms ago: acquire it again", iToken,
        zName, iNow - sqlite3_column_int64(s, 2));
  } else {
    steward_fail(c, STEWARD_LEASE_LOST,
                 "token %lld does not hold lock '%s', which '%s' has under "
                 "token %lld: acquire it again",
                 iToken, zName, steward_column(c, s, 0),
                 sqlite3_column_int64(s, 1));
  }
  steward_give(c, SQL_lock_row, s);
}

/* Keep it for another iTtl ms, if it has not expired. */
void steward_lease_renew(StewardCall *c, const char *zName, i64 iToken,
                         i64 iTtl) {
  i64 iNow = steward_now(c->p);
  steward_run(c, SQL_lock_extend, "tlll", zName, iToken, iNow + iTtl, iNow);
  if (c->rc == SQLITE_OK && sqlite3_changes(c->db) == 0) {
    fail_lost(c, zName, iToken);
  }
}

/* Hand it back; one that has expired, and that nobody has taken, too. */
void steward_lease_give(StewardCall *c, const char *zName, i64 iToken) {
  steward_run(c, SQL_lock_give, "tl", zName, iToken);
  if (c->rc == SQLITE_OK && sqlite3_changes(c->db) == 0) {
    fail_lost(c, zName, iToken);
  }
}
