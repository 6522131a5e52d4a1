-- set: none
--
-- The checks.  Those that are statements give one row: value, details (JSON),
-- and a status where the value alone does not decide it.

-- name: health_found_add
-- Add a finding to a list, once, and up to 20 of each check; NULL when it is
-- not added.
SELECT json_insert(?1, '$[#]', json_object('check', ?2, 'what', ?3, 'sql', ?4))
 WHERE (SELECT count(*) FROM json_each(?1)
         WHERE value ->> '$.check' = ?2) < 20
   AND NOT EXISTS (SELECT 1 FROM json_each(?1)
                    WHERE value ->> '$.check' = ?2
                      AND value ->> '$.what' = ?3);

-- name: health_parent_index
-- The unique index that a foreign key of ?1 needs on the table that it refers
-- to, and that is not there; it gets the first name that is free.
SELECT printf('CREATE UNIQUE INDEX "main"."%w" ON "%w"(%s)', (
         WITH RECURSIVE n(i, name) AS (
           SELECT 1, k.parent || '_' || k.base
            UNION ALL
           SELECT i + 1, printf('%s_%s_%d', k.parent, k.base, i + 1) FROM n
            WHERE EXISTS (SELECT 1 FROM main.sqlite_schema AS s
                           WHERE s.name = n.name COLLATE NOCASE))
         SELECT name FROM n ORDER BY i DESC LIMIT 1), k.parent, k.quoted)
  FROM (
  SELECT p.name AS parent, group_concat(c.name, '_') AS base,
         group_concat(printf('"%w"', c.name), ', ') AS quoted,
         json_group_array(c.name) AS names
    FROM pragma_foreign_key_list(?1, 'main') AS f
    JOIN main.sqlite_schema AS p
      ON p.type = 'table' AND p.name = f."table" COLLATE NOCASE
    LEFT JOIN pragma_table_info(p.name, 'main') AS c
      ON c.name = f."to" COLLATE NOCASE
   GROUP BY f.id HAVING count(c.name) = count(*)) AS k
 WHERE NOT EXISTS (
   SELECT 1 FROM pragma_index_list(k.parent, 'main') AS l
    WHERE l."unique" AND l.partial = 0
      AND (SELECT count(*) FROM pragma_index_info(l.name, 'main'))
        = json_array_length(k.names)
      AND NOT EXISTS (SELECT 1 FROM pragma_index_info(l.name, 'main') AS i
                       WHERE coalesce(i.name, '') NOT IN (
                         SELECT value FROM json_each(k.names))))
   AND NOT (json_array_length(k.names) = 1
     AND EXISTS (SELECT 1 FROM pragma_table_info(k.parent, 'main') AS c
                  WHERE c.pk = 1 AND c.name = k.names ->> 0))
 LIMIT 1;

-- name: health_module
-- Is a module of this name on the connection?
SELECT 1 FROM pragma_module_list WHERE name = ?1;

-- name: health_pages_add
-- Add the count of a b-tree to a list.
SELECT json_insert(?1, '$[#]', json_array(?2, ?3, ?4, ?5, ?6, ?7, ?8));

