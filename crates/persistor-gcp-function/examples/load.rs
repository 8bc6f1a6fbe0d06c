//! Load for a running handler: `load PORT CONNECTIONS MESSAGES BYTES` pushes so many different messages of so many bytes over so many
//! connections, one at a time on each, and prints how many were acknowledged per second.
//!
//! Threads and plain sockets, so that the sender costs little beside what it measures.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use base64::Engine as _;

fn main() -> anyhow::Result<()> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [port, connections, messages, bytes] = numbers[..] else { anyhow::bail!("usage: load PORT CONNECTIONS MESSAGES BYTES") };
    let data = base64::engine::general_purpose::STANDARD.encode(vec![b'x'; bytes]);
    let (next, acknowledged) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let start = Instant::now();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let send = || -> anyhow::Result<()> {
            let stream = TcpStream::connect(("127.0.0.1", u16::try_from(port)?))?;
            stream.set_nodelay(true)?;
            let mut stream = BufReader::new(stream);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= messages {
                    return Ok(());
                }
                acknowledged.fetch_add(usize::from(push(&mut stream, number, &data)? == 204), Ordering::Relaxed);
            }
        };
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(send)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a connection's thread panicked"))?)
    })?;
    let (seconds, acknowledged) = (start.elapsed().as_secs_f64(), acknowledged.into_inner());
    println!("{acknowledged} of {messages} acknowledged in {seconds:.2} s: {:.0}/s", acknowledged as f64 / seconds);
    Ok(())
}

/// Sends one push and returns the status of its reply.
fn push(stream: &mut BufReader<TcpStream>, number: usize, data: &str) -> anyhow::Result<u16> {
    let body = format!(
        r#"{{"message":{{"data":"{data}","messageId":"{number}","publishTime":"2026-11-22T05:40:12.503Z","attributes":{{"source":"load"}}}},"subscription":"projects/p/subscriptions/s"}}"#
    );
    let head = format!(
        "POST /load HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.get_mut().write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    let (mut line, mut status, mut length) = (String::new(), 0, 0);
    loop {
        line.clear();
        anyhow::ensure!(stream.read_line(&mut line)? > 0, "the connection was closed");
        let text = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = text.strip_prefix("http/1.1 ") {
            status = rest.get(..3).unwrap_or_default().parse()?;
        } else if let Some(rest) = text.strip_prefix("content-length: ") {
            length = rest.parse()?;
        } else if text.is_empty() {
            stream.read_exact(&mut vec![0; length])?;
            return Ok(status);
        }
    }
}
