-- set: delivery
--
-- A subscription is a cursor in a channel: a topic (kind 0), the topics of a
-- pattern (1), or everything (2). Places are numbers within the channel, which
-- have no holes, so that what waits and where a bound begins are subtractions.
-- For each kind the same questions come again and again:
--   floor_number: the highest number that has left the log;
--   last_number: the highest there is;
--   the number at a position: that of the message there, if it is of this
--     channel; else it is found by climbing the channel's numbers in steps that
--     halve (half), which reads a few dozen index entries whatever the size.
--     Below the oldest message nobody knows any more, and the place stays where
--     it was: rather too much is called lost than too little.
--
-- INDEXED BY, because statistics of a table with few topics can make SQLite
-- look at all of them; "number > 0" and "acked_number > -1 << 62", which are
-- always true, because without them statistics of a small table make it sort a
-- topic rather than read its last entry, or go through all consumers.

-- name: delivery_subscribe hot
-- Make a subscription to channel ?2 of kind ?8, or change its bound and policy
-- and keep its place.  ?3 max_pending (-1: as it is, ?4 for a new one), ?5 where
-- to start: 0 latest, 1 earliest, 2 behind position ?6; ?9 policy (NULL: as it
-- is, drop_oldest for a new one).
INSERT INTO main.steward_cursors(consumer, topic, kind, acked_position,
                                 acked_number, max_pending, policy, created_at,
                                 seen_at)
SELECT ?1, ?2, ?8,
       CASE ?5 WHEN 0 THEN coalesce((SELECT l.position
                                       FROM main.steward_messages AS l
                                      ORDER BY l.position DESC LIMIT 1), 0)
               WHEN 1 THEN 0
               ELSE ?6 END,
       CASE WHEN ?5 = 0 THEN s.last_number
            WHEN ?5 = 1 THEN s.floor_number
            WHEN ?8 = 2 THEN max(s.floor_number, min(?6, s.last_number))
            ELSE (WITH RECURSIVE half(low, step) AS (
                    SELECT s.floor_number, 1 << (4 * length(
                             printf('%x', s.last_number - s.floor_number)))
                    UNION ALL
                    SELECT h.low + h.step * coalesce(
                             CASE ?8 WHEN 0 THEN
                               (SELECT n.position <= ?6
                                  FROM main.steward_messages AS n
                                 WHERE n.topic = ?2
                                   AND n.number = h.low + h.step)
                             ELSE
                               (SELECT n.position <= ?6
                                  FROM main.steward_pattern_numbers AS n
                                 WHERE n.pattern_id = s.pattern_id
                                   AND n.number = h.low + h.step)
                             END, 0),
                           h.step / 2
                      FROM half AS h WHERE h.step > 0)
                  SELECT low FROM half WHERE step = 0) END,
       iif(?3 < 0, ?4, ?3), coalesce(?9, 'drop_oldest'), ?7, ?7
  FROM (SELECT f.floor_number, p.pattern_id,
               CASE ?8 WHEN 0 THEN
                 coalesce((SELECT m.number FROM main.steward_messages AS m
                                  INDEXED BY steward_messages_number
                            WHERE m.topic = ?2 AND m.number > 0
                            ORDER BY m.number DESC LIMIT 1),
                          f.floor_number)
               WHEN 1 THEN p.last_number
               ELSE coalesce((SELECT max(m.position)
                                FROM main.steward_messages AS m), 0)
               END AS last_number
          FROM (SELECT CASE ?8 WHEN 0 THEN
                         coalesce((SELECT t.floor_number
                                     FROM main.steward_topics AS t
                                    WHERE t.topic = ?2), 0)
                       WHEN 1 THEN
                         (SELECT p.floor_number
                            FROM main.steward_patterns AS p
                                 INDEXED BY sqlite_autoindex_steward_patterns_1
                           WHERE p.pattern = ?2)
                       ELSE coalesce((SELECT min(m.position) - 1
                                        FROM main.steward_messages AS m), 0)
                       END AS floor_number) AS f
          LEFT JOIN main.steward_patterns AS p
                    INDEXED BY sqlite_autoindex_steward_patterns_1
                 ON ?8 = 1 AND p.pattern = ?2) AS s
 WHERE true
    ON CONFLICT (consumer, topic) DO UPDATE
   SET max_pending = iif(?3 < 0, max_pending, ?3),
       policy = coalesce(?9, policy), seen_at = ?7
