-- set: core
-- name: tune_temp_objects
-- What changing temp_store would drop.
-- set: none
SELECT count(*) FROM temp.sqlite_schema WHERE rootpage > 0;

-- name: tune_pool
-- How many connections the seed's profile asks for.
-- set: maintenance
INSERT INTO main.steward_pool_config(db_path, min_connections, max_connections,
                                     connection_timeout)
VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (db_path) DO UPDATE
   SET min_connections = ?2, max_connections = ?3, connection_timeout = ?4
 WHERE min_connections <> ?2 OR max_connections <> ?3
    OR connection_timeout <> ?4;
