//! What the commands that send have in common: their arguments, the question before anything is sent, the journal, and the way through it.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use futures_util::stream::BoxStream;
use persistor_recover::replay::{
    Account, Begin, BlobJournal, Ended, FileJournal, Headway, History, Itinerary, Journal, JournalStore, Load, Manner, Order,
    Rate, run,
};
use persistor_recover::{Feeds, Sink, figures};
use persistor_serve::shutdown_signal;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::exit::{Exit, usage};
use crate::place::{location, writer};
use crate::plan_text::Plan;
use crate::screen::{Screen, visible};
use crate::sinks::{self, Form};

/// Bytes of payloads that are held at the same time.
pub(crate) const MEMORY: u64 = 256 << 20;
/// Payloads that are read at the same time: a store that takes 10 ms for each then gives ten thousand a second.
pub(crate) const READS: usize = 128;
/// Sendings under way at the same time where nothing else is said.
const AT_ONCE: u16 = 64;
/// What is said instead of a command that goes on, where nothing is remembered.
const UNNAMED: &str = "nothing was remembered without a --name, so all of it would be sent again";
/// Refused messages that are spelt out.
const SHOWN: usize = 10;
/// The longest name of a replay: it becomes an attribute's value and part of a blob's name.
const LONGEST_NAME: usize = 100;

#[derive(Debug, Args)]
#[command(next_help_heading = "How they are sent")]
pub(crate) struct Sending {
    /// Where to: pubsub://PROJECT/TOPIC, servicebus://NAMESPACE/QUEUE, amqp(s)://HOST/ADDRESS, http(s)://…, or - for lines of JSON on standard output
    #[arg(long, value_name = "SINK")]
    pub(crate) to: String,
    /// What an address of HTTP gets: `raw`, the payload with metadata in headers, or `pubsub-push`, what Pub/Sub would push
    #[arg(long = "as", value_name = "FORM", value_enum)]
    pub(crate) form: Option<Form>,
    /// Only say what would be sent
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Send without asking
    #[arg(short, long)]
    yes: bool,
    /// The name by which it continues where it was broken off; `replay` marks what it sends with it, too [default: made of the time]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where the journal is, by which a replay continues: a file, or an archive (gs://…, az://…) [default: ./NAME.replay.jsonl]
    #[arg(long, value_name = "PLACE")]
    journal: Option<String>,
    /// Which messages wait for each other: those with the same ordering key or session, all, or none
    #[arg(long, value_enum, default_value_t = Ordering::Key)]
    order: Ordering,
    /// No faster than this: 500/s, 30/m, 5MiB/s
    #[arg(long, value_name = "RATE")]
    pub(crate) rate: Option<Rate>,
    /// Requests to the sink under way at the same time
    #[arg(long, value_name = "NUMBER", default_value_t = AT_ONCE, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) at_once: u16,
    /// Give up when the sink took nothing for so long
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = persistor_serve::span)]
    patience: Duration,
    /// One JSON object for the plan or the account (docs/json-lines.md)
    #[arg(long)]
    pub(crate) json: bool,
    /// Send although the messages came from there: all its consumers, and the archive, get them again
    #[arg(long)]
    back_to_source: bool,
    /// Leave out what the sink cannot carry, instead of sending nothing
    #[arg(long)]
    skip_unfit: bool,
}

/// Which messages wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ordering {
    Key,
    All,
    None,
}

impl From<Ordering> for Order {
    fn from(order: Ordering) -> Self {
        match order {
            Ordering::Key => Self::Key,
            Ordering::All => Self::All,
            Ordering::None => Self::None,
        }
    }
}

/// The journal of a run, where there is one.
pub(crate) struct Kept {
    pub(crate) journal: Option<Journal>,
    pub(crate) history: Arc<History>,
}

impl Sending {
    /// The replay's name.
    pub(crate) fn name(&self, now: DateTime<Utc>) -> anyhow::Result<String> {
        let Some(name) = &self.name else { return Ok(now.format("replay-%Y%m%dT%H%M%S%3fZ").to_string()) };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty()
            || name.len() > LONGEST_NAME
            || name.starts_with(['.', '-'])
            || name.ends_with('.')
            || !name.bytes().all(plain)
        {
            usage!(
                "--name `{}`: use letters, digits, `-`, `_` and `.`, at most {LONGEST_NAME}, with a letter or digit first: it marks messages and names a file",
                visible(name)
            );
        }
        Ok(name.clone())
    }

    pub(crate) fn order(&self) -> Order {
        self.order.into()
    }

