//! Where the archive is that a command reads, and how it is opened: the one place that knows every store.

use std::path::Path;
use std::sync::Arc;
#[cfg(feature = "cloud-storage")]
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use persistor_core::{FolderStore, Key, Location, RECORD_SUFFIX, Reader};
#[cfg(feature = "cloud-storage")]
use persistor_gcp::{BucketLocation, BucketStore, Endpoint};
use persistor_recover::Archive;

use crate::exit::usage;

/// What is read where nothing else is said, as `persistor serve` writes there.
const DEFAULT: &str = "./archive";
/// For one answer of a store, attempts included.
#[cfg(feature = "cloud-storage")]
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Where the archive is: a folder or gs://BUCKET/PREFIX [default: ./archive]
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
                "no archive: say which one with `-a gs://BUCKET/PREFIX` or `-a FOLDER`, or set PERSISTOR_ARCHIVE (without either it is {DEFAULT}, and there is none here)"
            ),
        };
        let location = match Location::parse(text) {
            Ok(location) => location,
            Err(error) => usage!("{error}"),
        };
        let reader = reader(&location)?;
        let archive = Archive::open(reader).await.with_context(|| format!("open the archive `{location}`"))?;
        Ok(Opened { location, archive })
    }
}

fn reader(location: &Location) -> anyhow::Result<Arc<dyn Reader>> {
    match location {
        Location::Memory => usage!("`memory:` is gone with the process that wrote it: there is nothing to read"),
        Location::Folder(path) if path.is_file() => {
            usage!("`{}` is a file: an archive is a folder, the one with `_persistor` in it", path.display())
        }
        Location::Folder(path) => Ok(Arc::new(FolderStore::existing(path)?)),
        #[cfg(feature = "cloud-storage")]
        Location::Url { scheme, rest } if scheme == "gs" => {
            let bucket = match BucketLocation::parse(rest) {
                Ok(bucket) => bucket,
                Err(error) => usage!("`{location}`: {:#}", anyhow::Error::from(error)),
            };
            let endpoint = match std::env::var("STORAGE_EMULATOR_HOST").ok().filter(|address| !address.is_empty()) {
                Some(address) => match Endpoint::emulator(&address) {
                    Ok(endpoint) => endpoint,
                    Err(error) => usage!("STORAGE_EMULATOR_HOST: {error}"),
                },
                None => Endpoint::CloudStorage,
            };
            Ok(Arc::new(BucketStore::new(bucket, endpoint, PATIENCE)))
        }
        Location::Url { scheme, .. } if scheme == "gs" => {
            usage!("`{location}`: this program was built without Cloud Storage (feature `cloud-storage`)")
        }
        other => usage!("`{other}`: this version reads archives in folders and in gs://BUCKET/PREFIX"),
    }
}

/// The addresses that Google's console and tools give a blob.
const STORAGE_URLS: [&str; 4] = [
    "https://storage.googleapis.com/",
    "https://storage.cloud.google.com/",
    "https://console.cloud.google.com/storage/browser/_details/",
    "gs://",
];

impl Opened {
    /// The key that an argument means: a key, a blob's URL, a file's path, or one of these of its record.
    pub(crate) fn key(&self, argument: &str) -> anyhow::Result<Key> {
        let name = self.name(argument)?;
        match Key::parse(name.strip_suffix(RECORD_SUFFIX).unwrap_or(&name)) {
            Ok(key) => Ok(key),
            Err(error) => usage!("`{}`: {error}", argument.escape_default()),
        }
    }

    fn name(&self, argument: &str) -> anyhow::Result<String> {
        let url = STORAGE_URLS.iter().find_map(|start| argument.strip_prefix(start));
        match (url, &self.location) {
            (Some(rest), Location::Url { rest: own, .. }) => {
                // What a browser adds.
                let rest = rest.split(['?', '#', ';']).next().unwrap_or(rest);
                let own = format!("{}/", own.trim_end_matches('/'));
                match rest.strip_prefix(&own) {
                    Some(name) => Ok(name.to_owned()),
                    None => usage!("`{argument}` lies in another archive than `{}`: give that one with `-a`", self.location),
                }
            }
            (Some(_), _) => {
                usage!("`{argument}` lies in a bucket, and the archive is `{}`: give its own with `-a gs://…`", self.location)
            }
            (None, Location::Folder(folder)) => {
                let inside = Path::new(argument).strip_prefix(folder).ok().and_then(Path::to_str);
                Ok(inside.unwrap_or(argument).to_owned())
            }
            (None, _) if argument.contains("://") => {
                usage!("`{argument}` is no blob of `{}`", self.location)
            }
            (None, _) => Ok(argument.to_owned()),
        }
    }
}
