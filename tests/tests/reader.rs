//! The archive read by a program that shares nothing with Persistor: `reader.py`, fifty lines written from `FORMAT.md` alone. It
//! lists all that was sent, whatever the messages' names and bytes, and sees every damage.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use persistor_tests::naming::sha256;
use persistor_tests::program::Setup;
use persistor_tests::push::Push;
use persistor_tests::random::Random;
use persistor_tests::{pusher, scratch, tools};
use serde_json::{Value, json};

#[test]
#[ignore = "needs python3: tests/run e2e"]
fn a_reader_written_from_the_format_lists_all_that_was_sent() {
    let Some(python) = tools::python() else { return };
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let pushes = pushes();
    let paths = paths();
    let sharded = "{shard:3}/{stream}/{attribute:ten:ant|no/ne}/{time:%Y-%m/day-%d/%H}/{id}-{digest}";
    // Two writers with two layouts share the archive, and the second finds what the first has left.
    for (template, times) in [(None, 1), (Some(sharded), 2)] {
        let mut setup = Setup::gcp_function(&root);
        if let Some(template) = template {
            setup = setup.set("PERSISTOR_KEY_TEMPLATE", template);
        }
        let program = setup.start();
        for (push, (path, _)) in pushes.iter().zip(paths.iter().cycle()) {
            for _ in 0..times {
                let request = Push { stream: path.clone(), ..push.clone() }.request();
                assert_eq!(pusher::send(program.port(), &request).expect("a reply").status, 204, "{push:?}");
            }
        }
    }
    let read = read(&python, &root);
    assert_eq!((read.code, read.errors.as_str()), (0, ""));
    assert_eq!(read.messages.len(), 2 * pushes.len());

    let mut listed: Vec<_> = read.messages.iter().map(|message| Value::Object(without_key(message))).collect();
    let sent = pushes.iter().zip(paths.iter().cycle()).map(|(push, (_, stream))| {
        json!({
            "stream": stream, "id": push.id, "publish_time": push.publish_time, "size": push.payload.len(),
            "sha256": sha256(&push.payload), "attributes": push.attributes,
        })
    });
    let mut sent: Vec<_> = sent.flat_map(|message| [message.clone(), message]).collect();
    for messages in [&mut listed, &mut sent] {
        messages.sort_by_key(ToString::to_string);
    }
    assert_eq!(listed, sent);
    let keys: Vec<_> = read.messages.iter().map(|message| message["key"].as_str().unwrap_or_default()).collect();
    assert!(keys.is_sorted(), "{keys:?}");
    assert!(keys.iter().all(|key| root.join(key).is_file()));
}

#[test]
#[ignore = "needs python3: tests/run e2e"]
fn the_reader_sees_every_damage_and_only_damage() {
    let Some(python) = tools::python() else { return };
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let program = Setup::gcp_function(&root).start();
    for (id, payload) in [("1", "one"), ("2", "two"), ("3", "three")] {
        let mut push = Push::new(id, payload);
        push.attributes.insert("source".to_owned(), "web".to_owned());
        assert_eq!(pusher::send(program.port(), &push.request()).expect("a reply").status, 204);
    }
    drop(program);
    let sound = read(&python, &root);
    assert_eq!((sound.code, sound.messages.len()), (0, 3), "{}", sound.errors);
    let key = sound.messages[1]["key"].as_str().expect("text").to_owned();
    let (payload, record) = (root.join(&key), root.join(format!("{key}.record")));

    let seen = |what: &str| {
        let read = read(&python, &root);
        assert_eq!((read.code, read.messages.len()), (1, 2), "{what}: {}", read.errors);
        assert!(read.errors.contains(&key), "{what}: {}", read.errors);
    };
    // One bit, one byte less, one byte more.
    for damaged in ["twn", "tw", "two\0", ""] {
        with(&payload, |_| damaged.as_bytes().to_vec(), || seen(&format!("the payload {damaged:?}")));
    }
    let text = fs::read_to_string(&record).expect("read record");
    let cut = text[..text.len() - 1].to_owned();
    let changes = [
        text.replace("\"web\"", "\"wed\""),
        text.replace("\"id\":\"2\"", "\"id\":\"4\""),
        text.replace("\"length\":\"3\"", "\"length\":\"03\""),
        text.replace("\"stream\":\"orders\"", "\"stream\":\"order\""),
        text.replace("15:40:12.503", "15:40:12.504"),
        cut,
        String::new(),
        "[]".to_owned(),
    ];
    for changed in changes {
        assert_ne!(changed, text);
        with(&record, |_| changed.clone().into_bytes(), || seen(&format!("the record {changed}")));
    }
    // Whoever computes the check anew still has to name the blob so.
    let elsewhere = root.join(key.replace("orders/", "other/"));
    fs::create_dir_all(elsewhere.parent().expect("it is below the root")).expect("mkdir");
    for (from, to) in [(&payload, elsewhere.clone()), (&record, PathBuf::from(format!("{}.record", elsewhere.display())))] {
        fs::copy(from, to).expect("copy");
    }
    let moved = read(&python, &root);
    assert!(moved.code == 1 && moved.messages.len() == 3 && moved.errors.contains("other/"), "{}", moved.errors);
    fs::remove_dir_all(root.join("other")).expect("remove");

    let gone = fs::read(&record).expect("read record");
    fs::remove_file(&record).expect("remove");
    seen("no record");
    fs::write(&record, &gone).expect("write");

    // What a crash leaves is said, and is no damage; nor is what a later version writes.
    fs::remove_file(&payload).expect("remove");
    let orphan = read(&python, &root);
    assert_eq!((orphan.code, orphan.messages.len()), (0, 2), "{}", orphan.errors);
    assert!(orphan.errors.contains("without its payload") && orphan.errors.contains(&key), "{}", orphan.errors);
    fs::write(&payload, "two").expect("write");
    with(
        &record,
        |text| text.replace("\"requires\":[]", "\"requires\":[\"opened\"]").into_bytes(),
        || {
            let later = read(&python, &root);
            assert_eq!((later.code, later.messages.len()), (0, 2), "{}", later.errors);
            assert!(later.errors.contains(&key), "{}", later.errors);
        },
    );
    fs::write(root.join(".tmp/half"), "t").expect("write");
    let sound = read(&python, &root);
    assert_eq!((sound.code, sound.messages.len(), sound.errors.as_str()), (0, 3, ""));

    let layouts = root.join("_persistor/layout");
    fs::rename(&layouts, root.join("_persistor/hidden")).expect("rename");
    let without = read(&python, &root);
    assert_eq!((without.code, without.messages.len()), (1, 0), "keys follow from no layout: {}", without.errors);
}

