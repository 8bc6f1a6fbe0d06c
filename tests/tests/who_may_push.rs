//! Who may push, where the program itself is asked to see to it: right callers are stored, forged ones refused before their body is read, and nothing of theirs is kept or told.
//!
//! What a key server can do is in [`outage`].

#[path = "who_may_push/outage.rs"]
mod outage;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use persistor_tests::archive::Archive;
use persistor_tests::http::{Answer, Request, header};
use persistor_tests::key_server::{Does, KeyServer};
use persistor_tests::program::{Program, Setup};
use persistor_tests::push::Push;
use persistor_tests::tokens::{AUDIENCE, EMAIL, Signer, claims, claims_with, now};
use persistor_tests::{programs, pusher, scratch, waiting};
use serde_json::{Value, json};

/// A program that asks for tokens whose keys are there.
fn setup(archive: &Path, keys: &str) -> Setup {
    Setup::gcp_function(archive)
        .set("PERSISTOR_OIDC_AUDIENCE", AUDIENCE)
        .set("PERSISTOR_OIDC_EMAIL", EMAIL)
        .set("PERSISTOR_OIDC_KEYS", keys)
}

fn with_token(push: &Push, token: &str) -> Request {
    push.request().header("Authorization", format!("Bearer {token}"))
}

fn error(answer: &Answer) -> Option<String> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    Some(body["error"].as_str()?.to_owned())
}

