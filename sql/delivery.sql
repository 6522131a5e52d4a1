-- set: delivery
--
-- Places are numbers within a topic, messages are found by their position or
-- by (topic, number), and numbers have no holes.  Two questions come again and
-- again:
--   the last number of a topic: that of its newest message, or, when all have
--     left, the floor;
--   the number at a position: that of the message there, if it is of this
--     topic; else it is found by climbing the topic's numbers in steps that
--     halve (half), which reads a few dozen index entries whatever the size.
--
-- INDEXED BY, because statistics of a table with few topics can make SQLite
-- look at all of them; "number > 0", which is always true, because without it
-- statistics of a small table make it sort a topic rather than read its last
-- entry.

-- name: delivery_subscribe hot
-- Make a subscription, or change its bound and keep its place.  ?3 max_pending
-- (-1: as it is, ?4 for a new one), ?5 where to start: 0 latest, 1 earliest,
-- 2 behind position ?6.
INSERT INTO main.steward_cursors(consumer, topic, acked_position, acked_number,
                                 max_pending, created_at, seen_at)
SELECT ?1, ?2,
       CASE ?5 WHEN 0 THEN coalesce((SELECT l.position
                                       FROM main.steward_messages AS l
                                      ORDER BY l.position DESC LIMIT 1), 0)
               WHEN 1 THEN 0
               ELSE ?6 END,
       CASE ?5 WHEN 0 THEN s.last_number
               WHEN 1 THEN s.floor_number
               ELSE (WITH RECURSIVE half(low, step) AS (
                       SELECT s.floor_number, 1 << (4 * length(
                                printf('%x', s.last_number - s.floor_number)))
                       UNION ALL
                       SELECT h.low + h.step * coalesce(
                                (SELECT n.position <= ?6
                                   FROM main.steward_messages AS n
                                  WHERE n.topic = ?2
                                    AND n.number = h.low + h.step), 0),
                              h.step / 2
                         FROM half AS h WHERE h.step > 0)
                     SELECT low FROM half WHERE step = 0) END,
       iif(?3 < 0, ?4, ?3), ?7, ?7
  FROM (SELECT f.floor_number,
               coalesce((SELECT m.number FROM main.steward_messages AS m
                                INDEXED BY steward_messages_number
                          WHERE m.topic = ?2 AND m.number > 0
                          ORDER BY m.number DESC LIMIT 1),
                        f.floor_number) AS last_number
          FROM (SELECT coalesce((SELECT t.floor_number
                                   FROM main.steward_topics AS t
                                  WHERE t.topic = ?2), 0) AS floor_number)
            AS f) AS s
 WHERE true
    ON CONFLICT (consumer, topic) DO UPDATE
   SET max_pending = iif(?3 < 0, max_pending, ?3), seen_at = ?7
RETURNING cursor_id;

-- name: delivery_unsubscribe hot
-- End a subscription.
DELETE FROM main.steward_cursors WHERE consumer = ?1 AND topic = ?2;

-- name: delivery_subscribed hot
-- Does the consumer have any subscription?
SELECT 1 FROM main.steward_cursors
       INDEXED BY sqlite_autoindex_steward_cursors_1
 WHERE consumer = ?1 LIMIT 1;

-- name: delivery_ack hot
-- Acknowledge everything up to position ?2, in every topic of the consumer.
-- What the bound had dropped before that place counts as lost.
UPDATE main.steward_cursors AS c
   SET acked_position = ?2,
       acked_number = d.number,
       dropped_total = c.dropped_total
         + iif(d.number > d.bound, max(0, d.bound - c.acked_number), 0),
       seen_at = ?3
  FROM (SELECT s.cursor_id,
               max(s.floor_number,
                   iif(s.max_pending = 0, 0, s.last_number - s.max_pending))
                 AS bound,
               max(s.acked_number, coalesce(
                 (SELECT n.number FROM main.steward_messages AS n
                   WHERE n.position = ?2 AND n.topic = s.topic),
                 (WITH RECURSIVE half(low, step) AS (
                    SELECT max(s.acked_number, s.floor_number),
                           1 << (4 * length(printf('%x', s.last_number
                             - max(s.acked_number, s.floor_number))))
                    UNION ALL
                    SELECT h.low + h.step * coalesce(
                             (SELECT n.position <= ?2
                                FROM main.steward_messages AS n
                               WHERE n.topic = s.topic
                                 AND n.number = h.low + h.step), 0),
                           h.step / 2
                      FROM half AS h WHERE h.step > 0)
                  SELECT low FROM half WHERE step = 0))) AS number
          FROM (SELECT f.*,
                       coalesce((SELECT m.number
                                   FROM main.steward_messages AS m
                                        INDEXED BY steward_messages_number
                                  WHERE m.topic = f.topic AND m.number > 0
                                  ORDER BY m.number DESC LIMIT 1),
                                f.floor_number) AS last_number
                  FROM (SELECT k.cursor_id, k.topic, k.acked_number,
                               k.max_pending,
                               coalesce((SELECT t.floor_number
                                           FROM main.steward_topics AS t
                                          WHERE t.topic = k.topic), 0)
                                 AS floor_number
                          FROM main.steward_cursors AS k
                               INDEXED BY sqlite_autoindex_steward_cursors_1
                         WHERE k.consumer = ?1) AS f) AS s) AS d
 WHERE c.cursor_id = d.cursor_id
   AND c.acked_position < ?2
   AND ?2 <= (SELECT l.position FROM main.steward_messages AS l
               ORDER BY l.position DESC LIMIT 1);

