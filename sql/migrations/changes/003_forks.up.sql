-- id: changes-003-forks
-- version: 3
-- description: Where a branch left its parent; a branch's changes by time
-- author: Steward
-- created: 2026-11-21
-- library: 0.1.0

-- seq_no: the parent's last change when the branch was forked from it. Up to
-- that the parent's history is the branch's, too; what comes later is not. The
-- parent is am_branches.parent_branch_id, which the original has; it has no
-- place for the number. A branch with a parent and without a row here was made
-- by others: all of its parent's changes count.
CREATE TABLE IF NOT EXISTS am_forks (
  branch_id TEXT NOT NULL PRIMARY KEY
    REFERENCES am_branches (branch_id) ON DELETE CASCADE,
  seq_no INTEGER NOT NULL
) WITHOUT ROWID;

-- The last change of a branch until a time, in one step.
CREATE INDEX IF NOT EXISTS idx_change_time
  ON am_change_index (branch_id, committed_at, seq_no);
