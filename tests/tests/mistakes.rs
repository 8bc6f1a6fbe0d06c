//! What a person sees: the ten mistakes that a user makes first, each with a message that says what to do; what commands print; and all the ways in which
//! a terminal, a pipe or an environment can be other than expected.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use persistor_tests::cli::{Cli, Said};
use persistor_tests::fake_storage::FakeStorage;
use persistor_tests::program::Setup;
use persistor_tests::push::Push;
use persistor_tests::storage_double::StorageDouble;
use persistor_tests::{pusher, scratch, tools, waiting};
use tempfile::TempDir;

/// A small archive that is the same in every run, in the folder `archive` of a folder.
fn archive() -> (TempDir, Cli) {
    let folder = scratch::folder();
    let program = Setup::gcp_function(&folder.path().join("archive")).start();
    let payloads: [(&[u8], &str, u32); 6] = [
        (b"{\"order\":{\"id\":4711,\"total\":12.50}}", "05:40:12.503", 1),
        (b"Order 4712 was paid.\n", "05:40:48.1", 2),
        (b"\0\x01\xff\x1b[2J", "05:41:00", 3),
        (b"", "05:49:59.999", 4),
        (b"{\"order\":{\"id\":4713}}", "05:50:00", 5),
        (b"Gr\xc3\xbc\xc3\x9fe", "07:12:33", 6),
    ];
    for (payload, time, number) in payloads {
        let push = Push {
            publish_time: format!("2026-11-22T{time}Z"),
            stream: if number == 5 { "refunds" } else { "orders" }.to_owned(),
            attributes: BTreeMap::from([
                ("tenant".to_owned(), "north".to_owned()),
                ("note\u{1b}[31m".to_owned(), "line 1\nline 2\u{202e}".to_owned()),
            ]),
            ..Push::new(number.to_string(), payload)
        };
        pusher::send_until_acknowledged(program.port(), &push.request());
    }
    drop(program);
    let cli = Cli::new(folder.path()).set("PERSISTOR_ARCHIVE", "archive");
    (folder, cli)
}

fn key(cli: &Cli, id: &str) -> String {
    cli.fine(&["ls", "--id", id]).text().trim_end().to_owned()
}

/// Both streams, as a person sees them apart.
fn shown(said: &Said) -> String {
    let output = String::from_utf8_lossy(&said.output);
    format!("exit {}\n--- stdout\n{output}--- stderr\n{}", said.code.unwrap_or(-1), said.errors)
}

