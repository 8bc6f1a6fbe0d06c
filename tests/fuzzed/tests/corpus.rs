//! What fuzzing found, replayed: every input of the corpus, and every one that once broke a promise.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use persistor_fuzzed::{TARGETS, Target, seeds};

/// A folder of `tests/fuzz`.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a listing").path()).collect();
    files.sort();
    files
}

/// The files that break a promise.
fn broken(target: Target, files: &[PathBuf]) -> Vec<PathBuf> {
    let breaks = |path: &&PathBuf| {
        let input = fs::read(path).expect("a file of the corpus");
        catch_unwind(AssertUnwindSafe(|| target(&input))).is_err()
    };
    files.iter().filter(breaks).cloned().collect()
}

#[test]
fn no_fixture_breaks_a_promise() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 2, "{name} has {} seeds", seeds.len());
        for (_, seed) in seeds {
            target(&seed);
        }
    }
}

#[test]
fn no_input_of_the_corpus_breaks_a_promise() {
    for (name, target) in TARGETS {
        let files = files(&folder("corpus").join(name));
        assert!(!files.is_empty(), "{name} has no corpus");
        let broken = broken(target, &files);
        assert!(broken.is_empty(), "{name}: {broken:?}");
    }
}

#[test]
fn nothing_that_broke_a_promise_breaks_it_again() {
    for (name, target) in TARGETS {
        let broken = broken(target, &files(&folder("crashes").join(name)));
        assert!(broken.is_empty(), "{name}: {broken:?}");
    }
}

#[test]
fn every_target_is_fuzzed_and_nothing_else_has_a_corpus() {
    let names: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stems = |folder: &Path| -> Vec<String> {
        files(folder).iter().map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
    };
    assert_eq!(stems(&folder("targets")), names);
    assert_eq!(stems(&folder("corpus")), names);
    assert!(stems(&folder("crashes")).iter().all(|name| names.contains(name)));
}