/// A push that is refused so, or taken with an empty name.
fn assert_answered(program: &Program, request: &Request, status: u16, name: &str, what: &str) {
    let answer = pusher::send(program.port(), request).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!((answer.status, error(&answer).as_deref().unwrap_or_default()), (status, name), "{what}");
    let challenge = header(&answer.headers, "www-authenticate");
    let expected = (status == 401).then_some(if name == "no-token" { "Bearer" } else { r#"Bearer error="invalid_token""# });
    assert_eq!(challenge, expected, "{what}");
}

/// Everything a caller can have instead of a right token: what it is called here, its headers, and what it is answered.
fn forged(known: &Signer, stranger: &Signer) -> Vec<(&'static str, Vec<String>, u16, &'static str)> {
    let now = now();
    let good = known.token(&claims());
    let bearer = |token: String| vec![format!("Bearer {token}")];
    let saying = |name: &str, value: Option<Value>| bearer(known.token(&claims_with(name, value)));
    let stripped = format!("{}.SIGNATURE_REMOVED_BY_GOOGLE", known.message("RS256", &claims()));
    let (modulus, _) = known.components();
    let raw = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &modulus).expect("base64");
    let of_other_claims = {
        let (_, signature) = good.rsplit_once('.').expect("three parts");
        format!("{}.{signature}", known.message("RS256", &claims_with("iat", json!(now - 1))))
    };
    vec![
        ("no token", vec![], 401, "no-token"),
        ("an empty token", vec!["Bearer ".to_owned()], 401, "no-token"),
        ("another scheme", vec!["Basic cHVzaDpwdXNo".to_owned()], 401, "bad-token"),
        ("two headers", vec![format!("Bearer {good}"), format!("Bearer {good}")], 401, "bad-token"),
        ("a token that is none", bearer("persistor".to_owned()), 401, "bad-token"),
        ("a token of 9,000 bytes", bearer("x".repeat(9000)), 401, "bad-token"),
        ("expired", saying("exp", Some(json!(now - 60))), 401, "token-expired"),
        ("without an end", saying("exp", None), 401, "bad-token"),
        ("not yet valid", saying("nbf", Some(json!(now + 600))), 401, "token-not-yet-valid"),
        ("issued in the future", saying("iat", Some(json!(now + 600))), 401, "token-not-yet-valid"),
        ("for another audience", saying("aud", Some(json!("https://archive.example.com/other"))), 401, "token-audience"),
        ("for several audiences", saying("aud", Some(json!([AUDIENCE, "https://other.example.com"]))), 401, "token-audience"),
        ("of another issuer", saying("iss", Some(json!("https://accounts.example.com"))), 401, "token-issuer"),
        ("of another account", saying("email", Some(json!("other@my-project.iam.gserviceaccount.com"))), 403, "wrong-account"),
        ("without an account", saying("email", None), 403, "wrong-account"),
        ("of an unverified account", saying("email_verified", Some(json!(false))), 403, "unverified-email"),
        ("with the word true", saying("email_verified", Some(json!("true"))), 403, "unverified-email"),
        ("that does not say verified", saying("email_verified", None), 403, "unverified-email"),
        ("that needs no signature", bearer(known.unsigned_token(&claims())), 401, "token-algorithm"),
        (
            "by HMAC with the key in PEM",
            bearer(known.hmac_token(known.public_pem().as_bytes(), &claims())),
            401,
            "token-algorithm",
        ),
        ("by HMAC with the modulus", bearer(known.hmac_token(&raw, &claims())), 401, "token-algorithm"),
        ("by HMAC with the modulus's text", bearer(known.hmac_token(modulus.as_bytes(), &claims())), 401, "token-algorithm"),
        ("without its signature", bearer(stripped), 401, "token-signature-removed"),
        ("with another's signature", bearer(of_other_claims), 401, "token-signature"),
        ("by a stranger under a known name", bearer(Signer::new("b", "a").token(&claims())), 401, "token-signature"),
        ("by a stranger", bearer(stranger.token(&claims())), 401, "token-unknown-key"),
    ]
}

#[test]
fn forged_callers_are_refused_and_nothing_of_theirs_is_kept_or_told() {
    let (known, stranger) = (Signer::new("a", "a"), Signer::new("b", "b"));
    let server = KeyServer::start(vec![known.jwk()]);
    let folder = scratch::folder();
    let mut program = setup(folder.path(), &server.url()).set("PERSISTOR_LOG", "trace").start();
    let forged = forged(&known, &stranger);
    for (number, (what, headers, status, name)) in forged.iter().enumerate() {
        let push = Push::new(format!("forged-{number}"), format!("persistor-secret of a caller {what}"));
        let request = headers.iter().fold(push.request(), |request, value| request.header("Authorization", value.as_bytes()));
        assert_answered(&program, &request, *status, name, what);
    }
    let good = Push::new("good", "persistor-secret of the right caller");
    let token = known.token(&claims());
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = good.request().header("Authorization", format!("{scheme} {token}"));
        assert_answered(&program, &request, 204, "", "the right caller");
    }
    let older = claims_with("iss", json!("accounts.google.com"));
    assert_answered(&program, &with_token(&good, &known.token(&older)), 204, "", "the issuer's other form");
    program.terminate();
    assert_eq!(program.wait().code(), Some(0));

    let archive = Archive::read_sound(folder.path());
    assert_eq!(archive.by_id().keys().collect::<Vec<_>>(), [&"good"]);
    assert!(archive.lone_records.is_empty() && archive.temporary.is_empty(), "{archive:?}");
    assert!(good.is_stored(folder.path()));

    let log = program.logs().lines().join("\n") + &program.errors().lines().join("\n");
    let refusals: Vec<_> = program
        .logs()
        .entries()
        .into_iter()
        .filter(|line| line["message"] == "refused a request and acknowledged nothing")
        .collect();
    let (named, expected): (Vec<_>, Vec<_>) =
        refusals.iter().zip(&forged).map(|(line, (.., name))| (line["error"].as_str().unwrap_or_default(), *name)).unzip();
    assert_eq!((named, refusals.len()), (expected, forged.len()), "a line for each");
    let parts =
        forged.iter().flat_map(|(_, headers, ..)| headers).flat_map(|value| value.split([' ', '.'])).chain(token.split('.'));
    for part in parts.filter(|part| part.len() > 12 && *part != "SIGNATURE_REMOVED_BY_GOOGLE") {
        assert!(!log.contains(part), "the log has {part}");
    }
    for told in [EMAIL, AUDIENCE, "other@", "archive.example.com", "persistor-secret", "113774264463038321964"] {
        assert!(!log.contains(told), "the log has {told}");
    }
    // The first push asks, the first unknown key may be new.
    assert_eq!(server.fetches(), 2);
}

