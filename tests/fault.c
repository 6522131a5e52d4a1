/*
** fault.c - every allocation of every example fails once: the library must
** report it, leave nothing half done, lose no memory, and work afterwards.
**
**     fault steward.so [full | NAME | I/N]
**
** NAME is that of the only example to run; I/N: the I-th of N parts of all, so
** that several run side by side.
**
** The allocator is replaced by one that fails the n-th request; the scenario is
** run for n = 1, 2, ... until it runs through.  Without `full` each scenario
** tries at most POINTS values of n, spread over its length.  Two modes: the
** request fails alone (the next one works), or everything fails from there on.
*/
#include <unistd.h>

#include "ctest.h"

#define POINTS 60
#define STATES 32

static int iPart = 0, nPart = 1;

/* Does the next scenario belong to this part? */
static int mine(void) {
  static int nScenario;
  return nScenario++ % nPart == iPart;
}

/*************************************************************************
** The allocator
*/
static sqlite3_mem_methods real;
static long iCountdown; /* requests until the failure; 0: never */
static int bPersistent; /* fail all that follow, too */
static long nRequest;
static int bHit;

static int fails(void) {
  nRequest++;
  if (iCountdown == 0) return 0;
  if (iCountdown == 1) {
    bHit = 1;
    if (!bPersistent) iCountdown = 0;
    return 1;
  }
  iCountdown--;
  return 0;
}

static void *fault_malloc(int n) {
  return fails() ? NULL : real.xMalloc(n);
}

static void *fault_realloc(void *p, int n) {
  return fails() ? NULL : real.xRealloc(p, n);
}

static void install_allocator(void) {
  sqlite3_mem_methods methods;
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
  methods = real;
  methods.xMalloc = fault_malloc;
  methods.xRealloc = fault_realloc;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
  sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
}

static void faults_off(void) {
  iCountdown = 0;
  bPersistent = 0;
}

/*************************************************************************
** One scenario
*/
typedef struct Scenario {
  const char *zName;
  const char *zSql;
  int bLoad;             /* loading the library is part of it */
  int bRefused;          /* it is refused, and must be under every fault */
  unsigned char *pImage; /* the database before it */
  sqlite3_int64 nImage;
  unsigned long long aState[STATES]; /* digests after 0, 1, 2 .. statements */
  int nState;
  char *zResult; /* of the run without a fault */
} Scenario;

/* A fresh in-memory database with the scenario's image. */
static sqlite3 *scenario_open(const Scenario *s) {
  sqlite3 *db = NULL;
  /* the same random numbers each time: they may be among what is stored */
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, (sqlite3 *)0);
  sqlite3_open(":memory:", &db);
  if (s->nImage) {
    unsigned char *p = sqlite3_malloc64((sqlite3_uint64)s->nImage);
    memcpy(p, s->pImage, (size_t)s->nImage);
    sqlite3_deserialize(db, "main", p, s->nImage, s->nImage,
                        SQLITE_DESERIALIZE_FREEONCLOSE |
                            SQLITE_DESERIALIZE_RESIZEABLE);
  }
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, (int *)0);
  return db;
}

/* What the scenario does; the result code. */
static int scenario_run(const Scenario *s, sqlite3 *db, char **pzResult) {
  int rc = SQLITE_OK;
  char *zErr = NULL;
  if (s->bLoad) rc = load(db, &zErr);
  sqlite3_free(zErr);
  if (rc == SQLITE_OK) *pzResult = run(db, s->zSql, &rc, NULL);
  return rc;
}

static void pin(sqlite3 *db) {
  free(value(db, "SELECT steward_clock(1700000000000)"));
}

/* Run it once without a fault, statement by statement, and note the states
** that a fault may leave. */
static void scenario_learn(Scenario *s) {
  sqlite3 *db = scenario_open(s);
  const char *zSql = s->zSql;
  char *zErr = NULL;
  if (load(db, &zErr)) printf("load: %s\n", zErr);
  pin(db);
  s->aState[s->nState++] = digest(db);
  while (zSql && zSql[0] && s->nState < STATES) {
    sqlite3_stmt *pStmt = NULL;
    if (sqlite3_prepare_v2(db, zSql, -1, &pStmt, &zSql)) break;
    while (pStmt && sqlite3_step(pStmt) == SQLITE_ROW) {
      const char *z = (const char *)sqlite3_column_text(pStmt, 0);
      free(s->zResult);
      s->zResult = z ? strdup(z) : NULL;
    }
    sqlite3_finalize(pStmt);
    if (sqlite3_get_autocommit(db)) s->aState[s->nState++] = digest(db);
  }
  sqlite3_close(db);
}

