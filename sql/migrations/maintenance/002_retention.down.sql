-- id: maintenance-002-retention
-- version: 2
DROP TRIGGER IF EXISTS steward_performance_metrics_retention;
DROP TRIGGER IF EXISTS steward_health_checks_retention;
DROP TRIGGER IF EXISTS steward_vacuum_log_retention;
