#include "steward_int.h"

int maintenance_tables_register(Steward *p) {
  (void)p;
  return SQLITE_OK;
}
