-- id: maintenance-004-baselines
-- version: 4
-- description: What metrics came to when all was well, to compare with
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- One row for each metric that perf_baseline() took: what it came to in the
-- window (ms) before taken_at (Unix ms), and which way it gets worse.
CREATE TABLE IF NOT EXISTS steward_performance_baselines (
  metric_name TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  worse TEXT NOT NULL CHECK (worse IN ('higher', 'lower')),
  value_count INTEGER NOT NULL,
  value_avg REAL NOT NULL,
  p50 REAL NOT NULL,
  p95 REAL NOT NULL,
  window_ms INTEGER NOT NULL,
  taken_at INTEGER NOT NULL
) WITHOUT ROWID;
