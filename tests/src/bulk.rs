//! Many messages by the real path: made from their numbers, pushed over a few connections into a running program, and known afterwards without being kept.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use crate::http::Connection;
use crate::naming::{escape, sha256};
use crate::push::Push;
use crate::random::Random;

/// Two streams, a message every 72 ms, and in the middle seven minutes without any.
#[derive(Clone, Copy, Debug)]
pub struct Bulk {
    pub messages: usize,
}

/// The template that the second half is stored by.
pub const SECOND_TEMPLATE: &str = "{stream}/{time:%Y/%m/%d/%H}/{attribute:tenant|none}/{id}-{digest}";
/// Messages around the change of templates that were delivered before and after it.
pub const TWICE: usize = 50;

const CONNECTIONS: usize = 16;

impl Bulk {
    /// The message of a number. Every fifth payload is text, binary or empty, the others are JSON; every fiftieth record is longer than metadata takes.
    pub fn push(self, number: usize) -> Push {
        let payload = match number % 10 {
            0 => format!("order {number} was paid\r\n").into_bytes(),
            5 if number % 100 == 5 => Vec::new(),
            5 => Random::new(number as u64).bytes(300),
            _ => json!({ "order": { "id": number, "customer": number % 40 } }).to_string().into_bytes(),
        };
        let mut attributes = BTreeMap::from([("number".to_owned(), number.to_string())]);
        match number % 3 {
            0 => attributes.insert("tenant".to_owned(), "north".to_owned()),
            1 => attributes.insert("tenant".to_owned(), "south/é".to_owned()),
            _ => None,
        };
        if number % 50 == 49 {
            attributes.extend((0..4).map(|part| (format!("long {part}"), "x\u{1}".repeat(300))));
        }
        let stream = if number % 4 == 3 { "refunds" } else { "orders" };
        Push {
            stream: stream.to_owned(),
            id: (14_217_110_643_u64 + number as u64 * 7).to_string(),
            publish_time: self.time(number).to_rfc3339_opts(SecondsFormat::Millis, true),
            payload: payload.into(),
            attributes,
            ordering_key: None,
        }
    }

    /// The same, but of every three messages one has an ordering key, of forty.
    pub fn keyed_push(self, number: usize) -> Push {
        let ordering_key = number.is_multiple_of(3).then(|| format!("customer {}", number / 3 % 40));
        Push { ordering_key, ..self.push(number) }
    }

    /// When it was published.
    pub fn time(self, number: usize) -> DateTime<Utc> {
        let start: DateTime<Utc> = "2026-11-22T05:40:00Z".parse().expect("a time");
        let pause = if number < self.messages / 2 { TimeDelta::zero() } else { TimeDelta::minutes(7) };
        start + TimeDelta::milliseconds(72 * number as i64) + pause
    }

    /// Numbers that the first writer got, and those that the second got.
    pub fn halves(self) -> [std::ops::Range<usize>; 2] {
        [0..self.messages / 2, self.messages / 2 - TWICE..self.messages]
    }

    /// The key by the first template.
    pub fn first_key(self, number: usize) -> String {
        self.push(number).key()
    }

    /// The key by the second template.
    pub fn second_key(self, number: usize) -> String {
        let push = self.push(number);
        let tenant = escape(push.attributes.get("tenant").map_or("none", String::as_str));
        let hour = self.time(number).format("%Y/%m/%d/%H");
        format!("{}/{hour}/{tenant}/{}-{}", escape(&push.stream), escape(&push.id), &sha256(&push.payload)[..32])
    }

    /// The key that the message has, the first one where it has two.
    pub fn key(self, number: usize) -> String {
        if number < self.messages / 2 { self.first_key(number) } else { self.second_key(number) }
    }

    /// Every key in the order of listings, with the number of its message.
    pub fn keys(self) -> BTreeMap<String, usize> {
        let [first, second] = self.halves();
        first
            .map(|number| (self.first_key(number), number))
            .chain(second.map(|number| (self.second_key(number), number)))
            .collect()
    }

    /// Pushes messages until each is acknowledged.
    ///
    /// # Panics
    /// If one is refused, or the program goes away.
    pub fn send(self, port: u16, numbers: std::ops::Range<usize>) {
        self.send_as(port, numbers, Self::push);
    }

    /// The same with the messages that `push` makes of numbers.
    ///
    /// # Panics
    /// If one is refused, or the program goes away.
    pub fn send_as(self, port: u16, numbers: std::ops::Range<usize>, push: fn(Self, usize) -> Push) {
        let next = AtomicUsize::new(numbers.start);
        thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| {
                    let mut connection = Connection::open(port).expect("the program listens");
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= numbers.end {
                            return;
                        }
                        let request = push(self, number).request();
                        let answer = connection.exchange(&request).expect("an answer");
                        assert_eq!(answer.status, 204, "message {number}");
                    }
                });
            }
        });
    }
}
