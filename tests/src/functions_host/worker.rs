//! The custom handler as the host's child: when it is ready, and what becomes of it when it ends. Read in `WorkerProcess.cs` and in
//! `HttpFunctionInvocationDispatcher.cs`.

use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{Connection, Request};
use crate::program::{Program, Setup};

/// Between two questions whether it is ready.
const POLL: Duration = Duration::from_millis(25);
/// The time that it has to become ready.
const INITIALIZATION: Duration = Duration::from_secs(30);
/// So many errors, each not longer than this after the one before, end the host.
const ERRORS: usize = 3;
const ERROR_SPACING: Duration = Duration::from_secs(30 * 60);

/// Whether invocations are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It starts, for the first time or again: invocations wait.
    Starting,
    /// It has answered once. Invocations are sent, even when nobody is there any more.
    Initialized,
    /// The application was stopped.
    Stopped,
}

/// What the host does once its worker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing at all.
    Nothing,
    Restart,
    StopApplication,
}

/// The errors that the host remembers.
#[derive(Debug, Default)]
pub(super) struct Errors(Vec<Instant>);

impl Errors {
    /// The worker ended with this code.
    pub(super) fn after_exit(&mut self, code: i32, now: Instant) -> Next {
        match code {
            0 => Next::Nothing,
            200 => Next::Restart,
            _ => {
                if self.0.last().is_some_and(|last| now.duration_since(*last) > ERROR_SPACING) {
                    self.0.clear();
                }
                self.0.push(now);
                if self.0.len() < ERRORS { Next::Restart } else { Next::StopApplication }
            }
        }
    }
}

/// The code as .NET sees it.
pub(super) fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// Starts the worker with what the host gives it.
pub(super) fn start(setup: &Setup, port: u16) -> Program {
    let port = port.to_string();
    let setup = setup.clone().set("FUNCTIONS_CUSTOMHANDLER_PORT", port.clone()).set("FUNCTIONS_HTTPWORKER_PORT", port);
    let id = "9b2f4c56-0d0e-4a5e-8a5c-6d1f0a3b7c11";
    setup.set("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", id).set("FUNCTIONS_HTTPWORKER_ID", id).spawn()
}

/// Asks until there is any answer; false where there was none in time, or `ended` says that there will be none.
pub(super) fn wait_until_ready(port: u16, ended: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < INITIALIZATION && !ended() {
        if Connection::open(port).and_then(|mut connection| connection.exchange(&Request::get("/"))).is_ok() {
            return true;
        }
        thread::sleep(POLL);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_never_started_again_and_200_always() {
        let now = Instant::now();
        let mut errors = Errors::default();
        assert_eq!(errors.after_exit(0, now), Next::Nothing);
        for _ in 0..10 {
            assert_eq!(errors.after_exit(200, now), Next::Restart);
        }
        assert_eq!([1, 137, 2].map(|code| errors.after_exit(code, now)), [Next::Restart, Next::Restart, Next::StopApplication]);
    }

    #[test]
    fn errors_long_ago_are_forgotten() {
        let now = Instant::now();
        let minutes = |count: u64| now + Duration::from_secs(60 * count);
        let mut errors = Errors::default();
        let spaced = [0, 29, 60, 89, 118].map(|count| errors.after_exit(2, minutes(count)));
        assert_eq!(spaced, [Next::Restart, Next::Restart, Next::Restart, Next::Restart, Next::StopApplication]);
    }
}
