-- id: core-003-keeper
-- version: 3
-- description: Duties of the keeper, who does them, and what was done
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- Who writes what: steward_tick, by itself or from a keeper's thread;
-- steward_keeper by keeper_start, keeper_stop and that thread.

-- When each duty is due. It is moved before the duty is done, and only by one
-- of several that find it due, so no two do the same.
CREATE TABLE IF NOT EXISTS steward_duties (
  duty TEXT PRIMARY KEY NOT NULL,
  due_at INTEGER NOT NULL,
  run_at INTEGER,
  run_ms REAL,
  result TEXT,
  error TEXT,
  runs_total INTEGER NOT NULL DEFAULT 0,
  errors_total INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- The one keeper of this file, whatever the process: a lease with a number
-- that goes up with every holder. It is in core, which has no leases of the
-- set jobs to stand on.
CREATE TABLE IF NOT EXISTS steward_keeper (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  holder TEXT NOT NULL,
  token INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  interval_ms INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  tick_at INTEGER,
  ticks_total INTEGER NOT NULL DEFAULT 0,
  errors_total INTEGER NOT NULL DEFAULT 0,
  error TEXT
);

-- Duties that changed something or failed; holder NULL: a call of
-- steward_tick() by the application.
CREATE TABLE IF NOT EXISTS steward_keeper_log (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  duty TEXT NOT NULL,
  holder TEXT,
  ms REAL,
  result TEXT,
  error TEXT
);

-- Ids have no holes, so what is beyond keeper_log_rows is a range of them; two
-- of it leave with each entry that comes.
CREATE TRIGGER IF NOT EXISTS steward_keeper_log_retention
AFTER INSERT ON steward_keeper_log
BEGIN
  DELETE FROM steward_keeper_log
   WHERE id = (SELECT id FROM steward_keeper_log ORDER BY id LIMIT 1)
     AND id <= NEW.id - coalesce((SELECT value FROM steward_config
                                   WHERE name = 'keeper_log_rows'), 10000);
  DELETE FROM steward_keeper_log
   WHERE id = (SELECT id FROM steward_keeper_log ORDER BY id LIMIT 1)
     AND id <= NEW.id - coalesce((SELECT value FROM steward_config
                                   WHERE name = 'keeper_log_rows'), 10000);
END;
