-- id: maintenance-003-rollups
-- version: 3
-- description: Metrics by the hour and by the day, for long windows
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- What the metrics of a closed hour (resolution 3600) or day (86400) came to;
-- bucket_at is its beginning in Unix seconds. perf_rollup() writes it from the
-- metrics themselves, once, and removes what is too old.
CREATE TABLE IF NOT EXISTS steward_performance_rollups (
  resolution INTEGER NOT NULL,
  bucket_at INTEGER NOT NULL,
  metric_name TEXT NOT NULL,
  unit TEXT NOT NULL,
  value_count INTEGER NOT NULL,
  value_sum REAL NOT NULL,
  value_min REAL NOT NULL,
  value_max REAL NOT NULL,
  p50 REAL NOT NULL,
  p95 REAL NOT NULL,
  p99 REAL NOT NULL,
  PRIMARY KEY (resolution, bucket_at, metric_name)
) WITHOUT ROWID;
