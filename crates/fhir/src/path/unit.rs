//! Units of UCUM that differ by a factor only: enough to compare and compute with common quantities (ucum.org).
//!
//! A unit that is not known here equals itself, and nothing else.

use super::quantity::{Calendar, Quantity, Unit};
use rust_decimal::Decimal;
use std::fmt::Write;

/// Exponents of the base units, in the order of `BASES`.
type Dimension = [i8; 7];

/// Months of the calendar have no fixed length, so they are a dimension of their own.
const BASES: [&str; 7] = ["m", "g", "s", "K", "mol", "A", "{month}"];

/// Codes of units are short; longer ones are not read.
const CODE_BYTES_MAX: usize = 64;

const MONTH: usize = 6;
const SECOND: usize = 2;

/// How many of its base units one unit is: a fraction, for a minute has no decimal part of an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    times: Decimal,
    over: Decimal,
    dimension: Dimension,
}

struct Atom {
    code: &'static str,
    takes_prefix: bool,
    /// Mantissa and exponent of ten.
    factor: (i64, i32),
    dimension: Dimension,
}

const fn atom(
    code: &'static str,
    takes_prefix: bool,
    factor: (i64, i32),
    dimension: Dimension,
) -> Atom {
    Atom { code, takes_prefix, factor, dimension }
}

const NONE: Dimension = [0; 7];
const LENGTH: Dimension = [1, 0, 0, 0, 0, 0, 0];
const MASS: Dimension = [0, 1, 0, 0, 0, 0, 0];
const TIME: Dimension = [0, 0, 1, 0, 0, 0, 0];
const VOLUME: Dimension = [3, 0, 0, 0, 0, 0, 0];
const FORCE: Dimension = [1, 1, -2, 0, 0, 0, 0];
const PRESSURE: Dimension = [-1, 1, -2, 0, 0, 0, 0];
const ENERGY: Dimension = [2, 1, -2, 0, 0, 0, 0];

const ATOMS: [Atom; 31] = [
    atom("1", false, (1, 0), NONE),
    atom("10*", false, (1, 1), NONE),
    atom("10^", false, (1, 1), NONE),
    atom("%", false, (1, -2), NONE),
    atom("m", true, (1, 0), LENGTH),
    atom("[in_i]", false, (254, -4), LENGTH),
    atom("[ft_i]", false, (3048, -4), LENGTH),
    atom("[yd_i]", false, (9144, -4), LENGTH),
    atom("[mi_i]", false, (1_609_344, -3), LENGTH),
    atom("g", true, (1, 0), MASS),
    atom("t", true, (1, 6), MASS),
    atom("[lb_av]", false, (45_359_237, -5), MASS),
    atom("[oz_av]", false, (28_349_523_125, -9), MASS),
    atom("s", true, (1, 0), TIME),
    atom("min", false, (60, 0), TIME),
    atom("h", false, (3_600, 0), TIME),
    atom("d", false, (86_400, 0), TIME),
    atom("wk", false, (604_800, 0), TIME),
    atom("mo", false, (2_629_800, 0), TIME),
    atom("a", false, (31_557_600, 0), TIME),
    atom("L", true, (1, -3), VOLUME),
    atom("l", true, (1, -3), VOLUME),
    atom("K", true, (1, 0), [0, 0, 0, 1, 0, 0, 0]),
    atom("mol", true, (1, 0), [0, 0, 0, 0, 1, 0, 0]),
    atom("A", true, (1, 0), [0, 0, 0, 0, 0, 1, 0]),
    atom("Hz", true, (1, 0), [0, 0, -1, 0, 0, 0, 0]),
    atom("N", true, (1, 3), FORCE),
    atom("Pa", true, (1, 3), PRESSURE),
    atom("bar", true, (1, 8), PRESSURE),
    atom("m[Hg]", true, (133_322_387, 0), PRESSURE),
    atom("J", true, (1, 3), ENERGY),
];

const PREFIXES: [(&str, i32); 15] = [
    ("da", 1),
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("h", 2),
    ("d", -1),
    ("c", -2),
    ("m", -3),
    ("u", -6),
    ("n", -9),
    ("p", -12),
    ("f", -15),
    ("a", -18),
    ("z", -21),
];

fn power_of_ten(exponent: i32) -> Option<Decimal> {
    let digits = exponent.unsigned_abs();
    if exponent < 0 {
        Decimal::try_new(1, digits).ok()
    } else {
        Decimal::TEN.checked_mul(Decimal::from(10_i64.checked_pow(digits.checked_sub(1)?)?))
    }
}

fn scaled(mantissa: Decimal, exponent: i32) -> Option<Decimal> {
    if exponent == 0 { Some(mantissa) } else { mantissa.checked_mul(power_of_ten(exponent)?) }
}

