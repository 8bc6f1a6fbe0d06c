//! The stores of this crate keep the contract.

use std::sync::Arc;

use persistor_core::testing::check_store;
use persistor_core::{FolderStore, MemoryStore};

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    let store = Arc::new(MemoryStore::new());
    check_store(store.clone(), store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(FolderStore::open(folder.path().join("archive")).expect("open"));
    check_store(store.clone(), store).await;
}
