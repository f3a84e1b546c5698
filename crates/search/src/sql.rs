//! SQL as text that is known when we compile and binds that are not; placeholders are numbered once, at the end.

use crate::reader::Reader;

#[derive(Clone, Debug, PartialEq)]
pub enum Bind {
    Int4(i32),
    Int8(i64),
    Float8(f64),
    Text(String),
    Int8Array(Vec<i64>),
    TextArray(Vec<String>),
}

/// A piece of SQL. Nothing a caller sent is ever in its text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sql {
    parts: Vec<Part>,
    is_unbounded: bool,
    reader: Option<Reader>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(&'static str),
    Bind(Bind),
}

impl Sql {
    pub fn text_of(text: &'static str) -> Sql {
        Sql { parts: vec![Part::Text(text)], ..Sql::default() }
    }

    pub fn bind(mut self, bind: Bind) -> Sql {
        self.parts.push(Part::Bind(bind));
        self
    }

    pub fn then(mut self, text: &'static str) -> Sql {
        self.parts.push(Part::Text(text));
        self
    }

    #[must_use]
    pub fn before(self, text: &'static str) -> Sql {
        Sql::text_of(text).append(self)
    }

    pub fn append(mut self, other: Sql) -> Sql {
        self.parts.extend(other.parts);
        self.is_unbounded |= other.is_unbounded;
        self.reader = self.reader.or(other.reader);
        self
    }

    /// Says who reads. What is put together is read by the first that says so; a statement that nobody reads finds nothing that is
    /// about a patient.
    #[must_use]
    pub fn read_by(mut self, reader: Reader) -> Sql {
        self.reader = Some(reader);
        self
    }

    pub fn reader(&self) -> Reader {
        self.reader.clone().unwrap_or_default()
    }

    /// May look at every row of a table, or not: for a pool of its own.
    #[must_use]
    pub fn unbounded(mut self, is_unbounded: bool) -> Sql {
        self.is_unbounded |= is_unbounded;
        self
    }

    pub fn is_unbounded(&self) -> bool {
        self.is_unbounded
    }

    /// TRUE when there is nothing to hold.
    pub fn all(conditions: Vec<Sql>) -> Sql {
        join(conditions, " AND ", "TRUE")
    }

    /// FALSE when there is nothing to choose from.
    pub fn any(conditions: Vec<Sql>) -> Sql {
        join(conditions, " OR ", "FALSE")
    }

    pub fn joined(pieces: Vec<Sql>, between: &'static str) -> Sql {
        let mut pieces = pieces.into_iter();
        let first = pieces.next().unwrap_or_default();
        pieces.fold(first, |sql, next| sql.then(between).append(next))
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut number = 0;
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Bind(bind) => {
                    number += 1;
                    text.push_str(&format!("${number}{}", bind.cast()));
                }
            }
        }
        text
    }

    pub fn binds(&self) -> Vec<&Bind> {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Bind(bind) => Some(bind),
                Part::Text(_) => None,
            })
            .collect()
    }
}

impl Bind {
    /// PostgreSQL need not guess.
    fn cast(&self) -> &'static str {
        match self {
            Bind::Int4(_) => "::int4",
            Bind::Int8(_) => "::int8",
            Bind::Float8(_) => "::float8",
            Bind::Text(_) => "::text",
            Bind::Int8Array(_) => "::int8[]",
            Bind::TextArray(_) => "::text[]",
        }
    }
}

fn join(conditions: Vec<Sql>, between: &'static str, nothing: &'static str) -> Sql {
    match conditions.len() {
        0 => Sql::text_of(nothing),
        1 => Sql::joined(conditions, between),
        _ => Sql::text_of("(").append(Sql::joined(conditions, between)).then(")"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Bind, Sql};

    #[test]
    fn placeholders_are_numbered_at_the_end() {
        let code = Sql::text_of("code = ").bind(Bind::Int8(1));
        let name = Sql::text_of("name = ").bind(Bind::Text("a".to_owned()));
        assert_eq!(Sql::all(vec![code, name]).text(), "(code = $1::int8 AND name = $2::text)");
    }

    #[test]
    fn no_condition_is_true_and_no_choice_is_false() {
        assert_eq!(Sql::all(vec![]).text(), "TRUE");
        assert_eq!(Sql::any(vec![]).text(), "FALSE");
    }
}
