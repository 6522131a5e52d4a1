-- id: maintenance-002-retention
-- version: 2
-- description: Metrics, health checks and vacuum runs leave by age
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- Each insert removes up to two of the oldest rows beyond the age that a
-- setting gives in days, each sixteenth metric up to 32; while the oldest is
-- younger, that costs one step from the beginning of the table.  Rows are
-- removed in the order of their ids; a time that cannot be read is older than
-- all others, so that it keeps none of those behind it.

CREATE TRIGGER IF NOT EXISTS steward_performance_metrics_retention
AFTER INSERT ON steward_performance_metrics
WHEN NEW.id % 16 = 0 AND (SELECT coalesce(datetime(recorded_ts), '') FROM steward_performance_metrics ORDER BY id LIMIT 1) < datetime(coalesce(
      (SELECT value / 1000 FROM steward_config WHERE name = 'clock'),
      unixepoch()), 'unixepoch', '-' || coalesce(
      (SELECT value FROM steward_config WHERE name = 'performance_retention_days'), 30)
      || ' days')
BEGIN
  DELETE FROM steward_performance_metrics
   WHERE id < coalesce((SELECT id FROM steward_performance_metrics ORDER BY id LIMIT 1 OFFSET 32), NEW.id)
     AND id <> NEW.id AND coalesce(datetime(recorded_ts), '') < datetime(coalesce(
      (SELECT value / 1000 FROM steward_config WHERE name = 'clock'),
      unixepoch()), 'unixepoch', '-' || coalesce(
      (SELECT value FROM steward_config WHERE name = 'performance_retention_days'), 30)
      || ' days');
END;

CREATE TRIGGER IF NOT EXISTS steward_health_checks_retention
AFTER INSERT ON steward_health_checks
WHEN (SELECT coalesce(datetime(checked_ts), '') FROM steward_health_checks ORDER BY id LIMIT 1) < datetime(coalesce(
      (SELECT value / 1000 FROM steward_config WHERE name = 'clock'),
      unixepoch()), 'unixepoch', '-' || coalesce(
      (SELECT value FROM steward_config WHERE name = 'health_retention_days'), 7)
      || ' days')
BEGIN
  DELETE FROM steward_health_checks
   WHERE id = (SELECT id FROM steward_health_checks ORDER BY id LIMIT 1)
     AND id <> NEW.id AND coalesce(datetime(checked_ts), '') < datetime(coalesce(
      (SELECT value / 1000 FROM steward_config WHERE name = 'clock'),
      unixepoch()), 'unixepoch', '-' || coalesce(
      (SELECT value FROM steward_config WHERE name = 'health_retention_days'), 7)
      || ' days');
  DELETE FROM steward_health_checks
   WHERE id = (SELECT id FROM steward_health_checks ORDER BY id LIMIT 1)
     AND id <> NEW.id AND coalesce(datetime(checked_ts), '') < datetime(coalesce(
      (SELECT value / 1000 FROM steward_config WHERE name = 'clock'),
      unixepoch()), 'unixepoch', '-' || coalesce(
      (SELECT value FROM steward_config WHERE name = 'health_retention_days'), 7)
      || ' days');
END;

CREATE TRIGGER IF NOT EXISTS steward_vacuum_log_retention
AFTER INSERT ON steward_vacuum_log
WHEN (SELECT coalesce(datetime(started_ts), '') FROM steward_vacuum_log ORDER BY id LIMIT 1) < datetime(coalesce(
      (SELECT value / 1000 FROM steward_config WHERE name = 'clock'),
      unixepoch()), 'unixepoch', '-' || coalesce(
      (SELECT value FROM steward_config WHERE name = 'vacuum_retention_days'), 90)
      || ' days')
BEGIN
  DELETE FROM steward_vacuum_log
   WHERE id = (SELECT id FROM steward_vacuum_log ORDER BY id LIMIT 1)
     AND id <> NEW.id AND coalesce(datetime(started_ts), '') < datetime(coalesce(
      (SELECT value / 1000 FROM steward_config WHERE name = 'clock'),
      unixepoch()), 'unixepoch', '-' || coalesce(
      (SELECT value FROM steward_config WHERE name = 'vacuum_retention_days'), 90)
      || ' days');
  DELETE FROM steward_vacuum_log
   WHERE id = (SELECT id FROM steward_vacuum_log ORDER BY id LIMIT 1)
     AND id <> NEW.id AND coalesce(datetime(started_ts), '') < datetime(coalesce(
      (SELECT value / 1000 FROM steward_config WHERE name = 'clock'),
      unixepoch()), 'unixepoch', '-' || coalesce(
      (SELECT value FROM steward_config WHERE name = 'vacuum_retention_days'), 90)
      || ' days');
END;
