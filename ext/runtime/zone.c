/*
** zone.c - time zones, from the system's zone data.
**
** A zone is a list of spans, in each of which its clocks are so far from UTC:
** the transitions of a TZif file (RFC 8536), and behind the last one the rule
** in its last line, in the form of POSIX' variable TZ. The environment's own TZ
** is neither read nor set; TZDIR, if set, is where the files are.
**
** NULL is the zone UTC, which needs no file. Dates are those of the Gregorian
** calendar, days count from 1970-01-01.
*/
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steward_int.h"

enum { FILE_MAX = 262144, TYPE_MAX = 256, OFFSET_MAX = 26 * 3600 };

/* When clocks change in a year. */
typedef struct ZoneDay {
  char eForm; /* M: week of a month, J: day without 29 February, 0: with it */
  int iMonth, iWeek, iDay;
  int iTime; /* seconds of local time */
} ZoneDay;

struct StewardZone {
  int nTime;
  i64 *aTime;           /* transitions; owned */
  unsigned char *aType; /* of each, the type behind it; owned with aTime */
  int aOffset[TYPE_MAX];
  int bRule;      /* the rule says what is behind the last transition ... */
  int iStd, iDst; /* ... these offsets ... */
  int bDst;
  ZoneDay aDay[2]; /* ... and when each year to the second one and back */
};

/*************************************************************************
** Dates
*/
i64 steward_date_days(i64 iYear, int iMonth, int iDay) {
  i64 y = iYear - (iMonth <= 2), iEra, iYoe, iDoy;
  iEra = (y >= 0 ? y : y - 399) / 400;
  iYoe = y - iEra * 400;
  iDoy = (153 * (iMonth + (iMonth > 2 ? -3 : 9)) + 2) / 5 + iDay - 1;
  return iEra * 146097 + iYoe * 365 + iYoe / 4 - iYoe / 100 + iDoy - 719468;
}

void steward_days_date(i64 iDays, i64 *piYear, int *piMonth, int *piDay) {
  i64 z = iDays + 719468, iEra, iDoe, iYoe, iDoy, iMp;
  iEra = (z >= 0 ? z : z - 146096) / 146097;
  iDoe = z - iEra * 146097;
  iYoe = (iDoe - iDoe / 1460 + iDoe / 36524 - iDoe / 146096) / 365;
  iDoy = iDoe - (365 * iYoe + iYoe / 4 - iYoe / 100);
  iMp = (5 * iDoy + 2) / 153;
  *piDay = (int)(iDoy - (153 * iMp + 2) / 5 + 1);
  *piMonth = (int)(iMp < 10 ? iMp + 3 : iMp - 9);
  *piYear = iYoe + iEra * 400 + (*piMonth <= 2);
}

