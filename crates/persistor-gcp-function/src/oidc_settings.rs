//! Whose pushes are taken, as it is told at start. How that is verified is left to `oidc`.

use persistor_serve::{Environment, Resolver};

const AUDIENCE: &str = "PERSISTOR_OIDC_AUDIENCE";
const EMAIL: &str = "PERSISTOR_OIDC_EMAIL";
const KEYS: &str = "PERSISTOR_OIDC_KEYS";

/// What a push's token has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcSettings {
    /// Whom it is for: the subscription's audience, letter by letter.
    pub audience: String,
    /// The service account that the subscription pushes as.
    pub email: String,
    /// Where the keys of its issuer are: a URL of https, or of http on this machine.
    pub keys: String,
}

impl OidcSettings {
    /// `None` where nothing is set and nobody is asked, and where a fault was noted: half of it would look as if somebody were.
    pub(crate) fn resolve(resolver: &mut Resolver<'_>, environment: &Environment) -> Option<Self> {
        let set = [AUDIENCE, EMAIL, KEYS].map(|name| environment.is_set(name));
        if set == [false; 3] {
            return None;
        }
        let (audience, email) = (resolver.value(AUDIENCE, audience), resolver.value(EMAIL, email));
        let keys = resolver.value(KEYS, check_keys);
        if let Some(first) =
            [AUDIENCE, EMAIL, KEYS].into_iter().find(|name| environment.is_set(name)).filter(|_| !cfg!(feature = "oidc"))
        {
            resolver.fault(
                first,
                "this program was built without the check of who pushes (feature `oidc`), and would take every push",
            );
            return None;
        }
        for (name, is_set) in [AUDIENCE, EMAIL].into_iter().zip(set) {
            if !is_set {
                resolver.fault(name, format!("is missing: `{AUDIENCE}` and `{EMAIL}` together say whose pushes are taken"));
            }
        }
        Some(Self { audience: audience?, email: email?, keys: keys? })
    }
}

fn audience(text: &str) -> Result<String, String> {
    one_word(text).then(|| text.to_owned()).ok_or_else(|| format!("`{text}` has a space or a line's end in it"))
}

fn email(text: &str) -> Result<String, String> {
    let is_address = one_word(text) && text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    is_address.then(|| text.to_owned()).ok_or_else(|| format!("`{text}` is not a service account's email address"))
}

fn one_word(text: &str) -> bool {
    !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(feature = "oidc")]
fn check_keys(text: &str) -> Result<String, String> {
    crate::oidc::check_key_server(text).map(|()| text.to_owned())
}

#[cfg(not(feature = "oidc"))]
fn check_keys(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use persistor_serve::Function;

    fn resolved(variables: &[(&str, &str)]) -> Result<Option<OidcSettings>, String> {
        let environment = Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())));
        let mut resolver = Resolver::new(&environment, Function::Gcp);
        let settings = OidcSettings::resolve(&mut resolver, &environment);
        resolver.finish().map_err(|faults| faults.to_string())?;
        Ok(settings)
    }

    const RIGHT: [(&str, &str); 2] =
        [(AUDIENCE, "https://archive.example.com/orders"), (EMAIL, "push@p.iam.gserviceaccount.com")];

    #[test]
    fn nothing_set_asks_nobody() {
        assert_eq!(resolved(&[]), Ok(None));
        assert_eq!(resolved(&[(AUDIENCE, ""), (EMAIL, "")]), Ok(None), "empty is unset");
    }

    #[cfg(feature = "oidc")]
    #[test]
    fn both_ask_and_the_keys_are_googles() {
        let settings = resolved(&RIGHT).expect("right").expect("set");
        assert_eq!(settings.audience, "https://archive.example.com/orders");
        assert_eq!(settings.email, "push@p.iam.gserviceaccount.com");
        assert_eq!(settings.keys, "https://www.googleapis.com/oauth2/v3/certs");
        for keys in
            ["http://127.0.0.1:8181/certs", "http://localhost/certs", "http://[::1]:80/certs", "https://keys.example.com/x"]
        {
            let settings = resolved(&[RIGHT[0], RIGHT[1], (KEYS, keys)]).expect("right").expect("set");
            assert_eq!(settings.keys, keys);
        }
    }

    #[cfg(feature = "oidc")]
    #[test]
    fn half_of_it_is_a_fault_that_names_the_other_half() {
        for (variables, missing) in [
            (&RIGHT[..1], &[EMAIL][..]),
            (&RIGHT[1..], &[AUDIENCE]),
            (&[(KEYS, "https://keys.example.com/x")], &[AUDIENCE, EMAIL]),
        ] {
            let text = resolved(variables).expect_err("half");
            for name in [AUDIENCE, EMAIL] {
                assert_eq!(text.contains(&format!("`{name}`: is missing")), missing.contains(&name), "{name}: {text}");
            }
        }
    }

    #[cfg(feature = "oidc")]
    #[test]
    fn what_could_never_match_is_refused_at_start() {
        let wrong = [
            (AUDIENCE, "https://archive.example.com/ orders"),
            (AUDIENCE, "https://archive.example.com\n"),
            (EMAIL, "push"),
            (EMAIL, "@p.iam.gserviceaccount.com"),
            (EMAIL, "push@p.iam.gserviceaccount.com "),
            (KEYS, "keys.example.com"),
            (KEYS, "http://keys.example.com/certs"),
            (KEYS, "https://name:password@keys.example.com/certs"),
            (KEYS, "file:///etc/keys"),
            (KEYS, "http://127.0.0.1.example.com/certs"),
        ];
        for (name, value) in wrong {
            let mut variables = RIGHT.to_vec();
            variables.retain(|(other, _)| *other != name);
            variables.push((name, value));
            let text = resolved(&variables).expect_err(value);
            assert!(text.contains(&format!("`{name}`: ")) && text.starts_with("a setting is wrong"), "{text}");
        }
    }

    #[cfg(not(feature = "oidc"))]
    #[test]
    fn without_the_feature_each_is_a_fault_that_says_so() {
        for variable in [RIGHT[0], RIGHT[1], (KEYS, "https://keys.example.com/x")] {
            let text = resolved(&[variable]).expect_err("built without");
            assert!(text.contains("feature `oidc`") && text.contains(variable.0), "{text}");
        }
    }
}
