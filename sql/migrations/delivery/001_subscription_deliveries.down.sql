-- id: delivery-001-subscription-deliveries
-- version: 1
DROP TRIGGER IF EXISTS subscription_deliveries_delete;
DROP TRIGGER IF EXISTS subscription_deliveries_update;
DROP TRIGGER IF EXISTS subscription_deliveries_insert;
DROP VIEW IF EXISTS subscription_deliveries;
