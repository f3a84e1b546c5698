//! The one decision.

use crate::caller::{Hospital, Policy, Rights, Role, Token};
use crate::purpose::Purposes;
use crate::scope::{Level, Operations, Scope};
use crate::{Agent, Caller, HospitalId, Operation, Wish};
use std::sync::Arc;

/// Proof that a caller may do what it wished, and within which restriction. Only `decide` makes one.
#[derive(Clone, Debug)]
pub struct Grant {
    hospital: Option<HospitalId>,
    restriction: Restriction,
    agent: Arc<Agent>,
    purposes: Purposes,
}

impl Grant {
    pub fn agent(&self) -> &Arc<Agent> {
        &self.agent
    }

    pub fn purposes(&self) -> Purposes {
        self.purposes
    }

    /// Whether some resources of the type may be searched for: conditional changes look before they write.
    pub fn may_search(&self, resource: &str) -> bool {
        self.may(Operations::SEARCH, resource)
    }

    /// Whether some resources of the type may be read.
    pub fn may_read(&self, resource: &str) -> bool {
        self.may(Operations::READ, resource)
    }

    /// Of which patients the trail may be read; None is of all.
    pub fn trail_of(&self) -> Option<Vec<&str>> {
        match &self.restriction {
            Restriction::Everything => None,
            Restriction::Bounded(bounds) => {
                let ways = bounds.ways(TRAIL);
                let is_all = ways.iter().any(|way| way.patient.is_none());
                (!is_all).then(|| ways.iter().filter_map(|way| way.patient).collect())
            }
        }
    }

    fn may(&self, operation: Operations, resource: &str) -> bool {
        match &self.restriction {
            Restriction::Everything => true,
            Restriction::Bounded(bounds) => !bounds.ways_for(operation, resource).is_empty(),
        }
    }

    /// The custodian of what is written under this grant.
    pub fn hospital(&self) -> Option<HospitalId> {
        self.hospital
    }

    pub fn restriction(&self) -> &Restriction {
        &self.restriction
    }

    /// Whose records it can open at all, whatever is asked.
    pub fn reads(&self) -> Reads<'_> {
        match &self.restriction {
            Restriction::Everything => Reads::Everything,
            Restriction::Bounded(bounds) => bounds.reads(),
        }
    }

    /// Whether the caller may change what this hospital is the custodian of.
    pub fn may_change(&self, custodian: HospitalId) -> bool {
        Some(custodian) == self.hospital
    }

    /// For resources that come with what was asked for: what may be read, not what may be searched for.
    #[must_use]
    pub fn for_reading(&self) -> Grant {
        self.narrowed(|bounds| bounds.operation = Operations::READ)
    }

    /// For references by criteria: what the caller may search for.
    #[must_use]
    pub fn for_search(&self) -> Grant {
        self.narrowed(|bounds| bounds.operation = Operations::SEARCH)
    }

    /// For criteria of a change: they match what the caller may search for and its hospital is the custodian of.
    #[must_use]
    pub fn for_criteria(&self) -> Grant {
        self.narrowed(|bounds| {
            bounds.operation = Operations::SEARCH;
            bounds.is_own_only = true;
        })
    }

    fn narrowed(&self, narrow: impl Fn(&mut Bounds)) -> Grant {
        let restriction = match &self.restriction {
            Restriction::Everything => Restriction::Everything,
            Restriction::Bounded(bounds) => {
                let mut bounds = bounds.clone();
                narrow(&mut bounds);
                Restriction::Bounded(bounds)
            }
        };
        Grant { restriction, ..self.clone() }
    }

    /// The patient whose own record it is, if the caller is one: with no hospital that it speaks for.
    pub fn own_patient(&self) -> Option<&str> {
        match &self.restriction {
            Restriction::Everything => None,
            Restriction::Bounded(bounds) => match bounds.token.hospital {
                None => bounds.token.patient.as_deref(),
                Some(_) => None,
            },
        }
    }

    /// What is left of a patient's own record for a hospital that treats the patient: the same ways, and the wall before them.
    pub fn seen_by(&self, hospital: HospitalId) -> Option<Grant> {
        self.own_patient()?;
        let Restriction::Bounded(bounds) = &self.restriction else { return None };
        let token = Token {
            hospital: Some(Hospital { id: hospital, prefix: String::new() }),
            purposes: Purposes::parse("TREAT")?,
            roles: Vec::new(),
            opened: Vec::new(),
            is_treating: true,
            ..Token::clone(&bounds.token)
        };
        let bounds =
            Bounds { token: Arc::new(token), operation: Operations::SEARCH, is_own_only: false };
        Some(Grant { restriction: Restriction::Bounded(bounds), ..self.clone() })
    }

    /// What an id has to begin with that this caller chooses; None where any will do.
    pub fn id_prefix(&self) -> Option<&str> {
        match &self.restriction {
            Restriction::Everything => None,
            Restriction::Bounded(bounds) => {
                Some(bounds.token.hospital.as_ref().map_or("", |hospital| &hospital.prefix))
            }
        }
    }
}

