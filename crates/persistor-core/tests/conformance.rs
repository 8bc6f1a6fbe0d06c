//! The stores of this crate keep the contract.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use persistor_core::testing::{check_records, check_store};
use persistor_core::{FolderStore, Key, MemoryStore, Metadata, Reader as _, Writer as _};

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    let store = Arc::new(MemoryStore::new());
    check_store(store.clone(), store.clone()).await;
    check_records(store.clone(), store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(FolderStore::open(folder.path().join("archive")).expect("open"));
    check_store(store.clone(), store.clone()).await;
    check_records(store.clone(), store).await;
}

#[tokio::test]
async fn what_is_still_being_written_is_not_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = FolderStore::open(folder.path()).expect("open");
    for name in [".tmp/half", ".tmp/orders/2026"] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("mkdir");
        std::fs::write(path, "half").expect("write");
    }
    let key = Key::parse("orders/a").expect("a key");
    store.create(&key, &[], &Metadata::new(), None).await.expect("create");
    let outside = folder.path().parent().expect("a folder").to_string_lossy().into_owned() + "/";
    let nowhere = [".", ".tmp", ".tmp/", ".tmp/orders/", "../", "orders/../", "./", "/", "orders//", &outside];
    for (prefix, expected) in [("", 1), ("orders/", 1)].into_iter().chain(nowhere.map(|prefix| (prefix, 0))) {
        let names: Vec<_> = store.list(prefix, None).map_ok(|entry| entry.name).try_collect().await.expect("a listing");
        assert_eq!(names, vec!["orders/a"; expected], "{prefix}");
    }
}
