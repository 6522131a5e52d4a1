-- id: storage-002-store
-- version: 2
-- description: Exact usage, revisions that never come again, limits per install
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- Who writes what: ext_storage_usage and steward_store_namespaces by the
-- triggers below only, whoever changes ext_storage_records; revisions and sizes
-- by the library, and for a plain client, who leaves them alone, by the
-- triggers. Rows that a database already has are left as they are:
-- store_verify('repair') sets right what is not.

-- Keys of a namespace, expired ones that are still there included. A row goes
-- with the last key.
CREATE TABLE IF NOT EXISTS steward_store_namespaces (
  tenant TEXT NOT NULL,
  extension_install_id TEXT NOT NULL,
  namespace TEXT NOT NULL,
  keys_count INTEGER NOT NULL,
  PRIMARY KEY (tenant, extension_install_id, namespace)
) WITHOUT ROWID;

-- last_revision: the highest revision of a record of the install that has been
-- removed; a new record gets a higher one. limits: settings of this install
-- that differ from those of the database, a JSON object.
CREATE TABLE IF NOT EXISTS steward_store_installs (
  tenant TEXT NOT NULL,
  extension_install_id TEXT NOT NULL,
  last_revision INTEGER NOT NULL DEFAULT 0,
  limits TEXT CHECK (limits IS NULL
                     OR (json_valid(limits) AND json_type(limits) = 'object')),
  PRIMARY KEY (tenant, extension_install_id)
) WITHOUT ROWID;

-- What a put has to look at, in one row, so that it need not look in three
-- tables to find nothing: the limits that the database has set ("name=value",
-- by blanks; NULL: none), whether any install has got limits of its own, and
-- whether any namespace has got an active schema. Kept by triggers below.
CREATE TABLE IF NOT EXISTS steward_store_rules (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  limits TEXT,
  own_limits INTEGER NOT NULL,
  schemas INTEGER NOT NULL
);

-- OR REPLACE removes a row without firing DELETE triggers. So an INSERT (or a
-- change of key) that meets a record notes it here, and when the statement is
-- through with another row in its place, what was noted has gone and is
-- subtracted. One row.
CREATE TABLE IF NOT EXISTS steward_store_replaced (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  tenant TEXT NOT NULL,
  extension_install_id TEXT NOT NULL,
  namespace TEXT NOT NULL,
  key TEXT NOT NULL,
  revision INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  gone INTEGER NOT NULL DEFAULT 0
);

-- What of an install is due.
CREATE INDEX IF NOT EXISTS steward_store_due
  ON ext_storage_records (tenant, extension_install_id, ttl_expires_at)
  WHERE ttl_expires_at IS NOT NULL;

INSERT OR REPLACE INTO steward_store_namespaces
SELECT tenant, extension_install_id, namespace, count(*)
  FROM ext_storage_records GROUP BY 1, 2, 3;

INSERT OR IGNORE INTO ext_storage_usage(tenant, extension_install_id,
  bytes_used, keys_count, namespaces_count)
SELECT tenant, extension_install_id,
       sum(value_size_bytes + metadata_size_bytes), count(*),
       count(DISTINCT namespace)
  FROM ext_storage_records GROUP BY 1, 2;

-- ttl_sweep() and ttl_status know of the records.
INSERT OR IGNORE INTO steward_policies(table_name, column_name, unit, on_write,
                                       batch, made, created_at)
VALUES ('ext_storage_records', 'ttl_expires_at', 'ms', 0, 500, '[]', 0);

INSERT OR REPLACE INTO steward_store_rules
SELECT 1, (SELECT group_concat(name || '=' || CAST(value AS INTEGER), ' ')
             FROM steward_config
            WHERE name >= 'store_' AND name < 'store`'),
       EXISTS (SELECT 1 FROM steward_store_installs WHERE limits IS NOT NULL),
       EXISTS (SELECT 1 FROM ext_storage_schemas WHERE status = 'active');

