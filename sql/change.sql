-- set: changes
-- name: change_hashes hot
-- set: none
-- The hashes of a JSON array, one a row; what is no array of texts gives a row
-- that is no text, what is no JSON an error.
SELECT iif(typeof(key) = 'integer', type, 'none'), value FROM json_each(?1);

-- name: change_find hot
-- A branch with its heads, by document and name; no branch, then NULLs. now: the
-- time ?3 (Unix ms), or that of the branch's last change when that is later, so
-- that times never go back within a branch.
SELECT b.branch_id, coalesce(h.heads_json, '[]'), coalesce(h.seq_no, 0),
       coalesce(b.closed, 0), b.parent_branch_id IS NOT NULL,
       max(coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', ?3 / 1000.0, 'unixepoch'),
                    ''),
           coalesce(h.committed_at, ''))
  FROM (SELECT 1) AS one
  LEFT JOIN main.am_branches AS b INDEXED BY sqlite_autoindex_am_branches_2
         ON b.doc_id = ?1 AND b.name = ?2
  LEFT JOIN main.am_heads AS h ON h.branch_id = b.branch_id;

-- name: change_known hot
-- The number of a change of the branch.
SELECT seq_no FROM main.am_change_index
 WHERE branch_id = ?1 AND change_hash = ?2;

-- name: change_inherited hot
-- Has the branch inherited a change? One step for each branch that it came
-- from.
WITH RECURSIVE line(branch_id, upto) AS (
  SELECT b.parent_branch_id, coalesce(f.seq_no, 9223372036854775807)
    FROM main.am_branches AS b INDEXED BY sqlite_autoindex_am_branches_1
    LEFT JOIN main.am_forks AS f ON f.branch_id = b.branch_id
   WHERE b.branch_id = ?1
  UNION
  SELECT b.parent_branch_id, coalesce(f.seq_no, 9223372036854775807)
    FROM line
   CROSS JOIN main.am_branches AS b INDEXED BY sqlite_autoindex_am_branches_1
      ON b.branch_id = line.branch_id
    LEFT JOIN main.am_forks AS f ON f.branch_id = b.branch_id
)
SELECT 1
  FROM line
 WHERE EXISTS (SELECT 1 FROM main.am_change_index AS c
                WHERE c.branch_id = line.branch_id AND c.change_hash = ?2
                  AND c.seq_no <= line.upto)
 LIMIT 1;

-- name: change_actor hot
-- The actor's last sequence number on the branch.
SELECT lamport FROM main.am_change_index
 WHERE branch_id = ?1 AND actor_id = ?2 ORDER BY seq_no DESC LIMIT 1;

-- name: change_actor_inherited hot
-- The highest that the branch has inherited.
WITH RECURSIVE line(branch_id, upto) AS (
  SELECT b.parent_branch_id, coalesce(f.seq_no, 9223372036854775807)
    FROM main.am_branches AS b INDEXED BY sqlite_autoindex_am_branches_1
    LEFT JOIN main.am_forks AS f ON f.branch_id = b.branch_id
   WHERE b.branch_id = ?1
  UNION
  SELECT b.parent_branch_id, coalesce(f.seq_no, 9223372036854775807)
    FROM line
   CROSS JOIN main.am_branches AS b INDEXED BY sqlite_autoindex_am_branches_1
      ON b.branch_id = line.branch_id
    LEFT JOIN main.am_forks AS f ON f.branch_id = b.branch_id
)
SELECT max((SELECT c.lamport FROM main.am_change_index AS c
             WHERE c.branch_id = line.branch_id AND c.actor_id = ?2
               AND c.seq_no <= line.upto
             ORDER BY c.seq_no DESC LIMIT 1))
  FROM line;

-- name: change_branch_new hot
-- Make a branch; its id: <doc>/<branch>, unless one that was renamed has that.
INSERT INTO main.am_branches(branch_id, doc_id, name, parent_branch_id,
                             created_at)
VALUES (?1 || '/' || ?2
        || iif(EXISTS (SELECT 1 FROM main.am_branches AS b
                        WHERE b.branch_id = ?1 || '/' || ?2),
               '/' || lower(hex(randomblob(8))), ''),
        ?1, ?2, ?3, ?4)
RETURNING branch_id;

-- name: change_fork_new
-- Where it left its parent.
INSERT INTO main.am_forks(branch_id, seq_no) VALUES (?1, ?2);

-- name: change_blob_new hot
-- A change's bytes, once per hash.
INSERT INTO main.am_change_blobs(bytes_hash, bytes) VALUES (?1, ?2)
    ON CONFLICT DO NOTHING;

