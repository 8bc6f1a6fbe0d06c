//! What fuzzing starts from: the fixtures and golden files of the repository, and what its documents show, in the form of each target.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The longest fixture that is taken: a fuzzer does not get far with longer ones.
const LONGEST: usize = 4096;

const ADDRESSES: [&str; 14] = [
    "memory:",
    "./archive",
    "gs://bucket/prefix",
    "az://account/container/prefix/",
    "pubsub://project/topic?region=europe-west1",
    "pubsub://example.com:project/topic",
    "servicebus://my/orders",
    "servicebus://my.servicebus.windows.net:5671/a/b",
    "servicebus://[::1]:5672/orders",
    "amqps://broker:5671//queues/a%20b",
    "http://127.0.0.1:10000/devstoreaccount1",
    "http://localhost:8085",
    "Endpoint=sb://my.servicebus.windows.net/;SharedAccessKeyName=Send;SharedAccessKey=c2VjcmV0+/=;EntityPath=orders",
    "?sv=2026&sp=r&sig=c2VjcmV0",
];
const AMOUNTS: [&str; 10] = ["32MiB", "1.5 KiB", "1000000", "8s", "1m 30s", "500ms", "1h 2min", "500/s", "0.5/m", "5MiB/s"];
/// The fixtures have none that is whole.
const EVENTS: [&str; 4] = [
    r#"1{"Data":{"m":{ "id": "e/1", "eventTime": "2026-11-22T05:50:40.1234567Z", "subject": "s", "data": { "id": 7 } }},"Metadata":{}}"#,
    r#"1{"Data":{"m":"{\"id\":\"c\",\"time\":\"2026-11-22T05:50:40+02:00\",\"specversion\":\"1.0\"}"},"Metadata":{}}"#,
    r#"1{"Data":{"m":"\"{\\\"id\\\":\\\"c\\\",\\\"eventTime\\\":\\\"2026-11-22T05:50:40\\\"}\""}}"#,
    r#"2{"Data":{"m":"[{\"id\":\"1\",\"eventTime\":\"2026-11-22T05:50:40Z\"},\"{\\\"id\\\":\\\"2\\\",\\\"time\\\":\\\"2026-11-22T05:50:40Z\\\"}\"]"},"Metadata":{}}"#,
];
const JOURNALS: [&str; 3] = [
    "{\"begin\":{\"run\":\"0\",\"name\":\"night\",\"at\":\"2026-11-22\",\"terms\":{\"to\":\"-\"}}}\n{\"planned\":{\"messages\":2,\"sha256\":\"ab\"}}\n{\"sending\":{\"number\":0,\"keys\":[\"a\",\"b\"]}}\n{\"answered\":{\"of\":0,\"receipts\":[\"1\",null]}}\n{\"sending\":{\"number\":1,\"keys\":[\"b\"]}}\n{\"answered\":{\"of\":1,\"receipts\":[\"2\"]}}\n{\"end\":{\"messages\":2}}\n",
    "{\"begin\":{\"run\":\"0\",\"name\":\"n\",\"at\":\"\",\"terms\":{}}}\n{\"sending\":{\"number\":0,\"keys\":[\"a\",\"b\",\"c\"],\"unmarked\":[1]}}\n{\"answered\":{\"of\":0,\"receipts\":[null,null,\"x\"],\"refused\":{\"1\":\"too large\"}}}\n{\"resumed\":{\"run\":\"1\",\"in_doubt\":[\"a\"]}}\n{\"damaged\":{\"key\":\"d\",\"fault\":\"payload-differs\"}}\n",
    "{\"begin\":{\"run\":\"0\",\"name\":\"n\",\"at\":\"\",\"terms\":{}}}\n{\"sending\":{\"number\":0,\"keys\":[\"a\"]}}\n{\"check\":\"0000",
];
const KEYS: [&str; 5] = [
    "orders/2026/11/22/05/4012-14217110643-2cf24dba5fb0a30e26e83b2ac5b9e29e",
    "{shard:2}/{stream}/{time:%Y-%m-%d/%H%M%S}/{id}-{digest}\n3f/a~2Fb/2026-11-22/054012/~2E-2cf24dba5fb0a30e26e83b2ac5b9e29e",
    "{stream}/{time:%Y%m%d}-{attribute:a|b}/{id}{digest}\norders/20261122-~_/x2cf24dba5fb0a30e26e83b2ac5b9e29e",
    "_persistor/layout/2cf24dba5fb0a30e26e83b2ac5b9e29e.json",
    "orders/2026/11/22/05/4012-a-2cf24dba5fb0a30e26e83b2ac5b9e29e.record",
];
const LINES: [&str; 3] = [
    r#"{"payload":"w6k="}"#,
    r#"{"key":"k","stream":"s","entity":"e","id":"1","publish_time":"2026-11-22T05:40:12.503Z","payload":"","attributes":{"a":"b","c":{"int32":"7"}},"properties":{"ordering_key":"o","subject":"s"}}"#,
    r#"{"payload_text":"\u00e9","properties":{"session_id":""}}"#,
];
const MOMENTS: [&str; 9] = [
    "2026-11-22T05:40:12.503Z",
    "2026-11-22 05:40 +02:00",
    "2026-11",
    "now",
    "today 05:40",
    "yesterday 18:30 -0100",
    "2h ago",
    "1 day 6 hours ago",
    "9999-12-31T23:59:59.999999999-00:30",
];
const SELECTORS: [&str; 8] = [
    "id\n",
    "sha256\nABC1",
    "attribute:shop\n",
    "json:/order/id\n{\"order\":{\"id\":7.50,\"a/b\":[1,\"x\",null]}}",
    "json:/order/a~1b/1=x\n{\"order\":{\"a/b\":[1,\"x\",null]}}",
    "tenant!=north\nn",
    "tenant^=nor\nnor",
    "o.d(?-u:\\xff)er|^x$\nan order\nx",
];
const TEMPLATES: [&str; 5] = [
    "{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}",
    "{shard:2}/{stream}/{time:%Y-%m-%d/%H%M%S}/{id}-{digest}\na/b\n..\n_\n2026-11-22T05:40:12.503Z",
    "{time:%Y/%m/%d/%H/%M/%S}/{stream}/x-{attribute:tenant|none}-y/{shard:8}-{id}-z{digest}\n~\n\n\u{e9}",
    "{stream}/{time:%Y%m%d%H%M%S}-{id}{digest}",
    "a.b/{time:%Y/%m/%d}/v-{stream}-w/{id}/{digest}",
];

