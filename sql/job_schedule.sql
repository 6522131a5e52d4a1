-- set: jobs
--
-- Recurring jobs. A schedule's row is moved to its next time, on the condition
-- that it stands at the one that was read, in the transaction that enqueues.

-- name: schedule_old
-- What a schedule of that name is like already.
SELECT spec, zone, anchor_at, next_at, runs, paused_at, queue, options
  FROM main.steward_job_schedules WHERE name = ?1;

-- name: schedule_put
-- A new schedule, or another content of one.
INSERT INTO main.steward_job_schedules(name, spec, zone, queue, payload,
  options, anchor_at, next_at, wake_at, paused_at, created_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10, ?10)
    ON CONFLICT (name) DO UPDATE
   SET spec = ?2, zone = ?3, queue = ?4, payload = ?5, options = ?6,
       anchor_at = ?7, next_at = ?8, wake_at = ?8, paused_at = ?9,
       updated_at = ?10, error = NULL;

-- name: schedule_delete
-- It is over; a trigger removes its history.
DELETE FROM main.steward_job_schedules WHERE name = ?1;

-- name: schedule_pause
-- No runs, until it is resumed.
UPDATE main.steward_job_schedules
   SET paused_at = coalesce(paused_at, ?2), next_at = NULL, wake_at = NULL,
       updated_at = ?2
 WHERE name = ?1;

-- name: schedule_resume
-- Runs again, from ?2 on (-1: never).
UPDATE main.steward_job_schedules
   SET paused_at = NULL, next_at = nullif(?2, -1), wake_at = nullif(?2, -1),
       updated_at = ?3, error = NULL
 WHERE name = ?1;

-- name: schedule_due hot
-- The first schedule to be looked at.
SELECT d.name, d.spec, d.zone, d.queue, d.payload, d.options, d.anchor_at,
       d.next_at, d.job_id, d.number, d.runs
  FROM main.steward_job_schedules AS d INDEXED BY steward_job_schedules_due
 WHERE d.wake_at <= ?1
 ORDER BY d.wake_at LIMIT 1;

-- name: schedule_move hot
-- From the time ?2 to the time ?3 (-1: never).
UPDATE main.steward_job_schedules
   SET next_at = nullif(?3, -1), wake_at = nullif(?3, -1)
 WHERE name = ?1 AND next_at = ?2;

-- name: schedule_park hot
-- The time after the next one cannot be found out: try again at ?2.
UPDATE main.steward_job_schedules SET wake_at = ?2, error = ?3
 WHERE name = ?1;

-- name: schedule_ran hot
-- What has become of the times that were due: the last run was that of ?2 (-1:
-- there was none), the job ?4 (0: there never was one); ?9: no more runs.
UPDATE main.steward_job_schedules
   SET last_at = iif(?2 < 0, last_at, ?2), ran_at = iif(?2 < 0, ran_at, ?3),
       job_id = nullif(?4, 0),
       number = ?5, runs = ?6, passed_over = passed_over + ?7, error = ?8,
       next_at = iif(?9, NULL, next_at), wake_at = iif(?9, NULL, wake_at)
 WHERE name = ?1;

-- name: schedule_note hot
-- One line of the history; ?7 is 0 when there is no job.
INSERT OR REPLACE INTO main.steward_job_runs(name, number, run_at, decided_at,
  outcome, times, job_id, error)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, 0), ?8);

-- name: schedule_forget hot
-- The lines up to the number ?2.
DELETE FROM main.steward_job_runs WHERE name = ?1 AND number <= ?2;

-- name: schedule_soonest hot
-- When the next schedule is to be looked at.
SELECT min(s.wake_at) FROM main.steward_job_schedules AS s
       INDEXED BY steward_job_schedules_due
 WHERE s.wake_at IS NOT NULL;

-- name: schedule_soonest_of hot
-- The same of a queue.
SELECT min(s.wake_at) FROM main.steward_job_schedules AS s
       INDEXED BY steward_job_schedules_queue
 WHERE s.queue = ?1 AND s.wake_at IS NOT NULL;

-- name: schedule_unfinished hot
-- Is the job not finished?
SELECT 1 FROM main.assistly_queue_jobs WHERE id = ?1 AND phase IS NOT NULL;

