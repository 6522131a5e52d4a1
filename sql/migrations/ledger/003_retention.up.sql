-- id: ledger-003-retention
-- version: 3
-- description: Retention of the ledger as policies of ttl_attach, events on the log
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- Who writes what: the rows of steward_policies and steward_policy_options by
-- this step, and by triggers when a setting RETENTION_* changes; sweeps by the
-- ledger's verbs, when the last one is a minute ago, by ttl_sweep() and by the
-- keeper.  ttl_detach ends the retention of a table.

-- Those that one more sweep would remove: any approval that is decided, keys
-- that nobody works on, every event but the newest (so that no id comes again).
INSERT OR IGNORE INTO steward_policies(table_name, column_name, unit, on_write,
                                       batch, made, created_at)
VALUES ('assistly_approvals', 'created_at', 'ms', 0, 500, '[]', 0),
       ('assistly_idempotency', 'saved_at', 'ms', 0, 500, '[]', 0),
       ('assistly_nonces', 'timestamp_ms', 'ms', 0, 500, '[]', 0),
       ('assistly_sessions', 'updated_at', 'ms', 0, 500, '[]', 0),
       ('assistly_events', 'created_at', 'ms', 0, 500, '[]', 0),
       ('steward_rate_limits', 'expires_at', 'ms', 0, 500, '[]', 0);
INSERT OR IGNORE INTO steward_policy_options(table_name, max_age, max_rows,
                                             where_sql)
VALUES ('assistly_approvals', 30 * 86400000, 5000, 'status <> ''pending'''),
       ('assistly_idempotency', 14 * 86400000, 10000,
        'value IS NOT NULL OR coalesce(lease_until, 0) <= coalesce((SELECT c.value FROM steward_config AS c WHERE c.name = ''clock''), CAST(round((julianday(''now'') - 2440587.5) * 86400000) AS INTEGER))'),
       ('assistly_nonces', 86400000 + 1, NULL, NULL),
       ('assistly_sessions', 30 * 86400000, NULL, NULL),
       ('assistly_events', 180 * 86400000, 100000,
        'id < (SELECT max(e.id) FROM assistly_events AS e)');

-- Settings of the ledger are the numbers of these policies.  (A nonce stays one
-- ms longer than the message may be old.)
CREATE VIEW IF NOT EXISTS steward_ledger_settings
  (name, table_name, default_value, value, is_age) AS
SELECT s.column1, s.column2, s.column3,
       coalesce((SELECT c.value FROM steward_config AS c
                  WHERE c.name = s.column1), s.column3),
       s.column1 GLOB '*_DAYS'
  FROM (VALUES ('RETENTION_APPROVALS_DAYS', 'assistly_approvals', 30),
               ('RETENTION_MAX_APPROVALS', 'assistly_approvals', 5000),
               ('RETENTION_IDEMPOTENCY_DAYS', 'assistly_idempotency', 14),
               ('RETENTION_MAX_IDEMPOTENCY', 'assistly_idempotency', 10000),
               ('RETENTION_NONCES_DAYS', 'assistly_nonces', 1),
               ('RETENTION_SESSIONS_DAYS', 'assistly_sessions', 30),
               ('RETENTION_EVENTS_DAYS', 'assistly_events', 180),
               ('RETENTION_MAX_EVENTS', 'assistly_events', 100000)) AS s;

CREATE TRIGGER IF NOT EXISTS steward_ledger_settings_apply
INSTEAD OF UPDATE ON steward_ledger_settings
BEGIN
  UPDATE steward_policy_options
     SET max_age = iif(NEW.is_age, NEW.value * 86400000
                                   + (NEW.table_name = 'assistly_nonces'),
                       max_age),
         max_rows = iif(NEW.is_age, max_rows, NEW.value)
   WHERE table_name = NEW.table_name;
END;
UPDATE steward_ledger_settings SET value = value;

CREATE TRIGGER IF NOT EXISTS steward_ledger_setting_insert
AFTER INSERT ON steward_config WHEN NEW.name GLOB 'RETENTION_*'
BEGIN
  UPDATE steward_ledger_settings SET value = value WHERE name = NEW.name;
