//! A sink that writes down what it takes, and fails as it is told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use persistor_core::{Error, ErrorKind, Result};
use persistor_recover::{Capabilities, Feeds, Outgoing, Sink};

/// What a sink does with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Take,
    /// It fails, and has not taken it.
    Fail,
    /// It takes it, and the answer is lost.
    TakeAndFail,
    Refuse,
    /// Nobody may send here.
    Deny,
    /// It never answers.
    Hang,
}

type Decide = Box<dyn FnMut(&Outgoing) -> Fate + Send>;

pub(crate) struct Ledger {
    capabilities: Capabilities,
    decide: Mutex<Decide>,
    delay: Duration,
    /// It does not say what became of the last of several messages.
    taciturn: bool,
    /// The id of a message that it says it cannot carry, before anything is sent.
    declined: Option<&'static str>,
    taken: Mutex<Vec<Outgoing>>,
    under_way: AtomicUsize,
    pub(crate) most_under_way: AtomicUsize,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ledger")
    }
}

impl Ledger {
    pub(crate) fn new(batch: usize, decide: impl FnMut(&Outgoing) -> Fate + Send + 'static) -> Self {
        let capabilities = Capabilities { batch: (batch, 1 << 20), ..Capabilities::unlimited() };
        Self {
            capabilities,
            decide: Mutex::new(Box::new(decide)),
            delay: Duration::from_millis(5),
            taciturn: false,
            declined: None,
            taken: Mutex::new(Vec::new()),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
        }
    }

    pub(crate) fn limited(mut self, limit: impl FnOnce(&mut Capabilities)) -> Self {
        limit(&mut self.capabilities);
        self
    }

    pub(crate) fn taciturn(mut self) -> Self {
        self.taciturn = true;
        self
    }

    pub(crate) fn declining(mut self, id: &'static str) -> Self {
        self.declined = Some(id);
        self
    }

    pub(crate) fn taken(&self) -> Vec<Outgoing> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often each key was taken.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for message in self.taken() {
            *counts.entry(message.original.key).or_default() += 1;
        }
        counts
    }

    async fn one(&self, message: &Outgoing) -> Result<String> {
        let fate = self.decide.lock().unwrap_or_else(PoisonError::into_inner)(message);
        if fate == Fate::Hang {
            std::future::pending::<()>().await;
        }
        if matches!(fate, Fate::Take | Fate::TakeAndFail) {
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        }
        match fate {
            Fate::Take => Ok(message.original.id.clone()),
            Fate::Refuse => {
                Err(Error::new(ErrorKind::Invalid, "it is not wanted")
                    .with_source(std::io::Error::other("its schema is unknown")))
            }
            Fate::Deny => Err(Error::new(ErrorKind::Denied, "no right")),
            _ => Err(Error::new(ErrorKind::Unavailable, "busy")),
        }
    }
}

#[async_trait]
impl Sink for Ledger {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn refuses(&self, message: &Outgoing) -> Option<String> {
        (self.declined == Some(message.original.id.as_str())).then(|| "its id is odd".to_owned())
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn feeds(&self, _entity: &str) -> Feeds {
        Feeds::No
    }

    async fn send(&self, messages: &[Outgoing], ordered: bool) -> Vec<Result<String>> {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_under_way.fetch_max(under_way, Ordering::SeqCst);
        let (mut results, mut failed) = (Vec::new(), false);
        for message in messages {
            tokio::time::sleep(self.delay).await;
            let result = if failed && ordered {
                Err(Error::new(ErrorKind::Unavailable, "one before it failed"))
            } else {
                self.one(message).await
            };
            failed |= result.is_err();
            results.push(result);
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        if self.taciturn && results.len() > 1 {
            results.pop();
        }
        results
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// The payload as a text.
pub(crate) fn text(payload: &Bytes) -> String {
    String::from_utf8(payload.to_vec()).expect("text")
}