static int leap(i64 y) {
  return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

int steward_month_days(i64 iYear, int iMonth) {
  static const int aDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return aDays[iMonth - 1] + (iMonth == 2 && leap(iYear));
}

/* 0 is Sunday. */
int steward_weekday(i64 iDays) {
  return (int)(((iDays + 4) % 7 + 7) % 7);
}

i64 steward_floor_div(i64 a, i64 b /* > 0 */) {
  return a / b - (a % b < 0);
}

/*************************************************************************
** The rule
*/
/* Digits at *pz, at most iMax; -1 when there are none or more. */
static int rule_number(const char **pz, int iMax) {
  int i = 0;
  const char *z = *pz;
  if (*z < '0' || *z > '9') return -1;
  for (; *z >= '0' && *z <= '9'; z++) {
    i = i * 10 + (*z - '0');
    if (i > iMax) return -1;
  }
  *pz = z;
  return i;
}

/* [+-]hh[:mm[:ss]] into seconds; 0 when it is none. */
static int rule_time(const char **pz, int iMaxHour, int *piSeconds) {
  int iSign = **pz == '-' ? -1 : 1, i, iUnit = 3600;
  if (**pz == '-' || **pz == '+') (*pz)++;
  if ((i = rule_number(pz, iMaxHour)) < 0) return 0;
  *piSeconds = i * 3600;
  while (**pz == ':' && iUnit > 1) {
    (*pz)++;
    iUnit /= 60;
    if ((i = rule_number(pz, 59)) < 0) return 0;
    *piSeconds += i * iUnit;
  }
  *piSeconds *= iSign;
  return 1;
}

/* A name of three letters or more, or one in <>. */
static int rule_name(const char **pz) {
  const char *z = *pz;
  int n = 0;
  if (*z == '<') {
    for (z++; *z && *z != '>'; z++) n++;
    if (*z++ != '>') return 0;
  } else {
    for (; (*z >= 'A' && *z <= 'Z') || (*z >= 'a' && *z <= 'z'); z++) n++;
  }
  *pz = z;
  return n >= 3;
}

/* ,M10.5.0/3 or ,J60 or ,59/1:30 */
static int rule_day(const char **pz, ZoneDay *p) {
  if (*(*pz)++ != ',') return 0;
  p->eForm = **pz == 'M' || **pz == 'J' ? *(*pz)++ : 0;
  p->iTime = 7200;
  if (p->eForm == 'M') {
    p->iMonth = rule_number(pz, 12);
    if (p->iMonth < 1 || *(*pz)++ != '.') return 0;
    p->iWeek = rule_number(pz, 5);
    if (p->iWeek < 1 || *(*pz)++ != '.') return 0;
    p->iDay = rule_number(pz, 6);
  } else {
    p->iDay = rule_number(pz, 365);
    if (p->eForm == 'J' && p->iDay < 1) return 0;
  }
  if (p->iDay < 0) return 0;
  if (**pz != '/') return 1;
  (*pz)++;
  return rule_time(pz, 167, &p->iTime);
}

/* The line of a file; 0 when it is no rule. */
static int read_rule(StewardZone *p, const char *z) {
  if (!rule_name(&z) || !rule_time(&z, 24, &p->iStd)) return 0;
  p->iStd = -p->iStd;
  if (*z) {
    p->bDst = 1;
    p->iDst = p->iStd + 3600;
    if (!rule_name(&z)) return 0;
    if (*z != ',') {
      if (!rule_time(&z, 24, &p->iDst)) return 0;
      p->iDst = -p->iDst;
    }
    if (!rule_day(&z, &p->aDay[0]) || !rule_day(&z, &p->aDay[1])) return 0;
  }
  p->bRule = *z == 0;
  return p->bRule;
}

/* When that day's change is in a year, in local time. */
static i64 rule_change(const ZoneDay *p, i64 iYear) {
  i64 iDays;
  if (p->eForm == 'M') {
    int nDay = steward_month_days(iYear, p->iMonth), iDay;
    iDays = steward_date_days(iYear, p->iMonth, 1);
    iDay = 1 + (p->iDay - steward_weekday(iDays) + 7) % 7 + 7 * (p->iWeek - 1);
    if (iDay > nDay) iDay -= 7;
    iDays += iDay - 1;
  } else {
    iDays = steward_date_days(iYear, 1, 1) + p->iDay;
    if (p->eForm == 'J' && !(leap(iYear) && p->iDay >= 60)) iDays--;
  }
  return iDays * 86400 + p->iTime;
}

/* The span of the rule around the time t, of which *pSpan has the least begin.
*/
static void rule_at(const StewardZone *p, i64 t, StewardSpan *pSpan) {
  i64 aAt[6] = {0}, iYear;
  int aOffset[6] = {0}, i, k, n = 0, iMonth, iDay;
  pSpan->iOffset = p->iStd;
  if (!p->bDst) return;
  steward_days_date(steward_floor_div(t + p->iStd, 86400), &iYear, &iMonth,
                    &iDay);
  for (iYear--, k = 0; k < 3; k++, iYear++) {
    for (i = 0; i < 2; i++) { /* stable: both may be at one moment */
      i64 iAt = rule_change(&p->aDay[i], iYear) - (i ? p->iDst : p->iStd);
      int j = n++;
      for (; j > 0 && aAt[j - 1] > iAt; j--) {
        aAt[j] = aAt[j - 1];
        aOffset[j] = aOffset[j - 1];
      }
      aAt[j] = iAt;
      aOffset[j] = i ? p->iStd : p->iDst;
    }
  }
  for (i = 0; i < n; i++) {
    if (aAt[i] > t) {
      pSpan->iEnd = aAt[i];
      return;
    }
    if (aAt[i] > pSpan->iBegin) pSpan->iBegin = aAt[i];
    pSpan->iOffset = aOffset[i];
  }
}

/* The span of a zone in which the time t (seconds) is. */
void steward_zone_at(const StewardZone *p, i64 t, StewardSpan *pSpan) {
  int iLow = 0, iHigh;
  pSpan->iOffset = 0;
  pSpan->iBegin = INT64_MIN / 4;
  pSpan->iEnd = INT64_MAX / 4;
  if (p == NULL) return;
  iHigh = p->nTime;
  while (iLow < iHigh) { /* how many transitions are not behind t */
    int iMiddle = (iLow + iHigh) / 2;
    if (p->aTime[iMiddle] <= t) {
      iLow = iMiddle + 1;
    } else {
      iHigh = iMiddle;
    }
  }
  if (iLow > 0) pSpan->iBegin = p->aTime[iLow - 1];
  if (iLow < p->nTime) pSpan->iEnd = p->aTime[iLow];
  pSpan->iOffset = p->aOffset[iLow > 0 ? p->aType[iLow - 1] : 0];
  if (iLow == p->nTime && p->bRule) rule_at(p, t, pSpan);
}

/*************************************************************************
** The file
*/
static i64 big_endian(const unsigned char *a, int n) {
  uint64_t i = (a[0] & 0x80) ? ~(uint64_t)0 : 0;
  for (; n > 0; n--) i = i << 8 | *a++;
  return (i64)i;
}

/* The counts in a header. */
typedef struct Header {
  i64 nUt, nStd, nLeap, nTime, nType, nChar;
} Header;

/* How long the data behind a header are; -1: they are not in the file. */
static i64 read_header(const unsigned char *a, i64 n, int nWidth, Header *h) {
  i64 nData;
  if (n < 44 || memcmp(a, "TZif", 4)) return -1;
  h->nUt = big_endian(a + 20, 4);
  h->nStd = big_endian(a + 24, 4);
  h->nLeap = big_endian(a + 28, 4);
  h->nTime = big_endian(a + 32, 4);
  h->nType = big_endian(a + 36, 4);
  h->nChar = big_endian(a + 40, 4);
  if (h->nUt < 0 || h->nStd < 0 || h->nLeap < 0 || h->nTime < 0 ||
      h->nType < 1 || h->nType > TYPE_MAX || h->nChar < 0) {
    return -1;
  }
  nData = h->nTime * (nWidth + 1) + h->nType * 6 + h->nChar +
          h->nLeap * (nWidth + 4) + h->nStd + h->nUt;
  return nData <= n - 44 ? nData : -1;
}

/* The transitions and types behind a header; 0 when they make no sense. */
static int read_data(StewardCall *c, StewardZone *p, const unsigned char *a,
                     int nWidth, const Header *h) {
  const unsigned char *aType = a + h->nTime * nWidth;
  const unsigned char *aInfo = aType + h->nTime;
  int i;
  p->nTime = (int)h->nTime;
  p->aTime = sqlite3_malloc64((sizeof(i64) + 1) * ((size_t)h->nTime + 1));
  if (p->aTime == NULL) {
    steward_fail_nomem(c);
    return 1;
  }
  p->aType = (unsigned char *)(p->aTime + h->nTime);
  for (i = 0; i < p->nTime; i++) {
    p->aTime[i] = big_endian(a + (i64)i * nWidth, nWidth);
    p->aType[i] = aType[i];
    if (aType[i] >= h->nType || (i && p->aTime[i] <= p->aTime[i - 1])) return 0;
  }
  for (i = 0; i < h->nType; i++) {
    i64 iOffset = big_endian(aInfo + (i64)i * 6, 4);
    if (iOffset < -OFFSET_MAX || iOffset > OFFSET_MAX) return 0;
    p->aOffset[i] = (int)iOffset;
  }
  return h->nLeap == 0;
}

/* A whole file; 0 when it is no zone. */
static int read_zone(StewardCall *c, StewardZone *p, const unsigned char *a,
                     i64 n) {
  Header h;
  i64 nData = read_header(a, n, 4, &h);
  char zRule[200];
  int nWidth = 4, i;
  if (nData < 0) return 0;
  if (a[4] >= '2') { /* the same again, in 64 bits, and the rule */
    a += 44 + nData;
    n -= 44 + nData;
    nWidth = 8;
    nData = read_header(a, n, 8, &h);
    if (nData < 0) return 0;
  }
  if (!read_data(c, p, a + 44, nWidth, &h)) return 0;
  if (nWidth == 4 || c->rc) return 1;
  a += 44 + nData;
  n -= 44 + nData;
  if (n < 2 || a[0] != '\n') return 0;
  for (i = 0; i + 1 < n && i + 1 < (int)sizeof(zRule) && a[i + 1] != '\n';
       i++) {
    zRule[i] = (char)a[i + 1];
  }
  if (i + 1 >= n || a[i + 1] != '\n') return 0;
  zRule[i] = 0;
  return i == 0 || read_rule(p, zRule);
}

/* Open the file of a zone, and say which directory it was looked for in. */
static int open_file(StewardCall *c, const char *zName, const char **pzDir) {
  static const char *const azDir[] = {
      "/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo"};
  const char *zSet = secure_getenv("TZDIR");
  int i, h = -1, bDir = 0;
  for (i = 0; h < 0 && i < (zSet ? 1 : ArraySize(azDir)); i++) {
    const char *zDir = zSet ? zSet : azDir[i];
    char *zPath = steward_mprintf(c, "%s/%s", zDir, zName);
    struct stat st;
    if (zPath == NULL) return -1;
    if (!bDir) *pzDir = zDir;
    bDir = bDir || stat(zDir, &st) == 0;
    h = open(zPath, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (h >= 0 && (fstat(h, &st) || !S_ISREG(st.st_mode))) {
      close(h);
      h = -1;
    }
    sqlite3_free(zPath);
  }
  if (h < 0 && !bDir) {
    steward_fail(c, STEWARD_UNSUPPORTED,
                 "this machine has no zone data (no directory %s), which zone "
                 "'%s' needs: install tzdata, or leave it at UTC",
                 *pzDir, zName);
  } else if (h < 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "there is no zone '%s' in %s: give a name like Europe/Berlin",
                 zName, *pzDir);
  }
  return h;
}

/* Letters, digits and _+-/, not beginning with / and without an empty part. */
static int zone_name_ok(const char *z) {
  size_t n = strlen(z);
  return n > 0 && n <= 100 && z[0] != '/' && z[n - 1] != '/' &&
         strstr(z, "//") == NULL &&
         strspn(z, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                   "0123456789_+-/") == n;
}

static i64 read_all(int h, unsigned char *a, i64 n) {
  i64 nRead = 0;
  while (nRead < n) {
    ssize_t i = read(h, a + nRead, (size_t)(n - nRead));
    if (i < 0 && errno == EINTR) continue;
    if (i <= 0) break;
    nRead += i;
  }
  return nRead;
}

/* A zone by its name, for steward_zone_free(); NULL: it is UTC, or the call has
** failed. */
StewardZone *steward_zone_open(StewardCall *c, const char *zName) {
  StewardZone *p;
  const char *zDir = "";
  unsigned char *a;
  int h, bOk;
  if (c->rc || strcmp(zName, "UTC") == 0) return NULL;
  if (!zone_name_ok(zName)) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "zone must be a name like Europe/Berlin, got '%.40s'", zName);
    return NULL;
  }
  h = open_file(c, zName, &zDir);
  if (h < 0) return NULL;
  p = sqlite3_malloc64(sizeof(*p));
  a = sqlite3_malloc64(FILE_MAX);
  if (p == NULL || a == NULL) {
    steward_fail_nomem(c);
  } else {
    memset(p, 0, sizeof(*p));
    bOk = read_zone(c, p, a, read_all(h, a, FILE_MAX));
    if (!bOk) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "%s/%s is no zone (or has leap seconds): give a name like "
                   "Europe/Berlin",
                   zDir, zName);
    }
  }
  close(h);
  sqlite3_free(a);
  if (c->rc) {
    steward_zone_free(p);
    p = NULL;
  }
  return p;
}

void steward_zone_free(StewardZone *p) {
  if (p) sqlite3_free(p->aTime);
  sqlite3_free(p);
}
