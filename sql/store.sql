-- set: storage
--
-- A record is found by its whole key, then by its rowid. INDEXED BY, because
-- statistics of a small table make SQLite read it whole.

-- name: store_get hot
-- The value of a record that has not expired at ?5.
SELECT value FROM main.ext_storage_records
       INDEXED BY sqlite_autoindex_ext_storage_records_1
 WHERE tenant = ?1 AND extension_install_id = ?2 AND namespace = ?3
   AND key = ?4 AND (ttl_expires_at IS NULL OR ttl_expires_at > ?5);

-- name: store_look hot
-- What every write must know: the record, expired or not, the limits of the
-- database and those of the install that differ, and whether the namespace has
-- an active schema; the last two are looked for only where there are any. (The
-- rules are one row.)
SELECT r.rowid, r.revision, r.value_size_bytes + r.metadata_size_bytes,
       r.metadata_size_bytes, r.ttl_expires_at, w.limits,
       iif(w.own_limits,
           (SELECT i.limits FROM main.steward_store_installs AS i
             WHERE i.tenant = ?1 AND i.extension_install_id = ?2), NULL),
       iif(w.schemas,
           (SELECT 1 FROM main.ext_storage_schemas AS s
                   INDEXED BY ext_storage_schemas_namespace_active_uq
             WHERE s.tenant = ?1 AND s.extension_install_id = ?2
               AND s.namespace = ?3 AND s.status = 'active'), NULL)
  FROM main.steward_store_rules AS w
  LEFT JOIN main.ext_storage_records AS r
            INDEXED BY sqlite_autoindex_ext_storage_records_1
    ON r.tenant = ?1 AND r.extension_install_id = ?2 AND r.namespace = ?3
   AND r.key = ?4;

-- name: store_quick hot
-- Another value for a record of the commonest kind, in one statement: it is
-- there, never expires and has no metadata; the database's limits are ?8, those
-- that were read last, no install has others and no namespace a schema; and it
-- does not grow, or the install has room for it within ?9.
UPDATE main.ext_storage_records
       INDEXED BY sqlite_autoindex_ext_storage_records_1
   SET revision = steward_keep(?10, revision + 1), value = ?5,
       value_size_bytes = ?6, updated_at = max(updated_at, ?7)
 WHERE tenant = ?1 AND extension_install_id = ?2 AND namespace = ?3
   AND key = ?4 AND ttl_expires_at IS NULL AND metadata_size_bytes = 2
   AND (value_size_bytes >= ?6
     OR (SELECT u.bytes_used FROM main.ext_storage_usage AS u
          WHERE u.tenant = ?1 AND u.extension_install_id = ?2)
        + ?6 - value_size_bytes <= ?9)
   AND (SELECT w.limits IS ?8 AND NOT w.own_limits AND NOT w.schemas
          FROM main.steward_store_rules AS w WHERE w.id = 1);

-- name: store_room hot
-- And one that makes a record, or a larger one: what the namespace and the
-- install hold, and the highest revision that the install has removed.
SELECT (SELECT n.keys_count FROM main.steward_store_namespaces AS n
         WHERE n.tenant = ?1 AND n.extension_install_id = ?2
           AND n.namespace = ?3),
       u.bytes_used, u.namespaces_count,
       (SELECT i.last_revision FROM main.steward_store_installs AS i
         WHERE i.tenant = ?1 AND i.extension_install_id = ?2)
  FROM (SELECT 1) AS one
  LEFT JOIN main.ext_storage_usage AS u
    ON u.tenant = ?1 AND u.extension_install_id = ?2;

-- name: store_expired
-- What of an install has expired at ?4 and still is there: bytes, keys of
-- namespace ?3, namespaces of which nothing else is left, and whether namespace
-- ?3 is one of them.
WITH expired AS MATERIALIZED (
  SELECT namespace, count(*) AS keys,
         sum(value_size_bytes + metadata_size_bytes) AS bytes
    FROM main.ext_storage_records INDEXED BY steward_store_due
   WHERE tenant = ?1 AND extension_install_id = ?2 AND ttl_expires_at <= ?4
   GROUP BY namespace)
SELECT coalesce(sum(e.bytes), 0),
       coalesce(sum(e.keys) FILTER (WHERE e.namespace = ?3), 0),
       count(*) FILTER (WHERE n.keys_count <= e.keys),
       count(*) FILTER (WHERE n.keys_count <= e.keys AND e.namespace = ?3)
  FROM expired AS e
  LEFT JOIN main.steward_store_namespaces AS n
    ON n.tenant = ?1 AND n.extension_install_id = ?2
   AND n.namespace = e.namespace;

-- name: store_insert hot
-- A new record.
INSERT INTO main.ext_storage_records(
  tenant, extension_install_id, namespace, key, revision, value, metadata,
  value_size_bytes, metadata_size_bytes, ttl_expires_at, created_at,
  updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11);

-- name: store_update hot
-- Another value for a record that does not expire, before and after, and whose
-- metadata stay {}: without looking at them again.
UPDATE main.ext_storage_records
   SET revision = ?2, value = ?3, value_size_bytes = ?4,
       updated_at = max(updated_at, ?5)
 WHERE rowid = ?1;

