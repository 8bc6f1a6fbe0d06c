//! HTTP/1.1 as bytes on a connection: as much of it as a client that must send odd things, and a proxy, need.

use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;

use crate::waiting::LIMIT;

/// Names and values, as they came or are to go.
pub type Headers = Vec<(String, Vec<u8>)>;

/// A request as it will be sent: nothing is added but what says how long its body is.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Headers,
    pub body: Bytes,
    /// Send the body in chunks of so many bytes, without a Content-Length.
    pub chunked: Option<usize>,
}

/// A reply, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Headers,
    pub body: Bytes,
}

/// A connection that is kept alive.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Request {
    pub fn get(path: &str) -> Self {
        Self { method: "GET".to_owned(), path: path.to_owned(), headers: Vec::new(), body: Bytes::new(), chunked: None }
    }

    pub fn post(path: &str, body: impl Into<Bytes>) -> Self {
        Self { method: "POST".to_owned(), body: body.into(), ..Self::get(path) }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub fn chunked(mut self, size: usize) -> Self {
        self.chunked = Some(size);
        self
    }

    /// How many bytes it is on the wire.
    pub fn wire_length(&self) -> usize {
        self.head().len() + self.wire_body().iter().map(Bytes::len).sum::<usize>()
    }

    /// The whole request as it goes over the wire.
    pub fn wire(&self) -> Vec<u8> {
        [self.head(), self.wire_body().concat()].concat()
    }

    /// The bytes before the body.
    fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        if header(&self.headers, "host").is_none() {
            head.extend_from_slice(b"Host: 127.0.0.1\r\n");
        }
        let length = match self.chunked {
            Some(_) => "Transfer-Encoding: chunked\r\n\r\n".to_owned(),
            None => format!("Content-Length: {}\r\n\r\n", self.body.len()),
        };
        head.extend_from_slice(length.as_bytes());
        head
    }

    /// The body as it goes over the wire.
    fn wire_body(&self) -> Vec<Bytes> {
        let Some(size) = self.chunked else { return vec![self.body.clone()] };
        let mut wire = Vec::new();
        for chunk in self.body.chunks(size) {
            wire.push(Bytes::from(format!("{:x}\r\n", chunk.len())));
            wire.push(self.body.slice_ref(chunk));
            wire.push(Bytes::from_static(b"\r\n"));
        }
        wire.push(Bytes::from_static(b"0\r\n\r\n"));
        wire
    }
}

impl Connection {
    /// Connects to a port of this machine.
    pub fn open(port: u16) -> io::Result<Self> {
        Self::over(TcpStream::connect(("127.0.0.1", port))?)
    }

