-- set: core
-- name: log_append hot
-- Append a message; triggers of steward_log number it.
INSERT INTO main.steward_log(topic, key, payload, headers, published_at)
VALUES (?1, ?2, ?3, ?4, ?5);

-- name: log_last hot
-- The last position, one step from the end of the table.
SELECT position FROM main.steward_log ORDER BY position DESC LIMIT 1;