-- name: store_replace hot
-- The same where metadata or the time of expiry may change; ?9: when a record
-- that had expired is made anew.
UPDATE main.ext_storage_records
   SET revision = ?2, value = ?3, metadata = ?4, value_size_bytes = ?5,
       metadata_size_bytes = ?6, updated_at = max(updated_at, ?7),
       ttl_expires_at = ?8, created_at = coalesce(?9, created_at)
 WHERE rowid = ?1;

-- name: store_touch hot
-- Another time of expiry; the revision stays.
UPDATE main.ext_storage_records
   SET ttl_expires_at = ?2, updated_at = max(updated_at, ?3)
 WHERE rowid = ?1;

-- name: store_delete hot
-- Remove a record.
DELETE FROM main.ext_storage_records WHERE rowid = ?1;

-- name: store_value hot
-- Value, metadata of a record.
SELECT value, metadata FROM main.ext_storage_records WHERE rowid = ?1;

-- name: store_sweep hot
-- Remove the record that was due first, if it is at ?1.
DELETE FROM main.ext_storage_records
 WHERE rowid = (SELECT r.rowid FROM main.ext_storage_records AS r
                       INDEXED BY ext_storage_records_ttl_idx
                 WHERE r.ttl_expires_at <= ?1
                 ORDER BY r.ttl_expires_at LIMIT 1);

-- name: store_swept
-- Count them in ttl_status.
UPDATE main.steward_policies
   SET deletes_total = deletes_total + ?1, sweep_at = ?2
 WHERE table_name = 'ext_storage_records';

-- name: store_limit_set
-- A limit of one install; ?4 NULL: as the database has it.
INSERT INTO main.steward_store_installs(tenant, extension_install_id, limits)
VALUES (?1, ?2, iif(?4 IS NULL, NULL, json_object(?3, ?4)))
    ON CONFLICT DO UPDATE
   SET limits = nullif(iif(?4 IS NULL,
                           json_remove(coalesce(limits, '{}'),
                                       '$."' || ?3 || '"'),
                           json_set(coalesce(limits, '{}'),
                                    '$."' || ?3 || '"', ?4)), '{}');

-- name: store_limit_get
-- The limits of the database, and those of one install that differ.
SELECT w.limits,
       (SELECT i.limits FROM main.steward_store_installs AS i
         WHERE i.tenant = ?1 AND i.extension_install_id = ?2)
  FROM main.steward_store_rules AS w;

-- name: store_list hot
-- The keys of a namespace that have not expired at ?7: behind ?4, from ?5 and
-- below ?6, the first text that no longer begins with the prefix ?5 (a BLOB
-- when that cannot be said; then substr() decides).
SELECT key, value, revision, metadata, ttl_expires_at, created_at, updated_at
  FROM main.ext_storage_records
       INDEXED BY sqlite_autoindex_ext_storage_records_1
 WHERE tenant = ?1 AND extension_install_id = ?2 AND namespace = ?3
   AND key >= max(?4, ?5) AND key < ?6 AND key <> ?4
   AND substr(key, 1, length(?5)) = ?5
   AND (ttl_expires_at IS NULL OR ttl_expires_at > ?7)
 ORDER BY key LIMIT ?8;

-- name: store_encoding
-- How texts are compared.
PRAGMA main.encoding;

-- name: store_records hot
-- Every record that has not expired.
SELECT tenant, extension_install_id AS install, namespace, key, value,
       revision, metadata, ttl_expires_at AS expires_at, created_at, updated_at
  FROM main.ext_storage_records
       INDEXED BY sqlite_autoindex_ext_storage_records_1
 WHERE tenant >= ''
   AND (ttl_expires_at IS NULL OR ttl_expires_at > (SELECT steward_now()));

-- name: store_usage
-- What each install holds, and how much of that has expired.
SELECT u.tenant, u.extension_install_id AS install,
       u.namespaces_count AS namespaces, u.keys_count AS keys,
       u.bytes_used AS bytes,
       (SELECT count(*) FROM main.ext_storage_records AS r
               INDEXED BY steward_store_due
         WHERE r.tenant = u.tenant
           AND r.extension_install_id = u.extension_install_id
           AND r.ttl_expires_at <= (SELECT steward_now())) AS expired_keys,
       u.updated_at
  FROM main.ext_storage_usage AS u;

-- name: store_wrong_sizes
-- Records whose sizes are not those of their minified JSON.
SELECT count(*) FROM main.ext_storage_records
 WHERE value_size_bytes IS NOT store_bytes(value)
    OR metadata_size_bytes IS NOT store_bytes(metadata);

-- name: store_wrong_usage
-- Installs and namespaces whose numbers are not those of their records, and
-- whether the rules are not those that there are.
WITH truth AS MATERIALIZED (
  SELECT tenant, extension_install_id, namespace, count(*) AS keys,
         sum(value_size_bytes + metadata_size_bytes) AS bytes
    FROM main.ext_storage_records GROUP BY 1, 2, 3),
