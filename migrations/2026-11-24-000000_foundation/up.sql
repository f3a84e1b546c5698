-- The first tables. Sharding rules kept from here on: every clinical table carries `shard` in its primary key and in every
-- unique index; ids and keys come from the application, never from a sequence; no foreign keys between clinical tables,
-- no triggers, no rules, at most one level of partitioning. One statement at a time, each repeatable after a crash.

CREATE TABLE IF NOT EXISTS hospital (
    id int4 NOT NULL PRIMARY KEY,
    code text NOT NULL UNIQUE,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What replicas share and nobody else knows.
CREATE TABLE IF NOT EXISTS secret (
    id int2 NOT NULL PRIMARY KEY,
    content bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- zstd dictionaries: a stored body names the one it was compressed with, so rows of this table are never changed or removed.
CREATE TABLE IF NOT EXISTS dictionary (
    id int2 NOT NULL PRIMARY KEY,
    resource_type int2 NOT NULL,
    content bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- One table a resource type, all of one shape: the current version of each resource and what it is found by.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'account', 'activity_definition', 'adverse_event', 'allergy_intolerance', 'appointment', 'appointment_response',
        'audit_event', 'basic', 'binary', 'biologically_derived_product', 'body_structure', 'bundle',
        'capability_statement', 'care_plan', 'care_team', 'catalog_entry', 'charge_item', 'charge_item_definition',
        'claim', 'claim_response', 'clinical_impression', 'code_system', 'communication', 'communication_request',
        'compartment_definition', 'composition', 'concept_map', 'condition', 'consent', 'contract',
        'coverage', 'coverage_eligibility_request', 'coverage_eligibility_response', 'detected_issue', 'device', 'device_definition',
        'device_metric', 'device_request', 'device_use_statement', 'diagnostic_report', 'document_manifest', 'document_reference',
        'effect_evidence_synthesis', 'encounter', 'endpoint', 'enrollment_request', 'enrollment_response', 'episode_of_care',
        'event_definition', 'evidence', 'evidence_variable', 'example_scenario', 'explanation_of_benefit', 'family_member_history',
        'flag', 'goal', 'graph_definition', 'group', 'guidance_response', 'healthcare_service',
        'imaging_study', 'immunization', 'immunization_evaluation', 'immunization_recommendation', 'implementation_guide', 'insurance_plan',
        'invoice', 'library', 'linkage', 'list', 'location', 'measure',
        'measure_report', 'media', 'medication', 'medication_administration', 'medication_dispense', 'medication_knowledge',
        'medication_request', 'medication_statement', 'medicinal_product', 'medicinal_product_authorization', 'medicinal_product_contraindication', 'medicinal_product_indication',
        'medicinal_product_ingredient', 'medicinal_product_interaction', 'medicinal_product_manufactured', 'medicinal_product_packaged', 'medicinal_product_pharmaceutical', 'medicinal_product_undesirable_effect',
        'message_definition', 'message_header', 'molecular_sequence', 'naming_system', 'nutrition_order', 'observation',
        'observation_definition', 'operation_definition', 'operation_outcome', 'organization', 'organization_affiliation', 'patient',
        'payment_notice', 'payment_reconciliation', 'person', 'plan_definition', 'practitioner', 'practitioner_role',
        'procedure', 'provenance', 'questionnaire', 'questionnaire_response', 'related_person', 'request_group',
        'research_definition', 'research_element_definition', 'research_study', 'research_subject', 'risk_assessment', 'risk_evidence_synthesis',
        'schedule', 'search_parameter', 'service_request', 'slot', 'specimen', 'specimen_definition',
        'structure_definition', 'structure_map', 'subscription', 'substance', 'substance_nucleic_acid', 'substance_polymer',
        'substance_protein', 'substance_reference_information', 'substance_source_material', 'substance_specification', 'supply_delivery', 'supply_request',
        'task', 'terminology_capabilities', 'test_report', 'test_script', 'value_set', 'verification_result',
        'vision_prescription'
    ] LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS %1$I (
            id text COLLATE "C" NOT NULL,
            shard int4 NOT NULL,
            version_key int8 NOT NULL,
            version int4 NOT NULL,
            key int8 NOT NULL,
            hospital int4 NOT NULL,
            labels int8 NOT NULL DEFAULT 0,
            patient int8,
            code int8,
            code2 int8,
            date_low int8,
            date_high int8,
            quantity int8,
            number int8,
            present int8 NOT NULL,
            tokens int8[] NOT NULL,
            filters int8[] NOT NULL,
            method int2 NOT NULL,
            dictionary int2 NOT NULL,
            body bytea NOT NULL,
            PRIMARY KEY (id, shard))', name);
        EXECUTE format('ALTER TABLE %1$I ALTER COLUMN body SET STORAGE EXTERNAL', name);
        EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %1$I ON %2$I (version_key, shard)', name || '_version_key', name);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %1$I ON %2$I (key)', name || '_key', name);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %1$I ON %2$I USING gin (tokens) WITH (gin_pending_list_limit = 4096)', name || '_tokens', name);
    END LOOP;
END $$;

-- Types with a leading date: the walk in its order, a patient's record, and the few dates wider than a day and an hour, which
-- begin long before they end. The sum keeps the walk's index out of searches that a patient or a code leads: each statement
-- has one index that serves it, whatever the planner believes.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'account', 'allergy_intolerance', 'appointment', 'audit_event', 'care_plan', 'care_team', 'claim',
        'clinical_impression', 'communication', 'composition', 'condition', 'consent', 'detected_issue', 'device_request',
        'diagnostic_report', 'document_reference', 'encounter', 'episode_of_care', 'explanation_of_benefit', 'flag',
        'imaging_study', 'immunization', 'media', 'medication_administration', 'medication_dispense', 'medication_request',
        'medication_statement', 'observation', 'patient', 'procedure', 'provenance', 'questionnaire_response', 'schedule',
        'service_request', 'slot', 'specimen', 'task'
    ] LOOP
        EXECUTE format('CREATE INDEX IF NOT EXISTS %1$I ON %2$I ((date_low + 0), version_key)', name || '_date', name);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %1$I ON %2$I (patient, date_low) WHERE patient IS NOT NULL', name || '_patient', name);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %1$I ON %2$I (date_high) WHERE date_high - date_low > 90000000000', name || '_wide', name);
    END LOOP;
