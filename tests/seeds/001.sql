-- The SQL of the maintenance seed.
-- Each statement stands as in the document, after a line with its section;
-- "cannot" says why SQLite cannot run it and what replaces it.

-- section: Schema Changes: sqlite_pool_config
-- cannot: SQLite reserves names that begin with sqlite_: migrate_up('maintenance') makes steward_pool_config, shown as the writable table sqlite_pool_config
CREATE TABLE IF NOT EXISTS sqlite_pool_config (
    id INTEGER PRIMARY KEY,
    db_path TEXT NOT NULL,
    min_connections INTEGER NOT NULL DEFAULT 1,
    max_connections INTEGER NOT NULL DEFAULT 10,
    connection_timeout INTEGER NOT NULL DEFAULT 30,
    created_ts TEXT NOT NULL,
    updated_ts TEXT NOT NULL
);

-- section: Schema Changes: sqlite_vacuum_log
-- cannot: SQLite reserves names that begin with sqlite_: migrate_up('maintenance') makes steward_vacuum_log, shown as the writable table sqlite_vacuum_log
CREATE TABLE IF NOT EXISTS sqlite_vacuum_log (
    id INTEGER PRIMARY KEY,
    db_path TEXT NOT NULL,
    vacuum_type TEXT NOT NULL CHECK (vacuum_type IN ('auto', 'incremental', 'full')),
    started_ts TEXT NOT NULL,
    completed_ts TEXT,
    pages_freed INTEGER DEFAULT 0,
    bytes_freed INTEGER DEFAULT 0,
    duration_ms INTEGER DEFAULT 0,
    status TEXT NOT NULL CHECK (status IN ('running', 'completed', 'failed')),
    error_message TEXT
);

-- section: Schema Changes: sqlite_performance_metrics
-- cannot: SQLite reserves names that begin with sqlite_: migrate_up('maintenance') makes steward_performance_metrics, shown as the writable table sqlite_performance_metrics
CREATE TABLE IF NOT EXISTS sqlite_performance_metrics (
    id INTEGER PRIMARY KEY,
    db_path TEXT NOT NULL,
    metric_name TEXT NOT NULL,
    metric_value REAL NOT NULL,
    unit TEXT NOT NULL,
    recorded_ts TEXT NOT NULL,
    context TEXT  -- JSON blob for additional context
);

-- section: Schema Changes: sqlite_health_checks
-- cannot: SQLite reserves names that begin with sqlite_: migrate_up('maintenance') makes steward_health_checks, shown as the writable table sqlite_health_checks
CREATE TABLE IF NOT EXISTS sqlite_health_checks (
    id INTEGER PRIMARY KEY,
    db_path TEXT NOT NULL,
    check_type TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('healthy', 'warning', 'critical')),
    details TEXT,  -- JSON blob with check details
    checked_ts TEXT NOT NULL
);

-- section: UP: journal_mode
PRAGMA journal_mode = WAL;

-- section: UP: synchronous
PRAGMA synchronous = NORMAL;

-- section: UP: cache_size
PRAGMA cache_size = -64000;  -- 64MB cache

-- section: UP: temp_store
PRAGMA temp_store = MEMORY;

-- section: UP: mmap_size
PRAGMA mmap_size = 268435456;  -- 256MB mmap

-- section: UP: sqlite_pool_config
-- cannot: SQLite reserves names that begin with sqlite_: migrate_up('maintenance') makes steward_pool_config, shown as the writable table sqlite_pool_config
CREATE TABLE IF NOT EXISTS sqlite_pool_config (
    id INTEGER PRIMARY KEY,
    db_path TEXT NOT NULL UNIQUE,
    min_connections INTEGER NOT NULL DEFAULT 1,
    max_connections INTEGER NOT NULL DEFAULT 10,
    connection_timeout INTEGER NOT NULL DEFAULT 30,
    created_ts TEXT NOT NULL DEFAULT (datetime('now')),
    updated_ts TEXT NOT NULL DEFAULT (datetime('now'))
);

