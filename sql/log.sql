-- set: core
-- name: log_append hot
-- Append a message, numbered within its topic.  By VALUES: an INSERT .. SELECT
-- that reads its own table would go through a temporary one, at five times the
-- cost.
INSERT INTO main.steward_messages(topic, number, key, payload, headers,
                                  published_at)
VALUES (
  ?1,
  1 + coalesce(
    (SELECT m.number FROM main.steward_messages AS m
            INDEXED BY steward_messages_number
      WHERE m.topic = ?1 AND m.number > 0
      ORDER BY m.number DESC LIMIT 1),
    (SELECT t.floor_number FROM main.steward_topics AS t WHERE t.topic = ?1),
    0),
  ?2, ?3, ?4, ?5);

-- name: log_mark hot
-- While log_max_bytes is set: how many bytes of payload there have been up to
-- the newest message.
INSERT INTO main.steward_log_marks(bytes, position)
SELECT coalesce(k.bytes + (SELECT sum(length(CAST(m.payload AS BLOB)))
                             FROM main.steward_messages AS m
                            WHERE m.position > k.position), 0),
       n.newest
  FROM (SELECT max(position) AS newest FROM main.steward_messages) AS n
  LEFT JOIN (SELECT bytes, position FROM main.steward_log_marks
              ORDER BY bytes DESC, position DESC LIMIT 1) AS k
 WHERE (SELECT value FROM main.steward_config
         WHERE name = 'log_max_bytes') > 0
   AND n.newest > coalesce(k.position, 0);

-- name: log_unmark hot
-- Marks that say nothing any more.
DELETE FROM main.steward_log_marks
 WHERE bytes < (SELECT k.bytes FROM main.steward_log_marks AS k
                 WHERE k.bytes <= (SELECT e.bytes
                                     FROM main.steward_log_marks AS e
                                    ORDER BY e.bytes DESC LIMIT 1)
                   - nullif((SELECT value FROM main.steward_config
                              WHERE name = 'log_max_bytes'), 0)
                 ORDER BY k.bytes DESC LIMIT 1);

-- name: log_sweep hot
-- Retention: remove up to 128 of the oldest messages that at the time ?1 are
-- beyond log_max_rows, log_max_age or log_max_bytes, as
-- steward_log_sweep_oldest does.
DELETE FROM main.steward_messages
 WHERE position < (
   SELECT coalesce(
            (SELECT m.position FROM main.steward_messages AS m
              WHERE m.position < o.oldest + 128
                AND (+m.position = n.newest
                  OR (+m.position > n.newest - coalesce(
                        (SELECT value FROM main.steward_config
                          WHERE name = 'log_max_rows'), 1000000)
                  AND +m.position > coalesce((SELECT k.position FROM main.steward_log_marks AS k
                        WHERE k.bytes <= (SELECT e.bytes
                                            FROM main.steward_log_marks AS e
                                           ORDER BY e.bytes DESC LIMIT 1)
                          - nullif((SELECT value FROM main.steward_config
                                     WHERE name = 'log_max_bytes'), 0)
                        ORDER BY k.bytes DESC, k.position DESC LIMIT 1), 0)
                  AND m.published_at >= ?1
                      - coalesce(
                        (SELECT value FROM main.steward_config
                          WHERE name = 'log_max_age'), 604800000)))
              ORDER BY m.position LIMIT 1),
            o.oldest + 128)
     FROM (SELECT min(position) AS oldest FROM main.steward_messages) AS o,
          (SELECT max(position) AS newest FROM main.steward_messages) AS n);

-- name: log_cursors_anew
-- The log was lost and begins again: so do its cursors.
UPDATE main.steward_cursors SET acked_position = 0, acked_number = 0;

-- name: log_marks_anew
-- And its marks.
DELETE FROM main.steward_log_marks;

-- name: log_topics_anew
-- And its topics.
DELETE FROM main.steward_topics;

-- name: log_patterns_anew
-- And the channels of patterns.
-- set: delivery
UPDATE main.steward_patterns
   SET floor_number = 0, last_number = 0, complete_from = 0;

-- name: log_pattern_numbers_anew
-- With their numbers.
-- set: delivery
DELETE FROM main.steward_pattern_numbers;

-- name: log_last hot
-- The last position, one step from the end of the table.
SELECT position FROM main.steward_messages ORDER BY position DESC LIMIT 1;