#[test]
fn what_people_read() {
    let (_folder, cli) = archive();
    let first = key(&cli, "1");
    for (name, arguments) in [
        ("ls", &["ls"][..]),
        ("ls_long", &["ls", "-l", "--since", "2026-11-22T05:41"]),
        ("streams", &["streams", "--count"]),
        ("timeline", &["timeline"]),
        ("timeline_hours", &["timeline", "--by", "hour", "--since", "2026-11-22", "--until", "2026-11-23"]),
        ("verify", &["verify", "--read-data"]),
        ("grep", &["grep", "json:/order/id=4711"]),
    ] {
        insta::assert_snapshot!(name, shown(&cli.fine(arguments)));
    }
    let stored = |text: String| -> String {
        let line = |line: &str| if line.starts_with("stored ") { "stored     (now)" } else { line }.to_owned();
        text.lines().map(line).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!("show", stored(shown(&cli.fine(&["show", &first]))));
    insta::assert_snapshot!("diff", shown(&cli.ends_with(0, &["diff", "--match", "id"], b"1\n2\n3\n4\n6\n")));
    insta::assert_snapshot!("help", shown(&cli.fine(&["--help"])));
    insta::assert_snapshot!("help_ls", shown(&cli.fine(&["ls", "--help"])));
    insta::assert_snapshot!("help_diff", shown(&cli.fine(&["diff", "--help"])));
    insta::assert_snapshot!("help_replay", shown(&cli.fine(&["replay", "--help"])));
}

#[test]
fn ten_mistakes_and_what_is_said() {
    let (folder, cli) = archive();
    let nowhere = scratch::folder();
    let bare = Cli::new(nowhere.path());
    let binary = key(&cli, "3");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let listening = format!("http://127.0.0.1:{port}/orders");
    let mistakes: [(&str, &Cli, i32, &[&str]); 25] = [
        ("no_archive", &bare, 2, &["ls"]),
        ("no_such_folder", &bare, 1, &["ls", "-a", "archiv"]),
        ("wrong_scheme", &bare, 2, &["ls", "-a", "s3://archive/x"]),
        ("half_a_scheme", &bare, 2, &["ls", "-a", "gs:/archive/x"]),
        ("no_such_stream", &cli, 4, &["ls", "--stream", "order"]),
        ("bad_time", &cli, 2, &["ls", "--since", "22.11.2026"]),
        ("duration_without_ago", &cli, 2, &["ls", "--since", "2h"]),
        ("until_before_since", &cli, 2, &["ls", "--since", "2026-11-22T06:00", "--until", "2026-11-22T05:00"]),
        ("key_of_another_archive", &cli, 2, &["cat", "gs://other/orders/2026/11/22/05/4012-1-x"]),
        ("key_that_is_not_there", &cli, 4, &["show", "orders/2026/11/22/05/4012-9-2cf24dba5fb0a30e26e83b2ac5b9e29e"]),
        ("no_key", &cli, 4, &["cat", "orders"]),
        ("a_file_for_a_folder", &cli, 2, &["ls", "-a", &format!("archive/{binary}")]),
        ("bad_pattern", &cli, 2, &["grep", "order ("]),
        ("bad_match", &cli, 2, &["diff", "--match", "message"]),
        ("keys_and_arrivals", &cli, 2, &["diff", "--match", "id", "--keys", "-"]),
        ("bad_attribute", &cli, 2, &["ls", "--attribute", "=north"]),
        ("replay_to_nothing", &cli, 2, &["replay", "--stream", "orders"]),
        ("replay_to_no_sink", &cli, 2, &["replay", "--to", "kafka://broker/orders"]),
        ("replay_to_an_archive", &cli, 2, &["replay", "--to", "gs://archive/again"]),
        ("replay_to_a_subscription", &cli, 2, &["replay", "--to", "pubsub://projects/my-project/subscriptions/orders"]),
        ("replay_bad_rate", &cli, 2, &["replay", "--to", "-", "--rate", "500"]),
        ("replay_bad_name", &cli, 2, &["replay", "--to", "-", "--name", "night of 22"]),
        ("replay_without_yes", &cli, 2, &["replay", "--to", &listening, "--stream", "orders", "--name", "night"]),
        ("replay_topic_with_a_form", &cli, 2, &["replay", "--to", "pubsub://my-project/orders", "--as", "raw"]),
        ("replay_two_outputs", &cli, 2, &["replay", "--to", "-", "--json"]),
    ];
    for (name, cli, code, arguments) in mistakes {
        let said = cli.ends_with(code, arguments, b"");
        assert!(said.output.is_empty(), "{name}: {}", said.text());
        insta::assert_snapshot!(format!("mistake_{name}"), said.errors.replace(&port.to_string(), "PORT"));
    }
    // An empty folder is no archive, and that is said too.
    fs::create_dir(folder.path().join("empty")).expect("mkdir");
    insta::assert_snapshot!("mistake_not_an_archive", cli.ends_with(4, &["ls", "-a", "empty"], b"").errors);
}

#[test]
fn no_right_to_read_is_told_from_nothing_there() {
    if !tools::is_root() {
        return tools::skip("taking the right to read everything away needs root");
    }
    let (folder, cli) = archive();
    let orders = folder.path().join("archive/orders");
    fs::set_permissions(&orders, fs::Permissions::from_mode(0o000)).expect("chmod");
    // Root without what lets it pass by permissions.
    let program = cli.command(&["ls"]);
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set=-dac_override,-dac_read_search").arg(program.get_program()).args(["ls", "-a", "archive"]);
    let output = command.current_dir(folder.path()).output().expect("setpriv runs (Debian: util-linux)");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("ermission denied") && output.stdout.is_empty(), "{errors}");
}

#[test]
fn a_refused_listing_names_the_right_that_is_missing() {
    let double = StorageDouble::start("archive");
    let folder = scratch::folder();
    let cli = Cli::new(folder.path()).set("STORAGE_EMULATOR_HOST", double.url());
    let said = cli.ends_with(1, &["ls", "-a", "gs://archive/x"], b"");
    insta::assert_snapshot!("mistake_no_right_to_list", said.errors);
}

