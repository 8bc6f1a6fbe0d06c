//! A double of the Azure Functions host: it starts the custom handler, sends it invocations, judges its replies, and keeps it running, by the rules that are read in the
//! host's source. It is derived from that source; nothing of it was compared with the real host.
//!
//! What an invocation looks like is [`crate::invocation`]'s; who sends them, and what a failure costs, is the brokers':
//! [`crate::service_bus`], [`crate::event_hubs`], [`crate::event_grid`].

mod verdict;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::function_app::FunctionApp;
use crate::http::{Connection, Request, header};
use crate::invocation::{Invocation, System, guid};
use crate::logs::Logs;
use crate::ports;
use crate::program::{Program, Setup};
use crate::random::Random;
use crate::waiting;

pub use verdict::Verdict;
use worker::{Errors, Next, State};

/// The version that it says it is.
const VERSION: &str = "4.1052.200.0";
/// The sizes of the chunks in which a body is sent.
const CHUNK: usize = 4096;
/// Between two looks at the worker.
const WATCH: Duration = Duration::from_millis(5);

/// Why an invocation failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// By its reply, which was this.
    Refused(String),
    /// By the time that it took; its worker was killed for it.
    TimedOut,
    /// By the worker's end.
    Broken,
    /// Nobody listened.
    Unreached,
    /// The worker answered, and its answer was lost on the way.
    ReplyLost,
    /// The application was stopped before.
    Stopped,
}

/// A running host; dropped, it kills its worker.
#[derive(Debug)]
pub struct FunctionsHost {
    shared: Arc<Shared>,
    /// The app's folder, which a worker reads at each start.
    app: Option<FunctionApp>,
}

#[derive(Debug)]
struct Shared {
    /// How the worker is started; none is where a test answers in its place.
    setup: Option<Setup>,
    port: u16,
    timeout: Duration,
    state: Mutex<Host>,
    changed: Condvar,
    idle: Mutex<Vec<Connection>>,
    random: Mutex<Random>,
}

#[derive(Debug)]
struct Host {
    state: State,
    worker: Option<Program>,
    /// How often the worker was started; it says which worker an invocation was sent to.
    starts: u64,
    errors: Errors,
    exits: Vec<ExitStatus>,
    /// What all workers said, to standard output and to standard error.
    said: Vec<(Logs, Logs)>,
    /// Replies that are going to be lost.
    lose: usize,
    invocations: usize,
    failures: BTreeMap<Failure, usize>,
    /// What no handler may do.
    faults: Vec<String>,
    ended: bool,
}

