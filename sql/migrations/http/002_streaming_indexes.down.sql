-- id: http-002-streaming-indexes
-- version: 2

DROP INDEX IF EXISTS http_recent_activity_idx;
DROP INDEX IF EXISTS http_assert_streaming_idx;
DROP INDEX IF EXISTS http_body_form_streaming_idx;
DROP INDEX IF EXISTS http_header_streaming_idx;
DROP INDEX IF EXISTS http_search_param_streaming_idx;
DROP INDEX IF EXISTS http_batch_processing_idx;
