-- set: core
-- name: ttl_delete_hazard
-- Why deleting a row of table ?1 could fail or run the application's code: a
-- DELETE trigger of the table or of one whose rows go with it (ON DELETE
-- CASCADE, however many tables away), a foreign key to such that keeps the row,
-- or one that sets columns (ON DELETE SET NULL) where that could fail.
WITH RECURSIVE refers(child, parent, action, field, target) AS MATERIALIZED (
  SELECT m.name, f."table", f.on_delete, f."from", f."to"
    FROM main.sqlite_schema AS m, pragma_foreign_key_list(m.name, 'main') AS f
   WHERE m.type = 'table'
), reached(name) AS (
  SELECT ?1
   UNION
  SELECT r.child FROM reached, refers AS r
   WHERE r.parent = reached.name COLLATE NOCASE AND r.action = 'CASCADE'
), runs(name, table_name, event) AS MATERIALIZED (
  SELECT name, tbl_name,
         CASE WHEN upper(sql) GLOB '*[^A-Z_]DELETE[^A-Z_]*ON'
                              || '[^A-Z_]*[^A-Z_]BEGIN[^A-Z_]*'
              THEN 'DELETE'
              WHEN upper(sql) GLOB '*[^A-Z_]UPDATE[^A-Z_]*ON'
                              || '[^A-Z_]*[^A-Z_]BEGIN[^A-Z_]*'
              THEN 'UPDATE' END
    FROM main.sqlite_schema
   WHERE type = 'trigger' AND name NOT GLOB 'steward_ttl_*_sweep'
)
SELECT why FROM (
  SELECT 'trigger ' || t.name || ' runs on DELETE'
         || iif(t.table_name = ?1 COLLATE NOCASE, '',
                ' from ' || t.table_name) AS why
    FROM reached, runs AS t
   WHERE t.table_name = reached.name COLLATE NOCASE AND t.event = 'DELETE'
  UNION ALL
  SELECT 'a foreign key of ' || r.child || ' refers to '
         || iif(r.parent = ?1 COLLATE NOCASE, 'it', r.parent)
         || ' (ON DELETE ' || r.action || ')'
    FROM reached, refers AS r
   WHERE r.parent = reached.name COLLATE NOCASE
     AND r.action <> 'CASCADE'
     AND (r.action <> 'SET NULL'
       OR EXISTS (SELECT 1 FROM runs AS t
                   WHERE t.table_name = r.child COLLATE NOCASE
                     AND t.event IS NOT NULL)
       OR EXISTS (SELECT 1 FROM main.sqlite_schema AS m
                   WHERE m.type = 'table' AND m.name = r.child
                     AND upper(m.sql) GLOB '*[^A-Z_]CHECK[^A-Z_]*')
       OR EXISTS (SELECT 1 FROM pragma_table_xinfo(r.child, 'main') AS x
                   WHERE (x.name = r.field COLLATE NOCASE OR x.hidden > 1)
                     AND (x."notnull" OR x.pk))
       OR EXISTS (SELECT 1 FROM pragma_index_list(r.child, 'main') AS i
                   WHERE i."unique"
                     AND (i.partial
                       OR EXISTS (SELECT 1
                                    FROM pragma_index_xinfo(i.name, 'main') AS y
                                   WHERE y.cid = -2 OR y.cid IN (
                                     SELECT x.cid
                                       FROM pragma_table_xinfo(r.child, 'main')
                                              AS x
                                      WHERE x.hidden > 1))))
       OR EXISTS (SELECT 1 FROM refers AS g
                   WHERE g.parent = r.child COLLATE NOCASE
                     AND g.target = r.field COLLATE NOCASE))
) LIMIT 1;

-- name: ttl_unit
-- The unit of the policy on this column: 0 s, 1 ms, 2 iso.
SELECT CASE unit WHEN 's' THEN 0 WHEN 'ms' THEN 1 ELSE 2 END
  FROM main.steward_policies WHERE table_name = ?1 AND column_name = ?2;

