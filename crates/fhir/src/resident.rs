//! Numbers of residents' identity cards (GB 11643-1999): how they are written, and what they say of who has them.
//!
//! Nothing here refuses a number: people are registered with what their card says, and cards are wrong. What is doubted is told,
//! and is no ground to take two records for one person's.

use crate::outcome::{Code, Issue};
use jiff::civil::Date;
use serde_json::Value;

/// 公民身份号码, by the OID of the health data elements (WS/T 363).
pub const SYSTEM: &str = "urn:oid:2.16.156.10011.1.3";

/// Provinces; Hong Kong, Macao and Taiwan with their residence permits (81, 82, 83), and foreigners who live here for good (9).
const REGIONS: [&str; 36] = [
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41",
    "42", "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71",
    "81", "82", "83", "91",
];

/// ISO 7064, MOD 11-2.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: &[u8; 11] = b"10X98765432";

/// Types that say of a person when it was born, beside its number.
const PEOPLE: [&str; 4] = ["Patient", "Person", "Practitioner", "RelatedPerson"];

/// A number of 18 places, in the one spelling that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(String);

/// Why a number is doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    Check,
    Region,
    Date,
    Future,
}

impl Number {
    /// Of 18 places, however wide its digits and however large its X; or of 15 places, as they were given out before 1999 to people
    /// who were born in the twentieth century. None of anything else.
    pub fn read(text: &str) -> Option<Number> {
        let folded = folded(text);
        if !folded.is_ascii() {
            return None;
        }
        match folded.len() {
            18 => {
                let (digits, last) = folded.split_at(17);
                let is_number = is_digits(digits) && (is_digits(last) || last == "X");
                is_number.then_some(Number(folded))
            }
            15 if is_digits(&folded) => {
                let (region, rest) = folded.split_at(6);
                let mut whole = format!("{region}19{rest}");
                whole.push(check(&whole)?);
                let number = Number(whole);
                number.born().is_some().then_some(number)
            }
            _ => None,
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// None where the calendar has no such day.
    pub fn born(&self) -> Option<Date> {
        let part = |from: usize, to: usize| self.0.get(from..to);
        let (year, month, day) = (part(6, 10)?, part(10, 12)?, part(12, 14)?);
        Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
    }

    /// As an administrative gender has it.
    pub fn gender(&self) -> &'static str {
        let is_odd = self.0.as_bytes().get(16).is_some_and(|digit| digit % 2 == 1);
        if is_odd { "male" } else { "female" }
    }

    /// None of a number that can be taken for what it says.
    pub fn doubts(&self, today: Date) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        if self.0.get(..17).and_then(check) != self.0.chars().last() {
            doubts.push(Doubt::Check);
        }
        let region = self.0.get(..2).unwrap_or_default();
        if !REGIONS.contains(&region) && !region.starts_with('9') {
            doubts.push(Doubt::Region);
        }
        match self.born() {
            None => doubts.push(Doubt::Date),
            Some(born) if born > today => doubts.push(Doubt::Future),
            Some(_) => {}
        }
        doubts
    }
}

impl Doubt {
    fn text(self) -> &'static str {
        match self {
            Doubt::Check => {
                "the last place is not the check of the others; a digit may be mistyped"
            }
            Doubt::Region => "no province has the first two digits",
            Doubt::Date => "the places 7 to 14 are no day of the calendar",
            Doubt::Future => "the places 7 to 14 are a day that is still to come",
        }
    }
}

/// What a person's resource says that its number does not, and what is doubtful about the number. Never with the number itself.
pub fn doubts(resource: &Value, today: Date) -> Vec<Issue> {
    let kind = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    let identifiers = resource.get("identifier").and_then(Value::as_array);
    let mut issues = Vec::new();
    for (index, identifier) in identifiers.into_iter().flatten().enumerate() {
        let text = |name: &str| identifier.get(name).and_then(Value::as_str);
        let (Some(SYSTEM), Some(value)) = (text("system"), text("value")) else { continue };
        let place = format!("{kind}.identifier[{index}].value");
        let doubt = |text: &str| {
            let text = format!("the number of an identity card is doubtful: {text}");
            Issue::warning(Code::BusinessRule, text).at(place.clone())
        };
        let Some(number) = Number::read(value) else {
            // A child without a card of its own has its mother's number and its place among her children.
            if !is_of_a_newborn(value) {
                issues.push(doubt("it has neither 18 places nor the 15 of an old card"));
            }
            continue;
        };
        issues.extend(number.doubts(today).into_iter().map(|found| doubt(found.text())));
        if PEOPLE.contains(&kind) {
            issues.extend(conflicts(resource, &number).into_iter().map(doubt));
        }
    }
    issues
}

