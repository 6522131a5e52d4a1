-- set: core
-- name: info_sets
-- The installed sets with their versions.
SELECT set_name, version FROM main.steward_sets ORDER BY set_name;
