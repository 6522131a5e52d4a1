-- set: delivery
-- name: delivery_subscribe hot
-- Make a subscription, or change its bound and keep its place.  ?3 max_pending
-- (-1: as it is, ?4 for a new one), ?5 where to start: 0 latest, 1 earliest,
-- 2 behind position ?6.  The place of a position within its topic is found by
-- climbing the topic's numbers, which have no holes, in steps that halve.
INSERT INTO main.steward_cursors(consumer, topic, acked_position, acked_number,
                                 max_pending, created_at, seen_at)
SELECT ?1, ?2,
       CASE ?5 WHEN 0 THEN coalesce((SELECT l.position
                                       FROM main.steward_log AS l
                                      ORDER BY l.position DESC LIMIT 1), 0)
               WHEN 1 THEN 0
               ELSE ?6 END,
       coalesce((
         SELECT CASE ?5 WHEN 0 THEN s.last_number
                WHEN 1 THEN s.floor_number
                ELSE (WITH RECURSIVE half(low, step) AS (
                        SELECT s.floor_number, 1 << (4 * length(
                                 printf('%x', s.last_number - s.floor_number)))
                        UNION ALL
                        SELECT h.low + h.step * coalesce(
                                 (SELECT n.position <= ?6
                                    FROM main.steward_numbers AS n
                                   WHERE n.topic_id = s.topic_id
                                     AND n.number = h.low + h.step), 0),
                               h.step / 2
                          FROM half AS h WHERE h.step > 0)
                      SELECT low FROM half WHERE step = 0) END
           FROM (SELECT t.topic_id, t.floor_number,
                        coalesce((SELECT n.number
                                    FROM main.steward_numbers AS n
                                   WHERE n.topic_id = t.topic_id
                                   ORDER BY n.number DESC LIMIT 1),
                                 t.floor_number) AS last_number
                   FROM main.steward_topics AS t WHERE t.topic = ?2) AS s), 0),
       iif(?3 < 0, ?4, ?3), ?7, ?7
 WHERE true
    ON CONFLICT (consumer, topic) DO UPDATE
   SET max_pending = iif(?3 < 0, max_pending, ?3), seen_at = ?7
RETURNING cursor_id;

-- name: delivery_unsubscribe hot
-- End a subscription.
DELETE FROM main.steward_cursors WHERE consumer = ?1 AND topic = ?2;

-- name: delivery_subscribed hot
-- Does the consumer have any subscription?
SELECT 1 FROM main.steward_cursors WHERE consumer = ?1 LIMIT 1;

-- name: delivery_ack hot
-- Acknowledge everything up to position ?2, in every topic of the consumer.
-- What the bound had dropped before that place counts as lost.
UPDATE main.steward_cursors AS c
   SET acked_position = ?2,
       acked_number = d.number,
       dropped_total = c.dropped_total
         + iif(d.number > d.floor, max(0, d.floor - c.acked_number), 0),
       seen_at = ?3
  FROM (SELECT s.cursor_id,
               max(s.floor_number,
                   iif(s.max_pending = 0, 0, s.last_number - s.max_pending))
                 AS floor,
               max(s.acked_number, coalesce(
                 (WITH RECURSIVE half(low, step) AS (
                    SELECT max(s.acked_number, s.floor_number),
                           1 << (4 * length(printf('%x', s.last_number
                             - max(s.acked_number, s.floor_number))))
                    UNION ALL
                    SELECT h.low + h.step * coalesce(
                             (SELECT n.position <= ?2
                                FROM main.steward_numbers AS n
                               WHERE n.topic_id = s.topic_id
                                 AND n.number = h.low + h.step), 0),
                           h.step / 2
                      FROM half AS h WHERE h.step > 0)
                  SELECT low FROM half WHERE step = 0), 0)) AS number
          FROM (SELECT k.cursor_id, k.acked_number, k.max_pending, t.topic_id,
                       coalesce(t.floor_number, 0) AS floor_number,
                       coalesce((SELECT n.number
                                   FROM main.steward_numbers AS n
                                  WHERE n.topic_id = t.topic_id
                                  ORDER BY n.number DESC LIMIT 1),
                                t.floor_number, 0) AS last_number
                  FROM main.steward_cursors AS k
                       INDEXED BY sqlite_autoindex_steward_cursors_1
                  LEFT JOIN main.steward_topics AS t
                       INDEXED BY sqlite_autoindex_steward_topics_1
                    ON t.topic = k.topic
                 WHERE k.consumer = ?1) AS s) AS d
 WHERE c.cursor_id = d.cursor_id
   AND c.acked_position < ?2
   AND ?2 <= (SELECT l.position FROM main.steward_log AS l
               ORDER BY l.position DESC LIMIT 1);

