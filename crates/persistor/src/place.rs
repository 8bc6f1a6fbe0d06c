//! Where the archive is that a command reads, and how it is opened: the one place that knows every store.

use std::path::Path;
use std::sync::Arc;
#[cfg(feature = "cloud-storage")]
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use percent_encoding::percent_decode_str;
use persistor_core::{FolderStore, Key, Location, RECORD_SUFFIX, Reader};
#[cfg(feature = "cloud-storage")]
use persistor_gcp::{BucketLocation, BucketStore, Endpoint};
use persistor_recover::Archive;

use crate::exit::usage;
use crate::screen::visible;

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
        Location::Folder(path) if !path.exists() => {
            bail!("there is no folder `{}`: look at `-a` and PERSISTOR_ARCHIVE, and at where you are", path.display())
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

/// How the addresses begin that Google's console, tools and API give a blob; the bucket comes next.
const BLOB_URLS: [&str; 7] = [
    "gs://",
    "https://storage.googleapis.com/storage/v1/b/",
    "https://storage.googleapis.com/download/storage/v1/b/",
    "https://www.googleapis.com/storage/v1/b/",
    "https://console.cloud.google.com/storage/browser/_details/",
    "https://storage.cloud.google.com/",
    "https://storage.googleapis.com/",
];

/// The bucket and the name of a blob's address.
fn of_url(url: &str) -> Option<String> {
    let start = BLOB_URLS.iter().find(|start| url.starts_with(**start))?;
    let rest = &url[start.len()..];
    if *start == "gs://" {
        return Some(rest.to_owned());
    }
    // What a browser adds.
    let rest = rest.split(['?', '#', ';']).next().unwrap_or(rest);
    let rest = if start.ends_with("/b/") { rest.replacen("/o/", "/", 1) } else { rest.to_owned() };
    Some(percent_decode_str(&rest).decode_utf8_lossy().into_owned())
}

impl Opened {
    /// The key that an argument means: a key, a blob's URL, a file's path, or one of these of its record.
    pub(crate) fn key(&self, argument: &str) -> anyhow::Result<Key> {
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
        match (of_url(argument), &self.location) {
            (Some(rest), Location::Url { rest: own, .. }) => {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_has_many_addresses() {
        for url in [
            "gs://bucket/p/orders/a~20-x",
            "https://storage.googleapis.com/bucket/p/orders/a~20-x",
            "https://storage.cloud.google.com/bucket/p/orders/a%7E20-x?authuser=1",
            "https://console.cloud.google.com/storage/browser/_details/bucket/p/orders/a~20-x;tab=live_object?project=p",
            "https://storage.googleapis.com/storage/v1/b/bucket/o/p%2Forders%2Fa~20-x?alt=media",
            "https://www.googleapis.com/storage/v1/b/bucket/o/p%2Forders%2Fa~20-x",
        ] {
            assert_eq!(of_url(url).as_deref(), Some("bucket/p/orders/a~20-x"), "{url}");
        }
        assert_eq!(of_url("orders/2026/a-x"), None);
        assert_eq!(of_url("https://example.com/bucket/a"), None);
    }
}
