/*
** config.c - settings and the clock.
**
** A setting is a number with a range, declared once in aSetting below (or a
** list of directories); what differs from its default is a row of
** steward_config, so it belongs to the database, not to the process.
** steward_settings lists them all.
**
**     SELECT steward_setting('MAX_DELIVERY_QUEUE', 5000);
**     SELECT steward_clock(1700000000000);   -- tests: time stands still
*/
#include <string.h>

#include "steward_int.h"

static const StewardSetting aSetting[] = {
    {"MAX_DELIVERY_QUEUE", 1000, 0, 1000000000, "messages",
     "pending messages that a new subscription keeps before the oldest are "
     "dropped; 0: bounded by the log's retention only"},
    {"RETENTION_APPROVALS_DAYS", 30, 1, 36500, "days",
     "age at which approvals are removed"},
    {"RETENTION_EVENTS_DAYS", 180, 1, 36500, "days",
     "age at which events are removed"},
    {"RETENTION_IDEMPOTENCY_DAYS", 14, 1, 36500, "days",
     "age at which idempotency keys expire, and the largest ttl of one"},
    {"RETENTION_MAX_APPROVALS", 5000, 1, 1000000000, "approvals",
     "approvals kept, the newest"},
    {"RETENTION_MAX_EVENTS", 100000, 1, 1000000000, "events",
     "events kept, the newest"},
    {"RETENTION_MAX_IDEMPOTENCY", 10000, 1, 1000000000, "keys",
     "idempotency keys kept, the newest"},
    {"RETENTION_NONCES_DAYS", 1, 1, 36500, "days",
     "how long nonces are kept, so the largest skew"},
    {"RETENTION_SESSIONS_DAYS", 30, 1, 36500, "days",
     "how long a session lives after it was last written or touched"},
    {"delivery_idle", 2592000000, 0, 3153600000000LL, "ms",
     "how long a subscription lives after its consumer was last seen; 0: for "
     "ever"},
    {"delivery_keep", 0, 0, 3153600000000LL, "ms",
     "how long a message stays after it was published, though every "
     "subscription has passed it"},
    {"delta_max_depth", 100, 1, 999, "rows",
     "longest chain of deltas that delta_resolve follows"},
    {"delta_history_age", 2592000000, 1000, 3153600000000LL, "ms",
     "age at which old rows leave the histories of delta_history"},
    {"delta_history_rows", 1000000, 1, 1000000000000LL, "rows",
     "old rows that the history of a table keeps"},
    {"directories", 0, 0, 0, "directories",
     "where files may be that SQL names: a JSON array of absolute paths; NULL: "
     "beside this database or below for pool_*, anywhere for vacuum_into"},
    {"health_checkpoint_critical", 64000, 1, 1000000000, "frames",
     "frames a checkpoint had to leave from which it is critical"},
    {"health_checkpoint_warning", 4000, 1, 1000000000, "frames",
     "the same from which it is a warning"},
    {"health_clock_critical", 86400000, 1, 3153600000000LL, "ms",
     "how far stored times are ahead of the clock, critical"},
    {"health_clock_warning", 60000, 1, 3153600000000LL, "ms",
     "the same from which it is a warning"},
    {"health_deliveries_critical", 1000, 1, 1000000000, "messages",
     "messages lost unread, critical"},
    {"health_deliveries_warning", 1, 1, 1000000000, "messages",
     "the same from which it is a warning"},
    {"health_expiry_critical", 100000, 1, 1000000000, "rows",
     "rows due and still there, each table counted to 1000, critical"},
    {"health_expiry_warning", 1000, 1, 1000000000, "rows",
     "the same from which it is a warning"},
    {"health_foreign_keys_critical", 20, 1, 20, "rows",
     "rows that refer to nothing, counted to 20, critical"},
    {"health_fragmentation_critical", 70, 1, 100, "percent",
     "bytes of a b-tree's pages that hold nothing, critical"},
    {"health_fragmentation_warning", 45, 1, 100, "percent",
     "the same from which it is a warning"},
    {"health_freelist_critical", 60, 1, 100, "percent",
     "pages of the file that hold nothing, critical"},
    {"health_freelist_warning", 25, 1, 100, "percent",
     "the same from which it is a warning"},
    {"health_integrity_bytes", 67108864, 0, 1099511627776LL, "bytes",
     "largest file whose integrity health_checks reads within one SELECT"},
    {"health_jobs_critical", 100, 1, 1000000000, "jobs",
     "jobs dead within a day or stuck, critical"},
    {"health_jobs_warning", 1, 1, 1000000000, "jobs",
     "the same from which it is a warning"},
    {"health_live_ms", 150, 1, 400, "ms",
     "how long a SELECT from health_checks may read the file"},
    {"health_pass_age", 604800000, 1000, 3153600000000LL, "ms",
     "age of the last reading of the whole file from which it is a warning"},
    {"health_performance_critical", 500, 101, 1000000, "percent",
     "p95 of the last hour against the week before, critical"},
    {"health_performance_warning", 200, 101, 1000000, "percent",
     "the same from which it is a warning"},
    {"health_pool_critical", 101, 1, 101, "percent",
     "connections of a pool in use, critical; a caller that waits is, too"},
    {"health_pool_warning", 90, 1, 101, "percent",
     "the same from which it is a warning"},
    {"health_retention_days", 7, 1, 36500, "days",
     "age at which logged health checks are removed"},
    {"health_schema_critical", 25, 1, 1000000, "findings",
     "findings in the schema, critical"},
    {"health_schema_warning", 5, 1, 1000000, "findings",
     "the same from which it is a warning"},
    {"health_statistics_critical", 1000, 1, 1000000, "percent",
     "growth of the file since statistics were made, critical"},
    {"health_statistics_warning", 100, 1, 1000000, "percent",
     "the same from which it is a warning"},
    {"health_storage_space_critical", 98, 1, 100, "percent",
     "use of the file's or the temporary files' disk, critical"},
    {"health_storage_space_warning", 90, 1, 100, "percent",
     "the same from which it is a warning"},
    {"health_transactions_critical", 600000, 1, 3153600000000LL, "ms",
     "how long another process has held a lock, critical"},
    {"health_transactions_warning", 60000, 1, 3153600000000LL, "ms",
     "the same from which it is a warning"},
    {"health_vacuum_runs_critical", 3, 1, 1000, "runs",
     "vacuum runs killed or failed, critical"},
    {"health_vacuum_runs_warning", 1, 1, 1000, "runs",
     "the same from which it is a warning"},
    {"health_wal_size_critical", 536870912, 1, 1099511627776LL, "bytes",
     "size of the WAL, critical"},
    {"health_wal_size_warning", 67108864, 1, 1099511627776LL, "bytes",
     "the same from which it is a warning"},
    {"job_dead_keep", 7776000000, 1000, 3153600000000LL, "ms",
     "age at which dead jobs are removed, which jobs_dead_removed_total in "
     "steward_counters counts"},
    {"job_dead_max_rows", 100000, 1, 1000000000000LL, "jobs",
     "dead jobs kept, the newest ones"},
    {"job_done_keep", 604800000, 1000, 3153600000000LL, "ms",
     "age at which jobs that are done or cancelled are removed"},
    {"job_done_max_rows", 10000, 1, 1000000000000LL, "jobs",
     "jobs kept that are done, and as many cancelled ones; the newest"},
    {"job_history_max_rows", 100, 1, 1000000, "rows",
     "lines kept in job_schedule_history of each schedule, the newest ones"},
    {"keeper_capture", 600000, 0, 3153600000000LL, "ms",
     "how often steward_tick stores the engine's counters; 0, here and below: "
     "never"},
    {"keeper_checkpoint", 60000, 0, 3153600000000LL, "ms",
     "how often it copies a WAL of 4 MiB and more into the file"},
    {"keeper_delivery", 60000, 0, 3153600000000LL, "ms",
     "how often it removes messages that are old or passed by everybody, and "
     "subscriptions that nobody uses"},
    {"keeper_expiry", 10000, 0, 3153600000000LL, "ms",
     "how often it removes expired rows"},
    {"keeper_health", 900000, 0, 3153600000000LL, "ms",
     "how often it runs the health checks and logs them"},
    {"keeper_jobs", 60000, 0, 3153600000000LL, "ms",
     "how often it removes jobs that have ended long ago"},
    {"keeper_log_rows", 10000, 10, 1000000000, "rows",
     "entries that keeper_log keeps, the newest"},
    {"keeper_optimize", 86400000, 0, 3153600000000LL, "ms",
     "how often it renews the statistics of the query planner"},
    {"keeper_rollup", 3600000, 0, 3153600000000LL, "ms",
     "how often it sums the stored counters up"},
    {"keeper_schedules", 1000, 0, 3153600000000LL, "ms",
     "how often it enqueues jobs of schedules that are due"},
    {"keeper_vacuum", 30000, 0, 3153600000000LL, "ms",
     "how often it looks for free pages to give back"},
    {"keeper_vacuum_auto", 3600000, 0, 3153600000000LL, "ms",
     "how often it does what the policy of vacuum_auto asks for"},
    {"log_max_age", 604800000, 1000, 3153600000000LL, "ms",
     "age at which messages leave the log"},
    {"log_max_bytes", 0, 0, 1125899906842624LL, "bytes",
     "payload that the log keeps, counted from when this is set; 0: no bound"},
    {"log_max_rows", 1000000, 1, 1000000000000LL, "messages",
     "messages that the log keeps"},
    {"maintenance_enabled", 1, 0, 1, "boolean",
     "0: steward_tick and the keeper do nothing; tables and settings stay"},
    {"migrate_lock_ms", 2000, 0, 600000, "ms",
     "how long migrations wait for another connection's write lock"},
    {"performance_regression_percent", 50, 1, 100000, "%",
     "by how much mean and median of a metric must be worse than its baseline "
     "to be in perf_regressions"},
    {"performance_retention_days", 30, 1, 36500, "days",
     "age at which performance metrics are removed"},
    {"performance_rollup_days", 1825, 1, 36500, "days",
     "age at which the sums of performance metrics by the day are removed"},
    {"pool_max_bytes", 16777216, 1024, 1000000000, "bytes",
     "result of pool_query, or of pool_query_all, as JSON"},
    {"pool_threads", 8, 1, 64, "threads",
     "files that pool_query_all reads at a time"},
    /* the store's, in the order of its enum StoreLimit */
    {"store_max_bulk_bytes", 524288, 1, 1073741824, "bytes",
     "values and metadata of one store_bulk_put together"},
    {"store_max_bulk_items", 20, 1, 1000, "items",
     "records of one store_bulk_put"},
    {"store_max_bytes", 268435456, 0, 1099511627776LL, "bytes",
     "values and metadata of an install together"},
    {"store_max_key_length", 256, 1, 256, "characters", "length of a key"},
    {"store_max_keys", 5120, 0, 1000000000, "keys",
     "keys of a namespace of the store"},
    {"store_max_metadata_bytes", 4096, 2, 1073741824, "bytes",
     "metadata of a record, as minified JSON"},
    {"store_max_namespace_length", 128, 1, 128, "characters",
     "length of a namespace"},
    {"store_max_namespaces", 32, 0, 1000000000, "namespaces",
     "namespaces of an install"},
    {"store_max_ttl", 2592000000, 1, 3153600000000LL, "ms",
     "longest time to live of a record"},
    {"store_max_value_bytes", 65536, 1, 1073741824, "bytes",
     "value of a record, as minified JSON"},
    {"store_min_ttl", 60000, 0, 3153600000000LL, "ms",
     "shortest time to live of a record"},
    {"store_sweep_lists", 32, 0, 1000000000, "calls",
     "store_list calls of a connection after which its next write to the store "
     "removes expired records; 0: no call does"},
    {"stream_log_age", 604800000, 1000, 3153600000000LL, "ms",
     "age at which entries of streaming_performance_log are removed"},
    {"vacuum_auto_full_ms", 60000, 1, 86400000, "ms",
     "longest VACUUM, by what the last ones took, that vacuum_auto() does"},
    {"vacuum_auto_full_percent", 30, 1, 100, "percent",
     "of the file: least gain for which vacuum_auto() does a VACUUM"},
    {"vacuum_auto_ms", 50, 1, 60000, "ms",
     "how long one vacuum_auto() gives free pages back"},
    {"vacuum_auto_percent", 10, 1, 100, "percent",
     "free pages of the file from which vacuum_auto() gives them back"},
    {"vacuum_quiet_from", 0, 0, 23, "hour",
     "hour (UTC) from which vacuum_auto() may do a VACUUM"},
    {"vacuum_quiet_to", 0, 0, 23, "hour",
     "hour (UTC) at which that ends; the same as vacuum_quiet_from: never"},
    {"vacuum_retention_days", 90, 1, 36500, "days",
     "age at which entries of the vacuum log are removed"},
};