-- name: health_pages_store
-- Keep the counts of a list.
-- set: maintenance
INSERT OR REPLACE INTO main.steward_page_stats(name, table_name, pages,
  unused_bytes, gaps, sampled, measured_at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
       value ->> 5, value ->> 6
  FROM json_each(?1);

-- name: health_pages_forget
-- B-trees that are gone.
-- set: maintenance
DELETE FROM main.steward_page_stats
 WHERE name NOT IN (SELECT name FROM main.sqlite_schema);

-- name: health_log
-- One result, at ?5 ms; an unfinished one is a warning.
-- set: maintenance
INSERT INTO main.steward_health_checks(db_path, check_type, status, details,
                                       checked_ts)
VALUES (?1, ?2, iif(?3 = 'unknown', 'warning', ?3),
        iif(?3 = 'unknown', json_set(?4, '$.unfinished', json('true')), ?4),
        datetime(?5 / 1000, 'unixepoch'));

-- name: health_log_overall
-- The worst of a run.  Its time has milliseconds, so that it comes behind those
-- of the same second: the seed reads the last row.
-- set: maintenance
INSERT INTO main.steward_health_checks(db_path, check_type, status, details,
                                       checked_ts)
VALUES (?1, 'overall', ?2, ?3,
        strftime('%Y-%m-%d %H:%M:%f', ?4 / 1000.0, 'unixepoch'));

-- name: health_slices
-- Works in slices, and how far they are.
-- set: maintenance
SELECT name, item, units_done, units_total,
       iif(units_total > 0, min(1.0, 1.0 * units_done / units_total), 0.0)
         AS coverage,
       started_at, moved_at, passed_at AS last_full_pass
  FROM main.steward_slices WHERE units_total > 0;

-- name: health_skipped
-- How much of what check ?2 is about a pass that found ?1 has left out; ?3 is
-- the word for that, skipped or unread.
SELECT count(*) FROM json_each(?1)
 WHERE value ->> '$.check' IN (?3, ?3 || ' ' || ?2);

-- name: health_unread
-- How much of anything a pass that found ?1 could not read.
SELECT count(*) FROM json_each(?1) WHERE value ->> '$.check' GLOB 'unread*';

-- name: health_found_both
-- Two lists as one.
SELECT json_group_array(json(value))
  FROM (SELECT value FROM json_each(?1) UNION SELECT value FROM json_each(?2));

-- name: health_pass
-- What the pass over the file says about check ?3: findings of the last whole
-- one (?1) and of the one under way (?2); ?4 of ?5 units of it are done, ?6 is
-- why it is not enough (or NULL), and ?7 what helps.
SELECT count(*) FILTER (WHERE value ->> '$.check' = ?3),
       json_patch('{}', json_object(
         'found', CASE WHEN count(*) FILTER (WHERE value ->> '$.check' = ?3) > 0
                  THEN json_group_array(value ->> '$.what')
                       FILTER (WHERE value ->> '$.check' = ?3) END,
         'skipped', CASE WHEN count(*) FILTER (WHERE value ->> '$.check' IN
                           ('skipped', 'skipped ' || ?3, 'unread ' || ?3)) > 0
                    THEN json_group_array(value ->> '$.what')
                         FILTER (WHERE value ->> '$.check' IN
                           ('skipped', 'skipped ' || ?3, 'unread ' || ?3)) END,
         'units_done', iif(?4 < ?5, ?4, NULL),
         'units_total', iif(?4 < ?5, ?5, NULL),
         'reason', ?6,
         'sql', coalesce(min(value ->> '$.sql')
                         FILTER (WHERE value ->> '$.check' = ?3),
                         iif(?6 IS NULL, NULL, ?7))))
  FROM (SELECT value FROM json_each(?1)
        UNION SELECT value FROM json_each(?2));

-- name: health_performance
-- How much worse than what is normal for it the worst metric is, in percent, of
-- which 100 is as it should be.
-- set: maintenance
WITH bad AS MATERIALIZED (SELECT * FROM perf_regressions),
worst AS (SELECT * FROM bad ORDER BY times_worse DESC, metric_name LIMIT 1)
SELECT coalesce(100.0 * w.times_worse, 0.0),
       json_patch('{}', json_object(
         'baselines', (SELECT count(*)
                         FROM main.steward_performance_baselines),
         'regressions', (SELECT nullif(count(*), 0) FROM bad),
         'metric', w.metric_name,
         'baseline', w.baseline_avg, 'current', w.current_avg,
         'sql', iif(w.metric_name IS NULL, NULL,
                    'SELECT * FROM perf_regressions'))),
       NULL
  FROM (SELECT 1) LEFT JOIN worst AS w;

-- name: health_growth
-- Bytes by which this file grows in a day, as its oldest logged check tells;
-- what else stands in the log, from the application or about other files, does
-- not count.  ?1: bytes now, ?2: now, ms.
-- set: maintenance
SELECT CAST((?1 - bytes) * 86400.0 / max(3600, ?2 / 1000 - at) AS INTEGER)
  FROM (SELECT CASE json_valid(details) WHEN 1 THEN details ->> '$.bytes' END
                 AS bytes, unixepoch(checked_ts) AS at
          FROM (SELECT check_type, details, checked_ts
                  FROM main.steward_health_checks
                 WHERE db_path = (SELECT iif(file = '', ':memory:', file)
                                    FROM pragma_database_list
                                   WHERE name = 'main')
                 ORDER BY id LIMIT 64)
         WHERE check_type = 'storage_space')
 WHERE typeof(bytes) = 'integer' AND bytes >= 0 AND at IS NOT NULL
 LIMIT 1;

-- name: health_fragmentation
-- Percent of the pages' bytes that hold nothing, in b-trees of 64 pages or more.
-- set: maintenance
SELECT coalesce(max(100.0 * s.unused_bytes / (s.pages * p.page_size)), 0.0),
       json_patch('{}', json_object(
         'b_tree', s.name, 'table', s.table_name, 'pages', s.pages,
         'unused_bytes', s.unused_bytes, 'gaps', s.gaps,
         'sampled', iif(s.sampled, json('true'), NULL))),
       NULL
  FROM pragma_page_size AS p
  LEFT JOIN main.steward_page_stats AS s ON s.pages >= 64;

-- name: health_holders
-- Who holds locks (?1), since when it was seen (?2: the last such list, ?3:
-- now): the list, and the age of the oldest; from now on when the clock was set
-- back.
SELECT json_group_array(json_object('pid', pid, 'process', process,
                                    'holds', holds, 'since', since)),
       coalesce(max(?3 - since), 0)
  FROM (SELECT h.value ->> '$.pid' AS pid, h.value ->> '$.process' AS process,
               h.value ->> '$.holds' AS holds,
               min(?3, coalesce((SELECT min(o.value ->> '$.since')
                                   FROM json_each(?2) AS o
                                  WHERE o.value ->> '$.pid'
                                      = h.value ->> '$.pid'), ?3))
                 AS since
          FROM json_each(?1) AS h GROUP BY 1, 3);

-- name: health_statistics_now
-- A number that changes with the statistics; NULL: there are none.
-- set: none
SELECT CASE WHEN EXISTS (SELECT 1 FROM main.sqlite_schema
                          WHERE name = 'sqlite_stat1') THEN 1 END;

-- name: health_indexes
-- Indexes that statistics would be about.
SELECT count(*) FROM main.sqlite_schema AS m WHERE m.type = 'index';

-- name: health_expiry
-- Rows that are due and still there; critical where a policy does not work.
-- set: core
SELECT coalesce(sum(pending), 0),
       json_patch('{}', json_object('tables', count(*),
         'error', coalesce(min(error),
           min(iif(pending IS NULL, table_name || ' is not as ttl_attach() left '
                   || 'it', NULL))),
         'sql', iif(sum(pending) > 0 OR min(error) IS NOT NULL,
                    'SELECT ttl_sweep()', NULL))),
       iif(sum(pending IS NULL OR error IS NOT NULL) > 0, 'critical', NULL)
  FROM ttl_status;

-- name: health_deliveries
-- Messages lost that no consumer has been told of yet.
-- set: delivery
SELECT coalesce(sum(dropped_pending), 0),
       json_patch('{}', json_object('subscriptions', count(*),
         'pending', coalesce(sum(pending), 0),
         'nearly_full',
           nullif(sum(max_pending > 0 AND pending * 10 >= max_pending * 9), 0),
         'losing', nullif(sum(dropped_pending > 0), 0),
         'sql', iif(sum(dropped_pending) > 0,
                    'SELECT * FROM delivery_status WHERE dropped_pending > 0',
                    NULL))),
       iif(sum(max_pending > 0 AND pending * 10 >= max_pending * 9) > 0
           AND sum(dropped_pending) = 0, 'warning', NULL)
  FROM delivery_status;

-- name: health_jobs
-- Jobs that died within a day, and leases that ran out five minutes ago and were
-- not taken back; each counted up to 1000.  ?1: now, ms.
-- set: jobs
WITH RECURSIVE q(queue) AS (
  SELECT min(f.platform) FROM main.assistly_queue_jobs AS f
         INDEXED BY idx_queue_conflict
   WHERE f.status IN ('scheduled', 'retrying', 'processing')
  UNION ALL
  SELECT (SELECT n.platform FROM main.assistly_queue_jobs AS n
                 INDEXED BY idx_queue_conflict
           WHERE n.status IN ('scheduled', 'retrying', 'processing')
             AND n.platform > q.queue
           ORDER BY n.platform LIMIT 1)
    FROM q WHERE q.queue IS NOT NULL),
n(dead, stuck) AS (
  SELECT (SELECT count(*) FROM (
            SELECT 1 FROM main.assistly_queue_jobs
                     INDEXED BY steward_jobs_finished
             WHERE status = 'dead_letter' AND phase IS NULL
               AND updated_at > ?1 - 86400000 LIMIT 1000)),
         (SELECT count(*) FROM (
            SELECT 1 FROM q CROSS JOIN main.assistly_queue_jobs AS l
                     INDEXED BY steward_jobs_leased
             WHERE l.platform = q.queue AND l.phase = 4
               AND l.lease_until < ?1 - 300000 LIMIT 1000)))
SELECT dead + stuck,
       json_patch('{}', json_object('dead', dead, 'stuck', stuck,
         'sql', iif(dead + stuck > 0, 'SELECT * FROM job_queue WHERE state'
                || ' IN (''dead'', ''leased'')', NULL))),
       NULL
  FROM n;

-- name: health_pool
-- Percent of the connections of this process's pools in use; critical when
-- somebody waits for one.
-- set: none
SELECT coalesce(max(100.0 * utilisation), 0.0),
       json_patch('{}', json_object('pools', nullif(count(*), 0),
         'waiting', nullif(sum(waiting), 0),
         'timeouts_total', nullif(sum(timeouts_total), 0),
         'sql', iif(sum(waiting) > 0 OR max(utilisation) >= 0.9,
                    'SELECT * FROM pool_status', NULL))),
       iif(sum(waiting) > 0, 'critical', NULL)
  FROM pool_status;

-- name: health_vacuum_runs
-- Runs of this file, among the last 1000, that were killed, or have failed since
-- the last that did not.  ?1: now, ms.
-- set: maintenance
WITH own(id, status, started, error) AS MATERIALIZED (
  SELECT id, status, started_ts, error_message FROM main.steward_vacuum_log
   WHERE db_path = (SELECT iif(file = '', ':memory:', file)
                      FROM pragma_database_list WHERE name = 'main')
   ORDER BY id DESC LIMIT 1000)
SELECT count(*),
       json_patch('{}', json_object(
         'killed', nullif(sum(status = 'running'), 0),
         'failed', nullif(sum(status = 'failed'), 0),
         'error', max(error),
         'sql', iif(count(*) > 0, 'SELECT * FROM main.steward_doctor', NULL))),
       NULL
  FROM own
 WHERE (status = 'running'
        AND started < datetime(?1 / 1000 - 3600, 'unixepoch'))
    OR (status = 'failed' AND error IS NOT 'killed while it ran'
        AND id > coalesce((SELECT max(id) FROM own
                            WHERE status = 'completed'), 0));

-- name: health_clock
-- How far the newest of what is stored is ahead of the clock, ms.  ?1: now, ms.
-- set: core
SELECT max(0, ahead), json_patch('{}', json_object(
         'pinned', iif(pinned, json('true'), NULL),
         'sql', iif(pinned,
           'SELECT steward_clock(NULL, ''{"database":true}'')', NULL))),
       iif(pinned, 'warning', NULL)
  FROM (SELECT coalesce((SELECT max(at) FROM (
                 SELECT max(published_at) AS at FROM (
                   SELECT published_at FROM main.steward_messages
                    ORDER BY position DESC LIMIT 1)
                 UNION ALL
                 SELECT max(applied_at) FROM main.steward_migrations)) - ?1, 0)
                 AS ahead,
               EXISTS (SELECT 1 FROM main.steward_config WHERE name = 'clock')
                 AS pinned);

-- name: health_migrations
-- Steps not applied of sets that are installed, applied steps whose text has
-- changed, what steps made and is gone, and a set that misses some.
-- set: core
SELECT sum(m.state = 'pending'), sum(coalesce(m.drift, 0)), g.n, g.set_name
  FROM migrate_status AS m,
       (SELECT count(*) AS n, min(set_name) AS set_name
          FROM migrate_missing WHERE needed) AS g
 WHERE m.set_name IN (SELECT set_name FROM main.steward_sets);

-- name: health_storage
-- The evidence about disks: bytes of the file, free beside it, free among the
-- temporary files (-1: unknown), growth in a day, percent used of both.
-- set: none
SELECT json_patch('{}', json_object(
         'bytes', ?1, 'free_bytes', ?2, 'temp_free_bytes', nullif(?3, -1),
         'growth_bytes_per_day', nullif(?4, 0),
         'days_until_full', iif(?4 > 0, ?2 / ?4, NULL),
         'used_percent', round(?5, 1), 'temp_used_percent', round(?6, 1),
         'sql', iif(max(?5, ?6) >= 90 OR (?4 > 0 AND ?2 / ?4 < 7),
                    'SELECT recommended FROM vacuum_status', NULL)));

-- name: health_made
-- What steps have made: what these tables hold, and what queries need of them,
-- the library knows.
-- set: core
SELECT json_group_array(json_extract(j.value, '$.name'))
  FROM main.steward_migrations AS m, json_each(m.made) AS j;

-- name: health_archives
-- Tables to which rows that expire are moved.
-- set: core
SELECT json_group_array(target) FROM main.steward_policy_options
 WHERE action = 'archive';

-- name: health_columns
-- Columns of the application's tables that take values as they come: no type,
-- or BLOB; and a name of the rowid, where there is one.  Not those that name
-- rows or refer to them: the same value elsewhere would stay text.  ?1:
-- health_made.
-- set: none
WITH virtual(prefix) AS MATERIALIZED (
  SELECT name || '_' FROM main.sqlite_schema
   WHERE type = 'table' AND rootpage = 0)
SELECT m.name, c.name, c.type,
       iif(m.wr, NULL,
           (SELECT r.value FROM json_each('["rowid","_rowid_","oid"]') AS r
             WHERE NOT EXISTS (SELECT 1
                                 FROM pragma_table_xinfo(m.name, 'main') AS x
                                WHERE x.name = r.value COLLATE NOCASE)
             LIMIT 1))
  FROM (SELECT l.name, l.wr FROM pragma_table_list AS l
         WHERE l.schema = 'main' AND l.type = 'table'
           AND l.name NOT LIKE 'sqlite\_%' ESCAPE '\'
           AND l.name NOT GLOB 'steward_*'
           AND l.name NOT IN (SELECT value FROM json_each(?1))
           AND NOT EXISTS (SELECT 1 FROM virtual AS v
                            WHERE substr(l.name, 1, length(v.prefix))
                                = v.prefix COLLATE NOCASE)
         ORDER BY l.name LIMIT 100) AS m,
       pragma_table_info(m.name, 'main') AS c
 WHERE (c.type = ''
     OR (upper(c.type) GLOB '*BLOB*' AND upper(c.type) NOT GLOB '*INT*'
         AND upper(c.type) NOT GLOB '*CHAR*'
         AND upper(c.type) NOT GLOB '*CLOB*'
         AND upper(c.type) NOT GLOB '*TEXT*'))
   AND c.pk = 0
   AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(m.name, 'main') AS f
                    WHERE f."from" = c.name COLLATE NOCASE)
   AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name, 'main') AS u,
                                 pragma_index_info(u.name, 'main') AS i
                    WHERE u."unique" AND i.name = c.name COLLATE NOCASE);

