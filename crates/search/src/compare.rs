//! Prefixes and what they ask of a value that has a low and a high end (search.html#prefix).
//!
//! Dates are ranges of microseconds, both ends included; numbers are points of a line on which every number of 64 bits has its
//! place. A value without an end lies `UNBOUNDED` away, near enough that differences do not overflow.

use crate::error::{Error, shown};

/// What a value of no known beginning or end has instead.
pub(crate) const UNBOUNDED: i64 = 1 << 61;

/// Values wider than this are looked up apart from the others: whatever ends late among the others also begins late. A day, and
/// the hour that a change of clocks may add.
pub(crate) const WIDE: i64 = 25 * 3_600 * 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    StartsAfter,
    EndsBefore,
    Approximately,
}

impl Prefix {
    /// Off the front of a value; two letters that are none are refused.
    pub(crate) fn take<'a>(text: &'a str, parameter: &str) -> Result<(Prefix, &'a str), Error> {
        let is_letters = |head: &&str| head.bytes().all(|byte| byte.is_ascii_alphabetic());
        let Some((head, rest)) = text.split_at_checked(2).filter(|(head, _)| is_letters(head))
        else {
            return Ok((Prefix::Equal, text));
        };
        let prefix = match head {
            "eq" => Prefix::Equal,
            "ne" => Prefix::NotEqual,
            "gt" => Prefix::Greater,
            "lt" => Prefix::Less,
            "ge" => Prefix::GreaterOrEqual,
            "le" => Prefix::LessOrEqual,
            "sa" => Prefix::StartsAfter,
            "eb" => Prefix::EndsBefore,
            "ap" => Prefix::Approximately,
            _ => {
                let reason = format!(
                    "`{}` does not begin with a prefix; there are eq, ne, gt, ge, lt, le, sa, eb and ap",
                    shown(text)
                );
                return Err(Error::Value { parameter: parameter.to_owned(), reason });
            }
        };
        Ok((prefix, rest))
    }
}

/// Bounds on both ends of a value, all included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub low_from: i64,
    pub low_to: i64,
    pub high_from: i64,
    pub high_to: i64,
}

const ANY: Span =
    Span { low_from: i64::MIN, low_to: i64::MAX, high_from: i64::MIN, high_to: i64::MAX };

impl Span {
    pub(crate) fn holds(&self, low: i64, high: i64) -> bool {
        (self.low_from..=self.low_to).contains(&low)
            && (self.high_from..=self.high_to).contains(&high)
    }

    /// Where a value that is a point must lie.
    pub(crate) fn point(&self) -> (i64, i64) {
        (self.low_from.max(self.high_from), self.low_to.min(self.high_to))
    }

    /// Where a value that is not wide must begin.
    pub(crate) fn begin(&self) -> (i64, i64) {
        let from = self.low_from.max(self.high_from.saturating_sub(WIDE));
        (from, self.low_to.min(self.high_to))
    }

    /// Whether a wide value may begin before the others do.
    pub(crate) fn has_wide(&self) -> bool {
        self.begin().0 > self.low_from
    }
}

/// What a date asks, whose own range is `low..=high` (search.html#date). `around` is how far `ap` reaches.
pub(crate) fn of_range(prefix: Prefix, low: i64, high: i64, around: i64) -> Vec<Span> {
    match prefix {
        Prefix::Equal => vec![Span { low_from: low, high_to: high, ..ANY }],
        Prefix::NotEqual => vec![
            Span { low_to: low.saturating_sub(1), ..ANY },
            Span { low_from: low, high_from: high.saturating_add(1), ..ANY },
        ],
        Prefix::Greater => vec![Span { high_from: high.saturating_add(1), ..ANY }],
        Prefix::Less => vec![Span { low_to: low.saturating_sub(1), ..ANY }],
        // What reaches over the end, or lies within: both begin at or after the start, or reach over the end.
        Prefix::GreaterOrEqual => vec![
            Span { low_from: low, ..ANY },
            Span { low_to: low.saturating_sub(1), high_from: high.saturating_add(1), ..ANY },
        ],
        Prefix::LessOrEqual => vec![
            Span { high_to: high, ..ANY },
            Span { low_to: low.saturating_sub(1), high_from: high.saturating_add(1), ..ANY },
        ],
        Prefix::StartsAfter => vec![Span { low_from: high.saturating_add(1), ..ANY }],
        Prefix::EndsBefore => vec![Span { high_to: low.saturating_sub(1), ..ANY }],
        Prefix::Approximately => vec![Span {
            low_to: high.saturating_add(around),
            high_from: low.saturating_sub(around),
            ..ANY
        }],
    }
}

