-- set: none
--
-- The round trips of migrate_verify(): for each set a script that writes,
-- reads, changes and deletes a row of every table, and is undone afterwards.
-- Every statement that returns columns must return a row.

-- name: verify_core script
-- set: core
-- A message, its number, a cursor, a setting, a counter, the keeper's tables.
INSERT INTO main.steward_log(topic, payload)
VALUES ('steward-verify', 1), ('steward-verify', 2);
SELECT 1 FROM main.steward_messages AS m
  JOIN main.steward_messages AS n
    ON n.topic = m.topic AND n.number = m.number + 1
 WHERE m.topic = 'steward-verify' AND n.position = m.position + 1;
DELETE FROM main.steward_log
 WHERE position = (SELECT min(position) FROM main.steward_messages)
RETURNING 1;
SELECT 1 FROM main.steward_topics AS t
 WHERE t.floor_number = coalesce((SELECT m.number - 1
                                    FROM main.steward_messages AS m
                                   WHERE m.topic = t.topic
                                   ORDER BY m.number LIMIT 1),
                                 t.floor_number)
 LIMIT 1;
INSERT INTO main.steward_cursors(consumer, topic, max_pending, created_at,
                                 seen_at)
VALUES ('steward-verify', 'steward-verify', 0, 0, 0) RETURNING 1;
UPDATE main.steward_cursors SET acked_number = 1
 WHERE consumer = 'steward-verify' RETURNING 1;
DELETE FROM main.steward_cursors WHERE consumer = 'steward-verify' RETURNING 1;
INSERT INTO main.steward_config(name, value) VALUES ('steward-verify', 1)
RETURNING 1;
DELETE FROM main.steward_config WHERE name = 'steward-verify' RETURNING 1;
INSERT INTO main.steward_counters(name, value) VALUES ('steward-verify', 1)
RETURNING 1;
DELETE FROM main.steward_counters WHERE name = 'steward-verify' RETURNING 1;
INSERT INTO main.steward_duties(duty, due_at) VALUES ('steward-verify', 0)
RETURNING 1;
UPDATE main.steward_duties SET due_at = 1 WHERE duty = 'steward-verify'
RETURNING 1;
DELETE FROM main.steward_duties WHERE duty = 'steward-verify' RETURNING 1;
INSERT INTO main.steward_keeper_log(at, duty) VALUES (0, 'steward-verify');
SELECT 1 FROM main.steward_keeper_log WHERE duty = 'steward-verify' LIMIT 1;
INSERT OR IGNORE INTO main.steward_keeper
  (id, holder, token, lease_until, interval_ms, started_at)
VALUES (1, 'steward-verify', 0, 0, 0, 0);
SELECT 1 FROM main.steward_keeper WHERE id = 1;

-- name: verify_delivery script
-- set: delivery
-- A delivery seen, inserted and acknowledged through the view.
INSERT INTO main.steward_cursors(consumer, topic, max_pending, created_at,
                                 seen_at)
VALUES ('steward-verify', 'steward-verify', 0, 0, 0);
INSERT INTO main.subscription_deliveries(subscription_id, payload)
SELECT cursor_id, 'p' FROM main.steward_cursors
 WHERE consumer = 'steward-verify';
SELECT 1 FROM main.subscription_deliveries AS d
  JOIN main.steward_cursors AS c ON c.cursor_id = d.subscription_id
 WHERE c.consumer = 'steward-verify' AND d.payload = 'p' AND d.acked = 0;
UPDATE main.subscription_deliveries SET acked = 1
 WHERE subscription_id = (SELECT cursor_id FROM main.steward_cursors
                           WHERE consumer = 'steward-verify');
SELECT 1 FROM main.steward_cursors
 WHERE consumer = 'steward-verify' AND acked_number > 0;

-- name: verify_maintenance script
-- set: maintenance
-- A row in each of its tables.
INSERT INTO main.steward_pool_config(db_path) VALUES ('steward-verify')
  RETURNING 1;
SELECT 1 FROM main.steward_pool_config WHERE db_path = 'steward-verify';
UPDATE main.steward_pool_config SET max_connections = 9 WHERE db_path =
  'steward-verify' RETURNING 1;