CREATE TRIGGER IF NOT EXISTS steward_store_config_insert
AFTER INSERT ON steward_config
WHEN NEW.name >= 'store_' AND NEW.name < 'store`'
BEGIN
  UPDATE steward_store_rules
     SET limits = (SELECT group_concat(name || '=' || CAST(value AS INTEGER), ' ')
                   FROM steward_config
                  WHERE name >= 'store_' AND name < 'store`')
   WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS steward_store_config_update
AFTER UPDATE ON steward_config
WHEN (NEW.name >= 'store_' AND NEW.name < 'store`')
  OR (OLD.name >= 'store_' AND OLD.name < 'store`')
BEGIN
  UPDATE steward_store_rules
     SET limits = (SELECT group_concat(name || '=' || CAST(value AS INTEGER), ' ')
                   FROM steward_config
                  WHERE name >= 'store_' AND name < 'store`')
   WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS steward_store_config_delete
AFTER DELETE ON steward_config
WHEN OLD.name >= 'store_' AND OLD.name < 'store`'
BEGIN
  UPDATE steward_store_rules
     SET limits = (SELECT group_concat(name || '=' || CAST(value AS INTEGER), ' ')
                   FROM steward_config
                  WHERE name >= 'store_' AND name < 'store`')
   WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS steward_store_limits_insert
AFTER INSERT ON steward_store_installs
WHEN NEW.limits IS NOT NULL
BEGIN
  UPDATE steward_store_rules
     SET own_limits = 1
   WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS steward_store_limits_update
AFTER UPDATE OF limits ON steward_store_installs
WHEN NEW.limits IS NOT NULL
BEGIN
  UPDATE steward_store_rules
     SET own_limits = 1
   WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS steward_store_schemas_insert
AFTER INSERT ON ext_storage_schemas
WHEN NEW.status = 'active'
BEGIN
  UPDATE steward_store_rules
     SET schemas = 1
   WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS steward_store_schemas_update
AFTER UPDATE OF status ON ext_storage_schemas
WHEN NEW.status = 'active'
BEGIN
  UPDATE steward_store_rules
     SET schemas = 1
   WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS ext_storage_records_before_insert
BEFORE INSERT ON ext_storage_records
WHEN EXISTS (SELECT 1 FROM ext_storage_records
              WHERE tenant = NEW.tenant
                AND extension_install_id = NEW.extension_install_id
                AND namespace = NEW.namespace AND key = NEW.key)
BEGIN
  INSERT INTO steward_store_replaced
  SELECT 1, tenant, extension_install_id, namespace, key, revision,
         value_size_bytes + metadata_size_bytes, 0
    FROM ext_storage_records
   WHERE tenant = NEW.tenant
     AND extension_install_id = NEW.extension_install_id
     AND namespace = NEW.namespace AND key = NEW.key
      ON CONFLICT (id) DO UPDATE
     SET tenant = excluded.tenant,
         extension_install_id = excluded.extension_install_id,
         namespace = excluded.namespace, key = excluded.key,
         revision = excluded.revision, size_bytes = excluded.size_bytes;
END;

CREATE TRIGGER IF NOT EXISTS steward_store_replace
AFTER UPDATE OF gone ON steward_store_replaced
BEGIN
  UPDATE ext_storage_usage
     SET bytes_used = max(0, bytes_used - NEW.size_bytes),
         keys_count = max(0, keys_count - 1)
   WHERE tenant = NEW.tenant
     AND extension_install_id = NEW.extension_install_id;
  UPDATE steward_store_namespaces SET keys_count = keys_count - 1
   WHERE tenant = NEW.tenant
     AND extension_install_id = NEW.extension_install_id
     AND namespace = NEW.namespace;
  DELETE FROM steward_store_replaced WHERE id = 1;
END;

