-- set: jobs
--
-- A job is a row of assistly_queue_jobs; its column phase says in which of the
-- partial indexes it stands (sql/migrations/jobs/002_leases.up.sql). A claim
-- reads steward_jobs_ready, whose rows may all run now; what waits, is blocked
-- or is leased stands elsewhere. A job's time is
-- coalesce(next_retry_at, scheduled_at).
--
-- INDEXED BY, because statistics of a table with few queues can make SQLite
-- read a whole queue.

-- name: job_new hot
-- A job without a condition. By VALUES: an INSERT .. SELECT that reads its own
-- table would go through a temporary one. A job of a group or under a limit
-- begins in phase 1, for the next claim to look at.
INSERT INTO main.assistly_queue_jobs(platform, content, content_number,
  scheduled_at, created_at, updated_at, priority, max_attempts, backoff,
  backoff_ms, backoff_cap_ms, idempotency_key, group_key, concurrency_key,
  concurrency_limit, min_gap_ms, expires_at, headers, unique_ms, status, phase)
VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
        ?16, ?17, ?18, 'scheduled',
        CASE
        WHEN ?12 IS NOT NULL
         AND EXISTS (SELECT 1 FROM main.assistly_queue_jobs AS g
                            INDEXED BY steward_jobs_group
                      WHERE g.platform = ?1 AND g.group_key = ?12
                        AND g.phase IS NOT NULL)
        THEN 2
        WHEN ?4 > ?5 THEN 1
        WHEN ?13 IS NULL THEN 0
        WHEN (SELECT count(*) FROM (
               SELECT 1 FROM main.assistly_queue_jobs AS k
                      INDEXED BY steward_jobs_key
                WHERE k.platform = ?1 AND k.concurrency_key = ?13
                  AND k.phase IN (0, 4)
                LIMIT ?14) AS places) >= ?14 THEN 3
        ELSE 0 END);

-- name: job_new_unless hot
-- The same, unless the unique key is taken (?19: 1 by a job that waits, 2 or
-- that runs, 3 since the time ?20) or another job stands within ?15 ms. Two
-- statements, which repeat each other, because a job without a condition should
-- not pay for a SELECT that reads the table it inserts into.
INSERT INTO main.assistly_queue_jobs(platform, content, content_number,
  scheduled_at, created_at, updated_at, priority, max_attempts, backoff,
  backoff_ms, backoff_cap_ms, idempotency_key, group_key, concurrency_key,
  concurrency_limit, min_gap_ms, expires_at, headers, unique_ms, status, phase)
SELECT ?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
       ?16, ?17, ?18, 'scheduled',
       CASE
       WHEN ?12 IS NOT NULL
        AND EXISTS (SELECT 1 FROM main.assistly_queue_jobs AS g
                           INDEXED BY steward_jobs_group
                     WHERE g.platform = ?1 AND g.group_key = ?12
                       AND g.phase IS NOT NULL)
       THEN 2
       WHEN ?4 > ?5 THEN 1
       WHEN ?13 IS NULL THEN 0
       WHEN (SELECT count(*) FROM (
              SELECT 1 FROM main.assistly_queue_jobs AS k
                     INDEXED BY steward_jobs_key
               WHERE k.platform = ?1 AND k.concurrency_key = ?13
                 AND k.phase IN (0, 4)
               LIMIT ?14) AS places) >= ?14 THEN 3
       ELSE 0 END
 WHERE NOT (?19 IN (1, 2)
        AND EXISTS (SELECT 1 FROM main.assistly_queue_jobs AS u
                           INDEXED BY steward_jobs_unique
                     WHERE u.platform = ?1 AND u.idempotency_key = ?11
                       AND u.phase IS NOT NULL
                       AND (?19 = 2 OR u.phase <> 4)))
   AND NOT (?19 = 3
        AND EXISTS (SELECT 1 FROM main.assistly_queue_jobs AS u
                           INDEXED BY steward_jobs_unique_time
                     WHERE u.platform = ?1 AND u.idempotency_key = ?11
                       AND u.created_at > ?20 AND u.status <> 'cancelled'))
   AND NOT (?15 IS NOT NULL
        AND (EXISTS (SELECT 1 FROM main.assistly_queue_jobs AS c
                            INDEXED BY idx_queue_conflict
                      WHERE c.platform = ?1
                        AND c.status IN ('scheduled', 'retrying', 'processing')
                        AND c.scheduled_at BETWEEN ?4 - ?15 AND ?4 + ?15
                        AND c.next_retry_at IS NULL)
          OR EXISTS (SELECT 1 FROM main.assistly_queue_jobs AS c
                            INDEXED BY steward_jobs_retry
                      WHERE c.platform = ?1
                        AND c.phase IS NOT NULL
                        AND c.next_retry_at BETWEEN ?4 - ?15
                                                AND ?4 + ?15)));

