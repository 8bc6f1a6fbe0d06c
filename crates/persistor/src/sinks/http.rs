//! Messages as requests to an address of HTTP: the payload with headers around it, or as Pub/Sub pushes it. What is sent stands in [`request`], what an answer means in [`answer`].

mod answer;
mod request;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use persistor_core::{Error, ErrorKind, Result};
use persistor_recover::{Capabilities, Feeds, Outgoing, Sink};
use persistor_serve::is_loopback;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Url, redirect};
use tokio::time::timeout;

pub(crate) use request::Body;

/// For one request with its answer, unless it is said.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Messages that one call is worth giving, and their bytes: each is a request of its own, and what was answered is to be known at once.
const BATCH: (usize, u64) = (1, u64::MAX);

/// Posts each message.
pub(crate) struct Http {
    url: Url,
    body: Body,
    patience: Duration,
    /// A secret: marked, so that it does not print.
    authorization: Option<HeaderValue>,
    client: Client,
    capabilities: Capabilities,
}

impl Http {
    /// Of an address such as `https://host/path`. `authorization` is a whole value of that header, which nobody sees who only carries the request: over plain HTTP it goes
    /// to this machine alone.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with what to write instead.
    pub(crate) fn open(url: &str, body: Body, patience: Duration, authorization: Option<&str>) -> Result<Self> {
        let url = Url::parse(url).map_err(|_| invalid("it is no URL such as https://host/path"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(invalid("it is no URL such as https://host/path"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                "a name and a password in an address are seen by too many: give the header in PERSISTOR_SINK_AUTHORIZATION",
            ));
        }
        let authorization = authorization.map(header_value).transpose()?;
        if authorization.is_some() && url.scheme() == "http" && !is_loopback(url.host_str().unwrap_or_default()) {
            return Err(invalid("PERSISTOR_SINK_AUTHORIZATION would be readable on the way: use https"));
        }
        // There may be one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build();
        let client = client.map_err(|error| unavailable("make an HTTP client").with_source(error.without_url()))?;
        let capabilities =
            Capabilities { batch: BATCH, types: body.keeps_types(), properties: body.keeps_types(), ..Capabilities::unlimited() };
        Ok(Self { url, body, patience, authorization, client, capabilities })
    }

    /// What is said of it: an address can hold secrets, its host and path are enough to know it.
    fn name(&self) -> String {
        shown(&self.url)
    }

    async fn post(&self, message: &Outgoing) -> Result<String> {
        let name = self.name();
        let mut request = self.body.request(self.client.post(self.url.clone()), message)?;
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let exchange = async {
            let response = request.send().await.map_err(|error| {
                let what = if error.is_connect() { "connect to" } else { "send to" };
                unavailable(format!("{what} `{name}`")).with_source(error.without_url())
            })?;
            Ok(response)
        };
        let answered = timeout(self.patience, exchange).await;
        let answered =
            answered.unwrap_or_else(|_| Err(unavailable(format!("send to `{name}`: no answer within {:?}", self.patience))));
        let (outcome, wait) = answer::read(answered?, self.body.accepts()).await;
        if let Some(wait) = wait {
            // It asks for time, and whoever sends has its own pauses beside.
            tokio::time::sleep(wait).await;
        }
        outcome.map(|()| String::new()).map_err(|error| Error::new(error.kind(), format!("send to `{name}`: {error}")))
    }
}

fn header_value(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| invalid("PERSISTOR_SINK_AUTHORIZATION is no value of a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Scheme, host, port and path.
pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

fn invalid(reason: &str) -> Error {
    Error::new(ErrorKind::Invalid, reason)
}

fn unavailable(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unavailable, text)
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[async_trait]
impl Sink for Http {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn refuses(&self, message: &Outgoing) -> Option<String> {
        self.body.refuses(message)
    }

    /// Connects, and asks nothing: whatever is asked could be taken for a message.
    async fn check(&self) -> Result<()> {
        let (host, port) = (self.url.host_str().unwrap_or_default(), self.url.port_or_known_default().unwrap_or(443));
        let failed = |error: std::io::Error| unavailable(format!("connect to `{}`", self.name())).with_source(error);
        let connect = async {
            let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await.map_err(failed)?;
            let addresses: Vec<SocketAddr> = found.collect();
            tokio::net::TcpStream::connect(&addresses[..]).await.map(drop).map_err(failed)
        };
        let connected = timeout(self.patience, connect).await;
        connected
            .unwrap_or_else(|_| Err(unavailable(format!("connect to `{}`: no answer within {:?}", self.name(), self.patience))))
    }

    async fn feeds(&self, _entity: &str) -> Feeds {
        Feeds::No
    }

    async fn send(&self, messages: &[Outgoing], ordered: bool) -> Vec<Result<String>> {
        if !ordered {
            let posts: Vec<_> = messages.iter().map(|message| self.post(message)).collect();
            return join_all(posts).await;
        }
        let mut results: Vec<Result<String>> = Vec::with_capacity(messages.len());
        for message in messages {
            let held = results.last().is_some_and(Result::is_err);
            results.push(if held { Err(unavailable("not sent: the one before it failed")) } else { self.post(message).await });
        }
        results
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
