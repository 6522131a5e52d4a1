-- set: jobs
--
-- A lock has slots 1, 2 ...; a slot is free when there is no row for it or when
-- that has expired. A worker lock of plain SQL that was there before the set's
-- step 3 has no row here, and counts as well.

-- name: fence_next hot
-- A number that no lease has had.
INSERT INTO main.steward_fences(name, last) VALUES ('lease', 1)
    ON CONFLICT (name) DO UPDATE SET last = last + 1
RETURNING last;

-- name: lock_slot hot
-- The slot of the lock ?1 that the owner ?2 has at the time ?3, else the first
-- free one of ?4.
SELECT coalesce(
  (SELECT o.slot FROM main.steward_locks AS o
    WHERE o.name = ?1 AND o.slot > 0 AND o.owner = ?2 AND o.expires_at > ?3
    ORDER BY o.slot LIMIT 1),
  (WITH RECURSIVE s(slot) AS (
     SELECT 1 UNION ALL SELECT s.slot + 1 FROM s WHERE s.slot < ?4)
   SELECT s.slot FROM s
    WHERE NOT EXISTS (SELECT 1 FROM main.steward_locks AS h
                       WHERE h.name = ?1 AND h.slot = s.slot
                         AND h.expires_at > ?3)
      AND NOT EXISTS (SELECT 1 FROM main.assistly_worker_lock AS w
                       WHERE ?1 = 'worker' AND w.id = s.slot
                         AND w.owner_id <> ?2 AND w.expires_at > ?3)
    LIMIT 1));

-- name: lock_take hot
-- It is the owner's, until ?6, under the token ?4.
INSERT INTO main.steward_locks(name, slot, owner, token, acquired_at,
                               expires_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (name, slot) DO UPDATE
   SET owner = ?3, token = ?4, acquired_at = ?5, expires_at = ?6;

-- name: lock_extend hot
-- Until ?3, if it has not expired at ?4.
UPDATE main.steward_locks SET expires_at = ?3
 WHERE name = ?1 AND slot > 0 AND token = ?2 AND expires_at > ?4;

-- name: lock_give hot
-- The slot is free.
DELETE FROM main.steward_locks
 WHERE name = ?1 AND slot > 0 AND token = ?2;

-- name: lock_row hot
-- What can be said about the token ?2 of a lock, or about its first holder.
SELECT l.owner, l.token, l.expires_at FROM main.steward_locks AS l
 WHERE l.name = ?1 AND l.slot > 0
 ORDER BY l.token = ?2 DESC, l.slot LIMIT 1;

-- name: lock_soonest hot
-- When the next slot of the lock expires.
SELECT min(+l.expires_at) FROM main.steward_locks AS l
 WHERE l.name = ?1 AND l.slot > 0;

-- name: lock_expired hot
-- A lock that nobody has renewed or released until ?1.
SELECT l.name, l.slot FROM main.steward_locks AS l
       INDEXED BY steward_locks_expiry
 WHERE l.expires_at <= ?1 ORDER BY l.expires_at LIMIT 1;

-- name: lock_forget hot
-- One of them.
DELETE FROM main.steward_locks
 WHERE name = ?1 AND slot = ?2 AND expires_at <= ?3;

-- name: lock_status
-- Every lock that is held.
SELECT l.name, l.slot, l.owner, l.token, l.acquired_at, l.expires_at,
       l.expires_at - steward_now() AS remaining_ms
  FROM main.steward_locks AS l
 WHERE l.expires_at > steward_now();

-- name: lock_row_take hot
-- The row ?2 of the table ?1, unless somebody has it at the time ?5.
INSERT INTO main.steward_row_locks(table_name, row_id, owner, token,
                                   acquired_at, expires_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (table_name, row_id) DO UPDATE
   SET owner = ?3, token = ?4, acquired_at = ?5, expires_at = ?6
 WHERE expires_at <= ?5;

-- name: lock_rows_ids
-- The ids in a JSON array, texts as literals of SQL.
-- set: none
SELECT type, iif(type = 'object', value, quote(value)) FROM json_each(?1);

-- name: lock_rows_held
-- The rows of the handle `r<token>` that it still holds.
SELECT r.table_name, r.row_id, r.owner, r.expires_at AS lease_until
  FROM main.steward_row_locks AS r INDEXED BY steward_row_locks_token
 WHERE r.token = CAST(substr(?1, 2) AS INTEGER)
   AND r.expires_at > steward_now()
 ORDER BY r.row_id;

-- name: lock_rows_of hot
-- The first of the rows of a token.
SELECT r.table_name, r.row_id
  FROM main.steward_row_locks AS r INDEXED BY steward_row_locks_token
 WHERE r.token = ?1 LIMIT 1;

-- name: lock_rows_expired hot
-- A row lock that nobody has released until ?1.
SELECT r.table_name, r.row_id FROM main.steward_row_locks AS r
       INDEXED BY steward_row_locks_expiry
 WHERE r.expires_at <= ?1 ORDER BY r.expires_at LIMIT 1;

-- name: lock_row_forget hot
-- One of them.
DELETE FROM main.steward_row_locks
 WHERE table_name = ?1 AND row_id = ?2 AND expires_at <= ?3;

-- name: lock_row_give hot
-- The row is free.
DELETE FROM main.steward_row_locks WHERE table_name = ?1 AND row_id = ?2;
