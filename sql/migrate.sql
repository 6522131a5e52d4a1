-- set: none
-- name: migrate_objects
-- The objects of main, before a step, and where the tables begin.
SELECT json_group_array(value)
  FROM (SELECT type || ':' || name AS value FROM main.sqlite_schema
         UNION ALL
        SELECT 'at ' || rootpage FROM main.sqlite_schema
         WHERE type = 'table' AND rootpage > 0);

-- name: migrate_objects_since
-- What a step made: the objects that were not there before, in order.  A table
-- that it renamed begins where it did.
SELECT json_group_array(json_object('type', type, 'name', name,
                                    'table', tbl_name))
  FROM main.sqlite_schema
 WHERE sql IS NOT NULL
   AND type || ':' || name NOT IN (SELECT value FROM json_each(?1))
   AND NOT (type = 'table'
            AND 'at ' || rootpage IN (SELECT value FROM json_each(?1)));

-- name: migrate_made_has
-- Did the step make an object of this name?
SELECT count(*) FROM json_each(?1)
 WHERE json_extract(value, '$.name') = ?2 COLLATE NOCASE;

-- name: migrate_made_tables
-- The tables that a step made; not those in which a virtual table keeps itself.
SELECT json_extract(value, '$.name') FROM json_each(?1)
 WHERE json_extract(value, '$.type') = 'table'
   AND NOT EXISTS (SELECT 1 FROM pragma_table_list AS l
                    WHERE l.schema = 'main' AND l.type = 'shadow'
                      AND l.name = json_extract(value, '$.name'))
   AND json_extract(value, '$.name') NOT LIKE 'sqlite\_%' ESCAPE '\';

-- name: migrate_tables_of_others
-- The application's tables that a step did not make.
SELECT s.name FROM main.sqlite_schema AS s
 WHERE s.type = 'table' AND s.rootpage > 0
   AND s.name NOT LIKE 'sqlite\_%' ESCAPE '\'
   AND s.name NOT LIKE 'steward\_%' ESCAPE '\'
   AND s.name NOT IN (SELECT json_extract(value, '$.name') FROM json_each(?1));

-- name: migrate_json_each
-- The members of a JSON object.
SELECT key, value FROM json_each(?1);

-- name: migrate_json_set
-- Add a member to a JSON object.
SELECT json_patch(?1, json_object(?2, ?3));

-- name: migrate_json_get
-- A member of a JSON object, by a name of any characters.
SELECT value FROM json_each(?1) WHERE key = ?2;

-- name: migrate_json_list
-- A list of one text, or of none.
SELECT iif(?1 IS NULL, '[]', json_array(?1));

-- name: migrate_version
-- The version of an installed set; 0 when its step is not written down.
-- set: core
SELECT version FROM main.steward_sets AS s
 WHERE set_name = ?1
   AND EXISTS (SELECT 1 FROM main.steward_migrations AS m
                WHERE m.set_name = s.set_name AND m.version = s.version);

-- name: migrate_record
-- Bookkeeping of one step.  When it is there already (steward_sets was lost),
-- what the step made the first time stays written down.
-- set: core
INSERT INTO main.steward_migrations(set_name, version, name, description,
    author, created, checksum, library, applied_at, made, seeded, notes)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (set_name, version) DO UPDATE
   SET applied_at = excluded.applied_at, checksum = excluded.checksum,
       library = excluded.library;

-- name: migrate_record_set
-- The set's new version.
-- set: core
INSERT INTO main.steward_sets(set_name, version, library) VALUES (?1, ?2, ?3)
    ON CONFLICT (set_name) DO UPDATE
   SET version = excluded.version, library = excluded.library;

-- name: migrate_made
-- What a step made, as it was written down.
-- set: core
SELECT made FROM main.steward_migrations WHERE set_name = ?1 AND version = ?2;

-- name: migrate_seeded
-- The rows it put in, as digests.
-- set: core
SELECT seeded FROM main.steward_migrations WHERE set_name = ?1 AND version = ?2;

-- name: migrate_forget
-- A step was taken back.
-- set: core
DELETE FROM main.steward_migrations WHERE set_name = ?1 AND version = ?2;

-- name: migrate_set_remove
-- The set's last step was taken back (?2 is 0).
-- set: core
DELETE FROM main.steward_sets WHERE set_name = ?1 AND ?2 = 0;

