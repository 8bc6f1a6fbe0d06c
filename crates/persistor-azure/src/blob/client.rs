//! The connection: one official client for the life of the program, made at the first use.

use std::sync::{Arc, Mutex, PoisonError};

use azure_storage_blob::{BlobContainerClient, BlobContainerClientOptions};
use persistor_core::{Error, ErrorKind, Failure, Result};

use super::access::Access;
use super::answer::root;
use super::location::ContainerLocation;
use crate::credential::{client_options, credential};

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
        let mut url = self.access.container_url(&self.location)?;
        let client_options = client_options()?;
        let credential = match &self.access.sas {
            Some(sas) => {
                url.set_query(Some(sas.query()));
                None
            }
            None => Some(credential(self.access.credential, self.access.client_id.clone(), client_options.clone())?),
        };
        let options = BlobContainerClientOptions { client_options, ..BlobContainerClientOptions::default() };
        BlobContainerClient::new(url, credential, Some(options))
            .map_err(|error| Error::new(ErrorKind::Unavailable, "make a client of Blob Storage").with_source(root(&error)))
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
