//! Lines of JSON are what `docs/json-lines.md` promises: every line that a command prints with `--json` is held against the schema of its
//! kind, read out of that page, and every kind is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jsonschema::Validator;
use persistor_tests::cli::Cli;
use persistor_tests::program::Setup;
use persistor_tests::push::Push;
use persistor_tests::{pusher, scratch};
use serde_json::{Value, json};

/// The commands that print lines of JSON.
const COMMANDS: [&str; 11] = ["copy", "diff", "grep", "ls", "replay", "send", "show", "status", "streams", "timeline", "verify"];

/// Lines for `send`: one that says nothing beside its payload, and one that says all that a plan counts.
const SENT: &[u8] = br#"{"payload":""}
{"payload_text":"x","id":"7","publish_time":"2026-11-22T05:40:12.5Z","stream":"s","entity":"e","attributes":{"n":{"int32":"7"}},"properties":{"session_id":"s"}}
"#;

/// What the page says of one kind of line.
struct Kind {
    schema: Validator,
    examples: Vec<Value>,
}

fn page() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a member");
    fs::read_to_string(root.join("docs/json-lines.md")).expect("the page is there")
}

/// By title: each section with a schema has one, and lines of JSON as examples.
fn kinds() -> BTreeMap<String, Kind> {
    let mut kinds = BTreeMap::new();
    for section in page().split("\n## ").skip(1) {
        let (heading, text) = section.split_once('\n').expect("a heading has text below");
        let blocks: Vec<_> = text.split("```json\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
        let [schema] = blocks[..] else { panic!("{heading} has {} schemas", blocks.len()) };
        let schema: Value = serde_json::from_str(schema).unwrap_or_else(|error| panic!("{heading}: {error}"));
        assert_eq!(schema["title"], heading.to_lowercase());
        let checked = jsonschema::draft202012::options().should_validate_formats(true).build(&schema);
        let examples = text.lines().filter(|line| line.starts_with("    {\""));
        let kind = Kind {
            schema: checked.unwrap_or_else(|error| panic!("{heading}: {error}")),
            examples: examples
                .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{heading}: {error}")))
                .collect(),
        };
        kinds.insert(heading.to_lowercase(), kind);
    }
    kinds
}

/// The kinds of which lines were printed; each line was held against its schema.
struct Seen {
    kinds: BTreeMap<String, Kind>,
    printed: BTreeSet<String>,
}

impl Seen {
    fn see(&mut self, kind: &str, line: &Value) {
        let known = self.kinds.get(kind).unwrap_or_else(|| panic!("the page has no {kind}"));
        let faults: Vec<_> = known.schema.iter_errors(line).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(faults.is_empty(), "no {kind}: {line}\n{}", faults.join("\n"));
        self.printed.insert(kind.to_owned());
    }
}

#[test]
fn every_line_that_a_command_prints_is_of_its_kind() {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    store(&root);
    let archive = root.to_str().expect("a path that is text");
    let cli = Cli::new(folder.path());
    let mut seen = Seen { kinds: kinds(), printed: BTreeSet::new() };
    let lines = cli.fine(&["replay", "--to", "-", "--yes", "-a", archive]).json();
    assert!(!lines.is_empty());
    lines.iter().for_each(|line| seen.see("message to send", line));
    let mut run = |kind: &str, code: i32, arguments: &[&str], input: &[u8]| {
        assert!(COMMANDS.contains(&arguments[0]), "{arguments:?}");
        // Lines that are sent come from no archive.
        let place = if arguments[0] == "send" { &["--json"][..] } else { &["--json", "-a", archive] };
        let lines = cli.ends_with(code, &[arguments, place].concat(), input).json();
        assert!(!lines.is_empty(), "{arguments:?} printed nothing");
        let last = lines.len() - 1;
        for (at, line) in lines.iter().enumerate() {
            // A verification ends with its summary.
            seen.see(if kind == "finding" && at == last { "summary" } else { kind }, line);
        }
        lines
    };

    let listed = run("message", 0, &["ls"], b"");
    assert_duplicates(&listed);
    let keys: Vec<_> = listed.iter().filter_map(|line| line["key"].as_str()).collect();
    run("message", 0, &[&["show"][..], &keys].concat(), b"");
    run("message", 0, &["grep", "--all", "(?s-u)."], b"");
    run("message", 0, &["diff", "--all", "--match", "id"], b"1\n");
    run("arrival", 0, &["diff", "--all", "--match", "id", "--reverse"], b"1\n\xff\xfe \"\\ \x1b\r\n\n\xe2\x80\xa8");
    run("count and size", 0, &["ls", "--count"], b"");
    run("count and size", 4, &["ls", "--count", "--stream", "none"], b"");
    run("count", 0, &["grep", "--count", "--all", "e"], b"");
    run("count", 4, &["grep", "--count", "--all", "no payload holds this"], b"");
    run("stream", 0, &["streams"], b"");
    run("stream", 0, &["streams", "--count"], b"");
    let states: BTreeSet<_> = run("status", 0, &["status"], b"").into_iter().map(|line| line["state"].to_string()).collect();
    assert!(states.len() > 1, "{states:?}");
    for step in ["minute", "hour", "day"] {
        run("timeline row", 0, &["timeline", "--stream", "orders", "--by", step], b"");
    }
    assert_eq!(run("finding", 0, &["verify", "--read-data"], b"").len(), 1, "no finding before anything is spoiled");

    run("count and size", 0, &["copy", "to", "--dry-run"], b"");
    run("copy", 0, &["copy", "to"], b"");

    let handler = Setup::gcp_function(&folder.path().join("again")).start();
    let (address, nowhere) = (format!("http://127.0.0.1:{}/again", handler.port()), "http://127.0.0.1:1/");
    run("plan", 0, &["replay", "--dry-run", "--to", "-"], b"");
    run("plan", 0, &["replay", "--dry-run", "--to", nowhere, "--rate", "5MiB/s", "--order", "all", "--exact"], b"");
    run("account", 0, &["replay", "--yes", "--to", &address, "--as", "pubsub-push", "--name", "one"], b"");
    let again = run("account", 0, &["replay", "--yes", "--to", &address, "--as", "pubsub-push", "--name", "one"], b"");
    assert_eq!((&again[0]["sent"], &again[0]["sent_before"]), (&json!(0), &json!(13)));
    let plan = run("plan", 0, &["send", "--dry-run", "--to", nowhere, "--as", "pubsub-push"], SENT);
    assert_eq!((&plan[0]["retyped"], &plan[0]["misfits"], &plan[0]["entities"]), (&json!(1), &json!(1), &json!({ "e": 1 })));
    // The handler refuses what is no push of Pub/Sub's.
    let account = run("account", 1, &["send", "--yes", "--to", &address], SENT);
    assert_eq!((&account[0]["refused"], &account[0]["ended"]), (&json!(2), &json!("done")));
    drop(handler);

    spoil(&root, &listed);
    run("finding", 3, &["verify", "--sample", "50%"], b"");
    let findings = run("finding", 3, &["verify", "--read-data"], b"");
    let faults: BTreeSet<_> = findings.iter().filter_map(|line| line["fault"].as_str()).collect();
    assert_eq!(faults, BTreeSet::from(["foreign", "layout-damaged", "payload-differs", "record-alone", "record-missing"]));
    run("message", 3, &["ls"], b"");
    assert!(seen.printed.iter().eq(seen.kinds.keys()), "of the page's kinds only these were printed: {:?}", seen.printed);
}

#[test]
fn a_spoiled_line_does_not_pass() {
    for (title, kind) in kinds() {
        assert!(!kind.examples.is_empty(), "{title} has no example");
        for line in &kind.examples {
            assert!(kind.schema.is_valid(line), "the example of {title}: {}", kind.schema.validate(line).expect_err("a fault"));
            let spoiled = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
                let mut spoiled = line.as_object().expect("an object").clone();
                change(&mut spoiled);
                let spoiled = Value::Object(spoiled);
                assert!(!kind.schema.is_valid(&spoiled), "{title}: {spoiled} passes");
            };
            for (name, value) in line.as_object().expect("an object") {
                spoiled(&|members| drop(members.remove(name)));
                // No member is an array in one line and a text in another.
                let other = if value.is_array() { json!("x") } else { json!([]) };
                let no_quantities = [json!(-1), json!(value.to_string())];
                for other in no_quantities.into_iter().filter(|_| value.is_u64()).chain([other]) {
                    spoiled(&|members| drop(members.insert(name.clone(), other.clone())));
                }
            }
            spoiled(&|members| drop(members.insert("another".to_owned(), json!("x"))));
        }
    }
    let kinds = kinds();
    let (message, timeline, finding) = (&kinds["message"], &kinds["timeline row"], &kinds["finding"]);
    let cases = [
        (message, "key", json!("orders//x")),
        (message, "key", json!("gr\u{f6}\u{df}e")),
        (message, "duplicate_of", json!("/x")),
        (message, "id", json!("")),
        (message, "publish_time", json!("2026-11-22T05:40:12+00:00")),
        (message, "publish_time", json!("2026-11-22T05:40:12.1234567890Z")),
        (message, "publish_time", json!("2026-02-30T05:40:12Z")),
        (message, "sha256", json!("2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824")),
        (message, "size", json!(0.5)),
        (message, "attributes", json!({ "a": 7 })),
        (message, "attributes", json!({ "a": { "int32": 7 } })),
        (message, "attributes", json!({ "a": { "int32": "7", "int64": "7" } })),
        (message, "properties", json!({ "a": { "string": "7" } })),
        (timeline, "end", json!("2026-11-24T16:37:01Z")),
        (finding, "fault", json!("size_differs")),
    ];
    for (kind, name, value) in cases {
        let mut line = kind.examples[0].clone();
        line[name] = value;
        assert!(!kind.schema.is_valid(&line), "{line} passes");
    }
}

