-- id: changes-003-forks
-- version: 3

DROP INDEX IF EXISTS idx_change_time;
DROP TABLE IF EXISTS am_forks;
