//! The head of a request, within bounds: what is larger is refused before anything in it is believed.

use super::failure::Failure;
use actix_web::HttpRequest;
use fhir::outcome::Code;

/// Of the path and the query; a longer search is POSTed to `_search`. HTTP/1 heads beyond 64 KiB never get this far.
const ADDRESS_BYTES_MAX: usize = 32 << 10;
/// A token with all the scopes of a large app has some kilobytes.
const AUTHORIZATION_BYTES_MAX: usize = 16 << 10;
/// Of all names and values.
const HEADERS_BYTES_MAX: usize = 48 << 10;
const HEADERS_MAX: usize = 64;

pub fn check(http: &HttpRequest) -> Result<(), Failure> {
    let address = http.uri().path_and_query().map_or(0, |address| address.as_str().len());
    if address > ADDRESS_BYTES_MAX {
        let text = format!(
            "the address has {address} bytes, this server takes {ADDRESS_BYTES_MAX}; POST the parameters to _search"
        );
        return Err(Failure::new(414, Code::TooLong, text));
    }
    let (mut number, mut bytes) = (0, 0);
    for (name, value) in http.headers() {
        if *name == "authorization" && value.len() > AUTHORIZATION_BYTES_MAX {
            let text = format!(
                "Authorization has {} bytes, this server takes {AUTHORIZATION_BYTES_MAX}; ask for a token with fewer scopes",
                value.len()
            );
            return Err(Failure::new(431, Code::TooLong, text));
        }
        number += 1;
        bytes += name.as_str().len() + value.len();
    }
    if number > HEADERS_MAX || bytes > HEADERS_BYTES_MAX {
        let text = format!(
            "{number} headers of {bytes} bytes, this server takes {HEADERS_MAX} of {HEADERS_BYTES_MAX}"
        );
        return Err(Failure::new(431, Code::TooLong, text));
    }
    Ok(())
}