-- name: job_same_waiting hot
-- The job other than ?4 that has the unique key, waiting or (?3 = 2) running.
SELECT u.id, u.phase = 4 FROM main.assistly_queue_jobs AS u
       INDEXED BY steward_jobs_unique
 WHERE u.platform = ?1 AND u.idempotency_key = ?2
   AND u.phase IS NOT NULL AND u.id <> ?4
   AND (?3 = 2 OR u.phase <> 4)
 LIMIT 1;

-- name: job_same_recent hot
-- The newest job other than ?4 with the unique key since the time ?3.
SELECT u.id, u.phase IS NULL OR u.phase = 4
  FROM main.assistly_queue_jobs AS u INDEXED BY steward_jobs_unique_time
 WHERE u.platform = ?1 AND u.idempotency_key = ?2
   AND u.created_at > ?3 AND u.status <> 'cancelled' AND u.id <> ?4
 ORDER BY u.created_at DESC LIMIT 1;

-- name: job_near hot
-- The earliest other job of the queue than ?4 within ?3 ms of the time ?2.
SELECT n.id, n.at FROM (
  SELECT * FROM (SELECT c.id, c.scheduled_at AS at
                   FROM main.assistly_queue_jobs AS c
                        INDEXED BY idx_queue_conflict
                  WHERE c.platform = ?1
                    AND c.status IN ('scheduled', 'retrying', 'processing')
                    AND c.scheduled_at BETWEEN ?2 - ?3 AND ?2 + ?3
                    AND c.next_retry_at IS NULL AND c.id <> ?4
                  ORDER BY c.scheduled_at LIMIT 1) AS first
  UNION ALL
  SELECT * FROM (SELECT c.id, c.next_retry_at
                   FROM main.assistly_queue_jobs AS c
                        INDEXED BY steward_jobs_retry
                  WHERE c.platform = ?1
                    AND c.phase IS NOT NULL
                    AND c.next_retry_at BETWEEN ?2 - ?3 AND ?2 + ?3
                    AND c.id <> ?4
                  ORDER BY c.next_retry_at LIMIT 1) AS retried) AS n
 ORDER BY n.at LIMIT 1;

-- name: job_replace
-- Give the waiting job ?19 another content, time and place; the other parameters
-- are those of job_new.
UPDATE main.assistly_queue_jobs
   SET content = ?2, content_number = ?3, scheduled_at = ?4, updated_at = ?5,
       priority = ?6, max_attempts = ?7, backoff = ?8, backoff_ms = ?9,
       backoff_cap_ms = ?10, min_gap_ms = ?15, expires_at = ?16, headers = ?17,
       status = 'scheduled', next_retry_at = NULL, retries = 0,
       unique_ms = ?18, group_key = ?12, concurrency_key = ?13,
       concurrency_limit = ?14,
       phase = iif(phase = 2 AND group_key IS ?12, 2, 1)
 WHERE id = ?19 AND phase < 4;

-- ------------------------------------------------------------------ claims

-- name: job_names
-- The names in a JSON array.
-- set: none
SELECT type, value FROM json_each(?1);

-- name: job_distinct
-- The same array with each of them once.
-- set: none
SELECT json_group_array(value) FROM (SELECT DISTINCT value FROM json_each(?1));

