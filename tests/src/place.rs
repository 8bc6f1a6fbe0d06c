//! Where a test's archive is: in a folder, or in a container of Azurite, perhaps with something between it and the program.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::archive::Archive;
use crate::azurite::{self, ACCOUNT, Azurite};
use crate::function_app::FunctionApp;
use crate::program::Setup;
use crate::scratch;

/// One archive.
#[derive(Debug)]
pub struct Place<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    Folder(TempDir),
    Container { azurite: &'a Azurite, container: String, port: u16 },
}

/// Below it the archive is, in a container.
const PREFIX: &str = "some/prefix/";

impl<'a> Place<'a> {
    /// A new folder. It is in memory, where there is such a place: what is shown here is not what a disk does.
    pub fn folder() -> Self {
        Self(Kind::Folder(scratch::folder_in_memory()))
    }

    /// A new container.
    pub fn container(azurite: &'a Azurite, name: &str) -> Self {
        Self::container_behind(azurite, name, azurite.port())
    }

    /// A new container that the program reaches through what listens on this port.
    pub fn container_behind(azurite: &'a Azurite, name: &str, port: u16) -> Self {
        azurite.create_container(name);
        Self(Kind::Container { azurite, container: name.to_owned(), port })
    }

    pub fn is_folder(&self) -> bool {
        matches!(self.0, Kind::Folder(_))
    }

    /// As `PERSISTOR_ARCHIVE`.
    pub fn archive(&self) -> PathBuf {
        match &self.0 {
            Kind::Folder(folder) => folder.path().join("archive"),
            Kind::Container { container, .. } => format!("az://{ACCOUNT}/{container}/{}", PREFIX.trim_end_matches('/')).into(),
        }
    }

    /// The program for an app, storing here. In a container it may create and write: to one that may create only, Azurite does not say that a blob is there, and answers as
    /// if it might not be made.
    pub fn setup(&self, app: &FunctionApp) -> Setup {
        let setup = app.setup(&self.archive());
        match &self.0 {
            Kind::Folder(_) => setup,
            Kind::Container { port, .. } => setup
                .set("AZURE_STORAGE_SERVICE_ENDPOINT", azurite::endpoint(*port))
                .set("AZURE_STORAGE_SAS_TOKEN", azurite::sas("cw")),
        }
    }

    pub fn read(&self) -> Archive {
        match &self.0 {
            Kind::Folder(folder) => Archive::read(&folder.path().join("archive")),
            Kind::Container { azurite, container, .. } => Archive::read_container(azurite, container, PREFIX),
        }
    }

    /// The same, of an archive that must be in order.
    pub fn read_sound(&self) -> Archive {
        match &self.0 {
            Kind::Folder(folder) => Archive::read_sound(&folder.path().join("archive")),
            Kind::Container { azurite, container, .. } => Archive::read_container_sound(azurite, container, PREFIX),
        }
    }

    /// Every blob with what would be another one if it were made again.
    pub fn snapshot(&self) -> BTreeMap<String, String> {
        match &self.0 {
            Kind::Folder(folder) => made(&folder.path().join("archive")),
            Kind::Container { azurite, container, .. } => {
                azurite.items(container, PREFIX).into_iter().map(|item| (item.name, item.etag)).collect()
            }
        }
    }
}

/// Every blob of an archive in a folder, with what would be another one if it were made or written again.
pub(crate) fn made(root: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    walk(root, &mut files);
    files
}

fn walk(folder: &Path, files: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.expect("list")) {
        let metadata = entry.metadata().expect("list");
        if entry.file_name() == ".tmp" {
            // No blobs: what is being written, and a file of each process that writes.
        } else if metadata.is_dir() {
            walk(&entry.path(), files);
        } else {
            let made = format!("{} {} {}", metadata.ino(), metadata.mtime(), metadata.mtime_nsec());
            files.insert(entry.path().display().to_string(), made);
        }
    }
}
