//! What the pages on failures and on security claim can be looked up: each test that they name is there, each text that they quote from a log is in
//! the sources, each alert is one that Terraform makes, and each row that they point to exists.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::{root, texts};

const PAGES: [&str; 2] = ["failures.md", "security.md"];
/// Columns by the headings of the tables.
const PROOF: &str = "proof";
const SEEN: [&str; 2] = ["you see", "who tells, and when"];
/// Between two parts of a quoted text no more stands in the source than this many bytes.
const NEAR: usize = 300;

/// A row of a table: its cells with their headings.
struct Row {
    page: &'static str,
    cells: Vec<(String, String)>,
}

impl Row {
    fn first(&self) -> &str {
        &self.cells[0].1
    }

    fn of(&self, headings: &[&str]) -> impl Iterator<Item = &str> {
        self.cells.iter().filter(|(heading, _)| headings.contains(&heading.as_str())).map(|(_, cell)| cell.as_str())
    }

    fn place(&self) -> String {
        format!("{}, row `{}`", self.page, self.first())
    }
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).unwrap_or_else(|error| panic!("docs/{name}: {error}"))
}

/// All rows of all tables.
fn rows() -> Vec<Row> {
    PAGES.into_iter().flat_map(|name| rows_of(name, &page(name))).collect()
}

fn rows_of(page: &'static str, text: &str) -> Vec<Row> {
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_start_matches('|').trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let (mut rows, mut headings) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if !line.starts_with('|') {
            headings.clear();
        } else if headings.is_empty() {
            headings = cells(line);
        } else if !line.starts_with("|---") {
            let cells = cells(line);
            assert_eq!(cells.len(), headings.len(), "{page}: a row has other columns than its table: {line}");
            rows.push(Row { page, cells: headings.iter().cloned().zip(cells).collect() });
        }
    }
    rows
}

/// What stands between back quotes, one or several of them.
fn spans(text: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find('`') {
        let quotes = rest[at..].len() - rest[at..].trim_start_matches('`').len();
        let inside = &rest[at + quotes..];
        let Some(end) = inside.find(&"`".repeat(quotes)) else { panic!("a code span without an end: {text}") };
        let span = &inside[..end];
        // Markdown takes one space off each side, for texts that begin or end with a back quote.
        let padded = span.starts_with(' ') && span.ends_with(' ') && span.len() > 2;
        found.push(if padded { &span[1..span.len() - 1] } else { span });
        rest = &inside[end + quotes..];
    }
    found
}

/// What stands between two pairs of asterisks.
fn bold(text: &str) -> impl Iterator<Item = &str> {
    text.split("**").skip(1).step_by(2)
}

/// The programs' sources, without comments and tests, and with the lines of a text put together as the compiler does.
fn sources() -> Vec<String> {
    let ours = texts("crates", "rs").into_iter().filter(|(path, _)| {
        let path = path.to_string_lossy();
        path.contains("/src/") && !path.ends_with("/tests.rs") && !path.contains("/testing/")
    });
    ours.map(|(_, text)| {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.fold(String::new(), |mut whole, line| {
            if whole.ends_with('\\') {
                whole.pop();
                whole.push_str(line.trim_start());
            } else {
                whole.push('\n');
                whole.push_str(line);
            }
            whole
        })
    })
    .collect()
}

/// Whether a text is there whose parts, between `…`, follow each other closely; not as a part of other words.
fn says(source: &str, text: &str) -> bool {
    let mut parts = text.split('…').filter(|part| !part.trim().is_empty());
    let Some(first) = parts.next() else { return false };
    let parts: Vec<_> = parts.collect();
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let whole = |Range { start, end }: Range<usize>, part: &str| {
        let before = part.starts_with(is_word) && source[..start].ends_with(is_word);
        let behind = part.ends_with(is_word) && source[end..].starts_with(is_word);
        !before && !behind
    };
    source.match_indices(first).any(|(at, _)| {
        let mut end = at + first.len();
        whole(at..end, first)
            && parts.iter().all(|part| {
                let Some(found) = source[end..].find(part).filter(|found| *found <= NEAR) else { return false };
                let start = end + found;
                end = start + part.len();
                whole(start..end, part)
            })
    })
}

