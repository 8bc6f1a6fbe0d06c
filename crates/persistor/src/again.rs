//! The command that goes on with a replay, as it is printed: for a shell, and without what gives access.

use crate::sinks;

/// This command again, as a shell takes it: with its name and archive said, also where a variable said it, and its times as they were meant.
pub(crate) fn again(name: &str, archive: Option<&str>, times: &[(&str, Option<String>)]) -> String {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    for (flag, meant) in times {
        let Some(meant) = meant else { continue };
        let with_value = format!("{flag}=");
        if let Some(at) = arguments.iter().position(|argument| argument == flag) {
            if let Some(value) = arguments.get_mut(at + 1) {
                value.clone_from(meant);
            }
        } else if let Some(argument) = arguments.iter_mut().find(|argument| argument.starts_with(&with_value)) {
            *argument = format!("{with_value}{meant}");
        }
    }
    // What stands behind a question mark, or before an @, can give access: it is not for a screen.
    let hidden = |to: &str| if sinks::shown(to) == to { to.to_owned() } else { format!("{}?…", sinks::shown(to)) };
    if let Some(at) = arguments.iter().position(|argument| argument == "--to") {
        if let Some(to) = arguments.get_mut(at + 1) {
            *to = hidden(to);
        }
    } else if let Some(argument) = arguments.iter_mut().find(|argument| argument.starts_with("--to=")) {
        *argument = format!("--to={}", hidden(argument.trim_start_matches("--to=")));
    }
    if !arguments.iter().any(|argument| argument == "--name" || argument.starts_with("--name=")) {
        arguments.extend(["--name".to_owned(), name.to_owned()]);
    }
    let is_short = |argument: &str| argument.starts_with('-') && !argument.starts_with("--");
    let says_archive = |argument: &String| argument.starts_with("--archive") || is_short(argument) && argument.contains('a');
    if let Some(archive) = archive.filter(|_| !arguments.iter().any(says_archive)) {
        arguments.extend(["--archive".to_owned(), archive.to_owned()]);
    }
    let quoted = arguments.iter().map(|argument| quote(argument));
    std::iter::once("persistor".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

/// An argument as a shell takes it.
fn quote(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        for (argument, quoted) in [
            ("--to", "--to"),
            ("pubsub://p/t", "pubsub://p/t"),
            ("", "''"),
            ("2h ago", "'2h ago'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("a\nb", "'a\nb'"),
        ] {
            assert_eq!(quote(argument), quoted);
        }
    }
}
