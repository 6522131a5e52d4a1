-- set: maintenance
-- name: perf_probe
-- set: none
-- Run to see whether the trace hook is called.
SELECT 1;

-- name: perf_record hot
-- Store one measurement.
INSERT INTO main.steward_performance_metrics(db_path, metric_name,
    metric_value, unit, recorded_ts, context)
VALUES (?1, ?2, ?3, ?4, datetime(?5 / 1000, 'unixepoch'), ?6);

-- name: perf_capture
-- Store a batch: ?2 is a JSON array of [name, value, unit].
INSERT INTO main.steward_performance_metrics(db_path, metric_name,
    metric_value, unit, recorded_ts, context)
SELECT ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
       json_extract(value, '$[2]'), datetime(?3 / 1000, 'unixepoch'), NULL
  FROM json_each(?2);

-- name: perf_rolled
-- Where the next bucket of resolution ?1 begins (Unix seconds): behind the last
-- one, or where the metrics begin.
SELECT coalesce(
  (SELECT max(bucket_at) + ?1 FROM main.steward_performance_rollups
    WHERE resolution = ?1),
  (SELECT unixepoch(min(recorded_ts)) / ?1 * ?1
     FROM (SELECT recorded_ts FROM main.steward_performance_metrics
            ORDER BY id LIMIT 1)));

-- name: perf_rollup
-- The metrics from ?2 to before ?3 (Unix seconds) by buckets of ?1 seconds. The
-- names are found by a seek each.
INSERT OR REPLACE INTO main.steward_performance_rollups
WITH RECURSIVE name(n) AS (
  SELECT min(metric_name) FROM main.steward_performance_metrics
  UNION ALL
  SELECT (SELECT min(metric_name) FROM main.steward_performance_metrics
           WHERE metric_name > n)
    FROM name WHERE n IS NOT NULL)
SELECT ?1, unixepoch(m.recorded_ts) / ?1 * ?1 AS bucket, m.metric_name,
       max(m.unit), count(*), sum(m.metric_value), min(m.metric_value),
       max(m.metric_value), perf_percentile(m.metric_value, 0.5),
       perf_percentile(m.metric_value, 0.95),
       perf_percentile(m.metric_value, 0.99)
  FROM name CROSS JOIN main.steward_performance_metrics AS m
       INDEXED BY idx_performance_metrics_name_ts
 WHERE m.metric_name = name.n
   AND m.recorded_ts >= datetime(?2, 'unixepoch')
   AND m.recorded_ts < datetime(?3, 'unixepoch')
 GROUP BY m.metric_name, bucket;

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
  SELECT m.metric_name, m.unit, unixepoch(m.recorded_ts) AS at,
         m.metric_value AS v
    FROM name CROSS JOIN main.steward_performance_metrics AS m
         INDEXED BY idx_performance_metrics_name_ts
   WHERE m.metric_name = name.n
     AND m.recorded_ts >= datetime(?4, 'unixepoch')
     AND m.recorded_ts <= datetime(?2, 'unixepoch')),
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
