//! Types whose resources are parts of others of their type: what `:above` and `:below` of a reference go along
//! (search.html#modifiers).

/// With the parameter that names the whole.
const WHOLES: [(&str, &str); 6] = [
    ("Encounter", "part-of"),
    ("Location", "partof"),
    ("Organization", "partof"),
    ("Procedure", "part-of"),
    ("ResearchStudy", "partof"),
    ("Task", "part-of"),
];

/// The type, and the parameter by which its resources name what they are parts of; it reads the element `partOf`.
pub fn part_of(kind: &str) -> Option<(&'static str, &'static str)> {
    WHOLES.into_iter().find(|(known, _)| *known == kind)
}

#[cfg(test)]
mod tests {
    use super::WHOLES;
    use crate::registry::find;
    use serde_json::json;

    #[test]
    fn each_parameter_reads_the_whole() {
        for (kind, code) in WHOLES {
            let parameter = find(kind, code).unwrap();
            let whole = json!({ "reference": format!("{kind}/1") });
            let resource = json!({ "resourceType": kind, "partOf": [whole] });
            let mut found = Vec::new();
            for walk in parameter.program.walks() {
                walk.each(&resource, |value| found.push(value.clone()));
            }
            assert_eq!(found, [whole], "{kind}");
            assert!(parameter.targets.contains(&kind), "{kind}");
        }
    }
}
