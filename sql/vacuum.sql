-- set: none
-- name: vacuum_schemas
-- The databases of the connection.
SELECT name FROM pragma_database_list;

-- name: vacuum_last
-- The last run of this file that was logged.
-- set: maintenance
SELECT started_ts, vacuum_type, status FROM main.steward_vacuum_log
 WHERE db_path = (SELECT iif(file = '', ':memory:', file)
                    FROM pragma_database_list WHERE name = 'main')
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

-- name: vacuum_tables
-- The pages of each b-tree as they were counted last.
-- set: maintenance
SELECT s.name, s.table_name, s.pages, s.pages * p.page_size AS bytes,
       s.unused_bytes, 1.0 * s.unused_bytes / (s.pages * p.page_size),
       1.0 * s.gaps / s.pages, s.sampled, s.measured_at
  FROM main.steward_page_stats AS s, pragma_page_size AS p;

-- name: vacuum_pages
-- The same of the whole file: bytes that hold nothing, share of gaps, the oldest
-- count, and of the first those that a VACUUM can give back: a small b-tree has
-- its one page, however empty.
-- set: maintenance
SELECT sum(unused_bytes), 1.0 * sum(gaps) / max(1, sum(pages)),
       min(measured_at), sum(iif(pages >= 64, unused_bytes, 0))
  FROM main.steward_page_stats;

-- name: vacuum_pace
-- Microseconds for a KiB that the last VACUUM of main took which says something
-- (a MiB or more was left); ?1 is the size now.
-- set: maintenance
SELECT max(1, l.duration_ms * 1000 / (?1 / 1024))
  FROM main.steward_vacuum_log AS l
 WHERE l.id = (SELECT max(r.run_id) FROM main.steward_vacuum_commands AS r
                WHERE r.command = 'full')
   AND l.status = 'completed' AND ?1 > 1048576;

-- name: vacuum_recent
-- Was there a VACUUM within a day before ?1 (ms)?
-- set: maintenance
SELECT 1 FROM main.steward_vacuum_log AS l
 WHERE l.started_ts > datetime(?1 / 1000 - 86400, 'unixepoch')
   AND EXISTS (SELECT 1 FROM main.steward_vacuum_commands AS r
                WHERE r.run_id = l.id AND r.command = 'full')
 LIMIT 1;

-- name: vacuum_command
-- What the run ?1 is.
-- set: maintenance
INSERT OR REPLACE INTO main.steward_vacuum_commands(run_id, command)
VALUES (?1, ?2);

-- name: vacuum_commands_forget
-- Commands of runs that have left the log.
-- set: maintenance
DELETE FROM main.steward_vacuum_commands
 WHERE run_id < (SELECT min(id) FROM main.steward_vacuum_log);

-- name: vacuum_auto_result
-- What was done.
-- set: none
SELECT json_patch('{}', json_object('action', ?1, 'pages', ?2, 'reason', ?3));