int steward_setting_count(void) {
  return ArraySize(aSetting);
}

const StewardSetting *steward_setting_at(int i) {
  return &aSetting[i];
}

/* Place of a setting whose name the caller knows to be one. */
int steward_setting_index(const char *zName) {
  int i = 0;
  while (strcmp(aSetting[i].zName, zName)) i++;
  return i;
}

static const StewardSetting *find_setting(StewardCall *c, const char *zName) {
  const char *azKnown[ArraySize(aSetting)];
  const char *zNear;
  int i;
  if (c->rc) return NULL;
  for (i = 0; i < ArraySize(aSetting); i++) {
    if (strcmp(aSetting[i].zName, zName) == 0) return &aSetting[i];
    azKnown[i] = aSetting[i].zName;
  }
  zNear = steward_nearest(zName, azKnown, ArraySize(aSetting));
  if (zNear) {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "unknown setting '%s': did you mean '%s'?", zName, zNear);
  } else {
    steward_fail(c, STEWARD_INVALID_ARGUMENT,
                 "unknown setting '%s': SELECT name FROM steward_settings "
                 "lists them",
                 zName);
  }
  return NULL;
}

int steward_setting_is_text(const StewardSetting *pSetting) {
  return strcmp(pSetting->zUnit, "directories") == 0;
}

