/*
** pool_example.c - a program that uses Steward's connection pool, to copy.
**
**     cc -I/usr/local/include pool_example.c -o example -lsqlite3 -lpthread
**     ./example /usr/local/lib/steward.so shop.db
**
** Four threads add orders to a file, two connections at a time.
*/
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>

#include "steward.h" /* behind sqlite3.h */

static const steward_api *api;
static const char *zFile;

/* Add ten orders, each on a connection of the pool. */
static void *add_orders(void *pUnused) {
  int i;
  for (i = 0; i < 10; i++) {
    sqlite3 *conn;
    if (api->pool_acquire(zFile, 5000, &conn)) {
      fprintf(stderr, "%s\n", api->error());
      return NULL;
    }
    if (sqlite3_exec(conn, "INSERT INTO orders(total) VALUES (7.5)", NULL, NULL,
                     NULL)) {
      fprintf(stderr, "insert: %s\n", sqlite3_errmsg(conn));
    }
    api->pool_release(conn);
  }
  return NULL;
}

static int print(void *pUnused, int n, char **azValue, char **azName) {
  printf("%s\n", azValue[0] ? azValue[0] : "NULL");
  return 0;
}

int main(int argc, char **argv) {
  pthread_t aThread[4];
  sqlite3 *db = NULL;
  char *zSql;
  int i;
  if (argc < 3) {
    fprintf(stderr, "usage: %s steward.so database\n", argv[0]);
    return 2;
  }
  zFile = argv[2];

  /* One connection with Steward hands the interface over. */
  if (sqlite3_open(zFile, &db) == SQLITE_OK) {
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    if (sqlite3_load_extension(db, argv[1], NULL, NULL) == SQLITE_OK) {
      api = steward_api_get(db);
    }
  }
  if (api == NULL) {
    fprintf(stderr, "cannot load %s: %s\n", argv[1], sqlite3_errmsg(db));
    return 1;
  }
  sqlite3_exec(db,
               "PRAGMA journal_mode = WAL;"
               "CREATE TABLE IF NOT EXISTS orders(id INTEGER PRIMARY KEY,"
               " total REAL)",
               NULL, NULL, NULL);
  zSql = sqlite3_mprintf("SELECT pool_configure(%Q, 1, 2, '5s')", zFile);
  sqlite3_exec(db, zSql, NULL, NULL, NULL);
  sqlite3_free(zSql);

  for (i = 0; i < 4; i++) {
    pthread_create(&aThread[i], NULL, add_orders, NULL);
  }
  for (i = 0; i < 4; i++) pthread_join(aThread[i], NULL);

  sqlite3_exec(db, "SELECT count(*) || ' orders' FROM orders", print, NULL,
               NULL);
  sqlite3_close(db); /* closes the idle connections of the pool, too */
  return 0;
}
