/*
** job_cron.c - when a recurring job runs: cron expressions and intervals.
**
**     [second] minute hour day month weekday      @every 90s      @daily
**
** A field is a list of numbers, names (jan .. dec, sun .. sat), ranges a-b and
** steps (*, a-b or a, then /n; a/n goes on to the end); day may be L (the last)
** or L-3, weekday 5L (the last Friday) or 5#2 (the second). Weekday 7 is
** Sunday, too. As in cron, a day is meant by day or by weekday, whichever
** comes, when neither of the two begins with * (? is the same as *), else by
** both.
**
** A zone's clocks jump. A spec whose hour is every hour goes by the clock on
** the wall minute by minute, so nothing of it is lost or doubled in real time.
** Any other one means times of day: each comes once. One that the clocks jump
** over comes at the moment after the jump (several: once), one that they show
** twice comes the first time.
*/
#include <string.h>

#include "job_int.h"

typedef struct Field {
  const char *zName;
  int iMin, iMax;
  const char *zWords; /* of three letters each, from iMin */
} Field;

enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY };

static const Field aField[] = {
    {"second", 0, 59, NULL},
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day", 1, 31, NULL},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"weekday", 0, 7, "sunmontuewedthufrisat"},
};

/* A parser that stands somewhere in a field. */
typedef struct Parser {
  StewardCall *c;
  const char *zSpec;
  const char *z;
  const Field *f;
} Parser;

static int is_end(char ch) {
  return ch == 0 || ch == ' ' || ch == '\t';
}

static void fail_field(Parser *p, const char *zWanted) {
  int n = 0;
  while (!is_end(p->z[n]) && p->z[n] != ',' && n < 20) n++;
  steward_fail(p->c, STEWARD_INVALID_ARGUMENT,
               "spec '%.80s': the %s must be %s, got '%.*s'", p->zSpec,
               p->f->zName, zWanted, n, p->z);
}

/* A number or a name of the field; -1: there is none. */
static int read_value(Parser *p) {
  const char *z = p->z;
  int i = 0;
  if (*z >= '0' && *z <= '9') {
    for (; *z >= '0' && *z <= '9' && i < 1000; z++) i = i * 10 + (*z - '0');
  } else if (p->f->zWords) {
    while (p->f->zWords[i * 3] && sqlite3_strnicmp(z, p->f->zWords + i * 3, 3))
      i++;
    if (p->f->zWords[i * 3] == 0) return -1;
    i += p->f->iMin;
    z += 3;
  } else {
    return -1;
  }
  if (i < p->f->iMin || i > p->f->iMax) return -1;
  p->z = z;
  return i;
}

/* Digits of a step or of what follows L- or #; -1: there are none. */
static int read_number(Parser *p, int iMin, int iMax) {
  int i = 0;
  const char *z = p->z;
  if (*z < '0' || *z > '9') return -1;
  for (; *z >= '0' && *z <= '9' && i < 1000; z++) i = i * 10 + (*z - '0');
  if (i < iMin || i > iMax) return -1;
  p->z = z;
  return i;
}

/* L or L-n of a day; 5L or 5#2 of a weekday, iValue being read. */
static int read_special(Parser *p, JobCron *pCron, int iValue) {
  int iField = (int)(p->f - aField), i = 0;
  if (iField == DAY && iValue < 0 && (*p->z == 'L' || *p->z == 'l')) {
    p->z++;
    if (*p->z == '-') {
      p->z++;
      i = read_number(p, 1, 30);
      if (i < 0) fail_field(p, "L-1 to L-30 before the last day");
    }
    if (i >= 0) pCron->mLast |= 1u << i;
    return 1;
  }
  if (iField != WEEKDAY || iValue < 0) return 0;
  if (*p->z == 'L' || *p->z == 'l') {
    p->z++;
    pCron->aNth[iValue % 7] |= 1u << 6;
    return 1;
  }
  if (*p->z != '#') return 0;
  p->z++;
  i = read_number(p, 1, 5);
  if (i < 0) fail_field(p, "#1 to #5 of a month");
  if (i > 0) pCron->aNth[iValue % 7] |= 1u << i;
  return 1;
}

static int is_item_end(char ch) {
  return ch == ',' || is_end(ch);
}

