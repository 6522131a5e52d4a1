-- set: none
-- name: wait_version
-- Goes up whenever another connection has committed.
PRAGMA main.data_version;

-- name: private_alive
-- Does this connection still want to go on?  sqlite3_interrupt() stops it.
SELECT 1;