#[test]
#[ignore = "needs fake-gcs-server: tests/run e2e"]
fn a_bucket_that_is_not_there_is_named() {
    let Some(fake) = FakeStorage::start() else { return };
    let folder = scratch::folder();
    let cli = Cli::new(folder.path()).set("STORAGE_EMULATOR_HOST", fake.url());
    let said = cli.ends_with(1, &["ls", "-a", "gs://no-such-bucket/x"], b"");
    assert!(said.errors.contains("no-such-bucket"), "{}", said.errors);
    fake.create_bucket("archive");
    let said = cli.ends_with(2, &["cat", "-a", "gs://archive/x", "https://storage.googleapis.com/archive/y/a"], b"");
    assert!(said.errors.contains("another archive"), "{}", said.errors);
}

#[test]
fn a_binary_payload_stays_off_a_terminal() {
    if !Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return tools::skip("script is missing (Debian: bsdutils)");
    }
    let (folder, cli) = archive();
    let on_terminal = |command: &str| -> String {
        let program = persistor_tests::programs::persistor();
        let mut script = Command::new("script");
        let output = script.args(["--quiet", "--return", "--command", &format!("{} {command}", program.display()), "/dev/null"]);
        let output = output.current_dir(folder.path()).stdin(Stdio::null()).output().expect("script runs");
        format!("exit {}\n{}", output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout))
    };
    let said = on_terminal(&format!("cat {}", key(&cli, "3")));
    assert!(
        said.starts_with("exit 2") && said.contains("binary") && said.contains("--force") && !said.contains('\u{1b}'),
        "{said:?}"
    );
    let said = on_terminal(&format!("cat {}", key(&cli, "2")));
    assert!(said.starts_with("exit 0") && said.contains("Order 4712 was paid."), "{said:?}");
    assert!(on_terminal(&format!("cat --force {}", key(&cli, "3"))).contains('\u{1b}'));
    // What a sender wrote into an attribute moves no cursor.
    let said = on_terminal(&format!("show {}", key(&cli, "1")));
    assert!(said.contains("note\\u{1b}[31m") && !said.contains('\u{1b}'), "{said:?}");
    // Holes are coloured where that is wanted, and only there.
    assert!(on_terminal("timeline").contains("\u{1b}["), "{}", on_terminal("timeline"));
    let plain = cli.set("NO_COLOR", "1").fine(&["timeline"]);
    assert!(!plain.text().contains('\u{1b}'));
    let narrow = on_terminal("timeline --quiet --by minute");
    assert!(narrow.contains("05:40"), "{narrow}");
}

#[test]
fn whoever_has_read_enough_ends_it_quietly() {
    let (_folder, cli) = archive();
    // More than a pipe holds, so that writing goes on after the reader has gone.
    let keys = format!("{}\n", key(&cli, "1"));
    for arguments in [&["ls"][..], &["completions", "bash"], &["verify"], &["show", keys.trim_end()]] {
        let mut child =
            cli.command(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        // The reader goes before anything is written.
        drop(child.stdout.take());
        let mut errors = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut errors).expect("text");
        let status = child.wait().expect("it ends");
        assert!(status.success() && errors.is_empty(), "{arguments:?}: {status} {errors}");
    }
}

#[test]
fn lines_that_nobody_reads_end_a_replay_at_once() {
    let (_folder, cli) = archive();
    let mut replay = cli.command(&["replay", "--to", "-", "--patience", "1h", "--quiet"]);
    let replay = replay.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = replay.spawn().expect("it starts");
    drop(child.stdout.take());
    let status = waiting::until("the end of the replay", || child.try_wait().expect("it is ours"));
    let mut errors = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut errors).expect("text");
    assert!(status.code() == Some(1) && errors.contains("nothing was remembered without a --name"), "{status} {errors}");
}

#[test]
fn no_home_no_locale_and_no_writable_folder_do_no_harm() {
    let (folder, cli) = archive();
    // The environment of these commands has nothing but PATH.
    assert_eq!(cli.fine(&["ls", "--count"]).text(), "6\n");
    assert!(!folder.path().join(".config").exists());
    let ascii = cli.clone().set("LC_ALL", "C").fine(&["timeline", "--quiet"]);
    assert!(ascii.output.is_ascii() && ascii.text().contains('#'), "{}", ascii.text());
    // Reading leaves no trace: what is in the archive afterwards is what was in it before.
    let names = |root: &std::path::Path| -> Vec<_> {
        let output = Command::new("find").arg(root).arg("-newer").arg(root.join("_persistor")).output().expect("find runs");
        output.stdout
    };
    let before = names(&folder.path().join("archive"));
    cli.fine(&["verify", "--read-data"]);
    assert_eq!(names(&folder.path().join("archive")), before);
}

