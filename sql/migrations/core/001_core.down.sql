-- id: core-001-core
-- version: 1
DROP TRIGGER IF EXISTS steward_log_floor;
DROP TRIGGER IF EXISTS steward_log_oldest_first;
DROP TRIGGER IF EXISTS steward_log_append_only;
DROP TRIGGER IF EXISTS steward_log_retention;
DROP TRIGGER IF EXISTS steward_log_time;
DROP TRIGGER IF EXISTS steward_log_number;
DROP TRIGGER IF EXISTS steward_log_topic;
DROP TRIGGER IF EXISTS steward_log_guard;
DROP TABLE IF EXISTS steward_cursors;
DROP TABLE IF EXISTS steward_numbers;
DROP TABLE IF EXISTS steward_topics;
DROP TABLE IF EXISTS steward_log;
DROP TABLE IF EXISTS steward_policies;
DROP TABLE IF EXISTS steward_counters;
DROP TABLE IF EXISTS steward_migration_steps;
DROP TABLE IF EXISTS steward_migrations;
DROP TABLE IF EXISTS steward_sets;
DROP TABLE IF EXISTS steward_config;
