//! Folders to work in, below the target folder (a disk, where the system's own may be memory), removed when done.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A new empty folder, removed with all that is in it when dropped.
///
/// # Panics
/// If it cannot be made.
pub fn folder() -> TempDir {
    let parent = target().join("tmp");
    std::fs::create_dir_all(&parent).expect("the target folder can be written");
    tempfile::Builder::new().prefix("persistor-").tempdir_in(parent).expect("a folder in the target folder")
}

/// The same in memory where the system has such a folder, for more files than a disk syncs in reasonable time.
///
/// # Panics
/// If it cannot be made.
pub fn folder_in_memory() -> TempDir {
    let made = tempfile::Builder::new().prefix("persistor-").tempdir_in("/dev/shm");
    made.unwrap_or_else(|_| folder())
}

/// The target folder that the running test was built into.
pub fn target() -> PathBuf {
    profile_folder().parent().expect("the target folder is above its profiles").to_owned()
}

/// The folder of the profile that the running test was built with, where its programs are too.
///
/// # Panics
/// If the test was not started from where cargo puts tests.
pub fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "deps"));
    folder.and_then(Path::parent).expect("tests are in `target/PROFILE/deps`").to_owned()
}