RETURNING cursor_id;

-- name: delivery_unsubscribe hot
-- End a subscription.
DELETE FROM main.steward_cursors WHERE consumer = ?1 AND topic = ?2;

-- name: delivery_subscribed hot
-- Does the consumer have any subscription?
SELECT 1 FROM main.steward_cursors
       INDEXED BY sqlite_autoindex_steward_cursors_1
 WHERE consumer = ?1 LIMIT 1;

-- name: delivery_policy
-- The policy of one subscription.
SELECT policy FROM main.steward_cursors WHERE consumer = ?1 AND topic = ?2;

-- name: delivery_ack hot
-- Acknowledge everything up to position ?2, in every channel of the consumer.
-- What the bound had dropped before that place counts as lost.
UPDATE main.steward_cursors AS c
   SET acked_position = ?2,
       acked_number = d.number,
       dropped_total = c.dropped_total
         + iif(d.number > d.bound, max(0, d.bound - c.acked_number), 0),
       dropped_from = iif(d.number > d.bound AND d.bound > c.acked_number,
                          c.acked_position + 1, c.dropped_from),
       dropped_to = iif(d.number > d.bound AND d.bound > c.acked_number,
                        d.bound_position - 1, c.dropped_to),
       seen_at = ?3
  FROM (SELECT s.cursor_id, s.bound,
               CASE s.kind WHEN 0 THEN
                 (SELECT n.position FROM main.steward_messages AS n
                   WHERE n.topic = s.topic AND n.number = s.bound + 1)
               WHEN 1 THEN
                 (SELECT n.position FROM main.steward_pattern_numbers AS n
                   WHERE n.pattern_id = s.pattern_id
                     AND n.number = s.bound + 1)
               ELSE s.bound + 1 END AS bound_position,
               max(s.acked_number, CASE
                 WHEN s.kind = 2 THEN ?2
                 WHEN ?2 < (SELECT min(m.position) - 1
                              FROM main.steward_messages AS m)
                 THEN s.acked_number
                 ELSE coalesce(
                 (SELECT n.number FROM main.steward_messages AS n
                   WHERE s.kind = 0 AND n.position = ?2 AND n.topic = s.topic),
                 (WITH RECURSIVE half(low, step) AS (
                    SELECT max(s.acked_number, s.floor_number),
                           1 << (4 * length(printf('%x', s.last_number
                             - max(s.acked_number, s.floor_number))))
                    UNION ALL
                    SELECT h.low + h.step * coalesce(
                             CASE s.kind WHEN 0 THEN
                               (SELECT n.position <= ?2
                                  FROM main.steward_messages AS n
                                 WHERE n.topic = s.topic
                                   AND n.number = h.low + h.step)
                             ELSE
                               (SELECT n.position <= ?2
                                  FROM main.steward_pattern_numbers AS n
                                 WHERE n.pattern_id = s.pattern_id
                                   AND n.number = h.low + h.step)
                             END, 0),
                           h.step / 2
                      FROM half AS h WHERE h.step > 0)
                  SELECT low FROM half WHERE step = 0)) END) AS number
          FROM (SELECT b.*,
                       max(b.floor_number,
                           iif(b.max_pending = 0, b.floor_number,
                               b.last_number - b.max_pending)) AS bound
                  FROM (SELECT f.*,
                               CASE f.kind WHEN 0 THEN
                                 coalesce((SELECT m.number
                                             FROM main.steward_messages AS m
                                          INDEXED BY steward_messages_number
                                            WHERE m.topic = f.topic
                                              AND m.number > 0
                                            ORDER BY m.number DESC LIMIT 1),
                                          f.floor_number)
                               WHEN 1 THEN f.pattern_last
                               ELSE (SELECT max(m.position)
                                       FROM main.steward_messages AS m)
                               END AS last_number
                          FROM (SELECT k.cursor_id, k.kind, k.topic,
                                       k.acked_number, k.max_pending,
                                       p.pattern_id,
                                       p.last_number AS pattern_last,
                                       CASE k.kind WHEN 0 THEN
                                         coalesce(
                                           (SELECT t.floor_number
                                              FROM main.steward_topics AS t
                                             WHERE t.topic = k.topic), 0)
                                       WHEN 1 THEN p.floor_number
                                       ELSE (SELECT min(m.position) - 1
                                               FROM main.steward_messages AS m)
                                       END AS floor_number
                                  FROM main.steward_cursors AS k
                                INDEXED BY sqlite_autoindex_steward_cursors_1
                                  LEFT JOIN main.steward_patterns AS p
                               INDEXED BY sqlite_autoindex_steward_patterns_1
                                         ON p.pattern = k.topic
                                        AND k.kind = 1
                                 WHERE k.consumer = ?1) AS f) AS b) AS s) AS d
 WHERE c.cursor_id = d.cursor_id
   AND c.acked_position < ?2
   AND ?2 <= (SELECT l.position FROM main.steward_messages AS l
               ORDER BY l.position DESC LIMIT 1);