/* What begins at zBegin is no item. */
static void fail_item(Parser *p, const char *zBegin) {
  const Field *f = p->f;
  char *zWanted = steward_mprintf(
      p->c, "within %d..%d%s, with ranges a-b, steps */n and lists a,b",
      f->iMin, f->iMax, f->zWords ? " or a name of three letters" : "");
  p->z = zBegin;
  fail_field(p, zWanted ? zWanted : "");
  sqlite3_free(zWanted);
}

/* One item of a list: its bits. */
static void read_item(Parser *p, JobCron *pCron, uint64_t *pm /* IN OUT */) {
  const Field *f = p->f;
  int bWeekday = f == &aField[WEEKDAY];
  int iFrom, iTo, iStep = 1, i;
  const char *zBegin = p->z;
  if (*p->z == '*' || (*p->z == '?' && (f == &aField[DAY] || bWeekday))) {
    p->z++;
    iFrom = f->iMin;
    iTo = bWeekday ? 6 : f->iMax;
  } else {
    iFrom = read_value(p);
    if (read_special(p, pCron, iFrom)) {
      if (!is_item_end(*p->z)) fail_item(p, zBegin);
      return;
    }
    iTo = iFrom;
    if (iFrom >= 0 && *p->z == '-') {
      p->z++;
      iTo = read_value(p);
      if (bWeekday && iTo == 0 && iFrom > 0) iTo = 7;
    } else if (iFrom >= 0 && *p->z == '/') {
      iTo = bWeekday ? 6 : f->iMax;
    }
  }
  if (iFrom >= 0 && iTo >= 0 && *p->z == '/') {
    p->z++;
    iStep = read_number(p, 1, f->iMax - f->iMin + 1);
  }
  if (iFrom < 0 || iTo < 0 || iStep < 0 || !is_item_end(*p->z)) {
    fail_item(p, zBegin);
  } else if (iTo < iFrom) {
    p->z = zBegin;
    fail_field(p, "a range from less to more (write 22-23,0-6)");
  }
  for (i = iFrom; i <= iTo && p->c->rc == SQLITE_OK; i += iStep) {
    *pm |= (uint64_t)1 << (bWeekday ? i % 7 : i);
  }
}

static uint64_t read_field(Parser *p, JobCron *pCron) {
  uint64_t m = 0;
  read_item(p, pCron, &m);
  while (p->c->rc == SQLITE_OK && *p->z == ',') {
    p->z++;
    read_item(p, pCron, &m);
  }
  return m;
}

/* Where fields begin, at most seven; how many there are. */
static int find_fields(const char *z, const char *azField[7]) {
  int n = 0;
  while (n < 7) {
    while (*z == ' ' || *z == '\t') z++;
    if (*z == 0) break;
    azField[n++] = z;
    while (!is_end(*z)) z++;
  }
  return n;
}

static void read_fields(StewardCall *c, JobCron *pCron, const char *zWhole,
                        const char *zSpec) {
  const char *az[7];
  int n = find_fields(zSpec, az), i;
  uint64_t am[6] = {1, 0, 0, 0, 0, 0}; /* in the second 0, unless it is said */
  if (n != 5 && n != 6) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "spec '%.80s' must be 5 fields (minute hour day month "
                 "weekday), 6 (second first), @every with a duration, @hourly, "
                 "@daily, @weekly, @monthly or @yearly",
                 zWhole);
    return;
  }
  for (i = 6 - n; i < 6 && c->rc == SQLITE_OK; i++) {
    Parser p = {c, zWhole, az[i - (6 - n)], &aField[i]};
    int bStar = *p.z == '*' || *p.z == '?';
    am[i] = read_field(&p, pCron);
    if (i == DAY) pCron->bDayStar = bStar;
    if (i == WEEKDAY) pCron->bWeekdayStar = bStar;
  }
  pCron->mSecond = am[SECOND];
  pCron->mMinute = am[MINUTE];
  pCron->mHour = (unsigned)am[HOUR];
  pCron->mDay = (unsigned)am[DAY];
  pCron->mMonth = (unsigned)am[MONTH];
  pCron->mWeekday = (unsigned)am[WEEKDAY];
}

