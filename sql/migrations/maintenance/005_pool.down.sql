-- id: maintenance-005-pool
-- version: 5
DROP TRIGGER IF EXISTS steward_pool_config_delete;
DROP TRIGGER IF EXISTS steward_pool_config_update;
DROP TRIGGER IF EXISTS steward_pool_config_insert;
DROP TABLE IF EXISTS steward_pool_options;
