//! The order of system calls that makes a reply a promise, and what a reply says when any one of them fails.

use std::collections::BTreeSet;
use std::path::Path;

use persistor_tests::archive::Archive;
use persistor_tests::program::{Program, Setup};
use persistor_tests::push::{Push, assert_acknowledged_are_stored};
use persistor_tests::trace::{self, Call, Trace};
use persistor_tests::{pusher, scratch, waiting};

/// The calls that a write into a folder is made of. One that an architecture does not have is left out by `?`.
const CALLS: [&str; 7] = ["?openat", "?fsync", "?linkat", "?mkdir,?mkdirat", "?unlink,?unlinkat", "?statx", "?write"];
/// Those by which a reply leaves.
const REPLIES: [&str; 4] = ["write", "writev", "sendto", "sendmsg"];

#[test]
#[ignore = "needs strace: tests/run e2e"]
fn file_then_link_then_folders_then_reply() {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let program = start(&root);
    let push = Push::new("ordered", vec![7; 100_000]);
    let names = [push.key() + ".record", push.key()];
    let Some(calls) = acknowledged(&program, &push) else { return };
    let [record, payload] = names.each_ref().map(|name| blob_is_durable(&calls, &root, name));
    assert!(record.ended < payload.began, "the payload was seen before its record was complete");
    for (name, link) in names.iter().zip([record, payload]) {
        assert_eq!(folders_are_synced(&calls, &root, name, link.ended), 6, "stream, year, month, day, hour and the root");
    }

    // Whoever made what a redelivery finds may have been killed before it synced it.
    let Some(calls) = acknowledged(&program, &push) else { return };
    assert!(!calls.iter().any(|call| call.name == "linkat" && in_archive(call, &root)), "{calls:#?}");
    for name in &names {
        let path = root.join(name).display().to_string();
        let sync = calls.iter().find(|call| is_sync(call, &path) && call.ended < reply(&calls).began);
        let sync = sync.unwrap_or_else(|| panic!("{name} was not synced again before the reply: {calls:#?}"));
        assert_eq!(folders_are_synced(&calls, &root, name, sync.ended), 6);
    }
}

/// A folder is a name in the one above it: an archive that is made with its folders is gone with them where these were not synced.
#[test]
#[ignore = "needs strace: tests/run e2e"]
fn the_folders_above_an_archive_are_durable_before_the_first_reply() {
    let folder = scratch::folder();
    let (root, file) = (folder.path().join("new/newer/archive"), folder.path().join("trace"));
    let calls = format!("trace={},writev,sendto,sendmsg", CALLS.join(","));
    let Some(setup) = Setup::gcp_function(&root).traced(&file, &["-e", &calls]) else { return };
    let program = setup.start();
    assert_eq!(pusher::send(program.port(), &Push::new("first", "x").request()).expect("a reply").status, 204);
    let calls = waiting::until("the reply in the trace", || {
        let calls = trace::read(&file);
        calls.iter().any(|call| call.arguments.contains("HTTP/1.1 204")).then_some(calls)
    });
    let made =
        |path: &str| calls.iter().find(|call| call.name.starts_with("mkdir") && call.arguments.contains(&format!("\"{path}\"")));
    for name in ["new/newer/archive", "new/newer", "new"] {
        let path = folder.path().join(name);
        let made = made(path.to_str().expect("text")).unwrap_or_else(|| panic!("{name} was not made: {calls:#?}"));
        let above = path.parent().expect("our own folder").display().to_string();
        let sync = |call: &&Call| is_sync(call, &above) && call.began > made.ended && call.ended < reply(&calls).began;
        assert!(calls.iter().any(|call| sync(&call)), "`{above}` was not synced after `{name}` was made in it: {calls:#?}");
    }
}

/// Pushes, and gives the calls up to the reply.
fn acknowledged(program: &Program, push: &Push) -> Option<Vec<Call>> {
    let calls = format!("trace={},writev,sendto,sendmsg", CALLS.join(","));
    let trace = Trace::attach(program, &["-e", &calls])?;
    let answer = pusher::send(program.port(), &push.request()).expect("a reply");
    assert_eq!(answer.status, 204);
    // The reply can be here before the call that sent it has returned.
    waiting::until("the reply in the trace", || trace.text().contains("HTTP/1.1 204").then_some(()));
    Some(trace.end())
}

/// The call by which the acknowledgement left.
fn reply(calls: &[Call]) -> &Call {
    let is_reply = |call: &&Call| REPLIES.contains(&call.name.as_str()) && call.arguments.contains("HTTP/1.1 204");
    let replies: Vec<_> = calls.iter().filter(is_reply).collect();
    assert_eq!(replies.len(), 1, "{calls:#?}");
    replies[0]
}

/// Every folder above a blob was synced after that moment and before the reply; how many these are.
fn folders_are_synced(calls: &[Call], root: &Path, name: &str, after: usize) -> usize {
    let path = root.join(name);
    let above = path.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
    let synced = above.map(|folder| {
        let folder = folder.display().to_string();
        let sync = |call: &&Call| is_sync(call, &folder) && call.began > after && call.ended < reply(calls).began;
        let found = calls.iter().find(sync);
        found.unwrap_or_else(|| panic!("`{folder}` was not synced after {after} and before the reply: {calls:#?}"))
    });
    synced.count()
}

