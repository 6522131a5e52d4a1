-- The SQL of the delivery seed: its rollback (it names the indexes in prose).
-- Each statement stands as in the document, after a line with its section;
-- "cannot" says why SQLite cannot run it and what replaces it.

-- section: Rollback idx_change_actor_seq
DROP INDEX IF EXISTS idx_change_actor_seq;

-- section: Rollback idx_change_branch_hash
DROP INDEX IF EXISTS idx_change_branch_hash;

-- section: Rollback idx_change_seq_range
DROP INDEX IF EXISTS idx_change_seq_range;

-- section: Rollback idx_subscription_deliveries_seq
DROP INDEX IF EXISTS idx_subscription_deliveries_seq;
