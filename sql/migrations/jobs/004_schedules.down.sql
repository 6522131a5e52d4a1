-- id: jobs-004-schedules
-- version: 4
DROP INDEX IF EXISTS steward_job_attempts_ended;
DROP TRIGGER IF EXISTS steward_jobs_replace_number;
DROP TRIGGER IF EXISTS steward_jobs_replace;
DROP TRIGGER IF EXISTS steward_jobs_before_number;
DROP TRIGGER IF EXISTS steward_jobs_before_insert;
DROP VIEW IF EXISTS steward_jobs_noted;
DROP VIEW IF EXISTS steward_jobs_note;
DROP TABLE IF EXISTS steward_job_replaced;
DROP TRIGGER IF EXISTS steward_jobs_time;
DROP TRIGGER IF EXISTS steward_jobs_move;
DROP VIEW IF EXISTS steward_jobs_left;
DROP TRIGGER IF EXISTS steward_jobs_count_delete;
DROP VIEW IF EXISTS steward_jobs_uncount;
DROP TRIGGER IF EXISTS steward_jobs_count_update;
DROP TRIGGER IF EXISTS steward_jobs_count_insert;
DROP TABLE IF EXISTS steward_job_counts;
DROP TRIGGER IF EXISTS steward_job_schedules_delete;
DROP INDEX IF EXISTS steward_job_schedules_queue;
DROP INDEX IF EXISTS steward_job_schedules_due;
DROP TABLE IF EXISTS steward_job_runs;
DROP TABLE IF EXISTS steward_job_schedules;