-- name: delivery_cursors hot
-- The consumer's subscriptions: where each goes on behind position ?2, and
-- what its bound has dropped before that.
SELECT s.topic_id,
       max(s.low, s.floor_number,
           iif(s.max_pending = 0, 0, s.last_number - s.max_pending)) + 1
         AS first,
       max(s.low, s.floor_number,
           iif(s.max_pending = 0, 0, s.last_number - s.max_pending)) - s.low
         AS dropped,
       max(s.acked_position, ?2) + 1 AS dropped_from
  FROM (SELECT b.*,
               max(b.acked_number, coalesce(
                 (WITH RECURSIVE half(low, step) AS (
                    SELECT max(b.acked_number, b.floor_number),
                           1 << (4 * length(printf('%x', b.last_number
                             - max(b.acked_number, b.floor_number))))
                     WHERE ?2 > b.acked_position
                    UNION ALL
                    SELECT h.low + h.step * coalesce(
                             (SELECT n.position <= ?2
                                FROM main.steward_numbers AS n
                               WHERE n.topic_id = b.topic_id
                                 AND n.number = h.low + h.step), 0),
                           h.step / 2
                      FROM half AS h WHERE h.step > 0)
                  SELECT low FROM half WHERE step = 0), 0)) AS low
          FROM (SELECT k.acked_number, k.acked_position, k.max_pending,
                       t.topic_id, t.floor_number,
                       coalesce((SELECT n.number
                                   FROM main.steward_numbers AS n
                                  WHERE n.topic_id = t.topic_id
                                  ORDER BY n.number DESC LIMIT 1),
                                t.floor_number) AS last_number
                  FROM main.steward_cursors AS k
                       INDEXED BY sqlite_autoindex_steward_cursors_1
                 CROSS JOIN main.steward_topics AS t
                       INDEXED BY sqlite_autoindex_steward_topics_1
                    ON t.topic = k.topic
                 WHERE k.consumer = ?1) AS b) AS s;

-- name: delivery_rows hot
-- The messages of a topic from a number on, in order.
SELECT l.position, n.number, l.topic, l.key, l.payload, l.headers,
       l.published_at
  FROM main.steward_numbers AS n
 CROSS JOIN main.steward_log AS l ON l.position = n.position
 WHERE n.topic_id = ?1 AND n.number >= ?2
 ORDER BY n.number;

-- name: delivery_queue hot
-- Every pending delivery of every subscription.
SELECT k.consumer, k.topic, n.position, n.number, l.key, l.payload, l.headers,
       l.published_at
  FROM main.steward_cursors AS k
 CROSS JOIN main.steward_topics AS t
            INDEXED BY sqlite_autoindex_steward_topics_1
         ON t.topic = k.topic
 CROSS JOIN main.steward_numbers AS n ON n.topic_id = t.topic_id
   AND n.number > max(k.acked_number, t.floor_number,
                      iif(k.max_pending = 0, 0,
                          (SELECT m.number FROM main.steward_numbers AS m
                            WHERE m.topic_id = t.topic_id
                            ORDER BY m.number DESC LIMIT 1) - k.max_pending))
 CROSS JOIN main.steward_log AS l ON l.position = n.position;

-- name: delivery_status
-- One row per subscription; pending and dropped are subtractions.
SELECT s.cursor_id, s.consumer, s.topic, s.acked_position, s.last_position,
       s.last_number - max(s.acked_number, s.bound) AS pending,
       max(0, s.bound - s.acked_number) AS dropped_pending,
       s.dropped_total, s.max_pending,
       (SELECT l.published_at
          FROM main.steward_numbers AS n
          JOIN main.steward_log AS l ON l.position = n.position
         WHERE n.topic_id = s.topic_id
           AND n.number = max(s.acked_number, s.bound) + 1) AS oldest_at,
       s.seen_at, s.created_at
  FROM (SELECT b.*, max(b.floor_number,
                        iif(b.max_pending = 0, 0,
                            b.last_number - b.max_pending)) AS bound
          FROM (SELECT k.*, t.topic_id,
                       coalesce(t.floor_number, 0) AS floor_number,
                       coalesce((SELECT n.number
                                   FROM main.steward_numbers AS n
                                  WHERE n.topic_id = t.topic_id
                                  ORDER BY n.number DESC LIMIT 1),
                                t.floor_number, k.acked_number) AS last_number,
                       (SELECT n.position FROM main.steward_numbers AS n
                         WHERE n.topic_id = t.topic_id
                         ORDER BY n.number DESC LIMIT 1) AS last_position
                  FROM main.steward_cursors AS k
                  LEFT JOIN main.steward_topics AS t ON t.topic = k.topic)
            AS b) AS s;
