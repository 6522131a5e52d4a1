-- set: maintenance
--
-- Anybody may write any metric.  One counts when its time is as datetime() gives
-- it (a fraction of a second may follow: other forms do not sort among these, and
-- '2023-11-31' is none of them) and its value is a number of at most 1e290 (of
-- which a sum is one as well; a text is above every number):
--
--     substr(recorded_ts, 1, 19) = datetime(substr(recorded_ts, 1, 19), '+0 days')
--     ltrim(substr(recorded_ts, 20), '.0123456789') = ''
--     metric_value BETWEEN -1e290 AND 1e290
--
-- doctor_metrics tells of the others.

-- name: perf_probe
-- set: none
-- Run to see whether the trace hook is called.
SELECT 1;

-- name: perf_record hot
-- Store one measurement. OR FAIL: one row needs no journal of its statement to
-- be undone, which would copy each page that it touches.
INSERT OR FAIL INTO main.steward_performance_metrics(db_path, metric_name,
    metric_value, unit, recorded_ts, context)
VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: perf_capture
-- Store a batch: ?2 is a JSON array of [name, value, unit, context].
INSERT INTO main.steward_performance_metrics(db_path, metric_name,
    metric_value, unit, recorded_ts, context)
SELECT ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
       json_extract(value, '$[2]'), datetime(?3 / 1000, 'unixepoch'),
       json_extract(value, '$[3]')
  FROM json_each(?2);

-- name: perf_rolled
-- The end of the last bucket of resolution ?1 (Unix seconds), or NULL.
SELECT max(bucket_at) + ?1 FROM main.steward_performance_rollups
 WHERE resolution = ?1;

-- name: perf_next_metric
-- When the first metric that counts was recorded, from ?1 to before ?2 (Unix
-- seconds), found by a seek for each name.
WITH RECURSIVE name(n) AS (
  SELECT min(metric_name) FROM main.steward_performance_metrics
  UNION ALL
  SELECT (SELECT min(metric_name) FROM main.steward_performance_metrics
           WHERE metric_name > n)
    FROM name WHERE n IS NOT NULL)
SELECT unixepoch(min((
  SELECT substr(recorded_ts, 1, 19) FROM main.steward_performance_metrics
         INDEXED BY idx_performance_metrics_name_ts
   WHERE metric_name = n AND recorded_ts >= datetime(?1, 'unixepoch')
     AND recorded_ts < datetime(?2, 'unixepoch')
     AND substr(recorded_ts, 1, 19)
         = datetime(substr(recorded_ts, 1, 19), '+0 days')
     AND ltrim(substr(recorded_ts, 20), '.0123456789') = ''
     AND metric_value BETWEEN -1e290 AND 1e290
   ORDER BY recorded_ts LIMIT 1)))
  FROM name;

-- name: perf_rollup_hours
-- The metrics from ?2 to before ?3 (Unix seconds) by buckets of ?1 seconds. The
-- names are found by a seek each.
INSERT OR REPLACE INTO main.steward_performance_rollups
WITH RECURSIVE name(n) AS (
  SELECT min(metric_name) FROM main.steward_performance_metrics
  UNION ALL
  SELECT (SELECT min(metric_name) FROM main.steward_performance_metrics
           WHERE metric_name > n)
    FROM name WHERE n IS NOT NULL)
SELECT ?1, unixepoch(substr(m.recorded_ts, 1, 19)) / ?1 * ?1 AS bucket,
       m.metric_name, max(m.unit), count(*), sum(m.metric_value), min(m.metric_value),
       max(m.metric_value), perf_percentile(m.metric_value, 0.5),
       perf_percentile(m.metric_value, 0.95),
       perf_percentile(m.metric_value, 0.99)
  FROM name CROSS JOIN main.steward_performance_metrics AS m
       INDEXED BY idx_performance_metrics_name_ts
 WHERE m.metric_name = name.n
   AND m.recorded_ts >= datetime(?2, 'unixepoch')
   AND m.recorded_ts < datetime(?3, 'unixepoch')
   AND substr(m.recorded_ts, 1, 19)
       = datetime(substr(m.recorded_ts, 1, 19), '+0 days')
   AND ltrim(substr(m.recorded_ts, 20), '.0123456789') = ''
   AND m.metric_value BETWEEN -1e290 AND 1e290
 GROUP BY m.metric_name, bucket;