END $$;

-- All others are in the order of their versions.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'activity_definition', 'adverse_event', 'appointment_response', 'basic', 'binary', 'biologically_derived_product',
        'body_structure', 'bundle', 'capability_statement', 'catalog_entry', 'charge_item', 'charge_item_definition',
        'claim_response', 'code_system', 'communication_request', 'compartment_definition', 'concept_map', 'contract',
        'coverage', 'coverage_eligibility_request', 'coverage_eligibility_response', 'device', 'device_definition',
        'device_metric', 'device_use_statement', 'document_manifest', 'effect_evidence_synthesis', 'endpoint',
        'enrollment_request', 'enrollment_response', 'event_definition', 'evidence', 'evidence_variable',
        'example_scenario', 'family_member_history', 'goal', 'graph_definition', 'group', 'guidance_response',
        'healthcare_service', 'immunization_evaluation', 'immunization_recommendation', 'implementation_guide',
        'insurance_plan', 'invoice', 'library', 'linkage', 'list', 'location', 'measure', 'measure_report', 'medication',
        'medication_knowledge', 'medicinal_product', 'medicinal_product_authorization',
        'medicinal_product_contraindication', 'medicinal_product_indication', 'medicinal_product_ingredient',
        'medicinal_product_interaction', 'medicinal_product_manufactured', 'medicinal_product_packaged',
        'medicinal_product_pharmaceutical', 'medicinal_product_undesirable_effect', 'message_definition', 'message_header',
        'molecular_sequence', 'naming_system', 'nutrition_order', 'observation_definition', 'operation_definition',
        'operation_outcome', 'organization', 'organization_affiliation', 'payment_notice', 'payment_reconciliation',
        'person', 'plan_definition', 'practitioner', 'practitioner_role', 'questionnaire', 'related_person',
        'request_group', 'research_definition', 'research_element_definition', 'research_study', 'research_subject',
        'risk_assessment', 'risk_evidence_synthesis', 'search_parameter', 'specimen_definition', 'structure_definition',
        'structure_map', 'subscription', 'substance', 'substance_nucleic_acid', 'substance_polymer', 'substance_protein',
        'substance_reference_information', 'substance_source_material', 'substance_specification', 'supply_delivery',
        'supply_request', 'terminology_capabilities', 'test_report', 'test_script', 'value_set', 'verification_result',
        'vision_prescription'
    ] LOOP
        EXECUTE format('CREATE INDEX IF NOT EXISTS %1$I ON %2$I (patient, (version_key + 0)) WHERE patient IS NOT NULL', name || '_patient', name);
    END LOOP;
