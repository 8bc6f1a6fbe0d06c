//! A folder that fills, goes away or is obstructed under a program that runs: it says no while it must, and goes on by itself after.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use persistor_tests::archive::Archive;
use persistor_tests::mounts::Mount;
use persistor_tests::program::{Program, Setup};
use persistor_tests::push::Push;
use persistor_tests::{pusher, scratch};
use serde_json::Value;

/// What no log line may hold.
const SECRET: &str = "a-secret-of-the-sender";

#[test]
#[ignore = "needs root, to mount: tests/run e2e"]
fn a_full_disk_refuses_until_there_is_room() {
    let folder = scratch::folder();
    let Some(_mount) = Mount::memory(folder.path(), 1 << 20) else { return };
    let (root, ballast) = (folder.path().join("archive"), folder.path().join("ballast"));
    fs::write(&ballast, vec![0; 400_000]).expect("there is room yet");
    let program = Setup::gcp_function(&root).start();

    // Not a multiple of a page: the disk fills in the middle of a payload.
    let pushes: Vec<_> = (0..6).map(|id| push(&format!("full-{id}"), 110_000)).collect();
    let refused: Vec<_> =
        pushes.iter().filter(|push| pusher::send(program.port(), &push.request()).is_ok_and(|a| a.status != 204)).collect();
    assert!((1..pushes.len()).contains(&refused.len()), "the disk was to fill on the way: {} refused", refused.len());
    for push in &pushes {
        let is_refused = refused.iter().any(|refused| refused.id == push.id);
        assert_eq!(push.is_stored(&root), !is_refused, "{}", push.id);
    }
    for push in &refused {
        assert_refused(&program, push, "No space left");
    }
    assert!(Archive::read_sound(&root).temporary.is_empty(), "a disk that is full must not be filled further");

    fs::remove_file(ballast).expect("our own file");
    assert_recovered(&program, &root, &pushes);
}

#[test]
#[ignore = "needs root, to mount: tests/run e2e"]
fn a_disk_that_turns_read_only_refuses_until_it_is_writable() {
    let folder = scratch::folder();
    let Some(mount) = Mount::memory(folder.path(), 16 << 20) else { return };
    let root = folder.path().join("archive");
    let program = Setup::gcp_function(&root).start();
    let before = push("before", 100);
    pusher::send_until_acknowledged(program.port(), &before.request());

    mount.remount(true);
    let during = push("during", 100);
    assert_refused(&program, &during, "Read-only file system");
    // What is stored already needs no writing.
    assert_eq!(pusher::send(program.port(), &before.request()).expect("a reply").status, 204);
    mount.remount(false);
    assert_recovered(&program, &root, &[before, during]);
}

/// The folder beneath a mount point is not the archive, however much it looks like one.
#[test]
#[ignore = "needs root, to mount: tests/run e2e"]
fn an_unmounted_disk_is_missed_and_not_replaced() {
    let folder = scratch::folder();
    for name in ["", "archive"] {
        let (disk, at) = (folder.path().join(format!("disk-{name}")), folder.path().join(format!("mounted-{name}")));
        fs::create_dir(&disk).and_then(|()| fs::create_dir(&at)).expect("make folders");
        // A start before the disk was mounted has made an archive there too.
        let root = at.join(name);
        Setup::gcp_function(&root).start().kill9();
        let Some(mut mount) = Mount::bind(&disk, &at) else { return };
        let program = Setup::gcp_function(&root).start();
        let before = push("before", 100);
        pusher::send_until_acknowledged(program.port(), &before.request());

        mount.unmount();
        let during = push("during", 100);
        assert_refused(&program, &during, "mounted?");
        // Nor may it be called stored for having been so before: it is not there now.
        assert_refused(&program, &before, "mounted?");
        let beneath = fs::read_dir(&root).expect("the mount point").map(|entry| entry.expect("an entry").file_name());
        let beneath: BTreeSet<_> = beneath.collect();
        assert!(
            beneath.iter().all(|name| name == ".tmp" || name == "_persistor"),
            "written beneath the mount point: {beneath:?}"
        );
        mount.bind_again(&disk);
        assert_recovered(&program, &root, &[before, during]);
    }
}

