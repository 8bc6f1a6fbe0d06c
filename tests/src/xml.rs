//! As much of XML as a listing of blobs needs: elements without attributes that matter, and text.

use std::collections::BTreeMap;

/// What stands in each element of a name, outside of others of that name.
pub(crate) fn all<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (opening, closing) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, behind) = rest.split_once(&opening)?;
        let (content, behind) = behind.split_once(&closing)?;
        rest = behind;
        Some(content)
    })
}

/// The text in the first element of a name.
pub(crate) fn first(text: &str, name: &str) -> Option<String> {
    all(text, name).next().map(decode)
}

/// Elements that hold nothing but text, by their names.
pub(crate) fn members(text: &str) -> BTreeMap<String, String> {
    let mut members = BTreeMap::new();
    let mut rest = text;
    while let Some((name, behind)) = rest.split_once('<').and_then(|(_, behind)| behind.split_once('>')) {
        let (content, behind) = behind.split_once(&format!("</{name}>")).unwrap_or_default();
        members.insert(name.to_owned(), decode(content));
        rest = behind;
    }
    members
}

fn decode(text: &str) -> String {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        let (entity, behind) = behind.split_once(';').expect("an entity ends");
        decoded.push_str(before);
        let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        decoded.push(match entity {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => match entity.strip_prefix("#x") {
                Some(digits) => number(digits, 16),
                None => number(entity.trim_start_matches('#'), 10),
            }
            .expect("a character"),
        });
        rest = behind;
    }
    decoded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_entities_are_read() {
        let text = "<Blobs><Blob><Name>a&amp;b&#x41;&#66;</Name><Metadata><record>{&quot;a&quot;:&lt;&gt;}</record><x></x></Metadata></Blob><Blob><Name>c</Name></Blob></Blobs><NextMarker/>";
        let blobs: Vec<_> = all(text, "Blob").collect();
        assert_eq!(blobs.iter().map(|blob| first(blob, "Name").expect("a name")).collect::<Vec<_>>(), ["a&bAB", "c"]);
        let metadata = members(all(blobs[0], "Metadata").next().expect("metadata"));
        assert_eq!(metadata, BTreeMap::from([("record".to_owned(), "{\"a\":<>}".to_owned()), ("x".to_owned(), String::new())]));
        assert_eq!((first(text, "NextMarker"), first(text, "Marker")), (None, None));
    }
}
