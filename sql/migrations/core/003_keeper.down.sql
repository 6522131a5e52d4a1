-- id: core-003-keeper
-- version: 3
DROP TRIGGER IF EXISTS steward_keeper_log_retention;
DROP TABLE IF EXISTS steward_keeper_log;
DROP TABLE IF EXISTS steward_keeper;
DROP TABLE IF EXISTS steward_duties;