-- name: perf_next_hour
-- The first hour from ?1 to before ?2 that was summed up.
SELECT min(bucket_at) FROM main.steward_performance_rollups
 WHERE resolution = 3600 AND bucket_at >= ?1 AND bucket_at < ?2;

-- name: perf_rollup_days
-- Hours from ?2 to before ?3 (Unix seconds) by buckets of ?1 seconds;
-- percentiles are the means of theirs.
INSERT OR REPLACE INTO main.steward_performance_rollups
SELECT ?1, bucket_at / ?1 * ?1 AS bucket, metric_name, max(unit),
       sum(value_count), sum(value_sum), min(value_min), max(value_max),
       sum(p50 * value_count) / sum(value_count),
       sum(p95 * value_count) / sum(value_count),
       sum(p99 * value_count) / sum(value_count)
  FROM main.steward_performance_rollups
 WHERE resolution = 3600 AND bucket_at >= ?2 AND bucket_at < ?3
 GROUP BY bucket, metric_name;

-- name: perf_baseline_clear
-- Forget the baselines of the metrics that match ?1.
DELETE FROM main.steward_performance_baselines WHERE metric_name GLOB ?1;

-- name: perf_baseline
-- Take the metrics that match ?2 as they were in the window ?1 before now, ?3:
-- all of them (?4), or those that measure time or are a share. ?5: which way
-- they get worse, or NULL to go by the unit.
INSERT INTO main.steward_performance_baselines
SELECT metric_name, unit,
       coalesce(?5, iif(unit = 'ratio', 'lower', 'higher')), count, avg, p50,
       p95, window_ms, ?3
  FROM perf_summary(?1)
 WHERE metric_name GLOB ?2
   AND (?4 OR unit IN ('ms', 's', 'us', 'ns', 'seconds', 'ratio'));

-- name: perf_regressions
-- Metrics whose mean and median in the window ?1 are worse than their baseline
-- by more than ?2 percent, the worst first. Fewer than five values tell nothing.
-- Where lower is worse, what was above 0 is compared with its inverse: half of
-- it is as bad as twice. A change from 0 is a thousandfold one.
WITH one AS (
  SELECT b.metric_name, b.unit, b.value_avg AS b_avg, s.avg AS s_avg,
         b.p50 AS b_p50, s.p50 AS s_p50, b.p95 AS b_p95, s.p95 AS s_p95,
         b.value_count AS b_count, s.count AS s_count, b.taken_at,
         b.worse = 'higher' AS higher, ?2 / 100.0 AS part
    FROM perf_summary(?1) AS s
         CROSS JOIN main.steward_performance_baselines AS b
   WHERE b.metric_name = s.metric_name
     AND b.value_count >= 5 AND s.count >= 5),
bad AS (
  SELECT *, max(-1000.0, min(1000.0, coalesce(
              1 + (s_avg - b_avg) / abs(b_avg), sign(s_avg) * 1000))) AS ratio
    FROM one
   WHERE iif(higher, s_avg > b_avg + abs(b_avg) * part
                     AND s_p50 > b_p50 + abs(b_p50) * part,
             s_avg < iif(b_avg > 0, b_avg / (1 + part), b_avg * (1 + part))
             AND s_p50 < iif(b_p50 > 0, b_p50 / (1 + part),
                             b_p50 * (1 + part))))
SELECT metric_name, unit, b_avg, s_avg, ratio,
       CASE WHEN higher OR b_avg = 0 THEN abs(ratio)
            WHEN b_avg < 0 THEN 2 - ratio
            WHEN ratio > 0.001 THEN 1 / ratio ELSE 1000.0 END AS times_worse,
       b_p50, s_p50, b_p95, s_p95, b_count, s_count, taken_at,
       (SELECT iif(json_valid(context), context ->> '$.query', NULL)
          FROM main.steward_performance_metrics AS m
               INDEXED BY idx_performance_metrics_name_ts
         WHERE m.metric_name = bad.metric_name
         ORDER BY recorded_ts DESC LIMIT 1)
  FROM bad ORDER BY times_worse DESC, metric_name;

