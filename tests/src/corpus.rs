//! Awkward messages, the same in every run: what a pipeline may send that a careless archiver would change.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::pubsub::Publication;
use crate::random::Random;

/// Pub/Sub's limit for a message. (Its emulator hangs a little above.)
const LARGEST: usize = 10_000_000;
/// Pub/Sub's limits for attributes.
const MOST_ATTRIBUTES: usize = 100;
const LONGEST_NAME: usize = 256;
const LONGEST_VALUE: usize = 1024;

/// Names and values that try to be something else: a path, a header, JSON, nothing.
pub(crate) const HOSTILE: [&str; 40] = [
    "",
    " ",
    ".",
    "..",
    "/",
    "//",
    "../../../etc/passwd",
    "..\\..\\windows",
    "a/../b",
    "~",
    "~2F",
    "~~",
    "~_",
    "_persistor/layout/x.json",
    ".tmp/x",
    "x.record",
    "\0",
    "a\0b",
    "\r\n",
    "a\r\nx-injected: 1",
    "\t\u{8}\u{c}\u{1b}[31m",
    "\u{7f}\u{80}\u{9f}",
    "\"",
    "\\\"",
    "'",
    "{\"a\":1}",
    "[]",
    "null",
    "%00%2e%2e%2f",
    "\u{e9}\u{df}\u{4e2d}\u{6587}",
    "e\u{301}",
    "\u{202e}gnp.exe",
    "\u{2028}\u{2029}",
    "\u{feff}bom",
    "\u{1F600}\u{10FFFF}",
    "\u{fffd}\u{fffe}\u{ffff}",
    "<script>alert(1)</script>",
    "'; DROP TABLE messages; --",
    "$(reboot) `reboot` ${PATH}",
    "{stream}{id}%Y",
];

/// Names that mean something to Pub/Sub, to CloudEvents, to HTTP or to our own record.
const MEANINGFUL: [&str; 28] = [
    "x-goog-pubsub-message-id",
    "x-goog-pubsub-publish-time",
    "x-goog-pubsub-subscription-name",
    "x-goog-pubsub-ordering-key",
    "ce-id",
    "ce-source",
    "ce-time",
    "ce-type",
    "messageId",
    "message_id",
    "publishTime",
    "publish_time",
    "data",
    "attributes",
    "subscription",
    "orderingKey",
    "id",
    "stream",
    "entity",
    "check",
    "sha256",
    "format",
    "requires",
    "content-type",
    "Content-Type",
    "content-length",
    "authorization",
    "transfer-encoding",
];

