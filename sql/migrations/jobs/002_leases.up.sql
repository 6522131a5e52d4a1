-- id: jobs-002-leases
-- version: 2
-- description: Jobs with leases, priorities, groups, caps and attempts
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- Who writes what: assistly_queue_jobs by the verbs job_* and by plain SQL,
-- which the triggers below keep within the state machine; steward_job_attempts
-- by a trigger, when an attempt ends; steward_job_queues by job_pause and
-- job_resume; steward_fences by every claim and every lock.

-- phase says where a job is found:
--   0  may run now, and has its place in its group and under its limit
--   1  waits for its time, or to be looked at by a claim when that has come
--   2  waits for another job of its group
--   3  waits for a place under its concurrency limit
--   4  leased
--   NULL  finished: posted, failed, dead_letter or cancelled
ALTER TABLE assistly_queue_jobs ADD COLUMN phase INTEGER DEFAULT 1;
ALTER TABLE assistly_queue_jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE assistly_queue_jobs ADD COLUMN max_attempts INTEGER NOT NULL DEFAULT 3;
-- What one more failure costs: 0 fixed or 1 exponential, ms, and at most ms.
ALTER TABLE assistly_queue_jobs ADD COLUMN backoff INTEGER NOT NULL DEFAULT 0;
ALTER TABLE assistly_queue_jobs ADD COLUMN backoff_ms INTEGER NOT NULL DEFAULT 300000;
ALTER TABLE assistly_queue_jobs ADD COLUMN backoff_cap_ms INTEGER NOT NULL DEFAULT 86400000;
ALTER TABLE assistly_queue_jobs ADD COLUMN group_key TEXT;
ALTER TABLE assistly_queue_jobs ADD COLUMN concurrency_key TEXT;
ALTER TABLE assistly_queue_jobs ADD COLUMN concurrency_limit INTEGER;
ALTER TABLE assistly_queue_jobs ADD COLUMN min_gap_ms INTEGER;
ALTER TABLE assistly_queue_jobs ADD COLUMN expires_at INTEGER;
-- How long the job has its idempotency_key: NULL while it waits, 0 until it is
-- done, else ms from its enqueueing.
ALTER TABLE assistly_queue_jobs ADD COLUMN unique_ms INTEGER;
ALTER TABLE assistly_queue_jobs ADD COLUMN headers TEXT;
-- content is TEXT: a number that was given as payload is kept here as it was.
ALTER TABLE assistly_queue_jobs ADD COLUMN content_number;
ALTER TABLE assistly_queue_jobs ADD COLUMN result;
-- The lease: its number, which no other claim ever has, its owner, its times.
ALTER TABLE assistly_queue_jobs ADD COLUMN claim INTEGER;
ALTER TABLE assistly_queue_jobs ADD COLUMN worker_id TEXT;
ALTER TABLE assistly_queue_jobs ADD COLUMN leased_at INTEGER;
ALTER TABLE assistly_queue_jobs ADD COLUMN lease_until INTEGER;
-- Gets another value by a statement that changes many jobs and counts them
-- itself: the trigger that counts leaves them alone.
ALTER TABLE assistly_queue_jobs ADD COLUMN tally INTEGER;

-- Jobs that were there before: a job left in processing had no lease, so it
-- may be claimed again.
UPDATE assistly_queue_jobs SET phase = NULL
 WHERE status IN ('posted', 'failed', 'dead_letter', 'cancelled')
   AND phase IS NOT NULL;
UPDATE assistly_queue_jobs
   SET phase = 4, leased_at = updated_at, lease_until = updated_at
 WHERE status = 'processing' AND phase IS NOT 4;

-- What a claim reads: the jobs that may run; and of those that wait for their
-- time the ones whose time has come, by rank, when they are many.
CREATE INDEX IF NOT EXISTS steward_jobs_ready ON assistly_queue_jobs
  (platform, priority DESC, coalesce(next_retry_at, scheduled_at), id)
  WHERE phase = 0;
CREATE INDEX IF NOT EXISTS steward_jobs_rank ON assistly_queue_jobs
  (platform, priority DESC, coalesce(next_retry_at, scheduled_at), id)
  WHERE phase = 1;
-- What becomes due, what loses its lease, what expires.
CREATE INDEX IF NOT EXISTS steward_jobs_waiting ON assistly_queue_jobs
  (platform, coalesce(next_retry_at, scheduled_at), id) WHERE phase = 1;
CREATE INDEX IF NOT EXISTS steward_jobs_leased ON assistly_queue_jobs
  (platform, lease_until) WHERE phase = 4;
