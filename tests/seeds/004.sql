-- The SQL of the streaming seed.
-- Each statement stands as in the document, after a line with its section;
-- "cannot" says why SQLite cannot run it and what replaces it.
--
-- The CREATE INDEX statements lack IF NOT EXISTS: they run where the index
-- is not there yet.

-- section: 1.1 GetHTTPWorkspaceSnapshotStreaming
SELECT
    h.id,
    h.workspace_id,
    h.folder_id,
    h.name,
    h.url,
    h.method,
    h.description,
    h.created_at,
    h.updated_at,
    h.is_delta,
    -- Pre-computed flags for faster client-side filtering
    CASE WHEN h.is_delta = TRUE THEN 1 ELSE 0 END as delta_flag,
    CASE WHEN h.parent_http_id IS NOT NULL THEN 1 ELSE 0 END as has_parent_flag
FROM http h
WHERE h.workspace_id = ?
    AND h.is_delta = FALSE  -- Only base records for initial snapshot
    AND h.updated_at >= ?    -- Incremental snapshot support
ORDER BY h.updated_at DESC
LIMIT ? OFFSET ?;           -- Pagination support

-- section: 1.2 StreamHTTPUpdates
SELECT
    h.id,
    h.workspace_id,
    h.folder_id,
    h.name,
    h.url,
    h.method,
    h.description,
    h.updated_at,
    h.created_at,
    h.is_delta,
    h.parent_http_id,
    -- Change detection for client-side optimization
    CASE
        WHEN h.updated_at > ? THEN 'updated'
        WHEN h.created_at > ? THEN 'created'
        ELSE 'unchanged'
    END as change_type
FROM http h
WHERE h.workspace_id = ?
    AND (h.updated_at > ? OR h.created_at > ?)
    AND h.is_delta = FALSE  -- Filter out deltas for base streaming
ORDER BY h.updated_at ASC
LIMIT ?;  -- Batch size control for memory management

-- section: 1.2 StreamHTTPDeltas
-- cannot: sqlc.slice() is a code generator's, not SQL: IN (SELECT value FROM json_each(?)) replaces it, or stream_deltas
SELECT
    h.id,
    h.parent_http_id,
    h.delta_name,
    h.delta_url,
    h.delta_method,
    h.delta_description,
    h.updated_at
FROM http h
WHERE h.parent_http_id IN (sqlc.slice('parent_ids'))
    AND h.is_delta = TRUE
    AND h.updated_at > ?
ORDER BY h.parent_http_id, h.updated_at ASC;

-- section: 1.3 ResolveHTTPWithDeltasOptimized
WITH RECURSIVE delta_chain AS (
    -- Base case: start with parent HTTP
    SELECT
        h.id,
        h.name,
        h.url,
        h.method,
        h.description,
        h.updated_at,
        0 as level
    FROM http h
    WHERE h.id = ? AND h.is_delta = FALSE

    UNION ALL

    -- Recursive case: apply deltas in chronological order
    SELECT
        d.id,
        COALESCE(d.delta_name, dc.name) as name,
        COALESCE(d.delta_url, dc.url) as url,
        COALESCE(d.delta_method, dc.method) as method,
        COALESCE(d.delta_description, dc.description) as description,
        d.updated_at,
        dc.level + 1 as level
    FROM http d
    INNER JOIN delta_chain dc ON d.parent_http_id = dc.id
    WHERE d.is_delta = TRUE
        AND d.parent_http_id = dc.id
        AND d.updated_at <= ?  -- Point-in-time resolution
)
SELECT
    id,
    name,
    url,
    method,
    description,
    updated_at
FROM delta_chain
ORDER BY level DESC
LIMIT 1;

-- section: 2.1 http_workspace_streaming_idx
CREATE INDEX http_workspace_streaming_idx ON http (workspace_id, is_delta, updated_at DESC);

-- section: 2.1 http_workspace_method_streaming_idx
CREATE INDEX http_workspace_method_streaming_idx ON http (workspace_id, method, is_delta, updated_at DESC);

-- section: 2.1 http_delta_resolution_idx
CREATE INDEX http_delta_resolution_idx ON http (parent_http_id, is_delta, updated_at DESC);

-- section: 2.1 http_folder_streaming_idx
CREATE INDEX http_folder_streaming_idx ON http (folder_id, updated_at DESC) WHERE folder_id IS NOT NULL;

-- section: 2.1 http_batch_processing_idx
CREATE INDEX http_batch_processing_idx ON http (workspace_id, folder_id, is_delta, updated_at);

-- section: 2.2 http_search_param_streaming_idx
CREATE INDEX http_search_param_streaming_idx ON http_search_param (http_id, enabled, updated_at DESC) WHERE enabled = TRUE;

-- section: 2.2 http_header_streaming_idx
CREATE INDEX http_header_streaming_idx ON http_header (http_id, enabled, updated_at DESC) WHERE enabled = TRUE;

-- section: 2.2 http_body_form_streaming_idx
CREATE INDEX http_body_form_streaming_idx ON http_body_form (http_id, enabled, updated_at DESC) WHERE enabled = TRUE;

