//! Replays whose journal is kept in an archive: it goes on, also where answers are lost, and is that of one run.

use super::journals::begin;
use super::*;

/// A journal that was read already when it is opened, and found empty: another one was opened between.
#[derive(Debug)]
struct Read(BlobJournal);

#[async_trait]
impl JournalStore for Read {
    async fn read(&mut self) -> Result<BoxStream<'static, Result<Bytes>>> {
        Ok(futures_util::stream::empty().boxed())
    }

    async fn cut(&mut self, _length: u64) -> Result<()> {
        Ok(())
    }

    async fn append(&mut self, lines: Bytes, durable: bool) -> Result<()> {
        self.0.append(lines, durable).await
    }
}

/// A store whose answers are lost: the next attempt finds what the first one made.
#[derive(Debug)]
struct Forgetful(MemoryStore);

#[async_trait]
impl Writer for Forgetful {
    fn keeps_metadata(&self) -> bool {
        self.0.keeps_metadata()
    }

    async fn create(&self, key: &Key, content: &[Bytes], metadata: &Metadata, time: Option<&PublishTime>) -> Result<Creation> {
        self.0.create(key, content, metadata, time).await?;
        Ok(Creation::Exists)
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_in_an_archive_that_loses_its_answers_is_that_of_this_run() {
    let stored = stored(unordered(100)).await;
    let store = MemoryStore::new();
    let open = || Box::new(BlobJournal::new(Arc::new(Forgetful(store.clone())), Arc::new(store.clone()), "night"));
    let sink = Arc::new(Ledger::new(5, |_| Fate::Take));
    let came = replay(&stored, &sink, &Asked::default(), Some(Journal::open(open(), &begin()).await.expect("a journal"))).await;
    assert!(matches!(came.account.ended, Ended::Done), "{:?}", came.account);
    let (_, history) = Journal::open(open(), &begin()).await.expect("a journal");
    assert!(history.has_ended() && history.confirmed() == 100);
}

#[tokio::test(start_paused = true)]
async fn a_journal_in_an_archive_goes_on_and_two_at_the_same_time_are_found_out() {
    let stored = stored(unordered(100)).await;
    let store = MemoryStore::new();
    let open =
        || -> Box<dyn JournalStore> { Box::new(BlobJournal::new(Arc::new(store.clone()), Arc::new(store.clone()), "night")) };
    let sink = Arc::new(Ledger::new(5, |_| Fate::Take));
    let asked = Asked { stop: Some(Duration::from_millis(26)), ..Asked::default() };
    let first = replay(&stored, &sink, &asked, Some(Journal::open(open(), &begin()).await.expect("a journal"))).await;
    assert!(matches!(first.account.ended, Ended::Stopped));
    let (journal, history) = Journal::open(open(), &begin()).await.expect("it goes on");
    assert_eq!(history.confirmed(), first.account.confirmed.messages);
    // Another one opens it meanwhile, and so makes the next blob.
    Journal::open(open(), &begin()).await.expect("a second one");
    let second = replay(&stored, &sink, &Asked::default(), Some((journal, history))).await;
    assert!(
        matches!(&second.account.ended, Ended::Failed(error) if error.to_string().contains("elsewhere")),
        "{:?}",
        second.account
    );
    assert_eq!(second.account.confirmed.messages, 0);
    let third = replay(&stored, &sink, &Asked::default(), Some(Journal::open(open(), &begin()).await.expect("a journal"))).await;
    assert_eq!(third.account.before + third.account.confirmed.messages, 100);
    assert!(sink.counts().values().all(|count| *count == 1));
    // Two that open it at the very same time do not both have it.
    let empty = MemoryStore::new();
    let (reader, writer) = (Arc::new(empty.clone()), Arc::new(empty.clone()));
    let mut stores = [(); 2].map(|()| BlobJournal::new(writer.clone(), reader.clone(), "night"));
    for store in &mut stores {
        drop(store.read().await.expect("it is empty"));
    }
    let mut opened = 0;
    for store in stores {
        opened += usize::from(Journal::open(Box::new(Read(store)), &begin()).await.is_ok());
    }
    assert_eq!(opened, 1);
    // It lies in the archive and is no message.
    store.create(&Key::parse("x").expect("a key"), &[], &Metadata::new(), None).await.expect("a blob");
    let archive = Archive::open(Arc::new(store)).await.expect("it opens");
    let mut findings = Vec::new();
    let mut found = |finding: Finding| findings.push(finding.name);
    let (all, read) = (Arc::new(Selection::all()), persistor_recover::ReadData::No);
    persistor_recover::verify(&archive, &all, Source::Listing, read, &mut found).await.expect("a summary");
    assert_eq!(findings, [persistor_core::LAYOUT_PREFIX, "x"]);
}
