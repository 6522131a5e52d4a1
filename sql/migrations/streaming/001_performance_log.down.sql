-- id: streaming-001-performance-log
-- version: 1

DROP INDEX IF EXISTS streaming_perf_operation_idx;
DROP INDEX IF EXISTS streaming_perf_workspace_idx;

DROP TABLE IF EXISTS streaming_performance_log;