impl FunctionsHost {
    /// Starts the worker for an app and waits until it is ready. An invocation that takes longer than `function_timeout` costs the worker its life.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn start(app: FunctionApp, setup: Setup, function_timeout: Duration) -> Self {
        let mut host = Self::start_alone(setup, function_timeout);
        host.app = Some(app);
        host
    }

    /// The same for a worker that needs no app.
    pub fn start_alone(setup: Setup, function_timeout: Duration) -> Self {
        let host = Self::new(Some(setup), ports::free(), function_timeout);
        host.start_worker();
        let shared = host.shared.clone();
        thread::spawn(move || shared.watch());
        waiting::until("the worker to become ready", || {
            let state = host.lock();
            assert!(state.state != State::Stopped, "the worker did not become ready: {:?}", state.exits);
            (state.state == State::Initialized).then_some(())
        });
        host
    }

    /// A host whose worker is no process: whatever listens on this port.
    pub fn before(port: u16, function_timeout: Duration) -> Self {
        let host = Self::new(None, port, function_timeout);
        host.lock().state = State::Initialized;
        host
    }

    fn new(setup: Option<Setup>, port: u16, timeout: Duration) -> Self {
        let host = Host {
            state: State::Starting,
            worker: None,
            starts: 0,
            errors: Errors::default(),
            exits: Vec::new(),
            said: Vec::new(),
            lose: 0,
            invocations: 0,
            failures: BTreeMap::new(),
            faults: Vec::new(),
            ended: false,
        };
        let shared = Shared {
            setup,
            port,
            timeout,
            state: Mutex::new(host),
            changed: Condvar::new(),
            idle: Mutex::default(),
            random: Mutex::new(Random::new(u64::from(port))),
        };
        Self { shared: Arc::new(shared), app: None }
    }

    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// What it adds to the next invocation.
    pub fn system(&self) -> System {
        System::now(&mut self.shared.random.lock().expect("no thread panics with it"))
    }

    /// Sends one invocation, and gives what came of it.
    ///
    /// # Errors
    /// Where it failed.
    pub fn invoke(&self, invocation: &Invocation) -> Result<(), Failure> {
        let result = self.shared.invoke(invocation);
        let mut host = self.lock();
        host.invocations += 1;
        if let Err(failure) = &result {
            *host.failures.entry(failure.clone()).or_default() += 1;
        }
        result
    }

    /// Kills the worker, as a lack of memory would.
    pub fn kill_worker(&self) {
        if let Some(worker) = &mut self.lock().worker
            && worker.status().is_none()
        {
            worker.kill9();
        }
    }

    /// Asks the worker to end, and does not wait. The host itself never does so; the platform does.
    pub fn terminate_worker(&self) {
        if let Some(worker) = &mut self.lock().worker {
            worker.terminate();
        }
    }

    /// Stops the worker where it is for so long, with all that is under way in it.
    pub fn pause_worker(&self, time: Duration) {
        let start = self.starts();
        let signal = |go_on: bool| {
            let mut host = self.lock();
            if host.starts == start
                && let Some(worker) = &mut host.worker
                && worker.status().is_none()
            {
                if go_on { worker.go_on() } else { worker.pause() }
            }
        };
        signal(false);
        thread::sleep(time);
        signal(true);
    }

    /// What the platform does with a host that has stopped, or whose instance is gone: another one takes its place.
    pub fn replace(&self) {
        let mut host = self.lock();
        // Dropped, it is killed.
        drop(host.worker.take());
        host.errors = Errors::default();
        drop(host);
        self.start_worker();
    }

    /// Loses the replies to so many of the next invocations after the worker gave them.
    pub fn lose_replies(&self, count: usize) {
        self.lock().lose = count;
    }

    /// How often the worker was started.
    pub fn starts(&self) -> u64 {
        self.lock().starts
    }

    /// How the workers ended that did.
    pub fn exits(&self) -> Vec<ExitStatus> {
        self.lock().exits.clone()
    }

    pub fn has_stopped(&self) -> bool {
        self.lock().state == State::Stopped
    }

    /// How many invocations were sent.
    pub fn invocations(&self) -> usize {
        self.lock().invocations
    }

    /// Failed invocations, by why they failed.
    pub fn failures(&self) -> BTreeMap<Failure, usize> {
        self.lock().failures.clone()
    }

    /// The most memory that the worker has held at once so far, in bytes.
    ///
    /// # Panics
    /// If there is none.
    pub fn peak_memory(&self) -> u64 {
        self.lock().worker.as_ref().expect("a worker").peak_memory()
    }

    /// The same, where there is a worker.
    pub fn peak_memory_if_running(&self) -> Option<u64> {
        let mut host = self.lock();
        let worker = host.worker.as_mut()?;
        worker.status().is_none().then(|| worker.peak_memory())
    }

    /// Every line that any worker wrote so far, to standard output and to standard error.
    pub fn lines(&self) -> (Vec<String>, Vec<String>) {
        let said = self.lock().said.clone();
        (
            said.iter().flat_map(|(output, _)| output.lines()).collect(),
            said.iter().flat_map(|(_, errors)| errors.lines()).collect(),
        )
    }

    /// Holds against the worker what no custom handler may do: redirect, or give no reply that the host takes for one.
    ///
    /// # Panics
    /// If it did.
    pub fn assert_no_faults(&self) {
        let faults = self.lock().faults.clone();
        assert!(faults.is_empty(), "{} faults: {}", faults.len(), faults.join(", "));
    }

    fn lock(&self) -> MutexGuard<'_, Host> {
        self.shared.lock()
    }

    fn start_worker(&self) {
        self.shared.start_worker(&mut self.lock());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Host> {
        self.state.lock().expect("no thread panics with it")
    }

    fn start_worker(&self, host: &mut Host) {
        let Some(setup) = &self.setup else { return };
        let program = worker::start(setup, self.port);
        host.said.push((program.logs().clone(), program.errors().clone()));
        host.worker = Some(program);
        host.starts += 1;
        host.state = State::Starting;
        self.changed.notify_all();
    }

    /// Looks after the worker until the host ends.
    fn watch(&self) {
        loop {
            let mut host = self.lock();
            if host.ended {
                return;
            }
            if let Some(status) = host.worker.as_mut().and_then(Program::status) {
                let worker = host.worker.take();
                self.after_exit(&mut host, status);
                drop(host);
                // Its last lines are read out.
                drop(worker);
                continue;
            }
            let starting = host.state == State::Starting;
            let start = host.starts;
            drop(host);
            if starting {
                let gone = || {
                    let mut host = self.lock();
                    host.ended || host.starts != start || host.worker.as_mut().is_none_or(|worker| worker.status().is_some())
                };
                let ready = worker::wait_until_ready(self.port, gone);
                let mut host = self.lock();
                if host.starts == start && host.worker.as_mut().is_some_and(|worker| worker.status().is_none()) {
                    host.state = if ready { State::Initialized } else { State::Stopped };
                    self.changed.notify_all();
                }
            }
            thread::sleep(WATCH);
        }
    }

    fn after_exit(&self, host: &mut Host, status: ExitStatus) {
        host.exits.push(status);
        match host.errors.after_exit(worker::exit_code(status), Instant::now()) {
            // The dispatcher still takes itself for initialised.
            Next::Nothing => host.state = State::Initialized,
            Next::Restart => self.start_worker(host),
            Next::StopApplication => host.state = State::Stopped,
        }
        self.changed.notify_all();
    }

    fn invoke(&self, invocation: &Invocation) -> Result<(), Failure> {
        let start = self.wait_until_initialized()?;
        let began = Instant::now();
        let mut connection = match self.idle.lock().expect("no thread panics with it").pop() {
            Some(connection) if connection.is_open() => connection,
            _ => Connection::open(self.port).map_err(|_| Failure::Unreached)?,
        };
        connection.set_time_limit(self.timeout).map_err(|_| Failure::Broken)?;
        let answer = connection.exchange(&self.request(invocation)).map_err(|error| {
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
                self.time_out(start);
                Failure::TimedOut
            } else {
                Failure::Broken
            }
        })?;
        if self.loses() {
            return Err(Failure::ReplyLost);
        }
        let verdict = Verdict::of(&answer);
        let closes = header(&answer.headers, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if !closes {
            self.idle.lock().expect("no thread panics with it").push(connection);
        }
        match verdict {
            Verdict::Succeeded => Ok(()),
            Verdict::Failed(reason) => Err(Failure::Refused(reason)),
            Verdict::Redirected => {
                self.note(format!("a redirect with status {}", answer.status));
                Err(Failure::Refused(format!("status {}", answer.status)))
            }
            Verdict::Hangs => {
                self.note(format!("a reply without an object, with status {}", answer.status));
                Err(self.hang(start, began))
            }
        }
    }

    fn request(&self, invocation: &Invocation) -> Request {
        let guid = guid(&mut self.random.lock().expect("no thread panics with it"));
        Request::post(&format!("/{}", invocation.function), invocation.body.clone())
            .header("Host", format!("127.0.0.1:{}", self.port))
            .header("X-Azure-Functions-HostVersion", VERSION)
            .header("X-Azure-Functions-InvocationId", guid)
            .header("User-Agent", format!("Azure-Functions-Host/{VERSION}"))
            .header("Content-Type", "application/json; charset=utf-8")
            .chunked(CHUNK)
    }

    /// The worker that invocations go to now.
    fn wait_until_initialized(&self) -> Result<u64, Failure> {
        let host = self.lock();
        let starting = |host: &mut Host| host.state == State::Starting && !host.ended;
        let (host, waited) = self.changed.wait_timeout_while(host, waiting::LIMIT, starting).expect("no thread panics with it");
        assert!(!waited.timed_out(), "the worker neither starts nor ends");
        if host.state == State::Stopped || host.ended { Err(Failure::Stopped) } else { Ok(host.starts) }
    }

    fn loses(&self) -> bool {
        let mut host = self.lock();
        let loses = host.lose > 0;
        host.lose = host.lose.saturating_sub(1);
        loses
    }

    /// An invocation without a result: it ends with its time, or with its worker.
    fn hang(&self, start: u64, began: Instant) -> Failure {
        let host = self.lock();
        let rest = self.timeout.saturating_sub(began.elapsed());
        let same = |host: &mut Host| host.starts == start && !host.ended;
        let (host, waited) = self.changed.wait_timeout_while(host, rest, same).expect("no thread panics with it");
        drop(host);
        if waited.timed_out() {
            self.time_out(start);
            Failure::TimedOut
        } else {
            Failure::Broken
        }
    }

    /// The worker that an invocation took too long in is killed and started again, whatever else it was doing; that counts as no error.
    fn time_out(&self, start: u64) {
        let mut host = self.lock();
        if host.starts == start && !host.ended {
            drop(host.worker.take());
            host.starts += u64::from(self.setup.is_none());
            self.start_worker(&mut host);
            self.changed.notify_all();
        }
    }

    fn note(&self, fault: String) {
        self.lock().faults.push(fault);
    }
}

impl Drop for FunctionsHost {
    fn drop(&mut self) {
        let mut host = self.lock();
        if thread::panicking() {
            let Host { state, starts, exits, failures, .. } = &*host;
            eprintln!(
                "--- the host is {state:?} after {starts} starts; workers ended with {exits:?}; failed invocations: {failures:?}"
            );
        }
        host.ended = true;
        let worker = host.worker.take();
        drop(host);
        self.shared.changed.notify_all();
        drop(worker);
        drop(self.app.take());
    }
}
