//! What is deployed runs where it is deployed: each package that `deploy/build` makes is unpacked and started in a file system of its own, without root's rights, with the
//! environment that its platform gives. And the script makes the same bytes of the same files, and refuses programs that would not start everywhere.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use persistor_tests::archive::Archive;
use persistor_tests::event_grid::Webhook;
use persistor_tests::event_hubs::{Hub, Listener as HubListener, Retry};
use persistor_tests::function_app::NAMESPACE;
use persistor_tests::functions_host::FunctionsHost;
use persistor_tests::http::{Connection, Request};
use persistor_tests::invocation::event_grid::host_text;
use persistor_tests::invocation::event_hubs::Event;
use persistor_tests::invocation::json::Json;
use persistor_tests::invocation::service_bus::Message;
use persistor_tests::invocation::values::Form;
use persistor_tests::invocation::{Binding, Cardinality};
use persistor_tests::package::{ARCHIVE, Kind, Root, build, made, pack, unpack};
use persistor_tests::program::{Program, Setup};
use persistor_tests::push::Push;
use persistor_tests::service_bus::listener::{Listener, Options};
use persistor_tests::service_bus::stored::assert_stored;
use persistor_tests::service_bus::{Entity, Rules};
use persistor_tests::{ports, scratch, tools, waiting};
use serde_json::{Value, json};

/// The oldest glibc that a program may need.
const FLOOR: &str = "2.28";
/// The user of a platform that says nothing about users; it has no name anywhere.
const SOMEBODY: u32 = 1000;
/// What the image may have at most, as it is pulled and unpacked.
const LARGEST_IMAGE: u64 = 30_000_000;
/// The functions of the app.
const FUNCTIONS: [&str; 6] =
    ["EventGrid", "EventHubs", "ServiceBusQueue", "ServiceBusQueueSessions", "ServiceBusTopic", "ServiceBusTopicSessions"];

/// What Cloud Run sets.
fn on_cloud_run(setup: Setup) -> Setup {
    let service = [("K_SERVICE", "persistor"), ("K_REVISION", "persistor-00001-abc"), ("K_CONFIGURATION", "persistor")];
    let setup = service.into_iter().fold(setup, |setup, (name, value)| setup.set(name, value));
    setup.set("PATH", "/usr/bin:/bin").set("HOME", "/").port(ports::free())
}

/// A push of all byte values is stored, then acknowledged; the program says that it is well, and ends when it is asked to.
fn stores_a_push(root: &Root, mut program: Program) {
    let mut connection = Connection::open(program.port()).expect("it listens");
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(connection.exchange(&Request::get(path)).expect("a reply").status, 200, "{path}");
    }
    let push = Push::new("14217110643", (0..=u8::MAX).collect::<Vec<_>>());
    assert_eq!(connection.exchange(&push.request()).expect("a reply").status, 204);
    let archive = Archive::read_sound(&root.at(ARCHIVE));
    let keys: Vec<_> = archive.messages.keys().map(String::as_str).collect();
    assert_eq!(keys, [push.key()]);
    assert_eq!(archive.messages[&push.key()].payload(), push.payload);
    program.terminate();
    assert_eq!(program.wait().code(), Some(0));
}

/// A store is found by its name, and the program begins to speak TLS with it, for which it has found certificates. What listens is no store, so it gets no further.
fn begins_tls(root: &Root, setup: impl FnOnce(&str) -> Setup) {
    // As every container engine does.
    fs::write(root.at("etc/hosts"), "127.0.0.1 store.test\n").expect("write");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let port = listener.local_addr().expect("a port").port();
    let program = setup(&format!("https://store.test:{port}")).spawn();
    let mut stream = waiting::until("the program to ask the store", || match listener.accept() {
        Ok((stream, _)) => Some(stream),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            let failed = program.logs().entries().into_iter().find(|line| line["severity"] == "ERROR");
            assert_eq!(failed, None, "it failed before it asked");
            None
        }
    });
    stream.set_nonblocking(false).expect("a stream");
    stream.set_read_timeout(Some(waiting::LIMIT)).expect("a stream");
    let mut hello = Vec::new();
    while !hello.windows(10).any(|bytes| bytes == b"store.test") {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).expect("the program says hello");
        assert!(count > 0, "it closed the connection after {} bytes", hello.len());
        hello.extend_from_slice(&part[..count]);
    }
    assert_eq!(hello[0], 0x16, "this is no TLS handshake");
}

