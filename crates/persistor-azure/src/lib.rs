//! Azure's services as Persistor's own traits; a feature each. Serving HTTP is left to others.
//!
//! `blob`: Blob Storage as a `Writer` and a `Reader` ([`ContainerStore`]), over Microsoft's official client.
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "blob")]
mod blob;

#[cfg(feature = "blob")]
pub use blob::{Access, ContainerLocation, ContainerStore, CredentialKind, Endpoint, SasToken};
