-- set: streaming
-- name: stream_store
-- Note an attached table; one that was attached already, and has been followed
-- without a gap (?5), keeps its beginning.
INSERT INTO main.steward_streams(table_name, key_column, scope_column,
                                 from_position, attached_at)
VALUES (?1, ?2, ?3,
        coalesce((SELECT m.position FROM main.steward_messages AS m
                   ORDER BY m.position DESC LIMIT 1), 0), ?4)
    ON CONFLICT (table_name) DO UPDATE
   SET key_column = excluded.key_column, scope_column = excluded.scope_column,
       from_position = iif(?5, from_position, excluded.from_position);

-- name: stream_gap
-- Changes of a table that was attached are not told, or may not have been: no
-- reader is to go on as if there were none, so the log moves on.
INSERT INTO main.steward_log(topic, payload, headers)
SELECT 'stream:' || table_name || iif(scope_column IS NULL, '', ':?'), '',
       '{"op":"gap","is_delta":0}'
  FROM main.steward_streams WHERE table_name = ?1;

-- name: stream_was_called
-- What the table that is called ?1 now was attached as: its triggers tell.
SELECT t.table_name
  FROM main.sqlite_schema AS s, main.steward_streams AS t
 WHERE s.type = 'trigger' AND s.tbl_name = ?1 COLLATE NOCASE
   AND s.name = 'steward_stream_' || t.table_name || '_delete'
   AND t.table_name <> ?1 COLLATE NOCASE;

-- name: stream_forget
-- Forget it.
DELETE FROM main.steward_streams WHERE table_name = ?1;

-- name: stream_off
-- A call that takes triggers of ours off a table of the application.
SELECT printf('stream_detach(%Q)', table_name) FROM main.steward_streams
 WHERE EXISTS (SELECT 1 FROM main.sqlite_schema AS s
                WHERE s.name = 'steward_stream_' || table_name || '_delete')
 UNION ALL
SELECT printf('delta_history(%Q, ''off'')', table_name)
  FROM main.steward_delta_histories
 WHERE EXISTS (SELECT 1 FROM main.sqlite_schema AS s
                WHERE s.name = 'steward_history_' || table_name || '_delete')
 LIMIT 1;

-- name: stream_status
-- The attached tables.
SELECT table_name, key_column, scope_column, from_position, attached_at,
       coalesce((SELECT m.position FROM main.steward_messages AS m
                  ORDER BY m.position DESC LIMIT 1), 0) AS position
  FROM main.steward_streams ORDER BY table_name;

-- name: stream_from hot
-- Since which position the table is attached.
SELECT from_position FROM main.steward_streams WHERE table_name = ?1;

-- name: stream_topic
-- The topic of scope ?2, NULL for a table without, in the stream of table ?1,
-- and what a key begins with.
SELECT 'stream:' || ?1
       || iif(?2 IS NULL, '', ':' || iif(o.other, '?', quote(?2))),
       iif(o.other, quote(?2) || ':', '')
  FROM (SELECT length(CAST(quote(?2) AS BLOB)) > 100
            OR instr(quote(?2), '*') AS other) AS o;

-- name: stream_place hot
-- Where a reader behind position ?2 of topic ?1 goes on: the number of the last
-- message up to there, and whether later ones have left the log already.  See
-- sql/delivery.sql on `half`.
SELECT coalesce(
         (SELECT n.number FROM main.steward_messages AS n
           WHERE n.position = ?2 AND n.topic = ?1),
         (WITH RECURSIVE half(low, step) AS (
            SELECT s.floor_number,
                   1 << (4 * length(printf('%x',
                                           s.last_number - s.floor_number)))
            UNION ALL
            SELECT h.low + h.step * coalesce(
                     (SELECT n.position <= ?2
                        FROM main.steward_messages AS n
                       WHERE n.topic = ?1 AND n.number = h.low + h.step), 0),
                   h.step / 2
              FROM half AS h WHERE h.step > 0)
          SELECT low FROM half WHERE step = 0)),
       s.floor_number > 0 AND ?2 + 1 < s.oldest, s.oldest
  FROM (SELECT coalesce((SELECT t.floor_number FROM main.steward_topics AS t
                          WHERE t.topic = ?1), 0) AS floor_number,
               coalesce((SELECT m.number FROM main.steward_messages AS m
                                INDEXED BY steward_messages_number
                          WHERE m.topic = ?1 AND m.number > 0
                          ORDER BY m.number DESC LIMIT 1),
                        (SELECT t.floor_number FROM main.steward_topics AS t
                          WHERE t.topic = ?1), 0) AS last_number,
               (SELECT min(o.position) FROM main.steward_messages AS o)
                 AS oldest) AS s;

