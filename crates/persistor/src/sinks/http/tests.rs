//! Against servers on this machine that read each request whole, or not, and answer as they are told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use persistor_core::Attribute;
use persistor_recover::Original;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::*;

/// A request as it came: the first line, headers by lower-case name, and the body.
#[derive(Clone, Debug, Default)]
struct Came {
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// What a server does with the requests of a connection.
#[derive(Clone)]
enum Does {
    /// Answers them in turn, and the rest with the last one.
    Answers(Vec<String>),
    /// Reads and says nothing.
    Hangs,
    /// Ends the connection when a request has come.
    Closes,
}

#[derive(Clone)]
struct Server {
    port: u16,
    came: Arc<Mutex<Vec<Came>>>,
    connections: Arc<Mutex<usize>>,
}

impl Server {
    async fn that(does: Does) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let server = Self { port, came: Arc::default(), connections: Arc::default() };
        let for_task = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *for_task.connections.lock().expect("no panic") += 1;
                let (server, does) = (for_task.clone(), does.clone());
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Some(came) = read(&mut stream).await {
                        let number = {
                            let mut all = server.came.lock().expect("no panic");
                            all.push(came);
                            all.len() - 1
                        };
                        match &does {
                            Does::Hangs => std::future::pending().await,
                            Does::Closes => return,
                            Does::Answers(answers) => {
                                let answer = answers.get(number).or(answers.last()).expect("an answer");
                                if stream.write_all(answer.as_bytes()).await.is_err() {
                                    return;
                                }
                            }
                        }
                    }
                });
            }
        });
        server
    }

    async fn answering(statuses: &[u16]) -> Self {
        Self::that(Does::Answers(statuses.iter().map(|status| answer(*status, "secret body")).collect())).await
    }

    fn sink(&self, body: Body) -> Http {
        Http::open(&format!("http://127.0.0.1:{}/some/path?sig=secret", self.port), body, PATIENCE, None).expect("an address")
    }

    fn came(&self) -> Vec<Came> {
        self.came.lock().expect("no panic").clone()
    }
}

fn answer(status: u16, body: &str) -> String {
    let body = if status == 204 { "" } else { body };
    format!("HTTP/1.1 {status} Any\r\nContent-Length: {}\r\nLocation: /elsewhere\r\n\r\n{body}", body.len())
}

