//! A template, a line each: the template, a stream, an id, an attribute's value, and a publish time; what is missing has a value of its own.

use std::collections::BTreeMap;

use bytes::Bytes;
use persistor_core::{
    Attribute, Entity, ErrorKind, Layout, Message, MessageId, PublishTime, Record, Stream, Template, escape, unescape,
};

use crate::naming;

/// Whatever template is taken renders only legal keys, reads them back, and is written and read again by its layout.
pub fn template(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let written = lines.next().unwrap_or_default();
    let template = match Template::parse(written) {
        Ok(template) => template,
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Invalid),
    };
    let mut value = || lines.next().filter(|text| !text.is_empty()).unwrap_or("a/b");
    let (stream, id, attribute) = (value(), value(), value());
    let time = PublishTime::parse(value()).unwrap_or_else(|_| PublishTime::parse("2026-11-22T05:40:12.503Z").expect("a time"));
    assert_eq!(template.to_string(), written);

    // Every attribute that a template can ask for has its name in the template.
    let names = written.split("{attribute:").skip(1).filter_map(|rest| rest.split('|').next());
    let attributes: BTreeMap<_, _> = names.map(|name| (name.to_owned(), Attribute::from(attribute))).collect();
    let message = Message::new(
        Entity::new("e").expect("an entity"),
        Stream::new(stream).expect("a stream"),
        MessageId::new(id).expect("an id"),
        time,
        Bytes::copy_from_slice(data),
    );
    for message in [message.clone(), message.with_attributes(attributes)] {
        let key = template.render(&message);
        assert_legal(key.as_str());
        assert_legal(key.record().expect("room for the record").as_str());
        assert!(!key.is_reserved(), "`{key}` is a name of our own");
        assert_eq!(key.as_str().matches('/').count(), separators(written), "a value has left its segment: `{key}`");
        assert_eq!(template.render_record(&Record::from(&message)), key);
        let read = template.read(&key).expect("an own key");
        assert_eq!(read.stream, Some(naming::escape(stream)));
        assert_eq!(read.id, naming::escape(id));
        assert_eq!(read.digest, message.sha256()[..32]);
        for (name, encoded) in &read.attributes {
            // The field's own text may go on with what looks like another field.
            let default = written.split_once(&format!("{{attribute:{name}|")).and_then(|(_, rest)| rest.split('}').next());
            let value = message.attributes().get(name).map_or(default.expect("a default"), Attribute::text);
            assert_eq!(*encoded, naming::escape(value));
        }
    }
    for value in [stream, id, attribute] {
        let encoded = escape(value);
        assert_eq!(encoded, naming::escape(value));
        assert!(unescape(&encoded).expect("an own escape").is_none_or(|whole| whole == value));
    }
    let layout = Layout::new(template);
    assert_eq!(Layout::decode(&layout.encode()).expect("an own layout"), layout);
}

/// The slashes of a template outside of its fields, but for those of a time's format.
fn separators(template: &str) -> usize {
    let (mut count, mut rest) = (0, template);
    while let Some((literal, field)) = rest.split_once('{') {
        let (field, behind) = field.split_once('}').expect("a field is closed");
        count += literal.matches('/').count();
        count += field.strip_prefix("time:").map_or(0, |format| format.matches('/').count());
        rest = behind;
    }
    count + rest.matches('/').count()
}

/// The rules of every provider and file system at once.
fn assert_legal(name: &str) {
    assert!(name.len() <= 1024, "`{name}`");
    for segment in name.split('/') {
        assert!((1..=255).contains(&segment.len()), "`{name}`");
        assert!(!segment.starts_with(['.', '_']) && !segment.ends_with('.'), "`{name}`");
        assert!(segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-~".contains(&byte)), "`{name}`");
    }
}
