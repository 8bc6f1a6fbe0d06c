//! The command that goes on with a replay, as it is printed: for a shell, and without what gives access.

use crate::sinks;

/// This command again, as a shell takes it: with its name and archive said, also where a variable said it, and its times as they were meant.
pub(crate) fn again(name: &str, archive: Option<&str>, times: &[(&str, Option<String>)]) -> String {
    said_again(std::env::args().skip(1).collect(), name, archive, times)
}

fn said_again(mut arguments: Vec<String>, name: &str, archive: Option<&str>, times: &[(&str, Option<String>)]) -> String {
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
    fn name_archive_and_times_are_said() {
        let said = |arguments: &str, archive| {
            let arguments = arguments.split(' ').map(ToOwned::to_owned).collect();
            said_again(arguments, "n", archive, &[("--since", Some("T".to_owned())), ("--until", None)])
        };
        for (arguments, again) in [
            ("replay --to -", "replay --to - --name n --archive gs://b"),
            ("replay --to - --name m -a x", "replay --to - --name m -a x"),
            ("replay --to=- -qa x --since=1h", "replay --to=- -qa x --since=T --name n"),
            (
                "replay --archive=x --since 1h --as raw --to https://h/p?sig=1",
                "replay --archive=x --since T --as raw --to 'https://h/p?…' --name n",
            ),
            ("replay --at-once 1 --to -", "replay --at-once 1 --to - --name n --archive gs://b"),
        ] {
            assert_eq!(said(arguments, Some("gs://b")), format!("persistor {again}"));
        }
        assert_eq!(said("send --to -", None), "persistor send --to - --name n");
    }

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
