-- id: jobs-001-jobs
-- version: 1

DROP INDEX IF EXISTS idx_queue_dead_letter;
DROP INDEX IF EXISTS idx_queue_conflict;
DROP INDEX IF EXISTS idx_queue_due;

DROP TABLE IF EXISTS assistly_worker_lock;
DROP TABLE IF EXISTS assistly_queue_jobs;
