//! `persistor replay` and `persistor send`, driven from outside: killed and continued, planned and done, refused, and turned into lines and back. What arrives is read by
//! Google's own client out of Google's own emulator.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;

use persistor_tests::bulk::Bulk;
use persistor_tests::cli::{Cli, Said};
use persistor_tests::emulator::Emulator;
use persistor_tests::program::Setup;
use persistor_tests::pubsub::{Pubsub, Received};
use persistor_tests::push::Push;
use persistor_tests::{programs, scratch, waiting};
use serde_json::{Value, json};

/// How often a replay is killed.
const KILLS: usize = 10;

/// An archive of so many messages, pushed into the built function.
fn archive(folder: &Path, messages: usize) -> Bulk {
    let bulk = Bulk { messages };
    let program = Setup::gcp_function(&folder.join("archive")).start();
    bulk.send(program.port(), 0..messages);
    bulk
}

fn cli(folder: &Path, emulator: &Emulator) -> Cli {
    let host = emulator.endpoint();
    Cli::new(folder).set("PERSISTOR_ARCHIVE", "archive").set("PUBSUB_EMULATOR_HOST", host)
}

/// The value of a mark.
fn mark<'a>(message: &'a Received, name: &str) -> &'a str {
    message.attributes.get(name).map_or("", String::as_str)
}

#[test]
#[ignore = "needs the Pub/Sub emulator, and pushes 20,000 messages: tests/run e2e"]
fn a_replay_that_is_killed_ten_times_sends_everything_and_names_what_it_sends_twice() {
    let Some(emulator) = Emulator::start() else { return };
    let folder = scratch::folder_in_memory();
    let bulk = archive(folder.path(), 20_000);
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("again");
    let subscription = pubsub.create_pull("again", &topic);
    let cli = cli(folder.path(), &emulator);
    let arguments = ["replay", "--to", "pubsub://persistor/again", "--name", "night", "--all", "--yes", "--rate", "2000/s"];
    let journal = folder.path().join("night.replay.jsonl");
    let confirmed = || {
        let text = fs::read_to_string(&journal).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .flat_map(|line| line["answered"]["receipts"].as_array().cloned().unwrap_or_default())
            .filter(Value::is_string)
            .count()
    };
    for kill in 0..KILLS {
        let before = confirmed();
        let mut command = cli.command(&arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        // Each kill comes a little later in a run than the one before.
        waiting::until("some messages to be confirmed", || {
            assert!(child.try_wait().expect("our own child").is_none(), "it ended before kill {kill}");
            (confirmed() > before + 300 + 100 * kill).then_some(())
        });
        child.kill().expect("SIGKILL");
        child.wait().expect("it ends");
    }
    let said = cli.fine(&arguments);
    assert!(said.errors.contains("had been sent before"), "{}", said.errors);

    let originals = |received: &[Received]| -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for message in received {
            *counts.entry(mark(message, "persistor-original-id").to_owned()).or_default() += 1;
        }
        counts
    };
    let received = pubsub.pull(&subscription, |received| received.len() >= 20_000 && originals(received).len() == 20_000);
    let ids: BTreeSet<String> = (0..20_000).map(|number| bulk.push(number).id).collect();
    let counts = originals(&received);
    assert!(counts.keys().eq(ids.iter()), "others than were stored");
    let keys: BTreeMap<String, String> = (0..20_000).map(|number| (bulk.first_key(number), bulk.push(number).id)).collect();
    let (mut sendings, mut doubts) = (BTreeMap::<String, usize>::new(), BTreeSet::new());
    for line in fs::read_to_string(&journal).expect("the journal").lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let named = |value: &Value| value.as_array().cloned().unwrap_or_default().into_iter();
        for key in named(&line["sending"]["keys"]) {
            *sendings.entry(keys[key.as_str().expect("a key")].clone()).or_default() += 1;
        }
        doubts.extend(named(&line["resumed"]["in_doubt"]).map(|key| keys[key.as_str().expect("a key")].clone()));
    }
    let twice: BTreeSet<_> = counts.into_iter().filter(|(_, count)| *count > 1).map(|(id, _)| id).collect();
    let named: BTreeSet<_> = sendings.into_iter().filter(|(_, count)| *count > 1).map(|(id, _)| id).collect();
    assert!(twice.is_subset(&named), "sent twice and not named: {:?}", twice.difference(&named));
    assert_eq!(named, doubts, "what was sent again is what was in doubt");
    println!("{} messages came twice, {} were named, in {KILLS} kills", twice.len(), named.len());
}

