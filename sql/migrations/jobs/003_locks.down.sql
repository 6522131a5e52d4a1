-- id: jobs-003-locks
-- version: 3
DROP TRIGGER IF EXISTS steward_worker_lock_delete;
DROP TRIGGER IF EXISTS steward_worker_lock_update;
DROP TRIGGER IF EXISTS steward_worker_lock_insert;
DROP TRIGGER IF EXISTS steward_locks_worker_delete;
DROP TRIGGER IF EXISTS steward_locks_worker_update;
DROP TRIGGER IF EXISTS steward_locks_worker_insert;
DROP VIEW IF EXISTS steward_lock_follows;
DROP VIEW IF EXISTS steward_worker_follows;
DROP INDEX IF EXISTS steward_row_locks_expiry;
DROP INDEX IF EXISTS steward_row_locks_token;
DROP INDEX IF EXISTS steward_locks_expiry;
DROP TABLE IF EXISTS steward_row_locks;
DROP TABLE IF EXISTS steward_locks;
