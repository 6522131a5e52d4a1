-- id: core-002-policies
-- version: 2
DROP TABLE IF EXISTS steward_policy_options;
