-- set: maintenance
-- name: perf_probe
-- set: none
-- Run to see whether the trace hook is called.
SELECT 1;

-- name: perf_record hot
-- Store one measurement.
INSERT INTO main.steward_performance_metrics(db_path, metric_name,
    metric_value, unit, recorded_ts, context)
VALUES (?1, ?2, ?3, ?4, datetime(?5 / 1000, 'unixepoch'), ?6);

-- name: perf_capture
-- Store a batch: ?2 is a JSON array of [name, value, unit].
INSERT INTO main.steward_performance_metrics(db_path, metric_name,
    metric_value, unit, recorded_ts, context)
SELECT ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
       json_extract(value, '$[2]'), datetime(?3 / 1000, 'unixepoch'), NULL
  FROM json_each(?2);
