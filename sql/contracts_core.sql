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

-- name: contract_core_log_is_numbered
-- Every message has exactly one number, and every number its message.
SELECT abs((SELECT count(*) FROM main.steward_log)
         - (SELECT count(*) FROM main.steward_numbers))
     + (SELECT count(*) FROM main.steward_numbers AS n
         WHERE NOT EXISTS (SELECT 1 FROM main.steward_log AS l
                            WHERE l.position = n.position));

-- name: contract_core_numbers_have_no_holes
-- The numbers of a topic run from above its floor to the last without a hole.
SELECT count(*)
  FROM (SELECT t.floor_number, count(n.number) AS held,
               min(n.number) AS first, max(n.number) AS last
          FROM main.steward_topics AS t
          JOIN main.steward_numbers AS n USING (topic_id)
         GROUP BY t.topic_id)
 WHERE first <> floor_number + 1 OR last - first + 1 <> held;

-- name: contract_core_cursors_within_log
-- No cursor is beyond the last message of its topic or of the log.
SELECT count(*)
  FROM main.steward_cursors AS c
  LEFT JOIN main.steward_topics AS t ON t.topic = c.topic
 WHERE c.acked_number < 0 OR c.dropped_total < 0
    OR c.acked_number > coalesce((SELECT max(n.number)
                                    FROM main.steward_numbers AS n
                                   WHERE n.topic_id = t.topic_id),
                                 t.floor_number, 0);

-- name: contract_core_policies_have_their_tables
-- Every expiry policy is on a table that exists.
SELECT count(*) FROM main.steward_policies AS p
 WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_schema AS s
                    WHERE s.type = 'table'
                      AND s.name = p.table_name COLLATE NOCASE);

-- name: contract_delivery_bounds
-- set: delivery
-- No subscription shows more unacknowledged deliveries than its bound.
SELECT count(*) FROM main.steward_cursors AS c
 WHERE c.max_pending > 0
   AND c.max_pending < (SELECT count(*) FROM main.subscription_deliveries AS d
                         WHERE d.subscription_id = c.cursor_id
                           AND d.acked = 0);
