//! A server that refuses everything and quotes all it was sent in what it says of it, as careless ones do: in words, and as Google's and Azure's services word
//! their errors.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use persistor_tests::http::{Answer, Connection, Request};
use serde_json::json;

/// A running server; it ends with the test's process.
#[derive(Debug)]
pub(crate) struct Quoting {
    port: u16,
    requests: Arc<AtomicUsize>,
}

impl Quoting {
    /// One that gives these statuses in turn.
    pub(crate) fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let server = Self { port: listener.local_addr().expect("it is bound").port(), requests: Arc::default() };
        let requests = server.requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let requests = requests.clone();
                thread::spawn(move || {
                    let mut connection = Connection::over(stream).ok()?;
                    while let Some(request) = connection.read_request().ok()? {
                        let number = requests.fetch_add(1, Ordering::SeqCst);
                        connection.send_answer(&answer(&request, statuses[number % statuses.len()], number)).ok()?;
                    }
                    Some(())
                });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many requests came: without one, nothing was quoted.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(request: &Request, status: u16, number: usize) -> Answer {
    let headers = request.headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)));
    let headers = headers.collect::<Vec<_>>().join("; ");
    let quote = format!("{} {} {headers} {}", request.method, request.path, String::from_utf8_lossy(&request.body));
    let short: String = quote.chars().filter(char::is_ascii_graphic).take(4000).collect();
    let (kind, body) = match number % 3 {
        0 => ("text/plain", quote),
        1 => {
            let error = json!({ "message": quote, "domain": "global", "reason": "forbidden" });
            (
                "application/json",
                json!({ "error": { "code": status, "message": quote, "status": "X", "errors": [error] } }).to_string(),
            )
        }
        _ => {
            let text = quote.replace('&', "&amp;").replace('<', "&lt;");
            ("application/xml", format!("<?xml version=\"1.0\"?><Error><Code>Quoted</Code><Message>{text}</Message></Error>"))
        }
    };
    let body = if request.method == "HEAD" { String::new() } else { body };
    let headers = [
        ("Content-Type", kind.to_owned()),
        ("Content-Length", body.len().to_string()),
        ("x-ms-error-code", short.clone()),
        ("WWW-Authenticate", format!("Bearer error=\"{}\"", short.replace('"', ""))),
        ("Location", format!("http://127.0.0.1:1/?{}", short.replace('"', ""))),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.into_bytes())).into();
    Answer { status, headers, body: body.into() }
}
