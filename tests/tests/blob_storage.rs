//! Blob Storage as an archive, from the store's contract on Azurite to each of the answers by which a service says that a blob is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use persistor_azure::{Access, ContainerLocation, ContainerStore, Endpoint, SasToken};
use persistor_core::testing::{check_records, check_store};
use persistor_core::{Creation, ErrorKind, Key, Metadata, Reader as _, Writer as _};
use persistor_tests::azurite::{ACCOUNT, Azurite, sas};
use persistor_tests::blob_double::{BlobDouble, Reply};
use persistor_tests::random::Random;

const CONTAINER: &str = "archive";

/// The time for one write, or for one answer to a reading; Azurite takes its time.
const LIMIT: Duration = Duration::from_secs(60);

fn store(endpoint: &str, location: &str, permissions: &str) -> Arc<ContainerStore> {
    let access = Access {
        endpoint: Some(Endpoint::parse(endpoint).expect("an address")),
        sas: Some(SasToken::parse(&sas(permissions)).expect("a SAS")),
        ..Access::default()
    };
    let location = ContainerLocation::parse(&format!("{ACCOUNT}/{location}")).expect("a location");
    Arc::new(ContainerStore::new(location, access, LIMIT))
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn key(name: &str) -> Key {
    Key::parse(name).expect("a key")
}

#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn the_store_keeps_its_contract() {
    let Some(azurite) = Azurite::start() else { return };
    azurite.create_container(CONTAINER);
    // A writer with each pair of rights with which Azurite lets it see that a name is taken: it says 409 to one that may write, and has its properties asked for by
    // one that may read. To one that may only create it says the same of a blob that is there as of one that may not be made.
    for (location, rights) in [("archive", "cw"), ("archive/a/prefix", "cr")] {
        let (writer, reader) = (store(&azurite.endpoint(), location, rights), store(&azurite.endpoint(), location, "rl"));
        run(async {
            check_store(writer.clone(), reader.clone()).await;
            check_records(writer, reader).await;
        });
    }
}

/// Pages make one listing, whatever the names look like.
#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn a_long_listing_is_whole_and_in_order() {
    let Some(azurite) = Azurite::start() else { return };
    azurite.create_container(CONTAINER);
    let store = store(&azurite.endpoint(), CONTAINER, "crl");
    let mut random = Random::new(11);
    let mut name = |index: usize| match index % 10 {
        0 => format!("refunds/2026/11/{:02}/x-{index}", random.between(1, 30)),
        1 => format!("a{index}"),
        _ => format!("orders/2026/11/22/{:02}/{:02}{:02}-{index}", index % 3, random.between(0, 59), random.between(0, 59)),
    };
    let names: BTreeSet<_> = (0..6000).map(&mut name).collect();
    run(async {
        let keys = names.iter().map(|name| Ok::<_, persistor_core::Error>(key(name)));
        let create = |key: Key| {
            let store = store.clone();
            async move { store.create(&key, &[], &Metadata::new(), None).await.map(drop) }
        };
        futures_util::stream::iter(keys).try_for_each_concurrent(32, create).await.expect("all are created");
        for (prefix, from) in [
            ("", None),
            ("orders/", None),
            ("orders/2026/11/22/01/", None),
            ("orders/", Some("orders/2026/11/22/01/3")),
            ("a", None),
        ] {
            let listed: Vec<_> = store.list(prefix, from).map_ok(|entry| entry.name).try_collect().await.expect("a listing");
            let expected = names.iter().filter(|name| name.starts_with(prefix) && from.is_none_or(|from| name.as_str() >= from));
            assert!(listed.iter().eq(expected), "{prefix} from {from:?}: {} listed", listed.len());
        }
    });
}

/// Whatever somebody else has put there stays as it is, and a right that is missing is said and no success.
#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn create_rights_replace_nothing() {
    let Some(azurite) = Azurite::start() else { return };
    azurite.create_container(CONTAINER);
    let metadata = BTreeMap::from([("record".to_owned(), "somebody else's".to_owned())]);
    azurite.put(CONTAINER, "a/taken", &metadata, b"before");
    let before = azurite.items(CONTAINER, "");
    let content = [Bytes::from_static(b"after")];
    let create = |name: &str, rights: &str| {
        let store = store(&azurite.endpoint(), CONTAINER, rights);
        run(store.create(&key(name), &content, &Metadata::new(), None)).map_err(|error| error.kind())
    };
    for rights in ["cr", "cw", "crw"] {
        assert_eq!(create("a/taken", rights), Ok(Creation::Exists), "{rights}");
        assert_eq!(create(&format!("a/{rights}"), rights), Ok(Creation::Created), "{rights}");
        assert_eq!(create(&format!("a/{rights}"), rights), Ok(Creation::Exists), "{rights}");
    }
    // Azurite's answer does not tell these apart; Azure's does, by `UnauthorizedBlobOverwrite`.
    assert_eq!(create("a/c", "c"), Ok(Creation::Created));
    assert_eq!(create("a/c", "c"), Err(ErrorKind::Denied));
    for rights in ["l", "r", "rl", "d"] {
        assert_eq!(create("a/none", rights), Err(ErrorKind::Denied), "{rights}");
    }
    assert_eq!(azurite.items(CONTAINER, "a/taken"), before);
    let names: Vec<_> = azurite.items(CONTAINER, "").into_iter().map(|item| item.name).collect();
    assert_eq!(names, ["a/c", "a/cr", "a/crw", "a/cw", "a/taken"]);
    assert_eq!(
        (azurite.content(CONTAINER, "a/taken"), azurite.content(CONTAINER, "a/c")),
        (b"before".to_vec(), b"after".to_vec())
    );
}

