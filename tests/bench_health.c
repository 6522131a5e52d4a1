/*
** bench_health.c - health, the doctor and vacuum on a file of some size.
**
**     bench_health steward.so [quick] [--case TEXT] [--json FILE] [--mb N]
**
** The file has N MiB (64): rows of 150 bytes under an integer key, two indexes,
** a third of the rows deleted again.  What a verb is compared with is the
** statement that one would use without the library.
*/
#include "bench.h"

static int nMb = 64;

static sqlite3 *open_filled(void) {
  sqlite3 *db = open_fresh("");
  char z[800];
  sqlite3_busy_timeout(db, 5000);
  snprintf(z, sizeof(z),
           "PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=10000;"
           "CREATE TABLE big(id INTEGER PRIMARY KEY, a TEXT, b INTEGER, c);"
           "PRAGMA cache_size=-200000;"
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
           "WHERE i < %d) INSERT INTO big SELECT i, 'name ' || (i * 7919 %% "
           "1000003), i %% 1000, " PAYLOAD " FROM n;"
           "CREATE INDEX big_a ON big(a); CREATE INDEX big_b ON big(b);"
           "PRAGMA cache_size=-2000;"
           "PRAGMA analysis_limit=400; ANALYZE;"
           "PRAGMA wal_checkpoint(TRUNCATE)",
           nMb * 1048576 / 240);
  exec(db, z);
  return db;
}

/* Both once, in turn; microseconds into a[i] and b[i]. */
static void pairs(sqlite3 *db, const char *zName, const char *zA,
                  const char *zB, int n) {
  double *a = malloc(sizeof(double) * (size_t)n);
  double *b = malloc(sizeof(double) * (size_t)n);
  int i;
  if (strstr(zName, zOnly)) {
    for (i = 0; i < n; i++) {
      double t = now_us();
      exec(db, zA);
      a[i] = now_us() - t;
      t = now_us();
      exec(db, zB);
      b[i] = now_us() - t;
    }
    report(zName, a, b, n);
  }
  free(a);
  free(b);
}

int main(int argc, char **argv) {
  sqlite3 *db;
  int i, n;
  bench_begin(argc, argv);
  for (i = 2; i + 1 < argc; i++) {
    if (strcmp(argv[i], "--mb") == 0) nMb = atoi(argv[i + 1]);
  }
  n = nSample > 15 ? 15 : 5;
  db = open_filled();
  printf("a file of %d MiB, %d pairs\n", nMb, n);
  pairs(db, "SELECT health_checks : count(*) of the rows",
        "SELECT count(*) FROM health_checks", "SELECT count(*) FROM big", n);
  pairs(db, "health_run() of 100 ms : count(*) of the rows",
        "SELECT health_run()", "SELECT count(*) FROM big", n);
  pairs(db, "steward_doctor : count(*) of the rows",
        "SELECT count(*) FROM steward_doctor", "SELECT count(*) FROM big", n);
  pairs(db, "health_full : integrity_check", "SELECT health_full()",
        "PRAGMA integrity_check", 1);
  exec(db, "DELETE FROM big WHERE id % 3 = 0");
  pairs(db, "vacuum_full : VACUUM", "SELECT vacuum_full()", "VACUUM", 1);
  sqlite3_close(db);
  bench_end();
  return 0;
}