#[test]
fn the_page_has_every_command_that_prints_lines() {
    let folder = scratch::folder();
    let cli = Cli::new(folder.path());
    let help = cli.fine(&["--help"]);
    let listed = help.text().split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a list of commands");
    // What is broken into two lines stands further in.
    let named = listed.lines().filter_map(|line| line.strip_prefix("  ")?.split_once(' ')).map(|(name, _)| name);
    let commands = named.filter(|name| !["", "help"].contains(name));
    let printing: BTreeSet<_> = commands.filter(|command| cli.fine(&[command, "--help"]).text().contains("--json")).collect();
    assert_eq!(printing, BTreeSet::from(COMMANDS));
    let page = page();
    for command in COMMANDS {
        assert!(page.contains(&format!("`{command}`")), "the page leaves out {command}");
    }
}

/// Two writers with two layouts share the archive: what both have taken is there twice.
fn store(root: &Path) {
    let (pushes, sharded) = (pushes(), "{shard:2}/{stream}/{attribute:ten:ant|no/ne}/{time:%Y-%m/day-%d}/{id}-{digest}");
    for (template, shared) in [(None, pushes.len()), (Some(sharded), 6)] {
        let mut setup = Setup::gcp_function(root);
        if let Some(template) = template {
            setup = setup.set("PERSISTOR_KEY_TEMPLATE", template);
        }
        let program = setup.start();
        for push in &pushes[..shared] {
            assert_eq!(pusher::send(program.port(), &push.request()).expect("a reply").status, 204, "{push:?}");
        }
    }
}

