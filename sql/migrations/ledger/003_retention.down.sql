-- id: ledger-003-retention
-- version: 3
DROP TRIGGER IF EXISTS steward_events_publish;
DROP INDEX IF EXISTS steward_events_created;
DROP TRIGGER IF EXISTS steward_approvals_swept;
DROP TRIGGER IF EXISTS steward_ledger_setting_delete;
DROP TRIGGER IF EXISTS steward_ledger_setting_update;
DROP TRIGGER IF EXISTS steward_ledger_setting_insert;
DROP VIEW IF EXISTS steward_ledger_settings;
DELETE FROM steward_policy_options
 WHERE table_name IN (SELECT p.table_name FROM steward_policies AS p
                       WHERE p.made = '[]')
   AND table_name IN ('assistly_approvals', 'assistly_idempotency',
                      'assistly_nonces', 'assistly_sessions',
                      'assistly_events', 'steward_rate_limits');
DELETE FROM steward_policies
 WHERE made = '[]'
   AND table_name IN ('assistly_approvals', 'assistly_idempotency',
                      'assistly_nonces', 'assistly_sessions',
                      'assistly_events', 'steward_rate_limits');
