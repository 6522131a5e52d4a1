-- id: core-001-core
-- version: 1
-- description: Settings, bookkeeping of migrations, the log with its cursors, policies, counters
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- Who writes what: steward_sets and steward_migrations by migrate_up and
-- migrate_down only; steward_log by anyone, with a plain INSERT of topic and
-- payload (key, headers); steward_topics and steward_numbers by the triggers
-- of steward_log alone.

-- Settings that differ from their default; steward_setting() writes them.
-- The row `clock` pins the time that triggers see (steward_clock, for tests).
CREATE TABLE IF NOT EXISTS steward_config (
  name TEXT PRIMARY KEY NOT NULL,
  value NOT NULL
) WITHOUT ROWID;

-- One row per installed set: its version, and the lowest library version that
-- may write it.  Every writing verb looks here, so it is a table of its own.
CREATE TABLE IF NOT EXISTS steward_sets (
  set_name TEXT PRIMARY KEY NOT NULL,
  version INTEGER NOT NULL,
  library TEXT NOT NULL
) WITHOUT ROWID;

-- One row per step applied.  made: the objects that it created (not those it
-- found), seeded: the rows that it put in, notes: what it left as it was.
CREATE TABLE IF NOT EXISTS steward_migrations (
  set_name TEXT NOT NULL,
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  author TEXT NOT NULL,
  created TEXT NOT NULL,
  checksum TEXT NOT NULL,
  library TEXT NOT NULL,
  applied_at INTEGER NOT NULL,
  made TEXT NOT NULL CHECK (json_valid(made)),
  seeded TEXT NOT NULL CHECK (json_valid(seeded)),
  notes TEXT NOT NULL CHECK (json_valid(notes)),
  PRIMARY KEY (set_name, version)
) WITHOUT ROWID;

-- Steps of an application, defined by migrate_define().
CREATE TABLE IF NOT EXISTS steward_migration_steps (
  set_name TEXT NOT NULL,
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  up_sql TEXT NOT NULL,
  down_sql TEXT NOT NULL,
  defined_at INTEGER NOT NULL,
  PRIMARY KEY (set_name, version)
) WITHOUT ROWID;

-- Durable counters, moved in the transaction of what they count.
CREATE TABLE IF NOT EXISTS steward_counters (
  name TEXT PRIMARY KEY NOT NULL,
  value INTEGER NOT NULL
) WITHOUT ROWID;

-- Expiry policies.  form: how the column writes a time, for strftime, when unit
-- is iso; made: what ttl_attach put on the table, for its removal.
CREATE TABLE IF NOT EXISTS steward_policies (
  table_name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
  column_name TEXT NOT NULL,
  unit TEXT NOT NULL CHECK (unit IN ('s', 'ms', 'iso')),
  form TEXT NOT NULL,
  on_write INTEGER NOT NULL CHECK (on_write IN (0, 1)),
  batch INTEGER NOT NULL CHECK (batch > 0),
  made TEXT NOT NULL CHECK (json_valid(made)),
  created_at INTEGER NOT NULL,
  deletes_total INTEGER NOT NULL DEFAULT 0,
  sweep_at INTEGER,
  sweep_ms INTEGER
) WITHOUT ROWID;

-- The log.  position: one sequence for the whole file, in commit order; it is
-- the rowid, max + 1, and the last row is never deleted, so no position is
-- used twice.  payload keeps its type.
CREATE TABLE IF NOT EXISTS steward_log (
  position INTEGER PRIMARY KEY,
  topic TEXT,
  key TEXT,
  payload,
  headers TEXT,
  published_at INTEGER
);

-- floor_number: the highest number of the topic that has been deleted.
CREATE TABLE IF NOT EXISTS steward_topics (
  topic_id INTEGER PRIMARY KEY,
  topic TEXT NOT NULL UNIQUE,
  floor_number INTEGER NOT NULL DEFAULT 0
);

-- number: gap-free within the topic.  What is pending for a cursor, and where
-- a bounded queue begins, are subtractions of numbers: no row is counted.
CREATE TABLE IF NOT EXISTS steward_numbers (
  topic_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (topic_id, number)
) WITHOUT ROWID;

-- A cursor is a consumer's place in a topic: everything up to acked_number
-- (at acked_position) is done.  max_pending 0: bounded by retention only.
CREATE TABLE IF NOT EXISTS steward_cursors (
  cursor_id INTEGER PRIMARY KEY,
  consumer TEXT NOT NULL,
  topic TEXT NOT NULL,
  acked_position INTEGER NOT NULL DEFAULT 0,
  acked_number INTEGER NOT NULL DEFAULT 0,
  max_pending INTEGER NOT NULL CHECK (max_pending >= 0),
  dropped_total INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  UNIQUE (consumer, topic)
);

