/*
** delta_form.c - what a table of overlays looks like, and the statements that
** read its rows.
**
** A table of overlays has
**
**     a key              one column, unique, which the parent column refers to
**     a parent column    a foreign key to the table itself; of several the one
**                        whose name begins with `parent` (prev and next, the
**                        list of a request's headers, are such keys too)
**     a flag             is_delta: 1 in a delta row; 0 or NULL in a base row,
**                        whatever its parent column says
**     overlay columns    delta_x for a column x
**     a time             updated_at, and created_at, for reading at a cut
**     a scope            workspace_id, if there is one: a chain stays in it
**     an owner           in a table of children: the foreign key to the table
**                        of overlays whose rows they belong to (http_id)
**
** `http` and its child tables follow it; so does any table of this shape.  A
** table with other names is declared once by delta_define, which stores them in
** steward_delta_tables.
*/
#include <string.h>

#include "delta_int.h"

#define NAME(zName, zField, zMeaning)                                          \
  {                                                                            \
    zName, STEWARD_OPT_TEXT, offsetof(DeltaNames, zField), 0, 0, NULL,         \
        zMeaning                                                               \
  }

const StewardOption delta_name_options[] = {
    NAME("key", zKey, "the column that identifies a row"),
    NAME("parent", zParent, "the column with the key of the row it changes"),
    NAME("flag", zFlag,
         "the column that is 1 in a delta; without one a row "
         "with a parent is a delta"),
    NAME("scope", zScope, "the column that parent and delta have in common"),
    NAME("time", zTime, "the column with the time of the last change"),
    NAME("created", zCreated, "the column with the time of the row's making"),
    NAME("owner", zOwner,
         "in a table of children, the column with the key of "
         "the row they belong to; a foreign key, or with owner_table"),
    NAME("owner_table", zOwnerTable,
         "the table of that row, where no foreign key says so"),
    NAME("order", zOrder, "a child's place among its kind"),
    NAME("prev", zPrev, "the child before it"),
    NAME("next", zNext, "the child behind it"),
    {"overlays", STEWARD_OPT_JSON, offsetof(DeltaNames, zOverlay), 0, 0, NULL,
     "object: column and its overlay column; default: x and delta_x"},
    {"unit", STEWARD_OPT_WORD, offsetof(DeltaNames, eUnit), 0, 0, "s|ms",
     "unit of the times"},
};
const int delta_name_option_count = ArraySize(delta_name_options);

static const char *const azHttpTable[] = {
    "http",           "http_search_param",    "http_header",
    "http_body_form", "http_body_urlencoded", "http_body_raw",
    "http_assert"};

/* What is known while a form is made. */
typedef struct Making {
  DeltaForm *f;
  StewardTableInfo info;
  int *aOverlay; /* for each column its overlay column, or -1 */
  int *abIs;     /* is it the overlay of another one? */
  int bLoose;    /* any table will do */
} Making;

void delta_form_free(StewardForm *pForm) {
  DeltaForm *f = (DeltaForm *)pForm;
  int i;
  if (f == NULL) return;
  for (i = 0; i < DELTA_STATEMENTS; i++) {
    sqlite3_finalize(f->aStmt[0][i]);
    sqlite3_finalize(f->aStmt[1][i]);
    steward_feed_free(&f->aFeed[i]);
  }
  for (i = 0; i < ArraySize(f->aKept); i++) {
    sqlite3_finalize(f->aKept[i].pStmt);
    sqlite3_free(f->aKept[i].zSql);
  }
  sqlite3_finalize(f->pWalk);
  steward_feed_free(&f->feed);
  steward_buffer_free(&f->text);
  for (i = 0; i < f->nColumn; i++) {
    sqlite3_free(f->aColumn[i].zName);
    sqlite3_free(f->aColumn[i].zType);
    sqlite3_free(f->aColumn[i].zMember);
    sqlite3_free(f->aColumn[i].zOverlay);
  }
  sqlite3_free(f->aColumn);
  steward_options_free(delta_name_options, delta_name_option_count, &f->names);
  sqlite3_free(f->zOwnerTable);
  sqlite3_free(f->zFlagSql);
  sqlite3_free(f->zList);
  sqlite3_free(f->zPlainList);
  sqlite3_free(f->zDeltaList);
  sqlite3_free(f->zSource);
  sqlite3_free(f->zColumns);
  for (i = 0; i < f->nAll; i++) sqlite3_free(f->azMember[i]);
  sqlite3_free(f->azMember);
  sqlite3_free(f->zKids);
  sqlite3_free(f->zCollate);
  sqlite3_free(f->zRowid);
  sqlite3_free(f->zScopeType);
  sqlite3_free(f->base.zTable);
  sqlite3_free(f);
}

