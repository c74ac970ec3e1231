//! Networks: ranges of addresses, as allow lists name them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::units;

/// An address or a range of addresses: `10.0.0.5`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"[0-9A-Fa-f:.]+(/[0-9]+)?"))]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is not a network: one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotNetwork(String);

impl Network {
    /// The range with this one address.
    pub fn only(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix: width(address) }
    }

    /// Whether `address` lies in the range. An IPv4 address inside IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && masked(address, self.prefix) == bits(self.address)
    }

    /// An address in the range: the second one, where there are several, since some take the first
    /// for that of everybody.
    pub fn host(&self) -> IpAddr {
        let is_one = self.prefix == width(self.address);
        address_of(bits(self.address) | u128::from(!is_one), self.address)
    }

    /// How many leading bits are fixed: the more, the narrower is the range.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl FromStr for Network {
    type Err = NotNetwork;

    fn from_str(text: &str) -> Result<Self, NotNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| {
            NotNetwork(format!(
                "`{text}` is not an address or a range of addresses, such as 10.0.0.5 or 10.0.0.0/8"
            ))
        })?;
        let Some(prefix) = prefix else { return Ok(Self::only(address)) };
        let longest = width(address);
        let prefix: u8 =
            prefix.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(|| {
                NotNetwork(format!("`/{prefix}` must be a number from 0 to {longest}"))
            })?;
        let first = address_of(masked(address, prefix), address);
        if first != address {
            return Err(NotNetwork(format!(
                "`{text}` has bits behind its prefix: did you mean \"{first}/{prefix}\" or \
                 \"{address}\"?"
            )));
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

/// Whether an address is one of the public internet: what strangers may name for us to go to (T13).
/// Addresses that lead elsewhere, such as those that hold an IPv4 address inside, are none.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !CLOSED_V4.iter().any(|(first, prefix)| {
            let free = 32_u32.saturating_sub(*prefix);
            address.to_bits() >> free == u32::from_be_bytes(*first) >> free
        }),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            // 2000::/3 is all that is given out.
            bits >> 125 == 1
                && !CLOSED_V6.iter().any(|(first, prefix)| {
                    let free = 128_u32.saturating_sub(*prefix);
                    bits >> free == *first >> free
                })
        }
    }
}

/// What is not the public internet, by the IANA registry of special-purpose addresses (RFC 6890).
const CLOSED_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// The same inside of 2000::/3: protocols and tunnels, documentation, 6to4.
const CLOSED_V6: [(u128, u32); 4] =
    [(0x2001 << 112, 23), (0x2001_0db8 << 96, 32), (0x2002 << 112, 16), (0x3fff << 112, 20)];

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address as a number.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The first `prefix` bits of the address, the others 0.
fn masked(address: IpAddr, prefix: u8) -> u128 {
    let free = u32::from(width(address).saturating_sub(prefix));
    bits(address).checked_shr(free).and_then(|kept| kept.checked_shl(free)).unwrap_or(0)
}

/// The address with these bits, of the same family as `like`.
fn address_of(bits: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(bits).unwrap_or(u32::MAX).into()),
        IpAddr::V6(_) => IpAddr::V6(bits.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses() {
        let table = [
            ("10.0.0.5", "10.0.0.5", true),
            ("10.0.0.5", "10.0.0.6", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ];
        for (network, address, inside) in table {
            let network: Network = network.parse().expect(network);
            assert_eq!(
                network.contains(address.parse().expect(address)),
                inside,
                "{network} {address}"
            );
        }
        let why = "10.0.0.5/8".parse::<Network>().expect_err("bits behind the prefix").to_string();
        assert!(why.contains("\"10.0.0.0/8\" or \"10.0.0.5\""), "{why}");
        for wrong in ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_public_internet_is_public() {
        for public in ["9.9.9.9", "172.32.0.1", "100.128.0.1", "2620:fe::fe", "::ffff:9.9.9.9"] {
            assert!(is_public(public.parse().expect(public)), "{public}");
        }
        for closed in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.2.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "ff02::1",
            "3fff::1",
        ] {
            assert!(!is_public(closed.parse().expect(closed)), "{closed}");
        }
    }
}
