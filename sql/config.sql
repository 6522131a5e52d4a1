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

-- name: path_is_list
-- Is it a JSON array of absolute paths?
-- set: none
SELECT CASE WHEN json_valid(?1) AND json_type(?1) = 'array'
            THEN NOT EXISTS (SELECT 1 FROM json_each(?1)
                              WHERE type <> 'text' OR substr(value, 1, 1) <> '/')
       END;

-- name: path_each
-- The directories of the setting.
-- set: none
SELECT value FROM json_each(?1);
