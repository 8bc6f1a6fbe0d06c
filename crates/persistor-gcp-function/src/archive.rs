//! Opens the archive that the settings name.

#[cfg(feature = "cloud-storage")]
use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use persistor_core::{FolderStore, Location, MemoryStore, Writer};
#[cfg(feature = "cloud-storage")]
use persistor_gcp::{BucketLocation, BucketStore, Endpoint};
use persistor_serve::keep_house;

use crate::settings::Settings;

/// The scheme of archives in Cloud Storage.
const CLOUD_STORAGE: &str = "gs";

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
            // Its own file system is memory.
            if settings.on_cloud_run {
                tracing::warn!(
                    "the archive is a folder on Cloud Run: unless a volume is mounted there, it is gone with this instance"
                );
            }
            if store.ignores_case() {
                tracing::warn!("this folder ignores the case of names: two ids that differ only in case would share a blob");
            }
            let swept = store.clone();
            keep_house(move || swept.remove_leftovers(SystemTime::now() - LEFTOVER_AGE));
            Ok(Arc::new(store))
        }
        #[cfg(feature = "cloud-storage")]
        Location::Url { scheme, rest } if scheme == CLOUD_STORAGE => {
            let endpoint = match &settings.storage_emulator {
                Some(address) => {
                    tracing::warn!(
                        address,
                        "STORAGE_EMULATOR_HOST is set: messages go to this emulator and not to Cloud Storage"
                    );
                    Endpoint::emulator(address)?
                }
                None => Endpoint::CloudStorage,
            };
            Ok(Arc::new(BucketStore::new(BucketLocation::parse(rest)?, endpoint, settings.serve.write_timeout)))
        }
        other => bail!("`{other}` is not an archive that this version can write to"),
    }
}

/// Whether an archive of this URL can be opened.
pub(crate) fn check_url(scheme: &str, rest: &str) -> Result<(), String> {
    #[cfg(feature = "cloud-storage")]
    if scheme == CLOUD_STORAGE {
        return BucketLocation::parse(rest).map(drop).map_err(|error| match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        });
    }
    if scheme == CLOUD_STORAGE {
        return Err(format!("`{scheme}://{rest}`: this program was built without Cloud Storage (feature `cloud-storage`)"));
    }
    Err(format!("`{scheme}://` is not a kind of archive that this version can write to"))
}

/// How many bytes of a name in the store are the archive's own.
pub(crate) fn prefix(location: &Location) -> usize {
    match location {
        Location::Url { rest, .. } => rest.trim_end_matches('/').split_once('/').map_or(0, |(_, prefix)| prefix.len() + 1),
        _ => 0,
    }
}

/// Whether an emulator's address is one.
pub(crate) fn check_emulator(address: &str) -> Result<(), String> {
    #[cfg(feature = "cloud-storage")]
    Endpoint::emulator(address).map_err(|error| error.to_string())?;
    let _ = address;
    Ok(())
}
