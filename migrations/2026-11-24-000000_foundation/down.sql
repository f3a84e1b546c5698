DROP TABLE IF EXISTS idempotency;

DROP TABLE IF EXISTS audit_record;

DROP TABLE IF EXISTS history;

DROP FUNCTION IF EXISTS is_seen(xid, pg_snapshot);

DROP TABLE IF EXISTS reindex_progress;

DROP TABLE IF EXISTS reference_entry;

DROP TABLE IF EXISTS range_entry;

DROP TABLE IF EXISTS concept_text;
DROP TABLE IF EXISTS custom_parameter;
DROP FUNCTION IF EXISTS hold_index_epoch;
DROP TABLE IF EXISTS index_epoch;
DROP TABLE IF EXISTS string_entry;

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
        EXECUTE format('DROP TABLE IF EXISTS %I', name);
    END LOOP;
END $$;

DROP TABLE IF EXISTS dictionary;

DROP TABLE IF EXISTS secret;

DROP TABLE IF EXISTS hospital;
