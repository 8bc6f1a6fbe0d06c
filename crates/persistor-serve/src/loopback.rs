//! Which hosts in an address are this machine: what goes there nobody reads on the way.

use std::net::IpAddr;

/// Whether a host, as it stands in a URL, is this machine: `localhost`, or an address of loopback, with or without the brackets of IPv6.
pub fn is_loopback(host: &str) -> bool {
    match host.trim_matches(['[', ']']) {
        "localhost" => true,
        host => host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_told_from_others() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1", "0.0.0.0", "[::]", "128.0.0.1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