/* Take over how looking went; 1 when there is no table to look in, so that
** every setting has its default. */
static int look_failed(StewardCall *c, StewardCall *look) {
  if (look->rc == SQLITE_ERROR &&
      (!steward_installed(c, "core") ||
       !steward_int(c, SQL_introspect_object, 0, "t", "steward_config"))) {
    sqlite3_free(look->zErr);
    return 1;
  }
  c->rc = look->rc;
  c->zErr = look->zErr;
  return 0;
}

/* What is stored, in range or not, or the default; before the core set is
** installed every setting has its default. */
i64 steward_setting_stored(StewardCall *c, const StewardSetting *pSetting) {
  StewardCall look = *c;
  i64 iValue;
  if (c->rc || pSetting == NULL) return 0;
  look.zSet = NULL;
  iValue = steward_int(&look, SQL_config_get, pSetting->iDefault, "t",
                       pSetting->zName);
  return look_failed(c, &look) ? pSetting->iDefault : iValue;
}

/* The same for one that is text; NULL: not set.  Caller frees. */
char *steward_setting_text(StewardCall *c, const char *zName) {
  StewardCall look = *c;
  char *zValue;
  if (c->rc) return NULL;
  look.zSet = NULL;
  zValue = steward_text(&look, SQL_config_get, "t", zName);
  return look_failed(c, &look) ? NULL : zValue;
}

