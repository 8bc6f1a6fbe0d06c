//! The consumer of a try, mended: an endpoint that takes pushes as Pub/Sub sends them, and notes the ids of the messages in a file, as any consumer's own records would.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Takes messages until it is dropped.
#[derive(Debug)]
pub(super) struct Endpoint {
    address: SocketAddr,
    // Dropped, it ends what runs in it.
    _runtime: Runtime,
}

impl Endpoint {
    /// Listens on a free port of 127.0.0.1, and appends an id a line to the file.
    pub(super) fn start(arrived: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().append(true).open(arrived).with_context(|| format!("open `{}`", arrived.display()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).context("find a free port")?;
        let address = listener.local_addr()?;
        runtime.spawn(serve(listener, Arc::new(Mutex::new(file))));
        Ok(Self { address, _runtime: runtime })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: TcpListener, file: Arc<Mutex<File>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let file = file.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| take(request, file.clone()));
            // A connection that breaks off is the sender's to repeat.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Notes a message and acknowledges it; what is none, or cannot be noted, is refused.
async fn take(request: Request<Incoming>, file: Arc<Mutex<File>>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let push: Option<Value> = serde_json::from_slice(&body).ok();
    let noted = push.as_ref().and_then(|push| push["message"]["messageId"].as_str()).is_some_and(|id| {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{id}\n").as_bytes()).is_ok()
    });
    let mut response = Response::new(Full::default());
    *response.status_mut() = if noted { StatusCode::NO_CONTENT } else { StatusCode::BAD_REQUEST };
    Ok(response)
}
