//! Where the archive is that a command reads or writes, and how it is opened: the one place that knows every store.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use clap::Args;
#[cfg(feature = "blob-storage")]
use persistor_azure::{Access, ContainerLocation, ContainerStore, CredentialKind, Endpoint as BlobEndpoint, SasToken};
use persistor_core::{FolderStore, Key, Location, RECORD_SUFFIX, Reader, Writer};
#[cfg(feature = "cloud-storage")]
use persistor_gcp::{BucketLocation, BucketStore, Endpoint};
use persistor_recover::Archive;
use persistor_serve::{holds_credential, keep_house};

use crate::address;
use crate::exit::usage;
use crate::screen::visible;
#[cfg(any(feature = "cloud-storage", feature = "blob-storage"))]
use crate::variable::variable;

/// What is read where nothing else is said, as `persistor serve` writes there.
const DEFAULT: &str = "./archive";
/// For one answer of a store, attempts included.
#[cfg(any(feature = "cloud-storage", feature = "blob-storage"))]
const PATIENCE: Duration = Duration::from_secs(60);
/// Temporary files older than this are what a crash left.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Where the archive is: a folder, gs://BUCKET/PREFIX or az://ACCOUNT/CONTAINER/PREFIX [default: ./archive]
    #[arg(short, long, value_name = "ARCHIVE", env = "PERSISTOR_ARCHIVE", hide_env_values = true)]
    archive: Option<String>,
    /// Say nothing on standard error but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// The location, and the archive there.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) location: Location,
    pub(crate) archive: Arc<Archive>,
}

impl Place {
    /// Opens the archive for reading; nothing is made or changed.
    pub(crate) async fn open(&self) -> anyhow::Result<Opened> {
        let text = match self.archive.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => text,
            None if Path::new(DEFAULT).is_dir() => DEFAULT,
            None => usage!(
                "no archive: say which one with `-a gs://BUCKET/PREFIX`, `-a az://ACCOUNT/CONTAINER/PREFIX` or `-a FOLDER`, or set PERSISTOR_ARCHIVE (without either it is {DEFAULT}, and there is none here)"
            ),
        };
        let location = location(text)?;
        let reader = reader(&location)?;
        let archive = Archive::open(reader).await.with_context(|| format!("open the archive `{location}`"))?;
        Ok(Opened { location, archive })
    }
}

/// The place of an archive, as it was written. What gives access to it does not belong there, and is not repeated.
pub(crate) fn location(text: &str) -> anyhow::Result<Location> {
    if holds_credential(text) {
        usage!(
            "the archive's address (not shown here) looks like a credential, or has one in it: it is only gs://BUCKET/PREFIX, az://ACCOUNT/CONTAINER/PREFIX or a folder, and AZURE_STORAGE_SAS_TOKEN holds a SAS"
        );
    }
    match Location::parse(text) {
        Ok(location) => Ok(location),
        Err(error) => usage!("{error}"),
    }
}

fn reader(location: &Location) -> anyhow::Result<Arc<dyn Reader>> {
    match location {
        Location::Memory => usage!("`memory:` is gone with the process that wrote it: there is nothing to read"),
        Location::Folder(path) if path.is_file() => usage!("{}", file(path)),
        Location::Folder(path) if !path.exists() => {
            bail!("there is no folder `{}`: look at `-a` and PERSISTOR_ARCHIVE, and at where you are", path.display())
        }
        Location::Folder(path) => Ok(Arc::new(FolderStore::existing(path)?)),
        other => remote(other).map(|(_, reader)| reader),
    }
}

/// Opens an archive for writing, and for reading what was written. A folder is made if it is not there; in a bucket or a container nothing is asked yet.
/// To be called within the runtime.
pub(crate) fn writer(location: &Location) -> anyhow::Result<(Arc<dyn Writer>, Arc<dyn Reader>)> {
    match location {
        Location::Memory => usage!("`memory:` is gone when this command ends: nothing written there can be read again"),
        Location::Folder(path) if path.is_file() => usage!("{}", file(path)),
        Location::Folder(path) => {
            let store = FolderStore::open(path)?;
            if store.ignores_case() {
                eprintln!(
                    "persistor: the folder `{}` ignores the case of names: two ids that differ only in case would share a blob",
                    path.display()
                );
            }
            let swept = store.clone();
            keep_house(move || swept.remove_leftovers(SystemTime::now() - LEFTOVER_AGE));
            Ok((Arc::new(store.clone()), Arc::new(store)))
        }
        other => remote(other),
    }
}

fn file(path: &Path) -> String {
    format!("`{}` is a file: an archive is a folder, the one with `_persistor` in it", path.display())
}

