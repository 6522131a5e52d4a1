/*
** ttl_int.h - what the files of expiry share.
*/
#ifndef TTL_INT_H
#define TTL_INT_H

#include "steward_int.h"

void ttl_fail_not_attached(StewardCall *c, const char *zTable);
int ttl_sweep_register(Steward *p);

#endif