/// Some dozens of messages as hostile as the broker's own rules let them be, and more so.
fn pushes() -> Vec<Push> {
    let ids = [
        "14217110643",
        "a/b",
        "/",
        ".",
        "..",
        "../../../etc/passwd",
        "~",
        "~2F",
        "~_",
        "~~",
        "_",
        "_persistor",
        "a.",
        ".a",
        "a.record",
        ".record",
        "-",
        "a-b-c",
        " ",
        "\0",
        "\u{7f}",
        "\r\n",
        "%2F",
        "größe",
        "\u{1F600}",
        "e\u{301}",
        "\u{202e}",
        "CON",
        "a\\b",
        "\"'`$(x)*?",
    ];
    let long = [
        ("x".repeat(120), 0),
        ("x".repeat(121), 1),
        ("é".repeat(100), 2),
        (format!("{}.", "y".repeat(119)), 3),
        ("/".repeat(200), 4),
    ];
    let mut random = Random::new(9);
    let mut payloads: Vec<Vec<u8>> = vec![
        Vec::new(),
        (0..=255).collect(),
        b"\xff\xfe\x00".to_vec(),
        b"\r\n".to_vec(),
        br#"{"message":{}}"#.to_vec(),
        vec![0; 100_000],
        random.bytes(100_000),
    ];
    payloads.extend((0..20).map(|size| random.bytes(size * 7)));
    let attributes = [
        vec![],
        vec![("", "")],
        vec![("source", "web"), ("ten:ant", "../x"), ("gr\u{f6}\u{df}e", "\u{0}\u{7f}\u{80}\u{2028}\u{1F600}\"\\/\n")],
        vec![("ten:ant", ""), ("sha256", "0"), ("check", "x"), ("\u{ffff}", "after"), ("\u{10000}", "still after")],
    ];
    let times = ["2026-11-22T05:40:12Z", "2024-02-29T23:59:59.999999999Z", "0001-01-01T00:00:00.0Z", "9999-12-31T23:59:59.5Z"];

    let ids = ids.iter().map(|id| (*id).to_owned()).chain(long.into_iter().map(|(id, _)| id));
    let push = |(index, id): (usize, String)| {
        let attributes = &attributes[index % attributes.len()];
        Push {
            publish_time: times[index / 2 % times.len()].to_owned(),
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..Push::new(id, payloads[index % payloads.len()].clone())
        }
    };
    ids.enumerate().map(push).collect()
}

/// What stands in the URL, and the stream that it names.
fn paths() -> Vec<(String, String)> {
    let long = "s".repeat(200);
    [
        ("orders", "orders"),
        ("caf%C3%A9%20~", "café ~"),
        ("..%2F..", "../.."),
        ("_persistor", "_persistor"),
        (".tmp", ".tmp"),
        ("%00", "\0"),
        ("a.record", "a.record"),
        (&long, &long),
    ]
    .map(|(path, stream)| (path.to_owned(), stream.to_owned()))
    .into()
}

/// What the reader said.
struct Read {
    code: i32,
    messages: Vec<BTreeMap<String, Value>>,
    errors: String,
}

fn read(python: &Path, root: &Path) -> Read {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reader.py");
    let output = Command::new(python).arg(script).arg(root).output().expect("python runs");
    let lines = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    Read {
        code: output.status.code().expect("it was not killed"),
        messages: lines.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn without_key(message: &BTreeMap<String, Value>) -> serde_json::Map<String, Value> {
    message.iter().filter(|(name, _)| *name != "key").map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Looks at the archive while one of its files is another, and puts it back.
fn with(path: &Path, change: impl FnOnce(&str) -> Vec<u8>, look: impl FnOnce()) {
    let before = fs::read(path).expect("read");
    fs::write(path, change(&String::from_utf8_lossy(&before))).expect("write");
    look();
    fs::write(path, before).expect("write");
}

#[test]
fn the_reader_is_as_short_as_the_format_says() {
    let script = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("reader.py")).expect("it is there");
    assert!(script.lines().count() <= 50);
    assert!(script.lines().all(|line| line.len() <= 130));
    let imported: Vec<_> = script.lines().filter(|line| line.contains("import ")).collect();
    assert_eq!(imported, ["import hashlib, json, pathlib, re, sys"], "Python's own library is enough");
}
