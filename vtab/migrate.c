#include "steward_int.h"

int migrate_tables_register(Steward *p) {
  (void)p;
  return SQLITE_OK;
}