/*************************************************************************
** The next time on the wall
*/
static int day_matches(const JobCron *p, i64 iDays, int iDay, int nDay) {
  int iWeekday = steward_weekday(iDays);
  unsigned mNth = p->aNth[iWeekday];
  int bDay = (p->mDay >> iDay & 1) || (p->mLast >> (nDay - iDay) & 1);
  int bWeekday = (p->mWeekday >> iWeekday & 1) ||
                 (mNth >> ((iDay - 1) / 7 + 1) & 1) ||
                 ((mNth >> 6 & 1) && iDay + 7 > nDay);
  return p->bDayStar || p->bWeekdayStar ? bDay && bWeekday : bDay || bWeekday;
}

/* The first second of a day from iFrom on that is meant; -1: none is. */
static int next_second(const JobCron *p, int iFrom) {
  int h = iFrom / 3600, m = iFrom / 60 % 60, s = iFrom % 60;
  for (; h < 24; h++, m = 0, s = 0) {
    if (!(p->mHour >> h & 1)) continue;
    for (; m < 60; m++, s = 0) {
      if (!(p->mMinute >> m & 1)) continue;
      for (; s < 60; s++) {
        if (p->mSecond >> s & 1) return (h * 60 + m) * 60 + s;
      }
    }
  }
  return -1;
}

/* The first local time from iWall on that is meant; -1: none in 400 years,
** after which the calendar begins again. */
static i64 next_wall(const JobCron *p, i64 iWall) {
  i64 iDays = steward_floor_div(iWall, 86400), iEnd = iDays + 146097 + 366;
  i64 iYear;
  int iSecond = (int)(iWall - iDays * 86400), iMonth, iDay;
  steward_days_date(iDays, &iYear, &iMonth, &iDay);
  while (iDays < iEnd) {
    int nDay = steward_month_days(iYear, iMonth);
    for (; iDay <= nDay && (p->mMonth >> iMonth & 1); iDay++, iDays++) {
      int iFound =
          day_matches(p, iDays, iDay, nDay) ? next_second(p, iSecond) : -1;
      if (iFound >= 0) return iDays * 86400 + iFound;
      iSecond = 0;
    }
    iDays += nDay + 1 - iDay; /* the first of the next month */
    iDay = 1;
    iSecond = 0;
    iMonth = iMonth % 12 + 1;
    if (iMonth == 1) iYear++;
  }
  return -1;
}

/*************************************************************************
** .. and in a zone
*/

/* The first moment at which a zone's clocks show a local time, or that behind
** the jump over it. */
static i64 first_moment(const StewardZone *pZone, i64 iWall) {
  StewardSpan span;
  i64 t = iWall - 27 * 3600; /* no zone is farther from UTC */
  for (;;) {
    steward_zone_at(pZone, t, &span);
    if (iWall - span.iOffset < span.iEnd) break;
    t = span.iEnd;
  }
  t = iWall - span.iOffset;
  return t < span.iBegin ? span.iBegin : t;
}

/* The first moment from t on, by the clock on the wall as it goes. */
static i64 next_elapsed(const JobCron *p, const StewardZone *pZone, i64 t) {
  for (;;) {
    StewardSpan span;
    i64 iWall;
    steward_zone_at(pZone, t, &span);
    iWall = next_wall(p, t + span.iOffset);
    if (iWall < 0) return -1;
    if (iWall - span.iOffset < span.iEnd) return iWall - span.iOffset;
    t = span.iEnd;
  }
}

/* The first moment from t on at which a time of day comes that is meant. */
static i64 next_of_day(const JobCron *p, const StewardZone *pZone, i64 t) {
  StewardSpan span;
  i64 iWall;
  steward_zone_at(pZone, t - 1, &span);
  iWall = t + span.iOffset;
  for (;; iWall++) {
    i64 i;
    iWall = next_wall(p, iWall);
    if (iWall < 0) return -1;
    i = first_moment(pZone, iWall);
    if (i >= t) return i;
  }
}

/* The first run after a time (ms); -1: there is none any more.  iAnchor: from
** where an interval counts. */
i64 job_cron_next(const JobCron *p, const StewardZone *pZone, i64 iAnchor,
                  i64 iAfter) {
  i64 i;
  if (p->iEvery) {
    i64 n = iAfter < iAnchor ? 0 : (iAfter - iAnchor) / p->iEvery;
    i = iAnchor + (n + 1) * p->iEvery;
  } else {
    i64 t = steward_floor_div(iAfter, 1000) + 1;
    i = p->mHour == 0xffffff ? next_elapsed(p, pZone, t)
                             : next_of_day(p, pZone, t);
    if (i >= 0) i *= 1000;
  }
  return i > JOB_TIME_MAX ? -1 : i;
}