-- section: 2.2 http_assert_streaming_idx
CREATE INDEX http_assert_streaming_idx ON http_assert (http_id, enabled, updated_at DESC) WHERE enabled = TRUE;

-- section: 2.2 http_search_param_ordering_stream_idx
CREATE INDEX http_search_param_ordering_stream_idx ON http_search_param (http_id, prev, next);

-- section: 2.2 http_header_ordering_stream_idx
CREATE INDEX http_header_ordering_stream_idx ON http_header (http_id, prev, next);

-- section: 2.2 http_assert_ordering_stream_idx
CREATE INDEX http_assert_ordering_stream_idx ON http_assert (http_id, prev, next);

-- section: 2.3 http_base_records_streaming_idx
CREATE INDEX http_base_records_streaming_idx ON http (workspace_id, updated_at DESC) WHERE is_delta = FALSE;

-- section: 2.3 http_delta_records_streaming_idx
CREATE INDEX http_delta_records_streaming_idx ON http (parent_http_id, updated_at DESC) WHERE is_delta = TRUE;

-- section: 2.3 http_recent_activity_idx
-- cannot: the clock in its WHERE makes every INSERT into http fail: the migration makes the index without the WHERE
CREATE INDEX http_recent_activity_idx ON http (updated_at DESC, workspace_id)
WHERE updated_at > (strftime('%s', 'now') - 86400);

-- section: 3.3 TestConcurrentHTTPUpdate
UPDATE http
SET name = ?, updated_at = unixepoch()
WHERE id = ?
    AND workspace_id = ?
    AND updated_at = ?;  -- Version check for optimistic locking

-- section: 3.3 LockHTTPForStreamingUpdate
-- cannot: SQLite has no row locks: the version check of TestConcurrentHTTPUpdate replaces it, or stream_version with delta_update
SELECT id, workspace_id, updated_at
FROM http
WHERE id = ? AND workspace_id = ?
FOR UPDATE SKIP LOCKED;  -- Non-blocking lock

-- section: 4.1 ValidateHTTPForeignKeysBatch
SELECT
    h.id,
    h.workspace_id,
    h.folder_id,
    h.parent_http_id,
    CASE
        WHEN w.id IS NULL THEN 'invalid_workspace'
        WHEN h.folder_id IS NOT NULL AND f.id IS NULL THEN 'invalid_folder'
        WHEN h.parent_http_id IS NOT NULL AND p.id IS NULL THEN 'invalid_parent'
        ELSE 'valid'
    END as validation_status
FROM http h
LEFT JOIN workspaces w ON h.workspace_id = w.id
LEFT JOIN files f ON h.folder_id = f.id
LEFT JOIN http p ON h.parent_http_id = p.id
WHERE h.workspace_id = ?
    AND h.updated_at > ?
ORDER BY h.updated_at ASC;

-- section: 4.2 CascadeHTTPDeleteStreaming
WITH RECURSIVE delete_tree AS (
    -- Base case: start with parent HTTP
    SELECT id, workspace_id, 0 as level
    FROM http
    WHERE id = ? AND workspace_id = ?

    UNION ALL

    -- Recursive case: find all dependent records
    SELECT
        h.id,
        h.workspace_id,
        dt.level + 1
    FROM http h
    INNER JOIN delete_tree dt ON h.parent_http_id = dt.id
    WHERE h.workspace_id = ?
)
DELETE FROM http
WHERE id IN (SELECT id FROM delete_tree)
    AND workspace_id = ?;

-- section: 5.1 journal_mode
PRAGMA journal_mode = WAL;           -- Better concurrency

-- section: 5.1 synchronous
PRAGMA synchronous = NORMAL;         -- Balance between safety and performance

-- section: 5.1 cache_size
PRAGMA cache_size = 10000;          -- Larger cache for streaming

-- section: 5.1 temp_store
PRAGMA temp_store = MEMORY;          -- Temporary tables in memory

-- section: 5.1 mmap_size
PRAGMA mmap_size = 268435456;      -- 256MB memory-mapped I/O

-- section: 5.1 optimize
PRAGMA optimize;                     -- Automatic query optimization

-- section: 5.2 EXPLAIN QUERY PLAN
EXPLAIN QUERY PLAN
SELECT h.id, h.name, h.updated_at
FROM http h
WHERE h.workspace_id = ?
    AND h.is_delta = FALSE
    AND h.updated_at > ?
ORDER BY h.updated_at DESC
LIMIT 100;

-- section: 6.1 streaming_performance_log
CREATE TABLE IF NOT EXISTS streaming_performance_log (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    operation_type TEXT NOT NULL, -- 'snapshot', 'delta', 'query', 'update'
    table_name TEXT NOT NULL,
    record_count INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    timestamp BIGINT NOT NULL DEFAULT (unixepoch()),
    error_message TEXT
);

-- section: 6.1 streaming_perf_workspace_idx
CREATE INDEX streaming_perf_workspace_idx ON streaming_performance_log (workspace_id, timestamp DESC);

-- section: 6.1 streaming_perf_operation_idx
CREATE INDEX streaming_perf_operation_idx ON streaming_performance_log (operation_type, timestamp DESC);
