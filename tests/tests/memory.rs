//! The most memory that the program holds, whatever is sent to it at once.

use persistor_tests::archive::Archive;
use persistor_tests::http::Request;
use persistor_tests::program::{Program, Setup};
use persistor_tests::push::{Push, assert_acknowledged_are_stored};
use persistor_tests::random::Random;
use persistor_tests::{pusher, scratch};

const MIB: u64 = 1 << 20;
/// What the program may hold beside the messages in flight.
const BESIDE: u64 = 64 * MIB;
/// Chunks in which a body without Content-Length is sent.
const CHUNK: usize = 16 * 1024;

/// 80 × (1.33 MB of base64 + 1 MB of payload) fit into the default budget: all are taken at the first try.
#[test]
#[ignore = "sends gigabytes: tests/run e2e"]
fn eighty_of_a_megabyte_at_once_within_the_default() {
    assert_peak(256, &[80], 1_000_000, Some(80));
}

#[test]
#[ignore = "sends gigabytes: tests/run e2e"]
fn eighty_of_a_megabyte_at_once_within_64_mib() {
    assert_peak(64, &[80, 80], 1_000_000, None);
}

#[test]
#[ignore = "sends gigabytes: tests/run e2e"]
fn eighty_of_a_megabyte_at_once_within_16_mib() {
    assert_peak(16, &[80, 80], 1_000_000, None);
}

/// A body of 20 MB alone is larger than the smallest budget.
#[test]
#[ignore = "sends gigabytes: tests/run e2e"]
fn bodies_of_twenty_megabytes() {
    for memory in [16, 64] {
        assert_peak(memory, &[4, 8], 15_000_000, None);
    }
}

/// The largest body that is taken (32 MiB) is larger than the smallest budget, again and again.
#[test]
#[ignore = "sends gigabytes: tests/run e2e"]
fn bodies_of_the_largest_size() {
    assert_peak(16, &[2, 2, 2, 2], 25_000_000, None);
}

/// What an allocator keeps of freed blocks shows when sizes change all the time.
#[test]
#[ignore = "sends gigabytes: tests/run e2e"]
fn sizes_that_change_all_the_time() {
    let mut random = Random::new(7);
    let mut round = |round: usize| {
        let mut push = |index| {
            let size = *random.pick(&[1_000, 30_000, 200_000, 1_000_000, 5_000_000, 10_000_000]);
            Push::new(format!("{round}-{index}"), random.bytes(size))
        };
        (0..60).map(&mut push).collect()
    };
    let rounds = (0..3).map(&mut round);
    assert_bounded(64, rounds.collect());
}

/// A small body can become large: attributes are kept in maps, escaped, hashed and written.
#[test]
#[ignore = "needs some time: tests/run e2e"]
fn attributes_of_the_largest_size() {
    let rounds = (0..2).map(|round| {
        let push = |index| {
            let mut push = Push::new(format!("{round}-{index}"), Vec::new());
            push.attributes = (0..900).map(|name| (format!("name {name}"), "é".repeat(500))).collect();
            push
        };
        (0..80).map(push).collect()
    });
    assert_bounded(64, rounds.collect());
}

