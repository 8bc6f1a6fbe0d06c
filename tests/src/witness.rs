//! A witness between a broker and the program: a proxy that passes every push on and writes down what was answered. It knows from
//! outside which messages were acknowledged, whatever the program says of itself.

use std::collections::BTreeSet;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::http::{Answer, Connection, Request, header};
use crate::waiting::LIMIT;

/// One push and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The message's id.
    pub id: String,
    /// When it was published, by the push.
    pub publish_time: String,
    /// What came of it.
    pub end: End,
}

/// How a push ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a reply of this status.
    Answered(u16),
    /// With a reply of this status, which was lost on its way to the broker.
    Lost(u16),
    /// The program took the connection, and it broke before there was a reply.
    Broken,
    /// There was no program.
    Unreached,
}

/// A running witness; it ends with the test's process.
#[derive(Clone, Debug)]
pub struct Witness {
    port: u16,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Pushes that have come to the program, answered or not.
    begun: usize,
    ended: Vec<Exchange>,
    /// Replies that are going to be lost.
    lose: usize,
}

#[derive(Deserialize)]
struct Push {
    message: Pushed,
}

#[derive(Deserialize)]
struct Pushed {
    #[serde(rename = "messageId")]
    id: String,
    #[serde(rename = "publishTime")]
    publish_time: String,
    #[serde(rename = "data")]
    _data: Option<IgnoredAny>,
}

impl Witness {
    /// Stands before the port of a program, whether it runs already or not.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let own = listener.local_addr().expect("it is bound").port();
        let witness = Self { port: own, seen: Arc::default() };
        let for_thread = witness.clone();
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let witness = for_thread.clone();
                // A broken connection is what the broker sees too: it delivers again.
                thread::spawn(move || witness.serve(stream, port).ok());
            }
        });
        witness
    }

    /// Where the broker is to push to, for a stream.
    pub fn url(&self, stream: &str) -> String {
        format!("http://127.0.0.1:{}/{stream}", self.port)
    }

    /// How many pushes have been answered, or broken off, so far. What comes later is `since` this mark.
    pub fn mark(&self) -> usize {
        self.seen.0.lock().expect("no thread panics with it").ended.len()
    }

    /// How many pushes have come to the program so far, answered or not.
    pub fn begun(&self) -> usize {
        self.seen.0.lock().expect("no thread panics with it").begun
    }

    /// How many pushes ended so.
    pub fn count(&self, ended: impl Fn(End) -> bool) -> usize {
        self.seen.0.lock().expect("no thread panics with it").ended.iter().filter(|exchange| ended(exchange.end)).count()
    }

    /// Loses so many of the next replies on their way to the broker, whose connection is cut instead.
    pub fn lose_replies(&self, count: usize) {
        self.note(|seen| seen.lose += count);
    }

    /// All pushes that ended since a mark.
    pub fn since(&self, mark: usize) -> Vec<Exchange> {
        self.seen.0.lock().expect("no thread panics with it").ended[mark..].to_vec()
    }

    /// The ids of messages acknowledged since a mark.
    pub fn acknowledged_since(&self, mark: usize) -> BTreeSet<String> {
        acknowledged(&self.since(mark))
    }

    /// Waits until so many pushes have come to the program, answered or not.
    pub fn wait_for_pushes(&self, count: usize) {
        assert!(self.wait(|seen| seen.begun >= count), "no push came for {LIMIT:?} while waiting for {count}");
    }

    /// Waits until every one of these messages has been acknowledged since a mark.
    pub fn wait_for_acknowledged(&self, ids: &BTreeSet<String>, mark: usize) {
        assert!(self.all_acknowledged(ids, mark), "no push came for {LIMIT:?}, and not every message is acknowledged");
    }

    /// Waits until every one of these messages has been acknowledged since a mark; false where no more pushes come before that.
    pub fn all_acknowledged(&self, ids: &BTreeSet<String>, mark: usize) -> bool {
        let (mut looked_at, mut missing) = (mark, ids.clone());
        self.wait(|seen| {
            for id in acknowledged(&seen.ended[looked_at..]) {
                missing.remove(&id);
            }
            looked_at = seen.ended.len();
            missing.is_empty()
        })
    }

    /// Waits as long as pushes keep coming; false where none came for long.
    fn wait(&self, mut done: impl FnMut(&Seen) -> bool) -> bool {
        let mut seen = self.seen.0.lock().expect("no thread panics with it");
        while !done(&seen) {
            let (after, waited) = self.seen.1.wait_timeout(seen, LIMIT).expect("no thread panics with it");
            seen = after;
            if waited.timed_out() {
                eprintln!("no push came for {LIMIT:?}; last: {:?}", seen.ended.last());
                return false;
            }
        }
        true
    }

    fn serve(&self, stream: TcpStream, port: u16) -> io::Result<()> {
        let mut broker = Connection::over(stream)?;
        let mut program: Option<Connection> = None;
        while let Some(mut request) = broker.read_request()? {
            let push: Push = serde_json::from_slice(&request.body)?;
            // The body is sent in one piece; how it came is between the broker and this proxy.
            request.headers.retain(|(name, _)| !["content-length", "transfer-encoding"].contains(&name.to_lowercase().as_str()));
            let answer = self.pass_on(&mut program, port, &request);
            let end = match &answer {
                Ok(answer) if self.loses() => End::Lost(answer.status),
                Ok(answer) => End::Answered(answer.status),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => End::Unreached,
                Err(_) => End::Broken,
            };
            let Pushed { id, publish_time, .. } = push.message;
            self.note(|seen| seen.ended.push(Exchange { id, publish_time, end }));
            if matches!(end, End::Lost(_)) {
                return Ok(());
            }
            let mut answer = answer?;
            if header(&answer.headers, "transfer-encoding").is_some() {
                answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("transfer-encoding"));
                answer.headers.push(("Content-Length".to_owned(), answer.body.len().to_string().into_bytes()));
            }
            broker.send_answer(&answer)?;
        }
        Ok(())
    }

    /// Over the connection of the last request while it lives: a request is never sent twice, for that would be the broker's choice.
    fn pass_on(&self, program: &mut Option<Connection>, port: u16, request: &Request) -> io::Result<Answer> {
        let mut connection = match program.take() {
            // One that a program which has ended meanwhile left behind is none, as for every client.
            Some(connection) if connection.is_open() => connection,
            _ => Connection::open(port)?,
        };
        self.note(|seen| seen.begun += 1);
        let answer = connection.exchange(request)?;
        if header(&answer.headers, "connection").is_none_or(|value| !value.eq_ignore_ascii_case("close")) {
            *program = Some(connection);
        }
        Ok(answer)
    }

    fn loses(&self) -> bool {
        let mut seen = self.seen.0.lock().expect("no thread panics with it");
        let loses = seen.lose > 0;
        seen.lose = seen.lose.saturating_sub(1);
        loses
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.0.lock().expect("no thread panics with it"));
        self.seen.1.notify_all();
    }
}

/// What Pub/Sub takes for an acknowledgement in production; the emulator takes 203 too, and not 202.
pub fn is_acknowledgement(status: u16) -> bool {
    matches!(status, 102 | 200 | 201 | 202 | 204)
}

fn acknowledged(exchanges: &[Exchange]) -> BTreeSet<String> {
    let acknowledged =
        exchanges.iter().filter(|exchange| matches!(exchange.end, End::Answered(status) if is_acknowledgement(status)));
    acknowledged.map(|exchange| exchange.id.clone()).collect()
}
