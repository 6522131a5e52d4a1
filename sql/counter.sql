-- set: none
-- name: counter_page_count
-- Pages of main.
PRAGMA main.page_count;

-- name: counter_freelist_count
-- Pages of main that hold nothing.
PRAGMA main.freelist_count;

-- name: counter_page_size
-- Bytes of a page.
PRAGMA main.page_size;

-- name: counter_busy_timeout
-- Milliseconds.
PRAGMA busy_timeout;

-- name: counter_wal_shared
-- `wal normal` where the WAL's index is in shared memory.
SELECT (SELECT journal_mode FROM pragma_journal_mode WHERE schema = 'main') || ' ' ||
       (SELECT locking_mode FROM pragma_locking_mode WHERE schema = 'main');

-- name: counter_schema_rows
-- Any read of main.
SELECT 1 FROM main.sqlite_schema LIMIT 1;

-- name: counter_add hot
-- Add to a durable counter, in the caller's transaction.
-- set: core
INSERT INTO main.steward_counters(name, value) VALUES (?1, ?2)
    ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
