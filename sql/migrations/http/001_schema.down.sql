-- id: http-001-schema
-- version: 1

-- Tables first, children before parents: their indexes serve the checks of the
-- foreign keys while the rows go. The indexes are named for tables that were
-- there before this step and stay.

DROP TABLE IF EXISTS http_assert;
DROP TABLE IF EXISTS http_body_raw;
DROP TABLE IF EXISTS http_body_urlencoded;
DROP TABLE IF EXISTS http_body_form;
DROP TABLE IF EXISTS http_header;
DROP TABLE IF EXISTS http_search_param;
DROP TABLE IF EXISTS http;
DROP TABLE IF EXISTS files;
DROP TABLE IF EXISTS workspaces;

DROP INDEX IF EXISTS http_assert_next_idx;
DROP INDEX IF EXISTS http_assert_prev_idx;
DROP INDEX IF EXISTS http_assert_parent_idx;
DROP INDEX IF EXISTS http_assert_ordering_stream_idx;
DROP INDEX IF EXISTS http_body_raw_parent_idx;
DROP INDEX IF EXISTS http_body_urlencoded_next_idx;
DROP INDEX IF EXISTS http_body_urlencoded_prev_idx;
DROP INDEX IF EXISTS http_body_urlencoded_parent_idx;
DROP INDEX IF EXISTS http_body_urlencoded_order_idx;
DROP INDEX IF EXISTS http_body_form_next_idx;
DROP INDEX IF EXISTS http_body_form_prev_idx;
DROP INDEX IF EXISTS http_body_form_parent_idx;
DROP INDEX IF EXISTS http_body_form_order_idx;
DROP INDEX IF EXISTS http_header_next_idx;
DROP INDEX IF EXISTS http_header_prev_idx;
DROP INDEX IF EXISTS http_header_parent_idx;
DROP INDEX IF EXISTS http_header_ordering_stream_idx;
DROP INDEX IF EXISTS http_search_param_next_idx;
DROP INDEX IF EXISTS http_search_param_prev_idx;
DROP INDEX IF EXISTS http_search_param_parent_idx;
DROP INDEX IF EXISTS http_search_param_ordering_stream_idx;
DROP INDEX IF EXISTS http_folder_streaming_idx;
DROP INDEX IF EXISTS http_workspace_method_streaming_idx;
DROP INDEX IF EXISTS http_delta_resolution_idx;
DROP INDEX IF EXISTS http_workspace_streaming_idx;
DROP INDEX IF EXISTS files_parent_lookup_idx;
DROP INDEX IF EXISTS files_hierarchy_idx;
DROP INDEX IF EXISTS files_path_hash_idx;
