//! A double of the server that has Google's keys: it counts who asks, and answers as a test tells it to. The form of its answer is that of
//! `https://www.googleapis.com/oauth2/v3/certs`: a set of JSON Web Keys (RFC 7517) for RS256, with `Cache-Control: public, max-age=…`.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};

use crate::http::{Answer, Connection};

/// What it does with a request.
#[derive(Clone, Debug)]
pub enum Does {
    /// It answers with these keys.
    Has(Vec<Value>),
    /// It answers so.
    Says(u16, Vec<u8>),
    /// It sends the asker to this address.
    SendsTo(String),
    /// It closes the connection without a word.
    Breaks,
    /// It neither answers nor closes, until it is told to do something else.
    Hangs,
}

/// The running double; it ends with the test's process.
#[derive(Clone, Debug)]
pub struct KeyServer {
    port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug)]
struct State {
    does: Does,
    fetches: usize,
}

impl KeyServer {
    /// Starts one with these keys.
    ///
    /// # Panics
    /// If there is no free port.
    pub fn start(keys: Vec<Value>) -> Self {
        Self::start_at(0, keys)
    }

    /// The same at a port, where nothing was before.
    ///
    /// # Panics
    /// If something listens there.
    pub fn start_at(port: u16, keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let state = State { does: Does::Has(keys), fetches: 0 };
        let server = Self { port, state: Arc::new((Mutex::new(state), Condvar::new())) };
        let for_thread = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let server = for_thread.clone();
                // A connection that breaks is the client's affair.
                thread::spawn(move || server.serve(stream).ok());
            }
        });
        server
    }

    /// For `PERSISTOR_OIDC_KEYS`.
    pub fn url(&self) -> String {
        url_at(self.port)
    }

    /// What it does from now on, also with who is waiting.
    pub fn does(&self, does: Does) {
        self.lock().does = does;
        self.state.1.notify_all();
    }

    /// How often it was asked.
    pub fn fetches(&self) -> usize {
        self.lock().fetches
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().expect("no thread panics with it")
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut connection = Connection::over(stream)?;
        while let Some(request) = connection.read_request()? {
            let mut state = self.lock();
            state.fetches += 1;
            let state =
                self.state.1.wait_while(state, |state| matches!(state.does, Does::Hangs)).expect("no thread panics with it");
            let does = state.does.clone();
            drop(state);
            let (status, name, value, body) = match does {
                _ if request.method != "GET" || request.path != PATH => (404, "X-Was", "nothing".to_owned(), Vec::new()),
                Does::Has(keys) => (
                    200,
                    "Cache-Control",
                    "public, max-age=19845, must-revalidate, no-transform".to_owned(),
                    json!({ "keys": keys }).to_string().into_bytes(),
                ),
                Does::Says(status, body) => (status, "Cache-Control", "no-cache".to_owned(), body),
                Does::SendsTo(address) => (302, "Location", address, Vec::new()),
                Does::Breaks | Does::Hangs => return Ok(()),
            };
            let headers = vec![
                (name.to_owned(), value.into_bytes()),
                ("Content-Type".to_owned(), b"application/json; charset=UTF-8".to_vec()),
                ("Content-Length".to_owned(), body.len().to_string().into_bytes()),
            ];
            connection.send_answer(&Answer { status, headers, body: body.into() })?;
        }
        Ok(())
    }
}

const PATH: &str = "/oauth2/v3/certs";

/// The address of a server at this port, whether there is one or not.
pub fn url_at(port: u16) -> String {
    format!("http://127.0.0.1:{port}{PATH}")
}
