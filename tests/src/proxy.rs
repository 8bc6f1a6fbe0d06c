//! A proxy of bytes before a server on this machine, that cuts, stalls, half closes or drips a connection after so many bytes of one direction, or lets
//! nobody connect. It knows nothing of HTTP.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::ports;

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Request,
    /// From the server to the client.
    Reply,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Both sides are closed at once.
    Cut,
    /// Nothing passes any more, either way, and the connection stays open.
    Stall,
    /// This direction is shut down, and the other goes on.
    HalfClose,
    /// From there on this direction passes a byte at a time, with a pause after each.
    Drip,
}

/// One fault, at the moment when a byte behind `after` bytes of its direction has come and has not been passed on. So a reply that is cut after 0 is the answer to a
/// write that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub direction: Direction,
    /// Bytes since the connection was opened.
    pub after: u64,
    pub kind: Kind,
}

const DRIP: Duration = Duration::from_millis(1);
/// Bytes of each direction that are kept to be looked at.
const KEPT: usize = 64 * 1024;

/// A running proxy; dropped, it takes and passes nothing more.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: u16,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The fault, and how many connections still meet it.
    armed: Option<(Fault, usize)>,
    struck: usize,
    refusing: bool,
    stopped: bool,
    open: Vec<Arc<Link>>,
    taken: usize,
}

/// A connection and its other half.
#[derive(Debug)]
struct Link {
    client: TcpStream,
    server: TcpStream,
    stalled: AtomicBool,
    closed: AtomicBool,
    passed: Mutex<(Vec<u8>, Vec<u8>)>,
}

impl Proxy {
    /// Stands on a free port before a port of this machine.
    pub fn before(port: u16) -> Self {
        // One that stays its own while it refuses.
        let listener = TcpListener::bind(("127.0.0.1", ports::free())).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let proxy = Self { address, shared: Arc::new(Shared { server: port, state: Mutex::default() }) };
        proxy.serve(listener);
        proxy
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes what is open, and lets the next `times` connections meet the fault.
    pub fn arm(&self, fault: Fault, times: usize) {
        let mut state = self.shared.lock();
        state.close_all();
        (state.armed, state.struck) = (Some((fault, times)), 0);
    }

    /// Closes what is open, and lets everything pass.
    pub fn disarm(&self) {
        let mut state = self.shared.lock();
        state.close_all();
        state.armed = None;
    }

    /// How often the fault took place since it was armed.
    pub fn struck(&self) -> usize {
        self.shared.lock().struck
    }

    /// How many connections were taken in all.
    pub fn connections(&self) -> usize {
        self.shared.lock().taken
    }

    /// What passed over the connection that was opened last, in the direction of requests and in that of replies.
    pub fn last(&self) -> (Vec<u8>, Vec<u8>) {
        let link = self.shared.lock().open.last().expect("a connection was opened").clone();
        let passed = link.passed.lock().expect("no thread panics with it");
        passed.clone()
    }

    /// Closes everything; whoever connects is refused.
    pub fn refuse(&self) {
        self.shared.lock().refusing = true;
        // The listener's thread wakes up for this connection, and ends.
        let _ = TcpStream::connect(self.address);
        crate::waiting::until("the proxy to refuse", || TcpStream::connect(self.address).is_err().then_some(()));
        self.shared.lock().close_all();
    }

    /// Takes connections again, on the same port.
    pub fn accept(&self) {
        self.shared.lock().refusing = false;
        self.serve(TcpListener::bind(self.address).expect("our own port is free"));
    }

    fn serve(&self, listener: TcpListener) {
        let shared = self.shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().filter_map(Result::ok) {
                if shared.lock().ends() {
                    return;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", shared.server)) else { continue };
                let link = Link {
                    client,
                    server,
                    stalled: AtomicBool::new(false),
                    closed: AtomicBool::new(false),
                    passed: Mutex::default(),
                };
                let link = Arc::new(link);
                let fault = shared.lock().take(link.clone());
                for direction in [Direction::Request, Direction::Reply] {
                    let (shared, link) = (shared.clone(), link.clone());
                    let fault = fault.filter(|fault| fault.direction == direction);
                    thread::spawn(move || {
                        // A side that breaks ends the other as well.
                        if link.pass(direction, fault, &shared).is_err() {
                            link.close();
                        }
                    });
                }
            }
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        state.close_all();
        drop(state);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with it")
    }
}

impl State {
    fn ends(&self) -> bool {
        self.refusing || self.stopped
    }

    fn close_all(&mut self) {
        self.open.drain(..).for_each(|link| link.close());
    }

    fn take(&mut self, link: Arc<Link>) -> Option<Fault> {
        self.taken += 1;
        // Those whose threads have ended.
        self.open.retain(|link| Arc::strong_count(link) > 1);
        self.open.push(link);
        let (fault, times) = self.armed.as_mut()?;
        *times = times.checked_sub(1)?;
        Some(*fault)
    }
}

impl Link {
    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    /// Passes one direction on until it ends.
    fn pass(&self, direction: Direction, mut fault: Option<Fault>, shared: &Shared) -> io::Result<()> {
        let (mut from, mut to) = match direction {
            Direction::Request => (&self.client, &self.server),
            Direction::Reply => (&self.server, &self.client),
        };
        let (mut passed, mut dripping) = (0_u64, false);
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer)?;
            if self.stays_stalled() {
                return Ok(());
            }
            if read == 0 {
                return to.shutdown(Shutdown::Write);
            }
            let mut bytes = &buffer[..read];
            if let Some(Fault { after, kind, .. }) = fault
                && passed + bytes.len() as u64 > after
            {
                let (before, behind) = bytes.split_at(usize::try_from(after - passed).expect("less than the buffer"));
                self.write(direction, to, before)?;
                passed += before.len() as u64;
                bytes = behind;
                fault = None;
                shared.lock().struck += 1;
                match kind {
                    Kind::Cut => return Err(io::ErrorKind::ConnectionAborted.into()),
                    Kind::Stall => self.stalled.store(true, Ordering::SeqCst),
                    Kind::HalfClose => {
                        to.shutdown(Shutdown::Write)?;
                        // What still comes is taken and goes nowhere.
                        while from.read(&mut buffer)? > 0 {}
                        return Ok(());
                    }
                    Kind::Drip => dripping = true,
                }
            }
            if self.stays_stalled() {
                return Ok(());
            }
            if dripping {
                for byte in bytes {
                    self.write(direction, to, &[*byte])?;
                    thread::sleep(DRIP);
                }
            } else {
                self.write(direction, to, bytes)?;
            }
            passed += bytes.len() as u64;
            to.flush()?;
        }
    }

    /// Waits while the connection is stalled; true once it was closed meanwhile. Not even an end of the stream passes.
    fn stays_stalled(&self) -> bool {
        let stalled = || self.stalled.load(Ordering::SeqCst);
        while stalled() && !self.closed.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(10));
        }
        stalled()
    }

    fn write(&self, direction: Direction, mut to: &TcpStream, bytes: &[u8]) -> io::Result<()> {
        let mut passed = self.passed.lock().expect("no thread panics with it");
        let kept = if direction == Direction::Request { &mut passed.0 } else { &mut passed.1 };
        kept.extend_from_slice(&bytes[..bytes.len().min(KEPT - kept.len())]);
        drop(passed);
        to.write_all(bytes)
    }
}