-- A record by a plain client has no size (the least there is, is 1) and the
-- default revision.
-- Its size is told in UTF-8 whatever the encoding of the database: printf() pads
-- to a width in bytes of UTF-8, so what it adds to a text of n characters that
-- is padded to 4 n bytes (which no text exceeds) is 4 n less its bytes.
CREATE TRIGGER IF NOT EXISTS ext_storage_records_after_insert
AFTER INSERT ON ext_storage_records
BEGIN
  INSERT INTO steward_store_namespaces
  VALUES (NEW.tenant, NEW.extension_install_id, NEW.namespace, 1)
      ON CONFLICT DO UPDATE SET keys_count = keys_count + 1;
  INSERT INTO ext_storage_usage(tenant, extension_install_id, bytes_used,
                                keys_count, namespaces_count, updated_at)
  VALUES (NEW.tenant, NEW.extension_install_id,
          iif(NEW.value_size_bytes > 0,
              NEW.value_size_bytes + NEW.metadata_size_bytes,
              5 * length(json(NEW.value))
                - length(printf('%*s', 4 * length(json(NEW.value)), json(NEW.value)))
              + 5 * length(json(NEW.metadata))
                - length(printf('%*s', 4 * length(json(NEW.metadata)), json(NEW.metadata)))),
          1, 1, NEW.updated_at)
      ON CONFLICT DO UPDATE
     SET bytes_used = bytes_used + excluded.bytes_used,
         keys_count = keys_count + 1,
         namespaces_count = namespaces_count
           + ((SELECT n.keys_count FROM steward_store_namespaces AS n
                WHERE n.tenant = NEW.tenant
                  AND n.extension_install_id = NEW.extension_install_id
                  AND n.namespace = NEW.namespace) = 1),
         updated_at = max(updated_at, excluded.updated_at);
  UPDATE ext_storage_records
     SET value_size_bytes = 5 * length(json(value))
         - length(printf('%*s', 4 * length(json(value)), json(value))),
         metadata_size_bytes = 5 * length(json(metadata))
             - length(printf('%*s', 4 * length(json(metadata)), json(metadata))),
         revision = max(
           revision,
           1 + coalesce((SELECT p.revision FROM steward_store_replaced AS p
                          WHERE p.id = 1 AND p.tenant = NEW.tenant
                            AND p.extension_install_id
                                = NEW.extension_install_id
                            AND p.namespace = NEW.namespace
                            AND p.key = NEW.key), 0),
           1 + coalesce((SELECT i.last_revision FROM steward_store_installs AS i
                          WHERE i.tenant = NEW.tenant
                            AND i.extension_install_id
                                = NEW.extension_install_id), 0))
   WHERE NEW.value_size_bytes = 0 AND rowid = NEW.rowid;
  UPDATE steward_store_replaced SET gone = 1
   WHERE id = 1 AND tenant = NEW.tenant
     AND extension_install_id = NEW.extension_install_id
     AND namespace = NEW.namespace AND key = NEW.key;
END;

CREATE TRIGGER IF NOT EXISTS ext_storage_records_after_delete
AFTER DELETE ON ext_storage_records
BEGIN
  UPDATE steward_store_namespaces SET keys_count = keys_count - 1
   WHERE tenant = OLD.tenant
     AND extension_install_id = OLD.extension_install_id
     AND namespace = OLD.namespace;
  UPDATE ext_storage_usage
     SET bytes_used = max(0, bytes_used - OLD.value_size_bytes
                             - OLD.metadata_size_bytes),
         keys_count = max(0, keys_count - 1),
         namespaces_count = max(0, namespaces_count
           - coalesce((SELECT n.keys_count FROM steward_store_namespaces AS n
                WHERE n.tenant = OLD.tenant
                  AND n.extension_install_id = OLD.extension_install_id
                  AND n.namespace = OLD.namespace) = 0, 0))
   WHERE tenant = OLD.tenant
     AND extension_install_id = OLD.extension_install_id;
  DELETE FROM steward_store_namespaces
   WHERE tenant = OLD.tenant
     AND extension_install_id = OLD.extension_install_id
     AND namespace = OLD.namespace AND keys_count <= 0;
  INSERT INTO steward_store_installs(tenant, extension_install_id,
                                     last_revision)
  VALUES (OLD.tenant, OLD.extension_install_id, OLD.revision)
      ON CONFLICT DO UPDATE
     SET last_revision = max(last_revision, excluded.last_revision);
  DELETE FROM steward_store_replaced
   WHERE id = 1 AND tenant = OLD.tenant
     AND extension_install_id = OLD.extension_install_id
     AND namespace = OLD.namespace AND key = OLD.key;
