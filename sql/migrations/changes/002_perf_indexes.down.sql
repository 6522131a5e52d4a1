-- id: changes-002-perf-indexes
-- version: 2

DROP INDEX IF EXISTS idx_change_actor_seq;
DROP INDEX IF EXISTS idx_change_branch_hash;
