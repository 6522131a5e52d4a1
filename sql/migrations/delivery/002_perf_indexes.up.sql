-- id: delivery-002-perf-indexes
-- version: 2
-- description: The seed's index of deliveries, on the table that holds the places
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- idx_subscription_deliveries_seq(subscription_id, delivery_no): the table
-- became a view, and its rows by subscription and number are found by
-- steward_messages_number.  The name goes to the index that finds the slowest
-- subscription of a topic.

CREATE INDEX IF NOT EXISTS idx_subscription_deliveries_seq
  ON steward_cursors(topic, acked_number);