/// What part of the record a grant opens. Matched exhaustively wherever rows are chosen.
#[derive(Clone, Debug)]
pub enum Restriction {
    Everything,
    Bounded(Bounds),
}

/// Whose records.
#[derive(Clone, Copy, Debug)]
pub enum Reads<'a> {
    Everything,
    /// Its own, and what is behind the wall.
    Hospital(Wall<'a>),
    /// The own one, by the id of the patient.
    Patient(&'a str),
    Nothing,
}

/// What a token opens, for one kind of use.
#[derive(Clone, Debug)]
pub struct Bounds {
    token: Arc<Token>,
    operation: Operations,
    is_own_only: bool,
}

/// One of the ways in which resources of a type are open; each has to hold as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way<'a> {
    /// Only what is in the compartment of this patient.
    pub patient: Option<&'a str>,
    /// Search parameters that have to hold.
    pub constraints: &'a [(String, String)],
}

/// The type of what the trail is read as.
const TRAIL: &str = "AuditEvent";

/// Directories, terminology and definitions: nothing in them is about a patient.
const PUBLIC: [&str; 46] = [
    "ActivityDefinition",
    "CapabilityStatement",
    "CatalogEntry",
    "ChargeItemDefinition",
    "CodeSystem",
    "CompartmentDefinition",
    "ConceptMap",
    "DeviceDefinition",
    "EffectEvidenceSynthesis",
    "Endpoint",
    "EventDefinition",
    "Evidence",
    "EvidenceVariable",
    "ExampleScenario",
    "GraphDefinition",
    "HealthcareService",
    "ImplementationGuide",
    "InsurancePlan",
    "Library",
    "Location",
    "Measure",
    "Medication",
    "MedicationKnowledge",
    "MessageDefinition",
    "NamingSystem",
    "ObservationDefinition",
    "OperationDefinition",
    "Organization",
    "OrganizationAffiliation",
    "PlanDefinition",
    "Practitioner",
    "PractitionerRole",
    "Questionnaire",
    "ResearchDefinition",
    "ResearchElementDefinition",
    "RiskEvidenceSynthesis",
    "Schedule",
    "SearchParameter",
    "Slot",
    "SpecimenDefinition",
    "StructureDefinition",
    "StructureMap",
    "Substance",
    "TerminologyCapabilities",
    "TestScript",
    "ValueSet",
];

/// Whether resources of the type are about no patient, and are every hospital's to read.
pub fn is_public(resource: &str) -> bool {
    PUBLIC.binary_search(&resource).is_ok()
}

