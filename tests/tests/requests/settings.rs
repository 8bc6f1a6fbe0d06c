//! Settings that are wrong end the program before it listens; names that are not ours do not.

use std::net::TcpStream;
use std::path::Path;

use persistor_tests::program::Setup;
use persistor_tests::{ports, scratch};

/// Every setting but the port, each with a value that it cannot have.
const WRONG: [(&str, &str); 12] = [
    ("PERSISTOR_ARCHIVE", "s3://not-in-this-version"),
    ("PERSISTOR_KEY_TEMPLATE", "{stream}/{id}"),
    ("PERSISTOR_RECORD", "sometimes"),
    ("PERSISTOR_PUSH", "guess"),
    ("PERSISTOR_OIDC_AUDIENCE", "two words"),
    ("PERSISTOR_OIDC_EMAIL", "nobody"),
    ("PERSISTOR_OIDC_KEYS", "http://keys.example.com/certs"),
    ("PERSISTOR_MAX_BODY", "large"),
    ("PERSISTOR_MEMORY", "0"),
    ("PERSISTOR_WRITE_TIMEOUT", "8"),
    ("PERSISTOR_DRAIN_TIMEOUT", "soon"),
    ("PERSISTOR_LOG", "loud"),
];

#[test]
fn all_faults_are_said_at_once_and_nothing_listens() {
    let port = ports::free();
    let folder = scratch::folder();
    let mut setup = Setup::gcp_function(&folder.path().join("archive")).port(port).set("PERSISTOR_ARCHVE", "x");
    for (name, value) in WRONG {
        setup = setup.set(name, value);
    }
    let mut program = setup.spawn();
    let status = program.wait();
    assert_eq!(status.code(), Some(2), "{program:?}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "something listens");
    assert_eq!(program.logs().lines(), [""; 0], "stdout is for the log of a program that runs");

    let lines = program.errors().lines();
    assert_eq!(lines[0], format!("{} settings are wrong", WRONG.len() + 1), "{lines:?}");
    assert_eq!(lines.len(), WRONG.len() + 2, "{lines:?}");
    for (name, _) in WRONG {
        let of_it: Vec<_> = lines.iter().filter(|line| line.contains(&format!("`{name}`: "))).collect();
        let right_value = format!("for example `{name}=");
        assert!(matches!(of_it[..], [line] if line.contains(&right_value)), "{name}: {lines:?}");
    }
}

/// Alone, so that the archive's own faults cannot hide it: with a folder that could be made, none is.
#[test]
fn one_fault_is_enough_and_leaves_no_trace() {
    for (name, value) in [("PORT", "http"), ("PORT", "65536"), ("PERSISTOR_PUSH", "Wrapped"), ("PERSISTOR_RECRD", "auto")] {
        let folder = scratch::folder();
        let root = folder.path().join("archive");
        let mut program = Setup::gcp_function(&root).set(name, value).spawn();
        assert_eq!(program.wait().code(), Some(2), "{name}={value}");
        let lines = program.errors().lines();
        assert!(lines.len() == 2 && lines[1].contains(&format!("`{name}`: ")), "{lines:?}");
        assert!(!root.exists(), "{name}={value} made the archive");
    }
}

#[test]
fn slips_are_refused_with_the_name_that_was_meant() {
    for (slip, meant) in [
        ("PERSISTOR_ARCHVE", "PERSISTOR_ARCHIVE"),
        ("PERSISTOR_STREAMS", "PERSISTOR_STREAM"),
        ("PERSISTOR_KEYTEMPLATE", "PERSISTOR_KEY_TEMPLATE"),
        ("PERSISTOR_MAXBODY", "PERSISTOR_MAX_BODY"),
        ("PERSISTOR_LGO", "PERSISTOR_LOG"),
        ("persistor_push", "PERSISTOR_PUSH"),
    ] {
        let folder = scratch::folder();
        let mut program = Setup::gcp_function(&folder.path().join("archive")).set(slip, "x").spawn();
        assert_eq!(program.wait().code(), Some(2), "{slip}");
        let said = program.errors().lines().join("\n");
        assert!(said.contains(&format!("`{slip}`")) && said.contains(&format!("did you mean `{meant}`")), "{slip}: {said}");
    }
}

/// An orchestrator that has a service of our name injects these; their values are not ours to show.
#[test]
fn names_of_others_are_warned_about_and_do_no_harm() {
    let names = ["PERSISTOR_SERVICE_HOST", "PERSISTOR_SERVICE_PORT", "PERSISTOR_PORT_8080_TCP_ADDR", "PERSISTOR_PORT"];
    let folder = scratch::folder();
    let mut setup = Setup::gcp_function(&folder.path().join("archive"));
    for name in names {
        setup = setup.set(name, "tcp://10.11.12.13:8080");
    }
    let mut program = setup.start();
    program.terminate();
    assert_eq!(program.wait().code(), Some(0));
    let lines = program.logs().entries();
    let warnings: Vec<_> =
        lines.iter().filter(|line| line["severity"] == "WARNING").map(|line| line["message"].to_string()).collect();
    for name in names {
        assert_eq!(warnings.concat().matches(&format!("`{name}`")).count(), 1, "{name}: {warnings:?}");
    }
    assert!(!program.logs().lines().concat().contains("10.11.12.13"), "a value is shown");
}

#[test]
fn what_leaves_too_little_memory_or_time_is_warned_about() {
    let folder = scratch::folder();
    let (root, archive) = (folder.path().join("app"), folder.path().join("archive"));
    std::fs::create_dir(&root).expect("a folder");
    let warning = |setup: Setup, name: &str| {
        let mut program = setup.start();
        program.terminate();
        program.wait();
        program.logs().lines().into_iter().find(|line| line.contains(&format!("{name} is less than")))
    };
    let programs: [fn(&Path, &Path) -> Setup; 2] = [|_, archive| Setup::gcp_function(archive), Setup::azure_function];
    for set_up in programs {
        let with = |memory: String| set_up(&root, &archive).set("PERSISTOR_MAX_BODY", "1MiB").set("PERSISTOR_MEMORY", memory);
        let said = warning(with("1MiB".to_owned()), "PERSISTOR_MEMORY").expect("a warning");
        let needed = said.split(" bytes").next().and_then(|text| text.rsplit(' ').next()).and_then(|text| text.parse().ok());
        let needed: u64 = needed.expect("a number of bytes");
        assert!(needed > 1 << 20, "{said}");
        assert!(warning(with((needed - 1).to_string()), "PERSISTOR_MEMORY").is_some(), "{needed} less one");
        assert_eq!(warning(with(needed.to_string()), "PERSISTOR_MEMORY"), None);
    }
    let within = |deadline| {
        Setup::azure_function(&root, &archive).set("PERSISTOR_WRITE_TIMEOUT", "8s").set("PERSISTOR_DEADLINE", deadline)
    };
    assert!(warning(within("15s"), "PERSISTOR_DEADLINE").is_some());
    assert_eq!(warning(within("16s"), "PERSISTOR_DEADLINE"), None);
}
