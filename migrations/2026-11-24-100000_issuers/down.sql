DROP TABLE IF EXISTS client;

DROP TABLE IF EXISTS issuer_hospital;

DROP TABLE IF EXISTS issuer;

DROP INDEX IF EXISTS hospital_identifier;

DROP INDEX IF EXISTS hospital_prefix;

ALTER TABLE hospital DROP COLUMN IF EXISTS identifier;

ALTER TABLE hospital DROP COLUMN IF EXISTS prefix;

ALTER TABLE hospital DROP COLUMN IF EXISTS enabled;