INSERT INTO main.steward_vacuum_log(db_path, vacuum_type, status) VALUES
  ('steward-verify', 'full', 'running') RETURNING 1;
SELECT 1 FROM main.steward_vacuum_log WHERE db_path = 'steward-verify';
UPDATE main.steward_vacuum_log SET status = 'completed' WHERE db_path =
  'steward-verify' RETURNING 1;
INSERT INTO main.steward_performance_metrics(db_path, metric_name,
  metric_value, unit) VALUES ('steward-verify', 'm', 1.5, 'count') RETURNING
  1;
SELECT 1 FROM main.steward_performance_metrics WHERE db_path =
  'steward-verify';
UPDATE main.steward_performance_metrics SET metric_value = 2 WHERE db_path =
  'steward-verify' RETURNING 1;
INSERT INTO main.steward_health_checks(db_path, check_type, status) VALUES
  ('steward-verify', 'integrity', 'healthy') RETURNING 1;
SELECT 1 FROM main.steward_health_checks WHERE db_path = 'steward-verify';
UPDATE main.steward_health_checks SET status = 'warning' WHERE db_path =
  'steward-verify' RETURNING 1;
DELETE FROM main.steward_health_checks WHERE db_path = 'steward-verify'
  RETURNING 1;
DELETE FROM main.steward_performance_metrics WHERE db_path = 'steward-verify'
  RETURNING 1;
DELETE FROM main.steward_vacuum_log WHERE db_path = 'steward-verify' RETURNING
  1;
DELETE FROM main.steward_pool_config WHERE db_path = 'steward-verify'
  RETURNING 1;

-- name: verify_changes script
-- set: changes
-- A row in each of its tables.
INSERT INTO main.am_branches(branch_id, doc_id, name) VALUES
  ('steward-verify', 'steward-verify', 'main') RETURNING 1;
SELECT 1 FROM main.am_branches WHERE branch_id = 'steward-verify';
UPDATE main.am_branches SET closed = 1 WHERE branch_id = 'steward-verify'
  RETURNING 1;
INSERT INTO main.am_heads(branch_id) VALUES ('steward-verify') RETURNING 1;
SELECT 1 FROM main.am_heads WHERE branch_id = 'steward-verify';
UPDATE main.am_heads SET seq_no = 1 WHERE branch_id = 'steward-verify'
  RETURNING 1;
INSERT INTO main.am_forks(branch_id, seq_no) VALUES ('steward-verify', 0)
  RETURNING 1;
SELECT 1 FROM main.am_forks WHERE branch_id = 'steward-verify';
UPDATE main.am_forks SET seq_no = 1 WHERE branch_id = 'steward-verify'
  RETURNING 1;
DELETE FROM main.am_forks WHERE branch_id = 'steward-verify' RETURNING 1;
INSERT INTO main.am_change_blobs(bytes_hash, bytes)
VALUES (x'737465776172642d', x'01')
  RETURNING 1;
SELECT 1 FROM main.am_change_blobs WHERE bytes_hash = x'737465776172642d';
UPDATE main.am_change_blobs SET bytes = x'02'
 WHERE bytes_hash = x'737465776172642d'
  RETURNING 1;
INSERT INTO main.am_change_index(doc_id, branch_id, seq_no, change_hash,
  bytes_hash, deps_json)
VALUES ('steward-verify', 'steward-verify', 1, 'h', x'737465776172642d',
        '[]')
  RETURNING 1;
SELECT 1 FROM main.am_change_index WHERE branch_id = 'steward-verify';
UPDATE main.am_change_index SET actor_id = 'a' WHERE branch_id =
  'steward-verify' RETURNING 1;
DELETE FROM main.am_change_index WHERE branch_id = 'steward-verify' RETURNING
  1;
DELETE FROM main.am_change_blobs
 WHERE bytes_hash = x'737465776172642d' RETURNING 1;
DELETE FROM main.am_heads WHERE branch_id = 'steward-verify' RETURNING 1;
DELETE FROM main.am_branches WHERE branch_id = 'steward-verify' RETURNING 1;

-- name: verify_storage script
-- set: storage
-- A row in each of its tables.
INSERT INTO main.ext_storage_records(tenant, extension_install_id, namespace,
  key, value) VALUES ('steward-verify', 'i', 'n', 'k', '1') RETURNING 1;
