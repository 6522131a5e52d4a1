-- set: none
-- name: vacuum_schemas
-- The databases of the connection.
SELECT name FROM pragma_database_list;

-- name: vacuum_last
-- The last run that was logged.
-- set: maintenance
SELECT started_ts, vacuum_type FROM main.steward_vacuum_log
 ORDER BY id DESC LIMIT 1;
