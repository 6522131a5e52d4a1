-- id: delivery-001-subscription-deliveries
-- version: 1
-- description: Patterns, and the seed's subscription_deliveries as a view over log and cursors
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- Who writes what: steward_patterns by delivery_subscribe; its numbers and
-- steward_pattern_numbers by triggers on steward_messages that delivery_subscribe
-- makes with the first pattern and takes away with the last, so that nobody
-- pays for them before (steward_messages_pattern, steward_messages_unpattern and
-- the views steward_pattern_1 .. 4; steward_messages_full likewise, for the
-- policy reject).

-- A pattern `doc:*` that somebody subscribed to is a channel with numbers of
-- its own, without a hole.  It is complete from a position on; older messages
-- are put in when somebody wants them, with numbers that go down.
CREATE TABLE IF NOT EXISTS steward_patterns (
  pattern_id INTEGER PRIMARY KEY,
  pattern TEXT NOT NULL UNIQUE,
  last_number INTEGER NOT NULL DEFAULT 0,
  floor_number INTEGER NOT NULL DEFAULT 0,
  complete_from INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS steward_pattern_numbers (
  pattern_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (pattern_id, number)
) WITHOUT ROWID;

-- Consumers that nobody has heard of for long; subscriptions that reject.
CREATE INDEX IF NOT EXISTS steward_cursors_seen ON steward_cursors(seen_at);
CREATE INDEX IF NOT EXISTS steward_cursors_reject
  ON steward_cursors(topic, acked_number) WHERE policy = 'reject';

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
 WHERE c.kind = 0
   AND (m.number <= c.acked_number
     OR c.max_pending = 0
     OR m.number > (SELECT l.number FROM steward_messages AS l
                           INDEXED BY steward_messages_number
                     WHERE l.topic = c.topic AND l.number > 0
                     ORDER BY l.number DESC LIMIT 1) - c.max_pending)
UNION ALL
SELECT (c.cursor_id << 40) | n.position,
       c.cursor_id,
       n.number,
       m.payload,
       n.number <= c.acked_number,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.published_at / 1000.0, 'unixepoch')
  FROM steward_cursors AS c
  JOIN steward_patterns AS p ON p.pattern = c.topic
  JOIN steward_pattern_numbers AS n ON n.pattern_id = p.pattern_id
  JOIN steward_messages AS m ON m.position = n.position
 WHERE c.kind = 1
   AND (n.number <= c.acked_number
     OR c.max_pending = 0
     OR n.number > p.last_number - c.max_pending)
UNION ALL
SELECT (c.cursor_id << 40) | m.position,
       c.cursor_id,
       m.position,
       m.payload,
       m.position <= c.acked_number,
       strftime('%Y-%m-%dT%H:%M:%fZ', m.published_at / 1000.0, 'unixepoch')
  FROM steward_cursors AS c
  JOIN steward_messages AS m
 WHERE c.kind = 2
   AND (m.position <= c.acked_number
     OR c.max_pending = 0
     OR m.position > (SELECT max(l.position) FROM steward_messages AS l)
                     - c.max_pending);

-- A delivery inserted for one subscription is a message on its topic: every
-- subscription of the topic gets it.
CREATE TRIGGER IF NOT EXISTS subscription_deliveries_insert
INSTEAD OF INSERT ON subscription_deliveries
BEGIN
  SELECT RAISE(ABORT, 'subscription_deliveries: no such subscription_id, or it is to a pattern')
   WHERE NOT EXISTS (SELECT 1 FROM steward_cursors
                      WHERE cursor_id = NEW.subscription_id AND kind = 0);
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
         dropped_from = acked_position + 1,
         dropped_to = OLD.id & 1099511627775,
         acked_number = OLD.delivery_no,
         acked_position = OLD.id & 1099511627775
   WHERE cursor_id = OLD.subscription_id AND acked_number < OLD.delivery_no;
END;
