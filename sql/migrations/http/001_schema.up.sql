-- id: http-001-schema
-- version: 1
-- description: Workspaces, files, HTTP requests with overlays and children
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- HTTP requests as base rows and sparse overlays (is_delta, parent_http_id,
-- delta_x for x: NULL inherits), and the rows that belong to a request. Ids
-- are any value, 16-byte ULIDs in the original; times are Unix seconds.
--
-- Children carry both orders the original has known: the list prev/next of the
-- streaming seed, and display_order. Their CHECKs are the original's; that two
-- tables lack is_delta => parent is its choice too.
--
-- Here stand the tables and every index that a foreign key leans on, so that
-- cascades, and DROP TABLE with foreign keys on, never scan a table for each
-- row. Where an index of the seed begins with the column of the key, it is the
-- one, under its name; so are the seed's three of first priority. Those that
-- only make reads faster are in the next step, which goes down alone.

CREATE TABLE IF NOT EXISTS workspaces (
  id BLOB NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  updated BIGINT NOT NULL DEFAULT (unixepoch()),
  collection_count INT NOT NULL DEFAULT 0,
  flow_count INT NOT NULL DEFAULT 0,
  active_env BLOB,
  global_env BLOB,
  display_order REAL NOT NULL DEFAULT 0
);

-- content_kind: 0 folder, 1 http, 2 http delta, 3 flow, 4 credential,
-- 5 graphql, 6 websocket, 7 graphql delta.
CREATE TABLE IF NOT EXISTS files (
  id BLOB NOT NULL PRIMARY KEY,
  workspace_id BLOB NOT NULL,
  parent_id BLOB,
  content_id BLOB,
  content_kind INT8 NOT NULL DEFAULT 0,
  name TEXT NOT NULL,
  display_order REAL NOT NULL DEFAULT 0,
  path_hash TEXT,
  updated_at BIGINT NOT NULL DEFAULT (unixepoch()),
  CHECK (length(id) = 16),
  CHECK (content_kind IN (0, 1, 2, 3, 4, 5, 6, 7)),
  FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
  FOREIGN KEY (parent_id) REFERENCES files (id) ON DELETE SET NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS files_path_hash_idx
  ON files (workspace_id, path_hash) WHERE path_hash IS NOT NULL;
CREATE INDEX IF NOT EXISTS files_hierarchy_idx
  ON files (workspace_id, parent_id, display_order);
CREATE INDEX IF NOT EXISTS files_parent_lookup_idx
  ON files (parent_id, display_order) WHERE parent_id IS NOT NULL;

-- body_kind: 0 none, 1 form, 2 urlencoded, 3 raw. A snapshot is a resolved
-- copy, never an overlay.
CREATE TABLE IF NOT EXISTS http (
  id BLOB NOT NULL PRIMARY KEY,
  workspace_id BLOB NOT NULL,
  folder_id BLOB,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  method TEXT NOT NULL,
  body_kind INT8 NOT NULL DEFAULT 2,
  description TEXT NOT NULL DEFAULT '',
  content_hash TEXT,
  parent_http_id BLOB DEFAULT NULL,
  is_delta BOOLEAN NOT NULL DEFAULT FALSE,
  is_snapshot BOOLEAN NOT NULL DEFAULT FALSE,
  delta_name TEXT,
  delta_url TEXT,
  delta_method TEXT,
  delta_body_kind INT8,
  delta_description TEXT,
  last_run_at BIGINT,
  created_at BIGINT NOT NULL DEFAULT (unixepoch()),
  updated_at BIGINT NOT NULL DEFAULT (unixepoch()),
  CHECK (is_delta = FALSE OR parent_http_id IS NOT NULL),
  CHECK (NOT (is_delta = TRUE AND is_snapshot = TRUE)),
  FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
  FOREIGN KEY (folder_id) REFERENCES files (id) ON DELETE SET NULL,
  FOREIGN KEY (parent_http_id) REFERENCES http (id) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS http_workspace_streaming_idx
  ON http (workspace_id, is_delta, updated_at DESC);
CREATE INDEX IF NOT EXISTS http_delta_resolution_idx
  ON http (parent_http_id, is_delta, updated_at DESC);
CREATE INDEX IF NOT EXISTS http_workspace_method_streaming_idx
  ON http (workspace_id, method, is_delta, updated_at DESC);
CREATE INDEX IF NOT EXISTS http_folder_streaming_idx
  ON http (folder_id, updated_at DESC) WHERE folder_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS http_search_param (
  id BLOB NOT NULL PRIMARY KEY,
  http_id BLOB NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  enabled BOOLEAN NOT NULL DEFAULT TRUE,
  display_order REAL NOT NULL DEFAULT 0,
  prev BLOB,
  next BLOB,
  parent_http_search_param_id BLOB,
  is_delta BOOLEAN NOT NULL DEFAULT FALSE,
  delta_key TEXT,
  delta_value TEXT,
  delta_description TEXT,
  delta_enabled BOOLEAN,
  delta_display_order REAL,
  created_at BIGINT NOT NULL DEFAULT (unixepoch()),
  updated_at BIGINT NOT NULL DEFAULT (unixepoch()),
  FOREIGN KEY (http_id) REFERENCES http (id) ON DELETE CASCADE,
  FOREIGN KEY (parent_http_search_param_id)
    REFERENCES http_search_param (id) ON DELETE CASCADE,
  FOREIGN KEY (prev) REFERENCES http_search_param (id) ON DELETE SET NULL,
  FOREIGN KEY (next) REFERENCES http_search_param (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS http_search_param_ordering_stream_idx
  ON http_search_param (http_id, prev, next);
CREATE INDEX IF NOT EXISTS http_search_param_parent_idx
  ON http_search_param (parent_http_search_param_id)
  WHERE parent_http_search_param_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS http_search_param_prev_idx
  ON http_search_param (prev) WHERE prev IS NOT NULL;
CREATE INDEX IF NOT EXISTS http_search_param_next_idx
  ON http_search_param (next) WHERE next IS NOT NULL;

CREATE TABLE IF NOT EXISTS http_header (
  id BLOB NOT NULL PRIMARY KEY,
  http_id BLOB NOT NULL,
  header_key TEXT NOT NULL,
  header_value TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  enabled BOOLEAN NOT NULL DEFAULT TRUE,
  display_order REAL NOT NULL DEFAULT 0,
  prev BLOB,
  next BLOB,
  parent_header_id BLOB,
  is_delta BOOLEAN NOT NULL DEFAULT FALSE,
  delta_header_key TEXT,
  delta_header_value TEXT,
  delta_description TEXT,
  delta_enabled BOOLEAN,
  delta_display_order REAL,
  created_at BIGINT NOT NULL DEFAULT (unixepoch()),
  updated_at BIGINT NOT NULL DEFAULT (unixepoch()),
  CHECK (is_delta = FALSE OR parent_header_id IS NOT NULL),
  FOREIGN KEY (http_id) REFERENCES http (id) ON DELETE CASCADE,
  FOREIGN KEY (parent_header_id)
    REFERENCES http_header (id) ON DELETE CASCADE,
  FOREIGN KEY (prev) REFERENCES http_header (id) ON DELETE SET NULL,
  FOREIGN KEY (next) REFERENCES http_header (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS http_header_ordering_stream_idx
  ON http_header (http_id, prev, next);
CREATE INDEX IF NOT EXISTS http_header_parent_idx
  ON http_header (parent_header_id)
  WHERE parent_header_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS http_header_prev_idx
  ON http_header (prev) WHERE prev IS NOT NULL;
CREATE INDEX IF NOT EXISTS http_header_next_idx
  ON http_header (next) WHERE next IS NOT NULL;

CREATE TABLE IF NOT EXISTS http_body_form (
  id BLOB NOT NULL PRIMARY KEY,
  http_id BLOB NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  enabled BOOLEAN NOT NULL DEFAULT TRUE,
  display_order REAL NOT NULL DEFAULT 0,
  prev BLOB,
  next BLOB,
  parent_http_body_form_id BLOB,
  is_delta BOOLEAN NOT NULL DEFAULT FALSE,
  delta_key TEXT,
  delta_value TEXT,
  delta_description TEXT,
  delta_enabled BOOLEAN,
  delta_display_order REAL,
  created_at BIGINT NOT NULL DEFAULT (unixepoch()),
  updated_at BIGINT NOT NULL DEFAULT (unixepoch()),
  FOREIGN KEY (http_id) REFERENCES http (id) ON DELETE CASCADE,
  FOREIGN KEY (parent_http_body_form_id)
    REFERENCES http_body_form (id) ON DELETE CASCADE,
  FOREIGN KEY (prev) REFERENCES http_body_form (id) ON DELETE SET NULL,
  FOREIGN KEY (next) REFERENCES http_body_form (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS http_body_form_order_idx
  ON http_body_form (http_id, display_order);
CREATE INDEX IF NOT EXISTS http_body_form_parent_idx
  ON http_body_form (parent_http_body_form_id)
  WHERE parent_http_body_form_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS http_body_form_prev_idx
  ON http_body_form (prev) WHERE prev IS NOT NULL;
CREATE INDEX IF NOT EXISTS http_body_form_next_idx
  ON http_body_form (next) WHERE next IS NOT NULL;

CREATE TABLE IF NOT EXISTS http_body_urlencoded (
  id BLOB NOT NULL PRIMARY KEY,
  http_id BLOB NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  enabled BOOLEAN NOT NULL DEFAULT TRUE,
  display_order REAL NOT NULL DEFAULT 0,
  prev BLOB,
  next BLOB,
  parent_http_body_urlencoded_id BLOB,
  is_delta BOOLEAN NOT NULL DEFAULT FALSE,
  delta_key TEXT,
  delta_value TEXT,
  delta_description TEXT,
  delta_enabled BOOLEAN,
  delta_display_order REAL,
  created_at BIGINT NOT NULL DEFAULT (unixepoch()),
  updated_at BIGINT NOT NULL DEFAULT (unixepoch()),
  CHECK (is_delta = FALSE OR parent_http_body_urlencoded_id IS NOT NULL),
  FOREIGN KEY (http_id) REFERENCES http (id) ON DELETE CASCADE,
  FOREIGN KEY (parent_http_body_urlencoded_id)
    REFERENCES http_body_urlencoded (id) ON DELETE CASCADE,
  FOREIGN KEY (prev) REFERENCES http_body_urlencoded (id) ON DELETE SET NULL,
  FOREIGN KEY (next) REFERENCES http_body_urlencoded (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS http_body_urlencoded_order_idx
  ON http_body_urlencoded (http_id, display_order);
CREATE INDEX IF NOT EXISTS http_body_urlencoded_parent_idx
  ON http_body_urlencoded (parent_http_body_urlencoded_id)
  WHERE parent_http_body_urlencoded_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS http_body_urlencoded_prev_idx
  ON http_body_urlencoded (prev) WHERE prev IS NOT NULL;
CREATE INDEX IF NOT EXISTS http_body_urlencoded_next_idx
  ON http_body_urlencoded (next) WHERE next IS NOT NULL;

-- At most one for each request, hence no order. compression_type: 0 none,
-- 1 gzip.
CREATE TABLE IF NOT EXISTS http_body_raw (
  id BLOB NOT NULL PRIMARY KEY,
  http_id BLOB NOT NULL,
  raw_data BLOB,
  compression_type INT8 NOT NULL DEFAULT 0,
  parent_body_raw_id BLOB,
  is_delta BOOLEAN NOT NULL DEFAULT FALSE,
  delta_raw_data BLOB,
  delta_compression_type INT8,
  created_at BIGINT NOT NULL DEFAULT (unixepoch()),
  updated_at BIGINT NOT NULL DEFAULT (unixepoch()),
  CHECK (is_delta = FALSE OR parent_body_raw_id IS NOT NULL),
  UNIQUE (http_id),
  FOREIGN KEY (http_id) REFERENCES http (id) ON DELETE CASCADE,
  FOREIGN KEY (parent_body_raw_id)
    REFERENCES http_body_raw (id) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS http_body_raw_parent_idx
  ON http_body_raw (parent_body_raw_id)
  WHERE parent_body_raw_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS http_assert (
  id BLOB NOT NULL PRIMARY KEY,
  http_id BLOB NOT NULL,
  value TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  enabled BOOLEAN NOT NULL DEFAULT TRUE,
  display_order REAL NOT NULL DEFAULT 0,
  prev BLOB,
  next BLOB,
  parent_http_assert_id BLOB,
  is_delta BOOLEAN NOT NULL DEFAULT FALSE,
  delta_value TEXT,
  delta_description TEXT,
  delta_enabled BOOLEAN,
  delta_display_order REAL,
  created_at BIGINT NOT NULL DEFAULT (unixepoch()),
  updated_at BIGINT NOT NULL DEFAULT (unixepoch()),
  CHECK (is_delta = FALSE OR parent_http_assert_id IS NOT NULL),
  FOREIGN KEY (http_id) REFERENCES http (id) ON DELETE CASCADE,
  FOREIGN KEY (parent_http_assert_id)
    REFERENCES http_assert (id) ON DELETE CASCADE,
  FOREIGN KEY (prev) REFERENCES http_assert (id) ON DELETE SET NULL,
  FOREIGN KEY (next) REFERENCES http_assert (id) ON DELETE SET NULL
);

CREATE INDEX IF NOT EXISTS http_assert_ordering_stream_idx
  ON http_assert (http_id, prev, next);
CREATE INDEX IF NOT EXISTS http_assert_parent_idx
  ON http_assert (parent_http_assert_id)
  WHERE parent_http_assert_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS http_assert_prev_idx
  ON http_assert (prev) WHERE prev IS NOT NULL;
CREATE INDEX IF NOT EXISTS http_assert_next_idx
  ON http_assert (next) WHERE next IS NOT NULL;
