//! Opens the archive that the settings name.

#[cfg(feature = "blob-storage")]
use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
#[cfg(feature = "blob-storage")]
use persistor_azure::{Access, ContainerLocation, ContainerStore, CredentialKind, Endpoint, SasToken};
use persistor_core::{FolderStore, Location, MemoryStore, Writer};
#[cfg(feature = "blob-storage")]
use persistor_serve::Resolver;
use persistor_serve::keep_house;

use crate::settings::Settings;

/// The scheme of archives in Blob Storage.
const BLOB_STORAGE: &str = "az";

/// Temporary files older than this are what a crash left.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 3600);

/// Opens the archive for writing, from within the runtime. Nothing is waited for.
pub(crate) fn open(settings: &Settings) -> anyhow::Result<Arc<dyn Writer>> {
    match &settings.archive {
        Location::Memory => {
            tracing::warn!("the archive is in memory: it is gone when this program ends");
            Ok(Arc::new(MemoryStore::new()))
        }
        Location::Folder(path) => {
            let store = FolderStore::open(path)
                .context("check PERSISTOR_ARCHIVE: this folder has to be there or to be made, and writable")?;
            if settings.under_host {
                tracing::warn!(
                    "the archive is a folder of this instance: unless a share is mounted there, it is gone with the instance"
                );
            }
            if store.ignores_case() {
                tracing::warn!("this folder ignores the case of names: two ids that differ only in case would share a blob");
            }
            let swept = store.clone();
            keep_house(move || swept.remove_leftovers(SystemTime::now() - LEFTOVER_AGE));
            Ok(Arc::new(store))
        }
        #[cfg(feature = "blob-storage")]
        Location::Url { scheme, rest } if scheme == BLOB_STORAGE => {
            let location = ContainerLocation::parse(rest)?;
            Ok(Arc::new(ContainerStore::new(location, settings.access.clone(), settings.serve.write_timeout)))
        }
        other => bail!("`{other}` is not an archive that this program can write to"),
    }
}

/// Whether an archive of this URL can be opened.
pub(crate) fn check_url(scheme: &str, rest: &str) -> Result<(), String> {
    #[cfg(feature = "blob-storage")]
    if scheme == BLOB_STORAGE {
        return ContainerLocation::parse(rest).map(drop).map_err(|error| match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        });
    }
    if scheme == BLOB_STORAGE {
        return Err(format!("`{scheme}://{rest}`: this program was built without Blob Storage (feature `blob-storage`)"));
    }
    Err(format!("`{scheme}://` is not a kind of archive that this program can write to"))
}

/// How many bytes of a name in the store are the archive's own.
pub(crate) fn prefix(location: &Location) -> usize {
    match location {
        Location::Url { rest, .. } => rest.trim_end_matches('/').splitn(3, '/').nth(2).map_or(0, |prefix| prefix.len() + 1),
        _ => 0,
    }
}

/// The settings of Blob Storage.
#[cfg(feature = "blob-storage")]
pub(crate) fn access(resolver: &mut Resolver<'_>) -> Access {
    fn told<T>(parsed: persistor_core::Result<T>) -> Result<T, String> {
        parsed.map_err(|error| error.to_string())
    }
    Access {
        endpoint: resolver.value("AZURE_STORAGE_SERVICE_ENDPOINT", |text| told(Endpoint::parse(text))),
        sas: resolver.value("AZURE_STORAGE_SAS_TOKEN", |text| told(SasToken::parse(text))),
        credential: resolver.value("AZURE_TOKEN_CREDENTIALS", |text| told(CredentialKind::parse(text))),
        client_id: resolver.value("AZURE_CLIENT_ID", |text| Ok(text.to_owned())),
    }
}

/// Whether the two fit together.
#[cfg(feature = "blob-storage")]
pub(crate) fn check_access(location: &Location, access: &Access) -> Result<(), String> {
    match location {
        Location::Url { scheme, rest } if scheme == BLOB_STORAGE => {
            ContainerLocation::parse(rest).and_then(|location| access.check(&location)).map_err(|error| error.to_string())
        }
        _ => Ok(()),
    }
}