impl Bounds {
    /// The ways in which resources of the type are open; none where there is no right to the type.
    pub fn ways(&self, resource: &str) -> Vec<Way<'_>> {
        self.ways_for(self.operation, resource)
    }

    /// The same of arms that a search goes through: chains and `_has` look for what they go through.
    pub fn ways_through(&self, resource: &str) -> Vec<Way<'_>> {
        self.ways_for(Operations::SEARCH, resource)
    }

    fn ways_for(&self, operation: Operations, resource: &str) -> Vec<Way<'_>> {
        let scopes = self.token.scopes.iter();
        let scopes =
            scopes.filter(|scope| scope.operations.has(operation) && scope.is_of(resource));
        let mut ways: Vec<Way<'_>> = Vec::new();
        for way in scopes.filter_map(|scope| self.way(scope, resource)) {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        // What is open as a whole is not asked for its parts.
        match ways.iter().find(|way| way.is_whole()) {
            Some(whole) => vec![*whole],
            None => ways,
        }
    }

    fn way<'a>(&'a self, scope: &'a Scope, resource: &str) -> Option<Way<'a>> {
        let constraints = &scope.constraints;
        if resource == TRAIL {
            return self.way_to_the_trail(scope);
        }
        match scope.level {
            Level::Patient => {
                let patient = self.token.patient.as_deref()?;
                let patient = (!is_public(resource)).then_some(patient);
                Some(Way { patient, constraints })
            }
            // Who speaks for no hospital has no right of its own that could be delegated.
            Level::User | Level::System => {
                self.token.hospital.as_ref().map(|_| Way { patient: None, constraints })
            }
        }
    }

    /// Auditors read all of it, and patients what is about them; no hospital does.
    fn way_to_the_trail<'a>(&'a self, scope: &'a Scope) -> Option<Way<'a>> {
        if !scope.constraints.is_empty() {
            return None;
        }
        match scope.level {
            Level::Patient if self.token.hospital.is_none() => {
                Some(Way { patient: Some(self.token.patient.as_deref()?), constraints: &[] })
            }
            Level::Patient => None,
            Level::User | Level::System => self
                .token
                .roles
                .contains(&Role::Auditor)
                .then_some(Way { patient: None, constraints: &[] }),
        }
    }

    /// The wall between hospitals, where resources of the type have one to pass: a patient who reads the own record has none.
    pub fn wall(&self, resource: &str) -> Option<Wall<'_>> {
        if is_public(resource) && !self.is_own_only {
            return None;
        }
        self.any_wall()
    }

    fn any_wall(&self) -> Option<Wall<'_>> {
        let hospital = self.token.hospital.as_ref()?;
        Some(Wall { hospital: hospital.id, is_own_only: self.is_own_only, token: &self.token })
    }

    fn reads(&self) -> Reads<'_> {
        match (self.any_wall(), &self.token.patient) {
            (Some(wall), _) => Reads::Hospital(wall),
            (None, Some(patient)) => Reads::Patient(patient),
            (None, None) => Reads::Nothing,
        }
    }

    /// Whether old versions may be looked at: of those only custodian, patient and labels are indexed.
    pub fn is_constrained(&self, resource: &str) -> bool {
        self.ways(resource).iter().any(|way| !way.constraints.is_empty())
    }
}

impl Way<'_> {
    fn is_whole(&self) -> bool {
        self.patient.is_none() && self.constraints.is_empty()
    }
}

/// A hospital's own record is open to it; another's by care, consent and sensitivity.
#[derive(Clone, Copy, Debug)]
pub struct Wall<'a> {
    pub hospital: HospitalId,
    pub is_own_only: bool,
    token: &'a Token,
}

impl Wall<'_> {
    pub fn now_micros(&self) -> i64 {
        self.token.now_micros
    }

    /// Whether the record of a patient without a consent is open, as far as nothing in it is sensitive.
    pub fn is_open_without_consent(&self) -> bool {
        match self.token.policy {
            Policy::BasicNormal => self.token.purposes.meets(Purposes::TREATMENT),
            Policy::AllNormal => !self.token.purposes.is_empty(),
            Policy::BreakGlassOnly | Policy::Deny => false,
        }
    }

    pub fn purposes(&self) -> Purposes {
        self.token.purposes
    }

    /// Whether care is taken for granted.
    pub fn is_treating(&self) -> bool {
        self.token.is_treating
    }

    /// Hospitals whose records nobody else sees any more.
    pub fn withdrawn(&self) -> &[i32] {
        &self.token.withdrawn
    }

    /// Patients to whom the glass was broken.
    pub fn opened(&self) -> &[String] {
        &self.token.opened
    }
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// With a scope that would do.
    #[error("no scope of the token permits this; {0} would")]
    Scope(String),
    #[error("this is for {0}")]
    Role(&'static str),
    /// The person has to show a second factor.
    #[error("this needs a login with a second factor (acr 2)")]
    Assurance,
    #[error("the token does not say that it is an emergency: purpose of use BTG or ETREAT")]
    Purpose,
    #[error("the policy of this server opens no record in an emergency")]
    Policy,
    #[error("the token speaks for no hospital, and only hospitals write")]
    NoHospital,
}