#[test]
#[ignore = "needs root and Debian packages: tests/run e2e"]
fn the_google_package_serves_beside_debians_library_and_certificates_alone() {
    let folder = scratch::folder();
    let (Some(root), Some(package)) = (Root::debian(), made(Kind::Gcp, folder.path())) else { return };
    unpack(&package, &root.at("srv"));
    let unpacked: Vec<_> = root.files().into_iter().filter(|(path, _)| path.starts_with("srv/")).collect();
    let [(path, metadata)] = &unpacked[..] else { panic!("it holds {unpacked:?}") };
    assert_eq!((path.as_str(), metadata.mode() & 0o7777, metadata.uid()), ("srv/persistor-gcp-function", 0o755, 0));

    let setup = on_cloud_run(root.setup(SOMEBODY, "/srv/persistor-gcp-function"));
    stores_a_push(&root, setup.start());
    begins_tls(&root, |store| setup.set("PERSISTOR_ARCHIVE", "gs://bucket").set("STORAGE_EMULATOR_HOST", store));
}

#[test]
#[ignore = "needs root and Debian packages: tests/run e2e"]
fn the_image_serves_as_its_own_user() {
    let folder = scratch::folder();
    let Some(package) = made(Kind::Image, folder.path()) else { return };
    let Some((root, image)) = Root::image(&package) else { return };
    assert_eq!((&image["architecture"], &image["os"]), (&"amd64".into(), &"linux".into()));
    let config = &image["config"];
    assert_eq!(config["User"], "65532:65532");
    let [entry_point] = &config["Entrypoint"].as_array().expect("an entry point")[..] else { panic!("{config}") };
    let entry_point = entry_point.as_str().expect("a path");
    assert_eq!((entry_point, config.get("Cmd")), ("/persistor-gcp-function", None));
    let mut setup = root.setup(65532, entry_point);
    for variable in config["Env"].as_array().expect("an environment") {
        let (name, value) = variable.as_str().and_then(|text| text.split_once('=')).expect("NAME=VALUE");
        setup = setup.set(name, value);
    }
    // Nobody set a port: it is the one that the image says that it has.
    let port = setup.start().port();
    assert_eq!(config["ExposedPorts"], json!({ format!("{port}/tcp"): {} }));
    let setup = on_cloud_run(setup);
    stores_a_push(&root, setup.start());
    begins_tls(&root, |store| setup.clone().set("PERSISTOR_ARCHIVE", "gs://bucket").set("STORAGE_EMULATOR_HOST", store));
    let mut version = setup.argument("--version").spawn();
    assert!(version.wait().success());
    let label = config["Labels"]["org.opencontainers.image.version"].as_str().expect("a version");
    assert_eq!(version.logs().lines(), [format!("persistor-gcp-function {label}")]);
}

