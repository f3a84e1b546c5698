//! XML text to the same tree that JSON gives, and back (xml.html).
//!
//! No document type, no entities but the five of XML, no processing instructions. Elements come out in the order of the
//! definitions; comments are not kept.

mod read;
mod write;

pub use read::parse;
pub use write::write;

const FHIR: &str = "http://hl7.org/fhir";
const XHTML: &str = "http://www.w3.org/1999/xhtml";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the body is empty; send a resource")]
    Empty,
    #[error("not UTF-8 at byte {0}")]
    NotUtf8(usize),
    #[error("not valid XML: line {line}: {text}")]
    Syntax { line: usize, text: String },
    /// A tree that has no XML form: an element that the definitions do not know.
    #[error("{place} cannot be written as XML")]
    Unwritable { place: String },
}

#[cfg(test)]
mod tests {
    use super::{parse, write};
    use crate::json::Limits;
    use serde_json::{Value, json};

    fn check(xml: &str, expected: Value) {
        let found = parse(xml.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(found, expected);
        let again = parse(&write(&found, false).unwrap(), &Limits::default()).unwrap();
        assert_eq!(again, found);
        let pretty = parse(&write(&found, true).unwrap(), &Limits::default()).unwrap();
        assert_eq!(pretty, found);
    }

    fn refused(xml: &str, expected: &str) {
        let limits = Limits { depth_max: 6, nodes_max: 20 };
        let error = parse(xml.as_bytes(), &limits).unwrap_err().to_string();
        assert!(error.contains(expected), "{xml}: {error}");
    }

    #[test]
    fn everything_that_json_can_say() {
        let decimal: Value = serde_json::from_str("1.50").unwrap();
        check(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <!-- dropped -->
            <Observation xmlns="http://hl7.org/fhir">
              <id value="1"/>
              <text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p>a &lt; <b>b</b></p></div></text>
              <contained><Patient><id value="p"/><active value="true"/></Patient></contained>
              <extension url="urn:e"><valueString value="a&#10;&quot;b&quot; &amp; c"/></extension>
              <status value="final"><extension url="urn:x"><valueCode value="y"/></extension></status>
              <category id="c1"><text value="t"/></category>
              <code><text value="王"/></code>
              <valueQuantity><value value="1.50"/></valueQuantity>
            </Observation>"#,
            json!({
                "resourceType": "Observation",
                "id": "1",
                "text": { "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a &lt; <b>b</b></p></div>" },
                "contained": [{ "resourceType": "Patient", "id": "p", "active": true }],
                "extension": [{ "url": "urn:e", "valueString": "a\n\"b\" & c" }],
                "status": "final",
                "_status": { "extension": [{ "url": "urn:x", "valueCode": "y" }] },
                "category": [{ "id": "c1", "text": "t" }],
                "code": { "text": "王" },
                "valueQuantity": { "value": decimal },
            }),
        );
        check(
            r#"<f:Patient xmlns:f="http://hl7.org/fhir"><f:name><f:given value="a"/><f:given><f:extension url="urn:x"><f:valueCode value="b"/></f:extension></f:given><f:given value="c"/></f:name></f:Patient>"#,
            json!({
                "resourceType": "Patient",
                "name": [{
                    "given": ["a", null, "c"],
                    "_given": [null, { "extension": [{ "url": "urn:x", "valueCode": "b" }] }, null],
                }],
            }),
        );
    }

    #[test]
    fn what_is_no_fhir_is_refused() {
        refused("", "empty");
        refused("x", "outside");
        refused("<Patient/>", "namespace");
        refused("<Patent xmlns=\"http://hl7.org/fhir\"/>", "`Patent` is not a resource type");
        refused(
            "<Patient xmlns=\"http://hl7.org/fhir\"><gendr value=\"x\"/></Patient>",
            "line 1: `gendr` is no element of Patient",
        );
        refused(
            "<Patient xmlns=\"http://hl7.org/fhir\"><gender value=\"x\"/><gender value=\"x\"/></Patient>",
            "appears more than once",
        );
        refused(
            "<Patient xmlns=\"http://hl7.org/fhir\"><gender valu=\"x\"/></Patient>",
            "attribute `valu`",
        );
        refused("<Patient xmlns=\"http://hl7.org/fhir\">text</Patient>", "text");
        refused("<Patient xmlns=\"http://hl7.org/fhir\">", "not closed");
        refused("<Patient xmlns=\"http://hl7.org/fhir\"></Patent>", "line 1");
        refused(
            "<Patient xmlns=\"http://hl7.org/fhir\"/><Patient xmlns=\"http://hl7.org/fhir\"/>",
            "after the resource",
        );
        refused("<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"&e;\"/></Patient>", "line 1");
        refused("<!DOCTYPE x []><Patient xmlns=\"http://hl7.org/fhir\"/>", "document type");
        refused("<?go x?><Patient xmlns=\"http://hl7.org/fhir\"/>", "instruction");
        let deep = format!(
            "<Patient xmlns=\"http://hl7.org/fhir\">{}",
            "<extension url=\"a\">".repeat(50)
        );
        refused(&deep, "nested deeper than 6");
        let wide = format!(
            "<Patient xmlns=\"http://hl7.org/fhir\">{}</Patient>",
            "<name><text value=\"a\"/></name>".repeat(50)
        );
        refused(&wide, "more than 20 values");
    }
}