/* The same; it marks forms of tables that need not hold deltas. */
static void loose_form_free(StewardForm *pForm) {
  delta_form_free(pForm);
}

/*************************************************************************
** Which column is what
*/

/* The column that a foreign key refers to when it names none. */
static const char *primary_key(const StewardTableInfo *pInfo) {
  int i;
  for (i = 0; i < pInfo->nCol; i++) {
    if (pInfo->aCol[i].iPk == 1) return pInfo->aCol[i].zName;
  }
  return "rowid";
}

/* Find the parent column and the key; zParent stays NULL when there is none.
** Several that could be it are refused. */
static void find_parent(StewardCall *c, Making *m) {
  DeltaForm *f = m->f;
  sqlite3_stmt *pStmt =
      steward_query(c, SQL_delta_self_references, "t", f->base.zTable);
  sqlite3_str *pNames = sqlite3_str_new(c->db);
  int nKey = 0, nParent = 0;
  char *zNames;
  while (steward_next(c, pStmt)) {
    const char *zFrom = (const char *)sqlite3_column_text(pStmt, 0);
    const char *zTo = (const char *)sqlite3_column_text(pStmt, 1);
    if (zTo == NULL) zTo = primary_key(&m->info);
    if (nKey++ == 0) {
      f->names.zParent = steward_mprintf(c, "%s", zFrom);
      if (f->names.zKey == NULL) {
        f->names.zKey = steward_mprintf(c, "%s", zTo);
      }
    }
    nParent += sqlite3_column_int(pStmt, 2);
    sqlite3_str_appendf(pNames, "%s%s", nKey > 1 ? ", " : "", zFrom);
  }
  steward_give(c, SQL_delta_self_references, pStmt);
  zNames = steward_str_finish(c, pNames);
  if (nKey > 1 && nParent != 1) {
    if (!m->bLoose)
      steward_fail(
          c, STEWARD_INVALID_ARGUMENT,
          "table '%s' refers to itself by %s: give the name of the one "
          "that leads to the parent row, and of no other, the beginning "
          "'parent'",
          f->base.zTable, zNames);
  }
  sqlite3_free(zNames);
}

/* A name that was given must be a column, and gets the schema's spelling; one
** that was not is zDefault where there is such a column. */
static void settle(StewardCall *c, Making *m, char **pzName,
                   const char *zDefault) {
  int i;
  if (c->rc) return;
  if (*pzName) {
    i = steward_require_column(c, &m->info, *pzName);
  } else {
    i = zDefault ? steward_column_index(&m->info, zDefault) : -1;
  }
  sqlite3_free(*pzName);
  *pzName = i < 0 ? NULL : steward_mprintf(c, "%s", m->info.aCol[i].zName);
}

/* The owner's table as it was declared, if it is there. */
static void declared_owner(StewardCall *c, DeltaForm *f) {
  if (f->names.zOwner == NULL) {
    steward_fail(
        c, STEWARD_INVALID_ARGUMENT,
        "option owner_table of table '%s' needs owner, the column with "
        "the key of a row of '%s'",
        f->base.zTable, f->names.zOwnerTable);
  } else if (delta_is_table(c, f->names.zOwnerTable)) {
    f->zOwnerTable = steward_mprintf(c, "%s", f->names.zOwnerTable);
  }
}

/* The owner's table, by the foreign key. */
static void find_owner(StewardCall *c, Making *m) {
  DeltaForm *f = m->f;
  sqlite3_stmt *pStmt;
  if (c->rc) return;
  if (f->names.zOwnerTable) {
    declared_owner(c, f);
    return;
  }
  pStmt =
      steward_query(c, SQL_delta_owner, "tt", f->base.zTable, f->names.zOwner);
  if (steward_next(c, pStmt)) {
    if (f->names.zOwner == NULL) {
      f->names.zOwner = steward_mprintf(c, "%s", steward_column(c, pStmt, 0));
    }
    f->zOwnerTable = steward_mprintf(c, "%s", steward_column(c, pStmt, 1));
  }
  steward_give(c, SQL_delta_owner, pStmt);
  if (c->rc == SQLITE_OK && f->names.zOwner && f->zOwnerTable == NULL) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "the owner '%s' of table '%s' is no foreign key of one "
                 "column: name one that refers to a table of overlays, or add "
                 "owner_table",
                 f->names.zOwner, f->base.zTable);
  }
}

