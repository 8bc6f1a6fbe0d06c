//! Replay to an address of HTTP, as Pub/Sub pushes: into our own push handler, whose archive then has what the first one has; and lines on standard output, through
//! which messages come back as they were.

use std::path::Path;

use persistor_tests::archive::Archive;
use persistor_tests::cli::Cli;
use persistor_tests::corpus::corpus;
use persistor_tests::program::Setup;
use persistor_tests::push::Push;
use persistor_tests::{pusher, scratch};

/// Awkward messages by the real path.
fn store(root: &Path, messages: usize) {
    let program = Setup::gcp_function(root).start();
    for (number, publication) in corpus(messages, 9).into_iter().enumerate() {
        let push = Push { attributes: publication.attributes, ..Push::new(number.to_string(), publication.payload) };
        assert_eq!(pusher::send(program.port(), &push.request()).expect("a reply").status, 204, "{number}");
    }
}

/// Keys, payloads and records of both.
fn assert_same(one: &Path, other: &Path) {
    let (one_read, other_read) = (Archive::read_sound(one), Archive::read_sound(other));
    assert!(one_read.messages.keys().eq(other_read.messages.keys()));
    assert!(!one_read.messages.is_empty());
    for key in one_read.messages.keys() {
        for name in [key.clone(), format!("{key}.record")] {
            assert!(std::fs::read(one.join(&name)).expect("read") == std::fs::read(other.join(&name)).expect("read"), "{name}");
        }
    }
}

#[test]
#[ignore = "pushes 2,000 messages twice: tests/run e2e"]
fn what_is_replayed_into_a_push_handler_is_what_was_pushed_first() {
    let folder = scratch::folder_in_memory();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    store(&first, 2000);
    let program = Setup::gcp_function(&second).set("PERSISTOR_STREAM", "orders").start();
    let to = format!("http://127.0.0.1:{}/orders", program.port());
    let cli = Cli::new(folder.path());
    cli.fine(&["replay", "-a", "first", "--to", &to, "--as", "pubsub-push", "--exact", "--yes", "--back-to-source"]);
    assert_same(&first, &second);
    // By lines, and to a third one.
    let third = folder.path().join("third");
    let program = Setup::gcp_function(&third).start();
    let to = format!("http://127.0.0.1:{}/orders", program.port());
    let lines = cli.fine(&["replay", "-a", "first", "--to", "-", "--exact", "--yes"]).output;
    cli.ends_with(0, &["send", "--to", &to, "--as", "pubsub-push", "--yes"], &lines);
    assert_same(&first, &third);
}
