//! What every store has to pass. Each part works under a prefix of its own, so that one archive serves them all.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};

use crate::digest::crc32c_hex;
use crate::error::ErrorKind;
use crate::key::{Key, LONGEST_KEY, LONGEST_SEGMENT};
use crate::reader::Reader;
use crate::time::PublishTime;
use crate::writer::{Creation, Metadata, Writer};

/// Runs the whole suite against an empty archive.
///
/// # Panics
/// Where the store breaks its contract.
pub async fn check_store(writer: Arc<dyn Writer>, reader: Arc<dyn Reader>) {
    let suite = Suite { writer, reader };
    suite.creates_only().await;
    suite.lets_one_of_many_win().await;
    suite.keeps_every_size().await;
    suite.takes_names_at_every_limit().await;
    suite.keeps_metadata_at_its_limit().await;
    suite.lists_in_byte_order().await;
    suite.lists_across_pages().await;
    suite.reads_ranges().await;
    suite.says_what_is_missing().await;
}

struct Suite {
    writer: Arc<dyn Writer>,
    reader: Arc<dyn Reader>,
}

impl Suite {
    async fn create(&self, name: &str, content: &[Bytes], metadata: &Metadata) -> Creation {
        let time = PublishTime::parse("2026-11-22T05:40:12.503Z").expect("valid");
        self.writer
            .create(&key(name), content, metadata, Some(&time))
            .await
            .unwrap_or_else(|error| panic!("create `{name}`: {error:?}"))
    }

    async fn read(&self, name: &str, range: Option<std::ops::Range<u64>>) -> Vec<u8> {
        let chunks = self.reader.read(&key(name), range).await.unwrap_or_else(|error| panic!("read `{name}`: {error:?}"));
        let chunks: Vec<Bytes> = chunks.try_collect().await.expect("every chunk");
        chunks.concat()
    }

    async fn names(&self, prefix: &str, from: Option<&str>) -> Vec<String> {
        self.reader.list(prefix, from).map_ok(|entry| entry.name).try_collect().await.expect("a whole listing")
    }