static void find_names(StewardCall *c, Making *m) {
  DeltaNames *n = &m->f->names;
  if (n->zParent == NULL) find_parent(c, m);
  if (n->zKey == NULL && (n->zParent || m->bLoose)) {
    n->zKey = steward_mprintf(c, "%s", primary_key(&m->info));
  }
  settle(c, m, &n->zParent, NULL);
  if (n->zKey && !(m->bLoose && !strcmp(n->zKey, "rowid"))) {
    settle(c, m, &n->zKey, NULL);
  }
  settle(c, m, &n->zFlag, "is_delta");
  settle(c, m, &n->zScope, "workspace_id");
  settle(c, m, &n->zTime, "updated_at");
  settle(c, m, &n->zCreated, "created_at");
  if (n->zOwner) settle(c, m, &n->zOwner, NULL);
  settle(c, m, &n->zOrder, "display_order");
  settle(c, m, &n->zPrev, "prev");
  settle(c, m, &n->zNext, "next");
  find_owner(c, m);
}

/*************************************************************************
** Overlay columns
*/

/* Note that column iOverlay lies over column iCol. */
static void add_overlay(Making *m, int iCol, int iOverlay) {
  if (iCol < 0 || iOverlay < 0) return;
  m->aOverlay[iCol] = iOverlay;
  m->abIs[iOverlay] = 1;
}

/* Those that were declared: {"x":"x_change"}. */
static void declared_overlays(StewardCall *c, Making *m) {
  sqlite3_stmt *pRow =
      steward_query(c, SQL_options_each, "t", m->f->names.zOverlay);
  while (steward_next(c, pRow)) {
    int i = steward_require_column(c, &m->info, steward_column(c, pRow, 0));
    int k = steward_require_column(c, &m->info, steward_column(c, pRow, 1));
    add_overlay(m, i, k);
  }
  steward_give(c, SQL_options_each, pRow);
}

static void find_overlays(StewardCall *c, Making *m) {
  size_t nByte = sizeof(int) * (size_t)m->info.nCol;
  int i;
  if (c->rc) return;
  m->aOverlay = sqlite3_malloc64(nByte + 1);
  m->abIs = sqlite3_malloc64(nByte + 1);
  if (m->aOverlay == NULL || m->abIs == NULL) {
    steward_fail_nomem(c);
    return;
  }
  memset(m->aOverlay, 0xff, nByte);
  memset(m->abIs, 0, nByte);
  if (m->f->names.zOverlay) {
    declared_overlays(c, m);
    return;
  }
  for (i = 0; i < m->info.nCol; i++) {
    const char *z = m->info.aCol[i].zName;
    if (sqlite3_strnicmp(z, "delta_", 6)) continue;
    add_overlay(m, steward_column_index(&m->info, z + 6), i);
  }
}

/* Refuse a table that does not follow the convention, saying what it lacks. */
static void check_shape(StewardCall *c, Making *m) {
  const DeltaForm *f = m->f;
  int i, nOverlay = 0;
  char *zLacks;
  sqlite3_str *pLacks;
  if (c->rc || m->bLoose) return;
  for (i = 0; i < m->info.nCol; i++) nOverlay += m->abIs[i];
  if (f->names.zParent && (f->names.zFlag || f->bDefined) && nOverlay) return;
  pLacks = sqlite3_str_new(c->db);
  if (f->names.zParent == NULL) {
    sqlite3_str_appendall(pLacks, ", a foreign key of one column to itself");
  }
  if (f->names.zFlag == NULL && !f->bDefined) {
    sqlite3_str_appendall(pLacks, ", a column is_delta");
  }
  if (nOverlay == 0) {
    sqlite3_str_appendall(pLacks, ", a column delta_x for any column x");
  }
  zLacks = steward_str_finish(c, pLacks);
  steward_fail(c, STEWARD_INVALID_ARGUMENT,
               "table '%s' holds no deltas, it lacks %s: name a table like "
               "http%s",
               f->base.zTable, zLacks ? zLacks + 2 : "",
               f->bDefined ? ""
                           : ", or say with delta_define which columns they "
                             "are");
  sqlite3_free(zLacks);
}

