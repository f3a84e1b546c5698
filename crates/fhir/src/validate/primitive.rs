//! The formats of primitives (datatypes.html#primitive), by hand: they are looked at on every write.

use serde_json::Value;

/// datatypes.html#string: 1 MB.
const STRING_BYTES_MAX: usize = 1 << 20;

pub(super) fn check(code: &str, value: &Value) -> Result<(), String> {
    match (code, value) {
        ("boolean", Value::Bool(_)) => Ok(()),
        ("boolean", _) => Err("must be true or false, without quotes".to_owned()),
        ("integer", _) => whole(value, i64::from(i32::MIN), "a whole number"),
        ("unsignedInt", _) => whole(value, 0, "a whole number of 0 or more"),
        ("positiveInt", _) => whole(value, 1, "a whole number of 1 or more"),
        ("decimal", Value::Number(_)) => Ok(()),
        ("decimal", _) => Err("must be a number, without quotes".to_owned()),
        (_, Value::String(text)) => string(code, text),
        (_, _) => Err(format!("must be a string in quotes: a {code}")),
    }
}

fn whole(value: &Value, least: i64, what: &str) -> Result<(), String> {
    let Value::Number(number) = value else {
        return Err(format!("must be {what}, without quotes"));
    };
    match number.as_i64() {
        Some(number) if (least..=i64::from(i32::MAX)).contains(&number) => Ok(()),
        Some(_) | None => Err(format!("`{number}` is not {what} of 32 bits")),
    }
}

fn string(code: &str, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("an empty string says nothing; leave it out".to_owned());
    }
    let (is_sound, what) = match code {
        "id" => (is_id(text), "an id: 1 to 64 letters, digits, `-` and `.`"),
        "code" => (is_code(text), "a code: no white space at the ends, single spaces inside"),
        "uri" | "url" | "canonical" => (is_uri(text), "a URI: no white space"),
        "oid" => (is_oid(text), "an OID such as urn:oid:1.2.3"),
        "uuid" => (is_uuid(text), "a UUID such as urn:uuid:c757873d-ec9a-4326-a141-556f43239520"),
        "date" => {
            (is_date(text), "a date such as 2026, 2026-11 or 2026-11-23, of a day that exists")
        }
        "dateTime" => {
            (is_date_time(text), "a dateTime such as 2026, 2026-11-23 or 2026-11-23T08:00:00+08:00")
        }
        "instant" => (is_instant(text), "an instant such as 2026-11-23T08:00:00.000+08:00"),
        "time" => (is_time(text), "a time such as 08:00:00"),
        "base64Binary" => (is_base64(text), "base64"),
        _ => return plain(text),
    };
    if is_sound { Ok(()) } else { Err(format!("`{}` is not {what}", short(text))) }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

fn plain(text: &str) -> Result<(), String> {
    if text.len() > STRING_BYTES_MAX {
        return Err(format!("longer than {STRING_BYTES_MAX} bytes"));
    }
    let is_control = |byte: u8| byte < 32 && !matches!(byte, b'\t' | b'\n' | b'\r');
    if text.bytes().any(is_control) {
        return Err(
            "control characters other than tab, line feed and carriage return have no place here"
                .to_owned(),
        );
    }
    if text.trim().is_empty() {
        return Err("a string of white space says nothing; leave it out".to_owned());
    }
    Ok(())
}

