#include "steward_int.h"

int config_register(Steward *p) {
  (void)p;
  return SQLITE_OK;
}