static int known_state(const Scenario *s, sqlite3 *db) {
  unsigned long long h = digest(db);
  int i;
  for (i = 0; i < s->nState; i++) {
    if (s->aState[i] == h) return 1;
  }
  return 0;
}

/* json_valid() of SQLite 3.40 says 0 when it has no memory, so that a CHECK
** fails instead: refused, and nothing is half done. */
static int check_refused(sqlite3 *db, int rc) {
  return rc == SQLITE_CONSTRAINT && strstr(sqlite3_errmsg(db), "json_valid");
}

/* After a fault: nothing half done, and everything works again. */
static void check_aftermath(const Scenario *s, sqlite3 *db, int rc, long n) {
  char *zCheck;
  check(rc == (s->bRefused ? SQLITE_ERROR : SQLITE_OK) ||
            (rc & 0xff) == SQLITE_NOMEM || s->bLoad || check_refused(db, rc),
        "%s: fault %ld gave result code %d: %s", s->zName, n, rc,
        sqlite3_errmsg(db));
  if (sqlite3_get_autocommit(db) == 0) free(value(db, "ROLLBACK"));
  check(known_state(s, db), "%s: fault %ld left something half done", s->zName,
        n);
  zCheck = value(db, "PRAGMA integrity_check");
  check(same(zCheck, "ok"), "%s: fault %ld: integrity %s", s->zName, n, zCheck);
  free(zCheck);
}

/* One run with the n-th request failing; 0 when it ran through. */
static int scenario_fault(const Scenario *s, long n, int bPersist) {
  sqlite3 *db = scenario_open(s);
  char *zResult = NULL;
  int rc, bWasHit;
  if (!s->bLoad) {
    char *zErr = NULL;
    load(db, &zErr);
    sqlite3_free(zErr);
    pin(db);
  }
  bHit = 0;
  bPersistent = bPersist;
  iCountdown = n;
  rc = scenario_run(s, db, &zResult);
  faults_off();
  bWasHit = bHit;
  if (rc == SQLITE_OK && !s->bLoad) {
    check(same(zResult, s->zResult), "%s: fault %ld gave '%s', not '%s'",
          s->zName, n, zResult ? zResult : "NULL",
          s->zResult ? s->zResult : "NULL");
  }
  free(zResult);
  check_aftermath(s, db, rc, n);
  rc = sqlite3_close(db);
  check(rc == SQLITE_OK, "%s: fault %ld: close gave %d", s->zName, n, rc);
  return bWasHit;
}

/* How many requests the scenario makes. */
static long scenario_length(const Scenario *s) {
  sqlite3 *db = scenario_open(s);
  char *zResult = NULL, *zErr = NULL;
  if (!s->bLoad) {
    load(db, &zErr);
    pin(db);
  }
  nRequest = 0;
  scenario_run(s, db, &zResult);
  free(zResult);
  sqlite3_close(db);
  return nRequest;
}

static void scenario_sweep(Scenario *s, int bFull) {
  sqlite3_int64 nMemory;
  long n, nLength, nStride = 1;
  int bPersist;
  scenario_learn(s);
  nLength = scenario_length(s);
  nMemory = sqlite3_memory_used();
  for (bPersist = 0; bPersist < 2; bPersist++) {
    if (!bFull && nLength > POINTS) nStride = nLength / POINTS + 1;
    for (n = 1; n <= nLength + 1; n += nStride) {
      if (!scenario_fault(s, n, bPersist)) break;
    }
    /* why it is refused is written down at the end */
    for (n = nLength - 2 * POINTS; s->bRefused && n <= nLength; n++) {
      scenario_fault(s, n, bPersist);
    }
  }
  check(sqlite3_memory_used() == nMemory, "%s: %lld bytes lost", s->zName,
        sqlite3_memory_used() - nMemory);
  free(s->zResult);
  s->zResult = NULL;
}