whole AS MATERIALIZED (
  SELECT tenant, extension_install_id, sum(bytes) AS bytes, sum(keys) AS keys,
         count(*) AS namespaces
    FROM truth GROUP BY 1, 2)
SELECT (SELECT count(*) FROM main.ext_storage_usage AS u
          LEFT JOIN whole AS w USING (tenant, extension_install_id)
         WHERE u.bytes_used <> coalesce(w.bytes, 0)
            OR u.keys_count <> coalesce(w.keys, 0)
            OR u.namespaces_count <> coalesce(w.namespaces, 0))
     + (SELECT count(*) FROM whole AS w
          LEFT JOIN main.ext_storage_usage AS u
               USING (tenant, extension_install_id)
         WHERE u.tenant IS NULL)
     + (SELECT count(*) FROM main.steward_store_namespaces AS n
          LEFT JOIN truth AS t USING (tenant, extension_install_id, namespace)
         WHERE n.keys_count IS NOT t.keys)
     + (SELECT count(*) FROM truth AS t
          LEFT JOIN main.steward_store_namespaces AS n
               USING (tenant, extension_install_id, namespace)
         WHERE n.tenant IS NULL)
     + NOT EXISTS (
        SELECT 1 FROM main.steward_store_rules
         WHERE id = 1
           AND limits IS (SELECT group_concat(name || '='
                                              || CAST(value AS INTEGER), ' ')
                            FROM main.steward_config
                           WHERE name >= 'store_' AND name < 'store`')
           AND own_limits >= EXISTS (SELECT 1
                                       FROM main.steward_store_installs
                                      WHERE limits IS NOT NULL)
           AND schemas >= EXISTS (SELECT 1 FROM main.ext_storage_schemas
                                   WHERE status = 'active'));

-- name: store_repair script
-- Make them so. The sizes first, whose triggers move the usage.
INSERT OR REPLACE INTO main.steward_store_rules
SELECT 1, (SELECT group_concat(name || '=' || CAST(value AS INTEGER), ' ')
             FROM main.steward_config
            WHERE name >= 'store_' AND name < 'store`'),
       EXISTS (SELECT 1 FROM main.steward_store_installs
                WHERE limits IS NOT NULL),
       EXISTS (SELECT 1 FROM main.ext_storage_schemas WHERE status = 'active');
UPDATE main.ext_storage_records
   SET value_size_bytes = store_bytes(value),
       metadata_size_bytes = store_bytes(metadata)
 WHERE value_size_bytes IS NOT store_bytes(value)
    OR metadata_size_bytes IS NOT store_bytes(metadata);
DELETE FROM main.steward_store_namespaces;
INSERT INTO main.steward_store_namespaces
SELECT tenant, extension_install_id, namespace, count(*)
  FROM main.ext_storage_records GROUP BY 1, 2, 3;
UPDATE main.ext_storage_usage
   SET bytes_used = 0, keys_count = 0, namespaces_count = 0;
INSERT INTO main.ext_storage_usage(tenant, extension_install_id, bytes_used,
                                   keys_count, namespaces_count)
SELECT tenant, extension_install_id,
       sum(value_size_bytes + metadata_size_bytes), count(*),
       count(DISTINCT namespace)
  FROM main.ext_storage_records WHERE true GROUP BY 1, 2
    ON CONFLICT DO UPDATE
   SET bytes_used = excluded.bytes_used, keys_count = excluded.keys_count,
       namespaces_count = excluded.namespaces_count;

-- name: store_schema_active hot
-- The schema that values of a namespace are validated by.
SELECT schema_version, schema_document FROM main.ext_storage_schemas
       INDEXED BY ext_storage_schemas_namespace_active_uq
 WHERE tenant = ?1 AND extension_install_id = ?2 AND namespace = ?3
   AND status = 'active';

-- name: store_schema_version hot
-- The one that a put has named.
SELECT schema_version, schema_document FROM main.ext_storage_schemas
       INDEXED BY sqlite_autoindex_ext_storage_schemas_1
 WHERE tenant = ?1 AND extension_install_id = ?2 AND namespace = ?3
   AND schema_version = ?4;

-- name: store_schema_other
-- Is the version another document than ?5, which no longer may change?
SELECT 1 FROM main.ext_storage_schemas
 WHERE tenant = ?1 AND extension_install_id = ?2 AND namespace = ?3
   AND schema_version = ?4 AND status <> 'draft' AND schema_document <> ?5;

-- name: store_schema_retire
-- Another version than ?4 becomes the active one.
UPDATE main.ext_storage_schemas SET status = 'deprecated', updated_at = ?5
 WHERE tenant = ?1 AND extension_install_id = ?2 AND namespace = ?3
   AND status = 'active' AND schema_version <> ?4;

-- name: store_schema_put
-- Write a version.
INSERT INTO main.ext_storage_schemas(tenant, extension_install_id, namespace,
  schema_version, schema_document, status, created_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
    ON CONFLICT (tenant, extension_install_id, namespace, schema_version)
    DO UPDATE SET schema_document = excluded.schema_document,
                  status = excluded.status,
                  updated_at = max(updated_at, excluded.updated_at);
