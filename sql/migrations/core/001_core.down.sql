-- id: core-001-core
-- version: 1
DROP VIEW IF EXISTS steward_log;
DROP VIEW IF EXISTS steward_log_sweep;
DROP TRIGGER IF EXISTS steward_messages_floor;
DROP TRIGGER IF EXISTS steward_messages_oldest_first;
DROP TRIGGER IF EXISTS steward_messages_append_only;
DROP TABLE IF EXISTS steward_cursors;
DROP TABLE IF EXISTS steward_log_marks;
DROP TABLE IF EXISTS steward_topics;
DROP TABLE IF EXISTS steward_messages;
DROP TABLE IF EXISTS steward_policies;
DROP TABLE IF EXISTS steward_counters;
DROP TABLE IF EXISTS steward_migration_steps;
DROP TABLE IF EXISTS steward_migrations;
DROP TABLE IF EXISTS steward_sets;
DROP TABLE IF EXISTS steward_config;
