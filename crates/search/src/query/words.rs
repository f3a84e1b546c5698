//! What `_text` and `_content` ask (search.html#content): words, with `and`, `or`, `not` and parentheses.

use super::text::unescape;
use super::{Asked, Wanted};
use crate::chinese;
use crate::error::{Error, shown};
use crate::extract::words_salt;
use crate::key::hash;
use crate::registry::{Parameter, is_voluminous};
use crate::veil::Veil;
use fhir::texts::Place;

/// Of one value.
const WORDS_MAX: usize = 100;
const DEPTH_MAX: usize = 16;

/// `(bone or liver) and metastases`; words that stand beside each other must all be there.
pub(super) fn parse(
    resource: &'static str,
    parameter: &'static Parameter,
    places: &[Place],
    text: &str,
    veil: &Veil,
) -> Result<Asked, Error> {
    let text = unescape(text, parameter.code)?;
    let pieces = pieces(&text);
    let mut parser = Parser { resource, parameter, places, veil, pieces, at: 0, words: 0 };
    let asked = parser.any(0)?;
    match parser.peek() {
        None => Ok(asked),
        Some(piece) => Err(parser.refuse(&format!("`{}` closes nothing", shown(piece)))),
    }
}

struct Parser<'a> {
    resource: &'static str,
    parameter: &'static Parameter,
    places: &'a [Place],
    veil: &'a Veil,
    pieces: Vec<&'a str>,
    at: usize,
    words: usize,
}

/// Parentheses, quotation marks, and what stands between them and spaces.
fn pieces(text: &str) -> Vec<&str> {
    let is_mark = |character: char| matches!(character, '(' | ')' | '"' | '（' | '）');
    let by_space = text.split_whitespace();
    by_space
        .flat_map(|part| part.split_inclusive(is_mark))
        .flat_map(|part| match part.char_indices().next_back() {
            Some((at, mark)) if at > 0 && is_mark(mark) => {
                let (word, mark) = part.split_at(at);
                vec![word, mark]
            }
            _ => vec![part],
        })
        .collect()
}

fn is_word(piece: &str, word: &str) -> bool {
    piece.eq_ignore_ascii_case(word)
}