#[test]
#[ignore = "needs root and Debian packages: tests/run e2e"]
fn the_image_holds_no_shell_and_little_else() {
    let folder = scratch::folder();
    let Some(package) = made(Kind::Image, folder.path()) else { return };
    let Some((root, _)) = Root::image(&package) else { return };
    let files = root.files();
    let unpacked: u64 = files.values().map(fs::Metadata::len).sum();
    let pulled = fs::metadata(&package).expect("it is there").len();
    assert!(unpacked < LARGEST_IMAGE && pulled < LARGEST_IMAGE, "{unpacked} bytes, of which {pulled} are pulled");
    eprintln!("the image: {pulled} bytes, unpacked {unpacked}");

    let executable: Vec<_> = files.iter().filter(|(_, file)| file.mode() & 0o111 != 0).map(|(path, _)| path.as_str()).collect();
    assert_eq!(executable, ["lib64/ld-linux-x86-64.so.2", "persistor-gcp-function"]);
    for (path, file) in &files {
        assert!(file.is_file(), "{path} is no file");
        assert_eq!((file.uid(), file.gid()), (0, 0), "{path}");
        assert_eq!(file.mode() & 0o7022, 0, "{path} may be written by others, or has another's rights");
    }
    let text = |path: &str| fs::read_to_string(root.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(text("etc/passwd").lines().any(|line| line.starts_with("nonroot:x:65532:65532:")));
    let certificates = text("etc/ssl/certs/ca-certificates.crt");
    let count = certificates.lines().filter(|line| *line == "-----BEGIN CERTIFICATE-----").count();
    assert!(count > 100, "{count} certificates");
    assert_eq!(certificates.lines().filter(|line| *line == "-----END CERTIFICATE-----").count(), count);
    // Whose all that is.
    for name in ["libc6", "ca-certificates", "persistor"] {
        let file = if name == "persistor" { "LICENSE" } else { "copyright" };
        assert!(text(&format!("usr/share/doc/{name}/{file}")).len() > 1000, "{name}");
    }
    assert!(text("var/lib/dpkg/status.d/libc6").starts_with("Package: libc6\n"));
}

#[test]
#[ignore = "needs root and Debian packages: tests/run e2e"]
fn each_function_of_the_azure_package_stores() {
    let folder = scratch::folder();
    let Some(package) = made(Kind::Azure, folder.path()) else { return };
    for function in FUNCTIONS {
        let Some(root) = Root::debian() else { return };
        unpack(&package, &root.at("app"));
        let program = fs::metadata(root.at("app/persistor-azure-function")).expect("the program is there");
        assert_eq!(program.mode() & 0o7777, 0o755);
        let host = host(&root, function);
        let json = fs::read_to_string(root.at(&format!("app/{function}/function.json"))).expect("a function.json");
        drive(&host, &root, &binding(function, &serde_json::from_str(&json).expect("it is JSON")));
        host.assert_no_faults();
    }
}

/// The host with an app in which one function is not switched off, and has its settings.
fn host(root: &Root, function: &str) -> FunctionsHost {
    let mut setup = root
        .setup(SOMEBODY, "/app/persistor-azure-function")
        .set("FUNCTIONS_APP_ROOT_PATH", "/app")
        .set("WEBSITE_SITE_NAME", "shop-archive");
    let entries = fs::read_dir(root.at("app")).expect("list").map(|entry| entry.expect("list").path());
    let functions: BTreeSet<_> = entries
        .filter(|path| path.join("function.json").is_file())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(functions, FUNCTIONS.map(str::to_owned).into());
    for other in functions.iter().filter(|name| *name != function) {
        setup = setup.set(&format!("AzureWebJobs.{other}.Disabled"), "1");
    }
    let broker = function.trim_end_matches("Sessions");
    let settings: &[(&str, &str)] = match broker {
        "ServiceBusTopic" => &[("ServiceBusTopicName", "orders"), ("ServiceBusSubscriptionName", "archive")],
        "ServiceBusQueue" => &[("ServiceBusQueueName", "orders")],
        "EventHubs" => &[("EventHubName", "orders"), ("EventHubConsumerGroup", "archive")],
        _ => &[],
    };
    setup = settings.iter().fold(setup, |setup, (name, value)| setup.set(name, *value));
    let connection = if broker == "EventHubs" { "EventHubsConnection" } else { "ServiceBusConnection" };
    if broker != "EventGrid" {
        setup = setup.set(&format!("{connection}__fullyQualifiedNamespace"), NAMESPACE);
    }
    begins_tls(root, |store| {
        let setup = setup.clone().set("FUNCTIONS_CUSTOMHANDLER_PORT", "0").set("PERSISTOR_ARCHIVE", "az://account/container");
        setup.set("AZURE_STORAGE_SERVICE_ENDPOINT", store).set("AZURE_STORAGE_SAS_TOKEN", "sv=2026-01-01&sp=c&sig=AA")
    });
    FunctionsHost::start_alone(setup, Duration::from_secs(100))
}

/// What a shipped `function.json` binds.
fn binding(function: &str, json: &Value) -> Binding {
    let trigger = &json["bindings"][0];
    let cardinality = if trigger["cardinality"] == "many" { Cardinality::Many } else { Cardinality::One };
    let binding = match (trigger["type"].as_str().expect("a type"), trigger.get("queueName")) {
        ("serviceBusTrigger", Some(_)) => Binding::queue(function, "orders", cardinality),
        ("serviceBusTrigger", None) => Binding::subscription(function, "orders", "archive", cardinality),
        ("eventHubTrigger", _) => Binding::hub(function, "orders", cardinality),
        _ => Binding::event_grid(function, cardinality),
    };
    assert_eq!(trigger["name"], binding.name.as_str(), "{function}");
    let sessions = trigger.get("isSessionsEnabled").is_some_and(|enabled| enabled == true);
    // Service Bus refuses a receiver without sessions at an entity that has them, and the other way round.
    assert_eq!(sessions, function.ends_with("Sessions"), "{function}");
    if sessions { binding.with_sessions() } else { binding }
}

/// Lets its broker bring something to each function, and looks at what is stored.
fn drive(host: &FunctionsHost, root: &Root, binding: &Binding) {
    let function = binding.function.as_str();
    let stored = || Archive::read_sound(&root.at(ARCHIVE));
    let payloads = || stored().messages.values().map(|message| message.payload()).collect::<BTreeSet<_>>();
    match function {
        "EventGrid" => {
            let event = Json::object([
                ("id", Json::text("1")),
                ("topic", Json::text("/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics/orders")),
                ("subject", Json::text("orders/1")),
                ("eventType", Json::text("Created")),
                ("eventTime", Json::text("2026-11-22T05:50:40Z")),
                ("data", Json::object([("amount", Json::number(12))])),
                ("dataVersion", Json::text("1")),
                ("metadataVersion", Json::text("1")),
            ]);
            let webhook = Webhook { host, binding: binding.clone(), form: Form::Doubled };
            assert_eq!(webhook.deliver(std::slice::from_ref(&event)), 202);
            assert_eq!(payloads(), [host_text(&event).into_bytes()].into());
        }
        "EventHubs" => {
            let event = |number: u8| Event {
                body: vec![number; 100].into(),
                sequence: 0,
                offset: String::new(),
                enqueued: "2026-11-22T05:50:40Z".parse().expect("a time"),
                partition_key: None,
                properties: Vec::new(),
                amqp_properties: Vec::new(),
            };
            let (hub, form, retry) = (Hub::new(2, (0..20).map(event)), Form::Doubled, Retry::Never);
            HubListener { host, hub: &hub, binding: binding.clone(), namespace: NAMESPACE, form, retry, max_event_batch_size: 8 }
                .drain();
            assert_eq!(hub.counts().failed, 0);
            assert_eq!(payloads(), (0..20).map(|number| vec![number; 100]).collect());
        }
        _ => {
            let entity = Entity::new(Rules::default());
            let session = |number: u8| binding.has_sessions().then(|| format!("session-{}", number % 3));
            let message =
                |number: u8| Message { session_id: session(number), ..Message::new(number.to_string(), vec![number; 100]) };
            entity.send((0..20).map(message));
            let (binding, options) = (binding.clone(), Options::default());
            let listener = Listener { host, entity: &entity, binding, namespace: NAMESPACE, form: Form::Doubled, options };
            listener.drain();
            assert_eq!(entity.counts().abandoned, 0, "{function}");
            assert_stored(&stored(), &entity, &listener.binding, NAMESPACE);
        }
    }
}

/// Of a release, that is its own package; and its program is held to the floor.
#[test]
#[ignore = "needs Debian packages: tests/run e2e"]
fn the_same_files_give_the_same_bytes() {
    for kind in [Kind::Gcp, Kind::Image, Kind::Azure] {
        let folder = scratch::folder();
        let Some(package) = made(kind, folder.path()) else { return };
        let program = folder.path().join("unpacked").join(kind.program());
        match kind {
            Kind::Gcp | Kind::Azure => unpack(&package, program.parent().expect("a folder")),
            Kind::Image => {
                let Some((root, _)) = Root::image(&package) else { return };
                fs::create_dir(program.parent().expect("a folder")).expect("a folder");
                fs::copy(root.at(kind.program()), &program).expect("it has a program");
            }
        }
        // Where a link leads to is packed, by another name, at another time: a zip tells two seconds apart.
        thread::sleep(Duration::from_secs(2));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&program, &link).expect("link");
        let again = folder.path().join("again");
        let Some(said) = pack(kind, &link, &again) else { return };
        let bytes = fs::read(&again).expect("read");
        assert!(fs::read(&package).expect("read") == bytes, "{kind:?} is another one");
        let said: Vec<_> = said.lines().map(str::trim).collect();
        assert_eq!(said[0], again.to_str().expect("our own path is text"));
        for line in [format!("size     {} bytes", bytes.len()), format!("SHA-256  {}", persistor_tests::naming::sha256(&bytes))] {
            assert!(said.contains(&line.as_str()), "{line}: {said:?}");
        }
        let left: BTreeSet<_> =
            fs::read_dir(folder.path()).expect("list").map(|entry| entry.expect("list").file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{left:?}");
    }
}

#[test]
fn a_program_that_would_not_start_everywhere_is_refused() {
    if tools::python().is_none() {
        return;
    }
    let folder = scratch::folder();
    let (program, output) = (folder.path().join("program"), folder.path().join("package.tar.gz"));
    let refusal = |bytes: &[u8], more: &[&Path]| {
        fs::write(&program, bytes).expect("write");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let arguments = [&[Path::new("gcp"), &output, Path::new("--program"), &program], more].concat();
        let made = build(&arguments).expect("python is there");
        assert!(!made.status.success() && made.stdout.is_empty() && !output.exists());
        let text = String::from_utf8(made.stderr).expect("text");
        let text = text.trim_end().strip_prefix(program.to_str().expect("our own path is text")).map(str::to_owned);
        text.unwrap_or_else(|| panic!("nothing about the program in {:?}", fs::read(&program)))
    };
    let needs = |what: &str| format!(" needs {what}: build it without --program, or see --any-glibc");
    let above = |version: &str| needs(&format!("{version} of libc.so.6, which is above the floor, {FLOOR}"));
    // These are no programs: behind the floor, they say nothing of themselves.
    let passes = " is not persistor-gcp-function: it says nothing".to_owned();
    for (machine, libraries, versions, expected) in [
        (62, &["libc.so.6"][..], &["GLIBC_2.2.5", "GLIBC_2.28"][..], passes.clone()),
        (62, &["libc.so.6"], &["GLIBC_2.9", "GLIBC_2.3.4"], passes.clone()),
        (62, &["libc.so.6"], &["GLIBC_2.29", "GLIBC_2.3"], above("GLIBC_2.29")),
        (62, &["libc.so.6"], &["GLIBC_2.3", "GLIBC_2.28.1", "GLIBC_2.4"], above("GLIBC_2.28.1")),
        (62, &["libc.so.6"], &["GLIBC_ABI_DT_RELR", "GLIBC_2.2.5"], above("GLIBC_ABI_DT_RELR")),
        (62, &["libssl.so.3", "libc.so.6"], &["GLIBC_2.2.5"], needs("libssl.so.3, which not every system has")),
        (183, &["libc.so.6"], &["GLIBC_2.17"], " is no program for Linux on x86-64".to_owned()),
    ] {
        assert_eq!(refusal(&elf(machine, libraries, versions), &[]), expected, "{libraries:?} {versions:?}");
    }
    let of_today = elf(62, &["libc.so.6"], &["GLIBC_2.39"]);
    assert_eq!(refusal(&of_today, &[Path::new("--any-glibc")]), passes);
    assert_eq!(refusal(b"#!/bin/sh\n", &[Path::new("--any-glibc")]), " is no program for Linux on x86-64");
    assert!(refusal(&of_today[..of_today.len() - 20], &[]).starts_with(" is damaged: "));
    // And what people read says the same.
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/README.md")).expect("deploy/README.md");
    assert!(readme.contains(&format!("glibc {FLOOR}")));
}

/// As much of an ELF file as the loader reads of what it needs: one segment in memory, and the dynamic section in it.
fn elf(machine: u16, libraries: &[&str], versions: &[&str]) -> Vec<u8> {
    let mut text = vec![0];
    let mut add = |name: &str| {
        let at = u64::try_from(text.len()).expect("short");
        text.extend(name.bytes().chain([0]));
        at
    };
    let libraries: Vec<_> = libraries.iter().map(|name| add(name)).collect();
    let library = *libraries.last().expect("at least one");
    let versions: Vec<_> = versions.iter().map(|name| add(name)).collect();
    let small = |number: u64| u32::try_from(number).expect("short").to_le_bytes();

    // The versions that are needed of the last library: a head, and an entry for each, of 16 bytes.
    let mut needs = Vec::new();
    needs.extend([1u16, u16::try_from(versions.len()).expect("few")].iter().flat_map(|number| number.to_le_bytes()));
    needs.extend([library, 16, 0].map(small).concat());
    for (number, version) in versions.iter().enumerate() {
        let next = if number + 1 == versions.len() { 0 } else { 16 };
        needs.extend([0, 0, *version, next].map(small).concat());
    }
    // Behind the head of the file and those of two segments, at the same places in memory.
    let dynamic_at = 64 + 2 * 56;
    let entries = libraries.len() + 4;
    let needs_at = dynamic_at + 16 * entries as u64;
    let text_at = needs_at + needs.len() as u64;
    let mut dynamic: Vec<u64> = libraries.iter().flat_map(|name| [1, *name]).collect();
    dynamic.extend([5, text_at, 0x6fff_fffe, needs_at, 0x6fff_ffff, 1, 0, 0]);

    let end = text_at + text.len() as u64;
    let segment = |kind: u64, at: u64, length: u64| {
        let numbers = [at, at, at, length, length, 8].map(u64::to_le_bytes).concat();
        [small(kind).to_vec(), small(4).to_vec(), numbers].concat()
    };
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0".to_vec();
    file.extend(machine.to_le_bytes());
    file.extend(small(1));
    // No entry point; segments behind this head; no sections.
    file.extend([0, 64, 0].map(u64::to_le_bytes).concat());
    file.extend(small(0));
    file.extend([64u16, 56, 2, 64, 0, 0].map(u16::to_le_bytes).concat());
    file.extend(segment(1, 0, end));
    file.extend(segment(2, dynamic_at, 16 * entries as u64));
    file.extend(dynamic.iter().flat_map(|number| number.to_le_bytes()));
    file.extend(needs);
    file.extend(text);
    file
}

#[test]
fn the_dockerfile_gives_what_the_script_gives() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a member");
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let file = read("deploy/Dockerfile");
    let rust = read("Cargo.toml")
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = ").map(|version| version.trim_matches('"').to_owned()));
    let rust = rust.expect("the workspace says its Rust");
    let lines: Vec<_> = file.lines().collect();
    for line in [
        &format!("FROM rust:{rust}-slim-bookworm AS build"),
        "FROM gcr.io/distroless/cc-debian12:nonroot",
        "USER 65532:65532",
        "ENV PORT=8080",
        "EXPOSE 8080/tcp",
        "ENTRYPOINT [\"/persistor-gcp-function\"]",
    ] {
        assert!(lines.contains(&line), "{line}");
    }
    assert!(read(".github/workflows/release.yml").contains(&format!("container: rust:{rust}-bookworm\n")));
}
