//! Both functions through what can become of a message: stored, stored already, refused, not stored for each kind of failure; and what they say of it at the
//! finest level, in replies too.

use std::net::TcpListener;
use std::path::Path;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use persistor_tests::archive::Archive;
use persistor_tests::blob_double::{self, BlobDouble};
use persistor_tests::function_app::FunctionApp;
use persistor_tests::http::{Answer, Connection, Request};
use persistor_tests::invocation::{Binding, Cardinality};
use persistor_tests::program::{Program, Setup};
use persistor_tests::push::Push;
use persistor_tests::storage_double::{self, StorageDouble};
use persistor_tests::{ports, pusher, scratch};
use serde_json::json;

use crate::markers::{
    ACCOUNT_KEY, ATTRIBUTE, ATTRIBUTE_NAME, AZURE_TOKEN, GOOGLE_TOKEN, IDENTITY_HEADER, ORDERING_KEY, PAYLOAD, PUSH_TOKEN, SAS,
    SHARED_KEY, Said,
};
use crate::quoting::Quoting;

/// A program that says as much as it can be made to say.
fn talkative(setup: Setup) -> Setup {
    let setup = setup.set("PERSISTOR_LOG", "trace").set("PERSISTOR_WRITE_TIMEOUT", "1s");
    setup.set("RUST_LOG", "trace").set("RUST_BACKTRACE", "full").set("RUST_LIB_BACKTRACE", "1")
}

