-- Who may say who calls: issuers of tokens, the hospitals that each may speak for, and the clients that each knows. None of it
-- is clinical, and all of it is small: every replica holds it whole.

ALTER TABLE hospital ADD COLUMN IF NOT EXISTS enabled boolean NOT NULL DEFAULT true;

-- What ids of this hospital's resources may begin with.
ALTER TABLE hospital ADD COLUMN IF NOT EXISTS prefix text;

-- As tokens may call it instead of by its code: an OID, a URN.
ALTER TABLE hospital ADD COLUMN IF NOT EXISTS identifier text;

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS hospital_prefix ON hospital (prefix) WHERE prefix IS NOT NULL;

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS hospital_identifier ON hospital (identifier) WHERE identifier IS NOT NULL;

-- `iss` is compared byte by byte. Without `jwks_uri` the keys are found by discovery; without `audience` it is this server's base;
-- `organisation_claim` is a JSON Pointer. A broker speaks for all hospitals.
CREATE TABLE IF NOT EXISTS issuer (
    iss text COLLATE "C" NOT NULL PRIMARY KEY,
    name text NOT NULL,
    jwks_uri text,
    algorithms text[] NOT NULL,
    audience text[] NOT NULL,
    levels text[] NOT NULL,
    max_lifetime int4 NOT NULL,
    organisation_claim text NOT NULL,
    broker boolean NOT NULL,
    enabled boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS issuer_hospital (
    iss text COLLATE "C" NOT NULL,
    hospital int4 NOT NULL,
    PRIMARY KEY (iss, hospital)
);

-- An issuer without a row here vouches for its clients itself.
CREATE TABLE IF NOT EXISTS client (
    iss text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    hospital int4,
    may_assert_purpose boolean NOT NULL,
    enabled boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (iss, client_id)
);
