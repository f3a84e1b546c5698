-- Who opened whose record in an emergency, why, and what was thought of it afterwards.
CREATE TABLE IF NOT EXISTS break_glass (
    id uuid NOT NULL PRIMARY KEY,
    hospital int4 NOT NULL,
    issuer text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    name text,
    patient text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    until timestamptz NOT NULL,
    reviewed_at timestamptz,
    reviewed_by text,
    review text
);

CREATE INDEX CONCURRENTLY IF NOT EXISTS break_glass_person ON break_glass (issuer, subject, until);

CREATE INDEX CONCURRENTLY IF NOT EXISTS break_glass_unreviewed ON break_glass (opened_at) WHERE reviewed_at IS NULL;
