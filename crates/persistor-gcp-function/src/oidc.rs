//! Who pushes, where nothing in front of the program asks: the token of a push is verified, as Google signs it for a subscription.
//!
//! [`bearer`] finds the token, [`keys`] the key that it names, which [`key_server`] has fetched and [`key_set`] read; [`token`] holds the token against it and against the settings. Google's own
//! verifier is not used: under concurrency it refuses right tokens while keys are fetched, it panics at a token without `email_verified`, and it fetches for every unknown key.

mod bearer;
mod crypto;
mod denied;
mod key_server;
mod key_set;
mod keys;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use axum::http::HeaderMap;

pub(crate) use denied::Denied;
pub(crate) use key_server::check as check_key_server;

use crate::oidc_settings::OidcSettings;
use key_server::KeyServer;
use keys::Keys;
use token::Expected;

/// Asks every push for its token.
#[derive(Debug)]
pub struct Verifier {
    expected: Expected,
    keys: Keys,
}

impl Verifier {
    /// A verifier by these settings. Nothing is fetched before the first push.
    ///
    /// # Errors
    /// If there can be no HTTP client, such as without any certificate of an authority.
    pub fn new(settings: &OidcSettings) -> anyhow::Result<Self> {
        let server = Arc::new(KeyServer::new(&settings.keys)?);
        let keys = Keys::new(move || {
            let server = Arc::clone(&server);
            Box::pin(async move { server.fetch().await })
        });
        Ok(Self::with_keys(settings, keys))
    }

    fn with_keys(settings: &OidcSettings, keys: Keys) -> Self {
        crypto::install();
        Self { expected: Expected::new(&settings.audience, &settings.email), keys }
    }

    /// Whether a request with these headers comes from the account that is expected. Its body is not needed.
    pub(crate) async fn verify(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let token = bearer::token(headers)?;
        let key_id = token::key_id(token)?;
        let key = self.keys.get(&key_id).await?;
        self.expected.verify(token, &key)
    }
}