/// Payloads that are no text, or text that is not what it seems.
const ODD: [&[u8]; 22] = [
    b"\0", b"\0\0\0\0", b"\xff", b"\xff\xfe", b"\xfe\xff\0a", b"\xef\xbb\xbftext", b"\x80", b"\xc0\xaf", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xed\xb0\x80",
    b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"a\r\nb\rc\nd", b"\n", b" ", b"\r\n\r\n", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", b"null", b"{\"message\":{\"data\":\"\"}}",
    b"{\"message\":{\"messageId\":\"1\",\"publishTime\":\"2020-01-01T00:00:00Z\",\"data\":\"AA==\"},\"subscription\":\"projects/p/subscriptions/other\"}",
];

/// So many messages; equal seeds give equal ones. A few are as large as Pub/Sub allows, most are small, all together about 30 KB each.
///
/// # Panics
/// If fewer are asked for than there are special cases.
pub fn corpus(count: usize, seed: u64) -> Vec<Publication> {
    let mut random = Random::new(seed);
    let mut all = special();
    large(&mut all, &mut random, count);
    assert!(all.len() <= count, "there are {} special cases", all.len());
    while all.len() < count {
        let size = match random.between(0, 99) {
            0 => random.between(100_000, 500_000),
            1..=9 => random.between(10_000, 50_000),
            _ => random.between(1, 4_000),
        };
        all.push(Publication { payload: random.bytes(size).into(), attributes: some_attributes(&mut random) });
    }
    // So that large and small, odd and plain ones are in flight together.
    for last in (1..all.len()).rev() {
        all.swap(last, random.between(0, last));
    }
    all
}

/// One message of every kind that there is here, for loads that are too large to be kept: small mostly, once in 2,000 times of up to 9 MB.
pub fn one(random: &mut Random) -> Publication {
    let payload = match random.between(0, 1999) {
        0 => bytes(random, 1_000_000, 9_000_000),
        1..=19 => bytes(random, 10_000, 50_000),
        20..=119 => Vec::new(),
        120..=219 => bytes(random, 1, 1),
        220..=319 => random.pick(&ODD).to_vec(),
        320..=419 => (0..=255).collect(),
        420..=519 => b"the same in many messages".to_vec(),
        520..=1019 => format!("{{\"order\":{{\"id\":{}}}}}", random.number()).into_bytes(),
        _ => bytes(random, 0, 4096),
    };
    let attributes = match random.between(0, 999) {
        0 => largest_attributes(random.between(0, 5)),
        // A record that is longer than metadata takes.
        1..=19 => (0..4).map(|part| (format!("long {part}"), "x\u{1}".repeat(300))).collect(),
        20..=299 => BTreeMap::new(),
        _ => some_attributes(random),
    };
    Publication { payload: payload.into(), attributes }
}

fn bytes(random: &mut Random, low: usize, high: usize) -> Vec<u8> {
    let length = random.between(low, high);
    random.bytes(length)
}

fn special() -> Vec<Publication> {
    let mut all = Vec::new();
    let mut plain = |payload: Vec<u8>| all.push(Publication { payload: payload.into(), attributes: BTreeMap::new() });
    (0..=255).for_each(|byte| plain(vec![byte]));
    plain((0..=255).collect());
    ODD.iter().for_each(|payload| plain(payload.to_vec()));
    // Around what base64, buffers and pages divide by.
    for edge in [3, 57, 64, 4_096, 8_192, 65_536, 1 << 20] {
        (edge - 1..=edge + 1).for_each(|size| plain(vec![b'\n'; size]));
    }
    for name in HOSTILE.iter().chain(&MEANINGFUL) {
        for value in ["", "7", name] {
            let attributes = BTreeMap::from([((*name).to_owned(), value.to_owned())]);
            all.push(Publication { payload: Bytes::from_static(b"hostile"), attributes: attributes.clone() });
            all.push(Publication { payload: Bytes::new(), attributes });
        }
    }
    let every = HOSTILE.iter().chain(&MEANINGFUL).zip(HOSTILE.iter().rev().chain(&MEANINGFUL));
    let attributes = every.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    all.push(Publication { payload: Bytes::new(), attributes });
    all
}

/// Those at the limits of size.
fn large(all: &mut Vec<Publication>, random: &mut Random, count: usize) {
    // All 0xFF is `/` in base64, which the emulator writes as two bytes: no push request is larger than this one.
    all.push(Publication { payload: vec![0xff; LARGEST].into(), attributes: BTreeMap::new() });
    for _ in 0..count / 1000 {
        all.push(Publication { payload: random.bytes(LARGEST).into(), attributes: some_attributes(random) });
        for _ in 0..3 {
            let size = random.between(1_000_000, 5_000_000);
            all.push(Publication { payload: random.bytes(size).into(), attributes: BTreeMap::new() });
        }
    }
    for kind in 0..30 {
        let payload = if kind % 3 == 0 { Vec::new() } else { random.bytes(kind * 100) };
        all.push(Publication { payload: payload.into(), attributes: largest_attributes(kind) });
    }
}

/// As many attributes as allowed, each as long as allowed, of characters that take one to six bytes in JSON.
fn largest_attributes(kind: usize) -> BTreeMap<String, String> {
    let character = ['a', '"', '\u{1}', '\u{e9}', '\u{4e2d}', '\u{1F600}'][kind % 6];
    let fill = |start: String, length: usize| {
        let room = length - start.len();
        let filled = start + &character.to_string().repeat(room / character.len_utf8());
        // What the character does not divide.
        format!("{filled}{}", "-".repeat(room % character.len_utf8()))
    };
    (0..MOST_ATTRIBUTES).map(|index| (fill(format!("{index:02}"), LONGEST_NAME), fill(String::new(), LONGEST_VALUE))).collect()
}

fn some_attributes(random: &mut Random) -> BTreeMap<String, String> {
    let count = random.between(0, 5);
    let attribute = |random: &mut Random| match random.between(0, 3) {
        0 => ((*random.pick(&MEANINGFUL)).to_owned(), (*random.pick(&HOSTILE)).to_owned()),
        1 => ((*random.pick(&HOSTILE)).to_owned(), random.number().to_string()),
        _ => (format!("key-{}", random.between(0, 20)), format!("value-{}", random.number())),
    };
    (0..count).map(|_| attribute(random)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_large_as_it_says_and_the_same_each_time() {
        let first = corpus(3_000, 7);
        assert_eq!(first, corpus(3_000, 7));
        assert_ne!(first, corpus(3_000, 8));
        let bytes: usize = first.iter().map(|message| message.payload.len()).sum();
        assert!(bytes <= 3_000 * 100_000, "{bytes}");
        assert!(first.iter().all(|message| message.payload.len() <= LARGEST));
        assert!(
            first.iter().all(|message| !message.payload.is_empty() || !message.attributes.is_empty()),
            "Pub/Sub takes no empty message"
        );
        for message in first.iter().filter(|message| message.attributes.len() == MOST_ATTRIBUTES) {
            assert!(message.attributes.iter().all(|(name, value)| name.len() == LONGEST_NAME && value.len() == LONGEST_VALUE));
        }
    }
}