SELECT 1 FROM main.ext_storage_records WHERE tenant = 'steward-verify';
UPDATE main.ext_storage_records SET value = '2' WHERE tenant =
  'steward-verify' RETURNING 1;
INSERT INTO main.ext_storage_schemas(tenant, extension_install_id, namespace,
  schema_version, schema_document) VALUES ('steward-verify', 'i', 'n', 1,
  '{}') RETURNING 1;
SELECT 1 FROM main.ext_storage_schemas WHERE tenant = 'steward-verify';
UPDATE main.ext_storage_schemas SET status = 'draft' WHERE tenant =
  'steward-verify' RETURNING 1;
INSERT INTO main.ext_storage_usage(tenant, extension_install_id) VALUES
  ('steward-verify', 'j') RETURNING 1;
SELECT 1 FROM main.ext_storage_usage WHERE tenant = 'steward-verify';
UPDATE main.ext_storage_usage SET keys_count = 1 WHERE tenant =
  'steward-verify' RETURNING 1;
DELETE FROM main.ext_storage_usage WHERE tenant = 'steward-verify' RETURNING
  1;
DELETE FROM main.ext_storage_schemas WHERE tenant = 'steward-verify' RETURNING
  1;
DELETE FROM main.ext_storage_records WHERE tenant = 'steward-verify' RETURNING
  1;

-- name: verify_jobs script
-- set: jobs
-- A row in each of its tables, and the triggers that follow a job.
INSERT INTO main.assistly_queue_jobs(status, platform, scheduled_at, content)
  VALUES ('scheduled', 'steward-verify', 1, 'x') RETURNING 1;
SELECT 1 FROM main.assistly_queue_jobs WHERE platform = 'steward-verify';
UPDATE main.assistly_queue_jobs SET status = 'retrying' WHERE platform =
  'steward-verify' RETURNING 1;
INSERT OR REPLACE INTO main.assistly_worker_lock(id, owner_id, acquired_at,
  expires_at) VALUES (1, 'steward-verify', 1, 2) RETURNING 1;
SELECT 1 FROM main.assistly_worker_lock WHERE owner_id = 'steward-verify';
UPDATE main.assistly_worker_lock SET expires_at = 3 WHERE owner_id =
  'steward-verify' RETURNING 1;
DELETE FROM main.assistly_worker_lock WHERE owner_id = 'steward-verify'
  RETURNING 1;
DELETE FROM main.assistly_queue_jobs WHERE platform = 'steward-verify'
  RETURNING 1;
INSERT INTO main.steward_job_queues VALUES ('steward-verify', 1) RETURNING 1;
DELETE FROM main.steward_job_queues WHERE queue = 'steward-verify' RETURNING 1;
INSERT INTO main.steward_fences VALUES ('steward-verify', 1) RETURNING 1;
DELETE FROM main.steward_fences WHERE name = 'steward-verify' RETURNING 1;
INSERT INTO main.steward_locks VALUES ('steward-verify', 1, 'o', 1, 1, 2)
  RETURNING 1;
DELETE FROM main.steward_locks WHERE name = 'steward-verify' RETURNING 1;
INSERT INTO main.steward_row_locks VALUES ('steward-verify', 1, 'o', 1, 1, 2)
  RETURNING 1;
DELETE FROM main.steward_row_locks WHERE table_name = 'steward-verify'
  RETURNING 1;
INSERT INTO main.assistly_queue_jobs(status, platform, scheduled_at, content)
  VALUES ('processing', 'steward-verify', 1, 'x') RETURNING 1;
SELECT 1 FROM main.assistly_queue_jobs
 WHERE platform = 'steward-verify' AND phase = 4;
UPDATE main.assistly_queue_jobs SET status = 'posted', posted_at = 1
 WHERE platform = 'steward-verify' RETURNING 1;
SELECT 1 FROM main.assistly_queue_jobs AS j
  JOIN main.steward_job_attempts AS a ON a.job_id = j.id
 WHERE j.platform = 'steward-verify' AND j.phase IS NULL;
DELETE FROM main.assistly_queue_jobs WHERE platform = 'steward-verify'
  RETURNING 1;

