-- The second wall (docs/decisions/0015). It holds for every role but the owner of the tables, whatever statement comes: rows are
-- written for the hospital that the transaction says it writes for (`bund.hospital`), and read through the views of the schema
-- `open`, which show what the reader that the statement names (`bund.reader`) may see. Who says neither writes and sees nothing.

-- Table by table, each in a transaction of its own: nobody waits for more than one. `*` is a job that goes through all hospitals.
DO $$
DECLARE
    name regclass;
    is_own CONSTANT text := 'current_setting(''bund.hospital'', true) IN (hospital::text, ''*'')';
BEGIN
    FOREACH name IN ARRAY (
        SELECT array_agg(a.attrelid::regclass ORDER BY c.relname) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind = 'r'
        AND (a.attname = 'tokens' OR (a.attname = 'superseded_key' AND c.relname = 'history'))
    ) LOOP
        IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = name AND polname = 'own') THEN
            EXECUTE format('CREATE POLICY own ON %s USING (%s) WITH CHECK (%2$s)', name, is_own);
        END IF;
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name);
        COMMIT;
    END LOOP;
END $$;

-- Whether a reader sees a row that another hospital keeps. The reader is a text of numbers, written by `search::reader`:
-- hospital, moment, purposes as bits, whether the policy shows what no consent speaks of, hospitals that no longer share, patients to whom
-- the glass was broken, and what sets the hospital's relations of care apart; or 0 and the patient who reads the own record.
CREATE OR REPLACE FUNCTION is_open_to(
    reader text, custodian int4, labels int8, patient int8, resource int8, date_low int8, date_high int8, is_past bool
) RETURNS bool
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000
AS $$
DECLARE
    part text[] := string_to_array(reader, ' ');
    own int4 := nullif(part[1], '')::int4;
    moment int8;
    wanted int4;
    sensitive int8 := labels & 63;
    is_limited bool;
    is_permitted bool;
    is_denied bool;
BEGIN
    -- Nobody reads, or it is about several patients.
    IF own IS NULL OR labels & 128 <> 0 THEN
        RETURN false;
    END IF;
    IF own = 0 THEN
        RETURN coalesce(patient = part[2]::int8, true);
    END IF;
    moment := part[2]::int8;
    wanted := part[3]::int4;
    -- Nobody's record, very restricted, or no longer shared.
    IF patient IS NULL OR labels & 64 <> 0 OR (part[5] <> '{}' AND custodian = ANY (part[5]::int4[])) THEN
        RETURN false;
    END IF;
    IF part[6] <> '{}' AND patient = ANY (part[6]::int8[]) AND NOT EXISTS (
        SELECT FROM consent_rule AS c WHERE c.patient = is_open_to.patient AND NOT c.is_permit AND c.purposes & 4 <> 0
        AND moment >= c.valid_from AND moment < c.valid_until
    ) THEN
        RETURN true;
    END IF;
    IF wanted = 0 OR NOT EXISTS (
        SELECT FROM range_entry AS r WHERE r.parameter_key = is_open_to.patient # part[7]::int8 AND r.low <= moment AND r.high > moment
    ) THEN
        RETURN false;
    END IF;
    -- Most patients have said nothing.
    IF NOT EXISTS (SELECT FROM consent_rule AS c WHERE c.patient = is_open_to.patient) THEN
        RETURN part[4] = 't' AND sensitive = 0;
    END IF;
    WITH rule AS MATERIALIZED (
        SELECT c.consent_key, c.is_permit, c.specificity,
            coalesce(c.hospital = own, true)
            AND (c.purposes = 0 OR c.purposes & wanted <> 0)
            AND coalesce(c.custodian = is_open_to.custodian, true)
            AND CASE
                WHEN c.is_permit THEN sensitive & ~c.labels = 0
                ELSE c.labels = 0 OR c.labels & sensitive <> 0 OR (c.labels & 256 <> 0 AND sensitive = 0)
            END
            -- Of an old version neither key nor date is known.
            AND CASE
                WHEN is_past THEN NOT c.is_permit OR (c.resource_key IS NULL AND c.data_from IS NULL)
                WHEN c.resource_key <> resource THEN false
                WHEN c.data_from IS NULL THEN true
                WHEN date_low IS NULL THEN NOT c.is_permit
                WHEN c.is_permit THEN date_low >= c.data_from AND date_high < c.data_until
                ELSE date_high >= c.data_from AND date_low < c.data_until
            END AS is_met
        FROM consent_rule AS c
        WHERE c.patient = is_open_to.patient AND moment >= c.valid_from AND moment < c.valid_until
    )
    SELECT bool_or(is_permit), bool_or(is_permit AND is_met), bool_or(NOT is_permit AND is_met AND NOT EXISTS (
            SELECT FROM rule AS above WHERE above.consent_key = rule.consent_key AND above.is_permit AND above.is_met
            AND above.specificity > rule.specificity
        ))
        INTO is_limited, is_permitted, is_denied FROM rule;
    IF is_denied THEN
        RETURN false;
    END IF;
    IF is_limited THEN
        RETURN is_permitted;
    END IF;
    RETURN part[4] = 't' AND sensitive = 0;
