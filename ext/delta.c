#include "steward_int.h"

int delta_register(Steward *p) {
  (void)p;
  return SQLITE_OK;
}