-- section: UP: sqlite_vacuum_log
-- cannot: SQLite reserves names that begin with sqlite_: migrate_up('maintenance') makes steward_vacuum_log, shown as the writable table sqlite_vacuum_log
CREATE TABLE IF NOT EXISTS sqlite_vacuum_log (
    id INTEGER PRIMARY KEY,
    db_path TEXT NOT NULL,
    vacuum_type TEXT NOT NULL CHECK (vacuum_type IN ('auto', 'incremental', 'full')),
    started_ts TEXT NOT NULL DEFAULT (datetime('now')),
    completed_ts TEXT,
    pages_freed INTEGER DEFAULT 0,
    bytes_freed INTEGER DEFAULT 0,
    duration_ms INTEGER DEFAULT 0,
    status TEXT NOT NULL CHECK (status IN ('running', 'completed', 'failed')),
    error_message TEXT
);

-- section: UP: sqlite_performance_metrics
-- cannot: SQLite reserves names that begin with sqlite_: migrate_up('maintenance') makes steward_performance_metrics, shown as the writable table sqlite_performance_metrics
CREATE TABLE IF NOT EXISTS sqlite_performance_metrics (
    id INTEGER PRIMARY KEY,
    db_path TEXT NOT NULL,
    metric_name TEXT NOT NULL,
    metric_value REAL NOT NULL,
    unit TEXT NOT NULL,
    recorded_ts TEXT NOT NULL DEFAULT (datetime('now')),
    context TEXT  -- JSON blob for additional context
);

-- section: UP: sqlite_health_checks
-- cannot: SQLite reserves names that begin with sqlite_: migrate_up('maintenance') makes steward_health_checks, shown as the writable table sqlite_health_checks
CREATE TABLE IF NOT EXISTS sqlite_health_checks (
    id INTEGER PRIMARY KEY,
    db_path TEXT NOT NULL,
    check_type TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('healthy', 'warning', 'critical')),
    details TEXT,  -- JSON blob with check details
    checked_ts TEXT NOT NULL DEFAULT (datetime('now'))
);

-- section: UP: idx_vacuum_log_db_path
-- cannot: a virtual table may not be indexed: migrate_up('maintenance') makes this index on steward_vacuum_log
CREATE INDEX IF NOT EXISTS idx_vacuum_log_db_path ON sqlite_vacuum_log(db_path);

-- section: UP: idx_vacuum_log_started
-- cannot: a virtual table may not be indexed: migrate_up('maintenance') makes this index on steward_vacuum_log
CREATE INDEX IF NOT EXISTS idx_vacuum_log_started ON sqlite_vacuum_log(started_ts);

-- section: UP: idx_performance_metrics_db_path
-- cannot: a virtual table may not be indexed: migrate_up('maintenance') makes this index on steward_performance_metrics
CREATE INDEX IF NOT EXISTS idx_performance_metrics_db_path ON sqlite_performance_metrics(db_path);

-- section: UP: idx_performance_metrics_name_ts
-- cannot: a virtual table may not be indexed: migrate_up('maintenance') makes this index on steward_performance_metrics
CREATE INDEX IF NOT EXISTS idx_performance_metrics_name_ts ON sqlite_performance_metrics(metric_name, recorded_ts);

-- section: UP: idx_health_checks_db_path
-- cannot: a virtual table may not be indexed: migrate_up('maintenance') makes this index on steward_health_checks
CREATE INDEX IF NOT EXISTS idx_health_checks_db_path ON sqlite_health_checks(db_path);

-- section: UP: idx_health_checks_checked_ts
-- cannot: a virtual table may not be indexed: migrate_up('maintenance') makes this index on steward_health_checks
CREATE INDEX IF NOT EXISTS idx_health_checks_checked_ts ON sqlite_health_checks(checked_ts);

-- section: UP: default configuration
INSERT OR IGNORE INTO sqlite_pool_config (db_path, min_connections, max_connections, connection_timeout)
VALUES ('default', 2, 8, 30);

