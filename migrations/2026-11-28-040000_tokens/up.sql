-- Proofs that were shown with tokens: each is taken once, by whichever replica. `until` is in seconds since 1970.
CREATE TABLE IF NOT EXISTS proof_seen (
    name uuid NOT NULL PRIMARY KEY,
    until int8 NOT NULL
);

CREATE INDEX CONCURRENTLY IF NOT EXISTS proof_seen_until ON proof_seen (until);

-- Whether the client's tokens have to be bound to a key or a certificate.
ALTER TABLE client ADD COLUMN IF NOT EXISTS require_bound boolean NOT NULL DEFAULT false;