fn conflicts(resource: &Value, number: &Number) -> Vec<&'static str> {
    let text = |name: &str| resource.get(name).and_then(Value::as_str);
    let mut conflicts = Vec::new();
    if let (Some(said), Some(born)) = (text("birthDate"), number.born()) {
        // A birthDate may be a year, or a month of it.
        if !born.to_string().starts_with(said) {
            conflicts.push("the places 7 to 14 are another day than birthDate");
        }
    }
    // A card knows two genders; who has another or none contradicts nothing.
    if let Some(said @ ("male" | "female")) = text("gender")
        && said != number.gender()
    {
        conflicts.push("place 17 says another gender; it is odd for a man, even for a woman");
    }
    conflicts
}

/// Whether somebody who knows how numbers are made could guess this text: a number, as it is written anywhere, or what begins with
/// one.
pub fn is_guessable(text: &str) -> bool {
    // Most texts are none, and there are many.
    if !(15..=96).contains(&text.len()) {
        return false;
    }
    let folded = folded(text);
    let digits = folded.bytes().take_while(u8::is_ascii_digit).count();
    let length = folded.chars().count();
    match digits {
        15 => length == 15,
        17 => folded.as_bytes().get(17) == Some(&b'X') && length <= 24,
        18.. => length <= 24,
        _ => false,
    }
}

fn is_of_a_newborn(text: &str) -> bool {
    let folded = folded(text);
    let Some((mother, order)) = folded.get(..18).zip(folded.get(18..)) else { return false };
    let order = order.strip_prefix(['-', '_', '/']).unwrap_or(order);
    Number::read(mother).is_some() && (1..=2).contains(&order.len()) && is_digits(order)
}

/// Full-width letters and digits as ASCII (what NFKC makes of them), an X as a capital, no blanks around.
fn folded(text: &str) -> String {
    let narrow = |character: char| match character {
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character)
        }
        '\u{3000}' => ' ',
        other => other,
    };
    let narrowed: String = text.chars().map(narrow).collect();
    narrowed.trim().replace('x', "X")
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Of the first 17 places.
fn check(digits: &str) -> Option<char> {
    let places = digits.chars().zip(WEIGHTS);
    let products = places.map(|(digit, weight)| Some(digit.to_digit(10)? * weight));
    let sum: u32 = products.sum::<Option<u32>>()?;
    let check = CHECKS.get(usize::try_from(sum % 11).ok()?)?;
    Some(char::from(*check))
}

#[cfg(test)]
mod tests {
    use super::{Doubt, Number, SYSTEM, doubts, is_guessable};
    use jiff::civil::{Date, date};
    use serde_json::{Value, json};

    const TODAY: Date = date(2026, 11, 28);

    fn check(text: &str, expected: Option<&str>) {
        let number = Number::read(text);
        assert_eq!(number.as_ref().map(Number::as_str), expected, "{text}");
    }

    #[test]
    fn id_01_a_number_has_one_spelling_however_it_is_written() {
        let usual = Some("11010519491231002X");
        check("11010519491231002X", usual);
        check("11010519491231002x", usual);
        check(" 11010519491231002x\u{3000}", usual);
        check("１１０１０５１９４９１２３１００２Ｘ", usual);
        check("１１０１０５１９４９１２３１００２ｘ", usual);
        check("110105491231002", usual);
        check("440524188001010014", Some("440524188001010014"));
        // The check of what was mistyped is not mended.
        check("110105194912310021", Some("110105194912310021"));
        for other in [
            "",
            "X",
            "11010519491231002",
            "1101051949123100２XX",
            "11010519491231X02X",
            "110105491331002",
            "11010549123100X",
            "E12345678",
            "CHN310000000123",
            "一二三四五六七八九十一二三四五六七八",
        ] {
            check(other, None);
        }
    }

    #[test]
    fn id_02_what_is_doubtful_about_a_number_is_told() {
        let told = |text: &str| Number::read(text).unwrap().doubts(TODAY);
        for sound in ["310101199003071230", "310115198512144569", "11010519491231002X"] {
            assert_eq!(told(sound), [], "{sound}");
        }
        assert_eq!(told("310101199003071231"), [Doubt::Check]);
        assert_eq!(told("310104195802290019"), [Doubt::Date]);
        assert_eq!(told("010101199003071235"), [Doubt::Check, Doubt::Region]);
        assert_eq!(told("310101209003071236"), [Doubt::Check, Doubt::Future]);
        let today = Number::read("310101202611280019").unwrap();
        assert!(!today.doubts(TODAY).contains(&Doubt::Future), "born today");
    }

