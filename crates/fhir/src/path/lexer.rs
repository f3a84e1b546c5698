//! From text to tokens (FHIRPath section 9, the lexical part of the grammar).

use super::Error;
use super::temporal::{Date, DateTime, Time};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// Also `and`, `is`, `day` …: what a word means is for the parser.
    Word(&'a str),
    /// A name in back-ticks: never a keyword.
    Quoted(String),
    String(String),
    /// Digits, perhaps with a fraction: `1`, `1.50`.
    Number(&'a str),
    Date(Date),
    DateTime(DateTime),
    Time(Time),
    /// `$this`, without the dollar.
    Special(&'a str),
    /// One or two characters: `.`, `<=`.
    Sign(&'static str),
    End,
}

const SIGNS: [&str; 25] = [
    "<=", ">=", "!=", "!~", ".", ",", "(", ")", "[", "]", "{", "}", "+", "-", "*", "/", "&", "|",
    "<", ">", "=", "~", "%", ":", ";",
];

#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    /// Byte of the next token; always the border of a character.
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, at: 0 }
    }

    /// The next token and the byte it starts at.
    pub(super) fn next(&mut self) -> Result<(Token<'a>, usize), Error> {
        self.skip_blanks()?;
        let start = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok((Token::End, start)) };
        let token = match first {
            '\'' => Token::String(self.quoted('\'')?),
            '`' => Token::Quoted(self.quoted('`')?),
            '@' => self.moment()?,
            '$' => {
                self.at += 1;
                Token::Special(self.word())
            }
            '0'..='9' => self.number(),
            'A'..='Z' | 'a'..='z' | '_' => Token::Word(self.word()),
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    Token::Sign(sign)
                }
                None => return Err(Error::syntax(start, format!("unexpected `{first}`"))),
            },
        };
        Ok((token, start))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) -> Result<(), Error> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                let end = trimmed.get(2..).and_then(|text| text.find("*/"));
                let end = end.ok_or_else(|| Error::syntax(self.at, "the comment has no end"))?;
                self.at += end + 4;
            } else {
                return Ok(());
            }
        }
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|next| !accept(next)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn word(&mut self) -> &'a str {
        self.take_while(|next| next.is_ascii_alphanumeric() || next == '_')
    }

    /// A dot belongs to a number only before a digit: `1.5`, but `1.abs()`.
    fn number(&mut self) -> Token<'a> {
        let rest = self.rest();
        let whole = self.take_while(|next| next.is_ascii_digit()).len();
        let fraction = self
            .rest()
            .strip_prefix('.')
            .map(|text| text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len()));
        let length = match fraction {
            Some(digits) if digits > 0 => {
                self.at += digits + 1;
                whole + 1 + digits
            }
            _ => whole,
        };
        Token::Number(rest.get(..length).unwrap_or_default())
    }

    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let start = self.at;
        let mut found = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((offset, next)) = characters.next() {
            if next == quote {
                self.at += offset + 1;
                return Ok(found);
            }
            if next != '\\' {
                found.push(next);
                continue;
            }
            let escape = characters.next().map(|(_, escape)| escape);
            match escape.and_then(|escape| unescape(escape, &mut characters)) {
                Some(character) => found.push(character),
                None => return Err(Error::syntax(start + offset, "unknown escape in the text")),
            }
        }
        Err(Error::syntax(start, "the text has no end"))
    }

    /// After `@`: a date, a date and time, or `T` and a time.
    fn moment(&mut self) -> Result<Token<'a>, Error> {
        let start = self.at;
        self.at += 1;
        let text = self.rest();
        let wrong = || Error::syntax(start, "not a date, dateTime or time");
        if let Some(time) = text.strip_prefix('T') {
            let (time, length) = Time::scan(time).ok_or_else(wrong)?;
            self.at += 1 + length;
            return Ok(Token::Time(time));
        }
        let (date, length) = Date::scan(text).ok_or_else(wrong)?;
        if !text.get(length..).is_some_and(|rest| rest.starts_with('T')) {
            self.at += length;
            return Ok(Token::Date(date));
        }
        let (moment, length) = DateTime::scan(text).ok_or_else(wrong)?;
        self.at += length;
        Ok(Token::DateTime(moment))
    }
}

fn unescape(escape: char, rest: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    Some(match escape {
        '\'' | '"' | '`' | '\\' | '/' => escape,
        'r' => '\r',
        'n' => '\n',
        't' => '\t',
        'f' => '\u{c}',
        'u' => {
            let first = code_unit(rest)?;
            if !(0xd800..0xdc00).contains(&first) {
                return char::from_u32(first);
            }
            // The first half of a pair: the second has to follow.
            let pair = rest.next().is_some_and(|(_, next)| next == '\\')
                && rest.next().is_some_and(|(_, next)| next == 'u');
            let second = if pair { code_unit(rest)? } else { return None };
            let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
            char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)?
        }
        _ => return None,
    })
}

fn code_unit(rest: &mut impl Iterator<Item = (usize, char)>) -> Option<u32> {
    let mut unit = 0;
    for _ in 0..4 {
        let (_, digit) = rest.next()?;
        unit = unit * 16 + digit.to_digit(16)?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::{Lexer, Token};

    fn check(text: &str, expected: Result<Vec<Token>, &str>) {
        let mut lexer = Lexer::new(text);
        let mut found = Vec::new();
        let found = loop {
            match lexer.next() {
                Ok((Token::End, _)) => break Ok(found),
                Ok((token, _)) => found.push(token),
                Err(error) => break Err(error.to_string()),
            }
        };
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{found} has no {part}"),
            (found, expected) => panic!("{text}: found {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn a_dot_is_part_of_a_number_only_before_a_digit() {
        check("1.50", Ok(vec![Token::Number("1.50")]));
        check("1.abs", Ok(vec![Token::Number("1"), Token::Sign("."), Token::Word("abs")]));
    }

    #[test]
    fn escapes_are_undone() {
        check(r"'\u0041\ud83d\ude00\''", Ok(vec![Token::String("A\u{1f600}'".into())]));
        check(r"'\ud83d'", Err("unknown escape"));
        check(r"'\p'", Err("unknown escape"));
        check("'open", Err("no end"));
    }

    #[test]
    fn comments_are_blanks() {
        check("a // b\n /* c */ d", Ok(vec![Token::Word("a"), Token::Word("d")]));
        check("a /* b", Err("no end"));
    }

    #[test]
    fn other_scripts_are_refused_outside_texts() {
        check("é", Err("unexpected `é`"));
        check("'é'", Ok(vec![Token::String("é".into())]));
    }
}
