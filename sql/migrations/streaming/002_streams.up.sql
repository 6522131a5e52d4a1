-- id: streaming-002-streams
-- version: 2
-- description: Tables of overlays that were declared, their histories, and streams of changes
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0
--
-- Who writes what: each table by the verbs that are named with it, only.

-- delta_define: which columns are what in a table that does not follow the
-- convention of http; options is what was given.
CREATE TABLE IF NOT EXISTS steward_delta_tables (
  table_name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
  options TEXT NOT NULL CHECK (json_valid(options)),
  defined_at INTEGER NOT NULL
) WITHOUT ROWID;

-- delta_history: the tables whose old rows are kept, in
-- steward_history_<table>. columns: those that it knows. from_at: since when
-- (Unix ms); retention moves it on.
CREATE TABLE IF NOT EXISTS steward_delta_histories (
  table_name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
  columns TEXT NOT NULL,
  from_at INTEGER NOT NULL
) WITHOUT ROWID;

-- stream_attach: the tables whose changes are in the log, since a position.
CREATE TABLE IF NOT EXISTS steward_streams (
  table_name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
  key_column TEXT NOT NULL,
  scope_column TEXT,
  from_position INTEGER NOT NULL,
  attached_at INTEGER NOT NULL
) WITHOUT ROWID;