-- name: verify_ledger script
-- set: ledger
-- A row in each of its tables.
INSERT INTO main.steward_rate_limits VALUES ('steward-verify', 'k', 1, 1, 1, 1)
  RETURNING 1;
DELETE FROM main.steward_rate_limits WHERE name = 'steward-verify' RETURNING 1;
INSERT INTO main.assistly_sessions(user_id, session) VALUES ('steward-verify',
  '{}') RETURNING 1;
SELECT 1 FROM main.assistly_sessions WHERE user_id = 'steward-verify';
UPDATE main.assistly_sessions SET session = '[]' WHERE user_id =
  'steward-verify' RETURNING 1;
INSERT INTO main.assistly_approvals(id, status, payload) VALUES
  ('steward-verify', 'pending', '{}') RETURNING 1;
SELECT 1 FROM main.assistly_approvals WHERE id = 'steward-verify';
UPDATE main.assistly_approvals SET status = 'approved' WHERE id =
  'steward-verify' RETURNING 1;
INSERT INTO main.assistly_idempotency(key, value) VALUES ('steward-verify',
  '{}') RETURNING 1;
SELECT 1 FROM main.assistly_idempotency WHERE key = 'steward-verify';
UPDATE main.assistly_idempotency SET value = '[]' WHERE key = 'steward-verify'
  RETURNING 1;
INSERT INTO main.assistly_nonces(nonce, timestamp_ms) VALUES
  ('steward-verify', 1) RETURNING 1;
SELECT 1 FROM main.assistly_nonces WHERE nonce = 'steward-verify';
UPDATE main.assistly_nonces SET timestamp_ms = 2 WHERE nonce =
  'steward-verify' RETURNING 1;
INSERT OR REPLACE INTO main.assistly_metrics(id, payload) VALUES (1,
  '{"steward":1}') RETURNING 1;
SELECT 1 FROM main.assistly_metrics WHERE id = 1;
UPDATE main.assistly_metrics SET payload = '{"steward":2}' WHERE id = 1
  RETURNING 1;
INSERT INTO main.assistly_events(event_type, payload) VALUES
  ('steward-verify', '{}') RETURNING 1;
SELECT 1 FROM main.assistly_events WHERE event_type = 'steward-verify';
UPDATE main.assistly_events SET payload = '[]' WHERE event_type =
  'steward-verify' RETURNING 1;
INSERT INTO main.assistly_store(kind, payload) VALUES ('steward-verify', '{}')
  RETURNING 1;
SELECT 1 FROM main.assistly_store WHERE kind = 'steward-verify';
UPDATE main.assistly_store SET payload = '[]' WHERE kind = 'steward-verify'
  RETURNING 1;
DELETE FROM main.assistly_store WHERE kind = 'steward-verify' RETURNING 1;
DELETE FROM main.assistly_events WHERE event_type = 'steward-verify' RETURNING
  1;
DELETE FROM main.assistly_metrics WHERE id = 1 RETURNING 1;
DELETE FROM main.assistly_nonces WHERE nonce = 'steward-verify' RETURNING 1;
DELETE FROM main.assistly_idempotency WHERE key = 'steward-verify' RETURNING
  1;
DELETE FROM main.assistly_approvals WHERE id = 'steward-verify' RETURNING 1;
DELETE FROM main.assistly_sessions WHERE user_id = 'steward-verify' RETURNING
  1;

-- name: verify_streaming script
-- set: streaming
-- A row in each of its tables.
INSERT INTO main.streaming_performance_log(id, workspace_id, operation_type,
  table_name, record_count, duration_ms) VALUES
  (x'737465776172642d7665726966792d2d', x'737465776172642d7665726966792d2d',
  'query', 'http', 1, 2) RETURNING 1;
SELECT 1 FROM main.streaming_performance_log WHERE id =
  x'737465776172642d7665726966792d2d';
UPDATE main.streaming_performance_log SET duration_ms = 3 WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;
DELETE FROM main.streaming_performance_log WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;

-- name: verify_http script
-- set: http
-- A row in each of its tables.
INSERT INTO main.workspaces(id, name) VALUES
  (x'737465776172642d7665726966792d2d', 'w') RETURNING 1;
