-- set: none
-- name: capture_taken
-- Does main have an object of this name?
SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE;

-- name: capture_unique
-- The columns of the unique indexes of a table: index, column (NULL for an
-- expression), collation, name.
SELECT i.seq, x.name, x.coll, i.name
  FROM pragma_index_list(?1, 'main') AS i,
       pragma_index_xinfo(i.name, 'main') AS x
 WHERE i."unique" AND x.key
 ORDER BY i.seq, x.seqno;
