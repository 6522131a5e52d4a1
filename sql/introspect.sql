-- set: none
-- name: introspect_tables
-- The application's ordinary tables.
SELECT name FROM main.sqlite_schema
 WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
   AND sql NOT LIKE 'CREATE VIRTUAL%';

-- name: introspect_table
-- One ordinary table: its name as the schema spells it, and WITHOUT ROWID.
SELECT name, wr FROM pragma_table_list(?1)
 WHERE schema = 'main' AND type = 'table'
   AND name NOT LIKE 'sqlite\_%' ESCAPE '\';

-- name: introspect_columns
-- Its columns.
SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?1, 'main');

-- name: introspect_object
-- Does main have an object of this name?
SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE;

-- name: introspect_literal
-- A value as SQL: quote() ends at a NUL, and does not know infinity.
SELECT CASE WHEN typeof(?1) = 'text' AND instr(?1, char(0)) > 0
            THEN 'CAST(x''' || hex(?1) || ''' AS TEXT)'
            WHEN ?1 = 9e999 THEN '9e999' WHEN ?1 = -9e999 THEN '-9e999'
            ELSE quote(?1) END;
