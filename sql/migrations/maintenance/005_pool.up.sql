-- id: maintenance-005-pool
-- version: 5
-- description: Pool options, and no pool that cannot be
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- What pool_configure() takes besides the columns of steward_pool_config, NULL
-- for the default; times in ms. timeout_ms is the exact form of
-- connection_timeout, and counts as long as it rounds up to that.
CREATE TABLE IF NOT EXISTS steward_pool_options (
  db_path TEXT PRIMARY KEY NOT NULL,
  timeout_ms INTEGER,
  max_idle INTEGER,
  max_age_ms INTEGER,
  idle_timeout_ms INTEGER,
  busy_timeout_ms INTEGER,
  probe_ms INTEGER,
  writes INTEGER,
  durable INTEGER
) WITHOUT ROWID;

CREATE TRIGGER IF NOT EXISTS steward_pool_config_insert
  BEFORE INSERT ON steward_pool_config
  WHEN typeof(NEW.min_connections) <> 'integer'
    OR typeof(NEW.max_connections) <> 'integer'
    OR typeof(NEW.connection_timeout) <> 'integer'
    OR NEW.min_connections < 1 OR NEW.max_connections < NEW.min_connections
    OR NEW.connection_timeout < 1
BEGIN
  SELECT RAISE(ABORT, 'a pool needs 1 <= min_connections <= max_connections, and connection_timeout of 1 second or more');
END;

CREATE TRIGGER IF NOT EXISTS steward_pool_config_update
  BEFORE UPDATE ON steward_pool_config
  WHEN typeof(NEW.min_connections) <> 'integer'
    OR typeof(NEW.max_connections) <> 'integer'
    OR typeof(NEW.connection_timeout) <> 'integer'
    OR NEW.min_connections < 1 OR NEW.max_connections < NEW.min_connections
    OR NEW.connection_timeout < 1
BEGIN
  SELECT RAISE(ABORT, 'a pool needs 1 <= min_connections <= max_connections, and connection_timeout of 1 second or more');
END;

CREATE TRIGGER IF NOT EXISTS steward_pool_config_delete
  AFTER DELETE ON steward_pool_config
BEGIN
  DELETE FROM steward_pool_options WHERE db_path = OLD.db_path;
END;
