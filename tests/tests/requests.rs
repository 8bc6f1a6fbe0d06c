//! What may come over HTTP, against the built push handler: every file of `fixtures/push`, publishers who choose a payload and
//! attributes to mislead the reader, and settings that are wrong.
//!
//! A fixture is one request and all that is to come of it; [`fixture`] reads them, [`hostile`] and [`settings`] have no files.

#[path = "requests/fixture.rs"]
mod fixture;
#[path = "requests/hostile.rs"]
mod hostile;
#[path = "requests/settings.rs"]
mod settings;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fixture::{Fixture, SECRET};

/// The name of every refusal that a request alone can bring about. The others need a full memory or a store that fails.
const ERRORS: [&str; 21] = [
    "bad-attributes",
    "bad-base64",
    "bad-id",
    "bad-metadata",
    "bad-ordering-key",
    "bad-time",
    "body-too-large",
    "coded-body",
    "conflicting-id",
    "conflicting-time",
    "duplicate-name",
    "metadata-too-large",
    "method-not-allowed",
    "missing-id",
    "missing-message",
    "missing-metadata",
    "missing-subscription",
    "no-such-path",
    "not-json",
    "repeated-metadata",
    "unwrapped-push",
];

#[test]
fn every_fixture_gets_the_reply_and_leaves_the_blobs_that_it_says() {
    let fixtures = fixture::all();
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    // Each has a program and an archive of its own; most of the time they wait for the disk.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(fixture) = fixtures.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = fixture.faults();
                    if !found.is_empty() {
                        faults.lock().expect("no thread panics with it").push(format!("{}: {}", fixture.name, found.join("; ")));
                    }
                }
            });
        }
    });
    let mut faults = faults.into_inner().expect("no thread panics with it");
    faults.sort();
    assert!(faults.is_empty(), "{} of {} fixtures:\n{}", faults.len(), fixtures.len(), faults.join("\n"));
    eprintln!("{} fixtures", fixtures.len());
}

#[test]
fn fixtures_say_where_they_come_from_and_leave_no_refusal_out() {
    let fixtures = fixture::all();
    for Fixture { name, origin, .. } in &fixtures {
        let known = ["captured from ", "derived from ", "made up to "];
        assert!(known.iter().any(|start| origin.starts_with(start)), "{name} says of its origin: {origin}");
    }
    let errors: BTreeSet<_> = fixtures.iter().filter_map(|fixture| fixture.expect.error.as_deref()).collect();
    assert_eq!(errors, BTreeSet::from(ERRORS));
}

/// Without something to be found, its absence proves nothing.
#[test]
fn what_is_refused_carries_what_must_not_be_told() {
    for fixture in fixture::all() {
        let small = fixture.request.body().len() < SECRET.len();
        if fixture.expect.error.is_some() && !small {
            assert!(fixture.carries_secret(), "{} has no marker", fixture.name);
        }
    }
}
