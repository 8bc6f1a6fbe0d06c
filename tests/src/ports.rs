//! Ports that stay a program's own while it is down.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below where Linux takes the ports of outgoing connections from: one of those could take the port of a program that is down, or a
/// client that tries to reach it could even meet itself.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port that nothing listens on now, and that is given out once in this process.
///
/// # Panics
/// If all are taken.
pub fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() * 37 % u32::from(COUNT)).expect("it is below the count");
    let ports = (0..COUNT).map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT);
    ports.into_iter().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}
