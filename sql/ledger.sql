-- set: ledger

-- ------------------------------------------------------------ idempotency

-- name: idempotency_row hot
-- What is known of a key; ?2: answers without expires_at saved until then have
-- expired.
SELECT fingerprint, value IS NOT NULL, lease_until,
       coalesce(expires_at, saved_at + ?2), holder
  FROM main.assistly_idempotency WHERE key = ?1;

-- name: idempotency_new hot
-- Somebody works on it.
INSERT INTO main.assistly_idempotency(key, saved_at, value, fingerprint,
                                      lease_until, expires_at, holder)
VALUES (?1, ?2, NULL, ?3, ?4, ?5, coalesce(?6, ?7))
    ON CONFLICT (key) DO UPDATE
   SET saved_at = ?2, value = NULL, fingerprint = ?3, lease_until = ?4,
       expires_at = ?5, holder = coalesce(?6, ?7);

-- name: idempotency_finish hot
-- It has an answer of the owner ?4, or of the connection ?5.
UPDATE main.assistly_idempotency
   SET value = ?2, saved_at = ?3, lease_until = NULL
 WHERE key = ?1 AND value IS NULL AND coalesce(expires_at, ?3 + 1) > ?3
   AND coalesce(holder = coalesce(?4, ?5), 1);

-- name: idempotency_response hot
-- The answer, unless it has expired at ?2.
SELECT value FROM main.assistly_idempotency
 WHERE key = ?1 AND coalesce(expires_at, saved_at + ?3) > ?2;

-- name: idempotency_abandon hot
-- The owner ?2, or the connection ?3, works on it no more.
DELETE FROM main.assistly_idempotency
 WHERE key = ?1 AND value IS NULL
   AND coalesce(holder = coalesce(?2, ?3), 1);

-- ----------------------------------------------------------------- nonces

-- name: nonce_use hot
-- Once.
INSERT INTO main.assistly_nonces(nonce, timestamp_ms) VALUES (?1, ?2)
    ON CONFLICT (nonce) DO NOTHING;

-- ------------------------------------------------------------ rate limits

-- name: rate_sum hot
-- How often within the buckets from ?4 until ?5, and the newest of all.
SELECT coalesce(sum(iif(bucket <= ?5, hits, 0)), 0), max(bucket)
  FROM main.steward_rate_limits
 WHERE name = ?1 AND key = ?2 AND width = ?3 AND bucket >= ?4;

-- name: rate_forget hot
-- Those behind ?4.
DELETE FROM main.steward_rate_limits
 WHERE name = ?1 AND key = ?2 AND width = ?3 AND bucket > ?4;

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

-- name: snapshot_put hot
-- The snapshot of a kind.
INSERT INTO main.assistly_store(kind, payload, updated_at) VALUES (?1, ?2, ?3)
    ON CONFLICT (kind) DO UPDATE SET payload = ?2, updated_at = ?3;

-- name: snapshot_get hot
-- It.
SELECT payload FROM main.assistly_store WHERE kind = ?1;

-- ------------------------------------------------------- events, metrics

-- name: event_append hot
-- An event; a trigger publishes it.
INSERT INTO main.assistly_events(event_type, payload, created_at)
VALUES (?1, ?2, ?3);

-- name: event_list
-- Every event.
SELECT e.id, e.event_type AS type, e.payload, e.created_at
  FROM main.assistly_events AS e;

-- name: metric_add hot
-- Count it; no row when the sum of two integers is none, or infinite.
INSERT INTO main.steward_metrics(name, calls, total, highest, updated_at)
VALUES (?1, 1, ?2, ?2, ?3)
    ON CONFLICT (name) DO UPDATE
   SET calls = calls + 1, total = total + ?2, highest = max(highest, ?2),
       updated_at = max(updated_at, ?3)
 WHERE iif(typeof(total) = 'integer' AND typeof(?2) = 'integer',
           typeof(total + ?2) = 'integer', abs(total + ?2) < 9e999)
RETURNING total;

-- name: metric_total
-- What it has counted.
SELECT total FROM main.steward_metrics WHERE name = ?1;

-- name: metric_list
-- Every metric.
SELECT m.name, m.calls, m.total, m.highest,
       m.total * 1.0 / nullif(m.calls, 0) AS average, m.updated_at
  FROM main.steward_metrics AS m;
