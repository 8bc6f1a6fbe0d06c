//! Service Bus, and any other broker that speaks AMQP 1.0, as a sink.
//!
//! Each part is a file: where messages are sent (`location`), as whom (`access`, `connection_string`, `token`), a message as AMQP has it (`message`, `value`, `decimal`), which
//! messages go in one transfer (`batch`), what a message may have (`limits`), the connection (`connection`), what an answer means (`answer`), and the sink over all of them (`sink`).

mod access;
mod answer;
mod batch;
mod connection;
mod connection_string;
mod decimal;
mod limits;
mod location;
mod message;
mod sink;
mod token;
mod value;

use std::sync::Arc;
use std::time::SystemTime;

pub use access::{BusAccess, Login};
pub use connection_string::ConnectionString;
pub use location::{BrokerLocation, ServiceBusLocation};
pub use sink::AmqpSink;

/// The time of day, by which tokens are made and renewed.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;