/// Every row of the design's table, and what only looks like one.
#[test]
fn each_answer_means_what_the_design_says() {
    let double = BlobDouble::start(ACCOUNT, CONTAINER);
    let store = store(&double.endpoint(), CONTAINER, "c");
    let create = |name: &str| run(store.create(&key(name), &[Bytes::from_static(b"content")], &Metadata::new(), None));
    for exists in [
        "409-blob-already-exists",
        "409-immutable-policy",
        "409-legal-hold",
        "409-blob-archived",
        "403-unauthorized-overwrite",
        "412-lease-id-missing",
        // The body says it, too.
        "409-body-only",
    ] {
        double.when_it_exists(Reply::fixture(exists));
        assert_eq!(create(exists).expect(exists), Creation::Created);
        for _ in 0..2 {
            assert_eq!(create(exists).expect(exists), Creation::Exists, "{exists}");
        }
    }
    for refused in [
        "400-metadata-too-large",
        "403-permission-mismatch",
        "403-authorization-failure",
        "403-authentication-failed",
        "403-insufficient-permissions",
        "403-empty",
        "404-container-not-found",
        "409-container-being-deleted",
        "409-invalid-blob-type",
        "409-empty",
        "409-html",
        "412-condition-not-met",
        "412-lease-id-mismatch",
        "412-empty",
        "307-elsewhere",
    ] {
        double.next(usize::MAX, Reply::fixture(refused));
        let error = create(refused).expect_err(refused);
        let kind = if refused.starts_with("403") { ErrorKind::Denied } else { ErrorKind::Unavailable };
        assert_eq!(error.kind(), kind, "{refused}: {error}");
        assert!(error.is_retryable(), "{refused}: the broker is to keep it");
        double.clear();
        assert_eq!(create(refused).expect(refused), Creation::Created, "{refused}, when it is over");
    }
    // What may pass by itself is asked again inside the limit.
    for passing in [
        "400-md5-mismatch",
        "429-empty",
        "500-internal-error",
        "500-operation-timed-out",
        "502-html",
        "503-html",
        "503-server-busy",
        "504-empty",
    ] {
        double.next(1, Reply::fixture(passing));
        assert_eq!(create(passing).expect(passing), Creation::Created, "{passing}, once");
        double.next_after_storing(1, Reply::fixture(passing));
        assert_eq!(create(&format!("{passing}-stored")).expect(passing), Creation::Exists, "{passing}, after the write");
    }
    double.clear();
    let mut others = double.others();
    others.retain(|request| !request.starts_with("HEAD "));
    assert_eq!(others, Vec::<String>::new(), "more than the right to create was needed");
    for create in double.creates() {
        let header = |name: &str| create.headers.get(name).map(String::as_str);
        assert_eq!(header("if-none-match"), Some("*"), "{}", create.name);
        assert_eq!(header("x-ms-blob-type"), Some("BlockBlob"));
        assert_eq!(header("x-ms-blob-content-type"), Some("application/octet-stream"));
        assert!(header("x-ms-blob-content-md5").is_some(), "{} has no MD5", create.name);
    }
}

/// An identity that may not even overwrite is told no more than that; where it may ask for the blob's properties, these decide.
#[test]
fn properties_decide_where_permission_is_refused() {
    let double = BlobDouble::start(ACCOUNT, CONTAINER);
    let store = store(&double.endpoint(), CONTAINER, "c");
    let create = |name: &str| run(store.create(&key(name), &[], &Metadata::new(), None));
    double.when_it_exists(Reply::fixture("403-permission-mismatch"));
    assert_eq!(create("there").expect("it is free"), Creation::Created);
    double.allow_properties(true);
    assert_eq!(create("there").expect("its properties are there"), Creation::Exists);
    double.next(usize::MAX, Reply::fixture("403-permission-mismatch"));
    let error = create("not-there").expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::Denied);
    let text = format!("{error:?}");
    assert!(text.contains("permission `c`") || text.contains("add/action"), "the right is not named: {text}");
    double.clear();
    double.allow_properties(false);
    assert_eq!(create("there").expect_err("nobody knows").kind(), ErrorKind::Denied);
    let heads = double.others().into_iter().filter(|request| request.starts_with("HEAD ")).count();
    assert!(heads >= 2, "the properties were not asked for");
}
