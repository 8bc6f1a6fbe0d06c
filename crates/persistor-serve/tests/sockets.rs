//! The server over real sockets: readiness, drain, refusals that arrive, and peers that leave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use persistor_serve::{Budget, Decoded, Drained, Intake, Ready, Refusal, catch_panics, health_routes, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Far beyond what any step takes; only a hang reaches it.
const HANG: Duration = Duration::from_secs(60);

struct Server {
    address: SocketAddr,
    ready: Ready,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<Drained>,
    /// A request to `/gate` takes one of these before it replies, and says when it has come.
    gate: Arc<Semaphore>,
    came: Arc<Notify>,
    budget: Budget,
}

impl Server {
    async fn start(drain: Duration) -> Self {
        let (gate, came) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
        let budget = Budget::new(8 << 20);
        let intake = Intake::new(1 << 20, budget.clone());
        let ready = Ready::new();
        let gated = {
            let (gate, came) = (Arc::clone(&gate), Arc::clone(&came));
            async move || {
                came.notify_one();
                gate.acquire().await.expect("never closed").forget();
            }
        };
        let app = Router::new()
            .route("/gate", get(gated))
            .route("/", post(async move |request| length(&intake, request).await))
            .route("/panic", get(panics))
            .merge(health_routes(ready.clone()))
            .layer(catch_panics());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let served = tokio::spawn(serve(listener, app, drain, ready.clone(), shutdown));
        Self { address, ready, stop: Some(stop), served, gate, came, budget }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    /// A connection whose request has reached its handler.
    async fn at_the_gate(&self) -> TcpStream {
        let mut stream = self.connect().await;
        send(&mut stream, b"GET /gate HTTP/1.1\r\nhost: x\r\n\r\n").await;
        self.came.notified().await;
        stream
    }

    fn stop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
    }

    async fn drained(self) -> Drained {
        let drained = timeout(HANG, self.served).await.expect("no hang");
        drained.expect("no panic")
    }
}

async fn length(intake: &Intake, request: Request) -> Response {
    let (head, body) = request.into_parts();
    match intake.read(&head.headers, body, Decoded::Yes).await {
        Ok(held) => held.bytes.len().to_string().into_response(),
        Err(refused) => Refusal::from(refused).into_response(),
    }
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

async fn send(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.expect("an open connection");
}

/// Everything up to the end of the connection, as text.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(HANG, stream.read_to_end(&mut bytes)).await;
    read.expect("no hang").expect("a proper end");
    String::from_utf8(bytes).expect("replies are text here")
}