-- name: delivery_cursors hot
-- The consumer's subscriptions: where each goes on behind position ?2, what
-- its bound has dropped before that, and where its channel ends.
SELECT s.topic, s.kind, s.pattern_id, s.policy,
       max(s.low, s.bound) + 1 AS first,
       max(s.low, s.bound) - s.low AS dropped,
       max(s.acked_position, ?2) + 1 AS dropped_from,
       s.last_number
  FROM (SELECT b.*,
               max(b.floor_number,
                   iif(b.max_pending = 0, b.floor_number,
                       b.last_number - b.max_pending)) AS bound,
               CASE WHEN ?2 <= b.acked_position THEN b.acked_number
               WHEN b.kind = 2 THEN ?2
               WHEN ?2 < (SELECT min(m.position) - 1
                            FROM main.steward_messages AS m)
               THEN b.acked_number
               ELSE max(b.acked_number, coalesce(
                 (SELECT n.number FROM main.steward_messages AS n
                   WHERE b.kind = 0 AND n.position = ?2 AND n.topic = b.topic),
                 (WITH RECURSIVE half(low, step) AS (
                    SELECT max(b.acked_number, b.floor_number),
                           1 << (4 * length(printf('%x', b.last_number
                             - max(b.acked_number, b.floor_number))))
                    UNION ALL
                    SELECT h.low + h.step * coalesce(
                             CASE b.kind WHEN 0 THEN
                               (SELECT n.position <= ?2
                                  FROM main.steward_messages AS n
                                 WHERE n.topic = b.topic
                                   AND n.number = h.low + h.step)
                             ELSE
                               (SELECT n.position <= ?2
                                  FROM main.steward_pattern_numbers AS n
                                 WHERE n.pattern_id = b.pattern_id
                                   AND n.number = h.low + h.step)
                             END, 0),
                           h.step / 2
                      FROM half AS h WHERE h.step > 0)
                  SELECT low FROM half WHERE step = 0))) END AS low
          FROM (SELECT f.*,
                       CASE f.kind WHEN 0 THEN
                         coalesce((SELECT m.number
                                     FROM main.steward_messages AS m
                                          INDEXED BY steward_messages_number
                                    WHERE m.topic = f.topic AND m.number > 0
                                    ORDER BY m.number DESC LIMIT 1),
                                  f.floor_number)
                       WHEN 1 THEN f.pattern_last
                       ELSE coalesce((SELECT max(m.position)
                                        FROM main.steward_messages AS m), 0)
                       END AS last_number
                  FROM (SELECT k.kind, k.topic, k.acked_number,
                               k.acked_position, k.max_pending, k.policy,
                               p.pattern_id, p.last_number AS pattern_last,
                               CASE k.kind WHEN 0 THEN
                                 coalesce((SELECT t.floor_number
                                             FROM main.steward_topics AS t
                                            WHERE t.topic = k.topic), 0)
                               WHEN 1 THEN p.floor_number
                               ELSE coalesce((SELECT min(m.position) - 1
                                                FROM main.steward_messages
                                                  AS m), 0)
                               END AS floor_number
                          FROM main.steward_cursors AS k
                               INDEXED BY sqlite_autoindex_steward_cursors_1
                          LEFT JOIN main.steward_patterns AS p
                               INDEXED BY sqlite_autoindex_steward_patterns_1
                                 ON p.pattern = k.topic AND k.kind = 1
                         WHERE k.consumer = ?1) AS f) AS b) AS s;

