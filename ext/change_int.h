/*
** change_int.h - what the files of the change index share.
*/
#ifndef STEWARD_CHANGE_INT_H
#define STEWARD_CHANGE_INT_H

#include "steward_int.h"

typedef struct Hashes {
  char **az; /* sorted by their bytes, each once; owned */
  int n;
  int nAlloc;
} Hashes;

/* change_hashes.c */
void hashes_free(Hashes *p);
void hashes_push(StewardCall *c, Hashes *p, const char *z);
void hashes_sort(Hashes *p);
int hashes_have(const Hashes *p, const char *z);
int hashes_equal(const Hashes *a, const Hashes *b);
char *hashes_json(StewardCall *c, const Hashes *p, int nMax);

#endif
