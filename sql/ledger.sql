-- set: ledger

-- ------------------------------------------------------------ idempotency

-- name: idempotency_row hot
-- What is known of a key; ?2: answers without expires_at saved until then have
-- expired.
SELECT fingerprint, value IS NOT NULL, lease_until,
       coalesce(expires_at, saved_at + ?2)
  FROM main.assistly_idempotency WHERE key = ?1;

-- name: idempotency_new hot
-- Somebody works on it.
INSERT INTO main.assistly_idempotency(key, saved_at, value, fingerprint,
                                      lease_until, expires_at)
VALUES (?1, ?2, NULL, ?3, ?4, ?5)
    ON CONFLICT (key) DO UPDATE
   SET saved_at = ?2, value = NULL, fingerprint = ?3, lease_until = ?4,
       expires_at = ?5;

-- name: idempotency_finish hot
-- It has an answer.
UPDATE main.assistly_idempotency
   SET value = ?2, saved_at = ?3, lease_until = NULL
 WHERE key = ?1 AND value IS NULL AND coalesce(expires_at, ?3 + 1) > ?3;

-- name: idempotency_response hot
-- The answer, unless it has expired at ?2.
SELECT value FROM main.assistly_idempotency
 WHERE key = ?1 AND coalesce(expires_at, saved_at + ?3) > ?2;

-- name: idempotency_abandon hot
-- Nobody works on it any more.
DELETE FROM main.assistly_idempotency WHERE key = ?1 AND value IS NULL;

-- name: idempotency_old hot
-- Keys saved until ?1, the oldest first, without those in progress.
SELECT key FROM main.assistly_idempotency INDEXED BY idx_idempotency_saved
 WHERE saved_at <= ?1
   AND (value IS NOT NULL OR coalesce(lease_until, 0) <= steward_now())
 ORDER BY saved_at LIMIT ?2;

-- name: idempotency_kept hot
-- The time of the newest key that is not among the newest ?1.
SELECT saved_at FROM main.assistly_idempotency
       INDEXED BY idx_idempotency_saved
 WHERE saved_at < 1 << 62 ORDER BY saved_at DESC LIMIT 1 OFFSET ?1;

-- name: idempotency_remove hot
-- One of them.
DELETE FROM main.assistly_idempotency WHERE key = ?1;

-- ----------------------------------------------------------------- nonces

-- name: nonce_use hot
-- Once.
INSERT INTO main.assistly_nonces(nonce, timestamp_ms) VALUES (?1, ?2)
    ON CONFLICT (nonce) DO NOTHING;

-- name: nonce_old hot
-- Nonces of before ?1.
SELECT nonce FROM main.assistly_nonces INDEXED BY idx_nonces_timestamp
 WHERE timestamp_ms < ?1 ORDER BY timestamp_ms LIMIT ?2;

-- name: nonce_remove hot
-- One of them.
DELETE FROM main.assistly_nonces WHERE nonce = ?1;

-- ------------------------------------------------------------ rate limits

-- name: rate_sum hot
-- How often within the buckets from ?4 on.
SELECT coalesce(sum(hits), 0) FROM main.steward_rate_limits
 WHERE name = ?1 AND key = ?2 AND width = ?3 AND bucket >= ?4;

-- name: rate_buckets hot
-- These, the oldest first.
SELECT bucket, hits FROM main.steward_rate_limits
 WHERE name = ?1 AND key = ?2 AND width = ?3 AND bucket >= ?4
 ORDER BY bucket;

-- name: rate_hit hot
-- Once more.
INSERT INTO main.steward_rate_limits(name, key, width, bucket, hits,
                                     expires_at)
VALUES (?1, ?2, ?3, ?4, 1, ?5)
    ON CONFLICT (name, key, width, bucket) DO UPDATE SET hits = hits + 1;

-- name: rate_old hot
-- Buckets that count no more.
SELECT name, key, width, bucket FROM main.steward_rate_limits
       INDEXED BY steward_rate_limits_expiry
 WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 1;