-- name: delivery_cursors hot
-- The consumer's subscriptions: where each goes on behind position ?2, and
-- what its bound has dropped before that.
SELECT s.topic,
       max(s.low, s.floor_number,
           iif(s.max_pending = 0, 0, s.last_number - s.max_pending)) + 1
         AS first,
       max(s.low, s.floor_number,
           iif(s.max_pending = 0, 0, s.last_number - s.max_pending)) - s.low
         AS dropped,
       max(s.acked_position, ?2) + 1 AS dropped_from
  FROM (SELECT b.*,
               CASE WHEN ?2 <= b.acked_position THEN b.acked_number
               ELSE max(b.acked_number, coalesce(
                 (SELECT n.number FROM main.steward_messages AS n
                   WHERE n.position = ?2 AND n.topic = b.topic),
                 (WITH RECURSIVE half(low, step) AS (
                    SELECT max(b.acked_number, b.floor_number),
                           1 << (4 * length(printf('%x', b.last_number
                             - max(b.acked_number, b.floor_number))))
                    UNION ALL
                    SELECT h.low + h.step * coalesce(
                             (SELECT n.position <= ?2
                                FROM main.steward_messages AS n
                               WHERE n.topic = b.topic
                                 AND n.number = h.low + h.step), 0),
                           h.step / 2
                      FROM half AS h WHERE h.step > 0)
                  SELECT low FROM half WHERE step = 0))) END AS low
          FROM (SELECT f.*,
                       coalesce((SELECT m.number
                                   FROM main.steward_messages AS m
                                        INDEXED BY steward_messages_number
                                  WHERE m.topic = f.topic AND m.number > 0
                                  ORDER BY m.number DESC LIMIT 1),
                                f.floor_number) AS last_number
                  FROM (SELECT k.topic, k.acked_number, k.acked_position,
                               k.max_pending,
                               coalesce((SELECT t.floor_number
                                           FROM main.steward_topics AS t
                                          WHERE t.topic = k.topic), 0)
                                 AS floor_number
                          FROM main.steward_cursors AS k
                               INDEXED BY sqlite_autoindex_steward_cursors_1
                         WHERE k.consumer = ?1) AS f) AS b) AS s;

-- name: delivery_rows hot
-- The messages of a topic from a number on, in order.
SELECT m.position, m.number, m.topic, m.key, m.payload, m.headers,
       m.published_at
  FROM main.steward_messages AS m INDEXED BY steward_messages_number
 WHERE m.topic = ?1 AND m.number >= ?2
 ORDER BY m.number;

-- name: delivery_queue hot
-- Every pending delivery of every subscription.
SELECT k.consumer, k.topic, m.position, m.number, m.key, m.payload, m.headers,
       m.published_at
  FROM main.steward_cursors AS k
 CROSS JOIN main.steward_messages AS m INDEXED BY steward_messages_number
    ON m.topic = k.topic
   AND m.number > max(k.acked_number,
                      iif(k.max_pending = 0, 0,
                          (SELECT l.number FROM main.steward_messages AS l
                                  INDEXED BY steward_messages_number
                            WHERE l.topic = k.topic AND l.number > 0
                            ORDER BY l.number DESC LIMIT 1) - k.max_pending));

-- name: delivery_status
-- One row per subscription; pending and dropped are subtractions.
SELECT s.cursor_id, s.consumer, s.topic, s.acked_position,
       (SELECT m.position FROM main.steward_messages AS m
         WHERE m.topic = s.topic AND m.number = s.last_number)
         AS last_position,
       s.last_number - max(s.acked_number, s.bound) AS pending,
       max(0, s.bound - s.acked_number) AS dropped_pending,
       s.dropped_total, s.max_pending,
       (SELECT m.published_at FROM main.steward_messages AS m
         WHERE m.topic = s.topic
           AND m.number = max(s.acked_number, s.bound) + 1) AS oldest_at,
       s.seen_at, s.created_at
  FROM (SELECT b.*, max(b.floor_number,
                        iif(b.max_pending = 0, 0,
                            b.last_number - b.max_pending)) AS bound
          FROM (SELECT f.*,
                       coalesce((SELECT m.number
                                   FROM main.steward_messages AS m
                                        INDEXED BY steward_messages_number
                                  WHERE m.topic = f.topic AND m.number > 0
                                  ORDER BY m.number DESC LIMIT 1),
                                f.floor_number) AS last_number
                  FROM (SELECT k.*,
                               coalesce((SELECT t.floor_number
                                           FROM main.steward_topics AS t
                                          WHERE t.topic = k.topic), 0)
                                 AS floor_number
                          FROM main.steward_cursors AS k) AS f) AS b) AS s;
