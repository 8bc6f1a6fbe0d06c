//! The double of the Functions host does what it says, also where a handler is wrong; else the tests that lean on it show nothing.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use persistor_tests::event_grid::Webhook;
use persistor_tests::event_hubs::{Hub, Listener as HubListener, Retry};
use persistor_tests::function_app::NAMESPACE;
use persistor_tests::functions_host::{Failure, FunctionsHost};
use persistor_tests::http::{Answer, Connection, Request, header};
use persistor_tests::invocation::event_hubs::Event;
use persistor_tests::invocation::json::Json;
use persistor_tests::invocation::service_bus::Message;
use persistor_tests::invocation::values::Form;
use persistor_tests::invocation::{Binding, Cardinality, Invocation};
use persistor_tests::program::Setup;
use persistor_tests::service_bus::listener::{Listener, Options};
use persistor_tests::service_bus::{Counts, Entity, Pace, Rules};
use persistor_tests::waiting;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// A custom handler that is a thread of this test; gives its port.
fn handler(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let answer = Arc::new(answer);
    thread::spawn(move || serve(&listener, &answer));
    port
}

fn serve(listener: &TcpListener, answer: &Arc<impl Fn(&Request) -> Answer + Send + Sync + 'static>) {
    for stream in listener.incoming().filter_map(Result::ok) {
        let answer = answer.clone();
        thread::spawn(move || {
            let mut connection = Connection::over(stream)?;
            while let Some(request) = connection.read_request()? {
                let mut answer = answer(&request);
                let length = answer.body.len().to_string().into_bytes();
                answer.headers.push(("Content-Length".to_owned(), length));
                connection.send_answer(&answer)?;
            }
            Ok::<_, std::io::Error>(())
        });
    }
}

fn answer(status: u16, body: &'static str) -> Answer {
    let headers = vec![("Content-Type".to_owned(), b"application/json".to_vec())];
    Answer { status, headers, body: body.into() }
}

