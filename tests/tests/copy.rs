//! `persistor copy`: from a folder through a bucket and a container into a folder again, bit by bit; broken off and continued, with damage, with targets that
//! fail, and never into itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use persistor_tests::azurite::{ACCOUNT, Azurite, sas};
use persistor_tests::canonical::canonical;
use persistor_tests::cli::Cli;
use persistor_tests::corpus::corpus;
use persistor_tests::fake_storage::FakeStorage;
use persistor_tests::http::Answer;
use persistor_tests::naming::sha256;
use persistor_tests::program::Setup;
use persistor_tests::push::Push;
use persistor_tests::store_gate::{Fate, StoreGate};
use persistor_tests::{pusher, scratch, waiting};
use serde_json::{Value, json};

const SECOND: &str = "{shard:2}/{stream}/{time:%Y/%m/%d}/{id}-{digest}";

/// Awkward messages by the real path under two layouts, a few of them under both; a record with a member that this version does not know, and a rejected call.
fn store(root: &Path, messages: usize) {
    let publications = corpus(messages, 8);
    let pushes: Vec<_> = publications
        .into_iter()
        .enumerate()
        .map(|(number, publication)| Push {
            attributes: publication.attributes,
            ..Push::new(number.to_string(), publication.payload)
        })
        .collect();
    let (half, twice) = (pushes.len() / 2, pushes.len() / 2 - 5);
    for (template, pushes) in [(None, &pushes[..half]), (Some(SECOND), &pushes[twice..])] {
        let setup = Setup::gcp_function(root);
        let program = template.map_or(setup.clone(), |template| setup.set("PERSISTOR_KEY_TEMPLATE", template)).start();
        for push in pushes {
            assert_eq!(pusher::send(program.port(), &push.request()).expect("a reply").status, 204, "{}", push.id);
        }
    }
    let record = files(root).into_keys().find(|name| name.ends_with(".record")).expect("a record");
    add_member(&root.join(record));
    let rejected = root.join("_persistor/rejected");
    fs::create_dir_all(&rejected).expect("mkdir");
    fs::write(rejected.join("0f0f"), b"{\"Data\":\xff}").expect("write");
}

/// As a later version would write it, with the check of what it says.
fn add_member(path: &Path) {
    let mut record: Value = serde_json::from_slice(&fs::read(path).expect("read")).expect("JSON");
    record["a later member"] = json!({ "of": ["another", "version"], "text": "é\u{1F600}" });
    record.as_object_mut().expect("an object").remove("check");
    let check = sha256(canonical(&record).expect("canonical").as_bytes())[..16].to_owned();
    record["check"] = json!(check);
    fs::write(path, canonical(&record).expect("canonical")).expect("write");
}

/// Every blob of a folder by its name; not what a store has for itself.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below it").to_str().expect("text").to_owned();
            if path.is_dir() && name != ".tmp" {
                walk(root, &path, files);
            } else if path.is_file() {
                files.insert(name, fs::read(&path).expect("read"));
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(root, root, &mut all);
    all
}

fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (files(one), files(other));
    let differs: Vec<_> = one.iter().filter(|(name, content)| other.get(*name) != Some(content)).map(|(name, _)| name).collect();
    assert!(differs.is_empty(), "missing or another one: {differs:?}");
    assert_eq!(one.len(), other.len());
}

#[test]
#[ignore = "needs fake-gcs-server and Azurite: tests/run e2e"]
fn through_a_bucket_and_a_container_it_is_the_same_bit_by_bit() {
    let (Some(fake), Some(azurite)) = (FakeStorage::start(), Azurite::start()) else { return };
    fake.create_bucket("station");
    azurite.create_container("station");
    let folder = scratch::folder_in_memory();
    let root = folder.path().join("archive");
    store(&root, 1000);
    let cli = Cli::new(folder.path())
        .set("STORAGE_EMULATOR_HOST", fake.url())
        .set("AZURE_STORAGE_SERVICE_ENDPOINT", azurite.endpoint())
        .set("AZURE_STORAGE_SAS_TOKEN", sas("cwrl"));
    let container = format!("az://{ACCOUNT}/station/a/prefix");
    let stations = ["archive", "gs://station/a/prefix", &container, "again"];
    let count = |said: &Value| said["messages"].as_u64().expect("a number");
    let messages = count(&cli.fine(&["copy", "-a", "archive", "again", "--dry-run", "--json"]).json()[0]);
    assert!(messages > 1000, "{messages}");
    assert!(!folder.path().join("again").exists(), "a dry run makes nothing");
    for leg in stations.windows(2) {
        let said = cli.fine(&["copy", "-a", leg[0], leg[1], "--json"]).json();
        let counted = json!({ "messages": messages, "bytes": said[0]["bytes"], "already_there": 0, "layouts": 2, "rejected": 1,
            "damage": 0, "complete": true });
        assert_eq!(said, [counted], "{leg:?}");
        let verified = cli.fine(&["verify", "-a", leg[1], "--read-data", "--json"]).json();
        let summary = verified.last().expect("a summary");
        assert_eq!((count(summary), &summary["findings"]), (messages, &json!({ "rejected": 1 })), "{}", leg[1]);
        assert_eq!(summary["payloads_read"], messages);
    }
    assert_same(&root, &folder.path().join("again"));
    // Where metadata is kept, what fits stands there, and nowhere else.
    let beside = files(&root).iter().filter(|(name, content)| name.ends_with(".record") && content.len() > 4000).count();
    let objects = fake.objects("station", "a/prefix/");
    assert_eq!(objects.iter().filter(|object| object.name.ends_with(".record")).count(), beside);
    assert!(beside > 0);
    let again = cli.fine(&["copy", "-a", "archive", "again", "--json"]).json();
    assert_eq!((&again[0]["messages"], &again[0]["already_there"]), (&json!(0), &json!(messages)));
}

