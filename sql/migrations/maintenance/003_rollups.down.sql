-- id: maintenance-003-rollups
-- version: 3
DROP TABLE IF EXISTS steward_performance_rollups;
