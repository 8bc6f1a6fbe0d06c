//! Every command that reads, over an archive that the real path made: two streams, two layouts, records of both places, and blobs of others among them. In a
//! folder and in a bucket; what each command has to say is known from what was sent.

#[path = "read_back/commands.rs"]
mod commands;

use std::fs;
use std::path::Path;

use persistor_tests::bulk::{Bulk, SECOND_TEMPLATE};
use persistor_tests::cli::Cli;
use persistor_tests::fake_storage::FakeStorage;
use persistor_tests::program::Setup;
use persistor_tests::scratch;
use serde_json::json;

use commands::Archived;

/// Blobs that others put into the archive, and names that are reserved.
const STRANGERS: [(&str, usize); 5] = [
    ("README.txt", 0),
    ("orders/2026/11/22/notes about today.txt", 0),
    ("orders/2026/11/22/05/4012-1-2cf24dba", 0),
    ("_persistor/seal/1.json", 1),
    ("orders/_index/2026", 1),
];

/// So many as the variable says, or fewer where that would take too long for every day.
fn messages(usual: usize) -> usize {
    std::env::var("TEST_MESSAGES").map_or(usual, |number| number.parse().expect("TEST_MESSAGES is a number"))
}

fn fill(bulk: Bulk, setup: impl Fn() -> Setup) {
    let [first, second] = bulk.halves();
    let program = setup().start();
    bulk.send(program.port(), first);
    drop(program);
    let program = setup().set("PERSISTOR_KEY_TEMPLATE", SECOND_TEMPLATE).start();
    bulk.send(program.port(), second);
}

#[test]
#[ignore = "pushes 100,000 messages: tests/run e2e"]
fn every_command_reads_a_folder() {
    let folder = scratch::folder_in_memory();
    let root = folder.path().join("archive");
    let bulk = Bulk { messages: messages(100_000) };
    fill(bulk, || Setup::gcp_function(&root));
    for (name, _) in STRANGERS {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("it is below the root")).expect("mkdir");
        fs::write(path, "a stranger").expect("write");
    }
    let cli = Cli::new(folder.path()).set("PERSISTOR_ARCHIVE", "archive");
    Archived { bulk, cli, foreign: 3, later: 2 }.check();
}

#[test]
#[ignore = "needs fake-gcs-server: tests/run e2e"]
fn every_command_reads_a_bucket() {
    // In memory: its folder is read anew for every page.
    let Some(fake) = FakeStorage::start() else { return };
    fake.create_bucket("archive");
    let bulk = Bulk { messages: messages(3_000) };
    fill(bulk, || Setup::gcp_function(Path::new("gs://archive/some/prefix")).set("STORAGE_EMULATOR_HOST", fake.url()));
    for (name, _) in STRANGERS {
        let name = format!("some/prefix/{name}");
        fake.put("archive", &name, &json!({ "name": name }), b"a stranger");
    }
    // Beside the archive, and none of its business.
    fake.put("archive", "some/prefix2", &json!({ "name": "some/prefix2" }), b"");
    let folder = scratch::folder();
    let cli =
        Cli::new(folder.path()).set("PERSISTOR_ARCHIVE", "gs://archive/some/prefix").set("STORAGE_EMULATOR_HOST", fake.url());
    Archived { bulk, cli, foreign: 3, later: 2 }.check();
}
