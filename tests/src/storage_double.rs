//! A double of Cloud Storage for what no emulator does: it lets blobs be created and refuses all else, as an identity with create rights only meets it, and
//! answers as a test tells it to. What it answers is in `tests/fixtures/storage`, each with its origin.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http::{Answer, Connection, Request, header};

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// `{bucket}`, `{name}` and `{size}` stand for what the request is about.
    pub body: String,
}

impl Reply {
    /// The one in `tests/fixtures/storage/NAME`.
    ///
    /// # Panics
    /// If there is none.
    pub fn fixture(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/storage").join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (status, body) = text.split_once('\n').expect("a status and a body");
        Self { status: status.parse().expect("a status"), body: body.to_owned() }
    }

    /// As it goes over the wire.
    pub fn answer(&self) -> Answer {
        let kind = if self.body.starts_with('{') { "application/json; charset=UTF-8" } else { "text/html; charset=UTF-8" };
        let headers = vec![
            ("Content-Type".to_owned(), kind.as_bytes().to_vec()),
            ("Content-Length".to_owned(), self.body.len().to_string().into_bytes()),
        ];
        Answer { status: self.status, headers, body: self.body.clone().into() }
    }
}

/// A create that came.
#[derive(Clone, Debug)]
pub struct Create {
    pub name: String,
    pub if_generation_match: Option<String>,
    /// The first part of the body.
    pub metadata: Value,
    pub content: Vec<u8>,
    pub authorization: Option<String>,
    /// What it was answered.
    pub status: u16,
}

/// The running double; it ends with the test's process.
#[derive(Clone, Debug)]
pub struct StorageDouble {
    address: SocketAddr,
    bucket: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    exists: Reply,
    /// The answer to so many creates, and whether these are stored first.
    next: Option<(usize, Reply, bool)>,
    creates: Vec<Create>,
    forbidden: Vec<String>,
    objects: BTreeMap<String, Vec<u8>>,
}

impl StorageDouble {
    /// Starts one that has this bucket.
    pub fn start(bucket: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let state = State {
            exists: Reply::fixture("412-condition-not-met"),
            next: None,
            creates: Vec::new(),
            forbidden: Vec::new(),
            objects: BTreeMap::new(),
        };
        let double = Self {
            address: listener.local_addr().expect("it is bound"),
            bucket: bucket.to_owned(),
            state: Arc::new(Mutex::new(state)),
        };
        let for_thread = double.clone();
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let double = for_thread.clone();
                // A connection that breaks is the client's affair.
                thread::spawn(move || double.serve(stream).ok());
            }
        });
        double
    }

    /// For `STORAGE_EMULATOR_HOST`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What is answered to a create of a name that is taken.
    pub fn when_it_exists(&self, reply: Reply) {
        self.lock().exists = reply;
    }

    /// Answers so to the next creates, which are not stored.
    pub fn next(&self, count: usize, reply: Reply) {
        self.lock().next = Some((count, reply, false));
    }

    /// Answers so to the next creates, which are stored.
    pub fn next_after_storing(&self, count: usize, reply: Reply) {
        self.lock().next = Some((count, reply, true));
    }

    /// Answers as it should again.
    pub fn clear(&self) {
        self.lock().next = None;
    }

    /// Every create, in the order in which they came.
    pub fn creates(&self) -> Vec<Create> {
        self.lock().creates.clone()
    }

    /// Every request that was no create, as method and path.
    pub fn forbidden(&self) -> Vec<String> {
        self.lock().forbidden.clone()
    }

    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.lock().objects.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with it")
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut connection = Connection::over(stream)?;
        while let Some(request) = connection.read_request()? {
            connection.send_answer(&self.answer(&request).answer())?;
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Reply {
        let mut state = self.lock();
        let upload = format!("/upload/storage/v1/b/{}/o?uploadType=multipart&", self.bucket);
        let parts = request.path.strip_prefix(&upload).filter(|_| request.method == "POST").zip(parts(request));
        let Some((query, (metadata, content))) = parts else {
            state.forbidden.push(format!("{} {}", request.method, request.path));
            let listing = request.path.starts_with(&format!("/storage/v1/b/{}/o?", self.bucket));
            return Reply::fixture(if listing { "403-no-list" } else { "403-empty" });
        };
        let query: BTreeMap<_, _> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let name = decode(query.get("name").copied().unwrap_or_default());
        let if_generation_match = query.get("ifGenerationMatch").map(|value| (*value).to_owned());
        let reply = self.create(&mut state, &name, if_generation_match.is_some(), &metadata, &content);
        let authorization = header(&request.headers, "authorization").map(str::to_owned);
        let fill = [("{bucket}", self.bucket.clone()), ("{name}", name.clone()), ("{size}", content.len().to_string())];
        let body = fill.iter().fold(reply.body, |body, (mark, value)| body.replace(mark, value));
        state.creates.push(Create { name, if_generation_match, metadata, content, authorization, status: reply.status });
        Reply { status: reply.status, body }
    }

    fn create(&self, state: &mut State, name: &str, create_only: bool, metadata: &Value, content: &[u8]) -> Reply {
        let crc32c = STANDARD.encode(crc32c::crc32c(content).to_be_bytes());
        if !create_only || metadata["crc32c"] != crc32c.as_str() {
            return Reply::fixture("400-checksum");
        }
        let told = state.next.as_mut().and_then(|(count, reply, stored)| {
            *count = count.checked_sub(1)?;
            Some((reply.clone(), *stored))
        });
        if let Some((reply, false)) = told {
            return reply;
        }
        if state.objects.contains_key(name) {
            return told.map_or_else(|| state.exists.clone(), |(reply, _)| reply);
        }
        state.objects.insert(name.to_owned(), content.to_vec());
        told.map_or_else(
            || {
                let mut object = metadata.clone();
                object["kind"] = json!("storage#object");
                object["bucket"] = json!(self.bucket);
                object["name"] = json!(name);
                object["size"] = json!(content.len().to_string());
                object["generation"] = json!("1795487227167991");
                object["metageneration"] = json!("1");
                Reply { status: 200, body: object.to_string() }
            },
            |(reply, _)| reply,
        )
    }
}

/// The JSON and the bytes of a multipart body of these two parts.
fn parts(request: &Request) -> Option<(Value, Vec<u8>)> {
    let boundary = header(&request.headers, "content-type")?.strip_prefix("multipart/related; boundary=")?;
    let body = &request.body[..];
    let opening = format!("--{boundary}\r\n").into_bytes();
    let between = format!("\r\n--{boundary}\r\n").into_bytes();
    let closing = format!("\r\n--{boundary}--\r\n").into_bytes();
    let rest = body.strip_prefix(&opening[..])?.strip_suffix(&closing[..])?;
    let cut = find(rest, &between)?;
    let part = |bytes: &[u8]| Some(bytes[find(bytes, b"\r\n\r\n")? + 4..].to_vec());
    // A part may have no headers at all.
    let media = &rest[cut + between.len()..];
    let content = media.strip_prefix(b"\r\n").map_or_else(|| part(media), |content| Some(content.to_vec()))?;
    Some((serde_json::from_slice(&part(&rest[..cut])?).ok()?, content))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let escaped = (*byte == b'%').then(|| u8::from_str_radix(std::str::from_utf8(behind.get(..2)?).ok()?, 16).ok()).flatten();
        bytes.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8(bytes).expect("names are ASCII")
}
