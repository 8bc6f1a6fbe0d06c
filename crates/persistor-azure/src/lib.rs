//! Azure's services as Persistor's own traits; a feature each. Serving HTTP is left to others.
//!
//! `blob`: Blob Storage as a `Writer` and a `Reader` ([`ContainerStore`]), over Microsoft's official client.
//!
//! `servicebus`: Service Bus, and any other broker that speaks AMQP 1.0, as a `Sink` ([`AmqpSink`]). Messages are sent over AMQP by `fe2o3-amqp`: the official client of
//! Service Bus for Rust is not published, and its predecessor can neither send bytes nor use an identity.
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "blob")]
mod blob;
#[cfg(any(feature = "blob", feature = "servicebus"))]
mod cause;
#[cfg(any(feature = "blob", feature = "servicebus"))]
mod credential;
#[cfg(feature = "servicebus")]
mod servicebus;

#[cfg(feature = "blob")]
pub use blob::{Access, ContainerLocation, ContainerStore, Endpoint, SasToken};
#[cfg(any(feature = "blob", feature = "servicebus"))]
pub use credential::CredentialKind;
#[cfg(feature = "servicebus")]
pub use servicebus::{AmqpSink, BrokerLocation, BusAccess, Clock, ConnectionString, Login, ServiceBusLocation};
