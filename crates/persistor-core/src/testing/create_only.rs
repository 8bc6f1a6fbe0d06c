//! An identity that can create and do nothing else: what promise 7 leaves a writer with.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::reader::{Entry, Reader};
use crate::time::PublishTime;
use crate::writer::{Creation, Metadata, Writer};

/// Passes every create through and refuses every read and list with [`ErrorKind::Denied`].
#[derive(Clone, Debug)]
pub struct CreateOnly {
    store: Arc<dyn Writer>,
}

impl CreateOnly {
    /// Creates in `store`.
    pub fn new(store: Arc<dyn Writer>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Writer for CreateOnly {
    fn keeps_metadata(&self) -> bool {
        self.store.keeps_metadata()
    }

    async fn create(&self, key: &Key, content: &[Bytes], metadata: &Metadata, time: Option<&PublishTime>) -> Result<Creation> {
        self.store.create(key, content, metadata, time).await
    }
}

#[async_trait]
impl Reader for CreateOnly {
    async fn read(&self, key: &Key, _range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>> {
        Err(Error::new(ErrorKind::Denied, format!("read `{key}`: this identity can only create")))
    }

    fn list(&self, prefix: &str, _from: Option<&str>) -> BoxStream<'static, Result<Entry>> {
        let error = Error::new(ErrorKind::Denied, format!("list `{prefix}`: this identity can only create"));
        stream::iter([Err(error)]).boxed()
    }
}
