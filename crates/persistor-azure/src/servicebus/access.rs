//! As whom a broker is asked, and which one: handed in by the program, which reads the environment.

use std::fmt;

use persistor_core::{Error, ErrorKind, Result};

use super::connection_string::ConnectionString;
use super::location::{BrokerLocation, ServiceBusLocation};
use crate::credential::CredentialKind;

/// As whom Service Bus is asked.
///
/// Sending needs the role `Azure Service Bus Data Sender` on the queue, the topic or the namespace, or a rule of shared access with the claim `Send`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusAccess {
    /// By a connection string.
    ConnectionString(ConnectionString),
    /// As an identity.
    Identity {
        /// None: workload identity where `AZURE_FEDERATED_TOKEN_FILE` is set, managed identity where `IDENTITY_ENDPOINT` is set, else the Azure CLI's.
        credential: Option<CredentialKind>,
        /// The client id of a user-assigned identity. None: the system-assigned one, or what the platform set for workload identity.
        client_id: Option<String>,
    },
}

impl Default for BusAccess {
    fn default() -> Self {
        Self::Identity { credential: None, client_id: None }
    }
}

impl BusAccess {
    /// Says what can be seen to be wrong without asking the service.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a connection string of another namespace or entity.
    pub fn check(&self, location: &ServiceBusLocation) -> Result<()> {
        let Self::ConnectionString(string) = self else { return Ok(()) };
        let invalid = |text: String| Err(Error::new(ErrorKind::Invalid, text));
        if !string.host.eq_ignore_ascii_case(location.namespace()) {
            return invalid(format!(
                "the connection string is for `{}`, and messages are sent to `{}`",
                string.host,
                location.namespace()
            ));
        }
        match &string.entity {
            Some(entity) if !entity.eq_ignore_ascii_case(location.entity()) => {
                invalid(format!("the connection string is for `{entity}`, and messages are sent to `{}`", location.entity()))
            }
            _ => Ok(()),
        }
    }
}

/// A user of another broker, with a password, which never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    user: String,
    password: String,
}

impl Login {
    /// A user and a password, sent by SASL PLAIN: over `amqp://` **anyone on the way can read both**.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    pub(super) fn parts(&self) -> (String, String) {
        (self.user.clone(), self.password.clone())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

/// Whom to connect to, whatever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    /// The address that messages are sent to there.
    pub(super) node: String,
}

/// The ports of AMQP 1.0, plain and encrypted.
const PORTS: (u16, u16) = (5672, 5671);

impl Peer {
    pub(super) fn of_service_bus(location: &ServiceBusLocation, access: &BusAccess) -> Self {
        let (emulator, port) = match access {
            BusAccess::ConnectionString(string) => (string.emulator, location.port().or(string.port)),
            BusAccess::Identity { .. } => (false, location.port()),
        };
        // Only an emulator is spoken to in plain text.
        Self {
            host: location.namespace().to_owned(),
            port: port.unwrap_or(if emulator { PORTS.0 } else { PORTS.1 }),
            tls: !emulator,
            node: location.entity().to_owned(),
        }
    }

    pub(super) fn of_broker(location: &BrokerLocation) -> Self {
        Self {
            host: location.host().to_owned(),
            port: location.port().unwrap_or(if location.tls() { PORTS.1 } else { PORTS.0 }),
            tls: location.tls(),
            node: location.address().to_owned(),
        }
    }

    /// What tokens of Service Bus are for.
    pub(super) fn resource(&self) -> String {
        format!("amqps://{}/{}", self.host, self.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> BusAccess {
        let text = format!("{text};SharedAccessKeyName=n;SharedAccessKey=secret");
        BusAccess::ConnectionString(ConnectionString::parse(&text).expect("valid"))
    }

    fn location(text: &str) -> ServiceBusLocation {
        ServiceBusLocation::parse(text).expect(text)
    }

    #[test]
    fn a_connection_string_is_of_the_place_that_is_sent_to() {
        let of_namespace = string("Endpoint=sb://my.servicebus.windows.net/");
        assert!(of_namespace.check(&location("My/orders")).is_ok());
        assert!(of_namespace.check(&location("other/orders")).is_err());
        let of_entity = string("Endpoint=sb://my.servicebus.windows.net/;EntityPath=Orders");
        assert!(of_entity.check(&location("my/orders")).is_ok());
        let error = of_entity.check(&location("my/other")).expect_err("another");
        assert!(error.to_string().contains("`Orders`") && !format!("{error:?}").contains("secret"));
        assert!(BusAccess::default().check(&location("my/orders")).is_ok());
    }

    #[test]
    fn only_an_emulator_and_amqp_are_plain() {
        let peer = |text: &str, access: &BusAccess| Peer::of_service_bus(&location(text), access);
        let emulator = |endpoint: &str| string(&format!("Endpoint=sb://{endpoint};UseDevelopmentEmulator=true"));
        for (peer, port, tls) in [
            (peer("my/orders", &BusAccess::default()), 5671, true),
            (peer("localhost:7/orders", &BusAccess::default()), 7, true),
            (peer("localhost/orders", &string("Endpoint=sb://localhost:8")), 8, true),
            (peer("localhost/orders", &string("Endpoint=sb://localhost;UseDevelopmentEmulator=false")), 5671, true),
            (peer("localhost/orders", &emulator("localhost")), 5672, false),
            (peer("localhost/orders", &emulator("localhost:8")), 8, false),
            (peer("localhost:9/orders", &emulator("localhost:8")), 9, false),
            (Peer::of_broker(&BrokerLocation::parse("b/a", true).expect("valid")), 5671, true),
            (Peer::of_broker(&BrokerLocation::parse("b/a", false).expect("valid")), 5672, false),
            (Peer::of_broker(&BrokerLocation::parse("b:9/a", true).expect("valid")), 9, true),
        ] {
            assert_eq!((peer.port, peer.tls), (port, tls), "{peer:?}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = format!("{:?} {:?}", string("Endpoint=sb://my"), Login::new("user", "secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
