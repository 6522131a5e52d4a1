-- set: core
-- name: ttl_delete_hazard
-- Why deleting a row of table ?1 could fail or run the application's code.
SELECT why FROM (
  SELECT 'trigger ' || name || ' runs on DELETE' AS why
    FROM main.sqlite_schema
   WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE
     AND upper(sql) GLOB '*[^A-Z_]DELETE[^A-Z_]*ON[^A-Z_]*BEGIN*'
  UNION ALL
  SELECT 'a foreign key of ' || m.name || ' refers to it (ON DELETE '
         || f.on_delete || ')'
    FROM main.sqlite_schema AS m, pragma_foreign_key_list(m.name, 'main') AS f
   WHERE m.type = 'table' AND f."table" = ?1 COLLATE NOCASE
     AND (f.on_delete NOT IN ('CASCADE', 'SET NULL')
       OR EXISTS (SELECT 1 FROM main.sqlite_schema AS t
                   WHERE t.type = 'trigger'
                     AND t.tbl_name = m.name COLLATE NOCASE)
       OR EXISTS (SELECT 1 FROM main.sqlite_schema AS n,
                                pragma_foreign_key_list(n.name, 'main') AS g
                   WHERE n.type = 'table' AND f.on_delete = 'CASCADE'
                     AND g."table" = m.name COLLATE NOCASE
                     AND g.on_delete NOT IN ('CASCADE', 'SET NULL')))
) LIMIT 1;

-- name: ttl_unit
-- The unit of the policy on this column: 0 s, 1 ms, 2 iso.
SELECT CASE unit WHEN 's' THEN 0 WHEN 'ms' THEN 1 ELSE 2 END
  FROM main.steward_policies WHERE table_name = ?1 AND column_name = ?2;

-- name: ttl_same
-- Is the table attached in this way already?
SELECT 1 FROM main.steward_policies
 WHERE table_name = ?1 AND column_name = ?2 AND unit = ?3 AND on_write = ?4;

-- name: ttl_intact
-- Is what ttl_attach made on table ?1 there still, and on its column?
SELECT 1
  FROM main.steward_policies AS p, main.sqlite_schema AS i
 WHERE p.table_name = ?1
   AND i.type = 'index' AND i.tbl_name = p.table_name COLLATE NOCASE
   AND EXISTS (SELECT 1 FROM json_each(p.made) AS j
                WHERE json_extract(j.value, '$[1]') = i.name)
   AND instr(i.sql, printf('WHERE "%w" IS NOT NULL', p.column_name))
   AND (p.on_write = 0
     OR EXISTS (SELECT 1 FROM json_each(p.made) AS j, main.sqlite_schema AS t
                 WHERE t.type = 'trigger' AND t.tbl_name = i.tbl_name
                   AND json_extract(j.value, '$[1]') = t.name));

-- name: ttl_set_batch
-- Change only the batch.
UPDATE main.steward_policies SET batch = ?2 WHERE table_name = ?1;

-- name: ttl_store
-- Write the policy down, with the names of what was made.
INSERT INTO main.steward_policies(table_name, column_name, unit,
                                  on_write, batch, made, created_at)
VALUES (?1, ?2, ?3, ?5, ?8,
        iif(?7 IS NULL,
            json_array(json_array('VIEW', ?6), json_array('INDEX', ?4)),
            json_array(json_array('TRIGGER', ?7), json_array('VIEW', ?6),
                       json_array('INDEX', ?4))), ?9)
    ON CONFLICT (table_name) DO UPDATE
   SET column_name = excluded.column_name, unit = excluded.unit,
       on_write = excluded.on_write, batch = excluded.batch,
       made = excluded.made;

-- name: ttl_drops
-- The statements that remove what the policy made, and no view or trigger that
-- the application has put in its place: ours look at the clock.
SELECT group_concat(printf('DROP %s main."%w"', upper(s.type), s.name), ';')
  FROM main.steward_policies AS p, json_each(p.made) AS j,
       main.sqlite_schema AS s
 WHERE p.table_name = ?1
   AND s.name = json_extract(j.value, '$[1]')
   AND upper(s.type) = json_extract(j.value, '$[0]')
   AND (s.type = 'index' OR instr(s.sql, 'steward_config'));

-- name: ttl_attached
-- Has the table a policy?
SELECT 1 FROM main.steward_policies WHERE table_name = ?1;

-- name: ttl_forget
-- Forget the policy.
DELETE FROM main.steward_policies WHERE table_name = ?1;

-- name: ttl_policy
-- The column, the batch, the time ?2 (Unix ms) as ttl_time_sql() has it, the
-- unit.
SELECT column_name, batch,
       CASE unit WHEN 's' THEN ?2 / 1000 WHEN 'ms' THEN ?2
            ELSE julianday(?2 / 1000.0, 'unixepoch') END, unit
  FROM main.steward_policies WHERE table_name = ?1;

-- name: ttl_swept
-- What a sweep did.
UPDATE main.steward_policies
   SET deletes_total = deletes_total + ?2, sweep_at = ?3, sweep_ms = ?4
 WHERE table_name = ?1;

-- name: ttl_tables
-- The attached tables, those longest not swept first.
SELECT json_group_array(table_name)
  FROM (SELECT table_name FROM main.steward_policies
         ORDER BY coalesce(sweep_at, 0), table_name);

-- name: ttl_policies
-- Every policy, for ttl_status.
SELECT table_name, column_name, unit, on_write, batch, deletes_total,
       sweep_at, sweep_ms,
       CASE unit WHEN 's' THEN ?1 / 1000 WHEN 'ms' THEN ?1
            ELSE julianday(?1 / 1000.0, 'unixepoch') END
  FROM main.steward_policies ORDER BY table_name;
