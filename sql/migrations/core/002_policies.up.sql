-- id: core-002-policies
-- version: 2
-- description: Retention by age, count and predicate; archive and publish; errors of sweeps
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- What a policy of steward_policies says beyond its column; no row: nothing.
-- max_age NULL and max_rows NULL: the column is the time of expiry. max_age
-- (ms) counts from the column; max_rows alone keeps the newest, whatever their
-- age. error: of the last sweep that failed, until one goes through. tried:
-- time and key, in SQL, of the last row that could not be removed, up to where
-- ttl_sweep() has tried all; retried: up to where it has tried these again.
CREATE TABLE IF NOT EXISTS steward_policy_options (
  table_name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
  max_age INTEGER CHECK (max_age >= 0),
  max_rows INTEGER CHECK (max_rows >= 0),
  where_sql TEXT,
  action TEXT NOT NULL DEFAULT 'delete'
    CHECK (action IN ('delete', 'archive', 'publish')),
  target TEXT,
  alert_rows INTEGER,
  errors_total INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  error_at INTEGER,
  tried TEXT,
  retried TEXT
) WITHOUT ROWID;
