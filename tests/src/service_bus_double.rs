//! A double of Service Bus for whoever sends to it over AMQP 1.0: tokens, one queue or topic, batches, sessions, and faults as a test tells it to. There is no emulator that runs here.
//!
//! Where its rules come from:
//! - `$cbs`, the names of tokens and their types, batches and their message format, annotations: Microsoft's protocol guide
//!   (<https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide>) and the sources of Azure/azure-sdk-for-net (`sdk/servicebus`).
//! - A token of shared access: <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas>.
//! - A link is closed with `amqp:unauthorized-access` when its token ends, `amqp:not-found`, `com.microsoft:server-busy`, the quotas:
//!   <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-troubleshoot>, `…/service-bus-quotas`.
//! - The words for a message without a session: Particular/NServiceBus#5364; for a batch of several sessions: Azure/amqpnetlite#120. That both come as `amqp:not-allowed` is derived from the
//!   exceptions that the official clients make of them, and was never seen.
//!
//! Service Bus answers an attach that it refuses with an empty target; this double attaches the link and closes it at once with the same error, since what it is made of can do no other.

mod identity;
mod node;
mod queue;
mod token;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use fe2o3_amqp_types::definitions;
use fe2o3_amqp_types::messaging::Properties;
use fe2o3_amqp_types::primitives::{SimpleValue, Symbol};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::broadcast;

pub use identity::{HEADER, IdentityDouble};

/// The rule whose key signs.
pub const RULE: &str = "Send";
/// Its key.
pub const KEY: &str = "bm90IGEgc2VjcmV0";
/// The largest message of the tier Standard.
pub const STANDARD: u64 = 262_144;

/// What the double is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The queue's or topic's name.
    pub entity: String,
    /// What the broker says when a link attaches.
    pub max_message_size: u64,
    /// Whether the entity takes only messages with a session.
    pub sessions: bool,
    /// Whether it speaks TLS, with a certificate for `localhost`.
    pub tls: bool,
}

impl Options {
    /// A queue of the tier Standard, as an emulator has it: not encrypted.
    pub fn new(entity: &str) -> Self {
        Self { entity: entity.to_owned(), max_message_size: STANDARD, sessions: false, tls: false }
    }
}

/// What happens to a transfer instead of that it is taken.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is rejected with this condition and description.
    Reject(&'static str, &'static str),
    /// It is released.
    Release,
    /// It is not answered.
    Silence,
    /// The link is closed with this condition, and the transfer is not taken.
    Detach(&'static str),
    /// The connection is gone before the transfer is taken.
    CutBefore,
    /// The transfer is taken, and the connection gone before that is said.
    CutAfter,
    /// It is taken as it should be: so that a later fault meets a later transfer.
    None,
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    pub payload: Vec<u8>,
    pub properties: Properties,
    pub application: Vec<(String, SimpleValue)>,
    pub partition_key: Option<String>,
    pub durable: bool,
    pub ttl: Option<u32>,
    /// Which transfer it came in, from 0.
    pub transfer: usize,
}

/// A token that was put.
#[derive(Clone, Debug)]
pub struct Put {
    pub kind: String,
    pub name: String,
    pub status: u16,
}

#[derive(Debug, Default)]
struct State {
    ahead: Duration,
    taken: Vec<Taken>,
    transfers: usize,
    largest: u64,
    puts: Vec<Put>,
    faults: VecDeque<Fault>,
    refused: Option<Vec<u8>>,
    connections: usize,
    closed: usize,
    links: usize,
    issued: Vec<(String, SystemTime)>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    state: Mutex<State>,
    detach: broadcast::Sender<&'static str>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with it")
    }

    fn now(&self) -> SystemTime {
        SystemTime::now() + self.lock().ahead
    }
}

/// The running double; dropped, it ends.
#[derive(Debug)]
pub struct ServiceBusDouble {
    port: u16,
    certificate: Option<String>,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

impl ServiceBusDouble {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// If it cannot.
    pub fn start(options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let tls = options.tls.then(node::tls);
        let (acceptor, certificate) = tls.unzip();
        let shared = Arc::new(Shared { options, state: Mutex::default(), detach: broadcast::channel(16).0 });
        runtime.spawn(node::listen(listener, acceptor, shared.clone()));
        Self { port, certificate, shared, _runtime: runtime }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate that it shows, in PEM.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// What gives access to it.
    pub fn connection_string(&self) -> String {
        let emulator = if self.shared.options.tls { "" } else { ";UseDevelopmentEmulator=true" };
        format!("Endpoint=sb://localhost:{};SharedAccessKeyName={RULE};SharedAccessKey={KEY}{emulator}", self.port)
    }

    /// Its time of day, for whoever makes tokens for it.
    pub fn clock(&self) -> Arc<dyn Fn() -> SystemTime + Send + Sync> {
        let shared = self.shared.clone();
        Arc::new(move || shared.now())
    }

    /// Lets time pass for it.
    pub fn advance(&self, by: Duration) {
        self.shared.lock().ahead += by;
    }

    /// What happens to the next transfers, one after the other.
    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.lock().faults.extend(faults);
    }

    /// Refuses whatever has a message with this payload in it, as one that it does not take.
    pub fn refuse(&self, payload: &[u8]) {
        self.shared.lock().refused = Some(payload.to_vec());
    }

    /// Closes every link with that condition while nobody sends.
    pub fn detach_links(&self, condition: &'static str) {
        let _ = self.shared.detach.send(condition);
    }

    /// Messages that were taken, in their order.
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.lock().taken.clone()
    }

    /// How many transfers came, whatever became of them.
    pub fn transfers(&self) -> usize {
        self.shared.lock().transfers
    }

    /// The bytes of the largest transfer that came.
    pub fn largest(&self) -> u64 {
        self.shared.lock().largest
    }

    /// Tokens that were put, good or not.
    pub fn puts(&self) -> Vec<Put> {
        self.shared.lock().puts.clone()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// How many of them were closed as AMQP closes one.
    pub fn closed(&self) -> usize {
        self.shared.lock().closed
    }

    /// How many links to the entity are open.
    pub fn links(&self) -> usize {
        self.shared.lock().links
    }

    /// Lets a token of an identity in until its end.
    pub fn know_token(&self, token: &str, expires: SystemTime) {
        self.shared.lock().issued.push((token.to_owned(), expires));
    }
}

/// An error with any condition.
fn error(condition: &str, description: &str) -> definitions::Error {
    let bytes = serde_amqp::to_vec(&Symbol::from(condition)).expect("a symbol");
    let condition: definitions::ErrorCondition = serde_amqp::from_slice(&bytes).expect("a condition");
    definitions::Error::new(condition, (!description.is_empty()).then(|| description.to_owned()), None)
}
