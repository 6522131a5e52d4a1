-- id: ledger-002-states
-- version: 2
DROP INDEX IF EXISTS steward_rate_limits_expiry;
DROP TABLE IF EXISTS steward_rate_limits;
DROP INDEX IF EXISTS steward_sessions_updated;
DROP INDEX IF EXISTS steward_approvals_expiry;
ALTER TABLE assistly_approvals DROP COLUMN result;
ALTER TABLE assistly_approvals DROP COLUMN finished_at;
ALTER TABLE assistly_approvals DROP COLUMN started_at;
ALTER TABLE assistly_approvals DROP COLUMN decided_at;
ALTER TABLE assistly_approvals DROP COLUMN decided_by;
ALTER TABLE assistly_approvals DROP COLUMN expires_at;
ALTER TABLE assistly_idempotency DROP COLUMN holder;
ALTER TABLE assistly_idempotency DROP COLUMN expires_at;
ALTER TABLE assistly_idempotency DROP COLUMN lease_until;
ALTER TABLE assistly_idempotency DROP COLUMN fingerprint;
