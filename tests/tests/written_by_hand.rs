//! Archives that Persistor did not write: `write_archive.py`, made from `FORMAT.md` alone, writes them, and the program reads them as if they were
//! its own, from a folder and from a bucket.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use persistor_tests::cli::Cli;
use persistor_tests::fake_storage::FakeStorage;
use persistor_tests::naming::{default_key, sha256};
use persistor_tests::random::Random;
use persistor_tests::{scratch, tools};
use serde_json::{Value, json};

const DEFAULT: &str = "{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}";
const SHARDED: &str = "{shard:3}/x-{stream}/{attribute:ten:ant|no/ne}/{time:%Y-%m/day-%d}/at-{time:%H}/{id}-{digest}";
/// The longest record that stands in metadata, in bytes.
const LONGEST_INLINE: usize = 4000;

#[test]
#[ignore = "needs python3: tests/run e2e"]
fn an_archive_written_from_the_format_is_read_whole() {
    let Some(python) = tools::python() else { return };
    let (folder, messages) = (scratch::folder(), messages());
    for (name, template) in [("default", DEFAULT), ("sharded", SHARDED)] {
        let root = folder.path().join(name);
        let keys = write(&python, &root, template, &messages);
        if template == DEFAULT {
            assert_eq!(keys, messages.iter().map(key).collect::<Vec<_>>());
        }
        assert_read(&Cli::new(folder.path()), &root.display().to_string(), &lines(&keys, &messages), &messages);
    }
}

#[test]
#[ignore = "needs python3: tests/run e2e"]
fn the_same_messages_under_two_templates_are_known_for_the_same() {
    let Some(python) = tools::python() else { return };
    let (folder, messages) = (scratch::folder(), messages());
    let root = folder.path().join("archive");
    for template in [DEFAULT, SHARDED] {
        write(&python, &root, template, &messages);
    }
    let (cli, archive) = (Cli::new(folder.path()), root.display().to_string());
    let summary = &cli.fine(&["verify", "--read-data", "--json", "-a", &archive]).json()[..];
    let count = messages.len();
    let [summary] = summary else { panic!("findings: {summary:?}") };
    assert_eq!((&summary["messages"], &summary["duplicates"]), (&json!(2 * count), &json!(count)));
    let lines = cli.fine(&["ls", "--json", "-a", &archive]).json();
    let duplicates: BTreeMap<_, _> =
        lines.iter().filter_map(|line| Some((line["duplicate_of"].as_str()?, line["id"].as_str()?))).collect();
    assert_eq!((lines.len(), duplicates.len()), (2 * count, count));
    for line in lines.iter().filter(|line| line["duplicate_of"].is_null()) {
        assert_eq!(duplicates.get(line["key"].as_str().expect("text")).copied(), line["id"].as_str());
    }
}

#[test]
#[ignore = "needs python3 and fake-gcs-server: tests/run e2e"]
fn the_same_in_a_bucket_with_records_in_metadata() {
    let (Some(python), Some(fake)) = (tools::python(), FakeStorage::start()) else { return };
    let (folder, messages) = (scratch::folder(), messages());
    fake.create_bucket("archive");
    for (name, template) in [("some/default", DEFAULT), ("sharded", SHARDED)] {
        let root = folder.path().join(name);
        let keys = write(&python, &root, template, &messages);
        let inline = upload(&fake, name, &root, &keys);
        assert!(0 < inline && inline < keys.len(), "{inline} of {} records stand in metadata", keys.len());
        let cli = Cli::new(folder.path()).set("STORAGE_EMULATOR_HOST", fake.url());
        assert_read(&cli, &format!("gs://archive/{name}"), &lines(&keys, &messages), &messages);
    }
}

#[test]
fn the_writer_is_as_short_as_the_format_says() {
    let script = fs::read_to_string(script()).expect("it is there");
    assert!(script.lines().count() <= 80);
    assert!(script.lines().all(|line| line.len() <= 130));
    let imported: Vec<_> = script.lines().filter(|line| line.contains("import ")).collect();
    assert_eq!(imported, ["import base64, hashlib, itertools, json, os, pathlib, re, sys"], "Python's own library is enough");
}

