-- set: none
-- name: begin
-- The transaction of a verb that was called in autocommit.
BEGIN IMMEDIATE;

-- name: commit
-- The end of it.
COMMIT;

-- name: rollback
-- The other end of it.
ROLLBACK;

-- name: savepoint
-- The scope of a verb inside the caller's transaction.
SAVEPOINT steward;

-- name: savepoint_release
-- Keep its work.
RELEASE steward;

-- name: savepoint_rollback
-- Undo its work.
ROLLBACK TO steward;

-- name: set_bookkeeping
-- Is the bookkeeping of migrations in this file?
SELECT count(*) = 2 FROM main.sqlite_schema
 WHERE type = 'table' AND name IN ('steward_sets', 'steward_migrations');

-- name: write_lock
-- Take the write lock without writing: no row is looked at.
-- set: core
DELETE FROM main.steward_config WHERE 0;

-- name: set_installed
-- Is the set installed?
-- set: core
SELECT 1 FROM main.steward_sets WHERE set_name = ?1;

-- name: set_version
-- The version of an installed set.
-- set: core
SELECT version FROM main.steward_sets WHERE set_name = ?1;

-- name: set_library hot
-- The lowest library version that may write the set; asked by every write.
-- set: core
SELECT library FROM main.steward_sets WHERE set_name = ?1;