END;
CREATE TRIGGER IF NOT EXISTS steward_ledger_setting_update
AFTER UPDATE ON steward_config WHEN NEW.name GLOB 'RETENTION_*'
BEGIN
  UPDATE steward_ledger_settings SET value = value WHERE name = NEW.name;
END;
CREATE TRIGGER IF NOT EXISTS steward_ledger_setting_delete
AFTER DELETE ON steward_config WHEN OLD.name GLOB 'RETENTION_*'
BEGIN
  UPDATE steward_ledger_settings SET value = value WHERE name = OLD.name;
END;

-- Approvals, after each sweep of theirs: what is decided and beyond the count
-- goes; what is pending and too old, or beyond the count, expires, and goes
-- with the next sweep.  Where there was more than this, the next sweep is due
-- at once.
CREATE TRIGGER IF NOT EXISTS steward_approvals_swept
AFTER UPDATE OF sweep_at ON steward_policies
WHEN NEW.table_name = 'assistly_approvals' AND NEW.sweep_at IS NOT NULL
BEGIN
  DELETE FROM assistly_approvals
   WHERE status <> 'pending'
     AND id IN (SELECT a.id FROM assistly_approvals AS a
                       INDEXED BY idx_approvals_created
                 WHERE a.status <> 'pending'
                   AND a.created_at < (SELECT k.created_at
                     FROM assistly_approvals AS k
                          INDEXED BY idx_approvals_created
                    WHERE k.created_at < 1 << 62
                    ORDER BY k.created_at DESC LIMIT 1
                   OFFSET (SELECT o.max_rows - 1 FROM steward_policy_options AS o
                            WHERE o.table_name = 'assistly_approvals'))
                 ORDER BY a.created_at LIMIT 1024);
  UPDATE steward_policies SET deletes_total = deletes_total + changes()
   WHERE table_name = 'assistly_approvals';
  UPDATE assistly_approvals SET status = 'expired', finished_at = NEW.sweep_at
   WHERE status = 'pending'
     AND id IN (SELECT a.id FROM assistly_approvals AS a
                       INDEXED BY steward_approvals_expiry
                 WHERE a.status = 'pending' AND a.expires_at <= NEW.sweep_at
                 ORDER BY a.expires_at LIMIT 1024);
  UPDATE assistly_approvals SET status = 'expired', finished_at = NEW.sweep_at
   WHERE status = 'pending'
     AND id IN (SELECT a.id FROM assistly_approvals AS a
                       INDEXED BY idx_approvals_created
                 WHERE a.status = 'pending'
                   AND a.created_at <= max(
                     NEW.sweep_at - (SELECT o.max_age
                       FROM steward_policy_options AS o
                      WHERE o.table_name = 'assistly_approvals'),
                     coalesce((SELECT k.created_at - 1
                       FROM assistly_approvals AS k
                            INDEXED BY idx_approvals_created
                      WHERE k.created_at < 1 << 62
                      ORDER BY k.created_at DESC LIMIT 1
                     OFFSET (SELECT o.max_rows - 1
                               FROM steward_policy_options AS o
                              WHERE o.table_name = 'assistly_approvals')),
                      -1 << 62))
                 ORDER BY a.created_at LIMIT 1024);
  UPDATE steward_policies SET sweep_at = NULL
   WHERE table_name = 'assistly_approvals' AND changes() = 1024;
END;

-- An event is a row, and a message on the topic event:<type>.
CREATE INDEX IF NOT EXISTS steward_events_created
  ON assistly_events (created_at);
CREATE TRIGGER IF NOT EXISTS steward_events_publish
AFTER INSERT ON assistly_events
WHEN instr(NEW.event_type, '*') = 0
 AND length(CAST(NEW.event_type AS BLOB)) BETWEEN 1 AND 194
BEGIN
  INSERT INTO steward_log(topic, payload, published_at)
  VALUES ('event:' || NEW.event_type, NEW.payload,
          iif(typeof(NEW.created_at) = 'integer'
          AND NEW.created_at BETWEEN 0 AND 86400000 + coalesce(
                (SELECT value FROM steward_config WHERE name = 'clock'),
                CAST(round((julianday('now') - 2440587.5) * 86400000)
                     AS INTEGER)), NEW.created_at, NULL));
END;