/* Somebody may have stored what is out of range. */
void steward_setting_check(StewardCall *c, const StewardSetting *pSetting,
                           i64 iValue) {
  if (c->rc || (iValue >= pSetting->iMin && iValue <= pSetting->iMax)) return;
  steward_fail(c, STEWARD_INVALID_ARGUMENT,
               "setting %s is %lld in steward_config, which is outside "
               "%lld..%lld: SELECT steward_setting('%s', %lld)",
               pSetting->zName, iValue, pSetting->iMin, pSetting->iMax,
               pSetting->zName, pSetting->iDefault);
}

/* The same as steward_setting_stored(), but refused then. */
i64 steward_setting_value(StewardCall *c, const StewardSetting *pSetting) {
  i64 iValue = steward_setting_stored(c, pSetting);
  if (pSetting) steward_setting_check(c, pSetting, iValue);
  return iValue;
}

/* The same by name, for verbs; the name is one of aSetting. */
i64 steward_setting_int(StewardCall *c, const char *zName) {
  return steward_setting_value(c, find_setting(c, zName));
}

/* The same, kept until SQLite says that the database has changed: for a caller
** who asks often.  Not out of a writing transaction: no version tells that it
** was rolled back.  zName is a literal. */
i64 steward_setting_kept(StewardCall *c, const char *zName) {
  Steward *p = c->p;
  unsigned iVersion = 0;
  int rc =
      sqlite3_file_control(p->db, "main", SQLITE_FCNTL_DATA_VERSION, &iVersion);
  if (rc || p->setting.zName != zName || p->setting.iVersion != iVersion ||
      p->setting.nChange != sqlite3_total_changes(p->db)) {
    p->setting.iValue = steward_setting_int(c, zName);
    p->setting.zName =
        rc || c->rc || sqlite3_txn_state(p->db, "main") == SQLITE_TXN_WRITE
            ? NULL
            : zName;
    p->setting.iVersion = iVersion;
    p->setting.nChange = sqlite3_total_changes(p->db);
  }
  return p->setting.iValue;
}

