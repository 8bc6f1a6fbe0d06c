//! Every command of `persistor`, with success and with failure, over an archive whose messages must not be told where nobody asked, beside every variable
//! that holds a secret. What a command is asked for stands on its standard output alone.

use std::path::Path;

use persistor_tests::cli::Cli;
use persistor_tests::program::Setup;
use persistor_tests::{ports, pusher, scratch};

use crate::functions::push;
use crate::markers::{
    ACCOUNT_KEY, ATTRIBUTE, ATTRIBUTE_NAME, AUTHORIZATION, CONTENTS, IDENTITY_HEADER, Marker, PASSWORD, PAYLOAD, SAS, SHARED_KEY,
    Said,
};
use crate::quoting::Quoting;
use crate::settings::pasted;

const COMMANDS: [&str; 16] = [
    "try",
    "serve",
    "streams",
    "status",
    "ls",
    "show",
    "cat",
    "grep",
    "timeline",
    "verify",
    "diff",
    "replay",
    "send",
    "copy",
    "completions",
    "help",
];

/// Runs commands and keeps what they said.
struct Runs {
    cli: Cli,
    said: Vec<Said>,
}

impl Runs {
    /// On standard output there may be these; a code where it has to be this one.
    fn run(&mut self, arguments: &[&str], input: &[u8], code: Option<i32>, may: &[Marker]) {
        let said = self.cli.run_with(arguments, input);
        let run = format!("persistor {}", arguments.join(" "));
        assert!(code.is_none() || said.code == code, "{run}: {:?}\n{}", said.code, said.errors);
        for marker in may {
            assert!(
                crate::markers::found(marker.1, &String::from_utf8_lossy(&said.output)).is_some(),
                "{run} does not give the {}",
                marker.0
            );
        }
        self.said.push(Said { may: may.to_vec(), ..Said::new(&run, "its output", said.output) });
        self.said.push(Said::new(&run, "its standard error", said.errors));
    }

    /// A command that was given a secret where none belongs: nothing else is asked of it.
    fn mistaken(&mut self, arguments: &[&str]) {
        let said = self.cli.run(arguments);
        let run = format!("persistor {} … with something pasted", arguments[0]);
        assert_ne!(said.code, Some(0), "{run}");
        self.said.push(Said::new(&run, "its output", said.output));
        self.said.push(Said::new(&run, "its standard error", said.errors));
    }
}

fn archive(root: &Path) -> Vec<String> {
    let program = Setup::gcp_function(root).start();
    let pushes: Vec<_> = (0..5).map(|id| push(&format!("id-{id}"))).collect();
    for push in &pushes {
        assert_eq!(pusher::send(program.port(), &push.request()).expect("a reply").status, 204);
    }
    pushes.iter().map(persistor_tests::push::Push::key).collect()
}

pub(crate) fn said() -> Vec<Said> {
    let folder = scratch::folder_in_memory();
    let keys = archive(&folder.path().join("archive"));
    let key = keys[0].as_str();
    let sas = format!("sv=2026-04-06&sp=rl&sig={}%3D", SAS.1);
    let bus =
        format!("Endpoint=sb://localhost/;SharedAccessKeyName=n;SharedAccessKey={}=;UseDevelopmentEmulator=true", SHARED_KEY.1);
    let storage = format!("DefaultEndpointsProtocol=https;AccountName=a;AccountKey={}==", ACCOUNT_KEY.1);
    let cli = Cli::new(folder.path())
        .set("RUST_LOG", "trace")
        .set("RUST_BACKTRACE", "full")
        .set("RUST_LIB_BACKTRACE", "1")
        .set("PERSISTOR_LOG", "trace")
        .set("AZURE_STORAGE_SAS_TOKEN", &*sas)
        .set("AZURE_STORAGE_CONNECTION_STRING", storage)
        .set("AZURE_SERVICEBUS_CONNECTION_STRING", bus)
        .set("PERSISTOR_SINK_AUTHORIZATION", format!("Bearer {}", AUTHORIZATION.1))
        .set("AMQP_USERNAME", "user")
        .set("AMQP_PASSWORD", PASSWORD.1)
        .set("IDENTITY_HEADER", IDENTITY_HEADER.1);
    let mut runs = Runs { cli, said: Vec::new() };
    help(&mut runs);
    reading(&mut runs, key);
    sending(&mut runs, folder.path());
    remote(&mut runs, key);
    mistakes(&mut runs, key);
    damaged(&mut runs, folder.path(), &keys);
    journals(&mut runs, folder.path());
    runs.said
}

