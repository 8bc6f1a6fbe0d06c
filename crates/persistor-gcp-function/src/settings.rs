//! What this function is told at start, resolved once.

use crate::archive;
use crate::oidc_settings::OidcSettings;
use persistor_core::{Layout, Location, RecordPlace, Stream, Template};
use persistor_serve::{Decoded, Environment, Faults, Function, Resolver, ServeSettings, one_of};

/// The form in which the subscription pushes. It is told and never guessed: a publisher controls the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// A JSON envelope with the payload in base64: the subscription's default, and what Eventarc sends.
    Wrapped,
    /// The body is the payload; metadata and attributes are headers.
    Unwrapped,
}

/// Every setting, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Listening, limits and logs.
    pub serve: ServeSettings,
    /// Where blobs go.
    pub archive: Location,
    /// The Cloud Storage emulator that is asked instead of Cloud Storage.
    pub storage_emulator: Option<String>,
    /// Whether Cloud Run started this program.
    pub on_cloud_run: bool,
    /// The stream's name where the URL's path does not say it.
    pub stream: Option<Stream>,
    /// How keys are made.
    pub layout: Layout,
    /// Where records are kept.
    pub record: RecordPlace,
    /// The form of a push.
    pub push: Push,
    /// Whose pushes are taken; none where that is decided in front of the program.
    pub oidc: Option<OidcSettings>,
}

impl Settings {
    /// Reads all settings; returns them with warnings to log.
    ///
    /// # Errors
    /// All faults together, each naming its variable.
    pub fn resolve(environment: &Environment) -> Result<(Self, Vec<String>), Faults> {
        let mut resolver = Resolver::new(environment, Function::Gcp);
        let serve = ServeSettings::resolve(&mut resolver);
        let archive = resolver.value("PERSISTOR_ARCHIVE", location);
        let storage_emulator =
            resolver.value("STORAGE_EMULATOR_HOST", |text| archive::check_emulator(text).map(|()| text.to_owned()));
        let stream = resolver.value("PERSISTOR_STREAM", |text| Stream::new(text).map_err(|error| error.to_string()));
        let template = resolver.value("PERSISTOR_KEY_TEMPLATE", |text| Template::parse(text).map_err(|error| error.to_string()));
        let record = resolver.value("PERSISTOR_RECORD", |text| {
            one_of(&["auto", "always"])(text).map(|text| if text == "always" { RecordPlace::Always } else { RecordPlace::Auto })
        });
        let push = resolver.value("PERSISTOR_PUSH", |text| {
            one_of(&["wrapped", "unwrapped"])(text).map(|text| if text == "unwrapped" { Push::Unwrapped } else { Push::Wrapped })
        });
        let oidc = OidcSettings::resolve(&mut resolver, environment);
        let crowded = serve.as_ref().filter(|serve| serve.memory < Decoded::Yes.beside(serve.max_body));
        let crowded = crowded.map(|serve| {
            let needed = Decoded::Yes.beside(serve.max_body);
            format!("PERSISTOR_MEMORY is less than the {needed} bytes that a push of PERSISTOR_MAX_BODY takes with its decoded copy: it is admitted alone, and more memory is used then")
        });
        if let (Some(archive), Some(template)) = (&archive, &template)
            && let Err(error) = template.check_prefix(archive::prefix(archive))
        {
            resolver.fault("PERSISTOR_ARCHIVE", format!("with this key template, {error}"));
        }
        let on_cloud_run = environment.is_cloud_run();
        let settings = (|| {
            Some(Self {
                serve: serve?,
                archive: archive?,
                storage_emulator,
                on_cloud_run,
                stream,
                layout: Layout::new(template?),
                record: record?,
                push: push?,
                oidc,
            })
        })();
        let mut warnings = resolver.finish()?;
        warnings.extend(crowded);
        // Every setting that is needed has a default, so without a fault there is nothing missing.
        Ok((settings.expect("a value or a fault for each setting"), warnings))
    }
}

fn location(text: &str) -> Result<Location, String> {
    match Location::parse(text) {
        Ok(Location::Url { scheme, rest }) => archive::check_url(&scheme, &rest).map(|()| Location::Url { scheme, rest }),
        Ok(Location::Folder(path)) if path.exists() && !path.is_dir() => Err(format!("`{text}` is a file, not a folder")),
        Ok(location) => Ok(location),
        Err(error) => Err(error.to_string()),
    }
}
