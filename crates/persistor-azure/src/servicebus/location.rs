//! Where messages are sent: an entity of Service Bus, `servicebus://NAMESPACE/ENTITY`, or an address of another broker, `amqp(s)://HOST/ADDRESS`.

use std::fmt;

use persistor_core::{Error, ErrorKind, Result};

/// What follows a namespace's name in the public cloud.
const PUBLIC: &str = ".servicebus.windows.net";
/// The longest name of a queue or a topic.
const ENTITY: usize = 260;

/// A queue or a topic of Service Bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceBusLocation {
    host: String,
    port: Option<u16>,
    entity: String,
}

impl ServiceBusLocation {
    /// Reads what stands behind `servicebus://`: a namespace, which is a host's name or the first label of one in the public cloud, perhaps a port, a slash, and the name of a queue
    /// or a topic, which may hold slashes.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the rule it breaks: <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>.
    pub fn parse(text: &str) -> Result<Self> {
        let (place, entity) = text.split_once('/').unwrap_or((text, ""));
        let (host, port) = host_and_port(place)?;
        // An emulator's host is no label of a namespace.
        let whole = host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost");
        let host = if whole { host } else { format!("{host}{PUBLIC}") };
        let entity = entity.trim_end_matches('/');
        if let Some(rule) = broken_rule_of_an_entity(entity) {
            return Err(invalid(format!("queue or topic `{entity}`: {rule}")));
        }
        Ok(Self { host, port, entity: entity.to_owned() })
    }

    /// The namespace: a host's name.
    pub fn namespace(&self) -> &str {
        &self.host
    }

    /// The port, if it is not the usual one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The queue's or topic's name.
    pub fn entity(&self) -> &str {
        &self.entity
    }
}

impl fmt::Display for ServiceBusLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "servicebus://{}/{}", place(&self.host, self.port), self.entity)
    }
}

/// An address of a broker that speaks AMQP 1.0: Artemis, ActiveMQ, RabbitMQ, Qpid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerLocation {
    tls: bool,
    host: String,
    port: Option<u16>,
    address: String,
}

impl BrokerLocation {
    /// Reads what stands behind `amqps://` (with `tls`) or `amqp://`: a host, perhaps a port, a slash, and an address as the broker names it, slashes and all: nothing is decoded.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with what is missing. What stands before an `@` is not repeated, since it may be a password.
    pub fn parse(text: &str, tls: bool) -> Result<Self> {
        let (place, address) = text.split_once('/').unwrap_or((text, ""));
        let (host, port) = host_and_port(place)?;
        if address.is_empty() {
            return Err(invalid(format!("`{text}` names no address: one is at amqp(s)://HOST[:PORT]/ADDRESS")));
        }
        if address.chars().any(char::is_control) {
            return Err(invalid("the broker's address holds control characters".to_owned()));
        }
        Ok(Self { tls, host, port, address: address.to_owned() })
    }

