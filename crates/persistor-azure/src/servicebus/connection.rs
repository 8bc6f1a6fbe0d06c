//! One connection, with a session and a link that sends, and the token by which it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Connection, Sender, Session};
use fe2o3_amqp_cbs::client::CbsClient;
use fe2o3_amqp_cbs::token::CbsToken;
use fe2o3_amqp_management::error::Error as RequestError;
use fe2o3_amqp_types::definitions::SenderSettleMode;
use fe2o3_amqp_types::primitives::Timestamp;
use persistor_core::{Error, ErrorKind, Result};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, oneshot, watch};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::access::{Login, Peer};
use super::answer::{Answers, Failure};
use super::batch::{Content, Transfer};
use super::token::Tokens;

/// A connection that says nothing for so long is dead. Service Bus' own limit is four minutes.
const IDLE: u32 = 60_000;
/// Service Bus answers a token with 202; other brokers' nodes of that name with 200.
const ALSO_FINE: u16 = 200;
/// The end of a connection has no more time than this.
const CLOSE: Duration = Duration::from_secs(5);

/// How a connection is made.
pub(super) struct Setup {
    pub(super) peer: Peer,
    pub(super) authority: Authority,
    pub(super) answers: Answers,
    /// For each wait for the broker.
    pub(super) time_limit: Duration,
}

/// By what a broker lets us send.
pub(super) enum Authority {
    /// Tokens, which are put to `$cbs`.
    Tokens(Tokens),
    /// A user, or nobody.
    Login(Option<Login>),
}

/// An open connection.
pub(super) struct Open {
    setup: Arc<Setup>,
    /// Taken out when it is closed.
    sender: Mutex<Option<Sender>>,
    authorization: Option<Mutex<Authorization>>,
    /// Sent when the connection is to be closed.
    closing: Mutex<Option<oneshot::Sender<()>>>,
    /// Whether the connection, or a session in it, has ended.
    ended: watch::Receiver<bool>,
    max_message_size: Option<u64>,
}

/// The way for tokens, and when the next one is put.
struct Authorization {
    client: CbsClient,
    due: SystemTime,
    expires: SystemTime,
}

impl Setup {
    /// Connects, puts a token, attaches the link.
    pub(super) async fn open(self: &Arc<Self>) -> Result<Open> {
        self.in_time("connect", self.open_without_limit()).await?
    }

    async fn open_without_limit(self: &Arc<Self>) -> Result<Open> {
        let answers = &self.answers;
        let mut connection = self.connect().await?;
        let mut token_session = None;
        let authorization = match &self.authority {
            Authority::Tokens(tokens) => {
                let mut session = Session::begin(&mut connection).await.map_err(|error| answers.begin(&error))?;
                let client = CbsClient::attach(&mut session).await.map_err(|error| answers.node(&error))?;
                token_session = Some(session);
                let mut authorization = Authorization { client, due: UNIX_EPOCH, expires: UNIX_EPOCH };
                authorization.put(self, tokens).await?;
                Some(Mutex::new(authorization))
            }
            Authority::Login(_) => None,
        };
        let mut session = Session::begin(&mut connection).await.map_err(|error| answers.begin(&error))?;
        // Nothing is settled before the broker says so, whatever it would rather have.
        let sender = Sender::builder()
            .name(format!("{}-sender", name()))
            .target(self.peer.node.as_str())
            .sender_settle_mode(SenderSettleMode::Unsettled)
            .attach(&mut session)
            .await;
        let sender = sender.map_err(|error| answers.attach(&error))?;
        let (closing, asked) = oneshot::channel();
        let (ending, ended) = watch::channel(false);
        tokio::spawn(async move {
            live(connection, session, token_session, asked).await;
            let _ = ending.send(true);
        });
        Ok(Open {
            setup: self.clone(),
            max_message_size: sender.max_message_size(),
            sender: Mutex::new(Some(sender)),
            authorization,
            closing: Mutex::new(Some(closing)),
            ended,
        })
    }

    async fn connect(&self) -> Result<ConnectionHandle<()>> {
        let Peer { host, port, tls, .. } = &self.peer;
        let profile = match &self.authority {
            Authority::Login(Some(login)) => SaslProfile::from(login.parts()),
            // With tokens the connection is nobody's: they say who sends.
            Authority::Tokens(_) | Authority::Login(None) => SaslProfile::Anonymous,
        };
        let builder = Connection::builder()
            .container_id(name())
            .hostname(host.as_str())
            .sasl_hostname(host.as_str())
            .idle_time_out(IDLE)
            .sasl_profile(profile);
        let io = |error: std::io::Error| self.answers.error(ErrorKind::Unavailable, "connect").with_source(error);
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(io)?;
        stream.set_nodelay(true).map_err(io)?;
        let opened = if *tls {
            builder.open_with_stream(self.encrypt(stream).await?).await
        } else {
            builder.open_with_stream(stream).await
        };
        opened.map_err(|error| self.answers.open(error))
    }

