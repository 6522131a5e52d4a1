-- id: maintenance-006-slices
-- version: 6
DROP TABLE IF EXISTS steward_vacuum_commands;
DROP TABLE IF EXISTS steward_page_stats;
DROP TABLE IF EXISTS steward_slices;
