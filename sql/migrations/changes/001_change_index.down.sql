-- id: changes-001-change-index
-- version: 1

DROP TABLE IF EXISTS am_change_index;
DROP TABLE IF EXISTS am_change_blobs;
DROP TABLE IF EXISTS am_heads;
DROP TABLE IF EXISTS am_branches;
