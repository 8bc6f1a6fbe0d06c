//! What a command shows: data on standard output, talk on standard error, and on a terminal how far long work has come.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use persistor_recover::replay::Headway;
use persistor_recover::{Archive, Fault, Finding, Source, estimate, figures};

use crate::chosen::Meant;
use crate::exit::Exit;

/// Work that takes no longer shows nothing.
const PATIENCE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(200);
/// Between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

/// Findings that reading commands spell out; the rest is counted.
const SHOWN: u64 = 5;

pub(crate) struct Screen {
    output: BufWriter<io::Stdout>,
    /// Whether standard output is a terminal, so that lines and the bar share it.
    shared: bool,
    quiet: bool,
    bar: ProgressBar,
    ticker: Option<tokio::task::JoinHandle<()>>,
    damage: u64,
    /// Whether one of them is that the archive has no layout.
    no_layout: bool,
    later: u64,
}

impl Screen {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            output: BufWriter::with_capacity(1 << 16, io::stdout()),
            shared: io::stdout().is_terminal(),
            quiet,
            bar: ProgressBar::hidden(),
            ticker: None,
            damage: 0,
            no_layout: false,
            later: 0,
        }
    }

    /// Shows from now on how far a walk through a selection has come, if it takes long: blobs, their rate, and the time left as soon as it is known about how many
    /// there are.
    pub(crate) fn follow(&mut self, archive: &Arc<Archive>, meant: &Meant) {
        if self.quiet || !io::stderr().is_terminal() {
            return;
        }
        let (bar, archive, selection, now) = (self.bar.clone(), archive.clone(), meant.selection.clone(), meant.now);
        // How many keys were given says nothing of how many names are passed on the way to them.
        let mut known = matches!(meant.source, Source::Keys(_));
        self.ticker = Some(tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            bar.set_style(style("{spinner} {human_pos} blobs  {per_sec}  {msg}"));
            bar.set_draw_target(ProgressDrawTarget::stderr());
            let for_estimate = (archive.clone(), selection);
            let mut total = Box::pin(async move { estimate(&for_estimate.0, &for_estimate.1, now).await });
            let mut tick = tokio::time::interval(TICK);
            loop {
                tokio::select! {
                    estimated = &mut total, if !known => {
                        known = true;
                        if let Ok(Some(blobs)) = estimated {
                            bar.set_length(blobs.max(1));
                            bar.set_style(style("{bar:30} {human_pos} of about {human_len} blobs  {per_sec}  {eta} left  {msg}"));
                        }
                    }
                    _ = tick.tick() => {
                        bar.set_position(archive.progress().blobs());
                        let read = archive.progress().bytes();
                        if read > 0 {
                            bar.set_message(format!("{} of payloads read", figures::bytes(read)));
                        }
                    }
                }
            }
        }));
    }

    /// Shows from now on how many lines of input were read, if it takes long.
    pub(crate) fn follow_lines(&mut self, lines: &Arc<AtomicU64>) {
        if self.quiet || !io::stderr().is_terminal() {
            return;
        }
        let (bar, lines) = (self.bar.clone(), lines.clone());
        self.ticker = Some(tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            bar.set_style(style("{spinner} {human_pos} lines read  {per_sec}"));
            bar.set_draw_target(ProgressDrawTarget::stderr());
            let mut tick = tokio::time::interval(TICK);
            loop {
                tick.tick().await;
                bar.set_position(lines.load(Ordering::Relaxed));
            }
        }));
    }

    /// Shows from now on how many messages were sent, of how many, how fast, and how long it still takes: on a terminal in a bar, else in a line now and then.
    pub(crate) fn follow_sending(&mut self, headway: &Arc<Headway>, total: u64) {
        if self.quiet {
            return;
        }
        let (bar, headway) = (self.bar.clone(), headway.clone());
        let terminal = io::stderr().is_terminal();
        self.ticker = Some(tokio::spawn(async move {
            bar.set_style(style("{bar:30} {human_pos} of {human_len} messages  {per_sec}  {eta} left  {msg}"));
            bar.set_length(total);
            if terminal {
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            let start = tokio::time::Instant::now();
            let mut tick = tokio::time::interval(if terminal { TICK } else { LINES });
            tick.tick().await;
            loop {
                tick.tick().await;
                bar.set_position(headway.passed());
                let failures = headway.failures();
                let failing = if failures > 0 { format!("  {failures} not confirmed and repeated") } else { String::new() };
                bar.set_message(format!("{}{failing}", figures::bytes(headway.confirmed().bytes)));
                if !terminal {
                    let passed = headway.passed();
                    let left =
                        time_left(passed, total, start.elapsed()).map_or_else(String::new, |left| format!(", about {left} left"));
                    let bytes = figures::bytes(headway.confirmed().bytes);
                    eprintln!("{} of {} messages, {bytes}{left}{failing}", figures::count(passed), figures::count(total));
                }
            }
        }));
    }

    /// One line of data.
    pub(crate) fn line(&mut self, line: impl fmt::Display) -> io::Result<()> {
        self.write(format!("{line}\n").as_bytes())
    }

    /// Data as it stands.
    pub(crate) fn write(&mut self, data: &[u8]) -> io::Result<()> {
        if self.shared {
            let output = &mut self.output;
            return self.bar.suspend(|| output.write_all(data).and_then(|()| output.flush()));
        }
        self.output.write_all(data)
    }

    /// Lets everything out that was written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    /// Talk, unless it is unwanted.
    pub(crate) fn say(&self, text: impl fmt::Display) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("{text}"));
        }
    }

    /// What a command that only reads does with what it meets: damage is said and counted, what a later version wrote is counted, and what is no message
    /// is not its business.
    pub(crate) fn meet(&mut self, finding: &Finding) {
        if finding.fault.is_damage() {
            self.damage += 1;
            self.no_layout |= finding.fault == Fault::LayoutMissing;
            if self.damage <= SHOWN {
                self.bar.suspend(|| eprintln!("persistor: {} {}: {}", finding.fault, visible(&finding.name), finding.text));
            }
        } else if finding.fault == Fault::Later {
            self.later += 1;
        }
    }

    /// How many damaged messages were met so far.
    pub(crate) fn damage(&self) -> u64 {
        self.damage
    }

    /// Whether anything was met that is left out of the result.
    pub(crate) fn has_met(&self) -> bool {
        self.damage + self.later > 0
    }

    /// The end: everything is out, and what was met is summed up. `exit` is how it ends if no damage was met.
    pub(crate) fn end(mut self, exit: Exit) -> io::Result<Exit> {
        self.clear();
        self.output.flush()?;
        if self.later > 0 {
            // Not only talk: what is passed over is not in the result.
            eprintln!("persistor: {} blobs of a later version of Persistor were passed over", figures::count(self.later));
        }
        // Where there is neither a layout nor a message, there is no archive: a slip of the address, and no damage.
        let is_no_archive = exit == Exit::Nothing && self.no_layout && self.damage == 1;
        if self.damage == 0 || is_no_archive {
            return Ok(exit);
        }
        let count = figures::count(self.damage);
        eprintln!(
            "persistor: {count} of what was to be read is damaged or missing, and left out here; `persistor verify` lists it"
        );
        Ok(if exit == Exit::Failed { exit } else { Exit::Damage })
    }

    /// Takes the bar away.
    pub(crate) fn clear(&mut self) {
        if let Some(ticker) = self.ticker.take() {
            ticker.abort();
        }
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
    }
}