fn invocation() -> Invocation {
    Invocation { function: "Orders".to_owned(), body: r#"{"Data":{},"Metadata":{}}"#.into() }
}

#[test]
fn a_request_has_the_hosts_headers_and_no_length() {
    let port = handler(|request| {
        let is = |name: &str, value: &str| header(&request.headers, name).is_some_and(|found| found.starts_with(value));
        let right = request.method == "POST"
            && request.path == "/Orders"
            && is("host", "127.0.0.1:")
            && is("user-agent", "Azure-Functions-Host/4.")
            && is("content-type", "application/json; charset=utf-8")
            && is("transfer-encoding", "chunked")
            && header(&request.headers, "content-length").is_none()
            && header(&request.headers, "x-azure-functions-invocationid").is_some_and(|id| id.len() == 36)
            && header(&request.headers, "x-azure-functions-hostversion").is_some();
        answer(if right { 200 } else { 400 }, "{}")
    });
    let host = FunctionsHost::before(port, LONG);
    assert_eq!(host.invoke(&invocation()), Ok(()));
    assert_eq!(host.invoke(&invocation()), Ok(()));
}

/// A reply that is no reply: the host waits until the function's time is up.
#[test]
fn an_empty_reply_hangs_until_the_time_is_up() {
    for (status, body) in [(204, ""), (200, ""), (200, "null")] {
        let port = handler(move |_| answer(status, body));
        let host = FunctionsHost::before(port, Duration::from_millis(100));
        assert_eq!(host.invoke(&invocation()), Err(Failure::TimedOut), "{status} {body}");
        let faults = std::panic::catch_unwind(|| host.assert_no_faults());
        assert!(faults.is_err(), "{status} {body}: it is not held against the handler");
    }
}

#[test]
fn a_lost_reply_a_refusal_and_silence_are_failures() {
    let port = handler(|_| answer(503, "{}"));
    let host = FunctionsHost::before(port, LONG);
    host.lose_replies(1);
    assert_eq!(host.invoke(&invocation()), Err(Failure::ReplyLost));
    let refused = Failure::Refused("status 503".to_owned());
    assert_eq!(host.invoke(&invocation()), Err(refused.clone()));
    assert_eq!(host.failures(), BTreeMap::from([(refused, 1), (Failure::ReplyLost, 1)]));
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let host = FunctionsHost::before(silent.local_addr().expect("it is bound").port(), Duration::from_millis(100));
    assert_eq!(host.invoke(&invocation()), Err(Failure::TimedOut));
}

/// No test by itself: the process that [`workers_are_restarted_by_their_exit_codes`] starts as its worker. `WORKER` says with which code it ends once it was invoked.
#[test]
#[ignore = "the worker of another test"]
fn worker() {
    let Ok(code) = std::env::var("WORKER") else { return };
    let port = std::env::var("FUNCTIONS_CUSTOMHANDLER_PORT").expect("the host says it").parse::<u16>().expect("a port");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let end = move |request: &Request| {
        if request.method == "POST" {
            process::exit(code.parse().expect("a code"));
        }
        answer(404, "")
    };
    serve(&listener, &Arc::new(end));
}

#[test]
fn workers_are_restarted_by_their_exit_codes() {
    let program = std::env::current_exe().expect("a test knows its own path");
    let start = |code: &str| {
        let setup = Setup::new(program.clone()).set("WORKER", code);
        FunctionsHost::start_alone(
            ["--exact", "worker", "--ignored", "--nocapture"].into_iter().fold(setup, Setup::argument),
            LONG,
        )
    };
    let invoke_and_wait = |host: &FunctionsHost, exits: usize| {
        assert_eq!(host.invoke(&invocation()), Err(Failure::Broken));
        waiting::until("the worker to end", || (host.exits().len() == exits).then_some(()));
    };
    // 0 is taken for the end of it: nobody starts it again, and all that comes later fails at once.
    let host = start("0");
    invoke_and_wait(&host, 1);
    for _ in 0..3 {
        assert_eq!(host.invoke(&invocation()), Err(Failure::Unreached));
    }
    assert_eq!((host.starts(), host.has_stopped()), (1, false));
    // 200 asks for another start, as often as it likes.
    let host = start("200");
    (1..=5).for_each(|exits| invoke_and_wait(&host, exits));
    assert_eq!((host.starts(), host.has_stopped()), (6, false));
    // The third error stops the application, which the platform then replaces.
    let host = start("2");
    (1..=3).for_each(|exits| invoke_and_wait(&host, exits));
    assert_eq!((host.starts(), host.has_stopped()), (3, true));
    assert_eq!(host.invoke(&invocation()), Err(Failure::Stopped));
    host.replace();
    assert_eq!(host.invoke(&invocation()), Err(Failure::Broken));
}

fn listener<'a>(host: &'a FunctionsHost, entity: &'a Entity, binding: Binding) -> Listener<'a> {
    Listener { host, entity, binding, namespace: NAMESPACE, form: Form::Doubled, options: Options::default() }
}

fn with(count: usize, rules: Rules) -> Entity {
    let entity = Entity::new(rules);
    entity.send((0..count).map(|number| Message::new(number.to_string(), "").in_session((number % 3).to_string())));
    entity
}

#[test]
fn one_fails_alone_and_a_batch_fails_whole() {
    // The handler refuses whatever has the message 5 in it.
    let refuses = |request: &Request| {
        let body = std::str::from_utf8(&request.body).expect("JSON is UTF-8");
        let bad = body.contains(r#""MessageId":"\"5\"""#) || body.contains(r#",\"5\","#);
        answer(if bad { 503 } else { 200 }, "{}")
    };
    let host = FunctionsHost::before(handler(refuses), LONG);
    let entity = with(100, Rules { max_delivery_count: 4, ..Rules::default() });
    listener(&host, &entity, Binding::queue("Orders", "orders", Cardinality::One)).drain();
    let counts = entity.counts();
    assert_eq!((counts.completed, counts.abandoned, counts.dead_lettered), (99, 4, 1));
    assert_eq!(entity.dead().into_iter().collect::<Vec<_>>(), [6]);

    let entity = with(100, Rules { max_delivery_count: 4, ..Rules::default() });
    listener(&host, &entity, Binding::queue("Orders", "orders", Cardinality::Many)).drain();
    let counts = entity.counts();
    assert_eq!(
        (counts.completed, counts.abandoned, counts.dead_lettered),
        (68, 4 * 32, 32),
        "a poison message takes its batch with it"
    );
}

#[test]
fn messages_of_a_session_come_one_after_the_other() {
    let most = Arc::new(AtomicUsize::new(0));
    let (now, counted) = (AtomicUsize::new(0), most.clone());
    let port = handler(move |_| {
        counted.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(3));
        now.fetch_sub(1, Ordering::SeqCst);
        answer(200, "{}")
    });
    let host = FunctionsHost::before(port, LONG);
    let entity = with(60, Rules::default());
    listener(&host, &entity, Binding::queue("Orders", "orders", Cardinality::One).with_sessions()).drain();
    assert_eq!((entity.counts().completed, most.load(Ordering::SeqCst)), (60, 3), "there are three sessions");
}

/// One by one locks are renewed, in a batch they are not; a handler that is too slow for them does all its work for nothing.
#[test]
fn locks_are_renewed_for_one_and_lost_for_many() {
    let pace = Pace(1000);
    let slow = move |_: &Request| {
        thread::sleep(pace.real(Duration::from_secs(150)));
        answer(200, "{}")
    };
    let host = FunctionsHost::before(handler(slow), LONG);
    let entity = with(16, Rules { pace, ..Rules::default() });
    listener(&host, &entity, Binding::queue("Orders", "orders", Cardinality::One)).drain();
    assert_eq!(entity.counts(), Counts { sent: 16, delivered: 16, completed: 16, most_deliveries: 1, ..Counts::default() });
    let entity = with(3, Rules { pace, max_delivery_count: 2, ..Rules::default() });
    listener(&host, &entity, Binding::queue("Orders", "orders", Cardinality::Many)).drain();
    let counts = entity.counts();
    assert_eq!((counts.completed, counts.locks_lost, counts.dead_lettered), (0, 6, 3));
}

/// The events of a failed batch are gone, unless the function is retried for ever.
#[test]
fn a_hub_moves_on_after_a_failure() {
    let event = || Event {
        body: "".into(),
        sequence: 0,
        offset: String::new(),
        enqueued: "2026-11-22T05:50:40Z".parse().expect("a time"),
        partition_key: None,
        properties: vec![],
        amqp_properties: vec![],
    };
    let failing = Arc::new(AtomicUsize::new(0));
    let count = failing.clone();
    // The first two of all invocations fail.
    let port = handler(move |_| answer(if count.fetch_add(1, Ordering::SeqCst) < 2 { 500 } else { 200 }, "{}"));
    let host = FunctionsHost::before(port, LONG);
    for (retry, lost) in [(Retry::Never, 16), (Retry::Forever { pause: Duration::ZERO }, 0)] {
        failing.store(0, Ordering::SeqCst);
        let hub = Hub::new(1, (0..80).map(|_| event()));
        let binding = Binding::hub("Telemetry", "telemetry", Cardinality::Many);
        let listener = HubListener {
            host: &host,
            hub: &hub,
            binding,
            namespace: NAMESPACE,
            form: Form::Doubled,
            retry,
            max_event_batch_size: 8,
        };
        listener.drain();
        let counts = hub.counts();
        assert_eq!((counts.passed, counts.lost, counts.failed), (80, lost, 2), "{retry:?}");
    }
}

#[test]
fn a_delivery_of_event_grid_comes_again_whole() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let port = handler(move |_| answer(if count.fetch_add(1, Ordering::SeqCst) == 1 { 503 } else { 200 }, "{}"));
    let host = FunctionsHost::before(port, LONG);
    let webhook = Webhook { host: &host, binding: Binding::event_grid("Grid", Cardinality::One), form: Form::Doubled };
    let events = ["a", "b", "c"].map(|id| Json::object([("id", Json::text(id))]));
    assert_eq!(webhook.deliver_until_taken(&events), 1);
    assert_eq!(calls.load(Ordering::SeqCst), 6);
}
