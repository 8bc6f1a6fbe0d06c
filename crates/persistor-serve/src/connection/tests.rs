//! The limits of a connection, over an in-memory pipe under tokio's paused time.

use super::*;
use crate::places::Places;
use axum::extract::Request as AxumRequest;
use axum::routing::{any, get, post};
use http_body_util::BodyExt as _;
use hyper_util::server::graceful::GracefulShutdown;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

async fn header_count(request: AxumRequest) -> String {
    request.headers().len().to_string()
}

async fn body_length(request: AxumRequest) -> String {
    let body = request.into_body().collect().await.expect("a whole body");
    body.to_bytes().len().to_string()
}

async fn never() {
    std::future::pending::<()>().await;
}

/// A megabyte of reply, more than any buffer here takes.
async fn large() -> Vec<u8> {
    vec![b'x'; 1 << 20]
}

struct Peer {
    stream: DuplexStream,
    served: JoinHandle<()>,
    requests: Requests,
}

impl Peer {
    fn new(limits: Limits) -> Self {
        let app = Router::new()
            .route("/", any(header_count))
            .route("/length", post(body_length))
            .route("/slow", get(async || sleep(Duration::from_secs(3600)).await))
            .route("/never", get(never))
            .route("/large", get(large));
        let (stream, other) = duplex(64 * 1024);
        let requests = Requests::default();
        let graceful = GracefulShutdown::new();
        let watcher = graceful.watcher();
        let for_task = requests.clone();
        let served = tokio::spawn(async move {
            let place = Places::new(1).take().await;
            serve_connection(other, place, app, for_task, limits, watcher).await;
            // Until here, since its end is a shutdown to the watcher.
            drop(graceful);
        });
        Self { stream, served, requests }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("an open connection");
    }

    /// One reply's status and head; its body is read too.
    async fn reply(&mut self) -> (u16, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.expect("a reply"));
        }
        let head = String::from_utf8(head).expect("heads are text");
        let status = head[9..12].parse().expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.expect("a body");
        (status, String::from_utf8_lossy(&body).into_owned() + &head)
    }

    /// The bytes up to the end of the connection, and when it came.
    async fn end(&mut self) -> (Vec<u8>, Instant) {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).await.expect("an end");
        (bytes, Instant::now())
    }
}

#[tokio::test(start_paused = true)]
async fn idle_between_requests_lives_ten_minutes() {
    let mut peer = Peer::new(Limits::default());
    for _ in 0..3 {
        sleep(Duration::from_secs(600)).await;
        peer.send(GET).await;
        assert_eq!(peer.reply().await.0, 200);
    }
    let start = Instant::now();
    let (rest, end) = peer.end().await;
    assert!(rest.is_empty());
    assert_eq!((end - start).as_secs(), 660, "but not for ever");
}

#[tokio::test(start_paused = true)]
async fn a_head_has_ten_seconds_from_its_first_byte() {
    let mut peer = Peer::new(Limits::default());
    for round in 0..2 {
        if round == 1 {
            peer.send(GET).await;
            assert_eq!(peer.reply().await.0, 200, "the first head was in time");
            break;
        }
        // A head in two pieces that are within the limit.
        peer.send(&GET[..5]).await;
        sleep(Duration::from_secs(9)).await;
        peer.send(&GET[5..]).await;
        assert_eq!(peer.reply().await.0, 200);
        sleep(Duration::from_secs(300)).await;
    }
    sleep(Duration::from_secs(300)).await;
    let first_byte = Instant::now();
    let (mut reader, mut writer) = tokio::io::split(peer.stream);
    let trickle = tokio::spawn(async move {
        // A byte each second does not buy more time.
        for byte in GET.iter().take(20) {
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
    });
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).await.expect("an end");
    assert_eq!(first_byte.elapsed().as_secs(), 10);
    assert!(rest.is_empty());
    trickle.abort();
}

