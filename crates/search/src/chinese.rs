//! Chinese text: simplified characters, pinyin, the order of names, and words inside unspaced text (search.html#string).
//!
//! Whatever is stored and whatever is asked pass through the same functions. All are pure and bounded.

mod surnames;

use pinyin::{Pinyin, ToPinyinMulti as _};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// How many combinations of readings are spelled; each has up to three spellings, for ü.
const COMBINATIONS_MAX: usize = 16;
/// A text with more is no name: it has one spelling and no initials.
const NAME_CHARACTERS_MAX: usize = 12;
/// Of a spelling and of a sort key.
const LENGTH_MAX_BYTES: usize = 200;

/// By the traditional character.
static SIMPLIFIED: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let pairs = entries(include_str!("chinese/simplified.txt"));
    pairs.filter_map(|(character, rest)| Some((character, rest.chars().next()?))).collect()
});

/// By the character, where not all readings of the crate count.
static READINGS: LazyLock<Vec<(char, &'static str)>> =
    LazyLock::new(|| entries(include_str!("chinese/readings.txt")).collect());

/// Traditional characters as simplified ones, one for one; all else stays.
///
/// Of characters that simplified writing tells apart only now and then (乾 is 干, and 乾 in 乾隆), the simplified one is
/// always the same: two texts that may be one are one.
pub fn fold(text: &str) -> Cow<'_, str> {
    let changes = |(_, character): &(usize, char)| simplified(*character) != *character;
    let Some((at, _)) = text.char_indices().find(changes) else {
        return Cow::Borrowed(text);
    };
    let (before, rest) = text.split_at(at);
    let mut folded = String::with_capacity(text.len());
    folded.push_str(before);
    folded.extend(rest.chars().map(simplified));
    Cow::Owned(folded)
}

pub fn has_han(text: &str) -> bool {
    !text.is_ascii() && text.chars().any(is_han)
}

/// The spellings in pinyin, lower-case, without tones and spaces; letters and digits of other scripts stay, all else goes.
///
/// The readings of the characters are combined, the most usual first, until there are 16; what a surname is read as comes
/// first where it stands first. ü is `v`, `u` and, as in passports, `yu`. More than 12 Han characters have one spelling.
pub fn readings(text: &str) -> Vec<String> {
    let Some(name) = Name::parse(text) else {
        return Vec::new();
    };
    let mut spelled = BTreeSet::new();
    for combination in name.combinations() {
        let has_umlaut = combination.iter().any(|reading| reading.contains('ü'));
        let umlauts: &[&str] = if has_umlaut && !name.is_long { &["v", "u", "yu"] } else { &["v"] };
        spelled.extend(umlauts.iter().map(|umlaut| name.spell(&combination, umlaut)));
    }
    spelled.remove("");
    spelled.into_iter().collect()
}

/// The first letters of the same combinations, and of each run of other letters or digits; none has less than two.
pub fn initials(text: &str) -> Vec<String> {
    let Some(name) = Name::parse(text).filter(|name| !name.is_long) else {
        return Vec::new();
    };
    let each = name.combinations().into_iter().map(|combination| name.initials(&combination));
    let found: BTreeSet<String> =
        each.filter(|initials| initials.chars().nth(1).is_some()).collect();
    found.into_iter().collect()
}

/// What puts names into the order of pinyin, compared byte by byte.
///
/// A Han character is its first reading, the number of the tone and its simplified form: `chen2陈`. Digits are before
/// letters, so 陈 is before 程, and Latin names stand among Chinese ones; the two forms of a name have one key.
pub fn sort_key(text: &str) -> String {
    let mut key = String::new();
    let mut characters = normalised(text.trim()).peekable();
    let mut role = Role::First;
    while let Some(character) = characters.next() {
        if key.len() >= LENGTH_MAX_BYTES {
            break;
        }
        let mut part = String::new();
        if is_han(character) {
            let next = characters.peek().copied();
            let (readings, next_role) = spoken(character, next, role);
            role = next_role;
            if let Some(reading) = readings.first() {
                push(&mut part, reading, "v");
            }
            part.push(simplified(character));
        } else {
            role = Role::Other;
            part.push(character);
        }
        if key.len() + part.len() > LENGTH_MAX_BYTES {
            break;
        }
        key.push_str(&part);
    }
    key
}

/// Hands on what a text is found by: each Han character, each two that are neighbours, and the words of other scripts, some of
/// them more than once.
///
/// In simplified characters, lower-case, full-width as half-width. `asked(query)` is among the words of a document that has
/// the query in it: Han characters anywhere, other words whole. The reverse is nearly so: three characters are also found where
/// their two pairs stand apart.
pub fn words(text: &str, visit: impl FnMut(&str)) {
    Words::new(visit).parse(text, true);
}