-- name: health_captured
-- Statements of this file that were captured: which, the text to be explained,
-- does it compare with patterns, does it order by what only a number names?  A
-- text leaves open how long a list is and what the LIMIT; such a one comes
-- several times.
-- set: none
SELECT q.id, replace(replace(replace(q.query,
         '(...)', v.value ->> 0),
         ' LIMIT ?, ?', printf(' LIMIT %s OFFSET ?', v.value ->> 1)),
         ' LIMIT ?', ' LIMIT ' || (v.value ->> 1)),
       q.query LIKE '% LIKE %' OR q.query LIKE '% GLOB %',
       replace(q.query, ' LIMIT ?, ?', '') LIKE '% BY ?%'
       OR replace(q.query, ' LIMIT ?, ?', '') LIKE '% BY %, ?%'
  FROM (SELECT row_number() OVER () AS id, query FROM perf_statements
         WHERE db_path = (SELECT file FROM pragma_database_list
                           WHERE name = 'main')
           AND (query NOT LIKE 'CREATE %'
             OR query LIKE 'CREATE %TABLE % AS SELECT %'
             OR query LIKE 'CREATE %TABLE % AS WITH %')
           AND query NOT LIKE 'DROP %' AND query NOT LIKE 'PRAGMA %'
           AND query NOT LIKE 'ALTER %' AND query NOT LIKE 'EXPLAIN %'
         LIMIT 201) AS q
  CROSS JOIN json_each('[["(?, ?)","?"],["(?)","1"],
                         ["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)","100"]]') AS v
 WHERE v.key = 0 OR instr(q.query, '(...)') OR instr(q.query, ' LIMIT ?');

