//! What a key server can do: be down at the start and later, answer what is no answer, hang, and change its keys.

use persistor_tests::key_server::{Does, KeyServer, url_at};
use persistor_tests::logs::says;
use persistor_tests::ports;
use persistor_tests::push::Push;
use persistor_tests::tokens::{Signer, claims};
use persistor_tests::{pusher, scratch};

use super::{assert_answered, setup, with_token};

#[test]
fn a_new_key_is_taken_at_once_and_the_old_one_goes() {
    let (old, new) = (Signer::new("a", "old"), Signer::new("b", "new"));
    let server = KeyServer::start(vec![old.jwk()]);
    let folder = scratch::folder();
    let program = setup(folder.path(), &server.url()).start();
    let push = |id: &str, signer: &Signer| with_token(&Push::new(id, "x"), &signer.token(&claims()));
    assert_answered(&program, &push("1", &old), 204, "", "the old key");
    server.does(Does::Has(vec![old.jwk(), new.jwk()]));
    assert_answered(&program, &push("2", &new), 204, "", "the new key");
    assert_answered(&program, &push("3", &old), 204, "", "the old key beside it");
    assert_eq!(server.fetches(), 2);
}

/// Each has a program of its own, since a server that has failed is left alone for a while.
#[test]
fn answers_that_are_none_are_503_and_store_nothing() {
    let known = Signer::new("a", "a");
    let elsewhere = KeyServer::start(vec![known.jwk()]);
    let whole = serde_json::json!({ "keys": [known.jwk()] }).to_string();
    let of_length = |length: usize| format!("{whole}{}", " ".repeat(length - whole.len())).into_bytes();
    // The largest answer that is one.
    let server = KeyServer::start(Vec::new());
    server.does(Does::Says(200, of_length(64 * 1024)));
    let folder = scratch::folder();
    let program = setup(folder.path(), &server.url()).start();
    assert_answered(&program, &with_token(&Push::new("1", "x"), &known.token(&claims())), 204, "", "64 KiB");
    for does in [
        Does::Breaks,
        Does::Says(500, whole.clone().into_bytes()),
        Does::Says(404, Vec::new()),
        Does::Says(203, whole.clone().into_bytes()),
        Does::Says(200, Vec::new()),
        Does::Says(200, b"<html>persistor-secret</html>".to_vec()),
        Does::Says(200, br#"{"keys":[]}"#.to_vec()),
        Does::Says(200, br#"{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"}]}"#.to_vec()),
        Does::Says(200, of_length(64 * 1024 + 1)),
        Does::SendsTo(elsewhere.url()),
    ] {
        let server = KeyServer::start(Vec::new());
        let what = format!("{does:.60?}");
        server.does(does);
        let folder = scratch::folder();
        let program = setup(folder.path(), &server.url()).start();
        let push = Push::new("1", "x");
        let request = with_token(&push, &known.token(&claims()));
        for _ in 0..3 {
            assert_answered(&program, &request, 503, "no-keys", &what);
        }
        assert!(!push.is_stored(folder.path()), "{what}");
        assert_eq!(server.fetches(), 1, "{what}");
        let line = program.logs().wait_for("the failure", |line| {
            line["message"].as_str().is_some_and(|text| text.starts_with("the key server does not answer"))
        });
        assert!(line["reason"].as_str().is_some_and(|reason| reason.contains(&server.url())), "{line}");
        assert!(!line.to_string().contains("persistor-secret"), "{line}");
    }
    assert_eq!(elsewhere.fetches(), 0, "nobody is sent elsewhere");
}

#[test]
#[ignore = "takes seconds: a server that has failed is left alone for five"]
fn down_at_the_start_and_later() {
    let (known, new) = (Signer::new("a", "a"), Signer::new("b", "b"));
    let port = ports::free();
    let folder = scratch::folder();
    let program = setup(folder.path(), &url_at(port)).start();
    let push = |id: &str, signer: &Signer| with_token(&Push::new(id, "x"), &signer.token(&claims()));
    assert_answered(&program, &push("1", &known), 503, "no-keys", "nobody is there");

    let server = KeyServer::start_at(port, vec![known.jwk()]);
    let refused = pusher::send_until_acknowledged(program.port(), &push("1", &known));
    assert!(refused.iter().all(|status| *status == 503), "{refused:?}");
    assert_eq!(server.fetches(), 1);
    program.logs().wait_for("the end of the outage", |line| says(line, "the key server answers again"));

    server.does(Does::Breaks);
    assert_answered(&program, &push("2", &known), 204, "", "with the key from before");
    assert_answered(&program, &push("3", &new), 503, "no-keys", "a key that may be new");
    for id in 4..24 {
        assert_answered(
            &program,
            &push(&id.to_string(), &known),
            204,
            "",
            "with the key from before, and the server asked in vain",
        );
    }
    assert_answered(&program, &push("24", &new), 503, "no-keys", "a key that may be new, again");
    let fetches = server.fetches();
    assert!(fetches <= 3, "{fetches} fetches");
}

#[test]
#[ignore = "takes seconds: it waits until a fetch is given up"]
fn a_server_that_hangs_is_given_up() {
    let known = Signer::new("a", "a");
    let server = KeyServer::start(vec![known.jwk()]);
    server.does(Does::Hangs);
    let folder = scratch::folder();
    let program = setup(folder.path(), &server.url()).start();
    let requests: Vec<_> = (0..20).map(|id| with_token(&Push::new(id.to_string(), "x"), &known.token(&claims()))).collect();
    let answers = pusher::send_all(program.port(), &requests);
    assert_eq!(pusher::statuses(&answers), [Some(503); 20]);
    assert_eq!(server.fetches(), 1);
    server.does(Does::Has(vec![known.jwk()]));
    for request in &requests {
        pusher::send_until_acknowledged(program.port(), request);
    }
}
