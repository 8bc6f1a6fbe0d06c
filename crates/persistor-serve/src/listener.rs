//! Accepts connections, hands them to hyper, and drains them at the end.
//!
//! What a connection may do is left to `connection`; when the end comes, to the caller.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::connection::serve_connection;
use crate::health::Ready;
use crate::limited_stream::Limits;
use crate::places::{Place, Places};
use crate::requests::{Drained, Requests};

/// The wait after an accept that failed, usually for want of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves `app` on `listener` until `shutdown` completes, then drains.
///
/// `ready` is set while connections are accepted. At the end the listener is closed at once, idle connections
/// are closed, requests in flight have `drain_timeout` to finish, and what is left then is cut. A request
/// whose client goes away is dropped, at any time.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    drain_timeout: Duration,
    ready: Ready,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let requests = Requests::default();
    let limits = Limits::default();
    let places = Places::of_this_process();
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    ready.set(true);
    loop {
        let (stream, place) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        // Made before the task is, so that no connection misses the end.
        let watcher = graceful.watcher();
        tasks.spawn(serve_connection(stream, place, app.clone(), requests.clone(), limits.clone(), watcher));
        // Connections that ended are forgotten here; no more wait for it than there are places.
        while tasks.try_join_next().is_some() {}
    }
    ready.set(false);
    requests.drain();
    drop(listener);
    // Running out of time is no fault: what is left is cut and counted.
    let _ = timeout(drain_timeout, graceful.shutdown()).await;
    tasks.shutdown().await;
    requests.drained()
}

/// The next connection, with a place for it. Failures are logged and tried again, never fatal.
async fn accept(listener: &TcpListener, places: &Places) -> (TcpStream, Place) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Replies are small; waiting to fill a packet only delays them. Without it they still arrive.
                let _ = stream.set_nodelay(true);
                return (stream, places.take().await);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted; trying again");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether the error concerns the connection that was about to be accepted, and nothing else.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
}
