//! Sending many requests at once, each over a connection of its own.

use std::io;
use std::sync::Barrier;
use std::thread;

use crate::http::{Answer, Connection, Request};
use crate::waiting;

/// Sends one request over a new connection.
pub fn send(port: u16, request: &Request) -> io::Result<Answer> {
    Connection::open(port)?.exchange(request)
}

/// Sends requests until one is acknowledged, and gives the statuses of all but the last. A connection that broke counts as 0.
///
/// # Panics
/// If none is acknowledged.
pub fn send_until_acknowledged(port: u16, request: &Request) -> Vec<u16> {
    let mut refused = Vec::new();
    waiting::until("an acknowledgement", || match send(port, request) {
        Ok(answer) if answer.status == 204 => Some(()),
        Ok(answer) => {
            refused.push(answer.status);
            None
        }
        Err(_) => {
            refused.push(0);
            None
        }
    });
    refused
}

/// Sends all at once, each over its own connection, and gives what came of each.
pub fn send_all(port: u16, requests: &[Request]) -> Vec<io::Result<Answer>> {
    at_once(requests, |request| send(port, request))
}

/// The same, but the last byte of no request is sent before the program has taken in as much of the others as it will: so they are
/// all in flight at one moment, in the program and not on the way to it.
pub fn send_all_together(port: u16, requests: &[Request]) -> Vec<io::Result<Answer>> {
    let barrier = Barrier::new(requests.len());
    let hold = || {
        if barrier.wait().is_leader() {
            wait_until_taken_in(port);
        }
        barrier.wait();
    };
    at_once(requests, |request| {
        // One that cannot even connect must not leave the others at the barrier.
        match Connection::open(port) {
            Ok(mut connection) => connection.exchange_holding(request, hold),
            Err(error) => {
                hold();
                Err(error)
            }
        }
    })
}

/// Waits until what waits in the system's buffers for a program does not change any more.
fn wait_until_taken_in(port: u16) {
    let (mut last, mut same) = (u64::MAX, 0);
    waiting::until("requests to be taken in", || {
        let waiting = unread(port);
        same = if waiting == last { same + 1 } else { 0 };
        last = waiting;
        (same >= 10).then_some(())
    });
}

/// Bytes that have arrived at a port of this machine and are not read yet.
fn unread(port: u16) -> u64 {
    let local = format!(":{port:04X}");
    // A line is: number, local address, remote address, state, bytes to send ":" bytes to read, all in hex.
    let of_line = |line: &str| -> Option<u64> {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (_, read) = fields.get(4)?.split_once(':')?;
        fields.get(1)?.ends_with(&local).then(|| u64::from_str_radix(read, 16).ok())?
    };
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    tables.iter().flat_map(|table| table.lines()).filter_map(of_line).sum()
}

/// Runs one thread per request.
fn at_once(requests: &[Request], send: impl Fn(&Request) -> io::Result<Answer> + Sync) -> Vec<io::Result<Answer>> {
    thread::scope(|scope| {
        let threads: Vec<_> = requests.iter().map(|request| scope.spawn(|| send(request))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a sender does not panic")).collect()
    })
}

/// The statuses of replies; none where there was no reply.
pub fn statuses(answers: &[io::Result<Answer>]) -> Vec<Option<u16>> {
    answers.iter().map(|answer| answer.as_ref().ok().map(|answer| answer.status)).collect()
}
