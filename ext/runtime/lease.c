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

/* Locks of owners that are gone for good: a few of them at each acquisition. */
static void forget_expired(StewardCall *c, i64 iNow) {
  enum { FORGET = 4 };
  char *azName[FORGET];
  i64 aSlot[FORGET];
  int i, n = 0;
  sqlite3_stmt *s = steward_query(c, SQL_lock_expired, "l", iNow);
  while (n < FORGET && steward_next(c, s)) {
    azName[n] = steward_mprintf(c, "%s", steward_column(c, s, 0));
    aSlot[n++] = sqlite3_column_int64(s, 1);
  }
  steward_give(c, SQL_lock_expired, s);
  for (i = 0; i < n; i++) {
    steward_run(c, SQL_lock_forget, "tll", azName[i], aSlot[i], iNow);
    sqlite3_free(azName[i]);
  }
}

/* Take one of nSlot slots; the token, or 0 when all are held by others.  An
** owner that has a slot gets that one again, with a new token. */
i64 steward_lease_take(StewardCall *c, const char *zName, const char *zOwner,
                       i64 iTtl, i64 nSlot) {
  i64 iNow = steward_now(c->p), iToken;
  i64 iSlot =
      steward_int(c, SQL_lock_slot, 0, "ttll", zName, zOwner, iNow, nSlot);
  if (iSlot == 0) return 0;
  forget_expired(c, iNow);
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
