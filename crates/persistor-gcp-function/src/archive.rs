//! Opens the archive that the settings name.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use persistor_core::{FolderStore, Location, MemoryStore, Writer};
use persistor_serve::causes;

/// Temporary files older than this are what a crash left.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 3600);
/// How often they are looked for.
const LEFTOVER_INTERVAL: Duration = Duration::from_secs(3600);

/// Opens an archive for writing, from within the runtime.
pub(crate) fn open(location: &Location) -> anyhow::Result<Arc<dyn Writer>> {
    match location {
        Location::Memory => {
            tracing::warn!("the archive is in memory: it is gone when this program ends");
            Ok(Arc::new(MemoryStore::new()))
        }
        Location::Folder(path) => {
            let store = FolderStore::open(path)
                .context("check PERSISTOR_ARCHIVE: this folder has to be there or to be made, and writable")?;
            // Set on Cloud Run, whose own file system is memory.
            if std::env::var_os("K_SERVICE").is_some() {
                tracing::warn!(
                    "the archive is a folder on Cloud Run: unless a volume is mounted there, it is gone with this instance"
                );
            }
            if store.ignores_case() {
                tracing::warn!("this folder ignores the case of names: two ids that differ only in case would share a blob");
            }
            tokio::spawn(remove_leftovers(store.clone()));
            Ok(Arc::new(store))
        }
        other => bail!("`{other}` is not an archive that this version can write to"),
    }
}

async fn remove_leftovers(store: FolderStore) {
    let mut interval = tokio::time::interval(LEFTOVER_INTERVAL);
    loop {
        interval.tick().await;
        let store = store.clone();
        let removed = tokio::task::spawn_blocking(move || store.remove_leftovers(SystemTime::now() - LEFTOVER_AGE)).await;
        match removed {
            Ok(Ok(0)) => {}
            Ok(Ok(files)) => tracing::info!(files, "removed temporary files that a crash left"),
            Ok(Err(error)) => tracing::warn!(cause = causes(&error), "{error}"),
            // A panic, which had its line; its text stays out of this one.
            Err(_) => tracing::warn!("left-over temporary files were not looked for"),
        }
    }
}
