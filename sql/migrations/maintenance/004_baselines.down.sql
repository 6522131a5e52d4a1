-- id: maintenance-004-baselines
-- version: 4
DROP TABLE IF EXISTS steward_performance_baselines;