-- name: health_unused
-- The application's indexes that only make reading faster, and that no plan of
-- ?2 (details, a line each) names.  Not those about which plans of captured
-- statements say nothing: partial ones, such on expressions, on columns that
-- refer to another table, whatever a trigger, a virtual table or a view that
-- they read speaks of, all when there are samples of values (sqlite_stat4), and
-- with ?3, where a pattern was compared, on columns that hold text.  ?1:
-- health_made.
-- set: none
WITH RECURSIVE
o(type, name, sql, rootpage) AS MATERIALIZED (
  SELECT type, lower(name), sql, rootpage FROM main.sqlite_schema
   WHERE name NOT IN (SELECT value FROM json_each(?1))
   UNION ALL
  SELECT type, lower(name), sql, rootpage FROM temp.sqlite_schema),
word(name, pattern) AS MATERIALIZED (
  SELECT DISTINCT name, printf('*[^a-z0-9_]%s[^a-z0-9_]*', replace(replace(
           replace(name, '[', '[[]'), '*', '[*]'), '?', '[?]'))
    FROM o),
program(type, name, text) AS MATERIALIZED (
  SELECT type, name, printf(' %s ', replace(replace(replace(lower(sql),
           '""', '"'), '``', '`'), '''''', ''''))
    FROM o
   WHERE type IN ('trigger', 'view') OR (type = 'table' AND rootpage = 0)),
hidden(text) AS MATERIALIZED (
  SELECT text FROM program WHERE type <> 'view'
   UNION
  SELECT p.text FROM hidden AS h, program AS p, word AS w
   WHERE p.type = 'view' AND w.name = p.name AND h.text GLOB w.pattern),
virtual(prefix) AS MATERIALIZED (
  SELECT name || '_' FROM o WHERE type = 'table' AND rootpage = 0),
mine(tbl, name) AS MATERIALIZED (
  SELECT m.name, l.name
    FROM pragma_table_list AS m, pragma_index_list(m.name, 'main') AS l
   WHERE m.schema = 'main' AND m.type = 'table'
     AND m.name NOT GLOB 'steward_*' AND l.name NOT GLOB 'steward_*'
     AND l.origin = 'c' AND l."unique" = 0 AND l.partial = 0
     AND NOT instr(?2, printf(' INDEX %s (', l.name))
     AND NOT instr(?2, printf(' INDEX %s%c', l.name, char(10)))
     AND m.name NOT IN (SELECT value FROM json_each(?1))
     AND NOT EXISTS (SELECT 1 FROM virtual AS v
                      WHERE substr(m.name, 1, length(v.prefix))
                          = v.prefix COLLATE NOCASE)
     AND NOT EXISTS (SELECT 1 FROM main.sqlite_schema
                      WHERE name = 'sqlite_stat4')
     AND NOT EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name, 'main') AS x
                      WHERE x.key AND x.cid < -1)
     AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(m.name, 'main') AS f,
                                   pragma_index_info(l.name, 'main') AS i
                      WHERE i.name = f."from" COLLATE NOCASE)
     AND NOT (?3 AND EXISTS (
           SELECT 1 FROM pragma_index_info(l.name, 'main') AS i,
                         pragma_table_xinfo(m.name, 'main') AS c
            WHERE c.cid = i.cid AND c.type NOT LIKE '%INT%'
              AND (c.type = '' OR c.type LIKE '%CHAR%' OR c.type LIKE '%CLOB%'
                OR c.type LIKE '%TEXT%' OR c.type LIKE '%BLOB%')))
)
SELECT i.tbl, i.name
  FROM mine AS i
  JOIN word AS t ON t.name = lower(i.tbl)
  JOIN word AS x ON x.name = lower(i.name)
 WHERE NOT EXISTS (SELECT 1 FROM hidden WHERE text GLOB t.pattern)
   AND NOT EXISTS (SELECT 1 FROM program
                    WHERE text GLOB '*indexed*' AND text GLOB x.pattern);
