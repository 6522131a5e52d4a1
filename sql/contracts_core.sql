-- set: core
-- name: contract_core_sets_have_their_steps
-- Every installed set has a bookkeeping row for each version up to its own.
SELECT count(*) FROM main.steward_sets AS s
 WHERE s.version <> (SELECT count(*) FROM main.steward_migrations AS m
                      WHERE m.set_name = s.set_name
                        AND m.version BETWEEN 1 AND s.version);

-- name: contract_core_steps_belong_to_sets
-- No bookkeeping row beyond the version of its set.
SELECT count(*) FROM main.steward_migrations AS m
 WHERE NOT EXISTS (SELECT 1 FROM main.steward_sets AS s
                    WHERE s.set_name = m.set_name
                      AND s.version >= m.version);

-- name: contract_core_positions_have_no_holes
-- The positions run from the oldest message to the newest without a hole.
SELECT coalesce(max(position) - min(position) + 1 - count(*), 0)
  FROM main.steward_messages;

-- name: contract_core_numbers_have_no_holes
-- The numbers of a topic run from above its floor to the last without a hole,
-- in the order of positions.
SELECT count(*)
  FROM (SELECT m.topic, m.number, m.position,
               lag(m.number, 1, coalesce((SELECT t.floor_number
                                            FROM main.steward_topics AS t
                                           WHERE t.topic = m.topic), 0))
                 OVER topic AS before,
               lag(m.position, 1, 0) OVER topic AS behind
          FROM main.steward_messages AS m
        WINDOW topic AS (PARTITION BY m.topic ORDER BY m.number))
 WHERE number <> before + 1 OR position <= behind;

-- name: contract_core_cursors_within_log
-- No cursor is beyond the last message of its topic or of the log.
SELECT count(*)
  FROM main.steward_cursors AS c
 WHERE c.dropped_total < 0
    OR (c.kind <> 1 AND c.acked_number < 0)
    OR (c.kind = 0
        AND c.acked_number > coalesce((SELECT max(m.number)
                                         FROM main.steward_messages AS m
                                        WHERE m.topic = c.topic),
                                      (SELECT t.floor_number
                                         FROM main.steward_topics AS t
                                        WHERE t.topic = c.topic), 0))
    OR (c.kind = 2
        AND c.acked_number > coalesce((SELECT max(m.position)
                                         FROM main.steward_messages AS m), 0));

-- name: contract_core_policies_have_their_tables
-- Every expiry policy is on a table that exists.
SELECT count(*) FROM main.steward_policies AS p
 WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_schema AS s
                    WHERE s.type = 'table'
                      AND s.name = p.table_name COLLATE NOCASE);

-- name: contract_core_duties_add_up
-- No duty has failed more often than it was done, or was due before 1970.
SELECT count(*) FROM main.steward_duties
 WHERE errors_total > runs_total OR due_at < 0;

-- name: contract_delivery_bounds
-- set: delivery
-- No subscription shows more unacknowledged deliveries than its bound.
SELECT count(*) FROM main.steward_cursors AS c
 WHERE c.max_pending > 0
   AND c.max_pending < (SELECT count(*) FROM main.subscription_deliveries AS d
                         WHERE d.subscription_id = c.cursor_id
                           AND d.acked = 0);

-- name: contract_delivery_patterns
-- set: delivery
-- The numbers of a pattern run from above its floor to its last without a hole,
-- in the order of positions, and each has its message; no cursor is outside.
SELECT (SELECT count(*)
          FROM main.steward_patterns AS p
         WHERE p.last_number - p.floor_number <>
               (SELECT count(*) FROM main.steward_pattern_numbers AS n
                 WHERE n.pattern_id = p.pattern_id
                   AND n.number > p.floor_number
                   AND n.number <= p.last_number))
     + (SELECT count(*)
          FROM main.steward_pattern_numbers AS n
          LEFT JOIN main.steward_patterns AS p USING (pattern_id)
          LEFT JOIN main.steward_messages AS m USING (position)
         WHERE p.pattern IS NULL OR m.topic IS NULL
            OR substr(m.topic, 1, length(p.pattern) - 1)
               <> rtrim(p.pattern, '*')
            OR n.position <= (SELECT b.position
                                FROM main.steward_pattern_numbers AS b
                               WHERE b.pattern_id = n.pattern_id
                                 AND b.number = n.number - 1))
     + (SELECT count(*)
          FROM main.steward_cursors AS c
          LEFT JOIN main.steward_patterns AS p ON p.pattern = c.topic
         WHERE c.kind = 1
           AND (p.pattern IS NULL OR c.acked_number > p.last_number));