/// The first inputs of a target, each with a name.
///
/// # Panics
/// If a fixture cannot be read.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let texts = |texts: &[&str]| numbered(texts.iter().map(|text| text.as_bytes().to_vec()));
    match target {
        "address" => texts(&ADDRESSES),
        "amounts" => texts(&AMOUNTS),
        "event_grid" => [texts(&EVENTS), invocations("event-grid", "event")].concat(),
        "event_hubs" => invocations("event-hubs", "events"),
        "journal" => texts(&JOURNALS),
        "key" => texts(&KEYS),
        "layout" => golden("layout"),
        "line" => texts(&LINES),
        "moment" => texts(&MOMENTS),
        "push_unwrapped" => pushes("unwrapped"),
        "push_wrapped" => pushes("wrapped"),
        "record" => golden("record"),
        "round_trip" => numbered((0..4).map(|first| vec![first; 40 * usize::from(first)])),
        "selector" => texts(&SELECTORS),
        "service_bus" => invocations("service-bus", "message"),
        "template" => texts(&TEMPLATES),
        _ => Vec::new(),
    }
}

fn numbered(inputs: impl Iterator<Item = Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    inputs.enumerate().map(|(number, input)| (format!("seed-{number:02}"), input)).collect()
}

/// The files of a folder of the repository, with their names, sorted.
fn files(folder: &str) -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("a listing").path();
            (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), path)
        })
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn golden(kind: &str) -> Vec<(String, Vec<u8>)> {
    let files = files("crates/persistor-core/golden").into_iter().filter(|(name, _)| name.starts_with(kind));
    files.map(|(name, path)| (name, read(&path))).filter(|(_, input)| input.len() <= LONGEST).collect()
}

fn invocations(trigger: &str, binding: &str) -> Vec<(String, Vec<u8>)> {
    let files = files("tests/fixtures/invocation").into_iter().filter(|(name, _)| name.starts_with(trigger));
    let seed = |(name, path): (String, PathBuf)| {
        // The body as it stands there, its spelling included.
        let text = String::from_utf8(read(&path)).expect("a fixture is text");
        let begin = text.find("{\"Data\"").expect("a call in it");
        let end = text.rfind('}').expect("the fixture's own end");
        let body = text[begin..end].trim_end().replacen(&format!("\"{binding}\":"), "\"m\":", 1);
        let first = if name.contains("-one") { '1' } else { '2' };
        (name, format!("{first}{body}").into_bytes())
    };
    files.map(seed).collect()
}

fn pushes(mode: &str) -> Vec<(String, Vec<u8>)> {
    let seed = |(name, path): (String, PathBuf)| {
        let fixture: Value = serde_json::from_slice(&read(&path)).ok()?;
        let request = fixture.get("request").filter(|request| request["method"] == "POST" && fixture["mode"] == mode)?;
        let base64 = |value: &Value| STANDARD.decode(value.as_str()?).ok();
        let body = request["body"].as_str().map(|body| body.as_bytes().to_vec());
        let body = body.or_else(|| base64(&request["body_base64"])).unwrap_or_default();
        let mut input = format!("{}\n", request["path"].as_str()?).into_bytes();
        if mode == "unwrapped" {
            for header in request["headers"].as_array()? {
                input.extend_from_slice(format!("{}: ", header[0].as_str()?).as_bytes());
                let value = header[1].as_str().map(|text| text.as_bytes().to_vec());
                input.extend(value.or_else(|| base64(&header[1]["base64"]))?);
                input.push(b'\n');
            }
            input.push(b'\n');
        }
        input.extend(body);
        Some((name, input))
    };
    files("tests/fixtures/push").into_iter().filter_map(seed).filter(|(_, input)| input.len() <= LONGEST).collect()
}
