//! A service in this process that answers what a test says, and keeps what it was asked. For answers that no emulator gives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Access, ContainerLocation, ContainerStore, Endpoint, SasToken};

pub(crate) const SIGNATURE: &str = "c2VjcmV0LXNpZ25hdHVyZQ%3D%3D";

/// A request: its first line, and its headers with lower-case names, each on a line.
#[derive(Clone, Debug)]
pub(crate) struct Asked(pub(crate) String);

impl Asked {
    pub(crate) fn method(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// A parameter of its query, percent-decoded no further than a slash.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let target = self.0.split(' ').nth(1)?;
        let (_, query) = target.split_once('?')?;
        query.split('&').find_map(|pair| Some(pair.strip_prefix(name)?.strip_prefix('=')?.replace("%2F", "/")))
    }
}

/// An answer: the status, headers that each end with a line break, and the body.
pub(crate) type Answer = (u16, String, Vec<u8>);

pub(crate) fn refusal(status: u16, code: &str) -> Answer {
    (status, format!("x-ms-error-code: {code}\r\n"), Vec::new())
}

pub(crate) struct Responder {
    pub(crate) store: ContainerStore,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Responder {
    /// Answers the requests one after the other; a SAS gives access to the archive `az://acme/archive/p/`.
    pub(crate) async fn start(mut answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(request) = read(&mut stream).await else { continue };
                let (status, headers, body) = answer(&request);
                let length = if headers.contains("content-length") {
                    String::new()
                } else {
                    format!("content-length: {}\r\n", body.len())
                };
                let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{length}{headers}\r\n");
                kept.lock().expect("not poisoned").push(request.clone());
                let _ = stream.write_all(head.as_bytes()).await;
                if request.method() != "HEAD" {
                    let _ = stream.write_all(&body).await;
                }
                let _ = stream.shutdown().await;
            }
        });
        Self { store: store(&format!("http://{address}/acme"), Duration::from_secs(8)), asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

pub(crate) fn store(endpoint: &str, time_limit: Duration) -> ContainerStore {
    let access = Access {
        endpoint: Some(Endpoint::parse(endpoint).expect("an endpoint")),
        sas: Some(SasToken::parse(&format!("sv=2026-04-06&sp=rcl&sig={SIGNATURE}")).expect("a SAS")),
        ..Access::default()
    };
    ContainerStore::new(ContainerLocation::parse("acme/archive/p").expect("a location"), access, time_limit)
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let asked = Asked(String::from_utf8_lossy(&bytes[..end]).replace("\r\n", "\n"));
    let length: usize = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(asked)
}
