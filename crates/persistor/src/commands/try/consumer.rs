//! The consumer of a try: a stage downstream that loses messages and says nothing. What it lost is found by this program's own `diff`, and when by its
//! `timeline`, as a user would run them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use persistor_core::Layout;
use persistor_recover::figures;

use super::{sample::Sample, this_program};
use crate::screen::Screen;

/// Of a thousand messages, the consumer loses so many in a row when it crashes, and so many here and there.
const LOST_IN_A_ROW: usize = 100;
const LOST_HERE_AND_THERE: usize = 37;

/// Lets a consumer lose messages, and finds them; whether exactly those were found.
pub(super) fn lose_and_find(archive: &Path, samples: &[Sample], screen: &mut Screen) -> anyhow::Result<bool> {
    let lost = lost(samples.len());
    let (arrived_file, missing_file) = (beside(archive, "arrived.txt"), beside(archive, "missing.txt"));
    let kept = samples.iter().enumerate().filter(|(at, _)| !lost.contains(at));
    let arrived: String = kept.flat_map(|(_, sample)| [sample.id.as_str(), "\n"]).collect();
    fs::write(&arrived_file, arrived).with_context(|| format!("write `{}`", arrived_file.display()))?;

    let (folder, arrived, missing) = (archive.display(), arrived_file.display(), missing_file.display());
    screen.line(format_args!(
        "\nThen a consumer downstream crashes, comes back, and says nothing of what it lost. The ids that it did handle are in {arrived}. What did not arrive?\n"
    ))?;
    screen.line(format_args!("$ persistor diff -a {folder} --match id < {arrived} > {missing}"))?;
    let output = this_program::command()?
        .args(["diff", "--match", "id", "--archive"])
        .arg(archive)
        .stdin(File::open(&arrived_file).with_context(|| format!("read `{arrived}`"))?)
        .stdout(File::create(&missing_file).with_context(|| format!("write `{missing}`"))?)
        .output()
        .context("run `persistor diff`")?;
    screen.write(&output.stderr)?;
    if !output.status.success() {
        bail!("`persistor diff` ended with {}", output.status);
    }
    let named = fs::read_to_string(&missing_file).with_context(|| format!("read `{missing}`"))?;
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
    let status = status.context("run `persistor timeline`")?;
    screen.line(format_args!(
        "\nLook around, each with `-a {folder}`: `persistor ls -l`, `persistor show KEY`, `persistor grep json:/order/id=42`, `persistor verify --read-data`.\nNext, the handler by itself: `persistor serve gcp`, or `cargo run -- serve gcp`"
    ))?;
    Ok(exact && status.success())
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