-- name: job_schedules
-- Every schedule.
SELECT s.name, s.spec, s.zone, s.queue, s.payload, s.options,
       CASE WHEN s.paused_at IS NOT NULL THEN 'paused'
            WHEN s.next_at IS NULL THEN 'ended' ELSE 'active' END AS state,
       s.next_at, s.last_at, s.ran_at, s.job_id, s.runs, s.passed_over,
       s.paused_at IS NOT NULL AS paused, s.error, s.created_at, s.updated_at
  FROM main.steward_job_schedules AS s;

-- name: job_schedule_history
-- What became of the times of each.
SELECT r.name, r.number, r.run_at, r.decided_at, r.outcome, r.times, r.job_id,
       r.error
  FROM main.steward_job_runs AS r;

-- ------------------------------------------------------------------ numbers

-- name: job_counts
-- Jobs by queue and where they stand; queues that are paused, too.
SELECT c.queue, p.paused_at IS NOT NULL, c.ready, c.waiting, c.blocked,
       c.leased, c.done, c.dead, c.cancelled
  FROM main.steward_job_counts AS c
  LEFT JOIN main.steward_job_queues AS p ON p.queue = c.queue
UNION ALL
SELECT p.queue, 1, 0, 0, 0, 0, 0, 0, 0
  FROM main.steward_job_queues AS p
 WHERE p.paused_at IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM main.steward_job_counts AS c
                    WHERE c.queue = p.queue);

-- name: job_due_count hot
-- Waiting jobs whose time has come, ?3 at most.
SELECT count(*) FROM (
  SELECT 1 FROM main.assistly_queue_jobs AS w INDEXED BY steward_jobs_waiting
   WHERE w.platform = ?1 AND w.phase = 1
     AND coalesce(w.next_retry_at, w.scheduled_at) <= ?2
   LIMIT ?3) AS due;

-- name: job_oldest hot
-- The earliest time of the jobs that may run now: the first of each of the
-- first 1000 priorities, and of those whose time has come.
WITH RECURSIVE p(id) AS (
  SELECT (SELECT f.id FROM main.assistly_queue_jobs AS f
                 INDEXED BY steward_jobs_ready
           WHERE f.platform = ?1 AND f.phase = 0 AND f.priority < 1 << 62
           ORDER BY f.priority DESC, coalesce(f.next_retry_at, f.scheduled_at),
                    f.id LIMIT 1)
  UNION ALL
  SELECT (SELECT n.id FROM main.assistly_queue_jobs AS n
                 INDEXED BY steward_jobs_ready
           WHERE n.platform = ?1 AND n.phase = 0
             AND n.priority < (SELECT j.priority
                                 FROM main.assistly_queue_jobs AS j
                                WHERE j.id = p.id)
           ORDER BY n.priority DESC, coalesce(n.next_retry_at, n.scheduled_at),
                    n.id LIMIT 1)
    FROM p WHERE p.id IS NOT NULL LIMIT 1000)
SELECT min(o.at) FROM (
  SELECT (SELECT coalesce(r.next_retry_at, r.scheduled_at)
            FROM main.assistly_queue_jobs AS r WHERE r.id = p.id) AS at
    FROM p
  UNION ALL
  SELECT * FROM (SELECT coalesce(w.next_retry_at, w.scheduled_at)
                   FROM main.assistly_queue_jobs AS w
                        INDEXED BY steward_jobs_waiting
                  WHERE w.platform = ?1 AND w.phase = 1
                    AND coalesce(w.next_retry_at, w.scheduled_at) <= ?2
                  ORDER BY coalesce(w.next_retry_at, w.scheduled_at) LIMIT 1)
                  AS due) AS o;

-- name: job_sample hot
-- The latest ?2 attempts of a queue: when they ended and how, how long they
-- took, and how long the first of a job was waited for.
SELECT a.ended_at, a.outcome, a.ended_at - a.started_at,
       iif(a.attempt = 1,
           a.started_at - (SELECT max(j.scheduled_at, j.created_at)
                             FROM main.assistly_queue_jobs AS j
                            WHERE j.id = a.job_id), NULL)
  FROM main.steward_job_attempts AS a INDEXED BY steward_job_attempts_ended
 WHERE a.queue = ?1 AND a.ended_at < 1 << 62
 ORDER BY a.ended_at DESC LIMIT ?2;
