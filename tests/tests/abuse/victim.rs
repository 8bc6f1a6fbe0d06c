//! The function under attack: a program of its own, with limits small enough that what goes beyond them shows, and the account of what it must
//! have stored in the end.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use persistor_tests::archive::Archive;
use persistor_tests::function_app::FunctionApp;
use persistor_tests::http::Request;
use persistor_tests::invocation::{Binding, Cardinality};
use persistor_tests::program::{Program, Setup};
use persistor_tests::push::Push;
use persistor_tests::{programs, scratch};
use tempfile::TempDir;

const MIB: u64 = 1 << 20;
/// What the program may have in flight.
const MEMORY: u64 = 64 * MIB;
/// What it may hold beside that.
const BESIDE: u64 = 64 * MIB;
/// The largest body it takes.
pub(crate) const MAX_BODY: usize = 16 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Gcp,
    Azure,
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gcp => "pubsub",
            Self::Azure => "azure",
        })
    }
}

/// A running function with its archive.
pub(crate) struct Victim {
    pub(crate) function: Function,
    program: Program,
    folder: TempDir,
    /// The app's folder has to stay while the program runs.
    _app: Option<FunctionApp>,
    /// Ids of messages that were acknowledged.
    taken: Mutex<BTreeSet<String>>,
    /// Ids of messages that nobody waited to hear of.
    unknown: Mutex<BTreeSet<String>>,
}

impl Victim {
    /// Starts one; `files` is the most file descriptors that the system lets it have.
    pub(crate) fn start(function: Function, files: Option<usize>) -> Self {
        let folder = scratch::folder_in_memory();
        let archive = folder.path().join("archive");
        let (setup, app) = match (function, files) {
            (Function::Gcp, None) => (Setup::gcp_function(&archive), None),
            // It is given the program to run, and becomes it.
            (Function::Gcp, Some(files)) => {
                let limit = Setup::new("prlimit".into()).argument(format!("--nofile={files}")).argument(programs::gcp_function());
                (limit.set("PORT", "0").set("PERSISTOR_ARCHIVE", &archive), None)
            }
            (Function::Azure, _) => {
                let app = FunctionApp::with(&[Binding::queue("Orders", "orders", Cardinality::One)]);
                (app.setup(&archive), Some(app))
            }
        };
        let setup = setup.set("PERSISTOR_MEMORY", MEMORY.to_string()).set("PERSISTOR_MAX_BODY", MAX_BODY.to_string());
        let program = setup.set("PERSISTOR_LOG", "trace").start();
        let (taken, unknown) = (Mutex::default(), Mutex::default());
        Self { function, program, folder, _app: app, taken, unknown }
    }

    pub(crate) fn port(&self) -> u16 {
        self.program.port()
    }

    /// Where messages go.
    pub(crate) fn path(&self) -> &'static str {
        match self.function {
            Function::Gcp => "/orders",
            Function::Azure => "/Orders",
        }
    }

    /// The status of an acknowledgement.
    pub(crate) fn yes(&self) -> u16 {
        match self.function {
            Function::Gcp => 204,
            Function::Azure => 200,
        }
    }

    /// One status or the other, by the function.
    pub(crate) fn either(&self, gcp: u16, azure: u16) -> u16 {
        if self.function == Function::Gcp { gcp } else { azure }
    }

    /// A proper request with the message of that id.
    pub(crate) fn request(&self, id: &str) -> Request {
        match self.function {
            Function::Gcp => Push::new(id, payload(id)).request(),
            Function::Azure => Request::post(self.path(), azure_body(id, "{}")).header("Content-Type", "application/json"),
        }
    }

    /// Its body.
    pub(crate) fn body(&self, id: &str) -> Vec<u8> {
        self.request(id).body.to_vec()
    }

    /// The same over the wire.
    pub(crate) fn wire(&self, id: &str) -> Vec<u8> {
        self.request(id).wire()
    }

    /// A body with that JSON where a message's attributes are, and one with that where nothing is looked for.
    pub(crate) fn body_with(&self, id: &str, attributes: &str, other: &str) -> String {
        match self.function {
            Function::Gcp => format!(
                r#"{{"message":{{"data":"","messageId":"{id}","publishTime":"2026-11-22T15:40:12Z","attributes":{attributes}}},"subscription":"projects/p/subscriptions/s","other":{other}}}"#
            ),
            Function::Azure => {
                let body = azure_body(id, attributes);
                format!(r#"{},"Other":{other}}}"#, &body[..body.len() - 1])
            }
        }
    }

    /// A message was acknowledged, so that it has to be stored.
    pub(crate) fn was_taken(&self, id: impl Into<String>) {
        self.taken.lock().expect("no thread panics with it").insert(id.into());
    }

    /// A whole message was sent, and nobody waited for the answer.
    pub(crate) fn may_be_taken(&self, id: impl Into<String>) {
        self.unknown.lock().expect("no thread panics with it").insert(id.into());
    }

    /// How many requests it has in service or waits for, by its open sockets.
    pub(crate) fn open_sockets(&self) -> usize {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.program.pid())).expect("it runs");
        let target = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
        entries.filter_map(target).filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    /// Ends it: it must still be there, within its memory, without a panic, and must hold what it acknowledged and nothing else. Gives its peak memory
    /// in bytes.
    pub(crate) fn end(mut self, attack: &str) -> u64 {
        assert!(self.program.status().is_none(), "{attack}: the program has ended");
        let peak = self.program.peak_memory();
        assert!(peak <= MEMORY + BESIDE, "{attack}: {peak} B of {} B", MEMORY + BESIDE);
        self.program.terminate();
        let expected = if self.function == Function::Gcp { 0 } else { 200 };
        assert_eq!(self.program.wait().code(), Some(expected), "{attack}");
        let said = [self.program.logs().lines(), self.program.errors().lines()].concat();
        let panic = said.iter().find(|line| line.contains("panic"));
        assert_eq!(panic, None, "{attack}");

        let archive = Archive::read_sound(&self.folder.path().join("archive"));
        let taken = self.taken.get_mut().expect("no thread panics with it");
        let unknown = self.unknown.get_mut().expect("no thread panics with it");
        let mut stored = BTreeSet::new();
        for (key, message) in &archive.messages {
            // A Service Bus message's id has the broker's number before it.
            let whole = message.text("id");
            let id = if self.function == Function::Gcp { whole } else { whole.split_once('-').map_or(whole, |(_, id)| id) };
            assert!(taken.contains(id) || unknown.contains(id), "{attack}: nobody sent {key} as a message that is taken");
            assert!(message.payload() == payload(id).as_bytes() || message.payload().is_empty(), "{attack}: {key} is altered");
            stored.insert(id.to_owned());
        }
        let lost: Vec<_> = taken.difference(&stored).collect();
        assert!(lost.is_empty(), "{attack}: acknowledged and not stored: {lost:?}");
        assert!(archive.rejected.is_empty() && archive.lone_records.len() <= unknown.len(), "{attack}");
        peak
    }
}

fn payload(id: &str) -> String {
    format!("the payload of {id}")
}

fn azure_body(id: &str, properties: &str) -> String {
    let data = STANDARD.encode(payload(id));
    format!(
        r#"{{"Data":{{"message":"{data}"}},"Metadata":{{"SequenceNumber":"1","MessageId":"\"{id}\"","EnqueuedTimeUtc":"2026-11-22T05:50:40","ApplicationProperties":{properties}}}}}"#
    )
}