-- name: ttl_same
-- Is the table attached in this way already?
SELECT 1 FROM main.steward_policies AS p
  LEFT JOIN main.steward_policy_options AS o USING (table_name)
 WHERE p.table_name = ?1 AND p.column_name = ?2 AND p.unit = ?3
   AND p.on_write = ?4 AND coalesce(o.max_age, -1) = ?5
   AND coalesce(o.max_rows, -1) = ?6 AND o.where_sql IS ?7
   AND coalesce(o.action, 'delete') = ?8 AND o.target IS ?9;

-- name: ttl_intact
-- Is what ttl_attach made on table ?1 there still, and on its column?  ([] is a
-- policy of the library's own, on what a step made.)
SELECT 1
  FROM main.steward_policies AS p
 WHERE p.table_name = ?1
   AND (p.made = '[]'
     OR EXISTS (
       SELECT 1 FROM json_each(p.made) AS j, main.sqlite_schema AS i
        WHERE i.type = 'index' AND i.name = json_extract(j.value, '$[1]')
          AND i.tbl_name = p.table_name COLLATE NOCASE
          AND instr(i.sql, printf('WHERE "%w" IS NOT NULL', p.column_name))))
   AND (p.on_write = 0
     OR EXISTS (
       SELECT 1 FROM json_each(p.made) AS j, main.sqlite_schema AS t
        WHERE t.type = 'trigger' AND t.name = json_extract(j.value, '$[1]')
          AND t.tbl_name = p.table_name COLLATE NOCASE));

-- name: ttl_set_batch
-- Change only the batch.
UPDATE main.steward_policies SET batch = ?2 WHERE table_name = ?1;

-- name: ttl_set_alert
-- Change only the threshold.
INSERT INTO main.steward_policy_options(table_name, alert_rows) VALUES (?1, ?2)
    ON CONFLICT (table_name) DO UPDATE SET alert_rows = excluded.alert_rows;

-- name: ttl_store_options
-- Write down what the policy says beyond its column; '' is NULL.  A policy that
-- is attached anew has not failed yet.
INSERT INTO main.steward_policy_options(table_name, max_age, max_rows,
  where_sql, action, target, alert_rows)
VALUES (?1, CAST(nullif(?2, '') AS INTEGER), CAST(nullif(?3, '') AS INTEGER),
        ?4, ?5, ?6, ?7)
    ON CONFLICT (table_name) DO UPDATE
   SET max_age = excluded.max_age, max_rows = excluded.max_rows,
       where_sql = excluded.where_sql, action = excluded.action,
       target = excluded.target, error = NULL, error_at = NULL, tried = NULL,
       retried = NULL, alert_rows = excluded.alert_rows;

-- name: ttl_failed
-- A sweep of the table failed.
INSERT INTO main.steward_policy_options(table_name, errors_total, error,
                                        error_at)
VALUES (?1, 1, ?2, ?3)
    ON CONFLICT (table_name) DO UPDATE
   SET errors_total = errors_total + 1, error = excluded.error,
       error_at = excluded.error_at;

-- name: ttl_stuck
-- A sweep of the table tried ?4 rows in vain, the first with the error ?2; where
-- it stands.
INSERT INTO main.steward_policy_options(table_name, errors_total, error,
                                        error_at, tried, retried)
VALUES (?1, ?4, ?2, ?3, ?5, ?6)
    ON CONFLICT (table_name) DO UPDATE
   SET errors_total = errors_total + ?4,
       error = coalesce(excluded.error, error),
       error_at = iif(excluded.error IS NULL, error_at, excluded.error_at),
       tried = excluded.tried, retried = excluded.retried;

-- name: ttl_row_savepoint
-- Removing rows may fail.
-- set: none
SAVEPOINT steward_row;

-- name: ttl_row_release
-- It did not ...
-- set: none
RELEASE steward_row;

-- name: ttl_row_undo
-- ... or it did.
-- set: none
ROLLBACK TO steward_row;

-- name: ttl_succeeded
-- A sweep of the table went through.
UPDATE main.steward_policy_options
   SET error = NULL, error_at = NULL, tried = NULL, retried = NULL
 WHERE table_name = ?1 AND (error IS NOT NULL OR tried IS NOT NULL);

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
   AND (s.type = 'index' OR instr(s.sql, 'steward_config')
     OR instr(s.sql, '/* steward_ttl */'));

-- name: ttl_called
-- What the table that was attached as ?1 is called now, if not that.
SELECT s.tbl_name
  FROM main.steward_policies AS p, json_each(p.made) AS j,
       main.sqlite_schema AS s
 WHERE p.table_name = ?1 AND s.type = 'index'
   AND s.name = json_extract(j.value, '$[1]')
   AND s.tbl_name <> ?1 COLLATE NOCASE;

-- name: ttl_was_called
-- What the table that is called ?1 now was attached as.
SELECT p.table_name
  FROM main.sqlite_schema AS s, main.steward_policies AS p,
       json_each(p.made) AS j
 WHERE s.type = 'index' AND s.tbl_name = ?1 COLLATE NOCASE
   AND s.name = json_extract(j.value, '$[1]')
   AND p.table_name <> ?1 COLLATE NOCASE;

-- name: ttl_attached
-- Has the table a policy?
SELECT 1 FROM main.steward_policies WHERE table_name = ?1;

-- name: ttl_forget
-- Forget the policy.
DELETE FROM main.steward_policies WHERE table_name = ?1;

-- name: ttl_forget_options
-- And what it says beyond its column.
DELETE FROM main.steward_policy_options WHERE table_name = ?1;

-- name: ttl_policy
-- The column, the batch, the time ?2 (Unix ms) less max_age as ttl_time_sql()
-- has it, the unit, whether time counts, and the options.
SELECT p.column_name, p.batch,
       CASE p.unit WHEN 's' THEN (?2 - coalesce(o.max_age, 0)) / 1000
                   WHEN 'ms' THEN ?2 - coalesce(o.max_age, 0)
            ELSE julianday((?2 - coalesce(o.max_age, 0)) / 1000.0, 'unixepoch')
       END,
       p.unit, o.max_age IS NOT NULL OR o.max_rows IS NULL,
       coalesce(o.max_rows, -1), o.where_sql, coalesce(o.action, 'delete'),
       o.target, o.tried, o.retried
  FROM main.steward_policies AS p
  LEFT JOIN main.steward_policy_options AS o USING (table_name)
 WHERE p.table_name = ?1;

-- name: ttl_swept
-- What a sweep did.
UPDATE main.steward_policies
   SET deletes_total = deletes_total + ?2, sweep_at = ?3, sweep_ms = ?4
 WHERE table_name = ?1;

-- name: ttl_rested hot
-- Has the table a policy, and is its last sweep ?3 ms ago, or in the future?
SELECT 1 FROM main.steward_policies
 WHERE table_name = ?1
   AND NOT coalesce(sweep_at BETWEEN ?2 - ?3 + 1 AND ?2, 0);

-- name: ttl_unfinished
-- There is more to do at once.
UPDATE main.steward_policies SET sweep_at = NULL WHERE table_name = ?1;

-- name: ttl_tables
-- The attached tables, those longest not swept first; the library's own last.
SELECT json_group_array(table_name)
  FROM (SELECT table_name FROM main.steward_policies
         ORDER BY coalesce(sweep_at, 0), made = '[]', table_name);

-- name: ttl_policies
-- Every policy, for ttl_status.
SELECT p.table_name, p.column_name, p.unit, p.on_write, p.batch,
       p.deletes_total, p.sweep_at, p.sweep_ms,
       CASE p.unit WHEN 's' THEN (?1 - coalesce(o.max_age, 0)) / 1000
                   WHEN 'ms' THEN ?1 - coalesce(o.max_age, 0)
            ELSE julianday((?1 - coalesce(o.max_age, 0)) / 1000.0, 'unixepoch')
       END,
       o.max_age IS NOT NULL OR o.max_rows IS NULL, o.max_age, o.max_rows,
       o.where_sql, coalesce(o.action, 'delete'), o.target,
       coalesce(o.alert_rows, 1000), coalesce(o.errors_total, 0), o.error,
       o.error_at
  FROM main.steward_policies AS p
  LEFT JOIN main.steward_policy_options AS o USING (table_name)
 ORDER BY p.table_name;

-- name: ttl_status_numbers
-- What ttl_metrics tells of policies.
SELECT table_name, coalesce(pending, 0), deletes_total FROM ttl_status;

-- name: ttl_store_pending
-- And of the store.
-- set: storage
SELECT tenant || '/' || install, expired_keys FROM store_usage
 WHERE expired_keys > 0;