fn help(runs: &mut Runs) {
    runs.run(&["--help"], b"", Some(0), &[]);
    for command in COMMANDS {
        runs.run(&[command, "--help"], b"", None, &[]);
    }
    runs.run(&["serve", "gcp", "--help"], b"", Some(0), &[]);
    runs.run(&["serve", "azure", "--help"], b"", Some(0), &[]);
    for shell in ["bash", "zsh", "fish"] {
        runs.run(&["completions", shell], b"", Some(0), &[]);
    }
}

fn reading(runs: &mut Runs, key: &str) {
    for arguments in [&["streams"][..], &["streams", "--json"], &["streams", "--count"], &["status"], &["status", "--json"]] {
        runs.run(arguments, b"", None, &[]);
    }
    runs.run(&["ls"], b"", Some(0), &[]);
    runs.run(&["ls", "-l"], b"", Some(0), &[]);
    runs.run(&["ls", "--count"], b"", Some(0), &[]);
    runs.run(&["ls", "--json"], b"", Some(0), &CONTENTS[1..]);
    runs.run(&["ls", "--attribute", &format!("{}^={}", ATTRIBUTE_NAME.1, ATTRIBUTE.1)], b"", Some(0), &[]);
    runs.run(&["show", key], b"", Some(0), &CONTENTS[1..]);
    runs.run(&["show", "--json", key], b"", Some(0), &CONTENTS[1..]);
    runs.run(&["show", &format!("{key}0")], b"", None, &[]);
    runs.run(&["cat", key], b"", Some(0), &[PAYLOAD]);
    runs.run(&["cat", &format!("{key}0")], b"", None, &[]);
    runs.run(&["grep", &PAYLOAD.1[..8]], b"", Some(0), &[]);
    runs.run(&["grep", "--json", &PAYLOAD.1[..8]], b"", Some(0), &CONTENTS[1..]);
    runs.run(&["grep", "--count", "--attributes", &ATTRIBUTE.1[..8]], b"", Some(0), &[]);
    runs.run(&["grep", "no such thing"], b"", Some(4), &[]);
    runs.run(&["timeline"], b"", None, &[]);
    runs.run(&["timeline", "--json"], b"", None, &[]);
    for arguments in [&["verify"][..], &["verify", "--json"], &["verify", "--read-data"], &["verify", "--read-data", "--json"]] {
        runs.run(arguments, b"", Some(0), &[]);
    }
    runs.run(&["diff", "--match", "id"], b"id-1\nid-2\n", None, &[]);
    runs.run(&["diff", "--match", "id", "--json"], b"id-1\nid-2\n", Some(0), &CONTENTS[1..]);
    runs.run(&["diff", "--match", &format!("attribute:{}", ATTRIBUTE_NAME.1)], b"x\n", None, &[]);
    runs.run(&["copy", "copied"], b"", Some(0), &[]);
    runs.run(&["copy", "--json", "copied"], b"", Some(0), &[]);
    runs.run(&["copy", "--dry-run", "copied"], b"", Some(0), &[]);
}

