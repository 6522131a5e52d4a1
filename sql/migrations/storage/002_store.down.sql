-- id: storage-002-store
-- version: 2
DROP TRIGGER IF EXISTS ext_storage_records_after_key;
DROP TRIGGER IF EXISTS ext_storage_records_before_key;
DROP TRIGGER IF EXISTS ext_storage_records_after_value;
DROP VIEW IF EXISTS steward_store_resized;
DROP TRIGGER IF EXISTS ext_storage_records_after_delete;
DROP TRIGGER IF EXISTS steward_store_replace;
DROP TRIGGER IF EXISTS ext_storage_records_after_insert;
DROP TRIGGER IF EXISTS ext_storage_records_before_insert;
DROP TRIGGER IF EXISTS steward_store_schemas_update;
DROP TRIGGER IF EXISTS steward_store_schemas_insert;
DROP TRIGGER IF EXISTS steward_store_limits_update;
DROP TRIGGER IF EXISTS steward_store_limits_insert;
DROP TRIGGER IF EXISTS steward_store_config_delete;
DROP TRIGGER IF EXISTS steward_store_config_update;
DROP TRIGGER IF EXISTS steward_store_config_insert;
DELETE FROM steward_policies WHERE table_name = 'ext_storage_records' AND made = '[]';
DROP INDEX IF EXISTS steward_store_due;
DROP TABLE IF EXISTS steward_store_replaced;
DROP TABLE IF EXISTS steward_store_rules;
DROP TABLE IF EXISTS steward_store_installs;
DROP TABLE IF EXISTS steward_store_namespaces;
