//! Networks, as a list of them in CIDR notation says (RFC 4632, RFC 4291).

use std::net::IpAddr;
use std::str::FromStr;

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

/// `10.0.0.0/8, fd00::/8`; an address alone is a network of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// More than any ingress has.
const NETWORKS_MAX: usize = 64;

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let shared = |ours: u128, theirs: u128, width: u32| {
            let low = width - u32::from(self.bits);
            // A shift by the whole width is none that a processor knows.
            ours.checked_shr(low).unwrap_or(0) == theirs.checked_shr(low).unwrap_or(0)
        };
        // `::ffff:10.0.0.1` is what a socket for both families calls 10.0.0.1.
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                shared(u128::from(ours.to_bits()), u128::from(theirs.to_bits()), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => shared(ours.to_bits(), theirs.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl Networks {
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let refuse = || format!("`{text}` is no network; write it as 10.0.0.0/8 or fd00::/8");
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits)),
        };
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let address = address.to_canonical();
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => bits.parse().map_err(|_| refuse())?,
        };
        if bits > width {
            return Err(refuse());
        }
        Ok(Network { address, bits })
    }
}

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Networks, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let networks: Vec<Network> = parts.map(str::parse).collect::<Result<_, _>>()?;
        if networks.len() > NETWORKS_MAX {
            return Err(format!("{} networks are more than {NETWORKS_MAX}", networks.len()));
        }
        Ok(Networks(networks))
    }
}

#[cfg(test)]
mod tests {
    use super::Networks;

    fn check(networks: &str, address: &str, expected: bool) {
        let networks: Networks = networks.parse().unwrap();
        assert_eq!(networks.contains(address.parse().unwrap()), expected, "{networks:?} {address}");
    }

    #[test]
    fn an_address_is_in_the_networks_whose_bits_it_has() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.1.2.3", "10.1.2.3", true);
        check("10.1.2.3", "10.1.2.4", false);
        check("10.0.0.0/8", "::ffff:10.0.0.1", true);
        check("0.0.0.0/0", "8.8.8.8", true);
        check("0.0.0.0/0", "fd00::1", false);
        check("::/0", "fd00::1", true);
        check("192.168.0.0/16 , fd00::/8", "fd12::1", true);
        check("fd00::/8", "fe80::1", false);
        check("", "10.0.0.1", false);
        check("10.0.0.0/31", "10.0.0.1", true);
        check("10.0.0.0/31", "10.0.0.2", false);
    }

    #[test]
    fn what_is_no_network_is_named() {
        for text in ["10.0.0.0/33", "10.0.0/8", "fd00::/129", "ingress", "10.0.0.0/-1", "::/"] {
            let error = text.parse::<Networks>().unwrap_err();
            assert!(error.contains("is no network"), "{error}");
        }
    }
}
