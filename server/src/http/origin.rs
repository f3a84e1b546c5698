//! Where a request came from: the address of its client, through proxies that are trusted (RFC 7239), and what it calls itself.

use crate::settings::{Forwarded, Networks, Settings};
use crate::telemetry::trace;
use actix_web::HttpRequest;
use opentelemetry::trace::SpanContext;
use std::net::IpAddr;

#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub address: Option<IpAddr>,
    /// `X-Request-Id`, where whoever sent it may choose it.
    pub request_name: Option<String>,
    /// The trace that it belongs to, under the same condition.
    pub trace: Option<SpanContext>,
}

/// Proxies looked behind, counted from ours.
const HOPS_MAX: usize = 32;

/// Only a peer that is a trusted proxy is believed about clients, ids of requests and traces.
pub fn origin(http: &HttpRequest, settings: &Settings) -> Origin {
    let (trusted, forwarded) = (&settings.identity.trusted_proxies, settings.traffic.forwarded);
    let Some(peer) = http.peer_addr().map(|peer| peer.ip().to_canonical()) else {
        return Origin::default();
    };
    if !trusted.contains(peer) {
        return Origin { address: Some(peer), ..Origin::default() };
    }
    let name = match forwarded {
        Forwarded::List => "x-forwarded-for",
        Forwarded::Elements => "forwarded",
    };
    let lines: Vec<&str> =
        http.headers().get_all(name).map(|line| line.to_str().unwrap_or_default()).collect();
    let hops = hops(&lines.join(","), forwarded);
    Origin {
        address: Some(client(peer, &hops, trusted)),
        request_name: trace::request_name(http),
        trace: trace::parent(http),
    }
}

/// Whether somebody stands between the peer and whom it speaks for, trusted or not.
pub fn is_forwarded(http: &HttpRequest) -> bool {
    ["x-forwarded-for", "forwarded"].iter().any(|name| http.headers().contains_key(*name))
}

/// The nearest that is not one of ours; what it says itself of who was before it is worth nothing.
fn client(peer: IpAddr, hops: &[Option<IpAddr>], trusted: &Networks) -> IpAddr {
    let mut nearest = peer;
    for hop in hops.iter().rev().take(HOPS_MAX) {
        // What is no address – `unknown`, a word of the proxy's own – cannot be looked behind.
        let Some(hop) = hop else { break };
        nearest = *hop;
        if !trusted.contains(nearest) {
            break;
        }
    }
    nearest
}

/// The addresses that the proxies wrote, the nearest last; None where one wrote something else.
fn hops(text: &str, forwarded: Forwarded) -> Vec<Option<IpAddr>> {
    match forwarded {
        Forwarded::List => text.split(',').map(address).collect(),
        Forwarded::Elements => outside_quotes(text, ',')
            .into_iter()
            .map(|element| address(element_for(element)))
            .collect(),
    }
}

/// Of `for="[2001:db8::1]:80";proto=https`, what stands after `for`.
fn element_for(element: &str) -> &str {
    let pairs = outside_quotes(element, ';').into_iter().filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    named.next().map_or("", |(_, value)| value.trim().trim_matches('"'))
}

fn outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    text.split(|character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    })
    .collect()
}

/// With a port or without, in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => inside,
        // An address of IPv4 has no colon, one of IPv6 more than one.
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => host,
            Some(_) | None => text,
        },
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::{client, hops};
    use crate::settings::Forwarded;

    /// Who is the client of `peer`, which sent this header, when 10.0.0.0/8 and ::1 are trusted.
    fn check(forwarded: Forwarded, header: &str, expected: &str) {
        let trusted = "10.0.0.0/8, ::1".parse().unwrap();
        let peer = "10.0.0.1".parse().unwrap();
        let found = client(peer, &hops(header, forwarded), &trusted);
        assert_eq!(found.to_string(), expected, "{header}");
    }

    #[test]
    fn the_right_most_that_is_not_trusted_is_the_client() {
        for (header, expected) in [
            ("", "10.0.0.1"),
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:443", "192.0.2.7"),
            ("6.6.6.6, 192.0.2.7", "192.0.2.7"),
            ("6.6.6.6, 192.0.2.7, 10.9.9.9", "192.0.2.7"),
            ("10.2.2.2, 10.9.9.9", "10.2.2.2"),
            ("6.6.6.6, unknown, 10.9.9.9", "10.9.9.9"),
            ("6.6.6.6, 10.9.9.9,", "10.0.0.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:80, ::1", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("192.0.2.7 6.6.6.6", "10.0.0.1"),
        ] {
            check(Forwarded::List, header, expected);
        }
    }

    #[test]
    fn elements_are_read_as_the_rfc_writes_them() {
        for (header, expected) in [
            ("for=192.0.2.7", "192.0.2.7"),
            ("For=\"[2001:db8::17]:4711\"", "2001:db8::17"),
            ("proto=https;for=192.0.2.7;by=10.0.0.1", "192.0.2.7"),
            ("for=6.6.6.6, for=192.0.2.7;proto=http, for=10.1.1.1", "192.0.2.7"),
            ("for=6.6.6.6, for=_hidden, for=10.1.1.1", "10.1.1.1"),
            ("for=6.6.6.6, proto=https", "10.0.0.1"),
            ("for=192.0.2.7;host=\"a,for=6.6.6.6\"", "192.0.2.7"),
        ] {
            check(Forwarded::Elements, header, expected);
        }
    }
}