-- name: job_is_array
-- Is it one?
-- set: none
SELECT coalesce(CASE WHEN json_valid(?1) OR json_valid(?1)
                     THEN json_type(?1) = 'array' END, 0);

-- name: job_paused hot
-- Is the queue paused?
SELECT 1 FROM main.steward_job_queues
 WHERE queue = ?1 AND paused_at IS NOT NULL;

-- name: job_queues hot
-- The queues that have jobs which are not finished, as a JSON array: one step
-- for each.
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
    FROM q WHERE q.queue IS NOT NULL
)
SELECT json_group_array(queue) FROM q WHERE queue IS NOT NULL;

-- name: job_unsettled hot
-- Of the queues in the array ?1 up to ?3 in which a job has expired or lost its
-- lease at the time ?2.
SELECT json_group_array(u.queue) FROM (
  SELECT q.value AS queue FROM json_each(?1) AS q
   WHERE EXISTS (SELECT 1 FROM main.assistly_queue_jobs AS l
                        INDEXED BY steward_jobs_leased
                  WHERE l.platform = q.value AND l.phase = 4
                    AND l.lease_until <= ?2)
      OR EXISTS (SELECT 1 FROM main.assistly_queue_jobs AS e
                        INDEXED BY steward_jobs_expiring
                  WHERE e.platform = q.value AND e.phase < 4
                    AND e.expires_at <= ?2)
   LIMIT ?3) AS u;

-- name: job_expired hot
-- Jobs of the queue that were not to run after the time ?2.
SELECT e.id FROM main.assistly_queue_jobs AS e
       INDEXED BY steward_jobs_expiring
 WHERE e.platform = ?1 AND e.phase < 4 AND e.expires_at <= ?2
 ORDER BY e.expires_at LIMIT ?3;

-- name: job_expire hot
-- One of them: it is dead.
UPDATE main.assistly_queue_jobs
   SET status = 'dead_letter', phase = NULL, next_retry_at = NULL,
       dead_letter_at = ?2, updated_at = ?2,
       dead_letter_reason = 'expired before it ran'
 WHERE id = ?1 AND phase < 4;

-- name: job_lapsed hot
-- Leases of the queue that have run out.
SELECT l.id FROM main.assistly_queue_jobs AS l
       INDEXED BY steward_jobs_leased
 WHERE l.platform = ?1 AND l.phase = 4 AND l.lease_until <= ?2
 ORDER BY l.lease_until LIMIT ?3;

-- name: job_lapse hot
-- One of them: an attempt has failed.
UPDATE main.assistly_queue_jobs
   SET status = iif(retries + 1 >= max_attempts
                    OR coalesce(expires_at <= ?2, 0),
                    'dead_letter', 'retrying'),
       phase = iif(retries + 1 >= max_attempts
                   OR coalesce(expires_at <= ?2, 0), NULL, 1),
       next_retry_at = iif(retries + 1 >= max_attempts
                           OR coalesce(expires_at <= ?2, 0),
                           NULL, max(lease_until, scheduled_at)),
       dead_letter_at = iif(retries + 1 >= max_attempts
                            OR coalesce(expires_at <= ?2, 0), ?2, NULL),
       dead_letter_reason =
         CASE WHEN retries + 1 >= max_attempts
              THEN 'the lease ran out on attempt ' || (retries + 1) || ' of '
                   || max_attempts
              WHEN coalesce(expires_at <= ?2, 0)
              THEN 'the lease ran out, and the job has expired' END,
       last_error = 'the lease ran out'
         || coalesce(' (worker ' || worker_id || ')', ''),
       retries = retries + 1,
       updated_at = ?2
 WHERE id = ?1 AND phase = 4;

-- name: job_due hot
-- The first ?3 jobs whose time has come; the last column: its limit, or
-- NULL when a claim need not look whether it may run.
SELECT w.id, w.priority, coalesce(w.next_retry_at, w.scheduled_at),
       w.expires_at,
       iif(w.group_key IS NULL AND w.concurrency_key IS NULL, NULL,
           coalesce(w.concurrency_limit, 1))
  FROM main.assistly_queue_jobs AS w INDEXED BY steward_jobs_waiting
 WHERE w.platform = ?1 AND w.phase = 1
   AND coalesce(w.next_retry_at, w.scheduled_at) <= ?2
 ORDER BY coalesce(w.next_retry_at, w.scheduled_at), w.id LIMIT ?3;