/* The collation of a column. */
const char *delta_collation(StewardCall *c, const char *zTable,
                            const char *zColumn) {
  const char *z = NULL;
  sqlite3_table_column_metadata(c->db, "main", zTable, zColumn, NULL, &z, NULL,
                                NULL, NULL);
  return z ? z : "BINARY";
}

/* In a table of any kind rows are known by another column that is unique and
** not NULL, or by their rowid; if that cannot be, by none. */
static void other_key(StewardCall *c, Making *m) {
  DeltaForm *f = m->f;
  char *zKey = steward_text(c, SQL_delta_unique_column, "t", f->base.zTable);
  f->bNoKey = zKey == NULL && m->info.bWithoutRowid;
  if (f->bNoKey || c->rc) return;
  sqlite3_free(f->names.zKey);
  f->names.zKey = zKey ? zKey : steward_mprintf(c, "rowid");
}

/* The walk seeks rows by the key: it must be unique by itself. */
static void check_key(StewardCall *c, Making *m) {
  DeltaForm *f = m->f;
  const char *zCollation;
  int i, k, nPk = 0;
  if (c->rc) return;
  if (m->bLoose && !strcmp(f->names.zKey, "rowid")) {
    other_key(c, m);
    return;
  }
  i = steward_require_column(c, &m->info, f->names.zKey);
  if (c->rc) return;
  for (k = 0; k < m->info.nCol; k++) nPk += m->info.aCol[k].iPk > 0;
  if (nPk == 1 && m->info.aCol[i].iPk) return;
  zCollation = delta_collation(c, f->base.zTable, f->names.zKey);
  if (steward_int(c, SQL_delta_unique_index, 0, "ttt", f->base.zTable,
                  f->names.zKey, zCollation)) {
    return;
  }
  if (m->bLoose) {
    other_key(c, m);
  } else {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "the key '%s' of table '%s' is not unique: create a unique "
                 "index on it",
                 f->names.zKey, f->base.zTable);
  }
}

/*************************************************************************
** The select list
*/
static void add_name(sqlite3_str *p, const char *zName) {
  if (zName) {
    sqlite3_str_appendf(p, "\"%w\", ", zName);
  } else {
    sqlite3_str_appendall(p, "NULL, ");
  }
}

/* Column iCol as it stands in a result, and what a row tells of it: a base its
** value, a delta its overlay.  A delta's own copy is not even read. */
static void add_column(StewardCall *c, Making *m, sqlite3_str *pList,
                       int iCol) {
  DeltaForm *f = m->f;
  const StewardColumn *pCol = &m->info.aCol[iCol];
  int iOverlay = m->aOverlay[iCol];
  DeltaColumn *pColumn = &f->aColumn[f->nColumn++];
  sqlite3_str *pMember = sqlite3_str_new(c->db);
  steward_json_string(pMember, pCol->zName, (int)strlen(pCol->zName));
  sqlite3_str_appendchar(pMember, 1, ':');
  pColumn->nMember = (size_t)sqlite3_str_length(pMember);
  pColumn->zMember = steward_str_finish(c, pMember);
  pColumn->zName = steward_mprintf(c, "%s", pCol->zName);
  pColumn->zType = steward_mprintf(c, "%s", pCol->zType);
  sqlite3_str_appendf(pList, ", CASE %s WHEN 1 THEN ", f->zFlagSql);
  if (iOverlay >= 0) {
    pColumn->zOverlay = steward_mprintf(c, "%s", m->info.aCol[iOverlay].zName);
    sqlite3_str_appendf(pList, "\"%w\"", pColumn->zOverlay);
  } else {
    sqlite3_str_appendall(pList, "NULL");
  }
  sqlite3_str_appendf(pList, " ELSE \"%w\" END", pCol->zName);
}

static int is_result(const Making *m, int i) {
  const char *zName = m->info.aCol[i].zName;
  const DeltaNames *n = &m->f->names;
  return !m->abIs[i] &&
         (n->zParent == NULL || sqlite3_stricmp(zName, n->zParent)) &&
         (n->zFlag == NULL || sqlite3_stricmp(zName, n->zFlag));
}