#[test]
fn killed_in_the_middle_it_is_continued_by_the_same_command() {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    store(&root, 900);
    let (cli, to) = (Cli::new(folder.path()), folder.path().join("to"));
    let blobs = |root: &Path| if root.is_dir() { files(root).keys().filter(|name| !name.starts_with(".tmp")).count() } else { 0 };
    let mut stages = Vec::new();
    for stage in 1..=3 {
        let mut child =
            cli.command(&["copy", "-q", "-a", "archive", "to"]).stdout(std::process::Stdio::null()).spawn().expect("it starts");
        waiting::until("a part to be there", || {
            let ended = child.try_wait().expect("our own child");
            (blobs(&to) > stage * 200 || ended.is_some()).then_some(())
        });
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        stages.push(blobs(&to));
    }
    let whole = blobs(&root);
    assert!(stages[0] < whole, "it was not killed in the middle: {stages:?} of {whole}");
    let said = cli.fine(&["copy", "-a", "archive", "to", "--json"]).json();
    assert!(said[0]["already_there"].as_u64() > Some(0), "{said:?}");
    let clean = files(&to).into_iter().filter(|(name, _)| !name.starts_with(".tmp")).collect::<BTreeMap<_, _>>();
    assert!(clean == files(&root).into_iter().filter(|(name, _)| !name.starts_with(".tmp")).collect());
    cli.fine(&["verify", "-a", "to", "--read-data"]);
}

#[test]
fn damage_is_left_out_and_said() {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let program = Setup::gcp_function(&root).start();
    let pushes: Vec<_> = (0..20).map(|id| Push::new(id.to_string(), Bytes::from(format!("payload {id}")))).collect();
    for push in &pushes {
        assert_eq!(pusher::send(program.port(), &push.request()).expect("a reply").status, 204);
    }
    drop(program);
    fs::write(root.join(pushes[7].key()), b"pAyload 7").expect("write");
    let said = Cli::new(folder.path()).ends_with(3, &["copy", "-a", "archive", "to"], b"");
    assert!(said.errors.contains(&pushes[7].key()) && said.errors.contains("payload-differs"), "{}", said.errors);
    assert!(said.text().contains("19 messages") && said.text().contains("1 are damaged"), "{}", said.text());
    let to = folder.path().join("to");
    assert!(!to.join(pushes[7].key()).exists() && !to.join(pushes[7].key() + ".record").exists());
    assert!(pushes.iter().filter(|push| push.is_stored(&to)).count() == 19);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_made() {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let program = Setup::gcp_function(&root).start();
    assert_eq!(pusher::send(program.port(), &Push::new("1", "x").request()).expect("a reply").status, 204);
    drop(program);
    std::os::unix::fs::symlink(&root, folder.path().join("link")).expect("a link");
    let (cli, before) = (Cli::new(folder.path()), files(&root));
    for to in ["archive", "./archive/", "archive/below", "link", "link/below", ".", "memory:", "s3://x", "gs://", ""] {
        let said = cli.ends_with(2, &["copy", "-a", "archive", to], b"");
        assert!(said.output.is_empty(), "{to}: {}", said.text());
        assert!(files(&root) == before, "{to}");
    }
    let said = cli.ends_with(4, &["copy", "-a", "archive", "to", "--stream", "none"], b"");
    assert!(said.errors.contains("there is no stream `none`"), "{}", said.errors);
    cli.ends_with(4, &["copy", "-a", "archive", "to", "--stream", "none", "--dry-run"], b"");
}

#[test]
#[ignore = "needs fake-gcs-server: tests/run e2e"]
fn a_bucket_that_fails_and_comes_back_gets_everything() {
    let Some(fake) = FakeStorage::start() else { return };
    fake.create_bucket("station");
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let program = Setup::gcp_function(&root).start();
    for id in 0..100 {
        let push = Push::new(id.to_string(), Bytes::from(format!("payload {id}")));
        assert_eq!(pusher::send(program.port(), &push.request()).expect("a reply").status, 204);
    }
    drop(program);
    let gate = StoreGate::before(fake.port());
    let busy = Answer { status: 503, headers: vec![], body: Bytes::from_static(b"busy") };
    gate.arm(|request| request.method == "POST", 25, Fate::Answered(busy));
    gate.arm(|request| request.method == "POST", 10, Fate::ReplyLost);
    let cli = Cli::new(folder.path()).set("STORAGE_EMULATOR_HOST", format!("http://127.0.0.1:{}", gate.port()));
    let said = cli.fine(&["copy", "-a", "archive", "gs://station", "--json"]).json();
    assert_eq!(gate.struck(), 35);
    // One whose answer was lost is found by its next attempt.
    let count = |name: &str| said[0][name].as_u64().expect("a number");
    assert_eq!(count("messages") + count("already_there"), 100, "{said:?}");
    gate.open();
    cli.fine(&["copy", "-a", "gs://station", "back"]);
    assert_same(&root, &folder.path().join("back"));
    let denied =
        Answer { status: 403, headers: vec![], body: Bytes::from_static(b"{\"error\":{\"code\":403,\"message\":\"no\"}}") };
    gate.arm(|request| request.method == "POST", 1000, Fate::Answered(denied));
    let said = cli.ends_with(1, &["copy", "-a", "archive", "gs://station/other", "--json"], b"");
    assert_eq!(said.json()[0]["complete"], false);
    assert!(said.errors.contains("the same command goes on"), "{}", said.errors);
}
