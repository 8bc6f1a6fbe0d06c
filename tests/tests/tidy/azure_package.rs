//! The function app in `deploy/azure-function` keeps to what its README reckons with: no message is lost by how it is set up, every time limit encloses
//! the next, what comes at once fits into memory, and the package is one that Azure can start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use persistor_serve::SETTINGS;
use persistor_tests::{package, programs, tools};
use serde_json::Value;

use crate::{files, root};

const APP: &str = "deploy/azure-function";
const PROGRAM: &str = "persistor-azure-function";
const FUNCTIONS: [&str; 6] =
    ["EventGrid", "EventHubs", "ServiceBusQueue", "ServiceBusQueueSessions", "ServiceBusTopic", "ServiceBusTopicSessions"];
const MIB: u64 = 1 << 20;
/// The most bytes beside the payloads that the program takes of a call.
const MOST_METADATA: u64 = 64 * MIB;
/// What a byte of a property becomes at most: `\\u0001`.
const ESCAPED: u64 = 7;

fn json(path: &str) -> Value {
    let text = std::fs::read_to_string(root().join(APP).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn extension(name: &str) -> Value {
    json("host.json")["extensions"][name].clone()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("`{value}` is not a number"))
}

/// `00:05:00` as a time.
fn clock(value: &Value) -> Duration {
    let parts = value.as_str().expect("a text").split(':').map(|part| part.parse::<u64>().expect("two digits"));
    Duration::from_secs(parts.fold(0, |whole, part| whole * 60 + part))
}

/// What holds on Azure where a setting is not set.
fn default(name: &str) -> &'static str {
    let setting = SETTINGS.iter().find(|setting| setting.name == name).expect("it is in the table");
    setting.azure_default.unwrap_or(setting.default)
}

/// The deadlines of calls with one message, and with many.
fn deadlines() -> [Duration; 2] {
    let (one, many) = default("PERSISTOR_DEADLINE").split_once("; ").expect("two defaults");
    let many = many.strip_suffix(" with cardinality many").expect("the second is for batches");
    let minutes = one.strip_suffix('m').and_then(|one| one.parse::<u64>().ok()).expect("minutes");
    let seconds = many.strip_suffix('s').and_then(|many| many.parse().ok()).expect("seconds");
    [Duration::from_secs(minutes * 60), Duration::from_secs(seconds)]
}

fn max_body() -> u64 {
    let mebibytes = default("PERSISTOR_MAX_BODY").strip_suffix("MiB").and_then(|text| text.parse::<u64>().ok());
    mebibytes.expect("MiB") * MIB
}

#[test]
fn every_function_keeps_bytes_and_every_failed_batch() {
    let found: Vec<_> = files(APP).into_iter().filter(|path| path.ends_with("function.json")).collect();
    assert_eq!(found, FUNCTIONS.map(|name| PathBuf::from(format!("{APP}/{name}/function.json"))));
    for name in FUNCTIONS {
        let function = json(&format!("{name}/function.json"));
        let [binding] = &function["bindings"].as_array().expect("bindings")[..] else { panic!("{name} has another binding") };
        assert_eq!(binding["direction"], "in", "{name}");
        let expected = match binding["type"].as_str().expect("a type") {
            "serviceBusTrigger" => ("message", "one", Some("binary"), Some("ServiceBusConnection")),
            "eventHubTrigger" => ("events", "many", Some("binary"), Some("EventHubsConnection")),
            // The host has no bytes of these.
            "eventGridTrigger" => ("event", "one", None, None),
            other => panic!("{name} has the trigger {other}"),
        };
        let text = |member: &str| binding[member].as_str();
        let found =
            (text("name").expect("a name"), text("cardinality").expect("one or many"), text("dataType"), text("connection"));
        assert_eq!(found, expected, "{name}");
        if binding["type"] == "eventHubTrigger" {
            let retry = &function["retry"];
            assert_eq!((&retry["strategy"], &retry["maxRetryCount"]), (&"exponentialBackoff".into(), &(-1).into()), "{name}");
            assert!(clock(&retry["minimumInterval"]) < clock(&retry["maximumInterval"]), "{name}");
        } else {
            // The host refuses it where the broker delivers again by itself.
            assert_eq!(function.get("retry"), None, "{name}");
        }
    }
    let bus = extension("serviceBus");
    assert_eq!(bus["autoCompleteMessages"], true, "nobody else completes messages");
}

#[test]
fn entities_with_sessions_have_functions_that_differ_in_nothing_else() {
    for name in ["ServiceBusQueue", "ServiceBusTopic"] {
        let mut function = json(&format!("{name}/function.json"));
        let sessions = function["bindings"][0]["isSessionsEnabled"].take();
        function["bindings"][0]["isSessionsEnabled"] = true.into();
        assert_eq!((sessions, function), (false.into(), json(&format!("{name}Sessions/function.json"))), "{name}");
    }
}

