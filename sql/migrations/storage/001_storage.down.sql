-- id: storage-001-storage
-- version: 1

DROP TRIGGER IF EXISTS ext_storage_usage_updated_at;
DROP TRIGGER IF EXISTS ext_storage_schemas_updated_at;
DROP TRIGGER IF EXISTS ext_storage_records_updated_at;

DROP INDEX IF EXISTS ext_storage_schemas_namespace_active_uq;
DROP INDEX IF EXISTS ext_storage_records_ttl_idx;

DROP TABLE IF EXISTS ext_storage_usage;
DROP TABLE IF EXISTS ext_storage_schemas;
DROP TABLE IF EXISTS ext_storage_records;
