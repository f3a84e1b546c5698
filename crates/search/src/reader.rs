//! Who reads, as the database is told. Its own wall asks this and nothing of the statement, and so does the look at what comes out
//! (docs/decisions/0015-walls-in-the-database.md).

use crate::key::resource_key;
use crate::sharing::relation_salt;
use access::{Grant, Labels, Reads, is_public};
use schema::resource::Table;
use std::fmt::Write as _;
use std::sync::Arc;

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Reader {
    /// Sees no row that is about a patient.
    #[default]
    Nobody,
    Everything,
    /// The own record, by the key of the patient.
    Patient(i64),
    Hospital(Arc<Hospital>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Hospital {
    id: i32,
    is_own_only: bool,
    now: i64,
    /// As bits.
    purposes: i32,
    is_open_without_consent: bool,
    withdrawn: Vec<i32>,
    /// Keys of patients to whom the glass was broken.
    opened: Vec<i64>,
}

/// What a row tells about itself.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub table: &'static Table,
    pub hospital: i32,
    pub patient: Option<i64>,
    /// As bits.
    pub labels: i64,
}

impl Reader {
    pub fn of(grant: &Grant) -> Reader {
        match grant.reads() {
            Reads::Everything => Reader::Everything,
            Reads::Nothing => Reader::Nobody,
            Reads::Patient(id) => Reader::Patient(resource_key("Patient", id)),
            Reads::Hospital(wall) => Reader::Hospital(Arc::new(Hospital {
                id: wall.hospital.0,
                is_own_only: wall.is_own_only,
                now: wall.now_micros(),
                purposes: wall.purposes().bits(),
                is_open_without_consent: wall.is_open_without_consent(),
                withdrawn: wall.withdrawn().to_vec(),
                opened: wall.opened().iter().map(|id| resource_key("Patient", id)).collect(),
            })),
        }
    }

    /// As the function `is_open_to` of the database reads it: numbers, and nothing that a caller sent.
    pub fn text(&self) -> String {
        match self {
            Reader::Nobody => String::new(),
            Reader::Everything => "-1".to_owned(),
            Reader::Patient(key) => format!("0 {key}"),
            Reader::Hospital(hospital) => hospital.text(),
        }
    }

    /// Whether such a row may be read at all, as far as it tells itself: a look at what comes out of the database. Relations of care
    /// and consents are not looked up again.
    pub fn may_see(&self, row: &Row) -> bool {
        let labels = Labels::of_bits(row.labels);
        let is_public = is_public(row.table.resource);
        match self {
            Reader::Nobody => false,
            Reader::Everything => true,
            Reader::Patient(own) => {
                is_public
                    || (!labels.meets(Labels::SEVERAL) && row.patient.is_none_or(|key| key == *own))
            }
            Reader::Hospital(hospital) => {
                row.hospital == hospital.id
                    || (!hospital.is_own_only && (is_public || hospital.may_share(row, labels)))
            }
        }
    }
}

impl Hospital {
    fn text(&self) -> String {
        let policy = if self.is_open_without_consent { "t" } else { "f" };
        let mut text = format!("{} {} {} {policy} {{", self.id, self.now, self.purposes);
        list(&mut text, &self.withdrawn);
        text.push_str("} {");
        list(&mut text, &self.opened);
        // Writing to a text does not fail.
        let _ = write!(text, "}} {}", relation_salt(self.id));
        text
    }

    fn may_share(&self, row: &Row, labels: Labels) -> bool {
        let is_opened = row.patient.is_some_and(|key| self.opened.contains(&key));
        row.patient.is_some()
            && !labels.meets(Labels::CLOSED)
            && !self.withdrawn.contains(&row.hospital)
            && (self.purposes != 0 || is_opened)
    }
}

fn list<T: ToString>(text: &mut String, numbers: &[T]) {
    for (place, number) in numbers.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(&number.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::{Reader, Row};
    use access::scope::parse_all;
    use access::{Agent, Caller, Hospital, HospitalId, Interaction, Labels, Purposes};
    use access::{Grant, Token, Wish, decide};

    fn grant(token: Token) -> Grant {
        let token = Token { scopes: parse_all("user/*.rs patient/*.rs"), ..token };
        let wish = Wish::new(Interaction::Search, Some("Observation"));
        decide(&Caller::of_token(token, Agent::default()), &wish).unwrap()
    }

    fn doctor(purposes: Purposes) -> Token {
        let hospital = Hospital { id: HospitalId(2), prefix: "h-".to_owned() };
        Token {
            hospital: Some(hospital),
            purposes,
            withdrawn: vec![7, 8],
            opened: vec!["p".to_owned()],
            now_micros: 5,
            ..Token::default()
        }
    }

    fn row(resource: &str, hospital: i32, patient: Option<&str>, labels: Labels) -> Row {
        let patient = patient.map(|id| crate::key::resource_key("Patient", id));
        let table = schema::resource::find(resource).unwrap();
        Row { table, hospital, patient, labels: labels.bits() }
    }

    #[test]
    fn the_database_is_told_numbers() {
        let salt = crate::sharing::relation_salt(2);
        let key = crate::key::resource_key("Patient", "p");
        let reader = Reader::of(&grant(doctor(Purposes::TREATMENT)));
        assert_eq!(reader.text(), format!("2 5 3 t {{7,8}} {{{key}}} {salt}"));
        let patient = Token { patient: Some("p".to_owned()), ..Token::default() };
        assert_eq!(Reader::of(&grant(patient)).text(), format!("0 {key}"));
        assert_eq!(Reader::default().text(), "");
    }

    #[test]
    fn authz_02_a_row_is_let_out_by_what_it_tells() {
        let none = Labels::default();
        let treats = Reader::of(&grant(doctor(Purposes::TREATMENT)));
        let idle = Reader::of(&grant(doctor(Purposes::default())));
        let own = Reader::of(&grant(doctor(Purposes::TREATMENT)).for_criteria());
        let patient = Token { patient: Some("p".to_owned()), ..Token::default() };
        let patient = Reader::of(&grant(patient));
        let several = Labels::SEVERAL;
        // Seen by: who treats, who is idle, criteria of changes, the patient.
        for (row, seen) in [
            (row("Observation", 2, Some("q"), several), [true, true, true, false]),
            (row("Observation", 3, Some("q"), none), [true, false, false, false]),
            (row("Observation", 3, Some("q"), Labels::PSYCHIATRY), [true, false, false, false]),
            (row("Observation", 3, Some("p"), none), [true, true, false, true]),
            (row("Observation", 3, Some("p"), several), [false, false, false, false]),
            (row("Observation", 3, Some("q"), Labels::VERY_RESTRICTED), [false; 4]),
            (row("Observation", 7, Some("q"), none), [false; 4]),
            (row("Basic", 3, None, none), [false, false, false, true]),
            (row("Location", 7, None, none), [true, true, false, true]),
        ] {
            let answers = [&treats, &idle, &own, &patient].map(|reader| reader.may_see(&row));
            assert_eq!(answers, seen, "{row:?}");
            assert!(Reader::Everything.may_see(&row) && !Reader::Nobody.may_see(&row));
        }
    }
}