/// Every way of reading gives what was written. `lines` has a line for each message, in the messages' order.
fn assert_read(cli: &Cli, archive: &str, lines: &[Value], messages: &[Value]) {
    let run = |arguments: &[&str]| cli.fine(&[arguments, &["-a", archive]].concat());
    let key = |line: &Value| line["key"].as_str().expect("text").to_owned();
    let size: u64 = lines.iter().filter_map(|line| line["size"].as_u64()).sum();
    let summary = json!({
        "messages": lines.len(), "bytes": size, "payloads_read": lines.len(), "duplicates": 0, "damage": 0, "findings": {},
    });
    assert_eq!(run(&["verify", "--read-data", "--json"]).json(), [summary]);

    let mut sorted = lines.to_vec();
    sorted.sort_by_key(key);
    assert_eq!(run(&["ls", "--json"]).json(), sorted);
    let keys: Vec<_> = lines.iter().map(key).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    assert_eq!(run(&[&["show", "--json"][..], &keys].concat()).json(), lines);
    // By name: one entity each, and how many messages.
    let mut streams: BTreeMap<String, (Value, u64)> = BTreeMap::new();
    for line in lines {
        let stream = line["stream"].as_str().expect("text").to_owned();
        streams.entry(stream).or_insert((json!([line["entity"]]), 0)).1 += 1;
    }
    let counted = run(&["streams", "--count", "--json"]).json();
    let named = |line: &Value| line["stream"].as_str().expect("text").to_owned();
    let counted = counted.iter().map(|line| (named(line), (line["entities"].clone(), line["messages"].as_u64().unwrap_or(0))));
    assert_eq!(counted.collect::<Vec<_>>(), streams.into_iter().collect::<Vec<_>>());
    for (key, message) in keys.iter().zip(messages) {
        assert_eq!(run(&["cat", key]).output, payload(message), "{message}");
    }
    let has_all =
        |message: &Value| message["attributes"]["weight"].is_object() && message["properties"]["ordering_key"].is_string();
    let typed = messages.iter().position(has_all).expect("one with types");
    let shown = run(&["show", keys[typed]]);
    for text in ["-7  (int32)", "AP8=  (bytes)", "2026-11-22T05:40:12.503Z  (timestamp)", "1E+3  (decimal128)", "customer 7"] {
        assert!(shown.text().contains(text), "no `{text}` in {}", shown.text());
    }
}

/// Puts an archive of a folder into a bucket as FORMAT.md says it stands there, and says how many records are in metadata.
fn upload(fake: &FakeStorage, prefix: &str, root: &Path, keys: &[String]) -> usize {
    let put = |name: &str, metadata: Value| {
        let name_in_bucket = format!("{prefix}/{name}");
        let resource = json!({ "name": name_in_bucket, "metadata": metadata });
        fake.put("archive", &name_in_bucket, &resource, &fs::read(root.join(name)).expect("read"));
    };
    for entry in fs::read_dir(root.join("_persistor/layout")).expect("list") {
        put(&format!("_persistor/layout/{}", entry.expect("list").file_name().display()), json!({}));
    }
    let mut inline = 0;
    for key in keys {
        let record = fs::read_to_string(root.join(format!("{key}.record"))).expect("read");
        if record.len() <= LONGEST_INLINE {
            inline += 1;
            put(key, json!({ "record": record }));
        } else {
            put(&format!("{key}.record"), json!({}));
            put(key, json!({ "record": "blob" }));
        }
    }
    inline
}

/// Runs the writer, and gives the keys that it made, in the messages' order.
fn write(python: &Path, root: &Path, template: &str, messages: &[Value]) -> Vec<String> {
    let mut command = Command::new(python);
    command.arg(script()).arg(root).arg(template).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python runs");
    let input = Value::from(messages).to_string();
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads all");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", output.status);
    let keys: Vec<_> = String::from_utf8(output.stdout).expect("keys are ASCII").lines().map(str::to_owned).collect();
    assert_eq!(keys.len(), messages.len());
    keys
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("write_archive.py")
}

