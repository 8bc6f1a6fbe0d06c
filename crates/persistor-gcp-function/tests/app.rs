//! The handler without a listener, over stores that misbehave. Requests of every shape are tested on the built program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use persistor_core::{Creation, Key, Layout, MemoryStore, Metadata, Persist, PublishTime, RecordPlace, Result, Writer};
use persistor_gcp_function::{App, Push};
use persistor_serve::{Budget, Intake, Ready, SPARE};
use tower::ServiceExt as _;

const PUSH: &str = r#"{"message":{"data":"aGVsbG8=","messageId":"142","publishTime":"2026-11-22T05:40:12.503Z"},"subscription":"projects/p/subscriptions/s"}"#;

/// Misbehaves in its first `times` writes of payloads.
#[derive(Debug)]
struct Misbehaving {
    store: MemoryStore,
    times: AtomicUsize,
    how: How,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Panic,
    Hang,
}

#[async_trait]
impl Writer for Misbehaving {
    fn keeps_metadata(&self) -> bool {
        true
    }

    async fn create(&self, key: &Key, content: &[Bytes], metadata: &Metadata, time: Option<&PublishTime>) -> Result<Creation> {
        let left = |times: usize| times.checked_sub(1);
        if !key.is_reserved() && self.times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok() {
            match self.how {
                How::Panic => panic!("the store is broken"),
                How::Hang => std::future::pending().await,
            }
        }
        self.store.create(key, content, metadata, time).await
    }
}

fn router(writer: Arc<dyn Writer>, budget: &Budget) -> Router {
    let persist = Persist::new(writer, Layout::default(), RecordPlace::Auto, Duration::from_secs(8));
    let intake = Intake::new(1 << 20, budget.clone());
    Arc::new(App::new(persist, Push::Wrapped, None, intake)).router(Ready::new())
}

async fn push(router: &Router) -> (u16, String) {
    push_this(router, PUSH).await
}

async fn push_this(router: &Router, body: impl Into<Body>) -> (u16, String) {
    let request = Request::post("/orders").body(body.into()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("infallible");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.into()).expect("text"))
}

#[tokio::test]
async fn a_panic_answers_500_and_the_next_push_is_stored() {
    let budget = Budget::new(1 << 20);
    let router = router(Arc::new(Misbehaving { store: MemoryStore::new(), times: 1.into(), how: How::Panic }), &budget);
    let (status, body) = push(&router).await;
    assert_eq!(status, 500);
    assert!(body.starts_with(r#"{"error":"panic""#), "{body}");
    assert_eq!(push(&router).await.0, 204);
    assert_eq!(budget.in_flight(), 0, "what a panic held is free again");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_a_503_in_time_and_its_memory_is_free_again() {
    let budget = Budget::new(1 << 20);
    let router = router(Arc::new(Misbehaving { store: MemoryStore::new(), times: 1.into(), how: How::Hang }), &budget);
    let (status, body) = push(&router).await;
    assert_eq!(status, 503);
    assert!(body.starts_with(r#"{"error":"not-stored""#), "{body}");
    assert_eq!(budget.in_flight(), 0);
    assert_eq!(push(&router).await.0, 204);
}

/// Keeps what it is given for good, as a write that a request no longer waits for does.
#[derive(Debug, Default)]
struct Holding(std::sync::Mutex<Vec<Bytes>>);

#[async_trait]
impl Writer for Holding {
    fn keeps_metadata(&self) -> bool {
        true
    }

    async fn create(&self, key: &Key, content: &[Bytes], _metadata: &Metadata, _time: Option<&PublishTime>) -> Result<Creation> {
        if !key.is_reserved() {
            self.0.lock().expect("no panic").extend(content.to_vec());
            std::future::pending::<()>().await;
        }
        Ok(Creation::Created)
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_outlives_its_request_keeps_its_part_of_the_memory() {
    let budget = Budget::new(1 << 20);
    let writer = Arc::new(Holding::default());
    let router = router(writer.clone(), &budget);
    assert_eq!(push(&router).await.0, 503);
    assert!(budget.in_flight() > 0, "the payload is still held by the store");
    writer.0.lock().expect("no panic").clear();
    assert_eq!(budget.in_flight(), 0);
}

/// The payload, and sixteen times what stands beside it: the envelope's text is gone by then.
#[tokio::test(start_paused = true)]
async fn what_is_held_meanwhile_is_accounted_for() {
    for (payload, others) in [(300_000, 5), (30_000, 20_000)] {
        let budget = Budget::new(16 << 20);
        let router = router(Arc::new(Holding::default()), &budget);
        let data = "A".repeat(payload / 3 * 4);
        let others = "x".repeat(others);
        let body = PUSH.replacen("aGVsbG8=\"", &format!(r#"{data}","unknown":"{others}""#), 1);
        assert_eq!(push_this(&router, body.clone()).await.0, 503);
        let beside = (body.len() - data.len() - 2) as u64;
        let least = payload as u64 + (16 * beside).max(SPARE);
        let held = budget.in_flight();
        assert!((least..least + 4096).contains(&held), "{held} of {least} bytes");
    }
}

#[cfg(feature = "oidc")]
#[tokio::test]
async fn nothing_is_read_of_the_body_of_a_caller_who_is_refused() {
    use persistor_gcp_function::{OidcSettings, Verifier};
    let settings = OidcSettings {
        audience: "https://archive.example.com".to_owned(),
        email: "push@my-project.iam.gserviceaccount.com".to_owned(),
        keys: "http://127.0.0.1:9/certs".to_owned(),
    };
    let persist = Persist::new(Arc::new(MemoryStore::new()), Layout::default(), RecordPlace::Auto, Duration::from_secs(8));
    let app = App::new(persist, Push::Wrapped, None, Intake::new(1 << 20, Budget::new(1 << 20)));
    let router = Arc::new(app.asking(Verifier::new(&settings).expect("a client"))).router(Ready::new());
    for (authorization, status) in
        [(None, 401), (Some("Bearer a.b.c"), 401), (Some("Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.e30.AA"), 503)]
    {
        let mut request = Request::post("/orders");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let body = http_body_util::Full::new(Bytes::from_static(PUSH.as_bytes()));
        let body = Body::new(body.map_frame(|_| panic!("the body is read")));
        let response = router.clone().oneshot(request.body(body).expect("a request")).await.expect("infallible");
        assert_eq!(response.status().as_u16(), status, "{authorization:?}");
    }
}