async fn read(stream: &mut BufReader<tokio::net::TcpStream>) -> Option<Came> {
    let mut came = Came::default();
    stream.read_line(&mut came.line).await.ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim_end_matches("\r\n").split_once(": ") {
            Some((name, value)) => drop(came.headers.insert(name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    came.body = vec![0; came.headers.get("content-length").map_or(Ok(0), |text| text.parse()).expect("a length")];
    stream.read_exact(&mut came.body).await.ok()?;
    Some(came)
}

fn message(payload: &[u8]) -> Outgoing {
    let attributes = BTreeMap::from([
        ("plain".to_owned(), Attribute::from("v")),
        ("é \"\\\r\n\0".to_owned(), Attribute::from("\u{1F600}\u{7f}")),
        ("n".to_owned(), Attribute::from(7_i32)),
    ]);
    let properties = BTreeMap::from([("content_type".to_owned(), Attribute::from("application/json"))]);
    let original = Original {
        key: "orders/2026/11/22/05/4012-1-2cf2".to_owned(),
        stream: "orders".to_owned(),
        entity: "projects/p/subscriptions/s".to_owned(),
        id: " é\\ ".to_owned(),
        publish_time: "2026-11-22T05:40:12.503Z".to_owned(),
    };
    let ordering_key = Some("customer 7".to_owned());
    Outgoing { payload: Bytes::copy_from_slice(payload), attributes, ordering_key, properties, original }
}

async fn sent(sink: &Http, message: Outgoing) -> Result<String> {
    sink.send(&[message], false).await.pop().expect("a result for each")
}

fn text(error: &Error) -> String {
    let mut text = format!("{error:?} {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn raw_is_the_payload_with_all_else_in_headers() {
    let server = Server::answering(&[204]).await;
    let sink = server.sink(Body::Raw);
    let all: Vec<u8> = (0..=255).collect();
    for payload in [&all[..], b"", &vec![0xff; 10_000_000]] {
        assert_eq!(sent(&sink, message(payload)).await.expect("taken"), "");
        let came = server.came().pop().expect("it came");
        assert!(came.body == payload);
        assert_eq!(came.line, "POST /some/path?sig=secret HTTP/1.1\r\n");
        let header = |name: &str| came.headers.get(name).map(String::as_str);
        assert_eq!(header("content-type"), Some("application/json"));
        assert_eq!(header("persistor-key"), Some("orders/2026/11/22/05/4012-1-2cf2"));
        assert_eq!(header("persistor-stream"), Some("orders"));
        assert_eq!(header("persistor-entity"), Some("projects/p/subscriptions/s"));
        assert_eq!(header("persistor-id"), Some("\\u0020\\u00e9\\\\\\u0020"));
        assert_eq!(header("persistor-publish-time"), Some("2026-11-22T05:40:12.503Z"));
        assert_eq!(header("persistor-ordering-key"), Some("customer 7"));
        let attributes: Value = serde_json::from_str(header("persistor-attributes").expect("there")).expect("JSON");
        assert_eq!(attributes, json!({ "plain": "v", "é \"\\\r\n\0": "\u{1F600}\u{7f}", "n": { "int32": "7" } }));
        assert_eq!(header("persistor-properties"), Some("{\"content_type\":\"application/json\"}"));
    }
    assert_eq!(*server.connections.lock().expect("no panic"), 1, "the connection is kept");
    let bare = Outgoing { payload: Bytes::from_static(b"x"), ..Outgoing::default() };
    sent(&sink, bare).await.expect("taken");
    let came = server.came().pop().expect("it came");
    assert_eq!(came.headers["content-type"], "application/octet-stream");
    assert!(came.headers.keys().all(|name| !name.starts_with("persistor-")), "{came:?}");
}

#[tokio::test]
async fn what_no_header_holds_is_refused_before() {
    let sink = Server::answering(&[204]).await.sink(Body::Raw);
    let mut large = message(b"x");
    assert_eq!(sink.refuses(&large), None);
    large.attributes.insert("long".to_owned(), Attribute::from("secret".repeat(3000)));
    let reason = sink.refuses(&large).expect("too long");
    assert!(reason.contains("bytes of attributes") && !reason.contains("secret"), "{reason}");
    let mut odd = message(b"x");
    odd.properties.insert("content_type".to_owned(), Attribute::from("text/plain\r\nx-injected: 1"));
    sent(&sink, odd).await.expect("its content type stands in the properties only");
}

#[tokio::test]
async fn a_push_is_as_pubsub_sends_it() {
    let server = Server::answering(&[204, 200, 201, 202, 203]).await;
    let sink = server.sink(Body::PubsubPush);
    let mut untyped = message(b"\0\xff");
    untyped.attributes.remove("n");
    sent(&sink, untyped.clone()).await.expect("taken");
    let came = server.came().pop().expect("it came");
    assert_eq!(came.headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&came.body).expect("JSON");
    let expected = json!({
        "message": {
            "data": STANDARD.encode(b"\0\xff"), "messageId": " é\\ ", "message_id": " é\\ ",
            "publishTime": "2026-11-22T05:40:12.503Z", "publish_time": "2026-11-22T05:40:12.503Z", "orderingKey": "customer 7",
            "attributes": { "plain": "v", "é \"\\\r\n\0": "\u{1F600}\u{7f}" },
        },
        "subscription": "projects/p/subscriptions/s",
    });
    assert_eq!(body, expected);
    untyped.original.entity = "namespace/queue".to_owned();
    for _ in [200, 201, 202] {
        sent(&sink, untyped.clone()).await.expect("taken");
    }
    let body: Value = serde_json::from_slice(&server.came().pop().expect("it came").body).expect("JSON");
    assert_eq!(body["subscription"], "projects/persistor/subscriptions/replay");
    let error = sent(&sink, untyped.clone()).await.expect_err("203 is no acknowledgement");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    untyped.original.id.clear();
    assert!(sink.refuses(&untyped).is_some());
}

#[tokio::test]
async fn answers_are_told_apart_and_never_shown() {
    for (status, kind) in [
        (302, ErrorKind::NotFound),
        (400, ErrorKind::Invalid),
        (401, ErrorKind::Denied),
        (404, ErrorKind::NotFound),
        (413, ErrorKind::Invalid),
        (429, ErrorKind::Unavailable),
        (500, ErrorKind::Unavailable),
    ] {
        let server = Server::answering(&[status]).await;
        let error = sent(&server.sink(Body::Raw), message(b"secret")).await.expect_err("not taken");
        assert_eq!(error.kind(), kind, "{status}");
        assert!(error.to_string().contains(&format!("http://127.0.0.1:{}/some/path`: status {status}", server.port)), "{error}");
        assert!(!text(&error).contains("secret"), "{}", text(&error));
        assert_eq!(server.came().len(), 1, "nothing is followed or tried again");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n{}", "x".repeat(200_000));
    let server = Server::that(Does::Answers(vec![endless])).await;
    sent(&server.sink(Body::Raw), message(b"x")).await.expect("its status is enough");
}

#[tokio::test]
async fn servers_that_hang_close_or_are_not_there_are_unavailable() {
    let patience = Duration::from_millis(300);
    for does in [Does::Hangs, Does::Closes] {
        let server = Server::that(does).await;
        let url = format!("http://127.0.0.1:{}/?sig=secret", server.port);
        let sink = Http::open(&url, Body::Raw, patience, None).expect("an address");
        sink.check().await.expect("it can be connected to");
        assert_eq!(server.came().len(), 0, "that was no request");
        let error = sent(&sink, message(b"x")).await.expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!text(&error).contains("secret"), "{}", text(&error));
    }
    let port = TcpListener::bind(("127.0.0.1", 0)).await.and_then(|listener| listener.local_addr()).expect("a port").port();
    let sink = Http::open(&format!("http://127.0.0.1:{port}/?sig=secret"), Body::Raw, PATIENCE, None).expect("an address");
    for error in [sink.check().await.expect_err("closed"), sent(&sink, message(b"x")).await.expect_err("closed")] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().starts_with("connect to `http://127.0.0.1:"), "{error}");
        assert!(!text(&error).contains("secret"), "{}", text(&error));
    }
}

#[tokio::test]
async fn in_order_nothing_goes_behind_one_that_failed() {
    let messages: Vec<_> = (0..5_u8).map(|number| message(&[number])).collect();
    let server = Server::answering(&[204, 204, 500, 204]).await;
    let results = server.sink(Body::Raw).send(&messages, true).await;
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, false, false]);
    let came: Vec<_> = server.came().into_iter().map(|came| came.body).collect();
    assert_eq!(came, [[0], [1], [2]]);
    let server = Server::answering(&[204]).await;
    let results = server.sink(Body::Raw).send(&messages, false).await;
    assert!(results.len() == 5 && results.iter().all(Result::is_ok));
    assert_eq!(server.came().len(), 5);
}

