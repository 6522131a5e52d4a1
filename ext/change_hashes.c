/*
** change_hashes.c - sets of hashes: heads, dependencies.
*/
#include <stdlib.h>
#include <string.h>

#include "change_int.h"

void hashes_free(Hashes *p) {
  int i;
  for (i = 0; i < p->n; i++) sqlite3_free(p->az[i]);
  sqlite3_free(p->az);
  memset(p, 0, sizeof(*p));
}

/* Put a copy of z at the end; hashes_sort() makes a set of them again. */
void hashes_push(StewardCall *c, Hashes *p, const char *z) {
  if (steward_grow(c, &p->az, p->n, &p->nAlloc, sizeof(char *))) {
    char *zCopy = steward_mprintf(c, "%s", z);
    if (zCopy) p->az[p->n++] = zCopy;
  }
}

static int compare_hashes(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

void hashes_sort(Hashes *p) {
  int i, n = 0;
  if (p->n > 1) qsort(p->az, (size_t)p->n, sizeof(char *), compare_hashes);
  for (i = 0; i < p->n; i++) {
    if (n > 0 && strcmp(p->az[n - 1], p->az[i]) == 0) {
      sqlite3_free(p->az[i]);
    } else {
      p->az[n++] = p->az[i];
    }
  }
  p->n = n;
}

int hashes_have(const Hashes *p, const char *z) {
  return p->n > 0 && bsearch(&z, p->az, (size_t)p->n, sizeof(char *),
                             compare_hashes) != NULL;
}

int hashes_equal(const Hashes *a, const Hashes *b) {
  int i;
  for (i = 0; i < a->n && a->n == b->n; i++) {
    if (strcmp(a->az[i], b->az[i])) return 0;
  }
  return a->n == b->n;
}

/* As a JSON array, cut before it is longer than nMax bytes, then with the
** number of those left out behind it.  Caller frees. */
char *hashes_json(StewardCall *c, const Hashes *p, int nMax) {
  sqlite3_str *pOut = sqlite3_str_new(c->db);
  int i;
  sqlite3_str_appendchar(pOut, 1, '[');
  for (i = 0; i < p->n; i++) {
    int n = (int)strlen(p->az[i]);
    if (n > nMax - sqlite3_str_length(pOut)) break;
    if (i > 0) sqlite3_str_appendchar(pOut, 1, ',');
    steward_json_string(pOut, p->az[i], n);
  }
  sqlite3_str_appendchar(pOut, 1, ']');
  if (i < p->n) sqlite3_str_appendf(pOut, " and %d more", p->n - i);
  return steward_str_finish(c, pOut);
}
