//! What is read, what is refused, and that the budget is whole again afterwards.

use super::*;
use hyper::body::Frame;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

const MIB: u64 = 1024 * KIB;

/// A body of unknown length in chunks; at its end it ends, breaks or stalls.
struct Chunks {
    chunks: VecDeque<Bytes>,
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Ends,
    Breaks,
    Stalls,
}

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match (self.chunks.pop_front(), self.end) {
            (Some(chunk), _) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            (None, End::Ends) => Poll::Ready(None),
            (None, End::Breaks) => Poll::Ready(Some(Err(std::io::Error::other("broken")))),
            (None, End::Stalls) => Poll::Pending,
        }
    }
}

/// `length` bytes that differ, in chunks of 10,000.
fn chunked(length: u64, end: End) -> (Vec<u8>, Body) {
    let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
    let chunks = bytes.chunks(10_000).map(Bytes::copy_from_slice).collect();
    (bytes, Body::new(Chunks { chunks, end }))
}

fn declaring(length: u64) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_LENGTH, length.into())])
}

async fn read(intake: &Intake, headers: &HeaderMap, body: Body, decoded: Decoded) -> Result<(Vec<u8>, u64), Refused> {
    let held = intake.read(headers, body, decoded).await?;
    assert_eq!(intake.budget.in_flight(), held.reservation.bytes());
    Ok((held.bytes.to_vec(), held.reservation.bytes()))
}