END $$;

-- Types with a leading code; a resource with more than two of them has the others in reference_entry.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'allergy_intolerance', 'condition', 'device_request', 'diagnostic_report', 'imaging_study', 'immunization',
        'medication_administration', 'medication_dispense', 'medication_request', 'medication_statement', 'observation',
        'procedure', 'service_request'
    ] LOOP
        EXECUTE format('CREATE INDEX IF NOT EXISTS %1$I ON %2$I (code, date_low) WHERE code IS NOT NULL', name || '_code', name);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %1$I ON %2$I (code2, date_low) WHERE code2 IS NOT NULL', name || '_code2', name);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %1$I ON %2$I (code, date_high) WHERE code IS NOT NULL AND date_high - date_low > 90000000000', name || '_code_wide', name);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %1$I ON %2$I (code2, date_high) WHERE code2 IS NOT NULL AND date_high - date_low > 90000000000', name || '_code2_wide', name);
    END LOOP;
END $$;

-- Measured values across all patients.
CREATE INDEX IF NOT EXISTS observation_quantity ON observation (code, quantity) WHERE quantity IS NOT NULL;

CREATE INDEX IF NOT EXISTS observation_quantity2 ON observation (code2, quantity)
WHERE code2 IS NOT NULL AND quantity IS NOT NULL;

-- String parameters, normalised, and URLs as they are; several rows a resource. `exact` is a hash of the text as it was written.
CREATE TABLE IF NOT EXISTS string_entry (
    shard int4 NOT NULL,
    parameter_key int8 NOT NULL,
    value text COLLATE "C" NOT NULL,
    exact int8 NOT NULL,
    resource_key int8 NOT NULL
);

CREATE INDEX IF NOT EXISTS string_entry_value ON string_entry (parameter_key, value, resource_key);

CREATE INDEX IF NOT EXISTS string_entry_resource ON string_entry (resource_key);

-- Texts that stand with codes, each once: a resource has the keys of its texts among its filters. `lead_key` is what an index
-- finds these resources by. A text may be here twice after a race, which changes no answer, so that no writer waits for another.
CREATE TABLE IF NOT EXISTS concept_text (
    parameter_key int8 NOT NULL,
    value text COLLATE "C" NOT NULL,
    lead_key int8 NOT NULL,
    text_key int8 NOT NULL,
    words int8[] NOT NULL
);

CREATE INDEX IF NOT EXISTS concept_text_value ON concept_text (parameter_key, value, lead_key, text_key);

CREATE INDEX IF NOT EXISTS concept_text_words ON concept_text USING gin (words) WITH (gin_pending_list_limit = 64);

-- Dates, numbers and quantities other than the leading ones. Wide ranges have a parameter_key of their own.
CREATE TABLE IF NOT EXISTS range_entry (
    shard int4 NOT NULL,
    parameter_key int8 NOT NULL,
    low int8 NOT NULL,
    high int8 NOT NULL,
    resource_key int8 NOT NULL
);

CREATE INDEX IF NOT EXISTS range_entry_low ON range_entry (parameter_key, low, resource_key);

CREATE INDEX IF NOT EXISTS range_entry_resource ON range_entry (resource_key);

-- Actors of appointments and the like, and codes beyond the second, with the leading date of the resource.
CREATE TABLE IF NOT EXISTS reference_entry (
    shard int4 NOT NULL,
    target_key int8 NOT NULL,
    date_low int8 NOT NULL,
    resource_key int8 NOT NULL
);

