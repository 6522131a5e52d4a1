-- set: none
-- name: fk_of_table
-- The foreign keys of table ?1, a column a row.
SELECT f.id, f."from", f."table",
       coalesce(f."to", (SELECT x.name FROM pragma_table_info(f."table", 'main')
                                            AS x WHERE x.pk = f.seq + 1))
  FROM pragma_foreign_key_list(?1, 'main') AS f
 ORDER BY f.id DESC, f.seq;

-- name: fk_to_table
-- The foreign keys that refer to table ?1, a column a row.
SELECT m.name, f.id, f."from",
       coalesce(f."to", (SELECT x.name FROM pragma_table_info(?1, 'main') AS x
                          WHERE x.pk = f.seq + 1)),
       f.on_delete
  FROM main.sqlite_schema AS m, pragma_foreign_key_list(m.name, 'main') AS f
 WHERE m.type = 'table' AND f."table" = ?1 COLLATE NOCASE
 ORDER BY m.name, f.id DESC, f.seq;

-- name: fk_foreign_trigger
-- Has table ?1 a trigger that is not of a stream's or history's?
SELECT 1 FROM (SELECT name, tbl_name FROM main.sqlite_schema
                WHERE type = 'trigger'
                UNION ALL
               SELECT name, tbl_name FROM temp.sqlite_schema
                WHERE type = 'trigger')
 WHERE tbl_name = ?1 COLLATE NOCASE
   AND name NOT GLOB 'steward_stream_*' AND name NOT GLOB 'steward_history_*'
 LIMIT 1;

-- name: fk_default
-- The default of column ?2 of table ?1, as SQL; NULL when it has none.
SELECT dflt_value FROM pragma_table_xinfo(?1, 'main') WHERE name = ?2;
