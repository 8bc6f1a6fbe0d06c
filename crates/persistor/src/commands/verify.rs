//! `persistor verify`: whether the archive is whole.

use clap::Args;
use persistor_recover::{Fault, ReadData, Summary, figures};
use serde_json::{Map, Value, json};

use crate::chosen::Chosen;
use crate::exit::{Exit, usage};
use crate::place::Place;
use crate::screen::{Screen, visible};
use crate::streams_hint::nothing;

#[derive(Debug, Args)]
#[command(after_help = "\
Without a flag the listing and the records are looked at: keys, records and their checks, sizes, and the store's own CRC32C where it keeps one.
--read-data reads every payload and checks its SHA-256. docs/verify.md lists what is found by what.

One line for each finding, then a summary. Exit code 3 where something is damaged.")]
pub(crate) struct Verify {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    chosen: Chosen,
    /// Read every payload and check its SHA-256
    #[arg(long)]
    read_data: bool,
    /// Read the payloads of so many of a hundred messages, drawn anew each time, such as 5%
    #[arg(long, value_name = "PERCENT", conflicts_with = "read_data")]
    sample: Option<String>,
    /// One JSON object for each finding, and one for the summary (docs/json-lines.md)
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        if self.chosen.limit.is_some() {
            usage!("verify has no --limit: narrow it with --since and --until, or read fewer payloads with --sample");
        }
        let opened = self.place.open().await?;
        let meant = self.chosen.meant(&opened, self.place.quiet, false).await?;
        let data = self.data(meant.now.timestamp_subsec_nanos())?;
        let mut screen = Screen::new(self.place.quiet);
        screen.follow(&opened.archive, &meant);
        let mut written = Ok(());
        let mut report = |finding: persistor_recover::Finding| {
            if written.is_err() {
                return;
            }
            let line = if self.json {
                let damage = finding.fault.is_damage();
                screen.line(
                    json!({ "fault": finding.fault.as_str(), "damage": damage, "name": finding.name, "text": finding.text }),
                )
            } else {
                let kind = if finding.fault.is_damage() { "damage" } else { "notice" };
                screen.line(format_args!("{kind}  {:<16}  {}  {}", finding.fault, visible(&finding.name), visible(&finding.text)))
            };
            // Findings are few, and an interrupted verification should not lose them.
            written = line.and_then(|()| screen.flush());
        };
        let summary = persistor_recover::verify(&opened.archive, &meant.selection, meant.source, data, &mut report).await?;
        written?;
        screen.clear();
        if self.json {
            screen.line(json(&summary))?;
        } else {
            screen.line(text(&summary, data))?;
        }
        let exit = match summary.damage() {
            0 if summary.messages == 0 => {
                nothing(&screen, &opened, self.chosen.streams(), meant.now).await?;
                Exit::Nothing
            }
            0 => Exit::Fine,
            _ => Exit::Damage,
        };
        Ok(screen.end(exit)?)
    }

    fn data(&self, seed: u32) -> anyhow::Result<ReadData> {
        let Some(text) = &self.sample else { return Ok(if self.read_data { ReadData::All } else { ReadData::No }) };
        match text.trim_end_matches('%').trim().parse::<f64>() {
            Ok(percent) if percent > 0.0 && percent <= 100.0 => {
                Ok(ReadData::Sample { share: percent / 100.0, seed: u64::from(seed) })
            }
            _ => usage!("--sample {text}: give a number above 0 and up to 100, such as `5%`"),
        }
    }
}

fn json(summary: &Summary) -> String {
    let findings: Map<String, Value> =
        summary.findings.iter().map(|(fault, count)| (fault.as_str().to_owned(), Value::from(*count))).collect();
    json!({
        "messages": summary.messages, "bytes": summary.bytes, "payloads_read": summary.read, "duplicates": summary.duplicates,
        "damage": summary.damage(), "findings": findings,
    })
    .to_string()
}

fn text(summary: &Summary, data: ReadData) -> String {
    let count = figures::count;
    let read = match data {
        ReadData::No => "from the listing and the records; payloads were not read (--read-data)".to_owned(),
        ReadData::All => format!("the SHA-256 of {} payloads checked", count(summary.read)),
        ReadData::Sample { share, .. } => {
            format!("the SHA-256 of {} payloads checked, a sample of {} %", count(summary.read), share * 100.0)
        }
    };
    let mut text = format!("{} messages, {}: {read}", count(summary.messages), figures::bytes(summary.bytes));
    if summary.duplicates > 0 {
        text.push_str(&format!(
            "\n{} of them are stored a second time, under the key of another layout",
            count(summary.duplicates)
        ));
    }
    for fault in Fault::ALL {
        if let Some(number) = summary.findings.get(&fault) {
            text.push_str(&format!("\n  {:>9}  {fault}", count(*number)));
        }
    }
    match summary.damage() {
        0 => text.push_str("\nno damage found"),
        damage => text.push_str(&format!("\n{} damaged", count(damage))),
    }
    text
}
