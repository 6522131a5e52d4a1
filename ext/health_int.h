/*
** health_int.h - what the files of health share.
**
** health_pass.c reads the whole file, at once or in slices; health_walk.c
** reads a table in windows, with health_index.c; health_pages.c counts what
** pages hold;
** health_locks.c finds who holds locks; health_check.c has the checks;
** health.c the verbs.
*/
#ifndef HEALTH_INT_H
#define HEALTH_INT_H

#include "steward_int.h"

/*************************************************************************
** health_pass.c: is the file whole, every index like its table, every foreign
** key kept?  Reading all of it is one pass, made of units: one for each table
** and one for the freelist; a small file is read at once.
*/
#define HEALTH_WALK "walk" /* instead of a key: from the first row */
enum { PASS_TABLES = 1, PASS_COUNTS, PASS_FREELIST };

typedef struct HealthPass {
  StewardSlice s;
  StewardSlice whole; /* its iPassed: when nothing was left out */
  sqlite3 *pPrivate;  /* or NULL: the connection's own is read */
  StewardCall in;     /* a call on the one that is read: it fails alone */
  enum { READ_ALL, READ_PAGES, READ_KEYS } eRead; /* what its statements ask */
  i64 iDeadline;                                  /* us; 0: none */
  i64 iBudget;                                    /* us of this slice */
  int bTime;                                      /* the deadline came */
  int bMoved; /* there is something to store */
  int bQuiet; /* others are not told of progress any more */
} HealthPass;

void health_pass_load(StewardCall *c, HealthPass *h);
int health_pass_look(StewardCall *c, HealthPass *h, i64 iBudget /* ms */);
void health_pass_move(StewardCall *c, HealthPass *h, i64 iBudget /* ms */);
void health_pass_full(StewardCall *c, HealthPass *h,
                      void (*xProgress)(StewardCall *, HealthPass *));
void health_pass_free(HealthPass *h);
int health_can_read_beside(StewardCall *c);
void health_found(StewardCall *c, HealthPass *h, const char *zCheck,
                  const char *zMend, const char *zFmt, ...);
int health_cannot_read(const HealthPass *h);
void health_forget_error(HealthPass *h);
int health_ended(StewardCall *c, HealthPass *h, const char *zWhat);

/* health_walk.c */
int health_walk(StewardCall *c, HealthPass *h, const char *zTable);
int health_counts(StewardCall *c, HealthPass *h, const char *zTable);

/* health_index.c */
char *health_index_text(StewardCall *c, const char *zSql, int i);

/* health_freelist.c */
int health_freelist(StewardCall *c, HealthPass *h);

/*************************************************************************
** health_pages.c: what the pages of each b-tree hold, from dbstat
*/
typedef struct HealthPages {
  StewardSlice s;
  char *zStats; /* those looked at now, JSON; owned */
  int bKnown;   /* 0: this build has no dbstat */
  int bMoved;
} HealthPages;

void health_pages_load(StewardCall *c, HealthPages *g);
void health_pages_move(StewardCall *c, HealthPages *g, i64 iBudget);
void health_pages_store(StewardCall *c, HealthPages *g);
void health_pages_free(HealthPages *g);

/* health_locks.c: other processes' locks on the file, as JSON; caller frees */
char *health_holders(StewardCall *c);

/* health_schema.c: lists as JSON; caller frees */
char *health_text_numbers(StewardCall *c);
char *health_unused_indexes(StewardCall *c);
char *health_archives(StewardCall *c);

/*************************************************************************
** health_check.c: the checks
*/
typedef struct HealthCheck {
  const char *zType;
  const char *zStatus;
  double rValue;
  double rThreshold;
  char *zDetails; /* JSON, owned */
  double rCoverage;
  i64 iPassed; /* 0: never */
  double rMs;
} HealthCheck;

typedef struct HealthLook {
  HealthPass pass;
  HealthPages pages;
  char *zHolders;       /* who holds locks now; owned */
  StewardSlice holders; /* since when, as was seen */
  StewardSlice wal;     /* what the last checkpoint left */
  StewardSlice stats;   /* when statistics were made */
  HealthCheck *aCheck;
  int nCheck;
} HealthLook;

void health_look_open(StewardCall *c, HealthLook *l);
void health_look_checks(StewardCall *c, HealthLook *l);
void health_look_check(StewardCall *c, HealthLook *l, const char *zType,
                       HealthCheck *k /* OUT */);
void health_look_free(HealthLook *l);
const char *health_worst(const HealthLook *l);

#endif