-- name: change_blob_same hot
-- Are these the bytes of the hash?
SELECT bytes IS ?2 FROM main.am_change_blobs WHERE bytes_hash = ?1;

-- name: change_new hot
-- A change, at the end of its branch.
INSERT INTO main.am_change_index(doc_id, branch_id, seq_no, change_hash,
                                 bytes_hash, deps_json, lamport, actor_id,
                                 committed_at)
VALUES (?2, ?3, ?4, ?5, ?1, ?6, ?7, ?8, ?9);

-- name: change_heads_set hot
-- The branch's newest state.
INSERT INTO main.am_heads(branch_id, heads_json, seq_no, committed_at)
VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (branch_id) DO UPDATE
   SET heads_json = excluded.heads_json, seq_no = excluded.seq_no,
       committed_at = excluded.committed_at;

-- name: change_message hot
-- set: none
-- What subscribers of the branch are told.
SELECT json_object('doc', ?1, 'branch', ?2, 'seq_no', ?3, 'hash', ?4,
                   'actor', ?5, 'actor_seq', ?6, 'heads', json(?7),
                   'committed_at', ?8);

-- name: change_heads hot
-- The heads of a branch.
SELECT h.heads_json
  FROM main.am_branches AS b INDEXED BY sqlite_autoindex_am_branches_2
 CROSS JOIN main.am_heads AS h ON h.branch_id = b.branch_id
 WHERE b.doc_id = ?1 AND b.name = ?2;

-- name: change_iso
-- set: none
-- A point in time, Unix ms or text, as the tables write it; NULL when it is
-- none.
SELECT CASE WHEN typeof(?1) = 'integer'
            THEN strftime('%Y-%m-%dT%H:%M:%fZ', ?1 / 1000.0, 'unixepoch')
            WHEN ?1 GLOB '[0-9][0-9][0-9][0-9]-*'
            THEN strftime('%Y-%m-%dT%H:%M:%fZ', ?1) END;

-- name: change_upto hot
-- The number of a branch's last change until a time.
SELECT c.seq_no
  FROM main.am_branches AS b INDEXED BY sqlite_autoindex_am_branches_2
 CROSS JOIN main.am_change_index AS c INDEXED BY idx_change_time
    ON c.branch_id = b.branch_id AND c.committed_at <= ?3
 WHERE b.doc_id = ?1 AND b.name = ?2
 ORDER BY c.committed_at DESC, c.seq_no DESC LIMIT 1;

-- name: change_range hot
-- The changes of a branch behind one number and up to another.
SELECT c.seq_no, c.change_hash AS hash, c.actor_id AS actor,
       c.lamport AS actor_seq, c.deps_json, x.bytes, c.committed_at
  FROM main.am_branches AS b INDEXED BY sqlite_autoindex_am_branches_2
 CROSS JOIN main.am_change_index AS c
            INDEXED BY sqlite_autoindex_am_change_index_1
    ON c.doc_id = b.doc_id AND c.branch_id = b.branch_id
   AND c.seq_no > coalesce(?3, 0)
   AND c.seq_no <= coalesce(?4, 9223372036854775807)
  LEFT JOIN main.am_change_blobs AS x ON x.bytes_hash = c.bytes_hash
 WHERE b.doc_id = ?1 AND b.name = ?2;

-- name: change_merged
-- The name of the branch that a branch was merged into.
SELECT m.name
  FROM main.am_branches AS b
 CROSS JOIN main.am_branches AS m ON m.branch_id = b.merged_into_branch_id
 WHERE b.branch_id = ?1;

-- name: change_close
-- Close a branch; the first time and the first target stay.
UPDATE main.am_branches
   SET closed = 1, closed_at = coalesce(closed_at, ?2),
       merged_into_branch_id = coalesce(merged_into_branch_id, ?3)
 WHERE branch_id = ?1;

-- name: change_status
-- One row per branch.
SELECT b.doc_id AS doc, b.name AS branch, b.branch_id, coalesce(h.seq_no, 0) AS seq_no,
       coalesce(h.heads_json, '[]') AS heads_json, h.committed_at,
       p.name AS forked_from, f.seq_no AS forked_seq_no, b.created_at,
       b.closed, b.closed_at, m.name AS merged_into
  FROM main.am_branches AS b
  LEFT JOIN main.am_heads AS h ON h.branch_id = b.branch_id
  LEFT JOIN main.am_forks AS f ON f.branch_id = b.branch_id
  LEFT JOIN main.am_branches AS p ON p.branch_id = b.parent_branch_id
  LEFT JOIN main.am_branches AS m ON m.branch_id = b.merged_into_branch_id;
