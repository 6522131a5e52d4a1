/*
** pool_int.h - what the files of the pool share: pool.c (slots, waiters, the
** process), pool_conn.c (a connection), pool_config.c (how many, for how long),
** pool_run.c (a statement on one), pool_sql.c (the verbs), api.c (for C) and
** vtab/pool.c.
*/
#ifndef STEWARD_POOL_INT_H
#define STEWARD_POOL_INT_H

#include "steward_int.h"

typedef struct Pool Pool;
typedef struct PoolConn PoolConn;

/* Durations in ms; 0 of a maximum age or idle time: for ever. */
typedef struct PoolConfig {
  i64 nMin, nMax, nIdle; /* connections; nIdle: kept though nobody uses them */
  i64 iTimeout;          /* how long a caller waits for one */
  i64 iMaxAge, iIdleTimeout;
  i64 iBusy;    /* how long a connection waits for a lock */
  i64 iProbe;   /* a connection that was not read with for so long is tried */
  i64 bWrites;  /* pool_query() may write */
  i64 bDurable; /* synchronous FULL in WAL mode, too */
} PoolConfig;

struct PoolConn {
  PoolConn *pNext;           /* in the chain of used or idle ones */
  PoolConn *pNewer, *pOlder; /* in the list of all that are idle */
  Pool *pPool;
  sqlite3 *db;
  Steward *p;      /* its context */
  i64 iOpened;     /* us, monotonic, as are the others */
  i64 iIdle;       /* since when it is idle */
  i64 iProbed;     /* when it last read from the file */
  i64 iBusySince;  /* the lock that it waits for now */
  i64 iBusy;       /* us that it waits at most */
  unsigned iSeed;  /* of the jitter */
  int nCheckpoint; /* as SQLite sets it for a new connection */
  int bReadOnly;   /* query_only is on */
  int bAltered;    /* it is not as it was opened: not for others */
};

/* What a caller wants. */
typedef struct PoolWant {
  const char *zPath;         /* real path, see steward_path_real() */
  const char *zVfs;          /* NULL: the default one */
  i64 iTimeout;              /* ms; negative: as configured */
  const PoolConfig *pConfig; /* NULL: as it is, or what the file itself says */
  int bDefault;              /* it is that of no file in particular */
  int (*xStop)(void *);      /* asked while it waits; NULL: never */
  void *pStop;
  int bFill;  /* a new pool gets its least number of connections at once */
  int bKnown; /* nothing happens where the path is not that of a pool */
} PoolWant;

/* One row of pool_status. */
typedef struct PoolState {
  char *zPath; /* caller frees */
  PoolConfig config;
  int bGiven; /* by the process, not by rows of a file */
  int nOpen, nIdle, nInUse, nPeak, nWaiting;
  i64 nAcquired, nOpened, nClosed, nTimeout, nBroken;
  i64 iWait50, iWait95, iWaitMax; /* us */
} PoolState;

extern const PoolConfig pool_default;

PoolConn *pool_acquire(StewardCall *c, const PoolWant *pWant);
int pool_release(sqlite3 *db);
void pool_configured(StewardCall *c, const char *zPath,
                     const PoolConfig *pConfig, int bGiven);
PoolConfig pool_config_of(const PoolConn *pConn);
int pool_state(StewardCall *c, int i, PoolState *pOut /* OUT */);

/* pool_conn.c */
PoolConn *pool_conn_open(StewardCall *c, const char *zPath, const char *zVfs,
                         const PoolConfig *pConfig);
int pool_conn_is_good(PoolConn *pConn, const PoolConfig *pConfig, i64 iNow);
int pool_conn_clean(PoolConn *pConn);
void pool_conn_callbacks(PoolConn *pConn, int bUsed);
void pool_conn_close(PoolConn *pConn);

/* What runs on a connection, see pool_run.c. */
typedef struct PoolRun {
  const char *zSql;
  const char *zParams; /* JSON, or NULL */
  int bWrites;
  i64 nMost;            /* bytes of the result */
  int (*xStop)(void *); /* asked now and then; NULL: never */
  void *pStop;
} PoolRun;

char *pool_run_query(StewardCall *c, PoolConn *pConn, const PoolRun *pRun);
i64 pool_run_script(StewardCall *c, PoolConn *pConn, const PoolRun *pRun);
void pool_set_read_only(StewardCall *w, PoolConn *pConn, int bReadOnly);

/* pool_config.c */
int pool_config_read(StewardCall *c, const char *zPath, const char *zGiven,
                     PoolConfig *pOut /* OUT */);

#endif
