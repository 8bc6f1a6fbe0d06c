//! SIGTERM while requests wait for a slow disk.

use std::thread;

use persistor_tests::archive::Archive;
use persistor_tests::logs::says;
use persistor_tests::program::Setup;
use persistor_tests::push::{Push, assert_acknowledged_are_stored};
use persistor_tests::trace::Trace;
use persistor_tests::{pusher, scratch, waiting};
use serde_json::Value;

const REQUESTS: usize = 50;

#[test]
#[ignore = "needs strace: tests/run e2e"]
fn what_is_in_flight_ends_well() {
    let Some(drained) = drain("20ms", "8s") else { return };
    assert_eq!(drained, (REQUESTS, 0));
}

#[test]
#[ignore = "needs strace: tests/run e2e"]
fn what_takes_too_long_is_cut_and_not_acknowledged() {
    let Some((finished, cut)) = drain("1s", "500ms") else { return };
    assert!(cut > 0 && finished < REQUESTS, "{finished} finished, {cut} were cut");
}

/// Sends requests to a program whose every fsync takes `delay`, ends it in the midst of them, and gives how many got their 204 and how
/// many no reply.
fn drain(delay: &str, timeout: &str) -> Option<(usize, usize)> {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let setup = Setup::gcp_function(&root).set("PERSISTOR_DRAIN_TIMEOUT", timeout);
    let mut program = setup.start();
    waiting::until("the layout to be written", || root.join("_persistor/layout").read_dir().ok()?.next()?.ok());
    let inject = format!("inject=fsync:delay_enter={delay}");
    let trace = Trace::attach(&program, &["-e", "trace=fsync", "-e", &inject])?;
    let pushes: Vec<_> = (0..REQUESTS).map(|id| Push::new(format!("drained-{id}"), vec![7; 20_000])).collect();
    let requests: Vec<_> = pushes.iter().map(Push::request).collect();

    let port = program.port();
    let (answers, late) = thread::scope(|scope| {
        let sending = scope.spawn(|| pusher::send_all(port, &requests));
        // Each message's first fsync is of a file of its own: when so many have begun, all are in flight, and none is done.
        waiting::until("all requests to be in flight", || {
            let text = trace.text();
            let files: std::collections::BTreeSet<_> =
                text.lines().filter_map(|line| line.split("/.tmp/").nth(1)?.split('>').next()).collect();
            (files.len() >= REQUESTS).then_some(())
        });
        program.terminate();
        // Whoever comes now is refused, or served wholly.
        let late = pusher::send_all(port, &requests[..5]);
        program.wait();
        (sending.join().expect("senders do not panic"), late)
    });
    drop(trace);
    let (statuses, late) = (pusher::statuses(&answers), pusher::statuses(&late));
    assert_acknowledged_are_stored(&root, &pushes, &statuses);
    assert_acknowledged_are_stored(&root, &pushes[..5], &late);
    assert_eq!(program.wait().code(), Some(0));
    let end = program.logs().wait_for("what was drained", |line| line.get("finished").is_some());
    let count = |name: &str| end[name].as_u64().or_else(|| end[name].as_str()?.parse().ok()).expect("a number");
    let finished = statuses.iter().filter(|status| **status == Some(204)).count();
    let cut = statuses.iter().filter(|status| status.is_none()).count();
    assert_eq!(finished + cut, REQUESTS, "{statuses:?}");
    assert!(!says(&end, "listening") && end["severity"] != Value::Null, "{end}");
    // Late ones may have slipped in, and their end is counted too.
    assert!(count("finished") >= finished as u64 && count("cut") >= cut as u64, "{end}: {finished} finished, {cut} were cut");

    // After a restart all of it is taken, once.
    let program = setup.start();
    for push in &pushes {
        assert_eq!(pusher::send(program.port(), &push.request()).expect("a reply").status, 204);
    }
    let archive = Archive::read_sound(&root);
    assert_eq!(archive.by_id().len(), REQUESTS);
    assert_eq!(archive.lone_records, Vec::<String>::new());
    Some((finished, cut))
}
