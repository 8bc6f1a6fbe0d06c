//! fake-gcs-server, an emulator of Cloud Storage, as a process of the test's own; and what stands in it, seen over its JSON API without
//! any client of Google's.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde::Deserialize;
use tempfile::TempDir;

use crate::http::{Answer, Connection, Request};
use crate::program::signal;
use crate::{ports, scratch, tools, waiting};

/// A running emulator; dropped, it ends, and all it kept is gone.
#[derive(Debug)]
pub struct FakeStorage {
    child: Child,
    port: u16,
    connection: Mutex<Option<Connection>>,
    _folder: Option<TempDir>,
}

/// One object, as a listing shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    pub name: String,
    pub size: String,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    pub custom_time: Option<String>,
    pub content_encoding: Option<String>,
    /// Base64 of its four bytes.
    pub crc32c: String,
    /// Another one each time an object of this name is made.
    pub generation: String,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    items: Vec<Object>,
    #[serde(rename = "nextPageToken")]
    next: Option<String>,
}

impl FakeStorage {
    /// Starts one that keeps all in memory, or a skip. Each of its calls takes longer the more it keeps.
    pub fn start() -> Option<Self> {
        Self::start_with(None)
    }

    /// Starts one that keeps all in a folder of its own, for many objects; or a skip.
    pub fn start_on_disk() -> Option<Self> {
        Self::start_with(Some(scratch::folder()))
    }

    fn start_with(folder: Option<TempDir>) -> Option<Self> {
        let program = tools::fake_gcs_server()?;
        let port = ports::free();
        let mut command = Command::new(program);
        command.args(["-scheme", "http", "-host", "127.0.0.1", "-log-level", "error"]).arg("-port").arg(port.to_string());
        match &folder {
            None => command.args(["-backend", "memory"]),
            Some(folder) => command.args(["-backend", "filesystem", "-filesystem-root"]).arg(folder.path()),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("fake-gcs-server starts");
        let mut fake = Self { child, port, connection: Mutex::default(), _folder: folder };
        waiting::until("fake-gcs-server to answer", || {
            let status = fake.child.try_wait().expect("our own child can be waited for");
            assert!(status.is_none(), "fake-gcs-server ended: {status:?}");
            let answer = Connection::open(port).and_then(|mut connection| connection.exchange(&Request::get("/storage/v1/b")));
            answer.ok().filter(|answer| answer.status == 200)
        });
        Some(fake)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops the process where it is, until it may go on.
    pub fn pause(&self) {
        signal(&self.child, Signal::STOP);
    }

    pub fn go_on(&self) {
        signal(&self.child, Signal::CONT);
    }

    /// For `STORAGE_EMULATOR_HOST`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn create_bucket(&self, name: &str) {
        let body = serde_json::json!({ "name": name }).to_string();
        let answer = self.exchange(&Request::post("/storage/v1/b", body).header("Content-Type", "application/json"));
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// All objects whose names begin with `prefix`, in the order of their names.
    pub fn objects(&self, bucket: &str, prefix: &str) -> Vec<Object> {
        let (mut objects, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("/storage/v1/b/{bucket}/o?prefix={}&pageToken={}", encode(prefix), encode(&token));
            let answer = self.exchange(&Request::get(&path));
            assert_eq!(answer.status, 200, "{path}");
            let page: Page = serde_json::from_slice(&answer.body).expect("a page");
            objects.extend(page.items);
            match page.next {
                Some(next) => token = next,
                None => return objects,
            }
        }
    }

    pub fn content(&self, bucket: &str, name: &str) -> Vec<u8> {
        let answer = self.exchange(&Request::get(&format!("/storage/v1/b/{bucket}/o/{}?alt=media", encode(name))));
        assert_eq!(answer.status, 200, "{name}");
        answer.body.to_vec()
    }

    /// Makes or replaces an object as somebody else would.
    pub fn put(&self, bucket: &str, name: &str, metadata: &serde_json::Value, content: &[u8]) {
        let mut body = format!(
            "--cut\r\nContent-Type: application/json\r\n\r\n{metadata}\r\n--cut\r\nContent-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n--cut--\r\n");
        let path = format!("/upload/storage/v1/b/{bucket}/o?uploadType=multipart&name={}", encode(name));
        let answer = self.exchange(&Request::post(&path, body).header("Content-Type", "multipart/related; boundary=cut"));
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// Over one connection, for as long as it lives.
    fn exchange(&self, request: &Request) -> Answer {
        let mut kept = self.connection.lock().expect("no thread panics with it");
        let mut connection = match kept.take() {
            Some(connection) if connection.is_open() => connection,
            _ => Connection::open(self.port).expect("fake-gcs-server listens"),
        };
        let answer = connection.exchange(request).expect("fake-gcs-server answers");
        *kept = Some(connection);
        answer
    }
}

impl Object {
    /// Whether its CRC32C is that of these bytes.
    pub fn is_of(&self, content: &[u8]) -> bool {
        self.crc32c == STANDARD.encode(crc32c::crc32c(content).to_be_bytes())
    }
}

impl Drop for FakeStorage {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A name as it stands in a URL.
fn encode(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
