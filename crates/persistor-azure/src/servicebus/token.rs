//! Tokens for Service Bus, which are put to its node `$cbs`: those of an identity, and those that a shared key signs.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use azure_core::credentials::TokenCredential;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use persistor_core::{Error, ErrorKind, Result};
use sha2::Sha256;

use super::Clock;
use super::access::BusAccess;
use super::connection_string::Shared;
use crate::cause::root;
use crate::credential::{client_options, credential};

/// Whom an identity's token is for.
const SCOPE: &str = "https://servicebus.azure.net/.default";
/// How long a token of ours lasts.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// How long before its end a token is renewed, at most: an identity's credential has a new one in the last five minutes.
const BEFORE: Duration = Duration::from_secs(4 * 60);
/// All that a query escapes: <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas>.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Makes tokens.
pub(super) struct Tokens {
    source: Source,
    clock: Clock,
}

enum Source {
    Identity(Arc<dyn TokenCredential>),
    Shared(Shared),
}

/// A token. It is a secret, and not to be printed.
pub(super) struct Token {
    pub(super) text: String,
    /// Its type, by the names of Service Bus.
    pub(super) kind: &'static str,
    pub(super) expires: SystemTime,
}

impl Tokens {
    pub(super) fn new(access: &BusAccess, clock: Clock) -> Result<Self> {
        let source = match access {
            BusAccess::ConnectionString(string) => Source::Shared(string.access.clone()),
            BusAccess::Identity { credential: kind, client_id } => {
                Source::Identity(credential(*kind, client_id.clone(), client_options()?)?)
            }
        };
        Ok(Self { source, clock })
    }

    /// A token for that resource.
    pub(super) async fn token(&self, resource: &str) -> Result<Token> {
        match &self.source {
            Source::Identity(credential) => {
                let token = credential
                    .get_token(&[SCOPE], None)
                    .await
                    .map_err(|error| Error::new(ErrorKind::Denied, NO_TOKEN).with_source(root(&error)))?;
                let expires = u64::try_from(token.expires_on.unix_timestamp()).unwrap_or_default();
                let expires = UNIX_EPOCH + Duration::from_secs(expires);
                Ok(Token { text: token.token.secret().to_owned(), kind: "jwt", expires })
            }
            Source::Shared(Shared::Key { name, key }) => {
                let expires = self.now() + LIFETIME;
                Ok(Token { text: signed(resource, name, key, expires)?, kind: SAS, expires })
            }
            Source::Shared(Shared::Signature(text)) => {
                Ok(Token { text: text.clone(), kind: SAS, expires: expiry(text).unwrap_or_else(|| self.now() + LIFETIME) })
            }
        }
    }

    /// When a token that is put now is put again, or the next one.
    pub(super) fn due(&self, token: &Token) -> SystemTime {
        let left = token.expires.duration_since(self.now()).unwrap_or_default();
        token.expires - BEFORE.min(left / 2)
    }

    pub(super) fn now(&self) -> SystemTime {
        (self.clock)()
    }
}

const SAS: &str = "servicebus.windows.net:sastoken";

const NO_TOKEN: &str = "get a token for Service Bus: on Azure it is the app's identity that has one, elsewhere `az login` makes one; AZURE_TOKEN_CREDENTIALS says which is used";

/// A token that a key signs: <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas#generate-a-shared-access-signature-token>.
fn signed(resource: &str, name: &str, key: &str, expires: SystemTime) -> Result<String> {
    let resource = escape(resource);
    let expires = expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map_err(|_| Error::new(ErrorKind::Invalid, "the connection string's key cannot sign"))?;
    mac.update(format!("{resource}\n{expires}").as_bytes());
    let signature = escape(&STANDARD.encode(mac.finalize().into_bytes()));
    Ok(format!("SharedAccessSignature sr={resource}&sig={signature}&se={expires}&skn={}", escape(name)))
}

/// When a token ends that somebody else has signed.
fn expiry(token: &str) -> Option<SystemTime> {
    let seconds = token.split(['&', ' ']).find_map(|pair| pair.strip_prefix("se="))?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds.parse().ok()?))
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servicebus::ConnectionString;

    fn tokens(string: &str) -> Tokens {
        let access = BusAccess::ConnectionString(ConnectionString::parse(string).expect("valid"));
        Tokens::new(&access, Arc::new(|| at(1000))).expect("made")
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// The signature by another tool: `printf 'amqps%%3A%%2F%%2Fmy.servicebus.windows.net%%2Forders\n4600' | openssl dgst -sha256 -hmac 'c2VjcmV0' -binary | base64`.
    #[tokio::test]
    async fn a_key_signs_the_resource_and_the_end() {
        let tokens = tokens("Endpoint=sb://my;SharedAccessKeyName=a b;SharedAccessKey=c2VjcmV0");
        let token = tokens.token("amqps://my.servicebus.windows.net/orders").await.expect("a token");
        let expected = "SharedAccessSignature sr=amqps%3A%2F%2Fmy.servicebus.windows.net%2Forders&sig=phLVEw%2FgOM%2B2I8nehbY2iCwRs8Rs5hL6VxsbwOhcHKU%3D&se=4600&skn=a%20b";
        assert_eq!(token.text, expected);
        assert_eq!((token.kind, token.expires), ("servicebus.windows.net:sastoken", at(4600)));
    }

    #[tokio::test]
    async fn a_signature_is_used_as_it_is() {
        let tokens = tokens("Endpoint=sb://my;SharedAccessSignature=SharedAccessSignature sr=a&sig=b%3d&se=1600&skn=c");
        let token = tokens.token("amqps://my/orders").await.expect("a token");
        assert_eq!(token.text, "SharedAccessSignature sr=a&sig=b%3d&se=1600&skn=c");
        assert_eq!(token.expires, at(1600));
    }

    #[test]
    fn a_token_is_renewed_well_before_its_end() {
        let tokens = tokens("Endpoint=sb://my;SharedAccessKeyName=n;SharedAccessKey=k");
        for (expires, due) in [(4600, 4360), (1600, 1360), (1200, 1100), (1000, 1000), (900, 900)] {
            let token = Token { text: String::new(), kind: SAS, expires: at(expires) };
            assert_eq!(tokens.due(&token), at(due), "{expires}");
        }
    }
}
