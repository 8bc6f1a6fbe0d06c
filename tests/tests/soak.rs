//! The soak: small in CI, as large as one likes by `tests/soak`.

use std::fs;
use std::path::{Path, PathBuf};

use persistor_tests::archive::Archive;
use persistor_tests::program::Setup;
use persistor_tests::soak::Soak;
use persistor_tests::soak::judge::Verdict;
use persistor_tests::soak::load::Load;
use persistor_tests::{pusher, scratch};

/// What CI runs: 16,000 pushes, 1,600 messages through the emulator and 3,200 on Azure.
const MESSAGES: &str = "16000";

/// `SOAK` and `SEED` are what `tests/soak` was given; without them, CI's size and any seed.
#[test]
#[ignore = "needs everything: tests/run e2e"]
fn nothing_that_was_acknowledged_is_lost_altered_or_doubled() {
    let words = std::env::var("SOAK").unwrap_or_else(|_| MESSAGES.to_owned());
    let seed = std::env::var("SEED").ok().map_or_else(any_seed, |seed| seed.parse().expect("SEED is a number"));
    eprintln!("SEED={seed} tests/soak {words}");
    let words: Vec<_> = words.split_whitespace().collect();
    let soak = Soak::parse(&words, seed).unwrap_or_else(|usage| panic!("{usage}"));
    let Some(outcome) = soak.run() else { return };
    eprintln!("{}", outcome.table());
    outcome.assert_clean();
    outcome.assert_every_fault_struck();
}

fn any_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    // Short enough to be typed.
    RandomState::new().hash_one(()) % 1_000_000
}

/// The judge is right about an archive that is, and about each way to spoil one.
#[test]
fn the_judge_finds_what_is_wrong() {
    const MESSAGES: usize = 40;
    let load = Load { seed: 3, count: MESSAGES };
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let program = Setup::gcp_function(&root).start();
    for number in 0..MESSAGES {
        let (subscription, push) = load.push(number);
        pusher::send_until_acknowledged(program.port(), &push.request_from(&subscription));
    }
    // What the judge says of all of them, or of all but the last, of which so many were acknowledged.
    let judge = |messages: usize, acknowledged: usize| {
        let sent = (0..messages).map(|number| (load.expected_push(number), number < acknowledged));
        let verdict = Verdict::of(&Archive::read(&root), sent);
        verdict.faults().map(|(_, lines)| lines.len())
    };
    let [lost, altered, doubled, never_sent, never_acknowledged] = [0, 1, 2, 3, 4].map(|kind| {
        let mut expected = [0; 7];
        expected[kind] = 1;
        expected
    });
    assert_eq!(judge(MESSAGES, MESSAGES), [0; 7]);
    assert_eq!(judge(MESSAGES - 1, MESSAGES), never_sent);
    assert_eq!(judge(MESSAGES, MESSAGES - 1), never_acknowledged);

    let key = |number: usize| load.push(number).1.key();
    let long = (0..MESSAGES).find(|number| load.push(*number).1.payload.len() > 100).expect("one is long");
    let (payload, record) = (root.join(key(long)), root.join(key(long) + ".record"));
    let (bytes, text) = (fs::read(&payload).expect("it is stored"), fs::read(&record).expect("it is stored"));
    let spoil = |expected: [usize; 7], spoil: &dyn Fn()| {
        spoil();
        assert_eq!(judge(MESSAGES, MESSAGES), expected);
        fs::write(&payload, &bytes).and_then(|()| fs::write(&record, &text)).expect("our own files");
        assert_eq!(judge(MESSAGES, MESSAGES), [0; 7]);
    };
    let remove = |path: &PathBuf| fs::remove_file(path).expect("our own file");
    spoil([1, 0, 0, 0, 0, 1, 0], &|| remove(&payload));
    spoil(lost, &|| [&payload, &record].into_iter().for_each(remove));
    spoil(altered, &|| remove(&record));
    spoil(altered, &|| fs::write(&payload, &bytes[1..]).expect("our own file"));
    spoil(altered, &|| fs::write(&record, &text[1..]).expect("our own file"));
    // A whole message, and not this one.
    let other = fs::read(root.join(key((long + 1) % MESSAGES) + ".record")).expect("it is stored");
    spoil(altered, &|| fs::write(&record, &other).expect("our own file"));
    // Under the key of another year it is there a second time; moved there, it is not where it is looked for.
    let twin = [&payload, &record].map(|path| path.to_string_lossy().replacen("/2026/", "/2027/", 1));
    fs::create_dir_all(Path::new(&twin[0]).parent().expect("keys have folders")).expect("folders");
    fs::copy(&payload, &twin[0]).and_then(|_| fs::copy(&record, &twin[1])).expect("copies");
    assert_eq!(judge(MESSAGES, MESSAGES), doubled);
    [&payload, &record].into_iter().for_each(remove);
    assert_eq!(judge(MESSAGES, MESSAGES), altered);
}
