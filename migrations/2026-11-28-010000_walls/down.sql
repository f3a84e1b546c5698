DROP SCHEMA IF EXISTS open CASCADE;

DROP FUNCTION IF EXISTS analyze_tables(text[]);

DROP FUNCTION IF EXISTS is_open_to(text, int4, int8, int8, int8, int8, int8, bool);

DO $$
DECLARE
    name regclass;
BEGIN
    FOR name IN SELECT polrelid::regclass FROM pg_policy WHERE polname = 'own' LOOP
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', name);
        EXECUTE format('DROP POLICY IF EXISTS own ON %s', name);
        COMMIT;
    END LOOP;
END $$;
