-- set: none
--
-- The doctor's questions.  Each gives a row for each finding: what is wrong, the
-- evidence as JSON, and the SQL that mends it.  They read the schema, settings
-- and small tables of the library, never the rows of the application's tables.

-- name: doctor_free_space
-- Space in the file that holds nothing.
SELECT printf('%.0f %% of the file is empty', 100.0 * f.freelist_count
                                              / p.page_count),
       json_object('free_pages', f.freelist_count, 'pages', p.page_count,
                   'bytes', f.freelist_count * s.page_size),
       v.recommended
  FROM pragma_freelist_count AS f, pragma_page_count AS p,
       pragma_page_size AS s, vacuum_status AS v
 WHERE v.schema_name = 'main' AND v.recommended <> 'nothing';

-- name: doctor_wal
-- A WAL of more than 64 MiB.
SELECT printf('the WAL has grown to %d MiB', v.wal_bytes >> 20),
       json_object('wal_bytes', v.wal_bytes),
       'SELECT vacuum_checkpoint(''truncate'')'
  FROM vacuum_status AS v
 WHERE v.schema_name = 'main' AND v.wal_bytes > 67108864;

-- name: doctor_journal_mode
-- A file in rollback mode.
SELECT 'the database is not in WAL mode',
       json_object('journal_mode', j.journal_mode), 'PRAGMA main.journal_mode = WAL'
  FROM pragma_journal_mode AS j, pragma_database_list AS d
 WHERE d.name = 'main' AND d.file <> ''
   AND j.journal_mode IN ('delete', 'truncate', 'persist');

-- name: doctor_settings
-- Settings of this connection and file that lose data (1) or speed (0), ?1 or
-- (NULL) each, those that lose data first.  ?2: wal_autocheckpoint, which has
-- no table.  The library's own tables are right without foreign keys.
SELECT what, evidence, sql, bad FROM (
  SELECT 'synchronous is OFF on this connection' AS what,
         json_object('synchronous', s.synchronous) AS evidence,
         iif(j.journal_mode = 'wal', 'PRAGMA synchronous = NORMAL',
             'PRAGMA synchronous = FULL') AS sql, 1 AS bad
    FROM pragma_synchronous AS s, pragma_journal_mode AS j,
         pragma_database_list AS d
   WHERE coalesce(?1, 'synchronous') = 'synchronous'
     AND s.synchronous = 0 AND d.name = 'main' AND d.file <> ''
  UNION ALL
  SELECT 'journal_mode is ' || j.journal_mode,
         json_object('journal_mode', j.journal_mode),
         'PRAGMA main.journal_mode = WAL', 1
    FROM pragma_journal_mode AS j, pragma_database_list AS d
   WHERE coalesce(?1, 'journal_mode') = 'journal_mode'
     AND d.name = 'main' AND d.file <> '' AND j.journal_mode IN ('off', 'memory')
  UNION ALL
  SELECT printf('%d tables have foreign keys, and this connection does not '
                || 'enforce them', count(DISTINCT m.name)),
         json_object('tables', count(DISTINCT m.name), 'first', min(m.name)),
         'PRAGMA foreign_keys = ON', 0
    FROM pragma_foreign_keys AS k CROSS JOIN main.sqlite_schema AS m,
         pragma_foreign_key_list(m.name, 'main') AS f
   WHERE coalesce(?1, 'foreign_keys_off') = 'foreign_keys_off'
     AND k.foreign_keys = 0 AND m.type = 'table'
     AND m.name NOT GLOB 'steward_*' AND m.name NOT GLOB 'am_*'
  HAVING count(*) > 0
  UNION ALL
  SELECT 'nothing copies the WAL into the file',
         json_object('wal_autocheckpoint', ?2),
         'PRAGMA wal_autocheckpoint = 1000', 0
    FROM pragma_journal_mode AS j
   WHERE coalesce(?1, 'wal_autocheckpoint') = 'wal_autocheckpoint'
     AND j.journal_mode = 'wal' AND ?2 <= 0
  UNION ALL
  SELECT 'this connection has no busy timeout', json_object('busy_timeout', 0),
         'PRAGMA busy_timeout = 5000', 0
    FROM pragma_busy_timeout AS b, pragma_database_list AS d
   WHERE coalesce(?1, 'busy_timeout') = 'busy_timeout'
     AND b.timeout = 0 AND d.name = 'main' AND d.file <> '');

