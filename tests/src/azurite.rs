//! Azurite, Microsoft's emulator of Blob Storage, as a process of the test's own; and what stands in it, seen over its REST API without any client of Microsoft's.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use sha2::{Digest as _, Sha256};

use crate::http::{Answer, Connection, Request};
use crate::program::signal;
use crate::tools::{self, AzuriteProgram};
use crate::{ports, waiting, xml};

/// The account that every Azurite has, and its key, which is public: <https://learn.microsoft.com/azure/storage/common/storage-use-azurite>.
pub const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// The version of the service that requests of ours ask for.
const VERSION: &str = "2024-08-04";

/// A running emulator; dropped, it ends, and all it kept is gone.
#[derive(Debug)]
pub struct Azurite {
    child: Child,
    port: u16,
    connection: Mutex<Option<Connection>>,
}

/// One blob, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub name: String,
    pub metadata: BTreeMap<String, String>,
    pub content_type: String,
    /// Base64 of its sixteen bytes.
    pub content_md5: String,
    /// Another one each time a blob of this name is made.
    pub etag: String,
}

impl Azurite {
    /// Starts one that keeps all in memory, or a skip.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn start() -> Option<Self> {
        let AzuriteProgram { node, script } = tools::azurite()?;
        let port = ports::free();
        let mut command = Command::new(node);
        command.arg(script).args(["--inMemoryPersistence", "--disableTelemetry", "--silent"]);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut azurite = Self { child: command.spawn().expect("node starts"), port, connection: Mutex::default() };
        waiting::until("Azurite to answer", || {
            let status = azurite.child.try_wait().expect("our own child can be waited for");
            assert!(status.is_none(), "Azurite ended: {status:?}");
            Connection::open(port).and_then(|mut connection| connection.exchange(&Request::get("/"))).ok()
        });
        Some(azurite)
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

    /// For `AZURE_STORAGE_SERVICE_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        endpoint(self.port)
    }

    /// For `AZURE_STORAGE_SAS_TOKEN`: rights such as `c` (create), `rl` (read and list), `racwl`.
    pub fn sas(&self, permissions: &str) -> String {
        sas(permissions)
    }

    /// # Panics
    /// Like all here, if Azurite refuses.
    pub fn create_container(&self, name: &str) {
        let answer = self.ask("PUT", &format!("/{ACCOUNT}/{name}?restype=container"), &[], b"");
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// All blobs whose names begin with `prefix`, in the order of their names.
    pub fn items(&self, container: &str, prefix: &str) -> Vec<Item> {
        let (mut items, mut marker) = (Vec::new(), String::new());
        loop {
            let query =
                format!("restype=container&comp=list&include=metadata&prefix={}&marker={}", encode(prefix), encode(&marker));
            let answer = self.ask("GET", &format!("/{ACCOUNT}/{container}?{query}"), &[], b"");
            assert_eq!(answer.status, 200, "{query}");
            let page = std::str::from_utf8(&answer.body).expect("a page is text");
            items.extend(xml::all(page, "Blob").map(item));
            marker = xml::first(page, "NextMarker").unwrap_or_default();
            if marker.is_empty() {
                return items;
            }
        }
    }

    pub fn content(&self, container: &str, name: &str) -> Vec<u8> {
        let answer = self.ask("GET", &format!("/{ACCOUNT}/{container}/{}", encode(name)), &[], b"");
        assert_eq!(answer.status, 200, "{name}");
        answer.body.to_vec()
    }

    /// Makes or replaces a blob as somebody else would.
    pub fn put(&self, container: &str, name: &str, metadata: &BTreeMap<String, String>, content: &[u8]) {
        let mut headers = vec![
            ("x-ms-blob-type".to_owned(), "BlockBlob".to_owned()),
            ("x-ms-blob-content-type".to_owned(), "application/octet-stream".to_owned()),
        ];
        headers.extend(metadata.iter().map(|(name, value)| (format!("x-ms-meta-{name}"), value.clone())));
        let answer = self.ask("PUT", &format!("/{ACCOUNT}/{container}/{}", encode(name)), &headers, content);
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// With all rights, over one connection for as long as it lives.
    fn ask(&self, method: &str, path: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}{}", sas("racwdl"));
        let request = Request { method: method.to_owned(), ..Request::post(&path, body.to_vec()) };
        let request = headers
            .iter()
            .fold(request.header("x-ms-version", VERSION), |request, (name, value)| request.header(name, value.as_bytes()));
        let mut kept = self.connection.lock().expect("no thread panics with it");
        let mut connection = match kept.take() {
            Some(connection) if connection.is_open() => connection,
            _ => Connection::open(self.port).expect("Azurite listens"),
        };
        let answer = connection.exchange(&request).expect("Azurite answers");
        *kept = Some(connection);
        answer
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The service's address where it, or something before it, listens on a port of this machine.
pub fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}/{ACCOUNT}")
}

/// A signature for the account with these rights to containers and blobs, without `?`:
/// <https://learn.microsoft.com/rest/api/storageservices/create-account-sas>.
pub fn sas(permissions: &str) -> String {
    let (services, types, expiry) = ("b", "sco", "2099-01-01T00:00:00Z");
    let signed = format!("{ACCOUNT}\n{permissions}\n{services}\n{types}\n\n{expiry}\n\nhttps,http\n{VERSION}\n\n");
    let key = STANDARD.decode(KEY).expect("a key");
    let signature = STANDARD.encode(hmac_sha256(&key, signed.as_bytes()));
    format!(
        "sv={VERSION}&ss={services}&srt={types}&sp={permissions}&se={}&spr=https,http&sig={}",
        encode(expiry),
        encode(&signature)
    )
}

/// HMAC-SHA256, of RFC 2104.
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    assert!(key.len() <= BLOCK, "keys are not that long");
    let padded = |with: u8| {
        let mut block = [with; BLOCK];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

fn item(text: &str) -> Item {
    let property = |name: &str| xml::first(text, name).unwrap_or_default();
    let metadata = xml::all(text, "Metadata").next().map(xml::members).unwrap_or_default();
    Item {
        name: property("Name"),
        metadata,
        content_type: property("Content-Type"),
        content_md5: property("Content-MD5"),
        etag: property("Etag"),
    }
}

/// A name as it stands in a URL.
pub(crate) fn encode(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 2 of RFC 4231.
    #[test]
    fn the_signature_is_the_standards() {
        let signature = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