END;

-- The library gives every change its revision and sizes; a plain client does
-- not. What there is to do where a size has changed, or there is no revision,
-- is done by the trigger of a view that holds nothing: SQLite runs the program
-- of a trigger before it asks its WHEN, with room for everything in it, and most
-- changes leave sizes as they are.
CREATE VIEW IF NOT EXISTS steward_store_resized
  (record, tenant, install, stays, revision, was_revision, was_bytes) AS
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE 0;

CREATE TRIGGER IF NOT EXISTS ext_storage_records_after_value
AFTER UPDATE OF value, metadata ON ext_storage_records
WHEN NEW.revision = OLD.revision
  OR NEW.value_size_bytes + NEW.metadata_size_bytes
     <> OLD.value_size_bytes + OLD.metadata_size_bytes
BEGIN
  INSERT INTO steward_store_resized
  VALUES (NEW.rowid, OLD.tenant, OLD.extension_install_id,
          NEW.tenant = OLD.tenant
            AND NEW.extension_install_id = OLD.extension_install_id,
          NEW.revision, OLD.revision,
          OLD.value_size_bytes + OLD.metadata_size_bytes);
END;

CREATE TRIGGER IF NOT EXISTS steward_store_resize
INSTEAD OF INSERT ON steward_store_resized
BEGIN
  UPDATE ext_storage_records
     SET revision = NEW.was_revision + 1,
         value_size_bytes = 5 * length(json(value))
             - length(printf('%*s', 4 * length(json(value)), json(value))),
         metadata_size_bytes = 5 * length(json(metadata))
             - length(printf('%*s', 4 * length(json(metadata)), json(metadata)))
   WHERE NEW.revision = NEW.was_revision AND rowid = NEW.record;
  UPDATE ext_storage_usage
     SET bytes_used = max(0, bytes_used - NEW.was_bytes
           + (SELECT r.value_size_bytes + r.metadata_size_bytes
                FROM ext_storage_records AS r WHERE r.rowid = NEW.record)),
         updated_at = max(updated_at,
           (SELECT r.updated_at FROM ext_storage_records AS r
             WHERE r.rowid = NEW.record))
   WHERE NEW.stays AND tenant = NEW.tenant
     AND extension_install_id = NEW.install;
END;

-- A record that gets another key counts as removed and made again.
CREATE TRIGGER IF NOT EXISTS ext_storage_records_before_key
BEFORE UPDATE OF tenant, extension_install_id, namespace, key
ON ext_storage_records
WHEN EXISTS (SELECT 1 FROM ext_storage_records
              WHERE tenant = NEW.tenant
                AND extension_install_id = NEW.extension_install_id
                AND namespace = NEW.namespace AND key = NEW.key
                AND rowid <> OLD.rowid)
BEGIN
  INSERT INTO steward_store_replaced
  SELECT 1, tenant, extension_install_id, namespace, key, revision,
         value_size_bytes + metadata_size_bytes, 0
    FROM ext_storage_records
   WHERE tenant = NEW.tenant
     AND extension_install_id = NEW.extension_install_id
     AND namespace = NEW.namespace AND key = NEW.key
      ON CONFLICT (id) DO UPDATE
     SET tenant = excluded.tenant,
         extension_install_id = excluded.extension_install_id,
         namespace = excluded.namespace, key = excluded.key,
         revision = excluded.revision, size_bytes = excluded.size_bytes;
END;

CREATE TRIGGER IF NOT EXISTS ext_storage_records_after_key
AFTER UPDATE OF tenant, extension_install_id, namespace, key
ON ext_storage_records
WHEN NEW.tenant <> OLD.tenant
  OR NEW.extension_install_id <> OLD.extension_install_id
  OR NEW.namespace <> OLD.namespace OR NEW.key <> OLD.key
