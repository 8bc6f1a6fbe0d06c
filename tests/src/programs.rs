//! Building Persistor's programs, once for all tests of a process, with the profile that the test itself was built with. Programs
//! that are built already, for a release perhaps, are tested by naming their folder in `TEST_PROGRAMS`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::scratch;

/// The path of the push handler's program.
pub fn gcp_function() -> PathBuf {
    built().join("persistor-gcp-function")
}

/// The path of the Functions host's custom handler.
pub fn azure_function() -> PathBuf {
    built().join("persistor-azure-function")
}

/// The path of the program `persistor`.
pub fn persistor() -> PathBuf {
    built().join("persistor")
}

/// The folder with the programs. Cargo does nothing where they are fresh, and lets one process build at a time.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(folder) = std::env::var_os("TEST_PROGRAMS") {
            return folder.into();
        }
        let folder = scratch::profile_folder();
        // The dev profile is the one whose folder is not named like it.
        let profile = match folder.file_name().and_then(|name| name.to_str()).expect("a profile's folder has a name") {
            "debug" => "dev",
            name => name,
        };
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a member");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        // What cargo tells a test of its package is not for another cargo: ring is built anew, and all that links it, wherever it finds one of these changed.
        let of_this_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_this_package)) {
            command.env_remove(name);
        }
        let status = command
            .current_dir(workspace)
            .args([
                "build",
                "--quiet",
                "--bins",
                "-p",
                "persistor",
                "-p",
                "persistor-gcp-function",
                "-p",
                "persistor-azure-function",
            ])
            .args(["--profile", profile])
            .arg("--target-dir")
            .arg(scratch::target())
            .status();
        assert!(status.expect("cargo runs").success(), "the programs do not build");
        folder
    })
}
