-- id: ledger-001-ledger
-- version: 1

DROP INDEX IF EXISTS idx_events_type_created;
DROP INDEX IF EXISTS idx_nonces_timestamp;
DROP INDEX IF EXISTS idx_idempotency_saved;
DROP INDEX IF EXISTS idx_approvals_created;

DROP TABLE IF EXISTS assistly_store;
DROP TABLE IF EXISTS assistly_events;
DROP VIEW IF EXISTS assistly_metrics;
DROP TABLE IF EXISTS steward_metrics;
DROP TABLE IF EXISTS assistly_nonces;
DROP TABLE IF EXISTS assistly_idempotency;
DROP TABLE IF EXISTS assistly_approvals;
DROP TABLE IF EXISTS assistly_sessions;
