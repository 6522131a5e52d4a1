-- id: maintenance-001-maintenance
-- version: 1

-- The seed's DOWN without its pragmas (tune_apply('rollback') sets those).

DROP TRIGGER IF EXISTS update_pool_config_ts;

DROP INDEX IF EXISTS idx_vacuum_log_db_path;
DROP INDEX IF EXISTS idx_vacuum_log_started;
DROP INDEX IF EXISTS idx_performance_metrics_db_path;
DROP INDEX IF EXISTS idx_performance_metrics_name_ts;
DROP INDEX IF EXISTS idx_health_checks_db_path;
DROP INDEX IF EXISTS idx_health_checks_checked_ts;
DROP INDEX IF EXISTS idx_health_checks_type;

DROP TABLE IF EXISTS steward_health_checks;
DROP TABLE IF EXISTS steward_performance_metrics;
DROP TABLE IF EXISTS steward_vacuum_log;
DROP TABLE IF EXISTS steward_pool_config;
