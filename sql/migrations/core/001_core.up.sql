-- id: core-001-core
-- version: 1
-- description: Settings, bookkeeping of migrations, the log with its cursors, policies, counters
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- No JSON function in this schema: SQLite 3.40 takes them for unsafe, and with
-- PRAGMA trusted_schema = OFF it would not open the file any more.
--
-- Who writes what: steward_sets and steward_migrations by migrate_up and
-- migrate_down only; steward_log by anyone, with a plain INSERT of topic and
-- payload (key, headers); steward_messages by that view's triggers and the
-- verbs of the library, steward_topics by the triggers of steward_messages.

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
  made TEXT NOT NULL,
  seeded TEXT NOT NULL,
  notes TEXT NOT NULL,
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

-- Expiry policies.  made: what ttl_attach put on the table, for its removal.
CREATE TABLE IF NOT EXISTS steward_policies (
  table_name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
  column_name TEXT NOT NULL,
  unit TEXT NOT NULL CHECK (unit IN ('s', 'ms', 'iso')),
  on_write INTEGER NOT NULL CHECK (on_write IN (0, 1)),
  batch INTEGER NOT NULL CHECK (batch > 0),
  made TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  deletes_total INTEGER NOT NULL DEFAULT 0,
  sweep_at INTEGER,
  sweep_ms INTEGER
) WITHOUT ROWID;