-- name: job_ranked hot
-- Jobs that wait for their time, by rank, from the priority ?2 down.
SELECT w.id, w.priority, coalesce(w.next_retry_at, w.scheduled_at),
       w.expires_at,
       iif(w.group_key IS NULL AND w.concurrency_key IS NULL, NULL,
           coalesce(w.concurrency_limit, 1))
  FROM main.assistly_queue_jobs AS w INDEXED BY steward_jobs_rank
 WHERE w.platform = ?1 AND w.phase = 1 AND w.priority <= ?2
 ORDER BY w.priority DESC, coalesce(w.next_retry_at, w.scheduled_at), w.id
 LIMIT ?3;

-- name: job_promote hot
-- One of them: it may run, or is blocked by its group or its limit ?2 (which is
-- an argument because LIMIT takes no column).
UPDATE main.assistly_queue_jobs AS j
   SET phase = CASE
       WHEN j.group_key IS NOT NULL
        AND (EXISTS (SELECT 1 FROM main.assistly_queue_jobs AS a
                            INDEXED BY steward_jobs_group_active
                      WHERE a.platform = j.platform
                        AND a.group_key = j.group_key
                        AND a.phase IN (0, 4))
          OR EXISTS (SELECT 1 FROM main.assistly_queue_jobs AS g
                            INDEXED BY steward_jobs_group
                      WHERE g.platform = j.platform
                        AND g.group_key = j.group_key AND g.id < j.id
                        AND g.phase IS NOT NULL))
       THEN 2
       WHEN j.concurrency_key IS NOT NULL
        AND (SELECT count(*) FROM (
               SELECT 1 FROM main.assistly_queue_jobs AS k
                      INDEXED BY steward_jobs_key
                WHERE k.platform = j.platform
                  AND k.concurrency_key = j.concurrency_key
                  AND k.phase IN (0, 4)
                LIMIT ?2) AS places) >= ?2
       THEN 3
       ELSE 0 END
 WHERE j.id = ?1 AND j.phase = 1;

-- name: job_phase hot
-- Where it stands.
SELECT phase FROM main.assistly_queue_jobs WHERE id = ?1;

-- name: job_ready hot
-- The first ?2 jobs of the queue that may run now.
SELECT r.id, r.priority, coalesce(r.next_retry_at, r.scheduled_at),
       r.expires_at, NULL
  FROM main.assistly_queue_jobs AS r INDEXED BY steward_jobs_ready
 WHERE r.platform = ?1 AND r.phase = 0 AND r.priority < 1 << 62
 ORDER BY r.priority DESC, coalesce(r.next_retry_at, r.scheduled_at), r.id
 LIMIT ?2;

-- name: job_take hot
-- Lease one of them, or one whose time has come and which nothing blocks, for
-- ?4 ms, under the number ?5.
UPDATE main.assistly_queue_jobs
   SET status = 'processing', phase = 4, worker_id = ?3, claim = ?5,
       leased_at = ?2, lease_until = ?2 + ?4, updated_at = ?2
 WHERE id = ?1 AND phase < 2;

-- name: job_platform hot
-- The queue of a job.
SELECT platform FROM main.assistly_queue_jobs WHERE id = ?1;

-- name: job_take_until hot
-- Lease all of one priority ?6 that may run and whose time is from ?7 until ?8,
-- without the latter: like job_take, for many. By one statement, because each
-- opens all indexes and a journal of its own; and by rank instead of by their
-- ids, because statistics could make SQLite scan the table for those. They are
-- to be counted by job_counted.
UPDATE main.assistly_queue_jobs INDEXED BY steward_jobs_ready
   SET status = 'processing', phase = 4, worker_id = ?3, claim = ?5, tally = ?5,
       leased_at = ?2, lease_until = ?2 + ?4, updated_at = ?2
 WHERE platform = ?1 AND phase = 0 AND priority = ?6
   AND coalesce(next_retry_at, scheduled_at) >= ?7
   AND coalesce(next_retry_at, scheduled_at) < ?8
   AND (expires_at IS NULL OR expires_at > ?2)
