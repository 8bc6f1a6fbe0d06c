//! `persistor timeline`: how many messages there were when, as a picture.

use clap::Args;
use futures_util::TryStreamExt as _;
use persistor_recover::{Bucket, Detail, Item, Source, Step, Timeline as Counts, messages};
use serde_json::json;

use crate::chosen::Chosen;
use crate::exit::Exit;
use crate::look::look;
use crate::place::Place;
use crate::screen::Screen;
use crate::streams_hint::nothing;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  persistor timeline --stream orders --since '3h ago'
  persistor diff --match id --since today < arrived.txt | persistor timeline --keys -")]
pub(crate) struct Timeline {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    chosen: Chosen,
    /// How long a row is: minute, hour or day [default: what gives a picture of at most 90 rows]
    #[arg(long, value_name = "STEP")]
    by: Option<Step>,
    /// One JSON object a row (docs/json-lines.md)
    #[arg(long)]
    json: bool,
}

/// Parts of a date down to the minute.
const TO_THE_MINUTE: usize = 5;

impl Timeline {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let opened = self.place.open().await?;
        let meant = self.chosen.meant(&opened, self.place.quiet, false).await?;
        let mut screen = Screen::new(self.place.quiet);
        screen.follow(&opened.archive, &meant);
        let detail = if opened.archive.time_parts() < TO_THE_MINUTE { Detail::Records } else { Detail::Names };
        let by_keys = matches!(meant.source, Source::Keys(_));
        let mut items = messages(&opened.archive, &meant.selection, meant.source, detail);
        let mut counts = Counts::default();
        let limit = self.chosen.limit.unwrap_or(u64::MAX);
        while counts.messages() < limit
            && let Some(item) = items.try_next().await?
        {
            match item {
                Item::Finding(finding) => screen.meet(&finding),
                Item::Message(stored) if stored.duplicate_of.is_some() => {}
                Item::Message(stored) => counts.add(stored.second(), stored.size),
            }
        }
        drop(items);
        screen.clear();
        if counts.is_empty() {
            nothing(&screen, &opened, self.chosen.streams(), meant.now).await?;
            return Ok(screen.end(Exit::Nothing)?);
        }
        let since = meant.selection.since();
        let now = Some(meant.now).filter(|_| since.is_some() && !by_keys);
        // Behind the limit nobody looked: that nothing is there cannot be said.
        let until = meant.selection.until().into_iter().chain(now).min().filter(|_| counts.messages() < limit);
        let step =
            self.by.unwrap_or_else(|| Step::for_span(counts.span().map_or_else(Default::default, |(first, last)| last - first)));
        if self.json {
            for bucket in counts.buckets(step, since, until) {
                screen.line(line(&bucket))?;
            }
        } else {
            screen.write(counts.picture(step, since, until, look()).as_bytes())?;
        }
        Ok(screen.end(Exit::Fine)?)
    }
}

fn line(bucket: &Bucket) -> String {
    // RFC 3339 ends with the year 9999.
    let last =
        chrono::NaiveDate::from_ymd_opt(9999, 12, 31).and_then(|day| day.and_hms_opt(23, 59, 59)).unwrap_or_default().and_utc();
    let time = |time: chrono::DateTime<chrono::Utc>| time.min(last).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    json!({ "start": time(bucket.start), "end": time(bucket.end), "messages": bucket.messages, "bytes": bucket.bytes })
        .to_string()
}