static void make_lists(StewardCall *c, Making *m) {
  DeltaForm *f = m->f;
  const DeltaNames *n = &f->names;
  size_t nByte = sizeof(DeltaColumn) * (size_t)(m->info.nCol + 1);
  sqlite3_str *pList, *pPlain, *pDelta, *pAll;
  int i;
  if (c->rc) return;
  f->aColumn = sqlite3_malloc64(nByte);
  if (f->aColumn == NULL) {
    steward_fail_nomem(c);
    return;
  }
  memset(f->aColumn, 0, nByte);
  f->zFlagSql = n->zFlag ? steward_mprintf(c, "\"%w\"", n->zFlag)
                : n->zParent && f->bDefined
                    ? steward_mprintf(c, "(\"%w\" IS NOT NULL)", n->zParent)
                    : steward_mprintf(c, "0");
  pList = sqlite3_str_new(c->db);
  pPlain = sqlite3_str_new(c->db);
  pDelta = sqlite3_str_new(c->db);
  pAll = sqlite3_str_new(c->db);
  add_name(pPlain, n->zKey);
  add_name(pPlain, n->zParent);
  sqlite3_str_appendf(pPlain, "%s, ", f->zFlagSql ? f->zFlagSql : "");
  add_name(pPlain, n->zScope);
  add_name(pPlain, n->zTime);
  add_name(pPlain, n->zCreated);
  sqlite3_str_append(pList, sqlite3_str_value(pPlain),
                     sqlite3_str_length(pPlain) - 2);
  sqlite3_str_append(pDelta, sqlite3_str_value(pList),
                     sqlite3_str_length(pList));
  for (i = 0; i < m->info.nCol; i++) {
    sqlite3_str_appendf(pAll, "%s\"%w\"", i ? ", " : "", m->info.aCol[i].zName);
    if (!is_result(m, i)) continue;
    sqlite3_str_appendf(pPlain, "%s\"%w\"", f->nColumn ? ", " : "",
                        m->info.aCol[i].zName);
    if (c->rc == SQLITE_OK) add_column(c, m, pList, i);
    sqlite3_str_appendall(pDelta, ", ");
    if (m->aOverlay[i] >= 0) {
      sqlite3_str_appendf(pDelta, "\"%w\"", m->info.aCol[m->aOverlay[i]].zName);
    } else {
      sqlite3_str_appendall(pDelta, "NULL");
    }
  }
  i = n->zFlag ? steward_column_index(&m->info, n->zFlag) : -1;
  f->bFlagNotNull = i < 0 || m->info.aCol[i].bNotNull;
  i = n->zTime ? steward_column_index(&m->info, n->zTime) : -1;
  f->bTimeNotNull = i >= 0 && m->info.aCol[i].bNotNull;
  f->zList = steward_str_finish(c, pList);
  f->zPlainList = steward_str_finish(c, pPlain);
  f->zDeltaList = steward_str_finish(c, pDelta);
  f->zColumns = steward_str_finish(c, pAll);
}

/* Every column as a member of a JSON object. */
static void make_members(StewardCall *c, Making *m) {
  DeltaForm *f = m->f;
  int i;
  if (c->rc) return;
  f->azMember = sqlite3_malloc64(sizeof(char *) * (size_t)(m->info.nCol + 1));
  if (f->azMember == NULL) {
    steward_fail_nomem(c);
    return;
  }
  for (i = 0; i < m->info.nCol; i++) {
    const char *zName = m->info.aCol[i].zName;
    sqlite3_str *p = sqlite3_str_new(c->db);
    steward_json_string(p, zName, (int)strlen(zName));
    sqlite3_str_appendchar(p, 1, ':');
    f->azMember[f->nAll++] = steward_str_finish(c, p);
  }
}

/* What a comparison of column zColumn with a key of the form needs behind it to
** be by the key's collation, as that of a foreign key is: COLLATE, or "".
** Caller frees. */
char *delta_collate(StewardCall *c, const DeltaForm *f, const char *zTable,
                    const char *zColumn) {
  const char *zKey, *zOwn;
  if (c->rc) return NULL;
  zKey = delta_collation(c, f->base.zTable, f->names.zKey);
  zOwn = delta_collation(c, zTable, zColumn);
  return sqlite3_stricmp(zKey, zOwn)
             ? steward_mprintf(c, " COLLATE \"%w\"", zKey)
             : steward_mprintf(c, "");
}

/* An index for the rows below one, by the collation of the key: named, as
** statistics could otherwise make SQLite read the whole table. */
static void find_kids_index(StewardCall *c, DeltaForm *f) {
  char *zIndex;
  if (c->rc) return;
  if (f->names.zParent == NULL) {
    f->zKids = steward_mprintf(c, "");
    f->zCollate = steward_mprintf(c, "");
    return;
  }
  f->zCollate = delta_collate(c, f, f->base.zTable, f->names.zParent);
  zIndex = steward_text(c, SQL_delta_parent_index, "ttt", f->base.zTable,
                        f->names.zParent,
                        delta_collation(c, f->base.zTable, f->names.zKey));
  f->zKids = zIndex ? steward_mprintf(c, " INDEXED BY \"%w\"", zIndex)
                    : steward_mprintf(c, "");
  sqlite3_free(zIndex);
}