RETURNING id;

-- name: job_take_at hot
-- The same for those at the time ?7, until the id ?8 with it.
UPDATE main.assistly_queue_jobs INDEXED BY steward_jobs_ready
   SET status = 'processing', phase = 4, worker_id = ?3, claim = ?5, tally = ?5,
       leased_at = ?2, lease_until = ?2 + ?4, updated_at = ?2
 WHERE platform = ?1 AND phase = 0 AND priority = ?6
   AND coalesce(next_retry_at, scheduled_at) = ?7 AND id <= ?8
   AND (expires_at IS NULL OR expires_at > ?2)
RETURNING id;

-- name: job_claimed
-- The rows of a claim handle, `c<number>:<id>,<id>...`, that it still holds.
SELECT j.id, j.platform AS queue,
       coalesce(j.content_number, j.content) AS payload,
       j.retries + 1 AS attempt, j.id || '-' || j.claim AS receipt,
       j.lease_until, j.headers, j.group_key, j.scheduled_at
  FROM json_each('[' || substr(?1, instr(?1, ':') + 1) || ']') AS h
 CROSS JOIN main.assistly_queue_jobs AS j ON j.id = h.value
 WHERE j.claim = CAST(substr(?1, 2) AS INTEGER) AND j.phase = 4
 ORDER BY j.priority DESC, coalesce(j.next_retry_at, j.scheduled_at), j.id;

-- name: job_next_at hot
-- When the next job of the queue may be claimed: ready, due, or its lease over.
SELECT min(n.at) FROM (
  SELECT * FROM (SELECT coalesce(r.next_retry_at, r.scheduled_at) AS at
                   FROM main.assistly_queue_jobs AS r
                        INDEXED BY steward_jobs_ready
                  WHERE r.platform = ?1 AND r.phase = 0
                    AND r.priority < 1 << 62
                  LIMIT 1) AS first
  UNION ALL
  SELECT * FROM (SELECT coalesce(w.next_retry_at, w.scheduled_at)
                   FROM main.assistly_queue_jobs AS w
                        INDEXED BY steward_jobs_waiting
                  WHERE w.platform = ?1 AND w.phase = 1
                    AND coalesce(w.next_retry_at, w.scheduled_at) > -1 << 62
                  ORDER BY coalesce(w.next_retry_at, w.scheduled_at) LIMIT 1)
                  AS due
  UNION ALL
  SELECT * FROM (SELECT l.lease_until
                   FROM main.assistly_queue_jobs AS l
                        INDEXED BY steward_jobs_leased
                  WHERE l.platform = ?1 AND l.phase = 4
                    AND l.lease_until > -1 << 62
                  ORDER BY l.lease_until LIMIT 1) AS lapsing) AS n;

-- --------------------------------------------------------------- receipts

-- name: job_done hot
-- The attempt has succeeded.
UPDATE main.assistly_queue_jobs
   SET status = 'posted', phase = NULL, posted_at = ?3, updated_at = ?3,
       next_retry_at = NULL, result = ?4
 WHERE id = ?1 AND claim = ?2 AND phase = 4;

-- name: job_lease hot
-- Queue and end of the lease.
SELECT platform, lease_until FROM main.assistly_queue_jobs
 WHERE id = ?1 AND claim = ?2 AND phase = 4;

-- name: job_done_all hot
-- The same for those of a JSON array that are in the queue ?4 and leased until
-- ?5, as jobs of one claim are that nobody has extended; their ids. They are to
-- be counted by job_counted.
UPDATE main.assistly_queue_jobs INDEXED BY steward_jobs_leased
   SET status = 'posted', phase = NULL, posted_at = ?3, updated_at = ?3,
       next_retry_at = NULL, result = ?6, tally = -claim
 WHERE platform = ?4 AND lease_until = ?5 AND phase = 4 AND claim = ?2
   AND +id IN (SELECT value FROM json_each(?1))
RETURNING id;

