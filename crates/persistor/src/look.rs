//! How pictures may look here: as wide as the terminal, with colours and drawn characters where it has them.

use console::Term;
use persistor_recover::Look;

/// Columns where there is no terminal.
const WIDTH: usize = 100;

/// What standard output can show. `NO_COLOR` and `CLICOLOR` are heeded.
pub(crate) fn look() -> Look {
    let width = Term::stdout().size_checked().map_or(WIDTH, |(_, columns)| usize::from(columns));
    Look { width, color: console::colors_enabled(), unicode: has_unicode(|name| std::env::var(name).ok()) }
}

/// By the locale, as far as it says anything; most terminals can.
fn has_unicode(variable: impl Fn(&str) -> Option<String>) -> bool {
    if variable("TERM").is_some_and(|term| matches!(term.as_str(), "dumb" | "linux")) {
        return false;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_says_whether_blocks_can_be_drawn() {
        let with = |variables: &[(&str, &str)]| {
            has_unicode(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(with(&[]) && with(&[("LANG", "de_DE.UTF-8")]) && with(&[("LC_ALL", ""), ("LANG", "C.utf8")]));
        assert!(!with(&[("LANG", "C")]) && !with(&[("LC_ALL", "POSIX"), ("LANG", "C.UTF-8")]) && !with(&[("TERM", "dumb")]));
    }
}
