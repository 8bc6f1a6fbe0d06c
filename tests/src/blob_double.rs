//! A double of Blob Storage for what no emulator does: it lets blobs be created and refuses all else, as an identity with create rights only meets it, and answers as a test
//! tells it to. What it answers is in `tests/fixtures/blob`, each with its origin.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use crate::http::{Answer, Connection, Request, header};

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// What stands in the header `x-ms-error-code`.
    pub code: Option<String>,
    pub body: String,
}

impl Reply {
    /// The one in `tests/fixtures/blob/NAME`: a line with the status, a line with the code, which may be empty, and the body.
    ///
    /// # Panics
    /// If there is none.
    pub fn fixture(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/blob").join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (status, rest) = text.split_once('\n').expect("a status");
        let (code, body) = rest.split_once('\n').expect("a code and a body");
        let code = (!code.is_empty()).then(|| code.to_owned());
        Self { status: status.parse().expect("a status"), code, body: body.to_owned() }
    }

    /// As it goes over the wire.
    pub fn answer(&self) -> Answer {
        let mut headers: Vec<(String, Vec<u8>)> = vec![
            ("Content-Type".to_owned(), b"application/xml".to_vec()),
            ("x-ms-request-id".to_owned(), b"00000000-0000-0000-0000-000000000000".to_vec()),
            ("x-ms-version".to_owned(), b"2026-04-06".to_vec()),
        ];
        headers.extend(self.code.iter().map(|code| ("x-ms-error-code".to_owned(), code.clone().into_bytes())));
        headers.push(("Content-Length".to_owned(), self.body.len().to_string().into_bytes()));
        Answer { status: self.status, headers, body: self.body.clone().into() }
    }
}

/// A create that came.
#[derive(Clone, Debug)]
pub struct Create {
    pub name: String,
    pub headers: BTreeMap<String, String>,
    pub content: Vec<u8>,
    /// What it was answered.
    pub status: u16,
}

/// The running double; it ends with the test's process.
#[derive(Clone, Debug)]
pub struct BlobDouble {
    address: SocketAddr,
    account: String,
    container: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    exists: Reply,
    /// The answer to so many creates, and whether these are stored first.
    next: Option<(usize, Reply, bool)>,
    properties: bool,
    creates: Vec<Create>,
    others: Vec<String>,
    blobs: BTreeMap<String, Vec<u8>>,
}

impl BlobDouble {
    /// Starts one that has this container.
    pub fn start(account: &str, container: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let state = State {
            exists: Reply::fixture("409-blob-already-exists"),
            next: None,
            properties: false,
            creates: Vec::new(),
            others: Vec::new(),
            blobs: BTreeMap::new(),
        };
        let double = Self {
            address: listener.local_addr().expect("it is bound"),
            account: account.to_owned(),
            container: container.to_owned(),
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

    /// For `AZURE_STORAGE_SERVICE_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}/{}", self.address, self.account)
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

    /// Whether a blob's properties may be asked for.
    pub fn allow_properties(&self, allowed: bool) {
        self.lock().properties = allowed;
    }

    /// Every create, in the order in which they came.
    pub fn creates(&self) -> Vec<Create> {
        self.lock().creates.clone()
    }

    /// Every request that was no create, as method and path without its query.
    pub fn others(&self) -> Vec<String> {
        self.lock().others.clone()
    }

    pub fn blobs(&self) -> BTreeMap<String, Vec<u8>> {
        self.lock().blobs.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with it")
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut connection = Connection::over(stream)?;
        while let Some(request) = connection.read_request()? {
            let mut answer = self.answer(&request).answer();
            if request.method == "HEAD" {
                answer.body = "".into();
            }
            connection.send_answer(&answer)?;
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Reply {
        let mut state = self.lock();
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let name = path.strip_prefix(&format!("/{}/{}/", self.account, self.container)).map(decode);
        let whole = !query.split('&').any(|pair| pair.starts_with("comp="));
        match (request.method.as_str(), name) {
            ("PUT", Some(name)) if whole => {
                let reply = create(&mut state, &name, request);
                let headers = request
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_lowercase(), String::from_utf8_lossy(value).into_owned()));
                let (headers, content) = (headers.collect(), request.body.to_vec());
                state.creates.push(Create { name, headers, content, status: reply.status });
                reply
            }
            ("HEAD", Some(name)) if state.properties => {
                state.others.push(format!("HEAD {path}"));
                if state.blobs.contains_key(&name) {
                    Reply { status: 200, code: None, body: String::new() }
                } else {
                    Reply::fixture("404-blob-not-found")
                }
            }
            (method, _) => {
                state.others.push(format!("{method} {path}"));
                Reply::fixture("403-permission-mismatch")
            }
        }
    }
}

fn create(state: &mut State, name: &str, request: &Request) -> Reply {
    let told = state.next.as_mut().and_then(|(count, reply, stored)| {
        *count = count.checked_sub(1)?;
        Some((reply.clone(), *stored))
    });
    if let Some((reply, false)) = told {
        return reply;
    }
    // One that would replace a blob needs more than the right to create.
    if header(&request.headers, "if-none-match") != Some("*") {
        return Reply::fixture("403-permission-mismatch");
    }
    if state.blobs.contains_key(name) {
        return told.map_or_else(|| state.exists.clone(), |(reply, _)| reply);
    }
    state.blobs.insert(name.to_owned(), request.body.to_vec());
    told.map_or_else(|| Reply { status: 201, code: None, body: String::new() }, |(reply, _)| reply)
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