    /// TLS, with the host's name checked against its certificate by what the system trusts.
    async fn encrypt(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>> {
        let failed = |what: &str| self.answers.error(ErrorKind::Unavailable, what);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(BuilderVerifierExt::with_platform_verifier)
            .map_err(|error| failed("make a TLS client").with_source(error))?
            .with_no_client_auth();
        let name = ServerName::try_from(self.peer.host.clone())
            .map_err(|error| failed("the host's name is none that a certificate can have").with_source(error))?;
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await.map_err(|error| failed("connect by TLS").with_source(error))
    }

    async fn in_time<T>(&self, doing: &str, work: impl Future<Output = T>) -> Result<T> {
        timeout(self.time_limit, work).await.map_err(|_| self.answers.time_out(doing))
    }
}

impl Authorization {
    async fn put(&mut self, setup: &Setup, tokens: &Tokens) -> Result<()> {
        let resource = setup.peer.resource();
        let token = tokens.token(&resource).await?;
        let expires = token.expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let expires = i64::try_from(expires).ok().map(Timestamp::from);
        match self.client.put_token(resource, CbsToken::new(token.text.as_str(), token.kind, expires)).await {
            Ok(()) => {}
            Err(RequestError::Status(status)) if status.code.0.get() == ALSO_FINE => {}
            Err(error) => return Err(setup.answers.token(&error)),
        }
        (self.due, self.expires) = (tokens.due(&token), token.expires);
        Ok(())
    }
}

impl Open {
    /// The largest transfer that the link takes.
    pub(super) fn max_message_size(&self) -> Option<u64> {
        self.max_message_size
    }

    /// Sends, and waits until the broker has taken it. The link is others' as soon as it is handed over.
    pub(super) async fn deliver(&self, transfer: &Transfer) -> Result<(), Failure> {
        let setup = &self.setup;
        self.renew().await?;
        let handing_over = async {
            let mut sender = self.sender.lock().await;
            let Some(sender) = sender.as_mut() else { return Err(Failure::NotSent(setup.answers.closed("link"))) };
            let handed_over = match &transfer.content {
                Content::One(message) => sender.send_batchable_ref(message).await,
                Content::Many(batch) => sender.send_batchable_ref(batch).await,
            };
            handed_over.map_err(|error| setup.answers.not_sent(&error))
        };
        // A part of it may have left, and whoever sends next would continue that.
        let settlement = setup.in_time("take the message", handing_over).await.map_err(Failure::Lost)??;
        let mut ended = self.ended.clone();
        let settled = async {
            tokio::select! {
                biased;
                outcome = settlement => Ok(outcome),
                // A delivery does not end with its connection as long as its link is kept.
                _ = ended.wait_for(|ended| *ended) => Err(Failure::Lost(setup.answers.closed("connection"))),
            }
        };
        let outcome = setup.in_time("the message", settled).await.map_err(Failure::Lost)??;
        outcome.map_err(|error| setup.answers.lost(&error)).and_then(|outcome| setup.answers.outcome(outcome))
    }

    /// Puts the next token, if it is time.
    async fn renew(&self) -> Result<(), Failure> {
        let (Some(authorization), Authority::Tokens(tokens)) = (&self.authorization, &self.setup.authority) else {
            return Ok(());
        };
        let mut authorization = authorization.lock().await;
        if tokens.now() < authorization.due {
            return Ok(());
        }
        let renewed = self.setup.in_time("the token", authorization.put(&self.setup, tokens)).await.and_then(|renewed| renewed);
        match renewed {
            Ok(()) => Ok(()),
            Err(error) => {
                // The old one is good for some more messages; whoever gives tokens may answer by then.
                let left = authorization.expires.duration_since(tokens.now()).map_err(|_| Failure::NotSent(error))?;
                authorization.due = tokens.now() + left / 2;
                Ok(())
            }
        }
    }

    /// Ends the link, the session and the connection, in this order.
    pub(super) async fn close(&self) {
        let ending = async {
            if let Some(sender) = self.sender.lock().await.take() {
                let _ = sender.close().await;
            }
            if let Some(closing) = self.closing.lock().await.take() {
                let _ = closing.send(());
            }
            let _ = self.ended.clone().wait_for(|ended| *ended).await;
        };
        // What was confirmed is confirmed, whatever becomes of this.
        let _ = timeout(CLOSE, ending).await;
    }
}

/// Keeps a connection and its sessions until one of them ends, or all are to be closed, or nobody needs them any more.
async fn live(
    mut connection: ConnectionHandle<()>,
    mut session: SessionHandle<()>,
    mut token_session: Option<SessionHandle<()>>,
    asked: oneshot::Receiver<()>,
) {
    let token_session_ended = async {
        match &mut token_session {
            Some(session) => session.on_end().await.is_ok(),
            None => std::future::pending().await,
        }
    };
    let asked = tokio::select! {
        _ = connection.on_close() => false,
        _ = session.on_end() => false,
        _ = token_session_ended => false,
        asked = asked => asked.is_ok(),
    };
    if asked {
        for mut session in token_session.into_iter().chain([session]) {
            let _ = timeout(CLOSE, session.end()).await;
        }
        let _ = timeout(CLOSE, connection.close()).await;
    }
}

/// A name of its own for each connection, and each link.
fn name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("persistor-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// For what cannot be said otherwise than in an error.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::NotSent(error)
    }
}
