//! Quantities in canonical units of UCUM (ucum.org), so that 1 g and 1000 mg are found alike.

use crate::key::hash;
use octofhir_ucum::{CanonicalUnit, Number, get_canonical_units};
use std::collections::HashMap;
use std::sync::{OnceLock, RwLock};

pub(crate) const UCUM: &str = "http://unitsofmeasure.org";

/// Codes are short; a longer one is not read.
const CODE_BYTES_MAX: usize = 64;

/// How many codes are remembered: more than a city's laboratories use.
const REMEMBERED_MAX: usize = 4_096;

/// A unit in terms of the base units of its dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Canonical {
    /// Of the base units, as they are written.
    pub(crate) dimension: i64,
    factor: Number,
    offset: Number,
}

impl Canonical {
    /// A number of this unit as one of the base units; `text` is as JSON writes numbers.
    pub(crate) fn value(&self, text: &str) -> Option<f64> {
        let number = Number::parse(text)?;
        let value = number.checked_mul(self.factor)?.checked_add(self.offset)?.to_f64();
        value.is_finite().then_some(value)
    }
}

/// None of a code that is no unit, or one whose scale is not linear: such a quantity equals only those of its own unit.
pub(crate) fn canonical(code: &str) -> Option<Canonical> {
    static KNOWN: OnceLock<RwLock<HashMap<String, Option<Canonical>>>> = OnceLock::new();
    if code.is_empty() || code.len() > CODE_BYTES_MAX {
        return None;
    }
    let known = KNOWN.get_or_init(RwLock::default);
    if let Ok(known) = known.read()
        && let Some(found) = known.get(code)
    {
        return *found;
    }
    let found =
        get_canonical_units(code).ok().map(|CanonicalUnit { unit, factor, offset, .. }| {
            Canonical { dimension: hash(unit.as_bytes()), factor, offset }
        });
    if let Ok(mut known) = known.write()
        && known.len() < REMEMBERED_MAX
    {
        known.insert(code.to_owned(), found);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::canonical;

    fn check(code: &str, number: &str, other_code: &str, other: &str) {
        let (left, right) = (canonical(code).unwrap(), canonical(other_code).unwrap());
        assert_eq!(left.dimension, right.dimension, "{code} {other_code}");
        let (left, right) = (left.value(number).unwrap(), right.value(other).unwrap());
        assert!((left - right).abs() <= left.abs() * 1e-12, "{left} {right}");
    }

    #[test]
    fn the_same_quantity_in_other_units_is_the_same() {
        check("g", "1", "mg", "1000");
        check("mmol/L", "5.5", "umol/mL", "5.5");
        check("Cel", "37", "[degF]", "98.6");
        check("mm[Hg]", "120", "cm[Hg]", "12");
        check("10*9/L", "4.5", "/nL", "4.5");
    }

    #[test]
    fn what_is_no_unit_has_no_canonical_form() {
        for code in ["", "mmHg!", "次/分", &"m".repeat(65)] {
            assert_eq!(canonical(code), None, "{code}");
        }
        assert_ne!(canonical("mg/dL").unwrap().dimension, canonical("mmol/L").unwrap().dimension);
    }
}