-- name: job_counted hot
-- ?2 jobs of the queue are no longer ready, ?3 no longer leased, and ?4 are done:
-- what the trigger does for each job that it counts.
UPDATE main.steward_job_counts
   SET ready = ready - ?2, leased = leased - ?3, done = done + ?4
 WHERE queue = ?1;

-- name: job_leased hot
-- What deciding about a failure needs.
SELECT retries, max_attempts, backoff, backoff_ms, backoff_cap_ms, expires_at
  FROM main.assistly_queue_jobs
 WHERE id = ?1 AND claim = ?2 AND phase = 4;

-- name: job_again hot
-- The attempt has failed; another at ?5.
UPDATE main.assistly_queue_jobs
   SET status = 'retrying', phase = 1, retries = retries + 1, updated_at = ?3,
       last_error = ?4, next_retry_at = max(?5, scheduled_at)
 WHERE id = ?1 AND claim = ?2 AND phase = 4;

-- name: job_dead hot
-- The attempt has failed, and it was the last, because of ?5.
UPDATE main.assistly_queue_jobs
   SET status = 'dead_letter', phase = NULL, retries = retries + 1,
       updated_at = ?3, last_error = ?4, next_retry_at = NULL,
       dead_letter_at = ?3, dead_letter_reason = ?5
 WHERE id = ?1 AND claim = ?2 AND phase = 4;

-- name: job_extend hot
-- The lease lasts until ?3.
UPDATE main.assistly_queue_jobs SET lease_until = ?3, updated_at = ?4
 WHERE id = ?1 AND claim = ?2 AND phase = 4;

-- name: job_release hot
-- The job goes back as it was.
UPDATE main.assistly_queue_jobs
   SET status = iif(next_retry_at IS NULL, 'scheduled', 'retrying'),
       phase = 1, updated_at = ?3
 WHERE id = ?1 AND claim = ?2 AND phase = 4;

-- name: job_row hot
-- What can be said about a job to one who holds an old receipt.
SELECT status, claim, worker_id, leased_at, lease_until, updated_at,
       dead_letter_reason, phase
  FROM main.assistly_queue_jobs WHERE id = ?1;

-- ---------------------------------------------------------- administration

-- name: job_result hot
-- What the job has left.
SELECT result FROM main.assistly_queue_jobs WHERE id = ?1;

-- name: job_cancel hot
-- It must not run any more.
UPDATE main.assistly_queue_jobs
   SET status = 'cancelled', phase = NULL, next_retry_at = NULL,
       last_error = iif(phase = 4, 'cancelled', last_error), updated_at = ?2
 WHERE id = ?1 AND phase IS NOT NULL;

-- name: job_replay_rules
-- What its replay must not break: queue, gap, unique key and its scope.
SELECT platform, min_gap_ms, idempotency_key, unique_ms FROM main.assistly_queue_jobs WHERE id = ?1;

-- name: job_replay hot
-- Once more from the beginning.
UPDATE main.assistly_queue_jobs
   SET status = 'scheduled', phase = 1, retries = 0, scheduled_at = ?2,
       next_retry_at = NULL, last_error = NULL, dead_letter_at = NULL,
       dead_letter_reason = NULL, replayed_at = ?2, updated_at = ?2,
       expires_at = iif(expires_at <= ?2, NULL, expires_at)
 WHERE id = ?1 AND status IN ('dead_letter', 'cancelled', 'failed');

-- name: job_dead_of
-- The dead jobs of a queue behind ?2, the oldest first.
SELECT d.id FROM main.assistly_queue_jobs AS d
       INDEXED BY idx_queue_dead_letter
 WHERE d.status = 'dead_letter' AND d.platform = ?1 AND d.id > ?2
 ORDER BY d.id LIMIT 1;

-- name: job_purge
-- Finished jobs of a queue with the status ?2, last changed until ?3. The
-- newest job stays, so that no id comes again.
DELETE FROM main.assistly_queue_jobs
 WHERE id IN (SELECT f.id FROM main.assistly_queue_jobs AS f
                     INDEXED BY steward_jobs_finished
               WHERE f.phase IS NULL AND f.status = ?2 AND f.platform = ?1
                 AND f.updated_at <= ?3
               ORDER BY f.updated_at LIMIT ?4)
   AND id < (SELECT max(m.id) FROM main.assistly_queue_jobs AS m);

