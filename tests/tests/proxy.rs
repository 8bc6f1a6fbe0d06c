//! The proxy of faults does what it says; else the tests that lean on it show nothing.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use persistor_tests::proxy::{Direction, Fault, Kind, Proxy};

/// A server that reads to the end of what is sent, and then sends it all back.
fn echo() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().filter_map(Result::ok) {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = stream.read_to_end(&mut bytes);
                let _ = stream.write_all(&bytes);
            });
        }
    });
    port
}

/// Sends ten bytes; gives what came back, and whether the connection was closed after it.
fn ask(proxy: &Proxy) -> (Vec<u8>, bool) {
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).expect("the proxy listens");
    stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    let _ = stream.write_all(b"0123456789");
    let _ = stream.shutdown(Shutdown::Write);
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes);
    let timed_out =
        ended.is_err_and(|error| matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut));
    (bytes, !timed_out)
}

#[test]
fn every_fault_strikes_where_it_is_told_to() {
    let proxy = Proxy::before(echo());
    let all = b"0123456789".to_vec();
    assert_eq!(ask(&proxy), (all.clone(), true));
    assert_eq!(proxy.last(), (all.clone(), all.clone()));
    let fault = |direction, after, kind| Fault { direction, after, kind };
    for (fault, expected) in [
        (fault(Direction::Request, 0, Kind::Cut), (vec![], true)),
        (fault(Direction::Request, 5, Kind::Cut), (vec![], true)),
        (fault(Direction::Reply, 0, Kind::Cut), (vec![], true)),
        (fault(Direction::Reply, 4, Kind::Cut), (b"0123".to_vec(), true)),
        (fault(Direction::Request, 0, Kind::Stall), (vec![], false)),
        (fault(Direction::Reply, 3, Kind::Stall), (b"012".to_vec(), false)),
        (fault(Direction::Request, 6, Kind::HalfClose), (b"012345".to_vec(), true)),
        (fault(Direction::Reply, 2, Kind::HalfClose), (b"01".to_vec(), true)),
        (fault(Direction::Request, 2, Kind::Drip), (all.clone(), true)),
    ] {
        proxy.arm(fault, 1);
        assert_eq!(ask(&proxy), expected, "{fault:?}");
        assert_eq!(proxy.struck(), 1, "{fault:?}");
        assert_eq!(ask(&proxy), (all.clone(), true), "only one connection meets {fault:?}");
    }
    // One that is never reached.
    proxy.arm(fault(Direction::Reply, 10, Kind::Cut), usize::MAX);
    assert_eq!((ask(&proxy), proxy.struck()), ((all, true), 0));
}

#[test]
fn it_refuses_and_takes_connections_again() {
    let proxy = Proxy::before(echo());
    ask(&proxy);
    proxy.refuse();
    assert!(TcpStream::connect(("127.0.0.1", proxy.port())).is_err());
    proxy.accept();
    assert_eq!(ask(&proxy).0, b"0123456789");
}
