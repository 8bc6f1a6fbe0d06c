//! What comes from others: under licences that `.deny.toml` allows, from crates.io alone, and only what is used; and what our own crates may not do.

use std::collections::BTreeSet;
use std::fs;

use spdx::{Expression, LicenseReq, ParseMode};

use crate::arrows::cargo;
use crate::{root, texts};

/// The index that crates.io has in a lock file, whatever mirror stands before it.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// How the list of licences begins in `.deny.toml`.
const ALLOW: &str = "allow = [";

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let deny = fs::read_to_string(root().join(".deny.toml")).expect(".deny.toml is there");
    let list = deny.split_once(ALLOW).and_then(|(_, behind)| behind.split_once(']')).expect("a list of licences").0;
    let allowed: BTreeSet<_> = list.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect();
    assert!(allowed.contains("Apache-2.0"), "{allowed:?}");

    let mut used = BTreeSet::new();
    let mut found = Vec::new();
    // Tests and build scripts too: all that whoever builds this gets.
    let tree = cargo(&["tree", "--offline", "--workspace", "--edges", "all", "--prefix", "none", "--format", "{p}|{l}"]);
    for line in tree.lines().collect::<BTreeSet<_>>() {
        // A package that was shown before is marked behind its licence.
        let Some((package, licence)) = line.trim_end_matches(" (*)").split_once('|') else { continue };
        let of_allowed = |licence: &LicenseReq| {
            let name = licence.to_string();
            let is_allowed = allowed.contains(name.as_str());
            is_allowed.then(|| used.insert(name)).is_some()
        };
        if !Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|expression| expression.evaluate(of_allowed)) {
            found.push(format!("{package}: `{licence}`"));
        }
    }
    assert!(found.is_empty(), "not allowed: {found:#?}");
    let idle: Vec<_> = allowed.iter().filter(|name| !used.contains(**name)).collect();
    assert!(idle.is_empty(), "allowed, and nothing has it: {idle:?}");
}

#[test]
fn every_dependency_comes_from_crates_io_with_its_checksum() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock is there");
    let mut checked = 0;
    for package in lock.split("[[package]]").skip(1) {
        let Some(source) = value(package, "source") else {
            assert!(
                value(package, "name").is_some_and(|name| name.starts_with("persistor")),
                "not ours, and from nowhere: {package}"
            );
            continue;
        };
        assert_eq!(source, CRATES_IO, "{package}");
        assert!(value(package, "checksum").is_some_and(|checksum| checksum.len() == 64), "{package}");
        checked += 1;
    }
    assert!(checked > 100, "{checked} packages");
}

/// The value of a line `NAME = "VALUE"`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

/// A dependency that is never named is not used. (One that is named in a comment alone passes: what is found is always unused, what is unused is not always found.)
#[test]
fn every_dependency_of_our_crates_is_named_in_their_sources() {
    let mut found = Vec::new();
    for (manifest, text) in manifests() {
        let folder = manifest.trim_end_matches("Cargo.toml");
        let mut sources: String = texts(folder, "rs").into_iter().map(|(_, text)| text).collect();
        if sources.contains("#[path = \"../../src/") {
            // It takes files of the harness among its own.
            sources.extend(texts("tests/src", "rs").into_iter().map(|(_, text)| text));
        }
        let mut section = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            } else if section.ends_with("dependencies")
                && let Some(name) =
                    line.split([' ', '.', '=']).next().filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
            {
                let name_in_code = match name {
                    "md-5" => "md5".to_owned(),
                    "hcl-rs" => "hcl".to_owned(),
                    name => name.replace('-', "_"),
                };
                if !sources.contains(&format!("{name_in_code}::")) {
                    found.push(format!("{manifest}: {name}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn our_crates_have_no_unsafe_code() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml is there");
    assert!(workspace.contains("unsafe_code = \"forbid\""), "the workspace does not forbid it");
    for (manifest, text) in manifests() {
        assert!(text.contains("[lints]\nworkspace = true"), "{manifest} does not take the workspace's lints");
    }
}

/// The manifests of the workspace, by their paths from the root. The package in which a fuzzer lives is none of it: libFuzzer's own macro is not safe.
fn manifests() -> Vec<(String, String)> {
    let all = ["crates", "tests"].iter().flat_map(|folder| texts(folder, "toml"));
    let manifests: Vec<_> = all.filter(|(path, _)| path.ends_with("Cargo.toml") && !path.starts_with("tests/fuzz")).collect();
    manifests.into_iter().map(|(path, text)| (path.to_string_lossy().into_owned(), text)).collect()
}
