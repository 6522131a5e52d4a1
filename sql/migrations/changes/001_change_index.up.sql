-- id: changes-001-change-index
-- version: 1
-- description: Change index: branches, heads, changes and their bytes
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- Every accepted change of a document's branch, in order, with the branch's
-- heads and each change's bytes once per hash. Times are ISO text in UTC with
-- milliseconds and Z.
--
-- Taken from the original's schema with these differences:
-- * am_branches is its "branches"; doc_id had a foreign key to a table of
--   documents that held nothing else, so there is none.
-- * tx_id pointed to a table of signed transactions, which has no place in one
--   file with one writer. The column stays for the original's statements, but
--   may be NULL and has no foreign key; its index idx_change_tx goes too.
-- * Columns named *_json are checked to be JSON; root_hash has a default.

CREATE TABLE IF NOT EXISTS am_branches (
  branch_id TEXT NOT NULL PRIMARY KEY,
  doc_id TEXT NOT NULL,
  name TEXT NOT NULL,
  parent_branch_id TEXT,
  closed INTEGER NOT NULL DEFAULT 0,
  closed_at TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  merged_into_branch_id TEXT,
  UNIQUE (doc_id, name)
);

-- The newest state of each branch: heads_json is the sorted array of the
-- hashes that no later change depends on, seq_no the last number given.
-- Small rows, read and written by key on every append: one b-tree.
CREATE TABLE IF NOT EXISTS am_heads (
  branch_id TEXT NOT NULL PRIMARY KEY
    REFERENCES am_branches (branch_id) ON DELETE CASCADE,
  heads_json TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(heads_json)),
  seq_no INTEGER NOT NULL DEFAULT 0,
  tx_id INTEGER,
  root_hash BLOB NOT NULL DEFAULT x'',
  committed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) WITHOUT ROWID;

-- bytes_hash is the change's own hash (32 bytes), not a hash of the bytes.
CREATE TABLE IF NOT EXISTS am_change_blobs (
  bytes_hash BLOB NOT NULL PRIMARY KEY,
  bytes BLOB NOT NULL
);

-- seq_no: 1, 2, 3 ... per branch. change_hash: hex. lamport: the actor's own
-- sequence number, which the original calls so. A rowid table, because rows
-- are wider than a twentieth of a page and every append then goes to its end.
-- bytes_hash has no index: nothing deletes from am_change_blobs; a step that
-- begins to brings one, or each of its deletes scans this table.
CREATE TABLE IF NOT EXISTS am_change_index (
  doc_id TEXT NOT NULL,
  branch_id TEXT NOT NULL,
  seq_no INTEGER NOT NULL,
  change_hash TEXT NOT NULL,
  bytes_hash BLOB NOT NULL REFERENCES am_change_blobs (bytes_hash),
  deps_json TEXT NOT NULL CHECK (json_valid(deps_json)),
  lamport INTEGER,
  actor_id TEXT,
  tx_id INTEGER,
  committed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  PRIMARY KEY (doc_id, branch_id, seq_no)
);