-- name: perf_rollup_expire
-- Buckets of resolution ?1 that began before ?2 are gone.
DELETE FROM main.steward_performance_rollups
 WHERE resolution = ?1 AND bucket_at < ?2;

-- name: perf_summary
-- Metrics from ?1 to ?2 (Unix seconds): days from ?1 to ?3, hours to ?4, the
-- metrics themselves from there. ?5: the middle; what is before it is `early`.
WITH RECURSIVE name(n) AS (
  SELECT min(metric_name) FROM main.steward_performance_metrics
  UNION ALL
  SELECT (SELECT min(metric_name) FROM main.steward_performance_metrics
           WHERE metric_name > n)
    FROM name WHERE n IS NOT NULL),
recent AS (
  SELECT m.metric_name, m.unit, m.metric_value AS v,
         unixepoch(substr(m.recorded_ts, 1, 19)) AS at
    FROM name CROSS JOIN main.steward_performance_metrics AS m
         INDEXED BY idx_performance_metrics_name_ts
   WHERE m.metric_name = name.n
     AND m.recorded_ts >= datetime(?4, 'unixepoch')
     AND m.recorded_ts <= datetime(?2, 'unixepoch')
     AND substr(m.recorded_ts, 1, 19)
         = datetime(substr(m.recorded_ts, 1, 19), '+0 days')
     AND ltrim(substr(m.recorded_ts, 20), '.0123456789') = ''
     AND m.metric_value BETWEEN -1e290 AND 1e290),
part AS (
  SELECT metric_name, unit, bucket_at AS at, value_count AS c, value_sum AS s,
         value_min AS lo, value_max AS hi, p50, p95, p99
    FROM main.steward_performance_rollups
   WHERE resolution = 86400 AND bucket_at >= ?1 AND bucket_at < ?3
  UNION ALL
  SELECT metric_name, unit, bucket_at, value_count, value_sum, value_min,
         value_max, p50, p95, p99
    FROM main.steward_performance_rollups
   WHERE resolution = 3600 AND bucket_at >= max(?1, ?3) AND bucket_at < ?4
  UNION ALL
  SELECT metric_name, max(unit), max(at), count(*), sum(v), min(v), max(v),
         perf_percentile(v, 0.5), perf_percentile(v, 0.95),
         perf_percentile(v, 0.99)
    FROM recent GROUP BY metric_name, at >= ?5)
SELECT metric_name, max(unit), sum(c), sum(s) / sum(c), min(lo), max(hi),
       sum(p50 * c) / sum(c), sum(p95 * c) / sum(c), sum(p99 * c) / sum(c),
       sum(s) FILTER (WHERE at < ?5) / sum(c) FILTER (WHERE at < ?5),
       sum(s) FILTER (WHERE at >= ?5) / sum(c) FILTER (WHERE at >= ?5)
  FROM part GROUP BY metric_name ORDER BY metric_name;

-- name: perf_series
-- set: none
-- Series of every database: name, label, its value, number.
SELECT 'database_bytes', 'schema', schema_name, pages * page_size
  FROM vacuum_status
UNION ALL
SELECT 'database_reclaimable_bytes', 'schema', schema_name, reclaimable_bytes
  FROM vacuum_status;

-- name: perf_series_pool
-- Series of the pools of this process.
WITH one AS MATERIALIZED (SELECT * FROM pool_status LIMIT 100)
SELECT 'pool_connections', 'db', path, open FROM one
UNION ALL
SELECT 'pool_in_use_connections', 'db', path, in_use FROM one
UNION ALL
SELECT 'pool_waiting_callers', 'db', path, waiting FROM one
UNION ALL
SELECT 'pool_utilisation_ratio', 'db', path, utilisation FROM one
UNION ALL
SELECT 'pool_acquired', 'db', path, acquired_total FROM one
UNION ALL
SELECT 'pool_opened', 'db', path, opened_total FROM one
UNION ALL
SELECT 'pool_broken', 'db', path, broken_total FROM one
UNION ALL
SELECT 'pool_timeouts', 'db', path, timeouts_total FROM one
UNION ALL
SELECT 'pool_wait_p95_seconds', 'db', path, wait_p95_ms / 1000 FROM one;

