//! What a newcomer types first: `persistor try`, and the request that `persistor serve gcp` prints on a terminal.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use persistor_tests::archive::Archive;
use persistor_tests::program::Setup;
use persistor_tests::push::Push;
use persistor_tests::{ports, programs, pusher, scratch, tools, waiting};

fn persistor(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(programs::persistor()).args(arguments).current_dir(folder).stdin(Stdio::null()).output().expect("it runs")
}

/// The number in the line of the account that starts with `word`.
fn counted(account: &str, word: &str) -> usize {
    let line =
        account.lines().find(|line| line.trim_start().starts_with(word)).unwrap_or_else(|| panic!("no {word} in {account}"));
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number in {line}"))
}

#[test]
fn try_gives_a_true_account_and_leaves_the_folder() {
    let folder = scratch::folder();
    let output = persistor(folder.path(), &["try"]);
    let account = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(0), "{account}{}", String::from_utf8_lossy(&output.stderr));
    let expected =
        [("sent", 1000), ("redelivered", 250), ("killed", 2), ("stored", 1000), ("lost", 0), ("altered", 0), ("doubled", 0)];
    for (word, number) in expected {
        assert_eq!(counted(&account, word), number, "{word} in {account}");
    }
    // What the consumer lost and got again, by the files that lie beside: what it handled first, and behind that what was replayed.
    let file = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("it is there");
    let (arrived, missing) = (file("persistor-try-arrived.txt"), file("persistor-try-missing.txt"));
    assert_eq!(
        (arrived.lines().count(), missing.lines().count(), file("persistor-try-still-missing.txt").as_str()),
        (1000, 137, "")
    );
    let id = |key: &str| key.rsplit('/').next().and_then(|name| name.split('-').nth(1)).unwrap_or_default().to_owned();
    let (mut lost, mut replayed): (Vec<_>, Vec<_>) = (missing.lines().map(id).collect(), arrived.lines().skip(863).collect());
    lost.sort_unstable();
    replayed.sort_unstable();
    assert_eq!(lost, replayed);
    assert!(account.contains("It had lost 137, and exactly those are named.") && account.contains("137 messages, "), "{account}");
    assert!(account.contains("Nothing is missing any more."), "{account}");
    // Counted again by a reader that shares no code with the program.
    let archive = Archive::read_sound(&folder.path().join("persistor-try"));
    assert_eq!(archive.by_id().len(), 1000);
    let shown: Vec<_> = account.lines().map(str::trim).filter(|line| line.starts_with("persistor-try/orders/")).collect();
    assert!(!shown.is_empty() && shown.iter().all(|key| folder.path().join(key).is_file()), "{account}");

    // A second try takes another folder, and never one that is there.
    let output = persistor(folder.path(), &["try", "--messages", "20"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(Archive::read_sound(&folder.path().join("persistor-try-2")).by_id().len(), 20);
    let output = persistor(folder.path(), &["try", "--archive", "persistor-try"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("choose a new folder"));
}

#[test]
fn the_printed_request_works_when_pasted() {
    let found = |program: &str| Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found("script") || !found("curl") {
        return tools::skip("script or curl is missing (Debian: bsdutils, curl)");
    }
    for push in ["wrapped", "unwrapped"] {
        let folder = scratch::folder();
        let transcript = folder.path().join("transcript");
        // `script` gives the program a terminal.
        let command =
            format!("exec {} serve gcp --loopback --push {push} --port {}", programs::persistor().display(), ports::free());
        let mut terminal = Command::new("script")
            .args(["--quiet", "--flush", "--command", &command])
            .arg(&transcript)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("script runs");
        let text = waiting::until("the program to print a request", || {
            std::fs::read_to_string(&transcript).ok().filter(|text| text.contains("ctrl-C ends"))
        });
        let line = text.lines().map(str::trim).find(|line| line.starts_with("curl ")).expect("a curl line");
        let output = Command::new("sh").args(["-c", line]).output().expect("sh runs");
        assert!(String::from_utf8_lossy(&output.stdout).starts_with("HTTP/1.1 204"), "{push}: {output:?}");
        let said = text.lines().find_map(|line| line.trim().strip_prefix("Its payload will be ")).expect("a place");
        assert_eq!(std::fs::read(folder.path().join(said)).expect("a blob"), b"hello");
        let archive = Archive::read_sound(&folder.path().join("archive"));
        assert_eq!(archive.by_id().len(), 1);
        // Hanging up the terminal's input is no signal; the program is ended as its user would, by ctrl-C.
        terminal.stdin.take().expect("it is piped").write_all(b"\x03").expect("the terminal takes it");
        waiting::until("the program to end", || terminal.try_wait().expect("our own child"));
    }
}

#[test]
fn two_processes_write_one_folder() {
    let folder = scratch::folder();
    let pushes: Vec<_> = (0..300).map(|n| Push::new(n.to_string(), format!("payload {n}").into_bytes())).collect();
    let requests: Vec<_> = pushes.iter().map(Push::request).collect();
    let programs = [0; 3].map(|_| Setup::gcp_function(folder.path()).start());
    // The same messages to each at the same time: for every key several creates race.
    std::thread::scope(|scope| {
        for program in &programs {
            let (requests, port) = (&requests, program.port());
            scope.spawn(move || {
                let statuses = pusher::statuses(&pusher::send_all(port, requests));
                assert!(statuses.iter().all(|status| *status == Some(204)), "{statuses:?}");
            });
        }
    });
    let archive = Archive::read_sound(folder.path());
    assert_eq!(archive.by_id().len(), 300);
    assert!(pushes.iter().all(|push| push.is_stored(folder.path())));
}
