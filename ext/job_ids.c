/*
** job_ids.c - reading the ids in a handle or a receipt, and changing many jobs
** by one statement: their ids as a JSON array, and those that it returns.
**
** A statement for each job would open all indexes and a statement journal each
** time, which costs as much as the change.
*/
#include <stdlib.h>
#include <string.h>

#include "job_int.h"

/* An integer as SQL prints it, at *pz, and *pz behind it; 0: there is none.
** Plain SQL gives jobs any number that a rowid may have. */
int job_read_integer(const char **pz, i64 *pi /* OUT */) {
  const char *z = *pz, *zFirst;
  int bMinus = *z == '-';
  i64 i = 0;
  zFirst = z += bMinus;
  for (; *z >= '0' && *z <= '9'; z++) {
    int iDigit = *z - '0';
    if (i < (INT64_MIN + iDigit) / 10) return 0;
    i = i * 10 - iDigit; /* below 0, where there is one more */
  }
  if (z == zFirst || (*zFirst == '0' && (z > zFirst + 1 || bMinus)) ||
      (i == INT64_MIN && !bMinus)) {
    return 0;
  }
  *pz = z;
  *pi = bMinus ? i : -i;
  return 1;
}

void job_ids_add(StewardCall *c, JobIds *p, i64 iId) {
  if (steward_grow(c, &p->a, p->n, &p->nAlloc, sizeof(i64))) {
    p->a[p->n++] = iId;
  }
}

/* They as a JSON array; caller frees. */
char *job_ids_json(StewardCall *c, const JobIds *p) {
  sqlite3_str *pOut = sqlite3_str_new(c->db);
  i64 i;
  for (i = 0; i < p->n; i++) {
    sqlite3_str_appendf(pOut, "%c%lld", i ? ',' : '[', p->a[i]);
  }
  sqlite3_str_appendall(pOut, p->n ? "]" : "[]");
  return steward_str_finish(c, pOut);
}

static int compare_ids(const void *pA, const void *pB) {
  i64 a = *(const i64 *)pA, b = *(const i64 *)pB;
  return a < b ? -1 : a > b;
}

/* Run a statement to its end; the ids that it returns, and those of others
** before it, for job_ids_take(). */
void job_ids_run(StewardCall *c, enum StewardSqlId id, sqlite3_stmt *s,
                 JobIds *p /* OUT */) {
  while (steward_next(c, s)) job_ids_add(c, p, sqlite3_column_int64(s, 0));
  steward_give(c, id, s);
  if (c->rc || p->n == 0) return;
  qsort(p->a, (size_t)p->n, sizeof(i64), compare_ids);
  sqlite3_free(p->aTaken);
  p->aTaken = sqlite3_malloc64((sqlite3_uint64)p->n);
  if (p->aTaken == NULL) {
    steward_fail_nomem(c);
  } else {
    memset(p->aTaken, 0, (size_t)p->n);
  }
}

/* Is it one of them, which was not asked for before? */
int job_ids_take(JobIds *p, i64 iId) {
  i64 *pId = p->aTaken
                 ? bsearch(&iId, p->a, (size_t)p->n, sizeof(i64), compare_ids)
                 : NULL;
  if (pId == NULL || p->aTaken[pId - p->a]) return 0;
  p->aTaken[pId - p->a] = 1;
  return 1;
}

void job_ids_clear(JobIds *p) {
  sqlite3_free(p->a);
  sqlite3_free(p->aTaken);
  memset(p, 0, sizeof(*p));
}
