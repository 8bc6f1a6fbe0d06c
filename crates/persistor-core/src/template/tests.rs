//! Which templates are refused and why, and which keys are read.

use super::*;

#[test]
fn each_rule_refuses_with_its_reason() {
    for (text, reason) in [
        ("", "a date down to the day"),
        ("{time:%Y/%m}/{id}-{digest}", "a date down to the day"),
        ("{time:%m/%Y/%d}/{id}-{digest}", "in the order"),
        ("{time:%Y/%m/%d/%M}/{id}-{digest}", "in the order"),
        ("{time:%Y/%m/%d/%d}/{id}-{digest}", "each part once"),
        ("{time:%Y/%m/%d/%s}/{id}-{digest}", "`%Y %m %d %H %M %S` only"),
        ("{time:%Y/%m/%d/%}/{id}-{digest}", "`%Y %m %d %H %M %S` only"),
        ("{time:%Y/%m/%d}/{id}-{digest}", "`{stream}`"),
        ("{stream}/{time:%Y/%m/%d}-{digest}", "`{id}`"),
        ("{stream}/{time:%Y/%m/%d}/{digest}-{id}", "`{digest}` at the very end"),
        ("{stream}/{time:%Y/%m/%d}/{id}-{digest}-bin", "`{digest}` at the very end"),
        ("{stream}/{time:%Y/%m/%d}/{id}", "`{digest}` at the very end"),
        ("{id}/{time:%Y/%m/%d}/{id}-{digest}", "a field stands twice"),
        ("{time:%Y/%m/%d}/{stream}-{id}-{digest}", "so that keys can be read back"),
        ("{stream}{attribute:a|b}/{time:%Y/%m/%d}/{id}-{digest}", "so that keys can be read back"),
        ("/{stream}/{time:%Y/%m/%d}/{id}-{digest}", "a segment is empty"),
        ("{stream}/{time:%Y//%m/%d}/{id}-{digest}", "a segment is empty"),
        ("_x/{time:%Y/%m/%d}/{id}-{digest}", "start with `_` or `.`"),
        ("{stream}/.x/{time:%Y/%m/%d}/{id}-{digest}", "start with `_` or `.`"),
        ("{time:%Y/%m/%d}/{id}_{digest}", "start with `_` or `.`"),
        ("x./{time:%Y/%m/%d}/{id}-{digest}", "end with `.`"),
        ("x~/{time:%Y/%m/%d}/{id}-{digest}", "kept for escapes"),
        ("a b/{time:%Y/%m/%d}/{id}-{digest}", "only"),
        ("ä/{time:%Y/%m/%d}/{id}-{digest}", "only"),
        ("{time:%Y/%m/%d}/{id}-{digest", "never closed"),
        ("{time:%Y/%m/%d}/}{id}-{digest}", "closes nothing"),
        ("{name}/{time:%Y/%m/%d}/{id}-{digest}", "not a field"),
        ("{time}/{id}-{digest}", "not a field"),
        ("{attribute:a}/{time:%Y/%m/%d}/{id}-{digest}", "a name and a default"),
        ("{attribute:|a}/{time:%Y/%m/%d}/{id}-{digest}", "a name and a default"),
        ("{attribute:a|b}/{attribute:a|c}/{stream}/{time:%Y/%m/%d}/{id}-{digest}", "a field stands twice"),
        ("{shard:0}/{time:%Y/%m/%d}/{id}-{digest}", "from 1 to 8"),
        ("{shard:9}/{time:%Y/%m/%d}/{id}-{digest}", "from 1 to 8"),
        (&format!("{{stream}}/{{time:%Y/%m/%d}}/{}{{id}}-{{digest}}", "x".repeat(62)), "longer than 255"),
    ] {
        let error = Template::parse(text).expect_err(text);
        assert!(error.to_string().contains(reason), "{text}: {error}");
    }
}

#[test]
fn the_longest_key_is_bounded_with_the_prefix() {
    let longest = format!("{}{{stream}}/{{time:%Y/%m/%d}}/{}{{id}}-{{digest}}", "x".repeat(101), "x".repeat(61));
    assert!(Template::parse(&longest).is_ok(), "`.record` stands behind the last segment only");
    assert!(Template::parse(&format!("x{longest}")).is_err());
    let many: String = (0..7).map(|n| format!("{{attribute:a{n}|}}/")).collect();
    assert!(Template::parse(&format!("{many}{{stream}}/{{time:%Y/%m/%d}}/{{id}}-{{digest}}")).is_err());
    let template = Template::default();
    let room = LONGEST_KEY - template.longest_key();
    assert!(template.check_prefix(room).is_ok());
    assert!(template.check_prefix(room + 1).is_err());
}

#[test]
fn no_key_is_longer_than_the_longest() {
    let long = "\u{e9}".repeat(200);
    for text in [DEFAULT_TEMPLATE, "x/{time:%Y-%m-%d}/{stream}/{attribute:a|b}/{id}-{digest}"] {
        let template = Template::parse(text).expect("valid");
        let source = Source {
            stream: &long,
            id: &long,
            second: NaiveDateTime::default(),
            sha256: &"0".repeat(64),
            attribute: &|_| Some(&long),
        };
        let longest = template.render_source(&source).as_str().len() + RECORD_SUFFIX.len();
        assert!(template.check_prefix(LONGEST_KEY - longest).is_ok(), "{text}");
        assert!(template.check_prefix(LONGEST_KEY - longest + 1).is_err(), "{text}");
    }
}

#[test]
fn a_template_knows_what_its_keys_hold() {
    for (text, holds_attributes, time_parts) in [
        (DEFAULT_TEMPLATE, false, 6),
        ("{stream}/{time:%Y/%m/%d}/{id}-{digest}", false, 3),
        ("{attribute:a|b}/{attribute:c|b}/{stream}/{time:%Y/%m/%d/%H}/{id}-{digest}", true, 4),
    ] {
        let template = Template::parse(text).expect("valid");
        assert_eq!((template.holds_attributes(), template.time_parts()), (holds_attributes, time_parts), "{text}");
    }
}

#[test]
fn only_keys_that_it_renders_are_read() {
    let template = Template::default();
    let good = "orders/2026/11/22/05/4012-142-2cf24dba5fb0a30e26e83b2ac5b9e29e";
    let read = |name: &str| template.read(&Key::parse(name).expect("a key"));
    assert_eq!(read(good).map(|parsed| parsed.id).as_deref(), Some("142"));
    for name in [
        good.replace("/11/", "/13/"),
        good.replace("/22/", "/31/"),
        good.replace("4012", "4060"),
        good.replace("4012", "401"),
        good.replace("2cf2", "2CF2"),
        good.replace("-142-", "--"),
        good.replace("orders", "_orders"),
        good.replace("orders", "or~41ers"),
        format!("{good}.record"),
        format!("x/{good}"),
        good[7..].to_owned(),
    ] {
        assert_eq!(read(&name), None, "{name}");
    }
    let sharded = Template::parse("{shard:2}/{stream}/{time:%Y/%m/%d}/{id}-{digest}").expect("valid");
    let key = |shard: &str| Key::parse(format!("{shard}/orders/2026/11/22/142-{}", "0".repeat(32))).expect("a key");
    assert_eq!((0..256).filter(|n| sharded.read(&key(&format!("{n:02x}"))).is_some()).count(), 1);
}
