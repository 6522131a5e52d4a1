-- id: jobs-001-jobs
-- version: 1
-- description: Queue of scheduled jobs and the worker lock
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- Jobs with the seed's columns: platform is the queue, content the payload.
-- All times are Unix milliseconds.

-- The states are the seed's words and 'cancelled', which a job that must not
-- run any more will need: a CHECK cannot be widened without copying the table.
-- (By OR first: for IN with more than two values SQLite makes a table each time.)
CREATE TABLE IF NOT EXISTS assistly_queue_jobs (
  id INTEGER PRIMARY KEY,
  status TEXT NOT NULL
    CHECK (status = 'scheduled' OR status = 'processing' OR status = 'posted'
        OR status IN ('scheduled', 'retrying', 'processing', 'posted',
                      'failed', 'dead_letter', 'cancelled')),
  retries INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
  platform TEXT NOT NULL,
  scheduled_at INTEGER NOT NULL,
  content TEXT NOT NULL,
  idempotency_key TEXT,
  next_retry_at INTEGER,
  remote_id TEXT,
  posted_at INTEGER,
  last_error TEXT,
  dead_letter_at INTEGER,
  dead_letter_reason TEXT,
  replayed_at INTEGER,
  updated_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
);

CREATE INDEX IF NOT EXISTS idx_queue_due
  ON assistly_queue_jobs (scheduled_at, next_retry_at)
  WHERE status IN ('scheduled', 'retrying');
-- (The first three say what the last one says, and most often spare it.)
CREATE INDEX IF NOT EXISTS idx_queue_conflict
  ON assistly_queue_jobs (platform, scheduled_at)
  WHERE status = 'scheduled' OR status = 'retrying' OR status = 'processing'
     OR status IN ('scheduled', 'retrying', 'processing');
CREATE INDEX IF NOT EXISTS idx_queue_dead_letter
  ON assistly_queue_jobs (id)
  WHERE status = 'dead_letter';

-- The lock of the one worker: at most one row.
CREATE TABLE IF NOT EXISTS assistly_worker_lock (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  owner_id TEXT NOT NULL,
  acquired_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
