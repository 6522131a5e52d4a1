-- set: none
-- name: vacuum_schemas
-- The databases of the connection.
SELECT name FROM pragma_database_list;

-- name: vacuum_last
-- The last run that was logged.
-- set: maintenance
SELECT started_ts, vacuum_type FROM main.steward_vacuum_log
 ORDER BY id DESC LIMIT 1;

-- name: vacuum_begin
-- A run begins.
-- set: maintenance
INSERT INTO main.steward_vacuum_log(db_path, vacuum_type, started_ts, status)
VALUES (?1, ?2, datetime(?3 / 1000, 'unixepoch'), 'running')
RETURNING id;

-- name: vacuum_end
-- How it ended.
-- set: maintenance
UPDATE main.steward_vacuum_log
   SET pages_freed = ?2, bytes_freed = ?3, duration_ms = ?4, status = ?5,
       error_message = ?6, completed_ts = datetime(?7 / 1000, 'unixepoch')
 WHERE id = ?1;

-- name: vacuum_orphans
-- Runs of this file that say to be running for an hour were killed.
-- set: maintenance
UPDATE main.steward_vacuum_log
   SET status = 'failed', error_message = 'killed while it ran',
       completed_ts = datetime(?2 / 1000, 'unixepoch')
 WHERE status = 'running' AND db_path = ?1
   AND started_ts < datetime(?2 / 1000 - 3600, 'unixepoch');
