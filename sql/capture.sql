-- set: none
-- name: capture_taken
-- Does main have an object of this name?
SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE;

-- name: capture_intact
-- Are the triggers of prefix ?2 on table ?1, and do they note what ?3 finds and
-- tell of deletions by ?4?
SELECT count(*) = 8 AND max(instr(sql, ?3)) > 0
       AND max(iif(name = ?2 || '_delete', instr(sql, ?4), 0)) > 0
  FROM main.sqlite_schema
 WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE
   AND substr(name, 1, length(?2) + 1) = ?2 || '_'
   AND substr(name, length(?2) + 2) IN ('note_insert', 'note_update', 'insert',
       'replace', 'update', 'rename', 'displace', 'delete');

-- name: capture_unique
-- The columns of the unique indexes of a table: index, column (NULL for an
-- expression), collation, name.
SELECT i.seq, x.name, x.coll, i.name
  FROM pragma_index_list(?1, 'main') AS i,
       pragma_index_xinfo(i.name, 'main') AS x
 WHERE i."unique" AND x.key
 ORDER BY i.seq, x.seqno;
