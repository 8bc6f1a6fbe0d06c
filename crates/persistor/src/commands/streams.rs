//! `persistor streams`: what is in an archive.

use std::sync::Arc;

use chrono::Utc;
use clap::Args;
use persistor_recover::{Selection, Source, StreamSurvey, figures, shown, streams};
use serde_json::json;

use crate::chosen::Meant;
use crate::exit::Exit;
use crate::place::Place;
use crate::screen::{Screen, visible};
use crate::streams_hint::nothing;

#[derive(Debug, Args)]
pub(crate) struct Streams {
    #[command(flatten)]
    place: Place,
    /// Count all messages, which lists every name
    #[arg(long)]
    count: bool,
    /// One JSON object a line (docs/json-lines.md)
    #[arg(long)]
    json: bool,
}

impl Streams {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let opened = self.place.open().await?;
        let now = Utc::now();
        let mut screen = Screen::new(self.place.quiet);
        let everything = Meant { selection: Arc::new(Selection::all()), source: Source::Listing, now, keys: None };
        screen.follow(&opened.archive, &everything);
        opened.archive.findings().iter().for_each(|finding| screen.meet(finding));
        let found = streams(&opened.archive, now, self.count).await?;
        if found.is_empty() {
            nothing(&screen, &opened, &[], now).await?;
            return Ok(screen.end(Exit::Nothing)?);
        }
        for (at, survey) in found.iter().enumerate() {
            if self.json {
                screen.line(json(survey))?;
            } else {
                screen.line(format_args!("{}{}", if at > 0 { "\n" } else { "" }, text(survey)))?;
            }
        }
        Ok(screen.end(Exit::Fine)?)
    }
}

fn json(survey: &StreamSurvey) -> String {
    let time = |time: chrono::DateTime<Utc>| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    json!({
        "stream": survey.stream, "entities": survey.entities, "first": time(survey.first), "last": time(survey.last), "messages": survey.messages,
    })
    .to_string()
}

fn text(survey: &StreamSurvey) -> String {
    let mut text = visible(&survey.stream);
    let mut line = |name: &str, value: &str| text.push_str(&format!("\n  {name:<10}{value}"));
    for entity in &survey.entities {
        line("entity", &visible(entity));
    }
    line("first", &shown(survey.first));
    line("last", &shown(survey.last));
    line("messages", &survey.messages.map_or_else(|| "not counted (--count)".to_owned(), figures::count));
    text
}