-- name: perf_pool_utilisation
-- The share of its pool's connections that is in use, for the file ?1.
SELECT utilisation FROM pool_status WHERE path = ?1;

-- name: perf_series_core
-- set: core
-- Series of the log and of expiry.
SELECT 'log_messages', NULL, NULL,
       (SELECT position FROM main.steward_messages
         ORDER BY position DESC LIMIT 1)
UNION ALL
SELECT 'expiry_deleted_rows', 'table', table_name, deletes_total
  FROM ttl_status
UNION ALL
SELECT 'log_retained_messages', NULL, NULL,
       (SELECT position FROM main.steward_messages
         ORDER BY position DESC LIMIT 1) + 1 -
       (SELECT position FROM main.steward_messages ORDER BY position LIMIT 1)
UNION ALL
SELECT 'expiry_pending_rows', 'table', table_name, pending FROM ttl_status
UNION ALL
SELECT 'expiry_errors', 'table', table_name, errors_total FROM ttl_status
UNION ALL
SELECT 'expiry_alert', 'table', table_name, alert FROM ttl_status
UNION ALL
SELECT 'expiry_last_sweep_seconds', 'table', table_name, sweep_ms / 1000.0
  FROM ttl_status
UNION ALL
SELECT iif(metric = 'ttl_cleanup_deletes_total', 'ttl_cleanup_deletes', metric),
       'label', label, value
  FROM ttl_metrics
UNION ALL
SELECT 'durable_events', 'counter', name, value FROM main.steward_counters
UNION ALL
SELECT 'migration_steps', 'set', set_name, version FROM main.steward_sets
UNION ALL
SELECT 'keeper_runs', 'duty', duty, runs_total FROM keeper_duties
UNION ALL
SELECT 'keeper_errors', 'duty', duty, errors_total FROM keeper_duties
UNION ALL
SELECT 'keeper_last_run_seconds', 'duty', duty, last_ms / 1000
  FROM keeper_duties;

-- name: perf_series_delivery
-- set: delivery
-- ?1: now. The hundred consumers that lag most.
WITH one AS MATERIALIZED (
  SELECT consumer, sum(pending) AS pending,
         sum(dropped_total + dropped_pending) AS lost,
         min(oldest_at) AS oldest
    FROM delivery_status GROUP BY consumer ORDER BY 2 DESC, 1 LIMIT 100)
SELECT 'delivery_pending_messages', 'consumer', consumer, pending FROM one
UNION ALL
SELECT 'delivery_lost_messages', 'consumer', consumer, lost FROM one
UNION ALL
SELECT 'delivery_lag_seconds', 'consumer', consumer,
       max(0, coalesce((?1 - oldest) / 1000.0, 0)) FROM one;

-- name: perf_series_changes
-- set: changes
-- Branches, of at most 100,000.
SELECT 'change_branches', 'state', iif(closed, 'closed', 'open'), count(*)
  FROM (SELECT closed FROM main.am_branches LIMIT 100000) GROUP BY closed;

-- name: perf_series_maintenance
-- Series of health, vacuum and the pool. The types of checks are found by a
-- seek each.
WITH RECURSIVE type(n) AS (
  SELECT min(check_type) FROM main.steward_health_checks
  UNION ALL
  SELECT (SELECT min(check_type) FROM main.steward_health_checks
           WHERE check_type > n)
    FROM type WHERE n IS NOT NULL)
SELECT 'health_status', 'check', check_type,
       CASE status WHEN 'healthy' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END
  FROM type CROSS JOIN main.steward_health_checks INDEXED BY
       idx_health_checks_type
 WHERE check_type = n AND id = (
   SELECT max(id) FROM main.steward_health_checks
          INDEXED BY idx_health_checks_type WHERE check_type = n)