-- name: delivery_rows hot
-- The messages of a topic from number ?2 up to ?3, in order.
SELECT m.position, m.number, m.topic, m.key, m.payload, m.headers,
       m.published_at, m.number AS place
  FROM main.steward_messages AS m INDEXED BY steward_messages_number
 WHERE m.topic = ?1 AND m.number BETWEEN ?2 AND ?3
 ORDER BY m.number;

-- name: delivery_rows_pattern hot
-- The same of a pattern.
SELECT m.position, m.number, m.topic, m.key, m.payload, m.headers,
       m.published_at, n.number AS place
  FROM main.steward_pattern_numbers AS n
 CROSS JOIN main.steward_messages AS m ON m.position = n.position
 WHERE n.pattern_id = ?1 AND n.number BETWEEN ?2 AND ?3
 ORDER BY n.number;

-- name: delivery_rows_all hot
-- The same of everything.
SELECT m.position, m.number, m.topic, m.key, m.payload, m.headers,
       m.published_at, m.position AS place
  FROM main.steward_messages AS m
 WHERE m.position >= ?2 AND +m.position <= ?3 AND ?1 IS NULL
 ORDER BY m.position;

-- name: delivery_keys hot
-- Of ?3 messages of a topic from number ?2 on, the newest of each key.
SELECT m.position, m.number, m.topic, m.key, m.payload, m.headers,
       m.published_at, m.number AS place
  FROM (SELECT w.position, max(w.number)
          FROM (SELECT l.position, l.number, l.key
                  FROM main.steward_messages AS l
                       INDEXED BY steward_messages_number
                 WHERE l.topic = ?1 AND l.number >= ?2
                 ORDER BY l.number LIMIT ?3) AS w
         GROUP BY coalesce(w.key, w.number), w.key IS NULL) AS k
 CROSS JOIN main.steward_messages AS m ON m.position = k.position
 ORDER BY m.position;

-- name: delivery_keys_pattern hot
-- The same of a pattern, the newest of each topic and key.
SELECT m.position, m.number, m.topic, m.key, m.payload, m.headers,
       m.published_at, k.number AS place
  FROM (SELECT w.position, max(w.number) AS number
          FROM (SELECT n.position, n.number, l.topic, l.key
                  FROM main.steward_pattern_numbers AS n
                 CROSS JOIN main.steward_messages AS l
                    ON l.position = n.position
                 WHERE n.pattern_id = ?1 AND n.number >= ?2
                 ORDER BY n.number LIMIT ?3) AS w
         GROUP BY w.topic, coalesce(w.key, w.number), w.key IS NULL) AS k
 CROSS JOIN main.steward_messages AS m ON m.position = k.position
 ORDER BY m.position;

-- name: delivery_keys_all hot
-- The same of everything.
SELECT m.position, m.number, m.topic, m.key, m.payload, m.headers,
       m.published_at, m.position AS place
  FROM (SELECT max(w.position) AS position
          FROM (SELECT l.position, l.topic, l.key
                  FROM main.steward_messages AS l
                 WHERE l.position >= ?2 AND ?1 IS NULL
                 ORDER BY l.position LIMIT ?3) AS w
         GROUP BY w.topic, coalesce(w.key, w.position), w.key IS NULL) AS k
 CROSS JOIN main.steward_messages AS m ON m.position = k.position
 ORDER BY m.position;