#[tokio::test(start_paused = true)]
async fn a_declared_body_takes_its_length_and_no_more() {
    let intake = Intake::new(32 * MIB, Budget::new(256 * MIB));
    for length in [0, 1, 10_000, 3 * MIB] {
        let (bytes, body) = chunked(length, End::Ends);
        let held = intake.read(&declaring(length), body, Decoded::No).await;
        let held = held.expect("it fits");
        assert_eq!(&held.bytes[..], bytes);
        assert_eq!(held.bytes.capacity() as u64, length);
        assert_eq!(held.reservation.bytes(), length + length.clamp(SPARE, BUFFERS));
        drop(held);
        let (_, body) = chunked(length, End::Ends);
        let (_, reserved) = read(&intake, &declaring(length), body, Decoded::Yes).await.expect("it fits");
        assert!(reserved >= length + length * 3 / 4 + length.min(BUFFERS));
    }
    assert_eq!(intake.budget.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_without_length_grows() {
    let intake = Intake::new(32 * MIB, Budget::new(256 * MIB));
    for length in [0, 1, MIB, MIB + 1, 5 * MIB, 32 * MIB] {
        for decoded in [Decoded::No, Decoded::Yes, Decoded::Unescaped] {
            let (bytes, body) = chunked(length, End::Ends);
            let (read, reserved) = read(&intake, &HeaderMap::new(), body, decoded).await.expect("it fits");
            assert!(read == bytes, "{length} bytes are the same");
            assert!(reserved >= decoded.beside(length) + BUFFERS);
            assert!(reserved <= decoded.beside((2 * length).clamp(MIB, 32 * MIB)) + BUFFERS);
        }
    }
    assert_eq!(intake.budget.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn too_large_is_refused_before_a_byte_is_read() {
    let intake = Intake::new(100, Budget::new(256 * MIB));
    let (_, body) = chunked(101, End::Stalls);
    let start = Instant::now();
    let refused = intake.read(&declaring(101), body, Decoded::No).await;
    assert_eq!(refused.err(), Some(Refused::TooLarge { limit: 100 }));
    assert_eq!(start.elapsed(), Duration::ZERO);
    let (_, body) = chunked(101, End::Stalls);
    let refused = intake.read(&HeaderMap::new(), body, Decoded::No).await;
    assert_eq!(refused.err(), Some(Refused::TooLarge { limit: 100 }));
    assert_eq!(start.elapsed(), Duration::ZERO);
    let (_, body) = chunked(100, End::Ends);
    assert!(intake.read(&HeaderMap::new(), body, Decoded::No).await.is_ok());
    assert_eq!(intake.budget.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_room_it_is_busy_after_a_second() {
    let intake = Intake::new(32 * MIB, Budget::new(2 * MIB));
    let held = intake.budget.reserve(MIB, Duration::ZERO).await;
    for headers in [declaring(2 * MIB), HeaderMap::new()] {
        let start = Instant::now();
        let (_, body) = chunked(2 * MIB, End::Ends);
        let refused = intake.read(&headers, body, Decoded::No).await;
        assert_eq!(refused.err(), Some(Refused::Busy));
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }
    drop(held);
    // Larger than the whole budget, but alone.
    let (_, body) = chunked(3 * MIB, End::Ends);
    assert!(intake.read(&HeaderMap::new(), body, Decoded::No).await.is_ok());
    assert_eq!(intake.budget.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_or_lies_is_incomplete() {
    let intake = Intake::new(32 * MIB, Budget::new(256 * MIB));
    let start = Instant::now();
    for (headers, length, end) in [
        (declaring(20_000), 10_000, End::Breaks),
        (declaring(20_000), 10_000, End::Ends),
        // Refused as soon as it is too long, not at an end that may never come.
        (declaring(5_000), 10_000, End::Stalls),
        (HeaderMap::new(), 10_000, End::Breaks),
    ] {
        let (_, body) = chunked(length, end);
        let refused = intake.read(&headers, body, Decoded::No).await;
        assert_eq!(refused.err(), Some(Refused::Incomplete));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(intake.budget.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_gives_its_room_back() {
    let intake = Intake::new(32 * MIB, Budget::new(256 * MIB));
    for headers in [declaring(20_000), HeaderMap::new()] {
        let start = Instant::now();
        let (_, body) = chunked(10_000, End::Stalls);
        let refused = intake.read(&headers, body, Decoded::No).await;
        assert_eq!(refused.err(), Some(Refused::Incomplete));
        assert_eq!(start.elapsed(), Duration::from_secs(30));
    }
    assert_eq!(intake.budget.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_too_slowly_gives_its_room_back() {
    let intake = Intake::new(32 * MIB, Budget::new(256 * MIB));
    for (headers, declared) in [(declaring(MIB), true), (HeaderMap::new(), false)] {
        // Enough for room to be reserved, and then a byte a second.
        let slow = futures_util::stream::unfold(0, |sent| async move {
            if sent < 3 {
                return Some((Ok::<_, Infallible>(Bytes::from(vec![b'x'; 10_000])), sent + 1));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(Bytes::from_static(b"x")), sent + 1))
        });
        let start = Instant::now();
        let refused = intake.read(&headers, Body::from_stream(slow), Decoded::Yes).await;
        assert_eq!(refused.err(), Some(Refused::Incomplete), "{declared}");
        assert_eq!(start.elapsed(), Duration::from_secs(20), "{declared}");
        assert_eq!(intake.budget.in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_takes_no_room() {
    let intake = Intake::new(32 * MIB, Budget::new(64 * MIB));
    let slow = |headers: HeaderMap| {
        let intake = intake.clone();
        tokio::spawn(async move {
            let trickle = futures_util::stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_secs(20)).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), ()))
            });
            intake.read(&headers, Body::from_stream(trickle), Decoded::Yes).await.map(drop)
        })
    };
    let readers: Vec<_> = (0..200).map(|n| slow(if n % 2 == 0 { declaring(32 * MIB) } else { HeaderMap::new() })).collect();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(intake.budget.in_flight(), 0);
    for headers in [declaring(20 * MIB), HeaderMap::new()] {
        let (_, body) = chunked(20 * MIB, End::Ends);
        assert!(intake.read(&headers, body, Decoded::Yes).await.is_ok());
    }
    readers.iter().for_each(|reader| assert!(!reader.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn large_bodies_leave_room_for_small_ones() {
    let intake = Intake::new(16 * MIB, Budget::new(64 * MIB));
    let mut held = Vec::new();
    // As many as there is room for, and more.
    for length in [16 * MIB, 2 * MIB] {
        for _ in 0..20 {
            let (_, body) = chunked(length, End::Ends);
            held.extend(intake.read(&declaring(length), body, Decoded::Yes).await.ok());
        }
    }
    assert!(intake.budget.in_flight() > 40 * MIB, "{}", intake.budget.in_flight());
    for _ in 0..8 {
        let (_, body) = chunked(MIB / 2, End::Ends);
        held.push(intake.read(&declaring(MIB / 2), body, Decoded::Yes).await.expect("there is room"));
    }
    drop(held);
    assert_eq!((intake.budget.in_flight(), intake.large.available_permits()), (0, intake.permits as usize));
}

#[tokio::test(start_paused = true)]
async fn a_coded_body_is_refused_unless_it_is_the_payload() {
    let intake = Intake::new(32 * MIB, Budget::new(256 * MIB));
    for (coding, coded) in
        [("gzip", true), ("identity, BR", true), ("x", true), ("identity", false), ("", false), ("Identity , ", false)]
    {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, coding.parse().expect(coding))]);
        for decoded in [Decoded::Yes, Decoded::Unescaped, Decoded::No] {
            let read = intake.read(&headers, Body::from("hello"), decoded).await;
            let expected = (coded && decoded != Decoded::No).then_some(Refused::Coded);
            assert_eq!(read.err(), expected, "{coding} {decoded:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_trickling_body_ends_too() {
    let intake = Intake::new(32 * MIB, Budget::new(256 * MIB));
    let start = Instant::now();
    let trickle = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), ()))
    });
    let body = Body::from_stream(trickle);
    let refused = intake.read(&declaring(1_000_000), body, Decoded::No).await;
    assert_eq!(refused.err(), Some(Refused::Incomplete));
    assert_eq!(start.elapsed(), Duration::from_secs(600));
    assert_eq!(intake.budget.in_flight(), 0);
}

#[tokio::test]
async fn what_the_connection_knows_comes_before_the_header() {
    let intake = Intake::new(32 * MIB, Budget::new(256 * MIB));
    let held = intake.read(&declaring(1), Body::from("hello"), Decoded::No).await;
    assert_eq!(held.expect("five bytes").bytes[..], b"hello"[..]);
}

/// Two that each held a part and waited for what the other held would both fail at the end of their patience.
#[tokio::test(start_paused = true)]
async fn large_bodies_of_unknown_length_wait_for_each_other() {
    let intake = Intake::new(8 * MIB, Budget::new(40 * MIB)).waiting_for_room(Duration::from_secs(240));
    let read = async |_| {
        let (bytes, body) = chunked(6 * MIB, End::Ends);
        // Bytes come bit by bit, so that all are read at the same time.
        let body = Body::from_stream(futures_util::StreamExt::then(body.into_data_stream(), async |chunk| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            chunk
        }));
        let held = intake.read(&HeaderMap::new(), body, Decoded::Yes).await.expect("its turn comes");
        assert!(held.bytes[..] == bytes);
    };
    let start = Instant::now();
    futures_util::future::join_all((0..20).map(read)).await;
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(intake.budget.in_flight(), 0);
}
