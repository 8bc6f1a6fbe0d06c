//! One fixture: its file, the request it sends, and everything that is looked at afterwards.
//!
//! A name of a header stands beside its value, in the order in which they are sent; a value that is no text is `{"base64": "…"}`. The
//! record's members are all named, so that one which appears from nowhere is seen; what follows from the payload is for the reader of
//! archives to check.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use persistor_tests::archive::Archive;
use persistor_tests::http::{Answer, Request, header};
use persistor_tests::program::Setup;
use persistor_tests::{pusher, scratch};
use serde::Deserialize;
use serde_json::{Value, json};

/// What fixtures have in payloads, attribute names and attribute values that must not be told.
pub(crate) const SECRET: &str = "persistor-secret";
/// The same at the beginning of a payload, as far as its base64 does not depend on what follows.
const SECRET_BASE64: &str = "cGVyc2lzdG9yLXNlY3Jl";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fixture {
    #[serde(skip)]
    pub(crate) name: String,
    pub(crate) origin: String,
    pub(crate) mode: String,
    /// Settings beside the mode.
    #[serde(default)]
    settings: BTreeMap<String, String>,
    pub(crate) request: Sent,
    pub(crate) expect: Expected,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sent {
    method: String,
    path: String,
    headers: Vec<(String, HeaderText)>,
    body: Option<String>,
    body_base64: Option<String>,
    /// Send the body in chunks of so many bytes, without its length.
    chunked: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum HeaderText {
    Text(String),
    Bytes { base64: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    status: u16,
    /// The refusal's name; none where the push is acknowledged.
    pub(crate) error: Option<String>,
    /// The id that the log has; none where it was not legible.
    message_id: Option<String>,
    /// A part of the reason, where it has to be of help.
    reason: Option<String>,
    /// The methods that the reply offers.
    allow: Option<String>,
    record: Option<BTreeMap<String, Value>>,
    payload_base64: Option<String>,
}

/// All fixtures, by name.
pub(crate) fn all() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/push");
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("list").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no fixtures");
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).expect("read a fixture");
        let mut fixture: Fixture = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        fixture.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        fixture
    };
    paths.iter().map(read).collect()
}

impl Sent {
    pub(crate) fn body(&self) -> Bytes {
        match (&self.body, &self.body_base64) {
            (Some(text), None) => text.clone().into(),
            (None, Some(base64)) => STANDARD.decode(base64).expect("base64").into(),
            _ => panic!("a request has one body"),
        }
    }

    fn request(&self) -> Request {
        let bytes = |value: &HeaderText| match value {
            HeaderText::Text(text) => text.clone().into_bytes(),
            HeaderText::Bytes { base64 } => STANDARD.decode(base64).expect("base64"),
        };
        Request {
            method: self.method.clone(),
            path: self.path.clone(),
            headers: self.headers.iter().map(|(name, value)| (name.clone(), bytes(value))).collect(),
            body: self.body(),
            chunked: self.chunked,
        }
    }
}

impl Fixture {
    /// Whether anything in the request could betray itself.
    pub(crate) fn carries_secret(&self) -> bool {
        let request = self.request.request();
        let names = request.headers.iter().flat_map(|(name, value)| [name.as_bytes(), value]);
        names.chain([&*request.body]).any(|bytes| tells(&String::from_utf8_lossy(bytes)))
    }

    /// Sends it to a new program with an empty archive, and says what is not as it should be.
    pub(crate) fn faults(&self) -> Vec<String> {
        let folder = scratch::folder();
        let root = folder.path().join("archive");
        let mut setup = Setup::gcp_function(&root).set("PERSISTOR_PUSH", &self.mode);
        // The finest level: not even there may anything be told.
        setup = setup.set("PERSISTOR_LOG", "trace");
        for (name, value) in &self.settings {
            setup = setup.set(name, value);
        }
        let mut program = setup.start();
        let answer = pusher::send(program.port(), &self.request.request());
        program.terminate();
        let status = program.wait();

        let mut faults = Vec::new();
        if status.code() != Some(0) {
            faults.push(format!("the program ended with {status}"));
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                faults.push(format!("no reply: {error}"));
                return faults;
            }
        };
        if answer.status != self.expect.status {
            faults.push(format!("status {}, not {}: {:?}", answer.status, self.expect.status, answer.body));
        }
        let said = [program.logs().lines(), program.errors().lines()].concat();
        let reply = answer.headers.iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        let reply = reply.chain([String::from_utf8_lossy(&answer.body).into_owned()]);
        faults.extend(said.into_iter().chain(reply).filter(|line| tells(line)).map(|line| format!("it tells: {line}")));