/*************************************************************************
** Making and keeping forms
*/

/* Is this text the name of one of the streaming seed's tables, or of a table
** that exists?  `http` before migrate_up('http') is better told so than
** NOT_FOUND. */
void delta_check_installed(StewardCall *c, const char *zTable) {
  int i;
  for (i = 0; zTable && i < ArraySize(azHttpTable); i++) {
    if (sqlite3_stricmp(zTable, azHttpTable[i]) == 0 &&
        steward_int(c, SQL_delta_table_exists, 0, "t", zTable) == 0) {
      steward_fail(c, STEWARD_NOT_INSTALLED,
                   "set 'http' is not installed: SELECT migrate_up('http')");
    }
  }
}

/* Is there a table of this name, of whatever kind? */
int delta_is_table(StewardCall *c, const char *zTable) {
  return (int)steward_int(c, SQL_delta_table_exists, 0, "t", zTable);
}

/* The names that delta_define stored for the table, if any. */
static void stored_names(StewardCall *c, DeltaForm *f) {
  sqlite3_stmt *pRow;
  if (!steward_int(c, SQL_delta_table_exists, 0, "t", "steward_delta_tables")) {
    return;
  }
  pRow = steward_query(c, SQL_delta_defined, "t", f->base.zTable);
  if (steward_next(c, pRow)) {
    f->bDefined = 1;
    steward_options(c, sqlite3_column_value(pRow, 0), delta_name_options,
                    delta_name_option_count, &f->names);
  }
  steward_give(c, SQL_delta_defined, pRow);
}

/* Take the names over from *pNames. */
static void given_names(StewardCall *c, DeltaForm *f,
                        const DeltaNames *pNames) {
  int i;
  f->bDefined = 1;
  f->names.eUnit = pNames->eUnit;
  for (i = 0; i < delta_name_option_count; i++) {
    size_t iOffset = delta_name_options[i].iOffset;
    char *const *pzFrom = (char *const *)((const char *)pNames + iOffset);
    if (delta_name_options[i].eType == STEWARD_OPT_WORD || *pzFrom == NULL) {
      continue;
    }
    *(char **)((char *)&f->names + iOffset) = steward_mprintf(c, "%s", *pzFrom);
  }
}

static void make_form(StewardCall *c, Making *m, const char *zTable,
                      const DeltaNames *pNames) {
  DeltaForm *f = m->f;
  f->base.xFree = m->bLoose ? loose_form_free : delta_form_free;
  delta_check_installed(c, zTable);
  steward_table_info(c, zTable, &m->info);
  f->base.zTable = steward_mprintf(c, "%s", m->info.zName);
  if (!m->info.bWithoutRowid) f->zRowid = steward_key_list(c, &m->info, "");
  if (pNames) {
    given_names(c, f, pNames);
  } else if (c->rc == SQLITE_OK) {
    stored_names(c, f);
  }
  if (c->rc == SQLITE_OK) find_names(c, m);
  find_overlays(c, m);
  check_shape(c, m);
  check_key(c, m);
  make_lists(c, m);
  make_members(c, m);
  find_kids_index(c, f);
  if (m->bLoose) stream_find(c, f);
  f->zSource = steward_mprintf(c, steward_column_index(&m->info, "source") < 0
                                      ? "\"source\":"
                                      : "\"delta_source\":");
}

static DeltaForm *form_new(StewardCall *c, const char *zTable,
                           const DeltaNames *pNames, int bLoose) {
  Making m;
  memset(&m, 0, sizeof(m));
  if (c->rc) return NULL;
  m.bLoose = bLoose;
  m.f = sqlite3_malloc64(sizeof(*m.f));
  if (m.f == NULL) {
    steward_fail_nomem(c);
    return NULL;
  }
  memset(m.f, 0, sizeof(*m.f));
  make_form(c, &m, zTable, pNames);
  delta_statement(c, m.f, 0, DELTA_LEAF);
  if (!bLoose) delta_quick_prepare(c, m.f);
  steward_table_info_free(&m.info);
  sqlite3_free(m.aOverlay);
  sqlite3_free(m.abIs);
  if (c->rc) {
    delta_form_free(&m.f->base);
    m.f = NULL;
  }
  return m.f;
}