-- name: migrate_set_back
-- A step was taken back that was not the last.
-- set: core
UPDATE main.steward_sets
   SET version = ?2,
       library = (SELECT m.library FROM main.steward_migrations AS m
                   WHERE m.set_name = ?1 AND m.version = ?2)
 WHERE set_name = ?1;

-- name: migrate_applied
-- The applied steps of every set.
-- set: core
SELECT set_name, version, name, description, author, created, applied_at,
       checksum, notes
  FROM main.steward_migrations ORDER BY set_name, version;

-- name: migrate_applied_step
-- One applied step.
-- set: core
SELECT applied_at, checksum, notes FROM main.steward_migrations
 WHERE set_name = ?1 AND version = ?2;

-- name: migrate_dependants
-- The sets that stand on core.
-- set: core
SELECT group_concat(set_name, ', ') FROM main.steward_sets
 WHERE set_name <> 'core';

-- name: migrate_installed
-- The installed sets, core last.
-- set: core
SELECT set_name FROM main.steward_sets ORDER BY set_name = 'core', set_name;

-- name: migrate_user_steps
-- The steps of one of them.
-- set: core
SELECT name, up_sql, down_sql, version FROM main.steward_migration_steps
 WHERE set_name = ?1 ORDER BY version;

-- name: migrate_define
-- Define or redefine a step.
-- set: core
INSERT INTO main.steward_migration_steps(set_name, version, name, up_sql,
                                         down_sql, defined_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (set_name, version) DO UPDATE
   SET name = excluded.name, up_sql = excluded.up_sql,
       down_sql = excluded.down_sql, defined_at = excluded.defined_at
 WHERE (name, up_sql, down_sql)
       IS NOT (excluded.name, excluded.up_sql, excluded.down_sql);

-- name: migrate_missing
-- What steps made and is gone.  needed = 0: an index whose name is not ours, or
-- a trigger of a seed that only notes when a row changed, which may have been
-- dropped on purpose.  The schema is read once.
-- set: core
SELECT set_name, version, type, name,
       type IN ('table', 'view') OR name GLOB 'steward_*'
       OR (type = 'trigger' AND name NOT GLOB '*_updated_at'
           AND name NOT GLOB 'update_*_ts') AS needed
  FROM (SELECT m.set_name, m.version, j.value ->> '$.type' AS type,
               j.value ->> '$.name' AS name
          FROM main.steward_migrations AS m, json_each(m.made) AS j
         LIMIT -1)
 WHERE (type, name) NOT IN (SELECT s.type, s.name FROM main.sqlite_schema AS s);

-- name: migrate_made_trigger
-- A trigger that a step of set ?1 made and that is there; NULL: none.
-- set: core
SELECT (SELECT s.name
          FROM main.steward_migrations AS m, json_each(m.made) AS j,
               main.sqlite_schema AS s
         WHERE m.set_name = ?1 AND s.type = 'trigger'
           AND j.value ->> '$.type' = 'trigger' AND s.name GLOB 'steward_*'
           AND s.name = j.value ->> '$.name' LIMIT 1);

-- name: migrate_made_missing
-- What a set misses, as one text.
-- set: core
SELECT group_concat(type || ' ' || name || ' is missing', '; ')
  FROM migrate_missing WHERE set_name = ?1;

-- name: migrate_damaged
-- Does the set miss anything that it needs of step ?2 (NULL: of any)?
-- set: core
SELECT EXISTS (SELECT 1 FROM migrate_missing
                WHERE set_name = ?1 AND version = coalesce(?2, version)
                  AND needed);

-- name: migrate_maker
-- The set whose step made the table ?1.
-- set: core
SELECT m.set_name FROM main.steward_migrations AS m, json_each(m.made) AS j
 WHERE json_extract(j.value, '$.name') = ?1 LIMIT 1;

-- name: migrate_notes
-- What a step found and left, as one text.
-- set: core
SELECT (SELECT group_concat(value, '; ') FROM json_each(m.notes))
  FROM main.steward_migrations AS m WHERE m.set_name = ?1 AND m.version = ?2;

-- name: migrate_user_set_names
-- The sets that the application defined, as JSON.
-- set: core
SELECT json_group_array(set_name)
  FROM (SELECT DISTINCT set_name FROM main.steward_migration_steps
         ORDER BY set_name);

-- name: migrate_each
-- The texts of a JSON array.
-- set: none
SELECT value FROM json_each(coalesce(?1, '[]'));

-- name: migrate_policies
-- Is any table attached to an expiry policy, other than by a step?
-- set: core
SELECT EXISTS (SELECT 1 FROM main.steward_policies WHERE made <> '[]');
