/*
** perf.c - the table of live counters.
*/
#include "steward_int.h"

/* perf_counters(name TEXT, value REAL, unit TEXT, meaning TEXT)     table
** The engine's counters of this connection and process as they are now; value
** is NULL where there is nothing to tell yet.
** Source: seed 001, cache hit ratio and I/O metrics.
** Example: SELECT value, unit FROM perf_counters WHERE name='page_size_bytes';
**   -- 4096.0|bytes
*/
static void counter_rows(StewardCall *c, StewardRows *r, int nArg,
                         sqlite3_value **apArg) {
  StewardCounter counter;
  int i;
  for (i = 0; steward_counter_at(c, i, &counter); i++) {
    if (counter.bKnown) {
      steward_row(c, r, "tdtt", counter.zName, counter.rValue, counter.zUnit,
                  counter.zMeaning);
    } else {
      steward_row(c, r, "tntt", counter.zName, counter.zUnit, counter.zMeaning);
    }
  }
}

static const StewardTable aTable[] = {
    {.zName = "perf_counters",
     .zColumns = "name TEXT, value REAL, unit TEXT, meaning TEXT",
     .xRows = counter_rows},
};

int perf_tables_register(Steward *p) {
  return steward_register_tables(p, aTable, ArraySize(aTable));
}
