-- id: streaming-001-performance-log
-- version: 1
-- description: Log of the duration of streaming operations
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- The streaming seed's table, section 6.1, with its two indexes. operation_type
-- is 'snapshot', 'delta', 'query' or 'update'; timestamp is in Unix seconds.

CREATE TABLE IF NOT EXISTS streaming_performance_log (
  id BLOB PRIMARY KEY,
  workspace_id BLOB NOT NULL,
  operation_type TEXT NOT NULL,
  table_name TEXT NOT NULL,
  record_count INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  timestamp BIGINT NOT NULL DEFAULT (unixepoch()),
  error_message TEXT
);

CREATE INDEX IF NOT EXISTS streaming_perf_workspace_idx
  ON streaming_performance_log (workspace_id, timestamp DESC);
CREATE INDEX IF NOT EXISTS streaming_perf_operation_idx
  ON streaming_performance_log (operation_type, timestamp DESC);
