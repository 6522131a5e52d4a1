/*
** steward.h - what a C program may know about Steward.
**
** Steward is a SQLite extension: load it with sqlite3_load_extension() or
** `.load steward` and use it through SQL.  Nothing needs to be linked.
*/
#ifndef STEWARD_H
#define STEWARD_H

#define STEWARD_VERSION "0.1.0"
#define STEWARD_VERSION_NUMBER 1000 /* major*1000000 + minor*1000 + patch */

/* The oldest SQLite that loads the library; older ones refuse it. */
#define STEWARD_SQLITE_MINIMUM "3.40.0"
#define STEWARD_SQLITE_MINIMUM_NUMBER 3040000

#endif