/// What a line of JSON has to say of each message.
fn lines(keys: &[String], messages: &[Value]) -> Vec<Value> {
    let line = |(key, message): (&String, &Value)| {
        let payload = payload(message);
        json!({
            "key": key, "stream": message["stream"], "entity": message["entity"], "id": message["id"],
            "publish_time": message["publish_time"], "size": payload.len(), "sha256": sha256(&payload),
            "attributes": message["attributes"], "properties": message["properties"], "duplicate_of": null,
        })
    };
    keys.iter().zip(messages).map(line).collect()
}

fn payload(message: &Value) -> Vec<u8> {
    STANDARD.decode(message["payload"].as_str().expect("text")).expect("base64")
}

fn key(message: &Value) -> String {
    let text = |name: &str| message[name].as_str().expect("text");
    default_key(text("stream"), text("publish_time").parse().expect("a time"), text("id"), &payload(message))
}

/// Messages that use all that the format allows, with names as hostile as can be.
fn messages() -> Vec<Value> {
    let hostile = "\u{0}\u{7f}\u{80}\u{2028}\u{ffff}\u{1F600}\"\\/\u{8}\t\n\u{c}\r\u{1b}[2J";
    let long = ["x".repeat(200), "x".repeat(120), format!("{}/", "x".repeat(118)), "é".repeat(100), "../".repeat(20)];
    let short = [
        "1", "a/b", ".", "..", "~", "~2F", "~_", "_", "_x", "a.", ".a", "a.record", "-", "a-b-c", " ", "größe", "CON", "{id}",
        "%Y", "1.5", "_.", "._", "e\u{301}",
    ];
    let ids: Vec<_> =
        short.into_iter().chain([hostile, "\u{202e}", "_persistor"]).chain(long.iter().map(String::as_str)).collect();
    let streams = ["orders", "../..", "_persistor", ".tmp", "a.record", hostile, &long[0], "orders-2", "orders"];
    let attributes = [
        json!({}),
        json!({ "": "", "ten:ant": "", "check": "x", "string": "y" }),
        json!({
            "weight": { "int32": "-7" }, "body": { "bytes": "AP8=" }, "seen": { "timestamp": "2026-11-22T05:40:12.503Z" },
            "price": { "decimal128": "1E+3" }, "no int32": { "int32": "seven" }, "größe": { "größe\n": hostile }, "empty": { "symbol": "" },
        }),
        json!({ "ten:ant": { "bytes": "AP8=" }, "\u{ffff}": "before", "\u{10000}": "behind", hostile: hostile }),
        json!({ "ten:ant": "../x", "long": "é".repeat(1000) }),
    ];
    let properties = [json!({}), json!({ "ordering_key": "customer 7", "later": { "int64": "1" } })];
    let others = json!({ "zone": ["x", { "b": null, "a": true }], "": "", "größe": hostile, "\u{10000}": {}, "\u{ffff}": [] });
    let others = [json!({}), others];
    let times = ["2026-11-22T05:40:12.503Z", "2024-02-29T23:59:59.999999999Z", "0001-01-01T00:00:00.0Z", "9999-12-31T23:59:59Z"];
    let mut random = Random::new(5);
    let mut payloads = vec![Vec::new(), (0..=255).collect(), b"hello\n".to_vec(), vec![0; 70_000]];
    payloads.extend((0..7).map(|size| random.bytes(size * 31)));
    let message = |(index, id): (usize, &&str)| {
        let stream = streams[index % streams.len()];
        json!({
            "stream": stream, "entity": format!("projects/p/subscriptions/{stream}"), "id": id,
            "publish_time": times[index % times.len()], "payload": STANDARD.encode(&payloads[index % payloads.len()]),
            "attributes": attributes[index / 2 % attributes.len()], "properties": properties[index % properties.len()],
            "others": others[index % others.len()], "fidelity": (["headers", "a"][..index % 3]),
        })
    };
    ids.iter().enumerate().map(message).collect()
}
