//! Requests that break a rule, bend one, or lie: each as the bytes that are sent, the replies that have to come, and whether the connection can be
//! used afterwards. What is behind a refused request is never read as another one where it could have been meant as its body.

use crate::victim::{MAX_BODY, Victim};

/// What becomes of a connection after the replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Another request is answered over it.
    Open,
    /// It is closed, and nothing behind is answered.
    Closed,
    /// One or the other: what was left of a body had come already, or not. It is no request in either case.
    Either,
}

/// One exchange.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) replies: Vec<u16>,
    pub(crate) end: End,
    /// Ids of messages in it that are acknowledged.
    pub(crate) taken: Vec<String>,
}

/// All cases of one kind, in the order in which they were added.
pub(crate) struct Cases<'a> {
    victim: &'a Victim,
    kind: &'static str,
    cases: Vec<Case>,
}

impl<'a> Cases<'a> {
    fn new(victim: &'a Victim, kind: &'static str) -> Self {
        Self { victim, kind, cases: Vec::new() }
    }

    /// An id that no other case has.
    fn id(&self) -> String {
        format!("{}-{}", self.kind, self.cases.len())
    }

    fn add(&mut self, name: &str, bytes: impl Into<Vec<u8>>, replies: &[u16], end: End, taken: &[String]) {
        let (name, bytes, replies, taken) = (name.to_owned(), bytes.into(), replies.to_vec(), taken.to_vec());
        self.cases.push(Case { name, bytes, replies, end, taken });
    }

    /// Refused, and the connection closed.
    fn refused(&mut self, name: &str, bytes: impl Into<Vec<u8>>, status: u16) {
        self.add(name, bytes, &[status], End::Closed, &[]);
    }

    /// Refused before its body was read, of which nothing is ever taken for a request.
    fn passed_over(&mut self, name: &str, bytes: impl Into<Vec<u8>>, status: u16) {
        self.add(name, bytes, &[status], End::Either, &[]);
    }

    /// A whole request with a message that is refused with these headers, and the connection closed.
    fn refused_with(&mut self, name: &str, headers: &str, status: u16) {
        let bytes = self.with(&self.id(), headers);
        self.refused(name, bytes, status);
    }

    /// A whole request with a message that is taken with these headers.
    fn taken_with(&mut self, name: &str, headers: &str, end: End) {
        let id = self.id();
        let bytes = self.with(&id, headers);
        self.add(name, bytes, &[self.victim.yes()], end, &[id]);
    }

    /// A push with these headers, which say how long the body is.
    fn with(&self, id: &str, headers: &str) -> Vec<u8> {
        let body = self.victim.body(id);
        let headers = headers.replace("{length}", &body.len().to_string());
        [self.line(&format!("HTTP/1.1\r\nHost: x\r\n{headers}\r\n")), body].concat()
    }

    /// A push's request line up to its version, and what follows.
    fn line(&self, rest: &str) -> Vec<u8> {
        format!("POST {} {rest}", self.victim.path()).into_bytes()
    }

    /// A request with a body in chunks, written by the case itself.
    fn chunked(&self, body: &[u8]) -> Vec<u8> {
        [self.line("HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"), body.to_vec()].concat()
    }
}

