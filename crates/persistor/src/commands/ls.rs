//! `persistor ls`: the keys of messages, or what is known of each.

use clap::Args;
use futures_util::TryStreamExt as _;
use persistor_recover::{Detail, Item, Stored, figures, messages};

use crate::chosen::Chosen;
use crate::exit::Exit;
use crate::place::Place;
use crate::screen::{Screen, visible};
use crate::streams_hint::nothing;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  persistor ls --stream orders --since '2h ago'
  persistor ls -l --since 2026-11-22T05:40 --until 2026-11-22T05:41
  persistor ls --json --attribute tenant=north --since 2026-11-22 | jq .id")]
pub(crate) struct Ls {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    chosen: Chosen,
    /// Publish time, bytes and message id before each key
    #[arg(short, long, conflicts_with = "json")]
    long: bool,
    /// One JSON object a line (docs/json-lines.md)
    #[arg(long)]
    json: bool,
    /// Only how many there are
    #[arg(long, conflicts_with = "long")]
    count: bool,
}

impl Ls {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let opened = self.place.open().await?;
        let meant = self.chosen.meant(&opened, self.place.quiet, false).await?;
        let mut screen = Screen::new(self.place.quiet);
        screen.follow(&opened.archive, &meant);
        let detail = if self.long || self.json && !self.count { Detail::Records } else { Detail::Names };
        let mut items = messages(&opened.archive, &meant.selection, meant.source, detail);
        let limit = self.chosen.limit.unwrap_or(u64::MAX);
        let (mut listed, mut duplicates, mut bytes) = (0_u64, 0_u64, 0_u64);
        while listed < limit
            && let Some(item) = items.try_next().await?
        {
            match item {
                Item::Finding(finding) => screen.meet(&finding),
                Item::Message(stored) => {
                    listed += 1;
                    duplicates += u64::from(stored.duplicate_of.is_some());
                    bytes += if stored.duplicate_of.is_some() { 0 } else { stored.size };
                    match (self.count, self.json, self.long) {
                        (true, ..) => {}
                        (_, true, _) => screen.line(stored.json().unwrap_or_default())?,
                        (_, _, true) => screen.line(long(&stored))?,
                        _ => screen.line(&stored.key)?,
                    }
                }
            }
        }
        drop(items);
        if self.count {
            let messages = listed - duplicates;
            screen.line(if self.json {
                format!("{{\"messages\":{messages},\"bytes\":{bytes}}}")
            } else {
                messages.to_string()
            })?;
        }
        if duplicates > 0 {
            let text = "are stored a second time, under the key of another layout";
            screen.say(format_args!("{} of these {} {text}", figures::count(duplicates), figures::count(listed)));
        }
        if listed == 0 {
            nothing(&screen, &opened, self.chosen.streams(), meant.now).await?;
            return Ok(screen.end(Exit::Nothing)?);
        }
        Ok(screen.end(Exit::Fine)?)
    }
}

fn long(stored: &Stored) -> String {
    let (time, id) = match &stored.record {
        Some(record) => (record.publish_time().to_string(), visible(record.id().as_str())),
        None => (stored.second().to_string(), stored.parsed.id.clone()),
    };
    let duplicate = stored.duplicate_of.as_ref().map(|first| format!("  = {first}")).unwrap_or_default();
    format!("{time:<30}  {:>11}  {id:<20}  {}{duplicate}", stored.size, stored.key)
}
