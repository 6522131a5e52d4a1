#include "steward_int.h"

int ttl_register(Steward *p) {
  (void)p;
  return SQLITE_OK;
}
