-- id: storage-001-storage
-- version: 1
-- description: Extension storage: records, schemas and usage
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- A key-value store per tenant, installed extension and namespace. All times
-- are Unix milliseconds; the default rounds, since a Julian day is a REAL and
-- cutting it off loses a millisecond half of the time.
--
-- The CHECKs are what the original's column types and its service refuse in
-- every case. Limits that can be set (bytes of a value, keys, namespaces) are
-- the service's.

-- A rowid table: values of up to 64 KiB in the key's own b-tree would leave a
-- handful of keys to a page, in its inner pages too.
CREATE TABLE IF NOT EXISTS ext_storage_records (
  tenant TEXT NOT NULL,
  extension_install_id TEXT NOT NULL,
  namespace TEXT NOT NULL CHECK (length(namespace) BETWEEN 1 AND 128),
  key TEXT NOT NULL
    CHECK (length(key) BETWEEN 1 AND 256 AND instr(key, '/') = 0),
  revision INTEGER NOT NULL DEFAULT 1 CHECK (revision > 0),
  value TEXT NOT NULL CHECK (json_valid(value)),
  metadata TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(metadata) AND json_type(metadata) = 'object'),
  value_size_bytes INTEGER NOT NULL DEFAULT 0 CHECK (value_size_bytes >= 0),
  metadata_size_bytes INTEGER NOT NULL DEFAULT 0
    CHECK (metadata_size_bytes >= 0),
  ttl_expires_at INTEGER,
  created_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
  updated_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
  CONSTRAINT ext_storage_records_pk
    PRIMARY KEY (tenant, extension_install_id, namespace, key)
);

-- What is due, oldest first. In the original the expiry was not among the
-- columns, so that every sweep read all rows that could ever expire.
CREATE INDEX IF NOT EXISTS ext_storage_records_ttl_idx
  ON ext_storage_records (ttl_expires_at) WHERE ttl_expires_at IS NOT NULL;

-- Not made: ext_storage_records_namespace_idx (tenant, extension_install_id,
-- namespace, key) has the primary key's columns, which serve namespace scans.

-- JSON Schemas of a namespace by version; at most one is active. Documents may
-- be long: a rowid table.
CREATE TABLE IF NOT EXISTS ext_storage_schemas (
  tenant TEXT NOT NULL,
  extension_install_id TEXT NOT NULL,
  namespace TEXT NOT NULL CHECK (length(namespace) BETWEEN 1 AND 128),
  schema_version INTEGER NOT NULL,
  schema_document TEXT NOT NULL CHECK (json_valid(schema_document)),
  status TEXT NOT NULL DEFAULT 'active'
    CHECK (status IN ('active', 'deprecated', 'draft')),
  created_by TEXT,
  created_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
  updated_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
  PRIMARY KEY (tenant, extension_install_id, namespace, schema_version)
);

CREATE UNIQUE INDEX IF NOT EXISTS ext_storage_schemas_namespace_active_uq
  ON ext_storage_schemas (tenant, extension_install_id, namespace)
  WHERE status = 'active';

-- Sums over an install's records. Short rows, always found by key: one b-tree.
CREATE TABLE IF NOT EXISTS ext_storage_usage (
  tenant TEXT NOT NULL,
  extension_install_id TEXT NOT NULL,
  bytes_used INTEGER NOT NULL DEFAULT 0 CHECK (bytes_used >= 0),
  keys_count INTEGER NOT NULL DEFAULT 0 CHECK (keys_count >= 0),
  namespaces_count INTEGER NOT NULL DEFAULT 0 CHECK (namespaces_count >= 0),
  updated_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
  PRIMARY KEY (tenant, extension_install_id)
) WITHOUT ROWID;

-- updated_at follows an UPDATE that did not move it. It never goes back, and
-- the trigger's own update does not fire it again under recursive_triggers.
-- The row 'clock' is the pinned time of tests.
CREATE TRIGGER IF NOT EXISTS ext_storage_records_updated_at
  AFTER UPDATE ON ext_storage_records
  WHEN NEW.updated_at = OLD.updated_at
   AND NEW.updated_at < coalesce(
      (SELECT value FROM steward_config WHERE name = 'clock'),
      CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
BEGIN
  UPDATE ext_storage_records SET updated_at = coalesce(
      (SELECT value FROM steward_config WHERE name = 'clock'),
      CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
   WHERE tenant = NEW.tenant
     AND extension_install_id = NEW.extension_install_id
     AND namespace = NEW.namespace AND key = NEW.key;
END;

CREATE TRIGGER IF NOT EXISTS ext_storage_schemas_updated_at
  AFTER UPDATE ON ext_storage_schemas
  WHEN NEW.updated_at = OLD.updated_at
   AND NEW.updated_at < coalesce(
      (SELECT value FROM steward_config WHERE name = 'clock'),
      CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
BEGIN
  UPDATE ext_storage_schemas SET updated_at = coalesce(
      (SELECT value FROM steward_config WHERE name = 'clock'),
      CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
   WHERE tenant = NEW.tenant
     AND extension_install_id = NEW.extension_install_id
     AND namespace = NEW.namespace AND schema_version = NEW.schema_version;
END;

CREATE TRIGGER IF NOT EXISTS ext_storage_usage_updated_at
  AFTER UPDATE ON ext_storage_usage
  WHEN NEW.updated_at = OLD.updated_at
   AND NEW.updated_at < coalesce(
      (SELECT value FROM steward_config WHERE name = 'clock'),
      CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
BEGIN
  UPDATE ext_storage_usage SET updated_at = coalesce(
      (SELECT value FROM steward_config WHERE name = 'clock'),
      CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
   WHERE tenant = NEW.tenant
     AND extension_install_id = NEW.extension_install_id;
END;
