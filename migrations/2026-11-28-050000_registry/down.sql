DROP TABLE IF EXISTS audit_registry;

DROP TABLE IF EXISTS issuer_proposal;

ALTER TABLE issuer DROP COLUMN IF EXISTS introspection_for_all;

ALTER TABLE issuer DROP COLUMN IF EXISTS introspection_secret;

ALTER TABLE issuer DROP COLUMN IF EXISTS introspection_client;

ALTER TABLE issuer DROP COLUMN IF EXISTS introspection_uri;