    fn patient(value: &str, birth_date: &str, gender: &str) -> Value {
        json!({
            "resourceType": "Patient",
            "identifier": [{ "system": "urn:mrn", "value": "1" }, { "system": SYSTEM, "value": value }],
            "birthDate": birth_date,
            "gender": gender,
        })
    }

    /// The ends of the texts that are told.
    fn check_doubts(resource: &Value, expected: &[&str]) {
        let issues = doubts(resource, TODAY);
        assert_eq!(issues.len(), expected.len(), "{resource}: {issues:?}");
        for (issue, expected) in issues.iter().zip(expected) {
            assert!(issue.text.contains(expected), "{}", issue.text);
            assert_eq!(issue.severity.code(), "warning");
        }
        let told = format!("{issues:?}");
        let numbers = resource["identifier"].as_array().unwrap();
        for number in numbers.iter().filter_map(|it| it["value"].as_str()).filter(|it| it.len() > 5)
        {
            assert!(!told.contains(number), "{told}");
        }
    }

    #[test]
    fn id_03_what_a_number_says_is_compared_with_the_rest() {
        let number = "310101199003071230";
        check_doubts(&patient(number, "1990-03-07", "male"), &[]);
        check_doubts(&patient(number, "1990-03", "other"), &[]);
        check_doubts(&patient(number, "1990", "unknown"), &[]);
        check_doubts(&patient("110105491231002", "1949-12-31", "female"), &[]);
        check_doubts(&patient(number, "1990-03-08", "male"), &["another day than birthDate"]);
        check_doubts(&patient(number, "1991", "male"), &["another day than birthDate"]);
        check_doubts(
            &patient(number, "1990-07-03", "female"),
            &["another day than birthDate", "another gender"],
        );
        check_doubts(&patient("310101199003071231", "1990-03-07", "male"), &["not the check"]);
        let mut elsewhere = patient(number, "1980-01-01", "female");
        elsewhere["identifier"][1]["system"] = json!("urn:other");
        check_doubts(&elsewhere, &[]);
        let mut organisation = patient(number, "1980-01-01", "female");
        organisation["resourceType"] = json!("Organization");
        check_doubts(&organisation, &[]);
    }

    #[test]
    fn id_05_permits_passports_newborns_and_the_unknown_are_nobodys_mistake() {
        // Residence permits of Hong Kong, Macao and Taiwan, and the card of foreigners who stay, have the same structure.
        for first in ["810000199003071237", "820000199003071231", "830000199003071236"] {
            let number = Number::read(first).unwrap();
            assert!(!number.doubts(TODAY).contains(&Doubt::Region), "{first}");
            let digits = &first[..17];
            let whole = format!("{digits}{}", super::check(digits).unwrap());
            check_doubts(&patient(&whole, "1990-03-07", "male"), &[]);
        }
        let foreigner = "93184019900307123";
        let foreigner = format!("{foreigner}{}", super::check(foreigner).unwrap());
        check_doubts(&patient(&foreigner, "1990-03-07", "male"), &[]);
        // A child that has no card yet: its mother's number, and which of her children it is.
        for child in ["310101199003071230-1", "3101011990030712302", "310101199003071230/02"] {
            check_doubts(&patient(child, "2026-11-27", "female"), &[]);
        }
        check_doubts(&patient("310101199003071230-x", "2026", "male"), &["neither 18 places"]);
        check_doubts(&patient("unknown", "2026", "male"), &["neither 18 places"]);
        // A passport has a system of its own, and who is unknown has nothing.
        let mut passport = patient("E12345678", "1990-03-07", "male");
        passport["identifier"][1]["system"] = json!("http://hl7.org/fhir/sid/passport-CHN");
        check_doubts(&passport, &[]);
        let absent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
        let unknown = json!({
            "resourceType": "Patient",
            "identifier": [{ "system": SYSTEM, "_value": { "extension": [{ "url": absent, "valueCode": "unknown" }] } }],
        });
        check_doubts(&unknown, &[]);
        check_doubts(&json!({ "resourceType": "Patient", "identifier": [] }), &[]);
    }

    #[test]
    fn id_04_what_could_be_guessed_is_known_by_its_shape() {
        for text in [
            "11010519491231002X",
            "11010519491231002x",
            "１１０１０５１９４９１２３１００２ｘ",
            "110105491231002",
            "310101199003071231",
            "310101199003071230-1",
        ] {
            assert!(is_guessable(text), "{text}");
        }
        for text in
            ["1", "E12345678", "8480-6", "1101054912310021", "p0000001-h012", "11010519491231002"]
        {
            assert!(!is_guessable(text), "{text}");
        }
    }
}