/// Lengths that lie, and two ways of saying one.
pub(crate) fn lengths(victim: &Victim) -> Vec<Case> {
    let mut cases = Cases::new(victim, "lengths");
    cases.taken_with("the right one", "Content-Length: {length}\r\n", End::Open);
    cases.taken_with("twice the same", "Content-Length: {length}\r\nContent-Length: {length}\r\n", End::Open);
    for (name, headers) in [
        ("two that differ", "Content-Length: {length}\r\nContent-Length: 5\r\n"),
        ("two in one", "Content-Length: {length}, {length}\r\n"),
        ("negative", "Content-Length: -5\r\n"),
        ("with a sign", "Content-Length: +{length}\r\n"),
        ("in hex", "Content-Length: 0x10\r\n"),
        ("with a blank", "Content-Length: 1 0\r\n"),
        ("no number", "Content-Length: many\r\n"),
        ("empty", "Content-Length: \r\n"),
        ("beyond 64 bits", "Content-Length: 99999999999999999999999\r\n"),
        ("a blank before the colon", "Content-Length : {length}\r\n"),
        ("folded", "Content-Length:\r\n {length}\r\n"),
    ] {
        cases.refused_with(name, headers, 400);
    }
    cases.refused_with("the largest number there is", "Content-Length: 18446744073709551615\r\n", 431);
    cases.refused_with("a number that nobody can hold", "Content-Length: 9223372036854775807\r\n", 413);
    // The body is a request then, and no good one.
    let bodiless = [cases.with(&cases.id(), ""), b"\r\n\r\n".to_vec()].concat();
    cases.add("none, and a body", bodiless, &[400, 400], End::Closed, &[]);
    // What is behind it begins a request that is none.
    let (body, id) = (victim.body(&cases.id()), cases.id());
    let short = [cases.with(&id, &format!("Content-Length: {}\r\n", body.len() - 10)), b"\r\n\r\n".to_vec()].concat();
    cases.add("too short by ten", short, &[400, 400], End::Closed, &[]);
    // RFC 9112 6.3: the chunks count, and the connection is closed.
    let chunks = [format!("{:x}\r\n", body.len()).into_bytes(), body, b"\r\n0\r\n\r\n".to_vec()].concat();
    for (name, headers) in [
        ("a length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        ("chunks and a length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
    ] {
        let head = cases.line(&format!("HTTP/1.1\r\nHost: x\r\n{headers}\r\n"));
        let behind = victim.wire(&format!("{}-behind", cases.id()));
        let taken = [id.clone()];
        cases.add(name, [head, chunks.clone(), behind].concat(), &[victim.yes()], End::Closed, &taken);
    }
    for (name, headers) in [
        ("chunks that are not last", "Transfer-Encoding: chunked, identity\r\n"),
        ("an unknown coding", "Transfer-Encoding: xchunked\r\n"),
        ("chunks with a control character", "Transfer-Encoding: \x0bchunked\r\n"),
        ("two codings, the second unknown", "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n"),
    ] {
        cases.refused_with(name, headers, 400);
    }
    let old = cases.line("HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    cases.refused("chunks in HTTP/1.0", old, 400);
    cases.cases
}

/// What can be done with chunks.
pub(crate) fn chunks(victim: &Victim) -> Vec<Case> {
    let mut cases = Cases::new(victim, "chunks");
    let in_one = |body: &[u8], size: String| [size.into_bytes(), b"\r\n".to_vec(), body.to_vec(), b"\r\n".to_vec()].concat();
    let yes = [victim.yes()];
    for (name, size, end) in [
        ("plain", "{}", "0\r\n\r\n"),
        ("with an extension", "{};name=value", "0\r\n\r\n"),
        ("with leading zeros", "0000000{}", "0\r\n\r\n"),
        ("with trailers", "{}", "0\r\nX-Trailer: 1\r\nContent-Length: 5\r\n\r\n"),
    ] {
        let id = cases.id();
        let body = victim.body(&id);
        let first = in_one(&body, size.replace("{}", &format!("{:x}", body.len())));
        let bytes = cases.chunked(&[first, end.into()].concat());
        cases.add(name, bytes, &yes, End::Open, &[id]);
    }
    let id = cases.id();
    let bytes: Vec<u8> = victim.body(&id).iter().flat_map(|byte| [b"1\r\n", &[*byte][..], b"\r\n"].concat()).collect();
    let bytes = cases.chunked(&[bytes, b"0\r\n\r\n".to_vec()].concat());
    cases.add("a byte each", bytes, &yes, End::Open, &[id]);
    for (name, size) in
        [("bad hex", "zz"), ("negative", "-1"), ("empty", ""), ("with a prefix", "0x10"), ("beyond 64 bits", "ffffffffffffffff1")]
    {
        let body = victim.body(&cases.id());
        let bytes = cases.chunked(&in_one(&body, size.to_owned()));
        cases.refused(&format!("a size: {name}"), bytes, 400);
    }
    let extension = format!("5;{}\r\n", "x".repeat(64 << 10));
    cases.refused("an extension of 64 KiB", cases.chunked(extension.as_bytes()), 400);
    let body = victim.body(&cases.id());
    let first = in_one(&body, format!("{:x}", body.len()));
    let endless = format!("0\r\n{}", "X-Trailer: 1\r\n".repeat(100_000));
    cases.refused("endless trailers", cases.chunked(&[first.clone(), endless.into()].concat()), 400);
    cases.refused("one endless trailer", cases.chunked(&[first, b"0\r\nX: ".to_vec(), vec![b'x'; 1 << 20]].concat()), 400);
    let longer = in_one(&[victim.body(&cases.id()), b"xx".to_vec()].concat(), format!("{:x}", body.len()));
    cases.refused("more than it says", cases.chunked(&longer), 400);
    let huge = [b"ffffffffffffffff\r\n".to_vec(), vec![b' '; MAX_BODY + 1]].concat();
    cases.refused("as large as can be said", cases.chunked(&huge), 413);
    let many = b"100\r\n".iter().copied().chain([b' '; 256]).chain(*b"\r\n").collect::<Vec<_>>().repeat(MAX_BODY / 256 + 1);
    cases.refused("many, beyond the limit together", cases.chunked(&many), 413);
    cases.cases
}

/// Several requests in one write, and requests inside of others.
pub(crate) fn pipelines(victim: &Victim) -> Vec<Case> {
    let mut cases = Cases::new(victim, "pipelines");
    let several = |cases: &Cases<'_>, part: &str| -> (Vec<String>, Vec<u8>) {
        let ids: Vec<_> = (0..10).map(|number| format!("{}-{part}-{number}", cases.id())).collect();
        let bytes = ids.iter().flat_map(|id| victim.wire(id)).collect();
        (ids, bytes)
    };
    let yes = vec![victim.yes(); 10];
    let (first, first_bytes) = several(&cases, "a");
    cases.add("ten pushes", first_bytes, &yes, End::Open, &first);
    let (first, first_bytes) = several(&cases, "a");
    let (second, second_bytes) = several(&cases, "b");
    let bad = cases.line("HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    let bytes = [first_bytes, bad, second_bytes].concat();
    let all = [first, second].concat();
    cases.add("a malformed one among twenty", bytes, &[yes.clone(), vec![400], yes.clone()].concat(), End::Open, &all);
    // From here on, what follows is never to be read as a request.
    for (name, bad, status) in [
        ("no request", b"hello\r\n\r\n".to_vec(), 400),
        ("an impossible length", cases.line("HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"), 400),
        ("a length too large", cases.line(&format!("HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", MAX_BODY + 1)), 413),
        ("a bad chunk", cases.chunked(b"zz\r\n"), 400),
        ("a head too large", [cases.line("HTTP/1.1\r\nX: "), vec![b'x'; 1 << 20], b"\r\n\r\n".to_vec()].concat(), 431),
    ] {
        let (first, first_bytes) = several(&cases, "a");
        let (_, behind) = several(&cases, "behind");
        let bytes = [first_bytes, bad, behind].concat();
        cases.add(&format!("{name} among twenty"), bytes, &[yes.clone(), vec![status]].concat(), End::Closed, &first);
    }
    // The inner request is the body of one that is refused before its body is read.
    let (other, nowhere) = ("/one/two", 404);
    for (name, line, status) in [
        ("of a path that is none", format!("POST {other} HTTP/1.1"), nowhere),
        ("of a GET", format!("GET {} HTTP/1.1", victim.path()), 405),
        ("of a DELETE", format!("DELETE {} HTTP/1.1", victim.path()), 405),
        ("of a health check", "POST /health/live HTTP/1.1".to_owned(), 405),
        ("of a compressed one", format!("POST {} HTTP/1.1\r\nContent-Encoding: gzip", victim.path()), 415),
    ] {
        let inner = victim.wire(&cases.id());
        let head = format!("{line}\r\nHost: x\r\nContent-Length: {}\r\n\r\n", inner.len());
        cases.passed_over(&format!("a request as the body {name}"), [head.into_bytes(), inner].concat(), status);
    }
    let inner = victim.wire(&cases.id());
    let bytes = [cases.line(&format!("HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", inner.len())), inner].concat();
    cases.add("a request as a body", bytes, &[400], End::Open, &[]);
    // Where the end of a body is said in two ways, each part would be a request to someone.
    let inner = victim.wire(&cases.id());
    let head = format!("HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n", inner.len() + 5);
    cases.refused("a request behind an empty chunk", [cases.line(&head), b"0\r\n\r\n".to_vec(), inner].concat(), 400);
    let inner = victim.wire(&cases.id());
    let head = "HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello";
    let id = cases.id();
    cases.add("an upgrade that nobody wants", [cases.line(head), inner].concat(), &[400, victim.yes()], End::Open, &[id]);
    cases.cases
}

/// Versions, targets, methods and headers.
pub(crate) fn heads(victim: &Victim) -> Vec<Case> {
    let mut cases = Cases::new(victim, "heads");
    for (name, bytes) in [
        ("HTTP/0.9", &b"GET /\r\n"[..]),
        ("HTTP/0.9 with a body", b"POST /orders\r\n\r\n{}"),
        ("HTTP/3", b"POST /orders HTTP/3.0\r\n\r\n"),
        ("HTTP/1.2", b"POST /orders HTTP/1.2\r\n\r\n"),
        ("no version", b"POST /orders HTTP\r\n\r\n"),
        ("another protocol", b"EHLO persistor\r\n"),
        ("RTSP", b"OPTIONS * RTSP/1.0\r\n\r\n"),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("zeros", &[0; 64]),
        ("a blank in the path", b"POST /or ders HTTP/1.1\r\n\r\n"),
        ("a zero in the path", b"POST /\0 HTTP/1.1\r\n\r\n"),
        ("a control character in the path", b"POST /\x01 HTTP/1.1\r\n\r\n"),
        ("a method that is none", b"PO(ST /orders HTTP/1.1\r\n\r\n"),
        ("a header without a colon", b"POST /orders HTTP/1.1\r\nHost\r\n\r\n"),
        ("a header without a name", b"POST /orders HTTP/1.1\r\n: x\r\n\r\n"),
        ("a zero in a header", b"POST /orders HTTP/1.1\r\nX: a\0b\r\n\r\n"),
        ("a lone carriage return", b"POST /orders HTTP/1.1\r\nX: a\rb\r\n\r\n"),
        ("a name that is no name", b"POST /orders HTTP/1.1\r\nX Y: b\r\n\r\n"),
    ] {
        cases.refused(name, bytes, 400);
    }
    // Closed without a word: who speaks HTTP/2 does not read HTTP/1.1.
    cases.add("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", &[], End::Closed, &[]);

    let id = cases.id();
    let body = victim.body(&id);
    let old = cases.line(&format!("HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len()));
    cases.add("HTTP/1.0", [old, body].concat(), &[victim.yes()], End::Closed, &[id]);
    for kind in ["text/plain", "application/xml", "multipart/form-data; boundary=x", "no/such; charset=utf-16", "\"", ""] {
        cases.taken_with(
            &format!("the content type `{kind}`"),
            &format!("Content-Type: {kind}\r\nContent-Length: {{length}}\r\n"),
            End::Open,
        );
    }

    let target = |cases: &mut Cases<'_>, target: &str, taken: bool, refusal: u16| {
        let id = cases.id();
        let request = persistor_tests::http::Request { path: target.to_owned(), ..victim.request(&id) };
        let name = format!("the target `{}`", if target.len() > 40 { &target[..40] } else { target });
        if taken {
            cases.add(&name, request.wire(), &[victim.yes()], End::Open, &[id]);
        } else {
            if (414..500).contains(&refusal) {
                cases.refused(&name, request.wire(), refusal);
            } else {
                cases.passed_over(&name, request.wire(), refusal);
            }
        }
    };
    let gcp = victim.either(1, 0) == 1;
    let path = victim.path();
    target(&mut cases, &format!("http://another.example:1/{}", &path[1..]), true, 0);
    target(&mut cases, &format!("{path}?query=1&query=2"), true, 0);
    // One segment names a stream, whatever is in it; no function is called so.
    for name in ["/..", "/%2E%2E", "/%00", "/%2F%2e%2e%2F", "/%zz", "/%", "/%5Cx", "/_persistor", "/~", "/.tmp"] {
        target(&mut cases, name, gcp, 404);
    }
    // A large head ends its connection.
    let (id, long) = (cases.id(), format!("/{}", "x".repeat(60_000)));
    let request = persistor_tests::http::Request { path: long, ..victim.request(&id) };
    let taken = if gcp { vec![id] } else { Vec::new() };
    cases.add("a target of 60,000 bytes", request.wire(), &[victim.either(204, 404)], End::Closed, &taken);
    for name in ["/../../etc/passwd", "/a/../b", "//orders", "/health/../orders", "/%ff", "*", "another.example:443", "/a/b/c"] {
        target(&mut cases, name, false, 404);
    }
    target(&mut cases, &format!("/{}", "x".repeat(70_000)), false, 414);
    target(&mut cases, &format!("/{}", "x".repeat(4 << 20)), false, 431);

    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "QUERY", "X"] {
        // Without a body, so that nothing is left to read.
        let bytes = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        cases.add(&format!("the method {method}"), bytes, &[405], End::Open, &[]);
    }
    let long = format!("{} {path} HTTP/1.1\r\nHost: x\r\n\r\n", "M".repeat(1000));
    cases.add("a method of 1,000 letters", long, &[405], End::Open, &[]);
    let connect = victim.either(405, 404);
    cases.add("CONNECT", b"CONNECT another.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", &[connect], End::Either, &[]);
    cases.cases
}

/// Codings of a body: none is undone.
pub(crate) fn codings(victim: &Victim) -> Vec<Case> {
    let mut cases = Cases::new(victim, "codings");
    // `gzip -9` of a gigabyte of zeros begins so.
    let bomb = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xec, 0xc1, 1, 1][..], &[0; 1 << 16]].concat();
    for coding in ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "GZIP", "identity, gzip", "gzip, gzip"] {
        let head =
            cases.line(&format!("HTTP/1.1\r\nHost: x\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", bomb.len()));
        cases.passed_over(&format!("the coding `{coding}`"), [head, bomb.clone()].concat(), 415);
        let said = cases.with(&cases.id(), &format!("Content-Encoding: {coding}\r\nContent-Length: {{length}}\r\n"));
        cases.passed_over(&format!("said to be `{coding}`"), said, 415);
    }
    cases.taken_with("the coding `identity`", "Content-Encoding: identity\r\nContent-Length: {length}\r\n", End::Open);
    cases.taken_with("an empty coding", "Content-Encoding:\r\nContent-Length: {length}\r\n", End::Open);
    let head = cases.line(&format!("HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", bomb.len()));
    cases.add("a coding that is not said", [head, bomb].concat(), &[400], End::Open, &[]);
    cases.cases
}

