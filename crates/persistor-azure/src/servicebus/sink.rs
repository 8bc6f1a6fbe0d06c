//! Messages in, receipts out: one connection for all callers, made when it is first needed, and again when it is lost.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use persistor_core::{Error, ErrorKind, Result};
use persistor_recover::{Capabilities, Feeds, Outgoing, Sink};
use tokio::sync::Mutex;

use super::Clock;
use super::access::{BusAccess, Login, Peer};
use super::answer::{Answers, Failure};
use super::batch::{Transfer, single, transfers};
use super::connection::{Authority, Open, Setup};
use super::limits::{learnt, of_a_broker, of_service_bus};
use super::location::{BrokerLocation, ServiceBusLocation};
use super::message::{Dialect, refusal};
use super::token::Tokens;

/// Service Bus, or another broker that speaks AMQP 1.0, as a [`Sink`]. Nothing is connected before the first call.
///
/// **What is sent**: the payload as one section of data, to the byte; attributes as application properties; message id (the stored message's own where its publisher gave none), correlation
/// id, subject, content type, to, reply-to, the session id or ordering key as `group-id`, the reply-to session id; to Service Bus the partition key of a message without a session.
/// Messages are durable, and have neither a time to live nor a scheduled time.
///
/// | type in the record | in AMQP | |
/// |---|---|---|
/// | none (a string), `boolean`, `float`, `double`, `char`, `uuid`, `symbol`, `decimal32`, `decimal64`, `decimal128`, `null` | the same | |
/// | `int8` … `int64`, `uint8` … `uint64` | `byte` … `long`, `ubyte` … `ulong` | |
/// | `bytes` | `binary` | |
/// | `timestamp` | `timestamp` | cut off to milliseconds |
/// | `number` | `long` if it is a whole number that fits, else `ulong`, else `double` | the width was never known; a fraction may lose digits beyond a double's |
/// | `json`, and every type that is not named here | `string` | its text |
/// | any, where the text is none of its type | `string` | its text |
///
/// **Batches** go to Service Bus only: the messages of a call with one session, or one partition key, in transfers below the size that the broker says. Where a batch is refused for a
/// message in it, each is sent by itself, so that only that one is refused. Other brokers get message after message.
///
/// **Limits** are those of the tier Standard until the first connection is made ([`Sink::check`] makes one); then the message's size is what the broker says. A session id, message id or
/// partition key has at most 128 characters. Whether an entity needs sessions is not known before it refuses a message for that.
#[derive(Clone)]
pub struct AmqpSink {
    setup: Arc<Setup>,
    dialect: Dialect,
    place: Place,
    open: Arc<Mutex<Option<Arc<Open>>>>,
    presumed: Capabilities,
    learnt: Arc<OnceLock<Capabilities>>,
}

#[derive(Clone)]
enum Place {
    ServiceBus(ServiceBusLocation),
    Broker(BrokerLocation),
}

impl AmqpSink {
    /// A queue or a topic of Service Bus, over TLS (an emulator's without). `clock` tells the time of day, by which tokens end; `time_limit` bounds each wait for an answer.
    ///
    /// # Errors
    /// What [`BusAccess::check`] says, and [`ErrorKind::Denied`] where no credentials can be made.
    pub fn service_bus(location: ServiceBusLocation, access: &BusAccess, clock: Clock, time_limit: Duration) -> Result<Self> {
        access.check(&location)?;
        let peer = Peer::of_service_bus(&location, access);
        let authority = Authority::Tokens(Tokens::new(access, clock)?);
        Ok(Self::new(peer, authority, Place::ServiceBus(location), Dialect::ServiceBus, of_service_bus(), time_limit))
    }

    /// An address of another broker, as a user or as nobody. **Over `amqp://` messages and password can be read on the way.** A broker that makes addresses by itself may
    /// take messages for one that nobody has a queue at, and drop them: see that it is there before.
    pub fn broker(location: BrokerLocation, login: Option<Login>, time_limit: Duration) -> Self {
        let peer = Peer::of_broker(&location);
        Self::new(peer, Authority::Login(login), Place::Broker(location), Dialect::Plain, of_a_broker(), time_limit)
    }