/// The first bytes of the next reply.
async fn status(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 12];
    let read = timeout(HANG, stream.read_exact(&mut bytes)).await;
    read.expect("no hang").expect("a reply");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn drains_what_is_in_flight_and_closes_the_idle() {
    let mut server = Server::start(HANG).await;
    let mut idle = server.connect().await;
    send(&mut idle, b"GET /health/ready HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(status(&mut idle).await, "HTTP/1.1 200");
    let (mut first, mut second) = (server.at_the_gate().await, server.at_the_gate().await);
    server.stop();
    // The idle connection ends while the others are still in flight.
    rest(&mut idle).await;
    assert!(!server.ready.get());
    assert!(TcpStream::connect(server.address).await.is_err());
    server.gate.add_permits(2);
    for stream in [&mut first, &mut second] {
        let reply = rest(stream).await;
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        assert!(reply.contains("connection: close"), "{reply}");
    }
    let drained = server.drained().await;
    assert_eq!((drained.finished, drained.cut), (2, 0));
}

#[tokio::test]
async fn cuts_what_is_left_when_time_is_up() {
    let mut server = Server::start(Duration::from_millis(300)).await;
    let _stuck = server.at_the_gate().await;
    let mut finishes = server.at_the_gate().await;
    let mut half = server.connect().await;
    send(&mut half, b"GET / HT").await;
    server.stop();
    server.gate.add_permits(1);
    // Which of the two takes the only permit is the semaphore's affair: the one that came first.
    let drained = server.drained().await;
    assert_eq!((drained.finished, drained.cut), (1, 1));
    let mut none = Vec::new();
    let _ = timeout(HANG, finishes.read_to_end(&mut none)).await.expect("no hang");
    assert!(none.is_empty());
}

#[tokio::test]
async fn without_requests_it_ends_at_once() {
    let mut server = Server::start(HANG * 2).await;
    let _idle = server.connect().await;
    server.stop();
    let drained = server.drained().await;
    assert_eq!(drained, Drained::default());
}

#[tokio::test]
async fn a_body_too_large_gets_its_reply() {
    let server = Server::start(HANG).await;
    for length in [(1 << 20) + 1, 64 << 20] {
        let stream = server.connect().await;
        let (mut reader, mut writer) = stream.into_split();
        let writing = tokio::spawn(async move {
            let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
            // The server may close while this still sends.
            let _ = writer.write_all(head.as_bytes()).await;
            let _ = writer.write_all(&vec![0; length]).await;
        });
        let mut reply = [0; 12];
        let read = timeout(HANG, reader.read_exact(&mut reply)).await;
        read.expect("no hang").expect("a reply, not a reset");
        assert_eq!(&reply, b"HTTP/1.1 413");
        writing.await.expect("no panic");
    }
    assert_eq!(server.budget.in_flight(), 0);
}

#[tokio::test]
async fn chunked_bodies_and_many_clients() {
    let server = Server::start(HANG).await;
    let mut clients = Vec::new();
    for n in 0..50 {
        let mut stream = server.connect().await;
        clients.push(tokio::spawn(async move {
            let length = 1_000 * n;
            let body = vec![b'x'; length];
            let head = format!("POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
            let chunked =
                format!("POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n");
            if n % 2 == 0 || n == 0 {
                send(&mut stream, &[head.as_bytes(), &body].concat()).await;
            } else {
                let end = b"\r\n0\r\n\r\n";
                send(&mut stream, &[chunked.as_bytes(), &body, end].concat()).await;
            }
            let reply = rest(&mut stream).await;
            assert!(reply.ends_with(&format!("\r\n\r\n{length}")), "{reply}");
        }));
    }
    for client in clients {
        client.await.expect("no panic");
    }
    assert_eq!(server.budget.in_flight(), 0);
}

#[tokio::test]
async fn a_panic_is_a_reply_and_the_server_lives() {
    let server = Server::start(HANG).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        send(&mut stream, b"GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(status(&mut stream).await, "HTTP/1.1 500");
        stream = server.connect().await;
    }
}

#[tokio::test]
async fn a_peer_that_leaves_gives_its_room_back() {
    let server = Server::start(HANG).await;
    let mut stream = server.connect().await;
    send(&mut stream, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n").await;
    send(&mut stream, &[b'x'; 20_000]).await;
    let settled = async |in_flight: bool| {
        while (server.budget.in_flight() > 0) != in_flight {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(HANG, settled(true)).await.expect("no hang");
    drop(stream);
    timeout(HANG, settled(false)).await.expect("no hang");
}

#[tokio::test]
async fn beyond_the_limit_the_longest_silent_makes_room() {
    let server = Server::start(HANG).await;
    let mut open = Vec::new();
    for _ in 0..1024 {
        open.push(server.connect().await);
    }
    let mut late = server.connect().await;
    send(&mut late, b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(rest(&mut late).await.starts_with("HTTP/1.1 200"));
    // One has gone, and no more.
    rest(&mut open[0]).await;
    let mut second = open.swap_remove(1);
    send(&mut second, b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(status(&mut second).await, "HTTP/1.1 200");
}

#[tokio::test]
async fn beyond_the_limit_who_is_served_is_not_cut() {
    let server = Server::start(HANG).await;
    let mut served = Vec::new();
    for _ in 0..1024 {
        served.push(server.at_the_gate().await);
    }
    let mut late = server.connect().await;
    send(&mut late, b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let early = timeout(Duration::from_millis(300), late.readable()).await;
    assert!(early.is_err(), "no reply while all places are taken");
    server.gate.add_permits(1024);
    assert!(rest(&mut late).await.starts_with("HTTP/1.1 200"));
    for stream in &mut served {
        assert_eq!(status(stream).await, "HTTP/1.1 200");
    }
}
