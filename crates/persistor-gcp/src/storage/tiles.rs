//! Cuts a listing into parts that can be asked for at the same time.
//!
//! Any rising row of texts cuts the names into parts without a gap, so a bad guess costs requests and never a blob. The guess: digits in names
//! count upwards, as a date does. The last name seen is the shape, a digit of it is raised, and what follows is the next part; where parts come
//! back empty a digit further left is raised, where they are more than a page one further right.

use persistor_core::Entry;

/// A part of the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) start: String,
    /// Whether `start` itself is left out.
    pub(crate) after: bool,
    /// The first name behind it; none if it goes on to the end.
    pub(crate) end: Option<String>,
}

/// How to cut, learnt from the pages that came.
#[derive(Debug)]
pub(crate) struct Tiles {
    /// What is the same in all names.
    prefix: usize,
    /// A name that was there.
    shape: Vec<u8>,
    /// How much of a name tells one part from the next, in bytes; nothing is cut while it is no more than the prefix.
    depth: usize,
}

/// Pages of less than this are worth no request of their own.
const FEW: usize = 100;

impl Tiles {
    pub(crate) fn new(prefix: usize) -> Self {
        Self { prefix, shape: Vec::new(), depth: 0 }
    }

    /// Looks at a page: its blobs, and whether its part held more.
    pub(crate) fn learn(&mut self, entries: &[Entry], more: bool) {
        if let [first, .., last] = entries
            && more
        {
            let same = first.name.bytes().zip(last.name.bytes()).take_while(|(first, last)| first == last).count();
            self.shape = last.name.clone().into_bytes();
            self.depth = same + 1;
        } else if entries.len() < FEW {
            self.depth = (self.prefix..self.depth.saturating_sub(1)).rev().find(|at| self.is_digit(*at)).map_or(0, |at| at + 1);
        }
    }

    /// The first part of a part, and what is behind it.
    pub(crate) fn split(&self, part: Part) -> (Part, Option<Part>) {
        let boundary = self.next(&part.start).filter(|next| part.end.as_ref().is_none_or(|end| next < end));
        match boundary {
            Some(boundary) => {
                let rest = Part { start: boundary.clone(), after: false, end: part.end };
                (Part { end: Some(boundary), ..part }, Some(rest))
            }
            None => (part, None),
        }
    }

    /// A text behind `start` that is likely to be about a page further on.
    fn next(&self, start: &str) -> Option<String> {
        let mut text: Vec<u8> = start.bytes().take(self.depth).collect();
        while text.len() < self.depth {
            text.push(if self.is_digit(text.len()) { b'0' } else { *self.shape.get(text.len())? });
        }
        let raised = (self.prefix..text.len()).rev().find(|at| self.is_digit(*at) && matches!(text[*at], b'0'..=b'8'))?;
        text.truncate(raised + 1);
        text[raised] += 1;
        String::from_utf8(text).ok()
    }

    fn is_digit(&self, at: usize) -> bool {
        self.shape.get(at).is_some_and(u8::is_ascii_digit)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn entry(name: &str) -> Entry {
        Entry { name: name.to_owned(), size: 0, metadata: Default::default(), crc32c: None, created: Default::default() }
    }

    fn whole(prefix: &str) -> Part {
        Part { start: prefix.to_owned(), after: false, end: None }
    }

    /// Lists `names` as `list` does, with pages of `page`, one at a time; returns them, and the number of requests.
    fn walk(names: &BTreeSet<String>, prefix: &str, page: usize) -> (Vec<String>, usize) {
        let (mut tiles, mut waiting, mut found, mut requests) = (Tiles::new(prefix.len()), vec![whole(prefix)], Vec::new(), 0);
        while let Some(part) = waiting.pop() {
            let (tile, rest) = tiles.split(part);
            waiting.extend(rest);
            let mut inside = names.range(tile.start.clone()..).filter(|name| {
                let behind_start = !tile.after || **name != tile.start;
                name.starts_with(prefix) && behind_start && tile.end.as_ref().is_none_or(|end| *name < end)
            });
            let entries: Vec<_> = inside.by_ref().take(page).map(|name| entry(name)).collect();
            let more = inside.next().is_some();
            tiles.learn(&entries, more);
            requests += 1;
            if let Some(last) = entries.last().filter(|_| more) {
                waiting.push(Part { start: last.name.clone(), after: true, end: tile.end });
            }
            found.extend(entries.into_iter().map(|entry| entry.name));
        }
        (found, requests)
    }

    #[test]
    fn days_are_cut_into_parts_and_little_is_asked_for_in_vain() {
        let name =
            |n: u32| format!("orders/2026/11/{:02}/{:02}/{:02}{:02}-{n}", n / 86_400 + 1, n / 3600 % 24, n / 60 % 60, n % 60);
        let names: BTreeSet<_> = (0..3 * 86_400).step_by(5).map(name).collect();
        let (found, requests) = walk(&names, "orders/", 1000);
        assert!(found.iter().eq(&names));
        let pages = names.len().div_ceil(1000);
        assert!(requests < 4 * pages, "{requests} requests for {pages} pages");

        // One page's worth of names costs one request.
        let few: BTreeSet<_> = names.into_iter().take(900).collect();
        assert_eq!(walk(&few, "orders/", 1000).1, 1);
    }

    #[test]
    fn parts_follow_the_date() {
        let mut tiles = Tiles::new(2);
        assert_eq!(tiles.split(whole("a/")), (whole("a/"), None));
        tiles.learn(&[entry("a/11/22-x"), entry("a/11/48-y")], true);
        let mut part = Part { start: "a/11/48-y".to_owned(), after: true, end: None };
        let mut ends = Vec::new();
        while let (Part { end: Some(end), .. }, Some(rest)) = tiles.split(part) {
            ends.push(end);
            part = rest;
        }
        assert_eq!(ends[..8], ["a/11/5", "a/11/6", "a/11/7", "a/11/8", "a/11/9", "a/12", "a/12/1", "a/12/2"]);
        assert_eq!(ends.last().map(String::as_str), Some("a/99/9"));
    }

    proptest! {
        #[test]
        fn whatever_the_names_each_is_listed_once_in_order(
            names in prop::collection::btree_set("[ab]/[0-9]{1,3}[/-]?[0-9a-c~.]{0,4}", 0..120),
            prefix in prop::sample::select(vec!["", "a/", "a/1", "b"]),
            page in 2_usize..9,
        ) {
            let (found, _) = walk(&names, prefix, page);
            let expected: Vec<_> = names.iter().filter(|name| name.starts_with(prefix)).cloned().collect();
            prop_assert_eq!(found, expected);
        }
    }
}
