//! The connection: one official client for the life of the program, made at the first use.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use azure_storage_blob::{BlobContainerClient, BlobContainerClientOptions};
use persistor_core::{Error, ErrorKind, Failure, Result};

use super::access::{Access, CredentialKind};
use super::answer::{root, without_addresses};
use super::location::ContainerLocation;

/// Behind it a host is not there, or does not answer: another attempt may reach another one.
const CONNECT: Duration = Duration::from_secs(5);

/// Makes the connection when it is first needed, and again if its credentials fail for good.
pub(crate) struct Client {
    location: ContainerLocation,
    access: Access,
    connection: Mutex<Option<Connection>>,
}

/// What requests are made with. Its address holds the SAS, so it is not to be printed.
pub(crate) type Connection = Arc<BlobContainerClient>;

impl Client {
    pub(crate) fn new(location: ContainerLocation, access: Access) -> Self {
        Self { location, access, connection: Mutex::default() }
    }

    /// Whether a SAS gives access, and not an identity.
    pub(crate) fn has_sas(&self) -> bool {
        self.access.sas.is_some()
    }

    /// The connection. Whoever comes first makes it, which waits for nobody.
    pub(crate) fn connection(&self) -> Result<Connection, Failure> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = &*connection {
            return Ok(connection.clone());
        }
        let made = Arc::new(self.connect().map_err(Failure::Lasting)?);
        Ok(connection.insert(made).clone())
    }

    fn connect(&self) -> Result<BlobContainerClient> {
        // The client wants a provider even where nothing is encrypted. Another part of the program may have chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut url = self.access.container_url(&self.location)?;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::new(ErrorKind::Unavailable, "make an HTTP client").with_source(root(&error)))?;
        let client_options = ClientOptions {
            // Its own retries have no limit for an attempt, and outlive the lock on a message.
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(http))),
            ..ClientOptions::default()
        };
        let credential = match &self.access.sas {
            Some(sas) => {
                url.set_query(Some(sas.query()));
                None
            }
            None => Some(self.credential(client_options.clone())?),
        };
        let options = BlobContainerClientOptions { client_options, ..BlobContainerClientOptions::default() };
        BlobContainerClient::new(url, credential, Some(options))
            .map_err(|error| Error::new(ErrorKind::Unavailable, "make a client of Blob Storage").with_source(root(&error)))
    }

    fn credential(&self, client_options: ClientOptions) -> Result<Arc<dyn TokenCredential>> {
        let kind = self.access.credential.unwrap_or_else(|| CredentialKind::of_platform(|name| std::env::var_os(name).is_some()));
        let client_id = self.access.client_id.clone();
        let made: azure_core::Result<Arc<dyn TokenCredential>> = match kind {
            CredentialKind::ManagedIdentity => {
                let user_assigned_id = client_id.map(UserAssignedId::ClientId);
                let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
                ManagedIdentityCredential::new(Some(options)).map(|credential| credential as _)
            }
            CredentialKind::WorkloadIdentity => {
                let credential_options = ClientAssertionCredentialOptions { client_options };
                let options = WorkloadIdentityCredentialOptions {
                    credential_options,
                    client_id,
                    ..WorkloadIdentityCredentialOptions::default()
                };
                WorkloadIdentityCredential::new(Some(options)).map(|credential| credential as _)
            }
            CredentialKind::AzureCli => AzureCliCredential::new(None).map(|credential| credential as _),
        };
        made.map_err(|error| {
            Error::new(ErrorKind::Denied, format!("make credentials: {kind}")).with_source(without_addresses(&error.to_string()))
        })
    }

    /// Makes it anew at the next use: credentials may have been given, or read, since.
    pub(crate) fn forget(&self, failed: &Connection) {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // Another request may have made a new one already.
        if connection.as_ref().is_some_and(|connection| Arc::ptr_eq(connection, failed)) {
            *connection = None;
        }
    }
}