fn is_id(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

fn is_code(text: &str) -> bool {
    let mut after_space = true;
    for character in text.chars() {
        let is_space = character.is_whitespace();
        if is_space && after_space {
            return false;
        }
        after_space = is_space;
    }
    !after_space
}

fn is_uri(text: &str) -> bool {
    !text.chars().any(char::is_whitespace)
}

fn is_oid(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("urn:oid:") else { return false };
    let mut arcs = rest.split('.');
    let is_arc = |arc: &str| {
        !arc.is_empty()
            && arc.bytes().all(|byte| byte.is_ascii_digit())
            && (arc == "0" || !arc.starts_with('0'))
    };
    arcs.next().is_some_and(|first| matches!(first, "0" | "1" | "2"))
        && rest.contains('.')
        && arcs.all(is_arc)
}

fn is_uuid(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("urn:uuid:") else { return false };
    rest.len() == 36
        && rest.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn number(text: &str, length: usize) -> Option<u32> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let Some(year) = parts.next().and_then(|year| number(year, 4)).filter(|year| *year > 0) else {
        return false;
    };
    let Some(month) = parts.next() else { return true };
    let Some(month) = number(month, 2).filter(|month| (1..=12).contains(month)) else {
        return false;
    };
    let Some(day) = parts.next() else { return true };
    let length = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    parts.next().is_none() && number(day, 2).is_some_and(|day| (1..=length).contains(&day))
}

fn is_date_time(text: &str) -> bool {
    if text.contains('T') { is_instant(text) } else { is_date(text) }
}

/// A whole date, a time to the second, an offset.
fn is_instant(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else { return false };
    if date.len() != 10 || !is_date(date) {
        return false;
    }
    if let Some(clock) = time.strip_suffix('Z') {
        return is_time(clock);
    }
    let Some(place) = time.rfind(['+', '-']) else { return false };
    let (clock, offset) = time.split_at(place);
    let Some((hours, minutes)) = offset.get(1..).and_then(|offset| offset.split_once(':')) else {
        return false;
    };
    let (Some(hours), Some(minutes)) = (number(hours, 2), number(minutes, 2)) else { return false };
    is_time(clock) && (hours < 14 && minutes < 60 || hours == 14 && minutes == 0)
}

fn is_time(text: &str) -> bool {
    let mut parts = text.split(':');
    let (Some(hour), Some(minute), Some(second), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (whole, fraction) =
        second.split_once('.').map_or((second, None), |(whole, rest)| (whole, Some(rest)));
    let below = |text: &str, end: u32| number(text, 2).is_some_and(|number| number < end);
    let is_fraction =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    below(hour, 24) && below(minute, 60) && below(whole, 61) && fraction.is_none_or(is_fraction)
}

fn is_base64(text: &str) -> bool {
    let (mut digits, mut padding) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'=' => padding += 1,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'+' | b'/' if padding == 0 => digits += 1,
            byte if byte.is_ascii_alphanumeric() && padding == 0 => digits += 1,
            _ => return false,
        }
    }
    padding <= 2 && (digits + padding) % 4 == 0 && digits > 0
}

#[cfg(test)]
mod tests {
    use super::check;
    use serde_json::json;

    #[test]
    fn formats() {
        for (code, good, bad) in [
            (
                "date",
                &["2026", "2026-02", "2024-02-29"][..],
                &["26", "2026-2", "2023-02-29", "0000", "2026-01-01T00:00:00Z", "2026-01-01-01"][..],
            ),
            (
                "dateTime",
                &["2026", "2026-11-23T08:00:00Z", "2026-11-23T08:00:60.123+14:00"],
                &[
                    "2026-11-23T08:00",
                    "2026-11-23T08:00:00",
                    "2026-11-23T24:00:00Z",
                    "2026-11T08:00:00Z",
                ],
            ),
            (
                "instant",
                &["2026-11-23T08:00:00.1-05:30"],
                &["2026-11-23", "2026-11-23T08:00:00+15:00"],
            ),
            ("time", &["08:00:00", "23:59:59.999"], &["8:00:00", "08:00", "24:00:00", "08:00:00."]),
            ("code", &["a", "a b"], &[" a", "a ", "a  b"]),
            ("uri", &["urn:x", "http://a/王"], &["a b"]),
            ("oid", &["urn:oid:1.2.840"], &["1.2", "urn:oid:1", "urn:oid:3.1", "urn:oid:1.02"]),
            (
                "uuid",
                &["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
                &["c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:c757873d"],
            ),
            ("base64Binary", &["YWJj", "YQ==", "YW Jj\n"], &["YWJ", "Y===", "YW=J", "?"]),
            ("string", &["a", "\t王\n"], &["", " ", "\u{1}"]),
            ("id", &["a", "A-1.b"], &["a_b", "王"]),
        ] {
            for text in good {
                assert_eq!(check(code, &json!(text)), Ok(()), "{code} {text}");
            }
            for text in bad {
                assert!(check(code, &json!(text)).is_err(), "{code} {text}");
            }
        }
        for (code, text, expected) in [
            ("integer", "-5", true),
            ("integer", "1.0", false),
            ("integer", "3000000000", false),
            ("positiveInt", "0", false),
            ("unsignedInt", "0", true),
            ("decimal", "1.50", true),
            ("boolean", "1", false),
        ] {
            let value = serde_json::from_str(text).unwrap();
            assert_eq!(check(code, &value).is_ok(), expected, "{code} {text}");
        }
    }
}