CREATE INDEX IF NOT EXISTS steward_jobs_expiring ON assistly_queue_jobs
  (platform, expires_at) WHERE expires_at IS NOT NULL AND phase < 4;
-- The order within a group, and which of it is under way.
CREATE INDEX IF NOT EXISTS steward_jobs_group ON assistly_queue_jobs
  (platform, group_key, id)
  WHERE group_key IS NOT NULL AND phase IS NOT NULL;
CREATE INDEX IF NOT EXISTS steward_jobs_group_active ON assistly_queue_jobs
  (platform, group_key) WHERE group_key IS NOT NULL AND phase IN (0, 4);
-- The places under a limit, and who waits for one.
CREATE INDEX IF NOT EXISTS steward_jobs_key ON assistly_queue_jobs
  (platform, concurrency_key, phase, priority DESC,
   coalesce(next_retry_at, scheduled_at), id)
  WHERE concurrency_key IS NOT NULL AND phase IS NOT NULL;
-- Unique jobs: those that are not finished, and all by time.
CREATE INDEX IF NOT EXISTS steward_jobs_unique ON assistly_queue_jobs
  (platform, idempotency_key)
  WHERE idempotency_key IS NOT NULL AND phase IS NOT NULL;
CREATE INDEX IF NOT EXISTS steward_jobs_unique_time ON assistly_queue_jobs
  (platform, idempotency_key, created_at) WHERE idempotency_key IS NOT NULL;
-- Jobs that are tried again, by that time: for min_gap.
CREATE INDEX IF NOT EXISTS steward_jobs_retry ON assistly_queue_jobs
  (platform, next_retry_at)
  WHERE next_retry_at IS NOT NULL AND phase IS NOT NULL;
-- What retention removes: by state, the oldest first.
CREATE INDEX IF NOT EXISTS steward_jobs_finished ON assistly_queue_jobs
  (status, updated_at) WHERE phase IS NULL;

CREATE TABLE IF NOT EXISTS steward_job_queues (
  queue TEXT PRIMARY KEY NOT NULL,
  paused_at INTEGER
) WITHOUT ROWID;

-- The last number that was given to a lease, of a job or of a lock.
CREATE TABLE IF NOT EXISTS steward_fences (
  name TEXT PRIMARY KEY NOT NULL,
  last INTEGER NOT NULL
) WITHOUT ROWID;

-- One row per attempt that has ended.
CREATE TABLE IF NOT EXISTS steward_job_attempts (
  job_id INTEGER NOT NULL,
  claim INTEGER NOT NULL,
  queue TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  worker TEXT,
  started_at INTEGER,
  ended_at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  error TEXT,
  PRIMARY KEY (job_id, claim)
) WITHOUT ROWID;

-- SQLite runs the program of a trigger before it asks its WHEN, with room for
-- everything in it.  So the triggers that fire for every job are small: what
-- they have to do now and then is done by the INSTEAD OF triggers of views that
-- hold nothing.
CREATE VIEW IF NOT EXISTS steward_jobs_place(id, status, now) AS
SELECT NULL, NULL, NULL WHERE 0;
CREATE VIEW IF NOT EXISTS steward_jobs_wake_group
  (platform, group_key, was, now) AS
SELECT NULL, NULL, NULL, NULL WHERE 0;
CREATE VIEW IF NOT EXISTS steward_jobs_hold_group(platform, group_key, id) AS
SELECT NULL, NULL, NULL WHERE 0;
CREATE VIEW IF NOT EXISTS steward_jobs_wake_key
  (platform, concurrency_key, places) AS
SELECT NULL, NULL, NULL WHERE 0;
CREATE VIEW IF NOT EXISTS steward_jobs_outrank
  (id, platform, concurrency_key, places, priority, at) AS
SELECT NULL, NULL, NULL, NULL, NULL, NULL WHERE 0;

CREATE TRIGGER IF NOT EXISTS steward_jobs_guard
AFTER UPDATE OF status ON assistly_queue_jobs
WHEN OLD.status <> NEW.status
 AND NOT CASE OLD.status
   WHEN 'processing' THEN NEW.status <> 'failed'
   WHEN 'scheduled' THEN NEW.status <> 'posted' AND NEW.status <> 'failed'
   WHEN 'retrying' THEN NEW.status <> 'posted' AND NEW.status <> 'failed'
   ELSE NEW.status = 'scheduled' AND OLD.status <> 'posted' END
BEGIN
  SELECT RAISE(ABORT, 'assistly_queue_jobs: a job goes from scheduled or retrying to processing, from there to posted, retrying or dead_letter; a posted one stays posted');
END;

