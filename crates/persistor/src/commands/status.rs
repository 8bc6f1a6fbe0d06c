//! `persistor status`: whether messages are being archived now.

use chrono::{DateTime, Utc};
use clap::Args;
use console::style;
use persistor_recover::{MINUTES, RECENT, Selection, State, StreamStatus, figures, shown, status};
use serde_json::json;

use crate::exit::Exit;
use crate::look::look;
use crate::place::Place;
use crate::screen::{Screen, visible};
use crate::streams_hint::nothing;

#[derive(Debug, Args)]
#[command(after_help = "\
A stream is `archiving` where messages come as before, `silent` where the silence since its last message is more than two minutes and more than
twice the longest pause of the hour, `idle` where nothing came for an hour.")]
pub(crate) struct Status {
    #[command(flatten)]
    place: Place,
    /// Only of this stream (more than one: repeat it)
    #[arg(long, value_name = "STREAM")]
    stream: Vec<String>,
    /// One JSON object a line (docs/json-lines.md)
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let opened = self.place.open().await?;
        let now = Utc::now();
        let mut screen = Screen::new(self.place.quiet);
        let selection = Selection::all().streams(self.stream.iter().cloned());
        let found = status(&opened.archive, &selection, now, &mut |finding| screen.meet(&finding)).await?;
        if found.is_empty() {
            nothing(&screen, &opened, &self.stream, now).await?;
            return Ok(screen.end(Exit::Nothing)?);
        }
        let width = found.iter().map(|status| visible(&status.stream).chars().count()).max().unwrap_or(0);
        for status in &found {
            screen.line(if self.json { json(status, now) } else { text(status, now, width) })?;
        }
        Ok(screen.end(Exit::Fine)?)
    }
}

fn json(status: &StreamStatus, now: DateTime<Utc>) -> String {
    json!({
        "stream": status.stream, "state": status.state.as_str(), "now": time(now), "last": time(status.last),
        "last_5_minutes": status.recent(), "last_hour": status.hour(), "minutes": status.minutes.as_slice(),
        "longest_pause_minutes": status.longest_pause,
    })
    .to_string()
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn text(status: &StreamStatus, now: DateTime<Utc>, width: usize) -> String {
    let look = look();
    let state = format!("{:<9}", status.state.as_str());
    let state = match status.state {
        State::Archiving => style(state).green(),
        _ => style(state).red().bold(),
    };
    let rate = |messages: u64, minutes: usize| messages as f64 / minutes as f64;
    let mut text = format!(
        "{:<width$}  {state}  last message {} ago, at {}\n{:<width$}  {:.1} a minute in the last {RECENT} minutes, {:.1} in the last hour ({} messages)",
        visible(&status.stream),
        ago(now - status.last),
        shown(status.last),
        "",
        rate(status.recent(), RECENT),
        rate(status.hour(), MINUTES),
        figures::count(status.hour()),
    );
    if status.state != State::Idle {
        let pause = match status.longest_pause {
            0 => "no minute without a message before it".to_owned(),
            minutes => format!("longest pause before it: {minutes} minutes without a message"),
        };
        text.push_str(&format!("\n{:<width$}  {pause}", ""));
        if width + 2 + MINUTES <= look.width && look.unicode {
            text.push_str(&format!("\n{:<width$}  {}", "", sparkline(&status.minutes)));
        }
    }
    text
}

/// A column a minute, the oldest first; an empty minute is a dot at the bottom.
fn sparkline(minutes: &[u64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = minutes.iter().copied().max().unwrap_or(0).max(1);
    let column = |count: &u64| match *count {
        0 => '·',
        count => BLOCKS[usize::try_from((count * 8 - 1) / most).unwrap_or(7).min(7)],
    };
    minutes.iter().map(column).collect()
}

fn ago(duration: chrono::TimeDelta) -> String {
    let seconds = u64::try_from(duration.num_seconds()).unwrap_or(0);
    let whole = humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string();
    // Two parts are enough for a person.
    whole.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_a_column() {
        assert_eq!(sparkline(&[0, 1, 4, 8, 0]), "·▁▄█·");
        assert_eq!(ago(chrono::TimeDelta::seconds(12)), "12s");
        assert_eq!(ago(chrono::TimeDelta::seconds(4000)), "1h 6m");
        assert_eq!(ago(chrono::TimeDelta::days(700)), "1year 10months");
        assert_eq!(ago(chrono::TimeDelta::seconds(-3)), "0s");
    }
}
