/*
** perf_store.c - the process's table of statements by itself: what no test
** reaches by SQL.
**
**     perf_store
*/
#define SQLITE_CORE 1
#include <sqlite3.h>
/* (steward_int.h would take SQLite's functions from a table) */
#include "../ext/perf_store.c"
#include "../ext/runtime/fork.c"
#include <sys/wait.h>
#include <unistd.h>

#include "ctest.h"

void steward_fail_nomem(StewardCall *c) {
  c->rc = SQLITE_NOMEM;
}

static PerfEntry *entry(const char *zPath) {
  return perf_store_find(1, perf_store_key(1, (u64)zPath[0]), zPath, "SELECT ?",
                         8);
}

static int stats(PerfStats **pa) {
  StewardCall c = {0};
  int n;
  check(perf_store_copy(&c, pa, &n) == SQLITE_OK, "copy");
  return n;
}

/* Counts beyond 32 bits. */
static void counters(void) {
  PerfEntry *e = entry("a");
  PerfSample sample = {.rWeight = 1e6, .nNs = 1000, .iAt = 1}, again;
  PerfStats *a;
  sqlite3_str *p = sqlite3_str_new(NULL);
  char *z;
  int i;
  for (i = 0; i < 4300; i++) {
    perf_store_add(e, e->s.key, &sample);
  }
  again = sample;
  again.nNs = 2000;
  perf_store_amend(e, e->s.key, &sample, &again);
  e->s.nSample += INT32_MAX;
  perf_store_add(e, e->s.key, &sample);
  check(stats(&a) == 1, "one statement");
  check(a[0].rCalls == 4301e6, "%f calls", a[0].rCalls);
  check(a[0].nSample == 4301LL + INT32_MAX, "%lld samples",
        (long long)a[0].nSample);
  perf_stats_histogram(p, a);
  z = sqlite3_str_finish(p);
  check(strcmp(z, "[[0.000992,4300000000],[0.001984,1000000]]") == 0, "%s", z);
  sqlite3_free(z);
  perf_store_copy_free(a, 1);
}

/* The same statement on more files than it was ever bounded to, in turn and
** after a reset; an entry that is another file's by now is not the first's. */
static void files(void) {
  PerfSample sample = {.rWeight = 1, .nNs = 10, .iAt = 1};
  PerfEntry *e, *eOther;
  PerfStats *a;
  char zPath[20];
  int i, k, n;
  u64 key;
  for (k = 0; k < 3; k++) {
    perf_store_reset(1);
    for (i = 0; i < 300; i++) {
      sqlite3_snprintf(sizeof(zPath), zPath, "/db/%d", i);
      key = perf_store_key(1, (u64)i + 7);
      e = perf_store_find(1, key, zPath, "SELECT ?", 8);
      check(perf_store_add(e, key, &sample), "file %d", i);
    }
    n = stats(&a);
    check(n == 300, "%d statements", n);
    for (i = 0; i < n; i++) {
      check(strncmp(a[i].zPath, "/db/", 4) == 0 &&
                a[i].key == perf_store_key(1, (u64)atoi(a[i].zPath + 4) + 7),
            "%s", a[i].zPath);
    }
    perf_store_kept(a, n);
    perf_store_copy_free(a, n);
  }
  perf_store_reset(1);
  e = entry("a");
  key = e->s.key;
  perf_store_reset(1);
  eOther = entry("b");
  check(e == eOther, "the place is used again");
  check(!perf_store_add(e, key, &sample), "of another file by now");
  check(perf_store_add(e, e->s.key, &sample), "its own");
}

/* A thread held locks at the fork: the child waits for none of them. */
static void forked(void) {
  PerfEntry *e = entry("a"), *eFree = entry("b");
  PerfSample sample = {.rWeight = 1, .nNs = 10, .iAt = 1};
  u64 key = e->s.key;
  int status = 1;
  pid_t pid;
  perf_store_reset(1);
  e = entry("a");
  check(perf_store_add(e, key, &sample), "before the fork");
  entry_lock(e);
  entry_lock(eFree == e ? store.pFree : eFree);
  pid = fork();
  if (pid == 0) {
    int bOk;
    alarm(10);
    perf_store_error(e, key, 1);
    perf_store_amend(e, key, &sample, &sample);
    bOk = !perf_store_add(e, key, &sample);
    bOk = bOk && perf_store_add(entry("a"), key, &sample);
    bOk = bOk && entry("b") && entry("c") && store.nEntry == 3;
    _exit(bOk ? 0 : 3);
  }
  waitpid(pid, &status, 0);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child: %d", status);
  entry_unlock(e);
  entry_unlock(eFree == e ? store.pFree : eFree);
  check(perf_store_add(e, key, &sample), "the parent goes on");
}

int main(int argc, char **argv) {
  counters();
  files();
  forked();
  perf_store_reset(1);
  check(sqlite3_memory_used() == 0, "%lld bytes lost", sqlite3_memory_used());
  return finish();
}