-- name: delivery_queue hot
-- Every pending delivery of every subscription, without those that are published
-- while the caller reads.
WITH e(last) AS MATERIALIZED (
  SELECT max(position) FROM main.steward_messages
)
SELECT k.consumer, k.topic AS subscription, m.topic, m.position, m.number,
       m.key, m.payload, m.headers, m.published_at
  FROM main.steward_cursors AS k
 CROSS JOIN main.steward_messages AS m INDEXED BY steward_messages_number
    ON m.topic = k.topic
   AND m.number > max(k.acked_number,
                      iif(k.max_pending = 0, 0,
                          (SELECT l.number FROM main.steward_messages AS l
                                  INDEXED BY steward_messages_number
                            WHERE l.topic = k.topic AND l.number > 0
                            ORDER BY l.number DESC LIMIT 1) - k.max_pending))
 WHERE k.kind = 0
   AND m.position <= (SELECT last FROM e)
UNION ALL
SELECT k.consumer, k.topic, m.topic, m.position, m.number, m.key, m.payload,
       m.headers, m.published_at
  FROM main.steward_cursors AS k
 CROSS JOIN main.steward_patterns AS p
            INDEXED BY sqlite_autoindex_steward_patterns_1
    ON p.pattern = k.topic
 CROSS JOIN main.steward_pattern_numbers AS n
    ON n.pattern_id = p.pattern_id
   AND n.number > max(k.acked_number,
                      iif(k.max_pending = 0, k.acked_number,
                          p.last_number - k.max_pending))
 CROSS JOIN main.steward_messages AS m ON m.position = n.position
 WHERE k.kind = 1
   AND n.position <= (SELECT last FROM e)
UNION ALL
SELECT k.consumer, k.topic, m.topic, m.position, m.number, m.key, m.payload,
       m.headers, m.published_at
  FROM main.steward_cursors AS k
 CROSS JOIN main.steward_messages AS m
    ON m.position > max(k.acked_number,
                        iif(k.max_pending = 0, 0,
                            (SELECT max(l.position)
                               FROM main.steward_messages AS l)
                            - k.max_pending))
 WHERE k.kind = 2
   AND +m.position <= (SELECT last FROM e);

-- name: delivery_status
-- One row per subscription; pending and dropped are subtractions.  bytes are
-- those of at most 1000 pending messages.
SELECT s.cursor_id, s.consumer, s.topic, s.policy, s.acked_position,
       CASE s.kind WHEN 0 THEN
         (SELECT m.position FROM main.steward_messages AS m
           WHERE m.topic = s.topic AND m.number = s.last_number)
       WHEN 1 THEN
         (SELECT n.position FROM main.steward_pattern_numbers AS n
           WHERE n.pattern_id = s.pattern_id AND n.number = s.last_number)
       ELSE nullif(s.last_number, 0) END AS last_position,
       s.last_number - max(s.acked_number, s.bound) AS pending,
       CASE s.kind WHEN 0 THEN
         (SELECT coalesce(sum(b), 0) FROM
            (SELECT length(CAST(m.payload AS BLOB)) AS b
               FROM main.steward_messages AS m
              WHERE m.topic = s.topic
                AND m.number > max(s.acked_number, s.bound)
              ORDER BY m.number LIMIT 1000))
       WHEN 1 THEN
         (SELECT coalesce(sum(b), 0) FROM
            (SELECT length(CAST(m.payload AS BLOB)) AS b
               FROM main.steward_pattern_numbers AS n
              CROSS JOIN main.steward_messages AS m ON m.position = n.position
              WHERE n.pattern_id = s.pattern_id
                AND n.number > max(s.acked_number, s.bound)
              ORDER BY n.number LIMIT 1000))
       ELSE
         (SELECT coalesce(sum(b), 0) FROM
            (SELECT length(CAST(m.payload AS BLOB)) AS b
               FROM main.steward_messages AS m
              WHERE m.position > max(s.acked_number, s.bound)
              ORDER BY m.position LIMIT 1000))
       END AS pending_bytes,
       s.last_number - max(s.acked_number, s.bound) > 1000 AS bytes_capped,
       CASE s.kind WHEN 0 THEN
         (SELECT m.published_at FROM main.steward_messages AS m
           WHERE m.topic = s.topic
             AND m.number = max(s.acked_number, s.bound) + 1)
       WHEN 1 THEN
         (SELECT m.published_at
            FROM main.steward_pattern_numbers AS n
           CROSS JOIN main.steward_messages AS m ON m.position = n.position
           WHERE n.pattern_id = s.pattern_id
             AND n.number = max(s.acked_number, s.bound) + 1)
       ELSE
         (SELECT m.published_at FROM main.steward_messages AS m
           WHERE m.position = max(s.acked_number, s.bound) + 1)
       END AS oldest_at,
       max(0, s.bound - s.acked_number) AS dropped_pending,
       s.dropped_total, s.dropped_from, s.dropped_to, s.max_pending, s.seen_at,
       s.seen_at + nullif(coalesce((SELECT value FROM main.steward_config
                                     WHERE name = 'delivery_idle'),
                                   2592000000), 0) AS expires_at,
       s.created_at
  FROM (SELECT b.*, max(b.floor_number,
                        iif(b.max_pending = 0, b.floor_number,
                            b.last_number - b.max_pending)) AS bound
          FROM (SELECT f.*,
                       CASE f.kind WHEN 0 THEN
                         coalesce((SELECT m.number
                                     FROM main.steward_messages AS m
                                          INDEXED BY steward_messages_number
                                    WHERE m.topic = f.topic AND m.number > 0
                                    ORDER BY m.number DESC LIMIT 1),
                                  f.floor_number)
                       WHEN 1 THEN f.pattern_last
                       ELSE coalesce((SELECT max(m.position)
                                        FROM main.steward_messages AS m), 0)
                       END AS last_number
                  FROM (SELECT k.*, p.pattern_id,
                               p.last_number AS pattern_last,
                               CASE k.kind WHEN 0 THEN
                                 coalesce((SELECT t.floor_number
                                             FROM main.steward_topics AS t
                                            WHERE t.topic = k.topic), 0)
                               WHEN 1 THEN p.floor_number
                               ELSE coalesce((SELECT min(m.position) - 1
                                                FROM main.steward_messages
                                                  AS m), 0)
                               END AS floor_number
                          FROM main.steward_cursors AS k
                          LEFT JOIN main.steward_patterns AS p
                               INDEXED BY sqlite_autoindex_steward_patterns_1
                                 ON p.pattern = k.topic AND k.kind = 1) AS f)
            AS b) AS s;