-- Plain SQL writes only status: the phase follows. A job that it takes to
-- processing has five minutes. A time as text is above every number: it would
-- never come.
CREATE TRIGGER IF NOT EXISTS steward_jobs_insert
AFTER INSERT ON assistly_queue_jobs
WHEN typeof(NEW.scheduled_at) = 'text' OR typeof(NEW.next_retry_at) = 'text'
  OR typeof(NEW.expires_at) = 'text'
  OR CASE WHEN NEW.status IN ('scheduled', 'retrying')
          THEN NEW.phase IS NULL OR NEW.phase = 4
          WHEN NEW.status = 'processing' THEN NEW.phase IS NOT 4
          ELSE NEW.phase IS NOT NULL END
BEGIN
  SELECT CASE WHEN typeof(NEW.scheduled_at) = 'text'
                OR typeof(NEW.next_retry_at) = 'text'
                OR typeof(NEW.expires_at) = 'text'
              THEN RAISE(ABORT, 'assistly_queue_jobs: times are Unix milliseconds, not texts: now is unixepoch() * 1000') END;
  INSERT INTO steward_jobs_place(id, status, now)
  VALUES (NEW.id, NEW.status, NEW.updated_at);
END;

CREATE TRIGGER IF NOT EXISTS steward_jobs_status
AFTER UPDATE OF status ON assistly_queue_jobs
WHEN CASE WHEN NEW.status IN ('scheduled', 'retrying')
          THEN NEW.phase IS NULL OR NEW.phase = 4
          WHEN NEW.status = 'processing' THEN NEW.phase IS NOT 4
          ELSE NEW.phase IS NOT NULL END
 AND OLD.platform = NEW.platform
BEGIN
  INSERT INTO steward_jobs_place(id, status, now)
  VALUES (NEW.id, NEW.status,
          coalesce((SELECT value FROM steward_config WHERE name = 'clock'),
                  CAST(round((julianday('now') - 2440587.5) * 86400000)
                       AS INTEGER)));
END;

CREATE TRIGGER IF NOT EXISTS steward_jobs_place_follows
INSTEAD OF INSERT ON steward_jobs_place
BEGIN
  UPDATE assistly_queue_jobs
     SET phase = CASE WHEN NEW.status IN ('scheduled', 'retrying') THEN 1
                      WHEN NEW.status = 'processing' THEN 4 END,
         claim = NULL,
         worker_id = NULL,
         leased_at = iif(NEW.status = 'processing', NEW.now, NULL),
         lease_until = iif(NEW.status = 'processing', NEW.now + 300000, NULL)
   WHERE id = NEW.id;
END;

-- An attempt has ended. (A release is none.)
CREATE TRIGGER IF NOT EXISTS steward_jobs_attempt
AFTER UPDATE OF status ON assistly_queue_jobs
WHEN OLD.status = 'processing' AND NEW.status <> 'processing'
 AND (NEW.retries <> OLD.retries
   OR NEW.status = 'posted' OR NEW.status = 'dead_letter'
   OR NEW.status = 'cancelled')
BEGIN
  INSERT OR REPLACE INTO steward_job_attempts
  VALUES (OLD.id, coalesce(OLD.claim, -OLD.retries - 1), OLD.platform,
          OLD.retries + 1, OLD.worker_id, OLD.leased_at, NEW.updated_at,
          CASE NEW.status WHEN 'posted' THEN 'done'
                          WHEN 'cancelled' THEN 'cancelled'
                          WHEN 'dead_letter' THEN 'dead'
                          ELSE 'failed' END,
          iif(NEW.status = 'posted', NULL, NEW.last_error));
END;

-- The first of a group goes on when another one leaves, unless a later one is
-- under way: it goes on when that one leaves.  What cannot be seen
-- here - whether its time has come, whether its limit lets it - the next claim
-- looks at, in phase 1.
CREATE TRIGGER IF NOT EXISTS steward_jobs_group_next
AFTER UPDATE OF phase ON assistly_queue_jobs
WHEN OLD.group_key IS NOT NULL
 AND (NEW.phase IS NULL AND OLD.phase IS NOT NULL
   OR OLD.phase IN (0, 1, 4) AND NEW.phase IN (1, 2)
  AND OLD.phase <> NEW.phase)
BEGIN
  INSERT INTO steward_jobs_wake_group
  VALUES (OLD.platform, OLD.group_key, OLD.phase, NEW.updated_at);
