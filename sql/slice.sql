-- set: maintenance
-- name: slice_load
-- Where a work in slices stands.
SELECT stage, item, key, units_done, units_total, started_at, moved_at,
       passed_at, found, result
  FROM main.steward_slices WHERE name = ?1;

-- name: slice_store
-- Where it got to.
INSERT OR REPLACE INTO main.steward_slices(name, stage, item, key, units_done,
  units_total, started_at, moved_at, passed_at, found, result)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, 0), nullif(?8, 0), nullif(?9, 0),
       ?10, ?11;