SELECT 1 FROM main.workspaces WHERE id = x'737465776172642d7665726966792d2d';
UPDATE main.workspaces SET name = 'x' WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;
INSERT INTO main.files(id, workspace_id, name) VALUES
  (x'737465776172642d7665726966792d2d', x'737465776172642d7665726966792d2d',
  'f') RETURNING 1;
SELECT 1 FROM main.files WHERE id = x'737465776172642d7665726966792d2d';
UPDATE main.files SET name = 'g' WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;
INSERT INTO main.http(id, workspace_id, folder_id, name, url, method) VALUES
  (x'737465776172642d7665726966792d2d', x'737465776172642d7665726966792d2d',
  x'737465776172642d7665726966792d2d', 'n', 'u', 'GET') RETURNING 1;
SELECT 1 FROM main.http WHERE id = x'737465776172642d7665726966792d2d';
UPDATE main.http SET method = 'PUT' WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;
INSERT INTO main.http_search_param(id, http_id, key, value) VALUES
  (x'737465776172642d7665726966792d2d', x'737465776172642d7665726966792d2d',
  'k', 'v') RETURNING 1;
SELECT 1 FROM main.http_search_param WHERE id =
  x'737465776172642d7665726966792d2d';
UPDATE main.http_search_param SET value = 'x' WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;
INSERT INTO main.http_header(id, http_id, header_key, header_value) VALUES
  (x'737465776172642d7665726966792d2d', x'737465776172642d7665726966792d2d',
  'k', 'v') RETURNING 1;
SELECT 1 FROM main.http_header WHERE id = x'737465776172642d7665726966792d2d';
UPDATE main.http_header SET header_value = 'x' WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;
INSERT INTO main.http_body_form(id, http_id, key, value) VALUES
  (x'737465776172642d7665726966792d2d', x'737465776172642d7665726966792d2d',
  'k', 'v') RETURNING 1;
SELECT 1 FROM main.http_body_form WHERE id =
  x'737465776172642d7665726966792d2d';
UPDATE main.http_body_form SET value = 'x' WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;
INSERT INTO main.http_body_urlencoded(id, http_id, key, value) VALUES
  (x'737465776172642d7665726966792d2d', x'737465776172642d7665726966792d2d',
  'k', 'v') RETURNING 1;
SELECT 1 FROM main.http_body_urlencoded WHERE id =
  x'737465776172642d7665726966792d2d';
UPDATE main.http_body_urlencoded SET value = 'x' WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;
INSERT INTO main.http_body_raw(id, http_id, raw_data) VALUES
  (x'737465776172642d7665726966792d2d', x'737465776172642d7665726966792d2d',
  x'01') RETURNING 1;
SELECT 1 FROM main.http_body_raw WHERE id =
  x'737465776172642d7665726966792d2d';
UPDATE main.http_body_raw SET raw_data = x'02' WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;
INSERT INTO main.http_assert(id, http_id, value) VALUES
  (x'737465776172642d7665726966792d2d', x'737465776172642d7665726966792d2d',
  'v') RETURNING 1;
SELECT 1 FROM main.http_assert WHERE id = x'737465776172642d7665726966792d2d';
UPDATE main.http_assert SET value = 'x' WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;
DELETE FROM main.http_assert WHERE id = x'737465776172642d7665726966792d2d'
  RETURNING 1;
DELETE FROM main.http_body_raw WHERE id = x'737465776172642d7665726966792d2d'
  RETURNING 1;
DELETE FROM main.http_body_urlencoded WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;
DELETE FROM main.http_body_form WHERE id = x'737465776172642d7665726966792d2d'
  RETURNING 1;
DELETE FROM main.http_header WHERE id = x'737465776172642d7665726966792d2d'
  RETURNING 1;
DELETE FROM main.http_search_param WHERE id =
  x'737465776172642d7665726966792d2d' RETURNING 1;
DELETE FROM main.http WHERE id = x'737465776172642d7665726966792d2d' RETURNING
  1;
DELETE FROM main.files WHERE id = x'737465776172642d7665726966792d2d'
  RETURNING 1;
DELETE FROM main.workspaces WHERE id = x'737465776172642d7665726966792d2d'
  RETURNING 1;