/// A unit without prefix, or a prefix and a unit that takes one.
fn find(code: &str) -> Option<Scale> {
    if let Some(atom) = ATOMS.iter().find(|atom| atom.code == code) {
        return atom.scale(0);
    }
    PREFIXES.iter().find_map(|(prefix, exponent)| {
        let code = code.strip_prefix(prefix)?;
        ATOMS.iter().find(|atom| atom.takes_prefix && atom.code == code)?.scale(*exponent)
    })
}

impl Atom {
    fn scale(&self, exponent: i32) -> Option<Scale> {
        let (mantissa, own) = self.factor;
        let times = scaled(Decimal::from(mantissa), own + exponent)?;
        Some(Scale { times, over: Decimal::ONE, dimension: self.dimension })
    }
}

impl Scale {
    fn parse(unit: &str) -> Option<Scale> {
        if unit.len() > CODE_BYTES_MAX {
            return None;
        }
        let mut scale = Scale { times: Decimal::ONE, over: Decimal::ONE, dimension: NONE };
        let mut divides = unit.starts_with('/');
        let mut rest = unit.strip_prefix('/').unwrap_or(unit);
        loop {
            let end = rest.find(['.', '/']).unwrap_or(rest.len());
            let (component, after) = rest.split_at_checked(end)?;
            scale = scale.times(Scale::component(component)?, divides)?;
            let Some(sign) = after.chars().next() else { return Some(scale) };
            divides = sign == '/';
            rest = after.get(1..)?;
        }
    }

    /// `m`, `m2`, `s-1`, `{beats}`: a unit with its exponent; what stands in braces is a remark.
    fn component(text: &str) -> Option<Scale> {
        let text = match text.split_once('{') {
            Some((unit, remark)) if remark.ends_with('}') => unit,
            Some(_) => return None,
            None => text,
        };
        if text.is_empty() {
            return find("1");
        }
        if let Some(scale) = find(text) {
            return Some(scale);
        }
        let unit = text.trim_end_matches(|next: char| next.is_ascii_digit());
        let unit = unit.strip_suffix(['-', '+']).unwrap_or(unit);
        let exponent: i8 = text.get(unit.len()..)?.parse().ok()?;
        let mut scale = find("1")?;
        for _ in 0..exponent.unsigned_abs().min(20) {
            scale = scale.times(find(unit)?, exponent < 0)?;
        }
        Some(scale)
    }

    pub(super) fn times(self, other: Scale, divides: bool) -> Option<Scale> {
        let mut dimension = self.dimension;
        for (own, more) in dimension.iter_mut().zip(other.dimension) {
            *own = if divides { own.checked_sub(more)? } else { own.checked_add(more)? };
        }
        let (times, over) =
            if divides { (other.over, other.times) } else { (other.times, other.over) };
        let (times, over) = (self.times.checked_mul(times)?, self.over.checked_mul(over)?);
        Some(Scale { times, over, dimension })
    }

    /// The unit in base units: `g.m-1`.
    fn code(self) -> String {
        let mut code = String::new();
        for (base, exponent) in BASES.iter().zip(self.dimension) {
            if exponent == 0 {
                continue;
            }
            let dot = if code.is_empty() { "" } else { "." };
            let power = if exponent == 1 { String::new() } else { exponent.to_string() };
            // Writing to a text has no way to fail.
            let _ = write!(code, "{dot}{base}{power}");
        }
        if code.is_empty() { "1".to_owned() } else { code }
    }
}

impl Unit {
    pub(super) fn scale(&self) -> Option<Scale> {
        let calendar = match self {
            Unit::Ucum(code) => return Scale::parse(code),
            Unit::Foreign(_) => return None,
            Unit::Calendar(calendar) => *calendar,
        };
        let code = match calendar {
            Calendar::Year | Calendar::Month => {
                let mut dimension = NONE;
                *dimension.get_mut(MONTH)? = 1;
                let months = if calendar == Calendar::Year { 12 } else { 1 };
                let times = Decimal::from(months);
                return Some(Scale { times, over: Decimal::ONE, dimension });
            }
            Calendar::Week => "wk",
            Calendar::Day => "d",
            Calendar::Hour => "h",
            Calendar::Minute => "min",
            Calendar::Second => "s",
            Calendar::Millisecond => "ms",
        };
        Scale::parse(code)
    }

    /// The unit of the calendar that a duration is counted in; of UCUM only those of a fixed length.
    pub(super) fn calendar(&self) -> Option<Calendar> {
        match self {
            Unit::Calendar(calendar) => Some(*calendar),
            Unit::Foreign(_) => None,
            Unit::Ucum(code) => Some(match &**code {
                "wk" => Calendar::Week,
                "d" => Calendar::Day,
                "h" => Calendar::Hour,
                "min" => Calendar::Minute,
                "s" => Calendar::Second,
                "ms" => Calendar::Millisecond,
                other => return Calendar::parse(other),
            }),
        }
    }
}