    async fn creates_only(&self) {
        let first = Metadata::from([("record".to_owned(), "first".to_owned())]);
        let second = Metadata::from([("record".to_owned(), "second".to_owned())]);
        assert_eq!(self.create("once/a", &[Bytes::from_static(b"first")], &first).await, Creation::Created);
        assert_eq!(self.create("once/a", &[Bytes::from_static(b"first")], &first).await, Creation::Exists);
        assert_eq!(self.create("once/a", &[Bytes::from_static(b"another")], &second).await, Creation::Exists);
        assert_eq!(self.read("once/a", None).await, b"first");
        let entries: Vec<_> = self.reader.list("once/", None).try_collect().await.expect("a listing");
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].size, 5);
        let kept = if self.writer.keeps_metadata() { first } else { Metadata::new() };
        assert_eq!(entries[0].metadata, kept);
    }

    async fn lets_one_of_many_win(&self) {
        let creates = (0..64_u8).map(|n| async move {
            // 64 KiB, so that halves could be seen.
            let content = [Bytes::from(vec![n; 65_536])];
            (n, self.create("race/a", &content, &Metadata::new()).await)
        });
        let results: Vec<_> = stream::iter(creates).buffer_unordered(64).collect().await;
        let winners: Vec<u8> = results.iter().filter(|(_, creation)| *creation == Creation::Created).map(|(n, _)| *n).collect();
        assert_eq!(winners.len(), 1, "creates that answered `created`");
        assert_eq!(self.read("race/a", None).await, vec![winners[0]; 65_536]);
    }

    async fn keeps_every_size(&self) {
        self.create("size/none", &[], &Metadata::new()).await;
        assert_eq!(self.read("size/none", None).await, b"");
        let all: Vec<u8> = (0..=255).collect();
        self.create("size/all", &[Bytes::from(all.clone())], &Metadata::new()).await;
        assert_eq!(self.read("size/all", None).await, all);

        // 100 MB in chunks that share one memory; read back chunk by chunk.
        let chunk = Bytes::from(all.repeat(3907)).slice(..1_000_000);
        let content = vec![chunk.clone(); 100];
        self.create("size/100MB", &content, &Metadata::new()).await;
        let mut written = Sha256::new();
        content.iter().for_each(|chunk| written.update(chunk));
        let chunks = self.reader.read(&key("size/100MB"), None).await.expect("a blob");
        let read = chunks.try_fold((Sha256::new(), 0), |(mut hash, length), chunk| async move {
            hash.update(&chunk);
            Ok((hash, length + chunk.len()))
        });
        let (read, length) = read.await.expect("every chunk");
        assert_eq!(length, 100_000_000);
        assert_eq!(read.finalize(), written.finalize());
        let sizes: Vec<u64> = self.reader.list("size/", None).map_ok(|entry| entry.size).try_collect().await.expect("a listing");
        assert_eq!(sizes, [100_000_000, 256, 0]);
        let sums: Vec<_> = self.reader.list("size/", None).map_ok(|entry| entry.crc32c).try_collect().await.expect("a listing");
        let expected = content.iter().fold(0, |sum, chunk| crc32c::crc32c_append(sum, chunk));
        for (sum, expected) in sums.into_iter().zip([format!("{expected:08x}"), crc32c_hex(&all), crc32c_hex(b"")]) {
            assert!(sum.as_ref().is_none_or(|sum| *sum == expected), "{sum:?} is listed for {expected}");
        }
    }

    async fn takes_names_at_every_limit(&self) {
        let segment = "s".repeat(LONGEST_SEGMENT);
        let longest = format!("names/{segment}/{segment}/{segment}/{}/{}", "t".repeat(125), "u".repeat(124));
        assert_eq!(longest.len(), LONGEST_KEY);
        let mut names =
            vec![longest, format!("names/{}", "v".repeat(LONGEST_SEGMENT)), "names/A".into(), "names/a".into(), "names/-".into()];
        names.push("names/a.b_c-d~2F/~_/0".into());
        names.push("names/_persistor".into());
        for name in &names {
            assert_eq!(self.create(name, &[Bytes::from(name.clone())], &Metadata::new()).await, Creation::Created, "{name}");
        }
        for name in &names {
            assert_eq!(self.read(name, None).await, name.as_bytes());
        }
        names.sort();
        assert_eq!(self.names("names/", None).await, names);
    }

    async fn keeps_metadata_at_its_limit(&self) {
        let value: String = (' '..='~').cycle().skip(1).take(3998).collect();
        let metadata = Metadata::from([("record".to_owned(), format!("{{{value}}}"))]);
        self.create("metadata/a", &[], &metadata).await;
        let entries: Vec<_> = self.reader.list("metadata/", None).try_collect().await.expect("a listing");
        let kept = if self.writer.keeps_metadata() { metadata } else { Metadata::new() };
        assert_eq!(entries[0].metadata, kept);
    }

    async fn lists_in_byte_order(&self) {
        // `-` and `.` sort before the slash, digits behind it: an order by directories would be another.
        let sorted =
            ["order/a", "order/a-b", "order/a.record", "order/b-", "order/b/a", "order/b/c/d", "order/b0", "order/b~", "order/c"];
        for name in sorted.iter().rev() {
            self.create(name, &[], &Metadata::new()).await;
        }
        assert_eq!(self.names("order/", None).await, sorted);
        assert_eq!(self.names("order/b", None).await, sorted[3..8]);
        assert_eq!(self.names("order/b/", None).await, sorted[4..6]);
        assert_eq!(self.names("order/b/c/d", None).await, sorted[5..6]);
        for from in 0..sorted.len() {
            assert_eq!(self.names("order/", Some(sorted[from])).await, sorted[from..], "from `{}`, inclusive", sorted[from]);
        }
        assert_eq!(self.names("order/", Some("order/b/")).await, sorted[4..]);
        assert_eq!(self.names("order/", Some("order/b/b")).await, sorted[5..]);
        assert_eq!(self.names("order/b", Some("order/")).await, sorted[3..8]);
        assert_eq!(self.names("order/", Some("order/d")).await, [""; 0]);
        assert_eq!(self.names("none/", None).await, [""; 0]);
    }

    async fn lists_across_pages(&self) {
        let names: Vec<String> = (0..2100).map(|n| format!("pages/{}/{n:04}", n / 700)).collect();
        let none = Metadata::new();
        let creates = names.iter().map(|name| self.create(name, &[], &none));
        let created: Vec<_> = stream::iter(creates).buffer_unordered(64).collect().await;
        assert!(created.iter().all(|creation| *creation == Creation::Created));
        assert_eq!(self.names("pages/", None).await, names);
        assert_eq!(self.names("pages/", Some(&names[999])).await, names[999..]);
        assert_eq!(self.names("pages/1/1", None).await, names[1000..1400]);
    }

    async fn reads_ranges(&self) {
        self.create("range/a", &[Bytes::from_static(b"01234"), Bytes::from_static(b"56789")], &Metadata::new()).await;
        for (range, bytes) in [
            (0..10, "0123456789"),
            (0..1, "0"),
            (4..6, "45"),
            (9..10, "9"),
            (8..99, "89"),
            (3..3, ""),
            (10..20, ""),
            (50..60, ""),
        ] {
            assert_eq!(self.read("range/a", Some(range.clone())).await, bytes.as_bytes(), "{range:?}");
        }
    }

    async fn says_what_is_missing(&self) {
        for name in ["missing/a", "once/a/b", "once"] {
            let error = self.reader.read(&key(name), None).await.err().map(|error| error.kind());
            assert_eq!(error, Some(ErrorKind::NotFound), "{name}");
        }
    }
}

fn key(name: &str) -> Key {
    Key::parse(name).expect("a legal key")
}