UNION ALL
SELECT 'vacuum_logged_runs', 'status', status, count(*)
  FROM main.steward_vacuum_log GROUP BY status
UNION ALL
SELECT 'vacuum_freed_bytes', NULL, NULL, sum(bytes_freed)
  FROM main.steward_vacuum_log
UNION ALL
SELECT 'pool_connections_limit', NULL, NULL, max_connections
  FROM main.steward_pool_config WHERE db_path = 'default'
UNION ALL
SELECT 'performance_baselines', NULL, NULL, count(*)
  FROM main.steward_performance_baselines
UNION ALL
SELECT 'performance_regressions', NULL, NULL, count(*) FROM perf_regressions
 WHERE EXISTS (SELECT 1 FROM main.steward_performance_baselines);

-- name: perf_series_jobs
-- set: jobs
-- Jobs by where they stand, from the counters of steward_job_counts (`waiting`:
-- for their time, or for a claim to look at them); how late the one is that has
-- been due longest; locks. ?1: now.
WITH one AS MATERIALIZED (
  SELECT sum(ready) AS ready, sum(waiting) AS waiting, sum(blocked) AS blocked,
         sum(leased) AS leased, sum(done) AS done, sum(dead) AS dead,
         sum(cancelled) AS cancelled
    FROM main.steward_job_counts)
SELECT 'jobs', 'state', 'ready', ready FROM one
UNION ALL SELECT 'jobs', 'state', 'waiting', waiting FROM one
UNION ALL SELECT 'jobs', 'state', 'blocked', blocked FROM one
UNION ALL SELECT 'jobs', 'state', 'leased', leased FROM one
UNION ALL SELECT 'jobs', 'state', 'done', done FROM one
UNION ALL SELECT 'jobs', 'state', 'dead', dead FROM one
UNION ALL SELECT 'jobs', 'state', 'cancelled', cancelled FROM one
UNION ALL
SELECT 'jobs_lag_seconds', NULL, NULL, max(0, coalesce((?1 - (
  SELECT scheduled_at FROM main.assistly_queue_jobs INDEXED BY idx_queue_due
   WHERE status IN ('scheduled', 'retrying')
   ORDER BY scheduled_at LIMIT 1)) / 1000.0, 0))
UNION ALL
SELECT 'job_queues_paused', NULL, NULL, count(*) FROM main.steward_job_queues
 WHERE paused_at IS NOT NULL
UNION ALL
SELECT 'locks_held', NULL, NULL, count(*)
  FROM (SELECT 1 FROM main.steward_locks WHERE expires_at > ?1 LIMIT 100000)
UNION ALL
SELECT 'row_locks_held', NULL, NULL, count(*)
  FROM (SELECT 1 FROM main.steward_row_locks WHERE expires_at > ?1
         LIMIT 100000);

-- name: perf_series_ledger
-- set: ledger
-- What the ledger holds, each of at most 100,000 rows.
SELECT 'ledger_approvals', 'state', status, count(*)
  FROM (SELECT status FROM main.assistly_approvals LIMIT 100000)
 GROUP BY status
UNION ALL
SELECT 'ledger_rows', 'kind', 'idempotency', count(*)
  FROM (SELECT 1 FROM main.assistly_idempotency LIMIT 100000)
UNION ALL
SELECT 'ledger_rows', 'kind', 'nonces', count(*)
  FROM (SELECT 1 FROM main.assistly_nonces LIMIT 100000)
UNION ALL
SELECT 'ledger_rows', 'kind', 'sessions', count(*)
  FROM (SELECT 1 FROM main.assistly_sessions LIMIT 100000)
UNION ALL
SELECT 'ledger_rows', 'kind', 'rate_limits', count(*)
  FROM (SELECT 1 FROM main.steward_rate_limits LIMIT 100000)
UNION ALL
SELECT 'ledger_rows', 'kind', 'events', count(*)
  FROM (SELECT 1 FROM main.assistly_events LIMIT 100000);

-- name: perf_series_storage
-- set: storage
-- Totals over all tenants.
SELECT 'storage_used_bytes', NULL, NULL, sum(bytes_used)
  FROM main.ext_storage_usage