/// Names and values that a line has to survive, and a message of now.
fn pushes() -> Vec<Push> {
    let hostile = "\u{0}\u{7f}\u{80}\u{2028}\u{1F600}\"\\/\r\n\u{1b}[2J";
    let attributes = [
        vec![],
        vec![("", "")],
        vec![("ten:ant", hostile), (hostile, "x")],
        vec![("key", "0"), ("int32", "7"), ("duplicate_of", "null")],
    ];
    let long = "x".repeat(200);
    let ids = ["1", "a/b", "..", "\r\n", hostile, "\u{202e}", "~", "_", "a.record", &long];
    let streams = ["orders", "orders", "caf%C3%A9%20~", "%00", "_persistor", "orders"];
    let times = ["2026-11-22T05:40:12.503Z", "2026-11-23T23:59:59.999999999Z", "2026-11-22T15:40:12Z"];
    let push = |(index, id): (usize, &&str)| {
        let attributes = attributes[index % attributes.len()].iter();
        Push {
            stream: streams[index % streams.len()].to_owned(),
            publish_time: times[index % times.len()].to_owned(),
            attributes: attributes.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..Push::new(*id, [&b"one "[..], &[0, 255]].concat().repeat(index))
        }
    };
    let now = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let ends = ["0001-01-01T00:00:00.0Z".to_owned(), "9999-12-31T23:59:59.5Z".to_owned(), now];
    let at_ends =
        ends.map(|publish_time| Push { stream: format!("at{}", &publish_time[..4]), publish_time, ..Push::new("1", "e") });
    ids.iter().enumerate().map(push).chain(at_ends).collect()
}

/// Whatever is there twice names the key that has come before, of the same message.
fn assert_duplicates(listed: &[Value]) {
    let first: BTreeMap<_, _> =
        listed.iter().filter(|line| line["duplicate_of"].is_null()).map(|line| (line["key"].to_string(), line)).collect();
    let second: Vec<_> = listed.iter().filter(|line| !line["duplicate_of"].is_null()).collect();
    assert_eq!((first.len(), second.len()), (13, 6));
    for line in second {
        let other = first[&line["duplicate_of"].to_string()];
        for member in ["id", "entity", "publish_time", "sha256", "attributes"] {
            assert_eq!(line[member], other[member]);
        }
    }
}

/// Findings of several faults, some with names that nobody expects.
fn spoil(root: &Path, listed: &[Value]) {
    let key = |at: usize| root.join(listed[at]["key"].as_str().expect("a key"));
    fs::remove_file(format!("{}.record", key(0).display())).expect("remove");
    fs::remove_file(key(1)).expect("remove");
    let filled = (2..listed.len()).find(|at| listed[*at]["size"] != 0).expect("a payload that is not empty");
    let mut payload = fs::read(key(filled)).expect("read");
    payload[0] ^= 1;
    fs::write(key(filled), payload).expect("write");
    fs::write(root.join("note\n\u{1b}[2J\u{202e} .txt"), "").expect("write");
    fs::write(root.join("_persistor/layout/x.json"), "").expect("write");
}
