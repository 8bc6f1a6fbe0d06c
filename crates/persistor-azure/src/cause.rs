//! What may be told of the cause of an error: its last link, without addresses, which may hold secrets and names.

use std::error::Error as StdError;

/// The first cause, without addresses: one of them may hold the SAS, or a blob's name.
pub(crate) fn root(error: &(dyn StdError + 'static)) -> String {
    without_addresses(&sources(error).last().unwrap_or(error).to_string())
}

pub(crate) fn without_addresses(text: &str) -> String {
    let shown = |word| if is_address(word) { "(an address)" } else { word };
    let words: Vec<_> = text.split_whitespace().map(shown).collect();
    words.join(" ").chars().take(400).collect()
}

fn is_address(word: &str) -> bool {
    ["://", "sig=", "%2F", "%2f"].iter().any(|part| word.contains(part))
}

pub(crate) fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}
