//! `persistor grep`: the messages in which something is found.

use std::collections::HashSet;

use clap::Args;
use futures_util::TryStreamExt as _;
use persistor_recover::{Detail, Item, Pattern, messages, search};

use crate::chosen::Chosen;
use crate::exit::{Exit, usage};
use crate::place::Place;
use crate::screen::Screen;
use crate::streams_hint::nothing;

#[derive(Debug, Args)]
#[command(after_help = "\
Patterns are regular expressions over bytes (docs.rs/regex has the syntax; bytes that are no text are written (?-u:\\xFF)),
or json:/POINTER=VALUE for payloads that are JSON (RFC 6901; numbers as they are written).

Examples:
  persistor grep --since '2h ago' -F 'order 4711'
  persistor grep --since 2026-11-22 --until 2026-11-23 json:/order/id=4711
  persistor cat $(persistor grep --since '1h ago' --limit 1 paid)")]
pub(crate) struct Grep {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    chosen: Chosen,
    /// What is looked for in payloads
    pattern: String,
    /// The pattern is a text that stands for itself
    #[arg(short = 'F', long)]
    fixed_string: bool,
    /// Upper and lower case are the same
    #[arg(short, long)]
    ignore_case: bool,
    /// Look into attributes too, each written name=value
    #[arg(long)]
    attributes: bool,
    /// One JSON object a line (docs/json-lines.md) instead of keys
    #[arg(long)]
    json: bool,
    /// Only how many there are
    #[arg(long)]
    count: bool,
}

impl Grep {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        if self.pattern.starts_with("json:") && !self.fixed_string && (self.ignore_case || self.attributes) {
            usage!(
                "`json:` looks for exactly one value in payloads: leave out --ignore-case and --attributes, or search for text"
            );
        }
        let pattern = if self.fixed_string {
            Pattern::fixed(&self.pattern, self.ignore_case)
        } else {
            Pattern::parse(&self.pattern, self.ignore_case)
        };
        let pattern = match pattern {
            Ok(pattern) => pattern,
            Err(error) => usage!("{:#}", anyhow::Error::from(error)),
        };
        let opened = self.place.open().await?;
        let meant = self.chosen.meant(&opened, self.place.quiet, true).await?;
        let mut screen = Screen::new(self.place.quiet);
        screen.follow(&opened.archive, &meant);
        let detail = if self.attributes || self.json { Detail::Records } else { Detail::Names };
        let items = messages(&opened.archive, &meant.selection, meant.source, detail);
        let mut items = search(&opened.archive, items, pattern, self.attributes);
        let limit = self.chosen.limit.unwrap_or(u64::MAX);
        let several = opened.archive.layouts().len() > 1;
        let (mut found, mut shown) = (0_u64, HashSet::new());
        while found < limit
            && let Some(item) = items.try_next().await?
        {
            match item {
                Item::Finding(finding) => screen.meet(&finding),
                // Another one of its keys was shown.
                Item::Message(stored) if stored.duplicate_of.as_ref().is_some_and(|first| shown.contains(first)) => {}
                Item::Message(stored) => {
                    found += 1;
                    if several {
                        shown.insert(stored.key.clone());
                    }
                    match (self.count, self.json) {
                        (true, _) => {}
                        (_, true) => screen.line(stored.json().unwrap_or_default())?,
                        _ => screen.line(&stored.key)?,
                    }
                }
            }
        }
        drop(items);
        if self.count {
            screen.line(if self.json { format!("{{\"messages\":{found}}}") } else { found.to_string() })?;
        }
        if found == 0 {
            if opened.archive.progress().bytes() == 0 {
                nothing(&screen, &opened, self.chosen.streams(), meant.now).await?;
            } else {
                screen.say("no payload of the selected messages holds it");
            }
            return Ok(screen.end(Exit::Nothing)?);
        }
        Ok(screen.end(Exit::Fine)?)
    }
}
