-- set: none
-- name: health_integrity
-- The evidence of an integrity check, as JSON.
SELECT iif(?1 = 'ok', json_object('bytes', ?2),
           json_object('bytes', ?2, 'found', ?1,
                       'sql', 'PRAGMA integrity_check'));

-- name: health_migrations
-- Steps not applied of sets that are installed, applied steps whose text has
-- changed, what steps made and is gone, but for the seeds' indexes and triggers, a set that
-- misses some.
-- set: core
WITH gone(set_name) AS (
  SELECT a.set_name FROM main.steward_migrations AS a, json_each(a.made) AS j
   WHERE (json_extract(j.value, '$.type') IN ('table', 'view')
       OR json_extract(j.value, '$.name') GLOB 'steward_*')
     AND NOT EXISTS (SELECT 1 FROM main.sqlite_schema AS s
                      WHERE s.type = json_extract(j.value, '$.type')
                        AND s.name = json_extract(j.value, '$.name')))
SELECT sum(m.state = 'pending'), sum(coalesce(m.drift, 0)),
       (SELECT count(*) FROM gone), (SELECT min(set_name) FROM gone)
  FROM migrate_status AS m
 WHERE m.set_name IN (SELECT set_name FROM main.steward_sets);