/// Heads of many headers and of large ones.
pub(crate) fn header_bombs(victim: &Victim) -> Vec<Case> {
    let mut cases = Cases::new(victim, "headers");
    let repeated = |name: &str, count: usize| {
        let line = |number: usize| format!("{}: x\r\n", name.replace("{}", &number.to_string()));
        (0..count).map(line).collect::<String>() + "Content-Length: {length}\r\n"
    };
    cases.taken_with("200 headers", &repeated("X-{}", 200), End::Open);
    cases.taken_with("200 of one name", &repeated("X", 200), End::Open);
    cases.taken_with("200 cookies", &repeated("Cookie", 200), End::Open);
    for (name, headers) in [
        ("300 headers", repeated("X-{}", 300)),
        ("a million headers", repeated("X-{}", 1_000_000)),
        ("a million of one name", repeated("X", 1_000_000)),
        ("a value of 4 MiB", format!("X: {}\r\nContent-Length: {{length}}\r\n", "x".repeat(4 << 20))),
        ("a name of 4 MiB", format!("{}: x\r\nContent-Length: {{length}}\r\n", "x".repeat(4 << 20))),
    ] {
        cases.refused_with(name, &headers, 431);
    }
    // A large head ends its connection.
    cases.taken_with(
        "a value of 100 KiB",
        &format!("X: {}\r\nContent-Length: {{length}}\r\n", "x".repeat(100 << 10)),
        End::Closed,
    );
    cases.cases
}

