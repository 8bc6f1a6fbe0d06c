//! Lines that are sent: what is wrong with one is said by its number, and a run that was broken off goes on behind what was confirmed.

use super::journals::journal;
use super::*;
use persistor_recover::replay::{Spool, Spooled};

/// So many lines, the second one empty; ids are the numbers of lines.
fn spooled(count: usize, sink: &dyn Sink) -> Spooled {
    let mut spool = Spool::new().expect("a temporary file");
    for number in 1..=count {
        let line = if number == 2 { String::new() } else { format!("{{\"id\":\"{number}\",\"payload_text\":\"{number}\"}}") };
        spool.push(format!("{line}\r\n").as_bytes(), sink).expect("a line");
    }
    spool.finish().expect("a temporary file")
}

async fn send(spooled: Spooled, sink: &Arc<Ledger>, asked: &Asked, journal: (Journal, History)) -> Account {
    let (mut journal, history) = journal;
    let sink: Arc<dyn Sink> = sink.clone();
    let items = spooled.load(&sink, Arc::new(history), asked.memory);
    sent(items, &sink, asked, Some(&mut journal), &mut Vec::new()).await
}

#[test]
fn a_line_that_is_none_is_named_by_its_number() {
    let sink = Ledger::new(4, |_| Fate::Take);
    let mut spool = Spool::new().expect("a temporary file");
    for line in ["{\"payload_text\":\"a\"}", "", "{\"payload_text\":\"b\"}"] {
        spool.push(line.as_bytes(), &sink).expect("a line");
    }
    let error = spool.push(b"{\"payload_text\":7}", &sink).expect_err("no text");
    assert_eq!(error.to_string(), "line 4: read a line: `payload_text` is no text");
}

#[tokio::test(start_paused = true)]
async fn lines_go_on_where_they_were_broken_off_and_each_goes_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let sink = Arc::new(Ledger::new(4, |_| Fate::Take));
    let stopped = Asked { stop: Some(Duration::from_millis(42)), ..Asked::default() };
    let first = send(spooled(600, sink.as_ref()), &sink, &stopped, journal(&path).await).await;
    assert!(matches!(first.ended, Ended::Stopped) && first.confirmed.messages > 50, "{first:?}");
    let second = send(spooled(600, sink.as_ref()), &sink, &Asked::default(), journal(&path).await).await;
    assert!(matches!(second.ended, Ended::Done) && second.confirmed.messages > 50, "{second:?}");
    assert_eq!((second.before, second.before + second.confirmed.messages), (first.confirmed.messages, 599));
    let mut ids: Vec<usize> = sink.taken().iter().map(|message| message.original.id.parse().expect("a number")).collect();
    ids.sort_unstable();
    assert_eq!(ids, std::iter::once(1).chain(3..=600).collect::<Vec<_>>());
    // The end says what all runs have sent, and they number their sendings on.
    let text = fs::read_to_string(&path).expect("the journal");
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.last().expect("a line")["end"]["messages"], 599);
    let numbers: Vec<u64> = lines.iter().filter_map(|line| line["sending"]["number"].as_u64()).collect();
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "{numbers:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_sink_cannot_carry_is_left_out_and_named_by_its_number() {
    let folder = tempfile::tempdir().expect("a folder");
    for (number, limit, declined) in [(0, Some(2), None), (1, None, Some("7"))] {
        let path = folder.path().join(number.to_string());
        let sink = Ledger::new(4, |_| Fate::Take).limited(|limits| limits.message = limit);
        let sink = Arc::new(if let Some(id) = declined { sink.declining(id) } else { sink });
        let spooled = spooled(101, sink.as_ref());
        let misfits: Vec<_> = spooled.itinerary.misfits.iter().map(|misfit| misfit.key.as_str()).collect();
        let expected: &[&str] = if limit.is_some() { &["line 100", "line 101"] } else { &["line 7"] };
        assert_eq!((&misfits[..], spooled.itinerary.misfit), (expected, expected.len() as u64));
        let account = send(spooled, &sink, &Asked::default(), journal(&path).await).await;
        assert_eq!(account.confirmed.messages, 100 - expected.len() as u64, "{account:?}");
        let unfit = |message: &persistor_recover::Outgoing| expected.contains(&format!("line {}", message.original.id).as_str());
        assert!(!sink.taken().iter().any(unfit));
    }
}
