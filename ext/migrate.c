#include "steward_int.h"

int migrate_register(Steward *p) {
  (void)p;
  return SQLITE_OK;
}
