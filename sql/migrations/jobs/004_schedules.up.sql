-- id: jobs-004-schedules
-- version: 4
-- description: Recurring jobs with their history; jobs counted by queue
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- Who writes what: steward_job_schedules by job_schedule, job_schedule_pause,
-- job_schedule_resume and job_unschedule, and by whoever enqueues what is due,
-- a claim or job_run_due; steward_job_runs by the latter; steward_job_counts
-- and steward_job_replaced by triggers.

-- next_at: the time of the next run; wake_at: when to look at it, which is
-- later when the next time after that could not be found out. Both are NULL
-- while it is paused and after its last run. anchor_at: from where @every
-- counts. last_at: the time of the last run; ran_at: when it was enqueued.
CREATE TABLE IF NOT EXISTS steward_job_schedules (
  name TEXT PRIMARY KEY NOT NULL,
  spec TEXT NOT NULL,
  zone TEXT NOT NULL,
  queue TEXT NOT NULL,
  payload NOT NULL,
  options TEXT,
  anchor_at INTEGER NOT NULL,
  next_at INTEGER,
  wake_at INTEGER,
  last_at INTEGER,
  ran_at INTEGER,
  job_id INTEGER,
  number INTEGER NOT NULL DEFAULT 0,
  runs INTEGER NOT NULL DEFAULT 0,
  passed_over INTEGER NOT NULL DEFAULT 0,
  paused_at INTEGER,
  error TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS steward_job_schedules_due
  ON steward_job_schedules (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS steward_job_schedules_queue
  ON steward_job_schedules (queue, wake_at) WHERE wake_at IS NOT NULL;

-- What became of the times of a schedule; the newest of them.
CREATE TABLE IF NOT EXISTS steward_job_runs (
  name TEXT NOT NULL,
  number INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  decided_at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  times INTEGER NOT NULL,
  job_id INTEGER,
  error TEXT,
  PRIMARY KEY (name, number)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS steward_job_schedules_delete
AFTER DELETE ON steward_job_schedules
BEGIN
  DELETE FROM steward_job_runs WHERE name = OLD.name;
END;

-- How many jobs of a queue are where: by phase (002_leases), or finished.
CREATE TABLE IF NOT EXISTS steward_job_counts (
  queue TEXT PRIMARY KEY NOT NULL,
  ready INTEGER NOT NULL DEFAULT 0,
  waiting INTEGER NOT NULL DEFAULT 0,
  blocked INTEGER NOT NULL DEFAULT 0,
  leased INTEGER NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0,
  dead INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT OR REPLACE INTO steward_job_counts
SELECT platform, sum(phase IS 0), sum(phase IS 1),
       sum(phase IS 2 OR phase IS 3), sum(phase IS 4), sum(status = 'posted'),
       sum(status IN ('dead_letter', 'failed')), sum(status = 'cancelled')
  FROM assistly_queue_jobs GROUP BY platform;

CREATE TRIGGER IF NOT EXISTS steward_jobs_count_insert
AFTER INSERT ON assistly_queue_jobs
BEGIN
  INSERT INTO steward_job_counts
  VALUES (NEW.platform, NEW.phase IS 0, NEW.phase IS 1,
          NEW.phase IS 2 OR NEW.phase IS 3, NEW.phase IS 4,
          NEW.status = 'posted', NEW.status IN ('dead_letter', 'failed'),
          NEW.status = 'cancelled')
      ON CONFLICT (queue) DO UPDATE
     SET ready = ready + excluded.ready,
         waiting = waiting + excluded.waiting,
         blocked = blocked + excluded.blocked,
         leased = leased + excluded.leased, done = done + excluded.done,
         dead = dead + excluded.dead,
         cancelled = cancelled + excluded.cancelled;
END;

CREATE TRIGGER IF NOT EXISTS steward_jobs_count_update
AFTER UPDATE OF phase, status ON assistly_queue_jobs
WHEN (OLD.phase IS NOT NEW.phase OR OLD.status <> NEW.status)
 AND OLD.platform = NEW.platform AND OLD.tally IS NEW.tally
BEGIN
  UPDATE steward_job_counts
     SET ready = ready + (NEW.phase IS 0) - (OLD.phase IS 0),
         waiting = waiting + (NEW.phase IS 1) - (OLD.phase IS 1),
         blocked = blocked + (NEW.phase IS 2 OR NEW.phase IS 3)
                           - (OLD.phase IS 2 OR OLD.phase IS 3),
         leased = leased + (NEW.phase IS 4) - (OLD.phase IS 4),
         done = done + (NEW.status = 'posted') - (OLD.status = 'posted'),
         dead = dead + (NEW.status IN ('dead_letter', 'failed'))
                     - (OLD.status IN ('dead_letter', 'failed')),
         cancelled = cancelled + (NEW.status = 'cancelled')
                               - (OLD.status = 'cancelled')
   WHERE queue = NEW.platform;
END;

-- A job that an insertion under its number may replace, see below.
CREATE TABLE IF NOT EXISTS steward_job_replaced (
  id INTEGER PRIMARY KEY, -- of the one row that there may be
  platform TEXT NOT NULL,
  phase INTEGER,
  status TEXT NOT NULL,
  group_key TEXT,
  concurrency_key TEXT,
  places INTEGER
);

-- One less. A queue whose last job is removed has no row any more.
CREATE VIEW IF NOT EXISTS steward_jobs_uncount(platform, phase, status) AS
SELECT NULL, NULL, NULL WHERE 0;
CREATE TRIGGER IF NOT EXISTS steward_jobs_count_less
INSTEAD OF INSERT ON steward_jobs_uncount
BEGIN
  UPDATE steward_job_counts
     SET ready = ready - (NEW.phase IS 0),
         waiting = waiting - (NEW.phase IS 1),
         blocked = blocked - (NEW.phase IS 2 OR NEW.phase IS 3),
         leased = leased - (NEW.phase IS 4), done = done - (NEW.status = 'posted'),
         dead = dead - (NEW.status IN ('dead_letter', 'failed')),
         cancelled = cancelled - (NEW.status = 'cancelled')
   WHERE queue = NEW.platform;
  DELETE FROM steward_job_counts
   WHERE queue = NEW.platform
     AND ready + waiting + blocked + leased + done + dead + cancelled = 0;
END;
CREATE TRIGGER IF NOT EXISTS steward_jobs_count_delete
AFTER DELETE ON assistly_queue_jobs
BEGIN
  INSERT INTO steward_jobs_uncount VALUES (OLD.platform, OLD.phase, OLD.status);
  DELETE FROM steward_job_replaced WHERE id = OLD.id; -- it is told by now
END;

-- What leaves a job behind that goes elsewhere, in whatever way: the next of
-- its group, and those who waited for its place under a limit.
CREATE VIEW IF NOT EXISTS steward_jobs_left
  (platform, phase, group_key, concurrency_key, places) AS
SELECT NULL, NULL, NULL, NULL, NULL WHERE 0;
CREATE TRIGGER IF NOT EXISTS steward_jobs_leave
INSTEAD OF INSERT ON steward_jobs_left
WHEN NEW.phase IS NOT NULL
BEGIN
  INSERT INTO steward_jobs_wake_group
  SELECT NEW.platform, NEW.group_key, NULL, NULL
   WHERE NEW.group_key IS NOT NULL;
  INSERT INTO steward_jobs_wake_key
  SELECT NEW.platform, NEW.concurrency_key, NEW.places
   WHERE NEW.concurrency_key IS NOT NULL;
END;

-- Plain SQL moves a job to another queue, group or limit: the next claim there
-- looks at it. One that is leased stays so, and counts there. (Whatever else
-- depends on the queue is done here, behind the counting: triggers have no
-- order among themselves.)
CREATE TRIGGER IF NOT EXISTS steward_jobs_move
AFTER UPDATE OF platform, group_key, concurrency_key, concurrency_limit
ON assistly_queue_jobs
WHEN OLD.platform <> NEW.platform OR OLD.group_key IS NOT NEW.group_key
  OR OLD.concurrency_key IS NOT NEW.concurrency_key
  OR OLD.concurrency_limit IS NOT NEW.concurrency_limit
BEGIN
  INSERT INTO steward_jobs_uncount
  SELECT OLD.platform, OLD.phase, OLD.status WHERE OLD.platform <> NEW.platform;
  INSERT INTO steward_job_counts
  SELECT NEW.platform, NEW.phase IS 0, NEW.phase IS 1,
         NEW.phase IS 2 OR NEW.phase IS 3, NEW.phase IS 4,
         NEW.status = 'posted', NEW.status IN ('dead_letter', 'failed'),
         NEW.status = 'cancelled'
   WHERE OLD.platform <> NEW.platform
      ON CONFLICT (queue) DO UPDATE
     SET ready = ready + excluded.ready,
         waiting = waiting + excluded.waiting,
         blocked = blocked + excluded.blocked,
         leased = leased + excluded.leased, done = done + excluded.done,
         dead = dead + excluded.dead,
         cancelled = cancelled + excluded.cancelled;
  INSERT INTO steward_jobs_place(id, status, now)
  SELECT NEW.id, NEW.status,
          coalesce((SELECT value FROM steward_config WHERE name = 'clock'),
                  CAST(round((julianday('now') - 2440587.5) * 86400000)
                       AS INTEGER))
   WHERE CASE WHEN NEW.status IN ('scheduled', 'retrying')
              THEN NEW.phase IS NOT 1
              WHEN NEW.status = 'processing' THEN NEW.phase IS NOT 4
              ELSE NEW.phase IS NOT NULL END;
  INSERT INTO steward_jobs_hold_group
  SELECT NEW.platform, NEW.group_key, iif(NEW.status = 'processing', 0, NEW.id)
   WHERE NEW.group_key IS NOT NULL AND OLD.phase IS NOT NULL;
  INSERT INTO steward_jobs_left
  VALUES (OLD.platform, OLD.phase, OLD.group_key, OLD.concurrency_key,
          OLD.concurrency_limit);
END;

-- .. or gives it another time or priority: the claim looks whether its time has
-- come, and whether its rank gives it a place. (A job that had a text for a time
-- before there was this trigger can be cancelled.)
CREATE TRIGGER IF NOT EXISTS steward_jobs_time
AFTER UPDATE OF scheduled_at, next_retry_at, expires_at, priority
ON assistly_queue_jobs
WHEN (NEW.phase = 0 OR NEW.phase = 3) AND OLD.phase = NEW.phase
 AND NEW.status <> 'processing'
  OR typeof(NEW.scheduled_at) = 'text' AND typeof(OLD.scheduled_at) <> 'text'
  OR typeof(NEW.next_retry_at) = 'text' AND typeof(OLD.next_retry_at) <> 'text'
  OR typeof(NEW.expires_at) = 'text' AND typeof(OLD.expires_at) <> 'text'
BEGIN
  SELECT CASE WHEN typeof(NEW.scheduled_at) = 'text'
               AND typeof(OLD.scheduled_at) <> 'text'
                OR typeof(NEW.next_retry_at) = 'text'
               AND typeof(OLD.next_retry_at) <> 'text'
                OR typeof(NEW.expires_at) = 'text'
               AND typeof(OLD.expires_at) <> 'text'
              THEN RAISE(ABORT, 'assistly_queue_jobs: times are Unix milliseconds, not texts: now is unixepoch() * 1000') END;
  INSERT INTO steward_jobs_place(id, status, now)
  VALUES (NEW.id, NEW.status, NULL);
END;

-- OR REPLACE fires no trigger of a deletion (unless recursive_triggers is on):
-- what the job was like is noted before, and told when another one is there.
CREATE VIEW IF NOT EXISTS steward_jobs_note(id) AS SELECT NULL WHERE 0;
CREATE TRIGGER IF NOT EXISTS steward_jobs_note_one
INSTEAD OF INSERT ON steward_jobs_note
BEGIN
  DELETE FROM steward_job_replaced;
  INSERT INTO steward_job_replaced
  SELECT id, platform, phase, status, group_key, concurrency_key,
         concurrency_limit
    FROM assistly_queue_jobs WHERE id = NEW.id;
END;
CREATE VIEW IF NOT EXISTS steward_jobs_noted(id) AS SELECT NULL WHERE 0;
CREATE TRIGGER IF NOT EXISTS steward_jobs_replaced_one
INSTEAD OF INSERT ON steward_jobs_noted
BEGIN
  DELETE FROM steward_job_attempts WHERE job_id = NEW.id;
  INSERT INTO steward_jobs_uncount
  SELECT platform, phase, status FROM steward_job_replaced WHERE id = NEW.id;
  INSERT INTO steward_jobs_left
  SELECT platform, phase, group_key, concurrency_key, places
    FROM steward_job_replaced WHERE id = NEW.id;
  DELETE FROM steward_job_replaced WHERE id = NEW.id;
END;
CREATE TRIGGER IF NOT EXISTS steward_jobs_before_insert
BEFORE INSERT ON assistly_queue_jobs
WHEN NEW.id <> -1 -- which is also what it is when none was given
BEGIN
  INSERT INTO steward_jobs_note VALUES (NEW.id);
END;
CREATE TRIGGER IF NOT EXISTS steward_jobs_before_number
BEFORE UPDATE OF id ON assistly_queue_jobs
WHEN NEW.id <> OLD.id
BEGIN
  INSERT INTO steward_jobs_note VALUES (NEW.id);
END;
CREATE TRIGGER IF NOT EXISTS steward_jobs_replace
AFTER INSERT ON assistly_queue_jobs
WHEN EXISTS (SELECT 1 FROM steward_job_replaced WHERE id = NEW.id)
BEGIN
  INSERT INTO steward_jobs_noted VALUES (NEW.id);
END;
CREATE TRIGGER IF NOT EXISTS steward_jobs_replace_number
AFTER UPDATE OF id ON assistly_queue_jobs
WHEN EXISTS (SELECT 1 FROM steward_job_replaced WHERE id = NEW.id)
BEGIN
  INSERT INTO steward_jobs_noted VALUES (NEW.id);
END;

-- What job_stats reads of a queue: its latest attempts.
CREATE INDEX IF NOT EXISTS steward_job_attempts_ended
  ON steward_job_attempts (queue, ended_at);