END
$$;

CREATE SCHEMA IF NOT EXISTS open;

-- A row that the reader's hospital keeps costs one comparison; -1 reads everything: jobs, and a server that asks nobody who calls.
-- What is about no patient – directories, terminology, definitions – everybody reads. The version is asked when it was committed.
DO $$
DECLARE
    name regclass;
    is_public bool;
    is_seen CONSTANT text := 'hospital = (SELECT nullif(split_part(current_setting(''bund.reader'', true), '' '', 1), '''')::int4) '
        'OR (SELECT current_setting(''bund.reader'', true) = ''-1'') '
        'OR is_open_to(current_setting(''bund.reader'', true), hospital, labels, patient, ';
BEGIN
    FOR name, is_public IN
        SELECT a.attrelid::regclass, c.relname::text = ANY (ARRAY[
            'activity_definition', 'capability_statement', 'catalog_entry', 'charge_item_definition', 'code_system',
            'compartment_definition', 'concept_map', 'device_definition', 'effect_evidence_synthesis', 'endpoint',
            'event_definition', 'evidence', 'evidence_variable', 'example_scenario', 'graph_definition',
            'healthcare_service', 'implementation_guide', 'insurance_plan', 'library', 'location', 'measure',
            'medication', 'medication_knowledge', 'message_definition', 'naming_system', 'observation_definition',
            'operation_definition', 'organization', 'organization_affiliation', 'plan_definition', 'practitioner',
            'practitioner_role', 'questionnaire', 'research_definition', 'research_element_definition',
            'risk_evidence_synthesis', 'schedule', 'search_parameter', 'slot', 'specimen_definition',
            'structure_definition', 'structure_map', 'substance', 'terminology_capabilities', 'test_script',
            'value_set'
        ])
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = current_schema() AND c.relkind = 'r' AND a.attname = 'tokens'
    LOOP
        EXECUTE format('CREATE OR REPLACE VIEW open.%I AS SELECT xmin, * FROM %s WHERE %s', (SELECT relname FROM pg_class WHERE oid = name),
            name, CASE WHEN is_public THEN 'true' ELSE is_seen || 'key, date_low, date_high, false)' END);
    END LOOP;
    EXECUTE format('CREATE OR REPLACE VIEW open.history AS SELECT xmin, * FROM history WHERE %s OR resource_type = ANY (%L::int2[])',
        is_seen || 'NULL, NULL, NULL, true)',
        '{2,13,16,18,22,25,27,36,43,45,49,50,51,52,57,60,65,66,68,71,72,75,78,91,94,97,98,100,101,106,107,108,111,115,116,120,121,122,124,126,127,128,130,140,142,143}');
END $$;

-- Tells the planner what there is now, after a load: ANALYZE is the owner's.
CREATE OR REPLACE FUNCTION analyze_tables(names text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY names LOOP
        EXECUTE format('ANALYZE %s', name::regclass);
    END LOOP;
END
$$;
