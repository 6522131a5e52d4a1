-- id: maintenance-006-slices
-- version: 6
-- description: Where work in slices stands, what pages hold, the commands of vacuum runs
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- Work that is done a little at a time: where the next slice begins (stage,
-- item, key), how much of this pass is done, and what it found; passed_at and
-- result are the last whole pass's.  Times are Unix ms, lists are JSON by
-- custom.
CREATE TABLE IF NOT EXISTS steward_slices (
  name TEXT PRIMARY KEY NOT NULL,
  stage INTEGER NOT NULL,
  item TEXT,
  key TEXT,
  units_done INTEGER NOT NULL,
  units_total INTEGER NOT NULL,
  started_at INTEGER,
  moved_at INTEGER,
  passed_at INTEGER,
  found TEXT NOT NULL,
  result TEXT NOT NULL
) WITHOUT ROWID;

-- What the pages of each b-tree hold, when it was looked at last.  sampled = 1:
-- the look ended before its last page, and only pages of it were counted.
CREATE TABLE IF NOT EXISTS steward_page_stats (
  name TEXT PRIMARY KEY NOT NULL,
  table_name TEXT NOT NULL,
  pages INTEGER NOT NULL,
  unused_bytes INTEGER NOT NULL,
  gaps INTEGER NOT NULL,
  sampled INTEGER NOT NULL,
  measured_at INTEGER NOT NULL
) WITHOUT ROWID;

-- The command of a run in steward_vacuum_log: its types are the seed's three.
CREATE TABLE IF NOT EXISTS steward_vacuum_commands (
  run_id INTEGER PRIMARY KEY,
  command TEXT NOT NULL
);