/// With each call failing in its turn, under one program: no reply promises what is not there, and after it all goes on.
#[test]
#[ignore = "needs strace: tests/run e2e"]
fn no_failing_call_is_taken_for_success() {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let program = start(&root);
    let mut all = Vec::new();
    for (calls, error) in CALLS.iter().flat_map(|calls| ["ENOSPC", "EIO"].map(|error| (*calls, error))) {
        let mut failed = 0;
        // The first such call of each thread, then the second: of the record's file, of the folders above it, of the payload's.
        for turn in 1.. {
            let case = format!("{}-{error}-{turn}", calls.trim_start_matches('?').replace(",?", "-"));
            // Each in a folder of its own that must be made.
            let push = |index: usize| Push { stream: case.clone(), ..Push::new(format!("{case}-{index}"), vec![7; 10_000]) };
            let pushes: Vec<_> = (0..3).map(push).collect();
            let inject = format!("inject={calls}:error={error}:when={turn}");
            let trace = if calls == "?write" {
                attach_to_writers(&program, &root, &inject)
            } else {
                Trace::attach(&program, &["-e", &format!("trace={calls}"), "-e", &inject])
            };
            let Some(trace) = trace else { return };
            let injected = push_under_faults(&program, &root, &pushes, trace);
            for push in &pushes {
                let answer = pusher::send(program.port(), &push.request()).expect("a reply");
                assert_eq!(answer.status, 204, "{case}: no recovery: {}", String::from_utf8_lossy(&answer.body));
            }
            all.extend(pushes);
            failed += injected;
            // None makes so many calls, or it is a call whose later ones are not about the archive.
            if injected == 0 || calls == "?write" {
                break;
            }
        }
        eprintln!("{calls} {error}: {failed} calls failed");
        assert!(failed > 0, "{calls} {error}: nothing failed");
    }
    let archive = Archive::read_sound(&root);
    assert_eq!(archive.by_id().into_keys().collect::<BTreeSet<_>>(), all.iter().map(|push| push.id.as_str()).collect());
    assert_eq!(archive.lone_records, Vec::<String>::new());
}

/// Pushes all at once, holds the replies against the archive, and gives how many calls failed.
fn push_under_faults(program: &Program, root: &Path, pushes: &[Push], trace: Trace) -> usize {
    let answers = pusher::send_all(program.port(), &pushes.iter().map(Push::request).collect::<Vec<_>>());
    let statuses = pusher::statuses(&answers);
    assert_acknowledged_are_stored(root, pushes, &statuses);
    assert!(statuses.iter().all(|status| matches!(status, Some(204 | 503))), "{statuses:?}");
    let injected: Vec<_> = trace.end().into_iter().filter(|call| call.is_injected() && in_archive(call, root)).collect();
    // A temporary name that stays is the only failure that promises nothing less.
    let must_refuse = injected.iter().any(|call| !call.name.starts_with("unlink"));
    assert!(!must_refuse || statuses.contains(&Some(503)), "{statuses:?} in spite of {injected:#?}");
    injected.len()
}

/// The stream of pushes that only show which threads write.
const SCOUTS: &str = "scouts";

/// A program that has written its layout, so that what is traced is one message's alone.
fn start(root: &Path) -> Program {
    let program = Setup::gcp_function(root).start();
    pusher::send_until_acknowledged(program.port(), &Push::new("first", "first").request());
    std::fs::remove_dir_all(root.join("orders")).expect("the only stream");
    program
}

/// Everything is written by the call `write`: a runtime's own signals too, which have no business to fail. So it fails once, and only
/// in the threads that have just written to the archive.
fn attach_to_writers(program: &Program, root: &Path, inject: &str) -> Option<Trace> {
    let trace = Trace::attach(program, &["-e", "trace=linkat"])?;
    let pushes: Vec<_> =
        (0..8).map(|index| Push { stream: SCOUTS.to_owned(), ..Push::new(format!("scout-{index}"), vec![7; 10_000]) }).collect();
    pusher::send_all(program.port(), &pushes.iter().map(Push::request).collect::<Vec<_>>());
    let writers: BTreeSet<_> = trace.end().iter().map(|call| call.thread).collect();
    std::fs::remove_dir_all(root.join(SCOUTS)).expect("the stream of the scouts");
    Trace::attach_threads(&writers.into_iter().collect::<Vec<_>>(), &["-e", "trace=write", "-e", inject])
}

/// Whether a call is about the archive and not about something else of the program's.
fn in_archive(call: &Call, root: &Path) -> bool {
    call.arguments.contains(root.to_str().expect("our own path is text"))
}

/// Finds the link that made a name, and holds all that must be before it against the trace.
fn blob_is_durable<'a>(calls: &'a [Call], root: &Path, name: &str) -> &'a Call {
    let path = format!("\"{}\"", root.join(name).display());
    let links: Vec<_> =
        calls.iter().filter(|call| call.name == "linkat" && call.result == "0" && call.arguments.contains(&path)).collect();
    assert_eq!(links.len(), 1, "{name} was linked {} times", links.len());
    let link = links[0];
    let temporary = link.arguments.split('"').nth(1).expect("a link has a source");
    let sync = calls.iter().find(|call| is_sync(call, temporary) && call.ended < link.began);
    let sync = sync.unwrap_or_else(|| panic!("{temporary} was not synced before {link:?}: {calls:#?}"));
    let late = calls.iter().find(|call| call.name == "write" && call.arguments.contains(temporary) && call.ended > sync.began);
    assert!(late.is_none(), "{late:?} is not covered by {sync:?}");
    assert!(calls.iter().any(|call| call.name == "write" && call.arguments.contains(temporary)), "{temporary} was not written");
    link
}

fn is_sync(call: &Call, path: &str) -> bool {
    call.name == "fsync" && call.result == "0" && call.arguments.ends_with(&format!("<{path}>"))
}