pub fn decide(caller: &Caller, wish: &Wish) -> Result<Grant, Denied> {
    let token = match &caller.rights {
        Rights::Local(hospital) => {
            return Ok(Grant {
                hospital: Some(*hospital),
                restriction: Restriction::Everything,
                agent: Arc::clone(caller.agent()),
                purposes: Purposes::default(),
            });
        }
        Rights::Token(token) => token,
    };
    let operation = wish.operations();
    let bounds = Bounds {
        token: Arc::clone(token),
        operation: operation.unwrap_or_default(),
        is_own_only: false,
    };
    match wish.operation {
        Some(Operation::Reindex) if !caller.has_role(Role::Operator) => {
            return Err(Denied::Role("those who run the server"));
        }
        Some(Operation::Openings | Operation::Review | Operation::ConsentReview)
            if !caller.has_role(Role::Auditor) =>
        {
            return Err(Denied::Role("auditors"));
        }
        Some(Operation::BreakGlass) => may_break_the_glass(token)?,
        _ => {}
    }
    // What is told of a patient's trail takes the right to the trail.
    let resource = match wish.operation {
        Some(Operation::AccessLog | Operation::Disclosures) => Some(TRAIL),
        _ => wish.resource,
    };
    if let Some(operation) = operation {
        let is_open = match resource {
            Some(resource) => !bounds.ways(resource).is_empty(),
            None => token.scopes.iter().any(|scope| {
                scope.operations.has(operation) && bounds.way(scope, "Patient").is_some()
            }),
        };
        if !is_open {
            let kind = resource.unwrap_or("*");
            return Err(Denied::Scope(format!("{}/{kind}.{operation}", level(token))));
        }
        let is_write = operation != Operations::READ && operation != Operations::SEARCH;
        if is_write && token.hospital.is_none() {
            return Err(Denied::NoHospital);
        }
    }
    let hospital = caller.hospital();
    Ok(Grant {
        hospital,
        restriction: Restriction::Bounded(bounds),
        agent: Arc::clone(caller.agent()),
        purposes: token.purposes,
    })
}

/// Who may open a record in an emergency.
fn may_break_the_glass(token: &Token) -> Result<(), Denied> {
    if token.policy == Policy::Deny {
        return Err(Denied::Policy);
    }
    if token.hospital.is_none() || !token.roles.contains(&Role::Emergency) {
        return Err(Denied::Role("those whom a hospital authorised for emergencies"));
    }
    if !token.purposes.meets(Purposes::EMERGENCY) {
        return Err(Denied::Purpose);
    }
    if token.assurance < 2 {
        return Err(Denied::Assurance);
    }
    Ok(())
}

/// The level that a caller like this asks for.
fn level(token: &Token) -> &'static str {
    match (&token.hospital, &token.patient) {
        (None, _) | (_, Some(_)) => "patient",
        (Some(_), None) => "user",
    }
}

#[cfg(test)]
mod tests {
    use super::{Denied, Grant, PUBLIC, Restriction, decide};
    use crate::caller::{Agent, Hospital, Token};
    use crate::scope::parse_all;
    use crate::{Caller, HospitalId, Interaction, Wish};