/// The words that a text must have all of to have this one in it, sorted; see `words`.
///
/// Two Han characters and more ask for their pairs; one asks for itself. A text without words asks for nothing, and so
/// finds everything: it is for the caller to refuse.
pub fn asked(text: &str) -> Vec<String> {
    let mut asked = BTreeSet::new();
    Words::new(|word: &str| {
        asked.insert(word.to_owned());
    })
    .parse(text, false);
    asked.into_iter().collect()
}

/// A name that is spelled in more than one way.
struct Name {
    parts: Vec<Part>,
    is_long: bool,
}

enum Part {
    /// The readings, the most usual first, with the number of the tone: `lü3`.
    Han(Vec<Cow<'static, str>>),
    Other(char),
}

/// Where a character stands in a name.
#[derive(Clone, Copy)]
enum Role {
    First,
    /// Read like this, as the second of a surname of two characters.
    Second(&'static str),
    Other,
}

impl Name {
    /// Nothing for a text without Han characters.
    fn parse(text: &str) -> Option<Name> {
        if !has_han(text) {
            return None;
        }
        let kept = |character: &char| is_han(*character) || character.is_alphanumeric();
        let characters: Vec<char> = normalised(text).filter(kept).take(LENGTH_MAX_BYTES).collect();
        let mut role = Role::First;
        let mut nexts = characters.iter().copied().skip(1);
        let mut parts = Vec::with_capacity(characters.len());
        for character in &characters {
            let next = nexts.next();
            if !is_han(*character) {
                role = Role::Other;
                parts.push(Part::Other(*character));
                continue;
            }
            let (readings, next_role) = spoken(*character, next, role);
            role = next_role;
            parts.push(Part::Han(readings));
        }
        let is_long =
            characters.iter().filter(|character| is_han(**character)).nth(NAME_CHARACTERS_MAX);
        Some(Name { parts, is_long: is_long.is_some() })
    }

    /// A reading for each Han character that has any, the most usual combinations first.
    fn combinations(&self) -> Vec<Vec<&str>> {
        let max = if self.is_long { 1 } else { COMBINATIONS_MAX };
        // How far a combination is from the most usual one is a sum over its characters, so what is not among the best
        // of its beginning is not among the best of the whole.
        let mut best: Vec<(usize, Vec<&str>)> = vec![(0, Vec::new())];
        for part in &self.parts {
            let Part::Han(readings) = part else { continue };
            if let [only] = readings.as_slice() {
                best.iter_mut().for_each(|(_, combination)| combination.push(only));
            } else if !readings.is_empty() {
                let mut next = Vec::with_capacity(best.len() * readings.len());
                for (rarity, combination) in &best {
                    for (rank, reading) in readings.iter().take(max).enumerate() {
                        let mut combination = combination.clone();
                        combination.push(reading);
                        next.push((rarity + rank, combination));
                    }
                }
                next.sort_by_key(|(rarity, _)| *rarity);
                next.truncate(max);
                best = next;
            }
        }
        best.into_iter().map(|(_, combination)| combination).collect()
    }

    fn spell(&self, combination: &[&str], umlaut: &str) -> String {
        let mut spelled = String::new();
        for (letter, reading) in self.paired(combination) {
            let length = spelled.len();
            match letter {
                Some(letter) => spelled.push(letter),
                None => push(&mut spelled, toneless(reading), umlaut),
            }
            if spelled.len() > LENGTH_MAX_BYTES {
                spelled.truncate(length);
                break;
            }
        }
        spelled
    }

    fn initials(&self, combination: &[&str]) -> String {
        let mut initials = String::new();
        let mut is_inside = false;
        for (letter, reading) in self.paired(combination) {
            match letter {
                Some(letter) if !is_inside => initials.push(letter),
                Some(_) => {}
                None => initials.extend(reading.chars().next().map(latin)),
            }
            is_inside = letter.is_some();
        }
        initials
    }

    /// Each part as the letter that it is, or with its reading.
    fn paired<'a>(
        &'a self,
        combination: &'a [&str],
    ) -> impl Iterator<Item = (Option<char>, &'a str)> {
        let mut readings = combination.iter();
        self.parts.iter().filter_map(move |part| match part {
            Part::Other(letter) => Some((Some(*letter), "")),
            Part::Han(of) if of.is_empty() => None,
            Part::Han(_) => readings.next().map(|reading| (None, *reading)),
        })
    }
}

struct Words<V> {
    word: String,
    visit: V,
}

impl<V: FnMut(&str)> Words<V> {
    fn new(visit: V) -> Words<V> {
        Words { word: String::new(), visit }
    }