BEGIN
  UPDATE steward_store_namespaces SET keys_count = keys_count - 1
   WHERE tenant = OLD.tenant
     AND extension_install_id = OLD.extension_install_id
     AND namespace = OLD.namespace;
  UPDATE ext_storage_usage
     SET bytes_used = max(0, bytes_used - OLD.value_size_bytes
                             - OLD.metadata_size_bytes),
         keys_count = max(0, keys_count - 1),
         namespaces_count = max(0, namespaces_count
           - coalesce((SELECT n.keys_count FROM steward_store_namespaces AS n
                WHERE n.tenant = OLD.tenant
                  AND n.extension_install_id = OLD.extension_install_id
                  AND n.namespace = OLD.namespace) = 0, 0))
   WHERE tenant = OLD.tenant
     AND extension_install_id = OLD.extension_install_id;
  DELETE FROM steward_store_namespaces
   WHERE tenant = OLD.tenant
     AND extension_install_id = OLD.extension_install_id
     AND namespace = OLD.namespace AND keys_count <= 0;
  INSERT INTO steward_store_installs(tenant, extension_install_id,
                                     last_revision)
  VALUES (OLD.tenant, OLD.extension_install_id, OLD.revision)
      ON CONFLICT DO UPDATE
     SET last_revision = max(last_revision, excluded.last_revision);
  DELETE FROM steward_store_replaced
   WHERE id = 1 AND tenant = OLD.tenant
     AND extension_install_id = OLD.extension_install_id
     AND namespace = OLD.namespace AND key = OLD.key;
  INSERT INTO steward_store_namespaces
  VALUES (NEW.tenant, NEW.extension_install_id, NEW.namespace, 1)
      ON CONFLICT DO UPDATE SET keys_count = keys_count + 1;
  INSERT INTO ext_storage_usage(tenant, extension_install_id, bytes_used,
                                keys_count, namespaces_count, updated_at)
  VALUES (NEW.tenant, NEW.extension_install_id,
          CASE WHEN NEW.tenant = OLD.tenant
                AND NEW.extension_install_id = OLD.extension_install_id
               THEN OLD.value_size_bytes + OLD.metadata_size_bytes
               WHEN NEW.revision > OLD.revision
               THEN NEW.value_size_bytes + NEW.metadata_size_bytes
               ELSE 5 * length(json(NEW.value))
                   - length(printf('%*s', 4 * length(json(NEW.value)), json(NEW.value)))
                    + 5 * length(json(NEW.metadata))
                      - length(printf('%*s', 4 * length(json(NEW.metadata)), json(NEW.metadata))) END,
          1, 1, NEW.updated_at)
      ON CONFLICT DO UPDATE
     SET bytes_used = bytes_used + excluded.bytes_used,
         keys_count = keys_count + 1,
         namespaces_count = namespaces_count
           + ((SELECT n.keys_count FROM steward_store_namespaces AS n
                WHERE n.tenant = NEW.tenant
                  AND n.extension_install_id = NEW.extension_install_id
                  AND n.namespace = NEW.namespace) = 1),
         updated_at = max(updated_at, excluded.updated_at);
  UPDATE ext_storage_records
     SET revision = max(
           revision,
           OLD.revision + 1,
           1 + coalesce((SELECT p.revision FROM steward_store_replaced AS p
                          WHERE p.id = 1 AND p.tenant = NEW.tenant
                            AND p.extension_install_id
                                = NEW.extension_install_id
                            AND p.namespace = NEW.namespace
                            AND p.key = NEW.key), 0),
           1 + coalesce((SELECT i.last_revision FROM steward_store_installs AS i
                          WHERE i.tenant = NEW.tenant
                            AND i.extension_install_id
                                = NEW.extension_install_id), 0))
   WHERE rowid = NEW.rowid;
  UPDATE steward_store_replaced SET gone = 1
   WHERE id = 1 AND tenant = NEW.tenant
     AND extension_install_id = NEW.extension_install_id
     AND namespace = NEW.namespace AND key = NEW.key;
END;
