/*
** config.c - the table of settings.
*/
#include "steward_int.h"

/* steward_settings(name TEXT, value INTEGER, default_value INTEGER,
**   unit TEXT, min_value INTEGER, max_value INTEGER, meaning TEXT)     table
** Every setting of this database with its current value, default and range; a
** value out of range, which some client stored by hand, is shown as it is.
** `directories` is text, and has no default and no range.
** Example: SELECT value, default_value, unit FROM steward_settings
**   WHERE name='migrate_lock_ms'; -- 2000|2000|ms
*/
static void settings_rows(StewardCall *c, StewardRows *r, int nArg,
                          sqlite3_value **apArg) {
  int i;
  for (i = 0; i < steward_setting_count() && c->rc == SQLITE_OK; i++) {
    const StewardSetting *s = steward_setting_at(i);
    if (steward_setting_is_text(s)) {
      const char *zNone = NULL;
      char *zValue = steward_setting_text(c, s->zName);
      steward_row(c, r, "ttttttt", s->zName, zValue, zNone, s->zUnit, zNone,
                  zNone, s->zMeaning);
      sqlite3_free(zValue);
      continue;
    }
    steward_row(c, r, "tlltllt", s->zName, steward_setting_stored(c, s),
                s->iDefault, s->zUnit, s->iMin, s->iMax, s->zMeaning);
  }
}

static const StewardTable aTable[] = {
    {.zName = "steward_settings",
     .zColumns = "name TEXT, value INTEGER, default_value INTEGER, unit TEXT,"
                 " min_value INTEGER, max_value INTEGER, meaning TEXT",
     .xRows = settings_rows},
};

int config_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
