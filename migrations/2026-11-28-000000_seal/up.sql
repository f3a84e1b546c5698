-- The seal of the trail: a Merkle tree over its records, so that nothing of it is changed unseen (docs/decisions/0014-sealed-trail.md).

-- Who wrote a record: everything below the oldest transaction that still runs is final, whatever clocks say. What is there already has
-- the number of this statement.
ALTER TABLE audit_record ADD COLUMN IF NOT EXISTS transaction int8 NOT NULL DEFAULT (pg_current_xact_id()::text::int8);

-- Of the client.
ALTER TABLE audit_record ADD COLUMN IF NOT EXISTS address text;

-- Records lie in the order in which they were written: a few bytes for each half a megabyte find those of a range of transactions.
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_record_transaction ON audit_record USING brin (transaction) WITH (pages_per_range = 64, autosummarize = on);

-- Leaves of the tree in their order, some thousands at once: their hashes, and the last record among them.
CREATE TABLE IF NOT EXISTS audit_batch (
    first_leaf int8 NOT NULL PRIMARY KEY,
    leaves int4 NOT NULL,
    encoding int2 NOT NULL,
    until_transaction int8 NOT NULL,
    until_id int8 NOT NULL,
    until_shard int4 NOT NULL,
    hashes bytea NOT NULL,
    CHECK (leaves > 0 AND octet_length(hashes) = 32 * leaves)
);

ALTER TABLE audit_batch ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- Which batch a record is in; and no record ends two of them.
CREATE UNIQUE INDEX IF NOT EXISTS audit_batch_until ON audit_batch (until_transaction, until_id, until_shard);

-- Complete subtrees of 256, 65,536, … leaves, so that roots and proofs read few hashes.
CREATE TABLE IF NOT EXISTS audit_node (
    level int2 NOT NULL,
    index int8 NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (level, index)
);

-- What was signed and published.
CREATE TABLE IF NOT EXISTS audit_head (
    tree_size int8 NOT NULL PRIMARY KEY,
    root bytea NOT NULL,
    note text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

-- What was taken out when it was old enough: a signed note says which leaves, and the files that have them.
CREATE TABLE IF NOT EXISTS audit_archive (
    partition text COLLATE "C" NOT NULL PRIMARY KEY,
    note text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