/// To sinks that take nothing and quote everything, to sinks that are not there, and to lines.
fn sending(runs: &mut Runs, folder: &Path) {
    let quoting = [&[401][..], &[403], &[500, 503], &[400, 413], &[302], &[404]].map(Quoting::start);
    let mut name = 0;
    for server in &quoting {
        let to = format!("{}/orders?sig={}", server.url(), SAS.1);
        for form in ["raw", "pubsub-push"] {
            name += 1;
            let name = format!("quoted-{name}");
            let arguments = ["replay", "--to", &to, "--as", form, "--name", &name, "--yes", "--all", "--patience", "300ms"];
            runs.run(&arguments, b"", None, &[]);
            runs.run(&[&arguments[..], &["--json"]].concat(), b"", None, &[]);
        }
        assert!(server.requests() > 0, "nothing was quoted");
    }
    let to = format!("{}/orders", quoting[0].url());
    runs.run(&["replay", "--to", &to, "--dry-run"], b"", Some(0), &[]);
    runs.run(&["replay", "--to", &to, "--dry-run", "--json"], b"", Some(0), &[]);
    let none = ports::free();
    for to in [
        format!("http://127.0.0.1:{none}/orders?sig={}", SAS.1),
        format!("amqp://127.0.0.1:{none}/orders"),
        format!("servicebus://localhost:{none}/orders"),
    ] {
        runs.run(&["replay", "--to", &to, "--yes", "--patience", "300ms"], b"", None, &[]);
    }
    // The lines hold everything, and were asked for.
    runs.run(&["replay", "--to", "-", "--yes"], b"", Some(0), &CONTENTS);
    let lines = runs.cli.fine(&["replay", "--to", "-", "--yes"]).output;
    std::fs::write(folder.join("lines"), &lines).expect("write");
    runs.run(&["send", "--to", &to, "--yes"], &lines, None, &[]);
    runs.run(&["send", "--to", &to, "--yes", "--as", "pubsub-push"], &lines, None, &[]);
    runs.run(&["send", "--to", &to, "--dry-run"], &lines, None, &[]);
    for part in 1..6 {
        let torn = &lines[..lines.len() * part / 6];
        runs.run(&["send", "--to", &to, "--yes"], torn, None, &[]);
    }
    let text = String::from_utf8(lines).expect("JSON is text");
    for (from, to_text) in
        [("\"attributes\":{", "\"attributes\":[{"), ("\"payload", "\"pay"), ("\"id\":\"", "\"id\":7,\"id\":\"")]
    {
        runs.run(&["send", "--to", &to, "--yes"], text.replace(from, to_text).as_bytes(), None, &[]);
    }
}

/// Archives in stores that refuse and quote.
fn remote(runs: &mut Runs, key: &str) {
    let server = Quoting::start(&[403, 401, 400, 404, 409]);
    let before = runs.cli.clone();
    runs.cli = before
        .clone()
        .set("AZURE_STORAGE_SERVICE_ENDPOINT", format!("{}/acme", server.url()))
        .set("STORAGE_EMULATOR_HOST", server.url());
    for place in ["az://acme/archive", "gs://archive/prefix"] {
        for arguments in [&["ls", "--all"][..], &["status"], &["streams"], &["show", key], &["cat", key], &["verify"]] {
            runs.run(&[arguments, &["-a", place]].concat(), b"", None, &[]);
        }
        runs.run(&["copy", place], b"", None, &[]);
    }
    assert!(server.requests() > 10, "nothing was quoted");
    runs.cli = before;
}

