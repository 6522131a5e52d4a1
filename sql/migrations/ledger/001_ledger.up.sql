-- id: ledger-001-ledger
-- version: 1
-- description: Sessions, approvals, idempotency, nonces, metrics, events, store
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- What a service must remember between two requests. All times are Unix
-- milliseconds; what was jsonb is JSON text.

CREATE TABLE IF NOT EXISTS assistly_sessions (
  user_id TEXT NOT NULL PRIMARY KEY,
  session TEXT NOT NULL CHECK (json_valid(session)),
  updated_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
);

CREATE TABLE IF NOT EXISTS assistly_approvals (
  id TEXT NOT NULL PRIMARY KEY,
  status TEXT NOT NULL,
  created_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
  payload TEXT NOT NULL CHECK (json_valid(payload))
);
CREATE INDEX IF NOT EXISTS idx_approvals_created
  ON assistly_approvals (created_at);

-- The answer to a request by its key; NULL while there is none yet.
CREATE TABLE IF NOT EXISTS assistly_idempotency (
  key TEXT NOT NULL PRIMARY KEY,
  saved_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
  value TEXT CHECK (value IS NULL OR json_valid(value))
);
CREATE INDEX IF NOT EXISTS idx_idempotency_saved
  ON assistly_idempotency (saved_at);

-- Two short columns, always found by key: one b-tree.
CREATE TABLE IF NOT EXISTS assistly_nonces (
  nonce TEXT NOT NULL PRIMARY KEY,
  timestamp_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS idx_nonces_timestamp
  ON assistly_nonces (timestamp_ms);

-- One row that holds all counters of the service.
CREATE TABLE IF NOT EXISTS assistly_metrics (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  payload TEXT NOT NULL CHECK (json_valid(payload)),
  updated_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
);

CREATE TABLE IF NOT EXISTS assistly_events (
  id INTEGER PRIMARY KEY,
  event_type TEXT NOT NULL,
  payload TEXT NOT NULL CHECK (json_valid(payload)),
  created_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
);
CREATE INDEX IF NOT EXISTS idx_events_type_created
  ON assistly_events (event_type, created_at);

-- Snapshots by kind ('queue', 'state', 'logs' ...).
CREATE TABLE IF NOT EXISTS assistly_store (
  kind TEXT NOT NULL PRIMARY KEY,
  payload TEXT NOT NULL CHECK (json_valid(payload)),
  updated_at INTEGER NOT NULL DEFAULT
    (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
);