/* Read the schema of zTable, with these names; NULL when the call has failed.
** Names of an owner alone say of any table whose children its rows are. */
DeltaForm *delta_form_new(StewardCall *c, const char *zTable,
                          const DeltaNames *pNames) {
  int bOwned = pNames->zOwnerTable && !pNames->zParent && !pNames->zOverlay;
  return form_new(c, zTable, pNames, bOwned);
}

/* Where rows come from: the table, or what it was at ?2 by its history: of each
** key the first image that was noted after the cut, else the row of today.
** Caller frees. */
char *delta_source_sql(StewardCall *c, DeltaForm *f, int bHistory) {
  const char *zTable = f->base.zTable, *zKey = f->names.zKey;
  if (!bHistory) return steward_mprintf(c, "main.\"%w\"", zTable);
  return steward_mprintf(
      c,
      "(SELECT %s FROM main.\"%w\" AS t WHERE NOT EXISTS (SELECT 1 FROM"
      " main.\"steward_history_%w\" AS h WHERE h.\"%w\" = t.\"%w\""
      " AND h.steward_at > ?2) UNION ALL SELECT %s FROM"
      " main.\"steward_history_%w\" AS h WHERE h.steward_at > ?2 AND"
      " h.steward_op <> 'insert' AND h.steward_seq = (SELECT"
      " min(e.steward_seq) FROM main.\"steward_history_%w\" AS e WHERE"
      " e.\"%w\" = h.\"%w\" AND e.steward_at > ?2))",
      f->zColumns, zTable, zTable, zKey, zKey, f->zColumns, zTable, zTable,
      zKey, zKey);
}

/* The text of a statement.  bFed: its keys come by steward_feed. */
static char *statement_sql(StewardCall *c, DeltaForm *f, int bHistory,
                           int eStmt, int bFed) {
  const char *zColumn = eStmt == DELTA_KIDS ? f->names.zParent : f->names.zKey;
  const char *zKids = eStmt == DELTA_KIDS && !bHistory ? f->zKids : "";
  const char *zCollate = eStmt == DELTA_KIDS ? f->zCollate : "";
  const char *zList = eStmt == DELTA_RAW    ? f->zPlainList
                      : eStmt == DELTA_KIDS ? f->zDeltaList
                      : eStmt == DELTA_ALL  ? f->zColumns
                                            : f->zList;
  char *zFrom = delta_source_sql(c, f, bHistory), *zSql = NULL;
  if (zFrom && bFed) {
    zSql = steward_mprintf(c,
                           "SELECT %s FROM main.steward_feed(?1) AS steward_w"
                           " CROSS JOIN %s%s WHERE \"%w\" ="
                           " +steward_w.steward_key%s",
                           zList, zFrom, zKids, zColumn, zCollate);
  } else if (zFrom) {
    zSql = steward_mprintf(c, "SELECT %s FROM %s%s WHERE \"%w\" = ?1%s", zList,
                           zFrom, zKids, zColumn, zCollate);
  }
  sqlite3_free(zFrom);
  return zSql;
}

/* Prepare it; the result code. */
static int prepare_statement(StewardCall *c, DeltaForm *f, int bHistory,
                             int eStmt, int bFed) {
  sqlite3_stmt **ppStmt = &f->aStmt[bHistory][eStmt];
  char *zSql = statement_sql(c, f, bHistory, eStmt, bFed);
  int rc = SQLITE_NOMEM;
  if (zSql) {
    rc = sqlite3_prepare_v3(c->db, zSql, -1, SQLITE_PREPARE_PERSISTENT, ppStmt,
                            NULL);
  }
  if (rc == SQLITE_OK && bFed) {
    f->abFed[eStmt] = 1;
    rc = steward_feed_bind(*ppStmt, 1, &f->aFeed[eStmt]);
  }
  sqlite3_free(zSql);
  return rc;
}

