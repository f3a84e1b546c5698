ALTER TABLE audit_record DROP COLUMN IF EXISTS purposes;

ALTER TABLE audit_record DROP COLUMN IF EXISTS token;

ALTER TABLE audit_record DROP COLUMN IF EXISTS agent;

DROP TABLE IF EXISTS audit_agent;

DROP TABLE IF EXISTS consent_rule;
