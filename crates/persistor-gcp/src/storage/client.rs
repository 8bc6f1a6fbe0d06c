//! The connection: one official client for the life of the program, made at the first use.

use std::sync::Arc;

use google_cloud_auth::credentials::{Builder as DefaultCredentials, Credentials, anonymous};
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_storage::client::Storage;
use persistor_core::{Error, ErrorKind, Failure, Result};
use tokio::sync::Mutex;

const CLOUD_STORAGE: &str = "https://storage.googleapis.com";

/// Which service answers, and as whom it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Cloud Storage, with Application Default Credentials: on Cloud Run the service's own identity, without a key.
    CloudStorage,
    /// An emulator at this URL, with no identity.
    Emulator(String),
}

impl Endpoint {
    /// Reads what people set as `STORAGE_EMULATOR_HOST`: `HOST:PORT`, or the same as an `http` or `https` URL.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is no such address.
    pub fn emulator(text: &str) -> Result<Self> {
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let invalid = || Error::new(ErrorKind::Invalid, format!("`{text}` is no address of an emulator"));
        let parsed = reqwest::Url::parse(&url).map_err(|_| invalid())?;
        let plain = matches!(parsed.scheme(), "http" | "https") && parsed.has_host() && matches!(parsed.path(), "" | "/");
        if plain && parsed.query().is_none() && parsed.username().is_empty() {
            Ok(Self::Emulator(url.trim_end_matches('/').to_owned()))
        } else {
            Err(invalid())
        }
    }

    pub(crate) fn url(&self) -> &str {
        match self {
            Self::CloudStorage => CLOUD_STORAGE,
            Self::Emulator(url) => url,
        }
    }
}

/// Makes the connection when it is first needed, and again if its credentials are lost for good.
#[derive(Debug)]
pub(crate) struct Client {
    endpoint: Endpoint,
    /// Kept apart from the connection: making them starts a task that refreshes the token, of which there is to be one.
    credentials: Mutex<Option<Credentials>>,
    connection: Mutex<Option<Connection>>,
}

/// What requests are made with.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// The official client, whose own retries are off: it has no time limit for an attempt.
    pub(crate) storage: Storage,
    /// For what the official client does over gRPC only.
    pub(crate) http: reqwest::Client,
    pub(crate) credentials: Credentials,
    pub(crate) endpoint: Arc<str>,
}

impl Client {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, credentials: Mutex::default(), connection: Mutex::default() }
    }

    /// The connection. Whoever comes first makes it and the others wait; if that one gives up, the next one makes it.
    pub(crate) async fn connection(&self) -> Result<Connection, Failure> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok(connection.clone());
        }
        let made = self.connect().await.map_err(Failure::Passing)?;
        Ok(connection.insert(made).clone())
    }

    async fn connect(&self) -> Result<Connection> {
        // Both clients want a provider even where nothing is encrypted. Another part of the program may have chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let unavailable = |what: &str| Error::new(ErrorKind::Unavailable, what.to_owned());
        let credentials = self.credentials().await?;
        let storage = Storage::builder()
            .with_endpoint(self.endpoint.url())
            .with_credentials(credentials.clone())
            .with_retry_policy(NeverRetry)
            // It is made and never used.
            .with_grpc_subchannel_count(1)
            // Every write is one request, so that it has one answer.
            .with_resumable_upload_threshold(usize::MAX)
            .build()
            .await
            .map_err(|error| unavailable("connect to Cloud Storage").with_source(error))?;
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| unavailable("make an HTTP client").with_source(error))?;
        Ok(Connection { storage, http, credentials, endpoint: self.endpoint.url().into() })
    }

    async fn credentials(&self) -> Result<Credentials> {
        let mut kept = self.credentials.lock().await;
        if let Some(credentials) = &*kept {
            return Ok(credentials.clone());
        }
        let made = match self.endpoint {
            Endpoint::Emulator(_) => anonymous::Builder::new().build(),
            Endpoint::CloudStorage => DefaultCredentials::default()
                // Nothing but storage can be done with a token that goes astray.
                .with_scopes(["https://www.googleapis.com/auth/devstorage.read_write"])
                .build()
                .map_err(|error| Error::new(ErrorKind::Denied, NO_CREDENTIALS).with_source(error))?,
        };
        Ok(kept.insert(made).clone())
    }

    /// Makes all of it anew at the next use: credentials that have failed for good never try again by themselves.
    pub(crate) async fn forget(&self) {
        *self.connection.lock().await = None;
        *self.credentials.lock().await = None;
    }
}

const NO_CREDENTIALS: &str = "find Application Default Credentials: on Cloud Run they are the service's; elsewhere `gcloud auth application-default login` makes them";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_is_a_host_and_a_port() {
        for (text, url) in [
            ("127.0.0.1:4443", "http://127.0.0.1:4443"),
            ("localhost:4443", "http://localhost:4443"),
            ("http://storage:80/", "http://storage:80"),
            ("https://127.0.0.1:4443", "https://127.0.0.1:4443"),
        ] {
            assert_eq!(Endpoint::emulator(text).ok(), Some(Endpoint::Emulator(url.to_owned())), "{text}");
        }
        for text in ["", "ftp://a", "http://", "http://a/b", "http://a?b", "http://user@a", "a b"] {
            assert!(Endpoint::emulator(text).is_err(), "{text}");
        }
    }
}