    fn new(
        peer: Peer,
        authority: Authority,
        place: Place,
        dialect: Dialect,
        presumed: Capabilities,
        time_limit: Duration,
    ) -> Self {
        let answers = Answers { place: place.to_string() };
        Self {
            setup: Arc::new(Setup { peer, authority, answers, time_limit }),
            dialect,
            place,
            open: Arc::default(),
            presumed,
            learnt: Arc::default(),
        }
    }

    /// The connection. Whoever comes first makes it, the others wait for it.
    async fn connection(&self) -> Result<Arc<Open>> {
        let mut open = self.open.lock().await;
        if let Some(open) = &*open {
            return Ok(open.clone());
        }
        let made = Arc::new(self.setup.open().await?);
        self.learnt.get_or_init(|| learnt(&self.presumed, made.max_message_size()));
        Ok(open.insert(made).clone())
    }

    /// Makes it anew at the next use.
    async fn forget(&self, failed: &Arc<Open>) {
        let mut open = self.open.lock().await;
        // Another call may have made a new one already.
        if open.as_ref().is_some_and(|open| Arc::ptr_eq(open, failed)) {
            *open = None;
        }
    }

    /// Sends one transfer, over a second connection if it cannot leave by the first, or the first one's token is no longer good.
    async fn deliver(&self, transfer: &Transfer) -> Result<(), Failure> {
        let mut again = true;
        loop {
            let open = self.connection().await?;
            let failure = match open.deliver(transfer).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if !matches!(failure, Failure::Message(_) | Failure::Refused(_)) {
                self.forget(&open).await;
            }
            let safe = matches!(failure, Failure::NotSent(_) | Failure::Credentials(_));
            if !safe || !std::mem::take(&mut again) {
                return Err(failure);
            }
        }
    }

    /// Sends a transfer and says of each of its messages what became of it. With `ordered`, what stands behind one that failed is not sent.
    async fn send_transfer(&self, messages: &[Outgoing], transfer: Transfer, ordered: bool) -> Vec<(usize, Result<String>)> {
        let failure = match self.deliver(&transfer).await {
            Ok(()) => return transfer.places.into_iter().map(|place| (place, Ok(String::new()))).collect(),
            Err(failure) => failure,
        };
        let error = match failure {
            // One of them is at fault, and none was taken.
            Failure::Message(_) if transfer.places.len() > 1 => {
                let mut results = Vec::new();
                for place in transfer.places {
                    let held = ordered && results.last().is_some_and(|(_, result): &(usize, Result<_>)| result.is_err());
                    let result = if held {
                        Err(self.behind())
                    } else {
                        self.deliver(&single(messages, place, self.dialect)).await.map(|()| String::new()).map_err(error_of)
                    };
                    results.push((place, result));
                }
                return results;
            }
            failure => error_of(failure),
        };
        let told = error.to_string();
        let kind = error.kind();
        let mut first = Some(error);
        let each = |place| (place, Err(first.take().unwrap_or_else(|| Error::new(kind, told.clone()))));
        transfer.places.into_iter().map(each).collect()
    }

    fn behind(&self) -> Error {
        self.setup.answers.error(ErrorKind::Unavailable, "not sent, since a message before it was not confirmed")
    }

    /// Transfers for the messages, and results for those that fit into none.
    async fn transfers(&self, messages: &[Outgoing], ordered: bool) -> Result<(Vec<Transfer>, Vec<(usize, Result<String>)>)> {
        if self.dialect == Dialect::Plain {
            return Ok(((0..messages.len()).map(|place| single(messages, place, self.dialect)).collect(), Vec::new()));
        }
        let limit = self.connection().await?.max_message_size();
        let (transfers, too_large) = transfers(messages, limit, ordered);
        let refused = too_large
            .into_iter()
            .map(|message| (message.place, Err(self.setup.answers.too_large(message.size, limit.unwrap_or(u64::MAX)))));
        Ok((transfers, refused.collect()))
    }
}

