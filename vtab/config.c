#include "steward_int.h"

int config_tables_register(Steward *p) {
  (void)p;
  return SQLITE_OK;
}