-- name: rate_remove hot
-- One of them.
DELETE FROM main.steward_rate_limits
 WHERE name = ?1 AND key = ?2 AND width = ?3 AND bucket = ?4;

-- -------------------------------------------------------------- approvals

-- name: approval_new hot
-- Somebody asks for it.
INSERT INTO main.assistly_approvals(id, status, created_at, payload,
                                    expires_at)
VALUES (?1, 'pending', ?2, ?3, ?4)
    ON CONFLICT (id) DO NOTHING;

-- name: approval_decide hot
-- Approved or rejected, once.
UPDATE main.assistly_approvals
   SET status = ?2, decided_by = ?3, decided_at = ?4
 WHERE id = ?1 AND status = 'pending' AND coalesce(expires_at, ?4 + 1) > ?4;

-- name: approval_start hot
-- Once.
UPDATE main.assistly_approvals SET status = 'executing', started_at = ?2
 WHERE id = ?1 AND status = 'approved';

-- name: approval_finish hot
-- It has been done, or it has failed.
UPDATE main.assistly_approvals
   SET status = ?2, result = ?3, finished_at = ?4
 WHERE id = ?1 AND status = 'executing';

-- name: approval_row hot
-- What can be said about it.
SELECT status, decided_by, expires_at FROM main.assistly_approvals
 WHERE id = ?1;

-- name: approval_lapsed hot
-- Pending ones whose time is over.
SELECT id FROM main.assistly_approvals INDEXED BY steward_approvals_expiry
 WHERE status = 'pending' AND expires_at <= ?1 LIMIT ?2;

-- name: approval_expire hot
-- One of them.
UPDATE main.assistly_approvals SET status = 'expired', finished_at = ?2
 WHERE id = ?1 AND status = 'pending';

-- name: approval_old hot
-- Those asked for before ?1.
SELECT id, status FROM main.assistly_approvals INDEXED BY idx_approvals_created
 WHERE created_at < ?1 ORDER BY created_at LIMIT ?2;

-- name: approval_kept hot
-- The time of the newest one that is not among the newest ?1.
SELECT created_at FROM main.assistly_approvals INDEXED BY idx_approvals_created
 WHERE created_at < 1 << 62 ORDER BY created_at DESC LIMIT 1 OFFSET ?1;

-- name: approval_remove hot
-- One of them.
DELETE FROM main.assistly_approvals WHERE id = ?1;

-- name: approval_list
-- Every approval.
SELECT a.id, iif(a.status = 'pending' AND a.expires_at <= steward_now(),
                 'expired', a.status) AS state,
       a.payload, a.created_at, a.expires_at, a.decided_by, a.decided_at,
       a.started_at, a.finished_at, a.result
  FROM main.assistly_approvals AS a;

-- --------------------------------------------------- sessions, snapshots

-- name: session_put hot
-- A user's session.
INSERT INTO main.assistly_sessions(user_id, session, updated_at)
VALUES (?1, ?2, ?3)
    ON CONFLICT (user_id) DO UPDATE SET session = ?2, updated_at = ?3;

-- name: session_get hot
-- The session, if it was touched after ?2.
SELECT session FROM main.assistly_sessions
 WHERE user_id = ?1 AND updated_at > ?2;

-- name: session_touch hot
-- It goes on.
UPDATE main.assistly_sessions SET updated_at = ?2
 WHERE user_id = ?1 AND updated_at > ?3;

-- name: session_end hot
-- It is over.
DELETE FROM main.assistly_sessions WHERE user_id = ?1;

-- name: session_old hot
-- Sessions not touched since ?1.
SELECT user_id FROM main.assistly_sessions
       INDEXED BY steward_sessions_updated
 WHERE updated_at <= ?1 ORDER BY updated_at LIMIT ?2;

-- name: snapshot_put hot
-- The snapshot of a kind.
INSERT INTO main.assistly_store(kind, payload, updated_at) VALUES (?1, ?2, ?3)
    ON CONFLICT (kind) DO UPDATE SET payload = ?2, updated_at = ?3;

-- name: snapshot_get hot
-- It.
SELECT payload FROM main.assistly_store WHERE kind = ?1;
