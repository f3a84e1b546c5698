ALTER TABLE client DROP COLUMN IF EXISTS require_bound;

DROP TABLE IF EXISTS proof_seen;
