-- id: delivery-002-perf-indexes
-- version: 2
DROP INDEX IF EXISTS idx_subscription_deliveries_seq;