/// A store that is asked over the network; nothing is asked yet. It both writes and reads, as far as its rights go.
fn remote(location: &Location) -> anyhow::Result<(Arc<dyn Writer>, Arc<dyn Reader>)> {
    match location {
        #[cfg(feature = "cloud-storage")]
        Location::Url { scheme, rest } if scheme == "gs" => {
            let bucket = match BucketLocation::parse(rest) {
                Ok(bucket) => bucket,
                Err(error) => usage!("`{location}`: {:#}", anyhow::Error::from(error)),
            };
            let endpoint = variable("STORAGE_EMULATOR_HOST", Endpoint::emulator)?.unwrap_or(Endpoint::CloudStorage);
            let store = BucketStore::new(bucket, endpoint, PATIENCE);
            Ok((Arc::new(store.clone()), Arc::new(store)))
        }
        Location::Url { scheme, .. } if scheme == "gs" => {
            usage!(
                "`{location}`: this program was built without Cloud Storage (feature `cloud-storage`): build it without --no-default-features"
            )
        }
        #[cfg(feature = "blob-storage")]
        Location::Url { scheme, rest } if scheme == "az" => {
            let container = match ContainerLocation::parse(rest) {
                Ok(container) => container,
                Err(error) => usage!("`{location}`: {:#}", anyhow::Error::from(error)),
            };
            let access = access()?;
            if let Err(error) = access.check(&container) {
                usage!("AZURE_STORAGE_SERVICE_ENDPOINT: {error}");
            }
            let store = ContainerStore::new(container, access, PATIENCE);
            Ok((Arc::new(store.clone()), Arc::new(store)))
        }
        Location::Url { scheme, .. } if scheme == "az" => {
            usage!(
                "`{location}`: this program was built without Blob Storage (feature `blob-storage`): build it without --no-default-features"
            )
        }
        other => {
            usage!(
                "`{other}`: this version reads and writes archives in folders, in gs://BUCKET/PREFIX and in az://ACCOUNT/CONTAINER/PREFIX"
            )
        }
    }
}

/// How Blob Storage is reached, by the variables that Azure's own tools have.
#[cfg(feature = "blob-storage")]
fn access() -> anyhow::Result<Access> {
    Ok(Access {
        endpoint: variable("AZURE_STORAGE_SERVICE_ENDPOINT", BlobEndpoint::parse)?,
        sas: variable("AZURE_STORAGE_SAS_TOKEN", SasToken::parse)?,
        credential: variable("AZURE_TOKEN_CREDENTIALS", CredentialKind::parse)?,
        client_id: variable("AZURE_CLIENT_ID", |text| Ok(text.to_owned()))?,
    })
}

impl Opened {
    /// The key that an argument means: a key, a blob's URL, a file's path, or one of these of its record.
    pub(crate) fn key(&self, argument: &str) -> anyhow::Result<Key> {
        // An address may have been pasted with what gives access to it; no key has that.
        let argument =
            argument.split_once('?').map_or(argument, |(address, _)| if address.contains("://") { address } else { argument });
        if holds_credential(argument) {
            usage!("what is given as a key (not shown here) looks like a credential, or has one in it");
        }
        let name = self.name(argument)?;
        match Key::parse(name.strip_suffix(RECORD_SUFFIX).unwrap_or(&name)) {
            Ok(key) => Ok(key),
            Err(error) => {
                let shown: String = argument.chars().take(60).collect();
                usage!("`{}`: {error}", visible(&shown))
            }
        }
    }

    fn name(&self, argument: &str) -> anyhow::Result<String> {
        let address = match &self.location {
            Location::Url { scheme, .. } if scheme == "az" => address::in_blob_storage(argument),
            Location::Url { .. } => address::in_cloud_storage(argument),
            _ => address::in_cloud_storage(argument).or_else(|| address::in_blob_storage(argument)),
        };
        match (address, &self.location) {
            (Some(rest), Location::Url { rest: own, .. }) => {
                let own = format!("{}/", own.trim_end_matches('/'));
                match rest.strip_prefix(&own) {
                    Some(name) => Ok(name.to_owned()),
                    None => usage!("`{argument}` lies in another archive than `{}`: give that one with `-a`", self.location),
                }
            }
            (Some(_), _) => {
                usage!(
                    "`{argument}` lies elsewhere, and the archive is `{}`: give its own with `-a gs://…` or `-a az://…`",
                    self.location
                )
            }
            (None, Location::Folder(folder)) => {
                // However the archive and the file are written, from here or from the root.
                let (file, folder) = (std::path::absolute(argument), std::path::absolute(folder));
                let inside =
                    file.as_ref().ok().zip(folder.ok()).and_then(|(file, folder)| file.strip_prefix(folder).ok()?.to_str());
                Ok(inside.unwrap_or(argument).to_owned())
            }
            (None, _) if argument.contains("://") => {
                usage!("`{argument}` is no blob of `{}`", self.location)
            }
            (None, _) => Ok(argument.to_owned()),
        }
    }
}
