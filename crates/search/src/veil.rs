//! Numbers of people as entries have them. A hash alone hides nothing that can be guessed: a resident's number is a place, a day and
//! a few digits. So entries are made of what the server's own key makes of such a number (HMAC-SHA256), and who has the entries
//! without the key cannot try them out.

use crate::parameter::token::{Form, Spelling, Wanted};
use fhir::resident::{self, Number, is_guessable};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stands before what a number becomes: no text of a resource has it.
const MARK: char = '\u{1}';

/// Of a code of authentication that is kept; keys are shorter still.
const KEPT_BYTES: usize = 16;

#[derive(Debug)]
pub struct Veil {
    keyed: Hmac<Sha256>,
    /// Whether no entry is left from before there was a key.
    is_everywhere: AtomicBool,
}

impl Veil {
    /// As long as it is not said otherwise, entries from before there was a key are looked for too.
    pub fn new(secret: &[u8]) -> Veil {
        // A key of any length is one: the other is only what the types ask for.
        let keyed = Hmac::new_from_slice(secret).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Veil { keyed, is_everywhere: AtomicBool::new(false) }
    }

    pub fn set_everywhere(&self, is_everywhere: bool) {
        self.is_everywhere.store(is_everywhere, Ordering::Relaxed);
    }

    /// The text itself, unless somebody could guess it.
    pub(crate) fn cover<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !is_guessable(text) {
            return Cow::Borrowed(text);
        }
        let mut keyed = self.keyed.clone();
        keyed.update(text.as_bytes());
        let mut covered = String::from(MARK);
        for byte in keyed.finalize().into_bytes().into_iter().take(KEPT_BYTES) {
            covered.push_str(&format!("{byte:02x}"));
        }
        Cow::Owned(covered)
    }

    /// What a word is looked up by; several while there are entries from before.
    pub(crate) fn words<'a>(&self, word: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        let covered = self.cover(word);
        let plain = self.plain(&covered).then_some(Cow::Borrowed(word));
        std::iter::once(covered).chain(plain)
    }

    /// Hands on what is stored of a form: a resident's number in the one spelling that it has, too, and none that can be guessed.
    pub(crate) fn stored(
        &self,
        form: Form<&str>,
        spelling: Spelling,
        mut visit: impl FnMut(Form<&str>),
    ) {
        if spelling != Spelling::Exact {
            return visit(form);
        }
        match form {
            Form::System(_) => visit(form),
            Form::Code(code) => visit(Form::Code(&self.cover(code))),
            Form::NoSystem(code) => visit(Form::NoSystem(&self.cover(code))),
            Form::Coded { system, code } => {
                let number = (system == resident::SYSTEM).then(|| Number::read(code)).flatten();
                let code = number.as_ref().map_or(code, Number::as_str);
                visit(Form::Coded { system, code: &self.cover(code) });
            }
            Form::OfType { system, code, value } => {
                visit(Form::OfType { system, code, value: &self.cover(value) });
                if let Some(number) = Number::read(value).filter(|it| it.as_str() != value) {
                    let value = self.cover(number.as_str());
                    visit(Form::OfType { system, code, value: &value });
                }
            }
        }
    }

    /// What is looked for when this is asked for, so that a resident is found however the number is written.
    pub(crate) fn asked(&self, wanted: Wanted, spelling: Spelling) -> Vec<Wanted> {
        if spelling != Spelling::Exact {
            return vec![wanted];
        }
        let cover = |text: &str| self.cover(text).into_owned();
        let mut all = match &wanted {
            Form::System(_) => return vec![wanted],
            Form::NoSystem(code) => vec![Form::NoSystem(cover(code))],
            Form::Code(code) => {
                let resident = Number::read(code).map(|number| Form::Coded {
                    system: resident::SYSTEM.to_owned(),
                    code: cover(number.as_str()),
                });
                std::iter::once(Form::Code(cover(code))).chain(resident).collect()
            }
            Form::Coded { system, code } => {
                let number = (system == resident::SYSTEM).then(|| Number::read(code)).flatten();
                let code = cover(number.as_ref().map_or(code.as_str(), Number::as_str));
                vec![Form::Coded { system: system.clone(), code }]
            }
            Form::OfType { system, code, value } => {
                let of_type = |value: &str| {
                    let (system, code) = (system.clone(), code.clone());
                    Form::OfType { system, code, value: cover(value) }
                };
                let number = Number::read(value).filter(|it| it.as_str() != value);
                let number = number.map(|number| of_type(number.as_str()));
                std::iter::once(of_type(value)).chain(number).collect()
            }
        };
        if all.first().and_then(Form::text).is_some_and(|text| self.plain(text)) {
            all.push(wanted);
        }
        all
    }

    /// Whether what became this may stand in entries as it is.
    fn plain(&self, covered: &str) -> bool {
        covered.starts_with(MARK) && !self.is_everywhere.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Veil;
    use crate::extract::Extractor;
    use crate::key::hash;
    use crate::query::tests::{BASE, parse, parse_veiled};
    use fhir::resident::SYSTEM;
    use jiff::tz::TimeZone;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn patient(system: &str, value: &str) -> Value {
        json!({
            "resourceType": "Patient",
            "id": "1",
            "identifier": [{
                "system": system,
                "value": value,
                "type": { "coding": [{ "system": "http://v2", "code": "NI" }] },
            }],
        })
    }

    fn extractor(veil: &Arc<Veil>) -> Extractor {
        Extractor::new(BASE, TimeZone::UTC, Arc::clone(veil))
    }

    /// Whether the patient is found: by its values, and by its entries.
    fn check(patient: &Value, search: &str, expected: bool) {
        let veil = Arc::new(Veil::new(b"secret"));
        veil.set_everywhere(true);
        let query = parse_veiled(search, &veil).unwrap();
        assert_eq!(query.holds(patient, &extractor(&veil)), expected, "{search} {patient}");
    }

    #[test]
    fn id_01_a_resident_is_found_however_the_number_is_written() {
        let written = [
            "11010519491231002X",
            "11010519491231002x",
            "１１０１０５１９４９１２３１００２Ｘ",
            "110105491231002",
        ];
        for stored in written {
            let patient = patient(SYSTEM, stored);
            for asked in written {
                check(&patient, &format!("Patient?identifier={SYSTEM}|{asked}"), true);
                check(&patient, &format!("Patient?identifier={asked}"), true);
            }
            check(&patient, "Patient?identifier:of-type=http://v2|NI|11010519491231002X", true);
            check(&patient, &format!("Patient?identifier={SYSTEM}|"), true);
            check(&patient, &format!("Patient?identifier={SYSTEM}|310101199003071230"), false);
            check(&patient, "Patient?identifier=urn:mrn|11010519491231002X", false);
            check(&patient, "Patient?identifier=|11010519491231002X", false);
            check(&patient, "Patient?_content=11010519491231002X", stored != "110105491231002");
        }
    }

    #[test]
    fn id_01_an_alias_is_one_of_residents_only() {
        // A number of some hospital that happens to have fifteen digits.
        let other = patient("urn:mrn", "110105491231002");
        check(&other, "Patient?identifier=110105491231002", true);
        check(&other, "Patient?identifier=urn:mrn|110105491231002", true);
        check(&other, "Patient?identifier=11010519491231002X", false);
        check(&other, "Patient?identifier=urn:mrn|11010519491231002X", false);
        let lower = patient("urn:mrn", "11010519491231002x");
        check(&lower, "Patient?identifier=11010519491231002X", false);
        check(&lower, "Patient?identifier=11010519491231002x", true);
    }

    #[test]
    fn id_05_other_documents_are_found_letter_for_letter() {
        let passport = "http://hl7.org/fhir/sid/passport-CHN";
        let patient = patient(passport, "E12345678");
        check(&patient, &format!("Patient?identifier={passport}|E12345678"), true);
        check(&patient, "Patient?identifier=E12345678", true);
        check(&patient, "Patient?identifier=e12345678", false);
        for permit in ["810000199003071237", "918401990030712300", "310101199003071230-1"] {
            let patient = self::patient(SYSTEM, permit);
            check(&patient, &format!("Patient?identifier={SYSTEM}|{permit}"), true);
            check(&patient, &format!("Patient?identifier={permit}"), true);
        }
    }

    /// All keys that entries have.
    fn keys(extractor: &Extractor, resource: &Value) -> Vec<i64> {
        let entries = extractor.entries(resource).unwrap();
        entries.tokens.into_iter().chain(entries.filters).collect()
    }

    #[test]
    fn id_04_entries_cannot_be_tried_out_without_the_key() {
        let resource = json!({
            "resourceType": "Observation",
            "identifier": [{ "system": SYSTEM, "value": "310101199003071230" }],
            "subject": { "identifier": { "system": SYSTEM, "value": "310101199003071230" } },
            "note": [{ "text": "the mother is 310101199003071230" }],
            "contained": [{ "resourceType": "Patient", "id": "p",
                "identifier": [{ "value": "310101199003071230" }] }],
        });
        let [one, same, other] = [b"one", b"one", b"two"].map(|key| Arc::new(Veil::new(key)));
        let [one, same, other] = [&one, &same, &other].map(extractor);
        let shared = |left: &Extractor, right: &Extractor| {
            let right = keys(right, &resource);
            keys(left, &resource).into_iter().filter(|key| right.contains(key)).count()
        };
        let all = keys(&one, &resource).len();
        assert_eq!(shared(&one, &same), all);
        // What is made of the number differs: its three forms for each of three identifiers less what they share, and the word.
        let differing = all - shared(&one, &other);
        let harmless = json!({
            "resourceType": "Observation",
            "identifier": [{ "system": SYSTEM }],
            "subject": { "identifier": { "system": SYSTEM } },
            "note": [{ "text": "the mother is" }],
            "contained": [{ "resourceType": "Patient", "id": "p", "identifier": [{ "use": "usual" }] }],
        });
        assert_eq!(differing, all - keys(&one, &harmless).len());
        assert!(differing >= 8, "{differing}");
        // No key of all that is stored is a plain hash of it.
        let word = hash(b"310101199003071230");
        assert!(!keys(&one, &resource).contains(&word));
    }

    #[test]
    fn id_04_entries_from_before_the_key_are_found_until_they_are_made_anew() {
        let patient = patient(SYSTEM, "310101199003071230");
        let search = format!("Patient?identifier={SYSTEM}|310101199003071230");
        let veil = Arc::new(Veil::new(b"secret"));
        let plain = {
            // As entries were made before: a number that looks like none, and so has no cover.
            let other = self::patient(SYSTEM, "31010119900307123O");
            let count = |resource: &Value| keys(&extractor(&veil), resource).len();
            assert_eq!(count(&patient), count(&other));
            parse_veiled(&search, &veil).unwrap()
        };
        let asked_before = format!("{plain:?}").matches("310101199003071230").count();
        veil.set_everywhere(true);
        let after = parse_veiled(&search, &veil).unwrap();
        let asked_after = format!("{after:?}").matches("310101199003071230").count();
        assert_eq!(asked_before, asked_after + 1, "{plain:?} {after:?}");
        for query in [plain, after] {
            assert!(query.holds(&patient, &extractor(&veil)));
        }
        assert!(parse("Patient?identifier=1").is_ok());
    }
}
