//! A city to try things on: its hospitals and its patients as FHIR resources. The same seed and numbers are the same city, everywhere.
//!
//! A patient is made from the seed and their number alone, so memory does not grow with the city.

mod bundle;
mod calendar;
mod dice;
mod disease;
mod hospital;
mod imaging;
mod institution;
mod laboratory;
mod life;
mod name;
mod person;
mod place;
mod resident;
mod term;
mod visit;
mod vital;

use dice::Dice;
use hospital::Hospital;
use person::Person;
use serde_json::Value;
use std::ops::RangeInclusive;

/// Ids of hospitals have three digits.
pub const HOSPITALS_MAX: u32 = 999;

pub struct City {
    seed: u64,
    hospitals: Vec<Hospital>,
    /// The place of each hospital, as often as it weighs.
    by_weight: Vec<usize>,
    weight: u32,
}

impl City {
    /// A city with at least one hospital and no more than [`HOSPITALS_MAX`].
    pub fn new(seed: u64, hospitals: u32) -> City {
        let numbers = 1..=hospitals.clamp(1, HOSPITALS_MAX);
        let hospitals: Vec<Hospital> =
            numbers.filter_map(|number| Hospital::new(seed, number)).collect();
        let mut by_weight = Vec::new();
        for (place, hospital) in hospitals.iter().enumerate() {
            by_weight.extend((0..hospital.weight).map(|_| place));
        }
        let weight = u32::try_from(by_weight.len()).unwrap_or(u32::MAX);
        City { seed, hospitals, by_weight, weight }
    }

    /// A hospital at a time: organizations, locations, practitioners, services, schedules, slots, endpoints.
    pub fn institutions(&self) -> impl Iterator<Item = Vec<Value>> {
        self.hospitals.iter().map(|hospital| institution::resources(self.seed, hospital))
    }

    /// What belongs together at a time: first what is known of a person, then each of their visits.
    pub fn patients(&self, numbers: RangeInclusive<u32>) -> impl Iterator<Item = Vec<Value>> {
        numbers.flat_map(|number| {
            let mut dice = Dice::new(self.seed, 3, u64::from(number));
            let person = Person::roll(self, number, &mut dice);
            let mut groups = vec![life::resources(&person, &mut dice)];
            groups.extend(visit::groups(&person, &mut dice));
            groups
        })
    }

    /// The whole city with the patients 1 to this many, what is referred to before what refers to it.
    pub fn groups(&self, patients: u32) -> impl Iterator<Item = Vec<Value>> {
        self.institutions().chain(self.patients(1..=patients))
    }
}

/// A transaction that puts the resources where their ids say: sent again it changes nothing.
pub fn bundle(resources: Vec<Value>) -> Value {
    bundle::transaction(resources)
}

#[cfg(test)]
mod tests {
    use super::{City, bundle};
    use fhir::outcome::Severity;
    use fhir::references::{Kind, visit};
    use serde_json::Value;
    use std::collections::{BTreeMap, HashSet};

    fn resources(seed: u64, hospitals: u32, patients: u32) -> Vec<Value> {
        City::new(seed, hospitals).groups(patients).flatten().collect()
    }

    fn name(resource: &Value) -> String {
        format!(
            "{}/{}",
            resource["resourceType"].as_str().unwrap(),
            resource["id"].as_str().unwrap()
        )
    }

    #[test]
    fn every_resource_is_valid() {
        let mut wrong = BTreeMap::new();
        for resource in resources(1, 6, 40) {
            for issue in fhir::validate::resource(&resource) {
                if issue.severity != Severity::Information {
                    let place = issue.expression.unwrap_or_default();
                    wrong.entry(format!("{place}: {}", issue.text)).or_insert(name(&resource));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn what_is_referred_to_is_there_and_comes_no_later_than_its_group() {
        for hospitals in [1, 6, 20] {
            let mut known = HashSet::new();
            for group in City::new(3, hospitals).groups(60) {
                for resource in &group {
                    assert!(known.insert(name(resource)), "{} is there twice", name(resource));
                }
                for resource in &group {
                    visit(resource, &mut |kind, text| {
                        let is_known = kind != Kind::Reference || known.contains(text);
                        assert!(is_known, "{} refers to {text}", name(resource));
                    });
                }
            }
        }
    }

    #[test]
    fn the_same_seed_is_the_same_city() {
        let text = |seed| {
            resources(seed, 3, 20).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
        // A patient does not depend on those before.
        let city = City::new(1, 3);
        let alone: Vec<Value> = city.patients(20..=20).flatten().collect();
        let all: Vec<Value> = city.patients(1..=20).flatten().collect();
        assert!(all.ends_with(&alone));
    }

    #[test]
    fn a_city_has_the_sizes_of_one() {
        let city = City::new(1, 50);
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for resource in city.patients(1..=2_000).flatten() {
            *counts.entry(resource["resourceType"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let all: u32 = counts.values().sum();
        let a_patient = all / 2_000;
        assert!((30..=38).contains(&a_patient), "{a_patient} {counts:?}");
        let observations = counts["Observation"] * 100 / all;
        assert!((60..=70).contains(&observations), "{observations} % {counts:?}");
        assert!((2_500..4_000).contains(&counts["Patient"]), "{counts:?}");
        assert!(counts.len() >= 13, "{counts:?}");
    }

    #[test]
    fn glucose_comes_in_both_units_and_some_records_lack_the_resident_id() {
        let (mut units, mut without) = (HashSet::new(), 0);
        for resource in resources(1, 50, 300) {
            if resource["code"]["coding"][0]["code"] == "2345-7" {
                units.insert(resource["valueQuantity"]["unit"].as_str().unwrap().to_owned());
            }
            let system = &resource["identifier"][0]["system"];
            let is_patient = resource["resourceType"] == "Patient";
            without += u32::from(is_patient && system != crate::resident::SYSTEM);
        }
        assert_eq!(units, HashSet::from(["mmol/L".to_owned(), "mg/dL".to_owned()]));
        assert!(without > 5);
    }

    #[test]
    fn a_bundle_puts_resources_where_their_ids_say() {
        let city = City::new(1, 2);
        for group in city.groups(3) {
            let bundle = bundle(group);
            assert_eq!(bundle["entry"][0]["request"]["method"], "PUT");
            let issues = fhir::validate::resource(&bundle);
            assert!(issues.iter().all(|issue| issue.severity != Severity::Error), "{issues:?}");
        }
    }
}