#[async_trait]
impl Sink for AmqpSink {
    fn capabilities(&self) -> &Capabilities {
        self.learnt.get().unwrap_or(&self.presumed)
    }

    fn refuses(&self, message: &Outgoing) -> Option<String> {
        refusal(message, self.dialect)
    }

    async fn check(&self) -> Result<()> {
        self.connection().await.map(|_| ())
    }

    async fn feeds(&self, entity: &str) -> Feeds {
        match &self.place {
            Place::ServiceBus(location) => feeds(location, entity),
            Place::Broker(_) => Feeds::Unknown("a broker's address does not tell who reads from it".to_owned()),
        }
    }

    async fn send(&self, messages: &[Outgoing], ordered: bool) -> Vec<Result<String>> {
        let (transfers, mut results) = match self.transfers(messages, ordered).await {
            Ok(planned) => planned,
            Err(error) => {
                let (kind, told) = (error.kind(), error.to_string());
                let mut first = Some(error);
                let each = |_| Err(first.take().unwrap_or_else(|| Error::new(kind, told.clone())));
                return messages.iter().map(each).collect();
            }
        };
        if ordered {
            // The first one that cannot be sent holds up what is behind it, whatever that is.
            let mut failed = results.iter().map(|(place, _)| *place).min();
            for transfer in transfers {
                let held = |place: usize| failed.is_some_and(|failed| failed < place);
                if transfer.places.iter().any(|place| held(*place)) {
                    results.extend(transfer.places.into_iter().map(|place| (place, Err(self.behind()))));
                    continue;
                }
                let sent = self.send_transfer(messages, transfer, true).await;
                let first = sent.iter().find(|(_, result)| result.is_err()).map(|(place, _)| *place);
                failed = failed.into_iter().chain(first).min();
                results.extend(sent);
            }
        } else {
            let sent = join_all(transfers.into_iter().map(|transfer| self.send_transfer(messages, transfer, false))).await;
            results.extend(sent.into_iter().flatten());
        }
        results.sort_by_key(|(place, _)| *place);
        results.into_iter().map(|(_, result)| result).collect()
    }

    async fn close(&self) -> Result<()> {
        if let Some(open) = self.open.lock().await.take() {
            open.close().await;
        }
        Ok(())
    }
}

impl fmt::Debug for AmqpSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.place, f)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceBus(location) => location.fmt(f),
            Self::Broker(location) => location.fmt(f),
        }
    }
}

fn error_of(failure: Failure) -> Error {
    match failure {
        Failure::Message(error)
        | Failure::Refused(error)
        | Failure::Credentials(error)
        | Failure::NotSent(error)
        | Failure::Lost(error) => error,
    }
}

/// Whether a queue is that entity, or a topic the one that it subscribes to; names are compared without regard to case, as Service Bus does.
fn feeds(location: &ServiceBusLocation, entity: &str) -> Feeds {
    let entity = entity.to_ascii_lowercase();
    let here = format!("{}/{}", location.namespace(), location.entity()).to_ascii_lowercase();
    let subscription = entity.strip_prefix(&here).and_then(|rest| rest.strip_prefix("/subscriptions/"));
    if entity == here || subscription.is_some_and(|name| !name.contains('/')) { Feeds::Yes } else { Feeds::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_feeds_itself_and_a_topic_its_subscriptions() {
        let location = ServiceBusLocation::parse("my/A/orders").expect("valid");
        for (entity, expected) in [
            ("my.servicebus.windows.net/a/Orders", Feeds::Yes),
            ("MY.servicebus.windows.net/a/orders/Subscriptions/all", Feeds::Yes),
            ("my.servicebus.windows.net/a/orders2", Feeds::No),
            ("my.servicebus.windows.net/a/orders2/Subscriptions/all", Feeds::No),
            ("my.servicebus.windows.net/a/orders/b/Subscriptions/all", Feeds::No),
            ("other.servicebus.windows.net/a/orders", Feeds::No),
            ("projects/p/subscriptions/orders", Feeds::No),
            ("", Feeds::No),
        ] {
            assert_eq!(feeds(&location, entity), expected, "{entity}");
        }
    }
}