        let archive = Archive::read(&root);
        faults.extend(archive.faults.iter().cloned());
        faults.extend(archive.lone_records.iter().map(|record| format!("a record without its payload: {record}")));
        match &self.expect.error {
            None => self.accepted(&answer, &archive, &mut faults),
            Some(error) => self.refused(error, &answer, &archive, &mut faults),
        }
        let lines = program.logs().entries();
        // What is said before it listens is about settings.
        let since = lines.iter().skip_while(|line| line["message"] != "listening");
        let raised: Vec<_> = since.filter(|line| line["severity"] == "WARNING" || line["severity"] == "ERROR").collect();
        match (&self.expect.error, &raised[..]) {
            (None, []) => {}
            (Some(error), [line]) => {
                let reason = line["reason"].as_str().is_some_and(|reason| !reason.is_empty());
                if line["error"] != **error || line["message_id"] != json!(self.expect.message_id) || !reason {
                    faults.push(format!("it logged {line}"));
                }
            }
            _ => faults.push(format!("it logged {raised:?}")),
        }
        faults
    }

    fn accepted(&self, answer: &Answer, archive: &Archive, faults: &mut Vec<String>) {
        let expected = self.expect.record.as_ref().expect("an accepted fixture has a record");
        let members: Vec<_> = expected.keys().map(String::as_str).collect();
        assert_eq!(
            members,
            ["attributes", "entity", "fidelity", "id", "properties", "publish_time", "stream"],
            "{} leaves a member out",
            self.name
        );
        if !answer.body.is_empty() {
            faults.push(format!("the reply has a body: {:?}", answer.body));
        }
        let mut stored = archive.messages.values();
        let (Some(stored), None) = (stored.next(), stored.next()) else {
            faults.push(format!("{} messages are stored", archive.messages.len()));
            return;
        };
        let payload = STANDARD.decode(self.expect.payload_base64.as_ref().expect("it has a payload")).expect("base64");
        if stored.payload() != payload {
            faults.push("the payload is another".to_owned());
        }
        for (member, expected) in expected {
            if stored.member(member) != expected {
                faults.push(format!("the {member} is {}, not {expected}", stored.member(member)));
            }
        }
    }

    fn refused(&self, error: &str, answer: &Answer, archive: &Archive, faults: &mut Vec<String>) {
        if !archive.messages.is_empty() {
            faults.push("something is stored".to_owned());
        }
        let body: BTreeMap<String, String> = serde_json::from_slice(&answer.body).unwrap_or_default();
        let reason = body.get("reason").map(String::as_str).unwrap_or_default();
        let helps = self.expect.reason.as_deref().is_none_or(|part| reason.contains(part));
        if body.get("error").map(String::as_str) != Some(error) || reason.is_empty() || !helps || body.len() != 2 {
            faults.push(format!("it replied {:?}", answer.body));
        }
        if header(&answer.headers, "content-type") != Some("application/json") {
            faults.push("the reply does not say that it is JSON".to_owned());
        }
        if header(&answer.headers, "allow") != self.expect.allow.as_deref() {
            faults.push(format!("the reply's headers are {:?}", answer.headers));
        }
    }
}

/// Whether a text gives away what must not be told.
pub(crate) fn tells(text: &str) -> bool {
    text.to_ascii_lowercase().contains(SECRET) || text.contains(SECRET_BASE64)
}