UNION ALL
SELECT 'storage_keys', NULL, NULL, sum(keys_count) FROM main.ext_storage_usage
UNION ALL
SELECT 'storage_installs', NULL, NULL, count(*) FROM main.ext_storage_usage;

-- name: perf_series_streaming
-- set: streaming
-- ?1: now; the last hour, by operation.
WITH one AS MATERIALIZED (
  SELECT operation_type, count(*) AS n, sum(record_count) AS rows,
         sum(duration_ms) / 1000.0 AS seconds,
         sum(error_message IS NOT NULL) AS errors
    FROM main.streaming_performance_log
   WHERE operation_type IN ('snapshot', 'delta', 'query', 'update')
     AND timestamp > ?1 / 1000 - 3600
   GROUP BY operation_type)
SELECT 'streaming_recent_operations', 'operation', operation_type, n FROM one
UNION ALL
SELECT 'streaming_recent_rows', 'operation', operation_type, rows FROM one
UNION ALL
SELECT 'streaming_recent_errors', 'operation', operation_type, errors FROM one
UNION ALL
SELECT 'streaming_recent_duration_seconds', 'operation', operation_type,
       seconds FROM one
UNION ALL
SELECT 'streaming_tables', NULL, NULL, count(*) FROM main.steward_streams;

-- name: perf_attention
-- set: none
-- What a person should see first: how bad (2 critical, 1 warning), what, the
-- evidence, the way out. What the doctor says of this connection's own pragmas
-- is not about the database.
SELECT CASE status WHEN 'critical' THEN 2 ELSE 1 END AS severity,
       'Health: ' || replace(check_type, '_', ' ') || ' is ' || status AS what,
       json_remove(details, '$.sql') AS evidence,
       coalesce(details ->> '$.sql', '') AS way
  FROM health_checks WHERE status <> 'healthy'
UNION ALL
SELECT CASE severity WHEN 'critical' THEN 2 ELSE 1 END, what, why, sql
  FROM main.steward_doctor
 WHERE severity IN ('critical', 'warning')
   AND finding NOT IN ('busy_timeout', 'foreign_keys_off', 'expiry',
                       'deliveries', 'free_space')
UNION ALL
SELECT 1, 'Free space in ' || schema_name,
       printf('%.1f MiB hold nothing, %.0f %% of the file',
              reclaimable_bytes / 1048576.0, 100 * free_ratio), recommended
  FROM vacuum_status WHERE recommended <> 'nothing'
UNION ALL
SELECT 1, 'A statement scans whole tables', printf('%,d', fullscan_steps)
       || ' steps in ' || calls || ' runs: ' || substr(query, 1, 200),
       'SELECT * FROM perf_plan(...) of this statement, then an index'
  FROM perf_statements WHERE fullscan_steps > 1000000 AND mean_exec_time > 10
UNION ALL
SELECT 1, 'A statement was refused a lock', busy || ' of ' || calls || ' runs: '
       || substr(query, 1, 200), 'a longer busy timeout, shorter transactions'
  FROM perf_statements WHERE busy > 0
 ORDER BY 1 DESC, 2, 3 LIMIT 50;

-- name: perf_attention_core
-- set: core
-- The same of expiry.
SELECT 1, 'Expiry of ' || table_name || ' waits', pending
       || ' rows expired and are still there',
       printf('SELECT ttl_sweep(%Q)', table_name)
  FROM ttl_status WHERE pending >= 1000
UNION ALL
SELECT 2, 'Expiry of ' || table_name || ' is in danger', hazard,
       'see ttl_status.hazard'
  FROM ttl_status WHERE coalesce(hazard, '') <> ''
UNION ALL
SELECT 1, 'Expiry of ' || table_name || ' failed', error,
       printf('SELECT ttl_sweep(%Q)', table_name)
  FROM ttl_status WHERE coalesce(error, '') <> ''
 ORDER BY 1 DESC, 2 LIMIT 50;