-- name: doctor_foreign_key_index
-- Columns that refer to another table and that no index begins with.  A partial
-- one will do that leaves out only NULL.  (Rows of am_change_blobs are never
-- deleted.)  The index gets the first name that is free.
SELECT printf('%s(%s) refers to %s and has no index', k.tbl, k.names,
              k.parent),
       json_object('table', k.tbl, 'columns', k.names,
                   'refers_to', k.parent),
       printf('CREATE INDEX "main"."%w" ON "%w"(%s)', (
         WITH RECURSIVE n(i, name) AS (
           SELECT 1, k.tbl || '_' || k.base
            UNION ALL
           SELECT i + 1, printf('%s_%s_%d', k.tbl, k.base, i + 1) FROM n
            WHERE EXISTS (SELECT 1 FROM main.sqlite_schema AS s
                           WHERE s.name = n.name COLLATE NOCASE))
         SELECT name FROM n ORDER BY i DESC LIMIT 1), k.tbl, k.quoted)
  FROM (
  SELECT m.name AS tbl, f."table" AS parent,
         group_concat(f."from", ', ') AS names,
         group_concat(f."from", '_') AS base,
         group_concat(printf('"%w"', f."from"), ', ') AS quoted
    FROM main.sqlite_schema AS m, pragma_foreign_key_list(m.name, 'main') AS f
   WHERE m.type = 'table' AND m.name <> 'am_change_index'
     AND NOT EXISTS (
       SELECT 1 FROM pragma_index_list(m.name, 'main') AS l,
                     pragma_index_info(l.name, 'main') AS i
        WHERE i.seqno = 0
          AND (l.partial = 0
            OR EXISTS (SELECT 1 FROM main.sqlite_schema AS s
                        WHERE s.name = l.name AND s.sql LIKE '%IS NOT NULL'))
          AND i.name IN (SELECT g."from"
                           FROM pragma_foreign_key_list(m.name, 'main') AS g
                          WHERE g.id = f.id))
     AND NOT EXISTS (
       SELECT 1 FROM pragma_table_info(m.name, 'main') AS c
        WHERE c.pk = 1 AND c.name = f."from")
   GROUP BY m.name, f.id) AS k;

-- name: doctor_duplicate_index
-- An index whose columns another one begins with.  Not one that a trigger or a
-- view may name (INDEXED BY): without it that is an error.
WITH program(text) AS MATERIALIZED (
  SELECT printf(' %s ', replace(replace(lower(sql), '""', '"'), '``', '`'))
    FROM main.sqlite_schema
   WHERE type IN ('trigger', 'view') AND sql LIKE '%indexed%'),
shape(tbl, name, is_unique, columns) AS (
  SELECT m.name, l.name, l."unique",
         (SELECT group_concat(x.cid || ' ' || x.desc || ' ' || x.coll, ', ')
            FROM pragma_index_xinfo(l.name, 'main') AS x WHERE x.key) || ','
    FROM main.sqlite_schema AS m, pragma_index_list(m.name, 'main') AS l
   WHERE m.type = 'table' AND l.partial = 0
     AND NOT EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name, 'main') AS x
                      WHERE x.key AND x.cid < -1)
)
SELECT printf('index %s does nothing that %s does not do', a.name, b.name),
       json_object('table', a.tbl, 'index', a.name, 'covered_by', b.name),
       printf('DROP INDEX "main"."%w"', a.name)
  FROM shape AS a
  JOIN shape AS b ON b.tbl = a.tbl AND b.name <> a.name
   AND substr(b.columns, 1, length(a.columns)) = a.columns
 WHERE a.name NOT GLOB 'sqlite_autoindex_*'
   AND (a.is_unique = 0
     OR (b.is_unique AND length(b.columns) = length(a.columns)))
   AND (length(b.columns) > length(a.columns) OR b.is_unique > a.is_unique
     OR (b.is_unique = a.is_unique AND b.name < a.name))
   AND EXISTS (SELECT 1 FROM main.sqlite_schema AS i
                WHERE i.type = 'index' AND i.name = a.name
                  AND i.sql IS NOT NULL)
   AND a.tbl NOT GLOB 'steward_*'
   AND NOT EXISTS (SELECT 1 FROM program
                    WHERE text GLOB printf('*[^a-z0-9_]%s[^a-z0-9_]*',
                      replace(replace(replace(lower(a.name), '[', '[[]'), '*',
                                      '[*]'), '?', '[?]')))
 GROUP BY a.name;

