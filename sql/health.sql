-- set: none
-- name: health_integrity
-- The evidence of an integrity check, as JSON.
SELECT iif(?1 = 'ok', json_object('bytes', ?2),
           json_object('bytes', ?2, 'found', ?1,
                       'sql', 'PRAGMA integrity_check'));

-- name: health_migrations
-- Steps not applied of sets that are installed, and applied steps whose text
-- has changed.
-- set: core
SELECT sum(m.state = 'pending'), sum(coalesce(m.drift, 0))
  FROM migrate_status AS m
 WHERE m.set_name IN (SELECT set_name FROM main.steward_sets);
