-- id: ledger-002-states
-- version: 2
-- description: Idempotency with leases and fingerprints, approvals with their course, rate limits
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- A key without an answer is being worked on until lease_until; nobody's after
-- that. Rows of plain SQL expire by saved_at. holder: who works on it, an owner
-- or the number of a connection.
ALTER TABLE assistly_idempotency ADD COLUMN fingerprint TEXT;
ALTER TABLE assistly_idempotency ADD COLUMN lease_until INTEGER;
ALTER TABLE assistly_idempotency ADD COLUMN expires_at INTEGER;
ALTER TABLE assistly_idempotency ADD COLUMN holder;

ALTER TABLE assistly_approvals ADD COLUMN expires_at INTEGER;
ALTER TABLE assistly_approvals ADD COLUMN decided_by TEXT;
ALTER TABLE assistly_approvals ADD COLUMN decided_at INTEGER;
ALTER TABLE assistly_approvals ADD COLUMN started_at INTEGER;
ALTER TABLE assistly_approvals ADD COLUMN finished_at INTEGER;
ALTER TABLE assistly_approvals ADD COLUMN result;
CREATE INDEX IF NOT EXISTS steward_approvals_expiry
  ON assistly_approvals (expires_at)
  WHERE status = 'pending' AND expires_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS steward_sessions_updated
  ON assistly_sessions (updated_at);

-- How often something happened: one row for each 64th of a period, and when it
-- counts no more.
CREATE TABLE IF NOT EXISTS steward_rate_limits (
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  width INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  hits INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (name, key, width, bucket)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS steward_rate_limits_expiry
  ON steward_rate_limits (expires_at);
