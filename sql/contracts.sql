-- What must hold between the tables of a set: each statement counts the rows
-- that break one rule, so 0 is right. contract_checks lists them by set and
-- name. They read whole tables and are for the operator, not for hot paths.
-- Those of the sets core and delivery stand elsewhere.

-- ------------------------------------------------------------ maintenance
-- The three are the maintenance seed's "Contract Validation".

-- name: contract_maintenance_pool_config
-- Pool rows whose numbers cannot be.
-- set: maintenance
SELECT COUNT(*) FROM steward_pool_config
WHERE min_connections < 1 OR max_connections < min_connections
   OR connection_timeout < 1;

-- name: contract_maintenance_orphaned_vacuum
-- Vacuum runs that have been running for more than an hour.
-- set: maintenance
SELECT COUNT(*) FROM steward_vacuum_log
WHERE status = 'running' AND started_ts < datetime('now', '-1 hour');

-- name: contract_maintenance_health_recency
-- Bad health results that nobody has looked at again for a day.
-- set: maintenance
SELECT COUNT(*) FROM steward_health_checks
WHERE checked_ts < datetime('now', '-1 day') AND status != 'healthy';

-- ---------------------------------------------------------------- changes

-- name: contract_changes_foreign_keys
-- Heads and forks without a branch, changes without bytes.
-- set: changes
SELECT count(*)
  FROM (VALUES ('am_heads'), ('am_change_index'), ('am_forks')) AS t,
       pragma_foreign_key_check(t.column1);

-- name: contract_changes_branches
-- Branches with changes that am_branches does not know for that document.
-- set: changes
SELECT count(*)
  FROM (SELECT DISTINCT doc_id, branch_id FROM am_change_index) AS c
 WHERE NOT EXISTS (SELECT 1 FROM am_branches AS b
                    WHERE b.branch_id = c.branch_id AND b.doc_id = c.doc_id);

-- name: contract_changes_numbers
-- Branches whose changes are not numbered 1, 2, 3 ... without a gap.
-- set: changes
SELECT count(*)
  FROM (SELECT 1 FROM am_change_index GROUP BY doc_id, branch_id
        HAVING min(seq_no) <> 1 OR max(seq_no) <> count(*));

-- name: contract_changes_heads_number
-- Branches whose heads stand at another number than their last change, and
-- branches with changes but without heads.
-- set: changes
SELECT count(*)
  FROM (SELECT branch_id FROM am_heads
        UNION SELECT branch_id FROM am_change_index) AS b
  LEFT JOIN am_heads AS h ON h.branch_id = b.branch_id
  LEFT JOIN (SELECT branch_id, max(seq_no) AS last FROM am_change_index
              GROUP BY branch_id) AS c ON c.branch_id = b.branch_id
 WHERE h.seq_no IS NOT coalesce(c.last, 0);

-- name: contract_changes_heads_indexed
-- Heads that are no change of their branch or of one that it came from, up to
-- where it left that.
-- set: changes
SELECT count(*)
  FROM am_heads AS h, json_each(h.heads_json) AS head
 WHERE NOT EXISTS (
         WITH RECURSIVE line(id, upto) AS (
           SELECT h.branch_id, 9223372036854775807
           UNION
           SELECT b.parent_branch_id, coalesce(f.seq_no, 9223372036854775807)
             FROM line
             JOIN am_branches AS b ON b.branch_id = line.id
             LEFT JOIN am_forks AS f ON f.branch_id = b.branch_id
         )
         SELECT 1 FROM line JOIN am_change_index AS c
             ON c.branch_id = line.id AND c.change_hash = head.value
          WHERE c.seq_no <= line.upto);

-- name: contract_changes_heads_open
-- Heads that a change of the same branch depends on.
-- set: changes
SELECT count(*)
  FROM am_heads AS h, json_each(h.heads_json) AS head
 WHERE head.value IN (SELECT dep.value
                        FROM am_change_index AS c, json_each(c.deps_json) AS dep
                       WHERE c.branch_id = h.branch_id);

