//! The resource tables: one a FHIR resource type, all of one shape, reached only through `search::Sql` and `store`.
//!
//! A column list in migrations/; why one row a resource in docs/decisions.

/// Where resources of one type are stored.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// What `history.type` and `audit_record.type` hold; never reused, never renumbered.
    pub code: i16,
    /// The resource type: `Patient`.
    pub resource: &'static str,
    /// As SQL text, quoted where PostgreSQL asks for it.
    pub name: &'static str,
}

const fn table(code: i16, resource: &'static str, name: &'static str) -> Table {
    Table { code, resource, name }
}

/// The table of a resource type; `Parameters` has none, as it has no endpoint in FHIR.
pub fn find(resource: &str) -> Option<&'static Table> {
    let place = TABLES.binary_search_by(|table| table.resource.cmp(resource)).ok()?;
    TABLES.get(place)
}

/// The SQL name of the table of a resource type.
pub fn table_name(resource: &str) -> Option<&'static str> {
    find(resource).map(|table| table.name)
}

/// The table behind a stored type code.
pub fn by_code(code: i16) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.code == code)
}

/// In alphabetical order of the resource type.
pub static TABLES: [Table; 145] = [
    table(1, "Account", "account"),
    table(2, "ActivityDefinition", "activity_definition"),
    table(3, "AdverseEvent", "adverse_event"),
    table(4, "AllergyIntolerance", "allergy_intolerance"),
    table(5, "Appointment", "appointment"),
    table(6, "AppointmentResponse", "appointment_response"),
    table(7, "AuditEvent", "audit_event"),
    table(8, "Basic", "basic"),
    table(9, "Binary", "\"binary\""),
    table(10, "BiologicallyDerivedProduct", "biologically_derived_product"),
    table(11, "BodyStructure", "body_structure"),
    table(12, "Bundle", "bundle"),
    table(13, "CapabilityStatement", "capability_statement"),
    table(14, "CarePlan", "care_plan"),
    table(15, "CareTeam", "care_team"),
    table(16, "CatalogEntry", "catalog_entry"),
    table(17, "ChargeItem", "charge_item"),
    table(18, "ChargeItemDefinition", "charge_item_definition"),
    table(19, "Claim", "claim"),
    table(20, "ClaimResponse", "claim_response"),
    table(21, "ClinicalImpression", "clinical_impression"),
    table(22, "CodeSystem", "code_system"),
    table(23, "Communication", "communication"),
    table(24, "CommunicationRequest", "communication_request"),
    table(25, "CompartmentDefinition", "compartment_definition"),
    table(26, "Composition", "composition"),
    table(27, "ConceptMap", "concept_map"),
    table(28, "Condition", "condition"),
    table(29, "Consent", "consent"),
    table(30, "Contract", "contract"),
    table(31, "Coverage", "coverage"),
    table(32, "CoverageEligibilityRequest", "coverage_eligibility_request"),
    table(33, "CoverageEligibilityResponse", "coverage_eligibility_response"),
    table(34, "DetectedIssue", "detected_issue"),
    table(35, "Device", "device"),
    table(36, "DeviceDefinition", "device_definition"),
    table(37, "DeviceMetric", "device_metric"),
    table(38, "DeviceRequest", "device_request"),
    table(39, "DeviceUseStatement", "device_use_statement"),
    table(40, "DiagnosticReport", "diagnostic_report"),
    table(41, "DocumentManifest", "document_manifest"),
    table(42, "DocumentReference", "document_reference"),
    table(43, "EffectEvidenceSynthesis", "effect_evidence_synthesis"),
    table(44, "Encounter", "encounter"),
    table(45, "Endpoint", "endpoint"),
    table(46, "EnrollmentRequest", "enrollment_request"),
    table(47, "EnrollmentResponse", "enrollment_response"),
    table(48, "EpisodeOfCare", "episode_of_care"),
    table(49, "EventDefinition", "event_definition"),
    table(50, "Evidence", "evidence"),
    table(51, "EvidenceVariable", "evidence_variable"),
    table(52, "ExampleScenario", "example_scenario"),
    table(53, "ExplanationOfBenefit", "explanation_of_benefit"),
    table(54, "FamilyMemberHistory", "family_member_history"),
    table(55, "Flag", "flag"),
    table(56, "Goal", "goal"),
    table(57, "GraphDefinition", "graph_definition"),
    table(58, "Group", "\"group\""),
    table(59, "GuidanceResponse", "guidance_response"),
    table(60, "HealthcareService", "healthcare_service"),
    table(61, "ImagingStudy", "imaging_study"),
    table(62, "Immunization", "immunization"),
    table(63, "ImmunizationEvaluation", "immunization_evaluation"),
    table(64, "ImmunizationRecommendation", "immunization_recommendation"),
    table(65, "ImplementationGuide", "implementation_guide"),
    table(66, "InsurancePlan", "insurance_plan"),
    table(67, "Invoice", "invoice"),
    table(68, "Library", "library"),
    table(69, "Linkage", "linkage"),
    table(70, "List", "list"),
    table(71, "Location", "location"),
    table(72, "Measure", "measure"),
    table(73, "MeasureReport", "measure_report"),
    table(74, "Media", "media"),
    table(75, "Medication", "medication"),
    table(76, "MedicationAdministration", "medication_administration"),
    table(77, "MedicationDispense", "medication_dispense"),
    table(78, "MedicationKnowledge", "medication_knowledge"),
    table(79, "MedicationRequest", "medication_request"),
    table(80, "MedicationStatement", "medication_statement"),
    table(81, "MedicinalProduct", "medicinal_product"),
    table(82, "MedicinalProductAuthorization", "medicinal_product_authorization"),
    table(83, "MedicinalProductContraindication", "medicinal_product_contraindication"),
    table(84, "MedicinalProductIndication", "medicinal_product_indication"),
    table(85, "MedicinalProductIngredient", "medicinal_product_ingredient"),
    table(86, "MedicinalProductInteraction", "medicinal_product_interaction"),
    table(87, "MedicinalProductManufactured", "medicinal_product_manufactured"),
    table(88, "MedicinalProductPackaged", "medicinal_product_packaged"),
    table(89, "MedicinalProductPharmaceutical", "medicinal_product_pharmaceutical"),
    table(90, "MedicinalProductUndesirableEffect", "medicinal_product_undesirable_effect"),
    table(91, "MessageDefinition", "message_definition"),
    table(92, "MessageHeader", "message_header"),
    table(93, "MolecularSequence", "molecular_sequence"),
    table(94, "NamingSystem", "naming_system"),
    table(95, "NutritionOrder", "nutrition_order"),
    table(96, "Observation", "observation"),
    table(97, "ObservationDefinition", "observation_definition"),
    table(98, "OperationDefinition", "operation_definition"),
    table(99, "OperationOutcome", "operation_outcome"),
    table(100, "Organization", "organization"),
    table(101, "OrganizationAffiliation", "organization_affiliation"),
    table(102, "Patient", "patient"),
    table(103, "PaymentNotice", "payment_notice"),
    table(104, "PaymentReconciliation", "payment_reconciliation"),
    table(105, "Person", "person"),
    table(106, "PlanDefinition", "plan_definition"),
    table(107, "Practitioner", "practitioner"),
    table(108, "PractitionerRole", "practitioner_role"),
    table(109, "Procedure", "procedure"),
    table(110, "Provenance", "provenance"),
    table(111, "Questionnaire", "questionnaire"),
    table(112, "QuestionnaireResponse", "questionnaire_response"),
    table(113, "RelatedPerson", "related_person"),
    table(114, "RequestGroup", "request_group"),
    table(115, "ResearchDefinition", "research_definition"),
    table(116, "ResearchElementDefinition", "research_element_definition"),
    table(117, "ResearchStudy", "research_study"),
    table(118, "ResearchSubject", "research_subject"),
    table(119, "RiskAssessment", "risk_assessment"),
    table(120, "RiskEvidenceSynthesis", "risk_evidence_synthesis"),
    table(121, "Schedule", "schedule"),
    table(122, "SearchParameter", "search_parameter"),
    table(123, "ServiceRequest", "service_request"),
    table(124, "Slot", "slot"),
    table(125, "Specimen", "specimen"),
    table(126, "SpecimenDefinition", "specimen_definition"),
    table(127, "StructureDefinition", "structure_definition"),
    table(128, "StructureMap", "structure_map"),
    table(129, "Subscription", "subscription"),
    table(130, "Substance", "substance"),
    table(131, "SubstanceNucleicAcid", "substance_nucleic_acid"),
    table(132, "SubstancePolymer", "substance_polymer"),
    table(133, "SubstanceProtein", "substance_protein"),
    table(134, "SubstanceReferenceInformation", "substance_reference_information"),
    table(135, "SubstanceSourceMaterial", "substance_source_material"),
    table(136, "SubstanceSpecification", "substance_specification"),
    table(137, "SupplyDelivery", "supply_delivery"),
    table(138, "SupplyRequest", "supply_request"),
    table(139, "Task", "task"),
    table(140, "TerminologyCapabilities", "terminology_capabilities"),
    table(141, "TestReport", "test_report"),
    table(142, "TestScript", "test_script"),
    table(143, "ValueSet", "value_set"),
    table(144, "VerificationResult", "verification_result"),
    table(145, "VisionPrescription", "vision_prescription"),
];

#[cfg(test)]
mod tests {
    use super::{TABLES, by_code, find};

    #[test]
    fn every_table_is_found_by_type_and_by_code() {
        for table in &TABLES {
            assert_eq!(find(table.resource), Some(table));
            assert_eq!(by_code(table.code), Some(table));
        }
        assert!(find("Parameters").is_none());
    }
}