CREATE INDEX IF NOT EXISTS reference_entry_target ON reference_entry (target_key, date_low, resource_key);

CREATE INDEX IF NOT EXISTS reference_entry_resource ON reference_entry (resource_key);

-- Rises with each change of what entries are made of. Who writes says for which epoch it made its entries.
CREATE TABLE IF NOT EXISTS index_epoch (
    id int2 NOT NULL PRIMARY KEY,
    epoch int8 NOT NULL
);

INSERT INTO index_epoch (id, epoch) VALUES (1, 0) ON CONFLICT (id) DO NOTHING;

CREATE OR REPLACE FUNCTION hold_index_epoch(made_for int8) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF made_for IS DISTINCT FROM (SELECT epoch FROM index_epoch WHERE id = 1) THEN
        RAISE EXCEPTION 'entries were made for another epoch' USING ERRCODE = 'BD001';
    END IF;
END
$$;

-- Search parameters that are defined here, a row a type that they are for: 1 while entries are made, 2 when all are.
CREATE TABLE IF NOT EXISTS custom_parameter (
    id text COLLATE "C" NOT NULL,
    resource_type int2 NOT NULL,
    generation int8 NOT NULL,
    state int2 NOT NULL,
    definition text NOT NULL,
    PRIMARY KEY (id, resource_type, generation)
);

-- How far a reindex is; a row a resource type.
CREATE TABLE IF NOT EXISTS reindex_progress (
    resource_type int2 NOT NULL PRIMARY KEY,
    epoch int8 NOT NULL,
    after_id text COLLATE "C" NOT NULL,
    done int8 NOT NULL,
    total int8 NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);

-- Whether a row version had been committed when a snapshot was taken. `xmin` has no epoch: it is the one next to the snapshot's.
CREATE OR REPLACE FUNCTION is_seen(row_xmin xid, taken pg_snapshot) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT pg_visible_in_snapshot(greatest(full_id, 3)::text::xid8, taken)
    FROM (
        SELECT (newest - (newest & 4294967295)) + id
            + CASE
                WHEN id - (newest & 4294967295) > 2147483648 THEN -4294967296
                WHEN (newest & 4294967295) - id > 2147483648 THEN 4294967296
                ELSE 0
            END AS full_id
        FROM (SELECT pg_snapshot_xmax(taken)::text::int8 AS newest, row_xmin::text::int8 AS id) AS given
    ) AS whole
);

-- Versions that are no longer current, and deletions (body NULL). `superseded_key` is the version_key of the version that
-- came after; a deletion that still stands has none.
CREATE TABLE IF NOT EXISTS history (
    resource_type int2 NOT NULL,
    id text COLLATE "C" NOT NULL,
    version int4 NOT NULL,
    shard int4 NOT NULL,
    version_key int8 NOT NULL,
    superseded_key int8,
    hospital int4 NOT NULL,
    labels int8 NOT NULL DEFAULT 0,
    patient int8,
    method int2 NOT NULL,
    dictionary int2 NOT NULL,
    body bytea,
    PRIMARY KEY (resource_type, id, version, shard)
);

ALTER TABLE history ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE UNIQUE INDEX IF NOT EXISTS history_version_key ON history (version_key, shard);

CREATE INDEX IF NOT EXISTS history_type ON history (resource_type, version_key);

-- What was done, by whom, to what: written in the transaction of a change, or before the answer of a read leaves.
CREATE TABLE IF NOT EXISTS audit_record (
    id int8 NOT NULL,
    shard int4 NOT NULL,
    request uuid NOT NULL,
    interaction int2 NOT NULL,
    status int2 NOT NULL,
    hospital int4 NOT NULL,
    resource_type int2,
    resource_id text COLLATE "C",
    version int4,
    patient int8,
    query text,
    PRIMARY KEY (id, shard)
);

-- Answers to POSTs that carried an Idempotency-Key, kept so that a retry is answered and not repeated.
CREATE TABLE IF NOT EXISTS idempotency (
    hospital int4 NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    answer bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (hospital, key)
);

CREATE INDEX IF NOT EXISTS idempotency_created ON idempotency (created_at);