/* Store a list of directories, or forget it. */
static void set_directories(StewardCall *c, const char *zName,
                            sqlite3_value *v) {
  const char *zList;
  if (sqlite3_value_type(v) == SQLITE_NULL) {
    steward_run(c, SQL_config_remove, "t", zName);
    return;
  }
  zList = steward_arg_text(c, v, zName, 100000);
  if (steward_int(c, SQL_path_is_list, 0, "t", zList) == 0) {
    steward_fail_argument(c, v, zName,
                          "a JSON array of absolute paths, or NULL");
  }
  steward_run(c, SQL_config_set, "tt", zName, zList);
}

/* steward_setting(name TEXT [, value]) -> the value, or 1 when setting
**                                                               directonly
** Read a setting, or store it in this database.  Settings in ms take durations
** such as '15m' too; `directories` takes a JSON array of absolute paths, and
** NULL for its default.  The table steward_settings lists names, defaults,
** ranges and meanings.
** Before the core set is installed every setting reads as its default.
** Set: core
** Errors: "INVALID_ARGUMENT: steward_setting: unknown setting 'X': did you mean
**   'Y'?"; a value out of range; NOT_INSTALLED before migrate_up('core').
** Source: the seeds' configurable limits and retentions.
** Example: SELECT steward_setting('MAX_DELIVERY_QUEUE'); -- 1000
**   SELECT steward_setting('MAX_DELIVERY_QUEUE', 50); -- 1
**   SELECT steward_setting('MAX_DELIVERY_QUEUE'); -- 50
*/
static void steward_setting(sqlite3_context *ctx, int argc,
                            sqlite3_value **argv) {
  StewardCall c;
  const char *zName;
  const StewardSetting *pSetting;
  char *zText = NULL;
  i64 iValue = 0;
  steward_open(&c, ctx, "steward_setting", argc > 1 ? "core" : NULL,
               argc > 1 ? STEWARD_WRITE_ONE : STEWARD_READ);
  zName = steward_arg_text(&c, argv[0], "name", 100);
  pSetting = c.rc ? NULL : find_setting(&c, zName);
  if (pSetting && steward_setting_is_text(pSetting)) {
    if (argc == 1) {
      zText = steward_setting_text(&c, zName);
    } else {
      set_directories(&c, zName, argv[1]);
      iValue = 1;
    }
  } else if (pSetting && argc == 1) {
    iValue = steward_setting_value(&c, pSetting);
  } else if (pSetting) {
    if (strcmp(pSetting->zUnit, "ms") == 0) {
      iValue = steward_arg_time(&c, argv[1], zName);
    } else {
      iValue = steward_arg_int(&c, argv[1], zName, INT64_MIN, INT64_MAX);
    }
    if (c.rc == SQLITE_OK &&
        (iValue < pSetting->iMin || iValue > pSetting->iMax)) {
      steward_fail(&c, STEWARD_INVALID_ARGUMENT,
                   "%s must be within %lld..%lld %s, got %lld", zName,
                   pSetting->iMin, pSetting->iMax, pSetting->zUnit, iValue);
    }
    steward_run(&c, SQL_config_set, "tl", zName, iValue);
    iValue = 1;
  }
  if (steward_close(&c)) {
    sqlite3_free(zText);
  } else if (zText) {
    sqlite3_result_text(ctx, zText, -1, sqlite3_free);
  } else if (argc > 1 || !steward_setting_is_text(pSetting)) {
    sqlite3_result_int64(ctx, iValue);
  }
}

