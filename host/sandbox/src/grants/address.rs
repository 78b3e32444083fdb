//! Kinds of addresses: which ones a name may stand for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who can be behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anybody on the internet.
    Public,
    /// This machine, or one of its own network.
    Private,
    /// Link-local addresses and the metadata services of clouds, which give credentials to whoever asks from the machine; what is no
    /// single machine's; and what is reserved.
    Special,
}

/// Judge an address; one that carries an IPv4 address inside is judged by that.
pub(crate) fn kind(address: IpAddr) -> Kind {
    match address.to_canonical() {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        // What clouds answer at beyond link-local addresses: Azure's wire server, Alibaba's metadata.
        [168, 63, 129, 16] | [100, 100, 100, 200] => Kind::Special,
        // Private use (RFC 1918), shared between a provider and its customers (RFC 6598), loopback.
        [10, ..] | [127, ..] | [192, 168, ..] => Kind::Private,
        [172, second, ..] if second & 0xf0 == 16 => Kind::Private,
        [100, second, ..] if second & 0xc0 == 64 => Kind::Private,
        // "This network", link-local, IETF assignments, documentation, 6to4 relays, benchmarks, multicast, reserved.
        [0, ..] | [169, 254, ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] => {
            Kind::Special
        }
        [198, 51, 100, _] | [203, 0, 113, _] | [224..=255, ..] => Kind::Special,
        _ => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| kind_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Private,
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Special,
        // Translated to IPv4 on the way: by NAT64, by 6to4, by what is left of IPv4-compatible addresses.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // AWS's own services within a machine's network: metadata, credentials of pods. Google's metadata.
        [0xfd00, 0xec2, ..] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Kind::Special,
        // Unique local.
        [first, ..] if first & 0xfe00 == 0xfc00 => Kind::Private,
        // NAT64 within a network, discard, Teredo and other IETF assignments, documentation.
        [0x64, 0xff9b, 1, ..] | [0x100, 0, 0, 0, ..] | [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] => {
            Kind::Special
        }
        [first, ..] if first & 0xe000 == 0x2000 => Kind::Public,
        // Outside of 2000::/3 there are link-local, site-local, multicast and unassigned addresses.
        _ => Kind::Special,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_judged_by_who_can_be_behind_them() {
        let of = |kind: Kind, texts: &[&str]| {
            for text in texts {
                assert_eq!(super::kind(text.parse().unwrap()), kind, "{text}");
            }
        };
        of(
            Kind::Public,
            &[
                "1.1.1.1",
                "172.15.255.255",
                "172.32.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "192.0.1.1",
                "223.255.255.255",
                "168.63.129.17",
                "2606:4700::1111",
                "::ffff:8.8.8.8",
                "64:ff9b::808:808",
            ],
        );
        of(
            Kind::Private,
            &[
                "127.0.0.1",
                "127.255.255.255",
                "10.0.0.1",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.1.1",
                "100.64.0.1",
                "::1",
                "fc00::1",
                "fdff::1",
                "fd00:ec3::254",
                "fd20:ce::253",
                "100.100.100.201",
                "::ffff:127.0.0.1",
                "::ffff:10.1.2.3",
                "::127.0.0.1",
                "64:ff9b::7f00:1",
                "2002:7f00:1::1",
            ],
        );
        of(
            Kind::Special,
            &[
                "0.0.0.0",
                "169.254.169.254",
                "168.63.129.16",
                "100.100.100.200",
                "fd00:ec2::254",
                "fd00:ec2::23",
                "fd20:ce::254",
                "::ffff:168.63.129.16",
                "64:ff9b::a83f:8110",
                "192.0.2.1",
                "198.18.0.1",
                "203.0.113.7",
                "224.0.0.1",
                "255.255.255.255",
                "::",
                "fe80::1",
                "fec0::1",
                "ff02::1",
                "::ffff:169.254.169.254",
                "64:ff9b::a9fe:a9fe",
                "2001::1",
                "2001:db8::1",
                "100::1",
            ],
        );
    }
}