-- name: contract_changes_dependencies
-- Dependencies that are neither an earlier change of the branch nor a change
-- of one that it came from, up to where it left that.
-- set: changes
SELECT count(*)
  FROM am_change_index AS c, json_each(c.deps_json) AS dep
 WHERE NOT EXISTS (
         WITH RECURSIVE line(id, upto) AS (
           SELECT c.branch_id, c.seq_no - 1
           UNION
           SELECT b.parent_branch_id, coalesce(f.seq_no, 9223372036854775807)
             FROM line
             JOIN am_branches AS b ON b.branch_id = line.id
             LEFT JOIN am_forks AS f ON f.branch_id = b.branch_id
         )
         SELECT 1 FROM line JOIN am_change_index AS d
             ON d.branch_id = line.id AND d.change_hash = dep.value
          WHERE d.seq_no <= line.upto);

-- name: contract_changes_forks
-- Branches with a place in a parent that they have not, that is of another
-- document, or that has not come so far.
-- set: changes
SELECT count(*)
  FROM am_forks AS f
  JOIN am_branches AS b ON b.branch_id = f.branch_id
  LEFT JOIN am_branches AS p
         ON p.branch_id = b.parent_branch_id AND p.doc_id = b.doc_id
  LEFT JOIN am_heads AS h ON h.branch_id = p.branch_id
 WHERE p.branch_id IS NULL OR f.seq_no < 0
    OR f.seq_no > coalesce(h.seq_no, 0);

-- name: contract_changes_times
-- Changes committed before an earlier one of their branch: change_upto relies
-- on times that do not go back.
-- set: changes
SELECT count(*)
  FROM (SELECT committed_at,
               lag(committed_at) OVER (PARTITION BY branch_id
                                       ORDER BY seq_no) AS before
          FROM am_change_index)
 WHERE committed_at < before;

-- name: contract_changes_duplicates
-- Changes indexed more than once on a branch (possible while the index
-- idx_change_branch_hash is away).
-- set: changes
SELECT count(*)
  FROM (SELECT 1 FROM am_change_index GROUP BY branch_id, change_hash
        HAVING count(*) > 1);

