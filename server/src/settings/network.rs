//! Who stands between this server and its callers, and what is served where.

use super::database::count;
use super::source::{Error, Source};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

#[derive(Clone, Debug)]
pub struct Network {
    /// Proxies whose word about where a request came from is taken.
    pub trusted_proxies: Vec<Block>,
    /// Where they say it. Only one header counts: a proxy that writes one lets the other through as the client wrote it.
    pub forwarded: Forwarded,
    /// Where figures and health are served, and figures nowhere else.
    pub metrics_listen: Option<SocketAddr>,
    /// Connections open at a time; beyond them nobody is let in until one is closed.
    pub connections_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// `X-Forwarded-For`
    List,
    /// `Forwarded` (RFC 7239)
    Elements,
}

impl FromStr for Forwarded {
    type Err = String;

    fn from_str(text: &str) -> Result<Forwarded, String> {
        match text {
            "x-forwarded-for" => Ok(Forwarded::List),
            "forwarded" => Ok(Forwarded::Elements),
            _ => Err(format!("`{text}` is neither `x-forwarded-for` nor `forwarded`")),
        }
    }
}

/// Addresses that begin with the same bits: `10.0.0.0/8`, `fd00::/8`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    first: u128,
    bits: u32,
}

impl Block {
    pub fn contains(&self, address: IpAddr) -> bool {
        let differs = wide(address) ^ self.first;
        self.bits == 0 || differs >> (128 - self.bits) == 0
    }
}

impl FromStr for Block {
    type Err = String;

    fn from_str(text: &str) -> Result<Block, String> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let refuse = || format!("`{text}` is no block of addresses such as 10.0.0.0/8 or fd00::/8");
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let of_family = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => of_family,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= of_family).ok_or_else(refuse)?,
        };
        let block = Block { first: wide(address), bits: bits + 128 - of_family };
        // A host in the place of a network is a mistake that would go unseen.
        let beyond = block.bits < 128 && block.first << block.bits != 0;
        if beyond { Err(format!("`{text}` has bits beyond /{bits}")) } else { Ok(block) }
    }
}

/// IPv4 as IPv6 has it: `::ffff:a.b.c.d`.
fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Enough for one for each thousandth of a city's people.
const CONNECTIONS_MAX: u64 = 1_000_000;

pub(super) fn read(source: &Source) -> Result<Network, Error> {
    let proxies: Option<String> = source.find("BUND_TRUSTED_PROXIES")?;
    let proxies = proxies.unwrap_or_default();
    let blocks = proxies.split(',').map(str::trim).filter(|text| !text.is_empty());
    let trusted_proxies = blocks.map(str::parse).collect::<Result<Vec<Block>, String>>();
    let refuse = |reason| Error::Value { variable: "BUND_TRUSTED_PROXIES", reason };
    Ok(Network {
        trusted_proxies: trusted_proxies.map_err(refuse)?,
        forwarded: source.get("BUND_FORWARDED_HEADER")?,
        metrics_listen: source.find("BUND_METRICS_LISTEN")?,
        connections_max: count(source.number("BUND_CONNECTIONS_MAX", 16, CONNECTIONS_MAX)?),
    })
}

#[cfg(test)]
mod tests {
    use super::Block;

    fn check(block: &str, inside: &[&str], outside: &[&str]) {
        let parsed: Block = block.parse().unwrap();
        for (texts, expected) in [(inside, true), (outside, false)] {
            for text in texts {
                assert_eq!(parsed.contains(text.parse().unwrap()), expected, "{text} in {block}");
            }
        }
    }

    #[test]
    fn a_block_has_what_begins_with_its_bits() {
        check("10.0.0.0/8", &["10.1.2.3", "::ffff:10.1.2.3"], &["11.0.0.0", "::a01:203"]);
        check("127.0.0.1", &["127.0.0.1"], &["127.0.0.2", "::1"]);
        check("fd00::/8", &["fd12::1"], &["fe80::1", "253.0.0.1"]);
        check("::1", &["::1"], &["::2", "127.0.0.1"]);
        check("0.0.0.0/0", &["1.2.3.4"], &["2001:db8::1"]);
        check("::/0", &["1.2.3.4", "2001:db8::1"], &[]);
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for text in ["", "10", "10.0.0.0/33", "10.0.0.1/8", "fd00::1/64", "10.0.0.0/-1", "host"] {
            assert!(text.parse::<Block>().is_err(), "{text}");
        }
    }
}
