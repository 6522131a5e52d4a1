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
