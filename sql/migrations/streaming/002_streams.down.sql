-- id: streaming-002-streams
-- version: 2

DROP TABLE IF EXISTS steward_streams;
DROP TABLE IF EXISTS steward_delta_histories;
DROP TABLE IF EXISTS steward_delta_tables;
