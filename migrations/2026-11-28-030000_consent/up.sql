-- Labels reach what belongs to what is labelled (docs/decisions/0018).

-- What passes its labels on to whatever refers to it, and which.
CREATE TABLE IF NOT EXISTS label_source (
    resource_key int8 NOT NULL,
    shard int4 NOT NULL,
    patient int8 NOT NULL,
    labels int8 NOT NULL,
    PRIMARY KEY (resource_key, shard)
);

-- Who writes what a label may reach holds its patient with others, who raises labels holds it alone. Keys come in their order.
CREATE OR REPLACE FUNCTION hold_labels(patients int8[], alone bool[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    FOR place IN 1 .. cardinality(patients) LOOP
        IF alone[place] THEN
            PERFORM pg_advisory_xact_lock(patients[place]);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(patients[place]);
        END IF;
    END LOOP;
END
$$;

-- Adds labels to resources, and notes that these pass them on: the keys of those that did not before. Labels reach the resources of
-- all hospitals, which the walls of the database would hide from the one that writes.
CREATE OR REPLACE FUNCTION add_labels(
    name text, ids text[], shards int4[], keys int8[], patients int8[], added int8[]
) RETURNS int8[]
LANGUAGE plpgsql
SET bund.hospital = '*'
AS $$
DECLARE
    raised int8[];
BEGIN
    EXECUTE format(
        'UPDATE %I AS t SET labels = t.labels | u.labels
         FROM unnest($1, $2, $3) AS u (id, shard, labels)
         WHERE t.id = u.id AND t.shard = u.shard AND t.labels | u.labels <> t.labels', name
    ) USING ids, shards, added;
    -- A diagnosis passes on what it is by itself, not in which company it was made.
    IF name = 'condition' THEN
        RETURN '{}';
    END IF;
    WITH noted AS (
        INSERT INTO label_source AS s (resource_key, shard, patient, labels)
        SELECT * FROM unnest(keys, shards, patients, added)
        ON CONFLICT (resource_key, shard) DO UPDATE SET labels = s.labels | excluded.labels, patient = excluded.patient
        WHERE s.labels | excluded.labels <> s.labels OR s.patient <> excluded.patient
        RETURNING s.resource_key
    )
    SELECT coalesce(array_agg(noted.resource_key), '{}') INTO raised FROM noted;
    RETURN raised;
END
$$;

-- Adds to all that refers to these, and to what refers to that, what they pass on. The types are all that are about patients.
DO $$
DECLARE
    name text;
    leaves text[];
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'account', 'adverse_event', 'allergy_intolerance', 'appointment', 'appointment_response', 'audit_event', 'basic',
        'binary', 'biologically_derived_product', 'body_structure', 'bundle', 'care_plan', 'care_team', 'charge_item',
        'claim', 'claim_response', 'clinical_impression', 'communication', 'communication_request', 'composition',
        'condition', 'consent', 'contract', 'coverage', 'coverage_eligibility_request', 'coverage_eligibility_response',
        'detected_issue', 'device', 'device_metric', 'device_request', 'device_use_statement', 'diagnostic_report',
        'document_manifest', 'document_reference', 'encounter', 'enrollment_request', 'enrollment_response',
        'episode_of_care', 'explanation_of_benefit', 'family_member_history', 'flag', 'goal', 'group', 'guidance_response',
        'imaging_study', 'immunization', 'immunization_evaluation', 'immunization_recommendation', 'invoice', 'linkage',
        'list', 'measure_report', 'media', 'medication_administration', 'medication_dispense', 'medication_request',
        'medication_statement', 'medicinal_product', 'medicinal_product_authorization',
        'medicinal_product_contraindication', 'medicinal_product_indication', 'medicinal_product_ingredient',
        'medicinal_product_interaction', 'medicinal_product_manufactured', 'medicinal_product_packaged',
        'medicinal_product_pharmaceutical', 'medicinal_product_undesirable_effect', 'message_header', 'molecular_sequence',
        'nutrition_order', 'observation', 'operation_outcome', 'patient', 'payment_notice', 'payment_reconciliation',
        'person', 'procedure', 'provenance', 'questionnaire_response', 'related_person', 'request_group', 'research_study',
        'research_subject', 'risk_assessment', 'service_request', 'specimen', 'subscription', 'substance_nucleic_acid',
        'substance_polymer', 'substance_protein', 'substance_reference_information', 'substance_source_material',
        'substance_specification', 'supply_delivery', 'supply_request', 'task', 'test_report', 'verification_result',
        'vision_prescription'
    ] LOOP
        leaves := leaves || format(
            'SELECT %1$L AS name, t.id, t.shard, t.key, t.labels, t.filters FROM %1$I AS t '
            'WHERE t.patient = p.patient AND t.filters && p.links', name);
    END LOOP;
    EXECUTE 'CREATE OR REPLACE FUNCTION pass_labels_on(pending int8[], link_salt int8, lock_salt int8) RETURNS void
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET bund.hospital = ''*''
AS $body$
DECLARE
    holder int8;
    met record;
    next int8[];
BEGIN
    FOR holder IN SELECT DISTINCT s.patient FROM label_source AS s WHERE s.resource_key = ANY(pending) LOOP
        -- To wait here while others hold it too would be a deadlock: who was in the way is let through, and all begins again.
        IF NOT pg_try_advisory_xact_lock(holder # lock_salt) THEN
            RAISE EXCEPTION ''another transaction writes what these labels reach'' USING ERRCODE = ''serialization_failure'';
        END IF;
    END LOOP;
    WHILE cardinality(pending) > 0 LOOP
        next := ''{}'';
        FOR met IN
            SELECT x.name, array_agg(x.id) AS ids, array_agg(x.shard) AS shards, array_agg(x.key) AS keys,
                array_agg(x.patient) AS patients, array_agg(x.added) AS added
            FROM (
                SELECT r.name, r.id, r.shard, r.key, p.patient, r.labels, bit_or(s.labels) AS added
                FROM (
                    SELECT s.patient, array_agg(s.resource_key # link_salt) AS links
                    FROM label_source AS s WHERE s.resource_key = ANY(pending) GROUP BY s.patient
                ) AS p CROSS JOIN LATERAL ('
        || array_to_string(leaves, ' UNION ALL ')
        || ' OFFSET 0) AS r
                JOIN label_source AS s ON s.resource_key = ANY(pending) AND s.patient = p.patient
                    AND r.filters @> ARRAY[s.resource_key # link_salt]
                GROUP BY r.name, r.id, r.shard, r.key, p.patient, r.labels
            ) AS x
            WHERE x.added & ~x.labels <> 0
            GROUP BY x.name
        LOOP
            next := next || add_labels(met.name, met.ids, met.shards, met.keys, met.patients, met.added);
        END LOOP;
        pending := next;
    END LOOP;
END
$body$';
END $$;

-- After rows were written: gives them the labels of what they refer to, and others the labels that they pass on. `own` are the
-- labels that a resource has by itself; nobody can have referred yet to what is not `known`. Links are of the row at their place.
CREATE OR REPLACE FUNCTION spread_labels(
    names text[], ids text[], shards int4[], keys int8[], patients int8[], own int8[], known bool[],
    link_of int4[], links int8[], link_salt int8, lock_salt int8
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    have int8[] := own;
    pending int8[] := '{}';
    is_more bool := true;
    met record;
BEGIN
    IF 0 = ALL (own) AND NOT EXISTS (SELECT FROM label_source AS s WHERE s.resource_key = ANY(links)) THEN
        RETURN;
    END IF;
    WITH noted AS (
        INSERT INTO label_source AS s (resource_key, shard, patient, labels)
        SELECT u.key, u.shard, u.patient, u.labels FROM unnest(keys, shards, patients, own) AS u (key, shard, patient, labels)
        WHERE u.labels <> 0
        ON CONFLICT (resource_key, shard) DO UPDATE SET labels = s.labels | excluded.labels, patient = excluded.patient
        WHERE s.labels | excluded.labels <> s.labels OR s.patient <> excluded.patient
        RETURNING s.resource_key
    )
    SELECT coalesce(array_agg(noted.resource_key), '{}') INTO pending FROM noted;
    -- Those that were written together may refer to each other in any order.
    WHILE is_more LOOP
        is_more := false;
        FOR met IN
            SELECT names[x.place] AS name, array_agg(x.place) AS places, array_agg(ids[x.place]) AS ids,
                array_agg(shards[x.place]) AS shards, array_agg(keys[x.place]) AS keys,
                array_agg(patients[x.place]) AS patients, array_agg(x.added) AS added
            FROM (
                SELECT l.place, bit_or(s.labels) AS added FROM unnest(link_of, links) AS l (place, link)
                JOIN label_source AS s ON s.resource_key = l.link AND s.patient = patients[l.place]
                GROUP BY l.place
            ) AS x
            WHERE x.added & ~have[x.place] <> 0
            GROUP BY 1
        LOOP
            is_more := true;
            pending := pending || add_labels(met.name, met.ids, met.shards, met.keys, met.patients, met.added);
            FOR i IN 1 .. cardinality(met.places) LOOP
                have[met.places[i]] := have[met.places[i]] | met.added[i];
            END LOOP;
        END LOOP;
    END LOOP;
    pending := ARRAY(
        SELECT u.key FROM unnest(keys, known) AS u (key, is_known) WHERE u.is_known AND u.key = ANY(pending));
    IF cardinality(pending) > 0 THEN
        PERFORM pass_labels_on(pending, link_salt, lock_salt);
    END IF;
END
$$;
