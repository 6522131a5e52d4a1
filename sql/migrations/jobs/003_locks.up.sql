-- id: jobs-003-locks
-- version: 3
-- description: Named locks and row locks; the worker lock as one of them
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- Who writes what: steward_locks by lock_acquire, lock_wait, lock_renew and
-- lock_release; steward_row_locks by lock_rows and lock_rows_release;
-- assistly_worker_lock by plain SQL, and by triggers when the lock `worker`
-- changes. Each of the two tables follows the other.

-- token: larger at every acquisition, from steward_fences. A lock is held until
-- expires_at; a row that has passed it is nobody's.
CREATE TABLE IF NOT EXISTS steward_locks (
  name TEXT NOT NULL,
  slot INTEGER NOT NULL,
  owner TEXT NOT NULL,
  token INTEGER NOT NULL,
  acquired_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (name, slot)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS steward_locks_expiry ON steward_locks (expires_at);

-- row_id: the value of the row's primary key if that is one column, else its
-- rowid.
CREATE TABLE IF NOT EXISTS steward_row_locks (
  table_name TEXT NOT NULL COLLATE NOCASE,
  row_id NOT NULL,
  owner TEXT NOT NULL,
  token INTEGER NOT NULL,
  acquired_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (table_name, row_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS steward_row_locks_token
  ON steward_row_locks (token);
CREATE INDEX IF NOT EXISTS steward_row_locks_expiry
  ON steward_row_locks (expires_at);

-- The lock `worker` and the row of assistly_worker_lock follow each other: these
-- views hold nothing, their triggers write the other one.
CREATE VIEW IF NOT EXISTS steward_worker_follows
  (owner, acquired_at, expires_at) AS
SELECT NULL, NULL, NULL WHERE 0;
CREATE TRIGGER IF NOT EXISTS steward_worker_follow
INSTEAD OF INSERT ON steward_worker_follows
BEGIN
  INSERT INTO assistly_worker_lock(id, owner_id, acquired_at, expires_at)
  VALUES (1, NEW.owner, NEW.acquired_at, NEW.expires_at)
      ON CONFLICT (id) DO UPDATE
     SET owner_id = NEW.owner, acquired_at = NEW.acquired_at,
         expires_at = NEW.expires_at;
END;
CREATE TRIGGER IF NOT EXISTS steward_locks_worker_insert
AFTER INSERT ON steward_locks
WHEN NEW.name = 'worker' AND NEW.slot = 1
BEGIN
  INSERT INTO steward_worker_follows
  VALUES (NEW.owner, NEW.acquired_at, NEW.expires_at);
END;
CREATE TRIGGER IF NOT EXISTS steward_locks_worker_update
AFTER UPDATE ON steward_locks
WHEN NEW.name = 'worker' AND NEW.slot = 1
BEGIN
  INSERT INTO steward_worker_follows
  VALUES (NEW.owner, NEW.acquired_at, NEW.expires_at);
END;
CREATE TRIGGER IF NOT EXISTS steward_locks_worker_delete
AFTER DELETE ON steward_locks
WHEN OLD.name = 'worker' AND OLD.slot = 1
BEGIN
  DELETE FROM assistly_worker_lock WHERE id = 1;
END;

-- Plain SQL took or renewed it: another owner or another beginning is another
-- acquisition.
CREATE VIEW IF NOT EXISTS steward_lock_follows(owner, acquired_at, expires_at)
AS SELECT NULL, NULL, NULL WHERE 0;
CREATE TRIGGER IF NOT EXISTS steward_lock_follow
INSTEAD OF INSERT ON steward_lock_follows
WHEN NOT EXISTS (SELECT 1 FROM steward_locks
                  WHERE name = 'worker' AND slot = 1
                    AND owner = NEW.owner
                    AND acquired_at = NEW.acquired_at
                    AND expires_at = NEW.expires_at)
BEGIN
  INSERT INTO steward_fences(name, last) VALUES ('lease', 1)
      ON CONFLICT (name) DO UPDATE SET last = last + 1;
  INSERT INTO steward_locks(name, slot, owner, token, acquired_at, expires_at)
  VALUES ('worker', 1, NEW.owner,
          (SELECT last FROM steward_fences WHERE name = 'lease'),
          NEW.acquired_at, NEW.expires_at)
      ON CONFLICT (name, slot) DO UPDATE
     SET token = iif(owner = NEW.owner AND acquired_at = NEW.acquired_at,
                     token, excluded.token),
         owner = NEW.owner, acquired_at = NEW.acquired_at,
         expires_at = NEW.expires_at;
END;
CREATE TRIGGER IF NOT EXISTS steward_worker_lock_insert
AFTER INSERT ON assistly_worker_lock
BEGIN
  INSERT INTO steward_lock_follows
  VALUES (NEW.owner_id, NEW.acquired_at, NEW.expires_at);
END;
CREATE TRIGGER IF NOT EXISTS steward_worker_lock_update
AFTER UPDATE ON assistly_worker_lock
BEGIN
  INSERT INTO steward_lock_follows
  VALUES (NEW.owner_id, NEW.acquired_at, NEW.expires_at);
END;
CREATE TRIGGER IF NOT EXISTS steward_worker_lock_delete
AFTER DELETE ON assistly_worker_lock
WHEN OLD.id = 1
BEGIN
  DELETE FROM steward_locks WHERE name = 'worker' AND slot = 1;
END;