/* A statement of the form, prepared when first asked for.  Those that are asked
** for one row after the other are fed with keys, unless something of the
** application's is in the way: see runtime/feed.c. */
sqlite3_stmt *delta_statement(StewardCall *c, DeltaForm *f, int bHistory,
                              int eStmt) {
  int bFed = !bHistory &&
             (eStmt == DELTA_UP || eStmt == DELTA_KIDS || eStmt == DELTA_ALL);
  int rc = SQLITE_ERROR;
  if (c->rc) return NULL;
  f->mUsed |= 1u << (bHistory * DELTA_STATEMENTS + eStmt);
  if (f->aStmt[bHistory][eStmt]) return f->aStmt[bHistory][eStmt];
  if (bFed) rc = prepare_statement(c, f, bHistory, eStmt, 1);
  if (rc == SQLITE_ERROR) rc = prepare_statement(c, f, bHistory, eStmt, 0);
  if (rc == SQLITE_ERROR && eStmt == DELTA_KIDS && f->zKids[0]) {
    f->zKids[0] = '\0'; /* an index that does not serve after all */
    return delta_statement(c, f, bHistory, eStmt);
  }
  if (rc) steward_fail_db(c, rc);
  return f->aStmt[bHistory][eStmt];
}

/* The statement with this text, which the form keeps: prepared, or as it was
** left, reset, by the call before.  NULL when the call has failed. */
sqlite3_stmt *delta_kept(StewardCall *c, DeltaForm *f, char *zSql) {
  sqlite3_stmt *pStmt;
  int i, n = ArraySize(f->aKept);
  for (i = 0; zSql && i < n && c->rc == SQLITE_OK; i++) {
    if (f->aKept[i].zSql && strcmp(f->aKept[i].zSql, zSql) == 0) {
      sqlite3_free(zSql);
      return f->aKept[i].pStmt;
    }
  }
  pStmt = steward_prepare_text(
      c, c->rc || zSql == NULL ? NULL : steward_mprintf(c, "%s", zSql));
  if (pStmt == NULL) {
    sqlite3_free(zSql);
    return NULL;
  }
  sqlite3_finalize(f->aKept[0].pStmt);
  sqlite3_free(f->aKept[0].zSql);
  memmove(&f->aKept[0], &f->aKept[1], sizeof(f->aKept[0]) * (size_t)(n - 1));
  f->aKept[n - 1].zSql = zSql;
  f->aKept[n - 1].pStmt = pStmt;
  return pStmt;
}

/* The form of zTable, whatever changed since it was kept: SQLite tells when it
** steps a statement, here for a row that is not there. */
static DeltaForm *form_open(StewardCall *c, const char *zTable, int bLoose) {
  DeltaForm *f = (DeltaForm *)steward_form_take(
      c, bLoose ? loose_form_free : delta_form_free, zTable);
  if (f) {
    sqlite3_stmt *pStmt = delta_statement(c, f, 0, DELTA_LEAF);
    int rc = sqlite3_step(pStmt);
    sqlite3_reset(pStmt);
    if (rc == SQLITE_DONE && !steward_form_stale(pStmt)) return f;
    f->base.xFree(&f->base);
  }
  return form_new(c, zTable, NULL, bLoose);
}

DeltaForm *delta_form_open(StewardCall *c, const char *zTable) {
  return form_open(c, zTable, 0);
}

/* The same for a table of any kind: what it has not is NULL. */
DeltaForm *delta_form_any(StewardCall *c, const char *zTable) {
  return form_open(c, zTable, 1);
}

/* The same for one with a key: the parent's target, the primary key, another
** column that is unique, or "rowid". */
DeltaForm *delta_form_loose(StewardCall *c, const char *zTable) {
  DeltaForm *f = form_open(c, zTable, 1);
  if (f == NULL || !f->bNoKey) return f;
  steward_fail(c, STEWARD_INVALID_ARGUMENT,
               "table '%s' has no key of one column: add one that is UNIQUE "
               "and NOT NULL",
               f->base.zTable);
  delta_form_close(c, f);
  return NULL;
}

/* Keep the form for the next call, with nothing of this one. */
void delta_form_close(StewardCall *c, DeltaForm *f) {
  int i;
  if (f == NULL) return;
  for (i = 0; f->mUsed >> i; i++) {
    sqlite3_stmt *pStmt = f->aStmt[i / DELTA_STATEMENTS][i % DELTA_STATEMENTS];
    if (pStmt == NULL || !(f->mUsed >> i & 1)) continue;
    sqlite3_reset(pStmt);
    if (i < DELTA_STATEMENTS && f->abFed[i]) {
      steward_feed_clear(&f->aFeed[i]);
    } else {
      sqlite3_clear_bindings(pStmt);
    }
  }
  if (f->mUsed) delta_forget(f);
  f->mUsed = 0;
  f->bUpRow = 0;
  steward_form_give(c, &f->base, 1);
}
