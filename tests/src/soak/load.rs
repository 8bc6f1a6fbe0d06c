//! The messages of a soak, each made from the seed and its number as often as it is needed, so that none is kept.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use crate::corpus;
use crate::expected::Expected;
use crate::invocation::service_bus::Message;
use crate::pubsub::Publication;
use crate::push::Push;
use crate::random::Random;
use crate::service_bus::corpus as service_bus;

/// So many messages of a seed.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub seed: u64,
    pub count: usize,
}

/// Names that an id may not break out of.
const AWKWARD: [&str; 12] =
    ["", ".", "..", "../../x", "/", "~2F", "x.record", "_persistor/layout/x", "\u{e9}\u{1F600}", "a b\"\\", "\0", "%2e%2e%2f"];

impl Load {
    /// The numbers that are drawn for one message.
    pub(super) fn random(self, number: usize) -> Random {
        Random::of(&[self.seed, number as u64])
    }

    /// What a publisher publishes. Pub/Sub takes nothing that has neither payload nor attributes.
    pub fn publication(self, number: usize) -> Publication {
        let mut publication = corpus::one(&mut self.random(number));
        if publication.payload.is_empty() && publication.attributes.is_empty() {
            publication.attributes.insert("empty".to_owned(), String::new());
        }
        publication
    }

    /// What a sender sends to Service Bus.
    pub fn message(self, number: usize) -> Message {
        service_bus::of(number, corpus::one(&mut self.random(number)))
    }

    /// A push and the subscription that it comes from. Some have the id of another one, and are another message all the same: by their payload, their subscription,
    /// or their second.
    pub fn push(self, number: usize) -> (String, Push) {
        let own = self.own_push(number);
        let push = match number % 40 {
            remainder @ (1 | 3 | 5 | 7) => {
                let mut push = self.own_push(number - 1);
                let payload = format!("{}, and not what has the same id", own.id).into_bytes();
                if remainder <= 3 {
                    push.payload = payload.into();
                }
                if remainder == 1 || remainder == 5 {
                    push.stream = format!("{}-too", push.stream);
                }
                if remainder == 7 {
                    push.publish_time = time(number + 100_000, 3);
                }
                push
            }
            _ => own,
        };
        let subscription = format!("projects/persistor/subscriptions/{}", push.stream);
        (subscription, push)
    }

    fn own_push(self, number: usize) -> Push {
        let mut random = self.random(number);
        let Publication { payload, attributes } = corpus::one(&mut random);
        let broker = 14_217_110_643_u64 + number as u64 * 7;
        let id = if random.one_in(30) { format!("{}-{broker}", random.pick(&AWKWARD)) } else { broker.to_string() };
        let ordering_key = random.one_in(5).then(|| format!("customer {}{}", random.between(0, 20), random.pick(&AWKWARD)));
        let stream = ["orders", "refunds", "parcels"][random.between(0, 2)].to_owned();
        Push { stream, id, publish_time: time(number, *random.pick(&[0, 3, 3, 3, 6, 9])), payload, attributes, ordering_key }
    }

    /// What must be stored of it.
    pub fn expected_push(self, number: usize) -> Expected {
        let (subscription, Push { stream, id, publish_time, payload, attributes, ordering_key }) = self.push(number);
        let properties = ordering_key.map_or_else(|| json!({}), |key| json!({ "ordering_key": key }));
        let publication = Publication { payload, attributes };
        Expected { properties, ..Expected::published(&id, &publish_time, publication, &stream, &subscription) }
    }
}

/// Some time of a day, with so many digits behind the second.
fn time(number: usize, digits: usize) -> String {
    let start: DateTime<Utc> = "2026-11-22T05:40:00.001002003Z".parse().expect("a time");
    let time = start + TimeDelta::milliseconds(i64::try_from(number).expect("not so many") * 731);
    let format = match digits {
        0 => SecondsFormat::Secs,
        3 => SecondsFormat::Millis,
        6 => SecondsFormat::Micros,
        _ => SecondsFormat::Nanos,
    };
    time.to_rfc3339_opts(format, true)
}
