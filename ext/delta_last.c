/*
** delta_last.c - the last value that is not NULL: what an overlay is, as an
** aggregate and a window function.
**
**     SELECT parent, delta_last(delta_url) OVER
**       (PARTITION BY parent ORDER BY updated_at, id) FROM ...
*/
#include <string.h>

#include "steward_int.h"

/* The rows that entered and left the frame are counted: what is left of it has
** no value when the last one with a value is gone. */
typedef struct Last {
  sqlite3_value *pValue; /* owned; NULL: none */
  i64 iValue;            /* how many had entered when it did */
  i64 nIn, nOut;
} Last;

static void last_step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Last *p = sqlite3_aggregate_context(ctx, sizeof(*p));
  if (p == NULL) {
    sqlite3_result_error_nomem(ctx);
    return;
  }
  p->nIn++;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  sqlite3_value_free(p->pValue);
  p->pValue = sqlite3_value_dup(argv[0]);
  p->iValue = p->nIn;
  if (p->pValue == NULL) sqlite3_result_error_nomem(ctx);
}

static void last_inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  Last *p = sqlite3_aggregate_context(ctx, sizeof(*p));
  if (p) p->nOut++;
}

static void last_value(sqlite3_context *ctx) {
  Last *p = sqlite3_aggregate_context(ctx, 0);
  if (p && p->pValue && p->iValue > p->nOut) {
    sqlite3_result_value(ctx, p->pValue);
  }
}

/* delta_last(value) -> the last value that is not NULL    innocuous
** An aggregate and a window function: of the rows in their order the last value
** that is not NULL, NULL when there is none.  That is how deltas are laid over
** one another.  As an aggregate it sees rows in the order of the query, so sort
** them in a subquery.
** Set: none
** Example: SELECT delta_last('a'); -- a
**   SELECT delta_last(x) FROM (SELECT 1 AS n, 'a' AS x
**     UNION ALL SELECT 2, 'b' UNION ALL SELECT 3, NULL ORDER BY n); -- b
*/
static void last_final(sqlite3_context *ctx) {
  Last *p = sqlite3_aggregate_context(ctx, 0);
  last_value(ctx);
  if (p == NULL) return;
  sqlite3_value_free(p->pValue);
  p->pValue = NULL;
}

int delta_last_register(Steward *p) {
  return sqlite3_create_window_function(
      p->db, "delta_last", 1,
      SQLITE_UTF8 | SQLITE_INNOCUOUS | SQLITE_DETERMINISTIC, p, last_step,
      last_final, last_value, last_inverse, NULL);
}