fn mistakes(runs: &mut Runs, key: &str) {
    for text in pasted() {
        runs.mistaken(&["ls", "-a", &text]);
        runs.mistaken(&["copy", &text]);
        runs.mistaken(&["cat", &text]);
        runs.mistaken(&["show", &text]);
        // An address may have a SAS: it is one to send to, and not of this machine.
        if !text.starts_with("https://acme") {
            runs.mistaken(&["replay", "--to", &text, "--yes"]);
        }
        let (end, user) = (format!("{key}?{text}"), format!("amqp://user:{}@127.0.0.1:1/orders", PASSWORD.1));
        runs.mistaken(&["show", &end]);
        runs.mistaken(&["replay", "--to", &user, "--yes"]);
    }
    let before = runs.cli.clone();
    for text in pasted() {
        for name in [
            "AZURE_STORAGE_SERVICE_ENDPOINT",
            "AZURE_TOKEN_CREDENTIALS",
            "STORAGE_EMULATOR_HOST",
            "PUBSUB_EMULATOR_HOST",
            "PERSISTOR_ARCHIVE",
        ] {
            runs.cli = before.clone().set(name, &*text);
            match name {
                "STORAGE_EMULATOR_HOST" => runs.mistaken(&["status", "-a", "gs://bucket/prefix"]),
                "PUBSUB_EMULATOR_HOST" => runs.mistaken(&["replay", "-a", "archive", "--to", "pubsub://project/topic", "--yes"]),
                "PERSISTOR_ARCHIVE" => runs.mistaken(&["status"]),
                "AZURE_TOKEN_CREDENTIALS" => {
                    runs.cli = runs.cli.clone().set("AZURE_STORAGE_SAS_TOKEN", "");
                    runs.mistaken(&["status", "-a", "az://acme/archive"]);
                }
                _ => runs.mistaken(&["status", "-a", "az://acme/archive"]),
            }
        }
        for name in ["AZURE_STORAGE_SAS_TOKEN", "AZURE_SERVICEBUS_CONNECTION_STRING"] {
            // A SAS is one where it belongs; what is asked with it is another test's.
            if name.contains("SAS") && text.contains("sig=") {
                continue;
            }
            runs.cli = before.clone().set(name, &*text);
            let asks_storage = name.contains("STORAGE");
            let arguments: &[&str] = if asks_storage {
                &["status", "-a", "az://acme/archive"]
            } else {
                &["replay", "-a", "archive", "--to", "servicebus://n/q", "--yes"]
            };
            runs.mistaken(arguments);
        }
    }
    runs.cli = before;
}

/// A payload that is not its record's, records that are none, and what is nobody's.
fn damaged(runs: &mut Runs, folder: &Path, keys: &[String]) {
    let root = folder.join("archive");
    let record = |number: usize| root.join(format!("{}.record", keys[number]));
    let text = std::fs::read_to_string(record(1)).expect("a record");
    std::fs::write(root.join(&keys[0]), format!("{} and more", PAYLOAD.1)).expect("write");
    std::fs::write(record(1), &text[..text.len() / 2]).expect("write");
    std::fs::write(record(2), text.replace("\"attributes\":{", "\"attributes\":{\"a\":7,")).expect("write");
    std::fs::remove_file(root.join(&keys[3])).expect("remove");
    std::fs::write(root.join("orders").join("nobody"), PAYLOAD.1).expect("write");
    for arguments in [
        &["verify"][..],
        &["verify", "--json"],
        &["verify", "--read-data"],
        &["verify", "--read-data", "--json"],
        &["ls"],
        &["status"],
        &["timeline"],
        &["copy", "copied-damaged"],
        &["copy", "copied-damaged", "--json"],
        &["diff", "--match", "id"],
    ] {
        runs.run(arguments, b"id-4\n", None, &[]);
    }
    for key in &keys[1..4] {
        runs.run(&["show", key], b"", None, &[]);
    }
    let server = Quoting::start(&[500]);
    runs.run(&["replay", "--to", &server.url(), "--yes", "--name", "damaged", "--patience", "300ms"], b"", None, &[]);
}

/// What a replay leaves behind, which others may read.
fn journals(runs: &mut Runs, folder: &Path) {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("list") {
        let path = entry.expect("list").path();
        if path.is_file() && path.file_name().is_some_and(|name| name != "lines") {
            let run = format!("the file {}", path.display());
            runs.said.push(Said::new(run, "it", std::fs::read(&path).expect("read")));
            count += 1;
        }
    }
    assert!(count > 5, "{count} journals");
}
