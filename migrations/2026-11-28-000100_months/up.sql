-- The trail in months, so that what is old enough can be taken out whole.

-- Makes the month of a moment and the two after it, and nothing else: for servers that may not change tables themselves. A month is
-- made beside the trail and then attached, which keeps nobody from writing. Moments are in microseconds since 1970.
CREATE OR REPLACE FUNCTION audit_months(moment int8) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    months timestamp[] := ARRAY(
        SELECT date_trunc('month', to_timestamp(moment / 1000000) AT TIME ZONE 'UTC') + make_interval(months => ahead)
        FROM generate_series(0, 2) AS ahead);
    month timestamp;
    first text;
    part text;
BEGIN
    IF abs(extract(epoch FROM now()) - moment / 1000000) > 400 * 86400 THEN
        RAISE EXCEPTION 'the clocks of the server and of the database differ by more than 400 days'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT max(right(relname, 7)) INTO first FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = 'audit_record'::regclass AND starts_with(relname, 'audit_record_until_');
    FOREACH month IN ARRAY months LOOP
        part := 'audit_record_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_char(month, 'YYYY_MM') < first OR to_regclass(part) IS NOT NULL;
        -- "months" in ASCII: one makes them at a time, the others find them made.
        PERFORM pg_advisory_xact_lock(120359747843187);
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE audit_record INCLUDING ALL)', part);
        EXECUTE format('ALTER TABLE audit_record ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part,
            extract(epoch FROM month)::int8 * 1000000 << 11,
            extract(epoch FROM month + interval '1 month')::int8 * 1000000 << 11);
    END LOOP;
END $$;

-- Takes a part out of the trail, under the note that was signed of it, unless something newer was written into it meanwhile. For whoever
-- owns the tables.
CREATE OR REPLACE FUNCTION audit_take_out(part text, newest int8, signed text) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    is_grown bool;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'audit_record'::regclass AND inhrelid = to_regclass(part)) THEN
        RAISE EXCEPTION '% is no part of the trail', part USING ERRCODE = 'undefined_table';
    END IF;
    LOCK TABLE ONLY audit_record IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE transaction > $1)', part) INTO is_grown USING newest;
    IF is_grown THEN
        RAISE EXCEPTION 'something was written into % meanwhile', part USING ERRCODE = 'serialization_failure';
    END IF;
    INSERT INTO audit_archive (partition, note) VALUES (part, signed);
    EXECUTE format('ALTER TABLE audit_record DETACH PARTITION %I', part);
    EXECUTE format('DROP TABLE %I', part);
END $$;

-- What is there and what comes until the month after next stays one part: a constraint says so first, and is checked while others write.
DO $$
DECLARE
    is_whole bool := (SELECT relkind = 'r' FROM pg_class WHERE oid = 'audit_record'::regclass);
    newest timestamptz := (SELECT to_timestamp((max(id) >> 11) / 1000000) FROM audit_record);
    until timestamp := date_trunc('month', greatest(now(), newest) AT TIME ZONE 'UTC') + interval '2 months';
BEGIN
    IF is_whole AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'audit_record_until') THEN
        EXECUTE format('ALTER TABLE audit_record ADD CONSTRAINT audit_record_until CHECK (id < %s) NOT VALID',
            extract(epoch FROM until)::int8 * 1000000 << 11);
    END IF;
END $$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_constraint WHERE conname = 'audit_record_until') THEN
        ALTER TABLE audit_record VALIDATE CONSTRAINT audit_record_until;
    END IF;
END $$;

DO $$
DECLARE
    bound int8;
    part text;
BEGIN
    IF (SELECT relkind = 'p' FROM pg_class WHERE oid = 'audit_record'::regclass) THEN
        RETURN;
    END IF;
    SELECT substring(pg_get_constraintdef(oid) FROM '[0-9]{15,}')::int8 INTO STRICT bound
        FROM pg_constraint WHERE conname = 'audit_record_until';
    part := 'audit_record_until_' || to_char(to_timestamp((bound >> 11) / 1000000) AT TIME ZONE 'UTC', 'YYYY_MM');
    EXECUTE format('ALTER TABLE audit_record RENAME TO %I', part);
    EXECUTE format('ALTER INDEX audit_record_pkey RENAME TO %I', part || '_pkey');
    EXECUTE format('ALTER INDEX audit_record_patient RENAME TO %I', part || '_patient');
    EXECUTE format('ALTER INDEX audit_record_transaction RENAME TO %I', part || '_transaction');
    EXECUTE format('CREATE TABLE audit_record (LIKE %I INCLUDING DEFAULTS INCLUDING STORAGE) PARTITION BY RANGE (id)', part);
    ALTER TABLE audit_record ADD CONSTRAINT audit_record_pkey PRIMARY KEY (id, shard);
    CREATE INDEX audit_record_patient ON audit_record (patient, id) WHERE patient IS NOT NULL;
    CREATE INDEX audit_record_transaction ON audit_record USING brin (transaction) WITH (pages_per_range = 64, autosummarize = on);
    EXECUTE format('ALTER TABLE audit_record ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%s)', part, bound);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT audit_record_until', part);
END $$;

SELECT audit_months((extract(epoch FROM now()) * 1000000)::int8);