    pub fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        // A peer that says nothing for so long is stuck; a test must fail, not hang.
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self(BufReader::with_capacity(64 * 1024, stream)))
    }

    /// Gives the other side so long for each read and write, instead of [`LIMIT`].
    pub fn set_time_limit(&self, limit: Duration) -> io::Result<()> {
        self.0.get_ref().set_read_timeout(Some(limit))?;
        self.0.get_ref().set_write_timeout(Some(limit))
    }

    /// Whether the other side has not closed it; to be asked between two requests.
    pub fn is_open(&self) -> bool {
        let stream = self.0.get_ref();
        let waits = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
        stream.set_nonblocking(false).is_ok() && waits.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and reads its reply.
    pub fn exchange(&mut self, request: &Request) -> io::Result<Answer> {
        self.exchange_holding(request, || {})
    }

    /// The same; `hold` is called when all but the body's last byte has been sent.
    pub fn exchange_holding(&mut self, request: &Request, hold: impl FnOnce()) -> io::Result<Answer> {
        let sent = self.send(request, hold);
        // A server may refuse a body while it is being sent: its reply counts, not that the rest could not be sent.
        match self.read_answer(&request.method) {
            Ok(answer) => Ok(answer),
            Err(error) => Err(sent.err().unwrap_or(error)),
        }
    }

    /// Sends at most so many bytes of a request, and does not wait for a reply.
    pub fn send_first(&mut self, bytes: usize, request: &Request) -> io::Result<()> {
        let mut left = bytes;
        for part in std::iter::once(Bytes::from(request.head())).chain(request.wire_body()) {
            let part = &part[..part.len().min(left)];
            self.0.get_mut().write_all(part)?;
            left -= part.len();
        }
        Ok(())
    }

    /// Sends bytes as they are, whatever they mean.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Another handle of the connection, to send on while something else reads.
    pub fn writer(&self) -> io::Result<TcpStream> {
        self.0.get_ref().try_clone()
    }

    /// The next reply, to whatever was sent; nothing if the peer has closed the connection.
    pub fn next_answer(&mut self) -> io::Result<Option<Answer>> {
        if self.0.fill_buf()?.is_empty() { Ok(None) } else { self.read_answer("").map(Some) }
    }

    fn send(&mut self, request: &Request, hold: impl FnOnce()) -> io::Result<()> {
        let stream = self.0.get_mut();
        let sent = stream.write_all(&request.head()).and_then(|()| {
            let mut wire = request.wire_body();
            let last = wire.pop().unwrap_or_default();
            wire.iter().try_for_each(|part| stream.write_all(part))?;
            let end = last.len().saturating_sub(1);
            stream.write_all(&last[..end]).map(|()| last.slice(end..))
        });
        // Held in any case: others may wait for this one at a barrier.
        hold();
        stream.write_all(&sent?)
    }

    pub fn send_answer(&mut self, answer: &Answer) -> io::Result<()> {
        let mut wire = format!("HTTP/1.1 {} \r\n", answer.status).into_bytes();
        for (name, value) in &answer.headers {
            wire.extend_from_slice(name.as_bytes());
            wire.extend_from_slice(b": ");
            wire.extend_from_slice(value);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(&answer.body);
        self.0.get_mut().write_all(&wire)
    }

    /// Reads a request; nothing if the peer has closed the connection between requests.
    pub fn read_request(&mut self) -> io::Result<Option<Request>> {
        if self.0.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let (start, headers) = self.read_head()?;
        let mut words = start.split(' ').map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else { return Err(bad("no request line")) };
        let body = self.read_body(&headers)?;
        Ok(Some(Request { method, path, headers, body, chunked: None }))
    }

    fn read_answer(&mut self, method: &str) -> io::Result<Answer> {
        loop {
            let (start, headers) = self.read_head()?;
            let status = start.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(|| bad("no status line"))?;
            // 100 Continue is not the reply yet.
            if status >= 200 {
                // The length in a reply to HEAD is that of another reply.
                let without = matches!(status, 204 | 304) || method == "HEAD";
                let body = if without { Bytes::new() } else { self.read_body(&headers)? };
                return Ok(Answer { status, headers, body });
            }
        }
    }

    fn read_head(&mut self) -> io::Result<(String, Headers)> {
        let start = self.read_line()?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok((String::from_utf8_lossy(&start).into_owned(), headers));
            }
            let colon = line.iter().position(|byte| *byte == b':').ok_or_else(|| bad("a header without a colon"))?;
            let name = String::from_utf8_lossy(&line[..colon]).into_owned();
            headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
        }
    }

    fn read_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line)?;
        match line.pop() {
            Some(b'\n') => Ok(line.strip_suffix(b"\r").unwrap_or(&line).to_vec()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn read_body(&mut self, headers: &Headers) -> io::Result<Bytes> {
        let mut body = Vec::new();
        if header(headers, "transfer-encoding").is_some() {
            loop {
                let size = String::from_utf8_lossy(&self.read_line()?).into_owned();
                let size = u64::from_str_radix(size.trim(), 16).map_err(|_| bad("no chunk size"))?;
                (&mut self.0).take(size).read_to_end(&mut body)?;
                self.read_line()?;
                if size == 0 {
                    return Ok(body.into());
                }
            }
        }
        let length = header(headers, "content-length").map_or(Ok(0), str::parse).map_err(|_| bad("no length"))?;
        (&mut self.0).take(length).read_to_end(&mut body)?;
        if body.len() as u64 == length { Ok(body.into()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// The first header of a name, if it is text.
pub fn header<'a>(headers: &'a [(String, Vec<u8>)], name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(value).ok()
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