typedef struct ClockOptions {
  i64 bDatabase;
} ClockOptions;

static const StewardOption aClockOption[] = {
    {"database", STEWARD_OPT_BOOL, offsetof(ClockOptions, bDatabase), 0, 1,
     NULL, "also pin the clock that plain-SQL triggers of this database see"},
};

/* Pin or unpin the clock in the database. */
static void set_database_clock(StewardCall *c, int bPin, i64 iMs) {
  if (bPin) {
    steward_run(c, SQL_config_set, "tl", "clock", iMs);
  } else {
    steward_run(c, SQL_config_remove, "t", "clock");
  }
}

/* steward_clock(ms INTEGER [, options JSON]) -> INTEGER, always 1  directonly
** Pin the connection's clock at a Unix time in milliseconds, for tests; NULL
** unpins it.  With {"database":true} the triggers of this database see the
** same time, also when another client fires them; only that needs the set.
** That part belongs to the transaction, and stays until it is unpinned in the
** same way: steward_info() shows it.  The connection's own does not roll back.
** Set: core
** Errors: "INVALID_ARGUMENT: steward_clock: ms must be an integer, got 'x'".
** Example: SELECT steward_clock(1700000000000); -- 1
**   SELECT steward_now(); -- 1700000000000
*/
static void steward_clock(sqlite3_context *ctx, int argc,
                          sqlite3_value **argv) {
  StewardCall c;
  ClockOptions options = {0};
  int bPin = sqlite3_value_type(argv[0]) != SQLITE_NULL;
  i64 iMs = 0;
  steward_open(&c, ctx, "steward_clock", NULL, STEWARD_READ);
  if (bPin) iMs = steward_arg_int(&c, argv[0], "ms", 0, 253402300799999LL);
  if (argc > 1) {
    steward_options(&c, argv[1], aClockOption, ArraySize(aClockOption),
                    &options);
  }
  if (steward_close(&c)) return;
  if (options.bDatabase) {
    steward_open(&c, ctx, "steward_clock", "core", STEWARD_WRITE_ONE);
    set_database_clock(&c, bPin, iMs);
    if (steward_close(&c)) return;
  }
  c.p->clock.bPinned = bPin;
  c.p->clock.iPinned = iMs;
  sqlite3_result_int(ctx, 1);
}

/* steward_now() -> INTEGER, Unix milliseconds    plain
** The connection's clock: pinned by steward_clock(), else the real one, which
** never goes back within a connection.
** Example: SELECT steward_now() > 1600000000000; -- 1
*/
static void steward_now_function(sqlite3_context *ctx, int argc,
                                 sqlite3_value **argv) {
  sqlite3_result_int64(ctx, steward_now(sqlite3_user_data(ctx)));
}

static const StewardFunc aFunc[] = {
    {"steward_setting", 1, 2, STEWARD_DIRECTONLY, steward_setting, NULL, 0},
    {"steward_clock", 1, 2, STEWARD_DIRECTONLY, steward_clock, aClockOption,
     ArraySize(aClockOption)},
    {"steward_now", 0, 0, STEWARD_PLAIN, steward_now_function, NULL, 0},
};

int config_register(Steward *p) {
  return steward_register_functions(p, aFunc, ArraySize(aFunc));
}
