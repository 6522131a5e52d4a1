-- id: maintenance-001-maintenance
-- version: 1
-- description: Pool configuration, vacuum log, metrics and health checks
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- The four tables that the maintenance seed calls sqlite_pool_config,
-- sqlite_vacuum_log, sqlite_performance_metrics and sqlite_health_checks.
-- SQLite reserves names that begin with sqlite_, so the rows live here and the
-- seed's names are eponymous tables of the library. Times are UTC text, as
-- datetime('now') gives them. The seed's pragmas belong to tune_apply().

-- How many connections the pool keeps for a file, and how long a caller waits
-- for one (seconds). The row 'default' counts for files without a row.
CREATE TABLE IF NOT EXISTS steward_pool_config (
  id INTEGER PRIMARY KEY,
  db_path TEXT NOT NULL UNIQUE,
  min_connections INTEGER NOT NULL DEFAULT 1,
  max_connections INTEGER NOT NULL DEFAULT 10,
  connection_timeout INTEGER NOT NULL DEFAULT 30,
  created_ts TEXT NOT NULL DEFAULT (datetime('now')),
  updated_ts TEXT NOT NULL DEFAULT (datetime('now'))
);

-- One row for each run of a vacuum.
CREATE TABLE IF NOT EXISTS steward_vacuum_log (
  id INTEGER PRIMARY KEY,
  db_path TEXT NOT NULL,
  vacuum_type TEXT NOT NULL
    CHECK (vacuum_type IN ('auto', 'incremental', 'full')),
  started_ts TEXT NOT NULL DEFAULT (datetime('now')),
  completed_ts TEXT,
  pages_freed INTEGER DEFAULT 0,
  bytes_freed INTEGER DEFAULT 0,
  duration_ms INTEGER DEFAULT 0,
  status TEXT NOT NULL CHECK (status IN ('running', 'completed', 'failed')),
  error_message TEXT
);

-- One row for each value measured; context is JSON by custom, not by CHECK.
CREATE TABLE IF NOT EXISTS steward_performance_metrics (
  id INTEGER PRIMARY KEY,
  db_path TEXT NOT NULL,
  metric_name TEXT NOT NULL,
  metric_value REAL NOT NULL,
  unit TEXT NOT NULL,
  recorded_ts TEXT NOT NULL DEFAULT (datetime('now')),
  context TEXT
);

-- One row for each result of a check; details is JSON by custom.
CREATE TABLE IF NOT EXISTS steward_health_checks (
  id INTEGER PRIMARY KEY,
  db_path TEXT NOT NULL,
  check_type TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('healthy', 'warning', 'critical')),
  details TEXT,
  checked_ts TEXT NOT NULL DEFAULT (datetime('now'))
);

CREATE INDEX IF NOT EXISTS idx_vacuum_log_db_path
  ON steward_vacuum_log(db_path);
CREATE INDEX IF NOT EXISTS idx_vacuum_log_started
  ON steward_vacuum_log(started_ts);
CREATE INDEX IF NOT EXISTS idx_performance_metrics_db_path
  ON steward_performance_metrics(db_path);
CREATE INDEX IF NOT EXISTS idx_performance_metrics_name_ts
  ON steward_performance_metrics(metric_name, recorded_ts);
CREATE INDEX IF NOT EXISTS idx_health_checks_db_path
  ON steward_health_checks(db_path);
CREATE INDEX IF NOT EXISTS idx_health_checks_checked_ts
  ON steward_health_checks(checked_ts);
CREATE INDEX IF NOT EXISTS idx_health_checks_type
  ON steward_health_checks(check_type);

-- Every update ends with updated_ts = now, as in the seed. The WHEN stops the
-- trigger's own update from firing it again under recursive_triggers. The row
-- 'clock' is the pinned time of tests.
CREATE TRIGGER IF NOT EXISTS update_pool_config_ts
  AFTER UPDATE ON steward_pool_config
  WHEN NEW.updated_ts IS NOT datetime(coalesce(
      (SELECT value / 1000 FROM steward_config WHERE name = 'clock'),
      unixepoch()), 'unixepoch')
BEGIN
  UPDATE steward_pool_config SET updated_ts = datetime(coalesce(
      (SELECT value / 1000 FROM steward_config WHERE name = 'clock'),
      unixepoch()), 'unixepoch')
   WHERE id = NEW.id;
END;

INSERT OR IGNORE INTO steward_pool_config
  (db_path, min_connections, max_connections, connection_timeout)
VALUES ('default', 2, 8, 30);