END;
CREATE TRIGGER IF NOT EXISTS steward_jobs_wake_first
INSTEAD OF INSERT ON steward_jobs_wake_group
BEGIN
  UPDATE assistly_queue_jobs
     SET phase = iif(concurrency_key IS NULL AND NEW.was = 4
                 AND coalesce(next_retry_at, scheduled_at) <= NEW.now,
                     0, 1)
   WHERE phase = 2
     AND id = (SELECT g.id FROM assistly_queue_jobs AS g
                      INDEXED BY steward_jobs_group
                WHERE g.platform = NEW.platform
                  AND g.group_key = NEW.group_key AND g.phase IS NOT NULL
                ORDER BY g.id LIMIT 1)
     AND NOT EXISTS (SELECT 1 FROM assistly_queue_jobs AS b
                            INDEXED BY steward_jobs_group_active
                      WHERE b.platform = NEW.platform
                        AND b.group_key = NEW.group_key
                        AND b.phase IN (0, 4));
END;

-- One that comes back into its group (by a replay) goes before a later one that
-- has not begun.
CREATE TRIGGER IF NOT EXISTS steward_jobs_group_back
AFTER UPDATE OF phase ON assistly_queue_jobs
WHEN OLD.group_key IS NOT NULL AND OLD.phase IS NULL AND NEW.phase = 1
BEGIN
  INSERT INTO steward_jobs_hold_group
  VALUES (OLD.platform, OLD.group_key, OLD.id);
END;
CREATE TRIGGER IF NOT EXISTS steward_jobs_hold_later
INSTEAD OF INSERT ON steward_jobs_hold_group
BEGIN
  UPDATE assistly_queue_jobs SET phase = 2
   WHERE phase = 0 AND id > NEW.id
     AND id = (SELECT b.id FROM assistly_queue_jobs AS b
                      INDEXED BY steward_jobs_group_active
                WHERE b.platform = NEW.platform
                  AND b.group_key = NEW.group_key AND b.phase IN (0, 4)
                  AND b.phase = 0
                LIMIT 1);
END;

-- A place under a limit is free: it is for the first that waits, or for two
-- where limits differ. (Plain SQL may give a key without a limit, or one below
-- 1: that is 1.)
CREATE TRIGGER IF NOT EXISTS steward_jobs_key_next
AFTER UPDATE OF phase ON assistly_queue_jobs
WHEN OLD.concurrency_key IS NOT NULL
 AND (OLD.phase IN (0, 1, 4) AND (NEW.phase IS NULL OR NEW.phase = 2)
   OR OLD.phase IN (0, 4) AND NEW.phase = 1)
BEGIN
  INSERT INTO steward_jobs_wake_key
  VALUES (OLD.platform, OLD.concurrency_key, OLD.concurrency_limit);
END;
CREATE TRIGGER IF NOT EXISTS steward_jobs_wake_waiting
INSTEAD OF INSERT ON steward_jobs_wake_key
BEGIN
  UPDATE assistly_queue_jobs
     SET phase = iif(group_key IS NULL
               OR NOT EXISTS (SELECT 1 FROM assistly_queue_jobs AS b
                                     INDEXED BY steward_jobs_group
                               WHERE b.platform = assistly_queue_jobs.platform
                                 AND b.group_key = assistly_queue_jobs.group_key
                                 AND b.phase IS NOT NULL
                                 AND b.id < assistly_queue_jobs.id)
              AND NOT EXISTS (SELECT 1 FROM assistly_queue_jobs AS b
                                     INDEXED BY steward_jobs_group_active
                               WHERE b.platform = assistly_queue_jobs.platform
                                 AND b.group_key = assistly_queue_jobs.group_key
                                 AND b.phase IN (0, 4)), 0, 1)
   WHERE id = (SELECT k.id FROM assistly_queue_jobs AS k
                      INDEXED BY steward_jobs_key
                WHERE k.platform = NEW.platform
                  AND k.concurrency_key = NEW.concurrency_key
                  AND k.phase = 3
                ORDER BY k.priority DESC,
                         coalesce(k.next_retry_at, k.scheduled_at), k.id
                LIMIT 1)
     AND (SELECT count(*) FROM assistly_queue_jobs AS a
                 INDEXED BY steward_jobs_key
           WHERE a.platform = NEW.platform
             AND a.concurrency_key = NEW.concurrency_key
             AND a.phase IN (0, 4)) < max(1, coalesce(concurrency_limit, 1));
  UPDATE assistly_queue_jobs
     SET phase = iif(group_key IS NULL
               OR NOT EXISTS (SELECT 1 FROM assistly_queue_jobs AS b
                                     INDEXED BY steward_jobs_group
                               WHERE b.platform = assistly_queue_jobs.platform
                                 AND b.group_key = assistly_queue_jobs.group_key
                                 AND b.phase IS NOT NULL
                                 AND b.id < assistly_queue_jobs.id)
              AND NOT EXISTS (SELECT 1 FROM assistly_queue_jobs AS b
                                     INDEXED BY steward_jobs_group_active
                               WHERE b.platform = assistly_queue_jobs.platform
                                 AND b.group_key = assistly_queue_jobs.group_key
                                 AND b.phase IN (0, 4)), 0, 1)
   WHERE id = (SELECT k.id FROM assistly_queue_jobs AS k
                      INDEXED BY steward_jobs_key
                WHERE k.platform = NEW.platform
                  AND k.concurrency_key = NEW.concurrency_key
                  AND k.phase = 3
                ORDER BY k.priority DESC,
                         coalesce(k.next_retry_at, k.scheduled_at), k.id
                LIMIT 1)
     AND concurrency_limit IS NOT NEW.places
     AND (SELECT count(*) FROM assistly_queue_jobs AS a
                 INDEXED BY steward_jobs_key
           WHERE a.platform = NEW.platform
             AND a.concurrency_key = NEW.concurrency_key
             AND a.phase IN (0, 4)) < max(1, coalesce(concurrency_limit, 1));
