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

-- One row per metric, so that counting one writes no other.
CREATE TABLE IF NOT EXISTS steward_metrics (
  name TEXT PRIMARY KEY NOT NULL,
  calls INTEGER NOT NULL,
  total NOT NULL,
  highest NOT NULL,
  updated_at INTEGER NOT NULL
) WITHOUT ROWID;

-- The seed's row, made of them: a count is a number, and what ends in Ms is
-- {count, total, max}.
CREATE VIEW IF NOT EXISTS assistly_metrics (id, payload, updated_at) AS
SELECT 1,
       json_group_object(m.name,
         iif(m.name GLOB '*Ms',
             json_object('count', m.calls, 'total', m.total, 'max', m.highest),
             m.total)),
       max(m.updated_at)
  FROM steward_metrics AS m
HAVING count(*);

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

-- Who writes the seed's row writes the metrics.
CREATE TRIGGER IF NOT EXISTS assistly_metrics_insert
INSTEAD OF INSERT ON assistly_metrics
BEGIN
  SELECT RAISE(ABORT, 'assistly_metrics: the row has id 1 and a JSON object as payload')
   WHERE NEW.id IS NOT 1 OR json_valid(NEW.payload) IS NOT 1
      OR json_type(NEW.payload) <> 'object';
  SELECT RAISE(ABORT, 'assistly_metrics: a member must be a number or, with a name that ends in Ms, an object of the numbers count, total and max')
   WHERE EXISTS (
     SELECT 1 FROM json_each(NEW.payload) AS j
      WHERE CASE WHEN j.key NOT GLOB '*Ms'
                 THEN j.type NOT IN ('integer', 'real')
                 WHEN j.type <> 'object' THEN 1
                 ELSE EXISTS (SELECT 1 FROM json_each(j.value) AS m
                               WHERE m.key NOT IN ('count', 'total', 'max')
                                  OR m.type NOT IN ('integer', 'real')) END);
  DELETE FROM steward_metrics;
  INSERT INTO steward_metrics(name, calls, total, highest, updated_at)
  SELECT j.key,
         CASE j.type WHEN 'object' THEN coalesce(json_extract(j.value, '$.count'), 0) ELSE j.value END,
         CASE j.type WHEN 'object' THEN coalesce(json_extract(j.value, '$.total'), 0) ELSE j.value END,
         CASE j.type WHEN 'object' THEN coalesce(json_extract(j.value, '$.max'), 0) ELSE j.value END,
         coalesce(NEW.updated_at,
                  (SELECT value FROM steward_config WHERE name = 'clock'),
                  CAST(round((julianday('now') - 2440587.5) * 86400000)
                       AS INTEGER))
    FROM json_each(NEW.payload) AS j;
END;
CREATE TRIGGER IF NOT EXISTS assistly_metrics_update
INSTEAD OF UPDATE ON assistly_metrics
BEGIN
  INSERT INTO assistly_metrics(id, payload, updated_at)
  VALUES (NEW.id, NEW.payload,
          iif(NEW.updated_at = OLD.updated_at, NULL, NEW.updated_at));
END;
CREATE TRIGGER IF NOT EXISTS assistly_metrics_delete
INSTEAD OF DELETE ON assistly_metrics
BEGIN
  DELETE FROM steward_metrics;
END;