/// A message that has everything in it.
pub(crate) fn push(id: &str) -> Push {
    let mut push = Push::new(id, format!(r#"{{"payload":"{}","é":"\n"}}"#, PAYLOAD.1));
    push.attributes.insert(ATTRIBUTE_NAME.1.to_owned(), format!("{}\n\"é", ATTRIBUTE.1));
    push.ordering_key = Some(format!("{} é", ORDERING_KEY.1));
    push
}

fn as_pubsub(request: Request) -> Request {
    // A JWT is three parts in base64 with dots between them; what signs it is the secret.
    request.header("Authorization", format!("Bearer eyJhbGciOiJSUzI1NiJ9.e30.{}", PUSH_TOKEN.1))
}

fn unwrapped(id: &str) -> Request {
    let request = Request::post("/orders", push(id).payload)
        .header("x-goog-pubsub-message-id", id)
        .header("x-goog-pubsub-subscription-name", "projects/p/subscriptions/s")
        .header("x-goog-pubsub-publish-time", "2026-11-22T15:40:12.503Z")
        .header("x-goog-pubsub-ordering-key", ORDERING_KEY.1);
    as_pubsub(request.header(ATTRIBUTE_NAME.1, ATTRIBUTE.1))
}

/// A call of the Functions host with such a message.
fn call(id: &str) -> Request {
    let push = push(id);
    let text = |text: &str| serde_json::to_string(text).expect("JSON");
    let properties = json!({ ATTRIBUTE_NAME.1: ATTRIBUTE.1 }).to_string();
    let body = json!({
        "Data": { "message": STANDARD.encode(&push.payload) },
        "Metadata": {
            "SequenceNumber": "1", "MessageId": text(id), "EnqueuedTimeUtc": "2026-11-22T05:50:40", "SessionId": text(ORDERING_KEY.1),
            "ApplicationProperties": properties,
        },
    });
    Request::post("/Orders", body.to_string())
}

/// A request, and others that break each rule that one can break by a change of its text.
fn spoilt(request: &Request) -> Vec<Request> {
    let text = String::from_utf8(request.body.to_vec()).expect("JSON is text");
    let with = |body: String| Request { body: body.into(), ..request.clone() };
    let mut spoilt: Vec<_> = (1..8).map(|part| with(text[..text.len() * part / 8].to_owned())).collect();
    for (from, to) in [
        ("\"data\":\"", "\"data\":\"!"),
        ("\"data\":\"", "\"data\":[\""),
        ("\"message\":\"", "\"message\":\"!"),
        ("\"message\"", "\"massage\""),
        ("\"messageId\":\"", "\"messageId\":\"other "),
        ("\"publishTime\":\"", "\"publishTime\":\"yesterday "),
        ("2026-11-22T", "yesterday"),
        ("\"subscription\":", "\"prescription\":"),
        ("\"orderingKey\":", "\"orderingKey\":7,\"orderingKey\":"),
        ("\"attributes\":{", "\"attributes\":[{"),
        ("\"attributes\":{", "\"attributes\":{\"a\":{},"),
        ("\"SequenceNumber\":\"1\"", "\"SequenceNumber\":\"x\""),
        ("\"Metadata\":{", "\"Metadata\":[{"),
        ("\"ApplicationProperties\":\"", "\"ApplicationProperties\":\"!"),
    ] {
        spoilt.push(with(text.replace(from, to)));
    }
    spoilt.push(with(format!("{text}{text}")));
    spoilt.push(with(text.clone()).header("Content-Encoding", "gzip"));
    let attributes = format!("\"{}\":\"\",", ATTRIBUTE_NAME.1).repeat(2000);
    spoilt.push(with(text.replace("\"attributes\":{", &format!("\"attributes\":{{{attributes}"))));
    spoilt.push(Request { method: "PUT".to_owned(), ..request.clone() });
    spoilt.push(Request { path: "/one/two".to_owned(), ..request.clone() });
    spoilt.push(with(format!("{text}{}", " ".repeat(2 << 20))));
    spoilt
}

/// Sends requests, ends the program, and gives all that was said, with the statuses.
fn all_said(run: &str, mut program: Program, requests: &[Request]) -> (Vec<Said>, Vec<u16>) {
    let (mut said, mut statuses) = (Vec::new(), Vec::new());
    for request in requests {
        let Answer { status, headers, body } = pusher::send(program.port(), request).expect("a reply");
        let headers = headers.iter().flat_map(|(name, value)| [name.as_bytes(), b": ", value, b"\n"].concat());
        said.push(Said::new(format!("{run}, status {status}"), "its reply", headers.chain(body).collect::<Vec<_>>()));
        statuses.push(status);
    }
    program.terminate();
    program.wait();
    said.extend(outputs(run, &program));
    (said, statuses)
}

pub(crate) fn outputs(run: &str, program: &Program) -> [Said; 2] {
    let text = |lines: Vec<String>| lines.join("\n");
    [
        Said::new(run, "its log", text(program.logs().lines())),
        Said::new(run, "its standard error", text(program.errors().lines())),
    ]
}

/// The push handler, through everything that needs no mounting.
pub(crate) fn gcp() -> Vec<Said> {
    let mut all = Vec::new();
    let folder = scratch::folder_in_memory();
    let root = folder.path().join("archive");
    let request = as_pubsub(push("7").request());
    let program = talkative(Setup::gcp_function(&root)).set("PERSISTOR_MAX_BODY", "1MiB").start();
    let mut requests = vec![request.clone(), request.clone()];
    requests.extend(spoilt(&request));
    let (said, statuses) = all_said("pushes into a folder", program, &requests);
    assert_eq!(statuses[..2], [204, 204]);
    assert!(statuses[2..].iter().all(|status| (400..500).contains(status) || *status == 204), "{statuses:?}");
    assert!(statuses[2..].iter().filter(|status| **status >= 400).count() > 15, "{statuses:?}");
    assert!(
        Archive::read_sound(&root).messages.values().any(|stored| stored.payload() == push("7").payload),
        "it was never there"
    );
    all.extend(said);

    let program = talkative(Setup::gcp_function(&folder.path().join("unwrapped"))).set("PERSISTOR_PUSH", "unwrapped").start();
    let without = |name: &str| {
        let mut request = unwrapped("8");
        request.headers.retain(|header| header.0 != name);
        request
    };
    let requests = [
        unwrapped("8"),
        unwrapped("8"),
        unwrapped("8").header("x-goog-pubsub-message-id", "9"),
        without("x-goog-pubsub-publish-time"),
        without("x-goog-pubsub-subscription-name"),
        unwrapped("8").header("x-goog-pubsub-ordering-key", ORDERING_KEY.1),
    ];
    let (said, statuses) = all_said("unwrapped pushes", program, &requests);
    assert_eq!(statuses, [204, 204, 400, 400, 400, 400]);
    all.extend(said);

    // A store that is there, and answers in each way that is known of it.
    let double = StorageDouble::start("archive");
    let bucket = |address: &str| talkative(Setup::gcp_function(Path::new("gs://archive"))).set("STORAGE_EMULATOR_HOST", address);
    let program = bucket(&double.url()).start();
    for name in fixtures("storage") {
        double.next(1, storage_double::Reply::fixture(&name));
        let answer = pusher::send(program.port(), &as_pubsub(push(&name).request())).expect("a reply");
        all.push(Said::new(format!("a bucket that answers {name}"), "its reply", answer.body));
    }
    double.clear();
    let (said, statuses) = all_said("a bucket", program, &[request.clone(), request]);
    assert_eq!(statuses, [204, 204]);
    all.extend(said);
    // One that quotes, one that breaks, and none.
    let quoting = Quoting::start(&[500, 403, 400, 401, 412, 503, 404, 429, 409, 302]);
    let requests: Vec<_> = (0..10).map(|id| as_pubsub(push(&id.to_string()).request())).collect();
    all.extend(all_said("a bucket that quotes", bucket(&quoting.url()).start(), &requests).0);
    assert!(quoting.requests() >= 10, "nothing was quoted");
    let breaking = breaking();
    all.extend(all_said("a bucket that breaks off", bucket(&breaking).start(), &requests[..2]).0);
    all.extend(all_said("no bucket", bucket(&format!("http://127.0.0.1:{}", ports::free())).start(), &requests[..2]).0);
    // A folder that cannot be made, and a port that is taken.
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("write");
    let taken = TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = taken.local_addr().expect("it is bound").port();
    for (run, setup) in [
        ("a folder below a file", Setup::gcp_function(&file.join("archive"))),
        ("a port that is taken", Setup::gcp_function(&root).port(port)),
    ] {
        let mut program = talkative(setup).spawn();
        assert!(!program.wait().success(), "{run}");
        all.extend(outputs(run, &program));
    }
    all
}

/// The push handler with Google's identity, whose token goes to nobody but Cloud Storage: which is a port of this machine here, where nothing listens.
pub(crate) fn gcp_identity() -> Option<Vec<Said>> {
    let metadata = serve(|request| {
        let token = json!({ "access_token": format!("ya29.{}", GOOGLE_TOKEN.1), "expires_in": 3599, "token_type": "Bearer" });
        if request.path.contains("/universe") { "googleapis.com".to_owned() } else { token.to_string() }
    });
    let folder = scratch::folder();
    let hosts = folder.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 localhost storage.googleapis.com\n").expect("write");
    let setup = talkative(Setup::gcp_function(Path::new("gs://archive")));
    let setup = setup.set("GCE_METADATA_HOST", metadata.trim_start_matches("http://")).with_files(&[(&hosts, "/etc/hosts")])?;
    let requests: Vec<_> = (0..2).map(|id| as_pubsub(push(&id.to_string()).request())).collect();
    let (said, statuses) = all_said("a Google identity", setup.start(), &requests);
    assert_eq!(statuses, [503, 503]);
    Some(said)
}

/// The custom handler, likewise.
pub(crate) fn azure() -> Vec<Said> {
    let mut all = Vec::new();
    let folder = scratch::folder_in_memory();
    let bus = format!("Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey={}=", SHARED_KEY.1);
    let storage =
        format!("DefaultEndpointsProtocol=https;AccountName=a;AccountKey={}==;EndpointSuffix=core.windows.net", ACCOUNT_KEY.1);
    let bindings = [Binding::queue("Orders", "orders", Cardinality::One), Binding::hub("Events", "events", Cardinality::Many)];
    let app = FunctionApp::with(&bindings)
        .set("ServiceBusConnection", &bus)
        .set("EventHubsConnection", &bus)
        .set("AzureWebJobsStorage", &storage)
        .set("IDENTITY_HEADER", IDENTITY_HEADER.1);
    let setup = |archive: &Path| talkative(app.setup(archive)).set("PERSISTOR_DEADLINE", "1s").set("PERSISTOR_MAX_BODY", "1MiB");
    let mut requests = vec![call("7"), call("7")];
    requests.extend(spoilt(&call("7")));
    // An event that cannot be read is kept, and acknowledged.
    let events = json!({
        "Data": { "events": [format!("!{}", STANDARD.encode(PAYLOAD.1))] },
        "Metadata": {
            "SequenceNumberArray": [1], "EnqueuedTimeUtcArray": ["2026-11-22T05:50:40Z"], "OffsetArray": ["0"], "PartitionContext": { "PartitionId": "0" },
            "PropertiesArray": [{ ATTRIBUTE_NAME.1: ATTRIBUTE.1 }],
        },
    });
    requests.push(Request::post("/Events", events.to_string()));
    let root = folder.path().join("archive");
    let (said, statuses) = all_said("calls into a folder", setup(&root).start(), &requests);
    assert_eq!(statuses[..2], [200, 200]);
    assert!(statuses[2..].iter().filter(|status| **status >= 400).count() > 10, "{statuses:?}");
    assert!(Archive::read(&root).messages.values().any(|stored| stored.payload() == push("7").payload), "it was never there");
    all.extend(said);

    let sas = format!("sv=2026-04-06&sp=cw&sig={}%3D", SAS.1);
    let container = |endpoint: &str| {
        let setup = setup(Path::new("az://acme/archive")).set("AZURE_STORAGE_SERVICE_ENDPOINT", endpoint);
        setup.set("AZURE_STORAGE_SAS_TOKEN", &*sas)
    };
    let double = BlobDouble::start("acme", "archive");
    let program = container(&double.endpoint()).start();
    for name in fixtures("blob") {
        double.next(1, blob_double::Reply::fixture(&name));
        let answer = pusher::send(program.port(), &call(&name)).expect("a reply");
        all.push(Said::new(format!("a container that answers {name}"), "its reply", answer.body));
    }
    double.clear();
    let (said, statuses) = all_said("a container", program, &[call("7"), call("7")]);
    assert_eq!(statuses, [200, 200]);
    all.extend(said);
    let quoting = Quoting::start(&[500, 403, 400, 401, 412, 503, 404, 429, 409, 302]);
    let requests: Vec<_> = (0..4).map(|id| call(&id.to_string())).collect();
    all.extend(all_said("a container that quotes", container(&format!("{}/acme", quoting.url())).start(), &requests).0);
    assert!(quoting.requests() >= 4, "nothing was quoted");
    all.extend(all_said("a container that breaks off", container(&format!("{}/acme", breaking())).start(), &requests[..1]).0);
    let none = format!("http://127.0.0.1:{}/acme", ports::free());
    all.extend(all_said("no container", container(&none).start(), &requests[..1]).0);

    // An identity that is given a token, which nobody is there to take; and one that is refused, with all that it showed.
    let token = json!({
        "access_token": format!("eyJ.{}", AZURE_TOKEN.1), "expires_on": "4102444800", "resource": "", "token_type": "Bearer", "client_id": "",
    });
    let identity = serve(move |_| token.to_string());
    let refusing = Quoting::start(&[400, 401, 403, 500]);
    for (run, endpoint) in [("an identity", identity), ("an identity that is refused", refusing.url())] {
        let setup = setup(Path::new("az://acme/archive"))
            .set("AZURE_STORAGE_SERVICE_ENDPOINT", format!("https://127.0.0.1:{}/acme", ports::free()))
            .set("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
            .set("IDENTITY_ENDPOINT", format!("{endpoint}/msi/token"));
        let (said, statuses) = all_said(run, setup.start(), &requests[..2]);
        assert_eq!(statuses, [503, 503], "{run}");
        all.extend(said);
    }
    assert!(refusing.requests() > 0, "nothing was quoted");
    all
}

/// The names of the answers of a store that are kept as files.
fn fixtures(store: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(store);
    let names = std::fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("list").file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().expect("names are text")).collect();
    // The others are about them.
    names.retain(|name| name.starts_with(|first: char| first.is_ascii_digit()));
    names.sort();
    assert!(!names.is_empty());
    names
}

/// Answers everything with this JSON; it ends with the test's process.
fn serve(body: impl Fn(&Request) -> String + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let body = std::sync::Arc::new(body);
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let body = body.clone();
            thread::spawn(move || {
                let mut connection = Connection::over(stream).ok()?;
                while let Some(request) = connection.read_request().ok()? {
                    let body = body(&request);
                    let headers = [("Content-Type", "application/json".to_owned()), ("Metadata-Flavor", "Google".to_owned())];
                    let length = ("Content-Length", body.len().to_string());
                    let headers = headers.into_iter().chain([length]).map(|(name, value)| (name.to_owned(), value.into_bytes()));
                    connection.send_answer(&Answer { status: 200, headers: headers.collect(), body: body.into() }).ok()?;
                }
                Some(())
            });
        }
    });
    url
}

/// A server that reads a request and is gone.
fn breaking() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            drop(Connection::over(stream).and_then(|mut connection| connection.read_request()));
        }
    });
    url
}
