-- Who may see what, and who saw it.

-- What consents say, a row a rule, compiled from the Consent with the key `consent_key`. NULL and 0 are "any".
CREATE TABLE IF NOT EXISTS consent_rule (
    shard int4 NOT NULL,
    consent_key int8 NOT NULL,
    patient int8 NOT NULL,
    is_permit bool NOT NULL,
    specificity int2 NOT NULL,
    hospital int4,
    purposes int4 NOT NULL,
    labels int8 NOT NULL,
    custodian int4,
    resource_key int8,
    data_from int8,
    data_until int8,
    valid_from int8 NOT NULL,
    valid_until int8 NOT NULL
);

CREATE INDEX CONCURRENTLY IF NOT EXISTS consent_rule_patient ON consent_rule (patient);

CREATE INDEX CONCURRENTLY IF NOT EXISTS consent_rule_consent ON consent_rule (consent_key);

-- Whoever was recorded, each once: records have the key.
CREATE TABLE IF NOT EXISTS audit_agent (
    key int8 NOT NULL PRIMARY KEY,
    issuer text NOT NULL,
    subject text NOT NULL,
    client text NOT NULL,
    name text,
    roles text[] NOT NULL
);

ALTER TABLE audit_record ADD COLUMN IF NOT EXISTS agent int8;

ALTER TABLE audit_record ADD COLUMN IF NOT EXISTS token text;

ALTER TABLE audit_record ADD COLUMN IF NOT EXISTS purposes int4;
