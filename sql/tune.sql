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

-- name: tune_pool_drop
-- What these two store goes, as long as nobody has made it his own.
-- set: maintenance
DELETE FROM main.steward_pool_config
 WHERE db_path = ?1 AND min_connections = ?2 AND max_connections = ?3
   AND connection_timeout = ?4
   AND EXISTS (SELECT 1 FROM main.steward_pool_options AS o
                WHERE o.db_path = ?1 AND o.max_idle = ?2 AND o.max_age_ms = ?5
                  AND o.timeout_ms IS NULL AND o.idle_timeout_ms IS NULL
                  AND o.busy_timeout_ms IS NULL AND o.probe_ms IS NULL
                  AND o.writes IS NULL AND o.durable IS NULL);

-- name: tune_pool_options
-- How many of them stay idle (?2), and for how long each lives (?3, ms).
-- set: maintenance
INSERT INTO main.steward_pool_options(db_path, max_idle, max_age_ms)
VALUES (?1, ?2, ?3)
    ON CONFLICT (db_path) DO UPDATE SET max_idle = ?2, max_age_ms = ?3
 WHERE max_idle IS NOT ?2 OR max_age_ms IS NOT ?3;
