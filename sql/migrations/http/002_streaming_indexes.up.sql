-- id: http-002-streaming-indexes
-- version: 2
-- description: The streaming seed's indexes that only make reads faster
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- Sections 2.1 to 2.3 of the streaming seed, without those that foreign keys
-- need or that are of first priority: they came with the tables.

-- Section 2.1.
CREATE INDEX IF NOT EXISTS http_batch_processing_idx
  ON http (workspace_id, folder_id, is_delta, updated_at);

-- Section 2.2.
CREATE INDEX IF NOT EXISTS http_search_param_streaming_idx
  ON http_search_param (http_id, enabled, updated_at DESC)
  WHERE enabled = TRUE;
CREATE INDEX IF NOT EXISTS http_header_streaming_idx
  ON http_header (http_id, enabled, updated_at DESC) WHERE enabled = TRUE;
CREATE INDEX IF NOT EXISTS http_body_form_streaming_idx
  ON http_body_form (http_id, enabled, updated_at DESC) WHERE enabled = TRUE;
CREATE INDEX IF NOT EXISTS http_assert_streaming_idx
  ON http_assert (http_id, enabled, updated_at DESC) WHERE enabled = TRUE;

-- Section 2.3. The seed keeps only rows of the last 24 hours in this index, by
-- a WHERE with the clock in it: SQLite then refuses every INSERT into http
-- ("non-deterministic use of strftime() in an index"). Without the WHERE it
-- serves the same query.
CREATE INDEX IF NOT EXISTS http_recent_activity_idx
  ON http (updated_at DESC, workspace_id);

-- Not made, since each would hold again what one range of another index holds
-- in the same order, and cost every write:
-- http_base_records_streaming_idx (workspace_id, updated_at DESC) WHERE
--   is_delta = FALSE: http_workspace_streaming_idx, which section 5.2 expects.
-- http_delta_records_streaming_idx (parent_http_id, updated_at DESC) WHERE
--   is_delta = TRUE: http_delta_resolution_idx.