#[test]
fn health_needs_no_token_and_all_else_does() {
    let server = KeyServer::start(vec![Signer::new("a", "a").jwk()]);
    let folder = scratch::folder();
    let program = setup(folder.path(), &server.url()).start();
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(pusher::send(program.port(), &Request::get(path)).expect("an answer").status, 200, "{path}");
    }
    for request in [Request::get("/orders"), Request::post("/", ""), Request::post("/a/b/c", ""), Request::get("/")] {
        assert_answered(&program, &request, 401, "no-token", &format!("{} {}", request.method, request.path));
    }
    assert_eq!(server.fetches(), 0);
}

#[test]
fn who_is_refused_need_not_send_a_body() {
    let server = KeyServer::start(vec![Signer::new("a", "a").jwk()]);
    let folder = scratch::folder();
    let program = setup(folder.path(), &server.url()).start();
    // A body of this length that never comes, from a caller who asks first and from one who does not.
    for expects in ["Expect: 100-continue\r\n", ""] {
        let mut stream = TcpStream::connect(("127.0.0.1", program.port())).expect("it listens");
        stream.set_read_timeout(Some(waiting::LIMIT)).expect("it is open");
        write!(stream, "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n{expects}\r\n").expect("it is taken");
        let mut start = [0; 12];
        stream.read_exact(&mut start).expect("an answer");
        assert_eq!(std::str::from_utf8(&start), Ok("HTTP/1.1 401"), "{expects:?}");
    }
    // One that is sent all the same does not keep the answer from arriving, whatever its length.
    for body in [1_000_000, 5_000_000] {
        let request = Request::post("/orders", vec![b'x'; body]);
        assert_answered(&program, &request, 401, "no-token", "a large body");
        assert_answered(&program, &request.chunked(65_536), 401, "no-token", "a large body in chunks");
    }
    assert!(program.peak_memory() < 64 << 20, "{} bytes", program.peak_memory());
}

#[test]
fn two_hundred_unknown_keys_force_one_fetch_in_thirty_seconds() {
    let known = Signer::new("a", "a");
    let server = KeyServer::start(vec![known.jwk()]);
    let folder = scratch::folder();
    let program = setup(folder.path(), &server.url()).start();
    assert_answered(&program, &with_token(&Push::new("1", "x"), &known.token(&claims())), 204, "", "the right caller");
    let start = Instant::now();
    let unknown: Vec<_> = (0..200)
        .map(|number| with_token(&Push::new("2", "y"), &Signer::new("b", &format!("unknown-{number}")).token(&claims())))
        .collect();
    for requests in unknown.chunks(50) {
        let answers = pusher::send_all(program.port(), requests);
        assert!(pusher::statuses(&answers).iter().all(|status| *status == Some(401)), "{answers:?}");
    }
    assert_answered(&program, &with_token(&Push::new("3", "z"), &known.token(&claims())), 204, "", "the right caller after that");
    let (fetches, most) = (server.fetches(), 2 + start.elapsed().as_secs() / 30);
    eprintln!("200 unknown keys, {fetches} fetches");
    assert!((2..=most).contains(&(fetches as u64)), "{fetches} fetches, and {most} at most");
    assert_eq!(Archive::read_sound(folder.path()).by_id().len(), 2);
}

#[test]
fn fifty_cold_callers_at_once_are_all_stored_with_one_fetch() {
    let known = Signer::new("a", "a");
    let server = KeyServer::start(vec![known.jwk()]);
    server.does(Does::Hangs);
    let folder = scratch::folder();
    let program = setup(folder.path(), &server.url()).start();
    let pushes: Vec<_> = (0..50).map(|number| Push::new(format!("{number}"), format!("payload {number}"))).collect();
    let requests: Vec<_> = pushes.iter().map(|push| with_token(push, &known.token(&claims()))).collect();
    let answers = thread::scope(|scope| {
        scope.spawn(|| {
            waiting::until("the first fetch", || (server.fetches() > 0).then_some(()));
            // For the others to come, too; how many do changes nothing of what is asserted.
            thread::sleep(Duration::from_millis(700));
            server.does(Does::Has(vec![known.jwk()]));
        });
        pusher::send_all(program.port(), &requests)
    });
    assert_eq!(pusher::statuses(&answers), [Some(204); 50]);
    assert_eq!(server.fetches(), 1);
    assert!(pushes.iter().all(|push| push.is_stored(folder.path())));
}