/// What a number asks (search.html#number): `low..=high` is what its digits leave open, which only `eq` and `ne` look at;
/// `about` is what `ap` accepts.
pub(crate) fn of_point(
    prefix: Prefix,
    at: i64,
    (low, high): (i64, i64),
    about: (i64, i64),
) -> Vec<Span> {
    match prefix {
        Prefix::Equal | Prefix::NotEqual => of_range(prefix, low, high, 0),
        Prefix::Approximately => of_range(prefix, about.0, about.1, 0),
        Prefix::Greater => vec![Span { high_from: at.saturating_add(1), ..ANY }],
        Prefix::Less => vec![Span { low_to: at.saturating_sub(1), ..ANY }],
        Prefix::GreaterOrEqual => vec![Span { high_from: at, ..ANY }],
        Prefix::LessOrEqual => vec![Span { low_to: at, ..ANY }],
        Prefix::StartsAfter => vec![Span { low_from: at.saturating_add(1), ..ANY }],
        Prefix::EndsBefore => vec![Span { high_to: at.saturating_sub(1), ..ANY }],
    }
}

/// A number's place on the line: in the order of numbers.
pub(crate) fn place(number: f64) -> i64 {
    // Zero has one place, whatever its sign.
    let bits = (number + 0.0).to_bits().cast_signed();
    let place = if bits < 0 { !(bits & i64::MAX) } else { bits };
    // All finite numbers lie within the ends of the line; halving keeps differences in range and costs the last bit only.
    place >> 1
}

#[cfg(test)]
mod tests {
    use super::{Prefix, Span, UNBOUNDED, of_range, place};
    use proptest::prelude::*;

    fn holds(prefix: Prefix, asked: (i64, i64), value: (i64, i64)) -> bool {
        let spans = of_range(prefix, asked.0, asked.1, 5);
        spans.iter().any(|span| span.holds(value.0, value.1))
    }

    proptest! {
        /// As search.html words it.
        #[test]
        fn prefixes_mean_what_the_specification_says(a in 0_i64..30, b in 0_i64..30, c in 0_i64..30, d in 0_i64..30) {
            let (low, high) = (a.min(b), a.max(b));
            let (from, to) = (c.min(d), c.max(d));
            let contains = low <= from && to <= high;
            let is = |prefix| holds(prefix, (low, high), (from, to));
            prop_assert_eq!(is(Prefix::Equal), contains);
            prop_assert_eq!(is(Prefix::NotEqual), !contains);
            prop_assert_eq!(is(Prefix::Greater), to > high);
            prop_assert_eq!(is(Prefix::Less), from < low);
            prop_assert_eq!(is(Prefix::GreaterOrEqual), to > high || contains);
            prop_assert_eq!(is(Prefix::LessOrEqual), from < low || contains);
            prop_assert_eq!(is(Prefix::StartsAfter), from > high);
            prop_assert_eq!(is(Prefix::EndsBefore), to < low);
            prop_assert_eq!(is(Prefix::Approximately), from <= high + 5 && to >= low - 5);
        }

        #[test]
        fn places_are_in_the_order_of_numbers(a in -1e12_f64..1e12, b in -1e12_f64..1e12) {
            prop_assert!(place(a.min(b)) <= place(a.max(b)));
            prop_assert!((-UNBOUNDED * 2..=UNBOUNDED * 2).contains(&place(a)));
        }
    }

    #[test]
    fn zero_has_one_place() {
        assert_eq!(place(0.0), place(-0.0));
        assert!(place(-1.0) < place(0.0) && place(0.0) < place(1e-300));
    }

    #[test]
    fn what_is_not_wide_begins_near_its_end() {
        let spans = of_range(Prefix::Greater, 0, 9, 0);
        let [span] = spans.as_slice() else { panic!() };
        assert!(span.has_wide());
        assert_eq!(span.begin().0, 10 - super::WIDE);
        let Span { low_from, .. } = of_range(Prefix::StartsAfter, 0, 9, 0)[0];
        assert_eq!(low_from, 10);
    }
}