/// What is refused takes no more memory than what is stored: names that have to be unescaped, texts and objects of the largest size.
#[test]
#[ignore = "sends gigabytes: tests/run e2e"]
fn envelopes_that_are_refused() {
    let folder = scratch::folder();
    let program = Setup::gcp_function(folder.path()).set("PERSISTOR_MEMORY", "64MiB").start();
    let message = r#""messageId":"1","publishTime":"2026-11-22T15:40:12Z""#;
    let long = "é".repeat(15_000_000);
    let many: String = (0..2_000_000).map(|n| format!(r#""{n:x}":"","#)).collect();
    let bodies = [
        format!(r#"{{"{long}\u0061":1,"message":{{{message}}}}}"#),
        format!(r#"{{"message":{{{message},"{long}\u0061":1}}}}"#),
        format!(r#"{{"message":{{{message}}},"subscription":"{long}\u0061"}}"#),
        format!(r#"{{"message":{{{message},"attributes":{{{many}"":""}}}}}}"#),
        format!(r#"{{"message":{{{message},"future":{}{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000)),
    ];
    for body in bodies {
        let requests = vec![Request::post("/orders", body); 4];
        for _ in 0..2 {
            let statuses = pusher::statuses(&pusher::send_all_together(program.port(), &requests));
            assert!(statuses.iter().all(|status| matches!(status, Some(400 | 503))), "{statuses:?}");
        }
    }
    let (peak, limit) = (program.peak_memory(), 64 * MIB + BESIDE);
    eprintln!("PERSISTOR_MEMORY=64MiB: peak {:.1} MiB of {} MiB", peak as f64 / MIB as f64, limit / MIB);
    assert!(peak <= limit, "{peak} B of {limit} B");
}

fn assert_bounded(memory_mib: u64, rounds: Vec<Vec<Push>>) {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let program = Setup::gcp_function(&root).set("PERSISTOR_MEMORY", format!("{memory_mib}MiB")).start();
    for pushes in &rounds {
        store_all(&program, &root, pushes, false);
    }
    let (peak, limit) = (program.peak_memory(), memory_mib * MIB + BESIDE);
    eprintln!("PERSISTOR_MEMORY={memory_mib}MiB: peak {:.1} MiB of {} MiB", peak as f64 / MIB as f64, limit / MIB);
    assert!(peak <= limit, "{peak} B of {limit} B");
    assert_eq!(Archive::read_sound(&root).by_id().len(), rounds.iter().map(Vec::len).sum::<usize>());
}

/// Sends rounds of so many pushes at once, with and without Content-Length, each until it is stored.
fn assert_peak(memory_mib: u64, rounds: &[usize], size: usize, at_first_try: Option<usize>) {
    for chunked in [false, true] {
        let folder = scratch::folder();
        let root = folder.path().join("archive");
        let program = Setup::gcp_function(&root).set("PERSISTOR_MEMORY", format!("{memory_mib}MiB")).start();
        let mut random = Random::new(memory_mib);
        let (mut sent, mut stored_first) = (0, 0);
        for round in rounds {
            let pushes: Vec<_> =
                (0..*round).map(|index| Push::new(format!("{}-{index}", sent + index), random.bytes(size))).collect();
            sent += round;
            stored_first += store_all(&program, &root, &pushes, chunked);
        }
        let (peak, limit) = (program.peak_memory(), memory_mib * MIB + BESIDE);
        eprintln!(
            "PERSISTOR_MEMORY={memory_mib}MiB, {rounds:?} × {size} B, {}: peak {:.1} MiB of {} MiB, {stored_first} of {sent} at the first try",
            if chunked { "chunked" } else { "with Content-Length" },
            peak as f64 / MIB as f64,
            limit / MIB,
        );
        assert!(peak <= limit, "{peak} B of {limit} B");
        if let Some(count) = at_first_try {
            // Else they were not in flight together, and this shows nothing. Of bodies without a length the program reads no more at a time than
            // leave room for one of the largest size: 50 within 256 MiB.
            let together = if chunked { count / 2 } else { count };
            assert!(peak > (together * size) as u64, "{peak} B cannot have held {together} payloads");
        }
        assert!(at_first_try.is_none_or(|count| chunked || count == stored_first), "{stored_first} at the first try");
        assert_eq!(Archive::read_sound(&root).by_id().len(), sent);
    }
}

/// Gives how many were stored at the first try.
fn store_all(program: &Program, root: &std::path::Path, pushes: &[Push], chunked: bool) -> usize {
    let request = |push: &Push| if chunked { push.request().chunked(CHUNK) } else { push.request() };
    let requests: Vec<Request> = pushes.iter().map(request).collect();
    let statuses = pusher::statuses(&pusher::send_all_together(program.port(), &requests));
    assert_acknowledged_are_stored(root, pushes, &statuses);
    let others: Vec<_> = statuses.iter().filter(|status| !matches!(status, Some(204 | 503))).collect();
    assert!(others.is_empty(), "neither stored nor refused: {others:?}");
    for (request, status) in requests.iter().zip(&statuses) {
        if *status != Some(204) {
            pusher::send_until_acknowledged(program.port(), request);
        }
    }
    statuses.iter().filter(|status| **status == Some(204)).count()
}
