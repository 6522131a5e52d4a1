-- id: delivery-001-subscription-deliveries
-- version: 1
-- What delivery_subscribe made for patterns and for the policy reject goes too.
DROP TRIGGER IF EXISTS steward_messages_full;
DROP TRIGGER IF EXISTS steward_messages_unpattern;
DROP TRIGGER IF EXISTS steward_messages_pattern;
DROP VIEW IF EXISTS steward_pattern_1;
DROP VIEW IF EXISTS steward_pattern_2;
DROP VIEW IF EXISTS steward_pattern_3;
DROP VIEW IF EXISTS steward_pattern_4;
UPDATE steward_cursors SET policy = 'drop_oldest' WHERE policy = 'reject';
DELETE FROM steward_cursors WHERE kind = 1;
DROP TRIGGER IF EXISTS subscription_deliveries_delete;
DROP TRIGGER IF EXISTS subscription_deliveries_update;
DROP TRIGGER IF EXISTS subscription_deliveries_insert;
DROP VIEW IF EXISTS subscription_deliveries;
DROP INDEX IF EXISTS steward_cursors_reject;
DROP INDEX IF EXISTS steward_cursors_seen;
DROP TABLE IF EXISTS steward_pattern_numbers;
DROP TABLE IF EXISTS steward_patterns;