    fn caller(scopes: &str, hospital: Option<i32>, patient: Option<&str>) -> Caller {
        let hospital = hospital.map(|id| Hospital { id: HospitalId(id), prefix: "h-".to_owned() });
        let patient = patient.map(str::to_owned);
        let token = Token { hospital, patient, scopes: parse_all(scopes), ..Token::default() };
        Caller::of_token(token, Agent::default())
    }

    fn wish(interaction: Interaction, resource: &'static str) -> Wish {
        Wish::new(interaction, Some(resource))
    }

    fn ways(grant: &Grant, resource: &str) -> usize {
        match grant.restriction() {
            Restriction::Everything => usize::MAX,
            Restriction::Bounded(bounds) => bounds.ways(resource).len(),
        }
    }

    #[test]
    fn what_is_public_is_in_order() {
        assert!(PUBLIC.is_sorted());
        assert!(PUBLIC.iter().all(|name| schema::resource::find(name).is_some()));
    }

    #[test]
    fn a_local_caller_may_change_only_what_its_hospital_keeps() {
        let caller = Caller::local(HospitalId(3));
        let grant = decide(&caller, &wish(Interaction::Update, "Patient")).unwrap();
        assert!(matches!(grant.restriction(), Restriction::Everything));
        assert!(grant.may_change(HospitalId(3)));
        assert!(!grant.may_change(HospitalId(4)));
    }

    #[test]
    fn scope_03_writing_is_not_reading() {
        let caller = caller("user/Patient.c", Some(1), None);
        assert!(decide(&caller, &wish(Interaction::Create, "Patient")).is_ok());
        for interaction in [Interaction::Read, Interaction::Search, Interaction::Update] {
            assert!(decide(&caller, &wish(interaction, "Patient")).is_err(), "{interaction:?}");
        }
    }

    #[test]
    fn scope_06_histories_of_types_need_search() {
        let reader = caller("user/Patient.r", Some(1), None);
        assert!(decide(&reader, &wish(Interaction::HistoryInstance, "Patient")).is_ok());
        assert!(decide(&reader, &wish(Interaction::HistoryType, "Patient")).is_err());
        let searcher = caller("user/Patient.s", Some(1), None);
        assert!(decide(&searcher, &wish(Interaction::HistoryInstance, "Patient")).is_err());
        assert!(decide(&searcher, &wish(Interaction::HistoryType, "Patient")).is_ok());
        assert!(decide(&searcher, &Wish::new(Interaction::HistorySystem, None)).is_ok());
    }

    #[test]
    fn scope_08_a_patient_scope_needs_its_patient() {
        let without = caller("patient/*.rs", None, None);
        let denied = decide(&without, &wish(Interaction::Search, "Observation")).unwrap_err();
        assert_eq!(denied, Denied::Scope("patient/Observation.s".to_owned()));
        let with = caller("patient/*.rs", None, Some("p"));
        let grant = decide(&with, &wish(Interaction::Search, "Observation")).unwrap();
        assert_eq!(ways(&grant, "Observation"), 1);
        assert_eq!(ways(&grant, "AuditEvent"), 0);
    }

    #[test]
    fn a_right_without_a_hospital_is_nobodys() {
        let nobody = caller("user/*.cruds system/*.cruds", None, Some("p"));
        assert!(decide(&nobody, &wish(Interaction::Search, "Observation")).is_err());
        let patient = caller("patient/*.cruds", None, Some("p"));
        let denied = decide(&patient, &wish(Interaction::Create, "Observation")).unwrap_err();
        assert_eq!(denied, Denied::NoHospital);
    }

    #[test]
    fn a_scope_without_a_constraint_makes_others_of_no_matter() {
        let both = caller("user/Observation.rs?category=a user/Observation.rs", Some(1), None);
        let grant = decide(&both, &wish(Interaction::Search, "Observation")).unwrap();
        assert_eq!(ways(&grant, "Observation"), 1);
        let two =
            caller("user/Observation.rs?category=a user/Observation.rs?category=b", Some(1), None);
        let grant = decide(&two, &wish(Interaction::Search, "Observation")).unwrap();
        assert_eq!(ways(&grant, "Observation"), 2);
    }
}