impl Parser<'_> {
    fn refuse(&self, reason: &str) -> Error {
        Error::Value { parameter: self.parameter.code.to_owned(), reason: reason.to_owned() }
    }

    fn peek(&self) -> Option<&str> {
        self.pieces.get(self.at).copied()
    }

    fn any(&mut self, depth: usize) -> Result<Asked, Error> {
        if depth > DEPTH_MAX {
            let what = format!("`{}` has parentheses in parentheses", self.parameter.code);
            return Err(Error::TooMany { what, max: DEPTH_MAX });
        }
        let mut any = vec![self.all(depth)?];
        while self.peek().is_some_and(|piece| is_word(piece, "or")) {
            self.at += 1;
            any.push(self.all(depth)?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Asked::Any(any) })
    }

    fn all(&mut self, depth: usize) -> Result<Asked, Error> {
        let mut all = vec![self.one(depth)?];
        while let Some(piece) = self.peek() {
            if matches!(piece, ")" | "）") || is_word(piece, "or") {
                break;
            }
            if is_word(piece, "and") {
                self.at += 1;
            }
            all.push(self.one(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Asked::All(all) })
    }

    fn one(&mut self, depth: usize) -> Result<Asked, Error> {
        let Some(piece) = self.peek().map(str::to_owned) else {
            return Err(self.refuse("a word is missing at the end"));
        };
        self.at += 1;
        if matches!(piece.as_str(), "(" | "（") {
            let asked = self.any(depth + 1)?;
            let is_closed = self.peek().is_some_and(|piece| matches!(piece, ")" | "）"));
            self.at += 1;
            return if is_closed { Ok(asked) } else { Err(self.refuse("a `)` is missing")) };
        }
        if is_word(&piece, "not") {
            if depth >= DEPTH_MAX {
                return Err(self.refuse("there are too many `not`s"));
            }
            return Ok(Asked::Not(Box::new(self.one(depth + 1)?)));
        }
        if piece == "\"" {
            return Err(
                self.refuse("words are not found by their order; leave the quotation marks out")
            );
        }
        if is_word(&piece, "and") || is_word(&piece, "or") || matches!(piece.as_str(), ")" | "）")
        {
            return Err(self.refuse(&format!("a word is missing before `{piece}`")));
        }
        self.word(&piece)
    }

    fn word(&mut self, piece: &str) -> Result<Asked, Error> {
        let words = chinese::asked(piece);
        self.words += words.len();
        if words.is_empty() {
            let reason = format!("`{}` has no word to search for", shown(piece));
            return Err(self.refuse(&reason));
        }
        if self.words > WORDS_MAX {
            let what = format!("`{}` has too many words", self.parameter.code);
            return Err(Error::TooMany { what, max: WORDS_MAX });
        }
        let asked = words.into_iter().map(|word| {
            let salt = |place| words_salt(self.resource, place);
            let places = || self.places.iter().copied();
            let own = places().filter(|place| *place != Place::Concept);
            let keys = own.flat_map(|place| {
                self.veil.words(&word).map(move |word| hash(word.as_bytes()) ^ salt(place))
            });
            let concept = places().find(|place| *place == Place::Concept);
            let wanted = Wanted::Word {
                keys: keys.collect(),
                of_concepts: concept.map(|place| hash(word.as_bytes()) ^ salt(place)),
                is_voluminous: is_voluminous(self.resource),
            };
            Asked::Value { parameter: self.parameter, wanted }
        });
        Ok(Asked::All(asked.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::pieces;
    use crate::extract::tests::extractor;
    use crate::query::tests::parse;
    use proptest::prelude::*;
    use serde_json::json;

    fn check(text: &str, expected: bool) {
        let report = json!({
            "resourceType": "DiagnosticReport",
            "text": { "div": "<div>Bone <b>metastases</b>, 左肺上叶见结节影</div>" },
            "conclusion": "No fracture of the LIVER",
        });
        let search = format!("DiagnosticReport?_content={text}");
        assert_eq!(parse(&search).unwrap().holds(&report, &extractor()), expected, "{text}");
    }

    #[test]
    fn words_are_joined_by_and_or_and_not() {
        check("bone", true);
        check("BONE metastases", true);
        check("bone metastasis", false);
        check("(bone OR lung) and metastases", true);
        check("(skull or lung) and metastases", false);
        check("not skull", true);
        check("bone not metastases", false);
        check("skull or (bone (liver))", true);
        check("skull,bone", true);
        check("结节", true);
        check("结节影 liver", true);
        check("肺下", false);
        check("met", false);
    }

    #[test]
    fn what_stands_in_elements_is_not_in_the_narrative() {
        let report = json!({ "resourceType": "DiagnosticReport", "conclusion": "liver" });
        let holds = |search: &str| parse(search).unwrap().holds(&report, &extractor());
        assert!(holds("DiagnosticReport?_content=liver"));
        assert!(!holds("DiagnosticReport?_text=liver"));
    }

    fn check_refused(text: &str, expected: &str) {
        let error = parse(&format!("Patient?_text={text}")).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        check_refused("(a", "a `)` is missing");
        check_refused("a)", "`)` closes nothing");
        check_refused("a or", "a word is missing at the end");
        check_refused("or a", "before `or`");
        check_refused("()", "before `)`");
        check_refused("\"a b\"", "quotation marks");
        check_refused("a -", "`-` has no word");
        check_refused(&"(".repeat(100), "parentheses in parentheses");
        check_refused(&"not ".repeat(100), "too many `not`s");
        check_refused(&"a ".repeat(101), "too many words");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_between_pieces(text in "[a-c()\"（） ]{0,20}") {
            let spaceless: String = text.chars().filter(|character| *character != ' ').collect();
            prop_assert_eq!(pieces(&text).concat(), spaceless);
        }
    }
}
