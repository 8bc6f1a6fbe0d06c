//! `persistor diff`: which stored messages did not arrive downstream, or which arrivals were never stored.

use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::TryStreamExt as _;
use persistor_core::Key;
use persistor_recover::{
    Compared, Detail, Difference, Direction, Item, Keys, Lines, MatchBy, Selection, Source, figures, messages, stored_values,
};
use serde_json::json;

use crate::chosen::Chosen;
use crate::exit::{Exit, usage};
use crate::place::{Opened, Place};
use crate::screen::Screen;
use crate::streams_hint::nothing;

/// Memory for comparing, in bytes; what does not fit is sorted in temporary files.
const MEMORY: usize = 256 << 20;

#[derive(Debug, Args)]
#[command(after_help = "\
What arrived is read from standard input, a value a line, in any order. The keys of stored messages whose value is not among them go to standard output.
A selection should cover what could have arrived: leave out the last minutes, in which messages are still on their way.

Exit code 0 where it was compared, whatever the difference; 4 where no message is selected.

Examples:
  persistor diff --match id --since yesterday --until today < handled-ids.txt
  persistor diff --match json:/order/id --since yesterday --until today \\
    < order-numbers.txt > missing.txt
  persistor timeline --keys missing.txt")]
pub(crate) struct Diff {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    chosen: Chosen,
    /// What the lines are: id, sha256, attribute:NAME, or json:/POINTER into the payload
    #[arg(long = "match", value_name = "WHAT")]
    match_by: MatchBy,
    /// The other way round: lines that no selected message has
    #[arg(long)]
    reverse: bool,
    /// One JSON object a line (docs/json-lines.md)
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        if self.chosen.reads_stdin() {
            usage!("standard input has what arrived, so the keys have to be in a file: --keys FILE");
        }
        if self.chosen.limit.is_some() {
            usage!("diff has no --limit: what is not compared would look as if it had not arrived");
        }
        let opened = self.place.open().await?;
        let costly = self.match_by.needs_payload();
        let meant = self.chosen.meant(&opened, self.place.quiet, costly).await?;
        let mut screen = Screen::new(self.place.quiet);
        let direction = if self.reverse { Direction::NotStored } else { Direction::NotArrived };
        let lines = Arc::new(AtomicU64::new(0));
        screen.follow_lines(&lines);
        let mut difference = self.read_arrived(direction, &lines).await?;
        screen.clear();
        let arrived = lines.load(Ordering::Relaxed);
        if arrived == 0 {
            screen.say("standard input had no lines: nothing arrived, by that");
        }
        screen.follow(&opened.archive, &meant);
        let items = messages(&opened.archive, &meant.selection, meant.source, Detail::Records);
        let mut meet = |finding| screen.meet(&finding);
        let compared = stored_values(&opened.archive, items, self.match_by.clone(), &mut difference, &mut meet).await?;
        if compared.messages + compared.without == 0 && !screen.has_met() {
            nothing(&screen, &opened, self.chosen.streams(), meant.now).await?;
            return Ok(screen.end(Exit::Nothing)?);
        }
        self.say_without(&screen, &compared);
        if compared.messages == 0 && compared.without > 0 {
            bail!("nothing could be compared: no selected message has a value for `{}`", self.match_by);
        }
        let lines = tokio::task::spawn_blocking(move || difference.lines()).await??;
        let differing = if self.reverse {
            self.write_arrived(lines, &mut screen)?
        } else {
            self.write_stored(lines, &mut screen, &opened).await?
        };
        screen.clear();
        screen.say(self.account(&compared, arrived, differing, screen.has_met()));
        if !self.reverse && arrived > 0 && differing == compared.messages {
            screen.say("None of the lines is a value of a stored message: compare a line with what `persistor ls --json` shows");
        }
        Ok(screen.end(Exit::Fine)?)
    }

    /// Reads standard input to its end, and counts its lines.
    async fn read_arrived(&self, direction: Direction, lines: &Arc<AtomicU64>) -> anyhow::Result<Difference> {
        if std::io::stdin().is_terminal() && !self.place.quiet {
            eprintln!("reading what arrived from the terminal, a value a line; ctrl-D ends it");
        }
        let (match_by, lines) = (self.match_by.clone(), lines.clone());
        let read = tokio::task::spawn_blocking(move || {
            let mut difference = Difference::new(direction, MEMORY);
            let (mut input, mut line) = (std::io::stdin().lock(), Vec::new());
            while input.read_until(b'\n', &mut line).context("read standard input")? > 0 {
                // An empty line is nobody's value, but the end of somebody's file.
                let value = match_by.normal(&line);
                if !value.is_empty() {
                    difference.arrived(&value)?;
                    lines.fetch_add(1, Ordering::Relaxed);
                }
                drop(value);
                line.clear();
            }
            anyhow::Ok(difference)
        });
        read.await?
    }

    fn write_arrived(&self, mut lines: Lines, screen: &mut Screen) -> anyhow::Result<u64> {
        let (mut line, mut count) = (Vec::new(), 0);
        while lines.next_into(&mut line)? {
            count += 1;
            if self.json {
                screen.line(json!({ "arrived": String::from_utf8_lossy(&line) }))?;
            } else {
                line.push(b'\n');
                screen.write(&line)?;
            }
        }
        Ok(count)
    }

    async fn write_stored(&self, mut lines: Lines, screen: &mut Screen, opened: &Opened) -> anyhow::Result<u64> {
        let (mut line, mut count, mut keys) = (Vec::new(), 0, Keys::default());
        while lines.next_into(&mut line)? {
            count += 1;
            if self.json {
                keys.push(&Key::parse(String::from_utf8_lossy(&line))?)?;
            } else {
                line.push(b'\n');
                screen.write(&line)?;
            }
        }
        if self.json && count > 0 {
            let mut items = messages(&opened.archive, &Arc::new(Selection::all()), Source::Keys(keys), Detail::Records);
            while let Some(item) = items.try_next().await? {
                match item {
                    Item::Finding(finding) => screen.meet(&finding),
                    Item::Message(stored) => screen.line(stored.json().unwrap_or_default())?,
                }
            }
        }
        Ok(count)
    }

    fn say_without(&self, screen: &Screen, compared: &Compared) {
        if compared.without > 0 {
            let examples = compared.examples.join("\n  ");
            screen.say(format_args!(
                "{} messages have no value for `{}` and could not be compared, such as\n  {examples}",
                figures::count(compared.without),
                self.match_by
            ));
        }
    }

    fn account(&self, compared: &Compared, arrived: u64, differing: u64, met: bool) -> String {
        let (stored, arrived, count) = (figures::count(compared.messages), figures::count(arrived), figures::count(differing));
        match (self.reverse, differing) {
            (false, 0) if met || compared.without > 0 => {
                format!(
                    "{stored} messages compared with {arrived} lines: those that could be compared arrived, others could not be"
                )
            }
            (false, 0) => format!("{stored} messages compared with {arrived} lines: all of them arrived"),
            (false, 1) => format!("{stored} messages compared with {arrived} lines: one message did not arrive"),
            (false, _) => format!("{stored} messages compared with {arrived} lines: {count} messages did not arrive"),
            (true, 0) => format!("{arrived} lines compared with {stored} messages: all of them are stored"),
            (true, _) => format!("{arrived} lines compared with {stored} messages: {count} are not stored"),
        }
    }
}