    fn parse(&mut self, text: &str, is_document: bool) {
        let mut before = None;
        let mut characters = normalised(text).map(simplified).peekable();
        while let Some(character) = characters.next() {
            if !is_han(character) {
                before = None;
                self.continue_with(character);
                continue;
            }
            self.end();
            if let Some(before) = before {
                self.word.push(before);
                self.word.push(character);
                self.end();
            }
            let is_alone = before.is_none() && !characters.peek().copied().is_some_and(is_han);
            if is_document || is_alone {
                self.word.push(character);
                self.end();
            }
            before = Some(character);
        }
        self.end();
    }

    fn continue_with(&mut self, character: char) {
        let is_mark = !self.word.is_empty() && is_combining_mark(character);
        if character.is_alphanumeric() || is_mark {
            self.word.push(character);
        } else {
            self.end();
        }
    }

    fn end(&mut self) {
        if !self.word.is_empty() {
            (self.visit)(&self.word);
        }
        self.word.clear();
    }
}

/// The readings, with what they make of the character after it.
fn spoken(character: char, next: Option<char>, role: Role) -> (Vec<Cow<'static, str>>, Role) {
    let mut readings = readings_of(character);
    let simple = simplified(character);
    match role {
        Role::Other => (readings, Role::Other),
        Role::Second(reading) => {
            put_first(&mut readings, reading);
            (readings, Role::Other)
        }
        Role::First => {
            let single = surnames::SINGLE.iter().find(|(surname, _)| *surname == simple);
            for reading in single.iter().flat_map(|(_, readings)| readings.iter().rev()) {
                put_first(&mut readings, reading);
            }
            let pair = next.map(|next| [simple, simplified(next)]);
            let double = surnames::DOUBLE.iter().find(|(surname, _)| Some(*surname) == pair);
            let Some((_, [first, second])) = double else {
                return (readings, Role::Other);
            };
            put_first(&mut readings, first);
            (readings, Role::Second(second))
        }
    }
}

fn put_first(readings: &mut Vec<Cow<'static, str>>, reading: &'static str) {
    readings.retain(|other| toneless(other) != toneless(reading));
    readings.insert(0, Cow::Borrowed(reading));
}

/// One for each spelling, the most usual first; none where nobody knows.
fn readings_of(character: char) -> Vec<Cow<'static, str>> {
    let known = character.to_pinyin_multi().or_else(|| simplified(character).to_pinyin_multi());
    let all = || known.into_iter().flatten().map(Pinyin::with_tone_num_end);
    // The first with a tone, if any has one: 子 is zi, and zi3.
    let toned = |spelling: &'static str| {
        let mut same = all().filter(move |reading| toneless(reading) == spelling);
        same.clone().find(|reading| reading.ends_with(is_tone)).or_else(|| same.next())
    };
    if let Ok(at) = READINGS.binary_search_by_key(&character, |(character, _)| *character) {
        let spellings = READINGS.get(at).into_iter().flat_map(|(_, listed)| listed.split(' '));
        return spellings.filter_map(toned).map(Cow::Borrowed).collect();
    }
    let mut readings: Vec<Cow<'static, str>> = Vec::new();
    for spelling in all().map(toneless) {
        if readings.iter().all(|reading| toneless(reading) != spelling) {
            readings.extend(toned(spelling).map(Cow::Borrowed));
        }
    }
    readings
}

fn toneless(reading: &str) -> &str {
    reading.trim_end_matches(is_tone)
}

fn is_tone(character: char) -> bool {
    character.is_ascii_digit()
}

fn push(spelled: &mut String, reading: &str, umlaut: &str) {
    for letter in reading.chars() {
        if letter == 'ü' {
            spelled.push_str(umlaut);
        } else {
            spelled.push(latin(letter));
        }
    }
}

fn latin(letter: char) -> char {
    if letter == 'ê' { 'e' } else { letter }
}

fn simplified(character: char) -> char {
    if !is_han(character) {
        return character;
    }
    let found = SIMPLIFIED.binary_search_by_key(&character, |(traditional, _)| *traditional);
    let pair = found.ok().and_then(|at| SIMPLIFIED.get(at));
    pair.map_or(character, |(_, simplified)| *simplified)
}

/// Full-width as half-width and lower-case, without the selectors that pick a shape of the character before.
fn normalised(text: &str) -> impl Iterator<Item = char> {
    let shown = |character: &char| !matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
    text.chars().filter(shown).nfkc().flat_map(char::to_lowercase)
}

/// Ideographs, their radicals and compatible forms, 々 and 〇.
fn is_han(character: char) -> bool {
    matches!(
        character,
        '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3fffd}' |
        '\u{f900}'..='\u{faff}' | '\u{2e80}'..='\u{2fd5}' | '\u{3005}' | '\u{3007}'
    )
}

fn entries(table: &'static str) -> impl Iterator<Item = (char, &'static str)> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut rest = line.chars();
        Some((rest.next()?, rest.as_str()))
    })
}

#[cfg(test)]
mod tests;
