//! Documents say what is so: the settings are the programs' own, and links lead somewhere.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use persistor_serve::{Function, settings_of, table_markdown};
use persistor_tests::programs;

use crate::{root, texts};

#[test]
fn the_readme_has_the_table_of_settings() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md is there");
    let table = table_markdown();
    let heading = table.lines().next().expect("a table has a heading");
    let tables: Vec<_> = readme.split(heading).skip(1).collect();
    let [rest] = tables[..] else { panic!("README.md has the table {} times", tables.len()) };
    let lines = std::iter::once(heading).chain(rest.lines().skip(1).take_while(|line| line.starts_with('|')));
    assert_eq!(lines.collect::<Vec<_>>(), table.lines().collect::<Vec<_>>());
}

#[test]
fn help_says_every_setting_with_its_meaning_and_default() {
    for (function, program, arguments) in [
        (Function::Gcp, programs::gcp_function(), vec!["--help"]),
        (Function::Gcp, programs::persistor(), vec!["serve", "gcp", "--help"]),
        (Function::Azure, programs::azure_function(), vec!["--help"]),
        (Function::Azure, programs::persistor(), vec!["serve", "azure", "--help"]),
    ] {
        let output = Command::new(&program).args(&arguments).output().expect("the program runs");
        let program = program.display();
        assert!(output.status.success(), "{program} {arguments:?}: {}", output.status);
        assert!(output.stderr.is_empty(), "{program} {arguments:?} writes to stderr");
        // However the lines are broken, with or without the marks of Markdown.
        let plain = |text: &str| text.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ");
        let help = plain(&String::from_utf8_lossy(&output.stdout));
        // A secret is no flag.
        let is_flag = |secret: bool| !secret || arguments.len() == 1;
        for setting in settings_of(function).filter(|setting| is_flag(setting.secret)) {
            assert!(help.contains(setting.name), "{program} {arguments:?} leaves out {}", setting.name);
            // A meaning and its default stand together, but for the variable's name.
            let meaning = plain(setting.meaning);
            let stands = help.match_indices(&meaning).any(|(at, _)| {
                let behind: String = help[at + meaning.len()..].chars().take(120).collect();
                behind.contains(&plain(setting.default_of(function)))
            });
            assert!(stands, "{program} {arguments:?} does not say `{meaning}` with its default: {help}");
        }
    }
}

#[test]
fn every_link_of_every_document_leads_somewhere() {
    let documents: BTreeMap<PathBuf, String> = texts("", "md").into_iter().collect();
    let headings: BTreeMap<_, _> = documents.iter().map(|(path, text)| (path.clone(), anchors(text))).collect();
    let (mut dead, mut count) = (Vec::new(), 0);
    for (path, text) in &documents {
        for link in links(text).filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            count += 1;
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target =
                if file.is_empty() { path.clone() } else { resolved(&path.parent().unwrap_or(Path::new("")).join(file)) };
            let lives = root().join(&target).exists()
                && anchor
                    .is_none_or(|anchor| headings.get(&target).is_some_and(|known| known.iter().any(|known| known == anchor)));
            if !lives {
                dead.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
    assert!(count > 0, "no links found");
}

/// A document's lines outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence && !line.starts_with("    ")
    })
}

/// What stands in `[…](HERE)` and in `[…]: HERE`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let inline = prose(text).flat_map(|line| {
        let starts = line.match_indices("](").map(|(at, _)| at);
        // Between two back quotes it is no link; within the brackets they may stand.
        starts.filter(|at| line[..*at].matches('`').count() % 2 == 0).filter_map(|at| line[at + 2..].split([')', ' ']).next())
    });
    let defined = prose(text).filter_map(|line| line.strip_prefix('[')?.split_once("]: ").map(|(_, target)| target.trim()));
    inline.chain(defined)
}

/// The anchors that a document's headings get: lower case, without marks, hyphens for spaces, a number where one comes again.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        line.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
    };
    headings
        .map(|line| {
            let anchor = anchor(line);
            let count = seen.entry(anchor.clone()).and_modify(|count| *count += 1).or_default();
            if *count == 0 { anchor } else { format!("{anchor}-{count}") }
        })
        .collect()
}

/// A path from the root without `.` and `..`.
fn resolved(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut whole, part| {
        match part {
            Component::ParentDir => drop(whole.pop()),
            Component::Normal(name) => whole.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
        whole
    })
}

#[test]
fn links_and_headings_are_read_as_people_see_them() {
    let text = "# A b: `c`, d\n## Same\n## Same\nsee [a](x.md#y), [`b`](z) and `[no](link)`\n```\n[no](code)\n# no heading\n```\n[d]: e.md\n";
    assert_eq!(anchors(text), ["a-b-c-d", "same", "same-1"]);
    assert_eq!(links(text).collect::<Vec<_>>(), ["x.md#y", "z", "e.md"]);
}
