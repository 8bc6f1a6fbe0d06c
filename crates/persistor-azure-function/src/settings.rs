//! What this function is told at start, resolved once.

use std::path::PathBuf;
use std::time::Duration;

use persistor_core::{Layout, Location, RecordPlace, Stream, Template};
use persistor_serve::{Decoded, Environment, Faults, Function as Of, Resolver, ServeSettings, duration, one_of};

use crate::app_settings::AppSettings;
use crate::archive;
use crate::function::Function;
use crate::functions::{self, Found};

/// Every setting, checked, and the functions that the app's own files say there are.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Listening, limits and logs.
    pub serve: ServeSettings,
    /// Where blobs go.
    pub archive: Location,
    /// How Blob Storage is reached.
    #[cfg(feature = "blob-storage")]
    pub(crate) access: persistor_azure::Access,
    /// The functions that are served.
    pub functions: Vec<Function>,
    /// Whether the Functions host started this program.
    pub under_host: bool,
    /// The time for a call, where it is the same for all functions.
    pub deadline: Option<Duration>,
    /// How keys are made.
    pub layout: Layout,
    /// Where records are kept.
    pub record: RecordPlace,
}

impl Settings {
    /// Reads all settings, and the `function.json` files; returns them with warnings to log.
    ///
    /// # Errors
    /// All faults together, each naming its variable or file.
    pub fn resolve(environment: &Environment, app: &AppSettings) -> Result<(Self, Vec<String>), Faults> {
        let mut resolver = Resolver::new(environment, Of::Azure);
        let under_host = app.get("FUNCTIONS_CUSTOMHANDLER_PORT").is_some();
        let serve = ServeSettings::resolve(&mut resolver);
        let root =
            resolver.value("FUNCTIONS_APP_ROOT_PATH", |text| Ok(PathBuf::from(text))).unwrap_or_else(|| PathBuf::from("."));
        let archive = resolver.value("PERSISTOR_ARCHIVE", location);
        if under_host && !environment.is_set("PERSISTOR_ARCHIVE") {
            resolver.fault(
                "PERSISTOR_ARCHIVE",
                "it is not set, and a folder of this instance, which it would be, is gone with the instance",
            );
        }
        #[cfg(feature = "blob-storage")]
        let access = archive::access(&mut resolver);
        #[cfg(feature = "blob-storage")]
        if let Some(Err(reason)) = archive.as_ref().map(|archive| archive::check_access(archive, &access)) {
            resolver.fault("AZURE_STORAGE_SERVICE_ENDPOINT", reason);
        }
        let stream = resolver.value("PERSISTOR_STREAM", |text| Stream::new(text).map_err(|error| error.to_string()));
        let template = resolver.value("PERSISTOR_KEY_TEMPLATE", |text| Template::parse(text).map_err(|error| error.to_string()));
        let record = resolver.value("PERSISTOR_RECORD", |text| {
            one_of(&["auto", "always"])(text).map(|text| if text == "always" { RecordPlace::Always } else { RecordPlace::Auto })
        });
        let deadline = resolver.value("PERSISTOR_DEADLINE", duration);
        if let (Some(archive), Some(template)) = (&archive, &template)
            && let Err(error) = template.check_prefix(archive::prefix(archive))
        {
            resolver.fault("PERSISTOR_ARCHIVE", format!("with this key template, {error}"));
        }

        let mut warnings = Vec::new();
        let mut functions = match functions::find(&root, app) {
            Ok(found) => served(found, &root, &mut warnings),
            Err(faults) => {
                faults.into_iter().for_each(|fault| resolver.note(fault));
                Vec::new()
            }
        };
        if let Some(stream) = &stream
            && let Err(reason) = functions::name_stream(&mut functions, stream)
        {
            resolver.fault("PERSISTOR_STREAM", reason);
        }
        if let Some(clash) = functions::clash(&functions) {
            resolver.note(clash);
        }
        if let Some(serve) = &serve {
            warnings.extend(crowded(serve));
            warnings.extend(hasty(serve, deadline, &functions));
        }

        let settings = (|| {
            Some(Self {
                serve: serve?,
                archive: archive?,
                #[cfg(feature = "blob-storage")]
                access,
                functions,
                under_host,
                deadline,
                layout: Layout::new(template?),
                record: record?,
            })
        })();
        warnings.splice(..0, resolver.finish()?);
        // Every setting that is asked for has a default or is left out, so without a fault there is nothing missing.
        Ok((settings.expect("a value or a fault for each setting"), warnings))
    }
}

/// The functions to serve.
fn served(found: Found, root: &std::path::Path, warnings: &mut Vec<String>) -> Vec<Function> {
    let Found { enabled, disabled } = found;
    if !enabled.is_empty() {
        return enabled;
    }
    if !disabled.is_empty() {
        warnings.push(format!("all functions of the app are disabled, so that nothing is stored: {disabled:?}"));
        return enabled;
    }
    let function = functions::default_function();
    warnings.push(format!(
        "no function.json is in a folder of `{}`: the function `{}` is served as if it were of `{}`, to try things",
        root.display(),
        function.name,
        function.entity
    ));
    vec![function]
}

fn crowded(serve: &ServeSettings) -> Option<String> {
    let needed = Decoded::Unescaped.beside(serve.max_body);
    (serve.memory < needed).then(|| {
        format!("PERSISTOR_MEMORY is less than the {needed} bytes that a call of PERSISTOR_MAX_BODY can take: it is admitted alone, and more memory is used then")
    })
}

/// One attempt that hangs must leave time for another.
fn hasty(serve: &ServeSettings, deadline: Option<Duration>, functions: &[Function]) -> Option<String> {
    let shortest = functions.iter().map(|function| deadline.unwrap_or_else(|| function.default_deadline())).min()?;
    (shortest < 2 * serve.write_timeout).then(|| {
        "PERSISTOR_DEADLINE is less than twice PERSISTOR_WRITE_TIMEOUT: a write that hangs is not tried again".to_owned()
    })
}

fn location(text: &str) -> Result<Location, String> {
    match Location::parse(text) {
        Ok(Location::Url { scheme, rest }) => archive::check_url(&scheme, &rest).map(|()| Location::Url { scheme, rest }),
        Ok(Location::Folder(path)) if path.exists() && !path.is_dir() => Err(format!("`{text}` is a file, not a folder")),
        Ok(location) => Ok(location),
        Err(error) => Err(error.to_string()),
    }
}