/// JSON that is meant to break who reads it.
pub(crate) fn json_bombs(victim: &Victim) -> Vec<Case> {
    let mut cases = Cases::new(victim, "json");
    let deep = 1_000_000;
    let post = |cases: &Cases<'_>, body: &str| {
        [cases.line(&format!("HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len())), body.as_bytes().to_vec()].concat()
    };
    let many = (0..deep).map(|number| format!(r#""{number:x}":0,"#)).collect::<String>();
    let many_texts = (0..500_000).map(|number| format!(r#""{number:x}":"","#)).collect::<String>();
    let arrays = |count: usize| "[".repeat(count) + &"]".repeat(count);
    let objects = format!("{}0{}", r#"{"a":"#.repeat(deep), "}".repeat(deep));
    for (name, body) in [
        ("a million arrays, open", "[".repeat(deep)),
        ("a million objects, open", r#"{"a":"#.repeat(deep)),
        ("a million arrays", arrays(deep)),
        ("a million objects", objects.clone()),
        ("no value", "{\"message\":}".to_owned()),
        ("half a surrogate pair", victim.body_with("half", r#"{"a":"\ud800"}"#, "0")),
        ("a name twice", victim.body_with("twice", r#"{"a":"1","\u0061":"2"}"#, "0")),
        ("another million names", format!("{{{many}\"\":0}}")),
    ] {
        let bytes = post(&cases, &body);
        cases.add(name, bytes, &[400], End::Open, &[]);
    }
    // What is unknown is looked through for names that stand twice on Pub/Sub's way, and passed over on Azure's, where none but the host speaks.
    let inside = |cases: &mut Cases<'_>, name: &str, attributes: &str, other: &str, gcp: u16, azure: u16| {
        let id = cases.id();
        let bytes = post(cases, &victim.body_with(&id, attributes, other));
        let status = victim.either(gcp, azure);
        let taken = if status == victim.yes() { vec![id] } else { Vec::new() };
        cases.add(name, bytes, &[status], End::Open, &taken);
    };
    inside(&mut cases, "a million arrays beside a message", "{}", &arrays(deep), 400, 200);
    inside(&mut cases, "a million objects beside a message", "{}", &objects, 400, 200);
    inside(&mut cases, "a hundred thousand arrays beside a message", "{}", &arrays(100_000), 400, 200);
    inside(&mut cases, "a million arrays as attributes", &arrays(deep), "0", 400, 400);
    inside(&mut cases, "a million objects in an attribute", &format!(r#"{{"a":{objects}}}"#), "0", 400, 200);
    inside(&mut cases, "half a million attributes", &format!("{{{many_texts}\"\":\"\"}}"), "0", 400, 400);
    inside(&mut cases, "a million names beside a message", "{}", &format!("{{{many}\"\":0}}"), 400, 200);
    let number = "9".repeat(deep);
    inside(&mut cases, "a number of a million digits beside a message", "{}", &number, 204, 200);
    inside(&mut cases, "a number of a million digits as an attribute", &format!(r#"{{"a":{number}}}"#), "0", 400, 200);
    for number in ["1e999999999", "-1e-999999999", "123456789012345678901234567890.5e400"] {
        inside(&mut cases, "a number too large", &format!(r#"{{"a":{number}}}"#), "0", 400, 200);
        inside(&mut cases, "a number too large beside a message", "{}", number, 204, 200);
    }
    let escapes = r"\u0000".repeat(150_000);
    inside(&mut cases, "an attribute of zeros", &format!(r#"{{"a":"{escapes}"}}"#), "0", 204, 200);
    cases.cases
}
