//! Resident identity numbers (GB 11643): district, birth date, sequence with the sex, check character. No two people share one.

use crate::calendar::Day;
use crate::person::Sex;
use crate::place::DISTRICTS;

/// The naming system of resident identity numbers.
pub(crate) const SYSTEM: &str = "urn:oid:2.16.156.10011.1.3";

/// First year of birth, years, sequence numbers a day, district and sex: how many of the patients are of that age.
const AGES: [(i64, i64, i64); 10] = [
    (1928, 8, 40),
    (1936, 10, 170),
    (1946, 10, 380),
    (1956, 10, 499),
    (1966, 10, 420),
    (1976, 10, 380),
    (1986, 10, 400),
    (1996, 10, 260),
    (2006, 10, 260),
    (2016, 10, 360),
];

/// A prime larger than the number of cells: it visits each once before it comes back.
const STRIDE: u64 = 2_654_435_761;

/// Birth date and identity number of the person of this number.
pub(crate) fn resident(seed: u64, number: u64, sex: Sex) -> (Day, String) {
    let districts = i64::try_from(DISTRICTS.len()).unwrap_or(1);
    let cells = |age: &(i64, i64, i64)| days(age) * age.2 * districts;
    let all = u64::try_from(AGES.iter().map(cells).sum::<i64>()).unwrap_or(1);
    let offset = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) % all;
    let place = (number % all * (STRIDE % all) + offset) % all;
    let mut place = i64::try_from(place).unwrap_or(0);
    for age in &AGES {
        if place >= cells(age) {
            place -= cells(age);
            continue;
        }
        let birth = Day::of(age.0, 1, 1).plus(place % days(age));
        let rest = place / days(age);
        let district = DISTRICTS.iter().cycle().nth(usize::try_from(rest / age.2).unwrap_or(0));
        // Odd for men, even for women.
        let sequence = 2 * (rest % age.2) + if sex == Sex::Male { 1 } else { 2 };
        let code = district.map_or("310101", |district| district.0);
        let (year, month, day) = birth.civil();
        let body = format!("{code}{year:04}{month:02}{day:02}{sequence:03}");
        let check = check_character(&body);
        return (birth, format!("{body}{check}"));
    }
    (Day(0), String::new())
}

fn days(age: &(i64, i64, i64)) -> i64 {
    Day::of(age.0 + age.1, 1, 1).0 - Day::of(age.0, 1, 1).0
}

/// Weights are powers of two modulo 11 (ISO 7064, MOD 11-2).
fn check_character(body: &str) -> char {
    let sum = body.bytes().fold(0, |sum, byte| (sum + u32::from(byte.wrapping_sub(b'0'))) * 2 % 11);
    match (12 - sum) % 11 {
        10 => 'X',
        digit => char::from_digit(digit, 10).unwrap_or('0'),
    }
}

#[cfg(test)]
mod tests {
    use super::{check_character, resident};
    use crate::calendar::{Day, TODAY};
    use crate::person::Sex;
    use std::collections::HashSet;

    #[test]
    fn check_characters_are_those_of_the_standard() {
        // The examples of GB 11643.
        assert_eq!(check_character("11010519491231002"), 'X');
        assert_eq!(check_character("44052418800101001"), '4');
    }

    #[test]
    fn numbers_are_different_and_say_birth_and_sex() {
        let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        let mut seen = HashSet::new();
        for number in 0..50_000_u64 {
            let sex = if number % 3 == 0 { Sex::Male } else { Sex::Female };
            let (birth, text) = resident(9, number, sex);
            assert_eq!(text.len(), 18);
            let sum: usize =
                text.bytes().zip(weights).map(|(b, w)| usize::from(b - b'0') * w).sum();
            assert_eq!(text.chars().last(), "10X98765432".chars().nth(sum % 11));
            let (year, month, day) = birth.civil();
            assert_eq!(text[6..14], format!("{year:04}{month:02}{day:02}"));
            assert_eq!(text.as_bytes()[16] % 2 == 1, sex == Sex::Male);
            assert!(text.starts_with("310") && birth <= TODAY.max(Day::of(2025, 12, 31)));
            assert!(seen.insert(text));
        }
    }
}
