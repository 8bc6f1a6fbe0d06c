//! The selection as arguments, the same for every command that reads.

use std::io::{BufRead, BufReader, IsTerminal as _};
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _};
use persistor_recover::{AttributeFilter, Keys, Selection, Source, estimate, figures, moment, plan, shown};
use sha2::{Digest as _, Sha256};

use crate::exit::usage;
use crate::place::Opened;

/// Blobs that are listed without asking, whatever is looked for: ten pages.
const FEW: u64 = 10_000;

#[derive(Debug, Args)]
#[command(next_help_heading = "Which messages")]
pub(crate) struct Chosen {
    /// Only of this stream (more than one: repeat it)
    #[arg(long, value_name = "STREAM")]
    stream: Vec<String>,
    /// Only published then or later: 2026-11-22, 2026-11-22T05:40, 2026-11-22T05:40:12+01:00, 2h ago (UTC unless a zone is said)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only published before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only with this message id (more than one: repeat it)
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
    /// Only with such an attribute: name, name=value, name!=value, name^=prefix (all of them: repeat it)
    #[arg(long, value_name = "NAME[=VALUE]")]
    attribute: Vec<AttributeFilter>,
    /// Only these keys, a line each: a file, or - for standard input
    #[arg(long, value_name = "FILE")]
    keys: Option<String>,
    /// Stop after so many
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Walk everything, however much it is
    #[arg(long)]
    all: bool,
}

/// What the arguments mean now.
pub(crate) struct Meant {
    pub(crate) selection: Arc<Selection>,
    pub(crate) source: Source,
    pub(crate) now: DateTime<Utc>,
    /// SHA-256 of the keys that were given.
    pub(crate) keys: Option<String>,
}

impl Meant {
    /// Which messages are meant, in words that are equal where it is equal.
    pub(crate) fn described(&self) -> String {
        let keys = self.keys.as_ref().map(|digest| format!(" of the keys with SHA-256 {digest}"));
        format!("{}{}", self.selection, keys.unwrap_or_default())
    }
}

impl Chosen {
    pub(crate) fn reads_stdin(&self) -> bool {
        self.keys.as_deref() == Some("-")
    }

    /// The streams that were asked for.
    pub(crate) fn streams(&self) -> &[String] {
        &self.stream
    }

    /// Whether nothing narrows it: the whole archive is meant.
    pub(crate) fn is_everything(&self) -> bool {
        let narrowed = [!self.stream.is_empty(), self.since.is_some(), self.until.is_some(), !self.id.is_empty()];
        let also = [!self.attribute.is_empty(), self.keys.is_some(), self.limit.is_some()];
        !narrowed.into_iter().chain(also).any(|narrowed| narrowed)
    }

    /// Only the part that says which messages, without anything read.
    pub(crate) fn selection(&self, now: DateTime<Utc>) -> anyhow::Result<Selection> {
        let time = |name: &str, text: &Option<String>| -> anyhow::Result<Option<DateTime<Utc>>> {
            match text.as_deref().map(|text| moment(text, now)).transpose() {
                Ok(time) => Ok(time),
                Err(error) => usage!("--{name}: {error}"),
            }
        };
        let (since, until) = (time("since", &self.since)?, time("until", &self.until)?);
        if let (Some(since), Some(until)) = (since, until)
            && until <= since
        {
            usage!(
                "--until is {}, and --since is {}: nothing lies between. The first is left out, the second taken in; swap them, or give a later --until",
                shown(until),
                shown(since)
            );
        }
        let selection = Selection::all().streams(self.stream.iter().cloned()).between(since, until);
        Ok(selection.ids(self.id.iter().cloned()).attributes(self.attribute.iter().cloned()))
    }

    /// Makes sense of the arguments, and of the keys if they are given. `costly`: whether the command reads payloads, so that walking everything is
    /// asked about in any case.
    pub(crate) async fn meant(&self, opened: &Opened, quiet: bool, costly: bool) -> anyhow::Result<Meant> {
        let now = Utc::now();
        let selection = self.selection(now)?;
        if !quiet {
            self.say_times(&selection);
        }
        let mut digest = None;
        let source = match &self.keys {
            Some(file) => {
                let (keys, sha256) = self.read_keys(opened, file)?;
                digest = Some(sha256);
                Source::Keys(keys)
            }
            None => {
                if (costly || selection.is_search()) && self.limit.is_none() {
                    self.ask_before_a_walk(opened, &selection, now).await?;
                }
                Source::Listing
            }
        };
        Ok(Meant { selection: Arc::new(selection), source, now, keys: digest })
    }

    fn say_times(&self, selection: &Selection) {
        match (selection.since(), selection.until()) {
            (None, None) => {}
            (Some(since), None) => eprintln!("published at {} or later", shown(since)),
            (None, Some(until)) => eprintln!("published before {}", shown(until)),
            (Some(since), Some(until)) => eprintln!("published from {} until before {}", shown(since), shown(until)),
        }
    }

    fn read_keys(&self, opened: &Opened, file: &str) -> anyhow::Result<(Keys, String)> {
        let input: Box<dyn BufRead> = if file == "-" {
            if std::io::stdin().is_terminal() {
                eprintln!("reading keys from the terminal, a line each; ctrl-D ends them");
            }
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(BufReader::new(std::fs::File::open(file).with_context(|| format!("read the keys in `{file}`"))?))
        };
        let (mut keys, mut digest) = (Keys::default(), Sha256::new());
        for (number, line) in input.lines().enumerate() {
            let line = line.with_context(|| format!("read the keys, line {}", number + 1))?;
            let line = line.trim();
            if !line.is_empty() {
                match opened.key(line) {
                    Ok(key) => {
                        digest.update(key.as_str());
                        digest.update("\n");
                        keys.push(&key)?;
                    }
                    Err(error) => usage!("--keys, line {}: {error}", number + 1),
                }
            }
        }
        Ok((keys, digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Few of many are looked for, and nothing says where: that lists everything, which takes time and, in a bucket, money.
    async fn ask_before_a_walk(&self, opened: &Opened, selection: &Selection, now: DateTime<Utc>) -> anyhow::Result<()> {
        if self.all || plan(&opened.archive, selection).await?.narrowed {
            return Ok(());
        }
        let names = opened.archive.reader().list("", None).take(FEW as usize + 1);
        if names.try_fold(0, |count, _| async move { Ok(count + 1) }).await? <= FEW {
            return Ok(());
        }
        let narrow = if selection.since().is_some() || selection.until().is_some() {
            "The keys of this archive are not in the order of time: add `--stream`, or `--all` to walk it"
        } else {
            "Say from when on with `--since` (such as `--since '2h ago'`), or `--all` to walk it"
        };
        let whole = if self.stream.is_empty() { "the whole archive" } else { "the whole stream" };
        match estimate(&opened.archive, selection, now).await? {
            Some(blobs) if blobs <= FEW => Ok(()),
            Some(blobs) => {
                usage!("this walks {whole}: about {} pages of 1,000 blobs. {narrow}", figures::count(blobs.div_ceil(1000)))
            }
            None => usage!("this walks {whole}: more than {} pages of 1,000 blobs. {narrow}", FEW / 1000),
        }
    }
}
