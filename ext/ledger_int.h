/*
** ledger_int.h - what the files of the capability `ledger` share.
*/
#ifndef LEDGER_INT_H
#define LEDGER_INT_H

#include "steward_int.h"

#define LEDGER_KEY_MAX 1000 /* bytes of a key */
#define LEDGER_DAY 86400000LL

/* ledger_idempotency.c */
const char *ledger_arg_json(StewardCall *c, sqlite3_value *v,
                            const char *zName);
i64 ledger_days(StewardCall *c, const char *zSetting);

#endif
