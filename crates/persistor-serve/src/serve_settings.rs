//! The settings that this crate itself acts on, resolved.
//!
//! The settings of archives and pushes are resolved by those who know them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::parse::{duration, one_of, size};
use crate::resolve::Resolver;
use crate::setting::Function;

/// How to listen, how much to hold, how long to wait, what to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeSettings {
    /// Where to listen: for pushes all interfaces if `PORT` is set, for the Functions host 127.0.0.1 always; 0 takes any free port, and
    /// 8080 is the default.
    pub listen: SocketAddr,
    /// The largest request body, in bytes.
    pub max_body: u64,
    /// The bytes that all requests in flight may hold together.
    pub memory: u64,
    /// The total time for one durable write, retries included.
    pub write_timeout: Duration,
    /// The time to finish requests after a shutdown signal.
    pub drain_timeout: Duration,
    /// The level at which our own crates log.
    pub log: LevelFilter,
}

impl ServeSettings {
    /// `None` where a fault was noted in the resolver.
    pub fn resolve(resolver: &mut Resolver<'_>) -> Option<Self> {
        let port_fault = |text: &str| format!("`{text}` is not a port, a number from 0 to 65535");
        let port = |text: &str| text.parse::<u16>().map_err(|_| port_fault(text));
        // Unset and wrong both give none; where it is wrong, the resolver refuses the whole in the end.
        let (port, all) = match resolver.function() {
            Function::Gcp => (resolver.value("PORT", port), Ipv4Addr::UNSPECIFIED),
            // The host asks at this address, and nobody else is to.
            Function::Azure => (resolver.value("FUNCTIONS_CUSTOMHANDLER_PORT", port), Ipv4Addr::LOCALHOST),
        };
        let (address, port) = port.map_or((Ipv4Addr::LOCALHOST, 8080), |port| (all, port));
        let listen = SocketAddr::new(IpAddr::V4(address), port);
        // Every value is asked for before any is missed, so that all faults are noted.
        let max_body = resolver.value("PERSISTOR_MAX_BODY", size);
        let memory = resolver.value("PERSISTOR_MEMORY", size);
        let write_timeout = resolver.value("PERSISTOR_WRITE_TIMEOUT", duration);
        let drain_timeout = resolver.value("PERSISTOR_DRAIN_TIMEOUT", duration);
        let log = resolver.value("PERSISTOR_LOG", level);
        Some(Self {
            listen,
            max_body: max_body?,
            memory: memory?,
            write_timeout: write_timeout?,
            drain_timeout: drain_timeout?,
            log: log?,
        })
    }
}

fn level(text: &str) -> Result<LevelFilter, String> {
    one_of(&["error", "warn", "info", "debug", "trace"])(text)?.parse().map_err(|_| format!("`{text}` is not a level"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    fn resolved(variables: &[(&str, &str)]) -> Result<ServeSettings, String> {
        let environment = Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())));
        let mut resolver = Resolver::new(&environment, Function::Gcp);
        let settings = ServeSettings::resolve(&mut resolver);
        resolver.finish().map_err(|faults| faults.to_string())?;
        settings.ok_or_else(|| "no settings and no fault".to_owned())
    }

    #[test]
    fn defaults() {
        let settings = resolved(&[]).expect("defaults are right");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.max_body, 32 << 20);
        assert_eq!(settings.memory, 256 << 20);
        assert_eq!(settings.write_timeout, Duration::from_secs(8));
        assert_eq!(settings.drain_timeout, Duration::from_secs(8));
        assert_eq!(settings.log, LevelFilter::INFO);
    }

    #[test]
    fn a_port_means_all_interfaces() {
        let listen = |port| resolved(&[("PORT", port)]).map(|settings| settings.listen.to_string());
        assert_eq!(listen("0").as_deref(), Ok("0.0.0.0:0"));
        assert_eq!(listen("8081").as_deref(), Ok("0.0.0.0:8081"));
        for wrong in ["65536", "-1", "http", "tcp://10.0.0.1:80"] {
            let text = listen(wrong).expect_err(wrong);
            assert!(text.contains("`PORT=8080`"), "{text}");
        }
    }

    #[test]
    fn every_fault_is_noted() {
        let text = resolved(&[
            ("PORT", "x"),
            ("PERSISTOR_MAX_BODY", "0"),
            ("PERSISTOR_MEMORY", "x"),
            ("PERSISTOR_WRITE_TIMEOUT", "0s"),
            ("PERSISTOR_DRAIN_TIMEOUT", "x"),
            ("PERSISTOR_LOG", "loud"),
        ])
        .expect_err("all wrong");
        assert!(text.starts_with("6 settings are wrong"), "{text}");
    }
}