-- name: perf_attention_delivery
-- set: delivery
-- The same of consumers.
SELECT 2, 'Consumer ' || consumer || ' loses messages', sum(dropped_pending)
       || ' messages were dropped before it had them',
       'a faster consumer, or a larger max_pending'
  FROM delivery_status GROUP BY consumer HAVING sum(dropped_pending) > 0
 ORDER BY sum(dropped_pending) DESC LIMIT 20;

-- name: perf_attention_jobs
-- set: jobs
-- The same of jobs. ?1: now. A job is late after a minute.
SELECT 2, 'Jobs are late', printf('the one due longest, in queue %s, waits for '
       || '%d minutes', platform, (?1 - scheduled_at) / 60000),
       'more workers, or SELECT job_resume(queue) where it is paused'
  FROM (SELECT platform, scheduled_at FROM main.assistly_queue_jobs
               INDEXED BY idx_queue_due
         WHERE status IN ('scheduled', 'retrying')
         ORDER BY scheduled_at LIMIT 1)
 WHERE ?1 - scheduled_at > 60000
UNION ALL
SELECT 1, 'Jobs have died', printf('%d of the newest 100,000; the last: %s',
       count(*), max(error)), 'SELECT job_replay(queue), once the cause is gone'
  FROM (SELECT status, dead_letter_reason AS error
          FROM main.assistly_queue_jobs ORDER BY id DESC LIMIT 100000)
 WHERE status = 'dead_letter' HAVING count(*) > 0
UNION ALL
SELECT 1, 'Queue ' || queue || ' is paused', 'since '
       || datetime(paused_at / 1000, 'unixepoch'),
       printf('SELECT job_resume(%Q)', queue)
  FROM main.steward_job_queues WHERE paused_at IS NOT NULL LIMIT 50;

-- name: perf_attention_maintenance
-- set: maintenance
-- The same of what got worse, and of the last vacuum.
SELECT 1, iif(query IS NULL, 'Metric ' || metric_name, 'A statement')
       || ' is worse than it was', printf('%.3g %s, and %.3g when all was well%s',
       current_avg, unit, baseline_avg,
       iif(query IS NULL, '', ': ' || substr(query, 1, 200))),
       'SELECT * FROM perf_regressions; or perf_baseline(), if this is normal'
  FROM perf_regressions
 WHERE EXISTS (SELECT 1 FROM main.steward_performance_baselines)
UNION ALL
SELECT 1, 'The last vacuum failed', coalesce(error_message, vacuum_type),
       'SELECT recommended FROM vacuum_status'
  FROM (SELECT * FROM main.steward_vacuum_log ORDER BY id DESC LIMIT 1)
 WHERE status = 'failed' LIMIT 20;

-- name: perf_attention_streaming
-- set: streaming
-- The same of streams. ?1: now.
SELECT 1, 'Streaming: ' || operation_type || ' failed', count(*)
       || ' times in the last hour: ' || max(error_message),
       'SELECT * FROM streaming_performance_log WHERE error_message NOT NULL'
  FROM main.streaming_performance_log
 WHERE operation_type IN ('snapshot', 'delta', 'query', 'update')
   AND timestamp > ?1 / 1000 - 3600 AND error_message IS NOT NULL
 GROUP BY operation_type;

-- name: perf_report_storage
-- set: none
-- Databases of the connection. What stands behind the | of a heading, here and
-- below, says how a column is shown: see ext/perf_page.c.
SELECT schema_name AS "Database", pages * page_size AS "Size|bytes",
       pages AS "Pages|n", free_ratio AS "Free|share",
       reclaimable_bytes AS "Reclaimable|bytes", wal_bytes AS "WAL|bytes",
       auto_vacuum AS "Auto vacuum", recommended AS "Recommended"
  FROM vacuum_status;

-- name: perf_report_delivery
-- set: delivery
-- Consumers, the one with most waiting first. ?1: now.
SELECT consumer AS "Consumer", topic AS "Topic", pending AS "Waiting|n",
       iif(pending > 0, ?1 - oldest_at, NULL) AS "Oldest waits|ms",
       dropped_pending + dropped_total AS "Lost|bad",
       ?1 - seen_at AS "Last seen|ago", policy AS "Policy"
  FROM delivery_status ORDER BY pending DESC, consumer LIMIT 20;

