//! What may be told of the cause of an error: its last link, without addresses, which may hold secrets and names.

use std::error::Error as StdError;

/// The first cause, without addresses: one of them may hold the SAS, or a blob's name.
pub(crate) fn root(error: &(dyn StdError + 'static)) -> String {
    without_addresses(&sources(error).last().unwrap_or(error).to_string())
}

/// The same of a text; and without what an identity's endpoint answered, which stands behind these words of the official client and may quote what it was shown.
pub(crate) fn without_addresses(text: &str) -> String {
    const ANSWER: &str = "The request failed: ";
    let (text, cut) = text.split_once(ANSWER).map_or((text, ""), |(before, _)| (before, "The request failed"));
    let text = &format!("{text}{cut}");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_endpoint_answered_is_not_repeated() {
        let text =
            "ManagedIdentityCredential authentication failed. The request failed: {\"x-identity-header\":\"secret\"}\nsecret";
        assert_eq!(without_addresses(text), "ManagedIdentityCredential authentication failed. The request failed");
        assert_eq!(without_addresses("to https://a/b?sig=secret: refused"), "to (an address) refused");
    }
}