/*************************************************************************
** The scenarios
*/
static const char *const azScript[][2] = {
    {"typical errors",
     "SELECT count(*) FROM steward_help; SELECT delivery_status.pending FROM"
     " delivery_status; SELECT steward_setting('log_max_rows', 5);"
     "SELECT count(*) FROM contract_checks; SELECT count(*) FROM "
     "health_checks"},
    {"in a transaction",
     "BEGIN; SELECT delivery_publish('t', 1); SELECT"
     " delivery_subscribe('w', 't'); SELECT migrate_down('http', 1);"
     "SELECT perf_capture(); COMMIT"},
    {"in writing statements",
     "CREATE TABLE t(x); CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT"
     " delivery_publish('t', NEW.x); END; INSERT INTO t VALUES (1), (2);"
     "INSERT INTO t VALUES (delivery_publish('u', 3))"},
    {"cascade",
     "PRAGMA foreign_keys=1; CREATE TABLE a(x, y, u, v, PRIMARY KEY (x, y),"
     " FOREIGN KEY (u, v) REFERENCES a ON DELETE CASCADE) WITHOUT ROWID;"
     "CREATE TABLE p(id INTEGER PRIMARY KEY, q REFERENCES p ON DELETE"
     " CASCADE); CREATE TABLE c(k PRIMARY KEY, p INT, x, y, d DEFAULT 2"
     " REFERENCES p ON DELETE SET DEFAULT, FOREIGN KEY (x, y) REFERENCES a"
     " ON DELETE CASCADE); SELECT delta_define('c',"
     " '{\"owner\":\"p\",\"owner_table\":\"p\"}'); INSERT INTO a VALUES"
     " (1, 2, NULL, NULL), (3, 4, 1, 2); INSERT INTO p VALUES (1, 1), (2,"
     " NULL); INSERT INTO c VALUES ('c1', 1, 3, 4, NULL), ('c2', NULL, NULL,"
     " NULL, 1); WITH RECURSIVE i(n) AS (SELECT 100 UNION ALL SELECT n + 1"
     " FROM i WHERE n < 170) INSERT INTO p SELECT n, 1 FROM i;"
     " SELECT delta_cascade_delete('p', 1)"},
    {"deltas of one",
     "INSERT INTO workspaces(id, name) VALUES ('w', 'W'); INSERT INTO"
     " http(id, workspace_id, name, url, method) VALUES ('b', 'w', '', '', '');"
     "SELECT delta_create('http', 'b', 'd', '{}'); SELECT row FROM"
     " delta_rows('http') WHERE id = 'b' AND kind = 'delta'"},
    {"uninstall", "SELECT steward_uninstall('force')"},
};

static void take_image(Scenario *s, const char *zSetup) {
  sqlite3 *db = open_loaded(":memory:");
  free(value(db, zSetup));
  s->pImage = sqlite3_serialize(db, "main", &s->nImage, 0);
  sqlite3_close(db);
}

static void sweep_one(const char *zName, const char *zSql,
                      const Scenario *pImage, int bFull) {
  Scenario s;
  if (!mine()) return;
  memset(&s, 0, sizeof(s));
  s.zName = zName;
  s.zSql = zSql;
  if (pImage) {
    s.pImage = pImage->pImage;
    s.nImage = pImage->nImage;
  } else {
    s.bLoad = 1;
  }
  scenario_sweep(&s, bFull);
}

/* What would lose rows, or finds a difference, does not pass over that because
** there was no memory to write it down. */
static const char *const azRefused[][2] = {
    {"SELECT delivery_publish('t', 1)", "SELECT steward_uninstall()"},
    {"SELECT delivery_subscribe('w', 't')", "SELECT migrate_down('core', 0)"},
    {"INSERT INTO workspaces(id, name) VALUES ('w', 'x')",
     "SELECT migrate_down('http', 0)"},
    {"DROP INDEX steward_messages_number", "SELECT migrate_verify('core')"},
};

