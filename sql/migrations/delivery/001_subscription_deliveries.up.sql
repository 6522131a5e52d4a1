-- id: delivery-001-subscription-deliveries
-- version: 1
-- description: The seed's subscription_deliveries as a view over the log and its cursors
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- One row per subscription and retained message: what is acknowledged, and
-- what is pending within the subscription's bound.  Acknowledging is
-- cumulative: it acknowledges everything up to that delivery.

CREATE VIEW IF NOT EXISTS subscription_deliveries
  (id, subscription_id, delivery_no, payload, acked, created_at) AS
SELECT (c.cursor_id << 40) | m.position,
       c.cursor_id,
       m.number,
       m.payload,
       m.number <= c.acked_number,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.published_at / 1000.0, 'unixepoch')
  FROM steward_cursors AS c
  JOIN steward_messages AS m ON m.topic = c.topic
 WHERE m.number <= c.acked_number
    OR c.max_pending = 0
    OR m.number > (SELECT l.number FROM steward_messages AS l
                          INDEXED BY steward_messages_number
                    WHERE l.topic = c.topic AND l.number > 0
                    ORDER BY l.number DESC LIMIT 1) - c.max_pending;

-- A delivery inserted for one subscription is a message on its topic: every
-- subscription of the topic gets it.
CREATE TRIGGER IF NOT EXISTS subscription_deliveries_insert
INSTEAD OF INSERT ON subscription_deliveries
BEGIN
  SELECT RAISE(ABORT, 'subscription_deliveries: no such subscription_id')
   WHERE NOT EXISTS (SELECT 1 FROM steward_cursors
                      WHERE cursor_id = NEW.subscription_id);
  INSERT INTO steward_log(topic, payload)
  SELECT topic, NEW.payload FROM steward_cursors
   WHERE cursor_id = NEW.subscription_id;
END;

CREATE TRIGGER IF NOT EXISTS subscription_deliveries_update
INSTEAD OF UPDATE ON subscription_deliveries
BEGIN
  SELECT RAISE(ABORT, 'subscription_deliveries: only acked can be set, and only to 1')
   WHERE NEW.acked IS NOT 1
      OR NEW.subscription_id IS NOT OLD.subscription_id
      OR NEW.delivery_no IS NOT OLD.delivery_no
      OR NEW.payload IS NOT OLD.payload;
  UPDATE steward_cursors
     SET acked_number = OLD.delivery_no,
         acked_position = OLD.id & 1099511627775
   WHERE cursor_id = OLD.subscription_id AND acked_number < OLD.delivery_no;
END;

-- The original dropped the oldest pending rows by deleting them.
CREATE TRIGGER IF NOT EXISTS subscription_deliveries_delete
INSTEAD OF DELETE ON subscription_deliveries
BEGIN
  UPDATE steward_cursors
     SET dropped_total = dropped_total + OLD.delivery_no - acked_number,
         acked_number = OLD.delivery_no,
         acked_position = OLD.id & 1099511627775
   WHERE cursor_id = OLD.subscription_id AND acked_number < OLD.delivery_no;
END;