#[test]
fn damage_is_said_by_every_command_that_meets_it() {
    let (folder, cli) = archive();
    let damaged = key(&cli, "2");
    fs::remove_file(folder.path().join(format!("archive/{damaged}.record"))).expect("remove");
    for arguments in [&["ls", "--json"][..], &["grep", "--json", "paid"], &["diff", "--match", "id"]] {
        let said = cli.ends_with(3, arguments, b"1\n3\n4\n5\n6\n");
        assert!(said.errors.contains(&damaged) && said.errors.contains("persistor verify"), "{arguments:?}: {}", said.errors);
    }
    let said = cli.ends_with(3, &["verify"], b"");
    assert!(said.text().contains("record-missing") && said.text().contains(&damaged), "{}", said.text());
    assert_eq!(cli.ends_with(3, &["show", &damaged], b"").output, b"");
    // Its bytes can still be had.
    assert_eq!(cli.fine(&["cat", &damaged]).text(), "Order 4712 was paid.\n");
    let file = fs::File::create(folder.path().join("arrived")).and_then(|mut file| file.write_all(b"1\n"));
    file.expect("write");
}

#[test]
fn what_cannot_be_read_is_never_passed_over_silently() {
    let (folder, cli) = archive();
    let root = folder.path().join("archive");
    // A layout that is damaged: its messages are not met, and every command says so.
    let layout = fs::read_dir(root.join("_persistor/layout")).expect("layouts").next().expect("one").expect("one").path();
    let text = fs::read(&layout).expect("read");
    fs::write(&layout, "{").expect("write");
    let all = b"1\n2\n3\n4\n5\n6\n";
    for arguments in [&["ls", "--since", "2026-11-22"][..], &["timeline"], &["grep", "order"], &["diff", "--match", "id"]] {
        let said = cli.ends_with(3, arguments, all);
        assert!(said.errors.contains("layout-damaged") && !said.errors.contains("all of them"), "{arguments:?}: {}", said.errors);
    }
    fs::write(&layout, text).expect("write");
    assert!(cli.ends_with(0, &["diff", "--match", "id"], all).errors.contains("all of them arrived"));
    // Nothing to compare by is no agreement.
    let said = cli.ends_with(1, &["diff", "--match", "attribute:nope"], all);
    assert!(said.errors.contains("nothing could be compared"), "{}", said.errors);
    // Empty lines are nobody's.
    assert_eq!(cli.ends_with(0, &["diff", "--match", "id", "--reverse"], b"1\n\n\n7").text(), "7\n");
    // Links are not followed, and not overlooked.
    let payload = root.join(key(&cli, "2"));
    fs::rename(&payload, folder.path().join("elsewhere")).expect("move");
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &payload).expect("link");
    std::os::unix::fs::symlink(folder.path(), root.join("linked")).expect("link");
    let said = cli.ends_with(3, &["verify"], b"");
    assert!(said.text().contains("size-differs") && said.text().contains("linked"), "{}", said.text());
    assert_eq!(cli.ends_with(4, &["cat", payload.to_str().expect("text")], b"").output, b"");
    // A payload that is not the one of its key is not handed out as if it were.
    let payload = root.join(key(&cli, "1"));
    fs::write(&payload, "other").expect("write");
    assert!(cli.ends_with(3, &["cat", payload.to_str().expect("text")], b"").errors.contains("damaged"));
}

#[test]
fn shells_complete_every_command() {
    let (_folder, cli) = archive();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = cli.fine(&["completions", shell]);
        for command in [
            "streams", "status", "ls", "show", "cat", "grep", "timeline", "verify", "diff", "copy", "replay", "send", "serve",
            "try",
        ] {
            assert!(script.text().contains(command), "{shell}: {command}");
        }
        assert!(script.text().contains("since"), "{shell}");
    }
}

#[test]
fn a_key_can_be_pasted_as_people_have_it() {
    let (folder, cli) = archive();
    let key = key(&cli, "2");
    let whole = folder.path().join("archive").join(&key);
    let absolute = Cli::new(folder.path()).set("PERSISTOR_ARCHIVE", folder.path().join("archive"));
    for (cli, argument) in [
        (&cli, key.clone()),
        (&cli, format!("{key}.record")),
        (&cli, format!("archive/{key}")),
        (&cli, format!("./archive/{key}")),
        (&cli, whole.to_str().expect("text").to_owned()),
        (&absolute, whole.to_str().expect("text").to_owned()),
        (&absolute, format!("archive/{key}")),
    ] {
        assert_eq!(cli.fine(&["cat", &argument]).text(), "Order 4712 was paid.\n", "{argument}");
    }
}