#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn a_plan_is_what_happens_and_what_is_changed_as_lines_is_sent() {
    let Some(emulator) = Emulator::start() else { return };
    let folder = scratch::folder_in_memory();
    let bulk = archive(folder.path(), 500);
    let pubsub = Pubsub::new(&emulator);
    let (topic, changed) = (pubsub.create_topic("again"), pubsub.create_topic("changed"));
    let (again, mended) = (pubsub.create_pull("again", &topic), pubsub.create_pull("mended", &changed));
    let cli = cli(folder.path(), &emulator);
    let selected = ["--stream", "orders", "--name", "night"];
    let with =
        |more: &[&'static str]| -> Vec<&str> { ["replay"].into_iter().chain(selected).chain(more.iter().copied()).collect() };
    let plan = cli.fine(&with(&["--to", "pubsub://persistor/again", "--dry-run", "--json"])).json().remove(0);
    assert!(!folder.path().join("night.replay.jsonl").exists(), "a dry run leaves nothing behind");
    let account = cli.fine(&with(&["--to", "pubsub://persistor/again", "--yes", "--json"])).json().remove(0);
    let orders: Vec<Push> = (0..500).map(|number| bulk.push(number)).filter(|push| push.stream == "orders").collect();
    let bytes: usize = orders.iter().map(|push| push.payload.len()).sum();
    assert_eq!((plan["messages"].as_u64(), plan["bytes"].as_u64()), (Some(orders.len() as u64), Some(bytes as u64)));
    assert_eq!((&account["sent"], &account["bytes"]), (&plan["messages"], &plan["bytes"]));
    let hours: u64 = plan["hours"].as_array().expect("hours").iter().filter_map(|hour| hour["messages"].as_u64()).sum();
    assert_eq!((hours, plan["all_subscribers"].as_bool()), (orders.len() as u64, Some(true)));
    let received = pubsub.pull(&again, |received| received.len() == orders.len());
    let sent: BTreeMap<&str, &Received> =
        received.iter().map(|message| (mark(message, "persistor-original-id"), message)).collect();
    for push in &orders {
        let message = sent[push.id.as_str()];
        assert_eq!(message.payload, push.payload, "{}", push.id);
        let mut attributes = push.attributes.clone();
        attributes.insert("persistor-replay".into(), "night".into());
        attributes.insert("persistor-original-id".into(), push.id.clone());
        attributes.insert("persistor-original-time".into(), push.publish_time.clone());
        assert_eq!(message.attributes, attributes, "{}", push.id);
    }

    // As lines, changed, and sent: what jq would do.
    let lines = cli.fine(&["replay", "--stream", "refunds", "--to", "-", "--name", "lines"]);
    let refunds = (0..500).map(|number| bulk.push(number)).filter(|push| push.stream == "refunds").count();
    let changed: String = lines
        .json()
        .into_iter()
        .map(|mut line| {
            line["attributes"]["mended"] = json!("yes");
            line["payload"] = Value::Null;
            line.as_object_mut().expect("an object").remove("payload");
            line["payload_text"] = json!("mended");
            format!("{line}\n")
        })
        .collect();
    let send = ["send", "--to", "pubsub://persistor/changed", "--yes"];
    cli.ends_with(0, &send, changed.as_bytes());
    let received = pubsub.pull(&mended, |received| received.len() == refunds);
    assert!(received.iter().all(|message| &message.payload[..] == b"mended" && message.attributes["mended"] == "yes"));
    assert!(received.iter().all(|message| mark(message, "persistor-replay") == "lines"));
    // A line with a fault keeps all of them back.
    let said = cli.ends_with(2, &send, format!("{changed}{{\"payload\":7}}\n").as_bytes());
    assert!(
        said.errors.contains(&format!("line {}: ", refunds + 1)) && said.errors.contains("nothing was sent"),
        "{}",
        said.errors
    );
}