#[tokio::test]
async fn secrets_go_where_nobody_reads_along() {
    let server = Server::answering(&[401]).await;
    let url = format!("http://127.0.0.1:{}/", server.port);
    let sink = Http::open(&url, Body::Raw, PATIENCE, Some("Bearer secret")).expect("this machine");
    let error = sent(&sink, message(b"x")).await.expect_err("refused");
    assert_eq!(server.came()[0].headers["authorization"], "Bearer secret");
    assert!(!text(&error).contains("secret") && !format!("{sink:?} {:?}", sink.authorization).contains("secret"));
    for (url, authorization) in [
        ("http://example.com/", Some("Bearer secret")),
        ("http://localhost.example.com/", Some("Bearer secret")),
        ("https://example.com/", Some("Bearer secret\r\n")),
        ("https://user:secret@example.com/", None),
        ("ftp://example.com/secret", None),
        ("secret", None),
    ] {
        let error = Http::open(url, Body::Raw, PATIENCE, authorization).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
        assert!(!text(&error).contains("secret"), "{}", text(&error));
    }
    for url in ["https://example.com/", "http://[::1]:80/", "http://localhost/", "http://127.8.8.8/"] {
        assert!(Http::open(url, Body::Raw, PATIENCE, Some("Bearer secret")).is_ok(), "{url}");
    }
}
