-- set: none
-- name: delta_table_exists
-- Is there anything of this name?
SELECT count(*) FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE;

-- name: delta_self_references
-- The foreign keys of one column by which a table refers to itself. parents:
-- how many of them begin with `parent`; those come first.
SELECT "from", "to",
       lower(substr("from", 1, 6)) = 'parent' AS is_parent
  FROM pragma_foreign_key_list(?1, 'main')
 WHERE "table" = ?1 COLLATE NOCASE
 GROUP BY id HAVING count(*) = 1
 ORDER BY is_parent DESC, id DESC;

-- name: delta_unique_index
-- Does an index make the column ?2 unique by itself, compared by ?3?
SELECT count(*)
  FROM pragma_index_list(?1, 'main') AS i
 WHERE i."unique" AND NOT i.partial
   AND (SELECT count(*) FROM pragma_index_xinfo(i.name, 'main') AS x
         WHERE x.key) = 1
   AND EXISTS (SELECT 1 FROM pragma_index_xinfo(i.name, 'main') AS x
                WHERE x.key AND x.name = ?2 COLLATE NOCASE
                  AND x.coll = ?3 COLLATE NOCASE);

-- name: delta_unique_column
-- The first column of table ?1 that is a key by itself: unique, and never NULL.
SELECT c.name
  FROM pragma_index_list(?1, 'main') AS i
  JOIN pragma_index_xinfo(i.name, 'main') AS x ON x.seqno = 0
  JOIN pragma_table_xinfo(?1, 'main') AS c ON c.cid = x.cid
 WHERE i."unique" AND NOT i.partial AND c."notnull"
   AND (SELECT count(*) FROM pragma_index_xinfo(i.name, 'main') AS k
         WHERE k.key) = 1
 ORDER BY c.cid LIMIT 1;

-- name: delta_owner
-- The foreign key of one column, ?2 if given, by which the children in table
-- ?1 refer to the row of a table of overlays.
SELECT f."from", t.name
  FROM pragma_foreign_key_list(?1, 'main') AS f
  JOIN pragma_table_list(f."table") AS t ON t.schema = 'main'
 WHERE f."table" <> ?1 COLLATE NOCASE
   AND coalesce(f."from" = ?2 COLLATE NOCASE,
                EXISTS (SELECT 1 FROM pragma_table_xinfo(t.name, 'main') AS x
                         WHERE x.name = 'is_delta' COLLATE NOCASE))
 GROUP BY f.id HAVING count(*) = 1
 ORDER BY f.id DESC LIMIT 1;

-- name: delta_parent_index
-- An index by which the rows with a parent are found: its first column is ?2, by
-- the collation ?3.  A partial one must hold all of them.
SELECT i.name
  FROM pragma_index_list(?1, 'main') AS i
  JOIN pragma_index_xinfo(i.name, 'main') AS x ON x.seqno = 0
  LEFT JOIN main.sqlite_schema AS s ON s.type = 'index' AND s.name = i.name
 WHERE x.name = ?2 COLLATE NOCASE AND x.coll = ?3 COLLATE NOCASE
   AND (NOT i.partial
     OR replace(upper(s.sql), '"', '') GLOB
        '*WHERE ' || upper(?2) || ' IS NOT NULL')
 ORDER BY i.partial, i.seq DESC LIMIT 1;

-- name: delta_defined
-- What delta_define stored for a table.
-- set: streaming
SELECT options FROM main.steward_delta_tables WHERE table_name = ?1;

-- name: delta_named
-- Does delta_define say anything of table ?1?
-- set: streaming
SELECT 1 FROM main.steward_delta_tables
 WHERE table_name = ?1 COLLATE NOCASE
    OR options ->> '$.owner_table' = ?1 COLLATE NOCASE LIMIT 1;

-- name: delta_children_of
-- The tables that delta_define declared to hold children of the rows of ?1.
-- set: streaming
SELECT table_name FROM main.steward_delta_tables
 WHERE options ->> '$.owner_table' = ?1 COLLATE NOCASE
   AND EXISTS (SELECT 1 FROM main.sqlite_schema AS s
                WHERE s.type = 'table' AND s.name = table_name)
 ORDER BY table_name;

-- name: delta_history_from
-- From when on (Unix ms) history knows table ?1 with the columns ?2.
-- set: streaming
SELECT from_at FROM main.steward_delta_histories
 WHERE table_name = ?1 AND columns = ?2;

-- name: delta_define
-- Store it.
-- set: streaming
INSERT INTO main.steward_delta_tables(table_name, options, defined_at)
VALUES (?1, ?2, ?3)
    ON CONFLICT (table_name) DO UPDATE
   SET options = excluded.options, defined_at = excluded.defined_at;

-- name: delta_undefine
-- Forget it.
-- set: streaming
DELETE FROM main.steward_delta_tables WHERE table_name = ?1;

-- name: delta_history_same
-- Has table ?1 a history, of the columns ?2 if these are given?
-- set: streaming
SELECT 1 FROM main.steward_delta_histories
 WHERE table_name = ?1 AND (?2 IS NULL OR columns = ?2);

-- name: delta_history_store
-- Note it.
-- set: streaming
INSERT INTO main.steward_delta_histories(table_name, columns, from_at)
VALUES (?1, ?2, ?3);

-- name: delta_history_forget
-- Forget it.
-- set: streaming
DELETE FROM main.steward_delta_histories WHERE table_name = ?1;
