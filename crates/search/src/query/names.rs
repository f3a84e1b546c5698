//! Names that FHIR gives a meaning and that are no search parameters of a type (search.html#summary), and names that nobody knows.

use crate::error::{Error, shown};
use strsim::damerau_levenshtein;

/// With what to use instead.
const REFUSED: [(&str, &str); 13] = [
    ("_contained", "it is not part of the criteria"),
    ("_containedType", "it is not part of the criteria"),
    ("_count", "it is not part of the criteria"),
    ("_cursor", "it is not part of the criteria"),
    ("_elements", "it is not part of the criteria"),
    ("_format", "it is not part of the criteria"),
    ("_include", "it is not part of the criteria"),
    ("_pretty", "it is not part of the criteria"),
    ("_revinclude", "it is not part of the criteria"),
    ("_sort", "it is not part of the criteria"),
    ("_summary", "it is not part of the criteria"),
    ("_total", "it is not part of the criteria"),
    ("_type", "it is not part of the criteria of a type"),
];

/// Why a name that FHIR knows is refused, whatever follows its colon.
pub(super) fn refused(name: &str) -> Option<Error> {
    let stem = name.split(':').next().unwrap_or(name);
    let (_, instead) = REFUSED.iter().find(|(refused, _)| *refused == stem)?;
    let what = format!("`{}` here", shown(name));
    Some(Error::NotSupported { what, instead: (*instead).to_owned() })
}

/// The name that was probably meant: one to two letters away, or three of a long one.
pub(super) fn closest(
    name: &str,
    codes: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    const LENGTH_MAX: usize = 64;
    if name.len() > LENGTH_MAX {
        return None;
    }
    let name = name.to_lowercase();
    let far = (name.len() / 3).clamp(1, 3);
    let by_distance = codes.map(|code| (damerau_levenshtein(&name, &code.to_lowercase()), code));
    by_distance.min().filter(|(distance, _)| *distance <= far).map(|(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::closest;

    fn check(name: &str, expected: Option<&str>) {
        let codes = ["name", "given", "birthdate", "general-practitioner", "_lastUpdated"];
        assert_eq!(closest(name, codes.into_iter()), expected, "{name}");
    }

    #[test]
    fn a_slip_of_the_hand_is_recognised() {
        check("nmae", Some("name"));
        check("Name", Some("name"));
        check("birthDate", Some("birthdate"));
        check("_lastupdated", Some("_lastUpdated"));
        check("general_practitoner", Some("general-practitioner"));
        check("colour", None);
        check("", None);
        check(&"n".repeat(1_000), None);
    }
}
