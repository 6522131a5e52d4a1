-- id: jobs-004-schedules
-- version: 4
-- description: Recurring jobs with their history; jobs counted by queue
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- Who writes what: steward_job_schedules by job_schedule, job_schedule_pause,
-- job_schedule_resume and job_unschedule, and by whoever enqueues what is due,
-- a claim or job_run_due; steward_job_runs by the latter; steward_job_counts by
-- triggers.

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
 AND OLD.platform = NEW.platform
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

-- A queue whose last job is removed has no row any more.
CREATE TRIGGER IF NOT EXISTS steward_jobs_count_delete
AFTER DELETE ON assistly_queue_jobs
BEGIN
  UPDATE steward_job_counts
     SET ready = ready - (OLD.phase IS 0),
         waiting = waiting - (OLD.phase IS 1),
         blocked = blocked - (OLD.phase IS 2 OR OLD.phase IS 3),
         leased = leased - (OLD.phase IS 4), done = done - (OLD.status = 'posted'),
         dead = dead - (OLD.status IN ('dead_letter', 'failed')),
         cancelled = cancelled - (OLD.status = 'cancelled')
   WHERE queue = OLD.platform;
  DELETE FROM steward_job_counts
   WHERE queue = OLD.platform
     AND ready + waiting + blocked + leased + done + dead + cancelled = 0;
END;

-- Plain SQL moves a job to another queue.
CREATE TRIGGER IF NOT EXISTS steward_jobs_count_move
AFTER UPDATE OF platform ON assistly_queue_jobs
WHEN OLD.platform <> NEW.platform
BEGIN
  UPDATE steward_job_counts
     SET ready = ready - (OLD.phase IS 0),
         waiting = waiting - (OLD.phase IS 1),
         blocked = blocked - (OLD.phase IS 2 OR OLD.phase IS 3),
         leased = leased - (OLD.phase IS 4), done = done - (OLD.status = 'posted'),
         dead = dead - (OLD.status IN ('dead_letter', 'failed')),
         cancelled = cancelled - (OLD.status = 'cancelled')
   WHERE queue = OLD.platform;
  DELETE FROM steward_job_counts
   WHERE queue = OLD.platform
     AND ready + waiting + blocked + leased + done + dead + cancelled = 0;
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

-- What job_stats reads of a queue: its latest attempts.
CREATE INDEX IF NOT EXISTS steward_job_attempts_ended
  ON steward_job_attempts (queue, ended_at);