END;

-- One that finds no free place takes that of one which may run, but is behind
-- it by rank.
CREATE TRIGGER IF NOT EXISTS steward_jobs_key_insert
AFTER INSERT ON assistly_queue_jobs
WHEN NEW.phase = 3
BEGIN
  INSERT INTO steward_jobs_outrank
  VALUES (NEW.id, NEW.platform, NEW.concurrency_key, NEW.concurrency_limit,
          NEW.priority, coalesce(NEW.next_retry_at, NEW.scheduled_at));
END;
CREATE TRIGGER IF NOT EXISTS steward_jobs_key_update
AFTER UPDATE OF phase ON assistly_queue_jobs
WHEN NEW.phase = 3 AND OLD.phase = 1
BEGIN
  INSERT INTO steward_jobs_outrank
  VALUES (NEW.id, NEW.platform, NEW.concurrency_key, NEW.concurrency_limit,
          NEW.priority, coalesce(NEW.next_retry_at, NEW.scheduled_at));
END;
CREATE TRIGGER IF NOT EXISTS steward_jobs_takes_place
INSTEAD OF INSERT ON steward_jobs_outrank
BEGIN
  UPDATE assistly_queue_jobs SET phase = 3
   WHERE id = (SELECT k.id FROM assistly_queue_jobs AS k
                      INDEXED BY steward_jobs_key
                WHERE k.platform = NEW.platform
                  AND k.concurrency_key = NEW.concurrency_key
                  AND k.phase = 0
                ORDER BY k.priority, coalesce(k.next_retry_at, k.scheduled_at) DESC,
                         k.id DESC
                LIMIT 1)
     AND (-priority, coalesce(next_retry_at, scheduled_at), id)
       > (-NEW.priority, NEW.at, NEW.id)
     AND (SELECT count(*) FROM assistly_queue_jobs AS a
                 INDEXED BY steward_jobs_key
           WHERE a.platform = NEW.platform
             AND a.concurrency_key = NEW.concurrency_key
             AND a.phase IN (0, 4)) <= max(1, coalesce(NEW.places, 1));
  UPDATE assistly_queue_jobs SET phase = 0
   WHERE id = NEW.id
     AND (SELECT count(*) FROM assistly_queue_jobs AS a
                 INDEXED BY steward_jobs_key
           WHERE a.platform = NEW.platform
             AND a.concurrency_key = NEW.concurrency_key
             AND a.phase IN (0, 4)) < max(1, coalesce(NEW.places, 1));
END;

CREATE TRIGGER IF NOT EXISTS steward_jobs_delete
AFTER DELETE ON assistly_queue_jobs
BEGIN
  DELETE FROM steward_job_attempts WHERE job_id = OLD.id;
END;
CREATE TRIGGER IF NOT EXISTS steward_jobs_delete_group
AFTER DELETE ON assistly_queue_jobs
WHEN OLD.phase IS NOT NULL AND OLD.group_key IS NOT NULL
BEGIN
  INSERT INTO steward_jobs_wake_group
  VALUES (OLD.platform, OLD.group_key, NULL, NULL);
END;
CREATE TRIGGER IF NOT EXISTS steward_jobs_delete_key
AFTER DELETE ON assistly_queue_jobs
WHEN OLD.phase IN (0, 1, 4) AND OLD.concurrency_key IS NOT NULL
BEGIN
  INSERT INTO steward_jobs_wake_key
  VALUES (OLD.platform, OLD.concurrency_key, OLD.concurrency_limit);
END;
