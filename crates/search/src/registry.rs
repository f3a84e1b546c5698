//! Which parameters a type has, compiled once.

use crate::key::salt;
use crate::parameter::token;
use crate::path::{Path, Program, compile};
use fhir::definitions::{ParameterKind, SearchParameter, r4};
use schema::resource::TABLES;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A search parameter of one resource type.
#[derive(Debug)]
pub struct Parameter {
    pub code: &'static str,
    pub kind: ParameterKind,
    pub resource: &'static str,
    pub targets: Vec<&'static str>,
    pub program: Program,
    pub salt: i64,
    /// Whether its values are kept in the column `filters` (common ones, never indexed) rather than in `tokens`.
    pub is_dominant: bool,
    /// Whether its references to a Patient are kept in the column `patient`.
    pub is_patient: bool,
}

/// A type's parameters, by code.
pub struct Parameters {
    pub all: Vec<Parameter>,
    /// The line to the one patient the resource is about, where it can have only one.
    pub patient: Option<Path>,
}

static REGISTRY: LazyLock<HashMap<&'static str, Parameters>> = LazyLock::new(|| {
    let parsed: Vec<(&'static SearchParameter, Option<fhir::path::Expression>)> = r4()
        .search_parameters()
        .iter()
        .map(|parameter| (parameter, fhir::path::parse(parameter.expression).ok()))
        .collect();
    TABLES.iter().map(|table| (table.resource, of_type(table.resource, &parsed))).collect()
});

fn of_type(
    resource: &'static str,
    parsed: &[(&'static SearchParameter, Option<fhir::path::Expression>)],
) -> Parameters {
    let mut all: Vec<Parameter> = parsed
        .iter()
        .filter(|(parameter, _)| parameter.bases.iter().any(|base| r4().is_a(resource, base)))
        .filter_map(|(parameter, expression)| {
            let program = compile(expression.as_ref()?.term(), resource)?;
            Some(Parameter {
                code: parameter.code,
                kind: parameter.kind,
                resource,
                targets: parameter.targets.clone(),
                salt: salt(resource, parameter.code),
                is_dominant: token::is_dominant(parameter.code, &program),
                is_patient: false,
                program,
            })
        })
        .collect();
    all.sort_by_key(|parameter| parameter.code);
    let patient = ["patient", "subject"].iter().find_map(|code| patient_path(&all, code));
    if let Some(patient) = &patient {
        for parameter in
            all.iter_mut().filter(|parameter| parameter.kind == ParameterKind::Reference)
        {
            let paths = parameter.program.paths();
            parameter.is_patient =
                paths.len() == 1 && paths.iter().all(|path| path.hops == patient.hops);
        }
    }
    Parameters { all, patient }
}

fn patient_path(all: &[Parameter], code: &str) -> Option<Path> {
    let parameter = all.iter().find(|parameter| parameter.code == code)?;
    match parameter.program.paths() {
        [only] if !only.repeats && parameter.targets.contains(&"Patient") => Some(only.clone()),
        _ => None,
    }
}

/// All parameters of a type, those that cannot be searched yet included.
pub fn parameters(resource: &str) -> Option<&'static Parameters> {
    REGISTRY.get(resource)
}

pub fn find(resource: &str, code: &str) -> Option<&'static Parameter> {
    let all = &parameters(resource)?.all;
    all.binary_search_by(|parameter| parameter.code.cmp(code)).ok().and_then(|place| all.get(place))
}

/// The parameters of a type that a search may use.
pub fn supported(resource: &str) -> impl Iterator<Item = &'static Parameter> {
    parameters(resource)
        .into_iter()
        .flat_map(|parameters| &parameters.all)
        .filter(|parameter| parameter.is_supported())
}

impl Parameter {
    pub fn is_supported(&self) -> bool {
        match self.kind {
            ParameterKind::Token
            | ParameterKind::Reference
            | ParameterKind::Uri
            | ParameterKind::String => true,
            ParameterKind::Date => self.code == "_lastUpdated",
            ParameterKind::Number
            | ParameterKind::Quantity
            | ParameterKind::Composite
            | ParameterKind::Special => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{find, parameters, supported};
    use crate::path::compile;
    use fhir::definitions::r4;
    use schema::resource::TABLES;

    #[test]
    fn every_expression_of_the_standard_compiles() {
        let mut without_expression = 0;
        for parameter in r4().search_parameters() {
            if parameter.expression.is_empty() {
                without_expression += 1;
                continue;
            }
            let expression = fhir::path::parse(parameter.expression).unwrap();
            let mut reached = false;
            for table in &TABLES {
                if parameter.bases.iter().any(|base| r4().is_a(table.resource, base)) {
                    let program = compile(expression.term(), table.resource);
                    let program = program
                        .unwrap_or_else(|| panic!("{}: {}", parameter.id, parameter.expression));
                    assert!(
                        !program.paths().is_empty(),
                        "{} reaches nothing in {}: {}",
                        parameter.id,
                        table.resource,
                        parameter.expression
                    );
                    reached = true;
                }
            }
            assert!(reached || parameter.bases.contains(&"Parameters"), "{}", parameter.id);
        }
        assert_eq!(without_expression, 3);
    }

    #[test]
    fn the_one_patient_of_a_type_has_a_column() {
        for (resource, code, expected) in [
            ("Observation", "patient", true),
            ("Observation", "subject", true),
            ("Encounter", "patient", true),
            ("AllergyIntolerance", "patient", true),
            ("Appointment", "patient", false),
            ("Observation", "performer", false),
        ] {
            assert_eq!(find(resource, code).unwrap().is_patient, expected, "{resource}.{code}");
        }
        assert!(parameters("Patient").unwrap().patient.is_none());
    }

    #[test]
    fn what_can_be_searched_is_known() {
        let patient: Vec<&str> = supported("Patient").map(|parameter| parameter.code).collect();
        assert!(patient.contains(&"identifier") && patient.contains(&"_lastUpdated"));
        assert!(!patient.contains(&"birthdate"));
    }
}
