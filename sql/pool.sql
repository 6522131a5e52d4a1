-- set: none
-- name: pool_probe
-- Can a connection of the pool read its file?
PRAGMA main.schema_version;

-- name: pool_params
-- Parameters of a statement: places of an array, names of an object.  The
-- fourth column is an object or array as JSON, {"$blob":"hex"} among them.
SELECT key, type, atom, CASE WHEN type IN ('object', 'array') THEN value END
  FROM json_each(?1);

-- name: pool_paths
-- The paths of pool_query_all.
SELECT value, type FROM json_each(?1);

-- name: pool_is_array
-- Is it a JSON array, or an object where ?2 is 1?
SELECT CASE WHEN json_valid(?1)
            THEN json_type(?1) = 'array' OR (?2 AND json_type(?1) = 'object')
       END;

-- name: pool_config
-- The row that configures a file, by its real path or as it was given, or the
-- one for all; 1 when it is its own.
-- set: maintenance
SELECT c.db_path <> 'default', c.min_connections, c.max_connections,
       CASE WHEN (o.timeout_ms + 999) / 1000 = c.connection_timeout
            THEN o.timeout_ms ELSE c.connection_timeout * 1000 END,
       o.max_idle, o.max_age_ms, o.idle_timeout_ms, o.busy_timeout_ms,
       o.probe_ms, o.writes, o.durable
  FROM main.steward_pool_config AS c
       LEFT JOIN main.steward_pool_options AS o ON o.db_path = c.db_path
 WHERE c.id = coalesce(
   (SELECT id FROM main.steward_pool_config WHERE db_path = ?1),
   (SELECT id FROM main.steward_pool_config WHERE db_path = ?2),
   (SELECT id FROM main.steward_pool_config WHERE db_path = 'default'));

-- name: pool_config_put
-- The row of a file.
-- set: maintenance
INSERT INTO main.steward_pool_config(db_path, min_connections, max_connections,
  connection_timeout, created_ts, updated_ts)
VALUES (?1, ?2, ?3, ?4, datetime(?5 / 1000, 'unixepoch'),
        datetime(?5 / 1000, 'unixepoch'))
    ON CONFLICT (db_path) DO UPDATE
   SET min_connections = excluded.min_connections,
       max_connections = excluded.max_connections,
       connection_timeout = excluded.connection_timeout;

-- name: pool_options_put
-- The rest of it.
-- set: maintenance
INSERT OR REPLACE INTO main.steward_pool_options(db_path, timeout_ms, max_idle,
  max_age_ms, idle_timeout_ms, busy_timeout_ms, probe_ms, writes, durable)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);
