-- Where the issuer is asked about tokens that it alone can read, as whom, and the name of the file that has the secret.
ALTER TABLE issuer ADD COLUMN IF NOT EXISTS introspection_uri text;

ALTER TABLE issuer ADD COLUMN IF NOT EXISTS introspection_client text;

ALTER TABLE issuer ADD COLUMN IF NOT EXISTS introspection_secret text;

-- Whether it is asked about the tokens that it signs, too.
ALTER TABLE issuer ADD COLUMN IF NOT EXISTS introspection_for_all boolean NOT NULL DEFAULT false;

-- Issuers that were proposed and not approved yet: none of their tokens is taken for it.
CREATE TABLE IF NOT EXISTS issuer_proposal (
    iss text COLLATE "C" NOT NULL PRIMARY KEY,
    content jsonb NOT NULL,
    by_name text NOT NULL,
    account text NOT NULL,
    proposed_at timestamptz NOT NULL DEFAULT now()
);

-- Who changed the registry, and how.
CREATE TABLE IF NOT EXISTS audit_registry (
    id uuid NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    by_name text NOT NULL,
    account text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL
);

CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_registry_at ON audit_registry (at, id);