-- name: contract_changes_actor_order
-- Changes whose actor had the same or a higher number on the branch before.
-- set: changes
SELECT count(*)
  FROM (SELECT lamport, max(lamport) OVER (
                 PARTITION BY branch_id, actor_id ORDER BY seq_no
                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
          FROM am_change_index WHERE actor_id IS NOT NULL)
 WHERE lamport <= before;

-- name: contract_changes_closed
-- Branches whose state and closing time disagree, and branches merged into one
-- that does not exist or is of another document.
-- set: changes
SELECT count(*)
  FROM am_branches AS b
 WHERE b.closed NOT IN (0, 1)
    OR (b.closed = 0 AND b.closed_at IS NOT NULL)
    OR (b.closed = 1 AND b.closed_at IS NULL)
    OR (b.merged_into_branch_id IS NOT NULL AND NOT EXISTS (
          SELECT 1 FROM am_branches AS m
           WHERE m.branch_id = b.merged_into_branch_id
             AND m.doc_id = b.doc_id));

-- ---------------------------------------------------------------- storage

-- name: contract_storage_usage
-- Installs whose usage is not the sum over their records.
-- set: storage
SELECT count(*)
  FROM (SELECT tenant, extension_install_id FROM ext_storage_usage
        UNION
        SELECT tenant, extension_install_id FROM ext_storage_records) AS i
  LEFT JOIN ext_storage_usage AS u
    ON u.tenant = i.tenant
   AND u.extension_install_id = i.extension_install_id
  LEFT JOIN (SELECT tenant, extension_install_id,
                    sum(value_size_bytes + metadata_size_bytes) AS bytes,
                    count(*) AS keys, count(DISTINCT namespace) AS namespaces
               FROM ext_storage_records
              GROUP BY tenant, extension_install_id) AS r
    ON r.tenant = i.tenant
   AND r.extension_install_id = i.extension_install_id
 WHERE u.bytes_used IS NOT coalesce(r.bytes, 0)
    OR u.keys_count IS NOT coalesce(r.keys, 0)
    OR u.namespaces_count IS NOT coalesce(r.namespaces, 0);

-- name: contract_storage_sizes
-- Records whose sizes are not the bytes of their minified JSON.
-- set: storage
SELECT count(*)
  FROM ext_storage_records
 WHERE value_size_bytes IS NOT store_bytes(value)
    OR metadata_size_bytes IS NOT store_bytes(metadata);

-- name: contract_storage_times
-- Records and schemas that were changed before they were made.
-- set: storage
SELECT (SELECT count(*) FROM ext_storage_records WHERE updated_at < created_at)
     + (SELECT count(*) FROM ext_storage_schemas WHERE updated_at < created_at);

-- ------------------------------------------------------------------- jobs

-- name: contract_jobs_states
-- Jobs whose columns contradict their state: a retry without a time, a posted
-- job without its time or with another try ahead, a dead letter without the
-- time of its death, a living job that has one.
-- set: jobs
SELECT count(*)
  FROM assistly_queue_jobs
 WHERE retries < 0
    OR (status = 'retrying' AND next_retry_at IS NULL)
    OR (status = 'posted'
        AND (posted_at IS NULL OR next_retry_at IS NOT NULL))
    OR (status = 'dead_letter') <> (dead_letter_at IS NOT NULL);

-- name: contract_jobs_phases
-- Jobs that stand in another place than their status says.
-- set: jobs
SELECT count(*)
  FROM assistly_queue_jobs
 WHERE CASE WHEN status IN ('scheduled', 'retrying')
            THEN phase IS NULL OR phase NOT IN (0, 1, 2, 3)
            WHEN status = 'processing'
            THEN phase IS NOT 4 OR lease_until IS NULL
            ELSE phase IS NOT NULL END;

-- name: contract_jobs_groups
-- Groups with several jobs under way, and groups whose first job waits for
-- another one though none is under way.
-- set: jobs
SELECT count(*)
  FROM (SELECT sum(phase IN (0, 4)) AS active, min(id) AS first,
               platform, group_key
          FROM assistly_queue_jobs
         WHERE group_key IS NOT NULL AND phase IS NOT NULL
         GROUP BY platform, group_key) AS g
 WHERE g.active > 1
    OR (g.active = 0 AND EXISTS (SELECT 1 FROM assistly_queue_jobs AS j
                                  WHERE j.id = g.first AND j.phase = 2));

-- name: contract_jobs_limits
-- Concurrency keys with more jobs under way than the largest of their limits,
-- and keys with free places for which jobs wait in vain.
-- set: jobs
SELECT count(*)
  FROM (SELECT sum(phase IN (0, 4)) AS active, sum(phase = 1) AS woken,
               sum(phase = 3) AS waiting,
               max(max(1, coalesce(concurrency_limit, 1))) AS places,
               min(max(1, coalesce(concurrency_limit, 1))) AS least
          FROM assistly_queue_jobs
         WHERE concurrency_key IS NOT NULL AND phase IS NOT NULL
         GROUP BY platform, concurrency_key)
 WHERE active > places
    OR (waiting > 0 AND woken = 0
        AND active < iif(least = places, places, 1));

-- name: contract_jobs_leases
-- Leases with a number that has not been given yet.
-- set: jobs
SELECT count(*)
  FROM assistly_queue_jobs
 WHERE claim > coalesce((SELECT last FROM steward_fences
                          WHERE name = 'lease'), 0);

-- name: contract_jobs_counts
-- Queues whose counters are not the numbers of their jobs (OR REPLACE, and
-- writes with triggers turned off, pass them by).
-- set: jobs
SELECT count(*) FROM (
  SELECT platform AS queue, sum(phase IS 0) AS ready, sum(phase IS 1) AS waiting,
         sum(phase IS 2 OR phase IS 3) AS blocked, sum(phase IS 4) AS leased,
         sum(status = 'posted') AS done,
         sum(status IN ('dead_letter', 'failed')) AS dead,
         sum(status = 'cancelled') AS cancelled
    FROM assistly_queue_jobs GROUP BY platform
  EXCEPT
  SELECT queue, ready, waiting, blocked, leased, done, dead, cancelled
    FROM steward_job_counts);

-- name: contract_jobs_schedules
-- Schedules that will not be looked at though they have a next time.
-- set: jobs
SELECT count(*) FROM steward_job_schedules
 WHERE (next_at IS NULL) <> (wake_at IS NULL)
    OR (paused_at IS NOT NULL AND next_at IS NOT NULL);

-- name: contract_jobs_worker_lock
-- A lock `worker` that assistly_worker_lock does not show.
-- set: jobs
SELECT count(*) FROM steward_locks AS l
 WHERE l.name = 'worker' AND l.slot = 1
   AND NOT EXISTS (SELECT 1 FROM assistly_worker_lock AS w
                    WHERE w.owner_id = l.owner
                      AND w.expires_at = l.expires_at);

-- name: contract_jobs_lock
-- Worker locks that end before they begin.
-- set: jobs
SELECT count(*) FROM assistly_worker_lock WHERE expires_at < acquired_at;

-- ----------------------------------------------------------------- ledger

-- name: contract_ledger_approval_states
-- Approvals in a state that is none.
-- set: ledger
SELECT count(*)
  FROM assistly_approvals
 WHERE status NOT IN ('pending', 'approved', 'executing', 'executed', 'failed',
                      'rejected', 'expired');

-- -------------------------------------------------------------- streaming

-- name: contract_streaming_amounts
-- Log rows without an id (a BLOB key admits NULL) or with a negative amount.
-- set: streaming
SELECT count(*)
  FROM streaming_performance_log
 WHERE id IS NULL OR record_count < 0 OR duration_ms < 0;

-- ------------------------------------------------------------------- http

-- name: contract_http_foreign_keys
-- Rows that point to a row that is not there.
-- set: http
SELECT count(*)
  FROM (VALUES ('files'), ('http'), ('http_search_param'), ('http_header'),
               ('http_body_form'), ('http_body_urlencoded'),
               ('http_body_raw'), ('http_assert')) AS t,
       pragma_foreign_key_check(t.column1);

-- name: contract_http_scopes
-- Overlays in another workspace than their parent, requests in a folder of
-- another workspace, files in a folder of another workspace.
-- set: http
SELECT (SELECT count(*) FROM http AS h
          JOIN http AS p ON p.id = h.parent_http_id
         WHERE p.workspace_id <> h.workspace_id)
     + (SELECT count(*) FROM http AS h
          JOIN files AS f ON f.id = h.folder_id
         WHERE f.workspace_id <> h.workspace_id)
     + (SELECT count(*) FROM files AS f
          JOIN files AS p ON p.id = f.parent_id
         WHERE p.workspace_id <> f.workspace_id);

-- name: contract_http_cycles
-- Requests whose parents lead round in a circle, themselves included.
-- set: http
WITH RECURSIVE rooted(id) AS (
  SELECT h.id FROM http AS h
   WHERE NOT EXISTS (SELECT 1 FROM http AS p WHERE p.id = h.parent_http_id)
  UNION
  SELECT h.id FROM rooted AS r JOIN http AS h ON h.parent_http_id = r.id
)
SELECT (SELECT count(*) FROM http) - (SELECT count(*) FROM rooted);

-- name: contract_http_flags
-- Rows with a flag that is neither 0 nor 1 (a text 'true' is neither).
-- set: http
WITH flag(value) AS (
  SELECT is_delta FROM http
  UNION ALL SELECT is_snapshot FROM http
  UNION ALL SELECT is_delta FROM http_search_param
  UNION ALL SELECT enabled FROM http_search_param
  UNION ALL SELECT delta_enabled FROM http_search_param
  UNION ALL SELECT is_delta FROM http_header
  UNION ALL SELECT enabled FROM http_header
  UNION ALL SELECT delta_enabled FROM http_header
  UNION ALL SELECT is_delta FROM http_body_form
  UNION ALL SELECT enabled FROM http_body_form
  UNION ALL SELECT delta_enabled FROM http_body_form
  UNION ALL SELECT is_delta FROM http_body_urlencoded
  UNION ALL SELECT enabled FROM http_body_urlencoded
  UNION ALL SELECT delta_enabled FROM http_body_urlencoded
  UNION ALL SELECT is_delta FROM http_body_raw
  UNION ALL SELECT is_delta FROM http_assert
  UNION ALL SELECT enabled FROM http_assert
  UNION ALL SELECT delta_enabled FROM http_assert
)
SELECT count(*) FROM flag WHERE value NOT IN (0, 1);

-- name: contract_http_child_parents
-- Children marked as overlays without a parent, and overrides of a row that
-- belongs to none of the requests above their own: they are left out when the
-- request is resolved. (A parent that is gone is in http_foreign_keys.)
-- set: http
WITH RECURSIVE child(http_id, is_delta, parent, parent_http) AS (
  SELECT c.http_id, c.is_delta, c.parent_http_search_param_id, p.http_id
    FROM http_search_param AS c LEFT JOIN http_search_param AS p
      ON p.id = c.parent_http_search_param_id
  UNION ALL
  SELECT c.http_id, c.is_delta, c.parent_header_id, p.http_id
    FROM http_header AS c LEFT JOIN http_header AS p
      ON p.id = c.parent_header_id
  UNION ALL
  SELECT c.http_id, c.is_delta, c.parent_http_body_form_id, p.http_id
    FROM http_body_form AS c LEFT JOIN http_body_form AS p
      ON p.id = c.parent_http_body_form_id
  UNION ALL
  SELECT c.http_id, c.is_delta, c.parent_http_body_urlencoded_id, p.http_id
    FROM http_body_urlencoded AS c LEFT JOIN http_body_urlencoded AS p
      ON p.id = c.parent_http_body_urlencoded_id
  UNION ALL
  SELECT c.http_id, c.is_delta, c.parent_body_raw_id, p.http_id
    FROM http_body_raw AS c LEFT JOIN http_body_raw AS p
      ON p.id = c.parent_body_raw_id
  UNION ALL
  SELECT c.http_id, c.is_delta, c.parent_http_assert_id, p.http_id
    FROM http_assert AS c LEFT JOIN http_assert AS p
      ON p.id = c.parent_http_assert_id
)
SELECT count(*)
  FROM child AS c
 WHERE (c.is_delta = TRUE AND c.parent IS NULL)
    OR (c.parent_http IS NOT NULL AND c.parent_http NOT IN (
          WITH RECURSIVE above(id) AS (
            SELECT parent_http_id FROM http WHERE id = c.http_id
            UNION
            SELECT h.parent_http_id FROM above JOIN http AS h
                ON h.id = above.id
          )
          SELECT id FROM above WHERE id IS NOT NULL));

-- name: contract_http_lists
-- Children whose neighbour in the list prev/next is of the same request but
-- does not point back, children in a ring, and requests whose children form
-- more than one list. A neighbour of another request (an overlay's addition
-- behind a base row) begins or ends a list.
-- set: http
WITH RECURSIVE item(kind, id, http_id, prev, next) AS MATERIALIZED (
  SELECT 'param', id, http_id, prev, next FROM http_search_param
  UNION ALL
  SELECT 'header', id, http_id, prev, next FROM http_header
  UNION ALL
  SELECT 'form', id, http_id, prev, next FROM http_body_form
  UNION ALL
  SELECT 'urlencoded', id, http_id, prev, next FROM http_body_urlencoded
  UNION ALL
  SELECT 'assert', id, http_id, prev, next FROM http_assert
),
reached(kind, id, http_id) AS (
  SELECT i.kind, i.id, i.http_id
    FROM item AS i LEFT JOIN item AS p
      ON p.kind = i.kind AND p.id = i.prev AND p.http_id = i.http_id
   WHERE p.id IS NULL
  UNION
  SELECT n.kind, n.id, n.http_id
    FROM reached AS r JOIN item AS n
      ON n.kind = r.kind AND n.prev = r.id AND n.http_id = r.http_id
)
SELECT (SELECT count(*) FROM item AS i JOIN item AS n
            ON n.kind = i.kind AND n.id = i.next AND n.http_id = i.http_id
         WHERE n.prev IS NOT i.id)
     + (SELECT count(*) FROM item AS i JOIN item AS n
            ON n.kind = i.kind AND n.id = i.prev AND n.http_id = i.http_id
         WHERE n.next IS NOT i.id)
     + (SELECT count(*) FROM item) - (SELECT count(*) FROM reached)
     + (SELECT count(*) FROM (
          SELECT 1 FROM item WHERE prev IS NULL AND next IS NOT NULL
           GROUP BY kind, http_id HAVING count(*) > 1));