-- The log: a message, its place in the file and its place in its topic.
-- position: one sequence for the whole file, in commit order; it is the rowid,
-- max + 1, and the last row is never deleted, so no position is used twice.
-- number: gap-free within the topic.  What is pending for a cursor, and where
-- a bounded queue begins, are subtractions of numbers: no row is counted.
-- payload keeps its type.
CREATE TABLE IF NOT EXISTS steward_messages (
  position INTEGER PRIMARY KEY,
  topic TEXT NOT NULL,
  number INTEGER NOT NULL,
  key TEXT,
  payload NOT NULL,
  headers TEXT,
  published_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS steward_messages_number
  ON steward_messages(topic, number);

-- floor_number: the highest number of the topic that has been deleted; there
-- is no row before that.
CREATE TABLE IF NOT EXISTS steward_topics (
  topic TEXT PRIMARY KEY NOT NULL,
  floor_number INTEGER NOT NULL
) WITHOUT ROWID;

-- How many bytes of payload had been published in all, now and then (only while
-- log_max_bytes is set): what lies between two marks is a subtraction.
CREATE TABLE IF NOT EXISTS steward_log_marks (
  bytes INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (bytes, position)
) WITHOUT ROWID;

-- A cursor is a consumer's place in a channel: a topic (kind 0), the topics
-- with a prefix (1), or everything (2, where numbers are positions).  All up to
-- acked_number (at acked_position) is done.  max_pending 0: bounded by retention
-- only.  dropped_from, dropped_to: the positions between which messages were
-- last lost.
CREATE TABLE IF NOT EXISTS steward_cursors (
  cursor_id INTEGER PRIMARY KEY,
  consumer TEXT NOT NULL,
  topic TEXT NOT NULL,
  kind INTEGER NOT NULL DEFAULT 0 CHECK (kind IN (0, 1, 2)),
  acked_position INTEGER NOT NULL DEFAULT 0,
  acked_number INTEGER NOT NULL DEFAULT 0,
  max_pending INTEGER NOT NULL CHECK (max_pending >= 0),
  policy TEXT NOT NULL DEFAULT 'drop_oldest'
    CHECK (policy IN ('drop_oldest', 'reject', 'coalesce')),
  dropped_total INTEGER NOT NULL DEFAULT 0,
  dropped_from INTEGER,
  dropped_to INTEGER,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  UNIQUE (consumer, topic)
);

-- What everyone reads, and clients without the library insert into.
CREATE VIEW IF NOT EXISTS steward_log
  (position, topic, number, key, payload, headers, published_at) AS
SELECT position, topic, number, key, payload, headers, published_at
  FROM steward_messages;

-- It speaks by RAISE, which no OR IGNORE of an outer statement can silence as
-- it would silence a constraint.
CREATE TRIGGER IF NOT EXISTS steward_log_insert
INSTEAD OF INSERT ON steward_log
BEGIN
  SELECT CASE
    WHEN NEW.topic IS NULL OR NEW.topic = '' OR NEW.payload IS NULL
      OR NEW.position IS NOT NULL OR NEW.number IS NOT NULL
    THEN RAISE(ABORT, 'steward_log: a message needs topic and payload, and gets position and number from the log')
    WHEN typeof(NEW.topic) <> 'text' OR instr(NEW.topic, '*')
      OR length(CAST(NEW.topic AS BLOB)) > 200
    THEN RAISE(ABORT, 'steward_log: a topic is a text of at most 200 bytes without *')
    WHEN NEW.published_at IS NOT NULL
      AND (typeof(NEW.published_at) <> 'integer' OR NEW.published_at < 0)
    THEN RAISE(ABORT, 'steward_log: published_at is Unix milliseconds, or left out')
    WHEN NEW.published_at IS NOT NULL AND NEW.published_at > 86400000 + coalesce(
      (SELECT value FROM steward_config WHERE name = 'clock'),
      CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
    THEN RAISE(ABORT, 'steward_log: published_at is more than a day ahead, and the log would never pass it by age')
  END;
  INSERT INTO steward_messages(topic, number, key, payload, headers,
                               published_at)
  VALUES (
    NEW.topic,
    1 + coalesce(
      (SELECT number FROM steward_messages INDEXED BY steward_messages_number
        WHERE topic = NEW.topic AND number > 0
        ORDER BY number DESC LIMIT 1),
      (SELECT floor_number FROM steward_topics WHERE topic = NEW.topic), 0),
    NEW.key, NEW.payload, NEW.headers,
    coalesce(
      NEW.published_at,
      (SELECT value FROM steward_config WHERE name = 'clock'),
      CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)));
  INSERT INTO steward_log_sweep(position, due)
  VALUES (last_insert_rowid(), last_insert_rowid() % 61 = 0);
END;

CREATE TRIGGER IF NOT EXISTS steward_log_update
INSTEAD OF UPDATE ON steward_log
BEGIN
  SELECT RAISE(ABORT, 'steward_log: messages are not changed: publish another');
END;

CREATE TRIGGER IF NOT EXISTS steward_log_delete
INSTEAD OF DELETE ON steward_log
BEGIN
  DELETE FROM steward_messages WHERE position = OLD.position;
END;

-- Retention, amortized: an insert into this view, with the newest position
-- and due = 1, removes up to 128 of the oldest messages that are beyond
-- log_max_rows, log_max_age or log_max_bytes.  It stops at the first that is to
-- stay (clocks of clients differ), and never removes the newest.  steward_log
-- does it at every 61st position (a prime, so that no rhythm in which clients
-- take turns passes it by); a connection with the library runs the same
-- statements, log_mark, log_sweep and log_unmark in sql/log.sql, before every
-- 64th message that it publishes.  It is no trigger of steward_messages: that
-- would make each publish twice as dear, because SQLite opens a statement
-- journal for what might abort.
CREATE VIEW IF NOT EXISTS steward_log_sweep(position, due) AS
SELECT position, 1 FROM steward_messages ORDER BY position DESC LIMIT 1;

CREATE TRIGGER IF NOT EXISTS steward_log_sweep_oldest
INSTEAD OF INSERT ON steward_log_sweep
WHEN NEW.due
BEGIN
  INSERT INTO steward_log_marks(bytes, position)
  SELECT coalesce(k.bytes + (SELECT sum(length(CAST(m.payload AS BLOB)))
                               FROM steward_messages AS m
                              WHERE m.position > k.position), 0),
         NEW.position
    FROM (SELECT 1) AS one
    LEFT JOIN (SELECT bytes, position FROM steward_log_marks
                ORDER BY bytes DESC, position DESC LIMIT 1) AS k
   WHERE (SELECT value FROM steward_config WHERE name = 'log_max_bytes') > 0
     AND NEW.position > coalesce(k.position, 0);
  DELETE FROM steward_messages
   WHERE position < (
     SELECT coalesce(
              (SELECT m.position FROM steward_messages AS m
                WHERE m.position < o.oldest + 128
                  AND (+m.position = NEW.position
                    OR (+m.position > NEW.position - coalesce(
                          (SELECT value FROM steward_config
                            WHERE name = 'log_max_rows'), 1000000)
                    AND +m.position > coalesce((SELECT k.position FROM steward_log_marks AS k
                          WHERE k.bytes <= (SELECT e.bytes
                                              FROM steward_log_marks AS e
                                             ORDER BY e.bytes DESC LIMIT 1)
                            - nullif((SELECT value FROM steward_config
                                       WHERE name = 'log_max_bytes'), 0)
                          ORDER BY k.bytes DESC, k.position DESC LIMIT 1), 0)
                    AND m.published_at >= coalesce(
                          (SELECT value FROM steward_config
                            WHERE name = 'clock'),
                          CAST(round((julianday('now') - 2440587.5)
                                     * 86400000) AS INTEGER))
                        - coalesce(
                          (SELECT value FROM steward_config
                            WHERE name = 'log_max_age'), 604800000)))
                ORDER BY m.position LIMIT 1),
              o.oldest + 128)
       FROM (SELECT min(position) AS oldest FROM steward_messages) AS o);
  DELETE FROM steward_log_marks
   WHERE bytes < (SELECT k.bytes FROM steward_log_marks AS k
                   WHERE k.bytes <= (SELECT e.bytes FROM steward_log_marks AS e
                                      ORDER BY e.bytes DESC LIMIT 1)
                     - nullif((SELECT value FROM steward_config
                                WHERE name = 'log_max_bytes'), 0)
                   ORDER BY k.bytes DESC LIMIT 1);
END;

CREATE TRIGGER IF NOT EXISTS steward_messages_append_only
BEFORE UPDATE ON steward_messages
BEGIN
  SELECT RAISE(ABORT, 'steward_log: messages are not changed: publish another');
END;

-- The oldest goes first, and the newest never, so that neither numbers nor
-- positions come again, and what is there is whole from one position on.
CREATE TRIGGER IF NOT EXISTS steward_messages_oldest_first
BEFORE DELETE ON steward_messages
BEGIN
  SELECT RAISE(ABORT, 'steward_log: messages leave oldest first, and the newest stays')
   WHERE OLD.position = (SELECT max(position) FROM steward_messages)
      OR OLD.position <> (SELECT min(position) FROM steward_messages);
END;

CREATE TRIGGER IF NOT EXISTS steward_messages_floor
AFTER DELETE ON steward_messages
BEGIN
  INSERT INTO steward_topics(topic, floor_number)
  VALUES (OLD.topic, OLD.number)
      ON CONFLICT (topic) DO UPDATE SET floor_number = OLD.number;
END;
