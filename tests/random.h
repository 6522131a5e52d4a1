/*
** random.h - numbers that look random and are the same on every machine.
*/
#ifndef RANDOM_H
#define RANDOM_H

static unsigned long long iState;

/* The next of a sequence that is the same on every machine. */
static unsigned next(unsigned n) {
  unsigned long long z = (iState += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return (unsigned)((z ^ (z >> 31)) >> 11) % n;
}

#endif
