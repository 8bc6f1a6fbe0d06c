//! `persistor show`: all that is known of one message, but for its payload.

use clap::Args;
use persistor_core::{Attribute, ErrorKind, Record};
use persistor_recover::{Stored, figures};

use crate::commands::lookup;
use crate::exit::Exit;
use crate::place::Place;
use crate::screen::{Screen, visible};

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    place: Place,
    /// A key, a blob's URL (gs://BUCKET/NAME, az://ACCOUNT/CONTAINER/NAME, or the address in a browser), or a file in the archive's folder
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    /// One JSON object a line (docs/json-lines.md)
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let opened = self.place.open().await?;
        let mut screen = Screen::new(self.place.quiet);
        let mut exit = Exit::Fine;
        for (at, argument) in self.keys.iter().enumerate() {
            let key = opened.key(argument)?;
            let Some(entry) = opened.archive.entry(&key).await? else {
                lookup::say_absent(&screen, &opened, &key);
                exit = exit.or(Exit::Nothing);
                continue;
            };
            let record = match opened.archive.record(&key, &entry).await {
                Ok(record) => record,
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Damaged | ErrorKind::Unsupported) => {
                    eprintln!("persistor: `{key}` has {} bytes, and no readable record: {error}", figures::count(entry.size));
                    exit = exit.or(if error.kind() == ErrorKind::Unsupported { Exit::Failed } else { Exit::Damage });
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if record.length() != entry.size {
                eprintln!("persistor: `{key}` is damaged: it has {} bytes, and its record says {}", entry.size, record.length());
                exit = exit.or(Exit::Damage);
            }
            let parsed = opened.archive.parse(&key).unwrap_or_default();
            let stored =
                Stored { key, parsed, size: entry.size, created: entry.created, record: Some(record), duplicate_of: None };
            if self.json {
                screen.line(stored.json().unwrap_or_default())?;
            } else {
                screen.line(format_args!("{}{}", if at > 0 { "\n" } else { "" }, text(&stored)))?;
            }
        }
        Ok(screen.end(exit)?)
    }
}

fn text(stored: &Stored) -> String {
    let mut lines = vec![("key", stored.key.to_string())];
    let Some(record) = &stored.record else { return stored.key.to_string() };
    lines.extend([
        ("stream", visible(record.stream().as_str())),
        ("entity", visible(record.entity().as_str())),
        ("id", visible(record.id().as_str())),
        ("published", record.publish_time().to_string()),
        ("stored", stored.created.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
        ("size", format!("{} bytes", figures::count(stored.size))),
        ("sha256", record.sha256().to_owned()),
        ("crc32c", record.crc32c().to_owned()),
    ]);
    if !record.fidelity().is_empty() {
        lines.push(("fidelity", record.fidelity().join(", ")));
    }
    let mut text: Vec<_> = lines.into_iter().map(|(name, value)| format!("{name:<11}{value}")).collect();
    text.extend(values("properties", record, Record::properties));
    text.extend(values("attributes", record, Record::attributes));
    text.join("\n")
}

fn values<'a>(
    title: &str,
    record: &'a Record,
    of: impl Fn(&'a Record) -> &'a std::collections::BTreeMap<String, Attribute>,
) -> Vec<String> {
    let values = of(record);
    if values.is_empty() {
        return vec![format!("{title:<11}none")];
    }
    let width = values.keys().map(|name| visible(name).chars().count()).max().unwrap_or(0).min(40);
    let line = |(name, value): (&String, &Attribute)| {
        let kind = value.type_name().map(|kind| format!("  ({})", visible(kind))).unwrap_or_default();
        format!("  {:<width$}  {}{kind}", visible(name), visible(value.text()))
    };
    std::iter::once(title.to_owned()).chain(values.iter().map(line)).collect()
}