-- name: stream_messages hot
-- The messages of topic ?1 behind number ?2.
SELECT m.position, m.payload, m.key, json_extract(m.headers, '$.op'),
       json_extract(m.headers, '$.is_delta')
  FROM main.steward_messages AS m INDEXED BY steward_messages_number
 WHERE m.topic = ?1 AND m.number > ?2 ORDER BY m.number;

-- name: stream_index
-- The index of table ?1 by which its rows come by scope ?2, flag ?3, time ?4.
-- set: none
SELECT i.name FROM pragma_index_list(?1, 'main') AS i
 WHERE NOT i.partial
   AND (SELECT group_concat(lower(x.name), '/')
          FROM (SELECT y.name FROM pragma_index_xinfo(i.name, 'main') AS y
                 WHERE y.key ORDER BY y.seqno LIMIT 3) AS x)
       = lower(?2 || '/' || ?3 || '/' || ?4)
 LIMIT 1;

-- name: stream_cursor
-- The members of a snapshot's cursor, and each as JSON, which infinity is not by
-- itself; none if it is none.
-- set: none
SELECT j.value, CASE WHEN j.type IN ('object', 'array') THEN j.value
                     WHEN j.value = 9e999 THEN '9e999'
                     WHEN j.value = -9e999 THEN '-9e999'
                     ELSE json_quote(j.value) END
  FROM json_each(iif(json_valid(?1) AND typeof(?1) = 'text', ?1, '[]')) AS j;

-- name: stream_is_array
-- Is this a JSON array?
-- set: none
SELECT CASE WHEN json_valid(?1) THEN json_type(?1) = 'array' END;

-- name: stream_scope_type
-- What column ?2 of table ?1, of collation ?3, makes of a scope: its affinity,
-- T, N (and INTEGER) or R, or nothing; and * where = would find other values.
-- set: none
SELECT CASE WHEN t.type GLOB '*INT*' THEN 'N'
            WHEN t.type GLOB '*CHAR*' OR t.type GLOB '*CLOB*'
              OR t.type GLOB '*TEXT*' THEN 'T'
            WHEN t.type = '' OR t.type GLOB '*BLOB*'
              OR (t.type = 'ANY' AND t.strict) THEN '*'
            WHEN t.type GLOB '*REAL*' OR t.type GLOB '*FLOA*'
              OR t.type GLOB '*DOUB*' THEN 'R'
            ELSE 'N' END || iif(?3 = 'BINARY' COLLATE NOCASE, '', '*')
  FROM (SELECT upper(x.type) AS type, l.strict
          FROM pragma_table_xinfo(?1, 'main') AS x, pragma_table_list(?1) AS l
         WHERE x.name = ?2 COLLATE NOCASE AND l.schema = 'main') AS t;

-- name: stream_scope
-- Value ?1 as a column of affinity ?2 keeps it.
-- set: none
SELECT CASE
         WHEN ?2 GLOB 'T*' THEN iif(typeof(?1) IN ('integer', 'real'),
                                    CAST(?1 AS TEXT), ?1)
         WHEN ?2 GLOB 'N*' AND ?1 = CAST(CAST(?1 AS NUMERIC) AS INTEGER)
         THEN CAST(CAST(?1 AS NUMERIC) AS INTEGER)
         WHEN ?2 GLOB '[NR]*' AND ?1 = CAST(?1 AS NUMERIC)
         THEN CAST(CAST(?1 AS NUMERIC) AS REAL)
         ELSE ?1 END;

-- name: stream_schema
-- Changes with the schema and by VACUUM, which may give rows other rowids.
-- set: none
SELECT schema_version FROM pragma_schema_version;

-- name: stream_log_add
-- Write an entry; its id, ?8, is 16 bytes: the time and its number.
INSERT INTO main.streaming_performance_log(
  id, workspace_id, operation_type, table_name, record_count, duration_ms,
  timestamp, error_message)
VALUES (?8, coalesce(?1, x''), ?2, ?3, ?4, ?5, ?6, ?7);

-- name: stream_log_number
-- The number of the last entry.
SELECT max(rowid) FROM main.streaming_performance_log;

-- name: stream_log_prune
-- Retention of the entries: those before ?1 (Unix seconds).
DELETE FROM main.streaming_performance_log
 WHERE operation_type IN ('snapshot', 'delta', 'query', 'update')
   AND timestamp < ?1;

-- name: stream_metrics
-- What streaming_performance_log holds, by kind of operation.
SELECT l.operation_type, count(*), sum(l.record_count), sum(l.duration_ms),
       sum(l.error_message IS NOT NULL)
  FROM main.streaming_performance_log AS l
 GROUP BY l.operation_type;