#[test]
fn readers_find_each_app_setting_and_each_number_in_the_readme() {
    let readme = std::fs::read_to_string(root().join(APP).join("README.md")).expect("a README");
    let mut names = Vec::new();
    for name in FUNCTIONS {
        let function = json(&format!("{name}/function.json"));
        let members = function["bindings"][0].as_object().expect("a binding");
        names
            .extend(members.values().filter_map(|value| value.as_str()?.strip_prefix('%')?.strip_suffix('%').map(str::to_owned)));
        names
            .extend(members.get("connection").map(|name| format!("{}__fullyQualifiedNamespace", name.as_str().expect("a name"))));
    }
    assert!(names.len() > 6, "{names:?}");
    for name in names {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
        assert!(!name.starts_with("PERSISTOR_"), "{name} would be refused as no setting of the program");
    }
    let (bus, hubs) = (extension("serviceBus"), extension("eventHubs"));
    let numbers = |object: &Value| -> Vec<_> {
        let members = object.as_object().expect("an object").iter();
        // One call of a session at a time is said with the sessions.
        let members = members.filter(|(name, value)| value.is_number() && *name != "maxConcurrentCallsPerSession");
        members.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    for (name, value) in numbers(&bus).into_iter().chain(numbers(&hubs)) {
        assert!(readme.contains(&format!("- `{name}` {value}")), "{name} {value}");
    }
}

#[test]
fn each_time_limit_encloses_the_deadline() {
    let host = json("host.json");
    let [one, many] = deadlines();
    assert!(clock(&host["functionTimeout"]) > one * 2, "the host kills the program then");
    assert!(clock(&host["functionTimeout"]) <= Duration::from_secs(600), "no plan may refuse it");
    let renewal = clock(&host["extensions"]["serviceBus"]["maxAutoLockRenewalDuration"]);
    assert!(renewal >= one + Duration::from_secs(60), "a lock lost is a delivery counted");
    let longest_lock = Duration::from_secs(300);
    assert!(longest_lock > one && Duration::from_secs(60) > many, "a lock that nobody renews");
}

#[test]
fn what_comes_at_once_fits() {
    let (bus, hubs) = (extension("serviceBus"), extension("eventHubs"));
    let calls = number(&bus["maxConcurrentCalls"]);
    assert_eq!(number(&bus["maxConcurrentSessions"]) * number(&bus["maxConcurrentCallsPerSession"]), calls);
    // Messages of 1 MB in the smallest instance: up to 8 1/3 times each, beside the program itself.
    assert!(calls * 25 / 3 <= 512 - 64, "{calls} calls");
    assert_eq!(bus["prefetchCount"], 0, "what waits in the host has its lock already");
    // A batch: base64 of the bodies, and both forms of 64 KiB of properties each.
    let batch = number(&bus["maxMessageBatchSize"]);
    assert!(batch * (MIB * 4 / 3 + 2 * ESCAPED * (MIB / 16)) <= max_body(), "{batch} messages");
    // Events of 1 MB, whatever their senders make of it: none may stop its partition.
    let events = number(&hubs["maxEventBatchSize"]);
    assert!(events * MIB * ESCAPED < MOST_METADATA && MOST_METADATA < max_body(), "{events} events");
    assert_eq!(hubs["batchCheckpointFrequency"], 1, "what has no checkpoint looks as if it were still to come");
}

#[test]
fn the_package_has_what_the_host_starts() {
    let Some(python) = tools::python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (program, output) = (programs::azure_function(), folder.path().join("package.zip"));
    let arguments = ["azure".as_ref(), output.as_os_str(), "--any-glibc".as_ref(), "--program".as_ref(), program.as_os_str()];
    let made = package::build(&arguments.map(Path::new)).expect("python is there");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let script = "import json, sys, zipfile\n\
                  for entry in zipfile.ZipFile(sys.argv[1]).infolist():\n\
                  \x20   print(json.dumps([entry.filename, oct(entry.external_attr >> 16), entry.create_system, entry.file_size]))";
    let output = Command::new(&python).args(["-c", script]).arg(&output).output().expect("python runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let entries: Vec<(String, String, u8, u64)> = text.lines().map(|line| serde_json::from_str(line).expect("a line")).collect();
    let mut expected: BTreeMap<String, &str> = FUNCTIONS.map(|name| (format!("{name}/function.json"), "0o100644")).into();
    expected.insert("host.json".to_owned(), "0o100644");
    expected.insert(PROGRAM.to_owned(), "0o100755");
    let found: BTreeMap<_, _> = entries.iter().map(|(name, mode, ..)| (name.clone(), mode.as_str())).collect();
    assert_eq!((found, entries.len()), (expected, FUNCTIONS.len() + 2));
    assert!(entries.is_sorted() && entries.iter().all(|(_, _, system, _)| *system == 3), "{entries:?}");
    let sizes: BTreeMap<_, _> = entries.iter().map(|(name, _, _, size)| (name.as_str(), *size)).collect();
    assert_eq!(sizes[PROGRAM], std::fs::metadata(program).expect("it is there").len());

    let host = json("host.json");
    assert_eq!(host["customHandler"]["description"]["defaultExecutablePath"], PROGRAM);
    assert_eq!((&host["version"], &host["extensionBundle"]["version"]), (&"2.0".into(), &"[4.*, 5.0.0)".into()));
}
