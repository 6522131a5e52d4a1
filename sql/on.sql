-- set: core
-- name: on_result
-- The result of steward_on().
SELECT json_object('steps', ?1,
                   'sets', (SELECT json_group_object(set_name, version)
                              FROM main.steward_sets),
                   'keeper', ?3,
                   'cannot', json('[' || ?2 || ']'));

-- name: on_policy
-- A table with an expiry policy.
SELECT table_name FROM main.steward_policies LIMIT 1;

-- name: on_forget_user_sets
-- Forget that the application's sets are installed; their tables stay.
DELETE FROM main.steward_sets
 WHERE set_name IN (SELECT set_name FROM main.steward_migration_steps);