-- section: UP: update_pool_config_ts
-- cannot: a virtual table takes no triggers: migrate_up('maintenance') makes this one on steward_pool_config
CREATE TRIGGER IF NOT EXISTS update_pool_config_ts
    AFTER UPDATE ON sqlite_pool_config
    BEGIN
        UPDATE sqlite_pool_config SET updated_ts = datetime('now') WHERE id = NEW.id;
    END;

-- section: DOWN: update_pool_config_ts
DROP TRIGGER IF EXISTS update_pool_config_ts;

-- section: DOWN: idx_vacuum_log_db_path
DROP INDEX IF EXISTS idx_vacuum_log_db_path;

-- section: DOWN: idx_vacuum_log_started
DROP INDEX IF EXISTS idx_vacuum_log_started;

-- section: DOWN: idx_performance_metrics_db_path
DROP INDEX IF EXISTS idx_performance_metrics_db_path;

-- section: DOWN: idx_performance_metrics_name_ts
DROP INDEX IF EXISTS idx_performance_metrics_name_ts;

-- section: DOWN: idx_health_checks_db_path
DROP INDEX IF EXISTS idx_health_checks_db_path;

-- section: DOWN: idx_health_checks_checked_ts
DROP INDEX IF EXISTS idx_health_checks_checked_ts;

-- section: DOWN: sqlite_health_checks
-- cannot: an eponymous table may not be dropped: migrate_down('maintenance') drops steward_health_checks
DROP TABLE IF EXISTS sqlite_health_checks;

-- section: DOWN: sqlite_performance_metrics
-- cannot: an eponymous table may not be dropped: migrate_down('maintenance') drops steward_performance_metrics
DROP TABLE IF EXISTS sqlite_performance_metrics;

-- section: DOWN: sqlite_vacuum_log
-- cannot: an eponymous table may not be dropped: migrate_down('maintenance') drops steward_vacuum_log
DROP TABLE IF EXISTS sqlite_vacuum_log;

-- section: DOWN: sqlite_pool_config
-- cannot: an eponymous table may not be dropped: migrate_down('maintenance') drops steward_pool_config
DROP TABLE IF EXISTS sqlite_pool_config;

-- section: DOWN: journal_mode
PRAGMA journal_mode = DELETE;

-- section: DOWN: synchronous
PRAGMA synchronous = FULL;

-- section: DOWN: cache_size
PRAGMA cache_size = 2000;  -- Default cache size

-- section: DOWN: temp_store
PRAGMA temp_store = DEFAULT;

-- section: DOWN: mmap_size
PRAGMA mmap_size = 0;  -- Disable mmap

-- section: Contract Validation: Validate pool configuration
SELECT COUNT(*) FROM sqlite_pool_config
WHERE min_connections < 1 OR max_connections < min_connections OR connection_timeout < 1;

-- section: Contract Validation: Check for orphaned vacuum logs
SELECT COUNT(*) FROM sqlite_vacuum_log
WHERE status = 'running' AND started_ts < datetime('now', '-1 hour');

-- section: Contract Validation: Validate health check recency
SELECT COUNT(*) FROM sqlite_health_checks
WHERE checked_ts < datetime('now', '-1 day') AND status != 'healthy';

-- section: Monitoring: Check pool health
SELECT * FROM sqlite_pool_config WHERE db_path = ?;

-- section: Monitoring: Recent vacuum operations
SELECT * FROM sqlite_vacuum_log WHERE db_path = ? ORDER BY started_ts DESC LIMIT 10;

-- section: Monitoring: Performance trends
SELECT metric_name, AVG(metric_value), MIN(metric_value), MAX(metric_value)
FROM sqlite_performance_metrics
WHERE db_path = ? AND recorded_ts > datetime('now', '-24 hours')
GROUP BY metric_name;

-- section: Monitoring: Health status
SELECT * FROM sqlite_health_checks WHERE db_path = ? ORDER BY checked_ts DESC LIMIT 1;