    /// What must not change when it goes on, as the journal has it.
    pub(crate) fn order_name(&self) -> &'static str {
        match self.order {
            Ordering::Key => "key",
            Ordering::All => "all",
            Ordering::None => "none",
        }
    }

    /// Likewise.
    pub(crate) fn form_name(&self) -> &'static str {
        match self.form {
            None | Some(Form::Raw) => "raw",
            Some(Form::PubsubPush) => "pubsub-push",
        }
    }

    /// Asks whether the sink is there. For a dry run it need not be.
    pub(crate) async fn reach(&self, sink: &dyn Sink) -> anyhow::Result<()> {
        match sink.check().await {
            Err(error) if self.dry_run => {
                eprintln!("persistor: the sink cannot be reached now: {:#}", anyhow::Error::from(error));
                Ok(())
            }
            reached => Ok(reached?),
        }
    }

    /// Says what the sink cannot carry; how it ends if nothing is sent therefore.
    pub(crate) fn unfit(&self, itinerary: &Itinerary, screen: &Screen) -> Option<Exit> {
        let skip = self.skip_unfit;
        if itinerary.misfit == 0 {
            return None;
        }
        for misfit in itinerary.misfits.iter().take(SHOWN) {
            eprintln!("persistor: cannot be sent: {}: {}", visible(&misfit.key), misfit.reason);
        }
        let count = figures::count(itinerary.misfit);
        if skip || self.dry_run {
            screen.say(format_args!("{count} messages that do not fit the sink are left out{}", if skip { "" } else { " here" }));
            return None;
        }
        eprintln!(
            "persistor: {count} messages do not fit the sink, so nothing was sent; --skip-unfit leaves them out (`--dry-run --json` lists them)"
        );
        Some(Exit::Failed)
    }

    /// Shows the plan, and asks whether it may be done. A dry run is no question: it shows, and that is all.
    fn is_agreed(&self, plan: &Plan<'_>, in_doubt: usize, screen: &mut Screen) -> anyhow::Result<bool> {
        if self.dry_run {
            if self.json {
                screen.line(plan.json())?;
            } else {
                screen.write(plan.text().as_bytes())?;
            }
            screen.say("nothing was sent: this was a dry run");
            return Ok(false);
        }
        screen.say(plan.text().trim_end());
        if in_doubt > 0 {
            screen.say(format_args!(
                "{} messages were under way when the last run ended: they may be sent a second time. The journal names them, in its line `resumed`",
                figures::count(in_doubt as u64)
            ));
        }
        let agreed = self.ask(plan.itinerary.total.messages.saturating_sub(plan.before))?;
        if !agreed {
            screen.say("nothing was sent");
        }
        Ok(agreed)
    }

    /// The journal with which it begins, if the plan is agreed to; `kept` is that of an earlier run.
    pub(crate) async fn agreed(
        &self,
        plan: &Plan<'_>,
        kept: Option<Kept>,
        begin: &Begin,
        screen: &mut Screen,
    ) -> anyhow::Result<Option<Kept>> {
        let in_doubt = kept.as_ref().map_or(0, |kept| kept.history.in_doubt().count());
        if !self.is_agreed(plan, in_doubt, screen)? {
            return Ok(None);
        }
        match kept {
            Some(kept) => Ok(Some(kept)),
            None => self.journal(begin).await.map(Some),
        }
    }

    /// How a command ends that was not agreed to.
    pub(crate) fn declined(&self) -> Exit {
        if self.dry_run { Exit::Fine } else { Exit::Failed }
    }

    fn writes_output(&self) -> bool {
        self.to == sinks::LINES
    }

    /// Opens the sink; nothing is sent.
    pub(crate) fn sink(&self) -> anyhow::Result<Arc<dyn Sink>> {
        if self.json && self.writes_output() && !self.dry_run {
            usage!("--json and `--to -` both want standard output: leave out --json");
        }
        sinks::open(&self.to, self.form)
    }

    /// Refuses to send messages back to where they came from, unless that is meant.
    pub(crate) async fn back(&self, itinerary: &Itinerary, sink: &dyn Sink, screen: &Screen) -> anyhow::Result<()> {
        for entity in itinerary.entities.keys() {
            match sink.feeds(entity).await {
                Feeds::No => {}
                Feeds::Yes if self.back_to_source => {
                    screen.say(format_args!("these messages came from `{}`, and go back there", visible(entity)));
                }
                Feeds::Yes => usage!(
                    "these messages came from `{}`, and {} would send them there again: all its consumers would get them twice, and the archive once more. Send them to a side topic or to one endpoint, or say --back-to-source",
                    visible(entity),
                    sinks::shown(&self.to)
                ),
                Feeds::Unknown(reason) => screen
                    .say(format_args!("it cannot be told whether these messages came from {}: {reason}", sinks::shown(&self.to))),
            }
        }
        Ok(())
    }

    /// Whether it was said that it may be sent.
    fn ask(&self, messages: u64) -> anyhow::Result<bool> {
        // Lines harm nobody.
        if self.yes || self.writes_output() {
            return Ok(true);
        }
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            usage!("nothing was sent: look at the plan above, and add --yes to send without being asked");
        }
        eprint!("Send {} messages to {}? [y/N] ", figures::count(messages), sinks::shown(&self.to));
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// Opens the journal before anything is planned, where there can be one: its name was said.
    pub(crate) async fn earlier_journal(&self, begin: &Begin) -> anyhow::Result<Option<Kept>> {
        if self.dry_run || self.name.is_none() { Ok(None) } else { self.journal(begin).await.map(Some) }
    }

    /// Opens the journal: where lines are written and no name is given, there is none.
    async fn journal(&self, begin: &Begin) -> anyhow::Result<Kept> {
        if self.writes_output() && self.name.is_none() && self.journal.is_none() {
            return Ok(Kept { journal: None, history: Arc::default() });
        }
        let store: Box<dyn JournalStore> = match &self.journal {
            Some(place) if place.starts_with("memory:") => usage!("--journal memory: would be gone with this command"),
            Some(place) if place.contains("://") => {
                let location = location(place)?;
                let (writer, reader) = writer(&location)?;
                Box::new(BlobJournal::new(writer, reader, &begin.name))
            }
            Some(file) => Box::new(FileJournal::open(Path::new(file))?),
            None => Box::new(FileJournal::open(&PathBuf::from(format!("{}.replay.jsonl", begin.name)))?),
        };
        match Journal::open(store, begin).await {
            Ok((journal, history)) => Ok(Kept { journal: Some(journal), history: Arc::new(history) }),
            Err(error) if error.kind() == persistor_core::ErrorKind::Invalid => usage!("{error}"),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends everything, says what came of it, and how to go on where something is left. `again` is the command that goes on.
    pub(crate) async fn send(
        &self,
        items: BoxStream<'static, persistor_core::Result<Load>>,
        sink: &Arc<dyn Sink>,
        mut kept: Kept,
        itinerary: (u64, String),
        screen: &mut Screen,
        again: &str,
    ) -> anyhow::Result<Exit> {
        let (total, sha256) = itinerary;
        let again = &if kept.journal.is_some() { again.to_owned() } else { UNNAMED.to_owned() };
        if let Some(journal) = &mut kept.journal {
            journal.planned(total, &sha256);
        }
        let headway = Arc::new(Headway::default());
        screen.follow_sending(&headway, total);
        // A pipe that nobody reads any more does not come back.
        let patience = if self.writes_output() { Duration::ZERO } else { self.patience };
        let manner =
            Manner { order: self.order(), rate: self.rate, at_once: self.at_once.into(), patience, damaged: screen.damage() };
        let (stop, stopped) = watch::channel(false);
        let command = again.to_owned();
        let watcher = tokio::spawn(async move {
            shutdown_signal().await;
            eprintln!("\npersistor: stopping: what is under way is waited for (once more ends at once)");
            let _ = stop.send(true);
            shutdown_signal().await;
            eprintln!("persistor: ended at once; to go on: {command}");
            std::process::exit(Exit::Failed as i32);
        });
        let mut meet = |finding| screen.meet(&finding);
        let account = run(items, sink, kept.journal.as_mut(), &manner, &headway, stopped, &mut meet).await;
        watcher.abort();
        screen.clear();
        self.report(account, screen, again)
    }

    fn report(&self, account: Account, screen: &mut Screen, again: &str) -> anyhow::Result<Exit> {
        let Account { confirmed, before, ref refused, refusals, damaged, unmarked, failures, ref ended } = account;
        let count = figures::count;
        if self.json {
            screen.line(json!({
                "sent": confirmed.messages, "bytes": confirmed.bytes, "sent_before": before, "refused": refusals, "damaged": damaged,
                "unmarked": unmarked, "repeated": failures,
                "ended": match ended { Ended::Done => "done", Ended::Stopped => "stopped", Ended::Failed(_) => "failed" },
                "refusals": refused.iter().map(|misfit| json!({ "key": misfit.key, "reason": misfit.reason })).collect::<Vec<Value>>(),
            }))?;
        }
        screen.say(format_args!(
            "{} messages sent, {}, to {}",
            count(confirmed.messages),
            figures::bytes(confirmed.bytes),
            sinks::shown(&self.to)
        ));
        if before > 0 {
            screen.say(format_args!("{} had been sent before", count(before)));
        }
        if unmarked > 0 {
            screen.say(format_args!(
                "{} of them had no room for the marks and were sent without; the journal names them",
                count(unmarked)
            ));
        }
        if failures > 0 {
            screen.say(format_args!("{} times the sink did not confirm what was sent, and it was sent again", count(failures)));
        }
        for misfit in refused.iter().take(SHOWN) {
            eprintln!("persistor: refused: {}: {}", visible(&misfit.key), visible(&misfit.reason));
        }
        if refusals > 0 {
            eprintln!(
                "persistor: the sink refused {} messages; they are in the archive as before, and were not sent",
                count(refusals)
            );
        }
        let exit = match account.ended {
            Ended::Done if refusals == 0 => Exit::Fine,
            Ended::Done => {
                eprintln!("persistor: to try those again: {again}");
                Exit::Failed
            }
            Ended::Stopped => {
                eprintln!("persistor: stopped; to go on: {again}");
                Exit::Failed
            }
            Ended::Failed(error) => {
                eprintln!("persistor: {:#}", anyhow::Error::from(error));
                eprintln!("persistor: given up; what was confirmed stays so. To go on: {again}");
                Exit::Failed
            }
        };
        Ok(exit)
    }
}