    /// Whether the connection is encrypted.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// The host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if it is not the usual one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The address there.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl fmt::Display for BrokerLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "amqps" } else { "amqp" };
        write!(f, "{scheme}://{}/{}", place(&self.host, self.port), self.address)
    }
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]`, `[ADDRESS]:PORT`; the host comes without brackets.
pub(super) fn host_and_port(text: &str) -> Result<(String, Option<u16>)> {
    if text.contains('@') {
        return Err(invalid("user and password are not taken from an address: hand them in beside it".to_owned()));
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or("?"))),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    if host.is_empty() || !host.bytes().all(plain) {
        return Err(invalid(format!("`{text}` is no host: one is HOST or HOST:PORT")));
    }
    let port = port.map(|port| port.parse().ok().filter(|port| *port != 0)).map(|port| port.ok_or(())).transpose();
    let port = port.map_err(|()| invalid(format!("`{text}` names no port behind its colon")))?;
    Ok((host.to_owned(), port))
}

fn place(host: &str, port: Option<u16>) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
}

fn broken_rule_of_an_entity(entity: &str) -> Option<&'static str> {
    let segments: Vec<_> = entity.split('/').collect();
    let subscription = segments.len() >= 3 && segments[segments.len() - 2].eq_ignore_ascii_case("subscriptions");
    if entity.is_empty() {
        Some("it is missing: messages are sent to servicebus://NAMESPACE/ENTITY")
    } else if subscription {
        Some(
            "nothing can be sent to a subscription, since it gets what its topic gets: send to the topic, and let the subscription's filter choose (replays are marked by the property `persistor-replay`)",
        )
    } else if entity.contains('$') {
        Some("nothing can be sent to what has `$` in its name: a dead-letter queue gets what its queue could not deliver")
    } else if entity.len() > ENTITY {
        Some("a name has at most 260 characters")
    } else if segments.iter().any(|segment| segment.is_empty()) {
        Some("a name has no two slashes together, and none at its start")
    } else if !entity.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/~".contains(&byte)) {
        Some("a name holds letters, digits, `.`, `-`, `_`, `~` and `/` only")
    } else {
        None
    }
}

fn invalid(text: String) -> Error {
    Error::new(ErrorKind::Invalid, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_namespace_and_an_entity() {
        for (text, host, port, entity, shown) in [
            ("my/orders", "my.servicebus.windows.net", None, "orders", "servicebus://my.servicebus.windows.net/orders"),
            ("my.servicebus.chinacloudapi.cn/a/b/c", "my.servicebus.chinacloudapi.cn", None, "a/b/c", ""),
            ("my.servicebus.windows.net:5671/orders/", "my.servicebus.windows.net", Some(5671), "orders", ""),
            ("localhost:5672/orders", "localhost", Some(5672), "orders", "servicebus://localhost:5672/orders"),
            ("127.0.0.1:5/o", "127.0.0.1", Some(5), "o", ""),
            ("[::1]:5/o", "::1", Some(5), "o", "servicebus://[::1]:5/o"),
            ("[::1]/o", "::1", None, "o", "servicebus://[::1]/o"),
            ("my/subscriptions/x", "my.servicebus.windows.net", None, "subscriptions/x", ""),
        ] {
            let location = ServiceBusLocation::parse(text).expect(text);
            assert_eq!((location.namespace(), location.port(), location.entity()), (host, port, entity));
            assert!(shown.is_empty() || location.to_string() == shown, "{location}");
        }
    }

    #[test]
    fn refuses_where_nothing_can_be_sent() {
        for text in [
            "",
            "my",
            "my/",
            "/orders",
            "my/a//b",
            "my//a",
            "my/a b",
            "my/ü",
            "my:0/a",
            "my:x/a",
            "my:65536/a",
            "[::1]5/a",
            "m y/a",
        ] {
            assert!(ServiceBusLocation::parse(text).is_err(), "{text}");
        }
        assert!(ServiceBusLocation::parse(&format!("my/{}", "a".repeat(261))).is_err());
        for text in ["my/t/Subscriptions/s", "my/a/t/subscriptions/s"] {
            let error = ServiceBusLocation::parse(text).expect_err(text).to_string();
            assert!(error.contains("send to the topic"), "{error}");
        }
        assert!(ServiceBusLocation::parse("my/orders/$DeadLetterQueue").expect_err("none").to_string().contains("dead-letter"));
    }

    #[test]
    fn reads_a_broker_and_its_address_as_it_is() {
        let location = BrokerLocation::parse("broker:5673//queues/a%20b", false).expect("valid");
        assert_eq!((location.host(), location.port(), location.address()), ("broker", Some(5673), "/queues/a%20b"));
        assert_eq!(location.to_string(), "amqp://broker:5673//queues/a%20b");
        let location = BrokerLocation::parse("10.0.0.1/orders::side", true).expect("valid");
        assert_eq!((location.host(), location.tls(), location.address()), ("10.0.0.1", true, "orders::side"));
        for text in ["", "broker", "broker/", "/orders", "broker/a\nb"] {
            assert!(BrokerLocation::parse(text, true).is_err(), "{text}");
        }
        let error = BrokerLocation::parse("user:secret@broker/a", true).expect_err("none");
        assert!(!format!("{error:?}").contains("secret"));
    }
}