-- name: perf_report_jobs
-- set: jobs
-- Jobs by state, of the newest 100,000.
SELECT status AS "State|state", count(*) AS "Jobs|n",
       max(retries) AS "Most retries|n"
  FROM (SELECT status, retries FROM main.assistly_queue_jobs
         ORDER BY id DESC LIMIT 100000) GROUP BY status ORDER BY 2 DESC;

-- name: perf_report_job_errors
-- set: jobs
-- What jobs failed of. ?1: now.
SELECT platform AS "Queue", last_error AS "Error", count(*) AS "Jobs|n",
       ?1 - max(updated_at) AS "Last|ago"
  FROM (SELECT platform, last_error, updated_at FROM main.assistly_queue_jobs
         ORDER BY id DESC LIMIT 100000)
 WHERE last_error IS NOT NULL
 GROUP BY platform, last_error ORDER BY 3 DESC LIMIT 8;

-- name: perf_report_expiry
-- set: core
-- Tables whose rows expire. ?1: now.
SELECT table_name AS "Table", pending AS "Waiting|n",
       deletes_total AS "Deleted|n", ?1 - sweep_at AS "Last sweep|ago",
       sweep_ms AS "It took|ms", errors_total AS "Failed|bad"
  FROM ttl_status ORDER BY pending DESC, table_name LIMIT 50;

-- name: perf_report_vacuum
-- The last runs. ?1: now.
SELECT ?1 - unixepoch(started_ts) * 1000 AS "Started|ago",
       vacuum_type AS "Type", status AS "Status|state",
       bytes_freed AS "Freed|bytes", duration_ms AS "It took|ms",
       error_message AS "Error"
  FROM main.steward_vacuum_log ORDER BY id DESC LIMIT 10;

-- name: perf_report_streaming
-- set: streaming
-- The last day, by operation. ?1: now.
SELECT operation_type AS "Operation", count(*) AS "Runs|n",
       sum(record_count) AS "Rows|n", avg(duration_ms) AS "Mean|ms",
       max(duration_ms) AS "Longest|ms",
       sum(error_message IS NOT NULL) AS "Failed|bad"
  FROM main.streaming_performance_log
 WHERE operation_type IN ('snapshot', 'delta', 'query', 'update')
   AND timestamp > ?1 / 1000 - 86400
 GROUP BY operation_type;

-- name: perf_report_spark
-- The last ?2 values of the metric ?1, the newest first.
SELECT metric_value FROM main.steward_performance_metrics
       INDEXED BY idx_performance_metrics_name_ts
 WHERE metric_name = ?1 AND metric_value BETWEEN -1e290 AND 1e290
 ORDER BY recorded_ts DESC LIMIT ?2;

-- name: perf_report_trends
-- Means by the hour from ?1 (Unix seconds), of the metrics that vary most, with
-- what thirty days came to. Totals since a process began tell no trend, and
-- statements have a table of their own.
WITH far AS MATERIALIZED (
  SELECT metric_name, avg, min, max, trend FROM perf_summary('30d')),
hours AS MATERIALIZED (
  SELECT metric_name, unit, bucket_at, value_sum / value_count AS mean,
         value_min, value_max, p50
    FROM main.steward_performance_rollups
   WHERE resolution = 3600 AND bucket_at >= ?1
     AND metric_name NOT LIKE 'statement\_ms:%' ESCAPE '\'
     AND metric_name NOT LIKE '%\_total' ESCAPE '\'),
chosen AS MATERIALIZED (
  SELECT metric_name FROM hours
   GROUP BY metric_name HAVING count(*) > 1
   ORDER BY max(value_max) - min(value_min) = 0,
            (max(value_max) - min(value_min)) / (abs(avg(p50)) + 1e-9) DESC,
            metric_name LIMIT 24)
SELECT h.metric_name, h.unit, h.mean, f.avg, f.min, f.max, f.trend
  FROM chosen AS k JOIN hours AS h USING (metric_name)
       LEFT JOIN far AS f USING (metric_name)
 ORDER BY h.metric_name, h.bucket_at;
