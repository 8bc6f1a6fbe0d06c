//! The consumer of a try: a stage downstream that loses messages and says nothing. What it lost is found by this program's own `diff`, and when by its
//! `timeline`; `replay` sends it again, and `diff` finds nothing missing any more. All as a user would run them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use persistor_core::Layout;
use persistor_recover::figures;

use super::endpoint::Endpoint;
use super::{sample::Sample, this_program};
use crate::screen::Screen;

/// Of a thousand messages, the consumer loses so many in a row when it crashes, and so many here and there.
const LOST_IN_A_ROW: usize = 100;
const LOST_HERE_AND_THERE: usize = 37;

/// Lets a consumer lose messages, finds them, and sends them again; whether exactly those were found, and nothing is missing in the end.
pub(super) fn lose_find_and_replay(archive: &Path, samples: &[Sample], screen: &mut Screen) -> anyhow::Result<bool> {
    let lost = lost(samples.len());
    let (arrived_file, missing_file) = (beside(archive, "arrived.txt"), beside(archive, "missing.txt"));
    let kept = samples.iter().enumerate().filter(|(at, _)| !lost.contains(at));
    let arrived: String = kept.flat_map(|(_, sample)| [sample.id.as_str(), "\n"]).collect();
    fs::write(&arrived_file, arrived).with_context(|| format!("write `{}`", arrived_file.display()))?;

    let (folder, arrived, missing) = (archive.display(), arrived_file.display(), missing_file.display());
    screen.line(format_args!(
        "\nThen a consumer downstream crashes, comes back, and says nothing of what it lost. The ids that it did handle are in {arrived}. What did not arrive?\n"
    ))?;
    let named = diff(archive, &arrived_file, &missing_file, screen)?;
    let named: BTreeSet<&str> = named.lines().collect();
    let template = Layout::default();
    let keys = lost.iter().map(|at| Ok(template.template().render(&samples[*at].message()?).to_string()));
    let keys: BTreeSet<String> = keys.collect::<anyhow::Result<_>>()?;
    let exact = named.len() == keys.len() && keys.iter().all(|key| named.contains(key.as_str()));
    let (lost, right) = (figures::count(keys.len() as u64), if exact { "exactly those" } else { "OTHERS" });
    screen.line(format_args!("\nIt had lost {lost}, and {right} are named. When was that?\n"))?;

    screen.line(format_args!("$ persistor timeline -a {folder} --keys {missing}"))?;
    screen.flush()?;
    let mut timeline = this_program::command()?;
    let status = timeline.args(["timeline", "--archive"]).arg(archive).arg("--keys").arg(&missing_file).status();
    let seen = status.context("run `persistor timeline`")?.success();

    let endpoint = Endpoint::start(&arrived_file)?;
    let (to, journal) = (format!("http://{}/orders", endpoint.address()), beside(archive, "replay.jsonl"));
    screen.line(format_args!(
        "\nThe consumer is mended and takes pushes again. Send it those messages, in the order of their ordering keys, and no others:\n"
    ))?;
    screen.line(format_args!(
        "$ persistor replay -a {folder} --keys {missing} --to {to} --as pubsub-push --name after-the-crash --journal {} --yes",
        journal.display()
    ))?;
    screen.flush()?;
    let mut replay = this_program::command()?;
    replay.args(["replay", "--as", "pubsub-push", "--name", "after-the-crash", "--yes", "--to", &to, "--archive"]).arg(archive);
    replay.arg("--keys").arg(&missing_file).arg("--journal").arg(&journal);
    let sent = replay.status().context("run `persistor replay`")?.success();
    drop(endpoint);

    screen.line("\nDid they arrive?\n")?;
    let left = diff(archive, &arrived_file, &beside(archive, "still-missing.txt"), screen)?;
    let closed = sent && left.is_empty();
    screen.line(if closed { "\nNothing is missing any more." } else { "\nSOMETHING IS STILL MISSING." })?;
    screen.line(format_args!(
        "\nLook around, each with `-a {folder}`: `persistor ls -l`, `persistor show KEY`, `persistor grep json:/order/id=42`, `persistor verify --read-data`.\nNext, the handler by itself: `persistor serve gcp`, or `cargo run -- serve gcp`"
    ))?;
    Ok(exact && seen && closed)
}

/// Compares what arrived with the archive; the keys of what did not.
fn diff(archive: &Path, arrived: &Path, missing: &Path, screen: &mut Screen) -> anyhow::Result<String> {
    screen.line(format_args!(
        "$ persistor diff -a {} --match id < {} > {}",
        archive.display(),
        arrived.display(),
        missing.display()
    ))?;
    let output = this_program::command()?
        .args(["diff", "--match", "id", "--archive"])
        .arg(archive)
        .stdin(File::open(arrived).with_context(|| format!("read `{}`", arrived.display()))?)
        .stdout(File::create(missing).with_context(|| format!("write `{}`", missing.display()))?)
        .output()
        .context("run `persistor diff`")?;
    screen.write(&output.stderr)?;
    if !output.status.success() {
        bail!("`persistor diff` ended with {}", output.status);
    }
    fs::read_to_string(missing).with_context(|| format!("read `{}`", missing.display()))
}

/// The numbers of the messages that are lost.
fn lost(messages: usize) -> BTreeSet<usize> {
    let of_a_thousand = |count: usize| (count * messages).div_ceil(1000);
    let start = messages * 3 / 5;
    let in_a_row = start..(start + of_a_thousand(LOST_IN_A_ROW)).min(messages);
    let scattered = of_a_thousand(LOST_HERE_AND_THERE);
    // Those before the crash, evenly: as many steps as there are losses.
    in_a_row.chain((0..scattered).map(|n| n * start / scattered)).collect()
}

/// A file of the archive's name and one more word, beside it: what lies in an archive should be its own.
fn beside(archive: &Path, word: &str) -> PathBuf {
    let mut name = archive.file_name().unwrap_or_default().to_owned();
    name.push(format!("-{word}"));
    archive.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_thousand_137_are_lost() {
        assert_eq!(lost(1000).len(), 137);
        for messages in [10, 20, 999, 5000, 100_000] {
            let lost = lost(messages);
            assert!(lost.len() <= messages / 5 && !lost.is_empty() && lost.iter().all(|at| *at < messages), "{messages}");
        }
        assert_eq!(beside(Path::new("a/persistor-try"), "arrived.txt"), Path::new("a/persistor-try-arrived.txt"));
    }
}