-- name: delivery_full
-- A subscription that refuses another message of the topic.
SELECT k.consumer, k.max_pending
  FROM main.steward_cursors AS k INDEXED BY steward_cursors_reject
 WHERE k.topic = ?1 AND k.policy = 'reject' AND k.max_pending > 0
   AND (SELECT m.number FROM main.steward_messages AS m
               INDEXED BY steward_messages_number
         WHERE m.topic = ?1 AND m.number > 0
         ORDER BY m.number DESC LIMIT 1) - k.acked_number >= k.max_pending
 ORDER BY k.acked_number LIMIT 1;

-- name: delivery_prune hot
-- Remove up to 128 of the oldest messages that every subscription has passed
-- (and at least one wanted), published until ?1.  slowest: the least place of
-- a pattern's slowest subscription that has something to read.
DELETE FROM main.steward_messages
 WHERE position < (
   SELECT coalesce(
            (SELECT m.position FROM main.steward_messages AS m
              WHERE m.position < o.oldest + 128
                AND NOT (
                  m.published_at <= ?1
                  AND coalesce((SELECT k.acked_number
                                  FROM main.steward_cursors AS k
                                 WHERE k.topic = m.topic
                                   AND k.acked_number > -1 << 62
                                 ORDER BY k.acked_number LIMIT 1), m.number)
                      >= m.number
                  AND coalesce((SELECT k.acked_number
                                  FROM main.steward_cursors AS k
                                 WHERE k.topic = '*'
                                   AND k.acked_number > -1 << 62
                                 ORDER BY k.acked_number LIMIT 1), m.position)
                      >= m.position
                  AND coalesce((SELECT min(s.place) FROM (
                         SELECT (SELECT k.acked_position
                                   FROM main.steward_cursors AS k
                                  WHERE k.topic = p.pattern
                                    AND k.acked_number < p.last_number
                                  ORDER BY k.acked_number LIMIT 1) AS place
                           FROM main.steward_patterns AS p) AS s),
                         m.position) >= m.position
                  AND (EXISTS (SELECT 1 FROM main.steward_cursors AS k
                                WHERE k.topic = m.topic
                                  AND k.acked_number > -1 << 62)
                    OR EXISTS (SELECT 1 FROM main.steward_cursors AS k
                                WHERE k.topic = '*'
                                  AND k.acked_number > -1 << 62)
                    OR EXISTS (SELECT 1 FROM main.steward_patterns AS p
                                WHERE m.topic >= rtrim(p.pattern, '*')
                                  AND m.topic < rtrim(p.pattern, ':*') || ';')))
              ORDER BY m.position LIMIT 1),
            o.oldest + 128)
     FROM (SELECT min(position) AS oldest FROM main.steward_messages) AS o)
   AND position < (SELECT max(position) FROM main.steward_messages);

