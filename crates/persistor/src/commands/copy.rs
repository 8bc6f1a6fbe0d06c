//! `persistor copy`: messages into another archive, as they are.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use clap::Args;
use persistor_core::Location;
use persistor_recover::replay::Ended;
use persistor_recover::{Copied, Wanted, copy, figures, measure};
use serde_json::json;
use tokio::sync::watch;

use crate::chosen::Chosen;
use crate::exit::{Exit, usage};
use crate::place::{Place, location, writer};
use crate::screen::Screen;
use crate::streams_hint::nothing;

/// How long a target may fail before the copy ends. A store tries for a minute by itself each time.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug, Args)]
#[command(after_help = "\
Keys, records and payloads stay what they are; each payload is held against its record's SHA-256 before it is written. The layouts go along, and where nothing is
narrowed, the calls that could not be read too. The target needs the right to create only.

The same command again goes on with a copy that was broken off. What is there already is read again and not written: narrow it with --since to pass over it.

Examples:
  persistor copy -a gs://archive/prod ./archive --since 2026-11-22 --until 2026-11-23
  persistor copy -a ./archive az://account/container/archive")]
pub(crate) struct Copy {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    chosen: Chosen,
    /// Where to: a folder, gs://BUCKET/PREFIX or az://ACCOUNT/CONTAINER/PREFIX
    to: String,
    /// Only say how many messages it would be, and how much
    #[arg(long)]
    dry_run: bool,
    /// One JSON object (docs/json-lines.md)
    #[arg(long)]
    json: bool,
}

impl Copy {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let to = location(&self.to)?;
        let opened = self.place.open().await?;
        if overlap(&opened.location, &to) {
            usage!("`{to}` and `{}` are the same archive, or one lies within the other: copy to another place", opened.location);
        }
        let meant = self.chosen.meant(&opened, self.place.quiet, false).await?;
        let mut screen = Screen::new(self.place.quiet);
        screen.follow(&opened.archive, &meant);
        let wanted = Wanted {
            selection: meant.selection,
            source: meant.source,
            limit: self.chosen.limit,
            rejected: self.chosen.is_everything(),
        };
        if self.dry_run {
            let (messages, bytes) = measure(&opened.archive, wanted, &mut |finding| screen.meet(&finding)).await?;
            screen.clear();
            screen.line(if self.json {
                json!({ "messages": messages, "bytes": bytes }).to_string()
            } else {
                format!("{} messages, {}, would be copied to `{to}`", figures::count(messages), figures::bytes(bytes))
            })?;
            if messages == 0 && !screen.has_met() {
                nothing(&screen, &opened, self.chosen.streams(), meant.now).await?;
                return Ok(screen.end(Exit::Nothing)?);
            }
            return Ok(screen.end(Exit::Fine)?);
        }
        let (target, _) = writer(&to)?;
        let (stop, stopped) = watch::channel(false);
        let copied = {
            let mut found = |finding| screen.meet(&finding);
            let mut copying = std::pin::pin!(copy(&opened.archive, &target, wanted, PATIENCE, stopped, &mut found));
            loop {
                tokio::select! {
                    copied = &mut copying => break copied,
                    interrupted = tokio::signal::ctrl_c() => {
                        interrupted?;
                        // Asked twice, it ends at once: nothing is half there that the same command would not mend.
                        if stop.send_replace(true) {
                            anyhow::bail!("interrupted; the same command goes on");
                        }
                        if !self.place.quiet {
                            eprintln!("\nstopping as soon as what is under way is written; ctrl-C again ends at once");
                        }
                    }
                }
            }
        };
        screen.clear();
        let complete = matches!(copied.ended, Ended::Done);
        screen.line(if self.json { json(&copied, complete) } else { text(&copied, &to) })?;
        screen.flush()?;
        match copied.ended {
            Ended::Done if copied.messages + copied.existed + copied.rejected == 0 && copied.damage == 0 => {
                nothing(&screen, &opened, self.chosen.streams(), meant.now).await?;
                return Ok(screen.end(Exit::Nothing)?);
            }
            Ended::Done => return Ok(screen.end(Exit::Fine)?),
            Ended::Stopped => eprintln!("persistor: stopped"),
            Ended::Failed(error) => eprintln!("persistor: {:#}", anyhow::Error::from(error)),
        }
        eprintln!("It is not complete; the same command goes on, and writes nothing twice");
        Ok(screen.end(Exit::Failed)?)
    }
}

fn json(copied: &Copied, complete: bool) -> String {
    json!({
        "messages": copied.messages, "bytes": copied.bytes, "already_there": copied.existed, "layouts": copied.layouts,
        "rejected": copied.rejected, "damage": copied.damage, "complete": complete,
    })
    .to_string()
}

fn text(copied: &Copied, to: &Location) -> String {
    let count = figures::count;
    let mut text = format!("{} messages, {}, copied to `{to}`", count(copied.messages), figures::bytes(copied.bytes));
    for (number, what) in [
        (copied.existed, "were there already"),
        (copied.rejected, "calls that could not be read are there too"),
        (copied.damage, "are damaged and were not copied"),
    ] {
        if number > 0 {
            text.push_str(&format!("\n{} {what}", count(number)));
        }
    }
    text
}

/// Whether two archives are the same place, or one lies within the other.
fn overlap(one: &Location, other: &Location) -> bool {
    match (one, other) {
        (Location::Folder(one), Location::Folder(other)) => {
            let (one, other) = (resolved(one), resolved(other));
            one.starts_with(&other) || other.starts_with(&one)
        }
        (Location::Url { scheme: one, rest: first }, Location::Url { scheme: other, rest: second }) => {
            let (first, second) = (format!("{}/", first.trim_matches('/')), format!("{}/", second.trim_matches('/')));
            one == other && (first.starts_with(&second) || second.starts_with(&first))
        }
        _ => false,
    }
}

/// The real path, as far as it is there: links and `..` can hide that two are one.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for ancestor in path.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
            return rest.components().fold(real, |mut real, part| {
                if part == Component::ParentDir {
                    real.pop();
                } else {
                    real.push(part);
                }
                real
            });
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_not_copied_into_itself() {
        let location = |text: &str| Location::parse(text).expect(text);
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
        std::fs::create_dir(at("a")).expect("mkdir");
        std::os::unix::fs::symlink(at("a"), at("link")).expect("a link");
        for (one, other, same) in [
            ("gs://a/b", "gs://a/b/", true),
            ("gs://a", "gs://a/b", true),
            ("gs://a/b/c", "gs://a/b", true),
            ("gs://a/b", "gs://a/bc", false),
            ("gs://a/b", "az://a/b", false),
            ("az://a/b/c", "az://a/b", true),
            ("az://a/b", "az://a/c", false),
            (&at("a"), &at("a/"), true),
            (&at("a"), &at("a/not/there"), true),
            (&at("link/not/there"), &at("a"), true),
            (&at("a/x/.."), &at("a"), true),
            (&at("x/../a/y"), &at("a"), true),
            (&at("a/x/../../b"), &at("a"), false),
            (&at("a"), &at("ab"), false),
            (&at("a"), "gs://a/b", false),
        ] {
            assert_eq!(overlap(&location(one), &location(other)), same, "{one} {other}");
            assert_eq!(overlap(&location(other), &location(one)), same, "{other} {one}");
        }
    }
}