/// The names of all tests: of Rust's by themselves, of Terraform's as `gcp/FILE/NAME`.
fn tests() -> BTreeSet<String> {
    let rust = ["crates", "tests"].into_iter().flat_map(|folder| texts(folder, "rs")).flat_map(|(_, text)| {
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let name = |at: usize| {
            let line = lines[at].strip_prefix("async ").unwrap_or(lines[at]);
            let name: String = line.strip_prefix("fn ")?.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let marks = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
            marks.into_iter().any(|line| *line == "#[test]" || line.starts_with("#[tokio::test")).then_some(name)
        };
        (0..lines.len()).filter_map(name).collect::<Vec<_>>()
    });
    let terraform = texts("terraform", "hcl").into_iter().flat_map(|(path, text)| {
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let module = path.components().nth(1).map(|part| part.as_os_str().to_string_lossy().into_owned());
        let prefix = file.strip_suffix(".tftest.hcl").zip(module).map(|(file, module)| format!("{module}/{file}"));
        let runs = text.lines().filter_map(|line| line.strip_prefix("run \"")?.strip_suffix("\" {"));
        prefix.map(|prefix| runs.map(|run| format!("{prefix}/{run}")).collect::<Vec<_>>()).unwrap_or_default()
    });
    rust.chain(terraform).collect()
}

#[test]
fn each_proof_is_a_test_or_says_that_there_is_none() {
    let (tests, mut faults, mut count) = (tests(), Vec::new(), 0);
    for row in rows() {
        for proof in row.of(&[PROOF]) {
            let named = spans(proof);
            count += named.len();
            if named.is_empty() && !proof.starts_with("Not tested") {
                faults.push(format!("{}: neither a test nor `Not tested`: {proof}", row.place()));
            }
            let missing = named.into_iter().filter(|name| !tests.contains(*name));
            faults.extend(missing.map(|name| format!("{}: there is no test `{name}`", row.place())));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 0, "no proofs found");
}

#[test]
fn each_quoted_text_is_in_the_sources() {
    let (sources, mut faults, mut count) = (sources(), Vec::new(), 0);
    for row in rows() {
        for text in row.of(&SEEN).flat_map(spans) {
            count += 1;
            if !sources.iter().any(|source| says(source, text)) {
                faults.push(format!("{}: no program says `{text}`", row.place()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 0, "no texts found");
}

/// The alerts that a module makes, by their names in it.
fn alerts(module: &str) -> BTreeSet<String> {
    let path = root().join("terraform").join(module).join("alerts.tf");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // The members of the maps of alerts stand deeper than a block's attributes.
    let named = text.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?.trim_start().strip_suffix(" = {")?;
        name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte)).then(|| name.to_owned())
    });
    // One for each entity.
    let sizes = text.contains("\"size-${name}\" => {").then(|| "size-…".to_owned());
    named.chain(sizes).collect()
}

#[test]
fn each_alert_that_terraform_makes_leads_to_its_rows_and_no_other_is_named() {
    let (google, azure) = (alerts("gcp"), alerts("azure"));
    let rows = rows();
    let listed = |heading: &str| -> BTreeSet<String> {
        let cells = rows.iter().flat_map(|row| &row.cells).filter(|(found, _)| found == heading);
        cells.flat_map(|(_, cell)| bold(cell)).map(str::to_owned).collect()
    };
    assert_eq!(listed("Google's alert"), google);
    assert_eq!(listed("Azure's alert"), azure);
    let named = rows.iter().flat_map(|row| row.of(&SEEN).flat_map(bold).map(|alert| (row.place(), alert)));
    let unknown: Vec<_> = named.filter(|(_, alert)| !google.contains(*alert) && !azure.contains(*alert)).collect();
    assert!(unknown.is_empty(), "no such alerts: {unknown:?}");
}

#[test]
fn rows_that_are_pointed_to_are_there() {
    // A capital letter and a number.
    let is_id = |word: &str| {
        let (letter, number) = word.split_at(word.len().min(1));
        letter.bytes().all(|byte| byte.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.filter(|word| is_id(word)).map(str::to_owned).collect()
    };
    let ids: Vec<_> = rows().iter().filter_map(|row| words(row.first().split(' ').next()?).pop()).collect();
    let known: BTreeSet<_> = ids.iter().collect();
    assert_eq!(known.len(), ids.len(), "a row's name stands twice: {ids:?}");
    assert!(known.len() > 50, "few rows have names: {ids:?}");
    for name in PAGES {
        let dangling: Vec<_> = words(&page(name)).into_iter().filter(|word| !known.contains(word)).collect();
        assert!(dangling.is_empty(), "docs/{name} points to rows that are not there: {dangling:?}");
    }
}

#[test]
fn texts_are_found_as_they_are_said() {
    assert_eq!(spans("a `b` c ``d `e` f`` `` `g` ``"), ["b", "d `e` f", "`g`"]);
    assert_eq!(bold("**a**, b **c-…**").collect::<Vec<_>>(), ["a", "c-…"]);
    let source = "format!(\"the bucket `{bucket}` answered {status}\"); \"body-too-large\"";
    for text in ["the bucket `…` answered", "answered …", "body-too-large"] {
        assert!(says(source, text), "{text}");
    }
    for text in ["the bucket `…` answers", "answered … the bucket", "too-large", "the buck", "…", ""] {
        assert!(!says(source, text), "{text}");
    }
}
