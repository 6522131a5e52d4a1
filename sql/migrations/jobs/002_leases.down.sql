-- id: jobs-002-leases
-- version: 2
DROP TRIGGER IF EXISTS steward_jobs_delete;
DROP TRIGGER IF EXISTS steward_jobs_key_update;
DROP TRIGGER IF EXISTS steward_jobs_key_insert;
DROP TRIGGER IF EXISTS steward_jobs_key_next;
DROP TRIGGER IF EXISTS steward_jobs_group_next;
DROP TRIGGER IF EXISTS steward_jobs_attempt;
DROP TRIGGER IF EXISTS steward_jobs_status;
DROP TRIGGER IF EXISTS steward_jobs_insert;
DROP TRIGGER IF EXISTS steward_jobs_guard;

DROP TABLE IF EXISTS steward_job_attempts;
DROP TABLE IF EXISTS steward_fences;
DROP TABLE IF EXISTS steward_job_queues;

DROP INDEX IF EXISTS steward_jobs_finished;
DROP INDEX IF EXISTS steward_jobs_retry;
DROP INDEX IF EXISTS steward_jobs_unique_time;
DROP INDEX IF EXISTS steward_jobs_unique;
DROP INDEX IF EXISTS steward_jobs_key;
DROP INDEX IF EXISTS steward_jobs_group_active;
DROP INDEX IF EXISTS steward_jobs_group;
DROP INDEX IF EXISTS steward_jobs_expiring;
DROP INDEX IF EXISTS steward_jobs_leased;
DROP INDEX IF EXISTS steward_jobs_waiting;
DROP INDEX IF EXISTS steward_jobs_rank;
DROP INDEX IF EXISTS steward_jobs_ready;
ALTER TABLE assistly_queue_jobs DROP COLUMN lease_until;
ALTER TABLE assistly_queue_jobs DROP COLUMN leased_at;
ALTER TABLE assistly_queue_jobs DROP COLUMN worker_id;
ALTER TABLE assistly_queue_jobs DROP COLUMN claim;
ALTER TABLE assistly_queue_jobs DROP COLUMN result;
ALTER TABLE assistly_queue_jobs DROP COLUMN content_number;
ALTER TABLE assistly_queue_jobs DROP COLUMN headers;
ALTER TABLE assistly_queue_jobs DROP COLUMN unique_ms;
ALTER TABLE assistly_queue_jobs DROP COLUMN expires_at;
ALTER TABLE assistly_queue_jobs DROP COLUMN min_gap_ms;
ALTER TABLE assistly_queue_jobs DROP COLUMN concurrency_limit;
ALTER TABLE assistly_queue_jobs DROP COLUMN concurrency_key;
ALTER TABLE assistly_queue_jobs DROP COLUMN group_key;
ALTER TABLE assistly_queue_jobs DROP COLUMN backoff_cap_ms;
ALTER TABLE assistly_queue_jobs DROP COLUMN backoff_ms;
ALTER TABLE assistly_queue_jobs DROP COLUMN backoff;
ALTER TABLE assistly_queue_jobs DROP COLUMN max_attempts;
ALTER TABLE assistly_queue_jobs DROP COLUMN priority;
ALTER TABLE assistly_queue_jobs DROP COLUMN phase;