#[test]
fn a_token_is_no_attribute_of_an_unwrapped_push() {
    let known = Signer::new("a", "a");
    let server = KeyServer::start(vec![known.jwk()]);
    let folder = scratch::folder();
    let program = setup(folder.path(), &server.url()).set("PERSISTOR_PUSH", "unwrapped").start();
    let request = Request::post("/orders", "hello")
        .header("x-goog-pubsub-message-id", "7")
        .header("x-goog-pubsub-publish-time", "2026-11-22T15:40:12.503Z")
        .header("x-goog-pubsub-subscription-name", "projects/p/subscriptions/s");
    assert_answered(&program, &request, 401, "no-token", "no token");
    let request = request.header("Authorization", format!("Bearer {}", known.token(&claims()))).header("colour", "red");
    assert_answered(&program, &request, 204, "", "the right caller");
    let archive = Archive::read_sound(folder.path());
    let stored = archive.by_id()["7"];
    assert_eq!(stored.member("attributes"), &json!({"colour": "red"}));
}

#[test]
fn the_command_line_has_the_same_settings() {
    let known = Signer::new("a", "a");
    let server = KeyServer::start(vec![known.jwk()]);
    let folder = scratch::folder();
    let mut setup = Setup::new(programs::persistor());
    for argument in ["serve", "gcp", "--port=0", "--oidc-audience", AUDIENCE, "--oidc-email", EMAIL, "--oidc-keys", &server.url()]
    {
        setup = setup.argument(argument);
    }
    let program = setup.argument("--archive").argument(folder.path()).start();
    let push = Push::new("1", "x");
    assert_answered(&program, &push.request(), 401, "no-token", "no token");
    assert_answered(&program, &with_token(&push, &known.token(&claims())), 204, "", "the right caller");
    assert!(push.is_stored(folder.path()));
}

#[test]
fn half_of_the_settings_ends_the_program_and_all_of_them_end_its_warning() {
    let folder = scratch::folder();
    let archive = folder.path().join("archive");
    for (name, value, missing) in [
        ("PERSISTOR_OIDC_AUDIENCE", AUDIENCE, "PERSISTOR_OIDC_EMAIL"),
        ("PERSISTOR_OIDC_EMAIL", EMAIL, "PERSISTOR_OIDC_AUDIENCE"),
    ] {
        let mut program = Setup::gcp_function(&archive).set(name, value).spawn();
        assert_eq!(program.wait().code(), Some(2), "{name} alone");
        let lines = program.errors().lines();
        assert!(lines.len() == 2 && lines[1].contains(&format!("`{missing}`: is missing")), "{lines:?}");
        assert!(!archive.exists());
    }
    let warnings = |setup: Setup| {
        let mut program = setup.start();
        program.terminate();
        assert_eq!(program.wait().code(), Some(0));
        let entries = program.logs().entries();
        let warnings = entries.iter().filter(|line| line["severity"] == "WARNING");
        warnings.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let asking = || setup(&archive, "http://127.0.0.1:9/certs");
    let nobody = warnings(Setup::gcp_function(&archive));
    assert!(
        matches!(&nobody[..], [one] if one.contains("does not ask who pushes") && one.contains("PERSISTOR_OIDC_EMAIL")),
        "{nobody:?}"
    );
    assert_eq!(warnings(asking()), [""; 0]);
    let on_cloud_run = warnings(asking().set("K_SERVICE", "persistor"));
    assert!(
        on_cloud_run.iter().any(|text| text.contains("PERSISTOR_OIDC_AUDIENCE") && text.contains("Unset them")),
        "{on_cloud_run:?}"
    );
}
