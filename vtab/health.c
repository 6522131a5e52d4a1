#include "steward_int.h"

int health_tables_register(Steward *p) {
  (void)p;
  return SQLITE_OK;
}