-- name: doctor_statistics
-- Indexes, and nothing that tells the planner about them.
SELECT 'the planner has no statistics',
       json_object('indexes', count(*)),
       'PRAGMA analysis_limit = 400; ANALYZE main'
  FROM main.sqlite_schema AS m, pragma_page_count AS p
 WHERE m.type = 'index' AND p.page_count > 1000
   AND NOT EXISTS (SELECT 1 FROM main.sqlite_schema AS s
                    WHERE s.name = 'sqlite_stat1')
HAVING count(*) > 0;

-- name: doctor_clock
-- A clock that stands still for every trigger.
-- set: core
SELECT 'the clock of this database is pinned',
       json_object('clock', datetime(value / 1000, 'unixepoch')),
       'SELECT steward_clock(NULL, ''{"database":true}'')'
  FROM main.steward_config WHERE name = 'clock';

-- name: doctor_expiry
-- Expiry that does not keep up, or cannot.  A policy that is attached anew keeps
-- all else that it says: which rows go, when, and where to.  What is no time
-- becomes none or, in a column that must have one, the end of time.
-- set: core
SELECT CASE WHEN t.pending IS NULL
            THEN printf('table %s is no longer as ttl_attach() left it',
                        t.table_name)
            WHEN t.unreadable > 0
            THEN printf('%s rows of %s hold no time and never expire',
                        iif(t.unreadable < 1000, t.unreadable, '1000 or more'),
                        t.table_name)
            WHEN t.hazard IS NOT NULL
            THEN printf('%s, so an INSERT into %s can fail over a row that '
                        || 'expires', t.hazard, t.table_name)
            ELSE printf('1000 or more rows of %s are due', t.table_name) END,
       json_object('table', t.table_name, 'column', t.column_name,
                   'pending', t.pending, 'unreadable', t.unreadable),
       CASE WHEN t.pending IS NULL
            THEN printf('SELECT ttl_detach(%Q)', t.table_name)
            WHEN t.unreadable > 0
            THEN printf('UPDATE "main"."%w" SET "%w" = %s WHERE %s%s',
                        t.table_name, t.column_name,
                        (SELECT CASE WHEN c."notnull" = 0 THEN 'NULL'
                                     WHEN t.unit = 'iso'
                                     THEN '''9999-12-31 23:59:59'''
                                     WHEN t.unit = 's' THEN '253402300799'
                                     ELSE '253402300799000' END
                           FROM pragma_table_info(t.table_name, 'main') AS c
                          WHERE c.name = t.column_name COLLATE NOCASE),
                        iif(t.unit = 'iso',
                            printf('"%w" IS NOT NULL AND julianday("%w") IS '
                                   || 'NULL', t.column_name, t.column_name),
                            printf('"%w" >= ''''', t.column_name)),
                        coalesce(' AND (' || t.where_sql || char(10) || ')',
                                 ''))
            WHEN t.hazard IS NOT NULL
            THEN printf('SELECT ttl_attach(%Q, %Q, %Q)', t.table_name,
                        t.column_name, json_patch('{}', json_object(
                          'unit', t.unit, 'on_write', 0,
                          'max_age', t.max_age, 'max_rows', t.max_rows,
                          'where', t.where_sql,
                          'action', nullif(t.action, 'delete'),
                          'target', t.target, 'batch', nullif(t.batch, 500),
                          'alert_rows', nullif(t.alert_rows, 1000))))
            ELSE printf('SELECT ttl_sweep(%Q, ''{"max_rows":1000000000,'
                        || '"budget":"1h"}'')', t.table_name) END
  FROM ttl_status AS t
 WHERE t.pending IS NULL OR t.capped OR t.unreadable > 0
    OR t.hazard IS NOT NULL;

-- name: doctor_migrations
-- What a step made and somebody has dropped.
-- set: core
SELECT printf('%s %s of set %s has been dropped', type, name, set_name),
       json_object('set', set_name, 'name', name),
       printf('SELECT migrate_up(%Q)', set_name)
  FROM migrate_missing WHERE needed;

-- name: doctor_pending
-- Sets that miss a step.
-- set: core
SELECT printf('set %s has %d steps that are not applied', m.set_name, count(*)),
       json_object('set', m.set_name, 'pending', count(*)),
       printf('SELECT migrate_up(%Q)', m.set_name)
  FROM migrate_status AS m
 WHERE m.state = 'pending'
   AND m.set_name IN (SELECT set_name FROM main.steward_sets)
 GROUP BY m.set_name;

-- name: doctor_deliveries
-- Consumers that lose messages, or are about to be forgotten.
-- set: delivery
SELECT iif(s.dropped_pending > 0,
           printf('consumer %s has lost %d messages of %s', s.consumer,
                  s.dropped_pending, s.topic),
           printf('consumer %s of %s will be forgotten within a day',
                  s.consumer, s.topic)),
       json_object('consumer', s.consumer, 'topic', s.topic,
                   'pending', s.pending, 'dropped', s.dropped_pending,
                   'seen_at', datetime(s.seen_at / 1000, 'unixepoch')),
       iif(s.dropped_pending > 0,
           printf('SELECT delivery_ack(%Q, %d)', s.consumer, s.last_position),
           printf('SELECT delivery_subscribe(%Q, %Q)', s.consumer, s.topic))
  FROM delivery_status AS s
 WHERE s.dropped_pending > 0
    OR s.expires_at < steward_now() + 86400000;

-- name: doctor_vacuum_orphans
-- Runs of this file that were killed.  (A copy of a file has its log, too.)
-- set: maintenance
SELECT printf('a %s vacuum of %s was killed while it ran', l.vacuum_type,
              l.started_ts),
       json_object('id', l.id, 'started', l.started_ts),
       printf('UPDATE sqlite_vacuum_log SET status = ''failed'', error_message ='
              || ' ''killed while it ran'' WHERE id = %d', l.id)
  FROM main.steward_vacuum_log AS l
 WHERE l.status = 'running'
   AND l.db_path = (SELECT iif(file = '', ':memory:', file)
                      FROM pragma_database_list WHERE name = 'main')
   AND l.started_ts < datetime(steward_now() / 1000 - 3600, 'unixepoch');

-- name: doctor_keyless
-- Tables whose rows have no name: no primary key and no unique index.  The
-- column, and its index, get the first names that are free.  ?1: tables that are
-- left alone, as the rows that expire are moved to them.
-- set: none
WITH virtual(prefix) AS MATERIALIZED (
  SELECT name || '_' FROM main.sqlite_schema
   WHERE type = 'table' AND rootpage = 0)
SELECT printf('table %s has no key', k.tbl), json_object('table', k.tbl),
       printf('ALTER TABLE "main"."%w" ADD COLUMN %s INTEGER; UPDATE '
              || '"main"."%w" SET %s = %s; CREATE UNIQUE INDEX "main"."%w" ON '
              || '"%w"(%s)', k.tbl, k.key, k.tbl, k.key, k.number, (
         WITH RECURSIVE n(i, name) AS (
           SELECT 1, k.tbl || '_' || k.key
            UNION ALL
           SELECT i + 1, printf('%s_%s_%d', k.tbl, k.key, i + 1) FROM n
            WHERE EXISTS (SELECT 1 FROM main.sqlite_schema AS s
                           WHERE s.name = n.name COLLATE NOCASE))
         SELECT name FROM n ORDER BY i DESC LIMIT 1), k.tbl, k.key)
  FROM (
  SELECT m.name AS tbl,
         (WITH RECURSIVE n(i, name) AS (
            SELECT 0, 'id'
             UNION ALL
            SELECT i + 1, 'steward_row' || iif(i = 0, '', '_' || (i + 1)) FROM n
             WHERE EXISTS (SELECT 1
                             FROM pragma_table_xinfo(m.name, 'main') AS c
                            WHERE c.name = n.name COLLATE NOCASE))
          SELECT name FROM n ORDER BY i DESC LIMIT 1) AS key,
         (SELECT r.value FROM json_each('["rowid","_rowid_","oid"]') AS r
           WHERE NOT EXISTS (SELECT 1
                               FROM pragma_table_xinfo(m.name, 'main') AS c
                              WHERE c.name = r.value COLLATE NOCASE)
           LIMIT 1) AS number
    FROM pragma_table_list AS m
   WHERE m.schema = 'main' AND m.type = 'table'
     AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'
     AND m.name NOT GLOB 'steward_*'
     AND NOT EXISTS (SELECT 1 FROM virtual AS v
                      WHERE substr(m.name, 1, length(v.prefix))
                          = v.prefix COLLATE NOCASE)
     AND NOT EXISTS (SELECT 1 FROM json_each(?1) AS a
                      WHERE a.value = m.name COLLATE NOCASE)
     AND NOT EXISTS (SELECT 1 FROM pragma_table_info(m.name, 'main') AS c
                      WHERE c.pk > 0)
     AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name, 'main') AS l
                      WHERE l."unique" AND l.partial = 0)) AS k
 WHERE k.number IS NOT NULL;

-- name: doctor_text_numbers
-- Columns whose values are numbers written as text.  ?1: [table, column, type,
-- condition]s: the condition is that of a value that is.
SELECT printf('%s(%s) holds numbers as text', value ->> 0, value ->> 1),
       json_object('table', value ->> 0, 'column', value ->> 1,
                   'type', value ->> 2),
       printf('UPDATE "main"."%w" SET "%w" = CAST("%w" AS INTEGER) WHERE %s',
              value ->> 0, value ->> 1, value ->> 1, value ->> 3)
  FROM json_each(?1);

-- name: doctor_unused_index
-- Indexes that no captured statement uses.  ?1: [table, index, statements]s.
SELECT printf('no statement of %d captured ones uses index %s', value ->> 2,
              value ->> 1),
       json_object('table', value ->> 0, 'index', value ->> 1),
       printf('DROP INDEX "main"."%w"', value ->> 1)
  FROM json_each(?1);

-- name: doctor_pass
-- What reading the file has found about ?1 (integrity, indexes, foreign_keys),
-- by what mends it.  The table stands quoted in PRAGMA foreign_key_check("t").
-- Where a table referred to is gone, nothing says which rows are wrong; where it
-- lacks a unique index, that is made.
-- The plus takes the affinity from the child's value: it is compared as the
-- parent's, as foreign keys are.
-- set: maintenance
SELECT min(what) || iif(count(*) > 1, printf(' (and %d more)', count(*) - 1),
                        ''),
       json_object('found', json_group_array(what)),
       CASE WHEN ?1 = 'foreign_keys' AND sql LIKE 'PRAGMA %'
            THEN coalesce((
              SELECT printf('DELETE FROM "main"."%w" AS child WHERE %s; ', tbl,
                            group_concat(kept, ' OR '))
                FROM (
                SELECT printf('%s AND NOT EXISTS (SELECT 1 FROM "main"."%w" AS '
                              || 'parent WHERE %s)',
                         group_concat(printf('child."%w" IS NOT NULL', f."from"),
                                      ' AND '), p.name,
                         group_concat(printf('parent."%w" = +child."%w"',
                           coalesce(f."to",
                             (SELECT c.name
                                FROM pragma_table_info(p.name, 'main') AS c
                               WHERE c.pk = f.seq + 1)), f."from"), ' AND '))
                         AS kept, p.name AS parent
                  FROM pragma_foreign_key_list(tbl, 'main') AS f
                  LEFT JOIN main.sqlite_schema AS p
                    ON p.type = 'table' AND p.name = f."table" COLLATE NOCASE
                 GROUP BY f.id)
              HAVING count(*) > 0 AND count(parent) = count(*)), '') || 'SELECT health_full()'
            WHEN sql LIKE 'PRAGMA %' THEN 'SELECT health_full()'
            ELSE sql || '; SELECT health_full()' END
  FROM (SELECT value ->> '$.what' AS what, value ->> '$.sql' AS sql,
               replace(substr(value ->> '$.sql', 27,
                              length(value ->> '$.sql') - 28), '""', '"') AS tbl
          FROM (SELECT f.value FROM main.steward_slices AS s,
                       json_each(s.found) AS f WHERE s.name = 'integrity'
                UNION
                SELECT f.value FROM main.steward_slices AS s,
                       json_each(s.result) AS f WHERE s.name = 'integrity')
         WHERE value ->> '$.check' = ?1)
 GROUP BY sql;

-- name: doctor_check
-- A check of health that is not healthy: ?1 the finding, ?2 its value, ?3 its
-- details.
-- set: none
SELECT CASE ?1
       WHEN 'file' THEN printf('the file %s was deleted or replaced while this '
         || 'connection has it open', (SELECT d.file FROM pragma_database_list
                                          AS d WHERE d.name = 'main'))
       WHEN 'storage_space' THEN printf('the disk is %.0f %% full%s', ?2,
         coalesce(', and full in ' || (?3 ->> '$.days_until_full') || ' days',
                  ''))
       WHEN 'fragmentation' THEN printf('the pages of %s are %.0f %% empty',
         ?3 ->> '$.b_tree', ?2)
       WHEN 'checkpoint' THEN printf('the last checkpoint had to leave %d pages '
         || 'in the WAL', ?2)
       WHEN 'transactions' THEN printf('process %d (%s) has held a %s lock for '
         || '%d s', ?3 ->> '$.holders[0].pid', ?3 ->> '$.holders[0].process',
         ?3 ->> '$.holders[0].holds', ?2 / 1000)
       WHEN 'performance' THEN printf('%s has come to %.0f %% of what is normal '
         || 'for it', ?3 ->> '$.metric', ?2)
       WHEN 'statistics_old' THEN printf('the file has grown by %.0f %% since '
         || 'statistics were made', ?2) END,
       json(?3),
       CASE ?1
       WHEN 'file' THEN 'PRAGMA database_list'
       WHEN 'storage_space' THEN coalesce(
         (SELECT nullif(v.recommended, 'nothing') FROM vacuum_status AS v
           WHERE v.schema_name = 'main'),
         'SELECT details FROM health_checks WHERE check_type = '
         || '''storage_space''')
       WHEN 'fragmentation'
         THEN 'SELECT vacuum_full(); SELECT health_run(''10s'')'
       WHEN 'performance' THEN 'SELECT perf_baseline()'
       WHEN 'statistics_old'
         THEN 'PRAGMA analysis_limit = 400; ANALYZE main; SELECT health_run()'
       ELSE 'SELECT health_run()' END
 WHERE (?1 <> 'statistics_old' OR ?2 > 0)
   AND (?1 NOT IN ('file', 'storage_space')
     OR (?1 = 'file') = (?3 ->> '$.replaced' IS NOT NULL));

-- name: doctor_metrics
-- Metrics among the newest 1,000 and the oldest 32 that do not count: see
-- sql/perf.sql.
-- set: maintenance
SELECT printf('%d of the newest and oldest metrics do not count', count(*)),
       json_object('metrics', count(*), 'first_id', min(id),
                   'without_time', count(*) FILTER (WHERE bad_time),
                   'without_number', count(*) FILTER (WHERE bad_value)),
       'UPDATE main.steward_performance_metrics SET recorded_ts = '
       || 'coalesce(datetime(recorded_ts, ''+0 days''), '''') WHERE '
       || 'substr(recorded_ts, 1, 19) IS NOT '
       || 'datetime(substr(recorded_ts, 1, 19), ''+0 days'') OR '
       || 'ltrim(substr(recorded_ts, 20), ''.0123456789'') <> ''''; '
       || 'DELETE FROM main.steward_performance_metrics WHERE '
       || 'recorded_ts = '''' OR metric_value NOT BETWEEN -1e290 AND 1e290'
  FROM (SELECT id, substr(recorded_ts, 1, 19)
                   IS NOT datetime(substr(recorded_ts, 1, 19), '+0 days')
                   OR ltrim(substr(recorded_ts, 20), '.0123456789') <> ''
                   AS bad_time,
               metric_value NOT BETWEEN -1e290 AND 1e290 AS bad_value
          FROM main.steward_performance_metrics
         WHERE id IN (SELECT id FROM (
                        SELECT id FROM main.steward_performance_metrics
                         ORDER BY id DESC LIMIT 1000)
                      UNION SELECT id FROM (
                        SELECT id FROM main.steward_performance_metrics
                         ORDER BY id LIMIT 32)))
 WHERE bad_time OR bad_value HAVING count(*) > 0;

-- name: doctor_jobs
-- Jobs that died within a day, and jobs whose lease nobody took back.  ?1: now,
-- ms.
-- set: jobs
SELECT printf('%d jobs of queue %s are dead', count(*), platform),
       json_object('queue', platform, 'dead', count(*), 'error',
                   max(last_error)),
       printf('SELECT job_replay(%Q)', platform)
  FROM (SELECT platform, last_error FROM main.assistly_queue_jobs
               INDEXED BY steward_jobs_finished
         WHERE status = 'dead_letter' AND phase IS NULL
           AND updated_at > ?1 - 86400000 LIMIT 1000)
 GROUP BY platform
 UNION ALL
SELECT printf('%d jobs of queue %s were begun and never ended', count(*),
              platform),
       json_object('queue', platform, 'stuck', count(*)),
       iif(count(*) <= 128, 'SELECT job_run_due()',
           'WITH RECURSIVE r(n) AS (SELECT job_run_due() UNION ALL SELECT '
           || 'job_run_due() FROM r WHERE n > 0) SELECT sum(n) FROM r')
  FROM (SELECT platform FROM main.assistly_queue_jobs
               INDEXED BY steward_jobs_leased
         WHERE phase = 4
           AND lease_until < ?1 - 300000 LIMIT 1000)
 GROUP BY platform;

-- name: doctor_vacuum_failed
-- Runs of this file that have failed since the last that did not; tried again is
-- what failed last.
-- set: maintenance
WITH own(id, status, error) AS MATERIALIZED (
  SELECT id, status, error_message FROM main.steward_vacuum_log
   WHERE db_path = (SELECT iif(file = '', ':memory:', file)
                      FROM pragma_database_list WHERE name = 'main')
   ORDER BY id DESC LIMIT 1000)
SELECT printf('%d vacuums have failed, the last with: %s', f.n,
              (SELECT error FROM own WHERE id = f.last)),
       json_object('failed', f.n, 'last', f.last),
       CASE (SELECT command FROM main.steward_vacuum_commands
              WHERE run_id = f.last)
       WHEN 'incremental' THEN 'SELECT vacuum_incremental()'
       WHEN 'into' THEN (
         SELECT printf('SELECT vacuum_into(%Q)', d.file || strftime(
                  '-%Y%m%d-%H%M%S', steward_now() / 1000, 'unixepoch'))
           FROM pragma_database_list AS d WHERE d.name = 'main')
       ELSE 'SELECT vacuum_full()' END
  FROM (SELECT count(*) AS n, max(id) AS last FROM own
         WHERE status = 'failed' AND error IS NOT 'killed while it ran'
           AND id > coalesce((SELECT max(id) FROM own
                               WHERE status = 'completed'), 0)) AS f
 WHERE f.n > 0;

-- name: doctor_clock_back
-- The clock is behind what was stored.  ?1: now, ms.
-- set: core
SELECT printf('the clock is %d s behind what is stored', (max(applied_at) - ?1)
                                                         / 1000),
       json_object('newest', datetime(max(applied_at) / 1000, 'unixepoch'),
                   'clock', datetime(?1 / 1000, 'unixepoch')),
       'UPDATE main.steward_migrations SET applied_at = steward_now() WHERE '
       || 'applied_at > steward_now()'
  FROM main.steward_migrations
HAVING max(applied_at) > ?1 + 60000;

-- name: doctor_pool
-- Pools that are too small for those who use them.
-- set: none
SELECT printf('%d callers wait for a connection to %s, and %d of %d are in use',
              waiting, path, in_use, max_connections),
       json_object('path', path, 'in_use', in_use, 'max', max_connections,
                   'waiting', waiting, 'timeouts_total', timeouts_total),
       printf('SELECT pool_configure(%Q, %d, %d, NULL)', path,
              min_connections, min(1000, 2 * max_connections))
  FROM pool_status WHERE waiting > 0 OR utilisation >= 0.9;
