//! Blob Storage: an archive below a prefix of a container.
//!
//! Each part is a file: where the archive is (`location`), as whom which service is asked (`access`), the connection (`client`), what an
//! answer means (`answer`), writing (`write`), reading (`read`) and listing (`list`).

mod access;
mod answer;
mod client;
mod list;
mod location;
mod read;
#[cfg(test)]
mod responder;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use persistor_core::{Attempts, Failure, Key};

use answer::{About, Refusal, Right, SdkError, lost_credentials, no_answer};
use client::{Client, Connection};

pub use access::{Access, Endpoint, SasToken};
pub use location::ContainerLocation;

/// An archive in a container. Clones share one client, which is made at the first use.
///
/// Writing needs the right `Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action` only, or a SAS with `c`; reading
/// needs `…/blobs/read`, or a SAS with `r` and `l`.
#[derive(Clone)]
pub struct ContainerStore {
    location: ContainerLocation,
    client: Arc<Client>,
    attempts: Attempts,
}

impl ContainerStore {
    /// Nothing is connected yet, so this neither waits nor fails; [`Access::check`] says beforehand what can be seen to be wrong. `time_limit`
    /// bounds one create, or the wait for one answer to a read or a listing, with all its attempts.
    pub fn new(location: ContainerLocation, access: Access, time_limit: Duration) -> Self {
        let client = Arc::new(Client::new(location.clone(), access));
        Self { location, client, attempts: Attempts::within(time_limit) }
    }

    /// The blob's whole name in the container.
    fn name(&self, key: &Key) -> String {
        format!("{}{key}", self.location.prefix())
    }

    /// What an error means where it does not say that all is well.
    fn failure(&self, connection: &Connection, error: &SdkError, right: Right) -> Failure {
        let refusal = Refusal::of(error);
        if lost_credentials(error) || refusal.as_ref().is_some_and(Refusal::is_of_credentials) {
            self.client.forget(connection);
        }
        match refusal {
            Some(refusal) => refusal.failure(About { location: &self.location, right, sas: self.client.has_sas() }),
            None => no_answer(error),
        }
    }
}

impl fmt::Debug for ContainerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.location, f)
    }
}
