//! Attacks that break no rule, or none for long, and take connections, time or memory instead. Each holds what it took until the others were served for a
//! while.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use persistor_tests::waiting::{self, LIMIT};
use rustix::process::{Resource, getrlimit};

use crate::publishers::Beside;
use crate::victim::{MAX_BODY, Victim};
use crate::wire::{Tally, exchange};

/// So many messages of the others have to be taken while an attack lasts.
const MEANWHILE: usize = 200;
/// Between two bytes of who is slow.
const SLOW: Duration = Duration::from_millis(300);

/// A flood.
pub(crate) type Flood = fn(&Victim, &Beside) -> Tally;

/// Every flood, with the most files that the program may open where it is few.
pub(crate) const FLOODS: [(&str, Option<usize>, Flood); 10] = [
    ("slow heads", None, slow_heads),
    ("slow large heads", None, slow_large_heads),
    ("slow bodies of a length", None, |victim, others| slow_bodies(victim, others, Some(MAX_BODY))),
    ("slow bodies in chunks", None, |victim, others| slow_bodies(victim, others, None)),
    ("half of a body, then slow", None, half_bodies),
    ("idle connections", None, |victim, others| idle(victim, others, as_many_as_there_are())),
    ("idle connections, 256 files", Some(256), |victim, others| idle(victim, others, 1000)),
    ("replies that nobody reads", None, unread_replies),
    ("early ends", None, early_ends),
    ("connections that come and go", None, come_and_go),
];

fn connect(victim: &Victim) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", victim.port())).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
    stream
}

/// A byte to each now and then, until the end; what the other side has closed is left alone. Gives the others back.
fn trickle(mut streams: Vec<TcpStream>, bytes: &[u8], until: impl Fn(&[TcpStream]) -> bool) -> Vec<TcpStream> {
    let mut bytes = bytes.iter().cycle();
    while !until(&streams) {
        let byte = [*bytes.next().expect("it has no end")];
        streams.retain_mut(|stream| stream.write_all(&byte).is_ok() && is_open(stream));
        thread::sleep(SLOW);
    }
    streams
}

fn is_open(stream: &TcpStream) -> bool {
    let _ = stream.set_nonblocking(true);
    let waits = stream.peek(&mut [0]);
    let _ = stream.set_nonblocking(false);
    waits.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// What an attacker gets to see: a status, or the end.
fn end(mut stream: TcpStream) -> String {
    let mut start = [0; 12];
    match stream.read_exact(&mut start) {
        Ok(()) => String::from_utf8_lossy(&start[9..]).into_owned(),
        Err(_) => "closed".to_owned(),
    }
}

/// While `held` are held, the others go on.
fn meanwhile(others: &Beside, held: impl FnOnce(&dyn Fn() -> bool) + Send) {
    let served = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| held(&|| served.load(std::sync::atomic::Ordering::SeqCst)));
        others.wait_for(MEANWHILE);
        served.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}

/// A head has ten seconds; with a byte now and then it has no more.
fn slow_heads(victim: &Victim, _: &Beside) -> Tally {
    let count = 500;
    let streams: Vec<_> = (0..count).map(|_| connect(victim)).collect();
    let left = trickle(streams, b"POST /orders HTTP/1.1\r\nX: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", <[_]>::is_empty);
    assert!(left.is_empty());
    (0..count).map(|_| "closed".to_owned()).collect()
}

/// The room for large heads is taken; heads of the usual size need none of it.
fn slow_large_heads(victim: &Victim, others: &Beside) -> Tally {
    let mut streams: Vec<_> = (0..300).map(|_| connect(victim)).collect();
    let head = [format!("POST {} HTTP/1.1\r\nX: ", victim.path()).into_bytes(), vec![b'x'; 250 << 10]].concat();
    for stream in &mut streams {
        // What is not read is not taken, so it must not be waited for.
        stream.set_nonblocking(true).expect("it is ours");
        let _ = stream.write(&head);
        stream.set_nonblocking(false).expect("it is ours");
    }
    others.wait_for(MEANWHILE);
    streams.into_iter().map(|_| "held".to_owned()).collect()
}

