//! `Location.near` (location.html#search): `latitude|longitude|distance|units`, by the great circle.
//!
//! A position is stored as a range of latitude and longitude in `range_entry` under two keys; the distance itself is computed
//! in the statement, along the rows that lie in the box around the place.

use crate::error::{Error, shown};
use crate::query::text::split;
use serde_json::Value;

/// Millionths of a degree are a decimetre.
const SCALE: f64 = 1e6;
const EARTH_RADIUS_METRES: f64 = 6_371_008.8;
/// What a place alone means, as location.html leaves it to the server.
const DISTANCE_METRES: f64 = 5_000.0;
const DISTANCE_METRES_MAX: f64 = 1_000_000.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) metres: f64,
}

// Parsed from text, so never NaN.
impl Eq for Wanted {}

/// Latitude and longitude of a position in millionths of a degree.
pub(crate) fn position(value: &Value) -> Option<(i64, i64)> {
    let degrees = |name: &str, bound: f64| {
        let number: f64 = value.get(name)?.as_number()?.as_str().parse().ok()?;
        (number.abs() <= bound).then(|| micros(number))
    };
    Some((degrees("latitude", 90.0)?, degrees("longitude", 180.0)?))
}

#[expect(clippy::cast_possible_truncation, reason = "at most 180 million")]
fn micros(degrees: f64) -> i64 {
    (degrees * SCALE).round() as i64
}

pub(crate) fn parse(text: &str, parameter: &str) -> Result<Wanted, Error> {
    let refuse = |reason: String| Error::Value { parameter: parameter.to_owned(), reason };
    let parts: Vec<&str> = split(text, '|').collect();
    let number = |part: &str, bound: f64| {
        let number: Option<f64> = part.parse().ok();
        number.filter(|number| number.abs() <= bound)
    };
    let (place, distance) = match parts.as_slice() {
        [latitude, longitude] => ((latitude, longitude), None),
        [latitude, longitude, distance] => ((latitude, longitude), Some((*distance, "km"))),
        [latitude, longitude, distance, unit] => ((latitude, longitude), Some((*distance, *unit))),
        _ => {
            return Err(refuse(format!(
                "`{}` is no place; write latitude|longitude|distance|units, for example 31.23|121.47|5|km",
                shown(text)
            )));
        }
    };
    let degrees = number(place.0, 90.0).zip(number(place.1, 180.0));
    let (latitude, longitude) = degrees.ok_or_else(|| {
        refuse("the latitude is -90 to 90 degrees, the longitude -180 to 180".to_owned())
    })?;
    let metres = match distance {
        None => DISTANCE_METRES,
        Some((distance, unit)) => {
            let factor = match unit {
                "km" | "" => 1_000.0,
                "m" => 1.0,
                "[mi_us]" | "[mi_i]" => 1_609.344,
                _ => return Err(refuse("the units are km, m, [mi_i] or [mi_us]".to_owned())),
            };
            let metres = distance.parse().ok().map(|distance: f64| distance * factor);
            metres
                .filter(|metres| (0.0..=DISTANCE_METRES_MAX).contains(metres))
                .ok_or_else(|| refuse("the distance is a number of at most 1000 km".to_owned()))?
        }
    };
    Ok(Wanted { latitude, longitude, metres })
}

impl Wanted {
    /// Latitudes from and to, longitudes from and to, in millionths of a degree. Where the box would reach over a pole or over
    /// the line of 180 degrees, all longitudes.
    pub(crate) fn around(&self) -> ((i64, i64), (i64, i64)) {
        let reach = (self.metres / EARTH_RADIUS_METRES).to_degrees();
        let latitudes = (micros(self.latitude - reach) - 1, micros(self.latitude + reach) + 1);
        let shrink = self.latitude.abs().to_radians().cos();
        let all = (micros(-180.0), micros(180.0));
        if self.latitude.abs() + reach >= 89.0 {
            return (latitudes, all);
        }
        let reach = reach / (shrink - (reach.to_radians() * 2.0).min(shrink / 2.0)).max(0.01);
        let longitudes = (micros(self.longitude - reach) - 1, micros(self.longitude + reach) + 1);
        if longitudes.0 < all.0 || longitudes.1 > all.1 {
            return (latitudes, all);
        }
        (latitudes, longitudes)
    }

    pub(crate) fn holds(&self, latitude: i64, longitude: i64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "at most 180 million")]
        let degrees = |micros: i64| micros as f64 / SCALE;
        distance((self.latitude, self.longitude), (degrees(latitude), degrees(longitude)))
            <= self.metres
    }
}

/// Along the great circle (the haversine formula), in metres.
fn distance(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (from_latitude, to_latitude) = (from.0.to_radians(), to.0.to_radians());
    let half = |from: f64, to: f64| ((to - from) / 2.0).sin().powi(2);
    let chord = half(from_latitude, to_latitude)
        + from_latitude.cos() * to_latitude.cos() * half(from.1.to_radians(), to.1.to_radians());
    2.0 * EARTH_RADIUS_METRES * chord.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::{parse, position};
    use serde_json::json;

    fn check(asked: &str, latitude: f64, longitude: f64, expected: bool) {
        let wanted = parse(asked, "near").unwrap();
        let (latitude, longitude) =
            position(&json!({ "latitude": latitude, "longitude": longitude })).unwrap();
        assert_eq!(wanted.holds(latitude, longitude), expected, "{asked}");
        let (latitudes, longitudes) = wanted.around();
        let is_in_box = (latitudes.0..=latitudes.1).contains(&latitude)
            && (longitudes.0..=longitudes.1).contains(&longitude);
        assert!(is_in_box || !expected, "{asked}: the box is too small");
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        // Ruijin hospital to Zhongshan hospital: about 2.9 km.
        check("31.2133|121.4678|3|km", 31.1988, 121.4436, true);
        check("31.2133|121.4678|2500|m", 31.1988, 121.4436, false);
        check("31.2133|121.4678", 31.1988, 121.4436, true);
        check("0|179.99|5|km", 0.0, -179.99, true);
        check("89.99|0|50|km", 89.99, 180.0, true);
        check("60|10|100|km", 60.0, 11.79, true);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in
            ["", "1", "91|0", "0|181", "1|2|-1|km", "1|2|3|parsec", "1|2|3|km|5", "a|b", "NaN|0"]
        {
            assert!(parse(text, "near").is_err(), "{text}");
        }
    }
}
