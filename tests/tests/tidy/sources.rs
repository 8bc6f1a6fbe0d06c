//! What the sources keep to: core has no clock and no environment, every file says what it owns, and nothing names the machine of
//! whoever wrote it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{files, root, texts};

/// Ways to a wall clock or an environment.
const OUTSIDE: [&str; 9] =
    ["env::", "std::env", "env!(", "SystemTime::now", "UNIX_EPOCH", "Utc::now", "Local::now", "Instant::now", "use std::{env"];

/// What core may have of them outside of tests, and why.
const ALLOWED: [(&str, &str, &str); 2] = [
    (
        "crates/persistor-core/src/attempts.rs",
        "Instant::now",
        "attempts end after a time, which a clock that tells no date measures; keys and records know nothing of it",
    ),
    (
        "crates/persistor-core/src/memory.rs",
        "SystemTime::now",
        "a store says when a blob was made, as files and buckets do by themselves; keys and records know nothing of it",
    ),
];

#[test]
fn core_has_no_clock_and_no_environment() {
    let mut found = BTreeSet::new();
    for (path, text) in texts("crates/persistor-core/src", "rs") {
        for line in without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//")) {
            for name in OUTSIDE.iter().filter(|name| line.contains(**name)) {
                found.insert((path.to_string_lossy().into_owned(), *name));
            }
        }
    }
    let allowed = ALLOWED.map(|(path, name, _)| (path.to_owned(), name));
    assert_eq!(found, BTreeSet::from(allowed), "what is found, and what may be");
}

/// A file without its module of tests, which stands last.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

#[test]
fn every_source_file_opens_with_what_it_owns() {
    let without: Vec<_> = ["crates", "tests"]
        .iter()
        .flat_map(|folder| texts(folder, "rs"))
        .filter(|(_, text)| !text.starts_with("//! ") || text.starts_with("//! \n"))
        .map(|(path, _)| path)
        .collect();
    assert!(without.is_empty(), "{without:?}");
}

/// What a type shows of itself when it is debugged is chosen by nobody: a message has its payload in it.
#[test]
fn no_log_line_writes_a_value_as_it_is_debugged() {
    let (mut calls, mut found) = (0, Vec::new());
    for (path, text) in texts("crates", "rs").into_iter().filter(|(path, _)| !path.ends_with("tests.rs")) {
        for (at, _) in without_tests(&text).match_indices("tracing::") {
            let rest = &text[at + "tracing::".len()..];
            let is_call = ["error!(", "warn!(", "info!(", "debug!(", "trace!("].iter().any(|call| rest.starts_with(call));
            // As formatted, a call ends with a line of its own or at the end of its first.
            let end = rest.find(");\n").or_else(|| rest.find("),\n")).unwrap_or(rest.len());
            calls += usize::from(is_call);
            if is_call && debugs(&rest[..end]) {
                found.push(format!("{}: {}", path.display(), &rest[..end]));
            }
        }
    }
    assert!(calls > 30, "{calls} calls are seen");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn debugs(call: &str) -> bool {
    call.contains(":?}") || call.contains(":#?}") || call.split(['(', ',', '=']).any(|part| part.trim_start().starts_with('?'))
}

#[test]
fn what_is_debugged_is_known_when_seen() {
    for call in
        ["warn!(?message, \"x\")", "debug!(a = ?b)", "info!(\n    ?a,\n)", "error!(\"{message:?}\")", "warn!(\"{:#?}\", a)"]
    {
        assert!(debugs(call), "{call}");
    }
    for call in ["warn!(%error, \"is it?\")", "debug!(message_id, \"stored\")", "info!(reason = error.to_string())"] {
        assert!(!debugs(call), "{call}");
    }
}

#[test]
fn no_file_names_a_machine_or_a_registry_of_its_writer() {
    let mut found = Vec::new();
    for path in files("") {
        // Fixtures and golden files too; what is no text names nothing.
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            found.extend(betrayed(&path, line).map(|part| format!("{}:{}: {part}", path.display(), number + 1)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What a line tells about a machine. The words are put together here so that this file has none of them.
fn betrayed(path: &Path, line: &str) -> Option<String> {
    let folder = ["work", "tmp", "home", "root", "Users", "var/folders"].iter().find_map(|name| {
        let name = format!("/{name}/");
        line.match_indices(&name).find_map(|(at, _)| {
            // Not the middle of a longer path.
            let begins =
                line[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && !"._-~}$*/".contains(before));
            let names_more = line[at + name.len()..].starts_with(|next: char| next.is_alphanumeric() || "._-".contains(next));
            (begins && names_more).then(|| name.clone())
        })
    });
    // Of crates there is one registry, by the name that cargo itself gives it.
    let locked = path.ends_with("Cargo.lock") && line.starts_with("source = ");
    let foreign = locked && line != concat!("source = \"registry+https://github.com/rust-lang/crates.io-", "index\"");
    let registries =
        [concat!("sparse", "+http"), concat!("arti", "factory"), concat!("replace", "-with"), concat!("_REGISTRIES", "_")];
    let registry = registries.iter().find(|word| line.to_lowercase().contains(&word.to_lowercase()));
    folder.or_else(|| registry.map(|word| (*word).to_owned())).or_else(|| foreign.then(|| line.to_owned()))
}

#[test]
fn what_betrays_is_known_when_seen() {
    let slash = "/";
    let lock = Path::new("Cargo.lock");
    for line in [
        format!("cd {slash}work/main"),
        format!("`{slash}tmp/x`"),
        format!("path = \"{slash}home/me/x\""),
        format!("{slash}root/.cargo"),
        format!("https://example.com{slash}{}/api", concat!("arti", "factory")),
        "source = \"registry+https://crates.example.com/index\"".to_owned(),
    ] {
        assert!(betrayed(lock, &line).is_some(), "{line}");
    }
    for line in [
        format!("target{slash}tmp/x"),
        format!("{slash}tmp is memory on some systems"),
        format!("{slash}usr/lib/x"),
        format!("$HOME{slash}work/x"),
        "checksum = \"0\"".to_owned(),
    ] {
        assert_eq!(betrayed(lock, &line), None, "{line}");
    }
}
