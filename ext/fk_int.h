/*
** fk_int.h - what the files of delta_cascade_delete share: fk_tree.c (which
** rows go, and in which order) and fk.c (the verb, which lets them go).
*/
#ifndef FK_INT_H
#define FK_INT_H

#include "delta_int.h"

enum { ACTION_CASCADE, ACTION_NULL, ACTION_DEFAULT, ACTION_REFUSE };

/* A foreign key that refers to a table, or what delta_define says is one. */
typedef struct FkEdge {
  int iChild; /* the table that has it */
  int eAction;
  char *zJoin;   /* `p."y" = c."x" AND ...`, owned */
  char *zUnlink; /* `"x" = NULL, ...`, or its default, owned */
  char *zColumn; /* its first column, owned */
  int nColumn;
  char *zNone; /* of ACTION_DEFAULT: is it none?  Owned */
  char *zHeld; /* and its zJoin; owned */
  enum { DEFAULT_UNKNOWN, DEFAULT_GOOD, DEFAULT_BAD } eDefault;
  sqlite3_stmt *pFind, *pUnlink;
  int bEmpty; /* the table has no rows: known with pFind */
} FkEdge;

typedef struct FkTable {
  char *zName;  /* owned */
  int bRowid;   /* a row is known by its rowid, else by the primary key */
  char **azKey; /* quoted; owned */
  int nKey;
  int bLooked; /* its edges are known */
  int nEdge;
  FkEdge *aEdge;
  sqlite3_stmt *pDelete;
  i64 nGone;
} FkTable;

/* A row that goes, or refers to one that does. */
typedef struct FkRow {
  int iTable;
  int bGoes;
  i64 iRowid;
  sqlite3_value **apKey; /* of a WITHOUT ROWID table; owned */
  int iUp;               /* its first reference, 1 + its number, or 0 */
  int nDown;             /* references to it by others that go */
} FkRow;

/* A reference that was found, of a row to one that goes. */
typedef struct FkRef {
  int iChild, iParent; /* rows */
  int iEdge;           /* of the parent's table */
  int iNext;           /* the child's next, 1 + its number, or 0 */
} FkRef;

typedef struct FkTree {
  const DeltaForm *f; /* of the first table */
  FkTable *aTable;
  int nTable;
  FkRow *aRow;
  int nRow, nRowAlloc;
  FkRef *aRef;
  int nRef, nRefAlloc;
  int *aOrder; /* the rows that go: as they were found, then as they can go */
  int nGo, nGoAlloc;
  int bCircle; /* they cannot all go before those that they refer to */
  int *aSlot;  /* hash of the rows: index + 1 */
  int nSlot;
} FkTree;

int fk_table(StewardCall *c, FkTree *k, const char *zName);
char *fk_keys(StewardCall *c, const FkTable *t, char cAlias, int bBound);
int fk_meet(StewardCall *c, FkTree *k, int iTable, sqlite3_stmt *pRow,
            int iCol);
void fk_doom(StewardCall *c, FkTree *k, int iTable, sqlite3_stmt *pRow,
             int iCol);
void fk_spread(StewardCall *c, FkTree *k);
void fk_order(StewardCall *c, FkTree *k);
void fk_bind(StewardCall *c, const FkTree *k, sqlite3_stmt *pStmt, int iRow);
char *fk_show(StewardCall *c, const FkTree *k, int iRow);
void fk_free(FkTree *k);

#endif