#[tokio::test(start_paused = true)]
async fn line_ends_between_requests_begin_no_head() {
    let mut peer = Peer::new(Limits::default());
    peer.send(GET).await;
    peer.reply().await;
    peer.send(b"\r\n").await;
    sleep(Duration::from_secs(600)).await;
    peer.send(GET).await;
    assert_eq!(peer.reply().await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_itself_has_no_limit_here() {
    let mut peer = Peer::new(Limits::default());
    peer.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(peer.reply().await.0, 200);
    // The idle time begins with the reply, not with the request.
    sleep(Duration::from_secs(600)).await;
    peer.send(GET).await;
    assert_eq!(peer.reply().await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn requests_in_one_piece_are_all_answered() {
    let mut peer = Peer::new(Limits::default());
    peer.send(&GET.repeat(3)).await;
    for _ in 0..3 {
        assert_eq!(peer.reply().await.0, 200);
    }
    sleep(Duration::from_secs(600)).await;
    peer.send(GET).await;
    assert_eq!(peer.reply().await.0, 200);
}

fn head_with(count: usize, value: usize) -> Vec<u8> {
    let mut head = b"GET / HTTP/1.1\r\nhost: x\r\n".to_vec();
    for n in 0..count {
        head.extend(format!("x-attribute-{n}: {}\r\n", "v".repeat(value)).bytes());
    }
    head.extend(b"\r\n");
    head
}

#[tokio::test(start_paused = true)]
async fn a_hundred_large_attributes_pass_and_end_the_connection() {
    let limits = Limits::default();
    let mut peer = Peer::new(limits.clone());
    peer.send(&head_with(110, 1300)).await;
    let (status, text) = peer.reply().await;
    assert_eq!(status, 200);
    assert!(text.starts_with("111"), "{text}");
    assert!(text.contains("connection: close"), "{text}");
    assert!(peer.end().await.0.is_empty());
    peer.served.await.expect("no panic");
    assert_eq!(limits.large_heads.available_permits(), 64);
}

#[tokio::test(start_paused = true)]
async fn an_ordinary_head_keeps_the_connection() {
    let mut peer = Peer::new(Limits::default());
    peer.send(&head_with(100, 100)).await;
    assert!(!peer.reply().await.1.contains("connection: close"));
}

#[tokio::test(start_paused = true)]
async fn large_heads_wait_for_their_room_but_not_for_ever() {
    let limits = Limits { large_heads: Arc::new(Semaphore::new(1)), ..Limits::default() };
    let room = Arc::clone(&limits.large_heads);
    let taken = room.acquire_owned().await.expect("never closed");
    let head = head_with(100, 500);
    let mut refused = Peer::new(limits.clone());
    refused.send(&head).await;
    let start = Instant::now();
    let (reply, end) = refused.end().await;
    assert!(reply.is_empty());
    assert_eq!((end - start).as_secs(), 10);
    let mut waits = Peer::new(limits);
    waits.send(&head).await;
    sleep(Duration::from_secs(5)).await;
    drop(taken);
    assert_eq!(waits.reply().await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_head_too_large_is_431() {
    for head in [head_with(300, 1), head_with(200, 2_000)] {
        let peer = Peer::new(Limits::default());
        let (mut reader, mut writer) = tokio::io::split(peer.stream);
        let writing = tokio::spawn(async move { writer.write_all(&head).await });
        let mut status = [0; 12];
        reader.read_exact(&mut status).await.expect("a reply");
        assert_eq!(&status, b"HTTP/1.1 431");
        peer.served.abort();
        writing.abort();
        peer.requests.drain();
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_cut() {
    let mut peer = Peer::new(Limits::default());
    peer.send(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let start = Instant::now();
    peer.served.await.expect("no panic");
    assert_eq!(start.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_an_unread_body_arrives_before_the_end() {
    let mut peer = Peer::new(Limits::default());
    // The route takes no body; what is sent of it must not turn the reply into a broken pipe.
    peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n").await;
    let (mut reader, mut writer) = tokio::io::split(peer.stream);
    let writing = tokio::spawn(async move { writer.write_all(&[0; 1_000_000]).await });
    let mut status = [0; 12];
    reader.read_exact(&mut status).await.expect("a reply");
    assert_eq!(&status, b"HTTP/1.1 200");
    writing.await.expect("no panic").expect("all could be sent");
}

#[tokio::test(start_paused = true)]
async fn a_read_body_does_not_linger() {
    let mut peer = Peer::new(Limits::default());
    peer.send(b"POST /length HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello").await;
    let start = Instant::now();
    let (status, text) = peer.reply().await;
    assert_eq!(status, 200);
    assert!(text.starts_with('5'), "{text}");
    peer.served.await.expect("no panic");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_request_is_counted_by_its_reply() {
    let mut answered = Peer::new(Limits::default());
    answered.requests.drain();
    answered.send(GET).await;
    answered.reply().await;
    answered.send(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(answered.requests.drained().finished, 2);
    assert_eq!(answered.requests.drained().cut, 0);

    let mut gone = Peer::new(Limits::default());
    gone.requests.drain();
    gone.send(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await;
    sleep(Duration::from_secs(1)).await;
    drop(gone.stream);
    gone.served.await.expect("no panic");
    assert_eq!(gone.requests.drained().cut, 1);
}