static void sweep_refused(const char *zSetup, const char *zSql, int bFull) {
  Scenario s;
  char *zScript;
  if (!mine()) return;
  zScript = sqlite3_mprintf("%s; %s", EXAMPLE_SETUP, zSetup);
  memset(&s, 0, sizeof(s));
  s.zName = zSql;
  s.zSql = zSql;
  s.bRefused = 1;
  take_image(&s, zScript);
  scenario_sweep(&s, bFull);
  sqlite3_free(s.pImage);
  sqlite3_free(zScript);
}

/* Another file through the pool, which begins anew each time: the connection
** that loads the library is the only one. */
static void sweep_pool(const Scenario *pImage, int bFull) {
  char zFile[] = "/tmp/steward-fault-XXXXXX";
  sqlite3 *db = NULL;
  char *zSql;
  int fd = mkstemp(zFile);
  if (fd >= 0) close(fd);
  sqlite3_open(zFile, &db);
  free(value(db, "CREATE TABLE t(x)"));
  sqlite3_close(db);
  zSql = sqlite3_mprintf(
      "SELECT steward_setting('directories', '[\"/tmp\"]');"
      "SELECT steward_setting('pool_threads', 1);"
      "SELECT pool_configure(%Q, 2, 3, '5s', '{\"max_age\":\"1h\"}');"
      "SELECT pool_exec(%Q, 'DELETE FROM t; INSERT INTO t VALUES (7)');"
      "SELECT count(*) FROM pool_status;"
      "SELECT pool_query_all(json_array(%Q, %Q), 'SELECT x FROM t');"
      "SELECT pool_query(%Q, 'SELECT :a AS a, x FROM t',"
      " '{\"a\":{\"$blob\":\"00ff\"}}')",
      zFile, zFile, zFile, zFile, zFile);
  sweep_one("pool", zSql, pImage, bFull);
  sqlite3_free(zSql);
  unlink(zFile);
}

static void sweep_examples(const Scenario *pImage, int bFull,
                           const char *zOnly) {
  sqlite3 *db = open_loaded(":memory:");
  sqlite3_stmt *pStmt = NULL;
  sqlite3_prepare_v2(db, EXAMPLES_SQL, -1, &pStmt, NULL);
  while (sqlite3_step(pStmt) == SQLITE_ROW) {
    if (zOnly && strcmp(zOnly, (const char *)sqlite3_column_text(pStmt, 0))) {
      continue;
    }
    sweep_one((const char *)sqlite3_column_text(pStmt, 0),
              (const char *)sqlite3_column_text(pStmt, 1), pImage, bFull);
  }
  sqlite3_finalize(pStmt);
  sqlite3_close(db);
}

int main(int argc, char **argv) {
  Scenario image;
  int bFull = argc > 2 && strcmp(argv[2], "full") == 0;
  const char *zOnly = NULL;
  int i;
  zLibrary = argc > 1 ? argv[1] : "build/steward.so";
  if (argc > 2 && sscanf(argv[2], "%d/%d", &iPart, &nPart) == 2) {
    iPart--;
    argc = 2;
  }
  install_allocator();
  memset(&image, 0, sizeof(image));
  take_image(&image, EXAMPLE_SETUP);
  sweep_one("load", "SELECT steward_version()", NULL, 1);
  sweep_one("migrate_up", "SELECT migrate_up('all')", NULL, bFull);
  if (argc > 2 && !bFull) zOnly = argv[2];
  for (i = 0; i < (int)(sizeof(azScript) / sizeof(azScript[0])); i++) {
    if (zOnly && strcmp(zOnly, azScript[i][0])) continue;
    sweep_one(azScript[i][0], azScript[i][1], &image, bFull);
  }
  for (i = 0;
       zOnly == NULL && i < (int)(sizeof(azRefused) / sizeof(azRefused[0]));
       i++) {
    sweep_refused(azRefused[i][0], azRefused[i][1], bFull);
  }
  if (zOnly == NULL) sweep_pool(&image, bFull);
  sweep_examples(&image, bFull, zOnly);
  sqlite3_free(image.pImage);
  check(sqlite3_memory_used() == 0, "%lld bytes lost", sqlite3_memory_used());
  return finish();
}