/// How long the rest takes if it goes on as it went; none where nothing tells.
fn time_left(passed: u64, total: u64, taken: Duration) -> Option<humantime::FormattedDuration> {
    let left = total.checked_sub(passed).filter(|left| passed > 0 && *left > 0)?;
    let seconds = taken.as_secs_f64() / passed as f64 * left as f64;
    Some(humantime::format_duration(Duration::from_secs(seconds.ceil() as u64)))
}

/// The template is a constant, which the test below parses.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Text that a sender may have chosen, without anything that a terminal would obey.
pub(crate) fn visible(text: &str) -> String {
    let is_plain =
        |c: char| !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if is_plain(c) {
            out.push(c);
        } else {
            out.extend(c.escape_default());
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_told_only_where_it_is_known() {
        let left = |passed, total, seconds| time_left(passed, total, Duration::from_secs(seconds)).map(|left| left.to_string());
        assert_eq!(left(10, 40, 10).as_deref(), Some("30s"));
        assert_eq!(left(1, 3601, 1).as_deref(), Some("1h"));
        for (passed, total) in [(0, 10), (10, 10), (11, 10)] {
            assert_eq!(left(passed, total, 10), None);
        }
    }

    #[test]
    fn what_a_sender_wrote_moves_no_cursor() {
        assert_eq!(visible("a\u{1b}[2J\r\nb\u{7f}\u{9b}\u{202e}é"), "a\\u{1b}[2J\\r\\nb\\u{7f}\\u{9b}\\u{202e}é");
    }
}
