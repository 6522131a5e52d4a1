#include "steward_int.h"

int help_register(Steward *p) {
  (void)p;
  return SQLITE_OK;
}
