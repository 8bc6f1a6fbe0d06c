//! TLS, and identities. Both take from the environment what a program's platform sets there, so that each part that needs it runs as a program of its own: this test, started once more.

use std::process::Command;
use std::time::SystemTime;

use persistor_azure::{AmqpSink, BusAccess, CredentialKind, ServiceBusLocation};
use persistor_core::ErrorKind;
use persistor_recover::Sink as _;
use persistor_tests::scratch;
use persistor_tests::service_bus_double::{HEADER, IdentityDouble, Options, ServiceBusDouble};

use super::{Duration, LIMIT, kinds, numbered, payloads, run, with};

/// Names, to the test that is started again, what it is to do.
const PORT: &str = "TEST_SERVICE_BUS_DOUBLE_PORT";

/// The port, in the test that was started again.
fn port() -> Option<String> {
    std::env::var(PORT).ok()
}

/// Runs a test of this file again, with more in its environment.
fn again(test: &str, double: &ServiceBusDouble, environment: &[(&str, &str)]) {
    let folder = scratch::folder();
    let certificate = folder.path().join("certificate.pem");
    std::fs::write(&certificate, double.certificate().expect("it speaks TLS")).expect("a file");
    let mut command = Command::new(std::env::current_exe().expect("a test knows its own path"));
    command.args(["--exact", &format!("secure::{test}"), "--nocapture"]);
    command.env(PORT, double.port().to_string()).env("SSL_CERT_FILE", certificate);
    command.envs(environment.iter().copied());
    let output = command.output().expect("it starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}{err}");
}

fn encrypted() -> ServiceBusDouble {
    ServiceBusDouble::start(Options { tls: true, ..Options::new("orders") })
}

fn clock() -> persistor_azure::Clock {
    std::sync::Arc::new(SystemTime::now)
}

#[test]
fn messages_go_over_tls_to_whom_the_system_trusts() {
    if let Some(port) = port() {
        let at = |host: &str| {
            let location = ServiceBusLocation::parse(&format!("{host}:{port}/orders")).expect("a location");
            let string = std::env::var("TEST_CONNECTION_STRING").expect("it is handed in").replace("localhost", host);
            let string = persistor_azure::ConnectionString::parse(&string).expect("a connection string");
            AmqpSink::service_bus(location, &BusAccess::ConnectionString(string), clock(), LIMIT).expect("a sink")
        };
        run(async {
            let sink = at("localhost");
            assert_eq!(kinds(&sink.send(&numbered("a", 2), true).await), [None, None]);
            sink.close().await.expect("closed");
            // The certificate is for another name.
            let error = at("127.0.0.1").check().await.expect_err("another name");
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.to_string().contains("TLS"), "{error}");
        });
        return;
    }
    let double = encrypted();
    // Nobody trusts it here.
    let error = run(with(&double, "orders", &double.connection_string(), LIMIT).check()).expect_err("an unknown certificate");
    assert!(error.kind() == ErrorKind::Unavailable && error.to_string().contains("TLS"), "{error}");
    assert_eq!((double.connections(), double.puts().len()), (0, 0), "no token is shown to a stranger");
    let string = double.connection_string();
    again("messages_go_over_tls_to_whom_the_system_trusts", &double, &[("TEST_CONNECTION_STRING", &string)]);
    assert_eq!(payloads(&double), ["a0", "a1"]);
}

#[test]
fn an_identity_sends_with_its_tokens_and_renews_them() {
    if let Some(port) = port() {
        let location = ServiceBusLocation::parse(&format!("localhost:{port}/orders")).expect("a location");
        let access = BusAccess::Identity { credential: Some(CredentialKind::ManagedIdentity), client_id: None };
        let ahead = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let for_clock = ahead.clone();
        let clock: persistor_azure::Clock = std::sync::Arc::new(move || {
            SystemTime::now() + Duration::from_secs(for_clock.load(std::sync::atomic::Ordering::SeqCst))
        });
        let sink = AmqpSink::service_bus(location, &access, clock, LIMIT).expect("a sink");
        run(async {
            assert_eq!(kinds(&sink.send(&numbered("a", 1), true).await), [None]);
            assert_eq!(kinds(&sink.send(&numbered("b", 1), true).await), [None]);
            // Tokens here last four minutes, and are renewed in their last half.
            ahead.store(150, std::sync::atomic::Ordering::SeqCst);
            assert_eq!(kinds(&sink.send(&numbered("c", 1), true).await), [None]);
            sink.close().await.expect("closed");
        });
        return;
    }
    let double = std::sync::Arc::new(encrypted());
    let for_identity = double.clone();
    let identity = IdentityDouble::start(move |token| {
        let expires = SystemTime::now() + Duration::from_secs(240);
        for_identity.know_token(token, expires);
        expires
    });
    let environment = [("IDENTITY_ENDPOINT", identity.endpoint()), ("IDENTITY_HEADER", HEADER.to_owned())];
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    again("an_identity_sends_with_its_tokens_and_renews_them", &double, &environment);
    assert_eq!(payloads(&double), ["a0", "b0", "c0"]);
    assert_eq!((identity.given().len(), double.connections()), (2, 1));
    assert!(double.puts().iter().all(|put| put.kind == "jwt" && put.status == 202));
    assert_eq!(double.puts().len(), 2);
}
