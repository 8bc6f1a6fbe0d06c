//! A proxy of calls to Google's API before a server on this machine, that refuses a call, does it and loses its reply, answers it by itself, or keeps silent: what no emulator can be
//! asked for.
//!
//! Google's client publishes over gRPC and does all else over REST, so it knows a little of both. A gRPC call is an HTTP/2 request whose path ends with the method's name, and its
//! reply may be headers with `grpc-status` only ("Trailers-Only": <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>). A REST call is an HTTP/1.1 request, named here by what
//! stands behind a colon in its path, or by its HTTP method; a refusal is JSON (<https://cloud.google.com/apis/design/errors#http_mapping>). What passes is not looked into.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn as client;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// What happens to a call. A status is a number of <https://grpc.io/docs/guides/status-codes/>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not reach the server, and is answered with this status.
    Refused(u8),
    /// The server does it, and its reply is replaced by this status.
    ReplyLost(u8),
    /// It does not reach the server, and is answered with this JSON; for calls over REST.
    Answered(&'static str),
    /// It does not reach the server, and nothing is answered.
    Silence,
}

type Plan = Box<dyn FnMut(&str) -> Option<Fault> + Send>;
type Body = BoxBody<Bytes, hyper::Error>;

/// A running proxy; dropped, it closes everything.
pub struct CallProxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _runtime: Runtime,
}

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    /// The names of calls, in their order.
    calls: Vec<String>,
}

impl CallProxy {
    /// Stands on a free port before a port of this machine.
    ///
    /// # Panics
    /// If this machine has no port.
    pub fn before(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a free port");
        let (address, state) = (listener.local_addr().expect("it is bound"), Arc::new(Mutex::new(State::default())));
        let shared = state.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                let service = service_fn(move |request| {
                    let shared = shared.clone();
                    async move { Ok::<_, Infallible>(answer(request, port, &shared).await) }
                });
                tokio::spawn(async move {
                    if is_http2(&stream).await {
                        let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                    } else {
                        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                    }
                });
            }
        });
        Self { address, state, _runtime: runtime }
    }

    /// Where clients reach it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on each call is asked for by its name, such as `Publish`, `testIamPermissions` or `GET`.
    pub fn arm(&self, plan: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        self.lock().plan = Some(Box::new(plan));
    }

    /// Lets everything pass.
    pub fn disarm(&self) {
        self.lock().plan = None;
    }

    /// How often it was called by this name.
    pub fn calls(&self, method: &str) -> usize {
        self.lock().calls.iter().filter(|call| *call == method).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with it")
    }
}

impl fmt::Debug for CallProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// Whether the client begins as HTTP/2 does, with `PRI *`; `POST` and `PUT` are told from it by their second bytes.
async fn is_http2(stream: &TcpStream) -> bool {
    let mut start = [0; 2];
    while stream.peek(&mut start).await.is_ok_and(|read| read == 1) {
        tokio::task::yield_now().await;
    }
    start == *b"PR"
}

fn name(request: &Request<Incoming>) -> String {
    let path = request.uri().path();
    match (is_grpc(request), path.rsplit_once(':')) {
        (true, _) => path.rsplit('/').next().unwrap_or_default().to_owned(),
        (false, Some((_, verb))) => verb.to_owned(),
        (false, None) => request.method().to_string(),
    }
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    request.version() == Version::HTTP_2
}

async fn answer(request: Request<Incoming>, port: u16, state: &Mutex<State>) -> Response<Body> {
    let (name, grpc) = (name(&request), is_grpc(&request));
    let fault = {
        let mut state = state.lock().expect("no thread panics with it");
        state.calls.push(name.clone());
        state.plan.as_mut().and_then(|plan| plan(&name))
    };
    match fault {
        None => forward(request, port).await.unwrap_or_else(|_| refusal(UNAVAILABLE, grpc)),
        Some(Fault::Refused(status)) => {
            // The request is read to its end, as a server does.
            let _ = request.into_body().collect().await;
            refusal(status, grpc)
        }
        Some(Fault::ReplyLost(status)) => {
            if let Ok(reply) = forward(request, port).await {
                let _ = reply.into_body().collect().await;
            }
            refusal(status, grpc)
        }
        Some(Fault::Answered(text)) => {
            assert!(!grpc, "no JSON over gRPC");
            let _ = request.into_body().collect().await;
            json(StatusCode::OK, text.to_owned())
        }
        Some(Fault::Silence) => std::future::pending().await,
    }
}

async fn forward(request: Request<Incoming>, port: u16) -> Result<Response<Body>, Box<dyn Error + Send + Sync>> {
    let stream = TokioIo::new(TcpStream::connect(("127.0.0.1", port)).await?);
    let reply = if is_grpc(&request) {
        let (mut sender, connection) = client::http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    } else {
        let (mut sender, connection) = client::http1::handshake(stream).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    };
    Ok(reply.map(|body| body.boxed()))
}

const UNAVAILABLE: u8 = 14;

/// The codes that tests use, as REST has them.
fn rest(status: u8) -> (u16, &'static str) {
    match status {
        1 => (499, "CANCELLED"),
        3 => (400, "INVALID_ARGUMENT"),
        5 => (404, "NOT_FOUND"),
        7 => (403, "PERMISSION_DENIED"),
        12 => (501, "UNIMPLEMENTED"),
        UNAVAILABLE => (503, "UNAVAILABLE"),
        16 => (401, "UNAUTHENTICATED"),
        other => panic!("no test has had the code {other} yet"),
    }
}

fn refusal(status: u8, grpc: bool) -> Response<Body> {
    if !grpc {
        let (code, name) = rest(status);
        let text = format!(r#"{{"error":{{"code":{code},"message":"by the test","status":"{name}"}}}}"#);
        return json(StatusCode::from_u16(code).expect("a status"), text);
    }
    let mut reply = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    reply.headers_mut().insert("grpc-status", HeaderValue::from(u16::from(status)));
    reply
}

fn json(status: StatusCode, text: String) -> Response<Body> {
    let mut reply = Response::new(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed());
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}