-- The triggers speak by RAISE, which no OR IGNORE of an outer statement can
-- silence as it would silence a constraint.
CREATE TRIGGER IF NOT EXISTS steward_log_guard
BEFORE INSERT ON steward_log
WHEN NEW.topic IS NULL OR NEW.topic = '' OR NEW.payload IS NULL
  OR (NEW.position <> -1 AND NEW.position IS NOT
      1 + coalesce((SELECT max(position) FROM steward_log), 0))
BEGIN
  SELECT RAISE(ABORT, 'steward_log: a message needs topic and payload, and gets its position from the log')
   WHERE NEW.topic IS NULL OR NEW.topic = '' OR NEW.payload IS NULL
      OR NEW.position <> -1;
END;

-- A topic is made by its first message.
CREATE TRIGGER IF NOT EXISTS steward_log_topic
BEFORE INSERT ON steward_log
WHEN NEW.topic <> ''
 AND NOT EXISTS (SELECT 1 FROM steward_topics WHERE topic = NEW.topic)
BEGIN
  INSERT INTO steward_topics(topic) VALUES (NEW.topic);
END;

-- Number the message within its topic.  By VALUES: an INSERT .. SELECT that
-- reads its own table would go through a temporary one, at five times the cost.
-- A trigger of the application that publishes to the same topic from inside
-- would number the later message first.
CREATE TRIGGER IF NOT EXISTS steward_log_number
AFTER INSERT ON steward_log
BEGIN
  INSERT INTO steward_numbers(topic_id, number, position)
  VALUES (
    (SELECT topic_id FROM steward_topics WHERE topic = NEW.topic),
    1 + coalesce(
      (SELECT CASE WHEN position < NEW.position THEN number
              ELSE RAISE(ABORT, 'steward_log: a trigger on steward_log publishes to the topic that fired it: publish to another topic') END
         FROM steward_numbers
        WHERE topic_id = (SELECT topic_id FROM steward_topics
                           WHERE topic = NEW.topic)
        ORDER BY number DESC LIMIT 1),
      (SELECT floor_number FROM steward_topics WHERE topic = NEW.topic)),
    NEW.position);
END;

-- A plain INSERT leaves the time to us.
CREATE TRIGGER IF NOT EXISTS steward_log_time
AFTER INSERT ON steward_log
WHEN NEW.published_at IS NULL
BEGIN
  UPDATE steward_log
     SET published_at = coalesce(
           (SELECT value FROM steward_config WHERE name = 'clock'),
           CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
   WHERE position = NEW.position;
END;

-- Retention, amortized: every 64th message removes up to 128 of the oldest
-- that are beyond log_max_rows or log_max_age.  It stops at the first that is
-- to stay (clocks of clients differ), and never removes the newest.
CREATE TRIGGER IF NOT EXISTS steward_log_retention
AFTER INSERT ON steward_log
WHEN NEW.position % 64 = 0
BEGIN
  DELETE FROM steward_log
   WHERE position < coalesce(
       (SELECT min(position)
          FROM (SELECT position, published_at FROM steward_log
                 ORDER BY position LIMIT 128)
         WHERE position = NEW.position
            OR (position > NEW.position - coalesce(
                  (SELECT value FROM steward_config
                    WHERE name = 'log_max_rows'), 1000000)
                AND coalesce(published_at >= coalesce(
                  (SELECT value FROM steward_config WHERE name = 'clock'),
                  CAST(round((julianday('now') - 2440587.5) * 86400000)
                       AS INTEGER))
                  - coalesce(
                  (SELECT value FROM steward_config
                    WHERE name = 'log_max_age'), 604800000), 1))),
       (SELECT position FROM steward_log ORDER BY position LIMIT 1 OFFSET 128));
END;

CREATE TRIGGER IF NOT EXISTS steward_log_append_only
BEFORE UPDATE OF position, topic, key, payload, headers ON steward_log
BEGIN
  SELECT RAISE(ABORT, 'steward_log: messages are not changed: publish another');
END;

-- The oldest of its topic goes first, and the newest of all never, so that
-- neither numbers nor positions come again.
CREATE TRIGGER IF NOT EXISTS steward_log_oldest_first
BEFORE DELETE ON steward_log
BEGIN
  SELECT RAISE(ABORT, 'steward_log: messages leave oldest first, and the newest stays')
   WHERE OLD.position = (SELECT max(position) FROM steward_log)
      OR OLD.position IS NOT (
           SELECT position FROM steward_numbers
            WHERE topic_id = (SELECT topic_id FROM steward_topics
                               WHERE topic = OLD.topic)
              AND number = 1 + (SELECT floor_number FROM steward_topics
                                 WHERE topic = OLD.topic));
END;

CREATE TRIGGER IF NOT EXISTS steward_log_floor
AFTER DELETE ON steward_log
BEGIN
  UPDATE steward_topics SET floor_number = floor_number + 1
   WHERE topic = OLD.topic;
  DELETE FROM steward_numbers
   WHERE (topic_id, number) = (SELECT topic_id, floor_number
                                 FROM steward_topics
                                WHERE topic = OLD.topic);
END;
