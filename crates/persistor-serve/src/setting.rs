//! The one table of settings: `--help`, README's table and the resolver are all made from it.
//!
//! What a value means once it is parsed is left to whoever resolves it.

/// One environment variable that our programs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The variable's name; a command-line flag has the same name in another spelling.
    pub name: &'static str,
    /// What it means, in Markdown.
    pub meaning: &'static str,
    /// What holds where it is not set, as shown to people.
    pub default: &'static str,
    /// Whether `default` is itself a value that can be parsed, rather than a description.
    pub literal: bool,
    /// A right value, shown beside every fault.
    pub example: &'static str,
    /// Whether the value must never be shown, not even in the message that refuses it.
    pub secret: bool,
}

const fn literal(name: &'static str, meaning: &'static str, default: &'static str, example: &'static str) -> Setting {
    Setting { name, meaning, default, literal: true, example, secret: false }
}

const fn described(name: &'static str, meaning: &'static str, default: &'static str, example: &'static str) -> Setting {
    Setting { name, meaning, default, literal: false, example, secret: false }
}

/// Every setting of every program, in the order in which people read them.
pub const SETTINGS: &[Setting] = &[
    described("PORT", "port to listen on, all interfaces (Cloud Run sets it)", "without it: 127.0.0.1:8080", "8080"),
    literal(
        "PERSISTOR_ARCHIVE",
        "where blobs go: a folder, `gs://BUCKET/PREFIX`, `memory:` (later `az://…`)",
        "./archive",
        "gs://my-archive/messages",
    ),
    described("PERSISTOR_STREAM", "the stream's name where the URL's path does not say it", "the entity", "orders"),
    literal(
        "PERSISTOR_KEY_TEMPLATE",
        "key template",
        "{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}",
        "{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}",
    ),
    literal("PERSISTOR_RECORD", "`auto` or `always` (a `.record` blob for every message)", "auto", "auto"),
    literal("PERSISTOR_PUSH", "`wrapped` or `unwrapped`", "wrapped", "wrapped"),
    literal("PERSISTOR_MAX_BODY", "largest request body", "32MiB", "32MiB"),
    literal("PERSISTOR_MEMORY", "bytes in flight", "256MiB", "256MiB"),
    literal("PERSISTOR_WRITE_TIMEOUT", "total time for one durable write, retries included", "8s", "8s"),
    literal("PERSISTOR_DRAIN_TIMEOUT", "time to finish after SIGTERM", "8s", "8s"),
    literal("PERSISTOR_LOG", "level", "info", "info"),
    described(
        "STORAGE_EMULATOR_HOST",
        "an emulator that is asked instead of Cloud Storage, without an identity; for tests",
        "none",
        "http://127.0.0.1:4443",
    ),
];

/// The setting of that name, if there is one.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The table as `--help` shows it: two lines for each setting, without a heading.
pub fn table_text() -> String {
    let mut text = String::new();
    for setting in SETTINGS {
        let meaning = setting.meaning.replace('`', "");
        text.push_str(&format!("  {}\n          {meaning}", setting.name));
        if setting.literal {
            text.push_str(&format!(" [default: {}]\n", setting.default));
        } else {
            text.push_str(&format!(" [{}]\n", described_default(setting)));
        }
    }
    text
}

/// A default that is no value already reads as a sentence or needs the word in front of it.
fn described_default(setting: &Setting) -> String {
    if setting.default.starts_with("without it") { setting.default.to_owned() } else { format!("default: {}", setting.default) }
}

/// The table as README shows it, a line for each setting and a newline at the end.
pub fn table_markdown() -> String {
    let mut text = String::from("| setting | meaning | default |\n|---|---|---|\n");
    for setting in SETTINGS {
        let default = if setting.literal { format!("`{}`", setting.default) } else { setting.default.to_owned() };
        text.push_str(&format!("| `{}` | {} | {default} |\n", setting.name, setting.meaning));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice() {
        for (at, setting) in SETTINGS.iter().enumerate() {
            assert!(SETTINGS[..at].iter().all(|earlier| earlier.name != setting.name));
        }
    }

    #[test]
    fn both_tables_name_every_setting_once() {
        let (text, markdown) = (table_text(), table_markdown());
        for setting in SETTINGS {
            assert_eq!(text.matches(&format!("  {}\n", setting.name)).count(), 1);
            assert_eq!(markdown.matches(&format!("| `{}` |", setting.name)).count(), 1);
            assert!(text.contains(setting.default));
        }
        assert_eq!(markdown.lines().count(), SETTINGS.len() + 2);
    }

    #[test]
    fn a_cell_never_breaks_the_markdown_table() {
        for line in table_markdown().lines() {
            assert_eq!(line.matches('|').count(), 4, "{line}");
        }
    }
}
