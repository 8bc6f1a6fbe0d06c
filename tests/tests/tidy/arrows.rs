//! Arrows between crates point one way: programs → functions → serve and core. What a program must not link, it does not link.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde::Deserialize;

use crate::root;

/// What each of our crates may depend on of ours, at run, build or test time. The programs at the top may know all; a crate that is
/// not here has to be thought about.
const ARROWS: [(&str, &[&str]); 10] = [
    ("persistor-core", &[]),
    ("persistor-serve", &[]),
    // Recovery has the trait that a sink implements; only the features of sinks link it: see `ABSENT` for the functions.
    ("persistor-gcp", &["persistor-core", "persistor-recover"]),
    ("persistor-azure", &["persistor-core", "persistor-recover"]),
    ("persistor-recover", &["persistor-core"]),
    ("persistor-gcp-function", &["persistor-core", "persistor-gcp", "persistor-serve"]),
    ("persistor-azure-function", &["persistor-core", "persistor-azure", "persistor-serve"]),
    (
        "persistor",
        &[
            "persistor-core",
            "persistor-azure",
            "persistor-azure-function",
            "persistor-gcp",
            "persistor-gcp-function",
            "persistor-recover",
            "persistor-serve",
        ],
    ),
    // What is fuzzed is called as a library, decoders and stores alike; only the program itself is left out.
    (
        "persistor-fuzzed",
        &[
            "persistor-core",
            "persistor-azure",
            "persistor-azure-function",
            "persistor-gcp",
            "persistor-gcp-function",
            "persistor-recover",
            "persistor-serve",
        ],
    ),
    // The harness uses no code of ours; the tables of settings and faults are compared with documents and with what programs print, and stores
    // are held against their contract.
    ("persistor-tests", &["persistor-core", "persistor-azure", "persistor-gcp", "persistor-recover", "persistor-serve"]),
];

/// What must not be in a crate, however it would come in: who, what, why.
const ABSENT: [(&str, &[&str], &str); 5] = [
    (
        "persistor-core",
        &["axum", "hyper", "tower", "tracing", "http", "reqwest", "clap"],
        "core serves no HTTP and writes no log: it returns errors",
    ),
    (
        "persistor-recover",
        &[
            "hyper",
            "axum",
            "clap",
            "tracing",
            "reqwest",
            "google-cloud-auth",
            "google-cloud-gax",
            "google-cloud-storage",
            "google-cloud-wkt",
            "azure_core",
        ],
        "recovery is a library over any store: it knows no provider, serves nothing and prints nothing",
    ),
    ("persistor-serve", &["persistor-core", "clap"], "serve knows no messages"),
    (
        "persistor-gcp-function",
        &["indicatif", "clap", "google-cloud-pubsub", "persistor-recover", "rsa"],
        "a function links no command line, no publisher, no replay, and one cryptography",
    ),
    (
        "persistor-azure-function",
        &["indicatif", "clap", "fe2o3-amqp", "azure_core_amqp", "persistor-recover"],
        "a function links no command line, no publisher and no recovery",
    ),
];

/// Parts of names of crates that no program links: OpenSSL in any form, and a second implementation of its tasks, which needs more than a C compiler.
const NEVER: [&str; 4] = ["openssl", "native-tls", "schannel", "aws-lc"];
/// Parts of names of crates that a function does not link: the other cloud's.
const OTHER_CLOUD: [(&str, &[&str]); 3] = [
    ("persistor", &[]),
    ("persistor-gcp-function", &["azure", "typespec"]),
    ("persistor-azure-function", &["google", "gcp", "amqp"]),
];
/// Holds nothing of OpenSSL: it knows the folders where systems keep certificates.
const NAMED_AFTER_OPENSSL: &str = "openssl-probe";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    license: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    path: Option<String>,
}

fn packages() -> Vec<Package> {
    let text = cargo(&["metadata", "--offline", "--no-deps", "--format-version", "1"]);
    serde_json::from_str::<Metadata>(&text).expect("cargo's metadata").packages
}

#[test]
fn our_crates_know_of_ours_only_those_below_them() {
    let found: BTreeMap<_, BTreeSet<_>> = packages()
        .into_iter()
        .map(|package| {
            // A crate's own tests may ask it for a feature.
            let own =
                package.dependencies.into_iter().filter(|dependency| dependency.path.is_some()).map(|dependency| dependency.name);
            (package.name.clone(), own.filter(|name| *name != package.name).collect())
        })
        .collect();
    let names: BTreeSet<_> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ARROWS.map(|(name, _)| name).into(), "crates whose arrows nobody has drawn, or that are gone");
    for (name, allowed) in ARROWS {
        let others: Vec<_> = found[name].iter().filter(|other| !allowed.contains(&other.as_str())).collect();
        assert!(others.is_empty(), "{name} must not know {others:?}");
    }
}

#[test]
fn what_must_not_come_in_does_not_come_in_by_others() {
    for (package, absent, why) in ABSENT {
        let linked = linked(package);
        assert!(linked.contains(package), "{linked:?}");
        let found: Vec<_> = absent.iter().filter(|name| linked.contains(**name)).collect();
        assert!(found.is_empty(), "{package} has {found:?}: {why}");
    }
}

#[test]
fn programs_link_neither_openssl_nor_the_other_cloud() {
    for (program, others) in OTHER_CLOUD {
        let linked = linked(program);
        let found: Vec<_> = linked
            .iter()
            .filter(|name| *name != NAMED_AFTER_OPENSSL)
            .filter(|name| NEVER.iter().chain(others).any(|never| name.contains(never)))
            .collect();
        assert!(found.is_empty(), "{program} links {found:?}");
    }
}

#[test]
fn no_feature_of_a_provider_links_openssl() {
    for provider in ["persistor-azure", "persistor-gcp"] {
        let linked = linked_with(provider, &["--all-features"]);
        let found: Vec<_> = linked
            .iter()
            .filter(|name| *name != NAMED_AFTER_OPENSSL)
            .filter(|name| NEVER.iter().any(|never| name.contains(never)))
            .collect();
        assert!(found.is_empty(), "{provider} links {found:?}");
    }
}

#[test]
fn every_manifest_has_the_licence() {
    for package in packages() {
        assert_eq!(package.license.as_deref(), Some("Apache-2.0"), "{}", package.name);
    }
    let text = std::fs::read_to_string(root().join("LICENSE")).expect("LICENSE is there");
    assert!(text.contains("Apache License") && text.contains("Version 2.0"), "LICENSE is another");
}

/// The names of all that a package is linked from on this platform, itself included. Other platforms need crates that are not here.
fn linked(package: &str) -> BTreeSet<String> {
    linked_with(package, &[])
}

/// The same with more arguments for cargo.
fn linked_with(package: &str, more: &[&str]) -> BTreeSet<String> {
    let tree = ["tree", "--offline", "--package", package, "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let tree = cargo(&[&tree[..], more].concat());
    tree.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

pub(crate) fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).current_dir(root()).args(arguments).output().expect("cargo runs");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes text")
}