#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn what_must_not_be_sent_is_not() {
    let Some(emulator) = Emulator::start() else { return };
    let folder = scratch::folder_in_memory();
    let pubsub = Pubsub::new(&emulator);
    let (source, side) = (pubsub.create_topic("source"), pubsub.create_topic("side"));
    let side_subscription = pubsub.create_pull("side", &side);
    // The archive's own subscription, at which a push handler stands that is behind a topic of the emulator.
    let program = Setup::gcp_function(&folder.path().join("archive")).start();
    let url = format!("http://127.0.0.1:{}/orders", program.port());
    pubsub.create_push("archive", &source, &url, 10);
    pubsub.publish(
        &source,
        (0..3).map(|number| persistor_tests::pubsub::Publication {
            payload: format!("order {number}").into_bytes().into(),
            ..Default::default()
        }),
    );
    let cli = cli(folder.path(), &emulator);
    let stored = || cli.run(&["ls", "--count", "--json"]).json().first().and_then(|line| line["messages"].as_u64()).unwrap_or(0);
    waiting::until("three messages to be stored", || (stored() == 3).then_some(()));

    let said = cli.ends_with(2, &["replay", "--to", "pubsub://persistor/source", "--yes"], b"");
    assert!(said.errors.contains("--back-to-source"), "{}", said.errors);
    let said = cli.ends_with(2, &["replay", "--to", "pubsub://persistor/side"], b"");
    assert!(said.errors.contains("add --yes"), "{}", said.errors);
    let said = cli.ends_with(4, &["replay", "--to", "pubsub://persistor/side", "--stream", "none", "--yes"], b"");
    assert!(said.errors.contains("there is no stream `none`"), "{}", said.errors);
    let said = cli.ends_with(1, &["replay", "--to", "pubsub://persistor/absent", "--yes"], b"");
    assert!(said.errors.contains("absent"), "{}", said.errors);
    let leftovers: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(leftovers, ["archive"], "nothing was begun");

    // As lines they know where they came from too.
    let lines = cli.fine(&["replay", "--to", "-", "--exact"]);
    let said = cli.ends_with(2, &["send", "--to", "pubsub://persistor/source", "--yes"], &lines.output);
    assert!(said.errors.contains("--back-to-source"), "{}", said.errors);

    // Told to, it goes back, is stored again with its mark, and the next replay leaves it out and says so.
    let back = ["replay", "--to", "pubsub://persistor/source", "--yes", "--back-to-source", "--name", "back"];
    cli.fine(&back);
    waiting::until("the replay to be stored", || (stored() == 6).then_some(()));
    let said = cli.ends_with(2, &[&back[..], &["--exact"]].concat(), b"");
    assert!(said.errors.contains("exact: it began with `no`, and now it is `yes`"), "{}", said.errors);
    let side = ["replay", "--to", "pubsub://persistor/side", "--yes", "--json"];
    let said = cli.fine(&side);
    assert_eq!(said.json()[0]["sent"], 3);
    assert!(said.errors.contains("3 that the replay `back` had sent"), "{}", said.errors);
    let said = cli.fine(&[&side[..], &["--include-replays", "--exact"]].concat());
    assert_eq!(said.json()[0]["sent"], 6);
    let received = pubsub.pull(&side_subscription, |received| received.len() == 9);
    assert_eq!(received.iter().filter(|message| mark(message, "persistor-replay") == "back").count(), 3);
    assert_eq!(received.iter().filter(|message| message.attributes.is_empty()).count(), 3);

    // What the topic cannot carry keeps everything back until it is said that it may be left out.
    let push = Push { payload: vec![b'x'; 10_000_001].into(), ..Bulk { messages: 1 }.push(0) };
    let mut connection = persistor_tests::http::Connection::open(program.port()).expect("it listens");
    assert_eq!(connection.exchange(&push.request()).expect("an answer").status, 204);
    let all = ["replay", "--to", "pubsub://persistor/side", "--yes", "--name", "large"];
    let said = cli.ends_with(1, &all, b"");
    assert!(said.errors.contains(&push.key()) && said.errors.contains("--skip-unfit"), "{}", said.errors);
    cli.fine(&[&all[..], &["--skip-unfit"]].concat());
}