-- name: delivery_idle hot
-- The subscription that nobody has touched for longest, if not since ?1.
SELECT cursor_id FROM main.steward_cursors INDEXED BY steward_cursors_seen
 WHERE seen_at < ?1 ORDER BY seen_at LIMIT 1;

-- name: delivery_expire hot
-- End it.
DELETE FROM main.steward_cursors WHERE cursor_id = ?1;

-- name: delivery_pattern_new
-- A pattern's channel; complete from the next message on.
INSERT INTO main.steward_patterns(pattern, complete_from)
VALUES (?1, 1 + coalesce((SELECT max(position) FROM main.steward_messages), 0))
    ON CONFLICT (pattern) DO NOTHING;

-- name: delivery_pattern_fill
-- Put in the older messages, the newest with the number of the floor and so
-- on downwards.  ?2: the prefix, ?3: the first text behind all with it.
INSERT INTO main.steward_pattern_numbers(pattern_id, number, position)
SELECT p.pattern_id,
       p.floor_number + 1 - row_number() OVER (ORDER BY m.position DESC),
       m.position
  FROM main.steward_patterns AS p
 CROSS JOIN main.steward_messages AS m
         ON m.topic >= ?2 AND m.topic < ?3 AND m.position < p.complete_from
 WHERE p.pattern = ?1;

-- name: delivery_pattern_filled
-- The floor after that.
UPDATE main.steward_patterns AS p
   SET complete_from = 0,
       floor_number = coalesce((SELECT n.number - 1
                                  FROM main.steward_pattern_numbers AS n
                                 WHERE n.pattern_id = p.pattern_id
                                 ORDER BY n.number LIMIT 1), p.floor_number)
 WHERE pattern = ?1;

-- name: delivery_pattern_drop
-- A channel that nobody subscribes to any more.
DELETE FROM main.steward_patterns
 WHERE NOT EXISTS (SELECT 1 FROM main.steward_cursors AS k
                    WHERE k.topic = pattern AND k.kind = 1)
RETURNING pattern_id;

-- name: delivery_pattern_forget
-- Its numbers.
DELETE FROM main.steward_pattern_numbers WHERE pattern_id = ?1;

-- name: delivery_pattern_any
-- Is there any channel of a pattern?
SELECT 1 FROM main.steward_patterns LIMIT 1;

-- name: delivery_reject_any
-- Is there any subscription that rejects?
SELECT 1 FROM main.steward_cursors INDEXED BY steward_cursors_reject
 WHERE policy = 'reject' LIMIT 1;

-- name: delivery_reject_on script
-- What every message pays for from the first subscription on that rejects: one
-- step per such subscription of its topic.
CREATE TRIGGER IF NOT EXISTS main.steward_messages_full
BEFORE INSERT ON steward_messages
WHEN EXISTS (SELECT 1
               FROM steward_cursors AS k INDEXED BY steward_cursors_reject
              WHERE k.topic = NEW.topic AND k.policy = 'reject'
                AND k.max_pending > 0
                AND NEW.number > k.max_pending + max(k.acked_number, coalesce(
                  (SELECT t.floor_number FROM steward_topics AS t
                    WHERE t.topic = NEW.topic), 0)))
BEGIN
  SELECT RAISE(ABORT, 'QUEUE_FULL: steward_log: a subscription of this topic takes no more: wait for its consumer');
END;

-- name: delivery_reject_off script
-- Nobody pays any more.
DROP TRIGGER IF EXISTS main.steward_messages_full;
