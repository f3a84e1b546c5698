-- The records of all months in one table again.
DO $$
BEGIN
    IF (SELECT relkind = 'r' FROM pg_class WHERE oid = 'audit_record'::regclass) THEN
        RETURN;
    END IF;
    CREATE TABLE audit_record_whole (LIKE audit_record INCLUDING DEFAULTS INCLUDING STORAGE);
    INSERT INTO audit_record_whole SELECT * FROM audit_record;
    DROP TABLE audit_record;
    ALTER TABLE audit_record_whole RENAME TO audit_record;
    ALTER TABLE audit_record ADD CONSTRAINT audit_record_pkey PRIMARY KEY (id, shard);
    CREATE INDEX audit_record_patient ON audit_record (patient, id) WHERE patient IS NOT NULL;
    CREATE INDEX audit_record_transaction ON audit_record USING brin (transaction) WITH (pages_per_range = 64, autosummarize = on);
END $$;

DROP FUNCTION IF EXISTS audit_months(int8);

DROP FUNCTION IF EXISTS audit_take_out(text, int8, text);
