/*
** ext_dqlite.c - what libdqlite tells a process about itself; tests/vacuum.c
** sets the number.
*/
#define SHOWN __attribute__((visibility("default")))
SHOWN int dqlite_version_number(void);
SHOWN void dqlite_version_set(int i);

static int iVersion;

int dqlite_version_number(void) {
  return iVersion;
}

void dqlite_version_set(int i) {
  iVersion = i;
}
