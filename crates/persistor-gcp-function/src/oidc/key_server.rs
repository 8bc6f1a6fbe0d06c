//! Asks the issuer's server for its keys, once a call. When that is done is left to `keys`.

use std::time::Duration;

use anyhow::{Context as _, bail};
use persistor_serve::is_loopback;
use reqwest::header::{AGE, CACHE_CONTROL, HeaderMap};
use reqwest::{Client, StatusCode, Url, redirect};

use super::key_set;
use super::keys::Fetched;

/// The most bytes of an answer; Google's has some two thousand.
const MOST: usize = 64 * 1024;
/// How long keys are fresh where the server does not say.
const FRESH: Duration = Duration::from_secs(3600);
/// What it may say: so that it is neither asked all the time, nor a key that it has withdrawn good for days.
const FRESH_AT_LEAST: Duration = Duration::from_secs(5 * 60);
const FRESH_AT_MOST: Duration = Duration::from_secs(6 * 3600);

#[derive(Debug)]
pub(crate) struct KeyServer {
    client: Client,
    url: Url,
}

impl KeyServer {
    /// Of a URL that passes [`check`].
    ///
    /// # Errors
    /// If there can be no HTTP client.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let url = Url::parse(url)?;
        // There may be one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // The answer is believed, so it is asked for where it was said to be, and nowhere else.
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build();
        Ok(Self { client: client.context("make an HTTP client for the key server")?, url })
    }

    /// Its keys, and how long they are fresh. Whoever calls sets the limit of time.
    ///
    /// # Errors
    /// If there is no answer, or it is not 200, or larger than [`MOST`], or no set of keys.
    pub(crate) async fn fetch(&self) -> anyhow::Result<Fetched> {
        let asked = || format!("fetch `{}`", self.url);
        let response = self.client.get(self.url.clone()).send().await;
        let mut response = response.map_err(reqwest::Error::without_url).with_context(asked)?;
        if response.status() != StatusCode::OK {
            bail!("{}: it answers with status {}", asked(), response.status().as_u16());
        }
        let fresh = fresh(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url).with_context(asked)? {
            if body.len() + chunk.len() > MOST {
                bail!("{}: its answer has more than {MOST} bytes", asked());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched { keys: key_set::read(&body).with_context(asked)?, fresh })
    }
}

/// Whether keys may be asked for there: nobody on the way may give others instead.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|_| format!("`{text}` is not a URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL with a name or a password is seen by too many".to_owned());
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url.host_str().unwrap_or_default()) => Ok(()),
        _ => Err(format!("`{text}` is neither https nor http on this machine")),
    }
}

/// How long an answer with these headers is fresh, within our own bounds: RFC 9111, `max-age` less `Age`.
fn fresh(headers: &HeaderMap) -> Duration {
    let texts = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = texts.flat_map(|text| text.split(',')).map(str::trim);
    let max_age = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse::<u64>().ok())?
    });
    let age = headers.get(AGE).and_then(|value| value.to_str().ok()?.parse::<u64>().ok()).unwrap_or(0);
    max_age.map_or(FRESH, |max_age| Duration::from_secs(max_age.saturating_sub(age)).clamp(FRESH_AT_LEAST, FRESH_AT_MOST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    #[test]
    fn keys_come_from_https_or_this_machine_and_without_a_login() {
        for url in ["https://keys.example/jwk", "http://127.0.0.1:8080/jwk", "http://localhost/jwk"] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for url in
            ["", "keys", "http://keys.example/jwk", "file:///jwk", "https://a@keys.example/jwk", "https://:b@keys.example/jwk"]
        {
            assert!(check(url).is_err(), "{url}");
        }
    }

    #[test]
    fn freshness_is_the_servers_within_bounds() {
        let fresh = |pairs: &[(HeaderName, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            fresh(&pairs.collect()).as_secs()
        };
        for (value, seconds) in [
            ("public, max-age=19845, must-revalidate, no-transform", 19_845),
            ("Max-Age=600", 600),
            ("max-age=\"600\"", 600),
            ("max-age=0", 300),
            ("max-age=86400", 21_600),
            ("max-age=18446744073709551615", 21_600),
            ("max-age=99999999999999999999", 3600),
            ("max-age=soon", 3600),
            ("no-cache", 3600),
        ] {
            assert_eq!(fresh(&[(CACHE_CONTROL, value)]), seconds, "{value}");
        }
        assert_eq!(fresh(&[]), 3600);
        assert_eq!(fresh(&[(CACHE_CONTROL, "public"), (CACHE_CONTROL, "max-age=600")]), 600);
        assert_eq!(fresh(&[(CACHE_CONTROL, "max-age=7200"), (AGE, "1200")]), 6000);
        assert_eq!(fresh(&[(CACHE_CONTROL, "max-age=600"), (AGE, "6000")]), 300);
    }
}