/*************************************************************************
** Several that have passed
*/
typedef struct Ring {
  i64 *a;
  int nMax;
  i64 n; /* how many were put; the last nMax of them are there */
} Ring;

static void ring_fill(Ring *r, const JobCron *p, const StewardZone *pZone,
                      i64 iAnchor, i64 iFrom, i64 iUntil, i64 nStop) {
  r->n = 0;
  while (iFrom >= 0 && iFrom <= iUntil && r->n < nStop) {
    r->a[r->n++ % r->nMax] = iFrom;
    iFrom = job_cron_next(p, pZone, iAnchor, iFrom);
  }
}

/* The last of the times from iFirst (which is one) until iUntil, at most nMax,
** in their order; how many.  *pnAll: how many there are, JOB_MISSED_MAX meaning
** that or more: that many are counted, no more, however long ago iFirst was. */
int job_cron_passed(const JobCron *p, const StewardZone *pZone, i64 iAnchor,
                    i64 iFirst, i64 iUntil, i64 *aOut, int nMax,
                    i64 *pnAll /* OUT */) {
  Ring r = {aOut, nMax, 0};
  i64 iBack;
  int i, n;
  ring_fill(&r, p, pZone, iAnchor, iFirst, iUntil, JOB_MISSED_MAX);
  *pnAll = r.n;
  if (r.n == JOB_MISSED_MAX) { /* look back, farther and farther */
    for (iBack = 1000; iBack < iUntil - iFirst; iBack *= 2) {
      i64 iFrom = job_cron_next(p, pZone, iAnchor, iUntil - iBack);
      ring_fill(&r, p, pZone, iAnchor, iFrom, iUntil, INT64_MAX);
      if (r.n >= nMax) break;
    }
    if (r.n < nMax) {
      ring_fill(&r, p, pZone, iAnchor, iFirst, iUntil, INT64_MAX);
    }
  }
  n = r.n < nMax ? (int)r.n : nMax;
  for (i = 0; r.n > nMax && i < r.n % nMax; i++) { /* the oldest to the front */
    i64 iFirstOne = aOut[0];
    memmove(aOut, aOut + 1, sizeof(i64) * (size_t)(nMax - 1));
    aOut[nMax - 1] = iFirstOne;
  }
  return n;
}

/*************************************************************************
** Reading a spec
*/
static int read_macro(StewardCall *c, JobCron *p, const char *zSpec) {
  static const char *const azMacro[][2] = {
      {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},
      {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
      {"@monthly", "0 0 1 * *"},  {"@yearly", "0 0 1 1 *"},
      {"@annually", "0 0 1 1 *"}, {"@minutely", "* * * * *"}};
  int i;
  if (sqlite3_strnicmp(zSpec, "@every", 6) == 0 && is_end(zSpec[6])) {
    const char *z = zSpec + 6;
    while (*z == ' ' || *z == '\t') z++;
    if (steward_duration(z, (int)strlen(z), &p->iEvery) || p->iEvery < 1 ||
        p->iEvery > JOB_DURATION_MAX) {
      steward_fail(c, STEWARD_INVALID_ARGUMENT,
                   "spec '%.80s' must have a duration behind @every, like "
                   "'@every 90s'",
                   zSpec);
    }
    return 1;
  }
  for (i = 0; i < ArraySize(azMacro); i++) {
    if (sqlite3_stricmp(zSpec, azMacro[i][0]) == 0) {
      read_fields(c, p, zSpec, azMacro[i][1]);
      return 1;
    }
  }
  return 0;
}

void job_cron_read(StewardCall *c, JobCron *p, const char *zSpec) {
  memset(p, 0, sizeof(*p));
  if (c->rc) return;
  if (!read_macro(c, p, zSpec)) read_fields(c, p, zSpec, zSpec);
  if (c->rc == SQLITE_OK && p->iEvery == 0 && next_wall(p, 0) < 0) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "spec '%.80s' means days that no month has: it would never "
                 "run",
                 zSpec);
  }
}