-- name: job_purge_pending
-- Jobs of a queue that have not been run yet.
DELETE FROM main.assistly_queue_jobs
 WHERE id IN (SELECT p.id FROM main.assistly_queue_jobs AS p
                     INDEXED BY idx_queue_conflict
               WHERE p.platform = ?1
                 AND p.status IN ('scheduled', 'retrying', 'processing')
                 AND p.phase <> 4 AND p.updated_at <= ?2 LIMIT ?3)
   AND id < (SELECT max(m.id) FROM main.assistly_queue_jobs AS m);

-- name: job_kept hot
-- Retention: the time of the newest job with the status ?1 that is not among
-- the newest ?2.
SELECT o.updated_at FROM main.assistly_queue_jobs AS o
       INDEXED BY steward_jobs_finished
 WHERE o.phase IS NULL AND o.status = ?1 AND o.updated_at < 1 << 62
 ORDER BY o.updated_at DESC LIMIT 1 OFFSET ?2;

-- name: job_old hot
-- 128 of the jobs with the status ?1 that were last changed until ?2.
SELECT f.id FROM main.assistly_queue_jobs AS f
       INDEXED BY steward_jobs_finished
 WHERE f.phase IS NULL AND f.status = ?1 AND f.updated_at <= ?2
 ORDER BY f.updated_at LIMIT 128;

-- name: job_remove hot
-- One of them. The newest job stays, so that no id comes again.
DELETE FROM main.assistly_queue_jobs
 WHERE id = ?1
   AND id < (SELECT m.id FROM main.assistly_queue_jobs AS m
              ORDER BY m.id DESC LIMIT 1);

-- name: job_pause
-- No claim takes from the queue.
INSERT INTO main.steward_job_queues(queue, paused_at) VALUES (?1, ?2)
    ON CONFLICT (queue) DO UPDATE SET paused_at = coalesce(paused_at, ?2);

-- name: job_resume
-- They may again.
DELETE FROM main.steward_job_queues WHERE queue = ?1;

-- ----------------------------------------------------------------- tables

-- name: job_queue
-- Every job, in standard terms.
SELECT j.id, j.platform AS queue,
       coalesce(j.content_number, j.content) AS payload,
       CASE WHEN j.status = 'posted' THEN 'done'
            WHEN j.status IN ('dead_letter', 'failed') THEN 'dead'
            WHEN j.status = 'cancelled' THEN 'cancelled'
            WHEN j.phase = 4 THEN 'leased'
            WHEN j.phase IN (2, 3) THEN 'blocked'
            WHEN j.phase = 1
             AND coalesce(j.next_retry_at, j.scheduled_at) > steward_now()
            THEN 'scheduled'
            ELSE 'ready' END AS state,
       j.priority, coalesce(j.next_retry_at, j.scheduled_at) AS run_at,
       j.retries + (j.phase IS 4 OR j.status = 'posted') AS attempt,
       j.max_attempts, j.idempotency_key AS key, j.group_key,
       j.concurrency_key, j.concurrency_limit, j.headers, j.expires_at,
       iif(j.phase = 4, j.worker_id, NULL) AS worker,
       iif(j.phase = 4, j.lease_until, NULL) AS lease_until,
       coalesce(j.dead_letter_reason, j.last_error) AS error, j.result,
       j.created_at, j.updated_at
  FROM main.assistly_queue_jobs AS j;

-- name: job_history
-- Every attempt: those that have ended, and those under way.
SELECT a.job_id, a.queue, a.attempt, a.worker, a.started_at, a.ended_at,
       a.outcome, a.error
  FROM main.steward_job_attempts AS a
UNION ALL
SELECT j.id, j.platform, j.retries + 1, j.worker_id, j.leased_at, NULL,
       'running', NULL
  FROM main.assistly_queue_jobs AS j
 WHERE j.phase = 4;
