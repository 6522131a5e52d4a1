-- set: none
-- name: wait_version
-- Goes up whenever another connection has committed.
PRAGMA main.data_version;