#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn ctrl_c_stops_it_and_the_command_that_is_printed_goes_on() {
    let Some(emulator) = Emulator::start() else { return };
    let folder = scratch::folder_in_memory();
    archive(folder.path(), 2_000);
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("again");
    let subscription = pubsub.create_pull("again", &topic);
    let cli = cli(folder.path(), &emulator);
    let mut command =
        cli.command(&["replay", "--to", "pubsub://persistor/again", "--since", "2000-01-01", "--yes", "--rate", "200/s"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let journal = waiting::until("a sending to be answered", || {
        let files = fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        let journal = files.into_iter().find(|path| path.to_string_lossy().ends_with(".replay.jsonl"))?;
        fs::read_to_string(&journal).expect("the journal").contains("\"answered\"").then_some(journal)
    });
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).expect("SIGINT");
    let output = child.wait_with_output().expect("it ends");
    let errors = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let command = errors.lines().find_map(|line| line.split_once("to go on: ")).expect("the command").1;
    let name = journal.file_name().and_then(|name| name.to_str()?.strip_suffix(".replay.jsonl")).expect("a name").to_owned();
    assert!(command.contains(&format!("--name {name}")) && command.contains("--since '2000-01-01 00:00:00 UTC'"), "{command}");
    // As a shell takes it, but faster.
    let program = programs::persistor();
    let script = command.replacen("persistor", &program.display().to_string(), 1).replace("--rate 200/s", "--rate 100000/s");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script]).current_dir(folder.path()).env("PERSISTOR_ARCHIVE", "archive");
    let status = shell.env("PUBSUB_EMULATOR_HOST", emulator.endpoint()).stderr(Stdio::null()).status().expect("sh");
    assert!(status.success(), "{script}");
    // It waited for what was under way, so nothing came twice.
    let received = pubsub.pull(&subscription, |received| received.len() == 2_000);
    let ids: BTreeSet<_> = received.iter().map(|message| mark(message, "persistor-original-id")).collect();
    assert_eq!(ids.len(), 2_000);
    assert!(received.iter().all(|message| mark(message, "persistor-replay") == name));
}

#[test]
fn a_replay_that_goes_on_is_the_one_that_was_begun() {
    let folder = scratch::folder();
    let bulk = Bulk { messages: 300 };
    let program = Setup::gcp_function(&folder.path().join("archive")).start();
    bulk.send(program.port(), 100..200);
    let cli = Cli::new(folder.path()).set("PERSISTOR_ARCHIVE", "archive");
    let lines = |said: &Said| said.lines().len();
    // Nothing was sent under the name yet, so it is free.
    let http = ["replay", "--to", "http://127.0.0.1:9/x?code=SECRET", "--yes", "--name", "first"];
    assert!(!cli.ends_with(1, &http, b"").errors.contains("SECRET"));
    assert_eq!(lines(&cli.fine(&["replay", "--to", "-", "--name", "first", "--limit", "10"])), 10);
    assert_eq!(lines(&cli.fine(&["replay", "--to", "-", "--name", "open"])), 100);
    // Earlier ones come late, and one that is published now.
    bulk.send(program.port(), 0..100);
    let mut connection = persistor_tests::http::Connection::open(program.port()).expect("it listens");
    let now: chrono::DateTime<chrono::Utc> = std::time::SystemTime::now().into();
    let push = Push { publish_time: now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true), ..bulk.push(250) };
    assert_eq!(connection.exchange(&push.request()).expect("an answer").status, 204);
    let said = cli.ends_with(2, &["replay", "--to", "-", "--name", "first", "--limit", "10"], b"");
    assert!(said.errors.contains("the first messages are others"), "{}", said.errors);
    let said = cli.fine(&["replay", "--to", "-", "--name", "open"]);
    assert!(said.errors.contains("it had 100 messages, and now the same selection has 200"), "{}", said.errors);
    assert!(said.errors.contains("1 messages were published since this replay began"), "{}", said.errors);
    assert_eq!(lines(&said), 100);
    assert!(!said.text().contains(&push.id) && said.errors.contains("100 had been sent before"), "{}", said.errors);

    // A secret in the address is not repeated, and two addresses that differ in it are two.
    let said = cli.ends_with(
        1,
        &["replay", "--to", "http://127.0.0.1:9/x?code=SECRET", "--yes", "--name", "other", "--patience", "0s"],
        b"",
    );
    assert!(!said.errors.contains("SECRET"), "{}", said.errors);
    for file in
        fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file())
    {
        assert!(!fs::read_to_string(&file).expect("text").contains("SECRET"), "{}", file.display());
    }
}
