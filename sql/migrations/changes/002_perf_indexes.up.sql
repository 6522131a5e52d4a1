-- id: changes-002-perf-indexes
-- version: 2
-- description: The delivery seed's performance indexes on am_change_index
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- Only indexes, so that this step goes down alone, as the seed's rollback does.
-- idx_subscription_deliveries_seq, the fourth of the seed, is the log's.

-- The last number of an actor on a branch.
CREATE INDEX IF NOT EXISTS idx_change_actor_seq
  ON am_change_index (branch_id, actor_id, seq_no);

-- Is this change known on the branch? UNIQUE, which it was not originally:
-- a change is indexed once per branch.
CREATE UNIQUE INDEX IF NOT EXISTS idx_change_branch_hash
  ON am_change_index (branch_id, change_hash);

-- Not made:
-- idx_change_seq_range (doc_id, branch_id, seq_no): the primary key's columns.
-- idx_change_hash (change_hash): a hash is looked up within its branch, which
--   idx_change_branch_hash serves.
-- idx_change_tx (doc_id, branch_id, tx_id): there are no transaction numbers.
-- idx_branches_closed (doc_id, closed): the unique (doc_id, name) finds a
--   document's branches, and they are few.
-- idx_branches_merged_into (merged_into_branch_id): nothing asks for it.
