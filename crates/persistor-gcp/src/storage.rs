//! Cloud Storage: an archive below a prefix of a bucket.
//!
//! Each part is a file: where the archive is (`location`), the connection (`client`), what an answer means (`answer`), writing (`write`),
//! reading (`read`) and listing (`list`, `tiles`).

mod answer;
mod client;
mod list;
mod location;
mod read;
mod tiles;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use persistor_core::{Attempts, Key};

use client::Client;

pub use client::Endpoint;
pub use location::BucketLocation;

/// An archive in a bucket. Clones share one client, which is made at the first use.
///
/// Writing needs `storage.objects.create` only; reading `storage.objects.get` and `storage.objects.list`.
#[derive(Clone)]
pub struct BucketStore {
    location: BucketLocation,
    client: Arc<Client>,
    attempts: Attempts,
}

impl BucketStore {
    /// Nothing is connected yet, so this neither waits nor fails. `time_limit` bounds one create, or the wait for one answer to a read or a listing,
    /// with all its attempts.
    pub fn new(location: BucketLocation, endpoint: Endpoint, time_limit: Duration) -> Self {
        Self { location, client: Arc::new(Client::new(endpoint)), attempts: Attempts::within(time_limit) }
    }

    /// The blob's whole name in the bucket.
    fn name(&self, key: &Key) -> String {
        format!("{}{key}", self.location.prefix())
    }
}

impl fmt::Debug for BucketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.location, f)
    }
}