#[test]
fn whatever_stands_in_the_way_is_named_and_not_touched() {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let program = Setup::gcp_function(&root).start();
    let mut pushes = Vec::new();
    for (case, record) in ["file", "folder", "link", "linked folder"].into_iter().flat_map(|case| [(case, false), (case, true)]) {
        let name = case.replace(' ', "-");
        let push = Push { stream: format!("stream-{name}-{record}"), ..push(&format!("way-{name}-{record}"), 100) };
        let blob = root.join(push.key() + if record { ".record" } else { "" });
        let parent = blob.parent().expect("keys have folders").to_owned();
        let obstacle = match case {
            // In the place of a folder that the key needs.
            "file" => {
                fs::create_dir_all(parent.parent().expect("keys have folders")).expect("make folders");
                fs::write(&parent, "in the way").map(|()| parent)
            }
            // Listings do not follow it, so what is stored behind it would be lost to them.
            "linked folder" => {
                fs::create_dir_all(parent.parent().expect("keys have folders")).expect("make folders");
                symlink(folder.path(), &parent).map(|()| parent)
            }
            "folder" => fs::create_dir_all(&blob).map(|()| blob),
            _ => fs::create_dir_all(&parent).and_then(|()| symlink("nowhere", &blob)).map(|()| blob),
        };
        let obstacle = obstacle.expect("make an obstacle");
        assert_refused(
            &program,
            &push,
            if ["file", "linked folder"].contains(&case) { "that is not a folder is in the way" } else { "in the way" },
        );
        assert!(obstacle.symlink_metadata().is_ok(), "{} was removed", obstacle.display());
        let removed =
            if obstacle.is_dir() && !obstacle.is_symlink() { fs::remove_dir(&obstacle) } else { fs::remove_file(&obstacle) };
        removed.expect("nothing was put into it");
        pushes.push(push);
    }
    assert_recovered(&program, &root, &pushes);
}

/// What crashes leave goes after a day, at the next start or within the hour; what is younger may still be written by another process.
#[test]
fn leftovers_of_crashes_are_removed_after_a_day() {
    let folder = scratch::folder();
    let temporary = folder.path().join(".tmp");
    fs::create_dir(&temporary).expect("make a folder");
    let ages = [("old", 25), ("young", 23)].map(|(name, hours)| {
        let file = fs::File::create(temporary.join(name)).expect("make a file");
        let written = std::time::SystemTime::now() - std::time::Duration::from_secs(hours * 3600);
        file.set_modified(written).expect("an age");
        temporary.join(name)
    });
    let program = Setup::gcp_function(folder.path()).start();
    program
        .logs()
        .wait_for("the removal", |line| line["message"].as_str().is_some_and(|message| message.contains("a crash left")));
    assert_eq!(ages.map(|path| path.exists()), [false, true]);
}

/// Nothing is acknowledged before the archive describes its own layout.
#[test]
fn without_its_layout_nothing_is_acknowledged() {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    fs::create_dir(&root).expect("make a folder");
    fs::write(root.join("_persistor"), "in the way").expect("make an obstacle");
    let program = Setup::gcp_function(&root).start();
    program.logs().wait_for("the layout that could not be written", |line| {
        line["severity"] == "ERROR" && line["message"].as_str().is_some_and(|message| message.contains("layout"))
    });
    let push = push("early", 100);
    assert_refused(&program, &push, "that is not a folder is in the way");
    fs::remove_file(root.join("_persistor")).expect("our own file");
    assert_recovered(&program, &root, &[push]);
}

fn push(id: &str, size: usize) -> Push {
    let payload: Vec<u8> = SECRET.bytes().cycle().take(size).collect();
    let mut push = Push::new(id, payload);
    push.attributes.insert("token".to_owned(), SECRET.to_owned());
    push
}

/// A 503 that says so, and one log line of the message that names the cause, without the message's contents.
fn assert_refused(program: &Program, push: &Push, cause: &str) {
    let answer = pusher::send(program.port(), &push.request()).expect("a reply");
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    assert_eq!((answer.status, &body["error"]), (503, &Value::from("not-stored")), "{body}");
    let line = program.logs().wait_for(&format!("{} with `{cause}`", push.id), |line| {
        line["message_id"] == push.id.as_str() && line.to_string().contains(cause)
    });
    assert_eq!(line["severity"], "ERROR", "{line}");
}

/// Every message is taken now, by the program that refused, and stands in the archive once.
fn assert_recovered(program: &Program, root: &Path, pushes: &[Push]) {
    for push in pushes {
        let answer = pusher::send(program.port(), &push.request()).expect("a reply");
        assert_eq!(answer.status, 204, "{}: {}", push.id, String::from_utf8_lossy(&answer.body));
        assert!(push.is_stored(root), "{}", push.id);
    }
    let archive = Archive::read_sound(root);
    assert_eq!(archive.by_id().len(), pushes.len());
    assert_eq!((archive.lone_records, archive.temporary), (vec![], vec![]));
    let said = [program.logs().lines(), program.errors().lines()].concat();
    let leaked: Vec<_> = said.iter().filter(|line| line.contains(SECRET)).collect();
    assert!(leaked.is_empty(), "{leaked:?}");
}