impl Quantity {
    /// The value in the unit of another quantity; none when they measure different things.
    pub(super) fn value_in(&self, unit: &Unit) -> Option<Decimal> {
        if self.unit == *unit {
            return Some(self.value);
        }
        let (own, wanted) = (self.unit.scale()?, unit.scale()?);
        if own.dimension != wanted.dimension {
            return None;
        }
        let value = self.value.checked_mul(own.times.checked_mul(wanted.over)?)?;
        value.checked_div(own.over.checked_mul(wanted.times)?)
    }

    /// Like `value_in`, with a month of UCUM for one of the calendar: good enough to be equivalent.
    pub(super) fn value_about(&self, unit: &Unit) -> Option<Decimal> {
        let mean = |unit: &Unit| match unit {
            Unit::Calendar(Calendar::Year) => Unit::Ucum("a".into()),
            Unit::Calendar(Calendar::Month) => Unit::Ucum("mo".into()),
            other => other.clone(),
        };
        self.value_in(unit).or_else(|| {
            Quantity { value: self.value, unit: mean(&self.unit) }.value_in(&mean(unit))
        })
    }

    pub(super) fn is_comparable(&self, other: &Quantity) -> bool {
        self.value_in(&other.unit).is_some()
    }

    pub(super) fn times(&self, other: &Quantity, divides: bool) -> Option<Quantity> {
        let value = if divides {
            self.value.checked_div(other.value)?
        } else {
            self.value.checked_mul(other.value)?
        };
        let one = Unit::Ucum("1".into());
        if other.unit == one {
            return Some(Quantity { value, unit: self.unit.clone() });
        }
        if self.unit == one && !divides {
            return Some(Quantity { value, unit: other.unit.clone() });
        }
        if self.unit == other.unit && divides {
            return Some(Quantity { value, unit: one });
        }
        let scale = self.unit.scale()?.times(other.unit.scale()?, divides)?;
        // A rate per month is no unit of UCUM.
        if scale.dimension.get(MONTH) != Some(&0) && scale.dimension.get(SECOND) != Some(&0) {
            return None;
        }
        let value = value.checked_mul(scale.times)?.checked_div(scale.over)?.normalize();
        Some(Quantity { value, unit: Unit::Ucum(scale.code().into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::quantity::{Calendar, Quantity, Unit};
    use rust_decimal::Decimal;

    fn quantity(value: &str, unit: &str) -> Quantity {
        Quantity { value: value.parse().unwrap(), unit: Unit::Ucum(unit.into()) }
    }

    fn check(value: &str, unit: &str, wanted: &str, expected: Option<&str>) {
        let found = quantity(value, unit).value_in(&Unit::Ucum(wanted.into()));
        assert_eq!(found, expected.map(|text| text.parse::<Decimal>().unwrap()), "{unit} {wanted}");
    }

    #[test]
    fn units_of_one_dimension_are_converted() {
        check("4", "g", "mg", Some("4000"));
        check("1", "[in_i]", "cm", Some("2.54"));
        check("90", "mg/dL", "g/L", Some("0.9"));
        check("72", "/min", "{beats}/s", Some("1.2"));
        check("1", "m2", "cm2", Some("10000"));
        check("1", "kg.m/s2", "N", Some("1"));
        check("5", "10*3/uL", "10*9/L", Some("5"));
    }

    #[test]
    fn what_is_not_known_equals_only_itself() {
        check("3", "[iU]", "[iU]", Some("3"));
        check("3", "[iU]", "m[iU]", None);
        check("1", "cm", "s", None);
        check("1", "m999999999999", "m", None);
        check("1", "..//", "m", None);
        check("1", "é{", "m", None);
    }

    #[test]
    fn units_multiply() {
        let product = quantity("2.0", "cm").times(&quantity("2.0", "m"), false).unwrap();
        assert_eq!(product.to_string(), "0.04 'm2'");
        let ratio = quantity("4", "g").times(&quantity("2", "m"), true).unwrap();
        assert_eq!(ratio.to_string(), "2 'm-1.g'");
    }

    #[test]
    fn a_month_of_the_calendar_is_no_number_of_days() {
        let month = Quantity { value: Decimal::ONE, unit: Unit::Calendar(Calendar::Month) };
        assert_eq!(month.value_in(&Unit::Calendar(Calendar::Day)), None);
        assert_eq!(month.value_in(&Unit::Ucum("mo".into())), None);
        assert_eq!(month.value_about(&Unit::Ucum("mo".into())), Some(Decimal::ONE));
        let year = Quantity { value: Decimal::ONE, unit: Unit::Calendar(Calendar::Year) };
        assert_eq!(year.value_in(&month.unit), Some(Decimal::from(12)));
    }
}
