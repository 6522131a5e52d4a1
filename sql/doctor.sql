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
       json_object('journal_mode', j.journal_mode), 'PRAGMA journal_mode = WAL'
  FROM pragma_journal_mode AS j, pragma_database_list AS d
 WHERE d.name = 'main' AND d.file <> ''
   AND j.journal_mode IN ('delete', 'truncate', 'persist', 'off', 'memory');

-- name: doctor_synchronous
-- Commits that do not last.
SELECT 'synchronous is OFF on this connection',
       json_object('synchronous', s.synchronous),
       iif(j.journal_mode = 'wal', 'PRAGMA synchronous = NORMAL',
           'PRAGMA synchronous = FULL')
  FROM pragma_synchronous AS s, pragma_journal_mode AS j
 WHERE s.synchronous = 0;

-- name: doctor_busy_timeout
-- A connection that does not wait.
SELECT 'this connection has no busy timeout', json_object('busy_timeout', 0),
       'PRAGMA busy_timeout = 5000'
  FROM pragma_busy_timeout AS b, pragma_database_list AS d
 WHERE b.timeout = 0 AND d.name = 'main' AND d.file <> '';

-- name: doctor_foreign_keys_off
-- Foreign keys that nobody enforces.
SELECT printf('%d tables have foreign keys, and this connection does not '
              || 'enforce them', count(DISTINCT m.name)),
       json_object('tables', count(DISTINCT m.name), 'first', min(m.name)),
       'PRAGMA foreign_keys = ON'
  FROM pragma_foreign_keys AS k, main.sqlite_schema AS m,
       pragma_foreign_key_list(m.name, 'main') AS f
 WHERE k.foreign_keys = 0 AND m.type = 'table'
HAVING count(*) > 0;

-- name: doctor_foreign_key_index
-- Columns that refer to another table and that no index begins with.  A partial
-- one will do that leaves out only NULL.  (Rows of am_change_blobs are never
-- deleted.)
SELECT printf('%s(%s) refers to %s and has no index', m.name,
              group_concat(f."from", ', '), f."table"),
       json_object('table', m.name, 'columns', group_concat(f."from", ', '),
                   'refers_to', f."table"),
       printf('CREATE INDEX "%w" ON "%w"(%s)',
              m.name || '_' || group_concat(f."from", '_'), m.name,
              group_concat(printf('"%w"', f."from"), ', '))
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
 GROUP BY m.name, f.id;

-- name: doctor_duplicate_index
-- An index whose columns another one begins with.
WITH shape(tbl, name, is_unique, columns) AS (
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
       printf('DROP INDEX "%w"', a.name)
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
 GROUP BY a.name;

-- name: doctor_statistics
-- Indexes, and nothing that tells the planner about them.
SELECT 'the planner has no statistics',
       json_object('indexes', count(*)),
       'PRAGMA analysis_limit = 400; ANALYZE'
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
-- Expiry that does not keep up, or cannot.
-- set: core
SELECT CASE WHEN t.pending IS NULL
            THEN printf('table %s is no longer as ttl_attach() left it',
                        t.table_name)
            WHEN t.hazard IS NOT NULL
            THEN printf('%s, so an INSERT into %s can fail over a row that '
                        || 'expires', t.hazard, t.table_name)
            WHEN t.unreadable > 0
            THEN printf('%s rows of %s hold no time and never expire',
                        iif(t.unreadable < 1000, t.unreadable, '1000 or more'),
                        t.table_name)
            ELSE printf('1000 or more rows of %s are due', t.table_name) END,
       json_object('table', t.table_name, 'column', t.column_name,
                   'pending', t.pending, 'unreadable', t.unreadable),
       CASE WHEN t.pending IS NULL
            THEN printf('SELECT ttl_detach(%Q)', t.table_name)
            WHEN t.hazard IS NOT NULL
            THEN printf('SELECT ttl_attach(%Q, %Q, ''{"unit":"%s","on_write":0}'')',
                        t.table_name, t.column_name, t.unit)
            WHEN t.unreadable > 0 AND t.unit = 'iso'
            THEN printf('UPDATE "%w" SET "%w" = NULL WHERE "%w" IS NOT NULL AND '
                        || 'julianday("%w") IS NULL', t.table_name,
                        t.column_name, t.column_name, t.column_name)
            WHEN t.unreadable > 0
            THEN printf('UPDATE "%w" SET "%w" = NULL WHERE "%w" >= ''''',
                        t.table_name, t.column_name, t.column_name)
            ELSE printf('SELECT ttl_sweep(%Q, ''{"max_rows":1000000000,'
                        || '"budget":"1h"}'')', t.table_name) END
  FROM ttl_status AS t
 WHERE t.pending IS NULL OR t.capped OR t.unreadable > 0
    OR t.hazard IS NOT NULL;

-- name: doctor_migrations
-- Sets that miss a step, or something that a step made.
-- set: core
SELECT printf('set %s has %d steps that are not applied', m.set_name, count(*)),
       json_object('set', m.set_name, 'pending', count(*)),
       printf('SELECT migrate_up(%Q)', m.set_name)
  FROM migrate_status AS m
 WHERE m.state = 'pending'
   AND m.set_name IN (SELECT set_name FROM main.steward_sets)
 GROUP BY m.set_name
 UNION ALL
SELECT printf('%s %s of set %s has been dropped',
              json_extract(j.value, '$.type'), json_extract(j.value, '$.name'),
              a.set_name),
       json_object('set', a.set_name, 'name', json_extract(j.value, '$.name')),
       printf('SELECT migrate_up(%Q)', a.set_name)
  FROM main.steward_migrations AS a, json_each(a.made) AS j
 WHERE (json_extract(j.value, '$.type') IN ('table', 'view')
     OR json_extract(j.value, '$.name') GLOB 'steward_*')
   AND NOT EXISTS (SELECT 1 FROM main.sqlite_schema AS s
                    WHERE s.type = json_extract(j.value, '$.type')
                      AND s.name = json_extract(j.value, '$.name'));

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
-- Runs that were killed.
-- set: maintenance
SELECT printf('a %s vacuum of %s was killed while it ran', l.vacuum_type,
              l.started_ts),
       json_object('id', l.id, 'started', l.started_ts),
       printf('UPDATE sqlite_vacuum_log SET status = ''failed'', error_message ='
              || ' ''killed while it ran'' WHERE id = %d', l.id)
  FROM main.steward_vacuum_log AS l
 WHERE l.status = 'running'
   AND l.started_ts < datetime(steward_now() / 1000 - 3600, 'unixepoch');
