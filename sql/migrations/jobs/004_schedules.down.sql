-- id: jobs-004-schedules
-- version: 4
DROP INDEX IF EXISTS steward_job_attempts_ended;
DROP TRIGGER IF EXISTS steward_jobs_count_move;
DROP TRIGGER IF EXISTS steward_jobs_count_delete;
DROP TRIGGER IF EXISTS steward_jobs_count_update;
DROP TRIGGER IF EXISTS steward_jobs_count_insert;
DROP TABLE IF EXISTS steward_job_counts;
DROP TRIGGER IF EXISTS steward_job_schedules_delete;
DROP INDEX IF EXISTS steward_job_schedules_queue;
DROP INDEX IF EXISTS steward_job_schedules_due;
DROP TABLE IF EXISTS steward_job_runs;
DROP TABLE IF EXISTS steward_job_schedules;