/// A body of the largest size, of which a byte comes now and then: what it will need is not kept for it.
fn slow_bodies(victim: &Victim, others: &Beside, length: Option<usize>) -> Tally {
    let length = length.map_or("Transfer-Encoding: chunked".to_owned(), |length| format!("Content-Length: {length}"));
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n", victim.path());
    let mut streams: Vec<_> = (0..300).map(|_| connect(victim)).collect();
    for stream in &mut streams {
        stream.write_all(head.as_bytes()).expect("it is read");
    }
    let bytes: &[u8] = if length.starts_with('T') { b"1\r\n \r\n" } else { b" " };
    let mut held = 0;
    meanwhile(others, |served| held = trickle(streams, bytes, |_| served()).len());
    (0..300).map(|number| if number < held { "held".to_owned() } else { "refused".to_owned() }).collect()
}

/// Most of a large body at once, and no more of it: this takes the memory that it is sent for, but not for long.
fn half_bodies(victim: &Victim, others: &Beside) -> Tally {
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY}\r\n\r\n", victim.path());
    let body = vec![b' '; MAX_BODY / 4];
    let streams: Vec<_> = thread::scope(|scope| {
        let senders: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = connect(victim);
                    stream.set_write_timeout(Some(Duration::from_secs(1))).expect("a time limit");
                    // Some are refused before, and some have to wait.
                    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
                    stream
                })
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().expect("a sender does not panic")).collect()
    });
    let mut held = 0;
    meanwhile(others, |served| held = trickle(streams, b" ", |_| served()).len());
    (0..20).map(|number| if number < held { "held".to_owned() } else { "refused".to_owned() }).collect()
}

/// A third of the files that this process may open, since each function has its own attacker.
fn as_many_as_there_are() -> usize {
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    files.map_or(4000, |files| (files / 3).min(4000))
}

/// Connections over which nothing comes, as many as there may be and more.
fn idle(victim: &Victim, others: &Beside, count: usize) -> Tally {
    let streams: Vec<_> = (0..count).map(|_| connect(victim)).collect();
    others.wait_for(MEANWHILE);
    // Those without a place were closed for the sake of others.
    let held = streams.iter().filter(|stream| is_open(stream)).count();
    (0..count).map(|number| if number < held { "held".to_owned() } else { "closed".to_owned() }).collect()
}

/// Requests without end, whose replies stay where they are.
fn unread_replies(victim: &Victim, others: &Beside) -> Tally {
    let requests = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20_000);
    let mut streams: Vec<_> = (0..50).map(|_| connect(victim)).collect();
    for stream in &mut streams {
        stream.set_nonblocking(true).expect("it is ours");
        let mut rest = &requests[..];
        // As much as the program and the system take.
        while !rest.is_empty()
            && let Ok(sent) = stream.write(rest)
        {
            rest = &rest[sent..];
        }
    }
    others.wait_for(MEANWHILE);
    streams.into_iter().map(|_| "held".to_owned()).collect()
}

/// A push that ends after so many bytes, in each way in which a connection can end.
fn early_ends(victim: &Victim, _: &Beside) -> Tally {
    let whole = victim.wire("early");
    let head = whole.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let chunked = victim.request("early").chunked(16).wire();
    let chunked_head = chunked.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let mut ends = Tally::default();
    for (bytes, head) in [(&whole, head), (&chunked, chunked_head)] {
        // Every byte of what frames a message, and some of what is in it.
        let cuts = (0..bytes.len()).filter(|at| *at <= head + 40 || *at + 40 >= bytes.len() || at % 16 == 0);
        for cut in cuts {
            for way in [Shutdown::Write, Shutdown::Both] {
                let mut stream = connect(victim);
                stream.write_all(&bytes[..cut]).expect("it is read");
                stream.shutdown(way).expect("it is open");
                if way == Shutdown::Write {
                    ends.add(end(stream));
                } else {
                    ends.add("left");
                }
            }
        }
    }
    // Whole, and gone before the reply.
    for number in 0..50 {
        let id = format!("left-{number}");
        let mut stream = connect(victim);
        stream.write_all(&victim.wire(&id)).expect("it is read");
        victim.may_be_taken(id);
        ends.add("left");
    }
    assert!(ends.only(&["closed", "left", "400"]), "{ends}");
    // What was begun is let go.
    waiting::until("what was begun to end", || (victim.open_sockets() < 40).then_some(()));
    ends
}

/// Connections that are opened and closed as fast as can be, some with a refused request.
fn come_and_go(victim: &Victim, _: &Beside) -> Tally {
    let mut ends = Tally::default();
    for number in 0..2000 {
        if number % 4 == 0 {
            let (statuses, _) = exchange(victim.port(), b"nonsense\r\n\r\n", 1);
            assert_eq!(statuses, [400]);
            ends.add(400);
        } else {
            drop(connect(victim));
            ends.add("left");
        }
    }
    ends
}
