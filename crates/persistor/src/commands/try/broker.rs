//! The broker of a try: it delivers each message until it is acknowledged, and every fourth once more.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::bail;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use indicatif::ProgressBar;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::sample::{STREAM, Sample};

/// Deliveries under way at the same time.
const AT_ONCE: usize = 16;
/// Before a message that was not acknowledged is delivered again: at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];
/// For one message, all its deliveries together: longer than any restart takes.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Broker {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    acknowledged: watch::Sender<usize>,
    repeated: AtomicUsize,
    unanswered: AtomicUsize,
}

/// What was delivered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    /// Messages that were delivered again after their acknowledgement.
    pub(super) repeated: usize,
    /// Deliveries that brought no acknowledgement, so that the message was delivered again.
    pub(super) unanswered: usize,
}

impl Broker {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            url: format!("http://{address}/{STREAM}"),
            acknowledged: watch::Sender::new(0),
            repeated: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
        }
    }

    /// Delivers everything; returns when all is acknowledged.
    pub(super) async fn send_all(&self, samples: &[Sample], progress: &ProgressBar) -> anyhow::Result<()> {
        let deliveries = samples.iter().enumerate().map(|(n, sample)| async move {
            self.deliver(sample).await?;
            if n % 4 == 3 {
                self.deliver(sample).await?;
                self.repeated.fetch_add(1, Ordering::Relaxed);
            }
            self.acknowledged.send_modify(|count| *count += 1);
            progress.inc(1);
            anyhow::Ok(())
        });
        stream::iter(deliveries).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Waits until so many messages are acknowledged.
    pub(super) async fn acknowledged(&self, count: usize) {
        // The sender lives as long as this broker, so waiting cannot fail.
        let _ = self.acknowledged.subscribe().wait_for(|acknowledged| *acknowledged >= count).await;
    }

    pub(super) fn tally(&self) -> Tally {
        Tally { repeated: self.repeated.load(Ordering::Relaxed), unanswered: self.unanswered.load(Ordering::Relaxed) }
    }

    async fn deliver(&self, sample: &Sample) -> anyhow::Result<()> {
        let body = sample.push();
        let [mut pause, longest] = PAUSES;
        let delivered = timeout(PATIENCE, async {
            while !self.post(body.clone()).await {
                self.unanswered.fetch_add(1, Ordering::Relaxed);
                sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
        });
        if delivered.await.is_err() {
            bail!("message {} was not acknowledged within {PATIENCE:?}", sample.id);
        }
        Ok(())
    }

    /// Whether the delivery was acknowledged, by Pub/Sub's rule.
    async fn post(&self, body: Bytes) -> bool {
        let request = Request::post(&self.url).header("content-type", "application/json").body(Full::new(body));
        let Ok(request) = request else { return false };
        match self.client.request(request).await {
            Ok(response) => {
                let status = response.status().as_u16();
                // Read to its end, so that the connection can be used again.
                response.into_body().collect().await.is_ok() && matches!(status, 102 | 200 | 201 | 202 | 204)
            }
            Err(_) => false,
        }
    }
}
