-- set: core
-- name: config_get hot
-- One stored setting.
SELECT value FROM main.steward_config WHERE name = ?1;

-- name: config_set hot
-- Store a setting, or the pinned clock.
INSERT INTO main.steward_config(name, value) VALUES (?1, ?2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: config_remove
-- Forget a stored setting.
DELETE FROM main.steward_config WHERE name = ?1;
