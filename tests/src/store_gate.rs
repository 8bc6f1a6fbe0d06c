//! A gate before a store on this machine: a proxy of whole requests that refuses, delays or loses what a test picks out, and passes on all else.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::http::{Answer, Connection, Request};

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It is answered so, and not passed on.
    Answered(Answer),
    /// It is passed on, and its answer is this one instead.
    AnsweredAfter(Answer),
    /// It is passed on, and the connection is cut in place of the answer.
    ReplyLost,
    /// Nothing comes until the gate is opened; then the connection is cut.
    Hangs,
    /// It is passed on after so long.
    Slow(Duration),
}

/// A running gate; it ends with the test's process.
#[derive(Clone, Debug)]
pub struct StoreGate {
    address: SocketAddr,
    server: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    struck: usize,
    /// Another one each time the gate is opened.
    opened: usize,
    requests: usize,
}

struct Rule {
    picks: Box<dyn Fn(&Request) -> bool + Send>,
    times: usize,
    fate: Fate,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("times", &self.times).field("fate", &self.fate).finish_non_exhaustive()
    }
}

impl StoreGate {
    /// Stands on a free port before a port of this machine.
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let gate = Self { address: listener.local_addr().expect("it is bound"), server, state: Arc::default() };
        let for_thread = gate.clone();
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let gate = for_thread.clone();
                // A connection that breaks is the client's affair.
                thread::spawn(move || gate.serve(stream).ok());
            }
        });
        gate
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Gives the next `times` requests that are picked this fate. Earlier rules come first.
    pub fn arm(&self, picks: impl Fn(&Request) -> bool + Send + 'static, times: usize, fate: Fate) {
        self.lock().rules.push(Rule { picks: Box::new(picks), times, fate });
    }

    /// Lets everything pass again, and forgets what struck.
    pub fn open(&self) {
        let mut state = self.lock();
        state.rules.clear();
        state.struck = 0;
        state.opened += 1;
        self.state.1.notify_all();
    }

    /// How many requests met their fate since it was opened.
    pub fn struck(&self) -> usize {
        self.lock().struck
    }

    /// How many requests came in all.
    pub fn requests(&self) -> usize {
        self.lock().requests
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().expect("no thread panics with it")
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut client = Connection::over(stream)?;
        let mut server: Option<Connection> = None;
        while let Some(mut request) = client.read_request()? {
            let fate = self.fate_of(&request);
            // The body goes on in one piece.
            request.headers.retain(|(name, _)| !["content-length", "transfer-encoding"].contains(&name.to_lowercase().as_str()));
            let answer = match fate {
                Some(Fate::Answered(answer)) => answer,
                Some(Fate::Hangs) => {
                    self.hang();
                    return Ok(());
                }
                Some(Fate::AnsweredAfter(answer)) => {
                    self.pass_on(&mut server, &request)?;
                    answer
                }
                Some(Fate::ReplyLost) => {
                    self.pass_on(&mut server, &request)?;
                    return Ok(());
                }
                Some(Fate::Slow(time)) => {
                    thread::sleep(time);
                    self.pass_on(&mut server, &request)?
                }
                None => self.pass_on(&mut server, &request)?,
            };
            client.send_answer(&framed(answer, request.method == "HEAD"))?;
        }
        Ok(())
    }

    fn fate_of(&self, request: &Request) -> Option<Fate> {
        let mut state = self.lock();
        state.requests += 1;
        let rule = state.rules.iter_mut().find(|rule| rule.times > 0 && (rule.picks)(request))?;
        rule.times -= 1;
        let fate = rule.fate.clone();
        state.struck += 1;
        Some(fate)
    }

    fn hang(&self) {
        let state = self.lock();
        let opened = state.opened;
        let waited = self.state.1.wait_while(state, |state| state.opened == opened);
        drop(waited.expect("no thread panics with it"));
    }

    fn pass_on(&self, server: &mut Option<Connection>, request: &Request) -> io::Result<Answer> {
        let mut connection = match server.take() {
            Some(connection) if connection.is_open() => connection,
            _ => Connection::open(self.server)?,
        };
        let answer = connection.exchange(request)?;
        *server = Some(connection);
        Ok(answer)
    }
}

/// With a length in place of whatever said it before.
fn framed(mut answer: Answer, head: bool) -> Answer {
    let framing = |name: &str| ["transfer-encoding", "connection", "keep-alive"].contains(&name.to_lowercase().as_str());
    answer.headers.retain(|(name, _)| !framing(name) && (head || !name.eq_ignore_ascii_case("content-length")));
    if !head {
        answer.headers.push(("Content-Length".to_owned(), answer.body.len().to_string().into_bytes()));
    }
    answer
}
