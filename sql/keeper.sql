-- set: core
-- name: duty_due hot
-- When a duty is due.
SELECT due_at FROM main.steward_duties WHERE duty = ?1;

-- name: duty_claim hot
-- It is the caller's, and due again after ?3, if it is due at ?2; one that is
-- due later than it can be was put off before the clock or its interval changed.
INSERT INTO main.steward_duties(duty, due_at) VALUES (?1, ?2 + ?3)
    ON CONFLICT (duty) DO UPDATE SET due_at = ?2 + ?3
 WHERE due_at <= ?2 OR due_at > ?2 + ?3;

-- name: duty_done hot
-- What came of it; ?6: it is due again at once.
UPDATE main.steward_duties
   SET run_at = ?2, run_ms = ?3, result = ?4, error = ?5,
       runs_total = runs_total + 1,
       errors_total = errors_total + (?5 IS NOT NULL),
       due_at = iif(?6, ?2, due_at)
 WHERE duty = ?1;

-- name: keeper_log_add hot
-- Something was done, or could not be.
INSERT INTO main.steward_keeper_log(at, duty, holder, ms, result, error)
VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: keeper_log
-- What was done, the last first.
SELECT id, at, duty, holder, ms, result, error
  FROM main.steward_keeper_log ORDER BY id DESC;

-- name: duty_row
-- What is known about a duty.
SELECT due_at, run_at, run_ms, result, error, runs_total, errors_total
  FROM main.steward_duties WHERE duty = ?1;

-- name: duty_expiry_wanted
-- Is there a table whose rows expire?
SELECT count(*) FROM (SELECT 1 FROM main.steward_policies LIMIT 1);

-- name: keeper_take hot
-- The keeper ?1 from ?2 on, until ?3, if nobody is at ?2: its number. A lease
-- that is longer than one can be is from before the clock was set back.
INSERT INTO main.steward_keeper(id, holder, token, lease_until, interval_ms,
                                started_at)
VALUES (1, ?1, 1, ?3, ?4, ?2)
    ON CONFLICT (id) DO UPDATE
   SET holder = ?1, token = token + 1, lease_until = ?3, interval_ms = ?4,
       started_at = ?2
 WHERE lease_until <= ?2 OR lease_until > ?2 + 3 * interval_ms + 10000
RETURNING token;

-- name: keeper_renew hot
-- It begins another tick at ?2, and stays until ?3.
UPDATE main.steward_keeper
   SET lease_until = ?3, interval_ms = ?4, tick_at = ?2,
       ticks_total = ticks_total + 1
 WHERE id = 1 AND token = ?1;

-- name: keeper_failed
-- Its tick failed.
UPDATE main.steward_keeper
   SET errors_total = errors_total + 1, error = ?2
 WHERE id = 1 AND token = ?1;

-- name: keeper_give
-- It ends at ?2.
UPDATE main.steward_keeper SET lease_until = ?2 WHERE id = 1 AND token = ?1;

-- name: keeper_status
-- Who is the keeper at ?2; ?1: this connection's, or NULL.
SELECT ?1 IS NOT NULL AS running,
       coalesce(k.holder = ?1 AND k.lease_until > ?2, 0) AS active,
       k.holder, k.lease_until, k.interval_ms, k.started_at,
       k.tick_at AS last_tick_at,
       iif(k.lease_until > ?2, k.tick_at + k.interval_ms, NULL) AS next_tick_at,
       coalesce(k.ticks_total, 0) AS ticks_total,
       coalesce(k.errors_total, 0) AS errors_total, k.error
  FROM (SELECT 1) LEFT JOIN main.steward_keeper AS k ON k.id = 1;
