//! Replays with a journal: what it knows before anything is sent, after a run that was broken off, and of other runs.

use super::*;

pub(crate) fn begin() -> Begin {
    Begin {
        name: "night".to_owned(),
        at: "2026-11-22 05:40:12 UTC".to_owned(),
        terms: BTreeMap::from([("to".to_owned(), "ledger".to_owned())]),
    }
}

pub(crate) async fn journal(path: &Path) -> (Journal, History) {
    // A run that was broken off may still be writing its last lines.
    let file = loop {
        match FileJournal::open(path) {
            Err(error) if error.kind() == persistor_core::ErrorKind::Invalid => tokio::task::yield_now().await,
            file => break file.expect("a file"),
        }
    };
    Journal::open(Box::new(file), &begin()).await.expect("a journal")
}

/// The keys that a journal names as about to be sent more than once.
fn named_twice(journal: &str) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in journal.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for key in line["sending"]["keys"].as_array().into_iter().flatten() {
            *counts.entry(key.as_str().expect("a key").to_owned()).or_default() += 1;
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(key, _)| key).collect()
}

#[tokio::test]
async fn a_run_that_is_broken_off_anywhere_goes_on_and_names_what_is_sent_twice() {
    let stored = Arc::new(stored(keyed(40, 100)).await);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let sink = Arc::new(Ledger::new(7, |_| Fate::Take));
    let mut runs = 0;
    for after in [20, 31, 17, 55, 40, 23, 60_000] {
        let (stored, sink, path) = (stored.clone(), sink.clone(), path.clone());
        let run = tokio::spawn(async move {
            let journal = journal(&path).await;
            replay(&stored, &sink, &Asked::default(), Some(journal)).await.account
        });
        let mut run = run;
        runs += 1;
        tokio::select! {
            account = &mut run => {
                let account = account.expect("it ends");
                assert!(matches!(account.ended, Ended::Done));
                assert_eq!(account.before + account.confirmed.messages, 4000);
                break;
            }
            () = tokio::time::sleep(Duration::from_millis(after)) => {
                run.abort();
                let _ = run.await;
            }
        }
    }
    assert!(runs > 3, "it was not broken off: {runs}");
    let counts = sink.counts();
    assert_eq!(counts.len(), 4000);
    let twice: BTreeSet<_> = counts.into_iter().filter(|(_, count)| *count > 1).map(|(key, _)| key).collect();
    let journal_text = fs::read_to_string(&path).expect("the journal");
    let named = named_twice(&journal_text);
    assert!(twice.is_subset(&named), "{:?}", twice.difference(&named));
    // What was under way is bounded: sixteen sendings of seven.
    assert!(named.len() <= 16 * 7 * (runs - 1), "{} of {runs} runs", named.len());
    let (_, history) = journal(&path).await;
    assert!(history.has_ended() && history.confirmed() == 4000 && history.in_doubt().count() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_journal_torn_at_any_byte_of_its_last_line_is_what_it_was_before_it() {
    let stored = stored(unordered(30)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let sink = Arc::new(Ledger::new(4, |_| Fate::Take));
    let came = replay(&stored, &sink, &Asked::default(), Some(journal(&path).await)).await;
    assert_eq!(came.account.confirmed.messages, 30);
    let whole = fs::read(&path).expect("the journal");
    let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    let mut lengths = 0;
    // Torn in the line of the end, of an answer, of a sending, and the first one.
    for pair in std::iter::once((0, ends[0])).chain(ends.windows(2).map(|pair| (pair[0], pair[1]))) {
        let known = |history: &History| {
            let doubt: Vec<_> = history.in_doubt().map(ToOwned::to_owned).collect();
            (history.goes_on(), history.confirmed(), history.has_ended(), doubt)
        };
        let torn = folder.path().join("torn");
        fs::write(&torn, &whole[..pair.0]).expect("a file");
        let expected = known(&journal(&torn).await.1);
        for length in pair.0..pair.1 {
            lengths += 1;
            fs::write(&torn, &whole[..length]).expect("a file");
            let (_, history) = journal(&torn).await;
            assert_eq!(known(&history), expected, "torn at {length}");
            // What was appended then is read again.
            let again = known(&journal(&torn).await.1);
            assert_eq!((again.1, &again.3), (expected.1, &expected.3), "torn at {length}");
        }
    }
    assert_eq!(lengths, whole.len());
    // A change before the end is no tear.
    for at in (0..ends[ends.len() - 1]).step_by(11) {
        let mut changed = whole.clone();
        changed[at] = if changed[at] == b'~' { b'!' } else { b'~' };
        let other = folder.path().join("changed");
        fs::write(&other, changed).expect("a file");
        let store = Box::new(FileJournal::open(&other).expect("a file"));
        let error = Journal::open(store, &begin()).await.err();
        // The last line end is what makes the last line a line.
        if at + 1 < whole.len() {
            assert!(error.is_some_and(|error| error.kind() == persistor_core::ErrorKind::Damaged), "changed at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_is_of_one_name_and_one_set_of_terms_and_one_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let held = journal(&path).await;
    let error = FileJournal::open(&path).expect_err("it is in use");
    assert!(error.to_string().contains("is running"), "{error}");
    drop(held);
    let others = [
        (Begin { name: "day".to_owned(), ..begin() }, "`night`"),
        (
            Begin { terms: BTreeMap::from([("to".to_owned(), "other".to_owned())]), ..begin() },
            "to: it began with `ledger`, and now it is `other`",
        ),
        (Begin { terms: BTreeMap::new(), ..begin() }, "now it is nothing"),
    ];
    let open = async |begin: &Begin| Journal::open(Box::new(FileJournal::open(&path).expect("a file")), begin).await;
    // As long as nothing was sent, what was said can be said anew.
    for (other, _) in &others {
        let (_, history) = open(other).await.expect("nothing was sent");
        assert!(!history.goes_on());
    }
    let sink = Arc::new(Ledger::new(4, |_| Fate::Take));
    replay(&stored(unordered(3)).await, &sink, &Asked::default(), Some(journal(&path).await)).await;
    for (other, told) in &others {
        let error = open(other).await.expect_err("other terms");
        assert!(error.kind() == persistor_core::ErrorKind::Invalid && error.to_string().contains(told), "{error}");
    }
    let (_, history) = journal(&path).await;
    assert_eq!(history.began(), Some("2026-11-22 05:40:12 UTC"));
    // What is no journal is left as it is.
    for text in ["precious", "precious\nfile\n", "{\"a\":1}", "{"] {
        let other = folder.path().join("other");
        fs::write(&other, text).expect("a file");
        let opened = Journal::open(Box::new(FileJournal::open(&other).expect("a file")), &begin()).await;
        // One brace can be the beginning of a line.
        assert_eq!(opened.is_err(), text != "{", "{text}");
        assert!(text == "{" || fs::read_to_string(&other).expect("a file") == text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_begins_once_and_a_line_that_is_wrong_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let sink = Arc::new(Ledger::new(4, |_| Fate::Take));
    replay(&stored(unordered(30)).await, &sink, &Asked::default(), Some(journal(&path).await)).await;
    let whole = fs::read_to_string(&path).expect("the journal");
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let no_end = format!("{}{}", &lines[0][..20], "x".repeat(17 << 20));
    for (content, wrong) in [
        // Without its beginning, with another one behind what was sent, with a line that was changed, and one that never ends.
        (lines[1..].concat(), 1),
        ([&lines[..], &lines[..1]].concat().concat(), lines.len() + 1),
        (whole.replacen("sending", "sending_", 1), 2),
        ([&lines[..3], &[no_end.as_str()]].concat().concat(), 4),
    ] {
        fs::write(&path, &content).expect("a file");
        let error = Journal::open(Box::new(FileJournal::open(&path).expect("a file")), &begin()).await.expect_err("damage");
        assert_eq!(error.kind(), persistor_core::ErrorKind::Damaged, "{error}");
        assert!(error.to_string().starts_with(&format!("line {wrong} of the journal")), "{error}");
        assert!(fs::read(&path).expect("a file") == content.as_bytes(), "it was changed");
    }
}

/// A journal of which one sees what would survive a crash of the machine.
#[derive(Debug)]
struct Surviving {
    file: FileJournal,
    appended: String,
    durable: Arc<Mutex<String>>,
}

#[async_trait]
impl JournalStore for Surviving {
    async fn read(&mut self) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.file.read().await
    }

    async fn cut(&mut self, length: u64) -> Result<()> {
        self.file.cut(length).await
    }

    async fn append(&mut self, lines: Bytes, durable: bool) -> Result<()> {
        self.appended.push_str(&text(&lines));
        if durable {
            self.durable.lock().expect("no panic").clone_from(&self.appended);
        }
        self.file.append(lines, durable).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_in_the_journal_before_and_what_was_not_all_sent_has_no_end() {
    let a_while = Some(Duration::from_millis(12));
    for (refused, stop, ends) in [(None, None, 1), (Some("7"), None, 0), (None, a_while, 0)] {
        let stored = stored(unordered(400)).await;
        let folder = tempfile::tempdir().expect("a folder");
        let durable = Arc::new(Mutex::new(String::new()));
        let file = FileJournal::open(&folder.path().join("journal")).expect("a file");
        let store = Surviving { file, appended: String::new(), durable: durable.clone() };
        let known = durable.clone();
        let sink = Arc::new(Ledger::new(4, move |message| {
            let sending = format!("\"{}\"", message.original.key);
            assert!(known.lock().expect("no panic").contains(&sending), "sent before the journal knows");
            if Some(message.original.id.as_str()) == refused { Fate::Refuse } else { Fate::Take }
        }));
        let journal = Journal::open(Box::new(store), &begin()).await.expect("a journal");
        let came = replay(&stored, &sink, &Asked { stop, ..Asked::default() }, Some(journal)).await;
        let Account { ended, refusals, .. } = came.account;
        assert!(if stop.is_some() { matches!(ended, Ended::Stopped) } else { matches!(ended, Ended::Done) }, "{ended:?}");
        assert_eq!(refusals, u64::from(refused.is_some()));
        let durable = durable.lock().expect("no panic");
        let count = |what: &str| durable.lines().filter(|line| line.contains(what)).count();
        assert_eq!(count("\"end\""), ends, "{durable}");
        assert_eq!(count("\"answered\""), count("\"sending\""), "an answer would not survive: {durable}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_in_the_journal_while_others_are_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let sink = Arc::new(Ledger::new(4, |message| if message.original.id == "7" { Fate::Hang } else { Fate::Take }));
    let (stored, journal) = (stored(unordered(8)).await, journal(&path).await);
    let asked = Asked::default();
    let replay = replay(&stored, &sink, &asked, Some(journal));
    assert!(tokio::time::timeout(Duration::from_secs(60), replay).await.is_err(), "it does not hang");
    let text = fs::read_to_string(&path).expect("the journal");
    assert_eq!(["\"sending\"", "\"answered\""].map(|what| text.matches(what).count()), [2, 1], "{text}");
}

/// A file that is full after so many appends, and then has room again: the one that did not fit is half there.
#[derive(Debug)]
struct Full(FileJournal, usize);

#[async_trait]
impl JournalStore for Full {
    async fn read(&mut self) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.0.read().await
    }

    async fn cut(&mut self, length: u64) -> Result<()> {
        self.0.cut(length).await
    }

    async fn append(&mut self, lines: Bytes, durable: bool) -> Result<()> {
        self.1 = self.1.wrapping_sub(1);
        if self.1 == 0 {
            self.0.append(lines.slice(..lines.len() / 2), durable).await?;
            return Err(Error::new(persistor_core::ErrorKind::Unavailable, "no space left"));
        }
        self.0.append(lines, durable).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_full_for_a_moment_ends_the_run_and_can_be_read_again() {
    let stored = stored(unordered(500)).await;
    for appends in [3, 4, 5, 8] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let sink = Arc::new(Ledger::new(4, |_| Fate::Take));
        let full = Box::new(Full(FileJournal::open(&path).expect("a file"), appends));
        let first =
            replay(&stored, &sink, &Asked::default(), Some(Journal::open(full, &begin()).await.expect("a journal"))).await;
        assert!(
            matches!(&first.account.ended, Ended::Failed(error) if error.to_string() == "no space left"),
            "{:?}",
            first.account
        );
        let second = replay(&stored, &sink, &Asked::default(), Some(journal(&path).await)).await;
        assert_eq!(second.account.before + second.account.confirmed.messages, 500);
        let text = fs::read_to_string(&path).expect("the journal");
        let doubts: BTreeSet<String> = text
            .lines()
            .flat_map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
                let keys = line["resumed"]["in_doubt"].as_array().cloned().unwrap_or_default();
                keys.into_iter().map(|key| key.as_str().expect("a key").to_owned()).collect::<Vec<_>>()
            })
            .collect();
        let twice: BTreeSet<_> = sink.counts().into_iter().filter(|(_, count)| *count > 1).map(|(key, _)| key).collect();
        assert!(twice.is_subset(&doubts), "{appends}");
        assert_eq!(sink.counts().len(), 500);
    }
}
