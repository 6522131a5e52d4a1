/*
** clock.c - what time it is, and how long a duration lasts.
**
** Time is an argument: every function reads the connection's clock, which
** steward_clock(ms) pins.  Unpinned it is the real clock, guarded: when the
** real clock jumps back, the connection's clock goes on at the pace of the
** monotonic one, so that a lease is never prolonged by a correction.
*/
#include <string.h>
#include <time.h>

#include "steward_int.h"

static i64 read_clock_us(clockid_t id) {
  struct timespec ts;
  clock_gettime(id, &ts);
  return (i64)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Microseconds that only go forward, for measuring durations. */
i64 steward_monotonic_us(void) {
  return read_clock_us(CLOCK_MONOTONIC);
}

/* Unix milliseconds as the connection sees them. */
i64 steward_now(Steward *p) {
  StewardClock *pClock = &p->clock;
  i64 iReal, iMono, iExpected;
  if (pClock->bPinned) return pClock->iPinned;
  iReal = read_clock_us(CLOCK_REALTIME) / 1000;
  iMono = steward_monotonic_us() / 1000;
  iExpected = pClock->iReal + (iMono - pClock->iMono);
  /* 2 s: slewing by NTP is not a jump */
  if (pClock->iReal && iReal < iExpected - 2000) iReal = iExpected;
  if (iReal < pClock->iReal) iReal = pClock->iReal;
  pClock->iReal = iReal;
  pClock->iMono = iMono;
  return iReal;
}

/* The clock as text, UTC, to the second; valid until the next call. */
const char *steward_stamp(Steward *p) {
  StewardClock *pClock = &p->clock;
  i64 iNow = steward_now(p) / 1000;
  time_t t = (time_t)iNow;
  struct tm tm;
  if (pClock->zStamp[0] && pClock->iStamp == iNow) return pClock->zStamp;
  if (gmtime_r(&t, &tm) == NULL) memset(&tm, 0, sizeof(tm));
  sqlite3_snprintf(sizeof(pClock->zStamp), pClock->zStamp,
                   "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
  pClock->iStamp = iNow;
  return pClock->zStamp;
}

#define DURATION_MAX 10000000000000LL /* ms, three centuries */

typedef struct DurationUnit {
  const char *zUnit;
  i64 iMs;
} DurationUnit;

/* Read one `number unit` pair of z[0..n) and add it to *piMs; returns the
** bytes used, or 0 when it is none. */
static int duration_part(const char *z, int n, const DurationUnit *aUnit,
                         int nUnit, i64 *piMs) {
  i64 iValue = 0;
  int i = 0, k, nWord;
  while (i < n && z[i] >= '0' && z[i] <= '9') {
    iValue = iValue * 10 + (z[i++] - '0');
    if (iValue > DURATION_MAX) return 0;
  }
  if (i == 0) return 0;
  for (nWord = 0; i + nWord < n; nWord++) {
    char ch = z[i + nWord];
    if ((ch >= '0' && ch <= '9') || ch == 'T' || ch == 't') break;
  }
  for (k = 0; k < nUnit; k++) {
    if ((int)strlen(aUnit[k].zUnit) != nWord) continue;
    if (sqlite3_strnicmp(aUnit[k].zUnit, z + i, nWord)) continue;
    if (iValue > DURATION_MAX / aUnit[k].iMs) return 0;
    *piMs += iValue * aUnit[k].iMs;
    return i + nWord;
  }
  return 0;
}

/* Milliseconds of '250ms', '15m', '1h30m', '30d', '2w', 'PT15M', 'P1DT2H' or
** plain digits (ms already).  SQLITE_ERROR when z is none of these. */
int steward_duration(const char *z, int n, i64 *piMs /* OUT */) {
  static const DurationUnit aShort[] = {{"ms", 1},       {"s", 1000},
                                        {"m", 60000},    {"h", 3600000},
                                        {"d", 86400000}, {"w", 604800000}};
  static const DurationUnit aBare[] = {{"", 1}};
  static const DurationUnit aDate[] = {{"D", 86400000}, {"W", 604800000}};
  static const DurationUnit aTime[] = {
      {"S", 1000}, {"M", 60000}, {"H", 3600000}};
  int bNegative = n > 1 && z[0] == '-';
  int bIso, bTime = 0, nUsed;
  *piMs = 0;
  if (bNegative) {
    z++;
    n--;
  }
  if (n <= 0) return SQLITE_ERROR;
  bIso = n > 2 && (z[0] == 'P' || z[0] == 'p');
  if (bIso) {
    z++;
    n--;
  }
  if (!bIso && duration_part(z, n, aBare, 1, piMs) == n) n = 0;
  while (n > 0) {
    if (bIso && !bTime && (z[0] == 'T' || z[0] == 't') && n > 1) {
      bTime = 1;
      nUsed = 1;
    } else if (!bIso) {
      nUsed = duration_part(z, n, aShort, ArraySize(aShort), piMs);
    } else if (bTime) {
      nUsed = duration_part(z, n, aTime, ArraySize(aTime), piMs);
    } else {
      nUsed = duration_part(z, n, aDate, ArraySize(aDate), piMs);
    }
    if (nUsed == 0 || *piMs > DURATION_MAX) return SQLITE_ERROR;
    z += nUsed;
    n -= nUsed;
  }
  if (bNegative) *piMs = -*piMs;
  return SQLITE_OK;
}
