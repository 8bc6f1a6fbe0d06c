//! The connection: one official client for the life of the program, made at the first use.

use google_cloud_auth::credentials::{Builder as DefaultCredentials, Credentials, anonymous};
use google_cloud_gax::retry_policy::RetryPolicyExt as _;
use google_cloud_pubsub::client::{BasePublisher, SchemaService, SubscriptionAdmin, TopicAdmin};
use google_cloud_pubsub::retry_policy::RetryableErrors;
use persistor_core::{Error, ErrorKind, Result};
use tokio::sync::Mutex;

use super::RETRIES;
use super::answer::Answer;
use super::endpoint::TopicEndpoint;

/// Makes the connection when it is first needed, and again if its credentials are lost for good.
#[derive(Debug)]
pub(crate) struct Client {
    endpoint: TopicEndpoint,
    /// Kept apart from the connection: making them starts a task that refreshes the token, of which there is to be one.
    credentials: Mutex<Option<Credentials>>,
    publisher: Mutex<Option<BasePublisher>>,
}

impl Client {
    pub(crate) fn new(endpoint: TopicEndpoint) -> Self {
        Self { endpoint, credentials: Mutex::default(), publisher: Mutex::default() }
    }

    /// What publishers are made of, with its connection. Whoever comes first makes it and the others wait; if that one gives up, the next one makes it.
    pub(crate) async fn publisher(&self) -> Result<BasePublisher, Answer> {
        let mut kept = self.publisher.lock().await;
        if let Some(publisher) = &*kept {
            return Ok(publisher.clone());
        }
        let credentials = self.credentials().await.map_err(Answer::from)?;
        let made = BasePublisher::builder()
            .with_endpoint(self.endpoint.url())
            .with_credentials(credentials)
            .with_retry_policy(RetryableErrors.with_time_limit(RETRIES))
            .build()
            .await
            .map_err(|error| Answer::none(&error))?;
        Ok(kept.insert(made).clone())
    }

    /// For what is asked once or twice in the life of a program, so it is not kept; as are the next two.
    pub(crate) async fn topics(&self) -> Result<TopicAdmin> {
        let builder = TopicAdmin::builder().with_endpoint(self.endpoint.url()).with_credentials(self.credentials().await?);
        builder.with_retry_policy(RetryableErrors.with_time_limit(RETRIES)).build().await.map_err(|error| unconnected(&error))
    }

    pub(crate) async fn subscriptions(&self) -> Result<SubscriptionAdmin> {
        let builder = SubscriptionAdmin::builder().with_endpoint(self.endpoint.url()).with_credentials(self.credentials().await?);
        builder.with_retry_policy(RetryableErrors.with_time_limit(RETRIES)).build().await.map_err(|error| unconnected(&error))
    }

    /// The client of schemas is the only one that asks for rights; it does so for anything of Pub/Sub's.
    pub(crate) async fn rights(&self) -> Result<SchemaService> {
        let builder = SchemaService::builder().with_endpoint(self.endpoint.url()).with_credentials(self.credentials().await?);
        builder.with_retry_policy(RetryableErrors.with_time_limit(RETRIES)).build().await.map_err(|error| unconnected(&error))
    }

    async fn credentials(&self) -> Result<Credentials> {
        // The clients want a provider even where nothing is encrypted. Another part of the program may have chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut kept = self.credentials.lock().await;
        if let Some(credentials) = &*kept {
            return Ok(credentials.clone());
        }
        let made = match self.endpoint {
            TopicEndpoint::Emulator(_) => anonymous::Builder::new().build(),
            TopicEndpoint::PubSub | TopicEndpoint::Region(_) => DefaultCredentials::default()
                // Nothing but Pub/Sub can be done with a token that goes astray.
                .with_scopes(["https://www.googleapis.com/auth/pubsub"])
                .build()
                .map_err(|error| Error::new(ErrorKind::Denied, NO_CREDENTIALS).with_source(error))?,
        };
        Ok(kept.insert(made).clone())
    }

    /// Makes all of it anew at the next use: credentials that have failed for good never try again by themselves.
    pub(crate) async fn forget(&self) {
        *self.publisher.lock().await = None;
        *self.credentials.lock().await = None;
    }
}

fn unconnected(error: &(dyn std::error::Error + 'static)) -> Error {
    Answer::none(error).error("connect to Pub/Sub")
}

const NO_CREDENTIALS: &str = "find Application Default Credentials: on Cloud Run they are the service's; elsewhere `gcloud auth application-default login` makes them";
