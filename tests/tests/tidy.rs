//! What no compiler sees: which crate may know which ([`arrows`]), what the sources keep to ([`sources`]), and that documents say what
//! is so ([`documents`]), those of lines and faults too ([`lines`]), of Terraform's inputs ([`terraform_tables`]), and on failures and security ([`proofs`]); that
//! what is deployed keeps to the arithmetic beside it ([`azure_package`]), and that what comes from others is what may ([`supply`]).

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/azure_package.rs"]
mod azure_package;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/lines.rs"]
mod lines;
#[path = "tidy/proofs.rs"]
mod proofs;
#[path = "tidy/sources.rs"]
mod sources;
#[path = "tidy/supply.rs"]
mod supply;
#[path = "tidy/terraform_tables.rs"]
mod terraform_tables;

use std::fs;
use std::path::{Path, PathBuf};

/// The repository's root.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a member")
}

/// What is made and not kept, by its name in the root.
fn is_kept(name: &str) -> bool {
    !(["target", ".git", "archive"].contains(&name) || name.starts_with("persistor-try"))
}

/// All files of the repository below a folder of it, by their paths from the root, sorted.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("list {}: {error}", folder.display())) {
            let entry = entry.expect("list");
            if folder == root() && !is_kept(&entry.file_name().to_string_lossy()) {
                continue;
            }
            if entry.file_type().expect("list").is_dir() {
                // What Python makes of a script beside it.
                if entry.file_name() != "__pycache__" {
                    folders.push(entry.path());
                }
            } else {
                found.push(entry.path().strip_prefix(root()).expect("it is below").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The same, only those whose names end in this way, with their text.
fn texts(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let wanted = files(folder).into_iter().filter(|path| path.extension().is_some_and(|found| found == extension));
    let texts: Vec<_> = wanted.map(|path| (path.clone(), fs::read_to_string(root().join(path)).expect("it is text"))).collect();
    assert!(!texts.is_empty(), "no .{extension} files in `{folder}`");
    texts
}
