/*
** help.c - the tables that explain the library: its reference, its error
** codes and the options of its functions.
*/
#include "steward_int.h"

/* steward_help(name TEXT, kind TEXT, signature TEXT, summary TEXT, risk TEXT,
**   set_name TEXT, errors TEXT, example TEXT, source TEXT, defined TEXT)
**                                                                     table
** Every function and table: kind is `function` or `table`; risk says where a
** function may be called (innocuous: anywhere; plain: not in the schema of an
** untrusted file; directonly: not in triggers and views); set_name is the set
** that must be installed; every example is run by a test.
** Example: SELECT kind, risk FROM steward_help WHERE name='steward_now';
**   -- function|plain
*/
static void help_rows(StewardCall *c, StewardRows *r, int nArg,
                      sqlite3_value **apArg) {
  int i;
  for (i = 0; i < steward_help_count; i++) {
    const StewardHelp *h = &steward_help_rows[i];
    steward_row(c, r, "tttttttttt", h->zName, h->zKind, h->zSignature,
                h->zSummary, h->zRisk[0] ? h->zRisk : NULL, h->zSet,
                h->zErrors[0] ? h->zErrors : NULL, h->zExample,
                h->zSource[0] ? h->zSource : NULL, h->zWhere);
  }
}

/* steward_errors(code TEXT, result_code INTEGER, meaning TEXT)     table
** The codes that error texts begin with, and the SQLite result code that comes
** with each.
** Example: SELECT result_code FROM steward_errors WHERE code='BUSY'; -- 5
*/
static void errors_rows(StewardCall *c, StewardRows *r, int nArg,
                        sqlite3_value **apArg) {
  int i;
  for (i = 0; i < STEWARD_CODE_COUNT; i++) {
    const StewardErrorInfo *e = steward_error_info(i);
    steward_row(c, r, "tit", e->zCode, e->rc, e->zMeaning);
  }
}

static const char *const azType[] = {
    [STEWARD_OPT_INT] = "integer",       [STEWARD_OPT_BOOL] = "boolean",
    [STEWARD_OPT_DURATION] = "duration", [STEWARD_OPT_TEXT] = "text",
    [STEWARD_OPT_WORD] = "word",         [STEWARD_OPT_JSON] = "json",
};

/* steward_options(function TEXT, name TEXT, type TEXT, min_value INTEGER,
**   max_value INTEGER, words TEXT, meaning TEXT)     table
** The options of every function that takes a JSON object; `words` lists the
** values of an option of type `word`, durations are in ms.
** Example: SELECT type FROM steward_options
**   WHERE function='steward_clock' AND name='database'; -- boolean
*/
static void options_rows(StewardCall *c, StewardRows *r, int nArg,
                         sqlite3_value **apArg) {
  const StewardFunc *f;
  int i, j;
  for (i = 0; (f = steward_function_at(c->p, i)) != NULL; i++) {
    for (j = 0; j < f->nOption; j++) {
      const StewardOption *o = &f->aOption[j];
      if (o->eType == STEWARD_OPT_INT || o->eType == STEWARD_OPT_DURATION) {
        steward_row(c, r, "tttllnt", f->zName, o->zName, azType[o->eType],
                    o->iMin, o->iMax, o->zMeaning);
      } else {
        steward_row(c, r, "tttnntt", f->zName, o->zName, azType[o->eType],
                    o->zWords, o->zMeaning);
      }
    }
  }
}

static const StewardTable aTable[] = {
    {.zName = "steward_help",
     .zColumns = "name TEXT, kind TEXT, signature TEXT, summary TEXT,"
                 " risk TEXT, set_name TEXT, errors TEXT, example TEXT,"
                 " source TEXT, defined TEXT",
     .xRows = help_rows},
    {.zName = "steward_errors",
     .zColumns = "code TEXT, result_code INTEGER, meaning TEXT",
     .xRows = errors_rows},
    {.zName = "steward_options",
     .zColumns = "function TEXT, name TEXT, type TEXT, min_value INTEGER,"
                 " max_value INTEGER, words TEXT, meaning TEXT",
     .xRows = options_rows},
};

int help_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
